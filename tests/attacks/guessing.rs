//! Rows O12 and O13: what is wrong with a name and a password shows nowhere, and guessing at one from many networks
//! neither finds it nor stops its owner.

use std::env;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use admit::domain::clients::{Facts, GrantType};
use admit::domain::throttle::{self, Counter};
use admit::domain::users;
use admit::store::{RealDisk, Verdict};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::SET_COOKIE;
use reqwest::redirect::Policy;
use serde_json::json;

use super::{DEVICE, NEW, SIGN_IN, WRONG, page};
use crate::support::accounts::change_user;
use crate::support::browser::{Browser, Form};
use crate::support::client::{Answer, Client};
use crate::support::inside::Inside;
use crate::support::party::{CALLBACK, FRONTS, Party};
use crate::support::process::{Launch, Process};
use crate::support::server::{Enrolled, Server};

/// Five names of one length, so that not even lengths differ.
const NAMES: [&str; 5] = ["annie", "nobdy", "lockd", "gone0", "expir"];

/// Where a name and a password can be presented.
const DOORS: [&str; 8] = [
    "token at /security",
    "token at /auth/v3",
    "authorize",
    "page",
    "page of a request",
    "historic",
    "operations",
    "change",
];

/// A server on which each of the names is what it is called, and who can sign in where.
struct Scene {
    server: Server,
    people: Vec<Enrolled>,
}

impl Scene {
    async fn set() -> Self {
        let server =
            Server::governed(|policy| policy.passwords.wrong_per_account_per_day = 1).await;
        let people: Vec<Enrolled> = NAMES
            .iter()
            .filter(|name| **name != "nobdy")
            .map(|name| server.user(name, &[]))
            .collect();
        let cx = server.appliance.own_context();
        for person in &people {
            let user = users::find(&cx, &person.id).unwrap().unwrap();
            change_user(&server, &user, |user| match person.name.as_str() {
                "gone0" => user.disabled = Some(user.created_at),
                "expir" => user.password_expired = true,
                _ => {}
            });
        }
        Self { server, people }
    }

    /// The right password where it must not help, a wrong one elsewhere.
    fn password(&self, name: &str) -> String {
        let person = self.people.iter().find(|person| person.name == name);
        match person {
            Some(person) if matches!(name, "lockd" | "gone0") => person.password.clone(),
            // Of the length of those that are drawn, for a length that is echoed nowhere.
            _ => "tall-grey-rabbits-20".into(),
        }
    }
}

/// Presents a name and a password at one door.
async fn knock(
    door: &str,
    parties: &[Party<'_>; 2],
    browser: &mut Browser<'_>,
    name: &str,
    password: &str,
) -> Answer {
    let client = parties[0].client;
    match door {
        "token at /security" | "token at /auth/v3" => {
            let party = &parties[usize::from(door.ends_with("v3"))];
            let form = [
                ("grant_type", "password"),
                ("username", name),
                ("password", password),
            ];
            party.ask(&form).await
        }
        "authorize" => {
            let request = client.get(&parties[1].request(&[]));
            request.basic(name, password).send().await
        }
        "historic" => {
            let form = [("username", name), ("password", password)];
            client.post("/auth/v3/sign-in").form(&form).send().await
        }
        "operations" => {
            client
                .get("/auth/v3/ops/clients")
                .basic(name, password)
                .send()
                .await
        }
        "change" => {
            let data = json!({"userName": name, "oldPassword": password, "newPassword": NEW});
            let request = client.post("/auth/v3/change-password");
            request.json(&json!({"data": data})).send().await
        }
        _ => {
            let shown = if door == "page" {
                page(browser).await
            } else {
                let sent = browser.get(&parties[1].request(&[])).await;
                browser.get(sent.header("location")).await.ok()
            };
            let form = Form::of(&shown.text);
            browser
                .post(&form.with("username", name).with("password", password))
                .await
        }
    }
}

/// All that comes back but what differs by nature: the date, the request's id, and the name that was typed.
fn looks(answer: &Answer, name: &str) -> String {
    let id = answer.header("x-request-id");
    let headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    let all = format!(
        "{}\n{}\n\n{}",
        answer.status,
        headers.join("\n"),
        answer.text
    );
    all.replace(id, "ID").replace(name, "NAME")
}

#[tokio::test]
async fn o12_unknown_wrong_locked_disabled_and_expired_get_the_same_bytes_at_every_door() {
    let scene = Scene::set().await;
    let server = &scene.server;
    let client = Client::of(server);
    let facts = || Facts {
        grants: Some(vec![GrantType::Password, GrantType::AuthorizationCode]),
        redirect_uris: Some(vec![CALLBACK.into()]),
        ..Facts::default()
    };
    let parties = FRONTS.map(|front| Party {
        credentials: server.register_client(&server.organization(), facts()),
        person: scene.people[0].clone(),
        client: &client,
        front,
    });
    let mut browser = Browser::of(&client);
    page(&mut browser).await;
    for door in DOORS {
        // Another day, with new budgets: one guess each, and that at `lockd` is made now.
        server.advance(Duration::from_hours(25));
        let form = [("username", "lockd"), ("password", WRONG)];
        client.post("/auth/v3/sign-in").form(&form).send().await;
        let mut seen = Vec::new();
        for name in NAMES {
            let answer = knock(door, &parties, &mut browser, name, &scene.password(name)).await;
            seen.push(looks(&answer, name));
        }
        for (name, looks) in NAMES.iter().zip(&seen) {
            assert_eq!(looks, &seen[0], "{door}: {name} differs from {}", NAMES[0]);
        }
        assert!(
            !seen[0].contains("__Host-admit-session"),
            "{door}: {}",
            seen[0]
        );
        assert!(
            !seen[0].contains("__Host-admit-device"),
            "{door}: {}",
            seen[0]
        );
    }
    let cx = server.appliance.own_context();
    let expired = users::find(&cx, &scene.people[3].id).unwrap().unwrap();
    assert!(expired.password_expired, "nothing was changed");
}

/// From which addresses guesses come: each is a network of its own.
fn attackers() -> impl Iterator<Item = IpAddr> {
    (1..=20).map(|network| Ipv4Addr::new(127, 0, network, 1).into())
}

/// Somebody at an address.
fn at(process: &Process, data: &Path, address: IpAddr) -> reqwest::Client {
    let pem = std::fs::read(data.join("tls/ca.pem")).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .resolve("localhost", process.address())
        .local_address(address)
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

/// Guesses again and again at every door until told to stop; how often.
async fn guess(client: reqwest::Client, base: String, stop: Arc<AtomicBool>, made: Arc<AtomicU32>) {
    let basic = format!("Basic {}", STANDARD.encode(format!("admin:{WRONG}")));
    let mut number = 0_u32;
    while !stop.load(Ordering::SeqCst) {
        let request = match number % 3 {
            0 => client
                .post(format!("{base}/auth/v3/sign-in"))
                .header("content-type", "application/x-www-form-urlencoded")
                .body("username=admin&password=a+wet+dog+at+noon"),
            1 => client
                .get(format!("{base}/auth/v3/ops/clients"))
                .header("authorization", &basic),
            _ => client.post(format!("{base}/auth/v3/change-password")).json(
                &json!({"data": {"userName": "admin", "oldPassword": WRONG, "newPassword": NEW}}),
            ),
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(matches!(status, 302 | 401 | 403 | 503), "{status}");
        assert!(answer.headers().get(SET_COOKIE).is_none());
        number += 1;
        made.fetch_add(1, Ordering::SeqCst);
    }
}

/// The owner's browser.
struct Owner {
    password: String,
    device: Option<String>,
    taken: Vec<Duration>,
    refused: u32,
}

impl Owner {
    async fn signs_in(&mut self, client: &reqwest::Client, base: &str) {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("username", "admin"), ("password", &self.password)])
            .finish();
        let mut request = client
            .post(format!("{base}/auth/v3/sign-in"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        if let Some(device) = &self.device {
            request = request.header("cookie", format!("{DEVICE}={device}"));
        }
        let began = Instant::now();
        let answer = request.send().await.unwrap();
        self.taken.push(began.elapsed());
        let to = answer
            .headers()
            .get("location")
            .map(|to| to.to_str().unwrap());
        if to != Some(SIGN_IN) {
            self.refused += 1;
            return;
        }
        let lines = answer.headers().get_all(SET_COOKIE).iter();
        let mut lines =
            lines.filter_map(|line| line.to_str().ok()?.strip_prefix(&format!("{DEVICE}=")));
        let device = lines.next().unwrap().split(';').next().unwrap();
        self.device.get_or_insert(device.to_owned());
    }

    /// How many of a hundred sign-ins worked within two seconds.
    fn share(&self) -> f64 {
        let slow = self
            .taken
            .iter()
            .filter(|taken| **taken > Duration::from_secs(2))
            .count();
        let good = self.taken.len() - slow.max(usize::try_from(self.refused).unwrap());
        f64::from(u32::try_from(good).unwrap()) * 100.0
            / f64::from(u32::try_from(self.taken.len()).unwrap())
    }
}

/// How many wrong passwords for the administrator were looked at, by what the store kept.
async fn looked_at(data: &Path) -> u32 {
    let inside = Inside::open(data, Arc::new(RealDisk)).await.unwrap();
    let count = {
        let cx = inside.appliance.own_context();
        let now = cx.now;
        let organizations =
            admit::domain::organizations::all(&inside.appliance.store().view()).unwrap();
        let user = users::named(&cx, &organizations[0].id, "admin")
            .unwrap()
            .unwrap();
        let read = inside.appliance.store().write(|tx| {
            let reading = throttle::read(tx, now, Counter::WrongPasswords(&user.id))?;
            Ok(Verdict::<u32, u32>::Discard(reading.count))
        });
        read.unwrap().outcome.unwrap_err()
    };
    inside.close().await;
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_o13_twenty_networks_guess_at_a_process_that_restarts_and_never_stop_the_owner() {
    let seconds = env::var("ADMIT_TEST_GUESSING_SECONDS").ok();
    let seconds = seconds.map_or(20, |seconds| seconds.parse::<u32>().unwrap());
    let data = tempfile::tempdir().unwrap();
    let mut owner = Owner {
        password: String::new(),
        device: None,
        taken: Vec::new(),
        refused: 0,
    };
    let made = Arc::new(AtomicU32::new(0));
    for half in 0..2_u8 {
        let process = Launch::on(data.path()).start();
        let base = process.url("");
        if half == 0 {
            owner.password = process.first_run().admin_password();
            let home = at(&process, data.path(), Ipv4Addr::LOCALHOST.into());
            owner.signs_in(&home, &base).await;
            assert!(owner.device.is_some(), "the first sign-in");
        }
        let stop = Arc::new(AtomicBool::new(false));
        let guessing: Vec<_> = attackers()
            .map(|address| {
                let client = at(&process, data.path(), address);
                tokio::spawn(guess(
                    client,
                    base.clone(),
                    Arc::clone(&stop),
                    Arc::clone(&made),
                ))
            })
            .collect();
        let until = Instant::now() + Duration::from_secs(seconds.into()) / 2;
        let mut network = 0_u8;
        while Instant::now() < until {
            // On the way, each time from a network nobody has seen.
            let address = Ipv4Addr::new(127, 100 + half, network, 1);
            let client = at(&process, data.path(), address.into());
            owner.signs_in(&client, &base).await;
            network = network.wrapping_add(1);
        }
        stop.store(true, Ordering::SeqCst);
        for one in guessing {
            one.await.unwrap();
        }
        // Killed, not stopped: what was counted is on the disk.
        process.kill();
    }
    let (guesses, looked_at) = (made.load(Ordering::SeqCst), looked_at(data.path()).await);
    let slowest = owner.taken.iter().max().unwrap();
    println!(
        "{guesses} guesses in {seconds} s, {looked_at} looked at; the owner signed in {} times, {:.1} % within 2 s, slowest {slowest:?}",
        owner.taken.len(),
        owner.share(),
    );
    assert!(guesses >= 200, "{guesses}");
    assert!((5..=100).contains(&looked_at), "{looked_at}");
    // Five at once, then one after 1, 2, 4… seconds.
    assert!(
        looked_at <= 6 + seconds.ilog2(),
        "{looked_at} in {seconds} s"
    );
    assert_eq!(owner.refused, 0, "the owner was turned away");
    assert!(owner.share() >= 99.0, "{:.1} %", owner.share());
    let process = Launch::on(data.path()).start();
    let stranger = at(&process, data.path(), Ipv4Addr::new(127, 0, 1, 1).into());
    let known = owner.device.take();
    let before = owner.refused;
    owner.signs_in(&stranger, &process.url("")).await;
    assert_eq!(
        owner.refused,
        before + 1,
        "from a guessing network without the cookie even the right one is not looked at"
    );
    owner.device = known;
    owner.signs_in(&stranger, &process.url("")).await;
    assert_eq!(owner.refused, before + 1, "and with it, it is");
}
