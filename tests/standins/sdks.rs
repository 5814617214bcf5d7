//! The vendor's own SDKs, unmodified, each a process of its own: they must take the stand-in for Genesys Cloud.
//!
//! Both are pointed at it by the gateway setting they document, and trust its authority by the means of their
//! platforms. The programs beside this file know nothing of it but its port.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use admit::standins::{GENESYS_CLIENT, StandIns};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clients::{python, seen};

/// What a program of this folder saw.
async fn play(program: &'static str, stand_ins: &StandIns) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/standins")
        .join(program);
    let interpreter = match script.extension().and_then(OsStr::to_str) {
        Some("py") => python(),
        _ => "node".into(),
    };
    // Both read a file in the home folder, and watch it.
    let home = TempDir::new().unwrap();
    let mut command = Command::new(interpreter);
    command
        .arg(script)
        .args(["--port", &stand_ins.address().port().to_string()])
        .arg("--ca")
        .arg(stand_ins.authority())
        .args(["--client-id", GENESYS_CLIENT.0])
        .args(["--client-secret", GENESYS_CLIENT.1])
        .args(["--code", "admin-code"])
        .env("HOME", home.path());
    let played = tokio::task::spawn_blocking(move || {
        let _home = home;
        seen(command, String::new)
    });
    played.await.unwrap()
}

fn judge(seen: &Value, stand_ins: &StandIns) {
    assert_eq!(seen["named"], json!(["Sales", "Sales North"]));
    assert_eq!(seen["pages"], json!([25, 25, 10]));
    assert_eq!(seen["total"], 60);
    assert_eq!(seen["kinds"], json!(["ACD", "EXTERNAL"]));
    assert_eq!(seen["conversation"].as_str().unwrap().len(), 36);
    assert_eq!(seen["refused"]["status"], 400);
    assert_eq!(seen["refused"]["code"], "bad.request");
    let why = "There is no queue of this id";
    assert_eq!(seen["refused"]["message"], why);
    assert_eq!(seen["faceless"]["status"], 400);
    assert_eq!(seen["me"], "Kim Admin");
    let permissions = seen["permissions"].as_array().unwrap();
    assert!(permissions.contains(&json!("integrations:integration:add")));
    assert_eq!(seen["login"], "invalid_client");
    let journal = stand_ins.journal();
    assert!(
        journal
            .iter()
            .any(|entry| entry.path == "/genesys/login/oauth/token")
    );
    let unknown: Vec<_> = journal
        .iter()
        .filter(|entry| entry.status == Some(404))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let agents = journal.iter().filter(|entry| entry.who == "Kim Admin");
    assert!(agents.count() > 0);
}

#[tokio::test]
async fn the_javascript_sdk_takes_the_stand_in_for_genesys_cloud() {
    let stand_ins = StandIns::start().await.unwrap();
    let seen = play("genesys_sdk.mjs", &stand_ins).await;
    judge(&seen, &stand_ins);
}

#[tokio::test]
async fn the_python_sdk_takes_the_stand_in_for_genesys_cloud() {
    let stand_ins = StandIns::start().await.unwrap();
    let seen = play("genesys_sdk.py", &stand_ins).await;
    judge(&seen, &stand_ins);
}
