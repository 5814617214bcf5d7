//! Cut the power at any instant: what was answered is on the disk, and the store opens as it is.
//!
//! A kill leaves everything the kernel was given; a power cut leaves only what reached the disk, and of that a drive may
//! have kept the last writes in part. So the real binary works on a file system on a drive that writes down all it is
//! given ([`drive`]), and after each answered change a mark among these notes says what had been answered by then. From
//! the notes we make what the drive may hold at an instant, mount it, which replays the file system's journal, open the
//! store, and hold it against what was known.
//!
//! Among the instants are starts after a kill and after an orderly end, and first starts. That the rig catches what must
//! not be is shown with the barrier switched off.

mod drive;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use admit::store::{LyingDisk, RealDisk};

use self::drive::{Drive, MODES, Notes, System};
use crate::support::apart::{ROOM, apart, mount, on_runtime, unmount};
use crate::support::inside::Inside;
use crate::support::line::Site;
use crate::support::load::{Chance, Load};
use crate::support::process::Launch;

/// How often the power is cut; `ADMIT_TEST_POWER_CUTS` says otherwise.
const CUTS: usize = 200;
/// Cuts in what was noted in one go.
const CUTS_A_RECORDING: usize = 50;
/// One cut in so many is asked for everything ever answered, the others for what is new and a part of the rest.
const IN_FULL: usize = 10;
/// One cut in so many is opened by the real binary, the others in this process, where each record is checked as well.
const BY_THE_BINARY: usize = 4;
/// Starts in a recording, each with work after it, and with a first start elsewhere before the next.
const STARTS: usize = 5;
const WORKERS: usize = 8;
/// The engine fills a segment of 8 MiB before it needs another, and only then has the file system something to forget.
const NOTES: usize = 24 * 1024;

#[test]
fn heavy_after_a_power_cut_everything_that_was_answered_is_on_the_disk() {
    let name = "power::heavy_after_a_power_cut_everything_that_was_answered_is_on_the_disk";
    apart(name, NEEDS, || {
        let cuts = std::env::var("ADMIT_TEST_POWER_CUTS");
        let cuts = cuts.map_or(CUTS, |cuts| cuts.parse().unwrap());
        let mut tally = Tally::default();
        let mut recording = 0;
        while tally.cuts() < cuts {
            let system = [System::Ext4, System::Xfs][recording % 2];
            let count = CUTS_A_RECORDING.min(cuts - tally.cuts());
            on_runtime(cut_the_process(system, recording as u64, count, &mut tally));
            recording += 1;
        }
        tally.tell("power cuts");
        assert!(tally.lost.is_empty(), "{:#?}", tally.lost);
    });
}

#[test]
fn heavy_without_the_barrier_a_power_cut_loses_what_was_answered() {
    let name = "power::heavy_without_the_barrier_a_power_cut_loses_what_was_answered";
    apart(name, NEEDS, || {
        for system in [System::Ext4, System::Xfs] {
            let mut tally = Tally::default();
            on_runtime(cut_the_liar(system, &mut tally));
            tally.tell("power cuts with the barrier switched off");
            let noticed = 2 * tally.lost.len() > tally.cuts() - tally.in_first_starts;
            assert!(noticed, "{system:?}: this test would not notice a loss");
        }
    });
}

/// What was seen.
#[derive(Default)]
struct Tally {
    cuts: [[usize; 4]; 2],
    in_first_starts: usize,
    answered: u64,
    asked_about: u64,
    by_the_binary: Duration,
    inside: Duration,
    lost: Vec<String>,
}

impl Tally {
    fn cuts(&self) -> usize {
        self.cuts.iter().flatten().sum()
    }

    fn tell(&self, what: &str) {
        let [ext4, xfs] = self.cuts;
        println!(
            "{} {what}, {} of them in a first start; as {MODES:?} on ext4 {ext4:?}, on xfs {xfs:?}; \
             {} answered changes, up to {} of them known at a cut; {} cuts lost some or did not open; \
             ready in {:.0?} at worst as a process, opened in {:.0?} at worst in this one",
            self.cuts(),
            self.in_first_starts,
            self.answered,
            self.asked_about,
            self.lost.len(),
            self.by_the_binary,
            self.inside,
        );
    }
}

/// What a mark stands for.
#[derive(Clone, Default, PartialEq)]
struct Known {
    /// How many changes had been answered.
    answered: u64,
    stores: Stores,
}

/// The stores begun.
#[derive(Clone, Default, PartialEq)]
struct Stores {
    /// Whether the first credentials of each were told.
    told: Vec<bool>,
    /// Whether the last one was in its first start.
    is_starting: bool,
}

/// What was done to a drive, and what was known meanwhile.
struct Recording {
    system: System,
    notes: Notes,
    marks: Vec<Known>,
    load: Load,
    /// What `first-run.json` of each store held in the end.
    first_runs: Vec<Vec<u8>>,
}

async fn cut_the_process(system: System, seed: u64, cuts: usize, tally: &mut Tally) {
    let mut chance = Chance::new(1000 + seed);
    let recorder = Recorder::new(system);
    work(&recorder, &mut chance).await;
    recorder.end().cut(cuts, &mut chance, tally).await;
}

/// Work under load, ended in each of the ways a process ends, and first starts.
async fn work(recorder: &Recorder, chance: &mut Chance) {
    let data = recorder.begin_store();
    let mut process = Launch::on(&data).start();
    recorder.told(0);
    recorder.first_start_ended();
    for start in 1..=STARTS {
        let site = Site::new(process.address(), &data);
        let running = recorder.load.begin(&site, &site.token().await.unwrap());
        tokio::time::sleep(Duration::from_millis(400 + chance.below(400) as u64)).await;
        if start % 2 == 0 {
            let killing = tokio::task::spawn_blocking(move || process.kill());
            running.all_stopped().await;
            killing.await.unwrap();
        } else {
            running.end().await;
            process.terminate();
        }
        let first = recorder.begin_store();
        let mut other = Launch::on(&first).spawn();
        let within = Duration::from_millis(chance.below(600) as u64);
        if other.await_ready(within).is_some() {
            recorder.told(start);
        }
        other.kill();
        recorder.first_start_ended();
        process = Launch::on(&data).start();
    }
    process.terminate();
}

async fn cut_the_liar(system: System, tally: &mut Tally) {
    let mut chance = Chance::new(5);
    let recorder = Recorder::new(system);
    let data = recorder.begin_store();
    drop(Launch::on(&data).start());
    rustix::fs::sync();
    recorder.told(0);
    recorder.first_start_ended();
    let liar = Inside::open(&data, Arc::new(LyingDisk)).await.unwrap();
    let site = Site::new(liar.address, &data);
    let running = recorder.load.begin(&site, &site.token().await.unwrap());
    tokio::time::sleep(Duration::from_secs(2)).await;
    running.end().await;
    liar.close().await;
    recorder.end().cut(LIES, &mut chance, tally).await;
}

const LIES: usize = 24;

/// A drive at work, and somebody who puts marks.
struct Recorder {
    drive: Drive,
    load: Arc<Load>,
    stores: Arc<Mutex<Stores>>,
    ends: Arc<AtomicBool>,
    marks: std::thread::JoinHandle<Vec<Known>>,
    system: System,
}

impl Recorder {
    fn new(system: System) -> Self {
        let drive = Drive::new(system);
        let load = Arc::new(Load::new(WORKERS).with_notes(NOTES).remembering());
        let (stores, ends) = (
            Arc::<Mutex<Stores>>::default(),
            Arc::<AtomicBool>::default(),
        );
        let mut marks = drive.marks();
        let (answers, begun, end) = (Arc::clone(&load), Arc::clone(&stores), Arc::clone(&ends));
        let marks = std::thread::spawn(move || {
            let mut put = Vec::new();
            while !end.load(Ordering::SeqCst) {
                let known = Known {
                    answered: answers.answered(),
                    stores: begun.lock().unwrap().clone(),
                };
                if put.last() != Some(&known) {
                    marks.put();
                    put.push(known);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            put
        });
        Self {
            drive,
            load,
            stores,
            ends,
            marks,
            system,
        }
    }

    /// Where the next store is to be.
    fn begin_store(&self) -> PathBuf {
        let mut stores = self.stores.lock().unwrap();
        stores.told.push(false);
        stores.is_starting = true;
        store_at(&self.drive.disk, stores.told.len() - 1)
    }

    /// The first credentials of this store have been told.
    fn told(&self, store: usize) {
        self.stores.lock().unwrap().told[store] = true;
    }

    fn first_start_ended(&self) {
        self.stores.lock().unwrap().is_starting = false;
    }

    fn end(self) -> Recording {
        self.ends.store(true, Ordering::SeqCst);
        let marks = self.marks.join().unwrap();
        let stores = self.stores.lock().unwrap().told.len();
        let first_runs = (0..stores).map(|store| first_run(&self.drive.disk, store));
        let first_runs = first_runs.collect();
        Recording {
            system: self.system,
            notes: self.drive.end(),
            marks,
            load: Arc::into_inner(self.load).unwrap(),
            first_runs,
        }
    }
}

impl Recording {
    async fn cut(mut self, cuts: usize, chance: &mut Chance, tally: &mut Tally) {
        tally.answered += self.load.answered();
        for instant in self.notes.instants(cuts, chance) {
            let cut = tally.cuts();
            let mode = MODES[chance.below(MODES.len())];
            let (mark, image) = self.notes.cut(instant, mode, chance);
            tally.cuts[self.system as usize][mode as usize] += 1;
            // Where it was: at another place it would be a copy that somebody made.
            let disk = Path::new(ROOM).join("disk");
            fs::create_dir_all(&disk).unwrap();
            mount(&image, &disk);
            let known = &self.marks[mark];
            if let Err(lost) = self.verify(&disk, known, cut, tally).await {
                let (system, answered) = (self.system, known.answered);
                tally.lost.push(format!(
                    "cut {cut} at {instant}, {mode:?} on {system:?}, {answered} answered: {lost}"
                ));
            }
            unmount(&disk);
        }
    }

    async fn verify(
        &self,
        disk: &Path,
        known: &Known,
        cut: usize,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let Stores { told, is_starting } = &known.stores;
        for (store, told) in told.iter().enumerate() {
            if *told && first_run(disk, store) != self.first_runs[store] {
                return Err("the credentials that were told are lost".into());
            }
        }
        if *is_starting {
            tally.in_first_starts += 1;
            let last = store_at(disk, told.len() - 1);
            tally.inside = tally.inside.max(inside(&last, &Load::new(0), true).await?);
        }
        if told.first() == Some(&true) {
            tally.asked_about = tally.asked_about.max(known.answered);
            let (data, load) = (store_at(disk, 0), self.load.as_of(known.answered));
            let all = cut.is_multiple_of(IN_FULL);
            let (worst, took) = if cut % BY_THE_BINARY == 1 {
                (
                    &mut tally.by_the_binary,
                    by_the_binary(&data, &load, all).await?,
                )
            } else {
                (&mut tally.inside, inside(&data, &load, all).await?)
            };
            *worst = took.max(*worst);
        }
        Ok(())
    }
}

/// Opens it, which must go as if nothing had happened, and asks for what was answered. How long opening took, or what is
/// lost.
async fn inside(data: &Path, known: &Load, all: bool) -> Result<Duration, String> {
    let began = Instant::now();
    let inside = Inside::open(data, Arc::new(RealDisk)).await?;
    let took = began.elapsed();
    let lost = match inside.appliance.store().check() {
        Ok(_) => known.verify(&Site::new(inside.address, data), all).await,
        Err(fault) => vec![fault.to_string()],
    };
    inside.close().await;
    nothing_but(took, &lost)
}

/// The same of a process, which has nothing to complain of.
async fn by_the_binary(data: &Path, known: &Load, all: bool) -> Result<Duration, String> {
    let mut process = Launch::on(data).spawn();
    if process.await_ready(Duration::from_secs(20)).is_none() {
        return Err(format!("it does not start: {}", process.log()));
    }
    let took = process.spawned().elapsed();
    let lost = known.verify(&Site::new(process.address(), data), all).await;
    let ended = process.terminate().status;
    let log = process.log();
    if !ended.success()
        || ["WARN", "ERROR", "panicked"]
            .iter()
            .any(|word| log.contains(word))
    {
        return Err(format!("it ends with {ended}: {log}"));
    }
    nothing_but(took, &lost)
}

fn nothing_but(took: Duration, lost: &[String]) -> Result<Duration, String> {
    if lost.is_empty() {
        Ok(took)
    } else {
        Err(lost.join("\n"))
    }
}

fn store_at(disk: &Path, store: usize) -> PathBuf {
    disk.join(format!("data-{store}"))
}

fn first_run(disk: &Path, store: usize) -> Vec<u8> {
    fs::read(store_at(disk, store).join("first-run.json")).unwrap_or_default()
}

/// Whether a drive can be had.
const NEEDS: &str = "\
    truncate -s 321M given; mkfs.xfs -q -d size=320m given; mkdir disk; : >shown; : >notes; \
    qemu-storage-daemon --blockdev driver=file,node-name=file,filename=given \
      --blockdev driver=file,node-name=log,filename=notes \
      --blockdev driver=blklogwrites,node-name=noted,file=file,log=log \
      --export type=fuse,id=shown,node-name=noted,writable=on,mountpoint=shown & \
    for n in $(seq 500); do test -s shown && break; sleep 0.01; done; \
    mount -o loop shown disk; umount disk; mkfs.ext4 -q -F given 300m";
