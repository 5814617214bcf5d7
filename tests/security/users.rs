//! `/security/users/{userId}`: what internal services are told of a person, and that nobody else is told anything.

use std::time::Duration;

use admit::domain::access::Role;
use admit::domain::admin::{AdminCommand, Details, UserCommand, execute};
use admit::jobs;
use serde_json::{Value, json};

use super::applications::Callers;
use crate::support::accounts::{admin, signed_in_as};
use crate::support::client::{Answer, Client};
use crate::support::party::Party;
use crate::support::server::Server;

async fn read(client: &Client, bearer: &str, id: &str) -> Answer {
    let path = format!("/security/users/{id}");
    let answer = client.get(&path).bearer(bearer).send().await;
    // S9: whoever asks, and whatever the answer.
    for word in ["\"password\"", "argon2", "personalDataEntityId"] {
        assert!(!answer.text.contains(word), "{word}: {}", answer.text);
    }
    answer
}

async fn service(server: &Server, client: &Client) -> String {
    let abroad = server.found("abroad");
    client
        .bearer(&server.register(&abroad, &[Role::Service]))
        .await
}

#[tokio::test]
async fn s9_a_user_has_the_documented_members_and_never_a_password() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = service(&server, &client).await;
    let person = server.user("ann", &[Role::Supervisor]);
    let told = read(&client, &bearer, person.id.as_str()).await.ok().json();
    let expected = json!({
        "id": person.id.as_str(), "locked": false, "disabled": false, "roles": ["ROLE_AGENT", "ROLE_SUPERVISOR"],
        "createdAt": "2026-11-21T12:00:00Z", "version": 0, "enabled": true,
        "authorities": [{"authority": "ROLE_AGENT"}, {"authority": "ROLE_SUPERVISOR"}],
        "username": "ann", "accountNonExpired": true, "accountNonLocked": true, "credentialsNonExpired": true,
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn only_internal_services_are_told_of_users() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let callers = Callers::of(&server, &client).await;
    let person = admin(&server).id;
    for bearer in [
        &callers.admin,
        &callers.supervisor,
        &callers.agent,
        &callers.backend,
        &callers.customer,
    ] {
        for id in [person.as_str(), "missing"] {
            read(&client, bearer, id).await.is(403, "access_denied");
        }
    }
    read(&client, &callers.service, person.as_str()).await.ok();
    let missing = read(&client, &callers.service, "missing").await;
    missing.says(404, "not_found", "there is no such user");
    read(&client, &callers.service, "no%20name")
        .await
        .is(404, "not_found");
    let path = format!("/security/users/{person}");
    client.get(&path).send().await.is(401, "unauthorized");
    let answer = client.delete(&path).bearer(&callers.service).send().await;
    answer.is(405, "method_not_allowed");
}

#[tokio::test]
async fn disabling_expiring_and_guessing_show_and_each_change_is_a_version() {
    let server = Server::governed(|policy| policy.passwords.wrong_per_account_per_day = 3).await;
    let client = Client::of(&server);
    let bearer = service(&server, &client).await;
    let person = server.user("ann", &[Role::Agent]);
    let change = |details: Details| {
        let cx = server.appliance.own_context();
        let (org, user) = (None, person.name.clone());
        let details = Box::new(details);
        let update = UserCommand::Update { org, user, details };
        execute(&cx, AdminCommand::User(update)).unwrap();
        server.settle(&cx);
    };
    change(Details {
        disabled: Some(true),
        ..Details::default()
    });
    change(Details {
        expired: Some(true),
        ..Details::default()
    });
    let told = read(&client, &bearer, person.id.as_str()).await.ok().json();
    let members = |told: &Value| {
        let names = [
            "disabled",
            "enabled",
            "credentialsNonExpired",
            "locked",
            "accountNonLocked",
            "version",
        ];
        names.map(|name| told[name].clone())
    };
    let expected = [
        json!(true),
        json!(false),
        json!(false),
        json!(false),
        json!(true),
        json!(2),
    ];
    assert_eq!(members(&told), expected);
    change(Details {
        disabled: Some(false),
        expired: Some(false),
        ..Details::default()
    });
    for _ in 0..3 {
        let form = [("username", "ann"), ("password", "wrong")];
        client.post("/auth/v3/sign-in").form(&form).send().await;
    }
    let told = read(&client, &bearer, person.id.as_str()).await.ok().json();
    let expected = [
        json!(false),
        json!(true),
        json!(true),
        json!(true),
        json!(false),
        json!(3),
    ];
    assert_eq!(members(&told), expected);
    server.advance(Duration::from_hours(24));
    let bearer = client
        .bearer(&server.register(&server.organization(), &[Role::Service]))
        .await;
    let told = read(&client, &bearer, person.id.as_str()).await.ok().json();
    assert_eq!(told["locked"], false);
}

#[tokio::test]
async fn a_user_is_seen_when_signing_in_and_refreshing_also_after_a_restart() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = service(&server, &client).await;
    let last_seen = async |client: &Client, bearer: &str, id: &str| {
        let told = read(client, bearer, id).await.ok().json();
        told["lastSeenAt"].as_str().map(str::to_owned)
    };
    let user = admin(&server);
    assert_eq!(last_seen(&client, &bearer, user.id.as_str()).await, None);
    server.advance(Duration::from_secs(1));
    signed_in_as(&server, &user, "customer", "*");
    let at = last_seen(&client, &bearer, user.id.as_str()).await;
    assert_eq!(at.as_deref(), Some("2026-11-21T12:00:01Z"));

    let party = Party::of(&server, &client);
    let reply = party.tokens(&[]).await;
    server.advance(Duration::from_mins(5));
    party
        .refresh(reply["refresh_token"].as_str().unwrap())
        .await
        .ok();
    let person = party.person.id.as_str();
    let at = last_seen(&client, &bearer, person).await;
    assert_eq!(at.as_deref(), Some("2026-11-21T12:05:01Z"));

    jobs::keep_seen(&server.appliance).await.unwrap();
    assert_eq!(server.count("users_seen"), 2);
    let at = last_seen(&client, &bearer, person).await;
    assert_eq!(at.as_deref(), Some("2026-11-21T12:05:01Z"));
    let server = server.restart().await;
    let client = Client::of(&server);
    let at = last_seen(&client, &bearer, person).await;
    assert_eq!(at.as_deref(), Some("2026-11-21T12:05:01Z"));
}
