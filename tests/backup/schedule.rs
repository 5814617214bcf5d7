//! Backups by the clock: due by the age of the newest, verified, thinned, and what came of the last one kept.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use admit::compose::{World, compose};
use admit::config::{Backup, BackupKey, Config, MasterKeySource};
use admit::domain::Appliance;
use admit::jobs::backups::run_once;
use admit::kernel::{Clock, ManualClock};
use admit::upkeep::doctor::{self, Weight};
use admit::upkeep::{Answer, Order, Report, Site, backup, execute};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::{PASSPHRASE, secret};
use crate::support::server::{START, at};

const DAY: Duration = Duration::from_hours(24);

struct Scheduled {
    folder: TempDir,
    clock: Arc<ManualClock>,
    appliance: Arc<Appliance>,
    site: Arc<Site>,
}

fn scheduled(keep: usize) -> Scheduled {
    locked_with(keep, |folder| {
        secret(folder, "passphrase", PASSPHRASE);
        BackupKey::Passphrase(folder.join("passphrase"))
    })
}

fn locked_with(keep: usize, key: impl FnOnce(&Path) -> BackupKey) -> Scheduled {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = Config {
        master_key: MasterKeySource::File(data.join("master.key")),
        backup: Backup {
            folder: folder.path().join("backups"),
            every: Some(DAY),
            keep,
            key: key(folder.path()),
        },
        data,
        ..Config::default()
    };
    let clock = Arc::new(ManualClock::at(at(START)));
    let world = World {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..World::real()
    };
    let appliance = compose(&config, 8443, world).unwrap().appliance;
    let site = Arc::new(Site {
        config,
        serving_since: None,
    });
    Scheduled {
        folder,
        clock,
        appliance,
        site,
    }
}

impl Scheduled {
    /// The backups in the folder. Of its own names, what marks them as such is left out.
    fn names(&self) -> Vec<String> {
        let all = backup::list(&self.backups()).unwrap();
        all.iter().map(|one| self.unmarked(&one.file)).collect()
    }

    fn unmarked(&self, file: &Path) -> String {
        let name = file.file_name().unwrap().to_str().unwrap();
        name.replace(&format!("admit-{}-", self.appliance.mark()), "admit-")
    }

    /// The file of that date.
    fn of(&self, date: &str) -> PathBuf {
        let name = format!("admit-{}-{date}.admit", self.appliance.mark());
        self.backups().join(name)
    }

    async fn run(&self) -> bool {
        run_once(&self.appliance, &self.site).await.unwrap()
    }

    async fn fails(&self) -> String {
        let failed = run_once(&self.appliance, &self.site).await.unwrap_err();
        let latest = self.latest();
        let told = latest.error.unwrap();
        assert!(!latest.is_verified && failed.to_string() == told, "{told}");
        told
    }

    fn latest(&self) -> backup::Outcome {
        backup::latest(&self.site).unwrap()
    }

    fn create_elsewhere(&self) {
        let order = backup::Order::Create {
            file: Some(self.folder.path().join("x.admit")),
            padlock: backup::Padlock::of_master_key(),
        };
        let order = Order::Backup(order);
        let answer = execute(&self.appliance, &self.site, order, &|_| {});
        assert!(matches!(answer, Answer::Done(_)), "{answer:?}");
    }

    /// What doctor says of backups.
    fn doctor(&self) -> (Weight, String) {
        let order = Order::Doctor(doctor::Order::default());
        let answer = execute(&self.appliance, &self.site, order, &|_| {});
        let Answer::Done(Report::Doctor(findings)) = answer else {
            panic!("{answer:?}");
        };
        let mut all = findings.all.into_iter();
        let found = all.find(|one| one.what == "backup").unwrap();
        (found.weight, found.words)
    }

    fn backups(&self) -> PathBuf {
        self.site.config.backup.folder.clone()
    }

    /// Every file in the folder for backups.
    fn files(&self) -> Vec<String> {
        let all = fs::read_dir(self.backups()).unwrap();
        let mut all: Vec<_> = all
            .map(|entry| self.unmarked(&entry.unwrap().path()))
            .collect();
        all.sort();
        all
    }

    fn has_scratch(&self) -> bool {
        let mut all = fs::read_dir(&self.site.config.data).unwrap();
        all.any(|entry| {
            let name = entry.unwrap().file_name();
            name.to_str().unwrap().starts_with("scratch.")
        })
    }
}

#[tokio::test]
async fn a_backup_is_made_when_the_newest_is_old_enough_and_the_oldest_go() {
    let scheduled = scheduled(2);
    assert!(scheduled.run().await, "there was none");
    assert!(!scheduled.run().await, "there is one of now");
    scheduled
        .clock
        .advance(DAY.checked_sub(Duration::from_mins(1)).unwrap());
    assert!(!scheduled.run().await, "it is not a day old");
    scheduled.clock.advance(Duration::from_mins(1));
    assert!(scheduled.run().await);
    assert_eq!(
        scheduled.names(),
        [
            "admit-20261121T120000Z.admit",
            "admit-20261122T120000Z.admit"
        ]
    );
    scheduled.clock.advance(3 * DAY);
    assert!(scheduled.run().await);
    assert_eq!(
        scheduled.names(),
        [
            "admit-20261122T120000Z.admit",
            "admit-20261125T120000Z.admit"
        ]
    );
    let latest = backup::latest(&scheduled.site).unwrap();
    assert!(latest.is_verified && latest.error.is_none(), "{latest:?}");
    assert_eq!(latest.file, scheduled.of("20261125T120000Z"));
    let verified = || backup::verified_at(&scheduled.site.config.data);
    let at = verified();
    assert_eq!(at, Some(scheduled.clock.now()));
    scheduled.clock.advance(DAY);
    fs::remove_file(scheduled.folder.path().join("passphrase")).unwrap();
    scheduled.fails().await;
    assert_eq!(verified(), at, "one that failed is none");
}

#[tokio::test]
async fn a_backup_that_fails_is_told_removes_nothing_and_is_made_later() {
    let scheduled = scheduled(1);
    assert!(scheduled.run().await);
    scheduled.clock.advance(DAY);
    let (folder, aside) = (
        scheduled.folder.path().join("backups"),
        scheduled.folder.path().join("aside"),
    );
    fs::rename(scheduled.folder.path().join("passphrase"), &aside).unwrap();
    let failed = run_once(&scheduled.appliance, &scheduled.site)
        .await
        .unwrap_err();
    assert!(
        failed.to_string().contains("passphrase: No such file"),
        "{failed}"
    );
    let latest = backup::latest(&scheduled.site).unwrap();
    assert!(latest.error.is_some() && !latest.is_verified, "{latest:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    fs::rename(aside, scheduled.folder.path().join("passphrase")).unwrap();
    assert!(scheduled.run().await);
    assert_eq!(scheduled.names(), ["admit-20261122T120000Z.admit"]);
}

#[tokio::test]
async fn the_schedule_goes_on_after_a_restart_and_counts_no_other_file() {
    let mut scheduled = scheduled(1);
    assert!(scheduled.run().await);
    let folder = &scheduled.site.config.backup.folder;
    fs::copy(
        scheduled.of("20261121T120000Z"),
        folder.join("before-0.2.0-20261121T120000Z.admit"),
    )
    .unwrap();
    fs::write(folder.join("admit-notes.admit"), "no backup").unwrap();
    let world = World {
        clock: Arc::clone(&scheduled.clock) as Arc<dyn Clock>,
        ..World::real()
    };
    let config = scheduled.site.config.clone();
    let gone = Arc::into_inner(scheduled.appliance).unwrap();
    drop(gone);
    scheduled.appliance = compose(&config, 8443, world).unwrap().appliance;
    assert!(!scheduled.run().await);
    scheduled.clock.advance(DAY);
    assert!(scheduled.run().await);
    assert_eq!(
        scheduled.names(),
        [
            "before-0.2.0-20261121T120000Z.admit",
            "admit-20261122T120000Z.admit"
        ]
    );
    assert!(
        scheduled
            .site
            .config
            .backup
            .folder
            .join("admit-notes.admit")
            .exists()
    );
}

#[tokio::test]
async fn a_backup_from_the_future_makes_none_be_made_at_every_look_and_removes_none() {
    let (ahead, scheduled) = (scheduled(2), scheduled(2));
    ahead.clock.advance(365 * DAY);
    assert!(ahead.run().await);
    fs::create_dir_all(scheduled.backups()).unwrap();
    let future = "20271121T120000Z";
    fs::copy(ahead.of(future), scheduled.of(future)).unwrap();
    assert!(scheduled.run().await, "the clock was wrong then");
    for _ in 0..3 {
        assert!(!scheduled.run().await, "there is one of now");
        scheduled.clock.advance(Duration::from_mins(1));
    }
    scheduled.clock.advance(DAY);
    assert!(scheduled.run().await);
    assert_eq!(
        scheduled.names(),
        [
            "admit-20261121T120000Z.admit",
            "admit-20261122T120300Z.admit",
            "admit-20271121T120000Z.admit"
        ]
    );
}

#[tokio::test]
async fn two_appliances_that_share_a_folder_leave_each_others_backups_alone() {
    let (one, mut other) = (scheduled(1), scheduled(1));
    Arc::get_mut(&mut other.site).unwrap().config.backup.folder = one.backups();
    assert!(one.run().await);
    assert!(other.run().await, "the other's newest is not its own");
    assert_ne!(one.of("20261121T120000Z"), other.of("20261121T120000Z"));
    one.clock.advance(DAY);
    assert!(one.run().await);
    assert!(other.of("20261121T120000Z").exists(), "one keeps one");
    assert!(one.of("20261122T120000Z").exists() && !one.of("20261121T120000Z").exists());
    assert!(!other.run().await, "its own is of now");
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_told_and_not_taken_for_one_where_none_are_wanted() {
    let scheduled = scheduled(2);
    fs::write(scheduled.backups(), "no folder").unwrap();
    let why = scheduled.fails().await;
    assert!(why.contains("backups: Not a directory"), "{why}");
    fs::remove_file(scheduled.backups()).unwrap();
    assert!(scheduled.run().await);
}

#[tokio::test]
async fn a_backup_that_does_not_verify_is_no_backup_and_one_such_is_kept_to_look_at() {
    let scheduled = locked_with(1, |_| BackupKey::MasterKey);
    assert!(scheduled.run().await);
    let key = scheduled.site.config.data.join("master.key");
    let another = "admit-0badcafe-20261101T120000Z.admit.unverified";
    fs::write(scheduled.backups().join(another), "another appliance's").unwrap();
    for hours in [24, 1] {
        scheduled.clock.advance(Duration::from_hours(hours));
        // Whoever reads the key first gets another one, so that it is locked with one key and opened with another.
        let aside = scheduled.folder.path().join("aside");
        fs::rename(&key, &aside).unwrap();
        mknodat(CWD, &key, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let to = key.clone();
        let writes = thread::spawn(move || {
            let mut pipe = OpenOptions::new().write(true).open(&to).unwrap();
            fs::rename(aside, to).unwrap();
            pipe.write_all("ab".repeat(32).as_bytes()).unwrap();
        });
        let why = scheduled.fails().await;
        writes.join().unwrap();
        assert!(why.contains("does not open"), "{why}");
        assert_eq!(scheduled.names(), ["admit-20261121T120000Z.admit"]);
    }
    assert_eq!(
        scheduled.files(),
        [
            another,
            "admit-20261121T120000Z.admit",
            "admit-20261122T130000Z.admit.unverified"
        ]
    );
    assert!(scheduled.run().await, "it is still due");
    assert_eq!(scheduled.names(), ["admit-20261122T130000Z.admit"]);
}

#[tokio::test]
async fn a_backup_there_is_no_room_to_verify_stays_and_is_told() {
    let scheduled = scheduled(1);
    let large = scheduled.site.config.data.join("store/large");
    File::create(&large).unwrap().set_len(1 << 43).unwrap();
    let why = scheduled.fails().await;
    assert!(
        why.contains("was made and not verified: that needs 8388"),
        "{why}"
    );
    assert_eq!(scheduled.names(), ["admit-20261121T120000Z.admit"]);
    scheduled.clock.advance(DAY);
    scheduled.fails().await;
    assert_eq!(scheduled.names(), ["admit-20261122T120000Z.admit"]);
    fs::remove_file(large).unwrap();
}

#[tokio::test]
async fn a_backup_that_was_made_and_not_verified_is_verified_at_a_later_look() {
    let scheduled = scheduled(1);
    let large = scheduled.site.config.data.join("store/large");
    File::create(&large).unwrap().set_len(1 << 43).unwrap();
    for _ in 0..2 {
        let why = scheduled.fails().await;
        assert!(why.contains("was made and not verified"), "{why}");
        scheduled.clock.advance(Duration::from_hours(1));
        assert_eq!(scheduled.files(), ["admit-20261121T120000Z.admit"]);
    }
    fs::remove_file(large).unwrap();
    // Another secret than that it was locked with says nothing about it.
    let passphrase = scheduled.folder.path().join("passphrase");
    fs::write(&passphrase, "quite another passphrase\n").unwrap();
    let why = scheduled.fails().await;
    assert!(why.contains("does not open"), "{why}");
    assert_eq!(scheduled.files(), ["admit-20261121T120000Z.admit"]);
    fs::write(&passphrase, PASSPHRASE).unwrap();
    assert!(scheduled.run().await, "it is verified");
    let latest = scheduled.latest();
    assert!(latest.is_verified && latest.error.is_none(), "{latest:?}");
    assert_eq!(latest.file, scheduled.of("20261121T120000Z"));
    assert!(latest.at.starts_with("2026-11-21T12:00"), "{latest:?}");
    assert!(!scheduled.run().await, "nothing is left to be done");
}

#[tokio::test]
async fn a_backup_found_damaged_at_a_later_look_is_set_aside_and_made_anew() {
    let scheduled = scheduled(1);
    let large = scheduled.site.config.data.join("store/large");
    File::create(&large).unwrap().set_len(1 << 43).unwrap();
    scheduled.fails().await;
    fs::remove_file(large).unwrap();
    let file = scheduled.of("20261121T120000Z");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    scheduled.fails().await;
    assert_eq!(
        scheduled.files(),
        ["admit-20261121T120000Z.admit.unverified"]
    );
    assert!(scheduled.run().await, "it is still due");
    assert_eq!(scheduled.names(), ["admit-20261121T120000Z.admit"]);
}

#[tokio::test]
async fn a_verification_ends_with_whoever_waits_for_it() {
    let scheduled = scheduled(1);
    let waiting = run_once(&scheduled.appliance, &scheduled.site);
    assert!(timeout(Duration::ZERO, waiting).await.is_err());
    while Arc::strong_count(&scheduled.appliance) > 1 {
        sleep(Duration::from_millis(2)).await;
    }
    let latest = scheduled.latest();
    assert!(!latest.is_verified && latest.error.is_none(), "{latest:?}");
    assert_eq!(scheduled.files(), ["admit-20261121T120000Z.admit"]);
    assert!(!scheduled.has_scratch());
    // Nor is it forgotten when another one is asked for.
    scheduled.create_elsewhere();
    assert_eq!(scheduled.doctor().0, Weight::Advice);
    assert!(scheduled.run().await, "it is verified at the next start");
    assert!(scheduled.latest().is_verified);
    assert_eq!(scheduled.doctor().0, Weight::Well);
}

#[tokio::test]
async fn doctor_tells_a_schedule_that_makes_none_before_a_week_is_over() {
    let scheduled = scheduled(2);
    assert_eq!(scheduled.doctor().0, Weight::Advice, "none was made yet");
    assert!(scheduled.run().await);
    scheduled.clock.advance(2 * DAY);
    assert_eq!(scheduled.doctor().0, Weight::Well, "one may be late");
    scheduled.clock.advance(Duration::from_mins(1));
    // What is made elsewhere is no backup of the schedule's.
    scheduled.create_elsewhere();
    let (weight, words) = scheduled.doctor();
    assert_eq!(weight, Weight::Wrong, "{words}");
    assert!(words.contains("twice backup.every_hours"), "{words}");
}

#[tokio::test]
async fn what_is_no_file_keeps_nobody_who_lists_backups_waiting() {
    let scheduled = scheduled(1);
    fs::create_dir(scheduled.backups()).unwrap();
    let pipe = scheduled.backups().join("pipe.admit");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    fs::create_dir(scheduled.backups().join("folder.admit")).unwrap();
    assert_eq!(scheduled.names(), [""; 0]);
    assert!(scheduled.run().await);
    assert_eq!(scheduled.names(), ["admit-20261121T120000Z.admit"]);
}

#[tokio::test]
async fn what_a_killed_backup_left_goes_with_the_next_and_one_that_is_made_stays() {
    let scheduled = scheduled(1);
    fs::create_dir(scheduled.backups()).unwrap();
    let left = scheduled.backups().join("admit-left.admit.unfinished");
    fs::write(left, "half").unwrap();
    let held = scheduled.backups().join("admit-held.admit.unfinished");
    let held = File::create(held).unwrap();
    held.lock().unwrap();
    assert!(scheduled.run().await);
    assert_eq!(
        scheduled.files(),
        [
            "admit-20261121T120000Z.admit",
            "admit-held.admit.unfinished"
        ]
    );
}
