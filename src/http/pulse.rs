//! Signs of life of one connection, and the moment it has shown too few of them.
//!
//! hyper watches HTTP/1.1 heads only: an HTTP/2 client that says nothing, or takes nothing, would stay for ever.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::limits::Limits;

/// What has been seen of a connection.
#[derive(Debug)]
pub(super) struct Pulse(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Whether bytes on a quiet connection are the beginning of a request; in HTTP/2 they may be anything.
    head_by_head: bool,
    heard: bool,
    quiet_since: Instant,
    head_since: Option<Instant>,
    stuck_since: Option<Instant>,
    /// Requests under way, and since when the client could have taken more of each answer.
    under_way: BTreeMap<u64, Option<Instant>>,
    next: u64,
}

impl Pulse {
    pub(super) fn new(head_by_head: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            head_by_head,
            heard: false,
            quiet_since: Instant::now(),
            head_since: None,
            stuck_since: None,
            under_way: BTreeMap::new(),
            next: 0,
        })))
    }

    /// Counts a request as under way until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        let mut state = self.lock();
        state.head_since = None;
        let number = state.next;
        state.next += 1;
        state.under_way.insert(number, None);
        drop(state);
        UnderWay {
            pulse: Arc::clone(self),
            number,
        }
    }

    /// Whether nothing is under way, not even the beginning of a request.
    pub(super) fn is_at_rest(&self) -> bool {
        let state = self.lock();
        state.under_way.is_empty() && state.head_since.is_none()
    }

    /// Whether the client has sent anything at all.
    pub(super) fn was_heard(&self) -> bool {
        self.lock().heard
    }

    /// Ends when the connection has kept us waiting for longer than the limits allow.
    pub(super) async fn stops(&self, limits: &Limits) {
        loop {
            let now = Instant::now();
            let due = self.lock().deadline(limits);
            if due.is_some_and(|due| due <= now) {
                return;
            }
            // A deadline that arises meanwhile is at least this far away.
            let look_again = now + limits.shortest();
            sleep_until(due.map_or(look_again, |due| due.min(look_again))).await;
        }
    }

    fn received(&self) {
        let mut state = self.lock();
        state.heard = true;
        if state.under_way.is_empty() && state.head_by_head && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    fn stuck(&self) {
        self.lock().stuck_since.get_or_insert_with(Instant::now);
    }

    fn moved(&self) {
        self.lock().stuck_since = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let quiet = self.under_way.is_empty().then_some(self.quiet_since);
        let silent = quiet.filter(|_| !self.heard);
        let untaken = self.under_way.values().copied().flatten().min();
        [
            silent.map(|since| since + limits.first_byte),
            quiet.map(|since| since + limits.idle),
            self.head_since.map(|since| since + limits.head),
            self.stuck_since.map(|since| since + limits.write),
            untaken.map(|since| since + limits.write),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// A request that is being received, worked on or answered.
#[derive(Debug)]
pub(super) struct UnderWay {
    pulse: Arc<Pulse>,
    number: u64,
}

impl UnderWay {
    /// There is something to send from now on, and it is the client's turn to take it.
    pub(super) fn answering(&self) {
        let mut state = self.pulse.lock();
        state.under_way.insert(self.number, Some(Instant::now()));
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.pulse.lock();
        state.under_way.remove(&self.number);
        if state.under_way.is_empty() {
            state.quiet_since = Instant::now();
        }
    }
}

/// A stream whose reads and writes are felt by a [`Pulse`].
pub(super) struct Watched<S> {
    stream: S,
    pulse: Arc<Pulse>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse }
    }

    fn feel<T>(&self, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match sent {
            Poll::Pending => self.pulse.stuck(),
            Poll::Ready(_) => self.pulse.moved(),
        }
        sent
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, into);
        if into.filled().len() > before {
            self.pulse.received();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(cx, from);
        self.feel(sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(cx, from);
        self.feel(sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_flush(cx);
        self.feel(sent)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.feel(sent)
    }
}
