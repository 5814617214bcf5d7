//! An exported audit, line by line: the key, then events and the signed heads that cover them.
//!
//! It is checked without a store and without a key of ours. What a head is signed over are the very bytes of the
//! lines, so that `sha256sum` and `openssl pkeyutl` come to the same.

use serde::{Deserialize, Serialize};

use super::heads::{Part, Statement};
use super::list::EventView;
use crate::crypto::statement::{Sha256, is_signed};
use crate::kernel::{Fault, hex};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyLine {
    audit: String,
    key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadLine {
    head: String,
    signature: String,
}

/// The kind of file, as its first line says.
const FORM: &str = "admit 1";

impl Part {
    /// The first line of the file this part is in, its end included.
    pub fn first_line(&self) -> Result<String, Fault> {
        ended(&KeyLine {
            audit: FORM.to_owned(),
            key: self.key.clone(),
        })
    }

    /// The line of the head, after those of its events.
    pub fn last_line(&self) -> Result<String, Fault> {
        ended(&HeadLine {
            head: self.statement.clone(),
            signature: self.signature.clone(),
        })
    }
}

fn ended(line: &impl Serialize) -> Result<String, Fault> {
    let line = serde_json::to_string(line);
    let mut line = line.map_err(|error| Fault::internal("an export's line").because(error))?;
    line.push('\n');
    Ok(line)
}

/// What an export turned out to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// How many events.
    pub events: u64,
    /// How many signed heads.
    pub heads: u64,
    /// When the last one was signed.
    pub last_signed_at: String,
    /// The digest of its statement.
    pub last_head: String,
    /// The digest of the key all of them are signed with: the one `admit audit verify` tells on the machine it is from.
    pub key: String,
}

/// Reads an export from its first line to its last.
#[derive(Default)]
pub struct Reader {
    key: Option<String>,
    lines: Sha256,
    events: u64,
    /// The first event no head has covered yet.
    uncovered: u64,
    last: Option<Statement>,
    before: [u8; 32],
}

impl Reader {
    /// Takes one line, its end included; in words what is wrong with it.
    pub fn line(&mut self, line: &str) -> Result<(), String> {
        let Some(key) = &self.key else {
            let first: Option<KeyLine> = serde_json::from_str(line).ok();
            let first = first.filter(|first| first.audit == FORM);
            let words = "this is no exported audit: the first line names no key";
            self.key = Some(first.ok_or_else(|| words.to_owned())?.key);
            return Ok(());
        };
        if let Ok(head) = serde_json::from_str::<HeadLine>(line) {
            let signature = hex::decode::<64>(&head.signature).unwrap_or([0; 64]);
            if !is_signed(key, &head.head, &signature) {
                return Err("the signature of this head does not hold".to_owned());
            }
            return self.head(&head.head);
        }
        let event: EventView = serde_json::from_str(line)
            .map_err(|_| "this is neither an event nor a signed head".to_owned())?;
        if event.sequence != self.events {
            return Err(format!("event {} is missing", self.events));
        }
        self.lines.add(line.as_bytes());
        self.events += 1;
        Ok(())
    }

    fn head(&mut self, text: &str) -> Result<(), String> {
        let says = Statement::parse(text).ok_or_else(|| "this is no head of ours".to_owned())?;
        let number = self.last.as_ref().map_or(1, |last| last.number + 1);
        if says.number != number || says.before != self.before {
            return Err(format!("head {number} is missing"));
        }
        let lines = std::mem::take(&mut self.lines).end();
        let (first, last) = (self.uncovered, self.events.saturating_sub(1));
        if says.events != (first, last) || says.lines != lines {
            return Err(format!(
                "events {first} to {last} are not those this head was signed over"
            ));
        }
        self.uncovered = self.events;
        self.before = Sha256::of(text.as_bytes());
        self.last = Some(says);
        Ok(())
    }

    /// No more lines come.
    pub fn end(self) -> Result<Exported, String> {
        let (Some(key), Some(last)) = (self.key, self.last) else {
            return Err("there is no signed head in it".to_owned());
        };
        if self.uncovered != self.events {
            return Err("no signed head covers its last events: it was cut off".to_owned());
        }
        Ok(Exported {
            events: self.events,
            heads: last.number,
            last_signed_at: last.signed_at.to_string(),
            last_head: hex::encode(&self.before),
            key: hex::encode(&Sha256::of(key.as_bytes())),
        })
    }
}
