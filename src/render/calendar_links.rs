//! Add-event links: an event as a web calendar's address, for people who would rather not open a file.
//!
//! None of the addresses has a standard; they are what each service is known to read. It must not know tickets.

use std::str::FromStr;

use form_urlencoded::byte_serialize;

use super::ics::stamp;
use crate::domain::tickets::event::CalendarEvent;
use crate::kernel::Timestamp;

/// A web calendar that takes an event from a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarService {
    /// Google Calendar.
    Google,
    /// Outlook.com.
    Outlook,
    /// Outlook of a Microsoft 365 organization.
    Office365,
    /// Yahoo Calendar.
    Yahoo,
}

/// The name is none of the services'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of google, outlook, office365 and yahoo")]
pub struct NotACalendarService;

impl FromStr for CalendarService {
    type Err = NotACalendarService;

    fn from_str(name: &str) -> Result<Self, NotACalendarService> {
        match name {
            "google" => Ok(Self::Google),
            "outlook" => Ok(Self::Outlook),
            "office365" => Ok(Self::Office365),
            "yahoo" => Ok(Self::Yahoo),
            _ => Err(NotACalendarService),
        }
    }
}

/// The address that offers to add the event.
pub fn add_link(service: CalendarService, event: &CalendarEvent) -> String {
    match service {
        CalendarService::Google => google(event),
        CalendarService::Outlook => outlook("https://outlook.live.com", event),
        CalendarService::Office365 => outlook("https://outlook.office.com", event),
        CalendarService::Yahoo => yahoo(event),
    }
}

fn google(event: &CalendarEvent) -> String {
    format!(
        "https://calendar.google.com/calendar/render?action=TEMPLATE&text={}&dates={}/{}&details={}&location={}",
        encoded(&event.summary, LINE_OCTETS),
        stamp(event.start),
        stamp(event.end),
        encoded(&details(event), DETAILS_OCTETS),
        encoded(&event.location, LINE_OCTETS),
    )
}

fn outlook(origin: &str, event: &CalendarEvent) -> String {
    format!(
        "{origin}/calendar/0/deeplink/compose?path=/calendar/action/compose&rru=addevent\
         &subject={}&startdt={}&enddt={}&body={}&location={}",
        encoded(&event.summary, LINE_OCTETS),
        instant(event.start),
        instant(event.end),
        encoded(&details(event), DETAILS_OCTETS),
        encoded(&event.location, LINE_OCTETS),
    )
}

fn yahoo(event: &CalendarEvent) -> String {
    format!(
        "https://calendar.yahoo.com/?v=60&title={}&st={}&et={}&desc={}&in_loc={}",
        encoded(&event.summary, LINE_OCTETS),
        stamp(event.start),
        stamp(event.end),
        encoded(&details(event), DETAILS_OCTETS),
        encoded(&event.location, LINE_OCTETS),
    )
}

/// The description, after the address people join at when no other part of the link has it.
fn details(event: &CalendarEvent) -> String {
    if event.location == event.url {
        event.description.clone()
    } else {
        format!("{}\n\n{}", event.url, event.description)
    }
}

fn instant(at: Timestamp) -> String {
    encoded(
        &Timestamp::from_seconds(at.seconds()).to_string(),
        LINE_OCTETS,
    )
}

/// As many characters of the text as fit into `most` octets once encoded.
fn encoded(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let before = out.len();
        for part in byte_serialize(c.encode_utf8(&mut [0; 4]).as_bytes()) {
            // Outlook shows a plus sign where a form would have a blank.
            out.push_str(if part == "+" { "%20" } else { part });
        }
        if out.len() > most {
            out.truncate(before);
            break;
        }
    }
    out
}

/// The link travels in a header, and proxies give up on headers of more than four or eight kilobytes.
const LINE_OCTETS: usize = 800;
const DETAILS_OCTETS: usize = 1600;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const ALL: [&str; 4] = ["google", "outlook", "office365", "yahoo"];

    fn event() -> CalendarEvent {
        CalendarEvent {
            uid: "u".to_owned(),
            sequence: 0,
            cancelled: false,
            created: "2026-11-01T08:00:00Z".parse().unwrap(),
            modified: "2026-11-01T08:00:00Z".parse().unwrap(),
            start: "2026-11-21T21:30:24Z".parse().unwrap(),
            end: "2026-11-21T22:15:24Z".parse().unwrap(),
            summary: "1 + 1 & Küche".to_owned(),
            description: "a\nb".to_owned(),
            location: "https://admit.example.org/t/abc-def".to_owned(),
            language: None,
            url: "https://admit.example.org/t/abc-def".to_owned(),
            organizer: None,
            attendee: None,
            zone: None,
        }
    }

    fn parameters(link: &str) -> HashMap<String, String> {
        let (_, query) = link.split_once('?').unwrap();
        form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    }

    #[test]
    fn each_service_is_asked_in_its_own_words() {
        let link = |name: &str| add_link(name.parse().unwrap(), &event());
        assert_eq!(
            link("google"),
            "https://calendar.google.com/calendar/render?action=TEMPLATE&text=1%20%2B%201%20%26%20K%C3%BCche\
             &dates=20261121T213024Z/20261121T221524Z&details=a%0Ab\
             &location=https%3A%2F%2Fadmit.example.org%2Ft%2Fabc-def"
        );
        let compose = "/calendar/0/deeplink/compose?path=/calendar/action/compose&rru=addevent\
             &subject=1%20%2B%201%20%26%20K%C3%BCche&startdt=2026-11-21T21%3A30%3A24Z&enddt=2026-11-21T22%3A15%3A24Z\
             &body=a%0Ab&location=https%3A%2F%2Fadmit.example.org%2Ft%2Fabc-def";
        assert_eq!(
            link("outlook"),
            format!("https://outlook.live.com{compose}")
        );
        assert_eq!(
            link("office365"),
            format!("https://outlook.office.com{compose}")
        );
        assert_eq!(
            link("yahoo"),
            "https://calendar.yahoo.com/?v=60&title=1%20%2B%201%20%26%20K%C3%BCche&st=20261121T213024Z\
             &et=20261121T221524Z&desc=a%0Ab&in_loc=https%3A%2F%2Fadmit.example.org%2Ft%2Fabc-def"
        );
    }

    #[test]
    fn other_names_are_no_service() {
        for name in ["", "Google", "ics", "apple", " google"] {
            assert_eq!(
                name.parse::<CalendarService>(),
                Err(NotACalendarService),
                "{name}"
            );
        }
    }

    #[test]
    fn the_address_to_join_at_is_in_every_link() {
        let event = CalendarEvent {
            location: "Room 4".to_owned(),
            description: "x".repeat(2000),
            ..event()
        };
        for name in ALL {
            let link = add_link(name.parse().unwrap(), &event);
            assert!(
                parameters(&link)
                    .values()
                    .any(|value| value.contains(&event.url)),
                "{name}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_adds_a_parameter_or_makes_a_link_too_long(
            summary: String, description in "(?s).{0,2000}", location: String,
        ) {
            let odd = CalendarEvent { summary, description, location, ..event() };
            for name in ALL {
                let service = name.parse().unwrap();
                let link = add_link(service, &odd);
                let plain = add_link(service, &event());
                prop_assert!(link.len() < 3800, "{} octets", link.len());
                prop_assert!(link.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '<'));
                let (given, known) = (parameters(&link), parameters(&plain));
                prop_assert!(given.len() == known.len() && given.keys().all(|key| known.contains_key(key)));
            }
        }
    }
}
