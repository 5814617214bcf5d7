//! The pages people see, as a browser meets them: what comes after each form, and what is told to people in words.
//!
//! What a page looks like is `clients`' to show; what every page must hold back is `security`'s and `render`'s.

use admit::domain::users::{Details, NewUser};

use crate::support::accounts::admin_password;
use crate::support::browser::{Browser, Form, unescaped};
use crate::support::client::{Answer, Client};
use crate::support::party::{CALLBACK, Party, landed};
use crate::support::server::{Enrolled, Server};

const NEW: &str = "seventeen quiet herons";
const PAGE: &str = "/auth/sign-in.html";

/// The form for another password than the one that has expired, as `browser` reaches it.
async fn expired(browser: &mut Browser<'_>, party: &Party<'_>) -> Form {
    let answer = browser.get(&party.request(&[])).await;
    let Enrolled { name, password, .. } = &party.person;
    let page = browser.sign_in(&answer, name, password).await.ok();
    Form::of(&page.text).with("old_password", password)
}

/// A client, and somebody whose password has expired.
fn late<'c>(server: &Server, client: &'c Client) -> Party<'c> {
    let details = Details {
        expired: Some(true),
        ..Details::default()
    };
    let name = "bela".to_owned();
    Party {
        person: server.enroll(&NewUser { name, details }),
        ..Party::of(server, client)
    }
}

fn chosen(form: Form, new: &str) -> Form {
    form.with("new_password", new)
        .with("new_password_again", new)
}

/// The tag of the field with this name.
fn field<'a>(page: &'a str, name: &str) -> &'a str {
    let mut tags = page.split("<input").skip(1);
    let wanted = format!(" name=\"{name}\"");
    let tag = tags.find(|tag| tag.contains(&wanted)).unwrap();
    tag.split('>').next().unwrap()
}

#[track_caller]
fn is_page(answer: &Answer, status: u16, title: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.header("content-type").starts_with("text/html"));
    let heading = format!("<h1>{title}</h1>");
    assert!(answer.text.contains(&heading), "{}", answer.text);
}

#[tokio::test]
async fn a_new_password_in_place_of_an_expired_one_leads_on_to_the_client_at_once() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = late(&server, &client);
    let mut browser = Browser::of(&client);
    let form = expired(&mut browser, &party).await;
    let answer = browser.post(&chosen(form, NEW)).await;
    let code = landed(&answer)["code"].clone();
    party.exchange(&code, &[]).await.ok();

    let mut later = Browser::of(&client);
    let answer = later.get(&party.request(&[])).await;
    let answer = later.sign_in(&answer, &party.person.name, NEW).await;
    assert!(landed(&answer).contains_key("code"));
}

#[tokio::test]
async fn a_new_password_that_is_not_taken_is_marked_where_it_stands() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = late(&server, &client);
    let mut browser = Browser::of(&client);
    let form = expired(&mut browser, &party).await;
    let old = party.person.password.as_str();
    for new in [
        "brief one",
        old,
        "password1234",
        "it is bela again",
        "a tab\tis in it",
    ] {
        let page = browser.post(&chosen(form.clone(), new)).await.ok();
        assert!(page.text.contains("role=\"alert\""), "{new}");
        assert!(
            field(&page.text, "new_password").contains("aria-invalid=\"true\""),
            "{new}"
        );
        assert!(
            !field(&page.text, "old_password").contains("aria-invalid"),
            "{new}"
        );
        assert!(!page.text.contains(new), "{new} is not repeated");
    }
}

#[tokio::test]
async fn whoever_signs_in_with_nobody_waiting_is_told_so_and_may_sign_out_again() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut browser = Browser::of(&client);
    let page = browser.get(PAGE).await.ok();
    let form = Form::of(&page.text)
        .with("username", "admin")
        .with("password", &admin_password(&server));
    let answer = browser.post(&form).await;
    assert_eq!((answer.status, answer.header("location")), (303, PAGE));
    let page = browser.get(PAGE).await;
    is_page(&page, 200, "You are signed in");
    let question = browser.get("/oidc/logout").await;
    is_page(&question, 200, "Sign out?");
    let form = Form::of(&question.text).with("decision", "yes");
    is_page(&browser.post(&form).await, 200, "You are signed out");
    is_page(&browser.get(PAGE).await, 200, "Sign in");
}

#[tokio::test]
async fn a_form_that_is_too_old_is_not_taken_for_another_sites() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let mut browser = Browser::of(&client);
    party.signed_in(&mut browser, &[]).await;
    let question = browser
        .get(&party.request(&[("prompt", "consent")]))
        .await
        .ok();
    let old = Form::of(&question.text).with("form_token", "of another time");
    is_page(&browser.post(&old).await, 403, "This page is too old");
    let question = browser.get("/oidc/logout").await.ok();
    let old = Form::of(&question.text)
        .with("form_token", "of another time")
        .with("decision", "yes");
    is_page(&browser.post(&old).await, 403, "This page is too old");
}

#[tokio::test]
async fn an_administrator_is_told_which_client_and_which_value() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let mut browser = Browser::of(&client);
    let page = browser
        .get(&party.request(&[("client_id", "nobody<")]))
        .await;
    is_page(&page, 401, "We do not know this application");
    assert!(unescaped(&page.text).contains("no client with the client_id nobody<"));
    let changed = [("redirect_uri", "https://app.example.org/other")];
    let page = browser.get(&party.request(&changed)).await;
    is_page(&page, 400, "We will not send you there");
    let wanted = [party.credentials.id.as_str(), CALLBACK, "other</mark>"];
    for wanted in wanted {
        assert!(page.text.contains(wanted), "{wanted}: {}", page.text);
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_told_as_a_page_to_people_and_in_json_to_programs() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut browser = Browser::of(&client);
    let rows = [
        (
            "/auth/change-password.html",
            405,
            "This page cannot be used like that",
            "method_not_allowed",
        ),
        (
            "/auth/sign-in.html?a=1&a=2",
            400,
            "We cannot make sense of this request",
            "invalid_request",
        ),
        (
            "/auth/nothing.html",
            404,
            "There is no such page",
            "not_found",
        ),
    ];
    for (path, status, title, error) in rows {
        let page = browser.get(path).await;
        is_page(&page, status, title);
        let answer = client.get(path).send().await;
        answer.is(status, error);
        assert_eq!(page.headers.get("allow"), answer.headers.get("allow"));
    }
}
