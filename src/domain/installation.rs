//! The first start: the facts an empty appliance begins with, made once and in one transaction.

use serde::{Deserialize, Serialize};

use super::access::{Permissions, Role, Roles};
use super::applications::{self, Application, Kind, Sealed};
use super::audit::{self, Event};
use super::clients::{self, Client, GrantType, secret};
use super::organizations::{self, Organization};
use super::users::{self, Password, User};
use super::{Appliance, Cx, Front};
use crate::kernel::{
    ApplicationId, BaseUrl, ClientId, Fault, OrgId, Properties, Secret, Timestamp, UserId,
};
use crate::store::{Record, Table, Verdict, View};

const INSTALLATION: Table<u8, InstallationRecord> = Table::named("installation");

#[derive(Debug, Clone, Serialize, Deserialize)]
struct InstallationRecord {
    organization: OrgId,
    application: ApplicationId,
    issuer: String,
    installed_at: Timestamp,
}

impl Record for InstallationRecord {
    const VERSION: u8 = 1;
}

/// What an appliance is to begin with, drawn but not yet kept. The secrets are shown here and never again.
pub struct Plan {
    organization: Organization,
    application: Application,
    admin: User,
    client: Client,
    customer: Client,
    agent: Client,
    /// The administrator's password.
    pub admin_password: Secret<String>,
    /// The first client's secret.
    pub client_secret: Secret<String>,
}

impl Plan {
    /// The organization everything begins in.
    pub fn organization(&self) -> &OrgId {
        &self.organization.id
    }

    /// The first application.
    pub fn application(&self) -> &ApplicationId {
        &self.application.id
    }

    /// The administrator's name.
    pub fn admin_name(&self) -> &str {
        &self.admin.name
    }

    /// The first client.
    pub fn client(&self) -> &ClientId {
        &self.client.id
    }
}

/// Whether the appliance has begun.
pub fn is_done(appliance: &Appliance) -> Result<bool, Fault> {
    Ok(appliance.store.view().get(&INSTALLATION, &0)?.is_some())
}

/// Who issued tokens when the appliance began; `None` when it has not.
pub(super) fn issuer(view: &View<'_>) -> Result<Option<BaseUrl>, Fault> {
    let Some(record) = view.get(&INSTALLATION, &0)? else {
        return Ok(None);
    };
    let issuer = record.issuer.parse();
    issuer
        .map(Some)
        .map_err(|error| Fault::internal("the stored issuer").because(error))
}

/// Draws everything an empty appliance begins with.
pub fn plan(cx: &Cx<'_>) -> Result<Plan, Fault> {
    let now = cx.now.to_millis();
    let organization = Organization {
        id: OrgId::draw(cx.entropy()),
        name: "default".into(),
        created_at: now,
    };
    let password = Password::draw(cx)?;
    let client_secret = secret::draw(cx);
    let id = ClientId::draw(cx.entropy());
    let client = Client {
        description: "first client, made at the first start".into(),
        secret: Some(secret::digest(cx.appliance, &client_secret)),
        roles: Roles::of(&[Role::ClientService, Role::Admin]),
        grants: vec![GrantType::ClientCredentials],
        ..Client::blank(id, &organization.id, now)
    };
    let customer = Client {
        description: "the apps of customers who hold a ticket".into(),
        grants: vec![GrantType::Ticket, GrantType::RefreshToken],
        ..Client::blank(built_in(clients::CUSTOMER)?, &organization.id, now)
    };
    Ok(Plan {
        application: Application {
            id: ApplicationId::draw(cx.entropy()),
            organization: organization.id.clone(),
            kind: Kind::Test,
            config: Properties::default(),
            service_parameters: None,
            is_visible: true,
            created_at: now,
            expires_at: None,
            version: 0,
            vouches: true,
        },
        admin: User {
            id: UserId::draw(cx.entropy()),
            organization: organization.id.clone(),
            name: "admin".into(),
            dbid: users::FIRST_DBID,
            display_name: None,
            first_name: None,
            last_name: None,
            email: None,
            email_verified: false,
            phone: None,
            phone_verified: false,
            address: None,
            locale: None,
            roles: Roles::of(&[Role::Admin]),
            password: password.hash().to_owned(),
            password_expired: false,
            password_changed_at: now,
            disabled: None,
            created_at: now,
            updated_at: now,
            version: 0,
            permissions: Permissions::default(),
        },
        client,
        customer,
        agent: agent(&organization.id, now)?,
        organization,
        admin_password: password.shown().clone(),
        client_secret,
    })
}

/// Keeps the plan. Whoever calls has put the secrets where the operator finds them, because they are in no record.
pub fn settle(cx: &Cx<'_>, plan: &Plan) -> Result<(), Fault> {
    let application = Sealed::of(cx, &plan.application)?;
    cx.write(|tx| {
        organizations::put(tx, &plan.organization)?;
        applications::put(tx, &application)?;
        users::put(tx, &plan.admin)?;
        clients::put(tx, &plan.client)?;
        clients::put(tx, &plan.customer)?;
        clients::put(tx, &plan.agent)?;
        let record = InstallationRecord {
            organization: plan.organization.id.clone(),
            application: plan.application.id.clone(),
            issuer: cx.appliance.issuer(Front::Security).to_owned(),
            installed_at: cx.now,
        };
        tx.put(&INSTALLATION, &0, &record)?;
        let organization = Some(&plan.organization.id);
        audit::record(
            tx,
            cx,
            &Event {
                action: "appliance.installed",
                by: "operator",
                to: "",
                organization,
            },
        )?;
        Ok(Verdict::<(), Fault>::Commit(()))
    })
}

/// Gives an appliance that began before agents had a client what it lacks.
pub fn complete(cx: &Cx<'_>) -> Result<(), Fault> {
    let Some(record) = cx.view().get(&INSTALLATION, &0)? else {
        return Ok(());
    };
    let missing = agent(&record.organization, cx.now.to_millis())?;
    if clients::find(cx, &missing.id)?.is_some() {
        return Ok(());
    }
    cx.write(|tx| {
        // Its organization may have been removed; then nobody began here for whom it could be.
        if organizations::exists(tx, &missing.organization)? {
            clients::put(tx, &missing)?;
            let event = Event {
                action: "client.registered",
                by: "operator",
                to: missing.id.as_str(),
                organization: Some(&missing.organization),
            };
            audit::record(tx, cx, &event)?;
        }
        Ok(Verdict::<(), Fault>::Commit(()))
    })
}

/// The agents' client, through which the people of every organization's applications sign in.
fn agent(organization: &OrgId, now: Timestamp) -> Result<Client, Fault> {
    Ok(Client {
        description: "the apps of agents who sign in with Genesys Cloud".into(),
        grants: vec![GrantType::GenesysCode, GrantType::RefreshToken],
        is_shared: true,
        ..Client::blank(built_in(clients::AGENT)?, organization, now)
    })
}

fn built_in(name: &str) -> Result<ClientId, Fault> {
    name.parse().map_err(|error| {
        Fault::internal("the name of a client that apps have built in").because(error)
    })
}
