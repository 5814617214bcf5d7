//! Native apps (RFC 8252, NA-*).

use super::{S256, Scene, exchange, registers};
use crate::support::browser::Form;
use crate::support::client::{Answer, Client};
use crate::support::party::{FRONTS, VERIFIER};
use crate::support::server::Server;

fn registered(uris: &[&str]) -> Vec<String> {
    uris.iter().map(|uri| (*uri).to_owned()).collect()
}

/// The code with which a browser is sent to `uri`.
#[track_caller]
fn code(answer: &Answer, uri: &str) -> String {
    let location = answer.header("location");
    let query = location.strip_prefix(uri).unwrap_or_default();
    let query = query
        .strip_prefix('?')
        .unwrap_or_else(|| panic!("{uri}: {answer:?}"));
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, code) = pairs.find(|(name, _)| name == "code").unwrap();
    code.into_owned()
}

#[tokio::test]
async fn na_1_a_loopback_address_is_good_at_any_port_and_the_code_is_bound_to_that_one() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client).with(|facts| {
        facts.redirect_uris = Some(registered(&["http://127.0.0.1/cb", "http://[::1]:8080/cb"]));
    });
    for front in FRONTS {
        scene.at(front);
        for host in ["127.0.0.1", "[::1]"] {
            for port in ["", ":1", ":8080", ":49152", ":65535"] {
                let uri = format!("http://{host}{port}/cb");
                let sent = code(&scene.asked(&[("redirect_uri", &uri)]).await, &uri);
                let mut form = exchange(&sent);
                form[2].1 = &uri;
                scene.party.ask(&form).await.ok();
            }
            let uri = format!("http://{host}:50000/cb");
            let sent = code(&scene.asked(&[("redirect_uri", &uri)]).await, &uri);
            let another = format!("http://{host}:50001/cb");
            let mut form = exchange(&sent);
            form[2].1 = &another;
            scene.party.ask(&form).await.is(400, "invalid_grant");
            for miss in [
                ":0",
                ":65536",
                ":08080",
                ":-1",
                ":80a",
                ":8080/cb/..",
                ":8080@evil",
            ] {
                let uri = format!("http://{host}{miss}/cb");
                super::stays(&scene.asked(&[("redirect_uri", &uri)]).await, &uri);
            }
            for path in ["", "/", "/cb/", "/other", "/cb?x=y"] {
                let uri = format!("http://{host}:50000{path}");
                super::stays(&scene.asked(&[("redirect_uri", &uri)]).await, &uri);
            }
        }
        for uri in [
            "http://127.0.0.2:50000/cb",
            "http://[::2]:50000/cb",
            "https://127.0.0.1:50000/cb",
        ] {
            super::stays(&scene.asked(&[("redirect_uri", uri)]).await, uri);
        }
    }
}

#[tokio::test]
async fn na_2_an_apps_own_scheme_is_a_domain_name_and_its_address_is_registered_whole() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for (uri, good) in [
        ("com.example.app:/cb", true),
        ("com.example.app:/oauth2redirect/provider", true),
        ("myapp:/cb", false),
        ("com.example.app", false),
        ("com.example.app:", false),
        ("com..example:/cb", false),
        ("Com.Example.App:/cb", false),
        ("javascript:alert(1)", false),
        ("data:text/html,x", false),
    ] {
        assert_eq!(registers(&server, true, uri), good, "{uri}");
    }
    let own = "com.example.app:/cb";
    let mut scene = Scene::of(&server, &client).with(|facts| {
        facts.redirect_uris = Some(registered(&[own]));
    });
    for front in FRONTS {
        scene.at(front);
        code(&scene.asked(&[("redirect_uri", own)]).await, own);
        for uri in [
            "com.example.app:/",
            "com.example.app:/cb/x",
            "com.example.app:/cb?x",
            "com.example.app.evil:/cb",
            "COM.example.app:/cb",
        ] {
            super::stays(&scene.asked(&[("redirect_uri", uri)]).await, uri);
        }
    }
}

#[tokio::test]
async fn na_3_an_app_has_a_challenge_and_no_secret_and_its_user_is_asked_unless_its_address_is_its_own()
 {
    let server = Server::start().await;
    let client = Client::of(&server);
    let loopback = "http://127.0.0.1:50000/cb";
    let mut scene = Scene::of(&server, &client).public(|facts| {
        facts.redirect_uris = Some(registered(&[
            "http://127.0.0.1/cb",
            "https://app.example.org/cb",
        ]));
    });
    let id = scene.party.credentials.id.clone();
    for front in FRONTS {
        scene.at(front);
        let at_loopback = [("redirect_uri", loopback), S256[0], S256[1]];
        let page = scene.asked(&at_loopback).await.ok();
        let form = Form::of(&page.text).with("decision", "continue");
        let sent = code(&scene.browser.post(&form).await, loopback);
        let mut silent = at_loopback.to_vec();
        silent.push(("prompt", "none"));
        let silent = scene.asked(&silent).await;
        assert!(silent.header("location").contains("error=consent_required"));

        let mut form = exchange(&sent);
        form[2].1 = loopback;
        form.push(("code_verifier", VERIFIER));
        form.push(("client_id", &id));
        let mut secret = form.clone();
        secret.push(("client_secret", "shipped in the app"));
        scene.ask_bare(&secret).await.is(401, "invalid_client");
        scene.ask_bare(&form).await.ok();

        assert!(
            scene.landed(&S256).await.contains_key("code"),
            "https needs no question"
        );
        assert_eq!(
            scene.landed(&[]).await["error"],
            "invalid_request",
            "no challenge"
        );
    }
}

#[tokio::test]
async fn na_4_the_name_localhost_is_good_at_the_registered_port_alone() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client).with(|facts| {
        facts.redirect_uris = Some(registered(&["http://localhost:8080/cb"]));
    });
    for front in FRONTS {
        scene.at(front);
        let own = "http://localhost:8080/cb";
        code(&scene.asked(&[("redirect_uri", own)]).await, own);
        for uri in [
            "http://localhost:8081/cb",
            "http://localhost/cb",
            "http://127.0.0.1:8080/cb",
            "http://LOCALHOST:8080/cb",
        ] {
            super::stays(&scene.asked(&[("redirect_uri", uri)]).await, uri);
        }
    }
}
