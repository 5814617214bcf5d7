//! User info: what an access token's client may know of whoever signed in (OpenID Connect Core §5.3).

use serde_json::{Map, Value};

use super::claims;
use crate::domain::Cx;
use crate::domain::access::{Caller, Subject};
use crate::domain::users;
use crate::kernel::Fault;

/// The scope without which nothing is told.
pub const SCOPE: &str = "openid";

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token speaks for no user, or was not granted for this.
    #[error("user info needs a token of a user with the scope openid")]
    Scope,
    /// The account is gone or disabled although its token is not.
    #[error("the account of this token cannot be used any more")]
    Gone,
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The claims that the token's scopes bring and those asked for by name; always with `sub`, as in the ID token.
pub fn of(cx: &Cx<'_>, caller: &Caller) -> Result<Map<String, Value>, Error> {
    let Subject::User(id) = caller.subject() else {
        return Err(Error::Scope);
    };
    if !caller.has_scope(SCOPE) {
        return Err(Error::Scope);
    }
    let user = users::find(cx, id)?.filter(|user| user.disabled.is_none());
    let user = user.ok_or(Error::Gone)?;
    let mut told = claims::of(&user, caller.scope(), caller.claims());
    told.insert("sub".into(), caller.subject().sub().into());
    Ok(told)
}
