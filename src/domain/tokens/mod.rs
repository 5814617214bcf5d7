//! Access and refresh tokens: what they carry, whether they are alive, and how a bearer becomes a `Caller`.
//!
//! Access tokens are signed and not stored; what has been ended before its time is (decision 0006).

pub(in crate::domain) mod ended;
mod mint;
pub mod ping;
mod records;
pub mod refresh;
mod verified;

use std::sync::Arc;

use crate::domain::access::{Caller, Roles, Subject, Vouched};
use crate::domain::audit::{self, Event};
use crate::domain::clients::Client;
use crate::domain::{Appliance, Cx, Front};
use crate::kernel::{ClientId, FamilyId, Fault, OrgId, SessionId, SignInId, Timestamp, TokenId};

use crate::store::{Tx, Verdict};

pub use ended::{Ended, Spared, Thing};
pub use mint::AccessToken;
pub(in crate::domain) use verified::Verified;

/// Whom a token is for and what it may do.
#[derive(Debug, Clone)]
pub struct Grantee {
    /// Whom it speaks for.
    pub subject: Subject,
    /// In which organization.
    pub organization: OrgId,
    /// The client it is issued to.
    pub client: ClientId,
    /// What its bearer may be.
    pub roles: Roles,
    /// The granted scopes, joined by spaces.
    pub scope: String,
    /// The sign-in it came of; a client's own tokens have none.
    pub sign_in: Option<SignInId>,
    /// The subject's epoch, from the transaction that grants: one that moved since makes the token a dead one.
    pub epoch: u64,
    /// The front whose issuer it names.
    pub front: Front,
    /// The browser's session it came of, with which it ends.
    pub session: Option<SessionId>,
    /// When the user proved who it is; nobody did for a client's or customer's token.
    pub signed_in_at: Option<Timestamp>,
    /// The claims asked for from user info one by one (OpenID Connect Core §5.5).
    pub claims: Vec<String>,
    /// The integration that vouched for the user, if one did.
    pub vouched: Option<Vouched>,
}

impl Grantee {
    /// Whom a token like the caller's is for.
    fn of(caller: &Caller) -> Self {
        Self {
            subject: caller.subject.clone(),
            organization: caller.organization.clone(),
            client: caller.client.clone(),
            roles: caller.roles,
            scope: caller.scope.clone(),
            sign_in: caller.sign_in.clone(),
            epoch: caller.epoch,
            front: caller.front,
            session: caller.session.clone(),
            signed_in_at: caller.signed_in_at,
            claims: caller.claims.clone(),
            vouched: caller.vouched.clone(),
        }
    }
}

/// Why a bearer is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is none of our tokens.
    #[error("Invalid access token")]
    Invalid,
    /// It was one of ours until it expired.
    #[error("Access token expired")]
    Expired,
    /// It was ended before its time.
    #[error("Access token was ended")]
    Ended,
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Signs an access token for `grantee`, alive from now for the client's lifetime.
pub fn mint(cx: &Cx<'_>, grantee: &Grantee, client: &Client) -> Result<AccessToken, Fault> {
    mint::sign(cx, grantee, client)
}

/// Turns a presented bearer into the caller it speaks for.
pub fn authenticate(cx: &Cx<'_>, bearer: &str) -> Result<Arc<Caller>, Error> {
    let appliance = cx.appliance;
    let keys = appliance.signing.verifier();
    let caller = appliance.verified.caller(keys.edition(), bearer, || {
        mint::verify(appliance, &keys, bearer)
    })?;
    if caller.expires_at <= cx.now {
        return Err(Error::Expired);
    }
    if appliance.ended.covers(&caller) {
        return Err(Error::Ended);
    }
    Ok(caller)
}

/// Whom access tokens are for: their `aud`.
pub(in crate::domain) fn audience<'a>(cx: &Cx<'a>) -> &'a str {
    mint::audience(cx.appliance)
}

/// The epoch that something granted to `subject` now is granted under.
pub fn epoch(cx: &Cx<'_>, subject: &Subject) -> u64 {
    cx.appliance.ended().epoch(&subject.sub())
}

/// Ends one thing before its time: every token it covers is dead for the request after the answer.
pub fn end(cx: &Cx<'_>, by: &Caller, thing: Thing) -> Result<(), Fault> {
    let until = if thing == Thing::Token(by.token.clone()) {
        by.expires_at
    } else {
        remembered_until(cx)
    };
    let turn = cx.appliance.ended().turn();
    cx.write_vital(|tx| {
        ended::put(tx, &thing, until)?;
        told(tx, cx, by, "tokens.ended", thing.word())?;
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    turn.ended(thing);
    Ok(())
}

/// Ends one sign-in: its access tokens, and its refresh family for good.
pub fn end_sign_in(cx: &Cx<'_>, by: &Caller, sign_in: &SignInId) -> Result<(), Fault> {
    let turn = cx.appliance.ended().turn();
    cx.write_vital(|tx| {
        end_sign_in_within(tx, cx, sign_in)?;
        told(tx, cx, by, "tokens.ended", sign_in.as_str())?;
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    turn.ended(Thing::SignIn(sign_in.clone()));
    Ok(())
}

/// The same inside somebody else's transaction; `turn.ended` follows it.
pub(in crate::domain) fn end_sign_in_within(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    sign_in: &SignInId,
) -> Result<(), Fault> {
    if let Some(family) = FamilyId::of(sign_in) {
        refresh::close(tx, &family)?;
    }
    let thing = Thing::SignIn(sign_in.clone());
    ended::put(tx, &thing, remembered_until(cx))
}

/// Ends every token of a subject: its epoch moves, and tokens carry the one they were issued under.
pub fn end_all(cx: &Cx<'_>, by: &Caller, subject: &Subject) -> Result<(), Fault> {
    let sub = subject.sub();
    let turn = cx.appliance.ended().turn();
    let epoch = cx.write_vital(|tx| {
        let epoch = ended::move_epoch(tx, &sub, Spared::default())?;
        told(tx, cx, by, "tokens.all_ended", &sub)?;
        Ok(Verdict::<_, Fault>::Commit(epoch))
    })?;
    turn.moved(sub, epoch);
    Ok(())
}

fn told(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    by: &Caller,
    action: &'static str,
    to: &str,
) -> Result<(), Fault> {
    let (by, organization) = (by.subject().sub(), Some(by.organization()));
    audit::record(
        tx,
        cx,
        &Event {
            action,
            by: &by,
            to,
            organization,
        },
    )
}

/// Until when a thing ended must be remembered: as long as a token issued before could live.
pub(in crate::domain) fn remembered_until(cx: &Cx<'_>) -> Timestamp {
    cx.now.after(cx.policy().longest_signed())
}

impl Appliance {
    /// What has been ended before its time.
    pub(in crate::domain) fn ended(&self) -> &Ended {
        &self.ended
    }
}

/// A new token's id.
pub(in crate::domain) fn draw_id(cx: &Cx<'_>) -> TokenId {
    TokenId::draw(cx.entropy())
}
