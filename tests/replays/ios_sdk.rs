//! The vendor's iOS SDK: it ignores the status, and takes any JSON without an `error_description` for a login.

use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::raw;
use crate::support::server::Server;

async fn post(server: &Server, form: &str) -> Answer {
    let head = format!(
        "POST /security/oauth/token HTTP/1.1
Host: {{host}}
Content-Type: application/x-www-form-urlencoded
Accept: application/json
Authorization: Basic Y3VzdG9tZXI6
User-Agent: Auvious/1 CFNetwork/1494.0.7 Darwin/23.4.0
Accept-Language: en-GB,en;q=0.9
Accept-Encoding: gzip, deflate, br
Connection: keep-alive
Content-Length: {}",
        form.len()
    );
    raw::say(server, &head, form).await
}

/// As the SDK reads it: members one by one, and an error only where `error_description` says so.
struct Login {
    refresh_token: String,
}

fn login(answer: &Answer) -> Result<Login, String> {
    let body: Value = serde_json::from_str(&answer.text).unwrap();
    let words = body["error_description"].as_str().unwrap_or_default();
    if !words.is_empty() {
        return Err(words.to_owned());
    }
    for member in [
        "access_token",
        "refresh_token",
        "scope",
        "jti",
        "sub",
        "organization",
        "DEVICE_ID",
    ] {
        assert!(body[member].is_string(), "{member}: {body}");
    }
    assert!(
        body["expires_in"].as_i64().unwrap() > 43,
        "sooner and it would refresh every three seconds"
    );
    Ok(Login {
        refresh_token: body["refresh_token"].as_str().unwrap().to_owned(),
    })
}

#[tokio::test]
async fn a_customer_joins_comes_back_and_is_told_when_the_ticket_is_withdrawn() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let body = json!({"type": "SINGLE_USE_TICKET", "ttl": 14_400, "length": 6, "properties": {"conference_id": "room"}});
    let ticket = client.issue(&bearer, &body).await["id"]
        .as_str()
        .unwrap()
        .to_owned();

    let answer = post(
        &server,
        &format!("username={ticket}&grant_type=password&password=something"),
    )
    .await;
    let first = login(&answer).ok().unwrap();
    assert_eq!(answer.member("conference_id"), "room");
    let again = post(
        &server,
        &format!("password=&username={ticket}&grant_type=password"),
    )
    .await;
    assert_eq!(login(&again).err().as_deref(), Some("USED"));

    // URLComponents leaves a plus sign as it is, so no token may hold one.
    assert!(!first.refresh_token.contains(['+', '&', '=', '%']));
    let form = format!(
        "refresh_token={}&grant_type=refresh_token",
        first.refresh_token
    );
    let second = login(&post(&server, &form).await).ok().unwrap();

    let revoked = client
        .post(&format!("/security/ticket/{ticket}/revoke"))
        .bearer(&bearer)
        .send()
        .await;
    assert_eq!(revoked.status, 204);
    let form = format!(
        "grant_type=refresh_token&refresh_token={}",
        second.refresh_token
    );
    assert_eq!(
        login(&post(&server, &form).await).err().as_deref(),
        Some("REVOKED")
    );
}

#[tokio::test]
async fn older_apps_call_the_field_ticket() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let answer = post(&server, &format!("ticket={ticket}&grant_type=password")).await;
    assert!(login(&answer).is_ok());
    let answer = post(&server, "ticket=no-such&grant_type=password").await;
    assert_eq!(login(&answer).err().as_deref(), Some("NOT_FOUND"));
}
