//! `/auth/v3/openid/userinfo`: who the bearer speaks for, in the words of OpenID Connect.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, call, json};
use super::super::{Dialect, Response, Routes};
use super::userinfo::{UserRole, about_bearer};
use crate::domain::Appliance;
use crate::domain::access::Caller;
use crate::domain::oidc::details::UserDetails;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    warp::path!("openid" / "userinfo")
        .and(call(on, Dialect::AuthV3, "/auth/v3/openid/userinfo"))
        .then(userinfo)
        .boxed()
}

/// `GET /auth/v3/openid/userinfo`: the details of a user, a client or a customer.
async fn userinfo(call: Call) -> Response {
    about_bearer(call, |_, caller, details| {
        json(&OpenIdUserInfo::of(caller, details))
    })
    .await
}

/// The published schema. What names a person needs a scope that covers it; members that do not apply are left out.
#[derive(Serialize)]
struct OpenIdUserInfo<'a> {
    authorities: Vec<UserRole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_center_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dbid: Option<u32>,
    sub: String,
    user_name: &'a str,
    #[serde(flatten)]
    person: Option<Person<'a>>,
}

#[derive(Serialize)]
struct Person<'a> {
    aud: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given_name: Option<&'a str>,
    properties: BTreeMap<&'static str, &'a str>,
}

impl<'a> OpenIdUserInfo<'a> {
    fn of(caller: &'a Caller, details: &'a UserDetails) -> Self {
        let covered = caller.has_scope("openid") || caller.has_scope("*");
        Self {
            authorities: UserRole::of(details),
            contact_center_id: details.contact_center.as_deref(),
            dbid: details.dbid,
            sub: caller.subject().sub(),
            user_name: &details.username,
            person: covered.then(|| Person::of(caller, details)),
        }
    }
}

impl<'a> Person<'a> {
    fn of(caller: &'a Caller, details: &'a UserDetails) -> Self {
        Self {
            aud: caller.client().as_str(),
            email: details.email.as_deref(),
            family_name: details.family_name.as_deref(),
            given_name: details.given_name.as_deref(),
            properties: details.properties().collect(),
        }
    }
}
