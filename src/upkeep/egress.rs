//! The egress ledger: every attempt to reach somebody outside, counted, the latest ones listed.

use serde::{Deserialize, Serialize};

use super::Site;
use crate::domain::Appliance;
use crate::domain::ports::{Attempt, Summary, Total};
use crate::kernel::Timestamp;

/// What left, or tried to, since the server started: it is kept in memory only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Egress {
    /// Whether the operator lets nobody be asked.
    pub offline: bool,
    /// Since when it is counted; `None` where nobody serves, and so nothing leaves.
    pub since: Option<Timestamp>,
    /// How many attempts there were.
    pub attempts: u64,
    /// How many there would have been that were not allowed: not even a name was looked up.
    pub withheld: u64,
    /// By destination and purpose.
    pub totals: Vec<Total>,
    /// The latest, oldest first.
    pub latest: Vec<Attempt>,
}

/// What the ledger says.
pub(super) fn list(on: &Appliance, site: &Site) -> Egress {
    let Summary {
        attempts,
        withheld,
        totals,
        latest,
    } = on.egress().summary();
    Egress {
        offline: site.config.offline,
        since: site.serving_since,
        attempts,
        withheld,
        totals,
        latest,
    }
}
