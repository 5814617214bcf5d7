//! Signing keys as stored: the private half sealed under a label that names the key.

use serde::{Deserialize, Serialize};

use crate::crypto::jws::{Algorithm, SigningKey};
use crate::crypto::seal::Keyring;
use crate::kernel::{Entropy, Fault, Timestamp};
use crate::store::{Record, Table, Tx, View};

const SIGNING_KEYS: Table<String, SigningKeyRecord> = Table::named("signing_keys");

/// More keys than an appliance ever has at once.
const KEYS_MAX: usize = 64;

/// Where a key stands in its life. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Life {
    /// It signs.
    Current,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SigningKeyRecord {
    algorithm: Algorithm,
    life: Life,
    sealed: Vec<u8>,
    created_at: Timestamp,
}

impl Record for SigningKeyRecord {
    const VERSION: u8 = 1;
}

pub(super) fn current(
    view: &View<'_>,
    algorithm: Algorithm,
    keyring: &Keyring,
) -> Result<Option<SigningKey>, Fault> {
    let signs =
        |record: &SigningKeyRecord| record.life == Life::Current && record.algorithm == algorithm;
    let all = view.scan(&SIGNING_KEYS, None, KEYS_MAX)?;
    let Some((kid, record)) = all.into_iter().find(|(_, record)| signs(record)) else {
        return Ok(None);
    };
    let secret = keyring.open(&label(&kid), &record.sealed)?;
    SigningKey::from_secret(algorithm, &secret).map(Some)
}

pub(super) fn sealed(
    key: &SigningKey,
    keyring: &Keyring,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<SigningKeyRecord, Fault> {
    let sealed = keyring.seal(&label(key.kid()), key.to_secret()?.expose(), entropy)?;
    Ok(SigningKeyRecord {
        algorithm: key.algorithm(),
        life: Life::Current,
        sealed,
        created_at: now,
    })
}

pub(super) fn put(tx: &Tx<'_>, key: &SigningKey, record: &SigningKeyRecord) -> Result<(), Fault> {
    tx.put(&SIGNING_KEYS, &key.kid().to_owned(), record)
}

fn label(kid: &str) -> String {
    format!("{}/{kid}", SIGNING_KEYS.name())
}
