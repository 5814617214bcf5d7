//! Authorization codes as stored: by digest, bound to client, redirect URI, challenge and sign-in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::expiries::{self, Kind};
use crate::domain::{Cx, Front};
use crate::kernel::{
    ClientId, Digest, FamilyId, Fault, OrgId, Secret, SessionId, Timestamp, UserId,
};
use crate::store::{Record, Table, Tx};

const CODES: Table<Digest, Code> = Table::named("codes");

/// How long a code can be used.
pub(super) const LIFE: Duration = Duration::from_mins(1);
/// How long a code that is over is remembered, so that a second use of it can end what the first issued.
const REMEMBERED: Duration = Duration::from_hours(24);

/// What a code was issued for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Code {
    pub client: ClientId,
    pub redirect_uri: String,
    pub challenge: Option<String>,
    pub user: UserId,
    pub organization: OrgId,
    pub scope: String,
    pub nonce: Option<String>,
    pub id_token_claims: Vec<String>,
    pub userinfo_claims: Vec<String>,
    pub signed_in_at: Timestamp,
    pub session: SessionId,
    /// The session goes on without what was granted for when nobody is there.
    pub offline: bool,
    /// The epoch its tokens are issued under, once it is used.
    pub epoch: u64,
    pub front: Front,
    /// The sign-in that begins with it, so that a second use finds what to end.
    pub family: FamilyId,
    pub expires_at: Timestamp,
    pub used: Use,
}

/// How often a code was used. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Use {
    /// Not yet.
    None,
    /// Once.
    Spent,
    /// More than once: what the first use issued is ended.
    Reused,
}

impl Record for Code {
    const VERSION: u8 = 1;
}

impl Code {
    /// The session with which its sign-in ends.
    pub(super) fn bound_session(&self) -> Option<&SessionId> {
        (!self.offline).then_some(&self.session)
    }
}

/// A code that exists nowhere yet: 256 random bits.
pub(super) fn draw(cx: &Cx<'_>) -> Secret<String> {
    Secret::new(cx.entropy().token::<32>())
}

pub(super) fn digest(cx: &Cx<'_>, code: &str) -> Digest {
    cx.appliance.keyring.bearer_digest("code", code.as_bytes())
}

pub(super) fn load(tx: &Tx<'_>, digest: Digest) -> Result<Option<Code>, Fault> {
    tx.get(&CODES, &digest)
}

pub(super) fn put(tx: &Tx<'_>, digest: Digest, code: &Code) -> Result<(), Fault> {
    tx.put(&CODES, &digest, code)
}

/// Keeps a new code.
pub(super) fn issue(tx: &Tx<'_>, digest: Digest, code: &Code) -> Result<(), Fault> {
    put(tx, digest, code)?;
    let forgotten_at = code.expires_at.after(REMEMBERED);
    expiries::expect(tx, forgotten_at, Kind::Code, digest.as_bytes())
}

/// Removes a code nobody need be told of any more.
pub(in crate::domain) fn sweep(tx: &Tx<'_>, now: Timestamp, key: &[u8]) -> Result<(), Fault> {
    let Ok(digest) = <[u8; 32]>::try_from(key).map(Digest::from_bytes) else {
        return Ok(());
    };
    let over = |code: &Code| code.expires_at.after(REMEMBERED) <= now;
    if load(tx, digest)?.is_some_and(|code| over(&code)) {
        tx.remove(&CODES, &digest)?;
    }
    Ok(())
}
