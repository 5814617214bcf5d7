//! Counters that slow guessing. They live in the store, so a restart does not hand out a new budget.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::expiries;
use crate::kernel::{ClientId, Fault, Network, OrgId, Timestamp, UserId, VerificationId};
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
    /// Messages to one destination of an organization, by its digest: within minutes.
    SentLately(&'a str),
    /// The same within a day.
    SentInDay(&'a str),
    /// Messages of one organization.
    SentFor(&'a OrgId),
    /// Messages of everybody.
    SentForAll,
    /// Messages for those without a token, from one network.
    SentAnonymously(Network),
    /// Wrong one-time codes for one destination of an organization, by its digest.
    WrongCodes(&'a str),
    /// Messages of an organization to numbers that begin so; with nothing, to beginnings nobody answered from.
    SentUnder(&'a OrgId, &'a str),
    /// Codes of an organization that came back from numbers that begin so.
    AnsweredUnder(&'a OrgId, &'a str),
    /// Unanswered destinations of an organization that differ in their last digits alone, by the digest of the others.
    SentToNeighbours(&'a str),
    /// Authorization codes that Genesys Cloud refused, from one network, by the number of the application that was
    /// named: every name falls into one of few numbers.
    WrongGenesysCodes(Network, u8),
    /// The same and those that are just being asked about.
    AskedGenesysCodes(Network, u8),
    /// Callbacks that were not made although a one-time code was held for them, by its verification.
    FailedCallbacks(&'a VerificationId),
    /// Key pairs made for one organization or brought into it, and what was tried to.
    KeyPairs(&'a OrgId),
    /// The same as another counter, of what those without a token do alone.
    OfStrangers(&'a Counter<'a>),
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
            Self::SentLately(destination) => (12, destination.to_owned()),
            Self::SentInDay(destination) => (13, destination.to_owned()),
            Self::SentFor(organization) => (14, organization.to_string()),
            Self::SentForAll => (15, String::new()),
            Self::SentAnonymously(network) => (16, network.to_string()),
            Self::WrongCodes(destination) => (17, destination.to_owned()),
            // No organization's id has a space.
            Self::SentUnder(organization, prefix) => (18, format!("{organization} {prefix}")),
            Self::AnsweredUnder(organization, prefix) => (19, format!("{organization} {prefix}")),
            Self::SentToNeighbours(neighbours) => (20, neighbours.to_owned()),
            Self::WrongGenesysCodes(network, number) => (22, format!("{network} {number}")),
            Self::AskedGenesysCodes(network, number) => (23, format!("{network} {number}")),
            Self::FailedCallbacks(verification) => (24, verification.to_string()),
            Self::KeyPairs(organization) => (21, organization.to_string()),
            Self::OfStrangers(counter) => {
                let (number, whose) = counter.key();
                (number | STRANGERS, whose)
            }
        }
    }

    fn window(self) -> Duration {
        match self {
            Self::SentLately(_) => Duration::from_mins(10),
            Self::WrongTickets(_)
            | Self::WrongShortTickets
            | Self::RefusedTicket(_)
            | Self::RefusedSignIn(_)
            | Self::WrongSecrets(..)
            | Self::SentAnonymously(_)
            | Self::SentUnder(..)
            | Self::AnsweredUnder(..)
            | Self::SentToNeighbours(_)
            | Self::FailedCallbacks(_)
            | Self::WrongGenesysCodes(..)
            | Self::AskedGenesysCodes(..) => Duration::from_hours(1),
            Self::RedeemedTickets(_)
            | Self::WrongPasswords(_)
            | Self::WrongPasswordsFrom(..)
            | Self::WrongNames(_)
            | Self::UsedUpPasswords(_)
            | Self::SentInDay(_)
            | Self::SentFor(_)
            | Self::SentForAll
            | Self::WrongCodes(_)
            | Self::KeyPairs(_) => DAY,
            Self::SignedInFrom(..) => 30 * DAY,
            Self::OfStrangers(counter) => counter.window(),
        }
    }
}

/// What the numbers of strangers' counters have besides: all others are smaller.
const STRANGERS: u8 = 0x80;
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
    Ok(Reading::of(open(tx, now, counter)?, now))
}

/// The same, for whoever only looks.
pub fn read_only(view: &View<'_>, now: Timestamp, counter: Counter<'_>) -> Result<Reading, Fault> {
    let record = view.get(&THROTTLES, &counter.key())?;
    let open = record.filter(|record| now < record.closes_at);
    Ok(Reading::of(open, now))
}

/// How often `counter` was counted within the present window, for whoever only looks.
pub fn peek(view: &View<'_>, now: Timestamp, counter: Counter<'_>) -> Result<u32, Fault> {
    Ok(read_only(view, now, counter)?.count)
}

impl Reading {
    fn of(open: Option<ThrottleRecord>, now: Timestamp) -> Self {
        open.map_or(
            Self {
                count: 0,
                left: Duration::ZERO,
                confirmed_at: None,
            },
            |record| Self {
                count: record.count,
                left: record.closes_at.since(now),
                confirmed_at: record.confirmed_at,
            },
        )
    }
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

/// The browsers and networks from which wrong passwords for this account are counted on their own.
pub fn places(view: &View<'_>, user: &UserId) -> Result<Vec<String>, Fault> {
    let first = Counter::WrongPasswordsFrom(user, "").key();
    let found = view.scan(&THROTTLES, Some(&first), PLACES_MAX)?;
    let own = found.into_iter().map_while(|((number, subject), _)| {
        let place = subject.strip_prefix(&first.1)?;
        (number == first.0).then(|| place.to_owned())
    });
    Ok(own.collect())
}

/// More than anybody signs in from within a day.
const PLACES_MAX: usize = 10_000;

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
