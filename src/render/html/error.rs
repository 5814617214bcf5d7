//! The page for whatever cannot be done: what happened and what to do, and for an administrator what was compared.
//!
//! A value from a request is shown with everything invisible in it made visible. It must not know why.

use askama::Template;

use super::words::{Part, TroubleWords, fill};
use super::{Language, Page, policy};

/// Something that cannot be done.
#[derive(Debug, Template)]
#[template(path = "error.html", config = "assets/pages/askama.toml")]
pub struct Error<'a> {
    /// The language of the page.
    pub language: Language,
    /// What happened.
    pub trouble: Trouble,
    /// What exactly, in English, for whoever runs the application.
    pub detail: Option<&'a str>,
    /// What was registered and what was received.
    pub comparison: Option<Comparison<'a>>,
    /// The request's id, which the log knows.
    pub request_id: &'a str,
}

/// What can happen to somebody who only followed a link or pressed a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The request is not one we can answer.
    InvalidRequest,
    /// No client has that id.
    UnknownClient,
    /// The redirect URI is not one of the client's.
    Redirect,
    /// The form's token was too old, or its cookie was missing.
    Expired,
    /// The form came from another site.
    CrossSite,
    /// There is nothing at that address.
    NotFound,
    /// The address does not take that method.
    Method,
    /// Too many requests.
    TooMany,
    /// We cannot answer now.
    Unavailable,
    /// Something of ours broke.
    Internal,
}

impl Trouble {
    /// The trouble an HTTP status tells of.
    pub fn of_status(status: u16) -> Self {
        match status {
            403 => Self::CrossSite,
            404 | 410 => Self::NotFound,
            405 => Self::Method,
            429 => Self::TooMany,
            500 => Self::Internal,
            501..=599 => Self::Unavailable,
            _ => Self::InvalidRequest,
        }
    }
}

/// A parameter whose value is none of those that are registered.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// The values that would have done.
    pub registered: &'a [&'a str],
    /// The one that came.
    pub received: &'a str,
}

impl Comparison<'_> {
    /// The received value as far as it agrees with a registered one, and from where it no longer does.
    fn parted(&self) -> (&str, &str) {
        let lengths = self
            .registered
            .iter()
            .map(|value| agreement(value, self.received));
        let end = lengths.max().unwrap_or_default();
        self.received.split_at_checked(end).unwrap_or_default()
    }
}

/// How many bytes of `received` agree with `registered` from the start.
fn agreement(registered: &str, received: &str) -> usize {
    let pairs = registered.chars().zip(received.chars());
    let same = pairs.take_while(|(ours, theirs)| ours == theirs);
    same.map(|(c, _)| c.len_utf8()).sum()
}

impl Error<'_> {
    /// The page.
    pub fn page(&self) -> Page {
        Page::of(self, policy::closed())
    }

    fn title(&self) -> &'static str {
        &self.trouble_words().title
    }

    fn words(&self) -> &'static str {
        &self.trouble_words().words
    }

    fn trouble_words(&self) -> &'static TroubleWords {
        let words = &self.language.words().error;
        match self.trouble {
            Trouble::InvalidRequest => &words.invalid_request,
            Trouble::UnknownClient => &words.unknown_client,
            Trouble::Redirect => &words.redirect,
            Trouble::Expired => &words.expired,
            Trouble::CrossSite => &words.cross_site,
            Trouble::NotFound => &words.not_found,
            Trouble::Method => &words.method,
            Trouble::TooMany => &words.too_many,
            Trouble::Unavailable => &words.unavailable,
            Trouble::Internal => &words.internal,
        }
    }

    fn request_words(&self) -> Vec<Part<'_>> {
        let sentence = &self.language.words().error.request;
        fill(sentence, &[("id", self.request_id)])
    }
}

/// The value as people can compare it: a character that is not printable ASCII stands as its code, because many look
/// alike, turn the direction or cannot be seen.
fn shown(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars().take(LONGEST_SHOWN) {
        if c == ' ' || c.is_ascii_graphic() {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    if value.chars().nth(LONGEST_SHOWN).is_some() {
        out.push('…');
    }
    out
}

/// A received value may fill a request; nobody compares more by eye.
const LONGEST_SHOWN: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_marks_where_the_closest_value_ends() {
        let registered = ["https://a.example/cb", "https://app.example/callback"];
        let cases = [
            (
                "https://app.example/callback/",
                "https://app.example/callback",
                "/",
            ),
            ("https://app.example/call", "https://app.example/call", ""),
            ("https://ä.example", "https://", "ä.example"),
            ("x", "", "x"),
        ];
        for (received, same, other) in cases {
            let comparison = Comparison {
                registered: &registered,
                received,
            };
            assert_eq!(comparison.parted(), (same, other));
        }
    }

    #[test]
    fn what_cannot_be_seen_or_told_apart_is_shown_as_its_code() {
        assert_eq!(
            shown("a \u{202e}b\u{430}\r\n"),
            "a \\u{202e}b\\u{430}\\u{d}\\u{a}"
        );
        assert_eq!(shown(&"x".repeat(5000)).chars().count(), LONGEST_SHOWN + 1);
    }
}
