//! What the operator does: organizations, clients, people, tickets, applications and keys come, change and go.
//!
//! A command is a value, so that it can be sent to a running server and does the same there as here (decision 0010).
//! No role is asked for, because whoever holds the machine holds everything; all of it is on the record.

pub mod application;
mod audit;
pub mod client;
mod command;
pub mod key_pair;
pub mod organization;
pub mod review;
pub mod ticket;
mod upkeep;
pub mod user;
mod view;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use super::access::Role;
pub use super::applications::{End, Kind as AppKind};
pub use super::audit::{Asked, Cursor, EventView, Exported, Reader, Verified};
pub use super::clients::{Facts, GrantType, NewClient};
pub use super::tickets::{Kind as TicketKind, Standing};
pub use super::users::{Details, NewUser};
pub use crate::crypto::jws::Algorithm;
pub use application::{AppCommand, AppView, NewApp};
pub use audit::{AuditCommand, AuditReply};
pub use command::{
    AdminCommand, AdminReply, ClientCommand, Error, OrgCommand, SigningKeyCommand, UserCommand,
    execute,
};
pub use key_pair::{KeyPairCommand, KeyPairView};
pub use ticket::{NewTicket, TicketCommand, TicketPage, TicketView};
pub use upkeep::{Credential, credentials, record};
pub use view::{ClientView, MessageView, OrgView, SigningKeyView, UserView};

/// A part of a command that is never printed, because it holds or may hold a secret.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden<T>(pub T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}
