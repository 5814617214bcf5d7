//! Turns the process's arguments into an exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    admit::cli::run(std::env::args_os())
}
