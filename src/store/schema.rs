//! What a store says about itself: a record inside it, and a marker beside it that says data once existed.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::crypto::seal::{RECORD_TAG_LEN, RecordKey};
use crate::kernel::{Fault, Timestamp, files};

use super::record::{Record, decode_body};
use super::table::Table;
use super::tx::Tx;
use super::view::View;

/// The schema this program writes: one more than there are `STEPS`.
pub const SCHEMA: u32 = 1;

/// What leads from one schema to the next, the first of them from 1 to 2.
///
/// A step is taken in a copy of the store that takes its place when all are done, so none has to bear being cut off. It
/// is for what [`Record::upgrade`] cannot do: records that move to another table or another key.
pub(super) const STEPS: &[Step] = &[];

/// One step.
pub(super) type Step = fn(&Stepping<'_>) -> Result<(), Fault>;

/// The copy a step changes.
pub(super) struct Stepping<'a> {
    pub(super) db: &'a sled::Db,
    pub(super) key: &'a RecordKey,
}

#[cfg_attr(not(test), expect(dead_code, reason = "there is no step yet"))]
impl Stepping<'_> {
    /// What is there.
    pub(super) fn view(&self) -> View<'_> {
        let Self { db, key } = *self;
        View { db, key }
    }

    /// One transaction; a few thousand records at most.
    pub(super) fn write<T>(&self, body: impl Fn(&Tx<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        super::apply(self.db, self.key, body)
    }
}

/// The program that writes.
pub(super) const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// The first record of every store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Schema {
    pub(super) number: u32,
    pub(super) created: Timestamp,
    /// Grows at every start, every stop and now and then between; the marker names the last one known to be durable.
    pub(super) step: u64,
    /// Set while what the records promise has not been taken back, see [`CameBack`].
    pub(super) came_back: Option<CameBack>,
    /// Where it was opened last, see [`super::witness`]; nobody knew that of a store of the first version.
    pub(super) place: Option<Place>,
}

/// A digest of a machine and a folder on it.
pub(super) type Place = [u8; RECORD_TAG_LEN];

#[derive(Serialize, Deserialize)]
struct SchemaV1 {
    number: u32,
    created: Timestamp,
    step: u64,
}

/// Why the records may be older than what was promised since: what was spent or ended meanwhile looks alive in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CameBack {
    /// They come from a backup.
    Restored {
        /// The instant the backup shows.
        made_at: Timestamp,
    },
    /// An older copy of the data folder was put in the place of a newer one.
    Copied,
}

impl Record for Schema {
    const VERSION: u8 = 2;

    fn upgrade(version: u8, body: &[u8]) -> Option<Self> {
        let old: SchemaV1 = (version == 1).then(|| decode_body(body))??;
        Some(Self {
            number: old.number,
            created: old.created,
            step: old.step,
            came_back: None,
            place: None,
        })
    }
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
    /// The version that last had the store open; empty before it was noted.
    #[serde(default)]
    pub(super) program: String,
}

/// Moves the store's first record one step on.
pub(super) fn step(tx: &Tx<'_>) -> Result<Schema, Fault> {
    let schema = tx.get(&SCHEMAS, &only())?;
    let mut schema = schema.ok_or_else(|| Fault::internal("the store's first record is gone"))?;
    schema.step += 1;
    tx.put(&SCHEMAS, &only(), &schema)?;
    Ok(schema)
}

/// The same of a store that is being opened, which is here now, and came back if it did.
pub(super) fn arrive(
    tx: &Tx<'_>,
    place: Place,
    came_back: Option<CameBack>,
) -> Result<Schema, Fault> {
    let mut schema = step(tx)?;
    (schema.place, schema.came_back) = (Some(place), came_back);
    tx.put(&SCHEMAS, &only(), &schema)?;
    Ok(schema)
}

/// Says that the records come from an earlier time, until somebody has taken back what they promise.
pub(super) fn came_back(tx: &Tx<'_>, why: CameBack) -> Result<(), Fault> {
    let schema = tx.get(&SCHEMAS, &only())?;
    let mut schema = schema.ok_or_else(|| Fault::internal("the store's first record is gone"))?;
    schema.came_back = Some(why);
    tx.put(&SCHEMAS, &only(), &schema)
}

/// Says that nothing the records promised before is alive any more.
pub(super) fn took_back(tx: &Tx<'_>) -> Result<(), Fault> {
    let schema = tx.get(&SCHEMAS, &only())?;
    let mut schema = schema.ok_or_else(|| Fault::internal("the store's first record is gone"))?;
    schema.came_back = None;
    tx.put(&SCHEMAS, &only(), &schema)
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
        program: PROGRAM.to_owned(),
    };
    let text = serde_json::to_vec_pretty(&marker)?;
    files::write_private(&data_dir.join(MARKER), &text)
}

/// The marker's file name.
pub(super) const MARKER: &str = "store.marker";
