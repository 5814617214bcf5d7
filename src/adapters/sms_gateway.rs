//! The courier that asks an HTTP gateway, in whatever form that gateway wants: the operator writes the template.
//!
//! A value is escaped for the place it is put in, so that no sender's name becomes syntax: JSON strings (RFC 8259 §7),
//! forms (WHATWG URL, `application/x-www-form-urlencoded`) and queries (RFC 3986 §3.4).

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Url};
use tokio::time::timeout;

use super::http_client::{self, NoAnswer};
use crate::domain::ports::{Answer, Channel, Courier, Message, Purpose, Undelivered};
use crate::kernel::Secret;
use crate::render::messages;

/// The body of a request, and the form it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// None: the values are in the address.
    Empty,
    /// A JSON text.
    Json(String),
    /// A form.
    Form(String),
}

/// A gateway, and how it is asked.
pub struct Account {
    /// Its address; the query may hold placeholders.
    pub url: String,
    /// The method, in capitals.
    pub method: &'static str,
    /// Names and values of headers.
    pub headers: Vec<(String, Secret<String>)>,
    /// The value of the `Authorization` header.
    pub authorization: Option<Secret<String>>,
    /// The body's template.
    pub body: Body,
    /// Certificates to trust besides the system's, in PEM.
    pub authority: Option<Vec<u8>>,
    /// How long one message may take.
    pub timeout: Duration,
}

/// The account cannot be used, in words for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

impl From<NoAnswer> for Unusable {
    fn from(error: NoAnswer) -> Self {
        Self(error.to_string())
    }
}

/// A gateway that takes one-time codes.
pub struct SmsGateway {
    client: Client,
    method: Method,
    headers: HeaderMap,
    url: String,
    body: Body,
    timeout: Duration,
}

impl SmsGateway {
    /// The courier for that account.
    pub fn with(account: Account) -> Result<Self, Unusable> {
        let method = Method::from_bytes(account.method.as_bytes());
        let client = if account.url.starts_with("https:") {
            http_client::reaching(account.authority.as_deref(), account.timeout)?
        } else {
            http_client::in_the_clear(account.timeout)?
        };
        Ok(Self {
            client,
            method: method.map_err(|_| Unusable("there is no such method".into()))?,
            headers: headers(&account)?,
            url: account.url,
            body: account.body,
            timeout: account.timeout,
        })
    }

    async fn ask(&self, message: &Message) -> Result<(), Undelivered> {
        let values = values(message);
        let url = fill(&self.url, &values, percent_encoded);
        let mut request = self.client.request(self.method.clone(), url);
        request = request.headers(self.headers.clone());
        request = match &self.body {
            Body::Empty => request,
            Body::Json(template) => request.body(fill(template, &values, json_string)),
            Body::Form(template) => request.body(fill(template, &values, form_encoded)),
        };
        let answered = timeout(self.timeout, request.send()).await;
        let answered = answered.map_err(|_| again(LATE.into()))?;
        let response = answered.map_err(unreached)?;
        let verdict = judge(response.status().as_u16());
        // The status says it all. A connection that was read to its end can be used again; a long answer is left.
        let _ = timeout(REST, http_client::read_at_most(response, MOST_READ)).await;
        verdict
    }
}

impl Courier for SmsGateway {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn asks(&self) -> Option<(String, Purpose)> {
        // Placeholders stand in the query only.
        let url = Url::parse(&self.url).ok();
        let url = url.as_ref();
        let host = url.and_then(Url::host_str).unwrap_or("unreadable");
        let port = url.and_then(Url::port_or_known_default).unwrap_or(0);
        Some((format!("{host}:{port}"), Purpose::Gateway))
    }

    fn deliver<'a>(&'a self, message: &'a Message) -> Answer<'a, Result<(), Undelivered>> {
        Box::pin(self.ask(message))
    }
}

fn judge(status: u16) -> Result<(), Undelivered> {
    match status {
        200..=299 => Ok(()),
        // RFC 9110 §15.5.9, RFC 6585 §4: the same request may do later.
        408 | 429 | 500..=599 => Err(again(format!("the gateway answered {status}"))),
        // What it says besides may repeat the destination.
        _ => Err(Undelivered {
            reason: format!("the gateway refused it: {status}"),
            is_final: true,
        }),
    }
}

fn unreached(error: reqwest::Error) -> Undelivered {
    if error.is_timeout() {
        return again(LATE.into());
    }
    if error.is_builder() {
        return Undelivered {
            reason: "no request can be made of gateway.url".into(),
            is_final: true,
        };
    }
    again(format!(
        "the gateway cannot be reached: {}",
        NoAnswer::from(error)
    ))
}

fn again(reason: String) -> Undelivered {
    Undelivered {
        reason,
        is_final: false,
    }
}

fn headers(account: &Account) -> Result<HeaderMap, Unusable> {
    let mut map = HeaderMap::new();
    for (name, value) in &account.headers {
        let unusable = || Unusable(format!("the header {name} cannot be sent"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        map.append(name, secret(value).ok_or_else(unusable)?);
    }
    if let Some(value) = &account.authorization {
        let unusable = || Unusable("the authorization cannot be sent".into());
        map.insert(AUTHORIZATION, secret(value).ok_or_else(unusable)?);
    }
    let kind = match account.body {
        Body::Empty => None,
        Body::Json(_) => Some("application/json"),
        Body::Form(_) => Some("application/x-www-form-urlencoded"),
    };
    if let Some(kind) = kind {
        map.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    Ok(map)
}

fn secret(value: &Secret<String>) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What a template may name.
type Values = [(&'static str, String); 8];

fn values(message: &Message) -> Values {
    let (subject, text) = match message.channel {
        Channel::Sms => (String::new(), messages::short(message)),
        Channel::Voice => (String::new(), messages::spoken(message)),
        Channel::Email => (messages::subject(message), messages::body(message)),
    };
    [
        ("{to}", message.to.clone()),
        ("{message}", text),
        ("{code}", message.code.expose().clone()),
        ("{locale}", message.locale.as_str().to_owned()),
        ("{channel}", message.channel.name().to_owned()),
        ("{id}", message.id.clone()),
        ("{sender}", message.sender.clone()),
        ("{subject}", subject),
    ]
}

/// Fills a template in one pass: what is put in is not looked at again. Any other brace is the template's own.
fn fill(template: &str, values: &Values, escape: fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(template.len() + 256);
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let named = values.iter().find(|(name, _)| from.starts_with(name));
        rest = if let Some((name, value)) = named {
            filled.push_str(&escape(value));
            from.strip_prefix(name).unwrap_or_default()
        } else {
            filled.push('{');
            from.strip_prefix('{').unwrap_or_default()
        };
    }
    filled.push_str(rest);
    filled
}

/// The inside of a JSON string.
fn json_string(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    let inside = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or_default().to_owned()
}

fn form_encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// A plus sign means a space in forms only.
fn percent_encoded(value: &str) -> String {
    form_encoded(value).replace('+', "%20")
}

const LATE: &str = "the gateway did not answer in time";
/// The most of an answer that is read.
const MOST_READ: usize = 64 * 1024;
/// How long an answer may go on after its status.
const REST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Message {
        Message {
            id: "m-1".into(),
            channel: Channel::Sms,
            to: "+302101234567".into(),
            code: Secret::new("048213".into()),
            locale: "en".parse().unwrap(),
            sender: "\"},{\"to\":\"+1&to=+1#\\\r\n{code} é".into(),
            minutes: 10,
        }
    }

    #[test]
    fn s16_no_value_becomes_syntax_and_none_is_filled_twice() {
        let message = hostile();
        let values = values(&message);
        let json = fill(
            "{\"a\": \"{sender}\", \"b\": {\"c\": \"{to}\"}}",
            &values,
            json_string,
        );
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["a"], message.sender.as_str());
        assert_eq!(read["b"]["c"], message.to.as_str());
        let form = fill("from={sender}&to={to}&{odd", &values, form_encoded);
        let read: Vec<_> = form_urlencoded::parse(form.as_bytes()).collect();
        assert_eq!(read[0].1, message.sender);
        assert_eq!(read[1], ("to".into(), "+302101234567".into()));
        assert_eq!(read.len(), 3);
        let query = fill(
            "https://g.example/?s={sender}&t={to}",
            &values,
            percent_encoded,
        );
        assert!(query.ends_with("&t=%2B302101234567"), "{query}");
        assert!(
            query
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"\"#+\\".contains(&b)),
            "{query}"
        );
    }

    proptest::proptest! {
        #[test]
        fn s16_whatever_a_sender_is_called_is_one_value(sender in ".{0,40}") {
            let mut message = hostile();
            message.sender.clone_from(&sender);
            let values = values(&message);
            let json = fill("[\"{sender}\", 1]", &values, json_string);
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            proptest::prop_assert_eq!(read, serde_json::json!([&sender, 1]));
            let form = fill("s={sender}&n=1", &values, form_encoded);
            let read: Vec<_> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
            proptest::prop_assert_eq!(read, [("s".to_owned(), sender), ("n".to_owned(), "1".to_owned())]);
        }
    }

    #[test]
    fn what_may_do_later_is_tried_again() {
        for status in [408, 429, 500, 503, 599] {
            assert!(!judge(status).unwrap_err().is_final, "{status}");
        }
        for status in [301, 307, 400, 401, 404, 410, 422] {
            assert!(judge(status).unwrap_err().is_final, "{status}");
        }
        assert_eq!(judge(202), Ok(()));
    }
}
