//! How the appliance is, at a glance: what `admit status` shows.

use std::fs;

use serde::{Deserialize, Serialize};

use super::doctor::{certificate, free};
use super::{Site, backup};
use crate::crypto::authority;
use crate::domain::{Appliance, Front};
use crate::kernel::{Fault, Timestamp};

/// How the appliance is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The version of the program that has the store open.
    pub version: String,
    /// Since when a server serves it; nobody does without.
    pub serving_since: Option<String>,
    /// Where it listens, or would.
    pub listen: String,
    /// The address others reach it at.
    pub address: String,
    /// Who issues its tokens.
    pub issuer: String,
    /// The folder that holds everything.
    pub data: String,
    /// Whether the store takes writes.
    pub takes_writes: bool,
    /// Why it takes none.
    pub trouble: Option<String>,
    /// When the latest backup was made, if any was.
    pub latest_backup: Option<String>,
    /// Since when everything from before is dead, because an older state came back.
    pub epoch_since: Option<String>,
    /// Organizations there are.
    pub organizations: u64,
    /// People with an account.
    pub users: u64,
    /// Clients.
    pub clients: u64,
    /// Applications.
    pub applications: u64,
    /// Tickets that are kept, also those that are over.
    pub tickets: u64,
    /// Customers' key pairs.
    pub key_pairs: u64,
    /// Messages that are still to be delivered.
    pub messages_waiting: u64,
    /// When the certificate ends; there is none where a proxy has it.
    pub certificate_ends: Option<String>,
    /// How much the disk of the data folder has left for us.
    pub free_bytes: Option<u64>,
    /// Memory in use by the server, where one runs.
    pub memory_bytes: Option<u64>,
    /// How far the machine's clock is behind the last instant used.
    pub clock_behind_seconds: u64,
}

/// Looks.
pub(super) fn look(on: &Appliance, site: &Site) -> Result<Status, Fault> {
    let config = &site.config;
    let store = on.store();
    let listen = config.listen.to_string();
    let certificate = certificate(config).and_then(|path| fs::read_to_string(path).ok());
    let ends = certificate.and_then(|pem| authority::ends_at(&pem));
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        serving_since: site.serving_since.as_ref().map(Timestamp::to_string),
        listen,
        address: on.base().as_str().to_owned(),
        issuer: on.issuer(Front::Security).to_owned(),
        data: config.data.display().to_string(),
        takes_writes: store.trouble().is_none(),
        trouble: store.trouble(),
        latest_backup: backup::latest(site)
            .filter(|latest| latest.error.is_none())
            .map(|latest| latest.at),
        epoch_since: on.epoch().map(|epoch| epoch.since().to_string()),
        organizations: store.view().count_named("organizations")?,
        users: store.view().count_named("users")?,
        clients: store.view().count_named("clients")?,
        applications: store.view().count_named("applications")?,
        tickets: store.view().count_named("tickets")?,
        key_pairs: store.view().count_named("keys")?,
        messages_waiting: store.view().count_named("outbox_due")?,
        certificate_ends: ends.as_ref().map(Timestamp::to_string),
        free_bytes: free(&config.data).ok().map(|free| free.bytes),
        memory_bytes: site.serving_since.and_then(|_| memory()),
        clock_behind_seconds: on.clock_lag().as_secs(),
    })
}

/// What this process has in memory (proc(5)).
fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib.saturating_mul(1024))
}
