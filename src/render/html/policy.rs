//! Content security policies (CSP Level 3): what a page may load, run, and send its form to.
//!
//! Browsers hold every redirect that follows a form to `form-action` as well, also those of the client after ours. So a
//! page that ends at a client allows the client's scheme: who fills in the form is protected by the page holding nothing
//! that is not ours. Nothing from a request gets into a policy unless it is a plain scheme, host and port.

/// A page without a form.
pub(super) fn closed() -> String {
    policy("'none'", "")
}

/// A page whose form comes back to us, and whose answer may lead to `destination` and on from there.
pub(super) fn own_form(destination: Option<&str>) -> String {
    match destination.and_then(schemes) {
        Some(schemes) => policy(&format!("'self' {schemes}"), ""),
        None => policy("'self'", ""),
    }
}

/// What a client at `uri` may lead a browser on to: a callback on this machine often goes on to the web.
fn schemes(uri: &str) -> Option<String> {
    let (scheme, authority) = parted(uri)?;
    let scheme = scheme.to_ascii_lowercase();
    if NEVER.contains(&scheme.as_str()) {
        return None;
    }
    Some(match (scheme.as_str(), authority) {
        ("http", _) => "http: https:".to_owned(),
        _ => format!("{scheme}:"),
    })
}

/// A page whose form goes to `destination` at once, sent by the script that has this hash.
pub(super) fn foreign_form(destination: &str, script: &str) -> String {
    let source = source(destination).unwrap_or_else(|| "'none'".to_owned());
    policy(&source, &format!(" script-src '{script}';"))
}

fn policy(form_action: &str, script: &str) -> String {
    format!(
        "default-src 'none'; style-src 'self';{script} form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
    )
}

/// The address without its path and query, as a person may judge it: `client.example:8443`, or the scheme of an
/// application on the same device (RFC 8252 §7.1).
pub(super) fn place(uri: &str) -> &str {
    match parted(uri) {
        Some((_, Some(authority))) => authority,
        Some((scheme, None)) => scheme,
        None => "",
    }
}

/// The source expression that matches `uri`, if there is one that is no wider than its scheme.
fn source(uri: &str) -> Option<String> {
    let (scheme, authority) = parted(uri)?;
    let scheme = scheme.to_ascii_lowercase();
    if NEVER.contains(&scheme.as_str()) {
        return None;
    }
    // An address in brackets is not in the grammar of sources.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    match authority.filter(|authority| authority.chars().all(plain)) {
        Some(authority) => Some(format!("{scheme}://{authority}")),
        None => Some(format!("{scheme}:")),
    }
}

/// The scheme, and the authority where the scheme is one that has hosts.
fn parted(uri: &str) -> Option<(&str, Option<&str>)> {
    let (scheme, rest) = uri.split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(plain) {
        return None;
    }
    let web = ["https", "http"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme));
    let rest = rest.strip_prefix("//").filter(|_| web);
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#', '\\']).next());
    // Whoever a name is put in front of, the host is behind it.
    let authority = authority.map(|whole| whole.rsplit_once('@').map_or(whole, |(_, host)| host));
    Some((scheme, authority.filter(|host| !host.is_empty())))
}

/// Schemes that run or hold something instead of leading somewhere.
const NEVER: [&str; 6] = [
    "javascript",
    "data",
    "blob",
    "filesystem",
    "vbscript",
    "about",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_destination_is_named_by_its_origin() {
        let cases = [
            (
                "https://app.example/cb?x=1",
                Some("https://app.example"),
                "app.example",
            ),
            (
                "HTTPS://app.example:8443",
                Some("https://app.example:8443"),
                "app.example:8443",
            ),
            (
                "http://127.0.0.1:39871/cb",
                Some("http://127.0.0.1:39871"),
                "127.0.0.1:39871",
            ),
            ("http://[::1]:3000/cb", Some("http:"), "[::1]:3000"),
            (
                "https://bank.example@evil.example/",
                Some("https://evil.example"),
                "evil.example",
            ),
            (
                "https://evil.example\\@bank.example",
                Some("https://evil.example"),
                "evil.example",
            ),
            (
                "com.example.app:/cb",
                Some("com.example.app:"),
                "com.example.app",
            ),
            (
                "com.example.app://host/cb",
                Some("com.example.app:"),
                "com.example.app",
            ),
            ("https:///cb", Some("https:"), "https"),
            ("https://a;script-src *", Some("https:"), "a;script-src *"),
            ("javascript:alert(1)", None, "javascript"),
            ("data:text/html,x", None, "data"),
            ("a b:c", None, ""),
            ("", None, ""),
        ];
        for (uri, expected, shown) in cases {
            assert_eq!(source(uri).as_deref(), expected, "{uri}");
            assert_eq!(place(uri), shown, "{uri}");
        }
    }

    #[test]
    fn a_form_without_a_place_to_go_goes_nowhere() {
        assert!(foreign_form("javascript:alert(1)", "x").contains("form-action 'none';"));
        assert!(own_form(Some("javascript:alert(1)")).contains("form-action 'self';"));
        assert!(closed().contains("form-action 'none';"));
    }

    proptest! {
        #[test]
        fn bcp_4_16_no_destination_adds_a_directive(uri in prop_oneof![any::<String>(), "https?:/{0,2}[ -~]{0,30}"]) {
            for policy in [own_form(Some(&uri)), foreign_form(&uri, "sha256-x")] {
                prop_assert!(policy.bytes().all(|b| b.is_ascii_graphic() || b == b' '), "{policy}");
                let directives = if policy.contains("script-src") { 6 } else { 5 };
                prop_assert_eq!(policy.split(';').count(), directives);
                prop_assert!(!policy.contains(',') && !policy.contains('*'));
            }
        }
    }
}
