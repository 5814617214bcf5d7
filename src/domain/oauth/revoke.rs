//! Revocation (RFC 7009): a client gives a token back before its time.

use super::introspect::missing_token;
use super::{ClientProof, Error, Params, client_auth};
use crate::domain::Cx;
use crate::domain::access::Subject;
use crate::domain::audit::{self, Event};
use crate::domain::clients::Client;
use crate::domain::tokens::{self, Thing, ended, refresh};
use crate::kernel::Fault;
use crate::store::{Tx, Verdict};

/// Ends the presented token. One that is unknown, over or another client's is left alone, and nobody is told which
/// (RFC 7009 §2.2).
pub fn revoke(cx: &Cx<'_>, basic: Option<ClientProof>, params: &Params) -> Result<(), Error> {
    let client = client_auth::authenticate(cx, basic, params)?;
    let token = params.get("token").ok_or_else(missing_token)?;
    match refresh::parse(cx.appliance, token) {
        Some(presented) => end_sign_in(cx, &client, presented)?,
        None => end_access(cx, &client, token)?,
    }
    Ok(())
}

/// A refresh token takes its whole sign-in along (RFC 7009 §2.1).
fn end_sign_in(cx: &Cx<'_>, client: &Client, presented: refresh::Ticketed) -> Result<(), Fault> {
    let turn = cx.appliance.ended().turn();
    let ended = cx.write_vital(|tx| {
        let Some(sign_in) = refresh::sign_in_of(tx, presented, client)? else {
            return Ok(Verdict::<_, Fault>::Commit(None));
        };
        tokens::end_sign_in_within(tx, cx, &sign_in)?;
        told(tx, cx, client, sign_in.as_str())?;
        Ok(Verdict::Commit(Some(sign_in)))
    })?;
    if let Some(sign_in) = ended {
        turn.ended(Thing::SignIn(sign_in));
    }
    Ok(())
}

fn end_access(cx: &Cx<'_>, client: &Client, token: &str) -> Result<(), Fault> {
    let caller = match tokens::authenticate(cx, token) {
        Ok(caller) => caller,
        Err(tokens::Error::Fault(fault)) => return Err(fault),
        Err(_) => return Ok(()),
    };
    if *caller.client() != client.id {
        return Ok(());
    }
    let thing = Thing::Token(caller.token().clone());
    let turn = cx.appliance.ended().turn();
    cx.write_vital(|tx| {
        ended::put(tx, &thing, caller.expires_at())?;
        told(tx, cx, client, caller.token().as_str())?;
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    turn.ended(thing);
    Ok(())
}

fn told(tx: &Tx<'_>, cx: &Cx<'_>, client: &Client, to: &str) -> Result<(), Fault> {
    let by = Subject::Client(client.id.clone()).sub();
    let event = Event {
        action: "tokens.ended",
        by: &by,
        to,
        organization: Some(&client.organization),
    };
    audit::record(tx, cx, &event)
}
