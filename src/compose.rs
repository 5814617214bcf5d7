//! A `Config` becomes an `Appliance`: master key, store, first start. The only place that decides in which order.
//!
//! It is written so that a start cut off at any instant can be started again: each file is whole or absent, and
//! credentials are where the operator finds them before any record needs them.

use std::cell::Cell;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::adapters::sms_gateway::{self, SmsGateway};
use crate::adapters::smtp::{self, Smtp};
use crate::adapters::spool::Spool;
use crate::adapters::{self, NotAnAuthority, Outbound, Reach};
use crate::config::{self, Config, MasterKeySource, Tls};
use crate::crypto::seal::{Keyring, MASTER_KEY_LEN};
use crate::domain::epoch::{self, Epoch};
use crate::domain::installation::{self, Plan};
use crate::domain::ports::Courier;
use crate::domain::{Appliance, Parts};
use crate::jobs::{Couriers, Doorbell};
use crate::kernel::{BaseUrl, Clock, Entropy, Fault, Secret, SystemClock, SystemEntropy};
use crate::kernel::{files, hex};
use crate::store::{self, Closed, Disk, Lock, OpenError, RealDisk, Store};
use crate::upkeep::upgrade::{self, Kept};
use crate::upkeep::{self, Answer, Order, Report, Site, Teller, storage};

/// The outside world an appliance is put into: the real one, or a test's.
#[derive(Clone)]
pub struct World {
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub entropy: Arc<dyn Entropy>,
    /// What flushing and syncing do.
    pub disk: Arc<dyn Disk>,
}

impl World {
    /// The machine's own clock, entropy and disk.
    pub fn real() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
            disk: Arc::new(RealDisk),
        }
    }
}

/// A running appliance, and whether this was its first start.
pub struct Composed {
    /// The appliance.
    pub appliance: Arc<Appliance>,
    /// The file with the first credentials, if this start wrote it.
    pub first_run: Option<PathBuf>,
}

/// Why an appliance could not be put together, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of ours.
    #[error("{path}: {cause}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The master key is not there although there are data.
    #[error(
        "the master key {path} is missing, and without it the data in {data} cannot be read: put the key back, or make it again of its shares with `admit master-key combine`",
        path = .path.display(), data = .data.display()
    )]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
        /// The data it belongs to.
        data: PathBuf,
    },
    /// The master key's file holds something else.
    #[error("{path}: a master key is {length} hexadecimal digits and nothing else", path = .0.display(), length = 2 * MASTER_KEY_LEN)]
    KeyUnreadable(PathBuf),
    /// Others on this machine can read the master key.
    #[error("{path}: others can read the master key (mode {mode:o}): run `chmod 600 {path}` and start again", path = .path.display())]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// There has never been an appliance in the folder.
    #[error("there is no appliance in {data}: run `admit init` first", data = .0.display())]
    NeverStarted(PathBuf),
    /// A restore did not end.
    #[error(
        "a restore into {data} was cut off, and what is there is not whole: run `admit restore` with the same backup again",
        data = .0.display()
    )]
    Unrestored(PathBuf),
    /// What is written now would belong to somebody else than what is there.
    #[error(
        "{data} belongs to the user with id {owner}, who could not use what another one writes: run this as that user",
        data = .data.display()
    )]
    NotOwner {
        /// The folder.
        data: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// The certificates to trust upstream are none.
    #[error("{path}: the upstreams' authority {cause}", path = .path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: NotAnAuthority,
    },
    /// A setting that can be read and not be used.
    #[error("{setting}: {words}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// Why.
        words: String,
    },
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Opens the appliance `config` describes, serving at `port`; an empty one is given its first facts.
pub fn compose(config: &Config, port: u16, world: World) -> Result<Composed, Error> {
    let opened = open(config, port, world, false)?;
    for notice in notices(&opened) {
        tracing::warn!("{notice}");
    }
    let appliance = opened.appliance;
    let first_run = install(&appliance, config)?;
    Ok(Composed {
        appliance: Arc::new(appliance),
        first_run,
    })
}

/// An appliance that nobody serves, held for the orders of its operator.
pub struct Stopped {
    opened: Opened,
    site: Site,
}

impl Stopped {
    /// Opens it. There must be one.
    pub fn open(config: &Config, world: World) -> Result<Self, Error> {
        Ok(Self {
            opened: reopen(config, world, false)?,
            site: Site {
                config: config.clone(),
                serving_since: None,
            },
        })
    }

    /// Carries an order out.
    pub fn carry_out(&self, order: &Order, tell: Teller<'_>) -> Answer {
        upkeep::execute(&self.opened.appliance, &self.site, order.clone(), tell)
    }

    /// The copy of the store from before this opening changed it, if it did and one was kept.
    pub fn copy_from_before(&self) -> Option<&Path> {
        self.opened.kept.as_ref().and_then(Kept::file)
    }
}

/// An appliance, and what became of the copy from before where another version had it last.
struct Opened {
    appliance: Appliance,
    kept: Option<Kept>,
}

/// Takes a store that is refused, because a newer one is missing, for what it is. Returns whether anything was to be
/// accepted: a store that opens stays as it is, unless everything from before shall end `anyway`.
pub fn accept_older(config: &Config, world: &World, anyway: bool) -> Result<bool, Error> {
    if !anyway {
        match reopen(config, world.clone(), false) {
            Err(Error::Store(
                OpenError::Stale { .. } | OpenError::Another { .. } | OpenError::EndLost { .. },
            )) => {}
            opened => return opened.map(|_| false),
        }
    }
    reopen(config, world.clone(), true).map(|_| true)
}

/// What the operator should hear at this start: of opening the store, and for some days of an epoch.
fn notices(opened: &Opened) -> Vec<String> {
    let appliance = &opened.appliance;
    let mut notices = appliance.store().notices().to_vec();
    notices.extend(opened.kept.as_ref().and_then(Kept::notice));
    let now = appliance.own_context().now;
    let epoch = appliance.epoch().filter(|epoch| epoch.is_recent(now));
    notices.extend(epoch.map(Epoch::words));
    notices
}

/// Carries an order about the store out on one that nobody serves; it may be damaged so that no appliance opens on it.
pub fn look(
    config: &Config,
    world: &World,
    order: &storage::Order,
    tell: Teller<'_>,
) -> Result<Answer, Error> {
    let data = &config.data;
    ours(data)?;
    let lock = Lock::take(data)?;
    let master_key = master_key(config, world.entropy.as_ref())?;
    let keyring = Keyring::derive(&master_key)?;
    let store = Closed::open(lock, data, keyring.records().clone())?;
    let from = (world.entropy.as_ref(), world.clock.now());
    let report = storage::execute_closed(&store, (config, &master_key), from, order, tell);
    Ok(upkeep::answer(report.map(Report::Store)))
}

/// There must be data, and they must be those of whoever runs this.
fn ours(data: &Path) -> Result<(), Error> {
    refuse_cut_off(data)?;
    let marker = data.join("store.marker");
    if !marker.try_exists().map_err(at(&marker))? {
        return Err(Error::NeverStarted(data.to_owned()));
    }
    owned(data)
}

fn owned(data: &Path) -> Result<(), Error> {
    let owner = fs::metadata(data).map_err(at(data))?.uid();
    if owner != rustix::process::geteuid().as_raw() {
        let data = data.to_owned();
        return Err(Error::NotOwner { data, owner });
    }
    Ok(())
}

fn reopen(config: &Config, world: World, accepts_older: bool) -> Result<Opened, Error> {
    let data = &config.data;
    let never = || Error::NeverStarted(data.clone());
    ours(data)?;
    let opened = open(config, config.listen.port(), world, accepts_older)?;
    for notice in notices(&opened) {
        // A command has no log.
        let _ = writeln!(io::stderr(), "admit: {notice}");
    }
    if installation::is_done(&opened.appliance)? {
        Ok(opened)
    } else {
        Err(never())
    }
}

/// Half of a restored appliance must not be taken for an empty one.
fn refuse_cut_off(data: &Path) -> Result<(), Error> {
    if upkeep::restore::is_cut_off(data) {
        return Err(Error::Unrestored(data.to_owned()));
    }
    Ok(())
}

/// A folder whose store is gone is not made anew: whoever moves the old one back, by `mv`, would move it into this one.
fn refuse_in_place_of_gone(config: &Config) -> Result<(), Error> {
    if config.data.exists() {
        // It is asked again under the lock.
        return Ok(());
    }
    let witness = config.witness();
    let site = store::Site {
        data_dir: &config.data,
        witness: witness.as_deref(),
        accepts_older: false,
    };
    Ok(site.check()?)
}

fn open(config: &Config, port: u16, world: World, accepts_older: bool) -> Result<Opened, Error> {
    let World {
        clock,
        entropy,
        disk,
    } = world;
    let data = &config.data;
    refuse_in_place_of_gone(config)?;
    files::make_private(data).map_err(at(data))?;
    owned(data)?;
    tighten(data)?;
    // Before the key is looked for: two first starts at once must not each draw one.
    let lock = Lock::take(data)?;
    refuse_cut_off(data)?;
    let witness = config.witness();
    let site = store::Site {
        data_dir: data,
        witness: witness.as_deref(),
        accepts_older,
    };
    site.check()?;
    let master_key = master_key(config, entropy.as_ref())?;
    let keyring = Keyring::derive(&master_key)?;
    let now = clock.now();
    let records = keyring.records().clone();
    let from = (entropy.as_ref(), now);
    let kept = Cell::new(None);
    let store = Store::open_keeping(lock, site, records, (disk, now), &|change, store| {
        let copy = upgrade::keep_copy(config, &master_key, from, change, store)?;
        kept.set(Some(copy));
        Ok(())
    })?;
    let base = base(config, port)?;
    let policy = config.policy.clone();
    let outbound = outbound(config)?;
    let parts = Parts {
        store,
        clock,
        entropy,
        keyring,
        policy,
        base,
        issuer: config.public_url.clone(),
        upstreams: adapters::upstreams_by(&outbound),
        egress: Arc::clone(outbound.ledger()),
        bell: Arc::new(Doorbell::default()),
    };
    let mut appliance = Appliance::open(parts)?;
    epoch::take_back(&mut appliance)?;
    let kept = kept.into_inner();
    Ok(Opened { appliance, kept })
}

fn outbound(config: &Config) -> Result<Arc<Outbound>, Error> {
    if config.offline {
        return Ok(Arc::new(Outbound::closed()));
    }
    let given = &config.upstreams;
    let read = |path: &PathBuf| fs::read(path).map_err(at(path));
    let reach = Reach {
        origins: given.origins.clone(),
        authority_pem: given.authority.as_ref().map(read).transpose()?,
        timeout: given.timeout,
    };
    let opened = Outbound::open(&reach).map_err(|cause| Error::Authority {
        path: given.authority.clone().unwrap_or_default(),
        cause,
    })?;
    Ok(Arc::new(opened))
}

/// What takes one-time codes away, as the configuration chooses for each channel.
pub fn couriers(config: &Config) -> Result<Couriers, Error> {
    let chosen = &config.couriers;
    let channels = [chosen.sms, chosen.voice, chosen.email];
    // Each is made once, however many channels use it, and only if one does.
    let wanted = |courier| channels.contains(&courier);
    let spool = wanted(config::Courier::Spool).then(|| {
        // The spool may be in the data folder, and is made with it.
        refuse_in_place_of_gone(config)?;
        spool(&chosen.spool)
    });
    let spool = spool.transpose()?;
    let account = chosen.smtp.as_ref();
    let mail = account.filter(|_| wanted(config::Courier::Smtp));
    let mail = mail.map(mail_courier).transpose()?;
    let account = chosen.gateway.as_ref();
    let gateway = account.filter(|_| wanted(config::Courier::Gateway));
    let gateway = gateway.map(gateway_courier).transpose()?;
    let of = |courier| match courier {
        config::Courier::Outbox => None,
        config::Courier::Spool => spool.clone(),
        config::Courier::Smtp => mail.clone(),
        config::Courier::Gateway => gateway.clone(),
    };
    Ok(Couriers {
        sms: of(chosen.sms),
        voice: of(chosen.voice),
        email: of(chosen.email),
    })
}

fn spool(folder: &Path) -> Result<Arc<dyn Courier>, Error> {
    let spool = Spool::at(folder.to_owned()).map_err(at(folder))?;
    Ok(Arc::new(spool))
}

fn mail_courier(server: &config::Smtp) -> Result<Arc<dyn Courier>, Error> {
    let (tls, usual_port) = match server.tls {
        config::SmtpTls::StartTls => (smtp::Tls::StartTls, 587),
        config::SmtpTls::Implicit => (smtp::Tls::Implicit, 465),
        config::SmtpTls::None => (smtp::Tls::None, 25),
    };
    let account = smtp::Account {
        host: server.host.clone(),
        port: server.port.unwrap_or(usual_port),
        tls,
        authority: authority("smtp.authority", server.authority.as_deref())?,
        credentials: server.credentials.clone(),
        from: server.from.clone(),
        greeting: server.greeting.clone(),
        timeout: server.timeout,
    };
    let courier = Smtp::with(account).map_err(|error| unusable("smtp.host", &error))?;
    Ok(Arc::new(courier))
}

fn gateway_courier(gateway: &config::Gateway) -> Result<Arc<dyn Courier>, Error> {
    let body = match (gateway.method, gateway.content_type) {
        (config::Method::Get, _) => sms_gateway::Body::Empty,
        (_, config::ContentType::Json) => sms_gateway::Body::Json(gateway.body.clone()),
        (_, config::ContentType::Form) => sms_gateway::Body::Form(gateway.body.clone()),
    };
    let account = sms_gateway::Account {
        url: gateway.url.clone(),
        method: gateway.method.as_str(),
        headers: gateway.headers.clone(),
        authorization: gateway.authorization.clone(),
        body,
        authority: authority("gateway.authority", gateway.authority.as_deref())?,
        timeout: gateway.timeout,
    };
    let courier = SmsGateway::with(account).map_err(|error| unusable("gateway.url", &error))?;
    Ok(Arc::new(courier))
}

fn unusable(setting: &'static str, error: &impl ToString) -> Error {
    let words = error.to_string();
    Error::Setting { setting, words }
}

/// Settings whose files or values cannot be used, each with why. It changes nothing.
pub fn unusable_settings(config: &Config) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut note = |setting: &'static str, outcome: Result<(), Error>| match outcome {
        Ok(()) => {}
        Err(Error::Setting { setting, words }) => found.push((setting, words)),
        Err(error) => found.push((setting, error.to_string())),
    };
    note("upstreams.authority", outbound(config).map(drop));
    let chosen = &config.couriers;
    if let Some(server) = &chosen.smtp {
        note("smtp.authority", mail_courier(server).map(drop));
    }
    if let Some(gateway) = &chosen.gateway {
        note("gateway.authority", gateway_courier(gateway).map(drop));
    }
    match &config.master_key {
        MasterKeySource::Credential(path) => {
            note("store.master_key_credential", read_key(path).map(drop));
        }
        MasterKeySource::File(path) if path.exists() => {
            note("store.master_key", read_key(path).map(drop));
        }
        // The first start makes it.
        MasterKeySource::File(_) => {}
    }
    found
}

/// Certificates to trust besides the system's. A file without any would be trusted for nothing, unnoticed.
fn authority(setting: &'static str, path: Option<&Path>) -> Result<Option<Vec<u8>>, Error> {
    let Some(path) = path else {
        return Ok(None);
    };
    let pem = fs::read(path).map_err(at(path))?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    if !pem.windows(begin.len()).any(|window| window == begin) {
        let words = format!("{} holds no certificate in PEM", path.display());
        return Err(Error::Setting { setting, words });
    }
    Ok(Some(pem))
}

impl Error {
    /// Whether the command was refused, and nothing is broken.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NeverStarted(_) | Self::NotOwner { .. } | Self::Unrestored(_)
        )
    }

    /// Whether another process has the folder, perhaps only for a moment.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Store(OpenError::InUse(_)))
    }
}

/// The file with the first credentials.
pub fn first_run_file(data: &Path) -> PathBuf {
    data.join("first-run.json")
}

/// Where the certificate stands that clients of this appliance must trust.
pub fn trusted_certificate(config: &Config) -> PathBuf {
    match &config.tls {
        Tls::BuiltIn => config.data.join("tls/ca.pem"),
        Tls::Files { certificate, .. } => certificate.clone(),
    }
}

fn base(config: &Config, port: u16) -> Result<BaseUrl, Fault> {
    if let Some(url) = &config.public_url {
        return Ok(url.clone());
    }
    let scheme = if config.plain_http { "http" } else { "https" };
    let host = match config.listen.ip() {
        ip if ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST => {
            "localhost".to_owned()
        }
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let base = format!("{scheme}://{host}:{port}").parse();
    base.map_err(|error| Fault::internal("our own address").because(error))
}

fn install(appliance: &Appliance, config: &Config) -> Result<Option<PathBuf>, Error> {
    let path = first_run_file(&config.data);
    let cx = appliance.own_context();
    if installation::is_done(appliance)? {
        follow_address(&path, appliance.base())?;
        installation::complete(&cx)?;
        appliance.store().durable(cx.awaited()).wait()?;
        return Ok(None);
    }
    let plan = installation::plan(&cx)?;
    // Before the records: they hold only digests, so a start cut off between the two must draw anew.
    write_private(&path, &first_run(appliance, config, &plan))?;
    installation::settle(&cx, &plan)?;
    appliance.store().durable(cx.awaited()).wait()?;
    Ok(Some(path))
}

/// Keeps `base_url` true for as long as the operator leaves the file where it is. A file of another form stays as it is.
fn follow_address(path: &Path, base: &BaseUrl) -> Result<(), Error> {
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(());
    };
    let Ok(Value::Object(mut members)) = serde_json::from_str(&text) else {
        return Ok(());
    };
    let address = Value::from(base.as_str());
    if members
        .get(BASE_URL)
        .is_none_or(|before| *before == address)
    {
        return Ok(());
    }
    members.insert(BASE_URL.to_owned(), address);
    write_private(path, &format!("{:#}\n", Value::Object(members)))
}

const BASE_URL: &str = "base_url";

fn first_run(appliance: &Appliance, config: &Config, plan: &Plan) -> String {
    let certificate = trusted_certificate(config);
    let certificate = std::path::absolute(&certificate).unwrap_or(certificate);
    let members = json!({
        BASE_URL: appliance.base().as_str(),
        "ca_certificate": certificate.display().to_string(),
        "organization_id": plan.organization().as_str(),
        "application_id": plan.application().as_str(),
        "admin": { "username": plan.admin_name(), "password": plan.admin_password.expose() },
        "client": { "client_id": plan.client().as_str(), "client_secret": plan.client_secret.expose() },
    });
    format!("{members:#}\n")
}

fn master_key(
    config: &Config,
    entropy: &dyn Entropy,
) -> Result<Secret<[u8; MASTER_KEY_LEN]>, Error> {
    let path = match &config.master_key {
        MasterKeySource::Credential(path) => return read_key(path),
        MasterKeySource::File(path) => path,
    };
    if !path.exists() {
        let has_data = ["store", "store.marker"]
            .iter()
            .any(|name| config.data.join(name).exists());
        if has_data {
            return Err(Error::KeyMissing {
                path: path.clone(),
                data: config.data.clone(),
            });
        }
        let key = entropy.bytes::<MASTER_KEY_LEN>();
        write_private(path, &format!("{}\n", hex::encode(&key)))?;
        return Ok(Secret::new(key));
    }
    let mode = fs::metadata(path).map_err(at(path))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::KeyExposed {
            path: path.clone(),
            mode,
        });
    }
    read_key(path)
}

fn read_key(path: &Path) -> Result<Secret<[u8; MASTER_KEY_LEN]>, Error> {
    let text = fs::read_to_string(path).map_err(|cause| {
        use io::ErrorKind::{InvalidData, IsADirectory};
        if matches!(cause.kind(), InvalidData | IsADirectory) {
            return Error::KeyUnreadable(path.to_owned());
        }
        at(path)(cause)
    });
    let text = Secret::new(text?);
    let key = hex::decode(text.expose().trim_end_matches('\n'));
    key.map(Secret::new)
        .ok_or_else(|| Error::KeyUnreadable(path.to_owned()))
}

/// Others on this machine could put other files in the place of ours, or read what is not a secret and nobody's business.
fn tighten(data: &Path) -> Result<(), Error> {
    let mode = fs::metadata(data).map_err(at(data))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        fs::set_permissions(data, Permissions::from_mode(0o700)).map_err(at(data))?;
        tracing::warn!(
            "others on this machine could get into {} (mode {mode:o}): from now on only its owner can (mode 700)",
            data.display()
        );
    }
    Ok(())
}

fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    files::write_private(path, text.as_bytes()).map_err(at(path))
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error::File {
        path: path.clone(),
        cause,
    }
}
