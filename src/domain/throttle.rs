//! Counters that slow guessing. They live in the store, so a restart does not hand out a new budget.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::expiries;
use crate::kernel::{Fault, Network, Timestamp, UserId};
use crate::store::{Key, Record, Table, Tx};

const THROTTLES: Table<(u8, String), ThrottleRecord> = Table::named("throttles");

/// What is counted. Each counts within windows of one hour, except the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter<'a> {
    /// Ids of no ticket, presented from one network.
    WrongTickets(Network),
    /// Short ids of no ticket, presented from anywhere.
    WrongShortTickets,
    /// Refusals of one ticket that exists, by the user id it was given.
    RefusedTicket(&'a UserId),
    /// Tickets redeemed from one network within a day: it is not a guesser's.
    RedeemedTickets(Network),
}

impl Counter<'_> {
    /// The numbers are stored: add, never change.
    fn key(self) -> (u8, String) {
        match self {
            Self::WrongTickets(network) => (1, network.to_string()),
            Self::WrongShortTickets => (2, String::new()),
            Self::RedeemedTickets(network) => (3, network.to_string()),
            Self::RefusedTicket(user) => (4, user.to_string()),
        }
    }

    fn window(self) -> Duration {
        match self {
            Self::WrongTickets(_) | Self::WrongShortTickets | Self::RefusedTicket(_) => {
                Duration::from_hours(1)
            }
            Self::RedeemedTickets(_) => Duration::from_hours(24),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ThrottleRecord {
    opened_at: Timestamp,
    closes_at: Timestamp,
    count: u32,
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
}

/// What `counter` shows now.
pub fn read(tx: &Tx<'_>, now: Timestamp, counter: Counter<'_>) -> Result<Reading, Fault> {
    let open = tx
        .get(&THROTTLES, &counter.key())?
        .filter(|record| now < record.closes_at);
    Ok(open.map_or(
        Reading {
            count: 0,
            left: Duration::ZERO,
        },
        |record| Reading {
            count: record.count,
            left: record.closes_at.since(now),
        },
    ))
}

/// Counts once.
pub fn count(tx: &Tx<'_>, now: Timestamp, counter: Counter<'_>) -> Result<(), Fault> {
    let key = counter.key();
    let open = tx
        .get(&THROTTLES, &key)?
        .filter(|record| now < record.closes_at);
    if let Some(mut record) = open {
        record.count = record.count.saturating_add(1);
        return tx.put(&THROTTLES, &key, &record);
    }
    let closes_at = now.after(counter.window());
    tx.put(
        &THROTTLES,
        &key,
        &ThrottleRecord {
            opened_at: now,
            closes_at,
            count: 1,
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
