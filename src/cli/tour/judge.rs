//! Whether an answer is what the contract says. What differs is told in words that hold no ticket and no token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::notes::Notes;
use super::step::Step;
use crate::adapters::http_client::Answer;
use crate::kernel::TicketId;

/// Something the contract says of an answer. Members are named by JSON pointer.
#[derive(Clone, Copy)]
pub(super) enum Must {
    /// The member is there and not empty.
    Have(&'static str),
    /// The member is not there at all.
    Lack(&'static str),
    /// The member, written as text, is this.
    Be(&'static str, &'static str),
    /// The member is a number no smaller than this.
    BeAtLeast(&'static str, u64),
    /// The member is another text than the one known by this name.
    Differ(&'static str, &'static str),
    /// The member is a ticket's id with that many letters and digits, in groups of three.
    BeTicket(&'static str, usize),
    /// The access token of the answer has this claim.
    Claim(&'static str, &'static str),
    /// The list has an object whose `name` is this.
    Role(&'static str),
    /// The header begins so.
    Head(&'static str, &'static str),
    /// The calendar file has this line once it is unfolded.
    Line(&'static str),
    /// The calendar file ends every line with CR LF and folds it within 75 octets.
    Fold,
    /// There is no body.
    Silence,
}

/// What differs from the contract; nothing, if all is well.
pub(super) fn differences(step: &Step, answer: &Answer, notes: &Notes) -> Vec<String> {
    let body = Body::of(answer);
    let mut found = Vec::new();
    if answer.status != step.status {
        found.push(wrong_status(step.status, answer.status, &body));
        return found;
    }
    if answer.header("x-request-id").is_none_or(str::is_empty) {
        found.push("header x-request-id is missing".to_owned());
    }
    if step.status >= 400 {
        found.extend(refusal(step, answer, &body));
    }
    let rest = step.must.iter();
    found.extend(rest.filter_map(|must| must.differs(answer, &body, notes)));
    found
}

/// Every refusal, whichever it is: some real clients take one without a description for success.
fn refusal(step: &Step, answer: &Answer, body: &Body<'_>) -> Vec<String> {
    let mut members = vec!["/error", "/error_description"];
    if step.path.starts_with("/auth/v3") {
        members.extend(["/status/code", "/status/message"]);
    }
    let mut found: Vec<String> = members.into_iter().filter_map(|m| body.lacks(m)).collect();
    found.extend(begins(
        answer,
        "content-type",
        "application/json;charset=UTF-8",
    ));
    found
}

fn wrong_status(expected: u16, actual: u16, body: &Body<'_>) -> String {
    let mut said = format!("answered {actual} instead of {expected}");
    if let Some(why) = body.text("/error_description") {
        said.push_str(": ");
        said.extend(why.chars().filter(|c| !c.is_control()).take(SHOWN));
    }
    said
}

impl Must {
    fn differs(&self, answer: &Answer, body: &Body<'_>, notes: &Notes) -> Option<String> {
        match *self {
            Self::Have(member) => body.lacks(member),
            Self::Lack(member) => body
                .at(member)
                .map(|_| format!("{} should not be there", shown(member))),
            Self::Be(member, expected) => body.is_not(member, expected, notes),
            Self::BeAtLeast(member, least) => {
                let number = body.at(member).and_then(Value::as_u64);
                let fits = number.is_some_and(|number| number >= least);
                (!fits).then(|| format!("{} is no number from {least}", shown(member)))
            }
            Self::Differ(member, name) => {
                let same = body.text(member).as_deref() == notes.get(name).ok();
                same.then(|| format!("{} is the same as before", shown(member)))
            }
            Self::BeTicket(member, length) => {
                let fits = body
                    .text(member)
                    .is_some_and(|text| is_ticket(&text, length));
                let wrong = || {
                    format!(
                        "{} is no ticket id of length {length} in groups of three",
                        shown(member)
                    )
                };
                (!fits).then(wrong)
            }
            Self::Claim(name, expected) => body.claims().map_or_else(
                || Some("access_token is no JSON Web Token".to_owned()),
                |claims| Body(Some(claims), &[]).is_not(name, expected, notes),
            ),
            Self::Role(name) => {
                let roles = body.at("/authorities").and_then(Value::as_array);
                let has = roles.is_some_and(|roles| {
                    roles
                        .iter()
                        .any(|role| role.get("name").is_some_and(|is| is == name))
                });
                (!has).then(|| format!("authorities do not name {name}"))
            }
            Self::Head(name, expected) => begins(answer, name, expected),
            Self::Line(expected) => body.lacks_line(expected, notes),
            Self::Fold => body.is_badly_folded(),
            Self::Silence => (!answer.body.is_empty()).then(|| "there is a body".to_owned()),
        }
    }
}

/// A body, and what it says if it is JSON.
struct Body<'a>(Option<Value>, &'a [u8]);

impl<'a> Body<'a> {
    fn of(answer: &'a Answer) -> Self {
        Self(serde_json::from_slice(&answer.body).ok(), &answer.body)
    }

    fn at(&self, member: &str) -> Option<&Value> {
        self.0.as_ref()?.pointer(member)
    }

    fn text(&self, member: &str) -> Option<String> {
        let value = self.at(member)?;
        Some(
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        )
    }

    fn lacks(&self, member: &str) -> Option<String> {
        let there = self
            .text(member)
            .is_some_and(|text| !text.is_empty() && text != "null");
        (!there).then(|| format!("{} is missing", shown(member)))
    }

    fn is_not(&self, member: &str, expected: &str, notes: &Notes) -> Option<String> {
        let Some(actual) = self.text(member) else {
            return Some(format!("{} is missing", shown(member)));
        };
        let Ok(wanted) = notes.filled(expected) else {
            return Some(format!(
                "{} cannot be compared with {expected}, which no earlier call gave",
                shown(member)
            ));
        };
        if actual == wanted {
            return None;
        }
        // What is compared with something learned may be a secret.
        if wanted != expected {
            return Some(format!("{} is not {expected}", shown(member)));
        }
        let actual: String = actual
            .chars()
            .filter(|c| !c.is_control())
            .take(SHOWN)
            .collect();
        Some(format!("{} is {actual:?}, not {expected:?}", shown(member)))
    }

    fn claims(&self) -> Option<Value> {
        let token = self.text("/access_token")?;
        let mut parts = token.split('.');
        let (Some(_), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    fn lacks_line(&self, expected: &str, notes: &Notes) -> Option<String> {
        let wanted = notes.filled(expected).ok();
        let file = String::from_utf8_lossy(self.1).replace("\r\n ", "");
        let there = wanted.is_some_and(|wanted| file.lines().any(|line| line == wanted));
        (!there).then(|| format!("the file has no line {expected:?}"))
    }

    fn is_badly_folded(&self) -> Option<String> {
        let mut lines: Vec<&[u8]> = self.1.split(|byte| *byte == b'\n').collect();
        let last = lines.pop();
        let well = |line: &&[u8]| line.ends_with(b"\r") && line.len() <= LINE_OCTETS + 1;
        let fits = last.is_some_and(<[u8]>::is_empty) && lines.iter().all(well);
        (!fits).then(|| "a line does not end with CR LF within 75 octets".to_owned())
    }
}

/// A member by JSON pointer; behind `claims`, one of the access token. `cookie` is the first one that was set, and
/// `location?` leads to a parameter of the address the answer sends to.
pub(super) fn kept(answer: &Answer, member: &str) -> Option<String> {
    let body = Body::of(answer);
    if let Some(claim) = member.strip_prefix("claims") {
        return Body(body.claims(), &[]).text(claim);
    }
    if let Some(wanted) = member.strip_prefix("location?") {
        let (_, query) = answer.header("location")?.split_once('?')?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let found = pairs.find(|(name, _)| name == wanted);
        return found.map(|(_, value)| value.into_owned());
    }
    if let Some(address) = member.strip_prefix("end of ") {
        let address = body.text(address)?;
        return address.rsplit('/').next().map(str::to_owned);
    }
    if member == "cookie" {
        let (pair, _) = answer.header("set-cookie")?.split_once(';')?;
        return Some(pair.to_owned());
    }
    body.text(member)
}

fn begins(answer: &Answer, name: &str, expected: &str) -> Option<String> {
    match answer.header(name) {
        None => Some(format!("header {name} is missing")),
        Some(value) if value.starts_with(expected) => None,
        // The rest of an address may hold a ticket.
        Some(_) => Some(format!("header {name} does not begin with {expected:?}")),
    }
}

fn is_ticket(text: &str, length: usize) -> bool {
    let id: Option<TicketId> = text.parse().ok();
    id.is_some_and(|id| id.as_str() == text && id.length() == length)
}

fn shown(member: &str) -> &str {
    member.trim_start_matches('/')
}

const SHOWN: usize = 100;
const LINE_OCTETS: usize = 75;
