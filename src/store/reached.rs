//! How far the store had come when it was last known to be durable, noted beside the engine's files.
//!
//! The engine takes damage near the end of its log for a write that a crash cut short, and leaves out all that follows:
//! changes that were answered would be gone, and nothing would say so. Every batch carries a number, and the newest one
//! that is durable is noted here once it is; a store that opens with a lower one has lost its end. The note is not
//! synced: a kill leaves it, and a power cut leaves an older one, which is a promise kept all the more.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use crate::crypto::seal::{RECORD_TAG_LEN, RecordKey};
use crate::kernel::Fault;

use super::count::Count;
use super::guard::guarded;
use super::opening::FOLDER;
use super::record::{self, Place};
use super::view::unread;

/// Where the engine keeps the number of the newest batch; no table's name begins so.
pub(super) const PLACE: &[u8] = b"\x01batch";
/// The note's name in the engine's folder.
pub(super) const FILE: &str = "reached";

const NAMED: Place<'static> = Place {
    table: "\x01batch",
    key: b"",
};
const NUMBER: usize = size_of::<u64>();
const SIGNED: usize = NUMBER + RECORD_TAG_LEN;
const NOTE: usize = SIGNED + RECORD_TAG_LEN;

const NAME: &str = "\x01reached";

/// The record of a batch's number.
pub(super) fn record(number: u64, key: &RecordKey) -> Result<Vec<u8>, Fault> {
    record::write(&Count(number), NAMED, key)
}

/// The number of the newest batch the engine has; zero before the first.
pub(super) fn newest(db: &sled::Db, key: &RecordKey) -> Result<u64, Fault> {
    let bytes = guarded(|| db.get(PLACE)).map_err(|error| unread("(batches)", error))?;
    let Some(bytes) = bytes else { return Ok(0) };
    let Count(number) = record::read(&bytes, NAMED, key)?;
    Ok(number)
}

/// Root's commands write here too: a link somebody put there is not followed.
const NO_LINK: i32 = OFlags::NOFOLLOW.bits().cast_signed();

/// Whether the store in `data_dir` is under this key, as far as its note tells, which a running server may be writing;
/// None: there is no note, or none that can be read.
pub fn fits(data_dir: &Path, key: &RecordKey) -> io::Result<Option<bool>> {
    let mut options = File::options();
    let note = data_dir.join(FOLDER).join(FILE);
    let file = match options.read(true).custom_flags(NO_LINK).open(note) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    // One of the two is damaged more easily than both.
    Ok(parts(&file, key).map(|(_, is_signed, is_of_key)| is_signed || is_of_key))
}

/// The number, whether its checksum agrees, and whether that of the key does.
fn parts(file: &File, of: &RecordKey) -> Option<(u64, bool, bool)> {
    let mut note = [0; NOTE];
    file.read_exact_at(&mut note, 0).ok()?;
    let (number, rest) = note.split_first_chunk::<NUMBER>()?;
    let (tag, key) = rest.split_at_checked(RECORD_TAG_LEN)?;
    let is_signed = of.tag(NAME, b"", number) == tag;
    let is_of_key = of.tag(NAME, b"key", b"") == key;
    Some((u64::from_le_bytes(*number), is_signed, is_of_key))
}

/// The note, held open.
pub(super) struct Reached {
    file: File,
    key: RecordKey,
}

impl Reached {
    pub(super) fn open(folder: &Path, key: &RecordKey) -> io::Result<Self> {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let options = options.mode(0o600).custom_flags(NO_LINK);
        Ok(Self {
            file: options.open(folder.join(FILE))?,
            key: key.clone(),
        })
    }

    /// What was noted; None: nothing, or nothing that can be read, which then promises nothing.
    pub(super) fn read(&self) -> Option<u64> {
        let (number, is_signed, _) = self.parts()?;
        is_signed.then_some(number)
    }

    /// Whether it was written under another key: nothing in it is as ours would be, which damage in one place cannot do.
    pub(super) fn is_of_another_key(&self) -> bool {
        matches!(self.parts(), Some((_, false, false)))
    }

    fn parts(&self) -> Option<(u64, bool, bool)> {
        parts(&self.file, &self.key)
    }

    /// Notes that the batch of this number is durable.
    pub(super) fn note(&self, number: u64) {
        let number = number.to_le_bytes();
        let tag = self.key.tag(NAME, b"", &number);
        let key = self.key.tag(NAME, b"key", b"");
        // A note that cannot be written promises less and breaks nothing.
        let _ = self
            .file
            .write_all_at(&[&number[..], &tag, &key].concat(), 0);
    }
}
