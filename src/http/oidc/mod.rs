//! What standard OAuth and OpenID Connect software looks for: `/.well-known` and `/oidc`.

mod logout;
mod metadata;
mod page;
mod userinfo;

use std::sync::Arc;

use hyper::Method;
use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue};
use serde::Serialize;
use warp::Filter;

use super::call::{Call, cached, call, json, with_header};
use super::{Dialect, Response, Routes, any};
use crate::crypto::jwk::Jwk;
use crate::domain::Appliance;
use crate::domain::signing::KEY_SET_SECONDS;

/// What stands below our own address.
pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let keys = warp::path!(".well-known" / "jwks.json")
        .and(call(on, Dialect::Security, "/.well-known/jwks.json"))
        .then(jwks);
    any([
        userinfo::routes(on),
        keys.map(for_any_origin).boxed(),
        metadata::routes(on).map(for_any_origin).boxed(),
        logout::routes(on),
    ])
}

/// What stands below the address of contract B, which is an issuer of its own.
pub(super) fn routes_of_auth_v3(on: &Arc<Appliance>) -> Routes {
    let metadata = metadata::routes_of_auth_v3(on);
    metadata.map(for_any_origin).boxed()
}

/// The same answer, which a script of any site may read: it is public, and no cookie or token changes it.
fn for_any_origin(response: Response) -> Response {
    let any = HeaderValue::from_static("*");
    with_header(response, ACCESS_CONTROL_ALLOW_ORIGIN, any)
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
