//! Clients that open connections and say nothing, or say it slowly: they are shed on time, and the others served.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::support::line::{Site, bare, bearer, handshake, trusting};
use crate::support::process::Launch;

const EACH: usize = 2_000;
/// What a shed connection may take beyond its deadline on a machine where this many are served by two cores.
const MARGIN: Duration = Duration::from_secs(7);

/// A way to be slow, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slow {
    /// Connects and says nothing: the handshake's five seconds.
    SilentTcp,
    /// Greets, agrees on HTTP/1.1 and says nothing: five seconds to the first byte.
    SilentHttp1,
    /// The same with HTTP/2.
    SilentHttp2,
    /// Half a head: five seconds.
    HalfHead,
    /// Half a body: its rate counts after two seconds; with what is read of it after the refusal, ten.
    HalfBody,
}

const WAYS: [Slow; 5] = [
    Slow::SilentTcp,
    Slow::SilentHttp1,
    Slow::SilentHttp2,
    Slow::HalfHead,
    Slow::HalfBody,
];

impl Slow {
    fn deadline(self) -> Duration {
        Duration::from_secs(if self == Self::HalfBody { 10 } else { 5 })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_2000_connections_of_each_slow_kind_are_shed_on_time_and_good_requests_go_on() {
    let most = raise_open_files();
    let each = EACH.min((most - 500) / WAYS.len());
    let data = tempfile::tempdir().unwrap();
    let process = Launch::on(data.path()).start();
    let before = (process.resident(), process.open_files());
    let good = Good::begin(Site::new(process.address(), data.path())).await;
    let flood = Flood::new(process.address(), data.path());
    let mut held = Vec::new();
    for _ in 0..each {
        held.extend(WAYS.map(|way| (way, flood.hold(way))));
    }
    let (mut at_most, mut most_used) = (0, 0);
    let watched = async {
        loop {
            at_most = at_most.max(process.open_files());
            most_used = most_used.max(process.resident());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let ended = async {
        let mut worst = WAYS.map(|way| (way, Duration::ZERO));
        for (way, held) in held {
            let took = held
                .await
                .unwrap()
                .unwrap_or_else(|error| panic!("{way:?}: {error}"));
            let (_, worst) = worst.iter_mut().find(|(of, _)| *of == way).unwrap();
            *worst = took.max(*worst);
        }
        worst
    };
    let worst = tokio::select! {
        worst = ended => worst,
        () = watched => unreachable!(),
    };
    let (mut times, errors) = good.end().await;
    times.sort();
    println!(
        "{each} of each kind, {} open at most, RSS {} MiB before and {} at most; shed after at most {worst:.1?}; \
         {} good requests, {} errors, p50 {:.1?}, p99 {:.1?}, slowest {:.1?}",
        at_most - before.1,
        before.0 >> 20,
        most_used >> 20,
        times.len(),
        errors.len(),
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1],
    );
    assert!(errors.is_empty(), "{errors:?}");
    assert!(times.len() > 200);
    for (way, took) in worst {
        assert!(
            took < way.deadline() + MARGIN,
            "{way:?} was held for {took:?}"
        );
    }
    assert!(at_most - before.1 > each, "they were not open at once");
    assert!(most_used - before.0 < 400 << 20, "{most_used}");
    let until = Instant::now() + Duration::from_secs(10);
    while process.open_files() > before.1 + 20 {
        assert!(
            Instant::now() < until,
            "{} files stay open",
            process.open_files()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_a_process_without_free_descriptors_does_not_spin_and_answers_again_after_the_flood()
{
    let data = tempfile::tempdir().unwrap();
    let few = ["prlimit", "--nofile=64:64"];
    let process = Launch::on(data.path()).under(&few).start();
    let site = Site::new(process.address(), data.path());
    let token = site.token().await.unwrap();
    let mut flood = Vec::new();
    let until = Instant::now() + Duration::from_secs(4);
    let (mut opened, used_before, began) = (0, process.processor_time(), Instant::now());
    while Instant::now() < until {
        // More than it can have, and new ones for those it drops.
        flood.retain(|stream: &TcpStream| stream.try_read(&mut [0; 8]).is_err());
        while flood.len() < 200 {
            flood.push(TcpStream::connect(process.address()).await.unwrap());
            opened += 1;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let used = process.processor_time().saturating_sub(used_before);
    let used = used.as_secs_f64() / began.elapsed().as_secs_f64();
    let open = process.open_files();
    drop(flood);
    let over = Instant::now();
    let answered = loop {
        let asked = async {
            let mut line = site.line().await?;
            line.ask(&bare("GET", "/auth/v3/userinfo", &bearer(&token)))
                .await
        };
        match tokio::time::timeout(Duration::from_millis(500), asked).await {
            Ok(Ok(answer)) if answer.status == 200 => break over.elapsed(),
            _ => assert!(
                over.elapsed() < Duration::from_secs(10),
                "it does not answer any more"
            ),
        }
    };
    println!(
        "64 descriptors, {opened} connections in the flood, {open} files open: {:.0} % of a core; answered {answered:.1?} after it",
        used * 100.0
    );
    assert!(used < 0.5, "{used}");
    assert!(answered < Duration::from_secs(2), "{answered:?}");
}

struct Flood {
    address: SocketAddr,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    // A client has no more handshakes under way than it can end in time itself.
    handshakes: Arc<Semaphore>,
}

impl Flood {
    fn new(address: SocketAddr, data: &Path) -> Self {
        Self {
            address,
            http1: trusting(data, &[b"http/1.1"]),
            http2: trusting(data, &[b"h2"]),
            handshakes: Arc::new(Semaphore::new(64)),
        }
    }

    /// Opens a connection and holds it in this way; how long, from its last byte.
    fn hold(&self, way: Slow) -> JoinHandle<io::Result<Duration>> {
        let address = self.address;
        let tls = Arc::clone(if way == Slow::SilentHttp2 {
            &self.http2
        } else {
            &self.http1
        });
        let handshakes = Arc::clone(&self.handshakes);
        tokio::spawn(async move {
            let turn = handshakes.acquire().await.unwrap();
            if way == Slow::SilentTcp {
                let stream = TcpStream::connect(address).await?;
                drop(turn);
                return Ok(until_closed(stream).await);
            }
            let mut stream = handshake(address, &tls).await?;
            drop(turn);
            match way {
                Slow::SilentTcp | Slow::SilentHttp1 | Slow::SilentHttp2 => {}
                Slow::HalfHead => stream.write_all(b"GET /security/ticket/x HTT").await?,
                Slow::HalfBody => stream.write_all(HALF_BODY).await?,
            }
            stream.flush().await?;
            Ok(until_closed(stream).await)
        })
    }
}

const HALF_BODY: &[u8] = b"POST /security/oauth/token HTTP/1.1\r\nhost: localhost\r\n\
    content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\ngrant_type=";

async fn until_closed(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Duration {
    let began = Instant::now();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    began.elapsed()
}

/// A client that behaves, one request after another on two connections of its own.
struct Good {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<(Vec<Duration>, Vec<String>)>>,
}

impl Good {
    async fn begin(site: Site) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let token = site.token().await.unwrap();
        let clients = (0..2).map(|_| {
            let (site, token, stop) = (site.clone(), token.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let request = bare("GET", "/auth/v3/userinfo", &bearer(&token));
                let (mut times, mut errors) = (Vec::new(), Vec::new());
                let mut line = site.line().await.unwrap();
                while !stop.load(Ordering::SeqCst) {
                    // A new connection now and then: one that is in already must not be all that works.
                    if times.len() % 50 == 49 {
                        line = site.line().await.unwrap();
                    }
                    let asked = Instant::now();
                    match line.ask(&request).await {
                        Ok(answer) if answer.status == 200 => times.push(asked.elapsed()),
                        Ok(answer) => errors.push(format!("{answer:?}")),
                        Err(error) => {
                            errors.push(error.to_string());
                            line = site.line().await.unwrap();
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                (times, errors)
            })
        });
        Self {
            clients: clients.collect(),
            stop,
        }
    }

    async fn end(self) -> (Vec<Duration>, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        let (mut times, mut errors) = (Vec::new(), Vec::new());
        for client in self.clients {
            let (mut took, mut failed) = client.await.unwrap();
            times.append(&mut took);
            errors.append(&mut failed);
        }
        (times, errors)
    }
}

/// Raises this process's limit of open files as far as it may, and says how far that is.
fn raise_open_files() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    maximum.map_or(usize::MAX, |files| usize::try_from(files).unwrap())
}
