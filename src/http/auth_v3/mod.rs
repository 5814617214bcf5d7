//! The Genesys contract under `/auth/v3`.

mod api_response;
mod change_password;
mod jwt_userinfo;
mod openid_userinfo;
mod ops_clients;
mod session;
mod sign_in;
mod userinfo;

use std::sync::Arc;

use warp::Filter;

use super::call::{Call, call};
use super::{Dialect, Routes, any, fronts, oidc};
use crate::domain::{Appliance, Front};

/// Every path under `/auth/v3`; what none of them takes is a 404 in this contract's words.
pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let rest = call(on, Dialect::AuthV3, "/auth/v3").map(|call: Call| call.not_found());
    // Those that are asked most stand first.
    let all = any([
        userinfo::routes(on),
        session::routes(on),
        fronts::routes(on, Front::AuthV3),
        openid_userinfo::routes(on),
        jwt_userinfo::routes(on),
        change_password::routes(on),
        sign_in::routes(on),
        ops_clients::routes(on),
        oidc::routes_of_auth_v3(on),
        rest.boxed(),
    ]);
    warp::path!("auth" / "v3" / ..).and(all).boxed()
}
