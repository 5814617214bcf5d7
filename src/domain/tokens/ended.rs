//! What has been ended before its time: tokens, sign-ins, tickets, and everyone's epoch.
//!
//! Durable in the store, in memory for the check. Both change in the same order, because whoever changes them holds
//! the turn from before the transaction until after the memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use super::records;
use crate::domain::access::{Caller, Subject};
use crate::kernel::{Fault, SignInId, Timestamp, TokenId, UserId};
use crate::store::{Tx, View};

/// Something that can be ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Thing {
    /// One access token.
    Token(TokenId),
    /// One sign-in and every token that came of it.
    SignIn(SignInId),
    /// Every sign-in of one ticket, by the user id the ticket was given.
    Ticket(UserId),
}

impl Thing {
    /// The numbers are stored: add, never change.
    fn key(&self) -> (u8, String) {
        match self {
            Self::Token(id) => (1, id.to_string()),
            Self::SignIn(id) => (2, id.to_string()),
            Self::Ticket(id) => (3, id.to_string()),
        }
    }

    /// The id of what is ended, as the audit names it.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Token(id) => id.as_str(),
            Self::SignIn(id) => id.as_str(),
            Self::Ticket(id) => id.as_str(),
        }
    }

    fn from_key(key: &(u8, String)) -> Option<Self> {
        let (kind, id) = key;
        match kind {
            1 => id.parse().ok().map(Self::Token),
            2 => id.parse().ok().map(Self::SignIn),
            3 => id.parse().ok().map(Self::Ticket),
            _ => None,
        }
    }
}

/// What has been ended, as every bearer check sees it.
#[derive(Default)]
pub struct Ended {
    turn: Mutex<()>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    tokens: HashSet<TokenId>,
    sign_ins: HashSet<SignInId>,
    tickets: HashSet<UserId>,
    epochs: HashMap<String, u64>,
}

impl Known {
    fn insert(&mut self, thing: Thing) {
        match thing {
            Thing::Token(id) => _ = self.tokens.insert(id),
            Thing::SignIn(id) => _ = self.sign_ins.insert(id),
            Thing::Ticket(id) => _ = self.tickets.insert(id),
        }
    }

    fn remove(&mut self, thing: &Thing) {
        match thing {
            Thing::Token(id) => _ = self.tokens.remove(id),
            Thing::SignIn(id) => _ = self.sign_ins.remove(id),
            Thing::Ticket(id) => _ = self.tickets.remove(id),
        }
    }
}

/// The right to change what has been ended. Take it before the transaction, tell it what the transaction kept.
pub(in crate::domain) struct Turn<'e> {
    ended: &'e Ended,
    _order: MutexGuard<'e, ()>,
}

impl Ended {
    /// Reads everything that is ended out of the store.
    pub(in crate::domain) fn load(view: &View<'_>) -> Result<Self, Fault> {
        let mut known = Known::default();
        for key in records::all_ended(view)? {
            if let Some(thing) = Thing::from_key(&key) {
                known.insert(thing);
            }
        }
        known.epochs.extend(records::all_epochs(view)?);
        Ok(Self {
            turn: Mutex::default(),
            known: RwLock::new(known),
        })
    }

    /// Waits for the turn to change what has been ended.
    pub(in crate::domain) fn turn(&self) -> Turn<'_> {
        Turn {
            ended: self,
            _order: self.turn.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Whether the caller's token was ended by any of the four ways.
    pub(super) fn covers(&self, caller: &Caller) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let moved_on = |epoch: &u64| caller.epoch < *epoch;
        let is_ticket = match &caller.subject {
            Subject::Customer(id) => known.tickets.contains(id),
            Subject::User(_) | Subject::Client(_) => false,
        };
        is_ticket
            || known.tokens.contains(&caller.token)
            || caller
                .sign_in
                .as_ref()
                .is_some_and(|id| known.sign_ins.contains(id))
            || (!known.epochs.is_empty()
                && known
                    .epochs
                    .get(&caller.subject.sub())
                    .is_some_and(moved_on))
    }

    /// The subject's epoch, which a new token carries.
    pub(super) fn epoch(&self, sub: &str) -> u64 {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .epochs
            .get(sub)
            .copied()
            .unwrap_or(0)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Turn<'_> {
    /// The transaction ended `thing`.
    pub(in crate::domain) fn ended(&self, thing: Thing) {
        self.ended.change(|known| known.insert(thing));
    }

    /// The transaction took back the end of `thing`, or its time is over.
    pub(in crate::domain) fn resumed(&self, thing: &Thing) {
        self.ended.change(|known| known.remove(thing));
    }

    /// The transaction moved the subject's epoch.
    pub(in crate::domain) fn moved(&self, sub: String, epoch: u64) {
        self.ended
            .change(|known| _ = known.epochs.insert(sub, epoch));
    }
}

/// Ends `thing`, to be remembered until `until`.
pub(in crate::domain) fn put(tx: &Tx<'_>, thing: &Thing, until: Timestamp) -> Result<(), Fault> {
    records::put_ended(tx, &thing.key(), until)
}

/// Takes the end of `thing` back.
pub(in crate::domain) fn remove(tx: &Tx<'_>, thing: &Thing) -> Result<(), Fault> {
    records::remove_ended(tx, &thing.key())
}

/// Moves the subject's epoch: every token issued before is dead. Returns the new epoch.
pub(in crate::domain) fn move_epoch(tx: &Tx<'_>, sub: &str) -> Result<u64, Fault> {
    records::move_epoch(tx, sub)
}

/// Forgets a thing whose tokens have all expired anyway; returns it if it was forgotten.
pub(in crate::domain) fn sweep(
    tx: &Tx<'_>,
    now: Timestamp,
    key: &[u8],
) -> Result<Option<Thing>, Fault> {
    let forgotten = records::sweep_ended(tx, now, key)?;
    Ok(forgotten.as_ref().and_then(Thing::from_key))
}
