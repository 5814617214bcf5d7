//! Proof Key for Code Exchange: whoever brings the code must know what only its asker knew (RFC 7636).
//!
//! Only S256. A method left out would mean `plain` (§4.3), which protects nobody and is refused.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::Params;
use crate::domain::clients::Client;

/// The challenge of an authorization request; `None` when it has none and its client needs none.
pub(super) fn challenge(params: &Params, client: &Client) -> Result<Option<String>, &'static str> {
    let Some(challenge) = params.get("code_challenge") else {
        return match (params.has("code_challenge_method"), client.is_public()) {
            (true, _) => Err("code_challenge_method without a code_challenge"),
            // RFC 9700 §2.1.1.
            (false, true) => Err("code challenge required"),
            (false, false) => Ok(None),
        };
    };
    if params.get("code_challenge_method") != Some("S256") {
        return Err("code_challenge_method must be S256");
    }
    let is_hash = challenge.len() == 43 && URL_SAFE_NO_PAD.decode(challenge).is_ok();
    if !is_hash {
        return Err("code_challenge must be 43 characters of the base64url alphabet");
    }
    Ok(Some(challenge.to_owned()))
}

/// Whether `verifier` fits what the code was bound to. A verifier nobody announced is refused as well: somebody may have
/// taken the challenge out of the request (RFC 9700 §4.8.2).
pub(super) fn holds(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
            let same = hash.as_bytes().ct_eq(challenge.as_bytes());
            is_verifier(verifier) && same.into()
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn is_verifier(text: &str) -> bool {
    let unreserved = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn only_the_verifier_behind_the_challenge_holds() {
        assert!(holds(Some(CHALLENGE), Some(VERIFIER)));
        assert!(holds(None, None));
        let wrong = VERIFIER.replace('d', "e");
        for (challenge, verifier) in [
            (Some(CHALLENGE), Some(wrong.as_str())),
            (Some(CHALLENGE), Some(CHALLENGE)),
            (Some(CHALLENGE), Some("")),
            (Some(CHALLENGE), None),
            (None, Some(VERIFIER)),
        ] {
            assert!(!holds(challenge, verifier), "{challenge:?} {verifier:?}");
        }
    }

    #[test]
    fn pk_4_1_a_verifier_has_43_to_128_unreserved_characters() {
        for (text, fits) in [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            ("-._~".repeat(32), true),
            ("a".repeat(129), false),
            (format!("{}+", "a".repeat(43)), false),
            (format!("{}\u{e9}", "a".repeat(43)), false),
        ] {
            assert_eq!(is_verifier(&text), fits, "{text}");
        }
    }
}
