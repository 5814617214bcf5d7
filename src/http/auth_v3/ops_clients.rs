//! `/auth/v3/ops/clients`: an organization's clients, as the vendor's scripts register them: with the name and password
//! of an administrator.

use std::sync::Arc;

use hyper::Method;
use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, call};
use super::super::cookies::Cookie;
use super::super::form_token;
use super::super::json::Object;
use super::super::{Dialect, Problem, Response, Routes, any};
use super::api_response;
use crate::domain::access::{By, Role, Subject};
use crate::domain::clients::{self, Client, DEFAULT_SCOPES, Facts, GrantType, NewClient};
use crate::domain::sign_in::password::{self, Attempt};
use crate::domain::users::User;
use crate::domain::{Appliance, Cx, admin};
use crate::kernel::{ClientId, Secret};

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::AuthV3, route);
    let path = warp::path!("ops" / "clients" / ..);
    any([
        path.and(warp::path::end())
            .and(call("/auth/v3/ops/clients"))
            .then(collection)
            .boxed(),
        path.and(warp::path!(ClientId))
            .and(call("/auth/v3/ops/clients/{client_id}"))
            .then(item)
            .boxed(),
    ])
}

async fn collection(call: Call) -> Response {
    match call.method {
        Method::GET => call.run_slow(list).await,
        Method::POST => call.run_slow(create).await,
        _ => call.not_allowed("GET, POST"),
    }
}

async fn item(id: ClientId, call: Call) -> Response {
    match call.method {
        Method::GET => call.run_slow(move |cx, call| read(cx, call, &id)).await,
        Method::PUT => call.run_slow(move |cx, call| update(cx, call, &id)).await,
        Method::DELETE => call.run_slow(move |cx, call| delete(cx, call, &id)).await,
        _ => call.not_allowed("GET, PUT, DELETE"),
    }
}

/// `GET /auth/v3/ops/clients`: every client of the administrator's organization.
fn list(cx: &Cx<'_>, call: &Call) -> Result<Response, Problem> {
    let user = administrator(cx, call)?;
    let all = clients::list(cx, &by(&user), &user.organization)?;
    let all: Vec<_> = all.iter().map(|client| Shown::of(client, None)).collect();
    api_response::with_data(all)
}

/// `POST /auth/v3/ops/clients`: register one. Its secret is shown here and never again.
fn create(cx: &Cx<'_>, call: &Call) -> Result<Response, Problem> {
    let user = administrator(cx, call)?;
    let data = call.json()?.required_object("data")?;
    let new = NewClient {
        shared: false,
        id: data.id("client_id")?,
        public: is_public(&data)?.unwrap_or(false),
        facts: facts(&data)?,
    };
    let made = clients::register(cx, &by(&user), &user.organization, &new)?;
    api_response::with_data(Shown::of(&made.client, made.secret.as_ref()))
}

/// `GET /auth/v3/ops/clients/{client_id}`: one of them.
fn read(cx: &Cx<'_>, call: &Call, id: &ClientId) -> Result<Response, Problem> {
    let user = administrator(cx, call)?;
    let client = clients::seen(cx, &by(&user), id)?;
    api_response::with_data(Shown::of(&client, None))
}

/// `PUT /auth/v3/ops/clients/{client_id}`: change it. What is left out stays.
fn update(cx: &Cx<'_>, call: &Call, id: &ClientId) -> Result<Response, Problem> {
    let user = administrator(cx, call)?;
    let data = call.json()?.required_object("data")?;
    let facts = facts(&data)?;
    let client = clients::seen(cx, &by(&user), id)?;
    if data
        .id::<ClientId>("client_id")?
        .is_some_and(|named| named != *id)
    {
        return Err(Problem::bad_request("client_id cannot be changed"));
    }
    if is_public(&data)?.is_some_and(|public| public != client.is_public()) {
        return Err(Problem::bad_request("clientType cannot be changed"));
    }
    let client = clients::update(cx, &by(&user), id, &facts)?;
    api_response::with_data(Shown::of(&client, None))
}

/// `DELETE /auth/v3/ops/clients/{client_id}`: remove it and end its tokens.
fn delete(cx: &Cx<'_>, call: &Call, id: &ClientId) -> Result<Response, Problem> {
    let user = administrator(cx, call)?;
    admin::client::delete(cx, &by(&user), id)?;
    api_response::done()
}

/// Whoever's name and password came along. Browsers keep those too, and would send them for another site.
fn administrator(cx: &Cx<'_>, call: &Call) -> Result<User, Problem> {
    form_token::same_origin(call)?;
    let proof = call.user_basic()?;
    let attempt = Attempt {
        tenant: None,
        name: &proof.id,
        password: &proof.secret,
        device: call.cookie(Cookie::Device),
    };
    password::check(cx, &attempt).map_err(Problem::bad_user)
}

fn by(user: &User) -> By {
    let subject = Subject::User(user.id.clone());
    By::subject(&subject, &user.organization, user.roles)
}

fn is_public(data: &Object) -> Result<Option<bool>, Problem> {
    match data.text("clientType")? {
        None => Ok(None),
        Some("CONFIDENTIAL") => Ok(Some(false)),
        Some("PUBLIC") => Ok(Some(true)),
        Some(_) => Err(Problem::bad_request(
            "clientType must be CONFIDENTIAL or PUBLIC",
        )),
    }
}

fn facts(data: &Object) -> Result<Facts, Problem> {
    let text = |name| Ok::<_, Problem>(data.text(name)?.map(str::to_owned));
    Ok(Facts {
        name: text("name")?,
        description: text("description")?,
        roles: roles(data)?,
        grants: grants(data)?,
        scopes: data.texts("scope")?.map(scopes),
        redirect_uris: data.texts("redirectURIs")?,
        post_logout_redirect_uris: data.texts("postLogoutRedirectURIs")?,
        access_seconds: seconds(data, "accessTokenExpirationTimeout")?,
        refresh_seconds: seconds(data, "refreshTokenExpirationTimeout")?,
        secret: text("client_secret")?.map(Secret::new),
        ..Facts::default()
    })
}

/// Authorities of the vendor's platform: what they open is not here.
const FOREIGN_AUTHORITIES: [&str; 2] = ["ROLE_INTERNAL_CLIENT", "ROLE_MANAGEMENT_APPLICATION"];

fn roles(data: &Object) -> Result<Option<Vec<Role>>, Problem> {
    let known = |name: &str| {
        Role::of_authority(name)
            .ok_or_else(|| Problem::bad_request("authorities has the name of no role"))
    };
    each(data, "authorities", &FOREIGN_AUTHORITIES, known)
}

/// Grants that the vendor's server adds to every client by itself.
const FOREIGN_GRANTS: [&str; 2] = [
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
];

fn grants(data: &Object) -> Result<Option<Vec<GrantType>>, Problem> {
    let known = |word: &str| {
        GrantType::named(word)
            .ok_or_else(|| Problem::bad_request("authorizedGrantTypes has the name of no grant"))
    };
    each(data, "authorizedGrantTypes", &FOREIGN_GRANTS, known)
}

/// What a list names, without the names that mean something elsewhere; a list of nothing else is as good as none.
fn each<T>(
    data: &Object,
    name: &str,
    foreign: &[&str],
    known: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Option<Vec<T>>, Problem> {
    let Some(given) = data.texts(name)? else {
        return Ok(None);
    };
    let is_foreign = |one: &String| foreign.contains(&one.as_str());
    if !given.is_empty() && given.iter().all(is_foreign) {
        return Ok(None);
    }
    let ours = given.iter().filter(|one| !is_foreign(one));
    ours.map(|one| known(one))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// `*` is contract B's word for whatever there is.
fn scopes(given: Vec<String>) -> Vec<String> {
    if given.iter().all(|scope| scope != "*") {
        return given;
    }
    let usual = DEFAULT_SCOPES.map(str::to_owned);
    let own = given.into_iter().filter(|scope| !usual.contains(scope));
    usual.iter().cloned().chain(own).collect()
}

fn seconds(data: &Object, name: &str) -> Result<Option<u32>, Problem> {
    let Some(given) = data.integer(name)? else {
        return Ok(None);
    };
    let seconds = u32::try_from(given).ok().filter(|seconds| *seconds > 0);
    let wrong = || Problem::bad_request(format!("{name} must be a number of seconds"));
    seconds.ok_or_else(wrong).map(Some)
}

/// The vendor's members of a client, as its scripts read them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    #[serde(rename = "client_id")]
    id: &'a str,
    #[serde(rename = "client_secret", skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    name: &'a str,
    description: &'a str,
    client_type: &'static str,
    authorities: Vec<&'static str>,
    scope: &'a [String],
    authorized_grant_types: Vec<&'static str>,
    #[serde(rename = "redirectURIs")]
    redirect_uris: &'a [String],
    #[serde(rename = "postLogoutRedirectURIs")]
    post_logout_redirect_uris: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token_expiration_timeout: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token_expiration_timeout: Option<u32>,
}

impl<'a> Shown<'a> {
    fn of(client: &'a Client, secret: Option<&'a Secret<String>>) -> Self {
        Self {
            id: client.id.as_str(),
            secret: secret.map(|secret| secret.expose().as_str()),
            name: &client.name,
            description: &client.description,
            client_type: if client.is_public() {
                "PUBLIC"
            } else {
                "CONFIDENTIAL"
            },
            authorities: client.roles.authorities(),
            scope: &client.scopes,
            authorized_grant_types: client.grants.iter().map(|grant| grant.word()).collect(),
            redirect_uris: &client.redirect_uris,
            post_logout_redirect_uris: &client.post_logout_redirect_uris,
            access_token_expiration_timeout: client.access_seconds,
            refresh_token_expiration_timeout: client.refresh_seconds,
        }
    }
}
