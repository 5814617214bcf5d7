//! The Debian package in a booted Debian: installs green, stays up, keeps what it must and leaves nothing behind.
//!
//! `host.sh` builds the package around the tested program and boots the system; `inside.sh` is what is tried there.

use std::fs;
use std::os::unix::fs::symlink;
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

/// What `admit` stands for when root types it with these words: its program, or what lowers root first.
fn typed_by_root(words: &[&str]) -> String {
    let line = line_of_root(words);
    line.split(' ').next().unwrap().to_owned()
}

/// The whole line it stands for: the wrapper with words in the places of its programs.
fn line_of_root(words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let wrapper = include_str!("../../packaging/debian/admit");
    assert!(wrapper.contains("program=/usr/lib/admit/admit\n"));
    let wrapper = wrapper
        .replace("program=/usr/lib/admit/admit\n", "program=plain\n")
        .replace("exec ", "becomes ");
    let words_in_place = "id() { echo 0; }\nbecomes() { echo \"$*\"; exit; }\n";
    let wrapper = format!("{words_in_place}{wrapper}");
    let path = folder.path().join("admit");
    fs::write(&path, wrapper).unwrap();
    let said = Command::new("sh")
        .arg(path)
        .args(words)
        .env_remove("ADMIT_CONFIG")
        .output()
        .unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

#[test]
fn root_starts_stand_ins_as_root_and_never_as_a_user_who_cannot_write_there() {
    for words in [
        &["stand-ins", "--folder", "here"][..],
        &["man", "pages"],
        &["completions", "bash"],
        &["--help"],
        &[],
        &["tour", "--data", "./admit-data"],
    ] {
        assert_eq!(typed_by_root(words), "plain", "{words:?}");
    }
    for words in [
        &["tour"][..],
        &["tour", "--stand-ins", "https://127.0.0.1:9443"],
        &["user", "create", "man"],
        &["serve"],
    ] {
        assert_eq!(typed_by_root(words), "setpriv", "{words:?}");
    }
}

#[test]
fn root_keeps_the_way_to_write_only_for_a_file_outside_the_services_folder() {
    let link = tempfile::tempdir().unwrap();
    let planted = link.path().join("backups");
    symlink("/var/lib/admit/backups", &planted).unwrap();
    let planted = planted.join("file");
    let may_write = |words: &[&str]| line_of_root(words).contains("+dac_override");
    for words in [
        &["backup", "create", "/root/file"][..],
        &["backup", "--json", "create", "--passphrase", "/root/file"],
        &["backup", "create", "--key-file", "/root/key", "/root/file"],
        &["--json", "audit", "export", "file"],
        &["store", "export", "/root/file", "--key-file=/root/key"],
        &["restore", "/root/file"],
    ] {
        assert!(may_write(words), "{words:?}");
    }
    for words in [
        &["backup", "create"][..],
        &["backup", "create", "--json"],
        &["backup", "create", "--passphrase-file", "/root/passphrase"],
        &["backup", "create", "/var/lib/admit/backups/file"],
        &["backup", "create", "/var/lib/../lib//admit/backups/file"],
        &["backup", "create", planted.to_str().unwrap()],
        &["backup", "verify", "/root/file"],
        &["audit", "export", "--json"],
        &["audit", "list", "--action", "backup create /root/file"],
        &["org", "create", "backup create /root/file"],
    ] {
        assert!(!may_write(words), "{words:?}");
    }
}
