//! How a [`Problem`] is written for each audience.
//!
//! Both ways carry `error` and `error_description` as RFC 6749 §5.2 has them; `/auth/v3` adds the `status` object its
//! contract publishes.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA};
use serde::Serialize;

use super::Response;
use super::problem::Problem;

/// An audience, and the shape of the errors it expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The Security API and everything that is not published elsewhere.
    Security,
    /// The API under `/auth/v3`.
    AuthV3,
    /// Pages: a page for whoever can read one, and the words of the Security API for programs.
    Page,
}

impl Dialect {
    /// The dialect spoken at `path`.
    pub fn of_path(path: &str) -> Self {
        match path.strip_prefix("/auth/v3") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Self::AuthV3,
            _ => Self::Security,
        }
    }

    /// Writes `problem` as an answer.
    pub fn write(self, problem: &Problem) -> Response {
        let status = match self {
            Self::Security | Self::Page => None,
            Self::AuthV3 => Some(Status {
                code: auth_v3_code(problem.status()),
                message: problem.description(),
            }),
        };
        let body = Body {
            error: problem.error(),
            error_description: problem.description(),
            scope: problem.scope(),
            status,
        };
        // Strings and numbers always serialise; an empty body would be the honest rest.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(body.into());
        *response.status_mut() = problem.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        for (name, value) in problem.headers() {
            headers.append(name, value.clone());
        }
        response
    }
}

/// Wire: an error of either API.
#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
}

/// Wire: the status object of `/auth/v3`.
#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    message: &'a str,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF-8");

fn auth_v3_code(status: StatusCode) -> u16 {
    match status {
        StatusCode::UNAUTHORIZED => 520,
        StatusCode::FORBIDDEN => 603,
        other => other.as_u16(),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn written(dialect: Dialect, status: StatusCode) -> String {
        let response = dialect.write(&Problem::new(status, "access_denied", "not \"you\""));
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()[CONTENT_TYPE], JSON);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[PRAGMA], "no-cache");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn each_audience_is_told_in_its_own_shape() {
        assert_eq!(
            written(Dialect::Security, StatusCode::UNAUTHORIZED).await,
            r#"{"error":"access_denied","error_description":"not \"you\""}"#
        );
        for (status, code) in [
            (StatusCode::UNAUTHORIZED, 520),
            (StatusCode::FORBIDDEN, 603),
            (StatusCode::NOT_FOUND, 404),
        ] {
            let expected = format!(
                r#"{{"error":"access_denied","error_description":"not \"you\"","status":{{"code":{code},"message":"not \"you\""}}}}"#
            );
            assert_eq!(written(Dialect::AuthV3, status).await, expected);
        }
    }

    #[test]
    fn a_path_decides_by_whole_segments() {
        for (path, dialect) in [
            ("/auth/v3", Dialect::AuthV3),
            ("/auth/v3/oauth/token", Dialect::AuthV3),
            ("/auth/v31", Dialect::Security),
            ("/security/ticket", Dialect::Security),
            ("*", Dialect::Security),
        ] {
            assert_eq!(Dialect::of_path(path), dialect, "{path}");
        }
    }
}
