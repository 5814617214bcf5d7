//! `POST /auth/consent.html`: whether a client may go on, answered by whoever is signed in.

use std::time::Duration;

use hyper::Method;

use super::super::call::Call;
use super::super::cookies::Cookie;
use super::super::{Problem, Response, form_token, fronts};
use super::{SIGN_IN, carried, front_of, question};
use crate::domain::oauth::authorize::{Asking, Outcome};
use crate::domain::sessions::{self, Session};
use crate::domain::{Cx, oauth};

pub(super) async fn consent(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run(decide).await
}

fn decide(cx: &Cx<'_>, call: &Call) -> Result<Response, Problem> {
    let (params, fields) = (call.params()?, call.form()?);
    let again = format!("{SIGN_IN}?{}", carried(front_of(&params), &params));
    let session = match call.cookie(Cookie::Session) {
        Some(cookie) => sessions::find(cx, cookie)?,
        None => None,
    };
    let Some(session) = session else {
        return super::to(&again);
    };
    let asked = question(&carried(front_of(&params), &params), &session.id);
    if let Err(problem) = form_token::check_about(call, cx, fields.get("form_token"), &asked) {
        return super::problem(call, problem);
    }
    let asking = Asking {
        front: front_of(&params),
        params: &params,
        session: Some(&session),
        is_fresh: is_fresh(cx, &session),
        consent: Some(fields.get("decision") == Some("continue")),
    };
    match oauth::authorize(cx, &asking) {
        Ok(Outcome::Answer(answer)) => fronts::answered(call, &answer),
        Ok(Outcome::SignIn | Outcome::Consent(_)) => super::to(&again),
        Err(refused) => fronts::refused(call, refused),
    }
}

/// A request may want a sign-in of its own; one that has just led to this question is it.
fn is_fresh(cx: &Cx<'_>, session: &Session) -> bool {
    cx.now.since(session.signed_in_at) < Duration::from_mins(5)
}
