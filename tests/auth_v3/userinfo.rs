//! `GET /auth/v3/userinfo`: customers, clients and users, and the four ways a token ends before its time.

use std::sync::Arc;

use admit::domain::access::Caller;
use admit::domain::tokens::{self, Thing};
use serde_json::{Value, json};

use crate::support::accounts::{admin, claims, signed_in};
use crate::support::client::Client;
use crate::support::server::Server;

async fn userinfo(client: &Client, bearer: &str) -> Value {
    client
        .get("/auth/v3/userinfo")
        .bearer(bearer)
        .send()
        .await
        .ok()
        .json()
}

fn caller(server: &Server, bearer: &str) -> Arc<Caller> {
    tokens::authenticate(&server.appliance.own_context(), bearer).unwrap()
}

fn roles(names: &[&str]) -> Value {
    names
        .iter()
        .map(|name| json!({"name": name, "privileges": []}))
        .collect()
}

#[tokio::test]
async fn a_user_a_client_and_a_customer_are_each_told_in_the_published_members() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let organization = server.organization();
    let first = server.first_client();
    let bearer = client.bearer(&first).await;
    let details = userinfo(&client, &bearer).await;
    let expected = json!({
        "authorities": roles(&["ROLE_CLIENT_SERVICE", "ROLE_AGENT", "ROLE_SUPERVISOR", "ROLE_ADMIN"]),
        "properties": {}, "username": first.id,
    });
    assert_eq!(
        details, expected,
        "a client: the document leaves the rest out for applications"
    );

    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let login = client.login(&ticket).await.ok();
    let details = userinfo(&client, &login.member("access_token")).await;
    let expected = json!({
        "authorities": roles(&["ROLE_CUSTOMER"]),
        "contactCenterId": organization.as_str(), "properties": {}, "username": login.json()["sub"],
    });
    assert_eq!(details, expected, "a customer");

    let user = admin(&server);
    let (token, _) = signed_in(&server);
    let details = userinfo(&client, &token).await;
    let expected = json!({
        "authorities": roles(&["ROLE_AGENT", "ROLE_SUPERVISOR", "ROLE_ADMIN"]),
        "cmeUserName": "admin", "loginName": "admin", "dbid": user.dbid,
        "contactCenterId": organization.as_str(), "properties": {},
        "username": format!("admin-{}@{organization}", user.dbid),
    });
    assert_eq!(details, expected, "a user");
}

#[tokio::test]
async fn who_is_not_believed_gets_the_contracts_401() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let rows = [
        (
            "nothing",
            None,
            "unauthorized",
            "Full authentication is required to access this resource",
        ),
        (
            "another scheme",
            Some("Basic Y3VzdG9tZXI6"),
            "unauthorized",
            "Full authentication is required to access this resource",
        ),
        (
            "a UUID",
            Some("Bearer 6f1c9e0a-7d5e-4b3b-9e5e-0c4f9d6f7a11"),
            "invalid_token",
            "Invalid access token",
        ),
        ("letters", Some("Bearer é"), "", ""),
    ];
    for (name, header, error, words) in rows {
        let request = client.get("/auth/v3/userinfo");
        let answer = match header {
            Some(value) => request.header("authorization", value).send().await,
            None => request.send().await,
        };
        if error.is_empty() {
            assert_eq!(answer.status, 401, "{name}");
        } else {
            answer.says(401, error, words);
        }
        assert_eq!(answer.json()["status"]["code"], 520, "{name}");
        assert!(
            answer
                .header("www-authenticate")
                .starts_with("Bearer realm="),
            "{name}"
        );
    }
    let answer = client.get("/auth/v3/nothing").send().await;
    answer.is(404, "not_found");
    assert_eq!(answer.json()["status"]["code"], 404);
}

#[tokio::test]
async fn a_token_is_dead_for_the_next_request_by_each_of_the_four_ways() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let operator = caller(&server, &client.bearer(&server.first_client()).await);
    let cx = server.appliance.own_context();

    let (one, sign_in) = signed_in(&server);
    let (other, _) = signed_in(&server);
    let end = |thing| tokens::end(&cx, &operator, thing).unwrap();
    let jti = claims(&one)["jti"].clone();
    end(Thing::Token(jti.as_str().unwrap().parse().unwrap()));
    assert!(!client.is_alive(&one).await, "one token");
    assert!(client.is_alive(&other).await, "one token and no other");

    let (again, second) = signed_in(&server);
    end(Thing::SignIn(sign_in));
    assert!(client.is_alive(&again).await, "another sign-in");
    end(Thing::SignIn(second));
    assert!(!client.is_alive(&again).await, "one sign-in");

    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let customer = client.login(&ticket).await.ok();
    end(Thing::Ticket(customer.member("sub").parse().unwrap()));
    assert!(
        !client.is_alive(&customer.member("access_token")).await,
        "one ticket"
    );
    assert!(client.is_alive(&other).await, "one ticket and nobody else");

    let subject = caller(&server, &other).subject().clone();
    tokens::end_all(&cx, &operator, &subject).unwrap();
    assert!(!client.is_alive(&other).await, "an epoch");
    let (fresh, _) = signed_in(&server);
    assert!(client.is_alive(&fresh).await, "an epoch begins anew");
    assert!(client.is_alive(&bearer).await, "an epoch is one subject's");
}

#[tokio::test]
async fn two_authorization_headers_are_one_too_many() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let twice = client
        .get("/auth/v3/userinfo")
        .bearer(&bearer)
        .header("authorization", "Bearer other");
    twice.send().await.is(400, "invalid_request");
}
