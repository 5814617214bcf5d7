//! OAuth 2.0: one core under every token endpoint (RFC 6749).

pub mod agents;
pub mod authorize;
pub mod client_auth;
pub(in crate::domain) mod codes;
mod grants;
pub mod introspect;
mod pkce;
pub mod request;
pub mod revoke;
mod scope;
mod token;

use std::time::Duration;

use super::clients::Client;
use super::oidc::id_token::{self, About};
use super::tokens::{self, AccessToken, Grantee, ping};
use super::users::User;
use super::{Cx, tickets};
use crate::kernel::{Fault, OrgId, Secret};

pub use authorize::authorize;
pub use client_auth::ClientProof;
use client_auth::client_of;
pub use request::{Params, TokenRequest};
pub use token::{hashes, token};

/// Why a token is refused: the codes of RFC 6749 §5.2 and what real servers of both contracts say beside them.
#[derive(Debug)]
pub enum Error {
    /// The request is not one: what is wrong with it.
    InvalidRequest(String),
    /// The client is unknown or did not prove who it is.
    InvalidClient(&'static str),
    /// The client may not use this grant.
    UnauthorizedGrant(String),
    /// The implicit grant, which no token endpoint has.
    ImplicitGrant,
    /// No grant of that name.
    UnsupportedGrantType(String),
    /// The scopes this client may ask for.
    InvalidScope(Vec<String>),
    /// The code, the name or the password is not believed.
    InvalidGrant(&'static str),
    /// The refresh token is not believed.
    InvalidRefreshToken(&'static str),
    /// The refresh token was ours until its time was over.
    ExpiredRefreshToken,
    /// The ticket is refused.
    Ticket(tickets::Refusal),
    /// Too many wrong guesses at tickets: when to try again.
    TooManyGuesses(Duration),
    /// Too many wrong authorization codes of Genesys Cloud: when to try again.
    TooManyCodes(Duration),
    /// Somebody else has to be asked and gives no answer, in which words; when to try again, if it said so.
    Unavailable(&'static str, Option<Duration>),
    /// Something of ours broke.
    Fault(Fault),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A granted token reply, before anyone decides how to write it.
#[derive(Debug)]
pub struct Granted {
    /// The access token.
    pub access: AccessToken,
    /// The refresh token, where the grant has one.
    pub refresh: Option<Secret<String>>,
    /// The ID token, where the scope has `openid`.
    pub id_token: Option<Secret<String>>,
    /// The ping cookie, where the token speaks for a user.
    pub ping: Option<Secret<String>>,
    /// The granted scopes, joined by spaces.
    pub scope: String,
    /// Whom the token speaks for.
    pub sub: String,
    /// In which organization.
    pub organization: OrgId,
    /// What customers' apps read beside the standard members.
    pub customer: Option<CustomerExtras>,
}

impl Granted {
    /// Tokens for a person who has proved who they are at this endpoint, and so without a browser's session.
    fn to_person(
        cx: &Cx<'_>,
        client: &Client,
        user: &User,
        grantee: Grantee,
        refresh: Option<Secret<String>>,
    ) -> Result<Self, Fault> {
        let access = tokens::mint(cx, &grantee, client)?;
        let about = About::renewed(&access);
        let id_token = id_token::when_asked(cx, client, &grantee, user, &about)?;
        Ok(Self {
            refresh,
            id_token,
            ping: ping::of(cx, &grantee)?,
            access,
            sub: grantee.subject.sub(),
            scope: grantee.scope,
            organization: grantee.organization,
            customer: None,
        })
    }
}

/// What a customer's app reads out of its token reply.
#[derive(Debug)]
pub struct CustomerExtras {
    /// The room the ticket leads to.
    pub conference_id: Option<String>,
    /// The device, as this sign-in knows it.
    pub device_id: String,
}
