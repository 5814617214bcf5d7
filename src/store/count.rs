//! How many records each table has: a record of its own that changes in the transaction that changes the table.
//!
//! A record that silently vanished is noticed because its table's count does not agree.

use serde::{Deserialize, Serialize};

use super::record::{Place, Record};

/// One table's count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count(pub(super) u64);

impl Record for Count {
    const VERSION: u8 = 1;
}

/// What the places of all counts begin with; no table's name does.
pub(super) const PREFIX: &[u8] = b"\x01count\0";

/// Where the engine keeps a table's count.
pub(super) fn place(table: &str) -> Vec<u8> {
    [PREFIX, table.as_bytes()].concat()
}

/// What a count is checked against.
pub(super) fn named(table: &str) -> Place<'_> {
    Place {
        table: "\x01count",
        key: table.as_bytes(),
    }
}
