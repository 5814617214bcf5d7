//! A folder of its own for each test, and stores opened in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::crypto::seal::{Keyring, MASTER_KEY_LEN, RecordKey};
use crate::kernel::{Secret, Timestamp};

use super::opening::FOLDER;
use super::{Disk, Lock, OpenError, RealDisk, Record, Site, Store, Table};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Note(pub(super) String);

impl Record for Note {
    const VERSION: u8 = 1;
}

pub(super) const NOTES: Table<u64, Note> = Table::named("notes");
pub(super) const NOTES_BY_OWNER: Table<(String, u64), ()> = Table::named("notes_by_owner");

pub(super) fn note(text: &str) -> Note {
    Note(text.to_owned())
}

pub(super) fn record_key(seed: u8) -> RecordKey {
    let keyring = Keyring::derive(&Secret::new([seed; MASTER_KEY_LEN])).unwrap();
    keyring.records().clone()
}

pub(super) struct Sandbox(PathBuf);

impl Sandbox {
    pub(super) fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let made = MADE.fetch_add(1, Ordering::SeqCst);
        let name = format!("admit-store-{}-{made}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A folder that another process made.
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.0.join(FOLDER)
    }

    pub(super) fn open(&self) -> Store {
        self.try_open().unwrap()
    }

    pub(super) fn try_open(&self) -> Result<Store, OpenError> {
        self.open_on(Arc::new(RealDisk))
    }

    pub(super) fn open_on(&self, disk: Arc<dyn Disk>) -> Result<Store, OpenError> {
        self.open_as(1, disk)
    }

    pub(super) fn open_as(&self, seed: u8, disk: Arc<dyn Disk>) -> Result<Store, OpenError> {
        let now = Timestamp::from_seconds(1_795_303_402);
        Store::open(&self.0, record_key(seed), disk, now)
    }

    /// With a witness, or as the operator accepts an older store.
    pub(super) fn open_at(
        &self,
        witness: Option<&Path>,
        accepts_older: bool,
    ) -> Result<Store, OpenError> {
        let site = Site {
            data_dir: &self.0,
            witness,
            accepts_older,
        };
        let now = Timestamp::from_seconds(1_795_303_402);
        let disk = Arc::new(RealDisk);
        Store::open_locked(Lock::take(&self.0)?, site, record_key(1), disk, now)
    }

    pub(super) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Keeps a note and says whether it was made durable.
pub(super) fn keep(store: &Store, key: u64, text: &str) -> bool {
    let written = store.write::<(), ()>(|tx| {
        tx.put(&NOTES, &key, &note(text))?;
        Ok(super::Verdict::Commit(()))
    });
    written.is_ok_and(|written| store.durable(written.mark).wait().is_ok())
}
