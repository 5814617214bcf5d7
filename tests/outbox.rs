//! Messages on their way: whoever asks never waits for them, they are tried again as long as their code is good, and
//! those nobody delivers are kept for the operator.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use admit::domain::admin::{self, AdminCommand, AdminReply, MessageView};
use admit::domain::ports::{Answer, Courier, Message, Undelivered};
use admit::jobs::{self, Couriers};
use admit::kernel::{Fault, VerificationId};
use admit::store::{Key, Record, Table, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::security::otp::Desk;
use crate::support::courier::{Mood, Recording};

const TO: &str = "+306957206309";
const OTHER: &str = "+306940000001";

fn listed(desk: &Desk) -> Vec<MessageView> {
    let cx = desk.server.appliance.own_context();
    let reply = admin::execute(&cx, AdminCommand::Outbox).unwrap();
    let AdminReply::Outbox(all) = reply else {
        panic!("{reply:?}")
    };
    desk.server.settle(&cx);
    all
}

fn only(desk: &Desk) -> MessageView {
    let all = listed(desk);
    assert_eq!(all.len(), 1);
    all.into_iter().next().unwrap()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    let waited = timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "{what}");
}

#[tokio::test]
async fn a_message_without_a_courier_is_kept_until_its_code_is_over() {
    let desk = Desk::open().await;
    let id = desk
        .ask(&json!({ "to": TO, "locale": "el" }))
        .await
        .ok()
        .member("id");
    assert_eq!(
        (only(&desk).state.as_str(), only(&desk).code),
        ("waiting", None)
    );
    let figures = async || desk.client.get("/metrics").send().await.text;
    let waiting = |text: &str, channel: &str, count: u8| {
        let sample = format!("admit_messages_waiting{{channel=\"{channel}\"}} {count}\n");
        assert!(text.contains(&sample), "{text}");
    };
    let text = figures().await;
    waiting(&text, "SMS", 1);
    waiting(&text, "EMAIL", 0);
    let none = Couriers::default();
    let deliver = async || {
        jobs::outbox::deliver_once(&desk.server.appliance, &none)
            .await
            .unwrap()
    };
    assert_eq!(deliver().await, 1);
    assert_eq!(deliver().await, 0);
    waiting(&figures().await, "SMS", 0);
    let kept = only(&desk);
    assert_eq!(
        (kept.state.as_str(), kept.to.as_deref(), kept.tries),
        ("kept", Some(TO), 0)
    );
    assert_eq!(
        (kept.locale.as_deref(), kept.sender.as_deref()),
        (Some("el"), Some("Admit"))
    );
    let code = kept.code.unwrap();
    let claim = json!({ "to": TO, "code": code, "verificationId": id });
    let verify = desk
        .client
        .post("/security/otp/verify")
        .bearer(&desk.bearer);
    assert_eq!(verify.json(&claim).send().await.status, 204);
    assert_eq!(only(&desk).code, Some(code), "it may still pay");
    let desk = desk.restart().await;
    assert!(only(&desk).code.is_some());
    desk.server.advance(Duration::from_mins(10));
    assert_eq!((only(&desk).code, only(&desk).to), (None, None));
    while jobs::sweep_once(&desk.server.appliance).await.unwrap() > 0 {}
    assert!(listed(&desk).is_empty());
}

#[tokio::test]
async fn what_was_delivered_loses_everything_but_the_fact() {
    let desk = Desk::open().await;
    desk.sent(TO).await;
    let view = only(&desk);
    assert_eq!(
        (view.state.as_str(), view.tries, view.channel.as_str()),
        ("delivered", 1, "SMS")
    );
    assert_eq!(
        (view.to, view.code, view.sender, view.locale),
        (None, None, None, None)
    );
    assert_eq!(desk.deliver().await, 0);
}

#[tokio::test]
async fn a_message_that_fails_is_tried_later_and_later_under_one_id_and_then_given_up() {
    let desk = Desk::open().await;
    desk.courier.turn(Mood::Fails);
    desk.ask(&json!({ "to": TO })).await.ok();
    assert_eq!(desk.deliver().await, 1);
    for pause in [1, 5, 15, 45, 90, 90, 90, 90, 90] {
        desk.server
            .advance(Duration::from_micros(pause * 1_000_000 - 1));
        assert_eq!(desk.deliver().await, 0, "{pause}");
        desk.server.advance(Duration::from_micros(1));
        assert_eq!(desk.deliver().await, 1, "{pause}");
    }
    let given = desk.courier.given();
    assert_eq!(given.len(), 10);
    assert!(given.iter().all(|message| message.id == given[0].id));
    assert!(
        given
            .iter()
            .all(|message| message.code.expose() == given[0].code.expose())
    );
    assert_eq!((given[0].minutes, given[9].minutes), (10, 2));
    // The next try would come when the code is over.
    let view = only(&desk);
    assert_eq!(
        (view.state.as_str(), view.tries, view.to),
        ("given up", 10, None)
    );
    assert_eq!(view.reason.as_deref(), Some("the gateway answers 502"));
}

#[tokio::test]
async fn a_message_that_is_refused_for_good_is_given_up_at_once() {
    let desk = Desk::open().await;
    desk.courier.turn(Mood::Refuses);
    let told = desk.server.count("audit");
    desk.ask(&json!({ "to": TO })).await.ok();
    assert_eq!(desk.deliver().await, 1);
    assert_eq!(desk.server.count("audit") - told, 2);
    assert_eq!(
        (only(&desk).state.as_str(), only(&desk).tries),
        ("given up", 1)
    );
    desk.server.advance(Duration::from_mins(5));
    assert_eq!(desk.deliver().await, 0);
}

#[tokio::test]
async fn a_message_waits_through_a_restart_and_is_not_sent_when_its_code_was_used() {
    let desk = Desk::open().await;
    let id = desk.ask(&json!({ "to": TO })).await.ok().member("id");
    desk.courier.turn(Mood::Fails);
    desk.deliver().await;
    let desk = desk.restart().await;
    desk.ask(&json!({ "to": TO })).await.ok();
    desk.courier.turn(Mood::Takes);
    assert_eq!(desk.deliver().await, 1, "the first one is not due yet");
    let message = desk.courier.last();
    let claim = json!({ "to": TO, "code": message.code.expose(), "verificationId": id });
    let verify = desk
        .client
        .post("/security/otp/verify")
        .bearer(&desk.bearer);
    assert_eq!(verify.json(&claim).send().await.status, 204);
    desk.server.advance(Duration::from_secs(1));
    assert_eq!(desk.deliver().await, 0);
    let mut states: Vec<String> = listed(&desk).into_iter().map(|view| view.state).collect();
    states.sort();
    assert_eq!(states, ["delivered", "given up"]);
}

#[tokio::test]
async fn a_request_rings_for_the_couriers_and_waits_for_none_of_them() {
    let desk = Desk::open().await;
    let working = tokio::spawn(jobs::outbox::run(
        Arc::clone(&desk.server.appliance),
        desk.couriers(),
    ));
    desk.ask(&json!({ "to": TO })).await.ok();
    until("the message is delivered", || {
        desk.courier.given().len() == 1
    })
    .await;
    until("which is noted", || only(&desk).state == "delivered").await;

    desk.courier.turn(Mood::Hangs);
    let asked = Instant::now();
    desk.ask(&json!({ "to": OTHER })).await.ok();
    assert!(asked.elapsed() < Duration::from_secs(5));
    until("the courier was asked", || desk.courier.given().len() == 2).await;
    let asked = Instant::now();
    desk.ask(&json!({ "to": OTHER })).await.ok();
    assert!(asked.elapsed() < Duration::from_secs(5));
    // Others on the same channel do not wait for the one that hangs.
    until("the next one was asked for", || {
        desk.courier.given().len() == 3
    })
    .await;
    desk.courier.turn(Mood::Takes);
    desk.ask(&json!({ "to": "+306911111111" })).await.ok();
    until("the last one is delivered", || {
        let all = listed(&desk).into_iter();
        all.filter(|view| view.state == "delivered").count() == 2
    })
    .await;
    working.abort();
    let _ = working.await;
}

#[tokio::test]
async fn a_courier_that_hangs_holds_up_no_other_channel_however_many_wait_for_it() {
    let desk = Desk::governed(|policy| policy.codes.unanswered_per_hour = 1_000).await;
    let hung = Recording::new(Mood::Hangs);
    let couriers = Couriers {
        sms: Some(Arc::clone(&hung) as Arc<dyn Courier>),
        ..desk.couriers()
    };
    let working = tokio::spawn(jobs::outbox::run(
        Arc::clone(&desk.server.appliance),
        couriers,
    ));
    for at in 0..20 {
        let to = format!("+30690{at:03}0000");
        desk.ask(&json!({ "to": to })).await.ok();
    }
    until("eight are under way", || hung.given().len() == 8).await;
    desk.ask(&json!({ "to": "a@example.org", "channel": "EMAIL" }))
        .await
        .ok();
    desk.ask(&json!({ "to": OTHER, "channel": "VOICE" }))
        .await
        .ok();
    until("the others are delivered", || {
        desk.courier.given().len() == 2
    })
    .await;
    assert_eq!(hung.given().len(), 8);
    working.abort();
    let _ = working.await;
}

#[tokio::test]
async fn messages_left_before_a_stop_are_taken_away_after_the_start() {
    let desk = Desk::open().await;
    for at in 0..5 {
        let to = format!("+30690{at:03}0000");
        desk.ask(&json!({ "to": to })).await.ok();
    }
    let desk = desk.restart().await;
    let working = tokio::spawn(jobs::outbox::run(
        Arc::clone(&desk.server.appliance),
        desk.couriers(),
    ));
    until("all are delivered", || {
        listed(&desk).iter().all(|view| view.state == "delivered")
    })
    .await;
    assert_eq!(desk.courier.given().len(), 5);
    working.abort();
    let _ = working.await;
}

/// What stands in place of a record nobody can read any more.
#[derive(Serialize, Deserialize)]
struct Broken;

impl Record for Broken {
    const VERSION: u8 = 99;
}

fn break_all<K: Key>(desk: &Desk, table: &'static str, keys: &[K]) {
    let table: Table<K, Broken> = Table::named(table);
    let store = desk.server.appliance.store();
    let written = store.write(|tx| {
        for key in keys {
            tx.put(&table, key, &Broken)?;
        }
        Ok(Verdict::<(), Fault>::Commit(()))
    });
    store.durable(written.unwrap().mark).wait().unwrap();
}

fn ids(desk: &Desk) -> Vec<String> {
    let all = listed(desk).into_iter();
    all.map(|view| view.message_id).collect()
}

#[tokio::test]
async fn messages_that_cannot_be_read_hold_up_neither_their_channel_nor_the_list() {
    let desk = Desk::governed(|policy| policy.codes.unanswered_per_hour = 1_000).await;
    for at in 0..20 {
        let to = format!("+30690{at:03}0000");
        desk.ask(&json!({ "to": to })).await.ok();
    }
    break_all(&desk, "outbox", &ids(&desk)[..10]);
    desk.server.advance(Duration::from_secs(1));
    desk.ask(&json!({ "to": TO })).await.ok();
    desk.ask(&json!({ "to": "a@example.org", "channel": "EMAIL" }))
        .await
        .ok();
    // Each round looks at eight, and none of them comes again.
    for _ in 0..4 {
        desk.deliver().await;
    }
    assert_eq!(desk.courier.given().len(), 12);
    assert_eq!(listed(&desk).len(), 12);
    assert_eq!(desk.server.count("outbox_due"), 0);

    let id = desk.ask(&json!({ "to": OTHER })).await.ok().member("id");
    let id: VerificationId = id.parse().unwrap();
    break_all(&desk, "verifications", &[id]);
    desk.ask(&json!({ "to": "+306911111111" })).await.ok();
    desk.deliver().await;
    assert_eq!(desk.courier.last().to, "+306911111111");
    assert_eq!(listed(&desk).len(), 14);
    assert_eq!(desk.server.count("outbox_due"), 0);
}

/// A courier that takes messages away as soon as it is let.
struct Gate {
    given: Mutex<Vec<String>>,
    open: Semaphore,
}

impl Courier for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn deliver<'a>(&'a self, message: &'a Message) -> Answer<'a, Result<(), Undelivered>> {
        self.given.lock().unwrap().push(message.to.clone());
        Box::pin(async move {
            let _passed = self.open.acquire().await.unwrap();
            Ok(())
        })
    }
}

#[tokio::test]
async fn eight_messages_whose_outcome_cannot_be_noted_do_not_silence_their_channel() {
    let desk = Desk::governed(|policy| policy.codes.unanswered_per_hour = 1_000).await;
    let gate = Arc::new(Gate {
        given: Mutex::default(),
        open: Semaphore::new(0),
    });
    let couriers = Couriers {
        sms: Some(Arc::clone(&gate) as Arc<dyn Courier>),
        ..desk.couriers()
    };
    for at in 0..8 {
        let to = format!("+30690{at:03}0000");
        desk.ask(&json!({ "to": to })).await.ok();
    }
    let working = tokio::spawn(jobs::outbox::run(
        Arc::clone(&desk.server.appliance),
        couriers,
    ));
    until("eight are under way", || {
        gate.given.lock().unwrap().len() == 8
    })
    .await;
    break_all(&desk, "outbox", &ids(&desk));
    gate.open.add_permits(8);
    desk.ask(&json!({ "to": TO })).await.ok();
    until("the ninth is delivered", || {
        gate.given.lock().unwrap().iter().any(|to| to == TO)
    })
    .await;
    assert_eq!(gate.given.lock().unwrap().len(), 9);
    working.abort();
    let _ = working.await;
}

#[tokio::test]
async fn whoever_reads_the_codes_that_are_kept_is_on_the_record() {
    let desk = Desk::open().await;
    desk.ask(&json!({ "to": TO })).await.ok();
    let before = desk.server.count("audit");
    listed(&desk);
    assert_eq!(desk.server.count("audit") - before, 1);
}
