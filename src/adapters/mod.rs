//! The outside world, one file per way of reaching it.

mod answers;
mod genesys;
pub mod http_client;
mod nice;
pub mod outbound;
pub mod sms_gateway;
pub mod smtp;
pub mod spool;
mod talkdesk;

use std::sync::Arc;

pub use outbound::{NotAnAuthority, Outbound, Reach};

use crate::domain::ports::Upstreams;

/// Genesys Cloud, Talkdesk and NICE CXone, as far as the operator lets them be reached.
pub fn upstreams_by(outbound: &Arc<Outbound>) -> Upstreams {
    Upstreams {
        genesys: Arc::new(genesys::Genesys::new(Arc::clone(outbound))),
        talkdesk: Arc::new(talkdesk::Talkdesk(Arc::clone(outbound))),
        nice: Arc::new(nice::Nice(Arc::clone(outbound))),
    }
}
