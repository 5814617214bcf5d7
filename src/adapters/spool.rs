//! The courier that writes each message into a file of a folder, for a program of the operator's to take away.
//!
//! A file is whole or absent and is named by its message, so trying again replaces it. Nothing here removes one.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::domain::ports::{Answer, Channel, Courier, Message, Undelivered};
use crate::kernel::files;
use crate::render::messages;

/// A folder of messages.
pub struct Spool {
    folder: PathBuf,
}

impl Spool {
    /// The spool in `folder`, which is made for its owner alone if it is not there.
    pub fn at(folder: PathBuf) -> io::Result<Self> {
        files::make_private(&folder)?;
        Ok(Self { folder })
    }

    async fn write(&self, message: &Message) -> Result<(), Undelivered> {
        let Some(name) = file_name(&message.id) else {
            return Err(Undelivered {
                reason: "its identity cannot be the name of a file".into(),
                is_final: true,
            });
        };
        // Whoever takes messages away looks for `.json`, which an unfinished one is not.
        let (path, text) = (self.folder.join(name), content(message));
        let written = spawn_blocking(move || files::write_private(&path, text.as_bytes()));
        match timeout(LIMIT, written).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(cause))) => Err(again(format!("the spool cannot be written: {cause}"))),
            Ok(Err(_)) => Err(again("writing the spool was broken off".into())),
            Err(_) => Err(again("the spool's disk does not answer".into())),
        }
    }
}

impl Courier for Spool {
    fn name(&self) -> &'static str {
        "spool"
    }

    fn deliver<'a>(&'a self, message: &'a Message) -> Answer<'a, Result<(), Undelivered>> {
        Box::pin(self.write(message))
    }
}

fn again(reason: String) -> Undelivered {
    Undelivered {
        reason,
        is_final: false,
    }
}

fn file_name(id: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let fits = (1..=128).contains(&id.len()) && id.bytes().all(plain);
    fits.then(|| format!("{id}.json"))
}

fn content(message: &Message) -> String {
    let (subject, text) = match message.channel {
        Channel::Sms => (None, messages::short(message)),
        Channel::Voice => (None, messages::spoken(message)),
        Channel::Email => (Some(messages::subject(message)), messages::body(message)),
    };
    let mut members = json!({
        "id": message.id,
        "channel": message.channel.name(),
        "to": message.to,
        "locale": message.locale.as_str(),
        "sender": message.sender,
        "code": message.code.expose(),
        "minutes": message.minutes,
        "text": text,
    });
    if let (Some(subject), Some(members)) = (subject, members.as_object_mut()) {
        members.insert("subject".into(), subject.into());
    }
    format!("{members:#}\n")
}

/// How long a disk may take.
const LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_identity_leads_out_of_the_folder() {
        for id in ["", ".", "..", "../x", "a/b", "a\0", "é", &"a".repeat(129)] {
            assert_eq!(file_name(id), None, "{id:?}");
        }
        assert_eq!(file_name("0-a_Z"), Some("0-a_Z.json".into()));
    }
}
