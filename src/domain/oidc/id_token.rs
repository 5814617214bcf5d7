//! ID tokens: who signed in, when, for which client (OpenID Connect Core §2).

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claims;
use crate::crypto::jws::Algorithm;
use crate::domain::clients::Client;
use crate::domain::tokens::{AccessToken, Grantee};
use crate::domain::users::User;
use crate::domain::{Cx, Front};
use crate::kernel::{ClientId, Fault, Secret, SessionId, Timestamp};

/// Keeps an ID token from passing for an access token; relying parties expect this or nothing.
pub(super) const TYPE: &str = "JWT";

/// What an ID token says beside who it is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// What ties it to the request it answers.
    pub nonce: Option<&'a str>,
    /// Claims asked for by name beyond those the scopes bring (OpenID Connect Core §5.5).
    pub claims: &'a [String],
    /// The access token that comes with it.
    pub access: Option<&'a AccessToken>,
}

impl<'a> About<'a> {
    /// What the ID token of a refresh says (OpenID Connect Core §12.2).
    pub fn renewed(access: &'a AccessToken) -> Self {
        Self {
            access: Some(access),
            ..Self::default()
        }
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    azp: &'a str,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    acr: &'a str,
    amr: [&'a str; 1],
    #[serde(flatten)]
    about: Map<String, Value>,
}

/// A signed ID token, if the granted scope has `openid`.
pub fn when_asked(
    cx: &Cx<'_>,
    client: &Client,
    grantee: &Grantee,
    user: &User,
    about: &About<'_>,
) -> Result<Option<Secret<String>>, Fault> {
    if !grantee.scope.split(' ').any(|scope| scope == "openid") {
        return Ok(None);
    }
    let sub = grantee.subject.sub();
    let issued_at = cx.now.seconds();
    let expires_at = match about.access {
        Some(access) => access.expires_at.seconds(),
        None => issued_at,
    };
    let claims = Claims {
        iss: cx.appliance.issuer(grantee.front),
        sub: &sub,
        aud: client.id.as_str(),
        azp: client.id.as_str(),
        exp: expires_at,
        iat: issued_at,
        auth_time: grantee.signed_in_at.map(Timestamp::seconds),
        nonce: about.nonce,
        at_hash: about
            .access
            .map(|access| at_hash(client.id_token_signing, access)),
        sid: grantee.session.as_ref().map(SessionId::as_str),
        acr: ACR,
        amr: ["pwd"],
        about: claims::named(user, about.claims),
    };
    let key = cx.appliance.signing.signer(client.id_token_signing);
    key.sign(TYPE, &claims)
        .map(|token| Some(Secret::new(token)))
}

/// The one way people sign in here: a password (OpenID Connect Core §2 leaves the value to us).
pub const ACR: &str = "urn:admit:acr:password";

/// The left half of the access token's hash by the algorithm of the signature (OpenID Connect Core §3.1.3.6): SHA-256
/// for RS256, and for EdDSA the SHA-512 inside Ed25519.
fn at_hash(algorithm: Algorithm, access: &AccessToken) -> String {
    let hash = match algorithm {
        Algorithm::Rs256 => &SHA256,
        Algorithm::EdDsa => &SHA512,
    };
    let whole = digest(hash, access.value.expose().as_bytes());
    let whole = whole.as_ref();
    let half = whole.get(..whole.len() / 2).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(half)
}

/// What an ID token of ours says when it comes back as a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Whom it is about.
    pub sub: String,
    /// The client it was issued to.
    pub client: ClientId,
    /// The browser's session it came of, if any.
    pub session: Option<SessionId>,
}

#[derive(Deserialize)]
struct Hinted {
    iss: String,
    sub: String,
    aud: String,
    sid: Option<String>,
}

/// Reads a hint: an ID token that either front issued, by any key we publish. An expired one will do (OpenID Connect
/// RP-Initiated Logout §2), because a hint opens nothing.
pub fn verify_hint(cx: &Cx<'_>, token: &str) -> Option<Hint> {
    let claims = cx.appliance.signing.verifier().verify(TYPE, token).ok()?;
    let claims: Hinted = serde_json::from_slice(&claims).ok()?;
    let ours = |front: &Front| claims.iss == cx.appliance.issuer(*front);
    Front::ALL.iter().find(|front| ours(front))?;
    let session = claims.sid.map(|sid| sid.parse()).transpose().ok()?;
    Some(Hint {
        sub: claims.sub,
        client: claims.aud.parse().ok()?,
        session,
    })
}
