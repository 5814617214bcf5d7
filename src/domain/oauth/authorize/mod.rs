//! The authorization endpoint's one operation: check a request in order, then answer the client, ask who is there, or
//! ask whether it may go on (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2).
//!
//! Until client and redirect URI are known to belong together, nothing is ever sent to the client (§4.1.2.1).

mod answer;
mod request;

use super::codes::{self, Code, Use};
use super::{Params, client_of, scope};
use crate::domain::access::Subject;
use crate::domain::audit::{self, Event};
use crate::domain::clients::{Client, redirect};
use crate::domain::sessions::Session;
use crate::domain::tokens::{self, Grantee};
use crate::domain::users::{self, User};
use crate::domain::{Cx, Front, sessions};
use crate::kernel::{FamilyId, Fault, SessionId, Timestamp};
use crate::store::Verdict;

pub use answer::{Answer, Mode};
use request::{AuthorizationRequest, Kind, Problem};

/// An authorization request, and who is there.
pub struct Asking<'a> {
    /// At which of the two endpoints.
    pub front: Front,
    /// Its parameters.
    pub params: &'a Params,
    /// The browser's session, if somebody is signed in.
    pub session: Option<&'a Session>,
    /// Whether that somebody proved who it is for this very request.
    pub is_fresh: bool,
    /// What was answered when it was asked whether this client may go on.
    pub consent: Option<bool>,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Outcome {
    /// Send the browser back to the client with this.
    Answer(Answer),
    /// Ask who is there.
    SignIn,
    /// Ask whether this client may go on.
    Consent(Box<Consent>),
}

/// What somebody who is asked must be told.
#[derive(Debug)]
pub struct Consent {
    /// Who is signed in.
    pub user: User,
    /// In which session of the browser.
    pub session: SessionId,
    /// Who wants to go on.
    pub client: Client,
    /// Where the browser will be sent.
    pub redirect_uri: String,
    /// The scopes that will be granted, joined by spaces.
    pub scope: String,
}

/// Why the browser is not even sent back.
#[derive(Debug)]
pub enum Refused {
    /// The request says not enough, or says it twice.
    Invalid(String),
    /// There is no such client.
    UnknownClient,
    /// The client has not registered where the browser was to be sent.
    Redirect {
        /// What it has registered.
        registered: Vec<String>,
        /// What the request has.
        received: String,
    },
    /// Something of ours broke.
    Fault(Fault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a sign-in page may show before anybody has signed in.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// The client people are about to sign in to.
    pub client: Client,
}

/// The client an authorization request comes from, if request and redirect URI hold together.
pub fn invitation(cx: &Cx<'_>, params: &Params) -> Result<Invitation, Refused> {
    let (client, _) = addressed(cx, params)?;
    Ok(Invitation { client })
}

/// Judges an authorization request.
pub fn authorize(cx: &Cx<'_>, asking: &Asking<'_>) -> Result<Outcome, Refused> {
    let (client, redirect_uri) = addressed(cx, asking.params)?;
    let address = answer::Address::of(asking, redirect_uri);
    let request = match request::read(asking.front, asking.params, &client) {
        Ok(request) => request,
        Err(problem) => return Ok(address.error(cx, &problem)),
    };
    let person = match person(cx, asking, &request, &client)? {
        Some(person) => person,
        // Asking again would lead nowhere: whoever has just signed in may not be here.
        None if asking.is_fresh && asking.session.is_some() && !request.is_for_somebody() => {
            let words = "the account is of another organization, or cannot be used";
            return Ok(address.error(cx, &Problem::new("access_denied", words)));
        }
        None if request.is_silent => {
            return Ok(address.error(cx, &Problem::new("login_required", "nobody is signed in")));
        }
        // OpenID Connect Core §3.1.2.1: the client has named somebody, and that is not who came.
        None if asking.is_fresh => {
            let words = "somebody else has signed in than the request is about";
            return Ok(address.error(cx, &Problem::new("login_required", words)));
        }
        None => return Ok(Outcome::SignIn),
    };
    match asking.consent {
        Some(false) => {
            let words = "the user declined";
            return Ok(address.error(cx, &Problem::new("access_denied", words)));
        }
        None if must_ask(asking, &request, &client, &address.redirect_uri) => {
            return Ok(ask(cx, request, person, client, address));
        }
        Some(true) | None => {}
    }
    match request.kind {
        Kind::Code => issue_code(cx, asking.front, &client, request, &person, &address),
        Kind::Token => issue_token(cx, asking.front, &client, &request, &person, &address),
    }
}

/// The client, and where its answers go: before this nobody is sent anywhere.
fn addressed(cx: &Cx<'_>, params: &Params) -> Result<(Client, String), Refused> {
    let missing = |name: &str| Refused::Invalid(format!("{name} is missing"));
    let id = params
        .get("client_id")
        .ok_or_else(|| missing("client_id"))?;
    let client = client_of(cx, id)?.ok_or(Refused::UnknownClient)?;
    let received = params
        .get("redirect_uri")
        .ok_or_else(|| missing("redirect_uri"))?;
    if redirect::is_registered(&client.redirect_uris, received) {
        return Ok((client, received.to_owned()));
    }
    Err(Refused::Redirect {
        registered: client.redirect_uris,
        received: received.to_owned(),
    })
}

/// Somebody who is signed in and need not be asked again.
struct Person<'a> {
    session: &'a Session,
    user: User,
}

fn person<'a>(
    cx: &Cx<'_>,
    asking: &Asking<'a>,
    request: &AuthorizationRequest,
    client: &Client,
) -> Result<Option<Person<'a>>, Fault> {
    let Some(session) = asking.session else {
        return Ok(None);
    };
    if !asking.is_fresh && must_sign_in_again(cx, session.signed_in_at, request) {
        return Ok(None);
    }
    let user = users::find(cx, &session.user)?
        .filter(|user| user.disabled.is_none() && client.serves(&user.organization));
    let Some(user) = user else { return Ok(None) };
    let sub = Subject::User(user.id.clone()).sub();
    if request.is_for_another(cx, &sub, asking.is_fresh) {
        return Ok(None);
    }
    Ok(Some(Person { session, user }))
}

fn must_sign_in_again(
    cx: &Cx<'_>,
    signed_in_at: Timestamp,
    request: &AuthorizationRequest,
) -> bool {
    let too_long_ago = |max_age| cx.now.since(signed_in_at) > max_age;
    request.asks_again || request.max_age.is_some_and(too_long_ago)
}

/// RFC 8252 §8.6: a public client without an `https` address of its own may be anybody, so somebody who need not sign in
/// is asked.
fn must_ask(
    asking: &Asking<'_>,
    request: &AuthorizationRequest,
    client: &Client,
    redirect_uri: &str,
) -> bool {
    let is_anybody = client.is_public() && !redirect_uri.starts_with("https://");
    request.asks_consent || (is_anybody && !asking.is_fresh)
}

fn ask(
    cx: &Cx<'_>,
    request: AuthorizationRequest,
    person: Person<'_>,
    client: Client,
    address: answer::Address<'_>,
) -> Outcome {
    if request.is_silent {
        let words = "the user must be asked";
        return address.error(cx, &Problem::new("consent_required", words));
    }
    Outcome::Consent(Box::new(Consent {
        session: person.session.id.clone(),
        user: person.user,
        client,
        redirect_uri: address.redirect_uri,
        scope: request.scope,
    }))
}

fn issue_code(
    cx: &Cx<'_>,
    front: Front,
    client: &Client,
    request: AuthorizationRequest,
    person: &Person<'_>,
    address: &answer::Address<'_>,
) -> Result<Outcome, Refused> {
    let value = codes::draw(cx);
    let digest = codes::digest(cx, value.expose());
    let code = Code {
        client: client.id.clone(),
        redirect_uri: address.redirect_uri.clone(),
        challenge: request.challenge,
        user: person.user.id.clone(),
        organization: person.user.organization.clone(),
        offline: request
            .scope
            .split(' ')
            .any(|granted| granted == scope::OFFLINE),
        scope: request.scope,
        nonce: request.nonce,
        id_token_claims: request.claims.id_token,
        userinfo_claims: request.claims.userinfo,
        signed_in_at: person.session.signed_in_at,
        session: person.session.id.clone(),
        epoch: person.session.epoch,
        front,
        family: FamilyId::draw(cx.entropy()),
        expires_at: cx.now.after(codes::LIFE),
        used: Use::None,
    };
    cx.write(|tx| {
        codes::issue(tx, digest, &code)?;
        audit::record(tx, cx, &granted("code.issued", client, person))?;
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    sessions::touch(cx, person.session)?;
    Ok(address.success(cx, vec![("code", value)]))
}

fn issue_token(
    cx: &Cx<'_>,
    front: Front,
    client: &Client,
    request: &AuthorizationRequest,
    person: &Person<'_>,
    address: &answer::Address<'_>,
) -> Result<Outcome, Refused> {
    let grantee = Grantee {
        subject: Subject::User(person.user.id.clone()),
        organization: person.user.organization.clone(),
        client: client.id.clone(),
        roles: person.user.roles,
        scope: request.scope.clone(),
        sign_in: Some(FamilyId::draw(cx.entropy()).sign_in()),
        epoch: person.session.epoch,
        front,
        session: Some(person.session.id.clone()),
        signed_in_at: Some(person.session.signed_in_at),
        claims: request.claims.userinfo.clone(),
        vouched: None,
    };
    let access = tokens::mint(cx, &grantee, client)?;
    cx.write(|tx| {
        audit::record(tx, cx, &granted("token.issued_implicitly", client, person))?;
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    sessions::touch(cx, person.session)?;
    Ok(address.token(cx, access, &request.scope))
}

fn granted<'a>(action: &'static str, client: &'a Client, person: &'a Person<'_>) -> Event<'a> {
    Event {
        action,
        by: person.user.id.as_str(),
        to: client.id.as_str(),
        organization: Some(&person.user.organization),
    }
}
