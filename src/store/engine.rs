//! The storage engine's own start: its settings, the lock it may hold for a moment longer, and what its refusal means.
//! Whether what it opened may be used is `opening`'s business.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::guard;
use super::refused::OpenError;

/// Starts an engine in a folder that is made for it.
pub(super) fn start_new(folder: &Path) -> io::Result<sled::Db> {
    DirBuilder::new().mode(0o700).create(folder)?;
    start(folder).map_err(|trouble| io::Error::other(trouble.unmoved(folder)))
}

/// Starts the engine. Its threads may outlive the last one by a moment and keep its files locked; nobody else can.
pub(super) fn start(folder: &Path) -> Result<sled::Db, Trouble> {
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

pub(super) fn guarded<T>(engine: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, Trouble> {
    guard::guarded(engine).map_err(Trouble::of)
}

/// A kill while the engine starts can leave a snapshot it would take for its newest, and then never open again.
pub(super) fn remove_torn_snapshots(folder: &Path) -> io::Result<()> {
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

/// The engine of a store that is being made.
pub(super) fn engine_at(folder: &Path) -> Result<sled::Db, OpenError> {
    start(folder).map_err(|trouble| trouble.unmoved(folder))
}

/// Waits until no thread of the engine that was closed writes in its folder any more: until it gives up its lock.
pub(super) fn await_closed(folder: &Path) -> io::Result<()> {
    let file = File::open(folder.join("db"))?;
    for _ in 0..LOCKED_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCKED_PAUSE),
            Err(TryLockError::Error(cause)) => return Err(cause),
        }
    }
    Err(io::Error::other("the engine does not close"))
}

/// Why the engine did not start.
pub(super) enum Trouble {
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
            sled::Error::ReportableBug(why) => Self::Damage(why),
            other @ (sled::Error::CollectionNotFound(_) | sled::Error::Unsupported(_)) => {
                Self::Damage(other.to_string())
            }
            sled::Error::Corruption { .. } => {
                Self::Damage("a page or the table of pages is not as it was written".to_owned())
            }
        }
    }

    /// What the engine said of its files, if it is them.
    pub(super) fn damage(self) -> Result<String, Self> {
        if let Self::Damage(why) = self {
            return Ok(why);
        }
        Err(self)
    }

    pub(super) fn unmoved(self, path: &Path) -> OpenError {
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

// Nearly all a store takes is the engine's page table; what is read again stays in the system's own cache (decision 0043).
const CACHE: u64 = 8 << 20;
// The engine keeps a leaf of more than a quarter of a segment in a file that it never syncs. A leaf holds up to about
// twenty records, so twenty of the largest must fit.
const SEGMENT: usize = 8 << 20;
const LOCKED_TRIES: u32 = 1_000;
const LOCKED_PAUSE: Duration = Duration::from_millis(5);
