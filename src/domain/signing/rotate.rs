//! When and how the next key takes over, and how a key is removed at once.
//!
//! A change is one transaction with its audit events, and memory follows when it is durable: whenever the appliance
//! stops, the store has one current key of each algorithm. Making a key takes a while, so nothing here is for a thread
//! that answers requests.

use super::records::{self, Kept};
use super::ring::Ring;
use super::{ALGORITHMS, KeyStatus, Turn};
use crate::crypto::jws::Algorithm;
use crate::domain::Cx;
use crate::domain::audit::{self, Event};
use crate::kernel::{Fault, Timestamp};
use crate::store::Verdict;

/// Whether those who verify tokens must have had the time to see the key that takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Only a key that has been published long enough takes over.
    Orderly,
    /// The next key takes over now; whoever keeps an older key set refuses its tokens until they fetch it again.
    Immediately,
}

/// Why the keys stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that name.
    #[error("there is no such signing key")]
    Unknown,
    /// The next key has not been published long enough; it will have been at this instant.
    #[error(
        "the next key cannot sign before {0}, when everyone can have seen it; --now does not wait"
    )]
    TooEarly(Timestamp),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What the schedule asks for: a next key where there is none, its turn when it has come, and the end of retired keys.
pub fn keep(cx: &Cx<'_>) -> Result<(), Fault> {
    let turn = cx.appliance.signing.turn();
    for algorithm in ALGORITHMS {
        let mut ring = turn.ring(algorithm);
        let mut story = Story::by("appliance");
        for kid in ring.clear(cx.now) {
            story.tell("signing_key.expired", &kid);
        }
        if ring.next.is_none() {
            let made = make(cx, algorithm)?;
            story.tell("signing_key.published", made.kid());
            ring.next = Some(made);
        } else if is_due(cx, &ring) {
            take_over(cx, &mut ring, &mut story)?;
        }
        if !story.events.is_empty() {
            commit(cx, &turn, &ring, &story)?;
        }
    }
    Ok(())
}

/// Has the next key of `algorithm` take over now. Returns it.
///
/// Where there is no next key yet, an orderly rotation publishes one and says when it can take over.
pub fn rotate(cx: &Cx<'_>, algorithm: Algorithm, urgency: Urgency) -> Result<KeyStatus, Error> {
    let turn = cx.appliance.signing.turn();
    check_ready(cx, &turn, algorithm, urgency)?;
    hand_over(cx, &turn, algorithm)
}

/// The same for every algorithm, if it can be done for all of them. Returns the keys that sign now.
pub fn rotate_all(cx: &Cx<'_>, urgency: Urgency) -> Result<Vec<KeyStatus>, Error> {
    let turn = cx.appliance.signing.turn();
    let mut ready = Ok(());
    for algorithm in ALGORITHMS {
        // Each publishes the next key it lacks, whatever the others say.
        ready = ready.and(check_ready(cx, &turn, algorithm, urgency));
    }
    ready?;
    let each = ALGORITHMS.into_iter();
    each.map(|algorithm| hand_over(cx, &turn, algorithm))
        .collect()
}

/// Removes the key `kid` at once, whatever its life: everything it signed is dead for the very next request.
///
/// In place of a key that signs, the next one does, however short it has been published.
pub fn remove(cx: &Cx<'_>, kid: &str) -> Result<(), Error> {
    let turn = cx.appliance.signing.turn();
    let rings = ALGORITHMS.map(|algorithm| turn.ring(algorithm));
    let found = rings.into_iter().find(|ring| ring.find(kid).is_some());
    let mut ring = found.ok_or(Error::Unknown)?;
    let mut story = Story::by("operator");
    story.tell("signing_key.removed", kid);
    let algorithm = ring.current.algorithm();
    if ring.current.kid() == kid {
        succeed(cx, &mut ring, &mut story)?;
    } else if ring.next.as_ref().is_some_and(|next| next.kid() == kid) {
        let made = make(cx, algorithm)?;
        story.tell("signing_key.published", made.kid());
        ring.next = Some(made);
    } else {
        ring.retired.retain(|kept| kept.kid() != kid);
    }
    commit(cx, &turn, &ring, &story)?;
    Ok(())
}

/// Whether the current key has signed long enough and the next one has been published long enough.
fn is_due(cx: &Cx<'_>, ring: &Ring) -> bool {
    let rests = cx.now.since(ring.current.since()) < cx.policy().signing.rotate_every;
    !rests && ready_at(cx, ring).is_some_and(|instant| instant <= cx.now)
}

/// When everyone can have seen the next key.
fn ready_at(cx: &Cx<'_>, ring: &Ring) -> Option<Timestamp> {
    let next = ring.next.as_ref()?;
    Some(next.since().after(cx.policy().signing.publish_before))
}

/// Whether the next key of `algorithm` may take over now; where there is none, one is published.
fn check_ready(
    cx: &Cx<'_>,
    turn: &Turn<'_>,
    algorithm: Algorithm,
    urgency: Urgency,
) -> Result<(), Error> {
    if urgency == Urgency::Immediately {
        return Ok(());
    }
    let ring = turn.ring(algorithm);
    let ready_at = match ready_at(cx, &ring) {
        Some(instant) => instant,
        None => publish(cx, turn, ring)?,
    };
    if cx.now < ready_at {
        return Err(Error::TooEarly(ready_at));
    }
    Ok(())
}

/// Has the next key of `algorithm` take over for the operator. Returns it.
fn hand_over(cx: &Cx<'_>, turn: &Turn<'_>, algorithm: Algorithm) -> Result<KeyStatus, Error> {
    let mut ring = turn.ring(algorithm);
    let mut story = Story::by("operator");
    take_over(cx, &mut ring, &mut story)?;
    let current = KeyStatus::of(&ring.current);
    commit(cx, turn, &ring, &story)?;
    Ok(current)
}

/// Publishes a next key where there is none; returns when it can take over.
fn publish(cx: &Cx<'_>, turn: &Turn<'_>, mut ring: Ring) -> Result<Timestamp, Fault> {
    let made = make(cx, ring.current.algorithm())?;
    let mut story = Story::by("operator");
    story.tell("signing_key.published", made.kid());
    ring.next = Some(made);
    commit(cx, turn, &ring, &story)?;
    Ok(cx.now.after(cx.policy().signing.publish_before))
}

fn take_over(cx: &Cx<'_>, ring: &mut Ring, story: &mut Story) -> Result<(), Fault> {
    let former = succeed(cx, ring, story)?;
    ring.retire(former, cx.now);
    Ok(())
}

/// Another key signs from now on. Returns the one that did.
fn succeed(cx: &Cx<'_>, ring: &mut Ring, story: &mut Story) -> Result<Kept, Fault> {
    let made = make(cx, ring.current.algorithm())?;
    let former = ring.turn(made, cx.now, cx.policy().longest_signed());
    story.tell("signing_key.rotated", ring.current.kid());
    if let Some(next) = &ring.next {
        story.tell("signing_key.published", next.kid());
    }
    Ok(former)
}

fn make(cx: &Cx<'_>, algorithm: Algorithm) -> Result<Kept, Fault> {
    let appliance = cx.appliance;
    Kept::make(algorithm, &appliance.keyring, cx.entropy(), cx.now)
}

/// What happened to which keys, and who did it.
struct Story {
    by: &'static str,
    events: Vec<(&'static str, String)>,
}

impl Story {
    fn by(by: &'static str) -> Self {
        let events = Vec::new();
        Self { by, events }
    }

    fn tell(&mut self, action: &'static str, kid: &str) {
        self.events.push((action, kid.to_owned()));
    }
}

/// Keeps `ring` in place of its algorithm's keys: durable first, then in memory.
fn commit(cx: &Cx<'_>, turn: &Turn<'_>, ring: &Ring, story: &Story) -> Result<(), Fault> {
    let before = turn.ring(ring.current.algorithm());
    // Before the transaction: when this fails nothing has changed.
    let keys = turn.keys_with(ring)?;
    let is_gone = |kid: &&str| ring.find(kid).is_none();
    let gone: Vec<&str> = before.all().map(Kept::kid).filter(is_gone).collect();
    let has_changed = |kept: &&Kept| {
        let before = before.find(kept.kid());
        before.is_none_or(|before| before.life() != kept.life())
    };
    let changed: Vec<&Kept> = ring.all().filter(has_changed).collect();
    cx.write_vital(|tx| {
        for kid in &gone {
            records::remove(tx, kid)?;
        }
        for kept in &changed {
            records::put(tx, kept)?;
        }
        for (action, to) in &story.events {
            let event = Event {
                action,
                by: story.by,
                to,
                organization: None,
            };
            audit::record(tx, cx, &event)?;
        }
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    cx.appliance.store.durable(cx.awaited()).wait()?;
    turn.changed(keys);
    Ok(())
}
