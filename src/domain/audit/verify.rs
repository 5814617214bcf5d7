//! The whole chain from its first event to its last: every digest, every signed head, nothing missing, nothing else.
//!
//! It reads a page at a time, so that a million events need no more memory than a hundred.

use serde::{Deserialize, Serialize};

use super::heads::{SIGNED_ACTION, Statement};
use super::list::{Cursor, EventView, PAGE, following};
use super::records::{self, AUDIT, AuditRecord, HEAD, HeadRecord, KEY, SIGNED};
use crate::crypto::statement::{Sha256, is_signed};
use crate::domain::Cx;
use crate::kernel::{Digest, Fault, Timestamp, hex};

/// What was found: all of it fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// How many events there are.
    pub events: u64,
    /// How many signed heads.
    pub heads: u64,
    /// How many events no head covers yet.
    pub unsigned: u64,
    /// The instant of the last event.
    pub last_at: Option<String>,
    /// The digest of the last head's statement: whoever noted an earlier one finds it in an export.
    pub last_head: Option<String>,
    /// The digest of the key that signs, as it stands in an export.
    pub key: Option<String>,
}

/// Why the audit is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something does not fit.
    #[error("the audit was changed: {0}")]
    Changed(String),
    /// Something of ours broke, or a record is damaged.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Walks the whole chain; `tell` hears how many events were walked of how many. It takes seconds for a million.
pub fn verify(cx: &Cx<'_>, tell: &dyn Fn(u64, u64)) -> Result<Verified, Error> {
    let store = cx.appliance.store();
    store.durable(store.mark()).wait()?;
    let (head, counted) = end(cx)?;
    let mut walk = Walk::begin(cx)?;
    let mut cursor = None;
    let events = head.as_ref().map_or(0, |head| head.sequence + 1);
    while walk.sequence < events {
        let page = following(&cx.view(), cursor, PAGE)?;
        for ((at, sequence), record) in &page {
            if walk.sequence == events {
                break;
            }
            walk.event(*at, *sequence, record)?;
            cursor = Some(Cursor {
                at: *at,
                sequence: *sequence,
            });
        }
        if page.is_empty() {
            return Err(missing(walk.sequence));
        }
        tell(walk.sequence, events);
    }
    if head.as_ref().is_some_and(|head| head.chain != walk.chain) {
        let words = "the chain ends otherwise than it says";
        return Err(Error::Changed(words.to_owned()));
    }
    if counted != events {
        let words = format!("{events} events are in the chain, and {counted} in the store");
        return Err(Error::Changed(words));
    }
    walk.end(cx)
}

/// Where the chain ends, and how many events the store counts.
fn end(cx: &Cx<'_>) -> Result<(Option<HeadRecord>, u64), Error> {
    // Read without a transaction, between two batches: until both are of the same moment.
    loop {
        let before = cx.view().count(&AUDIT)?;
        let head = cx.view().get(&HEAD, &0)?;
        let counted = cx.view().count(&AUDIT)?;
        if before == counted {
            return match head {
                None if counted > 0 => {
                    let words = format!("where it ends is not said, and it has {counted} events");
                    Err(Error::Changed(words))
                }
                head => Ok((head, counted)),
            };
        }
    }
}

/// How far the walk has come.
struct Walk<'a> {
    cx: &'a Cx<'a>,
    key: Option<String>,
    sequence: u64,
    chain: Digest,
    last_at: Option<Timestamp>,
    lines: Sha256,
    /// The first event the next head has to cover.
    uncovered: u64,
    heads: u64,
    /// How many heads the chain says were signed.
    told: u64,
    next: Option<Signed>,
    before: [u8; 32],
}

struct Signed {
    says: Statement,
    digest: [u8; 32],
}

impl<'a> Walk<'a> {
    fn begin(cx: &'a Cx<'a>) -> Result<Self, Error> {
        let key = cx.view().get(&KEY, &0)?;
        let mut walk = Self {
            cx,
            key: key.map(|key| key.public),
            sequence: 0,
            chain: records::NOTHING,
            last_at: None,
            lines: Sha256::default(),
            uncovered: 0,
            heads: 0,
            told: 0,
            next: None,
            before: [0; 32],
        };
        walk.next = walk.head(1)?;
        Ok(walk)
    }

    fn event(&mut self, at: Timestamp, sequence: u64, record: &AuditRecord) -> Result<(), Error> {
        if sequence != self.sequence {
            return Err(missing(self.sequence));
        }
        let before = (sequence > 0).then_some(&self.chain);
        let keyring = &self.cx.appliance.keyring;
        if record.link(keyring, (at, sequence), before) != record.chain {
            let (action, to) = (&record.action, &record.to);
            let words = format!(
                "event {sequence} of {at} ({action} {to}) does not follow from the one before it"
            );
            return Err(Error::Changed(words));
        }
        if record.action == SIGNED_ACTION {
            self.told += 1;
        }
        let line = EventView::of(at, sequence, record).line()?;
        self.lines.add(line.as_bytes());
        (self.chain, self.last_at) = (record.chain, Some(at));
        self.sequence += 1;
        self.covered()
    }

    /// Compares a head with what it covers, when all of that was walked.
    fn covered(&mut self) -> Result<(), Error> {
        let Some(Signed { says, digest }) = &self.next else {
            return Ok(());
        };
        if says.events.1 >= self.sequence {
            return Ok(());
        }
        let number = says.number;
        let lines = std::mem::take(&mut self.lines).end();
        let fits = says.events == (self.uncovered, self.sequence - 1)
            && says.lines == lines
            && says.chain == self.chain
            && says.before == self.before;
        if !fits {
            let words = format!("signed head {number} says otherwise than the events it covers");
            return Err(Error::Changed(words));
        }
        (self.before, self.uncovered, self.heads) = (*digest, self.sequence, number);
        self.next = self.head(number + 1)?;
        Ok(())
    }

    /// Head `number`, its signature verified.
    fn head(&self, number: u64) -> Result<Option<Signed>, Error> {
        let Some(signed) = self.cx.view().get(&SIGNED, &number)? else {
            return Ok(None);
        };
        let key = self.key.as_deref().unwrap_or_default();
        let says = Statement::parse(&signed.statement).filter(|says| says.number == number);
        let is_signed = is_signed(key, &signed.statement, &signed.signature);
        let Some(says) = says.filter(|_| is_signed) else {
            let words = format!("signed head {number} does not bear our signature");
            return Err(Error::Changed(words));
        };
        Ok(Some(Signed {
            says,
            digest: Sha256::of(signed.statement.as_bytes()),
        }))
    }

    fn end(self, cx: &Cx<'_>) -> Result<Verified, Error> {
        let heads = self.heads;
        if self.told > heads {
            let words = format!("signed head {} is missing", heads + 1);
            return Err(Error::Changed(words));
        }
        // One that was signed while we walked covers events that were not there when we began.
        let last = cx.view().get(&HEAD, &0)?.map(|head| head.sequence);
        let is_ahead = |next: &Signed| last.is_none_or(|last| next.says.events.1 > last);
        if let Some(next) = self.next.filter(is_ahead) {
            let number = next.says.number;
            let words = format!("signed head {number} covers events that are missing");
            return Err(Error::Changed(words));
        }
        Ok(Verified {
            events: self.sequence,
            heads,
            unsigned: self.sequence - self.uncovered,
            last_at: self.last_at.map(|at| at.to_string()),
            last_head: (heads > 0).then(|| hex::encode(&self.before)),
            key: self.key.map(|key| hex::encode(&Sha256::of(key.as_bytes()))),
        })
    }
}

fn missing(sequence: u64) -> Error {
    Error::Changed(format!("event {sequence} is missing"))
}
