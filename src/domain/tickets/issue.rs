//! Creating a ticket.

use std::time::Duration;

use super::{Error, Facts, Kind, NewTicket, SCHEDULED_DATE, Ticket, digest, records};
use crate::domain::Cx;
use crate::domain::access::{Action, Caller, rules};
use crate::domain::audit::{self, Event};
use crate::domain::organizations;
use crate::kernel::id::{TICKET_LENGTH_MAX, TICKET_LENGTH_MIN};
use crate::kernel::{OrgId, Properties, TicketId, Timestamp, UserId};
use crate::store::Verdict;

/// Creates a ticket and returns it with the only sight of its id.
pub fn issue(cx: &Cx<'_>, caller: &Caller, new: NewTicket) -> Result<Ticket, Error> {
    rules::may(caller, Action::IssueTicket)?;
    let organization = rules::organization(caller, new.organization.as_ref())?.clone();
    let length = length(new.length)?;
    let facts = facts(cx, new, organization)?;
    let candidates = candidates(cx, &facts, length)?;
    let kept_until = facts
        .expires_at
        .after(cx.policy().tickets.kept_after_expiry);
    cx.write(|tx| {
        if !organizations::exists(tx, &facts.organization)? {
            return Ok(Verdict::Discard(Error::Invalid(
                "organizationId names no organization".into(),
            )));
        }
        for (ticket, digest, sealed_id) in &candidates {
            if records::was_ever(tx, *digest)? {
                continue;
            }
            records::add(tx, *digest, &facts, sealed_id, kept_until)?;
            audit::record(
                tx,
                cx,
                &Event {
                    action: "ticket.issued",
                    by: &caller.subject().sub(),
                    to: facts.user.as_str(),
                    organization: Some(&facts.organization),
                },
            )?;
            return Ok(Verdict::Commit(ticket.clone()));
        }
        let full = "no unused ticket id of this length was found; ask for a longer one";
        Ok(Verdict::Discard(Error::Invalid(full.into())))
    })
}

/// Ids to try. The shortest are three hundred million, so one that is taken is rare and eight in a row are a sign.
const CANDIDATES: usize = 8;
const LENGTH_DEFAULT: usize = 9;

type Candidate = (Ticket, crate::kernel::Digest, Vec<u8>);

fn candidates(cx: &Cx<'_>, facts: &Facts, length: usize) -> Result<Vec<Candidate>, Error> {
    let mut candidates = Vec::with_capacity(CANDIDATES);
    for _ in 0..CANDIDATES {
        let ticket = Ticket {
            id: TicketId::draw(cx.entropy(), length),
            facts: facts.clone(),
        };
        let digest = digest(cx, &ticket.id);
        let sealed_id = records::sealed_id(cx, &ticket, digest)?;
        candidates.push((ticket, digest, sealed_id));
    }
    Ok(candidates)
}

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
