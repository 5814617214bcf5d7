//! `/auth/sign-in.html`: who is there? On success the waiting request goes on as if nobody had been asked.

use hyper::{Method, StatusCode};

use super::super::call::Call;
use super::super::cookies::Cookie;
use super::super::{Problem, Response, form_token, fronts};
use super::{
    SIGN_IN, SIGN_OUT, carried, change_password, client_name, consent, front_of, language, show,
    signed_in,
};
use crate::domain::oauth::authorize::{Asking, Outcome};
use crate::domain::oauth::{self, Params};
use crate::domain::sign_in::password::{self, Attempt, Refusal};
use crate::domain::sign_in::{self, SignedIn};
use crate::domain::users::User;
use crate::domain::{Cx, sessions};
use crate::kernel::Secret;
use crate::render::html::{self, SignInNotice};

pub(super) async fn sign_in(call: Call) -> Response {
    match call.method {
        Method::GET => call.run(ask).await,
        Method::POST => call.run_slow(judge).await,
        _ => call.not_allowed("GET, POST"),
    }
}

/// `GET`: the form. It answers 200 whatever the request accepts: one vendor's client comes here asking for JSON.
fn ask(cx: &Cx<'_>, call: &Call) -> Result<Response, Problem> {
    let params = match call.params() {
        Ok(params) => params,
        Err(problem) => return super::problem(call, problem),
    };
    let notice = params.get("error").map(|_| SignInNotice::Wrong);
    if notice.is_none() && is_done(cx, call, &params)? {
        let language = language(call, &params);
        let sign_out = SIGN_OUT;
        let page = html::SignedIn { language, sign_out };
        return Ok(show(StatusCode::OK, language, page.page()));
    }
    form(cx, call, &params, &Filled::from_hints(&params), notice)
}

/// Whether somebody is signed in for whom nobody waits.
fn is_done(cx: &Cx<'_>, call: &Call, params: &Params) -> Result<bool, Problem> {
    if params.get("client_id").is_some() {
        return Ok(false);
    }
    match call.cookie(Cookie::Session) {
        Some(cookie) => Ok(sessions::find(cx, cookie)?.is_some()),
        None => Ok(false),
    }
}

/// What the form's fields hold before anybody types.
struct Filled<'a> {
    name: &'a str,
    tenant: &'a str,
}

impl<'a> Filled<'a> {
    fn from_hints(params: &'a Params) -> Self {
        Self {
            name: params.get("login_hint").unwrap_or_default(),
            tenant: params.get("tenant").unwrap_or_default(),
        }
    }
}

fn form(
    cx: &Cx<'_>,
    call: &Call,
    params: &Params,
    filled: &Filled<'_>,
    notice: Option<SignInNotice>,
) -> Result<Response, Problem> {
    let invitation = match waiting(cx, params) {
        Ok(invitation) => invitation,
        Err(refused) => return fronts::refused(call, refused),
    };
    let language = language(call, params);
    let form = form_token::issue(call, cx);
    let page = html::SignIn {
        language,
        client_name: invitation
            .as_ref()
            .map(|waiting| client_name(&waiting.client)),
        destination: invitation.as_ref().and(params.get("redirect_uri")),
        action: &format!("{SIGN_IN}?{}", carried(front_of(params), params)),
        form_token: &form.token,
        user_name: filled.name,
        tenant: filled.tenant,
        hide_tenant: params.get("hideTenant") == Some("true"),
        notice,
    };
    let status = match notice {
        Some(SignInNotice::FormExpired) => StatusCode::FORBIDDEN,
        Some(SignInNotice::Wrong | SignInNotice::Unavailable) | None => StatusCode::OK,
    };
    Ok(form.keep(show(status, language, page.page())))
}

/// The client that waits, if one does: people may open this page by itself.
fn waiting(
    cx: &Cx<'_>,
    params: &Params,
) -> Result<Option<oauth::authorize::Invitation>, oauth::authorize::Refused> {
    if params.get("client_id").is_none() {
        return Ok(None);
    }
    oauth::authorize::invitation(cx, params).map(Some)
}

/// `POST`: a name and a password.
fn judge(cx: &Cx<'_>, call: &Call) -> Result<Response, Problem> {
    let (params, fields) = (call.params()?, call.form()?);
    let text = |name: &str| fields.get(name).unwrap_or_default();
    let filled = Filled {
        name: text("username"),
        tenant: text("tenant"),
    };
    if let Err(problem) = form_token::check(call, cx, fields.get("form_token")) {
        if problem.error() == form_token::EXPIRED {
            return form(cx, call, &params, &filled, Some(SignInNotice::FormExpired));
        }
        return super::problem(call, problem);
    }
    // Nobody's password is looked at for a request that could not be answered.
    if let Err(refused) = waiting(cx, &params) {
        return fronts::refused(call, refused);
    }
    let attempt = Attempt {
        tenant: fields.get("tenant"),
        name: filled.name,
        password: &Secret::new(text("password").to_owned()),
        device: call.cookie(Cookie::Device),
    };
    match password::check(cx, &attempt) {
        Ok(user) => go_on(cx, call, &params, &user),
        Err(Refusal::Wrong) => form(cx, call, &params, &filled, Some(SignInNotice::Wrong)),
        Err(Refusal::Expired(_)) => {
            let whose = change_password::Whose {
                name: filled.name,
                tenant: filled.tenant,
            };
            Ok(change_password::form(cx, call, &params, &whose, None))
        }
        Err(Refusal::Fault(fault)) => Err(fault.into()),
    }
}

/// Somebody has just signed in: the waiting request goes on.
pub(super) fn go_on(
    cx: &Cx<'_>,
    call: &Call,
    params: &Params,
    user: &User,
) -> Result<Response, Problem> {
    let before = call.cookie(Cookie::Session);
    let begun = sign_in::begin(cx, user, before).map_err(Problem::bad_user)?;
    let response = next(cx, call, params, &begun)?;
    Ok(signed_in(response, &begun))
}

fn next(cx: &Cx<'_>, call: &Call, params: &Params, begun: &SignedIn) -> Result<Response, Problem> {
    if params.get("client_id").is_none() {
        return super::to(SIGN_IN);
    }
    let asking = Asking {
        front: front_of(params),
        params,
        session: Some(&begun.session),
        is_fresh: true,
        consent: None,
    };
    match oauth::authorize(cx, &asking) {
        Ok(Outcome::Answer(answer)) => fronts::answered(call, &answer),
        Ok(Outcome::Consent(asked)) => Ok(consent(cx, call, front_of(params), params, &asked)),
        // The hint was about somebody else than the one who signed in.
        Ok(Outcome::SignIn) => {
            super::to(&format!("{SIGN_IN}?{}", carried(front_of(params), params)))
        }
        Err(refused) => fronts::refused(call, refused),
    }
}
