//! Tenants. Everything else belongs to one of them.

use serde::{Deserialize, Serialize};

use crate::kernel::{Fault, OrgId, Timestamp};
use crate::store::{Record, Table, Tx, View};

const ORGANIZATIONS: Table<OrgId, OrganizationRecord> = Table::named("organizations");
const ORGANIZATIONS_BY_NAME: Table<String, OrgId> = Table::named("organizations_by_name");

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

/// What the name of an organization may be.
const NAME_MAX: usize = 100;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct OrganizationRecord {
    name: String,
    created_at: Timestamp,
    /// How many users, clients, applications and key pairs belong to it.
    members: u64,
}

impl Record for OrgId {
    const VERSION: u8 = 1;
}

impl Record for OrganizationRecord {
    const VERSION: u8 = 1;
}

impl OrganizationRecord {
    fn of(self, id: OrgId) -> Organization {
        Organization {
            id,
            name: self.name,
            created_at: self.created_at,
        }
    }
}

/// The organization, if there is one of that id.
pub fn find(view: &View<'_>, id: &OrgId) -> Result<Option<Organization>, Fault> {
    let found = view.get(&ORGANIZATIONS, id)?;
    Ok(found.map(|record| record.of(id.clone())))
}

/// The same, as the transaction sees it.
pub fn load(tx: &Tx<'_>, id: &OrgId) -> Result<Option<Organization>, Fault> {
    let found = tx.get(&ORGANIZATIONS, id)?;
    Ok(found.map(|record| record.of(id.clone())))
}

/// Every organization, in the order of their ids.
pub fn all(view: &View<'_>) -> Result<Vec<Organization>, Fault> {
    let all = view.scan(&ORGANIZATIONS, None, ORGANIZATIONS_MAX)?;
    Ok(all.into_iter().map(|(id, record)| record.of(id)).collect())
}

/// The organization people mean by this name or id, whatever its case; where they name none, the one called
/// `default`, or the only one there is.
pub fn called(view: &View<'_>, name: Option<&str>) -> Result<Option<Organization>, Fault> {
    let wanted = name.unwrap_or(USUAL);
    if let Some(id) = view.get(&ORGANIZATIONS_BY_NAME, &by_name(wanted))? {
        return find(view, &id);
    }
    let Some(name) = name else {
        return the_only_one(view);
    };
    match name.parse() {
        Ok(id) => find(view, &id),
        Err(_) => Ok(None),
    }
}

/// What the first organization is called.
const USUAL: &str = "default";

fn the_only_one(view: &View<'_>) -> Result<Option<Organization>, Fault> {
    let mut first = view.scan(&ORGANIZATIONS, None, 2)?.into_iter();
    match (first.next(), first.next()) {
        (Some((id, record)), None) => Ok(Some(record.of(id))),
        _ => Ok(None),
    }
}

/// More tenants than one appliance serves.
const ORGANIZATIONS_MAX: usize = 10_000;

/// Whether there is an organization of that id, as the transaction sees it.
pub fn exists(tx: &Tx<'_>, id: &OrgId) -> Result<bool, Fault> {
    Ok(tx.get(&ORGANIZATIONS, id)?.is_some())
}

/// Keeps an organization and its name. A new one is empty.
pub fn put(tx: &Tx<'_>, organization: &Organization) -> Result<(), Fault> {
    let id = &organization.id;
    let before = tx.get(&ORGANIZATIONS, id)?;
    if let Some(before) = &before {
        tx.remove(&ORGANIZATIONS_BY_NAME, &by_name(&before.name))?;
    }
    tx.put(&ORGANIZATIONS_BY_NAME, &by_name(&organization.name), id)?;
    let record = OrganizationRecord {
        name: organization.name.clone(),
        created_at: organization.created_at,
        members: before.map_or(0, |before| before.members),
    };
    tx.put(&ORGANIZATIONS, id, &record)
}

/// Whose name this is, whatever its case, as the transaction sees it.
pub fn holder_of(tx: &Tx<'_>, name: &str) -> Result<Option<OrgId>, Fault> {
    tx.get(&ORGANIZATIONS_BY_NAME, &by_name(name))
}

/// Why a name cannot be an organization's, if it cannot.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let is_text = !name.trim().is_empty() && name.trim() == name;
    // `organization\user` is how people sign in to another one than the usual.
    let plain = !name.chars().any(|c| c.is_control() || c == '\\');
    if is_text && plain && name.len() <= NAME_MAX {
        Ok(())
    } else {
        Err(
            "an organization's name is 1 to 100 bytes of text without control characters, backslash or spaces around it",
        )
    }
}

/// Counts one more user, client, application or key pair; false where there is no such organization.
pub fn enter(tx: &Tx<'_>, id: &OrgId) -> Result<bool, Fault> {
    counted(tx, id, |members| members.saturating_add(1))
}

/// Counts one less.
pub fn leave(tx: &Tx<'_>, id: &OrgId) -> Result<bool, Fault> {
    counted(tx, id, |members| members.saturating_sub(1))
}

fn counted(tx: &Tx<'_>, id: &OrgId, count: impl Fn(u64) -> u64) -> Result<bool, Fault> {
    let Some(mut record) = tx.get(&ORGANIZATIONS, id)? else {
        return Ok(false);
    };
    record.members = count(record.members);
    tx.put(&ORGANIZATIONS, id, &record)?;
    Ok(true)
}

/// What came of removing an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// There is none of that id.
    NotFound,
    /// Something still belongs to it, and it stays.
    NotEmpty,
}

/// Removes an organization nothing belongs to any more.
pub fn remove(tx: &Tx<'_>, id: &OrgId) -> Result<Removed, Fault> {
    let Some(record) = tx.get(&ORGANIZATIONS, id)? else {
        return Ok(Removed::NotFound);
    };
    if record.members > 0 {
        return Ok(Removed::NotEmpty);
    }
    tx.remove(&ORGANIZATIONS_BY_NAME, &by_name(&record.name))?;
    tx.remove(&ORGANIZATIONS, id)?;
    Ok(Removed::Gone)
}

fn by_name(name: &str) -> String {
    name.to_ascii_lowercase()
}
