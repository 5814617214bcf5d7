//! `admit tour`: the whole job against a running server, as backends, customers and people who sign in do it. Each
//! call is compared with the contract.
//!
//! It knows the server only by its answers and by the first credentials; it must not open the store.

mod contract_a;
mod judge;
mod notes;
mod operator;
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
use contract_a::{
    ADMINISTRATION, CODE_ASKED_FOR, CODE_CHECKED, OF_A_SERVICE, PASSWORD_CHANGED,
    SERVICE_SIGNED_OUT, UPSTREAM,
};
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

/// Where the tour goes besides the data folder's server.
pub(super) struct Way<'a> {
    /// Another address of the server.
    pub base_url: Option<&'a str>,
    /// Where the stand-ins are that the server is pointed at.
    pub stand_ins: Option<&'a str>,
    /// The certificate to trust there.
    pub stand_ins_authority: &'a Path,
}

/// Walks the server that serves `config`'s data folder.
pub(super) fn tour(config: &Config, way: &Way<'_>) -> ExitCode {
    let first_run = match first_run(&first_run_file(&config.data)) {
        Ok(first_run) => first_run,
        Err(why) => return failed(why, USAGE),
    };
    let base = way.base_url.unwrap_or(&first_run.base_url);
    let server = match server(base, &first_run.ca_certificate) {
        Ok(server) => server,
        Err(why) => return failed(why, BROKEN),
    };
    let stand_ins = way
        .stand_ins
        .map(|base| self::server(base, way.stand_ins_authority));
    let stand_ins = match stand_ins.transpose() {
        Ok(stand_ins) => stand_ins,
        Err(why) => return failed(why, BROKEN),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let mut notes = first_run.notes(config.policy.tickets.max_ttl);
    notes.put(
        "stand_ins",
        way.stand_ins.unwrap_or_default().trim_end_matches('/'),
    );
    let walk = Walk {
        config,
        server: &server,
        stand_ins: stand_ins.as_ref(),
        notes,
        walked: Walked::default(),
    };
    let walked = match runtime {
        Ok(runtime) => runtime.block_on(walk.whole()),
        Err(error) => return failed(format_args!("the runtime does not start: {error}"), BROKEN),
    };
    match walked {
        Ok(walked) => walked.conclusion(),
        Err(unanswered) => failed(unanswered.words(base), BROKEN),
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
        notes.put("number", number());
        notes.put("usual", usual.as_secs().to_string());
        notes.put("short", short.as_secs().to_string());
        notes
    }
}

/// How it went.
#[derive(Default)]
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

/// The call that no answer came to, which ends the tour.
struct Unanswered {
    step: Step,
    /// How many calls there were before it.
    after: usize,
    why: NoAnswer,
}

impl Unanswered {
    fn words(&self, base: &str) -> String {
        let (
            Step {
                method, path, what, ..
            },
            why,
        ) = (&self.step, &self.why);
        let what_to_do = if self.after == 0 {
            "The tour needs a running server: start `admit serve` in another terminal, or name its address with --base-url"
        } else {
            "The calls before it were answered: see in the server's log what became of this one, then walk again"
        };
        format!("no answer from {base} to {method} {path} ({what}): {why}. {what_to_do}")
    }
}

/// A tour under way.
struct Walk<'a> {
    config: &'a Config,
    server: &'a Server,
    stand_ins: Option<&'a Server>,
    notes: Notes,
    walked: Walked,
}

impl Walk<'_> {
    async fn whole(mut self) -> Result<Walked, Unanswered> {
        let begun = Instant::now();
        self.each(STEPS).await?;
        self.each(ADMINISTRATION).await?;
        self.with_the_operator().await?;
        if self.stand_ins.is_none() {
            say(LEFT_OUT);
        }
        self.walked.took = begun.elapsed();
        Ok(self.walked)
    }

    async fn each(&mut self, parts: &[&[Step]]) -> Result<(), Unanswered> {
        for part in parts {
            self.all(part).await?;
        }
        Ok(())
    }

    async fn all(&mut self, steps: &[Step]) -> Result<(), Unanswered> {
        for step in steps {
            let line = take(self.server, step, &mut self.notes).await;
            let line = line.map_err(|why| Unanswered {
                step: *step,
                after: self.walked.calls,
                why,
            })?;
            self.walked.calls += 1;
            self.walked.different += usize::from(!line.found.is_empty());
            say(line.written(step));
        }
        Ok(())
    }

    /// What cannot be shown without whoever holds the machine: an internal service, a person, and a code that was sent.
    async fn with_the_operator(&mut self) -> Result<(), Unanswered> {
        let Some((id, secret)) = self.given(operator::service(self.config)) else {
            return Ok(());
        };
        self.notes.put("service", id.as_str());
        self.notes.put("service_secret", secret);
        let shown = self.services_and_codes().await;
        self.given(operator::dismiss(self.config, &id));
        shown?;
        let name = format!("tour-{}", self.notes.get("number").unwrap_or_default());
        let Some((id, password)) = self.given(operator::person(self.config, &name)) else {
            return Ok(());
        };
        self.notes.put("person_name", name);
        self.notes.put("person_password", password);
        let shown = self.all(PASSWORD_CHANGED).await;
        self.given(operator::remove(self.config, &id));
        shown
    }

    /// What the operator was asked for; why not is told, and counts.
    fn given<T>(&mut self, asked: Result<T, String>) -> Option<T> {
        match asked {
            Ok(given) => Some(given),
            Err(why) => {
                self.walked.different += 1;
                say(format_args!("FAILED what the operator is asked for: {why}"));
                None
            }
        }
    }

    async fn services_and_codes(&mut self) -> Result<(), Unanswered> {
        self.all(OF_A_SERVICE).await?;
        self.all(CODE_ASKED_FOR).await?;
        let number = self.notes.get("number").unwrap_or_default().to_owned();
        let code = operator::code(self.config, self.stand_ins, &number).await;
        if let Some(code) = self.given(code) {
            self.notes.put("wrong_code", another(&code));
            self.notes.put("code_sent", code);
        }
        self.all(CODE_CHECKED).await?;
        if self.stand_ins.is_some() {
            self.each(UPSTREAM).await?;
        }
        self.all(SERVICE_SIGNED_OUT).await
    }
}

/// A code that is not this one.
fn another(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    let mut other: String = code.chars().take(code.len().saturating_sub(1)).collect();
    other.push(last);
    other
}

const LEFT_OUT: &str = "What needs Genesys Cloud, Talkdesk and NICE was left out: start `admit stand-ins`, do what it says, and walk \
     again with --stand-ins.";

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

/// A number nobody has, and another one with each tour: one is sent few codes.
fn number() -> String {
    let instant = SystemClock.now().micros().unsigned_abs();
    format!("+30690{:07}", instant / 10 % 10_000_000)
}

/// The lives the tour asks for; the first is what the vendor's scripts send.
const USUAL: Duration = Duration::from_hours(4);
const SHORT: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_pair_that_is_made_may_take_longer_than_usual() {
        let parts = [STEPS, ADMINISTRATION, UPSTREAM].concat();
        let all = parts.into_iter().flatten();
        let longer: Vec<_> = all.filter(|step| step.within.is_some()).collect();
        let [step] = longer[..] else {
            panic!("{} calls", longer.len());
        };
        assert_eq!((step.method, step.path), ("POST", "/security/keys"));
        let mut notes = Notes::default();
        notes.put("backend", "token");
        let within = notes.ask(step).map(|ask| ask.within);
        assert_eq!(within, Ok(Some(Duration::from_mins(5))));
    }
}
