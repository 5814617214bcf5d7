//! `/auth/v3/jwt-userinfo`: who the bearer speaks for, as a signed statement in a header.

use std::sync::Arc;

use hyper::header::{ACCESS_CONTROL_EXPOSE_HEADERS, HeaderName, HeaderValue};
use warp::Filter;

use super::super::call::{Call, call, with_header};
use super::super::{Dialect, Problem, Response, Routes};
use super::api_response;
use super::userinfo::about_bearer;
use crate::domain::Appliance;
use crate::domain::oidc::signed_details;
use crate::kernel::{Fault, Secret};

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    warp::path!("jwt-userinfo")
        .and(call(on, Dialect::AuthV3, "/auth/v3/jwt-userinfo"))
        .then(userinfo)
        .boxed()
}

/// `GET /auth/v3/jwt-userinfo`: the details of a user, a client or a customer in `X-GWS-User`.
async fn userinfo(call: Call) -> Response {
    about_bearer(call, |cx, caller, details| {
        let statement = header(&signed_details::of(cx, caller, details)?)?;
        let response = with_header(api_response::done()?, X_GWS_USER, statement);
        let exposed = HeaderValue::from_static("X-GWS-User");
        Ok(with_header(
            response,
            ACCESS_CONTROL_EXPOSE_HEADERS,
            exposed,
        ))
    })
    .await
}

fn header(statement: &Secret<String>) -> Result<HeaderValue, Problem> {
    let text = statement.expose();
    if text.len() > signed_details::LENGTH_MAX {
        return Err(Fault::internal("signed user details are too long for a header").into());
    }
    let mut value = HeaderValue::try_from(text).map_err(|error| {
        Problem::from(Fault::internal("signed user details are no header").because(error))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

const X_GWS_USER: HeaderName = HeaderName::from_static("x-gws-user");
