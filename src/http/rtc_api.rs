//! `/rtc-api`: one call the vendors' scripts make of a neighbouring service before they ask for a ticket.

use std::sync::Arc;

use hyper::Method;
use serde::Serialize;
use warp::Filter;

use super::call::{Call, call, json};
use super::{Dialect, Response, Routes};
use crate::domain::Appliance;
use crate::domain::facades::room;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let route = "/rtc-api/conferences/create";
    warp::path!("rtc-api" / "conferences" / "create")
        .and(call(on, Dialect::Security, route))
        .then(create)
        .boxed()
}

/// `POST /rtc-api/conferences/create`: a room to put into a ticket.
async fn create(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let body = call.json_or_nothing()?;
        let mode = body.text("mode")?.unwrap_or("ROUTER").to_owned();
        let interaction_id = body.text("interactionId")?.map(str::to_owned);
        let room = room::open(cx, &caller, body.id("conferenceId")?)?;
        json(&Conference {
            id: room.id.as_str(),
            mode,
            interaction_id,
            created_at: room.created_at.to_string(),
        })
    })
    .await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Conference<'a> {
    id: &'a str,
    mode: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    interaction_id: Option<String>,
    created_at: String,
}
