//! One-time codes: requested, delivered, checked, and spent on one callback.
