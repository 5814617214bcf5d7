//! What the tests of this folder share: a folder, a running server with a few routes, and clients for it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use warp::Filter;

use super::tls::{self, Certificate};
use super::{
    AllowedHosts, Arrival, Limits, Response, Routes, Served, Settings, TrustedProxies, serve,
};
use crate::kernel::{Clock, Entropy, SystemClock, SystemEntropy};

/// A folder that goes with the test.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        let name = <dyn Entropy>::token::<12>(&SystemEntropy::default());
        let path = std::env::temp_dir().join(format!("admit-{name}"));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server on a port of its own.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    folder: Folder,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Served>,
}

impl Server {
    /// With TLS by the built-in authority.
    pub(super) async fn tls(limits: Limits) -> Self {
        Self::start(limits, true, "127.0.0.1:0").await
    }

    /// Without TLS.
    pub(super) async fn plain(limits: Limits) -> Self {
        Self::start(limits, false, "127.0.0.1:0").await
    }

    pub(super) async fn start(limits: Limits, tls: bool, at: &str) -> Self {
        let folder = Folder::new();
        let names = [String::from("localhost"), String::from("127.0.0.1")];
        let files = tls::prepare(folder.path(), &names, SystemClock.now()).unwrap();
        let config = Certificate::load(files).unwrap().server_config().unwrap();
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Settings {
            limits,
            names: AllowedHosts::new(names.iter().map(String::as_str)),
            proxies: TrustedProxies::default(),
            drain: Duration::from_secs(2),
        };
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(serve(
            listener,
            tls.then_some(config),
            routes(),
            settings,
            Arc::new(SystemEntropy::default()),
            async {
                let _ = stopped.await;
            },
        ));
        Self {
            address,
            folder,
            stop,
            running,
        }
    }

    pub(super) fn authority(&self) -> PathBuf {
        self.folder.path().join("tls/ca.pem")
    }

    /// The address of `path` for a client that speaks TLS.
    pub(super) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// A client that trusts the authority and prefers HTTP/2, or speaks only HTTP/1.1.
    pub(super) fn client(&self, http2: bool) -> reqwest::Client {
        let root = std::fs::read(self.authority()).unwrap();
        let root = reqwest::Certificate::from_pem(&root).unwrap();
        let builder = reqwest::Client::builder()
            .tls_certs_only([root])
            .timeout(Duration::from_secs(10));
        if http2 { builder } else { builder.http1_only() }
            .build()
            .unwrap()
    }

    pub(super) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A TLS connection on which nothing has been said.
    pub(super) async fn handshake(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.authority()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from("localhost").unwrap(), self.tcp().await)
            .await
            .unwrap()
    }

    pub(super) async fn stop(self) -> (Served, Duration) {
        let before = Instant::now();
        let _ = self.stop.send(());
        (self.running.await.unwrap(), before.elapsed())
    }
}

/// Sends `text` without TLS and reads all that comes back until the server closes.
pub(super) async fn say(server: &Server, text: &str) -> String {
    let mut stream = server.tcp().await;
    stream.write_all(text.as_bytes()).await.unwrap();
    let (answer, _) = until_closed(&mut stream).await;
    String::from_utf8(answer).unwrap()
}

/// Reads until the server closes; fails if that takes five seconds.
pub(super) async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> (Vec<u8>, Duration) {
    let before = Instant::now();
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    // An abrupt end is an end.
    let _ = read.expect("the server did not close the connection");
    (answer, before.elapsed())
}

/// An HTTP/2 frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The beginning of an HTTP/2 connection whose streams may be sent `window` bytes.
pub(super) fn preface(window: u32) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let mut settings = vec![0, 4];
    settings.extend(window.to_be_bytes());
    bytes.extend(frame(4, 0, 0, &settings));
    bytes
}

/// A request's headers in HPACK, none of them compressed.
pub(super) fn head(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x87, 0x01, 9];
    block.extend(b"localhost");
    block.extend([0x04, u8::try_from(path.len()).unwrap()]);
    block.extend(path.as_bytes());
    block
}

pub(super) const BIG: usize = 16 * 1024 * 1024;

fn routes() -> Routes {
    let route = |template| {
        warp::ext::get::<Arrival>()
            .map(move |arrival: Arrival| arrival.route.is(template))
            .untuple_one()
    };
    let hello = warp::path!("hello" / String)
        .and(route("/hello/{who}"))
        .map(|_| Response::new("hello".into()));
    let echo = warp::path!("echo")
        .or(warp::path!("security" / "ticket"))
        .unify()
        .and(warp::post())
        .and(route("/echo"))
        .and(warp::body::bytes())
        .map(|body: Bytes| Response::new(body.into()));
    let slow = warp::path!("slow").and(route("/slow")).then(|| async {
        sleep(Duration::from_millis(400)).await;
        Response::new("late".into())
    });
    let big = warp::path!("big").map(|| Response::new(vec![b'x'; BIG].into()));
    let who = warp::path!("who")
        .and(warp::ext::get::<Arrival>())
        .map(|arrival: Arrival| {
            Response::new(format!("{} {}", arrival.peer, arrival.request).into())
        });
    let rest = warp::any().map(|| {
        let mut response = Response::new("nothing here".into());
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    });
    hello
        .or(echo)
        .unify()
        .or(slow)
        .unify()
        .or(big)
        .unify()
        .or(who)
        .unify()
        .or(rest)
        .unify()
        .boxed()
}
