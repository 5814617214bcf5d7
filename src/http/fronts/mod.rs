//! The token and authorization endpoints, once for both contracts: each audience mounts them under its own prefix, and
//! its [`Front`] and [`Dialect`] are all that differs.

mod authorize;
mod token;

use std::sync::Arc;

use warp::Filter;

use super::call::call;
use super::{Dialect, Routes, any};
use crate::domain::{Appliance, Front};

pub(super) use authorize::{answered, refused};

/// `oauth/token` and `oauth/authorize` of one front.
pub(super) fn routes(on: &Arc<Appliance>, front: Front) -> Routes {
    let (dialect, [token, authorize]) = match front {
        Front::Security => (
            Dialect::Security,
            ["/security/oauth/token", "/security/oauth/authorize"],
        ),
        Front::AuthV3 => (
            Dialect::AuthV3,
            ["/auth/v3/oauth/token", "/auth/v3/oauth/authorize"],
        ),
    };
    any([
        warp::path!("oauth" / "token")
            .and(call(on, dialect, token))
            .then(move |call| token::token(call, front))
            .boxed(),
        warp::path!("oauth" / "authorize")
            .and(call(on, dialect, authorize))
            .then(move |call| authorize::authorize(call, front))
            .boxed(),
    ])
}
