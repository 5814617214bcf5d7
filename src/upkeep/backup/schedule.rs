//! Backups by the clock: when the next one is due, made, verified, and the oldest removed.
//!
//! What is due follows from the files themselves, so that a restart changes nothing; whether the newest is still to be
//! verified, from what came of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::format::unlocked;
use super::{
    ENDING, Listed, Outcome, Padlock, Unlock, Verified, keep_outcome, latest, list, make, mark_in,
    new_file, read_key, read_passphrase, remove_unfinished, scratch_bytes, scratch_space,
    verify_until,
};
use crate::config::{BackupKey, Config};
use crate::domain::Appliance;
use crate::kernel::Timestamp;
use crate::upkeep::{Error, Site, files, storage};

/// Makes one as the configuration says if one is due, verifies it, and removes the oldest beyond those that are kept.
/// How many were removed. Where none is due and the newest was made and not verified, that is verified.
///
/// It ends soon, and without a result, when it `is_over`.
pub fn make_if_due(
    on: &Appliance,
    site: &Site,
    is_over: &AtomicBool,
) -> Result<Option<(Verified, usize)>, Error> {
    let (config, now) = (&site.config, on.own_context().now);
    let mut waiting = latest(site).and_then(|latest| latest.to_verify);
    let done = match task(on, config, now, waiting.as_deref()) {
        Ok(Task::Nothing) => return Ok(None),
        Ok(Task::Verify(file)) => verify_again(on, config, &file, is_over),
        Ok(Task::Make) => make_and_verify(on, site, is_over, &mut waiting),
        Err(error) => Err(error),
    };
    // Whoever ends us learned nothing about the backup.
    if done.is_err() && is_over.load(Ordering::SeqCst) {
        return done.map(Some);
    }
    // What was set aside waits no more.
    waiting = waiting.filter(|file| done.is_err() && file.exists());
    let outcome = match &done {
        Ok((verified, _)) => Outcome {
            at: verified.made_at.clone(),
            file: verified.file.clone(),
            bytes: Some(verified.bytes),
            is_verified: true,
            error: None,
            to_verify: None,
            verified_at: Some(verified.made_at.clone()),
        },
        Err(error) => Outcome {
            at: now.to_millis().to_string(),
            file: waiting.clone().unwrap_or_default(),
            bytes: None,
            is_verified: false,
            error: Some(error.to_string()),
            to_verify: waiting,
            verified_at: None,
        },
    };
    keep_outcome(config, outcome);
    done.map(Some)
}

/// What is to be done now.
enum Task {
    Nothing,
    /// The newest was made and not verified.
    Verify(PathBuf),
    Make,
}

fn task(
    on: &Appliance,
    config: &Config,
    now: Timestamp,
    waiting: Option<&Path>,
) -> Result<Task, Error> {
    let Some(every) = config.backup.every else {
        return Ok(Task::Nothing);
    };
    Ok(match newest(on, config, now)? {
        Some((_, begun)) if now.since(begun) >= every => Task::Make,
        Some((file, _)) if waiting == Some(file.as_path()) => Task::Verify(file),
        Some(_) => Task::Nothing,
        None => Task::Make,
    })
}

/// The newest of the schedule's, and when it was begun.
pub(in crate::upkeep) fn newest(
    on: &Appliance,
    config: &Config,
    now: Timestamp,
) -> Result<Option<(PathBuf, Timestamp)>, Error> {
    let newest = scheduled(on, &config.backup.folder, now)?.pop();
    Ok(newest.and_then(|newest| begun_by(&newest, now).map(|begun| (newest.file, begun))))
}

fn make_and_verify(
    on: &Appliance,
    site: &Site,
    is_over: &AtomicBool,
    waiting: &mut Option<PathBuf>,
) -> Result<(Verified, usize), Error> {
    let config = &site.config;
    let (padlock, unlock) = locking(on, config)?;
    let file = new_file(on, config)?;
    remove_unfinished(&config.backup.folder);
    let made = make(on, site, &file, &padlock, &|_| {})?;
    *waiting = Some(file.clone());
    // Whoever is ended from here on finds at the next start that it waits to be verified.
    let outcome = Outcome {
        at: made.made_at,
        file: made.file,
        bytes: Some(made.bytes),
        is_verified: false,
        error: None,
        to_verify: waiting.clone(),
        verified_at: None,
    };
    keep_outcome(config, outcome);
    verify_and_thin(on, config, (&file, &unlock), is_over)
}

/// Another secret than that it was locked with says nothing about it: it is set aside only if that is the right one.
fn verify_again(
    on: &Appliance,
    config: &Config,
    file: &Path,
    is_over: &AtomicBool,
) -> Result<(Verified, usize), Error> {
    let (_, unlock) = locking(on, config)?;
    unlocked(file, &unlock)?;
    verify_and_thin(on, config, (file, &unlock), is_over)
}

fn verify_and_thin(
    on: &Appliance,
    config: &Config,
    (file, unlock): (&Path, &Unlock),
    is_over: &AtomicBool,
) -> Result<(Verified, usize), Error> {
    if let Err(why) = can_be_verified(config, file) {
        // Nothing speaks against it, and the disk must not fill up with others like it.
        thin(on, config);
        return Err(why);
    }
    let now = on.own_context().now;
    let verified = verify_until(is_over, config, (file, unlock), now, &|_| {});
    let verified = verified.or_else(|why| {
        if !is_over.load(Ordering::SeqCst) {
            set_aside(file).map_err(files::broke(file))?;
        }
        Err(why)
    })?;
    Ok((verified, thin(on, config)))
}

/// Removes the oldest beyond those that are kept; how many. One that stays is told in the log: it says nothing about
/// the newest.
fn thin(on: &Appliance, config: &Config) -> usize {
    let all = scheduled(on, &config.backup.folder, on.own_context().now);
    let (removed, failed) = match all {
        Ok(all) => remove_oldest(all, config.backup.keep),
        Err(error) => (0, Some(error)),
    };
    if let Some(why) = failed {
        tracing::error!("older backups than those that are kept cannot be removed: {why}");
    }
    removed
}

fn can_be_verified(config: &Config, file: &Path) -> Result<(), Error> {
    let bytes = scratch_bytes(config, Some(file))?;
    let what = format!("{} was made and not verified: that", file.display());
    storage::has_room(&what, scratch_space(config).folder(), bytes)
}

/// What was not found to be sound is no backup, and may be looked into. One such file is kept.
fn set_aside(file: &Path) -> io::Result<()> {
    let ending = format!(".{ENDING}{UNVERIFIED}");
    for entry in fs::read_dir(file.parent().unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if mark_in(&path) == mark_in(file) && name.to_string_lossy().ends_with(&ending) {
            fs::remove_file(path)?;
        }
    }
    fs::rename(file, files::beside(file, UNVERIFIED))?;
    files::sync_folder(file)
}

fn locking(on: &Appliance, config: &Config) -> Result<(Padlock, Unlock), Error> {
    Ok(match &config.backup.key {
        BackupKey::MasterKey => {
            let key = super::master_key(config)?;
            (Padlock::of_master_key(), Unlock::MasterKey(key))
        }
        BackupKey::File(path) => {
            let key = read_key(path)?;
            (Padlock::of_key(key.clone()), Unlock::Key(key))
        }
        BackupKey::Passphrase(path) => {
            let passphrase = read_passphrase(path)?;
            let padlock = Padlock::of_passphrase(&passphrase, on.entropy().as_ref())?;
            (padlock, Unlock::Passphrase(passphrase))
        }
    })
}

/// Those of the schedule and of `admit backup create` without a name; snapshots before an upgrade are not counted, nor
/// is what another appliance keeps in the same folder.
///
/// Nor is one from the future, which says that the clock was wrong, then or now: it stays, and stands for no other.
fn scheduled(on: &Appliance, folder: &Path, now: Timestamp) -> Result<Vec<Listed>, Error> {
    let (mut all, mark) = (list(folder)?, on.mark());
    all.retain(|one| one.mark.as_ref() == Some(&mark) && begun_by(one, now).is_some());
    all.sort_by_key(|one| begun_by(one, now));
    Ok(all)
}

/// When it was begun, if that was before `now`.
pub(in crate::upkeep) fn begun_by(one: &Listed, now: Timestamp) -> Option<Timestamp> {
    let begun = one.begun_at.parse().ok();
    begun.filter(|begun| *begun <= now)
}

/// Removes the oldest, until so many are left. How many went, and why the first of those did not that had to stay.
pub(in crate::upkeep) fn remove_oldest(
    mut all: Vec<Listed>,
    keep: usize,
) -> (usize, Option<Error>) {
    all.truncate(all.len().saturating_sub(keep));
    let (mut removed, mut failed) = (0, None);
    for one in &all {
        match files::remove_if_there(&one.file) {
            Ok(()) => removed += 1,
            Err(error) => {
                let why = || Error::Refused(format!("{}: {error}", one.file.display()));
                failed = failed.or_else(|| Some(why()));
            }
        }
    }
    (removed, failed)
}

const UNVERIFIED: &str = ".unverified";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_that_cannot_be_removed_keeps_no_other_one_and_one_that_is_gone_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let listed = |name: &str| Listed {
            file: folder.path().join(name),
            bytes: 0,
            begun_at: String::new(),
            program: String::new(),
            locked_with: String::new(),
            mark: None,
        };
        // What is no file is not removed as one.
        fs::create_dir(folder.path().join("stays")).unwrap();
        for name in ["old", "kept"] {
            fs::write(folder.path().join(name), "a backup").unwrap();
        }
        let all = ["stays", "gone", "old", "kept"].map(listed).into();
        let (removed, failed) = remove_oldest(all, 1);
        assert_eq!(removed, 2);
        let why = failed.unwrap().to_string();
        assert!(why.contains("/stays: "), "{why}");
        let there = |name: &str| folder.path().join(name).exists();
        assert!(there("kept") && !there("old"));
        let (removed, failed) = remove_oldest(vec![listed("gone")], 0);
        assert!(removed == 1 && failed.is_none());
    }
}
