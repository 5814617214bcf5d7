//! The Debian package in a booted Debian: installs green, stays up, keeps what it must and leaves nothing behind.
//!
//! `host.sh` builds the package around the tested program and boots the system; `inside.sh` is what is tried there.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What the script answers where containers cannot be booted.
const CANNOT: i32 = 77;

#[test]
fn heavy_package_installs_survives_and_is_purged_in_a_booted_debian() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/package/host.sh");
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let run = Command::new("bash")
        .arg(script)
        .arg(scratch.parent().unwrap())
        .arg(env!("CARGO_BIN_EXE_admit"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    print!("{said}");
    if run.status.code() == Some(CANNOT) {
        let why = said.lines().last().unwrap_or_default();
        let folder = scratch.join("skipped");
        fs::create_dir_all(&folder).unwrap();
        return fs::write(folder.join("package"), format!("PACKAGE SKIPPED: {why}\n")).unwrap();
    }
    let complaints = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{complaints}");
}
