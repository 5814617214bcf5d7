//! Turns the process's arguments into an exit code; nothing else.

fn main() {}
