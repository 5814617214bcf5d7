//! `admit tour` against a real server, against none, and against one that answers differently.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::contract::documented;

/// `admit serve` in a fresh folder, at a port the system chose; stopped when dropped.
pub(crate) struct Serving {
    folder: TempDir,
    server: Child,
    greeting: String,
}

impl Serving {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// The same with a configuration, kept in `admit.toml`.
    pub(crate) fn start_with(config: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("admit.toml"), config).unwrap();
        let mut server = admit(folder.path())
            .args(["serve", "--listen", "127.0.0.1:0", "--config", "admit.toml"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap());
        let mut greeting = String::new();
        // The last line of what a first start says.
        while !greeting.contains(" tour --data ") {
            let read = lines.read_line(&mut greeting).unwrap();
            assert!(read > 0, "{greeting}");
        }
        // A server whose output nobody reads would stop at a full pipe.
        thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Self {
            folder,
            server,
            greeting,
        }
    }

    /// Where it was started: its data are in `admit-data` there.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What its first start printed.
    pub(crate) fn greeting(&self) -> &str {
        &self.greeting
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The built program, to be run in `folder` with nothing of our environment that it would listen to.
pub(crate) fn admit(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_admit"));
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ADMIT_") {
            command.env_remove(name);
        }
    }
    command
}

fn tour(folder: &Path) -> Output {
    admit(folder).arg("tour").output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn first_run(folder: &Path) -> Value {
    let path = folder.join("admit-data/first-run.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn write_first_run(folder: &Path, base_url: &str) {
    let data = folder.join("admit-data");
    fs::create_dir_all(&data).unwrap();
    let members = json!({
        "base_url": base_url,
        "ca_certificate": "/nowhere/ca.pem",
        "organization_id": "organization",
        "application_id": "application",
        "admin": { "username": "admin", "password": "s3cret-of-the-admin" },
        "client": { "client_id": "client", "client_secret": "s3cret-of-the-client" },
    });
    fs::write(data.join("first-run.json"), members.to_string()).unwrap();
}

#[test]
fn every_call_is_answered_as_the_contract_says() {
    let serving = Serving::start();
    for _ in 0..2 {
        let toured = tour(serving.folder());
        let said = text(&toured.stdout);
        assert_eq!(
            toured.status.code(),
            Some(0),
            "{said}{}",
            text(&toured.stderr)
        );
        let last = said.lines().last().unwrap();
        assert!(last.contains(" calls, all as the contract says, in ") && last.ends_with(" ms."));
        let steps = said.lines().filter(|line| line.starts_with("ok ")).count();
        assert!(last.starts_with(&format!("{steps} calls,")), "{last}");
        let [left_out, _] = said.lines().skip(steps).collect::<Vec<_>>()[..] else {
            panic!("what was left out, and the end: {said}");
        };
        assert!(left_out.contains("`admit stand-ins`"), "{left_out}");
        let secret = first_run(serving.folder())["client"]["client_secret"].clone();
        assert!(!said.contains(secret.as_str().unwrap()));
        let password = first_run(serving.folder())["admin"]["password"].clone();
        assert!(!said.contains(password.as_str().unwrap()));
        // Neither tokens nor tickets: a ticket's path is written as the contract writes it.
        assert!(!said.contains("eyJ") && said.contains("/security/ticket/{ticketId}/revoke"));
        assert!(said.contains("/auth/v3/ops/clients/{client_id}"));
    }
}

/// `admit stand-ins` on a free port; stopped when dropped.
struct StandingIn {
    process: Child,
    origin: String,
    folder: TempDir,
}

impl StandingIn {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let mut process = admit(folder.path())
            .args(["stand-ins", "--listen", "127.0.0.1:0", "--folder", "."])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("They listen on ") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "{said}");
        }
        thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        let (_, origin) = said.split_once("They listen on ").unwrap();
        let origin = origin.split_once(". ").unwrap().0.to_owned();
        Self {
            process,
            origin,
            folder,
        }
    }

    fn authority(&self) -> String {
        let path = self.folder.path().join("tls/ca.pem");
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for StandingIn {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Every documented operation of both contracts, with stand-ins in place of the vendors.
#[test]
fn with_stand_ins_nothing_is_left_out_wherever_codes_go() {
    let stand_ins = StandingIn::start();
    let (origin, authority) = (&stand_ins.origin, stand_ins.authority());
    let reached = format!("[upstreams]\norigins = [\"{origin}\"]\nauthority = \"{authority}\"\n");
    let by_gateway = format!(
        "{reached}[codes]\nsms = \"gateway\"\n[gateway]\nurl = \"{origin}/sms\"\nauthority = \"{authority}\"\n"
    );
    for config in [reached, by_gateway] {
        let serving = Serving::start_with(&config);
        for _ in 0..2 {
            let toured = admit(serving.folder())
                .args([
                    "tour",
                    "--stand-ins",
                    origin,
                    "--stand-ins-authority",
                    &authority,
                ])
                .output()
                .unwrap();
            let said = text(&toured.stdout);
            assert_eq!(
                toured.status.code(),
                Some(0),
                "{config}\n{said}{}",
                text(&toured.stderr)
            );
            for operation in documented() {
                let called = said.lines().any(|line| {
                    let mut words = line.split_whitespace().skip(4);
                    words.next() == Some(operation.method) && words.next() == Some(operation.path)
                });
                assert!(called, "{} {}", operation.method, operation.path);
            }
            assert!(
                !said.contains("eyJ") && !said.contains("genesys-secret"),
                "{said}"
            );
        }
    }
}

#[test]
fn a_call_that_differs_is_named_and_told_by_the_exit_code() {
    let serving = Serving::start();
    let path = serving.folder().join("admit-data/first-run.json");
    let mut wrong = first_run(serving.folder());
    wrong["client"]["client_secret"] = "not-the-secret".into();
    fs::write(path, wrong.to_string()).unwrap();
    let toured = tour(serving.folder());
    let said = text(&toured.stdout);
    assert_eq!(toured.status.code(), Some(1), "{said}");
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("FAILED 401, not 200"), "{first}");
    assert!(first.contains("POST   /security/oauth/token"), "{first}");
    assert!(
        first.ends_with("answered 401 instead of 200: Bad client credentials"),
        "{first}"
    );
    assert!(said.contains("not asked: no earlier call gave {backend}"));
    assert!(!said.contains("not-the-secret"));
    let last = said.lines().last().unwrap();
    assert!(last.contains(" not as the contract says, in "), "{last}");
}

#[test]
fn an_answer_of_another_shape_is_a_difference() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(|s| drop(stub(s))));
    let folder = TempDir::new().unwrap();
    write_first_run(folder.path(), &format!("http://{address}"));
    let toured = tour(folder.path());
    let said = text(&toured.stdout);
    assert_eq!(toured.status.code(), Some(1), "{said}");
    let first = said.lines().next().unwrap();
    for difference in [
        "header x-request-id is missing",
        "refresh_token should not be there",
        "token_type is \"Bearer\", not \"bearer\"",
        "sub is missing",
        "access_token is no JSON Web Token",
    ] {
        assert!(first.contains(difference), "{difference}: {first}");
    }
    assert!(!said.contains("s3cret"));
}

/// Answers one request with a token reply that is none of contract A's.
fn stub(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    let mut length = 0;
    while lines.read_line(&mut line)? > 2 {
        let small = line.to_ascii_lowercase();
        if let Some(value) = small.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    lines.read_exact(&mut vec![0; length])?;
    let body = r#"{"access_token":"abc","token_type":"Bearer","refresh_token":"def"}"#;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn without_a_server_the_tour_says_what_to_start() {
    let folder = TempDir::new().unwrap();
    // A port that was free a moment ago and that nothing listens at.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    write_first_run(folder.path(), &format!("http://{address}"));
    let toured = tour(folder.path());
    let said = text(&toured.stderr);
    assert_eq!(toured.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("no answer from http://{address}")));
    assert!(said.contains("`admit serve`") && said.contains("--base-url"));
}

#[test]
fn a_call_that_is_not_answered_is_named_and_not_told_as_a_server_that_was_not_started() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder = TempDir::new().unwrap();
    write_first_run(folder.path(), &format!("http://{address}"));
    // One call is answered, and then nobody listens any more.
    let one = thread::spawn(move || drop(listener.accept().map(|(stream, _)| stub(stream))));
    let toured = tour(folder.path());
    one.join().unwrap();
    let said = text(&toured.stderr);
    assert_eq!(toured.status.code(), Some(3), "{said}");
    let named = format!("admit: no answer from http://{address} to POST /security/oauth/token (");
    assert!(said.starts_with(&named), "{said}");
    assert!(said.contains("in the server's log") && !said.contains("`admit serve`"));
}

#[test]
fn behind_a_proxy_and_with_short_tickets_the_tour_is_the_same() {
    let serving = Serving::start_with(
        "[server]\nplain_http = true\npublic_url = \"https://admit.example.org\"\n\
         [tickets]\ndefault_ttl_seconds = 60\nmax_ttl_seconds = 60\n",
    );
    assert!(!serving.greeting().contains("--cacert"));
    let config = ["tour", "--config", "admit.toml"];
    let toured = admit(serving.folder()).args(config).output().unwrap();
    assert_eq!(toured.status.code(), Some(3));
    assert!(text(&toured.stderr).contains("If a proxy stands before the server"));
    let (_, rest) = serving.greeting().split_once("is ready on ").unwrap();
    let (address, _) = rest.split_once(',').unwrap();
    let toured = admit(serving.folder())
        .args(config)
        .args(["--base-url", &format!("http://{address}")])
        .output()
        .unwrap();
    assert_eq!(toured.status.code(), Some(0), "{}", text(&toured.stdout));
}

#[test]
fn wrong_usage_is_told_apart() {
    let folder = TempDir::new().unwrap();
    let toured = tour(folder.path());
    let said = text(&toured.stderr);
    assert_eq!(toured.status.code(), Some(2), "{said}");
    assert!(said.contains("admit-data/first-run.json is not there") && said.contains("--data"));
    let toured = admit(folder.path())
        .args(["tour", "--base-url", "localhost"])
        .output()
        .unwrap();
    assert_eq!(toured.status.code(), Some(2));
}
