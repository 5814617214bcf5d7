//! A refresh token for the next pair (RFC 6749 §6): used once, forgiven within the grace, fatal to its family after.

use super::super::{Error, Granted, scope};
use super::ticket::extras;
use crate::domain::Cx;
use crate::domain::clients::Client;
use crate::domain::tickets::{self, Facts};
use crate::domain::tokens::refresh::{self, Refusal, Renewed, Ticketed};
use crate::domain::tokens::{self, Thing};
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
    let outcome = cx.write(|tx| renew(tx, cx, client, presented, asked))?;
    let (renewed, facts, scope) = match outcome {
        Outcome::Renewed(renewed, facts, scope) => (renewed, facts, scope),
        Outcome::Reused(thing) => {
            turn.ended(thing);
            return Err(UNKNOWN);
        }
    };
    drop(turn);
    let mut grantee = renewed.grantee.clone();
    grantee.scope.clone_from(&scope);
    let device_id = grantee
        .sign_in
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    Ok(Granted {
        access: tokens::mint(cx, &grantee, client)?,
        refresh: Some(renewed.token(cx)),
        sub: grantee.subject.sub(),
        organization: grantee.organization,
        customer: Some(extras(&facts, device_id)),
        scope,
    })
}

const UNKNOWN: Error = Error::InvalidRefreshToken("Invalid refresh token");

enum Outcome {
    Renewed(Box<Renewed>, Box<Facts>, String),
    Reused(Thing),
}

fn renew(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    client: &Client,
    presented: Ticketed,
    asked: Option<&str>,
) -> Result<Verdict<Outcome, Error>, Fault> {
    let renewed = match refresh::look(tx, cx, presented, client)? {
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
    let facts = match tickets::may_renew(tx, cx, renewed.ticket)? {
        Ok(facts) => facts,
        Err(refusal) => return Ok(Verdict::Discard(Error::Ticket(refusal))),
    };
    let scope = match scope::narrow(&renewed.grantee.scope, asked) {
        Ok(scope) => scope,
        Err(error) => return Ok(Verdict::Discard(error)),
    };
    refresh::rotate(tx, cx, presented, client)?;
    Ok(Verdict::Commit(Outcome::Renewed(
        Box::new(renewed),
        Box::new(facts),
        scope,
    )))
}
