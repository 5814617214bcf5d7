//! Applications as stored: their service parameters sealed, the rest as JSON text.

use serde::{Deserialize, Serialize};

use super::{Application, Kind};
use crate::domain::{Cx, organizations};
use crate::kernel::{ApplicationId, Fault, OrgId, Properties, Secret, Timestamp};
use crate::store::{Record, Table, Tx};

const APPLICATIONS: Table<ApplicationId, ApplicationRecord> = Table::named("applications");
const APPLICATIONS_BY_ORG: Table<(OrgId, ApplicationId), ()> = Table::named("applications_by_org");

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
}

impl Record for ApplicationRecord {
    const VERSION: u8 = 1;
}

pub(super) fn get(cx: &Cx<'_>, id: &ApplicationId) -> Result<Option<Application>, Fault> {
    let record = cx.view().get(&APPLICATIONS, id)?;
    record.map(|record| read(cx, id, record)).transpose()
}

fn read(cx: &Cx<'_>, id: &ApplicationId, record: ApplicationRecord) -> Result<Application, Fault> {
    let broken = |what: &str| Fault::internal(format!("{what} of application {id}"));
    let config =
        Properties::from_text(&record.config).ok_or_else(|| broken("the configuration"))?;
    let sealed = record.sealed_service_parameters;
    let service_parameters = sealed
        .map(|sealed| {
            let plain = cx.appliance.keyring.open(&label(id), &sealed)?;
            let text = String::from_utf8(plain.expose().clone());
            text.map(Secret::new)
                .map_err(|_| broken("the service parameters"))
        })
        .transpose()?;
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
    })
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
}

/// Keeps an application, in an organization there is.
pub fn put(tx: &Tx<'_>, sealed: &Sealed<'_>) -> Result<(), Fault> {
    let application = sealed.application;
    let organization = &application.organization;
    if tx.get(&APPLICATIONS, &application.id)?.is_none() {
        if !organizations::enter(tx, organization)? {
            return Err(Fault::internal("an application of no organization"));
        }
        let key = (organization.clone(), application.id.clone());
        tx.put(&APPLICATIONS_BY_ORG, &key, &())?;
    }
    let record = ApplicationRecord {
        organization: organization.clone(),
        kind: application.kind,
        config: application.config.to_text(),
        sealed_service_parameters: sealed.service_parameters.clone(),
        is_visible: application.is_visible,
        created_at: application.created_at,
        expires_at: application.expires_at,
        version: application.version,
    };
    tx.put(&APPLICATIONS, &application.id, &record)
}

fn label(id: &ApplicationId) -> String {
    format!("applications/{id}")
}
