//! Signatures over plain text that anybody can verify with `openssl pkeyutl` (Ed25519, RFC 8032), and SHA-256.
//!
//! Nothing here is a token: those are signed in `jws`, with keys of their own.

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::kernel::{Entropy, Fault, Secret};

/// A key that signs statements.
pub struct Signer {
    pair: Ed25519KeyPair,
    seed: Secret<[u8; 32]>,
}

impl Signer {
    /// A new key.
    pub fn make(entropy: &dyn Entropy) -> Result<Self, Fault> {
        Self::of(Secret::new(entropy.bytes()))
    }

    /// Reads back what [`Signer::seed`] gave.
    pub fn from_secret(secret: &Secret<Vec<u8>>) -> Result<Self, Fault> {
        let seed = secret.expose().as_slice().try_into();
        Self::of(Secret::new(seed.map_err(|_| refused())?))
    }

    fn of(seed: Secret<[u8; 32]>) -> Result<Self, Fault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| refused())?;
        Ok(Self { pair, seed })
    }

    /// The private half, for sealing.
    pub fn seed(&self) -> &[u8] {
        self.seed.expose()
    }

    /// The public half as a PEM `PUBLIC KEY` (RFC 7468 §13).
    pub fn public_pem(&self) -> Result<String, Fault> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().map_err(|_| refused())?;
        let body = STANDARD.encode(der.as_ref());
        Ok(format!("{BEGIN}\n{body}\n{END}\n"))
    }

    /// The signature over `text`.
    pub fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(text.as_bytes()).as_ref().to_vec()
    }
}

fn refused() -> Fault {
    Fault::internal("the key that signs statements cannot be read")
}

/// Whether the key in `pem` signed `text`.
pub fn is_signed(pem: &str, text: &str, signature: &[u8]) -> bool {
    let key = bare(pem).and_then(|body| STANDARD.decode(body).ok());
    let key = key.as_deref().and_then(|der| der.strip_prefix(ED25519_DER));
    key.is_some_and(|key| {
        let key = UnparsedPublicKey::new(&ED25519, key);
        key.verify(text.as_bytes(), signature).is_ok()
    })
}

/// The digits of a PEM of one line, which is what an Ed25519 key's is.
fn bare(pem: &str) -> Option<&str> {
    let body = pem.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    Some(body.trim())
}

/// SHA-256, a piece at a time.
pub struct Sha256(digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(digest::Context::new(&SHA256))
    }
}

impl Sha256 {
    /// Of all of `bytes`.
    pub fn of(bytes: &[u8]) -> [u8; 32] {
        let mut whole = Self::default();
        whole.add(bytes);
        whole.end()
    }

    /// One more piece.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces.
    pub fn end(self) -> [u8; 32] {
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(self.0.finish().as_ref()) {
            *to = *from;
        }
        out
    }
}

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// What precedes the 32 bytes of a key in its document (RFC 8410 §4).
const ED25519_DER: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{SeededEntropy, hex};

    #[test]
    fn a_statement_is_believed_as_it_was_signed_and_not_otherwise() {
        let signer = Signer::make(&SeededEntropy::new(1)).unwrap();
        let (pem, signature) = (signer.public_pem().unwrap(), signer.sign("so be it\n"));
        assert!(is_signed(&pem, "so be it\n", &signature));
        assert!(!is_signed(&pem, "so be it", &signature));
        assert!(!is_signed(&pem, "so be it\n", &signature[..63]));
        let other = Signer::make(&SeededEntropy::new(2)).unwrap();
        assert!(!is_signed(
            &other.public_pem().unwrap(),
            "so be it\n",
            &signature
        ));
        for pem in ["", "-----BEGIN PUBLIC KEY-----", "no key"] {
            assert!(!is_signed(pem, "so be it\n", &signature), "{pem}");
        }
        let again = Signer::from_secret(&Secret::new(signer.seed().to_vec())).unwrap();
        assert_eq!(again.public_pem().unwrap(), pem);
    }

    #[test]
    fn a_digest_is_the_one_of_fips_180() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex::encode(&Sha256::of(b"abc")), abc);
    }
}
