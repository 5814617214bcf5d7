//! `admit serve`: everything put together, until a signal or a failing disk ends it.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior, setrlimit,
};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::{BROKEN, USAGE, failed, log, say, systemd};
use crate::compose::{Composed, World, compose, couriers, trusted_certificate};
use crate::config::{Config, Tls, TlsVersion};
use crate::http::control::{Control, SOCKET};
use crate::http::tls::{self, Certificate, Oldest, TlsFiles};
use crate::http::{self, AllowedHosts, Limits, Ops, Settings, TrustedProxies};
use crate::jobs::{self, certificates::Keeping};
use crate::kernel::{Clock as _, SystemClock};
use crate::upkeep::{Site, backup};

pub(super) fn serve(config: &Config) -> ExitCode {
    log::start(&config.log);
    leave_no_core();
    // Before there are other threads: it takes its variables out of the environment.
    let given = match systemd::sockets() {
        Ok(given) => given,
        Err(why) => return failed(why, USAGE),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(config, given)),
        Err(error) => Err(format!("the runtime does not start: {error}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            systemd::status(&why);
            failed(why, BROKEN)
        }
    }
}

/// What is in memory is no file's business: no core is left, and nobody without the right to everything reads it (D10).
fn leave_no_core() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let refused = setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = refused {
        tracing::warn!("this process may leave its memory in a file if it breaks: {error}");
    }
}

async fn run(config: &Config, given: Vec<StdListener>) -> Result<(), String> {
    let couriers = couriers(config).map_err(said)?;
    let listeners = listeners(config, given).await?;
    let addresses = addresses(&listeners)?;
    let port = addresses.first().map_or(0, SocketAddr::port);
    let addresses = addresses.iter().map(SocketAddr::to_string);
    let addresses = addresses.collect::<Vec<_>>().join(", ");
    let Composed {
        appliance,
        first_run,
    } = compose(config, port, World::real()).map_err(said)?;
    // The appliance holds the data folder from here on: nobody else makes certificates in it.
    let files = certificate_files(config).map_err(said)?;
    let failure = Arc::new(Notify::new());
    let failed = Arc::clone(&failure);
    appliance
        .store()
        .on_failure(Box::new(move || failed.notify_one()));
    let certificate = files.map(Certificate::load).transpose().map_err(said)?;
    let ops = ops(config, certificate.clone());
    let tls = certificate
        .as_ref()
        .map(|certificate| certificate.server_config_from(oldest(config)));
    let tls = tls.transpose().map_err(said)?;
    let control = Control::bind(&config.data);
    let control =
        control.map_err(|error| format!("{}: {error}", config.data.join(SOCKET).display()))?;
    let base = appliance.base().clone();
    let names = names(config, base.host());
    let settings = Settings {
        limits: limits(config),
        names: AllowedHosts::new(names.iter().map(String::as_str)),
        proxies: TrustedProxies::new(config.trusted_proxies.iter().copied()),
        drain: config.limits.drain,
    };
    let own = matches!(config.tls, Tls::BuiltIn).then(|| (config.data.clone(), names));
    let asked = Arc::clone(&appliance);
    let moves = Arc::new(move || asked.store().is_moving());
    let beside = beside(moves, certificate, own)?;
    let jobs = tokio::spawn(jobs::run(Arc::clone(&appliance)));
    let scrub = tokio::spawn(jobs::scrub(Arc::clone(&appliance)));
    let outbox = tokio::spawn(jobs::outbox::run(Arc::clone(&appliance), couriers));
    let site = Arc::new(Site {
        config: config.clone(),
        serving_since: Some(SystemClock.now()),
    });
    let backups = tokio::spawn(jobs::backups::run(
        Arc::clone(&appliance),
        Arc::clone(&site),
    ));
    let (leave, left) = oneshot::channel::<()>();
    let left = async { drop(left.await) };
    let control = tokio::spawn(control.serve(Arc::clone(&appliance), site, left));
    let shutdown = noted(
        until_told(Arc::clone(&failure))?,
        Arc::clone(&ops.is_leaving),
    );
    greet(config, &addresses, base.as_str(), first_run.as_deref());
    systemd::ready(&format!("serving {base} on {addresses}"));
    let entropy = appliance.entropy();
    let served = http::serve(
        listeners,
        tls,
        http::routes_with(&appliance, ops),
        settings,
        entropy,
        shutdown,
    )
    .await;
    // The backup that is under way, and its verification.
    backups.abort();
    appliance.store().end_dumps();
    jobs::settled(&appliance, config.limits.drain).await;
    jobs.abort();
    scrub.abort();
    outbox.abort();
    beside.iter().for_each(JoinHandle::abort);
    drop(leave);
    let _ = control.await;
    if served.cut > 0 {
        tracing::warn!(
            "{} connections did not end in time and were cut",
            served.cut
        );
    }
    if let Err(fault) = jobs::keep_seen(&appliance).await {
        tracing::error!("keeping when clients and people were last seen: {fault}");
    }
    if !appliance.store().is_failed()
        && let Err(fault) = jobs::sign_whole_audit(&appliance).await
    {
        tracing::error!("signing the audit: {fault}");
    }
    if appliance.store().is_failed() {
        return Err(
            "the disk did not keep what was written; nothing was acknowledged since. \
             Look at the disk, then start again"
                .into(),
        );
    }
    Ok(())
}

/// The sockets systemd opened for us, or our own.
async fn listeners(config: &Config, given: Vec<StdListener>) -> Result<Vec<TcpListener>, String> {
    if given.is_empty() {
        return Ok(vec![bind(config.listen).await?]);
    }
    let taken = given.into_iter().map(|socket| {
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket)
    });
    taken.collect::<io::Result<_>>().map_err(said)
}

fn addresses(listeners: &[TcpListener]) -> Result<Vec<SocketAddr>, String> {
    let addresses = listeners.iter().map(TcpListener::local_addr);
    addresses.collect::<io::Result<_>>().map_err(said)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}. Name another address with --listen")
    })
}

/// What those who watch the appliance are told.
fn ops(config: &Config, certificate: Option<Arc<Certificate>>) -> Ops {
    let data = config.data.clone();
    Ops {
        metrics_for: config.metrics_for.clone(),
        is_leaving: Arc::new(AtomicBool::new(false)),
        data: config.data.clone(),
        certificate,
        backup: Arc::new(move || backup::verified_at(&data)),
    }
}

/// Ends when `told` does, and has that noted for whoever asks, and told to systemd.
async fn noted(told: impl Future<Output = ()>, note: Arc<AtomicBool>) {
    told.await;
    note.store(true, Ordering::Relaxed);
    systemd::stopping();
}

/// Ends on SIGTERM, on SIGINT, and when the store has failed.
fn until_told(failure: Arc<Notify>) -> Result<impl Future<Output = ()>, String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(said)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(said)?;
    // A file that may grow no more is an error like a full disk, and not the end.
    let _ = signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map_err(said)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = failure.notified() => {}
        }
    })
}

/// What goes on beside serving and needs nothing of it: life for systemd, and the certificate.
fn beside(
    moves: Arc<dyn Fn() -> bool + Send + Sync>,
    certificate: Option<Arc<Certificate>>,
    own: Option<(PathBuf, Vec<String>)>,
) -> Result<Vec<JoinHandle<()>>, String> {
    let mut tasks = vec![
        tokio::spawn(systemd::watchdog(moves)),
        tokio::spawn(hang_ups(certificate.clone())?),
    ];
    if let Some(certificate) = certificate {
        let clock = Arc::new(SystemClock);
        let keeping = Keeping {
            certificate,
            clock,
            own,
        };
        tasks.push(tokio::spawn(jobs::certificates::run(keeping)));
    }
    Ok(tasks)
}

/// Reads the certificate again at every SIGHUP; nothing else is read again.
fn hang_ups(certificate: Option<Arc<Certificate>>) -> Result<impl Future<Output = ()>, String> {
    let mut hang_ups = signal(SignalKind::hangup()).map_err(said)?;
    Ok(async move {
        while hang_ups.recv().await.is_some() {
            systemd::reloading();
            match certificate.as_ref().map(|certificate| certificate.reload()) {
                Some(Ok(())) => tracing::info!("the certificate was read again"),
                Some(Err(error)) => tracing::error!("the certificate in use stays: {error}"),
                None => tracing::info!("there is no certificate to read again"),
            }
            systemd::reloaded();
        }
    })
}

/// The certificate to serve with, made if need be; `None` where requests come without TLS.
pub(super) fn certificate_files(config: &Config) -> Result<Option<TlsFiles>, tls::Error> {
    if config.plain_http {
        return Ok(None);
    }
    match &config.tls {
        Tls::Files { certificate, key } => Ok(Some(TlsFiles {
            chain: certificate.clone(),
            key: key.clone(),
            authority: None,
        })),
        Tls::BuiltIn => {
            let host = config
                .public_url
                .as_ref()
                .map_or("localhost", |url| url.host());
            tls::prepare(&config.data, &names(config, host), SystemClock.now()).map(Some)
        }
    }
}

fn oldest(config: &Config) -> Oldest {
    match config.oldest_tls {
        TlsVersion::V1_2 => Oldest::Tls12,
        TlsVersion::V1_3 => Oldest::Tls13,
    }
}

/// Every name a client may know us by: this machine's, the configured ones and the public address's.
fn names(config: &Config, public: &str) -> Vec<String> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    names.push(public.trim_matches(['[', ']']).to_owned());
    names.extend(config.names.iter().cloned());
    let uname = rustix::system::uname();
    names.extend(
        uname
            .nodename()
            .to_str()
            .ok()
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
    );
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces.iter().map(if_addrs::Interface::ip);
    // A link-local address is of no use without its zone, which a certificate cannot name.
    let addresses = addresses
        .filter(|ip| !matches!(ip, std::net::IpAddr::V6(ip) if ip.is_unicast_link_local()));
    names.extend(addresses.map(|ip| ip.to_string()));
    names.sort();
    names.dedup();
    names
}

fn limits(config: &Config) -> Limits {
    Limits {
        connections: config.limits.connections as usize,
        per_address: config.limits.connections_per_address as usize,
        ..Limits::default()
    }
}

fn greet(config: &Config, addresses: &str, base: &str, first_run: Option<&Path>) {
    say(format_args!(
        "Admit {} is ready on {addresses}, as {base}.",
        env!("CARGO_PKG_VERSION")
    ));
    let Some(first_run) = first_run else {
        return say(format_args!(
            "Data, master key and certificates were found in {}.",
            config.data.display()
        ));
    };
    // Whoever follows these lines does so in another terminal, and perhaps in another folder.
    let (file, data) = (whole(first_run), whole(&config.data));
    let (file, data, program) = (file.display(), data.display(), program());
    let curl = curl(config);
    say(format_args!(
        r#"
This was the first start. The first credentials are in
  {file}
Keep them somewhere safe, and remove the file when you have tried it all. Without the master key nothing can be read:
`{program} master-key split --data '{data}'` makes shares of it for paper. In another terminal, with curl and jq:

  # a token for your backend
  CLIENT=$(jq -r '.client | .client_id + ":" + .client_secret' '{file}')
  TOKEN=$({curl} -u "$CLIENT" -d grant_type=client_credentials {base}/security/oauth/token | jq -r .access_token)

  # a ticket for one use, and its calendar file
  TICKET=$({curl} -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{"type":"SINGLE_USE_TICKET","properties":{{"title":"Hello"}}}}' {base}/security/ticket | jq -r .id)
  {curl} -H "Authorization: Bearer $TOKEN" {base}/security/ticket/$TICKET/event

  # the customer's login with it
  {curl} -u customer: -d grant_type=password -d "username=$TICKET" {base}/security/oauth/token | jq

  # or all of it, each answer compared with the contract
  {program} tour --data '{data}'

  # people sign in at {base}/auth/sign-in.html: you as admin, others as you let them
  jq -r .admin.password '{file}'
  {program} user create alice --name 'Alice Agent' --data '{data}'

  # an application they sign in to; tell it that its OpenID provider is {base}
  {program} client create --name Desktop --redirect-uri https://desktop.example.org/callback --data '{data}'
"#
    ));
}

/// How to ask us: a proxy's certificate is not ours to name.
fn curl(config: &Config) -> String {
    if config.plain_http {
        return "curl -sS".to_owned();
    }
    let certificate = whole(&trusted_certificate(config));
    format!("curl -sS --cacert '{}'", certificate.display())
}

/// The path from the root, where it can be found out.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What to type to run this program again: its name where it was called by its name alone.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    if let Some(name) = called
        .to_str()
        .filter(|name| !name.is_empty() && !name.contains('/'))
    {
        return name.to_owned();
    }
    let path = std::env::current_exe();
    path.map_or_else(|_| "admit".to_owned(), |path| path.display().to_string())
}

fn said(error: impl Display) -> String {
    error.to_string()
}
