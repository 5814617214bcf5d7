//! What upstreams answer, read without trust: bounded words, JSON objects, and what a status means.

use std::time::Duration;

use serde_json::{Map, Value};

use super::outbound::{Body, Reply};
use crate::domain::ports::Failure;
use crate::kernel::Secret;

/// The members of a body that must be an object. One that cannot be read leaves open what was done.
///
/// Not read as strictly as what strangers send: an administrator's permissions alone are more than those may have.
pub(super) fn members(reply: &Reply) -> Result<Map<String, Value>, Failure> {
    let body = reply.body.as_ref();
    let body = body.map_err(|why| Failure::Unanswered(why.clone()))?;
    serde_json::from_slice(body)
        .map_err(|_| Failure::Unanswered("its answer cannot be read".into()))
}

/// A member, when it is text.
pub(super) fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    members.get(name).and_then(Value::as_str)
}

/// A refusal in the upstream's own words, under whichever of these names it has them.
pub(super) fn refused<const C: usize, const M: usize>(
    reply: &Reply,
    codes: [&str; C],
    messages: [&str; M],
) -> Failure {
    let members = members(reply).unwrap_or_default();
    let first = |names: &[&str]| {
        let mut found = names.iter().filter_map(|name| text(&members, name));
        found.find(|found| !found.is_empty()).map(shown)
    };
    let code = first(&codes).filter(|code| is_word(code));
    let message = first(&messages).filter(|message| !message.is_empty());
    Failure::Refused {
        code: code.unwrap_or_else(|| REFUSED.to_owned()),
        message: message
            .unwrap_or_else(|| format!("it answered {} and did not say why", reply.status)),
    }
}

/// What a status means that is neither success nor a refusal of the request itself.
pub(super) fn failure(status: u16, retry_after: Option<Duration>) -> Failure {
    match status {
        401 | 403 => Failure::Credentials,
        429 => Failure::Busy(retry_after),
        300..=399 => Failure::Failed("it answered with a redirect, which is not followed".into()),
        _ => Failure::Failed(format!("it answered {status}")),
    }
}

/// RFC 6749 §5.2: whether it is the client that is not believed, or may not.
pub(super) fn is_of_client(code: &str) -> bool {
    matches!(code, "invalid_client" | "unauthorized_client")
}

/// A form to be posted.
pub(super) fn form(pairs: &[(&str, &str)]) -> Body {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    Body::Form(Secret::new(form.finish()))
}

const REFUSED: &str = "upstream_refused";

/// Fit to be handed on as an error's code.
fn is_word(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    (1..=CODE_MAX).contains(&text.len()) && text.bytes().all(plain)
}

fn shown(text: &str) -> String {
    let printed = text.chars().filter(|c| !c.is_control());
    printed.take(MESSAGE_MAX).collect()
}

const CODE_MAX: usize = 100;
const MESSAGE_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            retry_after: None,
            body: Ok(body.as_bytes().to_vec()),
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_upstreams_words_and_in_nothing_that_could_harm() {
        let told = |body: &str| {
            let refused = refused(&reply(400, body), ["code", "error"], ["message"]);
            let Failure::Refused { code, message } = refused else {
                panic!("{refused:?}")
            };
            (code, message)
        };
        let pair = |code: &str, message: &str| (code.to_owned(), message.to_owned());
        assert_eq!(
            told(r#"{"code": "bad.request", "message": "No such\r\nqueue"}"#),
            pair("bad.request", "No suchqueue")
        );
        assert_eq!(
            told(r#"{"error": "<script>", "message": ""}"#),
            pair("upstream_refused", "it answered 400 and did not say why")
        );
        for body in ["", "[]", "<html>", "{\"code\": 7}"] {
            assert_eq!(told(body).0, "upstream_refused", "{body}");
        }
        let long = told(&format!("{{\"message\": \"{}\"}}", "x".repeat(10_000)));
        assert_eq!(long.1.len(), MESSAGE_MAX);
    }
}
