//! People with an account: agents, supervisors, administrators.

mod accounts;
mod records;
mod vouched;

use super::Cx;
use super::access::{Action, Caller, Denied, Permissions, Roles, rules};
use super::seen::{self, Who};
use super::throttle::{self, Counter};
use crate::kernel::{Fault, OrgId, Timestamp, UserId};
use crate::store::{Tx, View};

pub use accounts::{
    Details, Error, NewUser, Password, delete_within, enrolled, give_password_within, list,
    unlocked_within, update_within,
};
pub(in crate::domain) use records::strays;
pub use vouched::{Person, met, met_before};

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
    /// The Argon2id hash of its password; empty where it has none, because an integration vouches for it.
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
    /// 0 at first, one more each time it is kept again.
    pub version: u64,
    /// What the platform that vouches for it, if one does, last let it do with integrations.
    pub permissions: Permissions,
}

impl User {
    /// Whether it can sign in with a password at all.
    pub fn has_password(&self) -> bool {
        !self.password.is_empty()
    }
}

/// The number contract B knows the first user by.
pub const FIRST_DBID: u32 = 101;

/// The user of that id.
pub fn find(cx: &Cx<'_>, id: &UserId) -> Result<Option<User>, Fault> {
    records::get(&cx.view(), id)
}

/// Everybody in an organization, in the order of their names.
pub(in crate::domain) fn of(view: &View<'_>, organization: &OrgId) -> Result<Vec<User>, Fault> {
    records::of(view, organization)
}

/// What internal services are told of a person besides the account itself.
#[derive(Debug)]
pub struct Account {
    /// The account.
    pub user: User,
    /// Whether its password is not looked at for strangers now, because too many were wrong.
    pub is_locked: bool,
    /// When the person was last here, if ever.
    pub last_seen_at: Option<Timestamp>,
}

/// Why an account is not shown.
#[derive(Debug, thiserror::Error)]
pub enum Unseen {
    /// There is none of that id.
    #[error("there is no such user")]
    NotFound,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Everything about the user of that id.
pub fn read(cx: &Cx<'_>, caller: &Caller, id: &UserId) -> Result<Account, Unseen> {
    rules::may(caller, Action::ReadUsers)?;
    let user = find(cx, id)?;
    let user = user.filter(|user| rules::sees(caller, &user.organization));
    let user = user.ok_or(Unseen::NotFound)?;
    let wrong = throttle::peek(&cx.view(), cx.now, Counter::WrongPasswords(id))?;
    Ok(Account {
        is_locked: wrong >= cx.policy().passwords.wrong_per_account_per_day,
        last_seen_at: seen::last(cx, &Who::User(id.clone()))?,
        user,
    })
}

/// Notes that somebody has just signed in, or goes on being signed in.
pub(in crate::domain) fn is_here(cx: &Cx<'_>, id: &UserId) {
    seen::note(cx, Who::User(id.clone()));
}

/// The user of that id, as the transaction sees it.
pub fn load(tx: &Tx<'_>, id: &UserId) -> Result<Option<User>, Fault> {
    records::load(tx, id)
}

/// A name to sign in with, or why it cannot be one.
///
/// Names are ASCII, so that no two of them look alike and folding their case needs no table; any other is simply not
/// known. The grammar is that of identifiers, so that a name stands in an address and on a command line as it is.
pub fn name_of(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err("a name has at least one character");
    }
    if text.len() > NAME_MAX {
        return Err("a name has at most 128 characters");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if !text.chars().all(plain) {
        return Err("a name has letters A to Z, digits, and . _ - @ only");
    }
    Ok(text.to_owned())
}

const NAME_MAX: usize = 128;

/// Whether two names are one: case is folded, in ASCII alone.
pub fn is_same_name(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The user who signs in to the organization under that name, whatever its case.
pub fn named(cx: &Cx<'_>, organization: &OrgId, name: &str) -> Result<Option<User>, Fault> {
    records::named(&cx.view(), organization, name)
}

/// Keeps a user and its name; the names of one organization are unique.
pub fn put(tx: &Tx<'_>, user: &User) -> Result<(), Fault> {
    records::put(tx, user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o12_names_are_ascii_and_told_in_words_why_they_cannot_be() {
        for name in ["a", "Ann.Smith_2-x@example.org", &"x".repeat(128)] {
            assert_eq!(name_of(name).as_deref(), Ok(name));
        }
        let too_long = "x".repeat(129);
        for name in [
            "",
            " ann",
            "ann\n",
            "tenant\\ann",
            "\u{430}nn",
            "a\u{300}",
            "a/b",
            &too_long,
        ] {
            assert!(name_of(name).is_err(), "{name:?}");
        }
        assert!(is_same_name("ANN", "ann"));
        assert!(!is_same_name("ann", "\u{ff41}nn"));
    }
}
