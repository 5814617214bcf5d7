//! The README, held to its word: its first lines are run as printed, and it names every setting, endpoint, command
//! and option.

use std::fs;
use std::path::Path;
use std::process::Command;

use admit::kernel::TicketId;
use serde_json::Value;
use tempfile::TempDir;

use super::tour::{Serving, admit};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The shell lines before the first heading, block by block.
fn first_screen() -> Vec<String> {
    let readme = readme();
    let screen = readme.split("\n## ").next().unwrap();
    let blocks = screen.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// Runs shell lines in `folder` and returns what they print; any that fails is told.
fn run(lines: &str, folder: &Path) -> String {
    let done = Command::new("bash")
        .args(["-euo", "pipefail", "-c", lines])
        .current_dir(folder)
        .output()
        .unwrap();
    let complaints = String::from_utf8(done.stderr).unwrap();
    assert!(
        done.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    String::from_utf8(done.stdout).unwrap()
}

fn is_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.split('.').count() == 3
}

fn is_ticket(text: &str) -> bool {
    let id: Result<TicketId, _> = text.parse();
    id.is_ok_and(|id| id.as_str() == text && id.length() == 9)
}

#[test]
fn the_first_screen_is_two_commands_and_lines_that_work_as_printed() {
    let blocks = first_screen();
    let [serve, lines, test] = blocks.as_slice() else {
        panic!("three blocks, not {blocks:?}");
    };
    assert_eq!(serve, "cargo run --release -- serve\n");
    assert_eq!(test, "tests/run\n");
    assert!(root().join("tests/run").exists());

    let serving = Serving::start();
    let said = run(lines, serving.folder());
    let (before, rest) = said.split_once("BEGIN:VCALENDAR\r\n").unwrap();
    let [token, ticket] = before.lines().collect::<Vec<_>>()[..] else {
        panic!("a token and a ticket, not {before:?}");
    };
    assert!(is_token(token), "{token}");
    assert!(is_ticket(ticket), "{ticket}");
    let (calendar, rest) = rest.split_once("END:VCALENDAR\r\n").unwrap();
    assert!(
        calendar.contains("\r\nMETHOD:PUBLISH\r\n") && calendar.contains("\r\nSUMMARY:Hello\r\n")
    );
    assert!(calendar.contains(&format!("/t/{ticket}\r\n")));
    let (customer, userinfo) = rest.split_once('\n').unwrap();
    assert!(is_token(customer) && customer != token, "{customer}");
    let userinfo: Value = serde_json::from_str(userinfo).unwrap();
    assert_eq!(userinfo["authorities"][0]["name"], "ROLE_CUSTOMER");
}

#[test]
fn the_lines_the_first_start_prints_work_as_printed() {
    let serving = Serving::start();
    let (_, lines) = serving
        .greeting()
        .split_once("with curl and jq:\n")
        .unwrap();
    // Another terminal is often in another folder.
    let elsewhere = TempDir::new().unwrap();
    let said = run(lines, elsewhere.path());
    assert!(said.starts_with("BEGIN:VCALENDAR\r\n"), "{said}");
    assert!(said.contains("\"access_token\": \"eyJ"), "{said}");
    assert!(
        said.contains(" calls, all as the contract says, in "),
        "{said}"
    );
}

#[test]
fn every_setting_has_its_row() {
    let readme = readme();
    let mut section = String::new();
    let mut settings = 0;
    for line in admit::config::example().lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        }
        let Some((marked, value)) = line.split_once(" = ").filter(|_| !line.starts_with("# "))
        else {
            continue;
        };
        let name = marked.trim_start_matches('#');
        let path: Vec<&str> = [section.as_str(), name]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let variable = format!("ADMIT_{}", path.join("_")).to_uppercase();
        let default = if marked.starts_with("##") {
            "–".to_owned()
        } else {
            format!("`{value}`")
        };
        let path = path.join(".");
        let row = format!("| `{path}` | {default} | `{variable}` | ");
        assert!(readme.contains(&row), "the README lacks {row}");
        settings += 1;
    }
    assert!(settings > 20, "the example was not read");
}

#[test]
fn every_endpoint_is_listed() {
    let readme = readme();
    let endpoints = include_str!("contract/endpoints.txt").lines();
    let endpoints = endpoints.filter(|line| !line.starts_with('#'));
    for endpoint in endpoints {
        let path = endpoint.split_whitespace().nth(1).unwrap();
        assert!(readme.contains(&format!("`{path}")), "{path}");
    }
}

#[test]
fn every_command_and_option_is_mentioned() {
    let readme = readme();
    let help = |args: &[&str]| {
        let said = admit(root()).args(args).output().unwrap();
        String::from_utf8(said.stdout).unwrap()
    };
    let commands = commands_in(&help(&["--help"]));
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands {
        assert!(readme.contains(&format!("`admit {command}")), "{command}");
        let said = help(&[&command, "--help"]);
        let mut options = options_in(&said);
        for below in commands_in(&said).iter().filter(|below| *below != "help") {
            let both = format!("{command} {below}");
            assert!(readme.contains(&format!("`admit {both}")), "{both}");
            options.extend(options_in(&help(&[&command, below, "--help"])));
        }
        for option in options {
            assert!(readme.contains(&option), "{command} {option}");
        }
    }
}

/// The commands a help text lists, if it lists any.
fn commands_in(help: &str) -> Vec<String> {
    let listed = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // A line that goes on with a description is indented further.
    let lines = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let words = lines.filter_map(|line| line.split_whitespace().next());
    words.map(str::to_owned).collect()
}

/// The options a help text lists.
fn options_in(help: &str) -> Vec<String> {
    let words = help
        .split_whitespace()
        .map(|word| word.trim_end_matches([',', '`']));
    let options = words.filter(|word| word.starts_with("--") && word.len() > 2);
    options.map(str::to_owned).collect()
}

#[test]
fn every_file_and_section_it_links_to_is_there() {
    let readme = readme();
    let links: Vec<&str> = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    assert!(!links.is_empty());
    let headings: Vec<String> = readme.lines().filter_map(anchor).collect();
    for link in links {
        let is_there = match link.strip_prefix('#') {
            Some(place) => headings.iter().any(|heading| heading == place),
            None => root().join(link).exists(),
        };
        assert!(is_there, "{link}");
    }
}

/// What a link to this heading is called: its words in small letters, with dashes between them.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix("###").or(line.strip_prefix("##"))?;
    let words = heading.trim().to_lowercase().replace(' ', "-");
    Some(words.replace(|c: char| !c.is_alphanumeric() && c != '-', ""))
}
