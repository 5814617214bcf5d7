//! Backups by the clock: made when they are due, verified, and the oldest removed. What fails of it is told in the log and
//! tried again in an hour.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::domain::Appliance;
use crate::kernel::Fault;
use crate::upkeep::{Error, Site, backup};

/// How often it is looked whether one is due.
const LOOK: Duration = Duration::from_mins(1);
/// How long after one that failed.
const AFTER_FAILURE: Duration = Duration::from_hours(1);

/// Runs until it is dropped; at once over where no backups are wanted.
pub async fn run(appliance: Arc<Appliance>, site: Arc<Site>) {
    if site.config.backup.every.is_none() {
        return;
    }
    loop {
        let pause = match run_once(&appliance, &site).await {
            Ok(_) => LOOK,
            Err(error) => {
                tracing::error!(
                    "there is no verified backup that is new enough, which is tried again in an hour: {error}"
                );
                AFTER_FAILURE
            }
        };
        sleep(pause).await;
    }
}

/// Makes the one that is due, if one is, or verifies the newest where that was not done. Whether there was anything to do.
/// Whoever drops this ends what is under way.
pub async fn run_once(appliance: &Arc<Appliance>, site: &Arc<Site>) -> Result<bool, Error> {
    let over = OverWhenDropped::default();
    let is_over = Arc::clone(&over.0);
    let (appliance, site) = (Arc::clone(appliance), Arc::clone(site));
    // It reads the whole store, twice.
    let made = spawn_blocking(move || backup::make_if_due(&appliance, &site, &is_over)).await;
    let made = made.unwrap_or_else(|panic| {
        Err(Fault::internal("a background thread").because(panic).into())
    })?;
    let Some((made, removed)) = made else {
        return Ok(false);
    };
    tracing::info!(
        "a backup was made and verified: {}, {} records, {} bytes; {removed} older ones were removed",
        made.file.display(),
        made.records,
        made.bytes
    );
    Ok(true)
}

/// The thread that makes one is not ended with the task that waits for it: it is told.
#[derive(Default)]
struct OverWhenDropped(Arc<AtomicBool>);

impl Drop for OverWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
