//! The two pages of signing out: the question when an application asks for it without proof, and the end.
//!
//! It must not know sessions.

use askama::Template;

use super::words::{Part, fill};
use super::{Language, Page, policy};

/// The question whether to sign out (OpenID Connect RP-Initiated Logout §2). Fields sent: `form_token`, those carried,
/// and `decision` as `yes` or `no`.
#[derive(Debug, Template)]
#[template(path = "confirm_sign_out.html", config = "assets/pages/askama.toml")]
pub struct ConfirmSignOut<'a> {
    /// The language of the page.
    pub language: Language,
    /// Who is signed in.
    pub user: &'a str,
    /// Where the answer may lead, for the policy alone.
    pub destination: Option<&'a str>,
    /// Where the form goes.
    pub action: &'a str,
    /// Proves that the form is ours.
    pub form_token: &'a str,
    /// Parameters of the request, sent along.
    pub carried: &'a [(&'a str, &'a str)],
}

impl ConfirmSignOut<'_> {
    /// The page.
    pub fn page(&self) -> Page {
        Page::of(self, policy::own_form(self.destination))
    }

    fn title(&self) -> &'static str {
        &self.language.words().confirm_sign_out.title
    }

    fn lead_words(&self) -> Vec<Part<'_>> {
        let sentence = &self.language.words().confirm_sign_out.lead;
        fill(sentence, &[("user", self.user)])
    }
}

/// What is left after signing in when no client waits, or after staying signed in.
#[derive(Debug, Template)]
#[template(path = "signed_in.html", config = "assets/pages/askama.toml")]
pub struct SignedIn<'a> {
    /// The language of the page.
    pub language: Language,
    /// The way to the question whether to sign out.
    pub sign_out: &'a str,
}

impl SignedIn<'_> {
    /// The page.
    pub fn page(&self) -> Page {
        Page::of(self, policy::closed())
    }

    fn title(&self) -> &'static str {
        &self.language.words().signed_in.title
    }
}

/// What is left after signing out.
#[derive(Debug, Template)]
#[template(path = "signed_out.html", config = "assets/pages/askama.toml")]
pub struct SignedOut<'a> {
    /// The language of the page.
    pub language: Language,
    /// The way back to the sign-in page.
    pub sign_in: Option<&'a str>,
}

impl SignedOut<'_> {
    /// The page.
    pub fn page(&self) -> Page {
        Page::of(self, policy::closed())
    }

    fn title(&self) -> &'static str {
        &self.language.words().signed_out.title
    }
}
