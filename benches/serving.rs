//! Calls over real TLS, each beside a bare warp route with the same bytes behind the same listener, in the same run.
//!
//! Server and callers share this machine's processors; what counts is the ratio.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench that cannot go on stops"
)]

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use admit::compose::{Composed, World, compose};
use admit::config::{Config, MasterKeySource};
use admit::crypto::password;
use admit::domain::admin::{
    self, AdminCommand, AdminReply, ClientCommand, Details, Facts, GrantType, NewClient, NewUser,
    UserCommand,
};
use admit::domain::tickets::{self, Kind, NewTicket};
use admit::domain::{Appliance, sign_in, tokens, users};
use admit::http::tls::{self, Certificate};
use admit::http::{self, AllowedHosts, Limits, Settings, TrustedProxies};
use admit::kernel::{Clock as _, Properties, Secret, SystemClock, SystemEntropy};
use aws_lc_rs::signature::Ed25519KeyPair;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tikv_jemallocator::Jemalloc;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use warp::Filter as _;

mod durable;
mod measure;
mod wire;

use durable::Durable;
use measure::{Effort, median, rate, report};
use wire::{Flow, Wire, basic, connector, flow, form, get};

/// As the program has it.
#[global_allocator]
static MEMORY: Jemalloc = Jemalloc;

/// Where a bare answer stands that is as long as the real one.
type Bytes = Arc<Mutex<Vec<u8>>>;

struct Bench {
    callers: Runtime,
    address: SocketAddr,
    connector: TlsConnector,
    appliance: Arc<Appliance>,
    bare: Bytes,
    basic: String,
    party: Party,
    effort: Effort,
    _server: Runtime,
    _dir: tempfile::TempDir,
}

/// A client people sign in to, and people.
struct Party {
    basic: String,
    id: String,
    people: Vec<Person>,
}

struct Person {
    id: String,
    name: String,
    password: String,
}

type Part = fn(&Bench);

/// What a connection sends; tickets are different each time.
type Requests = Arc<dyn Fn() -> Vec<u8> + Send + Sync>;

fn main() {
    let bench = Bench::start(Effort::asked());
    let parts: [(&str, Part); 8] = [
        ("bearer", Bench::bearer),
        ("token", Bench::token),
        ("redemption", Bench::redemption),
        ("password", Bench::password),
        ("code", Bench::code),
        ("refresh", Bench::refresh),
        ("introspection", Bench::introspection),
        ("userinfo", Bench::userinfo),
    ];
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    for (name, part) in parts {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            part(&bench);
        }
    }
}

impl Bench {
    fn start(effort: Effort) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().to_owned();
        let master_key = MasterKeySource::File(data.join("master.key"));
        let config = Config {
            data: data.clone(),
            master_key,
            ..Config::default()
        };
        let server = Runtime::new().expect("a runtime");
        let Composed { appliance, .. } =
            compose(&config, 8443, World::real()).expect("an appliance");
        let names = ["localhost".to_owned()];
        let files = tls::prepare(&data, &names, SystemClock.now()).expect("certificates");
        let tls = Certificate::load(files)
            .and_then(|it| it.server_config())
            .expect("TLS");
        let bare: Bytes = Arc::default();
        let routes = bare_routes(&bare)
            .or(http::routes(&appliance))
            .unify()
            .boxed();
        let limits = Limits::default();
        let settings = Settings {
            limits,
            names: AllowedHosts::new(["localhost"]),
            proxies: TrustedProxies::default(),
            drain: effort.turn,
        };
        let listener = server
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        server.spawn(http::serve(
            listener,
            Some(tls),
            routes,
            settings,
            appliance.entropy(),
            pending(),
        ));
        let first_run = std::fs::read(data.join("first-run.json")).expect("credentials");
        let first_run: Value = serde_json::from_slice(&first_run).expect("JSON");
        let text = |name: &str| {
            first_run["client"][name]
                .as_str()
                .expect("a member")
                .to_owned()
        };
        let basic = basic(&text("client_id"), &text("client_secret"));
        let party = Party::register(&appliance);
        let connector = connector(&std::fs::read(data.join("tls/ca.pem")).expect("a certificate"));
        let callers = Runtime::new().expect("a runtime");
        Self {
            callers,
            address,
            connector,
            appliance,
            bare,
            basic,
            party,
            effort,
            _server: server,
            _dir: dir,
        }
    }

    /// `GET /auth/v3/userinfo` beside a bare route.
    fn bearer(&self) {
        let token = self.client_token();
        let userinfo = format!(
            "GET /auth/v3/userinfo HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let bare = format!(
            "GET /bare HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        self.pair(
            "bearer check (userinfo)",
            &same(userinfo),
            "bare route",
            &same(bare),
        );
    }

    /// `POST /security/oauth/token` beside a bare route that makes one Ed25519 signature.
    fn token(&self) {
        let (real, signed) = (
            self.token_request("/security/oauth/token"),
            self.token_request("/signed"),
        );
        self.pair(
            "token by client credentials",
            &same(real),
            "signing route",
            &same(signed),
        );
    }

    /// Durable redemption of single-use tickets: one connection, then sixty-four, then a bare route for scale.
    fn redemption(&self) {
        let tickets = Arc::new(Mutex::new(Vec::new()));
        let stock = Arc::clone(&tickets);
        let redeem: Requests = Arc::new(move || {
            let id = stock
                .lock()
                .expect("tickets")
                .pop()
                .unwrap_or_else(|| String::from("none-left"));
            form(
                "/security/oauth/token",
                "Y3VzdG9tZXI6",
                &format!("grant_type=password&username={id}&password="),
            )
        });
        let bare = same(
            String::from_utf8(form(
                "/bare",
                "Y3VzdG9tZXI6",
                "grant_type=password&username=abc-def-ghi&password=",
            ))
            .expect("text"),
        );
        self.answer_as(&redeem, &tickets);
        let (mut one, mut many, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.effort.turns {
            self.stock(&tickets);
            one.push(self.turn(1, &redeem));
            many.push(self.turn(CONNECTIONS, &redeem));
            plain.push(self.turn(CONNECTIONS, &bare));
        }
        report("durable redemption, 1 connection", &one, None);
        report(
            "durable redemption, 64 connections",
            &many,
            Some(("one connection", median(&many) / median(&one))),
        );
        report("bare route, 64 connections", &plain, None);
    }

    /// A token by name and password beside Argon2id alone on as many threads as there are processors.
    fn password(&self) {
        let next = AtomicUsize::new(0);
        let forms: Vec<Vec<u8>> = self
            .party
            .people
            .iter()
            .map(|person| {
                let form_encoded = |text: &str| -> String {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect()
                };
                let (name, password) = (form_encoded(&person.name), form_encoded(&person.password));
                let body = format!("grant_type=password&username={name}&password={password}");
                form("/auth/v3/oauth/token", &self.party.basic, &body)
            })
            .collect();
        let sign_in: Requests =
            Arc::new(move || forms[next.fetch_add(1, Ordering::Relaxed) % forms.len()].clone());
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..self.effort.turns {
            bare.push(hashes(self.effort));
            ours.push(self.turn(SIGN_INS, &sign_in));
        }
        report("Argon2id alone", &bare, None);
        report(
            "token by name and password",
            &ours,
            Some(("Argon2id alone", median(&ours) / median(&bare))),
        );
    }

    /// A code by a browser's session and tokens for it, ID token included, beside the store alone: each is two durable
    /// writes.
    fn code(&self) {
        let store = Durable::open();
        let walk = self.party.code();
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..self.effort.turns {
            bare.push(store.turn(CONNECTIONS, self.effort));
            let wires = self.wires(self.signed_in(CONNECTIONS));
            ours.push(self.walk(wires, &walk));
        }
        report("the store alone, 64 writers", &bare, None);
        report(
            "code and tokens for it",
            &ours,
            Some(("the store alone", median(&ours) / median(&bare))),
        );
    }

    /// Refresh with durable rotation: one connection, then sixty-four, each with a family of its own; then the store.
    fn refresh(&self) {
        let store = Durable::open();
        let walk = self.party.refresh();
        let (mut one, mut many, mut bare) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.effort.turns {
            bare.push(store.turn(CONNECTIONS, self.effort));
            one.push(self.walk(self.families(1), &walk));
            many.push(self.walk(self.families(CONNECTIONS), &walk));
        }
        report("the store alone, 64 writers", &bare, None);
        report("refresh, 1 connection", &one, None);
        report(
            "refresh, 64 connections",
            &many,
            Some(("one connection", median(&many) / median(&one))),
        );
        report(
            "refresh, 64 connections",
            &many,
            Some(("the store alone", median(&many) / median(&bare))),
        );
    }

    /// `POST /oauth/introspect` beside a bare route.
    fn introspection(&self) {
        let token = self.person_token();
        let ask = |path| {
            let bytes = form(path, &self.party.basic, &format!("token={token}"));
            same(String::from_utf8(bytes).expect("text"))
        };
        self.pair(
            "introspection",
            &ask("/oauth/introspect"),
            "bare route",
            &ask("/bare"),
        );
    }

    /// `GET /oidc/userinfo` beside a bare route.
    fn userinfo(&self) {
        let bearer = format!("authorization: Bearer {}", self.person_token());
        let ask = |path| same(String::from_utf8(get(path, &bearer)).expect("text"));
        self.pair(
            "user info (OpenID)",
            &ask("/oidc/userinfo"),
            "bare route",
            &ask("/bare"),
        );
    }

    /// The cookies of so many browsers, in each of which one of the people has signed in.
    fn signed_in(&self, browsers: usize) -> Vec<String> {
        let cx = self.appliance.own_context();
        let people = self.party.people.iter().cycle().take(browsers);
        let cookies = people.map(|person| {
            let id = person.id.parse().expect("an id");
            let user = users::find(&cx, &id).expect("the store").expect("a person");
            let begun = sign_in::begin(&cx, &user, None).expect("a session");
            begun.cookie.expose().clone()
        });
        let cookies = cookies.collect();
        let durable = self.appliance.store().durable(cx.awaited());
        durable.wait().expect("durable sessions");
        cookies
    }

    /// So many connections, each with the refresh token of a sign-in of its own.
    fn families(&self, how_many: usize) -> Vec<Wire> {
        let mut wires = self.wires(self.signed_in(how_many));
        let walk = self.party.code();
        self.callers.block_on(async {
            for wire in &mut wires {
                walk(wire).await;
                wire.kept = wire.last("\"refresh_token\":\"");
            }
        });
        wires
    }

    fn person_token(&self) -> String {
        let mut wires = self.wires(self.signed_in(1));
        let walk = self.party.code();
        self.callers.block_on(walk(&mut wires[0]));
        wires[0].last("\"access_token\":\"")
    }

    fn pair(&self, what: &str, real: &Requests, beside: &str, bare: &Requests) {
        self.answer_as(real, &Arc::default());
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.effort.turns {
            theirs.push(self.turn(CONNECTIONS, bare));
            ours.push(self.turn(CONNECTIONS, real));
        }
        report(beside, &theirs, None);
        report(what, &ours, Some((beside, median(&ours) / median(&theirs))));
    }

    /// Has the bare routes answer with the bytes one real call answers with.
    fn answer_as(&self, real: &Requests, tickets: &Arc<Mutex<Vec<String>>>) {
        self.issue(tickets, 1);
        let body = self.asked(&real());
        *self.bare.lock().expect("bytes") = body;
    }

    /// More tickets than one turn can redeem.
    fn stock(&self, tickets: &Arc<Mutex<Vec<String>>>) {
        tickets.lock().expect("tickets").clear();
        let most = 12_000.0 * self.effort.turn.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few thousand"
        )]
        self.issue(tickets, most as usize);
    }

    fn issue(&self, tickets: &Arc<Mutex<Vec<String>>>, how_many: usize) {
        let token = self.client_token();
        let mut stock = tickets.lock().expect("tickets");
        let cx = self.appliance.own_context();
        let caller = tokens::authenticate(&cx, &token).expect("a caller");
        for _ in 0..how_many {
            let properties = Properties::default();
            let new = NewTicket {
                kind: Kind::SingleUse,
                organization: None,
                properties,
                length: None,
                ttl: None,
                disabled: false,
            };
            let issued = tickets::issue(&cx, &caller, new);
            stock.extend(issued.map(|ticket| ticket.id.to_string()));
        }
        self.appliance
            .store()
            .durable(cx.awaited())
            .wait()
            .expect("durable tickets");
    }

    fn client_token(&self) -> String {
        let body = self.asked(self.token_request("/security/oauth/token").as_bytes());
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        body["access_token"].as_str().expect("a token").to_owned()
    }

    fn token_request(&self, path: &str) -> String {
        String::from_utf8(form(path, &self.basic, "grant_type=client_credentials")).expect("text")
    }

    /// The body one request is answered with.
    fn asked(&self, request: &[u8]) -> Vec<u8> {
        self.callers.block_on(async {
            let mut wire = self.connect(String::new()).await;
            wire.ask(request, "200").await.body.to_vec()
        })
    }

    /// Answers a second over so many connections, each waiting for its answer before it asks again.
    fn turn(&self, connections: usize, requests: &Requests) -> f64 {
        let requests = Arc::clone(requests);
        let ask = flow(move |wire| {
            let request = requests();
            Box::pin(async move {
                wire.ask(&request, "200").await;
            })
        });
        self.walk(self.wires(vec![String::new(); connections]), &ask)
    }

    /// A connection for each of these, which its caller begins with.
    fn wires(&self, kept: Vec<String>) -> Vec<Wire> {
        self.callers.block_on(async {
            let mut wires = Vec::new();
            for kept in kept {
                wires.push(self.connect(kept).await);
            }
            wires
        })
    }

    /// How often a second callers get through a flow, each on its own connection.
    fn walk(&self, wires: Vec<Wire>, walk: &Flow) -> f64 {
        self.callers.block_on(async {
            let done = Arc::new(AtomicU64::new(0));
            let (started, turn) = (Instant::now(), self.effort.turn);
            let walks = wires.into_iter().map(|mut wire| {
                let (done, walk) = (Arc::clone(&done), Arc::clone(walk));
                tokio::spawn(async move {
                    while started.elapsed() < turn {
                        walk(&mut wire).await;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            });
            let tasks: Vec<_> = walks.collect();
            for task in tasks {
                task.await.expect("a caller");
            }
            rate(done.load(Ordering::Relaxed), started)
        })
    }

    async fn connect(&self, kept: String) -> Wire {
        let stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = self.connector.connect(name, stream).await.expect("TLS");
        Wire::new(stream, kept)
    }
}

impl Party {
    /// Registers the client and gives as many people accounts as sign in at once.
    fn register(appliance: &Appliance) -> Self {
        let facts = Facts {
            grants: Some(vec![
                GrantType::AuthorizationCode,
                GrantType::RefreshToken,
                GrantType::Password,
            ]),
            redirect_uris: Some(vec![CALLBACK.to_owned()]),
            ..Facts::default()
        };
        let new = NewClient {
            facts,
            ..NewClient::default()
        };
        let command = ClientCommand::Create {
            org: None,
            new: Box::new(new),
        };
        let AdminReply::Client(client) = carried_out(appliance, AdminCommand::Client(command))
        else {
            panic!("a client")
        };
        let people = (0..SIGN_INS).map(|number| Person::enroll(appliance, number));
        let secret = client.client_secret.expect("a secret");
        Self {
            basic: basic(&client.client_id, &secret),
            people: people.collect(),
            id: client.client_id,
        }
    }

    /// A code for whoever is signed in, and tokens for the code.
    fn code(&self) -> Flow {
        let (id, basic) = (self.id.clone(), self.basic.clone());
        let callback: String = form_urlencoded::byte_serialize(CALLBACK.as_bytes()).collect();
        flow(move |wire| {
            let path = format!(
                "/auth/v3/oauth/authorize?client_id={id}&redirect_uri={callback}&response_type=code&scope=openid"
            );
            let authorize = get(
                &path,
                &format!("cookie: __Host-admit-session={}", wire.kept),
            );
            let (basic, callback) = (basic.clone(), callback.clone());
            Box::pin(async move {
                let code = wire.ask(&authorize, "302").await.after("code=");
                let body =
                    format!("grant_type=authorization_code&code={code}&redirect_uri={callback}");
                let exchange = form("/auth/v3/oauth/token", &basic, &body);
                wire.ask(&exchange, "200").await;
            })
        })
    }

    /// The next refresh token for the one that is kept.
    fn refresh(&self) -> Flow {
        let basic = self.basic.clone();
        flow(move |wire| {
            let body = format!("grant_type=refresh_token&refresh_token={}", wire.kept);
            let request = form("/auth/v3/oauth/token", &basic, &body);
            Box::pin(async move {
                wire.kept = wire
                    .ask(&request, "200")
                    .await
                    .after("\"refresh_token\":\"");
            })
        })
    }
}

impl Person {
    fn enroll(appliance: &Appliance, number: usize) -> Self {
        let new = NewUser {
            name: format!("person-{number}"),
            details: Details::default(),
        };
        let command = UserCommand::Create {
            org: None,
            new: Box::new(new),
        };
        let AdminReply::User(user) = carried_out(appliance, AdminCommand::User(command)) else {
            panic!("a person")
        };
        Self {
            id: user.user_id,
            name: user.username,
            password: user.password.expect("a password"),
        }
    }
}

/// Has the operator's command carried out, durably.
fn carried_out(appliance: &Appliance, command: AdminCommand) -> AdminReply {
    let cx = appliance.own_context();
    let reply = admin::execute(&cx, command).expect("it is done");
    let durable = appliance.store().durable(cx.awaited());
    durable.wait().expect("it is durable");
    reply
}

/// Argon2id verifications a second with nothing around them, on as many threads as there are processors.
fn hashes(effort: Effort) -> f64 {
    let secret = Secret::new("correct horse battery staple".to_owned());
    let stored = password::hash(&secret, &SystemEntropy::default()).expect("a hash");
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let done = AtomicU64::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while started.elapsed() < effort.turn {
                    assert!(password::verify(&secret, &stored).expect("a verdict"));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    rate(done.load(Ordering::Relaxed), started)
}

/// How many people sign in at once: more than there are turns, fewer than wrong guesses are forgiven.
const SIGN_INS: usize = 8;
const CALLBACK: &str = "https://app.example.org/cb";
const CONNECTIONS: usize = 64;

/// `/bare` answers with the bytes it is given; `/signed` makes one signature over as many first.
fn bare_routes(bytes: &Bytes) -> http::Routes {
    let key = Arc::new(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key"));
    let plain = Arc::clone(bytes);
    let bare = warp::path!("bare").map(move || answer(plain.lock().expect("bytes").clone()));
    let signed = Arc::clone(bytes);
    let sign = warp::path!("signed").map(move || {
        let body = signed.lock().expect("bytes").clone();
        std::hint::black_box(key.sign(&body));
        answer(body)
    });
    bare.or(sign).unify().boxed()
}

fn answer(body: Vec<u8>) -> http::Response {
    let mut response = http::Response::new(body.into());
    let json = hyper::header::HeaderValue::from_static("application/json;charset=UTF-8");
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, json);
    response
}

fn same(request: String) -> Requests {
    let bytes = request.into_bytes();
    Arc::new(move || bytes.clone())
}
