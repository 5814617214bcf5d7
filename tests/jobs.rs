//! The background loop under a moving clock: what is over goes, and what must be remembered stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use admit::jobs;
use admit::kernel::{Entropy, SeededEntropy};
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::server::{Server, Setup};

const DAY: Duration = Duration::from_hours(24);

/// Sweeps until nothing is due.
async fn sweep(server: &Server) {
    while jobs::sweep_once(&server.appliance).await.unwrap() > 0 {}
}

async fn set_up() -> (Server, Client, String) {
    let setup = Setup {
        public_url: Some("https://localhost"),
        ..Setup::default()
    };
    let server = Server::with(setup).await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    (server, client, bearer)
}

fn counts(server: &Server, tables: [&str; 6]) -> [u64; 6] {
    tables.map(|table| server.count(table))
}

const TABLES: [&str; 6] = [
    "tickets",
    "tickets_by_org",
    "tickets_gone",
    "families",
    "throttles",
    "expiries",
];

#[tokio::test]
async fn a_spent_ticket_says_so_until_its_retention_is_over_and_then_never_was() {
    let (server, client, bearer) = set_up().await;
    let ticket = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
    client.login(&ticket).await.ok();
    server.advance(Duration::from_hours(4) + 6 * DAY);
    server.advance(Duration::from_secs(86_399));
    sweep(&server).await;
    client
        .login(&ticket)
        .await
        .says(400, "invalid_grant", "USED");
    assert_eq!(server.count("tickets"), 1);
    server.advance(Duration::from_secs(1));
    sweep(&server).await;
    client
        .login(&ticket)
        .await
        .says(400, "invalid_grant", "NOT_FOUND");
    assert_eq!(server.count("tickets"), 0);
    let bearer = client.bearer(&server.first_client()).await;
    let answer = client
        .get(&format!("/security/ticket/{ticket}"))
        .bearer(&bearer)
        .send()
        .await;
    answer.is(404, "not_found");
}

#[tokio::test]
async fn everything_that_is_over_goes_and_only_the_ids_of_tickets_stay() {
    let (server, client, bearer) = set_up().await;
    for _ in 0..3 {
        let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
        let login = client.login(&ticket).await.ok();
        client.refresh(&login.member("refresh_token")).await.ok();
        let revoked = client
            .post(&format!("/security/ticket/{ticket}/revoke"))
            .bearer(&bearer)
            .send()
            .await;
        assert_eq!(revoked.status, 204);
    }
    let deleted = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    client
        .delete(&format!("/security/ticket/{deleted}"))
        .bearer(&bearer)
        .send()
        .await;
    client.login("zzz-zzz").await.is(400, "invalid_grant");
    assert_eq!(counts(&server, TABLES)[..4], [3, 3, 1, 3]);
    assert_eq!(server.count("ended"), 4);
    sweep(&server).await;
    assert_eq!(server.count("tickets"), 3, "nothing is due yet");

    server.advance(Duration::from_hours(4));
    sweep(&server).await;
    assert_eq!(
        server.count("families"),
        0,
        "a session ends with its ticket"
    );
    assert_eq!(server.count("tickets"), 3, "a ticket still answers why");
    server.advance(40 * DAY);
    sweep(&server).await;
    assert_eq!(counts(&server, TABLES), [0, 0, 4, 0, 0, 0]);
    assert_eq!(
        server.count("ended"),
        0,
        "every token of before has expired by now"
    );
    assert_eq!(jobs::sweep_once(&server.appliance).await.unwrap(), 0);
}

#[tokio::test]
async fn a_ticket_moved_to_a_later_date_is_kept_for_it() {
    let (server, client, bearer) = set_up().await;
    let body = json!({"type": "SCHEDULE_TICKET", "ttl": 3_600, "properties": {"scheduled_date": "2026-11-21T13:00:00Z"}});
    let ticket = client.issue(&bearer, &body).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({"properties": {"scheduled_date": "2026-12-21T13:00:00Z"}});
    client
        .put(&format!("/security/ticket/{ticket}"))
        .bearer(&bearer)
        .json(&body)
        .send()
        .await
        .ok();
    server.advance(30 * DAY);
    sweep(&server).await;
    client.login(&ticket).await.ok();
    server.advance(8 * DAY);
    sweep(&server).await;
    assert_eq!(server.count("tickets"), 0);
}

#[tokio::test]
async fn what_was_ended_stays_ended_as_long_as_a_token_of_it_could_live() {
    let (server, client, bearer) = set_up().await;
    let body = json!({"type": "MULTI_USE_TICKET", "properties": {}, "ttl": 86_400});
    let ticket = client.issue(&bearer, &body).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = client.login(&ticket).await.ok().member("access_token");
    let revoked = client
        .post(&format!("/security/ticket/{ticket}/revoke"))
        .bearer(&bearer)
        .send()
        .await;
    assert_eq!(revoked.status, 204);
    server.advance(Duration::from_secs(43_199));
    sweep(&server).await;
    let ended = |answer: Value| answer["error_description"].as_str().unwrap().to_owned();
    let answer = client.get("/auth/v3/userinfo").bearer(&token).send().await;
    assert_eq!(ended(answer.json()), "Access token was ended");
    let server = server.restart().await;
    let client = Client::of(&server);
    let answer = client.get("/auth/v3/userinfo").bearer(&token).send().await;
    assert_eq!(
        ended(answer.json()),
        "Access token was ended",
        "after a restart too"
    );
    server.advance(Duration::from_secs(1));
    let answer = client.get("/auth/v3/userinfo").bearer(&token).send().await;
    assert_eq!(ended(answer.json()), "Access token expired");
}

#[tokio::test]
async fn a_batch_is_bounded_and_the_rest_waits_for_the_next() {
    let (server, client, _) = set_up().await;
    let mut bearer = client.bearer(&server.first_client()).await;
    for _ in 0..210 {
        let body = json!({"type": "MULTI_USE_TICKET", "properties": {}, "ttl": 1});
        client.issue(&bearer, &body).await;
    }
    server.advance(8 * DAY);
    assert_eq!(jobs::sweep_once(&server.appliance).await.unwrap(), 200);
    assert_eq!(server.count("tickets"), 10);
    assert_eq!(jobs::sweep_once(&server.appliance).await.unwrap(), 10);
    assert_eq!(server.count("tickets_gone"), 210);
    bearer = client.bearer(&server.first_client()).await;
    client.ticket(&bearer, "MULTI_USE_TICKET").await;
    assert_eq!(server.count("tickets"), 1);
}

/// Chance that always comes up the same once it is stuck.
struct Stuck {
    seeded: SeededEntropy,
    stuck: AtomicBool,
}

impl Entropy for Stuck {
    fn fill(&self, out: &mut [u8]) {
        if self.stuck.load(Ordering::SeqCst) {
            out.fill(3);
        } else {
            self.seeded.fill(out);
        }
    }
}

#[tokio::test]
async fn an_id_that_ever_was_is_never_given_out_again() {
    let chance = Arc::new(Stuck {
        seeded: SeededEntropy::new(7),
        stuck: AtomicBool::new(false),
    });
    let setup = Setup {
        entropy: Some(Arc::clone(&chance) as Arc<dyn Entropy>),
        ..Setup::default()
    };
    let server = Server::with(setup).await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let body = json!({"type": "MULTI_USE_TICKET", "length": 6, "ttl": 60, "properties": {}});
    let create = async |bearer: &str| {
        client
            .post("/security/ticket")
            .bearer(bearer)
            .json(&body)
            .send()
            .await
    };
    chance.stuck.store(true, Ordering::SeqCst);
    let ticket = create(&bearer).await.ok().member("id");
    assert_eq!(ticket, "ddd-ddd");
    create(&bearer).await.is(400, "invalid_request");
    let deleted = client
        .delete(&format!("/security/ticket/{ticket}"))
        .bearer(&bearer)
        .send()
        .await;
    assert_eq!(deleted.status, 200);
    create(&bearer).await.is(400, "invalid_request");

    let longer = json!({"type": "MULTI_USE_TICKET", "length": 7, "ttl": 60, "properties": {}});
    client.issue(&bearer, &longer).await;
    server.advance(40 * DAY);
    sweep(&server).await;
    assert_eq!(
        (server.count("tickets"), server.count("tickets_gone")),
        (0, 2)
    );
    chance.stuck.store(false, Ordering::SeqCst);
    let bearer = client.bearer(&server.first_client()).await;
    chance.stuck.store(true, Ordering::SeqCst);
    create(&bearer).await.is(400, "invalid_request");
    let again = client
        .post("/security/ticket")
        .bearer(&bearer)
        .json(&longer)
        .send()
        .await;
    again.is(400, "invalid_request");
}
