//! Rows D5 and D6 of the threat table, figure G21: after a backup was restored, or an older copy of the data folder was put
//! back, nothing works that was used or revoked since, nor anything else that opened something to its bearer.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admit::crypto::seal::{Keyring, MASTER_KEY_LEN};
use admit::domain::Cx;
use admit::domain::admin::{self, AdminCommand, AdminReply, Standing, TicketCommand};
use admit::domain::otp;
use admit::domain::sign_in::{device, form};
use admit::jobs;
use admit::kernel::{Fault, Secret, Timestamp, hex};
use admit::store::{CameBack, RealDisk, Store, Tx, Verdict};
use serde_json::json;
use tempfile::TempDir;

use crate::support::browser::Browser;
use crate::support::client::{Answer, Client};
use crate::support::courier::{Mood, Recording, everywhere};
use crate::support::party::{AUTH_V3, Party, SECURITY, landed};
use crate::support::process::Launch;
use crate::support::server::{Credentials, Enrolled, Server, Setup};
use crate::tour::admit;

const SESSION: &str = "__Host-admit-session";
const DEVICE: &str = "__Host-admit-device";
const FORM: &str = "__Host-admit-form";
const PING: &str = "__Host-admit-ping";

/// How the older state comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The folder is copied back by hand; its witness is not.
    Copied,
    /// A backup is restored.
    Restored,
}

const SINGLE: usize = 300;
const MULTI: usize = 100;
const CUSTOMERS: usize = 60;
const PEOPLE: usize = 20;
const CODES: usize = 50;

/// Everything somebody holds who would like to use it again.
#[derive(Default)]
struct Hoard {
    /// Every ticket there ever was.
    tickets: Vec<String>,
    access: Vec<String>,
    refresh_of_customers: Vec<String>,
    refresh_of_people: Vec<String>,
    codes: Vec<String>,
    /// Whole cookie jars.
    browsers: Vec<Vec<(&'static str, String)>>,
    /// Destination, code, verification.
    one_time: Vec<(String, String, String)>,
    pings: Vec<String>,
    /// A form's cookie and token.
    form: (String, String),
}

impl Hoard {
    fn count(&self) -> usize {
        self.tickets.len()
            + self.access.len()
            + self.refresh_of_customers.len()
            + self.refresh_of_people.len()
            + self.codes.len()
            + 3 * self.browsers.len()
            + self.one_time.len()
            + self.pings.len()
    }

    fn took(&mut self, answer: &Answer) {
        self.access.push(answer.member("access_token"));
        let refresh = answer.json()["refresh_token"].as_str().map(str::to_owned);
        self.refresh_of_customers.extend(refresh);
    }
}

#[tokio::test]
async fn heavy_d5_g21_of_a_thousand_used_and_revoked_things_none_works_after_a_restore() {
    nothing_comes_back(Way::Restored).await;
}

#[tokio::test]
async fn heavy_d6_g21_of_a_thousand_used_and_revoked_things_none_works_after_an_older_copy_was_put_back()
 {
    nothing_comes_back(Way::Copied).await;
}

async fn nothing_comes_back(way: Way) {
    let mut setup = Setup {
        public_url: Some("https://localhost"),
        ..Setup::default()
    };
    setup.policy.codes.unanswered_per_hour = 100_000;
    let server = Server::with(setup).await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let (credentials, person) = (party.credentials.clone(), party.person.clone());
    let known = (&credentials, &person);
    let courier = Recording::new(Mood::Takes);
    let mut hoard = before(&server, &party, &courier).await;
    drop(client);

    let older = tempfile::tempdir().unwrap();
    let server = server.restart_after(|data| copy(data, older.path())).await;
    let client = Client::of(&server);
    since(&server, &again(&client, known), &mut hoard).await;
    drop(client);
    println!("{} things are presented again", hoard.count());
    assert!(hoard.count() >= 1_000, "{}", hoard.count());

    let put_back = |data: &Path| {
        put_back(older.path(), data);
        if way == Way::Restored {
            say_restored(data);
        }
    };
    let server = server.restart_after(put_back).await;
    let epoch = server.appliance.epoch().unwrap().clone();
    assert_eq!(epoch.number(), 1);
    assert_eq!(way == Way::Copied, epoch.why() == CameBack::Copied);
    let client = Client::of(&server);
    replay(&server, &again(&client, known), &hoard, &courier).await;
    let tokens = new_things_work(&server, &again(&client, known)).await;
    drop(client);

    // The next start takes nothing back again.
    let server = server.restart().await;
    assert_eq!(server.appliance.epoch(), Some(&epoch));
    let client = Client::of(&server);
    for token in tokens {
        assert!(client.is_alive(&token).await);
    }
}

/// The same party at a server that was started again.
fn again<'c>(client: &'c Client, (credentials, person): (&Credentials, &Enrolled)) -> Party<'c> {
    Party {
        client,
        front: SECURITY,
        credentials: credentials.clone(),
        person: person.clone(),
    }
}

/// What there is when the copy is made.
async fn before(server: &Server, party: &Party<'_>, courier: &Arc<Recording>) -> Hoard {
    let client = party.client;
    let mut hoard = Hoard::default();
    {
        let cx = server.appliance.own_context();
        let cookie = form::cookie(&cx).expose().clone();
        let token = form::token(&cx, &cookie, "a form");
        hoard.form = (cookie, token);
    }
    let token = client.bearer(&server.first_client()).await;
    for (kind, count) in [("SINGLE_USE_TICKET", SINGLE), ("MULTI_USE_TICKET", MULTI)] {
        for _ in 0..count {
            hoard.tickets.push(client.ticket(&token, kind).await);
        }
    }
    for ticket in hoard.tickets.clone().iter().rev().take(CUSTOMERS) {
        hoard.took(&client.login(ticket).await.ok());
    }
    for _ in 0..PEOPLE {
        let mut browser = Browser::of(client);
        let landed = party.signed_in(&mut browser, &[]).await;
        let first = party.exchange(&landed["code"], &[]).await.ok();
        hoard.access.push(first.member("access_token"));
        hoard.refresh_of_people.push(first.member("refresh_token"));
        hoard.codes.push(landed["code"].clone());
        let again = browser.get(&party.request(&[])).await;
        hoard.codes.push(self::landed(&again)["code"].clone());
        let kept = [SESSION, DEVICE, FORM].map(|name| (name, browser.cookie(name)));
        let kept = kept
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.to_owned())));
        hoard.browsers.push(kept.collect());
    }
    for n in 0..CODES {
        let to = format!("+30694{n:04}321");
        let asked = client.post("/security/otp").bearer(&token);
        let id = asked
            .json(&json!({ "to": to }))
            .send()
            .await
            .ok()
            .member("id");
        hoard.one_time.push((to, String::new(), id));
    }
    while jobs::outbox::deliver_once(&server.appliance, &everywhere(courier))
        .await
        .unwrap()
        > 0
    {}
    for message in courier.given() {
        let mut sent = hoard.one_time.iter_mut();
        let entry = sent.find(|(to, ..)| *to == message.to).unwrap();
        entry.1 = message.code.expose().clone();
    }
    assert!(hoard.one_time.iter().all(|(_, code, _)| !code.is_empty()));
    // One that nobody has taken away when the copy is made.
    let late = json!({ "to": "+306949999999" });
    client
        .post("/security/otp")
        .bearer(&token)
        .json(&late)
        .send()
        .await
        .ok();
    hoard.access.push(token);
    hoard
}

/// What happens after the copy was made: everything is used or revoked.
async fn since(server: &Server, party: &Party<'_>, hoard: &mut Hoard) {
    let client = party.client;
    let token = client.bearer(&server.first_client()).await;
    let (single, multi) = hoard.tickets.split_at(SINGLE);
    let (single, multi) = (single.to_vec(), multi.to_vec());
    for used in &hoard.refresh_of_customers.clone() {
        hoard.took(&client.refresh(used).await.ok());
    }
    for used in &hoard.refresh_of_people.clone() {
        let next = party.refresh(used).await.ok();
        hoard.access.push(next.member("access_token"));
        hoard.refresh_of_people.push(next.member("refresh_token"));
    }
    for ticket in &single {
        hoard.took(&client.login(ticket).await.ok());
    }
    for ticket in &multi {
        let path = format!("/security/ticket/{ticket}/revoke");
        assert_eq!(client.post(&path).bearer(&token).send().await.status, 204);
    }
    for pair in hoard.codes.clone().chunks(2) {
        party.exchange(&pair[1], &[]).await.ok();
    }
    for (to, code, id) in &hoard.one_time {
        let body = json!({ "to": to, "code": code, "verificationId": id });
        let right = client
            .post("/security/otp/verify")
            .bearer(&token)
            .json(&body);
        assert!(right.send().await.status < 300);
        within(server, |tx, cx| {
            assert!(otp::hold(tx, cx, &id.parse().unwrap(), code)?.is_ok());
            otp::spend(tx, cx, &id.parse().unwrap())
        });
    }
    // Things that did not exist when the copy was made.
    for _ in 0..10 {
        let ticket = client.ticket(&token, "MULTI_USE_TICKET").await;
        hoard.took(&client.login(&ticket).await.ok());
        hoard.tickets.push(ticket);
        hoard.codes.push(party.code(&[]).await);
    }
    // Only this front sets the cookie.
    let known = (&party.credentials, &party.person);
    let party = Party {
        front: AUTH_V3,
        ..again(client, known)
    };
    let code = party.code(&[]).await;
    let answer = party.exchange(&code, &[]).await.ok();
    hoard.access.push(answer.member("access_token"));
    hoard.refresh_of_people.push(answer.member("refresh_token"));
    let ping = answer.headers.get_all("set-cookie").iter();
    let ping = ping.filter_map(|line| line.to_str().unwrap().strip_prefix(&format!("{PING}=")));
    hoard
        .pings
        .extend(ping.map(|line| line.split(';').next().unwrap().to_owned()));
    assert_eq!(hoard.pings.len(), 1);
    hoard.access.push(token);
}

/// Presents all of it.
async fn replay(server: &Server, party: &Party<'_>, hoard: &Hoard, courier: &Arc<Recording>) {
    let client = party.client;
    let sent = courier.given().len();
    while jobs::outbox::deliver_once(&server.appliance, &everywhere(courier))
        .await
        .unwrap()
        > 0
    {}
    assert_eq!(
        courier.given().len(),
        sent,
        "a message from before was sent"
    );
    let token = client.bearer(&server.first_client()).await;
    let known = SINGLE + MULTI;
    for (n, ticket) in hoard.tickets.iter().enumerate() {
        let word = if n < known { "REVOKED" } else { "NOT_FOUND" };
        client.login(ticket).await.says(400, "invalid_grant", word);
    }
    let path = format!("/security/ticket/{}", hoard.tickets[0]);
    let seen = client.get(&path).bearer(&token).send().await.ok();
    assert!(!seen.member("revoked").is_empty());
    let enabled = client
        .post(&format!("{path}/enable"))
        .bearer(&token)
        .send()
        .await;
    assert_eq!(enabled.status, 204);
    client
        .login(&hoard.tickets[0])
        .await
        .says(400, "invalid_grant", "REVOKED");
    for access in &hoard.access {
        assert!(!client.is_alive(access).await);
    }
    for refresh in &hoard.refresh_of_customers {
        client.refresh(refresh).await.is(400, "invalid_grant");
    }
    for refresh in &hoard.refresh_of_people {
        party.refresh(refresh).await.is(400, "invalid_grant");
    }
    for code in &hoard.codes {
        party.exchange(code, &[]).await.is(400, "invalid_grant");
    }
    for (to, code, verification) in &hoard.one_time {
        let body = json!({ "to": to, "code": code, "verificationId": verification });
        let checked = client
            .post("/security/otp/verify")
            .bearer(&token)
            .json(&body);
        assert_eq!(checked.send().await.status, 404);
        let held = within(server, |tx, cx| {
            Ok(otp::hold(tx, cx, &verification.parse().unwrap(), code)?.is_ok())
        });
        assert!(!held);
    }
    for ping in &hoard.pings {
        let asked = client.get("/auth/v3/ping");
        let asked = asked
            .header("cookie", &format!("{PING}={ping}"))
            .send()
            .await;
        assert_eq!(asked.status, 403);
    }
    browsers_are_strangers(server, party, hoard).await;
    tickets_from_before_are_listed_as_revoked(server);
}

fn tickets_from_before_are_listed_as_revoked(server: &Server) {
    let cx = server.appliance.own_context();
    let usable = TicketCommand::List {
        org: None,
        standing: Some(Standing::Usable),
        after: None,
        limit: 10_000,
    };
    let reply = admin::execute(&cx, AdminCommand::Ticket(usable)).unwrap();
    server.settle(&cx);
    let AdminReply::Tickets(page) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(page.tickets.len(), 0, "{:?}", page.tickets.first());
}

async fn browsers_are_strangers(server: &Server, party: &Party<'_>, hoard: &Hoard) {
    for jar in &hoard.browsers {
        let mut browser = Browser::of(party.client);
        for (name, value) in jar {
            browser.keep(name, value);
        }
        let cx = server.appliance.own_context();
        let known = browser.cookie(DEVICE).unwrap();
        assert!(!device::is_known(&cx, &party.person.id, known));
        let asked = browser.get(&party.request(&[])).await;
        let to = asked.header("location");
        assert!(to.contains("/auth/sign-in"), "{to}");
    }
    let cx = server.appliance.own_context();
    let (cookie, token) = &hoard.form;
    assert!(!form::is_right(&cx, cookie, "a form", token));
}

/// Whoever comes now is served as ever. Returns tokens that are alive.
async fn new_things_work(server: &Server, party: &Party<'_>) -> Vec<String> {
    let client = party.client;
    let token = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&token, "SINGLE_USE_TICKET").await;
    let customer = client.login(&ticket).await.ok();
    client
        .login(&ticket)
        .await
        .says(400, "invalid_grant", "USED");
    let next = client.refresh(&customer.member("refresh_token")).await.ok();
    let person = party.tokens(&[]).await;
    let person = person["access_token"].as_str().unwrap().to_owned();
    let tokens = vec![token, next.member("access_token"), person];
    for token in &tokens {
        assert!(client.is_alive(token).await);
    }
    tokens
}

/// One transaction of whoever is paid by a code.
fn within<T>(server: &Server, step: impl Fn(&Tx<'_>, &Cx<'_>) -> Result<T, Fault>) -> T {
    let cx = server.appliance.own_context();
    let store = server.appliance.store();
    let written = store.write(|tx| Ok(Verdict::<T, Fault>::Commit(step(tx, &cx)?)));
    let written = written.unwrap();
    store.durable(written.mark).wait().unwrap();
    written.outcome.unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Puts an older copy in the folder's place; its witness, were it outside, would be as new as it is.
fn put_back(older: &Path, data: &Path) {
    let witness = fs::read(data.join("witness")).unwrap();
    fs::remove_dir_all(data.join("store")).unwrap();
    copy(older, data);
    fs::write(data.join("witness"), witness).unwrap();
}

/// Has the store say what a restore makes it say.
fn say_restored(data: &Path) {
    let key = fs::read_to_string(data.join("master.key")).unwrap();
    let key: [u8; MASTER_KEY_LEN] = hex::decode(key.trim()).unwrap();
    let records = Keyring::derive(&Secret::new(key))
        .unwrap()
        .records()
        .clone();
    let made_at = Timestamp::from_seconds(1_795_000_000);
    let store = Store::open(data, records, Arc::new(RealDisk), made_at).unwrap();
    let said = store.write::<(), ()>(|tx| {
        Store::comes_back(tx, CameBack::Restored { made_at })?;
        Ok(Verdict::Commit(()))
    });
    store.durable(said.unwrap().mark).wait().unwrap();
}

/// A folder with an appliance in `data`, as the real program made it, and its witness beside it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.starts();
        place
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn launch(&self) -> Launch {
        Launch::on(&self.data()).witnessed_beside()
    }

    /// Starts, is told to end, and returns what was said.
    fn starts(&self) -> String {
        let mut process = self.launch().start();
        // It may not listen for signals yet when it says that it is ready; a killed one has a witness as well.
        process.terminate();
        process.log()
    }

    /// A start that is refused; the sentence.
    fn refused(&self) -> String {
        let mut process = self.launch().spawn();
        let ended = process.await_end(Duration::from_secs(10)).unwrap();
        assert_eq!(ended.status.code(), Some(3), "{}", process.log());
        process.log()
    }

    fn admit(&self, words: &[&str]) -> (i32, String) {
        let mut command = admit(self.0.path());
        let said = command.args(words).arg("--data").arg(self.data());
        let said = said.output().unwrap();
        let text = [said.stdout, said.stderr].concat();
        (
            said.status.code().unwrap(),
            String::from_utf8(text).unwrap(),
        )
    }
}

const OLDER: &str = "an older copy of the data folder was put in the place of a newer one";

#[test]
fn d6_an_older_copy_is_told_of_in_words_and_taken_back_once() {
    let place = Place::new();
    let older = place.0.path().join("older");
    copy(&place.data(), &older);
    let said = place.starts();
    assert!(!said.contains("older"), "a start like any other: {said}");
    fs::remove_dir_all(place.data()).unwrap();
    copy(&older, &place.data());
    let said = place.starts();
    assert!(
        said.contains(OLDER) && said.contains("every ticket"),
        "{said}"
    );
    let (code, said) = place.admit(&["org", "list"]);
    assert!(code == 0 && said.contains(OLDER), "{said}");
    assert_eq!(said.matches("admit: ").count(), 1, "{said}");
}

#[test]
fn d6_a_folder_that_moved_with_its_witness_goes_on_and_without_it_is_taken_for_a_copy() {
    let place = Place::new();
    let moved = Place(tempfile::tempdir().unwrap());
    copy(&place.data(), &moved.data());
    let witness = |place: &Place| place.0.path().join("data.witness");
    fs::copy(witness(&place), witness(&moved)).unwrap();
    assert!(!moved.starts().contains(OLDER));
    fs::remove_file(witness(&moved)).unwrap();
    let said = moved.starts();
    assert!(said.contains("is written anew"), "{said}");
    assert!(!said.contains(OLDER), "it is where it was: {said}");
    assert!(!moved.starts().contains("is written anew"));
    let stray = Place(tempfile::tempdir().unwrap());
    copy(&place.data(), &stray.data());
    assert!(stray.starts().contains(OLDER));
}

#[test]
fn d6_an_empty_folder_is_not_begun_anew_where_a_witness_knows_of_a_store() {
    let place = Place::new();
    let away = place.0.path().join("away");
    fs::rename(place.data(), &away).unwrap();
    let said = place.refused();
    assert!(said.contains("a store once existed"), "{said}");
    assert!(!place.data().exists());
    fs::rename(away, place.data()).unwrap();
    place.starts();
}

#[test]
fn d6_another_store_and_one_behind_its_marker_are_refused_until_they_are_accepted() {
    let (place, other) = (Place::new(), Place::new());
    let (code, said) = place.admit(&["store", "accept"]);
    assert!(code == 1 && said.contains("nothing to accept"), "{said}");
    let behind = place.0.path().join("behind");
    copy(&place.data().join("store"), &behind);
    place.starts();
    fs::remove_dir_all(place.data().join("store")).unwrap();
    fs::rename(behind, place.data().join("store")).unwrap();
    assert!(place.refused().contains("admit store accept"));
    let (code, said) = place.admit(&["store", "accept"]);
    assert!(code == 0 && said.contains(OLDER), "{said}");
    assert!(
        place.starts().contains(OLDER),
        "each start tells for some days"
    );
    fs::remove_dir_all(place.data()).unwrap();
    copy(&other.data(), &place.data());
    assert!(place.refused().contains("belongs to another store"));
    let (code, said) = place.admit(&["store", "accept"]);
    assert!(code == 0, "{said}");
    place.starts();
}

#[test]
fn d6_a_witness_that_cannot_be_written_stops_nothing_and_is_told() {
    let place = Place(tempfile::tempdir().unwrap());
    fs::create_dir(place.0.path().join("data.witness")).unwrap();
    fs::write(place.0.path().join("data.witness/x"), "").unwrap();
    let said = place.starts();
    assert!(said.contains("would not be noticed"), "{said}");
}
