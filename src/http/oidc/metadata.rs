//! Discovery: what standard software reads before its first request (OpenID Connect Discovery §3, RFC 8414 §2).
//!
//! Each front is an issuer with a document of its own. OpenID Connect appends the well-known path to the issuer,
//! RFC 8414 §3.1 inserts it before the issuer's path; whoever looks for either finds the same document.

use std::sync::Arc;

use hyper::Method;
use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, cached, call, json};
use super::super::{Dialect, Response, Routes, any};
use crate::domain::clients::DEFAULT_SCOPES;
use crate::domain::oauth::request::TICKET_GRANT;
use crate::domain::oidc::claims::CLAIMS;
use crate::domain::oidc::id_token::ACR;
use crate::domain::{Appliance, Front};

/// Those below our own address, in both forms.
pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let below = warp::path(".well-known");
    let all = any([
        at(on, Front::Security, OPENID),
        at(on, Front::Security, OAUTH),
        at(on, Front::AuthV3, "openid-configuration/auth/v3"),
        at(on, Front::AuthV3, "oauth-authorization-server/auth/v3"),
    ]);
    below.and(all).boxed()
}

/// Those below the address of contract B.
pub(super) fn routes_of_auth_v3(on: &Arc<Appliance>) -> Routes {
    let below = warp::path!(".well-known" / ..);
    let all = any([at(on, Front::AuthV3, OPENID), at(on, Front::AuthV3, OAUTH)]);
    below.and(all).boxed()
}

const OPENID: &str = "openid-configuration";
const OAUTH: &str = "oauth-authorization-server";
const ROUTE: &str = "/.well-known/{metadata}";

fn at(on: &Arc<Appliance>, front: Front, path: &'static str) -> Routes {
    let start = warp::any().boxed();
    let path = path
        .split('/')
        .fold(start, |path, segment| path.and(warp::path(segment)).boxed());
    path.and(warp::path::end())
        .and(call(on, dialect(front), ROUTE))
        .then(move |call| metadata(call, front))
        .boxed()
}

fn dialect(front: Front) -> Dialect {
    match front {
        Front::Security => Dialect::Security,
        Front::AuthV3 => Dialect::AuthV3,
    }
}

/// `GET …/.well-known/openid-configuration` and `…/oauth-authorization-server`: one issuer's endpoints and abilities.
async fn metadata(call: Call, front: Front) -> Response {
    if call.method != Method::GET {
        return call.not_allowed("GET");
    }
    let on = call.on();
    call.run(|_, _| Ok(cached(json(&Metadata::of(&on, front))?, 300)))
        .await
}

#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
    jwks_uri: String,
    end_session_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    #[serde(flatten)]
    abilities: Abilities,
}

/// What both issuers can do. What only a client with a switch of its own may use is listed as well.
#[derive(Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a member of the document"
)]
struct Abilities {
    scopes_supported: [&'static str; 9],
    response_types_supported: [&'static str; 2],
    response_modes_supported: [&'static str; 3],
    grant_types_supported: [&'static str; 6],
    code_challenge_methods_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 2],
    acr_values_supported: [&'static str; 1],
    display_values_supported: [&'static str; 1],
    prompt_values_supported: [&'static str; 4],
    ui_locales_supported: [&'static str; 3],
    claim_types_supported: [&'static str; 1],
    claims_supported: Vec<&'static str>,
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    require_request_uri_registration: bool,
    authorization_response_iss_parameter_supported: bool,
}

impl<'a> Metadata<'a> {
    fn of(on: &'a Appliance, front: Front) -> Self {
        let base = on.base();
        let oauth = match front {
            Front::Security => "/security/oauth",
            Front::AuthV3 => "/auth/v3/oauth",
        };
        Self {
            issuer: on.issuer(front),
            authorization_endpoint: format!("{base}{oauth}/authorize"),
            token_endpoint: format!("{base}{oauth}/token"),
            userinfo_endpoint: format!("{base}/oidc/userinfo"),
            jwks_uri: format!("{base}/.well-known/jwks.json"),
            end_session_endpoint: format!("{base}/oidc/logout"),
            introspection_endpoint: format!("{base}/oauth/introspect"),
            revocation_endpoint: format!("{base}/oauth/revoke"),
            abilities: Abilities::all(),
        }
    }
}

impl Abilities {
    fn all() -> Self {
        let about_users = CLAIMS.iter().map(|(name, _)| *name);
        Self {
            scopes_supported: DEFAULT_SCOPES,
            response_types_supported: ["code", "token"],
            response_modes_supported: ["query", "fragment", "form_post"],
            grant_types_supported: [
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "password",
                "implicit",
                TICKET_GRANT,
            ],
            code_challenge_methods_supported: ["S256"],
            token_endpoint_auth_methods_supported: [BASIC, POST, NONE],
            introspection_endpoint_auth_methods_supported: [BASIC, POST],
            revocation_endpoint_auth_methods_supported: [BASIC, POST, NONE],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["RS256", "EdDSA"],
            acr_values_supported: [ACR],
            display_values_supported: ["page"],
            prompt_values_supported: ["none", "login", "consent", "select_account"],
            ui_locales_supported: ["en", "de", "el"],
            claim_types_supported: ["normal"],
            claims_supported: OF_ID_TOKENS.into_iter().chain(about_users).collect(),
            claims_parameter_supported: true,
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
            require_request_uri_registration: false,
            authorization_response_iss_parameter_supported: true,
        }
    }
}

const BASIC: &str = "client_secret_basic";
const POST: &str = "client_secret_post";
const NONE: &str = "none";

/// The claims of ID tokens that are not about the user.
const OF_ID_TOKENS: [&str; 12] = [
    "sub",
    "iss",
    "aud",
    "azp",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "at_hash",
    "sid",
    "acr",
    "amr",
];
