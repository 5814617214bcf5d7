//! A room is a name to meet under. Admit is no video server: it gives the name, and remembers nothing of it.

use crate::domain::Cx;
use crate::domain::access::{Action, Caller, Denied, rules};
use crate::kernel::{ConferenceId, Timestamp};

/// A room as whoever opened it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name.
    pub id: ConferenceId,
    /// When it was named.
    pub created_at: Timestamp,
}

/// Names a room: the one asked for, or a new one.
pub fn open(cx: &Cx<'_>, caller: &Caller, asked: Option<ConferenceId>) -> Result<Room, Denied> {
    rules::may(caller, Action::OpenRoom)?;
    let id = asked.unwrap_or_else(|| ConferenceId::draw(cx.entropy()));
    Ok(Room {
        id,
        created_at: cx.now.to_millis(),
    })
}
