//! The closed list of grants, and the question each is preceded by: may this client use it?

mod authorization_code;
mod client_credentials;
mod password;
pub(super) mod refresh_token;
mod ticket;

use super::request::Grant;
use super::{Error, Granted, TokenRequest};
use crate::domain::clients::{Client, GrantType};
use crate::domain::{Cx, Front};
use crate::kernel::Fault;

pub(super) fn grant(
    cx: &Cx<'_>,
    client: &Client,
    request: &TokenRequest,
    front: Front,
) -> Result<Granted, Error> {
    let (needed, name) = match &request.grant {
        Grant::ClientCredentials => (GrantType::ClientCredentials, "client_credentials"),
        Grant::RefreshToken(_) => (GrantType::RefreshToken, "refresh_token"),
        Grant::Ticket(_) => (GrantType::Ticket, "ticket"),
        Grant::AuthorizationCode(_) => (GrantType::AuthorizationCode, "authorization_code"),
        Grant::Password(_) => (GrantType::Password, "password"),
        Grant::GenesysCode(_) => (GrantType::GenesysCode, "genesys-code"),
    };
    if !client.grants.contains(&needed) {
        return Err(Error::UnauthorizedGrant(name.to_owned()));
    }
    let scope = request.scope.as_deref();
    let granted = match &request.grant {
        Grant::ClientCredentials => client_credentials::grant(cx, client, scope, front),
        Grant::RefreshToken(token) => refresh_token::grant(cx, client, token, scope),
        Grant::AuthorizationCode(request) => authorization_code::grant(cx, client, request),
        Grant::Password(request) => password::grant(cx, client, request, scope, front),
        Grant::Ticket(id) => ticket::grant(cx, client, id.as_ref(), scope, front),
        // It asks somebody outside; the endpoint takes it to `agents`.
        Grant::GenesysCode(_) => {
            Err(Fault::internal("an agent's login where nobody can be asked").into())
        }
    };
    match &granted {
        Ok(_) => cx.tally("token", name, ""),
        Err(Error::Ticket(refusal)) => cx.tally("ticket_refused", refusal.word(), ""),
        Err(_) => {}
    }
    granted
}
