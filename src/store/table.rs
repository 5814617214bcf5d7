//! A table: a name, and what its keys and records are. In the engine it is a prefix of its keys.

use std::fmt;
use std::marker::PhantomData;

use super::key::{self, Key};

/// A table's name and types. Declared once, as a constant.
pub struct Table<K, V> {
    name: &'static str,
    holds: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Table<K, V> {
    /// The table of this name: lower-case ASCII letters and underscores.
    ///
    /// # Panics
    ///
    /// On any other name; in a constant, that does not compile.
    pub const fn named(name: &'static str) -> Self {
        assert!(is_name(name.as_bytes()), "not a table's name");
        Self {
            name,
            holds: PhantomData,
        }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<K: Key, V> Table<K, V> {
    /// Where `key` stands in the engine.
    pub(super) fn place(&self, key: &K) -> Vec<u8> {
        let mut place = prefix(self.name);
        key.write(&mut place);
        place
    }

    /// The key of a place in this table.
    pub(super) fn key_at(&self, place: &[u8]) -> Option<K> {
        key::decode(place.get(self.name.len() + 1..)?)
    }
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({})", self.name)
    }
}

/// What every key of a table begins with.
pub(super) fn prefix(name: &str) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(name.len() + 40);
    prefix.extend_from_slice(name.as_bytes());
    prefix.push(END);
    prefix
}

/// The first place after every key of a table.
pub(super) fn end(name: &str) -> Vec<u8> {
    let mut end = name.as_bytes().to_vec();
    end.push(END + 1);
    end
}

/// The table's name and its key, of a place in the engine.
pub(super) fn parse(place: &[u8]) -> Option<(&str, &[u8])> {
    let at = place.iter().position(|byte| *byte == END)?;
    let (name, rest) = place.split_at_checked(at)?;
    let name = std::str::from_utf8(name).ok()?;
    Some((name, rest.get(1..)?))
}

/// Whether a table may have this name.
pub(super) const fn is_name(name: &[u8]) -> bool {
    let mut rest = name;
    while let [first, tail @ ..] = rest {
        if !first.is_ascii_lowercase() && *first != b'_' {
            return false;
        }
        rest = tail;
    }
    !name.is_empty()
}

const END: u8 = 0x00;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_holds_only_its_own_keys() {
        const A: Table<u8, ()> = Table::named("a");
        const AB: Table<u8, ()> = Table::named("a_b");
        assert!(A.place(&0xff) < end("a"));
        assert!(!(prefix("a")..end("a")).contains(&AB.place(&0)));
        assert_eq!(parse(&AB.place(&7)), Some(("a_b", &[7][..])));
        assert_eq!(AB.key_at(&AB.place(&7)), Some(7));
    }

    #[test]
    fn names_are_lower_case() {
        assert!(is_name(b"tickets_by_org"));
        for name in ["", "Tickets", "a-b", "a b", "a\0", "\u{1}count"] {
            assert!(!is_name(name.as_bytes()), "{name:?}");
        }
    }
}
