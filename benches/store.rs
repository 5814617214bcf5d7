//! The store alone: durable writes a second with 1, 8 and 64 writers, each waiting for its own.

#![expect(clippy::expect_used, reason = "a bench that cannot go on stops")]

mod durable;
mod measure;

use durable::Durable;
use measure::{Effort, median, report};

fn main() {
    let effort = Effort::asked();
    let store = Durable::open();
    let mut single = 0.0;
    for writers in [1, 8, 64] {
        let turns = (0..effort.turns).map(|_| store.turn(writers, effort));
        let rates: Vec<f64> = turns.collect();
        let median = median(&rates);
        if writers == 1 {
            single = median;
        }
        report(
            &format!("durable writes, {writers} writers"),
            &rates,
            Some(("one writer", median / single)),
        );
    }
}
