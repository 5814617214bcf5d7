//! People's accounts, for the operator: what needs more than the users' own records.

use crate::domain::Cx;
use crate::domain::access::{By, Subject};
use crate::domain::sign_in;
use crate::domain::throttle;
use crate::domain::tokens::{Spared, ended};
use crate::domain::users::{self, Details, Error, NewUser, Password, User};
use crate::kernel::{Fault, OrgId, UserId};
use crate::store::{Tx, Verdict};

/// An account with a password of its own, of which this is the only sight.
pub struct Enrolled {
    /// The account.
    pub user: User,
    /// Its password.
    pub password: Password,
}

/// Gives a person an account. Hashes a password: never on a request's thread.
pub fn create(cx: &Cx<'_>, by: &By, to: &OrgId, new: &NewUser) -> Result<Enrolled, Error> {
    let password = draw(cx)?;
    let id = UserId::draw(cx.entropy());
    let user = cx.write(|tx| {
        let made = users::enrolled(tx, cx, by, (&id, to), (new, &password))?;
        Ok(made.map_or_else(Verdict::Discard, Verdict::Commit))
    })?;
    Ok(Enrolled { user, password })
}

/// Changes an account; disabling it ends what it is signed in with.
pub fn update(cx: &Cx<'_>, by: &By, id: &UserId, details: &Details) -> Result<User, Error> {
    let ends = details.disabled == Some(true);
    change(cx, id, ends, |tx| {
        users::update_within(tx, cx, by, id, details)
    })
}

/// Gives an account a new password and ends what it is signed in with. Hashes: never on a request's thread.
pub fn give_password(cx: &Cx<'_>, by: &By, id: &UserId, expired: bool) -> Result<Enrolled, Error> {
    let password = draw(cx)?;
    let user = change(cx, id, true, |tx| {
        sign_in::forgive(tx, id)?;
        users::give_password_within(tx, cx, by, (id, expired), &password)
    })?;
    Ok(Enrolled { user, password })
}

/// Forgets the wrong passwords that were given for an account, so that the next right one is looked at.
pub fn unlock(cx: &Cx<'_>, by: &By, id: &UserId) -> Result<User, Error> {
    let places = throttle::places(&cx.view(), id)?;
    cx.write(|tx| {
        sign_in::forgive_everywhere(tx, id, &places)?;
        let unlocked = users::unlocked_within(tx, cx, by, id)?;
        Ok(unlocked.map_or_else(Verdict::Discard, Verdict::Commit))
    })
}

/// Removes an account and ends what it is signed in with.
pub fn delete(cx: &Cx<'_>, by: &By, id: &UserId) -> Result<(), Error> {
    change(cx, id, true, |tx| users::delete_within(tx, cx, by, id))
}

/// A change of an account; where it `ends` what the account is signed in with, effective for the very next request.
fn change<T>(
    cx: &Cx<'_>,
    id: &UserId,
    ends: bool,
    change: impl Fn(&Tx<'_>) -> Result<Result<T, Error>, Fault>,
) -> Result<T, Error> {
    let sub = Subject::User(id.clone()).sub();
    let turn = cx.appliance.ended().turn();
    let (changed, epoch) = cx.write_vital(|tx| {
        let changed = match change(tx)? {
            Ok(changed) => changed,
            Err(error) => return Ok(Verdict::Discard(error)),
        };
        let epoch = if ends {
            Some(ended::move_epoch(tx, &sub, Spared::default())?)
        } else {
            None
        };
        Ok(Verdict::Commit((changed, epoch)))
    })?;
    if let Some(epoch) = epoch {
        turn.moved(sub, epoch);
    }
    Ok(changed)
}

fn draw(cx: &Cx<'_>) -> Result<Password, Fault> {
    let turn = cx.appliance.hashing().take();
    let _turn = turn.ok_or_else(|| Fault::unavailable("too many passwords are being hashed"))?;
    Password::draw(cx)
}
