//! Using a ticket: at most once where its kind says so. Look-up, judgement and spending are one transaction.

use std::time::Duration;

use super::{Facts, Standing, Ticket, digest, guesses, records};
use crate::domain::Cx;
use crate::domain::audit::{self, Event};
use crate::domain::throttle::{self, Counter};
use crate::kernel::{Digest, Fault, TicketId};
use crate::store::Tx;

/// Why a ticket is refused. The words are the contract's where it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Revoked for good.
    Revoked,
    /// Disabled for now.
    Disabled,
    /// Its time is over.
    Expired,
    /// Its one use was spent.
    Used,
    /// There is none of that id.
    NotFound,
    /// Its time has not come.
    NotStarted,
}

impl Refusal {
    /// The `error_description` real clients look for.
    pub fn word(self) -> &'static str {
        match self {
            Self::Revoked => "REVOKED",
            Self::Disabled => "DISABLED",
            Self::Expired => "EXPIRED",
            Self::Used => "USED",
            Self::NotFound => "NOT_FOUND",
            Self::NotStarted => "NOT_STARTED",
        }
    }
}

/// What came of presenting a ticket.
pub(in crate::domain) enum Redemption {
    /// It was good; a single use is now spent.
    Redeemed(Box<Ticket>),
    /// It was not; what must be counted has been.
    Refused(Refusal),
    /// Too many wrong guesses: it was not even looked at.
    TooManyGuesses(Duration),
}

/// Presents a ticket. The caller keeps the transaction unless it was not looked at.
pub(in crate::domain) fn redeem(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    id: &TicketId,
) -> Result<Redemption, Fault> {
    if let Some(wait) = guesses::wait(tx, cx, id)? {
        return Ok(Redemption::TooManyGuesses(wait));
    }
    let digest = digest(cx, id);
    let Some(mut facts) = records::load(tx, cx, digest)? else {
        guesses::count(tx, cx, id)?;
        return Ok(Redemption::Refused(Refusal::NotFound));
    };
    if let Some(refusal) = refusal(facts.standing(cx.now, &cx.policy().tickets)) {
        if refusal == Refusal::Expired {
            guesses::count(tx, cx, id)?;
        }
        refused(tx, cx, &facts)?;
        return Ok(Redemption::Refused(refusal));
    }
    if facts.kind.is_single_use() {
        facts.used = Some(cx.now);
        records::put(tx, digest, &facts)?;
    }
    guesses::succeeded(tx, cx)?;
    told(tx, cx, "ticket.redeemed", &facts)?;
    Ok(Redemption::Redeemed(Box::new(Ticket {
        id: id.clone(),
        facts,
    })))
}

/// Whether a sign-in that began with this ticket may go on: until it ends, whether or not its one use is spent.
pub(in crate::domain) fn may_renew(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    digest: Digest,
) -> Result<Result<Facts, Refusal>, Fault> {
    let Some(facts) = records::load(tx, cx, digest)? else {
        return Ok(Err(Refusal::NotFound));
    };
    match facts.standing(cx.now, &cx.policy().tickets) {
        Standing::Usable | Standing::TooEarly => Ok(Ok(facts)),
        Standing::Used if facts.expires_at > cx.now => Ok(Ok(facts)),
        Standing::Used | Standing::Expired => Ok(Err(Refusal::Expired)),
        Standing::Disabled => Ok(Err(Refusal::Disabled)),
        Standing::Revoked => Ok(Err(Refusal::Revoked)),
    }
}

fn refusal(standing: Standing) -> Option<Refusal> {
    match standing {
        Standing::Usable => None,
        Standing::TooEarly => Some(Refusal::NotStarted),
        Standing::Disabled => Some(Refusal::Disabled),
        Standing::Revoked => Some(Refusal::Revoked),
        Standing::Expired => Some(Refusal::Expired),
        Standing::Used => Some(Refusal::Used),
    }
}

/// Tells of a refusal once an hour and ticket, so that presenting a spent one again and again does not fill the disk.
fn refused(tx: &Tx<'_>, cx: &Cx<'_>, facts: &Facts) -> Result<(), Fault> {
    let counter = Counter::RefusedTicket(&facts.user);
    throttle::count(tx, cx.now, counter)?;
    if throttle::read(tx, cx.now, counter)?.count > 1 {
        return Ok(());
    }
    told(tx, cx, "ticket.refused", facts)
}

fn told(tx: &Tx<'_>, cx: &Cx<'_>, action: &'static str, facts: &Facts) -> Result<(), Fault> {
    let (by, organization) = (facts.user.as_str(), Some(&facts.organization));
    audit::record(
        tx,
        cx,
        &Event {
            action,
            by,
            to: by,
            organization,
        },
    )
}
