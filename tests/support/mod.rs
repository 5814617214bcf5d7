//! What the black-box tests stand on.

pub(crate) mod accounts;
pub(crate) mod apart;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod courier;
pub(crate) mod inside;
pub(crate) mod line;
pub(crate) mod load;
pub(crate) mod near_misses;
pub(crate) mod party;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod schema;
pub(crate) mod server;
pub(crate) mod small_disk;
pub(crate) mod stub;
