//! Files of ours that are whole or absent, and for their owner alone.
//!
//! Root's commands write in folders of the service's user, who could put a link in the place of a file that is about to be
//! written: what is there is taken away first, and the file is made anew, never opened.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Opens a file for writing that was not there, readable by its owner alone.
pub fn create_private(path: &Path) -> io::Result<File> {
    create(path, PRIVATE)
}

/// Writes a file that is whole or as it was, readable by its owner alone, and durable when this returns.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, PRIVATE)
}

/// The same for what everybody may read.
pub fn write_public(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, PUBLIC)
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true).mode(mode).open(path)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let unfinished = beside(path, ".unfinished");
    remove_if_there(&unfinished)?;
    let mut file = create(&unfinished, mode)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| fs::rename(&unfinished, path)) {
        // On a full disk half a file would be in the way of what makes room.
        let _ = remove_if_there(&unfinished);
        return Err(error);
    }
    sync_folder(path)
}

/// Makes a folder, and those above it, that only we can enter.
pub fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The path with something at its end.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Removes a file, or a link and not what it leads to.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Has the folder a path is in remember its names.
pub fn sync_folder(of: &Path) -> io::Result<()> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    #[test]
    fn what_cannot_be_put_in_place_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        write_public(&path, b"whole").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::remove_dir(&path).unwrap();
        write_public(&path, b"whole").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o077, 0o044);
    }

    #[test]
    fn a_link_in_the_place_of_an_unfinished_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let [path, precious] = ["key", "precious"].map(|name| folder.path().join(name));
        fs::write(&precious, "precious").unwrap();
        symlink(&precious, beside(&path, ".unfinished")).unwrap();
        write_private(&path, b"whole").unwrap();
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode(), 0o100_600);
    }
}
