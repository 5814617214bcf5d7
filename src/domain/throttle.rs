//! Counters that slow guessing. They live in the store, so a restart does not hand out a new budget.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::expiries;
use crate::kernel::{ClientId, Fault, Network, Timestamp, UserId};
use crate::store::{Key, Record, Table, Tx, View};

const THROTTLES: Table<(u8, String), ThrottleRecord> = Table::named("throttles");

/// What is counted, each within a window of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter<'a> {
    /// Ids of no ticket, presented from one network.
    WrongTickets(Network),
    /// Short ids of no ticket, presented from anywhere.
    WrongShortTickets,
    /// Refusals of one ticket that exists, by the user id it was given.
    RefusedTicket(&'a UserId),
    /// Tickets redeemed from one network: it is not a guesser's.
    RedeemedTickets(Network),
    /// Wrong passwords for one account from browsers and networks it was never signed in from.
    WrongPasswords(&'a UserId),
    /// Wrong passwords for one account from one browser or network it was signed in from.
    WrongPasswordsFrom(&'a UserId, &'a str),
    /// Passwords for names of no account: every name falls into one of few numbers, so that nobody fills the disk.
    WrongNames(u8),
    /// Wrong secrets of one client from one network.
    WrongSecrets(&'a ClientId, Network),
    /// Sign-ins of one account from one network: its owner is at home there.
    SignedInFrom(&'a UserId, Network),
    /// Refusals of one account, or of one number of [`Counter::WrongNames`].
    RefusedSignIn(&'a str),
    /// Budgets of wrong passwords that were used up, of the same.
    UsedUpPasswords(&'a str),
}

impl Counter<'_> {
    /// The numbers are stored: add, never change.
    fn key(self) -> (u8, String) {
        match self {
            Self::WrongTickets(network) => (1, network.to_string()),
            Self::WrongShortTickets => (2, String::new()),
            Self::RedeemedTickets(network) => (3, network.to_string()),
            Self::RefusedTicket(user) => (4, user.to_string()),
            Self::WrongPasswords(user) => (5, user.to_string()),
            // No user id has a space.
            Self::WrongPasswordsFrom(user, place) => (6, format!("{user} {place}")),
            Self::WrongNames(number) => (7, number.to_string()),
            Self::SignedInFrom(user, network) => (8, format!("{user} {network}")),
            Self::RefusedSignIn(whose) => (9, whose.to_owned()),
            Self::UsedUpPasswords(whose) => (10, whose.to_owned()),
            Self::WrongSecrets(client, network) => (11, format!("{client} {network}")),
        }
    }

    fn window(self) -> Duration {
        match self {
            Self::WrongTickets(_)
            | Self::WrongShortTickets
            | Self::RefusedTicket(_)
            | Self::RefusedSignIn(_)
            | Self::WrongSecrets(..) => Duration::from_hours(1),
            Self::RedeemedTickets(_)
            | Self::WrongPasswords(_)
            | Self::WrongPasswordsFrom(..)
            | Self::WrongNames(_)
            | Self::UsedUpPasswords(_) => DAY,
            Self::SignedInFrom(..) => 30 * DAY,
        }
    }
}

const DAY: Duration = Duration::from_hours(24);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ThrottleRecord {
    opened_at: Timestamp,
    closes_at: Timestamp,
    count: u32,
    confirmed_at: Option<Timestamp>,
}

impl Record for ThrottleRecord {
    const VERSION: u8 = 1;
}

/// What a counter shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// How often it was counted within the present window.
    pub count: u32,
    /// How long until a new window opens.
    pub left: Duration,
    /// When what was counted last was confirmed, if anything was.
    pub confirmed_at: Option<Timestamp>,
}

/// What `counter` shows now.
pub fn read(tx: &Tx<'_>, now: Timestamp, counter: Counter<'_>) -> Result<Reading, Fault> {
    let open = open(tx, now, counter)?;
    Ok(open.map_or(
        Reading {
            count: 0,
            left: Duration::ZERO,
            confirmed_at: None,
        },
        |record| Reading {
            count: record.count,
            left: record.closes_at.since(now),
            confirmed_at: record.confirmed_at,
        },
    ))
}

/// How often `counter` was counted within the present window, for whoever only looks.
pub fn peek(view: &View<'_>, now: Timestamp, counter: Counter<'_>) -> Result<u32, Fault> {
    let record = view.get(&THROTTLES, &counter.key())?;
    let open = record.filter(|record| now < record.closes_at);
    Ok(open.map_or(0, |record| record.count))
}

/// Counts once.
pub fn count(tx: &Tx<'_>, now: Timestamp, counter: Counter<'_>) -> Result<(), Fault> {
    let Some(mut record) = open(tx, now, counter)? else {
        return begin(tx, now, counter);
    };
    record.count = record.count.saturating_add(1);
    tx.put(&THROTTLES, &counter.key(), &record)
}

/// Takes back what was counted at `now`; not out of a window that somebody else has opened since.
pub fn take_back(tx: &Tx<'_>, now: Timestamp, counter: Counter<'_>) -> Result<(), Fault> {
    let record = open(tx, now, counter)?.filter(|record| record.opened_at <= now);
    let Some(mut record) = record else {
        return Ok(());
    };
    record.count = record.count.saturating_sub(1);
    tx.put(&THROTTLES, &counter.key(), &record)
}

/// What was counted turned out to be what is counted here.
pub fn confirm(tx: &Tx<'_>, now: Timestamp, counter: Counter<'_>) -> Result<(), Fault> {
    let Some(mut record) = open(tx, now, counter)? else {
        return Ok(());
    };
    record.confirmed_at = record.confirmed_at.max(Some(now));
    tx.put(&THROTTLES, &counter.key(), &record)
}

/// Writes a counter as it stands: for whoever must not be told by the time it took that nothing was counted.
pub fn leave(tx: &Tx<'_>, now: Timestamp, counter: Counter<'_>) -> Result<(), Fault> {
    match open(tx, now, counter)? {
        Some(record) => tx.put(&THROTTLES, &counter.key(), &record),
        None => Ok(()),
    }
}

/// Counts once, and the window begins anew; at most once a day, so that few uses write.
pub fn renew(tx: &Tx<'_>, now: Timestamp, counter: Counter<'_>) -> Result<(), Fault> {
    let left = read(tx, now, counter)?.left;
    if counter.window().saturating_sub(left) < DAY {
        return Ok(());
    }
    begin(tx, now, counter)
}

/// Forgets what was counted.
pub fn forget(tx: &Tx<'_>, counter: Counter<'_>) -> Result<(), Fault> {
    tx.remove(&THROTTLES, &counter.key())?;
    Ok(())
}

/// The record of a window that has not closed.
fn open(
    tx: &Tx<'_>,
    now: Timestamp,
    counter: Counter<'_>,
) -> Result<Option<ThrottleRecord>, Fault> {
    let record = tx.get(&THROTTLES, &counter.key())?;
    Ok(record.filter(|record| now < record.closes_at))
}

fn begin(tx: &Tx<'_>, now: Timestamp, counter: Counter<'_>) -> Result<(), Fault> {
    let key = counter.key();
    let closes_at = now.after(counter.window());
    tx.put(
        &THROTTLES,
        &key,
        &ThrottleRecord {
            opened_at: now,
            closes_at,
            count: 1,
            confirmed_at: None,
        },
    )?;
    let mut due = Vec::new();
    key.write(&mut due);
    expiries::expect(tx, closes_at, expiries::Kind::Throttle, &due)
}

/// Removes a counter whose window has closed.
pub fn sweep(tx: &Tx<'_>, now: Timestamp, key: &[u8]) -> Result<(), Fault> {
    let Some(key) = <(u8, String)>::read(&mut &*key) else {
        return Ok(());
    };
    let closed = tx
        .get(&THROTTLES, &key)?
        .is_some_and(|record| record.closes_at <= now);
    if closed {
        tx.remove(&THROTTLES, &key)?;
    }
    Ok(())
}
