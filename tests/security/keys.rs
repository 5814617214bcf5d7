//! `/security/keys`: who may make, bring in and see key pairs, what is answered, and how many there may be.

use std::fs;
use std::path::Path;
use std::time::Duration;

use admit::domain::access::Role;
use admit::kernel::OrgId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::keys::{Bench, USUAL};
use crate::support::accounts::{admin, signed_in};
use crate::support::client::{Answer, Client};
use crate::support::server::{START, Server};

/// The two halves of a pair that was made elsewhere.
fn pair() -> [String; 2] {
    let bench = Bench::new();
    let [_, public] = bench.keygen("key", &USUAL);
    let [pkcs1, _] = bench.converted("key");
    [pkcs1, public.trim_end().to_owned()]
}

async fn as_role(server: &Server, client: &Client, organization: &OrgId, role: Role) -> String {
    client.bearer(&server.register(organization, &[role])).await
}

async fn make(client: &Client, bearer: &str, body: &Value) -> Answer {
    let request = client.post("/security/keys").bearer(bearer);
    request.json(body).send().await
}

async fn see(client: &Client, bearer: &str, id: &str) -> Answer {
    let request = client.get(&format!("/security/keys/{id}"));
    request.bearer(bearer).send().await
}

fn brought(private: &str) -> Value {
    json!({"type": "SSH_RSA", "privateKey": private})
}

#[tokio::test]
async fn a_pair_is_made_and_shown_with_the_published_members() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let own = server.organization();
    let (bearer, _) = signed_in(&server);
    let body = json!({"type": "SSH_RSA", "comment": "recordings, Ωmega", "colour": "ignored", "key": null});
    let made = make(&client, &bearer, &body).await.ok();
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.json();
    let members: Vec<_> = made
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(members, ["id", "publicKey"]);
    let id = made["id"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    let public = made["publicKey"].as_str().unwrap();
    assert!(
        public.starts_with("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAACAQ"),
        "{public}"
    );
    assert!(public.ends_with(" recordings, Ωmega"), "{public}");

    let admins = json!({
        "id": id,
        "userId": admin(&server).id.as_str(),
        "organizationId": own.as_str(),
        "type": "SSH_RSA",
        "keySize": 4096,
        "publicKey": public,
        "comment": "recordings, Ωmega",
        "createdAt": START,
    });
    let seen = see(&client, &bearer, id).await.ok();
    assert_eq!(seen.header("cache-control"), "no-store");
    assert_eq!(seen.json(), admins);

    let service = as_role(&server, &client, &own, Role::Service).await;
    let seen = see(&client, &service, id).await.ok();
    assert_eq!(seen.header("cache-control"), "no-store");
    let mut seen = seen.json();
    let private = seen.as_object_mut().unwrap().remove("privateKey").unwrap();
    let private = private.as_str().unwrap();
    assert!(private.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    assert!(private.ends_with("\n-----END RSA PRIVATE KEY-----\n"));
    assert_eq!(seen, admins);
}

#[tokio::test]
async fn s4_a_key_is_its_organizations_and_its_private_half_an_internal_services() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let (own, foreign) = (server.organization(), server.found("elsewhere"));
    let [private, _] = pair();
    let first = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&first, "MULTI_USE_TICKET").await;
    let customer = client.login(&ticket).await.ok().member("access_token");
    let by = async |organization: &OrgId, role| as_role(&server, &client, organization, role).await;
    let foreign_admin = by(&foreign, Role::Admin).await;
    let owned = by(&own, Role::Admin).await;
    let key = async |bearer: &str| {
        let made = make(&client, bearer, &brought(&private)).await;
        made.ok().member("id")
    };
    let (own_key, foreign_key) = (key(&owned).await, key(&foreign_admin).await);
    // Bearer; making a key at home, naming the other organization and naming none there is; seeing one at home, one
    // elsewhere, and none there is; whether private halves are shown.
    let rows = [
        (
            "a customer",
            customer,
            [403, 403, 403],
            [403, 403, 403],
            false,
        ),
        (
            "an integrator",
            by(&own, Role::ClientService).await,
            [403; 3],
            [403; 3],
            false,
        ),
        (
            "an agent",
            by(&own, Role::Agent).await,
            [403; 3],
            [403; 3],
            false,
        ),
        (
            "a supervisor",
            by(&own, Role::Supervisor).await,
            [403; 3],
            [403; 3],
            false,
        ),
        (
            "an administrator",
            owned,
            [200, 403, 403],
            [200, 404, 404],
            false,
        ),
        (
            "an administrator elsewhere",
            foreign_admin,
            [403, 200, 403],
            [404, 200, 404],
            false,
        ),
        (
            "an internal service",
            by(&own, Role::Service).await,
            [200, 200, 400],
            [200, 200, 404],
            true,
        ),
        (
            "one of another",
            by(&foreign, Role::Service).await,
            [200, 200, 400],
            [200, 200, 404],
            true,
        ),
    ];
    for (name, bearer, makes, sees, is_service) in rows {
        let named = [own.as_str(), foreign.as_str(), "nowhere"];
        for (organization, status) in named.iter().zip(makes) {
            let answer = make_in(&client, &bearer, &private, organization).await;
            let what = format!("{name} makes in {organization}: {}", answer.text);
            assert_eq!(answer.status, status, "{what}");
            assert!(!answer.text.contains("PRIVATE"), "{what}");
        }
        let ids = [own_key.as_str(), foreign_key.as_str(), NO_KEY];
        for (id, status) in ids.iter().zip(sees) {
            let answer = see(&client, &bearer, id).await;
            let shown = answer.text.contains("PRIVATE");
            let what = format!("{name} sees {id}: {}", answer.text);
            assert_eq!(answer.status, status, "{what}");
            assert_eq!(shown, is_service && status == 200, "{what}");
            if status == 404 {
                answer.says(404, "not_found", "there is no such key");
            }
        }
    }
}

const NO_KEY: &str = "00000000-0000-4000-8000-000000000000";

/// A key brought into an organization by its name; it is found there, if it was taken.
async fn make_in(client: &Client, bearer: &str, private: &str, organization: &str) -> Answer {
    let mut body = brought(private);
    body["organizationId"] = json!(organization);
    let answer = make(client, bearer, &body).await;
    if answer.status == 200 {
        let made = see(client, bearer, &answer.member("id")).await.ok();
        assert_eq!(made.member("organizationId"), organization);
    }
    answer
}

#[tokio::test]
async fn s4_without_a_token_there_are_no_keys() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let [private, _] = pair();
    let admin = as_role(&server, &client, &server.organization(), Role::Admin).await;
    let made = make(&client, &admin, &brought(&private)).await.ok();
    let own_key = made.member("id");
    let nobody = client
        .post("/security/keys")
        .json(&brought(&private))
        .send()
        .await;
    nobody.is(401, "unauthorized");
    let nobody = client
        .get(&format!("/security/keys/{own_key}"))
        .send()
        .await;
    nobody.is(401, "unauthorized");
    see(&client, "no token of ours", &own_key)
        .await
        .is(401, "invalid_token");
}

#[tokio::test]
async fn what_is_no_request_for_a_key_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let admin = as_role(&server, &client, &server.organization(), Role::Admin).await;
    let long = "x".repeat(201);
    let wide = "é".repeat(101);
    let comment = "comment must be one line of at most 200 bytes without control characters";
    let rows = [
        (json!({}), "type is required"),
        (json!({"type": null}), "type is required"),
        (json!({"type": 1}), "type must be text"),
        (json!({"type": "ssh_rsa"}), "type must be SSH_RSA"),
        (json!({"type": "SSH_ED25519"}), "type must be SSH_RSA"),
        (
            json!({"type": "SSH_RSA", "key": ""}),
            "key is for symmetric keys, which SSH_RSA is not",
        ),
        (
            json!({"type": "SSH_RSA", "publicKey": "ssh-rsa AAAA"}),
            "a public key is brought in with its private key",
        ),
        (
            json!({"type": "SSH_RSA", "organizationId": "a b"}),
            "organizationId is not a valid organization identifier",
        ),
        (
            json!({"type": "SSH_RSA", "comment": 7}),
            "comment must be text",
        ),
        (json!({"type": "SSH_RSA", "comment": "two\nlines"}), comment),
        (
            json!({"type": "SSH_RSA", "comment": "x\r\nssh-rsa AAAA"}),
            comment,
        ),
        (json!({"type": "SSH_RSA", "comment": "nul\u{0}"}), comment),
        (json!({"type": "SSH_RSA", "comment": "\u{1b}[31m"}), comment),
        (
            json!({"type": "SSH_RSA", "comment": "next\u{85}line"}),
            comment,
        ),
        (
            json!({"type": "SSH_RSA", "comment": "line\u{2028}separator"}),
            comment,
        ),
        (json!({"type": "SSH_RSA", "comment": long}), comment),
        (json!({"type": "SSH_RSA", "comment": wide}), comment),
    ];
    for (body, words) in rows {
        let answer = make(&client, &admin, &body).await;
        answer.says(400, "invalid_request", words);
    }
    assert_eq!(server.count("keys"), 0);
    let throttled = server.count("throttles");
    let [private, public] = pair();
    let mut body = brought(&private);
    body["comment"] = json!("x".repeat(200));
    body["publicKey"] = json!(public);
    let made = make(&client, &admin, &body).await.ok();
    let halves: Vec<_> = public.split(' ').take(2).collect();
    assert_eq!(
        made.member("publicKey"),
        format!("{} {}", halves.join(" "), "x".repeat(200))
    );
    assert_eq!(server.count("throttles"), throttled + 1);
}

#[tokio::test]
async fn s8_an_organization_has_so_many_keys_a_day_also_after_a_restart_and_failures_count() {
    let server = Server::governed(|policy| policy.keys.per_organization_per_day = 3).await;
    let client = Client::of(&server);
    let own = server.organization();
    let admin = as_role(&server, &client, &own, Role::Admin).await;
    let service = as_role(&server, &client, &own, Role::Service).await;
    let foreign = server.found("elsewhere");
    let [private, public] = pair();
    let mut wrong = brought(&private);
    wrong["publicKey"] = json!("ssh-rsa AAAA");
    make(&client, &admin, &brought(&private)).await.ok();
    make(&client, &admin, &wrong)
        .await
        .is(400, "invalid_request");
    make(&client, &service, &brought(&private)).await.ok();
    let over = make(&client, &admin, &brought(&private)).await;
    over.says(
        429,
        "too_many_requests",
        "too many keys were made or brought in today",
    );
    assert_eq!(over.header("retry-after"), "86400");

    let server = server.restart().await;
    let client = Client::of(&server);
    server.advance(Duration::from_hours(1));
    for bearer in [&admin, &service] {
        let over = make(&client, bearer, &json!({"type": "SSH_RSA"})).await;
        over.is(429, "too_many_requests");
        assert_eq!(over.header("retry-after"), "82800");
    }
    let mut elsewhere = brought(&private);
    elsewhere["organizationId"] = json!(foreign.as_str());
    make(&client, &service, &elsewhere).await.ok();
    assert_eq!(server.count("keys"), 3);
    server.advance(Duration::from_hours(23));
    let admin = as_role(&server, &client, &own, Role::Admin).await;
    let made = make(&client, &admin, &brought(&private)).await.ok();
    let halves: Vec<_> = public.split(' ').take(2).collect();
    assert_eq!(made.member("publicKey"), halves.join(" "));
}

#[tokio::test]
async fn s7_each_look_at_a_key_is_on_the_record_and_a_miss_is_not() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let own = server.organization();
    let admin = as_role(&server, &client, &own, Role::Admin).await;
    let service = as_role(&server, &client, &own, Role::Service).await;
    let [private, _] = pair();
    let mut told = server.count("audit");
    let mut grew = |by: u64, what: &str| {
        let now = server.count("audit");
        assert_eq!(now, told + by, "{what}");
        told = now;
    };
    let id = make(&client, &admin, &brought(&private))
        .await
        .ok()
        .member("id");
    grew(1, "a key brought in");
    see(&client, &admin, &id).await.ok();
    grew(1, "a public half seen");
    see(&client, &service, &id).await.ok();
    see(&client, &service, &id).await.ok();
    grew(2, "a private half seen twice");
    see(&client, &service, "missing").await.is(404, "not_found");
    grew(0, "nothing there");

    let data = server.stop().await;
    let kept = everything(data.path());
    for action in ["key.imported", "key.read", "key.private_read"] {
        assert!(
            contains(&kept, action.as_bytes()),
            "{action} is not on the record"
        );
    }
}

#[tokio::test]
async fn s7_a_private_half_is_in_no_file_in_plain() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let service = as_role(&server, &client, &server.organization(), Role::Service).await;
    let [private, public] = pair();
    let mut secrets = Vec::new();
    for body in [brought(&private), json!({"type": "SSH_RSA"})] {
        let id = make(&client, &service, &body).await.ok().member("id");
        let key = see(&client, &service, &id).await.ok().member("privateKey");
        // The first lines are the public half once more.
        let lines: Vec<_> = key.lines().map(str::to_owned).collect();
        secrets.extend(lines[lines.len() / 2..lines.len() - 1].to_vec());
    }
    let data = server.stop().await;
    let kept = everything(data.path());
    let shown = public.split(' ').nth(1).unwrap();
    assert!(
        contains(&kept, shown.as_bytes()),
        "it is not the store that was read"
    );
    for line in secrets {
        assert!(!contains(&kept, line.as_bytes()), "{line} is kept in plain");
        let bytes = STANDARD.decode(&line[..line.len() / 4 * 4]).unwrap();
        assert!(!contains(&kept, &bytes), "{line} is kept as bytes in plain");
    }
}

/// All files below a folder, one after another.
fn everything(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(everything(&path));
        } else {
            all.extend(fs::read(&path).unwrap());
        }
    }
    all
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_caller_who_is_refused_never_stands_in_the_queue() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let own = server.organization();
    let admin = as_role(&server, &client, &own, Role::Admin).await;
    let agent = as_role(&server, &client, &own, Role::Agent).await;
    let turns = server.appliance.key_making();
    let first = turns.take().unwrap();
    let mut places: Vec<_> = (0..8).map(|_| turns.join().unwrap()).collect();
    let body = json!({"type": "SSH_RSA"});
    make(&client, &agent, &body).await.is(403, "access_denied");
    make(&client, "nobody", &body)
        .await
        .is(401, "invalid_token");
    make(&client, &admin, &json!({"type": "OTHER"}))
        .await
        .is(400, "invalid_request");
    let full = make(&client, &admin, &body).await;
    full.is(503, "temporarily_unavailable");
    assert_eq!(full.header("retry-after"), "1");
    assert_eq!(server.count("keys"), 0);
    places.pop();
    drop((first, places));
    make(&client, &admin, &body).await.ok();
}
