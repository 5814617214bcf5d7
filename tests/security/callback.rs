//! `/security/facades/callback` and its old name: a callback at Genesys Cloud, paid for by a one-time code or ordered by
//! a program, all of it or nothing.

use std::sync::Arc;

use admit::config::Upstreams;
use admit::domain::access::Role;
use admit::domain::otp;
use admit::jobs::{self, Couriers};
use admit::standins::{Fault, Kind, StandIns};
use serde_json::{Value, json};

use crate::support::client::{Answer, Client, Request};
use crate::support::server::{Server, Setup};

const PATHS: [&str; 2] = ["/security/facades/callback", "/security/genesys/callback"];
const CALLBACKS: &str = "/api/v2/conversations/callbacks";
pub(crate) const NUMBER: &str = "+306957206309";
const SUPPORT: &str = "11111111-1111-4111-8111-111111111111";

/// A server with an application at the stand-ins' Genesys Cloud.
pub(crate) struct Scene {
    genesys: StandIns,
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) bearer: String,
    pub(crate) application: String,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    async fn with(setup: Setup) -> Self {
        let genesys = StandIns::start().await.unwrap();
        let upstreams = Upstreams {
            origins: vec![genesys.origin().parse().unwrap()],
            authority: Some(genesys.authority().to_owned()),
            ..Upstreams::default()
        };
        let server = Server::with(Setup { upstreams, ..setup }).await;
        let client = Client::of(&server);
        let bearer = client.bearer(&server.first_client()).await;
        let config = json!({
            "organizationId": "o", "pcEnvironment": "mypurecloud.de",
            "serviceParameters": {
                "clientId": "genesys-client", "clientSecret": "genesys-secret",
                "loginBase": genesys.origin(), "apiBase": genesys.origin(),
            },
        });
        let body = json!({"type": "GENESYS", "config": config});
        let made = client
            .post("/security/applications")
            .bearer(&bearer)
            .json(&body)
            .send()
            .await
            .ok();
        let application = made.member("id");
        Self {
            genesys,
            server,
            client,
            bearer,
            application,
        }
    }

    /// An address of the stand-ins.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.genesys.origin())
    }

    /// One member of what was created there.
    pub(crate) async fn created(&self, path: &str, body: &Value, member: &str) -> String {
        let request = self.client.post(path).bearer(&self.bearer).json(body);
        request.send().await.ok().member(member)
    }

    fn callbacks(&self) -> usize {
        let journal = self.genesys.journal();
        journal
            .iter()
            .filter(|entry| entry.path == CALLBACKS)
            .count()
    }

    /// The body of the last callback that was asked for.
    fn asked(&self) -> Value {
        let journal = self.genesys.journal();
        let last = journal
            .iter()
            .rev()
            .find(|entry| entry.path == CALLBACKS)
            .unwrap();
        serde_json::from_str(&last.body).unwrap()
    }

    /// A code for the number, as its owner reads it.
    pub(crate) async fn code(&self) -> (String, String) {
        let body = json!({"to": NUMBER});
        let asked = self
            .client
            .post("/security/otp")
            .bearer(&self.bearer)
            .json(&body)
            .send()
            .await
            .ok();
        (asked.member("id"), self.sent().await)
    }

    /// The code of the newest message that is kept for the operator to read.
    async fn sent(&self) -> String {
        let appliance = &self.server.appliance;
        jobs::outbox::deliver_once(appliance, &Couriers::default())
            .await
            .unwrap();
        let cx = appliance.own_context();
        let newest = otp::outbox::list(&cx).unwrap().pop().unwrap();
        newest.message.unwrap().code.expose().clone()
    }

    fn ordered(&self, body: &Value) -> Request<'_> {
        let request = self.client.post(PATHS[0]).bearer(&self.bearer);
        request
            .header("x-applicationid", &self.application)
            .header("x-urlbase", "https://auvious.video")
            .json(body)
    }

    fn paid(&self, (id, code): &(String, String), body: &Value) -> Request<'_> {
        self.client
            .post(PATHS[0])
            .header("x-applicationid", &self.application)
            .header("x-otpverificationid", id)
            .header("x-otpcode", code)
            .json(body)
    }
}

fn order() -> Value {
    json!({"queueName": "Support", "callbackUserName": "Ann", "callbackNumbers": [NUMBER]})
}

fn ticket_of(answer: &Answer) -> String {
    answer.member("ticketId")
}

#[tokio::test]
async fn a_program_orders_a_callback_under_both_names() {
    let scene = Scene::new().await;
    for path in PATHS {
        let body = json!({
            "scriptId": "s", "queueName": "Support", "callbackUserName": "Ann", "callbackNumbers": [NUMBER, "+441632960961"],
            "countryCode": "GR", "validateCallbackNumbers": false, "data": {"mine": "1", "context.auvious.ticketUrl": "https://evil.example"},
            "routingData": {"languageId": "l", "priority": 3, "skillIds": ["a"], "preferredAgentIds": ["b"]},
            "unknown": {"is": "ignored"},
        });
        let request = scene.client.post(path).bearer(&scene.bearer);
        let request = request
            .header("x-applicationid", &scene.application)
            .header("x-urlbase", "https://auvious.video/");
        let made = request.json(&body).send().await.ok();
        let result = made.json();
        let ticket = ticket_of(&made);
        let room = made.member("conferenceId");
        assert_eq!(
            result["ticketUrl"],
            format!("https://auvious.video/t/{ticket}")
        );
        let agent = format!(
            "https://auvious.video/a?aid={}&roomId={room}&cdestination=callback&corigin=api",
            scene.application
        );
        assert_eq!(result["agentUrl"], agent);
        assert!(
            result["genesys"]["conversation"]["id"].is_string(),
            "{result}"
        );
        assert!(
            result["genesys"]["conversation"]["selfUri"].is_string(),
            "{result}"
        );
        let types: Vec<_> = result["genesys"]["callbackIdentifiers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["type"].clone())
            .collect();
        assert!(types.contains(&json!("ACD")), "{result}");
        let asked = scene.asked();
        assert_eq!(asked["queueId"], SUPPORT);
        assert!(
            asked.get("queueName").is_none(),
            "names are never forwarded: {asked}"
        );
        assert_eq!(asked["callbackNumbers"], json!([NUMBER, "+441632960961"]));
        assert_eq!(asked["validateCallbackNumbers"], false);
        assert_eq!(
            asked["routingData"],
            json!({"languageId": "l", "priority": 3, "skillIds": ["a"], "preferredAgentIds": ["b"]})
        );
        assert_eq!(asked["data"]["mine"], "1");
        assert_eq!(
            asked["data"]["context.auvious.ticketUrl"],
            result["ticketUrl"]
        );
        assert_eq!(asked["data"]["context.auvious.conferenceId"], room);
        assert!(asked.get("unknown").is_none(), "{asked}");
        let read = scene
            .client
            .get(&format!("/security/ticket/{ticket}"))
            .bearer(&scene.bearer)
            .send()
            .await
            .ok()
            .json();
        assert_eq!(read["type"], "GENESYS_MULTI_USE_TICKET");
        assert_eq!(read["properties"]["conference_id"], room);
        assert_eq!(
            scene
                .client
                .login(&ticket)
                .await
                .ok()
                .member("conference_id"),
            room
        );
    }
}

#[tokio::test]
async fn a_scheduled_callbacks_ticket_lives_from_its_time() {
    let scene = Scene::new().await;
    let mut body = order();
    body["callbackScheduledTime"] = json!("2026-11-22T09:30:00.000Z");
    let made = scene
        .ordered(&body)
        .header("x-ticket-expiration-seconds", "60")
        .send()
        .await
        .ok();
    let read = scene
        .client
        .get(&format!("/security/ticket/{}", ticket_of(&made)))
        .bearer(&scene.bearer)
        .send()
        .await
        .ok()
        .json();
    assert_eq!(read["type"], "GENESYS_SCHEDULE_TICKET");
    assert_eq!(read["expiresAt"], "2026-11-22T09:31:00Z");
    assert_eq!(
        scene.asked()["callbackScheduledTime"],
        "2026-11-22T09:30:00.000Z"
    );
}

#[tokio::test]
async fn queues_are_found_by_exactly_their_name_on_whatever_page() {
    let scene = Scene::new().await;
    let named = |name: &str| json!({"queueName": name, "callbackUserName": "Ann", "callbackNumbers": [NUMBER]});
    scene.ordered(&named("Queue 58")).send().await.ok();
    assert!(scene.asked()["queueId"].is_string());
    let in_routing = json!({"routingData": {"queueName": "Sales"}, "callbackUserName": "Ann", "callbackNumbers": [NUMBER]});
    scene.ordered(&in_routing).send().await.ok();
    let by_id = json!({"queueId": SUPPORT, "callbackUserName": "Ann", "callbackNumbers": [NUMBER]});
    scene.ordered(&by_id).send().await.ok();
    let in_routing = json!({"routingData": {"queueId": SUPPORT}, "callbackUserName": "Ann", "callbackNumbers": [NUMBER]});
    scene.ordered(&in_routing).send().await.ok();
    let made = scene.callbacks();
    let before = scene.server.count("tickets");
    let rows = [
        ("support", "no queue has the name in queueName"),
        ("Suppor", "no queue has the name in queueName"),
        ("*", "queueName must be the whole name of a queue"),
        ("", "queueName must be the whole name of a queue"),
        (
            "Twins",
            "several queues have the name in queueName: give queueId instead",
        ),
    ];
    for (name, told) in rows {
        let answer = scene.ordered(&named(name)).send().await;
        answer.says(400, "invalid_request", told);
    }
    assert_eq!(
        (scene.callbacks(), scene.server.count("tickets")),
        (made, before)
    );
}

#[tokio::test]
async fn s17_a_code_pays_for_one_call_to_the_number_it_was_sent_to() {
    let scene = Scene::new().await;
    let code = scene.code().await;
    let other = json!({"queueName": "Support", "callbackUserName": "Ann", "callbackNumbers": ["+306957206300"]});
    let two = json!({"queueName": "Support", "callbackUserName": "Ann", "callbackNumbers": [NUMBER, "+306957206300"]});
    for body in [other, two] {
        let told = "callbackNumbers must be the number the code was sent to, and no other";
        scene
            .paid(&code, &body)
            .send()
            .await
            .says(400, "invalid_request", told);
    }
    let wrong = (
        code.0.clone(),
        if code.1 == "000000" {
            "111111"
        } else {
            "000000"
        }
        .to_owned(),
    );
    scene
        .paid(&wrong, &order())
        .send()
        .await
        .is(400, "invalid_code");
    assert_eq!(scene.callbacks(), 0);
    let made = scene.paid(&code, &order()).send().await.ok();
    let base = scene.client.base();
    assert_eq!(
        made.member("ticketUrl"),
        format!("{base}/t/{}", ticket_of(&made)),
        "a visitor's address is ours"
    );
    scene
        .paid(&code, &order())
        .send()
        .await
        .is(404, "not_found");
    assert_eq!(scene.callbacks(), 1);
}

#[tokio::test]
async fn s17_a_code_that_was_verified_before_pays_once_as_well() {
    let scene = Scene::new().await;
    let code = scene.code().await;
    let body = json!({"to": NUMBER, "code": code.1, "verificationId": code.0});
    let verified = scene
        .client
        .post("/security/otp/verify")
        .bearer(&scene.bearer)
        .json(&body)
        .send()
        .await;
    assert_eq!(verified.status, 204, "{}", verified.text);
    scene.paid(&code, &order()).send().await.ok();
    scene
        .paid(&code, &order())
        .send()
        .await
        .is(404, "not_found");
    assert_eq!(scene.callbacks(), 1);
}

#[tokio::test]
async fn s17_a_code_of_one_organization_pays_for_nothing_of_another() {
    let scene = Scene::new().await;
    let other = scene.server.found("other");
    let foreign = scene
        .client
        .bearer(&scene.server.register(&other, &[Role::Admin]))
        .await;
    let body = json!({"to": NUMBER});
    let id = scene
        .client
        .post("/security/otp")
        .bearer(&foreign)
        .json(&body)
        .send()
        .await
        .ok()
        .member("id");
    let code = (id, scene.sent().await);
    scene
        .paid(&code, &order())
        .send()
        .await
        .is(404, "not_found");
    assert_eq!(scene.callbacks(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_makes_one_callback_however_many_ask_at_once() {
    let scene = Arc::new(Scene::new().await);
    let code = scene.code().await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (scene, code) = (Arc::clone(&scene), code.clone());
        asking.spawn(async move { scene.paid(&code, &order()).send().await.status });
    }
    let statuses = asking.join_all().await;
    let made = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(made, 1, "{statuses:?}");
    assert!(
        statuses.iter().all(|status| matches!(status, 200 | 404)),
        "{statuses:?}"
    );
    assert_eq!((scene.callbacks(), scene.server.count("tickets")), (1, 1));
}

#[tokio::test]
async fn when_genesys_fails_nothing_is_left_half_made_and_the_code_is_good_again() {
    let scene = Scene::new().await;
    let code = scene.code().await;
    let rows = [
        // First, because a token is kept for the next request.
        (
            Fault::once("/oauth/token", Kind::Status(400)),
            502,
            "upstream_failed",
        ),
        (
            Fault::once(CALLBACKS, Kind::Status(400)),
            400,
            "upstream_refused",
        ),
        (
            Fault::once(CALLBACKS, Kind::Status(403)),
            502,
            "upstream_failed",
        ),
        (
            Fault::once(CALLBACKS, Kind::Status(429)).retry_after(7),
            503,
            "temporarily_unavailable",
        ),
        (
            Fault::once(CALLBACKS, Kind::Status(500)),
            502,
            "upstream_failed",
        ),
        (
            Fault::once("/api/v2/routing/queues", Kind::Status(503)),
            502,
            "upstream_failed",
        ),
    ];
    for (fault, status, error) in rows {
        let told = format!("{fault:?}");
        scene.genesys.fail(fault);
        let answer = scene.paid(&code, &order()).send().await;
        assert_eq!(
            (answer.status, answer.member("error").as_str()),
            (status, error),
            "{told}: {}",
            answer.text
        );
        if status == 503 {
            assert_eq!(answer.header("retry-after"), "7");
        }
        assert_eq!(scene.server.count("tickets"), 0, "{told}");
    }
    let made = scene.paid(&code, &order()).send().await.ok();
    assert_eq!(scene.server.count("tickets"), 1);
    scene.client.login(&ticket_of(&made)).await.ok();
}

#[tokio::test]
async fn when_nobody_knows_whether_the_callback_was_made_the_code_pays_for_no_second_one() {
    let scene = Scene::new().await;
    let code = scene.code().await;
    scene.genesys.fail(Fault::once(CALLBACKS, Kind::Close));
    let answer = scene.paid(&code, &order()).send().await;
    answer.is(504, "upstream_unanswered");
    assert_eq!(scene.server.count("tickets"), 0);
    scene
        .paid(&code, &order())
        .send()
        .await
        .is(404, "not_found");
}

#[tokio::test]
async fn who_may_order_is_settled_before_anybody_is_asked() {
    let scene = Scene::new().await;
    let nobody = scene
        .client
        .post(PATHS[0])
        .header("x-applicationid", &scene.application)
        .json(&order());
    nobody.send().await.is(401, "unauthorized");
    let half = scene
        .client
        .post(PATHS[0])
        .header("x-applicationid", &scene.application)
        .header("x-otpcode", "1")
        .json(&order());
    half.send().await.is(400, "invalid_request");
    let own = scene.server.organization();
    let backend = scene
        .client
        .bearer(&scene.server.register(&own, &[Role::ClientService]))
        .await;
    let asked = scene
        .client
        .post(PATHS[0])
        .bearer(&backend)
        .header("x-applicationid", &scene.application)
        .header("x-urlbase", "https://a.example");
    asked.json(&order()).send().await.is(403, "access_denied");
    let no_base = scene
        .client
        .post(PATHS[0])
        .bearer(&scene.bearer)
        .header("x-applicationid", &scene.application)
        .json(&order());
    no_base.send().await.says(
        400,
        "invalid_request",
        "X-UrlBase is required with client credentials",
    );
    let no_application = scene
        .client
        .post(PATHS[0])
        .bearer(&scene.bearer)
        .header("x-urlbase", "https://a.example")
        .json(&order());
    no_application.send().await.says(
        400,
        "invalid_request",
        "the header X-ApplicationId is required",
    );
    let test = scene.server.first_run["application_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let not_genesys = scene
        .client
        .post(PATHS[0])
        .bearer(&scene.bearer)
        .header("x-urlbase", "https://a.example")
        .header("x-applicationid", &test);
    not_genesys
        .json(&order())
        .send()
        .await
        .is(400, "invalid_request");
    assert_eq!(scene.genesys.journal().len(), 0, "nobody was asked");
}

#[tokio::test]
async fn an_order_in_which_something_is_wrong_is_told_what_before_anybody_is_asked() {
    let scene = Scene::new().await;
    let rows = [
        (
            json!({"queueName": "Support", "callbackNumbers": [NUMBER]}),
            "callbackUserName is required",
        ),
        (
            json!({"queueName": "Support", "callbackUserName": "A"}),
            "callbackNumbers must be a list of 1 to 10 numbers",
        ),
        (
            json!({"queueName": "Support", "callbackUserName": "A", "callbackNumbers": []}),
            "callbackNumbers must be a list of 1 to 10 numbers",
        ),
        (
            json!({"callbackUserName": "A", "callbackNumbers": [NUMBER]}),
            "queueId or queueName is required, in the request or in its routingData",
        ),
        (
            json!({"queueName": "Support", "callbackUserName": "A", "callbackNumbers": [NUMBER], "callbackScheduledTime": "2020-01-01T00:00:00Z"}),
            "callbackScheduledTime is past",
        ),
        (
            json!({"queueName": "Support", "callbackUserName": "A", "callbackNumbers": [NUMBER], "data": {"a": 1}}),
            "data must be an object of texts",
        ),
    ];
    for (body, told) in rows {
        scene
            .ordered(&body)
            .send()
            .await
            .says(400, "invalid_request", told);
    }
    let bad = scene
        .ordered(&order())
        .header("x-ticket-expiration-seconds", "soon")
        .send()
        .await;
    bad.says(
        400,
        "invalid_request",
        "X-Ticket-Expiration-Seconds must be a whole number of seconds",
    );
    assert_eq!(scene.genesys.journal().len(), 0, "nobody was asked");
    assert_eq!(scene.server.count("tickets"), 0);
}

#[tokio::test]
async fn s11_tickets_are_given_out_under_listed_addresses_alone_where_there_is_a_list() {
    let scene = Scene::new().await;
    let path = format!("/security/applications/{}", scene.application);
    let read = scene
        .client
        .get(&path)
        .bearer(&scene.bearer)
        .send()
        .await
        .ok()
        .json();
    let mut config = read["config"].clone();
    config["urlBases"] = json!(["https://auvious.video"]);
    let body = json!({"type": "GENESYS", "config": config});
    let changed = scene
        .client
        .put(&path)
        .bearer(&scene.bearer)
        .json(&body)
        .send()
        .await;
    assert_eq!(changed.status, 204, "{}", changed.text);
    scene.ordered(&order()).send().await.ok();
    let evil = scene
        .client
        .post(PATHS[0])
        .bearer(&scene.bearer)
        .header("x-applicationid", &scene.application);
    let evil = evil
        .header("x-urlbase", "https://evil.example")
        .json(&order())
        .send()
        .await;
    evil.says(
        400,
        "invalid_request",
        "X-UrlBase is none of the addresses in the application's urlBases",
    );
    assert_eq!(scene.callbacks(), 1);
}

#[tokio::test]
async fn s17_an_address_that_was_verified_is_no_number() {
    let scene = Scene::new().await;
    let address = "visitor@example.org";
    let body = json!({"to": address, "channel": "EMAIL"});
    let id = scene.created("/security/otp", &body, "id").await;
    let code = (id, scene.sent().await);
    let body =
        json!({"queueName": "Support", "callbackUserName": "Ann", "callbackNumbers": [address]});
    scene
        .paid(&code, &body)
        .send()
        .await
        .is(400, "invalid_request");
    assert_eq!(scene.callbacks(), 0);
}

#[tokio::test]
async fn whoever_has_no_good_code_is_told_nothing_of_applications() {
    let scene = Scene::new().await;
    let made_up = (
        "00000000-0000-4000-8000-000000000000".to_owned(),
        "123456".to_owned(),
    );
    let own = scene.server.first_run["application_id"].as_str().unwrap();
    let mut told = Vec::new();
    for application in [scene.application.as_str(), own, "none"] {
        let asked = scene
            .client
            .post(PATHS[0])
            .header("x-applicationid", application);
        let asked = asked
            .header("x-otpverificationid", &made_up.0)
            .header("x-otpcode", &made_up.1);
        let answer = asked.json(&order()).send().await;
        answer.is(404, "not_found");
        told.push(answer.text);
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
}

#[tokio::test]
async fn a_code_is_given_back_ten_times_and_no_more() {
    let scene = Scene::new().await;
    let code = scene.code().await;
    let nowhere =
        json!({"queueName": "Nowhere", "callbackUserName": "Ann", "callbackNumbers": [NUMBER]});
    for _ in 0..10 {
        scene
            .paid(&code, &nowhere)
            .send()
            .await
            .is(400, "invalid_request");
    }
    let answer = scene.paid(&code, &order()).send().await;
    answer.is(429, "too_many_requests");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(scene.callbacks(), 0);
}

#[tokio::test]
async fn a_gateway_that_lost_whom_it_asked_does_not_know_whether_the_callback_was_made() {
    for status in [408, 502, 504] {
        let scene = Scene::new().await;
        let code = scene.code().await;
        scene
            .genesys
            .fail(Fault::once(CALLBACKS, Kind::Status(status)));
        scene
            .paid(&code, &order())
            .send()
            .await
            .is(504, "upstream_unanswered");
        scene
            .paid(&code, &order())
            .send()
            .await
            .is(404, "not_found");
    }
}

#[tokio::test]
async fn nobody_speaks_to_the_agents_side_in_our_name() {
    let scene = Scene::new().await;
    let mut body = order();
    body["data"] = json!({"mine": "1", "context.auvious.agentUserId": "somebody"});
    scene.ordered(&body).send().await.ok();
    let data = scene.asked()["data"].clone();
    assert_eq!(data["mine"], "1");
    assert!(data.get("context.auvious.agentUserId").is_none(), "{data}");
}

#[tokio::test]
async fn a_callback_is_at_most_a_year_ahead() {
    let scene = Scene::new().await;
    let mut body = order();
    body["callbackScheduledTime"] = json!("9999-01-01T00:00:00Z");
    let told = "callbackScheduledTime is more than a year ahead";
    scene
        .ordered(&body)
        .send()
        .await
        .says(400, "invalid_request", told);
}

#[tokio::test]
async fn what_was_asked_for_is_settled_when_the_caller_has_hung_up() {
    let scene = Scene::new().await;
    let code = scene.code().await;
    let late = Kind::Slow(std::time::Duration::from_millis(500));
    scene.genesys.fail(Fault::once(CALLBACKS, late));
    let asking = scene.paid(&code, &order()).send();
    let hung_up = tokio::time::timeout(std::time::Duration::from_millis(200), asking).await;
    assert!(hung_up.is_err(), "it was answered");
    assert!(scene.server.appliance.waits_outside());
    jobs::settled(&scene.server.appliance, std::time::Duration::from_secs(10)).await;
    assert_eq!((scene.callbacks(), scene.server.count("tickets")), (1, 1));
    scene
        .paid(&code, &order())
        .send()
        .await
        .is(404, "not_found");
}
