//! Local imitations of the outside world, for evaluation without a network and for our tests.
//!
//! One listener plays Genesys Cloud, Talkdesk, NICE CXone and an SMS gateway, each as far as `wire.md` 4 says that we
//! need it, and so that the vendors' own SDKs take it for the real thing. What it received is in a journal, and it can
//! be told to fail. It must know nothing of the appliance: only `admit stand-ins` and our tests come here, so that no
//! server can ever be served by it without being told its address.

mod asked;
mod faults;
mod genesys_cloud;
mod issued;
mod journal;
mod nice;
mod page;
mod sms_gateway;
mod talkdesk;

use std::fs::{self, DirBuilder};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use warp::Filter;
use warp::http::StatusCode;

use self::asked::{Asked, answer, oauth_error};
use self::faults::Faults;
use self::issued::{Holder, Issued, Use};
use self::journal::Journal;
use crate::http::tls::{self, Certificate};
use crate::http::{
    AllowedHosts, Arrival, Limits, Response, Routes, Served, Settings, TrustedProxies, serve,
};
use crate::kernel::{Clock, Entropy, SystemClock, SystemEntropy};

pub use self::faults::{Fault, Kind};
pub use self::genesys_cloud::{AUTHORIZATION_CODES, QUEUES};
pub use self::journal::Entry;

/// What the imitation of Genesys Cloud knows its client by: id and secret.
pub const GENESYS_CLIENT: (&str, &str) = ("genesys-client", "genesys-secret");
/// The same of Talkdesk.
pub const TALKDESK_CLIENT: (&str, &str) = ("talkdesk-client", "talkdesk-secret");
/// The same of NICE.
pub const NICE_CLIENT: (&str, &str) = ("nice-client", "nice-secret");
/// The refresh token Talkdesk takes before it has issued one.
pub const TALKDESK_REFRESH: &str = "talkdesk-refresh";
/// The same of NICE.
pub const NICE_REFRESH: &str = "nice-refresh";

/// How stand-ins are to be started.
pub struct Setup {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where their certificate authority is kept; without it in a folder that goes with them.
    pub folder: Option<PathBuf>,
    /// Without TLS.
    pub plain_http: bool,
    /// What their journal and their tokens go by.
    pub clock: Arc<dyn Clock>,
    /// What they draw tokens and ids from.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            folder: None,
            plain_http: false,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
        }
    }
}

/// Why stand-ins cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not to be had.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The folder cannot be made.
    #[error("{path}: {1}", path = .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// There is no certificate to be had.
    #[error(transparent)]
    Tls(#[from] tls::Error),
}

/// Running stand-ins; they stop when this is dropped.
pub struct StandIns {
    address: SocketAddr,
    scene: Arc<Scene>,
    authority: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Served>,
    /// A folder made for them alone goes with them.
    own: Option<PathBuf>,
}

impl StandIns {
    /// On a free port of 127.0.0.1, over HTTPS by an authority of their own.
    pub async fn start() -> Result<Self, Error> {
        Self::with(Setup::default()).await
    }

    /// As they are told.
    pub async fn with(setup: Setup) -> Result<Self, Error> {
        let listening = |error| Error::Listen(setup.listen, error);
        let listener = TcpListener::bind(setup.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let own = match setup.folder {
            Some(_) => None,
            None => Some(temporary(&*setup.entropy)?),
        };
        let folder = setup.folder.or_else(|| own.clone()).unwrap_or_default();
        let names = names(address);
        let tls = if setup.plain_http {
            None
        } else {
            // TLS libraries judge a certificate by the machine's clock, whatever ours shows.
            let files = tls::prepare(&folder, &names, SystemClock.now())?;
            Some(Certificate::load(files)?.server_config()?)
        };
        let scheme = if setup.plain_http { "http" } else { "https" };
        let scene = Arc::new(Scene::new(
            format!("{scheme}://{address}"),
            setup.clock,
            Arc::clone(&setup.entropy),
        ));
        let settings = Settings {
            limits: Limits::default(),
            names: AllowedHosts::new(names.iter().map(String::as_str)),
            proxies: TrustedProxies::default(),
            drain: DRAIN,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let routes = routes(&scene);
        let running = serve(listener, tls, routes, settings, setup.entropy, stopped);
        Ok(Self {
            address,
            scene,
            authority: folder.join("tls/ca.pem"),
            stop: Some(stop),
            running: tokio::spawn(running),
            own,
        })
    }

    /// Where they listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Their scheme, host and port, such as `https://127.0.0.1:9443`.
    pub fn origin(&self) -> &str {
        &self.scene.origin
    }

    /// The file that holds the certificate of their authority. There is none over plain HTTP.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// What they received, the latest last, without secrets.
    pub fn journal(&self) -> Vec<Entry> {
        self.scene.journal().entries()
    }

    /// Lets the next requests of a path fail.
    pub fn fail(&self, fault: Fault) {
        self.scene.faults().add(fault);
    }

    /// Takes back every fault that has not happened.
    pub fn mend(&self) {
        self.scene.faults().clear();
    }

    /// Stops in good order.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = (&mut self.running).await;
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        self.running.abort();
        if let Some(folder) = &self.own {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// What all imitations share.
struct Scene {
    origin: String,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    journal: Mutex<Journal>,
    faults: Mutex<Faults>,
    issued: Mutex<Issued>,
}

impl Scene {
    fn new(origin: String, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            origin,
            clock,
            entropy,
            journal: Mutex::default(),
            faults: Mutex::default(),
            issued: Mutex::default(),
        }
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        held(&self.journal)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        held(&self.faults)
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        held(&self.issued)
    }

    async fn answer(&self, asked: Asked) -> Response {
        if let Some(response) = self.desk(&asked) {
            return response;
        }
        let entry = self.journal().receive(Entry {
            at: self.clock.now(),
            method: asked.method.to_string(),
            path: asked.path.clone(),
            query: journal::shown_query(&asked),
            who: self.who(&asked),
            body: journal::shown_body(&asked),
            status: None,
        });
        let fault = self.faults().take(&asked.path);
        let failed = match fault {
            Some(fault) => faults::happen(self, &asked, fault).await,
            None => None,
        };
        let response = failed.unwrap_or_else(|| self.play(&asked));
        self.journal().answered(entry, response.status().as_u16());
        response
    }

    /// What belongs to the stand-ins themselves, and to no vendor.
    fn desk(&self, asked: &Asked) -> Option<Response> {
        let response = match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/") => page::journal(&self.origin, &self.journal().entries()),
            ("GET", "/journal.json") => {
                let entries = self.journal().entries();
                let entries: Vec<_> = entries.iter().map(Entry::to_json).collect();
                answer(StatusCode::OK, &entries.into())
            }
            ("POST", "/faults") => match Fault::asked(asked) {
                Ok(fault) => {
                    self.faults().add(fault);
                    asked::empty(StatusCode::NO_CONTENT)
                }
                Err(why) => answer(StatusCode::BAD_REQUEST, &json!({ "error": why })),
            },
            ("DELETE", "/faults") => {
                self.faults().clear();
                asked::empty(StatusCode::NO_CONTENT)
            }
            _ => return None,
        };
        Some(response)
    }

    fn play(&self, asked: &Asked) -> Response {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/oauth/token" | "/genesys/login/oauth/token") => {
                genesys_cloud::token(self, asked)
            }
            ("GET", "/api/v2/routing/queues") => genesys_cloud::queues(self, asked),
            ("POST", "/api/v2/conversations/callbacks") => genesys_cloud::callback(self, asked),
            ("GET", "/api/v2/users/me") => genesys_cloud::me(self, asked),
            ("POST", "/talkdesk/oauth/token") => talkdesk::token(self, asked),
            ("POST", "/nice/auth/token") => nice::token(self, asked),
            ("GET", "/nice/.well-known/openid-configuration") => nice::discovery(self),
            ("GET", "/nice/.well-known/cxone-configuration") => nice::configuration(self, asked),
            ("POST", "/sms") => sms_gateway::send(self, asked),
            (_, path) => self.refuse(path, StatusCode::NOT_FOUND),
        }
    }

    /// An answer of this status in the words of whoever answers at `path`.
    fn refuse(&self, path: &str, status: StatusCode) -> Response {
        if path.starts_with("/api/") {
            return genesys_cloud::refused(self, status);
        }
        let error = match status.as_u16() {
            401 => "invalid_client",
            404 => "not_found",
            429 => "too_many_requests",
            400..500 => "invalid_request",
            _ => "server_error",
        };
        oauth_error(status, error, status.canonical_reason().unwrap_or("failed"))
    }

    /// The new refresh token for the one a form presents, where `first` is good before any has been issued; or the
    /// OAuth error and why.
    fn refresh(
        &self,
        asked: &Asked,
        first: &str,
        good_for: Use,
        client: &'static str,
    ) -> Result<String, (&'static str, &'static str)> {
        let Some(form) = asked.form() else {
            return Err(("invalid_request", "The body must be a form"));
        };
        if form.value("grant_type") != Some("refresh_token") {
            return Err(("unsupported_grant_type", "Only refresh_token is imitated"));
        }
        let Some(presented) = form.value("refresh_token") else {
            return Err(("invalid_request", "refresh_token is missing"));
        };
        let now = self.clock.now();
        let mut issued = self.issued();
        // What was presented stays good, so that a tour can be walked again.
        if presented != first && issued.good(presented, good_for, now).is_none() {
            return Err(("invalid_grant", "The refresh token is invalid or expired"));
        }
        let refresh = self.entropy.token::<32>();
        let until = now.after(REFRESH_LIFE);
        issued.add(&refresh, good_for, Holder::Client(client), until);
        Ok(refresh)
    }

    /// Whom the credentials of a request name, right or wrong.
    fn who(&self, asked: &Asked) -> String {
        if let Some(token) = asked.bearer() {
            let holder = self.issued().holder(token);
            return holder.map_or_else(|| "an unknown token".to_owned(), |who| who.to_string());
        }
        let client = asked.client();
        client.map_or_else(|| "nobody".to_owned(), |(id, _)| format!("client {id}"))
    }
}

fn held<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

fn routes(scene: &Arc<Scene>) -> Routes {
    let scene = Arc::clone(scene);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::body::bytes())
        .and(warp::ext::get::<Arrival>())
        .then(
            move |method, path: warp::path::FullPath, query, body, arrival: Arrival| {
                let scene = Arc::clone(&scene);
                let asked = Asked {
                    method,
                    path: path.as_str().to_owned(),
                    query,
                    headers: arrival.headers,
                    body: Vec::from(body),
                };
                async move { scene.answer(asked).await }
            },
        )
        .boxed()
}

/// What clients on this machine call them, and the address they were told to listen on.
fn names(address: SocketAddr) -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec();
    names.push(address.ip().to_string());
    names.sort();
    names.dedup();
    names
}

fn temporary(entropy: &dyn Entropy) -> Result<PathBuf, Error> {
    let name = format!("admit-stand-ins-{}", entropy.token::<12>());
    let folder = std::env::temp_dir().join(name);
    let made = DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(|error| Error::Folder(folder.clone(), error))?;
    Ok(folder)
}

const DRAIN: Duration = Duration::from_secs(1);
const REFRESH_LIFE: Duration = Duration::from_hours(30 * 24);
