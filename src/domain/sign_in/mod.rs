//! People sign in: a password is judged, guessing at it is held down, a browser's session begins, and all of it ends.

pub mod device;
pub mod form;
mod guesses;
pub mod password;
pub mod sign_out;

use super::sessions::{self, NewSession, Session};
use super::users::{self, User};
use super::{Cx, audit};
use crate::kernel::{Fault, Secret, UserId};
use crate::store::{Tx, Verdict};
use password::Refusal;

/// A browser that has just signed in.
pub struct SignedIn {
    /// Its session.
    pub session: Session,
    /// What it keeps to be known by.
    pub cookie: Secret<String>,
    /// What it keeps to be known as one that this user signs in with.
    pub device: Secret<String>,
}

/// Begins a session for a user whose password was right a moment ago, and still is.
///
/// It takes the place of the session of the cookie the browser has now, so that whoever knew that does not know this
/// (session fixation); what came of the old one lives on.
pub fn begin(cx: &Cx<'_>, user: &User, before: Option<&str>) -> Result<SignedIn, Refusal> {
    let new = NewSession::draw(cx);
    let before = before
        .map(|cookie| sessions::find(cx, cookie))
        .transpose()?;
    let before = before.flatten().map(|session| session.id);
    let session = cx.write(|tx| {
        if !still_holds(tx, user)? {
            return Ok(Verdict::Discard(Refusal::Wrong));
        }
        let session = sessions::begin(tx, cx, &new, user)?;
        if let Some(before) = &before {
            sessions::forget_within(tx, before)?;
        }
        guesses::remember(tx, cx, &user.id)?;
        let event = audit::Event {
            action: "user.signed_in",
            by: user.id.as_str(),
            to: new.id.as_str(),
            organization: Some(&user.organization),
        };
        audit::record(tx, cx, &event)?;
        Ok(Verdict::Commit(session))
    })?;
    users::is_here(cx, &user.id);
    Ok(SignedIn {
        session,
        cookie: new.cookie(),
        device: device::cookie(cx, &user.id),
    })
}

/// Gives strangers a new budget of guesses at a password that nobody has guessed at yet.
pub(in crate::domain) fn forgive(tx: &Tx<'_>, user: &UserId) -> Result<(), Fault> {
    guesses::forget(tx, user)
}

/// Forgets every wrong password for the account, from wherever it came. `places` are those that have a budget of their own.
pub(in crate::domain) fn forgive_everywhere(
    tx: &Tx<'_>,
    user: &UserId,
    places: &[String],
) -> Result<(), Fault> {
    guesses::forget(tx, user)?;
    guesses::forget_places(tx, user, places)
}

/// Whether what a user was judged by holds within this transaction: another may have changed the password or disabled
/// the account since.
pub(in crate::domain) fn still_holds(tx: &Tx<'_>, user: &User) -> Result<bool, Fault> {
    let stored = users::load(tx, &user.id)?;
    Ok(stored.is_some_and(|now| {
        let same = now.password == user.password && now.password_expired == user.password_expired;
        now.disabled.is_none() && same
    }))
}
