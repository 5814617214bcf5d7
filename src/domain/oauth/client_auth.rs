//! Which client is asking (RFC 6749 §2.3): by Basic, by parameters, or by name alone where it is public.

use super::{Error, Params};
use crate::domain::clients::{self, Client, secret};
use crate::domain::throttle::{self, Counter};
use crate::domain::{Cx, Origin};
use crate::kernel::{ClientId, Fault, Secret};
use crate::store::Verdict;

/// The credentials of an `Authorization: Basic` header, decoded.
pub struct ClientProof {
    /// The client's id.
    pub id: String,
    /// Its secret; empty for a public client.
    pub secret: Secret<String>,
}

/// The client that asks, if it proves to be who it says.
pub fn authenticate(
    cx: &Cx<'_>,
    basic: Option<ClientProof>,
    params: &Params,
) -> Result<Client, Error> {
    let proof = proof(basic, params)?;
    let id: Option<ClientId> = proof.id.parse().ok();
    let client = id.map(|id| clients::find(cx, &id)).transpose()?.flatten();
    let is_right = secret::is_right(cx, client.as_ref(), &proof.secret);
    let client = match client {
        Some(client) if client.secret.is_some() => guessed(cx, client, is_right),
        // A public client has no secret to prove; one that presents some is not it.
        Some(client) if client.secret.is_none() && proof.secret.expose().is_empty() => Ok(client),
        _ => Err(BAD_CREDENTIALS),
    }?;
    clients::used(cx, &client.id);
    Ok(client)
}

/// RFC 6749 §2.3.1: guessing at a secret is held down, by client and network, so that a guesser stops no one else.
fn guessed(cx: &Cx<'_>, client: Client, is_right: bool) -> Result<Client, Error> {
    let Origin::Peer(network) = cx.origin else {
        return is_right.then_some(client).ok_or(BAD_CREDENTIALS);
    };
    let counter = Counter::WrongSecrets(&client.id, network);
    if throttle::peek(&cx.view(), cx.now, counter)? >= WRONG_SECRETS_MAX {
        return Err(BAD_CREDENTIALS);
    }
    if is_right {
        return Ok(client);
    }
    cx.write(|tx| {
        throttle::count(tx, cx.now, counter)?;
        Ok(Verdict::<(), Error>::CommitAndRefuse(BAD_CREDENTIALS))
    })?;
    Err(BAD_CREDENTIALS)
}

/// Wrong secrets of one client that are looked at from one network in an hour.
const WRONG_SECRETS_MAX: u32 = 100;

const BAD_CREDENTIALS: Error = Error::InvalidClient("Bad client credentials");

fn proof(basic: Option<ClientProof>, params: &Params) -> Result<ClientProof, Error> {
    let named = params.get("client_id");
    let Some(basic) = basic else {
        let id = named
            .ok_or(Error::InvalidClient("no client credentials were presented"))?
            .to_owned();
        let secret = Secret::new(params.get("client_secret").unwrap_or_default().to_owned());
        return Ok(ClientProof { id, secret });
    };
    // RFC 6749 §2.3: one method a request.
    if params.has("client_secret") {
        let twice =
            "client credentials are given both in the Authorization header and as parameters";
        return Err(Error::InvalidRequest(twice.into()));
    }
    if named.is_some_and(|named| named != basic.id) {
        return Err(Error::InvalidClient(
            "Given client ID does not match authenticated client",
        ));
    }
    Ok(basic)
}

/// The client of that name, believed without proof: for requests that come through a browser.
pub(super) fn client_of(cx: &Cx<'_>, id: &str) -> Result<Option<Client>, Fault> {
    let id: Option<ClientId> = id.parse().ok();
    Ok(id.map(|id| clients::find(cx, &id)).transpose()?.flatten())
}
