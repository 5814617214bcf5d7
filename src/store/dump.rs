//! A whole store as a stream of bytes, taken while it serves, and a store made from such a stream.
//!
//! The engine has no snapshots, and a copy of a store that changes shows no state it was ever in. So every batch that is
//! applied while the copy runs is written into the stream as well, behind whatever the copy had read before it. Whoever
//! reads takes the last word on each place, and has the store as it was when the last batch was taken: every
//! transaction whole, and everything in it that was answered before. Memory is bounded by what the disk takes up in a
//! moment; nobody's write waits for the copy, which is given up if its target is slower than the changes.
//!
//! Records travel as they are stored, checksums and all, and are good only under the master key they were written with.
//! Knows neither files nor encryption: see `crypto::stream` and `upkeep::backup`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use serde::{Deserialize, Serialize};

use crate::crypto::seal::RecordKey;
use crate::kernel::{Fault, Timestamp};

use super::commit::Barrier;
use super::count::{self, Count};
use super::disk::RealDisk;
use super::engine::{await_closed, engine_at};
use super::group::{Followed, Group};
use super::guard::{caught, guarded};
use super::opening::FOLDER;
use super::record::{self, RECORD_LEN_MAX};
use super::refused::OpenError;
use super::schema::{self, SCHEMA, SCHEMAS, Schema};
use super::view::unread;
use super::{CameBack, Store, check, integrity, reached, table, view};

/// What is done about a record that cannot be read.
pub enum Damage<'a> {
    /// The copy ends with a fault that names it.
    Refuse,
    /// It is left out and named here: what is left of a damaged store.
    Skip(&'a mut Vec<String>),
}

/// How a copy is to be made.
pub struct Dump<'a> {
    /// What is done about damage.
    pub damage: Damage<'a>,
    /// The present instant.
    pub now: &'a dyn Fn() -> Timestamp,
    /// Is told how many records are written, of how many.
    pub tell: &'a dyn Fn(u64, u64),
}

/// What a stream holds, as its end says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The instant whose state it shows: everything answered before is in it.
    pub made_at: Timestamp,
    /// The schema of the records.
    pub schema: u32,
    /// How many records each table has.
    pub tables: Vec<(String, u64)>,
    /// Records that could not be read were left out.
    pub is_salvaged: bool,
}

/// Why a store was not copied.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// One copy at a time.
    #[error("another backup is being made: try again when it is done")]
    Busy,
    /// The store is about to be closed.
    #[error(
        "the server is stopping: make the backup again when it runs, or now that it is stopped"
    )]
    Leaving,
    /// The changes came faster than they could be written.
    #[error(
        "what the backup is written to is slower than the changes to the store: write it somewhere faster, or at a quieter hour"
    )]
    Overtaken,
    /// The target.
    #[error("{0}")]
    Target(#[from] io::Error),
    /// The store.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a stream was not read, or no store made from it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not what a dump writes.
    #[error("its contents are damaged: {0}")]
    Damaged(String),
    /// A newer program wrote it.
    #[error(
        "its records have schema {found}, and this program knows up to {SCHEMA}: use the version that made it, or a newer one"
    )]
    Newer {
        /// The records' schema number.
        found: u32,
    },
    /// The source.
    #[error(transparent)]
    Source(#[from] io::Error),
    /// The store that is made.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The same, by one of its records.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Store {
    /// Writes the whole store, as it is at one instant, while others go on changing it.
    pub fn dump(&self, out: &mut dyn Write, how: Dump<'_>) -> Result<Contents, DumpError> {
        if !self.group.follow() {
            return Err(DumpError::Busy);
        }
        let following = Following {
            group: &self.group,
            has_left: Cell::new(false),
        };
        copy(&self.db, &self.key, Some(&following), out, how)
    }

    /// Has a copy that is under way end without a result, so that the store can be closed soon.
    pub fn end_dumps(&self) {
        self.group.part();
    }
}

/// A store that is about to be changed by a newer program, and has not been yet.
pub struct Unchanged<'a> {
    pub(super) db: &'a sled::Db,
    pub(super) key: &'a RecordKey,
}

impl Unchanged<'_> {
    /// Writes the whole store.
    pub fn dump(&self, out: &mut dyn Write, how: Dump<'_>) -> Result<Contents, DumpError> {
        copy(self.db, self.key, None, out, how)
    }
}

/// Keeps what is applied, until it goes.
struct Following<'a> {
    group: &'a Group,
    has_left: Cell<bool>,
}

impl Following<'_> {
    /// The rest. From then on somebody else may follow.
    fn leave(&self) -> Followed {
        self.has_left.set(true);
        self.group.leave()
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        if !self.has_left.get() {
            self.group.leave();
        }
    }
}

fn copy(
    db: &sled::Db,
    key: &RecordKey,
    following: Option<&Following<'_>>,
    out: &mut dyn Write,
    how: Dump<'_>,
) -> Result<Contents, DumpError> {
    let Dump { damage, now, tell } = how;
    let mut copying = Copying {
        db,
        key,
        out: Stream::to(out),
        damage,
        counts: BTreeMap::new(),
        found: BTreeMap::new(),
    };
    copying.records(following, tell)?;
    // Whatever is answered by now was applied before, and is among the rest.
    let made_at = now();
    if let Some(following) = following {
        copying.changes(following.leave())?;
    }
    copying.end(made_at)
}

struct Copying<'a, 'o> {
    db: &'a sled::Db,
    key: &'a RecordKey,
    out: Stream<'o>,
    damage: Damage<'a>,
    /// The last word on each table's count.
    counts: BTreeMap<String, u64>,
    /// How many records of each table were written.
    found: BTreeMap<String, u64>,
}

impl Copying<'_, '_> {
    fn records(
        &mut self,
        following: Option<&Following<'_>>,
        tell: &dyn Fn(u64, u64),
    ) -> Result<(), DumpError> {
        let (mut from, mut done) = (Vec::new(), 0);
        loop {
            let (page, trouble) = integrity::run(self.db, &from, None);
            if let Some(error) = trouble
                && (page.is_empty() || matches!(self.damage, Damage::Refuse))
            {
                match self.beyond(&from, error)? {
                    Some(beyond) => from = beyond,
                    None => return self.is_something(),
                }
                continue;
            }
            let Some((last, _)) = page.last() else {
                return self.is_something();
            };
            from = [last, &[0][..]].concat();
            // The number of a batch belongs to the files it is in.
            let records = page.iter().filter(|(place, _)| **place != *reached::PLACE);
            for (place, bytes) in records {
                if self.is_sound(place, bytes)? {
                    self.put(place, bytes)?;
                    self.tally(place);
                }
            }
            done += page.len() as u64;
            // The counts come first, so that by now it is known how many records there are.
            tell(done, self.counts.values().sum::<u64>().max(done));
            // Behind the page: a batch that was passed on before it was read is in it.
            if let Some(Following { group, .. }) = following {
                if group.is_leaving() {
                    return Err(DumpError::Leaving);
                }
                self.changes(group.passed())?;
            }
        }
    }

    /// Where reading may go on behind pages the engine cannot read, if what is damaged is left out.
    fn beyond(&mut self, from: &[u8], error: sled::Error) -> Result<Option<Vec<u8>>, Fault> {
        let named = table::parse(from).map_or("(any)", |(name, _)| name);
        let fault = unread(named, error);
        let Damage::Skip(left_out) = &mut self.damage else {
            return Err(fault);
        };
        left_out.push(fault.to_string());
        Ok(integrity::next_readable(self.db, from, None))
    }

    /// Nothing at all is no copy of a store, which has its first record: it must not be kept as one.
    fn is_something(&self) -> Result<(), DumpError> {
        if self.found.is_empty() {
            return Err(Fault::internal("no record of the store can be read").into());
        }
        Ok(())
    }

    /// Counts what was written of each table; a table's count stands in none.
    fn tally(&mut self, place: &[u8]) {
        let named = table::parse(place).filter(|_| !place.starts_with(count::PREFIX));
        let Some((name, _)) = named else { return };
        match self.found.get_mut(name) {
            Some(found) => *found += 1,
            None => drop(self.found.insert(name.to_owned(), 1)),
        }
    }

    fn is_sound(&mut self, place: &[u8], bytes: &[u8]) -> Result<bool, Fault> {
        match sound(place, bytes, self.key) {
            Ok(()) => Ok(true),
            Err(fault) => match &mut self.damage {
                Damage::Refuse => Err(fault),
                Damage::Skip(left_out) => {
                    left_out.push(fault.to_string());
                    Ok(false)
                }
            },
        }
    }

    fn changes(&mut self, passed: Followed) -> Result<(), DumpError> {
        if passed.is_lost {
            return Err(DumpError::Overtaken);
        }
        for batch in passed.batches {
            for (place, value) in batch.iter() {
                match value {
                    Some(bytes) => self.put(place, bytes)?,
                    None => self.out.removal(place)?,
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, place: &[u8], bytes: &[u8]) -> Result<(), DumpError> {
        if let Some((name, number)) = counted(place, bytes, self.key)? {
            self.counts.insert(name, number);
        }
        Ok(self.out.record(place, bytes)?)
    }

    fn end(mut self, made_at: Timestamp) -> Result<Contents, DumpError> {
        let is_salvaged = match &self.damage {
            Damage::Refuse => false,
            Damage::Skip(left_out) => !left_out.is_empty(),
        };
        let view = view::View {
            db: self.db,
            key: self.key,
        };
        let is_there = self.found.contains_key(SCHEMAS.name());
        let schema = if is_salvaged && !is_there {
            self.first_anew(made_at)?
        } else {
            let first = view.get(&SCHEMAS, &schema::only())?;
            first.map_or(SCHEMA, |schema| schema.number)
        };
        let contents = Contents {
            made_at,
            schema,
            // The counts say what was there, and not all of that could be read.
            tables: if is_salvaged { self.found } else { self.counts }
                .into_iter()
                .collect(),
            is_salvaged,
        };
        self.out.end(&contents)?;
        Ok(contents)
    }

    /// Puts a first record in the place of one that cannot be read, without which nobody opens the rest. A store from
    /// which something is missing promises nothing that was promised before.
    fn first_anew(&mut self, made_at: Timestamp) -> Result<u32, DumpError> {
        let schema = Schema {
            number: SCHEMA,
            created: made_at,
            step: 0,
            came_back: Some(CameBack::Copied),
            place: None,
        };
        let place = SCHEMAS.place(&schema::only());
        let bytes = record::write(&schema, view::within(SCHEMAS.name(), &place), self.key)?;
        self.put(&place, &bytes)?;
        self.tally(&place);
        Ok(schema.number)
    }
}

/// Whether a record stands where and as it was written.
fn sound(place: &[u8], bytes: &[u8], key: &RecordKey) -> Result<(), Fault> {
    if counted(place, bytes, key)?.is_some() {
        return Ok(());
    }
    let named = table::parse(place).filter(|(name, _)| table::is_name(name.as_bytes()));
    let (name, _) = named.ok_or_else(|| check::stray(place))?;
    record::verify(bytes, view::within(name, place), key)?;
    Ok(())
}

/// The table and the number, where this is a table's count.
fn counted(place: &[u8], bytes: &[u8], key: &RecordKey) -> Result<Option<(String, u64)>, Fault> {
    let Some(name) = place.strip_prefix(count::PREFIX) else {
        return Ok(None);
    };
    let name = std::str::from_utf8(name).map_err(|_| check::stray(place))?;
    let Count(number) = record::read(bytes, count::named(name), key)?;
    Ok(Some((name.to_owned(), number)))
}

/// The bytes as they are written, and their digest.
struct Stream<'o> {
    out: &'o mut dyn Write,
    digest: Context,
}

impl<'o> Stream<'o> {
    fn to(out: &'o mut dyn Write) -> Self {
        let digest = Context::new(&SHA256);
        Self { out, digest }
    }

    fn record(&mut self, place: &[u8], bytes: &[u8]) -> io::Result<()> {
        self.write(&[RECORD])?;
        self.sized(place)?;
        self.sized(bytes)
    }

    fn removal(&mut self, place: &[u8]) -> io::Result<()> {
        self.write(&[REMOVAL])?;
        self.sized(place)
    }

    fn end(&mut self, contents: &Contents) -> io::Result<()> {
        self.write(&[END])?;
        self.sized(&serde_json::to_vec(contents)?)?;
        let digest = self.digest.clone().finish();
        self.out.write_all(digest.as_ref())
    }

    fn sized(&mut self, bytes: &[u8]) -> io::Result<()> {
        let size = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.write(&size.to_le_bytes())?;
        self.write(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.out.write_all(bytes)
    }
}

/// One thing a stream says.
enum Item {
    Record(Vec<u8>, Vec<u8>),
    Removal(Vec<u8>),
    End(Contents),
}

struct Source<'i> {
    from: &'i mut dyn Read,
    digest: Context,
}

impl Source<'_> {
    fn next(&mut self) -> Result<Item, LoadError> {
        let kind = self.exactly::<1>()?;
        Ok(match kind {
            [RECORD] => Item::Record(self.sized(PLACE_MAX)?, self.sized(RECORD_LEN_MAX)?),
            [REMOVAL] => Item::Removal(self.sized(PLACE_MAX)?),
            [END] => {
                let contents = self.sized(CONTENTS_MAX)?;
                self.ends()?;
                let contents = serde_json::from_slice(&contents);
                Item::End(contents.map_err(|_| damaged("the end cannot be read"))?)
            }
            _ => return Err(damaged("something stands between its records")),
        })
    }

    fn ends(&mut self) -> Result<(), LoadError> {
        let ours = self.digest.clone().finish();
        let theirs = self.exactly::<SHA256_OUTPUT_LEN>()?;
        if ours.as_ref() != theirs {
            return Err(damaged("its digest does not agree"));
        }
        match self.from.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(damaged("something follows its end")),
        }
    }

    fn sized(&mut self, most: usize) -> Result<Vec<u8>, LoadError> {
        let size = usize::try_from(u32::from_le_bytes(self.exactly()?)).unwrap_or(usize::MAX);
        if size > most {
            return Err(damaged("a record is larger than records are"));
        }
        let mut bytes = vec![0; size];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn exactly<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), LoadError> {
        match self.from.read_exact(bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(damaged("it ends early"));
            }
            Err(error) => return Err(error.into()),
        }
        self.digest.update(bytes);
        Ok(())
    }
}

fn damaged(what: &str) -> LoadError {
    LoadError::Damaged(what.to_owned())
}

/// Reads a whole stream and verifies every record, without keeping any.
pub fn verify(
    from: &mut dyn Read,
    key: &RecordKey,
    tell: &dyn Fn(u64),
) -> Result<Contents, LoadError> {
    each(from, key, tell, &mut |_, _| Ok(()))
}

/// Makes a store of what a stream says, in a folder that has none; durable, and complete, when this returns.
///
/// Whoever made a store that will be served says that it came back.
pub fn load(
    from: &mut dyn Read,
    data_dir: &Path,
    key: &RecordKey,
    came_back: bool,
    tell: &dyn Fn(u64),
) -> Result<Contents, LoadError> {
    let folder = data_dir.join(FOLDER);
    let machine = |cause| OpenError::Machine {
        path: folder.clone(),
        cause,
    };
    let made = DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(machine)?;
    let db = engine_at(&folder)?;
    let filled = caught(|| fill(&db, from, key, tell));
    let contents = filled.unwrap_or_else(|_| {
        let cause = io::Error::other("the engine panicked while it was filled");
        Err(machine(cause).into())
    })?;
    if contents.is_salvaged {
        recount(&db, key)?;
    }
    let schema = super::apply(&db, key, |tx| {
        let schema = tx.get(&SCHEMAS, &schema::only())?;
        let mut schema = schema.ok_or_else(|| Fault::internal("the first record is missing"))?;
        if came_back {
            let made_at = contents.made_at;
            schema.came_back = Some(CameBack::Restored { made_at });
        }
        tx.put(&SCHEMAS, &schema::only(), &schema)?;
        Ok(schema)
    })?;
    let barrier = Barrier::new(db, key, Arc::new(RealDisk), &folder).map_err(machine)?;
    barrier.pass().map_err(machine)?;
    drop(barrier);
    await_closed(&folder).map_err(machine)?;
    schema::mark(data_dir, schema).map_err(machine)?;
    Ok(contents)
}

fn fill(
    db: &sled::Db,
    from: &mut dyn Read,
    key: &RecordKey,
    tell: &dyn Fn(u64),
) -> Result<Contents, LoadError> {
    // One by one: the engine frees what an insertion replaced as others begin, and of a batch, which is one to it, it
    // would keep nearly everything until the end, some 5 KB a record.
    each(from, key, tell, &mut |place, value| {
        let kept = match value {
            Some(value) => db.insert(place, value),
            None => db.remove(place),
        };
        kept.map(drop)
            .map_err(|error| io::Error::from(error).into())
    })
}

/// Passes every record and removal on once it is verified.
fn each(
    from: &mut dyn Read,
    key: &RecordKey,
    tell: &dyn Fn(u64),
    keep: &mut dyn FnMut(Vec<u8>, Option<Vec<u8>>) -> Result<(), LoadError>,
) -> Result<Contents, LoadError> {
    let mut source = Source {
        from,
        digest: Context::new(&SHA256),
    };
    let mut done = 0_u64;
    loop {
        match source.next()? {
            Item::Record(place, bytes) => {
                sound(&place, &bytes, key)?;
                keep(place, Some(bytes))?;
            }
            Item::Removal(place) => keep(place, None)?,
            Item::End(contents) if contents.schema > SCHEMA => {
                let found = contents.schema;
                return Err(LoadError::Newer { found });
            }
            Item::End(contents) => return Ok(contents),
        }
        done += 1;
        if done.is_multiple_of(PAGE as u64) {
            tell(done);
        }
    }
}

/// Counts anew what is there: after records were left out, no count agrees.
fn recount(db: &sled::Db, key: &RecordKey) -> Result<(), Fault> {
    for name in check::tables(db)? {
        let mut found = 0;
        let mut entries = db.scan_prefix(table::prefix(&name));
        while view::next(&name, &mut entries)?.is_some() {
            found += 1;
        }
        let bytes = record::write(&Count(found), count::named(&name), key)?;
        let kept = guarded(|| db.insert(count::place(&name), bytes));
        kept.map_err(|error| unread(&name, error))?;
    }
    Ok(())
}

impl Contents {
    /// How many records there are in all.
    pub fn records(&self) -> u64 {
        self.tables.iter().map(|(_, count)| count).sum()
    }
}

const RECORD: u8 = 1;
const REMOVAL: u8 = 2;
const END: u8 = 0xff;
/// Records between two words on how far it is.
const PAGE: usize = 256;
/// No key comes near it.
const PLACE_MAX: usize = 64 * 1024;
/// A few dozen tables, each by name.
const CONTENTS_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::thread;

    use super::super::sandbox::{NOTES, Sandbox, keep, note, record_key};
    use super::super::{Closed, Lock, Table, Verdict};
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_303_402);
    /// What every change writes with it: how many there were.
    const CHANGES: Table<u8, super::super::sandbox::Note> = Table::named("changes");
    const PLACES: u64 = 3_000;

    fn dumped(store: &Store, damage: Damage<'_>) -> Result<(Vec<u8>, Contents), DumpError> {
        let mut out = Vec::new();
        let how = Dump {
            damage,
            now: &|| NOW,
            tell: &|_, _| {},
        };
        let contents = store.dump(&mut out, how)?;
        Ok((out, contents))
    }

    fn loaded(bytes: &[u8]) -> Result<Sandbox, LoadError> {
        let sandbox = Sandbox::new();
        load(&mut &*bytes, sandbox.path(), &record_key(1), false, &|_| {})?;
        Ok(sandbox)
    }

    /// The n-th change puts one note, removes another and counts itself.
    fn change(store: &Store, n: u64) {
        let written = store.write::<(), ()>(|tx| {
            tx.put(&NOTES, &(n * 7 % PLACES), &note(&n.to_string()))?;
            tx.remove(&NOTES, &(n * 11 % PLACES))?;
            tx.put(&CHANGES, &0, &note(&n.to_string()))?;
            Ok(Verdict::Commit(()))
        });
        store.durable(written.unwrap().mark).wait().unwrap();
    }

    /// What the first `n` changes come to.
    fn after(n: u64) -> HashMap<u64, String> {
        let mut notes: HashMap<_, _> = (0..PLACES).map(|key| (key, "first".to_owned())).collect();
        for n in 1..=n {
            notes.insert(n * 7 % PLACES, n.to_string());
            notes.remove(&(n * 11 % PLACES));
        }
        notes
    }

    #[test]
    fn a_dump_under_load_is_a_state_the_store_was_in_with_everything_answered_before() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        for from in (0..PLACES).step_by(500) {
            let written = store.write::<(), ()>(|tx| {
                for key in from..from + 500 {
                    tx.put(&NOTES, &key, &note("first"))?;
                }
                tx.put(&CHANGES, &0, &note("0"))?;
                Ok(Verdict::Commit(()))
            });
            store.durable(written.unwrap().mark).wait().unwrap();
        }
        let (is_over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
        let dumps = thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1.. {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    change(&store, n);
                    answered.store(n, Ordering::SeqCst);
                }
            });
            let mut dumps = Vec::new();
            // As long as it takes until enough happened meanwhile; a disk may be busy.
            while dumps.len() < 8 || (answered.load(Ordering::SeqCst) < 60 && dumps.len() < 4_000) {
                let before = answered.load(Ordering::SeqCst);
                dumps.push((before, dumped(&store, Damage::Refuse).unwrap()));
            }
            dumps.retain({
                let mut last = None;
                move |(before, _)| last.replace(*before) != Some(*before)
            });
            is_over.store(true, Ordering::SeqCst);
            dumps
        });
        for (before, (bytes, contents)) in dumps {
            let other = loaded(&bytes).unwrap().open();
            let n = other.view().get(&CHANGES, &0).unwrap().unwrap().0;
            let n: u64 = n.parse().unwrap();
            assert!(n >= before, "{before} were answered, {n} are there");
            let notes = other.view().scan(&NOTES, None, 9_999).unwrap();
            let notes: HashMap<_, _> = notes.into_iter().map(|(key, note)| (key, note.0)).collect();
            assert!(notes == after(n), "after {n} changes");
            assert_eq!(other.check().unwrap(), contents.tables);
        }
        assert!(answered.into_inner() > 20);
    }

    #[test]
    fn one_dump_at_a_time_and_the_next_when_it_is_over() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        assert!(store.group.follow());
        let busy = dumped(&store, Damage::Refuse);
        assert!(matches!(busy, Err(DumpError::Busy)));
        store.group.leave();
        assert!(dumped(&store, Damage::Refuse).is_ok());
        assert!(dumped(&store, Damage::Refuse).is_ok());
        store.end_dumps();
        let ended = dumped(&store, Damage::Refuse);
        assert!(matches!(ended, Err(DumpError::Leaving)), "{ended:?}");
    }

    #[test]
    fn whoever_reads_too_slowly_is_left_behind_and_no_write_waits() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        assert!(keep(&store, 1, "one"));
        let large = "x".repeat(90_000);
        let mut out = Slow(&store, &large);
        let how = Dump {
            damage: Damage::Refuse,
            now: &|| NOW,
            tell: &|_, _| {},
        };
        let left = store.dump(&mut out, how);
        assert!(matches!(left, Err(DumpError::Overtaken)), "{left:?}");
        assert!(dumped(&store, Damage::Refuse).is_ok());
    }

    /// Before it takes anything, more is written than is kept for it.
    struct Slow<'a>(&'a Store, &'a str);

    impl Write for Slow<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            for key in 0..400 {
                assert!(keep(self.0, key, self.1));
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stream_that_is_cut_bent_or_longer_is_refused() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        assert!(keep(&store, 1, "one") && keep(&store, 2, "two"));
        let (bytes, contents) = dumped(&store, Damage::Refuse).unwrap();
        let read = |bytes: &[u8]| verify(&mut &*bytes, &record_key(1), &|_| {});
        assert_eq!(read(&bytes).unwrap(), contents);
        assert!(verify(&mut &*bytes, &record_key(2), &|_| {}).is_err());
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "cut to {length}");
        }
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            assert!(read(&bent).is_err(), "bent at {at}");
        }
        assert!(read(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_damaged_record_is_told_and_the_rest_can_be_salvaged() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        for key in 0..600 {
            assert!(keep(&store, key, "kept"));
        }
        let place = NOTES.place(&0xff);
        let mut bent = store.db.get(&place).unwrap().unwrap().to_vec();
        bent[1] ^= 1;
        store.db.insert(&place, bent).unwrap();
        let told = "table notes, key 00000000000000ff: the record is damaged";
        let refused = dumped(&store, Damage::Refuse).unwrap_err().to_string();
        assert_eq!(refused, told);
        let mut left_out = Vec::new();
        let (bytes, contents) = dumped(&store, Damage::Skip(&mut left_out)).unwrap();
        assert_eq!(left_out, [told]);
        assert!(contents.is_salvaged);
        let other = loaded(&bytes).unwrap().open();
        assert_eq!(other.check().unwrap()[0], ("notes".to_owned(), 599));
    }

    #[test]
    fn a_damaged_first_record_and_its_neighbours_do_not_end_a_salvage() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        for key in 0..20 {
            assert!(keep(&store, key, "kept"));
        }
        for place in [SCHEMAS.place(&schema::only()), count::place("notes")] {
            store.db.insert(place, b"bent").unwrap();
        }
        let mut left_out = Vec::new();
        let (bytes, contents) = dumped(&store, Damage::Skip(&mut left_out)).unwrap();
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        assert_eq!(contents.records(), 21);
        let other = loaded(&bytes).unwrap().open();
        assert_eq!(other.check().unwrap()[0], ("notes".to_owned(), 20));
        assert_eq!(other.came_back().unwrap(), Some(CameBack::Copied));
    }

    #[test]
    fn a_salvage_of_nothing_is_refused() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        let place = SCHEMAS.place(&schema::only());
        store.db.insert(place, b"bent").unwrap();
        let refused = dumped(&store, Damage::Skip(&mut Vec::new())).unwrap_err();
        assert_eq!(refused.to_string(), "no record of the store can be read");
    }

    #[test]
    fn whatever_can_be_read_record_by_record_is_in_what_is_salvaged() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        for from in (0..2_000).step_by(500) {
            let written = store.write::<(), ()>(|tx| {
                for key in from..from + 500 {
                    // As keys are that begin with an instant: far apart, and alike in their first bytes.
                    tx.put(&NOTES, &(NOTED + key * 977), &note(&"x".repeat(2_000)))?;
                }
                Ok(Verdict::Commit(()))
            });
            store.durable(written.unwrap().mark).wait().unwrap();
        }
        drop(store);
        // With a table of its pages the engine reads only the last segment when it opens, and meets damage later.
        drop(sandbox.open());
        let sound = fs::read(sandbox.folder().join("db")).unwrap();
        let used = sound.iter().rposition(|byte| *byte != 0).unwrap();
        let mut unread = 0;
        for flip in 0..FLIPS {
            let mut bent = sound.clone();
            for flip in [flip, flip + 3] {
                bent[used / (FLIPS + 3) * flip + 60] ^= 1;
            }
            unread += usize::from(salvages(&sandbox, &bent));
        }
        println!("{unread} of {FLIPS} flips made a page unreadable");
        assert!(unread > 0);
    }

    const NOTED: u64 = 1 << 50;
    const FLIPS: usize = 16;

    /// Whether a page could not be read, where the engine opens on these bytes at all.
    fn salvages(sandbox: &Sandbox, bent: &[u8]) -> bool {
        let other = Sandbox::new();
        for folder in ["", "store", "store/blobs"] {
            let (from, to) = (sandbox.path().join(folder), other.path().join(folder));
            fs::create_dir_all(&to).unwrap();
            for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_file() {
                    fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
                }
            }
        }
        fs::write(other.folder().join("db"), bent).unwrap();
        let lock = Lock::take(other.path()).unwrap();
        let Ok(closed) = Closed::open(lock, other.path(), record_key(1)) else {
            return false;
        };
        let (mut out, mut left_out) = (Vec::new(), Vec::new());
        let how = Dump {
            damage: Damage::Skip(&mut left_out),
            now: &|| NOW,
            tell: &|_, _| {},
        };
        let made = closed.dump(&mut out, how);
        let of_one = |key: u64| closed.view().get(&NOTES, &(NOTED + key * 977));
        let readable = (0..2_000).filter(|key| matches!(of_one(*key), Ok(Some(_))));
        let readable = readable.count() as u64;
        println!("{readable} of 2000 are readable; left out: {left_out:?}");
        let salvaged = match made {
            Ok(_) => loaded(&out).unwrap().open().check().unwrap(),
            Err(error) => panic!("{error}, {readable} are readable"),
        };
        let notes = salvaged.iter().find(|(name, _)| name == "notes");
        assert_eq!(notes.map_or(0, |(_, count)| *count), readable);
        left_out.iter().any(|told| told.contains("cannot be read"))
    }

    #[test]
    fn a_restored_store_says_that_it_came_back() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        let (bytes, _) = dumped(&store, Damage::Refuse).unwrap();
        let other = Sandbox::new();
        load(&mut &*bytes, other.path(), &record_key(1), true, &|_| {}).unwrap();
        let came_back = other.open().came_back().unwrap();
        assert_eq!(came_back, Some(CameBack::Restored { made_at: NOW }));
        assert_eq!(store.came_back().unwrap(), None);
    }
}
