//! The audit for its operator: what happened, what happens, and all of it signed, to be kept elsewhere.

use serde::{Deserialize, Serialize};

use super::command::{AdminReply, Error};
use crate::domain::Cx;
use crate::domain::audit::{self, Asked, Cursor, EventView, Part};

/// What can be asked about the audit. Verifying it takes longer and is an order of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum AuditCommand {
    /// The latest events of those asked for.
    Latest(Asked),
    /// Those that came after one.
    After {
        /// Which.
        cursor: Option<Cursor>,
        /// What is asked for.
        asked: Asked,
    },
    /// Have every event covered by a signed head.
    Sign,
    /// The events of one signed head, with it.
    Part {
        /// The head's number.
        number: u64,
    },
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum AuditReply {
    /// Events, and where the audit ended.
    Events {
        /// In the order in which they happened.
        events: Vec<EventView>,
        /// After which others follow.
        end: Option<Cursor>,
    },
    /// How many signed heads there are.
    Signed(u64),
    /// One of them, with its events.
    Part(Box<Part>),
}

pub(super) fn about(cx: &Cx<'_>, command: AuditCommand) -> Result<AdminReply, Error> {
    let events = |(events, end)| AuditReply::Events { events, end };
    Ok(AdminReply::Audit(match command {
        AuditCommand::Latest(asked) => events(audit::latest(cx, &asked)?),
        AuditCommand::After { cursor, asked } => events(audit::after(cx, &asked, cursor)?),
        AuditCommand::Sign => AuditReply::Signed(audit::sign(cx)?),
        AuditCommand::Part { number } => {
            let part = audit::part(cx, number)?;
            AuditReply::Part(Box::new(part.ok_or(Error::NoSuchHead)?))
        }
    }))
}
