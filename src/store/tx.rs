//! One transaction: what a body sees of the store, and what becomes of its writes.
//!
//! A body sees only [`Tx`]. It may run again from the start, so it draws no randomness and calls nothing outside; it
//! cannot scan. Bodies run one at a time: each is microseconds of work, no hashing, no signing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use sled::IVec;

use crate::crypto::seal::RecordKey;
use crate::kernel::Fault;

use super::count::{self, Count};
use super::group::{Pending, Writes};
use super::guard::{guarded, in_words};
use super::key::Key;
use super::record::{self, Record};
use super::table::Table;
use super::view::within;

/// What becomes of a transaction's writes.
#[derive(Debug)]
pub enum Verdict<T, E> {
    /// Keep the writes, return the value.
    Commit(T),
    /// Keep the writes, refuse the caller: the attempt was counted, the family was ended.
    CommitAndRefuse(E),
    /// Drop the writes, refuse the caller.
    Discard(E),
}

/// The store inside one transaction.
pub struct Tx<'a> {
    db: &'a sled::Db,
    pending: &'a Pending,
    key: &'a RecordKey,
    writes: RefCell<Writes>,
    deltas: RefCell<BTreeMap<&'static str, i64>>,
    faulted: Cell<bool>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(db: &'a sled::Db, pending: &'a Pending, key: &'a RecordKey) -> Self {
        Self {
            db,
            pending,
            key,
            writes: RefCell::default(),
            deltas: RefCell::default(),
            faulted: Cell::default(),
        }
    }

    /// The record under `key`, with this transaction's own writes.
    pub fn get<K: Key, V: Record>(&self, table: &Table<K, V>, key: &K) -> Result<Option<V>, Fault> {
        let place = table.place(key);
        let Some(bytes) = self.seen(self.at(table.name(), &place))? else {
            return Ok(None);
        };
        let record = record::read(&bytes, within(table.name(), &place), self.key);
        self.seen(record).map(Some)
    }

    /// Keeps `record` under `key`, in place of what stood there.
    pub fn put<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        key: &K,
        record: &V,
    ) -> Result<(), Fault> {
        let place = table.place(key);
        let bytes = self.seen(record::write(
            record,
            within(table.name(), &place),
            self.key,
        ))?;
        let before = self.seen(self.at(table.name(), &place))?;
        self.writes.borrow_mut().insert(place, Some(bytes.into()));
        self.counted(table.name(), i64::from(before.is_none()));
        Ok(())
    }

    /// Removes the record under `key`; false when there was none.
    pub fn remove<K: Key, V: Record>(&self, table: &Table<K, V>, key: &K) -> Result<bool, Fault> {
        let place = table.place(key);
        let before = self.seen(self.at(table.name(), &place))?;
        if before.is_some() {
            self.writes.borrow_mut().insert(place, None);
            self.counted(table.name(), -1);
        }
        Ok(before.is_some())
    }

    /// The tables this transaction has written, in alphabetical order.
    pub fn written(&self) -> Vec<&'static str> {
        self.deltas.borrow().keys().copied().collect()
    }

    /// The writes to keep, the counts of the tables in line with what was put and removed.
    pub(super) fn settle(self) -> Result<Writes, Fault> {
        if self.faulted.get() {
            return Err(Fault::internal("a transaction went on after a fault"));
        }
        for (table, delta) in self.deltas.take() {
            if delta == 0 {
                continue;
            }
            let place = count::place(table);
            let named = count::named(table);
            let Count(count) = match self.at(table, &place)? {
                Some(bytes) => record::read(&bytes, named, self.key)?,
                None => Count(0),
            };
            let count = count
                .checked_add_signed(delta)
                .ok_or_else(|| named.fault("more records were removed than counted"))?;
            let bytes = record::write(&Count(count), named, self.key)?;
            self.writes.borrow_mut().insert(place, Some(bytes.into()));
        }
        Ok(self.writes.into_inner())
    }

    /// What stands at a place: this transaction's own write, else one that is pending, else the engine's.
    fn at(&self, table: &str, place: &[u8]) -> Result<Option<IVec>, Fault> {
        if let Some(own) = self.writes.borrow().get(place) {
            return Ok(own.clone());
        }
        if let Some(pending) = self.pending.get(place) {
            return Ok(pending.clone());
        }
        // Nothing was decided yet, and an engine that cannot read will not write: 503, not a mistake of ours.
        guarded(|| self.db.get(place)).map_err(|error| {
            Fault::unavailable(format!("table {table} cannot be read for a write"))
                .because(in_words(error))
        })
    }

    fn counted(&self, table: &'static str, delta: i64) {
        *self.deltas.borrow_mut().entry(table).or_default() += delta;
    }

    /// Remembers a fault, so that a body that swallows it does not commit half of what it meant.
    fn seen<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        if result.is_err() {
            self.faulted.set(true);
        }
        result
    }
}
