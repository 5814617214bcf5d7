//! The ledger of everything that left or wanted to: whoever reaches out of the process notes it here, whatever came of it.
//!
//! It is kept in memory, since the start and no longer. It holds no address of a person and nothing of what was said.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::kernel::Timestamp;

/// What somebody outside is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Genesys Cloud, for callbacks and agents.
    Genesys,
    /// Talkdesk, for tokens.
    Talkdesk,
    /// NICE CXone, for tokens.
    Nice,
    /// A mail server, for one-time codes.
    Smtp,
    /// A gateway, for one-time codes.
    Gateway,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// An answer with this status.
    Status(u16),
    /// The message was taken.
    Delivered,
    /// The message was not taken; why stands with it in the outbox.
    Undelivered,
    /// It was asked, and no answer came.
    Unanswered,
    /// No connection was made.
    Unreachable,
    /// Its name leads where nobody may be asked, and nothing was sent there.
    Refused,
    /// It may not be asked, so not even its name was looked up.
    Withheld,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Status(status) => return write!(f, "{status}"),
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Unanswered => "unanswered",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Withheld => "withheld",
        };
        f.write_str(word)
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it was over.
    pub at: Timestamp,
    /// Host and port.
    pub destination: String,
    /// What for.
    pub purpose: Purpose,
    /// What came of it.
    pub outcome: Outcome,
}

/// All attempts at one destination for one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// Host and port.
    pub destination: String,
    /// What for.
    pub purpose: Purpose,
    /// How often it was asked.
    pub attempts: u64,
    /// How often it would have been, and was not.
    pub withheld: u64,
    /// When the last of both was over.
    pub last_at: Timestamp,
    /// What came of that.
    pub last: Outcome,
}

/// What a ledger says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How often somebody was asked.
    pub attempts: u64,
    /// How often somebody would have been, and was not.
    pub withheld: u64,
    /// By destination and purpose.
    pub totals: Vec<Total>,
    /// The latest, oldest first.
    pub latest: Vec<Attempt>,
}

/// Every attempt to reach somebody outside, the latest of them one by one.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    attempts: u64,
    withheld: u64,
    totals: BTreeMap<(String, Purpose), Total>,
    latest: VecDeque<Attempt>,
}

impl Ledger {
    /// How often somebody was asked.
    pub fn count(&self) -> u64 {
        self.kept(|kept| kept.attempts)
    }

    /// The latest, oldest first.
    pub fn latest(&self) -> Vec<Attempt> {
        self.kept(|kept| kept.latest.iter().cloned().collect())
    }

    /// Everything it has.
    pub fn summary(&self) -> Summary {
        self.kept(|kept| Summary {
            attempts: kept.attempts,
            withheld: kept.withheld,
            totals: kept.totals.values().cloned().collect(),
            latest: kept.latest.iter().cloned().collect(),
        })
    }

    /// Notes what came of one.
    pub fn note(&self, attempt: Attempt) {
        self.kept(|kept| kept.note(attempt));
    }

    fn kept<T>(&self, look: impl FnOnce(&mut Kept) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kept {
    fn note(&mut self, mut attempt: Attempt) {
        // Some destinations are tenants' to name: neither their length nor their number may grow for ever.
        if attempt.destination.len() > LONGEST {
            OTHERS.clone_into(&mut attempt.destination);
        }
        let withheld = u64::from(attempt.outcome == Outcome::Withheld);
        let asked = 1 - withheld;
        self.attempts += asked;
        self.withheld += withheld;
        let mut place = (attempt.destination.clone(), attempt.purpose);
        if self.totals.len() >= DESTINATIONS && !self.totals.contains_key(&place) {
            OTHERS.clone_into(&mut place.0);
        }
        let total = self.totals.entry(place.clone()).or_insert_with(|| Total {
            destination: place.0,
            purpose: attempt.purpose,
            attempts: 0,
            withheld: 0,
            last_at: attempt.at,
            last: attempt.outcome,
        });
        total.attempts += asked;
        total.withheld += withheld;
        (total.last_at, total.last) = (attempt.at, attempt.outcome);
        if self.latest.len() >= LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back(attempt);
    }
}

/// How many attempts are kept one by one.
const LATEST: usize = 1_000;
/// How many destinations are told apart.
const DESTINATIONS: usize = 500;
/// The longest name there is (RFC 1035 §2.3.4), a colon and a port.
const LONGEST: usize = 255 + 6;
/// Where the rest is counted.
const OTHERS: &str = "others";

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(destination: &str, outcome: Outcome) -> Attempt {
        Attempt {
            at: Timestamp::from_seconds(1_764_000_000),
            destination: destination.to_owned(),
            purpose: Purpose::Nice,
            outcome,
        }
    }

    #[test]
    fn what_left_is_counted_apart_from_what_was_withheld() {
        let ledger = Ledger::default();
        ledger.note(attempt("a:443", Outcome::Status(200)));
        ledger.note(attempt("a:443", Outcome::Withheld));
        ledger.note(attempt("b:443", Outcome::Unreachable));
        let summary = ledger.summary();
        assert_eq!((summary.attempts, summary.withheld), (2, 1));
        assert_eq!(ledger.count(), 2);
        assert_eq!(summary.latest.len(), 3);
        let first = &summary.totals[0];
        assert_eq!((first.attempts, first.withheld), (1, 1));
        assert_eq!(first.last, Outcome::Withheld);
    }

    #[test]
    fn it_does_not_grow_for_ever_and_counts_everything() {
        let ledger = Ledger::default();
        for n in 0..3_000 {
            ledger.note(attempt(&format!("h{n}:443"), Outcome::Unanswered));
        }
        ledger.note(attempt(&"h".repeat(10_000), Outcome::Unanswered));
        let summary = ledger.summary();
        assert_eq!(summary.attempts, 3_001);
        assert_eq!(summary.latest.len(), LATEST);
        assert!(summary.totals.len() <= DESTINATIONS + 1);
        let counted: u64 = summary.totals.iter().map(|total| total.attempts).sum();
        assert_eq!(counted, 3_001);
        assert!(
            summary
                .latest
                .iter()
                .all(|kept| kept.destination.len() <= LONGEST)
        );
    }
}
