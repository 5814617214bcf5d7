//! The appliance's own signing keys: one for EdDSA, one for RS256, sealed at rest.

mod records;

use crate::crypto::jwk::Jwk;
use crate::crypto::jws::{Algorithm, SigningKey, Verifier};
use crate::crypto::seal::Keyring;
use crate::kernel::{Entropy, Fault, Timestamp};
use crate::store::{Store, Verdict};

/// The keys in use, read once at start.
pub struct SigningKeys {
    eddsa: SigningKey,
    rs256: SigningKey,
    verifier: Verifier,
}

/// A public key as the key set shows it.
pub struct PublicKey<'k> {
    /// Its name.
    pub kid: &'k str,
    /// The one algorithm it is used with.
    pub algorithm: Algorithm,
    /// The key itself.
    pub jwk: &'k Jwk,
}

impl<'k> PublicKey<'k> {
    fn of(key: &'k SigningKey) -> Self {
        Self {
            kid: key.kid(),
            algorithm: key.algorithm(),
            jwk: key.jwk(),
        }
    }
}

impl SigningKeys {
    /// Reads the keys; an appliance that has none yet makes them, durable before they are used.
    pub(super) fn open(
        store: &Store,
        keyring: &Keyring,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let eddsa = open_one(Algorithm::EdDsa, store, keyring, entropy, now)?;
        let rs256 = open_one(Algorithm::Rs256, store, keyring, entropy, now)?;
        let verifier = Verifier::of([&eddsa, &rs256])?;
        Ok(Self {
            eddsa,
            rs256,
            verifier,
        })
    }

    /// The key that signs by this algorithm.
    pub fn signer(&self, algorithm: Algorithm) -> &SigningKey {
        match algorithm {
            Algorithm::EdDsa => &self.eddsa,
            Algorithm::Rs256 => &self.rs256,
        }
    }

    /// The key that signs access tokens unless a client was registered otherwise.
    pub fn usual(&self) -> &SigningKey {
        &self.eddsa
    }

    /// The keys whose signatures are believed.
    pub(super) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Every public key, for the key set.
    pub fn published(&self) -> Vec<PublicKey<'_>> {
        [&self.eddsa, &self.rs256].map(PublicKey::of).into()
    }
}

fn open_one(
    algorithm: Algorithm,
    store: &Store,
    keyring: &Keyring,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<SigningKey, Fault> {
    if let Some(key) = records::current(&store.view(), algorithm, keyring)? {
        return Ok(key);
    }
    let key = SigningKey::generate(algorithm, entropy)?;
    let record = records::sealed(&key, keyring, entropy, now)?;
    let written = store.write(|tx| {
        records::put(tx, &key, &record)?;
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    written.outcome?;
    store.durable(written.mark).wait()?;
    Ok(key)
}
