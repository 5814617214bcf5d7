//! `admit signing-key`.

use admit::domain::access::Role;
use admit::domain::admin::{self, AdminCommand, AdminReply, SigningKeyCommand};
use serde_json::{Value, json};

use super::{Site, alike, shape};
use crate::support::client::Client;
use crate::support::server::Server;

/// The names of the keys in that life.
fn kids(keys: &Value, life: &str) -> Vec<String> {
    let keys = keys.as_array().unwrap().iter();
    let of_life = keys.filter(|key| key["life"] == life);
    of_life
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

/// Asks for an orderly rotation of a new appliance's keys, which must be refused because of the hours it takes.
fn too_early(site: &Site, words: &[&str]) {
    let said = site.run(&[&["signing-key", "rotate"], words].concat());
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    let instant = said
        .err
        .strip_prefix("admit: the next key cannot sign before ")
        .and_then(|rest| {
            rest.strip_suffix(", when everyone can have seen it; --now does not wait\n")
        });
    assert!(
        instant.is_some_and(|text| text.ends_with('Z')),
        "{}",
        said.err
    );
}

#[test]
fn o16_keys_are_listed_rotated_and_removed_alike_on_a_running_server_and_a_stopped_store() {
    alike(|site| {
        // A next key comes in the background or with the first wish to rotate.
        too_early(site, &[]);
        let before = site.json(&["signing-key", "list"]);
        let (signing, next) = (kids(&before, "current"), kids(&before, "next"));
        assert_eq!((signing.len(), next.len()), (2, 2));
        assert_eq!(
            shape(before.clone())[0],
            json!({ "kid": "drawn", "algorithm": "EdDSA", "life": "current", "since": "drawn", "until": null })
        );

        let rotated = site.json(&["signing-key", "rotate", "--now"]);
        assert_eq!(kids(&rotated, "current"), next);
        let after = site.json(&["signing-key", "list"]);
        assert_eq!(kids(&after, "current"), next);
        assert_eq!(kids(&after, "retired"), signing);
        too_early(site, &["--algorithm", "EdDSA"]);
        let one = site.json(&["signing-key", "rotate", "--algorithm", "RS256", "--now"]);
        assert_eq!(
            (one.as_array().unwrap().len(), &one[0]["algorithm"]),
            (1, &json!("RS256"))
        );

        // A name may begin with a dash.
        let gone = site.run(&["signing-key", "remove", &signing[0]]);
        let words = format!("The signing key {} is gone.\n", signing[0]);
        assert_eq!((gone.code, gone.out), (0, words));
        let signs = kids(&site.json(&["signing-key", "list"]), "current");
        let gone = site.json(&["signing-key", "remove", &signs[0]]);
        assert_eq!(
            gone,
            json!({ "deleted": { "kind": "signing key", "id": signs[0] } })
        );
        let last = site.json(&["signing-key", "list"]);
        let left = kids(&last, "current");
        assert_eq!(left.len(), 2);
        assert!(!left.contains(&signs[0]) && left.contains(&signs[1]));
        [before, rotated, after, one, last].map(shape)
    });
}

#[test]
fn the_list_is_a_line_a_key_and_never_shows_the_private_half() {
    let site = Site::stopped();
    let said = site.run(&["signing-key", "list"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", said.out);
    let heads: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(heads, ["kid", "algorithm", "life", "since", "until"]);
    assert!(lines[1].contains("EdDSA") && lines[2].contains("RS256"));
    let shown = site.json(&["signing-key", "list"]);
    let members: Vec<&String> = shown[0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["algorithm", "kid", "life", "since", "until"]);
}

#[test]
fn what_cannot_be_done_with_a_signing_key_is_refused_in_words() {
    alike(|site| {
        for no_key in ["nobody", "-starts-with-a-dash", ""] {
            site.refused(
                &["signing-key", "remove", no_key],
                1,
                "there is no such signing key",
            );
        }
        for wrong in [
            &["signing-key"][..],
            &["signing-key", "remove"],
            &["signing-key", "rotate", "--algorithm", "HS256"],
            &["signing-key", "rotate", "--algorithm", "eddsa"],
        ] {
            assert_eq!(site.run(wrong).code, 2, "{wrong:?}");
        }
    });
}

#[tokio::test]
async fn o16_a_removed_key_ends_what_it_signed_at_once_and_each_change_is_on_the_record() {
    let server = Server::start().await;
    let caller = Client::of(&server);
    let backend = server.register(&server.organization(), &[Role::Agent]);
    let carried_out = |command: SigningKeyCommand| {
        let before = server.count("audit");
        let cx = server.appliance.own_context();
        let reply = admin::execute(&cx, AdminCommand::SigningKey(command)).unwrap();
        server.settle(&cx);
        (reply, server.count("audit") - before)
    };
    let first = caller.bearer(&backend).await;
    let now = SigningKeyCommand::Rotate {
        algorithm: None,
        now: true,
    };
    let (reply, told) = carried_out(now);
    let AdminReply::SigningKeys(keys) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!((keys.len(), keys[0].life.as_str()), (2, "current"));
    assert!(told >= 2, "{told}");
    let second = caller.bearer(&backend).await;
    assert!(caller.is_alive(&first).await && caller.is_alive(&second).await);

    let kid = keys[0].kid.clone();
    let (_, told) = carried_out(SigningKeyCommand::Remove { kid });
    assert!(told >= 1);
    assert!(caller.is_alive(&first).await && !caller.is_alive(&second).await);
    let third = caller.bearer(&backend).await;
    assert!(caller.is_alive(&third).await);
    assert_eq!(carried_out(SigningKeyCommand::List).1, 0);
}
