//! `POST /auth/v3/auth-scheme`: one answer for everyone.

use serde_json::json;

use crate::support::client::Client;
use crate::support::server::Server;

#[tokio::test]
async fn o12_nobody_learns_from_it_who_there_is() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let rows = [
        json!({"data": {"userName": "admin"}}),
        json!({"data": {"userName": "default\\admin"}, "operationId": "1"}),
        json!({"data": {"userName": "nobody", "tenant": "nowhere"}}),
    ];
    for body in rows {
        let answer = client.post("/auth/v3/auth-scheme").json(&body).send().await;
        let expected = r#"{"status":{"code":0},"data":{"scheme":"basic"}}"#;
        assert_eq!(answer.ok().text, expected, "{body}");
    }
    for body in [
        json!({}),
        json!({"data": {}}),
        json!({"data": "x"}),
        json!({"data": {"userName": 1}}),
    ] {
        let answer = client.post("/auth/v3/auth-scheme").json(&body).send().await;
        answer.is(400, "invalid_request");
        assert_eq!(answer.json()["status"]["code"], 400);
    }
}
