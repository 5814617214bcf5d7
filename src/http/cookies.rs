//! Cookies: read from a request, set and cleared in an answer (RFC 6265).
//!
//! All have the `__Host-` prefix: only this host sets them, over TLS, for all of its paths. None is readable by scripts.

use hyper::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

use super::Response;
use crate::kernel::Secret;

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// A browser's session: authorization believes it.
    Session,
    /// Shows that a sign-in is alive, and opens nothing.
    Ping,
    /// A browser somebody has signed in with before.
    Device,
    /// What the tokens in our forms are bound to.
    Form,
    /// The authorization request that waits for somebody to sign in.
    Waiting,
}

impl Cookie {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "__Host-admit-session",
            Self::Ping => "__Host-admit-ping",
            Self::Device => "__Host-admit-device",
            Self::Form => "__Host-admit-form",
            Self::Waiting => "__Host-admit-waiting",
        }
    }

    /// How long the browser keeps it, in seconds; without, until it is closed.
    fn max_age(self) -> Option<u32> {
        match self {
            Self::Device => Some(365 * 86_400),
            Self::Waiting => Some(600),
            Self::Session | Self::Ping | Self::Form => None,
        }
    }

    /// Its value in a request. A name given twice is as good as none: nobody can tell which of them is ours.
    pub(super) fn of(self, headers: &HeaderMap) -> Option<&str> {
        let lines = headers.get_all(COOKIE).iter();
        let lines = lines.filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';'));
        let mut values = pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, value)| *name == self.name() && !value.is_empty());
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// The same answer, setting it. Values are of the base64url alphabet and dots.
    pub(super) fn set(self, response: Response, value: &Secret<String>) -> Response {
        let age = self
            .max_age()
            .map(|seconds| format!("; Max-Age={seconds}"))
            .unwrap_or_default();
        let line = format!("{}={}{ATTRIBUTES}{age}", self.name(), value.expose());
        appended(response, &line)
    }

    /// The same answer, taking it away.
    pub(super) fn clear(self, response: Response) -> Response {
        appended(
            response,
            &format!("{}={ATTRIBUTES}; Max-Age=0", self.name()),
        )
    }
}

const ATTRIBUTES: &str = "; Path=/; Secure; HttpOnly; SameSite=Lax";

fn appended(mut response: Response, line: &str) -> Response {
    if let Ok(mut value) = HeaderValue::try_from(line) {
        value.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::try_from(*line).unwrap());
        }
        Cookie::Session.of(&headers).map(str::to_owned)
    }

    #[test]
    fn a_cookie_is_read_once_and_never_guessed() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(&["a=b; __Host-admit-session=x.y"]), some("x.y"));
        assert_eq!(read(&["a=b", "__Host-admit-session=x=y"]), some("x=y"));
        assert_eq!(
            read(&["__Host-admit-session=x; __Host-admit-session=y"]),
            None
        );
        assert_eq!(read(&["__Host-admit-session=", "admit-session=x"]), None);
        assert_eq!(read(&[]), None);
    }
}
