//! A small server that tests stand in an upstream's place: it answers what it is told to and keeps what it was asked.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use admit::config::Upstreams;
use admit::domain::applications::{self, Application, Kind, SERVICE_PARAMETERS, Sealed};
use admit::http::tls::{self, Certificate};
use admit::kernel::{ApplicationId, Clock as _, OrgId, Properties, Secret, SystemClock};
use admit::store::Verdict;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::server::Server;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method, target and version.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn method(&self) -> &str {
        self.line.split(' ').next().unwrap()
    }

    pub(crate) fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    pub(crate) fn path(&self) -> &str {
        self.target().split('?').next().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A parameter of the query.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target().split_once('?')?;
        parameter(query, name)
    }

    /// A parameter of the form.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        parameter(&self.body, name)
    }
}

fn parameter(text: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    let found = pairs.find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}

/// What it does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Answers with a status and JSON.
    Says(u16, Value),
    /// Answers with a status, lines of headers and bytes.
    Writes(u16, String, Vec<u8>),
    /// Begins to answer and never ends.
    Stalls,
    /// Says nothing.
    Hangs,
    /// Closes the connection.
    Closes,
}

type Script = dyn Fn(&Asked) -> Does + Send + Sync;

pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    script: Arc<Mutex<Box<Script>>>,
    authority: Option<TempDir>,
    running: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Stub {
    /// With TLS, for `localhost` and 127.0.0.1.
    pub(crate) async fn start(script: impl Fn(&Asked) -> Does + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, &["localhost", "127.0.0.1"], script)
    }

    /// With TLS, for these names.
    pub(crate) fn on(
        listener: TcpListener,
        names: &[&str],
        script: impl Fn(&Asked) -> Does + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let files = tls::prepare(folder.path(), &names, SystemClock.now()).unwrap();
        let config = Certificate::load(files).unwrap().server_config().unwrap();
        let tls = TlsAcceptor::from(config);
        Self::serving(listener, Some(tls), Some(folder), Box::new(script))
    }

    /// Without TLS, on any address; whoever reaches it is told nothing.
    pub(crate) async fn canary(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self::serving(listener, None, None, Box::new(|_: &Asked| Does::Closes))
    }

    fn serving(
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        authority: Option<TempDir>,
        script: Box<Script>,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script));
        let (seen, does) = (Arc::clone(&asked), Arc::clone(&script));
        let running = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (seen, does, tls) = (Arc::clone(&seen), Arc::clone(&does), tls.clone());
                tokio::spawn(async move {
                    let Some(tls) = tls else {
                        // A connection alone is a hit.
                        note(&seen, Asked::unread("TCP"));
                        return serve(tcp, &seen, &does).await;
                    };
                    match tls.accept(tcp).await {
                        Ok(stream) => serve(stream, &seen, &does).await,
                        Err(_) => note(&seen, Asked::unread("TLS")),
                    }
                });
            }
        });
        Self {
            address,
            asked,
            script,
            authority,
            running,
        }
    }

    /// From here on it does this.
    pub(crate) fn now(&self, script: impl Fn(&Asked) -> Does + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The same, and it begins anew.
    pub(crate) fn taken(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    pub(crate) fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate it is believed by.
    pub(crate) fn authority(&self) -> PathBuf {
        self.authority.as_ref().unwrap().path().join("tls/ca.pem")
    }

    pub(crate) fn authority_pem(&self) -> Vec<u8> {
        fs::read(self.authority()).unwrap()
    }

    /// What an operator writes who lists it.
    pub(crate) fn listed(&self) -> Upstreams {
        Upstreams {
            origins: vec![self.origin().parse().unwrap()],
            authority: Some(self.authority()),
            timeout: Duration::from_secs(5),
        }
    }
}

impl Asked {
    fn unread(what: &str) -> Self {
        Self {
            line: format!("{what} unread -"),
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

fn note(seen: &Mutex<Vec<Asked>>, asked: Asked) {
    seen.lock().unwrap().push(asked);
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Mutex<Vec<Asked>>,
    does: &Mutex<Box<Script>>,
) {
    let Some(asked) = read(&mut stream).await else {
        return;
    };
    note(seen, asked.clone());
    let does = (does.lock().unwrap())(&asked);
    let (status, headers, body) = match does {
        Does::Says(status, value) => {
            let kind = "content-type: application/json\r\n".to_owned();
            (status, kind, value.to_string().into_bytes())
        }
        Does::Writes(status, headers, body) => (status, headers, body),
        Does::Stalls => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
            let _ = stream.write_all(head).await;
            let _ = stream.flush().await;
            return std::future::pending().await;
        }
        Does::Hangs => return std::future::pending().await,
        Does::Closes => return,
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Said\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&body).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let mut lines = head.split("\r\n");
            let line = lines.next()?.to_owned();
            let pair = |line: &str| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            };
            let headers: Vec<(String, String)> = lines.map(pair).collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length = length.map_or(0, |(_, value)| value.parse().unwrap());
            while bytes.len() < at + 4 + length {
                if stream.read_buf(&mut bytes).await.ok()? == 0 {
                    return None;
                }
            }
            let body = String::from_utf8_lossy(&bytes[at + 4..]).into_owned();
            return Some(Asked {
                line,
                headers,
                body,
            });
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// An application of this organization, made past every rule.
pub(crate) fn application(
    server: &Server,
    organization: &OrgId,
    kind: Kind,
    service: &Value,
) -> ApplicationId {
    let config = json!({"pcEnvironment": "mypurecloud.de", SERVICE_PARAMETERS: service});
    application_with(server, organization, kind, &config, |_| {})
}

/// The same with more that is out of the usual.
pub(crate) fn application_with(
    server: &Server,
    organization: &OrgId,
    kind: Kind,
    config: &Value,
    change: impl FnOnce(&mut Application),
) -> ApplicationId {
    let cx = server.appliance.own_context();
    let mut config = config.as_object().unwrap().clone();
    let service = config.remove(SERVICE_PARAMETERS);
    let mut application = Application {
        id: ApplicationId::draw(server.appliance.entropy().as_ref()),
        organization: organization.clone(),
        kind,
        config: Properties::new(config).unwrap(),
        service_parameters: service.map(|service| Secret::new(service.to_string())),
        is_visible: true,
        created_at: cx.now,
        expires_at: None,
        version: 0,
        vouches: true,
    };
    change(&mut application);
    let sealed = Sealed::of(&cx, &application).unwrap();
    let store = server.appliance.store();
    let written = store.write(|tx| {
        applications::put(tx, &sealed)?;
        Ok(Verdict::<(), admit::kernel::Fault>::Commit(()))
    });
    let written = written.unwrap();
    written.outcome.unwrap();
    store.durable(written.mark).wait().unwrap();
    application.id
}

/// What an application of Genesys Cloud has whose Genesys Cloud is this stub.
pub(crate) fn genesys_at(stub: &Stub) -> Value {
    let origin = stub.origin();
    json!({
        "clientId": "genesys-client", "clientSecret": "genesys-secret",
        "loginBase": format!("{origin}/genesys/login"), "apiBase": origin,
    })
}
