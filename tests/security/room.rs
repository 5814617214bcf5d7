//! `/security/facades/room` and its old name: a room and a ticket for it in one call, for programs alone.

use admit::domain::access::Role;
use form_urlencoded::parse;
use serde_json::{Value, json};

use crate::support::accounts::{admin, signed_in_as};
use crate::support::client::{Answer, Client};
use crate::support::server::Server;

const PATHS: [&str; 2] = ["/security/facades/room", "/security/genesys/room"];

async fn set_up() -> (Server, Client, String) {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    (server, client, bearer)
}

fn application(server: &Server) -> String {
    server.first_run["application_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn open(client: &Client, bearer: &str, body: &Value) -> Answer {
    client.post(PATHS[0]).bearer(bearer).json(body).send().await
}

fn ticket_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

fn query_of(url: &str) -> Vec<(String, String)> {
    let query = url.split_once('?').unwrap().1;
    parse(query.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn the_official_scripts_request_opens_a_room_under_both_names() {
    let (server, client, bearer) = set_up().await;
    let application = application(&server);
    for path in PATHS {
        let body = json!({
            "applicationId": application, "cdestination": "standalone", "customerId": "c-1", "interactionId": "i-1",
            "ticketExpirationSeconds": 14_400, "urlBase": "https://auvious.video/",
        });
        let answer = client
            .post(path)
            .bearer(&bearer)
            .json(&body)
            .send()
            .await
            .ok();
        let room = answer.json();
        let url = room["ticketUrl"].as_str().unwrap();
        assert!(url.starts_with("https://auvious.video/t/"), "{url}");
        // One official example reads the last seven characters of the path.
        let ticket = ticket_of(url);
        assert_eq!(&url[url.len() - 7..], ticket);
        let read = client
            .get(&format!("/security/ticket/{ticket}"))
            .bearer(&bearer)
            .send()
            .await
            .ok()
            .json();
        let conference = read["properties"]["conference_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let told = json!({
            "applicationId": application, "conference_id": conference, "customer_id": "c-1", "interaction_id": "i-1",
            "cdestination": "standalone", "corigin": "api",
        });
        assert_eq!(read["properties"], told);
        assert_eq!(read["type"], "MULTI_USE_TICKET");
        assert_eq!(read["expiresAt"], "2026-11-21T16:00:00Z");
        let agent = room["agentUrl"].as_str().unwrap();
        assert!(agent.starts_with("https://auvious.video/a?"), "{agent}");
        let pairs = [
            ("aid", &*application),
            ("roomId", &conference),
            ("cdestination", "standalone"),
            ("corigin", "api"),
        ];
        assert_eq!(
            query_of(agent),
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert!(
            room.get("recordingUrl").is_none(),
            "nothing is recorded: {room}"
        );
        let login = client.login(ticket).await.ok();
        assert_eq!(login.member("conference_id"), conference);
    }
}

#[tokio::test]
async fn what_the_vendors_action_leaves_out_is_as_usual() {
    let (server, client, bearer) = set_up().await;
    let body = json!({"applicationId": application(&server), "interactionId": "i"});
    let room = open(&client, &bearer, &body).await.ok().json();
    let base = client.base();
    let url = room["ticketUrl"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("{base}/t/")),
        "our own address: {url}"
    );
    assert!(
        room["agentUrl"]
            .as_str()
            .unwrap()
            .contains("cdestination=standalone")
    );
}

#[tokio::test]
async fn the_ticket_is_as_long_and_lives_as_long_as_asked() {
    let (server, client, bearer) = set_up().await;
    let body = json!({"applicationId": application(&server), "ticketLength": 9, "ticketExpirationSeconds": 60});
    let room = open(&client, &bearer, &body).await.ok().json();
    let ticket = ticket_of(room["ticketUrl"].as_str().unwrap());
    assert_eq!(ticket.len(), "xxx-xxx-xxx".len());
    let read = client
        .get(&format!("/security/ticket/{ticket}"))
        .bearer(&bearer)
        .send()
        .await
        .ok()
        .json();
    assert_eq!(read["expiresAt"], "2026-11-21T12:01:00Z");
}

#[tokio::test]
async fn only_a_program_that_is_at_least_an_agent_opens_a_room() {
    let (server, client, bearer) = set_up().await;
    let body = json!({"applicationId": application(&server)});
    client
        .post(PATHS[0])
        .json(&body)
        .send()
        .await
        .is(401, "unauthorized");
    let own = server.organization();
    let rows = [
        (vec![Role::ClientService], 403),
        (vec![Role::Agent], 200),
        (vec![Role::Supervisor], 200),
        (vec![Role::Admin], 200),
        (vec![Role::Service], 200),
    ];
    for (roles, expected) in rows {
        let bearer = client.bearer(&server.register(&own, &roles)).await;
        let answer = open(&client, &bearer, &body).await;
        assert_eq!(answer.status, expected, "{roles:?}: {}", answer.text);
    }
    let person = signed_in_as(&server, &admin(&server), "customer", "*");
    open(&client, &person.token, &body)
        .await
        .is(403, "access_denied");
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let customer = client.login(&ticket).await.ok().member("access_token");
    open(&client, &customer, &body)
        .await
        .is(403, "access_denied");
}

#[tokio::test]
async fn s4_another_organizations_application_is_as_if_there_were_none() {
    let (server, client, _) = set_up().await;
    let other = server.found("other");
    let foreign = client
        .bearer(&server.register(&other, &[Role::Admin]))
        .await;
    let before = server.counts();
    let body = json!({"applicationId": application(&server)});
    let theirs = open(&client, &foreign, &body).await;
    theirs.is(404, "not_found");
    let missing = open(&client, &foreign, &json!({"applicationId": "none"})).await;
    assert_eq!(theirs.text, missing.text);
    let named = json!({"applicationId": application(&server), "organizationId": server.organization().as_str()});
    open(&client, &foreign, &named)
        .await
        .is(403, "access_denied");
    assert_eq!(server.counts(), before);
    let service = client
        .bearer(&server.register(&other, &[Role::Service]))
        .await;
    for body in [&body, &named] {
        let room = open(&client, &service, body).await.ok().json();
        let ticket = ticket_of(room["ticketUrl"].as_str().unwrap()).to_owned();
        let read = client
            .get(&format!("/security/ticket/{ticket}"))
            .bearer(&service)
            .send()
            .await
            .ok()
            .json();
        assert_eq!(
            read["organizationId"],
            server.organization().as_str(),
            "the application's organization"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_is_told_precisely_and_changes_nothing() {
    let (server, client, bearer) = set_up().await;
    let application = application(&server);
    let before = server.counts();
    let rows = [
        (json!({}), "applicationId is required"),
        (json!({"applicationId": 7}), "applicationId must be text"),
        (
            json!({"applicationId": "a b"}),
            "applicationId is not a valid application identifier",
        ),
        (
            json!({"applicationId": application, "urlBase": "javascript:alert(1)"}),
            "urlBase is not an address such as",
        ),
        (
            json!({"applicationId": application, "urlBase": "ftp://a.example"}),
            "urlBase is not an address such as",
        ),
        (
            json!({"applicationId": application, "urlBase": "https://a.example/?x=1"}),
            "urlBase is not an address such as",
        ),
        (
            json!({"applicationId": application, "urlBase": "https://u:p@a.example"}),
            "urlBase is not an address such as",
        ),
        (
            json!({"applicationId": application, "cdestination": "moon"}),
            "cdestination must be one of mobile-office,",
        ),
        (
            json!({"applicationId": application, "ticketLength": 5}),
            "ticketLength must be from 6 to 32",
        ),
        (
            json!({"applicationId": application, "ticketLength": 33}),
            "ticketLength must be from 6 to 32",
        ),
        (
            json!({"applicationId": application, "ticketExpirationSeconds": 0}),
            "ticketExpirationSeconds must be from 1 to 2592000 seconds",
        ),
        (
            json!({"applicationId": application, "ticketExpirationSeconds": -1}),
            "ticketExpirationSeconds must be from 1 to 2592000 seconds",
        ),
        (
            json!({"applicationId": application, "ticketExpirationSeconds": 9_999_999_999_i64}),
            "ticketExpirationSeconds must be from 1 to 2592000 seconds",
        ),
        (
            json!({"applicationId": application, "ticketExpirationSeconds": "1"}),
            "ticketExpirationSeconds must be a whole number",
        ),
    ];
    for (body, told) in rows {
        let answer = open(&client, &bearer, &body).await;
        answer.is(400, "invalid_request");
        let said = answer.member("error_description");
        assert!(said.starts_with(told), "{said}");
    }
    let answer = client.get(PATHS[0]).bearer(&bearer).send().await;
    answer.is(405, "method_not_allowed");
    assert_eq!(server.counts(), before);
}

#[tokio::test]
async fn values_are_escaped_in_addresses_so_that_nothing_can_be_added_to_them() {
    let (server, client, bearer) = set_up().await;
    let body = json!({"applicationId": application(&server), "customerId": "a&roomId=other#x", "interactionId": "\u{3b5} /?"});
    let room = open(&client, &bearer, &body).await.ok().json();
    assert_eq!(
        query_of(room["agentUrl"].as_str().unwrap()).len(),
        4,
        "{room}"
    );
    let ticket = ticket_of(room["ticketUrl"].as_str().unwrap()).to_owned();
    let read = client
        .get(&format!("/security/ticket/{ticket}"))
        .bearer(&bearer)
        .send()
        .await
        .ok()
        .json();
    assert_eq!(read["properties"]["customer_id"], "a&roomId=other#x");
}
