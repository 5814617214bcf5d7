//! The Auvious contract, one file per resource.

mod event;
mod oauth;
pub(crate) mod tickets;
