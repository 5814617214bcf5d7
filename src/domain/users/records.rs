//! Users as stored, and the index that finds them by name.

use serde::{Deserialize, Serialize};

use super::User;
use crate::domain::access::{Permissions, Roles};
use crate::domain::organizations;
use crate::domain::seen::{self, Who};
use crate::kernel::{Fault, OrgId, Timestamp, UserId};
use crate::store::{Record, Table, Tx, View};

const USERS: Table<UserId, UserRecord> = Table::named("users");
const USERS_BY_NAME: Table<(OrgId, String), UserId> = Table::named("users_by_name");
const USERS_LAST_DBID: Table<u8, DbidRecord> = Table::named("users_last_dbid");

/// The highest number contract B knows anybody by.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct DbidRecord(u32);

impl Record for DbidRecord {
    const VERSION: u8 = 1;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct UserRecord {
    organization: OrgId,
    name: String,
    dbid: u32,
    display_name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    email_verified: bool,
    phone: Option<String>,
    phone_verified: bool,
    address: Option<String>,
    locale: Option<String>,
    roles: Roles,
    password: String,
    password_expired: bool,
    password_changed_at: Timestamp,
    disabled: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
    permissions: Permissions,
}

impl Record for UserRecord {
    const VERSION: u8 = 1;
}

impl Record for UserId {
    const VERSION: u8 = 1;
}

impl UserRecord {
    fn of(self, id: &UserId) -> User {
        User {
            id: id.clone(),
            organization: self.organization,
            name: self.name,
            dbid: self.dbid,
            display_name: self.display_name,
            first_name: self.first_name,
            last_name: self.last_name,
            email: self.email,
            email_verified: self.email_verified,
            phone: self.phone,
            phone_verified: self.phone_verified,
            address: self.address,
            locale: self.locale,
            roles: self.roles,
            password: self.password,
            password_expired: self.password_expired,
            password_changed_at: self.password_changed_at,
            disabled: self.disabled,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
            permissions: self.permissions,
        }
    }
}

pub(super) fn get(view: &View<'_>, id: &UserId) -> Result<Option<User>, Fault> {
    Ok(view.get(&USERS, id)?.map(|record| record.of(id)))
}

pub(super) fn load(tx: &Tx<'_>, id: &UserId) -> Result<Option<User>, Fault> {
    Ok(tx.get(&USERS, id)?.map(|record| record.of(id)))
}

pub(super) fn named(
    view: &View<'_>,
    organization: &OrgId,
    name: &str,
) -> Result<Option<User>, Fault> {
    let Some(id) = view.get(&USERS_BY_NAME, &by_name(organization, name))? else {
        return Ok(None);
    };
    get(view, &id)
}

pub(super) fn put(tx: &Tx<'_>, user: &User) -> Result<(), Fault> {
    let before = tx.get(&USERS, &user.id)?;
    let record = UserRecord {
        organization: user.organization.clone(),
        name: user.name.clone(),
        dbid: user.dbid,
        display_name: user.display_name.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        email: user.email.clone(),
        email_verified: user.email_verified,
        phone: user.phone.clone(),
        phone_verified: user.phone_verified,
        address: user.address.clone(),
        locale: user.locale.clone(),
        roles: user.roles,
        password: user.password.clone(),
        password_expired: user.password_expired,
        password_changed_at: user.password_changed_at,
        disabled: user.disabled,
        created_at: user.created_at,
        updated_at: user.updated_at,
        version: before.as_ref().map_or(0, |before| before.version + 1),
        permissions: user.permissions,
    };
    if before.is_none() {
        if !organizations::enter(tx, &user.organization)? {
            return Err(Fault::internal("a user of no organization"));
        }
        let last = last_dbid(tx)?.max(user.dbid);
        tx.put(&USERS_LAST_DBID, &0, &DbidRecord(last))?;
    }
    let name = by_name(&user.organization, &user.name);
    tx.put(&USERS_BY_NAME, &name, &user.id)?;
    tx.put(&USERS, &user.id, &record)
}

/// The same as the transaction sees it.
pub(super) fn load_named(
    tx: &Tx<'_>,
    organization: &OrgId,
    name: &str,
) -> Result<Option<User>, Fault> {
    let Some(id) = tx.get(&USERS_BY_NAME, &by_name(organization, name))? else {
        return Ok(None);
    };
    load(tx, &id)
}

/// The highest number any user has or had, 0 before the first.
pub(super) fn last_dbid(tx: &Tx<'_>) -> Result<u32, Fault> {
    let last = tx.get(&USERS_LAST_DBID, &0)?;
    Ok(last.map_or(0, |DbidRecord(last)| last))
}

/// Whether somebody in the organization signs in under that name, as the transaction sees it.
pub(super) fn is_taken(tx: &Tx<'_>, organization: &OrgId, name: &str) -> Result<bool, Fault> {
    Ok(tx
        .get(&USERS_BY_NAME, &by_name(organization, name))?
        .is_some())
}

/// Every user of the organization, in the order of their names.
pub(super) fn of(view: &View<'_>, organization: &OrgId) -> Result<Vec<User>, Fault> {
    let keys = view.scan_prefix(&USERS_BY_NAME, organization, None, USERS_MAX)?;
    let mut found = Vec::with_capacity(keys.len());
    for (_, id) in keys {
        found.extend(get(view, &id)?);
    }
    Ok(found)
}

/// How many names lead to nobody, or to somebody of another name or organization.
pub(in crate::domain) fn strays(view: &View<'_>) -> Result<u64, Fault> {
    let mut strays = 0;
    view.each(&USERS_BY_NAME, |name, id| {
        let user = view.get(&USERS, &id)?;
        let is_home = user.is_some_and(|user| by_name(&user.organization, &user.name) == name);
        strays += u64::from(!is_home);
        Ok(())
    })?;
    Ok(strays)
}

pub(super) fn remove(tx: &Tx<'_>, user: &User) -> Result<(), Fault> {
    tx.remove(&USERS_BY_NAME, &by_name(&user.organization, &user.name))?;
    tx.remove(&USERS, &user.id)?;
    seen::forget(tx, &Who::User(user.id.clone()))?;
    organizations::leave(tx, &user.organization)?;
    Ok(())
}

/// More people than one organization has.
const USERS_MAX: usize = 100_000;

fn by_name(organization: &OrgId, name: &str) -> (OrgId, String) {
    (organization.clone(), name.to_ascii_lowercase())
}
