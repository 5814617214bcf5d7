//! Short codes out of a secret and an instant, as RFC 6238 makes them.
//!
//! The instant is the one a code is issued at, and the secret is drawn for that code alone: how long a code is good and
//! how often it may be tried is for whoever keeps it to say. The library's own window is aligned to the epoch, so that
//! by itself a code issued just before a boundary would be dead a second later.

use subtle::ConstantTimeEq as _;
use totp_rs::{Algorithm, Builder};

use crate::kernel::{Fault, Secret, Timestamp};

/// Length of a code's secret in bytes: as long as the digest it keys (RFC 6238 §5.1).
pub const CODE_SECRET_LEN: usize = 32;

/// The code of `digits` digits that this secret has at this instant.
pub fn code(
    secret: &Secret<Vec<u8>>,
    issued_at: Timestamp,
    life_seconds: u64,
    digits: u32,
) -> Result<Secret<String>, Fault> {
    let digits = digits.clamp(DIGITS_MIN, DIGITS_MAX);
    // The library makes six digits at least (RFC 4226 §5.3); the last of them are as even as all of them.
    let made = u8::try_from(digits.max(6)).unwrap_or(8);
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA256)
        .with_digits(made)
        .with_skew(0)
        .with_step_duration(life_seconds.max(1))
        .with_secret(secret.expose().clone())
        .build()
        .map_err(|error| Fault::internal("a one-time code's secret").because(error))?;
    let instant = u64::try_from(issued_at.seconds()).unwrap_or(0);
    let whole = Secret::new(totp.generate(instant).to_string());
    let text = whole.expose();
    let from = text.len().saturating_sub(digits as usize);
    Ok(Secret::new(text.get(from..).unwrap_or_default().to_owned()))
}

/// Whether `given` is that code, in a time that does not tell how much of it is. Only ASCII digits can be.
pub fn is_code(code: &Secret<String>, given: &str) -> bool {
    code.expose().as_bytes().ct_eq(given.as_bytes()).into()
}

/// The fewest digits a code has.
const DIGITS_MIN: u32 = 4;
/// The most digits a code has; the library panics at ten.
const DIGITS_MAX: u32 = 8;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn made(seed: u8, digits: u32) -> Secret<String> {
        let secret = Secret::new(vec![seed; CODE_SECRET_LEN]);
        code(&secret, Timestamp::from_seconds(1_800_000_000), 600, digits).unwrap()
    }

    #[test]
    fn a_code_has_as_many_ascii_digits_as_were_asked_for() {
        for digits in 4..=8 {
            let code = made(7, digits);
            assert_eq!(code.expose().len(), digits as usize);
            assert!(code.expose().bytes().all(|byte| byte.is_ascii_digit()));
        }
        assert_eq!(made(7, 40).expose().len(), 8);
        assert_eq!(made(7, 0).expose().len(), 4);
    }

    #[test]
    fn codes_of_other_secrets_are_other_codes() {
        let codes: BTreeSet<String> = (0..200)
            .map(|seed| made(seed, 8).expose().clone())
            .collect();
        assert!(codes.len() >= 198, "{}", codes.len());
        assert_eq!(made(1, 6).expose(), made(1, 6).expose());
    }

    #[test]
    fn s14_only_the_same_ascii_digits_are_the_code() {
        let code = Secret::new("012345".to_owned());
        assert!(is_code(&code, "012345"));
        for other in [
            "",
            "12345",
            "0123456",
            " 12345",
            "+12345",
            "012346",
            "012345\n",
            "０１２３４５",
            "٠١٢٣٤٥",
        ] {
            assert!(!is_code(&code, other), "{other:?}");
        }
    }
}
