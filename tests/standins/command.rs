//! `admit stand-ins` as the built program: what it prints works as printed, and no other command has anything of it.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::tour::{Serving, admit};

/// The command in a folder of its own; killed when dropped.
struct Running {
    folder: TempDir,
    child: Child,
    said: String,
}

impl Running {
    fn start(data: &Path, words: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let mut child = admit(folder.path())
            .args(["stand-ins", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("  refresh tokens ") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "{said}");
        }
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Self {
            folder,
            child,
            said,
        }
    }

    fn origin(&self) -> &str {
        let (_, rest) = self.said.split_once("They listen on ").unwrap();
        rest.split_once(". ").unwrap().0
    }

    /// The printed lines that begin so.
    fn lines(&self, start: &str) -> Vec<&str> {
        let lines = self.said.lines().map(str::trim_start);
        lines.filter(|line| line.starts_with(start)).collect()
    }

    fn signalled(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What shell lines print, in a folder that is neither's.
fn shell(lines: &str) -> String {
    let elsewhere = TempDir::new().unwrap();
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", lines]);
    let done = command.current_dir(elsewhere.path()).output().unwrap();
    let complaints = String::from_utf8(done.stderr).unwrap();
    let well = done.status.success() && complaints.is_empty();
    assert!(well, "{lines}\n{complaints}");
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn its_first_line_says_what_it_is_and_its_curl_lines_work_as_printed() {
    let nowhere = TempDir::new().unwrap();
    let running = Running::start(&nowhere.path().join("it's data"), &[]);
    let first = running.said.lines().next().unwrap();
    assert!(first.contains("imitations") && first.contains("no real upstream"));
    assert!(running.origin().starts_with("https://127.0.0.1:"));
    let own: Vec<_> = running
        .lines("curl ")
        .into_iter()
        .filter(|line| !line.contains("$TOKEN"))
        .collect();
    let [journal, fault] = own[..] else {
        panic!("two lines, not {own:?}");
    };
    assert_eq!(shell(journal), "[]");
    assert_eq!(shell(fault), "");
    let authority = running.folder.path().join("admit-stand-ins/tls/ca.pem");
    let call = format!(
        "curl -sS --cacert '{}' -o /dev/null -w '%{{http_code}}' -X POST {}/api/v2/conversations/callbacks",
        authority.display(),
        running.origin()
    );
    assert_eq!([shell(&call), shell(&call)], ["503", "401"]);
    let journal: Value = serde_json::from_str(&shell(journal)).unwrap();
    assert_eq!(journal.as_array().unwrap().len(), 2);
    assert_eq!(running.signalled(Signal::TERM), Some(0));
}

#[test]
fn the_settings_it_prints_reach_a_command_as_they_are_meant() {
    let nowhere = TempDir::new().unwrap();
    let data = nowhere.path().join("it's data");
    let running = Running::start(&data, &[]);
    let (_, rest) = running
        .said
        .split_once("in place of the one that runs\n")
        .unwrap();
    let (lines, _) = rest.split_once("\n\n").unwrap();
    // In place of the program, one that shows what it was given.
    let (settings, command) = lines.split_once(env!("CARGO_BIN_EXE_admit")).unwrap();
    let shown = shell(&format!("{settings} env"));
    let value = |name: &str| {
        shown
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")))
    };
    let authority = running.folder.path().join("admit-stand-ins/tls/ca.pem");
    let gateway = format!("{}/sms", running.origin());
    for (name, expected) in [
        ("ADMIT_UPSTREAMS_ORIGINS", running.origin()),
        ("ADMIT_UPSTREAMS_AUTHORITY", authority.to_str().unwrap()),
        ("ADMIT_CODES_SMS", "gateway"),
        ("ADMIT_GATEWAY_URL", &gateway),
        ("ADMIT_GATEWAY_AUTHORITY", authority.to_str().unwrap()),
    ] {
        assert_eq!(value(name), Some(expected), "{shown}");
    }
    let words = shell(&format!("printf '%s|' {command}"));
    assert_eq!(words, format!("serve|--data|{}|", data.display()));
}

#[test]
fn the_lines_for_applications_carry_a_token_and_what_an_application_needs() {
    let serving = Serving::start();
    let running = Running::start(&serving.folder().join("admit-data"), &[]);
    let lines = ["FIRST=", "CA=", "BASE=", "CLIENT=", "TOKEN="].map(|start| {
        let lines = running.lines(start);
        assert_eq!(lines.len(), 1, "{start}");
        lines[0]
    });
    let token = shell(&format!("{}\necho \"$TOKEN\"", lines.join("\n")));
    assert!(token.starts_with("eyJ"), "{token}");
    let create: Vec<_> = running
        .lines("curl ")
        .into_iter()
        .filter(|line| line.contains("$TOKEN"))
        .collect();
    let kinds = ["GENESYS", "TALKDESK_OPENID", "NICE_CXONE_OPENID"];
    assert_eq!(create.len(), kinds.len());
    for (line, kind) in create.iter().zip(kinds) {
        assert!(line.ends_with(" \"$BASE/security/applications\""), "{line}");
        let body = line
            .split('\'')
            .find(|part| part.starts_with("{\""))
            .unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["type"], kind);
        let parameters = &body["config"]["serviceParameters"];
        assert!(
            parameters["clientSecret"]
                .as_str()
                .unwrap()
                .ends_with("-secret")
        );
        let base = ["loginBase", "tokenUrl"].map(|name| parameters[name].as_str());
        let base = base.into_iter().flatten().next().unwrap();
        assert!(base.starts_with(running.origin()), "{base}");
    }
}

#[test]
fn without_tls_it_needs_and_makes_no_authority() {
    let nowhere = TempDir::new().unwrap();
    let running = Running::start(nowhere.path(), &["--plain-http"]);
    assert!(running.origin().starts_with("http://127.0.0.1:"));
    assert!(!running.said.contains("AUTHORITY"), "{}", running.said);
    let journal = running.lines("curl ")[0];
    assert_eq!(shell(journal), "[]");
    assert!(!running.folder.path().join("admit-stand-ins").exists());
    assert_eq!(running.signalled(Signal::INT), Some(0));
}

#[test]
fn it_listens_on_one_address_that_can_be_had() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (address, code) in [
        ("0.0.0.0:9443", 2),
        ("[::]:9443", 2),
        ("here", 2),
        (&taken, 3),
    ] {
        let mut command = admit(folder.path());
        let done = command
            .args(["stand-ins", "--listen", address])
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(code), "{address}");
        assert!(!done.stderr.is_empty() && done.stdout.is_empty());
    }
}

#[test]
fn no_help_of_a_server_speaks_of_it() {
    let folder = TempDir::new().unwrap();
    let help = |words: &[&str]| {
        let said = admit(folder.path())
            .args(words)
            .arg("--help")
            .output()
            .unwrap();
        String::from_utf8(said.stdout).unwrap().to_lowercase()
    };
    let all = help(&[]);
    assert!(all.contains("stand-ins") && all.contains("imitate") && all.contains("never in"));
    for other in ["serve", "init", "outbox"] {
        let said = help(&[other]);
        let of_it = ["stand-in", "standin", "imitat"];
        assert!(!of_it.iter().any(|word| said.contains(word)), "{other}");
    }
}
