//! Room on the disk: the engine must never meet a full one, because the first write that fails is final.
//!
//! Room for what comes is set aside behind the end of the engine's file before anything is accepted, so that nobody else
//! on the machine can take it. Ordinary writes are refused while some of it is left, and what takes rights away lives on
//! the rest. It comes back by itself: whoever writes next after there is space again finds it set aside.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FallocateFlags, fallocate, fstatvfs, statvfs};
use rustix::process::{Resource, getrlimit};

use crate::kernel::files;

/// What a write is for, which decides how little room may be left for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Anything else.
    Ordinary,
    /// It takes rights away, or makes room.
    Vital,
}

/// How much room there is for the engine to write.
pub(super) struct Space {
    db: File,
    aside: Mutex<Aside>,
    room: AtomicU64,
}

/// The file's length, and up to where room is set aside.
#[derive(Clone, Copy)]
struct Aside {
    length: u64,
    upto: u64,
}

impl Space {
    /// The room of the engine whose files are in `folder`.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let db = File::options().write(true).open(folder.join("db"))?;
        let found = db.metadata()?;
        let length = found.len();
        // What was set aside before stays so.
        let upto = length.max(found.blocks() * BLOCK);
        let space = Self {
            db,
            aside: Mutex::new(Aside { length, upto }),
            room: AtomicU64::new(0),
        };
        space.look();
        Ok(space)
    }

    /// Sets room aside as far as there is any, and takes note of how much that is.
    pub(super) fn look(&self) {
        // A file that cannot be asked about is for the engine to stumble over.
        let room = self.measure().unwrap_or(u64::MAX);
        self.room.store(room, Ordering::SeqCst);
    }

    /// Whether there is room for such a write.
    pub(super) fn permits(&self, need: Need) -> bool {
        let floor = match need {
            Need::Ordinary => ORDINARY,
            Need::Vital => VITAL,
        };
        self.room.load(Ordering::SeqCst) >= floor
    }

    fn measure(&self) -> io::Result<u64> {
        let length = self.db.metadata()?.len();
        let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        if length < aside.length {
            // The engine gave its end back, and with it what was set aside behind it.
            aside.upto = length;
        }
        aside.length = length;
        let mut room = aside.upto.saturating_sub(length);
        if room < AHEAD - SLACK {
            room = match self.set_aside(&mut aside) {
                Ok(()) => aside.upto.saturating_sub(length),
                // Not every file system can; its free space has to do.
                Err(error) if error.kind() == ErrorKind::Unsupported => self.free()?,
                Err(_) => room,
            };
        }
        let most = getrlimit(Resource::Fsize).current;
        Ok(most.map_or(room, |most| room.min(most.saturating_sub(length))))
    }

    fn set_aside(&self, aside: &mut Aside) -> io::Result<()> {
        let room = aside.upto.saturating_sub(aside.length);
        // Not the last of it: the markers and whatever else stands on this disk need some.
        let mut missing = (AHEAD - room).min(self.free()?.saturating_sub(OTHERS));
        let from = aside.upto.max(aside.length);
        // Also what the engine left out below its end, which it will fill.
        let begin = from.saturating_sub(BELOW);
        let take = |upto: u64| -> io::Result<()> {
            let length = upto.saturating_sub(begin);
            Ok(fallocate(
                &self.db,
                FallocateFlags::KEEP_SIZE,
                begin,
                length,
            )?)
        };
        while missing >= LEAST {
            match take(from + missing) {
                Ok(()) => {
                    aside.upto = from + missing;
                    break;
                }
                // A quota leaves less than the disk has free, and does not say how much.
                Err(error) if is_no_room(&error) => missing /= 2,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        let found = fstatvfs(&self.db)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

/// Whether that says that the disk is full, or the quota of whoever we run as.
pub(super) fn is_no_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// Keeps some room in the data folder for the next start, which needs some also where nothing else is written. What
/// cannot be had is not kept.
pub(super) fn keep_reserve(data_dir: &Path) {
    let path = data_dir.join(RESERVE);
    let has_room = statvfs(data_dir)
        .is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) >= 2 * RESERVED);
    if path.exists() || !has_room {
        return;
    }
    let kept = files::create_private(&path)
        .and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, RESERVED)?));
    if kept.is_err() {
        let _ = fs::remove_file(&path);
    }
}

/// Gives that room up; false where there was none.
pub(super) fn give_up_reserve(data_dir: &Path) -> bool {
    fs::remove_file(data_dir.join(RESERVE)).is_ok()
}

const RESERVE: &str = "store.reserve";
/// The engine writes a table of its pages at every start, and what its log lacks to a whole segment.
const RESERVED: u64 = 16 * MIB;

/// What a file's blocks are counted in (stat(2)).
const BLOCK: u64 = 512;
const MIB: u64 = 1024 * 1024;
/// How much is set aside where there is space.
const AHEAD: u64 = 48 * MIB;
/// How much of it may be used before more is set aside.
const SLACK: u64 = 8 * MIB;
/// Below this, ordinary writes are refused. Two batches of four mebibytes may have been accepted before that is noticed,
/// and the engine may write the leaves they touch anew.
const ORDINARY: u64 = 32 * MIB;
/// Below this, everything is.
const VITAL: u64 = 12 * MIB;
/// How much is left for others.
const OTHERS: u64 = 4 * MIB;
/// It is not worth asking for less.
const LEAST: u64 = MIB;
/// Two of the engine's segments, which it may fill out of order.
const BELOW: u64 = 16 * MIB;

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_quota_that_is_used_up_is_a_full_disk_and_nothing_else_is() {
        for (code, expected) in [
            (Errno::NOSPC, true),
            (Errno::DQUOT, true),
            (Errno::IO, false),
            (Errno::FBIG, false),
            (Errno::OPNOTSUPP, false),
        ] {
            assert_eq!(is_no_room(&code.into()), expected, "{code}");
        }
        assert!(!is_no_room(&io::Error::other("No space left on device")));
    }
}
