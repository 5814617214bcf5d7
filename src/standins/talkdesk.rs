//! Talkdesk's token endpoint, as far as it refreshes (wire.md 4.1).

use serde_json::json;
use warp::http::StatusCode;

use super::asked::{Asked, answer, oauth_error};
use super::issued::Use;
use super::{Scene, TALKDESK_CLIENT, TALKDESK_REFRESH};
use crate::http::Response;

/// `POST /talkdesk/oauth/token`: HTTP Basic and a form.
pub(super) fn token(scene: &Scene, asked: &Asked) -> Response {
    let (id, secret) = TALKDESK_CLIENT;
    let known =
        |(given_id, given_secret): (String, String)| given_id == id && given_secret == secret;
    if !asked.basic().is_some_and(known) {
        let why = "Client authentication failed";
        return oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", why);
    }
    let refresh = match scene.refresh(asked, TALKDESK_REFRESH, Use::TalkdeskRefresh, id) {
        Ok(refresh) => refresh,
        Err((error, why)) => return oauth_error(StatusCode::BAD_REQUEST, error, why),
    };
    let answered = json!({
        "access_token": scene.entropy.token::<48>(),
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "openid account:read callback:write",
        "refresh_token": refresh,
        "sid": scene.entropy.uuid(),
    });
    answer(StatusCode::OK, &answered)
}
