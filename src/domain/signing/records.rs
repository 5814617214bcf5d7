//! Signing keys as stored: the private half sealed under a label that names the key.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::crypto::jws::{Algorithm, SigningKey};
use crate::crypto::seal::Keyring;
use crate::kernel::{Entropy, Fault, Timestamp};
use crate::store::{Record, Table, Tx, View};

const SIGNING_KEYS: Table<String, SigningKeyRecord> = Table::named("signing_keys");

/// How many keys are read at a time.
const PAGE: usize = 64;

/// Where a key stands in its life. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Life {
    /// It signs; `tokens_live` is the longest life a token may have had since it began to.
    Current { tokens_live: Duration },
    /// It is published and will sign.
    Next,
    /// It signs no more and is believed `until` the last of its tokens is gone.
    Retired { until: Timestamp },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SigningKeyRecord {
    algorithm: Algorithm,
    life: Life,
    sealed: Vec<u8>,
    since: Timestamp,
}

impl Record for SigningKeyRecord {
    const VERSION: u8 = 1;
}

/// A key and where it stands: its record, opened.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) key: Arc<SigningKey>,
    record: SigningKeyRecord,
}

impl Kept {
    /// A new key. It takes a while: never under a transaction.
    pub(super) fn make(
        algorithm: Algorithm,
        keyring: &Keyring,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let key = SigningKey::generate(algorithm, entropy)?;
        let sealed = keyring.seal(&label(key.kid()), key.to_secret()?.expose(), entropy)?;
        Ok(Self {
            key: Arc::new(key),
            record: SigningKeyRecord {
                algorithm,
                life: Life::Next,
                sealed,
                since: now,
            },
        })
    }

    pub(super) fn kid(&self) -> &str {
        self.key.kid()
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.record.algorithm
    }

    pub(super) fn life(&self) -> Life {
        self.record.life
    }

    /// When its present life began; a next key is published since then.
    pub(super) fn since(&self) -> Timestamp {
        self.record.since
    }

    /// The same key in another life, which begins `now`.
    pub(super) fn entering(mut self, life: Life, now: Timestamp) -> Self {
        self.record.life = life;
        self.record.since = now;
        self
    }

    /// The same key in the life it is in, which is to be told otherwise.
    pub(super) fn told(mut self, life: Life) -> Self {
        self.record.life = life;
        self
    }
}

/// Every key there is.
pub(super) fn all(view: &View<'_>, keyring: &Keyring) -> Result<Vec<Kept>, Fault> {
    let mut all: Vec<Kept> = Vec::new();
    loop {
        let from = all.last().map(|kept| kept.kid().to_owned());
        let page = view.scan(&SIGNING_KEYS, from.as_ref(), PAGE)?;
        let last = page.len() < PAGE;
        for (kid, record) in page.into_iter().skip(usize::from(from.is_some())) {
            let secret = keyring.open(&label(&kid), &record.sealed)?;
            let key = Arc::new(SigningKey::from_secret(record.algorithm, &secret)?);
            all.push(Kept { key, record });
        }
        if last {
            return Ok(all);
        }
    }
}

pub(super) fn put(tx: &Tx<'_>, kept: &Kept) -> Result<(), Fault> {
    tx.put(&SIGNING_KEYS, &kept.kid().to_owned(), &kept.record)
}

pub(super) fn remove(tx: &Tx<'_>, kid: &str) -> Result<(), Fault> {
    tx.remove(&SIGNING_KEYS, &kid.to_owned())?;
    Ok(())
}

fn label(kid: &str) -> String {
    format!("{}/{kid}", SIGNING_KEYS.name())
}
