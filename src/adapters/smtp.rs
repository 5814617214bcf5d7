//! The courier that sends e-mail through a mail server (RFC 5321), over TLS unless the operator says otherwise.
//!
//! STARTTLS is demanded, never hoped for (RFC 3207, RFC 8314). What a server says in words may repeat an address, so only
//! its codes are passed on (RFC 3463).

use std::error::Error as _;
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message as Mail};
use tokio::time::timeout;

use crate::domain::ports::{Answer, Channel, Courier, Message, Purpose, Undelivered};
use crate::kernel::Secret;
use crate::render::messages;

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// The server must offer it before anything is said to it.
    StartTls,
    /// With the connection.
    Implicit,
    /// Never.
    None,
}

/// A mail server, and as whom it is used.
pub struct Account {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// When TLS begins.
    pub tls: Tls,
    /// Certificates to trust besides the system's, in PEM.
    pub authority: Option<Vec<u8>>,
    /// User and password, where the server asks for them.
    pub credentials: Option<(String, Secret<String>)>,
    /// The address messages come from.
    pub from: String,
    /// The name we greet with; without one the machine's.
    pub greeting: Option<String>,
    /// How long one message may take.
    pub timeout: Duration,
}

/// The account cannot be used, in words for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

/// A mail server that takes one-time codes.
pub struct Smtp {
    account: Account,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    from: Address,
    greeting: ClientId,
}

impl Smtp {
    /// The courier for that account.
    pub fn with(account: Account) -> Result<Self, Unusable> {
        let from = account.from.parse();
        let from = from.map_err(|_| Unusable("the sender's address is none".into()))?;
        let credentials = account.credentials.as_ref();
        let greeting = account.greeting.clone();
        Ok(Self {
            tls: tls(&account).map_err(|error| Unusable(innermost(&error)))?,
            credentials: credentials
                .map(|(user, password)| Credentials::new(user.clone(), password.expose().clone())),
            from,
            greeting: greeting.map_or_else(ClientId::default, ClientId::Domain),
            account,
        })
    }

    async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let mail = self.write(message)?;
        let sent = timeout(self.account.timeout, self.hand_over(&mail)).await;
        let mut connection = sent.unwrap_or_else(|_| {
            let seconds = self.account.timeout.as_secs_f64();
            Err(again(format!(
                "no answer from the mail server within {seconds} s"
            )))
        })?;
        // It has the message: whether it says goodbye as well changes nothing.
        let _ = timeout(GOODBYE, connection.abort()).await;
        Ok(())
    }

    async fn hand_over(&self, mail: &Mail) -> Result<AsyncSmtpConnection, Undelivered> {
        let mut connection = self.connect().await?;
        if let Some(credentials) = &self.credentials {
            let signed_in = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            signed_in.map_err(|error| {
                again(format!(
                    "the mail server does not accept user and password: {}",
                    told(&error)
                ))
            })?;
        }
        let sent = connection.send(mail.envelope(), &mail.formatted()).await;
        sent.map_err(|error| Undelivered {
            reason: format!("the mail server did not take the message: {}", told(&error)),
            // RFC 5321 §4.2.1: the same again is refused again.
            is_final: error.is_permanent(),
        })?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Undelivered> {
        let Account {
            host,
            port,
            tls,
            timeout,
            ..
        } = &self.account;
        let at_once = self.tls.clone().filter(|_| *tls == Tls::Implicit);
        let server = (host.as_str(), *port);
        let connected = AsyncSmtpConnection::connect_tokio1(
            server,
            Some(*timeout),
            &self.greeting,
            at_once,
            None,
        );
        let mut connection = connected.await.map_err(|error| {
            again(format!(
                "the mail server cannot be reached: {}",
                told(&error)
            ))
        })?;
        if let Some(parameters) = self.tls.clone().filter(|_| *tls == Tls::StartTls) {
            let begun = connection.starttls(parameters, &self.greeting).await;
            begun
                .map_err(|error| again(format!("no TLS with the mail server: {}", told(&error))))?;
        }
        Ok(connection)
    }

    fn write(&self, message: &Message) -> Result<Mail, Undelivered> {
        let refused = |reason: &str| Undelivered {
            reason: reason.into(),
            is_final: true,
        };
        if message.channel != Channel::Email {
            return Err(refused("SMTP takes e-mail only"));
        }
        let to = message.to.parse();
        let to: Address = to.map_err(|_| refused("the destination is no e-mail address"))?;
        let from = Mailbox::new(Some(one_line(&message.sender)), self.from.clone());
        let id = format!("<{}@{}>", message.id, self.from.domain());
        let mail = Mail::builder()
            .from(from)
            .to(Mailbox::new(None, to))
            .subject(one_line(&messages::subject(message)))
            .message_id(Some(id));
        // RFC 3834 §5: nobody's holiday notice answers a code.
        let mail = header(mail, "Auto-Submitted", "auto-generated");
        let mail = header(mail, "Content-Language", message.locale.as_str());
        let mail = mail
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN);
        let mail = mail.body(messages::body(message));
        mail.map_err(|_| refused("no e-mail can be made of it"))
    }
}

impl Courier for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn asks(&self) -> Option<(String, Purpose)> {
        let Account { host, port, .. } = &self.account;
        Some((format!("{host}:{port}"), Purpose::Smtp))
    }

    fn deliver<'a>(&'a self, message: &'a Message) -> Answer<'a, Result<(), Undelivered>> {
        Box::pin(self.send(message))
    }
}

/// What can stand in a header: the library panics where a name has a line break.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn header(mail: MessageBuilder, name: &'static str, value: &str) -> MessageBuilder {
    let name = HeaderName::new_from_ascii_str(name);
    mail.raw_header(HeaderValue::new(name, value.to_owned()))
}

fn tls(account: &Account) -> Result<Option<TlsParameters>, Error> {
    if account.tls == Tls::None {
        return Ok(None);
    }
    let mut parameters = TlsParameters::builder(account.host.clone());
    if let Some(pem) = &account.authority {
        parameters = parameters.add_root_certificate(Certificate::from_pem(pem)?);
    }
    parameters.build().map(Some)
}

fn again(reason: String) -> Undelivered {
    Undelivered {
        reason,
        is_final: false,
    }
}

/// What went wrong, without a word of the server's that may repeat an address.
fn told(error: &Error) -> String {
    let Some(status) = error.status() else {
        return if error.is_response() {
            "its answer is not SMTP".into()
        } else {
            innermost(error)
        };
    };
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    let first = said.split_ascii_whitespace().next().unwrap_or_default();
    let is_enhanced = first.split('.').count() == 3
        && first
            .split('.')
            .all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    if is_enhanced {
        format!("{status} {first}")
    } else {
        status.to_string()
    }
}

/// The innermost cause, which is the one that says something.
fn innermost(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        said = inner.to_string();
        cause = inner.source();
    }
    said
}

/// How long a server that has the message may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
