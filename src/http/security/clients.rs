//! `/security/clients`: the clients of an organization. A secret is in the answer that gave it and in no other.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, bare, call, json};
use super::super::json::Object;
use super::super::{Dialect, Problem, Response, Routes, any};
use crate::domain::access::{By, Role, rules};
use crate::domain::clients::{self, Client, Facts, NewClient, OVERLAP_SECONDS_MAX};
use crate::domain::{Appliance, admin};
use crate::kernel::{ClientId, OrgId, Secret};

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Security, route);
    let path = warp::path!("clients" / ..);
    any([
        path.and(warp::path::end())
            .and(call("/security/clients"))
            .then(collection)
            .boxed(),
        path.and(warp::path!(ClientId))
            .and(call("/security/clients/{clientId}"))
            .then(item)
            .boxed(),
        path.and(warp::path!(ClientId / "rotate"))
            .and(call("/security/clients/{clientId}/rotate"))
            .then(rotate)
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

async fn item(id: ClientId, call: Call) -> Response {
    match call.method {
        Method::PUT => update(id, call).await,
        Method::DELETE => delete(id, call).await,
        _ => call.not_allowed("PUT, DELETE"),
    }
}

/// `POST /security/clients`: create a client and show its secret, this once.
async fn create(call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let body = call.json()?;
        let named = body.id("organizationId")?;
        let new = NewClient {
            facts: facts(&body)?,
            ..NewClient::default()
        };
        let organization = rules::organization(&caller, named.as_ref())?;
        let made = clients::register(cx, &By::caller(&caller), organization, &new)?;
        json(&Shown::of(&made.client, made.secret.as_ref()))
    })
    .await
}

/// `GET /security/clients`: those of the caller's organization.
async fn list(call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let all = clients::list(cx, &By::caller(&caller), caller.organization())?;
        let all: Vec<_> = all.iter().map(|client| Shown::of(client, None)).collect();
        json(&all)
    })
    .await
}

/// `PUT /security/clients/{clientId}`: change its description or roles; what is left out stays.
async fn update(id: ClientId, call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let body = call.json()?;
        let (facts, named) = (facts(&body)?, body.id::<OrgId>("organizationId")?);
        let by = By::caller(&caller);
        rules::organization(&caller, named.as_ref())?;
        let client = clients::seen(cx, &by, &id)?;
        if named.is_some_and(|named| named != client.organization) {
            return Err(clients::Error::NotFound.into());
        }
        let client = clients::update(cx, &by, &id, &facts)?;
        json(&Shown::of(&client, None))
    })
    .await
}

/// `DELETE /security/clients/{clientId}`: remove it and end its tokens.
async fn delete(id: ClientId, call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        admin::client::delete(cx, &By::caller(&caller), &id)?;
        Ok(bare(StatusCode::NO_CONTENT))
    })
    .await
}

/// `POST /security/clients/{clientId}/rotate`: give it a new secret and show it, this once. The old one ends at once,
/// unless `overlapSeconds`, which is ours, says otherwise.
async fn rotate(id: ClientId, call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let overlap = overlap(&call.json_or_nothing()?)?;
        let rotated = clients::rotate_secret(cx, &By::caller(&caller), &id, overlap)?;
        json(&Shown::of(&rotated.client, rotated.secret.as_ref()))
    })
    .await
}

fn overlap(body: &Object) -> Result<Duration, Problem> {
    let seconds = body.integer("overlapSeconds")?.unwrap_or(0);
    let seconds = u64::try_from(seconds).ok();
    let fits = seconds.filter(|seconds| *seconds <= OVERLAP_SECONDS_MAX);
    let wrong = || format!("overlapSeconds must be from 0 to {OVERLAP_SECONDS_MAX}");
    fits.map(Duration::from_secs)
        .ok_or_else(|| Problem::bad_request(wrong()))
}

fn facts(body: &Object) -> Result<Facts, Problem> {
    Ok(Facts {
        description: body.text("description")?.map(str::to_owned),
        roles: roles(body)?,
        ..Facts::default()
    })
}

/// What a client can be given here: internal services are made by the operator alone.
const ROLES: [Role; 4] = [
    Role::ClientService,
    Role::Agent,
    Role::Supervisor,
    Role::Admin,
];

fn roles(body: &Object) -> Result<Option<Vec<Role>>, Problem> {
    let Some(names) = body.texts("roles")? else {
        return Ok(None);
    };
    let roles = names.iter().map(|name| {
        let known = ROLES.into_iter().find(|role| role.name() == name);
        known.ok_or_else(|| unknown_role(name))
    });
    roles.collect::<Result<_, _>>().map(Some)
}

fn unknown_role(name: &str) -> Problem {
    let shown: String = name.chars().take(SHOWN_MAX).collect();
    let valid = ROLES.map(Role::name).join(", ");
    Problem::bad_request(format!("roles has {shown:?}; valid are {valid}"))
}

/// Longer than any role, and short enough to be read.
const SHOWN_MAX: usize = 40;

/// The published schema `ClientResponseValue`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    description: &'a str,
    roles: Vec<&'static str>,
}

impl<'a> Shown<'a> {
    fn of(client: &'a Client, secret: Option<&'a Secret<String>>) -> Self {
        Self {
            client_id: client.id.as_str(),
            client_secret: secret.map(|secret| secret.expose().as_str()),
            description: &client.description,
            roles: client.roles.shortest_names(),
        }
    }
}
