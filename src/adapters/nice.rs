//! NICE CXone's token endpoint: a refresh with HTTP Basic, whose two halves are form-encoded (RFC 6749 §2.3.1), and a
//! form.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::answers;
use super::outbound::{Ask, Outbound, Vendor, basic};
use super::talkdesk::renewed;
use crate::domain::ports::{Answer, Failure, TokenAccount, TokenRefresh};
use crate::kernel::Secret;

/// NICE CXone, asked over the network.
pub(super) struct Nice(pub Arc<Outbound>);

impl TokenRefresh for Nice {
    fn refresh<'a>(
        &'a self,
        at: &'a TokenAccount,
        refresh_token: &'a Secret<String>,
    ) -> Answer<'a, Result<Map<String, Value>, Failure>> {
        let secret = Secret::new(encoded(at.client_secret.expose()));
        let ask = Ask {
            vendor: Vendor::Nice,
            url: at.token_url.to_string(),
            query: Vec::new(),
            authorization: basic(&encoded(&at.client_id), secret.expose()),
            body: answers::form(&[
                ("grant_type", "refresh_token"),
                ("scope", "openid"),
                ("refresh_token", refresh_token.expose()),
            ]),
        };
        Box::pin(async move { renewed(&self.0.ask(ask).await?) })
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
