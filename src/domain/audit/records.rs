//! The audit as stored: events, where their chain ends, and the signed heads with the key that signs them.

use serde::{Deserialize, Serialize};

use crate::crypto::seal::Keyring;
use crate::kernel::{Digest, Timestamp};
use crate::store::record::decode_body;
use crate::store::{Record, Table};

pub(super) const AUDIT: Table<(Timestamp, u64), AuditRecord> = Table::named("audit");
pub(super) const HEAD: Table<u8, HeadRecord> = Table::named("audit_head");
pub(super) const KEY: Table<u8, KeyRecord> = Table::named("audit_key");
pub(super) const SIGNED: Table<u64, SignedRecord> = Table::named("audit_signed");

/// What a chain has before its first link.
pub(super) const NOTHING: Digest = Digest::from_bytes([0; 32]);

/// One event as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AuditRecord {
    pub(super) action: String,
    pub(super) by: String,
    pub(super) to: String,
    pub(super) organization: Option<String>,
    pub(super) request: String,
    pub(super) network: Option<String>,
    pub(super) chain: Digest,
}

impl Record for AuditRecord {
    const VERSION: u8 = 1;
}

impl AuditRecord {
    /// The keyed digest over this event, its place and everything before it.
    pub(super) fn link(
        &self,
        keyring: &Keyring,
        (at, sequence): (Timestamp, u64),
        before: Option<&Digest>,
    ) -> Digest {
        let (number, instant) = (sequence.to_string(), at.micros().to_string());
        let told = [
            number.as_str(),
            instant.as_str(),
            &self.action,
            &self.by,
            &self.to,
            self.organization.as_deref().unwrap_or(""),
            &self.request,
            self.network.as_deref().unwrap_or(""),
        ]
        .join("\n");
        let mut chained = before.map_or_else(Vec::new, |digest| digest.as_bytes().to_vec());
        chained.extend_from_slice(told.as_bytes());
        keyring.digest("audit", &chained)
    }
}

/// Where the chain ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct HeadRecord {
    pub(super) sequence: u64,
    pub(super) chain: Digest,
    /// The instant of the last event; none is written with an earlier one.
    pub(super) at: Timestamp,
}

impl Record for HeadRecord {
    const VERSION: u8 = 2;

    fn upgrade(version: u8, body: &[u8]) -> Option<Self> {
        let (1, (sequence, chain)) = (version, decode_body(body)?) else {
            return None;
        };
        // Its instant was not kept; the clock goes on from the last one used anyway.
        Some(Self {
            sequence,
            chain,
            at: Timestamp::from_micros(0),
        })
    }
}

/// The key that signs heads, sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeyRecord {
    pub(super) sealed: Vec<u8>,
    pub(super) public: String,
}

impl Record for KeyRecord {
    const VERSION: u8 = 1;
}

/// The label the key is sealed under.
pub(super) const KEY_LABEL: &str = "audit_key/0";

/// How far the chain had come, signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SignedRecord {
    /// The instant of its first event, whose place that gives.
    pub(super) first_at: Timestamp,
    /// The instant of its last event.
    pub(super) last_at: Timestamp,
    pub(super) statement: String,
    pub(super) signature: Vec<u8>,
}

impl Record for SignedRecord {
    const VERSION: u8 = 1;
}
