//! The copy of a store whose records stepped forward, and how it takes the store's place: at any instant there is the
//! one or the other, whole.

use std::path::Path;
use std::{fs, io};

use super::closed::FOLDER_FRESH;
use super::engine::await_closed;
use super::opening::{FOLDER, FOLDER_UNFINISHED, sync};

const COMPLETE: &str = "store.upgraded";
const REPLACED: &str = "store.replaced";

/// Every record as it is.
pub(super) fn copy(from: &sled::Db, to: &sled::Db) -> Result<(), sled::Error> {
    for entry in from.iter() {
        let (place, bytes) = entry?;
        to.insert(place, bytes)?;
    }
    Ok(())
}

/// Moves the copy where the store is. Both engines are closed.
pub(super) fn put_in_place(data_dir: &Path) -> io::Result<()> {
    let [unfinished, store, complete, replaced] =
        [FOLDER_UNFINISHED, FOLDER, COMPLETE, REPLACED].map(|name| data_dir.join(name));
    await_closed(&unfinished)?;
    await_closed(&store)?;
    fs::rename(unfinished, complete)?;
    sync(data_dir)?;
    fs::rename(store, replaced)?;
    finish(data_dir)
}

/// Removes what a kill left of a store that was compacted: the copy, or the old files once it has taken their place.
/// Only while the store in place is sound. That it cannot be done is no reason not to start.
pub(super) fn remove_compacted(data_dir: &Path) -> Option<String> {
    let left = data_dir.join(FOLDER_FRESH);
    match fs::remove_dir_all(&left) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Some(format!(
            "{} was left behind when the store was compacted, is not needed, and cannot be removed: {error}",
            left.display()
        )),
        _ => None,
    }
}

/// Goes on where a kill came between, and removes what is not needed any more.
pub(super) fn finish(data_dir: &Path) -> io::Result<()> {
    let [store, complete, replaced] = [FOLDER, COMPLETE, REPLACED].map(|name| data_dir.join(name));
    if complete.try_exists()? {
        if store.try_exists()? {
            // An older program may have had the store open since: the copy is made anew.
            fs::remove_dir_all(&complete)?;
        } else {
            fs::rename(&complete, &store)?;
        }
        sync(data_dir)?;
    }
    if replaced.try_exists()? && store.try_exists()? {
        fs::remove_dir_all(replaced)?;
    }
    Ok(())
}
