//! Accounts come, change and go. Ending what a person is signed in with stands above: `admin` does both in one
//! transaction.

use serde::{Deserialize, Serialize};

use super::{User, load, put, records};
use crate::crypto::password;
use crate::domain::access::{By, Permissions, Role, Roles};
use crate::domain::audit::{self, Event};
use crate::domain::{Cx, organizations};
use crate::kernel::{Fault, OrgId, Secret, UserId};
use crate::store::Tx;

/// What a person can be told to be; what is left out stays as it is, and an empty text is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The whole name, as people write it.
    pub display_name: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Postal address.
    pub address: Option<String>,
    /// Language, as a BCP 47 tag.
    pub locale: Option<String>,
    /// What it may be. Usual: `Agent`.
    pub roles: Option<Vec<Role>>,
    /// Whether the password is good for nothing but being changed.
    pub expired: Option<bool>,
    /// Whether the account cannot be used.
    pub disabled: Option<bool>,
}

/// A person about to be given an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUser {
    /// The name it signs in with.
    pub name: String,
    /// What else is known of it.
    pub details: Details,
}

/// Why an account is not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that name or id.
    #[error("there is no such user")]
    NotFound,
    /// There is none of that id.
    #[error("there is no such organization")]
    NoOrganization,
    /// Somebody in the organization signs in under that name.
    #[error("there is a user {0} in this organization already")]
    Taken(String),
    /// It cannot be as it is told to be.
    #[error("{0}")]
    Invalid(String),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A password drawn by us and what the store keeps instead of it. Drawing takes milliseconds on purpose.
pub struct Password {
    shown: Secret<String>,
    hash: String,
}

impl Password {
    /// A new one.
    pub fn draw(cx: &Cx<'_>) -> Result<Self, Fault> {
        let shown = Secret::new(cx.entropy().word(PASSWORD_LENGTH, PASSWORD_ALPHABET));
        let hash = password::hash(&shown, cx.entropy())?;
        Ok(Self { shown, hash })
    }

    /// The only sight of it.
    pub fn shown(&self) -> &Secret<String> {
        &self.shown
    }

    /// What the store keeps.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// Gives a person an account within a transaction.
pub fn enrolled(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &By,
    (id, organization): (&UserId, &OrgId),
    (new, password): (&NewUser, &Password),
) -> Result<Result<User, Error>, Fault> {
    if let Err(error) = check_name(&new.name) {
        return Ok(Err(error));
    }
    if !organizations::exists(tx, organization)? {
        return Ok(Err(Error::NoOrganization));
    }
    if records::is_taken(tx, organization, &new.name)? {
        return Ok(Err(Error::Taken(new.name.clone())));
    }
    let mut user = blank(cx, id, organization);
    user.name.clone_from(&new.name);
    user.password.clone_from(&password.hash);
    user.dbid = records::last_dbid(tx)?.max(super::FIRST_DBID - 1) + 1;
    if let Err(error) = new.details.lay_over(cx, &mut user) {
        return Ok(Err(error));
    }
    put(tx, &user)?;
    tell(tx, cx, by, "user.created", &user)?;
    Ok(Ok(user))
}

/// Changes an account within a transaction. Whoever disables one ends what it is signed in with in the same.
pub fn update_within(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &By,
    id: &UserId,
    details: &Details,
) -> Result<Result<User, Error>, Fault> {
    let Some(before) = load(tx, id)? else {
        return Ok(Err(Error::NotFound));
    };
    let mut user = before;
    user.updated_at = cx.now.to_millis();
    if let Err(error) = details.lay_over(cx, &mut user) {
        return Ok(Err(error));
    }
    put(tx, &user)?;
    tell(tx, cx, by, "user.changed", &user)?;
    Ok(Ok(user))
}

/// Gives an account a new password within a transaction that also ends what it is signed in with.
pub fn give_password_within(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &By,
    (id, expired): (&UserId, bool),
    password: &Password,
) -> Result<Result<User, Error>, Fault> {
    let Some(mut user) = load(tx, id)? else {
        return Ok(Err(Error::NotFound));
    };
    if !user.has_password() {
        let words = "an integration vouches for this person, who has no password";
        return Ok(Err(invalid(words)));
    }
    user.password.clone_from(&password.hash);
    user.password_expired = expired;
    user.password_changed_at = cx.now.to_millis();
    user.updated_at = user.password_changed_at;
    put(tx, &user)?;
    tell(tx, cx, by, "user.password_reset", &user)?;
    Ok(Ok(user))
}

/// Notes within a transaction that wrong passwords for the account were forgotten, and returns the account.
pub fn unlocked_within(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &By,
    id: &UserId,
) -> Result<Result<User, Error>, Fault> {
    let Some(user) = load(tx, id)? else {
        return Ok(Err(Error::NotFound));
    };
    tell(tx, cx, by, "user.unlocked", &user)?;
    Ok(Ok(user))
}

/// Removes an account within a transaction that also ends what it is signed in with.
pub fn delete_within(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &By,
    id: &UserId,
) -> Result<Result<(), Error>, Fault> {
    let Some(user) = load(tx, id)? else {
        return Ok(Err(Error::NotFound));
    };
    records::remove(tx, &user)?;
    tell(tx, cx, by, "user.deleted", &user)?;
    Ok(Ok(()))
}

/// The organization's users, in the order of their names.
pub fn list(cx: &Cx<'_>, organization: &OrgId) -> Result<Vec<User>, Fault> {
    records::of(&cx.view(), organization)
}

pub(super) fn blank(cx: &Cx<'_>, id: &UserId, organization: &OrgId) -> User {
    let now = cx.now.to_millis();
    User {
        id: id.clone(),
        organization: organization.clone(),
        name: String::new(),
        dbid: 0,
        display_name: None,
        first_name: None,
        last_name: None,
        email: None,
        email_verified: false,
        phone: None,
        phone_verified: false,
        address: None,
        locale: None,
        roles: Roles::of(&[Role::Agent]),
        password: String::new(),
        password_expired: false,
        password_changed_at: now,
        disabled: None,
        created_at: now,
        updated_at: now,
        version: 0,
        permissions: Permissions::default(),
    }
}

impl Details {
    fn lay_over(&self, cx: &Cx<'_>, user: &mut User) -> Result<(), Error> {
        self.check()?;
        let told = |kept: &Option<String>, given: &Option<String>| match given {
            Some(text) if text.is_empty() => None,
            Some(text) => Some(text.clone()),
            None => kept.clone(),
        };
        let (email, phone) = (
            told(&user.email, &self.email),
            told(&user.phone, &self.phone),
        );
        // Nobody has made sure of an address that was just written.
        user.email_verified &= email == user.email;
        user.phone_verified &= phone == user.phone;
        (user.email, user.phone) = (email, phone);
        user.display_name = told(&user.display_name, &self.display_name);
        user.first_name = told(&user.first_name, &self.given_name);
        user.last_name = told(&user.last_name, &self.family_name);
        user.address = told(&user.address, &self.address);
        user.locale = told(&user.locale, &self.locale);
        if let Some(roles) = &self.roles {
            user.roles = Roles::of(roles);
        }
        user.password_expired = self.expired.unwrap_or(user.password_expired);
        match self.disabled {
            Some(true) => user.disabled = user.disabled.or(Some(cx.now.to_millis())),
            Some(false) => user.disabled = None,
            None => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        let texts = [
            ("name", &self.display_name),
            ("given name", &self.given_name),
            ("family name", &self.family_name),
            ("e-mail address", &self.email),
            ("telephone number", &self.phone),
            ("locale", &self.locale),
        ];
        for (what, text) in texts {
            let text = text.as_deref().unwrap_or_default();
            if text.len() > TEXT_MAX || text.chars().any(char::is_control) {
                let told = format!(
                    "the {what} is longer than {TEXT_MAX} bytes or holds a control character"
                );
                return Err(Error::Invalid(told));
            }
        }
        let email = self.email.as_deref().unwrap_or_default();
        let halves = email.split_once('@');
        let is_address = halves.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if !email.is_empty() && (!is_address || email.contains(char::is_whitespace)) {
            return Err(invalid("the e-mail address has no name, no @ or no host"));
        }
        let address = self.address.as_deref().unwrap_or_default();
        let breaks = |c: char| c.is_control() && c != '\n';
        if address.len() > ADDRESS_MAX || address.chars().any(breaks) {
            return Err(invalid(
                "the address is longer than 1000 bytes or holds a control character other than the end of a line",
            ));
        }
        let tag = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if !self.locale.as_deref().unwrap_or_default().bytes().all(tag) {
            return Err(invalid("the locale is no language tag such as en-GB"));
        }
        let is_customer = |roles: &Vec<Role>| roles.contains(&Role::Customer);
        if self.roles.as_ref().is_some_and(is_customer) {
            return Err(invalid("nobody with an account is a customer"));
        }
        Ok(())
    }
}

/// Plain letters, so that no two names look alike, and neither a backslash, which follows the tenant, nor a colon,
/// which ends a name in a Basic header.
fn check_name(name: &str) -> Result<(), Error> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-@+".contains(&b);
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(invalid(
            "a user's name is 1 to 64 letters, digits and . _ - @ +",
        ))
    }
}

pub(super) fn tell(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &By,
    action: &'static str,
    user: &User,
) -> Result<(), Fault> {
    let event = Event {
        action,
        by: by.who(),
        to: user.id.as_str(),
        organization: Some(&user.organization),
    };
    audit::record(tx, cx, &event)
}

fn invalid(what: &str) -> Error {
    Error::Invalid(what.to_owned())
}

/// Twenty characters of fifty-five are 115 bits.
const PASSWORD_LENGTH: usize = 20;
const PASSWORD_ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const NAME_MAX: usize = 64;
const TEXT_MAX: usize = 200;
const ADDRESS_MAX: usize = 1_000;
