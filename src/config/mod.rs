//! What the program uses: every value already checked and meaningful, so that nothing asks again.
//!
//! An operator's file and environment become a [`Config`] in `load`; each setting is declared once, in `keys`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::policy::Policy;
use crate::kernel::{AddressRange, BaseUrl};

mod backup;
mod couriers;
mod effective;
mod file;
mod keys;
mod load;
mod problem;

pub use backup::{Backup, BackupKey};
pub use couriers::{ContentType, Courier, Couriers, Gateway, Method, Smtp, SmtpTls};
pub use effective::{Effective, Setting, Value, effective};
pub use keys::example;
pub use load::{Overrides, environment, load};
pub use problem::Problems;

/// How this appliance runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The folder that holds everything the appliance keeps.
    pub data: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Our own address as others see it; without one it is made from the port.
    pub public_url: Option<BaseUrl>,
    /// Host names and addresses we answer to besides the ones we find out ourselves.
    pub names: Vec<String>,
    /// Whether requests come without TLS, from a reverse proxy on this host.
    pub plain_http: bool,
    /// Reverse proxies whose `X-Forwarded-For` says who calls.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether nobody outside is ever asked.
    pub offline: bool,
    /// Where certificates come from.
    pub tls: Tls,
    /// The oldest version of TLS that is spoken.
    pub oldest_tls: TlsVersion,
    /// Where the master key is.
    pub master_key: MasterKeySource,
    /// The file outside the data folder that says how far the store has come; unset, it stands beside the folder.
    pub witness: Option<PathBuf>,
    /// How much is taken on at once.
    pub limits: Limits,
    /// What is written to the log.
    pub log: Log,
    /// Who is told how the appliance does, in figures.
    pub metrics_for: Vec<AddressRange>,
    /// Which upstreams may be asked.
    pub upstreams: Upstreams,
    /// What takes one-time codes away.
    pub couriers: Couriers,
    /// When backups are made.
    pub backup: Backup,
    /// What the rules let an operator decide.
    pub policy: Policy,
}

/// Which upstreams may be asked, besides the vendors' own, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstreams {
    /// Exact origins, which may be private: stand-ins, outbound proxies.
    pub origins: Vec<BaseUrl>,
    /// Certificates to trust besides the system's, in PEM.
    pub authority: Option<PathBuf>,
    /// How long one answer may take.
    pub timeout: Duration,
}

impl Default for Upstreams {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            authority: None,
            timeout: Duration::from_secs(5),
        }
    }
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// The built-in authority issues it.
    BuiltIn,
    /// The operator keeps it in files.
    Files {
        /// The certificate and those it is issued under, in PEM.
        certificate: PathBuf,
        /// Its private key, in PEM.
        key: PathBuf,
    },
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// Where the master key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterKeySource {
    /// In a file of ours, made at the first start.
    File(PathBuf),
    /// In a file systemd hands over, which must exist.
    Credential(PathBuf),
}

/// How much is taken on at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in all.
    pub connections: u32,
    /// Open connections from one address.
    pub connections_per_address: u32,
    /// How long requests under way may still take when the appliance stops.
    pub drain: Duration,
}

/// What is written to the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// The least weight a line must have.
    pub level: Level,
    /// How a line is written.
    pub format: Format,
}

/// The weight of a line of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Level {
    /// Something of ours broke.
    Error,
    /// Someone should look.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// What helps to find a mistake.
    Debug,
    /// Everything.
    Trace,
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            connections_per_address: 12_288,
            drain: Duration::from_secs(10),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let data = PathBuf::from("./admit-data");
        Self {
            master_key: MasterKeySource::File(data.join(MASTER_KEY)),
            couriers: Couriers::keeping_in(&data),
            backup: Backup::keeping_in(&data),
            data,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8443)),
            public_url: None,
            names: Vec::new(),
            plain_http: false,
            trusted_proxies: Vec::new(),
            offline: false,
            tls: Tls::BuiltIn,
            oldest_tls: TlsVersion::default(),
            witness: None,
            limits: Limits::default(),
            log: Log::default(),
            metrics_for: AddressRange::LOOPBACK.to_vec(),
            upstreams: Upstreams::default(),
            policy: Policy::default(),
        }
    }
}

impl Config {
    /// Where the store's witness stands: where it was told to, or beside the data folder. The root has nothing beside it.
    pub fn witness(&self) -> Option<PathBuf> {
        let beside = || {
            let data = std::path::absolute(&self.data).ok()?;
            let mut name = data.file_name()?.to_owned();
            name.push(".witness");
            Some(data.with_file_name(name))
        };
        self.witness.clone().or_else(beside)
    }
}

impl Level {
    /// The word an operator writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The master key's file in the data folder.
const MASTER_KEY: &str = "master.key";
