//! Which language a page is written in: the best of ours for what a reader asks for (RFC 4647 §3.4).
//!
//! `ui_locales` of a request comes first (OpenID Connect Core §3.1.2.1), then `Accept-Language` (RFC 9110 §12.5.4).
//! Whatever they hold, there is an answer: neither is worth an error.

use super::words::{self, Book, Words};

/// A language we have words in.
#[derive(Debug, Clone, Copy)]
pub struct Language(&'static Book);

impl Language {
    /// The best language for a reader who wants those of `ui_locales`, or else those of `accept_language`.
    pub fn negotiate(ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        let wanted = ui_locales.unwrap_or_default();
        let mut wanted = wanted.split_ascii_whitespace().take(MOST_RANGES);
        wanted
            .find_map(lookup)
            .or_else(|| accepted(accept_language?))
            .unwrap_or_default()
    }

    /// The language as RFC 5646 writes it, for `lang` and `Content-Language`.
    pub fn tag(self) -> &'static str {
        self.0.tag
    }

    pub(super) fn words(self) -> &'static Words {
        &self.0.words
    }
}

impl Default for Language {
    fn default() -> Self {
        Self(words::first())
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.tag() == other.tag()
    }
}

impl Eq for Language {}

/// The heaviest range that is ours; of equal ones the first.
fn accepted(header: &str) -> Option<Language> {
    let ranges = header.split(',').take(MOST_RANGES).filter_map(weighed);
    let mut ranges: Vec<(&str, u16)> = ranges.collect();
    ranges.sort_by_key(|(_, weight)| u16::MAX - weight);
    ranges.into_iter().find_map(|(range, _)| match range {
        "*" => Some(Language::default()),
        _ => lookup(range),
    })
}

/// A range and its weight in thousandths (RFC 9110 §12.4.2), unless it is unwanted or not one.
fn weighed(part: &str) -> Option<(&str, u16)> {
    let Some((range, weight)) = part.split_once(';') else {
        return Some((part.trim(), 1000));
    };
    let (name, value) = weight.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let value = value.trim();
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    let weight = match whole {
        "1" => 1000,
        "0" if thousandths > 0 => thousandths,
        _ => return None,
    };
    Some((range.trim(), weight))
}

/// The range itself, or with its last subtags taken off one by one.
fn lookup(range: &str) -> Option<Language> {
    let mut range = range;
    loop {
        let found = words::all().find(|book| book.tag.eq_ignore_ascii_case(range));
        if let Some(book) = found {
            return Some(Language(book));
        }
        (range, _) = range.rsplit_once('-')?;
    }
}

/// Nobody reads more languages; the rest of a long list is not looked at.
const MOST_RANGES: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_language_is_the_first_of_ours_that_is_wanted_most() {
        let cases = [
            (None, None, "en"),
            (Some("de"), Some("el"), "de"),
            (Some("de-AT-1996 el"), None, "de"),
            (Some("fr it"), Some("el"), "el"),
            (Some("  "), Some("EL-gr"), "el"),
            (None, Some("fr;q=1, de;q=0.7, el;q=0.8"), "el"),
            (None, Some("de;q=0.5,en;q=0.5"), "de"),
            (None, Some("fr-CH, fr;q=0.9, *;q=0.5"), "en"),
            (None, Some("de;q=0, el;q=0.001"), "el"),
            (None, Some("de;q=0.0, *"), "en"),
            (None, Some("de ; q = 0.4 , el"), "el"),
            (None, Some("de;q=2, el;q=1.0001, en"), "en"),
            (None, Some("de;level=1"), "en"),
            (None, Some("deutsch, d, -, ;;;, q=1"), "en"),
        ];
        for (ui_locales, accept, expected) in cases {
            let language = Language::negotiate(ui_locales, accept);
            assert_eq!(language.tag(), expected, "{ui_locales:?} {accept:?}");
        }
    }

    #[test]
    fn a_long_list_is_not_read_to_its_end() {
        let many = format!("{}de", "xx,".repeat(100));
        assert_eq!(Language::negotiate(None, Some(&many)).tag(), "en");
        let many = many.replace(',', " ");
        assert_eq!(Language::negotiate(Some(&many), None).tag(), "en");
    }

    proptest! {
        #[test]
        fn whatever_is_asked_there_is_a_language(ui in any::<String>(), accept in "[a-z*;=q0-9., -]{0,60}") {
            let language = Language::negotiate(Some(&ui), Some(&accept));
            prop_assert!(words::all().any(|book| book.tag == language.tag()));
        }
    }
}
