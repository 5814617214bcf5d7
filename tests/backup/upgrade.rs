//! Another version's store: a copy from before is kept and is the way back, and a trial changes nothing.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{bytes_below, done, refused, run};
use crate::tour::Serving;

/// Says that an older version had the store last.
fn age(data: &Path) {
    let marker = data.join("store.marker");
    let mut text: Value = serde_json::from_slice(&fs::read(&marker).unwrap()).unwrap();
    text["program"] = "0.0.9".into();
    fs::write(&marker, text.to_string()).unwrap();
}

fn kept(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data.join("backups")).into_iter().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_copy_is_kept_before_another_version_writes_and_three_of_them_stay() {
    let folder = TempDir::new().unwrap();
    let (folder, data) = (folder.path(), folder.path().join("admit-data"));
    done(folder, &["init"]);
    done(folder, &["user", "list"]);
    assert_eq!(kept(&data), [""; 0], "the same version");
    for _ in 0..5 {
        age(&data);
        done(folder, &["user", "list"]);
    }
    let kept = kept(&data);
    assert_eq!(kept.len(), 3, "{kept:?}");
    let prefix = format!("before-{}-", env!("CARGO_PKG_VERSION"));
    assert!(
        kept.iter().all(|name| name.starts_with(&prefix)),
        "{kept:?}"
    );
    let file = format!("admit-data/backups/{}", kept[2]);
    done(folder, &["backup", "verify", &file]);
    let key = ["--master-key-file", "admit-data/master.key"];
    done(
        folder,
        &[&["restore", &file, "--data", "back"][..], &key].concat(),
    );
    let list = |data: &str| done(folder, &["user", "list", "--data", data]);
    assert_eq!(list("back"), list("admit-data"));
}

#[test]
fn a_backup_the_operator_named_before_something_is_not_removed_with_the_copies() {
    let folder = TempDir::new().unwrap();
    let (folder, data) = (folder.path(), folder.path().join("admit-data"));
    done(folder, &["init"]);
    fs::create_dir_all(data.join("backups")).unwrap();
    let own = "admit-data/backups/before-migration.admit";
    done(folder, &["backup", "create", own]);
    for _ in 0..4 {
        age(&data);
        done(folder, &["user", "list"]);
    }
    let kept = kept(&data);
    assert!(
        kept.contains(&"before-migration.admit".to_owned()),
        "{kept:?}"
    );
    assert_eq!(kept.len(), 4, "{kept:?}");
}

#[test]
fn a_trial_upgrade_leaves_every_byte_as_it_is() {
    let folder = TempDir::new().unwrap();
    let (folder, data) = (folder.path(), folder.path().join("admit-data"));
    done(folder, &["init"]);
    done(folder, &["backup", "create", "x.admit"]);
    age(&data);
    let before = bytes_below(&data);
    let said = done(folder, &["upgrade", "--dry-run"]);
    assert!(said.contains("version 0.0.9 had the store last"), "{said}");
    assert!(!said.contains("The way back"), "{said}");
    assert!(before == bytes_below(&data), "something was changed");
    let said = done(folder, &["upgrade"]);
    assert!(said.contains("The way back: `admit restore`"), "{said}");
    let kept = kept(&data);
    assert!(kept.len() == 1 && said.contains(&kept[0]), "{said}");
    let said = done(folder, &["upgrade"]);
    assert!(said.contains("nothing changes"), "{said}");
    done(folder, &["upgrade", "--dry-run", "--from", "x.admit"]);
}

#[test]
fn an_upgrade_whose_copy_from_before_cannot_be_kept_says_why_and_names_no_way_back() {
    let folder = TempDir::new().unwrap();
    let (folder, data) = (folder.path(), folder.path().join("admit-data"));
    done(folder, &["init"]);
    age(&data);
    fs::write(data.join("backups"), "no folder").unwrap();
    let said = run(folder, &["upgrade"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.err.contains("no copy of the store was kept"),
        "{}",
        said.err
    );
    assert!(said.err.contains("/backups: "), "{}", said.err);
    assert!(said.out.contains("Done in"), "{}", said.out);
    assert!(!said.out.contains("The way back"), "{}", said.out);
}

#[test]
fn a_store_that_is_served_is_tried_by_a_backup_of_it() {
    let serving = Serving::start();
    let folder = serving.folder();
    let why = refused(folder, &["upgrade", "--dry-run"]);
    assert!(why.contains("--from FILE"), "{why}");
    done(folder, &["backup", "create", "x.admit"]);
    let said = done(folder, &["upgrade", "--dry-run", "--from", "x.admit"]);
    assert!(said.contains("the store was left as it is"), "{said}");
}
