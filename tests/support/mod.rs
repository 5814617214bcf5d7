//! What the black-box tests stand on.

pub(crate) mod client;
pub(crate) mod inside;
pub(crate) mod line;
pub(crate) mod load;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod server;
