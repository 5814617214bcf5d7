//! Applications, for the operator. What an administrator of the organization may do with them, and all of them listed,
//! also those that are hidden or have ended. Service parameters go in and are not shown again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Hidden;
use super::command::{AdminReply, Error, called, gone};
use crate::domain::Cx;
use crate::domain::access::Caller;
use crate::domain::applications::{
    self, Application, Changes, End, Kind, NewApplication, SERVICE_PARAMETERS,
};
use crate::kernel::{ApplicationId, Properties, Timestamp};

/// What can be asked about applications.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum AppCommand {
    /// Make one.
    Create {
        /// In which organization.
        org: Option<String>,
        /// What it shall be.
        new: Box<NewApp>,
    },
    /// Those of an organization.
    List {
        /// In which organization.
        org: Option<String>,
    },
    /// One of them.
    Show {
        /// Its id.
        id: ApplicationId,
    },
    /// Change one; what is left out stays.
    Update {
        /// Its id.
        id: ApplicationId,
        /// Its whole configuration; without service parameters it keeps those it has.
        settings: Option<Hidden<Map<String, Value>>>,
        /// Whether listings show it.
        visible: Option<bool>,
        /// When it ends.
        end: End,
    },
    /// Remove one.
    Delete {
        /// Its id.
        id: ApplicationId,
    },
}

/// What a new application shall be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewApp {
    /// Its id; drawn without.
    pub id: Option<ApplicationId>,
    /// What it is.
    pub kind: Kind,
    /// Its whole configuration.
    pub settings: Hidden<Map<String, Value>>,
    /// Whether listings show it.
    pub visible: bool,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// An application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppView {
    /// Its identifier.
    pub application_id: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The organization it belongs to.
    pub organization_id: String,
    /// Whether listings show it.
    pub visible: bool,
    /// When it was made.
    pub created_at: String,
    /// When it ends, if it does.
    pub expires_at: Option<String>,
    /// Its configuration without the service parameters.
    pub settings: Map<String, Value>,
    /// The names of its service parameters, which are sealed.
    pub service_parameters: Vec<String>,
}

/// Carries a command about applications out.
pub(super) fn execute(cx: &Cx<'_>, command: AppCommand) -> Result<AdminReply, Error> {
    let anywhere = Caller::operator(None)?;
    match command {
        AppCommand::Create { org, new } => create(cx, org.as_deref(), *new),
        AppCommand::List { org } => {
            let organization = called(cx, org.as_deref())?.id;
            let all = applications::all(cx, &organization)?;
            Ok(AdminReply::Apps(all.iter().map(AppView::of).collect()))
        }
        AppCommand::Show { id } => Ok(one(&found(cx, &id)?)),
        AppCommand::Update {
            id,
            settings,
            visible,
            end,
        } => {
            let before = found(cx, &id)?;
            let given = settings.map(|Hidden(settings)| settings);
            let changes = Changes {
                organization: None,
                kind: before.kind,
                config: config(given, &before),
                is_visible: visible,
                end,
            };
            applications::update(cx, &anywhere, &id, changes)?;
            // A read shows a change once it is on the disk.
            cx.appliance.store().durable(cx.awaited()).wait()?;
            Ok(one(&found(cx, &id)?))
        }
        AppCommand::Delete { id } => {
            applications::delete(cx, &anywhere, &id)?;
            Ok(gone("application", id.as_str()))
        }
    }
}

fn create(cx: &Cx<'_>, org: Option<&str>, new: NewApp) -> Result<AdminReply, Error> {
    let caller = Caller::operator(Some(&called(cx, org)?.id))?;
    let Hidden(config) = new.settings;
    let new = NewApplication {
        id: new.id,
        organization: None,
        kind: new.kind,
        config,
        is_visible: Some(new.visible),
        expires_at: new.expires_at,
    };
    Ok(one(&applications::create(cx, &caller, new)?))
}

fn found(cx: &Cx<'_>, id: &ApplicationId) -> Result<Application, Error> {
    let found = applications::find(cx, id)?;
    Ok(found.ok_or(applications::Error::NotFound)?)
}

/// The whole configuration from now on: the given one, or the present one, with the present service parameters unless
/// others are given; a `null` takes them away.
fn config(given: Option<Map<String, Value>>, before: &Application) -> Map<String, Value> {
    let mut config = given.unwrap_or_else(|| before.config.members().clone());
    if !config.contains_key(SERVICE_PARAMETERS)
        && let Some(parameters) = service_parameters(before)
    {
        let parameters = Value::Object(parameters.members().clone());
        config.insert(SERVICE_PARAMETERS.to_owned(), parameters);
    }
    config
}

fn service_parameters(of: &Application) -> Option<Properties> {
    let text = of.service_parameters.as_ref()?;
    Properties::from_text(text.expose())
}

fn one(application: &Application) -> AdminReply {
    AdminReply::App(Box::new(AppView::of(application)))
}

impl AppView {
    fn of(application: &Application) -> Self {
        let sealed = service_parameters(application);
        let sealed = sealed.map(|parameters| parameters.members().keys().cloned().collect());
        Self {
            application_id: application.id.to_string(),
            kind: application.kind.name().to_owned(),
            organization_id: application.organization.to_string(),
            visible: application.is_visible,
            created_at: application.created_at.to_string(),
            expires_at: application.expires_at.as_ref().map(Timestamp::to_string),
            settings: application.config.members().clone(),
            service_parameters: sealed.unwrap_or_default(),
        }
    }
}
