//! Which tables there are, and the words for a count that does not agree.

use std::collections::BTreeSet;

use crate::kernel::Fault;

use super::count;
use super::guard::guarded;
use super::integrity::Damage;
use super::reached;
use super::record::Place;
use super::table;
use super::view::unread;

/// Names of the tables that have records or a count.
pub(super) fn tables(db: &sled::Db) -> Result<Vec<String>, Fault> {
    let mut names = BTreeSet::new();
    let mut from = Vec::new();
    while let Some((place, _)) = next(db, &from)? {
        if *place == *reached::PLACE {
            from = [&*place, &[0]].concat();
            continue;
        }
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

/// The damage of a table whose count does not agree.
pub(super) fn miscounted(name: &str, found: u64, counted: u64) -> Damage {
    Damage {
        table: name.to_owned(),
        key: None,
        what: format!("{counted} records are counted, and {found} are there"),
    }
}

fn next(db: &sled::Db, from: &[u8]) -> Result<Option<(sled::IVec, sled::IVec)>, Fault> {
    let entry = guarded(|| db.range(from..).next().transpose());
    entry.map_err(|error| unread("(any)", error))
}

pub(super) fn stray(place: &[u8]) -> Fault {
    let place = Place {
        table: "(none)",
        key: place,
    };
    place.fault("no table has such a key")
}
