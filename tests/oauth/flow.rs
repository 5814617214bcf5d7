//! The whole way from an authorization request to claims, at both fronts.

use serde_json::json;

use crate::support::browser::Browser;
use crate::support::client::Client;
use crate::support::party::{CALLBACK, FRONTS, Party, claims, header, landed};
use crate::support::server::Server;

#[tokio::test]
async fn a_person_signs_in_and_the_client_gets_tokens_at_both_fronts() {
    for front in FRONTS {
        let server = Server::start().await;
        let client = Client::of(&server);
        let party = Party::at(front, &server, &client);
        let mut browser = Browser::of(&client);
        let landed = party
            .signed_in(&mut browser, &[("scope", "openid profile email")])
            .await;
        let issuer = format!("{}{}", server.appliance.base(), front.issuer);
        assert_eq!(landed["state"], "st=ate & more");
        assert_eq!(landed["iss"], issuer);
        let reply = party.exchange(&landed["code"], &[]).await.ok().json();
        let id_token = reply["id_token"].as_str().unwrap();
        assert_eq!(header(id_token)["alg"], "RS256");
        let claims = claims(id_token);
        assert_eq!(claims["iss"], issuer);
        assert_eq!(claims["sub"], party.person.id.as_str());
        assert_eq!(claims["aud"], party.credentials.id);
        assert_eq!(claims["nonce"], "n-0S6_WzA2Mj");
        let bearer = reply["access_token"].as_str().unwrap();
        let about = client
            .get("/oidc/userinfo")
            .bearer(bearer)
            .send()
            .await
            .ok();
        assert_eq!(about.json()["name"], "Ada King");
        assert_eq!(about.json()["sub"], claims["sub"]);
        let refresh = reply["refresh_token"].as_str().unwrap();
        let renewed = party.refresh(refresh).await.ok().json();
        assert_ne!(renewed["access_token"], reply["access_token"]);
        assert_ne!(renewed["refresh_token"], reply["refresh_token"]);
        assert_eq!(renewed["scope"], json!("openid profile email"));
    }
}

#[tokio::test]
async fn whoever_is_signed_in_is_not_asked_again() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let mut browser = Browser::of(&client);
    party.signed_in(&mut browser, &[]).await;
    let answer = browser.get(&party.request(&[("prompt", "none")])).await;
    assert!(landed(&answer).contains_key("code"), "{answer:?}");
    assert!(answer.header("location").starts_with(CALLBACK));
}
