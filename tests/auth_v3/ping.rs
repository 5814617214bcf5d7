//! `GET /auth/v3/ping`: bearer, ping cookie or session cookie; 403 for everyone else.

use std::time::Duration;

use crate::support::accounts::{SignedIn, admin, signed_in_as};
use crate::support::client::{Answer, Client, Request};
use crate::support::server::Server;

const PING: &str = "__Host-admit-ping";
const SESSION: &str = "__Host-admit-session";

fn signed_in(server: &Server) -> SignedIn {
    signed_in_as(server, &admin(server), "customer", "*")
}

/// As the vendor's client asks: no Authorization, and a content type without content.
fn ping(client: &Client) -> Request<'_> {
    client
        .get("/auth/v3/ping")
        .header("x-api-key", "anything")
        .header("content-type", "application/json")
}

fn with<'c>(client: &'c Client, cookie: &str, value: &str) -> Request<'c> {
    ping(client).header("cookie", &format!("{cookie}={value}"))
}

async fn refused(request: Request<'_>, why: &str) {
    let answer = request.send().await;
    assert_eq!(answer.status, 403, "{why}: {}", answer.text);
    answer.is(403, "access_denied");
    assert_eq!(answer.json()["status"]["code"], 603, "{why}");
    assert!(answer.header("set-cookie").is_empty(), "{why}");
}

fn renewed(answer: &Answer) -> String {
    let line = answer.header("set-cookie");
    let value = line.strip_prefix(&format!("{PING}=")).unwrap();
    let (value, attributes) = value.split_once(';').unwrap();
    assert_eq!(attributes, " Path=/; Secure; HttpOnly; SameSite=Lax");
    value.to_owned()
}

#[tokio::test]
async fn whoever_is_signed_in_is_told_so_and_everyone_else_gets_403() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let made = signed_in(&server);
    refused(ping(&client), "nothing").await;
    refused(ping(&client).bearer("other"), "another bearer").await;
    refused(ping(&client).basic("admin", "x"), "no bearer").await;
    refused(with(&client, PING, &made.token), "an access token").await;
    refused(with(&client, SESSION, &made.ping), "a ping cookie").await;
    refused(with(&client, PING, &made.session), "a session cookie").await;
    let dead = with(&client, PING, &made.ping).bearer("other");
    refused(dead, "a bearer decides alone").await;

    let by_bearer = ping(&client).bearer(&made.token).send().await.ok();
    assert_eq!(by_bearer.text, r#"{"status":{"code":0}}"#);
    assert!(by_bearer.header("set-cookie").is_empty());
    let by_session = with(&client, SESSION, &made.session).send().await.ok();
    assert!(by_session.header("set-cookie").is_empty());
    let by_cookie = with(&client, PING, &made.ping).send().await.ok();
    renewed(&by_cookie);
}

#[tokio::test]
async fn pinging_keeps_a_sign_in_until_its_longest_time_is_over() {
    let server = Server::governed(|policy| {
        policy.sessions.idle = Duration::from_mins(30);
        policy.sessions.absolute = Duration::from_mins(90);
    })
    .await;
    let client = Client::of(&server);
    let made = signed_in(&server);
    let mut cookie = made.ping.clone();
    for _ in 0..4 {
        server.advance(Duration::from_mins(20));
        let answer = with(&client, PING, &cookie).send().await.ok();
        cookie = renewed(&answer);
        with(&client, SESSION, &made.session).send().await.ok();
    }
    refused(with(&client, PING, &made.ping), "left idle").await;
    server.advance(Duration::from_mins(10));
    refused(with(&client, PING, &cookie), "for too long").await;
    refused(with(&client, SESSION, &made.session), "for too long").await;
}

#[tokio::test]
async fn a_ping_cookie_opens_nothing_else() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let made = signed_in(&server);
    assert!(!client.is_alive(&made.ping).await);
    let cookie = format!("{PING}={}", made.ping);
    for path in ["/auth/v3/userinfo", "/auth/v3/sign-out"] {
        let answer = client.get(path).header("cookie", &cookie).send().await;
        answer.is(401, "unauthorized");
    }
    assert!(client.is_alive(&made.token).await);
}
