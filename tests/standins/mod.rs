//! The imitations of upstreams: path by path, fault by fault, under the vendors' own SDKs, and as the command.

mod command;
mod faults;
mod genesys_cloud;
mod journal;
mod refreshes;
mod sdks;

use std::fs;

use admit::standins::{GENESYS_CLIENT, StandIns};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

/// A client that trusts their authority and no other, and follows nobody elsewhere.
fn client(stand_ins: &StandIns) -> Client {
    let root = fs::read(stand_ins.authority()).unwrap();
    Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&root).unwrap()])
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

/// The stand-ins, and a client of theirs.
async fn stage() -> (StandIns, Client) {
    let stand_ins = StandIns::start().await.unwrap();
    let client = client(&stand_ins);
    (stand_ins, client)
}

/// Status and JSON of an answer.
async fn answered(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    let read = serde_json::from_str(&body);
    (
        status,
        read.unwrap_or_else(|error| panic!("{error}: {body}")),
    )
}

/// A token of Genesys Cloud for this form.
async fn genesys_token(stand_ins: &StandIns, client: &Client, form: &[(&str, &str)]) -> String {
    let (id, secret) = GENESYS_CLIENT;
    let url = format!("{}/oauth/token", stand_ins.origin());
    let asked = client.post(url).basic_auth(id, Some(secret)).form(form);
    let (status, token) = answered(asked).await;
    assert_eq!(status, 200, "{token}");
    token["access_token"].as_str().unwrap().to_owned()
}

const BY_CLIENT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn by_code(code: &str) -> [(&str, &str); 3] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", "https://app.example/"),
    ]
}
