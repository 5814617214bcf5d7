//! Whom a reverse proxy speaks for, so that callers behind one are not all counted as one.
//!
//! Anyone can write `X-Forwarded-For`. It is believed only from a proxy the operator named, and read from the end that
//! proxy wrote: what stands left of the first stranger is that stranger's own word (RFC 7239 §8, RFC 9700 §4.13).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hyper::HeaderMap;

/// The reverse proxies that are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpAddr]>);

impl TrustedProxies {
    /// The proxies at these addresses are believed.
    pub fn new(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let addresses = addresses.into_iter();
        Self(addresses.map(|address| address.to_canonical()).collect())
    }

    /// Who calls: the other end of the connection, or the last address before the proxies it came through.
    pub(super) fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        // RFC 9110 §5.3: several lines are one list, joined in their order.
        let lines = headers.get_all(NAME).iter().rev();
        let mut hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',').map(hop));
        let caller = hops.find(|hop| hop.is_none_or(|address| !self.trusts(address)));
        caller.flatten().unwrap_or(peer)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

/// One entry of the list: an address, with a port or without.
fn hop(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let bare = || text.parse().ok();
    let with_port = || text.parse().ok().map(|socket: SocketAddr| socket.ip());
    let bracketed = || {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    };
    let address = bare().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

const NAME: &str = "x-forwarded-for";

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const PROXY: &str = "127.0.0.1";

    fn trusted() -> TrustedProxies {
        let addresses = [PROXY, "::ffff:10.0.0.2", "2001:db8::2"];
        TrustedProxies::new(addresses.map(|address| address.parse().unwrap()))
    }

    fn caller(peer: &str, lines: &[impl AsRef<[u8]>]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(NAME, HeaderValue::from_bytes(line.as_ref()).unwrap());
        }
        let peer = peer.parse().unwrap();
        trusted().caller(peer, &headers).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        for peer in ["192.0.2.1", "10.0.0.3", "2001:db8::3"] {
            assert_eq!(caller(peer, &["198.51.100.7"]), peer);
        }
        assert_eq!(caller("::ffff:192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        let nobody = TrustedProxies::default();
        let headers = HeaderMap::from_iter([(
            NAME.parse().unwrap(),
            HeaderValue::from_static("198.51.100.7"),
        )]);
        let peer: IpAddr = PROXY.parse().unwrap();
        assert_eq!(nobody.caller(peer, &headers), peer);
    }

    #[test]
    fn a_trusted_proxy_says_who_calls() {
        let table: &[(&[&str], &str)] = &[
            (&["192.0.2.1"], "192.0.2.1"),
            (&[" \t192.0.2.1 "], "192.0.2.1"),
            (&["192.0.2.1:4711"], "192.0.2.1"),
            (&["2001:db8::9"], "2001:db8::9"),
            (&["[2001:db8::9]"], "2001:db8::9"),
            (&["[2001:db8::9]:4711"], "2001:db8::9"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
            (&["[::ffff:192.0.2.1]:4711"], "192.0.2.1"),
            // What the caller itself wrote stands to the left.
            (&["203.0.113.9, 192.0.2.1"], "192.0.2.1"),
            (&["127.0.0.1, 192.0.2.1"], "192.0.2.1"),
            (&["é, unknown,, 192.0.2.1"], "192.0.2.1"),
            (&["203.0.113.9", "192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.1", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            // Two proxies, and three.
            (&["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (&["203.0.113.9, 192.0.2.1,10.0.0.2:80"], "192.0.2.1"),
            (
                &["192.0.2.1, [2001:db8::2]:80", "::ffff:10.0.0.2"],
                "192.0.2.1",
            ),
            // Nobody but proxies, and nothing that says more.
            (&[], PROXY),
            (&["10.0.0.2, 127.0.0.1"], PROXY),
            (&[""], PROXY),
            (&["192.0.2.1,"], PROXY),
            (&["192.0.2.1", ""], PROXY),
            (&["192.0.2.1, unknown"], PROXY),
            (&["192.0.2.1, unknown, 10.0.0.2"], PROXY),
            (&["192.0.2.1, \"192.0.2.2\""], PROXY),
            (&["192.0.2.1 192.0.2.2"], PROXY),
            (&["192.0.2"], PROXY),
            (&["192.0.2.01"], PROXY),
            (&["192.0.2.1:"], PROXY),
            (&["192.0.2.1:99999"], PROXY),
            (&["[192.0.2.1]:80"], PROXY),
            (&["[2001:db8::9"], PROXY),
            (&["localhost"], PROXY),
            (&["for=192.0.2.1"], PROXY),
        ];
        for (lines, expected) in table {
            assert_eq!(caller(PROXY, lines), *expected, "{lines:?}");
        }
        assert_eq!(caller("::ffff:127.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(caller("10.0.0.2", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(caller(PROXY, &[b"\xff\xfe, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(caller(PROXY, &[b"192.0.2.1, \xff"]), PROXY);
    }

    proptest! {
        #[test]
        fn whatever_a_caller_writes_the_proxy_has_the_last_word(
            lines in prop::collection::vec(prop::collection::vec(32_u8..=255, 0..60), 0..4),
        ) {
            let mut lines: Vec<_> = lines
                .into_iter()
                .filter(|line| HeaderValue::from_bytes(line).is_ok())
                .collect();
            let _ = caller(PROXY, &lines);
            prop_assert_eq!(caller("192.0.2.1", &lines), "192.0.2.1");
            lines.push(b"192.0.2.7, 10.0.0.2".to_vec());
            prop_assert_eq!(caller(PROXY, &lines), "192.0.2.7");
        }

        #[test]
        fn something_like_a_list_is_read_too(line in "[0-9a-f.:,\\[\\] %]{0,60}") {
            let _ = caller(PROXY, &[line]);
        }
    }
}
