//! `admit org`: organizations.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Target;
use crate::domain::admin::{AdminCommand, OrgCommand};

#[derive(Args)]
pub(super) struct Org {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Found an organization.
    Create {
        /// What people call it.
        name: String,
    },
    /// All organizations.
    List,
    /// One organization.
    Show {
        /// Its name or id.
        org: String,
    },
    /// Call an organization something else.
    Update {
        /// Its name or id.
        org: String,
        /// The new name.
        #[arg(long)]
        name: String,
    },
    /// Remove an organization that nothing belongs to any more.
    Delete {
        /// Its name or id.
        org: String,
    },
}

impl Org {
    pub(super) fn run(self) -> ExitCode {
        let command = match self.command {
            Command::Create { name } => OrgCommand::Create { name },
            Command::List => OrgCommand::List,
            Command::Show { org } => OrgCommand::Show { org },
            Command::Update { org, name } => OrgCommand::Update { org, name },
            Command::Delete { org } => OrgCommand::Delete { org },
        };
        self.target.run(&AdminCommand::Org(command))
    }
}
