//! The black-box tests, in one binary.
