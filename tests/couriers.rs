//! One-time codes on their way out: a mail server and an HTTP server that are not ours receive them, and files.
//!
//! Serves product.md 7. The servers are Python programs beside the relying parties' (`tests/clients`); they print what
//! they received as Python reads it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use admit::adapters::sms_gateway::{self, SmsGateway};
use admit::adapters::smtp::{self, Smtp};
use admit::compose;
use admit::config::{Config, Overrides, load};
use admit::crypto::authority::Authority;
use admit::domain::ports::{Channel, Courier, Message, Undelivered};
use admit::jobs::Couriers;
use admit::kernel::{Clock, Secret, SystemClock};
use admit::render::messages;
use serde_json::{Value, json};
use tempfile::TempDir;

const CODE: &str = "407182";
const TO: &str = "rosa.luz@example.net";
const NUMBER: &str = "+306912345678";
const USER: &str = "courier";
const PASSWORD: &str = "wet otters παίζουν";

fn message(channel: Channel, locale: &str) -> Message {
    let to = if channel == Channel::Email {
        TO
    } else {
        NUMBER
    };
    Message {
        id: "0b6cf2f8-0000-4000-8000-000000000001".into(),
        channel,
        to: to.into(),
        code: Secret::new(CODE.into()),
        locale: locale.parse().unwrap(),
        sender: "Ωμέγα Café 24".into(),
        minutes: 10,
    }
}

/// A server's certificate, and the authority that made it.
struct Certificates(TempDir);

impl Certificates {
    fn made() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemClock.now();
        let authority = Authority::create("A test's authority", now).unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let leaf = authority.issue(&names, now).unwrap();
        fs::write(folder.path().join("ca.pem"), authority.cert_pem()).unwrap();
        fs::write(folder.path().join("leaf.pem"), leaf.cert_pem).unwrap();
        fs::write(folder.path().join("key.pem"), leaf.key_pem.expose()).unwrap();
        Self(folder)
    }

    fn authority(&self) -> PathBuf {
        self.0.path().join("ca.pem")
    }

    fn words(&self) -> [String; 4] {
        let path = |name| self.0.path().join(name).display().to_string();
        [
            "--certificate".into(),
            path("leaf.pem"),
            "--key".into(),
            path("key.pem"),
        ]
    }
}

/// A program of `tests/clients` that serves until it is dropped.
struct Program {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Program {
    fn start<S: AsRef<str>>(name: &str, words: &[S]) -> Self {
        let python = std::env::var("ADMIT_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
        let mut child = Command::new(python)
            .arg(script.join(name))
            .args(words.iter().map(AsRef::as_ref))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self {
            child,
            lines,
            port: 0,
        };
        let port = program.next()["port"].as_u64().unwrap();
        program.port = u16::try_from(port).unwrap();
        program
    }

    /// What it received next.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Ends it; what it received that nobody asked for.
    fn end(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        let lines = self.lines.by_ref().lines();
        lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mail_server(tls: &str, certificates: &Certificates, more: &[&str]) -> Program {
    let mut words = vec!["--tls".to_owned(), tls.to_owned()];
    words.extend(certificates.words());
    words.extend(more.iter().map(|word| (*word).to_owned()));
    Program::start("mail_server.py", &words)
}

const SIGNED_IN: [&str; 4] = ["--user", USER, "--password", PASSWORD];

fn configured(env: &[(&str, &str)]) -> Config {
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(Overrides::default(), env).unwrap()
}

fn couriers(env: &[(&str, &str)]) -> Couriers {
    compose::couriers(&configured(env)).unwrap_or_else(|error| panic!("{error}"))
}

/// The courier of e-mail for a server at that port, as an operator configures it.
fn mail_courier(port: u16, tls: &str, authority: &Path, password: &str) -> Arc<dyn Courier> {
    let port = port.to_string();
    let couriers = couriers(&[
        ("ADMIT_CODES_EMAIL", "smtp"),
        ("ADMIT_SMTP_HOST", "localhost"),
        ("ADMIT_SMTP_PORT", &port),
        ("ADMIT_SMTP_TLS", tls),
        ("ADMIT_SMTP_USER", USER),
        ("ADMIT_SMTP_PASSWORD", password),
        ("ADMIT_SMTP_FROM", "codes@example.org"),
        ("ADMIT_SMTP_EHLO", "admit.example.org"),
        ("ADMIT_SMTP_AUTHORITY", authority.to_str().unwrap()),
    ]);
    assert!(couriers.of(Channel::Sms).is_none() && couriers.of(Channel::Voice).is_none());
    Arc::clone(couriers.of(Channel::Email).unwrap())
}

async fn refused(courier: &dyn Courier, message: &Message) -> Undelivered {
    let undelivered = courier.deliver(message).await.unwrap_err();
    for secret in [CODE, TO, NUMBER, "rosa", USER, PASSWORD, "bearer-token"] {
        assert!(
            !undelivered.reason.contains(secret),
            "{}",
            undelivered.reason
        );
    }
    undelivered
}

#[tokio::test]
async fn a_mail_server_receives_every_language_readable_and_correctly_encoded() {
    let certificates = Certificates::made();
    let mut server = mail_server("starttls", &certificates, &SIGNED_IN);
    let courier = mail_courier(server.port, "starttls", &certificates.authority(), PASSWORD);
    assert_eq!(courier.name(), "smtp");
    for locale in [
        "el", "ar", "zh", "zh-HK", "th", "he", "hi", "ja", "ko", "ru", "en", "vi",
    ] {
        let message = message(Channel::Email, locale);
        courier.deliver(&message).await.unwrap();
        let seen = server.next();
        assert_eq!(seen["subject"], messages::subject(&message), "{locale}");
        assert_eq!(
            seen["text"].as_str().unwrap().trim_end(),
            messages::body(&message).trim_end()
        );
        assert!(seen["text"].as_str().unwrap().contains(CODE));
        assert_eq!(seen["from_name"], message.sender);
        assert_eq!(seen["from"], "codes@example.org");
        assert_eq!(
            (&seen["to"], &seen["envelope_to"]),
            (&json!(TO), &json!([TO]))
        );
        assert_eq!(seen["envelope_from"], "codes@example.org");
        assert_eq!(seen["message_id"], format!("<{}@example.org>", message.id));
        assert_eq!(seen["auto_submitted"], "auto-generated");
        assert_eq!(seen["language"], locale);
        assert_eq!(
            (&seen["type"], &seen["charset"]),
            (&json!("text/plain"), &json!("utf-8"))
        );
        assert_eq!((&seen["tls"], &seen["user"]), (&json!(true), &json!(USER)));
        assert_eq!(seen["greeting"], "admit.example.org");
        // RFC 5321 §4.5.3.1.6 and RFC 2045 §6: nothing depends on what servers on the way can do.
        assert_eq!(seen["is_ascii"], true);
        assert!(seen["longest_line"].as_u64().unwrap() <= 998);
        assert_eq!(seen["defects"], json!([]));
        let headers = seen["headers"].as_array().unwrap();
        for name in ["date", "mime-version", "content-transfer-encoding"] {
            assert!(headers.contains(&name.into()), "{name}");
        }
    }
}

#[tokio::test]
async fn tls_begins_with_the_connection_or_never_where_that_is_asked_for() {
    let certificates = Certificates::made();
    for (tls, encrypted) in [("implicit", true), ("none", false)] {
        let mut server = mail_server(tls, &certificates, &SIGNED_IN);
        let courier = mail_courier(server.port, tls, &certificates.authority(), PASSWORD);
        courier
            .deliver(&message(Channel::Email, "el"))
            .await
            .unwrap();
        assert_eq!(server.next()["tls"], encrypted);
    }
}

#[tokio::test]
async fn a_mail_server_that_cannot_be_used_is_an_error_in_words_and_tried_again() {
    let certificates = Certificates::made();
    let authority = certificates.authority();
    let mail = message(Channel::Email, "en");

    let server = mail_server("starttls", &certificates, &SIGNED_IN);
    let courier = mail_courier(server.port, "starttls", &authority, "another");
    let said = refused(courier.as_ref(), &mail).await;
    assert_eq!(
        said.reason,
        "the mail server does not accept user and password: 535 5.7.8"
    );
    assert!(!said.is_final);

    let strange = Certificates::made();
    let courier = mail_courier(server.port, "starttls", &strange.authority(), PASSWORD);
    let said = refused(courier.as_ref(), &mail).await;
    assert!(
        said.reason.starts_with("no TLS with the mail server: "),
        "{said}"
    );
    assert!(
        said.reason.contains("certificate") && !said.is_final,
        "{said}"
    );
    assert_eq!(server.end(), [json!(null); 0]);

    let server = mail_server("none", &certificates, &SIGNED_IN);
    let courier = mail_courier(server.port, "starttls", &authority, PASSWORD);
    let said = refused(courier.as_ref(), &mail).await;
    assert_eq!(
        said.reason,
        "no TLS with the mail server: STARTTLS is not supported on this server"
    );
    assert!(!said.is_final);
    let courier = mail_courier(server.port, "implicit", &authority, PASSWORD);
    let said = refused(courier.as_ref(), &mail).await;
    assert!(
        said.reason
            .starts_with("the mail server cannot be reached: "),
        "{said}"
    );
    assert!(!said.is_final);
    assert_eq!(server.end(), [json!(null); 0]);

    let courier = mail_courier(dead_port(), "starttls", &authority, PASSWORD);
    let said = refused(courier.as_ref(), &mail).await;
    assert!(
        said.reason.contains("Connection refused") && !said.is_final,
        "{said}"
    );
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_costs_no_more_than_the_time_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for tls in [smtp::Tls::None, smtp::Tls::StartTls, smtp::Tls::Implicit] {
        let account = smtp::Account {
            host: "127.0.0.1".into(),
            port: silent.local_addr().unwrap().port(),
            tls,
            authority: Some(fs::read(Certificates::made().authority()).unwrap()),
            credentials: None,
            from: "codes@example.org".into(),
            greeting: None,
            timeout: Duration::from_millis(200),
        };
        let courier = Smtp::with(account).unwrap_or_else(|error| panic!("{error}"));
        let said = refused(&courier, &message(Channel::Email, "en")).await;
        assert_eq!(said.reason, "no answer from the mail server within 0.2 s");
        assert!(!said.is_final);
    }
}

#[tokio::test]
async fn a_recipient_refused_for_good_is_not_tried_again() {
    let certificates = Certificates::made();
    let answers = [
        ("550 5.1.1 <ADDRESS> is nobody here", "550 5.1.1", true),
        ("553 ADDRESS is nobody here", "553", true),
        ("451 4.7.1 ADDRESS: come back later", "451 4.7.1", false),
    ];
    for (answer, shown, is_final) in answers {
        let more = [&SIGNED_IN[..], &["--refuse", answer]].concat();
        let server = mail_server("starttls", &certificates, &more);
        let courier = mail_courier(server.port, "starttls", &certificates.authority(), PASSWORD);
        let said = refused(courier.as_ref(), &message(Channel::Email, "en")).await;
        let reason = format!("the mail server did not take the message: {shown}");
        assert_eq!(said, Undelivered { reason, is_final });
    }
}

#[tokio::test]
async fn s16_no_sender_adds_a_header_or_a_recipient() {
    let certificates = Certificates::made();
    let mut server = mail_server("starttls", &certificates, &SIGNED_IN);
    let courier = mail_courier(server.port, "starttls", &certificates.authority(), PASSWORD);
    let mut plain = message(Channel::Email, "en");
    courier.deliver(&plain).await.unwrap();
    let expected = server.next()["headers"].clone();
    let hostile = [
        "a\r\nBcc: x@example.org",
        "\" <x@example.org>, \"",
        "a\n\nb",
        "=?utf-8?q?a?=",
    ];
    for sender in hostile {
        plain.sender = sender.into();
        courier.deliver(&plain).await.unwrap();
        let seen = server.next();
        assert_eq!(seen["headers"], expected, "{sender:?}");
        assert_eq!(seen["envelope_to"], json!([TO]));
        assert_eq!(
            (&seen["from"], &seen["to"]),
            (&json!("codes@example.org"), &json!(TO))
        );
    }
    let mut foreign = message(Channel::Email, "en");
    foreign.to = "a@example.org>\r\nRCPT TO:<b@example.org".into();
    assert!(refused(courier.as_ref(), &foreign).await.is_final);
    assert!(
        refused(courier.as_ref(), &message(Channel::Sms, "en"))
            .await
            .is_final
    );
    assert_eq!(server.end(), [json!(null); 0]);
}

/// The courier of short messages for a gateway at that port, as an operator configures it.
fn gateway_courier(url: &str, more: &[(&str, &str)]) -> Arc<dyn Courier> {
    let mut env = vec![("ADMIT_CODES_SMS", "gateway"), ("ADMIT_GATEWAY_URL", url)];
    env.extend(more);
    Arc::clone(couriers(&env).of(Channel::Sms).unwrap())
}

fn gateway_server(words: &[&str]) -> Program {
    Program::start("gateway_server.py", words)
}

#[tokio::test]
async fn a_gateway_is_asked_in_json_over_https_with_headers() {
    let certificates = Certificates::made();
    let mut server = Program::start("gateway_server.py", &certificates.words());
    let url = format!("https://localhost:{}/send?id={{id}}", server.port);
    let authority = certificates.authority();
    let courier = gateway_courier(
        &url,
        &[
            ("ADMIT_GATEWAY_AUTHORITY", authority.to_str().unwrap()),
            ("ADMIT_GATEWAY_AUTHORIZATION", "Bearer bearer-token"),
            ("ADMIT_GATEWAY_HEADERS", "X-Account: 42, X-Kind: otp"),
            (
                "ADMIT_GATEWAY_BODY",
                r#"{"m": [{"to": "{to}", "text": "{message}", "n": 1}], "{odd}": "{code} {locale} {channel} {sender}{subject}"}"#,
            ),
        ],
    );
    assert_eq!(courier.name(), "gateway");
    for locale in ["el", "ar", "zh", "th"] {
        let message = message(Channel::Sms, locale);
        courier.deliver(&message).await.unwrap();
        let seen = server.next();
        assert_eq!(
            (&seen["method"], &seen["path"]),
            (&json!("POST"), &json!("/send"))
        );
        assert_eq!(seen["query"], json!([["id", message.id]]));
        let text = messages::short(&message);
        let rest = format!("{CODE} {locale} SMS {}", message.sender);
        let expected = json!({ "m": [{ "to": NUMBER, "text": text, "n": 1 }], "{odd}": rest });
        assert_eq!(seen["json"], expected);
        let headers = &seen["headers"];
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["authorization"], "Bearer bearer-token");
        assert_eq!(
            (&headers["x-account"], &headers["x-kind"]),
            (&json!("42"), &json!("otp"))
        );
    }
    let strange = Certificates::made();
    let strange = strange.authority();
    let courier = gateway_courier(
        &url,
        &[("ADMIT_GATEWAY_AUTHORITY", strange.to_str().unwrap())],
    );
    let said = refused(courier.as_ref(), &message(Channel::Sms, "el")).await;
    assert!(
        said.reason.contains("certificate") && !said.is_final,
        "{said}"
    );
}

#[tokio::test]
async fn s16_no_sender_becomes_syntax_of_a_gateways_request() {
    let hostile = [
        "\",\"to\":\"+15550100",
        "x&to=+15550100",
        "a#b?c=d%20+e",
        "\\\r\n{code}",
        "{to}",
    ];
    let mut server = gateway_server(&[]);
    let url = format!("http://127.0.0.1:{}/?s={{sender}}&to={{to}}", server.port);
    let body = r#"{"s": "{sender}", "to": "{to}", "m": "{message}"}"#;
    let json = gateway_courier(&url, &[("ADMIT_GATEWAY_BODY", body)]);
    let form = gateway_courier(
        &url,
        &[
            ("ADMIT_GATEWAY_METHOD", "PUT"),
            ("ADMIT_GATEWAY_CONTENT_TYPE", "form"),
            ("ADMIT_GATEWAY_BODY", "s={sender}&to={to}&m={message}"),
        ],
    );
    let query = gateway_courier(
        &format!("{url}&c={{code}}"),
        &[("ADMIT_GATEWAY_METHOD", "GET")],
    );
    for sender in hostile {
        let mut message = message(Channel::Sms, "en");
        message.sender = sender.into();
        let text = messages::short(&message);
        let in_query = json!([["s", sender], ["to", NUMBER]]);

        json.deliver(&message).await.unwrap();
        let seen = server.next();
        assert_eq!(
            seen["json"],
            json!({ "s": sender, "to": NUMBER, "m": text })
        );
        assert_eq!(seen["query"], in_query);

        form.deliver(&message).await.unwrap();
        let seen = server.next();
        assert_eq!(seen["method"], "PUT");
        assert_eq!(
            seen["form"],
            json!([["s", sender], ["to", NUMBER], ["m", text]])
        );
        assert_eq!(seen["query"], in_query);

        query.deliver(&message).await.unwrap();
        let seen = server.next();
        assert_eq!(
            (&seen["method"], &seen["body"]),
            (&json!("GET"), &json!(""))
        );
        assert_eq!(
            seen["query"],
            json!([["s", sender], ["to", NUMBER], ["c", CODE]])
        );
    }
}

#[tokio::test]
async fn a_gateway_that_may_take_it_later_is_asked_again_and_one_that_refuses_is_not() {
    for (status, is_final) in [
        ("429", false),
        ("500", false),
        ("503", false),
        ("400", true),
        ("403", true),
        ("307", true),
    ] {
        let mut server = gateway_server(&["--status", status]);
        let courier = gateway_courier(&format!("http://127.0.0.1:{}/", server.port), &[]);
        let said = refused(courier.as_ref(), &message(Channel::Sms, "en")).await;
        assert!(said.reason.contains(status), "{said}");
        assert_eq!(said.is_final, is_final, "{said}");
        server.next();
        // A redirect is not followed.
        assert_eq!(server.end(), [json!(null); 0]);
    }
    let courier = gateway_courier(&format!("http://127.0.0.1:{}/", dead_port()), &[]);
    let said = refused(courier.as_ref(), &message(Channel::Sms, "en")).await;
    assert!(
        said.reason.contains("Connection refused") && !said.is_final,
        "{said}"
    );
}

#[tokio::test]
async fn a_gateway_is_waited_for_no_longer_than_the_time_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let account = sms_gateway::Account {
        url: format!("http://{}/", silent.local_addr().unwrap()),
        method: "POST",
        headers: Vec::new(),
        authorization: None,
        body: sms_gateway::Body::Json("\"{code}\"".into()),
        authority: None,
        timeout: Duration::from_millis(200),
    };
    let courier = SmsGateway::with(account).unwrap_or_else(|error| panic!("{error}"));
    let said = refused(&courier, &message(Channel::Sms, "en")).await;
    assert_eq!(said.reason, "the gateway did not answer in time");
    assert!(!said.is_final);
}

#[tokio::test]
async fn what_a_gateway_says_after_its_status_changes_nothing() {
    for words in [
        ["--length", "1000000", "--withheld", "0"],
        ["--length", "10", "--withheld", "5"],
    ] {
        let mut server = gateway_server(&words);
        let courier = gateway_courier(&format!("http://127.0.0.1:{}/", server.port), &[]);
        courier
            .deliver(&message(Channel::Voice, "en"))
            .await
            .unwrap();
        let text = messages::spoken(&message(Channel::Voice, "en"));
        assert_eq!(server.next()["json"], json!({ "to": NUMBER, "text": text }));
    }
}

#[tokio::test]
async fn a_spool_has_each_message_whole_and_for_its_owner_alone() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("deep/spool");
    let couriers = couriers(&[
        ("ADMIT_CODES_SMS", "spool"),
        ("ADMIT_CODES_VOICE", "spool"),
        ("ADMIT_CODES_EMAIL", "spool"),
        ("ADMIT_SPOOL_FOLDER", folder.to_str().unwrap()),
    ]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for channel in [Channel::Sms, Channel::Voice, Channel::Email] {
        let mut message = message(channel, "ar");
        message.id = format!("m-{}", channel.name());
        let courier = couriers.of(channel).unwrap();
        // Tried twice, as after a crash before the first success was noted.
        courier.deliver(&message).await.unwrap();
        courier.deliver(&message).await.unwrap();
        let path = folder.join(format!("m-{}.json", channel.name()));
        assert_eq!(mode(&path), 0o600);
        let seen: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let text = match channel {
            Channel::Sms => messages::short(&message),
            Channel::Voice => messages::spoken(&message),
            Channel::Email => messages::body(&message),
        };
        assert_eq!((&seen["text"], &seen["code"]), (&json!(text), &json!(CODE)));
        assert_eq!(
            (&seen["to"], &seen["locale"]),
            (&json!(message.to), &json!("ar"))
        );
        assert_eq!(seen["channel"], channel.name());
        assert_eq!(seen["sender"], message.sender);
        assert_eq!(seen.get("subject").is_some(), channel == Channel::Email);
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    let mut climbing = message(Channel::Sms, "en");
    climbing.id = "../out".into();
    let courier = couriers.of(Channel::Sms).unwrap();
    assert!(refused(courier.as_ref(), &climbing).await.is_final);
    fs::remove_dir_all(&folder).unwrap();
    let said = refused(courier.as_ref(), &message(Channel::Sms, "en")).await;
    assert!(
        said.reason.starts_with("the spool cannot be written: ") && !said.is_final,
        "{said}"
    );
}

#[test]
fn what_cannot_be_used_is_told_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "nothing\n").unwrap();
    let told = |env: &[(&str, &str)]| match compose::couriers(&configured(env)) {
        Ok(_) => panic!("{env:?}"),
        Err(error) => error.to_string(),
    };
    let path = empty.to_str().unwrap();
    let gateway = [
        ("ADMIT_CODES_VOICE", "gateway"),
        ("ADMIT_GATEWAY_URL", "https://localhost/"),
        ("ADMIT_GATEWAY_AUTHORITY", path),
    ];
    assert_eq!(
        told(&gateway),
        format!("gateway.authority: {path} holds no certificate in PEM")
    );
    let mail = [
        ("ADMIT_CODES_EMAIL", "smtp"),
        ("ADMIT_SMTP_HOST", "localhost"),
        ("ADMIT_SMTP_FROM", "codes@example.org"),
        ("ADMIT_SMTP_AUTHORITY", "/nowhere/ca.pem"),
    ];
    assert!(told(&mail).starts_with("/nowhere/ca.pem: "));
    let taken = format!("{path}/spool");
    let spool = [
        ("ADMIT_CODES_SMS", "spool"),
        ("ADMIT_SPOOL_FOLDER", taken.as_str()),
    ];
    assert!(told(&spool).starts_with(&taken));
    // A courier no channel uses is not made.
    assert!(couriers(&gateway[1..]).of(Channel::Voice).is_none());
}

/// A port nobody listens at: it was free a moment ago.
fn dead_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
