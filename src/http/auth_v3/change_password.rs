//! `/auth/v3/change-password`: a new password in place of the old one.

use std::sync::Arc;

use hyper::header::AUTHORIZATION;
use hyper::{Method, StatusCode};
use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, call};
use super::super::cookies::Cookie;
use super::super::{Dialect, Problem, Response, Routes};
use super::api_response;
use crate::domain::sign_in::password::{self, Change, ChangeRefusal, Whose};
use crate::domain::{Appliance, Cx};
use crate::kernel::Secret;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    warp::path!("change-password")
        .and(call(on, Dialect::AuthV3, "/auth/v3/change-password"))
        .then(change_password)
        .boxed()
}

/// `POST /auth/v3/change-password`: for the bearer's user, or for one whose password has expired and who cannot have
/// a bearer. Everything else that was signed in with the old password ends.
async fn change_password(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run_slow(change).await
}

fn change(cx: &Cx<'_>, call: &Call) -> Result<Response, Problem> {
    let caller = match call.header(AUTHORIZATION) {
        Some(_) => Some(call.caller(cx)?),
        None => None,
    };
    let body = call.json()?;
    let data = body.required_object("data")?;
    let secret = |name: &str| {
        data.required_text(name)
            .map(|text| Secret::new(text.to_owned()))
    };
    let (old, new) = (secret("oldPassword")?, secret("newPassword")?);
    let name = data.text("userName")?;
    let operation_id = body.text("operationId")?;
    let whose = match (&caller, name) {
        (Some(caller), name) => Whose::Own { caller, name },
        (None, Some(name)) => Whose::Expired { tenant: None, name },
        (None, None) => return Err(Problem::no_bearer()),
    };
    let asked = Change {
        whose,
        old: &old,
        new: &new,
        device: call.cookie(Cookie::Device),
    };
    password::change(cx, &asked).map_err(refused)?;
    match operation_id {
        Some(operation_id) => api_response::with_data(Operation { operation_id }),
        None => api_response::done(),
    }
}

/// What maps an answer to its request, for whoever sends several at once.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Operation<'a> {
    operation_id: &'a str,
}

fn refused(refusal: ChangeRefusal) -> Problem {
    let unable = |words: String| Problem::new(StatusCode::FORBIDDEN, "access_denied", words);
    match refusal {
        ChangeRefusal::Wrong => unable("Unable to update password".into()),
        ChangeRefusal::Foreign => unable("userName is not the name of whoever asks".into()),
        ChangeRefusal::Weak(weakness) => unable(weakness.to_string()),
        ChangeRefusal::NotExpired => Problem::no_bearer(),
        ChangeRefusal::Fault(fault) => fault.into(),
    }
}
