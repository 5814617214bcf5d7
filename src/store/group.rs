//! Writes that were accepted and have not reached the engine: everybody's, to be applied as one batch (decision 0016).
//!
//! A transaction costs the engine two writes to its file however small it is, so the transactions that arrive while the
//! disk is busy share one. Each was judged against all those before it; a batch is applied whole or not at all.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sled::{Batch, IVec};

/// What stands at a place of the engine, or that nothing does any more.
pub(super) type Writes = HashMap<Vec<u8>, Option<IVec>>;

/// The writes of everybody, in the order in which they were accepted.
#[derive(Default)]
pub(super) struct Group {
    pending: Mutex<Pending>,
    taken: Condvar,
}

/// What is not in the engine yet, in two layers: what the next batch takes, and below it what the present one took.
#[derive(Default)]
pub(super) struct Pending {
    next: Writes,
    bytes: usize,
    present: Arc<Writes>,
}

impl Pending {
    /// What a pending write put at `place`; `None` when there is none and the engine has the answer.
    pub(super) fn get(&self, place: &[u8]) -> Option<&Option<IVec>> {
        self.next.get(place).or_else(|| self.present.get(place))
    }

    /// Accepts the writes of one transaction.
    pub(super) fn accept(&mut self, writes: Writes) {
        for (place, value) in writes {
            self.bytes += place.len() + value.as_ref().map_or(0, |value| value.len());
            self.next.insert(place, value);
        }
    }
}

impl Group {
    /// The turn to run a transaction, once there is room for its writes or `is_over` says that there never will be.
    pub(super) fn turn(&self, is_over: impl Fn() -> bool) -> MutexGuard<'_, Pending> {
        let mut pending = self.pending();
        while pending.bytes >= ROOM && !is_over() {
            let waited = self.taken.wait_timeout(pending, LOOK_AGAIN);
            pending = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        pending
    }

    /// Applies everything accepted so far; it stays visible to transactions throughout.
    pub(super) fn apply(&self, db: &sled::Db) -> Result<(), sled::Error> {
        let batch = self.take();
        if batch.is_empty() {
            return Ok(());
        }
        let mut writes = Batch::default();
        for (place, value) in batch.iter() {
            match value {
                Some(value) => writes.insert(place.as_slice(), value.clone()),
                None => writes.remove(place.as_slice()),
            }
        }
        db.apply_batch(writes)?;
        self.pending().present = Arc::default();
        Ok(())
    }

    fn take(&self) -> Arc<Writes> {
        let mut pending = self.pending();
        pending.bytes = 0;
        pending.present = Arc::new(mem::take(&mut pending.next));
        self.taken.notify_all();
        Arc::clone(&pending.present)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes one batch may grow to before writers wait for the next one: half of what the engine takes at once.
const ROOM: usize = 4 * 1024 * 1024;
/// How long a writer waits for room before it asks whether the disk has failed.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
