//! Requests a browser sends by itself with what it keeps: refused when another site made it send them (login CSRF).

use hyper::StatusCode;
use hyper::header::{HeaderName, ORIGIN};

use super::super::Problem;
use super::super::call::Call;

/// Refuses what a browser says comes from another site. Software that is no browser says nothing.
pub(super) fn check(call: &Call) -> Result<(), Problem> {
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
