//! `/security/ticket`: create, read, update, delete, revoke, enable, disable, and the calendar event.

use std::str::FromStr;
use std::sync::Arc;

use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use warp::Filter;

use super::super::call::{Call, bare, call, json, with_header};
use super::super::json::Object;
use super::super::{Dialect, Problem, Response, Routes, any};
use crate::domain::Appliance;
use crate::domain::tickets::event::CalendarEvent;
use crate::domain::tickets::{self, Changes, Kind, NewTicket};
use crate::kernel::{Fault, TicketId, Timestamp};
use crate::render::calendar_links::{CalendarService, add_link};
use crate::render::ics;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Security, route);
    let path = warp::path!("ticket" / ..);
    any([
        path.and(warp::path::end())
            .and(call("/security/ticket"))
            .then(collection)
            .boxed(),
        path.and(warp::path!(TicketId))
            .and(call("/security/ticket/{ticketId}"))
            .then(item)
            .boxed(),
        path.and(warp::path!(TicketId / "event"))
            .and(call("/security/ticket/{ticketId}/event"))
            .then(event)
            .boxed(),
        path.and(warp::path!(TicketId / Switch))
            .and(call("/security/ticket/{ticketId}/{switch}"))
            .then(switch)
            .boxed(),
    ])
}

/// The last segment of the three paths that change whether a ticket can be used.
#[derive(Clone, Copy)]
enum Switch {
    Revoke,
    Enable,
    Disable,
}

struct NoSwitch;

impl FromStr for Switch {
    type Err = NoSwitch;

    fn from_str(text: &str) -> Result<Self, NoSwitch> {
        match text {
            "revoke" => Ok(Self::Revoke),
            "enable" => Ok(Self::Enable),
            "disable" => Ok(Self::Disable),
            _ => Err(NoSwitch),
        }
    }
}

async fn collection(call: Call) -> Response {
    match call.method {
        Method::POST => create(call).await,
        _ => call.not_allowed("POST"),
    }
}

async fn item(id: TicketId, call: Call) -> Response {
    match call.method {
        Method::GET => read(id, call).await,
        Method::PUT => update(id, call).await,
        Method::DELETE => delete(id, call).await,
        _ => call.not_allowed("GET, PUT, DELETE"),
    }
}

/// `POST /security/ticket`: create a ticket.
async fn create(call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let new = new_ticket(&call.json()?)?;
        let ticket = tickets::issue(cx, &caller, new)?;
        json(&Ticket::of(&ticket, cx.now))
    })
    .await
}

/// `GET /security/ticket/{ticketId}`: read a ticket.
async fn read(id: TicketId, call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let ticket = tickets::read(cx, &caller, &id)?;
        json(&Ticket::of(&ticket, cx.now))
    })
    .await
}

/// `PUT /security/ticket/{ticketId}`: change a ticket's properties.
async fn update(id: TicketId, call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let body = call.json()?;
        let changes = Changes {
            organization: body.id("organizationId")?,
            properties: body.required_members("properties")?,
        };
        let ticket = tickets::update(cx, &caller, &id, &changes)?;
        json(&Ticket::of(&ticket, cx.now))
    })
    .await
}

/// `DELETE /security/ticket/{ticketId}`: delete a ticket.
async fn delete(id: TicketId, call: Call) -> Response {
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        tickets::delete(cx, &caller, &id)?;
        Ok(bare(StatusCode::OK))
    })
    .await
}

/// `POST /security/ticket/{ticketId}/revoke`, `/enable`, `/disable`.
async fn switch(id: TicketId, switch: Switch, call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        match switch {
            Switch::Revoke => tickets::revoke(cx, &caller, &id)?,
            Switch::Enable => tickets::enable(cx, &caller, &id)?,
            Switch::Disable => tickets::disable(cx, &caller, &id)?,
        }
        Ok(bare(StatusCode::NO_CONTENT))
    })
    .await
}

/// `GET /security/ticket/{ticketId}/event`: the calendar event, as a file or as a service's add-event page.
async fn event(id: TicketId, call: Call) -> Response {
    if call.method != Method::GET {
        return call.not_allowed("GET");
    }
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let params = call.params()?;
        let service = service(params.get("calendar"))?;
        let event = tickets::event(cx, &caller, &id)?;
        match service {
            None => Ok(file(&event)),
            Some(service) => redirect(&add_link(service, &event)),
        }
    })
    .await
}

/// `None` stands for the file itself, which is also what no `calendar` means.
fn service(calendar: Option<&str>) -> Result<Option<CalendarService>, Problem> {
    match calendar {
        None | Some("ics") => Ok(None),
        Some(name) => name.parse().map(Some).map_err(|_| {
            Problem::bad_request("calendar must be one of ics, google, outlook, office365, yahoo")
        }),
    }
}

fn file(event: &CalendarEvent) -> Response {
    let response = Response::new(ics::calendar(event).into());
    let response = with_header(
        response,
        CONTENT_TYPE,
        HeaderValue::from_static(ics::content_type(event)),
    );
    with_header(
        response,
        CONTENT_DISPOSITION,
        HeaderValue::from_static(ics::DISPOSITION),
    )
}

fn redirect(to: &str) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(to).map_err(|error| {
        Problem::from(Fault::internal("a calendar link is no header value").because(error))
    })?;
    Ok(with_header(bare(StatusCode::FOUND), LOCATION, location))
}

fn new_ticket(body: &Object) -> Result<NewTicket, Problem> {
    let name = body.required_text("type")?;
    let kind = Kind::from_name(name)
        .ok_or_else(|| Problem::bad_request("type is not the name of a ticket type"))?;
    Ok(NewTicket {
        kind,
        organization: body.id("organizationId")?,
        properties: body.required_properties("properties")?,
        length: body.integer("length")?,
        ttl: body.integer("ttl")?,
        disabled: body.flag("disabled")?,
    })
}

/// The published schema `Ticket`. `disabled` and `revoked` are left out while unset.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ticket<'a> {
    id: &'a str,
    user_id: &'a str,
    organization_id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    properties: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
    created_at: String,
    expires_at: String,
    version: u64,
    expired: bool,
}

impl<'a> Ticket<'a> {
    fn of(ticket: &'a tickets::Ticket, now: Timestamp) -> Self {
        let facts = &ticket.facts;
        Self {
            id: ticket.id.as_str(),
            user_id: facts.user.as_str(),
            organization_id: facts.organization.as_str(),
            kind: facts.kind.name(),
            properties: facts.properties.members(),
            disabled: facts.disabled.map(|instant| instant.to_string()),
            revoked: facts.revoked.map(|instant| instant.to_string()),
            created_at: facts.created_at.to_string(),
            expires_at: facts.expires_at.to_string(),
            version: facts.version,
            expired: facts.expires_at <= now,
        }
    }
}
