//! A name and a password: judged with the same work and one answer for whatever is wrong with them.

mod change;
mod strength;

use super::guesses::{self, Target};
use crate::crypto::password;
use crate::domain::users::{self, User};
use crate::domain::{Cx, organizations};
use crate::kernel::{Fault, OrgId, Secret};

pub use change::{Change, ChangeRefusal, Whose, change};
pub use strength::Weakness;

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

/// The user, if the password is right and the account may be used; the network it was right from is then known to be
/// the owner's. One Argon2id verification and two transactions, whatever comes of it.
pub fn check(cx: &Cx<'_>, attempt: &Attempt<'_>) -> Result<User, Refusal> {
    let named = named(cx, attempt.tenant, attempt.name)?;
    let user = judge(cx, named, attempt.password, attempt.device)?.ok_or(Refusal::Wrong)?;
    if user.password_expired {
        return Err(Refusal::Expired(Box::new(user)));
    }
    users::is_here(cx, &user.id);
    Ok(user)
}

/// What a name leads to.
struct Named {
    user: Option<User>,
    number: u8,
}

impl Named {
    /// An account that is known without its name.
    fn already(user: Option<User>) -> Self {
        Self { user, number: 0 }
    }
}

/// The account, if the password is right and it is not disabled.
fn judge(
    cx: &Cx<'_>,
    named: Named,
    presented: &Secret<String>,
    device: Option<&str>,
) -> Result<Option<User>, Fault> {
    let target = Target {
        account: named.user.as_ref(),
        name: named.number,
        device,
    };
    let guess = guesses::count(cx, &target)?;
    let mut is_right = false;
    // Somebody whom an integration vouches for has no password: nobody's is judged in its place.
    let judged = target.account.filter(|user| user.has_password());
    if let Some(user) = judged.filter(|_| guess.is_looked_at) {
        is_right = password::verify(presented, &user.password)?;
    } else {
        password::verify_nobodys(presented)?;
    }
    let right = judged.filter(|_| is_right);
    let is_in = guesses::settle(cx, &guess, right)?;
    Ok(named.user.filter(|_| is_in))
}

fn named(cx: &Cx<'_>, tenant: Option<&str>, name: &str) -> Result<Named, Fault> {
    let (tenant, name) = parts(tenant, name);
    let organization = organizations::called(&cx.view(), tenant)?.map(|found| found.id);
    // A name is looked for even where there is no such tenant.
    let organization = organization.map_or_else(|| NOWHERE.parse::<OrgId>(), Ok);
    let organization =
        organization.map_err(|error| Fault::internal("no organization's id").because(error))?;
    Ok(Named {
        user: users::named(cx, &organization, name)?,
        number: guesses::name(cx, tenant, name),
    })
}

/// No organization has this id: they are all drawn.
const NOWHERE: &str = "00000000-0000-0000-0000-000000000000";

/// The tenant and the name in `name`, which may have both.
fn parts<'a>(tenant: Option<&'a str>, name: &'a str) -> (Option<&'a str>, &'a str) {
    match name.split_once('\\') {
        Some((tenant, name)) => (Some(tenant), name),
        None => (tenant, name),
    }
}
