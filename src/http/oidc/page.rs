//! What people see of sign-out.

use hyper::StatusCode;

use super::super::call::Call;
use super::super::form_token::Form;
use super::super::pages::{SIGN_IN, error_page, show, trouble};
use super::super::{Problem, Response};
use crate::domain::oidc::logout::Refusal;
use crate::render::html::{self, Comparison, Language, Trouble};

pub(super) fn signed_out(language: Language) -> Response {
    let page = html::SignedOut {
        language,
        sign_in: Some(SIGN_IN),
    };
    show(StatusCode::OK, language, page.page())
}

pub(super) fn still_signed_in(language: Language, sign_out: &str) -> Response {
    let page = html::SignedIn { language, sign_out };
    show(StatusCode::OK, language, page.page())
}

pub(super) fn question(
    language: Language,
    action: &str,
    user: &str,
    form: &Form,
    carried: &[(&str, &str)],
) -> Response {
    let to = carried
        .iter()
        .find(|(name, _)| *name == "post_logout_redirect_uri");
    let page = html::ConfirmSignOut {
        language,
        user,
        destination: to.map(|(_, value)| *value),
        action,
        form_token: &form.token,
        carried,
    };
    form.keep(show(StatusCode::OK, language, page.page()))
}

pub(super) fn refused(call: &Call, refusal: &Refusal) -> Response {
    let words = match refusal {
        Refusal::Hint => "id_token_hint is no ID token of this server",
        Refusal::UnknownClient => "there is no client of this client_id",
        Refusal::OtherClient => "id_token_hint is for another client",
        Refusal::RedirectUri { .. } => "post_logout_redirect_uri is not registered for this client",
    };
    let problem = Problem::bad_request(words);
    match refusal {
        Refusal::RedirectUri {
            registered,
            received,
        } => {
            let registered: Vec<&str> = registered.iter().map(String::as_str).collect();
            let comparison = Comparison {
                registered: &registered,
                received,
            };
            error_page(call, &problem, Trouble::Redirect, Some(comparison))
        }
        Refusal::UnknownClient => error_page(call, &problem, Trouble::UnknownClient, None),
        Refusal::Hint | Refusal::OtherClient => {
            error_page(call, &problem, Trouble::InvalidRequest, None)
        }
    }
}

pub(super) fn problem(call: &Call, problem: &Problem) -> Response {
    trouble(call, problem)
}
