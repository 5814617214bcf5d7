//! JSON from strangers, read strictly: bounded in depth and members, and no member given twice (RFC 8259 §4).
//!
//! `serde_json` alone keeps the last of two members with one name; two readers could then see two different requests.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How deeply arrays and objects may nest.
pub const DEPTH_MAX: usize = 32;
/// How many members and elements one document may have in all.
pub const MEMBERS_MAX: usize = 1_000;

/// Why a document was refused, in words for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotJson(String);

/// Reads one JSON document and nothing after it.
pub fn parse(text: &[u8]) -> Result<Value, NotJson> {
    let mut left = MEMBERS_MAX;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict {
        depth: 0,
        left: &mut left,
    }
    .deserialize(&mut reader)
    .and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| NotJson(error.to_string()))
}

struct Strict<'a> {
    depth: usize,
    left: &'a mut usize,
}

impl Strict<'_> {
    fn inner(&mut self) -> Strict<'_> {
        Strict {
            depth: self.depth + 1,
            left: self.left,
        }
    }

    /// One more member or element was read.
    fn count<E: Error>(&mut self) -> Result<(), E> {
        *self.left = self.left.checked_sub(1).ok_or_else(|| {
            E::custom(format_args!("more than {MEMBERS_MAX} members and elements"))
        })?;
        Ok(())
    }

    fn may_nest<E: Error>(&self) -> Result<(), E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom(format_args!(
                "nested more than {DEPTH_MAX} levels deep"
            )));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Value, A::Error> {
        self.may_nest()?;
        let mut list = Vec::new();
        while let Some(item) = sequence.next_element_seed(self.inner())? {
            self.count()?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        self.may_nest()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.inner())?;
            self.count()?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!(
                    "member {name:?} is given twice"
                )));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_member_given_twice_is_refused_at_any_depth() {
        assert!(refusal(r#"{"a":1,"a":2}"#).contains("\"a\" is given twice"));
        assert!(refusal(r#"{"o":[{"b":1,"\u0062":2}]}"#).contains("\"b\" is given twice"));
    }

    #[test]
    fn nesting_and_members_are_bounded() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(refusal(&nested(DEPTH_MAX + 1)).contains("levels deep"));
        assert!(refusal(&nested(100_000)).contains("levels deep"));
        let wide = |n: usize| format!("[{}]", vec!["1"; n].join(","));
        assert!(parse(wide(MEMBERS_MAX).as_bytes()).is_ok());
        let empty = |n: usize| format!("[{}]", vec!["[]"; n].join(","));
        assert!(
            parse(empty(MEMBERS_MAX).as_bytes()).is_ok(),
            "an empty array is one element"
        );
        assert!(refusal(&wide(MEMBERS_MAX + 1)).contains("more than 1000"));
    }

    #[test]
    fn what_is_no_json_is_told_where() {
        for text in ["", "{", "{\"a\":}", "{} {}", "nul", "\u{feff}{}"] {
            assert!(
                refusal(text).contains("line 1"),
                "{text:?}: {}",
                refusal(text)
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_accepted_means_what_serde_json_reads(text in r#"[\[\]{}",:a-c0-9 .eE+-]{0,40}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(Some(value), serde_json::from_str(&text).ok());
            }
        }
    }
}
