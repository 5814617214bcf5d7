//! One call of the tour: what is sent, and what the contract says must come back.
//!
//! Texts may hold `{names}` of what earlier calls gave; they are filled in when the call is made and never printed.

use std::time::Duration;

use super::judge::Must;

/// One call. Built by [`get`], [`post`], [`put`] and [`delete`], so that the table of steps reads as a list.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub what: &'static str,
    pub method: &'static str,
    /// The path as the contract writes it; the name in braces stands for the id known as `about`.
    pub path: &'static str,
    pub about: &'static str,
    pub proof: Proof,
    pub sent: Sent,
    pub headers: Headers,
    pub status: u16,
    pub must: &'static [Must],
    /// What of the answer later calls know by which name: a member by JSON pointer, or see [`super::judge::kept`].
    pub kept: &'static [(&'static str, &'static str)],
    /// How long the answer may take, where that is not as usual.
    pub within: Option<Duration>,
}

/// Up to three headers of the contract's own, in small letters, with their values.
type Headers = [Option<(&'static str, &'static str)>; 3];

/// How the call proves who makes it.
#[derive(Clone, Copy)]
pub(super) enum Proof {
    None,
    /// `Authorization: Basic`: client and secret.
    Basic(&'static str, &'static str),
    /// `Authorization: Bearer`.
    Bearer(&'static str),
    /// The cookie an earlier answer set.
    Cookie(&'static str),
}

/// What goes along.
#[derive(Clone, Copy)]
pub(super) enum Sent {
    Nothing,
    Query(&'static str),
    Form(&'static str),
    Json(&'static str),
}

pub(super) const fn get(path: &'static str, what: &'static str) -> Step {
    step("GET", path, what)
}

pub(super) const fn post(path: &'static str, what: &'static str) -> Step {
    step("POST", path, what)
}

pub(super) const fn put(path: &'static str, what: &'static str) -> Step {
    step("PUT", path, what)
}

pub(super) const fn delete(path: &'static str, what: &'static str) -> Step {
    step("DELETE", path, what)
}

const fn step(method: &'static str, path: &'static str, what: &'static str) -> Step {
    Step {
        what,
        method,
        path,
        about: "",
        proof: Proof::None,
        sent: Sent::Nothing,
        headers: [None; 3],
        status: 200,
        must: &[],
        kept: &[],
        within: None,
    }
}

impl Step {
    /// Which ticket or client the path is about.
    pub(super) const fn of(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    pub(super) const fn basic(self, id: &'static str, secret: &'static str) -> Self {
        let proof = Proof::Basic(id, secret);
        Self { proof, ..self }
    }

    /// As the app of a customer: a public client with an empty secret.
    pub(super) const fn customer(self) -> Self {
        self.basic("customer", "")
    }

    pub(super) const fn bearer(self, token: &'static str) -> Self {
        let proof = Proof::Bearer(token);
        Self { proof, ..self }
    }

    pub(super) const fn cookie(self, name: &'static str) -> Self {
        let proof = Proof::Cookie(name);
        Self { proof, ..self }
    }

    /// As the administrator of the first start.
    pub(super) const fn admin(self) -> Self {
        self.basic("{admin_name}", "{admin_password}")
    }

    /// As the client the tour has registered.
    pub(super) const fn relying_party(self) -> Self {
        self.basic("{party}", "{party_secret}")
    }

    /// With one more header; there is room for three.
    pub(super) const fn header(self, name: &'static str, value: &'static str) -> Self {
        let more = Some((name, value));
        let headers = match self.headers {
            [None, ..] => [more, None, None],
            [first, None, _] => [first, more, None],
            [first, second, _] => [first, second, more],
        };
        Self { headers, ..self }
    }

    pub(super) const fn query(self, text: &'static str) -> Self {
        let sent = Sent::Query(text);
        Self { sent, ..self }
    }

    pub(super) const fn form(self, text: &'static str) -> Self {
        let sent = Sent::Form(text);
        Self { sent, ..self }
    }

    pub(super) const fn json(self, text: &'static str) -> Self {
        let sent = Sent::Json(text);
        Self { sent, ..self }
    }

    pub(super) const fn gives(self, status: u16, must: &'static [Must]) -> Self {
        Self {
            status,
            must,
            ..self
        }
    }

    pub(super) const fn within(self, within: Duration) -> Self {
        let within = Some(within);
        Self { within, ..self }
    }

    pub(super) const fn kept(self, kept: &'static [(&'static str, &'static str)]) -> Self {
        Self { kept, ..self }
    }
}
