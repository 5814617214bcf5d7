//! A name and a password: judged with the same work and one answer for whatever is wrong with them.

use crate::crypto::password;
use crate::domain::users::{self, User};
use crate::domain::{Cx, organizations};
use crate::kernel::{Fault, Secret};

/// Somebody says who they are.
pub struct Attempt<'a> {
    /// The organization, by name or id; where none is named it is the usual one.
    pub tenant: Option<&'a str>,
    /// The name, or `tenant\name`.
    pub name: &'a str,
    /// The password.
    pub password: &'a Secret<String>,
    /// What the browser keeps, if somebody signed in with it before.
    pub device: Option<&'a str>,
}

/// Why somebody is not let in.
#[derive(Debug)]
pub enum Refusal {
    /// There is no such account, it is disabled, the password is wrong, or there were too many: nobody is told which.
    Wrong,
    /// The password is right, and good for nothing but being changed.
    Expired(Box<User>),
    /// Something of ours broke.
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The user, if the password is right and the account may be used. One Argon2id verification, whatever comes of it.
pub fn check(cx: &Cx<'_>, attempt: &Attempt<'_>) -> Result<User, Refusal> {
    let user = named(cx, attempt)?.ok_or(Refusal::Wrong)?;
    if !password::verify(attempt.password, &user.password)? || user.disabled.is_some() {
        return Err(Refusal::Wrong);
    }
    if user.password_expired {
        return Err(Refusal::Expired(Box::new(user)));
    }
    Ok(user)
}

fn named(cx: &Cx<'_>, attempt: &Attempt<'_>) -> Result<Option<User>, Fault> {
    let (tenant, name) = match attempt.name.split_once('\\') {
        Some((tenant, name)) => (Some(tenant), name),
        None => (attempt.tenant, attempt.name),
    };
    let Some(organization) = organizations::called(&cx.view(), tenant)? else {
        return Ok(None);
    };
    users::named(cx, &organization.id, name)
}
