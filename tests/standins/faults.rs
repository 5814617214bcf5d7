//! The ways an upstream fails when it is told to, in process and by `POST /faults`.

use std::time::{Duration, Instant};

use admit::standins::{Fault, Kind, StandIns};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::{answered, client, stage};

const SMS: &str = "/sms";

async fn send(stand_ins: &StandIns, client: &Client) -> Result<Response, reqwest::Error> {
    let message = json!({ "to": "+15550100", "text": "hello" });
    let url = format!("{}{SMS}", stand_ins.origin());
    client.post(url).json(&message).send().await
}

#[tokio::test]
async fn a_status_is_answered_as_often_as_told_in_the_vendors_words() {
    let (stand_ins, client) = stage().await;
    let queues = "/api/v2/routing/queues";
    let fault = Fault::once(queues, Kind::Status(429))
        .times(2)
        .retry_after(7);
    stand_ins.fail(fault);
    stand_ins.fail(Fault::once("/talkdesk/oauth/token", Kind::Status(503)));
    let url = format!("{}{queues}", stand_ins.origin());
    for _ in 0..2 {
        let response = client.get(&url).send().await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "7");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["code"], "too.many.requests");
    }
    // The fault is spent; what is wrong now is that there is no token.
    assert_eq!(answered(client.get(&url)).await.0, 401);
    let token = format!("{}/talkdesk/oauth/token", stand_ins.origin());
    let (status, body) = answered(client.post(token)).await;
    assert_eq!((status, &body["error"]), (503, &json!("server_error")));
    let statuses: Vec<_> = stand_ins
        .journal()
        .iter()
        .map(|entry| entry.status)
        .collect();
    assert_eq!(statuses, [Some(429), Some(429), Some(401), Some(503)]);
}

#[tokio::test]
async fn a_hanging_request_is_in_the_journal_without_an_answer() {
    let (stand_ins, client) = stage().await;
    stand_ins.fail(Fault::once(SMS, Kind::Hang));
    let url = format!("{}{SMS}", stand_ins.origin());
    let asked = client
        .post(url)
        .body("x")
        .timeout(Duration::from_millis(300));
    assert!(asked.send().await.unwrap_err().is_timeout());
    let journal = stand_ins.journal();
    assert_eq!((journal.len(), journal[0].status), (1, None));
    assert_eq!(send(&stand_ins, &client).await.unwrap().status(), 200);
    let stopping = Instant::now();
    stand_ins.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_connection_closes_on_a_request_that_was_read() {
    let (stand_ins, http2) = stage().await;
    let root = std::fs::read(stand_ins.authority()).unwrap();
    let http1 = Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&root).unwrap()])
        .http1_only()
        .no_proxy()
        .build()
        .unwrap();
    for client in [http1, http2] {
        stand_ins.fail(Fault::once(SMS, Kind::Close));
        let error = send(&stand_ins, &client).await.unwrap_err();
        assert!(error.is_request() && !error.is_timeout(), "{error:?}");
        assert_eq!(stand_ins.journal().last().unwrap().status, None);
        assert_eq!(send(&stand_ins, &client).await.unwrap().status(), 200);
    }
    assert_eq!(stand_ins.journal().len(), 4);
}

#[tokio::test]
async fn bodies_come_as_garbage_or_huge() {
    let (stand_ins, client) = stage().await;
    stand_ins.fail(Fault::once(SMS, Kind::Garbage));
    let response = send(&stand_ins, &client).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = response.text().await.unwrap();
    assert!(serde_json::from_str::<Value>(&body).is_err(), "{body}");
    stand_ins.fail(Fault::once(SMS, Kind::Huge));
    let body = send(&stand_ins, &client)
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert!(body.len() > 1024 * 1024);
    assert!(serde_json::from_slice::<Value>(&body).is_ok());
}

#[tokio::test]
async fn a_redirect_leads_to_what_the_journal_would_show() {
    let (stand_ins, client) = stage().await;
    let canary = "http://127.0.0.1:9/canary";
    stand_ins.fail(Fault::once(SMS, Kind::Redirect(None)));
    stand_ins.fail(Fault::once(SMS, Kind::Redirect(Some(canary.to_owned()))));
    let here = format!("{}/elsewhere", stand_ins.origin());
    for expected in [here.as_str(), canary] {
        let response = send(&stand_ins, &client).await.unwrap();
        assert_eq!(response.status(), 302);
        assert_eq!(response.headers()["location"], expected);
    }
    assert_eq!(answered(client.get(&here)).await.0, 404);
    assert_eq!(stand_ins.journal().last().unwrap().path, "/elsewhere");
}

#[tokio::test]
async fn a_slow_answer_is_right_and_others_do_not_wait_for_it() {
    let (stand_ins, client) = stage().await;
    let late = Duration::from_millis(700);
    stand_ins.fail(Fault::once(SMS, Kind::Slow(late)));
    let began = Instant::now();
    let slow = async {
        let response = send(&stand_ins, &client).await.unwrap();
        (response.status().as_u16(), began.elapsed())
    };
    let url = format!(
        "{}/nice/.well-known/openid-configuration",
        stand_ins.origin()
    );
    let quick = async {
        assert_eq!(answered(client.get(url)).await.0, 200);
        began.elapsed()
    };
    let ((status, slow), quick) = tokio::join!(slow, quick);
    assert_eq!(status, 200);
    assert!(slow >= late && quick < slow, "{slow:?} {quick:?}");
}

#[tokio::test]
async fn faults_are_told_over_http_and_taken_back() {
    let (stand_ins, client) = stage().await;
    let url = format!("{}/faults", stand_ins.origin());
    for wrong in [
        json!({ "path": SMS, "kind": "explode" }),
        json!({ "path": SMS, "kind": "status" }),
        json!({ "path": SMS, "kind": "status", "status": 99 }),
        json!({ "path": SMS, "kind": "hang", "tymes": 3 }),
        json!({ "kind": "hang" }),
    ] {
        let (status, body) = answered(client.post(&url).json(&wrong)).await;
        assert!(
            status == 400 && body["error"].is_string(),
            "{wrong}: {body}"
        );
    }
    // A page of another site can send text, but no JSON.
    let text = client.post(&url).header("content-type", "text/plain");
    let (status, _) = answered(text.body(r#"{"path":"/sms","kind":"hang"}"#)).await;
    assert_eq!(status, 400);

    let fault =
        json!({ "path": SMS, "kind": "status", "status": 500, "times": 9, "retryAfter": 2 });
    let told = client.post(&url).json(&fault).send().await.unwrap();
    assert_eq!(told.status(), 204);
    let failed = send(&stand_ins, &client).await.unwrap();
    assert_eq!(
        (failed.status().as_u16(), &failed.headers()["retry-after"]),
        (500, &"2".parse().unwrap())
    );
    let mended = client.delete(&url).send().await.unwrap();
    assert_eq!(mended.status(), 204);
    assert_eq!(send(&stand_ins, &client).await.unwrap().status(), 200);
    // What the stand-ins are told themselves is not what they received.
    assert_eq!(stand_ins.journal().len(), 2);
}

#[tokio::test]
async fn stand_ins_stop_with_their_owner_and_leave_no_folder() {
    let stand_ins = StandIns::start().await.unwrap();
    let client = client(&stand_ins);
    let origin = stand_ins.origin().to_owned();
    let folder = stand_ins
        .authority()
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    assert!(folder.exists());
    drop(stand_ins);
    assert!(!folder.exists());
    assert!(client.get(origin).send().await.is_err());
}
