//! `admit outbox`.

use std::process::Command;

use serde_json::{Value, json};

use super::Site;
use crate::support::process::{FirstRun, Launch};

/// Has a code sent by the process that serves this data folder, with `curl`'s part played by a client of ours.
fn ask(data: &std::path::Path, base: &str, body: &Value) {
    let first = FirstRun::read(data);
    let root = std::fs::read(data.join("tls/ca.pem")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let http = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&root).unwrap()])
            .build()
            .unwrap();
        let token = http
            .post(format!("{base}/security/oauth/token"))
            .basic_auth(first.client_id(), Some(first.client_secret()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials")
            .send()
            .await
            .unwrap();
        let token: Value = serde_json::from_str(&token.text().await.unwrap()).unwrap();
        let asked = http
            .post(format!("{base}/security/otp"))
            .bearer_auth(token["access_token"].as_str().unwrap())
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(asked.status(), 200);
    });
}

#[test]
fn kept_messages_are_read_on_a_running_server_and_on_a_stopped_store_and_stand_in_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("admit-data");
    let launch = Launch::on(&data)
        .witnessed_beside()
        .with("ADMIT_LOG_LEVEL", "debug");
    let mut process = launch.without_public_url().start();
    let outbox = || {
        let said = crate::tour::admit(folder.path())
            .args(["outbox", "--json"])
            .output()
            .unwrap();
        assert!(said.status.success(), "{said:?}");
        serde_json::from_slice::<Value>(&said.stdout).unwrap()
    };
    assert_eq!(outbox(), json!([]));
    let base = process.first_run().base_url();
    let body = json!({ "to": "+306957206309", "customName": "hello, world", "locale": "pr-BR" });
    ask(&data, &base, &body);
    let kept = loop {
        let all = outbox();
        if all[0]["state"] == "kept" {
            break all;
        }
        assert_eq!(all[0]["state"], "waiting");
    };
    let one = &kept[0];
    assert_eq!(
        (&one["to"], &one["channel"]),
        (&json!("+306957206309"), &json!("SMS"))
    );
    assert_eq!(
        (&one["locale"], &one["sender"]),
        (&json!("pt-BR"), &json!("hello, world"))
    );
    let code = one["code"].as_str().unwrap().to_owned();
    assert_eq!(code.len(), 6);
    assert!(process.terminate().status.success());
    assert_eq!(outbox(), kept, "on the stopped store");
    let said = Command::new(env!("CARGO_BIN_EXE_admit"))
        .current_dir(folder.path())
        .arg("outbox")
        .output()
        .unwrap();
    let lines = String::from_utf8(said.stdout).unwrap();
    assert!(
        lines.starts_with("created_at") && lines.contains(&code),
        "{lines}"
    );
    let log = process.log();
    assert!(log.contains("/security/otp"), "the log was read: {log}");
    assert!(
        !log.contains("306957206309") && !log.contains(&code),
        "{log}"
    );
}

#[test]
fn an_outbox_is_empty_at_first_and_takes_no_words() {
    let site = Site::stopped();
    assert_eq!(site.json(&["outbox"]), json!([]));
    assert_eq!(site.run(&["outbox", "read"]).code, 2);
}
