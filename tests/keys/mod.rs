//! Key pairs before programs that are not ours, before strangers who bring bad ones, and under a flood of requests.
//!
//! | Module | What it shows |
//! |---|---|
//! | `flood` | many requests for pairs at once do not slow others, and the excess is turned away |
//! | `hostile` | what is no good key is refused in words, and nothing of it stays |
//! | `log` | what the log says while keys come and go, which is nothing of them |
//! | `tools` | `ssh-keygen`, OpenSSL, paramiko and a real `sshd` take what we make and what we took in |

mod flood;
mod hostile;
mod log;
mod tools;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::line::{FORM, Site, TOKEN, basic, post};
use crate::support::process::Process;
use crate::tour::admit;

/// A folder with files for programs that are not ours.
pub(crate) struct Bench(TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file that only its owner reads, as OpenSSH wants private keys to be.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// What a program prints that is run here and succeeds.
    pub(crate) fn run(&self, words: &[&str]) -> String {
        run(self.0.path(), words)
    }

    /// A pair as `ssh-keygen` makes it: the private half in OpenSSH's format and the public half's line.
    pub(crate) fn keygen(&self, name: &str, more: &[&str]) -> [String; 2] {
        let words = ["ssh-keygen", "-q", "-C", "made elsewhere", "-f", name];
        self.run(&[&words, more].concat());
        [self.read(name), self.read(&format!("{name}.pub"))]
    }

    /// The private key of that name once more, in PKCS#1 and in PKCS#8.
    pub(crate) fn converted(&self, name: &str) -> [String; 2] {
        ["PEM", "PKCS8"].map(|format| {
            let copy = format!("{name}.{format}");
            self.write(&copy, &self.read(name));
            let words = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "", "-m", format];
            self.run(&[&words[..], &["-f", &copy]].concat());
            self.read(&copy)
        })
    }
}

/// What makes a pair of 2048 bits without a passphrase.
pub(crate) const USUAL: [&str; 6] = ["-t", "rsa", "-b", "2048", "-N", ""];

fn run(folder: &Path, words: &[&str]) -> String {
    let ran = Command::new(words[0])
        .args(&words[1..])
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; tests/run installs it", words[0]));
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{words:?}\n{said}{complained}");
    said
}

/// A client of an internal service: only the operator makes one.
fn service(process: &Process, data: &Path) -> [String; 2] {
    let words = ["client", "create", "--role", "Service", "--json", "--data"];
    let ran = admit(data).args(words).arg(data).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{said}\n{}", process.log());
    let made: Value = serde_json::from_slice(&ran.stdout).unwrap();
    ["client_id", "client_secret"].map(|name| made[name].as_str().unwrap().to_owned())
}

/// A request for a token of that client.
fn asking(client: &[String; 2]) -> Vec<u8> {
    let [id, secret] = client;
    post(
        TOKEN,
        &basic(id, secret),
        FORM,
        "grant_type=client_credentials",
    )
}

async fn token_of(site: &Site, client: &[String; 2]) -> String {
    let mut line = site.line().await.unwrap();
    line.ask(&asking(client))
        .await
        .unwrap()
        .text("access_token")
}
