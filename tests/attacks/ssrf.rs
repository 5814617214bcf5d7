//! S11: addresses that tenants name lead nowhere but to the vendors and to what the operator listed. Canaries listen
//! where an attacker would want us to knock, and hear nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use admit::adapters::{Outbound, Reach, upstreams_by};
use admit::domain::applications::{Kind, SERVICE_PARAMETERS};
use admit::domain::ports::{Answer as Asking, Failure, GenesysAccount, Outcome, TokenAccount};
use admit::kernel::{ApplicationId, Secret};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::support::apart::on_runtime;
use crate::support::client::{Answer, Client};
use crate::support::process::Launch;
use crate::support::server::{Server, Setup};
use crate::support::stub::{Asked, Does, Stub, application_with, genesys_at};

/// This machine, its neighbours and the cloud's metadata, in every notation a tenant may think of.
const HOSTS: [&str; 44] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0",
    "0.0.0.0",
    "0x0",
    "127.0.0.1.",
    "127.8.8.8",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "ip6-localhost",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "metadata.google.internal",
    "10.9.8.7",
    "012.9.8.7",
    "167774215",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "127.0.0.1:80@login.mypurecloud.de",
    "login.mypurecloud.de@127.0.0.1",
    "login.mypurecloud.de:443:80",
    "127.0.0.1%2f.mypurecloud.de",
    "127.0.0.1#.mypurecloud.de",
    "api.mypurecloud.de.",
];

fn genesys_app(server: &Server, login: &str, api: &str) -> ApplicationId {
    let service = json!({"clientId": "c", "clientSecret": "s", "loginBase": login, "apiBase": api});
    let config = json!({"pcEnvironment": "mypurecloud.de", SERVICE_PARAMETERS: service});
    application_with(
        server,
        &server.organization(),
        Kind::Genesys,
        &config,
        |_| {},
    )
}

async fn login(client: &Client, application: &ApplicationId) -> Answer {
    let form = [
        ("grant_type", "password"),
        ("username", application.as_str()),
        ("password", "code"),
    ];
    client.token(Some(("agent", "")), &form).await
}

/// It was not asked: the address is refused, or is none.
fn is_refused(answer: &Answer, told: &str) {
    let words = answer.member("error_description");
    let refused = "the application's Genesys Cloud is at an address that may not be asked";
    let expected = [(503, refused), (400, "Bad credentials")];
    assert!(
        expected.contains(&(answer.status, words.as_str())),
        "{told}: {answer:?}"
    );
}

#[tokio::test]
async fn s11_no_notation_of_an_address_leads_to_this_machine() {
    let canaries = [
        Stub::canary("127.0.0.1:0").await,
        Stub::canary("[::1]:0").await,
    ];
    let server = Server::start().await;
    let client = Client::of(&server);
    for canary in &canaries {
        let port = canary.address.port();
        for host in HOSTS {
            for scheme in ["http", "https"] {
                let base = format!("{scheme}://{host}:{port}");
                let id = genesys_app(&server, &base, &base);
                is_refused(&login(&client, &id).await, &base);
            }
        }
    }
    for (at, canary) in canaries.iter().enumerate() {
        assert!(canary.asked().is_empty(), "{at}: {:?}", canary.asked());
    }
}

#[tokio::test]
async fn s11_token_urls_and_issuers_are_judged_like_every_other_address() {
    let canary = Stub::canary("127.0.0.1:0").await;
    let server = Server::start().await;
    let client = Client::of(&server);
    let port = canary.address.port();
    let rows = [
        (Kind::TalkdeskOpenId, "talkdesk", "tokenUrl"),
        (Kind::NiceCxoneOpenId, "nice", "tokenUrl"),
        (Kind::NiceCxoneOpenId, "nice", "issuer"),
    ];
    for (at, host) in [
        "127.0.0.1",
        "0x7f000001",
        "localhost",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ]
    .iter()
    .enumerate()
    {
        for (kind, path, member) in rows {
            let organization = server.found(&format!("org-{at}-{path}-{member}"));
            let mut service = Map::new();
            service.insert("clientId".into(), "c".into());
            service.insert("clientSecret".into(), "s".into());
            service.insert(
                member.into(),
                Value::from(format!("https://{host}:{port}/x")),
            );
            application_with(
                &server,
                &organization,
                kind,
                &json!({SERVICE_PARAMETERS: service}),
                |_| {},
            );
            let bearer = client
                .bearer(&server.register(&organization, &[admit::domain::access::Role::Agent]))
                .await;
            let path = format!("/security/{path}/refresh_token");
            let body = json!({"refresh_token": "x"});
            let answer = client.post(&path).bearer(&bearer).json(&body).send().await;
            answer.is(400, "invalid_request");
            let words = answer.member("error_description");
            assert!(
                words.contains("is no address of") && words.contains("operator"),
                "{words}"
            );
        }
    }
    assert!(canary.asked().is_empty());
}

#[tokio::test]
async fn s11_the_second_address_of_an_application_is_judged_like_the_first() {
    let canary = Stub::canary("127.0.0.1:0").await;
    let stub =
        Stub::start(|_| Does::Says(200, json!({"access_token": "t", "expires_in": 600}))).await;
    let server = Server::with(Setup {
        upstreams: stub.listed(),
        ..Setup::default()
    })
    .await;
    let client = Client::of(&server);
    for scheme in ["http", "https"] {
        let api = format!("{scheme}://{}", canary.address);
        let id = genesys_app(&server, &stub.origin(), &api);
        is_refused(&login(&client, &id).await, &api);
    }
    assert_eq!(
        stub.asked().len(),
        2,
        "the code was redeemed where the operator said"
    );
    assert!(canary.asked().is_empty());
}

#[tokio::test]
async fn s11_a_redirect_is_not_followed_from_anywhere() {
    let canary = Stub::canary("127.0.0.1:0").await;
    let to = format!("location: http://{}/\r\n", canary.address);
    let stub = Stub::start(|_| Does::Closes).await;
    let server = Server::with(Setup {
        upstreams: stub.listed(),
        ..Setup::default()
    })
    .await;
    let client = Client::of(&server);
    let own = server.organization();
    let config = json!({SERVICE_PARAMETERS: genesys_at(&stub)});
    let id = application_with(&server, &own, Kind::Genesys, &config, |_| {});
    for status in [301, 302, 303, 307, 308] {
        for last in ["/genesys/login/oauth/token", "/api/v2/users/me"] {
            let to = to.clone();
            stub.now(move |asked: &Asked| {
                if asked.path() == last {
                    return Does::Writes(status, to.clone(), Vec::new());
                }
                Does::Says(200, json!({"access_token": "t", "expires_in": 600}))
            });
            login(&client, &id).await.is(503, "temporarily_unavailable");
        }
    }
    assert!(canary.asked().is_empty());
}

fn reach(stub: &Stub, timeout: Duration) -> Reach {
    Reach {
        origins: vec![stub.origin().parse().unwrap()],
        authority_pem: Some(stub.authority_pem()),
        timeout,
    }
}

fn account(stub: &Stub) -> GenesysAccount {
    GenesysAccount {
        login: stub.origin().parse().unwrap(),
        api: stub.origin().parse().unwrap(),
        client_id: "c".into(),
        client_secret: Secret::new("s".into()),
    }
}

#[tokio::test]
async fn s11_every_attempt_is_counted_and_an_endless_answer_is_not_read() {
    let stub = Stub::start(|_| Does::Writes(200, String::new(), vec![b' '; 20 << 20])).await;
    let outbound = Arc::new(Outbound::open(&reach(&stub, Duration::from_secs(20))).unwrap());
    let upstreams = upstreams_by(&outbound);
    let at = account(&stub);
    let asked = upstreams.genesys.queues_named(&at, "Support").await;
    assert!(
        matches!(asked, Err(Failure::Failed(_))),
        "no token, so nothing was done: {asked:?}"
    );
    let ledger = outbound.ledger();
    assert_eq!(
        (ledger.count(), ledger.latest()[0].outcome),
        (1, Outcome::Status(200))
    );
    assert!(
        ledger.latest()[0].destination.starts_with("127.0.0.1:"),
        "{:?}",
        ledger.latest()
    );
    drop(stub);
    let asked = upstreams.genesys.queues_named(&at, "Support").await;
    assert!(matches!(asked, Err(Failure::Failed(_))), "{asked:?}");
    assert_eq!(
        (ledger.count(), ledger.latest()[1].outcome),
        (2, Outcome::Unreachable)
    );
}

/// What a Genesys Cloud answers whose tokens die when they are told to.
fn cloud(dead: &Arc<AtomicUsize>) -> impl Fn(&Asked) -> Does + Send + Sync + 'static {
    let dead = Arc::clone(dead);
    let drawn = AtomicUsize::new(0);
    move |asked| {
        let path = asked.path();
        if path == "/oauth/token" {
            let number = drawn.fetch_add(1, Ordering::SeqCst) + 1;
            return Does::Says(
                200,
                json!({"access_token": format!("token-{number}"), "expires_in": 3600}),
            );
        }
        let bearer = asked.header("authorization").unwrap_or_default();
        let number: usize = bearer
            .strip_prefix("Bearer token-")
            .unwrap()
            .parse()
            .unwrap();
        if number <= dead.load(Ordering::SeqCst) {
            return Does::Says(401, json!({"code": "bad.credentials", "message": "no"}));
        }
        if path == "/api/v2/conversations/callbacks" {
            let created = json!({
                "conversation": {"id": "conv", "name": "n", "selfUri": "/c"},
                "callbackIdentifiers": [{"type": "ACD", "id": "i"}],
            });
            return Does::Says(200, created);
        }
        let page: usize = asked.query("pageNumber").unwrap().parse().unwrap();
        let queue = |name: &str| json!({"id": format!("{name}-{page}"), "name": name, "more": {}});
        let entities = match page {
            1 => vec![queue("Support & Sales"), queue("support & sales")],
            2 => vec![queue("Support & Sales 2")],
            _ => vec![queue("Support & Sales")],
        };
        Does::Says(
            200,
            json!({"entities": entities, "pageCount": 3, "pageNumber": page}),
        )
    }
}

#[tokio::test]
async fn tokens_of_genesys_cloud_are_kept_and_drawn_anew_when_they_die() {
    let dead = Arc::new(AtomicUsize::new(0));
    let stub = Stub::start(cloud(&dead)).await;
    let outbound = Arc::new(Outbound::open(&reach(&stub, Duration::from_secs(5))).unwrap());
    let genesys = upstreams_by(&outbound).genesys;
    let at = account(&stub);
    let found = genesys.queues_named(&at, "Support & Sales").await.unwrap();
    let ids: Vec<&str> = found.iter().map(|queue| queue.id.as_str()).collect();
    assert_eq!(
        ids,
        ["Support & Sales-1", "Support & Sales-3"],
        "exactly that name, on every page"
    );
    let asked = stub.taken();
    let lines: Vec<&str> = asked.iter().map(Asked::path).collect();
    assert_eq!(
        lines,
        [
            "/oauth/token",
            "/api/v2/routing/queues",
            "/api/v2/routing/queues",
            "/api/v2/routing/queues"
        ]
    );
    assert_eq!(asked[1].query("name").as_deref(), Some("Support & Sales"));
    assert_eq!(asked[0].body, "grant_type=client_credentials");

    let order = json!({"queueId": "q", "callbackNumbers": ["+306900000000"]});
    let order = order.as_object().unwrap();
    let created = genesys.create_callback(&at, order).await.unwrap();
    assert_eq!(
        (created.conversation.as_str(), created.identifiers.len()),
        ("conv", 1)
    );
    assert_eq!(stub.taken().len(), 1, "the token is kept");
    // One that is not believed any more had no effect: it is drawn anew, and asked once more.
    dead.store(1, Ordering::SeqCst);
    genesys.create_callback(&at, order).await.unwrap();
    let asked = stub.taken();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[2].header("authorization"), Some("Bearer token-2"));
    assert_eq!(asked[2].body, Value::Object(order.clone()).to_string());
    // Not for ever.
    dead.store(usize::MAX, Ordering::SeqCst);
    let refused = genesys.create_callback(&at, order).await;
    assert_eq!(refused, Err(Failure::Credentials));
    assert_eq!(stub.taken().len(), 3);
}

#[tokio::test]
async fn what_is_told_of_a_callback_says_whether_it_can_have_been_created() {
    let stub = Stub::start(|_| Does::Closes).await;
    let reach = reach(&stub, Duration::from_millis(800));
    let at = account(&stub);
    let order = Map::new();
    let refusal = json!({"code": "bad.request", "message": "No such queue", "status": 400});
    let says = |status: u16, value: &Value| Does::Says(status, value.clone());
    let rows = [
        (
            says(400, &refusal),
            "Refused { code: \"bad.request\", message: \"No such queue\" }",
        ),
        (says(404, &refusal), "Refused"),
        (says(409, &refusal), "Refused"),
        (says(403, &refusal), "Credentials"),
        (
            Does::Writes(429, "retry-after: 3\r\n".into(), Vec::new()),
            "Busy(Some(3s))",
        ),
        (says(429, &json!({})), "Busy(None)"),
        (says(500, &json!({})), "Failed"),
        (says(503, &json!({})), "Failed"),
        (says(504, &json!({})), "Unanswered"),
        (says(200, &json!({"conversation": {}})), "Unanswered"),
        (says(200, &json!([])), "Unanswered"),
        (
            Does::Writes(200, String::new(), vec![b' '; 300_000]),
            "Unanswered",
        ),
        (Does::Closes, "Unanswered"),
        (Does::Hangs, "Unanswered"),
        (Does::Stalls, "Unanswered"),
    ];
    let token = || Does::Says(200, json!({"access_token": "t", "expires_in": 0}));
    for (does, expected) in rows {
        let genesys = upstreams_by(&Arc::new(Outbound::open(&reach).unwrap())).genesys;
        let told = format!("{does:?}").chars().take(100).collect::<String>();
        let when_created = does.clone();
        stub.now(move |asked| match asked.path() {
            "/oauth/token" => token(),
            _ => when_created.clone(),
        });
        let failed = genesys.create_callback(&at, &order).await.unwrap_err();
        assert!(
            format!("{failed:?}").starts_with(expected),
            "{told}: {failed:?}"
        );
        // Where there was no token, no callback can have been created.
        stub.now(move |_| does.clone());
        let failed = genesys.create_callback(&at, &order).await.unwrap_err();
        assert!(
            !matches!(failed, Failure::Unanswered(_)),
            "{told}: {failed:?}"
        );
    }
    drop(stub);
    let genesys = upstreams_by(&Arc::new(Outbound::open(&reach).unwrap())).genesys;
    let failed = genesys.create_callback(&at, &order).await.unwrap_err();
    assert!(matches!(failed, Failure::Failed(_)), "{failed:?}");
}

/// Runs the test named so in a network of its own, where every port is free and every address may be anybody's; where
/// that is not to be had, says so in the last lines of `tests/run`.
fn in_a_network_of_its_own(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    if let Err(why) = can_divide() {
        let told = format!("METADATA CANARIES SKIPPED: {why}\n");
        print!("{told}");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
        fs::create_dir_all(&folder).unwrap();
        return fs::write(folder.join(name.replace("::", ".")), told).unwrap();
    }
    let this = std::env::current_exe().unwrap();
    let script = format!("{NETWORK} && exec \"$0\" \"$@\"");
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", &script])
        .arg(this)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

fn can_divide() -> Result<(), String> {
    let tried = Command::new("unshare")
        .args(["--net", "sh", "-c", NETWORK])
        .output();
    let tried = tried.map_err(|error| format!("unshare: {error}"))?;
    if tried.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&tried.stderr).trim().to_owned())
}

const INSIDE: &str = "ADMIT_TEST_NETWORK_INSIDE";
/// Loopback alone, at which the cloud's metadata, a neighbour and somebody's public address are found as well.
const NETWORK: &str = "ip link set lo up && ip addr add 169.254.169.254/32 dev lo && ip addr add 10.9.8.7/32 dev lo \
                       && ip addr add 8.8.8.8/32 dev lo && ip -6 addr add fd00:ec2::254/128 dev lo";

#[test]
fn s11_the_process_knocks_at_no_metadata_address_and_at_no_proxy() {
    let name = "attacks::ssrf::s11_the_process_knocks_at_no_metadata_address_and_at_no_proxy";
    in_a_network_of_its_own(name, || on_runtime(knocks_nowhere()));
}

async fn knocks_nowhere() {
    let mut canaries = Vec::new();
    for port in [80, 443, 3128] {
        // On every address of either kind.
        canaries.push(Stub::canary(&format!("[::]:{port}")).await);
    }
    let server = Server::start().await;
    let mut applications = BTreeMap::new();
    for host in HOSTS {
        for base in [
            format!("https://{host}"),
            format!("http://{host}"),
            format!("https://{host}:443"),
        ] {
            applications.insert(base.clone(), genesys_app(&server, &base, &base));
        }
    }
    let vendors = genesys_app(
        &server,
        "https://login.mypurecloud.de",
        "https://api.mypurecloud.de",
    );
    let data = server.stop().await;
    let mut launch = Launch::on(data.path());
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        launch = launch.with(name, "http://127.0.0.1:3128");
    }
    let mut process = launch.start();
    let http = process.client();
    let login = async |id: &ApplicationId| {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "password"),
                ("username", id.as_str()),
                ("password", "code"),
            ])
            .finish();
        let request = http.post(process.url("/security/oauth/token"));
        let request = request.basic_auth("agent", Some(""));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        (
            status,
            body["error_description"].as_str().unwrap().to_owned(),
        )
    };
    for (base, id) in &applications {
        let (status, words) = login(id).await;
        let is_refused = status == 503 && words.ends_with("may not be asked");
        assert!(
            is_refused || status == 400 && words == "Bad credentials",
            "{base}: {status} {words}"
        );
    }
    let (status, words) = login(&vendors).await;
    assert_eq!(status, 503, "{words}");
    assert!(!words.contains("may not be asked"), "{words}");
    for canary in &canaries {
        assert!(
            canary.asked().is_empty(),
            "{}: {:?}",
            canary.address,
            canary.asked()
        );
    }
    // They do listen.
    for address in [
        "127.0.0.1:80",
        "169.254.169.254:80",
        "10.9.8.7:443",
        "[::1]:443",
        "[fd00:ec2::254]:80",
    ] {
        tokio::net::TcpStream::connect(address).await.unwrap();
    }
    process.terminate();
}

#[test]
fn s11_a_name_that_leads_elsewhere_the_second_time_is_not_followed() {
    let name = "attacks::ssrf::s11_a_name_that_leads_elsewhere_the_second_time_is_not_followed";
    in_a_network_of_its_own(name, || on_runtime(rebinds()));
}

async fn rebinds() {
    let listener = TcpListener::bind("8.8.8.8:443").await.unwrap();
    let stub = Stub::on(listener, &["acme.talkdeskid.com"], |_| {
        Does::Says(200, json!({"access_token": "t"}))
    });
    let private = ["127.0.0.1:443", "10.9.8.7:443", "169.254.169.254:443"];
    let mut canaries = Vec::new();
    for address in private {
        canaries.push(Stub::canary(address).await);
    }
    let looked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looked);
    let lookup = move |name: String| -> Asking<'static, io::Result<Vec<IpAddr>>> {
        assert_eq!(name, "acme.talkdeskid.com");
        let answers = ["8.8.8.8", "127.0.0.1", "10.9.8.7", "169.254.169.254"];
        let next = answers[count.fetch_add(1, Ordering::SeqCst) % answers.len()];
        Box::pin(async move { Ok(vec![next.parse().unwrap()]) })
    };
    let reach = Reach {
        origins: Vec::new(),
        authority_pem: Some(stub.authority_pem()),
        timeout: Duration::from_secs(5),
    };
    let outbound = Arc::new(Outbound::resolving(&reach, Arc::new(lookup)).unwrap());
    let talkdesk = upstreams_by(&outbound).talkdesk;
    let at = TokenAccount {
        token_url: "https://acme.talkdeskid.com/oauth/token".parse().unwrap(),
        client_id: "c".into(),
        client_secret: Secret::new("s".into()),
    };
    let token = Secret::new("x".to_owned());
    for round in 1..=2 {
        let answer = talkdesk.refresh(&at, &token).await;
        assert!(
            answer.is_ok(),
            "it is asked where its name leads: {answer:?}"
        );
        for _ in private {
            let refused = talkdesk.refresh(&at, &token).await;
            assert!(matches!(refused, Err(Failure::Forbidden(_))), "{refused:?}");
        }
        assert_eq!(
            (looked.load(Ordering::SeqCst), stub.asked().len()),
            (4 * round, round)
        );
    }
    for canary in canaries {
        assert!(canary.asked().is_empty(), "{:?}", canary.asked());
    }
}
