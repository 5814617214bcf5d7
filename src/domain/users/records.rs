//! Users as stored, and the index that finds them by name.

use serde::{Deserialize, Serialize};

use super::User;
use crate::domain::access::Roles;
use crate::kernel::{Fault, OrgId, Timestamp, UserId};
use crate::store::{Record, Table, Tx, View};

const USERS: Table<UserId, UserRecord> = Table::named("users");
const USERS_BY_NAME: Table<(OrgId, String), UserId> = Table::named("users_by_name");

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
    };
    let name = by_name(&user.organization, &user.name);
    tx.put(&USERS_BY_NAME, &name, &user.id)?;
    tx.put(&USERS, &user.id, &record)
}

fn by_name(organization: &OrgId, name: &str) -> (OrgId, String) {
    (organization.clone(), name.to_ascii_lowercase())
}
