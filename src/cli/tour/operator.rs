//! What the tour needs of the operator: a client for an internal service and a person with an account, which no call can
//! make, and the code a message
//! holds. Both are asked of the running server through its control socket; where the stand-ins are who gets messages, the
//! code is in their journal.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::adapters::http_client::{Ask, Server};
use crate::cli::reach;
use crate::config::Config;
use crate::domain::admin::{
    AdminCommand, AdminReply, ClientCommand, Details, Facts, GrantType, NewClient, NewUser, Role,
    UserCommand,
};

/// Registers a client of role `Service`; its id and its secret.
pub(super) fn service(config: &Config) -> Result<(String, String), String> {
    let facts = Facts {
        description: Some("an internal service, for the tour".into()),
        roles: Some(vec![Role::Service]),
        grants: Some(vec![GrantType::ClientCredentials]),
        ..Facts::default()
    };
    let new = NewClient {
        facts,
        ..NewClient::default()
    };
    let command = AdminCommand::Client(ClientCommand::Create {
        org: None,
        new: Box::new(new),
    });
    let AdminReply::Client(client) = reach::running(config, &command)? else {
        return Err(UNEXPECTED.into());
    };
    let secret = client.client_secret.clone().unwrap_or_default();
    Ok((client.client_id.clone(), secret))
}

/// Removes it again.
pub(super) fn dismiss(config: &Config, id: &str) -> Result<(), String> {
    let command = AdminCommand::Client(ClientCommand::Delete { id: id.to_owned() });
    reach::running(config, &command).map(drop)
}

/// Gives a person an account whose password must be changed; name and password.
pub(super) fn person(config: &Config, name: &str) -> Result<(String, String), String> {
    let details = Details {
        expired: Some(true),
        ..Details::default()
    };
    let name = name.to_owned();
    let command = AdminCommand::User(UserCommand::Create {
        org: None,
        new: Box::new(NewUser { name, details }),
    });
    let AdminReply::User(user) = reach::running(config, &command)? else {
        return Err(UNEXPECTED.into());
    };
    let password = user.password.clone().unwrap_or_default();
    Ok((user.user_id.clone(), password))
}

/// Removes the account again.
pub(super) fn remove(config: &Config, id: &str) -> Result<(), String> {
    let command = AdminCommand::User(UserCommand::Delete {
        org: None,
        user: id.to_owned(),
    });
    reach::running(config, &command).map(drop)
}

/// The code of the newest message to `number`, once it is where it can be read.
pub(super) async fn code(
    config: &Config,
    stand_ins: Option<&Server>,
    number: &str,
) -> Result<String, String> {
    for _ in 0..LOOKS {
        let mut found = in_outbox(config, number)?;
        if let Some(stand_ins) = stand_ins.filter(|_| found.is_none()) {
            found = in_journal(stand_ins, number).await;
        }
        if let Some(code) = found {
            return Ok(code);
        }
        sleep(PAUSE).await;
    }
    Err("the code is neither in the outbox nor with the stand-ins".into())
}

/// Messages are taken out and delivered behind the answer.
const LOOKS: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// What the imitated gateway was last sent for the number.
async fn in_journal(stand_ins: &Server, number: &str) -> Option<String> {
    let ask = Ask {
        method: "GET",
        path: "/journal.json".into(),
        ..Ask::default()
    };
    let answer = stand_ins.ask(ask).await.ok()?;
    let journal: Value = serde_json::from_slice(&answer.body).ok()?;
    let sent = journal.as_array()?.iter().rev().filter_map(|entry| {
        let is_sms = entry.get("path")?.as_str()? == "/sms";
        entry.get("body")?.as_str().filter(|_| is_sms)
    });
    let mut to_it = sent.filter(|body| body.contains(number));
    let text = to_it.next()?.replace(number, "");
    let mut words = text.split(|c: char| !c.is_ascii_digit());
    words
        .find(|word| word.len() == CODE_LENGTH)
        .map(str::to_owned)
}

/// As many digits as codes usually have.
const CODE_LENGTH: usize = 6;

fn in_outbox(config: &Config, number: &str) -> Result<Option<String>, String> {
    let AdminReply::Outbox(messages) = reach::running(config, &AdminCommand::Outbox)? else {
        return Err(UNEXPECTED.into());
    };
    let to_it = messages
        .into_iter()
        .filter(|message| message.to.as_deref() == Some(number));
    Ok(to_it.filter_map(|message| message.code).next_back())
}

const UNEXPECTED: &str = "the server answered something else than was asked";
