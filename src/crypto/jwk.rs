//! Public JSON Web Keys and their thumbprints (RFC 7517, RFC 7638, RFC 8037).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

/// A public key as the key set publishes it. Its members are in the order a thumbprint wants them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Jwk {
    /// An Ed25519 key (RFC 8037 §2).
    Okp {
        /// Always `Ed25519`.
        crv: &'static str,
        /// Always `OKP`.
        kty: &'static str,
        /// The public key, base64url.
        x: String,
    },
    /// An RSA key (RFC 7518 §6.3.1).
    Rsa {
        /// The exponent, base64url.
        e: String,
        /// Always `RSA`.
        kty: &'static str,
        /// The modulus, base64url.
        n: String,
    },
}

impl Jwk {
    /// An Ed25519 public key of 32 bytes.
    pub fn ed25519(public: &[u8]) -> Self {
        Self::Okp {
            crv: "Ed25519",
            kty: "OKP",
            x: URL_SAFE_NO_PAD.encode(public),
        }
    }

    /// An RSA public key, both numbers big-endian without leading zeros.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        Self::Rsa {
            e: URL_SAFE_NO_PAD.encode(exponent),
            kty: "RSA",
            n: URL_SAFE_NO_PAD.encode(modulus),
        }
    }

    /// The SHA-256 thumbprint, which serves as `kid` (RFC 7638 §3).
    pub fn thumbprint(&self) -> String {
        // The required members in lexical order, without white space: what this serialises to.
        let text = serde_json::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprints_of_the_standards_examples() {
        // RFC 8037 appendix A.3.
        let okp = Jwk::Okp {
            crv: "Ed25519",
            kty: "OKP",
            x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into(),
        };
        assert_eq!(
            okp.thumbprint(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
        // RFC 7638 §3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let rsa = Jwk::Rsa {
            e: "AQAB".into(),
            kty: "RSA",
            n: n.into(),
        };
        assert_eq!(
            rsa.thumbprint(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }
}
