//! Browsers that somebody signed in with before: their guesses at that account are counted apart, so that a stranger's
//! cannot lock the owner out.

use crate::domain::Cx;
use crate::kernel::{Secret, UserId};

/// What a browser keeps once `user` has signed in with it.
pub fn cookie(_cx: &Cx<'_>, _user: &UserId) -> Secret<String> {
    Secret::new(String::new())
}

/// Whether `user` has signed in with the browser that keeps `cookie`.
pub fn is_known(_cx: &Cx<'_>, _user: &UserId, _cookie: &str) -> bool {
    false
}
