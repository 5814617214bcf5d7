//! The command line: what can be asked of the program, and how each answer becomes an exit code.

mod client;
mod init;
mod org;
mod outbox;
mod print;
mod reach;
mod serve;
mod signing_key;
mod stand_ins;
mod tour;
mod user;

use std::ffi::OsString;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Overrides};
use crate::domain::admin::{AdminCommand, Algorithm, Role};
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
    /// Found, see, rename and remove organizations, on a running server or a stopped store.
    Org(org::Org),
    /// Register, see, change and remove clients, on a running server or a stopped store.
    Client(client::Client),
    /// Give people accounts, see, change and remove them, on a running server or a stopped store.
    User(user::User),
    /// See, rotate and remove the keys that sign tokens, on a running server or a stopped store.
    SigningKey(signing_key::SigningKey),
    /// See the messages with one-time codes, on a running server or a stopped store; those nobody delivers with their code.
    Outbox(outbox::Outbox),
    /// Walk a running server through the whole job and compare each answer with the contract.
    Tour(Visit),
    /// Imitate Genesys Cloud, Talkdesk, NICE and an SMS gateway on this machine, for trying things out; never in
    /// production.
    StandIns(stand_ins::Options),
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

/// The heading of what every command takes.
const EVERYWHERE: &str = "Options of every command";

/// Which appliance a command is for, and how its answer is printed.
#[derive(Args)]
struct Target {
    /// The configuration file the server is started with.
    #[arg(long, value_name = "FILE", global = true, help_heading = EVERYWHERE)]
    config: Option<PathBuf>,
    /// The folder that holds everything the appliance keeps [default: ./admit-data].
    #[arg(long, value_name = "DIR", global = true, help_heading = EVERYWHERE)]
    data: Option<PathBuf>,
    /// Print one JSON object or array.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
}

impl Target {
    /// Has the command carried out there and prints what came of it.
    fn run(self, command: &AdminCommand) -> ExitCode {
        let place = Place {
            config: self.config,
            data: self.data,
            listen: None,
        };
        with_config(place, |config| {
            reach::reach(config, command, |reply| print::print(reply, self.json))
        })
    }
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
    /// Where the stand-ins are that the server is pointed at; without, what needs upstreams is left out.
    #[arg(long, value_name = "URL")]
    stand_ins: Option<BaseUrl>,
    /// The certificate to trust at the stand-ins.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "./admit-stand-ins/tls/ca.pem"
    )]
    stand_ins_authority: PathBuf,
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
        Command::Org(org) => org.run(),
        Command::Client(client) => client.run(),
        Command::User(user) => user.run(),
        Command::SigningKey(signing_key) => signing_key.run(),
        Command::Outbox(outbox) => outbox.run(),
        Command::Tour(visit) => visit_with_config(visit),
        Command::StandIns(options) => stand_ins::run(options),
    }
}

fn visit_with_config(visit: Visit) -> ExitCode {
    let place = Place {
        config: visit.config,
        data: visit.data,
        listen: None,
    };
    let (base_url, stand_ins) = (visit.base_url, visit.stand_ins);
    let way = tour::Way {
        base_url: base_url.as_ref().map(BaseUrl::as_str),
        stand_ins: stand_ins.as_ref().map(BaseUrl::as_str),
        stand_ins_authority: &visit.stand_ins_authority,
    };
    with_config(place, |config| tour::tour(config, &way))
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

/// Reads the name of a role; an empty one means none.
fn role(name: &str) -> Result<Option<Role>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    let known = Role::named(name).map(Some);
    known.ok_or_else(|| "roles are Agent, Supervisor, Admin, ClientService and Service".to_owned())
}

/// Reads the name of an algorithm we sign by.
fn algorithm(word: &str) -> Result<Algorithm, String> {
    let known = [Algorithm::EdDsa, Algorithm::Rs256];
    let found = known.into_iter().find(|known| known.name() == word);
    found.ok_or_else(|| "tokens are signed by EdDSA or RS256".to_owned())
}

/// A list given on the command line: none given changes nothing, an empty value alone takes all away.
fn listed<T>(given: Vec<Option<T>>) -> Option<Vec<T>> {
    (!given.is_empty()).then(|| given.into_iter().flatten().collect())
}

/// The same for texts.
fn texts(given: Vec<String>) -> Option<Vec<String>> {
    let filled = |text: String| (!text.is_empty()).then_some(text);
    listed(given.into_iter().map(filled).collect())
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
