//! The command line: what can be asked of the program, and how each answer becomes an exit code.

mod init;
mod serve;
mod tour;

use std::ffi::OsString;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Overrides};
use crate::kernel::BaseUrl;

/// Tickets, tokens, one-time codes, keys and calendar invitations from one binary.
#[derive(Parser)]
#[command(name = "admit", version, about, after_help = EXIT_CODES)]
struct Admit {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 done; 1 refused; 2 wrong usage or configuration; 3 something broke.";

#[derive(Subcommand)]
enum Command {
    /// Serve. The first start makes everything that is needed and says where the first credentials are.
    Serve(Place),
    /// Do what the first start does, without serving.
    Init(Place),
    /// Walk a running server through the whole job and compare each answer with the contract.
    Tour(Visit),
}

/// Where an appliance is and how it is set up.
#[derive(Args)]
struct Place {
    /// The configuration file (TOML); every key has a default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder that holds everything the appliance keeps [default: ./admit-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8443].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// Which running server is meant.
#[derive(Args)]
struct Visit {
    /// The configuration file the server was started with.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder with first-run.json, whose credentials are used [default: ./admit-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the server answers [default: the address in first-run.json].
    #[arg(long, value_name = "URL")]
    base_url: Option<BaseUrl>,
}

/// The request was understood and refused, or its result differs from what was expected.
const REFUSED: u8 = 1;
const USAGE: u8 = 2;
const BROKEN: u8 = 3;

/// Runs the command these arguments ask for.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let admit = match Admit::try_parse_from(args) {
        Ok(admit) => admit,
        Err(error) => {
            // Help and version come this way too; a closed standard output is nobody's fault.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    match admit.command {
        Command::Serve(place) => with_config(place, serve::serve),
        Command::Init(place) => with_config(place, init::init),
        Command::Tour(visit) => visit_with_config(visit),
    }
}

fn visit_with_config(visit: Visit) -> ExitCode {
    let place = Place {
        config: visit.config,
        data: visit.data,
        listen: None,
    };
    let base_url = visit.base_url;
    with_config(place, |config| {
        tour::tour(config, base_url.as_ref().map(BaseUrl::as_str))
    })
}

fn with_config(place: Place, run: impl FnOnce(&Config) -> ExitCode) -> ExitCode {
    let Place {
        config,
        data,
        listen,
    } = place;
    match config::load(
        Overrides {
            config,
            data,
            listen,
        },
        config::environment(),
    ) {
        Ok(config) => run(&config),
        Err(problems) => failed(problems, USAGE),
    }
}

/// Says on standard error why there is nothing to show.
#[expect(
    clippy::print_stderr,
    reason = "the command line speaks to whoever typed it"
)]
fn failed(why: impl Display, code: u8) -> ExitCode {
    eprintln!("admit: {why}");
    ExitCode::from(code)
}

/// Says something on standard output.
#[expect(
    clippy::print_stdout,
    reason = "the command line speaks to whoever typed it"
)]
fn say(what: impl Display) {
    println!("{what}");
}
