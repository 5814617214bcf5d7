//! An SMS gateway that takes whatever JSON object or form it is sent. Its messages are read in the journal.

use serde_json::json;
use warp::http::StatusCode;

use super::Scene;
use super::asked::{Asked, answer};
use crate::http::Response;

/// `POST /sms`.
pub(super) fn send(scene: &Scene, asked: &Asked) -> Response {
    let members = asked.json().and_then(|body| Some(body.as_object()?.len()));
    let fields = asked.form().map(|form| form.0.len());
    if members.or(fields).unwrap_or(0) == 0 {
        let why = "a message is a JSON object or a form, with the Content-Type that says so";
        return answer(StatusCode::BAD_REQUEST, &json!({ "error": why }));
    }
    let accepted = json!({ "id": scene.entropy.uuid(), "status": "accepted" });
    answer(StatusCode::OK, &accepted)
}
