//! `admit app`: applications, which tie an organization to its contact-centre platform.

use std::fs;
use std::io::{self, Read as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::{Target, USAGE, failed};
use crate::domain::admin::{AdminCommand, AppCommand, AppKind, End, Hidden, NewApp};
use crate::kernel::ApplicationId;

#[derive(Args)]
pub(super) struct App {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make an application.
    Create {
        /// The organization, by name or id [default: the one called default, or the only one].
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
        /// The id it shall have [default: a generated one].
        #[arg(long, value_parser = application)]
        id: Option<ApplicationId>,
        #[arg(long = "type", value_name = "TYPE", value_parser = kind, help = TYPES)]
        kind: AppKind,
        #[command(flatten)]
        options: Options,
    },
    /// The applications of an organization, also those that are hidden or have ended.
    List {
        /// The organization, by name or id [default: the one called default, or the only one].
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
    },
    /// One application. Of its service parameters only the names are shown.
    Show {
        /// Its id.
        #[arg(value_parser = application)]
        app: ApplicationId,
    },
    /// Change an application: what is named, and nothing else.
    Update {
        /// Its id.
        #[arg(value_parser = application)]
        app: ApplicationId,
        #[command(flatten)]
        options: Options,
        /// Listings show it again.
        #[arg(long, conflicts_with = "hidden")]
        visible: bool,
    },
    /// Remove an application.
    Delete {
        /// Its id.
        #[arg(value_parser = application)]
        app: ApplicationId,
    },
}

const TYPES: &str = "What it is: GENESYS, STANDALONE_OPENID, TALKDESK_OPENID, NICE_CXONE_OPENID, TEST or SETUP_TEST";
const SETTINGS: &str = "A file with its whole configuration as a JSON object, or - for standard input. In an \
                        update, serviceParameters that are not in it stay, and null takes them away";

#[derive(Args)]
struct Options {
    #[arg(long, value_name = "FILE", help = SETTINGS)]
    settings: Option<String>,
    /// Listings do not show it.
    #[arg(long)]
    hidden: bool,
    /// When it ends, such as 2027-01-31T00:00:00Z, or never.
    #[arg(long, value_name = "INSTANT", value_parser = end)]
    expires: Option<End>,
}

impl App {
    pub(super) fn run(self) -> ExitCode {
        match self.command.asked() {
            Ok(command) => self.target.run(&AdminCommand::App(command)),
            Err(why) => failed(why, USAGE),
        }
    }
}

impl Command {
    fn asked(self) -> Result<AppCommand, String> {
        Ok(match self {
            Self::Create {
                org,
                id,
                kind,
                options,
            } => AppCommand::Create {
                org,
                new: Box::new(NewApp {
                    id,
                    kind,
                    settings: Hidden(options.settings()?.unwrap_or_default()),
                    visible: !options.hidden,
                    expires_at: match options.expires {
                        Some(End::At(end)) => Some(end),
                        Some(End::Never | End::Kept) | None => None,
                    },
                }),
            },
            Self::List { org } => AppCommand::List { org },
            Self::Show { app: id } => AppCommand::Show { id },
            Self::Update {
                app: id,
                options,
                visible,
            } => {
                let shows = (visible || options.hidden).then_some(visible);
                let settings = options.settings()?.map(Hidden);
                if settings.is_none() && shows.is_none() && options.expires.is_none() {
                    return Err("name what to change; see `admit app update --help`".into());
                }
                AppCommand::Update {
                    id,
                    settings,
                    visible: shows,
                    end: options.expires.unwrap_or(End::Kept),
                }
            }
            Self::Delete { app: id } => AppCommand::Delete { id },
        })
    }
}

impl Options {
    fn settings(&self) -> Result<Option<Map<String, Value>>, String> {
        let Some(path) = &self.settings else {
            return Ok(None);
        };
        let text = read(path)?;
        match serde_json::from_str(&text) {
            Ok(Value::Object(members)) => Ok(Some(members)),
            Ok(_) => Err(format!("{path}: the settings must be one JSON object")),
            Err(error) => Err(format!("{path}: {error}")),
        }
    }
}

/// The text of a file, or of standard input where it is called `-`.
pub(super) fn read(path: &str) -> Result<String, String> {
    let read = if path == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|error| format!("{path}: {error}"))
}

fn application(text: &str) -> Result<ApplicationId, String> {
    let id = text.parse();
    id.map_err(|_| "an application's id is 1 to 128 letters, digits and . _ - @".to_owned())
}

fn kind(word: &str) -> Result<AppKind, String> {
    AppKind::named(word).ok_or_else(|| {
        "types are GENESYS, STANDALONE_OPENID, TALKDESK_OPENID, NICE_CXONE_OPENID, TEST and SETUP_TEST".to_owned()
    })
}

fn end(text: &str) -> Result<End, String> {
    if text == "never" {
        return Ok(End::Never);
    }
    let instant = text.parse().map(End::At);
    instant.map_err(|error| format!("an instant {error}"))
}
