//! The two pages that ask for a password: signing in, and choosing a new one when the old has expired.
//!
//! One notice answers unknown, wrong, locked and disabled alike. It must not know what a password has to be like.

use askama::Template;

use super::words::{Part, fill};
use super::{Language, Page, policy};

/// The sign-in form. Fields sent: `form_token`, `username`, `password`, `tenant`.
#[derive(Debug, Template)]
#[template(path = "sign_in.html", config = "assets/pages/askama.toml")]
pub struct SignIn<'a> {
    /// The language of the page.
    pub language: Language,
    /// The client that waits for the sign-in, by the name people know.
    pub client_name: Option<&'a str>,
    /// Where the waiting client will be answered, for the policy alone.
    pub destination: Option<&'a str>,
    /// Where the form goes: our own path with the query of the waiting request.
    pub action: &'a str,
    /// Proves that the form is ours.
    pub form_token: &'a str,
    /// What the user name's field holds; the cursor then waits in the password's.
    pub user_name: &'a str,
    /// What the tenant's field holds.
    pub tenant: &'a str,
    /// Leaves the tenant's field out; a known tenant is sent along unseen.
    pub hide_tenant: bool,
    /// Why the form is here again.
    pub notice: Option<SignInNotice>,
}

/// Why somebody sees the sign-in form again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInNotice {
    /// Unknown, wrong, locked or disabled.
    Wrong,
    /// The password was not looked at.
    Unavailable,
    /// The form's token was too old, or its cookie was missing.
    FormExpired,
}

impl SignIn<'_> {
    /// The page.
    pub fn page(&self) -> Page {
        Page::of(self, policy::own_form(self.destination))
    }

    fn title(&self) -> &'static str {
        &self.language.words().sign_in.title
    }

    fn client_words(&self) -> Option<Vec<Part<'_>>> {
        let sentence = &self.language.words().sign_in.client;
        let name = self.client_name.filter(|name| !name.is_empty())?;
        Some(fill(sentence, &[("client", name)]))
    }

    fn notice_words(&self) -> Option<Vec<Part<'_>>> {
        let words = &self.language.words().sign_in;
        let sentence = match self.notice? {
            SignInNotice::Wrong => &words.wrong,
            SignInNotice::Unavailable => &words.unavailable,
            SignInNotice::FormExpired => &words.form_expired,
        };
        Some(fill(sentence, &[]))
    }

    fn problem_words(&self) -> Option<Vec<Part<'_>>> {
        self.notice?;
        let sentence = &self.language.words().page.problem;
        Some(fill(sentence, &[("title", self.title())]))
    }

    fn is_wrong(&self) -> bool {
        self.notice == Some(SignInNotice::Wrong)
    }
}

/// The form for a new password after the old one has expired. Fields sent: `form_token`, `username`, `tenant`,
/// `old_password`, `new_password`, `new_password_again`.
#[derive(Debug, Template)]
#[template(path = "change_password.html", config = "assets/pages/askama.toml")]
pub struct ChangePassword<'a> {
    /// The language of the page.
    pub language: Language,
    /// Where a waiting client will be answered, for the policy alone.
    pub destination: Option<&'a str>,
    /// Where the form goes: our own path with the query of the waiting request.
    pub action: &'a str,
    /// Proves that the form is ours.
    pub form_token: &'a str,
    /// Whose password it is; shown, and sent along.
    pub user_name: &'a str,
    /// The tenant of the name; sent along.
    pub tenant: &'a str,
    /// How many characters a new password needs.
    pub min_length: &'a str,
    /// Why the form is here again.
    pub notice: Option<ChangeNotice>,
}

/// Why a password was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeNotice {
    /// The current password is not right.
    WrongOld,
    /// The new one has too few characters.
    TooShort,
    /// The new one has too many.
    TooLong,
    /// The new one is the current one.
    Same,
    /// The new one can be guessed from the name.
    FromName,
    /// The new one has characters that cannot be typed again for sure.
    Unreadable,
    /// The new one is among those that are guessed first.
    Common,
    /// The new one was not repeated as it was.
    Differs,
    /// Nothing was looked at.
    Unavailable,
    /// The form's token was too old, or its cookie was missing.
    FormExpired,
}

impl ChangePassword<'_> {
    /// The page.
    pub fn page(&self) -> Page {
        Page::of(self, policy::own_form(self.destination))
    }

    fn title(&self) -> &'static str {
        &self.language.words().change_password.title
    }

    fn hint_words(&self) -> Vec<Part<'_>> {
        let sentence = &self.language.words().change_password.new_hint;
        fill(sentence, &[("length", self.min_length)])
    }

    fn notice_words(&self) -> Option<Vec<Part<'_>>> {
        let words = &self.language.words().change_password;
        let sentence = match self.notice? {
            ChangeNotice::WrongOld => &words.wrong_old,
            ChangeNotice::TooShort => &words.too_short,
            ChangeNotice::TooLong => &words.too_long,
            ChangeNotice::Same => &words.same,
            ChangeNotice::FromName => &words.from_name,
            ChangeNotice::Unreadable => &words.unreadable,
            ChangeNotice::Common => &words.common,
            ChangeNotice::Differs => &words.differs,
            ChangeNotice::Unavailable => &words.unavailable,
            ChangeNotice::FormExpired => &words.form_expired,
        };
        Some(fill(sentence, &[("length", self.min_length)]))
    }

    fn problem_words(&self) -> Option<Vec<Part<'_>>> {
        self.notice?;
        let sentence = &self.language.words().page.problem;
        Some(fill(sentence, &[("title", self.title())]))
    }

    fn blames_old(&self) -> bool {
        self.notice == Some(ChangeNotice::WrongOld)
    }

    fn blames_new(&self) -> bool {
        use ChangeNotice::{Common, FromName, Same, TooLong, TooShort, Unreadable};
        matches!(
            self.notice,
            Some(TooShort | TooLong | Same | FromName | Unreadable | Common)
        )
    }

    fn blames_again(&self) -> bool {
        self.notice == Some(ChangeNotice::Differs)
    }
}
