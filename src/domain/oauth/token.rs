//! The token endpoint's one operation: authenticate the client, read the request, hand it to its grant.

use super::{ClientProof, Error, Granted, Params, TokenRequest, client_auth, grants};
use crate::domain::clients::{AGENT, CUSTOMER};
use crate::domain::{Cx, Front};

/// Grants tokens at one of the two token endpoints.
pub fn token(
    cx: &Cx<'_>,
    front: Front,
    basic: Option<ClientProof>,
    params: &Params,
) -> Result<Granted, Error> {
    let client = client_auth::authenticate(cx, basic, params)?;
    let request = TokenRequest::parse(params, client.id.as_str())?;
    grants::grant(cx, &client, &request, front)
}

/// Whether the request has a person's password to judge, which takes a turn of its own; a ticket or a code that comes as
/// one has not.
pub fn hashes(basic: Option<&ClientProof>, params: &Params) -> bool {
    let client = basic.map(|proof| proof.id.as_str());
    let client = client.or_else(|| params.get("client_id"));
    let is_other = client.is_some_and(|client| [CUSTOMER, AGENT].contains(&client));
    params.get("grant_type") == Some("password") && !is_other
}
