//! The journal as a page. Everything in it was sent by somebody, so everything is escaped, and no script can run.

use std::fmt::Write as _;

use warp::http::StatusCode;
use warp::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};

use super::asked::typed;
use super::journal::Entry;
use crate::http::Response;

/// `GET /`: the latest first.
pub(super) fn journal(origin: &str, entries: &[Entry]) -> Response {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Stand-ins</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>What the stand-ins received</h1>\n\
         <p>These are imitations of Genesys Cloud, Talkdesk, NICE CXone and an SMS gateway at {origin}, for trying \
         things out: no real upstream. <a href=\"/\">Look again</a> · <a href=\"/journal.json\">as JSON</a></p>\n",
        origin = escaped(origin),
    );
    if entries.is_empty() {
        page.push_str("<p>Nothing yet.</p>\n");
    } else {
        page.push_str("<ol reversed>\n");
        entries
            .iter()
            .rev()
            .for_each(|entry| item(&mut page, entry));
        page.push_str("</ol>\n");
    }
    page.push_str("</main>\n</body>\n</html>\n");
    let mut response = typed(StatusCode::OK, "text/html; charset=utf-8", page);
    let policy = format!(
        "default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::try_from(policy) {
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn item(page: &mut String, entry: &Entry) {
    let status = entry.status.map(|status| status.to_string());
    let mark = if entry.query.is_empty() { "" } else { "?" };
    // Writing to memory does not fail.
    let _ = write!(
        page,
        "<li><p><strong>{method} {path}</strong>{mark}{query}</p>\n\
         <p class=\"facts\">{at} · {who} · {status}</p>\n",
        method = escaped(&entry.method),
        path = escaped(&entry.path),
        query = escaped(&entry.query),
        at = entry.at,
        who = escaped(&entry.who),
        status = status.as_deref().unwrap_or("no answer"),
    );
    if !entry.body.is_empty() {
        let _ = writeln!(page, "<pre>{}</pre>", escaped(&entry.body));
    }
    page.push_str("</li>\n");
}

/// Fit to stand between tags and between quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

const STYLE: &str = ":root{color-scheme:light dark}\
    body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}\
    main{max-width:60rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}\
    h1{font-size:1.4rem}ol{padding:0;list-style:none}\
    li{border-top:1px solid GrayText;padding:.5rem 0}p{margin:.25rem 0}.facts{font-size:.9rem}\
    pre{margin:.25rem 0;white-space:pre-wrap}";
/// Of the style above, as a content security policy names it.
const STYLE_HASH: &str = "sha256-sp5okiytUCFzE87EJcdjdeCSRCKHztPvokC6t3c9yB4=";

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn the_policy_allows_this_style_and_no_other() {
        let hash = digest(&SHA256, STYLE.as_bytes());
        assert_eq!(STYLE_HASH, format!("sha256-{}", STANDARD.encode(hash)));
    }
}
