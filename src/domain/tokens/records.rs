//! Token facts as stored: one record a refresh family, one a thing ended, one a subject whose epoch moved.

use serde::{Deserialize, Serialize};

use super::ended::{Epoch, Spared};
use crate::domain::access::{Roles, Vouched};
use crate::domain::{Front, expiries};
use crate::kernel::{
    ClientId, Digest, FamilyId, Fault, OrgId, SessionId, SignInId, Timestamp, UserId,
};
use crate::store::{Key, Record, Table, Tx, View};

const FAMILIES: Table<FamilyId, FamilyRecord> = Table::named("families");
const ENDED: Table<(u8, String), EndedRecord> = Table::named("ended");
const EPOCHS: Table<String, Epoch> = Table::named("epochs");

/// A page of a scan at start.
const PAGE: usize = 1_000;

/// Whom a family speaks for. Stored by position: add at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Holder {
    /// A customer, by the ticket's user id and the digest of the ticket's id.
    Customer { user: UserId, ticket: Digest },
    /// A person with an account.
    User(UserId),
}

/// Where a family stands. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Standing {
    Live,
    Ended,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FamilyRecord {
    pub holder: Holder,
    pub client: ClientId,
    pub organization: OrgId,
    pub roles: Roles,
    pub scope: String,
    pub sign_in: SignInId,
    pub standing: Standing,
    pub generation: u32,
    pub opened_at: Timestamp,
    pub rotated_at: Timestamp,
    pub idle_until: Timestamp,
    pub ends_at: Timestamp,
    pub epoch: u64,
    pub front: Front,
    pub session: Option<SessionId>,
    pub signed_in_at: Option<Timestamp>,
    pub claims: Vec<String>,
    pub vouched: Option<Vouched>,
}

impl Record for FamilyRecord {
    const VERSION: u8 = 1;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct EndedRecord {
    until: Timestamp,
}

impl Record for EndedRecord {
    const VERSION: u8 = 1;
}

impl Record for Epoch {
    const VERSION: u8 = 1;
}

pub(super) fn family(tx: &Tx<'_>, id: &FamilyId) -> Result<Option<FamilyRecord>, Fault> {
    tx.get(&FAMILIES, id)
}

pub(super) fn put_family(tx: &Tx<'_>, id: &FamilyId, family: &FamilyRecord) -> Result<(), Fault> {
    tx.put(&FAMILIES, id, family)
}

/// Asks for a family to be swept when it can no longer be used.
pub(super) fn expect_family(tx: &Tx<'_>, id: &FamilyId, over_at: Timestamp) -> Result<(), Fault> {
    expiries::expect(tx, over_at, expiries::Kind::Family, id.as_bytes())
}

impl FamilyRecord {
    /// The last instant at which its newest token could be used.
    pub(super) fn last_use(&self) -> Timestamp {
        self.idle_until.min(self.ends_at)
    }
}

/// Removes a family that can no longer be used, or asks to be woken when it cannot.
pub(super) fn sweep_family(
    tx: &Tx<'_>,
    now: Timestamp,
    key: &[u8],
    ticket_ends: impl Fn(Digest) -> Result<Option<Timestamp>, Fault>,
) -> Result<(), Fault> {
    let Ok(id) = <[u8; 16]>::try_from(key).map(FamilyId::from_bytes) else {
        return Ok(());
    };
    let Some(family) = tx.get(&FAMILIES, &id)? else {
        return Ok(());
    };
    let over_at = match &family.holder {
        Holder::Customer { ticket, .. } => {
            ticket_ends(*ticket)?.map(|ends| family.last_use().min(ends))
        }
        Holder::User(_) => Some(family.last_use()),
    };
    if let Some(over_at) = over_at.filter(|at| *at > now) {
        return expect_family(tx, &id, over_at);
    }
    tx.remove(&FAMILIES, &id)?;
    Ok(())
}

pub(super) fn put_ended(tx: &Tx<'_>, key: &(u8, String), until: Timestamp) -> Result<(), Fault> {
    tx.put(&ENDED, key, &EndedRecord { until })?;
    let mut due = Vec::new();
    key.write(&mut due);
    expiries::expect(tx, until, expiries::Kind::Ended, &due)
}

/// Notes that a session is over for refresh families, which outlive access tokens. Nothing of it is held in memory.
pub(super) fn close_session(tx: &Tx<'_>, id: &SessionId, until: Timestamp) -> Result<(), Fault> {
    put_ended(tx, &closed(id), until)
}

pub(super) fn is_session_closed(tx: &Tx<'_>, id: &SessionId) -> Result<bool, Fault> {
    Ok(tx.get(&ENDED, &closed(id))?.is_some())
}

/// The number is stored, beside those of [`super::Thing`].
fn closed(id: &SessionId) -> (u8, String) {
    (CLOSED_SESSION, id.to_string())
}

const CLOSED_SESSION: u8 = 100;

pub(super) fn remove_ended(tx: &Tx<'_>, key: &(u8, String)) -> Result<(), Fault> {
    tx.remove(&ENDED, key)?;
    Ok(())
}

pub(super) fn sweep_ended(
    tx: &Tx<'_>,
    now: Timestamp,
    key: &[u8],
) -> Result<Option<(u8, String)>, Fault> {
    let Some(key) = <(u8, String)>::read(&mut &*key) else {
        return Ok(None);
    };
    let over = tx
        .get(&ENDED, &key)?
        .is_some_and(|record| record.until <= now);
    if !over {
        return Ok(None);
    }
    tx.remove(&ENDED, &key)?;
    Ok(Some(key))
}

pub(super) fn epoch(tx: &Tx<'_>, sub: &str) -> Result<Option<Epoch>, Fault> {
    tx.get(&EPOCHS, &sub.to_owned())
}

pub(super) fn move_epoch(tx: &Tx<'_>, sub: &str, spared: Spared) -> Result<Epoch, Fault> {
    let before = epoch(tx, sub)?.map_or(0, |epoch| epoch.number);
    let epoch = Epoch {
        number: before.saturating_add(1),
        spared,
    };
    tx.put(&EPOCHS, &sub.to_owned(), &epoch)?;
    Ok(epoch)
}

pub(super) fn all_ended(view: &View<'_>) -> Result<Vec<(u8, String)>, Fault> {
    let all = every(view, &ENDED)?;
    Ok(all.into_iter().map(|(key, _)| key).collect())
}

pub(super) fn all_epochs(view: &View<'_>) -> Result<Vec<(String, Epoch)>, Fault> {
    every(view, &EPOCHS)
}

fn every<K: Key + Clone, V: Record>(
    view: &View<'_>,
    table: &Table<K, V>,
) -> Result<Vec<(K, V)>, Fault> {
    let mut all: Vec<(K, V)> = Vec::new();
    loop {
        let from = all.last().map(|(key, _)| key.clone());
        let page = view.scan(table, from.as_ref(), PAGE)?;
        let last = page.len() < PAGE;
        all.extend(page.into_iter().skip(usize::from(from.is_some())));
        if last {
            return Ok(all);
        }
    }
}
