//! Access tokens as JSON Web Tokens (RFC 9068): signed, never stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Error, Grantee, draw_id};
use crate::domain::access::{Caller, Role, Roles, Subject};
use crate::domain::clients::Client;
use crate::domain::signing::Believed;
use crate::domain::{Appliance, Cx};
use crate::kernel::{ClientId, Fault, OrgId, Secret, SignInId, Timestamp, TokenId, UserId};

/// RFC 9068 §2.1: keeps an access token from passing for any other kind of token.
const TYPE: &str = "at+jwt";

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
#[derive(Serialize, Deserialize)]
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
}

pub(super) fn sign(cx: &Cx<'_>, grantee: &Grantee, client: &Client) -> Result<AccessToken, Fault> {
    let lifetime = client
        .access_seconds
        .map(|seconds| Duration::from_secs(seconds.into()));
    let lifetime = lifetime.unwrap_or(cx.policy().tokens.access);
    let issued_at = cx.now.seconds();
    let expires_at = Timestamp::from_seconds(issued_at).after(lifetime);
    let id = draw_id(cx);
    let sub = grantee.subject.sub();
    let user_id = match &grantee.subject {
        Subject::User(id) | Subject::Customer(id) => Some(id.to_string()),
        Subject::Client(_) => None,
    };
    let issuer = cx.appliance.issuer.as_str();
    let claims = Claims {
        iss: issuer.to_owned(),
        epoch: cx.appliance.ended.epoch(&sub),
        sub,
        aud: issuer.to_owned(),
        exp: expires_at.seconds(),
        iat: issued_at,
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
    };
    let value = cx
        .appliance
        .signing
        .signer(client.signing)
        .sign(TYPE, &claims)?;
    Ok(AccessToken {
        value: Secret::new(value),
        id,
        expires_at,
    })
}

/// RFC 9068 §4: type, signature, issuer and audience. Whether it is still alive is not asked here.
pub(super) fn verify(
    appliance: &Appliance,
    keys: &Believed,
    bearer: &str,
) -> Result<Caller, Error> {
    let claims = keys.verify(TYPE, bearer).map_err(|_| Error::Invalid)?;
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Error::Invalid)?;
    let issuer = appliance.issuer.as_str();
    if claims.iss != issuer || claims.aud != issuer {
        return Err(Error::Invalid);
    }
    caller(claims).ok_or(Error::Invalid)
}

fn caller(claims: Claims) -> Option<Caller> {
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
    let known = subject.sub() == claims.sub;
    known.then_some(Caller {
        subject,
        organization: claims.organization.parse::<OrgId>().ok()?,
        roles,
        client,
        token: claims.jti.parse().ok()?,
        sign_in,
        expires_at: Timestamp::from_seconds(claims.exp),
        epoch: claims.epoch,
    })
}
