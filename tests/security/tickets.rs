//! `/security/ticket`: what a ticket is, who may do what with it, and what is refused without changing anything.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use admit::domain::access::Role;
use admit::store::{Disk, Engine, RealDisk};
use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::server::{START, Server, Setup};

const TYPES: [&str; 9] = [
    "GENESYS_SINGLE_USE_TICKET",
    "GENESYS_MULTI_USE_TICKET",
    "GENESYS_SCHEDULE_TICKET",
    "MULTI_USE_TICKET",
    "SCHEDULE_TICKET",
    "APPOINTMENTS_SCHEDULE_TICKET",
    "SINGLE_USE_TICKET",
    "SINGLE_USE_SCHEDULE_TICKET",
    "SINGLE_USE_APPOINTMENTS_SCHEDULE_TICKET",
];

async fn set_up() -> (Server, Client, String) {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    (server, client, bearer)
}

fn path(ticket: &Value, rest: &str) -> String {
    format!("/security/ticket/{}{rest}", ticket["id"].as_str().unwrap())
}

#[tokio::test]
async fn every_type_is_created_with_the_published_members() {
    let (server, client, bearer) = set_up().await;
    for kind in TYPES {
        let properties = json!({"scheduled_date": "2026-11-21T21:30:24.936571Z", "customer_id": "c-1", "theme": {"videoUrl": "x"}});
        let body = json!({"type": kind, "ttl": 14_400, "length": 6, "properties": properties});
        let ticket = client.issue(&bearer, &body).await;
        let expires_at = if kind.contains("SCHEDULE") {
            "2026-11-22T01:30:24.936571Z"
        } else {
            "2026-11-21T16:00:00Z"
        };
        assert_eq!(ticket["type"], kind);
        assert_eq!(ticket["properties"], properties, "{kind}");
        assert_eq!(
            ticket["organizationId"],
            server.organization().as_str(),
            "{kind}"
        );
        assert_eq!(ticket["createdAt"], START, "{kind}");
        assert_eq!(ticket["expiresAt"], expires_at, "{kind}");
        assert_eq!(ticket["version"], 0, "{kind}");
        assert_eq!(ticket["expired"], false, "{kind}");
        assert_eq!(ticket["userId"].as_str().map(str::len), Some(36), "{kind}");
        let mut members: Vec<_> = ticket
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        members.sort_unstable();
        let published = [
            "createdAt",
            "expired",
            "expiresAt",
            "id",
            "organizationId",
            "properties",
            "type",
            "userId",
            "version",
        ];
        assert_eq!(
            members, published,
            "{kind}: disabled and revoked are left out while unset"
        );
        let read = client
            .get(&path(&ticket, ""))
            .bearer(&bearer)
            .send()
            .await
            .ok();
        assert_eq!(read.json(), ticket, "{kind}");
    }
}

#[tokio::test]
async fn ids_have_the_length_that_was_asked_for_in_groups_of_three() {
    let (_server, client, bearer) = set_up().await;
    let rows = [
        (Some(6), "xxx-xxx"),
        (Some(9), "xxx-xxx-xxx"),
        (None, "xxx-xxx-xxx"),
        (Some(7), "xxx-xxx-x"),
        (Some(8), "xxx-xxx-xx"),
        (Some(32), "xxx-xxx-xxx-xxx-xxx-xxx-xxx-xxx-xxx-xxx-xx"),
    ];
    for (length, shape) in rows {
        let mut body = json!({"type": "MULTI_USE_TICKET", "properties": {}});
        if let Some(length) = length {
            body["length"] = json!(length);
        }
        let ticket = client.issue(&bearer, &body).await;
        let id = ticket["id"].as_str().unwrap();
        let shown: String = id.chars().map(|c| if c == '-' { c } else { 'x' }).collect();
        assert_eq!(shown, shape, "{length:?}: {id}");
        assert!(
            id.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
            "{id}"
        );
        if length == Some(6) {
            assert!(
                !id.contains(|c: char| c.is_ascii_digit()),
                "six are letters: {id}"
            );
        }
        for spelling in [id.to_uppercase(), id.replace('-', "")] {
            let answer = client
                .get(&format!("/security/ticket/{spelling}"))
                .bearer(&bearer)
                .send()
                .await;
            assert_eq!(answer.ok().json()["id"], id);
        }
    }
}

#[tokio::test]
async fn a_ticket_lives_as_long_as_it_was_told_to() {
    let (server, client, bearer) = set_up().await;
    let rows = [
        (
            "nothing said",
            json!({"type": "MULTI_USE_TICKET"}),
            "2026-11-21T16:00:00Z",
            false,
        ),
        (
            "null is nothing",
            json!({"type": "MULTI_USE_TICKET", "ttl": null, "length": null, "disabled": null}),
            "2026-11-21T16:00:00Z",
            false,
        ),
        (
            "a second",
            json!({"type": "MULTI_USE_TICKET", "ttl": 1}),
            "2026-11-21T12:00:01Z",
            false,
        ),
        (
            "thirty days",
            json!({"type": "MULTI_USE_TICKET", "ttl": 2_592_000}),
            "2026-12-21T12:00:00Z",
            false,
        ),
        (
            "a date it is not counted from",
            json!({"type": "MULTI_USE_TICKET", "properties": {"scheduled_date": "2030-01-01T00:00:00Z"}}),
            "2026-11-21T16:00:00Z",
            false,
        ),
        (
            "an unreadable date it is not counted from",
            json!({"type": "MULTI_USE_TICKET", "properties": {"scheduled_date": "soon"}}),
            "2026-11-21T16:00:00Z",
            false,
        ),
        (
            "scheduled, an offset",
            json!({"type": "SCHEDULE_TICKET", "properties": {"scheduled_date": "2026-12-01T10:00:00+02:00"}}),
            "2026-12-01T12:00:00Z",
            false,
        ),
        (
            "scheduled in the past",
            json!({"type": "SCHEDULE_TICKET", "properties": {"scheduled_date": "2020-01-01T00:00:00Z"}}),
            "2020-01-01T04:00:00Z",
            true,
        ),
        (
            "members nobody knows",
            json!({"type": "MULTI_USE_TICKET", "id": "abc-def", "userId": "u", "colour": [1, {"a": null}], "version": 7}),
            "2026-11-21T16:00:00Z",
            false,
        ),
    ];
    for (name, mut body, expires_at, expired) in rows {
        if body.get("properties").is_none() {
            body["properties"] = json!({});
        }
        let ticket = client.issue(&bearer, &body).await;
        assert_eq!(ticket["expiresAt"], expires_at, "{name}");
        assert_eq!(ticket["expired"], expired, "{name}");
        assert_eq!(ticket["version"], 0, "{name}");
        assert_ne!(ticket["id"], "abc-def", "{name}");
        let word = client.login(ticket["id"].as_str().unwrap()).await;
        assert_eq!(
            word.status,
            if expired { 400 } else { 200 },
            "{name}: {}",
            word.text
        );
    }
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    server.advance(Duration::from_hours(4));
    let bearer = client.bearer(&server.first_client()).await;
    let read = client
        .get(&format!("/security/ticket/{ticket}"))
        .bearer(&bearer)
        .send()
        .await
        .ok();
    assert_eq!(read.json()["expired"], true);
}

#[tokio::test]
async fn a_ticket_may_be_born_disabled() {
    let (_server, client, bearer) = set_up().await;
    let body = json!({"type": "MULTI_USE_TICKET", "properties": {}, "disabled": true});
    let ticket = client.issue(&bearer, &body).await;
    assert_eq!(ticket["disabled"], START);
    let id = ticket["id"].as_str().unwrap();
    client
        .login(id)
        .await
        .says(400, "invalid_grant", "DISABLED");
    assert_eq!(
        client
            .post(&path(&ticket, "/enable"))
            .bearer(&bearer)
            .send()
            .await
            .status,
        204
    );
    client.login(id).await.ok();
    let body = json!({"type": "MULTI_USE_TICKET", "properties": {}, "disabled": false});
    assert!(client.issue(&bearer, &body).await.get("disabled").is_none());
}

#[tokio::test]
async fn changing_a_ticket_lays_properties_over_those_it_has() {
    let (_server, client, bearer) = set_up().await;
    let properties =
        json!({"scheduled_date": "2026-12-01T10:00:00Z", "a": 1, "b": {"c": 1}, "theme": {"x": 1}});
    let body = json!({"type": "SCHEDULE_TICKET", "ttl": 3_600, "properties": properties});
    let ticket = client.issue(&bearer, &body).await;
    let change = |body: Value| {
        client
            .put(&path(&ticket, ""))
            .bearer(&bearer)
            .json(&body)
            .send()
    };

    let body = json!({"properties": {"a": null, "b": {"d": 2}, "e": "new", "never": null}, "type": "MULTI_USE_TICKET", "ttl": 1});
    let changed = change(body).await.ok().json();
    let expected = json!({"scheduled_date": "2026-12-01T10:00:00Z", "b": {"d": 2}, "theme": {"x": 1}, "e": "new"});
    assert_eq!(changed["properties"], expected);
    assert_eq!(changed["version"], 1);
    for same in [
        "id",
        "userId",
        "type",
        "createdAt",
        "expiresAt",
        "organizationId",
    ] {
        assert_eq!(changed[same], ticket[same], "{same}");
    }
    let moved = change(json!({"properties": {"scheduled_date": "2026-12-02T10:00:00Z"}}))
        .await
        .ok()
        .json();
    assert_eq!(moved["expiresAt"], "2026-12-02T11:00:00Z");
    assert_eq!(moved["version"], 2);
    let own = change(json!({"properties": {}, "organizationId": ticket["organizationId"]}))
        .await
        .ok()
        .json();
    assert_eq!(own["version"], 3);
    let read = client
        .get(&path(&ticket, ""))
        .bearer(&bearer)
        .send()
        .await
        .ok()
        .json();
    assert_eq!(read, own);
    for date in [json!(null), json!("soon"), json!(7)] {
        let answer = change(json!({"properties": {"scheduled_date": date}})).await;
        answer.is(400, "invalid_request");
    }
    let read = client
        .get(&path(&ticket, ""))
        .bearer(&bearer)
        .send()
        .await
        .ok()
        .json();
    assert_eq!(read, own, "a refused change changes nothing");
}

#[tokio::test]
async fn withdrawing_a_ticket_keeps_the_first_instant_and_can_be_repeated() {
    let (server, client, bearer) = set_up().await;
    let ticket = client
        .issue(
            &bearer,
            &json!({"type": "MULTI_USE_TICKET", "properties": {}}),
        )
        .await;
    let rows = [
        ("disable", 1, Some("2026-11-21T12:01:00Z"), None),
        ("disable", 1, Some("2026-11-21T12:01:00Z"), None),
        ("enable", 2, None, None),
        ("enable", 2, None, None),
        ("disable", 3, Some("2026-11-21T12:05:00Z"), None),
        (
            "revoke",
            4,
            Some("2026-11-21T12:05:00Z"),
            Some("2026-11-21T12:06:00Z"),
        ),
        (
            "revoke",
            4,
            Some("2026-11-21T12:05:00Z"),
            Some("2026-11-21T12:06:00Z"),
        ),
        ("enable", 5, None, Some("2026-11-21T12:06:00Z")),
    ];
    for (step, (word, version, disabled, revoked)) in rows.into_iter().enumerate() {
        server.advance(Duration::from_mins(1));
        let answer = client
            .post(&path(&ticket, &format!("/{word}")))
            .bearer(&bearer)
            .send()
            .await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (204, ""),
            "{step} {word}"
        );
        let read = client
            .get(&path(&ticket, ""))
            .bearer(&bearer)
            .send()
            .await
            .ok()
            .json();
        assert_eq!(read["version"], version, "{step} {word}");
        assert_eq!(
            read.get("disabled").and_then(Value::as_str),
            disabled,
            "{step} {word}"
        );
        assert_eq!(
            read.get("revoked").and_then(Value::as_str),
            revoked,
            "{step} {word}"
        );
    }
    client
        .login(ticket["id"].as_str().unwrap())
        .await
        .says(400, "invalid_grant", "REVOKED");
}

#[tokio::test]
async fn a_deleted_ticket_is_gone_for_everyone() {
    let (_server, client, bearer) = set_up().await;
    let ticket = client
        .issue(
            &bearer,
            &json!({"type": "MULTI_USE_TICKET", "properties": {}}),
        )
        .await;
    let login = client
        .login(ticket["id"].as_str().unwrap())
        .await
        .ok()
        .member("access_token");
    let answer = client
        .delete(&path(&ticket, ""))
        .bearer(&bearer)
        .send()
        .await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    for (method, rest) in OPERATIONS {
        let answer = ask(&client, method, &path(&ticket, rest), Some(&bearer)).await;
        answer.is(404, "not_found");
    }
    let answer = client.get(&path(&ticket, "")).bearer(&login).send().await;
    answer.is(401, "invalid_token");
}

/// Every operation on one ticket: method and the end of its path.
const OPERATIONS: [(&str, &str); 7] = [
    ("GET", ""),
    ("GET", "/event"),
    ("PUT", ""),
    ("POST", "/disable"),
    ("POST", "/enable"),
    ("POST", "/revoke"),
    ("DELETE", ""),
];

async fn ask(client: &Client, method: &str, path: &str, bearer: Option<&str>) -> Answer {
    let mut request = client.request(method, path);
    if let Some(bearer) = bearer {
        request = request.bearer(bearer);
    }
    if method == "PUT" {
        request = request.json(&json!({"properties": {"changed": true}}));
    }
    request.send().await
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn who_may_do_what_with_a_ticket() {
    let (server, client, bearer) = set_up().await;
    let home = server.organization();
    let abroad = server.found("elsewhere");
    let as_role = async |organization, roles: &[Role]| {
        client.bearer(&server.register(organization, roles)).await
    };
    let other_ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let other_customer = client
        .login(&other_ticket)
        .await
        .ok()
        .member("access_token");
    let rows = [
        (
            "an agent",
            as_role(&home, &[Role::Agent]).await,
            [200, 200, 200, 204, 204, 204, 200],
            200,
        ),
        (
            "a supervisor",
            as_role(&home, &[Role::Supervisor]).await,
            [200, 200, 200, 204, 204, 204, 200],
            200,
        ),
        (
            "an administrator",
            as_role(&home, &[Role::Admin]).await,
            [200, 200, 200, 204, 204, 204, 200],
            200,
        ),
        (
            "an internal service",
            as_role(&abroad, &[Role::Service]).await,
            [200, 200, 200, 204, 204, 204, 200],
            200,
        ),
        (
            "a backend with no more",
            as_role(&home, &[Role::ClientService]).await,
            [403; 7],
            403,
        ),
        ("nobody's client", as_role(&home, &[]).await, [403; 7], 403),
        (
            "another organization's agent",
            as_role(&abroad, &[Role::Agent]).await,
            [404; 7],
            200,
        ),
        (
            "another organization's administrator",
            as_role(&abroad, &[Role::Admin]).await,
            [404; 7],
            200,
        ),
        (
            "another ticket's customer",
            other_customer,
            [404, 404, 403, 403, 403, 403, 403],
            403,
        ),
        (
            "the ticket's customer",
            String::new(),
            [200, 200, 403, 403, 403, 403, 403],
            403,
        ),
    ];
    let body = json!({"type": "MULTI_USE_TICKET", "properties": {}});
    for (who, token, expected, creates) in rows {
        let ticket = client.issue(&bearer, &body).await;
        let token = if token.is_empty() {
            client
                .login(ticket["id"].as_str().unwrap())
                .await
                .ok()
                .member("access_token")
        } else {
            token
        };
        for ((method, rest), status) in OPERATIONS.into_iter().zip(expected) {
            let answer = ask(&client, method, &path(&ticket, rest), Some(&token)).await;
            assert_eq!(
                answer.status, status,
                "{who}: {method} {rest}: {}",
                answer.text
            );
            if status == 403 {
                answer.says(403, "access_denied", "Access is denied");
            }
        }
        let answer = client
            .post("/security/ticket")
            .bearer(&token)
            .json(&body)
            .send()
            .await;
        assert_eq!(answer.status, creates, "{who}: create: {}", answer.text);
        let answer = client
            .post("/rtc-api/conferences/create")
            .bearer(&token)
            .json(&json!({}))
            .send()
            .await;
        assert_eq!(answer.status, creates, "{who}: room: {}", answer.text);
    }
}

#[tokio::test]
async fn without_a_bearer_that_is_believed_nothing_is_told() {
    let (server, client, bearer) = set_up().await;
    let ticket = client
        .issue(
            &bearer,
            &json!({"type": "MULTI_USE_TICKET", "properties": {}}),
        )
        .await;
    let before = server.counts();
    for (method, rest) in OPERATIONS {
        let path = path(&ticket, rest);
        let answer = ask(&client, method, &path, None).await;
        answer.is(401, "unauthorized");
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"admit\"",
            "RFC 6750 §3: no code"
        );
        let answer = ask(&client, method, &path, Some("garbage")).await;
        answer.is(401, "invalid_token");
        assert!(
            answer
                .header("www-authenticate")
                .starts_with("Bearer realm=\"admit\", error=\"invalid_token\"")
        );
        let query = format!("{path}?access_token={bearer}");
        let answer = ask(&client, method, &query, None).await;
        answer.is(400, "invalid_request");
        let answer = ask(&client, method, &query, Some(&bearer)).await;
        answer.is(400, "invalid_request");
    }
    for value in ["Bearer", "Bearer ", "Basic Y3VzdG9tZXI6", "Token x"] {
        let answer = client
            .get(&path(&ticket, ""))
            .header("authorization", value)
            .send()
            .await;
        answer.is(401, "unauthorized");
    }
    let answer = client
        .get(&path(&ticket, ""))
        .header("authorization", &format!("bEARER {bearer}"))
        .send()
        .await;
    answer.ok();
    assert_eq!(server.counts(), before);
}

#[tokio::test]
async fn only_an_internal_service_acts_in_an_organization_it_names() {
    let (server, client, bearer) = set_up().await;
    let (home, abroad) = (server.organization(), server.found("elsewhere"));
    let service = client
        .bearer(&server.register(&abroad, &[Role::Service]))
        .await;
    let body = |organization: &str| json!({"type": "MULTI_USE_TICKET", "properties": {}, "organizationId": organization});
    let create = |token: &str, body: &Value| {
        client
            .post("/security/ticket")
            .bearer(token)
            .json(body)
            .send()
    };
    create(&bearer, &body(home.as_str())).await.ok();
    create(&bearer, &body(abroad.as_str()))
        .await
        .is(403, "access_denied");
    create(&bearer, &body("no-such"))
        .await
        .is(403, "access_denied");
    create(&bearer, &body("not a name"))
        .await
        .is(400, "invalid_request");
    create(&service, &body("no-such"))
        .await
        .is(400, "invalid_request");
    let made = create(&service, &body(home.as_str())).await.ok().json();
    assert_eq!(made["organizationId"], home.as_str());
    client
        .get(&path(&made, ""))
        .bearer(&bearer)
        .send()
        .await
        .ok();

    let change = |token: &str, organization: &str| {
        let body = json!({"properties": {"a": 1}, "organizationId": organization});
        client
            .put(&path(&made, ""))
            .bearer(token)
            .json(&body)
            .send()
    };
    change(&bearer, abroad.as_str())
        .await
        .is(403, "access_denied");
    change(&service, abroad.as_str()).await.is(404, "not_found");
    change(&service, home.as_str()).await.ok();
    assert_eq!(
        client
            .get(&path(&made, ""))
            .bearer(&bearer)
            .send()
            .await
            .ok()
            .json()["version"],
        1
    );
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn bad_input_is_refused_in_the_contracts_form_and_changes_nothing() {
    let (server, client, bearer) = set_up().await;
    let kept = client
        .issue(
            &bearer,
            &json!({"type": "MULTI_USE_TICKET", "properties": {"a": 1}}),
        )
        .await;
    let item = path(&kept, "");
    let create = |member: &str, value: &str| {
        let mut members = vec![("type", "\"MULTI_USE_TICKET\""), ("properties", "{}")];
        members.retain(|(name, _)| *name != member);
        members.push((member, value));
        let members: Vec<_> = members
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    let deep = format!(
        "{{\"type\":\"MULTI_USE_TICKET\",\"properties\":{{\"a\":{}1{}}}}}",
        "[".repeat(40),
        "]".repeat(40)
    );
    let crowd = format!(
        "{{\"type\":\"MULTI_USE_TICKET\",\"properties\":{{\"a\":[{}1]}}}}",
        "1,".repeat(1_000)
    );
    let long = create(
        "properties",
        &format!("{{\"a\":\"{}\"}}", "x".repeat(49 * 1024)),
    );
    let huge = create(
        "properties",
        &format!("{{\"a\":\"{}\"}}", "x".repeat(65 * 1024)),
    );
    let mut rows: Vec<(&str, &str, &str, String, u16)> = vec![
        ("no body", "POST", "application/json", String::new(), 400),
        ("not JSON", "POST", "application/json", "{".into(), 400),
        (
            "two documents",
            "POST",
            "application/json",
            "{} {}".into(),
            400,
        ),
        ("an array", "POST", "application/json", "[]".into(), 400),
        ("text", "POST", "application/json", "\"x\"".into(), 400),
        (
            "a lone surrogate",
            "POST",
            "application/json",
            create("properties", "{\"a\":\"\\ud800\"}"),
            400,
        ),
        (
            "a key twice",
            "POST",
            "application/json",
            "{\"type\":\"MULTI_USE_TICKET\",\"type\":\"SINGLE_USE_TICKET\",\"properties\":{}}"
                .into(),
            400,
        ),
        (
            "a key twice, below",
            "POST",
            "application/json",
            create("properties", "{\"a\":1,\"a\":2}"),
            400,
        ),
        ("nested too deeply", "POST", "application/json", deep, 400),
        ("too many members", "POST", "application/json", crowd, 400),
        (
            "properties too long",
            "POST",
            "application/json",
            long.clone(),
            400,
        ),
        (
            "a body too large",
            "POST",
            "application/json",
            huge.clone(),
            413,
        ),
        (
            "a form",
            "POST",
            "application/x-www-form-urlencoded",
            "type=MULTI_USE_TICKET".into(),
            415,
        ),
        ("plain text", "POST", "text/plain", create("ttl", "1"), 415),
        (
            "type missing",
            "POST",
            "application/json",
            "{\"properties\":{}}".into(),
            400,
        ),
        (
            "properties missing",
            "POST",
            "application/json",
            "{\"type\":\"MULTI_USE_TICKET\"}".into(),
            400,
        ),
        (
            "scheduled without a date",
            "POST",
            "application/json",
            create("type", "\"SCHEDULE_TICKET\""),
            400,
        ),
        (
            "change: no body",
            "PUT",
            "application/json",
            String::new(),
            400,
        ),
        (
            "change: properties missing",
            "PUT",
            "application/json",
            "{}".into(),
            400,
        ),
        (
            "change: properties null",
            "PUT",
            "application/json",
            "{\"properties\":null}".into(),
            400,
        ),
        (
            "change: properties a list",
            "PUT",
            "application/json",
            "{\"properties\":[]}".into(),
            400,
        ),
        (
            "change: organization a number",
            "PUT",
            "application/json",
            "{\"properties\":{},\"organizationId\":7}".into(),
            400,
        ),
        (
            "change: a key twice",
            "PUT",
            "application/json",
            "{\"properties\":{\"a\":2,\"a\":3}}".into(),
            400,
        ),
        (
            "change: too long together",
            "PUT",
            "application/json",
            long,
            400,
        ),
        (
            "change: a body too large",
            "PUT",
            "application/json",
            huge,
            413,
        ),
        (
            "change: a form",
            "PUT",
            "application/x-www-form-urlencoded",
            "properties=x".into(),
            415,
        ),
    ];
    let members = [
        (
            "type",
            &[
                "null",
                "7",
                "\"\"",
                "\"multi_use_ticket\"",
                "\"NO_TICKET\"",
                "[\"MULTI_USE_TICKET\"]",
                "true",
            ] as &[&str],
        ),
        ("properties", &["null", "[]", "\"x\"", "7", "true"]),
        (
            "ttl",
            &[
                "0",
                "-1",
                "2592001",
                "9223372036854775807",
                "9223372036854775808",
                "-9223372036854775808",
                "1e30",
                "1.5",
                "\"14400\"",
                "true",
                "[]",
                "{}",
            ],
        ),
        (
            "length",
            &["0", "-6", "5", "33", "6.5", "1e9", "\"6\"", "true", "{}"],
        ),
        (
            "disabled",
            &["1", "0", "\"true\"", "\"2026-11-21T12:00:00Z\"", "{}", "[]"],
        ),
        (
            "organizationId",
            &["7", "true", "{}", "\"\"", "\"a b\"", "\"../x\""],
        ),
    ];
    for (member, values) in members {
        for value in values {
            rows.push((
                member,
                "POST",
                "application/json",
                create(member, value),
                400,
            ));
        }
    }
    let before = server.counts();
    for (name, method, kind, body, status) in rows {
        let at = if method == "POST" {
            "/security/ticket"
        } else {
            &item
        };
        let shown: String = body.chars().take(120).collect();
        let request = client.request(method, at).bearer(&bearer).body(kind, body);
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{name}: {shown}: {}", answer.text);
        answer.is(status, "invalid_request");
        assert_eq!(server.counts(), before, "{name}: {shown}");
    }
    let squeezed = client
        .post("/security/ticket")
        .bearer(&bearer)
        .header("content-encoding", "gzip");
    squeezed
        .body("application/json", "{}")
        .send()
        .await
        .is(415, "invalid_request");
    let read = client.get(&item).bearer(&bearer).send().await.ok();
    assert_eq!(read.json(), kept);
    assert_eq!(server.counts(), before);
}

#[tokio::test]
async fn what_is_no_ticket_has_no_path() {
    let (_server, client, bearer) = set_up().await;
    for id in [
        "abc",
        "abc-de",
        "a%20b-cde",
        "..",
        "abc.def",
        "%00%00%00%00%00%00",
        &"a".repeat(65),
    ] {
        let answer = client
            .get(&format!("/security/ticket/{id}"))
            .bearer(&bearer)
            .send()
            .await;
        assert!(matches!(answer.status, 404 | 405), "{id}: {}", answer.text);
    }
    for rest in ["/event/x", "/nothing", "//event"] {
        let answer = client
            .get(&format!("/security/ticket/abc-def{rest}"))
            .bearer(&bearer)
            .send()
            .await;
        answer.is(404, "not_found");
    }
}

/// A disk that works until it is broken.
#[derive(Default)]
pub(crate) struct Breakable(pub(crate) AtomicBool);

impl Breakable {
    fn step(&self) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) {
            return Err(io::Error::other("broken"));
        }
        Ok(())
    }
}

impl Disk for Breakable {
    fn flush(&self, engine: &Engine<'_>) -> io::Result<()> {
        self.step()?;
        RealDisk.flush(engine)
    }

    fn sync(&self, file: &std::fs::File) -> io::Result<()> {
        self.step()?;
        RealDisk.sync(file)
    }
}

#[tokio::test]
async fn once_the_disk_has_failed_changes_answer_503_and_reading_goes_on() {
    let disk = Arc::new(Breakable::default());
    let setup = Setup {
        disk: Arc::clone(&disk) as Arc<dyn Disk>,
        ..Setup::default()
    };
    let server = Server::with(setup).await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client
        .issue(
            &bearer,
            &json!({"type": "SINGLE_USE_TICKET", "properties": {}}),
        )
        .await;
    disk.0.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let answer = client.login(ticket["id"].as_str().unwrap()).await;
        answer.is(503, "temporarily_unavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
    disk.0.store(false, Ordering::SeqCst);
    let answer = client
        .post(&path(&ticket, "/revoke"))
        .bearer(&bearer)
        .send()
        .await;
    answer.is(503, "temporarily_unavailable");
    client
        .get(&path(&ticket, ""))
        .bearer(&bearer)
        .send()
        .await
        .ok();
    assert!(
        client
            .is_alive(&client.bearer(&server.first_client()).await)
            .await
    );
}
