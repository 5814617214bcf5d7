//! Clients, for the operator and for whoever manages an organization's: what needs more than the clients' own records.

use crate::domain::Cx;
use crate::domain::access::By;
use crate::domain::clients::{self, Error};
use crate::domain::tokens::{Thing, ended, remembered_until};
use crate::kernel::ClientId;
use crate::store::Verdict;

/// Removes a client and ends every token it was issued, effective for the very next request.
pub fn delete(cx: &Cx<'_>, by: &By, id: &ClientId) -> Result<(), Error> {
    let turn = cx.appliance.ended().turn();
    let gone = Thing::Client(id.clone());
    cx.write_vital(|tx| {
        if let Err(error) = clients::delete_within(tx, cx, by, id)? {
            return Ok(Verdict::Discard(error));
        }
        ended::put(tx, &gone, remembered_until(cx))?;
        Ok(Verdict::Commit(()))
    })?;
    turn.ended(gone);
    Ok(())
}
