//! The closed list of grants, and the question each is preceded by: may this client use it?

mod client_credentials;
mod refresh_token;
mod ticket;

use super::request::Grant;
use super::{Error, Granted, TokenRequest};
use crate::domain::Cx;
use crate::domain::clients::{Client, GrantType};

pub(super) fn grant(
    cx: &Cx<'_>,
    client: &Client,
    request: &TokenRequest,
    usual_scope: &str,
) -> Result<Granted, Error> {
    let (needed, name) = match &request.grant {
        Grant::ClientCredentials => (GrantType::ClientCredentials, "client_credentials"),
        Grant::RefreshToken(_) => (GrantType::RefreshToken, "refresh_token"),
        Grant::Ticket(_) => (GrantType::Ticket, "ticket"),
    };
    if !client.grants.contains(&needed) {
        return Err(Error::UnauthorizedGrant(name.to_owned()));
    }
    let scope = request.scope.as_deref();
    match &request.grant {
        Grant::ClientCredentials => client_credentials::grant(cx, client, scope, usual_scope),
        Grant::RefreshToken(token) => refresh_token::grant(cx, client, token, scope),
        Grant::Ticket(id) => ticket::grant(cx, client, id.as_ref(), scope, usual_scope),
    }
}
