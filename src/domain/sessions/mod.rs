//! Browsers' sessions: who has signed in on our page, so that the next client need not ask again.
//!
//! The cookie is the session's id and a secret; the record keeps the secret's digest. Ending a session ends every
//! sign-in that came of it.

mod records;

use super::Cx;
use super::access::Subject;
use super::audit::{self, Event};
use super::tokens::ended;
use super::users::User;
use crate::kernel::{Digest, Fault, OrgId, Secret, SessionId, Timestamp, UserId};
use crate::store::{Tx, Verdict};
use records::SessionRecord;

/// A session that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its identifier: the `sid` of its ID tokens.
    pub id: SessionId,
    /// Who signed in.
    pub user: UserId,
    /// In which organization.
    pub organization: OrgId,
    /// When that was.
    pub signed_in_at: Timestamp,
    /// The user's epoch at that time.
    pub epoch: u64,
}

/// A session about to begin. Drawn before the transaction, whose body may run again.
pub struct NewSession {
    /// Its identifier.
    pub id: SessionId,
    secret: Secret<String>,
}

impl NewSession {
    /// A session that exists nowhere yet.
    pub fn draw(cx: &Cx<'_>) -> Self {
        Self {
            id: SessionId::draw(cx.entropy()),
            secret: Secret::new(cx.entropy().token::<32>()),
        }
    }

    /// What the browser keeps: the only sight of the secret.
    pub fn cookie(&self) -> Secret<String> {
        Secret::new(format!("{}.{}", self.id, self.secret.expose()))
    }
}

/// Begins a session within the transaction of a sign-in.
pub fn begin(tx: &Tx<'_>, cx: &Cx<'_>, new: &NewSession, user: &User) -> Result<Session, Fault> {
    let sub = Subject::User(user.id.clone()).sub();
    let policy = &cx.policy().sessions;
    let record = SessionRecord {
        user: user.id.clone(),
        organization: user.organization.clone(),
        secret: digest(cx, new.secret.expose()),
        signed_in_at: cx.now,
        idle_until: cx.now.after(policy.idle),
        ends_at: cx.now.after(policy.absolute),
        epoch: ended::epoch_within(tx, &sub)?,
    };
    records::put(tx, &new.id, &record)?;
    records::expect(tx, &new.id, record.last_use())?;
    Ok(record.session(&new.id))
}

/// The session a cookie stands for, if it is alive.
pub fn find(cx: &Cx<'_>, cookie: &str) -> Result<Option<Session>, Fault> {
    let Some((id, secret)) = cookie.split_once('.') else {
        return Ok(None);
    };
    let Ok(id) = id.parse::<SessionId>() else {
        return Ok(None);
    };
    let presented = digest(cx, secret);
    let record = records::get(&cx.view(), &id)?.filter(|record| record.secret == presented);
    let alive = record.filter(|record| is_alive(cx, &id, record));
    Ok(alive.map(|record| record.session(&id)))
}

/// Moves the end of a session that is in use; only once a good part of its idle time is over, so that few uses write.
pub fn touch(cx: &Cx<'_>, session: &Session) -> Result<(), Fault> {
    let idle = cx.policy().sessions.idle;
    let is_fresh = |record: &SessionRecord| record.idle_until.since(cx.now) > idle / 10 * 9;
    let stored = records::get(&cx.view(), &session.id)?;
    if stored.as_ref().is_none_or(is_fresh) {
        return Ok(());
    }
    cx.write_unrecorded(|tx| {
        if let Some(mut record) = records::load(tx, &session.id)? {
            record.idle_until = cx.now.after(idle);
            records::put(tx, &session.id, &record)?;
        }
        Ok(Verdict::<(), Fault>::Commit(()))
    })
}

/// Whether the session may still give sign-ins, as the transaction sees it.
pub(in crate::domain) fn is_open(tx: &Tx<'_>, id: &SessionId) -> Result<bool, Fault> {
    let Some(record) = records::load(tx, id)? else {
        return Ok(false);
    };
    let sub = Subject::User(record.user).sub();
    Ok(!ended::is_past_session(tx, &sub, record.epoch, id)?)
}

/// Ends a session and every sign-in that came of it, within somebody else's transaction, whether or not the browser
/// still keeps it; `turn.ended` follows it.
pub(in crate::domain) fn end_within(tx: &Tx<'_>, cx: &Cx<'_>, id: &SessionId) -> Result<(), Fault> {
    records::remove(tx, id)?;
    ended::end_session(tx, cx, id)
}

/// Removes a session alone: the browser forgets who signed in, and what came of it lives on.
pub fn forget(cx: &Cx<'_>, id: &SessionId) -> Result<(), Fault> {
    cx.write_vital(|tx| {
        if let Some(record) = records::load(tx, id)? {
            let event = Event {
                action: "session.forgotten",
                by: record.user.as_str(),
                to: id.as_str(),
                organization: None,
            };
            audit::record(tx, cx, &event)?;
        }
        forget_within(tx, id)?;
        Ok(Verdict::<(), Fault>::Commit(()))
    })
}

/// The same within somebody else's transaction.
pub(in crate::domain) fn forget_within(tx: &Tx<'_>, id: &SessionId) -> Result<(), Fault> {
    records::remove(tx, id)
}

/// Removes a session whose time is over, or asks to be woken when it is.
pub(in crate::domain) fn sweep(tx: &Tx<'_>, now: Timestamp, key: &[u8]) -> Result<(), Fault> {
    records::sweep(tx, now, key)
}

fn is_alive(cx: &Cx<'_>, id: &SessionId, record: &SessionRecord) -> bool {
    let sub = Subject::User(record.user.clone()).sub();
    let ended = cx.appliance.ended();
    record.last_use() > cx.now && !ended.covers_session(id, &sub, record.epoch)
}

fn digest(cx: &Cx<'_>, secret: &str) -> Digest {
    cx.appliance
        .keyring
        .bearer_digest("session", secret.as_bytes())
}
