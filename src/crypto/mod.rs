//! Algorithms behind narrow functions: no files, no clock, no source of chance of its own.
//!
//! The list is closed. Sealing is AES-256-GCM-SIV (RFC 8452), because a repeated nonce must not be a disaster;
//! checksums and digests are HMAC-SHA-256; keys for each purpose come from one master key by HKDF (RFC 5869).
//! Passwords are Argon2id (RFC 9106). One-time codes are those of RFC 6238. Tokens are signed EdDSA or RS256 and
//! nothing else (RFC 8725 §3.1), by the TLS library's provider, never by a crate with a timing advisory: `ssh_rsa`
//! makes, reads and writes keys, and uses none. What leaves the machine whole, a backup, is a stream of AES-256-GCM
//! under a key of its own. Shares of the master key are Shamir's.

pub mod authority;
pub mod jwk;
pub mod jws;
pub mod one_time_code;
pub mod password;
pub mod seal;
pub mod shares;
pub mod ssh_rsa;
pub mod statement;
pub mod stream;
pub mod turns;
