//! `GET /auth/v3/jwt-userinfo`: one short signed header, whatever the user is called.

use std::time::Duration;

use admit::domain::users::User;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::accounts::{admin, change_client, change_user, claims, head, signed_in_as};
use crate::support::client::{Answer, Client};
use crate::support::server::Server;

async fn asked(client: &Client, bearer: &str) -> Answer {
    let request = client.get("/auth/v3/jwt-userinfo").bearer(bearer);
    let answer = request.send().await.ok();
    assert_eq!(answer.json(), json!({"status": {"code": 0}}));
    let exposed = answer.header("access-control-expose-headers");
    assert_eq!(exposed, "X-GWS-User");
    answer
}

/// The statement, which is there once.
fn statement(answer: &Answer) -> &str {
    assert_eq!(answer.headers.get_all("x-gws-user").iter().count(), 1);
    answer.header("x-gws-user")
}

async fn keys(client: &Client) -> Value {
    let answer = client.get("/.well-known/jwks.json").send().await;
    answer.ok().json()
}

/// Judges a statement by the published keys alone.
fn is_signed(keys: &Value, statement: &str) -> bool {
    let head = head(statement);
    let mut keys = keys["keys"].as_array().unwrap().iter();
    let key = keys.find(|key| key["kid"] == head["kid"]).unwrap();
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let public = RsaPublicKeyComponents {
        n: bytes("n"),
        e: bytes("e"),
    };
    let (signed, signature) = statement.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let judged = public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature);
    judged.is_ok()
}

#[tokio::test]
async fn o20_the_details_come_in_one_signed_header_good_for_a_minute() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let user = change_user(&server, &admin(&server), |user| {
        user.first_name = Some("Ada \u{1f600}\r\nX-Evil: 1".into());
    });
    let made = signed_in_as(&server, &user, "customer", "*");
    let answer = asked(&client, &made.token).await;
    let statement = statement(&answer);
    assert!(is_signed(&keys(&client).await, statement));
    let head = head(statement);
    assert_eq!(
        (&head["alg"], &head["typ"]),
        (&json!("RS256"), &json!("userinfo+jwt"))
    );
    let told = claims(statement);
    let issued = told["iat"].as_i64().unwrap();
    let base = server.appliance.base();
    let expected = json!({
        "iss": format!("{base}/auth/v3"), "sub": user.id.as_str(), "iat": issued, "exp": issued + 60,
        "authorities": ["ROLE_AGENT", "ROLE_SUPERVISOR", "ROLE_ADMIN"],
        "cmeUserName": "admin", "loginName": "admin", "dbid": user.dbid,
        "contactCenterId": user.organization.as_str(),
        "username": format!("admin-{}@{}", user.dbid, user.organization),
        "properties": {"firstName": "Ada \u{1f600}\r\nX-Evil: 1"},
    });
    assert_eq!(told, expected);
    assert!(answer.header("x-evil").is_empty());
}

#[tokio::test]
async fn o20_a_statement_is_no_token_and_ends_with_the_one_it_came_of() {
    let server = Server::start().await;
    let client = Client::of(&server);
    change_client(&server, "customer", |client| {
        client.access_seconds = Some(90);
    });
    let made = signed_in_as(&server, &admin(&server), "customer", "*");
    let answer = asked(&client, &made.token).await;
    assert!(!client.is_alive(statement(&answer)).await);
    server.advance(Duration::from_secs(70));
    let told = claims(statement(&asked(&client, &made.token).await));
    assert_eq!(told["exp"], claims(&made.token)["exp"]);
    server.advance(Duration::from_secs(20));
    let late = client.get("/auth/v3/jwt-userinfo").bearer(&made.token);
    let late = late.send().await;
    late.is(401, "invalid_token");
    assert!(late.header("x-gws-user").is_empty());
}

/// Text of every kind that has ever broken a header.
fn hostile() -> impl Strategy<Value = Option<String>> {
    let kinds = prop_oneof![
        ".{0,2000}",
        "[\0-\x1f]{0,1500}",
        "[\r\n\t :;,\"\\\\]{0,4000}",
        "\\PC{0,1200}",
        "[\u{4e00}-\u{9fff}]{0,3000}",
    ];
    prop::option::of(kinds)
}

fn called(user: &mut User, names: (Option<String>, Option<String>, Option<String>)) {
    (user.first_name, user.last_name, user.email) = names;
}

#[tokio::test]
async fn o20_no_name_makes_it_long_or_leaves_it() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let keys = keys(&client).await;
    let usual = admin(&server);
    let mut runner = TestRunner::deterministic();
    for _ in 0..40 {
        let names = (hostile(), hostile(), hostile()).new_tree(&mut runner);
        let names = names.unwrap().current();
        let user = change_user(&server, &usual, |user| called(user, names));
        let made = signed_in_as(&server, &user, "customer", "*");
        let answer = asked(&client, &made.token).await;
        let statement = statement(&answer);
        assert!(statement.len() <= 4_096, "{}", statement.len());
        assert!(is_signed(&keys, statement));
        let told = claims(statement);
        assert_eq!(told["sub"], user.id.as_str());
        for (name, value) in [("firstName", &user.first_name), ("email", &user.email)] {
            let kept = &told["properties"][name];
            assert!(kept.is_null() || kept.as_str() == value.as_deref());
        }
    }
}

#[tokio::test]
async fn a_client_has_a_statement_too_and_nobody_has_none() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let bearer = client.bearer(&first).await;
    let told = claims(statement(&asked(&client, &bearer).await));
    assert_eq!(told["username"], first.id.as_str());
    assert_eq!(told["sub"], format!("client:{}", first.id));
    let nobody = client.get("/auth/v3/jwt-userinfo").send().await;
    nobody.is(401, "unauthorized");
    assert_eq!(nobody.json()["status"]["code"], 520);
}
