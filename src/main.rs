//! Turns the process's arguments into an exit code; nothing else.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

// A large store's page table is replaced entry by entry as it is read. What that frees goes back to the system; the C
// library would keep it for the thread that asked for it first (decision 0043).
#[global_allocator]
static MEMORY: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    admit::cli::run(std::env::args_os())
}
