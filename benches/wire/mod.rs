//! HTTP/1.1 over TLS as a caller writes it: as little work as can be, because it is done on the server's processors.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// One kept-open connection.
pub(crate) struct Wire {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
    /// What its caller keeps from one answer for the next request.
    pub(crate) kept: String,
    head: usize,
    whole: usize,
}

/// An answer, as it stands in the connection's buffer.
pub(crate) struct Answer<'w> {
    head: &'w str,
    /// The body.
    pub(crate) body: &'w [u8],
}

impl Answer<'_> {
    /// What stands between `before` and the next quote or ampersand, in the head or the body.
    pub(crate) fn after(&self, before: &str) -> String {
        let body = std::str::from_utf8(self.body).expect("text");
        let mut places = [self.head, body].into_iter();
        let rest = places.find_map(|text| text.split_once(before));
        let (_, rest) = rest.expect("what is looked for");
        let end = rest.find(['"', '&', '\r']).unwrap_or(rest.len());
        rest[..end].to_owned()
    }
}

impl Wire {
    pub(crate) fn new(stream: TlsStream<TcpStream>, kept: String) -> Self {
        let buffer = Vec::with_capacity(8 * 1024);
        Self {
            stream,
            buffer,
            kept,
            head: 0,
            whole: 0,
        }
    }

    /// What the last answer says after these words, see [`Answer::after`].
    pub(crate) fn last(&self, before: &str) -> String {
        self.answer().after(before)
    }

    fn answer(&self) -> Answer<'_> {
        Answer {
            head: std::str::from_utf8(&self.buffer[..self.head]).expect("text"),
            body: &self.buffer[self.head + 4..self.whole],
        }
    }

    /// Sends one request and reads its answer, which must have this status.
    pub(crate) async fn ask(&mut self, request: &[u8], status: &str) -> Answer<'_> {
        self.stream.write_all(request).await.expect("sent");
        self.buffer.clear();
        let end = loop {
            let read = self.stream.read_buf(&mut self.buffer).await;
            assert!(read.expect("an answer") > 0, "the connection was closed");
            let mut windows = self.buffer.windows(4);
            if let Some(end) = windows.position(|window| window == b"\r\n\r\n") {
                break end;
            }
        };
        let head = std::str::from_utf8(&self.buffer[..end]).expect("text");
        let is_right = head
            .strip_prefix("HTTP/1.1 ")
            .is_some_and(|rest| rest.starts_with(status));
        assert!(is_right, "{}", String::from_utf8_lossy(&self.buffer));
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
        let whole = end + 4 + length;
        while self.buffer.len() < whole {
            let read = self.stream.read_buf(&mut self.buffer).await;
            assert!(read.expect("the rest") > 0, "the connection was closed");
        }
        (self.head, self.whole) = (end, whole);
        self.answer()
    }
}

/// What a caller does again and again: one request, or several of which only the last counts.
pub(crate) type Flow = Arc<dyn for<'w> Fn(&'w mut Wire) -> Walk<'w> + Send + Sync>;

/// One time through it.
pub(crate) type Walk<'w> = Pin<Box<dyn Future<Output = ()> + Send + 'w>>;

/// Names the flow's type, so that a closure can be one.
pub(crate) fn flow(
    walk: impl for<'w> Fn(&'w mut Wire) -> Walk<'w> + Send + Sync + 'static,
) -> Flow {
    Arc::new(walk)
}

pub(crate) fn connector(ca: &[u8]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        roots
            .add(certificate.expect("a certificate"))
            .expect("a root");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

pub(crate) fn form(path: &str, basic: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic {basic}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) fn get(path: &str, header: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n\r\n").into_bytes()
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    let pair = format!("{id}:{secret}");
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair)
}
