//! Clients as stored, the index by organization, and the ids that were given out once and never are again.

use serde::{Deserialize, Serialize};

use super::{Client, GrantType, Outgoing};
use crate::crypto::jws::Algorithm;
use crate::domain::access::Roles;
use crate::domain::organizations;
use crate::domain::seen::{self, Who};
use crate::kernel::{ClientId, Digest, Fault, OrgId, Timestamp};
use crate::store::{Record, Table, Tx, View};

const CLIENTS: Table<ClientId, ClientRecord> = Table::named("clients");
const CLIENTS_BY_ORG: Table<(OrgId, ClientId), ()> = Table::named("clients_by_org");
const CLIENTS_COUNTED: Table<OrgId, CountRecord> = Table::named("clients_counted");
const CLIENTS_GONE: Table<ClientId, Timestamp> = Table::named("clients_gone");

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ClientRecord {
    organization: OrgId,
    is_shared: bool,
    name: String,
    description: String,
    secret: Option<Digest>,
    outgoing: Option<Outgoing>,
    roles: Roles,
    grants: Vec<GrantType>,
    scopes: Vec<String>,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    signing: Algorithm,
    id_token_signing: Algorithm,
    access_seconds: Option<u32>,
    refresh_seconds: Option<u32>,
    created_at: Timestamp,
}

impl Record for ClientRecord {
    const VERSION: u8 = 1;
}

/// How many clients an organization has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct CountRecord(u32);

impl Record for CountRecord {
    const VERSION: u8 = 1;
}

impl ClientRecord {
    fn of(self, id: &ClientId) -> Client {
        Client {
            id: id.clone(),
            organization: self.organization,
            is_shared: self.is_shared,
            name: self.name,
            description: self.description,
            secret: self.secret,
            outgoing: self.outgoing,
            roles: self.roles,
            grants: self.grants,
            scopes: self.scopes,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            signing: self.signing,
            id_token_signing: self.id_token_signing,
            access_seconds: self.access_seconds,
            refresh_seconds: self.refresh_seconds,
            created_at: self.created_at,
        }
    }
}

pub(super) fn get(view: &View<'_>, id: &ClientId) -> Result<Option<Client>, Fault> {
    Ok(view.get(&CLIENTS, id)?.map(|record| record.of(id)))
}

/// How many entries of the organizations' lists lead to no client, or to another organization's.
pub(in crate::domain) fn strays(view: &View<'_>) -> Result<u64, Fault> {
    let mut strays = 0;
    view.each(&CLIENTS_BY_ORG, |(owner, id), ()| {
        let client = view.get(&CLIENTS, &id)?;
        strays += u64::from(client.is_none_or(|client| client.organization != owner));
        Ok(())
    })?;
    Ok(strays)
}

/// Every client there is, one after the other.
pub(in crate::domain) fn each(view: &View<'_>, mut look: impl FnMut(&Client)) -> Result<(), Fault> {
    view.each(&CLIENTS, |id, record| {
        look(&record.of(&id));
        Ok(())
    })
}

pub(super) fn load(tx: &Tx<'_>, id: &ClientId) -> Result<Option<Client>, Fault> {
    Ok(tx.get(&CLIENTS, id)?.map(|record| record.of(id)))
}

/// Whether a client has or had that id.
pub(super) fn is_taken(tx: &Tx<'_>, id: &ClientId) -> Result<bool, Fault> {
    Ok(tx.get(&CLIENTS, id)?.is_some() || tx.get(&CLIENTS_GONE, id)?.is_some())
}

/// Every client of the organization, in the order of their ids.
pub(super) fn of(view: &View<'_>, organization: &OrgId) -> Result<Vec<Client>, Fault> {
    let keys = view.scan_prefix(&CLIENTS_BY_ORG, organization, None, CLIENTS_MAX)?;
    let mut found = Vec::with_capacity(keys.len());
    for ((_, id), ()) in keys {
        found.extend(get(view, &id)?);
    }
    Ok(found)
}

pub(super) fn put(tx: &Tx<'_>, client: &Client) -> Result<(), Fault> {
    let record = ClientRecord {
        organization: client.organization.clone(),
        is_shared: client.is_shared,
        name: client.name.clone(),
        description: client.description.clone(),
        secret: client.secret,
        outgoing: client.outgoing,
        roles: client.roles,
        grants: client.grants.clone(),
        scopes: client.scopes.clone(),
        redirect_uris: client.redirect_uris.clone(),
        post_logout_redirect_uris: client.post_logout_redirect_uris.clone(),
        signing: client.signing,
        id_token_signing: client.id_token_signing,
        access_seconds: client.access_seconds,
        refresh_seconds: client.refresh_seconds,
        created_at: client.created_at,
    };
    if tx.get(&CLIENTS, &client.id)?.is_none() {
        if !organizations::enter(tx, &client.organization)? {
            return Err(Fault::internal("a client of no organization"));
        }
        let key = (client.organization.clone(), client.id.clone());
        tx.put(&CLIENTS_BY_ORG, &key, &())?;
        let counted = counted(tx, &client.organization)?.saturating_add(1);
        tx.put(
            &CLIENTS_COUNTED,
            &client.organization,
            &CountRecord(counted),
        )?;
    }
    tx.put(&CLIENTS, &client.id, &record)
}

pub(super) fn remove(tx: &Tx<'_>, client: &Client, now: Timestamp) -> Result<(), Fault> {
    let key = (client.organization.clone(), client.id.clone());
    tx.remove(&CLIENTS_BY_ORG, &key)?;
    tx.remove(&CLIENTS, &client.id)?;
    tx.put(&CLIENTS_GONE, &client.id, &now)?;
    seen::forget(tx, &Who::Client(client.id.clone()))?;
    match counted(tx, &client.organization)?.saturating_sub(1) {
        0 => _ = tx.remove(&CLIENTS_COUNTED, &client.organization)?,
        left => tx.put(&CLIENTS_COUNTED, &client.organization, &CountRecord(left))?,
    }
    organizations::leave(tx, &client.organization)?;
    Ok(())
}

/// How many clients the organization has.
pub(super) fn counted(tx: &Tx<'_>, organization: &OrgId) -> Result<u32, Fault> {
    let counted = tx.get(&CLIENTS_COUNTED, organization)?;
    Ok(counted.map_or(0, |CountRecord(count)| count))
}

/// More clients than one organization has.
const CLIENTS_MAX: usize = 10_000;
