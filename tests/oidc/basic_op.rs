//! The modules of the Basic OP certification plan (`standards.md` 4.1), each under its own name, against a stock install.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::suite::{Completed, Shown, Suite, bits, is_only_a_page, text};
use crate::support::browser::{Browser, Form};
use crate::support::client::Answer;
use crate::support::party::{CALLBACK, FRONTS, VERIFIER, challenge, header, landed};

/// A little more than a second.
const A_SECOND: Duration = Duration::from_millis(1_001);
const USER_INFO: &str = "/oidc/userinfo";

#[tokio::test]
async fn oidcc_server() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let mut browser = suite.browser();
        let done = suite.completes(&mut browser, &[]).await;
        assert_eq!(done.shown, [Shown::SignIn]);
        assert_eq!(
            suite.user_info(done.bearer()).await,
            json!({"sub": done.id["sub"]})
        );
        let again = suite.completes(&mut browser, &[]).await;
        for name in ["access_token", "refresh_token", "id_token"] {
            assert_ne!(done.reply[name], again.reply[name], "{name}");
        }
        assert!(suite.keys().await.len() >= 2, "one of each algorithm");
    }
}

#[tokio::test]
async fn oidcc_response_type_missing() {
    let suite = Suite::start().await;
    let request = suite.party().request(&[("response_type", "")]);
    let answer = suite.browser().get(&request).await;
    suite.refused(&answer, "invalid_request");
}

#[tokio::test]
async fn oidcc_idtoken_signature() {
    let suite = Suite::start().await;
    let done = suite.completes(&mut suite.browser(), &[]).await;
    let header = header(done.id_token());
    assert_eq!(header["alg"], "RS256");
    let keys = suite.keys().await;
    let named = keys.iter().filter(|key| key["kid"] == header["kid"]);
    assert_eq!(named.count(), 1);
}

#[tokio::test]
async fn oidcc_idtoken_unsigned() {
    let suite = Suite::start().await;
    for front in FRONTS {
        let path = format!("{}/.well-known/openid-configuration", front.issuer);
        let document = suite.client.get(&path).send().await.ok().json();
        let offered = document["id_token_signing_alg_values_supported"].clone();
        assert_eq!(offered, json!(["RS256", "EdDSA"]), "none is not offered");
        assert!(document["registration_endpoint"].is_null());
    }
}

#[tokio::test]
async fn oidcc_userinfo_get() {
    let suite = Suite::start().await;
    let done = suite.completes(&mut suite.browser(), &[]).await;
    let request = suite.client.get(USER_INFO).bearer(done.bearer());
    suite.told(&request.send().await);
}

#[tokio::test]
async fn oidcc_userinfo_post_header() {
    let suite = Suite::start().await;
    let done = suite.completes(&mut suite.browser(), &[]).await;
    let request = suite.client.post(USER_INFO).bearer(done.bearer());
    suite.told(&request.send().await);
}

#[tokio::test]
async fn oidcc_userinfo_post_body() {
    let suite = Suite::start().await;
    let done = suite.completes(&mut suite.browser(), &[]).await;
    let form = [("access_token", done.bearer())];
    let request = suite.client.post(USER_INFO).form(&form);
    suite.told(&request.send().await);
}

#[tokio::test]
async fn oidcc_ensure_request_without_nonce_succeeds_for_code_flow() {
    let suite = Suite::start().await;
    let done = suite
        .completes(&mut suite.browser(), &[("nonce", "")])
        .await;
    assert!(done.id.get("nonce").is_none());
}

/// What user info tells for a scope, without what it always tells.
async fn told_for(scope: &str) -> Value {
    let suite = Suite::start().await;
    let done = suite
        .completes(&mut suite.browser(), &[("scope", scope)])
        .await;
    assert_eq!(done.reply["scope"], scope);
    let mut told = suite.user_info(done.bearer()).await;
    told.as_object_mut().unwrap().remove("sub");
    told
}

fn is_profile(told: &Value) {
    for (name, expected) in [
        ("name", "Ada King"),
        ("given_name", "Ada"),
        ("family_name", "King"),
        ("preferred_username", "ada"),
        ("locale", "en"),
    ] {
        assert_eq!(told[name], expected, "{name}");
    }
    assert!(told["updated_at"].is_i64(), "seconds, not text: {told}");
}

fn is_email(told: &Value) {
    assert_eq!(told["email"], "ada@example.org");
    assert!(told["email_verified"].is_boolean(), "{told}");
}

fn is_phone(told: &Value) {
    assert_eq!(told["phone_number"], "+302101234567");
    assert!(told["phone_number_verified"].is_boolean(), "{told}");
}

fn is_address(told: &Value) {
    assert_eq!(
        told["address"],
        json!({"formatted": "1 Analytical Way\nAthens"})
    );
}

fn has(told: &Value, count: usize) {
    assert_eq!(told.as_object().unwrap().len(), count, "{told}");
}

#[tokio::test]
async fn oidcc_scope_profile() {
    let told = told_for("openid profile").await;
    is_profile(&told);
    has(&told, 6);
}

#[tokio::test]
async fn oidcc_scope_email() {
    let told = told_for("openid email").await;
    is_email(&told);
    has(&told, 2);
}

#[tokio::test]
async fn oidcc_scope_address() {
    let told = told_for("openid address").await;
    is_address(&told);
    has(&told, 1);
}

#[tokio::test]
async fn oidcc_scope_phone() {
    let told = told_for("openid phone").await;
    is_phone(&told);
    has(&told, 2);
}

#[tokio::test]
async fn oidcc_scope_all() {
    let told = told_for("openid profile email address phone").await;
    for check in [is_profile, is_email, is_address, is_phone] {
        check(&told);
    }
    has(&told, 11);
}

#[tokio::test]
async fn oidcc_alternate_happy_flow() {
    let suite = Suite::start().await;
    let scope = "phone address email profile openid";
    let request = suite.party().request(&[("scope", scope)]);
    let (path, query) = request.split_once('?').unwrap();
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.reverse();
    let request = format!("{path}?{}", pairs.join("&"));
    let (_, answer) = suite.walk(&mut suite.browser(), &request).await;
    let back = suite.answered(&landed(&answer));
    let party = suite.party();
    // The same for the token request.
    let form = [
        ("redirect_uri", CALLBACK),
        ("code", back["code"].as_str()),
        ("grant_type", "authorization_code"),
    ];
    let reply = party.ask(&form).await;
    suite.replied(&party, &reply, Some("n-0S6_WzA2Mj")).await;
    let told = suite.user_info(text(&reply.json(), "access_token")).await;
    is_profile(&told);
}

/// A parameter that must not get in the way of a login.
async fn changes_nothing(name: &str, value: &str) {
    let suite = Suite::start().await;
    let changes = [(name, value)];
    let done = suite.completes(&mut suite.browser(), &changes).await;
    assert_eq!(done.shown, [Shown::SignIn]);
}

#[tokio::test]
async fn oidcc_display_page() {
    changes_nothing("display", "page").await;
}

#[tokio::test]
async fn oidcc_display_popup() {
    changes_nothing("display", "popup").await;
}

/// Two logins in one browser with this much time between them, the second with these changes.
async fn twice(suite: &Suite, between: Duration, changes: &[(&str, &str)]) -> [Completed; 2] {
    let mut browser = suite.browser();
    let first = suite.completes(&mut browser, &[]).await;
    suite.server.advance(between);
    let second = suite.completes(&mut browser, changes).await;
    assert_eq!(first.id["sub"], second.id["sub"]);
    [first, second]
}

fn auth_time(done: &Completed) -> i64 {
    done.id["auth_time"].as_i64().unwrap()
}

#[tokio::test]
async fn oidcc_prompt_login() {
    let suite = Suite::start().await;
    let [first, second] = twice(&suite, A_SECOND, &[("prompt", "login")]).await;
    assert_eq!(second.shown, [Shown::SignIn]);
    assert!(auth_time(&second) > auth_time(&first));
}

#[tokio::test]
async fn oidcc_prompt_none_not_logged_in() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let request = suite.party().request(&[("prompt", "none")]);
        let answer = suite.browser().get(&request).await;
        suite.refused(&answer, "login_required");
    }
}

#[tokio::test]
async fn oidcc_prompt_none_logged_in() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let [first, second] = twice(&suite, A_SECOND, &[("prompt", "none")]).await;
        assert_eq!(second.shown, []);
        assert_eq!(auth_time(&second), auth_time(&first));
    }
}

#[tokio::test]
async fn oidcc_max_age_1() {
    let suite = Suite::start().await;
    let [first, second] = twice(&suite, A_SECOND, &[("max_age", "1")]).await;
    assert_eq!(second.shown, [Shown::SignIn]);
    assert!(auth_time(&second) > auth_time(&first));
}

#[tokio::test]
async fn oidcc_max_age_10000() {
    let suite = Suite::start().await;
    let [first, second] = twice(&suite, A_SECOND, &[("max_age", "10000")]).await;
    assert_eq!(second.shown, []);
    assert_eq!(auth_time(&second), auth_time(&first));
}

#[tokio::test]
async fn oidcc_ensure_request_with_unknown_parameter_succeeds() {
    changes_nothing("extra", "foobar").await;
}

#[tokio::test]
async fn oidcc_id_token_hint() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    let first = suite.completes(&mut browser, &[]).await;
    let changes = [("prompt", "none"), ("id_token_hint", first.id_token())];
    let second = suite.completes(&mut browser, &changes).await;
    assert_eq!(second.shown, []);
    assert_eq!(second.id["sub"], first.id["sub"]);
    assert_eq!(auth_time(&second), auth_time(&first));
}

#[tokio::test]
async fn oidcc_login_hint() {
    let suite = Suite::start().await;
    let request = suite.party().request(&[("login_hint", "ada")]);
    let mut browser = suite.browser();
    let answer = browser.get(&request).await;
    let page = browser.get(answer.header("location")).await.ok();
    assert_eq!(Form::of(&page.text).fields["username"], "ada");
    let (_, answer) = suite.go_on(&mut browser, answer).await;
    suite.answered(&landed(&answer));
}

#[tokio::test]
async fn oidcc_ui_locales() {
    let suite = Suite::start().await;
    for (locales, expected) in [("se", "en"), ("fr-CA de en", "de"), ("el", "el")] {
        let mut browser = suite.browser();
        let request = suite.party().request(&[("ui_locales", locales)]);
        let answer = browser.get(&request).await;
        let page = browser.get(answer.header("location")).await.ok();
        assert_eq!(page.header("content-language"), expected);
        let (_, answer) = suite.go_on(&mut browser, answer).await;
        suite.answered(&landed(&answer));
    }
}

#[tokio::test]
async fn oidcc_claims_locales() {
    changes_nothing("claims_locales", "se el").await;
}

#[tokio::test]
async fn oidcc_ensure_request_with_acr_values_succeeds() {
    let suite = Suite::start().await;
    let changes = [("acr_values", "1 2")];
    let done = suite.completes(&mut suite.browser(), &changes).await;
    assert_eq!(done.id["acr"], "urn:admit:acr:password");
}

#[tokio::test]
async fn oidcc_codereuse() {
    used_twice(Duration::ZERO).await;
}

#[tokio::test]
async fn oidcc_codereuse_30seconds() {
    used_twice(Duration::from_secs(30)).await;
}

/// A code whose second use fails and ends what the first issued.
async fn used_twice(between: Duration) {
    let suite = Suite::start().await;
    let party = suite.party();
    let code = party.code(&[]).await;
    let reply = party.exchange(&code, &[]).await;
    let id = suite.replied(&party, &reply, Some("n-0S6_WzA2Mj")).await;
    assert_eq!(id["sub"], suite.person.id.as_str());
    let reply = reply.json();
    suite.server.advance(between);
    let again = party.exchange(&code, &[]).await;
    again.is(400, "invalid_grant");
    assert_eq!(again.header("cache-control"), "no-store");
    assert!(!suite.client.is_alive(text(&reply, "access_token")).await);
    let refreshed = party.refresh(text(&reply, "refresh_token")).await;
    refreshed.is(400, "invalid_grant");
}

#[tokio::test]
async fn oidcc_ensure_registered_redirect_uri() {
    let suite = Suite::start().await;
    let unregistered = format!("{CALLBACK}/Zr5aX");
    let request = suite.party().request(&[("redirect_uri", &unregistered)]);
    let mut browser = suite.browser();
    let answer = browser.get(&request).await;
    is_only_a_page(&answer, 400);
    suite.completes(&mut browser, &[]).await;
    let signed_in = browser.get(&request).await;
    is_only_a_page(&signed_in, 400);
}

#[tokio::test]
async fn oidcc_ensure_post_request_succeeds() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    let (_, answer) = posted(&suite, &mut browser, &[]).await;
    suite.answered(&landed(&answer));
    let (shown, answer) = posted(&suite, &mut browser, &[("prompt", "none")]).await;
    assert_eq!(shown, []);
    suite.answered(&landed(&answer));
}

/// An authorization request as a form of the client's own page posts it: our cookies stay behind (`SameSite=Lax`).
async fn posted(
    suite: &Suite,
    browser: &mut Browser<'_>,
    changes: &[(&str, &str)],
) -> (Vec<Shown>, Answer) {
    let request = suite.party().request(changes);
    let (path, query) = request.split_once('?').unwrap();
    let request = suite.client.post(path);
    let answer = request
        .header("accept", "text/html")
        .header("origin", "https://app.example.org")
        .header("sec-fetch-site", "cross-site")
        .body("application/x-www-form-urlencoded", query.to_owned())
        .send()
        .await;
    assert_eq!(answer.status, 303, "never again with a body: {answer:?}");
    let to = answer.header("location").to_owned();
    if !to.starts_with(suite.front.authorize) {
        return suite.go_on(browser, answer).await;
    }
    suite.walk(browser, &to).await
}

#[tokio::test]
async fn oidcc_server_client_secret_post() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let party = suite.party_of(&suite.second);
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("redirect_uri", CALLBACK),
            ("client_id", &suite.second.id),
            ("client_secret", &suite.second.secret),
        ];
        let code = party.code(&[]).await;
        form.push(("code", &code));
        let reply = suite.client.post(front.token).form(&form).send().await;
        suite.replied(&party, &reply, Some("n-0S6_WzA2Mj")).await;
        suite.user_info(text(&reply.json(), "access_token")).await;
    }
}

/// A request object that nobody signed.
fn request_object(members: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": "none"})), part(members))
}

#[tokio::test]
async fn oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported() {
    let suite = Suite::start().await;
    let uri = "https://app.example.org/request.jwt#c2hh";
    let request = suite.party().request(&[("request_uri", uri)]);
    let answer = suite.browser().get(&request).await;
    suite.refused(&answer, "request_uri_not_supported");
}

#[tokio::test]
async fn oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported() {
    let suite = Suite::start().await;
    let object = request_object(&json!({"nonce": "another", "state": "another"}));
    let request = suite.party().request(&[("request", &object)]);
    let answer = suite.browser().get(&request).await;
    suite.refused(&answer, "request_not_supported");
}

#[tokio::test]
async fn oidcc_claims_essential() {
    let suite = Suite::start().await;
    let asked = json!({"userinfo": {"name": {"essential": true}}}).to_string();
    let done = suite
        .completes(&mut suite.browser(), &[("claims", &asked)])
        .await;
    let told = suite.user_info(done.bearer()).await;
    assert_eq!(told, json!({"sub": done.id["sub"], "name": "Ada King"}));
}

#[tokio::test]
async fn oidcc_ensure_request_object_with_redirect_uri() {
    let suite = Suite::start().await;
    let object = request_object(&json!({"redirect_uri": "https://elsewhere.example/cb"}));
    let request = suite.party().request(&[("request", &object)]);
    let answer = suite.browser().get(&request).await;
    suite.refused(&answer, "request_not_supported");
}

#[tokio::test]
async fn oidcc_refresh_token() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let party = suite.party();
        let changes = [("scope", "openid offline_access"), ("prompt", "consent")];
        let done = suite.completes(&mut suite.browser(), &changes).await;
        assert_eq!(done.shown, [Shown::SignIn, Shown::Consent]);
        suite.server.advance(A_SECOND);
        let stranger = suite.party_of(&suite.second).refresh(done.refresh()).await;
        stranger.is(400, "invalid_grant");

        let answer = party.refresh(done.refresh()).await;
        let id = suite.replied(&party, &answer, None).await;
        let reply = answer.json();
        for name in ["access_token", "refresh_token"] {
            assert_ne!(reply[name], done.reply[name], "{name}");
        }
        for name in ["iss", "sub", "aud", "azp", "auth_time", "acr"] {
            assert_eq!(id[name], done.id[name], "{name}");
        }
        assert!(id["iat"].as_i64() > done.id["iat"].as_i64());
        assert!(bits(text(&reply, "refresh_token")) >= 128.0);
        suite.user_info(text(&reply, "access_token")).await;
    }
}

#[tokio::test]
async fn oidcc_ensure_request_with_valid_pkce_succeeds() {
    let suite = Suite::start().await;
    let party = suite.party();
    let changes = [
        ("code_challenge", challenge(VERIFIER)),
        ("code_challenge_method", "S256".to_owned()),
    ];
    let changes = changes
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let code = party.code(&changes).await;
    let reply = party.exchange(&code, &[("code_verifier", VERIFIER)]).await;
    suite.replied(&party, &reply, Some("n-0S6_WzA2Mj")).await;
}
