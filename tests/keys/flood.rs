//! Many requests for pairs at once (security.md S8): the token endpoint keeps its pace, the excess is turned away, and
//! what was answered is good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use super::{Bench, asking, service, token_of};
use crate::support::line::{Answer, JSON, Line, Site, bare, bearer, post};
use crate::support::process::Launch;

const REQUESTS: usize = 200;
/// One that is made and eight that wait for it.
const TAKEN: usize = 9;
const ROUNDS: usize = 3;
/// Less than this is what a machine with two cores and other things to do differs by from one round to the next.
const FLOOR: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_s8_200_simultaneous_requests_for_keys_leave_the_token_endpoint_its_pace() {
    let data = tempfile::tempdir().unwrap();
    let process = Launch::on(data.path()).start();
    let site = Site::new(process.address(), data.path());
    let client = service(&process, data.path());
    let token = token_of(&site, &client).await;
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    let mut made = Vec::new();
    for round in 0..ROUNDS {
        let lines = lines(&site).await;
        let calm = Tokens::begin(&site, &client).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        quiet.push(calm.end().await);
        let tokens = Tokens::begin(&site, &client).await;
        let began = Instant::now();
        let answers = all_at_once(lines, &token).await;
        let took = began.elapsed();
        busy.push(tokens.end().await);
        let (good, excess): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 200);
        println!(
            "round {round}: {} keys in {took:.1?}, {} turned away; p99 of a token {:.1?} quiet, {:.1?} meanwhile",
            good.len(),
            excess.len(),
            quiet[round],
            busy[round],
        );
        assert!((TAKEN..=2 * TAKEN).contains(&good.len()), "{}", good.len());
        for answer in &excess {
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(answer.header("retry-after", ""), "1");
        }
        made.extend(good.iter().map(|answer| answer.text("id")));
    }
    let (quiet, busy) = (middle(quiet), middle(busy));
    assert!(
        busy <= 2 * quiet.max(FLOOR / 2),
        "{quiet:?} quiet, {busy:?} meanwhile"
    );
    judge(&site, &token, &made).await;
    let log = process.log();
    assert!(
        !log.contains("PRIVATE KEY") && !log.contains("ERROR"),
        "{log}"
    );
}

/// Every key that was answered is there and good.
async fn judge(site: &Site, token: &str, made: &[String]) {
    let bench = Bench::new();
    let mut line = site.line().await.unwrap();
    for id in made {
        let path = format!("/security/keys/{id}");
        let seen = line.ask(&bare("GET", &path, &bearer(token))).await.unwrap();
        bench.write("key", &seen.text("privateKey"));
        let derived = bench.run(&["ssh-keygen", "-y", "-f", "key"]);
        assert_eq!(derived.trim_end(), seen.text("publicKey"));
        let checked = bench.run(&["openssl", "rsa", "-check", "-noout", "-in", "key"]);
        assert_eq!(checked, "RSA key ok\n");
    }
}

/// Open connections: handshakes are no part of what is measured.
async fn lines(site: &Site) -> Vec<Line> {
    let mut lines = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        lines.push(site.line().await.unwrap());
    }
    lines
}

async fn all_at_once(lines: Vec<Line>, token: &str) -> Vec<Answer> {
    let request = post(
        "/security/keys",
        &bearer(token),
        JSON,
        r#"{"type":"SSH_RSA"}"#,
    );
    let start = Arc::new(Barrier::new(lines.len()));
    let asked = lines.into_iter().map(|mut line| {
        let (request, start) = (request.clone(), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            line.ask(&request).await.unwrap()
        })
    });
    let mut answers = Vec::with_capacity(REQUESTS);
    for asked in asked.collect::<Vec<_>>() {
        answers.push(asked.await.unwrap());
    }
    answers
}

/// A client that asks for one token after another.
struct Tokens {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<Vec<Duration>>,
}

impl Tokens {
    async fn begin(site: &Site, client: &[String; 2]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, request) = (Arc::clone(&stop), asking(client));
        let mut line = site.line().await.unwrap();
        let asking = tokio::spawn(async move {
            let mut times = Vec::new();
            while !stopped.load(Ordering::SeqCst) {
                let asked = Instant::now();
                let answer = line.ask(&request).await.unwrap();
                times.push(asked.elapsed());
                assert_eq!(answer.status, 200, "{answer:?}");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            times
        });
        Self { stop, asking }
    }

    /// The time that one in a hundred took longer than.
    async fn end(self) -> Duration {
        self.stop.store(true, Ordering::SeqCst);
        let mut times = self.asking.await.unwrap();
        times.sort();
        assert!(times.len() > 200, "{} tokens", times.len());
        times[times.len() * 99 / 100]
    }
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
