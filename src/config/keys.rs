//! Every setting, declared once: its name, what it accepts, what it means, and where its value goes.
//!
//! The file, the environment, the messages and the annotated example all follow from this table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::iter;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::backup::BackupDraft;
use super::couriers::{self, CONTENT_TYPES, COURIERS, CourierDraft, METHODS, SMTP_TLS};
use super::problem::{Place, nearest};
use super::{Config, Format, Level, TlsVersion};
use crate::kernel::{BaseUrl, Secret};

/// One setting.
pub(super) struct Key {
    /// Section and name, such as `server.listen`.
    pub path: &'static str,
    shown: Shown,
    kind: Kind,
    doc: &'static str,
}

/// How the annotated example shows a setting.
enum Shown {
    /// With the value it has when nobody sets it.
    Default(&'static str),
    /// With a value someone might set; unset, it has none.
    Example(&'static str),
}

/// What a setting accepts, and where it goes.
enum Kind {
    Flag(fn(&mut Draft, bool)),
    Count(u32, u32, fn(&mut Draft, u32)),
    Seconds(u64, u64, fn(&mut Draft, Duration)),
    Path(fn(&mut Draft, PathBuf)),
    Address(fn(&mut Draft, SocketAddr)),
    Addresses(fn(&mut Draft, Vec<IpAddr>)),
    Url(fn(&mut Draft, BaseUrl)),
    Hosts(fn(&mut Draft, Vec<String>)),
    Credential(fn(&mut Draft, String)),
    /// One of some words.
    Word(fn() -> Vec<&'static str>, fn(&mut Draft, &str) -> bool),
    /// A text of some form, described in words.
    Text(&'static str, fn(&mut Draft, &str) -> bool),
    /// Several of them.
    Texts(&'static str, fn(&mut Draft, &[&str]) -> bool),
    /// A text that is never repeated.
    Secret(fn(&mut Draft, &str) -> bool),
    /// Headers, whose values are never repeated.
    Headers(fn(&mut Draft, &[&str]) -> bool),
}

/// A value as it was written, before anyone asked what it means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Text(String),
    Whole(i128),
    Flag(bool),
    List(Vec<Raw>),
    /// Something no setting accepts, in words.
    Other(String),
}

/// A configuration while it is read: what was set so far, and where.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub config: Config,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub key_credential: Option<String>,
    pub master_key: Option<PathBuf>,
    pub credential: Option<String>,
    pub couriers: CourierDraft,
    pub backup: BackupDraft,
    /// The place that had the last word on each setting.
    pub places: BTreeMap<&'static str, Place>,
    /// Settings whose value was refused: nothing more is to be said about them.
    pub refused: Vec<&'static str>,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// What was written, but for secrets.
    pub written: BTreeMap<&'static str, Raw>,
}

/// Settings that belong to no section.
const ABOVE_ALL: (&str, &str) = ("", "");

/// Sections in the order of the example, and what each is about.
const SECTIONS: &[(&str, &str)] = &[
    ("server", "Where the appliance is reached."),
    (
        "tls",
        "Your own certificate. Without one the built-in authority issues it.",
    ),
    ("store", "What is kept, and the key it is sealed under."),
    (
        "tickets",
        "How long tickets live, and how often they may be guessed at.",
    ),
    ("tokens", "How long tokens live."),
    ("signing", "How long the keys that sign tokens are used."),
    ("sessions", "How long a browser stays signed in."),
    (
        "passwords",
        "What people's passwords must be, and how often they may be guessed at.",
    ),
    (
        "codes",
        "One-time codes: what they are, what takes them away, and how much they may cost.",
    ),
    (
        "spool",
        "The courier that writes messages into files, for a program of yours to take away.",
    ),
    (
        "smtp",
        "The courier that sends e-mail through your mail server.",
    ),
    (
        "gateway",
        "The courier that asks an HTTP gateway, for short and spoken messages above all.",
    ),
    ("keys", "How many key pairs are made for customers."),
    (
        "upstreams",
        "Which contact centers may be asked, and how long for an answer.",
    ),
    (
        "backup",
        "Backups made while the appliance serves, and where those without a name go.",
    ),
    ("limits", "How much is taken on at once."),
    ("metrics", "Who may read the figures at /metrics."),
    ("log", "What is written to the log."),
];

/// Every setting there is.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "offline",
        shown: Shown::Default("false"),
        kind: Kind::Flag(|draft, value| draft.config.offline = value),
        doc: "Open no connection to anybody: no upstream is asked, and no courier that sends can be chosen. It stands above all sections.",
    },
    Key {
        path: "server.listen",
        shown: Shown::Default("\"127.0.0.1:8443\""),
        kind: Kind::Address(|draft, value| draft.config.listen = value),
        doc: "Address and port to listen on. \"[::]:8443\" means every address of this machine.",
    },
    Key {
        path: "server.public_url",
        shown: Shown::Example("\"https://admit.example.org\""),
        kind: Kind::Url(|draft, value| draft.config.public_url = Some(value)),
        doc: "The address others reach it at: issuer of tokens, base of every link. Unset: https://localhost and the port.",
    },
    Key {
        path: "server.names",
        shown: Shown::Default("[]"),
        kind: Kind::Hosts(|draft, value| draft.config.names = value),
        doc: "Further host names and addresses it answers to, besides the public address and those of this machine.",
    },
    Key {
        path: "server.plain_http",
        shown: Shown::Default("false"),
        kind: Kind::Flag(|draft, value| draft.config.plain_http = value),
        doc: "Take requests without TLS, from a reverse proxy on this host; the address to listen on must then be a loopback one.",
    },
    Key {
        path: "server.trusted_proxies",
        shown: Shown::Default("[]"),
        kind: Kind::Addresses(|draft, value| draft.config.trusted_proxies = value),
        doc: "Reverse proxies, by IP address, whose X-Forwarded-For says who calls. Unnamed, a proxy's callers share one count of guesses.",
    },
    Key {
        path: "tls.certificate",
        shown: Shown::Example("\"/etc/admit/tls/certificate.pem\""),
        kind: Kind::Path(|draft, value| draft.certificate = Some(value)),
        doc: "Your certificate and those it is issued under, in PEM. Unset: the built-in authority issues one.",
    },
    Key {
        path: "tls.key",
        shown: Shown::Example("\"/etc/admit/tls/key.pem\""),
        kind: Kind::Path(|draft, value| draft.key = Some(value)),
        doc: "Its private key, in PEM. Set both or neither.",
    },
    Key {
        path: "tls.minimum_version",
        shown: Shown::Default("\"1.2\""),
        kind: Kind::Word(
            || names(&TLS_VERSIONS),
            |draft, word| choose(&TLS_VERSIONS, word, &mut draft.config.oldest_tls),
        ),
        doc: "The oldest version of TLS that is spoken: 1.2, or 1.3 where no client is older than 2018 or so.",
    },
    Key {
        path: "tls.key_credential",
        shown: Shown::Example("\"admit-tls-key\""),
        kind: Kind::Credential(|draft, value| draft.key_credential = Some(value)),
        doc: "The systemd credential that holds the private key instead (LoadCredential=).",
    },
    Key {
        path: "store.data",
        shown: Shown::Default("\"./admit-data\""),
        kind: Kind::Path(|draft, value| draft.config.data = value),
        doc: "The folder that holds everything. A relative path starts where the program is started.",
    },
    Key {
        path: "store.master_key",
        shown: Shown::Example("\"/etc/admit/master.key\""),
        kind: Kind::Path(|draft, value| draft.master_key = Some(value)),
        doc: "The file of the key that seals the store; made at the first start. Unset: master.key in the data folder.",
    },
    Key {
        path: "store.master_key_credential",
        shown: Shown::Example("\"admit-master-key\""),
        kind: Kind::Credential(|draft, value| draft.credential = Some(value)),
        doc: "The systemd credential that holds the key instead (LoadCredential=). It must exist before the first start.",
    },
    Key {
        path: "store.witness",
        shown: Shown::Example("\"/var/lib/admit/data.witness\""),
        kind: Kind::Path(|draft, value| draft.config.witness = Some(value)),
        doc: "The file that notices when an older copy of the data folder is put back; keep it out of copies. Unset: beside the data folder, with .witness after its name.",
    },
    Key {
        path: "tickets.default_ttl_seconds",
        shown: Shown::Default("14400"),
        kind: Kind::Seconds(60, 10 * YEAR, |draft, value| {
            draft.config.policy.tickets.default_ttl = value;
        }),
        doc: "The life of a ticket whose creator named no end: four hours.",
    },
    Key {
        path: "tickets.max_ttl_seconds",
        shown: Shown::Default("2592000"),
        kind: Kind::Seconds(60, 10 * YEAR, |draft, value| {
            draft.config.policy.tickets.max_ttl = value;
        }),
        doc: "The longest life a creator may ask for: thirty days.",
    },
    Key {
        path: "tickets.kept_after_expiry_seconds",
        shown: Shown::Default("604800"),
        kind: Kind::Seconds(0, 10 * YEAR, |draft, value| {
            draft.config.policy.tickets.kept_after_expiry = value;
        }),
        doc: "How long a ticket that is over still answers why; after that it is as if it had never been: seven days.",
    },
    Key {
        path: "tickets.wrong_guesses_per_network_per_hour",
        shown: Shown::Default("120"),
        kind: Kind::Count(1, 1_000_000, |draft, value| {
            draft
                .config
                .policy
                .tickets
                .wrong_guesses_per_network_per_hour = value;
        }),
        doc: "Wrong guesses one network (IPv4 /24, IPv6 /48) may make in an hour.",
    },
    Key {
        path: "tickets.wrong_guesses_short_per_hour",
        shown: Shown::Default("120"),
        kind: Kind::Count(1, 1_000_000, |draft, value| {
            draft.config.policy.tickets.wrong_guesses_short_per_hour = value;
        }),
        doc: "Wrong guesses at short tickets from everywhere together in an hour; then only longer tickets go on working.",
    },
    Key {
        path: "tickets.opens_before_seconds",
        shown: Shown::Example("900"),
        kind: Kind::Seconds(0, YEAR, |draft, value| {
            draft.config.policy.tickets.opens_before = Some(value);
        }),
        doc: "How long before its start a ticket can be used. Unset: at any time.",
    },
    Key {
        path: "tokens.access_seconds",
        shown: Shown::Default("43200"),
        kind: Kind::Seconds(60, YEAR, |draft, value| {
            draft.config.policy.tokens.access = value;
        }),
        doc: "The life of an access token: twelve hours. A client may have its own.",
    },
    Key {
        path: "tokens.refresh_idle_seconds",
        shown: Shown::Default("2592000"),
        kind: Kind::Seconds(60, 10 * YEAR, |draft, value| {
            draft.config.policy.tokens.refresh_idle = value;
        }),
        doc: "How long a sign-in may lie unused before it ends: thirty days. A client may have its own.",
    },
    Key {
        path: "tokens.refresh_absolute_seconds",
        shown: Shown::Default("15552000"),
        kind: Kind::Seconds(60, 10 * YEAR, |draft, value| {
            draft.config.policy.tokens.refresh_absolute = value;
        }),
        doc: "How long a sign-in lasts at most, however often it is used: one hundred and eighty days.",
    },
    Key {
        path: "tokens.refresh_grace_seconds",
        shown: Shown::Default("10"),
        kind: Kind::Seconds(0, 300, |draft, value| {
            draft.config.policy.tokens.refresh_grace = value;
        }),
        doc: "How long a used refresh token gives its client the same successor again, for lost replies. 0 switches it off.",
    },
    Key {
        path: "signing.rotate_days",
        shown: Shown::Default("90"),
        kind: Kind::Count(1, 3_650, |draft, value| {
            draft.config.policy.signing.rotate_every = DAY * value;
        }),
        doc: "How long a key signs tokens before the next one does. A key that signs no more is kept until its tokens are gone.",
    },
    Key {
        path: "signing.publish_hours",
        shown: Shown::Default("24"),
        kind: Kind::Count(1, 8_760, |draft, value| {
            draft.config.policy.signing.publish_before = HOUR * value;
        }),
        doc: "How long a key is in the key set before it signs, so that everyone has seen it by then.",
    },
    Key {
        path: "sessions.idle_seconds",
        shown: Shown::Default("43200"),
        kind: Kind::Seconds(60, YEAR, |draft, value| {
            draft.config.policy.sessions.idle = value;
        }),
        doc: "How long a browser that nobody uses stays signed in: twelve hours.",
    },
    Key {
        path: "sessions.absolute_seconds",
        shown: Shown::Default("604800"),
        kind: Kind::Seconds(60, YEAR, |draft, value| {
            draft.config.policy.sessions.absolute = value;
        }),
        doc: "How long a browser stays signed in at most: seven days.",
    },
    Key {
        path: "passwords.min_length",
        shown: Shown::Default("12"),
        kind: Kind::Count(8, 128, |draft, value| {
            let length = usize::try_from(value).unwrap_or(usize::MAX);
            draft.config.policy.passwords.min_length = length;
        }),
        doc: "The fewest characters a new password has.",
    },
    Key {
        path: "passwords.wrong_per_account_per_day",
        shown: Shown::Default("50"),
        kind: Kind::Count(1, 1_000_000, |draft, value| {
            draft.config.policy.passwords.wrong_per_account_per_day = value;
        }),
        doc: "Wrong passwords for one account looked at in a day from browsers and networks it was never signed in from, in all.",
    },
    Key {
        path: "passwords.wrong_per_known_place_per_day",
        shown: Shown::Default("20"),
        kind: Kind::Count(1, 1_000_000, |draft, value| {
            draft.config.policy.passwords.wrong_per_known_place_per_day = value;
        }),
        doc: "Wrong passwords for one account looked at in a day from each browser or network it was signed in from.",
    },
    Key {
        path: "codes.sms",
        shown: Shown::Default("\"outbox\""),
        kind: Kind::Word(
            || names(COURIERS),
            |draft, word| choose(COURIERS, word, &mut draft.couriers.sms),
        ),
        doc: "What takes short messages away: outbox (kept for the operator to read), spool or gateway.",
    },
    Key {
        path: "codes.voice",
        shown: Shown::Default("\"outbox\""),
        kind: Kind::Word(
            || names(COURIERS),
            |draft, word| choose(COURIERS, word, &mut draft.couriers.voice),
        ),
        doc: "What takes spoken messages away: outbox (kept for the operator to read), spool or gateway.",
    },
    Key {
        path: "codes.email",
        shown: Shown::Default("\"outbox\""),
        kind: Kind::Word(
            || names(COURIERS),
            |draft, word| choose(COURIERS, word, &mut draft.couriers.email),
        ),
        doc: "What takes e-mail away: outbox (kept for the operator to read), spool, smtp or gateway.",
    },
    Key {
        path: "codes.sender",
        shown: Shown::Default("\"Admit\""),
        kind: Kind::Text("1 to 20 letters, digits and spaces", |draft, text| {
            let sender = couriers::sender(text);
            put(sender, &mut draft.config.policy.codes.sender)
        }),
        doc: "Who sends a code, as its text says, unless the request names somebody.",
    },
    Key {
        path: "codes.length",
        shown: Shown::Default("6"),
        kind: Kind::Count(4, 8, |draft, value| {
            draft.config.policy.codes.length = value;
        }),
        doc: "How many digits a code has.",
    },
    Key {
        path: "codes.life_seconds",
        shown: Shown::Default("600"),
        kind: Kind::Seconds(60, 3_600, |draft, value| {
            draft.config.policy.codes.life = value;
        }),
        doc: "How long a code is good, and how long its delivery is tried: ten minutes.",
    },
    Key {
        path: "codes.sends_per_ten_minutes",
        shown: Shown::Default("5"),
        kind: Kind::Count(1, 100, |draft, value| {
            draft.config.policy.codes.sends_per_ten_minutes = value;
        }),
        doc: "Messages one destination gets in ten minutes.",
    },
    Key {
        path: "codes.sends_per_day",
        shown: Shown::Default("10"),
        kind: Kind::Count(1, 1_000, |draft, value| {
            draft.config.policy.codes.sends_per_day = value;
        }),
        doc: "Messages one destination gets in a day.",
    },
    Key {
        path: "codes.checks",
        shown: Shown::Default("5"),
        kind: Kind::Count(1, 10, |draft, value| {
            draft.config.policy.codes.checks = value;
        }),
        doc: "Codes that are looked at for one verification.",
    },
    Key {
        path: "codes.wrong_per_day",
        shown: Shown::Default("10"),
        kind: Kind::Count(1, 1_000, |draft, value| {
            draft.config.policy.codes.wrong_per_day = value;
        }),
        doc: "Wrong codes that are looked at for one destination in a day, over all its verifications.",
    },
    Key {
        path: "codes.per_organization_per_day",
        shown: Shown::Default("1000"),
        kind: Kind::Count(1, 1_000_000, |draft, value| {
            draft.config.policy.codes.per_organization_per_day = value;
        }),
        doc: "Messages of one organization in a day. Every one may cost money.",
    },
    Key {
        path: "codes.overall_per_day",
        shown: Shown::Default("5000"),
        kind: Kind::Count(1, 10_000_000, |draft, value| {
            draft.config.policy.codes.overall_per_day = value;
        }),
        doc: "Messages of everybody in a day.",
    },
    Key {
        path: "codes.unanswered_per_hour",
        shown: Shown::Default("10"),
        kind: Kind::Count(1, 1_000_000, |draft, value| {
            draft.config.policy.codes.unanswered_per_hour = value;
        }),
        doc: "Messages an organization sends within an hour under one country prefix while hardly any of their codes comes back.",
    },
    Key {
        path: "codes.allowed_prefixes",
        shown: Shown::Default("[]"),
        kind: Kind::Texts(
            "a list of prefixes such as +30, of 1 to 7 digits",
            |draft, texts| {
                each(
                    texts,
                    couriers::prefix,
                    &mut draft.config.policy.codes.allowed_prefixes,
                )
            },
        ),
        doc: "Country prefixes that are sent to, such as +30. Empty: all that are not denied.",
    },
    Key {
        path: "codes.denied_prefixes",
        shown: Shown::Default("[]"),
        kind: Kind::Texts(
            "a list of prefixes such as +30, of 1 to 7 digits",
            |draft, texts| {
                each(
                    texts,
                    couriers::prefix,
                    &mut draft.config.policy.codes.denied_prefixes,
                )
            },
        ),
        doc: "Prefixes that are never sent to, besides those that always cost much.",
    },
    Key {
        path: "codes.anonymous",
        shown: Shown::Default("false"),
        kind: Kind::Flag(|draft, value| draft.config.policy.codes.anonymous = value),
        doc: "Whether whoever has no token may have codes sent and checked.",
    },
    Key {
        path: "codes.anonymous_per_network_per_hour",
        shown: Shown::Default("10"),
        kind: Kind::Count(1, 1_000_000, |draft, value| {
            draft.config.policy.codes.anonymous_per_network_per_hour = value;
        }),
        doc: "Messages sent in an hour for those without a token, from one network.",
    },
    Key {
        path: "spool.folder",
        shown: Shown::Example("\"/var/spool/admit\""),
        kind: Kind::Path(|draft, value| draft.couriers.spool = Some(value)),
        doc: "Where messages are put, one JSON file each. Unset: spool in the data folder. Whoever takes a file away removes it.",
    },
    Key {
        path: "smtp.host",
        shown: Shown::Example("\"mail.example.org\""),
        kind: Kind::Text("a host name or address", |draft, text| {
            keep(host_name(text), &mut draft.couriers.smtp.host)
        }),
        doc: "Your mail server. Its certificate must be for this name.",
    },
    Key {
        path: "smtp.port",
        shown: Shown::Example("587"),
        kind: Kind::Count(1, 65_535, |draft, value| {
            draft.couriers.smtp.port = u16::try_from(value).ok();
        }),
        doc: "Its port. Unset: 587, or 465 with implicit TLS, or 25 without TLS.",
    },
    Key {
        path: "smtp.tls",
        shown: Shown::Default("\"starttls\""),
        kind: Kind::Word(
            || names(SMTP_TLS),
            |draft, word| choose(SMTP_TLS, word, &mut draft.couriers.smtp.tls),
        ),
        doc: "When TLS begins: starttls (nothing is sent to a server that does not offer it), implicit, or none.",
    },
    Key {
        path: "smtp.user",
        shown: Shown::Example("\"admit\""),
        kind: Kind::Text("text on one line", |draft, text| {
            keep(one_line(text), &mut draft.couriers.smtp.user)
        }),
        doc: "The user to sign in as, where the server wants one.",
    },
    Key {
        path: "smtp.password",
        shown: Shown::Example("\"secret\""),
        kind: Kind::Secret(|draft, text| keep(secret(text), &mut draft.couriers.smtp.password)),
        doc: "The user's password. Better kept in a file of its own.",
    },
    Key {
        path: "smtp.password_file",
        shown: Shown::Example("\"/etc/admit/smtp.password\""),
        kind: Kind::Path(|draft, value| draft.couriers.smtp.password_file = Some(value)),
        doc: "The file that holds the password instead; nobody else may read it.",
    },
    Key {
        path: "smtp.password_credential",
        shown: Shown::Example("\"admit-smtp-password\""),
        kind: Kind::Credential(|draft, value| {
            draft.couriers.smtp.password_credential = Some(value);
        }),
        doc: "The systemd credential that holds the password instead (LoadCredential=).",
    },
    Key {
        path: "smtp.from",
        shown: Shown::Example("\"codes@example.org\""),
        kind: Kind::Text(
            "an e-mail address such as codes@example.org",
            |draft, text| keep(couriers::mail_address(text), &mut draft.couriers.smtp.from),
        ),
        doc: "The address messages come from.",
    },
    Key {
        path: "smtp.ehlo",
        shown: Shown::Example("\"admit.example.org\""),
        kind: Kind::Text("a host name", |draft, text| {
            keep(domain_name(text), &mut draft.couriers.smtp.greeting)
        }),
        doc: "The name the server is greeted with. Unset: this machine's.",
    },
    Key {
        path: "smtp.authority",
        shown: Shown::Example("\"/etc/admit/mail-ca.pem\""),
        kind: Kind::Path(|draft, value| draft.couriers.smtp.authority = Some(value)),
        doc: "Certificates to trust besides the system's, in PEM.",
    },
    Key {
        path: "smtp.timeout_seconds",
        shown: Shown::Default("10"),
        kind: Kind::Seconds(1, 60, |draft, value| {
            draft.couriers.smtp.timeout = Some(value);
        }),
        doc: "How long one message may take, until it is tried again.",
    },
    Key {
        path: "gateway.url",
        shown: Shown::Example("\"https://sms.example.org/send\""),
        kind: Kind::Text(
            "an address such as https://sms.example.org/send",
            |draft, text| keep(couriers::gateway_url(text), &mut draft.couriers.gateway.url),
        ),
        doc: "The gateway's address. Its query may hold the placeholders of gateway.body.",
    },
    Key {
        path: "gateway.method",
        shown: Shown::Default("\"POST\""),
        kind: Kind::Word(
            || names(METHODS),
            |draft, word| choose(METHODS, word, &mut draft.couriers.gateway.method),
        ),
        doc: "How it is asked: POST, PUT or GET. GET has no body.",
    },
    Key {
        path: "gateway.headers",
        shown: Shown::Default("[]"),
        kind: Kind::Headers(|draft, texts| {
            each(texts, couriers::header, &mut draft.couriers.gateway.headers)
        }),
        doc: "Headers to send, such as \"X-Account: 42\".",
    },
    Key {
        path: "gateway.headers_file",
        shown: Shown::Example("\"/etc/admit/gateway.headers\""),
        kind: Kind::Path(|draft, value| draft.couriers.gateway.headers_file = Some(value)),
        doc: "The file that holds the headers instead, one a line; nobody else may read it.",
    },
    Key {
        path: "gateway.headers_credential",
        shown: Shown::Example("\"admit-gateway-headers\""),
        kind: Kind::Credential(|draft, value| {
            draft.couriers.gateway.headers_credential = Some(value);
        }),
        doc: "The systemd credential that holds the headers instead, one a line (LoadCredential=).",
    },
    Key {
        path: "gateway.authorization",
        shown: Shown::Example("\"Bearer secret\""),
        kind: Kind::Secret(|draft, text| {
            keep(secret(text), &mut draft.couriers.gateway.authorization)
        }),
        doc: "The value of the Authorization header. Better kept in a file of its own.",
    },
    Key {
        path: "gateway.authorization_file",
        shown: Shown::Example("\"/etc/admit/gateway.authorization\""),
        kind: Kind::Path(|draft, value| draft.couriers.gateway.authorization_file = Some(value)),
        doc: "The file that holds that value instead; nobody else may read it.",
    },
    Key {
        path: "gateway.authorization_credential",
        shown: Shown::Example("\"admit-gateway-authorization\""),
        kind: Kind::Credential(|draft, value| {
            draft.couriers.gateway.authorization_credential = Some(value);
        }),
        doc: "The systemd credential that holds that value instead (LoadCredential=).",
    },
    Key {
        path: "gateway.content_type",
        shown: Shown::Default("\"json\""),
        kind: Kind::Word(
            || names(CONTENT_TYPES),
            |draft, word| {
                choose(
                    CONTENT_TYPES,
                    word,
                    &mut draft.couriers.gateway.content_type,
                )
            },
        ),
        doc: "The form of the body: json or form. Values are escaped accordingly.",
    },
    Key {
        path: "gateway.body",
        shown: Shown::Example("'{\"to\": \"{to}\", \"text\": \"{message}\"}'"),
        kind: Kind::Text("text", |draft, text| {
            keep(template(text), &mut draft.couriers.gateway.body)
        }),
        doc: "The body, with {to}, {message}, {code}, {locale}, {channel}, {id}, {sender} and {subject} where they belong. Unset: to and text.",
    },
    Key {
        path: "gateway.authority",
        shown: Shown::Example("\"/etc/admit/gateway-ca.pem\""),
        kind: Kind::Path(|draft, value| draft.couriers.gateway.authority = Some(value)),
        doc: "Certificates to trust besides the system's, in PEM.",
    },
    Key {
        path: "gateway.timeout_seconds",
        shown: Shown::Default("10"),
        kind: Kind::Seconds(1, 60, |draft, value| {
            draft.couriers.gateway.timeout = Some(value);
        }),
        doc: "How long one message may take, until it is tried again.",
    },
    Key {
        path: "keys.per_organization_per_day",
        shown: Shown::Default("500"),
        kind: Kind::Count(1, 1_000_000, |draft, value| {
            draft.config.policy.keys.per_organization_per_day = value;
        }),
        doc: "Key pairs one organization has made for it, or brings in, in a day.",
    },
    Key {
        path: "upstreams.origins",
        shown: Shown::Default("[]"),
        kind: Kind::Texts(
            "a list of origins such as https://127.0.0.1:9443",
            |draft, texts| each(texts, origin, &mut draft.config.upstreams.origins),
        ),
        doc: "Exact origins that may be asked besides the vendors' own, also private ones: stand-ins, proxies of yours.",
    },
    Key {
        path: "upstreams.authority",
        shown: Shown::Example("\"/etc/admit/upstreams-ca.pem\""),
        kind: Kind::Path(|draft, value| draft.config.upstreams.authority = Some(value)),
        doc: "Certificates to trust besides the system's, in PEM.",
    },
    Key {
        path: "upstreams.timeout_seconds",
        shown: Shown::Default("5"),
        kind: Kind::Seconds(1, 60, |draft, value| draft.config.upstreams.timeout = value),
        doc: "How long one answer may take.",
    },
    Key {
        path: "backup.every_hours",
        shown: Shown::Example("24"),
        kind: Kind::Count(1, 8_760, |draft, value| {
            draft.backup.every = Some(HOUR * value);
        }),
        doc: "How often a backup is made and verified. Unset: only when you ask for one.",
    },
    Key {
        path: "backup.folder",
        shown: Shown::Example("\"/var/backups/admit\""),
        kind: Kind::Path(|draft, value| draft.backup.folder = Some(value)),
        doc: "Where backups stand; another disk is safer. Unset: backups in the data folder.",
    },
    Key {
        path: "backup.keep",
        shown: Shown::Default("14"),
        kind: Kind::Count(1, 10_000, |draft, value| {
            draft.backup.keep = usize::try_from(value).ok();
        }),
        doc: "How many backups are kept; the oldest ones beyond that are removed.",
    },
    Key {
        path: "backup.passphrase_file",
        shown: Shown::Example("\"/etc/admit/backup.passphrase\""),
        kind: Kind::Path(|draft, value| draft.backup.passphrase_file = Some(value)),
        doc: "The file of the passphrase that locks them; it is all a new machine needs. Unset: they are locked with the master key.",
    },
    Key {
        path: "backup.key_file",
        shown: Shown::Example("\"/etc/admit/backup.key\""),
        kind: Kind::Path(|draft, value| draft.backup.key_file = Some(value)),
        doc: "The file of a key that locks them instead: 64 hexadecimal digits.",
    },
    Key {
        path: "backup.key_credential",
        shown: Shown::Example("\"admit-backup-key\""),
        kind: Kind::Credential(|draft, value| draft.backup.key_credential = Some(value)),
        doc: "The systemd credential that holds such a key (LoadCredential=).",
    },
    Key {
        path: "limits.connections",
        shown: Shown::Default("16384"),
        kind: Kind::Count(1, 1_000_000, |draft, value| {
            draft.config.limits.connections = value;
        }),
        doc: "Open connections in all.",
    },
    Key {
        path: "limits.connections_per_address",
        shown: Shown::Default("12288"),
        kind: Kind::Count(1, 1_000_000, |draft, value| {
            draft.config.limits.connections_per_address = value;
        }),
        doc: "Open connections from one address. Behind a reverse proxy every request comes from the proxy's.",
    },
    Key {
        path: "limits.drain_seconds",
        shown: Shown::Default("10"),
        kind: Kind::Seconds(0, 600, |draft, value| draft.config.limits.drain = value),
        doc: "How long requests under way may still take when the appliance stops.",
    },
    Key {
        path: "metrics.allow_from",
        shown: Shown::Default("[\"127.0.0.0/8\", \"::1\"]"),
        kind: Kind::Texts(
            "a list of IP addresses and networks such as 10.0.0.0/8",
            |draft, texts| {
                each(
                    texts,
                    |text| text.parse().ok(),
                    &mut draft.config.metrics_for,
                )
            },
        ),
        doc: "Addresses and networks that may read /metrics; to all others there is nothing at that path.",
    },
    Key {
        path: "log.level",
        shown: Shown::Default("\"info\""),
        kind: Kind::Word(
            || names(&LEVELS),
            |draft, word| choose(&LEVELS, word, &mut draft.config.log.level),
        ),
        doc: "The least weight a line must have: error, warn, info, debug or trace.",
    },
    Key {
        path: "log.format",
        shown: Shown::Default("\"text\""),
        kind: Kind::Word(
            || names(&FORMATS),
            |draft, word| choose(&FORMATS, word, &mut draft.config.log.format),
        ),
        doc: "How a line is written: text for people, json for machines.",
    },
];

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: u64 = 365 * 24 * 60 * 60;
const LEVELS: [(&str, Level); 5] = [
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
];
const TLS_VERSIONS: [(&str, TlsVersion); 2] =
    [("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
const FORMATS: [(&str, Format); 2] = [("text", Format::Text), ("json", Format::Json)];

impl Key {
    /// Section and name apart.
    pub(super) fn parts(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or(("", self.path))
    }

    /// The environment variable that overrides it.
    pub(super) fn variable(&self) -> String {
        format!("ADMIT_{}", self.path.replace('.', "_").to_uppercase())
    }

    /// Reads an environment variable's text the way this setting would be written in the file.
    pub(super) fn read_text(&self, text: &str) -> Raw {
        let as_text = || Raw::Text(text.to_owned());
        match self.kind {
            Kind::Flag(_) => text.parse().map_or_else(|_| as_text(), Raw::Flag),
            Kind::Count(..) | Kind::Seconds(..) => {
                text.parse().map_or_else(|_| as_text(), Raw::Whole)
            }
            Kind::Hosts(_) | Kind::Addresses(_) | Kind::Texts(..) | Kind::Headers(_) => {
                let items = text.split(',').map(str::trim);
                let items = items.filter(|item| !item.is_empty());
                Raw::List(items.map(|item| Raw::Text(item.to_owned())).collect())
            }
            Kind::Path(_)
            | Kind::Address(_)
            | Kind::Url(_)
            | Kind::Credential(_)
            | Kind::Word(..)
            | Kind::Text(..)
            | Kind::Secret(_) => as_text(),
        }
    }

    /// Puts the value where it goes, or says what it would have to be.
    pub(super) fn set(
        &'static self,
        draft: &mut Draft,
        raw: &Raw,
        place: Place,
    ) -> Result<(), String> {
        let taken = match self.kind {
            Kind::Flag(put) => raw.flag().map(|value| put(draft, value)),
            Kind::Count(from, to, put) => raw
                .whole(from.into(), to.into())
                .and_then(|value| u32::try_from(value).ok())
                .map(|value| put(draft, value)),
            Kind::Seconds(from, to, put) => raw
                .whole(from, to)
                .map(|value| put(draft, Duration::from_secs(value))),
            Kind::Path(put) => raw.path().map(|value| put(draft, value)),
            Kind::Address(put) => raw.parsed().map(|value| put(draft, value)),
            Kind::Addresses(put) => raw.addresses().map(|value| put(draft, value)),
            Kind::Url(put) => raw.parsed().map(|value| put(draft, value)),
            Kind::Hosts(put) => raw.hosts().map(|value| put(draft, value)),
            Kind::Credential(put) => raw.plain_name().map(|value| put(draft, value)),
            Kind::Word(_, put) | Kind::Text(_, put) | Kind::Secret(put) => {
                raw.text().filter(|text| put(draft, text)).map(|_| ())
            }
            Kind::Texts(_, put) | Kind::Headers(put) => {
                raw.texts().filter(|texts| put(draft, texts)).map(|_| ())
            }
        };
        if taken.is_none() {
            draft.refused.push(self.path);
            return Err(self.refusal(raw));
        }
        draft.places.insert(self.path, place);
        if !self.is_secret() {
            draft.written.insert(self.path, raw.clone());
        }
        Ok(())
    }

    /// The value it has when nobody sets it, as the file would say it.
    pub(super) fn usual(&self) -> Option<&'static str> {
        match self.shown {
            Shown::Default(value) => Some(value),
            Shown::Example(_) => None,
        }
    }

    /// Whether its value is never repeated.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(_) | Kind::Headers(_))
    }

    fn refusal(&self, raw: &Raw) -> String {
        let expected = self.expected();
        if self.is_secret() {
            return format!("must be {expected}");
        }
        let mut said = format!("must be {expected}, not {}", raw.shown());
        let meant = match (&self.kind, raw) {
            (Kind::Word(words, _), Raw::Text(text)) => nearest(text, words().into_iter()),
            _ => None,
        };
        if let Some(meant) = meant {
            let _ = write!(said, "; did you mean \"{meant}\"?");
        }
        said
    }

    fn expected(&self) -> String {
        match self.kind {
            Kind::Flag(_) => "true or false".to_owned(),
            Kind::Count(from, to, _) => format!("a whole number from {from} to {to}"),
            Kind::Seconds(from, to, _) => format!("a whole number of seconds from {from} to {to}"),
            Kind::Path(_) => "a path".to_owned(),
            Kind::Address(_) => "an address and port such as 127.0.0.1:8443".to_owned(),
            Kind::Addresses(_) => "a list of IP addresses".to_owned(),
            Kind::Url(_) => "an address such as https://admit.example.org".to_owned(),
            Kind::Hosts(_) => "a list of host names and addresses".to_owned(),
            Kind::Credential(_) => "the name of a systemd credential".to_owned(),
            Kind::Word(words, _) => format!("one of {}", words().join(", ")),
            Kind::Text(expected, _) | Kind::Texts(expected, _) => expected.to_owned(),
            Kind::Secret(_) => "text on one line".to_owned(),
            Kind::Headers(_) => {
                "a list of headers such as \"X-Account: 42\", none of which frames the request"
                    .to_owned()
            }
        }
    }
}

fn names<T>(of: &'static [(&'static str, T)]) -> Vec<&'static str> {
    of.iter().map(|(word, _)| *word).collect()
}

/// Puts what a word means in its place, if it means anything.
fn choose<T: Copy>(of: &[(&str, T)], word: &str, place: &mut T) -> bool {
    let meant = of.iter().find(|(known, _)| *known == word);
    put(meant.map(|(_, meaning)| *meaning), place)
}

fn put<T>(value: Option<T>, place: &mut T) -> bool {
    value.map(|value| *place = value).is_some()
}

fn keep<T>(value: Option<T>, place: &mut Option<T>) -> bool {
    put(value.map(Some), place)
}

fn each<T>(texts: &[&str], read: fn(&str) -> Option<T>, place: &mut Vec<T>) -> bool {
    put(texts.iter().map(|text| read(text)).collect(), place)
}

fn one_line(text: &str) -> Option<String> {
    couriers::is_secret(text).then(|| text.to_owned())
}

fn secret(text: &str) -> Option<Secret<String>> {
    one_line(text).map(Secret::new)
}

fn template(text: &str) -> Option<String> {
    let fits = !text.is_empty() && !text.contains('\0') && text.len() <= 16 * 1024;
    fits.then(|| text.to_owned())
}

fn origin(text: &str) -> Option<BaseUrl> {
    let url: BaseUrl = text.parse().ok()?;
    let (_, rest) = url.as_str().split_once("://")?;
    (!rest.contains('/')).then_some(url)
}

fn host_name(text: &str) -> Option<String> {
    let address = text.parse::<IpAddr>().map(|_| text.to_ascii_lowercase());
    domain_name(text).or(address.ok())
}

/// A host name (RFC 1123 §2.1) in lower case.
pub(super) fn domain_name(text: &str) -> Option<String> {
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let fits = text.len() <= 253 && text.split('.').all(label);
    fits.then(|| text.to_ascii_lowercase())
}

impl Raw {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Whole(_) | Self::Flag(_) | Self::List(_) | Self::Other(_) => None,
        }
    }

    fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Text(_) | Self::Whole(_) | Self::List(_) | Self::Other(_) => None,
        }
    }

    fn whole(&self, from: u64, to: u64) -> Option<u64> {
        match self {
            Self::Whole(number) => u64::try_from(*number)
                .ok()
                .filter(|number| (from..=to).contains(number)),
            Self::Text(_) | Self::Flag(_) | Self::List(_) | Self::Other(_) => None,
        }
    }

    fn path(&self) -> Option<PathBuf> {
        let text = self.text()?;
        let fits = !text.is_empty() && !text.contains('\0');
        fits.then(|| PathBuf::from(text))
    }

    fn parsed<T: std::str::FromStr>(&self) -> Option<T> {
        self.text()?.parse().ok()
    }

    fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Text(_) | Self::Whole(_) | Self::Flag(_) | Self::Other(_) => None,
        }
    }

    fn hosts(&self) -> Option<Vec<String>> {
        self.list()?.iter().map(Self::host).collect()
    }

    fn addresses(&self) -> Option<Vec<IpAddr>> {
        self.list()?.iter().map(Self::parsed).collect()
    }

    /// A host name in lower case, or an address.
    fn host(&self) -> Option<String> {
        host_name(self.text()?)
    }

    fn texts(&self) -> Option<Vec<&str>> {
        self.list()?.iter().map(Self::text).collect()
    }

    fn plain_name(&self) -> Option<String> {
        let text = self.text()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        // The name becomes the last part of a path.
        let fits =
            (1..=128).contains(&text.len()) && text.chars().all(plain) && !text.starts_with('.');
        fits.then(|| text.to_owned())
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Whole(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::shown).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Other(words) => words.clone(),
        }
    }
}

/// The names of all sections.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().map(|(name, _)| *name)
}

/// The annotated example: every setting, commented out.
pub fn example() -> String {
    let mut text = String::from(EXAMPLE_HEAD);
    for (section, about) in iter::once(&ABOVE_ALL).chain(SECTIONS) {
        if !section.is_empty() {
            let _ = write!(text, "\n[{section}]\n# {about}\n");
        }
        for key in KEYS.iter().filter(|key| key.parts().0 == *section) {
            let (mark, value) = match key.shown {
                Shown::Default(value) => ("#", value),
                Shown::Example(value) => ("##", value),
            };
            let _ = write!(text, "\n# {}\n{mark}{} = {value}\n", key.doc, key.parts().1);
        }
    }
    text
}

const EXAMPLE_HEAD: &str = "\
# Admit's configuration: every setting there is. None has to be set.
#
# A line with one # shows the value that holds when nobody sets it; a line with two shows an example of a setting that
# has no value of its own. Each can be set in the environment instead: ADMIT_SERVER_LISTEN is [server] listen, and a list
# is written with commas. The command line has the last word, then the environment, then this file.
";
