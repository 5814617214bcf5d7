//! Reads outside transactions: one record, a bounded run of records, a table's count.
//!
//! What is read may not be durable yet; whoever spends something reads it again inside a write.

use sled::IVec;

use crate::crypto::seal::RecordKey;
use crate::kernel::Fault;

use super::count::{self, Count};
use super::guard::{guarded, in_words};
use super::key::Key;
use super::record::{self, Place, Record};
use super::table::{self, Table};

/// The store as it stands now.
pub struct View<'a> {
    pub(super) db: &'a sled::Db,
    pub(super) key: &'a RecordKey,
}

impl View<'_> {
    /// The record under `key`.
    pub fn get<K: Key, V: Record>(&self, table: &Table<K, V>, key: &K) -> Result<Option<V>, Fault> {
        let place = table.place(key);
        let bytes = guarded(|| self.db.get(&place)).map_err(|e| unread(table.name(), e))?;
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        self.record(table, &place, &bytes).map(Some)
    }

    /// Up to `limit` records in the order of their keys, beginning with `from` itself.
    pub fn scan<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        from: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, Fault> {
        self.run(table, &table::prefix(table.name()), from, limit)
    }

    /// As [`View::scan`], but only keys whose first part or parts are `first`.
    pub fn scan_prefix<P: Key, K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        first: &P,
        from: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, Fault> {
        let mut prefix = table::prefix(table.name());
        first.write(&mut prefix);
        self.run(table, &prefix, from, limit)
    }

    /// Up to `limit` records against the order of their keys, beginning with the last one before `before`.
    pub fn scan_back<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        before: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, Fault> {
        let begin = table::prefix(table.name());
        let end = before.map_or_else(|| table::end(table.name()), |key| table.place(key));
        let mut found = Vec::new();
        let mut entries = self.db.range(begin..end).rev().take(limit);
        while let Some((place, bytes)) = next(table.name(), &mut entries)? {
            found.push(self.entry(table, &place, &bytes)?);
        }
        Ok(found)
    }

    /// How many records the table of this name has.
    pub fn count_named(&self, table: &str) -> Result<u64, Fault> {
        count_of(self.db, self.key, table)
    }

    /// Goes through the whole table in the order of its keys, with no more than one record in memory.
    pub fn each<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        mut look: impl FnMut(K, V) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut entries = self.db.scan_prefix(table::prefix(table.name()));
        while let Some((place, bytes)) = next(table.name(), &mut entries)? {
            let record = self.record(table, &place, &bytes)?;
            let key = table.key_at(&place);
            look(key.ok_or_else(|| misplaced(table.name(), &place))?, record)?;
        }
        Ok(())
    }

    /// How many records the table has.
    pub fn count<K, V>(&self, table: &Table<K, V>) -> Result<u64, Fault> {
        count_of(self.db, self.key, table.name())
    }

    fn run<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        prefix: &[u8],
        from: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, Fault> {
        let begin = from
            .map(|key| table.place(key))
            .filter(|at| at.as_slice() > prefix);
        let begin = begin.unwrap_or_else(|| prefix.to_vec());
        let mut found = Vec::new();
        let mut entries = self.db.range(begin..).take(limit);
        while let Some((place, bytes)) = next(table.name(), &mut entries)? {
            if !place.starts_with(prefix) {
                break;
            }
            found.push(self.entry(table, &place, &bytes)?);
        }
        Ok(found)
    }

    fn entry<K: Key, V: Record>(
        &self,
        table: &Table<K, V>,
        place: &[u8],
        bytes: &[u8],
    ) -> Result<(K, V), Fault> {
        let record = self.record(table, place, bytes)?;
        let key = table.key_at(place);
        let key = key.ok_or_else(|| misplaced(table.name(), place))?;
        Ok((key, record))
    }

    fn record<K, V: Record>(
        &self,
        table: &Table<K, V>,
        place: &[u8],
        bytes: &[u8],
    ) -> Result<V, Fault> {
        record::read(bytes, within(table.name(), place), self.key)
    }
}

/// The next entry the engine has.
pub(super) fn next(
    table: &str,
    entries: &mut impl Iterator<Item = sled::Result<(IVec, IVec)>>,
) -> Result<Option<(IVec, IVec)>, Fault> {
    guarded(|| entries.next().transpose()).map_err(|error| unread(table, error))
}

/// A record's place, given where the engine keeps it.
pub(super) fn within<'a>(table: &'a str, place: &'a [u8]) -> Place<'a> {
    let key = place.get(table.len() + 1..).unwrap_or_default();
    Place { table, key }
}

/// The count the store keeps of a table.
pub(super) fn count_of(db: &sled::Db, key: &RecordKey, table: &str) -> Result<u64, Fault> {
    let bytes = guarded(|| db.get(count::place(table))).map_err(|e| unread(table, e))?;
    let Some(bytes) = bytes else { return Ok(0) };
    let Count(count) = record::read(&bytes, count::named(table), key)?;
    Ok(count)
}

/// The engine could not read.
pub(super) fn unread(table: &str, error: sled::Error) -> Fault {
    Fault::internal(format!("table {table} cannot be read")).because(in_words(error))
}

fn misplaced(table: &str, place: &[u8]) -> Fault {
    within(table, place).fault("the key cannot be read")
}
