//! A client that trusts the server's authority and looks at every answer for what must always hold.

use std::net::IpAddr;

use admit::domain::oauth::request::TICKET_GRANT;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::schema;
use super::server::{Credentials, Server};

/// A client of one server.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    secrets: Vec<String>,
}

/// A request being put together.
pub(crate) struct Request<'c> {
    client: &'c Client,
    method: String,
    path: String,
    builder: RequestBuilder,
}

/// An answer, read whole and already looked at.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Client {
    pub(crate) fn of(server: &Server) -> Self {
        Self::from(server, [127, 0, 0, 1].into())
    }

    /// One that calls from another of this machine's loopback addresses.
    pub(crate) fn from(server: &Server, address: IpAddr) -> Self {
        let root = std::fs::read(server.authority()).unwrap();
        let http = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&root).unwrap()])
            .resolve("localhost", server.address)
            .local_address(address)
            .redirect(Policy::none())
            .build()
            .unwrap();
        let secret = |of: &str, name: &str| server.first_run[of][name].as_str().map(str::to_owned);
        Self {
            http,
            base: format!("https://localhost:{}", server.address.port()),
            secrets: [
                secret("admin", "password"),
                secret("client", "client_secret"),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }

    /// Our own address, as this client calls it.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request<'_> {
        let name = method.to_owned();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Request {
            client: self,
            method: name,
            path: path.to_owned(),
            builder: self.http.request(method, format!("{}{path}", self.base)),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Request<'_> {
        self.request("POST", path)
    }

    pub(crate) fn put(&self, path: &str) -> Request<'_> {
        self.request("PUT", path)
    }

    pub(crate) fn delete(&self, path: &str) -> Request<'_> {
        self.request("DELETE", path)
    }

    /// The token endpoint, with a form.
    pub(crate) async fn token(&self, basic: Option<(&str, &str)>, form: &[(&str, &str)]) -> Answer {
        let request = self.post("/security/oauth/token").form(form);
        match basic {
            Some((id, secret)) => request.basic(id, secret),
            None => request,
        }
        .send()
        .await
    }

    /// An access token of a confidential client.
    pub(crate) async fn bearer(&self, client: &Credentials) -> String {
        let form = [("grant_type", "client_credentials")];
        let answer = self.token(Some((&client.id, &client.secret)), &form).await;
        answer.ok().member("access_token")
    }

    /// A customer's login with a ticket, as the vendors' apps do it.
    pub(crate) async fn login(&self, ticket: &str) -> Answer {
        let form = [
            ("grant_type", "password"),
            ("username", ticket),
            ("password", ""),
        ];
        self.token(Some(("customer", "")), &form).await
    }

    /// A customer's refresh.
    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.token(Some(("customer", "")), &form).await
    }

    /// A ticket login under the grant's own name.
    pub(crate) async fn login_by_urn(&self, ticket: &str) -> Answer {
        let form = [("grant_type", TICKET_GRANT), ("ticket", ticket)];
        self.token(Some(("customer", "")), &form).await
    }

    /// A new ticket as it is answered.
    pub(crate) async fn issue(&self, bearer: &str, body: &Value) -> Value {
        let answer = self
            .post("/security/ticket")
            .bearer(bearer)
            .json(body)
            .send()
            .await;
        answer.ok().json()
    }

    /// The id of a new ticket of this type, without properties.
    pub(crate) async fn ticket(&self, bearer: &str, kind: &str) -> String {
        let made = self
            .issue(bearer, &json!({"type": kind, "properties": {}}))
            .await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// Whether a bearer is believed.
    pub(crate) async fn is_alive(&self, bearer: &str) -> bool {
        let answer = self.get("/auth/v3/userinfo").bearer(bearer).send().await;
        match answer.status {
            200 => true,
            401 => {
                answer.is(401, "invalid_token");
                false
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
}

impl Request<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn basic(self, id: &str, secret: &str) -> Self {
        self.header(
            "authorization",
            &format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))),
        )
    }

    pub(crate) fn form(self, pairs: &[(&str, &str)]) -> Self {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.body("application/x-www-form-urlencoded", form)
    }

    pub(crate) fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        self.builder = self.builder.query(pairs);
        self
    }

    pub(crate) fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    pub(crate) fn body(mut self, kind: &str, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.header(CONTENT_TYPE, kind).body(body);
        self
    }

    /// Sends it without reading the body as words: an answer to `HEAD` has none.
    pub(crate) async fn quiet(self) -> Answer {
        let response = self.builder.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) async fn send(self) -> Answer {
        let response = self.builder.send().await.unwrap();
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        };
        answer.must_always_hold(&self.path);
        schema::compare(&self.method, &self.path, &answer);
        self.client.keeps_its_secrets(&answer);
        answer
    }
}

impl Client {
    fn keeps_its_secrets(&self, answer: &Answer) {
        let shown = format!("{:?}\n{}", answer.headers, answer.text);
        for secret in &self.secrets {
            assert!(
                !shown.contains(secret),
                "a first secret is shown again: {shown}"
            );
        }
    }
}

impl Answer {
    /// What every answer has, and every refusal in its contract's words.
    pub(crate) fn must_always_hold(&self, path: &str) {
        for name in ["x-request-id", "cache-control"] {
            assert!(!self.header(name).is_empty(), "{path}: no {name}: {self:?}");
        }
        if self.header("content-type").starts_with("text/html") {
            self.is_a_guarded_page(path);
        }
        if self.status < 400 || self.header("content-type").starts_with("text/html") {
            return;
        }
        // What is not ready says why in a form of its own.
        if path.starts_with("/health/") {
            return;
        }
        let body = self.json();
        for name in ["error", "error_description"] {
            let word = body[name].as_str().unwrap_or_default();
            assert!(!word.is_empty(), "{path}: no {name}: {self:?}");
        }
        assert_eq!(self.header("cache-control"), "no-store", "{path}");
        if path.starts_with("/auth/v3") {
            assert!(body["status"]["code"].is_u64(), "{path}: {self:?}");
            assert_eq!(
                body["status"]["message"], body["error_description"],
                "{path}"
            );
        }
    }

    /// RFC 9700 §4.16, §4.2.4: no frame, nothing from elsewhere, no referrer, not kept.
    fn is_a_guarded_page(&self, path: &str) {
        let policy = self.header("content-security-policy");
        for wanted in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(wanted), "{path}: {policy}");
        }
        assert_eq!(self.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(self.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(self.header("cache-control"), "no-store", "{path}");
    }

    /// A header, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        let kind = self.header("content-type");
        assert!(
            kind.starts_with("application/json"),
            "{kind:?}: {}",
            self.text
        );
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A member that is text.
    pub(crate) fn member(&self, name: &str) -> String {
        let value = &self.json()[name];
        value
            .as_str()
            .unwrap_or_else(|| panic!("{name} is no text: {}", self.text))
            .to_owned()
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.text);
        self
    }

    /// Is refused with this status and code.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, error: &str) {
        let found = self.json()["error"].clone();
        assert_eq!(
            (self.status, found.as_str().unwrap()),
            (status, error),
            "{}",
            self.text
        );
    }

    /// Is refused with this status, code and description.
    #[track_caller]
    pub(crate) fn says(&self, status: u16, error: &str, description: &str) {
        self.is(status, error);
        assert_eq!(self.member("error_description"), description);
    }
}
