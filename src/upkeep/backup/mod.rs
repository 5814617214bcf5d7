//! Backups of a running server or a stopped store: made, verified, listed, and kept for as long as the operator wants.
//!
//! A backup is one file that holds everything an appliance is: its records, its certificate authority and, unless it is
//! locked with it, its master key. It shows one instant, and everything answered before that is in it.

mod format;
mod lock;
mod schedule;

use std::cell::Cell;
use std::fs;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::{Error, Progress, Site, Teller, files, storage};
use crate::config::Config;
use crate::crypto::seal::is_mark;
use crate::domain::Appliance;
use crate::domain::admin;
use crate::kernel::{Entropy, Fault, Timestamp};
use crate::store::dump::{self, Contents, Damage, Dump, DumpError, LoadError};
use crate::store::{Closed, RealDisk, Store};

pub use format::Header;
pub use lock::{Key, LockedWith, Padlock, Unlock, mark, master_key, read_key, read_passphrase};
pub use schedule::make_if_due;

pub(super) use format::Reading;
pub(super) use lock::record_key;
pub(super) use schedule::{begun_by, newest, remove_oldest};

use format::{Beside, Making};
use lock::Carried;

/// What is to be done about backups.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    /// Make one.
    Create {
        /// The file, which must not be there; without one, a new one in the folder for backups.
        file: Option<PathBuf>,
        /// How it is locked.
        padlock: Padlock,
    },
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Report {
    /// It was made.
    Made(Made),
}

/// A backup that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Made {
    /// Where.
    pub file: PathBuf,
    /// How large it is.
    pub bytes: u64,
    /// The instant it shows.
    pub made_at: String,
    /// How many records it holds.
    pub records: u64,
    /// How many of each table.
    pub tables: Vec<(String, u64)>,
    /// What opens it.
    pub locked_with: String,
}

/// What came of the latest backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// When it was tried.
    pub at: String,
    /// Where it is, or would be.
    pub file: PathBuf,
    /// How large it is.
    pub bytes: Option<u64>,
    /// Whether it was opened and every record verified.
    pub is_verified: bool,
    /// Why there is none, or why it was not verified.
    pub error: Option<String>,
    /// What the schedule made and has not verified yet, whatever was made since.
    #[serde(default)]
    pub to_verify: Option<PathBuf>,
    /// When the newest one by the clock was verified, whatever came of those since.
    #[serde(default)]
    pub verified_at: Option<String>,
}

/// Does it.
pub(super) fn execute(
    on: &Appliance,
    site: &Site,
    order: Order,
    tell: Teller<'_>,
) -> Result<Report, Error> {
    let Order::Create { file, padlock } = order;
    let file = match file {
        Some(file) => file,
        None => new_file(on, &site.config)?,
    };
    create(on, site, &file, &padlock, tell).map(Report::Made)
}

/// Makes one, on the record; what came of it is kept.
pub(super) fn create(
    on: &Appliance,
    site: &Site,
    file: &Path,
    padlock: &Padlock,
    tell: Teller<'_>,
) -> Result<Made, Error> {
    let made = make(on, site, file, padlock, tell);
    // What was refused was never begun.
    if !matches!(&made, Err(error) if !error.is_fault()) {
        let outcome = Outcome {
            at: on.own_context().now.to_millis().to_string(),
            file: file.to_owned(),
            bytes: made.as_ref().ok().map(|made| made.bytes),
            is_verified: false,
            error: made.as_ref().err().map(ToString::to_string),
            to_verify: latest(site).and_then(|latest| latest.to_verify),
            verified_at: None,
        };
        keep_outcome(&site.config, outcome);
    }
    made
}

/// Makes one, on the record.
fn make(
    on: &Appliance,
    site: &Site,
    file: &Path,
    padlock: &Padlock,
    tell: Teller<'_>,
) -> Result<Made, Error> {
    recorded(on, site, file, tell, &|maker| {
        maker.make(file, padlock, Damage::Refuse, &|out, how| {
            on.store().dump(out, how)
        })
    })
}

/// Everything that can still be read of a damaged store, and what was left out.
pub fn salvage(
    on: &Appliance,
    site: &Site,
    file: &Path,
    padlock: &Padlock,
    tell: Teller<'_>,
) -> Result<Salvaged, Error> {
    recorded(on, site, file, tell, &|maker| {
        maker.salvage(file, padlock, &|out, how| on.store().dump(out, how))
    })
}

/// The same for a store no server would start on. Nobody can be told on its record.
pub fn salvage_closed(
    store: &Closed,
    (config, master_key): (&Config, &Key),
    (entropy, now): (&dyn Entropy, Timestamp),
    (file, padlock): (&Path, &Padlock),
    tell: Teller<'_>,
) -> Result<Salvaged, Error> {
    let maker = Maker {
        config,
        master_key,
        entropy,
        now: &|| now,
        tell,
    };
    maker.salvage(file, padlock, &|out, how| store.dump(out, how))
}

/// What could be read of a store, and what could not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Salvaged {
    /// The backup that holds it.
    pub made: Made,
    /// What is missing there, by table and key.
    pub left_out: Vec<String>,
}

/// Has one made, and says first on the record that it was begun.
fn recorded<T>(
    on: &Appliance,
    site: &Site,
    file: &Path,
    tell: Teller<'_>,
    make: &dyn Fn(&Maker<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let cx = on.own_context();
    admin::record(&cx, "backup.begun", &file.display().to_string())?;
    on.store().durable(cx.awaited()).wait()?;
    let entropy = on.entropy();
    make(&Maker {
        config: &site.config,
        master_key: &own_key(on, &site.config)?,
        entropy: entropy.as_ref(),
        now: &|| on.own_context().now,
        tell,
    })
}

/// The master key, if it is still the one the store was opened with.
fn own_key(on: &Appliance, config: &Config) -> Result<Key, Error> {
    let key = master_key(config)?;
    if on.store().is_checked_with(&record_key(&key)?) {
        return Ok(key);
    }
    Err(Error::Refused(
        "the master key was exchanged since the store was opened: put back the one the store was made with".to_owned(),
    ))
}

/// What a backup is made of, besides the store.
pub(super) struct Maker<'a> {
    pub(super) config: &'a Config,
    pub(super) master_key: &'a Key,
    pub(super) entropy: &'a dyn Entropy,
    pub(super) now: &'a dyn Fn() -> Timestamp,
    pub(super) tell: Teller<'a>,
}

/// Writes a store's records.
pub(super) type Dumping<'a> = &'a dyn Fn(&mut dyn Write, Dump<'_>) -> Result<Contents, DumpError>;

impl Maker<'_> {
    fn salvage(
        &self,
        file: &Path,
        padlock: &Padlock,
        dumping: Dumping<'_>,
    ) -> Result<Salvaged, Error> {
        let mut left_out = Vec::new();
        let made = self.make(file, padlock, Damage::Skip(&mut left_out), dumping)?;
        Ok(Salvaged { made, left_out })
    }

    pub(super) fn make(
        &self,
        file: &Path,
        padlock: &Padlock,
        damage: Damage<'_>,
        dumping: Dumping<'_>,
    ) -> Result<Made, Error> {
        let locked_with = padlock.with.clone();
        let is_own = locked_with == LockedWith::MasterKey;
        let beside = Beside {
            master_key: (!is_own).then(|| Carried(self.master_key.clone())),
            files: authority(&self.config.data)?,
        };
        let header = Header::new((self.now)(), locked_with, self.entropy);
        let mut making = Making::begin(file, &header, padlock.key(self.master_key), &beside)?;
        let tell = |done, of| {
            (self.tell)(Progress {
                what: "records written".to_owned(),
                done,
                of: Some(of),
            });
        };
        let how = Dump {
            damage,
            now: self.now,
            tell: &tell,
        };
        let contents = dumping(&mut making, how).map_err(|error| match error {
            DumpError::Busy | DumpError::Overtaken | DumpError::Leaving => {
                Error::Refused(error.to_string())
            }
            DumpError::Target(cause) => files::broke(file)(cause),
            DumpError::Fault(fault) => fault.into(),
        })?;
        Ok(Made {
            file: file.to_owned(),
            bytes: making.finish()?,
            made_at: contents.made_at.to_millis().to_string(),
            records: contents.records(),
            tables: contents.tables,
            locked_with: header.locked_with.words().to_owned(),
        })
    }
}

/// The files of the built-in certificate authority: without them nobody trusts the appliance that is restored.
fn authority(data: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let folder = Path::new(AUTHORITY);
    let whole = data.join(folder);
    let mut all = Vec::new();
    let entries = match fs::read_dir(&whole) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
        entries => entries.map_err(files::broke(&whole))?,
    };
    for entry in entries {
        let entry = entry.map_err(files::broke(&whole))?;
        let path = folder.join(entry.file_name());
        let facts = entry.metadata().map_err(files::broke(&path))?;
        if !facts.is_file() || facts.len() > AUTHORITY_FILE_MAX {
            continue;
        }
        let text = fs::read_to_string(entry.path()).map_err(files::broke(&path))?;
        all.push((path, text));
    }
    all.sort();
    Ok(all)
}

/// What a backup was found to hold.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// The file.
    pub file: PathBuf,
    /// How large it is.
    pub bytes: u64,
    /// The version of the program that made it.
    pub program: String,
    /// The instant it shows.
    pub made_at: String,
    /// The schema of its records.
    pub schema: u32,
    /// How many records it holds.
    pub records: u64,
    /// How many of each table.
    pub tables: Vec<(String, u64)>,
    /// What opens it.
    pub locked_with: String,
    /// Whether the master key is inside.
    pub carries_master_key: bool,
    /// The other files inside.
    pub files: Vec<PathBuf>,
    /// Whether it is what was left of a damaged store.
    pub is_salvaged: bool,
}

/// Makes a store of a backup in scratch space, verifies every record and every count in it, and removes it again.
pub fn verify(
    config: &Config,
    file: &Path,
    unlock: &Unlock,
    now: Timestamp,
    tell: Teller<'_>,
) -> Result<Verified, Error> {
    verify_until(&AtomicBool::new(false), config, (file, unlock), now, tell)
}

/// The same, which ends soon and without a result when it `is_over`.
fn verify_until(
    is_over: &AtomicBool,
    config: &Config,
    (file, unlock): (&Path, &Unlock),
    now: Timestamp,
    tell: Teller<'_>,
) -> Result<Verified, Error> {
    let mut reading = Reading::open(file, unlock)?;
    let key = record_key(&reading.master_key(unlock)?)?;
    let scratch = scratch(config, Some(file))?;
    let told = |done| (tell)(counted("records read", done));
    let from = &mut reading;
    let mut from = Until { is_over, from };
    let contents = dump::load(&mut from, scratch.path(), &key, false, &told);
    let contents = contents.map_err(|error| unusable(file, error))?;
    let opened = Store::open(scratch.path(), key, Arc::new(RealDisk), now);
    let store = opened.map_err(|error| format::damaged(file, &error.to_string()))?;
    let tables = checked(&store, file, is_over)?;
    drop(store);
    let facts = fs::metadata(file).map_err(files::broke(file))?;
    Ok(Verified {
        file: file.to_owned(),
        bytes: facts.len(),
        program: format::plain(&reading.header.program),
        made_at: contents.made_at.to_millis().to_string(),
        schema: contents.schema,
        records: tables.iter().map(|(_, count)| count).sum(),
        tables,
        locked_with: reading.header.locked_with.words().to_owned(),
        carries_master_key: reading.beside.master_key.is_some(),
        files: reading
            .beside
            .files
            .into_iter()
            .map(|(path, _)| path)
            .collect(),
        is_salvaged: contents.is_salvaged,
    })
}

/// Reads until it is over.
struct Until<'a, R> {
    is_over: &'a AtomicBool,
    from: &'a mut R,
}

impl<R: Read> Read for Until<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.is_over.load(Ordering::SeqCst) {
            return Err(io::Error::other(ENDED));
        }
        self.from.read(to)
    }
}

fn checked(store: &Store, file: &Path, is_over: &AtomicBool) -> Result<Vec<(String, u64)>, Error> {
    let examined = store.examine(&mut |_, _| {
        if is_over.load(Ordering::SeqCst) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    if let Some(damage) = examined.damage.first() {
        return Err(format::damaged(file, &damage.to_string()));
    }
    if !examined.is_complete {
        return Err(format::damaged(file, ENDED));
    }
    let tables = examined.tables.into_iter();
    Ok(tables.map(|found| (found.table, found.records)).collect())
}

/// What a backup that does not load is told as.
pub(super) fn unusable(file: &Path, error: LoadError) -> Error {
    match error {
        LoadError::Source(cause) => format::unreadable(file, &cause),
        LoadError::Damaged(_) | LoadError::Newer { .. } | LoadError::Fault(_) => {
            format::damaged(file, &error.to_string())
        }
        LoadError::Store(error) => Fault::internal("no store could be made of it")
            .because(error)
            .into(),
    }
}

pub(super) fn counted(what: &str, done: u64) -> Progress {
    Progress {
        what: what.to_owned(),
        done,
        of: None,
    }
}

/// A folder for a copy of the store, or of a backup's.
pub(super) fn scratch(config: &Config, of: Option<&Path>) -> Result<files::Scratch, Error> {
    files::Scratch::within(&scratch_space(config), scratch_bytes(config, of)?)
}

/// How large that may become: another appliance's backup may hold more than the store here.
fn scratch_bytes(config: &Config, of: Option<&Path>) -> Result<u64, Error> {
    let store = storage::folder_bytes(&config.data.join("store"))?;
    let backup = of.and_then(|file| fs::metadata(file).ok());
    Ok(store.max(backup.map_or(0, |facts| facts.len())))
}

/// Removes what backups left there that were killed.
pub(super) fn remove_unfinished(folder: &Path) {
    files::remove_unfinished(folder, &format!(".{ENDING}{}", format::UNFINISHED));
}

/// Where records may stand in plain: beside those that do.
fn scratch_space(config: &Config) -> files::Place {
    if config.data.is_dir() {
        return files::Place::Own(config.data.clone());
    }
    files::Place::Shared(std::env::temp_dir())
}

/// A backup in a folder.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The file.
    pub file: PathBuf,
    /// How large it is.
    pub bytes: u64,
    /// When it was begun.
    pub begun_at: String,
    /// The version of the program that made it.
    pub program: String,
    /// What opens it.
    pub locked_with: String,
    /// Whose it is, as the name says that it was given where nobody chose one.
    pub mark: Option<String>,
}

/// The mark of the appliance a name was given by.
fn mark_in(file: &Path) -> Option<&str> {
    let name = file.file_name()?.to_str()?;
    let (mark, _) = name.strip_prefix(OURS)?.split_once('-')?;
    is_mark(mark).then_some(mark)
}

/// The backups in a folder, the oldest first. Their headers are believed: nothing is opened.
pub fn list(folder: &Path) -> Result<Vec<Listed>, Error> {
    let refused = |error| Error::Refused(format!("{}: {error}", folder.display()));
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(refused)?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(refused)?.path();
        if path.extension().is_none_or(|ending| ending != ENDING) {
            continue;
        }
        // What is no file may keep whoever opens it waiting.
        let Ok(facts) = fs::metadata(&path) else {
            continue;
        };
        if !facts.is_file() {
            continue;
        }
        let Ok(header) = format::header(&path) else {
            continue;
        };
        all.push(Listed {
            bytes: facts.len(),
            begun_at: format::plain(&header.begun_at),
            program: format::plain(&header.program),
            locked_with: header.locked_with.words().to_owned(),
            mark: mark_in(&path).map(format::plain),
            file: path,
        });
    }
    all.sort_by(|a, b| (&a.begun_at, &a.file).cmp(&(&b.begun_at, &b.file)));
    Ok(all)
}

/// What came of the latest backup, whoever asked for it; `None` when none was ever tried, or nobody can read that.
pub fn latest(site: &Site) -> Option<Outcome> {
    noted(&site.config.data)
}

/// When the newest backup by the clock that was verified was made, as is noted in the data folder.
pub fn verified_at(data: &Path) -> Option<Timestamp> {
    noted(data)?.verified_at?.parse().ok()
}

fn noted(data: &Path) -> Option<Outcome> {
    let text = fs::read(data.join(LATEST)).ok()?;
    serde_json::from_slice(&text).ok()
}

fn keep_outcome(config: &Config, mut outcome: Outcome) {
    if outcome.verified_at.is_none() {
        let before = noted(&config.data);
        outcome.verified_at = before.and_then(|before| before.verified_at);
    }
    let kept = serde_json::to_vec_pretty(&outcome).map_err(Into::into);
    let path = config.data.join(LATEST);
    if let Err(error) = kept.and_then(|text| files::write_private(&path, &text)) {
        tracing::warn!(
            "what came of the backup cannot be noted in {}: {error}",
            path.display()
        );
    }
}

/// A file that is not there yet, in the folder for backups.
fn new_file(on: &Appliance, config: &Config) -> Result<PathBuf, Error> {
    let folder = &config.backup.folder;
    let made = files::make_private(folder);
    made.map_err(|error| Error::Refused(format!("{}: {error}", folder.display())))?;
    let what = format!("{OURS}{}", on.mark());
    Ok(named(folder, &what, on.own_context().now))
}

/// A name in `folder` nobody has yet, and nobody is making.
pub(super) fn named(folder: &Path, what: &str, now: Timestamp) -> PathBuf {
    let when = now.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string();
    let number = Cell::new(0);
    let next = || {
        let again = number.replace(number.get() + 1);
        let again = if again == 0 {
            String::new()
        } else {
            format!("-{again}")
        };
        folder.join(format!("{what}-{when}{again}.{ENDING}"))
    };
    let mut path = next();
    while path.exists() || files::beside(&path, format::UNFINISHED).exists() {
        path = next();
    }
    path
}

/// What [`named`] was given, if it gave that name: before the date, and the number where one date had several.
pub(super) fn named_for(name: &str) -> Option<&str> {
    let name = name.strip_suffix(ENDING)?.strip_suffix('.')?;
    let (before, last) = name.rsplit_once('-')?;
    if is_date(last) {
        return Some(before);
    }
    let (before, date) = before.rsplit_once('-')?;
    let is_again = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    (is_again && is_date(date)).then_some(before)
}

/// Such as `20261121T120000Z`.
fn is_date(text: &str) -> bool {
    let fits = |(byte, form): (u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        letter => byte == letter,
    };
    text.len() == DATE_FORM.len() && text.bytes().zip(*DATE_FORM).all(fits)
}

const DATE_FORM: &[u8; 16] = b"00000000T000000Z";
const AUTHORITY: &str = "tls";
const ENDED: &str = "the verification was ended";
const AUTHORITY_FILE_MAX: u64 = 256 * 1024;
const ENDING: &str = "admit";
/// What names begin with that nobody chose.
const OURS: &str = "admit-";
const LATEST: &str = "last-backup.json";
