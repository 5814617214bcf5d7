//! S4: every operation of contract A, for each kind of caller, about what is its own organization's, another's, and
//! nobody's. Another organization's is a 404 like what never was; a role that may not is a 403 whatever it asks about.

use std::sync::LazyLock;

use admit::domain::access::Role;
use admit::kernel::OrgId;
use serde_json::{Value, json};

use super::callback::{NUMBER, Scene};
use crate::keys::{Bench, USUAL};
use crate::support::accounts::admin;
use crate::support::client::{Answer, Client};
use crate::support::server::Server;

/// Who calls, in the order of the columns.
const CALLERS: [&str; 7] = [
    "nobody",
    "customer",
    "backend",
    "agent",
    "supervisor",
    "admin",
    "service",
];

/// What an operation is about.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Ticket,
    Client,
    Application,
    Key,
    User,
    /// The application is in a member of the body.
    Room,
    /// The application is in a header.
    Callback,
    /// The organization is in a member of the body.
    Organization,
    Nothing,
}

struct Operation {
    method: &'static str,
    path: &'static str,
    of: Of,
    body: fn(&str) -> Value,
    /// What each caller is answered about its own organization's.
    own: [u16; 7],
}

fn nothing(_: &str) -> Value {
    Value::Null
}

const AGENTS: [u16; 7] = [401, 403, 403, 200, 200, 200, 200];
const AGENTS_204: [u16; 7] = [401, 403, 403, 204, 204, 204, 204];
/// A customer sees its own ticket and no other.
const READERS: [u16; 7] = [401, 404, 403, 200, 200, 200, 200];
const ADMINS: [u16; 7] = [401, 403, 403, 403, 403, 200, 200];
const ADMINS_204: [u16; 7] = [401, 403, 403, 403, 403, 204, 204];
const ALL: [u16; 7] = [401, 200, 200, 200, 200, 200, 200];
const STAFF: [u16; 7] = [401, 403, 200, 200, 200, 200, 200];
/// The organization has no such application.
const NO_PLATFORM: [u16; 7] = [401, 403, 400, 400, 400, 400, 400];
/// There is no such verification.
const NO_CODE: [u16; 7] = [401, 403, 404, 404, 404, 404, 404];
const SERVICES: [u16; 7] = [401, 403, 403, 403, 403, 403, 200];

fn ticket(_: &str) -> Value {
    json!({"type": "MULTI_USE_TICKET", "properties": {}})
}

fn test_application(_: &str) -> Value {
    json!({"type": "TEST", "config": {}})
}

fn order(_: &str) -> Value {
    json!({"queueName": "Support", "callbackUserName": "Ann", "callbackNumbers": [NUMBER]})
}

#[rustfmt::skip]
const OPERATIONS: &[Operation] = &[
    Operation { method: "GET", path: "/security/ticket/{}", of: Of::Ticket, body: nothing, own: READERS },
    Operation { method: "PUT", path: "/security/ticket/{}", of: Of::Ticket, body: |_| json!({"properties": {}}), own: AGENTS },
    Operation { method: "DELETE", path: "/security/ticket/{}", of: Of::Ticket, body: nothing, own: AGENTS },
    Operation { method: "POST", path: "/security/ticket", of: Of::Nothing, body: ticket, own: AGENTS },
    Operation { method: "POST", path: "/security/ticket", of: Of::Organization, body: |org| json!({"type": "MULTI_USE_TICKET", "properties": {}, "organizationId": org}), own: AGENTS },
    Operation { method: "POST", path: "/security/ticket/{}/revoke", of: Of::Ticket, body: nothing, own: AGENTS_204 },
    Operation { method: "POST", path: "/security/ticket/{}/enable", of: Of::Ticket, body: nothing, own: AGENTS_204 },
    Operation { method: "POST", path: "/security/ticket/{}/disable", of: Of::Ticket, body: nothing, own: AGENTS_204 },
    Operation { method: "GET", path: "/security/ticket/{}/event", of: Of::Ticket, body: nothing, own: READERS },
    Operation { method: "GET", path: "/security/clients", of: Of::Nothing, body: nothing, own: ADMINS },
    Operation { method: "POST", path: "/security/clients", of: Of::Nothing, body: |_| json!({}), own: ADMINS },
    Operation { method: "POST", path: "/security/clients", of: Of::Organization, body: |org| json!({"organizationId": org}), own: ADMINS },
    Operation { method: "PUT", path: "/security/clients/{}", of: Of::Client, body: |_| json!({"description": "x"}), own: ADMINS },
    Operation { method: "POST", path: "/security/clients/{}/rotate", of: Of::Client, body: nothing, own: ADMINS },
    Operation { method: "DELETE", path: "/security/clients/{}", of: Of::Client, body: nothing, own: ADMINS_204 },
    Operation { method: "GET", path: "/security/applications", of: Of::Nothing, body: nothing, own: ALL },
    Operation { method: "POST", path: "/security/applications", of: Of::Nothing, body: test_application, own: ADMINS },
    Operation { method: "POST", path: "/security/applications", of: Of::Organization, body: |org| json!({"type": "TEST", "config": {}, "organizationId": org}), own: ADMINS },
    Operation { method: "GET", path: "/security/applications/{}", of: Of::Application, body: nothing, own: ALL },
    Operation { method: "PUT", path: "/security/applications/{}", of: Of::Application, body: test_application, own: ADMINS_204 },
    Operation { method: "DELETE", path: "/security/applications/{}", of: Of::Application, body: nothing, own: ADMINS_204 },
    Operation { method: "POST", path: "/security/talkdesk/refresh_token", of: Of::Nothing, body: |_| json!({"refresh_token": "r"}), own: NO_PLATFORM },
    Operation { method: "POST", path: "/security/nice/refresh_token", of: Of::Nothing, body: |_| json!({"refresh_token": "r"}), own: NO_PLATFORM },
    Operation { method: "POST", path: "/security/otp", of: Of::Nothing, body: |_| json!({"to": "ann@example.org", "channel": "EMAIL"}), own: STAFF },
    Operation { method: "POST", path: "/security/otp/verify", of: Of::Nothing, body: |_| json!({"to": NUMBER, "code": "123456", "verificationId": "00000000-0000-4000-8000-000000000000"}), own: NO_CODE },
    Operation { method: "POST", path: "/security/keys", of: Of::Organization, body: |org| json!({"type": "SSH_RSA", "organizationId": org, "privateKey": *PRIVATE_KEY}), own: ADMINS },
    Operation { method: "GET", path: "/security/keys/{}", of: Of::Key, body: nothing, own: ADMINS },
    Operation { method: "POST", path: "/security/facades/room", of: Of::Room, body: |id| json!({"applicationId": id}), own: AGENTS },
    Operation { method: "POST", path: "/security/facades/callback", of: Of::Callback, body: order, own: AGENTS },
    Operation { method: "GET", path: "/security/users/{}", of: Of::User, body: nothing, own: SERVICES },
];

/// A private key to bring in, which takes no time.
static PRIVATE_KEY: LazyLock<String> =
    LazyLock::new(|| Bench::new().keygen("key", &USUAL)[0].clone());

/// Two organizations, and a bearer of the first for each kind of caller.
struct Tenants {
    scene: Scene,
    other: OrgId,
    bearers: Vec<Option<String>>,
    service: String,
}

impl Tenants {
    async fn new() -> Self {
        let scene = Scene::new().await;
        let (server, client) = (&scene.server, &scene.client);
        let own = server.organization();
        let other = server.found("other");
        let role = |role: Role| server.register(&own, &[role]);
        let held = client.ticket(&scene.bearer, "MULTI_USE_TICKET").await;
        let customer = client.login(&held).await.ok().member("access_token");
        let mut bearers = vec![None, Some(customer)];
        for role in [
            Role::ClientService,
            Role::Agent,
            Role::Supervisor,
            Role::Admin,
            Role::Service,
        ]
        .map(role)
        {
            bearers.push(Some(client.bearer(&role).await));
        }
        let service = bearers.last().unwrap().clone().unwrap();
        // Its applications are nobody else's business.
        for kind in ["TALKDESK_OPENID", "NICE_CXONE_OPENID"] {
            let body = json!({"type": kind, "config": {}, "organizationId": other.as_str()});
            let made = client
                .post("/security/applications")
                .bearer(&service)
                .json(&body);
            made.send().await.ok();
        }
        Self {
            scene,
            other,
            bearers,
            service,
        }
    }

    fn server(&self) -> &Server {
        &self.scene.server
    }

    fn client(&self) -> &Client {
        &self.scene.client
    }

    /// A new thing of that kind in the organization.
    async fn made(&self, of: Of, organization: &OrgId) -> String {
        let org = organization.as_str();
        let genesys = json!({
            "organizationId": "o", "pcEnvironment": "mypurecloud.de",
            "serviceParameters": {
                "clientId": "genesys-client", "clientSecret": "genesys-secret",
                "loginBase": self.scene.at(""), "apiBase": self.scene.at(""),
            },
        });
        let (path, body, member) = match of {
            Of::Ticket => (
                "/security/ticket",
                json!({"type": "MULTI_USE_TICKET", "properties": {}, "organizationId": org}),
                "id",
            ),
            Of::Client => (
                "/security/clients",
                json!({"organizationId": org}),
                "clientId",
            ),
            Of::Application | Of::Room => (
                "/security/applications",
                json!({"type": "TEST", "config": {}, "organizationId": org}),
                "id",
            ),
            Of::Callback => (
                "/security/applications",
                json!({"type": "GENESYS", "config": genesys, "organizationId": org}),
                "id",
            ),
            Of::Key => (
                "/security/keys",
                json!({"type": "SSH_RSA", "privateKey": *PRIVATE_KEY, "organizationId": org}),
                "id",
            ),
            Of::User => return admin(self.server()).id.to_string(),
            Of::Organization => return org.to_owned(),
            Of::Nothing => return String::new(),
        };
        let request = self.client().post(path).bearer(&self.service).json(&body);
        request.send().await.ok().member(member)
    }

    async fn called(&self, operation: &Operation, caller: usize, id: &str) -> Answer {
        let path = operation.path.replace("{}", id);
        let mut request = self.client().request(operation.method, &path);
        if let Some(bearer) = &self.bearers[caller] {
            request = request.bearer(bearer);
        }
        if operation.of == Of::Callback {
            request = request
                .header("x-applicationid", id)
                .header("x-urlbase", "https://auvious.video");
        }
        let body = (operation.body)(id);
        if body.is_null() {
            return request.send().await;
        }
        request.json(&body).send().await
    }
}

/// An id nothing has.
const MISSING: &str = "00000000-0000-4000-8000-000000000000";
const NO_TICKET: &str = "zzz-zzz-zzz";

/// What is answered about another organization's, given what is answered about one's own.
fn elsewhere(of: Of, caller: usize, own: u16) -> u16 {
    let is_service = CALLERS[caller] == "service";
    match own {
        200 | 204 if is_service => own,
        // Naming another organization is refused as such; another's thing is not there.
        200 | 204 if of == Of::Organization => 403,
        200 | 204 => 404,
        refused => refused,
    }
}

#[tokio::test]
async fn s4_every_operation_for_every_caller_about_its_own() {
    let tenants = Tenants::new().await;
    let own = tenants.server().organization();
    for operation in OPERATIONS {
        for (caller, name) in CALLERS.iter().enumerate() {
            let id = tenants.made(operation.of, &own).await;
            let answer = tenants.called(operation, caller, &id).await;
            let shown = format!(
                "{} {} by {name}: {}",
                operation.method, operation.path, answer.text
            );
            assert_eq!(answer.status, operation.own[caller], "{shown}");
        }
    }
}

#[tokio::test]
async fn s4_another_organizations_is_as_if_it_were_not_there() {
    let tenants = Tenants::new().await;
    let with_objects = |operation: &&Operation| !matches!(operation.of, Of::Nothing | Of::User);
    for operation in OPERATIONS.iter().filter(with_objects) {
        for (caller, name) in CALLERS.iter().enumerate() {
            let id = tenants.made(operation.of, &tenants.other).await;
            let is_service = *name == "service";
            let before = (!is_service).then(|| tenants.server().counts());
            let answer = tenants.called(operation, caller, &id).await;
            let shown = format!(
                "{} {} by {name}: {}",
                operation.method, operation.path, answer.text
            );
            let expected = elsewhere(operation.of, caller, operation.own[caller]);
            assert_eq!(answer.status, expected, "{shown}");
            if operation.of != Of::Organization && !is_service {
                let missing = if operation.of == Of::Ticket {
                    NO_TICKET
                } else {
                    MISSING
                };
                let nothing = tenants.called(operation, caller, missing).await;
                assert_eq!(
                    (answer.status, answer.text),
                    (nothing.status, nothing.text),
                    "{shown}"
                );
            }
            if let Some(before) = before {
                assert_eq!(
                    without_throttles(tenants.server().counts()),
                    without_throttles(before),
                    "{shown}"
                );
            }
        }
    }
}

/// Wrong tickets are counted, whoever presents them.
fn without_throttles(counts: Vec<(String, u64)>) -> Vec<(String, u64)> {
    let of_counting = ["throttles", "expiries", "audit", "clock"];
    counts
        .into_iter()
        .filter(|(table, _)| !of_counting.contains(&table.as_str()))
        .collect()
}

#[tokio::test]
async fn s4_what_is_nobodys_is_a_404_for_whoever_may_ask() {
    let tenants = Tenants::new().await;
    let with_objects =
        |operation: &&Operation| !matches!(operation.of, Of::Nothing | Of::Organization);
    for operation in OPERATIONS.iter().filter(with_objects) {
        for (caller, name) in CALLERS.iter().enumerate() {
            let missing = if operation.of == Of::Ticket {
                NO_TICKET
            } else {
                MISSING
            };
            let answer = tenants.called(operation, caller, missing).await;
            let expected = match operation.own[caller] {
                200 | 204 => 404,
                refused => refused,
            };
            let shown = format!(
                "{} {} by {name}: {}",
                operation.method, operation.path, answer.text
            );
            assert_eq!(answer.status, expected, "{shown}");
        }
    }
}
