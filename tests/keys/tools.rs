//! What we make and what we took in, in the hands of `ssh-keygen`, OpenSSL, paramiko and a real `sshd` (security.md S7).

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use admit::domain::access::Role;
use serde_json::{Value, json};

use super::{Bench, USUAL};
use crate::clients::python;
use crate::support::client::Client;
use crate::support::server::Server;

/// A pair as the server shows it to a service.
async fn shown(client: &Client, bearer: &str, body: &Value) -> Value {
    let made = client.post("/security/keys").bearer(bearer).json(body);
    let made = made.send().await.ok().json();
    let path = format!("/security/keys/{}", made["id"].as_str().unwrap());
    let shown = client.get(&path).bearer(bearer).send().await.ok().json();
    assert_eq!(shown["publicKey"], made["publicKey"]);
    shown
}

fn text<'v>(key: &'v Value, member: &str) -> &'v str {
    key[member].as_str().unwrap()
}

async fn set_up() -> (Server, Client, String) {
    let server = Server::start().await;
    let client = Client::of(&server);
    let service = server.register(&server.organization(), &[Role::Service]);
    let bearer = client.bearer(&service).await;
    (server, client, bearer)
}

/// A pair that is made, and one that is brought in in each of the three forms.
async fn every_pair(client: &Client, bearer: &str, bench: &Bench) -> Vec<(&'static str, Value)> {
    let [openssh, public] = bench.keygen("elsewhere", &USUAL);
    let [pkcs1, pkcs8] = bench.converted("elsewhere");
    let forms = [
        ("OpenSSH", openssh, "OPENSSH PRIVATE KEY"),
        ("PKCS#1", pkcs1, "RSA PRIVATE KEY"),
        ("PKCS#8", pkcs8, "PRIVATE KEY"),
    ];
    let body = json!({"type": "SSH_RSA", "comment": "made here"});
    let mut pairs = vec![("made", shown(client, bearer, &body).await)];
    for (form, private, label) in forms {
        assert!(private.starts_with(&format!("-----BEGIN {label}-----\n")));
        let body = json!({"type": "SSH_RSA", "privateKey": private, "comment": "made elsewhere"});
        let key = shown(client, bearer, &body).await;
        assert_eq!(text(&key, "publicKey"), public.trim_end(), "{form}");
        pairs.push((form, key));
    }
    pairs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_every_tool_reads_what_is_made_and_what_is_brought_in() {
    let (_server, client, bearer) = set_up().await;
    let bench = Bench::new();
    for (form, key) in every_pair(&client, &bearer, &bench).await {
        let (private, public) = (text(&key, "privateKey"), text(&key, "publicKey"));
        let bits = key["keySize"].to_string();
        assert_eq!(bits, if form == "made" { "4096" } else { "2048" });
        assert!(
            private.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"),
            "{form}"
        );
        bench.write("key", private);
        bench.write("key.line", &format!("{public}\n"));
        let halves = public
            .split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ");

        let derived = bench.run(&["ssh-keygen", "-y", "-f", "key"]);
        assert_eq!(derived.trim_end(), halves, "{form}");
        let of_private = fingerprint(&bench, "key");
        let of_public = fingerprint(&bench, "key.line");
        assert_eq!(of_private, of_public, "{form}");
        assert_eq!(of_public[0], bits, "{form}");

        let checked = bench.run(&["openssl", "rsa", "-check", "-noout", "-in", "key"]);
        assert_eq!(checked, "RSA key ok\n", "{form}");
        let convert = [
            "openssl", "pkcs8", "-topk8", "-nocrypt", "-in", "key", "-out", "p8",
        ];
        bench.run(&convert);
        assert!(
            bench
                .read("p8")
                .starts_with("-----BEGIN PRIVATE KEY-----\n"),
            "{form}"
        );
        let check = ["openssl", "pkey", "-check", "-noout", "-in", "p8"];
        assert_eq!(bench.run(&check), "Key is valid\n", "{form}");

        let script = "import paramiko, sys; print(paramiko.RSAKey.from_private_key(open(sys.argv[1])).get_base64())";
        let python = python();
        let read = bench.run(&[python.to_str().unwrap(), "-c", script, "key"]);
        assert_eq!(format!("ssh-rsa {}", read.trim_end()), halves, "{form}");
    }
}

/// Size and digest, as `ssh-keygen -l` shows them.
fn fingerprint(bench: &Bench, name: &str) -> [String; 2] {
    let shown = bench.run(&["ssh-keygen", "-l", "-f", name]);
    let mut words = shown.split_whitespace().map(str::to_owned);
    [words.next().unwrap(), words.next().unwrap()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_a_real_sshd_lets_in_whoever_has_the_pair_and_nobody_else() {
    let (_server, client, bearer) = set_up().await;
    let bench = Bench::new();
    let pairs = every_pair(&client, &bearer, &bench).await;
    bench.keygen("stranger", &USUAL);
    for (form, key) in pairs {
        bench.write("key", text(&key, "privateKey"));
        let sshd = Sshd::start(&bench, text(&key, "publicKey"));
        let entered = sshd.enter(&bench, "key");
        assert!(entered.status.success(), "{form}: {entered:?}");
        assert_eq!(entered.stdout, b"inside\n", "{form}");
        if form == "made" {
            // Once is enough: sshd lets those it refuses wait.
            sshd.refuses(&bench, "stranger");
        }
    }
}

/// A server that lets in whoever holds the key of one line, and ends with its owner.
struct Sshd {
    process: Child,
    address: SocketAddr,
}

impl Sshd {
    fn start(bench: &Bench, line: &str) -> Self {
        if whoami(bench) == "root" {
            // Where it puts the half of itself that faces the network.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        if !bench.path("host").exists() {
            bench.run(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "host"]);
        }
        bench.write("authorized_keys", &format!("{line}\n"));
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(started) = Self::try_start(bench) {
                return started;
            }
            assert!(Instant::now() < until, "sshd: {}", bench.read("sshd.log"));
        }
    }

    /// Nothing if it ended, as it does when somebody else was given the port meanwhile.
    fn try_start(bench: &Bench) -> Option<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let of = |name: &str| bench.path(name).display().to_string();
        let settings = format!(
            "ListenAddress 127.0.0.1:{}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n",
            address.port(),
            of("host"),
            of("authorized_keys"),
        );
        bench.write("sshd.conf", &settings);
        let process = Command::new("/usr/sbin/sshd")
            .args(["-D", "-f", &of("sshd.conf"), "-E", &of("sshd.log")])
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("sshd: {error}; tests/run installs it"));
        let mut sshd = Self { process, address };
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if sshd.process.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(address).is_ok() {
                return Some(sshd);
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }

    fn refuses(&self, bench: &Bench, key: &str) {
        let refused = self.enter(bench, key);
        assert_eq!(refused.status.code(), Some(255), "{refused:?}");
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(words.contains("Permission denied"), "{words}");
    }

    /// Logs in with this key and nothing else.
    fn enter(&self, bench: &Bench, key: &str) -> Output {
        let port = self.address.port().to_string();
        let options = [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ];
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-p", &port, "-i"]);
        command.arg(bench.path(key));
        for option in options {
            command.args(["-o", option]);
        }
        command.args(["-l", &whoami(bench), "127.0.0.1", "echo", "inside"]);
        let ran: io::Result<Output> = command.stdin(Stdio::null()).output();
        ran.unwrap_or_else(|error| panic!("ssh: {error}; tests/run installs it"))
    }
}

/// Without privileges it lets in only whoever started it.
fn whoami(bench: &Bench) -> String {
    bench.run(&["id", "-un"]).trim_end().to_owned()
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
