//! Organizations, for the operator.

use crate::domain::access::By;
use crate::domain::audit::{self, Event};
use crate::domain::organizations::{self, Organization, Removed};
use crate::domain::{Cx, tickets};
use crate::kernel::{Fault, OrgId};
use crate::store::{Tx, Verdict};

/// Why an organization is not founded, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that name or id.
    #[error("there is no such organization")]
    NotFound,
    /// Another one goes by that name.
    #[error("there is an organization {0} already")]
    Taken(String),
    /// It cannot be called that.
    #[error("{0}")]
    Invalid(&'static str),
    /// Something still belongs to it.
    #[error(
        "the organization is not empty: users, clients, applications, key pairs or tickets belong to it"
    )]
    NotEmpty,
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Founds an organization.
pub fn create(cx: &Cx<'_>, by: &By, name: &str) -> Result<Organization, Error> {
    organizations::check_name(name).map_err(Error::Invalid)?;
    let organization = Organization {
        id: OrgId::draw(cx.entropy()),
        name: name.to_owned(),
        created_at: cx.now.to_millis(),
    };
    cx.write(|tx| {
        if organizations::holder_of(tx, name)?.is_some() {
            return Ok(Verdict::Discard(Error::Taken(name.to_owned())));
        }
        organizations::put(tx, &organization)?;
        tell(tx, cx, by, "organization.founded", &organization.id)?;
        Ok(Verdict::Commit(()))
    })?;
    Ok(organization)
}

/// Calls an organization something else.
pub fn rename(cx: &Cx<'_>, by: &By, id: &OrgId, name: &str) -> Result<Organization, Error> {
    organizations::check_name(name).map_err(Error::Invalid)?;
    cx.write(|tx| {
        let Some(mut organization) = organizations::load(tx, id)? else {
            return Ok(Verdict::Discard(Error::NotFound));
        };
        let holder = organizations::holder_of(tx, name)?;
        if holder.is_some_and(|holder| holder != *id) {
            return Ok(Verdict::Discard(Error::Taken(name.to_owned())));
        }
        name.clone_into(&mut organization.name);
        organizations::put(tx, &organization)?;
        tell(tx, cx, by, "organization.changed", id)?;
        Ok(Verdict::Commit(organization))
    })
}

/// Removes an organization nothing belongs to.
pub fn delete(cx: &Cx<'_>, by: &By, id: &OrgId) -> Result<(), Error> {
    // Without users and clients only an internal service could still make tickets in it.
    if tickets::are_in(&cx.view(), id)? {
        return Err(Error::NotEmpty);
    }
    cx.write(|tx| match organizations::remove(tx, id)? {
        Removed::NotFound => Ok(Verdict::Discard(Error::NotFound)),
        Removed::NotEmpty => Ok(Verdict::Discard(Error::NotEmpty)),
        Removed::Gone => {
            tell(tx, cx, by, "organization.deleted", id)?;
            Ok(Verdict::Commit(()))
        }
    })
}

fn tell(tx: &Tx<'_>, cx: &Cx<'_>, by: &By, action: &'static str, id: &OrgId) -> Result<(), Fault> {
    let event = Event {
        action,
        by: by.who(),
        to: id.as_str(),
        organization: Some(id),
    };
    audit::record(tx, cx, &event)
}
