//! What a store says about itself: a record inside it, and a marker beside it that says data once existed.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::kernel::{Fault, Timestamp};

use super::record::Record;
use super::table::Table;
use super::tx::Tx;

/// The schema this program writes.
pub const SCHEMA: u32 = 1;

/// The first record of every store.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Schema {
    pub(super) number: u32,
    pub(super) created: Timestamp,
    /// Grows at every start, every stop and now and then between; the marker names the last one known to be durable.
    pub(super) step: u64,
}

impl Record for Schema {
    const VERSION: u8 = 1;
}

pub(super) const SCHEMAS: Table<String, Schema> = Table::named("store_schema");

/// The key of the only record in [`SCHEMAS`].
pub(super) fn only() -> String {
    String::from("store")
}

/// What the marker says.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) schema: u32,
    pub(super) step: u64,
    created: String,
    purpose: String,
}

/// Moves the store's first record one step on.
pub(super) fn step(tx: &Tx<'_>) -> Result<Schema, Fault> {
    let schema = tx.get(&SCHEMAS, &only())?;
    let mut schema = schema.ok_or_else(|| Fault::internal("the store's first record is gone"))?;
    schema.step += 1;
    tx.put(&SCHEMAS, &only(), &schema)?;
    Ok(schema)
}

/// The marker in `data_dir`, all zero if it is unreadable; None: no data ever existed there.
pub(super) fn marked(data_dir: &Path) -> io::Result<Option<Marker>> {
    let text = match fs::read(data_dir.join(MARKER)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(serde_json::from_slice(&text).unwrap_or_default()))
}

/// Says in `data_dir`, durably, that data exists from now on.
pub(super) fn mark(data_dir: &Path, schema: Schema) -> io::Result<()> {
    let marker = Marker {
        schema: schema.number,
        step: schema.step,
        created: schema.created.to_string(),
        purpose: "Says that a store was made here, so that its disappearance is noticed."
            .to_owned(),
    };
    let unfinished = data_dir.join(MARKER_UNFINISHED);
    fs::write(&unfinished, serde_json::to_vec_pretty(&marker)?)?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, data_dir.join(MARKER))?;
    File::open(data_dir)?.sync_all()
}

/// The marker's file name.
pub(super) const MARKER: &str = "store.marker";
const MARKER_UNFINISHED: &str = "store.marker.unfinished";
