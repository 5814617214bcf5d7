//! What an operator sets about backups.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys::Draft;
use super::load::problem;
use super::problem::Problem;

/// When backups are made, where they stand, and what locks them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The folder for backups without a name of their own.
    pub folder: PathBuf,
    /// How often one is made; never without.
    pub every: Option<Duration>,
    /// How many of them are kept.
    pub keep: usize,
    /// What locks those made on schedule.
    pub key: BackupKey,
}

/// What locks a backup that nobody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupKey {
    /// The appliance's own master key.
    MasterKey,
    /// A passphrase in this file.
    Passphrase(PathBuf),
    /// A key in this file.
    File(PathBuf),
}

/// What was set so far.
#[derive(Debug, Default)]
pub(super) struct BackupDraft {
    pub folder: Option<PathBuf>,
    pub every: Option<Duration>,
    pub keep: Option<usize>,
    pub passphrase_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub key_credential: Option<String>,
}

impl Backup {
    /// As they are when nobody says anything.
    pub(super) fn keeping_in(data: &Path) -> Self {
        Self {
            folder: data.join("backups"),
            every: None,
            keep: KEEP,
            key: BackupKey::MasterKey,
        }
    }
}

/// What the settings come to together.
pub(super) fn settle(
    draft: &Draft,
    credentials: Option<&Path>,
    problems: &mut Vec<Problem>,
) -> Backup {
    let asked = &draft.backup;
    let usual = Backup::keeping_in(&draft.config.data);
    let named = [
        ("backup.passphrase_file", asked.passphrase_file.is_some()),
        ("backup.key_file", asked.key_file.is_some()),
        ("backup.key_credential", asked.key_credential.is_some()),
    ];
    let mut named = named.iter().filter(|(_, is_set)| *is_set);
    if let (Some((first, _)), Some((second, _))) = (named.next(), named.next()) {
        let what = format!("cannot be set together with {first}");
        problems.push(problem(draft, second, what));
    }
    Backup {
        folder: asked.folder.clone().unwrap_or(usual.folder),
        every: asked.every,
        keep: asked.keep.unwrap_or(usual.keep),
        key: key(draft, credentials, problems),
    }
}

fn key(draft: &Draft, credentials: Option<&Path>, problems: &mut Vec<Problem>) -> BackupKey {
    let asked = &draft.backup;
    if let Some(path) = &asked.passphrase_file {
        return BackupKey::Passphrase(path.clone());
    }
    if let Some(path) = &asked.key_file {
        return BackupKey::File(path.clone());
    }
    match (&asked.key_credential, credentials) {
        (None, _) => BackupKey::MasterKey,
        (Some(name), Some(folder)) => BackupKey::File(folder.join(name)),
        (Some(_), None) => {
            let what = "needs systemd's CREDENTIALS_DIRECTORY, which is not set".to_owned();
            problems.push(problem(draft, "backup.key_credential", what));
            BackupKey::MasterKey
        }
    }
}

const KEEP: usize = 14;
