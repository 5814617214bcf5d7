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
pub(super) fn remove_unless_held(
    path: &Path,
    what: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let facts = path.symlink_metadata()?;
    if !facts.is_file() || facts.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let file = File::open(path)?;
    // Somebody else may have removed it since, and made another one of that name.
    if file.try_lock().is_err() || file.metadata()?.nlink() == 0 {
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

/// Where there may be folders for what is only looked at.
pub(super) enum Place {
    /// The data folder, which holds nothing of anybody else's.
    Own(PathBuf),
    /// A folder everybody uses.
    Shared(PathBuf),
}

impl Place {
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Own(folder) | Self::Shared(folder) => folder,
        }
    }

    fn prefix(&self) -> &'static str {
        match self {
            Self::Own(_) => SCRATCH,
            Self::Shared(_) => SHARED_SCRATCH,
        }
    }

    /// Whether [`Scratch`] gives such names here.
    fn gives(&self, name: &str) -> bool {
        let number = name.strip_prefix(self.prefix());
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        number.is_some_and(|number| number.len() == DIGITS && number.bytes().all(is_digit))
    }
}

/// A folder for what is only looked at. It goes with its owner, who holds a file beside it.
pub(super) struct Scratch {
    path: PathBuf,
    _held: File,
}

impl Scratch {
    /// In a folder that exists and has room for a store of so many bytes; what processes left there that were killed
    /// goes first.
    pub(super) fn within(place: &Place, bytes: u64) -> Result<Self, Error> {
        let folder = place.folder();
        remove_abandoned(place);
        storage::has_room("a copy of the store to look at", folder, bytes)?;
        let refused = |error| Error::Refused(format!("{}: {error}", folder.display()));
        for _ in 1..TRIES {
            if let Ok(scratch) = Self::make(place) {
                return Ok(scratch);
            }
        }
        Self::make(place).map_err(refused)
    }

    fn make(place: &Place) -> io::Result<Self> {
        // Any name will do that is nobody's; a process has the number of another one where it sees only its own.
        let name = RandomState::new().hash_one(std::process::id());
        let name = format!("{}{name:0DIGITS$x}", place.prefix());
        let path = place.folder().join(name);
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

/// A folder without its file is abandoned: the file is made before it and removed behind it. Where others make folders
/// too, such a one may be theirs.
fn remove_abandoned(place: &Place) {
    let folder = place.folder();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        let of = name.strip_suffix(HELD);
        if !place.gives(of.unwrap_or(name)) {
            continue;
        }
        let removed = if let Some(of) = of {
            let of = folder.join(of);
            remove_unless_held(&path, || remove_own_folder(&of))
        } else if matches!(place, Place::Shared(_)) || beside(&path, HELD).exists() {
            Ok(())
        } else {
            remove_own_folder(&path)
        };
        if let Err(error) = removed {
            tracing::debug!("{} cannot be removed: {error}", path.display());
        }
    }
}

fn remove_own_folder(path: &Path) -> io::Result<()> {
    let facts = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        facts => facts?,
    };
    if !facts.is_dir() || facts.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it is no folder of ours"));
    }
    fs::remove_dir_all(path)
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
const SHARED_SCRATCH: &str = "admit-scratch.";
const DIGITS: usize = 16;
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
        // As of processes that were killed, early and late.
        for left in ["scratch.0000000000000001", "scratch.00000000000000ff"] {
            fs::create_dir_all(folder.path().join(left).join("store")).unwrap();
        }
        File::create(folder.path().join("scratch.00000000000000ff.held")).unwrap();
        let place = Place::Own(folder.path().to_owned());
        let first = Scratch::within(&place, 0).unwrap();
        let second = Scratch::within(&place, 0).unwrap();
        assert!(first.path().is_dir() && second.path().is_dir());
        assert_ne!(first.path(), second.path());
        assert_eq!(names(folder.path()).len(), 4, "{:?}", names(folder.path()));
        drop((first, second));
        assert!(names(folder.path()).is_empty());
    }

    fn left_after_a_look(place: &Place, folders: &[&str], held: &[&str]) -> Vec<String> {
        for name in folders {
            fs::create_dir_all(place.folder().join(name).join("precious")).unwrap();
        }
        for name in held {
            File::create(place.folder().join(name)).unwrap();
        }
        drop(Scratch::within(place, 0).unwrap());
        let mut left = names(place.folder());
        left.sort();
        left
    }

    #[test]
    fn a_scratch_folder_of_somebody_elses_is_not_taken_for_an_abandoned_one() {
        let folder = tempfile::tempdir().unwrap();
        let shared = Place::Shared(folder.path().to_owned());
        // Nobody of ours gives such names, or nothing says that it is ours.
        let theirs = [
            "scratch.0123456789abcdef",
            "scratch.deploy",
            "admit-scratch.0123456789abcdef",
            "admit-scratch.0123456789ABCDEF",
            "admit-scratch.notes",
        ];
        let ours = "admit-scratch.00000000000000ff";
        let held = [
            "admit-scratch.00000000000000ff.held",
            "admit-scratch.notes.held",
        ];
        let left = left_after_a_look(&shared, &[&theirs[..], &[ours]].concat(), &held);
        let mut expected = [&theirs[..], &["admit-scratch.notes.held"]].concat();
        expected.sort_unstable();
        assert_eq!(left, expected);
        assert!(folder.path().join("scratch.deploy/precious").is_dir());
    }

    #[test]
    fn in_the_data_folder_too_only_names_that_are_given_are_taken_for_abandoned() {
        let folder = tempfile::tempdir().unwrap();
        let own = Place::Own(folder.path().to_owned());
        let left = left_after_a_look(&own, &["scratch.notes", "scratch.0123456789abcdef"], &[]);
        assert_eq!(left, ["scratch.notes"]);
    }
}
