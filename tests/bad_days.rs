//! What an operator does wrong, or a machine: each time the real binary says in words what it is and what to do, changes
//! nothing, and never panics (D7, D9, D15).

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use admit::domain::sweep;
use serde_json::Value;

use crate::support::client::Client;
use crate::support::line::{Site, create, redeem};
use crate::support::process::{Launch, Process};
use crate::support::server::Server;

/// What was done to a data folder, what a start says of it, and what puts it right.
struct BadDay {
    what: &'static str,
    does: fn(&Path),
    says: &'static [&'static str],
    undo: fn(&Path),
}

const KEY: &str = "master.key";

const BAD_DAYS: [BadDay; 11] = [
    BadDay {
        what: "another master key",
        does: |data| put_key(data, &format!("{}\n", "5a".repeat(32))),
        says: &[
            "the master key does not belong to the store",
            "put back the master key",
        ],
        undo: put_back,
    },
    BadDay {
        what: "no master key",
        does: |data| fs::remove_file(data.join(KEY)).unwrap(),
        says: &["is missing", "put the key back"],
        undo: put_back,
    },
    BadDay {
        what: "a short master key",
        does: |data| put_key(data, "5a5a\n"),
        says: &["64 hexadecimal digits"],
        undo: put_back,
    },
    BadDay {
        what: "an empty master key",
        does: |data| put_key(data, ""),
        says: &["64 hexadecimal digits"],
        undo: put_back,
    },
    BadDay {
        what: "a master key that is no text",
        does: |data| fs::write(data.join(KEY), [0xff; 64]).unwrap(),
        says: &["master.key", "64 hexadecimal digits"],
        undo: put_back,
    },
    BadDay {
        what: "a master key others can read",
        does: |data| mode(&data.join(KEY), 0o640),
        says: &["others can read the master key (mode 640)", "chmod 600"],
        undo: |data| mode(&data.join(KEY), 0o600),
    },
    BadDay {
        what: "a folder in the master key's place",
        does: |data| {
            fs::remove_file(data.join(KEY)).unwrap();
            fs::create_dir(data.join(KEY)).unwrap();
            mode(&data.join(KEY), 0o700);
        },
        says: &["master.key", "64 hexadecimal digits"],
        undo: |data| {
            fs::remove_dir(data.join(KEY)).unwrap();
            put_back(data);
        },
    },
    BadDay {
        what: "no store",
        does: |data| fs::rename(data.join("store"), data.join("gone")).unwrap(),
        says: &["a store once existed", "restore a backup"],
        undo: |data| fs::rename(data.join("gone"), data.join("store")).unwrap(),
    },
    BadDay {
        what: "an empty store folder",
        does: |data| {
            fs::rename(data.join("store"), data.join("gone")).unwrap();
            fs::create_dir(data.join("store")).unwrap();
        },
        says: &["a store once existed", "restore a backup"],
        undo: |data| {
            fs::remove_dir_all(data.join("store")).unwrap();
            fs::rename(data.join("gone"), data.join("store")).unwrap();
        },
    },
    BadDay {
        what: "a store of a newer version",
        does: |data| {
            replace_in(
                &data.join("store.marker"),
                "\"schema\": 1",
                "\"schema\": 99",
            );
        },
        says: &[
            "schema 99",
            "install the newer version again",
            "Nothing was changed",
        ],
        undo: |data| {
            replace_in(
                &data.join("store.marker"),
                "\"schema\": 99",
                "\"schema\": 1",
            );
        },
    },
    BadDay {
        what: "somebody else's data folder",
        does: |data| chown(data, Some(12_345), None).unwrap(),
        says: &["belongs to the user with id 12345", "run this as that user"],
        undo: |data| chown(data, Some(0), None).unwrap(),
    },
];

#[tokio::test]
async fn heavy_d9_d15_each_bad_day_is_told_in_words_and_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let ticket = set_up(data.path()).await;
    fs::copy(data.path().join(KEY), key_kept(data.path())).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    for day in &BAD_DAYS {
        let (what, says) = (day.what, day.says);
        if what.contains("somebody else") && !is_root {
            continue;
        }
        (day.does)(data.path());
        let before = tree(data.path());
        let said = refusal(data.path(), what);
        println!("{what}: {said}");
        for words in says {
            assert!(said.contains(words), "{what}: {said}");
        }
        assert_eq!(tree(data.path()), before, "{what}: something was changed");
        // The commands say the same of a stopped store.
        let checked = admit(data.path(), &["store", "check"]);
        assert!(
            !checked.0 && !checked.1.contains("panicked"),
            "{what}: {}",
            checked.1
        );
        (day.undo)(data.path());
    }
    let process = Launch::on(data.path()).start();
    let mut line = Site::new(process.address(), data.path())
        .line()
        .await
        .unwrap();
    assert_eq!(line.ask(&redeem(&ticket)).await.unwrap().status, 200);
}

#[tokio::test]
async fn heavy_d15_a_second_process_is_refused_and_the_first_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let first = Launch::on(data.path()).start();
    let said = refusal(data.path(), "two processes");
    assert!(said.contains("in use by another process"), "{said}");
    assert!(said.contains("stop the running server first"), "{said}");
    let site = Site::new(first.address(), data.path());
    assert!(site.token().await.is_ok());
    assert!(admit(data.path(), &["store", "check"]).0);
}

#[test]
fn heavy_d15_a_data_folder_that_others_can_enter_is_closed_and_that_is_said() {
    let data = tempfile::tempdir().unwrap();
    Launch::on(data.path()).start().terminate();
    mode(data.path(), 0o777);
    let process = Launch::on(data.path()).start();
    assert!(
        process
            .log()
            .contains("others on this machine could get into"),
        "{}",
        process.log()
    );
    let now = fs::metadata(data.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(now, 0o700);
}

#[test]
fn a_file_in_the_place_of_the_data_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::write(&data, "no folder").unwrap();
    let said = refusal(&data, "a file");
    assert!(said.contains(data.to_str().unwrap()), "{said}");
}

#[tokio::test]
async fn d7_after_the_clock_leapt_ahead_what_has_expired_is_refused_and_kept_for_an_hour() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
    assert_eq!(server.appliance.removal_held_until(), None);
    server.advance(Duration::from_hours(23));
    assert_eq!(
        server.appliance.removal_held_until(),
        None,
        "a day is not a leap"
    );
    server.advance(Duration::from_hours(40 * 24));
    let held = server.appliance.removal_held_until();
    assert!(held.is_some());
    client.login(&ticket).await.is(400, "invalid_grant");
    server.advance(Duration::from_mins(59));
    assert_eq!(server.appliance.removal_held_until(), held);
    server.advance(Duration::from_mins(1));
    assert_eq!(server.appliance.removal_held_until(), None);
    server.advance(Duration::from_hours(25));
    assert!(server.appliance.removal_held_until().is_some());
    sweep::confirm_clock(&server.appliance.own_context()).unwrap();
    assert_eq!(server.appliance.removal_held_until(), None);
}

#[tokio::test]
async fn heavy_d7_a_real_clock_that_leaps_ahead_and_back_removes_nothing_and_revives_nothing() {
    let Some(library) = faketime() else {
        let told = "bad_days D7 SKIPPED: faketime is not installed\n";
        let skipped = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
        fs::create_dir_all(&skipped).unwrap();
        return fs::write(skipped.join("bad_days.d7"), told).unwrap();
    };
    let data = tempfile::tempdir().unwrap();
    let ticket = set_up(data.path()).await;
    let records = tickets(data.path());
    let faked = |offset: &str| {
        Launch::on(data.path())
            .with("LD_PRELOAD", &library)
            .with("FAKETIME", offset)
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .start()
    };
    let process = faked("+10d");
    says(&process, "leapt ahead by more than a day");
    assert_eq!(
        redeemed(&process, data.path(), &ticket).await,
        400,
        "it has expired"
    );
    assert_eq!(tickets(data.path()), records, "it was removed");
    let (done, said) = admit(data.path(), &["store", "sweep"]);
    assert!(done && said.contains("within a minute"), "{said}");
    drop(process);

    let process = faked("-1d");
    says(&process, "behind the last instant used");
    assert_eq!(
        redeemed(&process, data.path(), &ticket).await,
        400,
        "it came back to life"
    );
}

async fn redeemed(process: &Process, data: &Path, ticket: &str) -> u16 {
    let mut line = Site::new(process.address(), data).line().await.unwrap();
    line.ask(&redeem(ticket)).await.unwrap().status
}

fn says(process: &Process, words: &str) {
    for _ in 0..500 {
        if process.log().contains(words) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{words}: {}", process.log());
}

fn tickets(data: &Path) -> u64 {
    let (_, said) = admit(data, &["store", "stats", "--json"]);
    let stats: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    let tables = stats["examined"]["tables"].as_array().unwrap();
    let tickets = tables.iter().find(|found| found["table"] == "tickets");
    tickets.unwrap()["records"].as_u64().unwrap()
}

fn faketime() -> Option<String> {
    let found = Command::new("sh")
        .args(["-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1"])
        .output()
        .unwrap();
    let path = String::from_utf8(found.stdout).unwrap();
    found.status.success().then(|| path.trim().to_owned())
}

/// A first start, and a ticket; nobody serves when this returns.
async fn set_up(data: &Path) -> String {
    let mut process = Launch::on(data).start();
    let site = Site::new(process.address(), data);
    let token = site.token().await.unwrap();
    let mut line = site.line().await.unwrap();
    let made = line.ask(&create(&token, "SINGLE_USE_TICKET", "kept")).await;
    process.terminate();
    made.unwrap().text("id")
}

/// What a start says that does not come to be.
fn refusal(data: &Path, what: &str) -> String {
    let mut process = Launch::on(data).spawn();
    let ended = process.await_end(Duration::from_secs(20));
    let log = process.log();
    let ended = ended.unwrap_or_else(|| panic!("{what}: it goes on:\n{log}"));
    assert_eq!(ended.status.code(), Some(3), "{what}:\n{log}");
    assert!(!log.contains("panicked"), "{what}:\n{log}");
    let said = log.lines().rfind(|line| line.starts_with("admit: "));
    said.unwrap_or_else(|| panic!("{what}: no word why:\n{log}"))
        .to_owned()
}

/// Runs a command of the operator's; whether it was done, and all it said.
fn admit(data: &Path, words: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_admit"))
        .args(words)
        .arg("--data")
        .arg(data)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// Every file and its bytes, but for the lock and the socket.
fn tree(data: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![data.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                found.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn key_kept(data: &Path) -> std::path::PathBuf {
    data.with_extension("key")
}

fn put_back(data: &Path) {
    put_key(data, &fs::read_to_string(key_kept(data)).unwrap());
}

fn put_key(data: &Path, text: &str) {
    fs::write(data.join(KEY), text).unwrap();
    mode(&data.join(KEY), 0o600);
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn replace_in(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}
