//! From a request as hyper reads it to one a route may see, and from the route's answer to what is sent.
//!
//! A request is admitted when it is for us, well framed, within its limits and wholly here.

use std::convert::Infallible;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::Service;
use hyper::{HeaderMap, Method, Request, StatusCode, Version};
use hyper_util::service::TowerToHyperService;

use super::access_log::{Entry, Logged, RouteName};
use super::body;
use super::dialect::Dialect;
use super::forwarded::TrustedProxies;
use super::framing::Fault;
use super::headers;
use super::host::AllowedHosts;
use super::limits::Limits;
use super::problem::Problem;
use super::pulse::Pulse;
use super::{Response, Routes};
use crate::kernel::{Entropy, RequestId};

/// Who asked, and under which name the log knows the request: a request extension.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The other end of the connection, or whom a trusted proxy there says it speaks for.
    pub peer: IpAddr,
    /// The request's id, sent back as `x-request-id`.
    pub request: RequestId,
    /// The request's headers, taken out of it so that a route need not copy them.
    pub headers: Arc<HeaderMap>,
    /// Where the route that takes the request notes its template, for the log.
    pub route: RouteName,
}

/// What every connection of a listener has in common.
pub(super) struct House {
    pub(super) routes: Routes,
    pub(super) limits: Limits,
    pub(super) names: AllowedHosts,
    pub(super) proxies: TrustedProxies,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) tls: bool,
}

impl House {
    /// Answers one request of the connection that `pulse` belongs to; with a fault, refuses it for that.
    pub(super) async fn answer(
        self: Arc<Self>,
        peer: IpAddr,
        pulse: Arc<Pulse>,
        request: Request<Incoming>,
        fault: Option<Fault>,
    ) -> Result<hyper::Response<Logged<impl Body<Data = Bytes, Error = warp::Error>>>, Infallible>
    {
        let under_way = pulse.begin();
        let (mut parts, mut body) = request.into_parts();
        let id = RequestId::draw(&*self.entropy);
        let is_head = parts.method == Method::HEAD;
        let peer = self.proxies.caller(peer, &parts.headers);
        let entry = Entry::open(id.clone(), peer, &parts.method, under_way);
        let admitted = match fault {
            Some(fault) => Err(fault.into()),
            None => self.admit(&parts, &mut body).await,
        };
        let mut response = match admitted {
            Ok(whole) => {
                let headers = Arc::new(mem::take(&mut parts.headers));
                let request = id.clone();
                parts.extensions.insert(Arrival {
                    peer,
                    request,
                    headers,
                    route: entry.route(),
                });
                self.route(Request::from_parts(parts, Full::new(whole)))
                    .await
            }
            Err(problem) => self.refuse(&problem, &parts, body, fault).await,
        };
        if is_head {
            leave_content_out(&mut response);
        }
        headers::complete(response.headers_mut(), &id, self.tls);
        Ok(entry.follow(response))
    }

    async fn admit(&self, request: &Parts, body: &mut Incoming) -> Result<Bytes, Problem> {
        self.sizes(request)?;
        self.names.check(request)?;
        body::check(request)?;
        let limit = body::limit(&request.method, request.uri.path());
        body::collect(body, limit, &self.limits).await
    }

    /// hyper bounds a head as a whole; a single line is ours to bound.
    fn sizes(&self, request: &Parts) -> Result<(), Problem> {
        let line = self.limits.header_line;
        let long = request
            .headers
            .iter()
            .any(|(name, value)| name.as_str().len() + value.len() > line);
        let target = request.uri.path_and_query().map_or(0, |p| p.as_str().len());
        if long || target > line {
            return Err(Problem::headers_too_large());
        }
        Ok(())
    }

    async fn route(&self, request: Request<Full<Bytes>>) -> Response {
        let routes = TowerToHyperService::new(warp::service(self.routes.clone()));
        match routes.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    async fn refuse(
        &self,
        problem: &Problem,
        request: &Parts,
        mut body: Incoming,
        fault: Option<Fault>,
    ) -> Response {
        let mut response = Dialect::of_path(request.uri.path()).write(problem);
        // Who has just been too slow is not waited for again.
        let late = problem.status() == StatusCode::REQUEST_TIMEOUT;
        let whole = !late && body::drain(&mut body, request, &self.limits).await;
        // RFC 9112 §9.6: what is left of the request must not be read as the next one.
        if request.version < Version::HTTP_2 && (!whole || fault.is_some()) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        } else if !whole {
            body::discard(body, &self.limits);
        }
        response
    }
}

/// RFC 9110 §9.3.2: an answer to HEAD has no content. Over HTTP/2 hyper would send it, and clients end the stream.
fn leave_content_out(response: &mut Response) {
    let length = response.body().size_hint().exact();
    *response.body_mut() = Response::default().into_body();
    if let Some(length) = length {
        let length = HeaderValue::from(length);
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
}
