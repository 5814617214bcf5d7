//! `/security/applications`: six types, who manages them, and which part of a configuration each caller sees.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use admit::domain::Front;
use admit::domain::access::{By, Permissions, Role, Roles, Subject, Vouched};
use admit::domain::admin::organization;
use admit::domain::applications::{self as domain, Kind, NewApplication};
use admit::domain::tokens::{self, Grantee};
use admit::domain::{clients, tokens as bearers};
use admit::kernel::OrgId;
use serde_json::{Map, Value, json};

use crate::support::client::{Answer, Client};
use crate::support::server::{START, Server};

const PATH: &str = "/security/applications";
const TYPES: [&str; 6] = [
    "GENESYS",
    "STANDALONE_OPENID",
    "TALKDESK_OPENID",
    "NICE_CXONE_OPENID",
    "TEST",
    "SETUP_TEST",
];

/// One bearer of each kind; all but the service belong to the first organization.
pub(crate) struct Callers {
    pub(crate) admin: String,
    pub(crate) supervisor: String,
    pub(crate) agent: String,
    pub(crate) backend: String,
    pub(crate) customer: String,
    pub(crate) service: String,
    /// A client of the first organization.
    pub(crate) own_client: String,
}

impl Callers {
    pub(crate) async fn of(server: &Server, client: &Client) -> Self {
        let home = server.organization();
        let known = |role| server.register(&home, &[role]);
        let agent = known(Role::Agent);
        let own_client = agent.id.clone();
        let agent = client.bearer(&agent).await;
        let ticket = client.ticket(&agent, "MULTI_USE_TICKET").await;
        let service = server.register(&server.found("services"), &[Role::Service]);
        Self {
            admin: client.bearer(&known(Role::Admin)).await,
            supervisor: client.bearer(&known(Role::Supervisor)).await,
            backend: client.bearer(&known(Role::ClientService)).await,
            customer: client.login(&ticket).await.ok().member("access_token"),
            service: client.bearer(&service).await,
            agent,
            own_client,
        }
    }
}

/// A token of an agent whom this application's Genesys Cloud vouched for, with these of its permissions.
fn vouched(server: &Server, organization: &OrgId, by: &str, permissions: &[&str]) -> String {
    let cx = server.appliance.own_context();
    let client = clients::find(&cx, &server.first_client().id.parse().unwrap());
    let client = client.unwrap().unwrap();
    let subject = Subject::User("somebody".parse().unwrap());
    let names = permissions
        .iter()
        .map(|word| format!("integrations:integration:{word}"));
    let names: Vec<String> = names.collect();
    let grantee = Grantee {
        epoch: bearers::epoch(&cx, &subject),
        subject,
        organization: organization.clone(),
        client: client.id.clone(),
        roles: Roles::of(&[Role::Agent]),
        scope: "any".into(),
        sign_in: None,
        front: Front::Security,
        session: None,
        signed_in_at: Some(cx.now),
        claims: Vec::new(),
        vouched: Some(Vouched {
            by: by.parse().unwrap(),
            permissions: Permissions::among(names.iter().map(String::as_str)),
        }),
    };
    let token = tokens::mint(&cx, &grantee, &client).unwrap();
    token.value.expose().clone()
}

async fn set_up() -> (Server, Client, String) {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    (server, client, bearer)
}

async fn create(client: &Client, bearer: &str, body: &Value) -> Answer {
    client.post(PATH).bearer(bearer).json(body).send().await
}

async fn made(client: &Client, bearer: &str, body: &Value) -> String {
    create(client, bearer, body).await.ok().member("id")
}

async fn read(client: &Client, bearer: &str, id: &str) -> Answer {
    client
        .get(&format!("{PATH}/{id}"))
        .bearer(bearer)
        .send()
        .await
}

async fn update(client: &Client, bearer: &str, id: &str, body: &Value) -> Answer {
    let request = client.put(&format!("{PATH}/{id}")).bearer(bearer);
    request.json(body).send().await
}

async fn delete(client: &Client, bearer: &str, id: &str) -> Answer {
    client
        .delete(&format!("{PATH}/{id}"))
        .bearer(bearer)
        .send()
        .await
}

async fn list(client: &Client, bearer: &str, query: &str) -> Answer {
    client
        .get(&format!("{PATH}{query}"))
        .bearer(bearer)
        .send()
        .await
}

fn ids(listed: &Value) -> Vec<&str> {
    let all = listed.as_array().unwrap().iter();
    all.map(|one| one["id"].as_str().unwrap()).collect()
}

/// A configuration with a canary in each part, fit for every type.
fn config() -> Value {
    json!({
        "organizationId": "genesys-org", "pcEnvironment": "mypurecloud.de", "integrationId": "canary-common",
        "serviceParameters": {"clientId": "c", "clientSecret": "canary-service"},
        "agentParameters": {"a": "canary-agent"}, "customerParameters": {"c": "canary-customer"},
        "urlBases": ["https://example.org", "http://localhost:3000"],
    })
}

#[tokio::test]
async fn every_type_is_created_read_changed_and_deleted_with_the_published_members() {
    let (server, client, bearer) = set_up().await;
    for kind in TYPES {
        let answer = create(&client, &bearer, &json!({"type": kind, "config": config()}))
            .await
            .ok();
        let id = answer.member("id");
        assert_eq!(answer.json(), json!({ "id": id }), "{kind}");
        assert_eq!(id.len(), 36, "{kind}");
        let shown = read(&client, &bearer, &id).await.ok().json();
        let expected = json!({
            "version": 0, "id": id, "organizationId": server.organization().as_str(), "type": kind,
            "config": config(), "createdAt": START, "visible": true,
        });
        assert_eq!(shown, expected, "{kind}");

        let less = json!({"organizationId": "o", "pcEnvironment": "e", "own": [1, {"x": null}]});
        let body = json!({"type": kind, "config": less, "visible": false, "expiresAt": "2026-12-01T01:00:00+01:00", "id": "ignored"});
        let changed = update(&client, &bearer, &id, &body).await;
        assert_eq!((changed.status, changed.text.as_str()), (204, ""), "{kind}");
        let shown = read(&client, &bearer, &id).await.ok().json();
        assert_eq!(shown["config"], less, "{kind}: replaced whole");
        assert_eq!(shown["version"], 1);
        assert_eq!(
            (&shown["visible"], &shown["expiresAt"]),
            (&json!(false), &json!("2026-12-01T00:00:00Z"))
        );
        assert_eq!(
            (&shown["createdAt"], &shown["type"]),
            (&json!(START), &json!(kind))
        );
        let body = json!({"type": kind, "config": config()});
        assert_eq!(update(&client, &bearer, &id, &body).await.status, 204);
        let shown = read(&client, &bearer, &id).await.ok().json();
        assert_eq!(
            (&shown["version"], &shown["visible"]),
            (&json!(2), &json!(false)),
            "what is left out stays"
        );
        assert_eq!(shown["config"], config());

        let gone = delete(&client, &bearer, &id).await;
        assert_eq!((gone.status, gone.text.as_str()), (204, ""), "{kind}");
        read(&client, &bearer, &id)
            .await
            .says(404, "not_found", "there is no such application");
        delete(&client, &bearer, &id).await.is(404, "not_found");
        update(&client, &bearer, &id, &body)
            .await
            .is(404, "not_found");
    }
}

#[tokio::test]
async fn s10_each_caller_sees_its_own_part_of_every_configuration_and_no_other() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let callers = Callers::of(&server, &client).await;
    let home = server.organization();
    let both = server.register(&home, &[Role::Agent, Role::ClientService]);
    let insider = server.register(&home, &[Role::Service]);
    let both = client.bearer(&both).await;
    let insider = client.bearer(&insider).await;
    for kind in TYPES {
        let id = made(
            &client,
            &callers.admin,
            &json!({"type": kind, "config": config()}),
        )
        .await;
        let viewer = vouched(&server, &home, &id, &["view"]);
        let stranger = vouched(&server, &home, "another", &["view"]);
        let editor = vouched(&server, &home, &id, &["add", "edit", "delete"]);
        let all: &[&str] = &["service", "agent", "customer"];
        let parts = if kind == "GENESYS" { all } else { &["agent"] };
        let rows: [(&str, &str, &[&str]); 11] = [
            ("admin", &callers.admin, all),
            ("viewer", &viewer, parts),
            ("viewer of another", &stranger, &["agent"]),
            ("service", &callers.service, &["service"]),
            ("insider", &insider, &["service"]),
            ("supervisor", &callers.supervisor, &["agent"]),
            ("agent", &callers.agent, &["agent"]),
            ("agent who may change", &editor, &["agent"]),
            ("agent and backend", &both, &["agent"]),
            ("customer", &callers.customer, &["customer"]),
            ("backend", &callers.backend, &[]),
        ];
        for (name, bearer, sees) in rows {
            let single = read(&client, bearer, &id).await.ok();
            let mut answers = vec![single.text];
            if name != "service" {
                let listed = list(&client, bearer, "?size=100&sort=type")
                    .await
                    .ok()
                    .json();
                let one = listed
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|one| one["id"] == id.as_str());
                answers.push(one.unwrap().to_string());
            }
            for text in answers {
                for part in ["service", "agent", "customer"] {
                    let canary = format!("canary-{part}");
                    assert_eq!(
                        text.contains(&canary),
                        sees.contains(&part),
                        "{kind} {name} {part}: {text}"
                    );
                    let block = format!("{part}Parameters");
                    assert_eq!(
                        text.contains(&block),
                        sees.contains(&part),
                        "{kind} {name} {block}: {text}"
                    );
                }
                for common in ["canary-common", "genesys-org", "urlBases"] {
                    assert!(text.contains(common), "{kind} {name}: {text}");
                }
            }
        }
    }
}

#[tokio::test]
async fn s10_nobody_erases_what_they_cannot_see() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let callers = Callers::of(&server, &client).await;
    let home = server.organization();
    let rows: [(&str, &[&str]); 3] = [
        ("editor", &["canary-service", "canary-customer"]),
        ("service", &["canary-agent", "canary-customer"]),
        ("admin", &[]),
    ];
    let bare = json!({"organizationId": "genesys-org", "pcEnvironment": "mypurecloud.de"});
    for (name, kept) in rows {
        let whole = json!({"type": "GENESYS", "config": config()});
        let id = made(&client, &callers.admin, &whole).await;
        let editor = vouched(&server, &home, &id, &["edit"]);
        let bearer = match name {
            "editor" => &editor,
            "service" => &callers.service,
            _ => &callers.admin,
        };
        let body = json!({"type": "GENESYS", "config": bare});
        assert_eq!(update(&client, bearer, &id, &body).await.status, 204);
        let shown = read(&client, &callers.admin, &id).await.ok();
        for part in ["service", "agent", "customer", "common"] {
            let canary = format!("canary-{part}");
            let is_kept = kept.contains(&canary.as_str());
            assert_eq!(shown.text.contains(&canary), is_kept, "{name} {part}");
        }
        // What is given counts, seen or not.
        let mut given = bare.clone();
        // An editor may only say what it is anyway.
        given["serviceParameters"] = if name == "editor" {
            config()["serviceParameters"].clone()
        } else {
            json!({"new": 1})
        };
        given["customerParameters"] = json!({"new": 2});
        given["agentParameters"] = json!({"new": 3});
        let body = json!({"type": "GENESYS", "config": given});
        assert_eq!(update(&client, bearer, &id, &body).await.status, 204);
        let shown = read(&client, &callers.admin, &id).await.ok().json();
        assert_eq!((&shown["config"], &shown["version"]), (&given, &json!(2)));
    }
    let large = |name: &str| {
        json!({"type": "GENESYS", "config": {
            "organizationId": "o", "pcEnvironment": "e", name: {"a": "x".repeat(30 * 1024)},
        }})
    };
    let id = made(&client, &callers.admin, &large("serviceParameters")).await;
    let editor = vouched(&server, &home, &id, &["edit"]);
    let answer = update(&client, &editor, &id, &large("agentParameters")).await;
    answer.says(
        400,
        "invalid_request",
        "config: properties are larger than 49152 bytes",
    );
}

#[tokio::test]
async fn s10_service_parameters_are_sealed_on_the_disk() {
    let (server, client, bearer) = set_up().await;
    made(
        &client,
        &bearer,
        &json!({"type": "TEST", "config": config()}),
    )
    .await;
    let data = server.stop().await;
    let mut folders = vec![data.path().to_owned()];
    let (mut common, mut sealed) = (0, 0);
    let has =
        |bytes: &[u8], word: &str| bytes.windows(word.len()).any(|run| run == word.as_bytes());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(path).unwrap();
            common += usize::from(has(&bytes, "canary-common"));
            sealed += usize::from(has(&bytes, "canary-service"));
        }
    }
    assert!(common > 0, "the scan finds what is not sealed");
    assert_eq!(sealed, 0);
}

#[tokio::test]
async fn a_genesys_application_needs_its_organization_and_environment() {
    let (server, client, bearer) = set_up().await;
    let id = made(
        &client,
        &bearer,
        &json!({"type": "GENESYS", "config": config()}),
    )
    .await;
    let before = server.counts();
    for (name, other) in [
        ("organizationId", "pcEnvironment"),
        ("pcEnvironment", "organizationId"),
    ] {
        for value in [
            None,
            Some(json!(null)),
            Some(json!("")),
            Some(json!(" ")),
            Some(json!(7)),
        ] {
            let mut config = json!({other: "x"});
            if let Some(value) = value {
                config[name] = value;
            }
            let body = json!({"type": "GENESYS", "config": config});
            let told = format!("config.{name} is required for GENESYS and must be text");
            create(&client, &bearer, &body)
                .await
                .says(400, "invalid_request", &told);
            update(&client, &bearer, &id, &body)
                .await
                .says(400, "invalid_request", &told);
        }
    }
    assert_eq!(server.counts(), before);
    assert_eq!(read(&client, &bearer, &id).await.ok().json()["version"], 0);
    made(&client, &bearer, &json!({"type": "TEST", "config": {}})).await;
}

#[tokio::test]
async fn genesys_applications_are_managed_by_whom_genesys_cloud_permits() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let callers = Callers::of(&server, &client).await;
    let home = server.organization();
    let genesys = json!({"type": "GENESYS", "config": config()});
    let test = json!({"type": "TEST", "config": {}});
    let of_test = made(&client, &callers.admin, &test).await;
    let words = ["add", "edit", "delete", "view"];
    for held in words {
        let id = made(&client, &callers.admin, &genesys).await;
        let bearer = vouched(&server, &home, &id, &[held]);
        let status = |wanted: &str, done: u16| if held == wanted { done } else { 403 };
        assert_eq!(
            create(&client, &bearer, &genesys).await.status,
            status("add", 200),
            "{held}"
        );
        assert_eq!(
            update(&client, &bearer, &id, &genesys).await.status,
            status("edit", 204),
            "{held}"
        );
        assert_eq!(
            delete(&client, &bearer, &id).await.status,
            status("delete", 204),
            "{held}"
        );
        // What Genesys Cloud permits says nothing about other integrations.
        create(&client, &bearer, &test)
            .await
            .is(403, "access_denied");
        update(&client, &bearer, &of_test, &test)
            .await
            .is(403, "access_denied");
        delete(&client, &bearer, &of_test)
            .await
            .is(403, "access_denied");
    }
    let id = made(&client, &callers.admin, &genesys).await;
    let all = vouched(&server, &home, &id, &words);
    made(&client, &all, &genesys).await;
    assert_eq!(update(&client, &all, &id, &genesys).await.status, 204);
    assert_eq!(delete(&client, &all, &id).await.status, 204);
    let id = made(&client, &callers.admin, &genesys).await;
    let abroad = vouched(&server, &server.found("abroad"), &id, &words);
    for answer in [
        read(&client, &abroad, &id).await,
        update(&client, &abroad, &id, &genesys).await,
        delete(&client, &abroad, &id).await,
    ] {
        answer.is(404, "not_found");
    }
    // Internal services need nobody's leave.
    let theirs = json!({"type": "GENESYS", "config": config(), "organizationId": home.as_str()});
    let id = made(&client, &callers.service, &theirs).await;
    assert_eq!(
        update(&client, &callers.service, &id, &genesys)
            .await
            .status,
        204
    );
    assert_eq!(delete(&client, &callers.service, &id).await.status, 204);
}

#[tokio::test]
async fn s10_what_a_platform_permits_reaches_no_application_but_the_one_it_vouched_by() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let callers = Callers::of(&server, &client).await;
    let home = server.organization();
    let genesys = json!({"type": "GENESYS", "config": config()});
    let (own, other) = (
        made(&client, &callers.admin, &genesys).await,
        made(&client, &callers.admin, &genesys).await,
    );
    let words = ["add", "edit", "delete", "view"];
    let bearer = vouched(&server, &home, &own, &words);
    let before = server.counts();
    for id in [other.as_str(), "missing"] {
        for answer in [
            update(&client, &bearer, id, &genesys).await,
            delete(&client, &bearer, id).await,
        ] {
            answer.is(403, "access_denied");
        }
    }
    let shown = read(&client, &bearer, &other).await.ok().text;
    assert!(!shown.contains("canary-service"), "{shown}");
    let shown = read(&client, &bearer, &own).await.ok().text;
    assert!(shown.contains("canary-service"), "{shown}");
    // To create is permitted to whom a GENESYS application in use of the same organization vouched for.
    let test = json!({"type": "TEST", "config": {}});
    let of_test = made(&client, &callers.admin, &test).await;
    let over = json!({"type": "GENESYS", "config": config(), "expiresAt": "2026-11-01T00:00:00Z"});
    let over = made(&client, &callers.admin, &over).await;
    let abroad = server.found("abroad");
    let there = json!({"type": "GENESYS", "config": config(), "organizationId": abroad.as_str()});
    let foreign = made(&client, &callers.service, &there).await;
    let unanswered = made(&client, &bearer, &genesys).await;
    for by in [&of_test, &over, &foreign, &unanswered, "missing"] {
        let bearer = vouched(&server, &home, by, &words);
        let before = server.counts();
        create(&client, &bearer, &genesys)
            .await
            .is(403, "access_denied");
        assert_eq!(server.counts(), before, "{by}");
    }
    assert_ne!(server.counts(), before);
}

#[tokio::test]
async fn s5_only_administrators_say_whose_platform_an_application_asks() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let callers = Callers::of(&server, &client).await;
    let home = server.organization();
    let with = |name: &str, value: Value| {
        let mut config = config();
        config[name] = value;
        json!({"type": "GENESYS", "config": config})
    };
    let whole = json!({"type": "GENESYS", "config": config()});
    let id = made(&client, &callers.admin, &whole).await;
    let before = server.counts();
    for held in [&["edit"][..], &["edit", "view", "add"]] {
        let bearer = vouched(&server, &home, &id, held);
        for (name, value) in [
            ("organizationId", json!("my-own")),
            ("organizationId", Value::Null),
            ("pcEnvironment", json!("mypurecloud.com")),
            (
                "serviceParameters",
                json!({"clientId": "mine", "clientSecret": "canary-service"}),
            ),
            ("serviceParameters", json!({"clientId": "c"})),
            ("serviceParameters", json!({})),
        ] {
            let told = format!("{name} {value}");
            let answer = update(&client, &bearer, &id, &with(name, value)).await;
            assert_eq!(answer.status, 403, "{told}");
            assert!(answer.text.contains("only an administrator"), "{told}");
        }
    }
    assert_eq!(server.counts(), before);
    let editor = vouched(&server, &home, &id, &["edit", "view"]);
    let other = with("integrationId", json!("new"));
    assert_eq!(update(&client, &editor, &id, &other).await.status, 204);
    let bare = json!({"type": "GENESYS", "config": {"integrationId": "newer"}});
    assert_eq!(update(&client, &editor, &id, &bare).await.status, 204);
    let shown = read(&client, &callers.admin, &id).await.ok().json();
    let expected = json!({
        "organizationId": "genesys-org", "pcEnvironment": "mypurecloud.de", "integrationId": "newer",
        "serviceParameters": {"clientId": "c", "clientSecret": "canary-service"},
    });
    assert_eq!(shown["config"], expected);
    let own = with("organizationId", json!("new"));
    assert_eq!(update(&client, &callers.admin, &id, &own).await.status, 204);
}

#[tokio::test]
async fn an_end_that_is_null_is_taken_away_and_one_that_is_left_out_stays() {
    let (server, client, bearer) = set_up().await;
    let end = "2026-12-01T00:00:00Z";
    let plain = json!({"type": "TEST", "config": {}});
    let with = |end: Value| json!({"type": "TEST", "config": {}, "expiresAt": end});
    let id = made(&client, &bearer, &with(json!(end))).await;
    let ends = async || read(&client, &bearer, &id).await.ok().json()["expiresAt"].clone();
    assert_eq!(update(&client, &bearer, &id, &plain).await.status, 204);
    assert_eq!(ends().await, end);
    let never = with(Value::Null);
    assert_eq!(update(&client, &bearer, &id, &never).await.status, 204);
    assert_eq!(ends().await, Value::Null);
    server.advance(Duration::from_hours(24 * 30));
    let bearer = client.bearer(&server.first_client()).await;
    let listed = list(&client, &bearer, "").await.ok().json();
    assert!(ids(&listed).contains(&id.as_str()));
    let without = made(&client, &bearer, &with(Value::Null)).await;
    read(&client, &bearer, &without).await.ok();
}

#[tokio::test]
async fn only_an_internal_service_chooses_an_id_and_names_another_organization() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let callers = Callers::of(&server, &client).await;
    let home = server.organization();
    let body = |changes: Value| {
        let mut body = json!({"type": "TEST", "config": {"a": 1}});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let before = server.counts();
    for id in ["chosen", "00000000-0000-4000-8000-000000000000"] {
        create(&client, &callers.admin, &body(json!({ "id": id })))
            .await
            .is(403, "access_denied");
    }
    let there = json!({"organizationId": "elsewhere"});
    create(&client, &callers.admin, &body(there.clone()))
        .await
        .is(403, "access_denied");
    create(&client, &callers.service, &body(there.clone()))
        .await
        .is(400, "invalid_request");
    assert_eq!(server.counts(), before);

    let chosen = body(json!({"id": "chosen", "organizationId": home.as_str()}));
    assert_eq!(made(&client, &callers.service, &chosen).await, "chosen");
    let after = server.counts();
    let taken = create(&client, &callers.service, &chosen).await;
    taken.says(409, "conflict", "the application id chosen is taken");
    assert_eq!(server.counts(), after);
    read(&client, &callers.agent, "chosen").await.ok();
    let own = body(json!({"organizationId": home.as_str(), "id": null}));
    made(&client, &callers.admin, &own).await;
    assert_eq!(
        update(&client, &callers.admin, "chosen", &own).await.status,
        204
    );
    update(&client, &callers.admin, "chosen", &body(there.clone()))
        .await
        .is(403, "access_denied");
    update(&client, &callers.service, "chosen", &body(there))
        .await
        .is(404, "not_found");
    let own_id = body(json!({"id": null, "organizationId": null}));
    let at_home = made(&client, &callers.service, &own_id).await;
    read(&client, &callers.admin, &at_home)
        .await
        .is(404, "not_found");
}

#[tokio::test]
async fn s4_another_organizations_application_is_as_one_that_is_missing() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let callers = Callers::of(&server, &client).await;
    let abroad = server.found("abroad");
    let owner = client
        .bearer(&server.register(&abroad, &[Role::Admin]))
        .await;
    let body = json!({"type": "TEST", "config": config()});
    let foreign = made(&client, &owner, &body).await;
    let own = made(&client, &callers.admin, &body).await;
    let before = server.counts();
    let rows = [
        ("admin", &callers.admin, 404),
        ("supervisor", &callers.supervisor, 403),
        ("agent", &callers.agent, 403),
        ("backend", &callers.backend, 403),
        ("customer", &callers.customer, 403),
    ];
    for (name, bearer, status) in rows {
        for id in [foreign.as_str(), "missing"] {
            let answer = read(&client, bearer, id).await;
            answer.says(404, "not_found", "there is no such application");
            for answer in [
                update(&client, bearer, id, &body).await,
                delete(&client, bearer, id).await,
            ] {
                assert_eq!(answer.status, status, "{name} {id}: {}", answer.text);
            }
        }
        if status == 403 {
            create(&client, bearer, &body)
                .await
                .is(403, "access_denied");
            update(&client, bearer, &own, &body)
                .await
                .is(403, "access_denied");
            delete(&client, bearer, &own).await.is(403, "access_denied");
        }
        let listed = list(&client, bearer, "?size=100").await.ok().json();
        assert!(!ids(&listed).contains(&foreign.as_str()), "{name}");
        assert!(ids(&listed).contains(&own.as_str()), "{name}");
    }
    assert_eq!(server.counts(), before);
    read(&client, &callers.service, &foreign).await.ok();
    let unknown = list(&client, &callers.service, "").await.ok().json();
    assert_eq!(
        unknown,
        json!([]),
        "an internal service lists its own organization"
    );
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one list, asked for in many ways")]
async fn s18_a_listing_is_paged_sorted_and_capped() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let abroad = server.found("many");
    let known = server.register(&abroad, &[Role::Admin]);
    let cx = server.appliance.own_context();
    let bearer = client.bearer(&known).await;
    let caller = tokens::authenticate(&cx, &bearer).unwrap();
    for number in 0..130 {
        let cx = server.appliance.own_context();
        let kind = [Kind::Test, Kind::SetupTest][number % 2];
        let new = NewApplication {
            id: None,
            organization: None,
            kind,
            config: Map::new(),
            is_visible: None,
            expires_at: None,
        };
        domain::create(&cx, &caller, new).unwrap();
        server.settle(&cx);
        if number % 10 == 0 {
            server.advance(Duration::from_secs(1));
        }
    }
    let pages = async |query: &str| {
        let listed = list(&client, &bearer, query).await.ok().json();
        ids(&listed)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(pages("").await.len(), 20);
    for query in [
        "?size=5000",
        "?size=2147483647",
        "?pageable=page,0,size,2000",
    ] {
        assert_eq!(pages(query).await.len(), 100, "{query}");
    }
    assert_eq!(pages("?size=100&page=1").await.len(), 30);
    assert_eq!(
        pages("?size=100&page=2147483647").await,
        Vec::<String>::new()
    );
    assert_eq!(
        pages("?pageable=page,0,size,1,sort,string").await.len(),
        1,
        "as the document prints it"
    );
    let whole: Vec<String> = [pages("?size=100").await, pages("?size=100&page=1").await].concat();
    assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 130);
    for sort in [
        "createdAt",
        "createdAt,desc",
        "id",
        "id,desc",
        "type",
        "type,desc",
        "type,createdAt,desc",
    ] {
        let mut seen = Vec::new();
        for page in 0..19 {
            seen.extend(pages(&format!("?size=7&page={page}&sort={sort}")).await);
        }
        let again = pages(&format!("?pageable=page,0,size,100,sort,{sort}")).await;
        assert_eq!(
            seen[..100],
            again[..],
            "{sort}: the order is the same however it is asked for"
        );
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 130, "{sort}");
    }
    let sorted = pages("?size=100&sort=id").await;
    assert!(sorted.is_sorted());
    assert!(
        pages("?size=100&sort=id,desc")
            .await
            .is_sorted_by(|a, b| a > b)
    );
    let listed = list(&client, &bearer, "?size=100&sort=type,desc")
        .await
        .ok()
        .json();
    let kinds: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert!(
        kinds.is_sorted_by(|a, b| a >= b) && kinds.contains(&"SETUP_TEST"),
        "{kinds:?}"
    );
    for query in [
        "?page=-1",
        "?page=x",
        "?size=0",
        "?size=-5",
        "?size=1e3",
        "?sort=config",
        "?sort=serviceParameters",
        "?sort=id,sideways",
        "?pageable=page",
        "?pageable=0,20",
        "?sort=id&sort=type",
        "?page=99999999999",
    ] {
        list(&client, &bearer, query)
            .await
            .is(400, "invalid_request");
    }
}

#[tokio::test]
async fn listings_leave_out_what_is_not_visible_and_what_has_ended() {
    let (server, client, bearer) = set_up().await;
    let body = |more: Value| {
        let mut body = json!({"type": "TEST", "config": {}});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let plain = made(&client, &bearer, &body(json!({"visible": true}))).await;
    let hidden = made(&client, &bearer, &body(json!({"visible": false}))).await;
    let ending = made(
        &client,
        &bearer,
        &body(json!({"expiresAt": "2026-11-21T12:01:00Z"})),
    )
    .await;
    let listed = list(&client, &bearer, "").await.ok().json();
    let shown = ids(&listed);
    assert!(shown.contains(&plain.as_str()) && shown.contains(&ending.as_str()));
    assert!(!shown.contains(&hidden.as_str()));
    read(&client, &bearer, &hidden).await.ok();
    server.advance(Duration::from_mins(1));
    let listed = list(&client, &bearer, "").await.ok().json();
    assert!(!ids(&listed).contains(&ending.as_str()));
    assert_eq!(
        update(&client, &bearer, &hidden, &body(json!({"visible": true})))
            .await
            .status,
        204
    );
    let later = body(json!({"expiresAt": "2026-11-21T13:01:00Z"}));
    assert_eq!(update(&client, &bearer, &ending, &later).await.status, 204);
    let listed = list(&client, &bearer, "").await.ok().json();
    let shown = ids(&listed);
    assert!(shown.contains(&hidden.as_str()) && shown.contains(&ending.as_str()));
}

#[tokio::test]
async fn an_organization_with_an_application_is_not_removed() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let callers = Callers::of(&server, &client).await;
    let empty = server.found("empty");
    let body = json!({"type": "TEST", "config": {}, "organizationId": empty.as_str()});
    let ids = [
        made(&client, &callers.service, &body).await,
        made(&client, &callers.service, &body).await,
    ];
    for id in ids {
        let cx = server.appliance.own_context();
        assert!(organization::delete(&cx, &By::operator(), &empty).is_err());
        assert_eq!(delete(&client, &callers.service, &id).await.status, 204);
    }
    let cx = server.appliance.own_context();
    organization::delete(&cx, &By::operator(), &empty).unwrap();
    server.settle(&cx);
    server.counts();
}

#[tokio::test]
async fn an_organization_has_at_most_a_thousand_applications() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let full = server.found("full");
    let bearer = client.bearer(&server.register(&full, &[Role::Admin])).await;
    let cx = server.appliance.own_context();
    let caller = tokens::authenticate(&cx, &bearer).unwrap();
    for _ in 0..1_000 {
        let new = NewApplication {
            id: None,
            organization: None,
            kind: Kind::Test,
            config: Map::new(),
            is_visible: None,
            expires_at: None,
        };
        domain::create(&cx, &caller, new).unwrap();
    }
    server.settle(&cx);
    let before = server.counts();
    let body = json!({"type": "TEST", "config": {}});
    let told = "an organization has at most 1000 applications: remove some first";
    create(&client, &bearer, &body)
        .await
        .says(409, "conflict", told);
    assert_eq!(server.counts(), before);
    let listed = list(&client, &bearer, "?size=100&page=9&sort=id")
        .await
        .ok()
        .json();
    assert_eq!(ids(&listed).len(), 100);
    let id = ids(&listed)[0].to_owned();
    assert_eq!(update(&client, &bearer, &id, &body).await.status, 204);
    assert_eq!(delete(&client, &bearer, &id).await.status, 204);
    create(&client, &bearer, &body).await.ok();
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn bad_input_about_applications_is_refused_and_changes_nothing() {
    let (server, client, bearer) = set_up().await;
    let kept = made(
        &client,
        &bearer,
        &json!({"type": "TEST", "config": config()}),
    )
    .await;
    let item = format!("{PATH}/{kept}");
    let shown = read(&client, &bearer, &kept).await.ok().json();
    let with = |config: Value| json!({"type": "TEST", "config": config}).to_string();
    let mut bodies = vec![
        (String::new(), 400),
        ("[]".into(), 400),
        (
            "{\"type\":\"TEST\",\"type\":\"TEST\",\"config\":{}}".into(),
            400,
        ),
        (json!({"config": {}}).to_string(), 400),
        (json!({"type": "TEST"}).to_string(), 400),
        (json!({"type": "TEST", "config": null}).to_string(), 400),
        (json!({"type": "TEST", "config": []}).to_string(), 400),
        (
            json!({"type": "TEST", "config": {}, "visible": "yes"}).to_string(),
            400,
        ),
        (
            json!({"type": "TEST", "config": {}, "expiresAt": "tomorrow"}).to_string(),
            400,
        ),
        (
            json!({"type": "TEST", "config": {}, "expiresAt": 7}).to_string(),
            400,
        ),
        (
            json!({"type": "TEST", "config": {}, "organizationId": "a b"}).to_string(),
            400,
        ),
        (
            json!({"type": "TEST", "config": {}, "organizationId": 7}).to_string(),
            400,
        ),
        (with(json!({"a": "x".repeat(49 * 1024)})), 400),
        (
            with(
                json!({"a": "x".repeat(25 * 1024), "serviceParameters": {"b": "x".repeat(25 * 1024)}}),
            ),
            400,
        ),
        (with(json!({"a": "x".repeat(65 * 1024)})), 413),
    ];
    for kind in ["test", "Test", "OTHER", "", "GENESYS "] {
        bodies.push((json!({"type": kind, "config": {}}).to_string(), 400));
    }
    for parameters in [json!("text"), json!([]), json!(7), json!(true)] {
        bodies.push((with(json!({"serviceParameters": parameters})), 400));
    }
    for bases in [
        json!("https://example.org"),
        json!([7]),
        json!(["example.org"]),
        json!(["ftp://example.org"]),
        json!(["https://example.org/below"]),
        json!(["https://u@example.org"]),
        json!(["https://example.org?x"]),
        json!(["https://example.org", "javascript:alert(1)"]),
        json!(["https://"]),
        json!(["https://example.org:99999"]),
    ] {
        bodies.push((with(json!({"urlBases": bases})), 400));
    }
    let other_type = json!({"type": "SETUP_TEST", "config": {}});
    let before = server.counts();
    for (body, status) in bodies {
        for (method, path) in [("POST", PATH), ("PUT", &item)] {
            let request = client.request(method, path).bearer(&bearer);
            let answer = request.body("application/json", body.clone()).send().await;
            let told: String = body.chars().take(80).collect();
            assert_eq!(answer.status, status, "{method} {told}: {}", answer.text);
            answer.is(status, "invalid_request");
            assert_eq!(server.counts(), before, "{method} {told}");
        }
    }
    let answer = update(&client, &bearer, &kept, &other_type).await;
    answer.says(400, "invalid_request", "type is TEST and cannot be changed");
    assert_eq!(read(&client, &bearer, &kept).await.ok().json(), shown);
    assert_eq!(server.counts(), before);
    for bases in [json!([]), json!(["https://[::1]:8443/"]), json!(null)] {
        let body = json!({"type": "TEST", "config": {"urlBases": bases}});
        let status = if bases.is_null() { 400 } else { 200 };
        assert_eq!(
            create(&client, &bearer, &body).await.status,
            status,
            "{bases}"
        );
    }
    made(
        &client,
        &bearer,
        &json!({"type": "TEST", "config": {"serviceParameters": null, "a": 1}}),
    )
    .await;
    for (method, path, allowed) in [
        ("PATCH", PATH, "GET, POST"),
        ("POST", &item, "GET, PUT, DELETE"),
    ] {
        let answer = client.request(method, path).bearer(&bearer).send().await;
        answer.is(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allowed);
    }
    for (method, path) in [
        ("GET", PATH),
        ("POST", PATH),
        ("GET", &item),
        ("PUT", &item),
        ("DELETE", &item),
    ] {
        client
            .request(method, path)
            .send()
            .await
            .is(401, "unauthorized");
    }
}
