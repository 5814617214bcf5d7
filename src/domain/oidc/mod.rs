//! What we say about whoever a token speaks for.

pub mod details;
