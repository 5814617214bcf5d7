//! The Form Post certification plan: what matters of the Basic modules again, with `response_mode=form_post`.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::suite::{Shown, Suite};
use crate::support::browser::Form;
use crate::support::client::Answer;
use crate::support::party::{CALLBACK, FRONTS};

const MODE: (&str, &str) = ("response_mode", "form_post");

/// The parameters of a page that posts itself to the client, by the one script its policy lets through.
#[track_caller]
fn posted(answer: &Answer) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.must_always_hold("form_post");
    let scripts: Vec<&str> = answer.text.split("<script>").skip(1).collect();
    let [script] = scripts[..] else {
        panic!("{}", answer.text)
    };
    let script = script.split("</script>").next().unwrap();
    let hash = STANDARD.encode(digest(&SHA256, script.as_bytes()));
    let policy = answer.header("content-security-policy");
    let directives: Vec<&str> = policy.split("; ").collect();
    let script = format!("script-src 'sha256-{hash}'");
    assert!(directives.contains(&script.as_str()), "{policy}");
    let to = "form-action https://app.example.org";
    assert!(directives.contains(&to), "{policy}");
    assert!(answer.text.contains("<form method=\"post\""));
    let form = Form::of(&answer.text);
    assert_eq!(form.action, CALLBACK);
    form.fields
}

#[tokio::test]
async fn oidcc_server_by_form_post() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let party = suite.party();
        let mut browser = suite.browser();
        for shown in [vec![Shown::SignIn], vec![]] {
            let request = party.request(&[MODE]);
            let (seen, answer) = suite.walk(&mut browser, &request).await;
            assert_eq!(seen, shown);
            let back = suite.answered(&posted(&answer));
            let reply = party.exchange(&back["code"], &[]).await;
            suite.replied(&party, &reply, Some("n-0S6_WzA2Mj")).await;
        }
    }
}

#[tokio::test]
async fn oidcc_prompt_none_not_logged_in_by_form_post() {
    for front in FRONTS {
        let suite = Suite::at(front).await;
        let request = suite.party().request(&[MODE, ("prompt", "none")]);
        let back = posted(&suite.browser().get(&request).await);
        let names: Vec<&str> = back.keys().map(String::as_str).collect();
        assert_eq!(names, ["error", "error_description", "iss", "state"]);
        assert_eq!(back["error"], "login_required");
        assert_eq!(back["iss"], suite.issuer());
    }
}

#[tokio::test]
async fn oidcc_response_type_missing_by_form_post() {
    let suite = Suite::start().await;
    let request = suite.party().request(&[MODE, ("response_type", "")]);
    let back = posted(&suite.browser().get(&request).await);
    assert_eq!(back["error"], "invalid_request");
}

#[tokio::test]
async fn oidcc_unsigned_request_object_is_rejected_by_form_post() {
    let suite = Suite::start().await;
    let request = suite.party().request(&[MODE, ("request", "e30.e30.")]);
    let back = posted(&suite.browser().get(&request).await);
    assert_eq!(back["error"], "request_not_supported");
}

#[tokio::test]
async fn oidcc_ensure_registered_redirect_uri_by_form_post() {
    let suite = Suite::start().await;
    let elsewhere = [MODE, ("redirect_uri", "https://app.example.org/cb2")];
    let answer = suite
        .browser()
        .get(&suite.party().request(&elsewhere))
        .await;
    super::suite::is_only_a_page(&answer, 400);
}

#[tokio::test]
async fn whatever_the_state_is_the_form_has_it_unchanged() {
    let suite = Suite::start().await;
    for state in [
        "</form><script>alert(1)</script>",
        "\"'&amp;<>&#34;",
        "submit",
        "\u{3b1}\u{202e}\u{1f510} \t+%20",
        &"s".repeat(2_000),
    ] {
        let changes = [MODE, ("prompt", "none"), ("state", state)];
        let request = suite.party().request(&changes);
        let back = posted(&suite.browser().get(&request).await);
        assert_eq!(back["state"], state);
    }
}
