//! What the appliance itself knows: its clock, its keys, messages on their way, what the store holds.

use std::path::PathBuf;
use std::time::Duration;

use super::{Findings, Weight};
use crate::config::Courier;
use crate::domain::admin::review::{Review, review};
use crate::domain::otp::outbox;
use crate::domain::{Appliance, Cx, signing};
use crate::kernel::{ClientId, Fault, Timestamp};
use crate::store::Witnessed;
use crate::upkeep::backup::{self, Outcome};
use crate::upkeep::{Error, Site};

/// What is known without reading the store through.
pub(super) fn look(on: &Appliance, site: &Site, findings: &mut Findings) {
    let cx = on.own_context();
    clock(on, findings);
    signing_keys(&cx, site, findings);
    couriers(site, findings);
    witness(on, findings);
    epoch(on, &cx, findings);
    backups(on, site, &cx, findings);
}

/// Whether an older copy of the data folder would be noticed.
fn witness(on: &Appliance, findings: &mut Findings) {
    match on.store().witnessed() {
        Witnessed::At(path) => {
            let words = format!("{} says how far the store has come", path.display());
            findings.add("witness", Weight::Well, words);
        }
        Witnessed::Nowhere => findings.add(
            "witness",
            Weight::Advice,
            "there is none: an older copy of the data folder would not be noticed",
        ),
        Witnessed::NotAt(path, why) => {
            let words = format!(
                "{}: {why}: an older copy of the data folder would not be noticed. Make the folder writable, or name another place by store.witness",
                path.display()
            );
            findings.add("witness", Weight::Wrong, words);
        }
    }
}

/// Whether everything was taken back lately, so that people and clients must be seen to.
fn epoch(on: &Appliance, cx: &Cx<'_>, findings: &mut Findings) {
    if let Some(epoch) = on.epoch().filter(|epoch| epoch.is_recent(cx.now)) {
        findings.add("older state", Weight::Advice, epoch.words());
    }
}

/// Whether there is a backup, and how old it is.
fn backups(on: &Appliance, site: &Site, cx: &Cx<'_>, findings: &mut Findings) {
    let latest = backup::latest(site);
    if let Some(Outcome {
        at,
        error: Some(why),
        ..
    }) = &latest
    {
        let words = format!("the latest, at {at}, failed: {why}");
        return findings.add("backup", Weight::Wrong, words);
    }
    if let Some(every) = site.config.backup.every {
        let newest = backup::newest(on, &site.config, cx.now);
        let (weight, words) = by_schedule(newest, latest, (every, cx.now));
        return findings.add("backup", weight, words);
    }
    let Some(latest) = latest else {
        let words =
            "none was made yet: `admit backup create`, or backup.every_hours for a schedule";
        return findings.add("backup", Weight::Advice, words);
    };
    let at: Option<Timestamp> = latest.at.parse().ok();
    let is_old = at.is_none_or(|at| cx.now.since(at) > OLD_BACKUP);
    let weight = if is_old { Weight::Advice } else { Weight::Well };
    let words = format!("the latest is of {}: {}", latest.at, latest.file.display());
    findings.add("backup", weight, words);
}

/// The same where the clock makes them: one may be late, and no second one.
fn by_schedule(
    newest: Result<Option<(PathBuf, Timestamp)>, Error>,
    latest: Option<Outcome>,
    (every, now): (Duration, Timestamp),
) -> (Weight, String) {
    let (file, begun) = match newest {
        Ok(Some(newest)) => newest,
        Ok(None) => {
            let words = "the schedule made none yet: let the server run";
            return (Weight::Advice, words.to_owned());
        }
        Err(why) => return (Weight::Wrong, why.to_string()),
    };
    let (file, begun_at) = (file.as_path(), begun.to_millis());
    let shown = file.display();
    if now.since(begun) > every.saturating_mul(2) {
        let words = format!(
            "the latest of the schedule is of {begun_at}, more than twice backup.every_hours ago: {shown}. Let the server run, and look into its log"
        );
        return (Weight::Wrong, words);
    }
    if latest.is_some_and(|latest| latest.to_verify.as_deref() == Some(file)) {
        let words = format!(
            "the latest, of {begun_at}, was made and not verified yet: {shown}. A server that runs does it, or `admit backup verify`"
        );
        return (Weight::Advice, words);
    }
    let words = format!("the latest is of {begun_at}: {shown}");
    (Weight::Well, words)
}

/// Whoever loses more than a week would rather have been told.
const OLD_BACKUP: Duration = Duration::from_hours(7 * 24);

/// What is in the store.
pub(super) fn stored(on: &Appliance, deep: bool, findings: &mut Findings) -> Result<(), Fault> {
    let cx = on.own_context();
    match on.store().trouble() {
        Some(words) => findings.add("store", Weight::Wrong, words),
        None => store(on, deep, findings),
    }
    messages(&cx, findings)?;
    let review = review(&cx, deep)?;
    let disagreements = review.disagreements.iter();
    let disagreements = disagreements.map(|words| {
        (
            Weight::Wrong,
            format!("{words}: restore a backup, or export what can be read"),
        )
    });
    findings.add_all(
        "lists",
        disagreements.collect(),
        "agree with what they list",
    );
    clients(&review, findings);
    tickets(&review, findings);
    Ok(())
}

fn store(on: &Appliance, deep: bool, findings: &mut Findings) {
    if !deep {
        let words = "takes writes; `admit doctor --deep` reads every record";
        return findings.add("store", Weight::Well, words);
    }
    match on.store().check() {
        Ok(tables) => {
            let records: u64 = tables.iter().map(|(_, count)| count).sum();
            let words = format!("takes writes; {records} records are whole");
            findings.add("store", Weight::Well, words);
        }
        Err(fault) => {
            let words =
                format!("it is damaged: {fault}. Restore a backup, or export what can be read");
            findings.add("store", Weight::Wrong, words);
        }
    }
}

fn clock(on: &Appliance, findings: &mut Findings) {
    let Some(behind) = on.clock_is_behind() else {
        return findings.add("clock", Weight::Well, "not behind the last instant used");
    };
    let words = format!(
        "the machine's clock is {} s behind the last instant used, and time stands still until it has caught up: set it right",
        behind.as_secs()
    );
    findings.add("clock", Weight::Wrong, words);
}

/// A server that runs rotates them by itself; one that was stopped for long does it when it starts.
fn signing_keys(cx: &Cx<'_>, site: &Site, findings: &mut Findings) {
    let policy = &site.config.policy.signing;
    let late = policy.rotate_every.saturating_add(LATE);
    let keys = signing::list(cx);
    let current = keys.iter().filter(|key| key.life == "current");
    let overdue = current.filter(|key| cx.now.since(key.since) > late);
    let found = overdue.map(|key| {
        let words = format!(
            "the {} key signs since {}: let the server run, or `admit signing-key rotate`",
            key.algorithm.name(),
            key.since
        );
        (Weight::Wrong, words)
    });
    let well = format!(
        "each signs for {} days at most",
        policy.rotate_every.as_secs() / DAY
    );
    findings.add_all("signing keys", found.collect(), &well);
}

const DAY: u64 = 24 * 60 * 60;
const LATE: Duration = Duration::from_hours(24);

fn couriers(site: &Site, findings: &mut Findings) {
    let chosen = &site.config.couriers;
    let channels = [
        ("codes.sms", chosen.sms),
        ("codes.voice", chosen.voice),
        ("codes.email", chosen.email),
    ];
    let kept = channels.iter().filter(|(_, by)| *by == Courier::Outbox);
    let kept: Vec<&str> = kept.map(|(key, _)| *key).collect();
    if kept.is_empty() {
        return findings.add("couriers", Weight::Well, "every channel has one");
    }
    let words = format!(
        "nobody delivers what {} leave in the outbox: codes are kept for you (`admit outbox`) until you choose another courier",
        kept.join(", ")
    );
    findings.add("couriers", Weight::Advice, words);
}

/// A message is tried for as long as its code is good, so that one that failed several times is not far from being lost.
fn messages(cx: &Cx<'_>, findings: &mut Findings) -> Result<(), Fault> {
    let all = outbox::list(cx)?;
    let stuck = all
        .iter()
        .filter(|one| one.state == "waiting" && one.tries >= TRIES);
    let lost = all.iter().filter(|one| one.state == "given up");
    let mut found = Vec::new();
    for (one, what) in stuck
        .map(|one| (one, "is not delivered"))
        .chain(lost.map(|one| (one, "was given up")))
    {
        let reason = one.reason.as_deref().unwrap_or("nobody took it in time");
        let words = format!(
            "a message by {} {what}: {reason}. Look at the courier",
            one.channel.name()
        );
        found.push((Weight::Wrong, words));
    }
    found.sort();
    found.dedup();
    findings.add_all("messages", found, "none is stuck");
    Ok(())
}

const TRIES: u32 = 3;

fn clients(review: &Review, findings: &mut Findings) {
    let mut found = Vec::new();
    let mut switched_on = |clients: &[ClientId], grant: &str, why: &str| {
        for client in clients {
            let words = format!(
                "client {client} has the grant {grant}, {why}: if it can do without, \
                 `admit client update {client} --grant ...` with the others"
            );
            found.push((Weight::Advice, words));
        }
    };
    switched_on(
        &review.passwords,
        "password",
        "which shows it people's passwords",
    );
    switched_on(
        &review.implicit,
        "implicit",
        "which puts tokens into addresses",
    );
    for (client, uri) in &review.bare_origins {
        let words = format!(
            "client {client} has the redirect URI {uri}, which reaches every path there: register whole addresses"
        );
        found.push((Weight::Advice, words));
    }
    findings.add_all(
        "clients",
        found,
        "no old grant is switched on, no redirect URI reaches far",
    );
}

/// Security.md G19: at most one hit in a hundred years.
fn tickets(review: &Review, findings: &mut Findings) {
    let Review {
        short_tickets,
        hits_a_year,
        ..
    } = review;
    let words = format!(
        "{short_tickets} short tickets can be used now; guessing all year long hits {hits_a_year:.4} of them"
    );
    if *hits_a_year <= HITS_MAX {
        return findings.add("guessing tickets", Weight::Well, words);
    }
    let words = format!(
        "{words}: ask for tickets of 9 letters and more, or lower tickets.wrong_guesses_short_per_hour"
    );
    findings.add("guessing tickets", Weight::Wrong, words);
}

const HITS_MAX: f64 = 0.01;
