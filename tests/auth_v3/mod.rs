//! The Genesys contract, one file per path.

mod userinfo;
