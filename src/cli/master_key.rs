//! `admit master-key`: the one key everything is sealed under, split into shares for paper and made again of them.

use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, value_parser};
use serde_json::json;

use super::backup::with;
use super::{Target, USAGE, failed, print, say};
use crate::config::Config;
use crate::kernel::{Secret, SystemEntropy};
use crate::upkeep::Error;
use crate::upkeep::shares::{self, Combined, NEEDED_MIN, OfStore, Pile, SHARES_MAX, Split};

#[derive(Args)]
pub(super) struct MasterKey {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print shares of the master key, one a line, this once: as many as are needed make the key again, fewer tell nothing.
    ///
    /// Write each on paper and give it to another person or another place. Whoever has enough of them has the key. The
    /// key stays what it is; shares from before stay good.
    Split {
        /// How many to make.
        #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = value_parser!(u8).range(i64::from(NEEDED_MIN)..=i64::from(SHARES_MAX)))]
        shares: u8,
        /// How many of them make the key again.
        #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = value_parser!(u8).range(i64::from(NEEDED_MIN)..=i64::from(SHARES_MAX)))]
        needed: u8,
    },
    /// Make the master key's file again of its shares. A file that is there is never replaced.
    ///
    /// Shares are lines, in any order; what is behind a # and empty lines are left out.
    Combine {
        /// Files of shares; without any they are read from standard input, and asked for at a terminal.
        files: Vec<PathBuf>,
        /// Where to write it, when not where the configuration has it.
        #[arg(long, value_name = "FILE", conflicts_with = "check")]
        to: Option<PathBuf>,
        /// Write nothing, and say whether the shares make the present key.
        #[arg(long)]
        check: bool,
    },
}

impl MasterKey {
    pub(super) fn run(self) -> ExitCode {
        let Self { target, command } = self;
        let as_json = target.json;
        match command {
            Command::Split { shares, needed } if needed > shares => failed(
                format_args!("--needed {needed}: there would be {shares} shares"),
                USAGE,
            ),
            Command::Split { shares, needed } => with(target, |config| {
                let split = shares::split(config, (shares, needed), &SystemEntropy::default())?;
                tell_shares(&split, needed, as_json);
                Ok(())
            }),
            Command::Combine { files, to, check } => with(target, |config| {
                let pile = gather(&files)?;
                let combined = if check {
                    shares::check(config, &pile)?
                } else {
                    shares::combine(config, &pile, to.as_deref())?
                };
                if as_json {
                    print::json(&combined);
                } else {
                    tell(config, &pile, &combined, check);
                }
                Ok(())
            }),
        }
    }
}

fn tell_shares(split: &Split, needed: u8, as_json: bool) {
    let Split { key, shares } = split;
    if as_json {
        let lines: Vec<&String> = shares.iter().map(Secret::expose).collect();
        let all = json!({ "key": key, "needed": needed, "shares": lines });
        return say(format_args!("{all:#}"));
    }
    let count = shares.len();
    for (number, share) in (1..).zip(shares) {
        let share = share.expose();
        say(format_args!(
            "{share}  # share {number} of {count}, {needed} needed"
        ));
    }
    // Beside the shares, which may go to a file or a printer.
    let _ = writeln!(
        io::stderr(),
        r"
These are shares of the master key {key}. Any {needed} of the {count} make it again; fewer tell nothing about it.
Write each on paper and keep them apart, with different people or in different places: whoever has {needed} of them and
a copy of the data can read it all. They are kept nowhere and cannot be shown again; another split makes others, and
these stay good. Try them now, from paper: `admit master-key combine --check`."
    );
}

fn tell(config: &Config, pile: &Pile, combined: &Combined, is_check: bool) {
    let Combined {
        key,
        file,
        written,
        of_store,
    } = combined;
    let (file, data, count) = (file.display(), config.data.display(), pile.has());
    if is_check {
        return say(format_args!(
            "These {count} shares make the master key {key}, the one in {file}. Nothing was written."
        ));
    }
    if *written {
        say(format_args!(
            "The master key {key} is made again, in {file}."
        ));
    } else {
        say(format_args!(
            "{file} holds the master key {key} already. Nothing was written."
        ));
    }
    say(match of_store {
        OfStore::Yes => {
            format!("It is the key of the store in {data}: start the server with it there.")
        }
        OfStore::Untold | OfStore::No => {
            format!("The store in {data} does not tell before a start whether it is its key.")
        }
        OfStore::NoStore => format!(
            "There is no store in {data} to compare it with: put the folder back, or a backup with `admit restore`."
        ),
    });
}

/// Shares from files, from standard input, or typed at a terminal.
fn gather(files: &[PathBuf]) -> Result<Pile, Error> {
    let mut pile = Pile::default();
    if files.is_empty() && io::stdin().is_terminal() {
        ask(&mut pile).map_err(|error| Error::Refused(error.to_string()))?;
        return Ok(pile);
    }
    let mut mistakes = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let read = File::open(file).and_then(read);
        let text = read.map_err(|error| Error::Refused(format!("{name}: {error}")))?;
        add(&mut pile, &name, &text, &mut mistakes);
    }
    if files.is_empty() {
        let name = "standard input";
        let text = read(io::stdin().lock());
        let text = text.map_err(|error| Error::Refused(format!("{name}: {error}")))?;
        add(&mut pile, name, &text, &mut mistakes);
    }
    if mistakes.is_empty() {
        return Ok(pile);
    }
    Err(Error::Refused(mistakes.join("\n")))
}

fn read(from: impl Read) -> io::Result<Secret<String>> {
    io::read_to_string(from.take(SHARES_BYTES)).map(Secret::new)
}

/// More than all shares anybody has.
const SHARES_BYTES: u64 = 64 * 1024;

/// Takes the shares of a text in; every mistake is told, with its place and without what was typed.
fn add(pile: &mut Pile, name: &str, text: &Secret<String>, mistakes: &mut Vec<String>) {
    for (number, line) in (1..).zip(text.expose().lines()) {
        let share = share_in(line);
        if share.is_empty() {
            continue;
        }
        if let Err(why) = pile.add(share) {
            mistakes.push(format!("{name}, line {number}: {why}"));
        }
    }
}

fn share_in(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

/// Asks for one share after the other until there are enough; a mistyped one is asked for again.
fn ask(pile: &mut Pile) -> io::Result<()> {
    let mut terminal = io::stderr();
    while pile.lacks() != Some(0) {
        let lacks = pile.lacks().map(|count| format!(" ({count} to come)"));
        write!(terminal, "Share{}: ", lacks.unwrap_or_default())?;
        let mut line = String::with_capacity(256);
        let length = io::stdin().lock().read_line(&mut line)?;
        let line = Secret::new(line);
        if length == 0 {
            writeln!(terminal)?;
            break;
        }
        let share = share_in(line.expose());
        if share.is_empty() {
            continue;
        }
        let before = pile.has();
        match pile.add(share) {
            Err(why) => writeln!(terminal, "Not taken: {why}.")?,
            Ok(()) if pile.has() == before => writeln!(terminal, "That one is here already.")?,
            Ok(()) => {}
        }
    }
    Ok(())
}
