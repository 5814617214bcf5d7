//! Keys and tokens in an attacker's hands: any header, any claims, signed by whatever key, rightly or not.

use admit::crypto::jwk::Jwk;
use admit::crypto::jws::{Algorithm, SigningKey};
use admit::kernel::SeededEntropy;
use admit::kernel::entropy::blinding;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::server::Server;

/// A key that signs any bytes.
pub(super) struct Key {
    pub(super) kid: String,
    pub(super) jwk: Value,
    pub(super) pem: String,
    private: Private,
}

enum Private {
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    /// The server's own.
    pub(super) fn of(server: &Server, algorithm: Algorithm) -> Self {
        Self::from(&server.appliance.signing().signer(algorithm))
    }

    /// One that nobody published.
    pub(super) fn foreign(algorithm: Algorithm) -> Self {
        Self::from(&SigningKey::generate(algorithm, &SeededEntropy::new(666)).unwrap())
    }

    fn from(key: &SigningKey) -> Self {
        let secret = key.to_secret().unwrap();
        let secret = secret.expose();
        let private = match key.jwk() {
            Jwk::Okp { .. } => {
                Private::Ed25519(Ed25519KeyPair::from_seed_unchecked(secret).unwrap())
            }
            Jwk::Rsa { .. } => Private::Rsa(RsaKeyPair::from_pkcs8(secret).unwrap()),
        };
        Self {
            kid: key.kid().to_owned(),
            jwk: serde_json::to_value(key.jwk()).unwrap(),
            pem: key.public_pem().unwrap(),
            private,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self.private {
            Private::Ed25519(_) => "EdDSA",
            Private::Rsa(_) => "RS256",
        }
    }

    /// The header of a token of this key.
    pub(super) fn header(&self, typ: &str) -> Value {
        json!({"alg": self.name(), "kid": self.kid, "typ": typ})
    }

    pub(super) fn signature(&self, message: &str) -> Vec<u8> {
        match &self.private {
            Private::Ed25519(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
            Private::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let message = message.as_bytes();
                pair.sign(&RSA_PKCS1_SHA256, &blinding(), message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }

    /// Both parts as they stand, with a right signature.
    pub(super) fn sealed(&self, message: &str) -> String {
        format!("{message}.{}", encoded(&self.signature(message)))
    }

    /// A token with this header and these claims, rightly signed.
    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sealed(&message(&header.to_string(), &claims.to_string()))
    }

    /// What somebody could take for a shared secret.
    pub(super) fn taken_for_secrets(&self) -> Vec<Vec<u8>> {
        let body: String = self
            .pem
            .lines()
            .filter(|line| !line.contains('-'))
            .collect();
        let member = self.jwk.get("x").or_else(|| self.jwk.get("n"));
        let member = member.and_then(Value::as_str).unwrap();
        vec![
            self.pem.clone().into_bytes(),
            self.pem.trim_end().as_bytes().to_vec(),
            self.pem.replace('\n', "\r\n").into_bytes(),
            STANDARD.decode(&body).unwrap(),
            body.into_bytes(),
            member.as_bytes().to_vec(),
            URL_SAFE_NO_PAD.decode(member).unwrap(),
            self.jwk.to_string().into_bytes(),
            json!({"keys": [self.jwk]}).to_string().into_bytes(),
            self.kid.clone().into_bytes(),
        ]
    }
}

/// Two parts of a token.
pub(super) fn message(header: &str, claims: &str) -> String {
    format!(
        "{}.{}",
        encoded(header.as_bytes()),
        encoded(claims.as_bytes())
    )
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// A token under a shared secret (RFC 7518 §3.2).
pub(super) fn hashed(algorithm: &str, secret: &[u8], header: &Value, claims: &Value) -> String {
    let by = match algorithm {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    };
    let message = message(&header.to_string(), &claims.to_string());
    let tag = hmac::sign(&hmac::Key::new(by, secret), message.as_bytes());
    format!("{message}.{}", encoded(tag.as_ref()))
}

/// The same value with one member more, another one, or without it.
pub(super) fn with(value: &Value, name: &str, member: Option<Value>) -> Value {
    let mut value = value.clone();
    let members = value.as_object_mut().unwrap();
    match member {
        Some(member) => _ = members.insert(name.to_owned(), member),
        None => _ = members.remove(name),
    }
    value
}

/// The three parts of a token.
pub(super) fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().unwrap()
}

/// The signature with so many times the group's order added to its `S`, which some take for the same (RFC 8032 §5.1.7).
pub(super) fn malleated(signature: &[u8], times: u8) -> Vec<u8> {
    let mut bent = signature.to_vec();
    for _ in 0..times {
        let mut carry = 0_u16;
        for (byte, order) in bent[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
    }
    bent
}

/// The order of Ed25519's group, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
