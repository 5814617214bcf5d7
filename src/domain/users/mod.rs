//! People with an account: agents, supervisors, administrators.

mod records;

use super::Cx;
use super::access::Roles;
use crate::kernel::{Fault, OrgId, Timestamp, UserId};
use crate::store::Tx;

/// A person with an account.
#[derive(Debug, Clone)]
pub struct User {
    /// Its identifier: the `sub` of its tokens.
    pub id: UserId,
    /// The organization it belongs to.
    pub organization: OrgId,
    /// The name it signs in with, as it was given.
    pub name: String,
    /// The number contract B knows it by; unique in the appliance.
    pub dbid: u32,
    /// The whole name, as people write it, if known.
    pub display_name: Option<String>,
    /// Given name, if known.
    pub first_name: Option<String>,
    /// Family name, if known.
    pub last_name: Option<String>,
    /// E-mail address, if known.
    pub email: Option<String>,
    /// Whether somebody made sure that the address is this person's.
    pub email_verified: bool,
    /// Telephone number, if known.
    pub phone: Option<String>,
    /// Whether somebody made sure that the number is this person's.
    pub phone_verified: bool,
    /// Postal address in one text of lines, if known.
    pub address: Option<String>,
    /// Language, as a BCP 47 tag, if known.
    pub locale: Option<String>,
    /// What it may be.
    pub roles: Roles,
    /// The Argon2id hash of its password.
    pub password: String,
    /// Whether the password is good for nothing but being changed.
    pub password_expired: bool,
    /// When the password was set.
    pub password_changed_at: Timestamp,
    /// Since when the account cannot be used, if it cannot.
    pub disabled: Option<Timestamp>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When anything of it was last changed.
    pub updated_at: Timestamp,
}

/// The user of that id.
pub fn find(cx: &Cx<'_>, id: &UserId) -> Result<Option<User>, Fault> {
    records::get(&cx.view(), id)
}

/// The user of that id, as the transaction sees it.
pub fn load(tx: &Tx<'_>, id: &UserId) -> Result<Option<User>, Fault> {
    records::load(tx, id)
}

/// The user who signs in to the organization under that name, whatever its case.
pub fn named(cx: &Cx<'_>, organization: &OrgId, name: &str) -> Result<Option<User>, Fault> {
    records::named(&cx.view(), organization, name)
}

/// Keeps a user and its name; the names of one organization are unique.
pub fn put(tx: &Tx<'_>, user: &User) -> Result<(), Fault> {
    records::put(tx, user)
}
