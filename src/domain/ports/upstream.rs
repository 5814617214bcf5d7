//! Genesys Cloud, Talkdesk and NICE, as the appliance asks them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Answer;
use crate::kernel::{BaseUrl, Secret};

/// The environments of Genesys Cloud: its login stands at `login.` and all else at `api.` before one of these names.
pub const GENESYS_ENVIRONMENTS: [&str; 18] = [
    "mypurecloud.com",
    "mypurecloud.ie",
    "mypurecloud.com.au",
    "mypurecloud.jp",
    "mypurecloud.de",
    "usw2.pure.cloud",
    "cac1.pure.cloud",
    "apne2.pure.cloud",
    "euw2.pure.cloud",
    "aps1.pure.cloud",
    "sae1.pure.cloud",
    "mec1.pure.cloud",
    "apne3.pure.cloud",
    "euc2.pure.cloud",
    "mxc1.pure.cloud",
    "apse1.pure.cloud",
    "use2.us-gov-pure.cloud",
    "edee1.eusc-pure.cloud",
];

/// Everyone upstream.
#[derive(Clone)]
pub struct Upstreams {
    /// Genesys Cloud.
    pub genesys: Arc<dyn GenesysCloud>,
    /// Talkdesk's token endpoint.
    pub talkdesk: Arc<dyn TokenRefresh>,
    /// NICE CXone's token endpoint.
    pub nice: Arc<dyn TokenRefresh>,
}

/// Where an application's Genesys Cloud is, and as whom it is asked.
#[derive(Debug, Clone)]
pub struct GenesysAccount {
    /// Where tokens come from, such as `https://login.mypurecloud.de`.
    pub login: BaseUrl,
    /// Where everything else is, such as `https://api.mypurecloud.de`.
    pub api: BaseUrl,
    /// The client's id there.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret<String>,
}

/// Where an application's tokens are refreshed, and as whom.
#[derive(Debug, Clone)]
pub struct TokenAccount {
    /// The token endpoint's whole address.
    pub token_url: BaseUrl,
    /// The client's id there.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret<String>,
}

/// A queue of Genesys Cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What Genesys Cloud says of a callback it created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedCallback {
    /// The conversation's id.
    pub conversation: String,
    /// The conversation's name, if it has one.
    pub name: Option<String>,
    /// Where the conversation is, if it was told.
    pub self_uri: Option<String>,
    /// Type and id of each of its callbacks.
    pub identifiers: Vec<(String, String)>,
}

/// A person of Genesys Cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesysPerson {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its e-mail address, if it has one.
    pub email: Option<String>,
    /// Everything it is permitted there.
    pub permissions: Vec<String>,
}

/// Why an upstream did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It says that the request is wrong, and why.
    #[error("{code}: {message}")]
    Refused {
        /// Its word for it.
        code: String,
        /// Its sentence.
        message: String,
    },
    /// It does not accept the application's own credentials.
    #[error("it does not accept the application's credentials")]
    Credentials,
    /// It is asked too often; when to ask again, if it said so.
    #[error("it is asked too often")]
    Busy(Option<Duration>),
    /// Its address is none that may be asked; the operator can allow it.
    #[error("{0}")]
    Forbidden(String),
    /// It did not do it: it could not be reached, or says itself that it failed.
    #[error("{0}")]
    Failed(String),
    /// It was asked and did not answer: perhaps it did it.
    #[error("{0}")]
    Unanswered(String),
}

/// Genesys Cloud.
pub trait GenesysCloud: Send + Sync {
    /// Every queue whose name is exactly that.
    fn queues_named<'a>(
        &'a self,
        at: &'a GenesysAccount,
        name: &'a str,
    ) -> Answer<'a, Result<Vec<Queue>, Failure>>;

    /// Creates a callback. `order` is the published request.
    fn create_callback<'a>(
        &'a self,
        at: &'a GenesysAccount,
        order: &'a Map<String, Value>,
    ) -> Answer<'a, Result<CreatedCallback, Failure>>;

    /// Redeems an authorization code and asks who came with it.
    fn person_behind<'a>(
        &'a self,
        at: &'a GenesysAccount,
        code: &'a Secret<String>,
        redirect_uri: Option<&'a str>,
    ) -> Answer<'a, Result<GenesysPerson, Failure>>;
}

/// A vendor's token endpoint.
pub trait TokenRefresh: Send + Sync {
    /// A new token for a refresh token; the vendor's answer as it gave it.
    fn refresh<'a>(
        &'a self,
        at: &'a TokenAccount,
        refresh_token: &'a Secret<String>,
    ) -> Answer<'a, Result<Map<String, Value>, Failure>>;
}
