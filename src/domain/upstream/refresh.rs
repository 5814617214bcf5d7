//! A vendor's token renewed for one of the organization's people or services: which application asks for it.

use serde_json::{Map, Value};

use super::{Error, token_account};
use crate::domain::Cx;
use crate::domain::access::{Action, Caller, rules};
use crate::domain::applications::{self, Application, Kind};
use crate::domain::audit::{self, Event};
use crate::domain::ports::{Failure, TokenAccount};
use crate::store::Verdict;

/// Where and as whom it is asked for: as the one of the caller's applications that vouched for the caller, or
/// else the only one there is of that kind.
pub fn refresh_plan(cx: &Cx<'_>, caller: &Caller, kind: Kind) -> Result<TokenAccount, Error> {
    rules::may(caller, Action::RefreshUpstream)?;
    let application = chosen(cx, caller, kind)?;
    let account = token_account(&application)?;
    // Before anybody is asked: whatever is answered then, a token the vendor has replaced is handed on.
    cx.write(|tx| {
        let event = Event {
            action: "upstream.token_refresh_asked",
            by: &caller.subject().sub(),
            to: application.id.as_str(),
            organization: Some(&application.organization),
        };
        audit::record(tx, cx, &event)?;
        Ok(Verdict::<(), Error>::Commit(()))
    })?;
    Ok(account)
}

fn chosen(cx: &Cx<'_>, caller: &Caller, kind: Kind) -> Result<Application, Error> {
    let own = caller.organization();
    let mut of_kind = applications::of_kind(cx, own, kind)?;
    let vouched = caller.vouched().map(|vouched| &vouched.by);
    if let Some(at) = of_kind.iter().position(|one| Some(&one.id) == vouched) {
        return Ok(of_kind.swap_remove(at));
    }
    let name = kind.name();
    let none = || {
        Error::NoAccount(format!(
            "the organization has no application of type {name}"
        ))
    };
    let only = of_kind.pop().ok_or_else(none)?;
    if of_kind.is_empty() {
        return Ok(only);
    }
    Err(Error::NoAccount(format!(
        "the organization has several applications of type {name}, and the token says of none that it is meant"
    )))
}

/// What the vendor answered, for the caller.
pub fn renewed(answer: Result<Map<String, Value>, Failure>) -> Result<Map<String, Value>, Error> {
    answer.map_err(|failure| {
        if let Failure::Refused { code, message } = failure {
            return Error::Declined { code, message };
        }
        Error::Failure(failure)
    })
}
