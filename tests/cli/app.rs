//! `admit app`.

use std::fs;

use serde_json::{Value, json};

use super::{Site, alike, shape};

fn settings(site: &Site, settings: &Value) {
    fs::write(site.folder().join("settings.json"), settings.to_string()).unwrap();
}

#[test]
fn an_application_comes_changes_and_goes_alike_on_a_running_server_and_a_stopped_store() {
    alike(|site| {
        settings(
            site,
            &json!({ "organizationId": "o", "pcEnvironment": "mypurecloud.de", "serviceParameters": { "clientSecret": "hunter2" } }),
        );
        let create = [
            "app",
            "create",
            "--type",
            "GENESYS",
            "--settings",
            "settings.json",
        ];
        let made = site.json(&create);
        assert!(!made.to_string().contains("hunter2"), "{made}");
        assert_eq!(made["service_parameters"], json!(["clientSecret"]));
        let id = made["application_id"].as_str().unwrap();
        assert_eq!(site.json(&["app", "show", id]), made);

        let hidden = site.json(&[
            "app",
            "update",
            id,
            "--hidden",
            "--expires",
            "2001-01-01T00:00:00Z",
        ]);
        assert_eq!(
            (&hidden["visible"], &hidden["settings"]),
            (&json!(false), &made["settings"])
        );
        assert_eq!(hidden["service_parameters"], made["service_parameters"]);
        // The operator sees what listings do not show.
        let listed = site.json(&["app", "list"]);
        assert_eq!(listed.as_array().unwrap().len(), 2);
        let again = site.json(&["app", "update", id, "--visible", "--expires", "never"]);
        assert_eq!(
            (&again["visible"], &again["expires_at"]),
            (&json!(true), &Value::Null)
        );

        settings(
            site,
            &json!({ "organizationId": "p", "pcEnvironment": "mypurecloud.ie" }),
        );
        let changed = site.json(&["app", "update", id, "--settings", "settings.json"]);
        assert_eq!(changed["settings"]["organizationId"], "p");
        assert_eq!(changed["service_parameters"], made["service_parameters"]);
        settings(
            site,
            &json!({ "organizationId": "p", "pcEnvironment": "mypurecloud.ie", "serviceParameters": null }),
        );
        let bare = site.json(&["app", "update", id, "--settings", "settings.json"]);
        assert_eq!(bare["service_parameters"], json!([]));

        site.refused(
            &["app", "create", "--type", "GENESYS"],
            1,
            "config.organizationId is required for GENESYS and must be text",
        );
        site.refused(
            &["app", "update", id],
            2,
            "name what to change; see `admit app update --help`",
        );
        site.refused(
            &["app", "update", id, "--settings", "nowhere"],
            2,
            "nowhere: No such file or directory (os error 2)",
        );
        settings(site, &json!([]));
        site.refused(
            &["app", "update", id, "--settings", "settings.json"],
            2,
            "settings.json: the settings must be one JSON object",
        );
        site.json(&["app", "delete", id]);
        site.refused(&["app", "show", id], 1, "there is no such application");
        (shape(made.clone()), shape(changed))
    });
}
