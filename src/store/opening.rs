//! Opening the store: what must be true before the engine may touch its files, and what becomes of them when it is not.
//!
//! Nothing here ever makes a new store where one has been. A new one is made in a folder of its own and moved into
//! place complete, so that a kill at any instant leaves either no store or a whole one.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::crypto::seal::RecordKey;
use crate::kernel::{Fault, Timestamp};

use super::commit::Barrier;
use super::disk::{Disk, Engine};
use super::dump::Unchanged;
use super::engine::{Trouble, guarded, remove_torn_snapshots, start};
use super::integrity::Damage;
use super::reached::{self, Reached};
use super::refused::{OpenError, at};
use super::schema::{
    self, CameBack, MARKER, PROGRAM, SCHEMA, SCHEMAS, STEPS, Schema, Step, Stepping,
};
use super::tx::Tx;
use super::view::View;
use super::witness::{self, Finding, Witness};
use super::{integrity, space, upgraded};

/// Where a store is, and on what terms it is opened.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The data folder.
    pub data_dir: &'a Path,
    /// The file outside of it that says how far the store had come, if there is to be one.
    pub witness: Option<&'a Path>,
    /// Whether the operator takes the store as it is, though a newer one is missing: it came back as a copy does.
    pub accepts_older: bool,
}

/// A store that may be used.
pub(super) struct Opened {
    pub(super) db: sled::Db,
    pub(super) barrier: Barrier,
    pub(super) notices: Vec<String>,
}

/// Where the store is, and what it is opened with.
pub(super) struct Opening<'a> {
    pub(super) data_dir: &'a Path,
    pub(super) witness: &'a Witness,
    pub(super) accepts_older: bool,
    pub(super) key: &'a RecordKey,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) now: Timestamp,
    pub(super) before: Before<'a>,
}

/// Keeps a copy of a store that is about to be changed; where it fails, nothing is changed.
pub type Before<'a> = &'a dyn Fn(&Change, &Unchanged<'_>) -> Result<(), Fault>;

/// Why a store is about to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Its records step forward to another schema.
    Schema {
        /// The present one.
        from: u32,
        /// The next one.
        to: u32,
    },
    /// Another version of the program had it open last.
    Program {
        /// Which, where that was noted.
        from: String,
    },
}

/// The right to use a data folder. Whoever makes files in one takes it first.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not used")] File);

impl Lock {
    /// Keeps every other process out of `data_dir`, whatever it is about to do there, until it is dropped.
    pub fn take(data_dir: &Path) -> Result<Self, OpenError> {
        let path = data_dir.join(LOCK);
        let mut options = File::options();
        let file = options.create(true).truncate(false).write(true).open(&path);
        let file = at(&path, file)?;
        // A process that is just being started holds what its parent holds, for a moment.
        for _ in 0..HELD_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCKED_PAUSE),
                Err(TryLockError::Error(cause)) => return Err(OpenError::Machine { path, cause }),
            }
        }
        Err(OpenError::InUse(data_dir.to_path_buf()))
    }
}

impl Site<'_> {
    /// Refuses a folder without a trace of the store that its witness has seen. Whoever makes files in an empty folder
    /// asks first.
    pub fn check(&self) -> Result<(), OpenError> {
        let is_there = |name: &str| {
            let path = self.data_dir.join(name);
            at(&path, path.try_exists())
        };
        let Some(witness) = self.witness.filter(|path| path.is_file()) else {
            return Ok(());
        };
        if is_there(FOLDER)? || is_there(MARKER)? {
            return Ok(());
        }
        Err(OpenError::Gone {
            path: self.data_dir.to_path_buf(),
            witness: witness.to_path_buf(),
        })
    }
}

impl Opening<'_> {
    /// Opens the store, or makes it where none has ever been.
    pub(super) fn open(&self) -> Result<Opened, OpenError> {
        self.open_with(STEPS)
    }

    fn open_with(&self, steps: &[Step]) -> Result<Opened, OpenError> {
        let folder = self.data_dir.join(FOLDER);
        let target = 1 + u32::try_from(steps.len()).unwrap_or(u32::MAX);
        at(&folder, upgraded::finish(self.data_dir))?;
        let known = at(self.data_dir, schema::marked(self.data_dir))?;
        let marked = known.is_some();
        // Before the engine opens, which writes: an older program leaves every byte as it is.
        let known = known.unwrap_or_default();
        if known.schema > target {
            return Err(OpenError::Newer {
                found: known.schema,
            });
        }
        let present = at(&folder, folder.try_exists())?;
        match (present, marked) {
            (false, true) => return Err(self.vanished()),
            (false, false) => self.create(&folder)?,
            (true, true) => self.untouched(&folder)?,
            (true, false) => {}
        }
        let (mut db, found) = self.engine(&folder)?;
        let schema = self.admit(&db, found, marked, target)?;
        let here = at(self.data_dir, witness::place(self.data_dir, self.key))?;
        let (came_back, notice) = self.judge(&schema, known.step, here)?;
        self.sound(&db, &folder)?;
        let left = upgraded::remove_compacted(self.data_dir);
        if let Some(change) = due(schema, &known, target).filter(|_| present) {
            let key = self.key;
            (self.before)(&change, &Unchanged { db: &db, key })?;
        }
        if schema.number < target {
            self.step_forward(db, schema, steps)?;
            db = self.engine(&folder)?.0;
        }
        let schema = super::apply(&db, self.key, |tx: &Tx<'_>| {
            schema::arrive(tx, here, came_back)
        })?;
        let barrier = at(
            &folder,
            Barrier::new(db.clone(), self.key, Arc::clone(&self.disk), &folder),
        )?;
        at(&folder, barrier.pass())?;
        let marked = schema::mark(self.data_dir, schema);
        if marked.is_err() {
            self.disk.abandon(&Engine(&db));
        }
        at(self.data_dir, marked)?;
        space::keep_reserve(self.data_dir);
        // Last: what it says is durable, so no power cut makes this store look like a copy.
        let trouble = self.witness.write(&schema, self.key);
        Ok(Opened {
            db,
            barrier,
            notices: notice.into_iter().chain(left).chain(trouble).collect(),
        })
    }

    /// Whether the store came back from an earlier time, and what the operator should hear.
    fn judge(
        &self,
        schema: &Schema,
        marked: u64,
        here: schema::Place,
    ) -> Result<(Option<CameBack>, Option<String>), OpenError> {
        let copied = schema.came_back.or(Some(CameBack::Copied));
        if self.accepts_older {
            return Ok((copied, None));
        }
        if schema.step < marked {
            return Err(self.stale());
        }
        match self.witness.judge(schema, self.key, here) {
            Finding::Same(notice) => Ok((None, notice)),
            Finding::Came(why) => Ok((Some(why), None)),
            Finding::Another(witness) => Err(OpenError::Another {
                path: self.data_dir.join(FOLDER),
                witness,
            }),
        }
    }

    /// Opens the engine alone, to look at a store that may be damaged: nothing is examined, written or set aside.
    pub(super) fn open_to_look(&self) -> Result<sled::Db, OpenError> {
        let folder = self.data_dir.join(FOLDER);
        let known = at(self.data_dir, schema::marked(self.data_dir))?;
        let found = known.map_or(0, |known| known.schema);
        if found > SCHEMA {
            return Err(OpenError::Newer { found });
        }
        self.untouched(&folder)?;
        let is_our_key = self.noted(&folder)?.is_some();
        let opened = start(&folder).and_then(|db| {
            let found = match guarded(|| self.look(&db)) {
                // The engine does not read its first page: what stands on others is there all the same.
                Err(Trouble::Damage(_)) if is_our_key => Found::Unreadable,
                found => found?,
            };
            Ok((db, found))
        });
        let (db, found) = opened.map_err(|trouble| {
            let path = folder.clone();
            match trouble.damage() {
                Ok(why) => OpenError::Unreadable { path, why },
                Err(trouble) => trouble.unmoved(&path),
            }
        })?;
        match found {
            // A wrong key would find damage everywhere; one damaged record is among those to be named.
            Found::Unreadable if !is_our_key && reached::newest(&db, self.key).is_err() => {
                Err(OpenError::WrongKey(folder))
            }
            Found::Nothing | Found::Strangers => Err(OpenError::Foreign(folder)),
            Found::Schema(schema) if schema.number > SCHEMA => Err(OpenError::Newer {
                found: schema.number,
            }),
            Found::Unreadable | Found::Schema(_) => Ok(db),
        }
    }

    /// What can be seen before the engine opens, which writes.
    fn untouched(&self, folder: &Path) -> Result<(), OpenError> {
        let db = folder.join("db");
        if !at(&db, db.try_exists())? {
            return Err(self.vanished());
        }
        let note = folder.join(reached::FILE);
        if at(&note, note.try_exists())?
            && at(&note, Reached::open(folder, self.key))?.is_of_another_key()
        {
            return Err(OpenError::WrongKey(folder.to_path_buf()));
        }
        Ok(())
    }

    /// Whether the store has its end, and as far as there is time for it, whether all of it can be read.
    fn sound(&self, db: &sled::Db, folder: &Path) -> Result<(), OpenError> {
        let newest = reached::newest(db, self.key);
        let newest = newest.map_err(|fault| OpenError::Unsound {
            path: folder.to_path_buf(),
            first: fault.to_string(),
            more: 0,
        })?;
        if !self.accepts_older
            && let Some(missing) = self.missing(newest, folder)?
        {
            return Err(OpenError::EndLost {
                path: folder.to_path_buf(),
                missing,
            });
        }
        let examined = integrity::at_start(db, self.key);
        let Some((first, rest)) = examined.damage.split_first() else {
            return Ok(());
        };
        Err(OpenError::Unsound {
            path: folder.to_path_buf(),
            first: first.to_string(),
            more: rest.len() as u64 + examined.more,
        })
    }

    /// What is wrong with the end of the engine's log, if something is.
    pub(super) fn lost_end(&self, db: &sled::Db) -> Result<Option<Damage>, OpenError> {
        let what = match reached::newest(db, self.key) {
            Ok(newest) => {
                let missing = self.missing(newest, &self.data_dir.join(FOLDER))?;
                missing.map(|missing| {
                    format!("the file db has lost its end, and with it the last {missing} batches of changes that were answered")
                })
            }
            Err(fault) => Some(format!(
                "the number of the newest batch cannot be read: {fault}"
            )),
        };
        Ok(what.map(|what| Damage {
            table: "(any)".to_owned(),
            key: None,
            what,
        }))
    }

    /// How many batches were known to be durable behind the newest one that is there; None: all are there.
    fn missing(&self, newest: u64, folder: &Path) -> Result<Option<u64>, OpenError> {
        let missing = self.noted(folder)?.and_then(|n| n.checked_sub(newest));
        Ok(missing.filter(|missing| *missing > 0))
    }

    /// The number that is noted beside the engine's files under our key, if any is.
    fn noted(&self, folder: &Path) -> Result<Option<u64>, OpenError> {
        let note = folder.join(reached::FILE);
        if !at(&note, note.try_exists())? {
            return Ok(None);
        }
        Ok(at(&note, Reached::open(folder, self.key))?.read())
    }

    fn create(&self, folder: &Path) -> Result<(), OpenError> {
        let unfinished = self.unfinished()?;
        let db = start(&unfinished).map_err(|trouble| trouble.unmoved(&unfinished))?;
        self.found(&db)?;
        let barrier = Barrier::new(db.clone(), self.key, Arc::clone(&self.disk), &unfinished);
        at(
            &unfinished,
            barrier.and_then(|barrier| {
                barrier.pass()?;
                drop(barrier);
                drop(db);
                fs::rename(&unfinished, folder)?;
                sync(self.data_dir)
            }),
        )
    }

    /// The engine, and the schema it holds.
    fn engine(&self, folder: &Path) -> Result<(sled::Db, Found), OpenError> {
        let begin = || {
            // Also one that the first try could not finish for want of room.
            remove_torn_snapshots(folder).map_err(Trouble::Machine)?;
            let db = start(folder)?;
            let found = guarded(|| self.look(&db))?;
            Ok((db, found))
        };
        let opened = begin();
        let has_room = !matches!(&opened, Err(Trouble::Machine(cause)) if space::is_no_room(cause));
        let opened = if has_room || !space::give_up_reserve(self.data_dir) {
            opened
        } else {
            begin()
        };
        opened.map_err(|trouble| self.refuse(folder, trouble))
    }

    fn look(&self, db: &sled::Db) -> Result<Found, sled::Error> {
        let Some(first) = db.iter().next() else {
            return Ok(Found::Nothing);
        };
        first?;
        if db.get(SCHEMAS.place(&schema::only()))?.is_none() {
            return Ok(Found::Strangers);
        }
        let view = View { db, key: self.key };
        Ok(match view.get(&SCHEMAS, &schema::only()) {
            Ok(Some(schema)) => Found::Schema(schema),
            Ok(None) | Err(_) => Found::Unreadable,
        })
    }

    fn admit(
        &self,
        db: &sled::Db,
        found: Found,
        marked: bool,
        target: u32,
    ) -> Result<Schema, OpenError> {
        let folder = || self.data_dir.join(FOLDER);
        match found {
            Found::Nothing | Found::Strangers if marked => Err(self.vanished()),
            Found::Nothing => self.found(db),
            Found::Strangers => Err(OpenError::Foreign(folder())),
            Found::Unreadable => Err(OpenError::WrongKey(folder())),
            Found::Schema(schema) if schema.number > target => Err(OpenError::Newer {
                found: schema.number,
            }),
            Found::Schema(schema) => Ok(schema),
        }
    }

    /// Has the steps that are missing done in a copy, and puts that in the place of the store. A kill at any instant
    /// leaves the store as it was, or the whole copy.
    fn step_forward(&self, db: sled::Db, schema: Schema, steps: &[Step]) -> Result<(), OpenError> {
        let unfinished = self.unfinished()?;
        let copy = start(&unfinished).map_err(|trouble| trouble.unmoved(&unfinished))?;
        let copied = guarded(|| upgraded::copy(&db, &copy));
        copied.map_err(|trouble| trouble.unmoved(&unfinished))?;
        let stepping = Stepping {
            db: &copy,
            key: self.key,
        };
        let done = usize::try_from(schema.number).unwrap_or_default();
        for step in steps.iter().skip(done.saturating_sub(1)) {
            step(&stepping)?;
        }
        let schema = Schema {
            number: 1 + u32::try_from(steps.len()).unwrap_or(u32::MAX),
            ..schema
        };
        super::apply(&copy, self.key, |tx| {
            tx.put(&SCHEMAS, &schema::only(), &schema)
        })?;
        let barrier = Barrier::new(copy.clone(), self.key, Arc::clone(&self.disk), &unfinished);
        at(&unfinished, barrier.and_then(|barrier| barrier.pass()))?;
        drop((copy, db));
        // From here on an older program leaves every byte as it is.
        at(self.data_dir, schema::mark(self.data_dir, schema))?;
        at(self.data_dir, upgraded::put_in_place(self.data_dir))
    }

    fn unfinished(&self) -> Result<PathBuf, OpenError> {
        let unfinished = self.data_dir.join(FOLDER_UNFINISHED);
        if at(&unfinished, unfinished.try_exists())? {
            at(&unfinished, fs::remove_dir_all(&unfinished))?;
        }
        let mut private = DirBuilder::new();
        at(&unfinished, private.mode(0o700).create(&unfinished))?;
        Ok(unfinished)
    }

    /// Writes the first record of a new store.
    fn found(&self, db: &sled::Db) -> Result<Schema, OpenError> {
        let schema = Schema {
            number: SCHEMA,
            created: self.now,
            step: 0,
            came_back: None,
            place: None,
        };
        super::apply(db, self.key, |tx: &Tx<'_>| {
            tx.put(&SCHEMAS, &schema::only(), &schema)
        })?;
        Ok(schema)
    }

    fn vanished(&self) -> OpenError {
        if let Some(aside) = self.set_aside_before() {
            return OpenError::Aside {
                path: self.data_dir.join(FOLDER),
                aside,
            };
        }
        OpenError::Vanished {
            path: self.data_dir.join(FOLDER),
            marker: self.data_dir.join(MARKER),
        }
    }

    fn stale(&self) -> OpenError {
        OpenError::Stale {
            path: self.data_dir.join(FOLDER),
            marker: self.data_dir.join(MARKER),
        }
    }

    fn refuse(&self, folder: &Path, trouble: Trouble) -> OpenError {
        let why = match trouble.damage() {
            Ok(why) => why,
            Err(trouble) => return trouble.unmoved(folder),
        };
        let path = folder.to_path_buf();
        match self.set_aside(folder) {
            Ok(aside) => OpenError::Damaged { path, aside, why },
            Err(cause) => OpenError::Stuck { path, why, cause },
        }
    }

    /// The newest of the damaged stores that stand beside where ours should be.
    fn set_aside_before(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.data_dir).ok()?.flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let newest = names.filter(|name| name.starts_with(ASIDE)).max()?;
        Some(self.data_dir.join(newest))
    }

    fn set_aside(&self, folder: &Path) -> io::Result<PathBuf> {
        let when = self.now.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string();
        let named = |n: u32| match n {
            0 => self.data_dir.join(format!("{ASIDE}{when}")),
            n => self.data_dir.join(format!("{ASIDE}{when}-{n}")),
        };
        let aside = (0..ASIDE_MAX).map(named).find(|path| !path.exists());
        let aside = aside.ok_or(ErrorKind::AlreadyExists)?;
        fs::rename(folder, &aside)?;
        sync(self.data_dir)?;
        Ok(aside)
    }
}

/// Why a copy is kept before anything is written, if one is.
fn due(schema: Schema, known: &schema::Marker, target: u32) -> Option<Change> {
    if schema.number < target {
        let (from, to) = (schema.number, target);
        return Some(Change::Schema { from, to });
    }
    let from = known.program.clone();
    (from != PROGRAM).then_some(Change::Program { from })
}

#[derive(Clone, Copy)]
enum Found {
    Nothing,
    Strangers,
    Unreadable,
    Schema(Schema),
}

pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The engine's folder inside the data folder.
pub(super) const FOLDER: &str = "store";
pub(super) const FOLDER_UNFINISHED: &str = "store.unfinished";
const LOCK: &str = "store.lock";
const ASIDE: &str = "store.damaged-";
const ASIDE_MAX: u32 = 1_000;
const HELD_TRIES: u32 = 40;
const LOCKED_PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};

    use super::super::engine::await_closed;
    use super::super::sandbox::{NOTES, Sandbox, keep, note};
    use super::super::{RealDisk, Store, Verdict};
    use super::*;

    fn refusal(opened: Result<Store, OpenError>) -> OpenError {
        opened.err().expect("the store opened")
    }

    fn made() -> Sandbox {
        let sandbox = Sandbox::new();
        assert!(keep(&sandbox.open(), 1, "kept"));
        sandbox
    }

    #[test]
    fn a_new_store_stands_beside_its_marker_and_its_lock() {
        let sandbox = made();
        let names = ["store", "store.lock", "store.marker", "store.reserve"];
        assert_eq!(sandbox.names(), names);
        for _ in 0..20 {
            let store = sandbox.open();
            assert_eq!(store.view().get(&NOTES, &1).unwrap(), Some(note("kept")));
        }
    }

    #[test]
    fn a_second_opener_is_refused_and_the_first_goes_on() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        assert!(matches!(refusal(sandbox.try_open()), OpenError::InUse(_)));
        assert!(keep(&store, 1, "kept"));
        drop(store);
        assert!(sandbox.try_open().is_ok());
    }

    #[test]
    fn a_torn_snapshot_is_removed() {
        let sandbox = made();
        let torn = sandbox.folder().join("snap.00000000FFFFFFFF.generating");
        fs::write(&torn, b"half of a snapshot").unwrap();
        let store = sandbox.open();
        assert!(!torn.exists());
        assert!(store.view().get(&NOTES, &1).unwrap().is_some());
    }

    #[test]
    fn a_vanished_store_is_refused_and_not_made_anew() {
        let sandbox = made();
        fs::remove_dir_all(sandbox.folder()).unwrap();
        for _ in 0..2 {
            let refused = refusal(sandbox.try_open());
            assert!(matches!(refused, OpenError::Vanished { .. }), "{refused}");
            assert!(refused.to_string().contains("a store once existed"));
            assert!(!sandbox.folder().exists());
        }
        let empty = Sandbox::new();
        drop(empty.open());
        fs::rename(empty.folder(), sandbox.path().join("elsewhere")).unwrap();
        drop(start(&sandbox.folder()).unwrap_or_else(|_| panic!("the engine did not start")));
        let refused = refusal(sandbox.try_open());
        assert!(
            matches!(refused, OpenError::Vanished { .. }),
            "an empty tree: {refused}"
        );
    }

    #[test]
    fn a_damaged_store_is_set_aside_and_not_made_anew() {
        let sandbox = made();
        let torn = sandbox.folder().join("snap.00000000FFFFFFFF");
        fs::write(&torn, b"no snapshot at all").unwrap();
        let refused = refusal(sandbox.try_open());
        let OpenError::Damaged { aside, .. } = &refused else {
            panic!("{refused}");
        };
        assert!(
            aside.ends_with("store.damaged-20261121T232322Z"),
            "{refused}"
        );
        assert!(aside.join("db").exists() && !sandbox.folder().exists());
        assert!(refused.to_string().contains("restore the latest backup"));
        let again = refusal(sandbox.try_open());
        assert!(
            matches!(&again, OpenError::Aside { aside: named, .. } if named == aside),
            "{again}"
        );
        fs::rename(aside, sandbox.folder()).unwrap();
        fs::remove_file(torn).unwrap();
        assert!(sandbox.open().view().get(&NOTES, &1).unwrap().is_some());
    }

    #[test]
    fn a_store_cut_short_after_it_closed_is_refused() {
        for length in [0, 1, 100, 2_000, 9_000, 20_000, 40_000, 60_000] {
            let sandbox = Sandbox::new();
            let store = sandbox.open();
            for key in 0..100 {
                assert!(keep(&store, key, "kept"));
            }
            drop(store);
            let data = File::options()
                .write(true)
                .open(sandbox.folder().join("db"));
            data.unwrap().set_len(length).unwrap();
            match sandbox.try_open() {
                Err(OpenError::Damaged { .. } | OpenError::Stale { .. }) => {
                    assert!(length < 40_000, "nothing was lost");
                }
                Err(other) => panic!("{length}: {other}"),
                Ok(store) => {
                    assert_eq!(store.view().count(&NOTES).unwrap(), 100, "{length}");
                    store.check().unwrap();
                }
            }
        }
    }

    #[test]
    fn a_copy_from_yesterday_is_refused_until_the_operator_accepts_it() {
        let sandbox = made();
        let yesterday = sandbox.path().join("yesterday");
        copy(&sandbox.folder(), &yesterday);
        let store = sandbox.open();
        assert!(keep(&store, 2, "today"));
        store.witness().unwrap();
        drop(store);
        fs::remove_dir_all(sandbox.folder()).unwrap();
        fs::rename(yesterday, sandbox.folder()).unwrap();
        for _ in 0..2 {
            let refused = refusal(sandbox.try_open());
            assert!(matches!(refused, OpenError::Stale { .. }), "{refused}");
        }
        let accepted = sandbox.open_at(None, true).unwrap();
        assert_eq!(accepted.view().count(&NOTES).unwrap(), 1);
        assert_eq!(accepted.came_back().unwrap(), Some(CameBack::Copied));
        drop(accepted);
        assert_eq!(
            sandbox.open().came_back().unwrap(),
            Some(CameBack::Copied),
            "nobody has taken anything back yet"
        );
    }

    #[test]
    fn d6_a_store_behind_its_witness_came_back_until_somebody_has_taken_back_what_it_promised() {
        let (sandbox, outside) = (Sandbox::new(), Sandbox::new());
        let witness = outside.path().join("witness");
        let open = || sandbox.open_at(Some(&witness), false).unwrap();
        assert!(keep(&open(), 1, "kept"));
        let told = |store: &Store| store.came_back().unwrap();
        assert_eq!(told(&open()), None, "nothing happened");
        let older = Sandbox::new();
        copy(sandbox.path(), older.path());
        copy(&sandbox.folder(), &older.folder());
        drop(open());
        fs::remove_dir_all(sandbox.folder()).unwrap();
        copy(older.path(), sandbox.path());
        copy(&older.folder(), &sandbox.folder());
        fs::create_dir(sandbox.folder().join("blobs")).unwrap();
        for _ in 0..2 {
            assert_eq!(told(&open()), Some(CameBack::Copied));
        }
        let store = open();
        let taken = store.write::<(), ()>(|tx| Store::took_back(tx).map(Verdict::Commit));
        assert!(taken.is_ok());
        drop(store);
        assert_eq!(told(&open()), None);
        fs::remove_file(&witness).unwrap();
        let store = open();
        assert_eq!((told(&store), store.notices().len()), (None, 1));
        drop(store);
        assert!(open().notices().is_empty(), "it is told once");
    }

    #[test]
    fn d6_an_old_witness_is_no_reason_for_anything() {
        let (sandbox, outside) = (Sandbox::new(), Sandbox::new());
        let witness = outside.path().join("witness");
        drop(sandbox.open_at(Some(&witness), false).unwrap());
        let old = fs::read(&witness).unwrap();
        for _ in 0..3 {
            // As after a power cut between the store and its witness.
            drop(sandbox.open_at(Some(&witness), false).unwrap());
            fs::write(&witness, &old).unwrap();
        }
        let store = sandbox.open_at(Some(&witness), false).unwrap();
        assert_eq!(store.came_back().unwrap(), None);
        assert!(store.notices().is_empty());
    }

    #[test]
    fn a_flipped_bit_on_the_disk_is_never_taken_for_data() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        for key in 0..100 {
            assert!(keep(&store, key, "kept"));
        }
        drop(store);
        let sound = fs::read(sandbox.folder().join("db")).unwrap();
        let used = sound.iter().rposition(|byte| *byte != 0).unwrap();
        let mut told = 0;
        for flip in 0..=FLIPS {
            let mut bent = sound.clone();
            if let Some(byte) = bent.get_mut(used * flip / FLIPS).filter(|_| flip < FLIPS) {
                *byte ^= 1 << (flip % 8);
            }
            let other = Sandbox::new();
            copy(sandbox.path(), other.path());
            copy(&sandbox.folder(), &other.folder());
            fs::create_dir(other.folder().join("blobs")).unwrap();
            fs::write(other.folder().join("db"), bent).unwrap();
            let opened = other.try_open();
            let Some(store) = opened.ok().filter(|store| store.check().is_ok()) else {
                told += 1;
                continue;
            };
            let kept = store.view().scan(&NOTES, None, 200).unwrap();
            assert!(kept.iter().map(|(key, _)| *key).eq(0..100), "flip {flip}");
            assert!(kept.iter().all(|(_, kept)| *kept == note("kept")));
        }
        println!("{told} of {FLIPS} flips were told");
        assert!(
            (1..=FLIPS).contains(&told),
            "the copy without a flip is sound"
        );
    }

    const FLIPS: usize = 60;

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }

    #[test]
    fn a_process_killed_at_any_instant_starts_again_with_what_it_promised() {
        if let Some(path) = std::env::var_os(VICTIM) {
            write_until_killed(&Sandbox::at(path.into()));
            return;
        }
        let mut sandbox = Sandbox::new();
        let mut promised = 0;
        for round in 0..24_u64 {
            if round % 3 == 0 {
                sandbox = Sandbox::new();
                promised = 0;
            }
            let delay = (round < 23).then(|| Duration::from_millis(8 * round));
            promised = promised.max(kill_after(&sandbox, delay));
            let store = sandbox.open();
            for key in 0..promised {
                let kept = store.view().get(&NOTES, &key).unwrap();
                assert_eq!(kept, Some(note("promised")), "round {round}");
            }
            store.check().unwrap();
        }
        assert!(promised >= 3);
    }

    const VICTIM: &str = "ADMIT_STORE_VICTIM";

    fn write_until_killed(sandbox: &Sandbox) {
        let store = sandbox.open();
        for key in 0.. {
            assert!(keep(&store, key, "promised"));
            println!("\npromised {key}");
        }
    }

    /// How many notes a process promised before it was killed: after a while, or once it has promised three.
    fn kill_after(sandbox: &Sandbox, delay: Option<Duration>) -> u64 {
        let this = "store::opening::tests::a_process_killed_at_any_instant_starts_again_with_what_it_promised";
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", this, "--nocapture"])
            .env(VICTIM, sandbox.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(victim.stdout.take().unwrap());
        let mut said = String::new();
        match delay {
            Some(delay) => thread::sleep(delay),
            None => {
                while !said.contains("promised 2\n") && out.read_line(&mut said).unwrap() > 0 {}
            }
        }
        victim.kill().unwrap();
        out.read_to_string(&mut said).unwrap();
        victim.wait().unwrap();
        let whole = said
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let mut keys = whole.filter_map(|line| line.trim_end().strip_prefix("promised "));
        let last = keys.next_back();
        last.map_or(0, |key| key.parse::<u64>().unwrap() + 1)
    }

    #[test]
    fn another_master_key_is_refused_and_changes_nothing() {
        let sandbox = made();
        let refused = refusal(sandbox.open_as(2, Arc::new(RealDisk)));
        assert!(matches!(refused, OpenError::WrongKey(_)), "{refused}");
        assert!(sandbox.open().check().is_ok());
    }

    #[test]
    fn a_newer_store_is_refused_and_no_byte_changes() {
        let sandbox = made();
        let newer = Schema {
            number: SCHEMA + 1,
            created: Timestamp::from_seconds(0),
            step: 9,
            came_back: None,
            place: None,
        };
        let store = sandbox.open();
        let written = store.write::<(), ()>(|tx| {
            tx.put(&SCHEMAS, &schema::only(), &newer)?;
            Ok(Verdict::Commit(()))
        });
        assert!(written.is_ok());
        drop(store);
        assert!(matches!(
            refusal(sandbox.try_open()),
            OpenError::Newer { found: 2 }
        ));
        schema::mark(sandbox.path(), newer).unwrap();
        let bytes = || fs::read(sandbox.folder().join("db")).unwrap();
        let before = bytes();
        assert!(matches!(
            refusal(sandbox.try_open()),
            OpenError::Newer { found: 2 }
        ));
        assert!(before == bytes());
    }

    #[test]
    fn a_first_start_that_was_killed_is_done_again() {
        let sandbox = made();
        fs::remove_file(sandbox.path().join(MARKER)).unwrap();
        let store = sandbox.open();
        assert!(
            store.view().get(&NOTES, &1).unwrap().is_some(),
            "killed before the marker"
        );
        assert!(sandbox.path().join(MARKER).exists());
        let half = Sandbox::new();
        let unfinished = half.path().join(FOLDER_UNFINISHED);
        fs::create_dir(&unfinished).unwrap();
        fs::write(unfinished.join("conf"), b"half of a configuration").unwrap();
        assert!(
            keep(&half.open(), 1, "kept"),
            "killed while the engine started"
        );
        assert!(!unfinished.exists());
    }

    #[test]
    fn records_of_another_program_are_left_alone() {
        let sandbox = Sandbox::new();
        let db = start(&sandbox.folder()).unwrap_or_else(|_| panic!("the engine did not start"));
        db.insert(b"theirs", b"x").unwrap();
        drop(db);
        assert!(matches!(refusal(sandbox.try_open()), OpenError::Foreign(_)));
        assert!(sandbox.folder().exists());
    }

    #[test]
    fn a_refusal_of_the_machine_moves_nothing() {
        let sandbox = made();
        let data = sandbox.folder().join("db");
        let aside = sandbox.path().join("db.aside");
        fs::rename(&data, &aside).unwrap();
        fs::create_dir(&data).unwrap();
        let refused = refusal(sandbox.try_open());
        assert!(matches!(refused, OpenError::Machine { .. }), "{refused}");
        fs::remove_dir(&data).unwrap();
        fs::rename(&aside, &data).unwrap();
        assert!(sandbox.open().view().get(&NOTES, &1).unwrap().is_some());
    }

    /// The step from schema 1 to 2 of these tests: every note moves on by a thousand.
    const MOVED: &[Step] = &[|stepping| {
        for (key, note) in stepping.view().scan(&NOTES, None, 9_999)? {
            stepping.write(|tx| {
                tx.remove(&NOTES, &key)?;
                tx.put(&NOTES, &(key + 1_000), &note)
            })?;
        }
        Ok(())
    }];

    fn notes(db: &sled::Db) -> Vec<u64> {
        let key = super::super::sandbox::record_key(1);
        let view = View { db, key: &key };
        let notes = view.scan(&NOTES, None, 9).unwrap();
        notes.into_iter().map(|(key, _)| key).collect()
    }

    /// Opens it as a program would that knows schema 2.
    fn stepped(
        sandbox: &Sandbox,
        before: Before<'_>,
        steps: &[Step],
    ) -> Result<Vec<u64>, OpenError> {
        let key = super::super::sandbox::record_key(1);
        let opening = Opening {
            witness: &Witness::at(None),
            accepts_older: false,
            data_dir: sandbox.path(),
            key: &key,
            disk: Arc::new(RealDisk),
            now: Timestamp::from_seconds(1_795_303_402),
            before,
        };
        opening.open_with(steps).map(|opened| notes(&opened.db))
    }

    #[test]
    fn an_older_store_is_kept_first_and_then_stepped_forward_once() {
        let sandbox = made();
        let kept = std::sync::Mutex::new(Vec::new());
        let before = |change: &Change, store: &Unchanged<'_>| {
            kept.lock().unwrap().push((change.clone(), notes(store.db)));
            Ok(())
        };
        for _ in 0..3 {
            assert_eq!(stepped(&sandbox, &before, MOVED).unwrap(), [1_001]);
        }
        let change = Change::Schema { from: 1, to: 2 };
        assert_eq!(kept.into_inner().unwrap(), [(change, vec![1])]);
        assert_eq!(
            sandbox.names(),
            ["store", "store.lock", "store.marker", "store.reserve"]
        );
        let bytes = || fs::read(sandbox.folder().join("db")).unwrap();
        let stepped = bytes();
        let refused = refusal(sandbox.try_open());
        assert!(
            matches!(refused, OpenError::Newer { found: 2 }),
            "{refused}"
        );
        assert!(stepped == bytes(), "an older program changed something");
    }

    #[test]
    fn without_a_copy_and_with_a_step_that_fails_the_store_stays_as_it_is() {
        let sandbox = made();
        let refuses = |_: &Change, _: &Unchanged<'_>| Err(Fault::unavailable("no room"));
        assert!(stepped(&sandbox, &refuses, MOVED).is_err());
        let fails: &[Step] = &[MOVED[0], |_| Err(Fault::internal("a bug in a step"))];
        assert!(stepped(&sandbox, &|_, _| Ok(()), fails).is_err());
        let store = sandbox.open();
        assert_eq!(store.view().get(&NOTES, &1).unwrap(), Some(note("kept")));
        drop(store);
        assert_eq!(stepped(&sandbox, &|_, _| Ok(()), MOVED).unwrap(), [1_001]);
    }

    #[test]
    fn what_a_killed_compaction_left_is_removed_once_the_store_is_known_to_be_sound() {
        let sandbox = made();
        let left = sandbox.path().join("store.compacted");
        copy(&sandbox.folder(), &left);
        let refused = refusal(sandbox.open_as(2, Arc::new(RealDisk)));
        assert!(matches!(refused, OpenError::WrongKey(_)) && left.exists());
        let store = sandbox.open();
        assert_eq!(store.view().get(&NOTES, &1).unwrap(), Some(note("kept")));
        assert!(!left.exists() && store.notices().is_empty());
    }

    #[test]
    fn an_upgrade_that_was_killed_is_done_again_or_finished() {
        let quiet: Before<'_> = &|_, _| Ok(());
        // Killed while the copy was made, and after it was complete: an older program may have written since.
        for left in [FOLDER_UNFINISHED, "store.upgraded", "store.replaced"] {
            let sandbox = made();
            copy(&sandbox.folder(), &sandbox.path().join(left));
            assert!(keep(&sandbox.open(), 2, "since"));
            assert_eq!(
                stepped(&sandbox, quiet, MOVED).unwrap(),
                [1_001, 1_002],
                "{left}"
            );
            assert_eq!(
                sandbox.names(),
                ["store", "store.lock", "store.marker", "store.reserve"]
            );
        }
        // Killed between the two moves.
        let sandbox = made();
        assert_eq!(stepped(&sandbox, quiet, MOVED).unwrap(), [1_001]);
        await_closed(&sandbox.folder()).unwrap();
        fs::rename(sandbox.folder(), sandbox.path().join("store.upgraded")).unwrap();
        fs::create_dir(sandbox.path().join("store.replaced")).unwrap();
        assert_eq!(stepped(&sandbox, quiet, MOVED).unwrap(), [1_001]);
        assert_eq!(
            sandbox.names(),
            ["store", "store.lock", "store.marker", "store.reserve"]
        );
    }

    #[test]
    fn another_version_of_the_program_keeps_a_copy_before_it_writes() {
        let sandbox = made();
        let kept = std::sync::Mutex::new(Vec::new());
        let before = |change: &Change, _: &Unchanged<'_>| {
            kept.lock().unwrap().push(change.clone());
            Ok(())
        };
        stepped(&sandbox, &before, &[]).unwrap();
        let marker = sandbox.path().join(MARKER);
        let text = fs::read_to_string(&marker).unwrap();
        fs::write(&marker, text.replace(PROGRAM, "0.0.9")).unwrap();
        for _ in 0..2 {
            stepped(&sandbox, &before, &[]).unwrap();
        }
        let from = "0.0.9".to_owned();
        assert_eq!(kept.into_inner().unwrap(), [Change::Program { from }]);
    }
}
