//! The texts of one-time codes: one file a language, by channel.
//!
//! Serves the languages of contract A. A text is filled in one pass, so that a sender that looks like a placeholder stays
//! what it is. Files are written so that a code never stands beside what could reorder it (Unicode Standard Annex #9).

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::ports::{Locale, Message};

/// A short message: one line of plain text.
pub fn short(message: &Message) -> String {
    fill(&words(message.locale).sms, message, message.code.expose())
}

/// What is said on the telephone: the code digit by digit, twice.
pub fn spoken(message: &Message) -> String {
    let digits: Vec<String> = message.code.expose().chars().map(String::from).collect();
    fill(&words(message.locale).voice, message, &digits.join(", "))
}

/// An e-mail's subject, which does not say the code.
pub fn subject(message: &Message) -> String {
    fill(&words(message.locale).subject, message, "")
}

/// An e-mail's plain text.
pub fn body(message: &Message) -> String {
    fill(&words(message.locale).body, message, message.code.expose())
}

/// A file of texts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    sms: String,
    voice: String,
    subject: String,
    body: String,
}

static BOOKS: LazyLock<Vec<(&str, Words)>> = LazyLock::new(|| {
    let read = |(tag, text): &(&'static str, &str)| {
        // A file that cannot be read leaves its messages without words; a test reads them all.
        (*tag, toml::from_str(text).unwrap_or_default())
    };
    FILES.iter().map(read).collect()
});

static NONE: LazyLock<Words> = LazyLock::new(Words::default);

fn words(locale: Locale) -> &'static Words {
    let find = |tag| BOOKS.iter().find(|(known, _)| *known == tag);
    let found = find(locale.as_str()).or_else(|| find(Locale::USUAL.as_str()));
    found.map_or(&NONE, |(_, words)| words)
}

fn fill(text: &str, message: &Message, code: &str) -> String {
    let minutes = message.minutes.to_string();
    let mut filled = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, name, after)) = placeholder(rest) {
        filled.push_str(before);
        filled.push_str(match name {
            "sender" => &message.sender,
            "code" => code,
            "minutes" => &minutes,
            _ => "",
        });
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// What stands before the first placeholder, its name, and the rest.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// Every language of contract A.
const FILES: &[(&str, &str)] = &[
    ("af", include_str!("../../assets/messages/af.toml")),
    ("ar", include_str!("../../assets/messages/ar.toml")),
    ("ca", include_str!("../../assets/messages/ca.toml")),
    ("cs", include_str!("../../assets/messages/cs.toml")),
    ("da", include_str!("../../assets/messages/da.toml")),
    ("de", include_str!("../../assets/messages/de.toml")),
    ("el", include_str!("../../assets/messages/el.toml")),
    ("en", include_str!("../../assets/messages/en.toml")),
    ("en-GB", include_str!("../../assets/messages/en-GB.toml")),
    ("es", include_str!("../../assets/messages/es.toml")),
    ("fi", include_str!("../../assets/messages/fi.toml")),
    ("fr", include_str!("../../assets/messages/fr.toml")),
    ("he", include_str!("../../assets/messages/he.toml")),
    ("hi", include_str!("../../assets/messages/hi.toml")),
    ("hr", include_str!("../../assets/messages/hr.toml")),
    ("hu", include_str!("../../assets/messages/hu.toml")),
    ("id", include_str!("../../assets/messages/id.toml")),
    ("it", include_str!("../../assets/messages/it.toml")),
    ("ja", include_str!("../../assets/messages/ja.toml")),
    ("ko", include_str!("../../assets/messages/ko.toml")),
    ("ms", include_str!("../../assets/messages/ms.toml")),
    ("nb", include_str!("../../assets/messages/nb.toml")),
    ("nl", include_str!("../../assets/messages/nl.toml")),
    ("pl", include_str!("../../assets/messages/pl.toml")),
    ("pt", include_str!("../../assets/messages/pt.toml")),
    ("pt-BR", include_str!("../../assets/messages/pt-BR.toml")),
    ("ro", include_str!("../../assets/messages/ro.toml")),
    ("ru", include_str!("../../assets/messages/ru.toml")),
    ("sv", include_str!("../../assets/messages/sv.toml")),
    ("th", include_str!("../../assets/messages/th.toml")),
    ("tl", include_str!("../../assets/messages/tl.toml")),
    ("tr", include_str!("../../assets/messages/tr.toml")),
    ("vi", include_str!("../../assets/messages/vi.toml")),
    ("zh", include_str!("../../assets/messages/zh.toml")),
    ("zh-CN", include_str!("../../assets/messages/zh-CN.toml")),
    ("zh-HK", include_str!("../../assets/messages/zh-HK.toml")),
];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::domain::ports::Channel;
    use crate::kernel::Secret;

    fn message(locale: &str) -> Message {
        Message {
            id: "m".into(),
            channel: Channel::Sms,
            to: "+302101234567".into(),
            code: Secret::new("40718263".into()),
            locale: locale.parse().unwrap(),
            sender: "Acme Support Desk 24".into(),
            minutes: 10,
        }
    }

    fn placeholders(mut text: &str) -> Vec<&str> {
        let mut names = Vec::new();
        while let Some((_, name, after)) = placeholder(text) {
            names.push(name);
            text = after;
        }
        names.sort_unstable();
        names
    }

    /// 3GPP TS 23.038 §6.2.1, without the extension table, of which no text has a character.
    fn is_gsm(c: char) -> bool {
        c.is_ascii_alphanumeric()
            || "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà\n\r".contains(c)
    }

    fn has(text: &str, from: char, to: char) -> bool {
        text.chars().any(|c| (from..=to).contains(&c))
    }

    #[test]
    fn every_language_has_all_four_texts_with_their_placeholders_and_no_others() {
        let tags: Vec<&str> = FILES.iter().map(|(tag, _)| *tag).collect();
        let all: Vec<&str> = Locale::ALL.iter().map(|locale| locale.as_str()).collect();
        assert_eq!(tags, all);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/messages");
        let files = fs::read_dir(folder).unwrap();
        assert_eq!(files.count(), all.len());
        for (tag, text) in FILES {
            let words: Words = toml::from_str(text).unwrap();
            assert_eq!(
                placeholders(&words.sms),
                ["code", "minutes", "sender"],
                "{tag}"
            );
            assert_eq!(
                placeholders(&words.voice),
                ["code", "code", "sender"],
                "{tag}"
            );
            assert_eq!(placeholders(&words.subject), ["sender"], "{tag}");
            assert_eq!(
                placeholders(&words.body),
                ["code", "minutes", "sender"],
                "{tag}"
            );
            for text in [&words.sms, &words.voice, &words.subject, &words.body] {
                assert_eq!(
                    text.matches(['{', '}']).count(),
                    2 * placeholders(text).len(),
                    "{tag}"
                );
                assert!(!text.contains("http") && !text.contains("//"), "{tag}");
            }
            for line in [&words.sms, &words.voice, &words.subject] {
                assert!(
                    !line.contains(char::is_control) && line.trim() == line,
                    "{tag}: {line}"
                );
            }
            assert!(
                words.body.lines().count() >= 4 && words.body.ends_with('\n'),
                "{tag}"
            );
        }
    }

    #[test]
    fn a_short_message_is_one_part() {
        for locale in Locale::ALL {
            let text = short(&message(locale.as_str()));
            let units = text.encode_utf16().count();
            let most = if text.chars().all(is_gsm) { 160 } else { 70 };
            assert!(units <= most, "{locale}: {units} of {most}: {text}");
        }
    }

    #[test]
    fn every_text_is_in_its_languages_script() {
        let scripts = [
            ("el", 'α', 'ω'),
            ("ar", '\u{620}', '\u{64a}'),
            ("he", '\u{5d0}', '\u{5ea}'),
            ("ru", 'а', 'я'),
            ("th", '\u{e01}', '\u{e2e}'),
            ("hi", '\u{905}', '\u{939}'),
            ("ja", '\u{3041}', '\u{3096}'),
            ("ko", '\u{ac00}', '\u{d7a3}'),
            ("zh", '\u{4e00}', '\u{9fff}'),
            ("zh-CN", '\u{4e00}', '\u{9fff}'),
            ("zh-HK", '\u{4e00}', '\u{9fff}'),
        ];
        for locale in Locale::ALL {
            let message = message(locale.as_str());
            let texts = [
                short(&message),
                spoken(&message),
                subject(&message),
                body(&message),
            ];
            for text in texts {
                assert!(text.contains("Acme Support Desk 24"), "{locale}: {text}");
                for (tag, from, to) in scripts {
                    let family = tag.split('-').next() == locale.as_str().split('-').next();
                    // Japanese has Chinese characters too.
                    let allowed = family || (tag.starts_with("zh") && locale.as_str() == "ja");
                    assert!(
                        allowed || !has(&text, from, to),
                        "{locale} in {tag}: {text}"
                    );
                    assert!(
                        !family || has(&text, from, to),
                        "{locale} not in {tag}: {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn chinese_is_traditional_in_hong_kong_and_simplified_elsewhere() {
        for (tag, own, other) in [
            ("zh", "验证码", "驗證碼"),
            ("zh-CN", "验证码", "驗證碼"),
            ("zh-HK", "驗證碼", "验证码"),
        ] {
            let message = message(tag);
            for text in [
                short(&message),
                spoken(&message),
                subject(&message),
                body(&message),
            ] {
                assert!(text.contains(own) && !text.contains(other), "{tag}: {text}");
            }
        }
    }

    #[test]
    fn a_code_is_said_digit_by_digit_and_twice() {
        for locale in Locale::ALL {
            let said = spoken(&message(locale.as_str()));
            assert_eq!(
                said.matches("4, 0, 7, 1, 8, 2, 6, 3").count(),
                2,
                "{locale}: {said}"
            );
        }
    }

    #[test]
    fn a_code_stays_readable_where_text_runs_from_the_right() {
        for (tag, from, to) in [("ar", '\u{620}', '\u{64a}'), ("he", '\u{5d0}', '\u{5ea}')] {
            let message = message(tag);
            assert!(body(&message).contains("\n\u{2066}40718263\u{2069}\n"));
            // Letters of the text's own direction on both sides: neither sender nor minutes can join the code's run.
            let text = short(&message);
            let (before, after) = text.split_once(" 40718263 ").unwrap();
            assert!(before.ends_with(|c| (from..=to).contains(&c)), "{text}");
            assert!(after.starts_with(|c| (from..=to).contains(&c)), "{text}");
            assert!(text.starts_with(|c| (from..=to).contains(&c)), "{text}");
        }
    }

    #[test]
    fn a_sender_that_looks_like_a_placeholder_stays_what_it_is() {
        let mut message = message("en");
        message.sender = "{code} {x}".into();
        let text = short(&message);
        assert!(
            text.starts_with("{code} {x}: your code is 40718263."),
            "{text}"
        );
    }
}
