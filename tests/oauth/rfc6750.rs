//! Bearer tokens in use (RFC 6750, BT-*), at every endpoint that takes one.

use super::{Scene, text};
use crate::support::client::Client;
use crate::support::server::Server;

/// One of each kind of endpoint that only a bearer opens.
const GUARDED: [&str; 6] = [
    "/auth/v3/userinfo",
    "/auth/v3/openid/userinfo",
    "/auth/v3/jwt-userinfo",
    "/auth/v3/sign-out",
    "/oidc/userinfo",
    "/security/ticket/abc-def-ghi",
];

#[tokio::test]
async fn bt_2_a_bearer_is_shown_in_the_header_whatever_the_case_of_its_scheme() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let reply = scene.tokens(&[]).await;
    let token = text(&reply, "access_token");
    for path in GUARDED {
        if path == "/auth/v3/sign-out" {
            continue;
        }
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let shown = format!("{scheme} {token}");
            let answer = client.get(path).header("authorization", &shown);
            let answer = answer.send().await;
            assert!(matches!(answer.status, 200 | 404), "{path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn bt_2_a_bearer_in_a_query_is_refused_everywhere_and_opens_nothing() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let reply = scene.tokens(&[]).await;
    let token = text(&reply, "access_token");
    for path in GUARDED {
        let shown = [("access_token", token)];
        let alone = client.get(path).query(&shown).send().await;
        alone.is(400, "invalid_request");
        let both = client.get(path).query(&shown).bearer(token).send().await;
        both.is(400, "invalid_request");
    }
    let ping = client
        .get("/auth/v3/ping")
        .query(&[("access_token", token)]);
    ping.send().await.is(403, "access_denied");
    assert!(client.is_alive(token).await, "it was not signed out either");
}

#[tokio::test]
async fn bt_3_who_shows_nothing_is_challenged_without_a_code_and_who_shows_nonsense_with_one() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for path in GUARDED {
        let nobody = client.get(path).send().await;
        nobody.is(401, "unauthorized");
        assert_eq!(
            nobody.header("www-authenticate"),
            "Bearer realm=\"admit\"",
            "{path}"
        );
        let nonsense = client.get(path).bearer("nonsense").send().await;
        nonsense.is(401, "invalid_token");
        let challenge = nonsense.header("www-authenticate");
        let expected = "Bearer realm=\"admit\", error=\"invalid_token\"";
        assert!(challenge.starts_with(expected), "{path}: {challenge}");
    }
}

/// wire.md 3.7: contract B's ping answers 403 where RFC 6750 would answer 401.
#[tokio::test]
async fn bt_3_ping_answers_403_to_everyone_who_is_not_signed_in() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let ping = || client.get("/auth/v3/ping");
    ping().send().await.is(403, "access_denied");
    ping()
        .bearer("nonsense")
        .send()
        .await
        .is(403, "access_denied");
}

#[tokio::test]
async fn bt_3_a_token_without_the_scope_is_a_403_that_says_which_would_do() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let reply = scene.tokens(&[("scope", "profile email")]).await;
    let request = client.get("/oidc/userinfo");
    let answer = request.bearer(text(&reply, "access_token")).send().await;
    answer.is(403, "insufficient_scope");
    assert_eq!(answer.json()["scope"], "openid");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains("error=\"insufficient_scope\""));
    assert!(challenge.contains("scope=\"openid\""), "{challenge}");
}
