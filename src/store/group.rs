//! Writes that were accepted and have not reached the engine: everybody's, to be applied as one batch (decision 0016).
//!
//! A transaction costs the engine two writes to its file however small it is, so the transactions that arrive while the
//! disk is busy share one. Each was judged against all those before it; a batch is applied whole or not at all.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sled::{Batch, IVec};

use crate::crypto::seal::RecordKey;
use crate::kernel::Fault;

use super::reached;

/// What stands at a place of the engine, or that nothing does any more.
pub(super) type Writes = HashMap<Vec<u8>, Option<IVec>>;

/// The writes of everybody, in the order in which they were accepted.
pub(super) struct Group {
    pending: Mutex<Pending>,
    taken: Condvar,
    key: RecordKey,
    /// Of the newest batch that was applied.
    number: AtomicU64,
    /// How many writes were applied, or are about to be.
    accepted: AtomicU64,
    followed: Mutex<Option<Followed>>,
    is_leaving: AtomicBool,
}

/// The batches that were applied while somebody copies the store, in their order.
#[derive(Default)]
pub(super) struct Followed {
    pub(super) batches: Vec<Arc<Writes>>,
    bytes: usize,
    /// There were more than are kept: whoever follows has lost the thread.
    pub(super) is_lost: bool,
}

impl Followed {
    fn lost() -> Self {
        Self {
            is_lost: true,
            ..Self::default()
        }
    }

    /// The disk waits for nobody's copy: whoever follows too slowly is left behind.
    fn note(&mut self, batch: &Arc<Writes>) {
        if self.is_lost {
            return;
        }
        let sizes = batch
            .iter()
            .map(|(place, value)| place.len() + value.as_ref().map_or(0, |value| value.len()));
        self.bytes += sizes.sum::<usize>();
        self.batches.push(Arc::clone(batch));
        if self.bytes > FOLLOWED_MAX {
            self.is_lost = true;
            self.batches = Vec::new();
        }
    }
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
    /// Of a store that has come this far.
    pub(super) fn on(db: &sled::Db, key: &RecordKey) -> Result<Self, Fault> {
        Ok(Self {
            pending: Mutex::default(),
            taken: Condvar::new(),
            key: key.clone(),
            number: AtomicU64::new(reached::newest(db, key)?),
            accepted: AtomicU64::new(0),
            followed: Mutex::default(),
            is_leaving: AtomicBool::new(false),
        })
    }

    /// The number of the newest batch that was applied.
    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::SeqCst)
    }

    /// How many writes are in the engine since the store was opened, or on their way there.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

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
        let count = batch.len() as u64;
        self.accepted.fetch_add(count, Ordering::SeqCst);
        let mut writes = Batch::default();
        for (place, value) in batch.iter() {
            match value {
                Some(value) => writes.insert(place.as_slice(), value.clone()),
                None => writes.remove(place.as_slice()),
            }
        }
        let number = self.number() + 1;
        let numbered = reached::record(number, &self.key);
        let numbered = numbered.map_err(|fault| sled::Error::ReportableBug(fault.to_string()))?;
        writes.insert(reached::PLACE, numbered);
        // Whoever follows sees a batch neither half nor without being told of it: what is read while it is applied comes
        // before it in the copy, whose end waits for it. Nobody else takes this lock.
        let mut followed = self.followed();
        db.apply_batch(writes)?;
        self.number.store(number, Ordering::SeqCst);
        if let Some(followed) = followed.as_mut() {
            followed.note(&batch);
        }
        drop(followed);
        self.pending().present = Arc::default();
        Ok(())
    }

    /// Begins to keep what is applied; false when somebody follows already.
    pub(super) fn follow(&self) -> bool {
        let mut followed = self.followed();
        let is_first = followed.is_none();
        if is_first {
            *followed = Some(Followed::default());
        }
        is_first
    }

    /// Has whoever follows give up, and nobody follow any more.
    pub(super) fn part(&self) {
        self.is_leaving.store(true, Ordering::SeqCst);
    }

    /// Whether the store is about to be closed.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::SeqCst)
    }

    /// What was applied since the last call.
    pub(super) fn passed(&self) -> Followed {
        let mut followed = self.followed();
        followed.as_mut().map_or_else(Followed::lost, mem::take)
    }

    /// The rest, and nothing is kept any more: what has been passed on by then is a state the store was in.
    pub(super) fn leave(&self) -> Followed {
        self.followed().take().unwrap_or_else(Followed::lost)
    }

    fn followed(&self) -> MutexGuard<'_, Option<Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
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
/// How many bytes of changes are kept for whoever copies the store.
const FOLLOWED_MAX: usize = 32 * 1024 * 1024;
/// How long a writer waits for room before it asks whether the disk has failed.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::sandbox::record_key;
    use super::*;

    #[test]
    fn whoever_leaves_while_a_batch_is_applied_does_not_have_half_of_it() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let group = Group::on(&db, &record_key(1)).unwrap();
        assert!(group.follow());
        let writes = [(b"place".to_vec(), Some(IVec::from(b"value")))];
        group.turn(|| false).accept(writes.into());
        thread::scope(|scope| {
            // As whoever takes the rest and leaves.
            let mut held = group.followed();
            let applying = scope.spawn(|| group.apply(&db));
            while group.accepted() == 0 {
                thread::yield_now();
            }
            for _ in 0..2_000 {
                thread::yield_now();
                assert_eq!(db.get(b"place").unwrap(), None, "applied, and not told");
            }
            assert!(held.take().is_some_and(|rest| rest.batches.is_empty()));
            drop(held);
            applying.join().unwrap().unwrap();
        });
        assert!(db.get(b"place").unwrap().is_some());
        assert!(group.follow());
        group
            .turn(|| false)
            .accept([(b"next".to_vec(), None)].into());
        group.apply(&db).unwrap();
        assert_eq!(group.leave().batches.len(), 1);
    }
}
