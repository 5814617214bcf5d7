//! `POST …/oauth/token`: every grant, in either contract's words.

use hyper::Method;
use hyper::header::{ACCEPT, HeaderValue, PRAGMA};
use serde::Serialize;

use super::super::call::{Call, form_encoded, json, with_header};
use super::super::cookies::Cookie;
use super::super::{Problem, Response};
use crate::domain::oauth::{self, Granted, agents};
use crate::domain::{Cx, Front};

pub(super) async fn token(call: Call, front: Front) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    if is_agents(&call) {
        return agents_login(call, front).await;
    }
    let grant = move |cx: &Cx<'_>, call: &Call| {
        let granted = oauth::token(cx, front, call.basic()?, &call.params_and_form()?)?;
        reply(cx, call, front, &granted)
    };
    if hashes(&call) {
        call.run_slow(grant).await
    } else {
        call.run(grant).await
    }
}

/// Whether a person's password is to be judged. What cannot be read is refused either way.
fn hashes(call: &Call) -> bool {
    let (Ok(basic), Ok(params)) = (call.basic(), call.params_and_form()) else {
        return false;
    };
    oauth::hashes(basic.as_ref(), &params)
}

/// Whether Genesys Cloud has to be asked who it is. What cannot be read is refused either way.
fn is_agents(call: &Call) -> bool {
    let (Ok(basic), Ok(params)) = (call.basic(), call.params_and_form()) else {
        return false;
    };
    agents::is_agents(basic.as_ref(), &params)
}

async fn agents_login(call: Call, front: Front) -> Response {
    call.run_around(
        move |cx, call| {
            let (basic, params) = (call.basic()?, call.params_and_form()?);
            Ok(agents::plan(cx, front, basic, &params)?)
        },
        |on, asked| async move {
            let genesys = &on.upstreams().genesys;
            let redirect_uri = asked.redirect_uri.as_deref();
            let answer = genesys.person_behind(&asked.account, &asked.code, redirect_uri);
            let answer = answer.await;
            (asked, answer)
        },
        move |cx, call, (asked, answer)| {
            let granted = agents::settle(cx, &asked, answer)?;
            reply(cx, call, front, &granted)
        },
    )
    .await
}

fn reply(cx: &Cx<'_>, call: &Call, front: Front, granted: &Granted) -> Result<Response, Problem> {
    let body = TokenReply::of(cx, granted);
    let response = if asks_only_for_a_form(call) {
        form_encoded(&body)?
    } else {
        json(&body)?
    };
    // RFC 6749 §5.1; `Cache-Control: no-store` is on every answer that says nothing else.
    let response = with_header(response, PRAGMA, HeaderValue::from_static("no-cache"));
    // The vendor's wrapper pings without a bearer, by what this answer set.
    match (&granted.ping, front) {
        (Some(ping), Front::AuthV3) => Ok(Cookie::Ping.set(response, ping)),
        (Some(_), Front::Security) | (None, _) => Ok(response),
    }
}

/// Contract B offers this type; a client that takes others as well gets JSON.
fn asks_only_for_a_form(call: &Call) -> bool {
    let accepted = call.header(ACCEPT).unwrap_or_default();
    let mut kinds = accepted
        .split(',')
        .map(|kind| kind.split(';').next().unwrap_or_default().trim());
    let form = |kind: &str| kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    !accepted.is_empty() && kinds.all(form)
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
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    sub: &'a str,
    jti: &'a str,
    organization: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conference_id: Option<&'a str>,
    #[serde(rename = "DEVICE_ID", skip_serializing_if = "Option::is_none")]
    device_id: Option<&'a str>,
}

impl<'a> TokenReply<'a> {
    fn of(cx: &Cx<'_>, granted: &'a Granted) -> Self {
        let customer = granted.customer.as_ref();
        Self {
            access_token: granted.access.value.expose(),
            token_type: "bearer",
            refresh_token: granted
                .refresh
                .as_ref()
                .map(|token| token.expose().as_str()),
            expires_in: granted.access.expires_in(cx.now),
            scope: &granted.scope,
            id_token: granted
                .id_token
                .as_ref()
                .map(|token| token.expose().as_str()),
            sub: &granted.sub,
            jti: granted.access.id.as_str(),
            organization: granted.organization.as_str(),
            conference_id: customer.and_then(|extras| extras.conference_id.as_deref()),
            device_id: customer.map(|extras| extras.device_id.as_str()),
        }
    }
}
