//! `/auth/v3/ping` and `/auth/v3/sign-out`: whether somebody is signed in, and the end of it.

use std::sync::Arc;

use hyper::header::{AUTHORIZATION, HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use warp::Filter;

use super::super::call::{Call, bare, call, with_header};
use super::super::cookies::Cookie;
use super::super::{Dialect, Problem, Response, Routes, any};
use super::api_response;
use crate::domain::access::{Caller, Subject};
use crate::domain::oauth::Params;
use crate::domain::sign_in::sign_out;
use crate::domain::tokens::{self, ping};
use crate::domain::{Appliance, Cx, clients, sessions};
use crate::kernel::Fault;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::AuthV3, route);
    any([
        warp::path!("ping")
            .and(call("/auth/v3/ping"))
            .then(ping)
            .boxed(),
        warp::path!("sign-out")
            .and(call("/auth/v3/sign-out"))
            .then(sign_out)
            .boxed(),
    ])
}

/// `GET /auth/v3/ping`: 200 for whoever is signed in, by bearer or cookie, and 403 for everyone else.
async fn ping(call: Call) -> Response {
    if call.method != Method::GET {
        return call.not_allowed("GET");
    }
    call.run(|cx, call| {
        // Whoever presents a bearer asks about that bearer; the vendor's own clients present none.
        let answer = if call.header(AUTHORIZATION).is_some() {
            by_bearer(cx, call)?
        } else {
            by_cookies(cx, call)?
        };
        answer.ok_or_else(nobody)
    })
    .await
}

fn nobody() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "access_denied",
        "nobody is signed in",
    )
}

fn by_bearer(cx: &Cx<'_>, call: &Call) -> Result<Option<Response>, Problem> {
    match call.caller(cx) {
        Ok(_) => api_response::done().map(Some),
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn by_cookies(cx: &Cx<'_>, call: &Call) -> Result<Option<Response>, Problem> {
    if let Some(renewed) = by_ping_cookie(cx, call)? {
        return Ok(Some(renewed));
    }
    let session = call.cookie(Cookie::Session);
    let session = session
        .map(|cookie| sessions::find(cx, cookie))
        .transpose()?;
    let Some(session) = session.flatten() else {
        return Ok(None);
    };
    sessions::touch(cx, &session)?;
    api_response::done().map(Some)
}

fn by_ping_cookie(cx: &Cx<'_>, call: &Call) -> Result<Option<Response>, Problem> {
    let Some(cookie) = call.cookie(Cookie::Ping) else {
        return Ok(None);
    };
    match ping::authenticate(cx, cookie) {
        Ok(caller) => {
            let renewed = ping::renewed(cx, &caller)?;
            Ok(Some(Cookie::Ping.set(api_response::done()?, &renewed)))
        }
        Err(tokens::Error::Fault(fault)) => Err(fault.into()),
        Err(tokens::Error::Invalid | tokens::Error::Expired | tokens::Error::Ended) => Ok(None),
    }
}

/// `GET` and `POST /auth/v3/sign-out`: ends the bearer's sign-in, or with `global=true` everything of its user.
///
/// Only a bearer does, whatever cookies come along: a page of somebody else's can have a browser send those.
async fn sign_out(call: Call) -> Response {
    if call.method != Method::GET && call.method != Method::POST {
        return call.not_allowed("GET, POST");
    }
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let params = call.params()?;
        let is_global = flag(&params, "global")?;
        forget_session(cx, call, &caller)?;
        if is_global {
            sign_out::everywhere(cx, &caller)?;
        } else {
            sign_out::this(cx, &caller)?;
        }
        let target = params
            .get("redirectUri")
            .filter(|_| call.method == Method::GET);
        let response = match target {
            Some(uri) => sent_on(cx, &caller, uri)?,
            None => api_response::done()?,
        };
        Ok(Cookie::Ping.clear(Cookie::Session.clear(response)))
    })
    .await
}

fn flag(params: &Params, name: &'static str) -> Result<bool, Problem> {
    match params.get(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::bad_request(format!(
            "{name} must be true or false"
        ))),
    }
}

/// The browser's session ends with the token when it is the same person's, even if the token came of another.
fn forget_session(cx: &Cx<'_>, call: &Call, caller: &Caller) -> Result<(), Fault> {
    let Some(cookie) = call.cookie(Cookie::Session) else {
        return Ok(());
    };
    match sessions::find(cx, cookie)? {
        Some(session) if *caller.subject() == Subject::User(session.user.clone()) => {
            sessions::forget(cx, &session.id)
        }
        _ => Ok(()),
    }
}

/// To the address, if the token's client registered exactly that one for signing out; nowhere otherwise.
fn sent_on(cx: &Cx<'_>, caller: &Caller, uri: &str) -> Result<Response, Problem> {
    let client = clients::find(cx, caller.client())?;
    let registered = client.is_some_and(|client| {
        let uris = &client.post_logout_redirect_uris;
        uris.iter().any(|registered| registered == uri)
    });
    match HeaderValue::try_from(uri) {
        Ok(location) if registered => Ok(with_header(bare(StatusCode::FOUND), LOCATION, location)),
        _ => api_response::done(),
    }
}
