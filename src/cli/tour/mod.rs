//! `admit tour`: the whole job against a running server, as backends, customers and people who sign in do it. Each
//! call is compared with the contract.
//!
//! It knows the server only by its answers and by the first credentials; it must not open the store.

mod judge;
mod notes;
mod step;
mod steps;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{BROKEN, REFUSED, USAGE, failed, say};
use crate::adapters::http_client::{NoAnswer, Server};
use crate::compose::first_run_file;
use crate::config::Config;
use crate::kernel::{Clock as _, SystemClock, Timestamp};
use notes::{Missing, Notes};
use step::Step;
use steps::STEPS;

/// The credentials the first start wrote.
#[derive(Deserialize)]
struct FirstRun {
    base_url: String,
    ca_certificate: PathBuf,
    organization_id: String,
    application_id: String,
    admin: FirstAdmin,
    client: FirstClient,
}

#[derive(Deserialize)]
struct FirstAdmin {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct FirstClient {
    client_id: String,
    client_secret: String,
}

/// Walks the server that serves `config`'s data folder; `base_url` names another address for it.
pub(super) fn tour(config: &Config, base_url: Option<&str>) -> ExitCode {
    let first_run = match first_run(&first_run_file(&config.data)) {
        Ok(first_run) => first_run,
        Err(why) => return failed(why, USAGE),
    };
    let base = base_url.unwrap_or(&first_run.base_url);
    let server = match server(base, &first_run.ca_certificate) {
        Ok(server) => server,
        Err(why) => return failed(why, BROKEN),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let walked = match runtime {
        Ok(runtime) => runtime.block_on(walk(
            &server,
            first_run.notes(config.policy.tickets.max_ttl),
        )),
        Err(error) => return failed(format_args!("the runtime does not start: {error}"), BROKEN),
    };
    match walked {
        Ok(walked) => walked.conclusion(),
        Err(why) => failed(
            format_args!(
                "no answer from {base}: {why}. The tour needs a running server: start `admit serve` in another \
                 terminal, or name its address with --base-url"
            ),
            BROKEN,
        ),
    }
}

fn first_run(path: &Path) -> Result<FirstRun, String> {
    let text = fs::read_to_string(path).map_err(|error| {
        let path = path.display();
        if error.kind() != ErrorKind::NotFound {
            return format!("{path}: {error}");
        }
        format!(
            "{path} is not there, and the tour signs in with the credentials in it: name the server's data folder \
             with --data, or put the file back"
        )
    })?;
    // A message of the parser's could show what is in the file.
    serde_json::from_str(&text)
        .map_err(|_| format!("{}: is not as the first start wrote it", path.display()))
}

fn server(base: &str, certificate: &Path) -> Result<Server, String> {
    let trusted = certificate.display();
    let root = if base.starts_with("https:") {
        fs::read(certificate).map_err(|error| {
            format!(
                "{trusted}, the certificate to trust at {base}: {error}. If a proxy stands before the server, name \
                 the server's own address with --base-url"
            )
        })?
    } else {
        Vec::new()
    };
    Server::at(base, &root).map_err(|error| format!("{trusted}: {error}"))
}

impl FirstRun {
    /// No ticket is asked to live longer than `longest`, which the operator has set.
    fn notes(&self, longest: Duration) -> Notes {
        let (usual, short) = (USUAL.min(longest), SHORT.min(longest));
        let tomorrow = Timestamp::from_seconds(SystemClock.now().after(DAY).seconds());
        let mut notes = Notes::default();
        notes.put("organization_id", &*self.organization_id);
        notes.put("application_id", &*self.application_id);
        notes.put("admin_name", &*self.admin.username);
        notes.put("admin_password", &*self.admin.password);
        notes.put("client_id", &*self.client.client_id);
        notes.put("client_secret", &*self.client.client_secret);
        notes.put("tomorrow", tomorrow.to_string());
        notes.put("tomorrow_ends", tomorrow.after(short).to_string());
        notes.put("usual", usual.as_secs().to_string());
        notes.put("short", short.as_secs().to_string());
        notes
    }
}

/// How it went.
struct Walked {
    calls: usize,
    different: usize,
    took: Duration,
}

impl Walked {
    fn conclusion(&self) -> ExitCode {
        let (calls, took) = (self.calls, self.took.as_millis());
        if self.different == 0 {
            say(format_args!(
                "{calls} calls, all as the contract says, in {took} ms."
            ));
            return ExitCode::SUCCESS;
        }
        say(format_args!(
            "{calls} calls, {} not as the contract says, in {took} ms.",
            self.different
        ));
        ExitCode::from(REFUSED)
    }
}

async fn walk(server: &Server, mut notes: Notes) -> Result<Walked, NoAnswer> {
    let begun = Instant::now();
    let (mut calls, mut different) = (0, 0);
    for step in STEPS.iter().copied().flatten() {
        let line = take(server, step, &mut notes).await?;
        calls += 1;
        different += usize::from(!line.found.is_empty());
        say(line.written(step));
    }
    Ok(Walked {
        calls,
        different,
        took: begun.elapsed(),
    })
}

/// What one call came to.
struct Line {
    status: Option<u16>,
    took: Duration,
    found: Vec<String>,
}

async fn take(server: &Server, step: &Step, notes: &mut Notes) -> Result<Line, NoAnswer> {
    let ask = match notes.ask(step) {
        Ok(ask) => ask,
        Err(Missing(name)) => {
            return Ok(Line {
                status: None,
                took: Duration::ZERO,
                found: vec![format!("not asked: no earlier call gave {{{name}}}")],
            });
        }
    };
    let answer = server.ask(ask).await?;
    let found = judge::differences(step, &answer, notes);
    for (member, name) in step.kept {
        if let Some(value) = judge::kept(&answer, member) {
            notes.put(name, value);
        }
    }
    Ok(Line {
        status: Some(answer.status),
        took: answer.took,
        found,
    })
}

impl Line {
    fn written(&self, step: &Step) -> String {
        let verdict = if self.found.is_empty() {
            "ok"
        } else {
            "FAILED"
        };
        let status = match self.status {
            Some(status) if status == step.status => format!("{status}"),
            Some(status) => format!("{status}, not {}", step.status),
            None => format!("-, not {}", step.status),
        };
        let ms = self.took.as_secs_f64() * 1000.0;
        let (method, path, what) = (step.method, step.path, step.what);
        let mut line = format!("{verdict:6} {status:3} {ms:7.1} ms  {method:6} {path:37} {what}");
        if !self.found.is_empty() {
            line.push_str(": ");
            line.push_str(&self.found.join("; "));
        }
        line
    }
}

/// The lives the tour asks for; the first is what the vendor's scripts send.
const USUAL: Duration = Duration::from_hours(4);
const SHORT: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
