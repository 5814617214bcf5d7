//! `/auth/v3/ops/clients`: registration as the vendor's scripts do it, and what an administrator cannot reach.

use admit::domain::access::{Role, Roles};
use serde_json::{Value, json};

use crate::support::accounts::{admin, admin_password, change_user};
use crate::support::client::{Client, Request};
use crate::support::server::{Credentials, Server};

const PATH: &str = "/auth/v3/ops/clients";

/// Somebody who knows the administrator's password.
struct Ops<'s> {
    client: &'s Client,
    password: String,
}

impl<'s> Ops<'s> {
    fn of(server: &Server, client: &'s Client) -> Self {
        Self {
            client,
            password: admin_password(server),
        }
    }

    fn request(&self, method: &str, id: &str) -> Request<'s> {
        let request = self.client.request(method, &format!("{PATH}{id}"));
        request.basic("default\\admin", &self.password)
    }

    async fn create(&self, data: Value) -> Value {
        let request = self.request("POST", "").json(&json!({ "data": data }));
        let answer = request.send().await.ok().json();
        assert_eq!(answer["status"], json!({"code": 0}));
        answer["data"].clone()
    }

    async fn refused(&self, data: Value, status: u16) {
        let request = self.request("POST", "").json(&json!({ "data": data }));
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{data}: {}", answer.text);
        assert_ne!(answer.json()["status"]["code"], 0, "{data}");
    }
}

/// What the vendor's script sends.
fn vendors() -> Value {
    json!({
        "name": "external_api_client", "client_id": "external_api_client",
        "client_secret": "ooZa9chie4ahph4iegh0", "description": "made by a script",
        "clientType": "CONFIDENTIAL", "internalClient": true,
        "authorities": ["ROLE_INTERNAL_CLIENT", "ROLE_MANAGEMENT_APPLICATION"], "scope": ["*"],
        "authorizedGrantTypes": [
            "client_credentials", "authorization_code", "refresh_token", "implicit", "password",
            "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer",
        ],
        "redirectURIs": ["https://gauth.example.org", "http://localhost:8080"],
        "accessTokenExpirationTimeout": 43200, "refreshTokenExpirationTimeout": 2_592_000,
        "contactCenterIds": ["9350e2fc-a1dd-4c65-8d40-1f75a2e080dd"],
    })
}

#[tokio::test]
async fn the_vendors_script_registers_reads_changes_and_removes_a_client() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let ops = Ops::of(&server, &client);
    let made = ops.create(vendors()).await;
    assert_eq!(made["client_id"], "external_api_client");
    assert_eq!(made["client_secret"], "ooZa9chie4ahph4iegh0");
    assert_eq!(made["clientType"], "CONFIDENTIAL");
    assert_eq!(made["redirectURIs"], vendors()["redirectURIs"]);
    assert_eq!(made["accessTokenExpirationTimeout"], 43200);
    assert_eq!(made["authorities"], json!(["ROLE_CLIENT_SERVICE"]));
    let grants = made["authorizedGrantTypes"].as_array().unwrap();
    assert_eq!(grants.len(), 5, "{grants:?}");

    let known = Credentials {
        id: "external_api_client".into(),
        secret: "ooZa9chie4ahph4iegh0".into(),
    };
    let bearer = client.bearer(&known).await;
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().remove("client_secret");
    let listed = ops.request("GET", "").send().await.ok().json();
    let listed = listed["data"].as_array().unwrap();
    let mut ids: Vec<_> = listed.iter().map(|one| one["client_id"].clone()).collect();
    assert!(ids.contains(&json!("external_api_client")), "{ids:?}");
    assert!(listed.contains(&expected), "{listed:?}");
    ids.dedup();
    assert_eq!(ids.len(), listed.len());

    let one = "/external_api_client";
    let read = ops.request("GET", one).send().await.ok().json();
    assert_eq!(read, json!({"status": {"code": 0}, "data": expected}));
    let change = json!({"data": {"client_id": "external_api_client", "description": "changed"}});
    let changed = ops
        .request("PUT", one)
        .json(&change)
        .send()
        .await
        .ok()
        .json();
    expected["description"] = "changed".into();
    assert_eq!(changed, json!({"status": {"code": 0}, "data": expected}));
    assert!(client.is_alive(&bearer).await);

    let gone = ops.request("DELETE", one).send().await.ok();
    assert_eq!(gone.text, r#"{"status":{"code":0}}"#);
    assert!(!client.is_alive(&bearer).await);
    for method in ["GET", "DELETE"] {
        ops.request(method, one).send().await.is(404, "not_found");
    }
    ops.refused(vendors(), 409).await;
}

#[tokio::test]
async fn s6_a_drawn_secret_is_shown_when_it_is_made_and_never_again() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let ops = Ops::of(&server, &client);
    let made = ops.create(json!({"name": "backend"})).await;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    let known = Credentials {
        id: id.clone(),
        secret: secret.clone(),
    };
    client.bearer(&known).await;
    let one = format!("/{id}");
    let change = json!({"data": {"name": "other"}});
    let answers = [
        ops.request("GET", "").send().await,
        ops.request("GET", &one).send().await,
        ops.request("PUT", &one).json(&change).send().await,
    ];
    for answer in answers {
        assert!(!answer.ok().text.contains(&secret));
    }
    let change = json!({"data": {"client_secret": "another-secret-that-is-long"}});
    let answer = ops.request("PUT", &one).json(&change).send().await.ok();
    assert!(!answer.text.contains("another-secret"));
    let known = Credentials {
        id,
        secret: "another-secret-that-is-long".into(),
    };
    client.bearer(&known).await;
}

#[tokio::test]
async fn a_public_client_has_no_secret_and_comes_back_where_it_registered() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let ops = Ops::of(&server, &client);
    let made = ops
        .create(json!({
            "client_id": "app", "clientType": "PUBLIC",
            "authorizedGrantTypes": ["authorization_code", "refresh_token"],
            "redirectURIs": ["https://app.example.org/code"],
            "postLogoutRedirectURIs": ["https://app.example.org/bye"],
        }))
        .await;
    assert!(made.get("client_secret").is_none());
    assert_eq!(made["clientType"], "PUBLIC");
    assert_eq!(
        made["postLogoutRedirectURIs"],
        json!(["https://app.example.org/bye"])
    );
    for change in [
        json!({"clientType": "CONFIDENTIAL"}),
        json!({"client_secret": "another-secret-that-is-long"}),
        json!({"client_id": "other"}),
        json!({"redirectURIs": ["https://*.example.org"]}),
        json!({"accessTokenExpirationTimeout": -1}),
    ] {
        let request = ops.request("PUT", "/app").json(&json!({ "data": change }));
        request.send().await.is(400, "invalid_request");
    }
}

#[tokio::test]
async fn s5_an_administrator_gives_no_role_above_its_own() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let ops = Ops::of(&server, &client);
    let with = |name: &str| json!({"authorities": [name]});
    ops.refused(with("ROLE_SERVICE"), 403).await;
    ops.refused(json!({"authorities": ["ROLE_AGENT", "ROLE_SERVICE"]}), 403)
        .await;
    for unknown in ["ROLE_agent", "Agent", "ROLE_CUSTOMER", "ROLE_ROOT", ""] {
        ops.refused(with(unknown), 400).await;
    }
    let made = ops.create(with("ROLE_SUPERVISOR")).await;
    assert_eq!(
        made["authorities"],
        json!(["ROLE_AGENT", "ROLE_SUPERVISOR"])
    );
    let raise = json!({"data": {"authorities": ["ROLE_SERVICE"]}});
    let one = format!("/{}", made["client_id"].as_str().unwrap());
    let raised = ops.request("PUT", &one).json(&raise).send().await;
    raised.is(403, "access_denied");
}

#[tokio::test]
async fn what_a_client_cannot_be_is_told() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let ops = Ops::of(&server, &client);
    for data in [
        json!({"client_id": "no spaces"}),
        json!({"client_secret": "short"}),
        json!({"clientType": "confidential"}),
        json!({"authorizedGrantTypes": ["magic"]}),
        json!({"authorizedGrantTypes": "password"}),
        json!({"authorizedGrantTypes": ["authorization_code"]}),
        json!({"redirectURIs": ["https://a.example#x"]}),
        json!({"redirectURIs": [1]}),
        json!({"accessTokenExpirationTimeout": 0}),
        json!({"accessTokenExpirationTimeout": 99_999_999}),
        json!({"scope": ["a b"]}),
        json!({"name": 7}),
    ] {
        ops.refused(data, 400).await;
    }
    let unwrapped = ops.request("POST", "").json(&vendors());
    unwrapped.send().await.is(400, "invalid_request");
}

#[tokio::test]
async fn only_an_administrators_password_opens_it() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let bearer = client.bearer(&first).await;
    let refused = [
        client.get(PATH),
        client.get(PATH).bearer(&bearer),
        client.get(PATH).basic("admin", "x"),
        client.get(PATH).basic("nobody", "x"),
        client.get(PATH).basic(&first.id, &first.secret),
        client
            .get(PATH)
            .basic("nowhere\\admin", &admin_password(&server)),
    ];
    for request in refused {
        let answer = request.send().await;
        answer.is(401, "unauthorized");
        assert_eq!(answer.json()["status"]["code"], 520);
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"admit\"");
    }
    let ops = Ops::of(&server, &client);
    let foreign = ops.request("POST", "").json(&json!({"data": vendors()}));
    let foreign = foreign
        .header("origin", "https://evil.example")
        .send()
        .await;
    foreign.is(403, "access_denied");
    change_user(&server, &admin(&server), |user| {
        user.roles = Roles::of(&[Role::Supervisor]);
    });
    ops.request("GET", "").send().await.is(403, "access_denied");
}

#[tokio::test]
async fn i4_another_organizations_clients_are_not_there() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let ops = Ops::of(&server, &client);
    let elsewhere = server.found("elsewhere");
    let theirs = server.register(&elsewhere, &[Role::Agent]);
    let one = format!("/{}", theirs.id);
    let missing = ops.request("GET", "/missing").send().await;
    for method in ["GET", "PUT", "DELETE"] {
        let request = ops.request(method, &one);
        let request = match method {
            "PUT" => request.json(&json!({"data": {"name": "mine"}})),
            _ => request,
        };
        let answer = request.send().await;
        assert_eq!(
            (answer.status, &answer.text),
            (404, &missing.text),
            "{method}"
        );
    }
    let listed = ops.request("GET", "").send().await.ok();
    assert!(!listed.text.contains(&theirs.id));
    assert!(client.is_alive(&client.bearer(&theirs).await).await);
}
