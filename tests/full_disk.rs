//! No space, no files, no larger files (D3): what is there is read, what is new is refused with 503, rights are taken away,
//! and everything goes on by itself when there is room again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::apart::on_runtime;
use crate::support::line::{Answer, Line, Site, bare, bearer, create, redeem};
use crate::support::load::Load;
use crate::support::process::{Launch, Process};
use crate::support::small_disk::{ext4, fill, fill_with_files, in_a_namespace, tmpfs};

const MIB: u64 = 1024 * 1024;
/// The engine's log grows by whole notes.
const NOTES: usize = 24 * 1024;

#[test]
fn heavy_d3_on_a_full_disk_what_is_there_is_read_and_rights_are_taken_away_and_later_it_goes_on() {
    let name = "full_disk::heavy_d3_on_a_full_disk_what_is_there_is_read_and_rights_are_taken_away_and_later_it_goes_on";
    in_a_namespace(name, |folder| {
        let disk = ext4(folder, 256 * MIB);
        on_runtime(full_disk(&disk));
    });
}

async fn full_disk(disk: &Path) {
    let data = disk.join("data");
    let mut process = Launch::on(&data).start();
    let site = Site::new(process.address(), &data);
    let token = site.token().await.unwrap();
    let load = Load::new(4).with_notes(NOTES);
    let mut line = site.line().await.unwrap();
    let tickets = made(&mut line, &token, 40).await;
    let filler = fill(disk);
    // On what was set aside before, everything goes on for a while.
    let stopped = load.begin(&site, &token).all_stopped().await;
    println!(
        "{} changes on a full disk until: {stopped:?}",
        load.answered()
    );
    refuses_what_is_new(&site, &token).await;
    takes_rights_away(&site, &token, &tickets[..20]).await;
    assert!(
        process.await_end(Duration::from_millis(100)).is_none(),
        "{}",
        process.log()
    );

    let ended = process.terminate();
    assert_eq!(ended.status.code(), Some(0), "{}", process.log());
    let mut process = Launch::on(&data).start();
    let site = Site::new(process.address(), &data);
    refuses_what_is_new(&site, &token).await;
    takes_rights_away(&site, &token, &tickets[20..]).await;

    fs::remove_file(filler).unwrap();
    takes_what_is_new(&site, &token, &process).await;
    let lost = load.verify(&site, true).await;
    assert!(lost.is_empty(), "{lost:#?}");
    let ended = process.terminate();
    assert_eq!(ended.status.code(), Some(0), "{}", process.log());
    assert!(!process.log().contains("panicked"), "{}", process.log());
}

#[test]
fn heavy_d3_without_a_file_to_be_made_it_goes_on_and_a_start_says_what_is_wrong() {
    let name =
        "full_disk::heavy_d3_without_a_file_to_be_made_it_goes_on_and_a_start_says_what_is_wrong";
    in_a_namespace(name, |folder| {
        let disk = tmpfs(folder, 60);
        on_runtime(full_of_files(&disk));
    });
}

async fn full_of_files(disk: &Path) {
    let data = disk.join("data");
    let mut process = Launch::on(&data).start();
    let site = Site::new(process.address(), &data);
    let token = site.token().await.unwrap();
    let mut line = site.line().await.unwrap();
    let tickets = made(&mut line, &token, 10).await;
    let filler = fill_with_files(disk);
    takes_what_is_new(&site, &token, &process).await;
    takes_rights_away(&site, &token, &tickets).await;
    process.terminate();
    let mut process = Launch::on(&data).spawn();
    if process.await_ready(Duration::from_secs(20)).is_none() {
        let ended = process.await_end(Duration::from_secs(5)).unwrap();
        let log = process.log();
        assert_eq!(ended.status.code(), Some(3), "{log}");
        assert!(
            log.contains("admit: ") && !log.contains("panicked"),
            "{log}"
        );
        println!("{log}");
    } else {
        process.terminate();
    }
    fs::remove_dir_all(filler).unwrap();
    let process = Launch::on(&data).start();
    let site = Site::new(process.address(), &data);
    takes_what_is_new(&site, &token, &process).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_d3_a_file_that_may_not_grow_is_a_full_disk_and_not_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Launch::on(folder.path()).start();
    let site = Site::new(process.address(), folder.path());
    let token = site.token().await.unwrap();
    let mut line = site.line().await.unwrap();
    let tickets = made(&mut line, &token, 20).await;
    let length = fs::metadata(folder.path().join("store/db")).unwrap().len();
    limit(&process, &(length + 20 * MIB).to_string());
    // What is accepted next makes it look.
    let _ = line.ask(&create(&token, "SINGLE_USE_TICKET", "x")).await;
    refuses_what_is_new(&site, &token).await;
    takes_rights_away(&site, &token, &tickets[..10]).await;
    limit(&process, "unlimited");
    takes_what_is_new(&site, &token, &process).await;
    takes_rights_away(&site, &token, &tickets[10..]).await;
    let ended = process.terminate();
    assert_eq!(ended.status.code(), Some(0), "{}", process.log());
}

fn limit(process: &Process, bytes: &str) {
    let pid = process.pid().as_raw_nonzero().to_string();
    let set = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")])
        .status();
    assert!(set.unwrap().success());
}

async fn made(line: &mut Line, token: &str, count: usize) -> Vec<String> {
    let mut tickets = Vec::new();
    for _ in 0..count {
        let made = ask(line, &create(token, "MULTI_USE_TICKET", "kept")).await;
        assert_eq!(made.status, 200, "{made:?}");
        tickets.push(made.text("id"));
    }
    tickets
}

async fn refuses_what_is_new(site: &Site, token: &str) {
    let mut line = site.line().await.unwrap();
    for _ in 0..3 {
        let refused = ask(&mut line, &create(token, "SINGLE_USE_TICKET", "new")).await;
        assert_eq!(refused.status, 503, "{refused:?}");
    }
    let who = ask(&mut line, &bare("GET", "/auth/v3/userinfo", &bearer(token))).await;
    assert_eq!(who.status, 200, "{who:?}");
}

/// Each ticket is read, revoked, and then good for nothing; a redemption is something new.
async fn takes_rights_away(site: &Site, token: &str, tickets: &[String]) {
    let mut line = site.line().await.unwrap();
    for (n, ticket) in tickets.iter().enumerate() {
        let path = format!("/security/ticket/{ticket}");
        let read = ask(&mut line, &bare("GET", &path, &bearer(token))).await;
        assert_eq!(read.status, 200, "{read:?}");
        let end = match n % 3 {
            0 => bare("POST", &format!("{path}/revoke"), &bearer(token)),
            1 => bare("POST", &format!("{path}/disable"), &bearer(token)),
            _ => bare("DELETE", &path, &bearer(token)),
        };
        let ended = ask(&mut line, &end).await;
        assert!(matches!(ended.status, 200 | 204), "{ended:?}");
        let redeemed = ask(&mut line, &redeem(ticket)).await;
        assert!(matches!(redeemed.status, 400 | 503), "{redeemed:?}");
    }
}

/// It is taken again within a few seconds, and nobody had to start anything.
async fn takes_what_is_new(site: &Site, token: &str, process: &Process) {
    let mut line = site.line().await.unwrap();
    let since = Instant::now();
    loop {
        let made = ask(&mut line, &create(token, "SINGLE_USE_TICKET", "again")).await;
        if made.status == 200 {
            let redeemed = ask(&mut line, &redeem(&made.text("id"))).await;
            assert_eq!(redeemed.status, 200, "{redeemed:?}");
            return;
        }
        assert_eq!(made.status, 503, "{made:?}");
        assert!(
            since.elapsed() < Duration::from_secs(10),
            "{}",
            process.log()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ask(line: &mut Line, request: &[u8]) -> Answer {
    line.ask(request).await.unwrap()
}
