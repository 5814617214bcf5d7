//! Rates measured in turns, A B A B, so that a machine whose speed drifts slows both alike; medians and ratios.

use std::time::{Duration, Instant};

/// How long one turn lasts and how many turns each thing gets.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// One turn.
    pub(crate) turn: Duration,
    /// Turns for each thing measured.
    pub(crate) turns: usize,
}

impl Effort {
    /// What the command line asks for: `--quick` only shows that the bench works.
    pub(crate) fn asked() -> Self {
        if std::env::args().any(|arg| arg == "--quick") {
            return Self {
                turn: Duration::from_millis(100),
                turns: 1,
            };
        }
        Self {
            turn: Duration::from_secs(2),
            turns: 7,
        }
    }
}

/// The median of these rates.
pub(crate) fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// How often something was done per second, given how often and since when.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a few seconds are far below 2^52"
)]
pub(crate) fn rate(count: u64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

/// One line of the report.
#[expect(clippy::print_stdout, reason = "the report is what a bench is for")]
pub(crate) fn report(what: &str, rates: &[f64], ratio: Option<(&str, f64)>) {
    let ratio = ratio.map_or_else(String::new, |(to, ratio)| format!("   {ratio:.2} of {to}"));
    let (least, most) = rates
        .iter()
        .fold((f64::MAX, 0.0_f64), |(least, most), rate| {
            (least.min(*rate), most.max(*rate))
        });
    println!(
        "{what:<46} {:>9.0}/s   ({least:.0} to {most:.0}){ratio}",
        median(rates)
    );
}
