//! The Auvious contract under `/security`: its documented operations, and what its clients really call.

mod applications;
mod clients;
mod facades;
mod keys;
mod oauth;
mod otp;
mod tickets;
mod upstream;
mod users;

use std::sync::Arc;

use warp::Filter;

use super::call::{Call, call};
use super::{Dialect, Routes, any};
use crate::domain::Appliance;

/// Every path under `/security`; what none of them takes is a 404 in this contract's words.
pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let rest = call(on, Dialect::Security, "/security").map(|call: Call| call.not_found());
    let all = any([
        oauth::routes(on),
        tickets::routes(on),
        facades::routes(on),
        otp::routes(on),
        applications::routes(on),
        clients::routes(on),
        keys::routes(on),
        upstream::routes(on),
        users::routes(on),
        rest.boxed(),
    ]);
    warp::path("security").and(all).boxed()
}
