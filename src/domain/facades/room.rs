//! A room is a name to meet under. Admit is no video server: it gives the name, and remembers nothing of it but what
//! its tickets say.

use serde_json::{Map, Value};

use super::{
    Error, ORIGIN, admit_program, agent_url, application, base, ticket_length, ticket_seconds,
    ticket_url,
};
use crate::domain::Cx;
use crate::domain::access::{Action, Caller, Denied, Role, rules};
use crate::domain::tickets::{self, Kind, NewTicket};
use crate::kernel::{ApplicationId, ConferenceId, OrgId, Properties, Timestamp};
use crate::store::Verdict;

/// A room as whoever opened it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name.
    pub id: ConferenceId,
    /// When it was named.
    pub created_at: Timestamp,
}

/// Names a room: the one asked for, or a new one.
pub fn open(cx: &Cx<'_>, caller: &Caller, asked: Option<ConferenceId>) -> Result<Room, Denied> {
    rules::may(caller, Action::OpenRoom)?;
    let id = asked.unwrap_or_else(|| ConferenceId::draw(cx.entropy()));
    Ok(Room {
        id,
        created_at: cx.now.to_millis(),
    })
}

/// What a room with a ticket is asked to be; the members are contract A's.
#[derive(Debug, Clone)]
pub struct NewRoom {
    /// Whose it shall be; only an internal service names another's.
    pub organization: Option<OrgId>,
    /// The integration it belongs to.
    pub application: ApplicationId,
    /// Under which address tickets are given out.
    pub url_base: Option<String>,
    /// The customer, as the integrator knows them.
    pub customer: Option<String>,
    /// The conversation it belongs to.
    pub interaction: Option<String>,
    /// Where the customer is shown it.
    pub destination: Option<String>,
    /// The ticket's life in seconds.
    pub ticket_seconds: Option<i64>,
    /// How many letters the ticket's id has.
    pub ticket_length: Option<i64>,
}

/// The addresses of a room with a ticket. No `Debug`: the ticket is in one of them.
pub struct Addresses {
    /// Where the agent goes.
    pub agent: String,
    /// Where the customer goes.
    pub ticket: String,
    /// Where the recording will be, where the application records.
    pub recording: Option<String>,
}

/// Where a customer can be shown a room (contract A).
const DESTINATIONS: [&str; 6] = [
    "mobile-office",
    "interaction-widget",
    "standalone",
    "embedded",
    "premise",
    "callback",
];
const USUAL_DESTINATION: &str = "standalone";

/// The member of an application's configuration that says whether its rooms are recorded.
const RECORDING: &str = "recording";

/// Names a room and makes a ticket for it, in one transaction.
pub fn open_with_ticket(cx: &Cx<'_>, caller: &Caller, new: &NewRoom) -> Result<Addresses, Error> {
    admit_program(caller)?;
    let named = new.organization.as_ref();
    let own = rules::organization(caller, named)?;
    // An internal service that names no organization means the application's.
    let anywhere = caller.roles().has(Role::Service) && named.is_none();
    let application = application(cx, &new.application, (!anywhere).then_some(own))?;
    let base = base(cx, &application, ("urlBase", new.url_base.as_deref()))?;
    let destination = destination(new.destination.as_deref())?;
    let room = ConferenceId::draw(cx.entropy());
    let ticket = NewTicket {
        kind: Kind::MultiUse,
        organization: None,
        properties: properties(new, &room, destination)?,
        length: Some(ticket_length(("ticketLength", new.ticket_length))?),
        ttl: Some(ticket_seconds(
            &cx.policy().tickets,
            ("ticketExpirationSeconds", new.ticket_seconds),
        )?),
        disabled: false,
    };
    let draft = tickets::draft(cx, ticket, application.organization.clone())?;
    let by = caller.subject().sub();
    let ticket = cx.write(|tx| {
        let chosen = match tickets::choose(tx, &draft)? {
            Ok(chosen) => chosen,
            Err(error) => return Ok(Verdict::Discard(Error::from(error))),
        };
        tickets::keep(tx, cx, &by, &chosen)?;
        Ok(Verdict::Commit(chosen.ticket))
    })?;
    let records = application.config.get(RECORDING) == Some(&Value::Bool(true));
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("aid", application.id.as_str())
        .append_pair("roomId", room.as_str())
        .finish();
    Ok(Addresses {
        agent: agent_url(&base, &application.id, &room, destination),
        ticket: ticket_url(&base, &ticket.id),
        recording: records.then(|| format!("{base}/r?{query}")),
    })
}

fn destination(asked: Option<&str>) -> Result<&'static str, Error> {
    let asked = asked.unwrap_or(USUAL_DESTINATION);
    let known = DESTINATIONS.into_iter().find(|known| *known == asked);
    known.ok_or_else(|| {
        let told = format!("cdestination must be one of {}", DESTINATIONS.join(", "));
        Error::Invalid(told)
    })
}

/// What the ticket says about its room, under the names clients read.
fn properties(new: &NewRoom, room: &ConferenceId, destination: &str) -> Result<Properties, Error> {
    let told = [
        ("applicationId", Some(new.application.as_str())),
        ("conference_id", Some(room.as_str())),
        ("customer_id", new.customer.as_deref()),
        ("interaction_id", new.interaction.as_deref()),
        ("cdestination", Some(destination)),
        ("corigin", Some(ORIGIN)),
    ];
    let mut members = Map::new();
    for (name, value) in told {
        if let Some(value) = value {
            members.insert(name.to_owned(), value.into());
        }
    }
    Properties::new(members).map_err(|error| Error::Invalid(error.to_string()))
}
