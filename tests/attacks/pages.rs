//! Row O10: every page, in every language, whatever the request is made of. `support` looks at the headers of each.

use super::{NEW, SESSION, SIGN_IN, page};
use crate::support::accounts::change_user;
use crate::support::browser::{Browser, Form, unescaped};
use crate::support::client::{Answer, Client};
use crate::support::party::{AUTH_V3, CALLBACK, FRONTS, Party, VERIFIER, challenge, facts};
use crate::support::server::Server;
use admit::domain::clients::{Facts, GrantType};

const LANGUAGES: [&str; 3] = ["en", "de", "el"];

/// Values that have broken pages.
fn hostile() -> Vec<String> {
    vec![
        "\"><script>alert(1)</script>".into(),
        "'><svg onload=alert(1)>".into(),
        "</title></form><form action=https://evil.example>".into(),
        "javascript:alert(1)".into(),
        "{{7*7}}{% raw %}${7*7}#{7*7}".into(),
        "&lt;script&gt;&#34;&quot;".into(),
        "\0\u{1}\u{7f}".into(),
        "\r\nSet-Cookie: a=b\r\n\r\n<script>".into(),
        "\u{202e}gnp.exe\u{2066}\u{200f}".into(),
        "\u{feff}\u{2028}\u{2029}".into(),
        "+ADw-script+AD4-".into(),
        "<!--".into(),
        "]]>".into(),
        "x".repeat(3_000),
        "<".repeat(1_500),
    ]
}

/// A page that holds no markup but its own, loads nothing from elsewhere and cannot be framed.
#[track_caller]
fn is_sound(answer: &Answer, what: &str) {
    let kind = answer.header("content-type");
    assert_eq!(kind, "text/html; charset=utf-8", "{what}: {answer:?}");
    let page = answer.text.as_str();
    let policy = answer.header("content-security-policy");
    assert!(
        !policy.contains("unsafe") && !policy.contains('*'),
        "{what}: {policy}"
    );
    for directive in policy.split(';').map(str::trim) {
        let name = directive.split(' ').next().unwrap();
        let known = [
            "default-src",
            "style-src",
            "form-action",
            "frame-ancestors",
            "base-uri",
            "script-src",
            "img-src",
        ];
        assert!(known.contains(&name), "{what}: {policy}");
    }
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    for (tag, attributes) in tags(page, what) {
        assert!(TAGS.contains(&tag.as_str()), "{what}: <{tag}>");
        for (name, value) in attributes {
            let known = ATTRIBUTES.contains(&name.as_str()) || name.starts_with("aria-");
            assert!(known, "{what}: {name} in <{tag}>");
            let loads = matches!(name.as_str(), "href" | "src");
            let ours = value.starts_with('/') && !value.starts_with("//");
            assert!(!loads || ours, "{what}: {value}");
            let ours = ours || value.starts_with("https://app.example.org/");
            assert!(name != "action" || ours, "{what}: {value}");
        }
    }
    // The one script there is sends a form on, and the policy has its digest.
    let scripts = page.matches("<script").count();
    assert!(
        scripts == 0 || (scripts == 1 && policy.contains("script-src 'sha256-")),
        "{what}"
    );
    assert!(page.contains("<html lang=\""), "{what}");
}

/// What our pages are made of.
const TAGS: &[&str] = &[
    "a", "bdi", "body", "button", "code", "dd", "div", "dl", "dt", "form", "h1", "h2", "head",
    "html", "input", "label", "li", "link", "main", "mark", "meta", "p", "path", "script",
    "section", "svg", "title", "ul",
];
const ATTRIBUTES: &[&str] = &[
    "lang",
    "dir",
    "charset",
    "name",
    "content",
    "rel",
    "href",
    "class",
    "viewbox",
    "width",
    "height",
    "focusable",
    "d",
    "method",
    "action",
    "type",
    "value",
    "id",
    "for",
    "autocomplete",
    "autocapitalize",
    "spellcheck",
    "required",
    "autofocus",
    "role",
    "minlength",
    "readonly",
];

type Attributes = Vec<(String, String)>;

/// The opening tags of a page and their attributes, as a browser reads them.
#[track_caller]
fn tags(page: &str, what: &str) -> Vec<(String, Attributes)> {
    let (kind, mut rest) = page.split_at("<!DOCTYPE html>".len());
    assert_eq!(kind, "<!DOCTYPE html>", "{what}");
    let mut tags = Vec::new();
    while let Some((_, after)) = rest.split_once('<') {
        let is_quote = |c: char| c == '"';
        let mut quoted = false;
        let end = after.find(|c: char| {
            quoted ^= is_quote(c);
            c == '>' && !quoted
        });
        let (inside, after) = after.split_at(end.unwrap_or_else(|| panic!("{what}: an open tag")));
        rest = after;
        if inside.starts_with('/') {
            continue;
        }
        let (name, attributes) = inside.split_once([' ', '\n']).unwrap_or((inside, ""));
        tags.push((name.to_lowercase(), read(attributes, what)));
    }
    tags
}

#[track_caller]
fn read(attributes: &str, what: &str) -> Attributes {
    let mut all = Vec::new();
    let mut rest = attributes.trim_end_matches('/').trim();
    while !rest.is_empty() {
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let mut value = "";
        rest = after.trim_start();
        if let Some(given) = rest.strip_prefix('=') {
            let quoted = given
                .strip_prefix('"')
                .unwrap_or_else(|| panic!("{what}: {given}"));
            let (inside, after) = quoted.split_once('"').unwrap();
            (value, rest) = (inside, after.trim_start());
        }
        all.push((name.to_lowercase(), value.to_owned()));
    }
    all
}

/// The page of an authorization or sign-in request that has this value as this parameter.
async fn asked(client: &Client, path: &str, params: &[(&str, &str)], language: &str) -> Answer {
    client
        .get(path)
        .query(params)
        .header("accept", "text/html")
        .header("accept-language", language)
        .header("cookie", "a=b")
        .send()
        .await
}

#[tokio::test]
async fn o10_no_parameter_of_a_request_leaves_its_place_on_a_page() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let mut pages = 0;
    for (number, value) in hostile().iter().enumerate() {
        let language = LANGUAGES[number % LANGUAGES.len()];
        for name in [
            "client_id",
            "redirect_uri",
            "state",
            "login_hint",
            "ui_locales",
            "tenant",
            "error",
            "hideTenant",
            "scope",
            "nonce",
            "prompt",
            "response_type",
            "response_mode",
            "claims",
            "max_age",
            "front",
            value,
        ] {
            let good = [
                ("client_id", party.credentials.id.as_str()),
                ("redirect_uri", CALLBACK),
                ("response_type", "code"),
            ];
            let mut params: Vec<(&str, &str)> = good
                .into_iter()
                .filter(|(known, _)| *known != name)
                .collect();
            params.push((name, value));
            for path in [SIGN_IN, FRONTS[0].authorize, FRONTS[1].authorize] {
                let answer = asked(&client, path, &params, language).await;
                let what = format!("{path} with {name:.20} {value:.20}");
                if answer.header("content-type").starts_with("text/html") {
                    is_sound(&answer, &what);
                    pages += 1;
                } else if answer.status < 400 {
                    assert!(matches!(answer.status, 302 | 303), "{what}: {answer:?}");
                    let to = answer.header("location");
                    let known = to.starts_with(CALLBACK) || to.starts_with(&format!("{SIGN_IN}?"));
                    assert!(known, "{what}: {to}");
                }
            }
        }
    }
    println!("{pages} pages");
    assert!(pages > 200, "{pages}");
}

#[tokio::test]
async fn o10_what_is_filled_in_comes_back_as_it_was_and_nowhere_else() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for value in hostile() {
        let mut browser = Browser::of(&client);
        let form = Form::of(&page(&mut browser).await.text)
            .with("username", &value)
            .with("tenant", &value)
            .with("password", "a wet dog at noon");
        let answer = browser.post(&form).await.ok();
        is_sound(&answer, &value);
        assert!(
            !answer.text.contains("a wet dog at noon"),
            "a password is never shown again"
        );
        let again = Form::of(&answer.text);
        if value.chars().all(|c| !c.is_control()) {
            assert_eq!(unescaped(&again.fields["username"]), unescaped(&value));
        }
        // The same at the page for a new password.
        let mut form = form
            .with("old_password", "x")
            .with("new_password", NEW)
            .with("new_password_again", NEW);
        form.action = "/auth/change-password.html".into();
        is_sound(&browser.post(&form).await.ok(), &value);
    }
}

#[tokio::test]
async fn o10_every_page_of_every_language_stands_alone_and_cannot_be_framed() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let hostile = "\"><script>alert(1)</script>";
    for language in LANGUAGES {
        let ask = |path: &str, params: &[(&str, &str)]| {
            let request = client.get(path).query(params).header("accept", "text/html");
            request.header("accept-language", language)
        };
        let id = party.credentials.id.as_str();
        let mut seen = Vec::new();
        for (path, params, status) in [
            (SIGN_IN, vec![], 200),
            (SIGN_IN, vec![("error", "wrong")], 200),
            (SIGN_IN, vec![("error", "1"), ("error", "2")], 400),
            (
                SIGN_IN,
                vec![("client_id", "nobody"), ("redirect_uri", CALLBACK)],
                401,
            ),
            (AUTH_V3.authorize, vec![], 400),
            (AUTH_V3.authorize, vec![("client_id", hostile)], 401),
            (
                AUTH_V3.authorize,
                vec![("client_id", id), ("redirect_uri", hostile)],
                400,
            ),
            (
                AUTH_V3.authorize,
                vec![
                    ("client_id", id),
                    ("redirect_uri", CALLBACK),
                    ("state", "1"),
                    ("state", "2"),
                ],
                400,
            ),
            ("/oidc/logout", vec![], 200),
            ("/oidc/logout", vec![("id_token_hint", hostile)], 400),
            ("/oidc/logout", vec![("client_id", hostile)], 400),
            (
                AUTH_V3.authorize,
                vec![
                    ("client_id", id),
                    (
                        "redirect_uri",
                        "https://app.example.org/\u{202e}\u{2066}\u{200f}",
                    ),
                ],
                400,
            ),
            (
                "/oidc/logout",
                vec![("client_id", id), ("post_logout_redirect_uri", hostile)],
                400,
            ),
        ] {
            let answer = ask(path, &params).send().await;
            let what = format!("{language} {path} {params:?}");
            assert_eq!(answer.status, status, "{what}: {}", answer.text);
            is_sound(&answer, &what);
            assert!(
                answer.text.contains(&format!("<html lang=\"{language}\"")),
                "{what}"
            );
            seen.push(answer.text);
        }
        assert!(seen.iter().all(|page| !page.contains('\u{202e}')));
        assert!(seen.iter().all(|page| !page.contains("<script>alert")));
    }
}

#[tokio::test]
async fn o10_every_page_for_somebody_signed_in_stands_alone_and_cannot_be_framed() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let native = server.register_public(
        &server.organization(),
        Facts {
            name: Some("<script>alert(1)</script>".into()),
            grants: Some(vec![GrantType::AuthorizationCode]),
            redirect_uris: Some(vec!["http://127.0.0.1/cb".into()]),
            ..Facts::default()
        },
    );
    let hostile = "\"><script>alert(1)</script>";
    let id = party.credentials.id.as_str();
    for language in LANGUAGES {
        let ask = |path: &str, params: &[(&str, &str)]| {
            let request = client.get(path).query(params).header("accept", "text/html");
            request.header("accept-language", language)
        };
        let mut browser = Browser::of(&client);
        let form = Form::of(&page(&mut browser).await.text)
            .with("username", &party.person.name)
            .with("password", &party.person.password);
        assert_eq!(browser.post(&form).await.status, 303);
        let session = format!("{SESSION}={}", browser.cookie(SESSION).unwrap());
        let challenge = challenge(VERIFIER);
        let consent = [
            ("client_id", native.as_str()),
            ("redirect_uri", "http://127.0.0.1/cb"),
            ("response_type", "code"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", hostile),
        ];
        let posted = [
            ("client_id", id),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("response_mode", "form_post"),
            ("state", hostile),
        ];
        let question = [("state", hostile), ("client_id", id)];
        for (path, params) in [
            (AUTH_V3.authorize, &consent[..]),
            (AUTH_V3.authorize, &posted[..]),
            ("/oidc/logout", &question[..]),
        ] {
            let answer = ask(path, params)
                .header("cookie", &session)
                .send()
                .await
                .ok();
            is_sound(&answer, &format!("{language} {path}"));
            assert!(answer.text.contains(&format!("<html lang=\"{language}\"")));
            assert!(!answer.text.contains("<script>alert"), "{language} {path}");
        }
    }
}

#[tokio::test]
async fn o10_a_name_that_is_markup_is_only_a_name() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let name = "<b>&\"'</b><script>alert(1)</script>";
    let facts = Facts {
        name: Some(name.into()),
        ..facts()
    };
    let credentials = server.register_client(&server.organization(), facts);
    let person = server.user("ada", &[]);
    let cx = server.appliance.own_context();
    let user = admit::domain::users::find(&cx, &person.id)
        .unwrap()
        .unwrap();
    change_user(&server, &user, |user| user.display_name = Some(name.into()));
    let party = Party {
        client: &client,
        front: AUTH_V3,
        credentials,
        person,
    };
    let mut browser = Browser::of(&client);
    let asked = browser.get(&party.request(&[])).await;
    let shown = browser.get(asked.header("location")).await.ok();
    is_sound(&shown, "the client's name");
    assert!(!shown.text.contains("<b>") && unescaped(&shown.text).contains(name));
    browser
        .sign_in(&asked, &party.person.name, &party.person.password)
        .await;
    let consent = browser
        .get(&party.request(&[("prompt", "consent")]))
        .await
        .ok();
    is_sound(&consent, "the person's name");
    assert!(!consent.text.contains("<b>"));
}
