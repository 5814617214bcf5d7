//! Customers' stored key pairs: made or brought in, their private halves sealed.
