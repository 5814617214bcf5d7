//! What work on the appliance as a whole needs of the facts: its mark on the record, and who has which credentials.

use super::super::access::By;
use super::super::audit::{self, Event};
use super::super::{Cx, clients, organizations, users};
use crate::kernel::Fault;
use crate::store::{Verdict, View};

/// Puts on the record that the operator began something that changes no fact.
pub fn record(cx: &Cx<'_>, action: &'static str, to: &str) -> Result<(), Fault> {
    let by = By::operator();
    cx.write(|tx| {
        let event = Event {
            action,
            by: by.who(),
            to,
            organization: None,
        };
        audit::record(tx, cx, &event)?;
        Ok(Verdict::Commit(()))
    })
}

/// Somebody who proves who it is with something that can be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// `client` or `user`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Another whenever the secret or the password is another.
    pub fingerprint: Vec<u8>,
    /// Whether it can be used.
    pub is_usable: bool,
}

/// Every client and every person, sorted by kind and id.
pub fn credentials(view: &View<'_>) -> Result<Vec<Credential>, Fault> {
    let mut all = Vec::new();
    for organization in organizations::all(view)? {
        let clients = clients::of(view, &organization.id)?;
        all.extend(clients.into_iter().map(|client| {
            Credential {
                kind: "client",
                id: client.id.as_str().to_owned(),
                name: client.name,
                fingerprint: client
                    .secret
                    .map(|digest| digest.as_bytes().to_vec())
                    .unwrap_or_default(),
                is_usable: true,
            }
        }));
        let users = users::of(view, &organization.id)?;
        all.extend(users.into_iter().map(|user| Credential {
            kind: "user",
            id: user.id.as_str().to_owned(),
            fingerprint: user.password.into_bytes(),
            is_usable: user.disabled.is_none(),
            name: user.name,
        }));
    }
    all.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    Ok(all)
}
