//! Messages on their way: kept in the store from the request that made them until somebody has taken them away, so that
//! neither a dead gateway nor a restart loses one (decision 0009).
//!
//! A message has no code and no destination: they are opened from its verification whenever it is taken out. It is
//! delivered at least once, under one id however often it is tried. Who takes messages away is not known here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::minutes_left;
use super::records::{self, State};
use crate::domain::access::By;
use crate::domain::audit::{self, Event};
use crate::domain::ports::{Channel, Locale, Message, Undelivered};
use crate::domain::{Cx, expiries};
use crate::kernel::{Fault, OrgId, Timestamp, VerificationId};
use crate::store::{Record, Table, Tx, Verdict, View};

const OUTBOX: Table<String, MessageRecord> = Table::named("outbox");
/// Messages that are to be tried, by channel and when.
const OUTBOX_DUE: Table<(u8, Timestamp, String), ()> = Table::named("outbox_due");

/// Where a message is. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// It is to be delivered.
    Waiting,
    /// Nobody delivers on its channel: the operator reads it.
    Kept,
    /// It was taken away.
    Delivered,
    /// It was not, and will not be.
    GivenUp,
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Kept => "kept",
            Self::Delivered => "delivered",
            Self::GivenUp => "given up",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct MessageRecord {
    organization: OrgId,
    channel: Channel,
    stage: Stage,
    /// Gone when the message is.
    content: Option<ContentRecord>,
    tries: u32,
    reason: Option<String>,
    created_at: Timestamp,
    due_at: Timestamp,
    ends_at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ContentRecord {
    verification: VerificationId,
    locale: Locale,
    sender: String,
}

impl Record for MessageRecord {
    const VERSION: u8 = 1;
}

/// A message that is asked for.
pub(super) struct NewMessage<'a> {
    pub(super) id: &'a str,
    pub(super) verification: &'a VerificationId,
    pub(super) organization: &'a OrgId,
    pub(super) channel: Channel,
    pub(super) locale: Locale,
    pub(super) sender: &'a str,
    pub(super) ends_at: Timestamp,
}

/// Keeps a message that is due at once.
pub(super) fn add(tx: &Tx<'_>, cx: &Cx<'_>, new: &NewMessage<'_>) -> Result<(), Fault> {
    let record = MessageRecord {
        organization: new.organization.clone(),
        channel: new.channel,
        stage: Stage::Waiting,
        content: Some(ContentRecord {
            verification: new.verification.clone(),
            locale: new.locale,
            sender: new.sender.to_owned(),
        }),
        tries: 0,
        reason: None,
        created_at: cx.now,
        due_at: cx.now,
        ends_at: new.ends_at,
    };
    tx.put(&OUTBOX, &new.id.to_owned(), &record)?;
    tx.put(&OUTBOX_DUE, &due_key(new.id, &record), &())?;
    expect(tx, new.id, new.ends_at)
}

/// A message that is taken out to be delivered.
pub struct Parcel {
    /// The message.
    pub message: Message,
    /// When its code is over, and nobody takes it out again.
    pub ends_at: Timestamp,
}

/// Up to `limit` messages of a channel whose time has come, earliest first. Those whose code is over, or was used
/// meanwhile, are given up instead; one that cannot be read holds up no other.
pub fn due(cx: &Cx<'_>, channel: Channel, limit: usize) -> Result<Vec<Parcel>, Fault> {
    let view = cx.view();
    let found = view.scan_prefix(&OUTBOX_DUE, &lane(channel), None, limit)?;
    let mut parcels = Vec::new();
    for ((_, at, id), ()) in found {
        if at > cx.now {
            break;
        }
        match parcel(cx, &view, &id) {
            Ok(parcel) => parcels.extend(parcel),
            Err(fault) => set_aside(cx, &(lane(channel), at, id), &fault),
        }
    }
    Ok(parcels)
}

fn parcel(cx: &Cx<'_>, view: &View<'_>, id: &str) -> Result<Option<Parcel>, Fault> {
    let record = view.get(&OUTBOX, &id.to_owned())?;
    let Some(record) = record.filter(|record| record.stage == Stage::Waiting) else {
        return Ok(None);
    };
    if let Some((State::Pending, message)) = taken_out(cx, id, &record)? {
        let ends_at = record.ends_at;
        return Ok(Some(Parcel { message, ends_at }));
    }
    give_up(cx, id, "the code was over or used before it could be sent")?;
    Ok(None)
}

/// A message that cannot be read is reported once and never due again: the next ones come to their turn. What is left of
/// it goes where it is its own record that is damaged, which would hold up the operator's list and the sweep as well.
/// Faults name tables and ids, never a number or a code.
fn set_aside(cx: &Cx<'_>, due: &(u8, Timestamp, String), fault: &Fault) {
    let message = due.2.as_str();
    tracing::error!(
        message_id = message,
        "a message cannot be read and is not sent: {fault}"
    );
    let is_damaged = cx.view().get(&OUTBOX, &due.2).is_err();
    let done = cx.write(|tx| {
        tx.remove(&OUTBOX_DUE, due)?;
        if is_damaged {
            tx.remove(&OUTBOX, &due.2)?;
        }
        let event = Event {
            action: "code.undelivered",
            by: "",
            to: message,
            organization: None,
        };
        audit::record(tx, cx, &event)?;
        Ok(Verdict::<(), Fault>::Commit(()))
    });
    if let Err(fault) = done {
        tracing::error!(
            message_id = message,
            "a message could not be set aside: {fault}"
        );
    }
}

/// The message itself and what its verification has come to, until the code is over.
fn taken_out(
    cx: &Cx<'_>,
    id: &str,
    record: &MessageRecord,
) -> Result<Option<(State, Message)>, Fault> {
    let Some(content) = &record.content else {
        return Ok(None);
    };
    let verification = records::get(cx, &content.verification)?;
    let Some(verification) = verification.filter(|found| cx.now < found.expires_at) else {
        return Ok(None);
    };
    let opened = verification.content(cx, &content.verification)?;
    let message = Message {
        id: id.to_owned(),
        channel: record.channel,
        to: opened.to,
        code: opened.code,
        locale: content.locale,
        sender: content.sender.clone(),
        minutes: minutes_left(cx.now, verification.expires_at),
    };
    Ok(Some((verification.state, message)))
}

/// The message was taken away: nothing of it is kept but that it was.
pub fn delivered(cx: &Cx<'_>, parcel: &Parcel) -> Result<(), Fault> {
    settle(cx, &parcel.message.id, |tx, record| {
        record.tries = record.tries.saturating_add(1);
        end(tx, cx, (&parcel.message.id, record), Stage::Delivered)
    })
}

/// It was not: it is tried again, later and later, as long as its code is good.
pub fn failed(cx: &Cx<'_>, parcel: &Parcel, why: &Undelivered) -> Result<(), Fault> {
    let id = &parcel.message.id;
    settle(cx, id, |tx, record| {
        let pause = pause(record.tries);
        record.tries = record.tries.saturating_add(1);
        record.reason = Some(why.reason.chars().take(REASON_MAX).collect());
        let due_at = cx.now.after(pause);
        if why.is_final || due_at >= record.ends_at {
            return end(tx, cx, (id, record), Stage::GivenUp);
        }
        tx.remove(&OUTBOX_DUE, &due_key(id, record))?;
        record.due_at = due_at;
        tx.put(&OUTBOX_DUE, &due_key(id, record), &())?;
        tx.put(&OUTBOX, id, record)
    })
}

/// Nobody delivers on its channel: it is kept for the operator to read until its code is over.
pub fn keep(cx: &Cx<'_>, parcel: &Parcel) -> Result<(), Fault> {
    let id = &parcel.message.id;
    settle(cx, id, |tx, record| {
        tx.remove(&OUTBOX_DUE, &due_key(id, record))?;
        record.stage = Stage::Kept;
        tx.put(&OUTBOX, id, record)?;
        told(tx, cx, "code.kept", (id, record))
    })
}

/// When the next message of a channel is to be tried.
pub fn next_due(cx: &Cx<'_>, channel: Channel) -> Result<Option<Timestamp>, Fault> {
    let first = cx
        .view()
        .scan_prefix(&OUTBOX_DUE, &lane(channel), None, 1)?;
    Ok(first.first().map(|((_, at, _), ())| *at))
}

/// How many messages of a channel are still to be taken away; beyond [`COUNTED_MAX`] they are told as that many. Whoever
/// asks does so often, and waits while each is read.
pub fn waiting(cx: &Cx<'_>, channel: Channel) -> Result<usize, Fault> {
    let all = cx
        .view()
        .scan_prefix(&OUTBOX_DUE, &lane(channel), None, COUNTED_MAX)?;
    Ok(all.len())
}

/// So many messages that wait are counted.
pub const COUNTED_MAX: usize = 1_000;

/// How long to wait after each failure; the last one for all that follow.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(45),
    Duration::from_secs(90),
];
/// The most characters of a reason that are kept.
const REASON_MAX: usize = 300;

fn pause(tries: u32) -> Duration {
    let at = usize::try_from(tries).unwrap_or(usize::MAX);
    let [.., last] = PAUSES;
    PAUSES.get(at).copied().unwrap_or(last)
}

fn give_up(cx: &Cx<'_>, id: &str, why: &str) -> Result<(), Fault> {
    settle(cx, id, |tx, record| {
        record.reason.get_or_insert_with(|| why.to_owned());
        end(tx, cx, (id, record), Stage::GivenUp)
    })
}

/// One change of a message that is still to be delivered; of another one, nothing.
fn settle(
    cx: &Cx<'_>,
    id: &str,
    change: impl Fn(&Tx<'_>, &mut MessageRecord) -> Result<(), Fault>,
) -> Result<(), Fault> {
    cx.write_unrecorded(|tx| {
        let found = tx.get(&OUTBOX, &id.to_owned())?;
        if let Some(mut record) = found.filter(|record| record.stage == Stage::Waiting) {
            change(tx, &mut record)?;
        }
        Ok(Verdict::Commit(()))
    })
}

/// The message is over; the fact stays.
fn end(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    (id, record): (&str, &mut MessageRecord),
    stage: Stage,
) -> Result<(), Fault> {
    tx.remove(&OUTBOX_DUE, &due_key(id, record))?;
    let action = match stage {
        Stage::Delivered => "code.delivered",
        Stage::Waiting | Stage::Kept | Stage::GivenUp => "code.undelivered",
    };
    told(tx, cx, action, (id, record))?;
    cx.tally("message", record.channel.name(), action);
    record.stage = stage;
    record.content = None;
    tx.put(&OUTBOX, &id.to_owned(), record)
}

/// The audit names the verification, by which a request and its delivery are found together.
fn told(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    action: &'static str,
    (id, record): (&str, &MessageRecord),
) -> Result<(), Fault> {
    let content = record.content.as_ref();
    let event = Event {
        action,
        by: "",
        to: content.map_or(id, |content| content.verification.as_str()),
        organization: Some(&record.organization),
    };
    audit::record(tx, cx, &event)
}

/// How long what became of a message is shown after its code was over.
const SHOWN: Duration = Duration::from_hours(24);

/// Gives up what was not delivered in time, forgets what was kept, and a day later all of it.
pub(in crate::domain) fn sweep(tx: &Tx<'_>, cx: &Cx<'_>, key: &[u8]) -> Result<(), Fault> {
    let Ok(id) = String::from_utf8(key.to_vec()) else {
        return Ok(());
    };
    let Some(mut record) = tx.get(&OUTBOX, &id)? else {
        return Ok(());
    };
    if cx.now < record.ends_at {
        return Ok(());
    }
    let forgotten_at = record.ends_at.after(SHOWN);
    if record.stage == Stage::Kept || forgotten_at <= cx.now {
        tx.remove(&OUTBOX_DUE, &due_key(&id, &record))?;
        tx.remove(&OUTBOX, &id)?;
        return Ok(());
    }
    if record.stage == Stage::Waiting {
        record
            .reason
            .get_or_insert_with(|| "nobody took it away in time".into());
        end(tx, cx, (&id, &mut record), Stage::GivenUp)?;
    }
    expect(tx, &id, forgotten_at)
}

fn expect(tx: &Tx<'_>, id: &str, at: Timestamp) -> Result<(), Fault> {
    expiries::expect(tx, at, expiries::Kind::Message, id.as_bytes())
}

fn due_key(id: &str, record: &MessageRecord) -> (u8, Timestamp, String) {
    (lane(record.channel), record.due_at, id.to_owned())
}

/// The numbers are stored: add, never change.
fn lane(channel: Channel) -> u8 {
    match channel {
        Channel::Sms => 1,
        Channel::Voice => 2,
        Channel::Email => 3,
    }
}

/// A message as the operator sees it. It has no `Debug`, because nothing logs a number or a code.
#[derive(Clone)]
pub struct Listed {
    /// Its identity.
    pub id: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// How it travels.
    pub channel: Channel,
    /// Where to, until it is over.
    pub to: Option<String>,
    /// `waiting`, `kept`, `delivered` or `given up`.
    pub state: &'static str,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last try failed.
    pub reason: Option<String>,
    /// When its code is over.
    pub ends_at: Timestamp,
    /// The message itself, while it is kept for the operator to read.
    pub message: Option<Message>,
}

/// The most messages that are listed.
const LIST_MAX: usize = 1_000;

/// The latest messages, earliest first, for the operator's eyes alone, and on the record: there are codes among them
/// that are good.
pub fn list(cx: &Cx<'_>) -> Result<Vec<Listed>, Fault> {
    let by = By::operator();
    cx.write(|tx| {
        let event = Event {
            action: "outbox.read",
            by: by.who(),
            to: OUTBOX.name(),
            organization: None,
        };
        audit::record(tx, cx, &event)?;
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    let view = cx.view();
    let mut from: Option<String> = None;
    let mut all = Vec::new();
    loop {
        let page = view.scan(&OUTBOX, from.as_ref(), LIST_MAX)?;
        let is_last = page.len() < LIST_MAX;
        // The first of a later page was the last of the one before.
        let skipped = usize::from(from.is_some());
        from = page.last().map(|(id, _)| id.clone());
        all.extend(page.into_iter().skip(skipped));
        if is_last {
            break;
        }
    }
    all.sort_by(|(a, one), (b, other)| (one.created_at, a).cmp(&(other.created_at, b)));
    let skipped = all.len().saturating_sub(LIST_MAX);
    let latest = all.into_iter().skip(skipped);
    Ok(latest.map(|(id, record)| listed(cx, id, record)).collect())
}

fn listed(cx: &Cx<'_>, id: String, record: MessageRecord) -> Listed {
    let taken_out = taken_out(cx, &id, &record).unwrap_or_else(|fault| {
        tracing::error!(message_id = id, "a message cannot be shown: {fault}");
        None
    });
    let message = taken_out.map(|(_, message)| message);
    let to = message.as_ref().map(|message| message.to.clone());
    Listed {
        id,
        created_at: record.created_at,
        channel: record.channel,
        to,
        state: record.stage.word(),
        tries: record.tries,
        reason: record.reason,
        ends_at: record.ends_at,
        message: message.filter(|_| record.stage == Stage::Kept),
    }
}
