//! Command line, environment and file into one [`Config`]: the first of them that says something has the last word.
//!
//! Every problem is found before any is reported, so that an operator mends a file once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys::{Draft, KEYS, Key, Raw};
use super::problem::{Place, Problem, nearest};
use super::{Config, Courier, MASTER_KEY, MasterKeySource, Problems, Tls, backup, couriers, file};

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The file to read; else the one `ADMIT_CONFIG` names; else none.
    pub config: Option<PathBuf>,
    /// The data folder.
    pub data: Option<PathBuf>,
    /// Where to listen.
    pub listen: Option<SocketAddr>,
}

/// The process's environment, with what is not Unicode replaced: such a value is then refused in words.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// Reads everything there is to read.
pub fn load(
    overrides: Overrides,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Config, Problems> {
    drafted(overrides, env).map(|draft| draft.config)
}

/// The same, with what was written and where.
pub(super) fn drafted(
    overrides: Overrides,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Draft, Problems> {
    let env: BTreeMap<String, String> = env.collect();
    let mut draft = Draft::default();
    let mut problems = Vec::new();
    let named = env.get(FILE).filter(|path| !path.is_empty());
    if let Some(path) = overrides.config.or_else(|| named.map(PathBuf::from)) {
        problems.append(&mut read(&path, &mut draft));
        draft.file = Some(path);
    }
    problems.append(&mut read_environment(&env, &mut draft));
    if let Some(data) = overrides.data {
        ordered(&mut draft, "store.data", "--data", &data.display());
        draft.config.data = data;
    }
    if let Some(listen) = overrides.listen {
        ordered(&mut draft, "server.listen", "--listen", &listen);
        draft.config.listen = listen;
    }
    problems.append(&mut contradictions(&draft));
    let credentials = env.get(CREDENTIALS).map(Path::new);
    match master_key(&draft, credentials) {
        Ok(source) => draft.config.master_key = source,
        Err(problem) => problems.push(problem),
    }
    match tls_key(&draft, credentials) {
        Ok(Some(path)) => draft.key = Some(path),
        Ok(None) => {}
        Err(problem) => problems.push(problem),
    }
    draft.config.couriers = couriers::settle(&draft, credentials, &mut problems);
    draft.config.backup = backup::settle(&draft, credentials, &mut problems);
    Problems::none_of(problems)?;
    if let (Some(certificate), Some(key)) = (draft.certificate.clone(), draft.key.clone()) {
        draft.config.tls = Tls::Files { certificate, key };
    }
    Ok(draft)
}

/// The command line said this.
fn ordered(draft: &mut Draft, key: &'static str, option: &'static str, value: &dyn Display) {
    draft.places.insert(key, Place::Option(option));
    draft.written.insert(key, Raw::Text(value.to_string()));
}

fn read(path: &Path, draft: &mut Draft) -> Vec<Problem> {
    let name = path.display().to_string();
    let refusal = |what: String| vec![Problem::new(Place::File(name.clone()), what)];
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return refusal("does not exist".to_owned());
        }
        Err(error) => return refusal(format!("cannot be read: {error}")),
    };
    match String::from_utf8(bytes) {
        Ok(text) => file::read(&name, &text, draft),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            refusal(format!("is not UTF-8 text: byte {}", at + 1))
        }
    }
}

fn read_environment(env: &BTreeMap<String, String>, draft: &mut Draft) -> Vec<Problem> {
    let known: Vec<(String, &'static Key)> = KEYS.iter().map(|key| (key.variable(), key)).collect();
    let mut problems = Vec::new();
    for (name, value) in env {
        let foreign = !name.starts_with(PREFIX) || name.starts_with(TESTS) || name == FILE;
        if foreign {
            continue;
        }
        let place = Place::Variable(name.clone());
        let taken = match known.iter().find(|(variable, _)| variable == name) {
            Some((_, key)) => key.set(draft, &key.read_text(value), place.clone()),
            None => Err(unknown_variable(name, &known)),
        };
        problems.extend(taken.err().map(|what| Problem::new(place, what)));
    }
    problems
}

fn unknown_variable(name: &str, known: &[(String, &'static Key)]) -> String {
    let short = |name: &'_ str| name.strip_prefix(PREFIX).map(str::to_owned);
    let names: Vec<String> = known.iter().filter_map(|(name, _)| short(name)).collect();
    let written = short(name).unwrap_or_default();
    match nearest(&written, names.iter().map(String::as_str)) {
        Some(meant) => format!("is not a setting; did you mean \"{PREFIX}{meant}\"?"),
        None => "is not a setting; the annotated admit.toml lists them all".to_owned(),
    }
}

/// Settings that are each in order and cannot hold together.
fn contradictions(draft: &Draft) -> Vec<Problem> {
    let tickets = &draft.config.policy.tickets;
    let tokens = &draft.config.policy.tokens;
    let mut problems = Vec::new();
    problems.extend(not_above(
        draft,
        ("tickets.default_ttl_seconds", tickets.default_ttl),
        ("tickets.max_ttl_seconds", tickets.max_ttl),
    ));
    problems.extend(not_above(
        draft,
        ("tokens.refresh_idle_seconds", tokens.refresh_idle),
        ("tokens.refresh_absolute_seconds", tokens.refresh_absolute),
    ));
    let signing = &draft.config.policy.signing;
    // The shortest rotation is as long as the usual publication: whoever sees this set the hours.
    if signing.publish_before > signing.rotate_every {
        let what = "is longer than a key signs by signing.rotate_days".to_owned();
        problems.push(problem(draft, "signing.publish_hours", what));
    }
    let has_key = draft.key.is_some() || draft.key_credential.is_some();
    let alone = match (draft.certificate.is_some(), has_key) {
        (true, false) => Some(("tls.certificate", "tls.key")),
        (false, true) if draft.key.is_none() => Some(("tls.key_credential", "tls.certificate")),
        (false, true) => Some(("tls.key", "tls.certificate")),
        (true, true) | (false, false) => None,
    };
    let alone = alone.filter(|(_, missing)| !draft.refused.contains(missing));
    problems.extend(alone.map(|(set, missing)| {
        problem(
            draft,
            set,
            format!("needs {missing} as well: set both or neither"),
        )
    }));
    if draft.config.offline {
        problems.extend(reaches_out(draft));
    }
    if draft.config.plain_http && !draft.config.listen.ip().is_loopback() {
        let listen = draft.config.listen;
        let what = format!("must be a loopback address when server.plain_http is on, not {listen}");
        problems.push(problem(draft, "server.listen", what));
    }
    problems
}

/// Settings that ask for a connection, of an appliance that is to open none.
fn reaches_out(draft: &Draft) -> Vec<Problem> {
    let sends = |courier| matches!(courier, Courier::Smtp | Courier::Gateway);
    let chosen = &draft.couriers;
    let couriers = [
        ("codes.sms", chosen.sms),
        ("codes.voice", chosen.voice),
        ("codes.email", chosen.email),
    ];
    let mut problems = Vec::new();
    for (key, _) in couriers.iter().filter(|(_, courier)| sends(*courier)) {
        let what = "sends to somebody outside, and offline is on: choose outbox or spool";
        problems.push(problem(draft, key, what.to_owned()));
    }
    if !draft.config.upstreams.origins.is_empty() {
        let what = "would be asked, and offline is on: take one of the two out";
        problems.push(problem(draft, "upstreams.origins", what.to_owned()));
    }
    problems
}

fn not_above(
    draft: &Draft,
    (low, less): (&'static str, Duration),
    (high, more): (&'static str, Duration),
) -> Option<Problem> {
    let refused = |key| draft.refused.contains(&key);
    if less <= more || refused(low) || refused(high) {
        return None;
    }
    let (less, more) = (less.as_secs(), more.as_secs());
    Some(if draft.places.contains_key(low) {
        problem(
            draft,
            low,
            format!("{less} is more than {high}, which is {more}"),
        )
    } else {
        problem(
            draft,
            high,
            format!("{more} is less than {low}, which is {less}"),
        )
    })
}

/// A problem with a setting, where that was set.
pub(super) fn problem(draft: &Draft, key: &'static str, what: String) -> Problem {
    let place = draft.places.get(key).cloned();
    Problem::new(
        place.unwrap_or_else(|| Place::Default(key.to_owned())),
        what,
    )
}

/// The file systemd hands the certificate's key over in, if it does.
fn tls_key(draft: &Draft, credentials: Option<&Path>) -> Result<Option<PathBuf>, Problem> {
    let refuse = |what: &str| Err(problem(draft, "tls.key_credential", what.to_owned()));
    match (&draft.key_credential, &draft.key, credentials) {
        (None, _, _) => Ok(None),
        (Some(_), Some(_), _) => refuse("cannot be set together with tls.key"),
        (Some(_), None, None) => refuse(couriers::NO_CREDENTIALS),
        (Some(name), None, Some(folder)) => Ok(Some(folder.join(name))),
    }
}

fn master_key(draft: &Draft, credentials: Option<&Path>) -> Result<MasterKeySource, Problem> {
    let refuse = |what: &str| {
        Err(problem(
            draft,
            "store.master_key_credential",
            what.to_owned(),
        ))
    };
    match (&draft.credential, &draft.master_key, credentials) {
        (None, Some(path), _) => Ok(MasterKeySource::File(path.clone())),
        (None, None, _) => Ok(MasterKeySource::File(draft.config.data.join(MASTER_KEY))),
        (Some(_), Some(_), _) => refuse("cannot be set together with store.master_key"),
        (Some(_), None, None) => refuse(couriers::NO_CREDENTIALS),
        (Some(name), None, Some(folder)) => Ok(MasterKeySource::Credential(folder.join(name))),
    }
}

const PREFIX: &str = "ADMIT_";
/// Names the file to read, for those who start the program without arguments.
const FILE: &str = "ADMIT_CONFIG";
/// What our own test suites tell each other; no setting.
const TESTS: &str = "ADMIT_TEST_";
/// Where systemd puts a service's credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::net::IpAddr;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::{
        ContentType, Courier, Couriers, Format, Gateway, Level, Limits, Method, Smtp, SmtpTls,
        Upstreams, example,
    };
    use crate::domain::policy::{CodePolicy, PasswordPolicy, SessionPolicy};
    use crate::kernel::Secret;

    const EXAMPLE: &str = include_str!("../../packaging/config/admit.toml");

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("admit-config-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn load(&self, text: impl AsRef<[u8]>, env: &[(&str, &str)]) -> Result<Config, String> {
            let path = self.0.join("admit.toml");
            std::fs::write(&path, text).unwrap();
            let overrides = Overrides {
                config: Some(path),
                ..Overrides::default()
            };
            let folder = format!("{}/", self.0.display());
            with(overrides, env).map_err(|problems| problems.replace(&folder, ""))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn with(overrides: Overrides, env: &[(&str, &str)]) -> Result<Config, String> {
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(overrides, env).map_err(|problems| problems.to_string())
    }

    #[test]
    fn without_a_word_from_anyone_the_defaults_hold() {
        assert_eq!(with(Overrides::default(), &[]), Ok(Config::default()));
        assert_eq!(Folder::new("empty").load("", &[]), Ok(Config::default()));
    }

    #[test]
    fn the_annotated_example_is_the_table_of_settings_written_out() {
        assert_eq!(EXAMPLE, example());
        for key in KEYS {
            let (_, name) = key.parts();
            let lines = EXAMPLE.lines().map(|line| line.trim_start_matches('#'));
            let mentioned = lines
                .filter(|line| line.starts_with(&format!("{name} = ")))
                .count();
            let namesakes = KEYS.iter().filter(|key| key.parts().1 == name);
            assert_eq!(mentioned, namesakes.count(), "{}", key.path);
        }
    }

    /// The example with the `#` taken from every line that has `marks` of them before a setting.
    fn uncommented(marks: &str) -> String {
        let setting =
            |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains(" = ");
        let open = |line: &str| match line.strip_prefix(marks) {
            Some(rest) if setting(rest) => rest.to_owned(),
            _ => line.to_owned(),
        };
        EXAMPLE.lines().map(open).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_annotated_example_says_the_defaults() {
        let text = uncommented("#");
        let set = text
            .lines()
            .filter(|line| line.starts_with(char::is_alphabetic))
            .count();
        assert!(set >= 18, "{set} settings were uncommented");
        assert_eq!(
            Folder::new("defaults").load(text, &[]),
            Ok(Config::default())
        );
    }

    #[test]
    fn what_the_annotated_example_suggests_is_accepted() {
        // Of several ways to say one thing the example shows all, and of files it shows none that is there.
        let others = [
            "master_key_credential",
            "key_credential",
            "password_file",
            "password_credential",
            "authorization_file",
            "authorization_credential",
            "headers_file",
            "headers_credential",
            "passphrase_file",
        ];
        let text = others
            .iter()
            .fold(uncommented("##"), |text, other| text.replace(other, "#"));
        let config = Folder::new("suggested").load(text, &[]).unwrap();
        assert_eq!(config.public_url.unwrap().host(), "admit.example.org");
        assert!(matches!(config.tls, Tls::Files { .. }));
        assert_eq!(
            config.master_key,
            MasterKeySource::File("/etc/admit/master.key".into())
        );
        assert_eq!(
            config.policy.tickets.opens_before,
            Some(Duration::from_mins(15))
        );
        assert_eq!(config.couriers.spool, PathBuf::from("/var/spool/admit"));
        assert_eq!(config.couriers.smtp.unwrap().port, Some(587));
        let body = config.couriers.gateway.unwrap().body;
        assert_eq!(body, r#"{"to": "{to}", "text": "{message}"}"#);
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "every setting once")]
    fn every_setting_reaches_its_place() {
        let text = r#"
            [server]
            listen = "[::1]:443"
            public_url = "https://a.example/"
            names = ["B.example", "192.0.2.1", "::1"]
            plain_http = true
            trusted_proxies = ["127.0.0.1", "2001:db8::2"]
            [tls]
            certificate = "c.pem"
            key = "k.pem"
            [store]
            data = "d"
            master_key_credential = "key"
            [tickets]
            default_ttl_seconds = 61
            max_ttl_seconds = 62
            kept_after_expiry_seconds = 63
            wrong_guesses_per_network_per_hour = 64
            wrong_guesses_short_per_hour = 65
            opens_before_seconds = 66
            [tokens]
            access_seconds = 67
            refresh_idle_seconds = 68
            refresh_absolute_seconds = 69
            refresh_grace_seconds = 70
            [signing]
            rotate_days = 74
            publish_hours = 75
            [sessions]
            idle_seconds = 74
            absolute_seconds = 75
            [passwords]
            min_length = 76
            wrong_per_account_per_day = 77
            wrong_per_known_place_per_day = 78
            [codes]
            sms = "gateway"
            voice = "spool"
            email = "smtp"
            sender = "Ωmega 3"
            length = 8
            life_seconds = 79
            sends_per_ten_minutes = 80
            sends_per_day = 81
            checks = 3
            wrong_per_day = 83
            per_organization_per_day = 84
            overall_per_day = 85
            unanswered_per_hour = 86
            allowed_prefixes = ["+30", "+1"]
            denied_prefixes = ["+3069000"]
            anonymous = true
            anonymous_per_network_per_hour = 87
            [spool]
            folder = "s"
            [smtp]
            host = "Mail.example"
            port = 88
            tls = "implicit"
            user = "u"
            password = "p w"
            from = "c+d@e.example"
            ehlo = "f.example"
            authority = "m.pem"
            timeout_seconds = 9
            [gateway]
            url = "https://g.example/x/?a={id}"
            method = "PUT"
            headers = ["X-A: b: c", "x-d:e"]
            authorization = "Basic eA=="
            content_type = "form"
            body = "t={to}&m={message}"
            authority = "g.pem"
            timeout_seconds = 10
            [keys]
            per_organization_per_day = 91
            [upstreams]
            origins = ["https://127.0.0.1:9443"]
            authority = "u.pem"
            timeout_seconds = 11
            [limits]
            connections = 71
            connections_per_address = 0x48
            drain_seconds = 73
            [log]
            level = "trace"
            format = "json"
        "#;
        let config = Folder::new("all")
            .load(text, &[("CREDENTIALS_DIRECTORY", "/run/c")])
            .unwrap();
        assert_eq!(config.listen, "[::1]:443".parse().unwrap());
        assert_eq!(config.public_url.unwrap().as_str(), "https://a.example");
        assert_eq!(config.names, ["b.example", "192.0.2.1", "::1"]);
        assert!(config.plain_http);
        let proxies: [IpAddr; 2] =
            ["127.0.0.1", "2001:db8::2"].map(|address| address.parse().unwrap());
        assert_eq!(config.trusted_proxies, proxies);
        let files = Tls::Files {
            certificate: "c.pem".into(),
            key: "k.pem".into(),
        };
        assert_eq!(config.tls, files);
        assert_eq!(config.data, PathBuf::from("d"));
        assert_eq!(
            config.master_key,
            MasterKeySource::Credential("/run/c/key".into())
        );
        let tickets = &config.policy.tickets;
        let spans = [
            tickets.default_ttl,
            tickets.max_ttl,
            tickets.kept_after_expiry,
        ];
        assert_eq!(spans.map(|span| span.as_secs()), [61, 62, 63]);
        assert_eq!(tickets.wrong_guesses_per_network_per_hour, 64);
        assert_eq!(tickets.wrong_guesses_short_per_hour, 65);
        assert_eq!(tickets.opens_before, Some(Duration::from_secs(66)));
        let tokens = &config.policy.tokens;
        let spans = [
            tokens.access,
            tokens.refresh_idle,
            tokens.refresh_absolute,
            tokens.refresh_grace,
        ];
        assert_eq!(spans.map(|span| span.as_secs()), [67, 68, 69, 70]);
        let signing = &config.policy.signing;
        assert_eq!(signing.rotate_every, Duration::from_hours(24 * 74));
        assert_eq!(signing.publish_before, Duration::from_hours(75));
        let sessions = SessionPolicy {
            idle: Duration::from_secs(74),
            absolute: Duration::from_secs(75),
        };
        assert_eq!(config.policy.sessions, sessions);
        let passwords = PasswordPolicy {
            min_length: 76,
            wrong_per_account_per_day: 77,
            wrong_per_known_place_per_day: 78,
        };
        assert_eq!(config.policy.passwords, passwords);
        let codes = CodePolicy {
            length: 8,
            life: Duration::from_secs(79),
            sends_per_ten_minutes: 80,
            sends_per_day: 81,
            checks: 3,
            wrong_per_day: 83,
            per_organization_per_day: 84,
            overall_per_day: 85,
            unanswered_per_hour: 86,
            allowed_prefixes: vec!["+30".into(), "+1".into()],
            denied_prefixes: vec!["+3069000".into()],
            anonymous: true,
            anonymous_per_network_per_hour: 87,
            sender: "Ωmega 3".into(),
        };
        assert_eq!(config.policy.codes, codes);
        assert_eq!(config.policy.keys.per_organization_per_day, 91);
        let secret = |text: &str| Secret::new(text.to_owned());
        let couriers = Couriers {
            sms: Courier::Gateway,
            voice: Courier::Spool,
            email: Courier::Smtp,
            spool: "s".into(),
            smtp: Some(Smtp {
                host: "mail.example".into(),
                port: Some(88),
                tls: SmtpTls::Implicit,
                credentials: Some(("u".into(), secret("p w"))),
                from: "c+d@e.example".into(),
                authority: Some("m.pem".into()),
                timeout: Duration::from_secs(9),
                greeting: Some("f.example".into()),
            }),
            gateway: Some(Gateway {
                url: "https://g.example/x/?a={id}".into(),
                method: Method::Put,
                headers: vec![("X-A".into(), secret("b: c")), ("x-d".into(), secret("e"))],
                authorization: Some(secret("Basic eA==")),
                content_type: ContentType::Form,
                body: "t={to}&m={message}".into(),
                authority: Some("g.pem".into()),
                timeout: Duration::from_secs(10),
            }),
        };
        assert_eq!(config.couriers, couriers);
        let upstreams = Upstreams {
            origins: vec!["https://127.0.0.1:9443".parse().unwrap()],
            authority: Some("u.pem".into()),
            timeout: Duration::from_secs(11),
        };
        assert_eq!(config.upstreams, upstreams);
        let limits = Limits {
            connections: 71,
            connections_per_address: 72,
            drain: Duration::from_secs(73),
        };
        assert_eq!(config.limits, limits);
        assert_eq!(config.log.level, Level::Trace);
        assert_eq!(config.log.format, Format::Json);
    }

    #[test]
    fn the_command_line_outranks_the_environment_which_outranks_the_file() {
        let folder = Folder::new("ranks");
        let file = "[server]\nlisten = \"127.0.0.1:1\"\n[store]\ndata = \"file\"\n[log]\nlevel = \"warn\"\n";
        let env = [
            ("ADMIT_SERVER_LISTEN", "127.0.0.1:2"),
            ("ADMIT_STORE_DATA", "env"),
        ];
        let config = folder.load(file, &env).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(
            config.master_key,
            MasterKeySource::File("env/master.key".into())
        );
        assert_eq!(config.log.level, Level::Warn);
        let overrides = Overrides {
            config: None,
            data: Some("line".into()),
            listen: Some("127.0.0.1:3".parse().unwrap()),
        };
        let named = folder.0.join("admit.toml").display().to_string();
        let config = with(overrides, &[env[0], env[1], ("ADMIT_CONFIG", &named)]).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.data, PathBuf::from("line"));
        assert_eq!(config.log.level, Level::Warn);
    }

    #[test]
    fn the_environment_is_read_by_the_setting_it_names() {
        let env = [
            ("ADMIT_SERVER_NAMES", "a.example, b.example"),
            ("ADMIT_SERVER_PLAIN_HTTP", "true"),
            ("ADMIT_SERVER_TRUSTED_PROXIES", "127.0.0.1, ::1"),
            ("ADMIT_TICKETS_MAX_TTL_SECONDS", "86400"),
            ("ADMIT_LOG_LEVEL", "debug"),
            ("ADMIT_TEST_PYTHON", "none of ours"),
            ("PATH", "/bin"),
        ];
        let config = with(Overrides::default(), &env).unwrap();
        assert_eq!(config.names, ["a.example", "b.example"]);
        assert!(config.plain_http);
        let proxies: [IpAddr; 2] = ["127.0.0.1", "::1"].map(|address| address.parse().unwrap());
        assert_eq!(config.trusted_proxies, proxies);
        assert_eq!(config.policy.tickets.max_ttl, Duration::from_hours(24));
        assert_eq!(config.log.level, Level::Debug);
    }

    const COUNT: &str = "must be a whole number from 1 to 1000000";

    #[test]
    fn every_mistake_in_a_file_is_told_with_its_place() {
        let folder = Folder::new("mistakes");
        let table: Vec<(&str, String)> = vec![
            ("[server]\nlisen = 1", "2:1: server.lisen: is not a setting; did you mean \"listen\"?".into()),
            ("[server]\n  Listen = 1", "2:3: server.Listen: is not a setting; did you mean \"listen\"?".into()),
            ("[sevrer]\nlisten = 1", "1:2: sevrer: is not a section; did you mean \"server\"?".into()),
            ("listen = \"127.0.0.1:1\"", "1:1: listen: is not a setting; did you mean \"server.listen\"?".into()),
            ("[server]\ndata = \"x\"", "2:1: server.data: is not a setting; did you mean \"store.data\"?".into()),
            ("ofline = true", "1:1: ofline: is not a setting; did you mean \"offline\"?".into()),
            ("offline = 1", "1:11: offline: must be true or false, not 1".into()),
            ("[log]\noffline = true", "2:1: log.offline: belongs to no section: put the line above the first one".into()),
            ("offline = true\n[codes]\nsms = \"gateway\"\n[gateway]\nurl = \"https://g.example\"", "3:7: codes.sms: sends to somebody outside, and offline is on: choose outbox or spool".into()),
            ("offline = true\n[upstreams]\norigins = [\"https://127.0.0.1:9443\"]", "3:11: upstreams.origins: would be asked, and offline is on: take one of the two out".into()),
            ("[tls]\nminimum_version = \"1.1\"", "2:19: tls.minimum_version: must be one of 1.2, 1.3, not \"1.1\"; did you mean \"1.2\"?".into()),
            ("[colours]\n", "1:2: colours: is not a section; there are server, tls, store, tickets, tokens, signing, sessions, passwords, codes, spool, smtp, gateway, keys, upstreams, backup, limits, metrics, log".into()),
            ("[log]\ncolour = true", "2:1: log.colour: is not a setting; [log] has level, format".into()),
            ("[log]\n\"a\\nb\" = true", "2:1: log.\"a\\nb\": is not a setting; [log] has level, format".into()),
            ("log = \"info\"", "1:1: log: must be a section: [log]".into()),
            ("[[log]]\nlevel = \"info\"", "1:3: log: must be a section: [log]".into()),
            ("[server]\nlisten = 8443", "2:10: server.listen: must be an address and port such as 127.0.0.1:8443, not 8443".into()),
            ("[server]\nlisten = \"localhost\"", "2:10: server.listen: must be an address and port such as 127.0.0.1:8443, not \"localhost\"".into()),
            ("[server]\npublic_url = \"admit\"", "2:14: server.public_url: must be an address such as https://admit.example.org, not \"admit\"".into()),
            ("[server]\nplain_http = \"yes\"", "2:14: server.plain_http: must be true or false, not \"yes\"".into()),
            ("[server]\nnames = \"a.example\"", "2:9: server.names: must be a list of host names and addresses, not \"a.example\"".into()),
            ("[server]\nnames = [\"a b\", 1]", "2:9: server.names: must be a list of host names and addresses, not [\"a b\", 1]".into()),
            ("[server]\ntrusted_proxies = \"127.0.0.1\"", "2:19: server.trusted_proxies: must be a list of IP addresses, not \"127.0.0.1\"".into()),
            ("[server]\ntrusted_proxies = [\"10.0.0.1\", \"10.0.0.0/8\"]", "2:19: server.trusted_proxies: must be a list of IP addresses, not [\"10.0.0.1\", \"10.0.0.0/8\"]".into()),
            ("[server]\ntrusted_proxies = [\"proxy.example\"]", "2:19: server.trusted_proxies: must be a list of IP addresses, not [\"proxy.example\"]".into()),
            ("[store]\ndata = \"\"", "2:8: store.data: must be a path, not \"\"".into()),
            ("[store]\ndata = { a = 1 }", "2:8: store.data: must be a path, not a table".into()),
            ("[store]\nmaster_key_credential = \"../key\"", "2:25: store.master_key_credential: must be the name of a systemd credential, not \"../key\"".into()),
            ("[limits]\nconnections = 0", format!("2:15: limits.connections: {COUNT}, not 0")),
            ("[limits]\nconnections = 1_000_001", format!("2:15: limits.connections: {COUNT}, not 1000001")),
            ("[limits]\nconnections = 1.5", format!("2:15: limits.connections: {COUNT}, not 1.5")),
            ("[limits]\nconnections = 2026-01-01", format!("2:15: limits.connections: {COUNT}, not 2026-01-01")),
            ("[limits]\nconnections = \"many\"", format!("2:15: limits.connections: {COUNT}, not \"many\"")),
            ("[limits]\ndrain_seconds = -1", "2:17: limits.drain_seconds: must be a whole number of seconds from 0 to 600, not -1".into()),
            ("[tokens]\naccess_seconds = 59", "2:18: tokens.access_seconds: must be a whole number of seconds from 60 to 31536000, not 59".into()),
            ("[tokens]\naccess = 600", "2:1: tokens.access: is not a setting; [tokens] has access_seconds, refresh_idle_seconds, refresh_absolute_seconds, refresh_grace_seconds".into()),
            ("[log]\nlevel = \"inf\"", "2:9: log.level: must be one of error, warn, info, debug, trace, not \"inf\"; did you mean \"info\"?".into()),
            ("[log]\nformat = \"yaml\"", "2:10: log.format: must be one of text, json, not \"yaml\"".into()),
            ("[tickets]\ndefault_ttl_seconds = 120\nmax_ttl_seconds = 60", "2:23: tickets.default_ttl_seconds: 120 is more than tickets.max_ttl_seconds, which is 60".into()),
            ("[tickets]\nmax_ttl_seconds = 60", "2:19: tickets.max_ttl_seconds: 60 is less than tickets.default_ttl_seconds, which is 14400".into()),
            ("[tokens]\nrefresh_absolute_seconds = 60", "2:28: tokens.refresh_absolute_seconds: 60 is less than tokens.refresh_idle_seconds, which is 2592000".into()),
            ("[signing]\nrotate_days = 1\npublish_hours = 25", "3:17: signing.publish_hours: is longer than a key signs by signing.rotate_days".into()),
            ("[tls]\ncertificate = \"c\"", "2:15: tls.certificate: needs tls.key as well: set both or neither".into()),
            ("[tls]\nkey = \"k\"", "2:7: tls.key: needs tls.certificate as well: set both or neither".into()),
            ("[server]\nlisten = \"0.0.0.0:80\"\nplain_http = true", "2:10: server.listen: must be a loopback address when server.plain_http is on, not 0.0.0.0:80".into()),
            ("[store]\nmaster_key = \"m\"\nmaster_key_credential = \"c\"", "3:25: store.master_key_credential: cannot be set together with store.master_key".into()),
            ("[store]\nmaster_key_credential = \"c\"", "2:25: store.master_key_credential: needs systemd's CREDENTIALS_DIRECTORY, which is not set".into()),
            ("[codes]\nsms = \"smpt\"", "2:7: codes.sms: must be one of outbox, spool, smtp, gateway, not \"smpt\"; did you mean \"smtp\"?".into()),
            ("[codes]\nsms = \"smtp\"", "2:7: codes.sms: cannot be smtp, which takes e-mail only: choose outbox, spool or gateway".into()),
            ("[codes]\nvoice = \"smtp\"", "2:9: codes.voice: cannot be smtp, which takes e-mail only: choose outbox, spool or gateway".into()),
            ("[codes]\nemail = \"smtp\"", "2:9: codes.email: needs smtp.host as well".into()),
            ("[codes]\nemail = \"gateway\"", "2:9: codes.email: needs gateway.url as well".into()),
            ("[codes]\nlength = 3", "2:10: codes.length: must be a whole number from 4 to 8, not 3".into()),
            ("[codes]\nlife_seconds = 3601", "2:16: codes.life_seconds: must be a whole number of seconds from 60 to 3600, not 3601".into()),
            ("[codes]\nallowed_prefixes = [\"30\"]", "2:20: codes.allowed_prefixes: must be a list of prefixes such as +30, of 1 to 7 digits, not [\"30\"]".into()),
            ("[codes]\ndenied_prefixes = [\"+12345678\"]", "2:19: codes.denied_prefixes: must be a list of prefixes such as +30, of 1 to 7 digits, not [\"+12345678\"]".into()),
            ("[codes]\ndenied_prefixes = [\"+030\"]", "2:19: codes.denied_prefixes: must be a list of prefixes such as +30, of 1 to 7 digits, not [\"+030\"]".into()),
            ("[codes]\nsender = \"see http://x\"", "2:10: codes.sender: must be 1 to 20 letters, digits and spaces, not \"see http://x\"".into()),
            ("[codes]\nsender = \"twenty-one characters\"", "2:10: codes.sender: must be 1 to 20 letters, digits and spaces, not \"twenty-one characters\"".into()),
            ("[smtp]\nhost = \"mail\"", "2:8: smtp.host: needs smtp.from as well".into()),
            ("[smtp]\nhost = \"mail server\"", "2:8: smtp.host: must be a host name or address, not \"mail server\"".into()),
            ("[smtp]\nport = 0", "2:8: smtp.port: must be a whole number from 1 to 65535, not 0".into()),
            ("[smtp]\ntls = \"ssl\"", "2:7: smtp.tls: must be one of starttls, implicit, none, not \"ssl\"".into()),
            ("[smtp]\nfrom = \"Codes <c@example.org>\"", "2:8: smtp.from: must be an e-mail address such as codes@example.org, not \"Codes <c@example.org>\"".into()),
            ("[smtp]\nuser = \"u\"", "2:8: smtp.user: needs smtp.password, smtp.password_file or smtp.password_credential as well".into()),
            ("[smtp]\npassword = \"hunter2\"", "2:12: smtp.password: needs smtp.user as well".into()),
            ("[smtp]\npassword = \"hunter\\n2\"", "2:12: smtp.password: must be text on one line".into()),
            ("[smtp]\nuser = \"u\"\npassword = \"p\"\npassword_file = \"f\"", "4:17: smtp.password_file: cannot be set together with smtp.password".into()),
            ("[smtp]\nuser = \"u\"\npassword_file = \"/nowhere/f\"", "3:17: smtp.password_file: /nowhere/f cannot be read: No such file or directory (os error 2)".into()),
            ("[smtp]\nhost = \"mail\"\nfrom = \"a@b\"\ntls = \"none\"\nuser = \"u\"\npassword = \"p\"", "4:7: smtp.tls: would show the password to the network: choose starttls or implicit".into()),
            ("[smtp]\nehlo = \"a b\"", "2:8: smtp.ehlo: must be a host name, not \"a b\"".into()),
            ("[gateway]\nurl = \"ftp://x\"", "2:7: gateway.url: must be an address such as https://sms.example.org/send, not \"ftp://x\"".into()),
            ("[gateway]\nurl = \"https://x/?a={two}\"", "2:7: gateway.url: must be an address such as https://sms.example.org/send, not \"https://x/?a={two}\"".into()),
            ("[gateway]\nurl = \"https://{to}/?a={message}\"", "2:7: gateway.url: must be an address such as https://sms.example.org/send, not \"https://{to}/?a={message}\"".into()),
            ("[gateway]\nmethod = \"get\"", "2:10: gateway.method: must be one of POST, PUT, GET, not \"get\"; did you mean \"GET\"?".into()),
            ("[gateway]\nurl = \"https://x\"\nmethod = \"GET\"", "2:7: gateway.url: must hold {to} somewhere".into()),
            ("[gateway]\nurl = \"https://x?to={to}\"\nmethod = \"GET\"", "2:7: gateway.url: must hold {message} or {code} somewhere".into()),
            ("[gateway]\nurl = \"https://x?to={to}&c={code}\"\nmethod = \"GET\"\nbody = \"x\"", "4:8: gateway.body: cannot be sent by GET: put the values into the query of gateway.url".into()),
            ("[gateway]\nurl = \"https://x\"\nbody = '{\"t\": \"{message}\"}'", "3:8: gateway.body: must hold {to} somewhere".into()),
            ("[gateway]\nurl = \"https://x\"\nbody = '{\"to\": \"{to}\", \"t\": \"{message}\"'", "3:8: gateway.body: is not JSON once its placeholders are filled: choose another gateway.content_type, or mend it".into()),
            ("[gateway]\nurl = \"https://x\"\nbody = '{\"to\": \"{to}\", \"t\": {code}}'", "3:8: gateway.body: has a placeholder outside quotation marks".into()),
            ("[gateway]\nheaders = [\"X-Key hunter2\"]", "2:11: gateway.headers: must be a list of headers such as \"X-Account: 42\", none of which frames the request".into()),
            ("[gateway]\nheaders = [\"Content-Length: 2\"]", "2:11: gateway.headers: must be a list of headers such as \"X-Account: 42\", none of which frames the request".into()),
            ("[gateway]\nauthorization = 5", "2:17: gateway.authorization: must be text on one line".into()),
            ("[gateway]\nauthorization = \"Bearer x\"\nauthorization_file = \"f\"", "3:22: gateway.authorization_file: cannot be set together with gateway.authorization".into()),
            ("[gateway]\nurl = \"https://x\"\nauthorization = \"Bearer x\"\nheaders = [\"authorization: y\"]", "4:11: gateway.headers: names Authorization, which another setting of [gateway] sets".into()),
            ("[gateway]\nurl = \"http://x\"\nauthorization = \"Bearer x\"", "2:7: gateway.url: would show the authorization to the network: use https".into()),
            ("[upstreams]\norigins = [\"https://a/b\"]", "2:11: upstreams.origins: must be a list of origins such as https://127.0.0.1:9443, not [\"https://a/b\"]".into()),
            ("[upstreams]\ntimeout_seconds = 0", "2:19: upstreams.timeout_seconds: must be a whole number of seconds from 1 to 60, not 0".into()),
            ("[keys]\nper_organization_per_day = 0", format!("2:28: keys.per_organization_per_day: {COUNT}, not 0")),
            ("[server]\nlisten = ", "2:10: string values must be quoted, expected literal string".into()),
            ("[log]\nlevel = \"info\"\nlevel = \"warn\"", "3:1: duplicate key".into()),
            ("# ä\n[log] ö", "2:7: unexpected key or value, expected newline, `#`".into()),
        ];
        for (text, expected) in &table {
            let said = folder.load(text, &[]).unwrap_err();
            assert_eq!(said, format!("admit.toml:{expected}"), "{text}");
        }
    }

    #[test]
    fn a_mistyped_setting_above_the_first_section_is_not_called_a_section() {
        let folder = Folder::new("above");
        for (text, expected) in [
            (
                "offlin = true",
                "1:1: offlin: is not a setting; did you mean \"offline\"?",
            ),
            (
                "colour = true",
                "1:1: colour: is not a setting; above the first section stands only offline",
            ),
            (
                "[offlin]",
                "1:2: offlin: is not a section; did you mean \"offline\"?",
            ),
        ] {
            let said = folder.load(text, &[]).unwrap_err();
            assert_eq!(said, format!("admit.toml:{expected}"), "{text}");
        }
    }

    #[test]
    fn every_mistake_in_the_environment_is_told_with_its_variable() {
        let table = [
            (
                "ADMIT_SERVER_LISEN",
                "x",
                "is not a setting; did you mean \"ADMIT_SERVER_LISTEN\"?",
            ),
            (
                "ADMIT_LISTEN",
                "x",
                "is not a setting; the annotated admit.toml lists them all",
            ),
            (
                "ADMIT_TICKETS_MAX_TTL",
                "1",
                "is not a setting; the annotated admit.toml lists them all",
            ),
            (
                "ADMIT_SERVER_PLAIN_HTTP",
                "1",
                "must be true or false, not \"1\"",
            ),
            (
                "ADMIT_LIMITS_CONNECTIONS",
                "",
                "must be a whole number from 1 to 1000000, not \"\"",
            ),
            ("ADMIT_STORE_DATA", "", "must be a path, not \"\""),
            (
                "ADMIT_SERVER_NAMES",
                "-a",
                "must be a list of host names and addresses, not [\"-a\"]",
            ),
            (
                "ADMIT_SERVER_TRUSTED_PROXIES",
                "127.0.0.1:80",
                "must be a list of IP addresses, not [\"127.0.0.1:80\"]",
            ),
            (
                "ADMIT_TLS_KEY",
                "k",
                "needs tls.certificate as well: set both or neither",
            ),
        ];
        for (name, value, expected) in table {
            let said = with(Overrides::default(), &[(name, value)]).unwrap_err();
            assert_eq!(said, format!("{name}: {expected}"));
        }
    }

    #[test]
    fn a_secret_is_read_from_a_file_that_nobody_else_may_read() {
        let folder = Folder::new("secrets");
        let file = folder.0.join("secret");
        let set = |mode, text: &str| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        };
        let name = file.display();
        let text = format!(
            "[smtp]\nhost = \"m\"\nfrom = \"a@b\"\nuser = \"u\"\npassword_file = \"{name}\"\n\
            [gateway]\nurl = \"https://x\"\nauthorization_file = \"{name}\"\n"
        );
        set(0o600, "hunter two\n");
        let config = folder.load(&text, &[]).unwrap();
        let printed = format!("{config:?}");
        assert!(!printed.contains("hunter"), "{printed}");
        let (_, password) = config.couriers.smtp.unwrap().credentials.unwrap();
        assert_eq!(password.expose(), "hunter two");
        let authorization = config.couriers.gateway.unwrap().authorization.unwrap();
        assert_eq!(authorization.expose(), "hunter two");
        set(0o640, "hunter two\n");
        let said = folder.load(&text, &[]).unwrap_err();
        let what = "secret can be read by others (mode 640): run `chmod 600 secret`";
        let expected = format!(
            "admit.toml:5:17: smtp.password_file: {what}\nadmit.toml:8:22: gateway.authorization_file: {what}"
        );
        assert_eq!(said, expected);
        let handed_over = [("CREDENTIALS_DIRECTORY", folder.0.to_str().unwrap())];
        assert!(folder.load(&text, &handed_over).is_ok());
        for content in ["", "\n", "a\nb\n", "a\tb"] {
            set(0o600, content);
            let said = folder.load(&text, &[]).unwrap_err();
            assert!(
                said.contains("the file must hold one line of text"),
                "{said}"
            );
        }
    }

    #[test]
    fn no_secret_is_repeated_in_a_message() {
        let env = [
            ("ADMIT_SMTP_PASSWORD", "hunter2\n"),
            ("ADMIT_GATEWAY_AUTHORIZATION", "hunter2\n"),
            ("ADMIT_GATEWAY_HEADERS", "X-Key hunter2"),
        ];
        let said = with(Overrides::default(), &env).unwrap_err();
        assert_eq!(said.lines().count(), 3, "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[test]
    fn all_problems_are_told_at_once_in_the_order_they_are_read() {
        let text = "[tls]\nkey = 1\n[log]\nlevel = loud\nformat = \"xml\"\n[sever]\n";
        let env = [("ADMIT_LOG_LEVEL", "loud"), ("ADMIT_A", "1")];
        let said = Folder::new("several").load(text, &env).unwrap_err();
        let places: Vec<&str> = said
            .lines()
            .map(|line| line.split(": ").next().unwrap())
            .collect();
        let expected = [
            "admit.toml:2:7",
            "admit.toml:4:9",
            "admit.toml:5:10",
            "admit.toml:6:2",
            "ADMIT_A",
            "ADMIT_LOG_LEVEL",
        ];
        assert_eq!(places, expected, "{said}");
    }

    #[test]
    fn a_refused_value_is_not_held_against_another() {
        let text = "[tls]\ncertificate = \"c\"\nkey = 1\n[tickets]\nmax_ttl_seconds = 60\ndefault_ttl_seconds = 1\n";
        let said = Folder::new("refused").load(text, &[]).unwrap_err();
        let places: Vec<&str> = said
            .lines()
            .filter_map(|line| line.split(": ").nth(1))
            .collect();
        assert_eq!(places, ["tls.key", "tickets.default_ttl_seconds"], "{said}");
    }

    #[test]
    fn the_command_line_is_named_when_it_contradicts() {
        let overrides = Overrides {
            listen: Some("0.0.0.0:80".parse().unwrap()),
            ..Overrides::default()
        };
        let said = with(overrides, &[("ADMIT_SERVER_PLAIN_HTTP", "true")]).unwrap_err();
        let expected = "must be a loopback address when server.plain_http is on, not 0.0.0.0:80";
        assert_eq!(said, format!("--listen: {expected}"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let overrides = Overrides {
            config: Some("/nowhere/admit.toml".into()),
            ..Overrides::default()
        };
        assert_eq!(
            with(overrides, &[]),
            Err("/nowhere/admit.toml: does not exist".to_owned())
        );
        let folder = Folder::new("unreadable");
        let said = folder.load(b"[log]\n# \xff", &[]).unwrap_err();
        assert_eq!(said, "admit.toml: is not UTF-8 text: byte 9");
        let overrides = Overrides {
            config: Some(folder.0.clone()),
            ..Overrides::default()
        };
        assert!(
            with(overrides, &[])
                .unwrap_err()
                .contains(": cannot be read: ")
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"[\[\]{}"'#=a-z_. \n0-9é-]{0,60}"#) {
            let mut draft = Draft::default();
            let _ = file::read("f", &text, &mut draft);
        }
    }
}
