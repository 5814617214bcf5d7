//! `/security/otp`: have a one-time code sent, and check it.

use std::sync::Arc;

use hyper::header::{AUTHORIZATION, HeaderName};
use hyper::{Method, StatusCode};
use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, bare, call, json};
use super::super::{Dialect, Problem, Response, Routes, any};
use crate::domain::access::Caller;
use crate::domain::otp::{self, Ask, Asker, Claim};
use crate::domain::{Appliance, Cx};

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Security, route);
    let path = warp::path!("otp" / ..);
    any([
        path.and(warp::path::end())
            .and(call("/security/otp"))
            .then(request)
            .boxed(),
        path.and(warp::path!("verify"))
            .and(call("/security/otp/verify"))
            .then(verify)
            .boxed(),
    ])
}

/// `POST /security/otp`: have a code sent.
async fn request(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run(|cx, call| {
        let caller = bearer(cx, call)?;
        let asker = asker(call, caller.as_deref())?;
        let body = call.json()?;
        let ask = Ask {
            to: body.required_text("to")?,
            channel: body.text("channel")?,
            custom_name: body.text("customName")?,
            locale: body.text("locale")?,
        };
        let id = otp::request(cx, &asker, &ask)?;
        json(&OtpRequestResult { id: id.as_str() })
    })
    .await
}

/// `POST /security/otp/verify`: check one.
async fn verify(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run(|cx, call| {
        let caller = bearer(cx, call)?;
        let asker = asker(call, caller.as_deref())?;
        let body = call.json()?;
        let claim = Claim {
            to: body.required_text("to")?,
            code: body.required_text("code")?,
            verification: body.required_text("verificationId")?,
        };
        otp::verify(cx, &asker, &claim)?;
        Ok(bare(StatusCode::NO_CONTENT))
    })
    .await
}

/// Whoever the bearer speaks for; nobody where a bearer is not asked for. One that is presented must be good.
fn bearer(cx: &Cx<'_>, call: &Call) -> Result<Option<Arc<Caller>>, Problem> {
    if otp::is_open_to_strangers(cx) && call.header(AUTHORIZATION).is_none() {
        return Ok(None);
    }
    call.caller(cx).map(Some)
}

/// Who asks, for the application that is named.
fn asker<'a>(call: &Call, caller: Option<&'a Caller>) -> Result<Asker<'a>, Problem> {
    let named = call.header(APPLICATION).map(str::parse).transpose();
    let application =
        named.map_err(|error| Problem::bad_request(format!("X-ApplicationId {error}")))?;
    Ok(Asker {
        caller,
        application,
    })
}

const APPLICATION: HeaderName = HeaderName::from_static("x-applicationid");

/// The published schema `OtpRequestResult`.
#[derive(Serialize)]
struct OtpRequestResult<'a> {
    id: &'a str,
}
