//! What has been ended before its time: tokens, sign-ins, tickets, and everyone's epoch.
//!
//! Durable in the store, in memory for the check. Both change in the same order, because whoever changes them holds
//! the turn from before the transaction until after the memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::records;
use crate::domain::Cx;
use crate::domain::access::{Caller, Subject};
use crate::kernel::{ClientId, Fault, SessionId, SignInId, Timestamp, TokenId, UserId};
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
    /// Every sign-in that came of one browser session.
    Session(SessionId),
    /// Every token issued to one client, which is gone.
    Client(ClientId),
}

/// What lives on when everything else of a subject ends: the sign-in and the session its password was changed in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spared {
    /// The sign-in, if there is one.
    pub sign_in: Option<SignInId>,
    /// The browser's session, if there is one.
    pub session: Option<SessionId>,
}

/// A subject's epoch, and what it spared when it moved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::domain) struct Epoch {
    pub(super) number: u64,
    pub(super) spared: Spared,
}

impl Epoch {
    /// Whether a sign-in that was issued under `number` is dead.
    fn is_past(&self, number: u64, sign_in: Option<&SignInId>) -> bool {
        let spared = sign_in.is_some() && sign_in == self.spared.sign_in.as_ref();
        number < self.number && !spared
    }

    /// Whether a browser's session that began under `number` is dead.
    fn is_past_session(&self, number: u64, session: &SessionId) -> bool {
        number < self.number && self.spared.session.as_ref() != Some(session)
    }
}

impl Thing {
    /// The numbers are stored: add, never change.
    fn key(&self) -> (u8, String) {
        match self {
            Self::Token(id) => (1, id.to_string()),
            Self::SignIn(id) => (2, id.to_string()),
            Self::Ticket(id) => (3, id.to_string()),
            Self::Session(id) => (4, id.to_string()),
            Self::Client(id) => (5, id.to_string()),
        }
    }

    /// The id of what is ended, as the audit names it.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Token(id) => id.as_str(),
            Self::SignIn(id) => id.as_str(),
            Self::Ticket(id) => id.as_str(),
            Self::Session(id) => id.as_str(),
            Self::Client(id) => id.as_str(),
        }
    }

    fn from_key(key: &(u8, String)) -> Option<Self> {
        let (kind, id) = key;
        match kind {
            1 => id.parse().ok().map(Self::Token),
            2 => id.parse().ok().map(Self::SignIn),
            3 => id.parse().ok().map(Self::Ticket),
            4 => id.parse().ok().map(Self::Session),
            5 => id.parse().ok().map(Self::Client),
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
    sessions: HashSet<SessionId>,
    clients: HashSet<ClientId>,
    epochs: HashMap<String, Epoch>,
}

impl Known {
    fn insert(&mut self, thing: Thing) {
        match thing {
            Thing::Token(id) => _ = self.tokens.insert(id),
            Thing::SignIn(id) => _ = self.sign_ins.insert(id),
            Thing::Ticket(id) => _ = self.tickets.insert(id),
            Thing::Session(id) => _ = self.sessions.insert(id),
            Thing::Client(id) => _ = self.clients.insert(id),
        }
    }

    fn remove(&mut self, thing: &Thing) {
        match thing {
            Thing::Token(id) => _ = self.tokens.remove(id),
            Thing::SignIn(id) => _ = self.sign_ins.remove(id),
            Thing::Ticket(id) => _ = self.tickets.remove(id),
            Thing::Session(id) => _ = self.sessions.remove(id),
            Thing::Client(id) => _ = self.clients.remove(id),
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

    /// Whether the caller's token was ended in any of these ways.
    pub(super) fn covers(&self, caller: &Caller) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (sign_in, session) = (caller.sign_in.as_ref(), caller.session.as_ref());
        let moved_on = |epoch: &Epoch| epoch.is_past(caller.epoch, sign_in);
        let is_ticket = match &caller.subject {
            Subject::Customer(id) => known.tickets.contains(id),
            Subject::User(_) | Subject::Client(_) => false,
        };
        is_ticket
            || known.tokens.contains(&caller.token)
            || sign_in.is_some_and(|id| known.sign_ins.contains(id))
            || session.is_some_and(|id| known.sessions.contains(id))
            || known.clients.contains(&caller.client)
            || (!known.epochs.is_empty()
                && known
                    .epochs
                    .get(&caller.subject.sub())
                    .is_some_and(moved_on))
    }

    /// The subject's epoch, which a new token carries.
    pub(in crate::domain) fn epoch(&self, sub: &str) -> u64 {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .epochs
            .get(sub)
            .map_or(0, |epoch| epoch.number)
    }

    /// Whether a browser's session was ended, itself or with everything of its user that began under `epoch`.
    pub(in crate::domain) fn covers_session(
        &self,
        session: &SessionId,
        sub: &str,
        epoch: u64,
    ) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let moved_on = |now: &Epoch| now.is_past_session(epoch, session);
        known.sessions.contains(session) || known.epochs.get(sub).is_some_and(moved_on)
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
    pub(in crate::domain) fn moved(&self, sub: String, epoch: Epoch) {
        self.ended
            .change(|known| _ = known.epochs.insert(sub, epoch));
    }
}

/// Ends `thing`, to be remembered until `until`.
pub(in crate::domain) fn put(tx: &Tx<'_>, thing: &Thing, until: Timestamp) -> Result<(), Fault> {
    records::put_ended(tx, &thing.key(), until)
}

/// Ends a browser's session and everything that came of it, whether or not the browser still keeps it.
pub(in crate::domain) fn end_session(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    id: &SessionId,
) -> Result<(), Fault> {
    put(tx, &Thing::Session(id.clone()), super::remembered_until(cx))?;
    let families_gone = cx.now.after(cx.policy().tokens.refresh_absolute);
    records::close_session(tx, id, families_gone)
}

/// Whether a browser's session was ended, as the transaction sees it.
pub(super) fn is_session_over(tx: &Tx<'_>, id: &SessionId) -> Result<bool, Fault> {
    records::is_session_closed(tx, id)
}

/// Takes the end of `thing` back.
pub(in crate::domain) fn remove(tx: &Tx<'_>, thing: &Thing) -> Result<(), Fault> {
    records::remove_ended(tx, &thing.key())
}

/// Moves the subject's epoch: everything issued before is dead but what is spared. Returns the new epoch.
pub(in crate::domain) fn move_epoch(
    tx: &Tx<'_>,
    sub: &str,
    spared: Spared,
) -> Result<Epoch, Fault> {
    records::move_epoch(tx, sub, spared)
}

/// Whether a sign-in that began under `number` died when its subject's epoch moved.
pub(in crate::domain) fn is_past(
    tx: &Tx<'_>,
    sub: &str,
    number: u64,
    sign_in: &SignInId,
) -> Result<bool, Fault> {
    let epoch = records::epoch(tx, sub)?;
    Ok(epoch.is_some_and(|epoch| epoch.is_past(number, Some(sign_in))))
}

/// Whether a browser's session that began under `number` died when its user's epoch moved.
pub(in crate::domain) fn is_past_session(
    tx: &Tx<'_>,
    sub: &str,
    number: u64,
    session: &SessionId,
) -> Result<bool, Fault> {
    let epoch = records::epoch(tx, sub)?;
    Ok(epoch.is_some_and(|epoch| epoch.is_past_session(number, session)))
}

/// The subject's epoch as the transaction sees it.
pub(in crate::domain) fn epoch_within(tx: &Tx<'_>, sub: &str) -> Result<u64, Fault> {
    Ok(records::epoch(tx, sub)?.map_or(0, |epoch| epoch.number))
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
