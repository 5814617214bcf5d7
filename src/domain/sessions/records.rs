//! Sessions as stored.

use serde::{Deserialize, Serialize};

use super::Session;
use crate::domain::expiries::{self, Kind};
use crate::kernel::{Digest, Fault, OrgId, SessionId, Timestamp, UserId};
use crate::store::{Record, Table, Tx, View};

const SESSIONS: Table<SessionId, SessionRecord> = Table::named("sessions");

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SessionRecord {
    pub user: UserId,
    pub organization: OrgId,
    pub secret: Digest,
    pub signed_in_at: Timestamp,
    pub idle_until: Timestamp,
    pub ends_at: Timestamp,
    pub epoch: u64,
}

impl Record for SessionRecord {
    const VERSION: u8 = 1;
}

impl SessionRecord {
    /// The last instant at which it could be used.
    pub(super) fn last_use(&self) -> Timestamp {
        self.idle_until.min(self.ends_at)
    }

    pub(super) fn session(&self, id: &SessionId) -> Session {
        Session {
            id: id.clone(),
            user: self.user.clone(),
            organization: self.organization.clone(),
            signed_in_at: self.signed_in_at,
            epoch: self.epoch,
        }
    }
}

pub(super) fn get(view: &View<'_>, id: &SessionId) -> Result<Option<SessionRecord>, Fault> {
    view.get(&SESSIONS, id)
}

pub(super) fn load(tx: &Tx<'_>, id: &SessionId) -> Result<Option<SessionRecord>, Fault> {
    tx.get(&SESSIONS, id)
}

pub(super) fn put(tx: &Tx<'_>, id: &SessionId, record: &SessionRecord) -> Result<(), Fault> {
    tx.put(&SESSIONS, id, record)
}

pub(super) fn remove(tx: &Tx<'_>, id: &SessionId) -> Result<(), Fault> {
    tx.remove(&SESSIONS, id)?;
    Ok(())
}

/// Asks for a session to be swept when it can no longer be used.
pub(super) fn expect(tx: &Tx<'_>, id: &SessionId, over_at: Timestamp) -> Result<(), Fault> {
    expiries::expect(tx, over_at, Kind::Session, id.as_str().as_bytes())
}

pub(super) fn sweep(tx: &Tx<'_>, now: Timestamp, key: &[u8]) -> Result<(), Fault> {
    let id = std::str::from_utf8(key).ok().and_then(|id| id.parse().ok());
    let Some(id) = id else { return Ok(()) };
    let Some(record) = load(tx, &id)? else {
        return Ok(());
    };
    if record.last_use() > now {
        return expect(tx, &id, record.last_use());
    }
    remove(tx, &id)
}
