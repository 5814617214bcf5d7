//! The two operations durability rests on, flush and sync: real, failing at a chosen moment, and lying.
//!
//! Only the committer calls them. The failing and the lying disk exist for tests of what the store does about it.

use std::fs::File;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use super::guard::{guarded, in_words};

/// The storage engine, which may only be told to write out what it holds.
pub struct Engine<'a>(pub(super) &'a sled::Db);

impl Engine<'_> {
    /// Writes everything applied so far into the engine's files, without waiting for the disk.
    pub fn flush(&self) -> io::Result<()> {
        guarded(|| self.0.flush()).map(drop).map_err(in_words)
    }
}

/// What the committer asks of the disk.
pub trait Disk: Send + Sync {
    /// Hands what the engine holds to the operating system.
    fn flush(&self, engine: &Engine<'_>) -> io::Result<()>;

    /// Waits until a file or a folder, held open since the store was, is on the disk itself.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Keeps an engine whose disk has failed from ever being closed: closing syncs once more, and panics when that
    /// fails.
    fn abandon(&self, engine: &Engine<'_>) {
        mem::forget(engine.0.clone());
    }
}

/// The disk of the machine.
#[derive(Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn flush(&self, engine: &Engine<'_>) -> io::Result<()> {
        engine.flush()
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }
}

/// A disk whose n-th operation, and all after it, fail as a broken one's do.
#[derive(Debug)]
pub struct FaultyDisk {
    first_failure: u64,
    done: AtomicU64,
}

impl FaultyDisk {
    /// Fails from the `n`-th operation on, counted from one over flushes and syncs alike.
    pub fn failing_at(n: u64) -> Self {
        Self {
            first_failure: n,
            done: AtomicU64::new(0),
        }
    }

    /// How many operations were asked for so far.
    pub fn operations(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    fn step(&self) -> io::Result<()> {
        let this = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        if this >= self.first_failure {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }
}

impl Disk for FaultyDisk {
    fn flush(&self, engine: &Engine<'_>) -> io::Result<()> {
        self.step()?;
        RealDisk.flush(engine)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.step()?;
        RealDisk.sync(file)
    }

    /// The test that made it fail will want to open the store again.
    fn abandon(&self, _: &Engine<'_>) {}
}

/// A disk that says it has synced and has not: the engine as it comes, for the power-cut test to catch.
#[derive(Debug, Default)]
pub struct LyingDisk;

impl Disk for LyingDisk {
    fn flush(&self, engine: &Engine<'_>) -> io::Result<()> {
        engine.flush()
    }

    fn sync(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

const EIO: i32 = 5;
