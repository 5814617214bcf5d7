//! What the operator does: organizations, clients, people and signing keys come, change and go.
//!
//! A command is a value, so that it can be sent to a running server and does the same there as here (decision 0010).
//! No role is asked for, because whoever holds the machine holds everything; all of it is on the record.

pub mod client;
mod command;
pub mod organization;
pub mod user;
mod view;

pub use super::access::Role;
pub use super::clients::{Facts, GrantType, NewClient};
pub use super::users::{Details, NewUser};
pub use crate::crypto::jws::Algorithm;
pub use command::{
    AdminCommand, AdminReply, Answer, ClientCommand, Error, OrgCommand, SigningKeyCommand,
    UserCommand, execute,
};
pub use view::{ClientView, MessageView, OrgView, SigningKeyView, UserView};
