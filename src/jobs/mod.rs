//! The background loops: remove what has expired, keep who was seen, rotate keys, verify what is stored, watch the
//! clock; and in `outbox`, take messages away. They take the appliance's clock, so tests move time and poke them.

pub mod outbox;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::domain::{Appliance, signing, sweep};
use crate::kernel::Fault;

pub use outbox::{Couriers, Doorbell};

/// How long the loop rests when nothing is left to do.
const REST: Duration = Duration::from_mins(1);
/// Between two verifications of the whole store.
const DAY: Duration = Duration::from_hours(24);
/// A clock this far behind is told of.
const CLOCK_LAG: Duration = Duration::from_mins(5);
/// How much is looked at before others get their turn.
const BATCH: usize = 200;

/// Runs until it is dropped.
pub async fn run(appliance: Arc<Appliance>) {
    loop {
        match sweep_once(&appliance).await {
            Ok(looked_at) if looked_at >= BATCH => continue,
            Ok(_) => {
                witness(&appliance).await;
                watch_clock(&appliance);
            }
            Err(fault) => tracing::error!("sweeping: {fault}"),
        }
        if let Err(fault) = keep_seen(&appliance).await {
            tracing::error!("keeping when clients and people were last seen: {fault}");
        }
        if let Err(fault) = rotate_once(&appliance).await {
            tracing::error!("keeping the signing keys: {fault}");
        }
        sleep(REST).await;
    }
}

/// Whoever hung up may have left a request behind that waits for an upstream: what that did is to be kept.
pub async fn settled(appliance: &Appliance, patience: Duration) {
    let waited = async {
        while appliance.waits_outside() {
            sleep(LOOK_AGAIN).await;
        }
    };
    if timeout(patience, waited).await.is_err() {
        tracing::warn!("a request that waits for an upstream was not settled in time");
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Verifies every record and every count, soon after the start and then once a day, and reports damage by table and key.
pub async fn scrub(appliance: Arc<Appliance>) {
    loop {
        sleep(REST).await;
        let checked = Arc::clone(&appliance);
        match spawn_blocking(move || checked.store().check()).await {
            Ok(Ok(tables)) => {
                let records: u64 = tables.iter().map(|(_, count)| count).sum();
                tracing::debug!("{records} stored records verified");
            }
            Ok(Err(fault)) => tracing::error!("the store is damaged: {fault}"),
            Err(panic) => tracing::error!("the store could not be verified: {panic}"),
        }
        sleep(DAY).await;
    }
}

/// A clock set back does not bring expired things to life, but somebody should set it right.
fn watch_clock(appliance: &Appliance) {
    let lag = appliance.clock_lag();
    if lag >= CLOCK_LAG {
        let seconds = lag.as_secs();
        tracing::warn!(
            "the machine's clock is {seconds} s behind the last instant used; time stands still until it has caught up"
        );
    }
}

/// Notes how far the store has come, so that an older copy put in its place is refused at the next start.
async fn witness(appliance: &Arc<Appliance>) {
    let appliance = Arc::clone(appliance);
    let written = spawn_blocking(move || appliance.store().witness()).await;
    if let Ok(Err(fault)) = written {
        tracing::error!("{fault}");
    }
}

/// The signing keys as their schedule wants them, durably, when this returns.
pub async fn rotate_once(appliance: &Arc<Appliance>) -> Result<(), Fault> {
    let appliance = Arc::clone(appliance);
    // Making a key takes as long as hundreds of requests do.
    let kept = spawn_blocking(move || signing::keep(&appliance.own_context())).await;
    kept.unwrap_or_else(|panic| Err(Fault::internal("a background thread").because(panic)))
}

/// When clients and people were last seen is durable when this returns.
pub async fn keep_seen(appliance: &Appliance) -> Result<(), Fault> {
    loop {
        let (noted, mark) = {
            let cx = appliance.own_context();
            (sweep::keep_seen(&cx, BATCH)?, cx.awaited())
        };
        appliance.store().durable(mark).await?;
        sweep::kept(appliance, &noted);
        if noted.len() < BATCH {
            return Ok(());
        }
    }
}

/// One batch: what has expired is gone, durably, when this returns. Returns how much was looked at.
pub async fn sweep_once(appliance: &Appliance) -> Result<usize, Fault> {
    let (looked_at, mark) = {
        let cx = appliance.own_context();
        (sweep::sweep(&cx, BATCH)?, cx.awaited())
    };
    appliance.store().durable(mark).await?;
    Ok(looked_at)
}
