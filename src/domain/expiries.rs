//! The sweeper's only index: what may be looked at again, and when.
//!
//! An entry is a hint. Whoever owns the record decides when the time comes, and may ask to be woken again.

use crate::kernel::{Fault, Timestamp};
use crate::store::{Table, Tx, View};

const EXPIRIES: Table<(Timestamp, u8, Vec<u8>), ()> = Table::named("expiries");

/// Whose record it is. The numbers are stored: add, never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A ticket, by the digest of its id.
    Ticket = 1,
    /// A refresh token family.
    Family = 2,
    /// A throttle's window.
    Throttle = 3,
    /// Something ended before its time.
    Ended = 4,
    /// A browser's session.
    Session = 5,
    /// An authorization code.
    Code = 6,
    /// A verification of a one-time code.
    Verification = 7,
    /// A message with a one-time code.
    Message = 8,
}

const KINDS: [Kind; 8] = [
    Kind::Ticket,
    Kind::Family,
    Kind::Throttle,
    Kind::Ended,
    Kind::Session,
    Kind::Code,
    Kind::Verification,
    Kind::Message,
];

/// One thing that is due.
#[derive(Debug, Clone)]
pub struct Due {
    at: Timestamp,
    kind: u8,
    /// The record's key, in its owner's own bytes.
    pub key: Vec<u8>,
}

impl Due {
    /// Whose record it is; `None` for a kind this version does not know.
    pub fn kind(&self) -> Option<Kind> {
        KINDS.into_iter().find(|kind| *kind as u8 == self.kind)
    }
}

/// Asks for `key` to be looked at when `at` has come.
pub fn expect(tx: &Tx<'_>, at: Timestamp, kind: Kind, key: &[u8]) -> Result<(), Fault> {
    tx.put(&EXPIRIES, &(at, kind as u8, key.to_vec()), &())
}

/// Up to `limit` entries whose time has come, earliest first.
pub fn due(view: &View<'_>, now: Timestamp, limit: usize) -> Result<Vec<Due>, Fault> {
    let earliest = view.scan(&EXPIRIES, None, limit)?;
    let due = earliest
        .into_iter()
        .map(|((at, kind, key), ())| Due { at, kind, key });
    Ok(due.take_while(|due| due.at <= now).collect())
}

/// Forgets an entry that has been looked at.
pub fn done(tx: &Tx<'_>, due: &Due) -> Result<(), Fault> {
    tx.remove(&EXPIRIES, &(due.at, due.kind, due.key.clone()))?;
    Ok(())
}
