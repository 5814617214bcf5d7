//! The accept loop: take connections while there is room, and leave in good order.
//!
//! Running out of files must neither end it nor make it spin; a flood must not take the room of those already in.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use rustix::io::Errno;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::Routes;
use super::admission::House;
use super::connection::Connection;
use super::forwarded::TrustedProxies;
use super::host::AllowedHosts;
use super::limits::Limits;
use super::seats::Seats;
use crate::kernel::Entropy;

/// How a listener behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What connections and requests must keep to.
    pub limits: Limits,
    /// The names this server goes by.
    pub names: AllowedHosts,
    /// The reverse proxies whose word on who calls is taken.
    pub proxies: TrustedProxies,
    /// How long requests under way may take to end when the server leaves.
    pub drain: Duration,
}

/// The sockets connections arrive at.
#[derive(Debug)]
pub struct Listeners {
    all: Vec<TcpListener>,
    /// Which is asked first the next time: none waits behind a busy one.
    first: AtomicUsize,
}

impl From<TcpListener> for Listeners {
    fn from(one: TcpListener) -> Self {
        Self::from(vec![one])
    }
}

impl From<Vec<TcpListener>> for Listeners {
    fn from(all: Vec<TcpListener>) -> Self {
        let first = AtomicUsize::new(0);
        Self { all, first }
    }
}

impl Listeners {
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| {
            let first = self.first.fetch_add(1, Ordering::Relaxed);
            let turn = self.all.iter().cycle().skip(first % self.all.len().max(1));
            for listener in turn.take(self.all.len()) {
                if let Poll::Ready(accepted) = listener.poll_accept(context) {
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Connections that were cut because they did not end in time.
    pub cut: usize,
}

/// Serves `routes` on `listeners`, encrypted when `tls` is given, until `shutdown` ends; then lets requests under way
/// finish.
pub async fn serve(
    listeners: impl Into<Listeners>,
    tls: Option<Arc<ServerConfig>>,
    routes: Routes,
    settings: Settings,
    entropy: Arc<dyn Entropy>,
    shutdown: impl Future<Output = ()>,
) -> Served {
    let Settings {
        limits,
        names,
        proxies,
        drain,
    } = settings;
    let limits = limits.within_open_files();
    let (leave, leaving) = watch::channel(false);
    let mut hall = Hall {
        seats: Seats::new(limits.connections, limits.per_address),
        house: Arc::new(House {
            routes,
            limits,
            names,
            proxies,
            entropy,
            tls: tls.is_some(),
        }),
        tls,
        leaving,
        connections: JoinSet::new(),
    };
    hall.receive(listeners.into(), shutdown).await;
    let _ = leave.send(true);
    Served {
        cut: hall.empty(drain).await,
    }
}

struct Hall {
    seats: Arc<Seats>,
    house: Arc<House>,
    tls: Option<Arc<ServerConfig>>,
    leaving: watch::Receiver<bool>,
    connections: JoinSet<()>,
}

impl Hall {
    async fn receive(&mut self, listeners: Listeners, shutdown: impl Future<Output = ()>) {
        let mut reserve = Reserve::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                Some(_) = self.connections.join_next() => {}
                accepted = listeners.accept() => match accepted {
                    Ok((stream, peer)) => self.seat(stream, peer),
                    Err(error) => reserve.endure(&listeners, &error).await,
                }
            }
        }
    }

    fn seat(&mut self, stream: TcpStream, peer: SocketAddr) {
        // At the limit the newcomer is dropped, never one of those already in.
        let Some(seat) = self.seats.take(peer.ip()) else {
            tracing::debug!(peer = %peer.ip(), "no room for a connection");
            return;
        };
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            house: Arc::clone(&self.house),
            // On a socket for both families an IPv4 client has an IPv6 address.
            peer: peer.ip().to_canonical(),
            leaving: self.leaving.clone(),
        };
        let tls = self.tls.clone();
        self.connections.spawn(async move {
            connection.serve(stream, tls).await;
            drop(seat);
        });
    }

    /// Waits for all connections to end, and cuts those that have not after `drain`.
    async fn empty(&mut self, drain: Duration) -> usize {
        let ended = async { while self.connections.join_next().await.is_some() {} };
        let _ = timeout(drain, ended).await;
        let cut = self.connections.len();
        self.connections.shutdown().await;
        cut
    }
}

/// A file kept open so that there is one to give up when there are no more.
struct Reserve {
    file: Option<File>,
    told: Option<Instant>,
}

impl Reserve {
    fn new() -> Self {
        Self {
            file: spare(),
            told: None,
        }
    }

    /// Lives through a failed `accept`. Without free files the connections at the head of the queue are taken and
    /// dropped, or their clients would wait for ever.
    async fn endure(&mut self, listeners: &Listeners, error: &io::Error) {
        let starved = [Errno::MFILE, Errno::NFILE]
            .iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
        if !starved {
            // The client went away between its connection and our accept.
            tracing::debug!(%error, "a connection could not be accepted");
            return sleep(BREATH).await;
        }
        self.tell();
        self.file = None;
        let shed = async {
            for _ in 0..SHED_AT_ONCE {
                drop(listeners.accept().await);
            }
        };
        let _ = timeout(BREATH, shed).await;
        self.file = spare();
        sleep(STARVED).await;
    }

    fn tell(&mut self) {
        if self.told.is_none_or(|told| told.elapsed() > TELL_AGAIN) {
            tracing::warn!("no more files can be opened; new connections are dropped");
            self.told = Some(Instant::now());
        }
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

const BREATH: Duration = Duration::from_millis(5);
const STARVED: Duration = Duration::from_millis(100);
const TELL_AGAIN: Duration = Duration::from_secs(10);
const SHED_AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::http::fixture::{BIG, Server, frame, head, preface, say, until_closed};

    /// Deadlines short enough for a test.
    fn short() -> Limits {
        Limits {
            handshake: Duration::from_millis(300),
            first_byte: Duration::from_millis(300),
            head: Duration::from_millis(300),
            idle: Duration::from_millis(900),
            body: Duration::from_millis(1_500),
            body_grace: Duration::from_millis(300),
            write: Duration::from_millis(500),
            ..Limits::default()
        }
    }

    fn near(took: Duration, expected: u64) {
        let expected = Duration::from_millis(expected);
        let fits = took + Duration::from_millis(50) >= expected
            && took <= expected + Duration::from_millis(700);
        assert!(fits, "took {took:?}, expected {expected:?}");
    }

    async fn is_well(server: &Server) {
        for http2 in [false, true] {
            let response = server
                .client(http2)
                .get(server.url("/hello/you"))
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.text().await.unwrap(), "hello");
        }
    }

    #[tokio::test]
    async fn both_protocols_are_served_with_ids_and_protective_headers() {
        let server = Server::tls(Limits::default()).await;
        for (http2, version) in [
            (true, reqwest::Version::HTTP_2),
            (false, reqwest::Version::HTTP_11),
        ] {
            let response = server.client(http2).get(server.url("/who")).send().await;
            let response = response.unwrap();
            assert_eq!(response.version(), version);
            let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("referrer-policy"), "no-referrer");
            assert_eq!(header("cache-control"), "no-store");
            assert_eq!(header("strict-transport-security"), "max-age=31536000");
            let id = header("x-request-id");
            assert_eq!(response.text().await.unwrap(), format!("127.0.0.1 {id}"));
        }
    }

    #[tokio::test]
    async fn the_silent_are_shed_and_the_others_served() {
        let server = Server::tls(short()).await;
        let mut tcp = server.tcp().await;
        let mut http1 = server.handshake(b"http/1.1").await;
        let mut http2 = server.handshake(b"h2").await;
        let mut greeted = server.handshake(b"h2").await;
        greeted.write_all(&preface(65_535)).await.unwrap();
        is_well(&server).await;
        let ((_, a), (_, b), (_, c), (_, d)) = tokio::join!(
            until_closed(&mut tcp),
            until_closed(&mut http1),
            until_closed(&mut http2),
            until_closed(&mut greeted)
        );
        for took in [a, b, c] {
            assert!(took < Duration::from_secs(1), "took {took:?}");
        }
        // The idle deadline, and a farewell the client does not take up.
        assert!(d < Duration::from_millis(900 + 2_500), "took {d:?}");
        is_well(&server).await;
    }

    #[tokio::test]
    async fn pings_do_not_keep_an_idle_connection_open() {
        let server = Server::tls(short()).await;
        let (mut read, mut write) = tokio::io::split(server.handshake(b"h2").await);
        write.write_all(&preface(65_535)).await.unwrap();
        let pings = tokio::spawn(async move {
            while write.write_all(&frame(6, 0, 0, &[7; 8])).await.is_ok()
                && write.flush().await.is_ok()
            {
                sleep(Duration::from_millis(100)).await;
            }
        });
        let (_, took) = until_closed(&mut read).await;
        pings.abort();
        assert!(took < Duration::from_secs(4), "{took:?}");
    }

    #[tokio::test]
    async fn half_a_head_is_not_waited_for() {
        let server = Server::tls(short()).await;
        let mut stream = server.handshake(b"http/1.1").await;
        stream.write_all(b"GET /hello/you HTT").await.unwrap();
        near(until_closed(&mut stream).await.1, 300);

        let mut dribbling = server.handshake(b"http/1.1").await;
        let before = Instant::now();
        for byte in b"GET /hello/you HTTP/1.1\r\nhost: localhost\r\nx: "
            .iter()
            .cycle()
        {
            if dribbling.write_all(&[*byte]).await.is_err() || dribbling.flush().await.is_err() {
                break;
            }
            sleep(Duration::from_millis(20)).await;
            assert!(before.elapsed() < Duration::from_secs(3));
        }
        is_well(&server).await;
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_and_a_used_one_kept() {
        let server = Server::plain(short()).await;
        let mut stream = server.tcp().await;
        for _ in 0..4 {
            stream
                .write_all(b"GET /hello/you HTTP/1.1\r\nhost: localhost\r\n\r\n")
                .await
                .unwrap();
            let mut answer = [0; 1024];
            let read = stream.read(&mut answer).await.unwrap();
            assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
            sleep(Duration::from_millis(400)).await;
        }
        near(until_closed(&mut stream).await.1, 500);
    }

    #[tokio::test]
    async fn a_slow_body_is_answered_408() {
        let server = Server::tls(short()).await;
        let mut stream = server.handshake(b"http/1.1").await;
        stream
            .write_all(b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nab")
            .await
            .unwrap();
        let (answer, took) = until_closed(&mut stream).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(took < Duration::from_millis(2_500), "{took:?}");

        let mut stream = server.handshake(b"h2").await;
        let mut block = head("/echo");
        block[0] = 0x83;
        stream.write_all(&preface(65_535)).await.unwrap();
        stream.write_all(&frame(1, 4, 1, &block)).await.unwrap();
        stream.write_all(&frame(0, 0, 1, b"ab")).await.unwrap();
        let (answer, _) = until_closed(&mut stream).await;
        let words = b"the body did not arrive in time";
        assert!(answer.windows(words.len()).any(|part| part == words));
        is_well(&server).await;
    }

    #[tokio::test]
    async fn a_body_that_comes_at_its_pace_is_waited_for() {
        let limits = Limits {
            body_rate: 64,
            ..short()
        };
        let server = Server::plain(limits).await;
        let mut stream = server.tcp().await;
        stream
            .write_all(b"POST /echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 80\r\n\r\n")
            .await
            .unwrap();
        for _ in 0..8 {
            sleep(Duration::from_millis(100)).await;
            stream.write_all(b"0123456789").await.unwrap();
        }
        let (answer, _) = until_closed(&mut stream).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn an_answer_that_is_not_taken_ends_the_connection() {
        let server = Server::tls(short()).await;
        // A client that asks for much and reads nothing.
        let mut stream = server.handshake(b"http/1.1").await;
        stream
            .write_all(b"GET /big HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .unwrap();
        sleep(Duration::from_millis(1_500)).await;
        let (answer, _) = until_closed(&mut stream).await;
        assert!(answer.len() < BIG, "{}", answer.len());

        // Clients that open no window, or a very small one.
        for window in [0, 1] {
            let mut stream = server.handshake(b"h2").await;
            stream.write_all(&preface(window)).await.unwrap();
            stream
                .write_all(&frame(1, 5, 1, &head("/big")))
                .await
                .unwrap();
            let (answer, took) = until_closed(&mut stream).await;
            assert!(took < Duration::from_secs(4), "{window} {took:?}");
            assert!(answer.len() < 4_096);
        }
        is_well(&server).await;
    }

    #[tokio::test]
    async fn a_body_over_its_limit_is_answered_413_and_the_answer_arrives() {
        let server = Server::tls(Limits::default()).await;
        for http2 in [false, true] {
            let client = server.client(http2);
            let post = |path: &str, size: usize| {
                client.post(server.url(path)).body(vec![b'x'; size]).send()
            };
            for (path, size, status) in [
                ("/echo", 16 * 1024, 200),
                ("/echo", 16 * 1024 + 1, 413),
                ("/echo", 60 * 1024, 413),
                ("/echo", 1024 * 1024, 413),
                ("/security/ticket", 64 * 1024, 200),
                ("/security/ticket", 64 * 1024 + 1, 413),
                ("/security/ticket", 512 * 1024, 413),
            ] {
                for _ in 0..5 {
                    let response = post(path, size).await;
                    let response =
                        response.unwrap_or_else(|e| panic!("{http2} {path} {size} {e:?}"));
                    assert_eq!(response.status(), status, "{http2} {path} {size}");
                    assert!(!response.bytes().await.unwrap().is_empty());
                }
            }
            let get = client.get(server.url("/hello/you")).body("x");
            assert_eq!(get.send().await.unwrap().status(), 413);
        }
    }

    #[tokio::test]
    async fn a_body_without_a_length_is_counted_too() {
        let server = Server::plain(Limits::default()).await;
        let mut chunked = String::from(
            "POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        );
        for _ in 0..17 {
            chunked.push_str("400\r\n");
            chunked.push_str(&"x".repeat(1024));
            chunked.push_str("\r\n");
        }
        chunked.push_str("0\r\n\r\n");
        let answer = say(&server, &chunked).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }

    #[tokio::test]
    async fn an_answer_to_a_body_nobody_reads_is_not_lost() {
        let server = Server::tls(Limits::default()).await;
        let client = server.client(true);
        for size in [10, 10_000] {
            for _ in 0..100 {
                let response = client
                    .post(server.url("/nowhere"))
                    .body(vec![b'x'; size])
                    .send()
                    .await
                    .unwrap();
                assert_eq!(response.status(), 404);
                assert_eq!(response.text().await.unwrap(), "nothing here");
            }
        }
    }

    #[tokio::test]
    async fn requests_that_are_not_for_us_or_doubtful_are_refused() {
        let server = Server::plain(Limits::default()).await;
        for (request, status) in [
            ("GET /hello/you HTTP/1.1\r\nhost: localhost\r\n", 200),
            ("GET /hello/you HTTP/1.1\r\nhost: LOCALHOST:1\r\n", 200),
            ("GET /hello/you HTTP/1.1\r\nhost: evil.example\r\n", 421),
            ("GET /hello/you HTTP/1.1\r\n", 400),
            ("GET /hello/you HTTP/1.0\r\n", 400),
            (
                "GET /hello/you HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n",
                400,
            ),
            (
                "GET http://evil.example/ HTTP/1.1\r\nhost: localhost\r\n",
                400,
            ),
            ("CONNECT localhost:1 HTTP/1.1\r\nhost: localhost:1\r\n", 400),
            (
                "POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n",
                415,
            ),
        ] {
            let answer = say(&server, &format!("{request}connection: close\r\n\r\n")).await;
            let expected = format!(" {status} ");
            assert!(answer[8..].starts_with(&expected), "{request}\n{answer}");
        }
    }

    #[tokio::test]
    async fn a_smuggled_request_is_not_answered_and_those_before_it_are() {
        let server = Server::plain(Limits::default()).await;
        for head in [
            "content-length: 4\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
            "content-length: 4\r\ncontent-length: 4\r\n",
            "x : y\r\n",
            "x: y\r\n z\r\n",
            "x: y\n",
        ] {
            let answer = say(
                &server,
                &format!(
                    "GET /hello/you HTTP/1.1\r\nhost: localhost\r\n\r\n\
                     POST /auth/v3/echo HTTP/1.1\r\nhost: localhost\r\n{head}\r\n\
                     0\r\n\r\nGET /hello/you HTTP/1.1\r\nhost: localhost\r\n\r\n"
                ),
            )
            .await;
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{head}\n{answer}");
            let (first, second) = answer.split_at(answer.rfind("HTTP/1.1 ").unwrap());
            assert!(first.starts_with("HTTP/1.1 200"), "{head}\n{answer}");
            assert!(second.starts_with("HTTP/1.1 400"), "{head}\n{answer}");
            assert!(second.contains("connection: close"), "{head}\n{answer}");
            assert!(
                second.contains(r#""status":{"code":400"#),
                "{head}\n{answer}"
            );
        }
    }

    #[tokio::test]
    async fn a_bad_chunk_is_answered_400_and_ends_the_connection() {
        let server = Server::plain(Limits::default()).await;
        let answer = say(
            &server,
            "POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n\
             5\r\nhelloX\r\n0\r\n\r\nGET /hello/you HTTP/1.1\r\nhost: localhost\r\n\r\n",
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }

    #[tokio::test]
    async fn early_refusals_speak_the_audience_s_dialect() {
        let server = Server::tls(Limits::default()).await;
        let client = server.client(true);
        for (path, coded) in [("/security/clients", false), ("/auth/v3/oauth/token", true)] {
            let response = client
                .post(server.url(path))
                .header("content-encoding", "br")
                .body("{}")
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 415);
            assert!(response.headers().contains_key("x-request-id"));
            let body: serde_json::Value = response.json().await.unwrap();
            assert_eq!(body["error"], "invalid_request");
            assert_eq!(body.get("status").is_some(), coded, "{body}");
        }
    }

    #[tokio::test]
    async fn header_bombs_are_refused() {
        let server = Server::tls(Limits::default()).await;
        for http2 in [false, true] {
            let bombs = [
                ("one long line", 1, 9_000),
                ("long in all", 9, 2_000),
                ("far too long", 1, 40_000),
                ("many", 80, 1),
            ];
            for (what, count, size) in bombs {
                if http2 && what == "many" {
                    continue;
                }
                let mut request = server.client(http2).get(server.url("/hello/you"));
                for number in 0..count {
                    request = request.header(format!("x-{number}"), "x".repeat(size));
                }
                let response = request.send().await.unwrap();
                assert_eq!(response.status(), 431, "{http2} {what}");
            }
        }
        is_well(&server).await;
    }

    #[tokio::test]
    async fn rapid_resets_end_the_connection() {
        let server = Server::tls(Limits::default()).await;
        let (mut read, mut write) = tokio::io::split(server.handshake(b"h2").await);
        let mut bytes = preface(65_535);
        for number in 0..2_000 {
            let stream = number * 2 + 1;
            bytes.extend(frame(1, 5, stream, &head("/slow")));
            bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
        }
        let sent = tokio::spawn(async move { write.write_all(&bytes).await });
        let (answer, _) = until_closed(&mut read).await;
        // RFC 9113 §7: ENHANCE_YOUR_CALM.
        assert!(answer.ends_with(b"too_many_resets"), "{answer:?}");
        sent.abort();
        is_well(&server).await;
    }

    #[tokio::test]
    async fn a_request_under_way_is_finished_before_leaving() {
        for http2 in [false, true] {
            let server = Server::tls(Limits::default()).await;
            let client = server.client(http2);
            let idle = server.handshake(b"http/1.1").await;
            let request = tokio::spawn(client.get(server.url("/slow")).send());
            sleep(Duration::from_millis(150)).await;
            let address = server.address;
            let (ended, took) = server.stop().await;
            assert_eq!(
                request.await.unwrap().unwrap().text().await.unwrap(),
                "late"
            );
            assert_eq!(ended, Served { cut: 0 });
            assert!(took < Duration::from_millis(1_500), "{took:?}");
            assert!(TcpStream::connect(address).await.is_err());
            drop(idle);
        }
    }

    #[tokio::test]
    async fn what_does_not_end_in_time_is_cut() {
        let limits = Limits {
            body_grace: Duration::from_secs(9),
            ..Limits::default()
        };
        let server = Server::plain(limits).await;
        let mut stream = server.tcp().await;
        stream
            .write_all(b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n")
            .await
            .unwrap();
        sleep(Duration::from_millis(100)).await;
        let (ended, took) = server.stop().await;
        assert_eq!(ended, Served { cut: 1 });
        assert!(took < Duration::from_secs(3), "{took:?}");
    }

    #[tokio::test]
    async fn past_the_limit_newcomers_are_dropped() {
        let limits = Limits {
            connections: 2,
            ..Limits::default()
        };
        let server = Server::plain(limits).await;
        let mut first = server.tcp().await;
        let second = server.tcp().await;
        sleep(Duration::from_millis(50)).await;
        let mut third = server.tcp().await;
        assert!(until_closed(&mut third).await.0.is_empty());
        drop(second);
        first
            .write_all(b"GET /hello/you HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        assert!(
            until_closed(&mut first)
                .await
                .0
                .starts_with(b"HTTP/1.1 200")
        );
        let answer = say(
            &server,
            "GET /hello/you HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn without_free_files_newcomers_are_dropped_and_those_inside_served() {
        if std::env::var_os("NEXTEST").is_none() {
            // The limit is the whole process's; only nextest gives each test its own.
            return;
        }
        let server = Server::plain(Limits::default()).await;
        let mut inside = server.tcp().await;
        sleep(Duration::from_millis(50)).await;
        let clients: Vec<_> = (0..5)
            .map(|_| tokio::net::TcpSocket::new_v4().unwrap())
            .collect();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let set = |current| {
            let limit = rustix::process::Rlimit { current, ..limit };
            rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
        };
        set(Some(64));
        let hoard: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let mut shed = Vec::new();
        for client in clients {
            let mut client = client.connect(server.address).await.unwrap();
            assert!(until_closed(&mut client).await.0.is_empty());
            // Its file must not become the next one's.
            shed.push(client);
        }
        inside
            .write_all(b"GET /hello/you HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        assert!(
            until_closed(&mut inside)
                .await
                .0
                .starts_with(b"HTTP/1.1 200")
        );
        set(limit.current);
        drop(hoard);
        sleep(STARVED).await;
        let again = "GET /hello/you HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        assert!(say(&server, again).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn the_log_names_routes_and_never_paths() {
        let (log, guard) = Log::of_everything();
        let server = Server::plain(Limits::default()).await;
        let head = "HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer canary\r\nconnection: close\r\n\r\n";
        say(&server, &format!("GET /hello/canary?canary=1 {head}")).await;
        say(&server, &format!("CANARY /canary {head}")).await;
        server.stop().await;
        drop(guard);
        let lines = log.lines();
        let line = |route: &str| lines.iter().find(|line| line.contains(route)).unwrap();
        for part in [
            "INFO",
            "peer=127.0.0.1",
            "method=\"GET\"",
            "status=200",
            "bytes=5",
            "request=",
            "ms=",
        ] {
            assert!(
                line("route=\"/hello/{who}\"").contains(part),
                "{part} {lines:?}"
            );
        }
        assert!(line("route=\"-\"").contains("method=\"-\""));
        for line in &lines {
            assert!(!line.to_ascii_lowercase().contains("canary"), "{line}");
        }
    }

    #[tokio::test]
    async fn whoever_leaves_before_the_answer_is_logged_with_the_route_that_took_so_long() {
        let (log, guard) = Log::of_everything();
        let server = Server::plain(Limits::default()).await;
        let mut impatient = server.tcp().await;
        impatient
            .write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .unwrap();
        // It has arrived once another request has been answered.
        let other = "GET /hello/you HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        say(&server, other).await;
        drop(impatient);
        let left = || {
            log.lines()
                .into_iter()
                .find(|line| line.contains("status=499"))
        };
        let line = timeout(Duration::from_secs(5), async {
            loop {
                if let Some(line) = left() {
                    return line;
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        let line = line.await.unwrap();
        assert!(line.contains("route=\"/slow\""), "{line}");
        server.stop().await;
        drop(guard);
    }

    /// What was logged, for a test to read.
    #[derive(Clone, Default)]
    struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

    impl Log {
        /// All that is told on this thread until the guard goes, through the filter an operator has.
        fn of_everything() -> (Self, tracing::subscriber::DefaultGuard) {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish();
            let filter = format!("trace,{}", crate::http::TALKATIVE);
            let filter: tracing_subscriber::filter::Targets = filter.parse().unwrap();
            let subscriber = tracing_subscriber::layer::SubscriberExt::with(subscriber, filter);
            (log, tracing::subscriber::set_default(subscriber))
        }

        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(String::from).collect()
        }
    }

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
