//! The Genesys contract, one file per path.

mod auth_scheme;
mod change_password;
mod jwt_userinfo;
mod openid_userinfo;
mod ops_clients;
mod ping;
mod sign_in;
mod sign_out;
mod userinfo;
