//! Clients as stored.

use serde::{Deserialize, Serialize};

use super::{Client, GrantType};
use crate::crypto::jws::Algorithm;
use crate::domain::access::Roles;
use crate::kernel::{ClientId, Digest, Fault, OrgId, Timestamp};
use crate::store::{Record, Table, Tx, View};

const CLIENTS: Table<ClientId, ClientRecord> = Table::named("clients");

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ClientRecord {
    organization: OrgId,
    description: String,
    secret: Option<Digest>,
    roles: Roles,
    grants: Vec<GrantType>,
    scopes: Vec<String>,
    signing: Algorithm,
    access_seconds: Option<u32>,
    refresh_seconds: Option<u32>,
    created_at: Timestamp,
}

impl Record for ClientRecord {
    const VERSION: u8 = 1;
}

pub(super) fn get(view: &View<'_>, id: &ClientId) -> Result<Option<Client>, Fault> {
    Ok(view.get(&CLIENTS, id)?.map(|record| Client {
        id: id.clone(),
        organization: record.organization,
        description: record.description,
        secret: record.secret,
        roles: record.roles,
        grants: record.grants,
        scopes: record.scopes,
        signing: record.signing,
        access_seconds: record.access_seconds,
        refresh_seconds: record.refresh_seconds,
        created_at: record.created_at,
    }))
}

pub(super) fn put(tx: &Tx<'_>, client: &Client) -> Result<(), Fault> {
    let record = ClientRecord {
        organization: client.organization.clone(),
        description: client.description.clone(),
        secret: client.secret,
        roles: client.roles,
        grants: client.grants.clone(),
        scopes: client.scopes.clone(),
        signing: client.signing,
        access_seconds: client.access_seconds,
        refresh_seconds: client.refresh_seconds,
        created_at: client.created_at,
    };
    tx.put(&CLIENTS, &client.id, &record)
}
