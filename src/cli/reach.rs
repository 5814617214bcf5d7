//! How a command reaches the appliance: through the socket of the server that runs, or by opening the store here.
//!
//! Both end in the same function of `admin`, so that what a command does and says is the same (decision 0010).

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{BROKEN, REFUSED, failed};
use crate::compose::{World, carry_out};
use crate::config::Config;
use crate::domain::admin::{AdminCommand, AdminReply, Answer};
use crate::http::control::{Address, COMMAND_MAX};

/// How long a server may take to open its socket, or another command to leave the store.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long a server may take to answer.
const ANSWER: Duration = Duration::from_mins(1);

/// Has the command carried out and shows what came of it.
pub(super) fn reach(
    config: &Config,
    command: &AdminCommand,
    show: impl FnOnce(&AdminReply),
) -> ExitCode {
    match carried_out(config, command) {
        Answer::Done(reply) => {
            show(&reply);
            ExitCode::SUCCESS
        }
        Answer::Refused(why) => failed(why, REFUSED),
        Answer::Broken(why) => failed(why, BROKEN),
    }
}

/// Has a running server carry the command out; in words why not.
pub(super) fn running(config: &Config, command: &AdminCommand) -> Result<AdminReply, String> {
    match there(config, command) {
        Ok(Answer::Done(reply)) => Ok(reply),
        Ok(Answer::Refused(why) | Answer::Broken(why)) => Err(why),
        Err(error) => Err(format!("the server's control socket: {error}")),
    }
}

/// Whoever holds the store may be starting, stopping or another command: then neither way is open for a moment.
fn carried_out(config: &Config, command: &AdminCommand) -> Answer {
    let since = Instant::now();
    loop {
        match there(config, command) {
            Ok(answer) => return answer,
            Err(error) if is_nobody(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Answer::Refused(NOT_OURS.into());
            }
            Err(error) => return Answer::Broken(format!("the server's control socket: {error}")),
        }
        match carry_out(config, World::real(), command) {
            Ok(answer) => return answer,
            Err(error) if error.is_refusal() => return Answer::Refused(error.to_string()),
            Err(error) if !error.is_in_use() => return Answer::Broken(error.to_string()),
            Err(_) if since.elapsed() >= PATIENCE => return Answer::Broken(held(config)),
            Err(_) => sleep(LOOK_AGAIN),
        }
    }
}

/// Asks the server that runs.
fn there(config: &Config, command: &AdminCommand) -> io::Result<Answer> {
    let mut line = serde_json::to_vec(command)?;
    line.push(b'\n');
    if line.len() as u64 > COMMAND_MAX {
        return Ok(Answer::Refused("the command is longer than 64 KiB".into()));
    }
    let address = Address::of(&config.data)?;
    let mut socket = UnixStream::connect(address.path())?;
    socket.set_read_timeout(Some(ANSWER))?;
    let sent = socket.write_all(&line);
    let mut answer = String::new();
    let read = BufReader::new(socket).read_line(&mut answer);
    // A server that turns us away answers before it has read.
    if let Ok(answer) = serde_json::from_str(&answer) {
        return Ok(answer);
    }
    sent.and(read.map(drop))?;
    Ok(Answer::Broken(UNANSWERED.into()))
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
