//! Backups while the server is at work: what was answered before is in them, whole, and memory stays bounded.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use admit::crypto::seal::Keyring;
use admit::kernel::{Clock as _, Secret, SystemClock, hex};
use admit::store::{RealDisk, Record, Store, Table, Verdict};
use serde::{Deserialize, Serialize};

use super::{PASSPHRASE, done, secret};
use crate::support::line::{Site, bare, bearer, create};
use crate::support::process::{Launch, Process};
use crate::tour::admit;

const WORKERS: usize = 6;
const BACKUPS: usize = 4;

/// The tickets one worker was given, in their order.
async fn work(
    site: Site,
    token: String,
    is_over: Arc<AtomicBool>,
    made: Arc<std::sync::Mutex<Vec<String>>>,
) {
    let mut line = site.line().await.unwrap();
    while !is_over.load(Ordering::SeqCst) {
        let answer = line
            .ask(&create(&token, "MULTI_USE_TICKET", "backed up"))
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        made.lock().unwrap().push(answer.text("id"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_a_backup_under_load_has_everything_answered_before_and_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("admit-data");
    secret(folder.path(), "passphrase", PASSPHRASE);
    let process = Launch::on(&data).start();
    let site = Site::new(process.address(), &data);
    let token = site.token().await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let made: Vec<Arc<std::sync::Mutex<Vec<String>>>> =
        (0..WORKERS).map(|_| Arc::default()).collect();
    let workers = made.iter().map(|made| {
        tokio::spawn(work(
            site.clone(),
            token.clone(),
            Arc::clone(&is_over),
            Arc::clone(made),
        ))
    });
    let workers: Vec<_> = workers.collect();
    let mut before = Vec::new();
    for number in 0..BACKUPS {
        tokio::time::sleep(Duration::from_millis(300)).await;
        before.push(
            made.iter()
                .map(|made| made.lock().unwrap().len())
                .collect::<Vec<_>>(),
        );
        let (folder, file) = (folder.path().to_owned(), format!("{number}.admit"));
        let with = ["--passphrase-file", "passphrase"];
        let words = move || done(&folder, &[&["backup", "create", &file][..], &with].concat());
        tokio::task::spawn_blocking(words).await.unwrap();
    }
    is_over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    drop(process);
    let made: Vec<_> = made
        .iter()
        .map(|made| made.lock().unwrap().clone())
        .collect();
    for (number, before) in before.iter().enumerate() {
        let (file, back) = (format!("{number}.admit"), format!("back-{number}"));
        let with = ["--passphrase-file", "passphrase"];
        done(
            folder.path(),
            &[&["backup", "verify", &file][..], &with].concat(),
        );
        done(
            folder.path(),
            &[&["restore", &file, "--data", &back][..], &with].concat(),
        );
        let back = folder.path().join(back);
        // The first credentials are no part of a backup, and still good.
        fs::copy(data.join("first-run.json"), back.join("first-run.json")).unwrap();
        let process = Launch::on(&back).start();
        let site = Site::new(process.address(), &back);
        let token = site.token().await.unwrap();
        let mut line = site.line().await.unwrap();
        for (ids, before) in made.iter().zip(before) {
            let mut there = 0;
            for (at, id) in ids.iter().enumerate() {
                let path = format!("/security/ticket/{id}");
                let answer = line
                    .ask(&bare("GET", &path, &bearer(&token)))
                    .await
                    .unwrap();
                if answer.status == 200 {
                    assert_eq!(there, at, "backup {number} has a gap");
                    there += 1;
                }
            }
            assert!(
                there >= *before,
                "backup {number}: {before} were answered before, {there} are in it"
            );
        }
    }
    println!(
        "{BACKUPS} backups while {} tickets were made: nothing answered before is missing, no gap",
        made.iter().map(Vec::len).sum::<usize>()
    );
}

/// A record as large as a ticket's.
#[derive(Serialize, Deserialize)]
struct Filler(Vec<u8>);

impl Record for Filler {
    const VERSION: u8 = 1;
}

const FILLERS: Table<u64, Filler> = Table::named("zz_fillers");
const FILLED: u64 = 300_000;
const MIB: u64 = 1024 * 1024;

fn fill(data: &Path, count: u64) {
    let key = fs::read_to_string(data.join("master.key")).unwrap();
    let key = Secret::new(hex::decode(key.trim()).unwrap());
    let key = Keyring::derive(&key).unwrap().records().clone();
    let store = Store::open(data, key, Arc::new(RealDisk), SystemClock.now()).unwrap();
    for from in (0..count).step_by(1_000) {
        let written = store.write::<(), ()>(|tx| {
            for number in from..from + 1_000 {
                let noise: Vec<u8> = (0..300_u64)
                    .map(|at| (number.wrapping_mul(at * at + 31) >> 5).to_le_bytes()[0])
                    .collect();
                tx.put(&FILLERS, &number, &Filler(noise))?;
            }
            Ok(Verdict::Commit(()))
        });
        written.unwrap();
    }
}

fn peak(process: &Process) -> u64 {
    peak_of(process.pid().as_raw_pid().unsigned_abs()).unwrap()
}

/// The most memory a process held; None once it has ended.
fn peak_of(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Runs a command, which must be done; the most memory it was seen to hold.
fn peak_while(folder: &Path, words: &[&str]) -> u64 {
    let mut command = admit(folder).args(words).spawn().unwrap();
    let mut peak = 0;
    let ended = loop {
        if let Some(ended) = command.try_wait().unwrap() {
            break ended;
        }
        peak = peak.max(peak_of(command.id()).unwrap_or(0));
        sleep(Duration::from_millis(20));
    };
    assert!(ended.success(), "{words:?}: {ended}");
    peak
}

/// `ADMIT_TEST_BACKUP_RECORDS` says how many records there are.
#[test]
fn heavy_a_backup_of_many_records_keeps_memory_bounded() {
    let count = std::env::var("ADMIT_TEST_BACKUP_RECORDS");
    let count = count.map_or(FILLED, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("admit-data");
    done(folder.path(), &["init"]);
    fill(&data, count);
    secret(folder.path(), "passphrase", PASSPHRASE);
    let process = Launch::on(&data).start();
    let with = ["--passphrase-file", "passphrase"];
    let before = peak(&process);
    let began = Instant::now();
    done(
        folder.path(),
        &[&["backup", "create", "x.admit"][..], &with].concat(),
    );
    let (took, after) = (began.elapsed(), peak(&process));
    let began = Instant::now();
    let verify = [&["backup", "verify", "x.admit"][..], &with].concat();
    let verifying = peak_while(folder.path(), &verify);
    let verified = began.elapsed();
    let size = fs::metadata(folder.path().join("x.admit")).unwrap().len();
    let store = fs::metadata(data.join("store/db")).unwrap().len();
    println!(
        "{count} records ({} MiB on the disk): backed up in {took:.1?}, {} MiB, verified in {verified:.1?} \
         with at most {} MiB; the server's memory at most {} MiB, {} MiB before",
        store / MIB,
        size / MIB,
        verifying / MIB,
        after / MIB,
        before / MIB
    );
    assert!(after < before + 160 * MIB, "{} MiB", after / MIB);
    // It took 5 KB a record once, 19 GB for a million tickets.
    assert!(verifying < 160 * MIB, "{} MiB", verifying / MIB);
}
