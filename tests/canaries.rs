//! Secrets leave at the one documented moment and nowhere else (I6, D8, D10, D11, G16): a whole run of the real binary
//! at its most talkative, with every kind of secret used rightly and wrongly, and then each looked for in the log, in
//! every file, in a backup, in the exported audit, in a core and in what the system shows of the process.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::{Client, RequestBuilder};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::process::{Launch, Process};

const NUMBER: &str = "+306957206309";

/// A run, and the secrets that were in it: what each is, and its text.
struct Run {
    folder: TempDir,
    process: Process,
    client: Client,
    base: String,
    secrets: Vec<(&'static str, String)>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_log_audit_files_backup_core_or_what_the_system_shows() {
    let mut run = Run::begin();
    run.clients_and_customers().await;
    run.people().await;
    run.applications_and_keys().await;
    run.codes().await;
    let audit = run.admit(&["audit", "export", "audit.jsonl"]);
    assert!(audit.status.success(), "{audit:?}");
    let passphrase = "canary-of-the-passphrase".to_owned();
    private(&run.folder.path().join("passphrase"), &passphrase);
    run.keep("the backup's passphrase", passphrase);
    let backup = run.admit(&[
        "backup",
        "create",
        "b.admit",
        "--passphrase-file",
        "passphrase",
    ]);
    assert!(backup.status.success(), "{backup:?}");
    let shown = run.shown_by_the_system();
    let folder = run.abort();
    let told = fs::read(folder.data().join("first-run.json")).unwrap();
    assert!(
        contains(&told, folder.secrets[0].1.as_bytes()),
        "this test would not find a secret"
    );
    folder.are_nowhere(shown);
}

/// What a run left behind.
struct Remains {
    folder: TempDir,
    log: String,
    secrets: Vec<(&'static str, String)>,
}

impl Run {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mail, gateway) = ("canary-of-the-mail-server", "Bearer canary-of-the-gateway");
        private(&folder.path().join("mail"), mail);
        private(&folder.path().join("gateway"), gateway);
        let of = |name: &str| folder.path().join(name).display().to_string();
        // As a service that may leave a core, if only it did.
        let process = Launch::on(&folder.path().join("admit-data"))
            .under(&["prlimit", "--core=unlimited", "--"])
            .with("ADMIT_LOG_LEVEL", "trace")
            .with("ADMIT_CODES_EMAIL", "smtp")
            .with("ADMIT_CODES_VOICE", "gateway")
            .with("ADMIT_SMTP_HOST", "127.0.0.1")
            .with("ADMIT_SMTP_PORT", "1")
            .with("ADMIT_SMTP_USER", "codes")
            .with("ADMIT_SMTP_FROM", "codes@example.org")
            .with("ADMIT_SMTP_PASSWORD_FILE", &of("mail"))
            .with("ADMIT_GATEWAY_URL", "https://127.0.0.1:1/send")
            .with("ADMIT_GATEWAY_AUTHORIZATION_FILE", &of("gateway"))
            .start();
        let first = process.first_run();
        let mut run = Self {
            client: process.client(),
            base: process.url(""),
            process,
            folder,
            secrets: Vec::new(),
        };
        run.keep("the first client's secret", first.client_secret());
        run.keep("the administrator's password", first.admin_password());
        run.keep("the mail server's password", mail.to_owned());
        run.keep("the gateway's authorization", gateway.to_owned());
        let key = fs::read_to_string(run.data().join("master.key")).unwrap();
        run.keep("the master key", key.trim().to_owned());
        run
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("admit-data")
    }

    fn keep(&mut self, what: &'static str, secret: String) {
        assert!(secret.len() >= 6, "{what}: {secret:?}");
        self.secrets.push((what, secret));
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base))
    }

    async fn form(&self, who: (&str, &str), body: &[(&str, &str)]) -> Value {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(body)
            .finish();
        let request = self
            .post("/security/oauth/token")
            .basic_auth(who.0, Some(who.1))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        sent(request).await
    }

    async fn json(&self, path: &str, token: &str, body: &Value) -> Value {
        let request = self.post(path).bearer_auth(token);
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        sent(request).await
    }

    async fn token(&self) -> String {
        let first = self.process.first_run();
        let (id, secret) = (first.client_id(), first.client_secret());
        let body = [("grant_type", "client_credentials")];
        text(&self.form((&id, &secret), &body).await, "access_token")
    }

    async fn clients_and_customers(&mut self) {
        let first = self.process.first_run();
        let (id, secret) = (first.client_id(), first.client_secret());
        let token = self.token().await;
        let query = format!(
            "/security/oauth/token?grant_type=client_credentials&client_id={id}&client_secret={secret}"
        );
        sent(self.post(&query)).await;
        let wrong = format!("{secret}x");
        self.form((&id, &wrong), &[("grant_type", "client_credentials")])
            .await;
        let new = json!({ "description": "canaries", "roles": ["ClientService"] });
        let client = self.json("/security/clients", &token, &new).await;
        let rotated = format!("/security/clients/{}/rotate", text(&client, "clientId"));
        let rotated = self.json(&rotated, &token, &json!({})).await;
        let ticket = json!({ "type": "MULTI_USE_TICKET", "properties": {} });
        let ticket = text(&self.json("/security/ticket", &token, &ticket).await, "id");
        let login = [("grant_type", "password"), ("username", ticket.as_str())];
        let customer = self.form(("customer", ""), &login).await;
        let refresh = text(&customer, "refresh_token");
        let body = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
        ];
        let renewed = self.form(("customer", ""), &body).await;
        let unknown = "zzz-zzz-zzz";
        let guess = [("grant_type", "password"), ("username", unknown)];
        self.form(("customer", ""), &guess).await;
        for path in ["/auth/v3/userinfo", "/nowhere/"] {
            let url = format!("{}{path}{ticket}?t={ticket}", self.base);
            let _ = self.client.get(url).bearer_auth(&token).send().await;
        }
        let ended = format!("{}/security/ticket/{ticket}", self.base);
        let _ = self.client.delete(ended).bearer_auth(&token).send().await;
        self.keep("a client's secret", text(&client, "clientSecret"));
        self.keep("a rotated secret", text(&rotated, "clientSecret"));
        self.keep("a client's token", token);
        self.keep("a ticket", ticket);
        self.keep("a guessed ticket", unknown.to_owned());
        self.keep("a customer's token", text(&customer, "access_token"));
        self.keep("a refresh token", refresh);
        self.keep("a second refresh token", text(&renewed, "refresh_token"));
    }

    async fn people(&mut self) {
        let made = self.admit(&["user", "create", "alice", "--json"]);
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let password = text(&made, "password");
        let client = self.admit(&[
            "client", "create", "--name", "desk", "--grant", "password", "--json",
        ]);
        let client: Value = serde_json::from_slice(&client.stdout).unwrap();
        let (id, secret) = (text(&client, "client_id"), text(&client, "client_secret"));
        for tried in ["wrong-canary-password", &password] {
            let body = [
                ("grant_type", "password"),
                ("username", "alice"),
                ("password", tried),
            ];
            let granted = self.form((&id, &secret), &body).await;
            if let Some(token) = granted["access_token"].as_str() {
                self.keep("a person's token", token.to_owned());
            }
        }
        let said = self
            .secrets
            .iter()
            .any(|(what, _)| *what == "a person's token");
        assert!(said, "alice did not sign in");
        self.keep("a person's password", password);
        self.keep("a wrong password", "wrong-canary-password".to_owned());
        self.keep("the desk's secret", secret);
    }

    async fn applications_and_keys(&mut self) {
        let token = self.token().await;
        let config = json!({ "serviceParameters": { "clientSecret": "canary-of-an-integration" } });
        let new = json!({ "type": "TEST", "config": config });
        self.json("/security/applications", &token, &new).await;
        self.keep(
            "an integration's secret",
            "canary-of-an-integration".to_owned(),
        );
        let key = self
            .json("/security/keys", &token, &json!({ "type": "SSH_RSA" }))
            .await;
        let id = text(&key, "id");
        let url = format!("{}/security/keys/{id}", self.base);
        // Its private half is for internal services alone.
        let made = self.admit(&["client", "create", "--role", "Service", "--json"]);
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let (id, secret) = (text(&made, "client_id"), text(&made, "client_secret"));
        let body = [("grant_type", "client_credentials")];
        let service = text(&self.form((&id, &secret), &body).await, "access_token");
        let key = sent(self.client.get(url).bearer_auth(&service)).await;
        let private = text(&key, "privateKey");
        let line = private.lines().nth(3).unwrap().to_owned();
        self.keep("an internal service's secret", secret);
        self.keep("a line of a private key", line);
    }

    async fn codes(&mut self) {
        let token = self.token().await;
        let asked = [
            json!({ "to": NUMBER }),
            json!({ "to": "rosa@example.net", "channel": "EMAIL" }),
            json!({ "to": "+306940000001", "channel": "VOICE" }),
        ];
        let mut first = None;
        for body in asked {
            let verification = self.json("/security/otp", &token, &body).await;
            first = first.or_else(|| verification["id"].as_str().map(str::to_owned));
        }
        let kept = loop {
            let said = self.admit(&["outbox", "--json"]);
            let all: Value = serde_json::from_slice(&said.stdout).unwrap();
            let all = all.as_array().unwrap().clone();
            if let Some(code) = all.iter().find_map(|one| one["code"].as_str()) {
                break code.to_owned();
            }
        };
        let id = first.unwrap();
        for code in ["000000", kept.as_str()] {
            let claim = json!({ "id": id, "code": code });
            self.json("/security/otp/verify", &token, &claim).await;
        }
        self.keep(
            "a telephone number",
            NUMBER.trim_start_matches('+').to_owned(),
        );
        self.keep("a one-time code", kept);
    }

    /// The program, on this appliance.
    fn admit(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_admit"));
        command.current_dir(self.folder.path()).args(words);
        command.output().unwrap()
    }

    /// What anybody who may look at the process at all is shown of it.
    fn shown_by_the_system(&self) -> Vec<(String, Vec<u8>)> {
        let pid = self.process.pid().as_raw_nonzero();
        let shown = ["cmdline", "environ", "comm", "status", "maps", "mountinfo"];
        let shown = shown.map(|name| {
            let path = format!("/proc/{pid}/{name}");
            let bytes = fs::read(&path).unwrap();
            assert!(!bytes.is_empty(), "{path}");
            (path, bytes)
        });
        shown.into()
    }

    /// Ends it the way a mistake in the program would, with the right to leave a core.
    fn abort(mut self) -> Remains {
        let pid = self.process.pid().as_raw_nonzero();
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        assert!(core.is_some_and(|line| line.contains(" 0 ")), "{core:?}");
        self.process.signal(Signal::ABORT);
        self.process.await_end(std::time::Duration::from_secs(30));
        Remains {
            log: self.process.log(),
            folder: self.folder,
            secrets: self.secrets,
        }
    }
}

impl Remains {
    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("admit-data")
    }

    fn are_nowhere(&self, shown: Vec<(String, Vec<u8>)>) {
        assert!(self.log.contains("/security/oauth/token"), "{}", self.log);
        let mut places = files(self.folder.path());
        for name in ["store/db", "b.admit", "audit.jsonl"] {
            let found = places.iter().any(|(path, _)| path.ends_with(name));
            assert!(found, "{name} is not there");
        }
        let cores = places.iter().filter(|(path, _)| path.contains("core"));
        assert_eq!(cores.count(), 0, "it left a core");
        places.push(("the log".to_owned(), self.log.clone().into_bytes()));
        places.extend(shown);
        for (what, secret) in &self.secrets {
            for form in forms(secret) {
                for (place, bytes) in &places {
                    let its_own = *what == "the master key" && place.ends_with("master.key");
                    // Codes are six digits, which stand by chance in a file of megabytes.
                    let by_chance = *what == "a one-time code" && !place.ends_with("the log");
                    let found = !its_own && !by_chance && contains(bytes, &form);
                    assert!(!found, "{what} is in {place}");
                }
            }
        }
    }
}

async fn sent(request: RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()
}

fn text(value: &Value, member: &str) -> String {
    let text = value[member].as_str();
    text.unwrap_or_else(|| panic!("{member} in {value}"))
        .to_owned()
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// As it is, and as it could have been written.
fn forms(secret: &str) -> [Vec<u8>; 5] {
    let bytes = secret.as_bytes();
    let mut hex = String::new();
    for byte in bytes {
        let _ = write!(hex, "{byte:02x}");
    }
    let wide = secret.encode_utf16().flat_map(u16::to_le_bytes);
    [
        bytes.to_vec(),
        hex.into_bytes(),
        STANDARD.encode(bytes).into_bytes(),
        URL_SAFE_NO_PAD.encode(bytes).into_bytes(),
        wide.collect(),
    ]
}

/// Every file below the folder but those whose purpose is to hold a secret.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    const MEANT: [&str; 4] = ["first-run.json", "mail", "gateway", "passphrase"];
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() && !MEANT.contains(&name) {
                found.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    found
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    let first = part[0];
    let mut starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == first);
    starts.any(|(at, _)| bytes[at..].starts_with(part))
}
