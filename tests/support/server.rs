//! A real server in this process: own port, own folder, TLS by the built-in authority, a clock that tests move.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use admit::compose::{World, compose, first_run_file};
use admit::config::{Config, MasterKeySource, Upstreams};
use admit::crypto::jws::Algorithm;
use admit::domain::access::{By, Role};
use admit::domain::admin::{organization, user};
use admit::domain::clients::{self, Facts, GrantType, NewClient, Registered};
use admit::domain::policy::Policy;
use admit::domain::users::{Details, NewUser};
use admit::domain::{Appliance, Cx};
use admit::http::tls::{self, Certificate};
use admit::http::{self, AllowedHosts, Limits, Served, Settings, TrustedProxies};
use admit::kernel::{
    Clock, Entropy, ManualClock, OrgId, SeededEntropy, SystemClock, Timestamp, UserId,
};
use admit::store::{Disk, RealDisk};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};

/// When tests begin: after the date the vendors' examples were written for would be too late.
pub(crate) const START: &str = "2026-11-21T12:00:00Z";

/// How a server differs from one as it is shipped.
pub(crate) struct Setup {
    pub(crate) policy: Policy,
    pub(crate) public_url: Option<&'static str>,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) upstreams: Upstreams,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<ManualClock>,
    /// Another source of chance than the seeded one.
    pub(crate) entropy: Option<Arc<dyn Entropy>>,
    /// A folder with data in it; a fresh one without.
    pub(crate) data: Option<TempDir>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            public_url: None,
            trusted_proxies: Vec::new(),
            upstreams: Upstreams::default(),
            disk: Arc::new(RealDisk),
            clock: Arc::new(ManualClock::at(at(START))),
            entropy: None,
            data: None,
        }
    }
}

/// A server that answers.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) appliance: Arc<Appliance>,
    /// What `first-run.json` says.
    pub(crate) first_run: Value,
    policy: Policy,
    public_url: Option<&'static str>,
    trusted_proxies: Vec<IpAddr>,
    upstreams: Upstreams,
    data: TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Served>,
}

/// A confidential client: id and secret.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// A person with an account, who knows the password.
#[derive(Clone)]
pub(crate) struct Enrolled {
    pub(crate) id: UserId,
    pub(crate) name: String,
    pub(crate) password: String,
}

impl Server {
    /// As it is shipped, on its first start.
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// With other rules.
    pub(crate) async fn governed(change: impl FnOnce(&mut Policy)) -> Self {
        let mut setup = Setup::default();
        change(&mut setup.policy);
        Self::with(setup).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let data = setup.data.unwrap_or_else(|| tempfile::tempdir().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config {
            data: data.path().to_owned(),
            master_key: MasterKeySource::File(data.path().join("master.key")),
            // Inside, so that nothing is left behind; a copy of the folder is one with its witness.
            witness: Some(data.path().join("witness")),
            public_url: setup.public_url.map(|url| url.parse().unwrap()),
            policy: setup.policy.clone(),
            upstreams: setup.upstreams.clone(),
            ..Config::default()
        };
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        // TLS libraries judge a certificate by the machine's clock, whatever ours shows.
        let files = tls::prepare(data.path(), &names, SystemClock.now()).unwrap();
        let tls = Certificate::load(files).unwrap().server_config().unwrap();
        let seeded = || Arc::new(SeededEntropy::new(seed(data.path()))) as Arc<dyn Entropy>;
        let world = World {
            clock: Arc::clone(&setup.clock) as Arc<dyn Clock>,
            entropy: setup.entropy.unwrap_or_else(seeded),
            disk: setup.disk,
        };
        let appliance = compose(&config, address.port(), world).unwrap().appliance;
        let settings = Settings {
            limits: Limits::default(),
            names: AllowedHosts::new(names.iter().map(String::as_str)),
            proxies: TrustedProxies::new(setup.trusted_proxies.iter().copied()),
            drain: Duration::from_secs(5),
        };
        let (stop, stopped) = oneshot::channel();
        let entropy: Arc<dyn Entropy> = appliance.entropy();
        let running = tokio::spawn(http::serve(
            listener,
            Some(tls),
            http::routes(&appliance),
            settings,
            entropy,
            async {
                let _ = stopped.await;
            },
        ));
        let first_run = fs::read(first_run_file(data.path())).unwrap_or_default();
        Self {
            address,
            clock: setup.clock,
            appliance,
            first_run: serde_json::from_slice(&first_run).unwrap_or_default(),
            policy: setup.policy,
            public_url: setup.public_url,
            trusted_proxies: setup.trusted_proxies,
            upstreams: setup.upstreams,
            data,
            stop,
            running,
        }
    }

    /// Stops in good order; the folder, with everything closed in it.
    pub(crate) async fn stop(self) -> TempDir {
        let _ = self.stop.send(());
        self.running.await.unwrap();
        // The last answer may still be on its way out of the task that gave it.
        while Arc::strong_count(&self.appliance) > 1 {
            yield_now().await;
        }
        drop(self.appliance);
        self.data
    }

    /// The same appliance, stopped and started again on another port.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(|_| ()).await
    }

    /// The same with something done to the folder in between.
    pub(crate) async fn restart_after(self, work: impl FnOnce(&Path)) -> Self {
        let setup = Setup {
            policy: self.policy.clone(),
            public_url: self.public_url,
            trusted_proxies: self.trusted_proxies.clone(),
            upstreams: self.upstreams.clone(),
            disk: Arc::new(RealDisk),
            clock: Arc::clone(&self.clock),
            entropy: None,
            data: None,
        };
        let data = self.stop().await;
        work(data.path());
        let data = Some(data);
        Self::with(Setup { data, ..setup }).await
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.data.path().join("tls/ca.pem")
    }

    /// How many records each table has, every one of them verified.
    pub(crate) fn counts(&self) -> Vec<(String, u64)> {
        self.appliance.store().check().unwrap()
    }

    /// How many records one table has.
    pub(crate) fn count(&self, table: &str) -> u64 {
        let counts = self.counts();
        let found = counts.iter().find(|(name, _)| name == table);
        found.map_or(0, |(_, count)| *count)
    }

    /// The first client.
    pub(crate) fn first_client(&self) -> Credentials {
        let text = |name: &str| self.first_run["client"][name].as_str().unwrap().to_owned();
        Credentials {
            id: text("client_id"),
            secret: text("client_secret"),
        }
    }

    /// The first organization.
    pub(crate) fn organization(&self) -> OrgId {
        self.first_run["organization_id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Another organization, founded by the operator.
    pub(crate) fn found(&self, name: &str) -> OrgId {
        let cx = self.appliance.own_context();
        let founded = organization::create(&cx, &By::operator(), name).unwrap();
        self.settle(&cx);
        founded.id
    }

    /// A client with these roles, registered by the operator.
    pub(crate) fn register(&self, organization: &OrgId, roles: &[Role]) -> Credentials {
        self.register_as(
            organization,
            roles,
            &[GrantType::ClientCredentials],
            Algorithm::EdDsa,
        )
    }

    pub(crate) fn register_as(
        &self,
        organization: &OrgId,
        roles: &[Role],
        grants: &[GrantType],
        signing: Algorithm,
    ) -> Credentials {
        let facts = Facts {
            roles: Some(roles.to_vec()),
            grants: Some(grants.to_vec()),
            signing: Some(signing),
            ..Facts::default()
        };
        self.register_client(organization, facts)
    }

    /// A confidential client of which these are the facts, registered by the operator.
    pub(crate) fn register_client(&self, organization: &OrgId, facts: Facts) -> Credentials {
        let registered = self.registered(organization, false, facts);
        Credentials {
            id: registered.client.id.to_string(),
            secret: registered.secret.unwrap().expose().clone(),
        }
    }

    /// A public client of which these are the facts; its id.
    pub(crate) fn register_public(&self, organization: &OrgId, facts: Facts) -> String {
        self.registered(organization, true, facts)
            .client
            .id
            .to_string()
    }

    /// An account in the first organization, with these roles and a drawn password.
    pub(crate) fn user(&self, name: &str, roles: &[Role]) -> Enrolled {
        let details = Details {
            roles: Some(roles.to_vec()),
            ..Details::default()
        };
        self.enroll(&NewUser {
            name: name.to_owned(),
            details,
        })
    }

    /// An account in the first organization.
    pub(crate) fn enroll(&self, new: &NewUser) -> Enrolled {
        let cx = self.appliance.own_context();
        let enrolled = user::create(&cx, &By::operator(), &self.organization(), new).unwrap();
        self.settle(&cx);
        Enrolled {
            id: enrolled.user.id,
            name: enrolled.user.name,
            password: enrolled.password.shown().expose().clone(),
        }
    }

    fn registered(&self, organization: &OrgId, public: bool, facts: Facts) -> Registered {
        let cx = self.appliance.own_context();
        let new = NewClient {
            shared: false,
            id: None,
            public,
            facts,
        };
        let registered = clients::register(&cx, &By::operator(), organization, &new).unwrap();
        self.settle(&cx);
        registered
    }
}

impl Server {
    /// Waits until what `cx` changed is durable, as whoever asked an operation must.
    pub(crate) fn settle(&self, cx: &Cx<'_>) {
        self.appliance.store().durable(cx.awaited()).wait().unwrap();
    }
}

/// The instant RFC 3339 writes so.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Another one for every start of every test: an appliance that drew the same values again would meet its own.
fn seed(data: &Path) -> u64 {
    static STARTS: AtomicU64 = AtomicU64::new(0);
    let path = data.as_os_str().as_encoded_bytes();
    let folded = path.iter().fold(17, |seed: u64, byte| {
        seed.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    folded ^ (STARTS.fetch_add(1, Ordering::SeqCst) << 56)
}
