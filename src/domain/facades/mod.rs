//! What makes several things in one call, for callers who want a room and nothing else.

pub mod callback;
pub mod room;
