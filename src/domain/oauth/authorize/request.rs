//! Parameters → an authorization request; whatever is wrong with one has a code of RFC 6749 §4.1.2.1 or OpenID Connect
//! Core §3.1.2.6.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value};

use super::super::{Params, pkce, scope};
use super::answer::Mode;
use crate::domain::clients::{Client, GrantType};
use crate::domain::oidc::claims::CLAIMS;
use crate::domain::oidc::id_token;
use crate::domain::{Cx, Front};
use crate::kernel::json;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A code.
    Code,
    /// An access token at once: the implicit grant of contract B.
    Token,
}

/// A request nothing is wrong with.
#[derive(Debug)]
pub(super) struct AuthorizationRequest {
    pub kind: Kind,
    pub scope: String,
    pub challenge: Option<String>,
    pub nonce: Option<String>,
    /// `prompt=none`: nobody may be asked anything.
    pub is_silent: bool,
    /// `prompt=login` or `select_account`, or `max_age=0`: whoever is signed in must sign in again.
    pub asks_again: bool,
    /// `prompt=consent`.
    pub asks_consent: bool,
    pub max_age: Option<Duration>,
    pub claims: AskedClaims,
    hint: Option<String>,
}

/// Claims asked for by name (OpenID Connect Core §5.5), as far as there are such.
#[derive(Debug, Default)]
pub(super) struct AskedClaims {
    pub id_token: Vec<String>,
    pub userinfo: Vec<String>,
    sub: Option<String>,
}

/// Why a request is sent back.
#[derive(Debug)]
pub(super) struct Problem {
    pub code: &'static str,
    pub words: Cow<'static, str>,
}

impl Problem {
    pub(super) fn new(code: &'static str, words: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            words: words.into(),
        }
    }

    fn invalid(words: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_request", words)
    }
}

impl AuthorizationRequest {
    /// Whether the request says whom it is about.
    pub(super) fn is_for_somebody(&self) -> bool {
        self.claims.sub.is_some() || self.hint.is_some()
    }

    /// Whether the request is about somebody else than `sub` (OpenID Connect Core §3.1.2.2). A hint that is not ours, or
    /// that no key of ours verifies any more, names nobody: whoever signs in for this request will do.
    pub(super) fn is_for_another(&self, cx: &Cx<'_>, sub: &str, is_fresh: bool) -> bool {
        let asked = self.claims.sub.as_deref();
        if asked.is_some_and(|asked| asked != sub) {
            return true;
        }
        let Some(hint) = &self.hint else { return false };
        id_token::verify_hint(cx, hint).map_or(!is_fresh, |hint| hint.sub != sub)
    }
}

pub(super) fn read(
    front: Front,
    params: &Params,
    client: &Client,
) -> Result<AuthorizationRequest, Problem> {
    unsupported(params)?;
    let kind = kind(params, client)?;
    mode(params, kind)?;
    let challenge = match kind {
        Kind::Code => pkce::challenge(params, client).map_err(Problem::invalid)?,
        Kind::Token => None,
    };
    let prompts = prompts(params)?;
    let asks = |what: &str| prompts.contains(&what);
    let max_age = max_age(params)?;
    Ok(AuthorizationRequest {
        kind,
        scope: granted_scope(front, params, client, asks("consent"))?,
        challenge,
        nonce: params.get("nonce").map(str::to_owned),
        is_silent: asks("none"),
        // However short ago somebody signed in, it was not for this request.
        asks_again: asks("login") || asks("select_account") || max_age == Some(Duration::ZERO),
        asks_consent: asks("consent"),
        max_age,
        claims: claims(params, client)?,
        hint: params.get("id_token_hint").map(str::to_owned),
    })
}

/// OpenID Connect Core §6: what is not read must be refused by name, because it could say something else.
fn unsupported(params: &Params) -> Result<(), Problem> {
    let names = [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ];
    // RFC 6749 §3.1: one without a value is as good as none.
    let given = |name: &str| params.get(name).is_some();
    match names.into_iter().find(|(name, _)| given(name)) {
        Some((name, code)) => Err(Problem::new(code, format!("{name} is not supported"))),
        None => Ok(()),
    }
}

fn kind(params: &Params, client: &Client) -> Result<Kind, Problem> {
    let Some(asked) = params.get("response_type") else {
        return Err(Problem::invalid("response_type is missing"));
    };
    let (kind, needed) = match asked {
        "code" => (Kind::Code, GrantType::AuthorizationCode),
        "token" => (Kind::Token, GrantType::Implicit),
        _ => {
            let words = "response_type must be code, or token where that is switched on";
            return Err(Problem::new("unsupported_response_type", words));
        }
    };
    if client.may(needed) {
        return Ok(kind);
    }
    let words = "this client may not use this response_type";
    Err(Problem::new("unauthorized_client", words))
}

fn mode(params: &Params, kind: Kind) -> Result<(), Problem> {
    let Some(asked) = params.get("response_mode") else {
        return Ok(());
    };
    match Mode::named(asked) {
        None => Err(Problem::invalid(
            "response_mode must be query, fragment or form_post",
        )),
        Some(Mode::Query) if kind == Kind::Token => {
            Err(Problem::invalid("a token is never sent in a query"))
        }
        Some(_) => Ok(()),
    }
}

fn granted_scope(
    front: Front,
    params: &Params,
    client: &Client,
    consents: bool,
) -> Result<String, Problem> {
    let granted = scope::judge(client, params.get("scope"), front.usual_scope());
    let granted = granted.ok_or_else(|| {
        let words = format!("the scopes of this client are: {}", client.scopes.join(" "));
        Problem::new("invalid_scope", words)
    })?;
    if consents {
        return Ok(granted);
    }
    // OpenID Connect Core §11: without being asked, nobody has agreed to this.
    let words = granted.split(' ').filter(|scope| *scope != scope::OFFLINE);
    let kept = words.collect::<Vec<_>>().join(" ");
    if kept.is_empty() {
        let words = "offline_access alone grants nothing";
        return Err(Problem::new("invalid_scope", words));
    }
    Ok(kept)
}

fn prompts(params: &Params) -> Result<Vec<&str>, Problem> {
    let asked: Vec<&str> = params
        .get("prompt")
        .unwrap_or_default()
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect();
    let known = ["none", "login", "consent", "select_account"];
    if asked.iter().any(|word| !known.contains(word)) {
        let words = "prompt must be none, or login, consent and select_account";
        return Err(Problem::invalid(words));
    }
    if asked.contains(&"none") && asked.len() > 1 {
        return Err(Problem::invalid("prompt=none stands alone"));
    }
    Ok(asked)
}

fn max_age(params: &Params) -> Result<Option<Duration>, Problem> {
    let Some(text) = params.get("max_age") else {
        return Ok(None);
    };
    let seconds: Option<u32> = text.parse().ok();
    let seconds = seconds.ok_or_else(|| Problem::invalid("max_age must be a number of seconds"))?;
    Ok(Some(Duration::from_secs(seconds.into())))
}

fn claims(params: &Params, client: &Client) -> Result<AskedClaims, Problem> {
    let Some(text) = params.get("claims") else {
        return Ok(AskedClaims::default());
    };
    let wrong = || Problem::invalid("claims must be a JSON object of objects");
    let Ok(Value::Object(asked)) = json::parse(text.as_bytes()) else {
        return Err(wrong());
    };
    let part = |name: &str| match asked.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(_) => Err(wrong()),
    };
    let (id_token, userinfo) = (part("id_token")?, part("userinfo")?);
    if id_token.is_some_and(|members| members.get("acr").is_some_and(needs_another_acr)) {
        let words =
            "people sign in with a password here, which is none of the acr values asked for";
        return Err(Problem::new("unmet_authentication_requirements", words));
    }
    Ok(AskedClaims {
        sub: id_token.and_then(|members| {
            let value = members.get("sub")?.get("value")?;
            value.as_str().map(str::to_owned)
        }),
        id_token: known(client, id_token),
        userinfo: known(client, userinfo),
    })
}

/// OpenID Connect Core §5.5.1.1: where one of these values is essential, a sign-in of another kind has failed.
fn needs_another_acr(asked: &Value) -> bool {
    let value = asked.get("value").into_iter();
    let values = asked.get("values").and_then(Value::as_array);
    let mut wanted = value.chain(values.into_iter().flatten()).peekable();
    let is_essential = asked.get("essential") == Some(&Value::Bool(true));
    is_essential && wanted.peek().is_some() && wanted.all(|wanted| wanted != id_token::ACR)
}

/// The names of claims there are and whose scope the client might have asked for; any other is never an error, essential
/// or not (OpenID Connect Core §5.5.1).
fn known(client: &Client, asked: Option<&Map<String, Value>>) -> Vec<String> {
    let has = |name: &str| asked.is_some_and(|asked| asked.contains_key(name));
    CLAIMS
        .iter()
        .filter(|(name, scope)| has(name) && client.scopes.iter().any(|may| may == scope))
        .map(|(name, _)| (*name).to_owned())
        .collect()
}
