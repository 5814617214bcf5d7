//! The tokens the imitations gave out. They are forgotten when there are too many, and when the stand-ins stop.

use std::collections::VecDeque;
use std::fmt;

use super::genesys_cloud::Person;
use crate::kernel::Timestamp;

/// Whom a token speaks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holder {
    /// A client of its own.
    Client(&'static str),
    /// A person of Genesys Cloud.
    Person(&'static Person),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(id) => write!(f, "client {id}"),
            Self::Person(person) => f.write_str(person.name),
        }
    }
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// The API of Genesys Cloud.
    Genesys,
    /// Another token of Genesys Cloud.
    GenesysRefresh,
    /// Another token of Talkdesk.
    TalkdeskRefresh,
    /// Another token of NICE.
    NiceRefresh,
}

struct Token {
    value: String,
    good_for: Use,
    holder: Holder,
    until: Timestamp,
}

/// The tokens that are good.
#[derive(Default)]
pub(super) struct Issued(VecDeque<Token>);

impl Issued {
    /// Remembers a token.
    pub(super) fn add(&mut self, value: &str, good_for: Use, holder: Holder, until: Timestamp) {
        if self.0.len() >= AT_MOST {
            self.0.pop_front();
        }
        self.0.push_back(Token {
            value: value.to_owned(),
            good_for,
            holder,
            until,
        });
    }

    /// Whom a token speaks for that is good for this, and still is.
    pub(super) fn good(&self, value: &str, good_for: Use, now: Timestamp) -> Option<Holder> {
        let fits = |token: &&Token| token.value == value && token.good_for == good_for;
        let token = self.0.iter().find(fits);
        token
            .filter(|token| now < token.until)
            .map(|token| token.holder)
    }

    /// Whom a token was issued to, whatever it is good for.
    pub(super) fn holder(&self, value: &str) -> Option<Holder> {
        let token = self.0.iter().find(|token| token.value == value);
        token.map(|token| token.holder)
    }
}

const AT_MOST: usize = 10_000;
