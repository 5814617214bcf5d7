//! `admit audit`: read, followed, verified and exported, on a running server and on a stopped store alike.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use super::Site;
use crate::tour::admit;

#[test]
fn the_audit_is_listed_verified_and_exported_wherever_the_store_is_open() {
    for site in [Site::running(), Site::stopped()] {
        for name in ["first", "second"] {
            site.json(&["org", "create", name]);
        }
        let all = site.json(&["audit", "list"]);
        let all = all.as_array().unwrap();
        assert_eq!(all[0]["action"], "appliance.installed");
        let founded = site.json(&["audit", "list", "--action", "organization", "--limit", "1"]);
        assert_eq!(founded.as_array().unwrap().len(), 1);
        assert_eq!(
            (&founded[0]["by"], &founded[0]["network"]),
            (&"operator".into(), &Value::Null)
        );
        let to = founded[0]["to"].as_str().unwrap();
        assert_eq!(site.json(&["audit", "list", "--to", to]), founded);
        assert_eq!(
            site.json(&["audit", "list", "--since", "1h", "--by", "nobody"]),
            Value::Array(Vec::new())
        );
        let table = site.run(&["audit", "list"]);
        assert!(
            table.out.starts_with("sequence  at") && table.out.contains("organization."),
            "{}",
            table.out
        );
        let why = site.run(&["audit", "list", "--since", "yesterday"]);
        assert!(
            why.code == 2 && why.err.contains("such as 90m, 12h or 7d"),
            "{}",
            why.err
        );

        let path = site.folder().join("audit.jsonl");
        let file = path.to_str().unwrap();
        let exported = site.run(&["audit", "export", file]);
        assert_eq!((exported.code, exported.err.as_str()), (0, ""));
        let again = site.run(&["audit", "export", file]);
        assert!(
            again.code == 1 && again.err.contains("is there already"),
            "{}",
            again.err
        );
        let here = site.json(&["audit", "verify"]);
        let there = site.json(&["audit", "verify", "--file", file]);
        for name in ["key", "last_head", "heads"] {
            assert_eq!(here[name], there[name], "{name}");
        }
        assert!(
            site.run(&["audit", "verify"])
                .out
                .starts_with("The audit is whole: ")
        );
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("organization.", "organisation.", 1)).unwrap();
        let bent = site.run(&["audit", "verify", "--file", file]);
        assert!(bent.code == 1 && bent.err.contains("line "), "{}", bent.err);
        let printed = site.run(&["audit", "export"]);
        assert!(
            printed.out.starts_with(r#"{"audit":"admit 1","key":"#),
            "{}",
            printed.out
        );
    }
}

#[test]
fn an_export_that_failed_leaves_nothing_that_looks_like_one_and_does_not_stand_in_the_way() {
    let site = Site::stopped();
    let at = |name: &str| site.folder().join(name);
    let (key, aside) = (at("admit-data/master.key"), at("aside"));
    fs::rename(&key, &aside).unwrap();
    let failed = site.run(&["audit", "export", "audit.jsonl"]);
    assert_ne!(failed.code, 0, "{}", failed.out);
    let unfinished = at("audit.jsonl.unfinished");
    assert!(!at("audit.jsonl").exists() && !unfinished.exists());
    fs::rename(&aside, &key).unwrap();
    // As of one that was killed.
    fs::write(&unfinished, "half a").unwrap();
    let exported = site.run(&["audit", "export", "audit.jsonl"]);
    assert_eq!((exported.code, exported.err.as_str()), (0, ""));
    assert!(!unfinished.exists());
    let held = site.json(&["audit", "verify", "--file", "audit.jsonl"]);
    assert_eq!(held["heads"], 1);
}

#[test]
fn a_running_server_is_followed_event_by_event_and_a_stopped_one_is_not() {
    let site = Site::running();
    let mut child = admit(site.folder())
        .args(["audit", "follow", "--action", "organization", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for name in ["one", "two"] {
        let made = site.json(&["org", "create", name]);
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["to"], made["organization_id"]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let stopped = Site::stopped();
    let why = stopped.run(&["audit", "follow"]);
    assert!(
        why.code == 1 && why.err.contains("Only a running server is followed"),
        "{}",
        why.err
    );
}
