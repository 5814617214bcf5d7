//! The vendor's Postman collection: forms as Postman writes them, and its own assertions on the answers.

use crate::support::raw;
use crate::support::server::Server;

const HEADERS: &str = "User-Agent: PostmanRuntime/7.43.0
Accept: */*
Postman-Token: 0f0e5f7c-58f2-4f5e-9d2a-2f1b7a1c9e11
Host: {host}
Accept-Encoding: gzip, deflate, br
Connection: keep-alive";

#[tokio::test]
async fn the_collection_gets_its_token_room_and_ticket() {
    let server = Server::start().await;
    let first = server.first_client();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        first.id, first.secret
    );
    let head = format!(
        "POST /security/oauth/token HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n{HEADERS}\nContent-Length: {}",
        form.len()
    );
    let answer = raw::say(&server, &head, &form).await;
    assert_eq!(
        answer.status, 200,
        "the collection asks for exactly 200: {}",
        answer.text
    );
    let bearer = answer.member("access_token");

    let post = async |path: &str, body: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\nContent-Type: application/json\nAuthorization: Bearer {bearer}\n{HEADERS}\nContent-Length: {}",
            body.len()
        );
        raw::say(&server, &head, body).await
    };
    let body = "{\r\n    \"mode\": \"ROUTER\",\r\n    \"metadata\": {\r\n        \"participant_limit\": 4\r\n    }\r\n}";
    let room = post("/rtc-api/conferences/create", body).await;
    assert!(matches!(room.status, 200 | 201), "{}", room.text);
    let body = format!(
        "{{\n  \"type\": \"MULTI_USE_TICKET\",\n  \"ttl\": 14400,\n  \"length\": 6,\n  \"properties\": {{ \"conference_id\": \"{}\" }}\n}}",
        room.member("id")
    );
    let ticket = post("/security/ticket", &body).await;
    assert!(matches!(ticket.status, 200 | 201), "{}", ticket.text);
    assert_eq!(ticket.member("id").len(), 7);
}
