//! Removes what has expired and keeps what was only noted, a bounded batch at a time.

use std::sync::atomic::Ordering;

use super::audit::{self, Event};
use super::expiries::{self, Due, Kind};
use super::seen::{self, Noted, Who};
use super::tokens::{self, refresh};
use super::{Appliance, Cx, clients, oauth, otp, sessions, tables, throttle, tickets, users};
use crate::kernel::Fault;
use crate::store::{Tx, Verdict};

/// Looks at up to `limit` things whose time has come. Returns how many it looked at.
pub fn sweep(cx: &Cx<'_>, limit: usize) -> Result<usize, Fault> {
    let due = expiries::due(&cx.view(), cx.now, limit)?;
    for one in &due {
        let turn = cx.appliance.ended().turn();
        let forgotten = cx.make_room(|tx| {
            let forgotten = look(tx, cx, one)?;
            expiries::done(tx, one)?;
            Ok(Verdict::<_, Fault>::Commit(forgotten))
        })?;
        if let Some(thing) = forgotten {
            turn.resumed(&thing);
        }
    }
    Ok(due.len())
}

/// The operator says that the clock is right: what has expired need not be held any longer.
pub fn confirm_clock(cx: &Cx<'_>) -> Result<(), Fault> {
    // First, or a request might keep it once more.
    let held = &cx.appliance.last_instant.held_until;
    held.store(0, Ordering::SeqCst);
    let event = Event {
        action: "clock.confirmed",
        by: "operator",
        to: "appliance",
        organization: None,
    };
    cx.write_vital(|tx| {
        tx.remove(&tables::CLOCK, &tables::REMOVAL_HELD)?;
        audit::record(tx, cx, &event)?;
        Ok(Verdict::<_, Fault>::Commit(()))
    })
}

fn look(tx: &Tx<'_>, cx: &Cx<'_>, due: &Due) -> Result<Option<tokens::Thing>, Fault> {
    match due.kind() {
        Some(Kind::Ticket) => {
            tickets::sweep(tx, cx.now, cx.policy().tickets.kept_after_expiry, &due.key)?;
        }
        Some(Kind::Family) => {
            let ticket_ends = |ticket| tickets::ends_at(tx, ticket);
            refresh::sweep(tx, cx.now, &due.key, ticket_ends)?;
        }
        Some(Kind::Throttle) => throttle::sweep(tx, cx.now, &due.key)?,
        Some(Kind::Session) => sessions::sweep(tx, cx.now, &due.key)?,
        Some(Kind::Code) => oauth::codes::sweep(tx, cx.now, &due.key)?,
        Some(Kind::Verification) => otp::sweep(tx, cx, &due.key)?,
        Some(Kind::Message) => otp::outbox::sweep(tx, cx, &due.key)?,
        Some(Kind::Ended) => return tokens::ended::sweep(tx, cx.now, &due.key),
        None => {}
    }
    Ok(None)
}

/// Keeps up to `limit` notes of when clients and people were last seen. [`kept`] follows once they are durable.
pub fn keep_seen(cx: &Cx<'_>, limit: usize) -> Result<Noted, Fault> {
    seen::keep(cx, limit, |tx, who| match who {
        Who::Client(id) => Ok(clients::load(tx, id)?.is_some()),
        Who::User(id) => Ok(users::load(tx, id)?.is_some()),
    })
}

/// What was noted is in the store.
pub fn kept(appliance: &Appliance, noted: &Noted) {
    appliance.notes.kept(noted);
}
