//! `admit stand-ins`: imitations of the outside world, until a signal ends them, and how to point a server at them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::{BROKEN, USAGE, failed, say};
use crate::standins::{
    AUTHORIZATION_CODES, GENESYS_CLIENT, NICE_CLIENT, NICE_REFRESH, QUEUES, Setup, StandIns,
    TALKDESK_CLIENT, TALKDESK_REFRESH,
};

#[derive(Args)]
pub(super) struct Options {
    /// Where to listen. Only this machine can ask them there unless you name another address of yours.
    #[arg(long, value_name = "ADDRESS", default_value_t = USUAL)]
    listen: SocketAddr,
    /// The folder that holds their certificate authority.
    #[arg(long, value_name = "DIR", default_value = "./admit-stand-ins")]
    folder: PathBuf,
    /// Without TLS.
    #[arg(long)]
    plain_http: bool,
    /// The folder of the server that the printed lines are for.
    #[arg(long, value_name = "DIR", default_value = "./admit-data")]
    data: PathBuf,
}

const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9443);

pub(super) fn run(options: Options) -> ExitCode {
    if options.listen.ip().is_unspecified() {
        let why = "stand-ins take what is secret from anybody who asks: name one address for --listen, not all of them";
        return failed(why, USAGE);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(stand_in(options)),
        Err(error) => Err(format!("the runtime does not start: {error}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(why, BROKEN),
    }
}

async fn stand_in(options: Options) -> Result<(), String> {
    let setup = Setup {
        listen: options.listen,
        folder: Some(options.folder),
        plain_http: options.plain_http,
        ..Setup::default()
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let stand_ins = StandIns::with(setup).await;
    let stand_ins = stand_ins.map_err(|error| error.to_string())?;
    let authority = (!options.plain_http).then(|| whole(stand_ins.authority()));
    say(greeting(
        stand_ins.origin(),
        authority.as_deref(),
        &whole(&options.data),
    ));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stand_ins.stop().await;
    Ok(())
}

/// What is printed once they listen. Whoever follows these lines does so in another terminal and folder.
fn greeting(origin: &str, authority: Option<&Path>, data: &Path) -> String {
    let program = std::env::current_exe();
    let program = program.map_or_else(|_| "admit".to_owned(), |path| path.display().to_string());
    let trust = authority.map_or_else(String::new, |file| format!(" --cacert {}", path(file)));
    let curl = format!("curl -sS{trust}");
    let tour_trust = authority.map_or_else(String::new, |file| {
        format!(" --stand-ins-authority {}", path(file))
    });
    let mut queues: Vec<_> = QUEUES.iter().map(|(name, _)| *name).collect();
    queues.dedup();
    let clients = [GENESYS_CLIENT, TALKDESK_CLIENT, NICE_CLIENT];
    let clients = clients.map(|(id, secret)| format!("{id}:{secret}"));
    format!(
        r#"These are imitations of Genesys Cloud, Talkdesk, NICE CXone and an SMS gateway: no real upstream, never for production.
They listen on {origin}. What they receive is shown at {origin}/

  # what they have received, as JSON
  {curl} {origin}/journal.json

  # a server that reaches them and sends its messages to them, in place of the one that runs
{environment}  {program} serve --data {data}

  # the whole job, in another terminal, each answer compared with the contracts
  {program} tour --data {data} --stand-ins {origin}{tour_trust}

  # or by hand, with curl and jq: applications of that server that stand on them
  FIRST={data}/first-run.json
  CA=$(jq -r .ca_certificate "$FIRST")
  BASE=$(jq -r .base_url "$FIRST")
  CLIENT=$(jq -r '.client | .client_id + ":" + .client_secret' "$FIRST")
  TOKEN=$(curl -sS --cacert "$CA" -u "$CLIENT" -d grant_type=client_credentials "$BASE/security/oauth/token" | jq -r .access_token)
{applications}
  # the next callback fails; kinds are status, hang, close, garbage, huge, redirect and slow
  {curl} -H 'Content-Type: application/json' -d '{{"path":"/api/v2/conversations/callbacks","kind":"status","status":503,"retryAfter":2,"times":1}}' {origin}/faults

They know
  clients                {clients}
  queues                 {queues} (of which there are two), and Queue 01 to Queue 60
  authorization codes    {codes}; each as often as you like
  refresh tokens         {TALKDESK_REFRESH}, {NICE_REFRESH}, and those they issue
"#,
        environment = environment(origin, authority),
        data = path(data),
        applications = applications(origin),
        clients = clients.join(", "),
        queues = queues.join(", "),
        codes = AUTHORIZATION_CODES.join(", "),
    )
}

/// The settings that point a server here, each on a line that goes on.
fn environment(origin: &str, authority: Option<&Path>) -> String {
    let mut settings = vec![
        ("ADMIT_UPSTREAMS_ORIGINS", quoted(origin)),
        ("ADMIT_CODES_SMS", "gateway".to_owned()),
        ("ADMIT_GATEWAY_URL", quoted(&format!("{origin}/sms"))),
    ];
    if let Some(file) = authority {
        settings.push(("ADMIT_UPSTREAMS_AUTHORITY", path(file)));
        settings.push(("ADMIT_GATEWAY_AUTHORITY", path(file)));
    }
    let lines = settings
        .iter()
        .map(|(name, value)| format!("  {name}={value} \\\n"));
    lines.collect()
}

/// The lines that create an application of each vendor.
fn applications(origin: &str) -> String {
    let genesys = json!({
        "organizationId": "77777777-7777-4777-8777-777777777777",
        "pcEnvironment": "mypurecloud.com",
        "serviceParameters": {
            "clientId": GENESYS_CLIENT.0,
            "clientSecret": GENESYS_CLIENT.1,
            "loginBase": origin,
            "apiBase": origin,
        },
    });
    let talkdesk = json!({
        "serviceParameters": {
            "account": "stand-in",
            "clientId": TALKDESK_CLIENT.0,
            "clientSecret": TALKDESK_CLIENT.1,
            "tokenUrl": format!("{origin}/talkdesk/oauth/token"),
        },
    });
    let nice = json!({
        "serviceParameters": {
            "issuer": format!("{origin}/nice"),
            "clientId": NICE_CLIENT.0,
            "clientSecret": NICE_CLIENT.1,
            "tokenUrl": format!("{origin}/nice/auth/token"),
        },
    });
    let create = |kind: &str, config: Value| {
        let body = json!({ "type": kind, "config": config });
        format!(
            "  curl -sS --cacert \"$CA\" -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \
             -d {} \"$BASE/security/applications\"\n",
            quoted(&body.to_string())
        )
    };
    [
        create("GENESYS", genesys),
        create("TALKDESK_OPENID", talkdesk),
        create("NICE_CXONE_OPENID", nice),
    ]
    .concat()
}

fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// As a shell reads it back unchanged.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
