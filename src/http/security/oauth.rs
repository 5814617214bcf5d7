//! `/security/oauth`: undocumented, and where every client of contract A starts.

use std::sync::Arc;

use hyper::Method;
use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, call, json};
use super::super::{Dialect, Response, Routes, any, fronts};
use crate::domain::{Appliance, Front};

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Security, route);
    any([
        fronts::routes(on, Front::Security),
        warp::path!("oauth" / "token_key")
            .and(call("/security/oauth/token_key"))
            .then(token_key)
            .boxed(),
    ])
}

/// `GET /security/oauth/token_key`: the public key of our access tokens, as contract A's readers ask for it.
async fn token_key(call: Call) -> Response {
    if call.method != Method::GET {
        return call.not_allowed("GET");
    }
    let on = call.on();
    call.run(|_, _| {
        let key = on.signing().usual();
        let body = TokenKey {
            alg: key.algorithm().name(),
            kid: key.kid(),
            value: key.public_pem()?,
        };
        // It shows one key and so cannot show the next: a kept answer would outlive a rotation.
        json(&body)
    })
    .await
}

#[derive(Serialize)]
struct TokenKey<'a> {
    alg: &'a str,
    kid: &'a str,
    value: String,
}
