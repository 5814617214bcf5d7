//! The commands, one by one and together, and what they say when they are refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use admit::kernel::hex;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use tempfile::TempDir;

use super::{PASSPHRASE, bytes_below, done, refused, run, secret};
use crate::tour::Serving;

/// A folder with an appliance in `admit-data` that nobody serves, and a passphrase.
fn stopped() -> TempDir {
    let folder = TempDir::new().unwrap();
    done(folder.path(), &["init"]);
    secret(folder.path(), "passphrase", PASSPHRASE);
    folder
}

fn json(folder: &Path, words: &[&str]) -> Value {
    let printed = done(folder, &[words, &["--json"]].concat());
    serde_json::from_str(&printed).unwrap()
}

fn people(folder: &Path, data: &str) -> Value {
    json(folder, &["user", "list", "--data", data])
}

/// What was made in `folder` is verified, and restored somewhere else under its passphrase.
fn there_and_back(folder: &Path) {
    secret(folder, "passphrase", PASSPHRASE);
    done(folder, &["user", "create", "alice"]);
    let with = ["--passphrase-file", "passphrase"];
    let made = json(
        folder,
        &[&["backup", "create", "all.admit"][..], &with].concat(),
    );
    assert!(made["file"].as_str().unwrap().ends_with("/all.admit"));
    let facts = fs::metadata(folder.join("all.admit")).unwrap();
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    done(folder, &["user", "create", "bob"]);
    let found = json(
        folder,
        &[&["backup", "verify", "all.admit"][..], &with].concat(),
    );
    for same in ["made_at", "records", "tables", "bytes", "locked_with"] {
        assert_eq!(made[same], found[same], "{same}");
    }
    assert_eq!(found["carries_master_key"], true);
    let names: Vec<_> = found["files"].as_array().unwrap().iter().collect();
    assert!(names.contains(&&Value::from("tls/ca.key")), "{names:?}");

    // Another machine has the file and the passphrase, and nothing else.
    let other = TempDir::new().unwrap();
    fs::copy(folder.join("all.admit"), other.path().join("all.admit")).unwrap();
    secret(other.path(), "passphrase", PASSPHRASE);
    let words = [&["restore", "all.admit", "--data", "back"][..], &with].concat();
    let said = done(other.path(), &words);
    assert!(said.contains("is dead"), "{said}");
    let back = people(other.path(), "back");
    let names: Vec<_> = back
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["username"].clone())
        .collect();
    assert_eq!(names, ["admin", "alice"]);
    let authority = |data: &Path| fs::read(data.join("tls/ca.pem")).unwrap();
    assert_eq!(
        authority(&other.path().join("back")),
        authority(&folder.join("admit-data"))
    );
    let left = bytes_below(&other.path().join("back"));
    assert!(
        !left
            .iter()
            .any(|(name, _)| name.contains("unfinished") || name.contains("scratch"))
    );
}

#[test]
fn a_stopped_store_is_backed_up_verified_and_restored_on_another_machine() {
    let folder = TempDir::new().unwrap();
    done(folder.path(), &["init"]);
    there_and_back(folder.path());
}

#[test]
fn a_running_server_is_backed_up_verified_and_restored_on_another_machine() {
    let serving = Serving::start();
    there_and_back(serving.folder());
}

#[test]
fn without_a_secret_of_its_own_a_backup_is_locked_with_the_master_key() {
    let folder = stopped();
    let folder = folder.path();
    for _ in 0..2 {
        done(folder, &["backup", "create"]);
    }
    let listed = json(folder, &["backup", "list"]);
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert!(
        listed
            .iter()
            .all(|one| one["locked_with"] == "the master key" && one["foreign"] == false)
    );
    let file = listed[0]["file"].as_str().unwrap();
    let found = json(folder, &["backup", "verify", file]);
    assert_eq!(found["carries_master_key"], false);
    let why = refused(folder, &["restore", file, "--data", "back"]);
    assert!(why.contains("--master-key-file"), "{why}");
    let key = ["--master-key-file", "admit-data/master.key"];
    done(
        folder,
        &[&["restore", file, "--data", "back"][..], &key].concat(),
    );
    assert_eq!(people(folder, "back"), people(folder, "admit-data"));
    let another = folder.join("admit-data/backups/admit-0badcafe-20261122T090000Z.admit");
    fs::copy(folder.join(file), another).unwrap();
    let listed = done(folder, &["backup", "list"]);
    let foreign = |line: &str| line.contains("yes") == line.contains("0badcafe");
    assert!(listed.lines().skip(1).all(foreign), "{listed}");
    assert_eq!(listed.lines().count(), 4);
}

#[test]
fn a_key_file_opens_what_it_locked_and_nothing_else_does() {
    let folder = stopped();
    let folder = folder.path();
    secret(folder, "key", &"ab".repeat(32));
    secret(folder, "other", &"ac".repeat(32));
    done(
        folder,
        &["backup", "create", "x.admit", "--key-file", "key"],
    );
    done(
        folder,
        &["backup", "verify", "x.admit", "--key-file", "key"],
    );
    let why = refused(
        folder,
        &["backup", "verify", "x.admit", "--key-file", "other"],
    );
    assert!(why.contains("this is another one"), "{why}");
    let why = refused(
        folder,
        &[
            "backup",
            "verify",
            "x.admit",
            "--passphrase-file",
            "passphrase",
        ],
    );
    assert!(why.contains("name that with --key-file"), "{why}");
    let why = refused(folder, &["backup", "verify", "x.admit"]);
    assert!(why.contains("name that with --key-file"), "{why}");
    secret(folder, "short", "abcd");
    let why = refused(
        folder,
        &["backup", "create", "y.admit", "--key-file", "short"],
    );
    assert!(why.contains("64 hexadecimal digits"), "{why}");
    let short = ["--passphrase-file", "short"];
    let why = refused(
        folder,
        &[&["backup", "create", "y.admit"][..], &short].concat(),
    );
    assert!(why.contains("at least 10 characters"), "{why}");
    fs::set_permissions(folder.join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let why = refused(
        folder,
        &["backup", "create", "y.admit", "--key-file", "key"],
    );
    assert!(why.contains("chmod 600"), "{why}");
    assert!(!folder.join("y.admit").exists());
}

#[test]
fn a_backup_replaces_nothing_and_leaves_nothing_half() {
    let folder = stopped();
    let folder = folder.path();
    fs::write(folder.join("taken"), "mine").unwrap();
    let why = refused(folder, &["backup", "create", "taken"]);
    assert!(why.contains("is there already"), "{why}");
    assert_eq!(fs::read_to_string(folder.join("taken")).unwrap(), "mine");
    refused(folder, &["backup", "create", "no/such/folder/x"]);
    refused(folder, &["backup", "verify", "taken"]);
    let why = refused(folder, &["restore", "taken", "--data", "back"]);
    assert!(why.contains("is not a backup of this program"), "{why}");
    assert!(!folder.join("back").exists());
}

#[test]
fn nothing_is_restored_over_an_appliance() {
    let serving = Serving::start();
    let folder = serving.folder();
    done(folder, &["backup", "create", "x.admit"]);
    let data = folder.join("admit-data");
    let why = refused(folder, &["restore", "x.admit"]);
    assert!(why.contains("is not empty"), "{why}");
    drop(data);
    fs::create_dir(folder.join("photos")).unwrap();
    fs::write(folder.join("photos/summer.jpg"), "sun").unwrap();
    let key = ["--master-key-file", "admit-data/master.key"];
    let words = [&["restore", "x.admit", "--data", "photos"][..], &key].concat();
    assert!(refused(folder, &words).contains("is not empty"));
    assert_eq!(fs::read_dir(folder.join("photos")).unwrap().count(), 1);
}

#[test]
fn whose_credentials_went_back_is_told() {
    let folder = stopped();
    let folder = folder.path();
    for name in ["alice", "bob", "carol"] {
        done(folder, &["user", "create", name]);
    }
    let client = json(folder, &["client", "create", "--name", "Backend"]);
    let client = client["client_id"].as_str().unwrap().to_owned();
    done(folder, &["backup", "create", "x.admit"]);
    done(folder, &["user", "password", "alice"]);
    done(folder, &["user", "update", "bob", "--disabled"]);
    done(folder, &["user", "delete", "carol"]);
    done(folder, &["user", "create", "dave"]);
    done(folder, &["client", "rotate", &client]);
    fs::rename(folder.join("admit-data"), folder.join("old")).unwrap();
    let before = bytes_below(&folder.join("old"));
    let words = [
        "restore",
        "x.admit",
        "--compare",
        "old",
        "--master-key-file",
        "old/master.key",
    ];
    let restored = json(folder, &words);
    let all = restored["went_back"].as_array().unwrap();
    let told: Vec<_> = all
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["what"].as_str().unwrap()))
        .collect();
    let expected = [
        ("Backend", "has the secret or password of the backup again"),
        ("alice", "has the secret or password of the backup again"),
        ("bob", "can be used again: it was disabled since the backup"),
        ("carol", "is there again: it was deleted since the backup"),
        (
            "dave",
            "is not there any more: it was made since the backup",
        ),
    ];
    let mut told = told;
    told.sort_unstable();
    assert_eq!(told, expected);
    assert!(
        before == bytes_below(&folder.join("old")),
        "the old folder was changed"
    );
}

#[test]
fn a_restore_that_was_cut_off_is_noticed_and_done_again() {
    let folder = stopped();
    let folder = folder.path();
    done(
        folder,
        &[
            "backup",
            "create",
            "x.admit",
            "--passphrase-file",
            "passphrase",
        ],
    );
    let words = [
        "restore",
        "x.admit",
        "--passphrase-file",
        "passphrase",
        "--data",
        "back",
    ];
    done(folder, &words);
    // As if it had been killed between two of its last steps.
    fs::create_dir(folder.join("back/restore.unfinished")).unwrap();
    fs::rename(
        folder.join("back/store.marker"),
        folder.join("back/restore.unfinished/store.marker"),
    )
    .unwrap();
    let why = refused(folder, &["user", "list", "--data", "back"]);
    assert!(why.contains("a restore into back was cut off"), "{why}");
    done(folder, &words);
    assert_eq!(people(folder, "back"), people(folder, "admit-data"));
}

#[test]
fn an_authority_that_cannot_be_read_is_not_left_out_of_a_backup() {
    let folder = stopped();
    let folder = folder.path();
    fs::rename(folder.join("admit-data/tls"), folder.join("tls")).unwrap();
    fs::write(folder.join("admit-data/tls"), "no folder").unwrap();
    let said = run(folder, &["backup", "create", "x.admit"]);
    assert!(
        said.code != 0 && said.err.contains("/tls: Not a directory"),
        "{}",
        said.err
    );
    assert!(!folder.join("x.admit").exists());
    // Without any, as behind a proxy, there is none to carry.
    fs::remove_file(folder.join("admit-data/tls")).unwrap();
    done(folder, &["backup", "create", "x.admit"]);
}

#[test]
fn nothing_is_verified_where_there_is_no_room_for_a_copy_of_the_store() {
    let folder = stopped();
    let folder = folder.path();
    done(folder, &["backup", "create", "x.admit"]);
    let large = fs::File::create(folder.join("admit-data/store/large")).unwrap();
    large.set_len(1 << 43).unwrap();
    let why = refused(folder, &["backup", "verify", "x.admit"]);
    assert!(why.contains("MiB of free space in"), "{why}");
    let mut names = fs::read_dir(folder.join("admit-data")).unwrap();
    assert!(!names.any(|entry| {
        let name = entry.unwrap().file_name();
        name.to_str().unwrap().starts_with("scratch.")
    }));
}

#[test]
fn d8_every_flipped_byte_and_every_cut_of_a_backup_is_refused() {
    let folder = stopped();
    let folder = folder.path();
    let config = at(folder);
    done(
        folder,
        &["backup", "create", "x.admit", "--key-file", key(folder)],
    );
    let whole = fs::read(folder.join("x.admit")).unwrap();
    let bent = folder.join("bent.admit");
    let unlock = || admit::upkeep::backup::Unlock::Key(admit::kernel::Secret::new([0xab; 32]));
    let now = admit::kernel::Timestamp::from_seconds(1_795_303_402);
    let judge = |bytes: &[u8]| {
        fs::write(&bent, bytes).unwrap();
        admit::upkeep::backup::verify(&config, &bent, &unlock(), now, &|_| {}).map(drop)
    };
    judge(&whole).unwrap();
    // Every byte of the plain part, and a sample of what is encrypted alike.
    let header = 400.min(whole.len());
    for at in (0..header)
        .step_by(3)
        .chain((header..whole.len()).step_by(41))
    {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let outcome = judge(&bytes);
        assert!(
            outcome.is_err_and(|error| !error.is_fault()),
            "bent at {at}"
        );
        let outcome = judge(&whole[..at]);
        assert!(outcome.is_err_and(|error| !error.is_fault()), "cut to {at}");
    }
    assert!(judge(&[&whole[..], b"x"].concat()).is_err());
}

fn key(folder: &Path) -> &'static str {
    secret(folder, "key", &"ab".repeat(32));
    "key"
}

fn at(folder: &Path) -> admit::config::Config {
    admit::config::Config {
        data: folder.join("scratch-space"),
        ..admit::config::Config::default()
    }
}

#[test]
fn d8_no_secret_is_seen_in_a_backup_or_left_beside_it() {
    let serving = Serving::start();
    let folder = serving.folder();
    secret(folder, "passphrase", PASSPHRASE);
    let made = json(folder, &["client", "create", "--name", "Canary of ours"]);
    let first: Value =
        serde_json::from_slice(&fs::read(folder.join("admit-data/first-run.json")).unwrap())
            .unwrap();
    let master_key = fs::read_to_string(folder.join("admit-data/master.key")).unwrap();
    let words = [
        "backup",
        "create",
        "x.admit",
        "--passphrase-file",
        "passphrase",
    ];
    let printed = done(folder, &words);
    done(folder, &["backup", "create", "y.admit"]);
    let verified = done(
        folder,
        &[
            "backup",
            "verify",
            "x.admit",
            "--passphrase-file",
            "passphrase",
        ],
    );
    let master_key = master_key.trim();
    let canaries = [
        made["client_secret"].as_str().unwrap(),
        first["admin"]["password"].as_str().unwrap(),
        first["client"]["client_secret"].as_str().unwrap(),
        master_key,
        PASSPHRASE,
        "Canary of ours",
        "PRIVATE KEY",
    ];
    for name in ["x.admit", "y.admit"] {
        let bytes = fs::read(folder.join(name)).unwrap();
        for canary in canaries {
            for form in forms(canary) {
                let seen = bytes.windows(form.len()).any(|window| window == form);
                assert!(!seen, "{name} shows {canary}");
            }
        }
    }
    for canary in canaries {
        assert!(!printed.contains(canary) && !verified.contains(canary));
    }
    let raw: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&master_key[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let bytes = fs::read(folder.join("x.admit")).unwrap();
    assert!(!bytes.windows(32).any(|window| window == raw));
    let names: Vec<_> = bytes_below(folder)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(
        !names
            .iter()
            .any(|name| name.contains("scratch") || name.contains("unfinished"))
    );
}

/// Raw, base64 at each of its three places, hexadecimal, and both orders of UTF-16.
fn forms(canary: &str) -> Vec<Vec<u8>> {
    let bytes = canary.as_bytes();
    let mut all = vec![bytes.to_vec()];
    for skipped in 0..3 {
        let inner = &bytes[skipped..];
        let whole = &inner[..inner.len() / 3 * 3];
        all.push(STANDARD_NO_PAD.encode(whole).into_bytes());
        all.push(URL_SAFE_NO_PAD.encode(whole).into_bytes());
    }
    let hex = hex::encode(bytes);
    all.push(hex.to_uppercase().into_bytes());
    all.push(hex.into_bytes());
    all.push(canary.encode_utf16().flat_map(u16::to_le_bytes).collect());
    all.push(canary.encode_utf16().flat_map(u16::to_be_bytes).collect());
    all
}
