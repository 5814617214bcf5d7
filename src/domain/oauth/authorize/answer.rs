//! What goes back to the client through the browser: parameters, and how they travel (OAuth 2.0 Multiple Response Type
//! Encoding Practices §2.1, OAuth 2.0 Form Post Response Mode).

use super::super::Params;
use super::request::Problem;
use super::{Asking, Outcome};
use crate::domain::tokens::AccessToken;
use crate::domain::{Cx, Front};
use crate::kernel::Secret;

/// How the parameters of an answer travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In the query of the redirect URI.
    Query,
    /// In its fragment, which the browser keeps to itself.
    Fragment,
    /// In a form that the browser posts.
    FormPost,
}

impl Mode {
    /// By its registered name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "query" => Some(Self::Query),
            "fragment" => Some(Self::Fragment),
            "form_post" => Some(Self::FormPost),
            _ => None,
        }
    }

    /// What the request asks for, or what its response type usually has.
    pub(super) fn of(params: &Params) -> Self {
        let named = params.get("response_mode").and_then(Self::named);
        let has_token = params
            .get("response_type")
            .is_some_and(|kind| kind.split(' ').any(|word| word.ends_with("token")));
        match named {
            // Neither a token nor a refusal of one belongs in a query, where logs keep it.
            Some(Self::Query) | None if has_token => Self::Fragment,
            Some(mode) => mode,
            None => Self::Query,
        }
    }
}

/// An answer to a client.
#[derive(Debug)]
pub struct Answer {
    /// Where the browser is sent: registered by this client.
    pub redirect_uri: String,
    /// How the parameters travel.
    pub mode: Mode,
    /// The parameters, in order.
    pub params: Vec<(&'static str, Secret<String>)>,
}

/// Where the answers of one request go, and what they all carry.
pub(super) struct Address<'a> {
    pub(super) redirect_uri: String,
    mode: Mode,
    front: Front,
    state: Option<&'a str>,
}

impl<'a> Address<'a> {
    pub(super) fn of(asking: &Asking<'a>, redirect_uri: String) -> Self {
        Self {
            redirect_uri,
            mode: Mode::of(asking.params),
            front: asking.front,
            state: asking.params.get("state"),
        }
    }

    /// What the client asked for.
    pub(super) fn success(
        &self,
        cx: &Cx<'_>,
        mut params: Vec<(&'static str, Secret<String>)>,
    ) -> Outcome {
        params.extend(self.state.map(|state| ("state", plain(state))));
        // RFC 9207 §2: which server answers, so that a client of several cannot be confused.
        params.push(("iss", plain(cx.appliance.issuer(self.front))));
        Outcome::Answer(Answer {
            redirect_uri: self.redirect_uri.clone(),
            mode: self.mode,
            params,
        })
    }

    /// Why the client does not get it (RFC 6749 §4.1.2.1).
    pub(super) fn error(&self, cx: &Cx<'_>, problem: &Problem) -> Outcome {
        let params = vec![
            ("error", plain(problem.code)),
            ("error_description", plain(&problem.words)),
        ];
        self.success(cx, params)
    }

    /// An access token (RFC 6749 §4.2.2), its members in the order real servers of contract B have them.
    pub(super) fn token(&self, cx: &Cx<'_>, access: AccessToken, scope: &str) -> Outcome {
        let seconds = access.expires_in(cx.now).to_string();
        let params = vec![
            ("access_token", access.value),
            ("token_type", plain("bearer")),
            ("expires_in", plain(&seconds)),
            ("scope", plain(scope)),
        ];
        self.success(cx, params)
    }
}

fn plain(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}
