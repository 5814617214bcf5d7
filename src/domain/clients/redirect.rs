//! Where a browser may be sent: compared whole (RFC 9700 §2.1).

/// Whether `received` is one of the registered addresses.
pub fn is_registered(registered: &[String], received: &str) -> bool {
    registered.iter().any(|one| one == received)
}
