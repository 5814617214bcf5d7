//! `GET /auth/v3/openid/userinfo`: what is always told, and what only a scope that covers it brings.

use serde_json::{Value, json};

use crate::support::accounts::{admin, change_user, signed_in_as};
use crate::support::client::Client;
use crate::support::server::Server;

async fn userinfo(client: &Client, bearer: &str) -> Value {
    let request = client.get("/auth/v3/openid/userinfo");
    request.bearer(bearer).send().await.ok().json()
}

fn ada(server: &Server) -> admit::domain::users::User {
    change_user(server, &admin(server), |user| {
        user.first_name = Some("Ada".into());
        user.email = Some("ada@example.org".into());
    })
}

#[tokio::test]
async fn a_person_is_named_only_with_a_scope_that_covers_it() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let user = ada(&server);
    let roles = ["ROLE_AGENT", "ROLE_SUPERVISOR", "ROLE_ADMIN"];
    let roles: Value = roles
        .iter()
        .map(|name| json!({"name": name, "privileges": []}))
        .collect();
    let always = json!({
        "authorities": roles, "contact_center_id": user.organization.as_str(), "dbid": user.dbid,
        "sub": user.id.as_str(),
        "user_name": format!("admin-{}@{}", user.dbid, user.organization),
    });
    for (scope, is_named) in [
        ("*", true),
        ("openid", true),
        ("a openid", true),
        ("any", false),
    ] {
        let made = signed_in_as(&server, &user, "customer", scope);
        let mut expected = always.clone();
        if is_named {
            expected["aud"] = "customer".into();
            expected["email"] = "ada@example.org".into();
            expected["given_name"] = "Ada".into();
            expected["properties"] = json!({"firstName": "Ada", "email": "ada@example.org"});
        }
        assert_eq!(userinfo(&client, &made.token).await, expected, "{scope}");
    }
}

#[tokio::test]
async fn a_client_is_told_without_what_applications_do_not_have() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let bearer = client.bearer(&first).await;
    let told = userinfo(&client, &bearer).await;
    assert_eq!(told["user_name"], first.id.as_str());
    assert_eq!(told["sub"], format!("client:{}", first.id));
    for name in ["dbid", "contact_center_id", "email", "given_name"] {
        assert!(told.get(name).is_none(), "{name}: {told}");
    }
}

#[tokio::test]
async fn nobody_is_told_without_a_bearer_that_is_believed() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let path = "/auth/v3/openid/userinfo";
    client.get(path).send().await.is(401, "unauthorized");
    let request = client.get(path).bearer("other").send().await;
    request.is(401, "invalid_token");
    assert_eq!(request.json()["status"]["code"], 520);
    let ping = signed_in_as(&server, &admin(&server), "customer", "*").ping;
    let request = client.get(path).bearer(&ping).send().await;
    request.is(401, "invalid_token");
}
