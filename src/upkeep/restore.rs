//! A backup put back: an appliance made of it in a folder where there is none.
//!
//! Everything is verified before anything is touched, and made in a folder inside the data folder whose parts are moved
//! into place at the end. A restore that was cut off is noticed by the next start, and done again by the next restore.
//! The store says of itself that it came back; at its first opening everything bearing from before is taken back.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::backup::{self, Key, Reading, Unlock, counted, record_key, unusable};
use super::{Error, Progress, Teller, files, storage};
use crate::config::{Config, MasterKeySource};
use crate::domain::admin::{self, Credential};
use crate::kernel::{Fault, Timestamp, hex};
use crate::store::dump;
use crate::store::{Lock, RealDisk, Store};

/// What is to be put back, and where.
pub struct Restore<'a> {
    /// The configuration of the appliance it becomes.
    pub config: &'a Config,
    /// The backup.
    pub file: &'a Path,
    /// What opens it.
    pub unlock: &'a Unlock,
    /// Where the master key it carries is written instead of where the configuration has it.
    pub master_key_to: Option<&'a Path>,
    /// The data folder it takes the place of, to see what went back in time.
    pub compare: Option<&'a Path>,
    /// The present instant.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// The data folder.
    pub data: PathBuf,
    /// The instant it went back to.
    pub made_at: String,
    /// The version of the program that made the backup.
    pub program: String,
    /// How many records there are.
    pub records: u64,
    /// How many of each table.
    pub tables: Vec<(String, u64)>,
    /// Where the master key was written, if it was.
    pub master_key: Option<PathBuf>,
    /// The certificate authority and other files that came with it.
    pub files: Vec<PathBuf>,
    /// Whose credentials went back, where an older folder was looked at.
    pub went_back: Option<Vec<WentBack>>,
    /// Why that could not be found out.
    pub not_compared: Option<String>,
}

/// A client or a person whose secret or password is another than it was last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WentBack {
    /// `client` or `user`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What that means, in words.
    pub what: String,
}

impl Restore<'_> {
    /// Puts it back.
    pub fn run(&self, tell: Teller<'_>) -> Result<Restored, Error> {
        self.folder_is_free()?;
        let master_key = self.verified(tell)?;
        let key_file = self.key_file(&master_key)?;
        let data = &self.config.data;
        let refused = |error: io::Error| Error::Refused(format!("{}: {error}", data.display()));
        files::make_private(data).map_err(refused)?;
        let _lock = Lock::take(data).map_err(|error| Error::Refused(error.to_string()))?;
        // Somebody may have been faster.
        self.folder_is_free()?;
        self.clear().map_err(files::broke(data))?;
        self.make(&master_key, key_file, tell)
    }

    /// Reads all of it, verifies every record, and keeps none.
    fn verified(&self, tell: Teller<'_>) -> Result<Key, Error> {
        let mut reading = Reading::open(self.file, self.unlock)?;
        let master_key = reading.master_key(self.unlock)?;
        let told = |done| tell(counted("records verified", done));
        dump::verify(&mut reading, &record_key(&master_key)?, &told)
            .map_err(|error| unusable(self.file, error))?;
        Ok(master_key)
    }

    /// Where the master key is to be written; nowhere if it stands there already.
    fn key_file(&self, master_key: &Key) -> Result<Option<PathBuf>, Error> {
        let (path, is_ours) = match (self.master_key_to, &self.config.master_key) {
            (Some(path), _) => (path, true),
            (None, MasterKeySource::File(path)) => (path.as_path(), true),
            (None, MasterKeySource::Credential(path)) => (path.as_path(), false),
        };
        let shown = path.display();
        let there = path.try_exists();
        let there = there.map_err(|error| Error::Refused(format!("{shown}: {error}")))?;
        if !there && is_ours {
            return Ok(Some(path.to_owned()));
        }
        if there && backup::read_key(path).is_ok_and(|key| key.expose() == master_key.expose()) {
            return Ok(None);
        }
        Err(Error::Refused(format!(
            "{shown} is not the master key of this backup, and is not replaced: move it away, or name the file that the backup's key is to be written to with --master-key-to"
        )))
    }

    fn folder_is_free(&self) -> Result<(), Error> {
        let data = &self.config.data;
        let shown = data.display();
        let refused = |error: io::Error| Error::Refused(format!("{shown}: {error}"));
        self.folder_is_ours().map_err(refused)??;
        let entries = match fs::read_dir(data) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(refused)?,
        };
        if data.join(RESTORING).exists() {
            return Ok(());
        }
        for entry in entries {
            let name = entry.map_err(refused)?.file_name();
            if !MAY_BE_THERE.iter().any(|known| name == *known) {
                return Err(Error::Refused(format!(
                    "{shown} is not empty, and nothing in it is overwritten: stop the server, move the folder away and keep it, then restore again (with --compare and its new name, you are told whose passwords and secrets went back)"
                )));
            }
        }
        Ok(())
    }

    /// What root writes, the user the server runs as could not use.
    fn folder_is_ours(&self) -> io::Result<Result<(), Error>> {
        let data = std::path::absolute(&self.config.data)?;
        let us = rustix::process::geteuid().as_raw();
        let owner = match fs::metadata(&data) {
            Ok(facts) => facts.uid(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let above = data.parent().map(fs::metadata).and_then(Result::ok);
                above.map_or(us, |above| if us == 0 { above.uid() } else { us })
            }
            Err(error) => return Err(error),
        };
        let shown = data.display();
        Ok(if owner == us {
            Ok(())
        } else {
            Err(Error::Refused(format!(
                "{shown} belongs to the user with id {owner}, who could not use what another one writes: run this as that user"
            )))
        })
    }

    /// What a restore left that was cut off.
    fn clear(&self) -> io::Result<()> {
        let data = &self.config.data;
        let restoring = data.join(RESTORING);
        if restoring.try_exists()? {
            for name in PARTS {
                let path = data.join(name);
                if path.is_dir() {
                    fs::remove_dir_all(path)?;
                } else {
                    files::remove_if_there(&path)?;
                }
            }
            fs::remove_dir_all(&restoring)?;
        }
        files::make_private(&restoring)?;
        files::sync_folder(&restoring)
    }

    fn make(
        &self,
        master_key: &Key,
        key_file: Option<PathBuf>,
        tell: Teller<'_>,
    ) -> Result<Restored, Error> {
        let data = &self.config.data;
        let restoring = data.join(RESTORING);
        let key = record_key(master_key)?;
        let mut reading = Reading::open(self.file, self.unlock)?;
        let told = |done| tell(counted("records restored", done));
        let contents = dump::load(&mut reading, &restoring, &key, true, &told)
            .map_err(|error| unusable(self.file, error))?;
        let store = Store::open(&restoring, key, Arc::new(RealDisk), self.now);
        let store = store.map_err(|error| Fault::internal(RESTORING).because(error))?;
        let tables = store.check()?;
        let (went_back, not_compared) = match self.compare.map(|old| self.changed(old, &store)) {
            None => (None, None),
            Some(Ok(changed)) => (Some(changed), None),
            Some(Err(error)) => (None, Some(error.to_string())),
        };
        drop(store);
        let beside = &reading.beside.files;
        put_beside(&restoring, beside)?;
        if let Some(path) = &key_file {
            let text = format!("{}\n", hex::encode(master_key.expose()));
            files::write_private(path, text.as_bytes()).map_err(files::broke(path))?;
        }
        put_in_place(data).map_err(files::broke(data))?;
        tell(Progress {
            what: "records restored".to_owned(),
            done: contents.records(),
            of: Some(contents.records()),
        });
        Ok(Restored {
            data: data.clone(),
            made_at: contents.made_at.to_millis().to_string(),
            program: reading.header.program.clone(),
            records: tables.iter().map(|(_, count)| count).sum(),
            tables,
            master_key: key_file,
            files: beside.iter().map(|(path, _)| path.clone()).collect(),
            went_back,
            not_compared,
        })
    }

    /// Clients and people of the old folder whose secret or password is another now.
    fn changed(&self, old: &Path, restored: &Store) -> Result<Vec<WentBack>, Error> {
        let own_key = old.join("master.key");
        let key = if own_key.exists() {
            backup::read_key(&own_key)?
        } else {
            backup::master_key(self.config)?
        };
        let refused = |error: crate::store::OpenError| Error::Refused(error.to_string());
        if !old.join("store.marker").exists() {
            let why = format!("{} holds no store", old.display());
            return Err(Error::Refused(why));
        }
        // Read in a copy, so that the old folder stays as it is.
        let bytes = storage::folder_bytes(&old.join("store"))?;
        let scratch = files::Scratch::within(&files::Place::Own(self.config.data.clone()), bytes)?;
        let _held = Lock::take(old).map_err(refused)?;
        copy_store(old, scratch.path()).map_err(files::broke(old))?;
        let disk = Arc::new(RealDisk);
        let last = Store::open(scratch.path(), record_key(&key)?, disk, self.now);
        let last = last.map_err(refused)?;
        let was = admin::credentials(&last.view())?;
        let is = admin::credentials(&restored.view())?;
        Ok(differences(&was, &is))
    }
}

/// Copies the engine's files and the marker of a store nobody has open.
pub(super) fn copy_store(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.join("store");
    files::make_private(&folder)?;
    for entry in fs::read_dir(from.join("store"))? {
        let entry = entry?;
        let target = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            files::make_private(&target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    fs::copy(from.join("store.marker"), to.join("store.marker"))?;
    Ok(())
}

fn differences(was: &[Credential], is: &[Credential]) -> Vec<WentBack> {
    let same = |a: &Credential, b: &Credential| a.kind == b.kind && a.id == b.id;
    let find = |all: &[Credential], one: &Credential| {
        let at = all.binary_search_by(|other| (other.kind, &other.id).cmp(&(one.kind, &one.id)));
        at.ok().and_then(|at| all.get(at).cloned())
    };
    let told = |one: &Credential, what: &str| WentBack {
        kind: one.kind.to_owned(),
        id: one.id.clone(),
        name: one.name.clone(),
        what: what.to_owned(),
    };
    let mut all = Vec::new();
    for one in was {
        match find(is, one) {
            None => all.push(told(
                one,
                "is not there any more: it was made since the backup",
            )),
            Some(now) if same(&now, one) && now.fingerprint != one.fingerprint => {
                all.push(told(one, "has the secret or password of the backup again"));
            }
            Some(now) if now.is_usable && !one.is_usable => {
                all.push(told(
                    one,
                    "can be used again: it was disabled since the backup",
                ));
            }
            Some(_) => {}
        }
    }
    let gone = is.iter().filter(|one| find(was, one).is_none());
    all.extend(gone.map(|one| told(one, "is there again: it was deleted since the backup")));
    all
}

fn put_beside(restoring: &Path, beside: &[(PathBuf, String)]) -> Result<(), Error> {
    for (path, text) in beside {
        let path = restoring.join(sane(path)?);
        let above = path.parent().unwrap_or(restoring);
        let written =
            files::make_private(above).and_then(|()| files::write_private(&path, text.as_bytes()));
        written.map_err(files::broke(&path))?;
    }
    Ok(())
}

/// The store last, and its marker behind it: without them the next start would be a first one, but for the folder that
/// goes when all is done.
fn put_in_place(data: &Path) -> io::Result<()> {
    let restoring = data.join(RESTORING);
    for name in PARTS {
        let part = restoring.join(name);
        if part.try_exists()? {
            fs::rename(part, data.join(name))?;
        }
    }
    files::sync_folder(&restoring)?;
    fs::remove_dir_all(&restoring)?;
    files::sync_folder(&restoring)
}

/// A path inside the data folder and nowhere else.
fn sane(path: &Path) -> Result<&Path, Error> {
    let mut parts = path.components();
    let plain = parts.all(|part| matches!(part, std::path::Component::Normal(_)));
    let ours = path.starts_with("tls");
    let refused = || Error::Refused("the backup carries a file that is none of ours".to_owned());
    (plain && ours).then_some(path).ok_or_else(refused)
}

/// Whether a restore into this data folder was cut off.
pub fn is_cut_off(data: &Path) -> bool {
    data.join(RESTORING).exists()
}

/// The folder everything is made in.
const RESTORING: &str = "restore.unfinished";
/// What is moved into place, in this order.
const PARTS: [&str; 3] = ["tls", "store", "store.marker"];
/// What does not make a data folder used.
const MAY_BE_THERE: [&str; 3] = ["store.lock", "lost+found", "master.key"];
