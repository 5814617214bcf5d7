//! People an integration vouches for: an account without a password, made when they first come and brought up to date
//! whenever they come again.

use super::accounts::blank;
use super::{FIRST_DBID, User, put, records};
use crate::domain::Cx;
use crate::domain::access::{Permissions, Roles};
use crate::domain::audit::{self, Event};
use crate::kernel::{ApplicationId, Fault, OrgId, UserId};
use crate::store::Tx;

/// Somebody Genesys Cloud knows.
pub struct Person<'a> {
    /// Its id there.
    pub id: &'a str,
    /// What it is called there.
    pub name: &'a str,
    /// Its e-mail address there, if any.
    pub email: Option<&'a str>,
    /// What it may be here.
    pub roles: Roles,
    /// What it may do with integrations there.
    pub permissions: Permissions,
}

/// The account of a person of this organization, as it now is, with what `by` says of it. `id` is the account's if it
/// is a new one.
pub fn met(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &ApplicationId,
    (id, organization): (&UserId, &OrgId),
    person: &Person<'_>,
) -> Result<User, Fault> {
    let before = met_before(tx, organization, person.id)?;
    let is_new = before.is_none();
    let mut user = before.unwrap_or_else(|| blank(cx, id, organization));
    if is_new {
        user.name = name_of(person.id);
        user.dbid = records::last_dbid(tx)?.max(FIRST_DBID - 1) + 1;
    }
    let old = user.clone();
    user.display_name = shown(person.name);
    user.email = person.email.and_then(shown);
    user.email_verified &= user.email == old.email;
    user.roles = person.roles;
    user.permissions = person.permissions;
    if is_new || changed(&old, &user) {
        user.updated_at = cx.now.to_millis();
        put(tx, &user)?;
        let action = if is_new {
            "user.created"
        } else {
            "user.changed"
        };
        let event = Event {
            action,
            by: by.as_str(),
            to: user.id.as_str(),
            organization: Some(organization),
        };
        audit::record(tx, cx, &event)?;
    }
    Ok(user)
}

/// The account of a person of this organization, if there is one.
pub fn met_before(tx: &Tx<'_>, organization: &OrgId, person: &str) -> Result<Option<User>, Fault> {
    let found = records::load_named(tx, organization, &name_of(person))?;
    // Nobody is given such a name: the colon is in no name people sign in with.
    Ok(found.filter(|user| !user.has_password()))
}

fn name_of(person: &str) -> String {
    format!("genesys:{}", person.to_ascii_lowercase())
}

fn changed(old: &User, new: &User) -> bool {
    (&old.display_name, &old.email) != (&new.display_name, &new.email)
        || (old.roles, old.permissions) != (new.roles, new.permissions)
}

/// What another server calls somebody, as far as it can be shown.
fn shown(text: &str) -> Option<String> {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).collect();
    shown.truncate(shown.floor_char_boundary(TEXT_MAX));
    (!shown.is_empty()).then_some(shown)
}

const TEXT_MAX: usize = 200;
