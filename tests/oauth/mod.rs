//! OAuth 2.0 at both fronts, one file a standard; a test's name begins with the rule's id.

mod abuse;
mod boundaries;
mod flow;
mod rfc6749;
mod rfc6750;
mod rfc7636;
mod rfc8252;
mod rfc9068;
mod rfc9207;
mod rfc9700;

use std::collections::BTreeMap;

use admit::domain::access::By;
use admit::domain::clients::{self, Facts, GrantType, NewClient};
use admit::domain::{sign_in, users};
use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::client::{Answer, Client};
use crate::support::party::{CALLBACK, FRONTS, Front, Party, facts, landed, somebody};
use crate::support::server::{Credentials, Enrolled, Server};

/// The challenge of `party::VERIFIER`, as an authorization request carries it (RFC 7636 appendix B).
pub(super) const S256: [(&str, &str); 2] = [
    (
        "code_challenge",
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    ),
    ("code_challenge_method", "S256"),
];

/// A confidential client and a person who is signed in already, so that every good authorization request gets its
/// answer at once.
pub(super) struct Scene<'c> {
    pub(super) server: &'c Server,
    pub(super) client: &'c Client,
    pub(super) party: Party<'c>,
    pub(super) browser: Browser<'c>,
}

impl<'c> Scene<'c> {
    pub(super) fn of(server: &'c Server, client: &'c Client) -> Self {
        let party = Party::of(server, client);
        let mut scene = Self {
            server,
            client,
            party,
            browser: Browser::of(client),
        };
        scene.sign_in();
        scene
    }

    /// Another person and another client of the same server.
    pub(super) fn named(server: &'c Server, client: &'c Client, name: &str) -> Self {
        let credentials = other(server, |_| ());
        let person = server.enroll(&somebody(name));
        let mut scene = Self::again(server, client, credentials, person);
        scene.sign_in();
        scene
    }

    /// The same client and person after a restart; nobody is signed in.
    pub(super) fn again(
        server: &'c Server,
        client: &'c Client,
        credentials: Credentials,
        person: Enrolled,
    ) -> Self {
        let party = Party {
            client,
            front: FRONTS[0],
            credentials,
            person,
        };
        Self {
            server,
            client,
            party,
            browser: Browser::of(client),
        }
    }

    /// The same person, as client of another kind.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        self.party.credentials = other(self.server, change);
        self
    }

    /// The same person, at a client that has no secret.
    pub(super) fn public(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        let mut facts = facts();
        change(&mut facts);
        self.party.credentials = Credentials {
            id: self
                .server
                .register_public(&self.server.organization(), facts),
            secret: String::new(),
        };
        self
    }

    pub(super) fn at(&mut self, front: Front) -> &mut Self {
        self.party.front = front;
        self
    }

    /// A session that begins now, without a password having been looked at.
    pub(super) fn sign_in(&mut self) {
        let cx = self.server.appliance.own_context();
        let user = users::find(&cx, &self.party.person.id).unwrap().unwrap();
        let begun = sign_in::begin(&cx, &user, None).unwrap();
        self.server.settle(&cx);
        let cookie = begun.cookie.expose();
        self.browser.keep("__Host-admit-session", cookie);
    }

    /// The authorization endpoint's answer.
    pub(super) async fn asked(&mut self, changes: &[(&str, &str)]) -> Answer {
        let request = self.party.request(changes);
        self.browser.get(&request).await
    }

    /// What the client's callback receives.
    pub(super) async fn landed(&mut self, changes: &[(&str, &str)]) -> BTreeMap<String, String> {
        landed(&self.asked(changes).await)
    }

    pub(super) async fn code(&mut self, changes: &[(&str, &str)]) -> String {
        let mut landed = self.landed(changes).await;
        landed
            .remove("code")
            .unwrap_or_else(|| panic!("{landed:?}"))
    }

    pub(super) async fn tokens(&mut self, changes: &[(&str, &str)]) -> Value {
        let code = self.code(changes).await;
        self.party.exchange(&code, &[]).await.ok().json()
    }

    /// The token endpoint's answer to the person's name and this password.
    pub(super) async fn by_password(&self, password: &str) -> Answer {
        let form = [
            ("grant_type", "password"),
            ("username", &*self.party.person.name),
            ("password", password),
        ];
        self.party.ask(&form).await
    }

    /// The token endpoint, as whoever has these credentials.
    pub(super) async fn ask_as(&self, credentials: &Credentials, form: &[(&str, &str)]) -> Answer {
        let request = self.client.post(self.party.front.token);
        let request = request.basic(&credentials.id, &credentials.secret);
        request.form(form).send().await
    }

    /// The token endpoint, without an Authorization header.
    pub(super) async fn ask_bare(&self, form: &[(&str, &str)]) -> Answer {
        let request = self.client.post(self.party.front.token);
        request.form(form).send().await
    }

    /// Whether introspection calls a token alive.
    pub(super) async fn is_active(&self, token: &str) -> bool {
        let own = self.server.first_client();
        let request = self.client.post("/oauth/introspect");
        let request = request.basic(&own.id, &own.secret);
        let answer = request.form(&[("token", token)]).send().await.ok();
        answer.json()["active"].as_bool().unwrap()
    }

    /// Whether user info and introspection believe the access token, and introspection the refresh token.
    pub(super) async fn lives(&self, tokens: &Value) -> [bool; 3] {
        let access = text(tokens, "access_token");
        [
            self.client.is_alive(access).await,
            self.is_active(access).await,
            self.is_active(text(tokens, "refresh_token")).await,
        ]
    }
}

/// Another confidential client with the same callback.
pub(super) fn other(server: &Server, change: impl FnOnce(&mut Facts)) -> Credentials {
    let mut facts = facts();
    change(&mut facts);
    server.register_client(&server.organization(), facts)
}

/// Whether a client may be registered with this redirect URI.
pub(super) fn registers(server: &Server, public: bool, uri: &str) -> bool {
    let cx = server.appliance.own_context();
    let facts = Facts {
        redirect_uris: Some(vec![uri.to_owned()]),
        ..Facts::default()
    };
    let new = NewClient {
        shared: false,
        id: None,
        public,
        facts,
    };
    let made = clients::register(&cx, &By::operator(), &server.organization(), &new);
    server.settle(&cx);
    made.is_ok()
}

/// Facts with one more grant switched on.
pub(super) fn switch_on(facts: &mut Facts, grant: GrantType) {
    facts.grants.get_or_insert_default().push(grant);
}

#[track_caller]
pub(super) fn text<'v>(reply: &'v Value, member: &str) -> &'v str {
    let text = reply[member].as_str();
    text.unwrap_or_else(|| panic!("no {member}: {reply}"))
}

/// The browser is told on the spot: no answer goes to any client.
#[track_caller]
pub(super) fn stays(answer: &Answer, told: &str) {
    assert!(matches!(answer.status, 400 | 401), "{told}: {answer:?}");
    assert_eq!(answer.header("location"), "", "{told}");
}

/// The form of a code exchange.
pub(super) fn exchange(code: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
    ]
}
