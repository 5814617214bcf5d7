//! The store alone: durable writes a second with 1, 8 and 64 writers, each waiting for its own.

#![expect(clippy::expect_used, reason = "a bench that cannot go on stops")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use admit::crypto::seal::{Keyring, MASTER_KEY_LEN};
use admit::kernel::{Fault, Secret, Timestamp};
use admit::store::{RealDisk, Record, Store, Table, Verdict};
use serde::{Deserialize, Serialize};

mod measure;
use measure::{Effort, rate, report};

const FACTS: Table<u64, Fact> = Table::named("facts");

#[derive(Serialize, Deserialize)]
struct Fact(String);

impl Record for Fact {
    const VERSION: u8 = 1;
}

fn main() {
    let effort = Effort::asked();
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
    let mut single = 0.0;
    for writers in [1_u32, 8, 64] {
        let rates: Vec<f64> = (0..effort.turns)
            .map(|_| turn(&store, writers, effort))
            .collect();
        let median = measure::median(&rates);
        if writers == 1 {
            single = median;
        }
        report(
            &format!("durable writes, {writers} writers"),
            &rates,
            Some(("one writer", median / single)),
        );
    }
}

fn turn(store: &Store, writers: u32, effort: Effort) -> f64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                while started.elapsed() < effort.turn {
                    let key = NEXT.fetch_add(1, Ordering::Relaxed);
                    write(store, key).expect("a durable write");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    rate(done.load(Ordering::Relaxed), started)
}

/// A record of about the size of a ticket.
fn write(store: &Store, key: u64) -> Result<(), Fault> {
    let value = Fact("x".repeat(300));
    let written = store.write(|tx| {
        tx.put(&FACTS, &key, &value)?;
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    store.durable(written.mark).wait()
}
