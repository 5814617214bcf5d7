//! Security events, written in the transaction they describe. Each carries a keyed digest over itself and the one
//! before, so that an edited, missing or reordered event is noticed. No secrets and no ticket ids.

use serde::{Deserialize, Serialize};

use super::{Cx, Origin};
use crate::kernel::{Digest, Fault, OrgId, Timestamp};
use crate::store::{Record, Table, Tx};

const AUDIT: Table<(Timestamp, u64), AuditRecord> = Table::named("audit");
const HEAD: Table<u8, HeadRecord> = Table::named("audit_head");

/// Something that happened to somebody's rights.
pub struct Event<'a> {
    /// What happened, such as `ticket.revoked`.
    pub action: &'static str,
    /// Who did it: a token's subject, or the person a ticket stands for.
    pub by: &'a str,
    /// What it happened to.
    pub to: &'a str,
    /// In whose organization, where there is one.
    pub organization: Option<&'a OrgId>,
}

/// One event as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct AuditRecord {
    action: String,
    by: String,
    to: String,
    organization: Option<String>,
    request: String,
    network: Option<String>,
    chain: Digest,
}

impl Record for AuditRecord {
    const VERSION: u8 = 1;
}

/// Where the chain ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct HeadRecord {
    sequence: u64,
    chain: Digest,
}

impl Record for HeadRecord {
    const VERSION: u8 = 1;
}

/// Writes `event` with the change it describes: neither exists without the other.
pub fn record(tx: &Tx<'_>, cx: &Cx<'_>, event: &Event<'_>) -> Result<(), Fault> {
    let head = tx.get(&HEAD, &0)?;
    let (sequence, before) = head.map_or((0, None), |head| (head.sequence + 1, Some(head.chain)));
    let network = match cx.origin {
        Origin::Peer(network) => Some(network.to_string()),
        Origin::Operator => None,
    };
    let (number, instant) = (sequence.to_string(), cx.now.micros().to_string());
    let told = [
        number.as_str(),
        instant.as_str(),
        event.action,
        event.by,
        event.to,
        event.organization.map_or("", OrgId::as_str),
        cx.request.as_str(),
        network.as_deref().unwrap_or(""),
    ]
    .join("\n");
    let mut chained = before.map_or_else(Vec::new, |digest| digest.as_bytes().to_vec());
    chained.extend_from_slice(told.as_bytes());
    let chain = cx.appliance.keyring.digest("audit", &chained);
    let record = AuditRecord {
        action: event.action.to_owned(),
        by: event.by.to_owned(),
        to: event.to.to_owned(),
        organization: event.organization.map(ToString::to_string),
        request: cx.request.to_string(),
        network,
        chain,
    };
    tx.put(&AUDIT, &(cx.now, sequence), &record)?;
    tx.put(&HEAD, &0, &HeadRecord { sequence, chain })
}
