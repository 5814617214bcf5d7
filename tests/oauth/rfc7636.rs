//! Proof Key for Code Exchange (RFC 7636, PK-*), over HTTP at both fronts.

use super::{S256, Scene};
use crate::support::client::{Answer, Client};
use crate::support::party::{FRONTS, VERIFIER, challenge};
use crate::support::server::Server;

/// A code for this challenge, exchanged with this verifier.
async fn proved(scene: &mut Scene<'_>, challenge: &str, verifier: &str) -> Answer {
    let code = scene.code(&[("code_challenge", challenge), S256[1]]).await;
    let verifier = ("code_verifier", verifier);
    scene.party.exchange(&code, &[verifier]).await
}

#[tokio::test]
async fn pk_4_1_a_verifier_has_43_to_128_unreserved_characters_even_where_the_hash_fits() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        for (verifier, fits) in [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            ("aZ09-._~".repeat(16), true),
            ("a".repeat(129), false),
            (format!("{}+", "a".repeat(43)), false),
            (format!("{} ", "a".repeat(43)), false),
            (format!("{}\u{e9}", "a".repeat(43)), false),
        ] {
            let answer = proved(&mut scene, &challenge(&verifier), &verifier).await;
            if fits {
                answer.ok();
            } else {
                answer.is(400, "invalid_grant");
            }
        }
    }
}

#[tokio::test]
async fn pk_4_2_s256_is_the_one_method_and_plain_is_refused_even_if_it_would_fit() {
    let server = Server::start().await;
    let client = Client::of(&server);
    assert_eq!(challenge(VERIFIER), S256[0].1, "RFC 7636 appendix B");
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        proved(&mut scene, S256[0].1, VERIFIER).await.ok();
        for method in ["plain", "s256", "S512", "none", "S256 plain"] {
            for value in [S256[0].1, VERIFIER] {
                let changes = [("code_challenge", value), ("code_challenge_method", method)];
                let landed = scene.landed(&changes).await;
                assert_eq!(landed["error"], "invalid_request", "{method}");
                assert!(!landed.contains_key("code"), "{method}");
            }
        }
    }
}

#[tokio::test]
async fn pk_4_3_a_missing_method_would_mean_plain_and_is_refused() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        for changes in [
            [S256[0], ("code_challenge_method", "")],
            [S256[1], ("code_challenge", "")],
        ] {
            let landed = scene.landed(&changes).await;
            assert_eq!(landed["error"], "invalid_request", "{changes:?}");
        }
        for value in [
            "short",
            &"a".repeat(44),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM",
        ] {
            let changes = [("code_challenge", value), S256[1]];
            let landed = scene.landed(&changes).await;
            assert_eq!(landed["error"], "invalid_request", "{value}");
        }
    }
}

#[tokio::test]
async fn pk_4_4_a_challenge_is_bound_to_its_code_and_a_public_client_needs_one() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let second = "b".repeat(64);
    for front in FRONTS {
        scene.at(front);
        let first_code = scene.code(&S256).await;
        let other = challenge(&second);
        let second_code = scene.code(&[("code_challenge", &other), S256[1]]).await;
        for (code, verifier) in [(first_code, &*second), (second_code, VERIFIER)] {
            let swapped = [("code_verifier", verifier)];
            let answer = scene.party.exchange(&code, &swapped).await;
            answer.is(400, "invalid_grant");
        }
    }
    let mut scene = scene.public(|_| ());
    for front in FRONTS {
        scene.at(front);
        let landed = scene.landed(&[]).await;
        assert_eq!(landed["error"], "invalid_request");
        assert_eq!(landed["error_description"], "code challenge required");
    }
}

#[tokio::test]
async fn pk_4_6_a_wrong_verifier_is_an_invalid_grant() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let wrong = VERIFIER.replace('d', "e");
    for front in FRONTS {
        scene.at(front);
        for verifier in [&*wrong, S256[0].1, &VERIFIER.to_uppercase()] {
            let answer = proved(&mut scene, S256[0].1, verifier).await;
            answer.says(400, "invalid_grant", "the code_verifier does not fit");
        }
    }
}

#[tokio::test]
async fn pk_x_neither_a_challenge_without_a_verifier_nor_a_verifier_without_a_challenge_will_do() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        let code = scene.code(&S256).await;
        let answer = scene.party.exchange(&code, &[]).await;
        answer.is(400, "invalid_grant");
        let code = scene.code(&[]).await;
        let unasked = [("code_verifier", VERIFIER)];
        let answer = scene.party.exchange(&code, &unasked).await;
        answer.is(400, "invalid_grant");
    }
}
