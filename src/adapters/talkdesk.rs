//! Talkdesk's token endpoint: a refresh with HTTP Basic and a form, as Talkdesk publishes it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::answers::{self, refused};
use super::outbound::{Ask, Outbound, Reply, Vendor, basic};
use crate::domain::ports::{Answer, Failure, TokenAccount, TokenRefresh};
use crate::kernel::Secret;

/// Talkdesk, asked over the network.
pub(super) struct Talkdesk(pub Arc<Outbound>);

impl TokenRefresh for Talkdesk {
    fn refresh<'a>(
        &'a self,
        at: &'a TokenAccount,
        refresh_token: &'a Secret<String>,
    ) -> Answer<'a, Result<Map<String, Value>, Failure>> {
        let ask = Ask {
            vendor: Vendor::Talkdesk,
            url: at.token_url.to_string(),
            query: Vec::new(),
            authorization: basic(&at.client_id, at.client_secret.expose()),
            body: answers::form(&[
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh_token.expose()),
            ]),
        };
        Box::pin(async move { renewed(&self.0.ask(ask).await?) })
    }
}

/// The vendor's members as it gave them, or its refusal in its own words: they are for whoever asked.
pub(super) fn renewed(reply: &Reply) -> Result<Map<String, Value>, Failure> {
    match reply.status {
        200..300 => answers::members(reply),
        400 | 401 => Err(refused(
            reply,
            ["error"],
            ["error_description", "message", "error"],
        )),
        504 => Err(Failure::Unanswered(
            "it says that it was not answered itself".into(),
        )),
        status => Err(answers::failure(status, reply.retry_after)),
    }
}
