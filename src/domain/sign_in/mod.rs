//! People sign in: a password is judged, guessing at it is held down, and a browser's session begins.

pub mod device;
pub mod form;
pub mod password;

use super::sessions::{self, NewSession, Session};
use super::users::User;
use super::{Cx, audit};
use crate::kernel::{Fault, Secret};
use crate::store::Verdict;

/// A browser that has just signed in.
pub struct SignedIn {
    /// Its session.
    pub session: Session,
    /// What it keeps to be known by.
    pub cookie: Secret<String>,
    /// What it keeps so that its guesses are counted apart.
    pub device: Secret<String>,
}

/// Begins a session for a user whose password was right.
pub fn begin(cx: &Cx<'_>, user: &User) -> Result<SignedIn, Fault> {
    let new = NewSession::draw(cx);
    let session = cx.write(|tx| {
        let session = sessions::begin(tx, cx, &new, user)?;
        let event = audit::Event {
            action: "user.signed_in",
            by: user.id.as_str(),
            to: new.id.as_str(),
            organization: Some(&user.organization),
        };
        audit::record(tx, cx, &event)?;
        Ok(Verdict::<_, Fault>::Commit(session))
    })?;
    Ok(SignedIn {
        session,
        cookie: new.cookie(),
        device: device::cookie(cx, &user.id),
    })
}

/// Takes a browser's session away because another begins: what came of it lives on.
pub fn replace(cx: &Cx<'_>, cookie: &str) -> Result<(), Fault> {
    match sessions::find(cx, cookie)? {
        Some(session) => sessions::forget(cx, &session.id),
        None => Ok(()),
    }
}
