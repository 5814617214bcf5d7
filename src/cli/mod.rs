//! The command line: what can be asked of the program, and how each answer becomes an exit code.

mod app;
mod audit;
mod backup;
mod client;
mod doctor;
mod egress;
mod init;
mod key_pair;
mod log;
mod manual;
mod master_key;
mod org;
mod outbox;
mod print;
mod reach;
mod restore;
mod serve;
mod settings;
mod signing_key;
mod stand_ins;
mod status;
mod store;
mod systemd;
mod ticket;
mod tour;
mod upgrade;
mod user;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Overrides};
use crate::domain::admin::{AdminCommand, Algorithm, Role};
use crate::kernel::BaseUrl;
use crate::upkeep::{self, Order, Report};

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
    /// See how the appliance is, whether a server runs or not.
    Status(status::Status),
    /// Look for everything that somebody should see to, and say what to do about it. Exit code 1: there is something.
    Doctor(doctor::Doctor),
    /// Found, see, rename and remove organizations, on a running server or a stopped store.
    Org(org::Org),
    /// Register, see, change and remove clients, on a running server or a stopped store.
    Client(client::Client),
    /// Give people accounts, see, change and remove them, on a running server or a stopped store.
    User(user::User),
    /// Make, see, revoke and remove tickets, on a running server or a stopped store.
    Ticket(ticket::Ticket),
    /// Make, see, change and remove applications, on a running server or a stopped store.
    App(app::App),
    /// Make, bring in, see and remove customers' key pairs, on a running server or a stopped store.
    KeyPair(key_pair::KeyPair),
    /// See, rotate and remove the keys that sign tokens, on a running server or a stopped store.
    #[command(visible_alias = "key")]
    SigningKey(signing_key::SigningKey),
    /// See the messages with one-time codes, on a running server or a stopped store; those nobody delivers with their code.
    Outbox(outbox::Outbox),
    /// Check, measure and compact the store itself, on a running server or a stopped store.
    Store(store::Store),
    /// See what happened and who did it, verify that none of it was changed, and take a signed copy away.
    Audit(audit::Audit),
    /// See whether the configuration is in order, and what holds.
    Config(settings::Settings),
    /// Make, verify and list backups, on a running server or a stopped store.
    Backup(backup::Backup),
    /// Put a backup back, into a data folder that is empty or not there.
    Restore(restore::Restore),
    /// Split the master key into shares for paper, and make it again of them.
    MasterKey(master_key::MasterKey),
    /// Let this version of the program take a stopped store over from an older one, or only try that on a copy.
    Upgrade(upgrade::Upgrade),
    /// Walk a running server through the whole job and compare each answer with the contract.
    Tour(Visit),
    /// Imitate Genesys Cloud, Talkdesk, NICE and an SMS gateway on this machine, for trying things out; never in
    /// production.
    StandIns(stand_ins::Options),
    /// Print what a shell needs to complete commands: `admit completions bash >/etc/bash_completion.d/admit`
    Completions(manual::Completions),
    /// Write the manual, one page a command, into a folder.
    Man(manual::Manual),
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

impl Place {
    fn overrides(&self) -> Overrides {
        Overrides {
            config: self.config.clone(),
            data: self.data.clone(),
            listen: self.listen,
        }
    }
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
        let as_json = self.json;
        self.order(&Order::Admin(command.clone()), |report| {
            if let Report::Admin(reply) = report {
                print::print(reply, as_json);
            }
            ExitCode::SUCCESS
        })
    }

    /// Has the order carried out there; `show` says what came of it and how to exit.
    fn order(self, order: &Order, show: impl FnOnce(&Report) -> ExitCode) -> ExitCode {
        let place = Place {
            config: self.config,
            data: self.data,
            listen: None,
        };
        with_config(&place, |config| reach::reach(config, order, show))
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
        Command::Serve(place) => with_config(&place, serve::serve),
        Command::Init(place) => with_config(&place, init::init),
        Command::Org(org) => org.run(),
        Command::Client(client) => client.run(),
        Command::User(user) => user.run(),
        Command::Status(status) => status.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Ticket(ticket) => ticket.run(),
        Command::App(app) => app.run(),
        Command::KeyPair(key_pair) => key_pair.run(),
        Command::SigningKey(signing_key) => signing_key.run(),
        Command::Outbox(outbox) => outbox.run(),
        Command::Store(store) => store.run(),
        Command::Audit(audit) => audit.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::MasterKey(master_key) => master_key.run(),
        Command::Upgrade(upgrade) => upgrade.run(),
        Command::Tour(visit) => visit_with_config(visit),
        Command::StandIns(options) => stand_ins::run(options),
        Command::Config(settings) => settings.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(manual) => manual.run(),
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
    with_config(&place, |config| tour::tour(config, &way))
}

fn with_config(place: &Place, run: impl FnOnce(&Config) -> ExitCode) -> ExitCode {
    match config::load(place.overrides(), config::environment()) {
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

/// Says why an order was not carried out.
fn settled(error: upkeep::Error) -> ExitCode {
    let code = if error.is_fault() { BROKEN } else { REFUSED };
    failed(error, code)
}

/// Says on standard error why there is nothing to show.
fn failed(why: impl Display, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "admit: {why}");
    ExitCode::from(code)
}

/// Says something on standard output. Whoever closes it, as `head` does, has heard enough.
fn say(what: impl Display) {
    let _ = writeln!(std::io::stdout(), "{what}");
}

/// The same for what is no line.
fn print_bytes(bytes: &[u8]) {
    let _ = std::io::stdout().write_all(bytes);
}
