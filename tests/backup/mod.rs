//! Backups as an operator makes, verifies and restores them, with the built program.

mod command;
mod schedule;
mod under_load;
mod upgrade;

use std::fs;
use std::path::Path;

use std::os::unix::fs::PermissionsExt;

use crate::cli::Said;
use crate::tour::admit;

const PASSPHRASE: &str = "correct horse battery staple";

/// Runs `admit` in a folder.
fn run(folder: &Path, words: &[&str]) -> Said {
    Said::of(&admit(folder).args(words).output().unwrap())
}

/// Runs it; it must be done. What it printed.
fn done(folder: &Path, words: &[&str]) -> String {
    let said = run(folder, words);
    // Whoever works on a restored store is told for some days.
    let is_told = said
        .err
        .lines()
        .all(|line| line.starts_with("admit: the store was restored"));
    assert_eq!((said.code, is_told), (0, true), "{words:?}: {}", said.err);
    said.out
}

/// Runs it; it must be refused. What it said.
fn refused(folder: &Path, words: &[&str]) -> String {
    let said = run(folder, words);
    assert_eq!(
        (said.code, said.out.as_str()),
        (1, ""),
        "{words:?}: {}",
        said.err
    );
    said.err
}

/// A file that holds a line only its owner can read.
fn secret(folder: &Path, name: &str, line: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("{line}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Every file below a folder and its bytes.
fn bytes_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.append(&mut bytes_below(&path));
        } else if !path.ends_with("control.sock") {
            all.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}
