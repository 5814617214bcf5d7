//! File systems of a test's own, small enough to be filled.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::apart::{ROOM, apart, mount, run, text};

/// Runs the test named so apart, with a folder for its disks; where loop devices are not to be had, it is skipped.
pub(crate) fn in_a_namespace(name: &str, test: impl FnOnce(&Path)) {
    let needs = "truncate -s 16M x; mkfs.ext4 -q -F x; mkdir m; mount -o loop x m";
    apart(name, needs, || test(Path::new(ROOM)));
}

/// An ext4 file system of so many bytes, mounted below `folder`.
pub(crate) fn ext4(folder: &Path, bytes: u64) -> PathBuf {
    let (image, disk) = (folder.join("disk.img"), folder.join("disk"));
    File::create(&image).unwrap().set_len(bytes).unwrap();
    fs::create_dir(&disk).unwrap();
    run("mkfs.ext4", &["-q", "-F", text(&image)]);
    mount(&image, &disk);
    disk
}

/// One in memory, of so many files.
pub(crate) fn tmpfs(folder: &Path, files: u64) -> PathBuf {
    let disk = folder.join("disk");
    fs::create_dir(&disk).unwrap();
    let options = format!("size=256m,nr_inodes={files}");
    run(
        "mount",
        &["-t", "tmpfs", "-o", &options, "none", text(&disk)],
    );
    disk
}

/// Takes all the space there is; gone with the file that is returned.
pub(crate) fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("filler");
    let mut filler = File::create(&path).unwrap();
    for size in [1 << 20, 4096] {
        while filler
            .write_all(&vec![7; size])
            .and_then(|()| filler.sync_data())
            .is_ok()
        {}
    }
    path
}

/// Takes all the files there are.
pub(crate) fn fill_with_files(disk: &Path) -> PathBuf {
    let folder = disk.join("filler");
    fs::create_dir(&folder).unwrap();
    (0..1_000_000).find(|n| File::create(folder.join(n.to_string())).is_err());
    folder
}
