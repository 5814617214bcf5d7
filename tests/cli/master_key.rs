//! `admit master-key` (D9): the key is lost, made again of shares from paper, and everything is as it was.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::Said;
use crate::support::line;
use crate::support::process::Launch;
use crate::tour::admit;

/// Runs `admit master-key` on the data folder in `folder`, with this to read.
fn run(folder: &Path, words: &[&str], input: &str) -> Said {
    let mut child = admit(folder)
        .arg("master-key")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever refuses before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Said::of(&child.wait_with_output().unwrap())
}

/// A folder with an appliance that nobody serves.
fn stopped() -> TempDir {
    let folder = TempDir::new().unwrap();
    let made = admit(folder.path()).arg("init").output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let said = String::from_utf8(made.stdout).unwrap();
    assert!(said.contains("`admit master-key split`"), "{said}");
    folder
}

fn key_file(folder: &Path) -> PathBuf {
    folder.join("admit-data/master.key")
}

/// The shares that a split prints, as somebody copies them.
fn shares(folder: &Path) -> Vec<String> {
    let said = run(folder, &["split"], "");
    assert_eq!(said.code, 0, "{}", said.err);
    copied(&said.out)
}

fn copied(printed: &str) -> Vec<String> {
    let lines = printed.lines().map(|line| line.split_once("  # ").unwrap());
    lines.map(|(share, _)| share.to_owned()).collect()
}

fn refused(folder: &Path, words: &[&str], input: &str, why: &str) {
    let said = run(folder, words, input);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{}", said.err);
    assert_eq!(said.err, format!("admit: {why}\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d9_a_lost_key_is_made_again_of_three_shares_and_what_was_issued_is_good() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("admit-data");
    let launch = || Launch::on(&data).with("ADMIT_LOG_LEVEL", "trace");
    let mut first = launch().start();
    let site = line::Site::new(first.address(), &data);
    let token = site.token().await.unwrap();
    let create = line::create(&token, "SINGLE_USE_TICKET", "kept");
    let mut kept = site.line().await.unwrap();
    let ticket = kept.ask(&create).await.unwrap().text("id");
    drop(kept);
    let key = fs::read_to_string(key_file(folder.path())).unwrap();

    let split = run(folder.path(), &["split"], "");
    assert_eq!(split.code, 0, "{}", split.err);
    let all = copied(&split.out);
    assert_eq!(all.len(), 5, "{}", split.out);
    assert!(
        split.out.contains("# share 2 of 5, 3 needed\n"),
        "{}",
        split.out
    );
    assert!(
        split.err.contains("Any 3 of the 5 make it again"),
        "{}",
        split.err
    );
    first.terminate();
    fs::remove_file(key_file(folder.path())).unwrap();

    let mut without = launch().spawn();
    let ended = without.await_end(Duration::from_secs(10)).unwrap();
    assert_eq!(ended.status.code(), Some(3));
    assert!(
        without.log().contains("`admit master-key combine`"),
        "{}",
        without.log()
    );
    assert!(!key_file(folder.path()).exists(), "no other key is made");

    let typed = format!(
        "# found in the safe\n{}\n\n {} # of Ada\n{}\n{}\n",
        all[4].to_lowercase(),
        all[1].replace('-', " "),
        all[1],
        all[2]
    );
    let combined = run(folder.path(), &["combine"], &typed);
    assert_eq!((combined.code, combined.err.as_str()), (0, ""));
    assert!(
        combined.out.contains("is made again, in ./admit-data/master.key.\nIt is the key of the store in ./admit-data: start"),
        "{}",
        combined.out
    );
    let file = key_file(folder.path());
    assert_eq!(fs::read_to_string(&file).unwrap(), key);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let again = launch().start();
    let site = line::Site::new(again.address(), &data);
    let mut kept = site.line().await.unwrap();
    let who = line::bare("GET", "/auth/v3/userinfo", &line::bearer(&token));
    assert_eq!(kept.ask(&who).await.unwrap().status, 200);
    let redeemed = kept.ask(&line::redeem(&ticket)).await.unwrap();
    assert_eq!(redeemed.status, 200, "{redeemed:?}");
    let logs = [first.log(), without.log(), again.log()].concat();
    let told = [split.err.as_str(), &combined.out, &combined.err, &logs].concat();
    for secret in all.iter().map(String::as_str).chain([key.trim()]) {
        assert!(!told.contains(secret), "a secret was told");
    }
    assert!(!split.out.contains(key.trim()), "the key itself was told");
}

#[test]
fn d9_shares_that_do_not_make_the_key_of_this_store_are_refused_in_words_and_nothing_is_written() {
    let (ours, another) = (stopped(), stopped());
    let (folder, file) = (ours.path(), key_file(ours.path()));
    let (all, others) = (shares(folder), shares(another.path()));
    let again = shares(folder);
    fs::remove_file(&file).unwrap();
    let named = |share: &str| share.replace('-', "");
    let name = |share: &str| {
        let letters = named(share);
        // The name's six letters, without those that check the groups.
        [&letters[3..4], &letters[5..9], &letters[10..11]].concat()
    };
    let (our_name, their_name) = (name(&all[0]), name(&others[0]));
    refused(folder, &["combine"], "", "there are no shares");
    refused(
        folder,
        &["combine"],
        &format!("{}\n{}\n{}\n", all[0], all[3], all[0]),
        "3 shares are needed, and 2 are here",
    );
    refused(
        folder,
        &["combine"],
        &format!("{}\n{}\n{}\n", all[0], all[3], again[1]),
        &format!(
            "standard input, line 3: it was not made together with the ones before: the key {our_name} was split more than once, and only shares of one occasion go together"
        ),
    );
    let mut wrong = all[1].clone();
    let other = if wrong.as_bytes()[40] == b'7' {
        "8"
    } else {
        "7"
    };
    wrong.replace_range(40..=40, other);
    fs::write(folder.join("a.txt"), format!("{}\n{wrong}\n", all[0])).unwrap();
    fs::write(folder.join("b.txt"), format!("\n{}\n", others[4])).unwrap();
    refused(
        folder,
        &["combine", "a.txt", "b.txt"],
        "",
        &format!(
            "a.txt, line 2: group 7 is mistyped\nb.txt, line 2: it is a share of the key {their_name}, and the ones before are of the key {our_name}"
        ),
    );
    refused(
        folder,
        &["combine"],
        &others[1..4].join("\n"),
        &format!(
            "these shares make the key {their_name}, which is not the key of the store in ./admit-data: they belong to another appliance, or to a store that stood here before"
        ),
    );
    assert!(!file.exists(), "nothing was to be written");

    let enough = all[2..].join("\n");
    for present in ["another\n", ""] {
        fs::write(&file, present).unwrap();
        refused(
            folder,
            &["combine"],
            &enough,
            &format!(
                "./admit-data/master.key is there and does not hold the key {our_name}, which these shares make. It is not replaced: move it away, or name another file with --to"
            ),
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), present);
    }
    let said = run(folder, &["combine", "--to", "key"], &enough);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let key = fs::read_to_string(folder.join("key")).unwrap();
    assert_eq!(key.len(), 65);
    let said = run(folder, &["combine", "--to", "key"], &enough);
    assert!(
        said.out
            .starts_with(&format!("key holds the master key {our_name} already."))
    );
    assert_eq!(said.code, 0);
    fs::rename(folder.join("key"), &file).unwrap();
    let status = admit(folder).arg("status").output().unwrap();
    assert!(status.status.success(), "{status:?}");
}

#[test]
fn d9_shares_are_tried_before_they_are_needed() {
    let (site, another) = (stopped(), TempDir::new().unwrap());
    let (folder, file) = (site.path(), key_file(site.path()));
    let said = run(
        folder,
        &["split", "--shares", "3", "--needed", "2", "--json"],
        "",
    );
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let split: Value = serde_json::from_str(&said.out).unwrap();
    let all: Vec<&str> = split["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect();
    assert_eq!((all.len(), &split["needed"]), (3, &Value::from(2)));
    let before = fs::read(&file).unwrap();
    let rehearse = |input: &str| run(folder, &["combine", "--check"], input);
    let said = rehearse(&all[1..].join("\n"));
    let words = format!(
        "These 2 shares make the master key {}, the one in ./admit-data/master.key. Nothing was written.\n",
        split["key"].as_str().unwrap()
    );
    assert_eq!((said.code, said.out, said.err), (0, words, String::new()));
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(rehearse(all[0]).code, 1);
    fs::remove_file(&file).unwrap();
    assert_eq!(
        rehearse(&all.join("\n")).code,
        1,
        "there is nothing to compare with"
    );
    assert!(!file.exists());

    // On a machine that has nothing yet.
    let said = run(another.path(), &["combine", "--json"], &all.join("\n"));
    let made: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&made["written"], &made["of_store"]),
        (&true.into(), &"no_store".into())
    );
    assert_eq!(fs::read(key_file(another.path())).unwrap(), before);
}

#[test]
fn d9_a_key_that_is_not_the_stores_is_not_split_and_wrong_counts_are_wrong_usage() {
    let site = stopped();
    let (folder, file) = (site.path(), key_file(site.path()));
    for words in [
        ["--needed", "6"],
        ["--needed", "1"],
        ["--shares", "32"],
        ["--shares", "2"],
    ] {
        let said = run(folder, &["split", words[0], words[1]], "");
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{words:?}");
    }
    fs::write(&file, format!("{}\n", "7a".repeat(32))).unwrap();
    refused(
        folder,
        &["split"],
        "",
        "./admit-data/master.key holds a key that is not the key of the store in ./admit-data: shares of it would be good for nothing",
    );
    fs::remove_file(&file).unwrap();
    let said = run(folder, &["split"], "");
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(
        said.err.starts_with("admit: ./admit-data/master.key: "),
        "{}",
        said.err
    );
}
