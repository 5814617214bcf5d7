//! OpenID Connect: what is told about people, to whom, and in which form.

pub mod claims;
pub mod details;
pub mod id_token;
pub mod logout;
pub mod signed_details;
pub mod user_info;
