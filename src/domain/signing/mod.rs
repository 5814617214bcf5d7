//! The appliance's own signing keys, for EdDSA and for RS256, sealed at rest: next, current, retired (decision 0018).
//!
//! A key is published before it signs and kept until the last token it signed is gone (OpenID Connect Core §10.1.1).
//! Nothing here knows what is signed, only how long that may live.

mod anew;
mod records;
mod ring;
mod rotate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use super::Cx;
use crate::crypto::jwk::Jwk;
use crate::crypto::jws::{Algorithm, Refused, SigningKey, Verifier};
use crate::crypto::seal::Keyring;
use crate::kernel::{Entropy, Fault, Timestamp};
use crate::store::{Store, Verdict};
use records::{Kept, Life};
use ring::Ring;

pub(in crate::domain) use anew::Anew;
pub use rotate::{Error, Urgency, keep, remove, rotate, rotate_all};

/// How long others may keep the key set, in seconds. A key is published longer than this before it signs.
pub const KEY_SET_SECONDS: u32 = 300;

/// What we sign by, in the order the key set shows it.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::EdDsa, Algorithm::Rs256];

/// The keys in use, as every request sees them.
///
/// Whoever changes them holds the turn from before the transaction until after the memory, so that two changes at
/// once cannot make two current keys.
pub struct SigningKeys {
    turn: Mutex<()>,
    known: RwLock<Arc<KeySet>>,
}

/// Every key at one moment.
struct KeySet {
    eddsa: Ring,
    rs256: Ring,
    believed: Arc<Believed>,
}

/// The keys whose signatures are believed at one moment: the next, the current and the retired ones.
pub(super) struct Believed {
    verifier: Verifier,
    edition: u64,
}

/// A public key as the key set shows it.
pub struct PublicKey {
    /// Its name.
    pub kid: String,
    /// The one algorithm it is used with.
    pub algorithm: Algorithm,
    /// The key itself.
    pub jwk: Jwk,
}

/// A key as its operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatus {
    /// Its name in the key set.
    pub kid: String,
    /// The one algorithm it is used with.
    pub algorithm: Algorithm,
    /// `current`, `next` or `retired`.
    pub life: &'static str,
    /// When that began.
    pub since: Timestamp,
    /// When a retired key goes.
    pub until: Option<Timestamp>,
}

/// Every key: of each algorithm the current one, the next one, the retired ones.
pub fn list(cx: &Cx<'_>) -> Vec<KeyStatus> {
    let known = cx.appliance.signing.known();
    let rings = ALGORITHMS.map(|algorithm| known.ring(algorithm));
    rings
        .into_iter()
        .flat_map(Ring::all)
        .map(KeyStatus::of)
        .collect()
}

impl KeyStatus {
    fn of(kept: &Kept) -> Self {
        let (life, until) = match kept.life() {
            Life::Current { .. } => ("current", None),
            Life::Next => ("next", None),
            Life::Retired { until } => ("retired", Some(until)),
        };
        Self {
            kid: kept.kid().to_owned(),
            algorithm: kept.algorithm(),
            life,
            since: kept.since(),
            until,
        }
    }
}

impl SigningKeys {
    /// Reads the keys; an appliance that has none yet makes those that sign, durable before they are used.
    ///
    /// `tokens_live` is the longest life of a token by the rules of this start; those of earlier starts still hold for
    /// the tokens that were issued under them.
    pub(super) fn open(
        store: &Store,
        keyring: &Keyring,
        entropy: &dyn Entropy,
        now: Timestamp,
        tokens_live: Duration,
    ) -> Result<Self, Fault> {
        let signs = Life::Current { tokens_live };
        let mut all = records::all(&store.view(), keyring)?;
        let mut changed = Vec::new();
        for algorithm in ALGORITHMS {
            let current = all.iter_mut().find_map(|kept| match kept.life() {
                Life::Current { tokens_live } if kept.algorithm() == algorithm => {
                    Some((kept, tokens_live))
                }
                Life::Current { .. } | Life::Next | Life::Retired { .. } => None,
            });
            match current {
                Some((_, before)) if before >= tokens_live => {}
                Some((kept, _)) => {
                    *kept = kept.clone().told(signs);
                    changed.push(kept.clone());
                }
                None => {
                    let made = Kept::make(algorithm, keyring, entropy, now)?;
                    let made = made.entering(signs, now);
                    all.push(made.clone());
                    changed.push(made);
                }
            }
        }
        let eddsa = Ring::of(Algorithm::EdDsa, &all)?;
        let rs256 = Ring::of(Algorithm::Rs256, &all)?;
        let keys = KeySet::of(eddsa, rs256, 0)?;
        write(store, &changed)?;
        Ok(Self {
            turn: Mutex::default(),
            known: RwLock::new(Arc::new(keys)),
        })
    }

    /// The key that signs by this algorithm.
    pub fn signer(&self, algorithm: Algorithm) -> Arc<SigningKey> {
        Arc::clone(&self.known().ring(algorithm).current.key)
    }

    /// The key that signs access tokens unless a client was registered otherwise.
    pub fn usual(&self) -> Arc<SigningKey> {
        self.signer(Algorithm::EdDsa)
    }

    /// The keys whose signatures are believed, as they are now.
    pub(super) fn verifier(&self) -> Arc<Believed> {
        Arc::clone(&self.known().believed)
    }

    /// Every public key, for the key set: first those that sign, then those that will, then those that did.
    pub fn published(&self) -> Vec<PublicKey> {
        let known = self.known();
        let rings = ALGORITHMS.map(|algorithm| known.ring(algorithm));
        let current = rings.into_iter().map(|ring| &ring.current);
        let next = rings.into_iter().filter_map(|ring| ring.next.as_ref());
        let retired = rings.into_iter().flat_map(|ring| &ring.retired);
        current
            .chain(next)
            .chain(retired)
            .map(PublicKey::of)
            .collect()
    }

    fn known(&self) -> Arc<KeySet> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for the turn to change the keys.
    fn turn(&self) -> Turn<'_> {
        Turn {
            keys: self,
            _order: self.turn.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// The right to change the keys. Take it before the transaction, tell it what the transaction kept.
struct Turn<'k> {
    keys: &'k SigningKeys,
    _order: MutexGuard<'k, ()>,
}

impl Turn<'_> {
    /// The keys of `algorithm`, which nobody else changes meanwhile.
    fn ring(&self, algorithm: Algorithm) -> Ring {
        self.keys.known().ring(algorithm).clone()
    }

    /// Every key with `ring` in its algorithm's place.
    fn keys_with(&self, ring: &Ring) -> Result<KeySet, Fault> {
        let known = self.keys.known();
        let edition = known.believed.edition.saturating_add(1);
        match ring.current.algorithm() {
            Algorithm::EdDsa => KeySet::of(ring.clone(), known.rs256.clone(), edition),
            Algorithm::Rs256 => KeySet::of(known.eddsa.clone(), ring.clone(), edition),
        }
    }

    /// The transaction kept these keys, durably.
    fn changed(&self, keys: KeySet) {
        let mut known = self
            .keys
            .known
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Arc::new(keys);
    }
}

impl KeySet {
    fn of(eddsa: Ring, rs256: Ring, edition: u64) -> Result<Self, Fault> {
        let keys = eddsa.all().chain(rs256.all());
        let verifier = Verifier::of(keys.map(|kept| kept.key.as_ref()))?;
        Ok(Self {
            eddsa,
            rs256,
            believed: Arc::new(Believed { verifier, edition }),
        })
    }

    fn ring(&self, algorithm: Algorithm) -> &Ring {
        match algorithm {
            Algorithm::EdDsa => &self.eddsa,
            Algorithm::Rs256 => &self.rs256,
        }
    }
}

impl Believed {
    /// The claims of `token`, if one of the keys signed it as a `typ`.
    pub(super) fn verify(&self, typ: &str, token: &str) -> Result<Vec<u8>, Refused> {
        self.verifier.verify(typ, token)
    }

    /// Another number whenever the keys have changed. What was verified under another one must be verified again.
    pub(super) fn edition(&self) -> u64 {
        self.edition
    }
}

impl PublicKey {
    fn of(kept: &Kept) -> Self {
        Self {
            kid: kept.kid().to_owned(),
            algorithm: kept.algorithm(),
            jwk: kept.key.jwk().clone(),
        }
    }
}

fn write(store: &Store, changed: &[Kept]) -> Result<(), Fault> {
    if changed.is_empty() {
        return Ok(());
    }
    let written = store.write(|tx| {
        for kept in changed {
            records::put(tx, kept)?;
        }
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    written.outcome?;
    store.durable(written.mark).wait()
}
