//! TLS as clients and scanners see it, on the real binary (figure G10).

mod replaced;
mod scanners;
mod versions;
