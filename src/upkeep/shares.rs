//! Shares of the master key: made of the present one, and the key's file made again of them (security.md, D9).
//!
//! Nothing here needs a server, and a running one is not in the way: the key is a file, and the store says beside its
//! records whether a key is its own.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Serialize;

use super::backup::{self, Key, record_key};
use super::{Error, files};
use crate::config::{Config, MasterKeySource};
use crate::crypto::shares::{self, KeyName, Unmade};
use crate::kernel::{Entropy, Fault, Secret, hex};
use crate::store;

pub use crate::crypto::shares::{NEEDED_MIN, Pile, SHARES_MAX};

/// A key in shares.
pub struct Split {
    /// What the key is called.
    pub key: String,
    /// The shares, each a line for paper.
    pub shares: Vec<Secret<String>>,
}

/// Makes shares of the present key.
pub fn split(
    config: &Config,
    (shares, needed): (u8, u8),
    entropy: &dyn Entropy,
) -> Result<Split, Error> {
    let key = backup::master_key(config)?;
    let name = KeyName::of(&key)?;
    if of_store(config, &key)? == OfStore::No {
        return Err(Error::Refused(format!(
            "{} holds a key that is not the key of the store in {}: shares of it would be good for nothing",
            place(config).display(),
            config.data.display()
        )));
    }
    let made = shares::split(&key, shares, needed, entropy)?;
    let lines: Vec<Secret<String>> = made.iter().map(shares::Share::text).collect();
    // What is on paper is looked at again when it is too late.
    let mut read = Pile::default();
    let sound = lines.iter().all(|line| read.add(line.expose()).is_ok());
    if !sound || read.combine().map_err(unmade)?.expose() != key.expose() {
        return Err(Fault::internal("the shares do not make the key").into());
    }
    Ok(Split {
        key: name.to_string(),
        shares: lines,
    })
}

/// What came of putting shares together.
#[derive(Debug, Clone, Serialize)]
pub struct Combined {
    /// What the key is called.
    pub key: String,
    /// Its file.
    pub file: PathBuf,
    /// Whether the file was written now: it may have been there already, or nothing was to be written.
    pub written: bool,
    /// Whether the key is that of the store in the data folder.
    pub of_store: OfStore,
}

/// Whether a key is that of the store in the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OfStore {
    /// It is.
    Yes,
    /// It is another.
    No,
    /// There is a store, and it does not tell before it is opened.
    Untold,
    /// There is no store.
    NoStore,
}

/// Makes the key's file again, where the configuration has it or at `to`. What is there is never replaced.
pub fn combine(config: &Config, pile: &Pile, to: Option<&Path>) -> Result<Combined, Error> {
    let (key, name, of_store) = made(config, pile)?;
    let file = to.unwrap_or_else(|| place(config));
    let there = file.symlink_metadata();
    let written = match there {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            write(config, file, to.is_none(), &key)?;
            true
        }
        Err(error) => return Err(refused(file)(error)),
        Ok(_) if held(file).is_some_and(|held| held.expose() == key.expose()) => false,
        Ok(_) => return Err(in_the_way(file, name)),
    };
    Ok(Combined {
        key: name.to_string(),
        file: file.to_owned(),
        written,
        of_store,
    })
}

/// Says that shares make the present key, and changes nothing.
pub fn check(config: &Config, pile: &Pile) -> Result<Combined, Error> {
    let (key, name, of_store) = made(config, pile)?;
    let present = backup::master_key(config)?;
    let file = place(config);
    if present.expose() != key.expose() {
        return Err(Error::Refused(format!(
            "these shares make the key {name}, and {} holds the key {}",
            file.display(),
            KeyName::of(&present)?
        )));
    }
    Ok(Combined {
        key: name.to_string(),
        file: file.to_owned(),
        written: false,
        of_store,
    })
}

fn made(config: &Config, pile: &Pile) -> Result<(Key, KeyName, OfStore), Error> {
    let key = pile.combine().map_err(unmade)?;
    let name = KeyName::of(&key)?;
    let of_store = of_store(config, &key)?;
    if of_store == OfStore::No {
        return Err(Error::Refused(format!(
            "these shares make the key {name}, which is not the key of the store in {}: they belong to another appliance, or to a store that stood here before",
            config.data.display()
        )));
    }
    Ok((key, name, of_store))
}

fn of_store(config: &Config, key: &Key) -> Result<OfStore, Error> {
    let data = &config.data;
    let told = store::fits(data, &record_key(key)?).map_err(refused(data))?;
    Ok(match told {
        Some(true) => OfStore::Yes,
        Some(false) => OfStore::No,
        None if data.join("store").exists() || data.join("store.marker").exists() => {
            OfStore::Untold
        }
        None => OfStore::NoStore,
    })
}

/// Where the configuration has the key.
fn place(config: &Config) -> &Path {
    match &config.master_key {
        MasterKeySource::File(path) | MasterKeySource::Credential(path) => path,
    }
}

/// The key in a file, whoever may read that.
fn held(file: &Path) -> Option<Key> {
    let text = fs::read_to_string(file).map(Secret::new).ok()?;
    hex::decode(text.expose().trim_end()).map(Secret::new)
}

fn write(config: &Config, file: &Path, is_usual: bool, key: &Key) -> Result<(), Error> {
    if is_usual {
        usable_by_the_server(config)?;
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        folder
            .map_or(Ok(()), files::make_private)
            .map_err(refused(file))?;
    }
    let mut text = hex::encode(key.expose());
    text.push('\n');
    let text = Secret::new(text);
    let written = write_new(file, text.expose().as_bytes());
    written.map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            return Error::Refused(format!(
                "{} was made by somebody else meanwhile, and is not replaced",
                file.display()
            ));
        }
        refused(file)(error)
    })
}

/// What root writes, the user the server runs as could not read.
fn usable_by_the_server(config: &Config) -> Result<(), Error> {
    let data = &config.data;
    let MasterKeySource::File(_) = &config.master_key else {
        // Systemd reads it as root and hands it over.
        return Ok(());
    };
    let owner = match fs::metadata(data) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        facts => facts.map_err(refused(data))?.uid(),
    };
    if owner == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "{} belongs to the user with id {owner}, who could not read a key that another one writes: run this as that user, or name a file with --to",
        data.display()
    )))
}

/// Writes a file that is whole or absent, and was not there.
fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = files::beside(file, ".unfinished");
    files::remove_if_there(&unfinished)?;
    let mut written = files::create_private(&unfinished)?;
    let done = written
        .write_all(bytes)
        .and_then(|()| written.sync_all())
        .and_then(|()| {
            let named = renameat_with(CWD, &unfinished, CWD, file, RenameFlags::NOREPLACE);
            named.map_err(io::Error::from)
        });
    if done.is_err() {
        let _ = files::remove_if_there(&unfinished);
    }
    done?;
    files::sync_folder(file)
}

fn in_the_way(file: &Path, name: KeyName) -> Error {
    let file = file.display();
    Error::Refused(format!(
        "{file} is there and does not hold the key {name}, which these shares make. It is not replaced: move it away, or name another file with --to"
    ))
}

fn refused(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::Refused(format!("{}: {error}", path.display()))
}

fn unmade(why: Unmade) -> Error {
    match why {
        Unmade::Fault(fault) => fault.into(),
        Unmade::TooFew { .. } | Unmade::None | Unmade::Another(_) => {
            Error::Refused(why.to_string())
        }
    }
}
