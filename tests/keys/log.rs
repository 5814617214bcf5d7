//! What the log says while keys come and go: nothing of their private halves (security.md S7).

use serde_json::json;

use super::{Bench, USUAL, service, token_of};
use crate::support::line::{JSON, Site, bare, bearer, post};
use crate::support::process::Launch;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_a_private_half_is_in_no_log_at_its_most_talkative() {
    let [key, _] = Bench::new().keygen("key", &USUAL);
    let data = tempfile::tempdir().unwrap();
    let launch = Launch::on(data.path()).with("ADMIT_LOG_LEVEL", "trace");
    let mut process = launch.start();
    let site = Site::new(process.address(), data.path());
    let token = token_of(&site, &service(&process, data.path())).await;
    let mut line = site.line().await.unwrap();
    let mut lines: Vec<String> = key.lines().map(str::to_owned).collect();
    let broken = key.replacen("b3BlbnNzaC1rZXk", "b3BlbnNzaC1rZXj", 1);
    for (private, status) in [(&key, 200), (&broken, 400)] {
        let body = json!({"type": "SSH_RSA", "privateKey": private}).to_string();
        let request = post("/security/keys", &bearer(&token), JSON, &body);
        let made = line.ask(&request).await.unwrap();
        assert_eq!(made.status, status, "{made:?}");
        if status == 200 {
            let path = format!("/security/keys/{}", made.text("id"));
            let seen = line
                .ask(&bare("GET", &path, &bearer(&token)))
                .await
                .unwrap();
            lines.extend(seen.text("privateKey").lines().map(str::to_owned));
        }
    }
    assert!(process.terminate().status.success());
    let log = process.log();
    assert!(
        log.contains("/security/keys/{id}"),
        "it is not the log:\n{log}"
    );
    assert!(lines.len() > 50, "{}", lines.len());
    for line in lines {
        assert!(!log.contains(&line), "{line} is in the log");
    }
}
