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
    name: String,
    description: String,
    secret: Option<Digest>,
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

pub(super) fn get(view: &View<'_>, id: &ClientId) -> Result<Option<Client>, Fault> {
    Ok(view.get(&CLIENTS, id)?.map(|record| Client {
        id: id.clone(),
        organization: record.organization,
        name: record.name,
        description: record.description,
        secret: record.secret,
        roles: record.roles,
        grants: record.grants,
        scopes: record.scopes,
        redirect_uris: record.redirect_uris,
        post_logout_redirect_uris: record.post_logout_redirect_uris,
        signing: record.signing,
        id_token_signing: record.id_token_signing,
        access_seconds: record.access_seconds,
        refresh_seconds: record.refresh_seconds,
        created_at: record.created_at,
    }))
}

pub(super) fn put(tx: &Tx<'_>, client: &Client) -> Result<(), Fault> {
    let record = ClientRecord {
        organization: client.organization.clone(),
        name: client.name.clone(),
        description: client.description.clone(),
        secret: client.secret,
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
    tx.put(&CLIENTS, &client.id, &record)
}
