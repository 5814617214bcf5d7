//! Bodies, collected whole before a route sees the request: bounded in size, time and pace (RFC 9110 §6.4).
//!
//! What is refused is still read for a while: a client that is sending would otherwise see its connection reset, and
//! over HTTP/2 lose the answer.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Method, Version};
use tokio::time::{Instant, timeout_at};

use super::limits::Limits;
use super::problem::Problem;

/// The largest body, in bytes, that `path` takes with `method`.
pub(super) fn limit(method: &Method, path: &str) -> usize {
    if method == Method::GET || method == Method::HEAD {
        return 0;
    }
    let wide = WIDE.iter().any(|start| path.starts_with(start));
    if wide { 64 * 1024 } else { 16 * 1024 }
}

/// Refuses from the head alone a body that is encoded, or says itself that it is too large.
pub(super) fn check(request: &Parts) -> Result<(), Problem> {
    let encoded = request
        .headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(Problem::encoded());
    }
    let limit = limit(&request.method, request.uri.path());
    match declared(&request.headers) {
        Some(length) if length > limit => Err(Problem::too_large(limit)),
        _ => Ok(()),
    }
}

/// The whole body, or why not.
pub(super) async fn collect(
    body: &mut Incoming,
    limit: usize,
    limits: &Limits,
) -> Result<Bytes, Problem> {
    let mut pace = Pace::begin(limits);
    let mut whole = Vec::new();
    while let Some(data) = pace.next(body).await? {
        if whole.len() + data.len() > limit {
            return Err(Problem::too_large(limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// Reads and throws away some of a body that was refused. Says whether that was all of it.
pub(super) async fn drain(body: &mut Incoming, request: &Parts, limits: &Limits) -> bool {
    // RFC 9110 §10.1.1: who waits for leave to send needs only the answer; reading would grant that leave.
    let waits = request.version < Version::HTTP_2 && request.headers.contains_key(EXPECT);
    if waits {
        return body.is_end_stream();
    }
    read_away(body, limits).await
}

/// Over HTTP/2 goes on reading what was refused while its answer is on the way: a reset could overtake the answer.
pub(super) fn discard(mut body: Incoming, limits: &Limits) {
    let mut limits = limits.clone();
    limits.drain = limits.drain.saturating_mul(BEHIND_THE_ANSWER);
    tokio::spawn(async move { read_away(&mut body, &limits).await });
}

async fn read_away(body: &mut Incoming, limits: &Limits) -> bool {
    let mut pace = Pace::begin(limits);
    let mut read = 0;
    while read <= limits.drain {
        match pace.next(body).await {
            Ok(Some(data)) => read += data.len(),
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
    body.is_end_stream()
}

const BEHIND_THE_ANSWER: usize = 16;
const WIDE: [&str; 2] = ["/security/ticket", "/security/applications"];

fn declared(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    // More digits than a usize holds is larger than any limit.
    Some(length.parse().unwrap_or(usize::MAX))
}

/// Lets a body take its time, but no more than that.
struct Pace<'a> {
    limits: &'a Limits,
    since: Instant,
    received: usize,
}

impl<'a> Pace<'a> {
    fn begin(limits: &'a Limits) -> Self {
        Self {
            limits,
            since: Instant::now(),
            received: 0,
        }
    }

    /// The next piece, if there is one.
    async fn next(&mut self, body: &mut Incoming) -> Result<Option<Bytes>, Problem> {
        loop {
            let Ok(frame) = timeout_at(self.due(), body.frame()).await else {
                return Err(Problem::too_slow());
            };
            let Some(frame) = frame else {
                return Ok(None);
            };
            let frame = frame.map_err(|_| Problem::bad_request("the body is malformed"))?;
            if let Ok(data) = frame.into_data() {
                self.received += data.len();
                return Ok(Some(data));
            }
        }
    }

    fn due(&self) -> Instant {
        let received = u64::try_from(self.received).unwrap_or(u64::MAX);
        let earned = received * 1_000 / u64::from(self.limits.body_rate.max(1));
        let span = self.limits.body_grace + Duration::from_millis(earned);
        self.since + span.min(self.limits.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_decides_how_large_a_body_may_be() {
        for (method, path, expected) in [
            (Method::GET, "/security/ticket/abc-def", 0),
            (Method::HEAD, "/", 0),
            (Method::POST, "/security/ticket", 65_536),
            (Method::PUT, "/security/applications/a", 65_536),
            (Method::POST, "/security/oauth/token", 16_384),
            (Method::DELETE, "/security/clients/a", 16_384),
        ] {
            assert_eq!(limit(&method, path), expected, "{method} {path}");
        }
    }
}
