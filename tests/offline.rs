//! Alone: with `offline = true` the process opens no connection, whatever it is asked for; without, every attempt is in
//! the ledger, and the system's own list of attempts says the same.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use admit::domain::ports::{Outcome, Purpose};
use admit::upkeep::egress::Egress;
use admit::upkeep::{Answer, Order, Report};
use serde_json::{Value, json};

use crate::support::line::{FORM, JSON, Line, Site, basic, bearer, post, with_body};
use crate::support::process::{Launch, Process};
use crate::tour::admit;

/// `admit serve` as an argument of `strace`, which writes down every attempt to reach a network.
fn watched(folder: &Path) -> Launch {
    let trace = folder.join("trace").display().to_string();
    let calls = "trace=connect,sendto,sendmsg,sendmmsg";
    Launch::on(&folder.join("data"))
        .without_public_url()
        .under(&["strace", "-f", "-qq", "-e", calls, "-o", &trace])
}

/// The addresses of networks the process tried to reach, each with its port.
fn reached(folder: &Path) -> BTreeSet<String> {
    let trace = fs::read_to_string(folder.join("trace")).unwrap();
    let named = trace.lines().filter(|line| line.contains("=AF_INET"));
    named
        .map(|line| destination(line).unwrap_or_else(|| line.to_owned()))
        .collect()
}

fn destination(line: &str) -> Option<String> {
    let (_, port) = line.split_once("port=htons(")?;
    let (_, host) = line.split_once("inet_addr(\"")?;
    Some(format!(
        "{}:{}",
        host.split('"').next()?,
        port.split(')').next()?
    ))
}

fn ledger(data: &Path) -> Egress {
    let mut socket = UnixStream::connect(data.join("control.sock")).unwrap();
    let order = serde_json::to_string(&Order::Egress).unwrap();
    writeln!(socket, "{order}").unwrap();
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).unwrap();
    let answer = serde_json::from_str(&line).unwrap();
    let Answer::Done(Report::Egress(egress)) = answer else {
        panic!("{answer:?}")
    };
    egress
}

/// Applications of every vendor, each with an address of its own to be asked, and everything that would ask there.
async fn exercise(process: &Process, data: &Path, origin: Option<&str>) -> Vec<(u16, String)> {
    let site = Site::new(process.address(), data);
    let token = bearer(&site.token().await.unwrap());
    let mut line = site.line().await.unwrap();
    let at = |vendor: &str| origin.unwrap_or(vendor).to_owned();
    let genesys = json!({"type": "GENESYS", "config": {
        "organizationId": "alone", "pcEnvironment": "mypurecloud.de",
        "serviceParameters": {
            "clientId": "c", "clientSecret": "s",
            "loginBase": at("https://login.mypurecloud.de"), "apiBase": at("https://api.mypurecloud.de"),
        },
    }});
    let talkdesk = json!({"type": "TALKDESK_OPENID", "config": {"serviceParameters": {
        "account": "alone", "clientId": "c", "clientSecret": "s",
        "tokenUrl": format!("{}/oauth/token", at("https://alone.talkdeskid.com")),
    }}});
    let nice = json!({"type": "NICE_CXONE_OPENID", "config": {"serviceParameters": {
        "clientId": "c", "clientSecret": "s",
        "tokenUrl": format!("{}/auth/token", at("https://cxone.niceincontact.com")),
    }}});
    let genesys = create(&mut line, &token, &genesys).await;
    create(&mut line, &token, &talkdesk).await;
    create(&mut line, &token, &nice).await;

    let login = format!(
        "grant_type=password&username={genesys}&password=code&redirect_uri=https%3A%2F%2Fa.example%2Fback"
    );
    let callback = json!({"queueName": "Support", "callbackUserName": "Ann", "callbackNumbers": ["+306912345678"]});
    let callback = with_body(
        "POST",
        "/security/facades/callback",
        &format!("{token}\r\nx-applicationid: {genesys}\r\nx-urlbase: https://auvious.video"),
        JSON,
        &callback.to_string(),
    );
    let refresh = r#"{"refresh_token":"r"}"#;
    let code = r#"{"to":"+306912345678","channel":"SMS"}"#;
    let mut answers = Vec::new();
    for request in [
        post("/security/oauth/token", &basic("agent", ""), FORM, &login),
        callback,
        post("/security/talkdesk/refresh_token", &token, JSON, refresh),
        post("/security/nice/refresh_token", &token, JSON, refresh),
        post("/security/otp", &token, JSON, code),
    ] {
        let answer = line.ask(&request).await.unwrap();
        answers.push((answer.status, answer.body));
    }
    answers
}

async fn create(line: &mut Line, token: &str, application: &Value) -> String {
    let body = application.to_string();
    let answer = line
        .ask(&post("/security/applications", token, JSON, &body))
        .await;
    answer.unwrap().text("id")
}

/// The whole tour, which uses everything else there is.
fn toured(data: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let tour = admit(folder.path())
        .arg("tour")
        .arg("--data")
        .arg(data)
        .output();
    let tour = tour.unwrap();
    let said = String::from_utf8_lossy(&tour.stdout).into_owned();
    assert!(tour.status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_an_appliance_that_is_to_stay_alone_opens_no_connection() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let process = watched(folder.path()).with("ADMIT_OFFLINE", "true").start();
    let answers = exercise(&process, &data, None).await;
    // The agent's sign-in speaks OAuth; the others say it in words of ours.
    let refused: Vec<u16> = answers.iter().take(4).map(|(status, _)| *status).collect();
    assert_eq!(refused, [503, 400, 400, 400], "{answers:?}");
    let offline = |(_, body): &&(u16, String)| body.contains("works offline and asks nobody");
    assert_eq!(answers.iter().filter(offline).count(), 3, "{answers:?}");
    assert_eq!(
        answers[4].0, 200,
        "a code is kept for whoever takes it: {answers:?}"
    );
    toured(&data);
    let egress = ledger(&data);
    assert!(egress.offline && egress.since.is_some());
    assert_eq!(egress.attempts, 0, "{egress:?}");
    assert_eq!(egress.withheld, 4, "{egress:?}");
    assert!(
        egress
            .latest
            .iter()
            .all(|one| one.outcome == Outcome::Withheld)
    );
    assert_eq!(reached(folder.path()), BTreeSet::new());
    drop(process);
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_the_ledger_lists_what_the_system_saw_leave() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Both take connections and hang up.
    let [vendors, gateway] = [listener(), listener()];
    let origin = format!("https://{vendors}");
    let process = watched(folder.path())
        .with("ADMIT_UPSTREAMS_ORIGINS", &origin)
        .with("ADMIT_CODES_SMS", "gateway")
        .with(
            "ADMIT_GATEWAY_URL",
            &format!("http://{gateway}/send?to={{to}}&code={{code}}"),
        )
        .start();
    let answers = exercise(&process, &data, Some(&origin)).await;
    assert_eq!(answers[4].0, 200, "{answers:?}");
    let begun = Instant::now();
    let egress = loop {
        let egress = ledger(&data);
        let is_complete = egress
            .latest
            .iter()
            .any(|one| one.purpose == Purpose::Gateway);
        if is_complete || begun.elapsed() > Duration::from_secs(20) {
            break egress;
        }
    };
    drop(process);
    let listed: BTreeSet<String> = egress
        .totals
        .iter()
        .map(|total| total.destination.clone())
        .collect();
    assert_eq!(listed, BTreeSet::from([vendors, gateway]), "{egress:?}");
    assert_eq!(listed, reached(folder.path()));
    assert_eq!(egress.withheld, 0, "{egress:?}");
    assert!(egress.attempts >= 5, "{egress:?}");
    let totals: u64 = egress.totals.iter().map(|total| total.attempts).sum();
    assert_eq!(totals, egress.attempts);
    let purposes: BTreeSet<Purpose> = egress.latest.iter().map(|one| one.purpose).collect();
    assert_eq!(purposes.len(), 4, "{egress:?}");
    // Neither whom a code is for nor what was said.
    let shown = serde_json::to_string(&egress).unwrap();
    assert!(
        !shown.contains("306912345678") && !shown.contains("send?"),
        "{shown}"
    );
}

/// Takes every connection and drops it.
fn listener() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    address
}

#[test]
fn settings_that_need_a_connection_are_refused_offline_and_told_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("admit.toml");
    let text = "offline = true\n[codes]\nemail = \"smtp\"\n[smtp]\nhost = \"mail.example\"\nfrom = \"a@b.example\"\n";
    fs::write(&file, text).unwrap();
    let serve = ["serve", "--config", "admit.toml", "--listen", "127.0.0.1:0"];
    let refused = admit(folder.path()).args(serve).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("admit.toml:3:9: codes.email: "), "{said}");
    assert!(
        said.contains("offline is on: choose outbox or spool"),
        "{said}"
    );
    assert!(!folder.path().join("admit-data").exists());
}
