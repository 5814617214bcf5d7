//! `/security/otp`: product §7 and rows S14 to S17 of the threat table.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use admit::domain::access::Role;
use admit::domain::applications::{self, Application, Kind, Sealed};
use admit::domain::otp::{self, Held};
use admit::domain::policy::Policy;
use admit::domain::ports::{Channel, Locale};
use admit::jobs::{self, Couriers};
use admit::kernel::{ApplicationId, Fault, Network, OrgId, Properties};
use admit::store::{Tx, Verdict};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::client::{Answer, Client};
use crate::support::courier::{Mood, Recording, everywhere};
use crate::support::server::{Server, Setup};

const TO: &str = "+306957206309";
const OTHER: &str = "+306940000001";
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A server, a client with a token, and a courier.
pub(crate) struct Desk {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) bearer: String,
    pub(crate) courier: Arc<Recording>,
}

impl Desk {
    pub(crate) async fn open() -> Self {
        Self::governed(|_| {}).await
    }

    pub(crate) async fn governed(change: impl FnOnce(&mut Policy)) -> Self {
        let mut setup = Setup {
            public_url: Some("https://localhost"),
            ..Setup::default()
        };
        change(&mut setup.policy);
        Self::at(Server::with(setup).await, Recording::new(Mood::Takes)).await
    }

    /// One whose numbers may stay unanswered: what is tested is another limit.
    async fn patient() -> Self {
        Self::governed(patient).await
    }

    async fn at(server: Server, courier: Arc<Recording>) -> Self {
        let client = Client::of(&server);
        let bearer = client.bearer(&server.first_client()).await;
        Self {
            server,
            client,
            bearer,
            courier,
        }
    }

    pub(crate) async fn restart(self) -> Self {
        let courier = Arc::clone(&self.courier);
        drop(self.client);
        Self::at(self.server.restart().await, courier).await
    }

    pub(crate) fn couriers(&self) -> Couriers {
        everywhere(&self.courier)
    }

    pub(crate) async fn deliver(&self) -> usize {
        let couriers = self.couriers();
        jobs::outbox::deliver_once(&self.server.appliance, &couriers)
            .await
            .unwrap()
    }

    async fn fresh_bearer(&mut self) {
        self.bearer = self.client.bearer(&self.server.first_client()).await;
    }

    pub(crate) async fn ask(&self, body: &Value) -> Answer {
        ask(&self.client, Some(&self.bearer), body).await
    }

    async fn check(&self, to: &str, code: &str, id: &str) -> Answer {
        check(&self.client, Some(&self.bearer), (to, code, id)).await
    }

    /// A code sent there: its verification and itself.
    pub(crate) async fn sent(&self, to: &str) -> (String, String) {
        let id = self.ask(&json!({ "to": to })).await.ok().member("id");
        self.deliver().await;
        (id, self.code_for(to))
    }

    /// The last code that went there as a short message; those of one instant go out in any order.
    fn code_for(&self, to: &str) -> String {
        let given = self.courier.given().into_iter().rev();
        let mut of_sms = given.filter(|message| message.channel == Channel::Sms);
        let message = of_sms.find(|message| message.to == to).unwrap();
        message.code.expose().clone()
    }

    async fn verified(&self, to: &str) -> (String, String) {
        let (id, code) = self.sent(to).await;
        done(&self.check(to, &code, &id).await);
        (id, code)
    }

    /// One transaction of whoever is paid by a code.
    fn within<T>(&self, step: impl Fn(&Tx<'_>, &admit::domain::Cx<'_>) -> Result<T, Fault>) -> T {
        let cx = self.server.appliance.own_context();
        let store = self.server.appliance.store();
        let written = store.write(|tx| Ok(Verdict::<T, Fault>::Commit(step(tx, &cx)?)));
        let written = written.unwrap();
        store.durable(written.mark).wait().unwrap();
        written.outcome.unwrap()
    }

    fn hold(&self, id: &str, code: &str) -> Result<Held, otp::Error> {
        let id = id.parse().unwrap();
        self.within(|tx, cx| otp::hold(tx, cx, &id, code))
    }

    fn spend(&self, id: &str) -> bool {
        let id = id.parse().unwrap();
        self.within(|tx, cx| otp::spend(tx, cx, &id))
    }

    fn release(&self, id: &str) {
        let id = id.parse().unwrap();
        self.within(|tx, cx| otp::release(tx, cx, &id));
    }
}

fn patient(policy: &mut Policy) {
    policy.codes.unanswered_per_hour = 100_000;
}

async fn ask(client: &Client, bearer: Option<&str>, body: &Value) -> Answer {
    let request = client.post("/security/otp").json(body);
    match bearer {
        Some(bearer) => request.bearer(bearer),
        None => request,
    }
    .send()
    .await
}

async fn check(
    client: &Client,
    bearer: Option<&str>,
    (to, code, id): (&str, &str, &str),
) -> Answer {
    let body = json!({ "to": to, "code": code, "verificationId": id });
    let request = client.post("/security/otp/verify").json(&body);
    match bearer {
        Some(bearer) => request.bearer(bearer),
        None => request,
    }
    .send()
    .await
}

#[track_caller]
fn done(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
}

/// Is refused for so many seconds, in these words.
#[track_caller]
fn paused(answer: &Answer, seconds: u64, words: &str) {
    answer.says(429, "too_many_requests", words);
    assert_eq!(answer.header("retry-after"), seconds.to_string());
}

const LATELY: &str = "too many codes were sent to this destination in ten minutes";
const TODAY: &str = "too many codes were sent to this destination today";
const NO_COUNTRY: &str = "hardly any code sent to this country comes back; sending is paused";
const NOWHERE: &str = "hardly any code comes back; sending is paused but to countries that answer";
const NEIGHBOURS: &str =
    "too many codes were sent to numbers that differ in their last digits alone";
const WRONG: &str = "too many wrong codes; try again later";

/// Another code of as many digits.
fn other_than(code: &str) -> String {
    let first = if code.starts_with('1') { '2' } else { '1' };
    format!("{first}{}", &code[1..])
}

/// An application of that organization.
fn application(server: &Server, organization: &OrgId) -> ApplicationId {
    let cx = server.appliance.own_context();
    let application = Application {
        id: ApplicationId::draw(server.appliance.entropy().as_ref()),
        organization: organization.clone(),
        kind: Kind::Test,
        config: Properties::default(),
        service_parameters: None,
        is_visible: true,
        created_at: cx.now,
        expires_at: None,
        version: 0,
        vouches: true,
    };
    let sealed = Sealed::of(&cx, &application).unwrap();
    let store = server.appliance.store();
    let written = store.write(|tx| {
        applications::put(tx, &sealed)?;
        Ok(Verdict::<(), Fault>::Commit(()))
    });
    store.durable(written.unwrap().mark).wait().unwrap();
    application.id
}

#[tokio::test]
async fn a_code_is_sent_and_verified_on_every_channel() {
    let desk = Desk::open().await;
    let rows = [
        (json!({ "to": TO }), Channel::Sms),
        (json!({ "to": TO, "channel": null }), Channel::Sms),
        (json!({ "to": OTHER, "channel": "VOICE" }), Channel::Voice),
        (
            json!({ "to": "Al@Example.org", "channel": "EMAIL" }),
            Channel::Email,
        ),
    ];
    for (body, channel) in rows {
        let to = body["to"].as_str().unwrap();
        let answer = desk.ask(&body).await.ok();
        assert_eq!(answer.json().as_object().unwrap().len(), 1);
        let id = answer.member("id");
        assert_eq!(desk.deliver().await, 1);
        let message = desk.courier.last();
        assert_eq!((message.channel, message.to.as_str()), (channel, to));
        assert_eq!(message.code.expose().len(), 6);
        assert_eq!((message.minutes, message.sender.as_str()), (10, "Admit"));
        assert_eq!(message.locale, Locale::USUAL);
        if channel == Channel::Sms && body.get("channel").is_none() {
            continue;
        }
        // The domain of an address has no case.
        let to = to.replace("Example.org", "eXample.ORG");
        done(&desk.check(&to, message.code.expose(), &id).await);
    }
}

#[tokio::test]
async fn the_contracts_own_example_and_every_locale_of_its_list_are_taken() {
    let desk = Desk::patient().await;
    let locales = "af, ar, ca, cs, da, de, el, en, en-GB, es, fi, fr, he, hi, hr, hu, id, it, ja, ko, ms, nb, nl, pl, \
                   pt, pr-BR, ro, ru, sv, th, tl, tr, vi, zh, zh-CN, zh-HK, pt-BR";
    for (at, locale) in locales.split(", ").enumerate() {
        // No two of them are neighbours.
        let to = format!("+306900{at:03}000");
        let body =
            json!({ "to": to, "channel": "SMS", "customName": "hello, world", "locale": locale });
        desk.ask(&body).await.ok();
        desk.deliver().await;
        let message = desk.courier.last();
        let spelt = if locale == "pr-BR" { "pt-BR" } else { locale };
        assert_eq!(message.locale.as_str(), spelt);
        assert_eq!(message.sender, "hello, world");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_in_words_and_changes_nothing() {
    let desk = Desk::open().await;
    let before = desk.server.counts();
    let rows = [
        (json!({}), "to is required"),
        (json!({ "to": 5 }), "to must be text"),
        (
            json!({ "to": TO, "channel": "UNKNOWN" }),
            "channel must be one of SMS, VOICE, EMAIL",
        ),
        (
            json!({ "to": TO, "channel": "sms" }),
            "channel must be one of",
        ),
        (
            json!({ "to": TO, "channel": "FAX" }),
            "channel must be one of",
        ),
        (
            json!({ "to": TO, "locale": "xx" }),
            "locale is not one of the languages",
        ),
        (
            json!({ "to": TO, "locale": "EN" }),
            "locale is not one of the languages",
        ),
        (
            json!({ "to": "306957206309" }),
            "to must be a telephone number as E.164 writes it",
        ),
        (
            json!({ "to": "+3006957206309" }),
            "to must be a telephone number",
        ),
        (
            json!({ "to": "+30 695 720 6309" }),
            "to must be a telephone number",
        ),
        (
            json!({ "to": "al@example.org" }),
            "to must be a telephone number",
        ),
        (
            json!({ "to": TO, "channel": "EMAIL" }),
            "to must be an e-mail address",
        ),
        (
            json!({ "to": "a@example.org\r\nBcc: b@example.org", "channel": "EMAIL" }),
            "to must be an e-mail address",
        ),
        (
            json!({ "to": "+88161234567" }),
            "no codes are sent to numbers that begin with +881",
        ),
        (
            json!({ "to": TO, "customName": "see evil.example" }),
            "customName must not contain an address",
        ),
        (
            json!({ "to": TO, "customName": "a\nb" }),
            "customName may have letters, digits",
        ),
        (
            json!({ "to": TO, "customName": "twenty-one characters" }),
            "customName must be at most 20",
        ),
        (
            json!({ "to": TO, "customName": "code 123456" }),
            "customName must have at most three digits",
        ),
    ];
    for (body, words) in rows {
        let answer = desk.ask(&body).await;
        answer.is(400, "invalid_request");
        let said = answer.member("error_description");
        assert!(said.starts_with(words), "{body}: {said}");
    }
    for path in ["/security/otp", "/security/otp/verify"] {
        let answer = desk.client.get(path).bearer(&desk.bearer).send().await;
        answer.is(405, "method_not_allowed");
        let answer = desk.client.post(path).bearer(&desk.bearer);
        answer
            .body("text/plain", "x")
            .send()
            .await
            .is(415, "invalid_request");
    }
    for body in [json!({ "to": TO }), json!({ "to": TO, "code": "1" })] {
        let answer = desk
            .client
            .post("/security/otp/verify")
            .bearer(&desk.bearer);
        answer.json(&body).send().await.is(400, "invalid_request");
    }
    assert_eq!(desk.server.counts(), before);
}

#[tokio::test]
async fn agents_and_services_ask_for_codes_and_customers_and_strangers_do_not() {
    let desk = Desk::open().await;
    let organization = desk.server.organization();
    let body = json!({ "to": TO });
    for (role, status) in [
        (Role::Agent, 200),
        (Role::Supervisor, 200),
        (Role::Admin, 200),
        (Role::ClientService, 200),
        (Role::Service, 200),
    ] {
        let bearer = desk
            .client
            .bearer(&desk.server.register(&organization, &[role]))
            .await;
        assert_eq!(
            ask(&desk.client, Some(&bearer), &body).await.status,
            status,
            "{role:?}"
        );
    }
    let nobody = desk.server.register(&organization, &[]);
    let ticket = desk
        .client
        .ticket(&desk.bearer_of(Role::Agent).await, "MULTI_USE_TICKET")
        .await;
    let customer = desk.client.login(&ticket).await.ok().member("access_token");
    for bearer in [customer, desk.client.bearer(&nobody).await] {
        ask(&desk.client, Some(&bearer), &body)
            .await
            .is(403, "access_denied");
        check(&desk.client, Some(&bearer), (TO, "123456", "any"))
            .await
            .is(403, "access_denied");
    }
    ask(&desk.client, None, &body).await.is(401, "unauthorized");
    check(&desk.client, None, (TO, "123456", "any"))
        .await
        .is(401, "unauthorized");
}

impl Desk {
    async fn bearer_of(&self, role: Role) -> String {
        let client = self.server.register(&self.server.organization(), &[role]);
        self.client.bearer(&client).await
    }
}

#[tokio::test]
async fn asked_again_the_same_code_goes_out_under_the_same_id_also_over_a_restart() {
    let mut desk = Desk::open().await;
    let (id, code) = desk.sent(TO).await;
    desk.server.advance(4 * MINUTE);
    let body = json!({ "to": TO, "locale": "el", "customName": "Αθήνα" });
    assert_eq!(desk.ask(&body).await.ok().member("id"), id);
    desk.deliver().await;
    let again = desk.courier.last();
    assert_eq!((again.code.expose(), again.minutes), (&code, 6));
    assert_eq!(
        (again.locale.as_str(), again.sender.as_str()),
        ("el", "Αθήνα")
    );
    let ids: BTreeSet<String> = desk.courier.given().into_iter().map(|m| m.id).collect();
    assert_eq!(ids.len(), 2, "each message has its own id");

    desk = desk.restart().await;
    assert_eq!(desk.sent(TO).await, (id.clone(), code.clone()));
    // On another channel, under an application or in another organization it is another code.
    let voice = desk.ask(&json!({ "to": TO, "channel": "VOICE" })).await;
    voice.is(429, "too_many_requests");
    desk.server.advance(10 * MINUTE);
    let (next, fresh) = desk.sent(TO).await;
    assert!(next != id && fresh != code);
    let voice = desk
        .ask(&json!({ "to": TO, "channel": "VOICE" }))
        .await
        .ok()
        .member("id");
    assert_ne!(voice, next);
    // Once verified it is over for whoever asks again, and good for whoever checks again.
    done(&desk.check(TO, &fresh, &next).await);
    let (third, _) = desk.sent(TO).await;
    assert_ne!(third, next);
    done(&desk.check(TO, &fresh, &next).await);
}

#[tokio::test]
async fn a_code_is_good_to_the_second_however_it_lies_to_the_clock() {
    for offset in [0, 1, 299, 599] {
        let desk = Desk::open().await;
        desk.server.advance(Duration::from_secs(offset));
        let (id, code) = desk.sent(TO).await;
        let (other, second) = desk.sent(OTHER).await;
        desk.server.advance(Duration::from_micros(600_000_000 - 1));
        done(&desk.check(TO, &code, &id).await);
        desk.server.advance(Duration::from_micros(1));
        for (to, code, id) in [(TO, &code, &id), (OTHER, &second, &other)] {
            desk.check(to, code, id).await.is(404, "not_found");
        }
    }
}

#[tokio::test]
async fn a_wrong_code_is_told_and_five_of_them_end_the_verification() {
    let desk = Desk::open().await;
    let (id, code) = desk.sent(TO).await;
    let wrong = other_than(&code);
    for _ in 0..4 {
        desk.check(TO, &wrong, &id)
            .await
            .says(400, "invalid_code", "the code is wrong");
    }
    done(&desk.check(TO, &code, &id).await);
    desk.check(TO, &wrong, &id).await.is(400, "invalid_code");
    desk.server.advance(MINUTE);
    paused(&desk.check(TO, &code, &id).await, 540, WRONG);
    // A new one is made for whoever asks again.
    let (next, code) = desk.sent(TO).await;
    assert_ne!(next, id);
    done(&desk.check(TO, &code, &next).await);
}

#[tokio::test]
async fn s14_only_ascii_digits_of_the_right_number_are_a_code_and_everything_else_counts() {
    let desk = Desk::open().await;
    let (id, code) = desk.sent(TO).await;
    let full_width: String = code
        .chars()
        .map(|digit| char::from_u32(digit as u32 - 0x30 + 0xff10).unwrap())
        .collect();
    for wrong in [
        full_width.as_str(),
        &code[1..],
        &format!("0{code}"),
        &format!(" {code}"),
        "",
    ] {
        desk.check(TO, wrong, &id).await.is(400, "invalid_code");
    }
    paused(&desk.check(TO, &code, &id).await, 600, WRONG);
}

#[tokio::test]
async fn s14_two_hundred_guesses_at_once_are_looked_at_five_times() {
    let desk = Desk::open().await;
    let (id, code) = desk.sent(TO).await;
    let desk = Arc::new(desk);
    let mut guesses = JoinSet::new();
    for at in 0..200 {
        let (desk, id) = (Arc::clone(&desk), id.clone());
        let mut guess = format!("{at:06}");
        if guess == code {
            guess = "999999".into();
        }
        guesses.spawn(async move { desk.check(TO, &guess, &id).await });
    }
    let answers = guesses.join_all().await;
    let looked_at = answers.iter().filter(|answer| answer.status == 400);
    assert_eq!(looked_at.count(), 5);
    for answer in answers.iter().filter(|answer| answer.status != 400) {
        answer.is(429, "too_many_requests");
    }
    paused(&desk.check(TO, &code, &id).await, 600, WRONG);
}

#[tokio::test]
async fn s14_ten_wrong_codes_a_day_over_all_verifications_also_over_a_restart() {
    let mut desk = Desk::open().await;
    let voice = json!({ "to": TO, "channel": "VOICE" });
    let id = desk.ask(&voice).await.ok().member("id");
    desk.deliver().await;
    let code = desk.courier.last().code.expose().clone();
    for _ in 0..2 {
        let (id, code) = desk.sent(TO).await;
        for _ in 0..5 {
            desk.check(TO, &other_than(&code), &id)
                .await
                .is(400, "invalid_code");
        }
    }
    paused(&desk.check(TO, &code, &id).await, 86_400, WRONG);
    desk = desk.restart().await;
    paused(&desk.check(TO, &code, &id).await, 86_400, WRONG);
    // Nor does a message go out whose code nobody would look at.
    let before = desk.server.counts();
    paused(&desk.ask(&json!({ "to": TO })).await, 86_400, WRONG);
    paused(&desk.ask(&voice).await, 86_400, WRONG);
    assert_eq!(desk.server.counts(), before);
    // Another destination and another organization are none the worse.
    desk.verified(OTHER).await;
    let tenant = desk.server.found("other");
    let backend = desk.server.register(&tenant, &[Role::ClientService]);
    let bearer = desk.client.bearer(&backend).await;
    let foreign = ask(&desk.client, Some(&bearer), &json!({ "to": TO })).await;
    let foreign = foreign.ok().member("id");
    desk.deliver().await;
    let sent = desk.courier.last().code.expose().clone();
    done(&check(&desk.client, Some(&bearer), (TO, &sent, &foreign)).await);

    desk.server.advance(Duration::from_secs(86_400 - 1));
    desk.fresh_bearer().await;
    paused(&desk.ask(&json!({ "to": TO })).await, 1, WRONG);
    desk.server.advance(Duration::from_secs(1));
    desk.verified(TO).await;
}

#[tokio::test]
async fn s14_wrong_codes_are_counted_over_a_restart() {
    let mut desk = Desk::open().await;
    let (id, code) = desk.sent(TO).await;
    for _ in 0..5 {
        desk.check(TO, &other_than(&code), &id)
            .await
            .is(400, "invalid_code");
        desk = desk.restart().await;
    }
    paused(&desk.check(TO, &code, &id).await, 600, WRONG);
}

#[tokio::test]
async fn s15_a_destination_gets_five_in_ten_minutes_and_ten_a_day_also_over_a_restart() {
    let mut desk = Desk::patient().await;
    let body = json!({ "to": TO });
    for _ in 0..5 {
        desk.ask(&body).await.ok();
    }
    let before = desk.server.counts();
    paused(&desk.ask(&body).await, 600, LATELY);
    assert_eq!(desk.server.counts(), before, "nothing else is changed");
    desk = desk.restart().await;
    desk.server.advance(Duration::from_secs(600 - 1));
    paused(&desk.ask(&body).await, 1, LATELY);
    desk.server.advance(Duration::from_secs(1));
    for _ in 0..5 {
        desk.ask(&body).await.ok();
    }
    desk.server.advance(10 * MINUTE);
    paused(&desk.ask(&body).await, 85_200, TODAY);
    desk = desk.restart().await;
    paused(&desk.ask(&body).await, 85_200, TODAY);
    desk.ask(&json!({ "to": OTHER })).await.ok();
    desk.server.advance(DAY);
    desk.fresh_bearer().await;
    desk.ask(&body).await.ok();
}

#[tokio::test]
async fn s15_a_telephone_is_called_half_as_often_as_it_gets_messages() {
    let desk = Desk::patient().await;
    let voice = json!({ "to": TO, "channel": "VOICE" });
    for _ in 0..3 {
        desk.ask(&voice).await.ok();
    }
    paused(&desk.ask(&voice).await, 600, LATELY);
    desk.ask(&json!({ "to": TO })).await.ok();
}

#[tokio::test]
async fn s15_the_budgets_of_an_organization_and_of_everybody_end_for_the_day() {
    let mut desk = Desk::governed(|policy| {
        patient(policy);
        policy.codes.per_organization_per_day = 3;
        policy.codes.overall_per_day = 5;
    })
    .await;
    let body = |at: usize| json!({ "to": format!("+3069{at:03}00000") });
    let told = desk.server.count("audit");
    for at in 0..3 {
        desk.ask(&body(at)).await.ok();
    }
    assert_eq!(
        desk.server.count("audit") - told,
        4,
        "three requests and a budget used up"
    );
    let words = "the organization's codes for today are used up";
    paused(&desk.ask(&body(3)).await, 86_400, words);
    let tenant = desk.server.found("other");
    let bearer = desk
        .client
        .bearer(&desk.server.register(&tenant, &[Role::Agent]))
        .await;
    for at in 0..2 {
        ask(&desk.client, Some(&bearer), &body(at)).await.ok();
    }
    desk = desk.restart().await;
    let last = ask(&desk.client, Some(&bearer), &body(2)).await;
    paused(&last, 86_400, "this server's codes for today are used up");
    desk.server.advance(DAY);
    desk.fresh_bearer().await;
    desk.ask(&body(3)).await.ok();
}

#[tokio::test]
async fn s15_numbers_tried_one_after_the_other_are_refused() {
    let desk = Desk::patient().await;
    let to = |at: usize| format!("+306957206{at:03}");
    for at in 0..5 {
        desk.ask(&json!({ "to": to(at) })).await.ok();
    }
    paused(
        &desk.ask(&json!({ "to": to(500) })).await,
        3_600,
        NEIGHBOURS,
    );
    // Whoever has been sent one gets it again; numbers elsewhere are no neighbours; one that answers is none either.
    let (id, code) = desk.sent(&to(0)).await;
    desk.ask(&json!({ "to": "+306957207000" })).await.ok();
    done(&desk.check(&to(0), &code, &id).await);
    desk.ask(&json!({ "to": to(500) })).await.ok();
    paused(
        &desk.ask(&json!({ "to": to(501) })).await,
        3_600,
        NEIGHBOURS,
    );
    desk.server.advance(HOUR);
    desk.ask(&json!({ "to": to(501) })).await.ok();
}

#[tokio::test]
async fn s15_a_code_by_voice_takes_no_neighbour_back_that_was_counted_for_a_message() {
    let desk = Desk::patient().await;
    let to = |at: usize| format!("+306957206{at:03}");
    let (id, code) = desk.sent(&to(0)).await;
    for at in 1..5 {
        desk.ask(&json!({ "to": to(at) })).await.ok();
    }
    let voice = json!({ "to": to(0), "channel": "VOICE" });
    let called = desk.ask(&voice).await.ok().member("id");
    desk.deliver().await;
    let given = desk.courier.given();
    let spoken = given.iter().find(|one| one.channel == Channel::Voice);
    let spoken = spoken.unwrap().code.expose();
    done(&desk.check(&to(0), spoken, &called).await);
    let next = json!({ "to": to(500) });
    paused(&desk.ask(&next).await, 3_600, NEIGHBOURS);
    done(&desk.check(&to(0), &code, &id).await);
    desk.ask(&next).await.ok();
}

#[tokio::test]
async fn s15_an_address_is_one_destination_however_its_letters_are_written() {
    let desk = Desk::open().await;
    let spellings = ["al@example.org", "Al@example.org", "AL@Example.org"];
    let ask = async |to: &str| desk.ask(&json!({ "to": to, "channel": "EMAIL" })).await;
    let mut ids = BTreeSet::new();
    for to in spellings {
        let id = ask(to).await.ok().member("id");
        desk.deliver().await;
        let message = desk.courier.last();
        assert_eq!(message.to, to, "it goes where it was asked for");
        done(
            &desk
                .check("aL@example.org", message.code.expose(), &id)
                .await,
        );
        ids.insert(id);
    }
    assert_eq!(ids.len(), 3);
    for to in &spellings[..2] {
        ask(to).await.ok();
    }
    paused(&ask("aL@example.org").await, 600, LATELY);
}

#[tokio::test]
async fn s15_an_island_is_paused_without_north_america_and_not_reached_with_its_code() {
    let desk = Desk::open().await;
    desk.verified("+12025550123").await;
    for at in 0..9 {
        let to = format!("+18092{at}55000");
        desk.ask(&json!({ "to": to })).await.ok();
    }
    let island = json!({ "to": "+18095551234" });
    paused(&desk.ask(&island).await, 3_600, NOWHERE);
    desk.ask(&json!({ "to": "+14165550123" })).await.ok();
    let desk = Desk::governed(|policy| {
        policy.codes.allowed_prefixes = vec!["+1".into(), "+1876".into()];
    })
    .await;
    desk.ask(&island).await.is(400, "invalid_request");
    for to in ["+18765551234", "+12025550123", "+17875550123"] {
        desk.ask(&json!({ "to": to })).await.ok();
    }
}

/// Numbers of which no two are neighbours.
fn scattered(country: &str, at: usize) -> String {
    format!("+{country}69{at:05}000")
}

#[tokio::test]
async fn s15_a_country_nobody_answers_from_is_paused_until_codes_come_back_or_the_hour_is_over() {
    let mut desk = Desk::open().await;
    let body = |at: usize| json!({ "to": scattered("30", at) });
    let mut sent = Vec::new();
    for at in 0..10 {
        sent.push(desk.sent(&scattered("30", at)).await);
    }
    paused(&desk.ask(&body(10)).await, 3_600, NO_COUNTRY);
    desk = desk.restart().await;
    paused(&desk.ask(&body(10)).await, 3_600, NO_COUNTRY);
    // One in ten is not enough, two are.
    for (at, (id, code)) in sent.iter().take(2).enumerate() {
        paused(&desk.ask(&body(10)).await, 3_600, NO_COUNTRY);
        done(&desk.check(&scattered("30", at), code, id).await);
        // Checked again it counts no more.
        done(&desk.check(&scattered("30", at), code, id).await);
    }
    desk.ask(&body(10)).await.ok();
    paused(&desk.ask(&body(11)).await, 3_600, NO_COUNTRY);
    // A letter costs nothing worth a pause.
    for at in 0..15 {
        let to = format!("somebody-{at}@example.org");
        desk.ask(&json!({ "to": to, "channel": "EMAIL" }))
            .await
            .ok();
    }
    desk.server.advance(HOUR);
    desk.ask(&body(11)).await.ok();
}

#[tokio::test]
async fn s15_a_country_that_answers_goes_on_while_the_rest_of_the_world_is_paused() {
    let desk = Desk::open().await;
    desk.verified(TO).await;
    for at in 0..9 {
        desk.ask(&json!({ "to": scattered("49", at) })).await.ok();
    }
    paused(
        &desk.ask(&json!({ "to": scattered("57", 1) })).await,
        3_600,
        NOWHERE,
    );
    paused(
        &desk.ask(&json!({ "to": scattered("49", 10) })).await,
        3_600,
        NOWHERE,
    );
    desk.ask(&json!({ "to": OTHER })).await.ok();
}

#[tokio::test]
async fn s15_the_operators_prefixes_decide_where_codes_go() {
    let desk = Desk::governed(|policy| {
        policy.codes.allowed_prefixes = vec!["+30".into(), "+88161".into()];
        policy.codes.denied_prefixes = vec!["+30694".into()];
    })
    .await;
    desk.ask(&json!({ "to": TO })).await.ok();
    desk.ask(&json!({ "to": "+88161234567" })).await.ok();
    let rows = [
        (OTHER, "no codes are sent to numbers that begin with +30694"),
        ("+12025550123", "codes are sent to some countries alone"),
        ("+306957206", "no codes"),
        (
            "+309012345678",
            "no codes are sent to numbers that begin with +3090: they are charged",
        ),
        (
            "+88163234567",
            "no codes are sent to numbers that begin with +881: they are satellite",
        ),
    ];
    for (to, words) in rows {
        let answer = desk.ask(&json!({ "to": to })).await;
        if to == "+306957206" {
            answer.ok();
            continue;
        }
        answer.is(400, "invalid_request");
        let said = answer.member("error_description");
        assert!(said.starts_with(words), "{to}: {said}");
    }
    desk.ask(&json!({ "to": "a@example.org", "channel": "EMAIL" }))
        .await
        .ok();
}

/// Asks for a code to each of these numbers, many at once, and returns how many were sent.
async fn campaign(desk: &Arc<Desk>, numbers: Vec<String>, bearer: Option<&str>) -> usize {
    let clients: Vec<Client> = (1..=5)
        .map(|at| Client::from(&desk.server, [127, 0, at, 1].into()))
        .collect();
    let clients = Arc::new(clients);
    let numbers = Arc::new(numbers);
    let mut crowd = JoinSet::new();
    for at in 0..32 {
        let (clients, numbers) = (Arc::clone(&clients), Arc::clone(&numbers));
        let bearer = bearer.map(str::to_owned);
        crowd.spawn(async move {
            let mut sent = 0;
            for to in numbers.iter().skip(at).step_by(32) {
                let client = &clients[at % clients.len()];
                let answer = ask(client, bearer.as_deref(), &json!({ "to": to })).await;
                match answer.status {
                    200 => sent += 1,
                    429 => answer.is(429, "too_many_requests"),
                    _ => panic!("{to}: {}", answer.text),
                }
            }
            sent
        });
    }
    let sent = crowd.join_all().await.into_iter().sum();
    desk.deliver().await;
    sent
}

#[tokio::test]
async fn s15_a_campaign_of_ten_thousand_numbers_costs_ten_messages_an_hour() {
    let desk = Arc::new(Desk::open().await);
    let bearer = Some(desk.bearer.as_str());
    // In one country, one after the other; scattered; and all round the world.
    let one_by_one = (0..3_400).map(|at| format!("+3069570{at:05}")).collect();
    assert!(campaign(&desk, one_by_one, bearer).await <= 10);
    let here = (0..3_300).map(|at| scattered("30", at)).collect();
    campaign(&desk, here, bearer).await;
    let countries = ["1", "7", "49", "57", "63", "92", "216", "220", "252", "992"];
    let everywhere = (0..3_300).map(|at| scattered(countries[at % 10], at));
    campaign(&desk, everywhere.collect(), bearer).await;
    assert_eq!(desk.courier.given().len(), 10);
    desk.server.advance(HOUR);
    let next_hour = (0..100).map(|at| scattered("44", 200 + at)).collect();
    campaign(&desk, next_hour, bearer).await;
    assert_eq!(desk.courier.given().len(), 20);
}

#[tokio::test]
async fn s15_a_campaign_of_strangers_costs_no_more_from_however_many_networks() {
    let desk = Arc::new(Desk::governed(|policy| policy.codes.anonymous = true).await);
    let numbers = (0..1_000).map(|at| scattered("30", at)).collect();
    assert_eq!(campaign(&desk, numbers, None).await, 10);
    assert_eq!(desk.courier.given().len(), 10);
    // Whoever has a token notices nothing of it: neither in that country nor with a neighbour.
    for at in 2_000..2_009 {
        desk.ask(&json!({ "to": scattered("30", at) })).await.ok();
    }
    desk.verified(&scattered("49", 1)).await;
}

/// Strangers are refused by no network of theirs.
fn open_to_strangers(policy: &mut Policy) {
    patient(policy);
    policy.codes.anonymous = true;
    policy.codes.anonymous_per_network_per_hour = 1_000;
}

#[tokio::test]
async fn s15_strangers_use_up_a_fifth_of_a_budget_and_no_more() {
    let desk = Desk::governed(|policy| {
        open_to_strangers(policy);
        policy.codes.per_organization_per_day = 10;
        policy.codes.overall_per_day = 20;
    })
    .await;
    let body = |at: usize| json!({ "to": scattered("30", at) });
    for at in 0..2 {
        ask(&desk.client, None, &body(at)).await.ok();
    }
    let words = "the organization's codes for today are used up";
    paused(&ask(&desk.client, None, &body(2)).await, 86_400, words);
    for at in 2..10 {
        desk.ask(&body(at)).await.ok();
    }
    paused(&desk.ask(&body(10)).await, 86_400, words);
    // Those of other organizations have theirs, until all strangers together had a fifth.
    for (name, sent) in [("first", 2), ("second", 0)] {
        let tenant = desk.server.found(name);
        let app = application(&desk.server, &tenant);
        for at in 0..=sent {
            let request = desk.client.post("/security/otp").json(&body(at));
            let request = request.header("X-ApplicationId", app.as_str());
            let answer = request.send().await;
            let status = if at < sent { 200 } else { 429 };
            assert_eq!(answer.status, status, "{name} {at}");
        }
        let backend = desk.server.register(&tenant, &[Role::ClientService]);
        let bearer = desk.client.bearer(&backend).await;
        ask(&desk.client, Some(&bearer), &body(20)).await.ok();
    }
}

#[tokio::test]
async fn s15_strangers_stop_no_destination_and_no_neighbourhood_for_those_with_a_token() {
    let desk = Desk::governed(open_to_strangers).await;
    let body = json!({ "to": TO });
    let theirs = ask(&desk.client, None, &body).await.ok().member("id");
    for _ in 0..2 {
        ask(&desk.client, None, &body).await.ok();
    }
    paused(&ask(&desk.client, None, &body).await, 600, LATELY);
    for at in 0..4 {
        let to = format!("+306957206{at:03}");
        ask(&desk.client, None, &json!({ "to": to })).await.ok();
    }
    let next = json!({ "to": "+306957206999" });
    paused(&ask(&desk.client, None, &next).await, 3_600, NEIGHBOURS);
    desk.ask(&next).await.ok();
    desk.deliver().await;
    let (own, code) = desk.verified(TO).await;
    assert_ne!(own, theirs);
    // Nor by codes they guess wrong.
    for _ in 0..5 {
        let answer = check(&desk.client, None, (TO, "wrong", &theirs)).await;
        answer.is(400, "invalid_code");
    }
    desk.server.advance(10 * MINUTE);
    paused(&ask(&desk.client, None, &body).await, 85_800, WRONG);
    desk.check(TO, &code, &own).await.is(404, "not_found");
    desk.verified(TO).await;
}

#[tokio::test]
async fn strangers_ask_where_that_is_switched_on_within_the_budget_of_their_network() {
    let mut desk = Desk::governed(|policy| {
        patient(policy);
        policy.codes.anonymous = true;
        policy.codes.anonymous_per_network_per_hour = 3;
    })
    .await;
    let body = |at: usize| json!({ "to": scattered("30", at) });
    for at in 0..3 {
        let id = ask(&desk.client, None, &body(at)).await.ok().member("id");
        desk.deliver().await;
        let code = desk.courier.last().code.expose().clone();
        let to = scattered("30", at);
        done(&check(&desk.client, None, (&to, &code, &id)).await);
        // It is the first organization's, and so that of whoever has its token.
        done(&desk.check(&to, &code, &id).await);
    }
    let words = "too many codes were asked for from this network without a token in an hour";
    paused(&ask(&desk.client, None, &body(4)).await, 3_600, words);
    desk = desk.restart().await;
    paused(&ask(&desk.client, None, &body(4)).await, 3_600, words);
    desk.ask(&body(4)).await.ok();
    let elsewhere = Client::from(&desk.server, [127, 0, 9, 1].into());
    ask(&elsewhere, None, &body(5)).await.ok();
    // A bearer that is presented must be good all the same.
    ask(&desk.client, Some("x"), &body(6))
        .await
        .is(401, "invalid_token");

    let tenant = desk.server.found("other");
    let app = application(&desk.server, &tenant);
    let request = elsewhere.post("/security/otp").json(&body(7));
    let answer = request
        .header("X-ApplicationId", app.as_str())
        .send()
        .await
        .ok();
    desk.deliver().await;
    let code = desk.code_for(&scattered("30", 7));
    let claim =
        json!({ "to": scattered("30", 7), "code": code, "verificationId": answer.member("id") });
    let verify = || elsewhere.post("/security/otp/verify").json(&claim);
    verify().send().await.is(404, "not_found");
    let named = verify()
        .header("X-ApplicationId", app.as_str())
        .send()
        .await;
    done(&named);
    for wrong in ["nobody", "not an id"] {
        let request = elsewhere.post("/security/otp").json(&body(8));
        let answer = request.header("X-ApplicationId", wrong).send().await;
        answer.is(400, "invalid_request");
    }
}

#[tokio::test]
async fn s16_no_name_reaches_a_message_with_a_link_a_line_or_a_code() {
    let desk = Arc::new(
        Desk::governed(|policy| {
            patient(policy);
            policy.codes.sends_per_day = 1_000_000;
            policy.codes.sends_per_ten_minutes = 1_000_000;
            policy.codes.per_organization_per_day = 1_000_000;
            policy.codes.overall_per_day = 1_000_000;
        })
        .await,
    );
    let name = prop_oneof![
        ".{0,24}",
        "[a-zA-Z0-9 .,:/@'&!?-]{0,22}",
        "[a-z]{1,4}[\\.\u{ff0e}\u{3002}\u{200b}\u{202e}\n\r\u{2028}/:]{1,2}[a-z]{0,8}"
    ];
    let mut runner = TestRunner::deterministic();
    for _ in 0..300 {
        let name = name.new_tree(&mut runner).unwrap().current();
        let before = desk.courier.given().len();
        let answer = desk.ask(&json!({ "to": TO, "customName": name })).await;
        desk.deliver().await;
        if answer.status == 400 {
            assert_eq!(desk.courier.given().len(), before, "{name:?}");
            continue;
        }
        answer.ok();
        let sender = desk.courier.last().sender;
        assert!(sender.chars().count() <= 20, "{sender:?}");
        assert!(
            !sender.contains([':', '/', '@', '<', '%', '"']),
            "{sender:?}"
        );
        assert!(!sender.chars().any(char::is_control), "{sender:?}");
        let link = sender
            .split('.')
            .skip(1)
            .any(|rest| !rest.is_empty() && !rest.starts_with(' '));
        assert!(!link, "{sender:?}");
        assert!(
            sender.chars().filter(|c| c.is_numeric()).count() < 4,
            "{sender:?}"
        );
    }
}

#[tokio::test]
async fn s17_a_verification_answers_only_to_its_number_organization_and_application() {
    let desk = Desk::patient().await;
    let tenant = desk.server.found("other");
    let (own, second) = (desk.server.organization(), desk.server.organization());
    let apps = [
        application(&desk.server, &own),
        application(&desk.server, &second),
        application(&desk.server, &tenant),
    ];
    let backend = desk.server.register(&tenant, &[Role::ClientService]);
    let foreign = desk.client.bearer(&backend).await;
    let service = desk.bearer_of(Role::Service).await;
    let asked = desk.client.post("/security/otp").json(&json!({ "to": TO }));
    let asked = asked.header("X-ApplicationId", apps[0].as_str());
    let id = asked.bearer(&desk.bearer).send().await.ok().member("id");
    desk.deliver().await;
    let code = desk.courier.last().code.expose().clone();

    let tried = async |bearer: &str, app: Option<&ApplicationId>, to: &str, id: &str| {
        let claim = json!({ "to": to, "code": code, "verificationId": id });
        let request = desk.client.post("/security/otp/verify").bearer(bearer);
        let request = match app {
            Some(app) => request.header("X-ApplicationId", app.as_str()),
            None => request,
        };
        request.json(&claim).send().await
    };
    let own = Some(&apps[0]);
    let missing = tried(&desk.bearer, own, TO, "no-such-verification").await;
    missing.is(404, "not_found");
    for (bearer, app, to) in [
        (&desk.bearer, own, OTHER),
        (&desk.bearer, own, "al@example.org"),
        (&desk.bearer, own, ""),
        (&desk.bearer, None, TO),
        (&desk.bearer, Some(&apps[1]), TO),
        (&foreign, None, TO),
        (&foreign, Some(&apps[2]), TO),
        (&service, None, TO),
        (&service, Some(&apps[2]), TO),
    ] {
        let answer = tried(bearer, app, to, &id).await;
        assert_eq!(
            (answer.status, &answer.text),
            (404, &missing.text),
            "{to} {app:?}"
        );
    }
    for (bearer, app) in [(&foreign, own), (&desk.bearer, Some(&apps[2]))] {
        tried(bearer, app, TO, &id).await.is(400, "invalid_request");
    }
    for odd in ["", "not an id", "\u{0}", &"x".repeat(500)] {
        let answer = tried(&desk.bearer, own, TO, odd).await;
        assert_eq!((answer.status, &answer.text), (404, &missing.text), "{odd}");
    }
    // None of it was a guess. An internal service reaches every organization's applications.
    done(&tried(&desk.bearer, own, TO, &id).await);
    done(&tried(&service, own, TO, &id).await);
}

#[tokio::test]
async fn a_code_pays_once_and_pays_again_only_if_it_certainly_did_not() {
    let desk = Desk::open().await;
    let (id, code) = desk.verified(TO).await;
    let held = desk.hold(&id, &code).unwrap();
    assert_eq!((held.id.as_str(), held.to.as_str()), (id.as_str(), TO));
    assert_eq!(held.channel, Channel::Sms);
    assert_eq!(
        (held.organization, held.application),
        (desk.server.organization(), None)
    );
    let is_gone = |result: Result<Held, otp::Error>| {
        assert!(matches!(result, Err(otp::Error::NotFound)));
    };
    is_gone(desk.hold(&id, &code));
    desk.check(TO, &code, &id).await.is(404, "not_found");
    desk.release(&id);
    done(&desk.check(TO, &code, &id).await);
    desk.hold(&id, &code).unwrap();
    assert!(desk.spend(&id));
    assert!(!desk.spend(&id), "once");
    desk.release(&id);
    is_gone(desk.hold(&id, &code));
    desk.check(TO, &code, &id).await.is(404, "not_found");
    assert!(!desk.spend("no-such-verification"));
    is_gone(desk.hold("no-such-verification", &code));
}

#[tokio::test]
async fn what_is_held_tells_that_its_code_came_by_e_mail() {
    let desk = Desk::open().await;
    let body = json!({ "to": "al@example.org", "channel": "EMAIL" });
    let id = desk.ask(&body).await.ok().member("id");
    desk.deliver().await;
    let message = desk.courier.last();
    let held = desk.hold(&id, message.code.expose()).unwrap();
    assert_eq!(
        (held.channel, held.to.as_str()),
        (Channel::Email, "al@example.org")
    );
}

#[tokio::test]
async fn a_code_may_pay_at_once_and_one_that_is_held_stays_so_over_a_restart() {
    let desk = Desk::open().await;
    let (id, code) = desk.sent(TO).await;
    for _ in 0..4 {
        let wrong = desk.hold(&id, &other_than(&code));
        assert!(matches!(wrong, Err(otp::Error::Wrong)));
    }
    desk.hold(&id, &code).unwrap();
    let desk = desk.restart().await;
    assert!(matches!(desk.hold(&id, &code), Err(otp::Error::NotFound)));
    let (next, fresh) = desk.sent(TO).await;
    assert_ne!(next, id, "a new one is made");
    desk.server.advance(10 * MINUTE);
    assert!(
        matches!(desk.hold(&next, &fresh), Err(otp::Error::NotFound)),
        "it is over"
    );
    // What was begun in time is finished in time.
    jobs::sweep_once(&desk.server.appliance).await.unwrap();
    assert!(desk.spend(&id));
}

#[tokio::test]
async fn s14_of_64_simultaneous_payments_one_holds_the_code() {
    let desk = Desk::open().await;
    let (id, code) = desk.verified(TO).await;
    let held = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..64)
            .map(|_| scope.spawn(|| desk.hold(&id, &code).is_ok()))
            .collect();
        let held = tries
            .into_iter()
            .map(|one| usize::from(one.join().unwrap()));
        held.sum::<usize>()
    });
    assert_eq!(held, 1);
}

#[tokio::test]
async fn codes_have_as_many_digits_as_the_operator_wants() {
    for length in [4, 5, 8] {
        let desk = Desk::governed(|policy| policy.codes.length = length).await;
        let (id, code) = desk.verified(TO).await;
        assert_eq!(code.len(), length as usize);
        desk.check(TO, &other_than(&code), &id)
            .await
            .is(400, "invalid_code");
    }
}

#[tokio::test]
async fn what_is_over_goes_and_takes_its_destination_with_it() {
    let desk = Desk::open().await;
    desk.verified(TO).await;
    desk.ask(&json!({ "to": OTHER })).await.ok();
    let counts = || {
        [
            "verifications",
            "verifications_by_destination",
            "outbox",
            "outbox_due",
        ]
        .map(|table| desk.server.count(table))
    };
    assert_eq!(counts(), [2, 2, 2, 1]);
    let sweep = async || while jobs::sweep_once(&desk.server.appliance).await.unwrap() > 0 {};
    desk.server.advance(Duration::from_secs(4_200 - 1));
    sweep().await;
    assert_eq!(counts(), [2, 2, 2, 0], "what nobody took is given up");
    desk.server.advance(Duration::from_secs(1));
    sweep().await;
    assert_eq!(counts(), [0, 0, 2, 0]);
    desk.server.advance(DAY);
    sweep().await;
    assert_eq!(counts(), [0, 0, 0, 0]);
    assert_eq!(desk.server.count("throttles"), 0);
}

#[tokio::test]
async fn everything_that_happens_to_a_code_is_on_the_record() {
    let desk = Desk::open().await;
    let told = |before: u64| desk.server.count("audit") - before;
    let before = desk.server.count("audit");
    let (id, code) = desk.sent(TO).await;
    assert_eq!(told(before), 2, "requested, delivered");
    desk.check(TO, &other_than(&code), &id)
        .await
        .is(400, "invalid_code");
    assert_eq!(told(before), 3, "refused");
    done(&desk.check(TO, &code, &id).await);
    done(&desk.check(TO, &code, &id).await);
    assert_eq!(told(before), 4, "verified, once");
    desk.hold(&id, &code).unwrap();
    desk.release(&id);
    desk.hold(&id, &code).unwrap();
    assert!(desk.spend(&id));
    assert_eq!(told(before), 8);
}

/// Every byte below a folder.
fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes.extend(bytes_below(&path));
        } else {
            bytes.extend(fs::read(&path).unwrap());
        }
    }
    bytes
}

#[tokio::test]
async fn neither_a_number_nor_a_code_is_written_to_the_disk_in_the_clear() {
    let desk = Desk::governed(|policy| policy.codes.length = 8).await;
    let (id, first) = desk.verified(TO).await;
    let (_, second) = desk.sent(OTHER).await;
    let address = "somebody.somewhere@example.org";
    let kept = json!({ "to": address, "channel": "EMAIL", "customName": "Plain to see" });
    desk.ask(&kept).await.ok();
    let none = Couriers::default();
    jobs::outbox::deliver_once(&desk.server.appliance, &none)
        .await
        .unwrap();
    drop(desk.client);
    let folder = desk.server.stop().await;
    let bytes = bytes_below(folder.path());
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds(&id) && holds("Plain to see"), "the bytes were read");
    for hidden in [
        &TO[1..],
        &OTHER[1..],
        address,
        "somebody.somewhere",
        &first,
        &second,
    ] {
        assert!(!holds(hidden), "{hidden}");
    }
}

#[test]
fn networks_are_told_apart_by_the_test_addresses() {
    let network = |address: [u8; 4]| Network::from(std::net::IpAddr::from(address));
    assert_ne!(network([127, 0, 1, 1]), network([127, 0, 2, 1]));
}
