//! Tickets: what they open, how long, and the one place that says whether one can be used.
//!
//! A ticket's id is a bearer secret. The store knows it by a keyed digest and keeps it sealed; nothing logs it.

pub mod event;
mod guesses;
mod issue;
mod listing;
mod manage;
mod records;
mod redeem;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Cx;
use super::access::{Action, Caller, Denied, Role, Subject, rules};
use super::policy::TicketPolicy;
use crate::kernel::properties::TooLarge;
use crate::kernel::{Digest, Fault, OrgId, Properties, TicketId, Timestamp, UserId};
use event::{CalendarEvent, EventFacts};

pub use issue::issue;
pub(in crate::domain) use issue::{Chosen, Draft, choose, draft, keep};
pub use listing::{Listing, Page, list};
pub(in crate::domain) use listing::{alive, guessable};
pub use manage::{delete, disable, enable, revoke, update};
pub(in crate::domain) use records::{are_in, ends_at, strays, sweep};
pub use redeem::Refusal;
pub(in crate::domain) use redeem::{Redemption, may_renew, redeem};

/// The nine kinds of ticket. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the names are the contract's, and `name` spells them"
)]
pub enum Kind {
    GenesysSingleUse,
    GenesysMultiUse,
    GenesysSchedule,
    MultiUse,
    Schedule,
    AppointmentsSchedule,
    SingleUse,
    SingleUseSchedule,
    SingleUseAppointmentsSchedule,
}

const KINDS: [(Kind, &str); 9] = [
    (Kind::GenesysSingleUse, "GENESYS_SINGLE_USE_TICKET"),
    (Kind::GenesysMultiUse, "GENESYS_MULTI_USE_TICKET"),
    (Kind::GenesysSchedule, "GENESYS_SCHEDULE_TICKET"),
    (Kind::MultiUse, "MULTI_USE_TICKET"),
    (Kind::Schedule, "SCHEDULE_TICKET"),
    (Kind::AppointmentsSchedule, "APPOINTMENTS_SCHEDULE_TICKET"),
    (Kind::SingleUse, "SINGLE_USE_TICKET"),
    (Kind::SingleUseSchedule, "SINGLE_USE_SCHEDULE_TICKET"),
    (
        Kind::SingleUseAppointmentsSchedule,
        "SINGLE_USE_APPOINTMENTS_SCHEDULE_TICKET",
    ),
];

impl Kind {
    /// The kind of that published name.
    pub fn from_name(name: &str) -> Option<Self> {
        KINDS
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(kind, _)| *kind)
    }

    /// Its published name.
    pub fn name(self) -> &'static str {
        KINDS
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| name)
    }

    /// Whether the first redemption spends it.
    pub fn is_single_use(self) -> bool {
        match self {
            Self::GenesysSingleUse
            | Self::SingleUse
            | Self::SingleUseSchedule
            | Self::SingleUseAppointmentsSchedule => true,
            Self::GenesysMultiUse
            | Self::GenesysSchedule
            | Self::MultiUse
            | Self::Schedule
            | Self::AppointmentsSchedule => false,
        }
    }

    /// Whether its life counts from the property `scheduled_date`.
    pub fn is_scheduled(self) -> bool {
        match self {
            Self::GenesysSchedule
            | Self::Schedule
            | Self::AppointmentsSchedule
            | Self::SingleUseSchedule
            | Self::SingleUseAppointmentsSchedule => true,
            Self::GenesysSingleUse | Self::GenesysMultiUse | Self::MultiUse | Self::SingleUse => {
                false
            }
        }
    }
}

/// A ticket. It has no `Debug`, because its id opens a customer's conference.
#[derive(Clone)]
pub struct Ticket {
    /// What the customer types or follows.
    pub id: TicketId,
    /// The facts about it.
    pub facts: Facts,
}

/// Everything about a ticket except its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The user id its bearer gets; fixed when the ticket is created.
    pub user: UserId,
    /// The organization it belongs to.
    pub organization: OrgId,
    /// Its kind.
    pub kind: Kind,
    /// What its creator said about it.
    pub properties: Properties,
    /// How long it lives from its beginning.
    pub ttl: Duration,
    /// Since when it is disabled.
    pub disabled: Option<Timestamp>,
    /// Since when it is revoked.
    pub revoked: Option<Timestamp>,
    /// When its one use was spent.
    pub used: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
    /// When it stops being usable.
    pub expires_at: Timestamp,
    /// 0 at first, one more with each change.
    pub version: u64,
    /// The identity of its calendar event.
    pub event_uid: String,
}

/// Whether a ticket can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It can.
    Usable,
    /// Its time has not come.
    TooEarly,
    /// It was disabled, and may be enabled again.
    Disabled,
    /// It was revoked for good.
    Revoked,
    /// Its time is over.
    Expired,
    /// Its one use was spent.
    Used,
}

impl Standing {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::TooEarly => "too early",
            Self::Disabled => "disabled",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Used => "used",
        }
    }
}

impl Facts {
    /// The one judge of whether the ticket can be used. What is permanent outweighs what is not.
    pub fn standing(&self, now: Timestamp, policy: &TicketPolicy) -> Standing {
        if self.revoked.is_some() {
            return Standing::Revoked;
        }
        if self.disabled.is_some() {
            return Standing::Disabled;
        }
        if self.used.is_some() {
            return Standing::Used;
        }
        if self.expires_at <= now {
            return Standing::Expired;
        }
        let opens_at = policy
            .opens_before
            .map(|early| self.begins_at().before(early));
        match opens_at {
            Some(opens_at) if self.kind.is_scheduled() && now < opens_at => Standing::TooEarly,
            _ => Standing::Usable,
        }
    }

    /// When its life begins: the scheduled date, or its creation.
    fn begins_at(&self) -> Timestamp {
        let scheduled = self
            .kind
            .is_scheduled()
            .then(|| self.properties.instant(SCHEDULED_DATE));
        scheduled.flatten().unwrap_or(self.created_at)
    }

    /// One more change at `now`.
    fn changed(&mut self, now: Timestamp) {
        self.version = self.version.saturating_add(1);
        self.modified_at = now.to_millis();
    }
}

/// The property a scheduled ticket's life counts from.
const SCHEDULED_DATE: &str = "scheduled_date";

/// What a new ticket is asked to be.
#[derive(Debug, Clone)]
pub struct NewTicket {
    /// Its kind.
    pub kind: Kind,
    /// Whose it shall be; the caller's own unless an internal service names another.
    pub organization: Option<OrgId>,
    /// What its creator says about it.
    pub properties: Properties,
    /// How many letters and digits its id shall have.
    pub length: Option<i64>,
    /// How many seconds it shall live.
    pub ttl: Option<i64>,
    /// Whether it begins its life disabled.
    pub disabled: bool,
}

/// What of a ticket shall change.
#[derive(Debug, Clone)]
pub struct Changes {
    /// Accepted when it is the ticket's own, or from an internal service.
    pub organization: Option<OrgId>,
    /// Laid over the present properties; a `null` removes one.
    pub properties: Map<String, Value>,
}

/// Why an operation on tickets failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that id in the caller's organization.
    #[error("there is no such ticket")]
    NotFound,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The request asks for something no ticket can be.
    #[error("{0}")]
    Invalid(String),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<TooLarge> for Error {
    fn from(error: TooLarge) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// The ticket of that id: for its organization's agents, and for the customer who holds it.
pub fn read(cx: &Cx<'_>, caller: &Caller, id: &TicketId) -> Result<Ticket, Error> {
    let is_customer = caller.roles().has(Role::Customer);
    if !is_customer {
        rules::may(caller, Action::ReadTicket)?;
    }
    let facts = records::get(cx, digest(cx, id))?.ok_or(Error::NotFound)?;
    let is_own = matches!(caller.subject(), Subject::Customer(user) if *user == facts.user);
    if !rules::sees(caller, &facts.organization) || (is_customer && !is_own) {
        return Err(Error::NotFound);
    }
    Ok(Ticket {
        id: id.clone(),
        facts,
    })
}

/// The calendar event the ticket stands for.
pub fn event(cx: &Cx<'_>, caller: &Caller, id: &TicketId) -> Result<CalendarEvent, Error> {
    let Ticket { facts, .. } = read(cx, caller, id)?;
    Ok(event::describe(&EventFacts {
        uid: &facts.event_uid,
        ticket: id,
        version: facts.version,
        properties: &facts.properties,
        created_at: facts.created_at,
        modified_at: facts.modified_at,
        expires_at: facts.expires_at,
        withdrawn: facts.revoked.is_some() || facts.disabled.is_some(),
        base: cx.appliance.base(),
    }))
}

/// The store's name for a ticket: keyed, so that a stolen store gives no offline guessing of short ids.
pub(in crate::domain) fn digest(cx: &Cx<'_>, id: &TicketId) -> Digest {
    cx.appliance
        .keyring
        .digest("ticket", id.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(kind: Kind) -> Facts {
        let properties = json!({"scheduled_date": "1970-01-02T00:00:00Z"});
        Facts {
            user: "u".parse().unwrap(),
            organization: "o".parse().unwrap(),
            kind,
            properties: Properties::new(properties.as_object().unwrap().clone()).unwrap(),
            ttl: Duration::from_hours(1),
            disabled: None,
            revoked: None,
            used: None,
            created_at: Timestamp::from_seconds(0),
            modified_at: Timestamp::from_seconds(0),
            expires_at: Timestamp::from_seconds(90_000),
            version: 0,
            event_uid: String::new(),
        }
    }

    #[test]
    fn what_is_permanent_outweighs_what_is_not() {
        let mark = Some(Timestamp::from_seconds(1));
        let rows = [
            ("nothing", (None, None, None), 10, Standing::Usable),
            (
                "its time is over",
                (None, None, None),
                90_000,
                Standing::Expired,
            ),
            ("used and over", (None, None, mark), 90_000, Standing::Used),
            (
                "disabled and used",
                (None, mark, mark),
                10,
                Standing::Disabled,
            ),
            (
                "revoked and disabled",
                (mark, mark, None),
                10,
                Standing::Revoked,
            ),
            ("everything", (mark, mark, mark), 90_000, Standing::Revoked),
        ];
        for (name, (revoked, disabled, used), now, expected) in rows {
            let facts = Facts {
                disabled,
                revoked,
                used,
                ..facts(Kind::SingleUse)
            };
            assert_eq!(
                facts.standing(Timestamp::from_seconds(now), &TicketPolicy::default()),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_scheduled_ticket_is_too_early_only_where_a_window_is_configured() {
        let window = TicketPolicy {
            opens_before: Some(Duration::from_mins(10)),
            ..TicketPolicy::default()
        };
        let standing = |kind, policy: &TicketPolicy| {
            facts(kind).standing(Timestamp::from_seconds(100), policy)
        };
        assert_eq!(
            standing(Kind::Schedule, &TicketPolicy::default()),
            Standing::Usable
        );
        assert_eq!(standing(Kind::Schedule, &window), Standing::TooEarly);
        assert_eq!(standing(Kind::MultiUse, &window), Standing::Usable);
    }

    #[test]
    fn the_nine_kinds_say_by_name_what_they_are() {
        for (kind, name) in KINDS {
            assert_eq!(Kind::from_name(name), Some(kind));
            assert_eq!(kind.is_single_use(), name.contains("SINGLE_USE"), "{name}");
            assert_eq!(kind.is_scheduled(), name.contains("SCHEDULE"), "{name}");
        }
        assert_eq!(Kind::from_name("multi_use_ticket"), None);
    }
}
