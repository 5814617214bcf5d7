//! What systemd hears from the real binary, and the sockets it passes: its protocols with a test in systemd's place.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::process::{Launch, Process};

/// systemd's end of `NOTIFY_SOCKET`.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    fn launch(&self) -> Launch {
        let notify = self.folder.path().join("notify");
        Launch::on(&self.data()).with("NOTIFY_SOCKET", notify.to_str().unwrap())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The next message, its lines.
    fn hears(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("nothing was said");
        let text = str::from_utf8(&message[..length]).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Whatever was said and not heard yet is forgotten.
    fn forgets(&self) {
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.recv(&mut [0; 4096]).is_ok() {}
        self.socket.set_nonblocking(false).unwrap();
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn readiness_reloads_and_leaving_are_told_in_that_order() {
    let manager = Manager::new();
    let mut process = manager.launch().with("ADMIT_LOG_LEVEL", "info").start();
    let ready = manager.hears();
    assert_eq!(ready[0], "READY=1", "{ready:?}");
    let status = format!("on {}", process.address());
    assert!(ready[1].starts_with("STATUS=serving https://"), "{ready:?}");
    assert!(ready[1].ends_with(&status), "{ready:?}");

    process.signal(Signal::HUP);
    let reloading = manager.hears();
    assert_eq!(reloading[0], "RELOADING=1", "{reloading:?}");
    let instant = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap();
    assert!(instant.parse::<u64>().unwrap() > 0, "{reloading:?}");
    assert_eq!(manager.hears(), ["READY=1"]);

    let ended = process.terminate();
    assert_eq!(manager.hears()[0], "STOPPING=1");
    assert_eq!(ended.status.code(), Some(0), "{}", process.log());
}

#[test]
fn a_start_that_fails_says_why_and_never_that_it_is_ready() {
    let manager = Manager::new();
    fs::create_dir(manager.data()).unwrap();
    let key = manager.data().join("master.key");
    fs::write(&key, "not a key").unwrap();
    Command::new("chmod").arg("600").arg(&key).status().unwrap();
    let mut process = manager.launch().spawn();
    let ended = process.await_end(PATIENCE).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", process.log());
    let said = manager.hears();
    assert!(said[0].starts_with("STATUS="), "{said:?}");
    assert!(said[0].contains("master.key"), "{said:?}");
}

#[test]
fn the_watchdog_hears_of_life_twice_in_its_span_and_nothing_from_a_process_that_stands_still() {
    let manager = Manager::new();
    let process = manager.launch().with("WATCHDOG_USEC", "400000").start();
    assert_eq!(manager.hears()[0], "READY=1");
    let begun = Instant::now();
    for _ in 0..6 {
        assert_eq!(manager.hears(), ["WATCHDOG=1"]);
    }
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(800), "{took:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");

    process.signal(Signal::STOP);
    // What it had said before it was stopped.
    while !stands_still(&process) {}
    manager.forgets();
    let silence = Duration::from_secs(1);
    manager.socket.set_read_timeout(Some(silence)).unwrap();
    assert!(manager.socket.recv(&mut [0; 64]).is_err());
    process.signal(Signal::CONT);
    assert_eq!(manager.hears(), ["WATCHDOG=1"]);
}

fn stands_still(process: &Process) -> bool {
    let pid = process.pid().as_raw_nonzero();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    after_name.starts_with('T')
}

#[test]
fn a_watchdog_of_another_process_hears_nothing() {
    let manager = Manager::new();
    let launch = manager.launch().with("WATCHDOG_USEC", "100000");
    let mut process = launch.with("WATCHDOG_PID", "1").start();
    assert_eq!(manager.hears()[0], "READY=1");
    assert!(all_answer(&process, &[process.address()]));
    process.terminate();
    assert_eq!(manager.hears()[0], "STOPPING=1");
}

#[test]
fn a_notify_socket_nobody_listens_at_is_told_of_and_does_not_stop_it() {
    let data = tempfile::tempdir().unwrap();
    let nowhere = data.path().join("nowhere");
    let launch = Launch::on(&data.path().join("data"));
    let process = launch
        .with("NOTIFY_SOCKET", nowhere.to_str().unwrap())
        .start();
    assert!(all_answer(&process, &[process.address()]));
    assert!(process.log().contains("NOTIFY_SOCKET"), "{}", process.log());
}

#[test]
fn it_serves_at_every_socket_it_is_passed_and_opens_none() {
    let folder = tempfile::tempdir().unwrap();
    let process = passed(folder.path(), "listen(), listen()").start();
    let addresses = listens_at(&process);
    assert_eq!(addresses.len(), 2, "{}", process.log());
    assert_eq!(addresses[0], process.address());
    assert!(all_answer(&process, &addresses));
    let listening = listening_sockets(&process);
    assert_eq!(listening, 2, "{}", process.log());
}

#[test]
fn connections_made_before_it_was_there_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let process = passed(folder.path(), "waiting()").start();
    let mut log = process.log();
    let until = Instant::now() + PATIENCE;
    while !log.contains("HEARD") && Instant::now() < until {
        log = process.log();
    }
    // A TLS alert: what was sent was no handshake.
    assert!(log.contains("HEARD 15"), "{log}");
}

#[test]
fn a_socket_that_cannot_be_served_is_refused_in_words() {
    for (socket, why) in [
        ("unix()", "not a valid tcp socket"),
        ("bound()", "it does not listen"),
        ("datagram()", "not a valid tcp socket"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut process = passed(folder.path(), socket).spawn();
        let ended = process.await_end(PATIENCE).unwrap();
        let log = process.log();
        assert_eq!(ended.status.code(), Some(2), "{log}");
        assert!(log.contains("admit: socket 1 of those passed"), "{log}");
        assert!(log.contains(why), "{log}");
    }
}

/// Through a program that opens sockets, passes them and becomes what was launched, as systemd does it.
fn passed(folder: &Path, sockets: &str) -> Launch {
    let script = format!("{PASSER}\npassed([{sockets}])");
    Launch::on(&folder.join("data")).under(&["python3", "-c", &script])
}

const PASSER: &str = r#"
import os, socket, sys

def bound():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s

def listen():
    s = bound()
    s.listen(64)
    return s

def waiting():
    s = listen()
    client = socket.create_connection(s.getsockname())
    client.sendall(b"this is no handshake\r\n\r\n")
    if os.fork() == 0:
        s.close()
        print("HEARD %x" % client.recv(1)[0], flush=True)
        os._exit(0)
    return s

def unix():
    s = socket.socket(socket.AF_UNIX)
    s.bind("")
    s.listen()
    return s

def datagram():
    return socket.socket(type=socket.SOCK_DGRAM)

def passed(sockets):
    moved = [os.dup(s.fileno()) for s in sockets]
    moved = [os.dup2(fd, 100 + n) for n, fd in enumerate(moved)]
    for n, fd in enumerate(moved):
        os.dup2(fd, 3 + n, inheritable=True)
    os.environ["LISTEN_FDS"] = str(len(moved))
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execv(sys.argv[1], sys.argv[1:])
"#;

/// The addresses in the line that says it is ready.
fn listens_at(process: &Process) -> Vec<SocketAddr> {
    let log = process.log();
    let line = log.lines().find(|line| line.contains(" is ready on "));
    let (_, said) = line.unwrap().split_once(" is ready on ").unwrap();
    let (said, _) = said.split_once(", as ").unwrap();
    said.split(", ").map(|part| part.parse().unwrap()).collect()
}

/// Asks at each address in turn; whether all of them answer.
fn all_answer(process: &Process, addresses: &[SocketAddr]) -> bool {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = process.client();
    runtime.block_on(async {
        for address in addresses {
            assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
            let url = format!("https://localhost:{}/security/ping", address.port());
            if client.get(url).send().await.is_err() {
                return false;
            }
        }
        true
    })
}

/// How many TCP sockets of the process listen.
fn listening_sockets(process: &Process) -> usize {
    let pid = process.pid().as_raw_nonzero();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let links: Vec<_> = links.map(|link| link.display().to_string()).collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let listening = table.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        (fields.get(3) == Some(&"0A")).then(|| format!("socket:[{}]", fields[9]))
    });
    listening.filter(|socket| links.contains(socket)).count()
}
