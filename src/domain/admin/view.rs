//! Facts as the operator sees them: names and words, no digests, and a secret only in the answer that gave it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::Cx;
use crate::domain::clients::{self, Client};
use crate::domain::organizations::Organization;
use crate::domain::otp::outbox::Listed;
use crate::domain::signing::KeyStatus;
use crate::domain::users::User;
use crate::kernel::{Fault, Timestamp};

/// An organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrgView {
    /// Its identifier.
    pub organization_id: String,
    /// What people call it.
    pub name: String,
    /// When it was founded.
    pub created_at: String,
}

/// A client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientView {
    /// Its identifier.
    pub client_id: String,
    /// The only sight of a new secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_secret: Option<String>,
    /// The organization it belongs to.
    pub organization_id: String,
    /// What people who sign in to it call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it has no secret.
    pub public: bool,
    /// The roles its own tokens carry.
    pub roles: Vec<String>,
    /// How it may ask for tokens.
    pub grants: Vec<String>,
    /// The scopes it may ask for.
    pub scopes: Vec<String>,
    /// Where people may be sent back to when they have signed in.
    pub redirect_uris: Vec<String>,
    /// Where people may be sent back to when they have signed out.
    pub post_logout_redirect_uris: Vec<String>,
    /// How its access tokens are signed.
    pub signing: String,
    /// How its ID tokens are signed.
    pub id_token_signing: String,
    /// Its own lifetime of access tokens in seconds, if it has one.
    pub access_seconds: Option<u32>,
    /// Its own idle lifetime of refresh tokens in seconds, if it has one.
    pub refresh_seconds: Option<u32>,
    /// When it was registered.
    pub created_at: String,
    /// When it last proved who it is, if ever.
    pub last_used_at: Option<String>,
    /// Until when the secret before the present one is good as well, if it is.
    pub overlap_until: Option<String>,
}

/// A person with an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserView {
    /// Its identifier.
    pub user_id: String,
    /// The name it signs in with.
    pub username: String,
    /// The only sight of a new password.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub password: Option<String>,
    /// The organization it belongs to.
    pub organization_id: String,
    /// The number contract B knows it by.
    pub dbid: u32,
    /// What it may be.
    pub roles: Vec<String>,
    /// The whole name.
    pub name: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Postal address.
    pub address: Option<String>,
    /// Language.
    pub locale: Option<String>,
    /// `password`, or `genesys` where Genesys Cloud vouches for it.
    pub signs_in_with: String,
    /// Whether the password must be changed at the next sign-in.
    pub password_expired: bool,
    /// Since when the account cannot be used, if it cannot.
    pub disabled_since: Option<String>,
    /// When the account was made.
    pub created_at: String,
    /// When anything of it was last changed.
    pub updated_at: String,
}

/// A key our tokens are signed with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SigningKeyView {
    /// Its name in the key set.
    pub kid: String,
    /// The one algorithm it is used with.
    pub algorithm: String,
    /// `current`, `next` or `retired`.
    pub life: String,
    /// When that began.
    pub since: String,
    /// When a retired key goes.
    pub until: Option<String>,
}

/// A message with a one-time code.
#[derive(Clone, Serialize, Deserialize)]
pub struct MessageView {
    /// Its identifier.
    pub message_id: String,
    /// When it was asked for.
    pub created_at: String,
    /// `SMS`, `VOICE` or `EMAIL`.
    pub channel: String,
    /// Where to, until it is over.
    pub to: Option<String>,
    /// `waiting`, `kept`, `delivered` or `given up`.
    pub state: String,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last try failed.
    pub reason: Option<String>,
    /// When its code is over.
    pub ends_at: String,
    /// The code, where nobody but the operator delivers it.
    pub code: Option<String>,
    /// The language of its text, likewise.
    pub locale: Option<String>,
    /// Who sends it, likewise.
    pub sender: Option<String>,
}

impl fmt::Debug for MessageView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageView({}, {})", self.message_id, self.state)
    }
}

impl OrgView {
    pub(super) fn of(organization: &Organization) -> Self {
        Self {
            organization_id: organization.id.to_string(),
            name: organization.name.clone(),
            created_at: organization.created_at.to_string(),
        }
    }
}

impl ClientView {
    pub(super) fn of(cx: &Cx<'_>, client: &Client) -> Result<Self, Fault> {
        let outgoing = client.outgoing.map(|outgoing| outgoing.until);
        let outgoing = outgoing.filter(|until| cx.now < *until);
        let last_used = clients::last_used(cx, &client.id)?;
        Ok(Self {
            client_id: client.id.to_string(),
            client_secret: None,
            organization_id: client.organization.to_string(),
            name: client.name.clone(),
            description: client.description.clone(),
            public: client.is_public(),
            roles: owned(client.roles.names()),
            grants: owned(client.grants.iter().map(|grant| grant.word())),
            scopes: client.scopes.clone(),
            redirect_uris: client.redirect_uris.clone(),
            post_logout_redirect_uris: client.post_logout_redirect_uris.clone(),
            signing: client.signing.name().to_owned(),
            id_token_signing: client.id_token_signing.name().to_owned(),
            access_seconds: client.access_seconds,
            refresh_seconds: client.refresh_seconds,
            created_at: client.created_at.to_string(),
            last_used_at: last_used.as_ref().map(Timestamp::to_string),
            overlap_until: outgoing.as_ref().map(Timestamp::to_string),
        })
    }
}

impl UserView {
    pub(super) fn of(user: &User) -> Self {
        Self {
            user_id: user.id.to_string(),
            username: user.name.clone(),
            password: None,
            organization_id: user.organization.to_string(),
            dbid: user.dbid,
            roles: owned(user.roles.names()),
            name: user.display_name.clone(),
            given_name: user.first_name.clone(),
            family_name: user.last_name.clone(),
            email: user.email.clone(),
            phone: user.phone.clone(),
            address: user.address.clone(),
            locale: user.locale.clone(),
            signs_in_with: (if user.has_password() {
                "password"
            } else {
                "genesys"
            })
            .to_owned(),
            password_expired: user.password_expired,
            disabled_since: user.disabled.as_ref().map(Timestamp::to_string),
            created_at: user.created_at.to_string(),
            updated_at: user.updated_at.to_string(),
        }
    }
}

impl SigningKeyView {
    pub(super) fn of(key: &KeyStatus) -> Self {
        Self {
            kid: key.kid.clone(),
            algorithm: key.algorithm.name().to_owned(),
            life: key.life.to_owned(),
            since: key.since.to_string(),
            until: key.until.as_ref().map(Timestamp::to_string),
        }
    }
}

impl MessageView {
    pub(super) fn of(listed: &Listed) -> Self {
        let message = listed.message.as_ref();
        Self {
            message_id: listed.id.clone(),
            created_at: listed.created_at.to_string(),
            channel: listed.channel.name().to_owned(),
            to: listed.to.clone(),
            state: listed.state.to_owned(),
            tries: listed.tries,
            reason: listed.reason.clone(),
            ends_at: listed.ends_at.to_string(),
            code: message.map(|message| message.code.expose().clone()),
            locale: message.map(|message| message.locale.to_string()),
            sender: message.map(|message| message.sender.clone()),
        }
    }
}

fn owned<'t>(words: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}
