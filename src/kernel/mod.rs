//! The vocabulary every other folder speaks: identifiers, secrets, instants, chance, addresses and bounded JSON.
//!
//! It knows nothing of the rest of the crate. It must stay small: a word belongs here only when two folders that may
//! not see each other both need it.

pub mod clock;
pub mod entropy;
pub mod fault;
pub mod files;
pub mod hex;
pub mod id;
pub mod json;
pub mod peer;
pub mod properties;
pub mod secret;
pub mod uri;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use fault::Fault;
pub use id::{
    ApplicationId, ClientId, ConferenceId, FamilyId, KeyId, OrgId, RequestId, SessionId, SignInId,
    TicketId, TokenId, UserId, VerificationId,
};
pub use peer::{AddressRange, Network};
pub use properties::Properties;
pub use secret::{Digest, Secret};
pub use uri::BaseUrl;
