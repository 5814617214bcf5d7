//! Applications come, change and go. A configuration is replaced whole, but for what the caller cannot see and does not
//! give: nobody erases that. And whoever is no administrator never says whose platform an application asks about people:
//! from that follows what people may be here.

use std::mem;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::records::{self, Facts};
use super::{Application, Error, Kind, SERVICE_PARAMETERS, Sealed, find, has_not_ended, view};
use crate::domain::access::{Action, Caller, Denied, Permission, Role, rules};
use crate::domain::audit::{self, Event};
use crate::domain::{Cx, organizations};
use crate::kernel::properties::{SIZE_MAX, TooLarge};
use crate::kernel::{ApplicationId, BaseUrl, Fault, OrgId, Properties, Secret, Timestamp};
use crate::store::{Tx, Verdict};

/// What a new application shall be; nothing prints its service parameters.
#[derive(Clone)]
pub struct NewApplication {
    /// Its id; only an internal service chooses one.
    pub id: Option<ApplicationId>,
    /// In which organization; only an internal service names another than its own.
    pub organization: Option<OrgId>,
    /// What it is.
    pub kind: Kind,
    /// Its whole configuration.
    pub config: Map<String, Value>,
    /// Whether listings show it; they do unless told otherwise.
    pub is_visible: Option<bool>,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// What an application shall be from now on; what is left out stays. Nothing prints its service parameters.
#[derive(Clone)]
pub struct Changes {
    /// The organization it is said to be in.
    pub organization: Option<OrgId>,
    /// What it is said to be, which never changes.
    pub kind: Kind,
    /// Its whole configuration.
    pub config: Map<String, Value>,
    /// Whether listings show it.
    pub is_visible: Option<bool>,
    /// When it ends.
    pub end: End,
}

/// What becomes of the end of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It stays as it is.
    Kept,
    /// There is none any more.
    Never,
    /// It is then.
    At(Timestamp),
}

impl End {
    fn after(self, before: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::Kept => before,
            Self::Never => None,
            Self::At(end) => Some(end),
        }
    }
}

/// Makes an application.
pub fn create(cx: &Cx<'_>, caller: &Caller, new: NewApplication) -> Result<Application, Error> {
    may_create(caller, new.kind)?;
    let organization = rules::organization(caller, new.organization.as_ref())?.clone();
    if new.id.is_some() && !caller.roles().has(Role::Service) {
        return Err(CHOSEN_ID.into());
    }
    let (config, service_parameters) = parts(new.config)?;
    is_complete(new.kind, &config)?;
    let application = Application {
        id: new.id.unwrap_or_else(|| ApplicationId::draw(cx.entropy())),
        organization,
        kind: new.kind,
        config,
        service_parameters,
        is_visible: new.is_visible.unwrap_or(true),
        created_at: cx.now.to_millis(),
        expires_at: new.expires_at,
        version: 0,
        vouches: administers(caller),
    };
    let sealed = Sealed::of(cx, &application)?;
    cx.write(|tx| {
        if !administers(caller) && !is_vouched_for(tx, cx, caller)? {
            return Ok(Verdict::Discard(NOT_VOUCHED_FOR.into()));
        }
        if !organizations::exists(tx, &application.organization)? {
            let nowhere = "organizationId names no organization";
            return Ok(Verdict::Discard(Error::Invalid(nowhere.into())));
        }
        if records::facts(tx, &application.id)?.is_some() {
            return Ok(Verdict::Discard(Error::Taken(application.id.clone())));
        }
        if records::counted(tx, &application.organization)? >= records::PER_ORGANIZATION {
            return Ok(Verdict::Discard(Error::Full));
        }
        records::put(tx, &sealed)?;
        let owner = &application.organization;
        told(
            tx,
            cx,
            caller,
            "application.created",
            (&application.id, owner),
        )?;
        Ok(Verdict::Commit(()))
    })?;
    Ok(application)
}

const CHOSEN_ID: Denied = Denied::of("only an internal service may choose an application's id");

/// Replaces an application's configuration.
pub fn update(
    cx: &Cx<'_>,
    caller: &Caller,
    id: &ApplicationId,
    mut changes: Changes,
) -> Result<(), Error> {
    may_at_all(caller, id, Permission::Edit)?;
    rules::organization(caller, changes.organization.as_ref())?;
    let (config, service_parameters) = parts(mem::take(&mut changes.config))?;
    if administers(caller) {
        is_complete(changes.kind, &config)?;
    }
    // Sealing needs chance, which no transaction has; the facts beside it are read again within.
    let draft = find(cx, id)?.ok_or(Error::NotFound)?;
    let draft = Application {
        config,
        service_parameters,
        ..draft
    };
    let sealed = Sealed::of(cx, &draft)?;
    cx.write(|tx| {
        let facts = match may_become(tx, cx, caller, &changes, &draft)? {
            Ok(facts) => facts,
            Err(error) => return Ok(Verdict::Discard(error)),
        };
        let stays = Staying::of(caller, &draft, &facts);
        let config = match stays.with(&draft) {
            Ok(config) => config,
            Err(error) => return Ok(Verdict::Discard(error)),
        };
        let next = Application {
            config,
            is_visible: changes.is_visible.unwrap_or(facts.is_visible),
            expires_at: changes.end.after(facts.expires_at),
            version: facts.version + 1,
            created_at: facts.created_at,
            organization: facts.organization,
            vouches: facts.vouches || administers(caller),
            ..draft.clone()
        };
        records::put(tx, &sealed.with(&next, stays.service_parameters))?;
        let owner = &next.organization;
        told(tx, cx, caller, "application.changed", (id, owner))?;
        Ok(Verdict::Commit(()))
    })
}

/// What the application is, if the caller may make `draft` of it.
fn may_become(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    caller: &Caller,
    changes: &Changes,
    draft: &Application,
) -> Result<Result<Facts, Error>, Fault> {
    let is_meant = |owner: &OrgId| changes.organization.as_ref().is_none_or(|it| it == owner);
    let facts = records::facts(tx, &draft.id)?
        .filter(|facts| rules::sees(caller, &facts.organization))
        .filter(|facts| is_meant(&facts.organization));
    let Some(facts) = facts else {
        return Ok(Err(Error::NotFound));
    };
    if let Err(denied) = may(caller, (&draft.id, facts.kind), Permission::Edit) {
        return Ok(Err(denied.into()));
    }
    if facts.kind != changes.kind {
        let told = format!("type is {} and cannot be changed", facts.kind.name());
        return Ok(Err(Error::Invalid(told)));
    }
    if !administers(caller) && !is_way_in_kept(cx, draft, &facts)? {
        return Ok(Err(OTHER_WAY_IN.into()));
    }
    Ok(Ok(facts))
}

/// Whose platform is asked about people, and as whom. Whoever brings their own is whatever they like there.
const WAY_IN: [&str; 3] = [ORGANIZATION, ENVIRONMENT, SERVICE_PARAMETERS];
const ORGANIZATION: &str = "organizationId";
const ENVIRONMENT: &str = "pcEnvironment";

const OTHER_WAY_IN: Denied = Denied::of(
    "only an administrator may change organizationId, pcEnvironment and serviceParameters: people sign in by them",
);

/// Whether what is given of [`WAY_IN`] is what it was.
fn is_way_in_kept(cx: &Cx<'_>, given: &Application, kept: &Facts) -> Result<bool, Fault> {
    let is_kept = |name: &&str| {
        let given = given.config.get(name);
        given.is_none() || given == kept.config.get(name)
    };
    if !WAY_IN.iter().all(is_kept) {
        return Ok(false);
    }
    if given.service_parameters.is_none() {
        return Ok(true);
    }
    let kept = records::opened(cx, &given.id, kept.service_parameters.as_deref())?;
    // Members are in the order of their names, so that equal ones are equal texts.
    Ok(kept == given.service_parameters)
}

/// What of a configuration stays because whoever changes it does not give it, and cannot see it or may not say it.
struct Staying {
    members: Map<String, Value>,
    service_parameters: Option<Vec<u8>>,
}

impl Staying {
    fn of(caller: &Caller, given: &Application, kept: &Facts) -> Self {
        let stays = |name: &str| {
            let may_say = administers(caller) || !WAY_IN.contains(&name);
            !may_say || !view::shows(caller, (&given.id, kept.kind), name)
        };
        let members = kept.config.members().iter();
        let members = members
            .filter(|(name, _)| stays(name) && given.config.get(name).is_none())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let sealed_stay = stays(SERVICE_PARAMETERS) && given.service_parameters.is_none();
        Self {
            members,
            service_parameters: kept.service_parameters.clone().filter(|_| sealed_stay),
        }
    }

    /// The configuration beside the service parameters, which together are no longer than they may be.
    fn with(&self, given: &Application) -> Result<Properties, Error> {
        let mut members = given.config.members().clone();
        members.extend(self.members.clone());
        let config = properties(members)?;
        let sealed = self.service_parameters.as_ref().map_or(0, Vec::len);
        let plain = given.service_parameters.as_ref();
        let plain = plain.map_or(0, |text| text.expose().len());
        if config.to_text().len() + sealed + plain > SIZE_MAX {
            return Err(Error::Invalid(format!("config: {TooLarge}")));
        }
        Ok(config)
    }
}

fn properties(members: Map<String, Value>) -> Result<Properties, Error> {
    Properties::new(members).map_err(|error| Error::Invalid(format!("config: {error}")))
}

/// Removes an application.
pub fn delete(cx: &Cx<'_>, caller: &Caller, id: &ApplicationId) -> Result<(), Error> {
    may_at_all(caller, id, Permission::Delete)?;
    cx.write(|tx| {
        let facts = records::facts(tx, id)?;
        let facts = facts.filter(|facts| rules::sees(caller, &facts.organization));
        let Some(facts) = facts else {
            return Ok(Verdict::Discard(Error::NotFound));
        };
        if let Err(denied) = may(caller, (id, facts.kind), Permission::Delete) {
            return Ok(Verdict::Discard(denied.into()));
        }
        records::remove(tx, id, &facts.organization)?;
        told(
            tx,
            cx,
            caller,
            "application.deleted",
            (id, &facts.organization),
        )?;
        Ok(Verdict::Commit(()))
    })
}

/// Administrators and internal services need nobody's leave.
fn administers(caller: &Caller) -> bool {
    rules::may(caller, Action::ManageApplications).is_ok()
}

/// Contract A: who manages a GENESYS application needs Genesys Cloud's leave, unless they administer. It speaks of the
/// application that it vouched by, and of no other.
fn may(
    caller: &Caller,
    (id, kind): (&ApplicationId, Kind),
    permission: Permission,
) -> Result<(), Denied> {
    if kind == Kind::Genesys && caller.is_permitted(permission, id) {
        return Ok(());
    }
    rules::may(caller, Action::ManageApplications)
}

/// Whether the caller may do this to an application of whatever kind, so that others learn nothing of which there are.
fn may_at_all(caller: &Caller, id: &ApplicationId, permission: Permission) -> Result<(), Denied> {
    may(caller, (id, Kind::Genesys), permission)
}

/// An application that is not there yet: Genesys Cloud's leave is about the organization that it vouched in.
fn may_create(caller: &Caller, kind: Kind) -> Result<(), Denied> {
    match caller.vouched() {
        Some(vouched) => may(caller, (&vouched.by, kind), Permission::Add),
        None => rules::may(caller, Action::ManageApplications),
    }
}

/// Whether a GENESYS application of the caller's own organization vouches for the caller.
fn is_vouched_for(tx: &Tx<'_>, cx: &Cx<'_>, caller: &Caller) -> Result<bool, Fault> {
    let Some(vouched) = caller.vouched() else {
        return Ok(false);
    };
    let own = caller.organization();
    Ok(records::facts(tx, &vouched.by)?.is_some_and(|facts| {
        let is_one = facts.kind == Kind::Genesys && facts.organization == *own;
        is_one && facts.vouches && has_not_ended(facts.expires_at, cx.now)
    }))
}

const NOT_VOUCHED_FOR: Denied =
    Denied::of("the application that vouched for this person is not in use any more");

type Parts = (Properties, Option<Secret<String>>);

/// A configuration taken apart: what is kept as it is, and what is sealed.
fn parts(config: Map<String, Value>) -> Result<Parts, Error> {
    // Both parts together are what the limit is for.
    let whole = properties(config)?;
    if let Some(bases) = whole.get("urlBases") {
        check_bases(bases)?;
    }
    let mut common = whole.members().clone();
    let sealed = match common.remove(SERVICE_PARAMETERS) {
        None | Some(Value::Null) => None,
        Some(parameters @ Value::Object(_)) => Some(Secret::new(parameters.to_string())),
        Some(_) => {
            let told = format!("config.{SERVICE_PARAMETERS} must be an object");
            return Err(Error::Invalid(told));
        }
    };
    Ok((properties(common)?, sealed))
}

/// Whether nothing is missing that this kind needs.
fn is_complete(kind: Kind, config: &Properties) -> Result<(), Error> {
    if kind == Kind::Genesys {
        needs(config, ORGANIZATION)?;
        needs(config, ENVIRONMENT)?;
    }
    Ok(())
}

fn needs(config: &Properties, name: &str) -> Result<(), Error> {
    if config
        .text(name)
        .is_some_and(|text| !text.trim().is_empty())
    {
        return Ok(());
    }
    let told = format!(
        "config.{name} is required for {} and must be text",
        Kind::Genesys.name()
    );
    Err(Error::Invalid(told))
}

/// Links to customers' pages begin with one of these: an origin, so that nothing is hidden behind it.
fn check_bases(bases: &Value) -> Result<(), Error> {
    let is_origin = |base: &Value| {
        let url = base.as_str().and_then(|text| text.parse::<BaseUrl>().ok());
        url.is_some_and(|url| url.has_no_path())
    };
    let list = bases.as_array();
    if list.is_some_and(|list| list.iter().all(is_origin)) {
        return Ok(());
    }
    let told = "config.urlBases must be a list of origins such as https://example.org";
    Err(Error::Invalid(told.into()))
}

fn told(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    caller: &Caller,
    action: &'static str,
    (id, owner): (&ApplicationId, &OrgId),
) -> Result<(), Fault> {
    let event = Event {
        action,
        by: &caller.subject().sub(),
        to: id.as_str(),
        organization: Some(owner),
    };
    audit::record(tx, cx, &event)
}
