//! The imitations of Talkdesk and NICE CXone, whose refresh tokens rotate (wire.md 4.1, 4.2), and the SMS gateway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{answered, stage};

const TALKDESK: &str = "/talkdesk/oauth/token";
const NICE: &str = "/nice/auth/token";

fn with(token: &str) -> [(&'static str, String); 3] {
    [
        ("grant_type", "refresh_token".to_owned()),
        ("scope", "openid".to_owned()),
        ("refresh_token", token.to_owned()),
    ]
}

#[tokio::test]
async fn refresh_tokens_rotate_and_the_presented_one_stays_good() {
    let (stand_ins, client) = stage().await;
    for (path, name) in [(TALKDESK, "talkdesk"), (NICE, "nice")] {
        let url = format!("{}{path}", stand_ins.origin());
        let refreshed = async |token: &str| {
            let asked = client.post(&url).form(&with(token));
            let (id, secret) = (format!("{name}-client"), format!("{name}-secret"));
            answered(asked.basic_auth(id, Some(secret))).await
        };
        let first = format!("{name}-refresh");
        for token in [&first, &first] {
            let (status, body) = refreshed(token).await;
            assert_eq!((status, &body["token_type"]), (200, &json!("Bearer")));
            let next = body["refresh_token"].as_str().unwrap();
            assert_ne!(next, first);
            assert_eq!(refreshed(next).await.0, 200);
        }
        for token in ["bad-refresh", "guessed"] {
            let (status, body) = refreshed(token).await;
            assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
        }
    }
    let crossed = client
        .post(format!("{}{NICE}", stand_ins.origin()))
        .basic_auth("nice-client", Some("nice-secret"))
        .form(&with("talkdesk-refresh"));
    assert_eq!(answered(crossed).await.0, 400);
}

#[tokio::test]
async fn a_wrong_client_is_answered_401() {
    let (stand_ins, client) = stage().await;
    for path in [TALKDESK, NICE] {
        let url = format!("{}{path}", stand_ins.origin());
        let form = with("talkdesk-refresh");
        let genesys = client
            .post(&url)
            .basic_auth("genesys-client", Some("genesys-secret"));
        for asked in [client.post(&url), genesys] {
            let (status, body) = answered(asked.form(&form)).await;
            assert_eq!(
                (status, &body["error"]),
                (401, &json!("invalid_client")),
                "{path}"
            );
        }
    }
    // Talkdesk takes a header alone.
    let mut form = with("talkdesk-refresh").to_vec();
    form.push(("client_id", "talkdesk-client".to_owned()));
    form.push(("client_secret", "talkdesk-secret".to_owned()));
    let url = format!("{}{TALKDESK}", stand_ins.origin());
    assert_eq!(answered(client.post(url).form(&form)).await.0, 401);
}

#[tokio::test]
async fn nice_is_found_by_its_documents_and_names_the_tenant() {
    let (stand_ins, client) = stage().await;
    let issuer = format!("{}/nice", stand_ins.origin());
    let document = format!("{issuer}/.well-known/openid-configuration");
    let (_, found) = answered(client.get(document)).await;
    assert_eq!(found["issuer"], issuer);
    let mut form = with("nice-refresh").to_vec();
    form.push(("client_id", "nice-client".to_owned()));
    form.push(("client_secret", "nice-secret".to_owned()));
    let asked = client
        .post(found["token_endpoint"].as_str().unwrap())
        .form(&form);
    let (status, token) = answered(asked).await;
    assert_eq!((status, &token["expires_in"]), (200, &json!(3600)));
    let claims = token["id_token"]
        .as_str()
        .unwrap()
        .split('.')
        .nth(1)
        .unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["iss"], issuer);
    let tenant = claims["tenantId"].as_str().unwrap();
    let document = format!("{issuer}/.well-known/cxone-configuration?tenantId=");
    let (status, found) = answered(client.get(format!("{document}{tenant}"))).await;
    assert_eq!(
        (status, &found["api_endpoint"]),
        (200, &json!(stand_ins.origin()))
    );
    assert_eq!(
        answered(client.get(format!("{document}other"))).await.0,
        404
    );
}

#[tokio::test]
async fn the_sms_gateway_takes_json_and_forms_and_shows_the_text() {
    let (stand_ins, client) = stage().await;
    let url = format!("{}/sms", stand_ins.origin());
    let text = "Your code is 123456 (Ωμέγα)";
    let message = [("to", "+15550100"), ("text", text), ("code", "123456")];
    let json = json!({ "to": "+15550100", "text": text, "api_key": "hunter2" });
    assert_eq!(answered(client.post(&url).form(&message)).await.0, 200);
    assert_eq!(answered(client.post(&url).json(&json)).await.0, 200);
    let journal = stand_ins.journal();
    assert_eq!(journal.len(), 2);
    assert!(journal.iter().all(|entry| entry.body.contains(text)));
    assert!(journal[0].body.contains("code=123456"));
    assert!(!journal[1].body.contains("hunter2"));

    for body in ["", "{}", "[1]", "no json"] {
        let asked = client.post(&url).header("content-type", "application/json");
        assert_eq!(answered(asked.body(body)).await.0, 400, "{body}");
    }
    assert_eq!(answered(client.post(&url).body("plain")).await.0, 400);
}
