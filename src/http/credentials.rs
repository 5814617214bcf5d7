//! Reading `Authorization` headers: bearers (RFC 6750 §2.1) and client credentials (RFC 6749 §2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hyper::header::HeaderValue;

use super::Problem;
use crate::domain::oauth::{self, ClientProof};
use crate::kernel::Secret;

/// The bearer token of the header.
pub(super) fn bearer(header: Option<&HeaderValue>) -> Result<&str, Problem> {
    let value = header
        .and_then(|value| value.to_str().ok())
        .ok_or_else(Problem::no_bearer)?;
    let token = after_scheme(value, "bearer").filter(|token| !token.is_empty());
    token.ok_or_else(Problem::no_bearer)
}

/// The client credentials of a Basic header; `None` when there is no header.
pub(super) fn basic(header: Option<&HeaderValue>) -> Result<Option<ClientProof>, Problem> {
    let Some(value) = header else { return Ok(None) };
    let proof = value
        .to_str()
        .ok()
        .and_then(|value| after_scheme(value, "basic"))
        .and_then(proof);
    proof.map(Some).ok_or_else(|| {
        oauth::Error::InvalidClient("the Authorization header is no Basic one").into()
    })
}

/// The name and password of a user's Basic header.
pub(super) fn user_basic(header: Option<&HeaderValue>) -> Result<ClientProof, Problem> {
    let proof = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| after_scheme(value, "basic"))
        .and_then(pair);
    let (id, secret) = proof.ok_or_else(Problem::no_user)?;
    Ok(ClientProof { id, secret })
}

fn after_scheme<'v>(value: &'v str, scheme: &str) -> Option<&'v str> {
    let (given, rest) = value.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn proof(encoded: &str) -> Option<ClientProof> {
    let (id, secret) = pair(encoded)?;
    Some(ClientProof {
        id: form_decoded(&id),
        secret: Secret::new(form_decoded(secret.expose())),
    })
}

fn pair(encoded: &str) -> Option<(String, Secret<String>)> {
    let decoded = STANDARD
        .decode(encoded)
        .or_else(|_| STANDARD_NO_PAD.decode(encoded))
        .ok()?;
    let text = Secret::new(String::from_utf8(decoded).ok()?);
    let (id, secret) = text.expose().split_once(':')?;
    Some((id.to_owned(), Secret::new(secret.to_owned())))
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
fn form_decoded(text: &str) -> String {
    // Not encoded at all, although it should be: a secret with these signs is taken as it stands.
    if text.contains(['&', '=']) {
        return text.to_owned();
    }
    form_urlencoded::parse(text.as_bytes())
        .next()
        .map_or_else(String::new, |(decoded, _)| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn presented(text: &str) -> Option<(String, String)> {
        let header = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(text))).unwrap();
        basic(Some(&header))
            .ok()
            .flatten()
            .map(|proof| (proof.id, proof.secret.expose().clone()))
    }

    #[test]
    fn both_halves_are_form_decoded() {
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(presented("customer:"), pair("customer", ""));
        assert_eq!(presented("a%3Ab:p+w%26"), pair("a:b", "p w&"));
        assert_eq!(presented("id:se:cret"), pair("id", "se:cret"));
        assert_eq!(presented("id:ends="), pair("id", "ends="));
        assert_eq!(presented("no colon"), None);
    }

    #[test]
    fn the_scheme_is_folded_and_required() {
        let header = |text: &str| HeaderValue::try_from(text).unwrap();
        assert_eq!(bearer(Some(&header("bEARER abc"))).ok(), Some("abc"));
        for text in ["abc", "Bearer", "Bearer ", "Basic abc"] {
            assert!(bearer(Some(&header(text))).is_err(), "{text}");
        }
        assert!(basic(Some(&header("Bearer abc"))).is_err());
        assert!(basic(None).is_ok_and(|proof| proof.is_none()));
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(bytes in prop::collection::vec(32u8..=255, 0..80)) {
            if let Ok(header) = HeaderValue::from_bytes(&bytes) {
                let _ = basic(Some(&header));
                let _ = bearer(Some(&header));
            }
        }
    }
}
