//! One kept-open connection that speaks HTTP/1.1 over TLS: requests as bytes, answers as they came.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::process::FirstRun;

/// A server, and what a client must know about it.
#[derive(Clone)]
pub(crate) struct Site {
    address: SocketAddr,
    first_run: FirstRun,
    tls: Arc<ClientConfig>,
}

impl Site {
    /// The server at `address`, whose data are in `data`.
    pub(crate) fn new(address: SocketAddr, data: &Path) -> Self {
        Self {
            address,
            first_run: FirstRun::read(data),
            tls: trusting(data, &[b"http/1.1"]),
        }
    }

    /// A connection.
    pub(crate) async fn line(&self) -> io::Result<Line> {
        Line::open(self.address, &self.tls).await
    }

    /// A token for the first client.
    pub(crate) async fn token(&self) -> io::Result<String> {
        let mut line = self.line().await?;
        let (id, secret) = (self.first_run.client_id(), self.first_run.client_secret());
        let body = "grant_type=client_credentials";
        let answer = line
            .ask(&post(TOKEN, &basic(&id, &secret), FORM, body))
            .await?;
        Ok(answer.text("access_token"))
    }
}

/// A client's side of TLS that trusts the authority in `data` alone.
pub(crate) fn trusting(data: &Path, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(data.join("tls/ca.pem")).unwrap();
    roots.add(root).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

/// An encrypted connection on which nothing has been said.
pub(crate) async fn handshake(
    address: SocketAddr,
    tls: &Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::clone(tls))
        .connect(name, stream)
        .await
}

/// A connection that is used for one request after another.
pub(crate) struct Line {
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

/// What came back.
#[derive(Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A member of the body; empty if there is none.
    pub(crate) fn text(&self, member: &str) -> String {
        let json = self.json();
        let text = json.get(member).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    }

    /// The first header of this name that begins so; empty if there is none.
    pub(crate) fn header(&self, name: &str, start: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value);
        values
            .find(|value| value.starts_with(start))
            .unwrap_or_default()
    }

    /// Whether the body has this member.
    pub(crate) fn has(&self, member: &str) -> bool {
        self.json().get(member).is_some()
    }

    /// Why a token was refused.
    pub(crate) fn why(&self) -> String {
        self.text("error_description")
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.body)
    }
}

impl Line {
    async fn open(address: SocketAddr, tls: &Arc<ClientConfig>) -> io::Result<Self> {
        Ok(Self {
            stream: handshake(address, tls).await?,
            read: Vec::new(),
        })
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.say(request).await?;
        self.hear().await
    }

    /// Sends bytes.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Waits for one answer.
    pub(crate) async fn hear(&mut self) -> io::Result<Answer> {
        loop {
            if let Some(answer) = self.take()? {
                return Ok(answer);
            }
            let mut chunk = [0; 8192];
            let read = self.stream.read(&mut chunk).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.read.extend_from_slice(&chunk[..read]);
        }
    }

    fn take(&mut self) -> io::Result<Option<Answer>> {
        let Some(end) = self.read.windows(4).position(|part| part == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        let garbled = || io::Error::other(format!("garbled: {head}"));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(garbled)?;
        let length = head.lines().filter_map(|line| line.split_once(':'));
        let length = length
            .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .find_map(|(_, value)| value.trim().parse().ok());
        let length: usize = length.unwrap_or(0);
        let whole = end + 4 + length;
        if self.read.len() < whole {
            return Ok(None);
        }
        let body = String::from_utf8_lossy(&self.read[end + 4..whole]).into_owned();
        self.read.drain(..whole);
        Ok(Some(Answer { status, head, body }))
    }
}

/// Where tokens are given out.
pub(crate) const TOKEN: &str = "/security/oauth/token";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json";

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A request without a body.
pub(crate) fn bare(method: &str, path: &str, authorization: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {authorization}\r\n\r\n")
        .into_bytes()
}

/// A `POST` with a body.
pub(crate) fn post(path: &str, authorization: &str, kind: &str, body: &str) -> Vec<u8> {
    with_body("POST", path, authorization, kind, body)
}

/// A request with a body.
pub(crate) fn with_body(
    method: &str,
    path: &str,
    authorization: &str,
    kind: &str,
    body: &str,
) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {authorization}\r\n\
         content-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A customer presents a ticket.
pub(crate) fn redeem(ticket: &str) -> Vec<u8> {
    let body = format!("grant_type=password&username={ticket}&password=");
    post(TOKEN, &basic("customer", ""), FORM, &body)
}

/// A customer goes on with a refresh token.
pub(crate) fn refresh(token: &str) -> Vec<u8> {
    let body = format!("grant_type=refresh_token&refresh_token={token}");
    post(TOKEN, &basic("customer", ""), FORM, &body)
}

/// A client asks for a ticket.
pub(crate) fn create(token: &str, kind: &str, title: &str) -> Vec<u8> {
    let body = format!(r#"{{"type":"{kind}","properties":{{"title":"{title}"}}}}"#);
    post("/security/ticket", &bearer(token), JSON, &body)
}
