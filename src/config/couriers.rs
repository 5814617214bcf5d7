//! What takes one-time codes away: the settings of couriers as the program uses them, and what must hold between them.
//!
//! It knows no courier: whether a mail server or gateway answers is found out when a message is due.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys::{Draft, domain_name};
use super::load::problem;
use super::problem::Problem;
use crate::kernel::{BaseUrl, Secret, json};

/// What takes one-time codes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Couriers {
    /// Short messages.
    pub sms: Courier,
    /// Spoken messages.
    pub voice: Courier,
    /// E-mails.
    pub email: Courier,
    /// The folder of the spool.
    pub spool: PathBuf,
    /// The mail server, if there is one.
    pub smtp: Option<Smtp>,
    /// The HTTP gateway, if there is one.
    pub gateway: Option<Gateway>,
}

/// A way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Courier {
    /// Kept for the operator to read.
    #[default]
    Outbox,
    /// Written into files.
    Spool,
    /// Sent through a mail server.
    Smtp,
    /// Sent through an HTTP gateway.
    Gateway,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port, if it is not the usual one.
    pub port: Option<u16>,
    /// When TLS begins.
    pub tls: SmtpTls,
    /// User and password.
    pub credentials: Option<(String, Secret<String>)>,
    /// The address messages come from.
    pub from: String,
    /// Certificates to trust besides the system's, in PEM.
    pub authority: Option<PathBuf>,
    /// How long one message may take.
    pub timeout: Duration,
    /// The name it is greeted with, if not the machine's.
    pub greeting: Option<String>,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SmtpTls {
    /// After a plain greeting, before anything else.
    #[default]
    StartTls,
    /// With the connection.
    Implicit,
    /// Never.
    None,
}

/// An HTTP gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Its address; the query may hold placeholders.
    pub url: String,
    /// How it is asked.
    pub method: Method,
    /// Names and values of headers.
    pub headers: Vec<(String, Secret<String>)>,
    /// The value of the `Authorization` header.
    pub authorization: Option<Secret<String>>,
    /// The form the body is in.
    pub content_type: ContentType,
    /// The body's template; empty for GET.
    pub body: String,
    /// Certificates to trust besides the system's, in PEM.
    pub authority: Option<PathBuf>,
    /// How long one message may take.
    pub timeout: Duration,
}

/// How a gateway is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// POST.
    #[default]
    Post,
    /// PUT.
    Put,
    /// GET, without a body.
    Get,
}

/// The form of a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ContentType {
    /// A JSON text.
    #[default]
    Json,
    /// A form, as browsers send it.
    Form,
}

impl Couriers {
    pub(super) fn keeping_in(data: &Path) -> Self {
        Self {
            sms: Courier::Outbox,
            voice: Courier::Outbox,
            email: Courier::Outbox,
            spool: data.join(SPOOL),
            smtp: None,
            gateway: None,
        }
    }
}

impl Method {
    /// The method, in capitals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Get => "GET",
        }
    }
}

pub(super) const COURIERS: &[(&str, Courier)] = &[
    ("outbox", Courier::Outbox),
    ("spool", Courier::Spool),
    ("smtp", Courier::Smtp),
    ("gateway", Courier::Gateway),
];
pub(super) const SMTP_TLS: &[(&str, SmtpTls)] = &[
    ("starttls", SmtpTls::StartTls),
    ("implicit", SmtpTls::Implicit),
    ("none", SmtpTls::None),
];
pub(super) const METHODS: &[(&str, Method)] = &[
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("GET", Method::Get),
];
pub(super) const CONTENT_TYPES: &[(&str, ContentType)] =
    &[("json", ContentType::Json), ("form", ContentType::Form)];

/// The settings of couriers while they are read.
#[derive(Debug, Default)]
pub(super) struct CourierDraft {
    pub sms: Courier,
    pub voice: Courier,
    pub email: Courier,
    pub spool: Option<PathBuf>,
    pub smtp: SmtpDraft,
    pub gateway: GatewayDraft,
}

#[derive(Debug, Default)]
pub(super) struct SmtpDraft {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub tls: SmtpTls,
    pub user: Option<String>,
    pub password: Option<Secret<String>>,
    pub password_file: Option<PathBuf>,
    pub password_credential: Option<String>,
    pub from: Option<String>,
    pub authority: Option<PathBuf>,
    pub timeout: Option<Duration>,
    pub greeting: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct GatewayDraft {
    pub url: Option<String>,
    pub method: Method,
    pub headers: Vec<(String, Secret<String>)>,
    pub authorization: Option<Secret<String>>,
    pub authorization_file: Option<PathBuf>,
    pub authorization_credential: Option<String>,
    pub headers_file: Option<PathBuf>,
    pub headers_credential: Option<String>,
    pub content_type: ContentType,
    pub body: Option<String>,
    pub authority: Option<PathBuf>,
    pub timeout: Option<Duration>,
}

/// The couriers a draft asks for. Whatever is wrong goes to `problems`, and then they are of no use.
pub(super) fn settle(
    draft: &Draft,
    credentials: Option<&Path>,
    problems: &mut Vec<Problem>,
) -> Couriers {
    let asked = &draft.couriers;
    let mut check = Check {
        draft,
        credentials,
        problems,
    };
    check.channels();
    Couriers {
        sms: asked.sms,
        voice: asked.voice,
        email: asked.email,
        spool: match &asked.spool {
            Some(folder) => folder.clone(),
            None => draft.config.data.join(SPOOL),
        },
        smtp: check.smtp(),
        gateway: check.gateway(),
    }
}

struct Check<'a> {
    draft: &'a Draft,
    /// Where systemd puts a service's credentials.
    credentials: Option<&'a Path>,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn say(&mut self, key: &'static str, what: impl Into<String>) {
        // A value that was refused has been told of already.
        if !self.draft.refused.contains(&key) {
            self.problems.push(problem(self.draft, key, what.into()));
        }
    }

    fn is_missing(&self, key: &str) -> bool {
        !self.draft.places.contains_key(key) && !self.draft.refused.contains(&key)
    }

    fn channels(&mut self) {
        let asked = &self.draft.couriers;
        let channels = [
            ("codes.sms", asked.sms),
            ("codes.voice", asked.voice),
            ("codes.email", asked.email),
        ];
        for (key, courier) in channels {
            let needed = match courier {
                Courier::Outbox | Courier::Spool => continue,
                Courier::Smtp if key != "codes.email" => {
                    self.say(
                        key,
                        "cannot be smtp, which takes e-mail only: choose outbox, spool or gateway",
                    );
                    continue;
                }
                Courier::Smtp => "smtp.host",
                Courier::Gateway => "gateway.url",
            };
            if self.is_missing(needed) {
                self.say(key, format!("needs {needed} as well"));
            }
        }
    }

    fn smtp(&mut self) -> Option<Smtp> {
        let asked = &self.draft.couriers.smtp;
        let password = self.secret(&Kept {
            value: ("smtp.password", asked.password.as_ref()),
            file: ("smtp.password_file", asked.password_file.as_deref()),
            credential: (
                "smtp.password_credential",
                asked.password_credential.as_deref(),
            ),
        });
        let ways = [
            ("smtp.password", asked.password.is_some()),
            ("smtp.password_file", asked.password_file.is_some()),
            (
                "smtp.password_credential",
                asked.password_credential.is_some(),
            ),
        ];
        let set = ways.iter().find(|(_, is_set)| *is_set);
        if asked.user.is_some() && set.is_none() && self.is_missing("smtp.password") {
            self.say(
                "smtp.user",
                "needs smtp.password, smtp.password_file or smtp.password_credential as well",
            );
        }
        if let Some((set, _)) = set.filter(|_| self.is_missing("smtp.user")) {
            self.say(set, "needs smtp.user as well");
        }
        let host = asked.host.as_ref()?;
        if self.is_missing("smtp.from") {
            self.say("smtp.host", "needs smtp.from as well");
        }
        if asked.tls == SmtpTls::None && asked.user.is_some() && !is_this_machine(host) {
            self.say(
                "smtp.tls",
                "would show the password to the network: choose starttls or implicit",
            );
        }
        Some(Smtp {
            host: host.clone(),
            port: asked.port,
            tls: asked.tls,
            credentials: asked.user.clone().zip(password),
            from: asked.from.clone().unwrap_or_default(),
            authority: asked.authority.clone(),
            timeout: asked.timeout.unwrap_or(USUAL_TIMEOUT),
            greeting: asked.greeting.clone(),
        })
    }

    fn gateway(&mut self) -> Option<Gateway> {
        let asked = &self.draft.couriers.gateway;
        let authorization = self.secret(&Kept {
            value: ("gateway.authorization", asked.authorization.as_ref()),
            file: (
                "gateway.authorization_file",
                asked.authorization_file.as_deref(),
            ),
            credential: (
                "gateway.authorization_credential",
                asked.authorization_credential.as_deref(),
            ),
        });
        let headers = self.headers();
        let url = asked.url.as_ref()?;
        let body = match (asked.method, &asked.body) {
            (Method::Get, body) => {
                if body.is_some() {
                    self.say(
                        "gateway.body",
                        "cannot be sent by GET: put the values into the query of gateway.url",
                    );
                }
                String::new()
            }
            (Method::Post | Method::Put, Some(body)) => body.clone(),
            (Method::Post | Method::Put, None) => usual_body(asked.content_type).to_owned(),
        };
        self.template(url, &body);
        if authorization.is_some() && is_named(&headers, "authorization") {
            self.say(
                "gateway.headers",
                "names Authorization, which another setting of [gateway] sets",
            );
        }
        if authorization.is_some() && url.starts_with("http:") && !is_this_machine(host_of(url)) {
            self.say(
                "gateway.url",
                "would show the authorization to the network: use https",
            );
        }
        Some(Gateway {
            url: url.clone(),
            method: asked.method,
            headers,
            authorization,
            content_type: asked.content_type,
            body,
            authority: asked.authority.clone(),
            timeout: asked.timeout.unwrap_or(USUAL_TIMEOUT),
        })
    }

    /// Whoever gets a request must learn from it where the code goes and what it is.
    fn template(&mut self, url: &str, body: &str) {
        let asked = &self.draft.couriers.gateway;
        let whole = if asked.body.is_some() {
            "gateway.body"
        } else {
            "gateway.url"
        };
        let says = |name: &str| url.contains(name) || body.contains(name);
        if !says("{to}") {
            self.say(whole, "must hold {to} somewhere");
        } else if !says("{message}") && !says("{code}") {
            self.say(whole, "must hold {message} or {code} somewhere");
        }
        if body.is_empty() || asked.content_type == ContentType::Form {
            return;
        }
        // A digit stands for itself inside a string and outside, so what is refused here is refused of every value.
        let filled = PLACEHOLDERS
            .iter()
            .fold(body.to_owned(), |text, name| text.replace(name, "1"));
        if json::parse(filled.as_bytes()).is_err() {
            self.say("gateway.body", "is not JSON once its placeholders are filled: choose another gateway.content_type, or mend it");
        } else if PLACEHOLDERS
            .iter()
            .any(|name| is_outside_strings(body, name))
        {
            self.say("gateway.body", "has a placeholder outside quotation marks");
        }
    }

    /// A secret that is written down here, in a file of its own, or handed over by systemd.
    fn secret(&mut self, kept: &Kept<'_, Secret<String>>) -> Option<Secret<String>> {
        match self.kept(kept)? {
            Found::Here(secret) => Some(secret.clone()),
            Found::InFile(key, text) => {
                let line = text.expose().trim_end_matches(['\r', '\n']);
                if is_secret(line) {
                    return Some(Secret::new(line.to_owned()));
                }
                self.say(key, "the file must hold one line of text");
                None
            }
        }
    }

    /// Headers that are written down here, or one a line in a file, because some of them are passwords.
    fn headers(&mut self) -> Vec<(String, Secret<String>)> {
        let asked = &self.draft.couriers.gateway;
        let listed = (!asked.headers.is_empty()).then_some(&asked.headers);
        let kept = Kept {
            value: ("gateway.headers", listed),
            file: ("gateway.headers_file", asked.headers_file.as_deref()),
            credential: (
                "gateway.headers_credential",
                asked.headers_credential.as_deref(),
            ),
        };
        match self.kept(&kept) {
            None => Vec::new(),
            Some(Found::Here(headers)) => headers.clone(),
            Some(Found::InFile(key, text)) => {
                let lines = text.expose().lines().filter(|line| !line.trim().is_empty());
                let headers: Option<Vec<_>> = lines.map(header).collect();
                if headers.is_none() {
                    self.say(
                        key,
                        "the file must hold headers such as `X-Account: 42`, one a line, none of which frames the request",
                    );
                }
                headers.unwrap_or_default()
            }
        }
    }

    /// What one of three settings says, or the file it names; only one of them may be set.
    fn kept<'v, T>(&mut self, kept: &Kept<'v, T>) -> Option<Found<'v, T>> {
        let (key, value) = kept.value;
        let (file_key, file) = kept.file;
        let (credential_key, credential) = kept.credential;
        let set = [
            (key, value.is_some()),
            (file_key, file.is_some()),
            (credential_key, credential.is_some()),
        ];
        let mut set = set.iter().filter(|(_, is_set)| *is_set);
        if let (Some((first, _)), Some((second, _))) = (set.next(), set.next()) {
            self.say(second, format!("cannot be set together with {first}"));
            return None;
        }
        if let Some(value) = value {
            return Some(Found::Here(value));
        }
        let (key, path) = match (file, credential) {
            (Some(file), _) => (file_key, file.to_owned()),
            (None, Some(name)) => {
                let Some(folder) = self.credentials else {
                    self.say(credential_key, NO_CREDENTIALS);
                    return None;
                };
                (credential_key, folder.join(name))
            }
            (None, None) => return None,
        };
        match read_private(&path, self.credentials) {
            Ok(text) => Some(Found::InFile(key, text)),
            Err(what) => {
                self.say(key, what);
                None
            }
        }
    }
}

/// The three settings that may hold one secret.
struct Kept<'v, T> {
    value: (&'static str, Option<&'v T>),
    file: (&'static str, Option<&'v Path>),
    credential: (&'static str, Option<&'v str>),
}

/// Where the one that is set leads.
enum Found<'v, T> {
    Here(&'v T),
    InFile(&'static str, Secret<String>),
}

/// Why a credential cannot be used by a program that systemd did not start.
pub(super) const NO_CREDENTIALS: &str = "needs systemd's CREDENTIALS_DIRECTORY, which is not set";

/// The text of a file that nobody else may read. What systemd hands over has its own permissions.
fn read_private(file: &Path, credentials: Option<&Path>) -> Result<Secret<String>, String> {
    let shown = file.display();
    let failed = |error: std::io::Error| format!("{shown} cannot be read: {error}");
    let facts = fs::metadata(file).map_err(failed)?;
    let mode = facts.mode() & 0o777;
    let handed_over = credentials.is_some_and(|folder| file.starts_with(folder));
    if !handed_over && mode & 0o077 != 0 {
        return Err(format!(
            "{shown} can be read by others (mode {mode:o}): run `chmod 600 {shown}`"
        ));
    }
    if facts.len() > LONGEST_SECRET {
        return Err(format!("{shown} is too long for a secret"));
    }
    Ok(Secret::new(fs::read_to_string(file).map_err(failed)?))
}

/// Whether a text can be a password or the value of a header.
pub(super) fn is_secret(text: &str) -> bool {
    let fits = u64::try_from(text.len()).is_ok_and(|length| (1..=LONGEST_SECRET).contains(&length));
    fits && !text.contains(char::is_control)
}

/// `Name: value`, where the name is a token (RFC 9110 §5.6.2) that does not change what the request is.
pub(super) fn header(text: &str) -> Option<(String, Secret<String>)> {
    let (name, value) = text.split_once(':')?;
    let value = value.trim();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let named = (1..=64).contains(&name.len()) && name.bytes().all(token);
    let visible = value.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    let ours = FRAMING
        .iter()
        .any(|framing| framing.eq_ignore_ascii_case(name));
    let fits = named && !ours && visible && is_secret(value);
    fits.then(|| (name.to_owned(), Secret::new(value.to_owned())))
}

/// An address whose query, and nothing before it, may hold placeholders.
pub(super) fn gateway_url(text: &str) -> Option<String> {
    let (address, query) = text.split_once('?').unwrap_or((text, ""));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/?[]".contains(&b);
    let bare = PLACEHOLDERS
        .iter()
        .fold(query.to_owned(), |text, name| text.replace(name, ""));
    let fits = address.parse::<BaseUrl>().is_ok() && bare.bytes().all(plain) && text.len() <= 2_000;
    fits.then(|| text.to_owned())
}

/// An e-mail address as a mailbox without a name (RFC 5321 §4.1.2), without quoted parts and literals.
pub(super) fn mail_address(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    let dotted = local
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(atom));
    let fits = dotted && local.len() <= 64 && domain_name(domain).is_some();
    fits.then(|| text.to_owned())
}

/// A country prefix, or the beginning of one country's numbers (ITU-T E.164).
pub(super) fn prefix(text: &str) -> Option<String> {
    let digits = text.strip_prefix('+')?;
    let fits = (1..=7).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    fits.then(|| text.to_owned())
}

/// What a request may name as its sender: letters, digits and spaces.
pub(super) fn sender(text: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || c == ' ';
    let fits = (1..=20).contains(&text.chars().count()) && text.chars().all(plain);
    (fits && text.trim() == text).then(|| text.to_owned())
}

fn is_named(headers: &[(String, Secret<String>)], name: &str) -> bool {
    headers
        .iter()
        .any(|(known, _)| known.eq_ignore_ascii_case(name))
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_matches(['[', ']']);
    let address = bare.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Whether `name` stands in a JSON text where only numbers and the like may.
fn is_outside_strings(body: &str, name: &str) -> bool {
    let mut inside = false;
    let mut escaped = false;
    body.char_indices().any(|(at, c)| {
        let found = !inside && body.get(at..).is_some_and(|rest| rest.starts_with(name));
        inside ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        found
    })
}

fn usual_body(content_type: ContentType) -> &'static str {
    match content_type {
        ContentType::Json => r#"{"to": "{to}", "text": "{message}"}"#,
        ContentType::Form => "to={to}&text={message}",
    }
}

/// What a template may name.
const PLACEHOLDERS: [&str; 8] = [
    "{to}",
    "{message}",
    "{code}",
    "{locale}",
    "{channel}",
    "{id}",
    "{sender}",
    "{subject}",
];

/// Headers that say what the request is; ours to set.
const FRAMING: [&str; 7] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
];

/// The spool's folder in the data folder.
const SPOOL: &str = "spool";
const LONGEST_SECRET: u64 = 4_096;
/// How long one message may take, unless the operator says otherwise.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);
