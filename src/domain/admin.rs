//! What the operator does: found organizations and register clients.
//!
//! No role is asked for, because whoever holds the machine holds everything; all of it is on the record.

use super::access::Roles;
use super::audit::{self, Event};
use super::clients::{self, Client, DEFAULT_SCOPES, GrantType, secret};
use super::organizations::{self, Organization};
use super::{Cx, access};
use crate::crypto::jws::Algorithm;
use crate::kernel::{ClientId, Fault, OrgId, Secret};
use crate::store::Verdict;

/// A client about to be registered. Only the operator can give one the role of an internal service.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// The organization it shall belong to.
    pub organization: OrgId,
    /// What it is for.
    pub description: String,
    /// The roles its own tokens shall carry.
    pub roles: Vec<access::Role>,
    /// How it may ask for tokens.
    pub grants: Vec<GrantType>,
    /// How its access tokens shall be signed.
    pub signing: Algorithm,
}

/// A registered client, with the only sight of its secret.
#[derive(Debug)]
pub struct Registered {
    /// Its identifier.
    pub id: ClientId,
    /// Its secret.
    pub secret: Secret<String>,
}

/// Why the operator is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that id.
    #[error("there is no such organization")]
    NoOrganization,
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Founds an organization.
pub fn found_organization(cx: &Cx<'_>, name: &str) -> Result<OrgId, Error> {
    let organization = Organization {
        id: OrgId::draw(cx.entropy()),
        name: name.to_owned(),
        created_at: cx.now.to_millis(),
    };
    cx.write(|tx| {
        organizations::put(tx, &organization)?;
        let id = &organization.id;
        audit::record(
            tx,
            cx,
            &by_operator("organization.founded", id.as_str(), id),
        )?;
        Ok(Verdict::<(), Error>::Commit(()))
    })?;
    Ok(organization.id)
}

/// Registers a client with a secret of its own.
pub fn register_client(cx: &Cx<'_>, new: NewClient) -> Result<Registered, Error> {
    let secret = secret::draw(cx);
    let client = Client {
        id: ClientId::draw(cx.entropy()),
        organization: new.organization,
        name: String::new(),
        description: new.description,
        secret: Some(secret::digest(cx.appliance, &secret)),
        roles: Roles::of(&new.roles),
        grants: new.grants,
        scopes: DEFAULT_SCOPES.map(str::to_owned).to_vec(),
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        signing: new.signing,
        id_token_signing: Algorithm::Rs256,
        access_seconds: None,
        refresh_seconds: None,
        created_at: cx.now.to_millis(),
    };
    cx.write(|tx| {
        if !organizations::exists(tx, &client.organization)? {
            return Ok(Verdict::Discard(Error::NoOrganization));
        }
        clients::put(tx, &client)?;
        let event = by_operator(
            "client.registered",
            client.id.as_str(),
            &client.organization,
        );
        audit::record(tx, cx, &event)?;
        Ok(Verdict::Commit(()))
    })?;
    Ok(Registered {
        id: client.id,
        secret,
    })
}

fn by_operator<'a>(action: &'static str, to: &'a str, organization: &'a OrgId) -> Event<'a> {
    Event {
        action,
        by: "operator",
        to,
        organization: Some(organization),
    }
}
