//! `POST /auth/v3/change-password`: who may, what it ends, and the password that has expired.

use serde_json::{Value, json};

use crate::support::accounts::{admin, admin_password, change_user, signed_in_as};
use crate::support::client::{Answer, Client};
use crate::support::server::Server;

const NEW: &str = "a rather longer new one";

async fn change(client: &Client, bearer: Option<&str>, body: &Value) -> Answer {
    let request = client.post("/auth/v3/change-password").json(body);
    let request = match bearer {
        Some(bearer) => request.bearer(bearer),
        None => request,
    };
    request.send().await
}

fn data(old: &str, new: &str) -> Value {
    json!({"data": {"oldPassword": old, "newPassword": new}})
}

fn data_of(name: &str, old: &str, new: &str) -> Value {
    json!({"data": {"oldPassword": old, "newPassword": new, "userName": name}})
}

/// Whether the administrator is let in with it.
async fn opens(client: &Client, password: &str) -> bool {
    let request = client.get("/auth/v3/ops/clients");
    match request.basic("admin", password).send().await.status {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_new_password_ends_every_other_sign_in() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let (user, old) = (admin(&server), admin_password(&server));
    let sign_in = || signed_in_as(&server, &user, "customer", "*");
    let (own, other) = (sign_in(), sign_in());
    let mut body = data_of("default\\ADMIN", &old, NEW);
    body["operationId"] = "op \"1\"".into();
    let answer = change(&client, Some(&own.token), &body).await.ok();
    let expected = json!({"status": {"code": 0}, "data": {"operationId": "op \"1\""}});
    assert_eq!(answer.json(), expected);
    assert!(client.is_alive(&own.token).await);
    assert!(!client.is_alive(&other.token).await);
    assert!(opens(&client, NEW).await);
    assert!(!opens(&client, &old).await);

    let again = data(NEW, "another one, and longer still");
    let answer = change(&client, Some(&own.token), &again).await.ok();
    assert_eq!(answer.text, r#"{"status":{"code":0}}"#);
}

#[tokio::test]
async fn whoever_may_not_is_refused_and_nothing_changes() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let old = admin_password(&server);
    let made = signed_in_as(&server, &admin(&server), "customer", "*");
    let own = Some(made.token.as_str());
    let backend = client.bearer(&server.first_client()).await;
    let rows = [
        ("a wrong old one", own, data("something else", NEW), 403),
        ("a weak new one", own, data(&old, "short"), 403),
        ("the old one again", own, data(&old, &old), 403),
        ("somebody else's", own, data_of("other", &old, NEW), 403),
        (
            "another tenant's",
            own,
            data_of("other\\admin", &old, NEW),
            403,
        ),
        (
            "a client's bearer",
            Some(backend.as_str()),
            data(&old, NEW),
            403,
        ),
        (
            "wrong, with no bearer",
            None,
            data_of("admin", "x", NEW),
            403,
        ),
        (
            "of nobody, with no bearer",
            None,
            data_of("nobody", "x", NEW),
            403,
        ),
        (
            "right, with no bearer",
            None,
            data_of("admin", &old, NEW),
            401,
        ),
        ("no bearer and no name", None, data(&old, NEW), 401),
        (
            "a dead bearer",
            Some("other"),
            data_of("admin", &old, NEW),
            401,
        ),
        (
            "no old one",
            own,
            json!({"data": {"newPassword": NEW}}),
            400,
        ),
        (
            "no new one",
            own,
            json!({"data": {"oldPassword": old}}),
            400,
        ),
        (
            "a number",
            own,
            json!({"data": {"oldPassword": old, "newPassword": 1}}),
            400,
        ),
        (
            "no wrapper",
            own,
            json!({"oldPassword": old, "newPassword": NEW}),
            400,
        ),
        ("nothing", own, json!({}), 400),
    ];
    for (name, bearer, body, status) in rows {
        let answer = change(&client, bearer, &body).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        let code = match status {
            403 => 603,
            401 => 520,
            other => other,
        };
        assert_eq!(answer.json()["status"]["code"], code, "{name}");
    }
    assert!(opens(&client, &old).await);
    assert!(client.is_alive(&made.token).await);
}

#[tokio::test]
async fn a_password_that_has_expired_is_changed_without_a_token() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let old = admin_password(&server);
    change_user(&server, &admin(&server), |user| {
        user.password_expired = true;
    });
    assert!(!opens(&client, &old).await);
    let wrong = change(&client, None, &data_of("admin", "something else", NEW)).await;
    wrong.is(403, "access_denied");
    let weak = change(&client, None, &data_of("admin", &old, "short")).await;
    weak.is(403, "access_denied");
    change(&client, None, &data_of("default\\admin", &old, NEW))
        .await
        .ok();
    assert!(opens(&client, NEW).await);
    let again = change(&client, None, &data_of("admin", NEW, "a third one, longer")).await;
    again.is(401, "unauthorized");
}
