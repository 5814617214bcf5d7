//! `admit client` and `admit org`.

use serde_json::{Value, json};

use super::{Site, alike, shape};

const CB: &str = "https://app.example.org/cb";

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one scenario, read from top to bottom"
)]
fn a_client_comes_changes_and_goes_alike_on_a_running_server_and_a_stopped_store() {
    alike(|site| {
        let create = [
            "client",
            "create",
            "--id",
            "app",
            "--description",
            "An app",
            "--redirect-uri",
            CB,
        ];
        let more = [
            "--post-logout-redirect-uri",
            "https://app.example.org/bye",
            "--name",
            "App",
        ];
        let made = site.json(&[&create[..], &more[..]].concat());
        let shown = site.json(&["client", "show", "app"]);
        let changed = site.json(&[
            "client",
            "update",
            "app",
            "--grant",
            "client_credentials",
            "--grant",
            "password",
            "--role",
            "Admin",
            "--scope",
            "openid",
            "--signing",
            "RS256",
            "--id-token-signing",
            "EdDSA",
            "--access-seconds",
            "600",
            "--refresh-seconds",
            "1200",
        ]);
        let emptied = site.json(&[
            "client",
            "update",
            "app",
            "--role",
            "",
            "--redirect-uri",
            "",
            "--access-seconds",
            "0",
        ]);
        let rotated = site.json(&["client", "rotate", "app"]);
        let overlapping = site.json(&["client", "rotate", "app", "--overlap", "3600"]);
        assert!(overlapping["overlap_until"].is_string(), "{overlapping}");
        site.refused(
            &["client", "rotate", "app", "--overlap", "604801"],
            1,
            "two secrets of a client are good for at most 604800 seconds",
        );
        let listed = site.json(&["client", "list"]);
        let listed: Vec<Value> = listed
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["client_id"] == "app")
            .cloned()
            .collect();
        let gone = site.json(&["client", "delete", "app"]);
        site.refused(&["client", "show", "app"], 1, "there is no such client");
        site.refused(
            &["client", "create", "--id", "app"],
            1,
            "the client id app is taken, or was once",
        );

        assert_eq!(
            shape(made.clone()),
            json!({
                "client_id": "app", "client_secret": "drawn", "organization_id": "drawn", "name": "App", "description": "An app", "public": false,
                "roles": [], "grants": ["authorization_code", "refresh_token"],
                "scopes": ["any", "global", "*", "openid", "profile", "email", "address", "phone", "offline_access"],
                "redirect_uris": [CB], "post_logout_redirect_uris": ["https://app.example.org/bye"],
                "signing": "EdDSA", "id_token_signing": "RS256", "access_seconds": null, "refresh_seconds": null, "created_at": "drawn",
                "last_used_at": null, "overlap_until": null,
            })
        );
        assert_ne!(made["client_secret"], rotated["client_secret"]);
        assert_eq!(changed["roles"], json!(["Agent", "Supervisor", "Admin"]));
        assert_eq!(changed["grants"], json!(["client_credentials", "password"]));
        assert_eq!(
            (&changed["access_seconds"], &changed["refresh_seconds"]),
            (&json!(600), &json!(1200))
        );
        assert_eq!(
            (&emptied["roles"], &emptied["redirect_uris"]),
            (&json!([]), &json!([]))
        );
        assert_eq!(emptied["access_seconds"], Value::Null);
        assert_eq!(gone, json!({"deleted": {"kind": "client", "id": "app"}}));
        [
            made,
            shown,
            changed,
            emptied,
            rotated,
            Value::Array(listed),
            gone,
        ]
        .map(shape)
    });
}

#[test]
fn a_secret_is_shown_when_it_is_made_and_never_again() {
    alike(|site| {
        let made = site.run(&["client", "create", "--id", "backend"]);
        let lines: Vec<&str> = made.out.lines().collect();
        assert_eq!(lines[0], "client_id      backend");
        let secret = lines[1].strip_prefix("client_secret  ").unwrap();
        assert_eq!((lines.len(), secret.len()), (2, 43));
        // One with a dash before it would be taken for an option.
        assert!(
            secret.chars().all(|c| c.is_ascii_alphanumeric()),
            "{secret}"
        );
        let rotated = site.run(&["client", "rotate", "backend"]);
        let next = rotated
            .out
            .lines()
            .nth(1)
            .unwrap()
            .strip_prefix("client_secret  ")
            .unwrap();
        assert_ne!(secret, next);
        for words in [
            &["client", "show", "backend"][..],
            &["client", "list"],
            &["client", "update", "backend", "--description", "x"],
            &["client", "show", "backend", "--json"],
            &["client", "list", "--json"],
        ] {
            let said = site.run(words);
            assert_eq!(said.code, 0, "{}", said.err);
            assert!(
                said.out.contains("backend") && !said.out.contains("secret"),
                "{}",
                said.out
            );
            assert!(!said.out.contains(secret) && !said.out.contains(next));
        }
    });
}

#[test]
fn a_client_without_grants_and_roles_gets_the_usual_ones() {
    let site = Site::stopped();
    let backend = site.json(&["client", "create"]);
    assert_eq!(
        (&backend["grants"], &backend["roles"]),
        (&json!(["client_credentials"]), &json!(["ClientService"]))
    );
    let public = site.json(&[
        "client",
        "create",
        "--public",
        "--redirect-uri",
        "http://localhost",
    ]);
    assert_eq!(
        public["grants"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(
        (&public["roles"], &public["public"]),
        (&json!([]), &json!(true))
    );
    assert!(public.get("client_secret").is_none());
    let id = public["client_id"].as_str().unwrap();
    site.refused(
        &["client", "rotate", id],
        1,
        "a public client has no secret",
    );
}

#[test]
fn what_a_client_cannot_be_is_refused_in_words() {
    alike(|site| {
        let create = |options: &[&str], why: &str| {
            site.refused(&[&["client", "create"], options].concat(), 1, why);
        };
        create(
            &["--public"],
            "a public client has no credentials: give it a redirect URI or another grant",
        );
        create(
            &["--grant", "authorization_code"],
            "a client that people sign in to by code or implicitly needs a redirect URI",
        );
        create(
            &["--grant", "implicit"],
            "a client that people sign in to by code or implicitly needs a redirect URI",
        );
        create(
            &["--redirect-uri", "http://app.example.org/cb"],
            "the redirect URI http://app.example.org/cb is plain http to another machine",
        );
        create(
            &["--redirect-uri", "https://a.example/\u{1b}[2J"],
            "the redirect URI https://a.example/\\u{1b}[2J holds a character that no URI has",
        );
        create(
            &["--post-logout-redirect-uri", "https://a.example/#x"],
            "the post-logout redirect URI https://a.example/#x has a fragment (RFC 6749 section 3.1.2)",
        );
        create(
            &["--scope", "two words"],
            "scopes are 1 to 32 words of at most 64 visible ASCII characters without quote and backslash",
        );
        create(
            &["--access-seconds", "604801"],
            "access tokens of a client live at most 604800 seconds",
        );
        create(&["--org", "nowhere"], "there is no such organization");
        let many: Vec<String> = (0..33)
            .map(|at| format!("--redirect-uri=https://a.example/{at}"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        create(&many, "a client has at most 32 of each kind of URI");
        site.refused(
            &["client", "delete", "customer"],
            1,
            "the clients `customer` and `agent` are what apps have built in: they stay",
        );
        site.refused(
            &["client", "delete", "nobody"],
            1,
            "there is no such client",
        );
        site.refused(
            &["client", "update", "nobody", "--name", "x"],
            1,
            "there is no such client",
        );
    });
}

#[test]
fn a_command_that_makes_no_sense_is_a_usage_error() {
    let site = Site::stopped();
    site.refused(
        &["client", "update", "customer"],
        2,
        "name what to change; see `admit client update --help`",
    );
    for words in [
        &["client"][..],
        &["client", "create", "--role", "Customer"],
        &["client", "create", "--grant", "magic"],
        &["client", "create", "--signing", "none"],
        &["client", "create", "--id", "a b"],
        &["client", "show"],
        &["org", "create"],
        &["org", "update", "default"],
    ] {
        assert_eq!(site.run(words).code, 2, "{words:?}");
    }
}

#[test]
fn an_organization_comes_changes_and_goes_once_it_is_empty() {
    alike(|site| {
        let made = site.json(&["org", "create", "North"]);
        let id = made["organization_id"].as_str().unwrap().to_owned();
        site.refused(
            &["org", "create", "north"],
            1,
            "there is an organization north already",
        );
        let why = "an organization's name is 1 to 100 bytes of text without control characters, backslash or spaces around it";
        site.refused(&["org", "create", "a\\b"], 1, why);
        site.json(&["client", "create", "--org", "NORTH", "--id", "in-north"]);
        site.json(&["user", "create", "ann", "--org", &id]);
        let renamed = site.json(&["org", "update", "north", "--name", "South"]);
        site.refused(
            &["org", "show", "north"],
            1,
            "there is no such organization",
        );
        site.refused(
            &["org", "update", "south", "--name", "default"],
            1,
            "there is an organization default already",
        );
        let full = "the organization is not empty: users, clients, applications, key pairs or tickets belong to it";
        for organization in ["default", "south"] {
            site.refused(&["org", "delete", organization], 1, full);
        }
        site.json(&["client", "delete", "in-north"]);
        site.refused(&["org", "delete", "south"], 1, full);
        site.json(&["user", "delete", "ann", "--org", "south"]);
        let list = site.json(&["org", "list"]);
        assert_eq!(list.as_array().unwrap().len(), 2);
        let gone = site.run(&["org", "delete", "south"]);
        assert_eq!(gone.out, format!("The organization {id} is gone.\n"));
        assert_eq!(site.json(&["org", "list"])[0]["name"], "default");
        [made, renamed].map(shape)
    });
}
