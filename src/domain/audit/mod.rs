//! Security events, written in the transaction they describe. Each carries a keyed digest over itself and the one
//! before, so that an edited, missing or reordered event is noticed. No secrets and no ticket ids.
//!
//! `heads` signs how far the chain has come, so that whoever keeps an exported copy can check it without our keys.

mod exported;
mod heads;
mod list;
mod records;
mod verify;

use super::{Cx, Origin};
use crate::kernel::{Fault, OrgId};
use crate::store::Tx;
use records::{AuditRecord, HeadRecord};

pub use exported::{Exported, Reader};
pub use heads::{Part, keep, part, sign};
pub use list::{Asked, Cursor, EventView, after, latest};
pub use verify::{Error, Verified, verify};

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

/// The table an event is written to. A transaction that changes another one and not this is refused.
pub(in crate::domain) const TABLE: &str = records::AUDIT.name();

/// Writes `event` with the change it describes: neither exists without the other.
pub fn record(tx: &Tx<'_>, cx: &Cx<'_>, event: &Event<'_>) -> Result<(), Fault> {
    let head = tx.get(&records::HEAD, &0)?;
    let sequence = head.as_ref().map_or(0, |head| head.sequence + 1);
    // Whoever read the clock first may write last; the chain is in the order of its instants all the same.
    let at = head.as_ref().map_or(cx.now, |head| head.at.max(cx.now));
    let network = match cx.origin {
        Origin::Peer(network) => Some(network.to_string()),
        Origin::Operator => None,
    };
    let mut record = AuditRecord {
        action: event.action.to_owned(),
        by: event.by.to_owned(),
        to: event.to.to_owned(),
        organization: event.organization.map(ToString::to_string),
        request: cx.request.to_string(),
        network,
        chain: records::NOTHING,
    };
    let before = head.as_ref().map(|head| &head.chain);
    let chain = record.link(&cx.appliance.keyring, (at, sequence), before);
    record.chain = chain;
    tx.put(&records::AUDIT, &(at, sequence), &record)?;
    let head = HeadRecord {
        sequence,
        chain,
        at,
    };
    tx.put(&records::HEAD, &0, &head)?;
    cx.tally("event", event.action, "");
    Ok(())
}
