//! `/oidc/userinfo`: what is told, to whom, and how a bearer may be shown.

use admit::domain::users::{self, User};
use serde_json::{Value, json};

use super::{ada, kept, token};
use crate::support::client::{Answer, Client};
use crate::support::server::Server;

const PATH: &str = "/oidc/userinfo";

async fn told(client: &Client, bearer: &str) -> Value {
    client.get(PATH).bearer(bearer).send().await.ok().json()
}

#[tokio::test]
async fn oc_5_3_get_and_post_tell_the_same() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = token(&server, "openid", &[]);
    let expected = json!({"sub": ada(&server).id.as_str()});
    assert_eq!(told(&client, &bearer).await, expected);
    let form = [("access_token", bearer.as_str())];
    let ways = [
        client.post(PATH).bearer(&bearer),
        client.post(PATH).bearer(&bearer).form(&[("more", "x")]),
        client.post(PATH).bearer(&bearer).json(&json!({})),
        client.post(PATH).form(&form),
    ];
    for way in ways {
        let answer = way.send().await.ok();
        assert_eq!(answer.json(), expected);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn oc_5_4_each_scope_brings_its_claims_and_a_name_brings_its_own() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let user = ada(&server);
    let profile = json!({
        "name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace",
        "preferred_username": user.name, "locale": "el", "updated_at": user.updated_at.seconds(),
    });
    let email = json!({"email": "ada@example.org", "email_verified": true});
    let phone = json!({"phone_number": "+301234", "phone_number_verified": false});
    let address = json!({"address": {"formatted": "1 Street\nTown"}});
    let rows = [
        ("openid profile", vec![], vec![&profile]),
        ("openid email", vec![], vec![&email]),
        ("phone openid", vec![], vec![&phone]),
        ("openid address", vec![], vec![&address]),
        (
            "openid profile email phone address",
            vec![],
            vec![&profile, &email, &phone, &address],
        ),
        ("openid", vec!["address", "nickname", "sub"], vec![&address]),
    ];
    for (scope, names, expected) in rows {
        let mut all = json!({"sub": user.id.as_str()});
        for claims in expected {
            for (name, value) in claims.as_object().unwrap() {
                all[name] = value.clone();
            }
        }
        let bearer = token(&server, scope, &names);
        assert_eq!(told(&client, &bearer).await, all, "{scope} {names:?}");
    }
}

#[tokio::test]
async fn bt_2_o18_a_bearer_is_shown_in_one_way_and_never_in_the_query() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = token(&server, "openid", &[]);
    let form = [("access_token", bearer.as_str())];
    let query = format!("{PATH}?access_token={bearer}");
    let requests = [
        client.get(&query),
        client.post(&query),
        client.get(&query).bearer(&bearer),
        client.post(&query).form(&form),
        client.post(PATH).bearer(&bearer).form(&form),
        client.post(PATH).form(&[form[0], form[0]]),
    ];
    for request in requests {
        request.send().await.is(400, "invalid_request");
    }
    let elsewhere = client.post("/auth/v3/userinfo").form(&form).send().await;
    assert_eq!(
        elsewhere.status, 405,
        "a form is read at this endpoint alone"
    );
}

#[tokio::test]
async fn bt_3_each_refusal_has_its_code_and_its_challenge() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let nobody = client.get(PATH).send().await;
    assert_eq!(nobody.status, 401);
    assert_eq!(nobody.header("www-authenticate"), "Bearer realm=\"admit\"");
    let answer = client.get(PATH).bearer("nonsense").send().await;
    refused(&answer, 401, "invalid_token");
    let form = client.post(PATH).form(&[("access_token", "nonsense")]);
    refused(&form.send().await, 401, "invalid_token");

    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let customer = client.login(&ticket).await.ok().member("access_token");
    let other_scope = token(&server, "profile email *", &[]);
    for bearer in [bearer, customer, other_scope] {
        let answer = client.get(PATH).bearer(&bearer).send().await;
        refused(&answer, 403, "insufficient_scope");
        assert_eq!(answer.json()["scope"], "openid");
        assert!(
            answer
                .header("www-authenticate")
                .ends_with(", scope=\"openid\"")
        );
    }
}

fn refused(answer: &Answer, status: u16, error: &str) {
    answer.is(status, error);
    let challenge = answer.header("www-authenticate");
    let expected = format!("Bearer realm=\"admit\", error=\"{error}\"");
    assert!(challenge.starts_with(&expected), "{challenge}");
}

#[tokio::test]
async fn of_a_disabled_account_nothing_is_told() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = token(&server, "openid", &[]);
    let user = ada(&server);
    let user = User {
        disabled: Some(user.created_at),
        ..user
    };
    kept(&server, |tx| users::put(tx, &user));
    let answer = client.get(PATH).bearer(&bearer).send().await;
    refused(&answer, 401, "invalid_token");
}
