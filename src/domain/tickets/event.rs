//! The calendar event a ticket stands for: when it is, what it is called and where people join.
//!
//! Its texts come from properties strangers choose, so they leave here bounded and free of control characters; a
//! property of the wrong type or form is as good as absent. It must not know how an event is written down.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::kernel::{BaseUrl, Properties, TicketId, Timestamp};

/// An event, as a calendar shows it. It has no `Debug`, because its address opens a customer's conference.
#[derive(Clone, PartialEq, Eq)]
pub struct CalendarEvent {
    /// The same for every version of the event, and for no other.
    pub uid: String,
    /// Rises with every change.
    pub sequence: u64,
    /// Whether it will not take place.
    pub cancelled: bool,
    /// When the ticket was created.
    pub created: Timestamp,
    /// When the ticket was last changed.
    pub modified: Timestamp,
    /// When it begins, in whole seconds.
    pub start: Timestamp,
    /// When it ends: always later than its start.
    pub end: Timestamp,
    /// The title; one line, never empty.
    pub summary: String,
    /// What it is about; lines are divided by LF.
    pub description: String,
    /// Where it takes place; one line, never empty.
    pub location: String,
    /// The language of its texts, as BCP 47 writes it.
    pub language: Option<String>,
    /// Where people join.
    pub url: String,
    /// Who invites.
    pub organizer: Option<Person>,
    /// Who is invited.
    pub attendee: Option<Person>,
    /// The IANA time zone in whose hours the description gives the start.
    pub zone: Option<String>,
}

/// Someone with an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The address: ASCII letters, digits and `._+'-` on either side of one `@`.
    pub address: String,
    /// The name to show; one line, never empty.
    pub name: Option<String>,
}

/// What an event is made from.
#[derive(Clone, Copy)]
pub struct EventFacts<'a> {
    /// The event's identity: random, and stable for the ticket's life.
    pub uid: &'a str,
    /// The ticket.
    pub ticket: &'a TicketId,
    /// How often it was changed.
    pub version: u64,
    /// What its creator said about it.
    pub properties: &'a Properties,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
    /// When it stops being usable.
    pub expires_at: Timestamp,
    /// Whether it is revoked or disabled.
    pub withdrawn: bool,
    /// Our public address, as configured.
    pub base: &'a BaseUrl,
}

/// The event that stands for a ticket.
pub fn describe(facts: &EventFacts<'_>) -> CalendarEvent {
    let properties = facts.properties;
    let url = format!("{}/t/{}", facts.base, facts.ticket);
    let start = start(facts);
    let zone = properties.text("timezone").and_then(zone);
    CalendarEvent {
        uid: facts.uid.to_owned(),
        sequence: facts.version,
        cancelled: facts.withdrawn,
        created: facts.created_at,
        modified: facts.modified_at,
        start,
        end: end(facts, start),
        summary: line(properties.get("title")).unwrap_or_else(|| TITLE.to_owned()),
        description: description(properties, &url, start, zone.as_ref()),
        location: line(properties.get("location")).unwrap_or_else(|| url.clone()),
        language: properties.text("language").and_then(language),
        organizer: properties.get("organizer").and_then(person),
        attendee: properties.get("attendee").and_then(person),
        zone: zone.map(|(name, _)| name),
        url,
    }
}

fn start(facts: &EventFacts<'_>) -> Timestamp {
    let scheduled = facts.properties.instant("scheduled_date");
    let writable = |at: &Timestamp| (0..START_BEFORE).contains(&at.seconds());
    whole(scheduled.filter(writable).unwrap_or(facts.created_at))
}

fn end(facts: &EventFacts<'_>, start: Timestamp) -> Timestamp {
    let minutes = facts
        .properties
        .get("duration_minutes")
        .and_then(Value::as_u64)
        .filter(|minutes| (1..=MINUTES_MAX).contains(minutes));
    if let Some(minutes) = minutes {
        return start.after(Duration::from_mins(minutes));
    }
    let usual = start.after(LENGTH);
    let expiry = whole(facts.expires_at);
    // RFC 5545 §3.8.2.2: an event ends later than it starts, also when its ticket does not.
    if expiry > start {
        usual.min(expiry)
    } else {
        usual
    }
}

fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.seconds())
}

fn description(
    properties: &Properties,
    url: &str,
    start: Timestamp,
    zone: Option<&(String, TimeZone)>,
) -> String {
    let given = properties.text("description").map(lines);
    let text = given
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| format!("Join the video meeting: {url}"));
    let Some((name, zone)) = zone else {
        return text;
    };
    let local = start.to_jiff().to_zoned(zone.clone());
    let local = local.strftime("%A, %-d %B %Y, %H:%M");
    format!("{text}\n\nStarts {local} ({name})")
}

/// The zone under its own name, when the time-zone database has it.
fn zone(name: &str) -> Option<(String, TimeZone)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    if name.len() > ZONE_MAX || !name.chars().all(plain) {
        return None;
    }
    let zone = TimeZone::get(name).ok()?;
    let name = zone.iana_name()?.to_owned();
    Some((name, zone))
}

/// A plausible language tag (RFC 5646 §2.1).
fn language(tag: &str) -> Option<String> {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    let primary = (2..=8).contains(&first.len()) && first.chars().all(|c| c.is_ascii_alphabetic());
    let subtag = |part: &str| {
        (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let plausible = tag.len() <= LANGUAGE_MAX && primary && parts.all(subtag);
    plausible.then(|| tag.to_owned())
}

fn person(value: &Value) -> Option<Person> {
    let address = value.as_str().or_else(|| value.get("email")?.as_str())?;
    is_address(address).then(|| Person {
        address: address.to_owned(),
        name: line(value.get("name")),
    })
}

/// Whether the text is an e-mail address that stands in a `mailto:` address as it is (RFC 6068 §2).
fn is_address(text: &str) -> bool {
    let Some((mailbox, host)) = text.split_once('@') else {
        return false;
    };
    let word = |word: &str, more: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        !word.is_empty() && word.chars().all(plain)
    };
    let label = |label: &str| {
        word(label, "-") && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= ADDRESS_MAX
        && mailbox.len() <= MAILBOX_MAX
        && mailbox.split('.').all(|atom| word(atom, "_+'-"))
        && host.split('.').all(label)
}

/// One line of text, when there is any.
fn line(value: Option<&Value>) -> Option<String> {
    let text: String = value?.as_str()?.chars().filter(|c| printed(*c)).collect();
    Some(capped(&text, LINE_MAX)).filter(|text| !text.is_empty())
}

fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text: String = text.chars().filter(|c| *c == '\n' || printed(*c)).collect();
    capped(&text, DESCRIPTION_MAX)
}

/// No control character (which NEL is), and neither LS nor PS: some readers end a line at each of them.
fn printed(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')
}

fn capped(text: &str, most: usize) -> String {
    let text: String = text.trim().chars().take(most).collect();
    text.trim_end().to_owned()
}

const TITLE: &str = "Video meeting";
const LENGTH: Duration = Duration::from_hours(1);
const MINUTES_MAX: u64 = 24 * 60;
/// The year 9999: a calendar writes four digits, and an end must fit behind the start.
const START_BEFORE: i64 = 253_370_764_800;
const LINE_MAX: usize = 200;
const DESCRIPTION_MAX: usize = 2000;
const LANGUAGE_MAX: usize = 64;
const ZONE_MAX: usize = 64;
const ADDRESS_MAX: usize = 254;
const MAILBOX_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of(value: &Value) -> CalendarEvent {
        expiring(value, "2026-11-01T12:00:00Z")
    }

    fn expiring(value: &Value, expires_at: &str) -> CalendarEvent {
        describe(&EventFacts {
            uid: "0b6e2f5e-7a44-4c0c-9d53-1c8a0f6b2d11",
            ticket: &"abc-def".parse().unwrap(),
            version: 3,
            properties: &Properties::new(value.as_object().unwrap().clone()).unwrap(),
            created_at: "2026-11-01T08:00:00.9Z".parse().unwrap(),
            modified_at: "2026-11-01T08:05:00Z".parse().unwrap(),
            expires_at: expires_at.parse().unwrap(),
            withdrawn: false,
            base: &"https://admit.example.org".parse().unwrap(),
        })
    }

    #[test]
    fn a_ticket_without_properties_is_a_meeting_of_an_hour_at_its_address() {
        let event = of(&json!({}));
        assert_eq!(event.summary, "Video meeting");
        assert_eq!(event.url, "https://admit.example.org/t/abc-def");
        assert_eq!(event.location, event.url);
        assert!(event.description.contains(&event.url));
        assert_eq!(event.start.to_string(), "2026-11-01T08:00:00Z");
        assert_eq!(event.end.to_string(), "2026-11-01T09:00:00Z");
        assert_eq!(event.sequence, 3);
        assert!(event.organizer.is_none() && event.attendee.is_none());
    }

    #[test]
    fn an_event_ends_with_its_duration_or_an_hour_later_or_with_its_ticket() {
        for (properties, expires_at, end) in [
            (json!({}), "2026-11-01T08:20:00.7Z", "2026-11-01T08:20:00Z"),
            (json!({}), "2026-11-01T08:00:00.8Z", "2026-11-01T09:00:00Z"),
            (json!({}), "2026-10-01T08:00:00Z", "2026-11-01T09:00:00Z"),
            (
                json!({"duration_minutes": 90}),
                "2026-11-01T08:20:00Z",
                "2026-11-01T09:30:00Z",
            ),
            (
                json!({"duration_minutes": 1440}),
                "2026-11-01T12:00:00Z",
                "2026-11-02T08:00:00Z",
            ),
            (
                json!({"duration_minutes": 0}),
                "2026-11-01T12:00:00Z",
                "2026-11-01T09:00:00Z",
            ),
            (
                json!({"duration_minutes": 1441}),
                "2026-11-01T12:00:00Z",
                "2026-11-01T09:00:00Z",
            ),
            (
                json!({"duration_minutes": -5}),
                "2026-11-01T12:00:00Z",
                "2026-11-01T09:00:00Z",
            ),
            (
                json!({"duration_minutes": 1.5}),
                "2026-11-01T12:00:00Z",
                "2026-11-01T09:00:00Z",
            ),
            (
                json!({"duration_minutes": "30"}),
                "2026-11-01T12:00:00Z",
                "2026-11-01T09:00:00Z",
            ),
        ] {
            let event = expiring(&properties, expires_at);
            assert_eq!(event.end.to_string(), end, "{properties} {expires_at}");
        }
    }

    #[test]
    fn it_starts_when_it_is_scheduled_if_a_calendar_can_write_that() {
        for (scheduled, start) in [
            (json!("2026-12-24T18:00:00.123456Z"), "2026-12-24T18:00:00Z"),
            (json!("2026-12-24T18:00:00+02:00"), "2026-12-24T16:00:00Z"),
            (json!("tomorrow"), "2026-11-01T08:00:00Z"),
            (json!("-009999-06-01T00:00:00Z"), "2026-11-01T08:00:00Z"),
            (json!("9999-12-30T21:30:00Z"), "2026-11-01T08:00:00Z"),
            (json!(1_793_520_000), "2026-11-01T08:00:00Z"),
        ] {
            let event = of(&json!({ "scheduled_date": scheduled }));
            assert_eq!(event.start.to_string(), start, "{scheduled}");
        }
    }

    #[test]
    fn a_zone_gives_the_start_in_local_time() {
        let event = of(&json!({"timezone": "europe/athens", "description": "Your adviser"}));
        assert_eq!(event.zone.as_deref(), Some("Europe/Athens"));
        assert_eq!(
            event.description,
            "Your adviser\n\nStarts Sunday, 1 November 2026, 10:00 (Europe/Athens)"
        );
        for unknown in [
            json!("Mars/Olympus"),
            json!("../../etc/passwd"),
            json!(""),
            json!(3),
        ] {
            let event = of(&json!({"timezone": unknown, "description": "x"}));
            assert_eq!(event.zone, None, "{unknown}");
            assert_eq!(event.description, "x");
        }
    }

    #[test]
    fn texts_are_cleaned_and_cut_between_characters() {
        let event = of(&json!({
            "title": "\u{85} a\r\nb\u{2028}c\u{2029}d\u{0}\u{7f}e ",
            "description": "one\r\ntwo\rthree\nfour\u{85}\u{b}",
            "location": "\r\n\t",
        }));
        assert_eq!(event.summary, "abcde");
        assert_eq!(event.description, "one\ntwo\nthree\nfour");
        assert_eq!(event.location, event.url);
        let event = of(&json!({"title": "é".repeat(300), "description": "😀".repeat(3000)}));
        assert_eq!(event.summary, "é".repeat(200));
        assert_eq!(event.description, "😀".repeat(2000));
    }

    #[test]
    fn only_plausible_languages_and_plain_addresses_are_taken() {
        for tag in ["de", "el-GR", "zh-Hant-TW", "es-419"] {
            assert_eq!(
                of(&json!({ "language": tag })).language.as_deref(),
                Some(tag)
            );
        }
        for tag in [
            "",
            "e",
            "de-",
            "de_DE",
            "en;X=1",
            "d3",
            "abcdefghi",
            "de-\r\nX",
        ] {
            assert_eq!(of(&json!({ "language": tag })).language, None, "{tag}");
        }
        let organizer = |value: Value| of(&json!({ "organizer": value })).organizer;
        let person = organizer(json!({"email": "a.b+c@example.org", "name": "A\r\nB"})).unwrap();
        assert_eq!(person.address, "a.b+c@example.org");
        assert_eq!(person.name.as_deref(), Some("AB"));
        assert_eq!(organizer(json!("a@intranet")).unwrap().name, None);
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b..c",
            ".a@b",
            "a@-b",
            "a@b\r\nX:1",
            "a?cc=x@b",
            "a%0a@b",
            "mailto:a@b",
            "é@b",
            "a@b;c",
            "\"a\"@b",
            "A <a@b>",
        ] {
            assert_eq!(organizer(json!(bad)), None, "{bad}");
        }
        for bad in [
            json!(1),
            json!(null),
            json!(["a@b"]),
            json!({"name": "A"}),
            json!({"email": 1}),
        ] {
            assert_eq!(organizer(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn properties_of_the_wrong_type_are_as_good_as_absent() {
        let absent = of(&json!({}));
        let names = [
            "title",
            "description",
            "location",
            "language",
            "timezone",
            "organizer",
            "attendee",
            "scheduled_date",
            "duration_minutes",
        ];
        for wrong in [
            json!(-1),
            json!(true),
            json!([]),
            json!({}),
            json!(null),
            json!(1.5),
        ] {
            let members = names
                .iter()
                .map(|name| ((*name).to_owned(), wrong.clone()))
                .collect();
            assert!(of(&Value::Object(members)) == absent, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_event_ends_after_it_starts(
            scheduled in proptest::option::of(-400_000_000_000_i64..300_000_000_000),
            minutes in proptest::option::of(-10_i64..2000),
            expires in 0_i64..300_000_000_000,
        ) {
            let scheduled = scheduled.map(|at| Timestamp::from_seconds(at).to_string());
            let value = json!({"scheduled_date": scheduled, "duration_minutes": minutes});
            let event = expiring(&value, &Timestamp::from_seconds(expires.min(253_402_000_000)).to_string());
            prop_assert!(event.end > event.start);
        }
    }
}
