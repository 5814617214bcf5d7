//! Admit, an auth server for contact-centre and video deployments.

pub mod adapters;
pub mod cli;
pub mod compose;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod kernel;
pub mod render;
pub mod store;
