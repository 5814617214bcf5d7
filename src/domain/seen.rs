//! When clients and people were last seen. Noted in memory at once and kept within a minute by the background loop, so
//! that no request writes for it or waits; what a power cut forgets of it is that minute.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Cx;
use crate::kernel::{ClientId, Fault, Timestamp, UserId};
use crate::store::{Table, Tx, Verdict};

const CLIENTS_SEEN: Table<ClientId, Timestamp> = Table::named("clients_seen");
const USERS_SEEN: Table<UserId, Timestamp> = Table::named("users_seen");

/// Who was seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// A client, when it said who it is.
    Client(ClientId),
    /// A person, when signing in and while staying so.
    User(UserId),
}

/// Who was seen and when, as it was noted.
pub type Noted = Vec<(Who, Timestamp)>;

/// What was noted and is not kept yet.
#[derive(Default)]
pub(in crate::domain) struct Notes(Mutex<HashMap<Who, Timestamp>>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, HashMap<Who, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some of what is not kept yet.
    fn some(&self, limit: usize) -> Noted {
        let notes = self.lock();
        let some = notes.iter().take(limit);
        some.map(|(who, at)| (who.clone(), *at)).collect()
    }

    /// The store has this now; whoever was seen again since stays noted.
    pub(in crate::domain) fn kept(&self, noted: &Noted) {
        let mut waiting = self.lock();
        for (who, at) in noted {
            if waiting.get(who) == Some(at) {
                waiting.remove(who);
            }
        }
    }
}

/// Notes that somebody is here.
pub(in crate::domain) fn note(cx: &Cx<'_>, who: Who) {
    let now = cx.now.to_millis();
    cx.appliance.notes.lock().insert(who, now);
}

/// When somebody was last seen, if ever.
pub fn last(cx: &Cx<'_>, who: &Who) -> Result<Option<Timestamp>, Fault> {
    let noted = cx.appliance.notes.lock().get(who).copied();
    let kept = match who {
        Who::Client(id) => cx.view().get(&CLIENTS_SEEN, id)?,
        Who::User(id) => cx.view().get(&USERS_SEEN, id)?,
    };
    Ok(noted.max(kept))
}

/// Keeps up to `limit` notes about those who are still there.
pub(in crate::domain) fn keep(
    cx: &Cx<'_>,
    limit: usize,
    is_there: impl Fn(&Tx<'_>, &Who) -> Result<bool, Fault>,
) -> Result<Noted, Fault> {
    let noted = cx.appliance.notes.some(limit);
    if noted.is_empty() {
        return Ok(noted);
    }
    cx.write(|tx| {
        for (who, at) in &noted {
            if is_there(tx, who)? {
                put(tx, who, *at)?;
            }
        }
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    Ok(noted)
}

fn put(tx: &Tx<'_>, who: &Who, at: Timestamp) -> Result<(), Fault> {
    match who {
        Who::Client(id) => tx.put(&CLIENTS_SEEN, id, &at),
        Who::User(id) => tx.put(&USERS_SEEN, id, &at),
    }
}

/// Forgets whoever is not there any more.
pub(in crate::domain) fn forget(tx: &Tx<'_>, who: &Who) -> Result<(), Fault> {
    match who {
        Who::Client(id) => tx.remove(&CLIENTS_SEEN, id)?,
        Who::User(id) => tx.remove(&USERS_SEEN, id)?,
    };
    Ok(())
}
