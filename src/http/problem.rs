//! What went wrong, as a caller may be told: a status, a code for programs and words for people.
//!
//! This is the only file that knows both a domain's error and a status; every match is exhaustive, so that a new
//! error asks for a decision here. How a problem is written depends on the audience; see [`super::dialect`].

use std::borrow::Cow;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, StatusCode};

use crate::domain::access::Denied;
use crate::domain::oauth::authorize;
use crate::domain::oidc::{details, user_info};
use crate::domain::ports::Failure;
use crate::domain::sign_in::password;
use crate::domain::{
    applications, clients, facades, keys, oauth, otp, tickets, tokens, upstream, users,
};
use crate::kernel::Fault;
use crate::kernel::fault::FaultKind;

/// A refusal or failure on its way to a caller.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    error: Cow<'static, str>,
    description: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    fault: Option<String>,
    scope: Option<Box<str>>,
}

impl Problem {
    /// A problem with the code `error` and a sentence about it, which must hold nothing the caller may not see.
    pub fn new(
        status: StatusCode,
        error: &'static str,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            error: error.into(),
            description: description.into(),
            headers: Vec::new(),
            fault: None,
            scope: None,
        }
    }

    /// The same problem, written with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The request cannot be understood: 400.
    pub fn bad_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID_REQUEST, description)
    }

    /// The body did not arrive in time: 408.
    pub fn too_slow() -> Self {
        let words = "the body did not arrive in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, INVALID_REQUEST, words)
    }

    /// The body is larger than `limit` bytes: 413.
    pub fn too_large(limit: usize) -> Self {
        let words = format!("the body is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, words)
    }

    /// The body is compressed or otherwise encoded: 415.
    pub fn encoded() -> Self {
        let words = "a body with a content encoding is not accepted";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, INVALID_REQUEST, words)
            .with_header(hyper::header::ACCEPT_ENCODING, IDENTITY)
    }

    /// The request is for another server: 421.
    pub fn misdirected() -> Self {
        let words = "this server does not go by that name";
        let status = StatusCode::MISDIRECTED_REQUEST;
        Self::new(status, INVALID_REQUEST, words)
    }

    /// A header, or all of them together, is too large: 431.
    pub fn headers_too_large() -> Self {
        let words = "the request's headers are too large";
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Self::new(status, INVALID_REQUEST, words)
    }

    /// The appliance cannot answer now and may be asked again: 503.
    pub fn unavailable() -> Self {
        let words = "the server cannot answer now; try again shortly";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            words,
        )
        .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Something of ours broke: 500, or 503 where it may be tried again. What it was is for the log alone.
    pub fn fault(fault: &Fault) -> Self {
        let mut problem = match fault.kind() {
            FaultKind::Unavailable => Self::unavailable(),
            FaultKind::Internal => {
                let words = "internal error; the log knows more under this request's id";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", words)
            }
        };
        problem.fault = Some(fault.to_string());
        problem
    }

    /// The scopes that would do, for whoever asked for others (RFC 6750 §3).
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// What broke, for the log.
    pub fn cause(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// There is nothing here: 404.
    pub fn not_found(words: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", words)
    }

    /// The path is right and the method is not: 405.
    pub fn method_not_allowed(method: &Method, allowed: &'static str) -> Self {
        let words = format!("Request method '{method}' not supported");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", words)
            .with_header(hyper::header::ALLOW, HeaderValue::from_static(allowed))
    }

    /// Content of a type that is not read here: 415.
    pub fn unreadable_type(expected: &'static str) -> Self {
        let words = format!("the body must be {expected}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST, words)
    }

    /// No bearer was presented: 401 (RFC 6750 §3.1 wants no error code in the challenge).
    pub fn no_bearer() -> Self {
        let words = "Full authentication is required to access this resource";
        let challenge = HeaderValue::from_static("Bearer realm=\"admit\"");
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", words)
            .with_header(WWW_AUTHENTICATE, challenge)
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The code for programs.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The sentence for people.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Headers beyond those every problem has.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::fault(&fault)
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::new(StatusCode::FORBIDDEN, "access_denied", denied.to_string())
    }
}

impl From<tickets::Error> for Problem {
    fn from(error: tickets::Error) -> Self {
        use tickets::Error;
        match error {
            Error::NotFound => Self::not_found("there is no such ticket"),
            Error::Denied(denied) => denied.into(),
            Error::Invalid(what) => Self::bad_request(what),
            Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<clients::Error> for Problem {
    fn from(error: clients::Error) -> Self {
        use clients::Error;
        match error {
            Error::NotFound => Self::not_found("there is no such client"),
            Error::NoOrganization => Self::not_found("there is no such organization"),
            Error::Taken(_) | Error::Kept | Error::Full => {
                Self::new(StatusCode::CONFLICT, "conflict", error.to_string())
            }
            Error::Invalid(what) => Self::bad_request(what),
            Error::Denied(denied) => denied.into(),
            Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<tokens::Error> for Problem {
    fn from(error: tokens::Error) -> Self {
        use tokens::Error;
        match error {
            Error::Invalid => Self::invalid_token("Invalid access token"),
            Error::Expired => Self::invalid_token("Access token expired"),
            Error::Ended => Self::invalid_token("Access token was ended"),
            Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<details::Error> for Problem {
    fn from(error: details::Error) -> Self {
        use details::Error;
        match error {
            Error::Gone => Self::invalid_token("the account of this token does not exist any more"),
            Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<authorize::Refused> for Problem {
    fn from(refused: authorize::Refused) -> Self {
        use authorize::Refused;
        match refused {
            Refused::Invalid(what) => Self::bad_request(what),
            Refused::UnknownClient => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "there is no client of this client_id",
            ),
            Refused::Redirect { .. } => {
                Self::bad_request("redirect_uri is not registered for this client")
            }
            Refused::Fault(fault) => fault.into(),
        }
    }
}

impl From<user_info::Error> for Problem {
    fn from(error: user_info::Error) -> Self {
        use user_info::Error;
        match error {
            Error::Scope => Self::insufficient_scope(
                user_info::SCOPE,
                "user info needs a token of a user with the scope openid",
            ),
            Error::Gone => Self::invalid_token("the account of this token cannot be used any more"),
            Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<facades::Error> for Problem {
    fn from(error: facades::Error) -> Self {
        use facades::Error;
        match error {
            Error::NoApplication => Self::not_found("there is no such application"),
            Error::Denied(denied) => denied.into(),
            Error::Invalid(what) => Self::bad_request(what),
            Error::Ticket(error) => error.into(),
            Error::Code(error) => error.into(),
            Error::Upstream(error) => error.into(),
            Error::Fault(fault) => fault.into(),
        }
    }
}

/// Statuses and words as real servers of both contracts have them, which is not always RFC 6749 §5.2.
impl From<oauth::Error> for Problem {
    fn from(error: oauth::Error) -> Self {
        use oauth::Error;
        let bad =
            |error, words: Cow<'static, str>| Self::new(StatusCode::BAD_REQUEST, error, words);
        match error {
            Error::InvalidRequest(what) => Self::bad_request(what),
            Error::InvalidClient(words) => Self::invalid_client(words),
            Error::UnauthorizedGrant(name) => {
                Self::invalid_client(format!("Unauthorized grant type: {name}"))
            }
            Error::UnsupportedGrantType(name) => bad(
                "unsupported_grant_type",
                format!("Unsupported grant type: {name}").into(),
            ),
            Error::ImplicitGrant => bad(
                "invalid_grant",
                "Implicit grant type not supported from token endpoint".into(),
            ),
            Error::InvalidScope(allowed) => {
                let scope = Some(allowed.join(" ").into());
                let problem = bad(
                    "invalid_scope",
                    "Invalid scope; `scope` says which are allowed".into(),
                );
                Self { scope, ..problem }
            }
            Error::InvalidGrant(words) | Error::InvalidRefreshToken(words) => {
                bad("invalid_grant", words.into())
            }
            Error::ExpiredRefreshToken => Self::invalid_token("Invalid refresh token (expired)"),
            Error::Ticket(refusal) => bad("invalid_grant", refusal.word().into()),
            Error::TooManyGuesses(wait) => {
                Self::too_many("too many wrong tickets; try again later", wait)
            }
            Error::TooManyCodes(wait) => {
                Self::too_many("too many wrong authorization codes; try again later", wait)
            }
            Error::Unavailable(words, wait) => Self::upstream_busy(words, wait),
            Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<keys::Error> for Problem {
    fn from(error: keys::Error) -> Self {
        use keys::Error;
        match error {
            Error::NotFound => Self::not_found("there is no such key"),
            Error::TooMany(wait) => {
                Self::too_many("too many keys were made or brought in today", wait)
            }
            Error::Invalid(what) => Self::bad_request(what),
            Error::Denied(denied) => denied.into(),
            Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<otp::Error> for Problem {
    fn from(error: otp::Error) -> Self {
        use otp::Error;
        match error {
            Error::NotFound => Self::not_found("there is no such verification"),
            Error::Wrong => Self::new(StatusCode::BAD_REQUEST, "invalid_code", "the code is wrong"),
            Error::TooMany(wait) => Self::too_many("too many wrong codes; try again later", wait),
            Error::Paused(words, wait) => Self::too_many(words, wait),
            Error::Refused(what) | Error::Invalid(what) => Self::bad_request(what),
            Error::Denied(denied) => denied.into(),
            Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<upstream::Error> for Problem {
    fn from(error: upstream::Error) -> Self {
        use upstream::Error;
        match error {
            Error::NoAccount(what) => Self::bad_request(what),
            Error::Failure(failure) => failure.into(),
            // 401 would tell whoever asked that it is its own token that is not believed.
            Error::Declined { code, message } => {
                Self::new(StatusCode::BAD_REQUEST, UPSTREAM_REFUSED, message).named(code)
            }
            Error::Denied(denied) => denied.into(),
            Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let said = format!("the upstream did not do it: {failure}");
        match failure {
            Failure::Refused { .. } => Self::new(StatusCode::BAD_REQUEST, UPSTREAM_REFUSED, said),
            Failure::Forbidden(_) => Self::bad_request(said),
            Failure::Credentials | Failure::Failed(_) => {
                Self::new(StatusCode::BAD_GATEWAY, "upstream_failed", said)
            }
            Failure::Unanswered(_) => {
                Self::new(StatusCode::GATEWAY_TIMEOUT, "upstream_unanswered", said)
            }
            Failure::Busy(wait) => {
                Self::upstream_busy("the upstream is asked too often; try again later", wait)
            }
        }
    }
}

impl From<applications::Error> for Problem {
    fn from(error: applications::Error) -> Self {
        use applications::Error;
        match error {
            Error::NotFound => Self::not_found("there is no such application"),
            Error::Taken(_) | Error::Full => {
                Self::new(StatusCode::CONFLICT, "conflict", error.to_string())
            }
            Error::Invalid(what) => Self::bad_request(what),
            Error::Denied(denied) => denied.into(),
            Error::Fault(fault) => fault.into(),
        }
    }
}

impl From<users::Unseen> for Problem {
    fn from(error: users::Unseen) -> Self {
        use users::Unseen;
        match error {
            Unseen::NotFound => Self::not_found("there is no such user"),
            Unseen::Denied(denied) => denied.into(),
            Unseen::Fault(fault) => fault.into(),
        }
    }
}

impl Problem {
    /// The same problem under a code that somebody else gave it.
    fn named(mut self, error: String) -> Self {
        self.error = error.into();
        self
    }

    /// Somebody else cannot answer now: 503, and when to ask again.
    fn upstream_busy(words: &'static str, wait: Option<Duration>) -> Self {
        let seconds = wait.unwrap_or(ASK_AGAIN).as_secs().max(1);
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "temporarily_unavailable", words)
            .with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The bearer is not believed: 401 (RFC 6750 §3.1).
    fn invalid_token(words: &'static str) -> Self {
        let challenge = format!(
            "Bearer realm=\"admit\", error=\"invalid_token\", error_description=\"{words}\""
        );
        let problem = Self::new(StatusCode::UNAUTHORIZED, "invalid_token", words);
        HeaderValue::try_from(challenge).map_or(problem.clone(), |value| {
            problem.with_header(WWW_AUTHENTICATE, value)
        })
    }

    /// No name and password of a user were presented: 401.
    pub fn no_user() -> Self {
        Self::unauthorized_user("a user's name and password are needed, as HTTP Basic")
    }

    /// The user is not let in: 401.
    pub fn bad_user(refusal: password::Refusal) -> Self {
        use password::Refusal;
        match refusal {
            Refusal::Wrong => Self::unauthorized_user("Bad credentials"),
            Refusal::Expired(_) => Self::unauthorized_user("User credentials have expired"),
            Refusal::Fault(fault) => fault.into(),
        }
    }

    fn unauthorized_user(words: &'static str) -> Self {
        let challenge = HeaderValue::from_static("Basic realm=\"admit\"");
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", words)
            .with_header(WWW_AUTHENTICATE, challenge)
    }

    /// The bearer lacks a scope: 403, and which would do (RFC 6750 §3.1).
    fn insufficient_scope(scope: &'static str, words: &'static str) -> Self {
        let challenge = format!(
            "Bearer realm=\"admit\", error=\"insufficient_scope\", error_description=\"{words}\", scope=\"{scope}\""
        );
        let mut problem = Self::new(StatusCode::FORBIDDEN, "insufficient_scope", words);
        problem.scope = Some(scope.into());
        HeaderValue::try_from(challenge).map_or(problem.clone(), |value| {
            problem.with_header(WWW_AUTHENTICATE, value)
        })
    }

    /// The client is not believed, or may not: 401.
    fn invalid_client(words: impl Into<Cow<'static, str>>) -> Self {
        let challenge = HeaderValue::from_static("Basic realm=\"admit\"");
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", words)
            .with_header(WWW_AUTHENTICATE, challenge)
    }

    /// Asked too often: 429, and when to ask again.
    fn too_many(words: &'static str, wait: Duration) -> Self {
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", words)
            .with_header(RETRY_AFTER, seconds)
    }
}

const INVALID_REQUEST: &str = "invalid_request";
const UPSTREAM_REFUSED: &str = "upstream_refused";
/// When to ask an upstream again that did not say it.
const ASK_AGAIN: Duration = Duration::from_secs(5);
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
