//! Three relying parties and a browser that are not ours, each a process of its own, before a server process.
//!
//! Serves standards.md part 4 (any certified relying party works against a stock install) and security.md O9 and O10.
//! The programs beside this file know nothing of the server but its issuer; `tests/run` installs what they need.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{Launch, Process};
use crate::tour::admit;

const NAME: &str = "alex";
const FULL_NAME: &str = "Alex Agent";
const EMAIL: &str = "alex@example.org";

/// A stock install as a process, with a user and a client that the operator's commands made.
struct Stage {
    process: Process,
    data: TempDir,
    port: u16,
    user: Value,
    client: Value,
}

impl Stage {
    /// The client is sent back to these two paths at a loopback port that was free a moment ago.
    fn set(callback: &str) -> Self {
        let port = free_port();
        let redirect_uri = format!("http://127.0.0.1:{port}{callback}");
        Self::set_at(port, &redirect_uri)
    }

    fn set_at(port: u16, redirect_uri: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let process = Launch::on(data.path()).without_public_url().start();
        let user = operator(
            data.path(),
            &[
                "user", "create", NAME, "--email", EMAIL, "--name", FULL_NAME,
            ],
        );
        let client = operator(
            data.path(),
            &[
                "client",
                "create",
                "--id",
                "party",
                "--description",
                "A relying party",
                "--grant",
                "authorization_code",
                "--grant",
                "refresh_token",
                "--redirect-uri",
                redirect_uri,
                "--post-logout-redirect-uri",
                &format!("http://127.0.0.1:{port}/bye"),
            ],
        );
        Self {
            process,
            data,
            port,
            user,
            client,
        }
    }

    /// Gives the user a new password, to be changed at the first sign-in.
    fn expire_password(&mut self) {
        let words = ["user", "password", NAME, "--expired"];
        self.user = operator(self.data.path(), &words);
    }

    /// Both issuers of the one server.
    fn issuers(&self) -> [String; 2] {
        let base = self.process.first_run().base_url();
        [base.clone(), format!("{base}/auth/v3")]
    }

    fn issuer(&self) -> String {
        self.process.first_run().base_url()
    }

    /// A program of this folder that is told the issuer, the client and the user; what it saw.
    fn play(&self, program: &str, issuer: &str, words: &[&str]) -> Value {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/clients")
            .join(program);
        let interpreter = match script.extension().and_then(OsStr::to_str) {
            Some("py") => python(),
            _ => "node".into(),
        };
        let mut command = Command::new(interpreter);
        command
            .arg(script)
            .args(words)
            .args(["--issuer", issuer])
            .arg("--ca")
            .arg(self.data.path().join("tls/ca.pem"))
            .args(["--client-id", text(&self.client, "client_id")])
            .args(["--client-secret", text(&self.client, "client_secret")])
            .args(["--username", NAME])
            .args(["--password", text(&self.user, "password")]);
        let seen = seen(command, || self.process.log());
        assert!(self.process.log().lines().all(|line| !is_fault(line)));
        seen
    }

    /// `play`, for those that are told where they are sent back to.
    fn play_at(&self, callback: &str, program: &str, issuer: &str, words: &[&str]) -> Value {
        let after_logout = format!("http://127.0.0.1:{}/bye", self.port);
        let mut all = words.to_vec();
        all.extend(["--redirect-uri", callback, "--after-logout", &after_logout]);
        self.play(program, issuer, &all)
    }

    /// A scenario of the real browser.
    fn browse(&self, scenario: &str, words: &[&str]) -> Value {
        let callback = format!("http://127.0.0.1:{}/callback", self.port);
        let mut all = vec![scenario];
        all.extend(words);
        self.play_at(&callback, "browser.mjs", &self.issuer(), &all)
    }

    /// What a relying party must have learned, whichever it is.
    fn judge(&self, seen: &Value, issuer: &str) {
        assert_eq!(text(seen, "issuer"), issuer);
        assert_eq!(text(seen, "sub"), text(&self.user, "user_id"));
        assert_eq!(text(&seen["id_token"], "iss"), issuer);
        assert_eq!(text(&seen["userinfo"], "sub"), text(seen, "sub"));
        assert_eq!(text(&seen["userinfo"], "name"), FULL_NAME);
        assert_eq!(text(&seen["userinfo"], "email"), EMAIL);
        assert_eq!(seen["refreshed"], true);
        assert_eq!(text(seen, "after_logout"), "login_required");
    }
}

/// A word of `admit` on this data folder, whose server is running; what it printed.
fn operator(data: &Path, words: &[&str]) -> Value {
    let mut command = admit(data);
    command.args(words).arg("--json").arg("--data").arg(data);
    seen(command, String::new)
}

/// The one JSON value a program prints; all it said, and what the server said, if it did not succeed.
pub(crate) fn seen(mut command: Command, server: impl Fn() -> String) -> Value {
    let ran = command
        .env("ADMIT_TEST_NODE", node_packages())
        .env("NO_PROXY", "localhost,127.0.0.1")
        .env("no_proxy", "localhost,127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output();
    let program = command.get_program().display();
    let ran = ran.unwrap_or_else(|error| panic!("{program}: {error}; tests/run installs it"));
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{program} {}\n{said}{}\nThe server:\n{}",
        ran.status,
        String::from_utf8_lossy(&ran.stderr),
        server()
    );
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{program}: {error}: {said}"))
}

fn is_fault(line: &str) -> bool {
    line.contains(" ERROR ") || line.contains("\"ERROR\"") || line.contains("panicked")
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    let found = value[member].as_str();
    found.unwrap_or_else(|| panic!("{member} of {value}"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The Python with the packages of `tests/python.txt`: where `tests/run` says, or where it puts it.
pub(crate) fn python() -> PathBuf {
    named_or("ADMIT_TEST_PYTHON", "python/bin/python")
}

/// The folder with the packages of `package.json`, likewise.
fn node_packages() -> PathBuf {
    named_or("ADMIT_TEST_NODE", "node")
}

fn named_or(variable: &str, below_target: &str) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        return named.into();
    }
    let this = std::env::current_exe().unwrap();
    this.ancestors().nth(3).unwrap().join(below_target)
}

#[test]
fn openid_client_logs_in_refreshes_and_logs_out_at_either_issuer() {
    // Registered without a port: any is right at a loopback address (RFC 8252 §7.3).
    let stage = Stage::set_at(free_port(), "http://127.0.0.1/callback");
    let callback = format!("http://127.0.0.1:{}/callback", stage.port);
    for issuer in stage.issuers() {
        let seen = stage.play_at(&callback, "openid_client.mjs", &issuer, &[]);
        stage.judge(&seen, &issuer);
    }
}

#[test]
fn authlib_logs_in_refreshes_and_logs_out_at_either_issuer() {
    let stage = Stage::set("/callback");
    let callback = format!("http://127.0.0.1:{}/callback", stage.port);
    for issuer in stage.issuers() {
        let seen = stage.play_at(&callback, "authlib_client.py", &issuer, &[]);
        stage.judge(&seen, &issuer);
    }
}

#[test]
fn apache_with_mod_auth_openidc_logs_in_refreshes_and_logs_out_at_either_issuer() {
    let stage = Stage::set("/oidc/callback");
    let port = stage.port.to_string();
    for issuer in stage.issuers() {
        let seen = stage.play("apache_client.py", &issuer, &["--port", &port]);
        stage.judge(&seen, &issuer);
        assert_eq!(text(&seen["page"], "user"), text(&seen, "sub"));
        assert_eq!(text(&seen["page"], "email"), EMAIL);
        assert_eq!(text(&seen["page"], "audience"), "party");
    }
}

#[test]
fn a_browser_is_refused_and_signs_in() {
    let stage = Stage::set("/callback");
    let seen = stage.browse("sign-in", &[]);
    assert_eq!(seen["reached"]["unlabelled"], serde_json::json!([]));
    assert_eq!(seen["reached"]["headings"], 1);
    assert_eq!(seen["reached"]["main"], 1);
    assert_eq!(seen["reached"]["scripts"], 0);
    let cookies = seen["cookies"].as_array().unwrap();
    let names: Vec<_> = cookies.iter().map(|cookie| text(cookie, "name")).collect();
    assert!(names.contains(&"__Host-admit-session"), "{names:?}");
    for cookie in cookies {
        assert!(text(cookie, "name").starts_with("__Host-"), "{cookie}");
        assert_eq!(
            (&cookie["secure"], &cookie["httpOnly"]),
            (&true.into(), &true.into())
        );
        assert!(["Lax", "Strict"].contains(&text(cookie, "sameSite")));
    }
}

#[test]
fn a_browser_changes_an_expired_password_and_goes_on() {
    let mut stage = Stage::set("/callback");
    stage.expire_password();
    let new = ["--new-password", "seventeen quiet herons"];
    let seen = stage.browse("expired", &new);
    assert_eq!(seen["reached"]["unlabelled"], serde_json::json!([]));
}

#[test]
fn a_browser_signs_out_with_a_hint_and_without() {
    let stage = Stage::set("/callback");
    let seen = stage.browse("sign-out", &[]);
    assert_eq!(seen["question"]["headings"], 1);
}

#[test]
fn o9_no_other_site_signs_a_browser_in_or_out() {
    let stage = Stage::set("/callback");
    let more = format!("{}/auth/v3/sign-out", stage.issuer());
    let seen = stage.browse("cross-site", &["--sign-out", &more]);
    assert_eq!(seen["signIn"].as_array().unwrap().len(), 6);
    assert!(seen["signOut"].as_array().unwrap().len() >= 12);
}

#[test]
fn o10_a_frame_of_our_pages_stays_blank_in_a_browser() {
    let stage = Stage::set("/callback");
    let seen = stage.browse("frame", &[]);
    assert_eq!(seen["blank"].as_array().unwrap().len(), 4);
}

/// The pictures are left in `tmp/pages` of the target folder, to be looked at.
#[test]
fn every_page_fits_a_phone_and_has_a_picture_in_light_and_dark() {
    let mut stage = Stage::set("/callback");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    let folder = ["--folder", folder.to_str().unwrap()];
    let taken = stage.browse("screenshots", &folder);
    assert!(taken["taken"].as_array().unwrap().len() >= 20, "{taken}");

    stage.expire_password();
    let taken = stage.browse("screenshots", &folder);
    let taken = taken["taken"].as_array().unwrap();
    assert!(taken.contains(&"change-password.dark.phone.png".into()));
}
