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
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    roles: Roles,
    password: String,
    created_at: Timestamp,
}

impl Record for UserRecord {
    const VERSION: u8 = 1;
}

impl Record for UserId {
    const VERSION: u8 = 1;
}

pub(super) fn get(view: &View<'_>, id: &UserId) -> Result<Option<User>, Fault> {
    Ok(view.get(&USERS, id)?.map(|record| User {
        id: id.clone(),
        organization: record.organization,
        name: record.name,
        dbid: record.dbid,
        first_name: record.first_name,
        last_name: record.last_name,
        email: record.email,
        roles: record.roles,
        password: record.password,
        created_at: record.created_at,
    }))
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
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        email: user.email.clone(),
        roles: user.roles,
        password: user.password.clone(),
        created_at: user.created_at,
    };
    let name = by_name(&user.organization, &user.name);
    tx.put(&USERS_BY_NAME, &name, &user.id)?;
    tx.put(&USERS, &user.id, &record)
}

fn by_name(organization: &OrgId, name: &str) -> (OrgId, String) {
    (organization.clone(), name.to_ascii_lowercase())
}
