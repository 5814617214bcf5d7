//! The one outbound HTTP client: explicit roots and time-outs, no redirects followed, no proxy taken from anywhere.

use std::error::Error as _;
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Method, Response};

/// A client that trusts `root` (PEM) and nothing else.
pub fn trusting(root: &[u8]) -> Result<Client, reqwest::Error> {
    bounded(Duration::from_secs(30))
        .tls_certs_only(Certificate::from_pem_bundle(root)?)
        .connect_timeout(Duration::from_secs(5))
        .build()
}

/// A client for HTTPS that trusts what the system trusts, and `authority` (PEM) if there is one.
pub fn reaching(authority: Option<&[u8]>, timeout: Duration) -> Result<Client, NoAnswer> {
    let mut client = bounded(timeout).https_only(true);
    if let Some(pem) = authority {
        client = client.tls_certs_merge(Certificate::from_pem_bundle(pem)?);
    }
    Ok(client.build()?)
}

/// A client for plain HTTP, which works where no certificates are installed.
pub fn in_the_clear(timeout: Duration) -> Result<Client, NoAnswer> {
    Ok(bounded(timeout).tls_certs_only([]).build()?)
}

fn bounded(timeout: Duration) -> ClientBuilder {
    Client::builder()
        .connect_timeout(timeout)
        .timeout(timeout)
        .redirect(Policy::none())
        .no_proxy()
}

/// The first `most` bytes of a body at most; `None` if it is longer.
pub async fn read_at_most(
    mut response: Response,
    most: usize,
) -> Result<Option<Vec<u8>>, NoAnswer> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// One server, asked in plain values, so that nobody else need know which library carries them.
pub struct Server {
    client: Client,
    base: String,
}

/// A request of a [`Server`].
#[derive(Default)]
pub struct Ask {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path and, after a `?`, the query.
    pub path: String,
    /// Names and values of headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body, if there is one.
    pub body: Option<String>,
    /// How long the answer may take, where that is not as usual.
    pub within: Option<Duration>,
}

/// What a [`Server`] answered. It has no `Debug`, because it may hold tokens.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// From asking to the last byte.
    pub took: Duration,
    headers: Vec<(String, String)>,
}

impl Answer {
    /// The value of a header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer: the innermost cause, which is the one that says something.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(String);

impl From<reqwest::Error> for NoAnswer {
    fn from(error: reqwest::Error) -> Self {
        // Its address may carry a secret in the query.
        let error = error.without_url();
        let mut said = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            said = inner.to_string();
            cause = inner.source();
        }
        Self(said)
    }
}

impl Server {
    /// The server at `base`, believed when its certificate is issued under `root` (PEM).
    pub fn at(base: &str, root: &[u8]) -> Result<Self, NoAnswer> {
        Ok(Self {
            client: trusting(root)?,
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// Asks once.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, NoAnswer> {
        let method = Method::from_bytes(ask.method.as_bytes())
            .map_err(|error| NoAnswer(error.to_string()))?;
        let url = format!("{}{}", self.base, ask.path);
        let mut request = self.client.request(method, url);
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        if let Some(body) = ask.body {
            request = request.body(body);
        }
        if let Some(within) = ask.within {
            request = request.timeout(within);
        }
        let asked = Instant::now();
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        });
        let headers = headers.collect();
        let body = response.bytes().await?.to_vec();
        Ok(Answer {
            status,
            body,
            took: asked.elapsed(),
            headers,
        })
    }
}
