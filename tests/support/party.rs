//! A relying party as its author would write it by hand: a client, somebody who signs in to it, and the whole way from
//! an authorization request to tokens and claims.

use std::collections::BTreeMap;

use admit::domain::access::Role;
use admit::domain::clients::{Facts, GrantType};
use admit::domain::users::{Details, NewUser};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::browser::Browser;
use super::client::{Answer, Client};
use super::server::{Credentials, Enrolled, Server};

pub(crate) const CALLBACK: &str = "https://app.example.org/cb";
pub(crate) const AFTER_LOGOUT: &str = "https://app.example.org/bye";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The S256 challenge of [`VERIFIER`].
pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// The endpoints of one issuer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Front {
    pub(crate) authorize: &'static str,
    pub(crate) token: &'static str,
    pub(crate) issuer: &'static str,
}

pub(crate) const SECURITY: Front = Front {
    authorize: "/security/oauth/authorize",
    token: "/security/oauth/token",
    issuer: "",
};
pub(crate) const AUTH_V3: Front = Front {
    authorize: "/auth/v3/oauth/authorize",
    token: "/auth/v3/oauth/token",
    issuer: "/auth/v3",
};
pub(crate) const FRONTS: [Front; 2] = [SECURITY, AUTH_V3];

/// A confidential client and a person who signs in to it.
pub(crate) struct Party<'c> {
    pub(crate) client: &'c Client,
    pub(crate) front: Front,
    pub(crate) credentials: Credentials,
    pub(crate) person: Enrolled,
}

/// A person of whom everything is known.
pub(crate) fn somebody(name: &str) -> NewUser {
    let text = |text: &str| Some(text.to_owned());
    NewUser {
        name: name.to_owned(),
        details: Details {
            display_name: text("Ada King"),
            given_name: text("Ada"),
            family_name: text("King"),
            email: text("ada@example.org"),
            phone: text("+302101234567"),
            address: text("1 Analytical Way\nAthens"),
            locale: text("en"),
            roles: Some(vec![Role::Agent]),
            ..Details::default()
        },
    }
}

/// What a client that signs people in is registered with.
pub(crate) fn facts() -> Facts {
    Facts {
        name: Some("The test's application".into()),
        grants: Some(vec![GrantType::AuthorizationCode, GrantType::RefreshToken]),
        redirect_uris: Some(vec![CALLBACK.into()]),
        post_logout_redirect_uris: Some(vec![AFTER_LOGOUT.into()]),
        ..Facts::default()
    }
}

impl<'c> Party<'c> {
    /// A confidential client at this front, and somebody called `ada` with every detail.
    pub(crate) fn at(front: Front, server: &Server, client: &'c Client) -> Self {
        Self {
            client,
            front,
            credentials: server.register_client(&server.organization(), facts()),
            person: server.enroll(&somebody("ada")),
        }
    }

    pub(crate) fn of(server: &Server, client: &'c Client) -> Self {
        Self::at(SECURITY, server, client)
    }

    /// An authorization request; later pairs replace earlier ones of the same name, and an empty value takes one away.
    pub(crate) fn request(&self, changes: &[(&str, &str)]) -> String {
        let mut params = BTreeMap::from([
            ("client_id", self.credentials.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", "st=ate & more"),
            ("nonce", "n-0S6_WzA2Mj"),
        ]);
        for (name, value) in changes {
            params.insert(name, value);
        }
        params.retain(|_, value| !value.is_empty());
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(params)
            .finish();
        format!("{}?{query}", self.front.authorize)
    }

    /// What the client's callback receives when the person signs in for this request.
    pub(crate) async fn signed_in(
        &self,
        browser: &mut Browser<'_>,
        changes: &[(&str, &str)],
    ) -> BTreeMap<String, String> {
        let answer = browser.get(&self.request(changes)).await;
        let answer = browser
            .sign_in(&answer, &self.person.name, &self.person.password)
            .await;
        landed(&answer)
    }

    /// A code, for a person who signs in with a new browser.
    pub(crate) async fn code(&self, changes: &[(&str, &str)]) -> String {
        let mut browser = Browser::of(self.client);
        let landed = self.signed_in(&mut browser, changes).await;
        landed["code"].clone()
    }

    /// The token endpoint's answer to a code.
    pub(crate) async fn exchange(&self, code: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
        ];
        form.extend_from_slice(more);
        self.ask(&form).await
    }

    /// The token endpoint's answer to a refresh token.
    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.ask(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    /// The token endpoint, as this client.
    pub(crate) async fn ask(&self, form: &[(&str, &str)]) -> Answer {
        self.client
            .post(self.front.token)
            .basic(&self.credentials.id, &self.credentials.secret)
            .form(form)
            .send()
            .await
    }

    /// The whole way: the token reply for a person who signs in.
    pub(crate) async fn tokens(&self, changes: &[(&str, &str)]) -> Value {
        let code = self.code(changes).await;
        self.exchange(&code, &[]).await.ok().json()
    }
}

/// The parameters with which a browser is sent to the client's callback.
#[track_caller]
pub(crate) fn landed(answer: &Answer) -> BTreeMap<String, String> {
    let location = answer.header("location");
    assert!(
        matches!(answer.status, 302 | 303) && location.starts_with(CALLBACK),
        "{answer:?}"
    );
    let (_, params) = location.split_once(['?', '#']).unwrap_or_default();
    form_urlencoded::parse(params.as_bytes())
        .into_owned()
        .collect()
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The header of a token.
pub(crate) fn header(token: &str) -> Value {
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
