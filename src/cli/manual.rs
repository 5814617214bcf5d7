//! `admit man` and `admit completions`: what shells and `man` know of the command line, from the same words as the help.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::Shell;

use super::{Admit, BROKEN, failed, print_bytes, say};

#[derive(Args)]
pub(super) struct Manual {
    /// The folder to write them into; it is made if need be. `man -l DIR/admit.1` shows the first.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Args)]
pub(super) struct Completions {
    /// For which shell.
    shell: Of,
}

/// The shells there are completions for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Of {
    Bash,
    Zsh,
    Fish,
}

impl Manual {
    pub(super) fn run(self) -> ExitCode {
        let folder = self.folder;
        let written = fs::create_dir_all(&folder)
            .and_then(|()| clap_mangen::generate_to(Admit::command(), &folder));
        match written {
            Ok(()) => {
                say(format_args!("The pages are in {}.", folder.display()));
                ExitCode::SUCCESS
            }
            Err(error) => failed(format_args!("{}: {error}", folder.display()), BROKEN),
        }
    }
}

impl Completions {
    pub(super) fn run(self) -> ExitCode {
        let shell = match self.shell {
            Of::Bash => Shell::Bash,
            Of::Zsh => Shell::Zsh,
            Of::Fish => Shell::Fish,
        };
        // Into memory first: whoever closes the pipe early breaks nothing.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Admit::command(), "admit", &mut script);
        print_bytes(&script);
        ExitCode::SUCCESS
    }
}
