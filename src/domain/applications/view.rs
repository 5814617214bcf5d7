//! What each caller sees of an application (contract A, "Get Application"): the projection is made here, whatever the kind,
//! and nowhere else.

use serde_json::{Map, Value};

use super::{Application, Error, Kind, SERVICE_PARAMETERS, find, records};
use crate::domain::Cx;
use crate::domain::access::{Caller, Permission, Role, rules};
use crate::kernel::{ApplicationId, Fault, Properties};

/// The members of a configuration that are not for everybody, and whom they are for. All others are for all members of
/// the organization.
const OF_ROLES: [(&str, Role); 3] = [
    (SERVICE_PARAMETERS, Role::Service),
    ("agentParameters", Role::Agent),
    ("customerParameters", Role::Customer),
];

/// What applications can be put in order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// When they were made.
    CreatedAt,
    /// Their ids.
    Id,
    /// The published name of what they are.
    Kind,
}

/// Which of the organization's applications are asked for.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// How many are passed over.
    pub skipped: usize,
    /// How many are wanted.
    pub limit: usize,
    /// By what they are put in order, most important first, and whether the other way around. Ids decide what is left.
    pub order: Vec<(SortKey, bool)>,
}

/// An application as one caller may see it; nothing prints it.
pub struct Seen {
    /// What is the same for everybody.
    pub application: Application,
    /// The configuration that the caller may see.
    pub config: Map<String, Value>,
}

/// The application of that id, as the caller may see it.
pub fn read(cx: &Cx<'_>, caller: &Caller, id: &ApplicationId) -> Result<Seen, Error> {
    let found = find(cx, id)?;
    let found = found.filter(|application| rules::sees(caller, &application.organization));
    Ok(seen(caller, found.ok_or(Error::NotFound)?)?)
}

/// Those applications of the caller's organization that are to be listed and have not ended.
pub fn list(cx: &Cx<'_>, caller: &Caller, listing: &Listing) -> Result<Vec<Seen>, Error> {
    let mut all = records::of(cx, caller.organization())?;
    all.retain(|(_, brief)| brief.is_visible && brief.is_open(cx.now));
    all.sort_by(|(one, a), (other, b)| {
        let by_key = |(key, reversed): &(SortKey, bool)| {
            let order = match key {
                SortKey::CreatedAt => a.created_at.cmp(&b.created_at),
                SortKey::Id => one.cmp(other),
                SortKey::Kind => a.kind.name().cmp(b.kind.name()),
            };
            if *reversed { order.reverse() } else { order }
        };
        let asked = listing.order.iter().map(by_key).find(|order| order.is_ne());
        let usual = || a.created_at.cmp(&b.created_at).then_with(|| one.cmp(other));
        asked.unwrap_or_else(usual)
    });
    let mut page = Vec::new();
    for (id, _) in all.iter().skip(listing.skipped).take(listing.limit) {
        // Somebody may have removed it since.
        if let Some(application) = find(cx, id)? {
            page.push(seen(caller, application)?);
        }
    }
    Ok(page)
}

/// Whether the caller sees this member of that application's configuration.
pub(super) fn shows(caller: &Caller, (id, kind): (&ApplicationId, Kind), name: &str) -> bool {
    let of = OF_ROLES.iter().find(|(special, _)| *special == name);
    let by_role = of.is_none_or(|(_, role)| caller.roles().has(*role));
    let by_platform = || kind == Kind::Genesys && caller.is_permitted(Permission::View, id);
    by_role || caller.roles().has(Role::Admin) || by_platform()
}

fn seen(caller: &Caller, application: Application) -> Result<Seen, Fault> {
    let mut config = application.config.members().clone();
    if let Some(text) = &application.service_parameters {
        let broken = || Fault::internal(format!("the service parameters of {}", application.id));
        let parameters = Properties::from_text(text.expose()).ok_or_else(broken)?;
        let parameters = Value::Object(parameters.members().clone());
        config.insert(SERVICE_PARAMETERS.to_owned(), parameters);
    }
    let of = (&application.id, application.kind);
    config.retain(|name, _| shows(caller, of, name));
    Ok(Seen {
        application,
        config,
    })
}
