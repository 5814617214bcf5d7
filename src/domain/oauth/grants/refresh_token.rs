//! A refresh token for the next pair (RFC 6749 §6): used once, forgiven within the grace, fatal to its family after.

use super::super::{Error, Granted, scope};
use super::ticket::extras;
use crate::domain::Cx;
use crate::domain::clients::Client;
use crate::domain::oidc::id_token::{self, About};
use crate::domain::tickets::{self, Facts};
use crate::domain::tokens::refresh::{self, Basis, Refusal, Renewed, Ticketed};
use crate::domain::tokens::{self, Thing, ping};
use crate::domain::users::{self, User};
use crate::kernel::{Fault, Secret};
use crate::store::{Tx, Verdict};

pub(super) fn grant(
    cx: &Cx<'_>,
    client: &Client,
    presented: &Secret<String>,
    asked: Option<&str>,
) -> Result<Granted, Error> {
    let presented = refresh::parse(cx.appliance, presented.expose()).ok_or(UNKNOWN)?;
    let turn = cx.appliance.ended().turn();
    // A token takes the place of another; that one was used twice is recorded.
    let outcome = cx.write_unrecorded(|tx| renew(tx, cx, client, presented, asked))?;
    let next = match outcome {
        Outcome::Renewed(next) => next,
        Outcome::Reused(thing) => {
            turn.ended(thing);
            return Err(UNKNOWN);
        }
    };
    drop(turn);
    let Next { renewed, bearer } = *next;
    let grantee = &renewed.grantee;
    let access = tokens::mint(cx, grantee, client)?;
    let (customer, id_token) = match bearer {
        Bearer::Customer(facts) => {
            let sign_in = grantee.sign_in.as_ref();
            let device_id = sign_in.map(ToString::to_string).unwrap_or_default();
            (Some(extras(&facts, device_id)), None)
        }
        Bearer::User(user) => {
            users::is_here(cx, &user.id);
            // OpenID Connect Core §12.2: the same person at the same time, and no nonce.
            let about = About::renewed(&access);
            (
                None,
                id_token::when_asked(cx, client, grantee, &user, &about)?,
            )
        }
    };
    Ok(Granted {
        access,
        refresh: Some(renewed.token(cx)),
        id_token,
        ping: ping::of(cx, grantee)?,
        sub: grantee.subject.sub(),
        organization: grantee.organization.clone(),
        customer,
        scope: grantee.scope.clone(),
    })
}

const UNKNOWN: Error = Error::InvalidRefreshToken("Invalid refresh token");

enum Outcome {
    Renewed(Box<Next>),
    Reused(Thing),
}

/// What the accepted token leads to, its grantee brought up to date.
struct Next {
    renewed: Renewed,
    bearer: Bearer,
}

/// Whom a family speaks for.
pub(in crate::domain::oauth) enum Bearer {
    Customer(Facts),
    User(User),
}

fn renew(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    client: &Client,
    presented: Ticketed,
    asked: Option<&str>,
) -> Result<Verdict<Outcome, Error>, Fault> {
    let mut renewed = match refresh::look(tx, cx, presented, client)? {
        Ok(renewed) => renewed,
        Err(Refusal::Reused(sign_in)) => {
            refresh::end(tx, cx, presented)?;
            return Ok(Verdict::Commit(Outcome::Reused(Thing::SignIn(sign_in))));
        }
        Err(Refusal::Unknown) => return Ok(Verdict::Discard(UNKNOWN)),
        Err(Refusal::WrongClient) => {
            let wrong = "Wrong client for this refresh token";
            return Ok(Verdict::Discard(Error::InvalidRefreshToken(wrong)));
        }
        Err(Refusal::Expired) => return Ok(Verdict::Discard(Error::ExpiredRefreshToken)),
    };
    let bearer = match bearer(tx, cx, &renewed.basis)? {
        Ok(bearer) => bearer,
        Err(error) => return Ok(Verdict::Discard(error)),
    };
    if let Bearer::User(user) = &bearer {
        renewed.follow(user.roles, user.permissions);
    }
    renewed.grantee.scope = match scope::narrow(&renewed.grantee.scope, asked) {
        Ok(scope) => scope,
        Err(error) => return Ok(Verdict::Discard(error)),
    };
    renewed.grantee.epoch = refresh::rotate(tx, cx, presented, client)?;
    Ok(Verdict::Commit(Outcome::Renewed(Box::new(Next {
        renewed,
        bearer,
    }))))
}

/// Whoever the family speaks for, if the ticket or the account still holds.
pub(in crate::domain::oauth) fn bearer(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    basis: &Basis,
) -> Result<Result<Bearer, Error>, Fault> {
    match basis {
        Basis::Ticket(digest) => {
            let facts = tickets::may_renew(tx, cx, *digest)?;
            Ok(facts.map(Bearer::Customer).map_err(Error::Ticket))
        }
        Basis::Account(id) => {
            let user = users::load(tx, id)?.filter(|user| user.disabled.is_none());
            Ok(user.map(Bearer::User).ok_or(UNKNOWN))
        }
    }
}
