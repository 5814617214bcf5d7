//! Each command of the operator as a value, and the one function that carries it out, wherever the store is open.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::application::{self, AppCommand, AppView};
use super::audit::{self, AuditCommand, AuditReply};
use super::key_pair::{self, KeyPairCommand, KeyPairView};
use super::ticket::{self, TicketCommand, TicketPage, TicketView};
use super::view::{ClientView, MessageView, OrgView, SigningKeyView, UserView};
use super::{client, organization, user};
use crate::crypto::jws::Algorithm;
use crate::domain::Cx;
use crate::domain::access::By;
use crate::domain::clients::{self, Facts, NewClient};
use crate::domain::organizations::{self, Organization};
use crate::domain::otp::outbox;
use crate::domain::signing::{self, Urgency};
use crate::domain::users::{self, Details, NewUser, User};
use crate::domain::{applications, keys, tickets};
use crate::kernel::{ClientId, Fault, UserId};

/// What the operator asks for. It travels as JSON from one copy of the program to another of the same version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum AdminCommand {
    /// About organizations.
    Org(OrgCommand),
    /// About clients.
    Client(ClientCommand),
    /// About people with an account.
    User(UserCommand),
    /// About the keys our tokens are signed with.
    SigningKey(SigningKeyCommand),
    /// Messages with one-time codes, as they are.
    Outbox,
    /// About what happened.
    Audit(AuditCommand),
    /// About tickets.
    Ticket(TicketCommand),
    /// About applications.
    App(AppCommand),
    /// About customers' key pairs.
    KeyPair(KeyPairCommand),
}

/// What can be asked about organizations; `org` is a name or an id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum OrgCommand {
    /// Found one.
    Create {
        /// Its name.
        name: String,
    },
    /// All of them.
    List,
    /// One of them.
    Show {
        /// Its name or id.
        org: String,
    },
    /// Call one something else.
    Update {
        /// Its name or id.
        org: String,
        /// Its new name.
        name: String,
    },
    /// Remove an empty one.
    Delete {
        /// Its name or id.
        org: String,
    },
}

/// What can be asked about clients.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ClientCommand {
    /// Register one, in the usual organization where none is named.
    Create {
        /// In which organization.
        org: Option<String>,
        /// What it shall be.
        new: Box<NewClient>,
    },
    /// Those of an organization.
    List {
        /// In which organization.
        org: Option<String>,
    },
    /// One of them.
    Show {
        /// Its id.
        id: String,
    },
    /// Change one.
    Update {
        /// Its id.
        id: String,
        /// What it shall be.
        facts: Box<Facts>,
    },
    /// Give one a new secret.
    Rotate {
        /// Its id.
        id: String,
        /// For how many seconds the one before is good as well.
        overlap: u64,
    },
    /// Remove one.
    Delete {
        /// Its id.
        id: String,
    },
}

/// What can be asked about people; `user` is a name in the organization or an id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum UserCommand {
    /// Give a person an account.
    Create {
        /// In which organization.
        org: Option<String>,
        /// What it shall be.
        new: Box<NewUser>,
    },
    /// Those of an organization.
    List {
        /// In which organization.
        org: Option<String>,
    },
    /// One of them.
    Show {
        /// In which organization.
        org: Option<String>,
        /// Its name or id.
        user: String,
    },
    /// Change one.
    Update {
        /// In which organization.
        org: Option<String>,
        /// Its name or id.
        user: String,
        /// What it shall be.
        details: Box<Details>,
    },
    /// Give one a new password.
    Password {
        /// In which organization.
        org: Option<String>,
        /// Its name or id.
        user: String,
        /// Whether it must change the password at the first sign-in.
        expired: bool,
    },
    /// Forget the wrong passwords that were given for one.
    Unlock {
        /// In which organization.
        org: Option<String>,
        /// Its name or id.
        user: String,
    },
    /// Remove one.
    Delete {
        /// In which organization.
        org: Option<String>,
        /// Its name or id.
        user: String,
    },
}

/// What can be asked about signing keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum SigningKeyCommand {
    /// All of them.
    List,
    /// Have the next key take over.
    Rotate {
        /// Of which algorithm; of every one without.
        algorithm: Option<Algorithm>,
        /// Also before everyone can have seen it.
        now: bool,
    },
    /// Remove one at once, and with it every token it signed.
    Remove {
        /// Its name in the key set.
        kid: String,
    },
}

/// What came of a command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum AdminReply {
    /// Organizations, as they are.
    Orgs(Vec<OrgView>),
    /// One, as it now is.
    Org(OrgView),
    /// Clients, as they are.
    Clients(Vec<ClientView>),
    /// One, as it now is.
    Client(Box<ClientView>),
    /// People, as they are.
    Users(Vec<UserView>),
    /// One, as it now is.
    User(Box<UserView>),
    /// Signing keys, as they are.
    SigningKeys(Vec<SigningKeyView>),
    /// Messages with one-time codes, as they are.
    Outbox(Vec<MessageView>),
    /// What happened.
    Audit(AuditReply),
    /// Tickets, as they are.
    Tickets(TicketPage),
    /// One, as it now is.
    Ticket(Box<TicketView>),
    /// Applications, as they are.
    Apps(Vec<AppView>),
    /// One, as it now is.
    App(Box<AppView>),
    /// Key pairs, as they are.
    KeyPairs(Vec<KeyPairView>),
    /// One, as it now is.
    KeyPair(Box<KeyPairView>),
    /// It is gone: what it was, and its id.
    Gone {
        /// What it was.
        what: String,
        /// Its id.
        id: String,
    },
}

/// Why the operator is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// About an organization.
    #[error(transparent)]
    Organization(#[from] organization::Error),
    /// About a client.
    #[error(transparent)]
    Client(#[from] clients::Error),
    /// About an account.
    #[error(transparent)]
    User(#[from] users::Error),
    /// About a signing key.
    #[error(transparent)]
    SigningKey(#[from] signing::Error),
    /// There is no such head of the audit.
    #[error("the audit has no such signed head")]
    NoSuchHead,
    /// About a ticket.
    #[error(transparent)]
    Ticket(#[from] tickets::Error),
    /// About an application.
    #[error(transparent)]
    App(#[from] applications::Error),
    /// About a key pair.
    #[error(transparent)]
    KeyPair(#[from] keys::Error),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Error {
    /// Whether something of ours broke, and nothing was wrong with the command.
    pub fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Fault(_)
                | Self::Organization(organization::Error::Fault(_))
                | Self::Client(clients::Error::Fault(_))
                | Self::User(users::Error::Fault(_))
                | Self::SigningKey(signing::Error::Fault(_))
                | Self::Ticket(tickets::Error::Fault(_))
                | Self::App(applications::Error::Fault(_))
                | Self::KeyPair(keys::Error::Fault(_))
        )
    }
}

/// Carries a command out. It may hash a password or make a key: never on a request's thread.
pub fn execute(cx: &Cx<'_>, command: AdminCommand) -> Result<AdminReply, Error> {
    match command {
        AdminCommand::Org(command) => about_org(cx, command),
        AdminCommand::Client(command) => about_client(cx, command),
        AdminCommand::User(command) => about_user(cx, command),
        AdminCommand::SigningKey(command) => about_signing_key(cx, command),
        AdminCommand::Audit(command) => audit::about(cx, command),
        AdminCommand::Ticket(command) => ticket::execute(cx, command),
        AdminCommand::App(command) => application::execute(cx, command),
        AdminCommand::KeyPair(command) => key_pair::execute(cx, command),
        AdminCommand::Outbox => {
            let all = outbox::list(cx)?;
            Ok(AdminReply::Outbox(
                all.iter().map(MessageView::of).collect(),
            ))
        }
    }
}

fn about_org(cx: &Cx<'_>, command: OrgCommand) -> Result<AdminReply, Error> {
    let by = By::operator();
    Ok(match command {
        OrgCommand::Create { name } => one_org(&organization::create(cx, &by, &name)?),
        OrgCommand::List => {
            let all = organizations::all(&cx.view())?;
            AdminReply::Orgs(all.iter().map(OrgView::of).collect())
        }
        OrgCommand::Show { org } => one_org(&called(cx, Some(&org))?),
        OrgCommand::Update { org, name } => {
            let id = called(cx, Some(&org))?.id;
            one_org(&organization::rename(cx, &by, &id, &name)?)
        }
        OrgCommand::Delete { org } => {
            let id = called(cx, Some(&org))?.id;
            organization::delete(cx, &by, &id)?;
            gone("organization", id.as_str())
        }
    })
}

fn about_client(cx: &Cx<'_>, command: ClientCommand) -> Result<AdminReply, Error> {
    let by = By::operator();
    Ok(match command {
        ClientCommand::Create { org, new } => {
            let organization = called(cx, org.as_deref())?.id;
            registered(cx, &clients::register(cx, &by, &organization, &new)?)?
        }
        ClientCommand::List { org } => {
            let organization = called(cx, org.as_deref())?.id;
            let all = clients::list(cx, &by, &organization)?;
            let views = all.iter().map(|client| ClientView::of(cx, client));
            AdminReply::Clients(views.collect::<Result<_, _>>()?)
        }
        ClientCommand::Show { id } => one_client(cx, &clients::seen(cx, &by, &client_id(&id)?)?)?,
        ClientCommand::Update { id, facts } => {
            one_client(cx, &clients::update(cx, &by, &client_id(&id)?, &facts)?)?
        }
        ClientCommand::Rotate { id, overlap } => {
            let (id, overlap) = (client_id(&id)?, Duration::from_secs(overlap));
            registered(cx, &clients::rotate_secret(cx, &by, &id, overlap)?)?
        }
        ClientCommand::Delete { id } => {
            client::delete(cx, &by, &client_id(&id)?)?;
            gone("client", &id)
        }
    })
}

fn about_user(cx: &Cx<'_>, command: UserCommand) -> Result<AdminReply, Error> {
    let by = By::operator();
    Ok(match command {
        UserCommand::Create { org, new } => {
            let organization = called(cx, org.as_deref())?.id;
            enrolled(&user::create(cx, &by, &organization, &new)?)
        }
        UserCommand::List { org } => {
            let organization = called(cx, org.as_deref())?.id;
            let all = users::list(cx, &organization)?;
            AdminReply::Users(all.iter().map(UserView::of).collect())
        }
        UserCommand::Show { org, user } => one_user(&known(cx, org.as_deref(), &user)?),
        UserCommand::Update { org, user, details } => {
            let id = known(cx, org.as_deref(), &user)?.id;
            one_user(&user::update(cx, &by, &id, &details)?)
        }
        UserCommand::Password { org, user, expired } => {
            let id = known(cx, org.as_deref(), &user)?.id;
            enrolled(&user::give_password(cx, &by, &id, expired)?)
        }
        UserCommand::Unlock { org, user } => {
            let id = known(cx, org.as_deref(), &user)?.id;
            one_user(&user::unlock(cx, &by, &id)?)
        }
        UserCommand::Delete { org, user } => {
            let id = known(cx, org.as_deref(), &user)?.id;
            user::delete(cx, &by, &id)?;
            gone("user", id.as_str())
        }
    })
}

fn about_signing_key(cx: &Cx<'_>, command: SigningKeyCommand) -> Result<AdminReply, Error> {
    let keys = match command {
        SigningKeyCommand::List => signing::list(cx),
        SigningKeyCommand::Rotate { algorithm, now } => {
            let urgency = if now {
                Urgency::Immediately
            } else {
                Urgency::Orderly
            };
            match algorithm {
                Some(algorithm) => vec![signing::rotate(cx, algorithm, urgency)?],
                None => signing::rotate_all(cx, urgency)?,
            }
        }
        SigningKeyCommand::Remove { kid } => {
            signing::remove(cx, &kid)?;
            return Ok(gone("signing key", &kid));
        }
    };
    let views = keys.iter().map(SigningKeyView::of).collect();
    Ok(AdminReply::SigningKeys(views))
}

/// The organization that is meant; where none is named, the usual one.
pub(super) fn called(cx: &Cx<'_>, org: Option<&str>) -> Result<Organization, Error> {
    let found = organizations::called(&cx.view(), org)?;
    Ok(found.ok_or(organization::Error::NotFound)?)
}

fn client_id(id: &str) -> Result<ClientId, Error> {
    // What can be no id is nobody's.
    Ok(id.parse().map_err(|_| clients::Error::NotFound)?)
}

/// The user of that name in the organization, or of that id in any that was not named otherwise.
fn known(cx: &Cx<'_>, org: Option<&str>, user: &str) -> Result<User, Error> {
    let organization = called(cx, org)?.id;
    if let Some(user) = users::named(cx, &organization, user)? {
        return Ok(user);
    }
    let id: Option<UserId> = user.parse().ok();
    let found = id.map(|id| users::find(cx, &id)).transpose()?.flatten();
    let meant = |user: &User| org.is_none() || user.organization == organization;
    Ok(found.filter(meant).ok_or(users::Error::NotFound)?)
}

fn one_org(organization: &Organization) -> AdminReply {
    AdminReply::Org(OrgView::of(organization))
}

fn one_client(cx: &Cx<'_>, client: &clients::Client) -> Result<AdminReply, Fault> {
    Ok(AdminReply::Client(Box::new(ClientView::of(cx, client)?)))
}

fn registered(cx: &Cx<'_>, registered: &clients::Registered) -> Result<AdminReply, Fault> {
    let mut view = ClientView::of(cx, &registered.client)?;
    let secret = registered.secret.as_ref();
    view.client_secret = secret.map(|secret| secret.expose().clone());
    Ok(AdminReply::Client(Box::new(view)))
}

fn one_user(user: &User) -> AdminReply {
    AdminReply::User(Box::new(UserView::of(user)))
}

fn enrolled(enrolled: &user::Enrolled) -> AdminReply {
    let mut view = UserView::of(&enrolled.user);
    view.password = Some(enrolled.password.shown().expose().clone());
    AdminReply::User(Box::new(view))
}

pub(super) fn gone(what: &str, id: &str) -> AdminReply {
    AdminReply::Gone {
        what: what.to_owned(),
        id: id.to_owned(),
    }
}
