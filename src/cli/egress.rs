//! `admit status --egress`: who was asked outside since the server started.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

use super::print::{of, table};
use super::{Target, say};
use crate::kernel::Timestamp;
use crate::upkeep::egress::Egress;
use crate::upkeep::{Order, Report};

/// Asks the running server for its ledger and prints it.
pub(super) fn show(target: Target) -> ExitCode {
    let as_json = target.json;
    target.order(&Order::Egress, |report| {
        if let Report::Egress(egress) = report {
            print(egress, as_json);
        }
        ExitCode::SUCCESS
    })
}

fn print(egress: &Egress, as_json: bool) {
    if as_json {
        return say(format_args!("{:#}", dated(of(egress))));
    }
    let Some(since) = egress.since else {
        return say(
            "Nobody serves this appliance, so nothing leaves it; the ledger begins with each start.",
        );
    };
    if egress.offline {
        say("offline = true: nobody outside is asked.");
    }
    let Egress {
        attempts, withheld, ..
    } = egress;
    say(format_args!(
        "Since {since}: {attempts} attempts to reach somebody outside, {withheld} withheld."
    ));
    if egress.totals.is_empty() {
        return;
    }
    say("");
    table(
        &[
            "destination",
            "purpose",
            "attempts",
            "withheld",
            "last_at",
            "last",
        ],
        &flat(&egress.totals, "last"),
    );
    say("");
    table(
        &["at", "destination", "purpose", "outcome"],
        &flat(&egress.latest, "outcome"),
    );
}

/// With each outcome as one word, such as `200` or `unreachable`.
fn flat(all: &impl Serialize, outcome: &str) -> Value {
    let mut all = dated(of(all));
    let rows = all.as_array_mut().into_iter().flatten();
    for row in rows.filter_map(Value::as_object_mut) {
        let status = row.get(outcome).and_then(|value| value.get("status"));
        if let Some(status) = status.cloned() {
            row.insert(outcome.to_owned(), status);
        }
    }
    all
}

/// With each instant as text, as everything else the operator is shown has it.
fn dated(mut all: Value) -> Value {
    match &mut all {
        Value::Array(rows) => rows.iter_mut().for_each(|row| *row = dated(row.take())),
        Value::Object(facts) => {
            for (name, fact) in facts {
                let instant = serde_json::from_value::<Timestamp>(fact.clone());
                *fact = match (name.as_str(), instant) {
                    ("since" | "at" | "last_at", Ok(instant)) => instant.to_string().into(),
                    _ => dated(fact.take()),
                };
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    all
}
