//! How often what happened since the start: figures for whoever watches. They decide nothing and are not kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counts by kind, by what it was, and by how, where there is more to say.
#[derive(Default)]
pub struct Tally(Mutex<BTreeMap<[&'static str; 3], u64>>);

impl Tally {
    /// One more.
    pub(super) fn count(&self, kind: &'static str, what: &'static str, how: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry([kind, what, how]).or_default() += 1;
    }

    /// Everything counted of one kind: what, how, how often.
    pub fn of(&self, kind: &str) -> Vec<(&'static str, &'static str, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = counts.iter().filter(|([of, _, _], _)| *of == kind);
        of_kind
            .map(|([_, what, how], count)| (*what, *how, *count))
            .collect()
    }
}
