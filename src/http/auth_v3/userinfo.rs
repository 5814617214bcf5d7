//! `/auth/v3/userinfo`: who the bearer speaks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, call, json};
use super::super::{Dialect, Problem, Response, Routes};
use crate::domain::access::Caller;
use crate::domain::oidc::details::{self, UserDetails};
use crate::domain::{Appliance, Cx};

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    warp::path!("userinfo")
        .and(call(on, Dialect::AuthV3, "/auth/v3/userinfo"))
        .then(userinfo)
        .boxed()
}

/// `GET /auth/v3/userinfo`: the details of a user, a client or a customer.
async fn userinfo(call: Call) -> Response {
    about_bearer(call, |_, _, details| json(&CloudUserDetails::from(details))).await
}

/// A `GET` that tells whom the bearer speaks for, in one form or another.
pub(super) async fn about_bearer(
    call: Call,
    tell: impl FnOnce(&Cx<'_>, &Caller, &UserDetails) -> Result<Response, Problem>,
) -> Response {
    if call.method != Method::GET {
        return call.not_allowed("GET");
    }
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        tell(cx, &caller, &details::of(cx, &caller)?)
    })
    .await
}

/// The published schema. Members that do not apply are left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CloudUserDetails<'a> {
    authorities: Vec<UserRole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cme_user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_center_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dbid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_name: Option<&'a str>,
    properties: BTreeMap<&'a str, &'a str>,
    username: &'a str,
}

/// The published schema of a role. We know of none finer.
#[derive(Serialize)]
pub(super) struct UserRole {
    name: &'static str,
    privileges: [&'static str; 0],
}

impl UserRole {
    /// The roles of these details.
    pub(super) fn of(details: &UserDetails) -> Vec<Self> {
        let role = |name: &&'static str| Self {
            name,
            privileges: [],
        };
        details.authorities.iter().map(role).collect()
    }
}

impl<'a> From<&'a UserDetails> for CloudUserDetails<'a> {
    fn from(details: &'a UserDetails) -> Self {
        Self {
            authorities: UserRole::of(details),
            cme_user_name: details.login_name.as_deref(),
            contact_center_id: details.contact_center.as_deref(),
            dbid: details.dbid,
            login_name: details.login_name.as_deref(),
            properties: details.properties().collect(),
            username: &details.username,
        }
    }
}
