//! Row O11: a browser's session is another one after every sign-in, whoever chose the one before.

use super::{DEVICE, FORM, NEW, PING, SESSION, SIGN_IN, page, pings, sessions, set};
use crate::support::accounts::change_user;
use crate::support::browser::{Browser, Form};
use crate::support::client::{Answer, Client};
use crate::support::party::{AUTH_V3, CALLBACK, Party, landed};
use crate::support::server::{Enrolled, Server};

/// A cookie's attributes as they are set.
fn attributes(answer: &Answer, name: &str) -> String {
    let lines = answer.headers.get_all("set-cookie").iter();
    let mut lines = lines.map(|line| line.to_str().unwrap());
    let line = lines
        .find(|line| line.starts_with(&format!("{name}=")))
        .unwrap();
    line.split_once(';').unwrap().1.to_owned()
}

/// Signs in on the page by itself; the answer.
async fn sign_in(browser: &mut Browser<'_>, person: &Enrolled) -> Answer {
    let form = Form::of(&page(browser).await.text)
        .with("username", &person.name)
        .with("password", &person.password);
    let answer = browser.post(&form).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    answer
}

#[tokio::test]
async fn o11_cookies_are_this_hosts_alone_unseen_by_scripts_and_sent_by_no_other_site() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let mut browser = Browser::of(&client);
    let shown = page(&mut browser).await;
    let answer = sign_in(&mut browser, &party.person).await;
    let landed = landed(&browser.get(&party.request(&[])).await);
    let token = party.exchange(&landed["code"], &[]).await.ok();
    let plain = " Path=/; Secure; HttpOnly; SameSite=Lax";
    for (answer, cookie, expected) in [
        (&shown, FORM, plain.to_owned()),
        (&answer, SESSION, plain.to_owned()),
        (&answer, DEVICE, format!("{plain}; Max-Age=31536000")),
        (&token, PING, plain.to_owned()),
    ] {
        assert_eq!(attributes(answer, cookie), expected, "{cookie}");
    }
    // 128 bits that nobody guesses are at least 22 characters.
    for cookie in [FORM, SESSION, DEVICE] {
        assert!(browser.cookie(cookie).unwrap().len() >= 22, "{cookie}");
    }
    assert!(browser.cookie(SESSION).unwrap().len() >= 64);
}

#[tokio::test]
async fn o11_a_session_an_attacker_chose_is_never_the_one_that_is_signed_in() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let attacker = server.user("mallory", &[]);
    let mut theirs = Browser::of(&client);
    sign_in(&mut theirs, &attacker).await;
    let real = theirs.cookie(SESSION).unwrap().to_owned();
    let (id, secret) = real.split_once('.').unwrap();
    for chosen in [
        real.clone(),
        "chosen".into(),
        format!("{id}.chosen"),
        format!("chosen.{secret}"),
        format!("{id}."),
        format!("{real}.{real}"),
        "00000000-0000-0000-0000-000000000000.AAAA".into(),
    ] {
        let mut browser = Browser::of(&client);
        browser.keep(SESSION, &chosen);
        let answer = sign_in(&mut browser, &party.person).await;
        let begun = set(&answer, SESSION).unwrap();
        assert!(begun != chosen && !begun.contains(secret), "{chosen}");
        assert_ne!(begun.split_once('.').unwrap().0, id, "{chosen}");
        assert!(pings(&client, SESSION, &begun).await, "{chosen}");
        // What the attacker knows is nobody's any more, or still the attacker's own.
        let mut attacking = Browser::of(&client);
        attacking.keep(SESSION, &chosen);
        let answer = attacking.get(&party.request(&[("prompt", "none")])).await;
        assert_eq!(landed(&answer)["error"], "login_required", "{chosen}");
    }
    assert!(!pings(&client, SESSION, &real).await, "it was replaced");
}

#[tokio::test]
async fn o11_every_way_to_sign_in_replaces_the_session_the_browser_had() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let Enrolled { name, password, .. } = &party.person;
    let mut browser = Browser::of(&client);
    sign_in(&mut browser, &party.person).await;
    let mut before = browser.cookie(SESSION).unwrap().to_owned();
    let mut seen = vec![before.clone()];
    for way in ["page", "request", "again", "historic", "basic"] {
        let answer = match way {
            "page" => sign_in(&mut browser, &party.person).await,
            "request" => {
                let asked = browser.get(&party.request(&[("prompt", "login")])).await;
                browser.sign_in(&asked, name, password).await
            }
            "again" => {
                server.advance(std::time::Duration::from_mins(10));
                let asked = browser.get(&party.request(&[("max_age", "60")])).await;
                browser.sign_in(&asked, name, password).await
            }
            "historic" => {
                let form = [("username", name.as_str()), ("password", password)];
                let request = client.post("/auth/v3/sign-in").form(&form);
                request.header("cookie", &browser.cookies()).send().await
            }
            _ => {
                let request = client.get(&party.request(&[])).basic(name, password);
                request.header("cookie", &browser.cookies()).send().await
            }
        };
        let begun = set(&answer, SESSION).unwrap_or_else(|| panic!("{way}: {answer:?}"));
        assert!(!seen.contains(&begun), "{way}");
        assert!(pings(&client, SESSION, &begun).await, "{way}: the new one");
        assert!(
            !pings(&client, SESSION, &before).await,
            "{way}: the old one is dead"
        );
        browser.keep(SESSION, &begun);
        seen.push(begun.clone());
        before = begun;
    }
    assert_eq!(sessions(&server), 1);
}

#[tokio::test]
async fn o11_a_refused_sign_in_begins_and_replaces_nothing() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let mut browser = Browser::of(&client);
    sign_in(&mut browser, &party.person).await;
    let session = browser.cookie(SESSION).unwrap().to_owned();
    let form = Form::of(&page(&mut browser).await.text).with("username", &party.person.name);
    let wrong = browser.post(&form.clone().with("password", "x")).await.ok();
    assert_eq!(set(&wrong, SESSION), None);
    let request = client
        .get(&party.request(&[]))
        .basic(&party.person.name, "x");
    let wrong = request.header("cookie", &browser.cookies()).send().await;
    assert_eq!((wrong.status, set(&wrong, SESSION)), (401, None));
    assert!(pings(&client, SESSION, &session).await);
    assert_eq!(sessions(&server), 1);
}

#[tokio::test]
async fn o11_a_changed_password_begins_a_session_and_ends_every_other() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let person = server.user("ada", &[]);
    let mut elsewhere = Browser::of(&client);
    sign_in(&mut elsewhere, &person).await;
    let mut browser = Browser::of(&client);
    sign_in(&mut browser, &person).await;
    let before = browser.cookie(SESSION).unwrap().to_owned();
    let cx = server.appliance.own_context();
    let user = admit::domain::users::find(&cx, &person.id)
        .unwrap()
        .unwrap();
    change_user(&server, &user, |user| user.password_expired = true);
    let form = Form::of(&page(&mut browser).await.text)
        .with("username", &person.name)
        .with("password", &person.password);
    let question = browser.post(&form).await.ok();
    assert_eq!(
        set(&question, SESSION),
        None,
        "an expired password opens nothing"
    );
    let form = Form::of(&question.text)
        .with("old_password", &person.password)
        .with("new_password", NEW)
        .with("new_password_again", NEW);
    let answer = browser.post(&form).await;
    let begun = set(&answer, SESSION).unwrap();
    assert_ne!(begun, before);
    assert!(pings(&client, SESSION, &begun).await);
    assert!(!pings(&client, SESSION, &before).await);
    assert!(!pings(&client, SESSION, elsewhere.cookie(SESSION).unwrap()).await);
}

#[tokio::test]
async fn o11_the_browser_a_password_was_changed_in_goes_on_and_every_other_must_sign_in() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let mut other = Browser::of(&client);
    party.signed_in(&mut other, &[]).await;
    let mut browser = Browser::of(&client);
    let landed_at = party.signed_in(&mut browser, &[]).await;
    let made = party.exchange(&landed_at["code"], &[]).await.ok();
    let body =
        serde_json::json!({"data": {"oldPassword": party.person.password, "newPassword": NEW}});
    let request = client
        .post("/auth/v3/change-password")
        .bearer(&made.member("access_token"));
    request.json(&body).send().await.ok();
    let refused = other.get(&party.request(&[("prompt", "none")])).await;
    assert_eq!(landed(&refused)["error"], "login_required");
    let next = landed(&browser.get(&party.request(&[("prompt", "none")])).await);
    let next = party.exchange(&next["code"], &[]).await.ok();
    assert!(client.is_alive(&next.member("access_token")).await);
    assert!(client.is_alive(&made.member("access_token")).await);
    party.refresh(&next.member("refresh_token")).await.ok();
}

#[tokio::test]
async fn o11_a_session_is_dead_once_it_is_signed_out_of_wherever_its_cookie_was_copied_to() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let mut browser = Browser::of(&client);
    let landed_at = party.signed_in(&mut browser, &[("scope", "openid")]).await;
    let token = party.exchange(&landed_at["code"], &[]).await.ok();
    let mut thief = Browser::of(&client);
    thief.keep(SESSION, browser.cookie(SESSION).unwrap());
    let silent = party.request(&[("prompt", "none")]);
    assert!(landed(&thief.get(&silent).await).contains_key("code"));
    let out = client
        .post("/auth/v3/sign-out")
        .bearer(&token.member("access_token"));
    let out = out.send().await.ok();
    for cookie in [SESSION, PING] {
        assert!(
            attributes(&out, cookie).ends_with("; Max-Age=0"),
            "{cookie}"
        );
    }
    let answer = thief.get(&silent).await;
    assert_eq!(landed(&answer)["error"], "login_required");
    assert!(
        thief
            .get(&party.request(&[]))
            .await
            .header("location")
            .starts_with(SIGN_IN)
    );
    assert!(
        !answer
            .header("location")
            .starts_with(&format!("{CALLBACK}?code"))
    );
}
