//! Introspection (RFC 7662): what a resource server is told about a token that was presented to it.

use super::grants::refresh_token::{Bearer, bearer};
use super::{ClientProof, Error, Params, client_auth};
use crate::domain::access::{Caller, Role, Subject};
use crate::domain::clients::{self, Client, GrantType};
use crate::domain::tokens::{self, refresh};
use crate::domain::{Cx, users};
use crate::kernel::{ClientId, Fault, OrgId, Timestamp, TokenId};
use crate::store::Verdict;

/// A token that is alive.
#[derive(Debug, Clone)]
pub struct Active {
    /// The granted scopes, joined by spaces.
    pub scope: String,
    /// The client it was issued to.
    pub client: ClientId,
    /// The name its user signs in with; clients and customers have none.
    pub username: Option<String>,
    /// When it stops being alive.
    pub expires_at: Timestamp,
    /// When it was issued; of a refresh token, when its sign-in began.
    pub issued_at: Timestamp,
    /// Whom it speaks for.
    pub sub: String,
    /// Who issued it.
    pub iss: String,
    /// In which organization it speaks.
    pub organization: OrgId,
    /// What only an access token says.
    pub access: Option<Access>,
}

/// What is told of an access token beside the rest.
#[derive(Debug, Clone)]
pub struct Access {
    /// Whom it is for.
    pub aud: String,
    /// Its id.
    pub id: TokenId,
    /// The roles it carries.
    pub authorities: Vec<&'static str>,
}

/// What is known of the presented token; `None` when it is not alive, or not for this client's eyes.
///
/// A hint at its type is not needed: the two look different (RFC 7662 §2.1).
pub fn introspect(
    cx: &Cx<'_>,
    basic: Option<ClientProof>,
    params: &Params,
) -> Result<Option<Active>, Error> {
    let client = client_auth::authenticate(cx, basic, params)?;
    if client.is_public() {
        // RFC 7662 §2.1: a name alone would let anyone try tokens here.
        return Err(Error::InvalidClient("a public client may not introspect"));
    }
    let token = params.get("token").ok_or_else(missing_token)?;
    let active = match refresh::parse(cx.appliance, token) {
        Some(presented) => of_refresh(cx, presented)?,
        None => of_access(cx, token)?,
    };
    Ok(active.filter(|active| may_see(&client, active)))
}

pub(super) fn missing_token() -> Error {
    Error::InvalidRequest("token parameter not provided".into())
}

/// An internal service sees every organization, others their own and what was issued to themselves.
fn may_see(client: &Client, active: &Active) -> bool {
    let own = client.organization == active.organization || client.id == active.client;
    own || client.roles.has(Role::Service)
}

fn of_access(cx: &Cx<'_>, token: &str) -> Result<Option<Active>, Fault> {
    let caller = match tokens::authenticate(cx, token) {
        Ok(caller) => caller,
        Err(tokens::Error::Fault(fault)) => return Err(fault),
        Err(_) => return Ok(None),
    };
    let username = match caller.subject() {
        Subject::Client(_) | Subject::Customer(_) => None,
        Subject::User(id) => {
            let user = users::find(cx, id)?.filter(|user| user.disabled.is_none());
            let Some(user) = user else { return Ok(None) };
            Some(user.name)
        }
    };
    Ok(Some(told(cx, &caller, username)))
}

fn told(cx: &Cx<'_>, caller: &Caller, username: Option<String>) -> Active {
    Active {
        scope: caller.scope().to_owned(),
        client: caller.client().clone(),
        username,
        expires_at: caller.expires_at(),
        issued_at: caller.issued_at(),
        sub: caller.subject().sub(),
        iss: cx.appliance.issuer(caller.front()).to_owned(),
        organization: caller.organization().clone(),
        access: Some(Access {
            aud: tokens::audience(cx).to_owned(),
            id: caller.token().clone(),
            authorities: caller.roles().authorities(),
        }),
    }
}

/// Asks exactly what a refresh would ask, and keeps nothing of it.
fn of_refresh(cx: &Cx<'_>, presented: refresh::Ticketed) -> Result<Option<Active>, Fault> {
    let looked = cx.write(|tx| {
        let Some(told) = refresh::tell(tx, cx, presented)? else {
            return Ok(Verdict::<(), _>::Discard(Looked::Dead));
        };
        let client = clients::load(tx, &told.renewed.grantee.client)?;
        if !client.is_some_and(|client| client.may(GrantType::RefreshToken)) {
            return Ok(Verdict::Discard(Looked::Dead));
        }
        let Ok(bearer) = bearer(tx, cx, &told.renewed.basis)? else {
            return Ok(Verdict::Discard(Looked::Dead));
        };
        let username = match bearer {
            Bearer::User(user) => Some(user.name),
            Bearer::Customer(_) => None,
        };
        Ok(Verdict::Discard(Looked::Alive(Box::new(told), username)))
    });
    let (told, username) = match looked {
        Err(Looked::Alive(told, username)) => (*told, username),
        Err(Looked::Fault(fault)) => return Err(fault),
        Ok(()) | Err(Looked::Dead) => return Ok(None),
    };
    let grantee = told.renewed.grantee;
    Ok(Some(Active {
        sub: grantee.subject.sub(),
        iss: cx.appliance.issuer(grantee.front).to_owned(),
        scope: grantee.scope,
        client: grantee.client,
        username,
        expires_at: told.expires_at,
        issued_at: told.opened_at,
        organization: grantee.organization,
        access: None,
    }))
}

/// What a transaction that keeps nothing saw.
enum Looked {
    Alive(Box<refresh::Told>, Option<String>),
    Dead,
    Fault(Fault),
}

impl From<Fault> for Looked {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
