//! The token endpoint's one operation: authenticate the client, read the request, hand it to its grant.

use super::{ClientProof, Error, Granted, Params, TokenRequest, client_auth, grants};
use crate::domain::Cx;

/// Grants tokens. `usual_scope` is what a client gets that asks for none.
pub fn token(
    cx: &Cx<'_>,
    basic: Option<ClientProof>,
    params: &Params,
    usual_scope: &str,
) -> Result<Granted, Error> {
    let client = client_auth::authenticate(cx, basic, params)?;
    let request = TokenRequest::parse(params, client.id.as_str())?;
    grants::grant(cx, &client, &request, usual_scope)
}
