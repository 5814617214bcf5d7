//! `admit init`: the first start's work without serving.

use std::process::ExitCode;

use super::{BROKEN, failed, say, serve};
use crate::compose::{World, compose};
use crate::config::Config;

pub(super) fn init(config: &Config) -> ExitCode {
    match compose(config, config.listen.port(), World::real()) {
        Ok(composed) => {
            if let Err(error) = serve::certificate_files(config) {
                return failed(error, BROKEN);
            }
            say(match composed.first_run {
                Some(path) => format!(
                    "Ready. The first credentials are in {}. Without the master key nothing can be read: `admit master-key split` makes shares of it for paper.",
                    path.display()
                ),
                None => format!("{} is set up already.", config.data.display()),
            });
            ExitCode::SUCCESS
        }
        Err(error) => failed(error, BROKEN),
    }
}
