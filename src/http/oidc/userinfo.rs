//! `/oidc/userinfo`: what a relying party may know of whoever signed in (OpenID Connect Core §5.3).

use std::sync::Arc;

use hyper::Method;
use warp::Filter;

use super::super::call::{Call, call, json};
use super::super::{Dialect, Response, Routes};
use crate::domain::Appliance;
use crate::domain::oidc::user_info;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    warp::path!("oidc" / "userinfo")
        .and(call(on, Dialect::Security, "/oidc/userinfo"))
        .then(userinfo)
        .boxed()
}

/// `GET` and `POST /oidc/userinfo`: the claims of the bearer's user.
async fn userinfo(call: Call) -> Response {
    let is_post = call.method == Method::POST;
    if !is_post && call.method != Method::GET {
        return call.not_allowed("GET, POST");
    }
    call.run(|cx, call| {
        let caller = if is_post {
            call.caller_by_header_or_form(cx)?
        } else {
            call.caller(cx)?
        };
        json(&user_info::of(cx, &caller)?)
    })
    .await
}
