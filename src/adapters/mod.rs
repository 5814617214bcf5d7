//! The outside world, one file per way of reaching it.

pub mod http_client;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::domain::ports::{
    Answer, CreatedCallback, Failure, GenesysAccount, GenesysCloud, GenesysPerson, Queue,
    TokenAccount, TokenRefresh, Upstreams,
};
use crate::kernel::Secret;

/// Upstreams none of which can be reached.
pub fn nowhere() -> Upstreams {
    Upstreams {
        genesys: Arc::new(Nowhere),
        talkdesk: Arc::new(Nowhere),
        nice: Arc::new(Nowhere),
    }
}

struct Nowhere;

impl Nowhere {
    fn refusal<'a, T: Send + 'a>() -> Answer<'a, Result<T, Failure>> {
        Box::pin(async { Err(Failure::Forbidden("no upstream may be asked".into())) })
    }
}

impl GenesysCloud for Nowhere {
    fn queues_named<'a>(
        &'a self,
        _at: &'a GenesysAccount,
        _name: &'a str,
    ) -> Answer<'a, Result<Vec<Queue>, Failure>> {
        Self::refusal()
    }

    fn create_callback<'a>(
        &'a self,
        _at: &'a GenesysAccount,
        _order: &'a Map<String, Value>,
    ) -> Answer<'a, Result<CreatedCallback, Failure>> {
        Self::refusal()
    }

    fn person_behind<'a>(
        &'a self,
        _at: &'a GenesysAccount,
        _code: &'a Secret<String>,
        _redirect_uri: Option<&'a str>,
    ) -> Answer<'a, Result<GenesysPerson, Failure>> {
        Self::refusal()
    }
}

impl TokenRefresh for Nowhere {
    fn refresh<'a>(
        &'a self,
        _at: &'a TokenAccount,
        _refresh_token: &'a Secret<String>,
    ) -> Answer<'a, Result<Map<String, Value>, Failure>> {
        Self::refusal()
    }
}
