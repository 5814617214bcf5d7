//! The fence: which folder may use which, who may name which library, and the habits a reader relies on.
//!
//! A single crate has no compiler between its folders, so this reads the text of `src`. It is strict and simple: a
//! false alarm is mended by writing the import plainly. Test modules are not looked at.

use std::fs;
use std::path::Path;

/// A file of the tree: its path below `src`, and its text.
type File = (String, String);

/// What each folder may use of ours. `folder::module` allows only that module; a file has its own line where it may more.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("kernel", &[]),
    ("crypto", &["kernel"]),
    ("store", &["kernel", "crypto::seal"]),
    ("domain", &["kernel", "crypto", "store"]),
    ("render", &["kernel", "domain"]),
    ("adapters", &["kernel", "domain::ports", "render::messages"]),
    ("standins", &["kernel", "http"]),
    ("config", &["kernel", "domain::policy"]),
    ("http", &["kernel", "domain", "render"]),
    ("http/control.rs", &["kernel", "domain", "upkeep"]),
    (
        "http/tls.rs",
        &["kernel", "domain", "render", "crypto::authority"],
    ),
    (
        "http/oidc/mod.rs",
        &["kernel", "domain", "render", "crypto::jwk"],
    ),
    ("upkeep", &["kernel", "crypto", "store", "domain", "config"]),
    ("jobs", &["kernel", "domain", "upkeep"]),
    (
        "jobs/certificates.rs",
        &["kernel", "domain", "upkeep", "http::tls"],
    ),
    (
        "compose",
        &[
            "kernel", "crypto", "store", "domain", "render", "adapters", "config", "http", "jobs",
            "upkeep",
        ],
    ),
    ("cli", CLI),
    // Imitations answer only whoever asks for them by their own command.
    ("cli/stand_ins.rs", &["kernel", "cli", "standins"]),
    ("main", &["cli"]),
    ("decisions", &[]),
];

const CLI: &[&str] = &[
    "kernel",
    "config",
    "compose",
    "domain::admin",
    "http",
    "jobs",
    "upkeep",
    "adapters::http_client",
];

/// Commands that work on a stopped appliance may open the store as well.
const OPENS_THE_STORE: [&str; 2] = ["cli/reach.rs", "cli/restore.rs"];

/// Features of `domain`; each may use the rows above its own.
const TIERS: [&[&str]; 9] = [
    &["policy", "access", "expiries", "organizations", "ports"],
    &["audit", "seen", "throttle"],
    &["users", "clients", "applications", "keys", "signing"],
    &["epoch"],
    &["tokens", "upstream"],
    &["sessions", "tickets", "otp"],
    &["sign_in", "oidc"],
    &["oauth", "facades"],
    &["admin", "installation", "sweep", "health"],
];

/// The folders that may name a library.
const HOMES: &[(&str, &[&str])] = &[
    ("sled", &["store"]),
    ("bincode", &["store"]),
    ("warp", &["http", "standins"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    ("http_body_util", &["http"]),
    ("rustls", &["http"]),
    ("tokio_rustls", &["http"]),
    ("rcgen", &["crypto"]),
    ("x509_parser", &["crypto"]),
    ("argon2", &["crypto"]),
    ("rsa", &["crypto"]),
    ("ssh_key", &["crypto"]),
    ("totp_rs", &["crypto"]),
    ("lettre", &["adapters"]),
    ("clap", &["cli"]),
    ("listenfd", &["cli"]),
    ("sd_notify", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    (
        "tokio",
        &["http", "adapters", "jobs", "cli", "compose", "standins"],
    ),
    ("ical", &["render"]),
    ("reqwest", &["adapters"]),
    ("toml", &["config", "render"]),
    ("prometheus_client", &["http"]),
    ("askama", &["render"]),
    ("flate2", &["upkeep"]),
];

/// Modules that exist only for the tests of their folder.
const OF_TESTS: [&str; 2] = ["http/fixture.rs", "store/sandbox.rs"];

/// Words with one home: the wall clock and the random source.
const SOURCES: [(&str, &str); 5] = [
    ("SystemTime::now", "kernel/clock.rs"),
    ("jiff::Timestamp::now", "kernel/clock.rs"),
    ("Zoned::now", "kernel/clock.rs"),
    ("SystemRandom", "kernel/entropy.rs"),
    ("rand::fill", "kernel/entropy.rs"),
];

#[test]
fn the_tree_keeps_to_its_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    assert!(
        files.iter().any(|(path, _)| path == "lib.rs"),
        "src was not read"
    );
    let found = violations(&files);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, files);
            continue;
        }
        let name = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if matches!(kind(&name), "rs" | "md") && !OF_TESTS.contains(&name.as_str()) {
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn violations(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| kind(path) == "rs") {
        if !text.starts_with("//!") {
            found.push(said(path, 1, "a file begins with a module comment"));
        }
        let code = without_tests_and_comments(text);
        directions(path, &code, &mut found);
        words(path, &code, &mut found);
        tables(path, &code, files, &mut found);
    }
    decisions(files, &mut found);
    found
}

fn kind(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

fn said(path: &str, line: usize, rule: &str) -> String {
    format!("src/{path}:{line}: {rule}")
}

/// The code with comments and `#[cfg(test)]` modules blanked out, so that lines keep their numbers.
fn without_tests_and_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut after_cfg_test = false;
    let mut in_tests: Option<usize> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let bare = line.trim();
        if let Some(opened) = in_tests {
            if bare == "}" && indent == opened {
                in_tests = None;
            }
        } else if after_cfg_test && bare.contains("mod ") && bare.ends_with('{') {
            in_tests = Some(indent);
        } else if !bare.starts_with("//") {
            code.push_str(line.split(" // ").next().unwrap_or(line));
        }
        after_cfg_test = bare == "#[cfg(test)]" || (after_cfg_test && bare.starts_with("#["));
        code.push('\n');
    }
    code
}

fn folder_of(path: &str) -> &str {
    let first = path.split('/').next().unwrap_or(path);
    first.strip_suffix(".rs").unwrap_or(first)
}

fn directions(path: &str, code: &str, found: &mut Vec<String>) {
    let from = folder_of(path);
    if from == "lib" {
        return;
    }
    let own_line = DIRECTIONS.iter().find(|(who, _)| *who == path);
    let Some((_, allowed)) = own_line.or_else(|| DIRECTIONS.iter().find(|(who, _)| *who == from))
    else {
        found.push(said(
            path,
            1,
            &format!("`{from}` has no line in the table of directions"),
        ));
        return;
    };
    for (line, used) in paths(path, code) {
        let parts: Vec<&str> = used.split("::").collect();
        let to = parts[0];
        if parts.last() == Some(&"*") && parts.len() <= 2 {
            found.push(said(
                path,
                line,
                &format!("`use crate::{used}`: no glob import of a folder"),
            ));
        }
        let opens = to == "store" && OPENS_THE_STORE.contains(&path);
        let fits = |rule: &&str| used == **rule || used.starts_with(&format!("{rule}::"));
        if to != from && !opens && !allowed.iter().any(fits) {
            found.push(said(path, line, &format!("`{from}` may not use `{used}`")));
        }
        if to == "domain" && from == "domain" {
            tiers(path, line, &parts, found);
        }
    }
}

fn tier(feature: &str) -> Option<usize> {
    TIERS.iter().position(|row| row.contains(&feature))
}

fn tiers(path: &str, line: usize, used: &[&str], found: &mut Vec<String>) {
    let own = path
        .split('/')
        .nth(1)
        .map_or("", |part| part.trim_end_matches(".rs"));
    let to = used.get(1).copied().unwrap_or_default();
    // The context and the registry see every feature; a capital is a type of `domain/mod.rs` itself.
    let shared = ["mod", "tables"];
    if own == to
        || shared.contains(&own)
        || shared.contains(&to)
        || !to.starts_with(|c: char| c.is_lowercase())
    {
        return;
    }
    match (tier(own), tier(to)) {
        (Some(from), Some(below)) if below < from => {}
        (Some(from), Some(at)) => {
            let rule = format!("`{own}` (tier {from}) may not use `{to}` (tier {at})");
            found.push(said(path, line, &rule));
        }
        (None, _) => found.push(said(path, line, &format!("`{own}` has no tier"))),
        (_, None) => found.push(said(path, line, &format!("`{to}` has no tier"))),
    }
}

/// Every path into our own crate, spelled from its root, with the line it is on.
fn paths(path: &str, code: &str) -> Vec<(usize, String)> {
    let mut module: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    if matches!(module.last(), Some(&"mod" | &"main")) {
        module.pop();
    }
    let mut all = Vec::new();
    for start in ["crate::", "admit::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            if before.is_alphanumeric() || matches!(before, '_' | ':') {
                continue;
            }
            let mut rest = &code[at..];
            let mut base = module.clone();
            while let Some(up) = rest.strip_prefix("super::") {
                base.pop();
                rest = up;
            }
            if start != "super::" {
                base.clear();
                rest = &rest[start.len()..];
            }
            let line = code[..at].matches('\n').count() + 1;
            let mut expanded = Vec::new();
            expand(&base.join("::"), rest, &mut expanded);
            all.extend(
                expanded
                    .into_iter()
                    .filter(|used| !used.is_empty())
                    .map(|used| (line, used)),
            );
        }
    }
    all.sort();
    all.dedup();
    all
}

/// Follows one path, and into its braces; returns what is left of the text.
fn expand<'a>(base: &str, text: &'a str, all: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut inner) = text.strip_prefix('{') {
        loop {
            inner = inner.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if inner.is_empty() || inner.starts_with('}') {
                return inner.get(1..).unwrap_or_default();
            }
            let left = expand(base, inner, all);
            // A renamed or unreadable item: on to the next one.
            let next = left.find([',', '}']).unwrap_or(left.len());
            inner = &left[next..];
        }
    }
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*'))
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let here = match (base, word) {
        ("", _) => word.to_owned(),
        (_, "" | "self") => base.to_owned(),
        _ => format!("{base}::{word}"),
    };
    match rest.strip_prefix("::") {
        Some(deeper) if !deeper.starts_with('<') => expand(&here, deeper, all),
        _ => {
            all.push(here);
            rest
        }
    }
}

/// Whether `word` stands in `line` as a whole word.
fn names(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(inside) && !line[at + word.len()..].starts_with(inside)
    })
}

/// Whether a line imports the library or begins a path with its name.
fn names_library(line: &str, library: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '"');
    let path = format!("{library}::");
    let begins = line.match_indices(&path).any(|(at, _)| {
        let before = &line[..at];
        !before
            .strip_suffix("::")
            .unwrap_or(before)
            .ends_with(inside)
    });
    let imported = line
        .trim_start()
        .strip_prefix("use ")
        .map(|rest| rest.trim_start_matches("::"));
    let rest = imported.and_then(|rest| rest.strip_prefix(library));
    begins || rest.is_some_and(|rest| !rest.starts_with(inside))
}

fn words(path: &str, code: &str, found: &mut Vec<String>) {
    let from = folder_of(path);
    for (at, line) in code.lines().enumerate() {
        for (library, homes) in HOMES {
            if names_library(line, library) && !homes.contains(&from) {
                let rule = format!("`{library}` is named only in {}", homes.join(", "));
                found.push(said(path, at + 1, &rule));
            }
        }
        for (word, home) in SOURCES {
            if line.contains(word) && path != home {
                found.push(said(
                    path,
                    at + 1,
                    &format!("`{word}` is used only in {home}"),
                ));
            }
        }
        if from == "domain" && path != "domain/ports.rs" && names(line, "async") {
            found.push(said(path, at + 1, "the domain is synchronous"));
        }
    }
}

/// Every table a feature declares is in the registry, once there is one.
fn tables(path: &str, code: &str, files: &[File], found: &mut Vec<String>) {
    let Some((_, registry)) = files.iter().find(|(path, _)| path == "domain/tables.rs") else {
        return;
    };
    if folder_of(path) != "domain" || path == "domain/tables.rs" {
        return;
    }
    for (at, _) in code.match_indices("Table::named(") {
        let declared = code[..at]
            .rfind("const ")
            .map_or("", |start| &code[start + 6..at]);
        let constant = declared.split(':').next().unwrap_or_default().trim();
        let quoted = code[at..].split('"').nth(1).unwrap_or_default();
        let quoted = format!("\"{quoted}\"");
        let listed = names(registry, constant) || registry.contains(&quoted);
        if !listed {
            let line = code[..at].matches('\n').count() + 1;
            found.push(said(
                path,
                line,
                &format!("table `{constant}` is not in domain/tables.rs"),
            ));
        }
    }
}

/// Every decision is indexed, and every entry of the index exists.
fn decisions(files: &[File], found: &mut Vec<String>) {
    let Some((_, index)) = files.iter().find(|(path, _)| path == "decisions.rs") else {
        return;
    };
    let records: Vec<&str> = files
        .iter()
        .map(|(path, _)| path.as_str())
        .filter(|path| path.starts_with("decisions/"))
        .collect();
    for record in &records {
        if !index.contains(&format!("\"{record}\"")) {
            found.push(said(record, 1, "the decision is not in decisions.rs"));
        }
    }
    for (at, line) in index.lines().enumerate() {
        let entry = line.split('"').find(|part| part.starts_with("decisions/"));
        if let Some(entry) = entry.filter(|entry| !records.contains(entry)) {
            found.push(said(
                "decisions.rs",
                at + 1,
                &format!("there is no {entry}"),
            ));
        }
    }
}

/// Small trees of one file: path, code with `¶` for the end of a line, and the violation it is.
const CLIMBS: &str = "
store/a.rs | //! X.¶use crate::kernel::{Clock, id::{OrgId, UserId as Who}};
store/a.rs | use std::fmt; | 1: a file begins with a module comment
kernel/a.rs | //!¶use crate::crypto::seal; | 2: `kernel` may not use `crypto::seal`
store/a.rs | //!¶use crate::crypto::{seal::Seal, jws}; | 2: `store` may not use `crypto::jws`
http/a.rs | //!¶fn f() { crate::store::open() } | 2: `http` may not use `store::open`
http/a/b.rs | //!¶use super::super::super::store::Store; | 2: `http` may not use `store::Store`
http/a.rs | //!¶use crate::{¶    domain::Cx,¶    store,¶}; | 2: `http` may not use `store`
http/tls.rs | //!¶use crate::crypto::authority::Leaf;
http/call.rs | //!¶use crate::crypto::authority::Leaf; | 2: `http` may not use `crypto::authority::Leaf`
cli/reach.rs | //!¶use crate::store::Store;
cli/tour.rs | //!¶use crate::{adapters::http_client, render}; | 2: `cli` may not use `render`
cli/stand_ins.rs | //!¶use crate::standins::StandIns;
cli/serve.rs | //!¶use crate::standins::StandIns; | 2: `cli` may not use `standins::StandIns`
http/a.rs | //!¶use crate::standins; | 2: `http` may not use `standins`
domain/mod.rs | //!¶use crate::standins; | 2: `domain` may not use `standins`
jobs.rs | //!¶use crate::standins; | 2: `jobs` may not use `standins`
compose.rs | //!¶use crate::standins; | 2: `compose` may not use `standins`
standins/a.rs | //!¶use crate::domain::Cx; | 2: `standins` may not use `domain::Cx`
main.rs | //!¶fn main() { admit::cli::run(); admit::jobs::run() } | 2: `main` may not use `jobs::run`
extra/a.rs | //! | 1: `extra` has no line in the table of directions
domain/users/a.rs | //!¶use crate::kernel::*; | 2: `use crate::kernel::*`: no glob import of a folder
domain/clients/a.rs | //!¶use crate::domain::{Cx, access, tokens}; | 2: `clients` (tier 2) may not use `tokens` (tier 4)
domain/clients/a.rs | //!¶use crate::domain::users::User; | 2: `clients` (tier 2) may not use `users` (tier 2)
domain/clients/a.rs | //!¶use super::{Client, records};
domain/clients/a.rs | //!¶use super::super::oauth::Error; | 2: `clients` (tier 2) may not use `oauth` (tier 7)
domain/mod.rs | //!¶use crate::domain::oauth::Error;
domain/odd.rs | //!¶use crate::domain::access::Role; | 2: `odd` has no tier
domain/users/a.rs | //!¶use sled::Db; | 2: `sled` is named only in store
http/a.rs | //!¶let x: hyper::Body = tokio::spawn(crate::domain::tokio());
render/a.rs | //!¶use ::tokio as t; | 2: `tokio` is named only in http, adapters, jobs, cli, compose, standins
store/a.rs | //!¶let t = std::time::SystemTime::now(); | 2: `SystemTime::now` is used only in kernel/clock.rs
domain/users/a.rs | //!¶pub async fn f() {} | 2: the domain is synchronous
domain/ports.rs | //!¶pub async fn f() {}
kernel/a.rs | //!¶// crate::store¶#[cfg(test)]¶mod tests {¶    use crate::store;¶}¶use crate::jobs; | 7: `kernel` may not use `jobs`
";

#[test]
fn the_fence_holds_where_it_is_climbed() {
    for climb in CLIMBS.lines().filter(|line| !line.is_empty()) {
        let mut parts = climb.split(" | ");
        let (path, code) = (parts.next().unwrap(), parts.next().unwrap());
        let expected: Vec<String> = parts.map(|rule| format!("src/{path}:{rule}")).collect();
        let found = violations(&[(path.to_owned(), code.replace('¶', "\n"))]);
        assert_eq!(found, expected, "{climb}");
    }
}

#[test]
fn a_table_and_a_decision_that_nobody_lists_are_found() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let records = "//!\nconst A: Table<Id, R> = Table::named(\"a\");\nconst B: Table<Id, R> =\n    Table::named(\"b\");\n";
    let found = violations(&[
        file("domain/tables.rs", "//!\n    users::records::A,\n"),
        file("domain/users/records.rs", records),
        file(
            "decisions.rs",
            "//!\n#[doc = include_str!(\"decisions/0001-a.md\")]\n#[doc = include_str!(\"decisions/0003-c.md\")]\n",
        ),
        file("decisions/0001-a.md", ""),
        file("decisions/0002-b.md", ""),
    ]);
    let expected = [
        "src/domain/users/records.rs:4: table `B` is not in domain/tables.rs",
        "src/decisions/0002-b.md:1: the decision is not in decisions.rs",
        "src/decisions.rs:3: there is no decisions/0003-c.md",
    ];
    assert_eq!(found, expected);
}
