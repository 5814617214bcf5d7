//! Verifications as stored: secret and destination sealed, and found again by a keyed digest of the destination.
//!
//! Nothing here shows a code or a number to whoever has the store and not the master key.

use serde::{Deserialize, Serialize};

use super::Behalf;
use super::destinations::Destination;
use crate::crypto::one_time_code::{self, CODE_SECRET_LEN};
use crate::domain::ports::Channel;
use crate::domain::{Cx, epoch, expiries};
use crate::kernel::{ApplicationId, Digest, Fault, OrgId, Secret, Timestamp, VerificationId, hex};
use crate::store::{Key as _, Record, Table, Tx};

const VERIFICATIONS: Table<VerificationId, VerificationRecord> = Table::named("verifications");
const VERIFICATIONS_BY_DESTINATION: Table<Digest, VerificationId> =
    Table::named("verifications_by_destination");

/// What a verification has come to. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// The code was sent and has not come back.
    Pending,
    /// It came back.
    Verified,
    /// It is paying for something whose outcome is not known yet.
    Held,
    /// It has paid.
    Spent,
}

/// One code that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct VerificationRecord {
    pub(super) organization: OrgId,
    pub(super) application: Option<ApplicationId>,
    pub(super) channel: Channel,
    /// The code's secret and after it the destination.
    pub(super) sealed: Vec<u8>,
    /// Where it is found by whoever asks again.
    pub(super) place: Digest,
    /// The destination within its organization.
    pub(super) destination: Digest,
    /// The country the number belongs to.
    pub(super) country: Option<String>,
    /// The number without its last digits, within its organization, where it was counted among its neighbours.
    pub(super) neighbours: Option<Digest>,
    /// Whether somebody without a token asked for it.
    pub(super) is_strangers: bool,
    pub(super) digits: u32,
    pub(super) life_seconds: u64,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) state: State,
    /// Wrong codes that were looked at.
    pub(super) wrong: u32,
}

impl Record for VerificationRecord {
    const VERSION: u8 = 1;
}

impl Record for VerificationId {
    const VERSION: u8 = 1;
}

/// What is sealed in a verification.
pub(super) struct Content {
    /// The code that was sent.
    pub(super) code: Secret<String>,
    /// Where it was sent to.
    pub(super) to: String,
}

impl VerificationRecord {
    /// Opens what is sealed. It draws nothing, so it may be done in a transaction.
    pub(super) fn content(&self, cx: &Cx<'_>, id: &VerificationId) -> Result<Content, Fault> {
        let plain = cx.appliance.keyring.open(&label(id), &self.sealed)?;
        let broken = || Fault::internal(format!("the content of verification {id}"));
        let (secret, to) = plain
            .expose()
            .split_at_checked(CODE_SECRET_LEN)
            .ok_or_else(broken)?;
        let to = String::from_utf8(to.to_vec()).map_err(|_| broken())?;
        let secret = Secret::new(secret.to_vec());
        let code = one_time_code::code(&secret, self.issued_at, self.life_seconds, self.digits)?;
        Ok(Content { code, to })
    }

    /// The destination's name among counters.
    pub(super) fn counted_as(&self) -> String {
        hex::encode(self.destination.as_bytes())
    }
}

/// Seals a new secret and the destination. Outside transactions, because it draws.
pub(super) fn seal(cx: &Cx<'_>, id: &VerificationId, to: &Destination) -> Result<Vec<u8>, Fault> {
    let mut plain = cx.entropy().bytes::<CODE_SECRET_LEN>().to_vec();
    plain.extend_from_slice(to.text().as_bytes());
    let plain = Secret::new(plain);
    let keyring = &cx.appliance.keyring;
    keyring.seal(&label(id), plain.expose(), cx.entropy())
}

/// The destination within its organization: another one knows it by another digest.
pub(super) fn destination(cx: &Cx<'_>, organization: &OrgId, to: &str) -> Digest {
    let whole = format!("{organization}\n{}", Destination::canonical(to));
    cx.appliance
        .keyring
        .digest("code destination", whole.as_bytes())
}

/// A number without its last digits, within its organization.
pub(super) fn neighbours(cx: &Cx<'_>, organization: &OrgId, to: &Destination) -> Option<Digest> {
    let whole = format!("{organization}\n{}", to.neighbourhood()?);
    let keyring = &cx.appliance.keyring;
    Some(keyring.digest("code neighbours", whole.as_bytes()))
}

/// Where a verification is found by whoever asks again for the same. Another spelling is another place, because a
/// message goes to the spelling it was asked for with; and nobody with a token is given what a stranger began.
pub(super) fn place(cx: &Cx<'_>, behalf: &Behalf, channel: Channel, to: &Destination) -> Digest {
    let application = behalf.application.as_ref();
    let application = application.map_or("", ApplicationId::as_str);
    let who = if behalf.is_stranger() { "stranger" } else { "" };
    let (organization, channel) = (&behalf.organization, channel.name());
    let whole = format!(
        "{organization}\n{channel}\n{application}\n{who}\n{}",
        to.spelling()
    );
    cx.appliance.keyring.digest("code place", whole.as_bytes())
}

/// The verification of that id; none from before the epoch is known any more.
pub(super) fn load(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    id: &VerificationId,
) -> Result<Option<VerificationRecord>, Fault> {
    Ok(known(cx, tx.get(&VERIFICATIONS, id)?))
}

/// The same for whoever only looks.
pub(super) fn get(cx: &Cx<'_>, id: &VerificationId) -> Result<Option<VerificationRecord>, Fault> {
    Ok(known(cx, cx.view().get(&VERIFICATIONS, id)?))
}

fn known(cx: &Cx<'_>, found: Option<VerificationRecord>) -> Option<VerificationRecord> {
    found.filter(|record| epoch::ended(cx, record.issued_at).is_none())
}

/// The last verification made at a place, if it is still there.
pub(super) fn at(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    place: Digest,
) -> Result<Option<(VerificationId, VerificationRecord)>, Fault> {
    let Some(id) = tx.get(&VERIFICATIONS_BY_DESTINATION, &place)? else {
        return Ok(None);
    };
    Ok(load(tx, cx, &id)?.map(|record| (id, record)))
}

/// Keeps a new verification, in place of the last one for the same.
pub(super) fn add(
    tx: &Tx<'_>,
    id: &VerificationId,
    record: &VerificationRecord,
) -> Result<(), Fault> {
    put(tx, id, record)?;
    tx.put(&VERIFICATIONS_BY_DESTINATION, &record.place, id)?;
    let kept_until = record.expires_at.after(super::KEPT);
    let mut key = Vec::new();
    id.write(&mut key);
    expiries::expect(tx, kept_until, expiries::Kind::Verification, &key)
}

/// Keeps a changed verification.
pub(super) fn put(
    tx: &Tx<'_>,
    id: &VerificationId,
    record: &VerificationRecord,
) -> Result<(), Fault> {
    tx.put(&VERIFICATIONS, id, record)
}

/// Removes a verification that is over.
pub(super) fn sweep(tx: &Tx<'_>, now: Timestamp, key: &[u8]) -> Result<(), Fault> {
    let Some(id) = VerificationId::read(&mut &*key) else {
        return Ok(());
    };
    let Some(record) = tx.get(&VERIFICATIONS, &id)? else {
        return Ok(());
    };
    if record.expires_at.after(super::KEPT) > now {
        return Ok(());
    }
    if tx
        .get(&VERIFICATIONS_BY_DESTINATION, &record.place)?
        .as_ref()
        == Some(&id)
    {
        tx.remove(&VERIFICATIONS_BY_DESTINATION, &record.place)?;
    }
    tx.remove(&VERIFICATIONS, &id)?;
    Ok(())
}

fn label(id: &VerificationId) -> String {
    format!("{}/{id}", VERIFICATIONS.name())
}
