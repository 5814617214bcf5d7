//! `/security/clients`: who makes which clients, what is shown of a secret and when, and how one secret follows another.

use std::collections::BTreeSet;
use std::time::Duration;

use admit::domain::access::{By, Role};
use admit::domain::admin::{AdminCommand, AdminReply, ClientCommand, execute};
use admit::domain::clients::{self as domain, NewClient};
use admit::jobs;
use serde_json::{Value, json};

use super::applications::Callers;
use crate::support::accounts::claims;
use crate::support::client::{Answer, Client};
use crate::support::server::{Credentials, Server};

const PATH: &str = "/security/clients";

async fn set_up() -> (Server, Client, String) {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    (server, client, bearer)
}

async fn create(client: &Client, bearer: &str, body: &Value) -> Answer {
    client.post(PATH).bearer(bearer).json(body).send().await
}

async fn update(client: &Client, bearer: &str, id: &str, body: &Value) -> Answer {
    let request = client.put(&format!("{PATH}/{id}")).bearer(bearer);
    request.json(body).send().await
}

async fn rotate(client: &Client, bearer: &str, id: &str, body: Option<Value>) -> Answer {
    let request = client.post(&format!("{PATH}/{id}/rotate")).bearer(bearer);
    match body {
        Some(body) => request.json(&body).send().await,
        None => request.send().await,
    }
}

async fn delete(client: &Client, bearer: &str, id: &str) -> Answer {
    let request = client.delete(&format!("{PATH}/{id}"));
    request.bearer(bearer).send().await
}

fn credentials(answer: &Answer) -> Credentials {
    Credentials {
        id: answer.member("clientId"),
        secret: answer.member("clientSecret"),
    }
}

/// Whether the token endpoint believes these credentials.
async fn is_believed(client: &Client, known: &Credentials) -> bool {
    let form = [("grant_type", "client_credentials")];
    let answer = client.token(Some((&known.id, &known.secret)), &form).await;
    if answer.status == 200 {
        return true;
    }
    answer.is(401, "invalid_client");
    false
}

fn authorities(token: &str) -> BTreeSet<String> {
    let claims = claims(token);
    let roles = claims["authorities"].as_array().unwrap();
    roles
        .iter()
        .map(|role| role.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_client_is_created_listed_changed_rotated_and_deleted() {
    let (_server, client, bearer) = set_up().await;
    let made = create(&client, &bearer, &json!({"description": "Backend"}))
        .await
        .ok();
    let known = credentials(&made);
    assert_eq!(
        made.json(),
        json!({"clientId": known.id, "clientSecret": known.secret, "description": "Backend", "roles": ["ClientService"]})
    );
    let own = client.bearer(&known).await;
    assert_eq!(authorities(&own), ["ROLE_CLIENT_SERVICE".to_owned()].into());

    let listed = client.get(PATH).bearer(&bearer).send().await.ok().json();
    let shown = json!({"clientId": known.id, "description": "Backend", "roles": ["ClientService"]});
    assert!(listed.as_array().unwrap().contains(&shown), "{listed}");

    let changed = update(
        &client,
        &bearer,
        &known.id,
        &json!({"roles": ["Supervisor"]}),
    )
    .await;
    let expected = json!({"clientId": known.id, "description": "Backend", "roles": ["Supervisor"]});
    assert_eq!(changed.ok().json(), expected);
    assert_eq!(
        authorities(&own),
        ["ROLE_CLIENT_SERVICE".to_owned()].into(),
        "a token keeps what it was issued with"
    );
    let next = client.bearer(&known).await;
    let both = ["ROLE_AGENT", "ROLE_SUPERVISOR"].map(str::to_owned);
    assert_eq!(authorities(&next), both.into());
    let changed = update(&client, &bearer, &known.id, &json!({"description": ""})).await;
    let expected = json!({"clientId": known.id, "description": "", "roles": ["Supervisor"]});
    assert_eq!(changed.ok().json(), expected);
    let same = update(&client, &bearer, &known.id, &json!({})).await;
    assert_eq!(same.ok().json(), expected);

    let rotated = rotate(&client, &bearer, &known.id, None).await.ok();
    let fresh = credentials(&rotated);
    assert_eq!(
        rotated.json(),
        json!({"clientId": known.id, "clientSecret": fresh.secret, "description": "", "roles": ["Supervisor"]})
    );
    assert_ne!(known.secret, fresh.secret);
    assert!(!is_believed(&client, &known).await && is_believed(&client, &fresh).await);
    assert!(client.is_alive(&next).await, "live tokens are kept");

    let gone = delete(&client, &bearer, &known.id).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert!(!client.is_alive(&next).await);
    assert!(!is_believed(&client, &fresh).await);
    delete(&client, &bearer, &known.id)
        .await
        .is(404, "not_found");
    rotate(&client, &bearer, &known.id, None)
        .await
        .is(404, "not_found");
    update(&client, &bearer, &known.id, &json!({}))
        .await
        .is(404, "not_found");
}

#[tokio::test]
async fn roles_are_shown_as_they_were_given_and_none_is_implied() {
    let (_server, client, bearer) = set_up().await;
    let rows = [
        (json!(["Admin"]), json!(["Admin"])),
        (json!(["Agent"]), json!(["Agent"])),
        (
            json!(["Supervisor", "ClientService"]),
            json!(["ClientService", "Supervisor"]),
        ),
        (json!(["Agent", "Agent"]), json!(["Agent"])),
        (json!([]), json!([])),
        (json!(null), json!(["ClientService"])),
    ];
    for (given, shown) in rows {
        let made = create(&client, &bearer, &json!({"roles": given}))
            .await
            .ok()
            .json();
        assert_eq!(made["roles"], shown, "{given}");
        assert_eq!(made["description"], "");
    }
}

#[tokio::test]
async fn s5_an_unknown_or_differently_cased_role_is_named_with_the_valid_ones() {
    let (server, client, bearer) = set_up().await;
    let known = credentials(&create(&client, &bearer, &json!({})).await.ok());
    let before = server.counts();
    for name in [
        "admin",
        "ADMIN",
        "Admin ",
        "Service",
        "Customer",
        "ROLE_ADMIN",
        "",
    ] {
        let body = json!({"roles": ["Agent", name]});
        for answer in [
            create(&client, &bearer, &body).await,
            update(&client, &bearer, &known.id, &body).await,
        ] {
            let told =
                format!("roles has {name:?}; valid are ClientService, Agent, Supervisor, Admin");
            answer.says(400, "invalid_request", &told);
        }
    }
    let long = json!({"roles": ["x".repeat(1_000)]});
    let answer = create(&client, &bearer, &long).await;
    assert!(answer.text.len() < 300, "{}", answer.text);
    assert_eq!(server.counts(), before);
}

#[tokio::test]
async fn s5_nobody_raises_the_client_they_come_as() {
    let (server, client, bearer) = set_up().await;
    let own = server.register(&server.organization(), &[Role::Admin]);
    let token = client.bearer(&own).await;
    let more = json!({"roles": ["Admin", "ClientService"]});
    let told = "nobody gives the client they come as a role it does not have";
    let answer = update(&client, &token, &own.id, &more).await;
    answer.says(403, "access_denied", told);
    // Down it goes, and not up again, though the token still says what it said.
    update(&client, &token, &own.id, &json!({"roles": ["Agent"]}))
        .await
        .ok();
    let answer = update(&client, &token, &own.id, &json!({"roles": ["Admin"]})).await;
    answer.says(403, "access_denied", told);
    update(&client, &bearer, &own.id, &more).await.ok();
}

/// Steps of one random story, drawn without a source of chance so that each run is the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }
}

struct Actor {
    known: Credentials,
    /// Taken when the client was made: what it says is what its bearer holds.
    bearer: String,
}

/// What whoever holds these authorities may pass on.
fn reach(held: &BTreeSet<String>) -> BTreeSet<String> {
    let mut reach = held.clone();
    if held.contains("ROLE_ADMIN") {
        reach.insert("ROLE_CLIENT_SERVICE".into());
    }
    reach
}

#[tokio::test]
async fn s5_no_sequence_of_creating_changing_and_rotating_raises_anybodys_rights() {
    let (server, client, _) = set_up().await;
    let names = [
        "ClientService",
        "Agent",
        "Supervisor",
        "Admin",
        "Service",
        "admin",
    ];
    let mut refused = [0, 0];
    for seed in 1..=6 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed);
        let mut actors = Vec::new();
        for role in [
            Role::Admin,
            Role::Supervisor,
            Role::Agent,
            Role::ClientService,
        ] {
            let known = server.register(&server.organization(), &[role]);
            let bearer = client.bearer(&known).await;
            actors.push(Actor { known, bearer });
        }
        for _ in 0..40 {
            let by = dice.below(actors.len());
            let bearer = actors[by].bearer.clone();
            let held = reach(&authorities(&bearer));
            let roles: Vec<&str> = (0..=dice.below(3))
                .map(|_| names[dice.below(names.len())])
                .collect();
            let body = json!({ "roles": roles });
            let of = dice.below(actors.len());
            let before = authorities(&client.bearer(&actors[of].known).await);
            let answer = match dice.below(3) {
                0 => create(&client, &bearer, &body).await,
                1 => update(&client, &bearer, &actors[of].known.id, &body).await,
                _ => {
                    let overlap = json!({"overlapSeconds": 60});
                    rotate(&client, &bearer, &actors[of].known.id, Some(overlap)).await
                }
            };
            assert!([200, 400, 403].contains(&answer.status), "{answer:?}");
            let is_admin = held.contains("ROLE_ADMIN");
            if answer.status != 200 {
                let after = authorities(&client.bearer(&actors[of].known).await);
                assert_eq!(after, before, "refused: {answer:?}");
                refused[usize::from(is_admin)] += 1;
                continue;
            }
            assert!(is_admin, "{held:?}: {answer:?}");
            let id = answer.member("clientId");
            let secret = answer.json()["clientSecret"].as_str().map(str::to_owned);
            let at = actors.iter().position(|actor| actor.known.id == id);
            let secret = secret.unwrap_or_else(|| actors[at.unwrap()].known.secret.clone());
            let known = Credentials { id, secret };
            let after = authorities(&client.bearer(&known).await);
            assert!(
                after.is_subset(&held) || after.is_subset(&before),
                "{held:?} made {after:?}"
            );
            if at == Some(by) {
                assert!(
                    after.is_subset(&before),
                    "{before:?} became {after:?} by itself"
                );
            }
            if let Some(at) = at {
                actors[at].known = known;
            } else {
                let bearer = client.bearer(&known).await;
                actors.push(Actor { known, bearer });
            }
        }
    }
    assert!(refused.iter().all(|times| *times > 10), "{refused:?}");
}

#[tokio::test]
async fn s6_a_secret_is_in_the_answer_that_gave_it_and_in_no_other() {
    let (_server, client, bearer) = set_up().await;
    let made = create(&client, &bearer, &json!({"description": "d"}))
        .await
        .ok();
    let first = credentials(&made);
    let rotated = rotate(
        &client,
        &bearer,
        &first.id,
        Some(json!({"overlapSeconds": 60})),
    )
    .await
    .ok();
    let second = credentials(&rotated);
    let item = format!("{PATH}/{}", first.id);
    let answers = [
        client.get(PATH).bearer(&bearer).send().await,
        client.get(&item).bearer(&bearer).send().await,
        update(&client, &bearer, &first.id, &json!({"description": "e"})).await,
        create(&client, &bearer, &json!({})).await,
        rotate(
            &client,
            &bearer,
            &first.id,
            Some(json!({"overlapSeconds": -1})),
        )
        .await,
        client
            .token(
                Some((&first.id, &first.secret)),
                &[("grant_type", "client_credentials")],
            )
            .await,
        client
            .token(Some((&first.id, &second.secret)), &[("grant_type", "none")])
            .await,
        rotate(&client, &bearer, &first.id, None).await,
        delete(&client, &bearer, &first.id).await,
    ];
    for answer in &answers {
        let shown = format!("{:?}{}", answer.headers, answer.text);
        for secret in [&first.secret, &second.secret] {
            assert!(!shown.contains(secret.as_str()), "{answer:?}");
        }
    }
    let listed = answers[0].json();
    for one in listed.as_array().unwrap() {
        assert!(one.get("clientSecret").is_none(), "{one}");
    }
    assert!(answers[2].json().get("clientSecret").is_none());
}

#[tokio::test]
async fn a_rotated_secret_overlaps_with_the_one_before_only_when_asked_and_as_long_as_asked() {
    let (server, client, bearer) = set_up().await;
    let first = credentials(&create(&client, &bearer, &json!({})).await.ok());
    let asked = json!({"overlapSeconds": 600});
    let second = credentials(
        &rotate(&client, &bearer, &first.id, Some(asked.clone()))
            .await
            .ok(),
    );
    assert!(is_believed(&client, &first).await && is_believed(&client, &second).await);
    // A second rotation within the overlap drops the oldest.
    let third = credentials(&rotate(&client, &bearer, &first.id, Some(asked)).await.ok());
    assert!(!is_believed(&client, &first).await);
    assert!(is_believed(&client, &second).await && is_believed(&client, &third).await);

    let server = server.restart().await;
    let client = Client::of(&server);
    server.advance(Duration::from_secs(599));
    assert!(is_believed(&client, &second).await && is_believed(&client, &third).await);
    server.advance(Duration::from_secs(1));
    assert!(!is_believed(&client, &second).await && is_believed(&client, &third).await);

    let bearer = client.bearer(&server.first_client()).await;
    for body in [None, Some(json!({})), Some(json!({"overlapSeconds": 0}))] {
        let before = credentials(&rotate(&client, &bearer, &first.id, None).await.ok());
        rotate(&client, &bearer, &first.id, body).await.ok();
        assert!(!is_believed(&client, &before).await);
    }
    rotate(
        &client,
        &bearer,
        &first.id,
        Some(json!({"overlapSeconds": 604_800})),
    )
    .await
    .ok();
}

fn last_used(server: &Server, id: &str) -> Option<String> {
    let cx = server.appliance.own_context();
    let show = ClientCommand::Show { id: id.to_owned() };
    let shown = execute(&cx, AdminCommand::Client(show)).unwrap();
    let AdminReply::Client(client) = shown else {
        panic!("{shown:?}")
    };
    client.last_used_at
}

#[tokio::test]
async fn the_last_use_of_a_client_is_known_at_once_and_kept_within_a_minute() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let known = server.register(&server.organization(), &[Role::Agent]);
    assert_eq!(last_used(&server, &known.id), None);
    let wrong = Credentials {
        secret: "wrong".into(),
        ..known.clone()
    };
    assert!(!is_believed(&client, &wrong).await);
    assert_eq!(last_used(&server, &known.id), None, "a guess is no use");

    let before = server.counts();
    assert!(is_believed(&client, &known).await);
    assert_eq!(
        last_used(&server, &known.id).as_deref(),
        Some("2026-11-21T12:00:00Z")
    );
    assert_eq!(server.counts(), before, "no request writes for it");
    jobs::keep_seen(&server.appliance).await.unwrap();
    assert_eq!(server.count("clients_seen"), 1);
    server.advance(Duration::from_secs(30));
    assert!(is_believed(&client, &known).await);
    assert_eq!(
        last_used(&server, &known.id).as_deref(),
        Some("2026-11-21T12:00:30Z")
    );

    // What the loop had not kept yet is what a restart without warning forgets.
    let server = server.restart().await;
    assert_eq!(
        last_used(&server, &known.id).as_deref(),
        Some("2026-11-21T12:00:00Z")
    );
    let client = Client::of(&server);
    assert!(is_believed(&client, &known).await);
    let bearer = client.bearer(&server.first_client()).await;
    assert_eq!(delete(&client, &bearer, &known.id).await.status, 204);
    jobs::keep_seen(&server.appliance).await.unwrap();
    assert_eq!(server.count("clients_seen"), 1, "the first client's alone");
    assert_eq!(
        last_used(&server, &server.first_client().id).as_deref(),
        Some("2026-11-21T12:00:30Z")
    );
}

#[tokio::test]
async fn s4_clients_are_managed_by_administrators_of_their_organization_and_internal_services() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let callers = Callers::of(&server, &client).await;
    let abroad = server.found("abroad");
    let foreign = server.register(&abroad, &[Role::Agent]);
    let before = server.counts();
    for (name, bearer) in [
        ("agent", &callers.agent),
        ("supervisor", &callers.supervisor),
        ("backend", &callers.backend),
        ("customer", &callers.customer),
    ] {
        for id in [callers.own_client.as_str(), &foreign.id, "missing"] {
            for answer in [
                update(&client, bearer, id, &json!({})).await,
                rotate(&client, bearer, id, None).await,
                delete(&client, bearer, id).await,
            ] {
                assert_eq!(answer.status, 403, "{name} {id}: {}", answer.text);
                answer.is(403, "access_denied");
            }
        }
        create(&client, bearer, &json!({}))
            .await
            .is(403, "access_denied");
        let list = client.get(PATH).bearer(bearer).send().await;
        list.is(403, "access_denied");
    }
    for id in [foreign.id.as_str(), "missing"] {
        let bearer = &callers.admin;
        for answer in [
            update(&client, bearer, id, &json!({"description": "x"})).await,
            rotate(&client, bearer, id, None).await,
            delete(&client, bearer, id).await,
        ] {
            answer.says(404, "not_found", "there is no such client");
        }
    }
    let there = json!({"organizationId": abroad.as_str()});
    create(&client, &callers.admin, &there)
        .await
        .is(403, "access_denied");
    update(&client, &callers.admin, &callers.own_client, &there)
        .await
        .is(403, "access_denied");
    create(
        &client,
        &callers.service,
        &json!({"organizationId": "nowhere"}),
    )
    .await
    .is(404, "not_found");
    update(&client, &callers.service, &callers.own_client, &there)
        .await
        .is(404, "not_found");
    assert_eq!(server.counts(), before);

    let home = json!({"organizationId": server.organization().as_str()});
    create(&client, &callers.admin, &home).await.ok();
    update(&client, &callers.admin, &callers.own_client, &home)
        .await
        .ok();
    let made = credentials(&create(&client, &callers.service, &there).await.ok());
    let token = client.bearer(&made).await;
    assert_eq!(claims(&token)["organization"], abroad.as_str());
    update(
        &client,
        &callers.service,
        &foreign.id,
        &json!({"roles": ["Admin"]}),
    )
    .await
    .ok();
    rotate(&client, &callers.service, &foreign.id, None)
        .await
        .ok();
    assert_eq!(
        delete(&client, &callers.service, &foreign.id).await.status,
        204
    );
    let listed = client.get(PATH).bearer(&callers.admin).send().await.ok();
    assert!(
        !listed.text.contains(&made.id),
        "another organization's client"
    );
}

#[tokio::test]
async fn s5_a_service_client_and_everybodys_client_are_the_operators() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let callers = Callers::of(&server, &client).await;
    let service = server.register(&server.organization(), &[Role::Service]);
    let before = server.counts();
    for bearer in [&callers.admin, &callers.service] {
        for id in [service.id.as_str(), "customer"] {
            for answer in [
                update(&client, bearer, id, &json!({"description": "x"})).await,
                rotate(&client, bearer, id, None).await,
                delete(&client, bearer, id).await,
            ] {
                answer.is(403, "access_denied");
            }
        }
    }
    assert_eq!(server.counts(), before);
    assert!(is_believed(&client, &service).await);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn bad_input_about_clients_is_refused_and_changes_nothing() {
    let (server, client, bearer) = set_up().await;
    let known = credentials(
        &create(&client, &bearer, &json!({"description": "kept"}))
            .await
            .ok(),
    );
    let item = format!("{PATH}/{}", known.id);
    let turn = format!("{item}/rotate");
    let long = format!("{{\"description\":\"{}\"}}", "x".repeat(501));
    let huge = format!("{{\"description\":\"{}\"}}", "x".repeat(17_000));
    let rows: [(&str, &str, &str, &str, u16); 21] = [
        ("POST", PATH, "application/json", "", 400),
        ("POST", PATH, "application/json", "[]", 400),
        ("POST", PATH, "application/json", "{", 400),
        ("POST", PATH, "text/plain", "{}", 415),
        ("POST", PATH, "application/json", "{\"description\":7}", 400),
        (
            "POST",
            PATH,
            "application/json",
            "{\"description\":\"\\u0000\"}",
            400,
        ),
        (
            "POST",
            PATH,
            "application/json",
            "{\"roles\":\"Agent\"}",
            400,
        ),
        ("POST", PATH, "application/json", "{\"roles\":[7]}", 400),
        ("POST", PATH, "application/json", "{\"roles\":[null]}", 400),
        (
            "POST",
            PATH,
            "application/json",
            "{\"organizationId\":\"a b\"}",
            400,
        ),
        (
            "POST",
            PATH,
            "application/json",
            "{\"description\":\"a\",\"description\":\"b\"}",
            400,
        ),
        ("POST", PATH, "application/json", &long, 400),
        ("POST", PATH, "application/json", &huge, 413),
        ("PUT", &item, "application/json", "", 400),
        (
            "PUT",
            &item,
            "application/json",
            "{\"description\":[]}",
            400,
        ),
        ("PUT", &item, "application/json", &long, 400),
        ("POST", &turn, "application/json", "[]", 400),
        (
            "POST",
            &turn,
            "application/json",
            "{\"overlapSeconds\":-1}",
            400,
        ),
        (
            "POST",
            &turn,
            "application/json",
            "{\"overlapSeconds\":604801}",
            400,
        ),
        (
            "POST",
            &turn,
            "application/json",
            "{\"overlapSeconds\":1.5}",
            400,
        ),
        (
            "POST",
            &turn,
            "application/json",
            "{\"overlapSeconds\":\"60\"}",
            400,
        ),
    ];
    let before = server.counts();
    for (method, path, kind, body, status) in rows {
        let request = client.request(method, path).bearer(&bearer);
        let answer = request.body(kind, body.to_owned()).send().await;
        let shown: String = body.chars().take(80).collect();
        assert_eq!(
            answer.status, status,
            "{method} {path} {shown}: {}",
            answer.text
        );
        answer.is(status, "invalid_request");
        assert_eq!(server.counts(), before, "{method} {path} {shown}");
    }
    assert!(is_believed(&client, &known).await);
    for (method, path, allowed) in [
        ("PATCH", PATH, "GET, POST"),
        ("GET", &*item, "PUT, DELETE"),
        ("GET", &*turn, "POST"),
    ] {
        let answer = client.request(method, path).bearer(&bearer).send().await;
        answer.is(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allowed);
    }
    for (method, path) in [
        ("GET", PATH),
        ("POST", PATH),
        ("PUT", &item),
        ("DELETE", &item),
        ("POST", &turn),
    ] {
        let answer = client.request(method, path).send().await;
        answer.is(401, "unauthorized");
    }
}

#[tokio::test]
async fn an_organization_has_at_most_a_thousand_clients() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let full = server.found("full");
    let admin = server.register(&full, &[Role::Admin]);
    let cx = server.appliance.own_context();
    for _ in 1..1_000 {
        domain::register(&cx, &By::operator(), &full, &NewClient::default()).unwrap();
    }
    server.settle(&cx);
    let bearer = client.bearer(&admin).await;
    let before = server.counts();
    let told = "an organization has at most 1000 clients: remove some first";
    create(&client, &bearer, &json!({}))
        .await
        .says(409, "conflict", told);
    assert_eq!(server.counts(), before);
    let listed = client.get(PATH).bearer(&bearer).send().await.ok().json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 1_000);
    let other = listed
        .iter()
        .find(|one| one["clientId"] != admin.id.as_str());
    let id = other.unwrap()["clientId"].as_str().unwrap();
    assert_eq!(delete(&client, &bearer, id).await.status, 204);
    create(&client, &bearer, &json!({})).await.ok();
}
