//! Replies as the operator reads them: aligned lines, or one JSON value for scripts.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::say;
use crate::domain::admin::AdminReply;

/// Prints a reply. Names come from people, so nothing in them may steer a terminal.
pub(super) fn print(reply: &AdminReply, as_json: bool) {
    if as_json {
        say(format_args!("{:#}", value(reply)));
        return;
    }
    match reply {
        AdminReply::Orgs(all) => table(&["organization_id", "name"], all),
        AdminReply::Clients(all) => {
            table(
                &[
                    "client_id",
                    "name",
                    "public",
                    "roles",
                    "grants",
                    "last_used_at",
                ],
                all,
            );
        }
        AdminReply::Users(all) => {
            table(
                &[
                    "user_id",
                    "username",
                    "roles",
                    "name",
                    "email",
                    "signs_in_with",
                    "disabled_since",
                ],
                all,
            );
        }
        AdminReply::SigningKeys(all) => {
            table(&["kid", "algorithm", "life", "since", "until"], all);
        }
        AdminReply::Outbox(all) => {
            table(
                &[
                    "created_at",
                    "channel",
                    "to",
                    "state",
                    "tries",
                    "code",
                    "locale",
                    "sender",
                    "reason",
                ],
                all,
            );
        }
        AdminReply::Tickets(page) => {
            table(
                &["ticket_id", "type", "standing", "created_at", "expires_at"],
                &page.tickets,
            );
            if let Some(next) = &page.next {
                say(format_args!("There may be more: --after {next}"));
            }
        }
        AdminReply::Apps(all) => {
            table(
                &[
                    "application_id",
                    "type",
                    "visible",
                    "created_at",
                    "expires_at",
                    "service_parameters",
                ],
                all,
            );
        }
        AdminReply::KeyPairs(all) => {
            table(&["key_id", "bits", "created_at", "creator", "comment"], all);
        }
        AdminReply::Client(client) if client.client_secret.is_some() => {
            lines(&value(reply), &["client_id", "client_secret"]);
        }
        AdminReply::User(user) if user.password.is_some() => {
            lines(&value(reply), &["username", "password"]);
        }
        AdminReply::Audit(reply) => super::audit::print(reply),
        AdminReply::Ticket(_) => lines(&value(reply), &TICKET),
        AdminReply::Org(_)
        | AdminReply::Client(_)
        | AdminReply::User(_)
        | AdminReply::App(_)
        | AdminReply::KeyPair(_) => lines(&value(reply), &[]),
        AdminReply::Gone { what, id } => say(format_args!("The {what} {id} is gone.")),
    }
}

fn value(reply: &AdminReply) -> Value {
    match reply {
        AdminReply::Orgs(all) => of(all),
        AdminReply::Org(one) => of(one),
        AdminReply::Clients(all) => of(all),
        AdminReply::Client(one) => of(one),
        AdminReply::Users(all) => of(all),
        AdminReply::User(one) => of(one),
        AdminReply::SigningKeys(all) => of(all),
        AdminReply::Outbox(all) => of(all),
        AdminReply::Audit(reply) => super::audit::value(reply),
        AdminReply::Tickets(page) => of(page),
        AdminReply::Ticket(one) => of(one),
        AdminReply::Apps(all) => of(all),
        AdminReply::App(one) => of(one),
        AdminReply::KeyPairs(all) => of(all),
        AdminReply::KeyPair(one) => of(one),
        AdminReply::Gone { what, id } => json!({ "deleted": { "kind": what, "id": id } }),
    }
}

pub(super) fn of(what: &impl Serialize) -> Value {
    serde_json::to_value(what).unwrap_or_default()
}

/// What there is to say of a ticket, the most wanted first.
const TICKET: [&str; 12] = [
    "ticket_id",
    "url",
    "type",
    "standing",
    "properties",
    "organization_id",
    "user_id",
    "created_at",
    "expires_at",
    "used_at",
    "disabled_at",
    "revoked_at",
];

/// One fact a line; those of `names`, or all there are.
pub(super) fn lines(facts: &Value, names: &[&str]) {
    let Value::Object(facts) = facts else {
        return;
    };
    let names: Vec<&str> = if names.is_empty() {
        facts.keys().map(String::as_str).collect()
    } else {
        names.to_vec()
    };
    let fact = |name: &str| facts.get(name).map(text).unwrap_or_default();
    let width = names.iter().map(|name| name.len()).max();
    let width = width.unwrap_or_default();
    for name in names {
        say(format_args!("{name:width$}  {}", fact(name)));
    }
}

/// One JSON value.
pub(super) fn json(what: &impl Serialize) {
    say(format_args!("{:#}", of(what)));
}

/// How many records each table has.
pub(super) fn counts(tables: &[(String, u64)]) {
    let all: Vec<Value> = tables
        .iter()
        .map(|(table, records)| json!({ "table": table, "records": records }))
        .collect();
    table(&["table", "records"], &all);
}

/// One thing a line, each name's facts in a column.
pub(super) fn table(names: &[&str], all: &impl Serialize) {
    let Value::Array(all) = of(all) else { return };
    let heads = names.iter().map(|name| (*name).to_owned()).collect();
    let mut rows: Vec<Vec<String>> = vec![heads];
    for one in &all {
        let facts: Option<&Map<String, Value>> = one.as_object();
        let fact = |name: &&str| facts.and_then(|facts| facts.get(*name)).map(text);
        let row = names.iter().map(|name| fact(name).unwrap_or_default());
        rows.push(row.collect());
    }
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..names.len())
        .map(|at| width(at).unwrap_or_default())
        .collect();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        say(line.join("  ").trim_end());
    }
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => shown(&text.replace('\n', ", ")),
        Value::Array(all) if all.is_empty() => "-".to_owned(),
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Bool(yes) => (if *yes { "yes" } else { "no" }).to_owned(),
        Value::Number(_) | Value::Object(_) => shown(&value.to_string()),
    }
}

/// Without what a terminal would obey.
fn shown(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
