//! `admit status`: how the appliance is, at a glance.

use std::process::ExitCode;

use clap::Args;

use super::{BROKEN, Target, egress, print, say};
use crate::upkeep::{Order, Report};

#[derive(Args)]
pub(super) struct Status {
    #[command(flatten)]
    target: Target,
    /// Who was asked outside since the server started, and what came of it.
    #[arg(long)]
    egress: bool,
}

impl Status {
    pub(super) fn run(self) -> ExitCode {
        if self.egress {
            return egress::show(self.target);
        }
        let as_json = self.target.json;
        self.target.order(&Order::Status, |report| {
            let Report::Status(status) = report else {
                return ExitCode::from(BROKEN);
            };
            let mut facts = print::of(status);
            if as_json {
                say(format_args!("{facts:#}"));
                return ExitCode::SUCCESS;
            }
            say(match &status.serving_since {
                Some(since) => format!("Admit {} serves since {since}.", status.version),
                None => format!("Admit {}: no server runs.", status.version),
            });
            for (name, bytes) in [
                ("free_space", status.free_bytes),
                ("memory", status.memory_bytes),
            ] {
                let mib = bytes.map(|bytes| format!("{} MiB", bytes / MIB));
                if let Some(facts) = facts.as_object_mut() {
                    facts.insert(name.to_owned(), mib.into());
                }
            }
            print::lines(&facts, &NAMES);
            ExitCode::SUCCESS
        })
    }
}

const MIB: u64 = 1024 * 1024;

/// What people are shown, in this order.
const NAMES: [&str; 19] = [
    "listen",
    "address",
    "issuer",
    "data",
    "takes_writes",
    "trouble",
    "organizations",
    "users",
    "clients",
    "applications",
    "tickets",
    "key_pairs",
    "messages_waiting",
    "latest_backup",
    "epoch_since",
    "certificate_ends",
    "free_space",
    "memory",
    "clock_behind_seconds",
];
