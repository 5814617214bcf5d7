//! Calendar files: one event as iCalendar (RFC 5545), published or cancelled (RFC 5546 §3.2).
//!
//! The document is built from the `ical` crate's types, whose values are kept as they are written, that is escaped.
//! The emitter is ours: the crate's neither escapes nor folds by octets. It must not know tickets.

use ical::parser::ical::component::{IcalAlarm, IcalCalendar, IcalEvent};
use ical::property::Property;

use crate::domain::tickets::event::{CalendarEvent, Person};
use crate::kernel::Timestamp;

/// How an answer offers the document as a file to keep (RFC 6266 §4).
pub const DISPOSITION: &str = "attachment; filename=\"event.ics\"";

/// The media type, which repeats the method (RFC 5545 §8.1).
pub fn content_type(event: &CalendarEvent) -> &'static str {
    if event.cancelled {
        "text/calendar; charset=utf-8; method=CANCEL"
    } else {
        "text/calendar; charset=utf-8; method=PUBLISH"
    }
}

/// The calendar file.
pub fn calendar(event: &CalendarEvent) -> Vec<u8> {
    let mut file = File(String::new());
    file.calendar(&document(event));
    file.0.into_bytes()
}

/// An instant as RFC 5545 §3.3.5 writes it in UTC.
pub(super) fn stamp(at: Timestamp) -> String {
    let at = at.max(Timestamp::from_seconds(0)).to_jiff();
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn document(event: &CalendarEvent) -> IcalCalendar {
    let method = if event.cancelled { "CANCEL" } else { "PUBLISH" };
    IcalCalendar {
        properties: vec![
            plain("VERSION", "2.0"),
            plain("PRODID", "-//Admit//Admit//EN"),
            plain("CALSCALE", "GREGORIAN"),
            plain("METHOD", method),
        ],
        events: vec![IcalEvent {
            properties: event_properties(event),
            alarms: alarms(event),
        }],
        ..IcalCalendar::default()
    }
}

fn event_properties(event: &CalendarEvent) -> Vec<Property> {
    let status = if event.cancelled {
        "CANCELLED"
    } else {
        "CONFIRMED"
    };
    let language = event.language.as_deref();
    let mut properties = vec![
        text("UID", &event.uid),
        plain("DTSTAMP", &stamp(event.modified)),
        plain("CREATED", &stamp(event.created)),
        plain("LAST-MODIFIED", &stamp(event.modified)),
        plain("DTSTART", &stamp(event.start)),
        plain("DTEND", &stamp(event.end)),
        plain("SEQUENCE", &event.sequence.min(INTEGER_MAX).to_string()),
        plain("STATUS", status),
        with(text("SUMMARY", &event.summary), "LANGUAGE", language),
        with(
            text("DESCRIPTION", &event.description),
            "LANGUAGE",
            language,
        ),
        text("LOCATION", &event.location),
        plain("URL", &event.url),
    ];
    properties.extend(
        event
            .organizer
            .as_ref()
            .map(|who| address("ORGANIZER", who)),
    );
    properties.extend(event.attendee.as_ref().map(|who| address("ATTENDEE", who)));
    properties
}

/// One reminder, unless there is nothing left to be reminded of.
fn alarms(event: &CalendarEvent) -> Vec<IcalAlarm> {
    if event.cancelled {
        return Vec::new();
    }
    vec![IcalAlarm {
        properties: vec![
            plain("ACTION", "DISPLAY"),
            plain("TRIGGER", "-PT15M"),
            text("DESCRIPTION", &event.summary),
        ],
    }]
}

fn plain(name: &str, value: &str) -> Property {
    Property {
        name: name.to_owned(),
        params: None,
        value: Some(value.to_owned()),
    }
}

fn text(name: &str, value: &str) -> Property {
    plain(name, &escaped(value))
}

fn address(name: &str, who: &Person) -> Property {
    let mailto = plain(name, &format!("mailto:{}", who.address));
    with(mailto, "CN", who.name.as_deref())
}

fn with(property: Property, name: &str, value: Option<&str>) -> Property {
    let params = value.map(|value| vec![(name.to_owned(), vec![value.to_owned()])]);
    Property { params, ..property }
}

/// RFC 5545 §3.3.11.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' | '\r' => out.push_str("\\n"),
            _ => out.push(c),
        }
    }
    out
}

/// The file as it grows.
struct File(String);

impl File {
    fn calendar(&mut self, calendar: &IcalCalendar) {
        self.line("BEGIN:VCALENDAR");
        self.properties(&calendar.properties);
        for event in &calendar.events {
            self.line("BEGIN:VEVENT");
            self.properties(&event.properties);
            for alarm in &event.alarms {
                self.line("BEGIN:VALARM");
                self.properties(&alarm.properties);
                self.line("END:VALARM");
            }
            self.line("END:VEVENT");
        }
        self.line("END:VCALENDAR");
    }

    fn properties(&mut self, properties: &[Property]) {
        for property in properties {
            let mut line = property.name.clone();
            for (name, values) in property.params.iter().flatten() {
                let values: Vec<String> = values.iter().map(|value| parameter(value)).collect();
                line.extend([";", name, "=", &values.join(",")]);
            }
            line.push(':');
            line.push_str(property.value.as_deref().unwrap_or_default());
            self.line(&line);
        }
    }

    /// One content line: no control character survives, so nothing in it can end it (RFC 5545 §3.1).
    fn line(&mut self, content: &str) {
        let content: String = content.chars().filter(|c| printed(*c)).collect();
        let mut rest = content.as_str();
        let mut room = LINE_OCTETS;
        while rest.len() > room
            && let Some((head, tail)) = rest.split_at_checked(fold_at(rest, room))
        {
            self.0.push_str(head);
            self.0.push_str("\r\n ");
            rest = tail;
            room = LINE_OCTETS - 1;
        }
        self.0.push_str(rest);
        self.0.push_str("\r\n");
    }
}

/// Where a line of at most `room` octets ends: between two characters, and if it can after neither a blank nor a
/// backslash, because there are readers that drop the one and resolve the other before they unfold.
fn fold_at(line: &str, room: usize) -> usize {
    let ends = line.char_indices().map(|(at, c)| (at + c.len_utf8(), c));
    let (mut last, mut shown) = (0, None);
    for (end, c) in ends.take_while(|(end, _)| *end <= room) {
        last = end;
        if !c.is_whitespace() && c != '\\' {
            shown = Some(end);
        }
    }
    shown.unwrap_or(last)
}

/// Quoted unless it is a plain word: a language tag must not be quoted, a name may need it (RFC 5545 §3.2).
fn parameter(value: &str) -> String {
    let word = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if word {
        value.to_owned()
    } else {
        format!("\"{}\"", value.replace('"', ""))
    }
}

/// The domain has seen to this already; a file that could be broken out of would be worth the second look.
fn printed(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')
}

const LINE_OCTETS: usize = 75;
/// The largest number RFC 5545 §3.3.8 allows.
const INTEGER_MAX: u64 = 2_147_483_647;

#[cfg(test)]
mod tests {
    use ical::IcalParser;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::tickets::event::{EventFacts, describe};
    use crate::kernel::Properties;

    fn event() -> CalendarEvent {
        CalendarEvent {
            uid: "0b6e2f5e-7a44-4c0c-9d53-1c8a0f6b2d11".to_owned(),
            sequence: 2,
            cancelled: false,
            created: "2026-11-01T08:00:00.5Z".parse().unwrap(),
            modified: "2026-11-02T09:30:00Z".parse().unwrap(),
            start: "2026-11-21T21:30:24Z".parse().unwrap(),
            end: "2026-11-21T22:15:24Z".parse().unwrap(),
            summary: "Beratung: Küche; Bad, Flur \\ Keller".to_owned(),
            description: "Bitte halten Sie Ihren Ausweis bereit – größere Pläne können Sie während \
                          des Gesprächs zeigen.\n\nStarts Saturday, 21 November 2026, 22:30 (Europe/Berlin)"
                .to_owned(),
            location: "https://admit.example.org:8443/t/abc-def".to_owned(),
            language: Some("de-AT".to_owned()),
            url: "https://admit.example.org:8443/t/abc-def".to_owned(),
            organizer: Some(Person {
                address: "adviser@example.org".to_owned(),
                name: Some("Müller, \"Jo\"; Beratung".to_owned()),
            }),
            attendee: Some(Person {
                address: "customer@example.com".to_owned(),
                name: None,
            }),
            zone: Some("Europe/Berlin".to_owned()),
        }
    }

    fn parsed(bytes: &[u8]) -> IcalCalendar {
        let mut calendars = IcalParser::new(bytes);
        let calendar = calendars.next().unwrap().unwrap();
        assert!(calendars.next().is_none());
        calendar
    }

    fn names(properties: &[Property]) -> Vec<&str> {
        properties
            .iter()
            .map(|property| property.name.as_str())
            .collect()
    }

    fn value<'a>(properties: &'a [Property], name: &str) -> &'a str {
        let found = properties.iter().find(|property| property.name == name);
        found.unwrap().value.as_deref().unwrap_or_default()
    }

    fn unescaped(text: &str) -> String {
        let mut out = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            out.push(match c {
                '\\' => match chars.next().unwrap() {
                    'n' => '\n',
                    other => other,
                },
                other => other,
            });
        }
        out
    }

    fn assert_lines(bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).unwrap();
        let body = text.strip_suffix("\r\n").unwrap();
        for line in body.split("\r\n") {
            assert!(line.len() <= 75, "{} octets: {line:?}", line.len());
            assert!(!line.is_empty() && line != " ", "{line:?}");
            assert!(line.chars().all(printed), "{line:?}");
        }
    }

    const NAMES: [&str; 14] = [
        "UID",
        "DTSTAMP",
        "CREATED",
        "LAST-MODIFIED",
        "DTSTART",
        "DTEND",
        "SEQUENCE",
        "STATUS",
        "SUMMARY",
        "DESCRIPTION",
        "LOCATION",
        "URL",
        "ORGANIZER",
        "ATTENDEE",
    ];

    #[test]
    fn one_event_is_written_as_the_golden_file_has_it() {
        let golden = include_bytes!("../../tests/golden/event.ics");
        let bytes = calendar(&event());
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            String::from_utf8_lossy(golden)
        );
        assert_lines(&bytes);
    }

    #[test]
    fn a_cancelled_event_says_so_and_reminds_nobody() {
        let event = CalendarEvent {
            cancelled: true,
            sequence: u64::MAX,
            ..event()
        };
        assert_eq!(
            content_type(&event),
            "text/calendar; charset=utf-8; method=CANCEL"
        );
        let calendar = parsed(&calendar(&event));
        assert_eq!(value(&calendar.properties, "METHOD"), "CANCEL");
        let written = calendar.events.first().unwrap();
        assert_eq!(value(&written.properties, "STATUS"), "CANCELLED");
        assert_eq!(value(&written.properties, "UID"), event.uid);
        assert_eq!(value(&written.properties, "SEQUENCE"), "2147483647");
        assert!(written.alarms.is_empty());
    }

    #[test]
    fn what_was_parsed_is_written_as_it_was() {
        let bytes = calendar(&event());
        let mut again = File(String::new());
        again.calendar(&parsed(&bytes));
        assert_eq!(again.0.as_bytes(), bytes);
    }

    #[test]
    fn a_character_is_never_split_and_a_line_never_ends_in_a_blank() {
        for lead in 0..80 {
            let summary = format!("{}{}", "x".repeat(lead), "😀é \u{3000}".repeat(60))
                .trim()
                .to_owned();
            let event = CalendarEvent {
                summary: summary.clone(),
                ..event()
            };
            let bytes = calendar(&event);
            assert_lines(&bytes);
            let calendar = parsed(&bytes);
            let written = &calendar.events.first().unwrap().properties;
            assert_eq!(unescaped(value(written, "SUMMARY")), summary);
        }
    }

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "\\PC{0,30}",
            4 => any::<String>(),
            1 => "[ -~é😀]{60,90}",
            8 => proptest::sample::select(vec![
                "\r", "\n", "\r\n", "\r\n ", "\n\t", "\u{85}", "\u{2028}", "\u{2029}", "\0", "\u{b}", "\u{c}", "\t", "\\",
                "\\n", "\\N", "\\;", ";", ",", ":", "\"", "\\\\", "^n", "BEGIN:VALARM", "\r\nBEGIN:VALARM\r\n",
                "\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\n", "\nATTENDEE:mailto:eve@example.net\n", "\rURL:https://evil.example",
                "\u{85}ATTENDEE:mailto:eve@example.net", "\u{2028}URL:https://evil.example", ";LANGUAGE=x:", "a\u{300}",
                "\u{200d}", "\u{202e}", "\u{feff}", "\u{a0}", "🇦🇹👨‍👩‍👧", "漢字かな交じり文漢字かな交じり文漢字かな交じり文",
            ]).prop_map(str::to_owned),
        ];
        proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
    }

    /// What a text is once written: without the characters no file may hold.
    fn survivors(text: &str) -> String {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        text.chars().filter(|c| *c == '\n' || printed(*c)).collect()
    }

    fn assert_survives(properties: &[Property], name: &str, given: &str) {
        // The parser drops colons at the start of a value and blanks at the end of a line; others do not.
        let expected = survivors(given);
        let seen = unescaped(value(properties, name));
        assert_eq!(
            seen,
            expected
                .trim_start_matches(':')
                .trim_end_matches(|c: char| c != '\n' && c.is_whitespace())
        );
    }

    fn assert_contained(event: &CalendarEvent) {
        let bytes = calendar(event);
        assert_lines(&bytes);
        let calendar = parsed(&bytes);
        assert_eq!(
            names(&calendar.properties),
            ["VERSION", "PRODID", "CALSCALE", "METHOD"]
        );
        assert_eq!(calendar.events.len(), 1);
        assert!(calendar.alarms.is_empty());
        let written = calendar.events.first().unwrap();
        assert_eq!(names(&written.properties), NAMES);
        assert_eq!(written.alarms.len(), 1);
        let alarm = &written.alarms.first().unwrap().properties;
        assert_eq!(names(alarm), ["ACTION", "TRIGGER", "DESCRIPTION"]);
        assert_survives(&written.properties, "SUMMARY", &event.summary);
        assert_survives(&written.properties, "DESCRIPTION", &event.description);
        assert_survives(&written.properties, "LOCATION", &event.location);
        assert_survives(alarm, "DESCRIPTION", &event.summary);
        assert_eq!(value(&written.properties, "URL"), event.url);
        assert_eq!(
            value(&written.properties, "ORGANIZER"),
            "mailto:adviser@example.org"
        );
    }

    fn of_ticket(title: &str, description: &str, location: &str, name: &str) -> CalendarEvent {
        let value = serde_json::json!({
            "title": title,
            "description": description,
            "location": location,
            "language": "de-AT",
            "organizer": {"email": "adviser@example.org", "name": name},
            "attendee": "customer@example.com",
        });
        let at = Timestamp::from_seconds(1_793_520_000);
        describe(&EventFacts {
            uid: "0b6e2f5e-7a44-4c0c-9d53-1c8a0f6b2d11",
            ticket: &"abc-def".parse().unwrap(),
            version: 0,
            properties: &Properties::new(value.as_object().unwrap().clone()).unwrap(),
            created_at: at,
            modified_at: at,
            expires_at: at,
            withdrawn: false,
            base: &"https://admit.example.org".parse().unwrap(),
        })
    }

    fn assert_exact(bytes: Vec<u8>, start: &str, given: &str) {
        let unfolded = String::from_utf8(bytes).unwrap().replace("\r\n ", "");
        let mut lines = unfolded.split("\r\n");
        let written = lines.find_map(|line| line.strip_prefix(start)).unwrap();
        assert_eq!(unescaped(written), given);
    }

    proptest! {
        /// Even texts the domain did not clean cannot leave their property.
        #[test]
        fn no_text_leaves_its_property(
            summary in hostile(), description in hostile(), location in hostile(), name in hostile(), tag in hostile(),
        ) {
            let organizer = Some(Person { address: "adviser@example.org".to_owned(), name: Some(name) });
            let language = Some(tag);
            assert_contained(&CalendarEvent { summary, description, location, language, organizer, ..event() });
        }

        #[test]
        fn texts_of_a_ticket_come_back_as_the_domain_understood_them(
            title in hostile(), description in hostile(), location in hostile(), name in hostile(),
        ) {
            let event = of_ticket(&title, &description, &location, &name);
            assert_contained(&event);
            assert_exact(calendar(&event), "SUMMARY;LANGUAGE=de-AT:", &event.summary);
            assert_exact(calendar(&event), "DESCRIPTION;LANGUAGE=de-AT:", &event.description);
            assert_exact(calendar(&event), "LOCATION:", &event.location);
        }
    }
}
