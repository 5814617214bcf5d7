//! Row O18: a token in a query is refused wherever it is presented, and no log ever shows one.

use crate::support::client::Client;
use crate::support::party::{AUTH_V3, Party};
use crate::support::process::Launch;
use crate::support::server::Server;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::redirect::Policy;

/// Everything that takes a bearer.
const BEARERS: [(&str, &str); 8] = [
    ("GET", "/auth/v3/userinfo"),
    ("GET", "/auth/v3/openid/userinfo"),
    ("GET", "/auth/v3/jwt-userinfo"),
    ("GET", "/auth/v3/sign-out"),
    ("POST", "/auth/v3/sign-out"),
    ("GET", "/oidc/userinfo"),
    ("POST", "/oidc/userinfo"),
    ("POST", "/security/ticket"),
];

#[tokio::test]
async fn o18_a_token_in_a_query_is_refused_with_400_even_beside_the_right_header() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let made = party.tokens(&[]).await;
    let token = made["access_token"].as_str().unwrap();
    for (method, path) in BEARERS {
        for query in [
            format!("access_token={token}"),
            format!("%61ccess_token={token}"),
            format!("a=b&access_token={token}"),
            "access_token=".into(),
        ] {
            let path = format!("{path}?{query}");
            let alone = client.request(method, &path).send().await;
            assert_eq!(alone.status, 400, "{method} {path:.60}: {alone:?}");
            let beside = client.request(method, &path).bearer(token).send().await;
            assert_eq!(beside.status, 400, "{method} {path:.60}: {beside:?}");
        }
    }
    let ping = client.get(&format!("/auth/v3/ping?access_token={token}"));
    assert!(ping.send().await.status >= 400);
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        let request = client.post(&format!("{path}?token={token}"));
        let request = request.basic(&party.credentials.id, &party.credentials.secret);
        request.send().await.is(400, "invalid_request");
    }
    assert!(
        client.is_alive(token).await,
        "and nothing was signed out or revoked"
    );
}

/// Another text that must not be found.
fn canary(canaries: &mut Vec<String>) -> String {
    let text = format!("canary-{}", canaries.len());
    canaries.push(text.clone());
    text
}

#[tokio::test]
async fn o18_no_secret_of_a_request_is_in_the_log_at_its_most_talkative() {
    let data = tempfile::tempdir().unwrap();
    let mut process = Launch::on(data.path())
        .with("ADMIT_LOG_LEVEL", "trace")
        .start();
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(
            &std::fs::read(data.path().join("tls/ca.pem")).unwrap(),
        )
        .unwrap()])
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let mut canaries = Vec::new();
    let queries = [
        ("GET", "/auth/v3/userinfo?access_token="),
        ("GET", "/oidc/userinfo?access_token="),
        ("GET", "/auth/v3/ping?access_token="),
        ("POST", "/auth/v3/sign-out?access_token="),
        ("POST", "/security/oauth/token?refresh_token="),
        ("POST", "/auth/v3/oauth/token?password="),
        ("POST", "/oauth/introspect?token="),
        ("POST", "/oauth/revoke?token="),
        ("GET", "/oidc/logout?id_token_hint="),
        ("GET", "/security/oauth/authorize?code_challenge="),
        ("GET", "/auth/v3/oauth/authorize?client_secret="),
        ("GET", "/auth/sign-in.html?password="),
        ("GET", "/security/ticket/"),
        ("GET", "/nothing/here/"),
        ("GET", "/nothing?x="),
    ];
    for (method, path) in queries {
        let canary = canary(&mut canaries);
        let url = process.url(&format!("{path}{canary}"));
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        client.request(method, url).send().await.unwrap();
    }
    for path in [
        "/auth/v3/userinfo",
        "/auth/v3/ping",
        "/oidc/userinfo",
        "/auth/v3/oauth/authorize?client_id=x&redirect_uri=y",
        "/oauth/introspect",
    ] {
        for scheme in ["Bearer", "Basic", "Digest"] {
            let secret = canary(&mut canaries);
            let shown = STANDARD.encode(format!("admin:{secret}"));
            let value = if scheme == "Basic" { &shown } else { &secret };
            let request = client
                .get(process.url(path))
                .header("authorization", format!("{scheme} {value}"));
            let cookie = format!("__Host-admit-session={}", canary(&mut canaries));
            request.header("cookie", cookie).send().await.unwrap();
            canaries.push(shown.clone());
        }
    }
    drop(client);
    let ended = process.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let log = process.log();
    assert!(
        log.contains("/auth/v3/userinfo"),
        "it is not the log:\n{log}"
    );
    for canary in &canaries {
        assert!(!log.contains(canary.as_str()), "{canary} is in the log");
    }
    assert!(!log.contains("canary-"), "{log}");
}
