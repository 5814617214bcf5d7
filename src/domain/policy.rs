//! Lifetimes and limits an operator may set: plain data with the shipped values as defaults.
//!
//! It knows nothing of where the values were written; `config` fills it in.

use std::time::Duration;

/// Everything the rules let an operator decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// What holds for tickets.
    pub tickets: TicketPolicy,
    /// What holds for access and refresh tokens.
    pub tokens: TokenPolicy,
    /// What holds for browsers' sessions.
    pub sessions: SessionPolicy,
    /// What holds for people's passwords.
    pub passwords: PasswordPolicy,
    /// What holds for the keys that sign tokens.
    pub signing: SigningPolicy,
    /// What holds for one-time codes.
    pub codes: CodePolicy,
    /// What holds for customers' key pairs.
    pub keys: KeyPolicy,
}

/// How long tickets live and how often they may be guessed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketPolicy {
    /// The life of a ticket whose creator named no end.
    pub default_ttl: Duration,
    /// The longest life a creator may ask for.
    pub max_ttl: Duration,
    /// How long a ticket that is over still answers why, before it is as if it had never been.
    pub kept_after_expiry: Duration,
    /// Wrong guesses one network may make in an hour.
    pub wrong_guesses_per_network_per_hour: u32,
    /// Wrong guesses at short tickets the whole appliance takes in an hour.
    pub wrong_guesses_short_per_hour: u32,
    /// How long before its start a ticket can be used; `None` means at any time.
    pub opens_before: Option<Duration>,
}

/// How long tokens live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPolicy {
    /// The life of an access token.
    pub access: Duration,
    /// How long a refresh family may lie unused.
    pub refresh_idle: Duration,
    /// How long a refresh family lives at most, however often it is used.
    pub refresh_absolute: Duration,
    /// How long a refresh token that was used gives its client the same successor again; zero switches this off.
    pub refresh_grace: Duration,
}

/// How long a browser stays signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPolicy {
    /// How long a session may lie unused.
    pub idle: Duration,
    /// How long a session lasts at most.
    pub absolute: Duration,
}

/// How often people's passwords may be guessed at, and what a new one must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// The fewest characters a new password has.
    pub min_length: usize,
    /// Wrong passwords for one account that are looked at in a day from browsers and networks unknown to it, in all.
    pub wrong_per_account_per_day: u32,
    /// Wrong passwords for one account that are looked at in a day from each browser or network it was signed in from.
    pub wrong_per_known_place_per_day: u32,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            idle: 12 * HOUR,
            absolute: 7 * DAY,
        }
    }
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            min_length: 12,
            wrong_per_account_per_day: 50,
            wrong_per_known_place_per_day: 20,
        }
    }
}

/// The longest lifetime of access tokens a client can be given, in seconds.
pub const ACCESS_SECONDS_MAX: u32 = 7 * 86_400;

impl Policy {
    /// The longest life of anything we sign by these rules: access and ID tokens, and ping cookies. Nothing may be signed
    /// that lives longer.
    pub fn longest_signed(&self) -> Duration {
        let longest_client = Duration::from_secs(ACCESS_SECONDS_MAX.into());
        self.tokens
            .access
            .max(longest_client)
            .max(self.sessions.idle)
    }
}

/// How long signing keys sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningPolicy {
    /// How long a key signs before the next one does.
    pub rotate_every: Duration,
    /// How long a key is published at least before it signs: more than the key set may be kept by others.
    pub publish_before: Duration,
}

/// What one-time codes are, how long they live, and how much they may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodePolicy {
    /// How many digits a code has, from 4 to 8.
    pub length: u32,
    /// How long a code is good.
    pub life: Duration,
    /// Messages one destination gets in ten minutes; a call is made only while there were less than half as many.
    pub sends_per_ten_minutes: u32,
    /// Messages one destination gets in a day; calls likewise.
    pub sends_per_day: u32,
    /// Codes looked at for one verification.
    pub checks: u32,
    /// Wrong codes looked at for one destination in a day, over all its verifications.
    pub wrong_per_day: u32,
    /// Messages of one organization in a day.
    pub per_organization_per_day: u32,
    /// Messages of everybody in a day.
    pub overall_per_day: u32,
    /// Messages an organization sends within an hour under one country prefix while hardly any of them is answered.
    pub unanswered_per_hour: u32,
    /// Country prefixes that are sent to, such as `+30`; all that are not denied when there are none.
    pub allowed_prefixes: Vec<String>,
    /// Prefixes that are never sent to, besides those that always cost much.
    pub denied_prefixes: Vec<String>,
    /// Whether whoever has no token may have codes sent and checked.
    pub anonymous: bool,
    /// Messages that are sent in an hour for those without a token, from one network.
    pub anonymous_per_network_per_hour: u32,
    /// Who sends, unless the request says otherwise.
    pub sender: String,
}

impl Default for CodePolicy {
    fn default() -> Self {
        Self {
            length: 6,
            life: Duration::from_mins(10),
            sends_per_ten_minutes: 5,
            sends_per_day: 10,
            checks: 5,
            wrong_per_day: 10,
            per_organization_per_day: 1_000,
            overall_per_day: 5_000,
            unanswered_per_hour: 10,
            allowed_prefixes: Vec::new(),
            denied_prefixes: Vec::new(),
            anonymous: false,
            anonymous_per_network_per_hour: 10,
            sender: "Admit".into(),
        }
    }
}

/// How many key pairs are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Key pairs one organization has made for it, or brings in, in a day.
    pub per_organization_per_day: u32,
}

impl Default for KeyPolicy {
    fn default() -> Self {
        Self {
            per_organization_per_day: 500,
        }
    }
}

impl Default for TicketPolicy {
    fn default() -> Self {
        Self {
            default_ttl: 4 * HOUR,
            max_ttl: 30 * DAY,
            kept_after_expiry: 7 * DAY,
            wrong_guesses_per_network_per_hour: 120,
            wrong_guesses_short_per_hour: 120,
            opens_before: None,
        }
    }
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self {
            access: 12 * HOUR,
            refresh_idle: 30 * DAY,
            refresh_absolute: 180 * DAY,
            refresh_grace: Duration::from_secs(10),
        }
    }
}

impl Default for SigningPolicy {
    fn default() -> Self {
        Self {
            rotate_every: 90 * DAY,
            publish_before: DAY,
        }
    }
}

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_live_as_long_as_both_contracts_say() {
        let tokens = TokenPolicy::default();
        assert_eq!(tokens.access.as_secs(), 43_200);
        assert_eq!(tokens.refresh_idle.as_secs(), 2_592_000);
    }
}
