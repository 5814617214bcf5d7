//! One line per request, written when its answer has been handed over or given up.
//!
//! It names the route's template, never the path: ticket ids stand in paths. It never shows a query or a header.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::{Method, Response, StatusCode};
use tokio::time::Instant;

use super::ops::metrics;
use super::pulse::UnderWay;
use crate::kernel::RequestId;

/// Where a request's route notes its template, such as `/security/ticket/{id}`, as soon as the path has matched: whoever
/// does not wait for the answer should be seen in the log with what took so long.
#[derive(Debug, Clone, Default)]
pub struct RouteName(Arc<OnceLock<&'static str>>);

impl RouteName {
    /// Notes the template. The first one stays.
    pub fn is(&self, template: &'static str) {
        let _ = self.0.set(template);
    }

    fn known(&self) -> &'static str {
        self.0.get().copied().unwrap_or("-")
    }
}

/// Libraries that show paths, queries or headers when they are asked for detail; a filter of the log must end with
/// these directives, whatever an operator asks for.
pub const TALKATIVE: &str =
    "warp=info,hyper=info,hyper_util=info,h2=info,reqwest=info,rustls=info,sled=info";

/// A request from its arrival to the last byte of its answer; logs itself when dropped.
pub(super) struct Entry {
    request: RequestId,
    peer: IpAddr,
    method: &'static str,
    route: RouteName,
    status: Option<StatusCode>,
    bytes: u64,
    since: Instant,
    under_way: UnderWay,
}

impl Entry {
    pub(super) fn open(
        request: RequestId,
        peer: IpAddr,
        method: &Method,
        under_way: UnderWay,
    ) -> Self {
        Self {
            request,
            peer,
            method: known(method),
            route: RouteName::default(),
            status: None,
            bytes: 0,
            since: Instant::now(),
            under_way,
        }
    }

    /// Where the request's route is to be noted.
    pub(super) fn route(&self) -> RouteName {
        self.route.clone()
    }

    /// The answer, which takes this entry along and closes it with its last byte.
    pub(super) fn follow<B>(mut self, response: Response<B>) -> Response<Logged<B>> {
        self.status = Some(response.status());
        self.under_way.answering();
        response.map(|body| Logged { body, entry: self })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let took = self.since.elapsed();
        let route = self.route.known();
        metrics::request(self.method, route, self.status, took);
        tracing::info!(
            request = self.request.as_str(),
            peer = %self.peer,
            method = self.method,
            route,
            // As nginx writes it: the client was gone before there was an answer.
            status = self.status.map_or(499, |status| status.as_u16()),
            bytes = self.bytes,
            ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

/// An answer's body that counts what is taken of it.
pub(super) struct Logged<B> {
    body: B,
    entry: Entry,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Logged<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let taken = frame.data_ref().map_or(0, Bytes::len);
            self.entry.bytes += u64::try_from(taken).unwrap_or(0);
            self.entry.under_way.answering();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A method is any token the client likes; only the registered ones are worth a line.
fn known(method: &Method) -> &'static str {
    const KNOWN: [(Method, &str); 7] = [
        (Method::GET, "GET"),
        (Method::HEAD, "HEAD"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::PATCH, "PATCH"),
        (Method::DELETE, "DELETE"),
        (Method::OPTIONS, "OPTIONS"),
    ];
    KNOWN
        .iter()
        .find(|(each, _)| each == method)
        .map_or("-", |(_, name)| name)
}
