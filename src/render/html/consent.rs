//! The page that asks whether a client may have what it wants, in words, and says where the answer will go.
//!
//! It must not know which scopes there are beyond those that have words of their own.

use askama::Template;

use super::words::{Part, ScopeWords, fill};
use super::{Language, Page, policy};

/// The consent form. Fields sent: `form_token`, and `decision` as `continue` or `cancel`.
#[derive(Debug, Template)]
#[template(path = "consent.html", config = "assets/pages/askama.toml")]
pub struct Consent<'a> {
    /// The language of the page.
    pub language: Language,
    /// Who is signed in.
    pub user: &'a str,
    /// Who asks, by the name people know.
    pub client_name: &'a str,
    /// The redirect URI; its host is shown.
    pub destination: &'a str,
    /// What is asked for.
    pub scopes: &'a [&'a str],
    /// Where the form goes: our own path with the query of the waiting request.
    pub action: &'a str,
    /// Proves that the form is ours.
    pub form_token: &'a str,
}

impl Consent<'_> {
    /// The page.
    pub fn page(&self) -> Page {
        Page::of(self, policy::own_form(Some(self.destination)))
    }

    fn title(&self) -> &'static str {
        &self.language.words().consent.title
    }

    fn lead_words(&self) -> Vec<Part<'_>> {
        let sentence = &self.language.words().consent.lead;
        fill(sentence, &[("client", self.client_name)])
    }

    fn user_words(&self) -> Vec<Part<'_>> {
        let sentence = &self.language.words().consent.user;
        fill(sentence, &[("user", self.user)])
    }

    fn destination_words(&self) -> Vec<Part<'_>> {
        let sentence = &self.language.words().consent.destination;
        fill(
            sentence,
            &[("destination", policy::place(self.destination))],
        )
    }

    fn scope_words(&self) -> Vec<Vec<Part<'_>>> {
        let words = &self.language.words().consent.scopes;
        let scopes = self.scopes.iter();
        scopes
            .map(|scope| fill(words.of(scope), &[("scope", scope)]))
            .collect()
    }
}

impl ScopeWords {
    fn of(&self, scope: &str) -> &str {
        match scope {
            "openid" => &self.openid,
            "profile" => &self.profile,
            "email" => &self.email,
            "phone" => &self.phone,
            "address" => &self.address,
            "offline_access" => &self.offline_access,
            "any" | "*" => &self.everything,
            _ => &self.other,
        }
    }
}
