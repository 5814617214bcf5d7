//! The vendor's api-examples: Python scripts over `requests`.

use serde_json::Value;

use crate::support::raw;
use crate::support::server::Server;

const HEADERS: &str = "Host: {host}
User-Agent: python-requests/2.32.3
Accept-Encoding: gzip, deflate
Accept: */*
Connection: keep-alive";

/// `requests.post(url, params=…)`: everything in the query, no body, no type; the script reads `access_token`.
async fn token(server: &Server) -> String {
    let first = server.first_client();
    let head = format!(
        "POST /security/oauth/token?grant_type=client_credentials&client_id={}&client_secret={} HTTP/1.1\n{HEADERS}\nContent-Length: 0",
        first.id, first.secret
    );
    let answer = raw::say(server, &head, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// `requests.post(url, json=…, headers=…)`.
async fn post(server: &Server, path: &str, bearer: &str, body: &str) -> Value {
    let head = format!(
        "POST {path} HTTP/1.1\n{HEADERS}\nAuthorization: Bearer {bearer}\nContent-Length: {}\nContent-Type: application/json",
        body.len()
    );
    let answer = raw::say(server, &head, body).await;
    assert!(answer.status < 300, "raise_for_status: {}", answer.text);
    answer.json()
}

#[tokio::test]
async fn create_py_gets_a_room_and_a_ticket_for_it() {
    let server = Server::start().await;
    let bearer = token(&server).await;
    let room = post(&server, "/rtc-api/conferences/create", &bearer, "{}").await;
    let room = room["id"].as_str().unwrap();
    let application = server.first_run["application_id"].as_str().unwrap();
    let body = format!(
        r#"{{"type": "MULTI_USE_TICKET", "ttl": 14400, "length": 6, "properties": {{"applicationId": "{application}", "conference_id": "{room}", "customer_id": "customer-1"}}}}"#
    );
    let ticket = post(&server, "/security/ticket", &bearer, &body).await;
    let id = ticket["id"].as_str().unwrap();
    assert_eq!(
        id.len(),
        7,
        "one script reads the last seven characters of a ticket's address"
    );
    let url = format!("{}/t/{id}", server.appliance.base());
    assert_eq!(url.get(url.len() - 7..), Some(id));
    assert_eq!(ticket["properties"]["conference_id"], room);
}

#[tokio::test]
async fn create_py_may_name_the_room_itself() {
    let server = Server::start().await;
    let bearer = token(&server).await;
    let body = r#"{"conferenceId": "6f1c9e0a-7d5e-4b3b-9e5e-0c4f9d6f7a11", "interactionId": "9d1a3b52-0001-4b3b-9e5e-0c4f9d6f7a11", "metadata": {"participant_limit": 2}, "mode": "ROUTER"}"#;
    let room = post(&server, "/rtc-api/conferences/create", &bearer, body).await;
    assert_eq!(room["id"], "6f1c9e0a-7d5e-4b3b-9e5e-0c4f9d6f7a11");
    assert_eq!(room["mode"], "ROUTER");
    assert_eq!(
        room["interactionId"],
        "9d1a3b52-0001-4b3b-9e5e-0c4f9d6f7a11"
    );
}

#[tokio::test]
async fn schedule_py_gets_a_ticket_that_lives_from_its_date() {
    let server = Server::start().await;
    let bearer = token(&server).await;
    let body = r##"{"type": "SCHEDULE_TICKET", "ttl": 14400, "length": 6, "properties": {"applicationId": "a", "conference_id": "c", "customer_id": "u", "scheduled_date": "2026-11-21T21:30:24.936571Z", "theme": {"backgroundColor": "#123456", "videoUrl": "https://cdn.example.org/v.mp4"}}}"##;
    let ticket = post(&server, "/security/ticket", &bearer, body).await;
    assert_eq!(ticket["expiresAt"], "2026-11-22T01:30:24.936571Z");
    assert_eq!(
        ticket["properties"]["scheduled_date"],
        "2026-11-21T21:30:24.936571Z"
    );
    assert_eq!(ticket["properties"]["theme"]["backgroundColor"], "#123456");
    assert_eq!(ticket["expired"], false);
}
