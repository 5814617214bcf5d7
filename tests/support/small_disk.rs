//! File systems of a test's own, small enough to be filled.
//!
//! A test runs itself again in a mount and process namespace of its own: whatever ends it, the mounts, the loop devices
//! and the servers go with it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the test named so in namespaces of its own; where they, or loop devices, are not to be had, says so in the last
/// lines of `tests/run`.
pub(crate) fn in_a_namespace(name: &str, test: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    if std::env::var_os(INSIDE).is_some() {
        return test(folder.path());
    }
    if let Err(why) = can_mount(folder.path()) {
        let told = format!("{name} SKIPPED: {why}\n");
        print!("{told}");
        let skipped = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
        fs::create_dir_all(&skipped).unwrap();
        return fs::write(skipped.join(name.replace("::", ".")), told).unwrap();
    }
    let output = Command::new("unshare")
        .args(NAMESPACES)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

fn can_mount(folder: &Path) -> Result<(), String> {
    let script = format!(
        "set -e; cd {}; truncate -s 16M x; mkfs.ext4 -q -F x; mkdir m; mount -o loop x m",
        folder.display()
    );
    let tried = Command::new("unshare")
        .args(NAMESPACES)
        .args(["sh", "-c", &script])
        .output();
    let tried = tried.map_err(|error| format!("unshare: {error}"))?;
    if tried.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&tried.stderr);
    Err(said.trim().replace('\n', "; "))
}

/// An ext4 file system of so many bytes, mounted below `folder`.
pub(crate) fn ext4(folder: &Path, bytes: u64) -> PathBuf {
    let (image, disk) = (folder.join("disk.img"), folder.join("disk"));
    File::create(&image).unwrap().set_len(bytes).unwrap();
    fs::create_dir(&disk).unwrap();
    run("mkfs.ext4", &["-q", "-F", text(&image)]);
    run("mount", &["-o", "loop", text(&image), text(&disk)]);
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

fn run(program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {said}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const INSIDE: &str = "ADMIT_TEST_SMALL_DISK_INSIDE";
const NAMESPACES: [&str; 7] = [
    "--mount",
    "--propagation",
    "private",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];
