//! Guessing at passwords, held down durably, and never so that a stranger locks the owner out.
//!
//! Browsers and networks an account was never signed in from share one budget a day; each it was signed in from has
//! its own. A guess is counted before it is looked at and taken back if it was right, so that any number of them at
//! once looks at no more than the budget. After a few wrong ones the next must come later and later. One that is not
//! looked at costs the same reads, writes and hashing as one that is, and so does one at a name that nobody has.

use std::time::Duration;

use crate::domain::throttle::{self, Counter, Reading};
use crate::domain::users::User;
use crate::domain::{Cx, Origin, audit};
use crate::kernel::{Fault, OrgId, Timestamp, UserId};
use crate::store::{Tx, Verdict};

/// Whose password is guessed at, and with which browser.
pub(super) struct Target<'a> {
    /// The account, if there is one.
    pub account: Option<&'a User>,
    /// What the name is counted under if there is none.
    pub name: u8,
    /// What the browser keeps.
    pub device: Option<&'a str>,
}

/// A guess that was counted, if it is looked at.
pub(super) struct Guess {
    bucket: Bucket,
    organization: Option<OrgId>,
    /// Whether the password may be looked at.
    pub is_looked_at: bool,
}

/// What guesses share a budget.
enum Bucket {
    Strangers(UserId),
    Place(UserId, String),
    Name(u8),
}

impl Bucket {
    fn counter(&self) -> Counter<'_> {
        match self {
            Self::Strangers(user) => Counter::WrongPasswords(user),
            Self::Place(user, place) => Counter::WrongPasswordsFrom(user, place),
            Self::Name(number) => Counter::WrongNames(*number),
        }
    }

    fn budget(&self, cx: &Cx<'_>) -> u32 {
        let policy = &cx.policy().passwords;
        match self {
            Self::Strangers(_) | Self::Name(_) => policy.wrong_per_account_per_day,
            Self::Place(..) => policy.wrong_per_known_place_per_day,
        }
    }

    /// The account, or a number that is no account's.
    fn whose(&self) -> String {
        match self {
            Self::Strangers(user) | Self::Place(user, _) => user.to_string(),
            Self::Name(number) => format!("#{number}"),
        }
    }
}

/// The number under which guesses at a name that nobody has are counted.
pub(super) fn name(cx: &Cx<'_>, tenant: Option<&str>, name: &str) -> u8 {
    let whole = format!("{}\\{name}", tenant.unwrap_or_default()).to_ascii_lowercase();
    let digest = cx.appliance.keyring.digest("name", whole.as_bytes());
    let [first, ..] = *digest.as_bytes();
    first
}

/// Counts a guess before anybody looks at it.
pub(super) fn count(cx: &Cx<'_>, target: &Target<'_>) -> Result<Guess, Fault> {
    // The same work for a name that nobody has.
    let account = target.account.map(|user| user.id.clone());
    let whose = account.clone().map_or_else(nobody, Ok)?;
    let device = target
        .device
        .and_then(|cookie| super::device::number(cx, &whose, cookie));
    cx.write(|tx| {
        let place = match device {
            Some(device) => Some(device.to_owned()),
            None => known_network(tx, cx, &whose)?,
        };
        let bucket = match (&account, place) {
            (Some(user), Some(place)) => Bucket::Place(user.clone(), place),
            (Some(user), None) => Bucket::Strangers(user.clone()),
            (None, _) => Bucket::Name(target.name),
        };
        let reading = throttle::read(tx, cx.now, bucket.counter())?;
        let is_within_budget = reading.count < bucket.budget(cx);
        let is_looked_at = is_within_budget && earliest(&reading) <= Some(cx.now);
        if is_looked_at {
            throttle::count(tx, cx.now, bucket.counter())?;
        } else {
            throttle::leave(tx, cx.now, bucket.counter())?;
        }
        Ok(Verdict::<_, Fault>::Commit(Guess {
            bucket,
            organization: target.account.map(|user| user.organization.clone()),
            is_looked_at,
        }))
    })
}

/// Takes a right guess back, if what it was judged by still holds; anything else is refused and stays counted.
pub(super) fn settle(cx: &Cx<'_>, guess: &Guess, right: Option<&User>) -> Result<bool, Fault> {
    let holds = cx.write(|tx| {
        let holds = match right {
            Some(user) => super::still_holds(tx, user)?,
            None => false,
        };
        match right.filter(|_| holds) {
            Some(user) => {
                throttle::take_back(tx, cx.now, guess.bucket.counter())?;
                remember(tx, cx, &user.id)?;
            }
            None => refused(tx, cx, guess)?,
        }
        Ok(Verdict::<_, Fault>::Commit(holds))
    })?;
    cx.tally("sign_in", if holds { "accepted" } else { "refused" }, "");
    Ok(holds)
}

/// Remembers that the account was signed in from this network.
pub(super) fn remember(tx: &Tx<'_>, cx: &Cx<'_>, user: &UserId) -> Result<(), Fault> {
    let Origin::Peer(network) = cx.origin else {
        return Ok(());
    };
    throttle::renew(tx, cx.now, Counter::SignedInFrom(user, network))
}

/// Gives strangers a new budget: what was guessed at is not the password any more.
pub(super) fn forget(tx: &Tx<'_>, user: &UserId) -> Result<(), Fault> {
    throttle::forget(tx, Counter::WrongPasswords(user))
}

/// The same for browsers and networks the account was signed in from.
pub(super) fn forget_places(tx: &Tx<'_>, user: &UserId, places: &[String]) -> Result<(), Fault> {
    throttle::forget(tx, Counter::UsedUpPasswords(user.as_str()))?;
    places
        .iter()
        .try_for_each(|place| throttle::forget(tx, Counter::WrongPasswordsFrom(user, place)))
}

fn known_network(tx: &Tx<'_>, cx: &Cx<'_>, user: &UserId) -> Result<Option<String>, Fault> {
    let Origin::Peer(network) = cx.origin else {
        return Ok(None);
    };
    let counter = Counter::SignedInFrom(user, network);
    let is_known = throttle::read(tx, cx.now, counter)?.count > 0;
    Ok(is_known.then(|| network.to_string()))
}

/// An id that no account has: they are all drawn.
fn nobody() -> Result<UserId, Fault> {
    let id = "00000000-0000-0000-0000-000000000000".parse();
    id.map_err(|error| Fault::internal("nobody's id").because(error))
}

/// From when the next guess is looked at: at once, or so long after the last wrong one.
fn earliest(reading: &Reading) -> Option<Timestamp> {
    let last = reading.confirmed_at?;
    Some(last.after(delay(reading.count)))
}

/// Nothing for the first five, then from a second on twice as long after each wrong one, up to a quarter of an hour.
fn delay(count: u32) -> Duration {
    let Some(doublings) = count.checked_sub(FREE_GUESSES) else {
        return Duration::ZERO;
    };
    Duration::from_secs(1 << doublings.min(10)).min(DELAY_MAX)
}

const FREE_GUESSES: u32 = 5;
const DELAY_MAX: Duration = Duration::from_mins(15);

fn refused(tx: &Tx<'_>, cx: &Cx<'_>, guess: &Guess) -> Result<(), Fault> {
    let counter = guess.bucket.counter();
    if guess.is_looked_at {
        throttle::confirm(tx, cx.now, counter)?;
    } else {
        throttle::leave(tx, cx.now, counter)?;
    }
    let whose = guess.bucket.whose();
    // Once an hour and account, so that guessing again and again does not fill the disk.
    let refused = Counter::RefusedSignIn(&whose);
    throttle::count(tx, cx.now, refused)?;
    if throttle::read(tx, cx.now, refused)?.count == 1 {
        told(tx, cx, guess, "user.sign_in_refused")?;
    }
    if throttle::read(tx, cx.now, counter)?.count < guess.bucket.budget(cx) {
        return Ok(());
    }
    let used_up = Counter::UsedUpPasswords(&whose);
    if throttle::read(tx, cx.now, used_up)?.count > 0 {
        return Ok(());
    }
    throttle::count(tx, cx.now, used_up)?;
    cx.notify("too many wrong passwords for one name: a budget is used up for this day, and further ones are not looked at");
    told(tx, cx, guess, "passwords.guessed")
}

fn told(tx: &Tx<'_>, cx: &Cx<'_>, guess: &Guess, action: &'static str) -> Result<(), Fault> {
    let to = match &guess.bucket {
        Bucket::Strangers(user) | Bucket::Place(user, _) => user.as_str(),
        // A name that nobody has may be a password typed into the wrong field.
        Bucket::Name(_) => "",
    };
    audit::record(
        tx,
        cx,
        &audit::Event {
            action,
            by: "",
            to,
            organization: guess.organization.as_ref(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o13_the_wait_doubles_from_one_second_to_a_quarter_of_an_hour() {
        let seconds: Vec<u64> = [0, 4, 5, 6, 7, 14, 15, 16, u32::MAX]
            .map(|count| delay(count).as_secs())
            .to_vec();
        assert_eq!(seconds, [0, 0, 1, 2, 4, 512, 900, 900, 900]);
    }
}
