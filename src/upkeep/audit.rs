//! Verifying the whole audit, which takes long enough to tell how far it is.

use super::{Error, Progress, Teller};
use crate::domain::Appliance;
use crate::domain::audit::{self, Verified};

/// Walks the whole chain.
pub(super) fn verify(on: &Appliance, tell: Teller<'_>) -> Result<Verified, Error> {
    let told = |done, of| {
        tell(Progress {
            what: "events verified".to_owned(),
            done,
            of: Some(of),
        });
    };
    match audit::verify(&on.own_context(), &told) {
        Ok(verified) => Ok(verified),
        Err(audit::Error::Fault(fault)) => Err(fault.into()),
        Err(changed) => Err(Error::Refused(changed.to_string())),
    }
}
