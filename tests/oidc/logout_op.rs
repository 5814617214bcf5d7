//! The modules of the RP-Initiated Logout certification plan (`standards.md` 4.3), each under its own name, against a
//! stock install.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use form_urlencoded::Serializer;
use serde_json::{Value, json};

use super::suite::{Suite, is_only_a_page, words};
use crate::support::browser::{Browser, Form};
use crate::support::client::Answer;
use crate::support::party::{AFTER_LOGOUT, FRONTS};

const STATE: (&str, &str) = ("state", "lo&g=out state");

/// Somebody signed in, an ID token of that, and what the client asks of the end-session endpoint then.
async fn asks(suite: &Suite, browser: &mut Browser<'_>, params: &[(&str, &str)]) -> Answer {
    let path = end_session(suite).await;
    let query = Serializer::new(String::new()).extend_pairs(params).finish();
    browser.get(&format!("{path}?{query}")).await
}

/// The end-session endpoint that discovery names.
async fn end_session(suite: &Suite) -> String {
    let path = format!("{}/.well-known/openid-configuration", suite.front.issuer);
    let document = suite.client.get(&path).send().await.ok().json();
    document["end_session_endpoint"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// No redirect, and the session goes on.
async fn leads_nowhere(suite: &Suite, browser: &mut Browser<'_>, answer: &Answer, status: u16) {
    is_only_a_page(answer, status);
    assert!(!answer.text.contains(STATE.1), "{}", answer.text);
    assert!(suite.is_signed_in(browser).await);
}

/// The question whether to sign out, answered with yes: signed out, told so, and sent nowhere.
async fn asks_and_tells(suite: &Suite, browser: &mut Browser<'_>, answer: &Answer) {
    leads_nowhere(suite, browser, answer, 200).await;
    let form = Form::of(&answer.text).with("decision", "yes");
    let told = browser.post(&form).await;
    is_only_a_page(&told, 200);
    assert!(words(&told.text).contains("signed out"), "{}", told.text);
    assert!(!suite.is_signed_in(browser).await);
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_discovery_endpoint_verification() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let expected = format!("{}/oidc/logout", suite.client.base());
        assert_eq!(end_session(&suite).await, expected);
    }
}

#[tokio::test]
async fn oidcc_rp_initiated_logout() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let mut browser = suite.browser();
        let done = suite.completes(&mut browser, &[]).await;
        let params = [
            ("id_token_hint", done.id_token()),
            ("post_logout_redirect_uri", AFTER_LOGOUT),
            STATE,
        ];
        let answer = asks(&suite, &mut browser, &params).await;
        assert_eq!(answer.status, 303);
        let (to, query) = answer.header("location").split_once('?').unwrap();
        assert_eq!(to, AFTER_LOGOUT);
        let back: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        assert_eq!(back, [(STATE.0.into(), STATE.1.into())]);
        assert!(!suite.is_signed_in(&mut browser).await);
    }
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_state() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    let done = suite.completes(&mut browser, &[]).await;
    let params = [
        ("id_token_hint", done.id_token()),
        ("post_logout_redirect_uri", AFTER_LOGOUT),
    ];
    let answer = asks(&suite, &mut browser, &params).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, AFTER_LOGOUT)
    );
    assert!(!suite.is_signed_in(&mut browser).await);
}

/// A right hint, and an address that is not registered.
async fn with_address(address: &str) {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    let done = suite.completes(&mut browser, &[]).await;
    let params = [
        ("id_token_hint", done.id_token()),
        ("post_logout_redirect_uri", address),
        STATE,
    ];
    let answer = asks(&suite, &mut browser, &params).await;
    leads_nowhere(&suite, &mut browser, &answer, 400).await;
    let said = words(&answer.text);
    assert!(
        said.contains(address) && said.contains(AFTER_LOGOUT),
        "side by side"
    );
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri() {
    with_address(&format!("{AFTER_LOGOUT}/j3Kd9x")).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri() {
    with_address(&format!("{AFTER_LOGOUT}?foo=bar")).await;
}

/// A right address, and what becomes of a right hint first.
async fn with_hint(bent: impl Fn(&str) -> String) {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    let done = suite.completes(&mut browser, &[]).await;
    let hint = bent(done.id_token());
    let params = [
        ("id_token_hint", hint.as_str()),
        ("post_logout_redirect_uri", AFTER_LOGOUT),
        STATE,
    ];
    let answer = asks(&suite, &mut browser, &params).await;
    leads_nowhere(&suite, &mut browser, &answer, 400).await;
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_modified_id_token_hint() {
    with_hint(|token| {
        let claims = token.split('.').nth(1).unwrap();
        format!("{}.{claims}.", part(&json!({"alg": "none"})))
    })
    .await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_id_token_hint() {
    let elsewhere = Suite::start().await;
    let done = elsewhere.completes(&mut elsewhere.browser(), &[]).await;
    let foreign = done.id_token().to_owned();
    // By the foreign key, with our claims and the name of our key.
    with_hint(|token| {
        let (signed, _) = token.rsplit_once('.').unwrap();
        let (_, signature) = foreign.rsplit_once('.').unwrap();
        format!("{signed}.{signature}")
    })
    .await;
    with_hint(|_| foreign.clone()).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_id_token_hint() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    suite.completes(&mut browser, &[]).await;
    let params = [("post_logout_redirect_uri", AFTER_LOGOUT)];
    let answer = asks(&suite, &mut browser, &params).await;
    asks_and_tells(&suite, &mut browser, &answer).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_params() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    suite.completes(&mut browser, &[]).await;
    let answer = asks(&suite, &mut browser, &[]).await;
    asks_and_tells(&suite, &mut browser, &answer).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_only_state() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    suite.completes(&mut browser, &[]).await;
    let answer = asks(&suite, &mut browser, &[("state", "x")]).await;
    asks_and_tells(&suite, &mut browser, &answer).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    let done = suite.completes(&mut browser, &[]).await;
    let params = [("id_token_hint", done.id_token()), STATE];
    let told = asks(&suite, &mut browser, &params).await;
    is_only_a_page(&told, 200);
    assert!(words(&told.text).contains("signed out"), "{}", told.text);
    assert!(!suite.is_signed_in(&mut browser).await);
}
