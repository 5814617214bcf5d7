//! Opening the store: what must be true before the engine may touch its files, and what is said when it is not.
//!
//! Nothing here ever makes a new store where one has been. A new one is made in a folder of its own and moved into
//! place complete, so that a kill at any instant leaves either no store or a whole one.

use std::any::Any;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::crypto::seal::RecordKey;
use crate::kernel::{Fault, Timestamp};

use super::commit::Barrier;
use super::disk::{Disk, Engine};
use super::schema::{self, MARKER, SCHEMA, SCHEMAS, Schema};
use super::tx::Tx;
use super::view::View;

/// Why the store was not opened, and what the operator can do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error("the store in {0} is in use by another process: stop the running server first")]
    InUse(PathBuf),
    /// The machine refused: permissions, space, descriptors. Nothing was moved.
    #[error(
        "{path}: {cause}. Nothing was changed; check the owner and the permissions, the free space and the limit of open files, then start again"
    )]
    Machine {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The engine's files do not open.
    #[error(
        "the store in {path} is damaged ({why}) and was set aside as {aside}: keep that folder, and restore the latest backup"
    )]
    Damaged {
        /// Where it stood.
        path: PathBuf,
        /// Where it stands now.
        aside: PathBuf,
        /// What the engine said.
        why: String,
    },
    /// The engine's files do not open, and cannot be moved either.
    #[error(
        "the store in {path} is damaged ({why}) and could not be set aside: {cause}. Move the folder away by hand, keep it, and restore the latest backup"
    )]
    Stuck {
        /// Where it stands.
        path: PathBuf,
        /// What the engine said.
        why: String,
        /// What the system said.
        cause: io::Error,
    },
    /// Data once existed and is gone.
    #[error(
        "{marker} says that a store once existed, but {path} holds none: mount or move the missing folder back, or restore a backup. \
         To give up all data for good, remove {marker} and start again"
    )]
    Vanished {
        /// Where the store should be.
        path: PathBuf,
        /// The file that says so.
        marker: PathBuf,
    },
    /// What is there is older than what was there.
    #[error(
        "{marker} says that the store in {path} had come further than it has: an older copy was put in its place, or its end was lost. \
         Put the right folder back, or restore a backup. To accept the older state, in which spent tickets may be live again, remove {marker} and start again"
    )]
    Stale {
        /// The store.
        path: PathBuf,
        /// The file that says so.
        marker: PathBuf,
    },
    /// There are records, but not the one every store begins with.
    #[error(
        "{0} holds records but not the one every store begins with: it is not a store of this program, or it is damaged. Move it away, or restore a backup"
    )]
    Foreign(PathBuf),
    /// A newer program wrote it.
    #[error(
        "the store has schema {found}, and this program knows up to {SCHEMA}: install the newer version again, or restore a backup made by this one. Nothing was changed"
    )]
    Newer {
        /// The store's schema number.
        found: u32,
    },
    /// The first record's checksum does not agree with our key.
    #[error(
        "the master key does not belong to the store in {0} (or its first record is damaged): put back the master key the store was made with. Nothing was changed"
    )]
    WrongKey(PathBuf),
    /// The store refused a write or a read that opening needs.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A store that may be used.
pub(super) struct Opened {
    pub(super) db: sled::Db,
    pub(super) barrier: Barrier,
}

/// Where the store is, and what it is opened with.
pub(super) struct Opening<'a> {
    pub(super) data_dir: &'a Path,
    pub(super) key: &'a RecordKey,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) now: Timestamp,
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

impl Opening<'_> {
    /// Opens the store, or makes it where none has ever been.
    pub(super) fn open(&self) -> Result<Opened, OpenError> {
        let folder = self.data_dir.join(FOLDER);
        let known = at(self.data_dir, schema::marked(self.data_dir))?;
        let marked = known.is_some();
        // Before the engine opens, which writes: an older program leaves every byte as it is.
        let known = known.unwrap_or_default();
        if known.schema > SCHEMA {
            return Err(OpenError::Newer {
                found: known.schema,
            });
        }
        let present = at(&folder, folder.try_exists())?;
        match (present, marked) {
            (false, true) => return Err(self.vanished()),
            (false, false) => self.create(&folder)?,
            (true, _) => {}
        }
        let (db, found) = self.engine(&folder)?;
        let barrier = at(
            &folder,
            Barrier::new(db.clone(), Arc::clone(&self.disk), &folder),
        )?;
        let schema = self.admit(&db, found, marked)?;
        if schema.step < known.step {
            return Err(self.stale());
        }
        let schema = super::apply(&db, self.key, schema::step)?;
        at(&folder, barrier.pass())?;
        let marked = schema::mark(self.data_dir, schema);
        if marked.is_err() {
            self.disk.abandon(&Engine(&db));
        }
        at(self.data_dir, marked)?;
        Ok(Opened { db, barrier })
    }

    fn create(&self, folder: &Path) -> Result<(), OpenError> {
        let unfinished = self.data_dir.join(FOLDER_UNFINISHED);
        if at(&unfinished, unfinished.try_exists())? {
            at(&unfinished, fs::remove_dir_all(&unfinished))?;
        }
        let mut private = DirBuilder::new();
        at(&unfinished, private.mode(0o700).create(&unfinished))?;
        let db = start(&unfinished).map_err(|trouble| trouble.unmoved(&unfinished))?;
        self.found(&db)?;
        let barrier = Barrier::new(db.clone(), Arc::clone(&self.disk), &unfinished);
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
        at(folder, remove_torn_snapshots(folder))?;
        let opened = start(folder).and_then(|db| {
            let found = guarded(|| self.look(&db))?;
            Ok((db, found))
        });
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

    fn admit(&self, db: &sled::Db, found: Found, marked: bool) -> Result<Schema, OpenError> {
        let folder = || self.data_dir.join(FOLDER);
        match found {
            Found::Nothing | Found::Strangers if marked => Err(self.vanished()),
            Found::Nothing => self.found(db),
            Found::Strangers => Err(OpenError::Foreign(folder())),
            Found::Unreadable => Err(OpenError::WrongKey(folder())),
            Found::Schema(schema) if schema.number > SCHEMA => Err(OpenError::Newer {
                found: schema.number,
            }),
            Found::Schema(schema) => Ok(schema),
        }
    }

    /// Writes the first record of a new store.
    fn found(&self, db: &sled::Db) -> Result<Schema, OpenError> {
        let schema = Schema {
            number: SCHEMA,
            created: self.now,
            step: 0,
        };
        super::apply(db, self.key, |tx: &Tx<'_>| {
            tx.put(&SCHEMAS, &schema::only(), &schema)
        })?;
        Ok(schema)
    }

    fn vanished(&self) -> OpenError {
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
        let Trouble::Damage(why) = trouble else {
            return trouble.unmoved(folder);
        };
        let path = folder.to_path_buf();
        match self.set_aside(folder) {
            Ok(aside) => OpenError::Damaged { path, aside, why },
            Err(cause) => OpenError::Stuck { path, why, cause },
        }
    }

    fn set_aside(&self, folder: &Path) -> io::Result<PathBuf> {
        let when = self.now.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string();
        let named = |n: u32| match n {
            0 => self.data_dir.join(format!("{FOLDER}.damaged-{when}")),
            n => self.data_dir.join(format!("{FOLDER}.damaged-{when}-{n}")),
        };
        let aside = (0..ASIDE_MAX).map(named).find(|path| !path.exists());
        let aside = aside.ok_or(ErrorKind::AlreadyExists)?;
        fs::rename(folder, &aside)?;
        sync(self.data_dir)?;
        Ok(aside)
    }
}

#[derive(Clone, Copy)]
enum Found {
    Nothing,
    Strangers,
    Unreadable,
    Schema(Schema),
}

/// Why the engine did not start.
enum Trouble {
    Locked,
    Machine(io::Error),
    Damage(String),
}

impl Trouble {
    fn of(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(cause) if cause.to_string().contains("could not acquire lock") => {
                Self::Locked
            }
            sled::Error::Io(cause) if is_damage(cause.kind()) => Self::Damage(cause.to_string()),
            sled::Error::Io(cause) => Self::Machine(cause),
            other @ (sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_)
            | sled::Error::Corruption { .. }) => Self::Damage(other.to_string()),
        }
    }

    fn of_panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("the engine panicked");
        // The engine unwraps some errors of the system; a full disk is not a damaged store.
        if text.contains("Os { code:") {
            return Self::Machine(io::Error::other(text.to_owned()));
        }
        Self::Damage(text.to_owned())
    }

    fn unmoved(self, path: &Path) -> OpenError {
        let path = path.to_path_buf();
        match self {
            Self::Locked => OpenError::InUse(path),
            Self::Machine(cause) => OpenError::Machine { path, cause },
            Self::Damage(why) => OpenError::Machine {
                path,
                cause: io::Error::other(why),
            },
        }
    }
}

fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
}

/// Starts the engine. Its threads may outlive the last one by a moment and keep its files locked; nobody else can.
fn start(folder: &Path) -> Result<sled::Db, Trouble> {
    for _ in 0..LOCKED_TRIES {
        match try_start(folder) {
            Err(Trouble::Locked) => thread::sleep(LOCKED_PAUSE),
            started => return started,
        }
    }
    try_start(folder)
}

fn try_start(folder: &Path) -> Result<sled::Db, Trouble> {
    let config = sled::Config::new()
        .path(folder)
        .flush_every_ms(None)
        .segment_size(SEGMENT)
        .cache_capacity(CACHE);
    guarded(|| config.open())
}

fn guarded<T>(engine: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, Trouble> {
    match catch_unwind(AssertUnwindSafe(engine)) {
        Ok(outcome) => outcome.map_err(Trouble::of),
        Err(payload) => Err(Trouble::of_panic(&*payload)),
    }
}

/// A kill while the engine starts can leave a snapshot it would take for its newest, and then never open again.
fn remove_torn_snapshots(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn at<T>(path: &Path, outcome: io::Result<T>) -> Result<T, OpenError> {
    outcome.map_err(|cause| OpenError::Machine {
        path: path.to_path_buf(),
        cause,
    })
}

/// The engine's folder inside the data folder.
pub(super) const FOLDER: &str = "store";
const FOLDER_UNFINISHED: &str = "store.unfinished";
const LOCK: &str = "store.lock";
const CACHE: u64 = 64 << 20;
// The engine keeps a leaf of more than a quarter of a segment in a file that it never syncs. A leaf holds up to about
// twenty records, so twenty of the largest must fit.
const SEGMENT: usize = 8 << 20;
const ASIDE_MAX: u32 = 1_000;
const HELD_TRIES: u32 = 40;
const LOCKED_TRIES: u32 = 1_000;
const LOCKED_PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};

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
        assert_eq!(sandbox.names(), ["store", "store.lock", "store.marker"]);
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
        assert!(matches!(
            refusal(sandbox.try_open()),
            OpenError::Vanished { .. }
        ));
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
        fs::remove_file(sandbox.path().join(MARKER)).unwrap();
        assert_eq!(sandbox.open().view().count(&NOTES).unwrap(), 1);
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
}
