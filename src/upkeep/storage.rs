//! The store itself: checked, measured, and written anew without what is no longer used.
//!
//! A store nobody serves is looked at as it is, also when no server would start on it.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::backup::{self, Key, Padlock, Salvaged};
use super::{Error, Progress, Site, Teller};
use crate::config::Config;
use crate::domain::{Appliance, sweep};
use crate::kernel::{Entropy, Fault, Timestamp};
use crate::store::{Closed, Store};

pub use crate::store::{Damage, Examined};

/// What is to be done about the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    /// Verify every record and every count.
    Check,
    /// How many records and bytes there are, and how much room.
    Stats,
    /// Write a store nobody serves anew, without what is no longer used.
    Compact,
    /// Make a backup of what can be read of it.
    Export {
        /// The file, which must not be there.
        file: PathBuf,
        /// How it is locked.
        padlock: Padlock,
    },
    /// The clock is right: remove what has expired, although it leapt ahead.
    Sweep,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Report {
    /// What was found.
    Checked(Examined),
    /// How large everything is.
    Stats(Stats),
    /// What compacting came to.
    Compacted {
        /// Bytes of the engine's files before.
        before: u64,
        /// And after.
        after: u64,
    },
    /// What could be read is in a backup.
    Exported(Salvaged),
    /// Nothing is held back any more.
    Released,
}

/// How large everything is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stats {
    /// What each table has.
    pub examined: Examined,
    /// Bytes of each of the engine's files.
    pub files: Vec<File>,
    /// Bytes that are free on the disk.
    pub free_bytes: u64,
    /// Files that can still be made on it.
    pub free_files: u64,
}

/// One file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct File {
    /// Its path below the data folder.
    pub file: String,
    /// How many bytes it has.
    pub bytes: u64,
}

/// Does it for an appliance.
pub(super) fn execute(
    on: &Appliance,
    site: &Site,
    order: Order,
    tell: Teller<'_>,
) -> Result<Report, Error> {
    let data = &site.config.data;
    match order {
        Order::Check => Ok(Report::Checked(examined(on.store(), tell))),
        Order::Stats => Ok(Report::Stats(stats(examined(on.store(), tell), data)?)),
        Order::Export { file, padlock } => {
            backup::salvage(on, site, &file, &padlock, tell).map(Report::Exported)
        }
        Order::Compact => Err(Error::Refused(
            "a store is compacted while nobody serves it: stop the server first".to_owned(),
        )),
        Order::Sweep => {
            let cx = on.own_context();
            sweep::confirm_clock(&cx)?;
            on.store().durable(cx.awaited()).wait()?;
            Ok(Report::Released)
        }
    }
}

/// Does it for a store that nobody serves, which may be damaged.
pub fn execute_closed(
    store: &Closed,
    (config, master_key): (&Config, &Key),
    world: (&dyn Entropy, Timestamp),
    order: &Order,
    tell: Teller<'_>,
) -> Result<Report, Error> {
    let data = &config.data;
    let mut pace = progress(tell);
    match order {
        Order::Check => Ok(Report::Checked(store.examine(&mut pace))),
        Order::Stats => Ok(Report::Stats(stats(store.examine(&mut pace), data)?)),
        Order::Compact => {
            let before = folder_bytes(&data.join("store"))?;
            has_room("compacting", data, before)?;
            let refused = |damage: Damage| {
                let words = format!(
                    "the store is damaged and stays as it is: {damage}. `admit store check` names everything that is"
                );
                Error::Refused(words)
            };
            store.compact(&mut pace)?.map_err(refused)?;
            let after = folder_bytes(&data.join("store"))?;
            Ok(Report::Compacted { before, after })
        }
        Order::Export { file, padlock } => {
            let target = (file.as_path(), padlock);
            let made = backup::salvage_closed(store, (config, master_key), world, target, tell);
            made.map(Report::Exported)
        }
        Order::Sweep => Err(Error::Refused(
            "nothing is held back in a store that nobody serves".to_owned(),
        )),
    }
}

/// Verifies everything in a store that is served, with a tenth of one processor at most, until it `is_over`.
pub fn scrub(store: &Store, is_over: &AtomicBool) -> Examined {
    let mut since = Instant::now();
    store.examine(&mut |_, _| {
        if is_over.load(Ordering::SeqCst) {
            return ControlFlow::Break(());
        }
        // Whoever waits for this thread does not wait long.
        thread::sleep((since.elapsed() * IDLE_PARTS).min(LONGEST_PAUSE));
        since = Instant::now();
        ControlFlow::Continue(())
    })
}

fn examined(store: &Store, tell: Teller<'_>) -> Examined {
    store.examine(&mut progress(tell))
}

fn progress(tell: Teller<'_>) -> impl FnMut(&str, u64) -> ControlFlow<()> {
    move |_, done| {
        tell(Progress {
            what: "records read".to_owned(),
            done,
            of: None,
        });
        ControlFlow::Continue(())
    }
}

fn stats(examined: Examined, data: &Path) -> Result<Stats, Error> {
    let mut files = Vec::new();
    for path in files_below(&data.join("store")).map_err(unmeasured)? {
        let bytes = length(&path).map_err(unmeasured)?;
        let file = path.strip_prefix(data).unwrap_or(&path);
        let file = file.display().to_string();
        files.push(File { file, bytes });
    }
    let room = room(data)?;
    Ok(Stats {
        examined,
        files,
        free_bytes: room.free_bytes,
        free_files: room.free_files,
    })
}

struct Room {
    free_bytes: u64,
    free_files: u64,
}

fn room(data: &Path) -> Result<Room, Fault> {
    let found = rustix::fs::statvfs(data).map_err(|error| unmeasured(error.into()))?;
    Ok(Room {
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        free_files: found.f_favail,
    })
}

/// Refuses what makes a store of so many bytes where there is too little room for it.
pub(super) fn has_room(what: &str, folder: &Path, bytes: u64) -> Result<(), Error> {
    let needed = bytes.saturating_add(SPARE);
    let free = room(folder)?.free_bytes;
    if free >= needed {
        return Ok(());
    }
    let (needed, free) = (needed >> 20, free >> 20);
    Err(Error::Refused(format!(
        "{what} needs {needed} MiB of free space in {}, and {free} MiB are free",
        folder.display()
    )))
}

/// How large the files below a folder are; none of a folder that is not there. One that goes meanwhile has no size.
pub(super) fn folder_bytes(folder: &Path) -> Result<u64, Fault> {
    if !folder.try_exists().map_err(unmeasured)? {
        return Ok(0);
    }
    let mut all = 0;
    for path in files_below(folder).map_err(unmeasured)? {
        all += match length(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            length => length.map_err(unmeasured)?,
        };
    }
    Ok(all)
}

fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let is_folder = entry.file_type()?.is_dir();
            let list = if is_folder { &mut folders } else { &mut found };
            list.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Without the room that is set aside behind its end.
fn length(path: &Path) -> io::Result<u64> {
    Ok(fs::metadata(path)?.len())
}

fn unmeasured(error: io::Error) -> Fault {
    Fault::internal("the store's files cannot be measured").because(error)
}

const IDLE_PARTS: u32 = 9;
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// What the engine sets aside for a new store.
const SPARE: u64 = 64 << 20;
