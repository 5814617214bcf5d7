//! `GET|POST …/oauth/authorize`: send the browser back, to the sign-in page, or nowhere.
//!
//! At contract B's, a Basic header carries the *user's* name and password; software that has them goes straight through.

use hyper::header::{AUTHORIZATION, HeaderValue, LOCATION};
use hyper::{Method, StatusCode};

use super::super::call::{Call, bare, with_header};
use super::super::cookies::Cookie;
use super::super::{Problem, Response, form_token, pages};
use crate::domain::oauth::authorize::{Answer, Asking, Mode, Outcome, Refused};
use crate::domain::oauth::{self, Params};
use crate::domain::sign_in::password::{self, Attempt};
use crate::domain::sign_in::{self, SignedIn};
use crate::domain::{Cx, Front, sessions};

pub(super) async fn authorize(call: Call, front: Front) -> Response {
    if !matches!(call.method, Method::GET | Method::POST) {
        return call.not_allowed("GET, POST");
    }
    if front == Front::AuthV3 && call.header(AUTHORIZATION).is_some() {
        return call
            .run_slow(move |cx, call| with_password(cx, call, front))
            .await;
    }
    call.run(move |cx, call| with_session(cx, call, front))
        .await
}

/// Somebody may have signed in with this browser before.
fn with_session(cx: &Cx<'_>, call: &Call, front: Front) -> Result<Response, Problem> {
    let params = match call.params_and_form() {
        Ok(params) => params,
        Err(problem) => return pages::problem(call, problem),
    };
    let session = match call.cookie(Cookie::Session) {
        Some(cookie) => sessions::find(cx, cookie)?,
        None if is_of_another_site(call) => return as_link(call, front, &params),
        None => None,
    };
    let asking = Asking {
        front,
        params: &params,
        session: session.as_ref(),
        is_fresh: false,
        consent: None,
    };
    match oauth::authorize(cx, &asking) {
        Ok(Outcome::SignIn) => to_sign_in(call, front, &params),
        Ok(Outcome::Consent(consent)) => Ok(pages::consent(cx, call, front, &params, &consent)),
        Ok(Outcome::Answer(answer)) => answered(call, &answer),
        Err(refused) => self::refused(call, refused),
    }
}

/// A form of another site comes without our cookies (`SameSite=Lax`).
fn is_of_another_site(call: &Call) -> bool {
    call.method == Method::POST && form_token::same_origin(call).is_err()
}

/// The same request as a link, which brings the cookies along: whoever is signed in is not asked again.
fn as_link(call: &Call, front: Front, params: &Params) -> Result<Response, Problem> {
    let path = match front {
        Front::Security => "/security/oauth/authorize",
        Front::AuthV3 => "/auth/v3/oauth/authorize",
    };
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params.pairs())
        .finish();
    redirect(call, &format!("{path}?{query}"))
}

/// The user's own credentials came along.
fn with_password(cx: &Cx<'_>, call: &Call, front: Front) -> Result<Response, Problem> {
    // Browsers send again what they were once asked for, also where another site leads them.
    form_token::same_origin(call)?;
    let params = call.params_and_form()?;
    // Nothing is judged for a request that could not be answered anyway.
    if let Err(refused) = oauth::authorize::invitation(cx, &params) {
        return self::refused(call, refused);
    }
    let proof = call.user_basic()?;
    let attempt = Attempt {
        tenant: None,
        name: &proof.id,
        password: &proof.secret,
        device: call.cookie(Cookie::Device),
    };
    let user = password::check(cx, &attempt).map_err(Problem::bad_user)?;
    let SignedIn {
        session, cookie, ..
    } = sign_in::begin(cx, &user, call.cookie(Cookie::Session)).map_err(Problem::bad_user)?;
    let asking = Asking {
        front,
        params: &params,
        session: Some(&session),
        is_fresh: true,
        consent: None,
    };
    let response = match oauth::authorize(cx, &asking) {
        Ok(Outcome::Answer(answer)) => answered(call, &answer)?,
        Ok(Outcome::Consent(consent)) => pages::consent(cx, call, front, &params, &consent),
        Ok(Outcome::SignIn) => to_sign_in(call, front, &params)?,
        Err(refused) => self::refused(call, refused)?,
    };
    Ok(Cookie::Session.set(response, &cookie))
}

/// To the sign-in page, which takes the request along.
fn to_sign_in(call: &Call, front: Front, params: &Params) -> Result<Response, Problem> {
    let query = pages::carried(front, params);
    let response = redirect(call, &format!("{}?{query}", pages::SIGN_IN))?;
    Ok(Cookie::Waiting.set(response, &pages::waiting(&query)))
}

/// Sends the browser back to the client.
pub(in crate::http) fn answered(call: &Call, answer: &Answer) -> Result<Response, Problem> {
    let separator = match answer.mode {
        Mode::FormPost => return Ok(pages::form_post(call, answer)),
        Mode::Query if answer.redirect_uri.contains('?') => '&',
        Mode::Query => '?',
        Mode::Fragment => '#',
    };
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &answer.params {
        encoded.append_pair(name, value.expose());
    }
    redirect(
        call,
        &format!("{}{separator}{}", answer.redirect_uri, encoded.finish()),
    )
}

/// Nothing goes to the client: whoever sits at the browser is told why.
pub(in crate::http) fn refused(call: &Call, refused: Refused) -> Result<Response, Problem> {
    match &refused {
        Refused::Redirect {
            registered,
            received,
        } => pages::mismatch(call, registered, received),
        Refused::Invalid(_) | Refused::UnknownClient | Refused::Fault(_) => {
            pages::problem(call, refused.into())
        }
    }
}

/// RFC 9700 §4.12: a form with a password in it must not be posted on, so what answers a POST is a 303.
fn redirect(call: &Call, to: &str) -> Result<Response, Problem> {
    let status = if call.method == Method::POST {
        StatusCode::SEE_OTHER
    } else {
        StatusCode::FOUND
    };
    let to = HeaderValue::try_from(to)
        .map_err(|_| Problem::bad_request("redirect_uri cannot be sent in a header"))?;
    Ok(with_header(bare(status), LOCATION, to))
}
