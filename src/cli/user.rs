//! `admit user`: people with an account.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Target, USAGE, failed, listed, role};
use crate::domain::admin::{AdminCommand, Details, NewUser, Role, UserCommand};

#[derive(Args)]
pub(super) struct User {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Give a person an account. Prints a generated password, this once.
    Create {
        /// The name to sign in with.
        #[arg(value_name = "NAME")]
        user: String,
        #[command(flatten)]
        within: Within,
        #[command(flatten)]
        details: Box<Options>,
        /// The password must be changed at the first sign-in.
        #[arg(long)]
        expired: bool,
    },
    /// The people of an organization.
    List {
        #[command(flatten)]
        within: Within,
    },
    /// One person.
    Show {
        /// Name or id.
        user: String,
        #[command(flatten)]
        within: Within,
    },
    /// Change an account: what is named, and nothing else. The roles given are all it has from then on. An empty value
    /// takes away.
    Update {
        /// Name or id.
        user: String,
        #[command(flatten)]
        within: Within,
        #[command(flatten)]
        details: Box<Options>,
        /// The password must be changed at the next sign-in.
        #[arg(long)]
        expired: bool,
        /// The account cannot be used; all it is signed in with ends.
        #[arg(long, conflicts_with = "enabled")]
        disabled: bool,
        /// The account can be used again.
        #[arg(long)]
        enabled: bool,
    },
    /// Give an account a new password, print it, this once, and end all it is signed in with.
    #[command(visible_alias = "reset-password")]
    Password {
        /// Name or id.
        user: String,
        #[command(flatten)]
        within: Within,
        /// The password must be changed at the next sign-in.
        #[arg(long)]
        expired: bool,
    },
    /// Forget the wrong passwords that were given for an account, so that its owner can sign in again at once.
    Unlock {
        /// Name or id.
        user: String,
        #[command(flatten)]
        within: Within,
    },
    /// Remove an account and end all it is signed in with.
    Delete {
        /// Name or id.
        user: String,
        #[command(flatten)]
        within: Within,
    },
}

#[derive(Args)]
struct Within {
    /// The organization, by name or id [default: the one called default, or the only one].
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
}

const ROLES: &str = "What the person may be: Agent, Supervisor, Admin, ClientService or Service; \
                     may be repeated [a new account's without any: Agent]";

#[derive(Args, Default, PartialEq)]
struct Options {
    #[arg(long = "role", value_name = "ROLE", value_parser = role, help = ROLES)]
    roles: Vec<Option<Role>>,
    /// E-mail address.
    #[arg(long)]
    email: Option<String>,
    /// The whole name.
    #[arg(long)]
    name: Option<String>,
    /// Given name.
    #[arg(long, value_name = "NAME")]
    given_name: Option<String>,
    /// Family name.
    #[arg(long, value_name = "NAME")]
    family_name: Option<String>,
    /// Telephone number.
    #[arg(long)]
    phone: Option<String>,
    /// Postal address.
    #[arg(long)]
    address: Option<String>,
    /// Language, such as en-GB.
    #[arg(long, value_name = "TAG")]
    locale: Option<String>,
}

impl Options {
    fn details(self, expired: bool) -> Details {
        Details {
            display_name: self.name,
            given_name: self.given_name,
            family_name: self.family_name,
            email: self.email,
            phone: self.phone,
            address: self.address,
            locale: self.locale,
            roles: listed(self.roles),
            expired: expired.then_some(true),
            disabled: None,
        }
    }
}

impl User {
    pub(super) fn run(self) -> ExitCode {
        let command = self.command.asked();
        if let UserCommand::Update { details, .. } = &command
            && **details == Details::default()
        {
            return failed("name what to change; see `admit user update --help`", USAGE);
        }
        self.target.run(&AdminCommand::User(command))
    }
}

impl Command {
    fn asked(self) -> UserCommand {
        match self {
            Self::Create {
                user,
                within,
                details,
                expired,
            } => {
                let details = details.details(expired);
                let new = Box::new(NewUser {
                    name: user,
                    details,
                });
                UserCommand::Create {
                    org: within.org,
                    new,
                }
            }
            Self::List { within } => UserCommand::List { org: within.org },
            Self::Show { user, within } => UserCommand::Show {
                org: within.org,
                user,
            },
            Self::Update {
                user,
                within,
                details,
                expired,
                disabled,
                enabled,
            } => {
                let mut details = Box::new(details.details(expired));
                details.disabled = (disabled || enabled).then_some(disabled);
                UserCommand::Update {
                    org: within.org,
                    user,
                    details,
                }
            }
            Self::Password {
                user,
                within,
                expired,
            } => UserCommand::Password {
                org: within.org,
                user,
                expired,
            },
            Self::Unlock { user, within } => UserCommand::Unlock {
                org: within.org,
                user,
            },
            Self::Delete { user, within } => UserCommand::Delete {
                org: within.org,
                user,
            },
        }
    }
}
