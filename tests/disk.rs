//! The n-th flush or sync fails: nothing is answered that did not happen, and the next start is clean.
//!
//! Once with a disk that fails in this process, where what still works can be asked for at leisure, once with the real
//! binary whose system calls are made to fail, and once with the real binary on a drive that refuses writes, where a sync
//! fails after the write did well, and the next sync does well with the data gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admit::store::{FaultyDisk, RealDisk};
use rustix::process::{Signal, kill_process_group};

use crate::support::apart::{ROOM, Shown, apart, mount, run, text, unmount};
use crate::support::inside::Inside;
use crate::support::line::{Site, bare, bearer, create};
use crate::support::load::{Chance, Load, Running, Stopped};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_whichever_call_fails_once_nothing_is_answered_falsely() {
    let data = tempfile::tempdir().unwrap();
    drop(Launch::on(data.path()).start());
    let load = Load::new(8);
    let (mut ended, mut went_on) = (0, 0);
    for (call, error, n) in once() {
        let which = format!("{call} {n} {error}");
        let inject = format!("inject={call}:error={error}:when={n}");
        let mut process = injected(data.path(), call, &inject);
        if process.await_ready(Duration::from_secs(20)).is_some() {
            let site = Site::new(process.address(), data.path());
            if let Ok(token) = site.token().await {
                let running = load.begin(&site, &token);
                tokio::time::sleep(Duration::from_millis(300)).await;
                running.end().await;
            }
        }
        if ends_or_goes_on(&mut process, &which) {
            ended += 1;
        } else {
            went_on += 1;
        }
        let log = process.log();
        assert!(!log.contains("panicked"), "{which}:\n{log}");
        drop(process);
        all_is_there(data.path(), &load, &which).await;
    }
    println!(
        "{} calls failed once: {ended} ended the process with a sentence, {went_on} did not; \
         {} answered changes, none missing",
        ended + went_on,
        load.answered()
    );
    assert!(load.answered() > 100);
}

/// Which call fails with which error, and at which time. `ADMIT_TEST_FAILING_CALLS` is up to which; the default takes
/// some of the first 60.
fn once() -> Vec<(&'static str, &'static str, u32)> {
    let all = std::env::var("ADMIT_TEST_FAILING_CALLS");
    let times: Vec<u32> = all.map_or(vec![1, 4, 20], |all| (1..=all.parse().unwrap()).collect());
    let mut once = Vec::new();
    for call in [
        "pwrite64",
        "fsync",
        "sync_file_range",
        "rename",
        "ftruncate",
    ] {
        for error in ["EIO", "ENOSPC"] {
            once.extend(times.iter().map(|n| (call, error, *n)));
        }
    }
    once
}

/// Whether it has ended by itself, with a sentence; if not, it is ended as usual.
fn ends_or_goes_on(process: &mut Process, which: &str) -> bool {
    if process.await_end(Duration::from_millis(100)).is_some() {
        ends_with_a_sentence(process, which);
        return true;
    }
    // Not to the process alone: strace keeps to itself what it is asked.
    kill_process_group(process.pid(), Signal::TERM).unwrap();
    let ended = process.await_end(Duration::from_secs(20));
    let code = ended.and_then(|ended| ended.status.code());
    assert!(matches!(code, Some(0 | 3)), "{which}:\n{}", process.log());
    false
}

#[test]
fn heavy_a_drive_that_refuses_writes_ends_the_process_and_nothing_that_was_answered_is_lost() {
    let name = "disk::heavy_a_drive_that_refuses_writes_ends_the_process_and_nothing_that_was_answered_is_lost";
    apart(name, NEEDS, || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(on_a_bad_drive());
    });
}

/// Every other fault lasts; the ones between are gone before anybody has looked, and a second sync would do well.
async fn on_a_bad_drive() {
    let drive = BadDrive::new();
    let data = drive.disk.join("data");
    let (load, mut chance) = (Load::new(8), Chance::new(3));
    let (mut slowest, mut passed_by) = (Duration::ZERO, 0);
    for fault in 1..=FAULTS {
        let which = format!("fault {fault}");
        let shown = drive.show();
        let mut process = Launch::on(&data).start();
        let site = Site::new(process.address(), &data);
        let running = load.begin(&site, &site.token().await.unwrap());
        tokio::time::sleep(Duration::from_millis(50 + chance.below(300) as u64)).await;
        fs::write(&drive.fault, "").unwrap();
        if fault % 2 == 0 {
            tokio::time::sleep(Duration::from_millis(chance.below(40) as u64)).await;
            fs::remove_file(&drive.fault).unwrap();
            passed_by += usize::from(!passes(running, &mut process, &which).await);
        } else {
            running.all_stopped().await;
            slowest = slowest.max(ends_with_a_sentence(&mut process, &which));
            fs::remove_file(&drive.fault).unwrap();
        }
        drop(process);
        unmount(&drive.disk);
        shown.end();
        mount(&drive.image, &drive.disk);
        all_is_there(&data, &load, &which).await;
        unmount(&drive.disk);
    }
    println!(
        "{FAULTS} faults of a drive, {passed_by} of them passed by without hitting a write of ours: {} answered changes, \
         none missing; ended at the latest {slowest:.1?} after the first refusal",
        load.answered()
    );
    assert!(passed_by < FAULTS / 4 && load.answered() > 100);
}

/// Whether a fault that has passed ended the process.
async fn passes(running: Running, process: &mut Process, which: &str) -> bool {
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stopped = running.end().await;
    if stopped.iter().all(|why| matches!(why, Stopped::Asked)) {
        return ends_or_goes_on(process, which);
    }
    ends_with_a_sentence(process, which);
    true
}

const FAULTS: usize = 20;

/// A drive whose writes fail while a file is there.
struct BadDrive {
    image: PathBuf,
    disk: PathBuf,
    fault: PathBuf,
}

impl BadDrive {
    fn new() -> Self {
        let place = |name: &str| Path::new(ROOM).join(name);
        let (image, disk) = (place("drive.img"), place("disk"));
        fs::create_dir(&disk).unwrap();
        fs::File::create(&image)
            .unwrap()
            .set_len(256 << 20)
            .unwrap();
        run("mkfs.ext4", &["-q", "-F", "-b", "4096", text(&image)]);
        let fault = place("fault");
        Self { image, disk, fault }
    }

    fn show(&self) -> Shown {
        let shown = Path::new(ROOM).join("shown.img");
        let fault = format!("error-pwrite-file={}", text(&self.fault));
        let words = [
            text(&shown),
            "[",
            "nbdkit",
            "--exit-with-parent",
            "--filter=error",
            "file",
            text(&self.image),
            "error-pwrite=EIO",
            "error-pwrite-rate=100%",
            &fault,
            "]",
        ];
        let drive = Shown::by("nbdfuse", &words, &shown);
        mount(&drive.file, &self.disk);
        drive
    }
}

/// Whether such a drive can be had.
const NEEDS: &str = "\
    truncate -s 16M given; mkfs.ext4 -q -F given; mkdir disk; : >shown; \
    nbdfuse shown [ nbdkit --exit-with-parent --filter=error file given error-pwrite-rate=0% ] & \
    for n in $(seq 500); do test -s shown && break; sleep 0.01; done; \
    mount -o loop shown disk; umount disk";

/// A process in which this call fails from its `n`-th time on, counted for each thread.
fn failing(data: &Path, call: &str, n: u32) -> Process {
    injected(data, call, &format!("inject={call}:error=EIO:when={n}+"))
}

fn injected(data: &Path, call: &str, inject: &str) -> Process {
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
        inject,
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
    let words = ["disk", "Input/output error", "No space left on device"];
    let says_so = words.iter().any(|word| sentence.contains(word));
    assert!(says_so, "{which}: {sentence}");
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
