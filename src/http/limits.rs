//! The figures a connection and a request must keep to, and how many files the process may have open.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What connections and requests must keep to. The default is what an appliance runs with; tests shorten it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address (IPv6: one /64).
    pub per_address: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the handshake, or the connection, to the first byte.
    pub first_byte: Duration,
    /// From the first byte of an HTTP/1.1 head to its end.
    pub head: Duration,
    /// Without any request under way.
    pub idle: Duration,
    /// For a whole body.
    pub body: Duration,
    /// Bytes a second a body must come with, after [`Limits::body_grace`].
    pub body_rate: u32,
    /// How long a body may keep us waiting before its rate counts.
    pub body_grace: Duration,
    /// Without the client taking any of an answer that is ready.
    pub write: Duration,
    /// Bytes of a refused body that are read and thrown away so that the client gets to read its answer.
    pub drain: usize,
    /// Headers of one request.
    pub headers: usize,
    /// Bytes of one header line.
    pub header_line: usize,
    /// Bytes of a request's line and headers together.
    pub head_size: usize,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            per_address: 12_288,
            handshake: Duration::from_secs(5),
            first_byte: Duration::from_secs(5),
            head: Duration::from_secs(5),
            idle: Duration::from_secs(15),
            body: Duration::from_secs(10),
            body_rate: 1024,
            body_grace: Duration::from_secs(2),
            write: Duration::from_secs(30),
            drain: 64 * 1024,
            headers: 64,
            header_line: 8 * 1024,
            head_size: 16 * 1024,
            streams: 64,
        }
    }
}

impl Limits {
    /// The same limits with no more connections than the process may open files, less what the rest of it needs.
    #[must_use]
    pub fn within_open_files(mut self) -> Self {
        let files = raise_open_files();
        let ours = files.saturating_sub(OTHER_FILES.min(files / 2));
        if ours < self.connections {
            self.connections = ours;
            // However few there are, one address does not take them all.
            self.per_address = self.per_address.min(ours / 4 * 3);
        }
        self
    }

    /// The shortest of the spans a connection is watched for: no deadline can arise sooner than this.
    pub(super) fn shortest(&self) -> Duration {
        self.first_byte
            .min(self.head)
            .min(self.idle)
            .min(self.write)
    }
}

const OTHER_FILES: usize = 256;

/// Raises the soft limit of open files to the hard one, and says what it is now.
fn raise_open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    // No limit at all is told as an absent one.
    current.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    })
}
