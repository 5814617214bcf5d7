//! `admit ticket`.

use serde_json::{Value, json};

use super::{alike, shape};

/// The list without what is drawn, in an order that is the same everywhere.
fn listed(page: &Value) -> Vec<(String, String)> {
    let word = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let all = page["tickets"].as_array().unwrap().iter();
    let mut all: Vec<_> = all
        .map(|one| (word(one, "type"), word(one, "standing")))
        .collect();
    all.sort();
    all
}

#[test]
fn a_ticket_is_made_listed_withdrawn_and_removed_alike_on_a_running_server_and_a_stopped_store() {
    alike(|site| {
        let made = site.json(&[
            "ticket",
            "create",
            "--type",
            "multi-use",
            "--property",
            "title=Hello",
            "--property",
            "duration_minutes=30",
            "--ttl",
            "600",
            "--length",
            "12",
        ]);
        let id = made["ticket_id"].as_str().unwrap();
        assert_eq!(id.replace('-', "").len(), 12);
        assert_eq!(
            made["properties"],
            json!({ "title": "Hello", "duration_minutes": 30 })
        );
        assert!(made["url"].as_str().unwrap().ends_with(&format!("/t/{id}")));
        assert_eq!(site.json(&["ticket", "show", &id.to_uppercase()]), made);
        let single = site.json(&["ticket", "create"]);
        assert_eq!(single["type"], "SINGLE_USE_TICKET");

        let disabled = site.json(&["ticket", "disable", id]);
        assert_eq!(disabled["standing"], "disabled");
        let enabled = site.json(&["ticket", "enable", id]);
        assert_eq!(enabled["standing"], "usable");
        let revoked = site.json(&["ticket", "revoke", id]);
        assert_eq!(revoked["standing"], "revoked");
        assert_eq!(site.json(&["ticket", "enable", id])["standing"], "revoked");

        let all = site.json(&["ticket", "list"]);
        assert_eq!(listed(&all).len(), 2);
        assert_eq!(all["next"], Value::Null);
        let usable = site.json(&["ticket", "list", "--standing", "usable"]);
        assert_eq!(usable["tickets"][0]["ticket_id"], single["ticket_id"]);
        let first = site.json(&["ticket", "list", "--limit", "1"]);
        let next = first["next"].as_str().unwrap();
        let second = site.json(&["ticket", "list", "--after", next]);
        assert_eq!(listed(&second).len(), 1);
        assert_ne!(second["tickets"][0], first["tickets"][0]);

        let gone = site.json(&["ticket", "delete", id]);
        assert_eq!(gone["deleted"]["kind"], "ticket");
        site.refused(&["ticket", "show", id], 1, "there is no such ticket");
        site.refused(
            &["ticket", "create", "--type", "schedule"],
            1,
            "properties.scheduled_date is required for SCHEDULE_TICKET",
        );
        site.refused(
            &["ticket", "create", "--length", "5"],
            1,
            "length must be from 6 to 32",
        );
        (shape(made.clone()), shape(revoked), listed(&all))
    });
}

#[test]
fn a_ticket_of_the_command_line_lets_in_and_out() {
    alike(|site| {
        let said = site.run(&["ticket", "create", "--type", "genesys-single-use"]);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        for name in ["ticket_id", "url", "standing", "expires_at"] {
            assert!(
                said.out.lines().any(|line| line.starts_with(name)),
                "{}",
                said.out
            );
        }
        let table = site.run(&["ticket", "list"]);
        assert!(table.out.starts_with("ticket_id"), "{}", table.out);
        let wrong = site.run(&["ticket", "show", "not a ticket"]);
        assert_eq!(wrong.code, 2, "{}", wrong.err);
        let wrong = site.run(&["ticket", "create", "--type", "eternal"]);
        assert!(
            wrong.code == 2 && wrong.err.contains("types are single-use"),
            "{}",
            wrong.err
        );
    });
}
