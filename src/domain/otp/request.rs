//! Having a code sent. Asked again within its life for the same destination, the same code goes out under the same id.

use super::budget::{self, Spending};
use super::destinations::Destination;
use super::outbox::{self, NewMessage};
use super::records::{self, State, VerificationRecord};
use super::{Asker, Behalf, Error};
use crate::domain::Cx;
use crate::domain::audit::{self, Event};
use crate::domain::ports::{Channel, Locale};
use crate::kernel::{Digest, Fault, VerificationId, hex};
use crate::store::{Tx, Verdict};

/// What is asked for, as it was written.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Where to.
    pub to: &'a str,
    /// How; by a short message when nothing is said.
    pub channel: Option<&'a str>,
    /// Who shall be named as the sender.
    pub custom_name: Option<&'a str>,
    /// In which language; in English when nothing is said.
    pub locale: Option<&'a str>,
}

/// Has a code sent and returns the verification it belongs to. It does not wait for anybody to deliver it.
pub fn request(cx: &Cx<'_>, asker: &Asker<'_>, ask: &Ask<'_>) -> Result<VerificationId, Error> {
    let behalf = Behalf::of(cx, asker)?;
    let wish = Wish::read(cx, ask)?;
    wish.to.check(&cx.policy().codes)?;
    let (id, record) = draw(cx, &behalf, &wish)?;
    let message = cx.entropy().uuid();
    let named = record.counted_as();
    let neighbours = record
        .neighbours
        .map(|digest| hex::encode(digest.as_bytes()));
    let spending = Spending {
        organization: &behalf.organization,
        channel: wish.channel,
        destination: &named,
        country: record.country.as_deref(),
        neighbours: neighbours.as_deref(),
        stranger: behalf.stranger,
    };
    let sent = cx.write(|tx| {
        // A code nobody will look at is not worth a message.
        if let Some(wait) = budget::guessed(tx, cx, &named, behalf.is_stranger())? {
            return Ok(Verdict::Discard(Error::TooMany(wait)));
        }
        if let Some(error) = budget::refusal(tx, cx, &spending)? {
            return Ok(Verdict::Discard(error));
        }
        let is_neighbour = budget::count(tx, cx, &spending)?;
        let counted = record.neighbours.filter(|_| is_neighbour);
        let (id, record) = keep(tx, cx, (&id, &record), counted)?;
        let new = NewMessage {
            id: &message,
            verification: &id,
            organization: &behalf.organization,
            channel: wish.channel,
            locale: wish.locale,
            sender: &wish.sender,
            ends_at: record.expires_at,
        };
        outbox::add(tx, cx, &new)?;
        told(tx, cx, "code.requested", &behalf, &id)?;
        Ok(Verdict::Commit(id))
    })?;
    cx.appliance.bell().ring(cx.awaited());
    Ok(sent)
}

/// The verification whose code goes out: the one that is still waiting, or the new one. It remembers where its number
/// was counted among its neighbours.
fn keep(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    (id, new): (&VerificationId, &VerificationRecord),
    counted: Option<Digest>,
) -> Result<(VerificationId, VerificationRecord), Fault> {
    let Some((id, mut record)) = again(tx, cx, new.place)? else {
        let mut record = new.clone();
        record.neighbours = counted;
        records::add(tx, id, &record)?;
        return Ok((id.clone(), record));
    };
    if counted.is_some() {
        record.neighbours = counted;
        records::put(tx, &id, &record)?;
    }
    Ok((id, record))
}

/// The verification that is still waiting for its code, if one is.
fn again(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    place: Digest,
) -> Result<Option<(VerificationId, VerificationRecord)>, Fault> {
    let last = records::at(tx, cx, place)?;
    Ok(last.filter(|(_, record)| {
        record.state == State::Pending
            && cx.now < record.expires_at
            && record.wrong < cx.policy().codes.checks
    }))
}

fn draw(
    cx: &Cx<'_>,
    behalf: &Behalf,
    wish: &Wish,
) -> Result<(VerificationId, VerificationRecord), Fault> {
    let policy = &cx.policy().codes;
    let id = VerificationId::draw(cx.entropy());
    let organization = &behalf.organization;
    let destination = records::destination(cx, organization, wish.to.text());
    let record = VerificationRecord {
        organization: organization.clone(),
        application: behalf.application.clone(),
        channel: wish.channel,
        sealed: records::seal(cx, &id, &wish.to)?,
        place: records::place(cx, behalf, wish.channel, &wish.to),
        destination,
        country: wish.to.country().map(str::to_owned),
        neighbours: records::neighbours(cx, organization, &wish.to),
        is_strangers: behalf.is_stranger(),
        digits: policy.length,
        life_seconds: policy.life.as_secs(),
        issued_at: cx.now,
        expires_at: cx.now.after(policy.life),
        state: State::Pending,
        wrong: 0,
    };
    Ok((id, record))
}

pub(super) fn told(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    action: &'static str,
    behalf: &Behalf,
    id: &VerificationId,
) -> Result<(), Fault> {
    let event = Event {
        action,
        by: &behalf.by,
        to: id.as_str(),
        organization: Some(&behalf.organization),
    };
    audit::record(tx, cx, &event)
}

/// What is asked for, understood.
struct Wish {
    channel: Channel,
    to: Destination,
    locale: Locale,
    sender: String,
}

impl Wish {
    fn read(cx: &Cx<'_>, ask: &Ask<'_>) -> Result<Self, Error> {
        let channel = channel(ask.channel)?;
        let locale = ask.locale.map_or(Ok(Locale::USUAL), str::parse);
        let locale = locale.map_err(|error| Error::Invalid(format!("locale {error}")))?;
        let sender = match ask
            .custom_name
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            Some(name) => {
                check_name(name).map_err(|why| Error::Invalid(format!("customName {why}")))?;
                name.to_owned()
            }
            None => cx.policy().codes.sender.clone(),
        };
        Ok(Self {
            channel,
            to: Destination::parse(channel, ask.to)?,
            locale,
            sender,
        })
    }
}

fn channel(name: Option<&str>) -> Result<Channel, Error> {
    let Some(name) = name else {
        return Ok(Channel::Sms);
    };
    Channel::named(name)
        .ok_or_else(|| Error::Invalid("channel must be one of SMS, VOICE, EMAIL".into()))
}

/// The longest name of a sender, in characters.
const NAME_MAX: usize = 20;
/// More digits than that could be taken for a code or a number to call.
const NAME_DIGITS_MAX: usize = 3;

/// Why a name cannot stand in a message that we answer for, if it cannot (S16). It must not bring a link, a number to call
/// or a second code, nor steer how the rest of the text is read.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name.chars().count() > NAME_MAX {
        return Err("must be at most 20 characters long");
    }
    if let Some((_, rest)) = name.split_once('.')
        && has_link(rest)
    {
        return Err("must not contain an address: a dot is followed by a space or nothing");
    }
    if !name.chars().all(is_of_names) {
        return Err("may have letters, digits, spaces and , . - ' & ! ? alone");
    }
    if !name.chars().any(char::is_alphabetic) {
        return Err("must have a letter");
    }
    if name.chars().filter(|c| c.is_numeric()).count() > NAME_DIGITS_MAX {
        return Err("must have at most three digits");
    }
    Ok(())
}

/// Whether what follows a dot, or a later one, could make an address of it.
fn has_link(rest: &str) -> bool {
    let follows = |rest: &str| rest.chars().next().is_some_and(|next| next != ' ');
    follows(rest) || rest.split_once('.').is_some_and(|(_, rest)| has_link(rest))
}

fn is_of_names(letter: char) -> bool {
    let shown = letter.is_alphanumeric() && !INVISIBLE.contains(&letter);
    shown || " ,.-'&!?".contains(letter) || MARKS.iter().any(|marks| marks.contains(&letter))
}

/// Letters nobody sees: the Hangul fillers.
const INVISIBLE: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];

/// Signs that belong to the letters before them and that Unicode does not call alphabetic: Arabic vowels, the nukta and
/// virama of India's scripts, the tones of Thai.
const MARKS: [std::ops::RangeInclusive<char>; 8] = [
    '\u{64b}'..='\u{652}',
    '\u{93c}'..='\u{93c}',
    '\u{94d}'..='\u{94d}',
    '\u{9bc}'..='\u{9bc}',
    '\u{9cd}'..='\u{9cd}',
    '\u{bcd}'..='\u{bcd}',
    '\u{c4d}'..='\u{c4d}',
    '\u{e47}'..='\u{e4e}',
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn s16_names_of_every_script_pass() {
        for name in [
            "hello, world",
            "Admit",
            "O'Neil & Sons",
            "St. Anna-Klinik",
            "Αθήνα",
            "عيادة الأمل",
            "מרפאה",
            "诊所",
            "คลินิกเชียงใหม่",
            "हिन्दी बैंक",
            "Größe 24!",
            "Who?",
            "A.",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn s16_what_could_mislead_is_no_name() {
        for name in [
            "evil.example",
            "a. b.c",
            "www.x.y",
            "x.1",
            "http://x",
            "a/b",
            "a:b",
            "a@b",
            "two\nlines",
            "two\r\nlines",
            "a\tb",
            "a\u{0}b",
            "a\u{85}b",
            "a\u{2028}b",
            "\u{202e}evil",
            "a\u{200b}b",
            "a\u{200f}b",
            "a\u{2066}b",
            "a\u{feff}b",
            "a\u{ad}b",
            "\u{3164}",
            "a\u{a0}b",
            "e．x",
            "e。x",
            "<b>",
            "{code}",
            "%s",
            "a\\b",
            "your code 123456",
            "call 0900 55",
            "１２３４",
            "1",
            "...",
            "a very long name indeed",
            "\u{1f600}",
            "a\"b",
            "a;b",
            "a=b",
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn s16_no_name_brings_a_link_a_line_or_a_code(name in ".{0,24}", near in "[a-z0-9 ./:,\\-\u{200b}\u{202e}\n]{0,21}") {
            for name in [name, near] {
                if check_name(&name).is_err() {
                    continue;
                }
                prop_assert!(name.chars().count() <= 20);
                prop_assert!(!name.contains([':', '/', '@', '\\', '<', '"', '%']));
                prop_assert!(!name.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' ')));
                prop_assert!(name.bytes().filter(u8::is_ascii_digit).count() < 4);
                for (at, _) in name.match_indices('.') {
                    prop_assert!(name[at + 1..].is_empty() || name[at + 1..].starts_with(' '));
                }
            }
        }
    }
}
