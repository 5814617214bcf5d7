//! `GET /security/ticket/{id}/event`: the calendar file as two parsers that are not ours read it, and the links.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clients::python;
use crate::support::client::{Answer, Client};
use crate::support::raw;
use crate::support::server::{Server, Setup};

async fn set_up(setup: Setup) -> (Server, Client, String) {
    let server = Server::with(setup).await;
    let client = Client::of(&server);
    let bearer = client.bearer(&server.first_client()).await;
    (server, client, bearer)
}

async fn scheduled(client: &Client, bearer: &str, properties: Value) -> String {
    let mut properties = properties;
    properties["scheduled_date"] = json!("2026-11-21T21:30:24.936571Z");
    let body = json!({"type": "SCHEDULE_TICKET", "properties": properties});
    client.issue(bearer, &body).await["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn event(client: &Client, bearer: &str, ticket: &str) -> Answer {
    client
        .get(&format!("/security/ticket/{ticket}/event"))
        .bearer(bearer)
        .send()
        .await
        .ok()
}

/// What each of the two parsers sees in a calendar file.
fn read_back(file: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("event.ics");
    std::fs::write(&path, file).unwrap();
    let python = python();
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/clients/calendar_check.py"
    );
    let ran = Command::new(&python).arg(script).arg(&path).output();
    let ran =
        ran.unwrap_or_else(|error| panic!("{}: {error}; tests/run installs it", python.display()));
    assert!(
        ran.status.success(),
        "{}\n{file}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let lines = String::from_utf8(ran.stdout).unwrap();
    let seen: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(seen.len(), 2, "{lines}");
    seen
}

const NAMES: [&str; 12] = [
    "CREATED",
    "DESCRIPTION",
    "DTEND",
    "DTSTAMP",
    "DTSTART",
    "LAST-MODIFIED",
    "LOCATION",
    "SEQUENCE",
    "STATUS",
    "SUMMARY",
    "UID",
    "URL",
];

#[tokio::test]
async fn an_event_is_published_and_cancelled_once_its_ticket_is_withdrawn() {
    let setup = Setup {
        public_url: Some("https://video.example.org"),
        ..Setup::default()
    };
    let (_server, client, bearer) = set_up(setup).await;
    for (word, back) in [("disable", Some("enable")), ("revoke", None)] {
        let ticket = scheduled(
            &client,
            &bearer,
            json!({"title": "Advice", "duration_minutes": 45, "location": "Room 7"}),
        )
        .await;
        let link = format!("https://video.example.org/t/{ticket}");
        let answer = event(&client, &bearer, &ticket).await;
        assert_eq!(
            answer.header("content-type"),
            "text/calendar; charset=utf-8; method=PUBLISH"
        );
        assert_eq!(
            answer.header("content-disposition"),
            "attachment; filename=\"event.ics\""
        );
        let first = read_back(&answer.text);
        for seen in &first {
            let who = &seen["parser"];
            assert_eq!(seen["method"], "PUBLISH", "{who}");
            assert_eq!(seen["summary"], "Advice", "{who}");
            assert_eq!(seen["location"], "Room 7", "{who}");
            assert_eq!(
                seen["description"],
                format!("Join the video meeting: {link}"),
                "{who}"
            );
            assert_eq!(seen["url"], link, "{who}");
            assert_eq!(seen["start"], "2026-11-21T21:30:24Z", "{who}");
            assert_eq!(seen["end"], "2026-11-21T22:15:24Z", "{who}");
            assert_eq!(seen["sequence"], 0, "{who}");
            assert_eq!(seen["status"], "CONFIRMED", "{who}");
            assert_eq!(seen["alarm"], "-PT15M", "{who}");
            assert_eq!(seen["names"], json!(NAMES), "{who}");
        }
        let switch = |word: &str| {
            client
                .post(&format!("/security/ticket/{ticket}/{word}"))
                .bearer(&bearer)
                .send()
        };
        assert_eq!(switch(word).await.status, 204);
        let answer = event(&client, &bearer, &ticket).await;
        assert_eq!(
            answer.header("content-type"),
            "text/calendar; charset=utf-8; method=CANCEL"
        );
        for (seen, before) in read_back(&answer.text).iter().zip(&first) {
            assert_eq!(seen["method"], "CANCEL", "{word}");
            assert_eq!(seen["status"], "CANCELLED", "{word}");
            assert_eq!(seen["uid"], before["uid"], "{word}");
            assert_eq!(seen["sequence"], 1, "{word}");
            assert_eq!(seen["alarm"], Value::Null, "{word}");
            assert_eq!(seen["names"], json!(NAMES), "{word}");
        }
        if let Some(back) = back {
            assert_eq!(switch(back).await.status, 204);
            for (seen, before) in read_back(&event(&client, &bearer, &ticket).await.text)
                .iter()
                .zip(&first)
            {
                assert_eq!(
                    (&seen["method"], &seen["sequence"], &seen["uid"]),
                    (&json!("PUBLISH"), &json!(2), &before["uid"])
                );
            }
        }
    }
}

#[tokio::test]
async fn a_moved_ticket_moves_its_event_under_the_same_name() {
    let (server, client, bearer) = set_up(Setup::default()).await;
    let ticket = scheduled(&client, &bearer, json!({})).await;
    let first = read_back(&event(&client, &bearer, &ticket).await.text);
    server.advance(Duration::from_mins(5));
    let body = json!({"properties": {"scheduled_date": "2026-12-24T18:00:00+01:00"}});
    client
        .put(&format!("/security/ticket/{ticket}"))
        .bearer(&bearer)
        .json(&body)
        .send()
        .await
        .ok();
    for (seen, before) in read_back(&event(&client, &bearer, &ticket).await.text)
        .iter()
        .zip(&first)
    {
        assert_eq!(seen["start"], "2026-12-24T17:00:00Z");
        assert_eq!(seen["end"], "2026-12-24T18:00:00Z");
        assert_eq!(seen["uid"], before["uid"]);
        assert_eq!(seen["sequence"], 1);
    }
}

/// What a reader may see of a hostile line: nothing that could end one.
fn one_line(text: &str) -> String {
    let kept = text
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}'));
    kept.take(200).collect::<String>().trim().to_owned()
}

#[tokio::test]
async fn s13_a_hostile_title_is_a_title_to_both_parsers() {
    let (server, client, bearer) = set_up(Setup::default()).await;
    let long = "größere Pläne 漢字 🦀 ".repeat(9);
    let rows = [
        ("carriage return", "a\rATTENDEE:mailto:evil@example.org"),
        ("line feed", "a\nATTENDEE:mailto:evil@example.org"),
        ("both", "a\r\nURL:https://evil.example\r\n"),
        ("both, folded", "a\r\n ATTENDEE:x\r\n\tURL:y"),
        ("next line", "a\u{85}ATTENDEE:mailto:evil@example.org"),
        ("line separator", "a\u{2028}ATTENDEE:x\u{2029}URL:y"),
        (
            "vertical tab and form feed",
            "a\u{b}ATTENDEE:x\u{c}URL:y\u{1c}B:c\u{1d}D:e\u{1e}F:g",
        ),
        ("many octets", long.as_str()),
        ("four octets each", &"🦀".repeat(150)),
        ("an alarm", "BEGIN:VALARM\r\nACTION:EMAIL\r\nEND:VALARM"),
        ("the end", "END:VEVENT\r\nEND:VCALENDAR\r\nBEGIN:VCALENDAR"),
        ("separators", "a;b,c:d=e"),
        ("backslashes", "a\\b\\\\c\\n\\N\\;\\,\\"),
        ("quotes", "\"a\" 'b' ^n ^' &amp; %0d%0a"),
        ("a parameter", ";LANGUAGE=\"x\":y"),
        ("nothing that prints", "\r\n\u{85}\u{2028}"),
        ("zero and delete", "a\u{0}b\u{7f}c"),
    ];
    for (name, title) in rows {
        let properties = json!({"title": title, "location": title, "description": title, "organizer": title, "attendee": title, "timezone": title, "language": title});
        let ticket = scheduled(&client, &bearer, properties).await;
        let answer = event(&client, &bearer, &ticket).await;
        let lines = answer.text.strip_suffix("\r\n").unwrap().split("\r\n");
        for line in lines {
            assert!(line.len() <= 75, "{name}: {} octets: {line}", line.len());
            assert!(!line.contains(|c: char| c.is_control()), "{name}: {line:?}");
        }
        let url = format!("{}/t/{ticket}", server.appliance.base());
        let shown = one_line(title);
        let summary = if shown.is_empty() {
            "Video meeting".to_owned()
        } else {
            shown.clone()
        };
        let location = if shown.is_empty() { url.clone() } else { shown };
        for seen in read_back(&answer.text) {
            let who = format!("{name}: {}", seen["parser"]);
            assert_eq!(seen["names"], json!(NAMES), "{who}");
            assert_eq!(seen["summary"], summary, "{who}");
            assert_eq!(seen["location"], location, "{who}");
            assert_eq!(seen["url"], url, "{who}");
            assert_eq!(seen["alarm"], "-PT15M", "{who}");
            let text = seen["description"].as_str().unwrap();
            let hostile =
                |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{2029}');
            assert!(!text.contains(hostile), "{who}: {text:?}");
            let bare = |text: &str| -> String {
                text.chars()
                    .filter(|c| !c.is_whitespace() && !c.is_control())
                    .collect()
            };
            let expected = if bare(title).is_empty() {
                bare(&format!("Join the video meeting: {url}"))
            } else {
                bare(title)
            };
            assert_eq!(bare(text), expected, "{who}");
        }
    }
}

#[tokio::test]
async fn a_named_calendar_is_a_redirect_to_its_add_event_page() {
    let setup = Setup {
        public_url: Some("https://video.example.org"),
        ..Setup::default()
    };
    let (_server, client, bearer) = set_up(setup).await;
    let ticket = scheduled(&client, &bearer, json!({"title": "A & B\r\nX: y"})).await;
    let path = format!("/security/ticket/{ticket}/event");
    let rows = [
        ("google", "https://calendar.google.com/"),
        ("outlook", "https://outlook.live.com/"),
        ("office365", "https://outlook.office.com/"),
        ("yahoo", "https://calendar.yahoo.com/"),
    ];
    for (name, host) in rows {
        let answer = client
            .get(&format!("{path}?calendar={name}"))
            .bearer(&bearer)
            .send()
            .await;
        assert_eq!((answer.status, answer.text.as_str()), (302, ""), "{name}");
        let location = answer.header("location");
        assert!(location.starts_with(host), "{name}: {location}");
        assert!(location.contains("A%20%26%20B"), "{name}: {location}");
        let link = format!("https%3A%2F%2Fvideo.example.org%2Ft%2F{ticket}");
        assert!(location.contains(&link), "{name}: {location}");
    }
    for same in ["", "?calendar=", "?calendar=ics", "?calender=google"] {
        let answer = client
            .get(&format!("{path}{same}"))
            .bearer(&bearer)
            .send()
            .await
            .ok();
        assert!(answer.text.starts_with("BEGIN:VCALENDAR\r\n"), "{same}");
    }
    for other in [
        "apple",
        "GOOGLE",
        "https://evil.example",
        "google%0d%0ax",
        "google&calendar=yahoo",
    ] {
        let answer = client
            .get(&format!("{path}?calendar={other}"))
            .bearer(&bearer)
            .send()
            .await;
        answer.is(400, "invalid_request");
    }
}

#[tokio::test]
async fn s12_a_link_is_built_from_the_configured_address_whatever_the_request_says() {
    let setup = Setup {
        public_url: Some("https://video.example.org"),
        ..Setup::default()
    };
    let (server, client, bearer) = set_up(setup).await;
    let ticket = scheduled(&client, &bearer, json!({})).await;
    let path = format!("/security/ticket/{ticket}/event");
    let ours = format!("URL:https://video.example.org/t/{ticket}\r\n");
    let forwarded = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-port", "1"),
        ("x-original-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=http"),
    ];
    for (name, value) in forwarded {
        let answer = client
            .get(&path)
            .bearer(&bearer)
            .header(name, value)
            .send()
            .await
            .ok();
        assert!(
            answer.text.contains(&ours) && !answer.text.contains("evil"),
            "{name}: {}",
            answer.text
        );
    }
    let hosts = [
        ("Host: evil.example", 421),
        ("Host: evil.example:443", 421),
        ("Host: localhost.evil.example", 421),
        ("Host: {host}\nHost: evil.example", 400),
        ("Host: user@{host}", 400),
        ("Host: {host}/x", 400),
        ("Host: ", 400),
        ("X-Nothing: x", 400),
        ("Host: {host}", 200),
        ("Host: LOCALHOST", 200),
        ("Host: 127.0.0.1", 200),
    ];
    for (host, status) in hosts {
        let head = format!("GET {path} HTTP/1.1\n{host}\nAuthorization: Bearer {bearer}");
        let answer = raw::say(&server, &head, "").await;
        assert_eq!(answer.status, status, "{host}: {}", answer.text);
        assert_eq!(answer.text.contains(&ours), status == 200, "{host}");
        assert!(!answer.text.contains("evil"), "{host}");
    }
    let head = format!(
        "GET https://evil.example{path} HTTP/1.1\nHost: {{host}}\nAuthorization: Bearer {bearer}"
    );
    assert_eq!(raw::say(&server, &head, "").await.status, 400);
}
