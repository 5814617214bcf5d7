//! A new password in place of an old one. Whatever was signed in with the old one ends, but for what asked.

use super::strength::{self, Weakness};
use super::{Named, judge, named, parts};
use crate::crypto::password;
use crate::domain::access::{Caller, Subject};
use crate::domain::audit::{self, Event};
use crate::domain::tokens::{Spared, ended};
use crate::domain::users::{self, User};
use crate::domain::{Cx, organizations};
use crate::kernel::{Fault, Secret};
use crate::store::{Tx, Verdict};

/// Somebody wants a new password.
pub struct Change<'a> {
    /// For which account.
    pub whose: Whose<'a>,
    /// The password it has.
    pub old: &'a Secret<String>,
    /// The one it shall have.
    pub new: &'a Secret<String>,
    /// What the browser keeps, if somebody signed in with it before.
    pub device: Option<&'a str>,
}

/// The account whose password is to change.
pub enum Whose<'a> {
    /// The caller's own; a name, if one is given, must be the caller's.
    Own {
        /// Who asks.
        caller: &'a Caller,
        /// The name that was given.
        name: Option<&'a str>,
    },
    /// One whose password has expired: nobody can sign in with that, so no token is asked for.
    Expired {
        /// The organization, by name or id; where none is named it is the usual one.
        tenant: Option<&'a str>,
        /// The name, or `tenant\name`.
        name: &'a str,
    },
}

/// Why a password stays as it is.
#[derive(Debug)]
pub enum ChangeRefusal {
    /// The old password is not the one, or the account cannot be used: nobody is told which.
    Wrong,
    /// The old password is right and has not expired: whoever changes it must have signed in.
    NotExpired,
    /// The name is not the caller's, or the caller is not a person with an account.
    Foreign,
    /// The new password is not taken.
    Weak(Weakness),
    /// Something of ours broke.
    Fault(Fault),
}

impl From<Fault> for ChangeRefusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Puts a new password in place of the old one. The caller's own sign-in and browser session live on; every other
/// sign-in and session ends. Gives the user as it now is, who has just proved who it is.
///
/// The old password is judged as in [`super::check`], and counts like any other guess. Hashes up to twice.
pub fn change(cx: &Cx<'_>, change: &Change<'_>) -> Result<User, ChangeRefusal> {
    let (target, name) = target(cx, &change.whose)?;
    let policy = &cx.policy().passwords;
    let (old, new) = (change.old.expose(), change.new.expose());
    if let Some(weakness) = strength::weakness(policy, &name, old, new) {
        return Err(ChangeRefusal::Weak(weakness));
    }
    let judged = judge(cx, target, change.old, change.device)?;
    let user = judged.ok_or(ChangeRefusal::Wrong)?;
    let spared = match &change.whose {
        Whose::Own { caller, .. } => Spared {
            sign_in: caller.sign_in().cloned(),
            session: caller.session().cloned(),
        },
        Whose::Expired { .. } if user.password_expired => Spared::default(),
        Whose::Expired { .. } => return Err(ChangeRefusal::NotExpired),
    };
    let hash = password::hash(change.new, cx.entropy())?;
    replace(cx, &user, &hash, &spared)
}

/// The account and the name it goes by.
fn target(cx: &Cx<'_>, whose: &Whose<'_>) -> Result<(Named, String), ChangeRefusal> {
    let (caller, given) = match whose {
        Whose::Own { caller, name } => (caller, *name),
        Whose::Expired { tenant, name } => {
            let (_, bare) = parts(*tenant, name);
            return Ok((named(cx, *tenant, name)?, bare.to_owned()));
        }
    };
    let Subject::User(id) = caller.subject() else {
        return Err(ChangeRefusal::Foreign);
    };
    let user = users::find(cx, id)?;
    if let (Some(user), Some(given)) = (&user, given)
        && !is_own(cx, user, given)?
    {
        return Err(ChangeRefusal::Foreign);
    }
    let name = user
        .as_ref()
        .map_or_else(String::new, |user| user.name.clone());
    Ok((Named::already(user), name))
}

/// Whether somebody means themselves by this name.
fn is_own(cx: &Cx<'_>, user: &User, given: &str) -> Result<bool, Fault> {
    let (tenant, name) = parts(None, given);
    if !users::is_same_name(name, &user.name) {
        return Ok(false);
    }
    if tenant.is_none() {
        return Ok(true);
    }
    let organization = organizations::called(&cx.view(), tenant)?;
    Ok(organization.is_some_and(|one| one.id == user.organization))
}

/// One winner among those who know the same old password.
fn replace(cx: &Cx<'_>, user: &User, hash: &str, spared: &Spared) -> Result<User, ChangeRefusal> {
    let sub = Subject::User(user.id.clone()).sub();
    let turn = cx.appliance.ended().turn();
    let (changed, epoch) = cx.write_vital(|tx| {
        let stored = users::load(tx, &user.id)?;
        let judged = |now: &User| now.disabled.is_none() && now.password == user.password;
        let Some(now) = stored.filter(judged) else {
            return Ok(Verdict::Discard(ChangeRefusal::Wrong));
        };
        let changed = put(tx, cx, now, hash)?;
        told(tx, cx, user)?;
        let epoch = ended::move_epoch(tx, &sub, spared.clone())?;
        Ok(Verdict::Commit((changed, epoch)))
    })?;
    turn.moved(sub, epoch);
    Ok(changed)
}

/// The user with the new password.
fn put(tx: &Tx<'_>, cx: &Cx<'_>, user: User, hash: &str) -> Result<User, Fault> {
    let now = cx.now.to_millis();
    let changed = User {
        password: hash.to_owned(),
        password_expired: false,
        password_changed_at: now,
        updated_at: now,
        ..user
    };
    users::put(tx, &changed)?;
    Ok(changed)
}

fn told(tx: &Tx<'_>, cx: &Cx<'_>, user: &User) -> Result<(), Fault> {
    let event = Event {
        action: "user.password_changed",
        by: user.id.as_str(),
        to: user.id.as_str(),
        organization: Some(&user.organization),
    };
    audit::record(tx, cx, &event)
}
