//! Keys for each purpose out of one master key, and what they do: seal values at rest, check records, make digests.
//!
//! A sealed value is bound to a label, its table and its key, so that it cannot be moved. Knows nothing of files:
//! whoever opens the appliance reads the master key and brings it here.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;

use crate::kernel::{Digest, Entropy, Fault, Secret, hex};

/// Length of the master key in bytes.
pub const MASTER_KEY_LEN: usize = 32;

/// Length of a store epoch's id in bytes.
pub const EPOCH_ID_LEN: usize = 16;

/// Bytes to call a master key by, which tell nothing else about it.
pub fn name(master: &Secret<[u8; MASTER_KEY_LEN]>) -> Result<[u8; 4], Fault> {
    let name = purpose(master, b"admit key name v1")?;
    Ok(name.expose().first_chunk().copied().unwrap_or_default())
}

/// All purposes of one appliance's master key.
pub struct Keyring {
    sealing: LessSafeKey,
    records: RecordKey,
    digests: hmac::Key,
    bearers: hmac::Key,
    refresh: hmac::Key,
}

impl Keyring {
    /// Derives every key from the master key; the same master key gives the same keys for ever.
    pub fn derive(master: &Secret<[u8; MASTER_KEY_LEN]>) -> Result<Self, Fault> {
        let sealing = purpose(master, b"admit seal v1")?;
        let sealing = UnboundKey::new(&AES_256_GCM_SIV, sealing.expose())
            .map_err(|_| Fault::internal("the sealing key was refused"))?;
        Ok(Self {
            sealing: LessSafeKey::new(sealing),
            records: RecordKey(mac(master, b"admit records v1")?),
            digests: mac(master, b"admit digests v1")?,
            // The same until the first epoch: what was issued before there were any stays good.
            bearers: mac(master, b"admit digests v1")?,
            refresh: mac(master, b"admit refresh v1")?,
        })
    }

    /// Enters the epoch of that id: [`Keyring::bearer_digest`] and [`Keyring::refresh_mac`] agree with nothing from another.
    pub fn enter_epoch(&mut self, id: &[u8; EPOCH_ID_LEN]) {
        let of_epoch = |purpose: &[u8]| {
            let key = tag(&self.digests, &[purpose, id]);
            hmac::Key::new(hmac::HMAC_SHA256, &key)
        };
        (self.bearers, self.refresh) = (
            of_epoch(b"admit epoch v1: bearers"),
            of_epoch(b"admit epoch v1: refresh"),
        );
    }

    /// A short word by which files of this appliance are told from another's. It says nothing of the key.
    pub fn mark(&self) -> String {
        let whole = tag(&self.digests, &[b"admit mark v1"]);
        hex::encode(whole.first_chunk::<MARK_LEN>().unwrap_or(&[0; MARK_LEN]))
    }

    /// The key that records are checked with.
    pub fn records(&self) -> &RecordKey {
        &self.records
    }

    /// Encrypts `plain`, bound to `label`, which must be presented again to open it.
    pub fn seal(&self, label: &str, plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, Fault> {
        let nonce = entropy.bytes::<NONCE_LEN>();
        let mut sealed = plain.to_vec();
        self.sealing
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(label.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| Fault::internal("a value could not be sealed"))?;
        let mut out = nonce.to_vec();
        out.append(&mut sealed);
        Ok(out)
    }

    /// Opens what [`Keyring::seal`] made under the same label; anything else is a fault.
    pub fn open(&self, label: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, Fault> {
        let refused = || Fault::internal(format!("a sealed value ({label}) does not open"));
        let (nonce, body) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or_else(refused)?;
        let mut body = body.to_vec();
        let plain = self
            .sealing
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(label.as_bytes()),
                &mut body,
            )
            .map_err(|_| refused())?;
        Ok(Secret::new(plain.to_vec()))
    }

    /// The keyed digest of a value that lasts. `kind` keeps a code from passing for a secret.
    pub fn digest(&self, kind: &str, value: &[u8]) -> Digest {
        Digest::from_bytes(tag(&self.digests, &[kind.as_bytes(), value]))
    }

    /// The same for whatever opens something to its bearer, or proves where it was before: it ends with the epoch.
    pub fn bearer_digest(&self, kind: &str, value: &[u8]) -> Digest {
        Digest::from_bytes(tag(&self.bearers, &[kind.as_bytes(), value]))
    }

    /// The keyed checksum inside a refresh token; it ends with the epoch.
    pub fn refresh_mac(&self, body: &[u8]) -> Digest {
        Digest::from_bytes(tag(&self.refresh, &[body]))
    }
}

const MARK_LEN: usize = 4;

/// Whether that could be what [`Keyring::mark`] gave.
pub fn is_mark(text: &str) -> bool {
    hex::decode::<MARK_LEN>(text).is_some()
}

/// Checks that a record stands where it was written and as it was written.
#[derive(Clone)]
pub struct RecordKey(hmac::Key);

/// Length of a record's checksum in bytes.
pub const RECORD_TAG_LEN: usize = 16;

impl RecordKey {
    /// The checksum over table, key and content.
    pub fn tag(&self, table: &str, key: &[u8], content: &[u8]) -> [u8; RECORD_TAG_LEN] {
        let whole = tag(&self.0, &[table.as_bytes(), key, content]);
        whole.first_chunk().copied().unwrap_or_default()
    }
}

/// HMAC over parts of which none can pass for another: each is preceded by its length.
fn tag(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(context.sign().as_ref()) {
        *to = *from;
    }
    out
}

struct Length32;

impl KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

fn purpose(master: &Secret<[u8; MASTER_KEY_LEN]>, info: &[u8]) -> Result<Secret<[u8; 32]>, Fault> {
    let refused = |_| Fault::internal("the master key gives no keys");
    let root = Salt::new(HKDF_SHA256, b"admit").extract(master.expose());
    let mut out = [0; 32];
    let info = [info];
    root.expand(&info, Length32)
        .map_err(refused)?
        .fill(&mut out)
        .map_err(refused)?;
    Ok(Secret::new(out))
}

fn mac(master: &Secret<[u8; MASTER_KEY_LEN]>, info: &[u8]) -> Result<hmac::Key, Fault> {
    Ok(hmac::Key::new(
        hmac::HMAC_SHA256,
        purpose(master, info)?.expose(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SeededEntropy;

    fn keyring(seed: u8) -> Keyring {
        Keyring::derive(&Secret::new([seed; MASTER_KEY_LEN])).unwrap()
    }

    #[test]
    fn a_sealed_value_opens_only_where_it_belongs() {
        let sealed = keyring(1)
            .seal("keys/7", b"private", &SeededEntropy::new(1))
            .unwrap();
        assert_eq!(
            keyring(1).open("keys/7", &sealed).unwrap().expose(),
            b"private"
        );
        assert!(keyring(1).open("keys/8", &sealed).is_err(), "moved");
        assert!(
            keyring(2).open("keys/7", &sealed).is_err(),
            "another master key"
        );
        assert!(keyring(1).open("keys/7", &[]).is_err(), "empty");
        let mut bent = sealed.clone();
        *bent.last_mut().unwrap() ^= 1;
        assert!(keyring(1).open("keys/7", &bent).is_err(), "bent");
    }

    #[test]
    fn parts_of_a_checksum_cannot_trade_places() {
        let key = keyring(1);
        assert_ne!(
            key.records().tag("ab", b"c", b""),
            key.records().tag("a", b"bc", b"")
        );
        assert_ne!(key.digest("code", b"x"), key.digest("ticket", b"x"));
        assert_eq!(key.digest("code", b"x"), keyring(1).digest("code", b"x"));
        assert_ne!(key.digest("code", b"x"), keyring(2).digest("code", b"x"));
    }

    #[test]
    fn d5_an_epoch_changes_what_bearers_present_and_nothing_that_lasts() {
        let first = keyring(1);
        let entered = |ids: &[u8]| {
            let mut keys = keyring(1);
            for id in ids {
                keys.enter_epoch(&[*id; EPOCH_ID_LEN]);
            }
            keys
        };
        let (second, third) = (entered(&[7]), entered(&[8]));
        let bearers = [&first, &second, &third].map(|keys| keys.bearer_digest("code", b"x"));
        let refreshed = [&first, &second, &third].map(|keys| keys.refresh_mac(b"x"));
        for [a, b, c] in [bearers, refreshed] {
            assert!(a != b && b != c && a != c);
        }
        assert_eq!(first.digest("secret", b"x"), second.digest("secret", b"x"));
        let sealed = first.seal("keys/7", b"private", &SeededEntropy::new(1));
        assert!(second.open("keys/7", &sealed.unwrap()).is_ok());
        let again = entered(&[8, 7]);
        assert_eq!(second.refresh_mac(b"x"), again.refresh_mac(b"x"));
    }
}
