//! `admit store`: the store itself, for whoever wants to know whether it is well.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use super::backup::OwnSecret;
use super::{BROKEN, Place, REFUSED, Target, failed, say, settled, with_config};
use crate::compose::{World, accept_older};
use crate::config::Config;
use crate::upkeep::backup::Salvaged;
use crate::upkeep::storage::{self, Examined, Stats};
use crate::upkeep::{Order, Report};

#[derive(Args)]
pub(super) struct Store {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Verify every record and every count, and name the table and the key of everything that is damaged (exit code 3).
    /// A stopped store is looked at also when no server would start on it.
    Check,
    /// How many records and bytes each table has, how large the files are, and how much room is left.
    Stats,
    /// Write the store anew without what it no longer uses. The server must be stopped; a damaged store stays as it is.
    Compact,
    /// Make a backup of everything that can still be read of a damaged store, and name what is missing in it.
    Export {
        /// The file to make; it must not be there.
        file: PathBuf,
        #[command(flatten)]
        secret: OwnSecret,
    },
    /// Go on with a stopped store that is refused because a newer one, or its end, is missing. Every ticket, session and
    /// token from before ends.
    Accept {
        /// End everything from before although the store opens as it is: an older copy was put back unnoticed.
        #[arg(long)]
        anyway: bool,
    },
    /// Remove what has expired, although the machine's clock leapt ahead by more than a day: the clock is right.
    Sweep,
}

impl Store {
    pub(super) fn run(self) -> ExitCode {
        let order = match self.command {
            Command::Check => storage::Order::Check,
            Command::Stats => storage::Order::Stats,
            Command::Compact => storage::Order::Compact,
            Command::Export { file, secret } => match secret.padlock() {
                Ok(padlock) => {
                    // The server has another folder than whoever asks.
                    let file = std::path::absolute(&file).unwrap_or(file);
                    storage::Order::Export { file, padlock }
                }
                Err(error) => return settled(error),
            },
            Command::Sweep => storage::Order::Sweep,
            Command::Accept { anyway } => return accept(self.target, anyway),
        };
        let as_json = self.target.json;
        self.target.order(&Order::Store(order), |report| {
            let Report::Store(report) = report else {
                return ExitCode::from(BROKEN);
            };
            if as_json {
                say(format_args!("{:#}", value(report)));
            } else {
                print(report);
            }
            if let storage::Report::Checked(found) = report
                && !found.damage.is_empty()
            {
                return ExitCode::from(BROKEN);
            }
            ExitCode::SUCCESS
        })
    }
}

/// No order to a server: there is none while a store is refused.
fn accept(target: Target, anyway: bool) -> ExitCode {
    let place = Place {
        config: target.config,
        data: target.data,
        listen: None,
    };
    with_config(&place, |config| accepted(config, anyway))
}

fn accepted(config: &Config, anyway: bool) -> ExitCode {
    match accept_older(config, &World::real(), anyway) {
        Ok(true) => {
            say("The store is accepted as it is. Start the server.");
            ExitCode::SUCCESS
        }
        Ok(false) => failed(
            "the store opens as it is, so there was nothing to accept. If an older copy was put back unnoticed, add --anyway: \
             every ticket, session and token from before ends then",
            REFUSED,
        ),
        Err(error) if error.is_refusal() || error.is_in_use() => failed(error, REFUSED),
        Err(error) => failed(error, BROKEN),
    }
}

fn value(report: &storage::Report) -> Value {
    match report {
        storage::Report::Checked(examined) => of(examined),
        storage::Report::Stats(stats) => of(stats),
        storage::Report::Compacted { before, after } => {
            json!({ "bytes_before": before, "bytes_after": after })
        }
        storage::Report::Exported(salvaged) => of(salvaged),
        storage::Report::Released => json!({ "released": true }),
    }
}

fn of(what: &impl Serialize) -> Value {
    serde_json::to_value(what).unwrap_or_default()
}

fn print(report: &storage::Report) {
    match report {
        storage::Report::Checked(examined) => checked(examined),
        storage::Report::Stats(stats) => measured(stats),
        storage::Report::Compacted { before, after } => say(format_args!(
            "The store took {} and takes {}.",
            size(*before),
            size(*after)
        )),
        storage::Report::Exported(salvaged) => exported(salvaged),
        storage::Report::Released => say("What has expired is removed within a minute."),
    }
}

fn exported(salvaged: &Salvaged) {
    let Salvaged { made, left_out } = salvaged;
    for one in left_out {
        say(format_args!("LEFT OUT: {one}"));
    }
    say(format_args!(
        "{}: {} records, locked with {}. `admit restore` makes a store of it.",
        made.file.display(),
        made.records,
        made.locked_with
    ));
}

fn checked(examined: &Examined) {
    if examined.damage.is_empty() {
        return say(format_args!(
            "{} records in {} tables: each is as it was written, and none is missing.",
            examined.records(),
            examined.tables.len()
        ));
    }
    for damage in &examined.damage {
        say(format_args!("DAMAGED: {damage}"));
    }
    if examined.more > 0 {
        say(format_args!("and {} more", examined.more));
    }
    say(
        "The store is damaged. Stop the server, keep a copy of the data folder, and restore the latest backup.",
    );
}

fn measured(stats: &Stats) {
    let tables = stats.examined.tables.iter();
    let width = tables.clone().map(|found| found.table.len()).max();
    let width = width.unwrap_or_default().max(5);
    say(format_args!(
        "{:width$}  {:>10}  {:>10}",
        "table", "records", "size"
    ));
    for found in tables {
        let (name, records, bytes) = (&found.table, found.records, size(found.bytes));
        say(format_args!("{name:width$}  {records:>10}  {bytes:>10}"));
    }
    say("");
    for file in &stats.files {
        say(format_args!("{:>10}  {}", size(file.bytes), file.file));
    }
    say(format_args!(
        "{:>10}  free on the disk, and {} files",
        size(stats.free_bytes),
        stats.free_files
    ));
}

fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.iter().find(|(_, unit)| bytes >= *unit);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(name, unit)| {
            let tenths = u128::from(bytes) * 10 / u128::from(*unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        },
    )
}
