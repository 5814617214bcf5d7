//! `POST /auth/v3/sign-in`: the vendor's historic form, for software; no other site can post it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::accounts::{admin, admin_password, change_user};
use crate::support::client::{Answer, Client, Request};
use crate::support::server::Server;

const PATH: &str = "/auth/v3/sign-in";
const PAGE: &str = "/auth/sign-in.html";

fn form<'c>(client: &'c Client, name: &str, password: &str) -> Request<'c> {
    let form = [("username", name), ("password", password)];
    client.post(PATH).form(&form)
}

/// What the answer sets under this name.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let lines = answer.headers.get_all("set-cookie").iter();
    let start = format!("__Host-admit-{name}=");
    let mut lines = lines.filter_map(|line| line.to_str().unwrap().strip_prefix(&start));
    let line = lines.next()?;
    assert!(line.contains("; Path=/; Secure; HttpOnly; SameSite=Lax"));
    Some(line.split(';').next().unwrap().to_owned())
}

fn sent(answer: &Answer) -> &str {
    assert_eq!(answer.status, 302, "{}", answer.text);
    answer.header("location")
}

async fn pings(client: &Client, session: &str) -> bool {
    let request = client.get("/auth/v3/ping");
    let cookie = format!("__Host-admit-session={session}");
    request.header("cookie", &cookie).send().await.status == 200
}

#[tokio::test]
async fn a_right_password_begins_a_session_that_another_replaces() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let password = admin_password(&server);
    let first = form(&client, "default\\admin", &password).send().await;
    assert_eq!(sent(&first), PAGE);
    let session = cookie(&first, "session").unwrap();
    assert!(pings(&client, &session).await);
    let device = cookie(&first, "device").unwrap();
    assert!(!device.is_empty());

    let form = [
        ("username", "admin"),
        ("password", &*password),
        ("tenant", "default"),
    ];
    let second = client.post(PATH).form(&form);
    let kept = format!("__Host-admit-session={session}; __Host-admit-device={device}");
    let second = second.header("cookie", &kept).send().await;
    sent(&second);
    let other = cookie(&second, "session").unwrap();
    assert!(pings(&client, &other).await);
    assert!(!pings(&client, &session).await, "the session before");
}

#[tokio::test]
async fn a_waiting_request_goes_on_and_waits_on_after_a_mistake() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let password = admin_password(&server);
    let query = "client_id=c&redirect_uri=https%3A%2F%2Fa%2Fb%3Fc&state=%F0%9F%98%80";
    for (front, path) in [("auth_v3", "/auth/v3"), ("security", "/security")] {
        let whole = format!("{query}&front={front}");
        let kept = format!("__Host-admit-waiting={}", URL_SAFE_NO_PAD.encode(&whole));
        let wrong = form(&client, "admin", "x").header("cookie", &kept);
        let wrong = wrong.send().await;
        assert_eq!(sent(&wrong), format!("{PAGE}?{whole}&error=wrong"));
        assert!(wrong.header("set-cookie").is_empty());
        let right = form(&client, "admin", &password).header("cookie", &kept);
        let right = right.send().await;
        assert_eq!(sent(&right), format!("{path}/oauth/authorize?{query}"));
        assert_eq!(cookie(&right, "waiting").as_deref(), Some(""));
    }
    for rubbish in ["!", "aHR0cHM6Ly9ldmlsLmV4YW1wbGU", "DQpYOiB5"] {
        let kept = format!("__Host-admit-waiting={rubbish}");
        let right = form(&client, "admin", &password).header("cookie", &kept);
        assert_eq!(sent(&right.send().await), PAGE, "{rubbish}");
    }
}

#[tokio::test]
async fn o12_unknown_wrong_and_disabled_look_the_same() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let password = admin_password(&server);
    let wrong = form(&client, "admin", "x").send().await;
    let unknown = form(&client, "nobody", "x").send().await;
    let nowhere = form(&client, "nowhere\\admin", &password).send().await;
    change_user(&server, &admin(&server), |user| {
        user.disabled = Some(user.created_at);
    });
    let disabled = form(&client, "admin", &password).send().await;
    for answer in [wrong, unknown, nowhere, disabled] {
        assert_eq!(sent(&answer), format!("{PAGE}?error=wrong"));
        assert!(answer.header("set-cookie").is_empty());
        assert!(answer.text.is_empty());
    }
}

#[tokio::test]
async fn an_expired_password_leads_to_the_page_and_opens_nothing() {
    let server = Server::start().await;
    let client = Client::of(&server);
    change_user(&server, &admin(&server), |user| {
        user.password_expired = true;
    });
    let answer = form(&client, "admin", &admin_password(&server))
        .send()
        .await;
    assert_eq!(sent(&answer), format!("{PAGE}?error=expired"));
    assert!(answer.header("set-cookie").is_empty());
}

#[tokio::test]
async fn o9_no_other_site_signs_anybody_in() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let password = admin_password(&server);
    let own = server.appliance.base().origin();
    let origin = |value: &'static str| ("origin", value.to_owned());
    let site = |value: &'static str| ("sec-fetch-site", value.to_owned());
    let foreign = [
        vec![origin("https://evil.example")],
        vec![origin("null")],
        vec![origin("")],
        vec![("origin", format!("{own}.evil.example"))],
        vec![("origin", own.replace("https", "http"))],
        vec![site("cross-site")],
        vec![site("same-site")],
        vec![site("none"), origin("https://evil.example")],
        vec![site("cross-site"), ("origin", own.clone())],
    ];
    for headers in foreign {
        let mut request = form(&client, "admin", &password);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let answer = request.send().await;
        answer.is(403, "access_denied");
        assert!(answer.header("set-cookie").is_empty(), "{headers:?}");
    }
    for headers in [
        vec![("origin", own.clone())],
        vec![site("same-origin"), ("origin", own.clone())],
        vec![site("none")],
    ] {
        let mut request = form(&client, "admin", &password);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        assert_eq!(sent(&request.send().await), PAGE, "{headers:?}");
    }
}

#[tokio::test]
async fn a_name_and_a_password_come_in_the_form_and_nowhere_else() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let password = admin_password(&server);
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("username", "admin")
        .append_pair("password", &password)
        .finish();
    let path = format!("{PATH}?{query}");
    client.post(&path).send().await.is(400, "invalid_request");
    for form in [&[("username", "admin")][..], &[("password", "x")], &[]] {
        let answer = client.post(PATH).form(form).send().await;
        answer.is(400, "invalid_request");
    }
    let json = client
        .post(PATH)
        .body("application/json", "{}")
        .send()
        .await;
    json.is(415, "invalid_request");
}
