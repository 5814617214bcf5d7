//! Tickets of a whole organization, with their ids: for whoever holds the machine. That they were listed is on the record,
//! because ids are bearer secrets.

use std::collections::BTreeMap;

use super::{Error, Standing, Ticket, digest, records};
use crate::domain::access::{Action, Caller, rules};
use crate::domain::audit::{self, Event};
use crate::domain::{Cx, organizations};
use crate::kernel::{Fault, TicketId, id};
use crate::store::Verdict;

/// Which tickets of the caller's organization are asked for.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Only those that come after this one.
    pub after: Option<TicketId>,
    /// Only those that stand so.
    pub standing: Option<Standing>,
    /// How many at most.
    pub limit: usize,
}

/// Some tickets, and where the next ones begin.
pub struct Page {
    /// The tickets, in an order of their own that never changes.
    pub tickets: Vec<Ticket>,
    /// The last of them, if there may be more.
    pub next: Option<TicketId>,
}

/// The tickets that are asked for.
pub fn list(cx: &Cx<'_>, caller: &Caller, asked: &Listing) -> Result<Page, Error> {
    rules::may(caller, Action::ReadTicket)?;
    let organization = caller.organization();
    cx.write(|tx| {
        let event = Event {
            action: "tickets.listed",
            by: &caller.subject().sub(),
            to: organization.as_str(),
            organization: Some(organization),
        };
        audit::record(tx, cx, &event)?;
        Ok(Verdict::<_, Fault>::Commit(()))
    })?;
    let mut tickets: Vec<Ticket> = Vec::new();
    let mut after = asked.after.as_ref().map(|id| digest(cx, id));
    loop {
        let run = records::run(cx, organization, after, RUN)?;
        let is_last = run.len() < RUN;
        for (digest, ticket) in run {
            after = Some(digest);
            let Some(ticket) = ticket.filter(|ticket| is_asked(cx, asked, ticket)) else {
                continue;
            };
            tickets.push(ticket);
            if tickets.len() == asked.limit {
                let next = tickets.last().map(|ticket| ticket.id.clone());
                return Ok(Page { tickets, next });
            }
        }
        if is_last {
            return Ok(Page {
                tickets,
                next: None,
            });
        }
    }
}

fn is_asked(cx: &Cx<'_>, asked: &Listing, ticket: &Ticket) -> bool {
    let standing = ticket.facts.standing(cx.now, &cx.policy().tickets);
    asked.standing.is_none_or(|wanted| wanted == standing)
}

/// How many tickets of each length can be used now.
#[derive(Debug, Default)]
pub(in crate::domain) struct Alive {
    pub(in crate::domain) by_length: BTreeMap<usize, u64>,
    /// How many were looked at; the others, if there are more, are in the same proportion.
    pub(in crate::domain) looked_at: u64,
}

/// Counts tickets that can be used, of each organization up to `most`. They are looked at in the order of their digests,
/// so that those that are not are no different.
pub(in crate::domain) fn alive(cx: &Cx<'_>, most: usize) -> Result<Alive, Fault> {
    let mut alive = Alive::default();
    for organization in organizations::all(&cx.view())? {
        let mut after = None;
        let mut left = most;
        while left > 0 {
            let run = records::run(cx, &organization.id, after, RUN.min(left))?;
            if run.is_empty() {
                break;
            }
            left = left.saturating_sub(run.len());
            for (digest, ticket) in run {
                after = Some(digest);
                alive.looked_at += 1;
                let Some(ticket) = ticket else { continue };
                let standing = ticket.facts.standing(cx.now, &cx.policy().tickets);
                if standing == Standing::Usable {
                    *alive.by_length.entry(ticket.id.length()).or_default() += 1;
                }
            }
        }
    }
    Ok(alive)
}

/// Of short tickets that can be used: how many ids such a ticket could have, and how many there are.
#[expect(clippy::cast_precision_loss, reason = "figures for an estimate")]
pub(in crate::domain) fn guessable(alive: &Alive) -> impl Iterator<Item = (f64, f64)> {
    let short = alive.by_length.iter();
    let short = short.filter(|(length, _)| id::is_short(**length));
    short.map(|(length, count)| (id::possible(*length), *count as f64))
}

/// Tickets in memory at once.
const RUN: usize = 1_000;
