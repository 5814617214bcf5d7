//! Where codes may be sent: the grammar of numbers and addresses, and the ranges that cost too much (S15).
//!
//! Knows nothing of counting; see `budget`. A message goes to the address as it was given, but addresses that differ in
//! case alone are one destination, as they are one mailbox nearly everywhere; a number has one spelling, that of E.164.

use std::fmt;

use super::Error;
use crate::domain::policy::CodePolicy;
use crate::domain::ports::Channel;

/// A telephone number or an e-mail address a code can be sent to. It has no `Debug`: nothing logs one.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Destination {
    text: String,
}

impl Destination {
    /// Reads what `channel` can reach.
    pub(super) fn parse(channel: Channel, text: &str) -> Result<Self, Error> {
        let (fits, words) = match channel {
            Channel::Sms | Channel::Voice => (is_number(text), NO_NUMBER),
            Channel::Email => (is_address(text), NO_ADDRESS),
        };
        if !fits {
            return Err(Error::Invalid(words.into()));
        }
        let text = text.to_owned();
        Ok(Self { text })
    }

    /// As it was given.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What two spellings of one destination have in common.
    pub(super) fn canonical(text: &str) -> String {
        text.to_ascii_lowercase()
    }

    /// As it was given, but for the case of a domain, which means nothing (RFC 5321 §2.4).
    pub(super) fn spelling(&self) -> String {
        match self.text.rsplit_once('@') {
            Some((who, domain)) => format!("{who}@{}", domain.to_ascii_lowercase()),
            None => self.text.clone(),
        }
    }

    /// The number it is. An address may begin with a plus as well.
    fn number(&self) -> Option<&str> {
        let is_number = self.text.starts_with('+') && !self.text.contains('@');
        is_number.then_some(&self.text)
    }

    /// The country a number belongs to, such as `+30`; an address has none.
    pub(super) fn country(&self) -> Option<&str> {
        let number = self.number()?;
        self.island().or_else(|| country_code(number))
    }

    /// The prefix of a country that shares the code of North America.
    fn island(&self) -> Option<&str> {
        let area = self.text.strip_prefix("+1")?.get(..3)?;
        let is_island = ISLANDS.iter().any(|(island, _)| *island == area);
        self.text.get(.."+1242".len()).filter(|_| is_island)
    }

    /// A number without its last digits: what those have in common that are tried one after the other.
    pub(super) fn neighbourhood(&self) -> Option<&str> {
        let number = self.number()?;
        number.get(..number.len().checked_sub(LAST_DIGITS)?)
    }

    /// Whether the operator's rules and the prices of the world let it be sent to. The longest prefix that fits decides;
    /// of two that are alike the one that denies.
    pub(super) fn check(&self, policy: &CodePolicy) -> Result<(), Error> {
        if self.number().is_none() {
            return Ok(());
        }
        let longest = |prefixes: &[String]| {
            let fitting = prefixes.iter().filter(|one| self.text.starts_with(*one));
            fitting.map(String::len).max()
        };
        // Whoever means North America means no island: one that is meant is named.
        let named = self.island().map_or(0, str::len);
        let costly = COSTLY
            .iter()
            .filter(|(prefix, _)| self.text.starts_with(prefix));
        let costly = costly.max_by_key(|(prefix, _)| prefix.len());
        let allowed = longest(&policy.allowed_prefixes).filter(|allowed| *allowed >= named);
        if let Some((prefix, what)) = costly
            && allowed.is_none_or(|allowed| allowed <= prefix.len())
        {
            return Err(refused(format!(
                "no codes are sent to numbers that begin with {prefix}: {what}"
            )));
        }
        let denied = longest(&policy.denied_prefixes);
        match (allowed, denied) {
            (allowed, Some(denied)) if allowed.is_none_or(|allowed| allowed <= denied) => {
                let prefix = self.text.get(..denied).unwrap_or_default();
                Err(refused(format!(
                    "no codes are sent to numbers that begin with {prefix}"
                )))
            }
            (None, _) if !policy.allowed_prefixes.is_empty() => Err(refused(
                "codes are sent to some countries alone, and this number is of none of them".into(),
            )),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn refused(words: String) -> Error {
    Error::Refused(words)
}

const NO_NUMBER: &str = "to must be a telephone number as E.164 writes it: + and 8 to 15 digits, without the zero dialled within a country, such as +306912345678";
const NO_ADDRESS: &str = "to must be an e-mail address, such as alice@example.org";

/// How many of a number's last digits are let go by whoever looks for neighbours: a range of a thousand numbers.
const LAST_DIGITS: usize = 3;

/// E.164 §6: a country code, which never begins with a zero, and a number; 15 digits at most.
fn is_number(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else {
        return false;
    };
    (8..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
        && !has_trunk_zero(text)
}

/// Whether a number has the zero that is dialled within its country and that networks drop: without this check one
/// telephone would be two destinations.
fn has_trunk_zero(text: &str) -> bool {
    let Some(code) = country_code(text) else {
        return false;
    };
    let rest = text.get(code.len()..).unwrap_or_default();
    rest.starts_with('0') && !WITH_ZERO.iter().any(|(with, _)| *with == code)
}

/// The country code a number begins with, and the `+` before it.
fn country_code(text: &str) -> Option<&str> {
    let length = match text.strip_prefix('+')?.as_bytes() {
        [b'1' | b'7', ..] => 1,
        [first, second, ..] if TWO_DIGITS.contains(&[*first, *second]) => 2,
        _ => 3,
    };
    text.get(..=length)
}

/// RFC 5321 §4.1.2 without its quoted names and address literals, which nobody has and much mail software misreads.
fn is_address(text: &str) -> bool {
    let Some((who, domain)) = text.split_once('@') else {
        return false;
    };
    let atom = |part: &str| !part.is_empty() && part.bytes().all(is_atom);
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= 254 && who.len() <= 64 && who.split('.').all(atom) && domain.split('.').all(label)
}

/// RFC 5322 §3.2.3.
fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// Country codes of two digits (ITU-T E.164, list of assigned codes); 1 and 7 have one digit, all others three.
const TWO_DIGITS: &[[u8; 2]] = &[
    *b"20", *b"27", *b"30", *b"31", *b"32", *b"33", *b"34", *b"36", *b"39", *b"40", *b"41", *b"43",
    *b"44", *b"45", *b"46", *b"47", *b"48", *b"49", *b"51", *b"52", *b"53", *b"54", *b"55", *b"56",
    *b"57", *b"58", *b"60", *b"61", *b"62", *b"63", *b"64", *b"65", *b"66", *b"81", *b"82", *b"84",
    *b"86", *b"90", *b"91", *b"92", *b"93", *b"94", *b"95", *b"98",
];

/// Where the zero after the country code belongs to the number and is never dropped (national numbering plans as
/// notified to the ITU).
const WITH_ZERO: &[(&str, &str)] = &[
    ("+39", "Italy: 06 is Rome"),
    ("+378", "San Marino: 0549"),
    ("+379", "the Vatican, as Rome"),
    ("+225", "Côte d'Ivoire since 2021: 01, 05 and 07 are mobile"),
    ("+229", "Benin since 2024: all begin with 01"),
    (
        "+242",
        "the Republic of the Congo: 04, 05 and 06 are mobile",
    ),
];

/// Area codes of the North American Numbering Plan that are neither in the United States, their territories nor in
/// Canada: calls there cost as calls abroad do.
const ISLANDS: &[(&str, &str)] = &[
    ("242", "the Bahamas"),
    ("246", "Barbados"),
    ("264", "Anguilla"),
    ("268", "Antigua and Barbuda"),
    ("284", "the British Virgin Islands"),
    ("345", "the Cayman Islands"),
    ("441", "Bermuda"),
    ("473", "Grenada"),
    ("649", "the Turks and Caicos Islands"),
    ("658", "Jamaica"),
    ("664", "Montserrat"),
    ("721", "Sint Maarten"),
    ("758", "Saint Lucia"),
    ("767", "Dominica"),
    ("784", "Saint Vincent and the Grenadines"),
    ("809", "the Dominican Republic"),
    ("829", "the Dominican Republic"),
    ("849", "the Dominican Republic"),
    ("868", "Trinidad and Tobago"),
    ("869", "Saint Kitts and Nevis"),
    ("876", "Jamaica"),
];

/// Ranges that always cost much or reach nobody, whatever country is allowed. Whoever means one of them allows a longer
/// prefix.
const COSTLY: &[(&str, &str)] = &[
    // Without a country (ITU-T E.164, list of assigned codes).
    ("+979", PREMIUM),
    ("+808", SHARED),
    ("+870", SATELLITE),
    ("+881", SATELLITE),
    ("+882", NETWORKS),
    ("+883", NETWORKS),
    ("+878", PERSONAL),
    ("+888", "a global range without subscribers"),
    // North America: area code 900.
    ("+1900", PREMIUM),
    // Greece: 90x; 801 and its like.
    ("+3090", PREMIUM),
    ("+30801", SHARED),
    // The Netherlands: 0900, 0906, 0909.
    ("+31900", PREMIUM),
    ("+31906", PREMIUM),
    ("+31909", PREMIUM),
    // Belgium: 090x.
    ("+3290", PREMIUM),
    // France: 089; 081 and 082.
    ("+3389", PREMIUM),
    ("+3381", SHARED),
    ("+3382", SHARED),
    // Spain: 803, 806, 807, 905; 901 and 902.
    ("+34803", PREMIUM),
    ("+34806", PREMIUM),
    ("+34807", PREMIUM),
    ("+34905", PREMIUM),
    ("+34901", SHARED),
    ("+34902", SHARED),
    // Portugal: 760 to 762.
    ("+351760", PREMIUM),
    ("+351761", PREMIUM),
    ("+351762", PREMIUM),
    // Ireland: 15xx.
    ("+35315", PREMIUM),
    // Finland: 0600, 0700.
    ("+358600", PREMIUM),
    ("+358700", PREMIUM),
    // Hungary: 06 90.
    ("+3690", PREMIUM),
    // Italy: 89x; 84x and 199.
    ("+3989", PREMIUM),
    ("+3984", SHARED),
    ("+39199", SHARED),
    // Switzerland: 0900, 0901, 0906; 084x.
    ("+41900", PREMIUM),
    ("+41901", PREMIUM),
    ("+41906", PREMIUM),
    ("+4184", SHARED),
    // Czechia: 90x.
    ("+42090", PREMIUM),
    // Austria: 0900, 0901, 0930, 0931; 0810, 0820, 0821.
    ("+43900", PREMIUM),
    ("+43901", PREMIUM),
    ("+43930", PREMIUM),
    ("+43931", PREMIUM),
    ("+43810", SHARED),
    ("+43820", SHARED),
    ("+43821", SHARED),
    // The United Kingdom: 09; 087 and 084; 070, which looks like a mobile telephone and is none.
    ("+449", PREMIUM),
    ("+4487", PREMIUM),
    ("+4484", SHARED),
    ("+4470", PERSONAL),
    // Denmark: 90.
    ("+4590", PREMIUM),
    // Sweden: 0900, 0939, 0944.
    ("+46900", PREMIUM),
    ("+46939", PREMIUM),
    ("+46944", PREMIUM),
    // Norway: 82x.
    ("+4782", PREMIUM),
    // Poland: 70x; 801.
    ("+4870", PREMIUM),
    ("+48801", SHARED),
    // Germany: 0900; 0137 and 0180; 0700.
    ("+49900", PREMIUM),
    ("+49137", SHARED),
    ("+49180", SHARED),
    ("+49700", PERSONAL),
    // Australia: 190x.
    ("+61190", PREMIUM),
    // New Zealand: 0900.
    ("+64900", PREMIUM),
    // Russia: 809.
    ("+7809", PREMIUM),
    // Türkiye: 0900.
    ("+90900", PREMIUM),
];

const PREMIUM: &str = "they are charged at a premium rate";
const SHARED: &str = "their cost is shared with whoever calls";
const SATELLITE: &str = "they are satellite telephones";
const NETWORKS: &str = "they belong to international networks, most of them satellites";
const PERSONAL: &str = "they are personal numbers, which lead anywhere";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Destination {
        Destination::parse(Channel::Sms, text).ok().unwrap()
    }

    fn rules(allowed: &[&str], denied: &[&str]) -> CodePolicy {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        CodePolicy {
            allowed_prefixes: owned(allowed),
            denied_prefixes: owned(denied),
            ..CodePolicy::default()
        }
    }

    #[test]
    fn a_number_is_as_e_164_writes_it() {
        for text in [
            "+306957206309",
            "+12025550123",
            "+12345678",
            "+123456789012345",
        ] {
            assert!(is_number(text), "{text}");
        }
        for text in [
            "",
            "+",
            "306957206309",
            "+1234567",
            "+1234567890123456",
            "+30 6957206309",
            "+30-6957206309",
            "+0306957206309",
            "00306957206309",
            "+30695720630x",
            "+３０６９５７２０６３０９",
            "+306957206309\n",
            "tel:+306957206309",
            "++306957206309",
            "alice@example.org",
        ] {
            assert!(!is_number(text), "{text:?}");
            assert!(
                Destination::parse(Channel::Voice, text).is_err(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_address_has_one_at_sign_and_nothing_that_could_be_a_second_header() {
        let long = format!("{}@example.org", "a".repeat(64));
        for text in [
            "alice@example.org",
            "a.b+tag@localhost",
            "o'neil@xn--bcher-kva.example",
            &long,
        ] {
            assert!(is_address(text), "{text}");
        }
        let too_long = format!("{}@example.org", "a".repeat(65));
        let whole = format!("a@{}", vec!["b".repeat(60); 5].join("."));
        for text in [
            "",
            "@",
            "alice",
            "alice@",
            "@example.org",
            "a@b@c",
            "a b@example.org",
            "a@exa mple.org",
            "a@example.org\r\nBcc: b@example.org",
            "a\u{0}@example.org",
            "<a@example.org>",
            "a@example.org,b@example.org",
            ".a@example.org",
            "a..b@example.org",
            "a@.org",
            "a@-example.org",
            "a@[127.0.0.1]",
            "\"a b\"@example.org",
            "a@exam\u{202e}ple.org",
            "+306957206309",
            &too_long,
            &whole,
        ] {
            assert!(!is_address(text), "{text:?}");
        }
    }

    #[test]
    fn addresses_that_differ_in_case_are_counted_as_one_and_kept_as_they_were_given() {
        assert_eq!(Destination::canonical("Al@Example.ORG"), "al@example.org");
        let mail = Destination::parse(Channel::Email, "Al@Example.ORG");
        let mail = mail.ok().unwrap();
        assert_eq!(
            (mail.text(), mail.spelling().as_str()),
            ("Al@Example.ORG", "Al@example.org")
        );
    }

    #[test]
    fn a_zero_after_the_country_code_makes_no_second_destination_of_a_number() {
        for text in [
            "+3006957206309",
            "+4407911123456",
            "+49015112345678",
            "+102025550123",
            "+35709912345",
        ] {
            assert!(!is_number(text), "{text}");
        }
        for text in [
            "+390612345678",
            "+3780549123456",
            "+37906698123",
            "+2250712345678",
            "+2290197123456",
            "+242061234567",
        ] {
            assert!(is_number(text), "{text}");
        }
    }

    #[test]
    fn s15_an_island_is_no_part_of_north_america_unless_it_is_named() {
        let verdict = |allowed: &[&str], denied: &[&str], text: &str| {
            number(text).check(&rules(allowed, denied)).is_ok()
        };
        for (area, country) in ISLANDS {
            let text = format!("+1{area}5550123");
            let own = &text[..5];
            assert_eq!(number(&text).country(), Some(own), "{country}");
            assert!(!verdict(&["+1"], &[], &text), "{country}");
            assert!(!verdict(&["+1", &text[..4]], &[], &text), "{country}");
            assert!(verdict(&["+1", own], &[], &text), "{country}");
            assert!(verdict(&[own], &["+1"], &text), "{country}");
            assert!(!verdict(&[], &["+1"], &text), "{country}");
            assert!(verdict(&[], &[], &text), "{country}");
        }
        // The United States, Puerto Rico, the US Virgin Islands, Guam and Canada.
        for area in ["202", "787", "939", "340", "670", "671", "684", "416"] {
            let text = format!("+1{area}5550123");
            assert_eq!(number(&text).country(), Some("+1"));
            assert!(verdict(&["+1"], &[], &text), "{area}");
        }
    }

    #[test]
    fn a_country_is_the_code_the_number_begins_with() {
        let rows = [
            ("+306957206309", "+30"),
            ("+12025550123", "+1"),
            ("+79161234567", "+7"),
            ("+35799123456", "+357"),
            ("+4915112345678", "+49"),
            ("+8613912345678", "+86"),
            ("+85291234567", "+852"),
            ("+21612345678", "+216"),
        ];
        for (text, country) in rows {
            assert_eq!(number(text).country(), Some(country));
        }
        assert_eq!(number("+306957206309").neighbourhood(), Some("+306957206"));
        let mail = Destination::parse(Channel::Email, "a@example.org")
            .ok()
            .unwrap();
        assert_eq!((mail.country(), mail.neighbourhood()), (None, None));
    }

    #[test]
    fn s15_ranges_that_cost_much_are_refused_and_a_longer_permission_opens_one() {
        for (prefix, _) in COSTLY {
            let text = format!("{prefix:1<12}");
            assert!(
                number(&text).check(&CodePolicy::default()).is_err(),
                "{text}"
            );
            let all = rules(&[&prefix[..prefix.len() - 1], prefix], &[]);
            assert!(number(&text).check(&all).is_err(), "{text}");
            let one = rules(&[&text], &[]);
            assert!(number(&text).check(&one).is_ok(), "{text}");
        }
        for text in [
            "+306957206309",
            "+447911123456",
            "+4915112345678",
            "+393331234567",
            "+12025550123",
        ] {
            assert!(number(text).check(&CodePolicy::default()).is_ok(), "{text}");
        }
    }

    #[test]
    fn s15_the_longest_prefix_decides_and_denial_where_two_are_alike() {
        let verdict = |allowed: &[&str], denied: &[&str], text| {
            number(text).check(&rules(allowed, denied)).is_ok()
        };
        assert!(verdict(&["+30"], &[], "+306957206309"));
        assert!(!verdict(&["+30"], &[], "+12025550123"));
        assert!(!verdict(&[], &["+30"], "+306957206309"));
        assert!(verdict(&[], &["+30"], "+12025550123"));
        assert!(!verdict(&["+30"], &["+3069"], "+306957206309"));
        assert!(verdict(&["+3069"], &["+30"], "+306957206309"));
        assert!(!verdict(&["+30"], &["+30"], "+306957206309"));
        let Err(Error::Refused(words)) = number("+88161234567").check(&CodePolicy::default())
        else {
            panic!("a satellite is allowed");
        };
        assert!(
            words.contains("+881") && !words.contains("234567"),
            "{words}"
        );
    }

    #[test]
    fn an_address_that_begins_with_a_plus_is_no_number() {
        for text in ["+@Aa", "+30@example.org", "+88161234567@example.org"] {
            let address = Destination::parse(Channel::Email, text).expect(text);
            assert_eq!(address.country(), None, "{text}");
            assert_eq!(address.neighbourhood(), None, "{text}");
            assert!(address.check(&rules(&["+1"], &["+30"])).is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_destination_or_refused(text: String, digits in "\\+[0-9]{0,17}", mail in "[ -~]{0,9}@[ -~]{0,9}") {
            for text in [text, digits, mail] {
                for (channel, _) in Channel::ALL {
                    if let Ok(destination) = Destination::parse(channel, &text) {
                        prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
                        prop_assert_eq!(destination.country().is_some(), channel != Channel::Email);
                        let _ = destination.check(&CodePolicy::default());
                    }
                }
            }
        }
    }
}
