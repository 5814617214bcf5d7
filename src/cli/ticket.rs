//! `admit ticket`: tickets of any organization.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::Target;
use crate::domain::admin::{AdminCommand, NewTicket, Standing, TicketCommand, TicketKind};
use crate::kernel::TicketId;

#[derive(Args)]
pub(super) struct Ticket {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a ticket and print it with the address to give to the customer.
    Create(Create),
    /// The tickets of an organization with their ids, which let people in: the list is on the record.
    List {
        /// The organization, by name or id [default: the one called default, or the only one].
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
        /// Only those that stand so: usable, too-early, disabled, revoked, expired or used.
        #[arg(long, value_parser = standing)]
        standing: Option<Standing>,
        /// How many at most, up to 10000.
        #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
        limit: usize,
        /// Go on after this one, the last that was listed.
        #[arg(long, value_name = "TICKET", value_parser = ticket)]
        after: Option<TicketId>,
    },
    /// One ticket.
    Show {
        /// Its id.
        #[arg(value_parser = ticket)]
        ticket: TicketId,
    },
    /// Revoke a ticket for good, and end what came of it.
    Revoke {
        /// Its id.
        #[arg(value_parser = ticket)]
        ticket: TicketId,
    },
    /// Disable a ticket until it is enabled, and end what came of it.
    Disable {
        /// Its id.
        #[arg(value_parser = ticket)]
        ticket: TicketId,
    },
    /// Enable a disabled ticket again. A revoked one stays revoked.
    Enable {
        /// Its id.
        #[arg(value_parser = ticket)]
        ticket: TicketId,
    },
    /// Remove a ticket, and end what came of it. Its id is never given out again.
    Delete {
        /// Its id.
        #[arg(value_parser = ticket)]
        ticket: TicketId,
    },
}

const PROPERTIES: &str = "Something to say about it, such as title=Hello or scheduled_date=2027-01-31T10:00:00Z; may be \
                          repeated. A value that is JSON is taken as JSON, any other as text";

#[derive(Args)]
struct Create {
    /// The organization, by name or id [default: the one called default, or the only one].
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// What it is: single-use, multi-use, schedule, single-use-schedule, appointments-schedule,
    /// single-use-appointments-schedule, or any of them with genesys- before it that the contract has.
    #[arg(long = "type", value_name = "TYPE", default_value = "single-use", value_parser = kind)]
    kind: TicketKind,
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property, help = PROPERTIES)]
    properties: Vec<(String, Value)>,
    /// How many letters and digits its id has, from 6 to 32 [default: 9].
    #[arg(long, value_name = "NUMBER")]
    length: Option<i64>,
    /// How long it can be used [default: `tickets.default_ttl_seconds`].
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<i64>,
}

impl Ticket {
    pub(super) fn run(self) -> ExitCode {
        let command = match self.command {
            Command::Create(new) => new.asked(),
            Command::List {
                org,
                standing,
                limit,
                after,
            } => TicketCommand::List {
                org,
                after,
                standing,
                limit,
            },
            Command::Show { ticket: id } => TicketCommand::Show { id },
            Command::Revoke { ticket: id } => TicketCommand::Revoke { id },
            Command::Disable { ticket: id } => TicketCommand::Disable { id },
            Command::Enable { ticket: id } => TicketCommand::Enable { id },
            Command::Delete { ticket: id } => TicketCommand::Delete { id },
        };
        self.target.run(&AdminCommand::Ticket(command))
    }
}

impl Create {
    fn asked(self) -> TicketCommand {
        let new = NewTicket {
            kind: self.kind,
            properties: self.properties.into_iter().collect::<Map<_, _>>(),
            length: self.length,
            ttl: self.ttl,
        };
        TicketCommand::Create {
            org: self.org,
            new: Box::new(new),
        }
    }
}

fn ticket(text: &str) -> Result<TicketId, String> {
    let id = text.parse();
    id.map_err(|_| "a ticket is letters and digits in groups of three, such as abc-def-ghi".into())
}

/// The published name, or the same as one writes it on a command line.
fn kind(word: &str) -> Result<TicketKind, String> {
    let published = format!("{}_TICKET", word.replace('-', "_").to_ascii_uppercase());
    let found = TicketKind::from_name(word).or_else(|| TicketKind::from_name(&published));
    found.ok_or_else(|| {
        "types are single-use, multi-use, schedule, single-use-schedule, appointments-schedule, \
         single-use-appointments-schedule, genesys-single-use, genesys-multi-use and genesys-schedule"
            .to_owned()
    })
}

fn standing(word: &str) -> Result<Standing, String> {
    let known = [
        Standing::Usable,
        Standing::TooEarly,
        Standing::Disabled,
        Standing::Revoked,
        Standing::Expired,
        Standing::Used,
    ];
    let found = known
        .into_iter()
        .find(|one| one.word().replace(' ', "-") == word);
    found.ok_or_else(|| {
        "a ticket is usable, too-early, disabled, revoked, expired or used".to_owned()
    })
}

fn property(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("write NAME=VALUE, such as title=Hello")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}
