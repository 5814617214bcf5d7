//! The guarded way to addresses that tenants name (threat S11): which may be asked at all, where their names may lead,
//! how long an answer may take and how large it may be.
//!
//! A host is a vendor's own, or its exact origin is listed by the operator; tenants' data decide neither. A name is
//! resolved once for a connection, by us, and what it leads to is what is connected to, so that no second look can lead
//! elsewhere (DNS rebinding). Every attempt is counted.

use std::error::Error as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Response, Url, retry};

use crate::domain::ports::{
    Answer, Attempt, Failure, GENESYS_ENVIRONMENTS, Ledger, Outcome, Purpose,
};
use crate::kernel::{BaseUrl, Clock as _, Secret, SystemClock};

/// What the operator decided about upstreams.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Exact origins that may be asked besides the vendors' own, wherever their names lead.
    pub origins: Vec<BaseUrl>,
    /// Certificates to trust besides the system's, in PEM.
    pub authority_pem: Option<Vec<u8>>,
    /// How long one answer may take, from the first packet to the last byte.
    pub timeout: Duration,
}

/// The certificates to trust are none.
#[derive(Debug, thiserror::Error)]
#[error("holds no certificates in PEM: {0}")]
pub struct NotAnAuthority(String);

/// Whose addresses are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// Genesys Cloud.
    Genesys,
    /// Talkdesk.
    Talkdesk,
    /// NICE CXone.
    Nice,
}

/// The addresses a name leads to.
pub type Lookup = dyn Fn(String) -> Answer<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// The one way out to upstreams.
pub struct Outbound {
    guard: Guard,
    /// To the vendors' own hosts: their names must lead to public addresses.
    vendors: Lazy,
    /// To listed origins: the operator answers for where they are.
    listed: Lazy,
    authority: Vec<Certificate>,
    timeout: Duration,
    lookup: Arc<Lookup>,
    ledger: Arc<Ledger>,
    /// Nobody is asked, whoever it is.
    closed: bool,
}

/// The system's certificates take a while to read, and most appliances ask nobody.
type Lazy = OnceLock<Client>;

/// One request.
pub(super) struct Ask<'a> {
    pub vendor: Vendor,
    pub url: String,
    pub query: Vec<(&'a str, String)>,
    pub authorization: Secret<String>,
    pub body: Body,
}

/// What a request carries.
pub(super) enum Body {
    /// Nothing: it is a GET.
    None,
    /// A form to be posted.
    Form(Secret<String>),
    /// JSON to be posted.
    Json(String),
}

/// What came back.
pub(super) struct Reply {
    pub status: u16,
    /// When to ask again, where it says so.
    pub retry_after: Option<Duration>,
    /// The body, or why it is not here whole.
    pub body: Result<Vec<u8>, String>,
}

/// The largest answer that is read.
pub const ANSWER_MAX: usize = 256 * 1024;

impl Outbound {
    /// Asks nobody yet.
    pub fn open(reach: &Reach) -> Result<Self, NotAnAuthority> {
        let lookup = |name: String| -> Answer<'static, io::Result<Vec<IpAddr>>> {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        };
        Self::resolving(reach, Arc::new(lookup))
    }

    /// Asks nobody, ever: for an appliance that is to stay alone.
    pub fn closed() -> Self {
        let nowhere = |_| -> Answer<'static, io::Result<Vec<IpAddr>>> {
            Box::pin(async { Err(io::ErrorKind::NetworkUnreachable.into()) })
        };
        Self {
            guard: Guard::new(&[]),
            vendors: Lazy::new(),
            listed: Lazy::new(),
            authority: Vec::new(),
            timeout: Duration::from_secs(1),
            lookup: Arc::new(nowhere),
            ledger: Arc::default(),
            closed: true,
        }
    }

    /// The same with another way from names to addresses.
    pub fn resolving(reach: &Reach, lookup: Arc<Lookup>) -> Result<Self, NotAnAuthority> {
        let pem = reach.authority_pem.as_deref();
        Ok(Self {
            guard: Guard::new(&reach.origins),
            vendors: Lazy::new(),
            listed: Lazy::new(),
            authority: pem.map(authority).transpose()?.unwrap_or_default(),
            timeout: reach.timeout,
            lookup,
            ledger: Arc::default(),
            closed: false,
        })
    }

    /// What was asked of whom.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Asks once. Whatever the status, an answer is `Ok`.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Reply, Failure> {
        let judged = if self.closed {
            Err("this appliance works offline and asks nobody; its operator can change that".into())
        } else {
            self.guard.judge(ask.vendor, &ask.url)
        };
        let (mut url, way) = match judged {
            Ok(judged) => judged,
            Err(why) => {
                tracing::warn!("an upstream is not asked: {why}");
                self.note(
                    ask.vendor,
                    Url::parse(&ask.url).ok().as_ref(),
                    Outcome::Withheld,
                );
                return Err(Failure::Forbidden(why));
            }
        };
        let asked_at = url.clone();
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let begun = Instant::now();
        let asked = self.answered(url, way, &ask).await;
        let outcome = match &asked {
            Ok(reply) => Outcome::Status(reply.status),
            Err(Failure::Forbidden(_)) => Outcome::Refused,
            Err(Failure::Unanswered(_)) => Outcome::Unanswered,
            Err(_) => Outcome::Unreachable,
        };
        let took = begun.elapsed().as_millis();
        tracing::info!(%host, %outcome, took, "asked an upstream");
        self.note(ask.vendor, Some(&asked_at), outcome);
        asked
    }

    fn note(&self, vendor: Vendor, url: Option<&Url>, outcome: Outcome) {
        let host = url.and_then(Url::host_str).unwrap_or("unreadable");
        let port = url.and_then(Url::port_or_known_default).unwrap_or(0);
        self.ledger.note(Attempt {
            at: SystemClock.now(),
            destination: format!("{host}:{port}"),
            purpose: vendor.purpose(),
            outcome,
        });
    }

    async fn answered(&self, url: Url, way: Way, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let client = self.client(way)?;
        let mut authorization = HeaderValue::try_from(ask.authorization.expose())
            .map_err(|_| Failure::Failed("the credentials cannot be written".into()))?;
        authorization.set_sensitive(true);
        let post = |kind: &'static str, body: &str| {
            let request = client.request(Method::POST, url.clone());
            request.header(CONTENT_TYPE, kind).body(body.to_owned())
        };
        let request = match &ask.body {
            Body::None => client.request(Method::GET, url.clone()),
            Body::Form(form) => post("application/x-www-form-urlencoded", form.expose()),
            Body::Json(text) => post("application/json", text),
        };
        let sent = request.header(AUTHORIZATION, authorization).send().await;
        let response = sent.map_err(unsent)?;
        let retry_after = retry_after(response.headers());
        Ok(Reply {
            status: response.status().as_u16(),
            retry_after,
            body: body(response).await,
        })
    }

    fn client(&self, way: Way) -> Result<&Client, Failure> {
        let (kept, is_public) = match way {
            Way::Vendor => (&self.vendors, true),
            Way::Listed => (&self.listed, false),
        };
        if let Some(client) = kept.get() {
            return Ok(client);
        }
        // What kept it from being made may be over the next time.
        let made = self.built(is_public);
        let made = made.map_err(|error| {
            Failure::Failed(format!("no upstream can be asked: {}", said(&error)))
        })?;
        Ok(kept.get_or_init(|| made))
    }

    fn built(&self, is_public: bool) -> Result<Client, reqwest::Error> {
        let resolver = Resolver {
            lookup: Arc::clone(&self.lookup),
            is_public,
        };
        let headers = [
            (ACCEPT, HeaderValue::from_static("application/json")),
            (USER_AGENT, HeaderValue::from_static("admit")),
        ];
        Client::builder()
            .tls_certs_merge(self.authority.iter().cloned())
            .dns_resolver(Arc::new(resolver))
            .default_headers(headers.into_iter().collect())
            .redirect(Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            // NICE CXone is known to need it, and nobody here asks often enough to gain by another.
            .http1_only()
            // Shorter than the whole, so that whoever was never connected to is known not to have been asked.
            .connect_timeout(self.timeout.mul_f32(0.6))
            .timeout(self.timeout)
            .pool_max_idle_per_host(4)
            .pool_idle_timeout(Duration::from_secs(30))
            .build()
    }
}

fn authority(pem: &[u8]) -> Result<Vec<Certificate>, NotAnAuthority> {
    let broken = |error: reqwest::Error| NotAnAuthority(said(&error));
    let certificates = Certificate::from_pem_bundle(pem).map_err(broken)?;
    if certificates.is_empty() {
        return Err(NotAnAuthority("there is none in it".into()));
    }
    // Whether they can be read as certificates shows only where they are to be trusted.
    let trusting = Client::builder().tls_certs_only(certificates.clone());
    trusting.no_proxy().build().map_err(broken)?;
    Ok(certificates)
}

/// The innermost cause, which is the one that says something; without the address, which may carry what is secret.
fn said(error: &reqwest::Error) -> String {
    let mut said = String::from("it could not be asked");
    let mut cause = error.source();
    while let Some(inner) = cause {
        said = inner.to_string();
        cause = inner.source();
    }
    said
}

/// Whether it was asked when no answer came: where no connection was made, certainly not.
fn unsent(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(private) = inner.downcast_ref::<NotPublic>() {
            return Failure::Forbidden(private.to_string());
        }
        cause = inner.source();
    }
    tracing::warn!("an upstream did not answer: {}", said(&error));
    if error.is_connect() || error.is_builder() {
        Failure::Failed("it cannot be reached".into())
    } else if error.is_timeout() {
        Failure::Unanswered("it did not answer in time".into())
    } else {
        Failure::Unanswered("the connection was lost before it answered".into())
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let chunk = chunk.map_err(|error| {
            let why = if error.is_timeout() {
                "its answer did not end in time"
            } else {
                "the connection was lost in the middle of its answer"
            };
            why.to_owned()
        })?;
        let Some(chunk) = chunk else { return Ok(body) };
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(format!("its answer is larger than {ANSWER_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
}

/// RFC 9110 §10.2.3, in seconds; the vendors write no dates.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_MAX)))
}

const RETRY_AFTER_MAX: u64 = 3_600;

/// A client's credentials as HTTP Basic writes them.
pub(super) fn basic(id: &str, secret: &str) -> Secret<String> {
    let pair = Secret::new(format!("{id}:{secret}"));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}

/// Which addresses may be asked.
pub struct Guard {
    listed: Vec<(String, String, Option<u16>)>,
}

/// By whose word an address may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is the vendor's own.
    Vendor,
    /// The operator listed its origin.
    Listed,
}

impl Guard {
    /// With these origins listed.
    pub fn new(origins: &[BaseUrl]) -> Self {
        let parsed = origins
            .iter()
            .filter_map(|url| Url::parse(url.as_str()).ok());
        Self {
            listed: parsed.map(|url| origin(&url)).collect(),
        }
    }

    /// The address as it is asked, or why it is not; every notation of a host is judged by what it means.
    pub fn judge(&self, vendor: Vendor, address: &str) -> Result<(Url, Way), String> {
        let odd = |b: u8| !b.is_ascii_graphic() || b == b'\\';
        let url = Url::parse(address).map_err(|_| "the address cannot be read".to_owned())?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        if address.bytes().any(odd) || has_user || address.contains('@') {
            return Err("the address has a user or an odd character in it".into());
        }
        let host = url.host_str().unwrap_or_default();
        if self.listed.contains(&origin(&url)) {
            return Ok((url, Way::Listed));
        }
        let is_plain = url.scheme() == "https" && url.port().is_none();
        // An IP address has no domain, however it is written.
        if is_plain && url.domain().is_some() && vendor.has(host) {
            return Ok((url, Way::Vendor));
        }
        let (shown, name) = (url.origin().ascii_serialization(), vendor.name());
        Err(format!(
            "{shown} is no address of {name}; the operator can list it among the upstreams' origins"
        ))
    }
}

fn origin(url: &Url) -> (String, String, Option<u16>) {
    let host = url.host_str().unwrap_or_default().to_owned();
    (url.scheme().to_owned(), host, url.port_or_known_default())
}

impl Vendor {
    fn purpose(self) -> Purpose {
        match self {
            Self::Genesys => Purpose::Genesys,
            Self::Talkdesk => Purpose::Talkdesk,
            Self::Nice => Purpose::Nice,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Genesys => "Genesys Cloud",
            Self::Talkdesk => "Talkdesk",
            Self::Nice => "NICE CXone",
        }
    }

    fn has(self, host: &str) -> bool {
        match self {
            Self::Genesys => ["login.", "api."].iter().any(|first| {
                let environment = host.strip_prefix(first);
                environment.is_some_and(|name| GENESYS_ENVIRONMENTS.contains(&name))
            }),
            Self::Talkdesk => TALKDESK.iter().any(|domain| {
                let account = host.strip_suffix(domain);
                account.is_some_and(is_plain_label)
            }),
            Self::Nice => NICE.contains(&host),
        }
    }
}

const TALKDESK: [&str; 4] = [
    ".talkdeskid.com",
    ".talkdeskid.eu",
    ".talkdeskid.au",
    ".talkdeskidca.com",
];

const NICE: [&str; 4] = [
    "cxone.niceincontact.com",
    "cxone-gov.niceincontact.com",
    "nicecxone-sov1.au",
    "nicecxone-sov1.eu",
];

/// One label of letters, digits and inner dashes (RFC 1123 §2.1), and no name in disguise (RFC 5891 §4.2.3.1).
fn is_plain_label(label: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let has_dashes_at_ends = label.starts_with('-') || label.ends_with('-');
    let is_in_disguise = label.get(2..4) == Some("--");
    (1..=63).contains(&label.len())
        && label.bytes().all(plain)
        && !has_dashes_at_ends
        && !is_in_disguise
}

/// Names become addresses here and nowhere else.
struct Resolver {
    lookup: Arc<Lookup>,
    is_public: bool,
}

/// A vendor's name leads into a network it has no business in.
#[derive(Debug, thiserror::Error)]
#[error("its name leads to an address that is not public")]
struct NotPublic;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.lookup)(name.as_str().to_owned());
        let is_public = self.is_public;
        Box::pin(async move {
            let found = found.await?;
            // One among public ones is there to be found at the second look.
            if is_public && !found.iter().all(|address| is_public_address(*address)) {
                return Err(NotPublic.into());
            }
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}

/// Whether an address is anybody's on the internet: by the registries of special-purpose addresses (RFC 6890 and what
/// follows it), and for an address within an address by the inner one.
pub fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let whole = u32::from(address);
    !SPECIAL_V4.iter().any(|(first, length)| {
        let mask = u32::MAX << (32 - length);
        whole & mask == u32::from_be_bytes(*first)
    })
}

const SPECIAL_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    // Relays of 6to4 that were.
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
    // What a virtual machine's host answers at in one cloud, though the address is public.
    ([168, 63, 129, 16], 32),
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // IPv4-mapped (RFC 4291 §2.5.5.2).
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0xffff) => inner(g, h),
        // NAT64's well-known prefix (RFC 6052 §2.1); its local one (RFC 8215) is somebody's own network.
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => inner(g, h),
        // 6to4 (RFC 3056 §2).
        (0x2002, _) => inner(b, c),
        // The IETF's protocols, Teredo among them (RFC 2928), and documentation (RFC 3849, RFC 9637).
        (0x2001, 0..0x200 | 0xdb8) | (0x3fff, 0..0x1000) => false,
        // Global unicast is all there is (RFC 4291 §2.4): loopback, unique local, link-local, site-local and multicast
        // addresses are outside.
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn guard(origins: &[&str]) -> Guard {
        let origins: Vec<BaseUrl> = origins.iter().map(|url| url.parse().unwrap()).collect();
        Guard::new(&origins)
    }

    #[test]
    fn s11_vendors_own_hosts_may_be_asked() {
        let guard = guard(&[]);
        let asked = |vendor, url: &str| {
            assert_eq!(
                guard.judge(vendor, url).map(|(_, way)| way),
                Ok(Way::Vendor),
                "{url}"
            );
        };
        for environment in GENESYS_ENVIRONMENTS {
            asked(
                Vendor::Genesys,
                &format!("https://login.{environment}/oauth/token"),
            );
            asked(
                Vendor::Genesys,
                &format!("https://api.{environment}/api/v2/users/me"),
            );
        }
        for url in [
            "https://acme.talkdeskid.com/oauth/token",
            "https://acme.talkdeskid.eu/oauth/token",
            "https://acme-2.talkdeskid.au/oauth/token",
            "https://acme.talkdeskidca.com/oauth/token",
            "https://ACME.TALKDESKID.COM:443/oauth/token",
        ] {
            asked(Vendor::Talkdesk, url);
        }
        for host in NICE {
            asked(Vendor::Nice, &format!("https://{host}/auth/token"));
        }
    }

    /// Hosts, each in every scheme and with every vendor.
    const HOSTILE: &[&str] = &[
        // Loopback, private, link-local and metadata addresses in every notation.
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0",
        "0.0.0.0",
        "0x0",
        "00",
        "127.0.0.1.",
        "127.255.255.254",
        "10.0.0.1",
        "0xa000001",
        "012.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "3232235777",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "169.254.43518",
        "100.64.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "8.8.8.8",
        "134744072",
        "1.1",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "[fc00::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[2001:4860:4860::8888]",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "[fe80::a9fe:a9fe]",
        // Names of this machine and of its neighbours.
        "localhost",
        "localhost.",
        "localhost.localdomain",
        "metadata",
        "metadata.google.internal",
        "instance-data",
        "kubernetes.default.svc",
        "admit",
        "host.docker.internal",
        "127.0.0.1.nip.io",
        "localtest.me",
        // Names that look like a vendor's.
        "mypurecloud.de",
        "evil.mypurecloud.de",
        "login.mypurecloud.de.evil.example",
        "login-mypurecloud.de",
        "loginmypurecloud.de",
        "api.login.mypurecloud.de",
        "login.mypurecloud.de.",
        "login.mypurecloud.deu",
        "login.mypurecloud",
        "login.pure.cloud",
        "login.usw3.pure.cloud",
        "login..pure.cloud",
        "pure.cloud",
        "login.mypurecloud.com.evil.example",
        "login.evil.example",
        "xlogin.mypurecloud.de",
        "apps.mypurecloud.de",
        "talkdeskid.com",
        ".talkdeskid.com",
        "a.b.talkdeskid.com",
        "-a.talkdeskid.com",
        "a-.talkdeskid.com",
        "xn--80ak6aa92e.talkdeskid.com",
        "a_b.talkdeskid.com",
        "talkdeskid.com.evil.example",
        "atalkdeskid.com",
        "acme.talkdeskid.com.",
        "acme.talkdeskid.io",
        "acme.talkdeskid.ca",
        "acme.talkdesk.com",
        "acme.talkdeskidca.eu",
        "niceincontact.com",
        "evil.niceincontact.com",
        "cxone.niceincontact.com.evil.example",
        "cxone.niceincontact.com.",
        "cxone.niceincontact.co",
        "evilcxone.niceincontact.com",
        "nicecxone-sov1.com",
        "x.nicecxone-sov1.eu",
        "nicecxone-sov2.eu",
        "evil.example",
        "xn--lgin-5qa.mypurecloud.de",
        "login.mypurecloud.de%00.evil.example",
        "login.mypurecloud.de%2eevil.example",
        "%6c%6f%63%61%6c%68%6f%73%74",
        "%31%32%37.0.0.1",
        "evil.example#.mypurecloud.de",
        "evil.example?.mypurecloud.de",
        "evil.example/.mypurecloud.de",
    ];

    #[test]
    fn s11_no_other_host_may_be_asked_in_any_notation() {
        assert!(HOSTILE.len() > 100);
        let guard = guard(&["https://127.0.0.1:9443", "https://stand-ins.example:9443"]);
        for host in HOSTILE {
            for vendor in [Vendor::Genesys, Vendor::Talkdesk, Vendor::Nice] {
                for scheme in [
                    "https", "http", "HTTPS", "ftp", "file", "gopher", "ws", "unix",
                ] {
                    for port in ["", ":443", ":80", ":8443", ":22"] {
                        let url = format!("{scheme}://{host}{port}/oauth/token");
                        let judged = guard.judge(vendor, &url);
                        assert!(judged.is_err(), "{url}: {judged:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn s11_a_vendors_host_may_be_asked_in_no_odd_way() {
        let guard = guard(&[]);
        for url in [
            "http://login.mypurecloud.de/oauth/token",
            "https://login.mypurecloud.de:8443/oauth/token",
            "https://login.mypurecloud.de:80/oauth/token",
            "https://user@login.mypurecloud.de/oauth/token",
            "https://user:secret@login.mypurecloud.de/oauth/token",
            "https://evil.example@login.mypurecloud.de/",
            "https://login.mypurecloud.de@evil.example/",
            "https://login.mypurecloud.de\\@evil.example/",
            "https://evil.example\\.mypurecloud.de/",
            "https://login.mypurecloud.de\t.evil.example/",
            "https://lo\ngin.mypurecloud.de/",
            " https://login.mypurecloud.de/",
            "https://login.mypurecloud.de/\u{20}x",
            "https:login.mypurecloud.de",
            "https:///login.mypurecloud.de@/",
            "//login.mypurecloud.de/",
            "login.mypurecloud.de",
            "javascript:login.mypurecloud.de",
            "data:,login.mypurecloud.de",
            "",
        ] {
            let judged = guard.judge(Vendor::Genesys, url);
            let is_the_same = url == "https:login.mypurecloud.de";
            assert!(judged.is_err() || is_the_same, "{url:?}: {judged:?}");
        }
        let theirs = "https://acme.talkdeskid.com/oauth/token";
        for vendor in [Vendor::Genesys, Vendor::Nice] {
            assert!(
                guard.judge(vendor, theirs).is_err(),
                "another vendor's credentials"
            );
        }
    }

    #[test]
    fn s11_a_listed_origin_is_that_origin_and_no_other() {
        let guard = guard(&[
            "https://127.0.0.1:9443",
            "http://stand-ins.example",
            "https://[::1]:9443",
        ]);
        for url in [
            "https://127.0.0.1:9443/oauth/token",
            "https://127.0.0.1:9443",
            // The same address, which nobody but the operator can have meant.
            "https://127.1:9443/x",
            "http://stand-ins.example/x",
            "http://STAND-INS.example:80/x",
            "https://[0:0::1]:9443/x",
        ] {
            let way = guard.judge(Vendor::Nice, url).map(|(_, way)| way);
            assert_eq!(way, Ok(Way::Listed), "{url}");
        }
        for url in [
            "http://127.0.0.1:9443/x",
            "https://127.0.0.1:9444/x",
            "https://127.0.0.1/x",
            "https://127.0.0.2:9443/x",
            "https://stand-ins.example/x",
            "http://stand-ins.example:8080/x",
            "http://x.stand-ins.example/x",
            "http://stand-ins.example./x",
            "https://[::ffff:127.0.0.1]:9443/x",
            "https://user@127.0.0.1:9443/x",
        ] {
            assert!(guard.judge(Vendor::Nice, url).is_err(), "{url}");
        }
    }

    const PRIVATE: &str = "0.0.0.0 0.1.2.3 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 \
        169.254.0.1 169.254.169.254 172.16.0.0 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 \
        192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.7 203.0.113.7 224.0.0.1 \
        239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 ::2 ::7f00:1 ::a9fe:a9fe \
        ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:192.168.1.1 ::ffff:0:127.0.0.1 \
        64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::a00:1 64:ff9b:1::808:808 64:ff9b::1:808:808 100::1 2001::1 \
        2001:0:7f00:1:: 2001:2::1 2001:10::1 2001:20::1 2001:1ff::1 2001:db8::1 2001:db8:ffff:: 2002:7f00:1:: \
        2002:a9fe:a9fe::1 2002:c0a8:101::1 2002:a00:1::1 3fff::1 3fff:fff::1 5f00::1 fc00::1 fd00:ec2::254 \
        fdff::1 fe80::1 febf::1 fec0::1 feff::1 ff02::1 ff0e::1 4000::1 8000::1 e000::1 1000::1";

    #[test]
    fn s11_only_addresses_of_the_internet_are_public() {
        for text in PRIVATE.split(' ') {
            let address: IpAddr = text.parse().unwrap();
            assert!(!is_public_address(address), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2600::1",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2a00::1",
            "3ffe::1",
            "3fff:1000::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert!(is_public_address(address), "{text}");
        }
    }

    fn ask(url: &str) -> Ask<'_> {
        Ask {
            vendor: Vendor::Talkdesk,
            url: url.to_owned(),
            query: Vec::new(),
            authorization: basic("client", "secret"),
            body: Body::None,
        }
    }

    #[tokio::test]
    async fn s11_a_name_that_leads_to_a_private_address_is_not_followed_there() {
        for found in [
            &["127.0.0.1"][..],
            &["::1"],
            &["8.8.8.8", "10.0.0.1"],
            &["169.254.169.254"],
            &["::ffff:10.0.0.1", "2600::1"],
        ] {
            let looked = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&looked);
            let found: Vec<IpAddr> = found.iter().map(|text| text.parse().unwrap()).collect();
            let lookup = move |_: String| -> Answer<'static, io::Result<Vec<IpAddr>>> {
                count.fetch_add(1, Ordering::SeqCst);
                let found = found.clone();
                Box::pin(async move { Ok(found) })
            };
            let reach = Reach {
                origins: Vec::new(),
                authority_pem: None,
                timeout: Duration::from_secs(5),
            };
            let outbound = Outbound::resolving(&reach, Arc::new(lookup)).unwrap();
            let asked = outbound
                .ask(ask("https://acme.talkdeskid.com/oauth/token"))
                .await;
            let Err(Failure::Forbidden(why)) = asked else {
                panic!("it was asked")
            };
            assert!(why.contains("not public"), "{why}");
            assert_eq!(looked.load(Ordering::SeqCst), 1);
            let latest = outbound.ledger().latest();
            assert_eq!((outbound.ledger().count(), latest.len()), (1, 1));
            let [one] = latest.as_slice() else { panic!() };
            assert_eq!(
                (one.destination.as_str(), one.outcome),
                ("acme.talkdeskid.com:443", Outcome::Refused)
            );
        }
    }

    #[tokio::test]
    async fn a_closed_way_out_looks_nothing_up_and_says_so() {
        let outbound = Outbound::closed();
        let asked = outbound
            .ask(ask("https://acme.talkdeskid.com/oauth/token"))
            .await;
        let Err(Failure::Forbidden(why)) = asked else {
            panic!("it was asked")
        };
        assert!(why.contains("works offline"), "{why}");
        let ledger = outbound.ledger();
        assert_eq!((ledger.count(), ledger.latest().len()), (0, 1));
    }
}
