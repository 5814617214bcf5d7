//! What a backup is locked with: the appliance's own master key, a key from a file, or a passphrase.
//!
//! A passphrase becomes a key where it is typed; only the key travels on, over the operator's socket.

use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::{Config, MasterKeySource};
use crate::crypto::seal::{Keyring, RecordKey};
use crate::crypto::stream::{Cost, KEY_LEN, SALT_LEN, key_of_passphrase};
use crate::kernel::{Entropy, Fault, Secret, hex};
use crate::upkeep::{Error, files};

/// 32 bytes nobody may know.
pub type Key = Secret<[u8; KEY_LEN]>;

/// How a backup is locked, as its header says in plain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LockedWith {
    /// With the master key of the appliance; then that is not inside.
    MasterKey,
    /// With a key the operator keeps in a file.
    KeyFile,
    /// With a passphrase.
    Passphrase {
        /// Drawn for this backup.
        salt: String,
        /// How much work one try is.
        #[serde(flatten)]
        cost: Cost,
    },
}

impl LockedWith {
    /// In words.
    pub fn words(&self) -> &'static str {
        match self {
            Self::MasterKey => "the master key",
            Self::KeyFile => "a key file",
            Self::Passphrase { .. } => "a passphrase",
        }
    }
}

/// How a backup is to be locked. It travels over the operator's socket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Padlock {
    pub(super) with: LockedWith,
    key: Option<Carried>,
}

impl Padlock {
    /// With the appliance's own master key.
    pub fn of_master_key() -> Self {
        Self {
            with: LockedWith::MasterKey,
            key: None,
        }
    }

    /// With a key of the operator's.
    pub fn of_key(key: Key) -> Self {
        Self {
            with: LockedWith::KeyFile,
            key: Some(Carried(key)),
        }
    }

    /// With a passphrase.
    pub fn of_passphrase(
        passphrase: &Secret<String>,
        entropy: &dyn Entropy,
    ) -> Result<Self, Error> {
        if passphrase.expose().chars().count() < PASSPHRASE_MIN {
            return Err(Error::Refused(format!(
                "a passphrase has at least {PASSPHRASE_MIN} characters: whoever finds the backup can try as many as they like"
            )));
        }
        let (salt, cost) = (entropy.bytes::<SALT_LEN>(), Cost::USUAL);
        let key = key_of_passphrase(passphrase, &salt, cost);
        let key = key.ok_or_else(|| Fault::internal("a passphrase could not be made a key"))?;
        let salt = hex::encode(&salt);
        Ok(Self {
            with: LockedWith::Passphrase { salt, cost },
            key: Some(Carried(key)),
        })
    }

    /// The key, given the appliance's own.
    pub(super) fn key<'a>(&'a self, master_key: &'a Key) -> &'a Key {
        self.key.as_ref().map_or(master_key, |Carried(key)| key)
    }
}

/// What the operator has to open a backup with.
pub enum Unlock {
    /// The master key, of this appliance or from a file.
    MasterKey(Key),
    /// The key file's key.
    Key(Key),
    /// The passphrase.
    Passphrase(Secret<String>),
    /// Nothing: there is no master key here.
    Nothing,
}

impl Unlock {
    /// The key of a backup that is locked so; in words why there is none.
    pub(super) fn key(&self, with: &LockedWith) -> Result<Key, String> {
        let lacks = match (with, self) {
            (LockedWith::MasterKey, Self::MasterKey(key))
            | (LockedWith::KeyFile, Self::Key(key)) => return Ok(key.clone()),
            (LockedWith::Passphrase { salt, cost }, Self::Passphrase(passphrase)) => {
                let key =
                    hex::decode(salt).and_then(|salt| key_of_passphrase(passphrase, &salt, *cost));
                return key.ok_or_else(|| "its header is damaged".to_owned());
            }
            (LockedWith::MasterKey, _) => {
                "the master key of the appliance it was made of: name that with --master-key-file"
            }
            (LockedWith::KeyFile, _) => "a key file: name that with --key-file",
            (LockedWith::Passphrase { .. }, _) => {
                "a passphrase: name the passphrase's file with --passphrase-file, or type it with --passphrase"
            }
        };
        Err(format!("it is locked with {lacks}"))
    }
}

/// The appliance's master key.
pub fn master_key(config: &Config) -> Result<Key, Error> {
    match &config.master_key {
        // Systemd gives it permissions of its own.
        MasterKeySource::Credential(path) => {
            let text = std::fs::read_to_string(path).map(Secret::new);
            let text = text.map_err(|error| Error::Refused(format!("{}: {error}", path.display())));
            key_in(path, &text?)
        }
        MasterKeySource::File(path) => read_key(path),
    }
}

/// A key that stands in a file of its own.
pub fn read_key(path: &Path) -> Result<Key, Error> {
    key_in(path, &files::read_line(path)?)
}

/// A passphrase that stands in a file of its own.
pub fn read_passphrase(path: &Path) -> Result<Secret<String>, Error> {
    files::read_line(path)
}

fn key_in(path: &Path, text: &Secret<String>) -> Result<Key, Error> {
    let key = hex::decode(text.expose().trim_end_matches('\n')).map(Secret::new);
    let path = path.display();
    key.ok_or_else(|| {
        Error::Refused(format!(
            "{path}: a key is {} hexadecimal digits and nothing else; `openssl rand -hex {KEY_LEN}` makes one",
            2 * KEY_LEN
        ))
    })
}

/// What records are checked with under a master key.
pub(crate) fn record_key(master_key: &Key) -> Result<RecordKey, Fault> {
    Ok(Keyring::derive(master_key)?.records().clone())
}

/// The word by which an appliance's backups are told from another's in the same folder.
pub fn mark(master_key: &Key) -> Result<String, Fault> {
    Ok(Keyring::derive(master_key)?.mark())
}

/// A key on its way to the server, or inside a backup.
#[derive(Clone)]
pub(in crate::upkeep) struct Carried(pub(super) Key);

impl std::fmt::Debug for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Carried {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(Secret::new(hex::encode(self.0.expose())).expose())
    }
}

impl<'de> Deserialize<'de> for Carried {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Secret::new(String::deserialize(from)?);
        let key = hex::decode(text.expose()).map(|key| Self(Secret::new(key)));
        key.ok_or_else(|| D::Error::custom("not a key"))
    }
}

const PASSPHRASE_MIN: usize = 10;
