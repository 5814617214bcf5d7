//! `admit restore`: a backup becomes an appliance again, and the operator hears what that means.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::backup::{AnySecret, with};
use super::{Target, print, say};
use crate::kernel::{Clock as _, SystemClock};
use crate::upkeep::restore::{self, Restored};

#[derive(Args)]
pub(super) struct Restore {
    #[command(flatten)]
    target: Target,
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    secret: AnySecret,
    /// Where to write the master key the backup carries, when not where the configuration has it.
    #[arg(long, value_name = "FILE")]
    master_key_to: Option<PathBuf>,
    /// The data folder the backup takes the place of: says whose passwords and secrets went back.
    #[arg(long, value_name = "DIR")]
    compare: Option<PathBuf>,
}

impl Restore {
    pub(super) fn run(self) -> ExitCode {
        let Self {
            target,
            file,
            secret,
            master_key_to,
            compare,
        } = self;
        let as_json = target.json;
        with(target, |config| {
            let restored = restore::Restore {
                config,
                file: &file,
                unlock: &secret.unlock(config)?,
                master_key_to: master_key_to.as_deref(),
                compare: compare.as_deref(),
                now: SystemClock.now(),
            };
            let restored = restored.run(&super::reach::tell)?;
            if as_json {
                print::json(&restored);
            } else {
                tell(&restored);
            }
            Ok(())
        })
    }
}

fn tell(restored: &Restored) {
    let Restored {
        data,
        made_at,
        records,
        ..
    } = restored;
    say(format_args!(
        "{} is restored: {records} records as they were at {made_at}.",
        data.display()
    ));
    if let Some(path) = &restored.master_key {
        say(format_args!("The master key is in {}.", path.display()));
    }
    say(format_args!(
        r"
When it is started next:
  - every ticket, code, session, one-time code and token from before is dead, so that nothing that was used comes back to
    life: issue new ones, and have people sign in again
  - what was changed after {made_at} is lost: whoever was removed, disabled or had a password or secret changed since
    is as they were then"
    ));
    match (&restored.went_back, &restored.not_compared) {
        (Some(all), _) if all.is_empty() => {
            say("No client and no person has another secret or password than it had last.");
        }
        (Some(all), _) => {
            say("These are not as they were in the folder you compare with; see to each:");
            print::table(&["kind", "id", "name", "what"], all);
        }
        (None, Some(why)) => say(format_args!(
            "What went back could not be found out ({why}): look through `admit client list` and `admit user list`."
        )),
        (None, None) => {
            say(
                "Look through `admit client list` and `admit user list` and change what was changed since.",
            );
        }
    }
}
