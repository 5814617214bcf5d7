//! `/security/facades/room` and `/callback`, and the paths under `/security/genesys` that every official script calls
//! them by.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderName};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::timeout;
use warp::Filter;

use super::super::call::{Call, call, json};
use super::super::json::Object;
use super::super::{Dialect, Problem, Response, Routes, any};
use crate::domain::facades::callback::{self, Asked, Made, Order, Plan, Proof};
use crate::domain::facades::room::{self, NewRoom};
use crate::domain::ports::Failure;
use crate::domain::{Appliance, Cx};
use crate::kernel::ApplicationId;

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::Security, route);
    any([
        warp::path!("facades" / "room")
            .and(call("/security/facades/room"))
            .then(room)
            .boxed(),
        warp::path!("facades" / "callback")
            .and(call("/security/facades/callback"))
            .then(callback)
            .boxed(),
        warp::path!("genesys" / "room")
            .and(call("/security/genesys/room"))
            .then(room)
            .boxed(),
        warp::path!("genesys" / "callback")
            .and(call("/security/genesys/callback"))
            .then(callback)
            .boxed(),
    ])
}

/// `POST /security/facades/room`: a room, a ticket for it, and where customer and agent find it.
async fn room(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run(|cx, call| {
        let caller = call.caller(cx)?;
        let body = call.json()?;
        let application = body.id("applicationId")?;
        let new = NewRoom {
            organization: body.id("organizationId")?,
            application: application
                .ok_or_else(|| Problem::bad_request("applicationId is required"))?,
            url_base: owned(body.text("urlBase")?),
            customer: owned(body.text("customerId")?),
            interaction: owned(body.text("interactionId")?),
            destination: owned(body.text("cdestination")?),
            ticket_seconds: body.integer("ticketExpirationSeconds")?,
            ticket_length: body.integer("ticketLength")?,
        };
        let addresses = room::open_with_ticket(cx, &caller, &new)?;
        json(&CreateRoomResult {
            agent: addresses.agent,
            ticket: addresses.ticket,
            recording: addresses.recording,
        })
    })
    .await
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// The published schema `CreateRoomResult`.
#[derive(Serialize)]
struct CreateRoomResult {
    #[serde(rename = "agentUrl")]
    agent: String,
    #[serde(rename = "ticketUrl")]
    ticket: String,
    #[serde(rename = "recordingUrl", skip_serializing_if = "Option::is_none")]
    recording: Option<String>,
}

/// `POST /security/facades/callback`: a callback at Genesys Cloud, with a room and a ticket for it.
async fn callback(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run_around(plan, ask, settle).await
}

const APPLICATION: HeaderName = HeaderName::from_static("x-applicationid");
const URL_BASE: HeaderName = HeaderName::from_static("x-urlbase");
const TICKET_SECONDS: HeaderName = HeaderName::from_static("x-ticket-expiration-seconds");
const VERIFICATION: HeaderName = HeaderName::from_static("x-otpverificationid");
const CODE: HeaderName = HeaderName::from_static("x-otpcode");

fn plan(cx: &Cx<'_>, call: &Call) -> Result<Plan, Problem> {
    let proof = proof(cx, call)?;
    let application = call.header(APPLICATION);
    let application = application
        .ok_or_else(|| Problem::bad_request("the header X-ApplicationId is required"))?;
    let application = application
        .parse::<ApplicationId>()
        .map_err(|error| Problem::bad_request(format!("X-ApplicationId {error}")))?;
    let order = order(call, &call.json()?)?;
    Ok(callback::plan(cx, &proof, &application, &order)?)
}

/// Whoever sends a code means to pay with it, whatever else the request brings.
fn proof(cx: &Cx<'_>, call: &Call) -> Result<Proof, Problem> {
    match (call.header(VERIFICATION), call.header(CODE)) {
        (Some(verification), Some(code)) => Ok(Proof::Code {
            verification: verification
                .parse()
                .map_err(|_| Problem::not_found("there is no such verification"))?,
            code: code.to_owned(),
        }),
        (None, None) => {
            if call.header(AUTHORIZATION).is_none() {
                return Err(Problem::no_bearer());
            }
            Ok(Proof::Program(call.caller(cx)?))
        }
        (Some(_), None) | (None, Some(_)) => Err(Problem::bad_request(
            "X-OtpVerificationId and X-OtpCode must be given together",
        )),
    }
}

fn order(call: &Call, body: &Object) -> Result<Order, Problem> {
    let mut request = Map::new();
    for name in [
        "scriptId",
        "queueId",
        "callbackScheduledTime",
        "countryCode",
    ] {
        put(&mut request, name, body.text(name)?);
    }
    let user_name = body.required_text("callbackUserName")?;
    put(&mut request, "callbackUserName", Some(user_name));
    let numbers = body.texts("callbackNumbers")?.unwrap_or_default();
    if numbers.is_empty() || numbers.len() > NUMBERS_MAX {
        let told = format!("callbackNumbers must be a list of 1 to {NUMBERS_MAX} numbers");
        return Err(Problem::bad_request(told));
    }
    request.insert("callbackNumbers".into(), Value::from(numbers.clone()));
    if let Some(validate) = body.choice("validateCallbackNumbers")? {
        request.insert("validateCallbackNumbers".into(), validate.into());
    }
    let mut queue_name = body.text("queueName")?.map(str::to_owned);
    let mut has_queue = request.contains_key("queueId");
    if let Some(routing) = body.object("routingData")? {
        queue_name = queue_name.or(routing.text("queueName")?.map(str::to_owned));
        let routing = routing_data(&routing)?;
        has_queue |= routing.contains_key("queueId");
        request.insert("routingData".into(), Value::Object(routing));
    }
    if let Some(data) = body.text_members("data")? {
        request.insert("data".into(), Value::Object(data));
    }
    Ok(Order {
        url_base: owned(call.header(URL_BASE)),
        ticket_seconds: ticket_seconds(call.header(TICKET_SECONDS))?,
        queue_name,
        has_queue,
        numbers,
        scheduled: owned(body.text("callbackScheduledTime")?),
        request,
    })
}

/// More telephone numbers than one person has.
const NUMBERS_MAX: usize = 10;

/// The published members, without the queue's name, which only we understand.
fn routing_data(given: &Object) -> Result<Map<String, Value>, Problem> {
    let mut routing = Map::new();
    for name in ["queueId", "languageId"] {
        put(&mut routing, name, given.text(name)?);
    }
    if let Some(priority) = given.integer("priority")? {
        routing.insert("priority".into(), priority.into());
    }
    for name in ["skillIds", "preferredAgentIds"] {
        if let Some(ids) = given.texts(name)? {
            routing.insert(name.into(), ids.into());
        }
    }
    Ok(routing)
}

fn put(members: &mut Map<String, Value>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        members.insert(name.to_owned(), text.into());
    }
}

fn ticket_seconds(header: Option<&str>) -> Result<Option<i64>, Problem> {
    let read = header.map(|text| text.trim().parse::<i64>()).transpose();
    read.map_err(|_| {
        Problem::bad_request("X-Ticket-Expiration-Seconds must be a whole number of seconds")
    })
}

/// Asks Genesys Cloud for the queue's id where only its name is known, and then for the callback.
async fn ask(on: Arc<Appliance>, mut plan: Plan) -> Asked {
    let genesys = &on.upstreams().genesys;
    if let Some(name) = plan.queue_name() {
        let found = genesys.queues_named(plan.account(), name);
        let found = timeout(QUEUES_WITHIN, found).await;
        let late = |_| {
            Err(Failure::Failed(
                "its queues could not be looked through in time".into(),
            ))
        };
        let found = found.unwrap_or_else(late);
        if let Err(why) = plan.choose_queue(found) {
            return plan.given_up(why);
        }
    }
    let answer = genesys
        .create_callback(plan.account(), plan.request())
        .await;
    plan.answered(answer)
}

/// Its queues come page by page.
const QUEUES_WITHIN: Duration = Duration::from_secs(15);

fn settle(cx: &Cx<'_>, _: &Call, asked: Asked) -> Result<Response, Problem> {
    let made = callback::settle(cx, asked)?;
    json(&CallbackResult::of(&made))
}

/// The published schema `CallbackResult`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallbackResult<'a> {
    conference_id: &'a str,
    ticket_id: &'a str,
    agent_url: &'a str,
    ticket_url: &'a str,
    genesys: GenesysCreateCallbackResponse<'a>,
}

/// The published schema of that name.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenesysCreateCallbackResponse<'a> {
    conversation: Conversation<'a>,
    callback_identifiers: Vec<CallbackIdentifier<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Conversation<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_uri: Option<&'a str>,
}

#[derive(Serialize)]
struct CallbackIdentifier<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
}

impl<'a> CallbackResult<'a> {
    fn of(made: &'a Made) -> Self {
        let callback = &made.callback;
        let identifiers = callback.identifiers.iter();
        Self {
            conference_id: made.room.as_str(),
            ticket_id: &made.ticket,
            agent_url: &made.agent_url,
            ticket_url: &made.ticket_url,
            genesys: GenesysCreateCallbackResponse {
                conversation: Conversation {
                    id: &callback.conversation,
                    name: callback.name.as_deref(),
                    self_uri: callback.self_uri.as_deref(),
                },
                callback_identifiers: identifiers
                    .map(|(kind, id)| CallbackIdentifier { kind, id })
                    .collect(),
            },
        }
    }
}
