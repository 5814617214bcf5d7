//! OAuth clients: who may ask for tokens, by which grants, with which roles.

mod records;
pub mod redirect;
mod registration;
pub mod secret;

use serde::{Deserialize, Serialize};

use super::Cx;
use super::access::Roles;
use super::seen::{self as last_seen, Who};
use crate::crypto::jws::Algorithm;
use crate::kernel::{ClientId, Digest, Fault, OrgId, Timestamp};
use crate::store::{Tx, View};

pub use super::policy::ACCESS_SECONDS_MAX;
pub(in crate::domain) use records::{each, strays};
pub use redirect::is_bare_origin;
pub use registration::{
    Error, Facts, NewClient, OVERLAP_SECONDS_MAX, Registered, delete_within, list, register,
    rotate_secret, seen, update,
};

/// An organization's clients, in the order of their ids.
pub(in crate::domain) fn of(view: &View<'_>, organization: &OrgId) -> Result<Vec<Client>, Fault> {
    records::of(view, organization)
}

/// The public client that customers' apps come as, with an empty secret: real apps have the name built in.
pub const CUSTOMER: &str = "customer";

/// The public client that agents' apps come as, with an authorization code of Genesys Cloud as the password.
pub const AGENT: &str = "agent";

/// How a client may ask for tokens. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrantType {
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §6.
    RefreshToken,
    /// A ticket for tokens.
    Ticket,
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §4.3, which RFC 9700 §2.4 forbids and both contracts document: only where switched on.
    Password,
    /// RFC 6749 §4.2, which RFC 9700 §2.1.2 advises against and contract B documents: only where switched on.
    Implicit,
    /// An authorization code of Genesys Cloud for tokens.
    GenesysCode,
}

impl GrantType {
    /// Every one, with the word registrations and requests name it by.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::AuthorizationCode, "authorization_code"),
        (Self::RefreshToken, "refresh_token"),
        (Self::ClientCredentials, "client_credentials"),
        (Self::Password, "password"),
        (Self::Implicit, "implicit"),
        (Self::Ticket, "urn:admit:params:oauth:grant-type:ticket"),
        (
            Self::GenesysCode,
            "urn:admit:params:oauth:grant-type:genesys-code",
        ),
    ];

    /// The word it goes by.
    pub fn word(self) -> &'static str {
        let known = Self::ALL.iter().find(|(grant, _)| *grant == self);
        known.map_or("", |(_, word)| word)
    }

    /// The grant that goes by this word.
    pub fn named(word: &str) -> Option<Self> {
        let known = Self::ALL.iter().find(|(_, known)| *known == word);
        known.map(|(grant, _)| *grant)
    }
}

/// An OAuth client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its identifier.
    pub id: ClientId,
    /// The organization it belongs to.
    pub organization: OrgId,
    /// Whether people of every organization may sign in to it, and not those of its own alone.
    pub is_shared: bool,
    /// What people who sign in to it call it.
    pub name: String,
    /// What it is for, in its owner's words.
    pub description: String,
    /// The digest of its secret; a public client has none.
    pub secret: Option<Digest>,
    /// The secret before, while it is still good.
    pub outgoing: Option<Outgoing>,
    /// The roles its own tokens carry.
    pub roles: Roles,
    /// How it may ask for tokens.
    pub grants: Vec<GrantType>,
    /// The scopes it may ask for.
    pub scopes: Vec<String>,
    /// Where people may be sent back to when they have signed in, each compared whole (RFC 6749 §3.1.2.3).
    pub redirect_uris: Vec<String>,
    /// Where people may be sent back to when they have signed out.
    pub post_logout_redirect_uris: Vec<String>,
    /// How its access tokens are signed.
    pub signing: Algorithm,
    /// How its ID tokens are signed: RS256 unless it asked for another (OpenID Connect Core §15.1).
    pub id_token_signing: Algorithm,
    /// Its own lifetime of access tokens in seconds, if it differs from everyone's.
    pub access_seconds: Option<u32>,
    /// Its own idle lifetime of refresh tokens in seconds, if it differs from everyone's.
    pub refresh_seconds: Option<u32>,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// A secret that was replaced with leave to be used for a while longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Its digest.
    pub secret: Digest,
    /// When it is good for nothing any more.
    pub until: Timestamp,
}

/// The scopes a client has unless it was registered with others: contract A's two, contract B's, and OpenID Connect's.
pub const DEFAULT_SCOPES: [&str; 9] = [
    "any",
    "global",
    "*",
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "offline_access",
];

impl Client {
    /// A public client that is nothing yet: without name, roles and grants, with the usual scopes and algorithms.
    pub(in crate::domain) fn blank(
        id: ClientId,
        organization: &OrgId,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            organization: organization.clone(),
            is_shared: false,
            name: String::new(),
            description: String::new(),
            secret: None,
            outgoing: None,
            roles: Roles::default(),
            grants: Vec::new(),
            scopes: DEFAULT_SCOPES.map(str::to_owned).to_vec(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            signing: Algorithm::EdDsa,
            id_token_signing: Algorithm::Rs256,
            access_seconds: None,
            refresh_seconds: None,
            created_at,
        }
    }

    /// Whether it can keep no secret (RFC 6749 §2.1).
    pub fn is_public(&self) -> bool {
        self.secret.is_none()
    }

    /// Whether people of this organization may sign in to it.
    pub fn serves(&self, organization: &OrgId) -> bool {
        self.is_shared || self.organization == *organization
    }

    /// Whether it may ask for tokens this way.
    pub fn may(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }
}

/// The client of that id.
pub fn find(cx: &Cx<'_>, id: &ClientId) -> Result<Option<Client>, Fault> {
    records::get(&cx.view(), id)
}

/// The client of that id, as the transaction sees it.
pub fn load(tx: &Tx<'_>, id: &ClientId) -> Result<Option<Client>, Fault> {
    records::load(tx, id)
}

/// When it last proved who it is, if ever.
pub fn last_used(cx: &Cx<'_>, id: &ClientId) -> Result<Option<Timestamp>, Fault> {
    last_seen::last(cx, &Who::Client(id.clone()))
}

/// Notes that it has just proved who it is.
pub(in crate::domain) fn used(cx: &Cx<'_>, id: &ClientId) {
    last_seen::note(cx, Who::Client(id.clone()));
}

/// Keeps a client.
pub fn put(tx: &Tx<'_>, client: &Client) -> Result<(), Fault> {
    records::put(tx, client)
}
