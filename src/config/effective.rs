//! The settings as they hold, each with where it was said: what `admit config show` prints. No secret is among them.

use std::path::PathBuf;

use super::keys::{Draft, KEYS, Key, Raw};
use super::load::drafted;
use super::{Overrides, Problems};

/// Everything that holds.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// Every setting, in the order of the annotated example.
    pub settings: Vec<Setting>,
}

/// One setting as it holds.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Section and name, such as `server.listen`.
    pub path: &'static str,
    /// Its value.
    pub value: Value,
    /// Where it was set, unless it has its usual value.
    pub set_in: Option<String>,
}

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// As the file would say it.
    Is(String),
    /// It is set, and not for everybody's eyes.
    Hidden,
    /// Nobody set it, and it has no usual value.
    Unset,
}

/// Reads everything there is to read and says what holds.
pub fn effective(
    overrides: Overrides,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Effective, Problems> {
    let draft = drafted(overrides, env)?;
    Ok(Effective {
        settings: KEYS.iter().map(|key| setting(&draft, key)).collect(),
        file: draft.file,
    })
}

fn setting(draft: &Draft, key: &Key) -> Setting {
    let place = draft.places.get(key.path);
    let value = match (place, draft.written.get(key.path)) {
        (Some(_), Some(raw)) => written(key.path, raw),
        (Some(_), None) => Value::Hidden,
        (None, _) => key
            .usual()
            .map_or(Value::Unset, |usual| Value::Is(usual.to_owned())),
    };
    Setting {
        path: key.path,
        value,
        set_in: place.map(super::problem::Place::bare),
    }
}

/// Gateways are also given their password as a parameter, so only what comes before that is shown.
fn written(path: &str, raw: &Raw) -> Value {
    match (path, raw) {
        ("gateway.body", _) => Value::Hidden,
        ("gateway.url", Raw::Text(url)) => match url.split_once('?') {
            Some(_) => Value::Hidden,
            None => Value::Is(text(raw)),
        },
        _ => Value::Is(text(raw)),
    }
}

/// In the words of both TOML and JSON: what escapes a text in one escapes it in the other.
fn text(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        Raw::List(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            format!("[{}]", items.join(", "))
        }
        Raw::Whole(_) | Raw::Flag(_) | Raw::Other(_) => raw.shown(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENV: [(&str, &str); 6] = [
        ("ADMIT_SERVER_NAMES", "a.example,b.example"),
        ("ADMIT_SMTP_PASSWORD", "hunter2"),
        ("ADMIT_SMTP_USER", "u"),
        ("ADMIT_GATEWAY_HEADERS", "X-Key: hunter2"),
        (
            "ADMIT_GATEWAY_URL",
            "https://g.example/?key=hunter2&to={to}&text={message}",
        ),
        ("ADMIT_STORE_DATA", "/d \"x\"\\é"),
    ];

    fn shown() -> Effective {
        let env = ENV.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let overrides = Overrides {
            listen: Some("127.0.0.1:9".parse().unwrap()),
            ..Overrides::default()
        };
        effective(overrides, env.into_iter()).unwrap()
    }

    #[test]
    fn each_setting_is_shown_with_where_it_was_said_and_secrets_are_not() {
        let shown = shown();
        let of = |path: &str| {
            let setting = shown.settings.iter().find(|one| one.path == path).unwrap();
            (setting.value.clone(), setting.set_in.clone())
        };
        let is = |text: &str| Value::Is(text.to_owned());
        let by = |name: &str| Some(name.to_owned());
        assert_eq!(of("server.listen"), (is("\"127.0.0.1:9\""), by("--listen")));
        assert_eq!(of("log.level"), (is("\"info\""), None));
        assert_eq!(of("tls.key"), (Value::Unset, None));
        assert_eq!(
            of("smtp.password"),
            (Value::Hidden, by("ADMIT_SMTP_PASSWORD"))
        );
        assert_eq!(of("gateway.url"), (Value::Hidden, by("ADMIT_GATEWAY_URL")));
        let names = is("[\"a.example\", \"b.example\"]");
        assert_eq!(of("server.names"), (names, by("ADMIT_SERVER_NAMES")));
        assert!(!format!("{shown:?}").contains("hunter2"));
        assert_eq!(shown.settings.len(), KEYS.len());
    }

    #[test]
    fn what_is_shown_can_be_read_as_toml_and_as_json() {
        for setting in shown().settings {
            let Value::Is(value) = setting.value else {
                continue;
            };
            let toml: toml::Table = format!("it = {value}").parse().unwrap();
            let json: serde_json::Value = serde_json::from_str(&value).unwrap();
            assert_eq!(
                serde_json::to_value(&toml["it"]).unwrap(),
                json,
                "{}",
                setting.path
            );
        }
    }
}
