//! The file of a backup: a header in plain, and behind it, compressed and then encrypted, what is carried beside the
//! store and the store's records.
//!
//! ```text
//! "admit backup\n"  length of the header (u32, little-endian)  header (JSON)  check (16 bytes)  chunks
//! ```
//!
//! The chunks are those of `crypto::stream`; deflated inside them stand the length of what is carried (u32), that (JSON),
//! and what `store::dump` writes. Nothing of it is ever on a disk in plain.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use super::lock::{Carried, Key, LockedWith, Unlock};
use crate::crypto::stream::{CHECK_LEN, Sealing, StreamKey, Unsealing};
use crate::kernel::{Entropy, Fault, Secret, Timestamp, hex};
use crate::upkeep::{Error, files};

/// What anybody can read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Header {
    format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// When it was begun.
    pub begun_at: String,
    /// What opens it.
    pub locked_with: LockedWith,
    /// Makes its key its own.
    salt: String,
}

impl Header {
    pub(super) fn new(now: Timestamp, locked_with: LockedWith, entropy: &dyn Entropy) -> Self {
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            begun_at: now.to_millis().to_string(),
            locked_with,
            salt: hex::encode(&entropy.bytes::<32>()),
        }
    }
}

/// What a backup holds besides the store.
#[derive(Serialize, Deserialize)]
pub(in crate::upkeep) struct Beside {
    /// So that one file and one passphrase are all that a new machine needs.
    pub(in crate::upkeep) master_key: Option<Carried>,
    /// Files of the data folder, by their path in it.
    pub(in crate::upkeep) files: Vec<(PathBuf, String)>,
}

/// A backup that is being written.
pub(super) struct Making {
    path: PathBuf,
    unfinished: Unfinished,
    out: DeflateEncoder<Sealing<BufWriter<File>>>,
}

/// A file that goes unless it is finished.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = files::remove_if_there(&self.0);
    }
}

impl Making {
    /// Begins a file that must not be there.
    pub(super) fn begin(
        path: &Path,
        header: &Header,
        key: &Key,
        beside: &Beside,
    ) -> Result<Self, Error> {
        let shown = path.display();
        let refused = |error: io::Error| Error::Refused(format!("{shown}: {error}"));
        refuse_if_there(path)?;
        let unfinished = free_unfinished(path)?;
        let mut file = BufWriter::new(files::create_held(&unfinished).map_err(refused)?);
        let unfinished = Unfinished(unfinished);
        // Another making of it may have been finished since.
        refuse_if_there(path)?;
        let failed = files::broke(path);
        let header = serde_json::to_vec(header).map_err(|error| failed(error.into()))?;
        let key = StreamKey::derive(key, &header)?;
        let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
        for part in [MAGIC, &length.to_le_bytes(), &header, key.check()] {
            file.write_all(part).map_err(&failed)?;
        }
        let mut out = DeflateEncoder::new(Sealing::to(file, key), Compression::new(LEVEL));
        let beside = serde_json::to_vec(beside).map_err(|error| failed(error.into()))?;
        let beside = Secret::new(beside);
        let length = u32::try_from(beside.expose().len()).unwrap_or(u32::MAX);
        let written = out.write_all(&length.to_le_bytes());
        written
            .and_then(|()| out.write_all(beside.expose()))
            .map_err(&failed)?;
        Ok(Self {
            path: path.to_owned(),
            unfinished,
            out,
        })
    }

    /// The whole file at its place, durable. How many bytes it has.
    pub(super) fn finish(self) -> Result<u64, Error> {
        let Self {
            path,
            unfinished,
            out,
        } = self;
        let finished = out.finish().and_then(|sealing| {
            let file = sealing.finish()?.into_inner()?;
            file.sync_all()?;
            let length = file.metadata()?.len();
            fs::rename(&unfinished.0, &path)?;
            files::sync_folder(&path)?;
            Ok(length)
        });
        finished.map_err(files::broke(&path))
    }
}

fn refuse_if_there(path: &Path) -> Result<(), Error> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let shown = path.display();
    let why = format!("{shown} is there already, and a backup replaces nothing");
    Err(Error::Refused(why))
}

/// Where a backup is written until it is whole. What a killed one left there goes; what somebody writes stays.
fn free_unfinished(path: &Path) -> Result<PathBuf, Error> {
    let unfinished = files::beside(path, UNFINISHED);
    let removed = files::remove_unless_held(&unfinished, || Ok(()));
    let (shown, beside) = (path.display(), unfinished.display());
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::Refused(format!("{beside}: {error}")));
        }
        Ok(()) | Err(_) => {}
    }
    if unfinished.symlink_metadata().is_ok() {
        return Err(Error::Refused(format!(
            "{shown} is being made already: wait for it, or name another file. If nobody makes it, remove {beside}"
        )));
    }
    Ok(unfinished)
}

impl Write for Making {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The header of a backup, without opening it.
pub(super) fn header(path: &Path) -> Result<Header, Error> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(read_header(&mut BufReader::new(file), path)?.0)
}

fn read_header(from: &mut impl Read, path: &Path) -> Result<(Header, Vec<u8>), Error> {
    let shown = path.display();
    let foreign = || Error::Refused(format!("{shown} is not a backup of this program"));
    let mut exactly = |length: usize| {
        let mut bytes = vec![0; length];
        match from.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(foreign()),
            Err(error) => Err(unreadable(path, &error)),
        }
    };
    if exactly(MAGIC.len())? != MAGIC {
        return Err(foreign());
    }
    let length = exactly(4)?;
    let length = length.first_chunk().copied().unwrap_or_default();
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > HEADER_MAX {
        return Err(damaged(path, "its header is damaged"));
    }
    let bytes = exactly(length)?;
    let header = serde_json::from_slice::<Header>(&bytes);
    let header = header.map_err(|_| damaged(path, "its header is damaged"))?;
    if header.format > FORMAT {
        let program = plain(&header.program);
        return Err(Error::Refused(format!(
            "{shown} was made by version {program}, in a form this program does not know: use that version or a newer one"
        )));
    }
    Ok((header, bytes))
}

/// A backup that is open.
pub(in crate::upkeep) struct Reading {
    pub(in crate::upkeep) header: Header,
    pub(in crate::upkeep) beside: Beside,
    body: DeflateDecoder<Unsealing<BufReader<File>>>,
}

impl Reading {
    pub(in crate::upkeep) fn open(path: &Path, unlock: &Unlock) -> Result<Self, Error> {
        let (header, file, key) = unlocked(path, unlock)?;
        let mut body = DeflateDecoder::new(Unsealing::from(file, key));
        let beside = read_beside(&mut body).map_err(|error| unreadable(path, &error))?;
        let beside = serde_json::from_slice(beside.expose());
        let beside = beside.map_err(|_| damaged(path, "what it carries cannot be read"))?;
        Ok(Self {
            header,
            beside,
            body,
        })
    }

    /// The master key its records are good under.
    pub(in crate::upkeep) fn master_key(&self, unlock: &Unlock) -> Result<Key, Error> {
        match (&self.beside.master_key, unlock) {
            (Some(Carried(key)), _) | (None, Unlock::MasterKey(key)) => Ok(key.clone()),
            (None, Unlock::Key(_) | Unlock::Passphrase(_) | Unlock::Nothing) => {
                Err(Fault::internal("the backup carries no master key, and none was given").into())
            }
        }
    }
}

impl Read for Reading {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.body.read(to)
    }
}

/// A backup this is the right secret for; behind the header nothing is read yet.
pub(super) fn unlocked(
    path: &Path,
    unlock: &Unlock,
) -> Result<(Header, BufReader<File>, StreamKey), Error> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut file = BufReader::new(file);
    let (header, bytes) = read_header(&mut file, path)?;
    let key = unlock.key(&header.locked_with);
    let key = key.map_err(|why| damaged(path, &why))?;
    let mut check = [0; CHECK_LEN];
    file.read_exact(&mut check)
        .map_err(|_| damaged(path, "it ends early"))?;
    let key = StreamKey::derive(&key, &bytes)?;
    if !key.is_right(&check) {
        let with = header.locked_with.words();
        return Err(Error::Refused(format!(
            "{} does not open: it is locked with {with}, and this is another one; or its header is damaged",
            path.display()
        )));
    }
    Ok((header, file, key))
}

fn read_beside(body: &mut impl Read) -> io::Result<Secret<Vec<u8>>> {
    let mut length = [0; 4];
    body.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > BESIDE_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut beside = Vec::new();
    body.take(length.into()).read_to_end(&mut beside)?;
    Ok(Secret::new(beside))
}

/// Somebody else may have written it.
pub(in crate::upkeep) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

pub(in crate::upkeep) fn unreadable(path: &Path, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::InvalidData || error.kind() == io::ErrorKind::UnexpectedEof {
        return damaged(path, &format!("it is damaged: {error}"));
    }
    Error::Refused(format!("{}: {error}", path.display()))
}

pub(in crate::upkeep) fn damaged(path: &Path, why: &str) -> Error {
    Error::Refused(format!("{}: {why}", path.display()))
}

const MAGIC: &[u8] = b"admit backup\n";
const FORMAT: u32 = 1;
/// Most of what is inside cannot be pressed much: a fast level loses little.
const LEVEL: u32 = 2;
const HEADER_MAX: usize = 4096;
const BESIDE_MAX: u32 = 4 << 20;
pub(in crate::upkeep) const UNFINISHED: &str = ".unfinished";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SeededEntropy;
    use crate::upkeep::backup::named;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_303_402);

    fn begin(path: &Path) -> Result<Making, Error> {
        let header = Header::new(NOW, LockedWith::KeyFile, &SeededEntropy::new(1));
        let beside = Beside {
            master_key: None,
            files: Vec::new(),
        };
        Making::begin(path, &header, &Secret::new([7; 32]), &beside)
    }

    #[test]
    fn a_backup_that_is_being_made_is_not_destroyed_by_another_one_to_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.admit");
        // A killed one's.
        fs::write(folder.path().join("x.admit.unfinished"), "half").unwrap();
        let first = begin(&path).unwrap();
        let why = begin(&path).err().unwrap().to_string();
        assert!(why.contains("is being made already"), "{why}");
        let bytes = first.finish().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), bytes);
        let why = begin(&path).err().unwrap().to_string();
        assert!(why.contains("is there already"), "{why}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_name_that_was_given_to_a_backup_that_is_being_made_is_not_given_again() {
        let folder = tempfile::tempdir().unwrap();
        let name = || named(folder.path(), "admit-00", NOW);
        let first = name();
        let making = begin(&first).unwrap();
        let second = name();
        assert_ne!(first, second);
        begin(&second).unwrap().finish().unwrap();
        making.finish().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
