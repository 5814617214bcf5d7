//! A store alone, and writers that each wait until the disk has what they wrote.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use admit::crypto::seal::{Keyring, MASTER_KEY_LEN};
use admit::kernel::{Fault, Secret, Timestamp};
use admit::store::{RealDisk, Record, Store, Table, Verdict};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::measure::{Effort, rate};

const FACTS: Table<u64, Fact> = Table::named("facts");

#[derive(Serialize, Deserialize)]
struct Fact(String);

impl Record for Fact {
    const VERSION: u8 = 1;
}

/// A store in a folder of its own.
pub(crate) struct Durable {
    store: Store,
    _dir: TempDir,
}

impl Durable {
    pub(crate) fn open() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let keyring = Keyring::derive(&Secret::new([7; MASTER_KEY_LEN])).expect("keys");
        let now = Timestamp::from_seconds(1_800_000_000);
        let store = Store::open(
            dir.path(),
            keyring.records().clone(),
            Arc::new(RealDisk),
            now,
        )
        .expect("a store");
        Self { store, _dir: dir }
    }

    /// Durable writes a second with so many writers.
    pub(crate) fn turn(&self, writers: usize, effort: Effort) -> f64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let done = AtomicU64::new(0);
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..writers {
                scope.spawn(|| {
                    while started.elapsed() < effort.turn {
                        let key = NEXT.fetch_add(1, Ordering::Relaxed);
                        self.write(key).expect("a durable write");
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        rate(done.load(Ordering::Relaxed), started)
    }

    /// A record of about the size of a ticket.
    fn write(&self, key: u64) -> Result<(), Fault> {
        let value = Fact("x".repeat(300));
        let written = self.store.write(|tx| {
            tx.put(&FACTS, &key, &value)?;
            Ok(Verdict::<(), Fault>::Commit(()))
        })?;
        self.store.durable(written.mark).wait()
    }
}
