//! Tickets, for the operator: the same operations as their organization's agents have, and a list with their ids.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::command::{AdminReply, Error, called, gone};
use crate::domain::Cx;
use crate::domain::access::Caller;
use crate::domain::tickets::{self, Kind, Listing, Standing, Ticket};
use crate::kernel::{Properties, TicketId, Timestamp};

/// What can be asked about tickets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum TicketCommand {
    /// Make one.
    Create {
        /// In which organization.
        org: Option<String>,
        /// What it shall be.
        new: Box<NewTicket>,
    },
    /// Those of an organization.
    List {
        /// In which organization.
        org: Option<String>,
        /// Only those that come after this one.
        after: Option<TicketId>,
        /// Only those that stand so.
        standing: Option<Standing>,
        /// How many at most.
        limit: usize,
    },
    /// One of them.
    Show {
        /// Its id.
        id: TicketId,
    },
    /// Revoke one for good.
    Revoke {
        /// Its id.
        id: TicketId,
    },
    /// Disable one until it is enabled.
    Disable {
        /// Its id.
        id: TicketId,
    },
    /// Enable one again.
    Enable {
        /// Its id.
        id: TicketId,
    },
    /// Remove one.
    Delete {
        /// Its id.
        id: TicketId,
    },
}

/// What a new ticket shall be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewTicket {
    /// Its kind.
    pub kind: Kind,
    /// What is said about it.
    pub properties: Map<String, Value>,
    /// How many letters and digits its id shall have.
    pub length: Option<i64>,
    /// How many seconds it shall live.
    pub ttl: Option<i64>,
}

/// A ticket. Nothing prints its id by accident.
#[derive(Clone, Serialize, Deserialize)]
pub struct TicketView {
    /// Its identifier: whoever has it is let in.
    pub ticket_id: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The organization it belongs to.
    pub organization_id: String,
    /// Whether it can be used: `usable`, `too early`, `disabled`, `revoked`, `expired` or `used`.
    pub standing: String,
    /// The address customers follow.
    pub url: String,
    /// The user id its bearer gets.
    pub user_id: String,
    /// What its creator said about it.
    pub properties: Map<String, Value>,
    /// When it was created.
    pub created_at: String,
    /// When it stops being usable.
    pub expires_at: String,
    /// When its one use was spent, if it was.
    pub used_at: Option<String>,
    /// Since when it is disabled, if it is.
    pub disabled_at: Option<String>,
    /// Since when it is revoked, if it is.
    pub revoked_at: Option<String>,
}

/// Some tickets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TicketPage {
    /// The tickets.
    pub tickets: Vec<TicketView>,
    /// The id to ask for more with, if there may be more.
    pub next: Option<String>,
}

impl fmt::Debug for TicketView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketView({}, {})", self.user_id, self.standing)
    }
}

/// How many tickets one answer holds at most.
pub const LIMIT_MAX: usize = 10_000;

/// Carries a command about tickets out.
pub(super) fn execute(cx: &Cx<'_>, command: TicketCommand) -> Result<AdminReply, Error> {
    let anywhere = Caller::operator(None)?;
    match command {
        TicketCommand::Create { org, new } => create(cx, org.as_deref(), *new),
        TicketCommand::List {
            org,
            after,
            standing,
            limit,
        } => {
            let caller = Caller::operator(Some(&called(cx, org.as_deref())?.id))?;
            let limit = limit.clamp(1, LIMIT_MAX);
            let asked = Listing {
                after,
                standing,
                limit,
            };
            let page = tickets::list(cx, &caller, &asked)?;
            Ok(AdminReply::Tickets(TicketPage {
                tickets: page.tickets.iter().map(|one| view(cx, one)).collect(),
                next: page.next.map(String::from),
            }))
        }
        TicketCommand::Show { id } => now(cx, &anywhere, &id),
        TicketCommand::Revoke { id } => {
            tickets::revoke(cx, &anywhere, &id)?;
            now(cx, &anywhere, &id)
        }
        TicketCommand::Disable { id } => {
            tickets::disable(cx, &anywhere, &id)?;
            now(cx, &anywhere, &id)
        }
        TicketCommand::Enable { id } => {
            tickets::enable(cx, &anywhere, &id)?;
            now(cx, &anywhere, &id)
        }
        TicketCommand::Delete { id } => {
            tickets::delete(cx, &anywhere, &id)?;
            Ok(gone("ticket", id.as_str()))
        }
    }
}

fn create(cx: &Cx<'_>, org: Option<&str>, new: NewTicket) -> Result<AdminReply, Error> {
    let caller = Caller::operator(Some(&called(cx, org)?.id))?;
    let properties = Properties::new(new.properties).map_err(tickets::Error::from)?;
    let new = tickets::NewTicket {
        kind: new.kind,
        organization: None,
        properties,
        length: new.length,
        ttl: new.ttl,
        disabled: false,
    };
    let ticket = tickets::issue(cx, &caller, new)?;
    Ok(AdminReply::Ticket(Box::new(view(cx, &ticket))))
}

/// The ticket as it is once what was just done to it is on the disk.
fn now(cx: &Cx<'_>, caller: &Caller, id: &TicketId) -> Result<AdminReply, Error> {
    cx.appliance.store().durable(cx.awaited()).wait()?;
    let ticket = tickets::read(cx, caller, id)?;
    Ok(AdminReply::Ticket(Box::new(view(cx, &ticket))))
}

fn view(cx: &Cx<'_>, ticket: &Ticket) -> TicketView {
    let facts = &ticket.facts;
    let standing = facts.standing(cx.now, &cx.policy().tickets);
    let at = |instant: Option<Timestamp>| instant.as_ref().map(Timestamp::to_string);
    TicketView {
        ticket_id: ticket.id.to_string(),
        kind: facts.kind.name().to_owned(),
        organization_id: facts.organization.to_string(),
        standing: standing.word().to_owned(),
        url: format!("{}/t/{}", cx.appliance.base(), ticket.id),
        user_id: facts.user.to_string(),
        properties: facts.properties.members().clone(),
        created_at: facts.created_at.to_string(),
        expires_at: facts.expires_at.to_string(),
        used_at: at(facts.used),
        disabled_at: at(facts.disabled),
        revoked_at: at(facts.revoked),
    }
}
