//! `admit signing-key`: the keys our tokens are signed with (decision 0018).

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Target, algorithm};
use crate::domain::admin::{AdminCommand, Algorithm, SigningKeyCommand};

#[derive(Args)]
pub(super) struct SigningKey {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every signing key: current ones sign, next ones will, retired ones are believed until they go.
    List,
    /// Have the next key take over and print it. Tokens signed before stay good.
    Rotate {
        /// EdDSA or RS256 [default: both].
        #[arg(long, value_name = "ALG", value_parser = algorithm)]
        algorithm: Option<Algorithm>,
        /// Do not wait until everyone can have seen the next key: whoever keeps an older key set refuses its tokens
        /// until it is fetched again.
        #[arg(long)]
        now: bool,
    },
    /// Remove a key that others may know, at once: every token it signed is refused from the next request on. In
    /// place of one that signs, the next one does. Refresh tokens stay good.
    #[command(visible_alias = "retire")]
    Remove {
        /// Its name, as the list shows it.
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
}

impl SigningKey {
    pub(super) fn run(self) -> ExitCode {
        let command = match self.command {
            Command::List => SigningKeyCommand::List,
            Command::Rotate { algorithm, now } => SigningKeyCommand::Rotate { algorithm, now },
            Command::Remove { kid } => SigningKeyCommand::Remove { kid },
        };
        self.target.run(&AdminCommand::SigningKey(command))
    }
}
