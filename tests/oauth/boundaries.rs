//! Where one tenant, one sign-in and one question end and another begins.

use std::time::Duration;

use admit::domain::access::{By, Role};
use admit::domain::admin::{client as clients, user};
use admit::domain::clients::{Facts, NewClient};
use serde_json::json;

use crate::support::browser::{Browser, Form};
use crate::support::client::Client;
use crate::support::party::{self, AFTER_LOGOUT, Party, claims, landed};
use crate::support::server::Server;

#[tokio::test]
async fn an_organizations_own_client_gets_nothing_of_anothers_people() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut party = Party::of(&server, &client);
    let mut browser = Browser::of(&client);
    party.signed_in(&mut browser, &[]).await;
    let other = server.found("other");
    // Registered for one organization, as its administrator does it.
    party.credentials = server.register_client(&other, party::facts());
    let answer = browser.get(&party.request(&[("prompt", "none")])).await;
    assert_eq!(landed(&answer)["error"], "login_required");
    let answer = browser.get(&party.request(&[])).await;
    let answer = browser
        .sign_in(&answer, &party.person.name, &party.person.password)
        .await;
    assert_eq!(landed(&answer)["error"], "access_denied");
}

#[tokio::test]
async fn a_client_the_operator_shares_serves_the_people_of_every_organization() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut party = Party::of(&server, &client);
    let other = server.found("other");
    let cx = server.appliance.own_context();
    let shared = NewClient {
        shared: true,
        facts: party::facts(),
        ..NewClient::default()
    };
    let made =
        admit::domain::clients::register(&cx, &By::operator(), &server.organization(), &shared);
    let made = made.unwrap();
    let there = user::create(&cx, &By::operator(), &other, &party::somebody("ada")).unwrap();
    server.settle(&cx);
    party.credentials.id = made.client.id.to_string();
    party.credentials.secret = made.secret.unwrap().expose().clone();
    party.person.name = "other\\ada".into();
    party.person.password = there.password.shown().expose().clone();
    let reply = party.tokens(&[]).await;
    assert_eq!(reply["organization"], other.as_str());
}

#[tokio::test]
async fn the_password_grant_lets_nobody_of_another_organization_in() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let person = server.user("ann", &[Role::Agent]);
    let facts = || Facts {
        grants: Some(vec![admit::domain::clients::GrantType::Password]),
        ..Facts::default()
    };
    let form = [
        ("grant_type", "password"),
        ("username", person.name.as_str()),
        ("password", person.password.as_str()),
    ];
    let own = server.register_client(&server.organization(), facts());
    client.token(Some((&own.id, &own.secret)), &form).await.ok();
    let foreign = server.register_client(&server.found("other"), facts());
    let answer = client
        .token(Some((&foreign.id, &foreign.secret)), &form)
        .await;
    answer.says(400, "invalid_grant", "Bad credentials");
    let cx = server.appliance.own_context();
    let shared = NewClient {
        shared: true,
        facts: facts(),
        ..NewClient::default()
    };
    let other = server.found("third");
    let made = admit::domain::clients::register(&cx, &By::operator(), &other, &shared).unwrap();
    server.settle(&cx);
    let secret = made.secret.unwrap();
    let shared = (made.client.id.as_str(), secret.expose().as_str());
    client.token(Some(shared), &form).await.ok();
}

#[tokio::test]
async fn only_the_operator_changes_what_everybody_signs_in_to() {
    let server = Server::start().await;
    let cx = server.appliance.own_context();
    let admin = By::subject(
        &admit::domain::access::Subject::User("someone".parse().unwrap()),
        &server.organization(),
        admit::domain::access::Roles::of(&[Role::Admin]),
    );
    let customer = "customer".parse().unwrap();
    let change = Facts {
        grants: Some(vec![admit::domain::clients::GrantType::RefreshToken]),
        ..Facts::default()
    };
    assert!(admit::domain::clients::update(&cx, &admin, &customer, &change).is_err());
    assert!(admit::domain::clients::update(&cx, &By::operator(), &customer, &change).is_ok());
    assert!(clients::delete(&cx, &By::operator(), &customer).is_err());
}

#[tokio::test]
async fn logging_out_by_an_id_token_ends_its_sign_in_also_when_the_browser_has_forgotten_it() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let mut browser = Browser::of(&client);
    let first = party.signed_in(&mut browser, &[]).await;
    let first = party.exchange(&first["code"], &[]).await.ok().json();
    // Another sign-in takes the browser's session; the first one's tokens live on.
    server.advance(Duration::from_secs(1));
    party.signed_in(&mut browser, &[("prompt", "login")]).await;
    let text = |name: &str| first[name].as_str().unwrap().to_owned();
    assert!(client.is_alive(&text("access_token")).await);
    browser.forget("__Host-admit-session");
    let logout = format!(
        "/oidc/logout?id_token_hint={}&post_logout_redirect_uri={AFTER_LOGOUT}",
        text("id_token")
    );
    let answer = browser.get(&logout).await;
    assert_eq!(answer.header("location"), AFTER_LOGOUT);
    assert!(!client.is_alive(&text("access_token")).await);
    party
        .refresh(&text("refresh_token"))
        .await
        .is(400, "invalid_grant");
    // Long after what was ended is forgotten for access tokens.
    let session = claims(&text("id_token"))["sid"].clone();
    assert!(session.is_string());
    server.advance(Duration::from_hours(24 * 20));
    while admit::jobs::sweep_once(&server.appliance).await.unwrap() > 0 {}
    party
        .refresh(&text("refresh_token"))
        .await
        .is(400, "invalid_grant");
}

#[tokio::test]
async fn a_third_use_of_a_code_writes_nothing_more() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let code = party.code(&[]).await;
    party.exchange(&code, &[]).await.ok();
    party.exchange(&code, &[]).await.is(400, "invalid_grant");
    let before = server.counts();
    for _ in 0..5 {
        party.exchange(&code, &[]).await.is(400, "invalid_grant");
    }
    assert_eq!(server.counts(), before);
}

#[tokio::test]
async fn a_customer_who_signs_out_everywhere_does_not_lock_others_out_of_the_ticket() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let one = client.login(&ticket).await.ok().member("access_token");
    let other = client.login(&ticket).await.ok().member("access_token");
    let answer = client
        .post("/auth/v3/sign-out?global=true")
        .bearer(&one)
        .send()
        .await;
    answer.ok();
    assert!(!client.is_alive(&one).await);
    assert!(client.is_alive(&other).await);
    let third = client.login(&ticket).await.ok().member("access_token");
    assert!(client.is_alive(&third).await);
}

#[tokio::test]
async fn oa_2_3_guessing_at_a_clients_secret_is_held_down_by_network() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let form = [("grant_type", "client_credentials")];
    for _ in 0..100 {
        let answer = client.token(Some((&first.id, "wrong")), &form).await;
        answer.is(401, "invalid_client");
    }
    let right = client.token(Some((&first.id, &first.secret)), &form).await;
    right.is(401, "invalid_client");
    let elsewhere = Client::from(&server, [127, 0, 9, 1].into());
    elsewhere
        .token(Some((&first.id, &first.secret)), &form)
        .await
        .ok();
    server.advance(Duration::from_hours(1));
    client
        .token(Some((&first.id, &first.secret)), &form)
        .await
        .ok();
}

#[tokio::test]
async fn a_session_a_password_was_changed_in_goes_on_and_gives_codes() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let mut browser = Browser::of(&client);
    let landed_first = party.signed_in(&mut browser, &[]).await;
    let reply = party.exchange(&landed_first["code"], &[]).await.ok().json();
    let bearer = reply["access_token"].as_str().unwrap();
    let change = json!({"data": {
        "oldPassword": party.person.password, "newPassword": "four words in a row",
    }});
    let answer = client
        .post("/auth/v3/change-password")
        .bearer(bearer)
        .json(&change)
        .send()
        .await;
    answer.ok();
    assert!(client.is_alive(bearer).await);
    let answer = browser.get(&party.request(&[("prompt", "none")])).await;
    let code = landed(&answer)["code"].clone();
    let reply = party.exchange(&code, &[]).await.ok().json();
    assert!(
        client
            .is_alive(reply["access_token"].as_str().unwrap())
            .await
    );
}

#[tokio::test]
async fn consent_is_given_by_the_form_of_its_own_question_alone() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let mut browser = Browser::of(&client);
    let request = party.request(&[("prompt", "consent")]);
    let answer = browser.get(&request).await;
    let page = browser
        .sign_in(&answer, &party.person.name, &party.person.password)
        .await;
    let asked = Form::of(&page.text).with("decision", "continue");
    let logout = browser.get("/oidc/logout").await;
    let others = Form::of(&logout.text).fields["form_token"].clone();
    let answer = browser
        .post(&asked.clone().with("form_token", &others))
        .await;
    assert_eq!(answer.status, 403, "{answer:?}");
    let answer = browser.post(&asked).await;
    assert!(landed(&answer).contains_key("code"));
}
