//! `/security/keys`: key pairs made or brought in, and read.

use std::sync::Arc;

use hyper::Method;
use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, call, json};
use super::super::json::Object;
use super::super::{Dialect, Problem, Response, Routes, any};
use crate::domain::keys::{self, NewKey};
use crate::domain::{Appliance, Cx};
use crate::kernel::{KeyId, Secret};

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Security, route);
    let path = warp::path!("keys" / ..);
    any([
        path.and(warp::path::end())
            .and(call("/security/keys"))
            .then(collection)
            .boxed(),
        path.and(warp::path!(KeyId))
            .and(call("/security/keys/{id}"))
            .then(item)
            .boxed(),
    ])
}

async fn collection(call: Call) -> Response {
    match call.method {
        Method::POST => {
            call.run_in_turn_if(admit, Appliance::key_making, create)
                .await
        }
        _ => call.not_allowed("POST"),
    }
}

async fn item(id: KeyId, call: Call) -> Response {
    match call.method {
        Method::GET => read(id, call).await,
        _ => call.not_allowed("GET"),
    }
}

/// Whether a key may be made or brought in at all: everything that is found out without work.
fn admit(cx: &Cx<'_>, call: &Call) -> Result<NewKey, Problem> {
    let caller = call.caller(cx)?;
    let new = new_key(&call.json()?)?;
    keys::check(cx, &caller, &new)?;
    Ok(new)
}

/// `POST /security/keys`: make a key pair, or bring one in. By its turn the caller may have been signed out.
#[expect(
    clippy::needless_pass_by_value,
    reason = "what was admitted is handed over"
)]
fn create(cx: &Cx<'_>, call: &Call, new: NewKey) -> Result<Response, Problem> {
    let caller = call.caller(cx)?;
    let key = keys::create(cx, &caller, &new)?;
    json(&CreateKeyResult {
        id: key.id.as_str(),
        public: &key.public,
    })
}

/// `GET /security/keys/{id}`: a key pair, to internal services with its private half. No answer here may be kept by
/// anybody, which is what every answer says that does not say otherwise.
async fn read(id: KeyId, call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let seen = keys::read(cx, &caller, &id)?;
        json(&Key::of(&seen))
    })
    .await
}

fn new_key(body: &Object) -> Result<NewKey, Problem> {
    if body.required_text("type")? != SSH_RSA {
        return Err(Problem::bad_request("type must be SSH_RSA"));
    }
    if body.text("key")?.is_some() {
        return Err(Problem::bad_request(
            "key is for symmetric keys, which SSH_RSA is not",
        ));
    }
    let text = |name| Ok::<_, Problem>(body.text(name)?.map(str::to_owned));
    Ok(NewKey {
        organization: body.id("organizationId")?,
        private: text("privateKey")?.map(Secret::new),
        public: text("publicKey")?,
        comment: text("comment")?,
    })
}

/// The one type of key there is.
const SSH_RSA: &str = "SSH_RSA";

/// The published schema `CreateKeyResult`; its `key` is for symmetric keys.
#[derive(Serialize)]
struct CreateKeyResult<'a> {
    id: &'a str,
    #[serde(rename = "publicKey")]
    public: &'a str,
}

/// The published schema `Key`; likewise.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key<'a> {
    id: &'a str,
    user_id: &'a str,
    organization_id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "keySize")]
    bits: u32,
    #[serde(rename = "privateKey", skip_serializing_if = "Option::is_none")]
    private: Option<&'a str>,
    #[serde(rename = "publicKey")]
    public: &'a str,
    comment: &'a str,
    created_at: String,
}

impl<'a> Key<'a> {
    fn of(seen: &'a keys::Seen) -> Self {
        let key = &seen.key;
        let private = seen.private.as_ref();
        Self {
            id: key.id.as_str(),
            user_id: &key.creator,
            organization_id: key.organization.as_str(),
            kind: SSH_RSA,
            bits: key.bits,
            private: private.map(|private| private.expose().as_str()),
            public: &key.public,
            comment: &key.comment,
            created_at: key.created_at.to_string(),
        }
    }
}
