//! `contract/endpoints.txt` against the live routes: each path, method and status, and 405 for every other method.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::client::Client;
use crate::support::server::Server;

const ENDPOINTS: &str = include_str!("contract/endpoints.txt");
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
];

/// The published endpoints: method, path, status of success.
fn endpoints() -> Vec<(&'static str, &'static str, u16)> {
    let lines = ENDPOINTS.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            (words[0], words[1], words[2].parse().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn every_endpoint_answers_its_documented_success() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let bearer = client.bearer(&first).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let endpoints = endpoints();
    assert!(endpoints.len() >= 13, "the list was not read");
    for (method, path, status) in endpoints {
        let request = client.request(method, &path.replace("{ticketId}", &ticket));
        let request = match (method, path) {
            ("POST", "/security/oauth/token") => request
                .basic(&first.id, &first.secret)
                .form(&[("grant_type", "client_credentials")]),
            ("POST", "/security/ticket") => request
                .bearer(&bearer)
                .json(&json!({"type": "MULTI_USE_TICKET", "properties": {}})),
            ("PUT", _) => request.bearer(&bearer).json(&json!({"properties": {}})),
            _ => request.bearer(&bearer),
        };
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn every_other_method_is_told_which_there_are() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (method, path, _) in endpoints() {
        paths.entry(path).or_default().push(method);
    }
    for (path, served) in &paths {
        for method in METHODS
            .into_iter()
            .filter(|method| !served.contains(method))
        {
            let answer = client
                .request(method, &path.replace("{ticketId}", "abc-def"))
                .quiet()
                .await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text);
            let mut allowed: Vec<_> = answer.header("allow").split(", ").collect();
            let mut expected = served.clone();
            allowed.sort_unstable();
            expected.sort_unstable();
            assert_eq!(allowed, expected, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_served_is_a_404_in_its_audiences_words() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let paths = [
        "/",
        "/security",
        "/security/",
        "/security/nothing",
        "/security/ticket/abc-def/nothing",
        "/security/oauth",
        "/auth/v3",
        "/auth/v3/",
        "/auth/v3/nothing",
        "/auth",
        "/rtc-api",
        "/.well-known/nothing",
        "/favicon.ico",
        "/SECURITY/oauth/token",
        "/%2e%2e/etc/passwd",
        "/a/../security/nothing",
    ];
    for path in paths {
        for method in ["GET", "POST"] {
            let answer = client.request(method, path).send().await;
            answer.is(404, "not_found");
        }
    }
}

#[tokio::test]
async fn an_answer_to_head_over_http2_has_no_content_and_breaks_no_stream() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for path in ["/auth/v3/userinfo", "/security/oauth/token_key", "/nothing"] {
        let answer = client.request("HEAD", path).quiet().await;
        assert_eq!(answer.text, "", "{path}");
        assert_ne!(
            answer.header("content-length"),
            "0",
            "{path}: the length of what is left out"
        );
    }
}
