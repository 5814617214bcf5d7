//! Integrations: which contact-centre platform an organization's tickets and rooms belong to.

use serde::{Deserialize, Serialize};

use super::organizations;
use crate::kernel::{ApplicationId, Fault, OrgId, Properties, Timestamp};
use crate::store::{Record, Table, Tx, View};

const APPLICATIONS: Table<ApplicationId, ApplicationRecord> = Table::named("applications");

/// Which platform. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Platform {
    /// None: for trying things out.
    Test,
}

/// An integration with its configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    /// Its identifier.
    pub id: ApplicationId,
    /// The organization it belongs to.
    pub organization: OrgId,
    /// Which platform.
    pub platform: Platform,
    /// Its configuration.
    pub config: Properties,
    /// When it was made.
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ApplicationRecord {
    organization: OrgId,
    platform: Platform,
    config: String,
    created_at: Timestamp,
}

impl Record for ApplicationRecord {
    const VERSION: u8 = 1;
}

/// The application of that id.
pub fn find(view: &View<'_>, id: &ApplicationId) -> Result<Option<Application>, Fault> {
    let Some(record) = view.get(&APPLICATIONS, id)? else {
        return Ok(None);
    };
    let config = Properties::from_text(&record.config).ok_or_else(|| {
        Fault::internal(format!(
            "the configuration of application {id} is no JSON object"
        ))
    })?;
    let ApplicationRecord {
        organization,
        platform,
        created_at,
        ..
    } = record;
    Ok(Some(Application {
        id: id.clone(),
        organization,
        platform,
        config,
        created_at,
    }))
}

/// Keeps an application, in an organization there is.
pub fn put(tx: &Tx<'_>, application: &Application) -> Result<(), Fault> {
    let is_new = tx.get(&APPLICATIONS, &application.id)?.is_none();
    if is_new && !organizations::enter(tx, &application.organization)? {
        return Err(Fault::internal("an application of no organization"));
    }
    let record = ApplicationRecord {
        organization: application.organization.clone(),
        platform: application.platform,
        config: application.config.to_text(),
        created_at: application.created_at,
    };
    tx.put(&APPLICATIONS, &application.id, &record)
}
