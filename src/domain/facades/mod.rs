//! What makes several things in one call: a room with a ticket for it, a callback with both.
//!
//! The ticket's customer and the agent get addresses under a base that the caller names; we echo it and never ask it.

pub mod callback;
pub mod room;

use crate::domain::Cx;
use crate::domain::access::{Action, Caller, Denied, Subject, rules};
use crate::domain::applications::{self, Application};
use crate::domain::policy::TicketPolicy;
use crate::domain::{otp, tickets, upstream};
use crate::kernel::id::{TICKET_LENGTH_MAX, TICKET_LENGTH_MIN};
use crate::kernel::{ApplicationId, BaseUrl, ConferenceId, Fault, OrgId, TicketId};

/// Why a facade made nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such application in the organization.
    #[error("there is no such application")]
    NoApplication,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The request asks for something that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The ticket cannot be made.
    #[error(transparent)]
    Ticket(#[from] tickets::Error),
    /// The one-time code does not pay for it.
    #[error(transparent)]
    Code(#[from] otp::Error),
    /// The platform did not do its part.
    #[error(transparent)]
    Upstream(#[from] upstream::Error),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

const PROGRAMS_ONLY: Denied =
    Denied::of("only a client with credentials of its own may do this, not a person");

/// Lets a program through that may use the facades.
fn admit_program(caller: &Caller) -> Result<(), Denied> {
    rules::may(caller, Action::UseFacades)?;
    match caller.subject() {
        Subject::Client(_) => Ok(()),
        Subject::User(_) | Subject::Customer(_) => Err(PROGRAMS_ONLY),
    }
}

/// The application of that id that can be used now, in `organization` if one is given.
fn application(
    cx: &Cx<'_>,
    id: &ApplicationId,
    organization: Option<&OrgId>,
) -> Result<Application, Error> {
    let found = applications::find(cx, id)?.filter(|application| {
        let is_own = organization.is_none_or(|own| *own == application.organization);
        is_own && application.is_open(cx.now)
    });
    found.ok_or(Error::NoApplication)
}

/// The list an application may have of the addresses its tickets are given out under.
const URL_BASES: &str = "urlBases";

/// Under which address the tickets of an application are given out: the one asked for, or else our own.
fn base(
    cx: &Cx<'_>,
    application: &Application,
    (name, asked): (&str, Option<&str>),
) -> Result<BaseUrl, Error> {
    let own = cx.appliance.base();
    let Some(asked) = asked else {
        return Ok(own.clone());
    };
    let parsed = asked.parse::<BaseUrl>();
    let base = parsed.map_err(|error| Error::Invalid(format!("{name} {error}")))?;
    let listed = application.config.get(URL_BASES);
    let Some(listed) = listed.and_then(|list| list.as_array()) else {
        return Ok(base);
    };
    let is_it = |one: &BaseUrl| one.as_str().eq_ignore_ascii_case(base.as_str());
    let mut known = listed.iter().filter_map(|one| one.as_str()?.parse().ok());
    if is_it(own) || known.any(|one: BaseUrl| is_it(&one)) {
        return Ok(base);
    }
    let told = format!("{name} is none of the addresses in the application's {URL_BASES}");
    Err(Error::Invalid(told))
}

/// How long a facade's ticket lives unless the request says otherwise, in seconds.
const TICKET_SECONDS: i64 = 14_400;
/// How many letters its id has unless the request says otherwise: people type it.
const TICKET_LENGTH: i64 = 6;

/// The life asked for, under the name the request has for it.
fn ticket_seconds(policy: &TicketPolicy, (name, asked): (&str, Option<i64>)) -> Result<i64, Error> {
    let longest = policy.max_ttl.as_secs();
    let usual = TICKET_SECONDS.min(i64::try_from(longest).unwrap_or(TICKET_SECONDS));
    let seconds = asked.unwrap_or(usual);
    let fits = u64::try_from(seconds).is_ok_and(|seconds| (1..=longest).contains(&seconds));
    if fits {
        return Ok(seconds);
    }
    let told = format!("{name} must be from 1 to {longest} seconds");
    Err(Error::Invalid(told))
}

fn ticket_length((name, asked): (&str, Option<i64>)) -> Result<i64, Error> {
    let length = asked.unwrap_or(TICKET_LENGTH);
    let fits = |length: usize| (TICKET_LENGTH_MIN..=TICKET_LENGTH_MAX).contains(&length);
    if usize::try_from(length).is_ok_and(fits) {
        return Ok(length);
    }
    let told = format!("{name} must be from {TICKET_LENGTH_MIN} to {TICKET_LENGTH_MAX}");
    Err(Error::Invalid(told))
}

/// Where the customer goes. Some clients read the ticket off the end of it.
fn ticket_url(base: &BaseUrl, ticket: &TicketId) -> String {
    format!("{base}/t/{ticket}")
}

/// Where the agent goes.
fn agent_url(
    base: &BaseUrl,
    application: &ApplicationId,
    room: &ConferenceId,
    destination: &str,
) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("aid", application.as_str())
        .append_pair("roomId", room.as_str())
        .append_pair("cdestination", destination)
        .append_pair("corigin", ORIGIN)
        .finish();
    format!("{base}/a?{query}")
}

/// What our addresses and tickets say about where a room came from.
const ORIGIN: &str = "api";
