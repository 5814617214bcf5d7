//! Applications as stored: their service parameters sealed, the rest as JSON text.

use serde::{Deserialize, Serialize};

use super::{Application, Kind, has_not_ended};
use crate::domain::{Cx, organizations};
use crate::kernel::{ApplicationId, Fault, OrgId, Properties, Secret, Timestamp};
use crate::store::{Record, Table, Tx, View};

const APPLICATIONS: Table<ApplicationId, ApplicationRecord> = Table::named("applications");
const APPLICATIONS_BY_ORG: Table<(OrgId, ApplicationId), Brief> =
    Table::named("applications_by_org");
const APPLICATIONS_COUNTED: Table<OrgId, CountRecord> = Table::named("applications_counted");

/// Each is looked at, though not read whole, when they are listed.
pub(super) const PER_ORGANIZATION: u32 = 1_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ApplicationRecord {
    organization: OrgId,
    kind: Kind,
    config: String,
    sealed_service_parameters: Option<Vec<u8>>,
    is_visible: bool,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    version: u64,
    vouches: bool,
}

impl Record for ApplicationRecord {
    const VERSION: u8 = 1;
}

/// What is known of every application before those that matter are read whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Brief {
    pub kind: Kind,
    pub is_visible: bool,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub vouches: bool,
}

impl Brief {
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        has_not_ended(self.expires_at, now)
    }
}

impl Record for Brief {
    const VERSION: u8 = 1;
}

/// How many applications an organization has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct CountRecord(u32);

impl Record for CountRecord {
    const VERSION: u8 = 1;
}

/// What an application is, with its service parameters as they are stored.
pub(super) struct Facts {
    pub organization: OrgId,
    pub kind: Kind,
    pub config: Properties,
    pub service_parameters: Option<Vec<u8>>,
    pub is_visible: bool,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub version: u64,
    pub vouches: bool,
}

/// The same, as the transaction sees it.
pub(super) fn facts(tx: &Tx<'_>, id: &ApplicationId) -> Result<Option<Facts>, Fault> {
    let Some(record) = tx.get(&APPLICATIONS, id)? else {
        return Ok(None);
    };
    let config = Properties::from_text(&record.config)
        .ok_or_else(|| Fault::internal(format!("the configuration of application {id}")))?;
    Ok(Some(Facts {
        organization: record.organization,
        kind: record.kind,
        config,
        service_parameters: record.sealed_service_parameters,
        is_visible: record.is_visible,
        created_at: record.created_at,
        expires_at: record.expires_at,
        version: record.version,
        vouches: record.vouches,
    }))
}

/// Every application of the organization, in the order of their ids.
pub(super) fn of(cx: &Cx<'_>, owner: &OrgId) -> Result<Vec<(ApplicationId, Brief)>, Fault> {
    let limit = usize::try_from(PER_ORGANIZATION).unwrap_or(usize::MAX);
    let view = cx.view();
    let all = view.scan_prefix(&APPLICATIONS_BY_ORG, owner, None, limit)?;
    Ok(all
        .into_iter()
        .map(|((_, id), brief)| (id, brief))
        .collect())
}

/// Every application of the organization whole, also those that are hidden or have ended.
pub fn all(cx: &Cx<'_>, owner: &OrgId) -> Result<Vec<Application>, Fault> {
    let mut found = Vec::new();
    for (id, _) in of(cx, owner)? {
        found.extend(get(cx, &id)?);
    }
    Ok(found)
}

/// How many entries of the organizations' lists lead to no application, or to another organization's.
pub(in crate::domain) fn strays(view: &View<'_>) -> Result<u64, Fault> {
    let mut strays = 0;
    view.each(&APPLICATIONS_BY_ORG, |(owner, id), _: Brief| {
        let found = view.get(&APPLICATIONS, &id)?;
        strays += u64::from(found.is_none_or(|found| found.organization != owner));
        Ok(())
    })?;
    Ok(strays)
}

/// How many applications the organization has.
pub(super) fn counted(tx: &Tx<'_>, organization: &OrgId) -> Result<u32, Fault> {
    let counted = tx.get(&APPLICATIONS_COUNTED, organization)?;
    Ok(counted.map_or(0, |CountRecord(count)| count))
}

pub(super) fn remove(tx: &Tx<'_>, id: &ApplicationId, owner: &OrgId) -> Result<(), Fault> {
    tx.remove(&APPLICATIONS_BY_ORG, &(owner.clone(), id.clone()))?;
    tx.remove(&APPLICATIONS, id)?;
    match counted(tx, owner)?.saturating_sub(1) {
        0 => _ = tx.remove(&APPLICATIONS_COUNTED, owner)?,
        left => tx.put(&APPLICATIONS_COUNTED, owner, &CountRecord(left))?,
    }
    organizations::leave(tx, owner)?;
    Ok(())
}

pub(super) fn get(cx: &Cx<'_>, id: &ApplicationId) -> Result<Option<Application>, Fault> {
    let record = cx.view().get(&APPLICATIONS, id)?;
    record.map(|record| read(cx, id, record)).transpose()
}

/// The organization's applications of that kind that have not ended and vouch for people.
pub fn of_kind(cx: &Cx<'_>, organization: &OrgId, kind: Kind) -> Result<Vec<Application>, Fault> {
    let mut found = Vec::new();
    for (id, brief) in of(cx, organization)? {
        if brief.kind == kind && brief.vouches && brief.is_open(cx.now) {
            // Somebody may have removed it since.
            found.extend(get(cx, &id)?);
        }
    }
    Ok(found)
}

/// Whether there still is such an application that has not ended and vouches for people, as the transaction sees it.
pub fn vouches(tx: &Tx<'_>, now: Timestamp, id: &ApplicationId) -> Result<bool, Fault> {
    let record = tx.get(&APPLICATIONS, id)?;
    Ok(record.is_some_and(|record| record.vouches && has_not_ended(record.expires_at, now)))
}

fn read(cx: &Cx<'_>, id: &ApplicationId, record: ApplicationRecord) -> Result<Application, Fault> {
    let broken = || Fault::internal(format!("the configuration of application {id}"));
    let config = Properties::from_text(&record.config).ok_or_else(broken)?;
    let sealed = record.sealed_service_parameters.as_deref();
    let service_parameters = opened(cx, id, sealed)?;
    Ok(Application {
        id: id.clone(),
        organization: record.organization,
        kind: record.kind,
        config,
        service_parameters,
        is_visible: record.is_visible,
        created_at: record.created_at,
        expires_at: record.expires_at,
        version: record.version,
        vouches: record.vouches,
    })
}

/// The JSON text of an application's service parameters, of which the store has the sealed bytes.
pub(super) fn opened(
    cx: &Cx<'_>,
    id: &ApplicationId,
    sealed: Option<&[u8]>,
) -> Result<Option<Secret<String>>, Fault> {
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let plain = cx.appliance.keyring.open(&label(id), sealed)?;
    let broken = |_| Fault::internal(format!("the service parameters of application {id}"));
    let text = String::from_utf8(plain.expose().clone()).map_err(broken)?;
    Ok(Some(Secret::new(text)))
}

/// An application ready to be kept: its service parameters are sealed, which needs chance.
pub struct Sealed<'a> {
    application: &'a Application,
    service_parameters: Option<Vec<u8>>,
}

impl<'a> Sealed<'a> {
    /// Before a transaction begins.
    pub fn of(cx: &Cx<'_>, application: &'a Application) -> Result<Self, Fault> {
        let seal = |text: &Secret<String>| {
            let label = label(&application.id);
            let plain = text.expose().as_bytes();
            cx.appliance.keyring.seal(&label, plain, cx.entropy())
        };
        let service_parameters = application
            .service_parameters
            .as_ref()
            .map(seal)
            .transpose()?;
        Ok(Self {
            application,
            service_parameters,
        })
    }

    /// The same service parameters, or where there are none those that are sealed already, in an application of the
    /// same id.
    pub(super) fn with<'b>(
        &self,
        application: &'b Application,
        otherwise: Option<Vec<u8>>,
    ) -> Sealed<'b> {
        Sealed {
            application,
            service_parameters: self.service_parameters.clone().or(otherwise),
        }
    }
}

/// Keeps an application, in an organization there is.
pub fn put(tx: &Tx<'_>, sealed: &Sealed<'_>) -> Result<(), Fault> {
    let application = sealed.application;
    let organization = &application.organization;
    if tx.get(&APPLICATIONS, &application.id)?.is_none() {
        if !organizations::enter(tx, organization)? {
            return Err(Fault::internal("an application of no organization"));
        }
        let counted = counted(tx, organization)?.saturating_add(1);
        tx.put(&APPLICATIONS_COUNTED, organization, &CountRecord(counted))?;
    }
    let brief = Brief {
        kind: application.kind,
        is_visible: application.is_visible,
        created_at: application.created_at,
        expires_at: application.expires_at,
        vouches: application.vouches,
    };
    let key = (organization.clone(), application.id.clone());
    tx.put(&APPLICATIONS_BY_ORG, &key, &brief)?;
    let record = ApplicationRecord {
        organization: organization.clone(),
        kind: application.kind,
        config: application.config.to_text(),
        sealed_service_parameters: sealed.service_parameters.clone(),
        is_visible: application.is_visible,
        created_at: application.created_at,
        expires_at: application.expires_at,
        version: application.version,
        vouches: application.vouches,
    };
    tx.put(&APPLICATIONS, &application.id, &record)
}

fn label(id: &ApplicationId) -> String {
    format!("applications/{id}")
}
