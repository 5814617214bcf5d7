//! `/security/users`: people with an account, for internal services. What stands for a password is in no answer.

use std::sync::Arc;

use hyper::Method;
use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, call, json};
use super::super::{Dialect, Response, Routes, any};
use crate::domain::Appliance;
use crate::domain::users::{self, Account};
use crate::kernel::UserId;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Security, route);
    any([warp::path!("users" / UserId)
        .and(call("/security/users/{userId}"))
        .then(read)
        .boxed()])
}

/// `GET /security/users/{userId}`: everything about one of them.
async fn read(id: UserId, call: Call) -> Response {
    if call.method != Method::GET {
        return call.not_allowed("GET");
    }
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let account = users::read(cx, &caller, &id)?;
        json(&Shown::of(&account))
    })
    .await
}

/// The published schema `User`, without `password`, and without the members that nobody here has: `personalDataEntityId`,
/// and the ends of an account and its password, which end when somebody says so and not by themselves.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the published members")]
struct Shown<'a> {
    id: &'a str,
    locked: bool,
    disabled: bool,
    roles: Vec<&'static str>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<String>,
    version: u64,
    enabled: bool,
    authorities: Vec<Authority>,
    username: &'a str,
    account_non_expired: bool,
    account_non_locked: bool,
    credentials_non_expired: bool,
}

/// The published schema `GrantedAuthority`.
#[derive(Serialize)]
struct Authority {
    authority: &'static str,
}

impl<'a> Shown<'a> {
    fn of(account: &'a Account) -> Self {
        let user = &account.user;
        let roles = user.roles.authorities();
        let authorities = roles.iter().map(|&authority| Authority { authority });
        Self {
            id: user.id.as_str(),
            locked: account.is_locked,
            disabled: user.disabled.is_some(),
            created_at: user.created_at.to_string(),
            last_seen_at: account.last_seen_at.map(|instant| instant.to_string()),
            version: user.version,
            enabled: user.disabled.is_none(),
            authorities: authorities.collect(),
            roles,
            username: &user.name,
            account_non_expired: true,
            account_non_locked: !account.is_locked,
            credentials_non_expired: !user.password_expired,
        }
    }
}
