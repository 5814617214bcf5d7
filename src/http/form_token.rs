//! Our forms, posted by the browser that was shown them and by no other site.
//!
//! Two guards, either of which would do: a token bound to a cookie that only we can set, and what the browser itself
//! says of where the form comes from.

use hyper::StatusCode;
use hyper::header::{HeaderName, ORIGIN};

use super::call::Call;
use super::cookies::Cookie;
use super::{Problem, Response};
use crate::domain::Cx;
use crate::domain::sign_in::form;
use crate::kernel::Secret;

/// What a form on a page needs.
pub(super) struct Form {
    /// The token the form carries.
    pub(super) token: String,
    kept: Option<Secret<String>>,
}

impl Form {
    /// The same page, with the cookie the token is bound to where the browser has none yet.
    pub(super) fn keep(&self, response: Response) -> Response {
        match &self.kept {
            Some(value) => Cookie::Form.set(response, value),
            None => response,
        }
    }
}

/// A token for a form that is about to be shown.
pub(super) fn issue(call: &Call, cx: &Cx<'_>) -> Form {
    if let Some(value) = call.cookie(Cookie::Form) {
        return Form {
            token: form::token(cx, value),
            kept: None,
        };
    }
    let value = form::cookie(cx);
    Form {
        token: form::token(cx, value.expose()),
        kept: Some(value),
    }
}

/// Whether a posted form is one that we showed to this browser.
pub(super) fn check(call: &Call, cx: &Cx<'_>, token: Option<&str>) -> Result<(), Problem> {
    same_origin(call)?;
    let value = call.cookie(Cookie::Form);
    let given = token.unwrap_or_default();
    if value.is_some_and(|value| form::is_right(cx, value, given)) {
        return Ok(());
    }
    let words = "the form is too old, or the browser keeps no cookies; go back and try again";
    Err(Problem::new(StatusCode::FORBIDDEN, EXPIRED, words))
}

/// The code of a form whose token does not hold.
pub(super) const EXPIRED: &str = "form_expired";

/// Refuses what a browser says comes from another site. Software that is no browser says nothing, and one that tells no
/// more than `Origin: null`, as our own pages make it because they send no referrer, says nothing either.
pub(super) fn same_origin(call: &Call) -> Result<(), Problem> {
    let is_ours = match (call.header(FETCH_SITE), call.header(ORIGIN)) {
        (Some("same-origin"), _) => true,
        (Some("none") | None, None | Some("null")) => true,
        (Some("none") | None, Some(origin)) => {
            call.on().base().origin().eq_ignore_ascii_case(origin)
        }
        (Some(_), _) => false,
    };
    if is_ours {
        return Ok(());
    }
    let words = "the request comes from another site";
    Err(Problem::new(StatusCode::FORBIDDEN, "access_denied", words))
}

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
