//! `admit user`.

use serde_json::{Value, json};

use super::{alike, shape};

#[test]
fn a_person_comes_changes_and_goes_alike_on_a_running_server_and_a_stopped_store() {
    alike(|site| {
        let made = site.json(&[
            "user",
            "create",
            "Ann.Lee",
            "--role",
            "Supervisor",
            "--email",
            "ann@example.org",
            "--name",
            "Ann Lee",
            "--given-name",
            "Ann",
            "--family-name",
            "Lee",
            "--phone",
            "+30 210 0000000",
            "--address",
            "1 Main St\nAthens",
            "--locale",
            "el-GR",
            "--expired",
        ]);
        let second = site.json(&["user", "create", "bob"]);
        site.refused(
            &["user", "create", "ann.lee"],
            1,
            "there is a user ann.lee in this organization already",
        );
        let shown = site.json(&["user", "show", "ANN.LEE"]);
        let id = shown["user_id"].as_str().unwrap();
        assert_eq!(site.json(&["user", "show", id]), shown);
        let changed = site.json(&[
            "user",
            "update",
            "ann.lee",
            "--phone",
            "",
            "--role",
            "Admin",
            "--disabled",
        ]);
        let enabled = site.json(&["user", "update", id, "--enabled", "--role", ""]);
        let reset = site.json(&["user", "password", "ann.lee"]);
        let listed = site.json(&["user", "list"]);
        let names: Vec<&Value> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["username"])
            .collect();
        assert_eq!(names, ["admin", "Ann.Lee", "bob"]);
        let gone = site.json(&["user", "delete", "ann.lee"]);
        assert_eq!(gone["deleted"]["id"], id);
        site.refused(&["user", "show", "ann.lee"], 1, "there is no such user");
        site.refused(&["user", "show", id], 1, "there is no such user");

        assert_eq!(
            shape(made.clone()),
            json!({
                "user_id": "drawn", "username": "Ann.Lee", "password": "drawn", "organization_id": "drawn", "dbid": 102,
                "roles": ["Agent", "Supervisor"], "name": "Ann Lee", "given_name": "Ann", "family_name": "Lee", "email": "ann@example.org",
                "phone": "+30 210 0000000", "address": "1 Main St\nAthens", "locale": "el-GR", "signs_in_with": "password",
                "password_expired": true,
                "disabled_since": null, "created_at": "drawn", "updated_at": "drawn",
            })
        );
        assert_eq!(
            (&second["dbid"], &second["roles"]),
            (&json!(103), &json!(["Agent"]))
        );
        assert!(shown.get("password").is_none() && changed.get("password").is_none());
        assert!(changed["disabled_since"].is_string() && changed["phone"].is_null());
        assert_eq!(
            (&enabled["disabled_since"], &enabled["roles"]),
            (&Value::Null, &json!([]))
        );
        assert_eq!(reset["password_expired"], false);
        assert_ne!(reset["password"], made["password"]);
        [made, second, shown, changed, enabled, reset].map(shape)
    });
}

#[test]
fn a_password_is_shown_when_it_is_made_and_never_again() {
    alike(|site| {
        let made = site.run(&["user", "create", "ann"]);
        let lines: Vec<&str> = made.out.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, "username  ann"));
        let password = lines[1].strip_prefix("password  ").unwrap();
        assert_eq!(password.len(), 20);
        for words in [
            &["user", "show", "ann"][..],
            &["user", "list"],
            &["user", "show", "ann", "--json"],
            &["user", "list", "--json"],
            &["user", "update", "ann", "--name", "Ann"],
        ] {
            let said = site.run(words).out;
            assert!(said.contains("ann") && !said.contains(password), "{said}");
            assert!(!said.contains("argon2"), "{said}");
        }
    });
}

#[test]
fn the_first_administrator_is_changed_like_anybody_else() {
    alike(|site| {
        let reset = site.run(&["user", "password", "admin", "--expired"]);
        assert!(
            reset.out.starts_with("username  admin\npassword  "),
            "{}",
            reset.out
        );
        let changed = site.json(&["user", "update", "admin", "--email", "root@example.org"]);
        assert_eq!(
            (&changed["dbid"], &changed["password_expired"]),
            (&json!(101), &json!(true))
        );
        shape(changed)
    });
}

#[test]
fn what_a_person_cannot_be_is_refused_in_words() {
    alike(|site| {
        let name = "a user's name is 1 to 64 letters, digits and . _ - @ +";
        for bad in ["a b", "a\\b", "a:b", "\u{430}nn", ""] {
            site.refused(&["user", "create", bad], 1, name);
        }
        let email = "the e-mail address has no name, no @ or no host";
        site.refused(&["user", "create", "ann", "--email", "ann"], 1, email);
        site.refused(
            &["user", "create", "ann", "--locale", "el GR"],
            1,
            "the locale is no language tag such as en-GB",
        );
        site.refused(
            &["user", "create", "ann", "--org", "nowhere"],
            1,
            "there is no such organization",
        );
        site.refused(&["user", "delete", "ann"], 1, "there is no such user");
        site.refused(
            &["user", "update", "admin"],
            2,
            "name what to change; see `admit user update --help`",
        );
        assert_eq!(
            site.run(&["user", "update", "admin", "--enabled", "--disabled"])
                .code,
            2
        );
        assert_eq!(
            site.run(&["user", "create", "ann", "--role", "Customer"])
                .code,
            2
        );
    });
}
