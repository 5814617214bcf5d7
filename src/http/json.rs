//! JSON bodies, member by member, so that whoever sent a wrong one is told which member and what it must be.
//!
//! Members nobody asked for are ignored: real clients send them.

use serde_json::{Map, Value};

use super::Problem;
use crate::kernel::{Properties, json};

/// A JSON object a stranger sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    /// Reads a body strictly.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        match json::parse(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(Problem::bad_request("the body must be a JSON object")),
            Err(error) => Err(Problem::bad_request(format!(
                "the body is not valid JSON: {error}"
            ))),
        }
    }

    /// A member that is there and not `null`.
    fn given(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether a member is there and `null`.
    pub(super) fn is_null(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(Value::is_null)
    }

    /// Text, if given.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        value.as_str().map(Some).ok_or_else(|| wrong(name, "text"))
    }

    /// Text that must be given.
    pub(super) fn required_text(&self, name: &str) -> Result<&str, Problem> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A list of texts, if given.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Problem> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        let text = |one: &Value| one.as_str().map(str::to_owned);
        let list = value.as_array();
        let texts = list.and_then(|list| list.iter().map(text).collect());
        texts
            .map(Some)
            .ok_or_else(|| wrong(name, "a list of texts"))
    }

    /// A whole number, if given.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        value
            .as_i64()
            .map(Some)
            .ok_or_else(|| wrong(name, "a whole number"))
    }

    /// `true` or `false`; `false` if not given.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        let Some(value) = self.given(name) else {
            return Ok(false);
        };
        value.as_bool().ok_or_else(|| wrong(name, "true or false"))
    }

    /// `true` or `false`, if given.
    pub(super) fn choice(&self, name: &str) -> Result<Option<bool>, Problem> {
        let choice = |_| self.flag(name);
        self.given(name).map(choice).transpose()
    }

    /// An object, if given, to be read member by member.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, Problem> {
        let object = |_| self.required_object(name);
        self.given(name).map(object).transpose()
    }

    /// The members of an object of texts, if given.
    pub(super) fn text_members(&self, name: &str) -> Result<Option<Map<String, Value>>, Problem> {
        if self.given(name).is_none() {
            return Ok(None);
        }
        let members = self.required_members(name)?;
        if members.values().all(Value::is_string) {
            Ok(Some(members))
        } else {
            Err(wrong(name, "an object of texts"))
        }
    }

    /// The members of an object that must be given.
    pub(super) fn required_members(&self, name: &str) -> Result<Map<String, Value>, Problem> {
        let value = self.given(name).ok_or_else(|| missing(name))?;
        value
            .as_object()
            .cloned()
            .ok_or_else(|| wrong(name, "an object"))
    }

    /// An object that must be given, to be read member by member.
    pub(super) fn required_object(&self, name: &str) -> Result<Self, Problem> {
        self.required_members(name).map(Self)
    }

    /// An object that must be given and may be kept.
    pub(super) fn required_properties(&self, name: &str) -> Result<Properties, Problem> {
        Properties::new(self.required_members(name)?)
            .map_err(|error| Problem::bad_request(error.to_string()))
    }

    /// An identifier, if given.
    pub(super) fn id<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|error| Problem::bad_request(format!("{name} {error}")))
    }
}

fn missing(name: &str) -> Problem {
    Problem::bad_request(format!("{name} is required"))
}

fn wrong(name: &str, expected: &str) -> Problem {
    Problem::bad_request(format!("{name} must be {expected}"))
}
