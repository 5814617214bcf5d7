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
    issue_about(call, cx, "")
}

/// The same for a form whose token is good for no other question than this.
pub(super) fn issue_about(call: &Call, cx: &Cx<'_>, about: &str) -> Form {
    if let Some(value) = call.cookie(Cookie::Form) {
        return Form {
            token: form::token(cx, value, about),
            kept: None,
        };
    }
    let value = form::cookie(cx);
    Form {
        token: form::token(cx, value.expose(), about),
        kept: Some(value),
    }
}

/// Whether a posted form is one that we showed to this browser.
pub(super) fn check(call: &Call, cx: &Cx<'_>, token: Option<&str>) -> Result<(), Problem> {
    check_about(call, cx, token, "")
}

/// The same for one whose token is good for no other question than this.
pub(super) fn check_about(
    call: &Call,
    cx: &Cx<'_>,
    token: Option<&str>,
    about: &str,
) -> Result<(), Problem> {
    // Our own pages send no referrer, so browsers say `Origin: null` of their forms: then the token alone decides.
    let says_nothing = call.header(ORIGIN) == Some("null") && call.header(FETCH_SITE).is_none();
    if !says_nothing {
        same_origin(call)?;
    }
    let value = call.cookie(Cookie::Form);
    let given = token.unwrap_or_default();
    if value.is_some_and(|value| form::is_right(cx, value, about, given)) {
        return Ok(());
    }
    let words = "the form is too old, or the browser keeps no cookies; go back and try again";
    Err(Problem::new(StatusCode::FORBIDDEN, EXPIRED, words))
}

/// The code of a form whose token does not hold.
pub(super) const EXPIRED: &str = "form_expired";

/// Refuses what a browser says comes from another site, and what hides where it comes from. Software that is no browser
/// says nothing.
pub(super) fn same_origin(call: &Call) -> Result<(), Problem> {
    let is_ours = match (call.header(FETCH_SITE), call.header(ORIGIN)) {
        (Some("same-origin"), _) | (Some("none") | None, None) => true,
        (Some("none") | None, Some(origin)) => call.on().base().origin() == origin,
        (Some(_), _) => false,
    };
    if is_ours {
        return Ok(());
    }
    let words = "the request comes from another site";
    Err(Problem::new(StatusCode::FORBIDDEN, "access_denied", words))
}

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
