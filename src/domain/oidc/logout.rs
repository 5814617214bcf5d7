//! Sign-out asked for by a relying party (OpenID Connect RP-Initiated Logout): what becomes of the session, and where
//! the browser goes after.
//!
//! A session ends at once only for whoever shows an ID token of the person signed in; anyone else could have sent the
//! browser here, so the person is asked. Nobody is sent to an address that the client has not registered.

use super::id_token::{self, Hint};
use crate::domain::access::Subject;
use crate::domain::audit::{self, Event};
use crate::domain::clients::{self, Client};
use crate::domain::sessions::{self, Session};
use crate::domain::tokens::Thing;
use crate::domain::{Cx, users};
use crate::kernel::{ClientId, Fault, SessionId};
use crate::store::Verdict;

/// What is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asking<'a> {
    /// An ID token of the sign-in that shall end.
    pub hint: Option<&'a str>,
    /// The client, which the hint names as well.
    pub client: Option<&'a str>,
    /// Where the browser shall go after.
    pub redirect_uri: Option<&'a str>,
    /// What the client wants to see again there.
    pub state: Option<&'a str>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// End the session, then go there, or say that it is done.
    End {
        /// The sessions the ID token was about, whether or not a browser still keeps them.
        sessions: Vec<SessionId>,
        /// Where it goes after.
        to: Option<String>,
    },
    /// Ask the person of this name first; the answer leads there.
    Ask {
        /// What it is called.
        user: String,
        /// Where it goes after.
        to: Option<String>,
    },
    /// Nobody is signed in: go there, or say so.
    Nobody(Option<String>),
    /// Do nothing.
    Refuse(Refusal),
}

/// Why nothing is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The hint is no ID token of ours.
    Hint,
    /// There is no such client.
    UnknownClient,
    /// The hint is for another client than the one named.
    OtherClient,
    /// The address is none of the client's.
    RedirectUri {
        /// Those it has registered.
        registered: Vec<String>,
        /// The one that came.
        received: String,
    },
}

/// Decides what is to be done for a browser in which `session` is open.
pub fn plan(cx: &Cx<'_>, asking: &Asking<'_>, session: Option<&Session>) -> Result<Plan, Fault> {
    let hint = asking.hint.map(|token| id_token::verify_hint(cx, token));
    let hint = match hint {
        Some(None) => return Ok(Plan::Refuse(Refusal::Hint)),
        Some(Some(hint)) => Some(hint),
        None => None,
    };
    let client = match client(cx, asking, hint.as_ref())? {
        Ok(client) => client,
        Err(refusal) => return Ok(Plan::Refuse(refusal)),
    };
    let to = match destination(asking, client.as_ref()) {
        Ok(to) => to,
        Err(refusal) => return Ok(Plan::Refuse(refusal)),
    };
    let hinted = hint.as_ref().and_then(|hint| hint.session.clone());
    let Some(session) = session else {
        return Ok(match hinted {
            Some(hinted) => Plan::End {
                sessions: vec![hinted],
                to,
            },
            None => Plan::Nobody(to),
        });
    };
    let sub = Subject::User(session.user.clone()).sub();
    if hint.is_some_and(|hint| hint.sub == sub) {
        let mut sessions = vec![session.id.clone()];
        sessions.extend(hinted.filter(|hinted| *hinted != session.id));
        return Ok(Plan::End { sessions, to });
    }
    let user = users::find(cx, &session.user)?;
    let user = user.map(|user| user.display_name.unwrap_or(user.name));
    let user = user.unwrap_or_default();
    Ok(Plan::Ask { user, to })
}

/// Ends sessions and every sign-in that came of them, because whoever they belong to said so.
pub fn end(cx: &Cx<'_>, sessions: &[SessionId]) -> Result<(), Fault> {
    let turn = cx.appliance.ended().turn();
    cx.write_vital(|tx| {
        for id in sessions {
            sessions::end_within(tx, cx, id)?;
            let event = Event {
                action: "session.ended",
                by: "",
                to: id.as_str(),
                organization: None,
            };
            audit::record(tx, cx, &event)?;
        }
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    for id in sessions {
        turn.ended(Thing::Session(id.clone()));
    }
    Ok(())
}

/// The client that asks, as the hint or the parameter has it; where both do, they must agree.
fn client(
    cx: &Cx<'_>,
    asking: &Asking<'_>,
    hint: Option<&Hint>,
) -> Result<Result<Option<Client>, Refusal>, Fault> {
    let hinted = hint.map(|hint| hint.client.as_str());
    let Some(id) = hinted.or(asking.client) else {
        return Ok(Ok(None));
    };
    if asking.client.is_some_and(|named| named != id) {
        return Ok(Err(Refusal::OtherClient));
    }
    let id: Option<ClientId> = id.parse().ok();
    let client = id.map(|id| clients::find(cx, &id)).transpose()?.flatten();
    Ok(client.map(Some).ok_or(Refusal::UnknownClient))
}

/// Where the browser goes: an address the client has registered, byte for byte, and the state. Of a client nobody
/// named there is none to go to.
fn destination(asking: &Asking<'_>, client: Option<&Client>) -> Result<Option<String>, Refusal> {
    let (Some(uri), Some(client)) = (asking.redirect_uri, client) else {
        return Ok(None);
    };
    let registered = &client.post_logout_redirect_uris;
    if !registered.iter().any(|known| known == uri) {
        return Err(Refusal::RedirectUri {
            registered: registered.clone(),
            received: uri.to_owned(),
        });
    }
    Ok(Some(with_state(uri, asking.state)))
}

fn with_state(uri: &str, state: Option<&str>) -> String {
    let Some(state) = state else {
        return uri.to_owned();
    };
    let mark = if uri.contains('?') { '&' } else { '?' };
    let state: String = form_urlencoded::byte_serialize(state.as_bytes()).collect();
    format!("{uri}{mark}state={state}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_added_whole_and_only_where_there_is_one() {
        let rows = [
            ("https://a/b", None, "https://a/b"),
            ("https://a/b", Some("x"), "https://a/b?state=x"),
            (
                "https://a/b?c=d",
                Some("x y&z"),
                "https://a/b?c=d&state=x+y%26z",
            ),
            (
                "https://a/b",
                Some("\r\nX: y#"),
                "https://a/b?state=%0D%0AX%3A+y%23",
            ),
        ];
        for (uri, state, expected) in rows {
            assert_eq!(with_state(uri, state), expected);
        }
    }
}
