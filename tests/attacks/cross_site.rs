//! Rows O9 and O19: forms that other sites post, cookies that must not be believed, and what a browser does with an
//! answer to a password.

use std::collections::BTreeMap;

use admit::domain::clients::{Facts, GrantType};

use super::{DEVICE, FORM, NEW, PING, SESSION, SIGN_IN, page, pings, sessions, set};
use crate::support::accounts::{admin, change_user};
use crate::support::browser::{Browser, Form};
use crate::support::client::{Answer, Client};
use crate::support::party::{AUTH_V3, CALLBACK, FRONTS, Party, VERIFIER, challenge};
use crate::support::server::Server;

const EVIL: &str = "https://evil.example";

/// A form as it is posted: headers, the form cookie and the token.
struct Posted<'a> {
    what: &'static str,
    headers: Vec<(&'static str, String)>,
    cookie: Option<&'a str>,
    token: Option<&'a str>,
}

/// What other sites and old pages can do: everything but bring both halves from one of our own pages.
fn hostile<'a>(
    server: &Server,
    own: (&'a str, &'a str),
    other: (&'a str, &'a str),
) -> Vec<Posted<'a>> {
    let origin = server.appliance.base().origin();
    let port = origin.replace("localhost:", "localhost:1");
    let (cookie, token) = own;
    let from = |what, headers: &[(&'static str, &str)]| Posted {
        what,
        headers: headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        cookie: Some(cookie),
        token: Some(token),
    };
    let with = |what, cookie, token| Posted {
        what,
        headers: vec![("origin", origin.clone())],
        cookie,
        token,
    };
    vec![
        from("a foreign origin", &[("origin", EVIL)]),
        from(
            "a foreign origin that begins like ours",
            &[("origin", &format!("{origin}.evil.example"))],
        ),
        from(
            "our name without encryption",
            &[("origin", &origin.replace("https", "http"))],
        ),
        from("another port", &[("origin", &port)]),
        from("an empty origin", &[("origin", "")]),
        from("cross-site", &[("sec-fetch-site", "cross-site")]),
        from(
            "cross-site from our origin",
            &[("sec-fetch-site", "cross-site"), ("origin", &origin)],
        ),
        from("same-site", &[("sec-fetch-site", "same-site")]),
        from(
            "same-site from nowhere",
            &[("sec-fetch-site", "same-site"), ("origin", "null")],
        ),
        from(
            "cross-site from nowhere",
            &[("sec-fetch-site", "cross-site"), ("origin", "null")],
        ),
        from(
            "an unknown word",
            &[("sec-fetch-site", "same-origin, cross-site")],
        ),
        from(
            "typed in, with a foreign origin",
            &[("sec-fetch-site", "none"), ("origin", EVIL)],
        ),
        with("no token", Some(cookie), None),
        with("an empty token", Some(cookie), Some("")),
        with(
            "a made-up token",
            Some(cookie),
            Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ),
        with("the cookie as token", Some(cookie), Some(cookie)),
        with("another browser's token", Some(cookie), Some(other.1)),
        with("another browser's cookie", Some(other.0), Some(token)),
        with("no cookie", None, Some(token)),
        with("an empty cookie", Some(""), Some(token)),
        with("nothing", None, None),
        Posted {
            what: "nothing, from an old browser's frame that hides its origin",
            headers: vec![("origin", "null".into())],
            cookie: None,
            token: Some(token),
        },
    ]
}

/// Posts a form with what an attacker can choose of it.
async fn post(client: &Client, form: &Form, posted: &Posted<'_>, kept: &str) -> Answer {
    let mut fields = form.fields.clone();
    fields.remove("form_token");
    fields.extend(
        posted
            .token
            .map(|token| ("form_token".to_owned(), token.to_owned())),
    );
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let cookie = posted
        .cookie
        .map(|value| format!("{FORM}={value}; "))
        .unwrap_or_default();
    let mut request = client.post(
        form.action
            .strip_prefix(client.base())
            .unwrap_or(&form.action),
    );
    for (name, value) in &posted.headers {
        request = request.header(name, value);
    }
    let cookies = format!("{cookie}{kept}");
    if !cookies.is_empty() {
        request = request.header("cookie", &cookies);
    }
    request
        .header("accept", "text/html")
        .form(&fields)
        .send()
        .await
}

/// The two halves of what guards a browser's forms.
async fn halves(client: &Client) -> (String, String) {
    let mut browser = Browser::of(client);
    let form = Form::of(&page(&mut browser).await.text);
    let cookie = browser.cookie(FORM).unwrap().to_owned();
    (cookie, form.fields["form_token"].clone())
}

/// An answer after which nothing is different: no session, no device, nothing sent on.
#[track_caller]
fn changed_nothing(answer: &Answer, what: &str) {
    assert!(
        matches!(answer.status, 200 | 400 | 403),
        "{what}: {answer:?}"
    );
    assert!(answer.header("location").is_empty(), "{what}: {answer:?}");
    for cookie in [SESSION, DEVICE, PING] {
        assert_eq!(set(answer, cookie), None, "{what}");
    }
}

#[tokio::test]
async fn o9_no_form_of_another_site_signs_anybody_in() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let (own, other) = (halves(&client).await, halves(&client).await);
    let (own, other) = (
        (own.0.as_str(), own.1.as_str()),
        (other.0.as_str(), other.1.as_str()),
    );
    let request = party.request(&[]);
    let (_, query) = request.split_once('?').unwrap();
    for action in [
        SIGN_IN.to_owned(),
        format!("{SIGN_IN}?{query}&front=security"),
    ] {
        let form = Form {
            action,
            fields: BTreeMap::new(),
        }
        .with("username", &party.person.name)
        .with("password", &party.person.password);
        for posted in hostile(&server, own, other) {
            let answer = post(&client, &form, &posted, "").await;
            changed_nothing(&answer, posted.what);
            assert_eq!(sessions(&server), 0, "{}", posted.what);
            assert_eq!(server.count("codes"), 0, "{}", posted.what);
        }
    }
    let mut browser = Browser::of(&client);
    let answer = browser.get(&request).await;
    let answer = browser
        .sign_in(&answer, &party.person.name, &party.person.password)
        .await;
    assert!(
        answer.header("location").starts_with(CALLBACK),
        "and our own does: {answer:?}"
    );
}

#[tokio::test]
async fn o9_no_form_of_another_site_changes_a_password() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let person = server.user("ada", &[]);
    let mut user = admin(&server);
    user.id = person.id.clone();
    let stored = || {
        let cx = server.appliance.own_context();
        admit::domain::users::find(&cx, &person.id)
            .unwrap()
            .unwrap()
    };
    let expired = change_user(&server, &stored(), |user| user.password_expired = true);
    let (own, other) = (halves(&client).await, halves(&client).await);
    let (own, other) = (
        (own.0.as_str(), own.1.as_str()),
        (other.0.as_str(), other.1.as_str()),
    );
    let form = Form {
        action: "/auth/change-password.html".into(),
        fields: BTreeMap::new(),
    }
    .with("username", &person.name)
    .with("old_password", &person.password)
    .with("new_password", NEW)
    .with("new_password_again", NEW);
    for posted in hostile(&server, own, other) {
        let answer = post(&client, &form, &posted, "").await;
        changed_nothing(&answer, posted.what);
        assert_eq!(stored().password, expired.password, "{}", posted.what);
        assert_eq!(sessions(&server), 0, "{}", posted.what);
    }
    let honest = Posted {
        what: "",
        headers: Vec::new(),
        cookie: Some(own.0),
        token: Some(own.1),
    };
    let answer = post(&client, &form, &honest, "").await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_ne!(stored().password, expired.password);
}

#[tokio::test]
async fn o9_no_form_of_another_site_consents_for_anybody() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let person = server.user("ada", &[]);
    let native = server.register_public(
        &server.organization(),
        Facts {
            grants: Some(vec![GrantType::AuthorizationCode]),
            redirect_uris: Some(vec!["http://127.0.0.1/cb".into()]),
            ..Facts::default()
        },
    );
    let mut browser = Browser::of(&client);
    let first = page(&mut browser).await;
    let form = Form::of(&first.text)
        .with("username", &person.name)
        .with("password", &person.password);
    assert_eq!(browser.post(&form).await.status, 303);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("client_id", native.as_str()),
            ("redirect_uri", "http://127.0.0.1/cb"),
            ("response_type", "code"),
            ("code_challenge", &challenge(VERIFIER)),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    let question = browser
        .get(&format!("/security/oauth/authorize?{query}"))
        .await
        .ok();
    let form = Form::of(&question.text).with("decision", "continue");
    assert!(
        form.action.starts_with("/auth/consent.html?"),
        "{}",
        form.action
    );
    let token = form.fields["form_token"].clone();
    let cookie = browser.cookie(FORM).unwrap().to_owned();
    let session = format!("{SESSION}={}", browser.cookie(SESSION).unwrap());
    let other = halves(&client).await;
    let (own, other) = (
        (cookie.as_str(), token.as_str()),
        (other.0.as_str(), other.1.as_str()),
    );
    for posted in hostile(&server, own, other) {
        let answer = post(&client, &form, &posted, &session).await;
        changed_nothing(&answer, posted.what);
        assert_eq!(server.count("codes"), 0, "{}", posted.what);
    }
    let answer = browser.post(&form).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(
        answer
            .header("location")
            .starts_with("http://127.0.0.1/cb?")
    );
}

#[tokio::test]
async fn o9_what_a_token_answer_sets_signs_nobody_in() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for (number, front) in FRONTS.into_iter().enumerate() {
        let facts = Facts {
            grants: Some(vec![GrantType::AuthorizationCode, GrantType::Password]),
            redirect_uris: Some(vec![CALLBACK.into()]),
            ..Facts::default()
        };
        let party = Party {
            credentials: server.register_client(&server.organization(), facts),
            person: server.user(&format!("ada{number}"), &[]),
            client: &client,
            front,
        };
        // A form posted from another site can have this answer set its cookies, for the attacker's own account.
        let answer = party
            .ask(&[
                ("grant_type", "password"),
                ("username", &party.person.name),
                ("password", &party.person.password),
            ])
            .await
            .ok();
        assert_eq!(set(&answer, SESSION), None);
        let mut browser = Browser::of(&client);
        if let Some(ping) = set(&answer, PING) {
            assert!(pings(&client, PING, &ping).await);
            browser.keep(PING, &ping);
            browser.keep(SESSION, &ping);
        }
        browser.keep(DEVICE, "AAAA.1.AAAA");
        let asked = browser.get(&party.request(&[])).await;
        assert!(asked.header("location").starts_with(SIGN_IN), "{asked:?}");
        let silent = browser.get(&party.request(&[("prompt", "none")])).await;
        assert!(
            silent.header("location").contains("error=login_required"),
            "{silent:?}"
        );
        assert_eq!(server.count("codes"), 0);
    }
}

#[tokio::test]
async fn o9_getting_a_page_of_ours_with_cookies_changes_nothing() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let mut browser = Browser::of(&client);
    let landed = party
        .signed_in(&mut browser, &[("scope", "openid offline_access")])
        .await;
    let made = party.exchange(&landed["code"], &[]).await.ok();
    let ping = set(&made, PING).unwrap();
    browser.keep(PING, &ping);
    let cookies = browser.cookies();
    for path in [
        "/auth/v3/sign-out",
        "/auth/v3/sign-out?global=true",
        &format!("/auth/v3/sign-out?redirectUri={CALLBACK}"),
        "/oidc/logout",
        "/oidc/logout?decision=yes",
        "/auth/consent.html?decision=continue",
        "/auth/change-password.html",
        "/auth/v3/change-password",
        "/auth/v3/sign-in?username=ada&password=x",
        "/auth/sign-in.html?username=ada&password=x",
    ] {
        for site in ["same-origin", "cross-site", "none"] {
            let request = client.get(path).header("cookie", &cookies);
            let answer = request.header("sec-fetch-site", site).send().await;
            for cookie in [SESSION, PING, DEVICE] {
                assert_eq!(set(&answer, cookie), None, "{path}");
            }
            assert!(answer.header("location").is_empty(), "{path}: {answer:?}");
        }
    }
    for path in ["/auth/v3/sign-out", "/auth/v3/sign-out?global=true"] {
        let answer = client.post(path).header("cookie", &cookies).send().await;
        answer.is(401, "unauthorized");
    }
    assert!(client.is_alive(&made.member("access_token")).await);
    assert!(pings(&client, PING, &ping).await);
    assert!(pings(&client, SESSION, browser.cookie(SESSION).unwrap()).await);
    party.refresh(&made.member("refresh_token")).await.ok();
}

#[tokio::test]
async fn o19_a_form_with_a_password_is_answered_with_303_so_that_no_browser_posts_it_on() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for (number, front) in FRONTS.into_iter().enumerate() {
        let party = Party {
            credentials: server
                .register_client(&server.organization(), crate::support::party::facts()),
            person: server.user(&format!("ada{number}"), &[]),
            client: &client,
            front,
        };
        let mut browser = Browser::of(&client);
        let asked = browser.get(&party.request(&[])).await;
        assert_eq!(asked.status, 302);
        let answer = browser
            .sign_in(&asked, &party.person.name, &party.person.password)
            .await;
        assert_eq!(answer.status, 303, "to the client: {answer:?}");
        assert!(!answer.header("location").contains(&party.person.password));

        let path = party.request(&[]);
        let (path, query) = path.split_once('?').unwrap();
        let posted = client.post(path).header("cookie", &browser.cookies());
        let posted = posted.body("application/x-www-form-urlencoded", query.to_owned());
        assert_eq!(posted.send().await.status, 303, "a posted request");

        let mut alone = Browser::of(&client);
        let form = Form::of(&page(&mut alone).await.text);
        let form = form
            .with("username", &party.person.name)
            .with("password", &party.person.password);
        assert_eq!(alone.post(&form).await.status, 303, "to a page of ours");
        let question = alone.get("/oidc/logout").await.ok();
        let form = Form::of(&question.text).with("decision", "yes");
        let out = alone.post(&form).await;
        assert!(matches!(out.status, 200 | 303), "{out:?}");

        let cx = server.appliance.own_context();
        let user = admit::domain::users::find(&cx, &party.person.id)
            .unwrap()
            .unwrap();
        change_user(&server, &user, |user| user.password_expired = true);
        let mut late = Browser::of(&client);
        let asked = late.get(&party.request(&[])).await;
        let form = late
            .sign_in(&asked, &party.person.name, &party.person.password)
            .await;
        let form = Form::of(&form.ok().text)
            .with("old_password", &party.person.password)
            .with("new_password", NEW)
            .with("new_password_again", NEW);
        let answer = late.post(&form).await;
        assert_eq!(answer.status, 303, "a changed password: {answer:?}");
        assert!(answer.header("location").starts_with(CALLBACK));
    }
    // Contract B has 302 here, which no browser of today posts on; a 307 or 308 it is never.
    let answer = client
        .post("/auth/v3/sign-in")
        .form(&[("username", "ada0"), ("password", "x")])
        .send()
        .await;
    assert_eq!(answer.status, 302);
}

#[tokio::test]
async fn o19_no_script_of_another_site_reads_what_people_see() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let request = party.request(&[]);
    let mut browser = Browser::of(&client);
    party.signed_in(&mut browser, &[]).await;
    for path in [
        &request,
        &request.replace("auth/v3", "security"),
        SIGN_IN,
        "/auth/change-password.html",
        "/auth/consent.html",
        "/auth/v3/sign-in",
        "/auth/v3/sign-out",
        "/auth/v3/ping",
        "/auth/v3/userinfo",
        "/oidc/logout",
        "/oauth/introspect",
        "/oauth/revoke",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let answer = client
                .request(method, path)
                .header("origin", EVIL)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization")
                .header("cookie", &browser.cookies())
                .quiet()
                .await;
            for name in [
                "access-control-allow-origin",
                "access-control-allow-credentials",
                "access-control-allow-headers",
            ] {
                assert!(
                    answer.header(name).is_empty(),
                    "{method} {path}: {answer:?}"
                );
            }
        }
    }
}
