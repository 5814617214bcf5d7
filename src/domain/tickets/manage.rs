//! Changing tickets that are there: their properties, and whether they can be used.
//!
//! Each first writes what happened and then, still holding the turn, tells the bearer check, so that a token of the
//! ticket is dead for the request after the answer.

use super::issue::begins_at;
use super::{Changes, Error, Facts, Ticket, digest, records};
use crate::domain::Cx;
use crate::domain::access::{Action, Caller, rules};
use crate::domain::audit::{self, Event};
use crate::domain::tokens::{self, Thing, ended};
use crate::kernel::{Digest, Fault, TicketId, Timestamp, UserId};
use crate::store::{Tx, Verdict};

/// Lays the changed properties over the present ones; moving the scheduled date moves the expiry.
pub fn update(
    cx: &Cx<'_>,
    caller: &Caller,
    id: &TicketId,
    changes: &Changes,
) -> Result<Ticket, Error> {
    rules::may(caller, Action::ManageTicket)?;
    rules::organization(caller, changes.organization.as_ref())?;
    let digest = digest(cx, id);
    let facts = cx.write(|tx| {
        let Some(mut facts) = visible(tx, cx, caller, digest)? else {
            return Ok(Verdict::Discard(Error::NotFound));
        };
        if changes
            .organization
            .as_ref()
            .is_some_and(|named| *named != facts.organization)
        {
            return Ok(Verdict::Discard(Error::NotFound));
        }
        if let Err(error) = apply(&mut facts, changes) {
            return Ok(Verdict::Discard(error));
        }
        facts.changed(cx.now);
        records::put(tx, digest, &facts)?;
        records::expect(
            tx,
            digest,
            facts
                .expires_at
                .after(cx.policy().tickets.kept_after_expiry),
        )?;
        told(tx, cx, caller, "ticket.updated", &facts)?;
        Ok(Verdict::Commit(facts))
    })?;
    Ok(Ticket {
        id: id.clone(),
        facts,
    })
}

fn apply(facts: &mut Facts, changes: &Changes) -> Result<(), Error> {
    let properties = facts.properties.merged(changes.properties.clone())?;
    let begins_at = begins_at(facts.kind, &properties, facts.created_at)?;
    facts.properties = properties;
    facts.expires_at = begins_at.after(facts.ttl);
    Ok(())
}

/// Revokes the ticket for good and ends its sessions. Revoking again keeps the first instant.
pub fn revoke(cx: &Cx<'_>, caller: &Caller, id: &TicketId) -> Result<(), Error> {
    withdraw(cx, caller, id, "ticket.revoked", |facts| &mut facts.revoked)
}

/// Disables the ticket, and with it its sessions, until it is enabled. Disabling again keeps the first instant.
pub fn disable(cx: &Cx<'_>, caller: &Caller, id: &TicketId) -> Result<(), Error> {
    withdraw(cx, caller, id, "ticket.disabled", |facts| {
        &mut facts.disabled
    })
}

fn withdraw(
    cx: &Cx<'_>,
    caller: &Caller,
    id: &TicketId,
    action: &'static str,
    mark: fn(&mut Facts) -> &mut Option<Timestamp>,
) -> Result<(), Error> {
    rules::may(caller, Action::ManageTicket)?;
    let digest = digest(cx, id);
    let until = tokens::remembered_until(cx);
    let turn = cx.appliance.ended().turn();
    let user: UserId = cx.write_vital(|tx| {
        let Some(mut facts) = visible(tx, cx, caller, digest)? else {
            return Ok(Verdict::Discard(Error::NotFound));
        };
        if mark(&mut facts).is_none() {
            *mark(&mut facts) = Some(cx.now.to_millis());
            facts.changed(cx.now);
            records::put(tx, digest, &facts)?;
            ended::put(tx, &Thing::Ticket(facts.user.clone()), until)?;
            told(tx, cx, caller, action, &facts)?;
        }
        Ok(Verdict::Commit(facts.user))
    })?;
    turn.ended(Thing::Ticket(user));
    Ok(())
}

/// Enables a disabled ticket again. A revoked one stays revoked.
pub fn enable(cx: &Cx<'_>, caller: &Caller, id: &TicketId) -> Result<(), Error> {
    rules::may(caller, Action::ManageTicket)?;
    let digest = digest(cx, id);
    let turn = cx.appliance.ended().turn();
    let enabled: Option<UserId> = cx.write(|tx| {
        let Some(mut facts) = visible(tx, cx, caller, digest)? else {
            return Ok(Verdict::Discard(Error::NotFound));
        };
        if facts.disabled.take().is_some() {
            facts.changed(cx.now);
            records::put(tx, digest, &facts)?;
            told(tx, cx, caller, "ticket.enabled", &facts)?;
        }
        if facts.revoked.is_some() {
            return Ok(Verdict::Commit(None));
        }
        ended::remove(tx, &Thing::Ticket(facts.user.clone()))?;
        Ok(Verdict::Commit(Some(facts.user)))
    })?;
    if let Some(user) = enabled {
        turn.resumed(&Thing::Ticket(user));
    }
    Ok(())
}

/// Deletes the ticket and ends its sessions. Its id is never given out again.
pub fn delete(cx: &Cx<'_>, caller: &Caller, id: &TicketId) -> Result<(), Error> {
    rules::may(caller, Action::ManageTicket)?;
    let digest = digest(cx, id);
    let until = tokens::remembered_until(cx);
    let turn = cx.appliance.ended().turn();
    let user = cx.write_vital(|tx| {
        let Some(facts) = visible(tx, cx, caller, digest)? else {
            return Ok(Verdict::Discard(Error::NotFound));
        };
        records::remove(tx, digest, &facts)?;
        ended::put(tx, &Thing::Ticket(facts.user.clone()), until)?;
        told(tx, cx, caller, "ticket.deleted", &facts)?;
        Ok(Verdict::Commit(facts.user))
    })?;
    turn.ended(Thing::Ticket(user));
    Ok(())
}

/// The ticket, unless it is another organization's: that is the same as missing.
fn visible(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    caller: &Caller,
    digest: Digest,
) -> Result<Option<Facts>, Fault> {
    let found = records::load(tx, cx, digest)?;
    Ok(found.filter(|facts| rules::sees(caller, &facts.organization)))
}

fn told(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    caller: &Caller,
    action: &'static str,
    facts: &Facts,
) -> Result<(), Fault> {
    audit::record(
        tx,
        cx,
        &Event {
            action,
            by: &caller.subject().sub(),
            to: facts.user.as_str(),
            organization: Some(&facts.organization),
        },
    )
}
