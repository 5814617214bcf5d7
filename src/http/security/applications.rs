//! `/security/applications`: the integrations of an organization, each caller seeing its own part of their configuration.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use warp::Filter;

use super::super::call::{Call, bare, call, json};
use super::super::json::Object;
use super::super::{Dialect, Problem, Response, Routes, any, pageable};
use crate::domain::Appliance;
use crate::domain::applications::{
    self, Changes, End, Kind, Listing, NewApplication, Seen, SortKey,
};
use crate::kernel::ApplicationId;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Security, route);
    let path = warp::path!("applications" / ..);
    any([
        path.and(warp::path::end())
            .and(call("/security/applications"))
            .then(collection)
            .boxed(),
        path.and(warp::path!(ApplicationId))
            .and(call("/security/applications/{id}"))
            .then(item)
            .boxed(),
    ])
}

async fn collection(call: Call) -> Response {
    match call.method {
        Method::GET => list(call).await,
        Method::POST => create(call).await,
        _ => call.not_allowed("GET, POST"),
    }
}

async fn item(id: ApplicationId, call: Call) -> Response {
    match call.method {
        Method::GET => read(id, call).await,
        Method::PUT => update(id, call).await,
        Method::DELETE => delete(id, call).await,
        _ => call.not_allowed("GET, PUT, DELETE"),
    }
}

/// `POST /security/applications`: create an application.
async fn create(call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let body = call.json()?;
        let new = NewApplication {
            id: body.id("id")?,
            organization: body.id("organizationId")?,
            kind: kind(&body)?,
            config: body.required_members("config")?,
            is_visible: body.choice("visible")?,
            expires_at: body.id("expiresAt")?,
        };
        let made = applications::create(cx, &caller, new)?;
        json(&Created {
            id: made.id.as_str(),
        })
    })
    .await
}

/// `GET /security/applications`: those of the caller's organization, a page at a time.
async fn list(call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let page = pageable::read(&call.params()?, |name| match name {
            "createdAt" => Some(SortKey::CreatedAt),
            "id" => Some(SortKey::Id),
            "type" => Some(SortKey::Kind),
            _ => None,
        })?;
        let listing = Listing {
            skipped: page.skipped,
            limit: page.size,
            order: page.sort,
        };
        let all = applications::list(cx, &caller, &listing)?;
        let all: Vec<_> = all.iter().map(Shown::of).collect();
        json(&all)
    })
    .await
}

/// `GET /security/applications/{id}`: one of them.
async fn read(id: ApplicationId, call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let seen = applications::read(cx, &caller, &id)?;
        json(&Shown::of(&seen))
    })
    .await
}

/// `PUT /security/applications/{id}`: replace its configuration.
async fn update(id: ApplicationId, call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let body = call.json()?;
        let changes = Changes {
            organization: body.id("organizationId")?,
            kind: kind(&body)?,
            config: body.required_members("config")?,
            is_visible: body.choice("visible")?,
            end: end(&body)?,
        };
        applications::update(cx, &caller, &id, changes)?;
        Ok(bare(StatusCode::NO_CONTENT))
    })
    .await
}

/// `DELETE /security/applications/{id}`: delete it.
async fn delete(id: ApplicationId, call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        applications::delete(cx, &caller, &id)?;
        Ok(bare(StatusCode::NO_CONTENT))
    })
    .await
}

/// `null` says that there is none any more, which leaving it out does not.
fn end(body: &Object) -> Result<End, Problem> {
    if body.is_null("expiresAt") {
        return Ok(End::Never);
    }
    Ok(body.id("expiresAt")?.map_or(End::Kept, End::At))
}

fn kind(body: &Object) -> Result<Kind, Problem> {
    Kind::named(body.required_text("type")?).ok_or_else(|| {
        Problem::bad_request(
            "type must be one of GENESYS, STANDALONE_OPENID, TALKDESK_OPENID, NICE_CXONE_OPENID, TEST, SETUP_TEST",
        )
    })
}

/// The published schema `CreateApplicationResponseValue`.
#[derive(Serialize)]
struct Created<'a> {
    id: &'a str,
}

/// The published schema `Application`. `expiresAt` is left out where it has no end.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    version: u64,
    id: &'a str,
    organization_id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    config: &'a Map<String, Value>,
    created_at: String,
    visible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl<'a> Shown<'a> {
    fn of(seen: &'a Seen) -> Self {
        let application = &seen.application;
        Self {
            version: application.version,
            id: application.id.as_str(),
            organization_id: application.organization.as_str(),
            kind: application.kind.name(),
            config: &seen.config,
            created_at: application.created_at.to_string(),
            visible: application.is_visible,
            expires_at: application.expires_at.map(|instant| instant.to_string()),
        }
    }
}
