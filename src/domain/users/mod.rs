//! People with an account: agents, supervisors, administrators.

mod accounts;
mod records;

use super::Cx;
use super::access::Roles;
use crate::kernel::{Fault, OrgId, Timestamp, UserId};
use crate::store::Tx;

pub use accounts::{
    Details, Error, NewUser, Password, delete_within, enrolled, give_password_within, list,
    update_within,
};

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

/// The number contract B knows the first user by.
pub const FIRST_DBID: u32 = 101;

/// The user of that id.
pub fn find(cx: &Cx<'_>, id: &UserId) -> Result<Option<User>, Fault> {
    records::get(&cx.view(), id)
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
