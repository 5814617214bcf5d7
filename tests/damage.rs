//! Damage on the disk: each start refuses and names the place, or serves everything as it was answered (D4, G3).
//!
//! A real server is given a mixed load and then closed or killed; its files are damaged in copies, bits flipped, ends cut
//! off, blocks swapped or put back from before, and the real binary is started on each copy. What it serves is held
//! against the ledger of what was answered, after every record was verified.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use admit::store::RealDisk;

use crate::support::inside::Inside;
use crate::support::line::Site;
use crate::support::load::{Chance, Load};
use crate::support::process::Launch;

const FLIPS: usize = 300;
const TRUNCATIONS: usize = 50;
const BLOCKS: usize = 20;
const BLOCK: usize = 4096;

/// A data folder, the one it was a while before, and what was answered to it.
struct Subject {
    data: tempfile::TempDir,
    earlier: tempfile::TempDir,
    load: Load,
}

/// What became of the starts.
#[derive(Debug, Default)]
struct Outcomes {
    refused: BTreeMap<String, usize>,
    intact: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_d4_every_start_on_damaged_files_refuses_and_names_the_place_or_serves_all_there_was()
{
    let mut outcomes = Outcomes::default();
    let scale = std::env::var("ADMIT_TEST_DAMAGE_PERCENT");
    let scale: usize = scale.map_or(100, |percent| percent.parse().unwrap());
    for was_killed in [false, true] {
        let subject = subject(was_killed).await;
        let mut chance = Chance::new(41 + u64::from(was_killed));
        let plan = [
            (FLIPS, flip as fn(&Subject, &Path, &mut Chance) -> String),
            (TRUNCATIONS, cut_short),
            (BLOCKS, swap_blocks),
            (BLOCKS, put_block_back),
        ];
        for (count, damage) in plan {
            for _ in 0..(count * scale / 200).max(1) {
                let copy = tempfile::tempdir().unwrap();
                copied(subject.data.path(), copy.path());
                let what = damage(&subject, copy.path(), &mut chance);
                start_on(copy.path(), &subject.load, &what, &mut outcomes).await;
            }
        }
    }
    println!("{outcomes:#?}");
    assert!(outcomes.intact > 0 && !outcomes.refused.is_empty());
}

/// Some hundred records of every kind a load makes, in a folder nobody serves.
async fn subject(was_killed: bool) -> Subject {
    let (data, earlier) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut process = Launch::on(data.path()).start();
    let site = Site::new(process.address(), data.path());
    let token = site.token().await.unwrap();
    let load = Load::new(8);
    for round in 0..2 {
        let running = load.begin(&site, &token);
        let enough = (round + 1) * 250;
        while load.answered() < enough {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.end().await;
        if round == 0 {
            copied(data.path(), earlier.path());
        }
    }
    if was_killed {
        process.kill();
    } else {
        process.terminate();
    }
    Subject {
        data,
        earlier,
        load,
    }
}

/// Starts the real binary there; what it serves must be everything that was answered.
async fn start_on(data: &Path, load: &Load, what: &str, outcomes: &mut Outcomes) {
    let mut process = Launch::on(data).spawn();
    let ready = process.await_ready(Duration::from_secs(20)).is_some();
    if !ready {
        let ended = process.await_end(Duration::from_secs(5));
        let log = process.log();
        assert!(!log.contains("panicked"), "{what}:\n{log}");
        let ended = ended.unwrap_or_else(|| panic!("{what}: neither ready nor ended:\n{log}"));
        assert_eq!(ended.status.code(), Some(3), "{what}:\n{log}");
        let said = log.lines().rfind(|line| line.starts_with("admit: "));
        let said = said.unwrap_or_else(|| panic!("{what}: no word why:\n{log}"));
        let names_the_place = said.contains(data.to_str().unwrap());
        assert!(names_the_place, "{what}: {said}");
        let kind = said.replace(data.to_str().unwrap(), "DATA");
        let kind: String = kind
            .chars()
            .filter(|c| !c.is_ascii_digit())
            .take(120)
            .collect();
        *outcomes.refused.entry(kind).or_default() += 1;
        return;
    }
    process.terminate();
    let log = process.log();
    assert!(!log.contains("panicked"), "{what}:\n{log}");
    let inside = Inside::open(data, Arc::new(RealDisk)).await;
    let inside = inside.unwrap_or_else(|why| panic!("{what}: served once, and then: {why}"));
    if let Err(fault) = inside.appliance.store().check() {
        panic!("{what}: served and damaged: {fault}\n{log}");
    }
    let known = load.as_of(load.answered());
    let lost = known.verify(&Site::new(inside.address, data), true).await;
    assert!(
        lost.is_empty(),
        "{what}: a silent difference: {lost:#?}\n{log}"
    );
    inside.close().await;
    outcomes.intact += 1;
}

fn flip(_: &Subject, data: &Path, chance: &mut Chance) -> String {
    let (path, length) = a_file(data, chance);
    let at = a_place(&path, length, chance);
    let bit = chance.below(8);
    let file = open(&path);
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, at).unwrap();
    format!(
        "bit {bit} of byte {at} of {length} in {}",
        name(data, &path)
    )
}

fn cut_short(_: &Subject, data: &Path, chance: &mut Chance) -> String {
    let (path, length) = a_file(data, chance);
    let to = a_place(&path, length, chance);
    open(&path).set_len(to).unwrap();
    format!("{} cut from {length} to {to}", name(data, &path))
}

fn swap_blocks(_: &Subject, data: &Path, chance: &mut Chance) -> String {
    let path = data.join("store/db");
    let blocks = used(&path).div_ceil(BLOCK as u64);
    let mut block = || chance.below(usize::try_from(blocks).unwrap()) as u64 * BLOCK as u64;
    let (one, other) = (block(), block());
    let file = open(&path);
    let [mut first, mut second] = [[0; BLOCK]; 2];
    file.read_exact_at(&mut first, one).unwrap();
    file.read_exact_at(&mut second, other).unwrap();
    file.write_all_at(&first, other).unwrap();
    file.write_all_at(&second, one).unwrap();
    format!("blocks at {one} and {other} swapped")
}

fn put_block_back(subject: &Subject, data: &Path, chance: &mut Chance) -> String {
    let path = data.join("store/db");
    let blocks = used(&path).div_ceil(BLOCK as u64);
    // Near the end, where the two differ.
    let back = chance.below(usize::try_from(blocks.min(60)).unwrap()) as u64;
    let at = (blocks - 1 - back) * BLOCK as u64;
    let mut block = [0; BLOCK];
    let earlier = open(&subject.earlier.path().join("store/db"));
    earlier.read_exact_at(&mut block, at).unwrap();
    open(&path).write_all_at(&block, at).unwrap();
    format!("block at {at} of {blocks} put back from before")
}

/// One of the store's files: mostly the large one.
fn a_file(data: &Path, chance: &mut Chance) -> (PathBuf, u64) {
    let mut paths = vec![data.join("store.marker")];
    for entry in fs::read_dir(data.join("store")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.metadata().unwrap().len() > 0 {
            paths.push(path);
        }
    }
    paths.sort();
    let path = if chance.below(100) < 70 {
        data.join("store/db")
    } else {
        paths.swap_remove(chance.below(paths.len()))
    };
    let length = path.metadata().unwrap().len();
    (path, length)
}

/// Somewhere in what is used of it.
fn a_place(path: &Path, length: u64, chance: &mut Chance) -> u64 {
    let end = if path.ends_with("db") {
        used(path)
    } else {
        length
    };
    chance.below(usize::try_from(end).unwrap()) as u64
}

/// How much of the engine's file is not zeros.
fn used(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1
}

fn open(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

fn name(data: &Path, path: &Path) -> String {
    path.strip_prefix(data).unwrap().display().to_string()
}

fn copied(from: &Path, to: &Path) {
    // The socket cannot be copied, and is not needed.
    let copied = Command::new("cp")
        .args(["-r", "--sparse=always", "--preserve=mode"])
        .arg(from.join("."))
        .arg(to)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&copied.stderr);
    assert!(
        copied.status.success() || said.contains("control.sock"),
        "{said}"
    );
}
