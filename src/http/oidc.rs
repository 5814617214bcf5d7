//! `/.well-known`: what standard OAuth and OpenID Connect software looks for.

use std::sync::Arc;

use hyper::Method;
use serde::Serialize;
use warp::Filter;

use super::call::{Call, cached, call, json};
use super::{Dialect, Response, Routes};
use crate::crypto::jwk::Jwk;
use crate::domain::Appliance;
use crate::domain::signing::KEY_SET_SECONDS;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    warp::path!(".well-known" / "jwks.json")
        .and(call(on, Dialect::Security, "/.well-known/jwks.json"))
        .then(jwks)
        .boxed()
}

/// `GET /.well-known/jwks.json`: the public keys of our tokens (RFC 7517 §5).
async fn jwks(call: Call) -> Response {
    if call.method != Method::GET {
        return call.not_allowed("GET");
    }
    let on = call.on();
    call.run(|_, _| {
        let keys = on.signing().published();
        let keys = keys.iter().map(|key| PublishedKey {
            jwk: &key.jwk,
            kid: &key.kid,
            alg: key.algorithm.name(),
            usage: "sig",
        });
        Ok(cached(
            json(&JwkSet {
                keys: keys.collect(),
            })?,
            KEY_SET_SECONDS,
        ))
    })
    .await
}

#[derive(Serialize)]
struct JwkSet<'a> {
    keys: Vec<PublishedKey<'a>>,
}

#[derive(Serialize)]
struct PublishedKey<'a> {
    #[serde(flatten)]
    jwk: &'a Jwk,
    kid: &'a str,
    alg: &'a str,
    #[serde(rename = "use")]
    usage: &'a str,
}
