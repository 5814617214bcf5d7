//! What the certification suite of OpenID Connect has at hand (`standards.md` part 4): a stock provider, two clients, a
//! person of whom everything is known, a browser, and strict eyes. Signatures are verified by other code than ours.

use std::collections::{BTreeMap, BTreeSet};

use admit::domain::clients::Facts;
use admit::kernel::Clock as _;
use aws_lc_rs::digest::{SHA256, SHA512, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;

use crate::support::browser::{Browser, Form};
use crate::support::client::{Answer, Client};
use crate::support::party::{
    AFTER_LOGOUT, CALLBACK, Front, Party, SECURITY, claims, header, landed, somebody,
};
use crate::support::server::{Credentials, Enrolled, Server};

/// Where the person is asked who it is, and whether the client may go on.
pub(super) const SIGN_IN: &str = "/auth/sign-in.html";
pub(super) const CONSENT: &str = "/auth/consent.html";

/// What `admit client create --redirect-uri … --post-logout-redirect-uri …` makes of nothing else.
pub(super) fn stock() -> Facts {
    Facts {
        redirect_uris: Some(vec![CALLBACK.into()]),
        post_logout_redirect_uris: Some(vec![AFTER_LOGOUT.into()]),
        ..Facts::default()
    }
}

/// A stock install as a relying party and its users see it, at one of the issuers.
pub(super) struct Suite {
    pub(super) server: Server,
    pub(super) client: Client,
    pub(super) front: Front,
    pub(super) first: Credentials,
    pub(super) second: Credentials,
    pub(super) person: Enrolled,
}

/// A page at which somebody had to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    SignIn,
    Consent,
}

/// A login that went well: what was shown on the way, the token reply, and the claims of its verified ID token.
pub(super) struct Completed {
    pub(super) shown: Vec<Shown>,
    pub(super) reply: Value,
    pub(super) id: Value,
}

impl Completed {
    pub(super) fn bearer(&self) -> &str {
        self.reply["access_token"].as_str().unwrap()
    }

    pub(super) fn refresh(&self) -> &str {
        self.reply["refresh_token"].as_str().unwrap()
    }

    pub(super) fn id_token(&self) -> &str {
        self.reply["id_token"].as_str().unwrap()
    }
}

impl Suite {
    pub(super) async fn start() -> Self {
        Self::at(SECURITY).await
    }

    pub(super) async fn at(front: Front) -> Self {
        let server = Server::start().await;
        let register = || server.register_client(&server.organization(), stock());
        Self {
            client: Client::of(&server),
            front,
            first: register(),
            second: register(),
            person: server.enroll(&somebody("ada")),
            server,
        }
    }

    pub(super) fn issuer(&self) -> String {
        format!("{}{}", self.client.base(), self.front.issuer)
    }

    /// The first client.
    pub(super) fn party(&self) -> Party<'_> {
        self.party_of(&self.first)
    }

    pub(super) fn party_of(&self, credentials: &Credentials) -> Party<'_> {
        Party {
            client: &self.client,
            front: self.front,
            credentials: credentials.clone(),
            person: self.person.clone(),
        }
    }

    pub(super) fn browser(&self) -> Browser<'_> {
        Browser::of(&self.client)
    }

    pub(super) fn now(&self) -> i64 {
        self.server.clock.now().seconds()
    }

    /// The published keys: public, each valid and named once.
    pub(super) async fn keys(&self) -> Vec<Value> {
        let answer = self.client.get("/.well-known/jwks.json").send().await.ok();
        let keys = answer.json()["keys"].as_array().unwrap().clone();
        for key in &keys {
            is_valid_and_public(key);
        }
        let kids: BTreeSet<&str> = keys.iter().map(|key| text(key, "kid")).collect();
        assert_eq!(kids.len(), keys.len(), "a kid is published twice");
        keys
    }

    /// The claims of a token whose signature is right by the one published key that its header names.
    pub(super) async fn verified(&self, token: &str) -> Value {
        let header = header(token);
        let keys = self.keys().await;
        let named = keys.iter().find(|key| key["kid"] == header["kid"]);
        let key = named.unwrap_or_else(|| panic!("no key of {header} is published"));
        assert_eq!(
            (&key["alg"], &key["use"]),
            (&header["alg"], &Value::from("sig"))
        );
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        match text(&header, "alg") {
            "RS256" => {
                let (n, e) = (bytes(key, "n"), bytes(key, "e"));
                let public = RsaPublicKeyComponents { n, e };
                let kind = &RSA_PKCS1_2048_8192_SHA256;
                public.verify(kind, signed.as_bytes(), &signature).unwrap();
            }
            "EdDSA" => {
                let signature = Signature::from_slice(&signature).unwrap();
                let public = ed25519(key);
                public.verify_strict(signed.as_bytes(), &signature).unwrap();
            }
            other => panic!("signed by {other}"),
        }
        claims(token)
    }

    /// From an authorization request through whatever is shown to the answer that leads out again.
    pub(super) async fn walk(
        &self,
        browser: &mut Browser<'_>,
        request: &str,
    ) -> (Vec<Shown>, Answer) {
        let answer = browser.get(request).await;
        self.go_on(browser, answer).await
    }

    /// The same from the answer to a request.
    pub(super) async fn go_on(
        &self,
        browser: &mut Browser<'_>,
        mut answer: Answer,
    ) -> (Vec<Shown>, Answer) {
        let mut shown = Vec::new();
        while shown.len() < 4 {
            answer = match asked(&answer) {
                Some(Shown::SignIn) => {
                    shown.push(Shown::SignIn);
                    let (name, password) = (&self.person.name, &self.person.password);
                    browser.sign_in(&answer, name, password).await
                }
                Some(Shown::Consent) => {
                    shown.push(Shown::Consent);
                    let form = Form::of(&answer.text).with("decision", "continue");
                    browser.post(&form).await
                }
                None => break,
            };
        }
        (shown, answer)
    }

    /// The whole way as the first client, everything about it looked at.
    pub(super) async fn completes(
        &self,
        browser: &mut Browser<'_>,
        changes: &[(&str, &str)],
    ) -> Completed {
        self.completes_as(&self.party(), browser, changes).await
    }

    pub(super) async fn completes_as(
        &self,
        party: &Party<'_>,
        browser: &mut Browser<'_>,
        changes: &[(&str, &str)],
    ) -> Completed {
        let (shown, answer) = self.walk(browser, &party.request(changes)).await;
        let back = self.answered(&landed(&answer));
        let reply = party.exchange(&back["code"], &[]).await;
        let nonce = changes.iter().rev().find(|(name, _)| *name == "nonce");
        let nonce = nonce.map_or("n-0S6_WzA2Mj", |(_, nonce)| nonce);
        let id = self.replied(party, &reply, Some(nonce)).await;
        let reply = reply.json();
        Completed { shown, reply, id }
    }

    /// A successful authorization response: a code nobody guesses, the state as it was, and who answers.
    pub(super) fn answered(&self, back: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let names: Vec<&str> = back.keys().map(String::as_str).collect();
        assert_eq!(names, ["code", "iss", "state"], "{back:?}");
        assert!(bits(&back["code"]) >= 128.0, "{back:?}");
        assert_eq!(back["state"], "st=ate & more");
        assert_eq!(back["iss"], self.issuer());
        back.clone()
    }

    /// A token reply and its ID token, whose claims it gives.
    pub(super) async fn replied(
        &self,
        party: &Party<'_>,
        answer: &Answer,
        nonce: Option<&str>,
    ) -> Value {
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("pragma"), "no-cache");
        let reply = answer.json();
        assert!(text(&reply, "token_type").eq_ignore_ascii_case("bearer"));
        assert!(reply["expires_in"].as_u64().unwrap() > 0);
        for name in ["access_token", "refresh_token"] {
            assert!(bits(text(&reply, name)) >= 128.0, "{name} can be guessed");
        }
        self.verified(text(&reply, "access_token")).await;
        let id_token = text(&reply, "id_token");
        let id = self.verified(id_token).await;
        self.says_what_it_must(party, &id, nonce);
        assert_eq!(
            id["at_hash"],
            at_hash(&header(id_token), text(&reply, "access_token"))
        );
        id
    }

    /// OpenID Connect Core §2, §3.1.3.7.
    fn says_what_it_must(&self, party: &Party<'_>, id: &Value, nonce: Option<&str>) {
        let client = party.credentials.id.as_str();
        assert_eq!(id["iss"], self.issuer());
        assert_eq!(id["sub"], party.person.id.as_str());
        let sub = text(id, "sub");
        assert!(sub.is_ascii() && sub.len() <= 255, "{sub}");
        assert_eq!(
            (&id["aud"], &id["azp"]),
            (&client.into(), &Value::from(client))
        );
        let time = |name: &str| id[name].as_i64().unwrap_or_else(|| panic!("{name}: {id}"));
        assert_eq!(time("iat"), self.now());
        assert!(time("exp") > time("iat") && time("auth_time") <= time("iat"));
        match nonce {
            Some(nonce) if !nonce.is_empty() => assert_eq!(id["nonce"], nonce),
            _ => assert!(id.get("nonce").is_none(), "{id}"),
        }
    }

    /// User info as the bearer's client reads it; its `sub` is the person's.
    pub(super) async fn user_info(&self, bearer: &str) -> Value {
        let request = self.client.get("/oidc/userinfo").bearer(bearer);
        self.told(&request.send().await)
    }

    pub(super) fn told(&self, answer: &Answer) -> Value {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let told = answer.json();
        assert_eq!(told["sub"], self.person.id.as_str());
        told
    }

    /// The parameters of an error by redirect: its code, words, the state, the issuer and nothing else.
    #[track_caller]
    pub(super) fn refused(&self, answer: &Answer, code: &str) {
        let back = landed(answer);
        let names: Vec<&str> = back.keys().map(String::as_str).collect();
        assert_eq!(names, ["error", "error_description", "iss", "state"]);
        assert_eq!(back["error"], code, "{back:?}");
        assert!(!back["error_description"].is_empty());
        assert_eq!(back["state"], "st=ate & more");
        assert_eq!(back["iss"], self.issuer());
    }

    /// Whether the browser is signed in, as a relying party finds out without showing anything.
    pub(super) async fn is_signed_in(&self, browser: &mut Browser<'_>) -> bool {
        let request = self.party().request(&[("prompt", "none")]);
        let answer = browser.get(&request).await;
        if landed(&answer).contains_key("code") {
            return true;
        }
        self.refused(&answer, "login_required");
        false
    }
}

/// What an answer shows, unless it leads out.
pub(super) fn asked(answer: &Answer) -> Option<Shown> {
    let to = answer.header("location").split('?').next();
    if matches!(answer.status, 302 | 303) && to == Some(SIGN_IN) {
        return Some(Shown::SignIn);
    }
    let action = format!("action=\"{CONSENT}?");
    (answer.status == 200 && answer.text.contains(&action)).then_some(Shown::Consent)
}

/// A page, and no way back to the client in any form.
#[track_caller]
pub(super) fn is_only_a_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("location"), "");
    assert!(answer.header("content-type").starts_with("text/html"));
    for word in ["http-equiv", "<script", "window.location"] {
        assert!(!answer.text.contains(word), "{}", answer.text);
    }
}

/// What a page says, without its tags.
pub(super) fn words(page: &str) -> String {
    let pieces = page.split('<').map(|piece| match piece.split_once('>') {
        Some((_, words)) => words,
        None => piece,
    });
    pieces.collect()
}

/// Shannon's bits of a text, as the suite counts them.
pub(super) fn bits(text: &str) -> f64 {
    let mut counts: BTreeMap<char, u32> = BTreeMap::new();
    for letter in text.chars() {
        *counts.entry(letter).or_default() += 1;
    }
    let length: u32 = counts.values().sum();
    let share = |count: &u32| f64::from(*count) / f64::from(length);
    let each = |count: &u32| -share(count) * share(count).log2();
    counts.values().map(each).sum::<f64>() * f64::from(length)
}

/// OpenID Connect Core §3.1.3.6.
fn at_hash(header: &Value, access_token: &str) -> String {
    let hash = match text(header, "alg") {
        "RS256" => digest(&SHA256, access_token.as_bytes()),
        _ => digest(&SHA512, access_token.as_bytes()),
    };
    let whole = hash.as_ref();
    URL_SAFE_NO_PAD.encode(&whole[..whole.len() / 2])
}

/// A published key can be used, and by nobody to sign.
pub(super) fn is_valid_and_public(key: &Value) {
    for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
        assert!(key[private].is_null(), "{private} is published");
    }
    match text(key, "kty") {
        "RSA" => {
            assert!(bytes(key, "n").len() >= 256, "2048 bits at least");
            assert_eq!(bytes(key, "e"), [1, 0, 1]);
        }
        "OKP" => assert!(!ed25519(key).is_weak()),
        other => panic!("a key of type {other}"),
    }
}

fn ed25519(key: &Value) -> VerifyingKey {
    let public = bytes(key, "x").try_into().unwrap();
    VerifyingKey::from_bytes(&public).unwrap()
}

fn bytes(key: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text(key, name)).unwrap()
}

/// A member that is text.
#[track_caller]
pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    let found = value[name].as_str();
    found.unwrap_or_else(|| panic!("{name} is no text: {value}"))
}
