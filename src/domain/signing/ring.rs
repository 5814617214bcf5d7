//! The keys of one algorithm and how one takes over from another. It reads neither the store nor the clock.

use std::time::Duration;

use super::records::{Kept, Life};
use crate::crypto::jws::Algorithm;
use crate::kernel::{Fault, Timestamp};

/// One key that signs; with it the one that will, and those that did.
#[derive(Clone)]
pub(super) struct Ring {
    pub(super) current: Kept,
    pub(super) next: Option<Kept>,
    pub(super) retired: Vec<Kept>,
}

/// A token may still be signed by the old key between the instant a new one was decided on and its first signature.
const SLACK: Duration = Duration::from_mins(5);

impl Ring {
    /// The keys of `algorithm` among `all`.
    pub(super) fn of(algorithm: Algorithm, all: &[Kept]) -> Result<Self, Fault> {
        let (mut current, mut next, mut retired) = (Vec::new(), Vec::new(), Vec::new());
        for kept in all.iter().filter(|kept| kept.algorithm() == algorithm) {
            let place = match kept.life() {
                Life::Current { .. } => &mut current,
                Life::Next => &mut next,
                Life::Retired { .. } => &mut retired,
            };
            place.push(kept.clone());
        }
        let (Some(current), None, true) = (current.pop(), current.pop(), next.len() <= 1) else {
            let name = algorithm.name();
            let what = format!("the store has not one current {name} key and one next at most");
            return Err(Fault::internal(what));
        };
        Ok(Self {
            current,
            next: next.pop(),
            retired,
        })
    }

    /// Every key: the current one, the next one, the retired ones.
    pub(super) fn all(&self) -> impl Iterator<Item = &Kept> {
        let signing = std::iter::once(&self.current).chain(&self.next);
        signing.chain(&self.retired)
    }

    pub(super) fn find(&self, kid: &str) -> Option<&Kept> {
        self.all().find(|kept| kept.kid() == kid)
    }

    /// The next key signs from `now` on and `made` is the next one after it; without a next key, `made` signs.
    /// Returns the key that signed until now.
    pub(super) fn turn(&mut self, made: Kept, now: Timestamp, tokens_live: Duration) -> Kept {
        let (successor, next) = match self.next.take() {
            Some(next) => (next, Some(made)),
            None => (made, None),
        };
        self.next = next;
        let successor = successor.entering(Life::Current { tokens_live }, now);
        std::mem::replace(&mut self.current, successor)
    }

    /// Believes `former`, which signed until `now`, for as long as a token of it can live.
    pub(super) fn retire(&mut self, former: Kept, now: Timestamp) {
        let lived = match former.life() {
            Life::Current { tokens_live } => tokens_live,
            Life::Next | Life::Retired { .. } => Duration::ZERO,
        };
        let until = now.after(lived).after(SLACK);
        self.retired
            .push(former.entering(Life::Retired { until }, now));
    }

    /// Drops the retired keys whose last token is gone; returns their names.
    pub(super) fn clear(&mut self, now: Timestamp) -> Vec<String> {
        let is_over =
            |kept: &mut Kept| matches!(kept.life(), Life::Retired { until } if until <= now);
        let over = self.retired.extract_if(.., is_over);
        over.map(|kept| kept.kid().to_owned()).collect()
    }
}
