//! One type per identifier, and the grammar each accepts. `FromStr` is the only door.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::entropy::{self, Entropy};
use super::hex;

/// An identifier that is text: the store writes it into keys as it stands.
pub trait TextId: FromStr<Err = NotAnId> {
    /// The identifier as it is written.
    fn as_str(&self) -> &str;
}

/// The text does not follow the identifier's grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a valid {0} identifier")]
pub struct NotAnId(&'static str);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $word:literal, $parse:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl TextId for $name {
            fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl $name {
            /// The identifier as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                $parse(text).map(Self).ok_or(NotAnId($word))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! drawn_as_uuid {
    ($($name:ident),+) => {$(
        impl $name {
            /// A new identifier.
            pub fn draw(entropy: &dyn Entropy) -> Self {
                Self(entropy.uuid())
            }
        }
    )+};
}

text_id!(
    /// A tenant: Auvious' organization, Genesys' contact centre.
    OrgId, "organization", name
);
text_id!(
    /// A person, or the person a ticket stands for.
    UserId, "user", name
);
text_id!(
    /// An OAuth client.
    ClientId, "client", name
);
text_id!(
    /// An integration with its configuration.
    ApplicationId, "application", name
);
text_id!(
    /// A room people meet in.
    ConferenceId, "conference", name
);
text_id!(
    /// A customer's key pair.
    KeyId, "key", name
);
text_id!(
    /// One access token: its `jti`.
    TokenId, "token", name
);
text_id!(
    /// One sign-in and every token that came of it: their `sid`.
    SignInId, "sign-in", name
);
text_id!(
    /// One browser's session: the `sid` of its ID tokens.
    SessionId, "session", name
);
text_id!(
    /// One request, as answers and the log name it.
    RequestId, "request", name
);
text_id!(
    /// One code that was asked for, and what became of it.
    VerificationId, "verification", name
);
text_id!(
    /// A ticket: groups of three letters or digits joined by dashes, such as `abc-def`.
    ///
    /// Case is folded and a missing dash forgiven, because people type these. Printed in full it opens a customer's
    /// conference, so `Debug` hides it and nothing logs it.
    TicketId, "ticket", ticket
);
drawn_as_uuid!(
    OrgId,
    UserId,
    ClientId,
    ApplicationId,
    ConferenceId,
    KeyId,
    TokenId,
    SignInId,
    SessionId,
    VerificationId
);

/// The shortest ticket that is accepted, in letters and digits.
pub const TICKET_LENGTH_MIN: usize = 6;
/// The longest ticket that is accepted, in letters and digits.
pub const TICKET_LENGTH_MAX: usize = 32;

impl TicketId {
    /// A new id of `length` letters and digits: only letters at the shortest length, as real clients show them,
    /// and letters and digits without look-alikes above it.
    pub fn draw(entropy: &dyn Entropy, length: usize) -> Self {
        let alphabet: &[u8] = if length <= TICKET_LENGTH_MIN {
            LETTERS
        } else {
            CLEAR
        };
        Self(grouped(&entropy.word(length, alphabet)))
    }

    /// How many letters and digits it has; dashes do not count.
    pub fn length(&self) -> usize {
        self.0.len() - self.0.matches('-').count()
    }

    /// Whether it is short enough to be guessed at, so that guesses at it count for the whole appliance.
    pub fn is_short(&self) -> bool {
        is_short(self.length())
    }
}

/// Whether ids of so many letters and digits are short enough to be guessed at.
pub fn is_short(length: usize) -> bool {
    length < SHORT_BELOW
}

/// How many different ids of so many letters and digits are drawn.
pub fn possible(length: usize) -> f64 {
    let alphabet = if length <= TICKET_LENGTH_MIN {
        LETTERS
    } else {
        CLEAR
    };
    let letters = u32::try_from(alphabet.len()).unwrap_or(u32::MAX);
    f64::from(letters).powi(i32::try_from(length).unwrap_or(i32::MAX))
}

/// A refresh token family: the sixteen bytes of its sign-in's UUID, so that either leads to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FamilyId([u8; 16]);

impl FamilyId {
    /// A new family.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        Self(entropy.uuid_bytes())
    }

    /// The family of a sign-in that has one.
    pub fn of(sign_in: &SignInId) -> Option<Self> {
        let digits: String = sign_in.as_str().chars().filter(|c| *c != '-').collect();
        Some(Self(hex::decode(&digits)?))
    }

    /// The sign-in it belongs to.
    pub fn sign_in(&self) -> SignInId {
        SignInId(entropy::uuid(self.0))
    }

    /// A family read from a token or a key.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl RequestId {
    /// A new request's id.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        Self(URL_SAFE_NO_PAD.encode(entropy.bytes::<9>()))
    }
}

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const CLEAR: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Nine letters of [`CLEAR`] are 45 bits: past guessing at any rate a server answers.
const SHORT_BELOW: usize = 9;
const NAME_MAX: usize = 128;

fn name(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    let fits = (1..=NAME_MAX).contains(&text.len()) && text.chars().all(plain);
    fits.then(|| text.to_owned())
}

fn ticket(text: &str) -> Option<String> {
    if text.len() > 2 * TICKET_LENGTH_MAX {
        return None;
    }
    let letters: String = text.chars().filter(|c| *c != '-').collect();
    let fits = (TICKET_LENGTH_MIN..=TICKET_LENGTH_MAX).contains(&letters.len());
    let plain = letters.chars().all(|c| c.is_ascii_alphanumeric());
    (fits && plain).then(|| grouped(&letters.to_ascii_lowercase()))
}

fn grouped(letters: &str) -> String {
    let mut out = String::with_capacity(letters.len() + letters.len() / 3);
    for (at, letter) in letters.chars().enumerate() {
        if at > 0 && at % 3 == 0 {
            out.push('-');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::SeededEntropy;

    #[test]
    fn tickets_look_as_real_clients_show_them() {
        let entropy = SeededEntropy::new(1);
        let short = TicketId::draw(&entropy, 6).to_string();
        assert_eq!(short.len(), 7);
        assert!(
            short.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
            "{short}"
        );
        let long = TicketId::draw(&entropy, 9).to_string();
        assert_eq!(long.split('-').map(str::len).collect::<Vec<_>>(), [3, 3, 3]);
        assert_eq!(
            TicketId::draw(&entropy, 8)
                .to_string()
                .split('-')
                .map(str::len)
                .collect::<Vec<_>>(),
            [3, 3, 2]
        );
    }

    #[test]
    fn case_is_folded_and_a_missing_dash_forgiven() {
        for text in ["abc-def", "ABC-DEF", "abcdef", "abcDef", "ab-cd-ef"] {
            assert_eq!(
                text.parse::<TicketId>().unwrap().as_str(),
                "abc-def",
                "{text}"
            );
        }
        for text in [
            "", "abc", "abc-de", "abc-déf", "abc def", "abc_def", "a\nbcdef",
        ] {
            assert!(text.parse::<TicketId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_ticket_printed_is_the_ticket_parsed(length in TICKET_LENGTH_MIN..=TICKET_LENGTH_MAX, seed: u64) {
            let id = TicketId::draw(&SeededEntropy::new(seed), length);
            prop_assert_eq!(id.length(), length);
            prop_assert_eq!(id.as_str().parse::<TicketId>(), Ok(id.clone()));
        }

        #[test]
        fn no_text_is_parsed_into_an_id_that_parses_differently(text in ".{0,40}") {
            if let Ok(id) = text.parse::<TicketId>() {
                prop_assert_eq!(id.as_str().parse::<TicketId>(), Ok(id.clone()));
            }
            if let Ok(id) = text.parse::<ClientId>() {
                prop_assert_eq!(id.as_str(), text);
            }
        }
    }
}
