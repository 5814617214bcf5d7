//! `GET` and `POST /auth/v3/sign-out`: what ends, where the browser is sent, and that no cookie does it alone.

use crate::support::accounts::{SignedIn, admin, change_client, signed_in_as};
use crate::support::client::{Answer, Client};
use crate::support::server::Server;

const PATH: &str = "/auth/v3/sign-out";

fn signed_in(server: &Server) -> SignedIn {
    signed_in_as(server, &admin(server), "customer", "*")
}

async fn pings(client: &Client, cookie: &str, value: &str) -> bool {
    let request = client.get("/auth/v3/ping");
    let cookie = format!("__Host-admit-{cookie}={value}");
    match request.header("cookie", &cookie).send().await.status {
        200 => true,
        403 => false,
        other => panic!("{other}"),
    }
}

/// Everything of a sign-in is alive, or dead.
async fn is_signed_in(client: &Client, made: &SignedIn) -> bool {
    let token = client.is_alive(&made.token).await;
    assert_eq!(pings(client, "ping", &made.ping).await, token);
    assert_eq!(pings(client, "session", &made.session).await, token);
    token
}

fn is_done(answer: &Answer) {
    assert_eq!(answer.text, r#"{"status":{"code":0}}"#);
    assert!(answer.header("location").is_empty());
    takes_the_cookies(answer);
}

fn takes_the_cookies(answer: &Answer) {
    let mut taken: Vec<_> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().unwrap().to_owned())
        .collect();
    taken.sort();
    let gone = "=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
    let names = ["__Host-admit-ping", "__Host-admit-session"];
    assert_eq!(taken, names.map(|name| format!("{name}{gone}")));
}

#[tokio::test]
async fn signing_out_ends_this_sign_in_for_the_next_request_and_no_other() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for method in ["GET", "POST"] {
        for query in ["", "?global=false"] {
            let (made, other) = (signed_in(&server), signed_in(&server));
            let path = format!("{PATH}{query}");
            let request = client.request(method, &path).bearer(&made.token);
            is_done(&request.send().await.ok());
            assert!(!is_signed_in(&client, &made).await, "{method} {query}");
            assert!(is_signed_in(&client, &other).await, "{method} {query}");
            let again = client.request(method, &path).bearer(&made.token);
            let again = again.send().await;
            again.is(401, "invalid_token");
            assert_eq!(again.json()["status"]["code"], 520);
            assert!(again.header("set-cookie").is_empty());
        }
    }
}

#[tokio::test]
async fn signing_out_globally_ends_everything_of_the_user_and_of_nobody_else() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let backend = client.bearer(&server.first_client()).await;
    for method in ["GET", "POST"] {
        let (made, other) = (signed_in(&server), signed_in(&server));
        let request = client.request(method, &format!("{PATH}?global=true"));
        // As the vendor's client sends it: a type, a key and no content.
        let request = request.bearer(&made.token).header("x-api-key", "key");
        is_done(&request.body("application/json", "").send().await.ok());
        assert!(!is_signed_in(&client, &made).await, "{method}");
        assert!(!is_signed_in(&client, &other).await, "{method}");
        assert!(client.is_alive(&backend).await, "{method}");
        assert!(is_signed_in(&client, &signed_in(&server)).await, "{method}");
    }
    let wrong = client.get(&format!("{PATH}?global=maybe")).bearer(&backend);
    wrong.send().await.is(400, "invalid_request");
    assert!(client.is_alive(&backend).await);
}

#[tokio::test]
async fn a_customers_refresh_token_ends_with_its_sign_in() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let backend = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&backend, "MULTI_USE_TICKET").await;
    let login = client.login(&ticket).await.ok();
    let request = client.post(PATH).bearer(&login.member("access_token"));
    request.send().await.ok();
    let refreshed = client.refresh(&login.member("refresh_token")).await;
    refreshed.is(400, "invalid_grant");
    client.login(&ticket).await.ok();

    client.post(PATH).bearer(&backend).send().await.ok();
    assert!(!client.is_alive(&backend).await, "a client's own token");
}

const REGISTERED: &str = "https://app.example.org/bye?from=admit";

/// Addresses somebody might take for the registered one.
fn near_misses() -> Vec<String> {
    let (origin, rest) = REGISTERED.split_at("https://app.example.org".len());
    let mut all: Vec<String> = [
        "/",
        "/bye",
        "/bye?",
        "/bye?from=admit&",
        "/bye?from=admit#",
        "/BYE?from=admit",
        "/bye/?from=admit",
        "/./bye?from=admit",
        "/x/../bye?from=admit",
        "/%62ye?from=admit",
        "/bye?from=%61dmit",
        "//bye?from=admit",
        "/bye;x?from=admit",
        "/bye?from=admit\r\nX: y",
    ]
    .map(|rest| format!("{origin}{rest}"))
    .to_vec();
    let origins = [
        "http://app.example.org",
        "HTTPS://app.example.org",
        "https://APP.example.org",
        "https://app.example.org:443",
        "https://app.example.org.",
        "https://app.example.org.evil.example",
        "https://evil.example",
        "https://app.example.org@evil.example",
        "https://user@app.example.org",
        "https://app.example.org\\@evil.example",
        "//app.example.org",
        "https:app.example.org",
        "https:/app.example.org",
        "https:///app.example.org",
        "\u{a0}https://app.example.org",
        " https://app.example.org",
        "javascript:alert(1)//app.example.org",
        "https://\u{430}pp.example.org",
        "https://app.example.org%00",
        "https://app.example.org\t",
    ];
    all.extend(origins.map(|origin| format!("{origin}{rest}")));
    // One byte changed, doubled or missing, at every place.
    for at in 0..REGISTERED.len() {
        let (before, after) = REGISTERED.split_at(at);
        all.push(format!("{before}{}", &after[1..]));
        all.push(format!("{before}{}{after}", &after[..1]));
        all.push(format!("{before}~{}", &after[1..]));
        all.push(format!("{before}\u{0}{after}"));
        all.push(format!(
            "{before}%{:02X}{}",
            after.as_bytes()[0],
            &after[1..]
        ));
    }
    // A letter before its double is the same text without either.
    all.retain(|text| text != REGISTERED);
    all
}

fn asking(uri: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("redirectUri", uri)
        .finish();
    format!("{PATH}?{query}")
}

#[tokio::test]
async fn o8_the_browser_is_sent_only_to_the_address_its_client_registered() {
    let server = Server::start().await;
    let client = Client::of(&server);
    change_client(&server, "customer", |client| {
        client.post_logout_redirect_uris = vec![REGISTERED.into()];
        client.redirect_uris = vec!["https://app.example.org/code".into()];
    });
    let made = signed_in(&server);
    let request = client.get(&asking(REGISTERED)).bearer(&made.token);
    let sent = request.send().await;
    assert_eq!((sent.status, sent.header("location")), (302, REGISTERED));
    takes_the_cookies(&sent);
    assert!(!is_signed_in(&client, &made).await);

    // As official clients send addresses: not escaped.
    let made = signed_in(&server);
    let bare = format!("{PATH}?redirectUri={REGISTERED}");
    let sent = client.get(&bare).bearer(&made.token).send().await;
    assert_eq!((sent.status, sent.header("location")), (302, REGISTERED));

    // Another client's address, and one registered for codes.
    let other = signed_in_as(&server, &admin(&server), &server.first_client().id, "*");
    let elsewhere = client.get(&asking(REGISTERED)).bearer(&other.token);
    is_done(&elsewhere.send().await.ok());
    let made = signed_in(&server);
    let code = asking("https://app.example.org/code");
    is_done(&client.get(&code).bearer(&made.token).send().await.ok());
}

#[tokio::test]
async fn o8_no_near_miss_of_it_sends_anybody_anywhere() {
    let server = Server::start().await;
    let client = Client::of(&server);
    change_client(&server, "customer", |client| {
        client.post_logout_redirect_uris = vec![REGISTERED.into()];
    });
    let misses = near_misses();
    assert!(misses.len() >= 200, "{}", misses.len());
    for (at, miss) in misses.iter().enumerate() {
        let method = if at % 2 == 0 { "GET" } else { "POST" };
        let made = signed_in(&server);
        let request = client.request(method, &asking(miss)).bearer(&made.token);
        let answer = request.send().await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (200, ""),
            "{miss}"
        );
        assert!(!client.is_alive(&made.token).await, "{miss}");
    }
    let made = signed_in(&server);
    let posted = client.post(&asking(REGISTERED)).bearer(&made.token);
    is_done(&posted.send().await.ok());
}

#[tokio::test]
async fn o9_no_cookie_signs_anybody_out_without_the_bearer() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let made = signed_in(&server);
    let cookies = format!(
        "__Host-admit-session={}; __Host-admit-ping={}",
        made.session, made.ping
    );
    for method in ["GET", "POST"] {
        for query in ["", "?global=true"] {
            let request = client.request(method, &format!("{PATH}{query}"));
            let request = request.header("cookie", &cookies);
            let request = request.header("origin", "https://evil.example");
            let answer = request.header("sec-fetch-site", "cross-site").send().await;
            answer.is(401, "unauthorized");
            assert!(answer.header("set-cookie").is_empty());
        }
    }
    assert!(is_signed_in(&client, &made).await);
}

#[tokio::test]
async fn the_browser_forgets_the_same_person_and_nobody_else() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let (made, browser) = (signed_in(&server), signed_in(&server));
    let cookie = |made: &SignedIn| format!("__Host-admit-session={}", made.session);
    let request = client.post(PATH).bearer(&made.token);
    is_done(
        &request
            .header("cookie", &cookie(&browser))
            .send()
            .await
            .ok(),
    );
    assert!(!pings(&client, "session", &browser.session).await);
    assert!(
        client.is_alive(&browser.token).await,
        "only the browser's memory"
    );

    let backend = client.bearer(&server.first_client()).await;
    let browser = signed_in(&server);
    let request = client.post(PATH).bearer(&backend);
    request
        .header("cookie", &cookie(&browser))
        .send()
        .await
        .ok();
    assert!(is_signed_in(&client, &browser).await, "another person's");
}
