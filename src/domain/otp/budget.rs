//! What messages may cost: how many go to one destination, for one organization, for everybody, and to numbers nobody
//! answers from (S15, G20). All of it is counted in the transaction that sends, so that a restart forgets nothing.
//!
//! Destinations are counted within their organization: what one tenant sends neither stops another nor tells of it. What
//! those without a token do is counted with the rest and once more by itself, and has a part of every limit: they never
//! use up what others have. Countries and neighbours are counted apart altogether.

use std::time::Duration;

use super::Error;
use super::records::VerificationRecord;
use crate::domain::Cx;
use crate::domain::audit::{self, Event};
use crate::domain::ports::Channel;
use crate::domain::throttle::{self, Counter, Reading};
use crate::kernel::{Fault, Network, OrgId, hex};
use crate::store::Tx;

/// One message that is to be sent.
pub(super) struct Spending<'a> {
    /// For whom.
    pub(super) organization: &'a OrgId,
    /// How.
    pub(super) channel: Channel,
    /// The destination's name among counters.
    pub(super) destination: &'a str,
    /// The country of a number.
    pub(super) country: Option<&'a str>,
    /// The name among counters of a number's neighbours.
    pub(super) neighbours: Option<&'a str>,
    /// Where somebody without a token asks from.
    pub(super) stranger: Option<Network>,
}

impl Spending<'_> {
    fn is_strangers(&self) -> bool {
        self.stranger.is_some()
    }
}

/// Destinations of an organization within a thousand neighbouring numbers that get a code in an hour and do not answer.
const NEIGHBOURS_PER_HOUR: u32 = 5;
/// One code in so many must come back.
const ONE_IN: u32 = 5;

/// Why the message may not be sent now, if it may not.
pub(super) fn refusal(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    what: &Spending<'_>,
) -> Result<Option<Error>, Fault> {
    for limit in limits(cx, what) {
        let reading = throttle::read(tx, cx.now, limit.counter)?;
        if reading.count >= limit.most {
            return Ok(Some(paused(limit.words, limit.most, reading)));
        }
        let Some(part) = limit.part.filter(|_| what.is_strangers()) else {
            continue;
        };
        let reading = throttle::read(tx, cx.now, Counter::OfStrangers(&limit.counter))?;
        if reading.count >= part {
            return Ok(Some(paused(limit.words, part, reading)));
        }
    }
    if let Some(network) = what.stranger {
        let most = cx.policy().codes.anonymous_per_network_per_hour;
        let reading = throttle::read(tx, cx.now, Counter::SentAnonymously(network))?;
        let words = "too many codes were asked for from this network without a token in an hour";
        if reading.count >= most {
            return Ok(Some(paused(words, most, reading)));
        }
    }
    if let Some(paused) = neighbours(tx, cx, what)? {
        return Ok(Some(paused));
    }
    unanswered(tx, cx, what)
}

/// How much of something there may be.
struct Limit<'a> {
    counter: Counter<'a>,
    most: u32,
    /// How much of it those without a token may have.
    part: Option<u32>,
    words: &'static str,
}

/// Of a destination's messages and wrong codes strangers have half, but one at least: they are people too.
fn half(most: u32) -> u32 {
    most.div_ceil(2)
}

/// Of a day's budget strangers have a fifth.
fn fifth(most: u32) -> u32 {
    most / 5
}

fn limits<'a>(cx: &Cx<'_>, what: &Spending<'a>) -> [Limit<'a>; 4] {
    let policy = &cx.policy().codes;
    // Whoever has people called at night needs few calls.
    let share = if what.channel == Channel::Voice { 2 } else { 1 };
    let lately = policy.sends_per_ten_minutes.div_ceil(share);
    let today = policy.sends_per_day.div_ceil(share);
    [
        Limit {
            counter: Counter::SentLately(what.destination),
            most: lately,
            part: Some(half(lately)),
            words: "too many codes were sent to this destination in ten minutes",
        },
        Limit {
            counter: Counter::SentInDay(what.destination),
            most: today,
            part: Some(half(today)),
            words: "too many codes were sent to this destination today",
        },
        Limit {
            counter: Counter::SentFor(what.organization),
            most: policy.per_organization_per_day,
            part: Some(fifth(policy.per_organization_per_day)),
            words: "the organization's codes for today are used up",
        },
        Limit {
            counter: Counter::SentForAll,
            most: policy.overall_per_day,
            part: Some(fifth(policy.overall_per_day)),
            words: "this server's codes for today are used up",
        },
    ]
}

/// A counter that strangers have apart from everybody else.
fn read_apart(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    is_strangers: bool,
    counter: Counter<'_>,
) -> Result<Reading, Fault> {
    if is_strangers {
        return throttle::read(tx, cx.now, Counter::OfStrangers(&counter));
    }
    throttle::read(tx, cx.now, counter)
}

fn count_apart(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    is_strangers: bool,
    counter: Counter<'_>,
) -> Result<(), Fault> {
    if is_strangers {
        return throttle::count(tx, cx.now, Counter::OfStrangers(&counter));
    }
    throttle::count(tx, cx.now, counter)
}

/// Counts something of which strangers have a part.
fn count_part(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    is_strangers: bool,
    counter: Counter<'_>,
) -> Result<(), Fault> {
    if is_strangers {
        throttle::count(tx, cx.now, Counter::OfStrangers(&counter))?;
    }
    throttle::count(tx, cx.now, counter)
}

/// How long no code for that destination is looked at, if none is.
pub(super) fn guessed(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    destination: &str,
    is_strangers: bool,
) -> Result<Option<Duration>, Fault> {
    let most = cx.policy().codes.wrong_per_day;
    let counter = Counter::WrongCodes(destination);
    let all = throttle::read(tx, cx.now, counter)?;
    if all.count >= most {
        return Ok(Some(all.left));
    }
    let theirs = throttle::read(tx, cx.now, Counter::OfStrangers(&counter))?;
    Ok((is_strangers && theirs.count >= half(most)).then_some(theirs.left))
}

/// A code for that destination was wrong.
pub(super) fn wrong(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    destination: &str,
    is_strangers: bool,
) -> Result<(), Fault> {
    count_part(tx, cx, is_strangers, Counter::WrongCodes(destination))
}

/// Numbers tried one after the other differ in their last digits.
fn neighbours(tx: &Tx<'_>, cx: &Cx<'_>, what: &Spending<'_>) -> Result<Option<Error>, Fault> {
    let Some(neighbours) = what.neighbours else {
        return Ok(None);
    };
    if throttle::read(tx, cx.now, Counter::SentInDay(what.destination))?.count > 0 {
        return Ok(None);
    }
    let counter = Counter::SentToNeighbours(neighbours);
    let reading = read_apart(tx, cx, what.is_strangers(), counter)?;
    let words = "too many codes were sent to numbers that differ in their last digits alone";
    Ok((reading.count >= NEIGHBOURS_PER_HOUR).then(|| paused(words, 1, reading)))
}

/// Messages to a country of which hardly any is answered stop until the hour is over or codes come back. Countries nobody
/// has answered from share one such budget: a campaign gains nothing by going round the world.
fn unanswered(tx: &Tx<'_>, cx: &Cx<'_>, what: &Spending<'_>) -> Result<Option<Error>, Fault> {
    let Some(country) = what.country else {
        return Ok(None);
    };
    let budget = cx.policy().codes.unanswered_per_hour;
    let read = |counter| read_apart(tx, cx, what.is_strangers(), counter);
    let sent = read(Counter::SentUnder(what.organization, country))?;
    let answered = read(Counter::AnsweredUnder(what.organization, country))?.count;
    if sent.count >= budget && answered.saturating_mul(ONE_IN) < sent.count {
        let words = "hardly any code sent to this country comes back; sending is paused";
        return Ok(Some(paused(words, budget, sent)));
    }
    let elsewhere = read(Counter::SentUnder(what.organization, ANYWHERE))?;
    let words = "hardly any code comes back; sending is paused but to countries that answer";
    Ok((answered == 0 && elsewhere.count >= budget).then(|| paused(words, budget, elsewhere)))
}

/// No country: every one that nobody has answered from.
const ANYWHERE: &str = "";

fn paused(words: &'static str, limit: u32, reading: Reading) -> Error {
    // A limit of zero is never lifted by waiting: a day is as good as any answer.
    let wait = if limit == 0 {
        Duration::from_hours(24)
    } else {
        reading.left
    };
    Error::Paused(words, wait)
}

/// Counts a message that is sent; whether its number was counted among its neighbours. What is used up by it is told to
/// the operator.
pub(super) fn count(tx: &Tx<'_>, cx: &Cx<'_>, what: &Spending<'_>) -> Result<bool, Fault> {
    let is_strangers = what.is_strangers();
    let is_first = throttle::read(tx, cx.now, Counter::SentInDay(what.destination))?.count == 0;
    if let Some(network) = what.stranger {
        throttle::count(tx, cx.now, Counter::SentAnonymously(network))?;
    }
    let neighbours = what.neighbours.filter(|_| is_first);
    if let Some(neighbours) = neighbours {
        let counter = Counter::SentToNeighbours(neighbours);
        count_apart(tx, cx, is_strangers, counter)?;
    }
    if let Some(country) = what.country {
        under(tx, cx, what, country)?;
    }
    for limit in limits(cx, what) {
        count_part(tx, cx, is_strangers, limit.counter)?;
        used_up(tx, cx, &limit, what)?;
    }
    Ok(neighbours.is_some())
}

fn under(tx: &Tx<'_>, cx: &Cx<'_>, what: &Spending<'_>, country: &str) -> Result<(), Fault> {
    let (organization, is_strangers) = (what.organization, what.is_strangers());
    let answered = Counter::AnsweredUnder(organization, country);
    let answered = read_apart(tx, cx, is_strangers, answered)?.count;
    if answered == 0 {
        let elsewhere = Counter::SentUnder(organization, ANYWHERE);
        count_apart(tx, cx, is_strangers, elsewhere)?;
    }
    let sent = Counter::SentUnder(organization, country);
    count_apart(tx, cx, is_strangers, sent)?;
    let sent = read_apart(tx, cx, is_strangers, sent)?.count;
    let is_last = sent == cx.policy().codes.unanswered_per_hour;
    if !is_last || answered.saturating_mul(ONE_IN) >= sent {
        return Ok(());
    }
    cx.notify("hardly any one-time code sent to a country comes back: an organization's sending there is paused");
    told(tx, cx, "codes.unanswered", country, organization)
}

/// Tells of a budget whose last message was just counted.
fn used_up(tx: &Tx<'_>, cx: &Cx<'_>, limit: &Limit<'_>, what: &Spending<'_>) -> Result<(), Fault> {
    let whose = if matches!(limit.counter, Counter::SentForAll) {
        "everybody"
    } else if matches!(limit.counter, Counter::SentFor(_)) {
        "organization"
    } else {
        return Ok(());
    };
    if throttle::read(tx, cx.now, limit.counter)?.count == limit.most {
        cx.notify("a budget of one-time codes is used up for today");
        return told(tx, cx, "codes.used_up", whose, what.organization);
    }
    let theirs = throttle::read(tx, cx.now, Counter::OfStrangers(&limit.counter))?;
    if what.is_strangers() && limit.part == Some(theirs.count) {
        cx.notify("those without a token have used up their part of a budget of one-time codes");
        return told(tx, cx, "codes.used_up", "strangers", what.organization);
    }
    Ok(())
}

fn told(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    action: &'static str,
    to: &str,
    organization: &OrgId,
) -> Result<(), Fault> {
    let event = Event {
        action,
        by: "",
        to,
        organization: Some(organization),
    };
    audit::record(tx, cx, &event)
}

/// A code came back: somebody is there.
pub(super) fn answered(tx: &Tx<'_>, cx: &Cx<'_>, record: &VerificationRecord) -> Result<(), Fault> {
    if let Some(country) = &record.country {
        let answered = Counter::AnsweredUnder(&record.organization, country);
        count_apart(tx, cx, record.is_strangers, answered)?;
    }
    if let Some(neighbours) = &record.neighbours {
        let neighbours = hex::encode(neighbours.as_bytes());
        let mut counter = Counter::SentToNeighbours(&neighbours);
        let own = counter;
        if record.is_strangers {
            counter = Counter::OfStrangers(&own);
        }
        throttle::take_back(tx, record.issued_at, counter)?;
    }
    Ok(())
}
