//! A request as the imitations read it, and the plain answers they share.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use warp::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use warp::http::{HeaderMap, Method, StatusCode};

use crate::http::Response;
use crate::kernel::json;

/// A request, whole.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Arc<HeaderMap>,
    pub(super) body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: impl warp::http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What comes after this scheme in the `Authorization` header.
    fn authorization(&self, scheme: &str) -> Option<&str> {
        let (given, rest) = self.header(AUTHORIZATION)?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    /// The bearer token, if one is presented.
    pub(super) fn bearer(&self) -> Option<&str> {
        self.authorization("Bearer")
    }

    /// The client's id and secret: from a Basic header, or else from the form (RFC 6749 §2.3.1).
    pub(super) fn client(&self) -> Option<(String, String)> {
        self.basic().or_else(|| {
            let form = self.form()?;
            let secret = form.value("client_secret").unwrap_or_default();
            Some((form.value("client_id")?.to_owned(), secret.to_owned()))
        })
    }

    /// The client's id and secret from a Basic header, as they stand there.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        let decoded = STANDARD.decode(self.authorization("Basic")?).ok()?;
        let decoded = String::from_utf8(decoded).ok()?;
        let (id, secret) = decoded.split_once(':')?;
        Some((id.to_owned(), secret.to_owned()))
    }

    fn media_type(&self) -> &str {
        let given = self.header(CONTENT_TYPE).unwrap_or_default();
        given.split(';').next().unwrap_or_default().trim()
    }

    /// The body as a form, if it says that it is one.
    pub(super) fn form(&self) -> Option<Pairs> {
        let form = "application/x-www-form-urlencoded";
        let is_form = self.media_type().eq_ignore_ascii_case(form);
        is_form.then(|| Pairs::of(&self.body))
    }

    /// The body as JSON, if it says that it is and can be read.
    pub(super) fn json(&self) -> Option<Value> {
        let is_json = self.media_type().eq_ignore_ascii_case("application/json");
        json::parse(&self.body).ok().filter(|_| is_json)
    }

    /// What the query says.
    pub(super) fn params(&self) -> Pairs {
        Pairs::of(self.query.as_bytes())
    }
}

/// Names and values in the order they were given.
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl Pairs {
    fn of(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of this name that is not empty.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(given, _)| given == name);
        let value = named.find(|(_, value)| !value.is_empty());
        value.map(|(_, value)| value.as_str())
    }
}

/// An answer in JSON.
pub(super) fn answer(status: StatusCode, value: &Value) -> Response {
    typed(status, "application/json", value.to_string())
}

/// An answer of this media type.
pub(super) fn typed(status: StatusCode, media_type: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// An answer without content.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// An error of a token endpoint (RFC 6749 §5.2).
pub(super) fn oauth_error(status: StatusCode, error: &str, description: &str) -> Response {
    let body = json!({ "error": error, "error_description": description });
    answer(status, &body)
}
