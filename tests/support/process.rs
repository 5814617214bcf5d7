//! The built binary as a process of its own: started on a data folder, watched, killed, ended, started again.
//!
//! Everything in it is plain blocking code: a test decides itself what runs beside it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

/// The address a process knows itself by, so that what it signed holds when it comes back at another port.
pub(crate) const PUBLIC_URL: &str = "https://localhost:8443";

/// How a process is to be started.
pub(crate) struct Launch {
    data: PathBuf,
    under: Vec<String>,
    env: Vec<(String, String)>,
}

impl Launch {
    /// `admit serve` on this data folder, at a port the system chooses.
    ///
    /// Guesses are not counted down: the suites that use this ask from one network for things that are gone.
    pub(crate) fn on(data: &Path) -> Self {
        let launch = Self {
            data: data.to_path_buf(),
            under: Vec::new(),
            env: Vec::new(),
        };
        // Inside, so that nothing is left behind; a copy of the folder is one with its witness.
        let witness = data.join("witness").display().to_string();
        launch
            .with("ADMIT_STORE_WITNESS", &witness)
            .with("ADMIT_SERVER_PUBLIC_URL", PUBLIC_URL)
            .with(
                "ADMIT_TICKETS_WRONG_GUESSES_PER_NETWORK_PER_HOUR",
                "1000000",
            )
            .with("ADMIT_TICKETS_WRONG_GUESSES_SHORT_PER_HOUR", "1000000")
            .with("ADMIT_TOKENS_REFRESH_GRACE_SECONDS", "300")
            .with("ADMIT_LOG_LEVEL", "warn")
    }

    /// With this variable in its environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As an operator starts it who configured no address of his own.
    pub(crate) fn without_public_url(mut self) -> Self {
        self.env
            .retain(|(known, _)| known != "ADMIT_SERVER_PUBLIC_URL");
        self
    }

    /// With its witness beside the data folder, where commands that are told nothing else look for it.
    pub(crate) fn witnessed_beside(mut self) -> Self {
        self.env.retain(|(known, _)| known != "ADMIT_STORE_WITNESS");
        self
    }

    /// As an argument of another program, such as `strace`.
    pub(crate) fn under(mut self, words: &[&str]) -> Self {
        self.under = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn start(self) -> Process {
        let mut process = self.spawn();
        let ready = process.await_ready(READY_WITHIN).is_some();
        assert!(ready, "it did not become ready:\n{}", process.log());
        process
    }

    /// Starts it and does not wait.
    pub(crate) fn spawn(self) -> Process {
        let program = env!("CARGO_BIN_EXE_admit").to_owned();
        let data = self.data.display().to_string();
        let words = [
            program,
            "serve".into(),
            "--data".into(),
            data,
            "--listen".into(),
            "127.0.0.1:0".into(),
        ];
        let mut words = self.under.into_iter().chain(words);
        let mut command = Command::new(words.next().unwrap());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ADMIT_")) {
            command.env_remove(name);
        }
        let spawned = Instant::now();
        let mut child = command
            .args(words)
            .envs(self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        follow(child.stdout.take().unwrap(), &log);
        follow(child.stderr.take().unwrap(), &log);
        Process {
            child,
            data: self.data,
            log,
            spawned,
            address: None,
        }
    }
}

/// A process of the built binary. It ends with its owner.
pub(crate) struct Process {
    child: Child,
    data: PathBuf,
    log: Arc<Mutex<String>>,
    spawned: Instant,
    address: Option<SocketAddr>,
}

/// How a process ended, and how long that took from the asking.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) took: Duration,
}

impl Process {
    /// Where it listens; it must be ready.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("it is not ready")
    }

    /// Its address with a name its certificate covers.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address().port())
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// When it was started.
    pub(crate) fn spawned(&self) -> Instant {
        self.spawned
    }

    /// What it wrote to its two outputs so far.
    pub(crate) fn log(&self) -> String {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The credentials of its first start.
    pub(crate) fn first_run(&self) -> FirstRun {
        FirstRun::read(&self.data)
    }

    /// A client that trusts its certificate and knows no other.
    pub(crate) fn client(&self) -> reqwest::Client {
        let pem = fs::read(self.data.join("tls/ca.pem")).unwrap();
        reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
            .no_proxy()
            .build()
            .unwrap()
    }

    /// Waits for the line that says it is ready; nothing if it ends, or does not say so in time.
    pub(crate) fn await_ready(&mut self, within: Duration) -> Option<SocketAddr> {
        let until = Instant::now() + within;
        while self.address.is_none() && Instant::now() < until {
            let ended = self.child.try_wait().unwrap().is_some();
            self.address = ready_at(&self.log());
            if ended {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.address
    }

    /// SIGKILL, and back when it is gone.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// SIGTERM, and back when it has ended by itself.
    pub(crate) fn terminate(&mut self) -> Ended {
        let asked = Instant::now();
        self.signal(Signal::TERM);
        let ended = self.await_end(Duration::from_secs(30));
        let ended = ended.unwrap_or_else(|| panic!("it did not end:\n{}", self.log()));
        Ended {
            took: asked.elapsed(),
            ..ended
        }
    }

    /// Waits until it has ended by itself.
    pub(crate) fn await_end(&mut self, within: Duration) -> Option<Ended> {
        let asked = Instant::now();
        while asked.elapsed() < within {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it said last is still on its way through the pipe.
                thread::sleep(Duration::from_millis(20));
                let took = asked.elapsed();
                return Some(Ended { status, took });
            }
            thread::sleep(Duration::from_millis(1));
        }
        None
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Memory it has in use, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line
            .and_then(|line| line.split_whitespace().nth(1))
            .unwrap();
        kib.parse::<u64>().unwrap() * 1024
    }

    /// Processor time it has used.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        let ticks = after_name.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
    }

    /// How many files it has open.
    pub(crate) fn open_files(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        open.unwrap().count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Whether this is how a process ends that was killed.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}

/// What `first-run.json` holds.
#[derive(Clone)]
pub(crate) struct FirstRun(Value);

impl FirstRun {
    pub(crate) fn read(data: &Path) -> Self {
        let text = fs::read_to_string(data.join("first-run.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    fn text(&self, pointer: &str) -> String {
        self.0
            .pointer(pointer)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn base_url(&self) -> String {
        self.text("/base_url")
    }

    pub(crate) fn client_id(&self) -> String {
        self.text("/client/client_id")
    }

    pub(crate) fn client_secret(&self) -> String {
        self.text("/client/client_secret")
    }

    pub(crate) fn admin_password(&self) -> String {
        self.text("/admin/password")
    }
}

fn ready_at(log: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.starts_with("Admit "))?;
    let (_, address) = line.split_once(" is ready on ")?;
    let (address, _) = address.split_once(',')?;
    address.parse().ok()
}

fn follow(output: impl Read + Send + 'static, log: &Arc<Mutex<String>>) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line);
            log.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&text);
            line.clear();
        }
    });
}

/// What Linux counts processor time in for programs (proc(5)), on every machine.
const TICKS_PER_SECOND: u64 = 100;
const READY_WITHIN: Duration = Duration::from_secs(30);
