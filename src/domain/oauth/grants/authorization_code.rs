//! A code for tokens (RFC 6749 §4.1.3): spent by its first use, even if a later check fails; a second use ends what the
//! first issued (§4.1.2).

use super::super::codes::{self, Code, Use};
use super::super::request::CodeRequest;
use super::super::{Error, Granted, pkce};
use crate::domain::access::Subject;
use crate::domain::audit::{self, Event};
use crate::domain::clients::{Client, GrantType};
use crate::domain::oidc::id_token::{self, About};
use crate::domain::tokens::refresh::{self, NewFamily};
use crate::domain::tokens::{self, Grantee, Thing, ended, ping};
use crate::domain::users::{self, User};
use crate::domain::{Cx, sessions};
use crate::kernel::{Digest, Fault, SignInId};
use crate::store::{Tx, Verdict};

pub(super) fn grant(cx: &Cx<'_>, client: &Client, request: &CodeRequest) -> Result<Granted, Error> {
    let turn = cx.appliance.ended().turn();
    let outcome = cx.write(|tx| redeem(tx, cx, client, request))?;
    let (code, user) = match outcome {
        Outcome::Redeemed(redeemed) => *redeemed,
        Outcome::Reused(sign_in) => {
            turn.ended(Thing::SignIn(sign_in));
            return Err(UNKNOWN);
        }
    };
    drop(turn);
    users::is_here(cx, &user.id);
    let family = NewFamily::of(code.family);
    let grantee = grantee(client, &code, &user, &family);
    let access = tokens::mint(cx, &grantee, client)?;
    let about = About {
        nonce: code.nonce.as_deref(),
        claims: &code.id_token_claims,
        access: Some(&access),
    };
    let id_token = id_token::when_asked(cx, client, &grantee, &user, &about)?;
    let refresh = client
        .may(GrantType::RefreshToken)
        .then(|| family.token(cx));
    Ok(Granted {
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

const UNKNOWN: Error = Error::InvalidGrant("Invalid authorization code");

enum Outcome {
    Redeemed(Box<(Code, User)>),
    Reused(SignInId),
}

fn redeem(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    client: &Client,
    request: &CodeRequest,
) -> Result<Verdict<Outcome, Error>, Fault> {
    let digest = codes::digest(cx, request.code.expose());
    let Some(mut code) = codes::load(tx, digest)? else {
        return Ok(Verdict::Discard(UNKNOWN));
    };
    // Before anything is destroyed: whoever holds somebody else's code must not be able to end its sign-in.
    if code.client != client.id {
        return Ok(Verdict::Discard(UNKNOWN));
    }
    match code.used {
        Use::Reused => return Ok(Verdict::Discard(UNKNOWN)),
        Use::Spent => return end(tx, cx, digest, code).map(Verdict::Commit),
        Use::None => {}
    }
    if code.expires_at <= cx.now {
        return Ok(Verdict::Discard(UNKNOWN));
    }
    code.used = Use::Spent;
    codes::put(tx, digest, &code)?;
    if let Err(error) = fits(&code, request) {
        told(tx, cx, "code.refused", &code)?;
        return Ok(Verdict::CommitAndRefuse(error));
    }
    let Some(user) = user(tx, client, &code)? else {
        told(tx, cx, "code.refused", &code)?;
        return Ok(Verdict::CommitAndRefuse(UNKNOWN));
    };
    // The epoch of this moment: what is issued now must not count as older than a password that was changed since.
    code.epoch = ended::epoch_within(tx, &Subject::User(user.id.clone()).sub())?;
    open(tx, cx, client, &code, &user)?;
    told(tx, cx, "code.redeemed", &code)?;
    Ok(Verdict::Commit(Outcome::Redeemed(Box::new((code, user)))))
}

fn fits(code: &Code, request: &CodeRequest) -> Result<(), Error> {
    // RFC 6749 §4.1.3: identical to the one the code was sent to.
    if request.redirect_uri.as_deref() != Some(code.redirect_uri.as_str()) {
        return Err(Error::InvalidGrant("Redirect URI mismatch."));
    }
    if pkce::holds(code.challenge.as_deref(), request.verifier.as_deref()) {
        Ok(())
    } else {
        Err(Error::InvalidGrant("the code_verifier does not fit"))
    }
}

/// What the first use issued, ended by the second. A third finds nothing more to end.
fn end(tx: &Tx<'_>, cx: &Cx<'_>, digest: Digest, mut code: Code) -> Result<Outcome, Fault> {
    let sign_in = code.family.sign_in();
    tokens::end_sign_in_within(tx, cx, &sign_in)?;
    told(tx, cx, "code.reused", &code)?;
    code.used = Use::Reused;
    codes::put(tx, digest, &code)?;
    Ok(Outcome::Reused(sign_in))
}

/// The user, if nothing has ended the sign-in meanwhile.
fn user(tx: &Tx<'_>, client: &Client, code: &Code) -> Result<Option<User>, Fault> {
    if !sessions::is_open(tx, &code.session)? {
        return Ok(None);
    }
    let user = users::load(tx, &code.user)?;
    Ok(user.filter(|user| user.disabled.is_none() && client.serves(&user.organization)))
}

fn open(tx: &Tx<'_>, cx: &Cx<'_>, client: &Client, code: &Code, user: &User) -> Result<(), Fault> {
    if !client.may(GrantType::RefreshToken) {
        return Ok(());
    }
    let family = NewFamily::of(code.family);
    let grantee = grantee(client, code, user, &family);
    refresh::open_for_user(tx, cx, &family, client, &grantee, &user.id)
}

fn grantee(client: &Client, code: &Code, user: &User, family: &NewFamily) -> Grantee {
    Grantee {
        subject: Subject::User(user.id.clone()),
        organization: user.organization.clone(),
        client: client.id.clone(),
        roles: user.roles,
        scope: code.scope.clone(),
        sign_in: Some(family.sign_in.clone()),
        epoch: code.epoch,
        front: code.front,
        session: code.bound_session().cloned(),
        signed_in_at: Some(code.signed_in_at),
        claims: code.userinfo_claims.clone(),
        vouched: None,
    }
}

fn told(tx: &Tx<'_>, cx: &Cx<'_>, action: &'static str, code: &Code) -> Result<(), Fault> {
    let event = Event {
        action,
        by: code.client.as_str(),
        to: code.user.as_str(),
        organization: Some(&code.organization),
    };
    audit::record(tx, cx, &event)
}
