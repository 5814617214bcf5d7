//! NICE CXone's token endpoint, as far as it refreshes, and the two documents it is found by (wire.md 4.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use warp::http::StatusCode;

use super::asked::{Asked, answer, oauth_error};
use super::issued::Use;
use super::{NICE_CLIENT, NICE_REFRESH, Scene};
use crate::http::Response;
use crate::kernel::Timestamp;

/// `POST /nice/auth/token`: a form, and the client in it or in a Basic header.
pub(super) fn token(scene: &Scene, asked: &Asked) -> Response {
    let (id, secret) = NICE_CLIENT;
    let known = |(given_id, given_secret): (String, String)| {
        decoded(&given_id) == id && decoded(&given_secret) == secret
    };
    if !asked.client().is_some_and(known) {
        let why = "Client authentication failed";
        return oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", why);
    }
    let refresh = match scene.refresh(asked, NICE_REFRESH, Use::NiceRefresh, id) {
        Ok(refresh) => refresh,
        Err((error, why)) => return oauth_error(StatusCode::BAD_REQUEST, error, why),
    };
    let answered = json!({
        "access_token": scene.entropy.token::<48>(),
        "refresh_token": refresh,
        "id_token": id_token(scene, scene.clock.now()),
        "token_type": "Bearer",
        "expires_in": 3600,
    });
    answer(StatusCode::OK, &answered)
}

/// `GET /nice/.well-known/openid-configuration` (OpenID Connect Discovery 1.0 §4).
pub(super) fn discovery(scene: &Scene) -> Response {
    let issuer = issuer(scene);
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth/authorize"),
        "token_endpoint": format!("{issuer}/auth/token"),
        "userinfo_endpoint": format!("{issuer}/auth/userinfo"),
        "jwks_uri": format!("{issuer}/auth/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "none"],
        "scopes_supported": ["openid"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    });
    answer(StatusCode::OK, &document)
}

/// `GET /nice/.well-known/cxone-configuration?tenantId=`.
pub(super) fn configuration(scene: &Scene, asked: &Asked) -> Response {
    if asked.params().value("tenantId") != Some(TENANT) {
        return oauth_error(StatusCode::NOT_FOUND, "not_found", "no such tenant");
    }
    let document = json!({ "api_endpoint": scene.origin, "area": "na1" });
    answer(StatusCode::OK, &document)
}

/// Who reads it here looks only at its claims; nothing could verify the signature of an imitation, so it has none.
fn id_token(scene: &Scene, now: Timestamp) -> String {
    let header = json!({ "alg": "none", "typ": "JWT" });
    let claims = json!({
        "iss": issuer(scene),
        "aud": NICE_CLIENT.0,
        "sub": "user:33333333-3333-4333-8333-333333333333",
        "tenantId": TENANT,
        "iat": now.seconds(),
        "exp": now.seconds() + 3600,
    });
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(header), part(claims))
}

fn issuer(scene: &Scene) -> String {
    format!("{}/nice", scene.origin)
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
fn decoded(text: &str) -> String {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(text, _)| text.into_owned())
}

const TENANT: &str = "22222222-2222-4222-8222-222222222222";
