//! The certificate while the server runs: our own is renewed before it ends, a replaced one is taken up, and an
//! operator's that nears its end is told of.
//!
//! Time is the machine's, as it is for those who judge the certificate. No connection is touched: each handshake takes
//! the certificate that is current.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::http::tls::{self, Certificate};
use crate::kernel::{Clock, Timestamp};

/// Whose certificate is kept, and how.
pub struct Keeping {
    /// The one in use.
    pub certificate: Arc<Certificate>,
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
    /// Where the built-in authority is and which names it signs; nothing where the files are an operator's.
    pub own: Option<(PathBuf, Vec<String>)>,
}

/// Runs until it is dropped.
pub async fn run(keeping: Keeping) {
    let keeping = Arc::new(keeping);
    let mut round: u32 = 0;
    loop {
        let kept = Arc::clone(&keeping);
        let thorough = round == 0;
        let done = spawn_blocking(move || {
            if thorough {
                kept.renew();
            }
            kept.follow();
        });
        if let Err(panic) = done.await {
            tracing::error!("looking after the certificate: {panic}");
        }
        round = (round + 1) % ROUNDS;
        sleep(LOOK_AGAIN).await;
    }
}

impl Keeping {
    /// Has the built-in authority sign again where that is due; tells of another's end.
    pub fn renew(&self) {
        let now = self.clock.now();
        let Some((data, names)) = &self.own else {
            return self.tell_of_the_end(now);
        };
        if let Err(error) = tls::prepare(data, names, now) {
            tracing::error!("the server's certificate cannot be renewed: {error}");
        }
    }

    /// Takes up what somebody put in the files' place.
    pub fn follow(&self) {
        match self.certificate.follow() {
            Ok(false) => {}
            Ok(true) => {
                let until = self.certificate.ends_at();
                let until = until.map_or_else(String::new, |end| format!(", good until {end}"));
                tracing::info!("new connections are given another certificate{until}");
            }
            Err(error) => tracing::error!("the certificate in use stays: {error}"),
        }
    }

    fn tell_of_the_end(&self, now: Timestamp) {
        let path = self.certificate.files().chain.display();
        match self.certificate.ends_at() {
            Some(end) if end <= now => tracing::error!(
                "{path}: the certificate ended {end} and clients refuse it: put a new one and its key in the files' place"
            ),
            Some(end) if end <= now.after(MONTH) => tracing::warn!(
                "{path}: the certificate ends {end}: put a new one and its key in the files' place"
            ),
            Some(_) | None => {}
        }
    }
}

/// How long a replaced file may go unnoticed.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How many looks make a thorough one: about an hour.
const ROUNDS: u32 = 1_800;
const MONTH: Duration = Duration::from_hours(30 * 24);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::kernel::ManualClock;

    #[test]
    fn our_own_certificate_is_renewed_while_we_run_and_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at("2026-11-21T21:30:24Z".parse().unwrap()));
        let names = vec!["localhost".to_owned()];
        let files = tls::prepare(folder.path(), &names, clock.now()).unwrap();
        let certificate = Certificate::load(files.clone()).unwrap();
        let keeping = Keeping {
            certificate: Arc::clone(&certificate),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            own: Some((folder.path().to_owned(), names)),
        };
        let first = (fs::read(&files.chain).unwrap(), certificate.ends_at());
        clock.advance(Duration::from_hours(50 * 24));
        keeping.renew();
        assert_eq!(
            fs::read(&files.chain).unwrap(),
            first.0,
            "it has 39 days left"
        );
        clock.advance(Duration::from_hours(10 * 24));
        keeping.renew();
        keeping.follow();
        assert_ne!(fs::read(&files.chain).unwrap(), first.0);
        assert!(certificate.ends_at() > first.1);
        assert!(!certificate.follow().unwrap(), "it was taken up");
    }
}
