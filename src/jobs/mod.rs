//! The background loops: remove what has expired, keep who was seen, rotate keys, verify what is stored, watch the
//! clock; and in `outbox`, take messages away. They take the appliance's clock, so tests move time and poke them.

pub mod backups;
pub mod certificates;
pub mod outbox;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::domain::{Appliance, Cx, audit, signing, sweep};
use crate::kernel::{Fault, Timestamp};
use crate::upkeep::storage::{self, Examined};

pub use outbox::{Couriers, Doorbell};

/// How long the loop rests when nothing is left to do.
const REST: Duration = Duration::from_mins(1);
/// Between two verifications of the whole store.
const DAY: Duration = Duration::from_hours(24);
/// How much is looked at before others get their turn.
const BATCH: usize = 200;

/// Runs until it is dropped.
pub async fn run(appliance: Arc<Appliance>) {
    let mut held = None;
    loop {
        if is_held(&appliance, &mut held) {
            rest(&appliance).await;
            continue;
        }
        match sweep_once(&appliance).await {
            Ok(looked_at) if looked_at >= BATCH => continue,
            Ok(_) => {}
            Err(fault) => tracing::error!("sweeping: {fault}"),
        }
        rest(&appliance).await;
    }
}

/// What there is to do besides removing things, and then a pause.
async fn rest(appliance: &Arc<Appliance>) {
    witness(appliance).await;
    watch_clock(appliance);
    if let Err(fault) = keep_seen(appliance).await {
        tracing::error!("keeping when clients and people were last seen: {fault}");
    }
    if let Err(fault) = rotate_once(appliance).await {
        tracing::error!("keeping the signing keys: {fault}");
    }
    if let Err(fault) = sign_audit(appliance, audit::keep).await {
        tracing::error!("signing the audit: {fault}");
    }
    sleep(REST).await;
}

/// Whether what has expired is to be kept for now, because the clock may be wrong; says so once.
fn is_held(appliance: &Appliance, told: &mut Option<Timestamp>) -> bool {
    let until = appliance.removal_held_until();
    if let Some(until) = until.filter(|until| *told != Some(*until)) {
        tracing::warn!(
            "the machine's clock leapt ahead by more than a day, or the server was stopped for so long: what has expired \
             meanwhile is refused, but not removed before {until}. If the clock is wrong, set it right and restore a \
             backup; if it is right, `admit store sweep` has it removed at once"
        );
    }
    *told = until;
    until.is_some()
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

/// Verifies every record and every count, right after the start and then once a day, and names what is damaged. It takes
/// its time: a tenth of one processor at most.
pub async fn scrub(appliance: Arc<Appliance>) {
    let over = Over::default();
    sleep(SETTLING).await;
    loop {
        let (checked, is_over) = (Arc::clone(&appliance), Arc::clone(&over.0));
        match spawn_blocking(move || storage::scrub(checked.store(), &is_over)).await {
            Ok(examined) => tell(&examined),
            Err(panic) => tracing::error!("the store could not be verified: {panic}"),
        }
        sleep(DAY).await;
    }
}

/// Tells a thread that nobody wants to know any more.
#[derive(Default)]
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

const SETTLING: Duration = Duration::from_secs(2);

fn tell(examined: &Examined) {
    for damage in &examined.damage {
        tracing::error!("the store is damaged: {damage}");
    }
    if examined.damage.is_empty() {
        tracing::debug!("{} stored records verified", examined.records());
    } else {
        tracing::error!(
            "{} more places are damaged. Nothing new is kept from now on: stop the server, keep a copy of the data \
             folder, and restore the latest backup",
            examined.more
        );
    }
}

/// A clock set back does not bring expired things to life, but somebody should set it right.
fn watch_clock(appliance: &Appliance) {
    if let Some(lag) = appliance.clock_is_behind() {
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

/// The audit is signed as far as it is due, durably, when this returns.
async fn sign_audit(
    appliance: &Arc<Appliance>,
    sign: fn(&Cx<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let appliance = Arc::clone(appliance);
    let signed = spawn_blocking(move || sign(&appliance.own_context())).await;
    signed.unwrap_or_else(|panic| Err(Fault::internal("a background thread").because(panic)))
}

/// The same for all that has happened so far: whoever stops wants nothing left unsigned.
pub async fn sign_whole_audit(appliance: &Arc<Appliance>) -> Result<(), Fault> {
    sign_audit(appliance, |cx| audit::sign(cx).map(drop)).await
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
