//! Starting, leaving, and what a running process uses: the figures an operator is promised.
//!
//! The figures are printed; what is asserted allows for a machine that does other things too.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::support::line::{Site, create, redeem};
use crate::support::process::{Launch, Process, was_killed};
use crate::tour::admit;

const NOISE: u32 = 3;
const STARTS: usize = 5;
const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn heavy_a_first_start_answers_within_two_seconds_and_a_later_one_within_150_milliseconds() {
    let data: Vec<_> = (0..STARTS).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut first = Vec::new();
    for data in &data {
        first.push(time_to_answer(data.path()).await);
    }
    let mut later = Vec::new();
    for data in &data {
        later.push(time_to_answer(data.path()).await);
    }
    let (first, later) = (middle(first), middle(later));
    println!(
        "from the start to the first answer over TLS: {first:.0?} the first time, {later:.0?} later"
    );
    assert!(first < NOISE * Duration::from_secs(2), "{first:?}");
    assert!(later < NOISE * Duration::from_millis(150), "{later:?}");
}

async fn time_to_answer(data: &Path) -> Duration {
    let process = Launch::on(data).start();
    let url = process.url("/.well-known/jwks.json");
    let answer = process.client().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let took = process.spawned().elapsed();
    process.kill();
    took
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test]
async fn heavy_an_idle_process_uses_less_than_30_megabytes_and_the_binary_less_than_20() {
    let data = tempfile::tempdir().unwrap();
    let mut used = Vec::new();
    for _ in 0..2 {
        let process = Launch::on(data.path()).start();
        tokio::time::sleep(Duration::from_secs(1)).await;
        used.push(process.resident());
        process.kill();
    }
    let binary = fs::metadata(env!("CARGO_BIN_EXE_admit")).unwrap().len();
    let [first, later] = [used[0], used[1]].map(|bytes| bytes.div_ceil(MIB));
    println!(
        "idle after a first start {first} MiB, after a later one {later} MiB; binary {} MiB",
        binary.div_ceil(MIB)
    );
    assert!(used.iter().all(|bytes| *bytes < 30_000_000), "{used:?}");
    // Without optimisation the binary is not what is shipped.
    assert!(binary < 20_000_000 || cfg!(debug_assertions), "{binary}");
}

#[tokio::test]
async fn heavy_a_request_under_way_is_answered_before_the_process_leaves() {
    let data = tempfile::tempdir().unwrap();
    let mut process = Launch::on(data.path()).start();
    let site = Site::new(process.address(), data.path());
    let token = site.token().await.unwrap();
    let request = create(&token, "SINGLE_USE_TICKET", "late");
    let (most, rest) = request.split_at(request.len() - 20);
    let mut line = site.line().await.unwrap();
    line.say(most).await.unwrap();
    // The head has arrived once a second connection has been served.
    site.token().await.unwrap();
    let left = tokio::task::spawn_blocking(move || (process.terminate(), process));
    tokio::time::sleep(Duration::from_millis(300)).await;
    line.say(rest).await.unwrap();
    let answer = line.hear().await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let ticket = answer.text("id");
    drop(line);
    let (ended, process) = left.await.unwrap();
    println!("left {:.0?} after SIGTERM", ended.took);
    assert_eq!(ended.status.code(), Some(0), "{}", process.log());
    assert!(!was_killed(ended.status) && ended.took > Duration::from_millis(300));
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);

    let process = Launch::on(data.path()).start();
    let site = Site::new(process.address(), data.path());
    let spent = site
        .line()
        .await
        .unwrap()
        .ask(&redeem(&ticket))
        .await
        .unwrap();
    assert_eq!(spent.status, 200, "{spent:?}");
}

/// Without the settings a large store takes a fifth more.
#[test]
fn the_program_was_built_with_the_settings_of_its_memory() {
    let program = Command::new(env!("CARGO_BIN_EXE_admit"))
        .arg("--version")
        .env("_RJEM_MALLOC_CONF", "stats_print:true")
        .output()
        .unwrap();
    let settings = String::from_utf8(program.stderr).unwrap();
    for setting in [
        "opt.narenas: 2",
        "opt.retain: false",
        "opt.dirty_decay_ms: 500",
        "opt.tcache_max: 4096",
    ] {
        assert!(settings.contains(setting), "{setting}: {settings}");
    }
}

#[test]
fn a_second_process_on_the_same_data_is_refused_with_a_sentence() {
    let data = tempfile::tempdir().unwrap();
    let first = Launch::on(data.path()).start();
    let mut second = Launch::on(data.path()).spawn();
    let ended = second.await_end(Duration::from_secs(10)).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", second.log());
    let log = second.log();
    assert!(log.starts_with("admit: the store in "), "{log}");
    assert!(log.contains("is in use by another process"), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(first.log().contains("is ready on"));
    drop(first);
    drop(Launch::on(data.path()).start());
}

/// With its witness where an operator has it, beside the data folder.
fn without_settings(folder: &Path, words: &[&str]) -> Output {
    let mut command = admit(folder);
    command.env("ADMIT_SERVER_LISTEN", "127.0.0.1:0");
    command.args(words).output().unwrap()
}

#[test]
fn a_start_refused_in_place_of_a_folder_that_was_moved_away_does_not_stand_in_the_way_of_moving_it_back()
 {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| without_settings(folder.path(), words);
    let init = ["init", "--data", "d"];
    let made = run(&init);
    assert!(made.status.success(), "{made:?}");
    let move_to = |from: &str, to: &str| {
        let mut command = Command::new("mv");
        let moved = command.args([from, to]);
        assert!(moved.current_dir(folder.path()).status().unwrap().success());
    };
    move_to("d", "e");
    let spool = folder.path().join("spool.toml");
    fs::write(spool, "[codes]\nsms = \"spool\"\n").unwrap();
    let with_spool = ["serve", "--data", "d", "--config", "spool.toml"];
    for words in [&init[..], &["serve", "--data", "d"], &with_spool] {
        let refused = run(words);
        let why = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(3), "{why}");
        assert!(why.contains("move the missing folder back"), "{why}");
        assert!(!folder.path().join("d").exists(), "{words:?}");
    }
    move_to("e", "d");
    let found = run(&init);
    let said = String::from_utf8_lossy(&found.stdout);
    assert_eq!(
        (said.as_ref(), found.status.code()),
        ("d is set up already.\n", Some(0))
    );
}

#[test]
fn two_first_starts_at_once_leave_one_appliance_whose_key_is_its_own() {
    for round in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let init = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_admit"));
            command.arg("init").arg("--data").arg(dir.path());
            command.env("ADMIT_STORE_WITNESS", dir.path().join("witness"));
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        };
        let mut at_once = [init(), init(), init()];
        let done = at_once
            .each_mut()
            .map(|child| child.wait().unwrap().success());
        assert!(done.contains(&true), "round {round}: {done:?}");
        assert!(
            init().wait().unwrap().success(),
            "round {round}: what they left does not open"
        );
    }
}

#[tokio::test]
async fn a_token_outlives_a_start_at_another_port() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Launch::on(dir.path()).without_public_url().start();
    let before = first.first_run();
    let token = token(&first).await;
    first.terminate();
    let second = Launch::on(dir.path()).without_public_url().start();
    assert_ne!(
        before.base_url(),
        second.first_run().base_url(),
        "the file follows the address"
    );
    let asked = second
        .client()
        .get(second.url("/auth/v3/userinfo"))
        .bearer_auth(token);
    assert_eq!(asked.send().await.unwrap().status(), 200);
}

async fn token(process: &Process) -> String {
    let first = process.first_run();
    let asked = process.client().post(process.url("/security/oauth/token"));
    let asked = asked.basic_auth(first.client_id(), Some(first.client_secret()));
    let answer = asked
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await
        .unwrap();
    let body: serde_json::Value = answer.json().await.unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}
