//! Pages for people, as HTML: each view is what a template in `assets/pages` shows, and nothing it would have to judge.
//!
//! The templates escape whatever they are given, load nothing but the one style sheet and need no script; a [`Page`]
//! brings the content security policy that says so (BCP-4.2, BCP-4.16). It must not know requests, sessions or tokens.

mod consent;
mod error;
mod form_post;
mod language;
mod policy;
mod sign_in;
mod sign_out;
mod words;

use askama::Template;

pub use consent::Consent;
pub use error::{Comparison, Error, Trouble};
pub use form_post::{FORM_POST_SCRIPT, FormPost};
pub use language::Language;
pub use sign_in::{ChangeNotice, ChangePassword, SignIn, SignInNotice};
pub use sign_out::{ConfirmSignOut, SignedIn, SignedOut};

/// The style sheet every page links to.
pub const STYLE_SHEET: &str = include_str!("../../../assets/pages/admit.css");

/// Where the pages look for it.
pub const STYLE_SHEET_PATH: &str = "/auth/assets/admit.css";

/// The media type of a page.
pub const CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// A page, and the `Content-Security-Policy` it is to be served with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The document.
    pub html: String,
    /// The policy's value.
    pub policy: String,
}

impl Page {
    fn of(view: &impl Template, policy: String) -> Self {
        // Writing to memory does not fail; an empty page would be the honest rest.
        let html = view.render().unwrap_or_default();
        Self { html, policy }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const HOSTILE: &str = "<script>\"'&";
    const ESCAPED: &str = "&#60;script&#62;&#34;&#39;&#38;";

    fn sign_in(given: &str, notice: Option<SignInNotice>, hide_tenant: bool) -> Page {
        let view = SignIn {
            language: Language::default(),
            client_name: Some(given),
            destination: Some("https://app.example/cb"),
            action: given,
            form_token: given,
            user_name: given,
            tenant: given,
            hide_tenant,
            notice,
        };
        view.page()
    }

    fn change_password(given: &str, notice: Option<ChangeNotice>) -> Page {
        let view = ChangePassword {
            language: Language::default(),
            destination: None,
            action: given,
            form_token: given,
            user_name: given,
            tenant: given,
            min_length: given,
            notice,
        };
        view.page()
    }

    fn consent(given: &str) -> Page {
        let destination = format!("https://{given}/cb");
        let view = Consent {
            language: Language::default(),
            user: given,
            client_name: given,
            destination: &destination,
            scopes: &["openid", "offline_access", "*", given],
            action: given,
            form_token: given,
        };
        view.page()
    }

    fn confirm_sign_out(given: &str) -> Page {
        let view = ConfirmSignOut {
            language: Language::default(),
            user: given,
            destination: None,
            action: given,
            form_token: given,
            carried: &[(given, given)],
        };
        view.page()
    }

    fn signed_in(given: &str) -> Page {
        let view = SignedIn {
            language: Language::default(),
            sign_out: given,
        };
        view.page()
    }

    fn signed_out(given: &str) -> Page {
        let view = SignedOut {
            language: Language::default(),
            sign_in: Some(given),
        };
        view.page()
    }

    fn error(given: &str, received: &str, trouble: Trouble) -> Page {
        let view = Error {
            language: Language::default(),
            trouble,
            detail: Some(given),
            comparison: Some(Comparison {
                registered: &[given, given],
                received,
            }),
            request_id: given,
        };
        view.page()
    }

    fn form_post(given: &str) -> Page {
        let redirect_uri = format!("https://{given}/cb");
        let view = FormPost {
            language: Language::default(),
            redirect_uri: &redirect_uri,
            parameters: &[(given, given)],
        };
        view.page()
    }

    /// Every page, with how often it shows what it was given.
    fn pages(given: &str) -> Vec<(&'static str, Page, usize)> {
        use ChangeNotice::{Differs, TooShort, WrongOld};
        use SignInNotice::{FormExpired, Unavailable, Wrong};
        vec![
            ("sign in", sign_in(given, None, false), 5),
            ("wrong", sign_in(given, Some(Wrong), false), 5),
            ("expired", sign_in(given, Some(FormExpired), true), 5),
            ("busy", sign_in(given, Some(Unavailable), true), 5),
            ("change", change_password(given, None), 7),
            ("wrong old", change_password(given, Some(WrongOld)), 7),
            ("too short", change_password(given, Some(TooShort)), 8),
            ("differs", change_password(given, Some(Differs)), 7),
            ("consent", consent(given), 6),
            ("confirm", confirm_sign_out(given), 5),
            ("signed in", signed_in(given), 1),
            ("signed out", signed_out(given), 1),
            ("error", error(given, given, Trouble::Redirect), 5),
            ("not found", error(given, "", Trouble::NotFound), 4),
            ("form post", form_post(given), 4),
        ]
    }

    /// What stands between `from` and `to`, each time.
    fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
        let pieces = text.split(from).skip(1);
        pieces
            .map(|piece| piece.split(to).next().unwrap())
            .collect()
    }

    /// The start tags of that name, without their brackets.
    fn tags<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
        between(html, &format!("<{name} "), ">")
    }

    fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
        between(tag, &format!("{name}=\""), "\"").first().copied()
    }

    #[test]
    fn every_page_escapes_whatever_it_is_given() {
        for (name, page, times) in pages(HOSTILE) {
            assert!(!page.html.contains(HOSTILE), "{name}");
            assert_eq!(page.html.matches(ESCAPED).count(), times, "{name}");
            let scripts = usize::from(name == "form post");
            assert_eq!(page.html.matches("<script").count(), scripts, "{name}");
        }
        let sources = [
            include_str!("../../../assets/pages/base.html"),
            include_str!("../../../assets/pages/phrase.html"),
            include_str!("../../../assets/pages/notice.html"),
            include_str!("../../../assets/pages/window.html"),
            include_str!("../../../assets/pages/sign_in.html"),
            include_str!("../../../assets/pages/change_password.html"),
            include_str!("../../../assets/pages/consent.html"),
            include_str!("../../../assets/pages/confirm_sign_out.html"),
            include_str!("../../../assets/pages/signed_in.html"),
            include_str!("../../../assets/pages/signed_out.html"),
            include_str!("../../../assets/pages/error.html"),
            include_str!("../../../assets/pages/form_post.html"),
        ];
        for source in sources {
            let filtered = source.replace("||", "").contains('|');
            assert!(!filtered, "no filter turns escaping off");
        }
    }

    #[test]
    fn every_page_names_its_language_and_has_one_heading() {
        for (name, page, _) in pages("Ada") {
            let html = &page.html;
            assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\" dir=\"ltr\">"));
            assert_eq!(html.matches("<h1>").count(), 1, "{name}");
            assert_eq!(html.matches("<title>").count(), 1, "{name}");
            assert_eq!(html.matches("<main ").count(), 1, "{name}");
            assert!(html.contains("name=\"viewport\""), "{name}");
            assert!(html.contains("name=\"color-scheme\" content=\"light dark\""));
            assert!(!html.contains(['{', '}']), "{name}: {html}");
        }
    }

    #[test]
    fn every_page_is_written_in_every_language() {
        let mut seen = Vec::new();
        for tag in ["en", "de", "el"] {
            let view = SignIn {
                language: Language::negotiate(Some(tag), None),
                client_name: Some("Desk"),
                destination: None,
                action: "/",
                form_token: "t",
                user_name: "",
                tenant: "",
                hide_tenant: false,
                notice: None,
            };
            let html = view.page().html;
            assert!(html.contains(&format!("<html lang=\"{tag}\"")));
            seen.push(between(&html, "<h1>", "</h1>")[0].to_owned());
        }
        assert_eq!(seen, ["Sign in", "Anmelden", "Σύνδεση"]);
    }

    #[test]
    fn every_field_has_a_label_and_every_reference_a_target() {
        for (name, page, _) in pages("Ada") {
            let html = &page.html;
            let labels = tags(html, "label");
            let mut ids = Vec::new();
            for input in tags(html, "input") {
                if attribute(input, "type") == Some("hidden") {
                    continue;
                }
                let id = attribute(input, "id").unwrap();
                let label = format!("for=\"{id}\"");
                assert!(labels.contains(&label.as_str()), "{name}: {id}");
                assert!(attribute(input, "autocomplete").is_some(), "{name}: {id}");
                ids.push(id);
            }
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), count, "{name}");
            assert!(html.matches(" autofocus").count() <= 1, "{name}");
            for reference in ["aria-describedby", "aria-labelledby"] {
                for list in between(html, &format!("{reference}=\""), "\"") {
                    for id in list.split_ascii_whitespace() {
                        assert!(html.contains(&format!(" id=\"{id}\"")), "{name}: {id}");
                    }
                }
            }
        }
    }

    #[test]
    fn bcp_4_2_no_page_loads_or_runs_anything_from_elsewhere() {
        for (name, page, _) in pages("Ada") {
            let html = page.html.replace("https://Ada/cb", "");
            for word in ["http:", "https:", " style=", "<style", "url(", "@import"] {
                assert!(!html.contains(word), "{name}: {word}");
            }
            for tag in between(&html, "<", ">") {
                assert!(
                    !tag.contains(" src=") && !tag.contains(" on"),
                    "{name}: {tag}"
                );
            }
            let links = tags(&html, "link");
            let expected = format!("rel=\"stylesheet\" href=\"{STYLE_SHEET_PATH}\"");
            assert_eq!(links, [expected], "{name}");
        }
        for word in ["url(", "@import", "@font-face", "http"] {
            assert!(!STYLE_SHEET.contains(word), "{word}");
        }
    }

    #[test]
    fn bcp_4_16_every_page_has_a_policy_that_nothing_may_frame_it() {
        for (name, page, _) in pages("Ada") {
            let directives: Vec<&str> = page.policy.split("; ").collect();
            assert_eq!(directives[0], "default-src 'none'", "{name}");
            for directive in [
                "style-src 'self'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
            ] {
                assert!(directives.contains(&directive), "{name}: {directive}");
            }
            let form_action = match name {
                "sign in" | "wrong" | "expired" | "busy" | "consent" => "'self' https:",
                "change" | "wrong old" | "too short" | "differs" | "confirm" => "'self'",
                "form post" => "https://Ada",
                _ => "'none'",
            };
            let form_action = format!("form-action {form_action}");
            assert!(directives.contains(&form_action.as_str()), "{name}");
            let script = format!("script-src '{FORM_POST_SCRIPT}'");
            assert_eq!(directives.contains(&script.as_str()), name == "form post");
        }
    }

    #[test]
    fn the_only_script_is_the_one_whose_hash_the_policy_has() {
        let page = form_post("Ada");
        let scripts = between(&page.html, "<script>", "</script>");
        assert_eq!(scripts.len(), 1);
        let hash = digest::digest(&digest::SHA256, scripts[0].as_bytes());
        assert_eq!(
            format!("sha256-{}", STANDARD.encode(hash)),
            FORM_POST_SCRIPT
        );
        // A field of that name would take the place of the form's method.
        assert!(!page.html.contains("name=\"submit\""));
    }

    #[test]
    fn a_notice_is_announced_and_describes_its_field() {
        let page = sign_in("Ada", Some(SignInNotice::Wrong), false).html;
        assert!(page.contains("<p class=\"notice\" id=\"notice\" role=\"alert\">"));
        assert!(page.contains("<title>Problem: Sign in · Admit</title>"));
        let inputs = tags(&page, "input");
        let password = inputs.iter().find(|tag| tag.contains("\"password\""));
        let password = password.unwrap();
        assert!(password.contains("aria-describedby=\"notice\""));
        assert!(password.contains("aria-invalid=\"true\"") && password.ends_with(" autofocus"));
        let page = sign_in("Ada", None, false).html;
        assert!(!page.contains("role=\"alert\"") && !page.contains("aria-invalid"));
    }

    #[test]
    fn a_hidden_tenant_is_sent_along_unseen() {
        let page = sign_in("Ada", None, true).html;
        assert!(page.contains("<input type=\"hidden\" name=\"tenant\" value=\"Ada\">"));
        assert!(!page.contains("id=\"tenant\""));
        let page = sign_in("", None, true).html;
        assert!(!page.contains("name=\"tenant\""));
    }

    /// The value of `--name` in the light or the dark half of the style sheet.
    fn colour(half: &str, name: &str) -> [f64; 3] {
        let value = between(half, &format!("--{name}: #"), ";")[0];
        let channel = |at: usize| {
            let value = u8::from_str_radix(&value[at..at + 2], 16).unwrap();
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        [channel(0), channel(2), channel(4)]
    }

    /// WCAG 2.2, contrast ratio.
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let luminance = |[r, g, b]: [f64; 3]| 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
        let (one, other) = (luminance(one), luminance(other));
        one.max(other) / one.min(other)
    }

    #[test]
    fn text_and_edges_stand_out_in_light_and_dark() {
        let pairs = [
            ("text", "card", 4.5),
            ("text", "ground", 4.5),
            ("quiet", "card", 4.5),
            ("quiet", "ground", 4.5),
            ("accent", "card", 4.5),
            ("accent-strong", "card", 4.5),
            ("on-accent", "accent", 4.5),
            ("on-accent", "accent-strong", 4.5),
            ("alert", "alert-ground", 4.5),
            ("on-mark", "mark", 4.5),
            ("edge", "card", 3.0),
            ("alert-edge", "card", 3.0),
        ];
        let (light, dark) = STYLE_SHEET
            .split_once("@media (prefers-color-scheme: dark)")
            .unwrap();
        for (name, half) in [("light", light), ("dark", dark)] {
            for (front, back, least) in pairs {
                let ratio = contrast(colour(half, front), colour(half, back));
                assert!(ratio >= least, "{name}: {front} on {back}: {ratio:.2}");
            }
        }
    }
}
