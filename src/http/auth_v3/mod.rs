//! The Genesys contract under `/auth/v3`.

mod userinfo;

use std::sync::Arc;

use warp::Filter;

use super::call::{Call, call};
use super::{Dialect, Routes, any, fronts};
use crate::domain::{Appliance, Front};

/// Every path under `/auth/v3`; what none of them takes is a 404 in this contract's words.
pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let rest = call(on, Dialect::AuthV3, "/auth/v3").map(|call: Call| call.not_found());
    let all = any([
        userinfo::routes(on),
        fronts::routes(on, Front::AuthV3),
        rest.boxed(),
    ]);
    warp::path!("auth" / "v3" / ..).and(all).boxed()
}
