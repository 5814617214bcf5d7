//! How a command reaches the appliance: through the socket of the server that runs, or by opening the store here.
//!
//! Both end in the same function of `admin`, so that what a command does and says is the same (decision 0010).

use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{BROKEN, REFUSED, failed};
use crate::compose::{self, Stopped, World, look};
use crate::config::Config;
use crate::domain::admin::{AdminCommand, AdminReply};
use crate::http::control::{Address, COMMAND_MAX};
use crate::upkeep::{Answer, Order, Progress, Report};

/// How long a server may take to open its socket, or another command to leave the store.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long a server may go without a word.
const ANSWER: Duration = Duration::from_mins(1);

/// Has the order carried out and shows what came of it.
pub(super) fn reach(
    config: &Config,
    order: &Order,
    show: impl FnOnce(&Report) -> ExitCode,
) -> ExitCode {
    match carried_out(config, order) {
        Answer::Done(report) => show(&report),
        Answer::Refused(why) => failed(why, REFUSED),
        Answer::Broken(why) => failed(why, BROKEN),
        Answer::Progress(_) => failed(UNANSWERED, BROKEN),
    }
}

/// Has a running server carry the command out; in words why not.
pub(super) fn running(config: &Config, command: &AdminCommand) -> Result<AdminReply, String> {
    match there(config, &Order::Admin(command.clone())) {
        Ok(Answer::Done(Report::Admin(reply))) => Ok(reply),
        Ok(Answer::Refused(why) | Answer::Broken(why)) => Err(why),
        Ok(Answer::Done(_) | Answer::Progress(_)) => Err(UNANSWERED.to_owned()),
        Err(error) if is_nobody(&error) => {
            Err(format!("no server runs on {}", config.data.display()))
        }
        Err(error) => Err(format!("the server's control socket: {error}")),
    }
}

fn carried_out(config: &Config, order: &Order) -> Answer {
    Reach::to(config).ask(order)
}

/// A way to the appliance for any number of orders. A stopped store is opened once and held until this goes.
pub(super) struct Reach<'c> {
    config: &'c Config,
    stopped: Option<Stopped>,
}

impl<'c> Reach<'c> {
    pub(super) fn to(config: &'c Config) -> Self {
        let stopped = None;
        Self { config, stopped }
    }

    /// Has one order carried out. Whoever holds the store may be starting, stopping or another command: then neither
    /// way is open for a moment.
    pub(super) fn ask(&mut self, order: &Order) -> Answer {
        let since = Instant::now();
        loop {
            if let Some(stopped) = &self.stopped {
                return stopped.carry_out(order, &tell);
            }
            match there(self.config, order) {
                Ok(answer) => return answer,
                Err(error) if is_nobody(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Answer::Refused(NOT_OURS.into());
                }
                Err(error) => {
                    return Answer::Broken(format!("the server's control socket: {error}"));
                }
            }
            match self.here(order) {
                Ok(Some(answer)) => return answer,
                Ok(None) => {}
                Err(error) if error.is_refusal() => return Answer::Refused(error.to_string()),
                Err(error) if !error.is_in_use() => return Answer::Broken(error.to_string()),
                Err(_) if since.elapsed() >= PATIENCE => return Answer::Broken(held(self.config)),
                Err(_) => sleep(LOOK_AGAIN),
            }
        }
    }

    /// Opens what nobody serves. An order about the store is carried out at once, on one that may be damaged.
    fn here(&mut self, order: &Order) -> Result<Option<Answer>, compose::Error> {
        if let Order::Store(order) = order {
            return look(self.config, &World::real(), order, &tell).map(Some);
        }
        self.stopped = Some(Stopped::open(self.config, World::real())?);
        Ok(None)
    }
}

/// Asks the server that runs.
fn there(config: &Config, order: &Order) -> io::Result<Answer> {
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    if line.len() as u64 > COMMAND_MAX {
        return Ok(Answer::Refused("the command is longer than 64 KiB".into()));
    }
    let address = Address::of(&config.data)?;
    let mut socket = UnixStream::connect(address.path())?;
    socket.set_read_timeout(Some(ANSWER))?;
    let sent = socket.write_all(&line);
    // A server that turns us away answers before it has read.
    for line in BufReader::new(socket).lines() {
        match line.map(|line| serde_json::from_str(&line)) {
            Ok(Ok(Answer::Progress(progress))) => tell(progress),
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(_)) => break,
            Err(error) => return sent.and(Err(error)),
        }
    }
    sent?;
    Ok(Answer::Broken(UNANSWERED.into()))
}

/// Shows whoever sits at a terminal how far long work has come, on one line that is written anew.
pub(super) fn tell(progress: Progress) {
    let mut terminal = io::stderr();
    if !terminal.is_terminal() {
        return;
    }
    let Progress { what, done, of } = progress;
    let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
    // Nobody's work fails because nobody can see how far it is.
    let _ = write!(terminal, "\r\x1b[K{what}: {done}{of}\r");
}

const UNANSWERED: &str = "the server ended before it answered: look whether the change was made";

const NOT_OURS: &str = "the data folder or its control socket is not ours to use: run this as root or as the user the server runs as";

/// Nobody listens: no socket, one that an earlier process left, or not even a folder.
fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

fn held(config: &Config) -> String {
    format!(
        "the store in {} is in use, and no server answers at its control socket: stop the process that has it",
        config.data.display()
    )
}
