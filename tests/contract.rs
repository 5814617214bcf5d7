//! `contract/endpoints.txt` against the live routes: each path, method and status, and 405 for every other method.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use admit::domain::access::Role;
use serde_json::json;

use crate::oidc;
use crate::security::callback::{NUMBER, Scene};
use crate::support::accounts::{admin, admin_password, signed_in};
use crate::support::browser::{Browser, Form};
use crate::support::client::{Answer, Client, Request};
use crate::support::party::{self, CALLBACK};
use crate::support::schema;
use crate::support::server::{Credentials, Server};

const ENDPOINTS: &str = include_str!("contract/endpoints.txt");
/// One row of the README's table of documented operations.
pub(crate) struct Documented {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    status: u16,
    proof: &'static str,
}

/// The operations both documents have, as the README lists them.
pub(crate) fn documented() -> Vec<Documented> {
    let (_, table) = README.split_once("### Documented operations\n").unwrap();
    let rows = table.lines().skip_while(|line| !line.starts_with("|---"));
    let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let (method, path) = cells[2].split_once(' ').unwrap();
        Documented {
            method,
            path,
            status: cells[3].parse().unwrap(),
            proof: cells[4],
        }
    })
    .collect()
}

const README: &str = include_str!("../README.md");

#[test]
fn the_readme_lists_every_documented_operation_with_a_live_route_and_a_test() {
    let documented = documented();
    let of = |base: &str| {
        documented
            .iter()
            .filter(|row| row.path.starts_with(base))
            .count()
    };
    assert_eq!((of("/security/"), of("/auth/v3/")), (27, 9));
    let live = endpoints();
    for row in &documented {
        let (method, path) = (row.method, row.path);
        assert!(
            live.contains(&(method, path, row.status)),
            "{method} {path} is not served"
        );
        assert!(
            schema::is_known(method, path, row.status),
            "{method} {path} has no schema"
        );
        let mut modules: Vec<_> = row.proof.split("::").collect();
        let name = modules.pop().unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(modules.join("/"));
        let text = fs::read_to_string(file.with_extension("rs")).unwrap();
        assert!(text.contains(&format!("fn {name}(")), "{}", row.proof);
    }
}

const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
];

/// The published endpoints: method, path, status of success.
pub(crate) fn endpoints() -> Vec<(&'static str, &'static str, u16)> {
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
    let scene = Scene::new().await;
    let (server, client) = (&scene.server, &scene.client);
    let first = server.first_client();
    let bearer = scene.bearer.clone();
    let made = Made::on(&scene).await;
    let known = Known {
        code: scene.code().await,
        application: scene.application.clone(),
        service: client
            .bearer(&server.register(&server.organization(), &[Role::Service]))
            .await,
        admin: signed_in(server).0,
        password: admin_password(server),
        leaving: [client.bearer(&first).await, client.bearer(&first).await],
        login: server.register_client(&server.organization(), party::facts()),
        person: oidc::token(server, "openid", &[]),
        first,
        bearer,
    };
    let endpoints = endpoints();
    assert!(endpoints.len() >= 60, "the list was not read");
    for (method, path, status) in endpoints {
        if method == "POST" && PAGES.contains(&path) {
            let answer = page_posted(server, client, path).await;
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
            continue;
        }
        let request = client.request(method, &made.filled(path));
        let answer = known.prepared(method, path, request).send().await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }
}

/// What the paths are about.
struct Made {
    ticket: String,
    client: String,
    application: String,
    key: String,
    user: String,
}

impl Made {
    async fn on(scene: &Scene) -> Self {
        for (kind, parameters) in [
            (
                "TALKDESK_OPENID",
                json!({"clientId": "talkdesk-client", "clientSecret": "talkdesk-secret", "tokenUrl": scene.at("/talkdesk/oauth/token")}),
            ),
            (
                "NICE_CXONE_OPENID",
                json!({"clientId": "nice-client", "clientSecret": "nice-secret", "tokenUrl": scene.at("/nice/auth/token")}),
            ),
        ] {
            let body = json!({"type": kind, "config": {"serviceParameters": parameters}});
            scene.created("/security/applications", &body, "id").await;
        }
        let test = json!({"type": "TEST", "config": {}});
        Self {
            ticket: scene.client.ticket(&scene.bearer, "MULTI_USE_TICKET").await,
            client: scene
                .created("/security/clients", &json!({}), "clientId")
                .await,
            application: scene.created("/security/applications", &test, "id").await,
            key: scene
                .created("/security/keys", &json!({"type": "SSH_RSA"}), "id")
                .await,
            user: admin(&scene.server).id.to_string(),
        }
    }

    fn filled(&self, path: &str) -> String {
        let id = if path.contains("/keys/") {
            &self.key
        } else {
            &self.application
        };
        path.replace("{ticketId}", &self.ticket)
            .replace("{client_id}", REGISTERED)
            .replace("{clientId}", &self.client)
            .replace("{userId}", &self.user)
            .replace("{id}", id)
    }
}

/// Pages whose form is posted as a browser does.
const PAGES: [&str; 3] = [
    "/auth/sign-in.html",
    "/auth/change-password.html",
    "/auth/consent.html",
];

/// A page's form, filled in by whom it is for.
async fn page_posted(server: &Server, client: &Client, path: &str) -> Answer {
    let mut browser = Browser::of(client);
    let login = server.register_client(&server.organization(), party::facts());
    let request = format!(
        "/auth/v3/oauth/authorize?client_id={}&redirect_uri={CALLBACK}&response_type=code&prompt=consent",
        login.id
    );
    let name = path.trim_start_matches("/auth/").trim_end_matches(".html");
    let mut person = party::somebody(name);
    person.details.expired = Some(name == "change-password");
    let person = server.enroll(&person);
    if name == "sign-in" {
        let page = browser.get(path).await;
        let form = Form::of(&page.text);
        let form = form.with("username", &person.name);
        return browser.post(&form.with("password", &person.password)).await;
    }
    let asked = browser.get(&request).await;
    let page = browser
        .sign_in(&asked, &person.name, &person.password)
        .await;
    let form = Form::of(&page.text)
        .with("decision", "continue")
        .with("old_password", &person.password)
        .with("new_password", "four words in a row")
        .with("new_password_again", "four words in a row");
    assert!(form.action.starts_with(path), "{}", form.action);
    let answer = browser.post(&form).await;
    if name == "change-password" && answer.status == 200 {
        // The request asks for consent, which comes after the new password.
        return browser
            .post(&Form::of(&answer.text).with("decision", "continue"))
            .await;
    }
    answer
}

/// The client that one request of the list registers and others use.
const REGISTERED: &str = "registered-by-the-list";

/// What the requests need to succeed.
struct Known {
    first: Credentials,
    service: String,
    application: String,
    /// A one-time code, as verification and as the code itself.
    code: (String, String),
    bearer: String,
    /// One for each request that ends it.
    leaving: [String; 2],
    admin: String,
    password: String,
    person: String,
    login: Credentials,
}

impl Known {
    fn prepared<'c>(&self, method: &str, path: &str, request: Request<'c>) -> Request<'c> {
        let password = self.password.as_str();
        match (method, path) {
            ("POST", "/security/oauth/token") => request
                .basic(&self.first.id, &self.first.secret)
                .form(&[("grant_type", "client_credentials")]),
            (_, path)
                if path.starts_with("/security/")
                    && !path.contains("/ticket")
                    && !path.contains("/oauth/") =>
            {
                self.contract_a(method, path, request)
            }
            ("POST", "/security/ticket") => request
                .bearer(&self.bearer)
                .json(&json!({"type": "MULTI_USE_TICKET", "properties": {}})),
            ("GET" | "POST", path) if path.ends_with("/oauth/authorize") => {
                let form = [
                    ("client_id", self.login.id.as_str()),
                    ("redirect_uri", CALLBACK),
                    ("response_type", "code"),
                ];
                if method == "GET" {
                    request.query(&form)
                } else {
                    request.form(&form)
                }
            }
            ("POST", "/auth/v3/oauth/token") => request
                .basic(&self.first.id, &self.first.secret)
                .form(&[("grant_type", "client_credentials")]),
            ("POST", "/oauth/introspect" | "/oauth/revoke") => request
                .basic(&self.first.id, &self.first.secret)
                .form(&[("token", "unknown")]),
            (_, "/oidc/userinfo") => request.bearer(&self.person),
            (_, "/oidc/logout") => request,
            ("PUT", "/security/ticket/{ticketId}") => request
                .bearer(&self.bearer)
                .json(&json!({"properties": {}})),
            ("GET", "/auth/v3/sign-out") => request.bearer(&self.leaving[0]),
            ("POST", "/auth/v3/sign-out") => request.bearer(&self.leaving[1]),
            ("POST", "/auth/v3/auth-scheme") => {
                request.json(&json!({"data": {"userName": "admin"}}))
            }
            ("POST", "/auth/v3/sign-in") => {
                request.form(&[("username", "admin"), ("password", password)])
            }
            ("POST" | "PUT", path) if path.starts_with("/auth/v3/ops/clients") => request
                .basic("admin", password)
                .json(&json!({"data": {"client_id": REGISTERED}})),
            (_, path) if path.starts_with("/auth/v3/ops/clients") => {
                request.basic("admin", password)
            }
            ("POST", "/auth/v3/change-password") => {
                request.bearer(&self.admin).json(&json!({"data": {
                    "oldPassword": password, "newPassword": "another one, and longer",
                }}))
            }
            _ => request.bearer(&self.bearer),
        }
    }
}

impl Known {
    fn contract_a<'c>(&self, method: &str, path: &str, request: Request<'c>) -> Request<'c> {
        let order =
            json!({"queueName": "Support", "callbackUserName": "Ann", "callbackNumbers": [NUMBER]});
        let (id, code) = &self.code;
        let body = match (method, path) {
            (_, "/security/users/{userId}") => return request.bearer(&self.service),
            ("POST", "/security/facades/callback") => {
                let ordered = request
                    .bearer(&self.bearer)
                    .header("x-urlbase", "https://auvious.video");
                let ordered = ordered.header("x-applicationid", &self.application);
                return ordered.json(&order);
            }
            ("POST", "/security/genesys/callback") => {
                let paid = request
                    .header("x-otpverificationid", id)
                    .header("x-otpcode", code);
                let paid = paid.header("x-applicationid", &self.application);
                return paid.json(&order);
            }
            ("POST", "/security/clients") => json!({"description": "of the list"}),
            ("PUT", "/security/clients/{clientId}") => json!({"roles": ["Agent"]}),
            ("POST" | "PUT", path) if path.starts_with("/security/applications") => {
                json!({"type": "TEST", "config": {}})
            }
            ("POST", "/security/keys") => json!({"type": "SSH_RSA"}),
            ("POST", "/security/otp") => json!({"to": NUMBER}),
            ("POST", "/security/otp/verify") => {
                json!({"to": NUMBER, "code": code, "verificationId": id})
            }
            ("POST", path) if path.ends_with("/room") => {
                json!({"applicationId": self.application})
            }
            ("POST", "/security/talkdesk/refresh_token") => {
                json!({"refresh_token": "talkdesk-refresh"})
            }
            ("POST", "/security/nice/refresh_token") => json!({"refresh_token": "nice-refresh"}),
            _ => return request.bearer(&self.bearer),
        };
        request.bearer(&self.bearer).json(&body)
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
                .request(
                    method,
                    &path
                        .replace("{ticketId}", "abc-def")
                        .replace("{client_id}", "abc")
                        .replace("{clientId}", "abc")
                        .replace("{userId}", "abc")
                        .replace("{id}", "00000000-0000-4000-8000-000000000000"),
                )
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
