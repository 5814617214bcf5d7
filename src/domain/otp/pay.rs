//! A code that pays for one callback: held while an upstream is asked, then spent or given back.
//!
//! Every step is part of a transaction of whoever is paid. What stays held, because the process died or the upstream
//! did not answer, is never usable again: perhaps it was paid for.

use super::Error;
use super::records::{self, State, VerificationRecord};
use super::verify::{Judgement, judge};
use crate::domain::Cx;
use crate::domain::audit::{self, Event};
use crate::domain::ports::Channel;
use crate::kernel::{ApplicationId, Fault, OrgId, VerificationId};
use crate::store::Tx;

/// A verification that pays for something. It has no `Debug`, because nothing logs a number.
#[derive(Clone)]
pub struct Held {
    /// Which.
    pub id: VerificationId,
    /// Whose it is.
    pub organization: OrgId,
    /// How the code was sent.
    pub channel: Channel,
    /// The destination that answered.
    pub to: String,
    /// The application it was asked for under.
    pub application: Option<ApplicationId>,
}

/// Checks a code and holds its verification. A wrong one is counted, so whoever calls must keep the transaction then.
pub fn hold(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    id: &VerificationId,
    code: &str,
) -> Result<Result<Held, Error>, Fault> {
    let Some(mut record) = records::load(tx, cx, id)? else {
        return Ok(Err(Error::NotFound));
    };
    match judge(tx, cx, (id, &mut record), code)? {
        Judgement::Right(_) => {}
        Judgement::Refused(error) => return Ok(Err(error)),
        Judgement::Wrong => {
            told(tx, cx, "code.refused", (id, &record))?;
            return Ok(Err(Error::Wrong));
        }
    }
    let to = record.content(cx, id)?.to;
    moved(tx, cx, (id, &mut record), State::Held, "code.held")?;
    Ok(Ok(Held {
        id: id.clone(),
        organization: record.organization,
        channel: record.channel,
        to,
        application: record.application,
    }))
}

/// What was held has paid; false where nothing was held.
pub fn spend(tx: &Tx<'_>, cx: &Cx<'_>, id: &VerificationId) -> Result<bool, Fault> {
    let Some(mut record) = held(tx, cx, id)? else {
        return Ok(false);
    };
    moved(tx, cx, (id, &mut record), State::Spent, "code.spent")?;
    Ok(true)
}

/// What was held has certainly not paid and may pay again within its life.
pub fn release(tx: &Tx<'_>, cx: &Cx<'_>, id: &VerificationId) -> Result<(), Fault> {
    let Some(mut record) = held(tx, cx, id)? else {
        return Ok(());
    };
    moved(tx, cx, (id, &mut record), State::Verified, "code.released")
}

fn held(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    id: &VerificationId,
) -> Result<Option<VerificationRecord>, Fault> {
    let found = records::load(tx, cx, id)?;
    Ok(found.filter(|record| record.state == State::Held))
}

fn moved(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    (id, record): (&VerificationId, &mut VerificationRecord),
    to: State,
    action: &'static str,
) -> Result<(), Fault> {
    record.state = to;
    records::put(tx, id, record)?;
    told(tx, cx, action, (id, record))
}

fn told(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    action: &'static str,
    (id, record): (&VerificationId, &VerificationRecord),
) -> Result<(), Fault> {
    let event = Event {
        action,
        by: "",
        to: id.as_str(),
        organization: Some(&record.organization),
    };
    audit::record(tx, cx, &event)
}
