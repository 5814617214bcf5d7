//! `admit config`: whether the configuration is in order, and what holds.
//!
//! Both look at what a start would look at, the environment included, and change nothing.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value as Json, json};

use super::{Place, USAGE, failed, say, serve};
use crate::compose;
use crate::config::{self, Config, Effective, Setting, Value};
use crate::http::tls::Certificate;

#[derive(Args)]
pub(super) struct Settings {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say whether the configuration is in order, with the files it names; if it is not, every mistake with its place.
    Check {
        #[command(flatten)]
        place: Place,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print the annotated example: every setting with what it means and the value it has when nobody sets it.
    Example,
    /// Print every setting as it holds and where it was set. Secrets are left out.
    Show {
        #[command(flatten)]
        place: Place,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

impl Settings {
    pub(super) fn run(self) -> ExitCode {
        match self.command {
            Command::Check { place, json } => check(&place, json),
            Command::Show { place, json } => show(&place, json),
            Command::Example => {
                say(config::example().trim_end());
                ExitCode::SUCCESS
            }
        }
    }
}

fn check(place: &Place, as_json: bool) -> ExitCode {
    let mistakes = match config::load(place.overrides(), config::environment()) {
        Err(problems) => problems.to_string(),
        Ok(config) => match config::effective(place.overrides(), config::environment()) {
            Err(problems) => problems.to_string(),
            Ok(effective) => match unusable(&config, &effective) {
                mistakes if mistakes.is_empty() => return well(&effective, as_json),
                mistakes => mistakes.join("\n"),
            },
        },
    };
    if as_json {
        let all: Vec<&str> = mistakes.lines().collect();
        say(format_args!("{:#}", json!({ "mistakes": all })));
        return ExitCode::from(USAGE);
    }
    failed(mistakes, USAGE)
}

/// Settings whose files cannot be used, each with where it was set.
fn unusable(config: &Config, effective: &Effective) -> Vec<String> {
    let mut found = compose::unusable_settings(config);
    if let config::Tls::Files { .. } = config.tls {
        let loaded = serve::certificate_files(config);
        let loaded = loaded.and_then(|files| files.map(Certificate::load).transpose());
        found.extend(loaded.err().map(|e| ("tls.certificate", e.to_string())));
    }
    let place = |path: &str| {
        let setting = effective.settings.iter().find(|one| one.path == path);
        setting.and_then(|one| one.set_in.clone())
    };
    let line = |(path, words): (&str, String)| match place(path) {
        Some(place) => format!("{place}: {path}: {words}"),
        None => format!("{path}: {words}"),
    };
    found.into_iter().map(line).collect()
}

fn well(effective: &Effective, as_json: bool) -> ExitCode {
    if as_json {
        say(format_args!("{:#}", json!({ "mistakes": [] })));
        return ExitCode::SUCCESS;
    }
    let set = effective.settings.iter();
    let set = set.filter(|setting| setting.set_in.is_some()).count();
    let file = effective.file.as_ref();
    let file = file.map_or("No file is read".to_owned(), |file| {
        format!("{} is in order", file.display())
    });
    say(format_args!(
        "{file}. Settings of {}: {set} set, the others have their usual values; `admit config show` prints all.",
        effective.settings.len()
    ));
    ExitCode::SUCCESS
}

fn show(place: &Place, as_json: bool) -> ExitCode {
    let effective = match config::effective(place.overrides(), config::environment()) {
        Ok(effective) => effective,
        Err(problems) => return failed(problems, USAGE),
    };
    if as_json {
        let members = effective.settings.iter().map(member);
        let members: Map<String, Json> = members.collect();
        say(format_args!("{:#}", Json::Object(members)));
    } else {
        say(lines(&effective.settings).trim_end());
    }
    ExitCode::SUCCESS
}

fn member(setting: &Setting) -> (String, Json) {
    let mut facts = Map::new();
    match &setting.value {
        Value::Is(text) => {
            let value = serde_json::from_str(text).unwrap_or_else(|_| Json::from(text.as_str()));
            facts.insert("value".to_owned(), value);
        }
        Value::Hidden => _ = facts.insert("hidden".to_owned(), true.into()),
        Value::Unset => _ = facts.insert("value".to_owned(), Json::Null),
    }
    facts.insert("set_in".to_owned(), json!(setting.set_in));
    (setting.path.to_owned(), Json::Object(facts))
}

/// A file that says the same, but for secrets.
fn lines(settings: &[Setting]) -> String {
    let mut text = String::new();
    let mut before = "";
    for setting in settings {
        let (section, name) = setting.path.split_once('.').unwrap_or(("", setting.path));
        if section != before {
            // A setting of no section comes before all that have one.
            let _ = write!(text, "\n[{section}]\n");
            before = section;
        }
        let set = setting.set_in.as_ref();
        let set = set.map(|place| format!("set in {place}"));
        let _ = match (&setting.value, set) {
            (Value::Is(value), None) => writeln!(text, "{name} = {value}"),
            (Value::Is(value), Some(set)) => writeln!(text, "{name} = {value}  # {set}"),
            (Value::Hidden, set) => {
                writeln!(text, "# {name}: {}, not shown", set.unwrap_or_default())
            }
            (Value::Unset, _) => writeln!(text, "# {name}: not set"),
        };
    }
    text.trim_start().to_owned()
}
