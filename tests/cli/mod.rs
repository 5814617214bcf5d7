//! The operator's commands, run as the built program: on a running server and on a stopped store alike.

mod app;
mod audit;
mod client;
mod config;
mod doctor;
mod ends;
mod key_pair;
mod manual;
mod master_key;
mod mistyped;
mod outbox;
mod reach;
mod signing_key;
mod ticket;
mod user;

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::tour::{Serving, admit};

/// A folder with an appliance in `admit-data`: served, or stopped after its first start.
pub(crate) enum Site {
    Running(Serving),
    Stopped(TempDir),
}

impl Site {
    fn running() -> Self {
        Self::Running(Serving::start())
    }

    fn stopped() -> Self {
        let folder = TempDir::new().unwrap();
        let made = admit(folder.path()).arg("init").output().unwrap();
        assert!(made.status.success(), "{made:?}");
        Self::Stopped(folder)
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Running(serving) => serving.folder(),
            Self::Stopped(folder) => folder.path(),
        }
    }

    /// Runs `admit` with these words.
    fn run(&self, words: &[&str]) -> Said {
        Said::of(&admit(self.folder()).args(words).output().unwrap())
    }

    /// Runs it with `--json` and returns what it prints; it must be done.
    fn json(&self, words: &[&str]) -> Value {
        let said = self.run(&[words, &["--json"]].concat());
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{words:?}");
        serde_json::from_str(&said.out).unwrap()
    }

    /// Runs it; it must be refused with this exit code and these words.
    fn refused(&self, words: &[&str], code: i32, why: &str) {
        let said = self.run(words);
        assert_eq!(said.out, "", "{words:?}");
        assert_eq!(
            (said.code, said.err.as_str()),
            (code, format!("admit: {why}\n").as_str())
        );
    }
}

/// What a run printed, and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

/// Runs the same story on a running server and on a stopped store, and compares what they tell.
fn alike<T: PartialEq + std::fmt::Debug>(story: impl Fn(&Site) -> T) {
    let running = story(&Site::running());
    let stopped = story(&Site::stopped());
    assert_eq!(running, stopped);
}

/// The same JSON without what differs from one appliance to the next.
fn shape(mut value: Value) -> Value {
    let drawn = [
        "organization_id",
        "user_id",
        "client_secret",
        "password",
        "created_at",
        "updated_at",
        "overlap_until",
        "disabled_since",
        "kid",
        "since",
        "until",
        "ticket_id",
        "url",
        "expires_at",
        "used_at",
        "disabled_at",
        "revoked_at",
        "application_id",
        "key_id",
        "public_key",
        "next",
    ];
    match &mut value {
        Value::Object(members) => {
            for (name, member) in members {
                if drawn.contains(&name.as_str()) && member.is_string() {
                    *member = "drawn".into();
                }
            }
        }
        Value::Array(all) => {
            for one in all {
                *one = shape(one.take());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}
