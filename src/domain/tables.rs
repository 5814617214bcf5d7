//! The registry: every table, its key, its value, its owner. The store itself knows none of them.
//!
//! A feature's `records.rs` is the only place that writes its tables; the few that belong to no feature stand here.

use crate::kernel::Timestamp;
use crate::store::{Record, Table};

/// What must be known of the clock. Written by [`super::Cx`] and [`super::Appliance`] alone.
pub(super) const CLOCK: Table<u8, Timestamp> = Table::named("clock");
/// The highest instant ever used.
pub(super) const LAST_INSTANT: u8 = 0;
/// Until when nothing expired is removed, if the clock ever leapt.
pub(super) const REMOVAL_HELD: u8 = 1;

impl Record for Timestamp {
    const VERSION: u8 = 1;
}

/// Name, key and owner of every table, in alphabetical order.
pub const ALL: &[(&str, &str, &str)] = &[
    ("applications", "application id", "applications"),
    (
        "applications_by_org",
        "organization id, application id",
        "applications",
    ),
    ("applications_counted", "organization id", "applications"),
    ("audit", "instant, sequence", "audit"),
    ("audit_head", "0", "audit"),
    ("audit_key", "0", "audit"),
    ("audit_signed", "number of the head", "audit"),
    ("clients", "client id", "clients"),
    ("clients_by_org", "organization id, client id", "clients"),
    ("clients_counted", "organization id", "clients"),
    ("clients_gone", "client id", "clients"),
    ("clients_seen", "client id", "seen"),
    ("clock", "0", "domain"),
    ("codes", "digest of the code", "oauth"),
    ("ended", "kind, id", "tokens"),
    ("epochs", "subject", "tokens"),
    ("expiries", "instant, kind, key", "expiries"),
    ("families", "family id", "tokens"),
    ("installation", "0", "installation"),
    ("keys", "key id", "keys"),
    ("keys_by_org", "organization id, key id", "keys"),
    ("organizations", "organization id", "organizations"),
    ("organizations_by_name", "canonical name", "organizations"),
    ("outbox", "message id", "otp"),
    ("outbox_due", "channel, instant, message id", "otp"),
    ("sessions", "session id", "sessions"),
    ("signing_keys", "key id", "signing"),
    ("store_epoch", "0", "epoch"),
    ("throttles", "kind, subject", "throttle"),
    ("tickets", "keyed digest of the id", "tickets"),
    ("tickets_by_org", "organization id, digest", "tickets"),
    ("tickets_gone", "keyed digest of the id", "tickets"),
    ("users", "user id", "users"),
    ("users_by_name", "organization id, canonical name", "users"),
    ("users_last_dbid", "0", "users"),
    ("users_seen", "user id", "seen"),
    ("verifications", "verification id", "otp"),
    (
        "verifications_by_destination",
        "keyed digest of organization, application, channel and destination",
        "otp",
    ),
];

/// Tables that may change without an event in the audit, in alphabetical order: they keep time and count, and give
/// nobody a right.
pub(super) const UNRECORDED: &[&str] = &[
    "clients_seen",
    "clock",
    "expiries",
    "throttles",
    "users_seen",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_listed_once_and_in_order() {
        assert!(ALL.is_sorted_by(|a, b| a.0 < b.0));
    }
}
