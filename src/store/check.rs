//! The scrub: every record's checksum, and every table's count against what is there.

use std::collections::BTreeSet;

use crate::crypto::seal::RecordKey;
use crate::kernel::Fault;

use super::count;
use super::record::{self, Place};
use super::table;
use super::view::{count_of, unread, within};

/// Names of the tables that have records or a count.
pub(super) fn tables(db: &sled::Db) -> Result<Vec<String>, Fault> {
    let mut names = BTreeSet::new();
    let mut from = Vec::new();
    while let Some((place, _)) = next(db, &from)? {
        let (name, counted) = match place.strip_prefix(count::PREFIX) {
            Some(name) => (std::str::from_utf8(name).ok(), true),
            None => (table::parse(&place).map(|(name, _)| name), false),
        };
        let name = name
            .filter(|name| table::is_name(name.as_bytes()))
            .ok_or_else(|| stray(&place))?;
        from = if counted {
            [&*place, &[0]].concat()
        } else {
            table::end(name)
        };
        names.insert(name.to_owned());
    }
    Ok(names.into_iter().collect())
}

/// Verifies every record of a table; how many there are, and how many are counted.
pub(super) fn table(db: &sled::Db, key: &RecordKey, name: &str) -> Result<(u64, u64), Fault> {
    let mut found = 0;
    for entry in db.scan_prefix(table::prefix(name)) {
        let (place, bytes) = entry.map_err(|e| unread(name, e))?;
        record::verify(&bytes, within(name, &place), key)?;
        found += 1;
    }
    Ok((found, count_of(db, key, name)?))
}

/// The fault of a table whose count does not agree.
pub(super) fn miscounted(name: &str, found: u64, counted: u64) -> Fault {
    Fault::internal(format!(
        "table {name}: {counted} records are counted, and {found} are there"
    ))
}

fn next(db: &sled::Db, from: &[u8]) -> Result<Option<(sled::IVec, sled::IVec)>, Fault> {
    let entry = db.range(from..).next();
    entry.transpose().map_err(|error| unread("(any)", error))
}

fn stray(place: &[u8]) -> Fault {
    let place = Place {
        table: "(none)",
        key: place,
    };
    place.fault("no table has such a key")
}
