//! Tickets as stored: by the digest of their id, the id itself sealed inside for an operator's listings.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, Kind, Ticket};
use crate::domain::{Cx, epoch, expiries};
use crate::kernel::hex;
use crate::kernel::{Digest, Fault, OrgId, Properties, Timestamp, UserId};
use crate::store::{Record, Table, Tx, View};

const TICKETS: Table<Digest, TicketRecord> = Table::named("tickets");
const TICKETS_BY_ORG: Table<(OrgId, Digest), ()> = Table::named("tickets_by_org");
/// Ids that existed once: a new id never equals one of them.
const TICKETS_GONE: Table<Digest, ()> = Table::named("tickets_gone");

#[derive(Debug, Clone, Serialize, Deserialize)]
struct TicketRecord {
    sealed_id: Vec<u8>,
    user: UserId,
    organization: OrgId,
    kind: Kind,
    properties: String,
    ttl_seconds: u64,
    disabled: Option<Timestamp>,
    revoked: Option<Timestamp>,
    used: Option<Timestamp>,
    created_at: Timestamp,
    modified_at: Timestamp,
    expires_at: Timestamp,
    version: u64,
    event_uid: String,
}

impl Record for TicketRecord {
    const VERSION: u8 = 1;
}

impl TryFrom<TicketRecord> for Facts {
    type Error = Fault;

    fn try_from(record: TicketRecord) -> Result<Self, Fault> {
        let properties = Properties::from_text(&record.properties)
            .ok_or_else(|| Fault::internal("a ticket's properties are no JSON object"))?;
        Ok(Self {
            user: record.user,
            organization: record.organization,
            kind: record.kind,
            properties,
            ttl: Duration::from_secs(record.ttl_seconds),
            disabled: record.disabled,
            revoked: record.revoked,
            used: record.used,
            created_at: record.created_at,
            modified_at: record.modified_at,
            expires_at: record.expires_at,
            version: record.version,
            event_uid: record.event_uid,
        })
    }
}

/// The ticket's facts, outside a transaction.
pub(super) fn get(cx: &Cx<'_>, digest: Digest) -> Result<Option<Facts>, Fault> {
    let record = cx.view().get(&TICKETS, &digest)?;
    record.map(|record| facts(cx, record)).transpose()
}

/// The ticket's facts, inside one.
pub(super) fn load(tx: &Tx<'_>, cx: &Cx<'_>, digest: Digest) -> Result<Option<Facts>, Fault> {
    let record = tx.get(&TICKETS, &digest)?;
    record.map(|record| facts(cx, record)).transpose()
}

/// What a record says now: a ticket from before the epoch is revoked since the epoch began, whatever its record says.
fn facts(cx: &Cx<'_>, record: TicketRecord) -> Result<Facts, Fault> {
    let mut facts = Facts::try_from(record)?;
    facts.revoked = facts.revoked.or_else(|| epoch::ended(cx, facts.created_at));
    Ok(facts)
}

/// When the ticket stops being usable, if there is one.
pub(in crate::domain) fn ends_at(tx: &Tx<'_>, digest: Digest) -> Result<Option<Timestamp>, Fault> {
    Ok(tx.get(&TICKETS, &digest)?.map(|record| record.expires_at))
}

/// Whether an id with this digest exists or ever did.
pub(super) fn was_ever(tx: &Tx<'_>, digest: Digest) -> Result<bool, Fault> {
    Ok(tx.get(&TICKETS, &digest)?.is_some() || tx.get(&TICKETS_GONE, &digest)?.is_some())
}

/// Seals an id, to be handed to [`add`]. Outside the transaction, because it draws a nonce.
pub(super) fn sealed_id(cx: &Cx<'_>, ticket: &Ticket, digest: Digest) -> Result<Vec<u8>, Fault> {
    let label = format!("{}/{}", TICKETS.name(), hex::encode(digest.as_bytes()));
    cx.appliance
        .keyring
        .seal(&label, ticket.id.as_str().as_bytes(), cx.entropy())
}

/// Keeps a new ticket with its indexes.
pub(super) fn add(
    tx: &Tx<'_>,
    digest: Digest,
    facts: &Facts,
    sealed_id: &[u8],
    kept_until: Timestamp,
) -> Result<(), Fault> {
    tx.put(&TICKETS, &digest, &record(facts, sealed_id.to_vec()))?;
    tx.put(&TICKETS_BY_ORG, &(facts.organization.clone(), digest), &())?;
    expect(tx, digest, kept_until)
}

/// Keeps the changed facts of a ticket that is there.
pub(super) fn put(tx: &Tx<'_>, digest: Digest, facts: &Facts) -> Result<(), Fault> {
    let before = tx.get(&TICKETS, &digest)?;
    let sealed_id = before.map(|record| record.sealed_id).unwrap_or_default();
    tx.put(&TICKETS, &digest, &record(facts, sealed_id))
}

/// Asks for the ticket to be looked at when its record need not be kept any longer.
pub(super) fn expect(tx: &Tx<'_>, digest: Digest, kept_until: Timestamp) -> Result<(), Fault> {
    expiries::expect(tx, kept_until, expiries::Kind::Ticket, digest.as_bytes())
}

/// Up to `limit` tickets of the organization in the order of their digests, after the one of this digest, each with its
/// digest. One that was removed meanwhile, or whose id cannot be opened, comes without its facts.
pub(super) fn run(
    cx: &Cx<'_>,
    organization: &OrgId,
    after: Option<Digest>,
    limit: usize,
) -> Result<Vec<(Digest, Option<Ticket>)>, Fault> {
    let view = cx.view();
    let from = after.map(|digest| (organization.clone(), digest));
    let found = view.scan_prefix(&TICKETS_BY_ORG, organization, from.as_ref(), limit + 1)?;
    let found = found.into_iter().map(|((_, digest), ())| digest);
    let found = found.filter(|digest| after != Some(*digest)).take(limit);
    let ticket = |digest: Digest| match view.get(&TICKETS, &digest)? {
        Some(record) => Ok((digest, opened(cx, digest, record)?)),
        None => Ok((digest, None)),
    };
    found.map(ticket).collect()
}

/// Nothing for one whose id cannot be opened.
fn opened(cx: &Cx<'_>, digest: Digest, record: TicketRecord) -> Result<Option<Ticket>, Fault> {
    let label = format!("{}/{}", TICKETS.name(), hex::encode(digest.as_bytes()));
    let Ok(id) = cx.appliance.keyring.open(&label, &record.sealed_id) else {
        return Ok(None);
    };
    let Some(Ok(id)) = str::from_utf8(id.expose()).ok().map(str::parse) else {
        return Ok(None);
    };
    let facts = facts(cx, record)?;
    Ok(Some(Ticket { id, facts }))
}

/// How many entries of the organizations' lists lead to no ticket, or to another organization's.
pub(in crate::domain) fn strays(view: &View<'_>) -> Result<u64, Fault> {
    let mut strays = 0;
    view.each(&TICKETS_BY_ORG, |(owner, digest), ()| {
        let found = view.get(&TICKETS, &digest)?;
        strays += u64::from(found.is_none_or(|found| found.organization != owner));
        Ok(())
    })?;
    Ok(strays)
}

/// Whether any ticket belongs to the organization.
pub(in crate::domain) fn are_in(view: &View<'_>, organization: &OrgId) -> Result<bool, Fault> {
    let first = view.scan_prefix(&TICKETS_BY_ORG, organization, None, 1)?;
    Ok(!first.is_empty())
}

/// Removes a ticket; that its id existed is never forgotten.
pub(super) fn remove(tx: &Tx<'_>, digest: Digest, facts: &Facts) -> Result<(), Fault> {
    tx.remove(&TICKETS, &digest)?;
    tx.remove(&TICKETS_BY_ORG, &(facts.organization.clone(), digest))?;
    tx.put(&TICKETS_GONE, &digest, &())
}

/// Removes a ticket that has been over for longer than it is kept.
pub(in crate::domain) fn sweep(
    tx: &Tx<'_>,
    now: Timestamp,
    kept: Duration,
    key: &[u8],
) -> Result<(), Fault> {
    let Ok(digest) = <[u8; 32]>::try_from(key).map(Digest::from_bytes) else {
        return Ok(());
    };
    let Some(facts) = tx.get(&TICKETS, &digest)?.map(Facts::try_from) else {
        return Ok(());
    };
    let facts = facts?;
    if facts.expires_at.after(kept) > now {
        return Ok(());
    }
    remove(tx, digest, &facts)
}

fn record(facts: &Facts, sealed_id: Vec<u8>) -> TicketRecord {
    TicketRecord {
        sealed_id,
        user: facts.user.clone(),
        organization: facts.organization.clone(),
        kind: facts.kind,
        properties: facts.properties.to_text(),
        ttl_seconds: facts.ttl.as_secs(),
        disabled: facts.disabled,
        revoked: facts.revoked,
        used: facts.used,
        created_at: facts.created_at,
        modified_at: facts.modified_at,
        expires_at: facts.expires_at,
        version: facts.version,
        event_uid: facts.event_uid.clone(),
    }
}
