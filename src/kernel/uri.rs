//! Our own address, as configured: never taken from a request.

use std::fmt;
use std::str::FromStr;

/// An absolute `https` or `http` address without query, fragment, user or trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// The text is not such an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an address such as https://admit.example.org:8443")]
pub struct NotABaseUrl;

impl BaseUrl {
    /// The address, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port as a browser's `Origin` header has them, which leaves out the usual port (RFC 6454 §6.2).
    pub fn origin(&self) -> String {
        let scheme = self.0.split("://").next().unwrap_or_default();
        let usual = if scheme == "https" { ":443" } else { ":80" };
        let authority = self.authority();
        let authority = authority.strip_suffix(usual).unwrap_or(authority);
        format!("{scheme}://{authority}")
    }

    /// The host name or address, without the port.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    /// Whether it is an origin alone, with a port there can be.
    pub fn has_no_path(&self) -> bool {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let port = rest.rsplit_once(':').map(|(_, port)| port);
        // The colons of an address in brackets come before its end.
        let port = port.filter(|port| !port.ends_with(']'));
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number > 0);
        rest == self.authority() && port.is_none_or(is_port)
    }

    fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }
}

impl FromStr for BaseUrl {
    type Err = NotABaseUrl;

    fn from_str(text: &str) -> Result<Self, NotABaseUrl> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (scheme, rest) = text.split_once("://").ok_or(NotABaseUrl)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]".contains(c);
        let known = matches!(scheme, "https" | "http");
        if !known || rest.starts_with('/') || !rest.chars().all(plain) || rest.len() > 253 {
            return Err(NotABaseUrl);
        }
        let url = Self(text.to_owned());
        if url.host().is_empty() {
            Err(NotABaseUrl)
        } else {
            Ok(url)
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_a_port_there_can_be_and_no_path() {
        let rows = [
            ("https://example.org", true),
            ("http://example.org:8080/", true),
            ("https://[::1]", true),
            ("https://[::1]:8443", true),
            ("https://example.org/below", false),
            ("https://example.org:", false),
            ("https://example.org:0", false),
            ("https://example.org:65536", false),
        ];
        for (text, is_origin) in rows {
            let url: BaseUrl = text.parse().unwrap();
            assert_eq!(url.has_no_path(), is_origin, "{text}");
        }
    }

    #[test]
    fn a_base_url_has_a_host_and_nothing_that_could_be_mistaken_for_one() {
        let url: BaseUrl = "https://admit.example.org:8443/".parse().unwrap();
        assert_eq!(url.as_str(), "https://admit.example.org:8443");
        assert_eq!(url.host(), "admit.example.org");
        assert_eq!(url.origin(), "https://admit.example.org:8443");
        let usual: BaseUrl = "https://admit.example.org:443/below".parse().unwrap();
        assert_eq!(usual.origin(), "https://admit.example.org");
        assert_eq!(
            "https://[::1]:8443".parse::<BaseUrl>().unwrap().host(),
            "[::1]"
        );
        assert_eq!("https://[::1]".parse::<BaseUrl>().unwrap().host(), "[::1]");
        for text in [
            "",
            "admit",
            "https://",
            "https:///x",
            "ftp://x",
            "https://u@x",
            "https://x?y",
            "https://x#y",
            "https://x y",
        ] {
            assert!(text.parse::<BaseUrl>().is_err(), "{text}");
        }
    }
}
