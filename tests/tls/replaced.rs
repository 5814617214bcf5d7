//! An operator's certificate is replaced while the server is under load: nobody notices but new connections.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use admit::crypto::authority::Authority;
use admit::kernel::{Clock as _, SystemClock};
use reqwest::Client;
use reqwest::tls::TlsInfo;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::process::{Launch, Process};

/// An operator's authority, and the files a server reads its certificate from.
struct Operator {
    folder: TempDir,
    authority: Authority,
}

impl Operator {
    fn new() -> Self {
        let authority = Authority::create("An operator", SystemClock.now()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let operator = Self { folder, authority };
        operator.replaces();
        operator
    }

    fn chain(&self) -> PathBuf {
        self.folder.path().join("chain.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Puts a new pair in the old one's place, as tools that renew certificates do.
    fn replaces(&self) {
        let names = ["localhost".to_owned()];
        let leaf = self.authority.issue(&names, SystemClock.now()).unwrap();
        put(&self.chain(), &leaf.cert_pem);
        put(&self.key(), leaf.key_pem.expose());
    }

    fn serves(&self) -> Process {
        let data = self.folder.path().join("data");
        Launch::on(&data)
            .with("ADMIT_LOG_LEVEL", "info")
            .with("ADMIT_TLS_CERTIFICATE", self.chain().to_str().unwrap())
            .with("ADMIT_TLS_KEY", self.key().to_str().unwrap())
            .start()
    }

    /// A client with no connection yet.
    fn client(&self) -> Client {
        let root = reqwest::Certificate::from_pem(self.authority.cert_pem().as_bytes());
        Client::builder()
            .tls_certs_only([root.unwrap()])
            .tls_info(true)
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap()
    }
}

fn put(path: &Path, text: &str) {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, text).unwrap();
    fs::rename(&fresh, path).unwrap();
}

const PATIENCE: Duration = Duration::from_secs(20);
const SWAPS: u32 = 20;
/// So many are left for the server to find out by itself, which takes seconds each.
const UNTOLD: u32 = 4;

/// The certificate a request's connection was given.
async fn given(client: &Client, process: &Process) -> Vec<u8> {
    let answer = client.get(process.url("/security/ping")).send().await;
    let answer = answer.unwrap();
    let info = answer.extensions().get::<TlsInfo>().unwrap();
    info.peer_certificate().unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_a_certificate_is_replaced_twenty_times_under_load_and_no_request_fails() {
    let operator = Operator::new();
    let process = operator.serves();
    let url = Arc::new(process.url("/.well-known/jwks.json"));
    let over = Arc::new(AtomicBool::new(false));
    let (kept, fresh) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut load = JoinSet::new();
    for at in 0..8 {
        let (over, url) = (Arc::clone(&over), Arc::clone(&url));
        let is_fresh = at % 2 == 0;
        let count = Arc::clone(if is_fresh { &fresh } else { &kept });
        let mut client = operator.client();
        let root = operator.authority.cert_pem().to_owned();
        load.spawn(async move {
            let mut failures = Vec::new();
            while !over.load(Ordering::SeqCst) {
                if is_fresh {
                    let root = reqwest::Certificate::from_pem(root.as_bytes()).unwrap();
                    let new = Client::builder().tls_certs_only([root]).no_proxy();
                    client = new.timeout(PATIENCE).build().unwrap();
                }
                match client.get(url.as_str()).send().await {
                    Ok(answer) if answer.status() == 200 => {
                        let _ = answer
                            .bytes()
                            .await
                            .map_err(|e| failures.push(format!("{e:?}")));
                    }
                    other => failures.push(format!("{other:?}")),
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
            failures
        });
    }
    let old = operator.client();
    let first = given(&old, &process).await;
    let mut seen = vec![first.clone()];
    for swap in 0..SWAPS {
        operator.replaces();
        if swap >= UNTOLD {
            process.signal(Signal::HUP);
        }
        let begun = Instant::now();
        loop {
            let now = given(&operator.client(), &process).await;
            if !seen.contains(&now) {
                seen.push(now);
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{}", process.log());
        }
    }
    // The connection that was there before all of them still serves.
    assert_eq!(given(&old, &process).await, first);
    over.store(true, Ordering::SeqCst);
    let failures: Vec<String> = load.join_all().await.concat();
    let (kept, fresh) = (kept.load(Ordering::SeqCst), fresh.load(Ordering::SeqCst));
    println!(
        "{SWAPS} certificates, {kept} requests on kept connections and {fresh} on new ones, {} failed",
        failures.len()
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert!(kept > 100 && fresh > 100, "{kept} {fresh}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_does_not_fit_is_told_of_once_and_the_one_in_use_stays() {
    let operator = Operator::new();
    let process = operator.serves();
    let first = given(&operator.client(), &process).await;
    let other = Operator::new();
    fs::copy(other.key(), operator.key()).unwrap();
    process.signal(Signal::HUP);
    until(&process, "the certificate in use stays");
    assert_eq!(given(&operator.client(), &process).await, first);
    let said = |process: &Process| process.log().matches("in use stays").count();
    assert_eq!(said(&process), 1, "{}", process.log());

    // Not told, it looks by itself.
    operator.replaces();
    until(&process, "new connections are given another certificate");
    assert_ne!(given(&operator.client(), &process).await, first);
    assert_eq!(said(&process), 1, "{}", process.log());
}

fn until(process: &Process, words: &str) {
    let begun = Instant::now();
    while !process.log().contains(words) {
        assert!(begun.elapsed() < PATIENCE, "{}", process.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_certificate_near_its_end_is_told_of_at_the_start() {
    let operator = Operator::new();
    let past = SystemClock.now().before(Duration::from_hours(70 * 24));
    let authority = Authority::create("An operator", past).unwrap();
    let leaf = authority.issue(&["localhost".to_owned()], past).unwrap();
    put(&operator.chain(), &leaf.cert_pem);
    put(&operator.key(), leaf.key_pem.expose());
    let process = operator.serves();
    until(&process, "the certificate ends ");
    until(&process, "put a new one and its key in the files' place");
}
