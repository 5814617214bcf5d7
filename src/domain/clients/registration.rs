//! Clients come, change and go: by the operator's commands and by both contracts' paths, under the same rules.
//!
//! Deleting one also ends its tokens, which stand a tier above: `admin` does both in one transaction.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::redirect::{self, URIS_MAX};
use super::{
    ACCESS_SECONDS_MAX, AGENT, CUSTOMER, Client, GrantType, Outgoing, find, records, secret,
};
use crate::crypto::jws::Algorithm;
use crate::domain::access::{Action, By, Denied, Role, Roles};
use crate::domain::audit::{self, Event};
use crate::domain::{Appliance, Cx, organizations};
use crate::kernel::{ClientId, Fault, OrgId, Secret};
use crate::store::{Tx, Verdict};

/// What a client can be told to be; what is left out stays as it is, or is as usual for a new one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Facts {
    /// What people who sign in to it call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The roles its own tokens carry. Usual: `ClientService` where it has tokens of its own, none elsewhere.
    pub roles: Option<Vec<Role>>,
    /// How it may ask for tokens. Usual: by code and refresh where it has a redirect URI, by its own credentials elsewhere.
    pub grants: Option<Vec<GrantType>>,
    /// The scopes it may ask for.
    pub scopes: Option<Vec<String>>,
    /// Where people may be sent back to when they have signed in.
    pub redirect_uris: Option<Vec<String>>,
    /// Where people may be sent back to when they have signed out.
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// How its access tokens are signed.
    pub signing: Option<Algorithm>,
    /// How its ID tokens are signed.
    pub id_token_signing: Option<Algorithm>,
    /// Its own lifetime of access tokens in seconds; 0 is everyone's.
    pub access_seconds: Option<u32>,
    /// Its own idle lifetime of refresh tokens in seconds; 0 is everyone's.
    pub refresh_seconds: Option<u32>,
    /// A secret its owner chose; ours is drawn. No command carries one.
    #[serde(skip)]
    pub secret: Option<Secret<String>>,
}

/// A client about to be registered.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NewClient {
    /// The id it shall have; drawn without.
    pub id: Option<ClientId>,
    /// Whether it can keep no secret (RFC 6749 §2.1).
    pub public: bool,
    /// Whether people of every organization may sign in to it; only the operator decides that.
    pub shared: bool,
    /// What it shall be.
    pub facts: Facts,
}

/// A client as it now is, with the only sight of a secret that was drawn or chosen for it.
#[derive(Debug)]
pub struct Registered {
    /// The client.
    pub client: Client,
    /// Its secret; a public client has none.
    pub secret: Option<Secret<String>>,
}

/// Why a client is not registered, changed or shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that id in the caller's organization.
    #[error("there is no such client")]
    NotFound,
    /// There is no organization of that id for the caller.
    #[error("there is no such organization")]
    NoOrganization,
    /// A client has or had that id, and an id is never given out twice.
    #[error("the client id {0} is taken, or was once")]
    Taken(ClientId),
    /// It cannot be as it is told to be.
    #[error("{0}")]
    Invalid(String),
    /// The customers' and the agents' clients stay.
    #[error("the clients `{CUSTOMER}` and `{AGENT}` are what apps have built in: they stay")]
    Kept,
    /// The organization has as many as it may.
    #[error("an organization has at most {CLIENTS_PER_ORGANIZATION} clients: remove some first")]
    Full,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Registers a client in `organization`.
pub fn register(
    cx: &Cx<'_>,
    by: &By,
    organization: &OrgId,
    new: &NewClient,
) -> Result<Registered, Error> {
    by.may(Action::ManageClients)?;
    let secret = (!new.public).then(|| drawn(cx, &new.facts));
    let id = match &new.id {
        Some(id) => id.clone(),
        None => ClientId::draw(cx.entropy()),
    };
    let mut client = Client::blank(id, organization, cx.now.to_millis());
    client.secret = secret.as_ref().map(|it| secret::digest(cx.appliance, it));
    client.is_shared = new.shared;
    if new.shared && !by.is_operator() {
        return Err(Error::Denied(Denied::OPERATOR_ONLY));
    }
    new.facts.lay_over(&mut client);
    new.facts.usual(&mut client);
    check(&client, &new.facts)?;
    by.may_grant(client.roles)?;
    cx.write(|tx| {
        if !by.sees(organization) || !organizations::exists(tx, organization)? {
            return Ok(Verdict::Discard(Error::NoOrganization));
        }
        if records::is_taken(tx, &client.id)? {
            return Ok(Verdict::Discard(Error::Taken(client.id.clone())));
        }
        if records::counted(tx, organization)? >= CLIENTS_PER_ORGANIZATION {
            return Ok(Verdict::Discard(Error::Full));
        }
        records::put(tx, &client)?;
        tell(tx, cx, by, "client.registered", &client)?;
        tell_of_grants(tx, cx, by, &client, &[])?;
        Ok(Verdict::Commit(()))
    })?;
    Ok(Registered { client, secret })
}

/// Changes a client; what `facts` leave out stays.
pub fn update(cx: &Cx<'_>, by: &By, id: &ClientId, facts: &Facts) -> Result<Client, Error> {
    by.may(Action::ManageClients)?;
    cx.write(|tx| {
        let before = match found(tx, by, id)? {
            Ok(client) => client,
            Err(error) => return Ok(Verdict::Discard(error)),
        };
        let mut client = before.clone();
        facts.lay_over(&mut client);
        if let Err(error) = give_secret(cx.appliance, &mut client, facts) {
            return Ok(Verdict::Discard(error));
        }
        if let Err(error) = check(&client, facts) {
            return Ok(Verdict::Discard(error));
        }
        if let Err(denied) = by.may_change(id, before.roles, client.roles) {
            return Ok(Verdict::Discard(denied.into()));
        }
        records::put(tx, &client)?;
        tell(tx, cx, by, "client.changed", &client)?;
        tell_of_grants(tx, cx, by, &client, &before.grants)?;
        Ok(Verdict::Commit(client))
    })
}

/// Gives a client a new secret. The one before is good for `overlap` longer, which may be nothing, and the one before
/// that for nothing any more.
pub fn rotate_secret(
    cx: &Cx<'_>,
    by: &By,
    id: &ClientId,
    overlap: Duration,
) -> Result<Registered, Error> {
    by.may(Action::ManageClients)?;
    if overlap > Duration::from_secs(OVERLAP_SECONDS_MAX) {
        let told =
            format!("two secrets of a client are good for at most {OVERLAP_SECONDS_MAX} seconds");
        return Err(Error::Invalid(told));
    }
    let secret = secret::draw(cx);
    let client = cx.write_vital(|tx| {
        let mut client = match found(tx, by, id)? {
            Ok(client) => client,
            Err(error) => return Ok(Verdict::Discard(error)),
        };
        let Some(before) = client.secret else {
            return Ok(Verdict::Discard(invalid("a public client has no secret")));
        };
        client.secret = Some(secret::digest(cx.appliance, &secret));
        client.outgoing = (!overlap.is_zero()).then(|| Outgoing {
            secret: before,
            until: cx.now.after(overlap),
        });
        records::put(tx, &client)?;
        let action = if overlap.is_zero() {
            "client.secret_rotated"
        } else {
            "client.secret_rotated_with_overlap"
        };
        tell(tx, cx, by, action, &client)?;
        Ok(Verdict::Commit(client))
    })?;
    Ok(Registered {
        client,
        secret: Some(secret),
    })
}

/// The client of that id, if the caller may see it.
pub fn seen(cx: &Cx<'_>, by: &By, id: &ClientId) -> Result<Client, Error> {
    by.may(Action::ManageClients)?;
    let found = find(cx, id)?.filter(|client| by.sees(&client.organization));
    found.ok_or(Error::NotFound)
}

/// The organization's clients, in the order of their ids.
pub fn list(cx: &Cx<'_>, by: &By, organization: &OrgId) -> Result<Vec<Client>, Error> {
    by.may(Action::ManageClients)?;
    if !by.sees(organization) {
        return Err(Error::NoOrganization);
    }
    Ok(records::of(&cx.view(), organization)?)
}

/// Removes a client within a transaction that also ends its tokens. Its id is never given out again.
pub fn delete_within(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &By,
    id: &ClientId,
) -> Result<Result<(), Error>, Fault> {
    if let Err(denied) = by.may(Action::ManageClients) {
        return Ok(Err(denied.into()));
    }
    let client = match found(tx, by, id)? {
        Ok(client) => client,
        Err(error) => return Ok(Err(error)),
    };
    if is_built_in(&client) {
        return Ok(Err(Error::Kept));
    }
    records::remove(tx, &client, cx.now)?;
    tell(tx, cx, by, "client.deleted", &client)?;
    Ok(Ok(()))
}

/// The client of that id, if the caller may change it.
fn found(tx: &Tx<'_>, by: &By, id: &ClientId) -> Result<Result<Client, Error>, Fault> {
    let found = records::load(tx, id)?.filter(|client| by.sees(&client.organization));
    let Some(client) = found else {
        return Ok(Err(Error::NotFound));
    };
    // Whoever changes an internal service's client could come as it and reach every organization, and others depend on
    // one that everybody signs in to.
    let is_everyones = client.is_shared || is_built_in(&client);
    if (client.roles.has(Role::Service) || is_everyones) && !by.is_operator() {
        return Ok(Err(Error::Denied(Denied::OPERATOR_ONLY)));
    }
    Ok(Ok(client))
}

fn is_built_in(client: &Client) -> bool {
    [CUSTOMER, AGENT].contains(&client.id.as_str())
}

fn drawn(cx: &Cx<'_>, facts: &Facts) -> Secret<String> {
    facts.secret.clone().unwrap_or_else(|| secret::draw(cx))
}

fn give_secret(appliance: &Appliance, client: &mut Client, facts: &Facts) -> Result<(), Error> {
    let Some(chosen) = &facts.secret else {
        return Ok(());
    };
    if client.is_public() {
        return Err(invalid("a public client has no secret"));
    }
    client.secret = Some(secret::digest(appliance, chosen));
    client.outgoing = None;
    Ok(())
}

impl Facts {
    fn lay_over(&self, client: &mut Client) {
        set(&mut client.name, self.name.as_ref());
        set(&mut client.description, self.description.as_ref());
        set(&mut client.signing, self.signing.as_ref());
        set(&mut client.id_token_signing, self.id_token_signing.as_ref());
        set_each(&mut client.grants, self.grants.as_deref());
        set_each(&mut client.scopes, self.scopes.as_deref());
        set_each(&mut client.redirect_uris, self.redirect_uris.as_deref());
        let after = self.post_logout_redirect_uris.as_deref();
        set_each(&mut client.post_logout_redirect_uris, after);
        let own = |seconds: u32| (seconds > 0).then_some(seconds);
        let (access, refresh) = (self.access_seconds.map(own), self.refresh_seconds.map(own));
        set(&mut client.access_seconds, access.as_ref());
        set(&mut client.refresh_seconds, refresh.as_ref());
        if let Some(roles) = &self.roles {
            client.roles = Roles::of(roles);
        }
    }

    /// What a new client is that was not told.
    fn usual(&self, client: &mut Client) {
        if self.grants.is_none() {
            client.grants = if client.redirect_uris.is_empty() {
                vec![GrantType::ClientCredentials]
            } else {
                vec![GrantType::AuthorizationCode, GrantType::RefreshToken]
            };
        }
        if self.roles.is_none() && client.may(GrantType::ClientCredentials) {
            client.roles = Roles::of(&[Role::ClientService]);
        }
    }
}

fn set<T: Clone>(to: &mut T, given: Option<&T>) {
    if let Some(given) = given {
        to.clone_from(given);
    }
}

/// Each value once, in the order given.
fn set_each<T: Clone + PartialEq>(to: &mut Vec<T>, given: Option<&[T]>) {
    let Some(given) = given else { return };
    to.clear();
    for one in given {
        if !to.contains(one) {
            to.push(one.clone());
        }
    }
}

fn check(client: &Client, facts: &Facts) -> Result<(), Error> {
    check_texts(client)?;
    check_uris("redirect URI", &client.redirect_uris)?;
    check_uris(
        "post-logout redirect URI",
        &client.post_logout_redirect_uris,
    )?;
    check_grants(client)?;
    check_scopes(&client.scopes)?;
    check_seconds(client)?;
    if client.roles.has(Role::Customer) {
        return Err(invalid("no client is a customer"));
    }
    let chosen = facts.secret.as_ref().map(Secret::expose);
    if chosen.is_some_and(|chosen| !is_secret(chosen)) {
        return Err(invalid(
            "a secret is 16 to 256 visible ASCII characters, without + and %, which are read in two ways",
        ));
    }
    Ok(())
}

fn is_secret(chosen: &str) -> bool {
    (SECRET_LEN_MIN..=SECRET_LEN_MAX).contains(&chosen.len())
        && chosen
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"+%".contains(&byte))
}

fn check_texts(client: &Client) -> Result<(), Error> {
    let texts = [
        ("name", &client.name, NAME_MAX),
        ("description", &client.description, DESCRIPTION_MAX),
    ];
    for (what, text, most) in texts {
        if text.len() > most || text.chars().any(char::is_control) {
            let told = format!("a {what} is at most {most} bytes without control characters");
            return Err(Error::Invalid(told));
        }
    }
    Ok(())
}

fn check_uris(what: &str, uris: &[String]) -> Result<(), Error> {
    if uris.len() > URIS_MAX {
        let told = format!("a client has at most {URIS_MAX} of each kind of URI");
        return Err(Error::Invalid(told));
    }
    for uri in uris {
        if let Err(why) = redirect::check(uri) {
            // Whoever reads this may be looking at a terminal.
            let told = format!("the {what} {} {why}", uri.escape_debug());
            return Err(Error::Invalid(told));
        }
    }
    Ok(())
}

fn check_grants(client: &Client) -> Result<(), Error> {
    let sends_back = client.may(GrantType::AuthorizationCode) || client.may(GrantType::Implicit);
    if sends_back && client.redirect_uris.is_empty() {
        return Err(invalid(
            "a client that people sign in to by code or implicitly needs a redirect URI",
        ));
    }
    // RFC 6749 §4.4
    if client.is_public() && client.may(GrantType::ClientCredentials) {
        return Err(invalid(
            "a public client has no credentials: give it a redirect URI or another grant",
        ));
    }
    if client.grants.is_empty() {
        return Err(invalid("a client needs a grant"));
    }
    Ok(())
}

fn check_scopes(scopes: &[String]) -> Result<(), Error> {
    // RFC 6749 §3.3
    let letter = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    let is_scope =
        |scope: &String| (1..=SCOPE_MAX).contains(&scope.len()) && scope.bytes().all(letter);
    if scopes.is_empty() || scopes.len() > SCOPES_MAX || !scopes.iter().all(is_scope) {
        return Err(invalid(
            "scopes are 1 to 32 words of at most 64 visible ASCII characters without quote and backslash",
        ));
    }
    Ok(())
}

fn check_seconds(client: &Client) -> Result<(), Error> {
    let limits = [
        ("access", client.access_seconds, ACCESS_SECONDS_MAX),
        ("refresh", client.refresh_seconds, REFRESH_SECONDS_MAX),
    ];
    for (what, seconds, most) in limits {
        if seconds.is_some_and(|seconds| seconds > most) {
            let told = format!("{what} tokens of a client live at most {most} seconds");
            return Err(Error::Invalid(told));
        }
    }
    Ok(())
}

/// RFC 9700 forbids the password grant and advises against the implicit one: whoever switches one on is on the record.
fn tell_of_grants(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &By,
    client: &Client,
    before: &[GrantType],
) -> Result<(), Fault> {
    let told = [
        (GrantType::Password, "client.password_grant_on"),
        (GrantType::Implicit, "client.implicit_grant_on"),
    ];
    for (grant, action) in told {
        if client.may(grant) && !before.contains(&grant) {
            tell(tx, cx, by, action, client)?;
        }
    }
    Ok(())
}

fn tell(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &By,
    action: &'static str,
    client: &Client,
) -> Result<(), Fault> {
    let event = Event {
        action,
        by: by.who(),
        to: client.id.as_str(),
        organization: Some(&client.organization),
    };
    audit::record(tx, cx, &event)
}

fn invalid(what: &str) -> Error {
    Error::Invalid(what.to_owned())
}

/// A week: long enough to reach every place a secret was copied to.
pub const OVERLAP_SECONDS_MAX: u64 = 7 * 86_400;
/// Each is looked at when they are listed.
const CLIENTS_PER_ORGANIZATION: u32 = 1_000;
const NAME_MAX: usize = 100;
const DESCRIPTION_MAX: usize = 500;
const SCOPES_MAX: usize = 32;
const SCOPE_MAX: usize = 64;
const SECRET_LEN_MIN: usize = 16;
const SECRET_LEN_MAX: usize = 256;
/// Half a year, as long as a sign-in lasts at most.
const REFRESH_SECONDS_MAX: u32 = 180 * 86_400;
