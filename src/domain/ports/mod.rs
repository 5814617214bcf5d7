//! What the appliance asks of the outside world, in plain values: couriers take messages away, upstreams answer.
//!
//! The traits are implemented in `adapters`, which translate, time out and redact, and hold no rules. Nothing here may
//! be asked while a transaction is open.

mod message;
mod upstream;

use std::pin::Pin;

pub use message::{Channel, Courier, Locale, Message, Undelivered};
pub use upstream::{
    CreatedCallback, Failure, GenesysAccount, GenesysCloud, GenesysPerson, Queue, TokenAccount,
    TokenRefresh, Upstreams,
};

/// An answer that takes its time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
