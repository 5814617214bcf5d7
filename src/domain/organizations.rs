//! Tenants. Everything else belongs to one of them.

use serde::{Deserialize, Serialize};

use crate::kernel::{Fault, OrgId, Timestamp};
use crate::store::{Record, Table, Tx, View};

const ORGANIZATIONS: Table<OrgId, OrganizationRecord> = Table::named("organizations");

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its identifier.
    pub id: OrgId,
    /// What people call it.
    pub name: String,
    /// When it was founded.
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct OrganizationRecord {
    name: String,
    created_at: Timestamp,
}

impl Record for OrganizationRecord {
    const VERSION: u8 = 1;
}

/// The organization, if there is one of that id.
pub fn find(view: &View<'_>, id: &OrgId) -> Result<Option<Organization>, Fault> {
    let found = view.get(&ORGANIZATIONS, id)?;
    Ok(found.map(|record| Organization {
        id: id.clone(),
        name: record.name,
        created_at: record.created_at,
    }))
}

/// Every organization, in the order of their ids.
pub fn all(view: &View<'_>) -> Result<Vec<Organization>, Fault> {
    let all = view.scan(&ORGANIZATIONS, None, ORGANIZATIONS_MAX)?;
    Ok(all
        .into_iter()
        .map(|(id, record)| Organization {
            id,
            name: record.name,
            created_at: record.created_at,
        })
        .collect())
}

/// The organization people mean by this name or id, whatever its case; where they name none, the one called
/// `default`, or the only one there is.
pub fn called(view: &View<'_>, name: Option<&str>) -> Result<Option<Organization>, Fault> {
    let all = all(view)?;
    let named = |wanted: &str| {
        let is = |one: &&Organization| {
            one.name.eq_ignore_ascii_case(wanted) || one.id.as_str() == wanted
        };
        all.iter().find(is).cloned()
    };
    Ok(match name {
        Some(name) => named(name),
        None if all.len() == 1 => all.first().cloned(),
        None => named("default"),
    })
}

/// More tenants than one appliance serves.
const ORGANIZATIONS_MAX: usize = 10_000;

/// Whether there is an organization of that id, as the transaction sees it.
pub fn exists(tx: &Tx<'_>, id: &OrgId) -> Result<bool, Fault> {
    Ok(tx.get(&ORGANIZATIONS, id)?.is_some())
}

/// Keeps an organization.
pub fn put(tx: &Tx<'_>, organization: &Organization) -> Result<(), Fault> {
    let record = OrganizationRecord {
        name: organization.name.clone(),
        created_at: organization.created_at,
    };
    tx.put(&ORGANIZATIONS, &organization.id, &record)
}
