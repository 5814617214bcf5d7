//! Checking a code: looked at so often and no more, whoever asks and however many at once (S14).

use super::records::{self, State, VerificationRecord};
use super::request::told;
use super::{Asker, Behalf, Error, budget};
use crate::crypto::one_time_code;
use crate::domain::Cx;
use crate::kernel::{Fault, VerificationId};
use crate::store::{Tx, Verdict};

/// What somebody claims to have been sent.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// Where to.
    pub to: &'a str,
    /// The code.
    pub code: &'a str,
    /// Under which verification.
    pub verification: &'a str,
}

/// Checks a code. A right one may be checked again as long as it is not spent; a wrong one counts, durably.
pub fn verify(cx: &Cx<'_>, asker: &Asker<'_>, claim: &Claim<'_>) -> Result<(), Error> {
    let behalf = Behalf::of(cx, asker)?;
    let id: VerificationId = claim.verification.parse().map_err(|_| Error::NotFound)?;
    let destination = records::destination(cx, &behalf.organization, claim.to);
    cx.write(|tx| {
        let found = records::load(tx, cx, &id)?.filter(|record| {
            record.organization == behalf.organization
                && record.application == behalf.application
                && record.destination == destination
        });
        let Some(mut record) = found else {
            return Ok(Verdict::Discard(Error::NotFound));
        };
        match judge(tx, cx, (&id, &mut record), claim.code)? {
            Judgement::Right(State::Verified) => Ok(Verdict::Commit(())),
            Judgement::Right(_) => {
                record.state = State::Verified;
                records::put(tx, &id, &record)?;
                told(tx, cx, "code.verified", &behalf, &id)?;
                Ok(Verdict::Commit(()))
            }
            Judgement::Refused(error) => Ok(Verdict::Discard(error)),
            Judgement::Wrong => {
                told(tx, cx, "code.refused", &behalf, &id)?;
                Ok(Verdict::CommitAndRefuse(Error::Wrong))
            }
        }
    })
}

/// What a code is worth.
pub(super) enum Judgement {
    /// It is the one that was sent; the verification stood so.
    Right(State),
    /// It is not, which has been counted.
    Wrong,
    /// It was not looked at.
    Refused(Error),
}

/// Looks at a code, if it may still be looked at. The transaction must be kept unless it was refused.
pub(super) fn judge(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    (id, record): (&VerificationId, &mut VerificationRecord),
    code: &str,
) -> Result<Judgement, Fault> {
    let was = record.state;
    let is_open = matches!(was, State::Pending | State::Verified) && cx.now < record.expires_at;
    if !is_open {
        return Ok(Judgement::Refused(Error::NotFound));
    }
    let policy = &cx.policy().codes;
    let named = record.counted_as();
    if let Some(wait) = budget::guessed(tx, cx, &named, record.is_strangers)? {
        return Ok(Judgement::Refused(Error::TooMany(wait)));
    }
    if record.wrong >= policy.checks {
        let left = record.expires_at.since(cx.now);
        return Ok(Judgement::Refused(Error::TooMany(left)));
    }
    let sent = record.content(cx, id)?.code;
    if one_time_code::is_code(&sent, code) {
        if was == State::Pending {
            budget::answered(tx, cx, record)?;
        }
        return Ok(Judgement::Right(was));
    }
    record.wrong = record.wrong.saturating_add(1);
    records::put(tx, id, record)?;
    budget::wrong(tx, cx, &named, record.is_strangers)?;
    Ok(Judgement::Wrong)
}
