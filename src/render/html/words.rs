//! The words of the pages: one file a language, all with the keys and placeholders of the first.
//!
//! A sentence is filled in one pass into parts, so that a page can set apart what was put in, and a value that looks
//! like a placeholder stays what it is. It must not know HTML.

use std::iter;
use std::sync::LazyLock;

use serde::Deserialize;

/// The language of whoever names none that we have.
const FIRST: (&str, &str) = ("en", include_str!("../../../assets/texts/en.toml"));

/// The others. A new language is a file and a line.
const OTHERS: &[(&str, &str)] = &[
    ("de", include_str!("../../../assets/texts/de.toml")),
    ("el", include_str!("../../../assets/texts/el.toml")),
];

/// One language, and everything we say in it.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) tag: &'static str,
    pub(super) words: Words,
}

static FIRST_BOOK: LazyLock<Book> = LazyLock::new(|| Book::read(FIRST));
static OTHER_BOOKS: LazyLock<Vec<Book>> =
    LazyLock::new(|| OTHERS.iter().copied().map(Book::read).collect());

impl Book {
    /// A file that cannot be read leaves its pages without words; a test reads them all.
    fn read((tag, text): (&'static str, &str)) -> Self {
        let words = toml::from_str(text).unwrap_or_default();
        Self { tag, words }
    }
}

/// The language to fall back on.
pub(super) fn first() -> &'static Book {
    &FIRST_BOOK
}

/// Every language there is.
pub(super) fn all() -> impl Iterator<Item = &'static Book> {
    iter::once(first()).chain(OTHER_BOOKS.iter())
}

/// A piece of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) text: &'a str,
    /// It was put in, and may be anything.
    pub(super) given: bool,
}

/// The sentence with its placeholders filled.
pub(super) fn fill<'a>(sentence: &'a str, values: &[(&str, &'a str)]) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let mut rest = sentence;
    while let Some((before, name, after)) = placeholder(rest) {
        let value = values.iter().find(|(known, _)| *known == name);
        parts.push(own(before));
        parts.extend(value.map(|(_, text)| Part { text, given: true }));
        rest = after;
    }
    parts.push(own(rest));
    parts.retain(|part| !part.text.is_empty());
    parts
}

/// What stands before the first placeholder, its name, and the rest.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

fn own(text: &str) -> Part<'_> {
    Part { text, given: false }
}

/// A file of words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) page: PageWords,
    pub(super) sign_in: SignInWords,
    pub(super) change_password: ChangePasswordWords,
    pub(super) consent: ConsentWords,
    pub(super) confirm_sign_out: ConfirmSignOutWords,
    pub(super) signed_in: SignedInWords,
    pub(super) signed_out: SignedOutWords,
    pub(super) form_post: FormPostWords,
    pub(super) error: ErrorWords,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageWords {
    pub(super) direction: String,
    pub(super) problem: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInWords {
    pub(super) title: String,
    pub(super) client: String,
    pub(super) user_name: String,
    pub(super) password: String,
    pub(super) tenant: String,
    pub(super) tenant_hint: String,
    pub(super) submit: String,
    pub(super) wrong: String,
    pub(super) unavailable: String,
    pub(super) form_expired: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangePasswordWords {
    pub(super) title: String,
    pub(super) lead: String,
    pub(super) user_name: String,
    pub(super) old: String,
    pub(super) new: String,
    pub(super) new_hint: String,
    pub(super) again: String,
    pub(super) submit: String,
    pub(super) wrong_old: String,
    pub(super) too_short: String,
    pub(super) too_long: String,
    pub(super) same: String,
    pub(super) from_name: String,
    pub(super) unreadable: String,
    pub(super) common: String,
    pub(super) differs: String,
    pub(super) unavailable: String,
    pub(super) form_expired: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsentWords {
    pub(super) title: String,
    pub(super) lead: String,
    pub(super) user: String,
    pub(super) destination: String,
    pub(super) submit: String,
    pub(super) cancel: String,
    pub(super) scopes: ScopeWords,
}

/// What a client may do, as the end of the sentence "it would like to".
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeWords {
    pub(super) openid: String,
    pub(super) profile: String,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) address: String,
    pub(super) offline_access: String,
    pub(super) everything: String,
    pub(super) other: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmSignOutWords {
    pub(super) title: String,
    pub(super) lead: String,
    pub(super) yes: String,
    pub(super) no: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedInWords {
    pub(super) title: String,
    pub(super) lead: String,
    pub(super) sign_out: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedOutWords {
    pub(super) title: String,
    pub(super) lead: String,
    pub(super) sign_in: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FormPostWords {
    pub(super) title: String,
    pub(super) lead: String,
    pub(super) submit: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorWords {
    pub(super) administrator: String,
    pub(super) registered: String,
    pub(super) received: String,
    pub(super) nothing: String,
    pub(super) request: String,
    pub(super) invalid_request: TroubleWords,
    pub(super) unknown_client: TroubleWords,
    pub(super) redirect: TroubleWords,
    pub(super) expired: TroubleWords,
    pub(super) cross_site: TroubleWords,
    pub(super) not_found: TroubleWords,
    pub(super) method: TroubleWords,
    pub(super) too_many: TroubleWords,
    pub(super) unavailable: TroubleWords,
    pub(super) internal: TroubleWords,
}

/// What happened, and what to do about it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TroubleWords {
    pub(super) title: String,
    pub(super) words: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    /// Every key with the placeholders of its text, in order of their names.
    fn keys(table: &toml::Table, above: &str, found: &mut BTreeMap<String, Vec<String>>) {
        for (key, value) in table {
            let path = format!("{above}.{key}");
            if let Some(inner) = value.as_table() {
                keys(inner, &path, found);
                continue;
            }
            let mut text = value.as_str().unwrap();
            assert_eq!(text, text.trim(), "{path}");
            assert!(!text.is_empty(), "{path}");
            let mut names = Vec::new();
            while let Some((_, name, after)) = placeholder(text) {
                names.push(name.to_owned());
                text = after;
            }
            names.sort();
            found.insert(path, names);
        }
    }

    fn keys_of(text: &str) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        keys(&text.parse().unwrap(), "", &mut found);
        found
    }

    #[test]
    fn every_language_has_the_keys_and_placeholders_of_english() {
        let english = keys_of(FIRST.1);
        for (tag, text) in OTHERS {
            assert_eq!(keys_of(text), english, "{tag}");
        }
        for (tag, text) in iter::once(&FIRST).chain(OTHERS) {
            let words: Words = toml::from_str(text).unwrap();
            assert!(
                ["ltr", "rtl"].contains(&words.page.direction.as_str()),
                "{tag}"
            );
        }
    }

    #[test]
    fn every_file_of_words_is_a_language() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/texts");
        let mut files: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let mut tags: Vec<String> = all().map(|book| format!("{}.toml", book.tag)).collect();
        tags.sort();
        assert_eq!(files, tags);
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_is_left_alone() {
        let parts = fill("{a} and {b}.", &[("a", "{b}"), ("b", "")]);
        let expected = [("{b}", true), (" and ", false), (".", false)];
        assert_eq!(parts, expected.map(|(text, given)| Part { text, given }));
    }
}
