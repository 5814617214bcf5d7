//! Takes messages out of the outbox to the couriers, a lane for each channel, so that one that hangs holds up no other.
//!
//! Holds no rules: what is due, when it is tried again and when it is given up is the domain's to say. Nobody who asks
//! for a code waits for this.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::domain::otp::outbox::{self, Parcel};
use crate::domain::ports::{
    Answer, Attempt, Bell, Channel, Courier, Message, Outcome, Purpose, Undelivered,
};
use crate::domain::{Appliance, Cx, Mark};
use crate::kernel::{Fault, Timestamp};

/// Who takes messages away, by channel. A channel without a courier has its messages kept for the operator to read.
#[derive(Clone, Default)]
pub struct Couriers {
    /// Short messages.
    pub sms: Option<Arc<dyn Courier>>,
    /// Spoken messages.
    pub voice: Option<Arc<dyn Courier>>,
    /// E-mails.
    pub email: Option<Arc<dyn Courier>>,
}

impl Couriers {
    /// Who takes messages of that channel away.
    pub fn of(&self, channel: Channel) -> Option<&Arc<dyn Courier>> {
        match channel {
            Channel::Sms => self.sms.as_ref(),
            Channel::Voice => self.voice.as_ref(),
            Channel::Email => self.email.as_ref(),
        }
    }
}

/// What a request rings when it leaves a message.
pub struct Doorbell(watch::Sender<Mark>);

impl Default for Doorbell {
    fn default() -> Self {
        Self(watch::Sender::new(Mark::ZERO))
    }
}

impl Bell for Doorbell {
    fn ring(&self, after: Mark) {
        self.0.send_if_modified(|last| {
            let is_later = after > *last;
            *last = after.max(*last);
            is_later
        });
    }

    fn rung(&self, seen: Mark) -> Answer<'_, Mark> {
        let mut heard = self.0.subscribe();
        Box::pin(async move {
            let rung = heard.wait_for(|mark| *mark > seen).await;
            let rung = rung.map(|mark| *mark);
            match rung {
                Ok(mark) => mark,
                // The bell is gone with the appliance: there will be no more messages.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

/// Deliveries at once on one channel.
const AT_ONCE: usize = 8;
/// How long one delivery may take, whatever its courier promised.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a lane rests when nothing is due: the clock may have been set meanwhile.
const REST: Duration = Duration::from_mins(1);
/// How long a lane rests when the store could not be asked.
const TROUBLE: Duration = Duration::from_secs(5);

/// Delivers what comes until it is dropped.
pub async fn run(appliance: Arc<Appliance>, couriers: Couriers) {
    let lane = |channel| {
        let courier = couriers.of(channel).cloned();
        Lane::new(Arc::clone(&appliance), channel, courier).run()
    };
    let lanes = Channel::ALL.map(|(channel, _)| lane(channel));
    let [sms, voice, email] = lanes;
    tokio::join!(sms, voice, email);
}

/// One round: what is due now on every channel is tried once. Returns how many messages were taken out.
pub async fn deliver_once(appliance: &Arc<Appliance>, couriers: &Couriers) -> Result<usize, Fault> {
    let mut taken = 0;
    for (channel, _) in Channel::ALL {
        let mut lane = Lane::new(
            Arc::clone(appliance),
            channel,
            couriers.of(channel).cloned(),
        );
        // What fails is due again later, so that every batch is another one.
        loop {
            let begun = lane.take_out().await?;
            taken += begun;
            while lane.next().await {}
            if begun == 0 {
                break;
            }
        }
    }
    Ok(taken)
}

/// The messages of one channel.
struct Lane {
    appliance: Arc<Appliance>,
    channel: Channel,
    courier: Option<Arc<dyn Courier>>,
    /// Until when each is good. Also those whose outcome could not be noted, though they run no more: what may have gone
    /// out does not go out again.
    under_way: HashMap<String, Timestamp>,
    deliveries: JoinSet<Option<String>>,
}

impl Lane {
    fn new(appliance: Arc<Appliance>, channel: Channel, courier: Option<Arc<dyn Courier>>) -> Self {
        Self {
            appliance,
            channel,
            courier,
            under_way: HashMap::new(),
            deliveries: JoinSet::new(),
        }
    }

    async fn run(mut self) {
        let mut seen = Mark::ZERO;
        loop {
            let rest = match self.take_out().await.and_then(|_| self.rest()) {
                Ok(rest) => rest,
                Err(fault) => {
                    tracing::error!("the outbox: {fault}");
                    TROUBLE
                }
            };
            let appliance = Arc::clone(&self.appliance);
            tokio::select! {
                true = self.next() => {}
                mark = appliance.bell().rung(seen) => {
                    seen = mark;
                    // A message is seen when its batch is applied; if it never is, nobody was told of it either.
                    let _ = appliance.store().durable(mark).await;
                }
                () = sleep(rest) => {}
            }
        }
    }

    /// Begins to deliver what is due and not under way. Returns how many were begun.
    async fn take_out(&mut self) -> Result<usize, Fault> {
        let now = self.appliance.own_context().now;
        self.under_way.retain(|_, ends_at| now < *ends_at);
        let room = AT_ONCE.saturating_sub(self.deliveries.len());
        if room == 0 {
            return Ok(0);
        }
        let parcels = {
            let (channel, limit) = (self.channel, AT_ONCE + self.under_way.len());
            settled(&self.appliance, |cx| outbox::due(cx, channel, limit)).await?
        };
        let fresh: Vec<Parcel> = parcels
            .into_iter()
            .filter(|parcel| !self.under_way.contains_key(&parcel.message.id))
            .take(room)
            .collect();
        let begun = fresh.len();
        for parcel in fresh {
            let id = parcel.message.id.clone();
            self.under_way.insert(id.clone(), parcel.ends_at);
            let delivery = deliver(Arc::clone(&self.appliance), self.courier.clone(), parcel);
            self.deliveries
                .spawn(async move { delivery.await.then_some(id) });
        }
        Ok(begun)
    }

    /// Waits for one delivery to end; false when none is under way.
    async fn next(&mut self) -> bool {
        match self.deliveries.join_next().await {
            Some(Ok(Some(id))) => {
                self.under_way.remove(&id);
                true
            }
            Some(Ok(None)) => true,
            Some(Err(panic)) => {
                tracing::error!("a delivery could not be noted: {panic}");
                true
            }
            None => false,
        }
    }

    /// How long until the next message is due, if nobody rings before.
    fn rest(&self) -> Result<Duration, Fault> {
        let cx = self.appliance.own_context();
        let next = outbox::next_due(&cx, self.channel)?;
        let until = next.map_or(REST, |at| at.since(cx.now));
        // What is due and under way is not waited for here.
        let floor = if self.under_way.is_empty() {
            SHORTEST
        } else {
            Duration::from_secs(1)
        };
        Ok(until.clamp(floor, REST))
    }
}

/// Nobody looks more often than that.
const SHORTEST: Duration = Duration::from_millis(20);

/// Takes one message to its courier; whether it could be noted what came of it.
async fn deliver(
    appliance: Arc<Appliance>,
    courier: Option<Arc<dyn Courier>>,
    parcel: Parcel,
) -> bool {
    let noted = match courier {
        None => settled(&appliance, |cx| outbox::keep(cx, &parcel)).await,
        Some(courier) => {
            let (name, asks) = (courier.name(), courier.asks());
            let outcome = taken(courier, parcel.message.clone()).await;
            note(&appliance, asks, outcome.is_ok());
            match outcome {
                Ok(()) => settled(&appliance, |cx| outbox::delivered(cx, &parcel)).await,
                Err(why) => {
                    let (courier, message) = (name, parcel.message.id.as_str());
                    tracing::warn!(courier, message, "a code was not delivered: {why}");
                    settled(&appliance, |cx| outbox::failed(cx, &parcel, &why)).await
                }
            }
        }
    };
    if let Err(fault) = &noted {
        tracing::error!("the outbox: {fault}");
    }
    noted.is_ok()
}

/// Into the ledger of what left.
fn note(appliance: &Appliance, asks: Option<(String, Purpose)>, is_delivered: bool) {
    let Some((destination, purpose)) = asks else {
        return;
    };
    appliance.egress().note(Attempt {
        at: appliance.own_context().now,
        destination,
        purpose,
        outcome: if is_delivered {
            Outcome::Delivered
        } else {
            Outcome::Undelivered
        },
    });
}

/// What the courier says, also when it says nothing in time or breaks.
async fn taken(courier: Arc<dyn Courier>, message: Message) -> Result<(), Undelivered> {
    // On a task of its own, which ends when it is dropped.
    let mut alone = JoinSet::new();
    alone.spawn(async move { courier.deliver(&message).await });
    match timeout(PATIENCE, alone.join_next()).await {
        Ok(Some(Ok(answer))) => answer,
        Ok(_) => Err(undelivered("the courier broke")),
        Err(_) => Err(undelivered("the courier did not answer in time")),
    }
}

fn undelivered(reason: &str) -> Undelivered {
    Undelivered {
        reason: reason.to_owned(),
        is_final: false,
    }
}

/// One operation, and what it changed is durable when this returns.
async fn settled<T>(
    appliance: &Appliance,
    operation: impl FnOnce(&Cx<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let (outcome, mark) = {
        let cx = appliance.own_context();
        (operation(&cx), cx.awaited())
    };
    appliance.store().durable(mark).await?;
    outcome
}
