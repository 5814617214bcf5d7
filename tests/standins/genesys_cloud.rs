//! The imitation of Genesys Cloud, call by call (wire.md 4.3).

use std::sync::Arc;
use std::time::Duration;

use admit::kernel::{ManualClock, SeededEntropy};
use admit::standins::{AUTHORIZATION_CODES, QUEUES, Setup, StandIns};
use serde_json::{Value, json};

use super::{BY_CLIENT, answered, by_code, client, genesys_token, stage};
use crate::support::server::{START, at};

const QUEUE_PATH: &str = "/api/v2/routing/queues";
const CALLBACK_PATH: &str = "/api/v2/conversations/callbacks";
const ME_PATH: &str = "/api/v2/users/me?expand=authorization";

#[tokio::test]
async fn a_client_proves_itself_by_header_or_form_at_either_path() {
    let (stand_ins, client) = stage().await;
    for path in ["/oauth/token", "/genesys/login/oauth/token"] {
        let url = format!("{}{path}", stand_ins.origin());
        let header = client.post(&url).form(&BY_CLIENT);
        let header = header.basic_auth("genesys-client", Some("genesys-secret"));
        let form = client.post(&url).form(&[
            ("grant_type", "client_credentials"),
            ("client_id", "genesys-client"),
            ("client_secret", "genesys-secret"),
        ]);
        for asked in [header, form] {
            let (status, token) = answered(asked).await;
            assert_eq!((status, &token["token_type"]), (200, &json!("bearer")));
            assert_eq!(token["expires_in"], 86_399);
        }
    }
}

#[tokio::test]
async fn what_gets_no_token_is_answered_400_with_the_reason_twice() {
    let (stand_ins, client) = stage().await;
    let url = format!("{}/oauth/token", stand_ins.origin());
    let good = Some("genesys-secret");
    for (secret, form, error) in [
        (Some("wrong"), &BY_CLIENT[..], "invalid_client"),
        (None, &BY_CLIENT, "invalid_client"),
        (
            good,
            &[("grant_type", "password")],
            "unsupported_grant_type",
        ),
        (good, &[("a", "b")], "invalid_request"),
        (good, &by_code("guessed-code"), "invalid_grant"),
        (good, &by_code("admin-code")[..2], "invalid_request"),
    ] {
        let asked = client.post(&url).basic_auth("genesys-client", secret);
        let (status, body) = answered(asked.form(form)).await;
        assert_eq!((status, &body["error"]), (400, &json!(error)), "{form:?}");
        assert!(body["description"].is_string());
        assert_eq!(body["description"], body["error_description"]);
    }
}

#[tokio::test]
async fn the_api_wants_a_token_that_is_good() {
    let clock = Arc::new(ManualClock::at(at(START)));
    let setup = Setup {
        clock: Arc::clone(&clock) as _,
        entropy: Arc::new(SeededEntropy::new(7)),
        ..Setup::default()
    };
    let stand_ins = StandIns::with(setup).await.unwrap();
    let client = client(&stand_ins);
    let url = format!("{}{QUEUE_PATH}", stand_ins.origin());
    let (status, body) = answered(client.get(&url)).await;
    assert_eq!(
        (status, &body["code"]),
        (401, &json!("authentication.required"))
    );
    for member in ["message", "messageParams", "contextId", "details", "errors"] {
        assert!(!body[member].is_null(), "{member}");
    }
    assert_eq!(body["status"], 401);

    let token = genesys_token(&stand_ins, &client, &BY_CLIENT).await;
    assert_eq!(answered(client.get(&url).bearer_auth(&token)).await.0, 200);
    clock.advance(Duration::from_secs(86_399));
    for token in [token.as_str(), "guessed"] {
        let (status, body) = answered(client.get(&url).bearer_auth(token)).await;
        assert_eq!((status, &body["code"]), (401, &json!("bad.credentials")));
    }
    assert!(
        stand_ins
            .journal()
            .iter()
            .any(|entry| entry.at == at(START))
    );
}

#[tokio::test]
async fn queues_are_found_by_name_and_page() {
    let (stand_ins, client) = stage().await;
    let token = genesys_token(&stand_ins, &client, &BY_CLIENT).await;
    let listed = async |query: &str| {
        let url = format!("{}{QUEUE_PATH}?{query}", stand_ins.origin());
        let (status, body) = answered(client.get(url).bearer_auth(&token)).await;
        assert_eq!(status, 200, "{query}: {body}");
        body
    };
    let names = |body: &Value| -> Vec<String> {
        let entities = body["entities"].as_array().unwrap().iter();
        let names = entities.map(|queue| queue["name"].as_str().unwrap().to_owned());
        names.collect()
    };
    assert_eq!(names(&listed("name=Support").await), ["Support"]);
    assert_eq!(names(&listed("name=suPPort").await), ["Support"]);
    assert_eq!(names(&listed("name=Sales").await), ["Sales"]);
    assert_eq!(
        names(&listed("name=sales*").await),
        ["Sales", "Sales North"]
    );
    assert_eq!(names(&listed("name=*north").await), ["Sales North"]);
    assert_eq!(names(&listed("name=Twins").await), ["Twins", "Twins"]);
    assert_eq!(names(&listed("name=Nobody").await), [""; 0]);
    let support = &listed("name=Support").await["entities"][0];
    assert_eq!(support["id"], "11111111-1111-4111-8111-111111111111");

    let mut all = Vec::new();
    for (page, size) in [(1, 25), (2, 25), (3, 10), (4, 0)] {
        let body = listed(&format!("name=Queue*&pageNumber={page}")).await;
        assert_eq!(
            (&body["total"], &body["pageCount"], &body["pageSize"]),
            (&json!(60), &json!(3), &json!(25))
        );
        assert_eq!(names(&body).len(), size);
        assert_eq!(body["nextUri"].is_string(), page < 3);
        all.extend(names(&body));
    }
    assert_eq!(
        (all.len(), all[0].as_str(), all[59].as_str()),
        (60, "Queue 01", "Queue 60")
    );
    let whole = listed("pageSize=500").await;
    assert_eq!(names(&whole).len(), 60 + QUEUES.len());

    for query in ["pageSize=0", "pageSize=501", "pageNumber=0", "pageNumber=x"] {
        let url = format!("{}{QUEUE_PATH}?{query}", stand_ins.origin());
        let (status, body) = answered(client.get(url).bearer_auth(&token)).await;
        assert_eq!(
            (status, &body["code"]),
            (400, &json!("bad.request")),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_callback_needs_a_known_queue_and_a_number() {
    let (stand_ins, client) = stage().await;
    let token = genesys_token(&stand_ins, &client, &BY_CLIENT).await;
    let url = format!("{}{CALLBACK_PATH}", stand_ins.origin());
    let created =
        async |command: &Value| answered(client.post(&url).bearer_auth(&token).json(command)).await;
    let support = "11111111-1111-4111-8111-111111111111";
    let number = json!(["+15550100"]);
    for command in [
        json!({ "queueId": support, "callbackNumbers": number }),
        json!({
            "routingData": { "queueId": support, "priority": 2 },
            "callbackNumbers": number,
            "callbackUserName": "Alex",
            "callbackScheduledTime": "2026-11-22T10:00:00.000Z",
            "data": { "a": "b" },
        }),
    ] {
        let (status, body) = created(&command).await;
        assert_eq!(status, 200, "{body}");
        let id = body["conversation"]["id"].as_str().unwrap();
        let uri = format!("/api/v2/conversations/{id}");
        assert_eq!(body["conversation"]["selfUri"], uri);
        let kinds = |at: usize| body["callbackIdentifiers"][at]["type"].clone();
        assert_eq!([kinds(0), kinds(1)], ["ACD", "EXTERNAL"]);
    }
    for command in [
        json!([]),
        json!({ "callbackNumbers": number }),
        json!({ "queueId": "elsewhere", "callbackNumbers": number }),
        json!({ "queueId": support }),
        json!({ "queueId": support, "callbackNumbers": [] }),
        json!({ "queueId": support, "callbackNumbers": [1] }),
        json!({ "queueId": support, "callbackNumbers": number, "data": { "a": 1 } }),
        json!({ "queueId": support, "callbackNumbers": number, "callbackScheduledTime": "soon" }),
    ] {
        let (status, body) = created(&command).await;
        assert_eq!(
            (status, &body["code"]),
            (400, &json!("bad.request")),
            "{command}"
        );
    }
}

#[tokio::test]
async fn a_code_stands_for_a_person_as_often_as_asked() {
    let (stand_ins, client) = stage().await;
    let me = format!("{}{ME_PATH}", stand_ins.origin());
    let add = json!("integrations:integration:add");
    for code in AUTHORIZATION_CODES {
        for _ in 0..2 {
            let token = genesys_token(&stand_ins, &client, &by_code(code)).await;
            let (status, body) = answered(client.get(&me).bearer_auth(&token)).await;
            assert_eq!(status, 200, "{body}");
            let permissions = body["authorization"]["permissions"].as_array().unwrap();
            assert_eq!(permissions.contains(&add), code == "admin-code", "{code}");
            let agent = permissions.contains(&json!("integration:auviousApps:view"));
            assert_eq!(agent, code != "nobody-code");
        }
    }
    let token = genesys_token(&stand_ins, &client, &by_code("nobody-code")).await;
    let bare = me.replace("?expand=authorization", "");
    let (_, body) = answered(client.get(bare).bearer_auth(&token)).await;
    assert!(body["authorization"].is_null());
    let queues = format!("{}{QUEUE_PATH}", stand_ins.origin());
    let (status, body) = answered(client.get(queues).bearer_auth(&token)).await;
    assert_eq!(
        (status, &body["code"]),
        (403, &json!("missing.any.permissions"))
    );

    let token = genesys_token(&stand_ins, &client, &BY_CLIENT).await;
    let (status, body) = answered(client.get(&me).bearer_auth(&token)).await;
    assert_eq!((status, &body["code"]), (400, &json!("bad.request")));
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("requires a user context")
    );
}

#[tokio::test]
async fn what_is_not_imitated_is_not_found_in_the_vendors_words() {
    let (stand_ins, client) = stage().await;
    let origin = stand_ins.origin();
    let (status, body) = answered(client.get(format!("{origin}/api/v2/users"))).await;
    assert_eq!((status, &body["code"]), (404, &json!("not.found")));
    let (status, body) = answered(client.get(format!("{origin}/oauth/token"))).await;
    assert_eq!((status, &body["error"]), (404, &json!("not_found")));
}
