//! JSON objects whose members strangers choose: kept and given back, bounded in size.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::clock::Timestamp;

/// The members of a ticket or an application. Their JSON text is at most [`SIZE_MAX`] bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties(Map<String, Value>);

/// The longest JSON text of one set of properties, in bytes.
///
/// It keeps a stored record well below the size at which the storage engine would put it into a file of its own.
pub const SIZE_MAX: usize = 48 * 1024;

/// The members together are longer than [`SIZE_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("properties are larger than {SIZE_MAX} bytes")]
pub struct TooLarge;

impl Properties {
    /// Takes the members of an object that was read strictly.
    pub fn new(members: Map<String, Value>) -> Result<Self, TooLarge> {
        let properties = Self(members);
        if properties.to_text().len() > SIZE_MAX {
            Err(TooLarge)
        } else {
            Ok(properties)
        }
    }

    /// These members with `changes` laid over them: a `null` removes a member, all others replace it whole.
    pub fn merged(&self, changes: Map<String, Value>) -> Result<Self, TooLarge> {
        let mut members = self.0.clone();
        for (name, value) in changes {
            if value.is_null() {
                members.remove(&name);
            } else {
                members.insert(name, value);
            }
        }
        Self::new(members)
    }

    /// One member.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// One member, when it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// One member, when it is an instant.
    pub fn instant(&self, name: &str) -> Option<Timestamp> {
        self.text(name)
            .and_then(|text| Timestamp::from_str(text).ok())
    }

    /// All members.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The members as JSON text, as the store keeps them.
    pub fn to_text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// Reads back what [`Properties::to_text`] wrote; `None` when it did not write it.
    pub fn from_text(text: &str) -> Option<Self> {
        match serde_json::from_str(text) {
            Ok(Value::Object(members)) => Some(Self(members)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn properties(value: &Value) -> Properties {
        Properties::new(value.as_object().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_change_replaces_adds_and_removes_single_members() {
        let before = properties(&json!({"a": 1, "b": {"c": 1}, "d": 2}));
        let change = json!({"a": null, "b": {"e": 2}, "f": 3})
            .as_object()
            .unwrap()
            .clone();
        assert_eq!(
            before.merged(change).unwrap(),
            properties(&json!({"b": {"e": 2}, "d": 2, "f": 3}))
        );
    }

    #[test]
    fn too_many_bytes_are_refused() {
        let members = json!({"a": "x".repeat(SIZE_MAX)})
            .as_object()
            .unwrap()
            .clone();
        assert_eq!(Properties::new(members), Err(TooLarge));
    }

    #[test]
    fn stored_text_reads_back_equal() {
        let before =
            properties(&json!({"title": "Ünïcode \r\n\u{85}", "n": 1.5, "deep": [[{"x": null}]]}));
        assert_eq!(Properties::from_text(&before.to_text()), Some(before));
        assert_eq!(Properties::from_text("[]"), None);
    }
}
