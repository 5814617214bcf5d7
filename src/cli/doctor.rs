//! `admit doctor`: everything an operator should see to, with what to do about it.
//!
//! Whether mail server, gateway and upstreams can be reached is tried from here, and only when asked for: the server
//! itself asks nobody outside on its operator's behalf.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{BROKEN, Place, REFUSED, Target, USAGE, failed, print, say};
use crate::config::{self, Config, SmtpTls};
use crate::kernel::BaseUrl;
use crate::upkeep::doctor::{self, Findings, Weight};
use crate::upkeep::{Order, Report};

#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    target: Target,
    /// Read every record and follow every list: it takes a while where there are many.
    #[arg(long)]
    deep: bool,
    /// See as well whether the mail server, the gateway and the upstreams of the configuration can be reached.
    #[arg(long)]
    network: bool,
}

impl Doctor {
    pub(super) fn run(self) -> ExitCode {
        let as_json = self.target.json;
        let outside = match self.outside() {
            Ok(outside) => outside,
            Err(problems) => return failed(problems, USAGE),
        };
        let order = Order::Doctor(doctor::Order { deep: self.deep });
        self.target.order(&order, |report| {
            let Report::Doctor(findings) = report else {
                return ExitCode::from(BROKEN);
            };
            let mut findings = findings.clone();
            findings.all.extend(outside.all);
            show(&findings, as_json)
        })
    }

    fn outside(&self) -> Result<Findings, config::Problems> {
        let mut findings = Findings::default();
        if self.network {
            let place = Place {
                config: self.target.config.clone(),
                data: self.target.data.clone(),
                listen: None,
            };
            let config = config::load(place.overrides(), config::environment())?;
            if config.offline {
                let words =
                    "offline is on: nobody outside is asked, not even to see whether they can be";
                findings.add("network", Weight::Advice, words);
                return Ok(findings);
            }
            network(&config, &mut findings);
        }
        Ok(findings)
    }
}

fn show(findings: &Findings, as_json: bool) -> ExitCode {
    let well = findings.are_well();
    if as_json {
        say(format_args!("{:#}", print::of(&findings.all)));
    } else {
        let width = findings.all.iter().map(|one| one.what.len()).max();
        let width = width.unwrap_or_default();
        for one in &findings.all {
            let mark = match one.weight {
                Weight::Well => "well   ",
                Weight::Advice => "advice ",
                Weight::Wrong => "SEE TO ",
            };
            say(format_args!("{mark} {:width$}  {}", one.what, one.words));
        }
        say(if well {
            "Nothing has to be seen to."
        } else {
            "Something has to be seen to."
        });
    }
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REFUSED)
    }
}

/// Whether each can be connected to; nothing is sent.
fn network(config: &Config, findings: &mut Findings) {
    let mut hosts = Vec::new();
    if let Some(smtp) = &config.couriers.smtp {
        let usual = match smtp.tls {
            SmtpTls::StartTls => 587,
            SmtpTls::Implicit => 465,
            SmtpTls::None => 25,
        };
        hosts.push(("mail server", smtp.host.clone(), smtp.port.unwrap_or(usual)));
    }
    if let Some(gateway) = &config.couriers.gateway {
        let address = gateway.url.split('?').next().unwrap_or_default();
        hosts.extend(address.parse().ok().and_then(|url| of("gateway", &url)));
    }
    let upstreams = config.upstreams.origins.iter();
    hosts.extend(upstreams.filter_map(|url| of("upstream", url)));
    if hosts.is_empty() {
        let words = "the configuration names nobody outside";
        return findings.add("network", Weight::Well, words);
    }
    for (what, host, port) in hosts {
        match reached(&host, port) {
            Ok(()) => findings.add(what, Weight::Well, format!("{host}:{port} answers")),
            Err(why) => {
                let words = format!(
                    "{host}:{port} cannot be reached: {why}. Look at the name, the network and its firewall"
                );
                findings.add(what, Weight::Wrong, words);
            }
        }
    }
}

fn of(what: &'static str, url: &BaseUrl) -> Option<(&'static str, String, u16)> {
    let (scheme, rest) = url.as_str().split_once("://")?;
    let authority = rest.split('/').next()?;
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = authority.rsplit_once(':');
    let port = port.and_then(|(_, port)| port.parse().ok());
    let host = url.host().trim_matches(['[', ']']).to_owned();
    Some((what, host, port.unwrap_or(usual)))
}

fn reached(host: &str, port: u16) -> Result<(), String> {
    let addresses = (host, port).to_socket_addrs();
    let addresses = addresses.map_err(|error| error.to_string())?;
    let mut why = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

const PATIENCE: Duration = Duration::from_secs(5);
