//! The outside world, one file per way of reaching it.

pub mod http_client;
