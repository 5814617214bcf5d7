//! Pages for people: sign-in, a new password, consent, and what went wrong, in words.
//!
//! Every page takes the authorization request it serves along in its own address, so that nothing is kept for somebody
//! who may never come back, and two windows do not mix.

mod change_password;
mod consent;
mod sign_in;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use hyper::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderName, HeaderValue, LOCATION, VARY, X_FRAME_OPTIONS,
};
use warp::Filter;

use super::call::{Call, bare, cached, call, with_header};
use super::cookies::Cookie;
use super::{Dialect, Problem, Response, Routes, any, form_token};
use crate::domain::oauth::Params;
use crate::domain::oauth::authorize::{Answer, Consent};
use crate::domain::{Appliance, Cx, Front};
use crate::kernel::{Secret, SessionId};
use crate::render::html::{self, Comparison, Language, Page, Trouble};

/// The sign-in page, where contract B's clients expect it.
pub(super) const SIGN_IN: &str = "/auth/sign-in.html";
const CHANGE_PASSWORD: &str = "/auth/change-password.html";
const CONSENT: &str = "/auth/consent.html";
/// Where a browser's session is ended, after a question.
const SIGN_OUT: &str = "/oidc/logout";

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Page, route);
    any([
        warp::path!("auth" / "sign-in.html")
            .and(call(SIGN_IN))
            .then(sign_in::sign_in)
            .boxed(),
        warp::path!("auth" / "change-password.html")
            .and(call(CHANGE_PASSWORD))
            .then(change_password::change_password)
            .boxed(),
        warp::path!("auth" / "consent.html")
            .and(call(CONSENT))
            .then(consent::consent)
            .boxed(),
        warp::path!("auth" / "assets" / "admit.css")
            .and(call(html::STYLE_SHEET_PATH))
            .then(style_sheet)
            .boxed(),
    ])
}

/// `GET /auth/assets/admit.css`: the one style sheet of all pages.
async fn style_sheet(call: Call) -> Response {
    if call.method != hyper::Method::GET {
        return call.not_allowed("GET");
    }
    call.run(|_, _| {
        let mut response = Response::new(html::STYLE_SHEET.into());
        let css = HeaderValue::from_static("text/css; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, css);
        Ok(cached(response, 3_600))
    })
    .await
}

/// The name of the parameter that says which of the two endpoints a request on its way through a page came to.
const FRONT: &str = "front";

/// A request's parameters as a query for our own pages.
pub(super) fn carried(front: Front, params: &Params) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in params.pairs().filter(|(name, _)| *name != FRONT) {
        query.append_pair(name, value);
    }
    query.append_pair(FRONT, front_name(front));
    query.finish()
}

fn front_name(front: Front) -> &'static str {
    match front {
        Front::Security => "security",
        Front::AuthV3 => "auth_v3",
    }
}

/// The front of a request that a page carries; the page itself is contract B's.
fn front_of(params: &Params) -> Front {
    let named = |front: &Front| params.get(FRONT) == Some(front_name(*front));
    Front::ALL.into_iter().find(named).unwrap_or(Front::AuthV3)
}

/// What the browser keeps of a request that waits, for software that signs in without our page.
pub(super) fn waiting(query: &str) -> Secret<String> {
    // A cookie holds four kilobytes; a longer request waits in the page's address alone.
    let kept = if query.len() <= 2_048 { query } else { "" };
    Secret::new(URL_SAFE_NO_PAD.encode(kept))
}

/// The language for whoever asks.
pub(super) fn language(call: &Call, params: &Params) -> Language {
    Language::negotiate(params.get("ui_locales"), call.header(ACCEPT_LANGUAGE))
}

/// A page as an answer.
pub(super) fn show(status: StatusCode, language: Language, page: Page) -> Response {
    let mut response = Response::new(page.html.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(html::CONTENT_TYPE));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Language"));
    // RFC 9700 §4.16: no frame, for browsers old and new.
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    let policy = HeaderValue::try_from(page.policy).unwrap_or(NOTHING);
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const NOTHING: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");

/// A problem as a page for whoever would rather read one.
pub(super) fn problem(call: &Call, problem: Problem) -> Result<Response, Problem> {
    if !call.wants_html() {
        return Err(problem);
    }
    match client_id(call).filter(|_| problem.error() == UNKNOWN_CLIENT) {
        Some(id) => {
            let words = format!("there is no client with the client_id {id}");
            let problem = Problem::new(problem.status(), UNKNOWN_CLIENT, words);
            Ok(trouble(call, &problem))
        }
        None => Ok(trouble(call, &problem)),
    }
}

const UNKNOWN_CLIENT: &str = "invalid_client";

/// Which client a request says it comes from.
fn client_id(call: &Call) -> Option<String> {
    let params = call.params_and_form().ok()?;
    params.get("client_id").map(str::to_owned)
}

/// The page of a problem that speaks for itself.
pub(super) fn trouble(call: &Call, problem: &Problem) -> Response {
    let trouble = match problem.error() {
        UNKNOWN_CLIENT => Trouble::UnknownClient,
        form_token::EXPIRED => Trouble::Expired,
        _ => Trouble::of_status(problem.status().as_u16()),
    };
    error_page(call, problem, trouble, None)
}

/// A redirect URI that is not the client's: what came, beside what would have done.
pub(super) fn mismatch(
    call: &Call,
    registered: &[String],
    received: &str,
) -> Result<Response, Problem> {
    let problem = Problem::bad_request("redirect_uri is not registered for this client");
    if !call.wants_html() {
        return Err(problem);
    }
    let client = client_id(call).unwrap_or_default();
    let words = format!("redirect_uri is not registered for the client {client}");
    let problem = Problem::bad_request(words);
    let registered: Vec<&str> = registered.iter().map(String::as_str).collect();
    let comparison = Comparison {
        registered: &registered,
        received,
    };
    Ok(error_page(
        call,
        &problem,
        Trouble::Redirect,
        Some(comparison),
    ))
}

/// A page that says what went wrong.
pub(super) fn error_page(
    call: &Call,
    problem: &Problem,
    trouble: Trouble,
    comparison: Option<Comparison<'_>>,
) -> Response {
    let language = Language::negotiate(None, call.header(ACCEPT_LANGUAGE));
    let page = html::Error {
        language,
        trouble,
        detail: Some(problem.description()),
        comparison,
        request_id: call.request_id(),
    };
    show(problem.status(), language, page.page())
}

/// Asks whether a client may go on.
pub(super) fn consent(
    cx: &Cx<'_>,
    call: &Call,
    front: Front,
    params: &Params,
    asked: &Consent,
) -> Response {
    let language = language(call, params);
    let query = carried(front, params);
    let form = form_token::issue_about(call, cx, &question(&query, &asked.session));
    let scopes: Vec<&str> = asked.scope.split(' ').collect();
    let page = html::Consent {
        language,
        user: asked
            .user
            .display_name
            .as_deref()
            .unwrap_or(&asked.user.name),
        client_name: client_name(&asked.client),
        destination: &asked.redirect_uri,
        scopes: &scopes,
        action: &format!("{CONSENT}?{query}"),
        form_token: &form.token,
    };
    form.keep(show(StatusCode::OK, language, page.page()))
}

/// What a consent form is about: this request, and whoever was asked. A token of any other form answers nothing here.
fn question(query: &str, session: &SessionId) -> String {
    format!("consent {session} {query}")
}

/// What people know a client by.
fn client_name(client: &crate::domain::clients::Client) -> &str {
    if client.name.is_empty() {
        client.id.as_str()
    } else {
        &client.name
    }
}

/// Sends the answer on in a form (OAuth 2.0 Form Post Response Mode).
pub(super) fn form_post(call: &Call, answer: &Answer) -> Response {
    let language = Language::negotiate(None, call.header(ACCEPT_LANGUAGE));
    let parameters: Vec<(&str, &str)> = answer
        .params
        .iter()
        .map(|(name, value)| (*name, value.expose().as_str()))
        .collect();
    let page = html::FormPost {
        language,
        redirect_uri: &answer.redirect_uri,
        parameters: &parameters,
    };
    show(StatusCode::OK, language, page.page())
}

/// The same answer with what a browser keeps once somebody has signed in with it; nothing waits any more.
fn signed_in(response: Response, signed_in: &crate::domain::sign_in::SignedIn) -> Response {
    let response = Cookie::Session.set(response, &signed_in.cookie);
    let response = Cookie::Device.set(response, &signed_in.device);
    Cookie::Waiting.clear(response)
}

/// On to another page of ours, with a GET (RFC 9700 §4.12).
fn to(path: &str) -> Result<Response, Problem> {
    let to = HeaderValue::try_from(path)
        .map_err(|_| Problem::bad_request("the request cannot be sent in a header"))?;
    Ok(with_header(bare(StatusCode::SEE_OTHER), LOCATION, to))
}
