//! Key pairs as their keeper looks after them: listed, shown without the private half, removed.

use super::{Error, Key, records, tell};
use crate::domain::Cx;
use crate::domain::access::{Action, Caller, rules};
use crate::kernel::KeyId;
use crate::store::Verdict;

/// The key pairs of the caller's organization, without their private halves.
pub fn list(cx: &Cx<'_>, caller: &Caller) -> Result<Vec<Key>, Error> {
    rules::may(caller, Action::ManageKeys)?;
    Ok(records::of(&cx.view(), caller.organization())?)
}

/// The key pair of that id without its private half, whoever asks.
pub fn show(cx: &Cx<'_>, caller: &Caller, id: &KeyId) -> Result<Key, Error> {
    rules::may(caller, Action::ManageKeys)?;
    cx.write(|tx| {
        let found = records::load(tx, id)?.map(|(key, _)| key);
        let Some(key) = found.filter(|key| rules::sees(caller, &key.organization)) else {
            return Ok(Verdict::Discard(Error::NotFound));
        };
        tell(tx, cx, caller, "key.read", &key)?;
        Ok(Verdict::Commit(key))
    })
}

/// Removes a key pair for good, its private half with it.
pub fn delete(cx: &Cx<'_>, caller: &Caller, id: &KeyId) -> Result<(), Error> {
    rules::may(caller, Action::ManageKeys)?;
    cx.write(|tx| {
        let found = records::load(tx, id)?.map(|(key, _)| key);
        let Some(key) = found.filter(|key| rules::sees(caller, &key.organization)) else {
            return Ok(Verdict::Discard(Error::NotFound));
        };
        records::remove(tx, &key)?;
        tell(tx, cx, caller, "key.deleted", &key)?;
        Ok(Verdict::Commit(()))
    })
}
