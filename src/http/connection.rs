//! One connection from its handshake to its end: protocol by ALPN, hyper's own server for it, and our deadlines.
//!
//! Never hyper-util's automatic detection: it waits for a first byte without any deadline.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::admission::House;
use super::framing::{Framed, Refusal};
use super::limits::Limits;
use super::pulse::{Pulse, Watched};

/// A connection that has been given a place.
pub(super) struct Connection {
    pub(super) house: Arc<House>,
    pub(super) peer: IpAddr,
    /// Becomes true when the server is leaving.
    pub(super) leaving: watch::Receiver<bool>,
}

impl Connection {
    /// Serves the connection to its end.
    pub(super) async fn serve(mut self, stream: TcpStream, tls: Option<Arc<ServerConfig>>) {
        let Some(tls) = tls else {
            return self.http1(stream).await;
        };
        let handshake = TlsAcceptor::from(tls).accept(stream);
        let handshake = timeout(self.house.limits.handshake, handshake);
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = long_left(&mut self.leaving) => return,
        };
        let Ok(Ok(stream)) = shaken else {
            return;
        };
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            self.http2(stream).await;
        } else {
            self.http1(stream).await;
        }
    }

    async fn http1<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) {
        let Self {
            house,
            peer,
            mut leaving,
        } = self;
        let (pulse, refusal) = (Pulse::new(true), Arc::<Refusal>::default());
        let limits = &house.limits;
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let fault = refusal.next();
            let (house, pulse) = (Arc::clone(&house), Arc::clone(&pulse));
            Box::pin(house.answer(peer, pulse, request, fault))
        });
        let stream = Watched::new(stream, Arc::clone(&pulse));
        let stream = TokioIo::new(Framed::new(stream, limits, Arc::clone(&refusal)));
        let mut connection = http1_builder(limits).serve_connection(stream, service);
        let mut stops = pin!(pulse.stops(limits));
        let mut told = false;
        loop {
            tokio::select! {
                _ = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break,
                () = &mut stops => return,
                () = left(&mut leaving), if !told => {
                    told = true;
                    // hyper would wait for a first request that may never come.
                    if pulse.is_at_rest() {
                        return;
                    }
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
        let stream = connection.into_parts().io.into_inner().into_inner();
        linger(stream, limits).await;
    }

    async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let Self {
            house,
            peer,
            mut leaving,
        } = self;
        let pulse = Pulse::new(false);
        let service = {
            let (house, pulse) = (Arc::clone(&house), Arc::clone(&pulse));
            service_fn(move |request: hyper::Request<Incoming>| {
                Arc::clone(&house).answer(peer, Arc::clone(&pulse), request, None)
            })
        };
        let limits = &house.limits;
        let stream = TokioIo::new(Watched::new(stream, Arc::clone(&pulse)));
        let mut connection = pin!(http2_builder(limits).serve_connection(stream, service));
        let mut stops = pin!(pulse.stops(limits));
        let mut told = false;
        loop {
            tokio::select! {
                _ = &mut connection => return,
                () = &mut stops => break,
                () = left(&mut leaving), if !told => {
                    told = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
        if !pulse.was_heard() {
            return;
        }
        // RFC 9113 §6.8: the client should know that a request it is just sending was not taken.
        connection.as_mut().graceful_shutdown();
        let _ = timeout(FAREWELL, connection).await;
    }
}

/// Ends when the server is leaving.
async fn left(leaving: &mut watch::Receiver<bool>) {
    // An error means that the listener itself is gone.
    let _ = leaving.wait_for(|leaving| *leaving).await;
}

/// The same, and whoever was greeting us then has had time to finish: their request is answered, not cut off.
async fn long_left(leaving: &mut watch::Receiver<bool>) {
    left(leaving).await;
    sleep(GREETED).await;
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The pulse watches heads and idling; this is for what is left in hyper's buffer.
        .header_read_timeout(limits.idle)
        .max_headers(limits.headers)
        .max_header_size(limits.head_size)
        .max_buf_size(limits.head_size.max(HYPER_LEAST_BUFFER));
    builder
}

fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(limits.idle)
        .keep_alive_timeout(limits.idle)
        // CVE-2023-44487: a client that resets what it has just asked for is cut off.
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS);
    builder
}

/// Closes our half and reads for a moment more: closing on unread bytes would reset the connection, and the client
/// would lose an answer it has not read yet (RFC 9112 §9.6).
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, limits: &Limits) {
    let farewell = async {
        let _ = stream.shutdown().await;
        let mut bin = vec![0; 4 * 1024];
        let mut left = limits.drain;
        while left > 0 {
            match stream.read(&mut bin).await {
                Ok(0) | Err(_) => break,
                Ok(read) => left = left.saturating_sub(read),
            }
        }
    };
    let _ = timeout(FAREWELL, farewell).await;
}

const GREETED: Duration = Duration::from_millis(500);
const FAREWELL: Duration = Duration::from_secs(2);
const HYPER_LEAST_BUFFER: usize = 8 * 1024;
/// A whole body of the largest kind, and what is drained of one that is too large.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const SEND_BUFFER: usize = 256 * 1024;
const RESETS: usize = 32;
