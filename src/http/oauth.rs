//! `/oauth`: what resource servers and clients ask about tokens, whichever contract issued them (RFC 7662, RFC 7009).

use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde::Serialize;
use warp::Filter;

use super::call::{Call, bare, call, json};
use super::{Dialect, Response, Routes, any};
use crate::domain::Appliance;
use crate::domain::oauth::introspect::{self, Active};
use crate::domain::oauth::revoke;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Security, route);
    any([
        warp::path!("oauth" / "introspect")
            .and(call("/oauth/introspect"))
            .then(introspect)
            .boxed(),
        warp::path!("oauth" / "revoke")
            .and(call("/oauth/revoke"))
            .then(revoke)
            .boxed(),
    ])
}

/// `POST /oauth/introspect`: what a token says, and whether it is alive.
async fn introspect(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run(|cx, call| {
        let active = introspect::introspect(cx, call.basic()?, &call.form()?)?;
        match &active {
            Some(active) => json(&Introspection::of(active)),
            // RFC 7662 §2.2: nothing else, so that nobody learns why.
            None => json(&Inactive { active: false }),
        }
    })
    .await
}

/// `POST /oauth/revoke`: a token is given back.
async fn revoke(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run(|cx, call| {
        revoke::revoke(cx, call.basic()?, &call.form()?)?;
        Ok(bare(StatusCode::OK))
    })
    .await
}

#[derive(Serialize)]
struct Inactive {
    active: bool,
}

/// The members of RFC 7662 §2.2, and those of our tokens that resource servers judge by.
#[derive(Serialize)]
struct Introspection<'a> {
    active: bool,
    scope: &'a str,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    exp: i64,
    iat: i64,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    organization: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorities: Option<&'a [&'static str]>,
}

impl<'a> Introspection<'a> {
    fn of(token: &'a Active) -> Self {
        let access = token.access.as_ref();
        Self {
            active: true,
            scope: &token.scope,
            client_id: token.client.as_str(),
            username: token.username.as_deref(),
            token_type: access.map(|_| "Bearer"),
            exp: token.expires_at.seconds(),
            iat: token.issued_at.seconds(),
            sub: &token.sub,
            aud: access.map(|access| access.aud.as_str()),
            iss: &token.iss,
            jti: access.map(|access| access.id.as_str()),
            organization: token.organization.as_str(),
            authorities: access.map(|access| access.authorities.as_slice()),
        }
    }
}
