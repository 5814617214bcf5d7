//! The Auvious contract, one file per resource, and `matrix` for who may do what with whose.

mod agents;
mod applications;
pub(crate) mod callback;
mod clients;
mod event;
mod keys;
mod matrix;
mod oauth;
pub(crate) mod otp;
mod room;
pub(crate) mod tickets;
mod upstream;
mod users;
