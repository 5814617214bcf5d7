//! What those who watch the appliance ask it: whether it lives, whether it is ready, and its figures.
//!
//! Liveness and readiness are anybody's, and say nothing of anybody's business. The figures are for the addresses the
//! operator names; for all others there is nothing at their path.

pub(super) mod metrics;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde::Serialize;
use warp::Filter;

use super::call::{Call, call, json, with_header};
use super::tls::Certificate;
use super::{Dialect, Response, Routes, any};
use crate::domain::{Appliance, health};
use crate::kernel::{AddressRange, Timestamp};

/// What only whoever started the server knows of it.
#[derive(Clone)]
pub struct Ops {
    /// Who may read the figures.
    pub metrics_for: Vec<AddressRange>,
    /// Set when the server is about to leave, so that it is sent no more requests.
    pub is_leaving: Arc<AtomicBool>,
    /// The folder on whose file system there must be room.
    pub data: PathBuf,
    /// The certificate it serves with, if it does.
    pub certificate: Option<Arc<Certificate>>,
    /// Tells when the newest backup that was verified was made.
    pub backup: Arc<dyn Fn() -> Option<Timestamp> + Send + Sync>,
}

impl Default for Ops {
    fn default() -> Self {
        Self {
            metrics_for: AddressRange::LOOPBACK.to_vec(),
            is_leaving: Arc::default(),
            data: PathBuf::from("."),
            certificate: None,
            backup: Arc::new(|| None),
        }
    }
}

pub(super) fn routes(on: &Arc<Appliance>, ops: Ops) -> Routes {
    metrics::watch(on);
    let ops = Arc::new(ops);
    let (for_ready, for_metrics) = (Arc::clone(&ops), ops);
    let call = |route| call(on, Dialect::Page, route);
    any([
        warp::path!("health" / "live")
            .and(call("/health/live"))
            .then(live)
            .boxed(),
        warp::path!("health" / "ready")
            .and(call("/health/ready"))
            .then(move |call| ready(call, Arc::clone(&for_ready)))
            .boxed(),
        warp::path!("metrics")
            .and(call("/metrics"))
            .then(move |call| figures(call, Arc::clone(&for_metrics)))
            .boxed(),
    ])
}

/// `GET /health/live`: an answer at all is the answer.
async fn live(call: Call) -> Response {
    if call.method != Method::GET {
        return call.not_allowed("GET");
    }
    call.run(|_, _| json(&Health { status: "live" })).await
}

/// `GET /health/ready`: whether requests should come this way, and in words why not.
async fn ready(call: Call, ops: Arc<Ops>) -> Response {
    if call.method != Method::GET {
        return call.not_allowed("GET");
    }
    call.run(|_, call| {
        let mut why = health::troubles(&call.on());
        if ops.is_leaving.load(Ordering::Relaxed) {
            why.push("it is stopping".to_owned());
        }
        if why.is_empty() {
            return json(&Health { status: "ready" });
        }
        let mut response = json(&Unready {
            status: "not ready",
            error: "temporarily_unavailable",
            error_description: why.join("; "),
            why,
        })?;
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        Ok(response)
    })
    .await
}

/// `GET /metrics`: the figures, in the text form Prometheus reads.
async fn figures(call: Call, ops: Arc<Ops>) -> Response {
    if !may_read(&call, &ops) {
        return call.not_found();
    }
    if call.method != Method::GET {
        return call.not_allowed("GET");
    }
    call.run(|_, call| {
        let text = metrics::text(&call.on(), &ops)?;
        let response = Response::new(text.into());
        let kind = HeaderValue::from_static(metrics::CONTENT);
        Ok(with_header(response, CONTENT_TYPE, kind))
    })
    .await
}

/// Whoever comes through a proxy that is not known as one has the proxy's address, and is a stranger.
fn may_read(call: &Call, ops: &Ops) -> bool {
    let peer = call.peer();
    let is_passed_on = PASSED_ON
        .iter()
        .any(|name| call.header(name.clone()).is_some());
    ops.metrics_for.iter().any(|range| range.has(peer)) && !(peer.is_loopback() && is_passed_on)
}

const PASSED_ON: [HeaderName; 3] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("via"),
];

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// With the members that every refusal of ours has.
#[derive(Serialize)]
struct Unready {
    status: &'static str,
    error: &'static str,
    error_description: String,
    why: Vec<String>,
}
