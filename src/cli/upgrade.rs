//! `admit upgrade`: this version of the program takes a store over, or only tries to.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::backup::{AnySecret, with};
use super::{Target, USAGE, failed, print, say};
use crate::compose::{Stopped, World};
use crate::kernel::{Clock as _, SystemClock};
use crate::upkeep::{Answer, Error, Order, upgrade};

#[derive(Args)]
pub(super) struct Upgrade {
    #[command(flatten)]
    target: Target,
    /// Try it on a copy, verify every record there, and leave the store as it is.
    #[arg(long)]
    dry_run: bool,
    /// Try it on this backup instead of the store, also while a server runs.
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    from: Option<PathBuf>,
    #[command(flatten)]
    secret: AnySecret,
}

impl Upgrade {
    pub(super) fn run(self) -> ExitCode {
        let Self {
            target,
            dry_run,
            from,
            secret,
        } = self;
        if from.is_none() && secret.is_named() {
            let why = "a passphrase or a key opens a backup, and none is named: add --dry-run --from FILE, or leave it out";
            return failed(why, USAGE);
        }
        let as_json = target.json;
        with(target, |config| {
            let unlock = secret.unlock(config)?;
            let from = from.as_deref().map(|file| (file, &unlock));
            let tried = upgrade::rehearse(config, from, SystemClock.now(), &super::reach::tell)?;
            let change = tried.change.as_deref();
            let mut copy = None;
            if !dry_run {
                // Opening it is all there is to do; the copy from before is kept there.
                let stopped = Stopped::open(config, World::real());
                let stopped = stopped.map_err(|error| Error::Refused(error.to_string()))?;
                match stopped.carry_out(&Order::Status, &super::reach::tell) {
                    Answer::Done(_) | Answer::Progress(_) => {}
                    Answer::Refused(why) | Answer::Broken(why) => return Err(Error::Refused(why)),
                }
                copy = stopped.copy_from_before().map(Path::to_owned);
            }
            if as_json {
                print::json(&tried);
                return Ok(());
            }
            let what = change.unwrap_or("nothing changes: this version had the store last");
            let records = tried.records;
            let data = config.data.display();
            if dry_run {
                say(format_args!(
                    "Tried on a copy: {what}. All {records} records are sound there; the store was left as it is."
                ));
            } else {
                say(format_args!(
                    "Done in {data}: {what}. All {records} records are sound."
                ));
            }
            if let Some(file) = copy {
                say(format_args!(
                    "The way back: `admit restore` of the copy from before, {}.",
                    file.display()
                ));
            }
            Ok(())
        })
    }
}
