//! Bytes written onto a TLS connection as they stand, and the answer as it comes back.

use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::client::Answer;
use super::server::Server;

/// Sends a request of HTTP/1.1. Lines may end in a bare line feed, and `{host}` stands for the server's own name.
pub(crate) async fn say(server: &Server, head: &str, body: &str) -> Answer {
    let host = format!("localhost:{}", server.address.port());
    let head = head
        .trim_start()
        .trim_end()
        .replace("\r\n", "\n")
        .replace('\n', "\r\n");
    let bytes = format!("{}\r\n\r\n{body}", head.replace("{host}", &host));
    let path = bytes.split(' ').nth(1).unwrap().to_owned();
    let answer = exchange(server, bytes.as_bytes()).await;
    answer.must_always_hold(&path);
    answer
}

async fn exchange(server: &Server, bytes: &[u8]) -> Answer {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(server.authority()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap();
    tls.write_all(bytes).await.unwrap();
    let mut read = Vec::new();
    loop {
        if let Some(answer) = whole(&read) {
            return answer;
        }
        let more = tls.read_buf(&mut read).await.unwrap();
        assert!(more > 0, "cut off: {}", String::from_utf8_lossy(&read));
    }
}

/// The answer once it is all there, by its `Content-Length`.
fn whole(read: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(read).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line
            .split_once(": ")
            .unwrap_or((line.trim_end_matches(':'), ""));
        headers.append(
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.to_str().unwrap().parse().unwrap());
    (body.len() >= length).then(|| Answer {
        status,
        headers,
        text: body.to_owned(),
    })
}
