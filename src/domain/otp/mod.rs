//! One-time codes: requested, delivered, checked, and spent on one callback (product §7).
//!
//! A code is worked out from a secret drawn for one verification and sealed in it. A verification answers only to its
//! destination, its organization and the application it was asked for under (S17); whoever presents anything else
//! learns no more than that there is none. Contract A leaves the limits open; they are those of [`CodePolicy`].
//!
//! [`CodePolicy`]: super::policy::CodePolicy

mod budget;
mod destinations;
pub mod outbox;
mod pay;
mod records;
mod request;
mod verify;

use std::time::Duration;

use super::access::{Action, Caller, Denied, rules};
use super::{Cx, Origin, applications, organizations};
use crate::kernel::{ApplicationId, Fault, Network, OrgId, Timestamp};
use crate::store::Tx;

pub use pay::{Held, hold, release, spend};
pub use request::{Ask, request};
pub use verify::{Claim, verify};

/// Why an operation on one-time codes failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such verification: it never was, it is over, it is spent, or it is somebody else's.
    #[error("there is no such verification")]
    NotFound,
    /// The code is not the one that was sent.
    #[error("the code is wrong")]
    Wrong,
    /// No more codes are looked at for so long.
    #[error("too many wrong codes")]
    TooMany(Duration),
    /// No more messages are sent for so long, and why.
    #[error("{0}")]
    Paused(&'static str, Duration),
    /// Nothing is sent there, and why.
    #[error("{0}")]
    Refused(String),
    /// The request asks for something no message can be.
    #[error("{0}")]
    Invalid(String),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Who asks: the bearer of a token or, where that is switched on, somebody without one.
pub struct Asker<'a> {
    /// The bearer.
    pub caller: Option<&'a Caller>,
    /// The application it asks for, if it names one; for somebody without a token it also names the organization.
    pub application: Option<ApplicationId>,
}

/// Whether somebody without a token may have codes sent and checked.
pub fn is_open_to_strangers(cx: &Cx<'_>) -> bool {
    cx.policy().codes.anonymous
}

/// On whose behalf something is asked.
struct Behalf {
    organization: OrgId,
    application: Option<ApplicationId>,
    /// As the audit names it.
    by: String,
    /// Where somebody without a token asks from.
    stranger: Option<Network>,
}

impl Behalf {
    /// Whether nobody vouches for it.
    fn is_stranger(&self) -> bool {
        self.stranger.is_some()
    }

    fn of(cx: &Cx<'_>, asker: &Asker<'_>) -> Result<Self, Error> {
        let Some(caller) = asker.caller else {
            return Self::of_stranger(cx, asker);
        };
        rules::may(caller, Action::RequestCode)?;
        let by = caller.subject().sub();
        let vouched = caller.vouched().map(|vouched| &vouched.by);
        let Some(id) = asker.application.as_ref().or(vouched) else {
            return Ok(Self {
                organization: caller.organization().clone(),
                application: None,
                by,
                stranger: None,
            });
        };
        let organization = owner(cx, id)?;
        let organization = organization.filter(|owner| rules::sees(caller, owner));
        Ok(Self {
            organization: organization.ok_or_else(no_application)?,
            application: Some(id.clone()),
            by,
            stranger: None,
        })
    }

    fn of_stranger(cx: &Cx<'_>, asker: &Asker<'_>) -> Result<Self, Error> {
        let organization = if let Some(id) = &asker.application {
            owner(cx, id)?.ok_or_else(no_application)?
        } else {
            let usual = organizations::called(&cx.view(), None)?;
            let usual = usual.map(|organization| organization.id);
            usual.ok_or_else(|| Error::Invalid("X-ApplicationId is required".into()))?
        };
        let Origin::Peer(network) = cx.origin else {
            return Err(Fault::internal("a stranger from nowhere").into());
        };
        Ok(Self {
            organization,
            application: asker.application.clone(),
            by: String::new(),
            stranger: Some(network),
        })
    }
}

/// The organization of an application that can be used.
fn owner(cx: &Cx<'_>, id: &ApplicationId) -> Result<Option<OrgId>, Fault> {
    let found = applications::find(cx, id)?;
    let alive = found.filter(|found| found.is_open(cx.now));
    Ok(alive.map(|found| found.organization))
}

fn no_application() -> Error {
    Error::Invalid("X-ApplicationId names no application of the organization".into())
}

/// How long a verification is kept when its code is over: whoever it pays for may still be waiting for an upstream.
const KEPT: Duration = Duration::from_hours(1);

/// Removes a verification that is over.
pub(in crate::domain) fn sweep(tx: &Tx<'_>, cx: &Cx<'_>, key: &[u8]) -> Result<(), Fault> {
    records::sweep(tx, cx.now, key)
}

/// How many whole minutes are left, rounded up, as texts say it.
fn minutes_left(now: Timestamp, ends_at: Timestamp) -> u32 {
    u32::try_from(ends_at.since(now).as_secs().div_ceil(60)).unwrap_or(u32::MAX)
}
