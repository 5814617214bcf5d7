//! `admit backup`: everything an appliance is, in one file.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command as Program, ExitCode, Stdio};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Place, REFUSED, Target, print, say, settled, with_config};
use crate::config::Config;
use crate::kernel::{Clock as _, Secret, SystemClock, SystemEntropy};
use crate::upkeep::backup::{self, Listed, Order, Padlock, Report, Unlock};
use crate::upkeep::{self, Error};

#[derive(Args)]
pub(super) struct Backup {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a backup. A running server goes on serving meanwhile.
    ///
    /// Locked with a passphrase or a key file it holds everything a new machine needs. Without either it is locked with
    /// the appliance's master key, which is not in it: keep that elsewhere.
    Create {
        /// The file to make; it must not be there. Without one, a new one in the folder for backups.
        file: Option<PathBuf>,
        #[command(flatten)]
        secret: OwnSecret,
    },
    /// Make a store of a backup in scratch space, verify every record in it, and say what it holds.
    Verify {
        /// The backup.
        file: PathBuf,
        #[command(flatten)]
        secret: AnySecret,
    },
    /// The backups in the folder for backups.
    List {
        /// Another folder.
        folder: Option<PathBuf>,
    },
}

/// What a backup is locked with, when not with the master key.
#[derive(Args)]
pub(super) struct OwnSecret {
    /// The file of a passphrase: one line that nobody else can read.
    #[arg(long, value_name = "FILE", group = "secret")]
    passphrase_file: Option<PathBuf>,
    /// Ask for a passphrase at this terminal.
    #[arg(long, group = "secret")]
    passphrase: bool,
    /// The file of a key: 64 hexadecimal digits, such as `openssl rand -hex 32` makes.
    #[arg(long, value_name = "FILE", group = "secret")]
    key_file: Option<PathBuf>,
}

/// What opens a backup.
#[derive(Args)]
pub(super) struct AnySecret {
    #[command(flatten)]
    own: OwnSecret,
    /// The file of the master key, when the backup is locked with that and the key is not where the configuration has
    /// it.
    #[arg(long, value_name = "FILE", group = "secret")]
    master_key_file: Option<PathBuf>,
}

impl Backup {
    pub(super) fn run(self) -> ExitCode {
        match self.command {
            Command::Create { file, secret } => create(self.target, file, &secret),
            Command::Verify { file, secret } => verify(self.target, &file, &secret),
            Command::List { folder } => list(self.target, folder),
        }
    }
}

fn create(target: Target, file: Option<PathBuf>, secret: &OwnSecret) -> ExitCode {
    let padlock = match secret.padlock() {
        Ok(padlock) => padlock,
        Err(error) => return settled(error),
    };
    // The server has another folder than whoever asks.
    let file = file.map(|file| std::path::absolute(&file).unwrap_or(file));
    let as_json = target.json;
    let order = upkeep::Order::Backup(Order::Create { file, padlock });
    target.order(&order, |report| {
        let upkeep::Report::Backup(Report::Made(made)) = report else {
            return ExitCode::from(REFUSED);
        };
        if as_json {
            print::json(made);
            return ExitCode::SUCCESS;
        }
        say(format_args!(
            "{}: {} records as they were at {}, {} bytes, locked with {}.",
            made.file.display(),
            made.records,
            made.made_at,
            made.bytes,
            made.locked_with
        ));
        if !made.file.exists() {
            say("It is not to be seen from here: the server has folders of its own.");
        }
        ExitCode::SUCCESS
    })
}

fn verify(target: Target, file: &Path, secret: &AnySecret) -> ExitCode {
    let as_json = target.json;
    with(target, |config| {
        let unlock = secret.unlock(config)?;
        let now = SystemClock.now();
        let found = backup::verify(config, file, &unlock, now, &super::reach::tell)?;
        if as_json {
            print::json(&found);
            return Ok(());
        }
        say(format_args!(
            "{}: sound. {} records as they were at {}, {} bytes, made by version {}, locked with {}.",
            found.file.display(),
            found.records,
            found.made_at,
            found.bytes,
            found.program,
            found.locked_with
        ));
        print::counts(&found.tables);
        say(beside(found.carries_master_key, &found.files));
        if found.is_salvaged {
            say("It is what could be read of a damaged store: something is missing.");
        }
        Ok(())
    })
}

fn beside(carries_master_key: bool, files: &[PathBuf]) -> String {
    let key = carries_master_key.then(|| "the master key".to_owned());
    let names = files.iter().map(|file| file.display().to_string());
    let all: Vec<String> = key.into_iter().chain(names).collect();
    let all = match all.as_slice() {
        [] => "nothing else".to_owned(),
        all => all.join(", "),
    };
    if carries_master_key {
        return format!("With it: {all}.");
    }
    format!("With it: {all}. The master key is not in it: keep a copy of that elsewhere.")
}

/// A backup, and whether another appliance's schedule made it.
#[derive(Serialize)]
struct InFolder {
    #[serde(flatten)]
    one: Listed,
    #[serde(rename = "foreign")]
    is_foreign: Option<bool>,
}

fn list(target: Target, folder: Option<PathBuf>) -> ExitCode {
    let as_json = target.json;
    with(target, |config| {
        // Our own is made with the first backup; one that was named and is not there is mistyped.
        if let Some(named) = folder.as_ref().filter(|named| !named.exists()) {
            let words = format!("{}: there is no such folder", named.display());
            return Err(Error::Refused(words));
        }
        let folder = folder.unwrap_or_else(|| config.backup.folder.clone());
        // Without the key nobody can say whose they are.
        let own = backup::master_key(config).and_then(|key| Ok(backup::mark(&key)?));
        let own = own.ok();
        let all = backup::list(&folder)?.into_iter().map(|one| InFolder {
            is_foreign: own.as_ref().zip(one.mark.as_ref()).map(|(a, b)| a != b),
            one,
        });
        let all: Vec<_> = all.collect();
        if as_json {
            print::json(&all);
            return Ok(());
        }
        let columns = [
            "begun_at",
            "bytes",
            "program",
            "locked_with",
            "foreign",
            "file",
        ];
        print::table(&columns, &all);
        Ok(())
    })
}

/// Does something that needs the configuration and no server.
pub(super) fn with(target: Target, work: impl FnOnce(&Config) -> Result<(), Error>) -> ExitCode {
    let place = Place {
        config: target.config,
        data: target.data,
        listen: None,
    };
    with_config(&place, |config| match work(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => settled(error),
    })
}

impl OwnSecret {
    pub(super) fn padlock(&self) -> Result<Padlock, Error> {
        if let Some(path) = &self.key_file {
            return Ok(Padlock::of_key(backup::read_key(path)?));
        }
        let passphrase = match &self.passphrase_file {
            Some(path) => backup::read_passphrase(path)?,
            None if self.passphrase => {
                let typed = asked("Passphrase for the backup: ")?;
                if asked("The same again: ")? != typed {
                    return Err(Error::Refused("the two passphrases differ".to_owned()));
                }
                typed
            }
            None => return Ok(Padlock::of_master_key()),
        };
        Padlock::of_passphrase(&passphrase, &SystemEntropy::default())
    }
}

impl AnySecret {
    /// Whether any was named.
    pub(super) fn is_named(&self) -> bool {
        let own = &self.own;
        own.passphrase
            || own.passphrase_file.is_some()
            || own.key_file.is_some()
            || self.master_key_file.is_some()
    }

    pub(super) fn unlock(&self, config: &Config) -> Result<Unlock, Error> {
        if let Some(path) = &self.own.key_file {
            return Ok(Unlock::Key(backup::read_key(path)?));
        }
        if let Some(path) = &self.own.passphrase_file {
            return Ok(Unlock::Passphrase(backup::read_passphrase(path)?));
        }
        if self.own.passphrase {
            return Ok(Unlock::Passphrase(asked("Passphrase of the backup: ")?));
        }
        if let Some(path) = &self.master_key_file {
            return Ok(Unlock::MasterKey(backup::read_key(path)?));
        }
        // Where there is none, the backup says what it needs.
        Ok(backup::master_key(config).map_or(Unlock::Nothing, Unlock::MasterKey))
    }
}

/// Asks at the terminal, without showing what is typed.
fn asked(question: &str) -> Result<Secret<String>, Error> {
    let terminal = || File::options().read(true).write(true).open("/dev/tty");
    let refused = |error: io::Error| {
        Error::Refused(format!(
            "there is no terminal to ask at ({error}): put the passphrase in a file, and name it with --passphrase-file"
        ))
    };
    let mut shown = terminal().map_err(refused)?;
    let hide = |how: &str| {
        let stdin = terminal().map_or_else(|_| Stdio::null(), Stdio::from);
        let set = Program::new("stty").arg(how).stdin(stdin).status();
        set.is_ok_and(|set| set.success())
    };
    if !hide("-echo") {
        let why = io::Error::other("stty cannot keep what is typed from being shown");
        return Err(refused(why));
    }
    let _ = write!(shown, "{question}");
    let mut line = String::new();
    let typed = terminal().and_then(|terminal| BufReader::new(terminal).read_line(&mut line));
    hide("echo");
    let _ = writeln!(shown);
    let line = Secret::new(line);
    typed.map_err(refused)?;
    Ok(Secret::new(
        line.expose().trim_end_matches(['\r', '\n']).to_owned(),
    ))
}
