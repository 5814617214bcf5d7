//! The machine under the appliance: who may read its files, where the master key is, certificates, the disk.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Findings, Weight};
use crate::config::{Config, MasterKeySource, Tls};
use crate::crypto::authority;
use crate::kernel::Timestamp;

/// Looks at all of it.
pub(super) fn look(config: &Config, now: Timestamp, findings: &mut Findings) {
    permissions(config, findings);
    master_key(config, findings);
    first_credentials(config, findings);
    space(config, findings);
    certificates(config, now, findings);
    address(config, findings);
}

/// Nobody else may read what is in the data folder, and everything in it is ours.
fn permissions(config: &Config, findings: &mut Findings) {
    let mut found = Vec::new();
    closed(&config.data, "700", &mut found);
    let own = rustix::process::geteuid().as_raw();
    owned(&config.data, own, 0, &mut found);
    for name in SECRET_FILES {
        closed(&config.data.join(name), "600", &mut found);
    }
    if let MasterKeySource::File(path) = &config.master_key {
        closed(path, "600", &mut found);
    }
    if let Tls::Files { key, .. } = &config.tls {
        closed(key, "600", &mut found);
    }
    found.sort();
    found.dedup();
    let found = found.into_iter().map(|words| (Weight::Wrong, words));
    let well = "only the user it runs as can read its files";
    findings.add_all("permissions", found.collect(), well);
}

/// Files of the data folder that hold secrets.
const SECRET_FILES: [&str; 5] = [
    "tls",
    "tls/ca.key",
    "tls/server.key",
    "first-run.json",
    "control.sock",
];

fn closed(path: &Path, mode: &str, found: &mut Vec<String>) {
    let Ok(facts) = fs::metadata(path) else {
        return;
    };
    let mode = if facts.is_dir() { "700" } else { mode };
    if facts.mode() & 0o077 != 0 {
        let (path, now) = (path.display(), facts.mode() & 0o777);
        found.push(format!(
            "{path} is open to others (mode {now:o}): run `chmod {mode} {path}`"
        ));
    }
}

/// Files of another user are in the way of the server, which cannot change them.
fn owned(folder: &Path, own: u32, depth: usize, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(facts) = entry.metadata() else {
            continue;
        };
        let path = entry.path();
        if facts.uid() != own && found.len() < FOREIGN_MAX {
            let (owner, path) = (facts.uid(), path.display());
            found.push(format!(
                "{path} belongs to the user with id {owner}: run `chown {own} {path}`"
            ));
        }
        if facts.is_dir() && depth < DEPTH_MAX {
            owned(&path, own, depth + 1, found);
        }
    }
}

/// After so many it is plain that all of them are.
const FOREIGN_MAX: usize = 20;
const DEPTH_MAX: usize = 4;

fn master_key(config: &Config, findings: &mut Findings) {
    let what = "master key";
    let path = match &config.master_key {
        MasterKeySource::Credential(_) => {
            return findings.add(what, Weight::Well, "handed over by systemd");
        }
        MasterKeySource::File(path) => path,
    };
    let whole = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if !whole(path).starts_with(whole(&config.data)) {
        let words = format!("{}: outside the data folder", path.display());
        return findings.add(what, Weight::Well, words);
    }
    let words = format!(
        "{} is in the data folder, so that whoever copies the folder can read it all: move it while the server is stopped, \
         and name the new place in store.master_key; keep a copy of it somewhere safe, or shares of it on paper (`admit master-key split`)",
        path.display()
    );
    findings.add(what, Weight::Advice, words);
}

fn first_credentials(config: &Config, findings: &mut Findings) {
    let path = config.data.join("first-run.json");
    if !path.exists() {
        return findings.add(
            "first credentials",
            Weight::Well,
            "not lying about any more",
        );
    }
    let words = format!(
        "{} still holds the first password and secret: keep them somewhere safe and remove the file",
        path.display()
    );
    findings.add("first credentials", Weight::Advice, words);
}

/// What a disk has left for us.
#[derive(Debug, Clone, Copy)]
pub struct Free {
    /// Bytes.
    pub bytes: u64,
    /// Files, where the file system counts them.
    pub files: Option<u64>,
}

/// What is left on the disk of this folder.
pub fn free(folder: &Path) -> io::Result<Free> {
    let facts = rustix::fs::statvfs(folder)?;
    Ok(Free {
        bytes: facts.f_bavail.saturating_mul(facts.f_frsize),
        files: (facts.f_files > 0).then_some(facts.f_favail),
    })
}

fn space(config: &Config, findings: &mut Findings) {
    let what = "free space";
    let data = config.data.display();
    let free = match free(&config.data) {
        Ok(free) => free,
        Err(error) => return findings.add(what, Weight::Wrong, format!("{data}: {error}")),
    };
    let mib = free.bytes / MIB;
    let mut found = Vec::new();
    if free.bytes < BYTES_MIN {
        let words = format!("{mib} MiB are left on the disk of {data}: make room, or give it more");
        found.push((Weight::Wrong, words));
    }
    if let Some(files) = free.files.filter(|files| *files < FILES_MIN) {
        let words = format!("the disk of {data} takes only {files} more files: remove some");
        found.push((Weight::Wrong, words));
    }
    findings.add_all(what, found, &format!("{mib} MiB are left"));
}

const MIB: u64 = 1024 * 1024;
const BYTES_MIN: u64 = 512 * MIB;
const FILES_MIN: u64 = 1_000;

/// The file of the certificate clients are shown, unless a proxy shows its own.
pub fn certificate(config: &Config) -> Option<PathBuf> {
    if config.plain_http {
        return None;
    }
    Some(match &config.tls {
        Tls::BuiltIn => config.data.join("tls/server.pem"),
        Tls::Files { certificate, .. } => certificate.clone(),
    })
}

fn certificates(config: &Config, now: Timestamp, findings: &mut Findings) {
    let what = "certificate";
    let Some(path) = certificate(config) else {
        return findings.add(what, Weight::Well, "the reverse proxy has its own");
    };
    let own = matches!(config.tls, Tls::BuiltIn);
    let renewal = if own {
        "it is renewed by a running server: start it, or look at its log"
    } else {
        "put a new one in its place, which is taken up without a restart"
    };
    dated(what, &path, now, renewal, findings);
    if own {
        let renewal =
            "remove tls/ in the data folder, start again and give everybody the new tls/ca.pem";
        dated(
            "certificate authority",
            &config.data.join("tls/ca.pem"),
            now,
            renewal,
            findings,
        );
    }
    let Some(url) = &config.public_url else {
        return;
    };
    let host = url.host().trim_matches(['[', ']']);
    let Ok(pem) = fs::read_to_string(&path) else {
        return;
    };
    if authority::names(&pem, host) {
        findings.add("certificate name", Weight::Well, format!("it names {host}"));
    } else {
        let words = format!(
            "{} does not name {host}, the host of server.public_url: clients refuse it",
            path.display()
        );
        findings.add("certificate name", Weight::Wrong, words);
    }
}

fn dated(what: &str, path: &Path, now: Timestamp, renewal: &str, findings: &mut Findings) {
    let shown = path.display();
    let pem = match fs::read_to_string(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let words = format!("{shown} is not there yet: the first start makes it");
            return findings.add(what, Weight::Advice, words);
        }
        Err(error) => return findings.add(what, Weight::Wrong, format!("{shown}: {error}")),
    };
    let Some(end) = authority::ends_at(&pem) else {
        let words = format!("{shown} holds no certificate: {renewal}");
        return findings.add(what, Weight::Wrong, words);
    };
    let days = end.since(now).as_secs() / DAY;
    if end <= now {
        let words = format!("{shown} ended on {end}: {renewal}");
        findings.add(what, Weight::Wrong, words);
    } else if days < WARNED_DAYS {
        let words = format!("{shown} ends in {days} days: {renewal}");
        findings.add(what, Weight::Wrong, words);
    } else {
        findings.add(what, Weight::Well, format!("good for {days} days"));
    }
}

const DAY: u64 = 24 * 60 * 60;
const WARNED_DAYS: u64 = 30;

/// An address others cannot reach makes links and an issuer that are of no use to them.
fn address(config: &Config, findings: &mut Findings) {
    let what = "public address";
    match &config.public_url {
        Some(url) => findings.add(what, Weight::Well, url.as_str()),
        None if config.listen.ip().is_loopback() => {
            findings.add(
                what,
                Weight::Well,
                "none is needed: only this machine reaches it",
            );
        }
        None => {
            let words = "others reach this machine, and links and tokens name localhost: set server.public_url";
            findings.add(what, Weight::Advice, words);
        }
    }
}
