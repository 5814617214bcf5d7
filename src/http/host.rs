//! Which server a request is for, and whether that is us (RFC 9110 §7.2, §7.4; RFC 9112 §3.2).
//!
//! Names are compared without their port, because a forwarded port is not ours to know.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Version, header};

use super::problem::Problem;

/// The names this server goes by.
#[derive(Debug, Clone)]
pub struct AllowedHosts(Arc<[Name]>);

impl AllowedHosts {
    /// The server goes by these DNS names and IP addresses; a port, if one is given, is ignored.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().filter_map(Name::configured).collect())
    }

    /// Whether the request is for one of the names, and says so in one voice.
    pub(super) fn check(&self, request: &Parts) -> Result<(), Problem> {
        if request.method == Method::CONNECT {
            return Err(Problem::bad_request("this server is not a proxy"));
        }
        let header = single_host(request)?;
        let target = request.uri.authority().map(Target::of).transpose()?;
        let asked = match (target, header) {
            (Some(target), Some(header)) if target != header => {
                return Err(Problem::bad_request("the request names two servers"));
            }
            // RFC 9112 §3.2: an HTTP/1.1 request without Host is bad even when its target is absolute.
            (Some(_), None) if request.version < Version::HTTP_2 => return Err(nameless()),
            (Some(target), _) => target,
            (None, Some(header)) => header,
            (None, None) => return Err(nameless()),
        };
        if self.0.contains(&asked.name) {
            Ok(())
        } else {
            Err(Problem::misdirected())
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Dns(String),
    Ip(IpAddr),
}

impl Name {
    fn configured(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse() {
            return Some(Self::Ip(ip));
        }
        let authority: Authority = text.parse().ok()?;
        Some(Self::of_host(authority.host()))
    }

    fn of_host(host: &str) -> Self {
        let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        if let Some(ip) = bracketed.and_then(|h| h.parse::<Ipv6Addr>().ok()) {
            return Self::Ip(ip.into());
        }
        match host.parse() {
            Ok(ip) => Self::Ip(IpAddr::V4(ip)),
            Err(_) => Self::Dns(host.to_ascii_lowercase()),
        }
    }
}

#[derive(PartialEq, Eq)]
struct Target {
    name: Name,
    port: Option<u16>,
}

impl Target {
    fn of(authority: &Authority) -> Result<Self, Problem> {
        let port = authority.port_u16();
        let host = authority.host();
        // Rebuilding it shows user information and malformed ports, which have no place here.
        let plain = match port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        if host.is_empty() || plain != authority.as_str() {
            return Err(malformed());
        }
        Ok(Self {
            name: Name::of_host(host),
            port,
        })
    }
}

fn single_host(request: &Parts) -> Result<Option<Target>, Problem> {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        return Ok(None);
    };
    if hosts.next().is_some() {
        return Err(Problem::bad_request("the request has two Host headers"));
    }
    let authority: Authority = host
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(malformed)?;
    Target::of(&authority).map(Some)
}

fn nameless() -> Problem {
    Problem::bad_request("the request names no server")
}

fn malformed() -> Problem {
    Problem::bad_request("the server's name is malformed")
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn status(version: Version, uri: &str, hosts: &[&str]) -> u16 {
        let names = AllowedHosts::new(["Admit.example", "127.0.0.1", "::1", "other.example:8443"]);
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        names
            .check(&parts)
            .err()
            .map_or(200, |problem| problem.status().as_u16())
    }

    #[test]
    fn a_request_names_one_of_our_names_once() {
        let one = Version::HTTP_11;
        for (hosts, expected) in [
            (&["admit.example"][..], 200),
            (&["ADMIT.example:9443"], 200),
            (&["127.0.0.1:8443"], 200),
            (&["[::1]:8443"], 200),
            (&["[0:0::1]"], 200),
            (&["other.example"], 200),
            (&["evil.example"], 421),
            (&["admit.example.evil.example"], 421),
            (&["admit.example."], 421),
            (&[], 400),
            (&[""], 400),
            (&["admit.example", "admit.example"], 400),
            (&["admit.example, evil.example"], 400),
            (&["user@admit.example"], 400),
            (&["admit.example:"], 400),
            (&["admit.example:99999"], 400),
            (&["admit.example/x"], 400),
        ] {
            assert_eq!(status(one, "/x", hosts), expected, "{hosts:?}");
        }
    }

    #[test]
    fn target_and_host_must_agree() {
        for (version, uri, hosts, expected) in [
            (Version::HTTP_2, "https://admit.example/x", &[][..], 200),
            (Version::HTTP_2, "https://evil.example/x", &[], 421),
            (Version::HTTP_2, "/x", &[], 400),
            (
                Version::HTTP_2,
                "https://admit.example/x",
                &["admit.example"],
                200,
            ),
            (
                Version::HTTP_2,
                "https://admit.example/x",
                &["127.0.0.1"],
                400,
            ),
            (
                Version::HTTP_11,
                "http://admit.example/x",
                &["admit.example"],
                200,
            ),
            (
                Version::HTTP_11,
                "http://admit.example/x",
                &["evil.example"],
                400,
            ),
            (Version::HTTP_11, "http://admit.example/x", &[], 400),
            (Version::HTTP_10, "/x", &[], 400),
            (Version::HTTP_10, "/x", &["admit.example"], 200),
        ] {
            assert_eq!(
                status(version, uri, hosts),
                expected,
                "{version:?} {uri} {hosts:?}"
            );
        }
    }
}
