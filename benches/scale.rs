//! A large store: a million tickets and a hundred thousand accounts, as a busy site has after years. How long the real
//! binary takes until it answers, after an orderly end and after a kill, and how much memory it takes.
//!
//! `--data DIR` keeps the store there and uses it again; without, it goes with the bench.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot go on stops, and its report is what it is for"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use admit::compose::{Composed, World, compose};
use admit::config::{Config, MasterKeySource};
use admit::domain::access::{By, Caller, Subject};
use admit::domain::clients;
use admit::domain::tickets::{self, Kind, NewTicket};
use admit::domain::tokens::Grantee;
use admit::domain::users::{self, Details, NewUser, Password};
use admit::domain::{Appliance, Cx, Front, tokens};
use admit::kernel::{ClientId, OrgId, Properties, SystemEntropy, UserId};
use admit::store::Verdict;
use serde_json::Value;

/// What is measured this many times.
const STARTS: usize = 5;

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (tickets, people) = if quick {
        (2_000, 200)
    } else {
        (1_000_000, 100_000)
    };
    let kept = std::env::args().skip_while(|arg| arg != "--data").nth(1);
    let scratch = tempfile::tempdir().expect("a folder");
    let data = kept.map_or_else(|| scratch.path().join("data"), PathBuf::from);
    if !data.exists() {
        let since = Instant::now();
        fill(&data, tickets, people);
        println!(
            "{tickets} tickets and {people} accounts written in {:.0?}",
            since.elapsed()
        );
    }
    println!(
        "the store takes {} MB on the disk",
        bytes(&data.join("store")) / 1_000_000
    );
    let starts = if quick { 1 } else { STARTS };
    measure("after an orderly end", starts, &data, Ending::Orderly);
    measure("after a kill", starts, &data, Ending::Kill);
    scrubbed(&data);
}

/// Issues the tickets and enrolls the people as the operations do, sharing the disk's work.
fn fill(data: &Path, tickets: usize, people: usize) {
    let config = Config {
        data: data.to_owned(),
        master_key: MasterKeySource::File(data.join("master.key")),
        ..Config::default()
    };
    let Composed { appliance, .. } = compose(&config, 8443, World::real()).expect("an appliance");
    let first = FirstRun::read(data);
    let (each, rest) = (1_000, Properties::default());
    for _ in 0..tickets / each {
        let cx = appliance.own_context();
        let caller = first.caller(&cx);
        for _ in 0..each {
            let new = NewTicket {
                kind: Kind::SingleUse,
                organization: None,
                properties: rest.clone(),
                length: None,
                ttl: Some(30 * 24 * 60 * 60),
                disabled: false,
            };
            tickets::issue(&cx, &caller, new).expect("a ticket");
        }
        durable(&appliance);
    }
    let cx = appliance.own_context();
    // A hash takes longer than everything else of an account together: one serves them all.
    let password = Password::draw(&cx).expect("a password");
    for number in 0..people {
        enroll(&appliance, &cx, &first.organization, (number, &password));
        if number % each == 0 {
            durable(&appliance);
        }
    }
    durable(&appliance);
}

fn enroll(
    appliance: &Appliance,
    cx: &Cx<'_>,
    organization: &OrgId,
    (number, password): (usize, &Password),
) {
    let entropy = SystemEntropy::default();
    let id = UserId::draw(&entropy);
    let new = NewUser {
        name: format!("person-{number}"),
        details: Details::default(),
    };
    let by = By::operator();
    let kept = appliance.store().write(|tx| {
        let user = users::enrolled(tx, cx, &by, (&id, organization), (&new, password))?;
        Ok(user.map_or_else(Verdict::Discard, Verdict::Commit))
    });
    kept.expect("a write").outcome.expect("an account");
}

fn durable(appliance: &Appliance) {
    let store = appliance.store();
    let durable = store.durable(store.mark());
    durable.wait().expect("it is durable");
}

#[derive(Clone, Copy)]
enum Ending {
    Orderly,
    Kill,
}

fn measure(what: &str, starts: usize, data: &Path, ending: Ending) {
    let mut times = Vec::new();
    let mut memory = 0;
    for _ in 0..starts {
        let since = Instant::now();
        let (mut process, _output) = serve(data);
        times.push(since.elapsed());
        memory = memory.max(resident(&process));
        let signal = match ending {
            Ending::Orderly => "-TERM",
            Ending::Kill => "-KILL",
        };
        let pid = process.id().to_string();
        Command::new("kill")
            .args([signal, &pid])
            .status()
            .expect("a signal");
        process.wait().expect("an end");
    }
    times.sort();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    println!(
        "{what}: ready in {middle:.0?} (median of {starts}: {times:.0?}), {} MB resident at most",
        memory / 1_000_000
    );
}

/// How much memory it holds once the scrub has read every record.
fn scrubbed(data: &Path) {
    let since = Instant::now();
    let mut process = program(data)
        .env("ADMIT_LOG_LEVEL", "debug")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    let log = BufReader::new(process.stderr.take().expect("its log")).lines();
    let verified = log.map_while(Result::ok);
    let mut verified = verified.filter(|line| line.contains("stored records verified"));
    verified.next().expect("all is verified");
    println!(
        "every record verified while serving: {:.0?}, {} MB resident at most",
        since.elapsed(),
        resident(&process) / 1_000_000
    );
    process.kill().expect("a kill");
    process.wait().expect("an end");
}

fn program(data: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_admit"));
    program
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data);
    program
}

/// The binary on this folder, once it says that it is ready.
fn serve(data: &Path) -> (Child, impl Sized) {
    let mut process = program(data)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary");
    let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
    let mut told = lines.by_ref().map_while(Result::ok);
    told.find(|line| line.contains("is ready on"))
        .expect("it becomes ready");
    (process, lines)
}

/// The most memory a process held, in bytes.
fn resident(process: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    let number = number.and_then(|number| number.parse::<u64>().ok());
    number.unwrap_or_default() * 1_024
}

fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(known) if known.is_dir() => bytes(&entry.path()),
        Ok(known) => known.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Whom the first start made.
struct FirstRun {
    organization: OrgId,
    client: ClientId,
}

impl FirstRun {
    fn read(data: &Path) -> Self {
        let text = fs::read(data.join("first-run.json")).expect("the first credentials");
        let first: Value = serde_json::from_slice(&text).expect("JSON");
        let text = |at: &str| first.pointer(at).and_then(Value::as_str).expect("a text");
        Self {
            organization: text("/organization_id").parse().expect("an id"),
            client: text("/client/client_id").parse().expect("an id"),
        }
    }

    /// The first client with a token of its own.
    fn caller(&self, cx: &Cx<'_>) -> Arc<Caller> {
        let client = clients::find(cx, &self.client)
            .expect("a read")
            .expect("a client");
        let grantee = Grantee {
            subject: Subject::Client(self.client.clone()),
            organization: self.organization.clone(),
            client: self.client.clone(),
            roles: client.roles,
            scope: "any".to_owned(),
            sign_in: None,
            epoch: 0,
            front: Front::Security,
            session: None,
            signed_in_at: None,
            claims: Vec::new(),
            vouched: None,
        };
        let token = tokens::mint(cx, &grantee, &client).expect("a token");
        tokens::authenticate(cx, token.value.expose()).expect("a caller")
    }
}
