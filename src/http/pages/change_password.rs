//! `POST /auth/change-password.html`: a new password in place of one that has expired, and on with the waiting request.

use hyper::{Method, StatusCode};

use super::super::call::Call;
use super::super::cookies::Cookie;
use super::super::{Problem, Response, form_token, fronts};
use super::{CHANGE_PASSWORD, carried, front_of, language, show, sign_in};
use crate::domain::Cx;
use crate::domain::oauth::{self, Params};
use crate::render::html::{self, ChangeNotice};

/// Whose password it is.
pub(super) struct Whose<'a> {
    pub(super) name: &'a str,
    pub(super) tenant: &'a str,
}

pub(super) async fn change_password(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run_slow(change).await
}

pub(super) fn form(
    cx: &Cx<'_>,
    call: &Call,
    params: &Params,
    whose: &Whose<'_>,
    notice: Option<ChangeNotice>,
) -> Result<Response, Problem> {
    let language = language(call, params);
    let form = form_token::issue(call, cx);
    let page = html::ChangePassword {
        language,
        destination: params.get("client_id").and(params.get("redirect_uri")),
        action: &format!("{CHANGE_PASSWORD}?{}", carried(front_of(params), params)),
        form_token: &form.token,
        user_name: whose.name,
        tenant: whose.tenant,
        min_length: &cx.password_length().to_string(),
        notice,
    };
    Ok(form.keep(show(StatusCode::OK, language, page.page())))
}

fn change(cx: &Cx<'_>, call: &Call) -> Result<Response, Problem> {
    let (params, fields) = (call.params()?, call.form()?);
    let text = |name: &str| fields.get(name).unwrap_or_default();
    let whose = Whose {
        name: text("username"),
        tenant: text("tenant"),
    };
    if let Err(problem) = form_token::check(call, cx, fields.get("form_token")) {
        return super::problem(call, problem);
    }
    form(cx, call, &params, &whose, Some(ChangeNotice::Unavailable))
}
