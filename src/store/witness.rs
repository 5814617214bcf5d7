//! The witness: a small file outside the data folder that says how far its store had come (security D6).
//!
//! Whoever puts an older copy of the whole folder back, by other means than our restore, puts the marker back with it; the
//! witness stays ahead of that copy. It is written only after what it says is durable, so that a power cut never makes
//! a store look like a copy. It holds no secret, and whoever can write it could as well change the store.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::crypto::seal::RecordKey;
use crate::kernel::{files, hex};

use super::schema::{CameBack, Place, Schema};

/// How the witness stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witnessed {
    /// There is none, because nobody named a place for it.
    Nowhere,
    /// It stands here, as it should.
    At(PathBuf),
    /// It could not be written, and why.
    NotAt(PathBuf, String),
}

/// Where the witness of a store stands, and what became of writing it.
pub(super) struct Witness {
    path: Option<PathBuf>,
    trouble: Mutex<Option<String>>,
}

/// What a witness says.
#[derive(Serialize, Deserialize)]
struct Testimony {
    store: String,
    step: u64,
    purpose: String,
}

/// What a store that is being opened turns out to be, by its witness.
pub(super) enum Finding {
    /// The one that was closed last, as far as anybody can tell. What the operator should hear is said once.
    Same(Option<String>),
    /// One that a witness elsewhere is ahead of, or of which there is none.
    Came(CameBack),
    /// Another one than the witness is about.
    Another(PathBuf),
}

impl Witness {
    pub(super) fn at(path: Option<&Path>) -> Self {
        Self {
            path: path.map(Path::to_path_buf),
            trouble: Mutex::default(),
        }
    }

    /// Compares a store with its witness, before the store moves on.
    pub(super) fn judge(&self, schema: &Schema, key: &RecordKey, here: Place) -> Finding {
        if let Some(why) = schema.came_back {
            return Finding::Came(why);
        }
        let Some(path) = &self.path else {
            return Finding::Same(None);
        };
        let said = match read(path) {
            Ok(Some(said)) => said,
            Ok(None) => return absent(path, "is not there", schema, here),
            Err(error) => {
                let what = format!("cannot be read ({error})");
                return absent(path, &what, schema, here);
            }
        };
        if said.store != identity(schema, key) {
            return Finding::Another(path.clone());
        }
        if said.step > schema.step {
            return Finding::Came(CameBack::Copied);
        }
        Finding::Same(None)
    }

    /// Writes down how far the store has come: what `schema` says is durable already. Whoever looks after the appliance
    /// is told where that fails; nothing else stops for it. Returns the trouble when it is new.
    pub(super) fn write(&self, schema: &Schema, key: &RecordKey) -> Option<String> {
        let path = self.path.as_ref()?;
        let testimony = Testimony {
            store: identity(schema, key),
            step: schema.step,
            purpose: "Says how far the store of the data folder beside it has come, so that an older copy of that folder is noticed. \
                      Keep it out of copies of the folder; when the folder moves for good, move it along."
                .to_owned(),
        };
        let text = serde_json::to_vec_pretty(&testimony).map_err(io::Error::from);
        let put = text.and_then(|text| files::write_private(path, &text));
        let failed = put.err().map(|error| error.to_string());
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = failed.is_some() && trouble.is_none();
        trouble.clone_from(&failed);
        failed.filter(|_| is_new).map(|why| {
            let path = path.display();
            format!(
                "{path}: {why}. An older copy of the data folder would not be noticed: \
                 make the folder writable, or name another place by store.witness"
            )
        })
    }

    pub(super) fn state(&self) -> Witnessed {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&self.path, trouble.as_ref()) {
            (None, _) => Witnessed::Nowhere,
            (Some(path), None) => Witnessed::At(path.clone()),
            (Some(path), Some(why)) => Witnessed::NotAt(path.clone(), why.clone()),
        }
    }
}

/// Without a witness the place decides: a copy on another machine or in another folder was brought there by somebody.
fn absent(path: &Path, what: &str, schema: &Schema, here: Place) -> Finding {
    match schema.place {
        // It was just made, or closed by a program that knew no witness.
        None => Finding::Same(None),
        Some(place) if place != here => Finding::Came(CameBack::Copied),
        Some(_) => Finding::Same(Some(format!(
            "the witness {path} {what} and is written anew: had an older copy of the data folder been put in its place since the \
             last stop, it would not have been noticed. If one was, stop, run `admit store accept --anyway` and start again",
            path = path.display()
        ))),
    }
}

/// A name of the store: the same for all its copies, and for no other one.
fn identity(schema: &Schema, key: &RecordKey) -> String {
    let created = schema.created.micros().to_be_bytes();
    hex::encode(&key.tag("store identity", &created, b""))
}

/// This machine and this folder of it.
pub(super) fn place(data_dir: &Path, key: &RecordKey) -> io::Result<Place> {
    let machine = fs::read(MACHINE).unwrap_or_default();
    let folder = fs::canonicalize(data_dir)?;
    Ok(key.tag("store place", &machine, folder.as_os_str().as_bytes()))
}

const MACHINE: &str = "/etc/machine-id";

fn read(path: &Path) -> io::Result<Option<Testimony>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
