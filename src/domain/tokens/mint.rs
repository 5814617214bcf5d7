//! Access tokens as JSON Web Tokens (RFC 9068): signed, never stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Error, Grantee, draw_id};
use crate::domain::access::{Caller, Role, Roles, Subject, Vouched};
use crate::domain::clients::Client;
use crate::domain::signing::Believed;
use crate::domain::{Appliance, Cx, Front};
use crate::kernel::{
    ClientId, Fault, OrgId, Secret, SessionId, SignInId, Timestamp, TokenId, UserId,
};

/// RFC 9068 §2.1: keeps an access token from passing for any other kind of token.
const TYPE: &str = "at+jwt";

/// Our own: no other kind of token passes for a ping cookie, nor the other way round.
const PING_TYPE: &str = "ping+jwt";

/// A signed access token, and what a token reply says about it.
#[derive(Debug)]
pub struct AccessToken {
    /// The token itself.
    pub value: Secret<String>,
    /// Its id.
    pub id: TokenId,
    /// When it stops being alive.
    pub expires_at: Timestamp,
}

impl AccessToken {
    /// Whole seconds left, as `expires_in` says it.
    pub fn expires_in(&self, now: Timestamp) -> u64 {
        self.expires_at.since(now).as_secs()
    }
}

/// The claims, in the order they are written. Contract A's readers know `authorities`, `userId` and `organization`.
///
/// One that is not ours, such as `nbf`, is refused: it could be a condition we would overlook (RFC 8725 §3.10).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    iat: i64,
    jti: String,
    client_id: String,
    scope: String,
    authorities: Vec<String>,
    #[serde(rename = "userId", default, skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    organization: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    epoch: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(rename = "claims", default, skip_serializing_if = "Vec::is_empty")]
    asked: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vouched: Option<Vouched>,
}

pub(super) fn sign(cx: &Cx<'_>, grantee: &Grantee, client: &Client) -> Result<AccessToken, Fault> {
    let lifetime = client
        .access_seconds
        .map(|seconds| Duration::from_secs(seconds.into()));
    let lifetime = lifetime.unwrap_or(cx.policy().tokens.access);
    let expires_at = Timestamp::from_seconds(cx.now.seconds()).after(lifetime);
    let id = draw_id(cx);
    let claims = claims(cx, grantee, &id, expires_at);
    let key = cx.appliance.signing.signer(client.signing);
    let value = key.sign(TYPE, &claims)?;
    Ok(AccessToken {
        value: Secret::new(value),
        id,
        expires_at,
    })
}

/// A ping cookie lives as long as a browser's session may lie unused.
pub(super) fn ping(cx: &Cx<'_>, grantee: &Grantee) -> Result<Secret<String>, Fault> {
    let expires_at = cx.now.after(cx.policy().sessions.idle);
    let claims = claims(cx, grantee, &draw_id(cx), expires_at);
    let key = cx.appliance.signing.usual();
    key.sign(PING_TYPE, &claims).map(Secret::new)
}

fn claims(cx: &Cx<'_>, grantee: &Grantee, id: &TokenId, expires_at: Timestamp) -> Claims {
    let sub = grantee.subject.sub();
    let user_id = match &grantee.subject {
        Subject::User(id) | Subject::Customer(id) => Some(id.to_string()),
        Subject::Client(_) => None,
    };
    Claims {
        iss: cx.appliance.issuer(grantee.front).to_owned(),
        epoch: grantee.epoch,
        sub,
        aud: audience(cx.appliance).to_owned(),
        exp: expires_at.seconds(),
        iat: cx.now.seconds(),
        jti: id.to_string(),
        client_id: grantee.client.to_string(),
        scope: grantee.scope.clone(),
        authorities: grantee
            .roles
            .authorities()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        user_id,
        organization: grantee.organization.to_string(),
        sid: grantee.sign_in.as_ref().map(ToString::to_string),
        session: grantee.session.as_ref().map(ToString::to_string),
        auth_time: grantee.signed_in_at.map(Timestamp::seconds),
        asked: grantee.claims.clone(),
        vouched: grantee.vouched.clone(),
    }
}

/// RFC 9068 §4: type, signature, issuer and audience. Whether it is still alive is not asked here.
pub(super) fn verify(
    appliance: &Appliance,
    keys: &Believed,
    bearer: &str,
) -> Result<Caller, Error> {
    verify_as(appliance, keys, TYPE, bearer)
}

pub(super) fn verify_ping(appliance: &Appliance, cookie: &str) -> Result<Caller, Error> {
    verify_as(appliance, &appliance.signing.verifier(), PING_TYPE, cookie)
}

fn verify_as(
    appliance: &Appliance,
    keys: &Believed,
    typ: &str,
    bearer: &str,
) -> Result<Caller, Error> {
    let claims = keys.verify(typ, bearer).map_err(|_| Error::Invalid)?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Error::Invalid)?;
    let issued_here = |front: &Front| claims.iss == appliance.issuer(*front);
    let front = Front::ALL.into_iter().find(issued_here);
    let front = front
        .filter(|_| claims.aud == audience(appliance))
        .ok_or(Error::Invalid)?;
    caller(claims, front).ok_or(Error::Invalid)
}

/// Whom an access token is for unless somebody asked for another: this appliance and whoever trusts it.
pub(super) fn audience(appliance: &Appliance) -> &str {
    appliance.issuer(Front::Security)
}

fn caller(claims: Claims, front: Front) -> Option<Caller> {
    let roles = Roles::from_authorities(claims.authorities.iter().map(String::as_str))?;
    let client: ClientId = claims.client_id.parse().ok()?;
    let subject = match claims.user_id {
        None => Subject::Client(client.clone()),
        Some(id) if roles.has(Role::Customer) => Subject::Customer(id.parse::<UserId>().ok()?),
        Some(id) => Subject::User(id.parse::<UserId>().ok()?),
    };
    let sign_in = claims
        .sid
        .map(|sid| sid.parse::<SignInId>())
        .transpose()
        .ok()?;
    let session = claims
        .session
        .map(|session| session.parse::<SessionId>())
        .transpose()
        .ok()?;
    let known = subject.sub() == claims.sub;
    known.then_some(Caller {
        subject,
        organization: claims.organization.parse::<OrgId>().ok()?,
        roles,
        client,
        token: claims.jti.parse().ok()?,
        sign_in,
        issued_at: Timestamp::from_seconds(claims.iat),
        expires_at: Timestamp::from_seconds(claims.exp),
        epoch: claims.epoch,
        front,
        scope: claims.scope,
        session,
        signed_in_at: claims.auth_time.map(Timestamp::from_seconds),
        claims: claims.asked,
        vouched: claims.vouched,
    })
}
