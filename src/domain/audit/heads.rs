//! Signed heads: now and then, how far the chain has come is said in a statement that a key of its own signs.
//!
//! A statement covers the events since the one before it and names that one by its digest. With the key's public half
//! anybody can check an exported copy; without heads, whoever holds the master key could write another past.

use std::fmt;
use std::time::Duration;

use super::list::{Cursor, EventView, PAGE, following};
use super::records::{self, HEAD, KEY, KEY_LABEL, KeyRecord, SIGNED, SignedRecord};
use super::{Event, record};
use crate::crypto::statement::{Sha256, Signer};
use crate::domain::{Appliance, Cx};
use crate::kernel::{Digest, Fault, Timestamp, hex};
use crate::store::Verdict;

/// How many events one head covers at most.
const COVERED: u64 = 1_000;
/// How long an event waits for a head to cover it.
const WAITS: Duration = Duration::from_hours(1);

/// What one head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its number, counted from one.
    pub(super) number: u64,
    /// The first and the last event it covers.
    pub(super) events: (u64, u64),
    /// When it was signed.
    pub(super) signed_at: Timestamp,
    /// The digest over the lines of its events.
    pub(super) lines: [u8; 32],
    /// The digest of the statement before, zero for the first.
    pub(super) before: [u8; 32],
    /// The chain's keyed digest at its last event.
    pub(super) chain: Digest,
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.events;
        writeln!(f, "admit audit head 1")?;
        writeln!(f, "number {}", self.number)?;
        writeln!(f, "events {first} {last}")?;
        writeln!(f, "signed {}", self.signed_at)?;
        writeln!(f, "sha256 {}", hex::encode(&self.lines))?;
        writeln!(f, "before {}", hex::encode(&self.before))?;
        writeln!(f, "chain {}", hex::encode(self.chain.as_bytes()))
    }
}

impl Statement {
    /// Reads a statement; one that is written otherwise than we write it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let number = value("number")?.parse().ok()?;
        let (first, last) = value("events")?.split_once(' ')?;
        let statement = Self {
            number,
            events: (first.parse().ok()?, last.parse().ok()?),
            signed_at: value("signed")?.parse().ok()?,
            lines: hex::decode(value("sha256")?)?,
            before: hex::decode(value("before")?)?,
            chain: Digest::from_bytes(hex::decode(value("chain")?)?),
        };
        (statement.to_string() == text).then_some(statement)
    }
}

/// The events one head covers and the head, as they are exported.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// The key's public half in PEM.
    pub key: String,
    /// The events' lines, each with its end.
    pub events: Vec<String>,
    /// What is said of them.
    pub statement: String,
    /// The signature over that, in hexadecimal digits.
    pub signature: String,
}

/// Signs when enough has happened or enough time has passed. It waits for the disk: never on a request's thread.
pub fn keep(cx: &Cx<'_>) -> Result<(), Fault> {
    while let Some(next) = next(cx)? {
        if next.until - next.first + 1 < COVERED && cx.now.since(next.since) < WAITS {
            return Ok(());
        }
        sign_one(cx, &next)?;
    }
    Ok(())
}

/// Signs until every event there is by now is covered, except the one that says so; returns how many heads there are.
/// What others write meanwhile waits for its own: on a busy server there is always more.
pub fn sign(cx: &Cx<'_>) -> Result<u64, Fault> {
    let mut goal = None;
    while let Some(next) = next(cx)? {
        if next.first > *goal.get_or_insert(next.newest) {
            break;
        }
        sign_one(cx, &next)?;
    }
    Ok(last(cx)?.map_or(0, |(number, _)| number))
}

/// What head `number` covers and says; `None` when there is no such head.
pub fn part(cx: &Cx<'_>, number: u64) -> Result<Option<Part>, Fault> {
    let view = cx.view();
    let (Some(signed), Some(key)) = (view.get(&SIGNED, &number)?, view.get(&KEY, &0)?) else {
        return Ok(None);
    };
    let statement = Statement::parse(&signed.statement);
    let (first, last) = statement.ok_or_else(|| unread(number))?.events;
    let mut events = Vec::new();
    each(cx, (signed.first_at, first), last, |_, line| {
        events.push(line.to_owned());
    })?;
    Ok(Some(Part {
        key: key.public,
        events,
        statement: signed.statement,
        signature: hex::encode(&signed.signature),
    }))
}

/// What the next head has to cover.
struct Next {
    number: u64,
    first: u64,
    until: u64,
    /// The newest event there is, which later heads may have to cover.
    newest: u64,
    /// The instant of its first event.
    first_at: Timestamp,
    /// Since when something waits in it that is not of our own making.
    since: Timestamp,
    before: [u8; 32],
}

/// The next head, if there is something to say: that the one before was signed is not.
fn next(cx: &Cx<'_>) -> Result<Option<Next>, Fault> {
    // What was accepted and is not applied yet would not be seen.
    let store = cx.appliance.store();
    store.durable(store.mark()).wait()?;
    let Some(head) = cx.view().get(&HEAD, &0)? else {
        return Ok(None);
    };
    let last = last(cx)?;
    let (number, first, before) = match &last {
        Some((number, signed)) => {
            let statement = Statement::parse(&signed.statement).ok_or_else(|| unread(*number))?;
            let before = Sha256::of(signed.statement.as_bytes());
            (number + 1, statement.events.1 + 1, before)
        }
        None => (1, 0, [0; 32]),
    };
    let unsigned = (head.sequence + 1).saturating_sub(first);
    if unsigned == 0 || (unsigned == 1 && last.is_some()) {
        return Ok(None);
    }
    let cursor = last.map(|(_, signed)| Cursor {
        at: signed.last_at,
        sequence: first - 1,
    });
    let found = following(&cx.view(), cursor, 2)?;
    let mut instants = found.iter().map(|((at, _), _)| *at);
    let starts = found.first().is_some_and(|((_, found), _)| *found == first);
    let first_at = instants.next().filter(|_| starts);
    let first_at = first_at.ok_or_else(|| missing(first))?;
    // The first one only says that what was before it is signed.
    let since = instants.next().filter(|_| number > 1).unwrap_or(first_at);
    Ok(Some(Next {
        number,
        first,
        until: head.sequence.min(first + COVERED - 1),
        newest: head.sequence,
        first_at,
        since,
        before,
    }))
}

fn last(cx: &Cx<'_>) -> Result<Option<(u64, SignedRecord)>, Fault> {
    Ok(cx.view().scan_back(&SIGNED, None, 1)?.pop())
}

fn sign_one(cx: &Cx<'_>, next: &Next) -> Result<(), Fault> {
    let kept = Kept::load(cx)?;
    let mut lines = Sha256::default();
    let mut end = (next.first_at, records::NOTHING);
    each(
        cx,
        (next.first_at, next.first),
        next.until,
        |place, line| {
            lines.add(line.as_bytes());
            end = place;
        },
    )?;
    let statement = Statement {
        number: next.number,
        events: (next.first, next.until),
        signed_at: cx.now,
        lines: lines.end(),
        before: next.before,
        chain: end.1,
    }
    .to_string();
    let signed = SignedRecord {
        first_at: next.first_at,
        last_at: end.0,
        signature: kept.signer.sign(&statement),
        statement,
    };
    let number = next.number.to_string();
    let written = cx.write(|tx| {
        if let Some(made) = &kept.made {
            match tx.get(&KEY, &0)? {
                // Somebody else was first; ours has signed nothing anybody saw.
                Some(_) => return Ok(Verdict::Discard(Lost(None))),
                None => tx.put(&KEY, &0, made)?,
            }
        }
        if tx.get(&SIGNED, &next.number)?.is_some() {
            return Ok(Verdict::Discard(Lost(None)));
        }
        tx.put(&SIGNED, &next.number, &signed)?;
        let event = Event {
            action: SIGNED_ACTION,
            by: "appliance",
            to: &number,
            organization: None,
        };
        record(tx, cx, &event)?;
        Ok(Verdict::Commit(()))
    });
    match written {
        Ok(()) | Err(Lost(None)) => Ok(()),
        Err(Lost(Some(fault))) => Err(fault),
    }
}

/// What the chain says of each head, so that a head that is taken away is missed.
pub(super) const SIGNED_ACTION: &str = "audit.signed";

/// Nothing was written: somebody else did, or something broke.
struct Lost(Option<Fault>);

impl From<Fault> for Lost {
    fn from(fault: Fault) -> Self {
        Self(Some(fault))
    }
}

/// The key, and its record where it is new.
struct Kept {
    signer: Signer,
    made: Option<KeyRecord>,
}

impl Kept {
    fn load(cx: &Cx<'_>) -> Result<Self, Fault> {
        let keyring = &cx.appliance.keyring;
        if let Some(kept) = cx.view().get(&KEY, &0)? {
            let signer = Signer::from_secret(&keyring.open(KEY_LABEL, &kept.sealed)?)?;
            return Ok(Self { signer, made: None });
        }
        let signer = Signer::make(cx.entropy())?;
        let made = KeyRecord {
            sealed: keyring.seal(KEY_LABEL, signer.seed(), cx.entropy())?,
            public: signer.public_pem()?,
        };
        let made = Some(made);
        Ok(Self { signer, made })
    }
}

/// Calls `with` for every event from one to another: its instant and digest, and its line.
fn each(
    cx: &Cx<'_>,
    (first_at, first): (Timestamp, u64),
    last: u64,
    mut with: impl FnMut((Timestamp, Digest), &str),
) -> Result<(), Fault> {
    let (mut from, mut sequence) = ((first_at, first), first);
    while sequence <= last {
        let page = cx.view().scan(&records::AUDIT, Some(&from), PAGE)?;
        if page.is_empty() {
            return Err(missing(sequence));
        }
        for ((at, found), record) in page {
            if found != sequence {
                return Err(missing(sequence));
            }
            let line = EventView::of(at, found, &record).line()?;
            with((at, record.chain), &line);
            sequence += 1;
            from = (at, sequence);
            if sequence > last {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn missing(sequence: u64) -> Fault {
    Fault::internal(format!("audit event {sequence} is missing"))
}

fn unread(number: u64) -> Fault {
    Fault::internal(format!("the audit's signed head {number} cannot be read"))
}

impl Appliance {
    /// The public half of the key that signs the audit's heads, in PEM; `None` before it signed any.
    pub fn audit_key(&self) -> Result<Option<String>, Fault> {
        let kept = self.store.view().get(&KEY, &0)?;
        Ok(kept.map(|kept| kept.public))
    }
}
