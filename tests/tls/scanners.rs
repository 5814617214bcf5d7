//! Scanners that are not ours look at the real binary, told to trust our authority: `testssl.sh` and `sslyze`.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::clients::python;
use crate::support::process::{Launch, Process};

fn served(version: &str) -> (TempDir, Process) {
    let data = tempfile::tempdir().unwrap();
    let process = Launch::on(data.path()).with("ADMIT_TLS_MINIMUM_VERSION", version);
    let process = process.start();
    (data, process)
}

/// What an authority of one's own cannot have, and what is the scanner's own trouble.
const EXPECTED: [&str; 3] = [
    // Nobody else asks an authority that signs for one server whether it still means it.
    "cert_revocation",
    // A record of the domain, which is the operator's to make.
    "DNS_CAArecord",
    "engine_problem",
];

#[test]
fn heavy_g10_testssl_finds_nothing_that_weighs() {
    for version in ["1.2", "1.3"] {
        let (data, process) = served(version);
        let report = data.path().join("report.json");
        let mut scan = Command::new("testssl");
        scan.args([
            "--quiet",
            "--color",
            "0",
            "--warnings",
            "batch",
            "--nodns",
            "none",
        ]);
        scan.args(["--protocols", "--std", "--fs", "--server-preference"]);
        scan.args(["--server-defaults", "--headers", "--vulnerable", "--grease"]);
        scan.arg("--add-ca").arg(data.path().join("tls/ca.pem"));
        scan.arg("--jsonfile").arg(&report).arg(process.url("/"));
        let scanned = scan.output().unwrap();
        let said = String::from_utf8_lossy(&scanned.stdout);
        let found = fs::read(&report).unwrap_or_default();
        let found: Value = serde_json::from_slice(&found).unwrap_or_else(|e| panic!("{e} {said}"));
        let found = found.as_array().unwrap();
        let is_light = |finding: &&Value| {
            let light = ["OK", "INFO", "DEBUG", "WARN"];
            light.contains(&finding["severity"].as_str().unwrap())
        };
        let (light, heavy): (Vec<_>, Vec<_>) = found.iter().partition(is_light);
        println!(
            "TLS {version} and newer: {} findings, {} weigh",
            found.len(),
            heavy.len()
        );
        assert!(light.len() > 40, "it looked at little: {said}");
        let is_expected = |finding: &&&Value| EXPECTED.contains(&finding["id"].as_str().unwrap());
        let unexpected: Vec<_> = heavy.iter().filter(|f| !is_expected(f)).collect();
        assert!(unexpected.is_empty(), "{unexpected:#?}");
        let finding = |id: &str| {
            let found = found.iter().find(|finding| finding["id"] == id);
            found.unwrap_or_else(|| panic!("{id} {said}"))["finding"].clone()
        };
        assert!(finding("HSTS_time").as_str().unwrap().contains("365 days"));
        let tls12 = finding("TLS1_2").as_str().unwrap().to_owned();
        assert_eq!(tls12.contains("not offered"), version == "1.3", "{tls12}");
    }
}

#[test]
fn g10_mozillas_recommendations_are_kept() {
    for (version, recommendation) in [("1.2", "intermediate"), ("1.3", "modern")] {
        let (data, process) = served(version);
        let scanned = Command::new(python())
            .args(["-m", "sslyze", "--mozilla_config", recommendation])
            .arg("--certinfo_ca_file")
            .arg(data.path().join("tls/ca.pem"))
            .arg(format!("localhost:{}", process.address().port()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&scanned.stdout);
        let verdict = said.lines().rfind(|line| line.contains("localhost:"));
        assert!(
            verdict.is_some_and(|line| line.contains("OK - Compliant")),
            "{recommendation}: {said}"
        );
    }
}
