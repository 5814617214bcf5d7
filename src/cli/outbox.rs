//! `admit outbox`: messages with one-time codes on their way, and those kept for the operator to read (decision 0009).

use std::process::ExitCode;

use clap::Args;

use super::Target;
use crate::domain::admin::AdminCommand;

#[derive(Args)]
pub(super) struct Outbox {
    #[command(flatten)]
    target: Target,
}

impl Outbox {
    pub(super) fn run(self) -> ExitCode {
        self.target.run(&AdminCommand::Outbox)
    }
}
