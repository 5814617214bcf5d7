//! A callback at Genesys Cloud with a ticket for it: planned, asked for, settled.
//!
//! No transaction is open while Genesys Cloud is asked. What is planned is held, so that of any number of simultaneous
//! requests with one code only one asks; what comes back decides whether the ticket is kept and the code spent, or
//! the code is given back. Where nobody can say whether the callback was made, the code stays held for good: it pays
//! for one callback at most.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    Error, ORIGIN, admit_program, agent_url, application, base, ticket_seconds, ticket_url,
};
use crate::domain::Cx;
use crate::domain::access::{Caller, Role};
use crate::domain::applications::{self, Application};
use crate::domain::audit::{self, Event};
use crate::domain::otp::{self, Held};
use crate::domain::ports::{Channel, CreatedCallback, Failure, GenesysAccount, Queue};
use crate::domain::throttle::{self, Counter};
use crate::domain::tickets::{self, Chosen, Draft, Kind, NewTicket};
use crate::domain::upstream;
use crate::kernel::{
    ApplicationId, BaseUrl, ConferenceId, Fault, OrgId, Properties, Timestamp, VerificationId,
};
use crate::store::{Tx, Verdict};

/// What pays for a callback.
#[derive(Clone)]
pub enum Proof {
    /// The token of a program.
    Program(Arc<Caller>),
    /// A one-time code.
    Code {
        /// What it was sent for.
        verification: VerificationId,
        /// The code.
        code: String,
    },
}

/// What a callback is asked to be: the published request, and the headers beside it. No `Debug`: it has people's numbers.
#[derive(Clone, Default)]
pub struct Order {
    /// Under which address its ticket is given out, for programs.
    pub url_base: Option<String>,
    /// The ticket's life in seconds from the callback's time.
    pub ticket_seconds: Option<i64>,
    /// The queue it waits in, by name: of the request itself, or of its routing data.
    pub queue_name: Option<String>,
    /// Whether the queue is named by id already.
    pub has_queue: bool,
    /// Whom to call.
    pub numbers: Vec<String>,
    /// When to call; at once without.
    pub scheduled: Option<String>,
    /// What goes to Genesys Cloud as it is, without names of queues.
    pub request: Map<String, Value>,
}

/// Everything that is asked of Genesys Cloud, and what will be kept when it has done it.
pub struct Plan {
    account: GenesysAccount,
    queue_name: Option<String>,
    request: Map<String, Value>,
    keeping: Keeping,
}

/// What is kept when the callback has been made.
struct Keeping {
    by: String,
    paid_by: Option<VerificationId>,
    application: ApplicationId,
    organization: OrgId,
    base: BaseUrl,
    room: ConferenceId,
    ticket: Chosen,
}

/// What came of asking.
pub struct Asked {
    keeping: Keeping,
    outcome: Result<CreatedCallback, NotMade>,
}

/// Why there is no callback.
enum NotMade {
    /// There is none for certain.
    Certainly(Error),
    /// It was asked for, and nobody knows.
    Perhaps(Failure),
}

/// A callback with its room and its ticket. No `Debug`: the ticket opens a customer's conference.
pub struct Made {
    /// The room.
    pub room: ConferenceId,
    /// The ticket's id.
    pub ticket: String,
    /// Where the agent goes.
    pub agent_url: String,
    /// Where the customer goes.
    pub ticket_url: String,
    /// What Genesys Cloud says of it.
    pub callback: CreatedCallback,
}

/// How often one code may be given back: each try asks Genesys Cloud as the organization's application.
const FAILED_MAX: u32 = 10;
const DESTINATION: &str = "callback";
/// A callback's ticket is followed, not typed.
const TICKET_LENGTH: i64 = 9;

/// Finds everything out that can be found out here, and holds the code that pays.
pub fn plan(
    cx: &Cx<'_>,
    proof: &Proof,
    application: &ApplicationId,
    order: &Order,
) -> Result<Plan, Error> {
    if order.queue_name.as_deref().is_some_and(is_no_name) {
        let told = "queueName must be the whole name of a queue";
        return Err(Error::Invalid(told.into()));
    }
    if order.queue_name.is_none() && !order.has_queue {
        let told = "queueId or queueName is required, in the request or in its routingData";
        return Err(Error::Invalid(told.into()));
    }
    let (application, base) = match proof {
        Proof::Program(caller) => for_program(cx, caller, application, order)?,
        Proof::Code { verification, code } => {
            let held = proven(cx, verification, code)?;
            for_code(cx, &held, application, order)?
        }
    };
    if application.kind != applications::Kind::Genesys {
        let told = "X-ApplicationId names an application that is not of type GENESYS";
        return Err(Error::Invalid(told.into()));
    }
    let account = upstream::genesys_account(&application)?;
    let room = ConferenceId::draw(cx.entropy());
    let ticket = new_ticket(cx, &application, &room, order)?;
    let draft = tickets::draft(cx, ticket, application.organization.clone())?;
    let ticket = hold(cx, proof, &draft)?;
    let (by, paid_by) = match proof {
        Proof::Program(caller) => (caller.subject().sub(), None),
        Proof::Code { verification, .. } => {
            (format!("code:{verification}"), Some(verification.clone()))
        }
    };
    let keeping = Keeping {
        by,
        paid_by,
        application: application.id,
        organization: application.organization,
        base,
        room,
        ticket,
    };
    Ok(Plan {
        account,
        queue_name: order.queue_name.clone().filter(|_| !order.has_queue),
        request: with_context(order.request.clone(), &keeping),
        keeping,
    })
}

/// Genesys Cloud would list every queue there is.
fn is_no_name(queue: &str) -> bool {
    queue.trim().is_empty() || queue.contains('*')
}

fn for_program(
    cx: &Cx<'_>,
    caller: &Caller,
    id: &ApplicationId,
    order: &Order,
) -> Result<(Application, BaseUrl), Error> {
    admit_program(caller)?;
    let asked = order.url_base.as_deref();
    let asked = asked
        .ok_or_else(|| Error::Invalid("X-UrlBase is required with client credentials".into()))?;
    let own = (!caller.roles().has(Role::Service)).then(|| caller.organization());
    let application = application(cx, id, own)?;
    let base = base(cx, &application, ("X-UrlBase", Some(asked)))?;
    Ok((application, base))
}

/// What the code was sent for. A wrong one is counted, and a right one stays as it is: whoever has none is told nothing
/// of applications.
fn proven(cx: &Cx<'_>, verification: &VerificationId, code: &str) -> Result<Held, Error> {
    let looked = cx.write(|tx| {
        Ok(match otp::hold(tx, cx, verification, code)? {
            Ok(held) => Verdict::Discard(Looked::Right(held)),
            Err(error) => Verdict::<Infallible, _>::CommitAndRefuse(Looked::Wrong(error)),
        })
    });
    match looked {
        Ok(never) => match never {},
        Err(Looked::Right(held)) => Ok(held),
        Err(Looked::Wrong(error)) => Err(error.into()),
    }
}

/// What looking at a code came to, when nothing is to be kept of it.
enum Looked {
    Right(Held),
    Wrong(otp::Error),
}

impl From<Fault> for Looked {
    fn from(fault: Fault) -> Self {
        Self::Wrong(fault.into())
    }
}

/// A visitor's browser chooses no address: it is ours.
fn for_code(
    cx: &Cx<'_>,
    held: &Held,
    id: &ApplicationId,
    order: &Order,
) -> Result<(Application, BaseUrl), Error> {
    let application = application(cx, id, Some(&held.organization))?;
    check_payment(held, &application, order)?;
    Ok((application, cx.appliance.base().clone()))
}

fn new_ticket(
    cx: &Cx<'_>,
    application: &Application,
    room: &ConferenceId,
    order: &Order,
) -> Result<NewTicket, Error> {
    let told = [
        ("applicationId", Some(application.id.as_str())),
        ("conference_id", Some(room.as_str())),
        ("cdestination", Some(DESTINATION)),
        ("corigin", Some(ORIGIN)),
        ("scheduled_date", order.scheduled.as_deref()),
    ];
    let given = told
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let members = given.map(|(name, value)| (name.to_owned(), Value::from(value)));
    let properties = Properties::new(members.collect());
    let kind = match &order.scheduled {
        None => Kind::GenesysMultiUse,
        Some(at) => {
            check_time(cx, at)?;
            Kind::GenesysSchedule
        }
    };
    let seconds = ("X-Ticket-Expiration-Seconds", order.ticket_seconds);
    Ok(NewTicket {
        kind,
        organization: None,
        properties: properties.map_err(|error| Error::Invalid(error.to_string()))?,
        length: Some(TICKET_LENGTH),
        ttl: Some(ticket_seconds(&cx.policy().tickets, seconds)?),
        disabled: false,
    })
}

fn check_time(cx: &Cx<'_>, at: &str) -> Result<(), Error> {
    let instant = at.parse::<Timestamp>();
    let instant =
        instant.map_err(|error| Error::Invalid(format!("callbackScheduledTime {error}")))?;
    if instant <= cx.now {
        return Err(Error::Invalid("callbackScheduledTime is past".into()));
    }
    if instant > cx.now.after(SCHEDULED_MAX) {
        let told = "callbackScheduledTime is more than a year ahead";
        return Err(Error::Invalid(told.into()));
    }
    Ok(())
}

const SCHEDULED_MAX: Duration = Duration::from_hours(365 * 24);

/// Chooses the ticket's id and holds the code that pays, if one does.
fn hold(cx: &Cx<'_>, proof: &Proof, draft: &Draft) -> Result<Chosen, Error> {
    cx.write(|tx| {
        if let Proof::Code { verification, code } = proof {
            let failed = throttle::read(tx, cx.now, Counter::FailedCallbacks(verification))?;
            if failed.count >= FAILED_MAX {
                let told = otp::Error::TooMany(failed.left);
                return Ok(Verdict::Discard(Error::Code(told)));
            }
            if let Err(error) = otp::hold(tx, cx, verification, code)? {
                return Ok(Verdict::CommitAndRefuse(Error::Code(error)));
            }
        }
        match tickets::choose(tx, draft)? {
            Ok(chosen) => Ok(Verdict::Commit(chosen)),
            Err(error) => Ok(Verdict::Discard(error.into())),
        }
    })
}

/// A code pays for a call to the number it was sent to, by the application it was asked for, and for nothing else.
fn check_payment(held: &Held, application: &Application, order: &Order) -> Result<(), Error> {
    let is_foreign = held.organization != application.organization;
    let of_another = held
        .application
        .as_ref()
        .is_some_and(|one| *one != application.id);
    if is_foreign || of_another {
        return Err(Error::NoApplication);
    }
    match order.numbers.as_slice() {
        // An address is no number, whatever Genesys Cloud would make of it.
        [only] if *only == held.to && held.channel != Channel::Email => Ok(()),
        _ => {
            let told = "callbackNumbers must be the number the code was sent to, and no other";
            Err(Error::Invalid(told.into()))
        }
    }
}

/// What the agent's side reads of a callback's data.
const CONTEXT: &str = "context.auvious.";

fn with_context(mut request: Map<String, Value>, keeping: &Keeping) -> Map<String, Value> {
    let mut data = match request.remove("data") {
        Some(Value::Object(data)) => data,
        _ => Map::new(),
    };
    // Nobody else speaks to the agent's side in our name.
    data.retain(|name, _| !name.starts_with(CONTEXT));
    let ticket = &keeping.ticket.ticket.id;
    let ours = [
        ("conferenceId", keeping.room.to_string()),
        ("ticketUrl", ticket_url(&keeping.base, ticket)),
        ("agentUrl", keeping.agent_url()),
    ];
    for (name, value) in ours {
        data.insert(format!("{CONTEXT}{name}"), value.into());
    }
    request.insert("data".to_owned(), Value::Object(data));
    request
}

impl Keeping {
    fn agent_url(&self) -> String {
        agent_url(&self.base, &self.application, &self.room, DESTINATION)
    }
}

impl Plan {
    /// As whom Genesys Cloud is asked.
    pub fn account(&self) -> &GenesysAccount {
        &self.account
    }

    /// The name of the queue whose id is to be found first, if it is known by name alone.
    pub fn queue_name(&self) -> Option<&str> {
        self.queue_name.as_deref()
    }

    /// The request as Genesys Cloud gets it.
    pub fn request(&self) -> &Map<String, Value> {
        &self.request
    }

    /// Puts the one queue of that name into the request; none and several are refused.
    pub fn choose_queue(&mut self, found: Result<Vec<Queue>, Failure>) -> Result<(), Error> {
        let queues = found.map_err(upstream::Error::Failure)?;
        let [queue] = queues.as_slice() else {
            let told = match queues.len() {
                0 => "no queue has the name in queueName",
                _ => "several queues have the name in queueName: give queueId instead",
            };
            return Err(Error::Invalid(told.into()));
        };
        let id = Value::from(queue.id.as_str());
        self.request.insert("queueId".to_owned(), id);
        Ok(())
    }

    /// Nothing was asked for, because of this.
    pub fn given_up(self, why: Error) -> Asked {
        Asked {
            keeping: self.keeping,
            outcome: Err(NotMade::Certainly(why)),
        }
    }

    /// It was asked for, and this came back.
    pub fn answered(self, answer: Result<CreatedCallback, Failure>) -> Asked {
        let outcome = answer.map_err(|failure| match failure {
            Failure::Unanswered(_) => NotMade::Perhaps(failure),
            Failure::Refused { .. }
            | Failure::Credentials
            | Failure::Busy(_)
            | Failure::Forbidden(_)
            | Failure::Failed(_) => NotMade::Certainly(upstream::Error::Failure(failure).into()),
        });
        Asked {
            keeping: self.keeping,
            outcome,
        }
    }
}

/// Keeps the ticket and spends the code when the callback was made, in one transaction; else gives the code back.
pub fn settle(cx: &Cx<'_>, asked: Asked) -> Result<Made, Error> {
    let Asked { keeping, outcome } = asked;
    let callback = match outcome {
        Ok(callback) => callback,
        Err(not_made) => return Err(undo(cx, &keeping, not_made)),
    };
    cx.write(|tx| {
        if let Some(id) = &keeping.paid_by
            && !otp::spend(tx, cx, id)?
        {
            return Err(Fault::internal("the code that pays is not held any more"));
        }
        tickets::keep(tx, cx, &keeping.by, &keeping.ticket)?;
        told(tx, cx, &keeping, "callback.created")?;
        Ok(Verdict::<_, Error>::Commit(()))
    })?;
    let ticket = &keeping.ticket.ticket.id;
    Ok(Made {
        agent_url: keeping.agent_url(),
        ticket_url: ticket_url(&keeping.base, ticket),
        ticket: ticket.to_string(),
        room: keeping.room,
        callback,
    })
}

fn undo(cx: &Cx<'_>, keeping: &Keeping, not_made: NotMade) -> Error {
    let (why, action, gives_back) = match not_made {
        NotMade::Certainly(why) => (why, "callback.not_created", true),
        NotMade::Perhaps(failure) => {
            let why = upstream::Error::Failure(failure).into();
            (why, "callback.unanswered", false)
        }
    };
    let undone = cx.write(|tx| {
        if let Some(id) = keeping.paid_by.as_ref().filter(|_| gives_back) {
            otp::release(tx, cx, id)?;
            throttle::count(tx, cx.now, Counter::FailedCallbacks(id))?;
        }
        told(tx, cx, keeping, action)?;
        Ok(Verdict::<(), otp::Error>::Commit(()))
    });
    undone.err().map_or(why, Error::Code)
}

fn told(tx: &Tx<'_>, cx: &Cx<'_>, keeping: &Keeping, action: &'static str) -> Result<(), Fault> {
    let event = Event {
        action,
        by: &keeping.by,
        to: keeping.application.as_str(),
        organization: Some(&keeping.organization),
    };
    audit::record(tx, cx, &event)
}
