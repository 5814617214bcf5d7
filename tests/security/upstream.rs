//! `/security/talkdesk/refresh_token` and `/security/nice/refresh_token`: what the vendor is asked, what goes through,
//! and what is told when it does not.

use std::time::Duration;

use admit::config::Upstreams;
use admit::domain::Front;
use admit::domain::access::{Permissions, Role, Subject, Vouched};
use admit::domain::applications::Kind;
use admit::domain::clients;
use admit::domain::tokens::{self, Grantee};
use admit::kernel::ApplicationId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::accounts::admin;
use crate::support::client::{Answer, Client};
use crate::support::server::{Server, Setup};
use crate::support::stub::{Asked, Does, Stub, application, application_with};

const TALKDESK: &str = "/security/talkdesk/refresh_token";
const NICE: &str = "/security/nice/refresh_token";

fn vendor(asked: &Asked) -> Does {
    let token = asked.form("refresh_token").unwrap();
    Does::Says(
        200,
        json!({
            "access_token": "vendor-access", "token_type": "Bearer", "expires_in": 3600, "scope": "openid",
            "refresh_token": format!("{token}-2"), "id_token": "a.b.c", "sid": {"odd": [1, null, "x"]},
        }),
    )
}

async fn set_up() -> (Server, Client, Stub) {
    let stub = Stub::start(vendor).await;
    let server = Server::with(Setup {
        upstreams: stub.listed(),
        ..Setup::default()
    })
    .await;
    let client = Client::of(&server);
    (server, client, stub)
}

fn own(server: &Server, kind: Kind, service: &Value) -> ApplicationId {
    application(server, &server.organization(), kind, service)
}

fn talkdesk_at(stub: &Stub) -> Value {
    json!({"clientId": "talkdesk-client", "clientSecret": "talkdesk-secret", "tokenUrl": format!("{}/talkdesk/oauth/token", stub.origin())})
}

async fn refresh(client: &Client, path: &str, bearer: &str) -> Answer {
    let body = json!({"refresh_token": "first"});
    client.post(path).bearer(bearer).json(&body).send().await
}

fn decoded(asked: &Asked) -> String {
    let basic = asked.header("authorization").unwrap();
    let basic = basic.strip_prefix("Basic ").unwrap();
    String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap()
}

#[tokio::test]
async fn a_talkdesk_token_is_renewed_and_every_member_goes_through() {
    let (server, client, stub) = set_up().await;
    own(&server, Kind::TalkdeskOpenId, &talkdesk_at(&stub));
    let bearer = client.bearer(&server.first_client()).await;
    let before = server.count("audit");
    let answer = refresh(&client, TALKDESK, &bearer).await.ok();
    let expected = vendor(&stub.asked()[0]);
    let Does::Says(_, expected) = expected else {
        panic!()
    };
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(server.count("audit"), before + 1);

    let asked = stub.taken();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "POST /talkdesk/oauth/token HTTP/1.1");
    assert_eq!(decoded(&asked[0]), "talkdesk-client:talkdesk-secret");
    assert_eq!(
        asked[0].body,
        "grant_type=refresh_token&refresh_token=first"
    );
    assert_eq!(asked[0].header("accept-encoding"), None);
    assert_eq!(
        asked[0].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
}

#[tokio::test]
async fn a_nice_token_is_renewed_with_encoded_credentials_and_the_scope_openid() {
    let (server, client, stub) = set_up().await;
    let issuer = format!("{}/nice", stub.origin());
    own(
        &server,
        Kind::NiceCxoneOpenId,
        &json!({"clientId": "nice:client", "clientSecret": "a b+ü%", "issuer": issuer}),
    );
    let bearer = client.bearer(&server.first_client()).await;
    let answer = refresh(&client, NICE, &bearer).await.ok();
    assert_eq!(answer.member("refresh_token"), "first-2");
    let asked = stub.taken();
    assert_eq!(asked[0].line, "POST /nice/auth/token HTTP/1.1");
    assert_eq!(decoded(&asked[0]), "nice%3Aclient:a+b%2B%C3%BC%25");
    assert_eq!(
        asked[0].body,
        "grant_type=refresh_token&scope=openid&refresh_token=first"
    );
}

#[tokio::test]
async fn what_is_not_a_refresh_is_refused_and_nobody_is_asked() {
    let (server, client, stub) = set_up().await;
    own(&server, Kind::TalkdeskOpenId, &talkdesk_at(&stub));
    let bearer = client.bearer(&server.first_client()).await;
    for body in [
        json!({}),
        json!({"refresh_token": ""}),
        json!({"refresh_token": null}),
        json!({"refresh_token": 7}),
    ] {
        let answer = client
            .post(TALKDESK)
            .bearer(&bearer)
            .json(&body)
            .send()
            .await;
        answer.is(400, "invalid_request");
    }
    let form = client
        .post(TALKDESK)
        .bearer(&bearer)
        .form(&[("refresh_token", "x")]);
    form.send().await.is(415, "invalid_request");
    for path in [TALKDESK, NICE] {
        client
            .get(path)
            .bearer(&bearer)
            .send()
            .await
            .is(405, "method_not_allowed");
        let body = json!({"refresh_token": "x"});
        client
            .post(path)
            .json(&body)
            .send()
            .await
            .is(401, "unauthorized");
        let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
        let customer = client.login(&ticket).await.ok().member("access_token");
        refresh(&client, path, &customer)
            .await
            .is(403, "access_denied");
    }
    for role in [Role::Agent, Role::ClientService, Role::Service] {
        let credentials = server.register(&server.organization(), &[role]);
        let bearer = client.bearer(&credentials).await;
        refresh(&client, TALKDESK, &bearer).await.ok();
    }
    assert_eq!(stub.asked().len(), 3);
}

/// The administrator's token, as an application vouched for it.
fn vouched_by(server: &Server, application: &ApplicationId) -> String {
    let cx = server.appliance.own_context();
    let user = admin(server);
    let client = clients::find(&cx, &"agent".parse().unwrap());
    let client = client.unwrap().unwrap();
    let subject = Subject::User(user.id.clone());
    let grantee = Grantee {
        epoch: tokens::epoch(&cx, &subject),
        subject,
        organization: user.organization.clone(),
        client: client.id.clone(),
        roles: user.roles,
        scope: "any".into(),
        sign_in: None,
        front: Front::Security,
        session: None,
        signed_in_at: None,
        claims: Vec::new(),
        vouched: Some(Vouched {
            by: application.clone(),
            permissions: Permissions::default(),
        }),
    };
    let token = tokens::mint(&cx, &grantee, &client).unwrap();
    token.value.expose().clone()
}

#[tokio::test]
async fn the_application_is_the_one_that_vouched_or_the_only_one_there_is() {
    let (server, client, stub) = set_up().await;
    let own_org = server.organization();
    let bearer = client.bearer(&server.first_client()).await;
    let words = |answer: Answer| {
        answer.is(400, "invalid_request");
        answer.member("error_description")
    };
    let at = |id: &str| {
        let mut service = talkdesk_at(&stub);
        service["clientId"] = json!(id);
        json!({"serviceParameters": service})
    };
    let kind = Kind::TalkdeskOpenId;
    // None of them is one to ask with.
    application_with(&server, &own_org, kind, &at("unanswered for"), |one| {
        one.vouches = false;
    });
    application_with(&server, &own_org, kind, &at("over"), |one| {
        one.expires_at = Some(one.created_at);
    });
    application_with(&server, &server.found("other"), kind, &at("other"), |_| {});
    application_with(
        &server,
        &own_org,
        Kind::NiceCxoneOpenId,
        &at("nice"),
        |_| {},
    );
    assert!(
        words(refresh(&client, TALKDESK, &bearer).await)
            .contains("no application of type TALKDESK_OPENID")
    );
    assert!(stub.asked().is_empty());

    // Whether listings show it does not matter.
    let first = application_with(&server, &own_org, kind, &at("first"), |one| {
        one.is_visible = false;
    });
    refresh(&client, TALKDESK, &bearer).await.ok();
    let second = application_with(&server, &own_org, kind, &at("second"), |_| {});
    assert!(words(refresh(&client, TALKDESK, &bearer).await).contains("several"));
    for (application, id) in [(&first, "first"), (&second, "second")] {
        let bearer = vouched_by(&server, application);
        refresh(&client, TALKDESK, &bearer).await.ok();
        let asked = stub.asked();
        assert_eq!(
            decoded(asked.last().unwrap()),
            format!("{id}:talkdesk-secret")
        );
    }
    // One that is of another kind says nothing about this.
    let nice = application_with(&server, &own_org, Kind::NiceCxoneOpenId, &at("x"), |_| {});
    assert!(
        words(refresh(&client, TALKDESK, &vouched_by(&server, &nice)).await).contains("several")
    );
}

#[tokio::test]
async fn an_application_in_which_something_is_missing_says_what() {
    let (server, client, _stub) = set_up().await;
    own(
        &server,
        Kind::TalkdeskOpenId,
        &json!({"clientId": "c", "account": "acme"}),
    );
    let bearer = client.bearer(&server.first_client()).await;
    let answer = refresh(&client, TALKDESK, &bearer).await;
    answer.is(400, "invalid_request");
    assert!(
        answer
            .member("error_description")
            .contains("serviceParameters.clientSecret is missing")
    );
}

#[tokio::test]
async fn every_way_to_fail_has_its_status_and_its_words() {
    let (server, client, stub) = set_up().await;
    own(&server, Kind::TalkdeskOpenId, &talkdesk_at(&stub));
    let bearer = client.bearer(&server.first_client()).await;
    let refused =
        json!({"error": "invalid_grant", "error_description": "The refresh token is over"});
    let says = |status: u16, value: &Value| Does::Says(status, value.clone());
    let writes = |status: u16, headers: &str, body: &[u8]| {
        Does::Writes(status, headers.to_owned(), body.to_vec())
    };
    let huge = format!("{{\"access_token\":\"{}\"}}", "x".repeat(300_000));
    let rows = [
        (says(400, &refused), 400, "invalid_grant"),
        (says(401, &refused), 400, "invalid_grant"),
        (
            says(400, &json!({"error": "bad \"words\""})),
            400,
            "upstream_refused",
        ),
        (writes(401, "", b""), 400, "upstream_refused"),
        (says(403, &refused), 502, "upstream_failed"),
        (
            writes(429, "retry-after: 7\r\n", b""),
            503,
            "temporarily_unavailable",
        ),
        (says(500, &json!({})), 502, "upstream_failed"),
        (
            writes(
                302,
                &format!("location: {}/elsewhere\r\n", stub.origin()),
                b"",
            ),
            502,
            "upstream_failed",
        ),
        (says(504, &json!({})), 504, "upstream_unanswered"),
        (writes(200, "", b"<html>"), 504, "upstream_unanswered"),
        (
            says(200, &json!(["not", "an", "object"])),
            504,
            "upstream_unanswered",
        ),
        (writes(200, "", huge.as_bytes()), 504, "upstream_unanswered"),
        (
            writes(200, "content-encoding: gzip\r\n", b"\x1f\x8b\x08\x00"),
            504,
            "upstream_unanswered",
        ),
        (Does::Closes, 504, "upstream_unanswered"),
    ];
    for (does, status, error) in rows {
        let told = format!("{does:?}").chars().take(120).collect::<String>();
        stub.taken();
        stub.now(move |_| does.clone());
        let answer = refresh(&client, TALKDESK, &bearer).await;
        assert_eq!(
            (answer.status, answer.member("error").as_str()),
            (status, error),
            "{told}"
        );
        if error == "invalid_grant" {
            assert_eq!(
                answer.member("error_description"),
                "The refresh token is over"
            );
        }
        let wait = if told.contains("429") { "7" } else { "" };
        assert_eq!(answer.header("retry-after"), wait, "{told}");
        assert_eq!(
            stub.asked().len(),
            1,
            "{told}: nobody is asked twice, and no redirect is followed"
        );
        assert!(
            !answer.text.contains("secret") && !answer.text.contains("first"),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn one_that_does_not_answer_in_time_is_given_up() {
    let stub = Stub::start(|_| Does::Hangs).await;
    let upstreams = Upstreams {
        timeout: Duration::from_millis(700),
        ..stub.listed()
    };
    let server = Server::with(Setup {
        upstreams,
        ..Setup::default()
    })
    .await;
    let client = Client::of(&server);
    own(&server, Kind::TalkdeskOpenId, &talkdesk_at(&stub));
    let bearer = client.bearer(&server.first_client()).await;
    refresh(&client, TALKDESK, &bearer)
        .await
        .is(504, "upstream_unanswered");
    stub.now(|_| Does::Stalls);
    refresh(&client, TALKDESK, &bearer)
        .await
        .is(504, "upstream_unanswered");
}

#[tokio::test]
async fn one_that_is_not_there_is_told_so() {
    let (server, client, stub) = set_up().await;
    own(&server, Kind::TalkdeskOpenId, &talkdesk_at(&stub));
    let bearer = client.bearer(&server.first_client()).await;
    drop(stub);
    refresh(&client, TALKDESK, &bearer)
        .await
        .is(502, "upstream_failed");
}

#[tokio::test]
async fn a_broken_authority_is_a_start_that_fails_in_words() {
    use admit::compose::{World, compose};
    use admit::config::{Config, MasterKeySource};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority.pem");
    let config = |text: Option<&str>| {
        let data = tempfile::tempdir().unwrap().keep();
        match text {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let upstreams = Upstreams {
            authority: Some(path.clone()),
            ..Upstreams::default()
        };
        let config = Config {
            master_key: MasterKeySource::File(data.join("master.key")),
            data: data.clone(),
            upstreams,
            ..Config::default()
        };
        let told = compose(&config, 1, World::real())
            .map(|_| ())
            .unwrap_err()
            .to_string();
        std::fs::remove_dir_all(data).unwrap();
        told
    };
    let begun = "-----BEGIN CERTIFICATE-----\n";
    for text in [
        "",
        "nothing",
        begun,
        &format!("{begun}AAAA\n-----END CERTIFICATE-----\n"),
    ] {
        let told = config(Some(text));
        assert!(
            told.contains("authority.pem: the upstreams' authority holds no certificates"),
            "{text:?}: {told}"
        );
    }
    assert!(config(None).contains("authority.pem: "));
}
