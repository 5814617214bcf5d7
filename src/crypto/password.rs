//! Argon2id hashing and verifying of passwords people choose (RFC 9106).
//!
//! One hash takes 19 MiB and about ten milliseconds on purpose, so it never runs on a request's thread.

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::kernel::{Entropy, Fault, Secret};

/// The longest password that is hashed, in bytes; longer ones are refused rather than cut.
pub const PASSWORD_MAX: usize = 1024;

/// The hash of a password in the PHC string form, salt and parameters included.
pub fn hash(password: &Secret<String>, entropy: &dyn Entropy) -> Result<String, Fault> {
    let salt = SaltString::encode_b64(&entropy.bytes::<16>())
        .map_err(|error| Fault::internal("a salt was refused").because(error))?;
    let hash = argon2id()?
        .hash_password(password.expose().as_bytes(), &salt)
        .map_err(|error| Fault::internal("a password could not be hashed").because(error))?;
    Ok(hash.to_string())
}

/// Whether `password` is the one behind `hash`; a hash that cannot be read is a fault, not a wrong password.
///
/// One that is too long costs what any other does, and is not the one.
pub fn verify(password: &Secret<String>, hash: &str) -> Result<bool, Fault> {
    let unreadable =
        |error| Fault::internal("a stored password hash cannot be read").because(error);
    let parsed = PasswordHash::new(hash).map_err(unreadable)?;
    let bytes = password.expose().as_bytes();
    let fits = bytes.len() <= PASSWORD_MAX;
    let looked_at = if fits { bytes } else { &[] };
    let is_right = argon2id()?.verify_password(looked_at, &parsed).is_ok();
    Ok(is_right && fits)
}

/// The work of [`verify`] for nobody's password: nothing is behind this hash, and nobody is told if something were.
pub fn verify_nobodys(password: &Secret<String>) -> Result<(), Fault> {
    verify(password, NOBODYS).map(|_| ())
}

/// Salt and hash of the usual lengths under the parameters every password is hashed with.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdC4uLg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// 19 MiB, two passes, one lane: the first recommendation of the OWASP cheat sheet for Argon2id.
fn argon2id() -> Result<Argon2<'static>, Fault> {
    let params = Params::new(19 * 1024, 2, 1, None)
        .map_err(|error| Fault::internal("the Argon2id parameters were refused").because(error))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SeededEntropy;

    #[test]
    fn only_the_password_itself_verifies() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let stored = hash(&secret("correct horse"), &SeededEntropy::new(1)).unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert!(verify(&secret("correct horse"), &stored).unwrap());
        assert!(!verify(&secret("correct horsf"), &stored).unwrap());
        assert!(
            verify(&secret("x"), "plain").is_err(),
            "a damaged hash is a fault"
        );
    }

    #[test]
    fn nobodys_hash_has_the_shape_of_everybodys_and_nothing_verifies_against_it() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let stored = hash(&secret("correct horse"), &SeededEntropy::new(2)).unwrap();
        let shape = |hash: &str| -> Vec<String> {
            let parts = hash.split('$').enumerate();
            let shown = parts.map(|(at, part)| match at {
                0..4 => part.to_owned(),
                _ => part.len().to_string(),
            });
            shown.collect()
        };
        assert_eq!(shape(NOBODYS), shape(&stored));
        for guess in ["", "nobody's salt...", "correct horse"] {
            assert!(!verify(&secret(guess), NOBODYS).unwrap());
            verify_nobodys(&secret(guess)).unwrap();
        }
    }

    #[test]
    fn a_password_that_is_too_long_is_never_the_one() {
        let long = Secret::new("x".repeat(PASSWORD_MAX + 1));
        let stored = hash(&long, &SeededEntropy::new(3)).unwrap();
        assert!(!verify(&long, &stored).unwrap());
        let empty = hash(&Secret::new(String::new()), &SeededEntropy::new(4)).unwrap();
        assert!(!verify(&long, &empty).unwrap());
    }
}
