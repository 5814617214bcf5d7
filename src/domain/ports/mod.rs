//! What the appliance asks of the outside world, in plain values: couriers take messages away, upstreams answer.
//!
//! The traits are implemented in `adapters`, which translate, time out and redact, and hold no rules. Nothing here may
//! be asked while a transaction is open.

mod egress;
mod message;
mod upstream;

use std::pin::Pin;

use super::Mark;

pub use egress::{Attempt, Ledger, Outcome, Purpose, Summary, Total};
pub use message::{Channel, Courier, Locale, Message, Undelivered};
pub use upstream::{
    CreatedCallback, Failure, GENESYS_ENVIRONMENTS, GenesysAccount, GenesysCloud, GenesysPerson,
    Queue, TokenAccount, TokenRefresh, Upstreams,
};

/// An answer that takes its time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tells whoever takes messages away that there are some.
pub trait Bell: Send + Sync {
    /// There are messages, once everything up to `after` is durable.
    fn ring(&self, after: Mark);

    /// Waits until it is rung for something later than `seen`, and says for what.
    fn rung(&self, seen: Mark) -> Answer<'_, Mark>;
}
