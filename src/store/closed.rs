//! A store that nobody serves and nobody writes to, looked at as it is: also one no server would start on.
//!
//! It is written anew by copying every record into a new engine, in whose files nothing is left of what was removed.

use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::crypto::seal::RecordKey;
use crate::kernel::{Fault, Timestamp};

use super::commit::Barrier;
use super::disk::RealDisk;
use super::dump::{self, Contents, Dump, DumpError, Unchanged};
use super::engine;
use super::guard::guarded;
use super::integrity::{Damage, Examination, Examined, Pace};
use super::opening::{FOLDER, Lock, Opening};
use super::refused::OpenError;
use super::witness::Witness;
use super::{check, count, reached, table};

/// A store that nobody serves.
pub struct Closed {
    db: sled::Db,
    key: RecordKey,
    data_dir: PathBuf,
    /// What no record tells: that the newest ones are gone.
    lost_end: Option<Damage>,
    _lock: Lock,
}

impl Closed {
    /// Opens the engine of the store in `data_dir` and nothing else.
    pub fn open(lock: Lock, data_dir: &Path, key: RecordKey) -> Result<Self, OpenError> {
        let opening = Opening {
            data_dir,
            witness: &Witness::at(None),
            accepts_older: false,
            key: &key,
            disk: Arc::new(RealDisk),
            now: Timestamp::from_micros(0),
            before: &|_, _| Ok(()),
        };
        let db = opening.open_to_look()?;
        let lost_end = opening.lost_end(&db)?;
        Ok(Self {
            db,
            lost_end,
            key,
            data_dir: data_dir.to_path_buf(),
            _lock: lock,
        })
    }

    /// Writes what can be read of the store.
    pub fn dump(&self, out: &mut dyn Write, mut how: Dump<'_>) -> Result<Contents, DumpError> {
        if let (dump::Damage::Skip(left_out), Some(lost)) = (&mut how.damage, &self.lost_end) {
            left_out.push(lost.to_string());
        }
        Unchanged {
            db: &self.db,
            key: &self.key,
        }
        .dump(out, how)
    }

    /// Verifies every record and every count, past everything that is damaged.
    pub fn examine(&self, pace: Pace<'_>) -> Examined {
        let mut examination = Examination::of(&self.db, &self.key, pace);
        if let Some(damage) = &self.lost_end {
            examination.examined.add(damage.clone());
        }
        for name in examination.tables() {
            let ControlFlow::Continue(tally) = examination.table(&name) else {
                return examination.examined;
            };
            let counted = examination.count(&name);
            examination.compare(&name, tally, counted);
        }
        examination.examined.is_complete = true;
        examination.examined
    }

    /// Writes the store anew and puts that in its place, in one step; a store with damage is left as it is.
    pub fn compact(&self, pace: Pace<'_>) -> Result<Result<(), Damage>, Fault> {
        let examined = self.examine(pace);
        if let Some(damage) = examined.damage.into_iter().next() {
            return Ok(Err(damage));
        }
        let fresh = self.data_dir.join(FOLDER_FRESH);
        let copied = self.copy_to(&fresh).and_then(|()| self.exchange(&fresh));
        // Whichever of the two stands there now is not needed.
        let removed = remove(&fresh);
        copied.and(removed).map_err(|error| {
            Fault::internal(format!("compacting in {}", fresh.display())).because(error)
        })?;
        Ok(Ok(()))
    }

    #[cfg(test)]
    pub(super) fn view(&self) -> super::View<'_> {
        super::View {
            db: &self.db,
            key: &self.key,
        }
    }

    fn copy_to(&self, fresh: &Path) -> io::Result<()> {
        remove(fresh)?;
        let db = engine::start_new(fresh)?;
        let names = check::tables(&self.db).map_err(io::Error::other)?;
        for name in &names {
            self.copy(&db, &table::prefix(name), &table::end(name))?;
            self.copy_one(&db, &count::place(name))?;
        }
        self.copy_one(&db, reached::PLACE)?;
        Barrier::new(db, &self.key, Arc::new(RealDisk), fresh)?.pass()
    }

    fn copy(&self, to: &sled::Db, from: &[u8], end: &[u8]) -> io::Result<()> {
        let mut entries = self.db.range(from..end);
        while let Some((place, value)) = guarded(|| entries.next().transpose())? {
            guarded(|| to.insert(place, value))?;
        }
        Ok(())
    }

    fn copy_one(&self, to: &sled::Db, place: &[u8]) -> io::Result<()> {
        if let Some(value) = guarded(|| self.db.get(place))? {
            guarded(|| to.insert(place, value))?;
        }
        Ok(())
    }

    fn exchange(&self, fresh: &Path) -> io::Result<()> {
        let present = self.data_dir.join(FOLDER);
        renameat_with(CWD, fresh, CWD, &present, RenameFlags::EXCHANGE)?;
        fs::File::open(&self.data_dir)?.sync_all()
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    Ok(())
}

pub(super) const FOLDER_FRESH: &str = "store.compacted";
#[cfg(test)]
mod tests {
    use super::super::reached::Reached;
    use super::super::sandbox::{NOTES, Sandbox, keep, note, record_key};
    use super::*;

    fn closed(sandbox: &Sandbox) -> Closed {
        let lock = Lock::take(sandbox.path()).unwrap();
        Closed::open(lock, sandbox.path(), record_key(1)).unwrap()
    }

    #[test]
    fn a_lost_end_is_told_and_compacting_does_not_take_its_proof_away() {
        let sandbox = Sandbox::new();
        assert!(keep(&sandbox.open(), 1, "kept"));
        let mut pace = |_: &str, _: u64| ControlFlow::Continue(());
        assert_eq!(closed(&sandbox).examine(&mut pace).damage, []);
        assert_eq!(closed(&sandbox).compact(&mut pace).unwrap(), Ok(()));
        // As if the last three batches had been taken for writes that a crash cut short.
        let note_beside = Reached::open(&sandbox.folder(), &record_key(1)).unwrap();
        let noted = note_beside.read().unwrap() + 3;
        note_beside.note(noted);
        let store = closed(&sandbox);
        let found = store.examine(&mut pace).damage;
        let told = found.first().unwrap().to_string();
        assert!(told.contains("the last 3 batches"), "{told}");
        let refused = store.compact(&mut pace).unwrap();
        assert_eq!(refused.unwrap_err().to_string(), told);
        let (mut out, mut left_out) = (Vec::new(), Vec::new());
        let how = Dump {
            damage: dump::Damage::Skip(&mut left_out),
            now: &|| Timestamp::from_seconds(9),
            tell: &|_, _| {},
        };
        store.dump(&mut out, how).unwrap();
        assert_eq!(left_out, [told]);
        drop(store);
        let opened = sandbox.try_open();
        assert!(matches!(opened, Err(OpenError::EndLost { missing: 3, .. })));
        // What is left can be taken out of it.
        let other = Sandbox::new();
        dump::load(&mut &*out, other.path(), &record_key(1), true, &|_| {}).unwrap();
        let kept = other.open().view().get(&NOTES, &1).unwrap();
        assert_eq!(kept, Some(note("kept")));
    }
}
