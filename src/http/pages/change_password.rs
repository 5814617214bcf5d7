//! `POST /auth/change-password.html`: a new password in place of one that has expired, and on with the waiting request.

use hyper::{Method, StatusCode};

use super::super::call::Call;
use super::super::cookies::Cookie;
use super::super::{Problem, Response, form_token};
use super::{CHANGE_PASSWORD, carried, front_of, language, show, sign_in};
use crate::domain::Cx;
use crate::domain::oauth::Params;
use crate::domain::sign_in::password::{self, Change, ChangeRefusal, Weakness};
use crate::kernel::Secret;
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
) -> Response {
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
    form.keep(show(StatusCode::OK, language, page.page()))
}

fn change(cx: &Cx<'_>, call: &Call) -> Result<Response, Problem> {
    let (params, fields) = (call.params()?, call.form()?);
    let text = |name: &str| fields.get(name).unwrap_or_default();
    let whose = Whose {
        name: text("username"),
        tenant: text("tenant"),
    };
    let again = |notice| Ok(form(cx, call, &params, &whose, Some(notice)));
    if let Err(problem) = form_token::check(call, cx, fields.get("form_token")) {
        if problem.error() == form_token::EXPIRED {
            return again(ChangeNotice::FormExpired);
        }
        return super::problem(call, problem);
    }
    if text("new_password") != text("new_password_again") {
        return again(ChangeNotice::Differs);
    }
    let (old, new) = (secret(text("old_password")), secret(text("new_password")));
    let change = Change {
        whose: password::Whose::Expired {
            tenant: fields.get("tenant"),
            name: whose.name,
        },
        old: &old,
        new: &new,
        device: call.cookie(Cookie::Device),
    };
    match password::change(cx, &change) {
        // Judged again it would not be right yet: what is written is seen only when its batch has been applied.
        Ok(user) => sign_in::go_on(cx, call, &params, &user),
        Err(ChangeRefusal::Fault(fault)) => Err(fault.into()),
        Err(ChangeRefusal::Weak(weakness)) => again(notice(weakness)),
        Err(ChangeRefusal::Wrong | ChangeRefusal::NotExpired | ChangeRefusal::Foreign) => {
            again(ChangeNotice::WrongOld)
        }
    }
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn notice(weakness: Weakness) -> ChangeNotice {
    match weakness {
        Weakness::Short(_) => ChangeNotice::TooShort,
        Weakness::Long => ChangeNotice::TooLong,
        Weakness::Same => ChangeNotice::Same,
        Weakness::Name => ChangeNotice::FromName,
        Weakness::Control => ChangeNotice::Unreadable,
        Weakness::Common => ChangeNotice::Common,
    }
}
