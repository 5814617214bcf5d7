//! `/security/oauth`: undocumented, and where every client of contract A starts.

use std::sync::Arc;

use hyper::Method;
use hyper::header::{HeaderValue, PRAGMA};
use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, call, json, with_header};
use super::super::{Dialect, Problem, Response, Routes, any};
use crate::domain::oauth::{self, Granted};
use crate::domain::{Appliance, Cx};

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Security, route);
    any([
        warp::path!("oauth" / "token")
            .and(call("/security/oauth/token"))
            .then(token)
            .boxed(),
        warp::path!("oauth" / "token_key")
            .and(call("/security/oauth/token_key"))
            .then(token_key)
            .boxed(),
    ])
}

/// The scope a client of contract A gets that asks for none; the vendor's pages call it the default.
const USUAL_SCOPE: &str = "any";

/// `POST /security/oauth/token`: client credentials, a ticket or a refresh token for tokens.
async fn token(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run(|cx, call| {
        let granted = oauth::token(cx, call.basic()?, &call.params_and_form()?, USUAL_SCOPE)?;
        reply(cx, &granted)
    })
    .await
}

fn reply(cx: &Cx<'_>, granted: &Granted) -> Result<Response, Problem> {
    let customer = granted.customer.as_ref();
    let body = TokenReply {
        access_token: granted.access.value.expose(),
        token_type: "bearer",
        refresh_token: granted
            .refresh
            .as_ref()
            .map(|token| token.expose().as_str()),
        expires_in: granted.access.expires_in(cx.now),
        scope: &granted.scope,
        sub: &granted.sub,
        jti: granted.access.id.as_str(),
        organization: granted.organization.as_str(),
        conference_id: customer.and_then(|extras| extras.conference_id.as_deref()),
        device_id: customer.map(|extras| extras.device_id.as_str()),
    };
    // RFC 6749 §5.1; `Cache-Control: no-store` is on every answer that says nothing else.
    Ok(with_header(
        json(&body)?,
        PRAGMA,
        HeaderValue::from_static("no-cache"),
    ))
}

/// `GET /security/oauth/token_key`: the public key of our access tokens, as contract A's readers ask for it.
async fn token_key(call: Call) -> Response {
    if call.method != Method::GET {
        return call.not_allowed("GET");
    }
    let on = call.on();
    call.run(|_, _| {
        let key = on.signing().usual();
        let body = TokenKey {
            alg: key.algorithm().name(),
            kid: key.kid(),
            value: key.public_pem()?,
        };
        // It shows one key and so cannot show the next: a kept answer would outlive a rotation.
        json(&body)
    })
    .await
}

/// The members real clients read, in the order the framework behind both vendors' servers writes them.
#[derive(Serialize)]
struct TokenReply<'a> {
    access_token: &'a str,
    token_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    expires_in: u64,
    scope: &'a str,
    sub: &'a str,
    jti: &'a str,
    organization: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conference_id: Option<&'a str>,
    #[serde(rename = "DEVICE_ID", skip_serializing_if = "Option::is_none")]
    device_id: Option<&'a str>,
}

#[derive(Serialize)]
struct TokenKey<'a> {
    alg: &'a str,
    kid: &'a str,
    value: String,
}
