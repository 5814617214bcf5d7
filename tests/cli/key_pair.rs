//! `admit key-pair`.

use std::process::Command;

use super::{Site, alike, shape};

fn ssh_keygen(site: &Site) {
    let path = site.folder().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-C", "", "-f"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

#[test]
fn s7_a_key_pair_is_brought_in_seen_without_its_private_half_and_removed_and_then_its_organization_can_go()
 {
    alike(|site| {
        ssh_keygen(site);
        site.json(&["org", "create", "north"]);
        let of = |words: &[&'static str]| [words, &["--org", "north"]].concat();
        let bring = of(&[
            "key-pair",
            "create",
            "--private",
            "key",
            "--comment",
            "robot",
        ]);
        let made = site.json(&bring);
        assert!(made["public_key"].as_str().unwrap().ends_with(" robot"));
        assert!(!made.to_string().contains("PRIVATE"), "{made}");
        let id = made["key_id"].as_str().unwrap();
        assert_eq!(site.json(&["key-pair", "show", id]), made);
        assert_eq!(site.json(&of(&["key-pair", "list"]))[0], made);
        let full = "the organization is not empty: users, clients, applications, key pairs or tickets belong to it";
        site.refused(&["org", "delete", "north"], 1, full);
        site.json(&["key-pair", "delete", id]);
        site.refused(&["key-pair", "show", id], 1, "there is no such key");
        site.refused(&["key-pair", "delete", id], 1, "there is no such key");
        assert_eq!(site.json(&of(&["key-pair", "list"])), serde_json::json!([]));
        site.json(&["org", "delete", "north"]);
        shape(made.clone())
    });
}

#[test]
fn heavy_a_key_pair_is_made() {
    let site = Site::stopped();
    let made = site.json(&["key-pair", "create"]);
    assert_eq!(
        (&made["bits"], &made["creator"]),
        (&4096.into(), &"operator".into())
    );
}
