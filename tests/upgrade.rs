//! Every record version ever released still opens: stores as an older version left them, record by record.
//!
//! A fixture is the store's bytes as `table|key value` in hexadecimal under a fixed master key, and beside it what the
//! version that wrote them knew. A new version of a record adds a fixture; it never changes one.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admit::domain::access::{Role, Subject};
use admit::domain::tokens;
use admit::kernel::{Clock, ManualClock};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::server::{Server, Setup, at};

const MASTER_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
const ADDRESS: &str = "https://admit.example.org";

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records/v1")
}

/// A folder that has a master key and nothing else.
fn keyed() -> TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let data = tempfile::tempdir().unwrap();
    let key = data.path().join("master.key");
    fs::write(&key, MASTER_KEY).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    data
}

async fn opened(data: TempDir, clock: &Arc<ManualClock>) -> Server {
    let setup = Setup {
        data: Some(data),
        public_url: Some(ADDRESS),
        clock: Arc::clone(clock),
        ..Setup::default()
    };
    Server::with(setup).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The engine under a store that is not open, set up as the store sets it up.
fn engine(data: &Path) -> sled::Db {
    let config = sled::Config::new()
        .path(data.join("store"))
        .flush_every_ms(None);
    config.segment_size(SEGMENT).open().unwrap()
}

/// `store/opening.rs` says why.
const SEGMENT: usize = 8 << 20;

/// Every record of a store that is not open.
fn dumped(data: &Path) -> String {
    let db = engine(data);
    let mut text = String::new();
    for entry in db.iter() {
        let (key, value) = entry.unwrap();
        let _ = writeln!(text, "{} {}", hex(&key), hex(&value));
    }
    text
}

/// A folder whose store holds these records and no others.
fn filled(dump: &str) -> TempDir {
    let data = keyed();
    let db = engine(data.path());
    for line in dump.lines() {
        let (key, value) = line.split_once(' ').unwrap();
        db.insert(unhex(key), unhex(value)).unwrap();
    }
    db.flush().unwrap();
    data
}

#[tokio::test]
async fn a_store_of_the_first_record_versions_still_says_what_it_said() {
    let dump = fs::read_to_string(fixture().join("store.hex")).unwrap();
    let known: Value =
        serde_json::from_slice(&fs::read(fixture().join("known.json")).unwrap()).unwrap();
    let clock = Arc::new(ManualClock::at(at(known["now"].as_str().unwrap())));
    let server = opened(filled(&dump), &clock).await;
    let client = Client::of(&server);
    let text = |name: &str| known[name].as_str().unwrap();

    for (table, count) in known["counts"].as_object().unwrap() {
        assert_eq!(server.count(table), count.as_u64().unwrap(), "{table}");
    }
    for name in ["agent_token", "customer_token"] {
        assert!(client.is_alive(text(name)).await, "{name}");
    }
    for name in ["ended_by_ticket", "ended_by_reuse", "ended_by_epoch"] {
        let answer = client
            .get("/auth/v3/userinfo")
            .bearer(text(name))
            .send()
            .await;
        answer.says(401, "invalid_token", "Access token was ended");
    }
    for ticket in known["tickets"].as_array().unwrap() {
        let path = format!("/security/ticket/{}", ticket["id"].as_str().unwrap());
        let read = client
            .get(&path)
            .bearer(text("agent_token"))
            .send()
            .await
            .ok();
        assert_eq!(read.json(), *ticket);
        let event = client
            .get(&format!("{path}/event"))
            .bearer(text("agent_token"))
            .send()
            .await
            .ok();
        let uid = known["uids"][ticket["id"].as_str().unwrap()]
            .as_str()
            .unwrap();
        assert!(
            event.text.contains(&format!("UID:{uid}\r\n")),
            "{}",
            event.text
        );
    }
    for (ticket, word) in known["refused"].as_object().unwrap() {
        client
            .login(ticket)
            .await
            .says(400, "invalid_grant", word.as_str().unwrap());
    }
    let form = [("grant_type", "client_credentials")];
    client
        .token(Some((text("agent_id"), text("agent_secret"))), &form)
        .await
        .ok();
    let next = client.refresh(text("refresh_token")).await.ok();
    assert_eq!(next.member("sub"), text("customer"));
    let keys = client.get("/.well-known/jwks.json").send().await.ok();
    assert_eq!(keys.json(), known["keys"]);
    let guesser = Client::from(&server, [127, 0, 7, 1].into());
    guesser
        .login("zzz-zzz-zzz")
        .await
        .is(429, "too_many_requests");
}

#[tokio::test]
#[ignore = "writes the fixture of the record versions in use; for whoever releases a new one"]
#[expect(
    clippy::too_many_lines,
    reason = "one scenario, read from top to bottom"
)]
async fn write_the_fixture() {
    let clock = Arc::new(ManualClock::at(at("2026-11-21T12:00:00Z")));
    let server = opened(keyed(), &clock).await;
    let client = Client::of(&server);
    let agent = server.register(&server.organization(), &[Role::Agent]);
    let other = server.register(&server.organization(), &[Role::Agent]);
    let agent_token = client.bearer(&agent).await;
    let ended_by_epoch = client.bearer(&other).await;
    let issue = async |body: Value| client.issue(&agent_token, &body).await;
    let id = |ticket: &Value| ticket["id"].as_str().unwrap().to_owned();
    let switch = async |ticket: &Value, word: &str| {
        let path = format!("/security/ticket/{}/{word}", id(ticket));
        assert_eq!(
            client.post(&path).bearer(&agent_token).send().await.status,
            204
        );
    };

    let properties = json!({"title": "größer; 漢字", "conference_id": "room", "theme": {"a": [1, 2.5, null, true]}, "scheduled_date": "2026-11-21T21:30:24.936571Z"});
    let open =
        issue(json!({"type": "SCHEDULE_TICKET", "ttl": 86_400, "properties": properties})).await;
    let used = issue(json!({"type": "SINGLE_USE_TICKET", "length": 6, "properties": {}})).await;
    let revoked = issue(json!({"type": "MULTI_USE_TICKET", "properties": {}})).await;
    let disabled =
        issue(json!({"type": "GENESYS_MULTI_USE_TICKET", "properties": {}, "disabled": true}))
            .await;
    let deleted = issue(json!({"type": "MULTI_USE_TICKET", "properties": {}})).await;
    let customer = client.login(&id(&open)).await.ok();
    let reused = client.login(&id(&open)).await.ok();
    let once = client.refresh(&customer.member("refresh_token")).await.ok();
    client.login(&id(&used)).await.ok();
    let ended_by_ticket = client
        .login(&id(&revoked))
        .await
        .ok()
        .member("access_token");
    switch(&revoked, "revoke").await;
    client
        .delete(&format!("/security/ticket/{}", id(&deleted)))
        .bearer(&agent_token)
        .send()
        .await
        .ok();
    client.refresh(&reused.member("refresh_token")).await.ok();
    server.advance(Duration::from_mins(1));
    client
        .refresh(&reused.member("refresh_token"))
        .await
        .is(400, "invalid_grant");
    let guesser = Client::from(&server, [127, 0, 7, 1].into());
    for guess in 0..120 {
        guesser
            .login(&format!("zzz-zzz-{guess:03}"))
            .await
            .is(400, "invalid_grant");
    }
    {
        let cx = server.appliance.own_context();
        let by = tokens::authenticate(&cx, &agent_token).unwrap();
        let subject = Subject::Client(other.id.parse().unwrap());
        tokens::end_all(&cx, &by, &subject).unwrap();
        server.settle(&cx);
    }

    let mut tickets = Vec::new();
    let mut uids = serde_json::Map::new();
    for ticket in [&open, &used, &revoked, &disabled] {
        let path = format!("/security/ticket/{}", id(ticket));
        tickets.push(
            client
                .get(&path)
                .bearer(&agent_token)
                .send()
                .await
                .ok()
                .json(),
        );
        let event = client
            .get(&format!("{path}/event"))
            .bearer(&agent_token)
            .send()
            .await
            .ok();
        let uid = event
            .text
            .lines()
            .find_map(|line| line.strip_prefix("UID:"))
            .unwrap()
            .to_owned();
        uids.insert(id(ticket), uid.into());
    }
    let counts: serde_json::Map<_, _> = server
        .counts()
        .into_iter()
        .map(|(name, count)| (name, count.into()))
        .collect();
    let known = json!({
        "now": clock.now().to_string(),
        "agent_id": agent.id, "agent_secret": agent.secret, "agent_token": agent_token,
        "customer": customer.member("sub"), "customer_token": once.member("access_token"),
        "refresh_token": once.member("refresh_token"),
        "ended_by_ticket": ended_by_ticket, "ended_by_reuse": reused.member("access_token"), "ended_by_epoch": ended_by_epoch,
        "tickets": tickets, "uids": uids, "counts": counts,
        "refused": {id(&used): "USED", id(&revoked): "REVOKED", id(&disabled): "DISABLED", id(&deleted): "NOT_FOUND"},
        "keys": client.get("/.well-known/jwks.json").send().await.ok().json(),
    });
    let data = server.stop().await;
    fs::create_dir_all(fixture()).unwrap();
    fs::write(fixture().join("store.hex"), dumped(data.path())).unwrap();
    fs::write(fixture().join("known.json"), format!("{known:#}\n")).unwrap();
}
