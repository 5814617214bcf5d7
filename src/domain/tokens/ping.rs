//! The ping cookie: shows that a user's sign-in is alive, and opens nothing.
//!
//! A cookie that a token answer sets must never be one that authorization believes: a form posted from another site
//! could set it (login CSRF). So it is a token of a type of its own.

use super::{Error, Grantee, mint};
use crate::domain::Cx;
use crate::domain::access::{Caller, Subject};
use crate::kernel::{Fault, Secret, Timestamp};

/// The cookie of a user's sign-in; nobody else has one.
pub fn of(cx: &Cx<'_>, grantee: &Grantee) -> Result<Option<Secret<String>>, Fault> {
    match grantee.subject {
        Subject::User(_) => mint::ping(cx, grantee).map(Some),
        Subject::Client(_) | Subject::Customer(_) => Ok(None),
    }
}

/// Whoever signed in, if the cookie is one of ours and the sign-in is alive.
pub fn authenticate(cx: &Cx<'_>, cookie: &str) -> Result<Caller, Error> {
    let caller = mint::verify_ping(cx.appliance, cookie)?;
    if is_over(cx, &caller) {
        return Err(Error::Expired);
    }
    if cx.appliance.ended.covers(&caller) {
        return Err(Error::Ended);
    }
    Ok(caller)
}

/// The cookie of a sign-in that was just pinged: its idle time begins anew.
pub fn renewed(cx: &Cx<'_>, caller: &Caller) -> Result<Secret<String>, Fault> {
    mint::ping(cx, &Grantee::of(caller))
}

/// A ping shows no more than a browser's session would: it ends when that would have ended, however often it is renewed.
fn is_over(cx: &Cx<'_>, caller: &Caller) -> bool {
    let longest = cx.policy().sessions.absolute;
    let over = |signed_in: Timestamp| signed_in.after(longest) <= cx.now;
    caller.expires_at <= cx.now || caller.signed_in_at.is_some_and(over)
}
