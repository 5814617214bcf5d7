//! The vendor's Node tutorials over `request`: the user's own name and password, and addresses that nobody escaped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{person, vendors_client};
use crate::support::client::Answer;
use crate::support::raw;
use crate::support::server::{Credentials, Enrolled, Server};

async fn authorize(server: &Server, query: &str, user: &str) -> Answer {
    let head = format!(
        "GET /auth/v3/oauth/authorize?{query} HTTP/1.1
x-api-key: an-api-key
Authorization: Basic {}
host: {{host}}
Connection: close",
        STANDARD.encode(user)
    );
    raw::say(server, &head, "").await
}

fn user(person: &Enrolled) -> String {
    format!("default\\{}:{}", person.name, person.password)
}

/// As the tutorials exchange it, with the address as they sent it.
async fn exchange(server: &Server, client: &Credentials, code: &str, uri: &str) -> Answer {
    let form = format!(
        "grant_type=authorization_code&code={code}&client_id={}&redirect_uri={uri}",
        client.id
    );
    let head = format!(
        "POST /auth/v3/oauth/token HTTP/1.1
x-api-key: an-api-key
Authorization: Basic {}
content-type: application/x-www-form-urlencoded
host: {{host}}
content-length: {}
Connection: close",
        STANDARD.encode(format!("{}:{}", client.id, client.secret)),
        form.len()
    );
    raw::say(server, &head, &form).await
}

#[tokio::test]
async fn a_users_basic_gets_a_code_at_an_address_without_a_path_and_no_slash_is_added() {
    let server = Server::start().await;
    let client = vendors_client(&server, &[]);
    let person = person(&server);
    let query = format!(
        "response_type=code&client_id={}&redirect_uri=http://localhost",
        client.id
    );
    let answer = authorize(&server, &query, &user(&person)).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    let location = answer.header("location");
    let code = location.strip_prefix("http://localhost?code=");
    let code = code.unwrap_or_else(|| panic!("{location}"));
    let code = code.split('&').next().unwrap();
    let reply = exchange(&server, &client, code, "http://localhost")
        .await
        .ok()
        .json();
    assert_eq!(reply["token_type"], "bearer");
    assert_eq!(reply["scope"], "*");
    assert!(reply["expires_in"].as_u64().unwrap() >= 43_199);
    for member in ["access_token", "refresh_token"] {
        assert!(reply[member].is_string(), "{member}: {reply}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_a_401_and_a_strange_address_is_answered_on_the_spot() {
    let server = Server::start().await;
    let client = vendors_client(&server, &[]);
    let person = person(&server);
    let query = format!(
        "response_type=code&client_id={}&redirect_uri=http://localhost",
        client.id
    );
    let wrong = format!("default\\{}:wrong", person.name);
    let answer = authorize(&server, &query, &wrong).await;
    answer.is(401, "unauthorized");
    assert_eq!(answer.json()["status"]["code"], 520);
    let strange = query.replace("http://localhost", "http://evil.example");
    let answer = authorize(&server, &strange, &user(&person)).await;
    answer.is(400, "invalid_request");
    assert_eq!(answer.header("location"), "");
}
