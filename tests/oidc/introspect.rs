//! `POST /oauth/introspect` (RFC 7662).

use std::time::Duration;

use admit::domain::access::Role;
use admit::domain::users::{self, User};
use serde_json::{Value, json};

use super::{ada, kept, token};
use crate::support::client::{Answer, Client};
use crate::support::server::{Credentials, Server};

const PATH: &str = "/oauth/introspect";

async fn ask(client: &Client, by: &Credentials, token: &str) -> Answer {
    let request = client.post(PATH).basic(&by.id, &by.secret);
    request.form(&[("token", token)]).send().await.ok()
}

async fn told(client: &Client, by: &Credentials, token: &str) -> Value {
    ask(client, by, token).await.json()
}

/// A customer's login: access and refresh token.
async fn customer(server: &Server, client: &Client) -> (String, String) {
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let login = client.login(&ticket).await.ok();
    (login.member("access_token"), login.member("refresh_token"))
}

#[tokio::test]
async fn in_1_only_a_client_with_a_secret_may_ask_and_only_by_form() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let bearer = token(&server, "openid", &[]);
    let form = [("token", bearer.as_str())];
    let by_parameters = [
        form[0],
        ("client_id", &first.id),
        ("client_secret", &first.secret),
    ];
    let answer = client.post(PATH).form(&by_parameters).send().await;
    assert_eq!(answer.ok().json()["active"], true);

    let asking = |request: &str| client.post(request).basic(&first.id, &first.secret);
    let query = format!("{PATH}?token={bearer}");
    for request in [
        asking(PATH),
        asking(&query),
        asking(PATH).form(&[("token", "")]),
    ] {
        request.send().await.is(400, "invalid_request");
    }
    let json = asking(PATH).json(&json!({"token": bearer}));
    assert_eq!(json.send().await.status, 415);
    client.get(PATH).send().await.is(405, "method_not_allowed");
}

#[tokio::test]
async fn in_3_bad_credentials_are_a_401() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let bearer = token(&server, "openid", &[]);
    let form = [("token", bearer.as_str())];
    let posted = || client.post(PATH).form(&form);
    let public = [form[0], ("client_id", "customer")];
    let requests = [
        posted(),
        posted().basic(&first.id, "wrong"),
        posted().basic("nobody", ""),
        posted().basic("customer", ""),
        client.post(PATH).form(&public),
        posted().bearer(&bearer),
    ];
    for request in requests {
        let answer = request.send().await;
        answer.is(401, "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic "));
    }
}

#[tokio::test]
async fn in_2_an_access_token_says_what_it_is() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let user = ada(&server);
    let issuer = format!("https://localhost:{}", server.address.port());
    let answer = told(&client, &first, &token(&server, "openid email", &[])).await;
    let expected = json!({
        "active": true, "scope": "openid email", "client_id": first.id, "username": user.name,
        "token_type": "Bearer", "iat": answer["iat"], "exp": answer["iat"].as_i64().unwrap() + 43_200,
        "sub": user.id.as_str(), "aud": issuer, "iss": issuer, "jti": answer["jti"],
        "organization": server.organization().as_str(),
        "authorities": ["ROLE_AGENT", "ROLE_SUPERVISOR", "ROLE_ADMIN"],
    });
    assert_eq!(answer, expected);
    assert!(answer["jti"].is_string() && answer["iat"].is_i64());

    let own = told(&client, &first, &client.bearer(&first).await).await;
    assert_eq!(own["sub"], format!("client:{}", first.id));
    assert!(own["username"].is_null(), "a client has no user name");
}

#[tokio::test]
async fn in_2_a_refresh_token_is_alive_as_long_as_it_would_be_taken() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let (_, refresh) = customer(&server, &client).await;
    let answer = told(&client, &first, &refresh).await;
    assert_eq!(answer["active"], true);
    assert_eq!(answer["client_id"], "customer");
    assert_eq!(answer["scope"], "any");
    assert_eq!(
        answer["exp"].as_i64(),
        answer["iat"].as_i64().map(|at| at + 2_592_000)
    );
    assert!(answer["token_type"].is_null(), "it is no bearer token");

    let next = client.refresh(&refresh).await.ok().member("refresh_token");
    assert_eq!(
        told(&client, &first, &refresh).await["active"],
        true,
        "within the grace"
    );
    server.advance(Duration::from_mins(1));
    assert_eq!(
        told(&client, &first, &refresh).await,
        json!({"active": false})
    );
    assert_eq!(
        told(&client, &first, &next).await["active"],
        true,
        "looking ended nothing"
    );
    client.refresh(&next).await.ok();
}

#[tokio::test]
async fn in_2_whatever_is_not_alive_is_told_in_one_word() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let (expired, refresh) = customer(&server, &client).await;
    let disabled = token(&server, "openid", &[]);
    let mut bent = disabled.clone();
    bent.truncate(bent.len() - 4);
    for token in ["nonsense", "a.b.c", "adr_nonsense", bent.as_str()] {
        assert_eq!(
            ask(&client, &first, token).await.text,
            r#"{"active":false}"#
        );
    }
    let user = ada(&server);
    let user = User {
        disabled: Some(user.created_at),
        ..user
    };
    kept(&server, |tx| users::put(tx, &user));
    assert_eq!(
        ask(&client, &first, &disabled).await.text,
        r#"{"active":false}"#
    );
    server.advance(Duration::from_secs(43_201));
    for token in [expired, refresh] {
        let answer = ask(&client, &first, &token).await;
        assert_eq!(
            answer.text, r#"{"active":false}"#,
            "its ticket is over as well"
        );
    }
}

#[tokio::test]
async fn in_3_another_organizations_token_is_told_like_none() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let elsewhere = server.found("Elsewhere");
    let stranger = server.register(&elsewhere, &[Role::Admin]);
    let service = server.register(&elsewhere, &[Role::Service]);
    let (access, refresh) = customer(&server, &client).await;
    for token in [access, refresh] {
        assert_eq!(
            ask(&client, &stranger, &token).await.text,
            r#"{"active":false}"#
        );
        assert_eq!(
            told(&client, &service, &token).await["active"],
            true,
            "a service sees all"
        );
    }
    let own = client.bearer(&stranger).await;
    assert_eq!(told(&client, &stranger, &own).await["active"], true);
}

#[tokio::test]
async fn in_2_a_wrong_hint_changes_nothing() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let (access, refresh) = customer(&server, &client).await;
    for (token, hint) in [
        (&access, "refresh_token"),
        (&refresh, "access_token"),
        (&access, "nonsense"),
    ] {
        let form = [("token", token.as_str()), ("token_type_hint", hint)];
        let request = client
            .post(PATH)
            .basic(&first.id, &first.secret)
            .form(&form);
        assert_eq!(request.send().await.ok().json()["active"], true, "{hint}");
    }
}
