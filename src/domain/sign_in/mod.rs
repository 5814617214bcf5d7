//! People sign in: a password is judged, guessing at it is held down, and a browser's session begins.

pub mod device;
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
    })
}
