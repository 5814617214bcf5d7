//! Serving: sockets, TLS and HTTP on one side, answers in each audience's words on the other.
//!
//! [`listener::serve`] runs the accept loop and hands every request, its body already collected, to warp filters.
//! This is the only folder that names `warp`, `hyper` or `rustls`. It must hold no rule of the business: what an
//! endpoint may do is decided below it.

mod access_log;
mod admission;
mod auth_v3;
mod body;
mod call;
mod connection;
pub mod control;
mod cookies;
mod credentials;
pub mod dialect;
mod form_token;
mod forwarded;
mod framing;
mod fronts;
mod headers;
pub mod host;
mod json;
pub mod limits;
pub mod listener;
mod oauth;
mod oidc;
mod ops;
mod pageable;
mod pages;
pub mod problem;
mod pulse;
mod rtc_api;
mod seats;
mod security;
pub mod tls;

#[cfg(test)]
mod fixture;

use std::sync::Arc;

use warp::Filter;

use crate::domain::Appliance;

pub use access_log::{RouteName, TALKATIVE};
pub use admission::Arrival;
pub use dialect::Dialect;
pub use forwarded::TrustedProxies;
pub use host::AllowedHosts;
pub use limits::Limits;
pub use listener::{Listeners, Served, Settings, serve};
pub use ops::Ops;
pub use problem::Problem;

/// An answer, as warp's filters give it.
pub type Response = warp::reply::Response;

/// All routes of the appliance in one filter.
pub type Routes = warp::filters::BoxedFilter<(Response,)>;

/// Everything the appliance answers. Each audience ends in a catch-all of its own, so that nothing is ever rejected to
/// another; the last one takes what belongs to none.
pub fn routes(on: &Arc<Appliance>) -> Routes {
    routes_with(on, Ops::default())
}

/// The same, with what those who watch the appliance are told.
pub fn routes_with(on: &Arc<Appliance>, ops: Ops) -> Routes {
    let nothing = call::call(on, Dialect::Page, "/").map(|call: call::Call| call.not_found());
    any([
        security::routes(on),
        auth_v3::routes(on),
        oauth::routes(on),
        oidc::routes(on),
        pages::routes(on),
        rtc_api::routes(on),
        ops::routes(on, ops),
        nothing.boxed(),
    ])
}

/// The first of these routes that takes a request. They are joined in pairs and pairs of pairs, because a request pays
/// for every junction on its way, and in a row the first route would lie behind all of them.
fn any<const N: usize>(routes: [Routes; N]) -> Routes {
    let mut row = Vec::from(routes);
    while row.len() > 1 {
        let mut routes = row.into_iter();
        row = Vec::new();
        while let Some(first) = routes.next() {
            row.push(match routes.next() {
                Some(second) => first.or(second).unify().boxed(),
                None => first,
            });
        }
    }
    row.pop().unwrap_or_else(nowhere)
}

fn nowhere() -> Routes {
    warp::any()
        .and_then(|| async { Err::<Response, _>(warp::reject::not_found()) })
        .boxed()
}
