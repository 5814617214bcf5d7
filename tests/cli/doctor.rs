//! `admit status` and `admit doctor`, and the one command for a lost administrator.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use super::{Said, Site};
use crate::tour::{Serving, admit};

/// The findings about one thing: how each weighs and what it says.
fn about(findings: &Value, what: &str) -> Vec<(String, String)> {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let all = findings.as_array().unwrap().iter();
    let all = all.filter(|one| one["what"] == what);
    all.map(|one| (text(one, "weight"), text(one, "words")))
        .collect()
}

fn examined(site: &Site, words: &[&str]) -> (i32, Value) {
    let said = site.run(&[&["doctor", "--json"], words].concat());
    assert_eq!(said.err, "");
    (said.code, serde_json::from_str(&said.out).unwrap())
}

#[test]
fn the_status_says_the_same_of_a_running_server_and_a_stopped_store_but_that_one_serves() {
    let (running, stopped) = (Site::running(), Site::stopped());
    let (up, down) = (running.json(&["status"]), stopped.json(&["status"]));
    assert!(up["serving_since"].is_string() && down["serving_since"].is_null());
    for name in [
        "version",
        "takes_writes",
        "organizations",
        "users",
        "clients",
        "applications",
        "tickets",
    ] {
        assert_eq!(up[name], down[name], "{name}");
    }
    assert_eq!((&up["users"], &up["clients"]), (&json!(1), &json!(3)));
    let said = running.run(&["status"]);
    assert!(said.out.contains(" serves since "), "{}", said.out);
    assert!(stopped.run(&["status"]).out.contains("no server runs"));
}

#[test]
fn a_new_appliance_is_well_and_advice_is_given() {
    for site in [Site::running(), Site::stopped()] {
        let (code, findings) = examined(&site, &["--deep"]);
        assert_eq!(code, 0, "{findings:#}");
        for what in [
            "permissions",
            "certificate",
            "certificate authority",
            "clock",
            "store",
            "lists",
            "signing keys",
            "messages",
            "guessing tickets",
            "free space",
        ] {
            assert_eq!(about(&findings, what)[0].0, "well", "{what}");
        }
        for what in ["master key", "first credentials", "couriers"] {
            assert_eq!(about(&findings, what)[0].0, "advice", "{what}");
        }
        let said = site.run(&["doctor"]);
        assert!(
            said.code == 0 && said.out.ends_with("Nothing has to be seen to.\n"),
            "{}",
            said.out
        );
    }
}

/// One that may still do what nobody should any more.
fn old_client(site: &Site) {
    let grants = ["--grant", "password", "--grant", "implicit"];
    let words = ["client", "create", "--id", "old", "--redirect-uri"];
    site.json(&[&words[..], &["https://desktop.example.org"], &grants].concat());
}

#[test]
fn what_is_wrong_is_named_with_what_to_do_and_the_exit_code_says_so() {
    let site = Site::stopped();
    let data = site.folder().join("admit-data");
    let key = data.join("tls/ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(data.join("tls/server.pem"), "rubbish").unwrap();
    old_client(&site);
    for _ in 0..2 {
        site.json(&["ticket", "create", "--length", "6"]);
    }
    let (code, findings) = examined(&site, &[]);
    assert_eq!(code, 1, "{findings:#}");
    let one = |what: &str| about(&findings, what).remove(0);
    let (weight, words) = one("permissions");
    assert_eq!(weight, "wrong");
    assert!(
        words.contains("tls/ca.key is open to others (mode 640): run `chmod 600 "),
        "{words}"
    );
    assert!(one("certificate").1.contains("holds no certificate"));
    // 120 guesses an hour at 2 of 26^6 ids.
    let (weight, words) = one("guessing tickets");
    assert_eq!(weight, "well");
    assert!(
        words.starts_with("2 short tickets can be used now; guessing all year long hits 0.0068 "),
        "{words}"
    );
}

#[test]
fn s1_too_many_short_tickets_are_told_of_and_so_are_old_grants_and_wide_redirect_uris() {
    let site = Site::stopped();
    old_client(&site);
    for _ in 0..4 {
        site.json(&["ticket", "create", "--length", "6"]);
    }
    let (code, findings) = examined(&site, &[]);
    assert_eq!(about(&findings, "guessing tickets")[0].0, "wrong");
    assert_eq!(code, 1);
    let clients: Vec<String> = about(&findings, "clients")
        .into_iter()
        .map(|(_, words)| words)
        .collect();
    for expected in [
        "client old has the grant password,",
        "client old has the grant implicit,",
        "client old has the redirect URI https://desktop.example.org,",
    ] {
        assert!(
            clients.iter().any(|words| words.starts_with(expected)),
            "{clients:?}"
        );
    }
}

#[test]
fn the_network_is_tried_only_when_asked_for() {
    let there = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let (up, down) = (there.local_addr().unwrap(), gone.local_addr().unwrap());
    drop(gone);
    let site = Site::stopped();
    let config = format!(
        "[gateway]\nurl = \"http://{up}/send?to={{to}}\"\n[upstreams]\norigins = [\"https://{down}\"]\n"
    );
    fs::write(site.folder().join("admit.toml"), config).unwrap();
    let at = ["--config", "admit.toml"];
    there.set_nonblocking(true).unwrap();
    let (code, findings) = examined(&site, &at);
    assert_eq!((code, about(&findings, "gateway").len()), (0, 0));
    assert!(there.accept().is_err(), "somebody was asked");
    let (code, findings) = examined(&site, &[&at[..], &["--network"]].concat());
    assert_eq!(code, 1);
    assert_eq!(about(&findings, "gateway")[0].0, "well");
    assert!(
        about(&findings, "upstream")[0]
            .1
            .contains("cannot be reached")
    );
    assert!(there.accept().is_ok());
}

/// What the token endpoint says to a name and a password.
fn let_in(serving: &Serving, client: &Value, user: &str, password: &str) -> String {
    let first = fs::read_to_string(serving.folder().join("admit-data/first-run.json")).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    let credentials = format!(
        "{}:{}",
        client["client_id"].as_str().unwrap(),
        client["client_secret"].as_str().unwrap()
    );
    let done = Command::new("curl")
        .args([
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--noproxy",
            "*",
            "--cacert",
            "admit-data/tls/ca.pem",
            "-u",
            &credentials,
        ])
        .args([
            "-d",
            "grant_type=password",
            "-d",
            &format!("username={user}"),
            "-d",
            &format!("password={password}"),
        ])
        .arg(format!(
            "{}/security/oauth/token",
            first["base_url"].as_str().unwrap()
        ))
        .current_dir(serving.folder())
        .output()
        .unwrap();
    String::from_utf8(done.stdout).unwrap()
}

fn json_of(serving: &Serving, words: &[&str]) -> Value {
    let said = Said::of(
        &admit(serving.folder())
            .args(words)
            .arg("--json")
            .output()
            .unwrap(),
    );
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{words:?}");
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn a_lost_administrator_is_back_by_one_command_and_a_locked_one_by_another_without_a_restart() {
    let serving = Serving::start_with(
        "[passwords]\nwrong_per_account_per_day = 2\nwrong_per_known_place_per_day = 2\n",
    );
    let client = json_of(
        &serving,
        &[
            "client", "create", "--id", "desk", "--grant", "password", "--role", "Agent",
        ],
    );
    let reset = json_of(&serving, &["user", "password", "admin"]);
    let password = reset["password"].as_str().unwrap();
    assert_eq!(let_in(&serving, &client, "admin", password), "200");
    for _ in 0..3 {
        assert_eq!(
            let_in(&serving, &client, "admin", "wrong-wrong-wrong"),
            "400"
        );
    }
    assert_eq!(
        let_in(&serving, &client, "admin", password),
        "400",
        "it is locked"
    );
    let unlocked = json_of(&serving, &["user", "unlock", "admin"]);
    assert_eq!(unlocked["username"], "admin");
    assert_eq!(let_in(&serving, &client, "admin", password), "200");
}
