//! From one version of the program to the next: a copy of the store is kept before a newer version changes it, and the
//! change can be tried beforehand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::backup::{self, Key, Maker, Padlock, Reading, Unlock, counted, record_key};
use super::restore::copy_store;
use super::{Error, Teller, files};
use crate::config::Config;
use crate::crypto::seal::RecordKey;
use crate::kernel::{Entropy, Fault, Timestamp};
use crate::store::dump::{self, Damage, Unchanged};
use crate::store::{self, Change, Disk, Lock, OpenError, RealDisk, Store};

/// What became of the copy from before another version's first change.
#[derive(Debug)]
pub enum Kept {
    /// It is in this file.
    In(PathBuf),
    /// There is none, for this reason.
    Nowhere(String),
}

impl Kept {
    /// Where it is.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::In(file) => Some(file),
            Self::Nowhere(_) => None,
        }
    }

    /// What the operator must hear of it.
    pub fn notice(&self) -> Option<String> {
        match self {
            Self::In(_) => None,
            Self::Nowhere(why) => Some(format!(
                "no copy of the store was kept before this version's first change, so that there is no way back: {why}"
            )),
        }
    }
}

/// Keeps a copy of a store that another version of the program had open last, locked with the master key.
///
/// Without one, records are not stepped forward. A version that leaves them as they are goes on without: a full disk
/// must not keep the appliance from starting.
pub fn keep_copy(
    config: &Config,
    master_key: &Key,
    (entropy, now): (&dyn Entropy, Timestamp),
    change: &Change,
    store: &Unchanged<'_>,
) -> Result<Kept, Fault> {
    let kept = snapshot(config, master_key, (entropy, now), change, store);
    match (kept, change) {
        (Ok(file), _) => {
            tracing::info!(
                "this version of the program has the store for the first time: a copy from before is in {}; `admit restore` puts it back",
                file.display()
            );
            Ok(Kept::In(file))
        }
        (Err(why), Change::Schema { .. }) => Err(Fault::unavailable(format!(
            "the store is to be stepped forward, and the copy that is kept before could not be made: {why}. Nothing was changed"
        ))),
        (Err(why), Change::Program { .. }) => Ok(Kept::Nowhere(why.to_string())),
    }
}

fn snapshot(
    config: &Config,
    master_key: &Key,
    (entropy, now): (&dyn Entropy, Timestamp),
    change: &Change,
    store: &Unchanged<'_>,
) -> Result<PathBuf, Error> {
    let what = match change {
        Change::Schema { to, .. } => format!("{BEFORE}{SCHEMA}{to}"),
        Change::Program { .. } => format!("{BEFORE}{}", env!("CARGO_PKG_VERSION")),
    };
    let folder = config.data.join(FOLDER);
    files::make_private(&folder).map_err(files::broke(&folder))?;
    backup::remove_unfinished(&folder);
    let file = backup::named(&folder, &what, now);
    let maker = Maker {
        config,
        master_key,
        entropy,
        now: &|| now,
        tell: &|_| {},
    };
    maker.make(
        &file,
        &Padlock::of_master_key(),
        Damage::Refuse,
        &|out, how| store.dump(out, how),
    )?;
    thin(&folder, now);
    Ok(file)
}

/// Removes the oldest copies. One that stays says nothing about the newest.
fn thin(folder: &Path, now: Timestamp) {
    let failed = match backup::list(folder) {
        Ok(mut all) => {
            all.retain(|one| is_copy(&one.file) && backup::begun_by(one, now).is_some());
            backup::remove_oldest(all, KEPT).1
        }
        Err(error) => Some(error),
    };
    if let Some(why) = failed {
        tracing::warn!("older copies than those that are kept cannot be removed: {why}");
    }
}

/// Whether [`snapshot`] gave that name, in this version or an earlier one. Another backup in that folder is the
/// operator's.
fn is_copy(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str());
    let what = name.and_then(backup::named_for);
    let before = what.and_then(|what| what.strip_prefix(BEFORE));
    before.is_some_and(|of| of.strip_prefix(SCHEMA).is_some_and(is_number) || is_version(of))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Three numbers, and what a version that was not released has behind them.
fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    core.split('.').count() == 3 && core.split('.').all(is_number)
}

/// What came of a trial.
#[derive(Debug, Clone, Serialize)]
pub struct Rehearsed {
    /// What was to be done, in words; nothing where the store is as this version wants it.
    pub change: Option<String>,
    /// How many records there are behind it.
    pub records: u64,
    /// How many of each table.
    pub tables: Vec<(String, u64)>,
}

/// Steps a copy of the store forward, verifies all of it, and removes it again. The store itself is left as it is.
pub fn rehearse(
    config: &Config,
    from: Option<(&Path, &Unlock)>,
    now: Timestamp,
    tell: Teller<'_>,
) -> Result<Rehearsed, Error> {
    let scratch = backup::scratch(config, from.map(|(file, _)| file))?;
    let key = if let Some((file, unlock)) = from {
        let mut reading = Reading::open(file, unlock)?;
        let key = record_key(&reading.master_key(unlock)?)?;
        let told = |done| tell(counted("records copied", done));
        dump::load(&mut reading, scratch.path(), &key, false, &told)
            .map_err(|error| backup::unusable(file, error))?;
        key
    } else {
        copied(config, scratch.path())?
    };
    let change = std::sync::Mutex::new(None);
    let note = |due: &Change, _: &Unchanged<'_>| {
        if let Ok(mut change) = change.lock() {
            *change = Some(words(due));
        }
        Ok(())
    };
    let world = (Arc::new(RealDisk) as Arc<dyn Disk>, now);
    let lock = Lock::take(scratch.path());
    let site = store::Site {
        data_dir: scratch.path(),
        witness: None,
        accepts_older: false,
    };
    let store = lock.and_then(|lock| Store::open_keeping(lock, site, key, world, &note));
    let store = store.map_err(|error| Error::Refused(error.to_string()))?;
    let tables = store.check()?;
    drop(store);
    Ok(Rehearsed {
        change: change.into_inner().unwrap_or_default(),
        records: tables.iter().map(|(_, count)| count).sum(),
        tables,
    })
}

/// Copies the store of an appliance that nobody serves; what its records are checked with.
fn copied(config: &Config, to: &Path) -> Result<RecordKey, Error> {
    let data = &config.data;
    let shown = data.display();
    if !data.join("store.marker").exists() {
        return Err(Error::Refused(format!("there is no appliance in {shown}")));
    }
    let held = Lock::take(data);
    if let Err(OpenError::InUse(_)) = held {
        return Err(Error::Refused(format!(
            "a server has the store in {shown} open: stop it first, or try on a backup of it with --dry-run --from FILE"
        )));
    }
    let _held = held.map_err(|error| Fault::internal("the store").because(error))?;
    copy_store(data, to).map_err(files::broke(data))?;
    Ok(record_key(&backup::master_key(config)?)?)
}

fn words(change: &Change) -> String {
    match change {
        Change::Schema { from, to } => {
            format!("the records step forward from schema {from} to {to}")
        }
        Change::Program { from } if from.is_empty() => {
            "an earlier version had the store last; its records stay as they are".to_owned()
        }
        Change::Program { from } => {
            format!("version {from} had the store last; its records stay as they are")
        }
    }
}

const FOLDER: &str = "backups";
const BEFORE: &str = "before-";
const SCHEMA: &str = "schema-";
const KEPT: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_own_backup_is_not_taken_for_a_copy_the_program_made() {
        let counts = |name: &str| is_copy(&Path::new("backups").join(name));
        let now = Timestamp::from_seconds(1_795_303_402);
        for what in ["before-schema-12", "before-0.2.0", "before-1.0.0-rc.1"] {
            let given = backup::named(Path::new("backups"), what, now);
            assert!(is_copy(&given), "{}", given.display());
        }
        assert!(counts("before-0.2.0-20261121T120000Z-2.admit"));
        for theirs in [
            "before-migration.admit",
            "before-migration-20261121T120000Z.admit",
            "before-schema-change-20261121T120000Z.admit",
            "before-0.2.0.admit",
            "before-0.2.0-20261121.admit",
            "before-0.2.0-20261121T120000Z-old.admit",
            "before-0.2-20261121T120000Z.admit",
            "before-schema--20261121T120000Z.admit",
            "admit-0badcafe-20261121T120000Z.admit",
        ] {
            assert!(!counts(theirs), "{theirs}");
        }
    }
}
