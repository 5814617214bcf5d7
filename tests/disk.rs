//! The n-th flush or sync fails: nothing is answered that did not happen, and the next start is clean.
//!
//! Once with a disk that fails in this process, where what still works can be asked for at leisure, and once with the
//! real binary whose system calls are made to fail.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use admit::store::{FaultyDisk, RealDisk};

use crate::support::inside::Inside;
use crate::support::line::{Site, bare, bearer, create};
use crate::support::load::{Load, Stopped};
use crate::support::process::{Launch, Process};

const FAILURES: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_whichever_of_the_first_60_flushes_and_syncs_fails_nothing_is_answered_falsely() {
    let (mut refused_to_open, mut answered) = (0, 0);
    for n in 1..=FAILURES {
        let data = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::failing_at(n));
        let load = Load::new(8);
        match Inside::open(data.path(), Arc::<FaultyDisk>::clone(&disk)).await {
            Err(why) => {
                assert!(
                    why.contains("os error 5") || why.contains("failed"),
                    "{n}: {why}"
                );
                refused_to_open += 1;
            }
            Ok(inside) => {
                let site = Site::new(inside.address, data.path());
                let token = site.token().await.unwrap();
                let stopped = load.begin(&site, &token).all_stopped().await;
                let told = stopped.iter().all(|why| matches!(why, Stopped::Refused));
                assert!(told, "{n}: {stopped:?}");
                writes_are_refused_and_reads_answered(&site, &token, &load, n).await;
                inside.close().await;
                assert_eq!(
                    disk.operations(),
                    n,
                    "the disk was asked again after it had failed"
                );
            }
        }
        answered += load.answered();
        all_is_there(data.path(), &load, &format!("failure {n}")).await;
    }
    println!(
        "failures 1 to {FAILURES}: {refused_to_open} while opening; {answered} answered changes, none missing"
    );
    assert!((5..30).contains(&refused_to_open) && answered > 0);
}

/// As on a machine where every second counts: nobody waits for a disk that has failed.
async fn writes_are_refused_and_reads_answered(site: &Site, token: &str, load: &Load, n: u64) {
    let mut line = site.line().await.unwrap();
    for _ in 0..3 {
        let write = create(token, "SINGLE_USE_TICKET", "late");
        let refused = line.ask(&write).await.unwrap();
        assert_eq!(refused.status, 503, "{n}: {refused:?}");
        assert!(!refused.text("error").is_empty(), "{n}: {refused:?}");
    }
    let who = line
        .ask(&bare("GET", "/auth/v3/userinfo", &bearer(token)))
        .await;
    assert_eq!(who.unwrap().status, 200, "{n}");
    if let Some(ticket) = load.settled_ticket() {
        let path = format!("/security/ticket/{ticket}");
        let read = line.ask(&bare("GET", &path, &bearer(token))).await.unwrap();
        assert_eq!(read.status, 200, "{n}: {read:?}");
        let write = bare("POST", &format!("{path}/revoke"), &bearer(token));
        assert_eq!(line.ask(&write).await.unwrap().status, 503, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_a_process_whose_sync_fails_answers_nothing_more_and_ends_with_a_sentence() {
    let data = tempfile::tempdir().unwrap();
    drop(Launch::on(data.path()).start());
    let load = Load::new(8);
    let mut slowest = Duration::ZERO;
    let mut ended_starting = 0;
    for (call, n) in plan() {
        let mut process = failing(data.path(), call, n);
        if process.await_ready(Duration::from_secs(20)).is_some() {
            let site = Site::new(process.address(), data.path());
            // It may be ending already, with nobody having asked for anything.
            if let Ok(token) = site.token().await {
                load.begin(&site, &token).all_stopped().await;
            }
        } else {
            ended_starting += 1;
        }
        slowest = slowest.max(ends_with_a_sentence(&mut process, &format!("{call} {n}")));
        drop(process);
        all_is_there(data.path(), &load, &format!("{call} {n}")).await;
    }
    println!(
        "{} failing calls, {ended_starting} of them in a start: {} answered changes, none missing; \
         ended at the latest {slowest:.1?} after the first refusal",
        plan().count(),
        load.answered()
    );
    assert!(ended_starting < plan().count() && load.answered() > 100);
}

#[test]
fn heavy_a_start_whose_sync_fails_ends_with_a_sentence_and_not_with_a_panic_of_the_engine() {
    let data = tempfile::tempdir().unwrap();
    drop(Launch::on(data.path()).start());
    for n in 1..=8 {
        let mut process = failing(data.path(), "fsync", n);
        assert!(
            process.await_ready(Duration::from_secs(20)).is_none(),
            "{n}"
        );
        ends_with_a_sentence(&mut process, &format!("fsync {n}"));
        assert!(
            !process.log().contains("panicked"),
            "{n}:\n{}",
            process.log()
        );
    }
    drop(Launch::on(data.path()).start());
}

/// A process in which this call fails from its `n`-th time on, counted for each thread.
fn failing(data: &Path, call: &str, n: u32) -> Process {
    let inject = format!("inject={call}:error=EIO:when={n}+");
    let trace = format!("trace={call}");
    let words = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        &trace,
        "-e",
        &inject,
    ];
    Launch::on(data).under(&words).spawn()
}

/// Which call fails from which time on.
fn plan() -> impl Iterator<Item = (&'static str, u32)> {
    let syncs = [4, 8, 9, 10, 11, 12, 13, 15, 18, 27, 50, 100].map(|n| ("fsync", n));
    let ranges = [1, 2, 3, 5, 9, 20, 40].map(|n| ("sync_file_range", n));
    syncs.into_iter().chain(ranges)
}

fn ends_with_a_sentence(process: &mut Process, which: &str) -> Duration {
    let ended = process.await_end(Duration::from_secs(2));
    let ended = ended.unwrap_or_else(|| panic!("{which}: it goes on:\n{}", process.log()));
    assert_eq!(ended.status.code(), Some(3), "{which}:\n{}", process.log());
    let log = process.log();
    let sentence = log.lines().rfind(|line| line.starts_with("admit: "));
    let sentence = sentence.unwrap_or_else(|| panic!("{which}: no word why:\n{log}"));
    assert!(
        sentence.contains("disk") || sentence.contains("Input/output error"),
        "{which}: {sentence}"
    );
    ended.took
}

async fn all_is_there(data: &Path, load: &Load, which: &str) {
    let inside = Inside::open(data, Arc::new(RealDisk)).await;
    let inside = inside.unwrap_or_else(|why| panic!("{which}: {why}"));
    inside.appliance.store().check().unwrap();
    let lost = load.verify(&Site::new(inside.address, data), true).await;
    assert!(lost.is_empty(), "{which}: {lost:#?}");
    inside.close().await;
    let set_aside = fs::read_dir(data).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains("damaged")
    });
    assert_eq!(set_aside.count(), 0, "{which}");
}
