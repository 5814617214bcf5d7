//! Creating a ticket.

use std::time::Duration;

use super::{Error, Facts, Kind, NewTicket, SCHEDULED_DATE, Ticket, digest, records};
use crate::domain::Cx;
use crate::domain::access::{Action, Caller, rules};
use crate::domain::audit::{self, Event};
use crate::domain::organizations;
use crate::kernel::id::{TICKET_LENGTH_MAX, TICKET_LENGTH_MIN};
use crate::kernel::{Digest, Fault, OrgId, Properties, TicketId, Timestamp, UserId};
use crate::store::{Tx, Verdict};

/// Creates a ticket and returns it with the only sight of its id.
pub fn issue(cx: &Cx<'_>, caller: &Caller, new: NewTicket) -> Result<Ticket, Error> {
    rules::may(caller, Action::IssueTicket)?;
    let organization = rules::organization(caller, new.organization.as_ref())?.clone();
    let draft = draft(cx, new, organization)?;
    let by = caller.subject().sub();
    cx.write(|tx| {
        let chosen = match choose(tx, &draft)? {
            Ok(chosen) => chosen,
            Err(error) => return Ok(Verdict::Discard(error)),
        };
        keep(tx, cx, &by, &chosen)?;
        Ok(Verdict::Commit(chosen.ticket))
    })
}

/// A ticket in the making: everything but which of several ids it gets.
pub(in crate::domain) struct Draft {
    organization: OrgId,
    candidates: Vec<Chosen>,
}

/// A ticket with an id that is free.
#[derive(Clone)]
pub(in crate::domain) struct Chosen {
    pub(in crate::domain) ticket: Ticket,
    digest: Digest,
    sealed_id: Vec<u8>,
    kept_until: Timestamp,
}

/// Draws what a transaction may not draw.
pub(in crate::domain) fn draft(
    cx: &Cx<'_>,
    new: NewTicket,
    organization: OrgId,
) -> Result<Draft, Error> {
    let length = length(new.length)?;
    let facts = facts(cx, new, organization.clone())?;
    let kept_for = cx.policy().tickets.kept_after_expiry;
    let mut candidates = Vec::with_capacity(CANDIDATES);
    for _ in 0..CANDIDATES {
        let id = TicketId::draw(cx.entropy(), length);
        let digest = digest(cx, &id);
        let facts = facts.clone();
        let kept_until = facts.expires_at.after(kept_for);
        let ticket = Ticket { id, facts };
        candidates.push(Chosen {
            sealed_id: records::sealed_id(cx, &ticket, digest)?,
            ticket,
            digest,
            kept_until,
        });
    }
    Ok(Draft {
        organization,
        candidates,
    })
}

/// The first id that never was a ticket's.
pub(in crate::domain) fn choose(
    tx: &Tx<'_>,
    draft: &Draft,
) -> Result<Result<Chosen, Error>, Fault> {
    let Draft {
        organization,
        candidates,
    } = draft;
    if !organizations::exists(tx, organization)? {
        let none = "organizationId names no organization";
        return Ok(Err(Error::Invalid(none.into())));
    }
    for candidate in candidates {
        if !records::was_ever(tx, candidate.digest)? {
            return Ok(Ok(candidate.clone()));
        }
    }
    let full = "no unused ticket id of this length was found; ask for a longer one";
    Ok(Err(Error::Invalid(full.into())))
}

/// Keeps a ticket whose id was free when it was chosen. One chosen in another transaction may be taken by now, once in
/// hundreds of millions: a fault.
pub(in crate::domain) fn keep(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &str,
    chosen: &Chosen,
) -> Result<(), Fault> {
    let facts = &chosen.ticket.facts;
    if records::was_ever(tx, chosen.digest)? {
        return Err(Fault::internal("a ticket's id was taken while it was made"));
    }
    records::add(
        tx,
        chosen.digest,
        facts,
        &chosen.sealed_id,
        chosen.kept_until,
    )?;
    let event = Event {
        action: "ticket.issued",
        by,
        to: facts.user.as_str(),
        organization: Some(&facts.organization),
    };
    audit::record(tx, cx, &event)
}

/// Ids to try. The shortest are three hundred million, so one that is taken is rare and eight in a row are a sign.
const CANDIDATES: usize = 8;
const LENGTH_DEFAULT: usize = 9;

fn length(asked: Option<i64>) -> Result<usize, Error> {
    let Some(asked) = asked else {
        return Ok(LENGTH_DEFAULT);
    };
    let fits = |length: &usize| (TICKET_LENGTH_MIN..=TICKET_LENGTH_MAX).contains(length);
    usize::try_from(asked).ok().filter(fits).ok_or_else(|| {
        Error::Invalid(format!(
            "length must be from {TICKET_LENGTH_MIN} to {TICKET_LENGTH_MAX}"
        ))
    })
}

fn facts(cx: &Cx<'_>, new: NewTicket, organization: OrgId) -> Result<Facts, Error> {
    let now = cx.now.to_millis();
    let ttl = ttl(cx, new.ttl)?;
    let begins_at = begins_at(new.kind, &new.properties, now)?;
    Ok(Facts {
        user: UserId::draw(cx.entropy()),
        organization,
        kind: new.kind,
        properties: new.properties,
        ttl,
        disabled: new.disabled.then_some(now),
        revoked: None,
        used: None,
        created_at: now,
        modified_at: now,
        expires_at: begins_at.after(ttl),
        version: 0,
        event_uid: cx.entropy().uuid(),
    })
}

fn ttl(cx: &Cx<'_>, asked: Option<i64>) -> Result<Duration, Error> {
    let policy = &cx.policy().tickets;
    let Some(asked) = asked else {
        return Ok(policy.default_ttl);
    };
    let longest = policy.max_ttl.as_secs();
    let fits = |ttl: &u64| (1..=longest).contains(ttl);
    let ttl = u64::try_from(asked).ok().filter(fits);
    ttl.map(Duration::from_secs)
        .ok_or_else(|| Error::Invalid(format!("ttl must be from 1 to {longest} seconds")))
}

/// When the life of a ticket of `kind` begins; scheduled kinds need a readable `scheduled_date`.
pub(super) fn begins_at(
    kind: Kind,
    properties: &Properties,
    otherwise: Timestamp,
) -> Result<Timestamp, Error> {
    if !kind.is_scheduled() {
        return Ok(otherwise);
    }
    let Some(text) = properties.text(SCHEDULED_DATE) else {
        let missing = format!(
            "properties.{SCHEDULED_DATE} is required for {}",
            kind.name()
        );
        return Err(Error::Invalid(missing));
    };
    text.parse()
        .map_err(|error| Error::Invalid(format!("properties.{SCHEDULED_DATE} {error}")))
}
