//! How an upstream can fail, on demand: for our tests, and for evaluators who want to see what a server makes of it.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::sleep;
use warp::http::StatusCode;
use warp::http::header::{HeaderValue, LOCATION, RETRY_AFTER};

use super::Scene;
use super::asked::{Asked, empty, typed};
use crate::http::Response;

/// What is to happen to requests of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The path, without a query.
    pub path: String,
    /// What happens.
    pub kind: Kind,
    /// To how many requests.
    pub times: u32,
    /// `Retry-After` of the answer, in seconds.
    pub retry_after: Option<u32>,
}

/// A way to fail. The request is always read, and in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An answer of this status in the vendor's words, and nothing is done.
    Status(u16),
    /// No answer at all.
    Hang,
    /// The connection ends without an answer; over HTTP/2 the stream does.
    Close,
    /// 200 and a body that only looks like JSON.
    Garbage,
    /// 200 and several MiB of JSON.
    Huge,
    /// 302 to this place, or to a path of the stand-ins that shows in the journal.
    Redirect(Option<String>),
    /// The right answer, this late.
    Slow(Duration),
}

impl Fault {
    /// For the next request of this path.
    pub fn once(path: &str, kind: Kind) -> Self {
        Self {
            path: path.to_owned(),
            kind,
            times: 1,
            retry_after: None,
        }
    }

    /// For the next so many requests.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// With this `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        let retry_after = Some(seconds);
        Self {
            retry_after,
            ..self
        }
    }

    /// What `POST /faults` asks for.
    pub(super) fn asked(asked: &Asked) -> Result<Self, String> {
        let body = asked.json().ok_or("a fault is told in JSON")?;
        let told: Told = serde_json::from_value(body).map_err(|error| error.to_string())?;
        let kind = match told.kind.as_str() {
            "status" => {
                let status = told.status.filter(|status| (200..600).contains(status));
                Kind::Status(status.ok_or("`status` must be from 200 to 599")?)
            }
            "hang" => Kind::Hang,
            "close" => Kind::Close,
            "garbage" => Kind::Garbage,
            "huge" => Kind::Huge,
            "redirect" => Kind::Redirect(told.location),
            "slow" => Kind::Slow(Duration::from_secs(told.seconds.unwrap_or(LATE).into())),
            _ => return Err(KINDS.to_owned()),
        };
        Ok(Self {
            path: told.path,
            kind,
            times: told.times.unwrap_or(1),
            retry_after: told.retry_after,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Told {
    path: String,
    kind: String,
    status: Option<u16>,
    times: Option<u32>,
    retry_after: Option<u32>,
    seconds: Option<u32>,
    location: Option<String>,
}

/// The faults that are still to happen.
#[derive(Default)]
pub(super) struct Faults(VecDeque<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        if self.0.len() < AT_MOST {
            self.0.push_back(fault);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What is to happen to this request.
    pub(super) fn take(&mut self, path: &str) -> Option<Fault> {
        self.0.retain(|fault| fault.times > 0);
        let fault = self.0.iter_mut().find(|fault| fault.path == path)?;
        fault.times -= 1;
        Some(fault.clone())
    }
}

/// Lets a fault happen; without an answer the request is to be answered as ever.
pub(super) async fn happen(scene: &Scene, asked: &Asked, fault: Fault) -> Option<Response> {
    let ok = |body| typed(StatusCode::OK, "application/json", body);
    let mut response = match fault.kind {
        Kind::Status(status) => scene.refuse(&asked.path, StatusCode::from_u16(status).ok()?),
        Kind::Hang => std::future::pending().await,
        // Ends the task that serves the connection, and nothing else: it is the one way to leave without an answer
        // that needs no door for it in the listener. Unlike a panic it is not reported.
        Kind::Close => resume_unwind(Box::new("told to close the connection")),
        Kind::Garbage => ok("{\"access_token\": \"eyJ, <html>".to_owned()),
        Kind::Huge => ok(format!("{{\"padding\":\"{}\"}}", "x".repeat(HUGE))),
        Kind::Redirect(location) => {
            let location = location.unwrap_or_else(|| format!("{}{ELSEWHERE}", scene.origin));
            let mut response = empty(StatusCode::FOUND);
            let location = HeaderValue::try_from(location).ok()?;
            response.headers_mut().insert(LOCATION, location);
            response
        }
        Kind::Slow(late) => {
            sleep(late).await;
            return None;
        }
    };
    if let Some(seconds) = fault.retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Some(response)
}

const AT_MOST: usize = 100;
const LATE: u32 = 2;
const HUGE: usize = 4 * 1024 * 1024;
const ELSEWHERE: &str = "/elsewhere";
const KINDS: &str = "`kind` must be status, hang, close, garbage, huge, redirect or slow";
