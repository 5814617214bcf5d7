//! `/oidc/logout`: sign-out asked for by a relying party (OpenID Connect RP-Initiated Logout).

use std::sync::Arc;

use hyper::header::{HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use warp::Filter;

use super::super::call::{Call, bare, call, with_header};
use super::super::cookies::Cookie;
use super::super::pages::language;
use super::super::{Dialect, Problem, Response, Routes, form_token};
use super::page;
use crate::domain::oauth::Params;
use crate::domain::oidc::logout::{self, Asking, Plan};
use crate::domain::sessions::{self, Session};
use crate::domain::{Appliance, Cx};
use crate::kernel::SessionId;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    warp::path!("oidc" / "logout")
        .and(call(on, Dialect::Security, PATH))
        .then(logout)
        .boxed()
}

const PATH: &str = "/oidc/logout";

/// What a relying party sends that the question whether to sign out carries along.
const CARRIED: [&str; 4] = [HINT, CLIENT, REDIRECT_URI, STATE];
const HINT: &str = "id_token_hint";
const CLIENT: &str = "client_id";
const REDIRECT_URI: &str = "post_logout_redirect_uri";
const STATE: &str = "state";
/// The answer to the question.
const DECISION: &str = "decision";

/// `GET` and `POST /oidc/logout`: ends the browser's session, or asks whether to.
async fn logout(call: Call) -> Response {
    let is_post = call.method == Method::POST;
    if !is_post && call.method != Method::GET {
        return call.not_allowed("GET, POST");
    }
    call.run(|cx, call| {
        let answered = if is_post {
            posted(cx, call)
        } else {
            call.params().and_then(|params| asked(cx, call, &params))
        };
        match answered {
            // A person reads it, unless it is of ours, which the log is told.
            Err(problem) if problem.cause().is_none() => Ok(page::problem(call, &problem)),
            answered => answered,
        }
    })
    .await
}

fn posted(cx: &Cx<'_>, call: &Call) -> Result<Response, Problem> {
    let params = call.form()?;
    if params.has(DECISION) {
        return decided(cx, call, &params);
    }
    if call.cookie(Cookie::Session).is_none() {
        // A form of another site comes without our cookies (SameSite=Lax); a link followed from there has them.
        return Ok(see_other(&as_link(&params)));
    }
    asked(cx, call, &params)
}

fn asked(cx: &Cx<'_>, call: &Call, params: &Params) -> Result<Response, Problem> {
    let session = session(cx, call)?;
    match logout::plan(cx, &asking(params), session.as_ref())? {
        Plan::End { sessions, to } => ended(cx, call, params, &sessions, to.as_deref()),
        Plan::Nobody(to) => Ok(gone(call, params, to.as_deref())),
        Plan::Ask { user, .. } => Ok(question(cx, call, params, &user)),
        Plan::Refuse(refusal) => Ok(page::refused(call, &refusal)),
    }
}

/// The person has answered our question.
fn decided(cx: &Cx<'_>, call: &Call, params: &Params) -> Result<Response, Problem> {
    form_token::check(call, cx, params.get("form_token"))?;
    let session = session(cx, call)?;
    let (sessions, to) = match logout::plan(cx, &asking(params), session.as_ref())? {
        Plan::Refuse(refusal) => return Ok(page::refused(call, &refusal)),
        Plan::Nobody(to) => return Ok(gone(call, params, to.as_deref())),
        Plan::End { sessions, to } => (sessions, to),
        Plan::Ask { to, .. } => (session.into_iter().map(|session| session.id).collect(), to),
    };
    if params.get(DECISION) == Some("yes") {
        ended(cx, call, params, &sessions, to.as_deref())
    } else {
        Ok(page::still_signed_in(language(call, params), PATH))
    }
}

fn asking(params: &Params) -> Asking<'_> {
    Asking {
        hint: params.get(HINT),
        client: params.get(CLIENT),
        redirect_uri: params.get(REDIRECT_URI),
        state: params.get(STATE),
    }
}

fn session(cx: &Cx<'_>, call: &Call) -> Result<Option<Session>, Problem> {
    let cookie = call.cookie(Cookie::Session);
    let found = cookie.map(|cookie| sessions::find(cx, cookie));
    Ok(found.transpose()?.flatten())
}

fn ended(
    cx: &Cx<'_>,
    call: &Call,
    params: &Params,
    sessions: &[SessionId],
    to: Option<&str>,
) -> Result<Response, Problem> {
    logout::end(cx, sessions)?;
    let gone = gone(call, params, to);
    Ok(Cookie::Ping.clear(Cookie::Session.clear(gone)))
}

/// Where the browser goes when nobody is signed in any more.
fn gone(call: &Call, params: &Params, to: Option<&str>) -> Response {
    match to {
        Some(to) => see_other(to),
        None => page::signed_out(language(call, params)),
    }
}

fn question(cx: &Cx<'_>, call: &Call, params: &Params, user: &str) -> Response {
    let form = form_token::issue(call, cx);
    page::question(language(call, params), PATH, user, &form, &carried(params))
}

fn carried(params: &Params) -> Vec<(&'static str, &str)> {
    let given = |name| params.get(name).map(|value| (name, value));
    CARRIED.into_iter().filter_map(given).collect()
}

fn as_link(params: &Params) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(carried(params))
        .finish();
    format!("{PATH}?{query}")
}

/// RFC 9700 §4.12: never a status that makes a browser post again.
fn see_other(to: &str) -> Response {
    match HeaderValue::try_from(to) {
        Ok(to) => with_header(bare(StatusCode::SEE_OTHER), LOCATION, to),
        Err(_) => bare(StatusCode::NO_CONTENT),
    }
}
