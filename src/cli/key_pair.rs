//! `admit key-pair`: customers' stored key pairs. The keys that sign tokens are `admit signing-key`.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Target, USAGE, app, failed};
use crate::domain::admin::{AdminCommand, Hidden, KeyPairCommand};
use crate::kernel::KeyId;

#[derive(Args)]
pub(super) struct KeyPair {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key pair of 4096 bits, or bring one in, and print its public half.
    Create {
        /// The organization, by name or id [default: the one called default, or the only one].
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
        /// What it is for; it stands at the end of the public half.
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
        /// Bring this private key in instead, or - for standard input: RSA in OpenSSH's form, PKCS#8 or PKCS#1, without
        /// a passphrase.
        #[arg(long, value_name = "FILE")]
        private: Option<String>,
    },
    /// The key pairs of an organization.
    List {
        /// The organization, by name or id [default: the one called default, or the only one].
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
    },
    /// One key pair without its private half, which internal services alone are given.
    Show {
        /// Its id.
        #[arg(value_parser = key)]
        key: KeyId,
    },
    /// Remove a key pair for good, its private half with it.
    Delete {
        /// Its id.
        #[arg(value_parser = key)]
        key: KeyId,
    },
}

impl KeyPair {
    pub(super) fn run(self) -> ExitCode {
        let command = match self.command {
            Command::Create {
                org,
                comment,
                private,
            } => match private.as_deref().map(app::read).transpose() {
                Ok(private) => KeyPairCommand::Create {
                    org,
                    private: private.map(Hidden),
                    comment,
                },
                Err(why) => return failed(why, USAGE),
            },
            Command::List { org } => KeyPairCommand::List { org },
            Command::Show { key: id } => KeyPairCommand::Show { id },
            Command::Delete { key: id } => KeyPairCommand::Delete { id },
        };
        self.target.run(&AdminCommand::KeyPair(command))
    }
}

fn key(text: &str) -> Result<KeyId, String> {
    let id = text.parse();
    id.map_err(|_| "a key's id is 1 to 128 letters, digits and . _ - @".to_owned())
}
