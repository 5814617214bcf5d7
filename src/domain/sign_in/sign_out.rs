//! Signing out for real: this sign-in, or everything of whoever asks, effective for the very next request.

use crate::domain::access::{Caller, Subject};
use crate::domain::tokens::{self, Thing};
use crate::domain::{Cx, sessions};
use crate::kernel::Fault;

/// Ends the caller's sign-in, or its token where it came of none. The browser it came of forgets who signed in; other
/// sign-ins of that browser live on.
pub fn this(cx: &Cx<'_>, caller: &Caller) -> Result<(), Fault> {
    forget_session(cx, caller)?;
    match caller.sign_in() {
        Some(sign_in) => tokens::end_sign_in(cx, caller, sign_in),
        None => tokens::end(cx, caller, Thing::Token(caller.token().clone())),
    }
}

/// Ends every token, sign-in and browser session of whomever the caller's token speaks for.
pub fn everywhere(cx: &Cx<'_>, caller: &Caller) -> Result<(), Fault> {
    // Many may hold one ticket, and each redemption is a person of its own: there is no more to end than this.
    if let Subject::Customer(_) = caller.subject() {
        return this(cx, caller);
    }
    forget_session(cx, caller)?;
    tokens::end_all(cx, caller, caller.subject())
}

/// Before the token is ended: if this were cut short the token would still be there to try again with.
fn forget_session(cx: &Cx<'_>, caller: &Caller) -> Result<(), Fault> {
    caller
        .session()
        .map_or(Ok(()), |session| sessions::forget(cx, session))
}
