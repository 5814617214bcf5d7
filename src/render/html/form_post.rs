//! The page that carries an authorization response to the client in a form (OAuth 2.0 Form Post Response Mode §2).
//!
//! The form sends itself by the one script we have, which its policy lets through by hash; without scripts there is a
//! button. It must not know what the parameters mean.

use askama::Template;

use super::words::{Part, fill};
use super::{Language, Page, policy};

/// The `script-src` source of the page's script (CSP Level 3 §8.4).
pub const FORM_POST_SCRIPT: &str = "sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE=";

/// An answer on its way to `redirect_uri`.
#[derive(Debug, Template)]
#[template(path = "form_post.html", config = "assets/pages/askama.toml")]
pub struct FormPost<'a> {
    /// The language of the page.
    pub language: Language,
    /// Where the form goes.
    pub redirect_uri: &'a str,
    /// What it holds.
    pub parameters: &'a [(&'a str, &'a str)],
}

impl FormPost<'_> {
    /// The page.
    pub fn page(&self) -> Page {
        let policy = policy::foreign_form(self.redirect_uri, FORM_POST_SCRIPT);
        Page::of(self, policy)
    }

    fn title(&self) -> &'static str {
        &self.language.words().form_post.title
    }

    fn lead_words(&self) -> Vec<Part<'_>> {
        let sentence = &self.language.words().form_post.lead;
        let place = policy::place(self.redirect_uri);
        fill(sentence, &[("destination", place)])
    }
}
