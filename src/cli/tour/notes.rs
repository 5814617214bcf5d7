//! What the tour has learned so far, by name, and how it is written into the next call.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::byte_serialize;

use super::step::{Proof, Sent, Step};
use crate::adapters::http_client::Ask;

/// Names and what they stand for: ids and tokens, so there is no `Debug`.
#[derive(Default)]
pub(super) struct Notes(BTreeMap<String, String>);

/// A call needs something no earlier call gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing(pub String);

impl Notes {
    pub(super) fn put(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub(super) fn get(&self, name: &str) -> Result<&str, Missing> {
        let found = self.0.get(name).map(String::as_str);
        found.ok_or_else(|| Missing(name.to_owned()))
    }

    /// The text with its names filled in as they are.
    pub(super) fn filled(&self, text: &str) -> Result<String, Missing> {
        self.filled_with(text, str::to_owned)
    }

    /// The request a step stands for.
    pub(super) fn ask(&self, step: &Step) -> Result<Ask, Missing> {
        let path = match (step.about, in_braces(step.path)) {
            (name, Some((before, after))) if !name.is_empty() => {
                format!("{before}{}{after}", encoded(self.get(name)?))
            }
            _ => step.path.to_owned(),
        };
        let mut ask = Ask {
            method: step.method,
            path,
            within: step.within,
            ..Ask::default()
        };
        match step.proof {
            Proof::None | Proof::Cookie(_) => {}
            Proof::Basic(id, secret) => {
                let pair = format!("{}:{}", self.filled(id)?, self.filled(secret)?);
                let value = format!("Basic {}", STANDARD.encode(pair));
                ask.headers.push(("authorization", value));
            }
            Proof::Bearer(name) => {
                let value = format!("Bearer {}", self.get(name)?);
                ask.headers.push(("authorization", value));
            }
        }
        if let Proof::Cookie(name) = step.proof {
            ask.headers.push(("cookie", self.get(name)?.to_owned()));
        }
        for (name, value) in step.headers.into_iter().flatten() {
            ask.headers.push((name, self.filled(value)?));
        }
        match step.sent {
            Sent::Nothing => {}
            Sent::Query(text) => {
                let query = self.filled_with(text, encoded)?;
                ask.path = format!("{}?{query}", ask.path);
            }
            Sent::Form(text) => {
                let kind = "application/x-www-form-urlencoded";
                ask.headers.push(("content-type", kind.to_owned()));
                ask.body = Some(self.filled_with(text, encoded)?);
            }
            Sent::Json(text) => {
                let kind = "application/json";
                ask.headers.push(("content-type", kind.to_owned()));
                ask.body = Some(self.filled_with(text, quoted)?);
            }
        }
        Ok(ask)
    }

    fn filled_with(&self, text: &str, write: fn(&str) -> String) -> Result<String, Missing> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let named = after.split_once('}').filter(|(name, _)| is_name(name));
            let Some((name, behind)) = named else {
                // A brace of JSON.
                out.push('{');
                rest = after;
                continue;
            };
            out.push_str(&write(self.get(name)?));
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// What is before and after the one name in braces.
fn in_braces(path: &str) -> Option<(&str, &str)> {
    let (before, rest) = path.split_once('{')?;
    let (_, after) = rest.split_once('}')?;
    Some((before, after))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// Fit to stand between the quotes of a JSON text.
fn quoted(text: &str) -> String {
    let text = serde_json::Value::from(text).to_string();
    text.trim_start_matches('"')
        .strip_suffix('"')
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_braces_of_json_stay() {
        let mut notes = Notes::default();
        notes.put("room", "a \"b\"&c");
        let json = notes.filled_with(r#"{"p":{"room":"{room}"},"q":{}}"#, quoted);
        assert_eq!(json.unwrap(), r#"{"p":{"room":"a \"b\"&c"},"q":{}}"#);
        let form = notes.filled_with("room={room}", encoded);
        assert_eq!(form.unwrap(), "room=a+%22b%22%26c");
        assert_eq!(notes.filled("{ticket}"), Err(Missing("ticket".to_owned())));
    }
}
