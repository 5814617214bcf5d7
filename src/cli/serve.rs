//! `admit serve`: everything put together, until a signal or a failing disk ends it.

use std::fmt::Display;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot};
use tracing_subscriber::EnvFilter;

use super::{BROKEN, failed, say};
use crate::compose::{Composed, World, compose, couriers, trusted_certificate};
use crate::config::{Config, Format, Log, Tls};
use crate::http::control::{Control, SOCKET};
use crate::http::tls::{self, Certificate, TlsFiles};
use crate::http::{self, AllowedHosts, Limits, Settings, TrustedProxies};
use crate::jobs;
use crate::kernel::{Clock as _, SystemClock};

pub(super) fn serve(config: &Config) -> ExitCode {
    start_log(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(config)),
        Err(error) => Err(format!("the runtime does not start: {error}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(why, BROKEN),
    }
}

async fn run(config: &Config) -> Result<(), String> {
    let couriers = couriers(config).map_err(said)?;
    let listener = bind(config.listen).await?;
    let address = listener.local_addr().map_err(said)?;
    let Composed {
        appliance,
        first_run,
    } = compose(config, address.port(), World::real()).map_err(said)?;
    // The appliance holds the data folder from here on: nobody else makes certificates in it.
    let files = certificate_files(config).map_err(said)?;
    let failure = Arc::new(Notify::new());
    let failed = Arc::clone(&failure);
    appliance
        .store()
        .on_failure(Box::new(move || failed.notify_one()));
    let tls = files
        .map(|files| Certificate::load(files)?.server_config())
        .transpose()
        .map_err(said)?;
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
    let jobs = tokio::spawn(jobs::run(Arc::clone(&appliance)));
    let scrub = tokio::spawn(jobs::scrub(Arc::clone(&appliance)));
    let outbox = tokio::spawn(jobs::outbox::run(Arc::clone(&appliance), couriers));
    greet(config, address, base.as_str(), first_run.as_deref());
    let (leave, left) = oneshot::channel::<()>();
    let left = async { drop(left.await) };
    let control = tokio::spawn(control.serve(Arc::clone(&appliance), left));
    let shutdown = until_told(Arc::clone(&failure))?;
    let entropy = appliance.entropy();
    let served = http::serve(
        listener,
        tls,
        http::routes(&appliance),
        settings,
        entropy,
        shutdown,
    )
    .await;
    jobs::settled(&appliance, config.limits.drain).await;
    jobs.abort();
    scrub.abort();
    outbox.abort();
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
    if appliance.store().is_failed() {
        return Err(
            "the disk did not keep what was written; nothing was acknowledged since. \
             Look at the disk, then start again"
                .into(),
        );
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}. Name another address with --listen")
    })
}

/// Ends on SIGTERM, on SIGINT, and when the store has failed.
fn until_told(failure: Arc<Notify>) -> Result<impl Future<Output = ()>, String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(said)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(said)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = failure.notified() => {}
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

fn greet(config: &Config, address: SocketAddr, base: &str, first_run: Option<&Path>) {
    say(format_args!(
        "Admit {} is ready on {address}, as {base}.",
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
Keep them somewhere safe, and remove the file when you have tried it all. In another terminal, with curl and jq:

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

/// What to type to run this program again.
fn program() -> String {
    let path = std::env::current_exe();
    path.map_or_else(|_| "admit".to_owned(), |path| path.display().to_string())
}

fn start_log(log: &Log) {
    let filter = EnvFilter::new(format!("{},{}", log.level.as_str(), http::TALKATIVE));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    // A second subscriber in one process is a test's; the first one stays.
    let _ = match log.format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().try_init(),
    };
}

fn said(error: impl Display) -> String {
    error.to_string()
}
