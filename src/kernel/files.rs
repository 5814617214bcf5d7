//! Files of ours that are whole or absent, and for their owner alone.
//!
//! Root's commands write in folders of the service's user, who could put a link in the place of a file that is about to be
//! written: what is there is taken away first, and the file is made anew, never opened.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Opens a file for writing that was not there, readable by its owner alone.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600).open(path)
}

/// Writes a file that is whole or as it was, readable by its owner alone, and durable when this returns.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = beside(path, ".unfinished");
    remove_if_there(&unfinished)?;
    let mut file = create_private(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync_folder(path)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

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
