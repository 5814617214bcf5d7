//! Compact JSON Web Signatures with an explicit algorithm (RFC 7515, RFC 8725).
//!
//! A verifier knows its keys, and each key has one algorithm: what a token's header says can only select a key, never
//! change how it is used. Header members other than `alg`, `kid` and `typ` are refused. Claims are opaque here.

use std::collections::HashMap;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::jwk::Jwk;
use crate::kernel::{Entropy, Fault, Secret, entropy};

/// How a token is signed. There are no others (RFC 8725 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// Ed25519: our default (RFC 8037).
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256: what OpenID Connect asks of everyone.
    Rs256,
}

impl Algorithm {
    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }
}

enum Private {
    Ed25519 {
        pair: Ed25519KeyPair,
        seed: Secret<[u8; 32]>,
    },
    Rsa(RsaKeyPair),
}

/// A private key that signs, with everything that is derived from it once.
pub struct SigningKey {
    private: Private,
    jwk: Jwk,
    kid: String,
}

impl SigningKey {
    /// A new key. RSA keys have 2048 bits and take tens of milliseconds.
    pub fn generate(algorithm: Algorithm, entropy: &dyn Entropy) -> Result<Self, Fault> {
        match algorithm {
            Algorithm::EdDsa => Self::from_seed(Secret::new(entropy.bytes())),
            Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048)
                .map(Self::from_rsa)
                .map_err(|_| Fault::internal("an RSA key could not be generated")),
        }
    }

    /// Reads back what [`SigningKey::to_secret`] wrote.
    pub fn from_secret(algorithm: Algorithm, secret: &Secret<Vec<u8>>) -> Result<Self, Fault> {
        let refused =
            || Fault::internal(format!("a stored {} key cannot be read", algorithm.name()));
        match algorithm {
            Algorithm::EdDsa => {
                let seed = secret
                    .expose()
                    .as_slice()
                    .try_into()
                    .map_err(|_| refused())?;
                Self::from_seed(Secret::new(seed))
            }
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(secret.expose())
                .map(Self::from_rsa)
                .map_err(|_| refused()),
        }
    }

    /// The private half, for sealing: an Ed25519 seed or a PKCS#8 document.
    pub fn to_secret(&self) -> Result<Secret<Vec<u8>>, Fault> {
        match &self.private {
            Private::Ed25519 { seed, .. } => Ok(Secret::new(seed.expose().to_vec())),
            Private::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair)
                .map(|der| Secret::new(der.as_ref().to_vec()))
                .map_err(|_| Fault::internal("an RSA key could not be written")),
        }
    }

    fn from_seed(seed: Secret<[u8; 32]>) -> Result<Self, Fault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose())
            .map_err(|_| Fault::internal("an Ed25519 seed was refused"))?;
        let jwk = Jwk::ed25519(pair.public_key().as_ref());
        Ok(Self {
            private: Private::Ed25519 { pair, seed },
            kid: jwk.thumbprint(),
            jwk,
        })
    }

    fn from_rsa(pair: RsaKeyPair) -> Self {
        let public = pair.public_key();
        let jwk = Jwk::rsa(
            public.modulus().big_endian_without_leading_zero(),
            public.exponent().big_endian_without_leading_zero(),
        );
        Self {
            kid: jwk.thumbprint(),
            jwk,
            private: Private::Rsa(pair),
        }
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        match self.private {
            Private::Ed25519 { .. } => Algorithm::EdDsa,
            Private::Rsa(_) => Algorithm::Rs256,
        }
    }

    /// Its name in the key set: the thumbprint of its public half.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public half.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Its public half as a PEM `PUBLIC KEY` (RFC 7468 §13).
    pub fn public_pem(&self) -> Result<String, Fault> {
        let der: Result<PublicKeyX509Der<'_>, _> = match &self.private {
            Private::Ed25519 { pair, .. } => pair.public_key().as_der(),
            Private::Rsa(pair) => pair.public_key().as_der(),
        };
        let der = der.map_err(|_| Fault::internal("a public key could not be written"))?;
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        let mut rest = STANDARD.encode(der.as_ref());
        while !rest.is_empty() {
            let tail = rest.split_off(rest.len().min(64));
            pem.push_str(&rest);
            pem.push('\n');
            rest = tail;
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        Ok(pem)
    }

    /// The compact signature over `claims`, with `typ` in its header.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, Fault> {
        let header = Header {
            alg: self.algorithm().name().into(),
            kid: self.kid.clone(),
            typ: typ.into(),
        };
        let mut token = encoded(&header)?;
        token.push('.');
        token.push_str(&encoded(claims)?);
        let signature = self.raw_signature(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn raw_signature(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        match &self.private {
            Private::Ed25519 { pair, .. } => Ok(pair.sign(message).as_ref().to_vec()),
            Private::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &entropy::blinding(),
                    message,
                    &mut signature,
                )
                .map_err(|_| Fault::internal("an RSA signature could not be made"))?;
                Ok(signature)
            }
        }
    }

    fn verifying_key(&self) -> Result<VerifyingKey, Fault> {
        let parsed = match &self.private {
            Private::Ed25519 { pair, .. } => {
                ParsedPublicKey::new(&ED25519, pair.public_key().as_ref())
            }
            Private::Rsa(pair) => {
                ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
            }
        };
        let key = parsed.map_err(|_| Fault::internal("a public key was refused"))?;
        Ok(VerifyingKey {
            algorithm: self.algorithm(),
            key,
        })
    }
}

fn encoded(part: &impl Serialize) -> Result<String, Fault> {
    let text = serde_json::to_vec(part)
        .map_err(|error| Fault::internal("a token could not be written").because(error))?;
    Ok(URL_SAFE_NO_PAD.encode(text))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

struct VerifyingKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

/// The keys whose signatures are believed, each with its one algorithm.
pub struct Verifier(HashMap<String, VerifyingKey>);

/// The token is not one of ours: malformed, unknown key, wrong algorithm or type, or a signature that does not hold.
///
/// Which of them is nobody's business but ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a token of this appliance")]
pub struct Refused;

impl Verifier {
    /// Believes the public halves of these keys and no others.
    pub fn of<'k>(keys: impl IntoIterator<Item = &'k SigningKey>) -> Result<Self, Fault> {
        let named = |key: &SigningKey| Ok((key.kid.clone(), key.verifying_key()?));
        Ok(Self(
            keys.into_iter().map(named).collect::<Result<_, Fault>>()?,
        ))
    }

    /// The claims of `token`, if one of the keys signed it as a `typ`.
    pub fn verify(&self, typ: &str, token: &str) -> Result<Vec<u8>, Refused> {
        let (message, signature) = token.rsplit_once('.').ok_or(Refused)?;
        let (header, claims) = message.split_once('.').ok_or(Refused)?;
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| Refused)?;
        let known = self.0.get(&header.kid).ok_or(Refused)?;
        if header.alg != known.algorithm.name() || header.typ != typ {
            return Err(Refused);
        }
        let signature = decoded(signature)?;
        known
            .key
            .verify_sig(message.as_bytes(), &signature)
            .map_err(|_| Refused)?;
        decoded(claims)
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::Verifier as _;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::kernel::SeededEntropy;

    type Change = Box<dyn Fn(&mut Value)>;

    fn key(algorithm: Algorithm) -> SigningKey {
        SigningKey::generate(algorithm, &SeededEntropy::new(1)).unwrap()
    }

    fn bend(token: &str, part: usize, change: impl Fn(&mut Value)) -> String {
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        let mut value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[part]).unwrap()).unwrap();
        change(&mut value);
        parts[part] = URL_SAFE_NO_PAD.encode(value.to_string());
        parts.join(".")
    }

    #[test]
    fn what_is_signed_verifies_as_its_own_type_only() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Rs256] {
            let key = key(algorithm);
            let verifier = Verifier::of([&key]).unwrap();
            let token = key.sign("at+jwt", &json!({"sub": "x"})).unwrap();
            assert_eq!(
                verifier.verify("at+jwt", &token),
                Ok(br#"{"sub":"x"}"#.to_vec())
            );
            assert_eq!(verifier.verify("JWT", &token), Err(Refused));
            let again = SigningKey::from_secret(algorithm, &key.to_secret().unwrap()).unwrap();
            assert_eq!(again.kid(), key.kid());
        }
    }

    #[test]
    fn another_implementation_of_ed25519_agrees() {
        let key = key(Algorithm::EdDsa);
        let token = key.sign("at+jwt", &json!({"sub": "x"})).unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let Jwk::Okp { x, .. } = key.jwk() else {
            panic!("an Ed25519 key")
        };
        let public: [u8; 32] = URL_SAFE_NO_PAD.decode(x).unwrap().try_into().unwrap();
        let signature: [u8; 64] = URL_SAFE_NO_PAD
            .decode(signature)
            .unwrap()
            .try_into()
            .unwrap();
        ed25519_dalek::VerifyingKey::from_bytes(&public)
            .unwrap()
            .verify(message.as_bytes(), &signature.into())
            .unwrap();
    }

    #[test]
    fn a_header_can_select_a_key_and_nothing_else() {
        let (ed, rsa) = (key(Algorithm::EdDsa), key(Algorithm::Rs256));
        let verifier = Verifier::of([&ed, &rsa]).unwrap();
        let token = ed.sign("at+jwt", &json!({"sub": "x"})).unwrap();
        let bent: [(&str, Change); 7] = [
            ("none", Box::new(|h| h["alg"] = json!("none"))),
            ("another algorithm", Box::new(|h| h["alg"] = json!("HS256"))),
            (
                "another key",
                Box::new(move |h| h["kid"] = json!(rsa.kid())),
            ),
            (
                "no key",
                Box::new(|h| drop(h.as_object_mut().unwrap().remove("kid"))),
            ),
            ("a key of its own", Box::new(|h| h["jwk"] = json!({}))),
            (
                "a key to fetch",
                Box::new(|h| h["jku"] = json!("https://127.0.0.1/")),
            ),
            ("critical", Box::new(|h| h["crit"] = json!(["exp"]))),
        ];
        for (name, change) in &bent {
            assert_eq!(
                verifier.verify("at+jwt", &bend(&token, 0, change)),
                Err(Refused),
                "{name}"
            );
        }
        let forged = bend(&token, 1, |claims| claims["sub"] = json!("admin"));
        assert_eq!(verifier.verify("at+jwt", &forged), Err(Refused), "claims");
    }

    proptest! {
        #[test]
        fn any_text_is_refused_without_a_panic(text in "[A-Za-z0-9_.-]{0,80}|.{0,40}") {
            let key = key(Algorithm::EdDsa);
            prop_assert_eq!(Verifier::of([&key]).unwrap().verify("at+jwt", &text), Err(Refused));
        }
    }
}
