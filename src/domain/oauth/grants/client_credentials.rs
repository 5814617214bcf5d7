//! A client asks of its own accord (RFC 6749 §4.4). Nothing is stored: the answer costs one signature.

use super::super::{Error, Granted, scope};
use crate::domain::access::Subject;
use crate::domain::clients::Client;
use crate::domain::tokens::{self, Grantee};
use crate::domain::{Cx, Front};

pub(super) fn grant(
    cx: &Cx<'_>,
    client: &Client,
    asked: Option<&str>,
    front: Front,
) -> Result<Granted, Error> {
    let subject = Subject::Client(client.id.clone());
    let grantee = Grantee {
        epoch: tokens::epoch(cx, &subject),
        subject,
        organization: client.organization.clone(),
        client: client.id.clone(),
        roles: client.roles,
        scope: scope::grant(client, asked, front.usual_scope())?,
        sign_in: None,
        front,
        session: None,
        signed_in_at: None,
        claims: Vec::new(),
        vouched: None,
    };
    // RFC 6749 §4.4.3: no refresh token.
    Ok(Granted {
        access: tokens::mint(cx, &grantee, client)?,
        refresh: None,
        id_token: None,
        ping: None,
        sub: grantee.subject.sub(),
        scope: grantee.scope,
        organization: grantee.organization,
        customer: None,
    })
}
