//! Calls over real TLS, each beside a bare warp route with the same bytes behind the same listener, in the same run.
//!
//! Server and callers share this machine's processors; what counts is the ratio.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on stops"
)]

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use admit::compose::{Composed, World, compose};
use admit::config::{Config, MasterKeySource};
use admit::domain::tickets::{self, Kind, NewTicket};
use admit::domain::{Appliance, tokens};
use admit::http::tls::{self, Certificate};
use admit::http::{self, AllowedHosts, Limits, Settings, TrustedProxies};
use admit::kernel::{Clock as _, Properties, SystemClock};
use aws_lc_rs::signature::Ed25519KeyPair;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use warp::Filter as _;

mod measure;
use measure::{Effort, median, rate, report};

/// Where a bare answer stands that is as long as the real one.
type Bytes = Arc<Mutex<Vec<u8>>>;

struct Bench {
    callers: Runtime,
    address: SocketAddr,
    connector: TlsConnector,
    appliance: Arc<Appliance>,
    bare: Bytes,
    basic: String,
    effort: Effort,
    _server: Runtime,
    _dir: tempfile::TempDir,
}

type Part = fn(&Bench);

/// What a connection sends; tickets are different each time.
type Requests = Arc<dyn Fn() -> Vec<u8> + Send + Sync>;

fn main() {
    let bench = Bench::start(Effort::asked());
    let parts: [(&str, Part); 3] = [
        ("bearer", Bench::bearer),
        ("token", Bench::token),
        ("redemption", Bench::redemption),
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
        let pair = format!("{}:{}", text("client_id"), text("client_secret"));
        let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair);
        let connector = connector(&std::fs::read(data.join("tls/ca.pem")).expect("a certificate"));
        let callers = Runtime::new().expect("a runtime");
        Self {
            callers,
            address,
            connector,
            appliance,
            bare,
            basic,
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
        let body = self.callers.block_on(async {
            let mut stream = self.connect().await;
            exchange(&mut stream, &real(), &mut Vec::new()).await
        });
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
        let body = self.callers.block_on(async {
            let mut stream = self.connect().await;
            exchange(
                &mut stream,
                self.token_request("/security/oauth/token").as_bytes(),
                &mut Vec::new(),
            )
            .await
        });
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        body["access_token"].as_str().expect("a token").to_owned()
    }

    fn token_request(&self, path: &str) -> String {
        String::from_utf8(form(path, &self.basic, "grant_type=client_credentials")).expect("text")
    }

    /// Answers a second over so many connections, each waiting for its answer before it asks again.
    fn turn(&self, connections: usize, requests: &Requests) -> f64 {
        self.callers.block_on(async {
            let mut streams = Vec::new();
            for _ in 0..connections {
                streams.push(self.connect().await);
            }
            let done = Arc::new(AtomicU64::new(0));
            let (started, turn) = (Instant::now(), self.effort.turn);
            let tasks: Vec<_> = streams
                .into_iter()
                .map(|mut stream| {
                    let (done, requests) = (Arc::clone(&done), Arc::clone(requests));
                    tokio::spawn(async move {
                        let mut buffer = Vec::with_capacity(8 * 1024);
                        while started.elapsed() < turn {
                            exchange(&mut stream, &requests(), &mut buffer).await;
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("a caller");
            }
            rate(done.load(Ordering::Relaxed), started)
        })
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let name = ServerName::try_from("localhost").expect("a name");
        self.connector.connect(name, stream).await.expect("TLS")
    }
}

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

fn connector(ca: &[u8]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        roots
            .add(certificate.expect("a certificate"))
            .expect("a root");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

fn same(request: String) -> Requests {
    let bytes = request.into_bytes();
    Arc::new(move || bytes.clone())
}

fn form(path: &str, basic: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic {basic}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends one request and returns the body of its answer, which must be a 200.
async fn exchange(
    stream: &mut TlsStream<TcpStream>,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> Vec<u8> {
    stream.write_all(request).await.expect("sent");
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await.expect("an answer");
        assert!(read > 0, "the connection was closed");
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end]).expect("text");
        assert!(
            head.starts_with("HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(buffer)
        );
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .expect("a length");
        let whole = end + 4 + length.parse::<usize>().expect("a number");
        while buffer.len() < whole {
            stream.read_buf(buffer).await.expect("the rest");
        }
        return buffer[end + 4..whole].to_vec();
    }
}
