//! `admit audit`: what happened and who did it, as a list, as it happens, verified, and as a signed copy to keep
//! elsewhere.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::reach::{self, Reach, tell};
use super::{BROKEN, Place, REFUSED, Target, failed, print, say, with_config};
use crate::config::Config;
use crate::domain::admin::{
    AdminCommand, AdminReply, Asked, AuditCommand, AuditReply, EventView, Exported, Reader,
    Verified,
};
use crate::kernel::{Clock as _, SystemClock, Timestamp, files};
use crate::upkeep::{Answer, Order, Progress, Report};

#[derive(Args)]
pub(super) struct Audit {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The latest events, oldest first.
    List {
        #[command(flatten)]
        which: Which,
        /// How many at most, the latest ones.
        #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=5_000))]
        limit: u16,
    },
    /// The latest events, and then each new one as a running server writes it, until you stop it with Ctrl-C.
    Follow {
        #[command(flatten)]
        which: Which,
    },
    /// Walk the whole chain: every event, every signed head, nothing changed, nothing missing. Exit code 1 names the
    /// first event that does not fit.
    Verify {
        /// Verify an exported file instead; no appliance is needed for that.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "data"])]
        file: Option<PathBuf>,
    },
    /// Sign what has happened so far and write all of it as lines of JSON, which `verify --file` checks anywhere.
    Export {
        /// Where to write it; the file must not exist yet [default: standard output].
        file: Option<PathBuf>,
    },
}

/// Which events are asked for.
#[derive(Args)]
struct Which {
    /// None from before: an instant such as 2026-11-22T09:00:00Z, or how long ago, such as 90m, 12h or 7d.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<Timestamp>,
    /// What happened: an action such as ticket.issued, or the beginning of some, such as ticket.
    #[arg(long)]
    action: Option<String>,
    /// Who did it: a user id, a client id, operator or appliance.
    #[arg(long, value_name = "WHO", allow_hyphen_values = true)]
    by: Option<String>,
    /// What it happened to, by its id.
    #[arg(long, value_name = "WHAT", allow_hyphen_values = true)]
    to: Option<String>,
}

impl Which {
    fn asked(self, limit: usize) -> Asked {
        Asked {
            since: self.since,
            action: self.action,
            by: self.by,
            to: self.to,
            limit,
        }
    }
}

/// How many events are shown before the new ones.
const BEFORE: usize = 10;
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Audit {
    pub(super) fn run(self) -> ExitCode {
        let as_json = self.target.json;
        match self.command {
            Command::List { which, limit } => {
                let command = AuditCommand::Latest(which.asked(limit.into()));
                self.target.run(&AdminCommand::Audit(command))
            }
            Command::Follow { which } => {
                let asked = which.asked(BEFORE);
                with(self.target, |config| follow(config, asked, as_json))
            }
            Command::Verify { file: Some(file) } => verify_file(&file, as_json),
            Command::Verify { file: None } => self.target.order(&Order::VerifyAudit, |report| {
                if let Report::VerifiedAudit(verified) = report {
                    show_verified(verified, as_json);
                }
                ExitCode::SUCCESS
            }),
            Command::Export { file } => with(self.target, |config| export(config, file.as_deref())),
        }
    }
}

fn with(target: Target, run: impl FnOnce(&Config) -> ExitCode) -> ExitCode {
    let place = Place {
        config: target.config,
        data: target.data,
        listen: None,
    };
    with_config(&place, run)
}

/// Reads an instant, or how long ago one was.
fn when(text: &str) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    let words =
        || "neither an instant such as 2026-11-22T09:00:00Z nor a span such as 90m, 12h or 7d";
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(words().to_owned()),
    };
    let number: u64 = text
        .get(..text.len() - 1)
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| words().to_owned())?;
    let span = Duration::from_secs(number.saturating_mul(unit));
    Ok(SystemClock.now().before(span))
}

/// Prints the events the operator asked for; everything else is asked for and printed here.
pub(super) fn print(reply: &AuditReply) {
    if let AuditReply::Events { events, .. } = reply {
        print::table(COLUMNS, events);
    }
}

/// The same for scripts.
pub(super) fn value(reply: &AuditReply) -> Value {
    match reply {
        AuditReply::Events { events, .. } => print::of(events),
        AuditReply::Signed(_) | AuditReply::Part(_) => print::of(reply),
    }
}

const COLUMNS: &[&str] = &["sequence", "at", "action", "by", "to", "network", "request"];

fn follow(config: &Config, mut asked: Asked, as_json: bool) -> ExitCode {
    let mut out = io::stdout();
    let mut command = AuditCommand::Latest(asked.clone());
    loop {
        let (events, end) = match reach::running(config, &AdminCommand::Audit(command)) {
            Ok(AdminReply::Audit(AuditReply::Events { events, end })) => (events, end),
            Ok(_) => return failed("the server answered something else", BROKEN),
            Err(why) => {
                return failed(
                    format_args!("{why}. Only a running server is followed"),
                    REFUSED,
                );
            }
        };
        for event in &events {
            // Whoever read our lines has gone.
            if writeln!(out, "{}", line(event, as_json)).is_err() {
                return ExitCode::SUCCESS;
            }
        }
        asked.since = None;
        command = AuditCommand::After {
            cursor: end,
            asked: asked.clone(),
        };
        sleep(LOOK_AGAIN);
    }
}

/// One event on one line. Names come from people, so nothing in them may steer a terminal.
fn line(event: &EventView, as_json: bool) -> String {
    let facts = print::of(event);
    if as_json {
        return facts.to_string();
    }
    let fact = |name: &&str| facts.get(*name).map(print::text).unwrap_or_default();
    COLUMNS.iter().map(fact).collect::<Vec<_>>().join("  ")
}

fn show_verified(verified: &Verified, as_json: bool) {
    if as_json {
        return say(format_args!("{:#}", print::of(verified)));
    }
    say(format_args!(
        "The audit is whole: events {}, signed heads {}, events not signed yet {}.",
        verified.events, verified.heads, verified.unsigned
    ));
    if let (Some(key), Some(head)) = (&verified.key, &verified.last_head) {
        say(format_args!("signed with the key  {key}"));
        say(format_args!("last signed head     {head}"));
    }
}

fn verify_file(path: &Path, as_json: bool) -> ExitCode {
    match read_export(path) {
        Ok(exported) if as_json => say(format_args!("{:#}", print::of(&exported))),
        Ok(exported) => {
            say(format_args!(
                "The file is whole: events {}, signed heads {}, the last one signed {}.",
                exported.events, exported.heads, exported.last_signed_at
            ));
            say(format_args!("signed with the key  {}", exported.key));
            say(format_args!("last signed head     {}", exported.last_head));
            say("It is this appliance's if `admit audit verify` names the same key there.");
        }
        Err(why) => return failed(format_args!("{}: {why}", path.display()), REFUSED),
    }
    ExitCode::SUCCESS
}

fn read_export(path: &Path) -> Result<Exported, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut file = BufReader::new(file);
    let (mut reader, mut line, mut number) = (Reader::default(), String::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        let read = file.read_line(&mut line);
        if read.map_err(|error| format!("line {number}: {error}"))? == 0 {
            return reader.end();
        }
        let taken = reader.line(&line);
        taken.map_err(|why| format!("line {number}: {why}"))?;
    }
}

fn export(config: &Config, to: Option<&Path>) -> ExitCode {
    let Some(path) = to else {
        return ended(parts(config, &mut BufWriter::new(io::stdout().lock())));
    };
    ended(export_file(config, path))
}

/// The file has its name when it is whole: one that ends at an earlier head would pass for whole.
fn export_file(config: &Config, path: &Path) -> Result<(), (String, u8)> {
    let shown = path.display();
    if path.symlink_metadata().is_ok() {
        let why = format!("{shown} is there already, and an export replaces nothing");
        return Err((why, REFUSED));
    }
    let unfinished = files::beside(path, UNFINISHED);
    let made =
        files::remove_if_there(&unfinished).and_then(|()| files::create_private(&unfinished));
    let file = made.map_err(|error| (format!("{shown}: {error}"), REFUSED))?;
    let mut file = BufWriter::new(file);
    let written = parts(config, &mut file).and_then(|()| {
        let kept = file.get_ref().sync_all();
        let kept = kept.and_then(|()| fs::rename(&unfinished, path));
        kept.and_then(|()| files::sync_folder(path))
            .map_err(|error| (format!("{shown}: {error}"), BROKEN))
    });
    if written.is_err() {
        // Once it has its name, there is none.
        let _ = files::remove_if_there(&unfinished);
    }
    written
}

/// What the name of a file ends with until it is whole.
const UNFINISHED: &str = ".unfinished";

fn ended(export: Result<(), (String, u8)>) -> ExitCode {
    match export {
        Ok(()) => ExitCode::SUCCESS,
        Err((why, code)) => failed(why, code),
    }
}

/// Head after head, so that neither side ever holds more than one head's events.
fn parts(config: &Config, out: &mut impl Write) -> Result<(), (String, u8)> {
    let mut reach = Reach::to(config);
    let AuditReply::Signed(heads) = asked(&mut reach, AuditCommand::Sign)? else {
        return Err(other());
    };
    let unwritten = |error: io::Error| (format!("the export cannot be written: {error}"), BROKEN);
    for number in 1..=heads {
        let AuditReply::Part(part) = asked(&mut reach, AuditCommand::Part { number })? else {
            return Err(other());
        };
        let broken = |fault: crate::kernel::Fault| (fault.to_string(), BROKEN);
        if number == 1 {
            let line = part.first_line().map_err(broken)?;
            out.write_all(line.as_bytes()).map_err(unwritten)?;
        }
        for line in &part.events {
            out.write_all(line.as_bytes()).map_err(unwritten)?;
        }
        let line = part.last_line().map_err(broken)?;
        out.write_all(line.as_bytes()).map_err(unwritten)?;
        tell(Progress {
            what: "signed heads written".to_owned(),
            done: number,
            of: Some(heads),
        });
    }
    out.flush().map_err(unwritten)
}

fn asked(reach: &mut Reach<'_>, command: AuditCommand) -> Result<AuditReply, (String, u8)> {
    match reach.ask(&Order::Admin(AdminCommand::Audit(command))) {
        Answer::Done(Report::Admin(AdminReply::Audit(reply))) => Ok(reply),
        Answer::Refused(why) => Err((why, REFUSED)),
        Answer::Broken(why) => Err((why, BROKEN)),
        Answer::Done(_) | Answer::Progress(_) => Err(other()),
    }
}

fn other() -> (String, u8) {
    ("the server answered something else".to_owned(), BROKEN)
}
