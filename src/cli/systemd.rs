//! What systemd wants to hear and has for us: readiness, reloads, life and leaving (`sd_notify(3)`), and sockets it
//! opened in our place (`sd_listen_fds(3)`).
//!
//! Without its variables in the environment nothing is said and nothing taken. It must not know what is served.

use std::net::TcpListener;
use std::sync::Arc;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use sd_notify::NotifyState;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// The listening sockets that were opened for us, in systemd's order; none where it opened none.
///
/// To be called before there is a second thread: the variables go from the environment.
pub(super) fn sockets() -> Result<Vec<TcpListener>, String> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let taken = passed.take_tcp_listener(index);
        let socket = taken.map_err(|error| not_one(index, error))?;
        let Some(socket) = socket else { continue };
        match socket_acceptconn(&socket) {
            Ok(true) => sockets.push(socket),
            Ok(false) => return Err(not_one(index, "it does not listen")),
            Err(error) => return Err(not_one(index, error)),
        }
    }
    Ok(sockets)
}

fn not_one(index: usize, why: impl std::fmt::Display) -> String {
    let number = index + 1;
    format!(
        "socket {number} of those passed in LISTEN_FDS cannot be served: {why}. \
         A .socket unit has ListenStream= with a port or an address and a port, and no Accept=yes"
    )
}

/// We serve.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// How we are, in words for `systemctl status`.
pub(super) fn status(words: &str) {
    tell(&[NotifyState::Status(words)]);
}

/// Something is read again, as `Type=notify-reload` waits for.
pub(super) fn reloading() {
    // Without the instant systemd would take the message for a mistake.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("systemd is not told of the reload: {error}"),
    }
}

/// What was to be read again was read.
pub(super) fn reloaded() {
    tell(&[NotifyState::Ready]);
}

/// Whoever is being answered still is; nobody else will be.
pub(super) fn stopping() {
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status("answering the last requests"),
    ]);
}

/// Tells systemd's watchdog twice in its span that we are alive: this task gets its turn, and the store, which
/// `moves` asks, takes writes. It ends at once where no watchdog waits for this process.
pub(super) async fn watchdog(moves: Arc<dyn Fn() -> bool + Send + Sync>) {
    let span = sd_notify::watchdog_enabled().filter(|span| !span.is_zero());
    let Some(half) = span.map(|span| span / 2) else {
        return;
    };
    let mut beat = interval(half);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let asked = Arc::clone(&moves);
        let moving = timeout(half, spawn_blocking(move || asked())).await;
        match moving {
            Ok(Ok(true)) => tell(&[NotifyState::Watchdog]),
            Ok(_) => tracing::error!("systemd is not told that we are alive: the store failed"),
            Err(_) => tracing::error!("systemd is not told that we are alive: the store hangs"),
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd does not hear us at NOTIFY_SOCKET: {error}");
    }
}
