//! OpenID Connect Core 1.0 rule by rule (`standards.md` 3.5), as far as no certification module has the rule for its name.

use std::time::Duration;

use admit::crypto::jws::Algorithm;
use admit::domain::clients::Facts;
use serde_json::{Value, json};

use super::suite::{Shown, Suite, asked, is_only_a_page, stock, text};
use crate::support::browser::{Browser, Form};
use crate::support::client::Answer;
use crate::support::party::{CALLBACK, FRONTS, VERIFIER, challenge, header, landed, somebody};
use crate::support::server::{Credentials, Enrolled};

const MINUTE: Duration = Duration::from_mins(1);
const OFFLINE: [(&str, &str); 2] = [("scope", "openid offline_access"), ("prompt", "consent")];
/// Where an application on somebody's own device listens (RFC 8252 §7.3).
const LOOPBACK: &str = "http://127.0.0.1:4711/cb";

/// Somebody else, who has an account as well.
fn charles(suite: &Suite) -> Enrolled {
    suite.server.enroll(&somebody("charles"))
}

/// What a request of the first client with these changes is answered.
async fn answered(
    suite: &Suite,
    browser: &mut Browser<'_>,
    changes: &[(&str, &str)],
) -> (Vec<Shown>, Answer) {
    let request = suite.party().request(changes);
    suite.walk(browser, &request).await
}

#[tokio::test]
async fn oc_2_an_id_token_says_who_when_and_for_whom_by_either_algorithm() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let facts = Facts {
            id_token_signing: Some(Algorithm::EdDsa),
            ..stock()
        };
        let organization = suite.server.organization();
        let registered = suite.server.register_client(&organization, facts);
        for (credentials, alg) in [(&suite.first, "RS256"), (&registered, "EdDSA")] {
            let party = suite.party_of(credentials);
            let mut browser = suite.browser();
            suite.server.advance(MINUTE);
            let first = suite.completes_as(&party, &mut browser, &[]).await;
            assert_eq!(header(first.id_token())["alg"], alg);
            assert_eq!(first.id["auth_time"], suite.now());
            let renewed = party.refresh(first.refresh()).await;
            suite.replied(&party, &renewed, None).await;
            let renewed = renewed.member("id_token");
            assert_eq!(header(&renewed)["alg"], alg);
        }
    }
}

#[tokio::test]
async fn oc_3_1_2_1_without_openid_it_is_oauth_and_no_id_token_comes() {
    let suite = Suite::start().await;
    let reply = suite.party().tokens(&[("scope", "profile")]).await;
    assert!(reply.get("id_token").is_none(), "{reply}");
    let bearer = text(&reply, "access_token");
    let answer = suite.client.get("/oidc/userinfo").bearer(bearer).send();
    answer.await.is(403, "insufficient_scope");
}

#[tokio::test]
async fn oc_3_1_2_1_oc_15_whatever_need_not_be_understood_is_no_error() {
    let suite = Suite::start().await;
    for changes in [
        [("display", "touch"), ("acr_values", "urn:x 1")],
        [("display", "hologram"), ("ui_locales", "tlh x-y -- *")],
        [("claims_locales", "a b"), ("login_hint", "<\"nobody'>")],
        [("max_age", "4294967295"), ("prompt", "login")],
        [("id_token_hint", ""), ("prompt", "")],
    ] {
        let (shown, answer) = answered(&suite, &mut suite.browser(), &changes).await;
        assert_eq!(shown, [Shown::SignIn]);
        suite.answered(&landed(&answer));
    }
}

#[tokio::test]
async fn oc_3_1_2_1_what_cannot_be_meant_is_invalid_request() {
    let suite = Suite::start().await;
    for (name, value) in [
        ("prompt", "none login"),
        ("prompt", "Login"),
        ("prompt", "create"),
        ("max_age", "-1"),
        ("max_age", "1.5"),
        ("max_age", "4294967296"),
        ("claims", "[]"),
        ("claims", "{"),
        ("claims", "{\"id_token\": 1}"),
        ("claims", "{\"userinfo\": {}, \"userinfo\": {}}"),
        ("response_mode", "web_message"),
    ] {
        let (shown, answer) = answered(&suite, &mut suite.browser(), &[(name, value)]).await;
        assert_eq!(shown, [], "{name}={value}");
        suite.refused(&answer, "invalid_request");
    }
}

#[tokio::test]
async fn oc_3_1_2_1_max_age_0_always_asks_again() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    suite.completes(&mut browser, &[]).await;
    // Not a moment later, as for a client and a server whose clocks agree to the second.
    let done = suite.completes(&mut browser, &[("max_age", "0")]).await;
    assert_eq!(done.shown, [Shown::SignIn]);
    let silent = [("max_age", "0"), ("prompt", "none")];
    let (shown, answer) = answered(&suite, &mut browser, &silent).await;
    assert_eq!(shown, []);
    suite.refused(&answer, "login_required");
}

#[tokio::test]
async fn oc_3_1_2_1_select_account_lets_somebody_else_sign_in() {
    let suite = Suite::start().await;
    let charles = charles(&suite);
    let mut browser = suite.browser();
    let first = suite.completes(&mut browser, &[]).await;
    let party = suite.party();
    let request = party.request(&[("prompt", "select_account")]);
    let answer = browser.get(&request).await;
    assert_eq!(asked(&answer), Some(Shown::SignIn));
    let answer = browser.sign_in(&answer, &charles.name, &charles.password);
    let back = suite.answered(&landed(&answer.await));
    let reply = party.exchange(&back["code"], &[]).await.ok();
    let id = suite.verified(&reply.member("id_token")).await;
    assert_eq!(id["sub"], charles.id.as_str());
    assert_ne!(id["sub"], first.id["sub"]);
}

/// A hint is about Charles: nobody is told anything of Ada, whoever tries.
async fn is_about_charles(suite: &Suite, charles: &Enrolled, changes: &[(&str, &str)]) {
    let mut browser = suite.browser();
    suite.completes(&mut browser, &[]).await;
    let silent = [changes, &[("prompt", "none")]].concat();
    let (_, answer) = answered(suite, &mut browser, &silent).await;
    suite.refused(&answer, "login_required");
    let (shown, answer) = answered(suite, &mut browser, changes).await;
    assert_eq!(shown, [Shown::SignIn], "asked once, and it was Ada again");
    suite.refused(&answer, "login_required");
    let answer = browser.get(&suite.party().request(changes)).await;
    let answer = browser.sign_in(&answer, &charles.name, &charles.password);
    suite.answered(&landed(&answer.await));
}

#[tokio::test]
async fn oc_3_1_2_1_a_hint_about_somebody_else_never_signs_in_whoever_is_there() {
    let suite = Suite::start().await;
    let charles = charles(&suite);
    let mut party = suite.party();
    party.person = charles.clone();
    let reply = party.tokens(&[]).await;
    let hint = text(&reply, "id_token");
    is_about_charles(&suite, &charles, &[("id_token_hint", hint)]).await;
}

#[tokio::test]
async fn oc_5_4_sub_asked_for_as_a_claim_is_whom_the_answer_is_about() {
    let suite = Suite::start().await;
    let charles = charles(&suite);
    let claims = json!({"id_token": {"sub": {"value": charles.id.as_str()}}}).to_string();
    is_about_charles(&suite, &charles, &[("claims", &claims)]).await;
}

#[tokio::test]
async fn oc_3_1_2_1_a_hint_that_is_not_ours_costs_a_sign_in_and_no_more() {
    let suite = Suite::start().await;
    let foreign = Suite::start().await;
    let foreign = foreign.completes(&mut foreign.browser(), &[]).await;
    for hint in ["nonsense", foreign.id_token()] {
        let mut browser = suite.browser();
        suite.completes(&mut browser, &[]).await;
        let hint = ("id_token_hint", hint);
        let (shown, answer) = answered(&suite, &mut browser, &[hint, ("prompt", "none")]).await;
        assert_eq!(shown, []);
        suite.refused(&answer, "login_required");
        let done = suite.completes(&mut browser, &[hint]).await;
        assert_eq!(done.shown, [Shown::SignIn]);
    }
}

#[tokio::test]
async fn oc_3_1_2_3_prompt_none_never_shows_a_page() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    let none = ("prompt", "none");
    let rows: [(&str, &[(&str, &str)]); 2] = [
        ("login_required", &[none]),
        ("login_required", &[none, ("max_age", "10")]),
    ];
    for (code, changes) in rows {
        let (shown, answer) = answered(&suite, &mut browser, changes).await;
        assert_eq!(shown, []);
        suite.refused(&answer, code);
    }
    suite.completes(&mut browser, &[]).await;
    suite.server.advance(MINUTE);
    let (_, answer) = answered(&suite, &mut browser, &[none, ("max_age", "10")]).await;
    suite.refused(&answer, "login_required");
    let (_, answer) = answered(&suite, &mut browser, &[none, ("max_age", "61")]).await;
    suite.answered(&landed(&answer));
}

#[tokio::test]
async fn oc_3_1_2_3_prompt_login_asks_again_each_time() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    suite.completes(&mut browser, &[]).await;
    for _ in 0..2 {
        let done = suite.completes(&mut browser, &[("prompt", "login")]).await;
        assert_eq!(done.shown, [Shown::SignIn]);
    }
    // Both are asked, and a sign-in that has just led to the question is not asked for twice.
    let both = [("prompt", "login consent")];
    let done = suite.completes(&mut browser, &both).await;
    assert_eq!(done.shown, [Shown::SignIn, Shown::Consent]);
}

#[tokio::test]
async fn oc_3_1_2_3_the_sign_in_form_is_ours_or_it_signs_nobody_in() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    let answer = browser.get(&suite.party().request(&[])).await;
    let page = browser.get(answer.header("location")).await.ok();
    let form = Form::of(&page.text)
        .with("username", &suite.person.name)
        .with("password", &suite.person.password);
    let mut other = suite.browser();
    let stolen = other.post(&form).await;
    assert_eq!(stolen.status, 403, "another browser's form");
    let bent = browser.post(&form.clone().with("form_token", "AAAA")).await;
    assert_eq!(bent.status, 403);
    for browser in [&mut other, &mut browser] {
        assert!(!suite.is_signed_in(browser).await);
    }
    suite.answered(&landed(&browser.post(&form).await));
}

#[tokio::test]
async fn oc_3_1_2_6_each_refusal_has_its_code() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let mut browser = suite.browser();
        let rows: [(&str, &[(&str, &str)]); 5] = [
            ("login_required", &[("prompt", "none")]),
            ("request_not_supported", &[("request", "e30.e30.")]),
            ("request_uri_not_supported", &[("request_uri", "urn:x")]),
            ("registration_not_supported", &[("registration", "{}")]),
            ("unsupported_response_type", &[("response_type", "none")]),
        ];
        for (code, changes) in rows {
            let (shown, answer) = answered(&suite, &mut browser, changes).await;
            assert_eq!(shown, []);
            suite.refused(&answer, code);
        }
        // A fragment is usual where a token was asked for.
        let (_, answer) = answered(&suite, &mut browser, &[("response_type", "id_token")]).await;
        suite.refused(&answer, "unsupported_response_type");
        assert!(answer.header("location").contains("#error="));
    }
}

#[tokio::test]
async fn oc_3_1_2_6_consent_that_would_be_asked_for_is_required() {
    let suite = Suite::start().await;
    let app = native(&suite);
    let mut browser = suite.browser();
    let (shown, _) = suite.walk(&mut browser, &app_request(&app, &[])).await;
    assert_eq!(shown, [Shown::SignIn]);
    let request = app_request(&app, &[("prompt", "none")]);
    let (shown, answer) = suite.walk(&mut browser, &request).await;
    assert_eq!(shown, []);
    let to = answer.header("location");
    assert!(to.starts_with(LOOPBACK) && to.contains("error=consent_required"));
}

#[tokio::test]
async fn oc_3_1_3_a_code_is_good_once_for_its_client_and_its_redirect_uri() {
    let suite = Suite::start().await;
    let party = suite.party();
    let (first, second) = (party.code(&[]).await, party.code(&[]).await);
    let stranger = suite.party_of(&suite.second);
    stranger
        .exchange(&first, &[])
        .await
        .is(400, "invalid_grant");
    let reply = party.exchange(&first, &[]).await;
    suite.replied(&party, &reply, Some("n-0S6_WzA2Mj")).await;
    party.exchange(&first, &[]).await.is(400, "invalid_grant");
    for uri in [None, Some("https://app.example.org/cb/")] {
        let mut form = vec![("grant_type", "authorization_code"), ("code", &*second)];
        form.extend(uri.map(|uri| ("redirect_uri", uri)));
        party.ask(&form).await.is(400, "invalid_grant");
    }
    let late = party.code(&[]).await;
    suite.server.advance(MINUTE);
    party.exchange(&late, &[]).await.is(400, "invalid_grant");
}

#[tokio::test]
async fn oc_5_4_claims_asked_for_by_name_come_where_they_were_asked_for() {
    let suite = Suite::start().await;
    let asked = json!({
        "id_token": {"email": null, "name": {"essential": true}, "nickname": {"essential": true}, "auth_time": null},
        "userinfo": {"phone_number": {"value": "+1"}, "https://example.org/x": null},
        "elsewhere": {"address": null},
    });
    let asked = asked.to_string();
    let done = suite
        .completes(&mut suite.browser(), &[("claims", &asked)])
        .await;
    assert_eq!(done.id["email"], "ada@example.org");
    assert_eq!(done.id["name"], "Ada King");
    for absent in ["nickname", "phone_number", "address", "email_verified"] {
        assert!(done.id.get(absent).is_none(), "{absent}");
    }
    let expected = json!({"sub": done.id["sub"], "phone_number": "+302101234567"});
    assert_eq!(suite.user_info(done.bearer()).await, expected);
    let renewed = suite.party().refresh(done.refresh()).await.ok();
    let renewed = renewed.member("access_token");
    assert_eq!(
        suite.user_info(&renewed).await,
        expected,
        "and after a refresh"
    );
}

#[tokio::test]
async fn oc_5_4_claims_of_scopes_go_to_user_info_and_not_into_the_id_token() {
    let suite = Suite::start().await;
    let scope = [("scope", "openid profile email address phone")];
    let done = suite.completes(&mut suite.browser(), &scope).await;
    for name in ["name", "email", "address", "phone_number"] {
        assert!(done.id.get(name).is_none(), "{name}");
    }
}

#[tokio::test]
async fn oc_5_4_an_essential_acr_that_cannot_be_met_is_a_failed_sign_in() {
    let suite = Suite::start().await;
    let acr = |asked: Value| json!({"id_token": {"acr": asked}}).to_string();
    let ours = "urn:admit:acr:password";
    for met in [
        json!(null),
        json!({"essential": true}),
        json!({"essential": true, "values": ["1", ours]}),
        json!({"essential": true, "value": ours}),
        json!({"values": ["1"]}),
    ] {
        let claims = acr(met);
        let changes = [("claims", claims.as_str())];
        let done = suite.completes(&mut suite.browser(), &changes).await;
        assert_eq!(done.id["acr"], ours);
    }
    for unmet in [
        json!({"essential": true, "values": ["1", "2"]}),
        json!({"essential": true, "value": "1"}),
    ] {
        let claims = acr(unmet);
        let (_, answer) = answered(&suite, &mut suite.browser(), &[("claims", &claims)]).await;
        suite.refused(&answer, "unmet_authentication_requirements");
    }
}

#[tokio::test]
async fn oc_6_request_and_request_uri_are_refused_by_name_and_empty_ones_are_none() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let mut browser = suite.browser();
        for name in ["request", "request_uri"] {
            let (_, answer) = answered(&suite, &mut browser, &[(name, "x")]).await;
            suite.refused(&answer, &format!("{name}_not_supported"));
        }
        // RFC 6749 §3.1: a parameter without a value is as good as none.
        let request = format!("{}&request=&request_uri=", suite.party().request(&[]));
        let (_, answer) = suite.walk(&mut browser, &request).await;
        suite.answered(&landed(&answer));
    }
}

#[tokio::test]
async fn oc_9_a_client_proves_itself_by_basic_by_post_or_is_public() {
    let suite = Suite::start().await;
    let party = suite.party();
    let basic = party.code(&[]).await;
    party.exchange(&basic, &[]).await.ok();
    let Credentials { id, secret } = &suite.first;
    let posted = party.code(&[]).await;
    let form = |code: &str, secret: &str| {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("redirect_uri", CALLBACK),
            ("client_id", id),
            ("client_secret", secret),
            ("code", code),
        ];
        suite.client.post(suite.front.token).form(&pairs)
    };
    for wrong in ["", "wrong"] {
        form(&posted, wrong).send().await.is(401, "invalid_client");
    }
    let both = form(&posted, secret).basic(id, secret).send().await;
    both.is(400, "invalid_request");
    form(&posted, secret).send().await.ok();
    let app = native(&suite);
    suite
        .verified(&signed_in_by(&suite, &app).await.member("id_token"))
        .await;
}

#[tokio::test]
async fn oc_10_every_token_names_the_key_that_verifies_it() {
    let suite = Suite::start().await;
    let done = suite.completes(&mut suite.browser(), &[]).await;
    for token in [done.bearer(), done.id_token()] {
        assert!(header(token)["kid"].is_string());
        suite.verified(token).await;
    }
}

#[tokio::test]
async fn oc_11_offline_access_without_consent_is_ignored() {
    let suite = Suite::start().await;
    let scope = ("scope", "openid offline_access email");
    let done = suite.completes(&mut suite.browser(), &[scope]).await;
    assert_eq!(done.shown, [Shown::SignIn]);
    assert_eq!(done.reply["scope"], "openid email");
}

#[tokio::test]
async fn oc_11_offline_access_outlives_the_browsers_sign_out_and_nothing_else_does() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let party = suite.party();
        let mut browser = suite.browser();
        let offline = suite.completes(&mut browser, &OFFLINE).await;
        assert_eq!(offline.shown, [Shown::SignIn, Shown::Consent]);
        assert_eq!(offline.reply["scope"], "openid offline_access");
        let online = suite.completes(&mut browser, &[]).await;
        let hint = form_urlencoded::Serializer::new(String::new())
            .append_pair("id_token_hint", online.id_token())
            .finish();
        browser.get(&format!("/oidc/logout?{hint}")).await.ok();
        assert!(!suite.is_signed_in(&mut browser).await);

        assert!(!suite.client.is_alive(online.bearer()).await);
        let refused = party.refresh(online.refresh()).await;
        refused.is(400, "invalid_grant");
        assert!(suite.client.is_alive(offline.bearer()).await);
        let renewed = party.refresh(offline.refresh()).await.ok();
        suite.user_info(&renewed.member("access_token")).await;
    }
}

#[tokio::test]
async fn oc_12_a_refreshed_id_token_tells_of_the_same_sign_in() {
    let suite = Suite::start().await;
    let party = suite.party();
    let mut browser = suite.browser();
    let done = suite.completes(&mut browser, &[]).await;
    let mut refresh = done.refresh().to_owned();
    for _ in 0..3 {
        suite.server.advance(MINUTE);
        let answer = party.refresh(&refresh).await;
        let id = suite.replied(&party, &answer, None).await;
        for name in ["iss", "sub", "aud", "azp", "auth_time", "sid"] {
            assert_eq!(id[name], done.id[name], "{name}");
        }
        assert_eq!(id["iat"], suite.now());
        refresh = answer.member("refresh_token");
    }
    let without = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &refresh),
        ("scope", "email"),
    ];
    party.ask(&without).await.is(400, "invalid_scope");
}

/// An application on somebody's own device.
fn native(suite: &Suite) -> String {
    let facts = Facts {
        redirect_uris: Some(vec![LOOPBACK.into()]),
        ..Facts::default()
    };
    let organization = suite.server.organization();
    suite.server.register_public(&organization, facts)
}

fn app_request(app: &str, changes: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("client_id", app),
        ("redirect_uri", LOOPBACK),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("code_challenge", &challenge(VERIFIER)),
        ("code_challenge_method", "S256"),
    ]);
    let query = query.extend_pairs(changes).finish();
    format!("/security/oauth/authorize?{query}")
}

/// A parameter with which the application's browser comes back.
fn back_at_app(answer: &Answer, name: &str) -> String {
    let to = answer.header("location");
    let query = to
        .strip_prefix(LOOPBACK)
        .and_then(|rest| rest.strip_prefix('?'));
    let query = query.unwrap_or_else(|| panic!("{answer:?}"));
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("{to}")).1.into_owned()
}

async fn signed_in_by(suite: &Suite, app: &str) -> Answer {
    let mut browser = suite.browser();
    let (_, answer) = suite.walk(&mut browser, &app_request(app, &[])).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", app),
        ("redirect_uri", LOOPBACK),
        ("code_verifier", VERIFIER),
        ("code", &back_at_app(&answer, "code")),
    ];
    let request = suite.client.post(suite.front.token).form(&form);
    request.send().await.ok()
}

#[tokio::test]
async fn na_3_whoever_need_not_sign_in_is_asked_before_a_public_client_goes_on() {
    let suite = Suite::start().await;
    let app = native(&suite);
    let mut browser = suite.browser();
    let request = app_request(&app, &[]);
    let (shown, _) = suite.walk(&mut browser, &request).await;
    assert_eq!(shown, [Shown::SignIn]);
    let (shown, answer) = suite.walk(&mut browser, &request).await;
    assert_eq!(shown, [Shown::Consent]);
    back_at_app(&answer, "code");
    // The question shows who asks, for what, and where the answer goes.
    let page = browser.get(&request).await.ok();
    for word in ["127.0.0.1", "Ada King", app.as_str()] {
        assert!(page.text.contains(word), "{word}: {}", page.text);
    }
}

#[tokio::test]
async fn oc_3_1_2_6_consent_declined_is_access_denied() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let mut browser = suite.browser();
        suite.completes(&mut browser, &[]).await;
        let request = suite.party().request(&[("prompt", "consent")]);
        let page = browser.get(&request).await.ok();
        let form = Form::of(&page.text);
        for decision in ["cancel", "", "no"] {
            let answer = browser.post(&form.clone().with("decision", decision)).await;
            suite.refused(&answer, "access_denied");
        }
    }
}

#[tokio::test]
async fn oc_3_1_2_4_consent_is_given_on_our_page_by_who_was_shown_it() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    suite.completes(&mut browser, &[]).await;
    let request = suite.party().request(&[("prompt", "consent")]);
    let page = browser.get(&request).await.ok();
    let form = Form::of(&page.text).with("decision", "continue");
    let mut other = suite.browser();
    suite.completes(&mut other, &[]).await;
    is_only_a_page(&other.post(&form).await, 403);
    let bent = form.clone().with("form_token", "AAAA");
    let refused = browser.post(&bent).await;
    is_only_a_page(&refused, 403);
    assert!(refused.text.contains("too old"), "{}", refused.text);
    suite.answered(&landed(&browser.post(&form).await));
}

#[tokio::test]
async fn lo_3_whoever_names_another_client_than_the_hint_does_is_sent_nowhere() {
    let suite = Suite::start().await;
    let mut browser = suite.browser();
    let done = suite.completes(&mut browser, &[]).await;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("id_token_hint", done.id_token())
        .append_pair("client_id", &suite.second.id)
        .append_pair(
            "post_logout_redirect_uri",
            crate::support::party::AFTER_LOGOUT,
        )
        .finish();
    let answer = browser.get(&format!("/oidc/logout?{query}")).await;
    is_only_a_page(&answer, 400);
    assert!(suite.is_signed_in(&mut browser).await);
}
