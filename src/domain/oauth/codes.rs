//! Authorization codes as stored: by digest, bound to client, redirect URI, challenge and sign-in.

use crate::kernel::{Fault, Timestamp};
use crate::store::Tx;

/// Removes a code nobody can use any more.
pub(in crate::domain) fn sweep(_tx: &Tx<'_>, _now: Timestamp, _key: &[u8]) -> Result<(), Fault> {
    Ok(())
}
