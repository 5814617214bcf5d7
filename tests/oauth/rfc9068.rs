//! JWT access tokens (RFC 9068, JT-*).

use std::sync::Arc;
use std::time::Duration;

use admit::crypto::jws::Algorithm;
use admit::domain::clients::GrantType;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{Scene, other, text};
use crate::support::client::Client;
use crate::support::party::{CALLBACK, FRONTS, claims, header};
use crate::support::server::{START, Server, Setup, at};

#[tokio::test]
async fn jt_1_an_access_token_says_what_it_is_and_may_be_signed_with_rs256_but_never_not_at_all() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for (signing, name) in [(Algorithm::EdDsa, "EdDSA"), (Algorithm::Rs256, "RS256")] {
        scene = scene.with(|facts| facts.signing = Some(signing));
        for front in FRONTS {
            scene.at(front);
            let reply = scene.tokens(&[]).await;
            let token = text(&reply, "access_token");
            assert_eq!(header(token)["typ"], "at+jwt");
            assert_eq!(header(token)["alg"], name);
            assert!(client.is_alive(token).await);
            let (_, rest) = token.split_once('.').unwrap();
            let (payload, signature) = rest.split_once('.').unwrap();
            let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
            for signature in ["", signature] {
                let forged = format!("{unsigned}.{payload}.{signature}");
                assert!(!client.is_alive(&forged).await);
            }
        }
    }
}

#[tokio::test]
async fn jt_2_an_access_token_has_every_claim_it_must_and_the_time_of_the_sign_in() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let signed_in = at(START).seconds();
    server.advance(Duration::from_secs(20));
    for front in FRONTS {
        scene.at(front);
        let reply = scene.tokens(&[("scope", "openid email")]).await;
        server.advance(Duration::from_secs(30));
        let renewed = scene.party.refresh(text(&reply, "refresh_token")).await;
        let renewed = renewed.ok().json();
        let base = server.appliance.base().to_string();
        let mut ids = Vec::new();
        for reply in [&reply, &renewed] {
            let claims = claims(text(reply, "access_token"));
            assert_eq!(claims["iss"], format!("{base}{}", front.issuer));
            assert_eq!(claims["aud"], base);
            assert_eq!(claims["sub"], scene.party.person.id.as_str());
            assert_eq!(claims["client_id"], scene.party.credentials.id);
            assert_eq!(claims["scope"], "openid email");
            assert_eq!(claims["auth_time"], signed_in);
            let (iat, exp) = (claims["iat"].as_i64(), claims["exp"].as_i64());
            assert_eq!(exp.unwrap() - iat.unwrap(), 43_200);
            assert_eq!(claims["jti"], reply["jti"]);
            ids.push(claims["jti"].clone());
        }
        assert_ne!(ids[0], ids[1]);
    }
}

/// RFC 8707 is not offered: there is one audience, whatever a request says of resources.
#[tokio::test]
async fn jt_3_the_audience_is_this_server_whatever_resource_is_named() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        let elsewhere = ("resource", "https://api.elsewhere.example");
        let code = scene.code(&[elsewhere]).await;
        let reply = scene.party.exchange(&code, &[elsewhere]).await.ok().json();
        let claims = claims(text(&reply, "access_token"));
        assert_eq!(claims["aud"], server.appliance.base().to_string());
    }
}

#[tokio::test]
async fn jt_4_what_is_of_another_type_touched_too_old_or_of_another_issuer_is_an_invalid_token() {
    let named = |public_url, data, clock| Setup {
        public_url: Some(public_url),
        data,
        clock,
        ..Setup::default()
    };
    let clock = Setup::default().clock;
    let own = named("https://localhost:8443", None, Arc::clone(&clock));
    let server = Server::with(own).await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let reply = scene.tokens(&[]).await;
    let token = text(&reply, "access_token").to_owned();
    assert!(client.is_alive(&token).await);
    assert!(
        !client.is_alive(text(&reply, "id_token")).await,
        "another typ"
    );
    let (most, last) = token.split_at(token.len() - 6);
    let touched = format!("{most}{}", last.chars().rev().collect::<String>());
    assert!(!client.is_alive(&touched).await, "another signature");

    drop(scene);
    let data = Some(server.stop().await);
    let moved = named("https://127.0.0.1:8443", data, Arc::clone(&clock));
    let server = Server::with(moved).await;
    let elsewhere = Client::of(&server);
    assert!(!elsewhere.is_alive(&token).await, "another iss and aud");
    let data = Some(server.stop().await);
    let server = Server::with(named("https://localhost:8443", data, clock)).await;
    let client = Client::of(&server);
    assert!(client.is_alive(&token).await, "its own again");
    server.advance(Duration::from_hours(12));
    assert!(!client.is_alive(&token).await, "exp");
}

#[tokio::test]
async fn jt_5_a_clients_own_subject_can_be_no_users_and_a_token_tells_nothing_about_a_person() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let backend = other(&server, |facts| {
        facts.grants = Some(vec![GrantType::ClientCredentials]);
    });
    for front in FRONTS {
        scene.at(front);
        let form = [("grant_type", "client_credentials")];
        let own = scene.ask_as(&backend, &form).await.ok().json();
        let own = claims(text(&own, "access_token"));
        assert_eq!(own["sub"], format!("client:{}", backend.id));
        let reply = scene
            .tokens(&[("scope", "openid profile email phone")])
            .await;
        let claims = claims(text(&reply, "access_token"));
        assert!(!text(&claims, "sub").contains(':'));
        let told = json!(claims).to_string();
        for personal in ["Ada", "King", "example.org", "+3021"] {
            assert!(!told.contains(personal), "{told}");
        }
    }
    assert!(
        CALLBACK.contains("example.org"),
        "or the search above says nothing"
    );
}
