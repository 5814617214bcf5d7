//! Where people may be sent back to: the grammar of a registered URI, and the one matcher (RFC 9700 §2.1, §4.1.3).
//!
//! A received value is compared byte for byte and never decoded. Two registered forms reach further: a loopback IP
//! address at any port, because native apps are given theirs by the system (RFC 8252 §7.3), and an origin without a
//! path, as contract B's clients register, for any plain path on that origin.

use std::net::{Ipv4Addr, Ipv6Addr};

/// How many URIs a client may register.
pub const URIS_MAX: usize = 32;
/// The longest one, in bytes.
pub const URI_LEN_MAX: usize = 2_000;

/// Whether a value may be registered; why not, in words that follow it.
pub fn check(text: &str) -> Result<(), &'static str> {
    if text.len() > URI_LEN_MAX {
        return Err("is longer than 2000 bytes");
    }
    if !text.bytes().all(is_uri_byte) || !has_whole_escapes(text) {
        return Err("holds a character that no URI has");
    }
    if text.contains('#') {
        return Err("has a fragment (RFC 6749 section 3.1.2)");
    }
    match Parts::of(text) {
        Some(parts) => parts.check(),
        None => check_private(text),
    }
}

/// Whether people may be sent to `received`, given what their client registered.
pub fn is_registered(registered: &[String], received: &str) -> bool {
    let plain = received.len() <= URI_LEN_MAX && received.bytes().all(|b| b.is_ascii_graphic());
    plain && registered.iter().any(|one| matches(one, received))
}

fn matches(registered: &str, received: &str) -> bool {
    if registered == received {
        return true;
    }
    let (Some(known), Some(given)) = (Parts::of(registered), Parts::of(received)) else {
        return false;
    };
    let any_port = known.scheme == "http" && known.is_loopback_ip();
    let same_port = known.port == given.port || (any_port && given.has_plain_port());
    if known.scheme != given.scheme || known.host != given.host || !same_port {
        return false;
    }
    known.rest == given.rest || (known.rest.is_empty() && is_plain_path(given.rest))
}

/// A registered value that reaches every path of its origin.
pub fn is_bare_origin(registered: &str) -> bool {
    Parts::of(registered).is_some_and(|parts| parts.rest.is_empty())
}

/// A web address in pieces; nothing of it is decoded.
struct Parts<'u> {
    scheme: &'u str,
    host: &'u str,
    port: Option<&'u str>,
    /// Path and query.
    rest: &'u str,
}

impl<'u> Parts<'u> {
    fn of(text: &'u str) -> Option<Self> {
        let (scheme, after) = text.split_once("://")?;
        if !matches!(scheme, "https" | "http") {
            return None;
        }
        let (authority, rest) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
        let colon = authority
            .rfind(':')
            .filter(|at| !authority.ends_with(']') || authority.find(']') < Some(*at));
        let (host, port) = match colon.and_then(|at| authority.split_at_checked(at)) {
            Some((host, port)) => (host, port.get(1..)),
            None => (authority, None),
        };
        Some(Self {
            scheme,
            host,
            port,
            rest,
        })
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.host.contains('@') || self.port.is_some_and(|port| port.contains('@')) {
            return Err("names a user");
        }
        if !is_host(self.host) {
            return Err("has no host name or address in lower case");
        }
        if self.port.is_some() && !self.has_plain_port() {
            return Err("has a port that is none");
        }
        if self.scheme == "http" && self.host != "localhost" && !self.is_loopback_ip() {
            return Err("is plain http to another machine");
        }
        let path = self.rest.split('?').next().unwrap_or_default();
        if path.split('/').any(is_dots) {
            return Err("has a dot segment");
        }
        Ok(())
    }

    fn is_loopback_ip(&self) -> bool {
        matches!(self.host, "127.0.0.1" | "[::1]")
    }

    fn has_plain_port(&self) -> bool {
        let Some(port) = self.port else { return true };
        let digits = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
        digits && port.parse::<u16>().is_ok()
    }
}

/// RFC 8252 §7.1: a scheme made of a domain name its owner has, such as `com.example.app:/cb`.
fn check_private(text: &str) -> Result<(), &'static str> {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(letters)
        && scheme.contains('.')
        && !scheme.contains("..")
        && !scheme.ends_with('.');
    if !is_scheme || !rest.starts_with('/') {
        return Err(
            "is neither https, http to this machine, nor of a scheme such as com.example.app:/",
        );
    }
    if rest.contains('@') {
        return Err("names a user");
    }
    Ok(())
}

/// A path and query that every reader of URLs understands alike.
fn is_plain_path(rest: &str) -> bool {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let hidden = ["%2e", "%2f", "%5c", "%25"];
    let lower = path.to_ascii_lowercase();
    path.starts_with('/')
        && !path.contains("//")
        && !path.split('/').any(is_dots)
        && !hidden.iter().any(|escape| lower.contains(escape))
        && rest.bytes().all(is_uri_byte)
        && !rest.contains(['#', '@'])
        && !query.contains('?')
        && has_whole_escapes(rest)
        && !has_control_escapes(rest)
}

/// `.` and `..`, also with the parameters that some servers strip and the escapes that others decode.
fn is_dots(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default();
    let name = name.to_ascii_lowercase().replace("%2e", ".");
    matches!(name.as_str(), "." | "..")
}

fn is_host(host: &str) -> bool {
    if let Some(inside) = host.strip_prefix('[') {
        let inside = inside.strip_suffix(']');
        return inside.is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok() && !ip.contains('%'));
    }
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(letters);
    // What ends in a number is an address to browsers, in spellings such as `2130706433`.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with(|c: char| c.is_ascii_digit())
        && (last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x"));
    host.len() <= 253
        && host.split('.').all(is_label)
        && (!is_number || host.parse::<Ipv4Addr>().is_ok())
}

/// RFC 3986 §2, without the fragment's mark being judged here.
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !br#"\"<>^`{|}"#.contains(&byte)
}

fn has_whole_escapes(text: &str) -> bool {
    let mut after = text.split('%').skip(1);
    after.all(|rest| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// `%00` to `%1f`, and `%7f`.
fn has_control_escapes(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut after = lower.split('%').skip(1);
    after.any(|rest| rest.starts_with(['0', '1']) || rest.starts_with("7f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_registered() {
        for good in [
            "https://app.example.org/cb",
            "https://app.example.org",
            "https://app.example.org:8443/cb?tenant=1",
            "https://[2001:db8::1]/cb",
            "https://192.0.2.7/cb",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:7000",
            "http://[::1]:9/cb",
            "http://localhost",
            "http://localhost:3000/cb",
            "com.example.app:/cb",
            "com.example.app://cb",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_may_not_be_registered() {
        let rows = [
            ("", "is neither https"),
            ("/cb", "is neither https"),
            ("https:/app.example.org", "is neither https"),
            ("HTTPS://app.example.org/cb", "is neither https"),
            ("javascript:alert(1)", "is neither https"),
            ("data:text/html,x", "is neither https"),
            ("myapp:/cb", "is neither https"),
            ("ftp://app.example.org/cb", "is neither https"),
            ("com.example.app:cb", "is neither https"),
            ("com..example:/cb", "is neither https"),
            ("com.example.app://a@b/cb", "names a user"),
            ("http://app.example.org/cb", "is plain http"),
            ("http://127.0.0.2/cb", "is plain http"),
            ("http://localhost.example.org/cb", "is plain http"),
            ("https://a@app.example.org/cb", "names a user"),
            ("https://a:b@app.example.org/cb", "names a user"),
            ("https://App.example.org/cb", "has no host"),
            ("https:///cb", "has no host"),
            ("https://app.example.org./cb", "has no host"),
            ("https://*.example.org/cb", "has no host"),
            ("https://2130706433/cb", "has no host"),
            ("https://0x7f.1/cb", "has no host"),
            ("https://[::1%25eth0]/cb", "has no host"),
            ("https://app.example.org:/cb", "has a port"),
            ("https://app.example.org:0443/cb", "has a port"),
            ("https://app.example.org:65536/cb", "has a port"),
            ("https://app.example.org/cb#x", "has a fragment"),
            ("https://app.example.org/a/../cb", "has a dot segment"),
            ("https://app.example.org/a/%2E./cb", "has a dot segment"),
            ("https://app.example.org\\cb", "holds a character"),
            ("https://app.example.org/c b", "holds a character"),
            ("https://app.example.org/c\r\nb", "holds a character"),
            ("https://app.example.org/%zz", "holds a character"),
            ("https://b\u{fc}cher.example/cb", "holds a character"),
        ];
        for (bad, why) in rows {
            let told = check(bad).unwrap_err();
            assert!(told.starts_with(why), "{bad}: {told}");
        }
        let long = format!("https://app.example.org/{}", "a".repeat(URI_LEN_MAX));
        assert_eq!(check(&long), Err("is longer than 2000 bytes"));
    }

    #[test]
    fn what_matches_what() {
        let rows = [
            ("https://a.example/cb", "https://a.example/cb", true),
            ("https://a.example/cb", "https://a.example/cb/", false),
            ("https://a.example/cb", "https://a.example:443/cb", false),
            ("https://a.example/cb?x=1", "https://a.example/cb?x=1", true),
            ("https://a.example/cb?x=1", "https://a.example/cb", false),
            ("https://a.example", "https://a.example", true),
            (
                "https://a.example",
                "https://a.example/any/path?q=%2F",
                true,
            ),
            ("https://a.example", "https://a.example?q", false),
            (
                "https://a.example",
                "https://a.example.evil.example/",
                false,
            ),
            ("https://a.example", "https://a.example:8443/", false),
            ("https://a.example", "http://a.example/", false),
            ("https://a.example", "https://a.example/a/../b", false),
            ("https://a.example", "https://a.example/%2e%2e/b", false),
            ("https://a.example", "https://a.example/..;/b", false),
            ("https://a.example", "https://a.example/a\\b", false),
            (
                "https://a.example",
                "https://a.example/@evil.example",
                false,
            ),
            (
                "https://a.example",
                "https://a.example//evil.example",
                false,
            ),
            ("https://a.example/", "https://a.example/any", false),
            ("http://localhost", "http://localhost/cb", true),
            ("http://localhost", "http://localhost:3000/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", true),
            ("http://127.0.0.1:7/cb", "http://127.0.0.1:51004/cb", true),
            ("http://[::1]/cb", "http://[::1]:51004/cb", true),
            ("http://127.0.0.1", "http://127.0.0.1:51004/any", true),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/other", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", false),
            (
                "http://127.0.0.1/cb",
                "http://127.0.0.1:80@evil.example/cb",
                false,
            ),
            ("http://127.0.0.1/cb", "http://localhost/cb", false),
            ("https://127.0.0.1/cb", "https://127.0.0.1:51004/cb", false),
            ("com.example.app:/cb", "com.example.app:/cb", true),
            ("com.example.app:/cb", "com.example.app:/cb2", false),
        ];
        for (registered, received, expected) in rows {
            let found = is_registered(&[registered.to_owned()], received);
            assert_eq!(found, expected, "{registered} {received}");
        }
        assert!(is_bare_origin("http://localhost") && !is_bare_origin("http://localhost/"));
    }
}
