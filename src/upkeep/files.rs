//! Files and folders of ours: whole or absent, and for their owner alone.

use std::collections::hash_map::RandomState;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::hash::BuildHasher as _;
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{Error, storage};
pub(super) use crate::kernel::files::{
    beside, create_private, make_private, remove_if_there, sync_folder, write_private,
};
use crate::kernel::{Fault, Secret};

/// A private file that was not there, held for as long as it is open: whoever removes what was abandoned leaves it
/// alone. Where the disk knows no locks, nothing is taken for abandoned.
pub(super) fn create_held(path: &Path) -> io::Result<File> {
    let file = create_private(path)?;
    let is_taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    if is_taken || file.metadata()?.nlink() == 0 {
        return Err(io::Error::other(
            "another process took it for abandoned: try again",
        ));
    }
    Ok(file)
}

/// Removes a file that was made by [`create_held`] and is held no more, behind what it stands for.
fn remove_unless_held(path: &Path, what: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let facts = path.symlink_metadata()?;
    if !facts.is_file() || facts.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let file = File::open(path)?;
    if file.try_lock().is_err() {
        return Ok(());
    }
    what()?;
    fs::remove_file(path)
}

/// Removes the files with this ending that nobody holds: whoever made them was killed.
pub(super) fn remove_unfinished(folder: &Path, ending: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().ends_with(ending) {
            continue;
        }
        if let Err(error) = remove_unless_held(&entry.path(), || Ok(())) {
            tracing::warn!("{} cannot be removed: {error}", entry.path().display());
        }
    }
}

/// The one line of a secret's file. Where it is a file and not a pipe, nobody else may read it.
pub(super) fn read_line(path: &Path) -> Result<Secret<String>, Error> {
    let shown = path.display();
    let failed = |error: io::Error| Error::Refused(format!("{shown}: {error}"));
    let mut file = File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    let mode = facts.permissions().mode() & 0o777;
    if facts.is_file() && mode & 0o077 != 0 {
        return Err(Error::Refused(format!(
            "{shown}: others can read this secret (mode {mode:o}): run `chmod 600 {shown}`"
        )));
    }
    let text = io::read_to_string((&mut file).take(LINE_MAX)).map_err(failed)?;
    let text = Secret::new(text);
    let line = text.expose().trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains(char::is_control) {
        let why = format!("{shown}: a secret is one line of text");
        return Err(Error::Refused(why));
    }
    Ok(Secret::new(line.to_owned()))
}

/// A folder for what is only looked at. It goes with its owner, who holds a file beside it.
pub(super) struct Scratch {
    path: PathBuf,
    _held: File,
}

impl Scratch {
    /// In a folder that exists and has room for a store of so many bytes; what processes left there that were killed
    /// goes first.
    pub(super) fn within(folder: &Path, bytes: u64) -> Result<Self, Error> {
        remove_abandoned(folder);
        storage::has_room("a copy of the store to look at", folder, bytes)?;
        let refused = |error| Error::Refused(format!("{}: {error}", folder.display()));
        for _ in 1..TRIES {
            if let Ok(scratch) = Self::make(folder) {
                return Ok(scratch);
            }
        }
        Self::make(folder).map_err(refused)
    }

    fn make(folder: &Path) -> io::Result<Self> {
        // Any name will do that is nobody's; a process has the number of another one where it sees only its own.
        let name = RandomState::new().hash_one(std::process::id());
        let path = folder.join(format!("{SCRATCH}{name:016x}"));
        let held = create_held(&beside(&path, HELD))?;
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, _held: held })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.path)
            .and_then(|()| remove_if_there(&beside(&self.path, HELD)));
        if let Err(error) = removed {
            tracing::warn!("{} cannot be removed: {error}", self.path.display());
        }
    }
}

/// A folder without its file is abandoned: the file is made before it and removed behind it.
fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(SCRATCH)) else {
            continue;
        };
        let removed = if let Some(of) = name.strip_suffix(HELD) {
            let of = folder.join(of);
            remove_unless_held(&path, || match fs::remove_dir_all(&of) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            })
        } else if beside(&path, HELD).exists() {
            Ok(())
        } else {
            fs::remove_dir_all(&path)
        };
        if let Err(error) = removed {
            tracing::debug!("{} cannot be removed: {error}", path.display());
        }
    }
}

/// Something of the machine's failed in the midst of the work.
pub(super) fn broke(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |error| {
        if error.kind() == io::ErrorKind::PermissionDenied {
            let words = format!(
                "{}: {error}. Whoever has the store reads and writes such files: a server that runs may not reach every folder",
                path.display()
            );
            return Error::Refused(words);
        }
        Fault::internal(path.display().to_string())
            .because(error)
            .into()
    }
}

const SCRATCH: &str = "scratch.";
const HELD: &str = ".held";
const TRIES: usize = 8;
const LINE_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let all = fs::read_dir(folder).unwrap();
        all.map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_scratch_folder_in_use_is_left_alone_and_an_abandoned_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        // As of a process with the number of another one, and of one that was killed.
        for left in ["scratch.1", "scratch.00ff"] {
            fs::create_dir_all(folder.path().join(left).join("store")).unwrap();
        }
        File::create(folder.path().join("scratch.00ff.held")).unwrap();
        let first = Scratch::within(folder.path(), 0).unwrap();
        let second = Scratch::within(folder.path(), 0).unwrap();
        assert!(first.path().is_dir() && second.path().is_dir());
        assert_ne!(first.path(), second.path());
        assert_eq!(names(folder.path()).len(), 4, "{:?}", names(folder.path()));
        drop((first, second));
        assert!(names(folder.path()).is_empty());
    }
}
