//! One-time codes on their way to people, and what takes them there.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Answer, Purpose};
use crate::kernel::Secret;

/// How a code reaches a person. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Channel {
    /// A short message to a telephone.
    Sms,
    /// A spoken message to a telephone.
    Voice,
    /// An e-mail.
    Email,
}

impl Channel {
    /// Every channel, with the name contract A gives it.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::Sms, "SMS"),
        (Self::Voice, "VOICE"),
        (Self::Email, "EMAIL"),
    ];

    /// Its name in contract A.
    pub fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(channel, _)| *channel == self);
        known.map_or("", |(_, name)| name)
    }

    /// The channel of that name in contract A.
    pub fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(_, known)| *known == name);
        known.map(|(channel, _)| *channel)
    }
}

/// A language contract A lists for the texts of one-time codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct Locale(&'static str);

/// Contract A does not list that language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of the languages there are texts in")]
pub struct NoSuchLocale;

impl Locale {
    /// Every language, as contract A spells it but for `pt-BR`, which it misspells.
    pub const ALL: [Self; 36] = [
        Self("af"),
        Self("ar"),
        Self("ca"),
        Self("cs"),
        Self("da"),
        Self("de"),
        Self("el"),
        Self("en"),
        Self("en-GB"),
        Self("es"),
        Self("fi"),
        Self("fr"),
        Self("he"),
        Self("hi"),
        Self("hr"),
        Self("hu"),
        Self("id"),
        Self("it"),
        Self("ja"),
        Self("ko"),
        Self("ms"),
        Self("nb"),
        Self("nl"),
        Self("pl"),
        Self("pt"),
        Self("pt-BR"),
        Self("ro"),
        Self("ru"),
        Self("sv"),
        Self("th"),
        Self("tl"),
        Self("tr"),
        Self("vi"),
        Self("zh"),
        Self("zh-CN"),
        Self("zh-HK"),
    ];

    /// The language of whoever names none.
    pub const USUAL: Self = Self("en");

    /// As it is spelt.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl FromStr for Locale {
    type Err = NoSuchLocale;

    fn from_str(text: &str) -> Result<Self, NoSuchLocale> {
        // Contract A's list has this one misspelt, so its clients send it so.
        let spelt = if text == "pr-BR" { "pt-BR" } else { text };
        let known = Self::ALL.into_iter().find(|known| known.0 == spelt);
        known.ok_or(NoSuchLocale)
    }
}

// By hand: what is derived would want text that lives for ever, because the type holds such.
impl<'de> Deserialize<'de> for Locale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl From<Locale> for String {
    fn from(locale: Locale) -> Self {
        locale.0.to_owned()
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One code for one person. It has no text: whoever takes it away writes that.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its identity: the same however often its delivery is tried.
    pub id: String,
    /// How it travels.
    pub channel: Channel,
    /// A telephone number (E.164) or an e-mail address.
    pub to: String,
    /// The code.
    pub code: Secret<String>,
    /// The language of its text.
    pub locale: Locale,
    /// Who sends it, as the text says.
    pub sender: String,
    /// How many minutes the code is still good for, rounded up.
    pub minutes: u32,
}

/// A message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Undelivered {
    /// Why, in words for the operator, without code and destination.
    pub reason: String,
    /// Whether trying again is of no use.
    pub is_final: bool,
}

/// Takes messages away.
pub trait Courier: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;

    /// Whom it asks, host and port, and for what; nothing where messages stay on this machine.
    fn asks(&self) -> Option<(String, Purpose)> {
        None
    }

    /// Takes one message away, or says why it could not, within a bounded time.
    fn deliver<'a>(&'a self, message: &'a Message) -> Answer<'a, Result<(), Undelivered>>;
}
