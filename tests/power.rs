//! Cut the power at any instant: what was answered is on the disk, and the store opens as it is.
//!
//! A kill leaves everything the kernel was given; a power cut leaves only what reached the disk. So the store stands on
//! ext4 in an image file, and the cut is a copy of that file, taken without unmounting, freezing or stopping anything:
//! what ext4 still held back in memory is not in it. The image lies on XFS, whose clone of a file (`FICLONE`) waits for
//! writes under way and excludes others, so the copy is the image at one instant. It is mounted elsewhere without fsck,
//! which replays ext4's journal, and opened. The ledger of what was answered is in this process, outside the image.
//!
//! The model is a drive that keeps each write it was given. That it catches what must not be is shown with the barrier
//! switched off.
//!
//! A test runs itself again in a mount and process namespace of its own: whatever ends it, the mounts, the loop devices
//! and the server go with it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use admit::store::{LyingDisk, RealDisk};

use crate::support::inside::Inside;
use crate::support::line::Site;
use crate::support::load::{Chance, Load};
use crate::support::process::Launch;

const CUTS: usize = 60;
/// One cut in so many falls into a start, every other one of these into a first start.
const STARTS: usize = 6;
/// One cut in so many is asked for everything ever answered, the others for what is new and a part of the rest.
const IN_FULL: usize = 10;
const WORKERS: usize = 8;
/// The engine fills a segment of 8 MiB before it needs another, and only then has the file system something to forget.
const NOTES: usize = 24 * 1024;

#[test]
fn heavy_after_a_power_cut_everything_that_was_answered_is_on_the_disk() {
    let name = "power::heavy_after_a_power_cut_everything_that_was_answered_is_on_the_disk";
    in_a_namespace(name, || {
        let cuts = std::env::var("ADMIT_TEST_POWER_CUTS");
        let cuts = cuts.map_or(CUTS, |cuts| cuts.parse().unwrap());
        let (cuts_made, answered, worst) = on_runtime(cut_the_process(cuts));
        println!(
            "{cuts_made} power cuts, one in {STARTS} during a start; {answered} answered changes, none missing; \
             the store opened in {worst:.0?} at worst"
        );
    });
}

#[test]
fn heavy_without_the_barrier_a_power_cut_loses_what_was_answered() {
    let name = "power::heavy_without_the_barrier_a_power_cut_loses_what_was_answered";
    in_a_namespace(name, || {
        let (cuts, bad) = on_runtime(cut_the_liar());
        println!("{bad} of {cuts} power cuts lost answered changes with the barrier switched off");
        assert!(2 * bad > cuts, "this test would not notice a loss");
    });
}

async fn cut_the_process(cuts: usize) -> (usize, u64, Duration) {
    let rig = Rig::new();
    let data = rig.disk.join("data");
    let load = Load::new(WORKERS).with_notes(NOTES);
    let mut chance = Chance::new(11);
    let mut worst = Duration::ZERO;
    let mut process = Launch::on(&data).start();
    for cut in 1..=cuts {
        if cut % (2 * STARTS) == 0 {
            worst = worst.max(cut_a_first_start(&rig, &mut chance, cut).await);
            continue;
        }
        let starts = cut % STARTS == 0;
        let copy = if starts {
            process.kill();
            process = Launch::on(&data).spawn();
            std::thread::sleep(Duration::from_micros(chance.below(90_000) as u64));
            rig.cut(&load)
        } else {
            let site = Site::new(process.address(), &data);
            let token = site.token().await.unwrap();
            let running = load.begin(&site, &token);
            let at = Duration::from_micros(30_000 + chance.below(250_000) as u64);
            tokio::time::sleep(at).await;
            let copy = rig.cut(&load);
            running.end().await;
            copy
        };
        let took = copy.verify(cut % IN_FULL == 0 || cut == cuts).await;
        worst = worst.max(took.unwrap_or_else(|lost| panic!("cut {cut}: {lost}")));
        assert!(
            process.await_ready(Duration::from_secs(20)).is_some(),
            "{}",
            process.log()
        );
    }
    (cuts, load.answered(), worst)
}

/// A cut in a first start: the next start finishes it, and credentials that were already told are good.
async fn cut_a_first_start(rig: &Rig, chance: &mut Chance, cut: usize) -> Duration {
    let name = format!("first-{cut}");
    let mut process = Launch::on(&rig.disk.join(&name)).spawn();
    std::thread::sleep(Duration::from_micros(chance.below(250_000) as u64));
    let told = process.await_ready(Duration::ZERO).is_some();
    let mut copy = rig.cut(&Load::new(0));
    copy.data.set_file_name(&name);
    let first_run = |data: &Path| fs::read(data.join("first-run.json")).ok();
    if told {
        let as_told = first_run(&rig.disk.join(&name)) == first_run(&copy.data);
        assert!(
            as_told,
            "cut {cut}: the credentials that were told are lost"
        );
    }
    process.kill();
    fs::remove_dir_all(rig.disk.join(&name)).unwrap_or_default();
    let took = copy.verify(true).await;
    took.unwrap_or_else(|lost| panic!("cut {cut} in a first start: {lost}"))
}

async fn cut_the_liar() -> (usize, usize) {
    let rig = Rig::new();
    let data = rig.disk.join("data");
    drop(Launch::on(&data).start());
    rustix::fs::sync();
    let load = Load::new(WORKERS).with_notes(NOTES);
    let mut chance = Chance::new(5);
    let liar = Inside::open(&data, Arc::new(LyingDisk)).await.unwrap();
    let site = Site::new(liar.address, &data);
    let token = site.token().await.unwrap();
    let mut bad = 0;
    for _ in 0..LIES {
        let running = load.begin(&site, &token);
        tokio::time::sleep(Duration::from_micros(30_000 + chance.below(250_000) as u64)).await;
        let copy = rig.cut(&load);
        running.end().await;
        bad += usize::from(copy.verify(false).await.is_err());
    }
    liar.close().await;
    (LIES, bad)
}

const LIES: usize = 12;

/// A file system in an image file, and cuts of it.
struct Rig {
    _folder: tempfile::TempDir,
    image: PathBuf,
    copy: PathBuf,
    disk: PathBuf,
    elsewhere: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let (outer, images) = (place("outer.img"), place("images"));
        let (disk, elsewhere) = (place("disk"), place("elsewhere"));
        for dir in [&images, &disk, &elsewhere] {
            fs::create_dir(dir).unwrap();
        }
        File::create(&outer).unwrap().set_len(4 << 30).unwrap();
        run("mkfs.xfs", &["-q", "-m", "reflink=1", text(&outer)]);
        mount(&outer, &images);
        let image = images.join("disk.img");
        File::create(&image).unwrap().set_len(1 << 30).unwrap();
        run("mkfs.ext4", &["-q", "-F", text(&image)]);
        mount(&image, &disk);
        rustix::fs::sync();
        Self {
            _folder: folder,
            copy: images.join("copy.img"),
            image,
            disk,
            elsewhere,
        }
    }

    /// Cuts the power.
    fn cut(&self, load: &Load) -> Copy {
        let (from, to) = (
            File::open(&self.image).unwrap(),
            File::create(&self.copy).unwrap(),
        );
        load.record();
        rustix::fs::ioctl_ficlone(&to, &from).unwrap();
        let known = load.recorded();
        drop(to);
        mount(&self.copy, &self.elsewhere);
        Copy {
            data: self.elsewhere.join("data"),
            elsewhere: self.elsewhere.clone(),
            known,
        }
    }
}

/// What a cut left, mounted.
struct Copy {
    data: PathBuf,
    elsewhere: PathBuf,
    known: Load,
}

impl Copy {
    /// Opens it, which must go as if nothing had happened, and asks for what was answered. How long opening took, or
    /// what is lost.
    async fn verify(self, all: bool) -> Result<Duration, String> {
        let began = Instant::now();
        let inside = Inside::open(&self.data, Arc::new(RealDisk)).await?;
        let took = began.elapsed();
        let site = Site::new(inside.address, &self.data);
        let checked = inside.appliance.store().check();
        let lost = match checked {
            Ok(_) => self.known.verify(&site, all).await,
            Err(fault) => vec![fault.to_string()],
        };
        inside.close().await;
        if lost.is_empty() {
            Ok(took)
        } else {
            Err(lost.join("\n"))
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // The engine's threads may hold its files for a moment longer.
        let unmounted = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(2));
            let umount = Command::new("umount").arg(&self.elsewhere).output();
            umount.unwrap().status.success()
        });
        assert!(
            unmounted || std::thread::panicking(),
            "{:?} stays mounted",
            self.elsewhere
        );
    }
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// Runs the test named so in namespaces of its own; where they, or loop devices, are not to be had, says so in the last
/// lines of `tests/run`.
fn in_a_namespace(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    if let Err(why) = can_cut() {
        let told = format!("POWER CUTS SKIPPED: {why}\n");
        print!("{told}");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
        fs::create_dir_all(&folder).unwrap();
        return fs::write(folder.join(name.replace("::", ".")), told).unwrap();
    }
    let this = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(NAMESPACES)
        .arg(this)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Whether this machine lends us what a cut needs.
fn can_cut() -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "set -e; cd {}; truncate -s 320M x; mkfs.xfs -q -m reflink=1 x; mkdir m; mount -o loop x m; \
         truncate -s 16M m/y; mkfs.ext4 -q -F m/y; mkdir n; mount -o loop m/y n",
        text(folder.path())
    );
    let tried = Command::new("unshare")
        .args(NAMESPACES)
        .args(["sh", "-c", &script])
        .output();
    let tried = tried.map_err(|error| format!("unshare: {error}"))?;
    if tried.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&tried.stderr);
    Err(said.trim().replace('\n', "; "))
}

fn mount(image: &Path, at: &Path) {
    run("mount", &["-o", "loop", text(image), text(at)]);
}

fn run(program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {said}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const INSIDE: &str = "ADMIT_TEST_POWER_INSIDE";
const NAMESPACES: [&str; 7] = [
    "--mount",
    "--propagation",
    "private",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];
