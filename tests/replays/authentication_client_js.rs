//! The vendor's authentication-client-js over superagent: version 9 and the historic 1.0.471.

use admit::domain::clients::GrantType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{person, vendors_client};
use crate::support::client::{Answer, Client};
use crate::support::party::AFTER_LOGOUT;
use crate::support::raw;
use crate::support::server::{Credentials, Enrolled, Server};

const HEADERS: &str = "Host: {host}
Accept-Encoding: gzip, deflate
User-Agent: node-superagent/5.3.1
x-api-key: an-api-key
Accept: application/json
Connection: close";

fn basic(id: &str, secret: &str) -> String {
    STANDARD.encode(format!("{id}:{secret}"))
}

/// `retrieveToken`: password grant, Basic, and a `*` that is not escaped.
async fn token(server: &Server, client: &Credentials, person: &Enrolled) -> Answer {
    let form = format!(
        "grant_type=password&username=default%5C{}&password={}&client_id={}&scope=*",
        person.name, person.password, client.id
    );
    let head = format!(
        "POST /auth/v3/oauth/token HTTP/1.1
{HEADERS}
Authorization: Basic {}
Content-Type: application/x-www-form-urlencoded
Content-Length: {}",
        basic(&client.id, &client.secret),
        form.len()
    );
    raw::say(server, &head, &form).await
}

/// Its cookie jar keeps what the final answer of a call sets.
fn jar(answer: &Answer) -> String {
    let lines = answer.headers.get_all("set-cookie").iter();
    let pairs = lines.map(|line| line.to_str().unwrap().split(';').next().unwrap());
    pairs.collect::<Vec<_>>().join("; ")
}

/// `ping`, with the jar and without an Authorization header.
async fn ping(server: &Server, jar: &str) -> Answer {
    let cookie = if jar.is_empty() {
        String::new()
    } else {
        format!("\nCookie: {jar}")
    };
    let head =
        format!("GET /auth/v3/ping HTTP/1.1\n{HEADERS}\nContent-Type: application/json{cookie}");
    raw::say(server, &head, "").await
}

/// `signOut`, with a scheme in lower case and no body.
async fn sign_out(server: &Server, query: &str, bearer: &str, method: &str) -> Answer {
    let length = if method == "POST" {
        "\nContent-Length: 0"
    } else {
        ""
    };
    let head = format!(
        "{method} /auth/v3/sign-out?{query} HTTP/1.1
{HEADERS}
Authorization: bearer {bearer}
Content-Type: application/json{length}"
    );
    raw::say(server, &head, "").await
}

#[tokio::test]
async fn a_token_call_gives_what_the_client_reads_and_a_jar_that_pings() {
    let server = Server::start().await;
    let client = vendors_client(&server, &[GrantType::Password]);
    let person = person(&server);
    let answer = token(&server, &client, &person).await.ok();
    let reply = answer.json();
    assert_eq!(
        reply["token_type"], "bearer",
        "a shell script compares it with jq"
    );
    assert_eq!(reply["scope"], "*");
    let seconds = reply["expires_in"].as_u64().unwrap();
    assert!((43_199..=43_200).contains(&seconds));
    for member in ["access_token", "refresh_token"] {
        assert!(!reply[member].as_str().unwrap().is_empty(), "{member}");
    }
    let jar = jar(&answer);
    assert!(jar.starts_with("__Host-admit-ping="), "{jar}");
    assert!(
        !jar.contains("session"),
        "it would let others sign a browser in: {jar}"
    );
    let pinged = ping(&server, &jar).await.ok();
    assert_eq!(pinged.json()["status"]["code"], 0);
    ping(&server, "").await.is(403, "access_denied");

    let bearer = answer.member("access_token");
    let done = sign_out(&server, "global=true", &bearer, "POST").await.ok();
    assert_eq!(done.text, r#"{"status":{"code":0}}"#);
    ping(&server, &jar).await.is(403, "access_denied");
    let again = sign_out(&server, "global=true", &bearer, "POST").await;
    again.is(401, "invalid_token");
}

#[tokio::test]
async fn authorize_leads_to_the_sign_in_page_which_answers_whatever_is_accepted() {
    let server = Server::start().await;
    let client = vendors_client(&server, &[]);
    let head = format!(
        "GET /auth/v3/oauth/authorize?client_id={}&hideTenant=true&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fback&response_type=code&scope=%2A HTTP/1.1
{HEADERS}
Content-Type: application/json",
        client.id
    );
    let answer = raw::say(&server, &head, "").await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    let page = answer.header("location");
    assert!(page.starts_with("/auth/sign-in.html?"), "{page}");
    let shown = async |page: &str| {
        let head = format!("GET {page} HTTP/1.1\n{HEADERS}");
        raw::say(&server, &head, "").await.ok()
    };
    let hidden = shown(page).await;
    assert!(hidden.header("content-type").starts_with("text/html"));
    let field = "name=\"tenant\"";
    assert!(!hidden.text.contains(field), "{}", hidden.text);
    let whole = shown(&page.replace("hideTenant=true", "hideTenant=false")).await;
    assert!(whole.text.contains(field), "{}", whole.text);
}

#[tokio::test]
async fn sign_out_by_get_sends_the_browser_on_or_answers() {
    let server = Server::start().await;
    let client = vendors_client(&server, &[GrantType::Password]);
    let person = person(&server);
    let browser = Client::of(&server);
    let escaped = "global=false&redirectUri=https%3A%2F%2Fapp.example.org%2Fbye";
    let bearer = token(&server, &client, &person)
        .await
        .ok()
        .member("access_token");
    let sent = sign_out(&server, escaped, &bearer, "GET").await;
    assert_eq!((sent.status, sent.header("location")), (302, AFTER_LOGOUT));
    assert!(!browser.is_alive(&bearer).await);
    let bearer = token(&server, &client, &person)
        .await
        .ok()
        .member("access_token");
    let other = "global=false&redirectUri=http%3A%2F%2Fevil.example";
    let stays = sign_out(&server, other, &bearer, "GET").await.ok();
    assert_eq!(stays.header("location"), "");
    assert_eq!(stays.json()["status"]["code"], 0);
    assert!(!browser.is_alive(&bearer).await);
}

#[tokio::test]
async fn user_info_answers_in_the_members_the_models_require() {
    let server = Server::start().await;
    let client = vendors_client(&server, &[GrantType::Password]);
    let person = person(&server);
    let bearer = token(&server, &client, &person)
        .await
        .ok()
        .member("access_token");
    for path in [
        "/auth/v3/userinfo",
        "/auth/v3/openid/userinfo",
        "/auth/v3/jwt-userinfo",
    ] {
        let head = format!(
            "GET {path} HTTP/1.1\n{HEADERS}\nAuthorization: bearer {bearer}\nContent-Type: application/json"
        );
        let answer = raw::say(&server, &head, "").await.ok();
        let body = answer.json();
        match path {
            "/auth/v3/userinfo" => {
                assert!(body["authorities"].is_array(), "{body}");
                assert!(body["username"].is_string(), "{body}");
            }
            "/auth/v3/openid/userinfo" => assert!(body["authorities"].is_array(), "{body}"),
            _ => {
                assert_eq!(body["status"]["code"], 0);
                assert!(!answer.header("x-gws-user").is_empty());
            }
        }
    }
}

#[tokio::test]
async fn the_historic_version_signs_in_by_form_and_goes_on_with_its_waiting_request() {
    let server = Server::start().await;
    let client = vendors_client(&server, &[]);
    let person = person(&server);
    let head = format!(
        "GET /auth/v3/oauth/authorize?client_id={}&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fback&response_type=code&scope=%2A HTTP/1.1\n{HEADERS}",
        client.id
    );
    let waiting = raw::say(&server, &head, "").await;
    let form = format!(
        "username=default%5C{}&password={}",
        person.name, person.password
    );
    let head = format!(
        "POST /auth/v3/sign-in HTTP/1.1
{HEADERS}
Content-Type: application/x-www-form-urlencoded
Cookie: {}
Content-Length: {}",
        jar(&waiting),
        form.len()
    );
    let answer = raw::say(&server, &head, &form).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    let on = answer.header("location").to_owned();
    assert!(on.starts_with("/auth/v3/oauth/authorize?"), "{on}");
    let head = format!("GET {on} HTTP/1.1\n{HEADERS}\nCookie: {}", jar(&answer));
    let sent = raw::say(&server, &head, "").await;
    assert_eq!(sent.status, 302, "{}", sent.text);
    assert!(
        sent.header("location")
            .starts_with("http://localhost:8080/back?code=")
    );
}
