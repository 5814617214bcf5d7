//! What the imitations received, for whoever wants to see what a server really sent. It must never hold a client's
//! secret, code or token; the texts of messages are what it is for.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::asked::{Asked, Pairs};
use crate::kernel::Timestamp;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was here whole.
    pub at: Timestamp,
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// Its query, secrets cut out.
    pub query: String,
    /// Whom its credentials name, right or wrong.
    pub who: String,
    /// Its body, secrets cut out and long ones cut short.
    pub body: String,
    /// What it was answered with; nothing before the answer, and if there is none.
    pub status: Option<u16>,
}

impl Entry {
    /// As `journal.json` shows it.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "at": self.at.to_string(),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "who": self.who,
            "body": self.body,
            "status": self.status,
        })
    }
}

/// The latest requests.
#[derive(Default)]
pub(super) struct Journal {
    entries: VecDeque<Entry>,
    /// How many have been dropped at the front.
    gone: u64,
}

impl Journal {
    /// Takes a request down; its number.
    pub(super) fn receive(&mut self, entry: Entry) -> u64 {
        if self.entries.len() >= AT_MOST {
            self.entries.pop_front();
            self.gone += 1;
        }
        let number = self.gone + self.entries.len() as u64;
        self.entries.push_back(entry);
        number
    }

    /// Notes what the request of this number was answered with.
    pub(super) fn answered(&mut self, number: u64, status: u16) {
        let at = number.checked_sub(self.gone).map(usize::try_from);
        if let Some(Ok(at)) = at
            && let Some(entry) = self.entries.get_mut(at)
        {
            entry.status = Some(status);
        }
    }

    /// All of them, the latest last.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }
}

/// The query as it may be shown.
pub(super) fn shown_query(asked: &Asked) -> String {
    if asked.query.is_empty() {
        return String::new();
    }
    shortened(pairs(&asked.params(), &asked.path))
}

/// The body as it may be shown.
pub(super) fn shown_body(asked: &Asked) -> String {
    if asked.body.is_empty() {
        return String::new();
    }
    if let Some(mut value) = asked.json() {
        cut(&mut value, &asked.path);
        return shortened(value.to_string());
    }
    if let Some(form) = asked.form() {
        return shortened(pairs(&form, &asked.path));
    }
    // Of what cannot be read nobody knows where its secrets are.
    match std::str::from_utf8(&asked.body) {
        Ok(text) if asked.path == MESSAGES => shortened(text.to_owned()),
        _ => format!("({} bytes that cannot be read)", asked.body.len()),
    }
}

fn pairs(pairs: &Pairs, path: &str) -> String {
    let shown = pairs.0.iter().map(|(name, value)| {
        let value = if is_secret(name, path) { CUT } else { value };
        format!("{name}={value}")
    });
    shown.collect::<Vec<_>>().join("&")
}

fn cut(value: &mut Value, path: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if is_secret(name, path) {
                    *member = CUT.into();
                } else {
                    cut(member, path);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| cut(item, path)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A message's text and code are the message; elsewhere a `code` is a credential.
fn is_secret(name: &str, path: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    let parts = ["secret", "password", "token", "apikey", "assertion"];
    parts.iter().any(|part| name.contains(part))
        || (path != MESSAGES && ["code", "codeverifier"].contains(&name.as_str()))
}

fn shortened(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

const AT_MOST: usize = 200;
const LONGEST: usize = 4 * 1024;
const CUT: &str = "(cut out)";
const MESSAGES: &str = "/sms";

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> Entry {
        Entry {
            at: Timestamp::from_seconds(0),
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: String::new(),
            who: String::new(),
            body: String::new(),
            status: None,
        }
    }

    #[test]
    fn the_latest_two_hundred_are_kept_and_answers_find_theirs() {
        let mut journal = Journal::default();
        let numbers: Vec<_> = (0..205)
            .map(|n| journal.receive(entry(&n.to_string())))
            .collect();
        journal.answered(numbers[0], 500);
        journal.answered(numbers[5], 201);
        journal.answered(numbers[204], 204);
        let kept = journal.entries();
        assert_eq!(kept.len(), AT_MOST);
        assert_eq!((kept[0].path.as_str(), kept[0].status), ("5", Some(201)));
        assert_eq!(kept.last().unwrap().status, Some(204));
        let answered = kept.iter().filter(|entry| entry.status.is_some());
        assert_eq!(answered.count(), 2);
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in ["client_secret", "refresh_token", "Password", "api-key"] {
            assert!(is_secret(name, "/x") && is_secret(name, MESSAGES), "{name}");
        }
        assert!(is_secret("code", "/oauth/token") && !is_secret("code", MESSAGES));
        for name in ["grant_type", "to", "text", "queueId", "countryCode"] {
            assert!(!is_secret(name, "/oauth/token"), "{name}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_its_letters() {
        let text = shortened("ψ".repeat(LONGEST));
        assert_eq!(text.len(), LONGEST + '…'.len_utf8());
    }
}
