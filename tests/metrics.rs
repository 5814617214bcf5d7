//! Health, readiness and figures: who may read them, what they say when the disk fails, and that a parser that is not
//! ours and the dashboard agree with them.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use admit::kernel::Timestamp;
use admit::store::{FaultyDisk, Table, Verdict};
use serde_json::{Value, json};

use crate::clients::python;
use crate::support::client::{Answer, Client};
use crate::support::server::{Server, Setup};

async fn figures(client: &Client) -> String {
    let answer = client.get("/metrics").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(
        answer
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    answer.text
}

/// The value of the first sample that begins so, if there is one.
fn value(text: &str, sample: &str) -> Option<f64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(sample));
    let found = lines.find_map(|rest| rest.strip_prefix(' '));
    found.map(|value| value.parse().unwrap())
}

#[test]
fn a_figure_that_is_not_there_is_not_taken_for_zero() {
    let text = "admit_store_failed 0\nadmit_store_failed_more 1\n";
    assert_eq!(value(text, "admit_store_failed"), Some(0.0));
    assert_eq!(value(text, "admit_store"), None);
}

#[tokio::test]
async fn what_happened_is_in_the_figures_and_no_id_is() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
    assert_eq!(client.login(&ticket).await.status, 200);
    assert_eq!(client.login(&ticket).await.status, 400);
    let path = format!("/security/ticket/{ticket}");
    assert_eq!(client.get(&path).bearer(&bearer).send().await.status, 200);
    let text = figures(&client).await;
    for (sample, expected) in [
        (
            r#"admit_tokens_issued_total{grant="client_credentials"}"#,
            1.0,
        ),
        (r#"admit_tokens_issued_total{grant="ticket"}"#, 1.0),
        (r#"admit_tickets_refused_total{reason="USED"}"#, 1.0),
        (r#"admit_events_total{action="ticket.issued"}"#, 1.0),
        (r#"admit_events_total{action="ticket.redeemed"}"#, 1.0),
        (r#"admit_store_records{table="tickets"}"#, 1.0),
        (
            r#"admit_requests_total{method="GET",route="/security/ticket/{ticketId}",status="2xx"}"#,
            1.0,
        ),
        (
            r#"admit_request_seconds_count{route="/security/ticket/{ticketId}"}"#,
            1.0,
        ),
        ("admit_store_failed", 0.0),
    ] {
        assert!(
            (value(&text, sample).unwrap() - expected).abs() < 0.1,
            "{sample}\n{text}"
        );
    }
    for sample in [
        "admit_store_writes_total",
        "admit_store_barrier_seconds_count",
        "admit_store_batch_writes_count",
        "admit_store_free_bytes",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        assert!(value(&text, sample).unwrap() > 0.0, "{sample}\n{text}");
    }
    assert!(!text.contains(&ticket) && !text.contains(&server.first_client().id));
    parsed(&text);
}

#[tokio::test]
async fn a_crowd_of_messages_is_counted_up_to_a_bound() {
    const DUE: Table<(u8, Timestamp, String), ()> = Table::named("outbox_due");
    const SMS: u8 = 1;
    let server = Server::start().await;
    let client = Client::of(&server);
    let store = server.appliance.store();
    let due = server.appliance.own_context().now;
    for (number, counted) in [(999, 999.0), (1_001, 1_000.0)] {
        let written = store.write::<(), ()>(|tx| {
            for message in 0..number {
                tx.put(&DUE, &(SMS, due, message.to_string()), &())?;
            }
            Ok(Verdict::Commit(()))
        });
        store.durable(written.unwrap().mark).wait().unwrap();
        let text = figures(&client).await;
        let told = value(&text, r#"admit_messages_waiting{channel="SMS"}"#);
        assert_eq!(told, Some(counted));
    }
    let text = figures(&client).await;
    assert!(text.contains("at most 1000 of each are counted"), "{text}");
}

/// Python's own client for Prometheus reads it, strictly.
fn parsed(text: &str) {
    let script = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
assert len(families) > 15, families
assert all(family.documentation and family.type != 'unknown' for family in families)
";
    let mut child = Command::new(python())
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(
        said.status.success(),
        "{}\n{text}",
        String::from_utf8_lossy(&said.stderr)
    );
}

#[tokio::test]
async fn the_dashboard_shows_figures_that_there_are() {
    let server = Server::start().await;
    let client = Client::of(&server);
    // A figure of things that happen is there once one has happened.
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "SINGLE_USE_TICKET").await;
    for status in [200, 400] {
        assert_eq!(client.login(&ticket).await.status, status);
    }
    let text = figures(&client).await;
    let known: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let dashboard: Value =
        serde_json::from_str(include_str!("../packaging/grafana/admit.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 15);
    let mut shown = Vec::new();
    for target in panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
    {
        let expression = target["expr"].as_str().unwrap();
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        shown.extend(
            words.filter(|word| word.starts_with("admit_") || word.starts_with("process_")),
        );
    }
    let family = |sample: &str| {
        let ends = ["_total", "_bucket"];
        let cut = ends.iter().find_map(|end| sample.strip_suffix(end));
        cut.unwrap_or(sample).to_owned()
    };
    // What has not happened yet has no line; its name stands in the program all the same.
    let source = include_str!("../src/http/ops/metrics.rs");
    let is_named = |sample: &str| source.contains(&format!("\"{}\"", family(sample)));
    for sample in &shown {
        let is_known = known.contains(&family(sample).as_str());
        assert!(is_known || is_named(sample), "{sample}");
    }
    for name in known {
        assert!(
            shown.iter().any(|sample| family(sample) == name),
            "{name} is not shown"
        );
    }
}

#[tokio::test]
async fn strangers_find_nothing_at_the_figures() {
    let proxied = Setup {
        trusted_proxies: vec![[127, 0, 0, 1].into()],
        ..Setup::default()
    };
    for (setup, header) in [
        (proxied, ("x-forwarded-for", "203.0.113.9")),
        // A proxy nobody told us of: whoever it speaks for is not this machine.
        (Setup::default(), ("x-forwarded-for", "127.0.0.1")),
        (Setup::default(), ("forwarded", "for=127.0.0.1")),
        (Setup::default(), ("via", "1.1 proxy")),
    ] {
        let server = Server::with(setup).await;
        let client = Client::of(&server);
        let ask = async |path: &str| client.get(path).header(header.0, header.1).send().await;
        let (figures, nothing) = (ask("/metrics").await, ask("/metrix").await);
        assert_eq!((figures.status, nothing.status), (404, 404), "{header:?}");
        let told = |answer: &Answer| answer.text.replace(answer.header("x-request-id"), "");
        assert_eq!(told(&figures), told(&nothing));
        assert_eq!(
            client
                .post("/metrics")
                .header(header.0, header.1)
                .send()
                .await
                .status,
            404
        );
        assert_eq!(ask("/health/ready").await.status, 200);
        assert_eq!(client.get("/metrics").send().await.status, 200);
    }
}

#[tokio::test]
async fn a_server_whose_disk_has_failed_lives_and_is_not_ready() {
    let disk = Arc::new(FaultyDisk::failing_at(300));
    let setup = Setup {
        disk,
        ..Setup::default()
    };
    let server = Server::with(setup).await;
    let client = Client::of(&server);
    assert_eq!(
        client.get("/health/ready").send().await.json(),
        json!({"status": "ready"})
    );
    let bearer = client.bearer(&server.first_client()).await;
    let body = json!({"type": "SINGLE_USE_TICKET", "properties": {}});
    while client
        .post("/security/ticket")
        .bearer(&bearer)
        .json(&body)
        .send()
        .await
        .status
        == 200
    {}
    assert_eq!(
        client.get("/health/live").send().await.json(),
        json!({"status": "live"})
    );
    let ready = client.get("/health/ready").send().await;
    assert_eq!(ready.status, 503);
    let told = ready.json();
    assert_eq!(told["status"], "not ready");
    assert!(
        told["why"][0]
            .as_str()
            .unwrap()
            .contains("look at the disk"),
        "{told}"
    );
    let text = figures(&client).await;
    assert!(value(&text, "admit_store_failed").unwrap() > 0.5);
}
