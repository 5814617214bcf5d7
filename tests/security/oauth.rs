//! `/security/oauth`: every way to a token, every way to be refused one, and how long tokens live.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use admit::crypto::jws::Algorithm;
use admit::domain::access::Role;
use admit::domain::clients::GrantType;
use admit::jobs;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::client::{Answer, Client};
use crate::support::server::{START, Server, Setup, at};

const CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");
const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn client_credentials_come_in_three_spellings() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let (id, secret) = (first.id.as_str(), first.secret.as_str());
    let query = format!(
        "/security/oauth/token?grant_type=client_credentials&client_id={id}&client_secret={secret}"
    );
    let form = [CREDENTIALS, ("client_id", id), ("client_secret", secret)];
    let rows = [
        ("query, no body, no type", client.post(&query).send().await),
        ("form", client.token(None, &form).await),
        (
            "basic",
            client.token(Some((id, secret)), &[CREDENTIALS]).await,
        ),
        (
            "basic, and the same id in the form",
            client
                .token(Some((id, secret)), &[CREDENTIALS, ("client_id", id)])
                .await,
        ),
        (
            "basic, grant in the query",
            client
                .post("/security/oauth/token?grant_type=client_credentials")
                .basic(id, secret)
                .send()
                .await,
        ),
    ];
    for (name, answer) in rows {
        let answer = answer.ok();
        assert_eq!(
            answer.header("content-type"),
            "application/json;charset=UTF-8",
            "{name}"
        );
        assert_eq!(answer.header("cache-control"), "no-store", "{name}");
        assert_eq!(answer.header("pragma"), "no-cache", "{name}");
        assert_eq!(answer.json()["token_type"], "bearer", "{name}");
        assert_eq!(answer.json()["expires_in"], 43_200, "{name}");
        assert_eq!(answer.json()["scope"], "any", "{name}");
        assert!(
            answer.json().get("refresh_token").is_none(),
            "{name}: RFC 6749 §4.4.3"
        );
        assert!(
            client.is_alive(&answer.member("access_token")).await,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_token_asked_for_within_a_second_has_a_second_less() {
    let server = Server::start().await;
    server.advance(Duration::from_millis(300));
    let client = Client::of(&server);
    let first = server.first_client();
    let answer = client
        .token(Some((&first.id, &first.secret)), &[CREDENTIALS])
        .await
        .ok();
    assert_eq!(answer.json()["expires_in"], 43_199);
}

/// Name, Basic credentials, form, status, code.
type Row<'a> = (
    &'a str,
    Option<(&'a str, &'a str)>,
    &'a [(&'a str, &'a str)],
    u16,
    &'a str,
);

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn what_is_no_request_for_a_token_is_refused_in_words() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let basic = Some((first.id.as_str(), first.secret.as_str()));
    let named = ("client_id", first.id.as_str());
    let secret = ("client_secret", first.secret.as_str());
    let rows: &[Row<'_>] = &[
        (
            "secret both ways",
            basic,
            &[CREDENTIALS, named, secret],
            400,
            "invalid_request",
        ),
        (
            "an empty secret both ways",
            basic,
            &[CREDENTIALS, ("client_secret", "")],
            400,
            "invalid_request",
        ),
        (
            "parameter twice",
            basic,
            &[CREDENTIALS, ("scope", "any"), ("scope", "any")],
            400,
            "invalid_request",
        ),
        (
            "grant twice",
            basic,
            &[CREDENTIALS, CREDENTIALS],
            400,
            "invalid_request",
        ),
        (
            "another id in the form",
            basic,
            &[CREDENTIALS, ("client_id", "customer")],
            401,
            "invalid_client",
        ),
        (
            "no grant",
            basic,
            &[("scope", "any")],
            400,
            "invalid_request",
        ),
        (
            "an empty grant",
            basic,
            &[("grant_type", "")],
            400,
            "invalid_request",
        ),
        (
            "a grant nobody has",
            basic,
            &[("grant_type", "magic")],
            400,
            "unsupported_grant_type",
        ),
        (
            "implicit here",
            basic,
            &[("grant_type", "implicit")],
            400,
            "invalid_grant",
        ),
        (
            "a password grant, which no client has",
            basic,
            &[
                ("grant_type", "password"),
                ("username", "admin"),
                ("password", "x"),
            ],
            401,
            "invalid_client",
        ),
        (
            "a grant with quotes",
            basic,
            &[("grant_type", "\"\\\r\n\u{2028}é")],
            400,
            "unsupported_grant_type",
        ),
        (
            "scope it may not have",
            basic,
            &[CREDENTIALS, ("scope", "root")],
            400,
            "invalid_scope",
        ),
        (
            "one scope it may not have",
            basic,
            &[CREDENTIALS, ("scope", "any root")],
            400,
            "invalid_scope",
        ),
        (
            "a grant this client lacks",
            basic,
            &[("grant_type", "refresh_token"), ("refresh_token", "x")],
            401,
            "invalid_client",
        ),
        (
            "no client at all",
            None,
            &[CREDENTIALS],
            401,
            "invalid_client",
        ),
        ("nothing at all", None, &[], 401, "invalid_client"),
        (
            "id without secret",
            None,
            &[CREDENTIALS, named],
            401,
            "invalid_client",
        ),
        (
            "wrong secret",
            Some((&first.id, "wrong")),
            &[CREDENTIALS],
            401,
            "invalid_client",
        ),
        (
            "unknown client",
            Some(("nobody", "wrong")),
            &[CREDENTIALS],
            401,
            "invalid_client",
        ),
        (
            "a client id of strange letters",
            Some(("é/../\u{0}", "x")),
            &[CREDENTIALS],
            401,
            "invalid_client",
        ),
        (
            "public client with a secret",
            Some(("customer", "x")),
            &[("grant_type", "password"), ("username", "abc-def")],
            401,
            "invalid_client",
        ),
        (
            "public client, grant it lacks",
            Some(("customer", "")),
            &[CREDENTIALS],
            401,
            "invalid_client",
        ),
        (
            "login without a ticket",
            Some(("customer", "")),
            &[("grant_type", "password"), ("password", "x")],
            400,
            "invalid_request",
        ),
        (
            "refresh without a token",
            Some(("customer", "")),
            &[("grant_type", "refresh_token")],
            400,
            "invalid_request",
        ),
    ];
    let before = server.counts();
    for (name, basic, form, status, error) in rows {
        let answer = client.token(*basic, form).await;
        assert_eq!(
            (answer.status, answer.member("error").as_str()),
            (*status, *error),
            "{name}: {}",
            answer.text
        );
        let words = answer.member("error_description");
        assert!(
            words.chars().all(|c| (' '..='~').contains(&c) && c != '\\'),
            "{name}: {words}"
        );
        if *status == 401 {
            assert!(
                answer
                    .header("www-authenticate")
                    .starts_with("Basic realm="),
                "{name}"
            );
        }
    }
    let mut after = server.counts();
    // Wrong secrets are counted (RFC 6749 §2.3.1), and the count expires.
    after.retain(|(table, _)| !["throttles", "expiries"].contains(&table.as_str()));
    assert_eq!(after, before, "a refusal changes nothing else");
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_get_the_same_answer() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let wrong = client
        .token(Some((&first.id, "wrong")), &[CREDENTIALS])
        .await;
    let unknown = client
        .token(Some(("nobody", "wrong")), &[CREDENTIALS])
        .await;
    let public = client
        .token(Some(("customer", "wrong")), &[CREDENTIALS])
        .await;
    assert_eq!(wrong.text, unknown.text);
    assert_eq!(wrong.text, public.text);
    for name in ["www-authenticate", "content-type", "cache-control"] {
        assert_eq!(wrong.header(name), unknown.header(name), "{name}");
    }
}

#[tokio::test]
async fn a_broken_authorization_header_is_a_refused_client() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for value in [
        "Basic",
        "Basic !!!",
        "Basic bm9jb2xvbg==",
        "Bearer abc",
        "Digest x",
        "basic  ",
        "Basic /w==",
    ] {
        let request = client
            .post("/security/oauth/token")
            .header("authorization", value);
        let answer = request.form(&[CREDENTIALS]).send().await;
        answer.is(401, "invalid_client");
    }
}

#[tokio::test]
async fn scopes_are_granted_as_asked_where_they_may_be() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let rows = [
        (None, "any"),
        (Some(""), "any"),
        (Some(" "), "any"),
        (Some("global"), "global"),
        (Some("any global"), "any global"),
        (Some("any any"), "any"),
        (Some(" openid  * "), "openid *"),
    ];
    for (asked, granted) in rows {
        let mut form = vec![CREDENTIALS];
        form.extend(asked.map(|scope| ("scope", scope)));
        let answer = client
            .token(Some((&first.id, &first.secret)), &form)
            .await
            .ok();
        assert_eq!(answer.member("scope"), granted, "{asked:?}");
    }
}

#[tokio::test]
async fn the_token_endpoint_takes_post_and_forms_and_nothing_else() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let answer = client
            .request(method, "/security/oauth/token?grant_type=x")
            .send()
            .await;
        answer.is(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "POST", "{method}");
    }
    let first = server.first_client();
    let body = json!({"grant_type": "client_credentials", "client_id": first.id, "client_secret": first.secret});
    let answer = client
        .post("/security/oauth/token")
        .json(&body)
        .send()
        .await;
    answer.is(415, "invalid_request");
    let answer = client
        .post("/security/oauth/token")
        .body("text/plain", "grant_type=x")
        .send()
        .await;
    answer.is(415, "invalid_request");
    let long = "x".repeat(17 * 1024);
    let answer = client.token(None, &[("grant_type", &long)]).await;
    answer.is(413, "invalid_request");
}

/// The header and the claims of a token.
fn opened(token: &str) -> (Value, Value) {
    let mut parts = token
        .split('.')
        .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut next = || serde_json::from_slice(&parts.next().unwrap());
    (next().unwrap(), next().unwrap_or_default())
}

#[tokio::test]
async fn an_access_token_says_what_it_is_and_verifies_under_the_published_key() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let login = client.login(&ticket).await.ok();
    let base = server.appliance.base().as_str();
    let now = at(START).seconds();

    let first = server.first_client();
    let (header, claims) = opened(&bearer);
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(claims["iss"], base);
    assert_eq!(claims["aud"], base);
    assert_eq!(claims["sub"], format!("client:{}", first.id));
    assert_eq!(claims["client_id"], first.id);
    assert_eq!(claims["iat"], now);
    assert_eq!(claims["exp"], now + 43_200);
    assert_eq!(claims["scope"], "any");
    let roles = [
        "ROLE_CLIENT_SERVICE",
        "ROLE_AGENT",
        "ROLE_SUPERVISOR",
        "ROLE_ADMIN",
    ];
    assert_eq!(claims["authorities"], json!(roles));
    assert_eq!(claims["organization"], server.organization().as_str());
    assert_eq!(claims["epoch"], 0);
    assert!(claims.get("sid").is_none() && claims.get("userId").is_none());

    let (_, claims) = opened(&login.member("access_token"));
    assert_eq!(claims["sub"], login.json()["sub"]);
    assert_eq!(claims["userId"], login.json()["sub"]);
    assert_eq!(claims["jti"], login.json()["jti"]);
    assert_eq!(claims["authorities"], json!(["ROLE_CUSTOMER"]));
    assert_eq!(claims["client_id"], "customer");
    assert!(claims["sid"].is_string());

    let keys = client
        .get("/.well-known/jwks.json")
        .send()
        .await
        .ok()
        .json();
    let key = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == header["kid"])
        .unwrap();
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"]),
        (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"))
    );
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let public = VerifyingKey::from_bytes(&public.try_into().unwrap()).unwrap();
    for token in [&bearer, &login.member("access_token")] {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let signature = Signature::from_slice(&signature).unwrap();
        public.verify_strict(signed.as_bytes(), &signature).unwrap();
    }
}

#[tokio::test]
async fn the_key_is_also_told_as_the_framework_tells_it() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let answer = client.get("/security/oauth/token_key").send().await.ok();
    assert_eq!(answer.member("alg"), "EdDSA");
    let pem = answer.member("value");
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{pem}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let (header, _) = opened(&client.bearer(&server.first_client()).await);
    assert_eq!(answer.member("kid"), header["kid"].as_str().unwrap());
}

#[tokio::test]
async fn a_client_registered_for_rs256_gets_tokens_its_library_can_read() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let grants = [GrantType::ClientCredentials];
    let older = server.register_as(
        &server.organization(),
        &[Role::Agent],
        &grants,
        Algorithm::Rs256,
    );
    let bearer = client.bearer(&older).await;
    let (header, _) = opened(&bearer);
    assert_eq!(header["alg"], "RS256");
    let keys = client
        .get("/.well-known/jwks.json")
        .send()
        .await
        .ok()
        .json();
    let key = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == header["kid"])
        .unwrap();
    assert_eq!(key["kty"], "RSA");
    assert!(client.is_alive(&bearer).await);
}

#[tokio::test]
async fn a_token_that_was_touched_is_none_of_ours() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let (header, rest) = bearer.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let (_, told) = opened(&bearer);
    let mut raised = told.clone();
    raised["authorities"] = json!(["ROLE_SERVICE"]);
    let raised = URL_SAFE_NO_PAD.encode(raised.to_string());
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    let other = Server::start().await;
    let foreign = Client::of(&other).bearer(&other.first_client()).await;
    let rows = [
        ("other claims", format!("{header}.{raised}.{signature}")),
        ("no algorithm", format!("{none}.{claims}.")),
        ("no signature", format!("{header}.{claims}.")),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{bearer}.{signature}")),
        ("cut", bearer.get(..bearer.len() - 3).unwrap().to_owned()),
        ("padded", format!("{bearer}=")),
        ("another appliance's", foreign),
        ("a refresh token", "adr_AAAA".to_owned()),
    ];
    for (name, token) in rows {
        let answer = client.get("/auth/v3/userinfo").bearer(&token).send().await;
        assert_eq!(answer.status, 401, "{name}");
        answer.is(401, "invalid_token");
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn a_ticket_becomes_a_token_however_a_real_app_spells_it() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let body = json!({
        "type": "MULTI_USE_TICKET", "length": 6,
        "properties": {"conference_id": "room-7", "customer_id": "c-1"},
    });
    let made = client.issue(&bearer, &body).await;
    let id = made["id"].as_str().unwrap();
    let (shouted, bare) = (id.to_uppercase(), id.replace('-', ""));
    let basic = Some(("customer", ""));
    let password = ("grant_type", "password");
    let rows: Vec<(&str, Answer)> = vec![
        ("username", client.login(id).await),
        ("upper case", client.login(&shouted).await),
        ("no dashes", client.login(&bare).await),
        (
            "ticket",
            client
                .token(
                    basic,
                    &[password, ("ticket", id), ("password", "something")],
                )
                .await,
        ),
        (
            "ticket before username",
            client
                .token(basic, &[("username", "x"), ("ticket", id), password])
                .await,
        ),
        (
            "no password at all",
            client.token(basic, &[password, ("username", id)]).await,
        ),
        ("by the grant's own name", client.login_by_urn(id).await),
        (
            "client in the form",
            client
                .token(
                    None,
                    &[password, ("client_id", "customer"), ("username", id)],
                )
                .await,
        ),
        (
            "client in the form, empty secret",
            client
                .token(
                    None,
                    &[
                        password,
                        ("client_id", "customer"),
                        ("client_secret", ""),
                        ("username", id),
                    ],
                )
                .await,
        ),
    ];
    let order = [
        "access_token",
        "token_type",
        "refresh_token",
        "expires_in",
        "scope",
        "sub",
        "jti",
        "organization",
        "conference_id",
        "DEVICE_ID",
    ];
    let mut devices = Vec::new();
    for (name, answer) in rows {
        let answer = answer.ok();
        let body = answer.json();
        let places: Vec<_> = order
            .iter()
            .map(|member| answer.text.find(&format!("\"{member}\":")).expect(member))
            .collect();
        assert!(places.is_sorted(), "{name}: {}", answer.text);
        assert_eq!(
            body.as_object().unwrap().len(),
            order.len(),
            "{name}: {}",
            answer.text
        );
        assert_eq!(body["token_type"], "bearer", "{name}");
        assert_eq!(body["expires_in"], 43_200, "{name}");
        assert_eq!(body["sub"], made["userId"], "{name}");
        assert_eq!(body["organization"], made["organizationId"], "{name}");
        assert_eq!(body["conference_id"], "room-7", "{name}");
        for member in ["access_token", "refresh_token"] {
            assert!(
                !answer.member(member).contains('+'),
                "{name}: the iOS app leaves a plus sign unescaped"
            );
        }
        devices.push(answer.member("DEVICE_ID"));
        assert!(
            client.is_alive(&answer.member("access_token")).await,
            "{name}"
        );
    }
    devices.sort();
    devices.dedup();
    assert_eq!(devices.len(), 9, "every login is a device of its own");
}

#[tokio::test]
async fn a_ticket_without_a_room_has_no_conference_id() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
    let answer = client.login(&ticket).await.ok();
    assert!(answer.json().get("conference_id").is_none());
}

/// What befalls a ticket before it is presented.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Revoked,
    Disabled,
    Deleted,
    Used,
    Expired,
}

async fn befalls(fate: Fate, ticket: &str, bearer: &str, client: &Client, server: &Server) {
    let path = format!("/security/ticket/{ticket}");
    let answer = match fate {
        Fate::Revoked => {
            client
                .post(&format!("{path}/revoke"))
                .bearer(bearer)
                .send()
                .await
        }
        Fate::Disabled => {
            client
                .post(&format!("{path}/disable"))
                .bearer(bearer)
                .send()
                .await
        }
        Fate::Deleted => client.delete(&path).bearer(bearer).send().await,
        Fate::Used => client.login(ticket).await,
        Fate::Expired => {
            server.advance(4 * HOUR);
            return;
        }
    };
    assert!(answer.status < 300, "{fate:?}: {}", answer.text);
}

#[tokio::test]
async fn a_ticket_that_cannot_be_used_says_why_in_one_word() {
    use Fate::{Deleted, Disabled, Expired, Revoked, Used};
    let server = Server::start().await;
    let client = Client::of(&server);
    let rows: &[(&[Fate], &str)] = &[
        (&[Revoked], "REVOKED"),
        (&[Disabled], "DISABLED"),
        (&[Used], "USED"),
        (&[Deleted], "NOT_FOUND"),
        (&[Disabled, Revoked], "REVOKED"),
        (&[Revoked, Disabled], "REVOKED"),
        (&[Used, Disabled], "DISABLED"),
        (&[Used, Revoked], "REVOKED"),
        (&[Expired], "EXPIRED"),
        (&[Used, Expired], "USED"),
        (&[Disabled, Expired], "DISABLED"),
        (&[Revoked, Expired], "REVOKED"),
    ];
    for (fates, word) in rows {
        let bearer = client.bearer(&server.first_client()).await;
        let ticket = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
        for fate in *fates {
            befalls(*fate, &ticket, &bearer, &client, &server).await;
        }
        let told = client.login(&ticket).await;
        assert_eq!(told.member("error_description"), *word, "{fates:?}");
        told.says(400, "invalid_grant", word);
    }
    for strange in [
        "zzz-zzz",
        "abc",
        "",
        "not a ticket at all",
        "ünïcode",
        "a'; drop table",
    ] {
        let answer = client.login(strange).await;
        if strange.is_empty() {
            answer.is(400, "invalid_request");
        } else {
            answer.says(400, "invalid_grant", "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn a_single_use_ticket_opens_once_and_a_multi_use_one_again() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let once = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
    client.login(&once).await.ok();
    client.login(&once).await.says(400, "invalid_grant", "USED");
    let often = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let first = client.login(&often).await.ok();
    let second = client.login(&often).await.ok();
    assert_eq!(first.json()["sub"], second.json()["sub"]);
    assert_ne!(first.json()["jti"], second.json()["jti"]);
}

#[tokio::test]
async fn each_refresh_gives_the_next_token_and_the_old_one_within_the_grace_the_same_next() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
    let login = client.login(&ticket).await.ok();
    let first = login.member("refresh_token");
    let answer = client.refresh(&first).await.ok();
    let second = answer.member("refresh_token");
    assert_ne!(first, second);
    for same in ["sub", "organization", "DEVICE_ID", "scope"] {
        assert_eq!(answer.json()[same], login.json()[same], "{same}");
    }
    assert_ne!(answer.json()["jti"], login.json()["jti"]);
    assert_eq!(answer.json()["expires_in"], 43_200);

    server.advance(Duration::from_millis(9_999));
    let again = client.refresh(&first).await.ok();
    assert_eq!(
        again.member("refresh_token"),
        second,
        "a lost reply is given again"
    );
    let third = client.refresh(&second).await.ok().member("refresh_token");
    assert!(client.is_alive(&login.member("access_token")).await);
    assert!(client.is_alive(&again.member("access_token")).await);
    assert_ne!(third, second);
}

#[tokio::test]
async fn a_refresh_token_reused_after_the_grace_ends_the_family_and_the_sign_in() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let other = client.login(&ticket).await.ok();
    for (name, wait) in [("too late", 10), ("two generations back", 0)] {
        let login = client.login(&ticket).await.ok();
        let first = login.member("refresh_token");
        let second = client.refresh(&first).await.ok();
        let newest = client.refresh(&second.member("refresh_token")).await.ok();
        server.advance(Duration::from_secs(wait));
        client
            .refresh(&first)
            .await
            .says(400, "invalid_grant", "Invalid refresh token");
        for (which, token) in [("first", &login), ("second", &second), ("newest", &newest)] {
            assert!(
                !client.is_alive(&token.member("access_token")).await,
                "{name}: {which}"
            );
        }
        client
            .refresh(&newest.member("refresh_token"))
            .await
            .is(400, "invalid_grant");
    }
    assert!(
        client.is_alive(&other.member("access_token")).await,
        "another sign-in of the ticket goes on"
    );
    client.refresh(&other.member("refresh_token")).await.ok();
}

#[tokio::test]
async fn the_end_of_a_family_is_remembered_across_a_restart() {
    let server = Server::with(Setup {
        public_url: Some("https://localhost"),
        ..Setup::default()
    })
    .await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let login = client.login(&ticket).await.ok();
    let kept = client.login(&ticket).await.ok();
    let next = client.refresh(&login.member("refresh_token")).await.ok();
    server.advance(Duration::from_mins(1));
    client
        .refresh(&login.member("refresh_token"))
        .await
        .is(400, "invalid_grant");
    let server = server.restart().await;
    let client = Client::of(&server);
    assert!(!client.is_alive(&next.member("access_token")).await);
    assert!(client.is_alive(&kept.member("access_token")).await);
    client
        .refresh(&next.member("refresh_token"))
        .await
        .is(400, "invalid_grant");
    client.refresh(&kept.member("refresh_token")).await.ok();
}

#[tokio::test]
async fn a_refresh_token_works_only_for_its_own_client_and_only_as_it_was_given() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let token = client.login(&ticket).await.ok().member("refresh_token");
    let grants = [GrantType::RefreshToken, GrantType::Ticket];
    let other = server.register_as(
        &server.organization(),
        &[Role::ClientService],
        &grants,
        Algorithm::EdDsa,
    );
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
    ];
    let answer = client.token(Some((&other.id, &other.secret)), &form).await;
    answer.says(400, "invalid_grant", "Wrong client for this refresh token");

    let mut flipped = token.clone();
    let last = if flipped.pop() == Some('A') { 'B' } else { 'A' };
    flipped.push(last);
    let access = client.login(&ticket).await.ok().member("access_token");
    for garbage in [
        "x",
        "adr_",
        "adr_AAAA",
        "é",
        &flipped,
        &token.to_uppercase(),
        &access,
    ] {
        client
            .refresh(garbage)
            .await
            .says(400, "invalid_grant", "Invalid refresh token");
    }
    client.refresh(&token).await.ok();
}

#[tokio::test]
async fn a_refresh_may_narrow_its_scope_and_never_widen_it() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let form = [
        ("grant_type", "password"),
        ("username", ticket.as_str()),
        ("scope", "any openid"),
    ];
    let login = client.token(Some(("customer", "")), &form).await.ok();
    let mut token = login.member("refresh_token");
    for (asked, granted) in [
        ("openid", "openid"),
        ("openid openid", "openid"),
        (" ", "any openid"),
        ("", "any openid"),
    ] {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token.as_str()),
            ("scope", asked),
        ];
        let answer = client.token(Some(("customer", "")), &form).await.ok();
        assert_eq!(answer.member("scope"), granted, "{asked:?}");
        token = answer.member("refresh_token");
    }
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("scope", "any global"),
    ];
    client
        .token(Some(("customer", "")), &form)
        .await
        .is(400, "invalid_scope");
    client.refresh(&token).await.ok();
}

#[tokio::test]
async fn tokens_end_when_their_time_is_over() {
    let server = Server::governed(|policy| {
        policy.tokens.access = HOUR;
        policy.tokens.refresh_idle = 3 * HOUR;
        policy.tokens.refresh_absolute = 5 * HOUR;
        policy.tickets.default_ttl = 24 * HOUR;
    })
    .await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let idle = client.login(&ticket).await.ok();
    let busy = client.login(&ticket).await.ok();
    assert_eq!(idle.json()["expires_in"], 3_600);
    server.advance(Duration::from_secs(3_599));
    assert!(client.is_alive(&idle.member("access_token")).await);
    server.advance(Duration::from_secs(1));
    let answer = client
        .get("/auth/v3/userinfo")
        .bearer(&idle.member("access_token"))
        .send()
        .await;
    answer.says(401, "invalid_token", "Access token expired");

    let next = client.refresh(&busy.member("refresh_token")).await.ok();
    server.advance(2 * HOUR);
    client
        .refresh(&idle.member("refresh_token"))
        .await
        .is(401, "invalid_token");
    let last = client.refresh(&next.member("refresh_token")).await.ok();
    server.advance(2 * HOUR);
    client
        .refresh(&last.member("refresh_token"))
        .await
        .is(401, "invalid_token");
}

#[tokio::test]
async fn a_customers_session_outlives_the_use_of_its_ticket_and_not_the_ticket() {
    use Fate::{Deleted, Disabled, Revoked};
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    for (fate, word) in [
        (Revoked, "REVOKED"),
        (Disabled, "DISABLED"),
        (Deleted, "NOT_FOUND"),
    ] {
        let ticket = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
        let login = client.login(&ticket).await.ok();
        let next = client.refresh(&login.member("refresh_token")).await.ok();
        assert!(
            client.is_alive(&next.member("access_token")).await,
            "{fate:?}"
        );
        befalls(fate, &ticket, &bearer, &client, &server).await;
        for answer in [&login, &next] {
            assert!(
                !client.is_alive(&answer.member("access_token")).await,
                "{fate:?}"
            );
        }
        let refused = client.refresh(&next.member("refresh_token")).await;
        refused.says(400, "invalid_grant", word);
    }
    let ticket = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
    let login = client.login(&ticket).await.ok();
    server.advance(Duration::from_secs(4 * 3_600 - 1));
    let next = client.refresh(&login.member("refresh_token")).await.ok();
    server.advance(Duration::from_secs(1));
    let refused = client.refresh(&next.member("refresh_token")).await;
    refused.says(400, "invalid_grant", "EXPIRED");
}

#[tokio::test]
async fn a_session_goes_on_when_its_ticket_was_moved_to_a_later_date() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let dated = |date: &str| json!({"scheduled_date": date});
    let body = json!({
        "type": "SINGLE_USE_SCHEDULE_TICKET", "ttl": 3_600, "properties": dated("2026-11-21T12:30:00Z"),
    });
    let ticket = client.issue(&bearer, &body).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let login = client.login(&ticket).await.ok();
    let path = format!("/security/ticket/{ticket}");
    let moved = json!({"properties": dated("2026-11-22T12:30:00Z")});
    client
        .put(&path)
        .bearer(&bearer)
        .json(&moved)
        .send()
        .await
        .ok();
    server.advance(10 * HOUR);
    jobs::sweep_once(&server.appliance).await.unwrap();
    let next = client.refresh(&login.member("refresh_token")).await.ok();
    server.advance(16 * HOUR);
    let refused = client.refresh(&next.member("refresh_token")).await;
    refused.says(400, "invalid_grant", "EXPIRED");
}

#[tokio::test]
async fn a_disabled_tickets_tokens_live_again_once_it_is_enabled() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
    let login = client.login(&ticket).await.ok();
    let switch = |word: &str| {
        client
            .post(&format!("/security/ticket/{ticket}/{word}"))
            .bearer(&bearer)
            .send()
    };
    assert_eq!(switch("disable").await.status, 204);
    assert!(!client.is_alive(&login.member("access_token")).await);
    client
        .login(&ticket)
        .await
        .says(400, "invalid_grant", "DISABLED");
    assert_eq!(switch("enable").await.status, 204);
    assert!(client.is_alive(&login.member("access_token")).await);
    client.refresh(&login.member("refresh_token")).await.ok();
    client
        .login(&ticket)
        .await
        .says(400, "invalid_grant", "USED");

    assert_eq!(switch("revoke").await.status, 204);
    assert_eq!(switch("enable").await.status, 204);
    assert!(
        !client.is_alive(&login.member("access_token")).await,
        "enabling does not take a revocation back"
    );
}

#[tokio::test]
async fn s1_guessing_at_tickets_is_held_down_where_it_comes_from_and_across_a_restart() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let body = json!({"type": "MULTI_USE_TICKET", "length": 6, "properties": {}, "ttl": 86_400});
    let short = client.issue(&bearer, &body).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({"type": "MULTI_USE_TICKET", "properties": {}, "ttl": 86_400});
    let long = client.issue(&bearer, &body).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for guess in 0..120 {
        let letters: Vec<char> = format!("{guess:03}")
            .chars()
            .map(|digit| char::from(digit as u8 - b'0' + b'a'))
            .collect();
        let guess: String = letters.iter().chain(['x', 'y', 'z'].iter()).collect();
        client
            .login(&guess)
            .await
            .says(400, "invalid_grant", "NOT_FOUND");
    }
    let wait = |answer: &Answer| answer.header("retry-after").parse::<u64>().unwrap();
    let refused = client.login("aaaaaa").await;
    refused.is(429, "too_many_requests");
    assert!((1..=3_600).contains(&wait(&refused)), "{refused:?}");
    for (name, ticket) in [("short", &short), ("long", &long)] {
        let answer = client.login(ticket).await;
        assert_eq!(
            answer.status, 429,
            "{name}: a good ticket too, or guessing could go on"
        );
    }

    let elsewhere = Client::from(&server, [127, 0, 9, 1].into());
    elsewhere.login(&short).await.is(429, "too_many_requests");
    elsewhere.login(&long).await.ok();
    elsewhere.login(&short).await.ok();
    let neighbour = Client::from(&server, [127, 0, 9, 200].into());
    neighbour.login(&short).await.ok();

    let server = server.restart().await;
    let client = Client::of(&server);
    client.login(&long).await.is(429, "too_many_requests");
    server.advance(HOUR);
    client.login(&long).await.ok();
    client.login(&short).await.ok();
}

/// A login as a reverse proxy at `proxy` passes it on, with these lines of `X-Forwarded-For`.
async fn forwarded(proxy: &Client, lines: &[&str], ticket: &str) -> Answer {
    let form = [("grant_type", "password"), ("username", ticket)];
    let request = proxy.post("/security/oauth/token").basic("customer", "");
    let request = lines.iter().fold(request, |request, line| {
        request.header("x-forwarded-for", line)
    });
    request.form(&form).send().await
}

/// A server where the second wrong guess is the last one, reached through a proxy it trusts or does not.
async fn behind_a_proxy(trusted_proxies: Vec<IpAddr>) -> (Server, String) {
    let mut setup = Setup {
        trusted_proxies,
        ..Setup::default()
    };
    setup.policy.tickets.wrong_guesses_per_network_per_hour = 2;
    let server = Server::with(setup).await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    (server, ticket)
}

#[tokio::test]
async fn guesses_through_a_trusted_proxy_are_held_against_who_made_them() {
    let (server, ticket) = behind_a_proxy(vec![[127, 0, 0, 1].into()]).await;
    let proxy = Client::of(&server);
    // Whatever the guesser writes itself stands left of what the proxy adds.
    for claim in ["203.0.113.9", "198.51.100.7"] {
        forwarded(&proxy, &[claim, "192.0.2.1"], "zzz-zzz-zzz")
            .await
            .says(400, "invalid_grant", "NOT_FOUND");
    }
    for guesser in ["192.0.2.1", "203.0.113.77, 192.0.2.200", "192.0.2.1:4711"] {
        forwarded(&proxy, &[guesser], &ticket)
            .await
            .is(429, "too_many_requests");
    }
    for other in ["203.0.113.9", "198.51.100.7", "2001:db8::1"] {
        forwarded(&proxy, &[other], &ticket).await.ok();
    }
    proxy.login(&ticket).await.ok();

    let stranger = Client::from(&server, [127, 0, 9, 1].into());
    forwarded(&stranger, &["192.0.2.1"], &ticket).await.ok();
    for claim in ["198.51.100.1", "198.51.100.2"] {
        forwarded(&stranger, &[claim], "zzz-zzz-zzz")
            .await
            .says(400, "invalid_grant", "NOT_FOUND");
    }
    forwarded(&stranger, &["203.0.113.9"], &ticket)
        .await
        .is(429, "too_many_requests");
    forwarded(&proxy, &["198.51.100.7"], &ticket).await.ok();
}

#[tokio::test]
async fn without_a_trusted_proxy_nobody_is_believed_about_who_calls() {
    let (server, ticket) = behind_a_proxy(Vec::new()).await;
    let client = Client::of(&server);
    for claim in ["192.0.2.1", "203.0.113.9"] {
        forwarded(&client, &[claim], "zzz-zzz-zzz")
            .await
            .says(400, "invalid_grant", "NOT_FOUND");
    }
    for claim in [&[][..], &["198.51.100.7"]] {
        forwarded(&client, claim, &ticket)
            .await
            .is(429, "too_many_requests");
    }
    let elsewhere = Client::from(&server, [127, 0, 9, 1].into());
    forwarded(&elsewhere, &["127.0.0.1"], &ticket).await.ok();
}

#[tokio::test]
async fn whoever_knows_a_ticket_that_cannot_be_used_is_no_guesser() {
    let server =
        Server::governed(|policy| policy.tickets.wrong_guesses_per_network_per_hour = 2).await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let used = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
    client.login(&used).await.ok();
    for _ in 0..4 {
        client.login(&used).await.says(400, "invalid_grant", "USED");
    }
    client
        .login("zzz-zzz-zzz")
        .await
        .says(400, "invalid_grant", "NOT_FOUND");
    client
        .login("zzz-zzz-zzy")
        .await
        .says(400, "invalid_grant", "NOT_FOUND");
    client.login(&used).await.is(429, "too_many_requests");
}

#[tokio::test]
async fn a_ticket_that_has_expired_costs_a_guess_like_one_that_never_was() {
    let server =
        Server::governed(|policy| policy.tickets.wrong_guesses_per_network_per_hour = 2).await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    server.advance(4 * HOUR);
    for _ in 0..2 {
        client
            .login(&ticket)
            .await
            .says(400, "invalid_grant", "EXPIRED");
    }
    client.login(&ticket).await.is(429, "too_many_requests");
}

#[tokio::test]
async fn a_scheduled_ticket_waits_for_its_window_where_one_is_configured() {
    let server =
        Server::governed(|policy| policy.tickets.opens_before = Some(Duration::from_mins(10)))
            .await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let body = json!({
        "type": "SINGLE_USE_SCHEDULE_TICKET",
        "properties": {"scheduled_date": "2026-11-21T13:00:00Z"},
    });
    let ticket = client.issue(&bearer, &body).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    server.advance(Duration::from_secs(50 * 60 - 1));
    client
        .login(&ticket)
        .await
        .says(400, "invalid_grant", "NOT_STARTED");
    server.advance(Duration::from_secs(1));
    client.login(&ticket).await.ok();
    client
        .login(&ticket)
        .await
        .says(400, "invalid_grant", "USED");
}

/// Of each ticket's history: a login that began after the answer to its withdrawal is refused, and one that began after
/// the answer to its return is not.
#[tokio::test(flavor = "multi_thread")]
async fn s3_what_was_answered_about_a_ticket_holds_for_every_login_begun_after_it() {
    let server = Server::start().await;
    let client = Arc::new(Client::of(&server));
    let bearer = client.bearer(&server.first_client()).await;
    for round in 0..60 {
        let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
        let words = if round % 2 == 0 {
            ["revoke", "disable"]
        } else {
            ["disable", "enable"]
        };
        let answered = Arc::new(AtomicUsize::new(0));
        let mut logins = JoinSet::new();
        for _ in 0..12 {
            let (client, ticket, answered) =
                (Arc::clone(&client), ticket.clone(), Arc::clone(&answered));
            logins.spawn(async move {
                let before = answered.load(Ordering::SeqCst);
                (before, client.login(&ticket).await)
            });
        }
        for word in words {
            let switch = client.post(&format!("/security/ticket/{ticket}/{word}"));
            assert_eq!(switch.bearer(&bearer).send().await.status, 204);
            answered.fetch_add(1, Ordering::SeqCst);
        }
        let last = client.login(&ticket).await;
        let told = logins.join_all().await;
        for (before, login) in told.into_iter().chain([(2, last)]) {
            // Between a request and its answer either is right.
            let expected = match words[0] {
                "revoke" if before >= 1 => Some((400, "REVOKED")),
                "disable" if before == 2 => Some((200, "access_token")),
                _ => None,
            };
            if let Some((status, word)) = expected {
                assert_eq!(login.status, status, "{words:?}: {}", login.text);
                assert!(login.text.contains(word), "{}", login.text);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s2_of_simultaneous_logins_with_one_single_use_ticket_one_succeeds() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    for round in 0..20 {
        let ticket = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
        let login = || client.login(&ticket);
        let (a, b, c, d) = tokio::join!(login(), login(), login(), login());
        let answers = [a, b, c, d];
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1, "{round}");
        for lost in answers.iter().filter(|answer| answer.status != 200) {
            lost.says(400, "invalid_grant", "USED");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_tabs_that_refresh_at_once_get_the_same_next_token() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let mut token = client.login(&ticket).await.ok().member("refresh_token");
    for round in 0..20 {
        let refresh = || client.refresh(&token);
        let (a, b, c, d) = tokio::join!(refresh(), refresh(), refresh(), refresh());
        let next = [a, b, c, d].map(|answer| answer.ok().member("refresh_token"));
        assert!(next.iter().all(|other| *other == next[0]), "{round}");
        token.clone_from(&next[0]);
    }
}

#[tokio::test]
async fn a_refused_scope_says_which_would_do() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let basic = Some((first.id.as_str(), first.secret.as_str()));
    let answer = client.token(basic, &[CREDENTIALS, ("scope", "root")]).await;
    assert_eq!(
        answer.member("scope"),
        "any global * openid profile email address phone offline_access"
    );
}
