//! Who is calling and what they hold. A `Caller` is made only from a verified token, or for the operator.

mod permissions;
pub mod rules;

use serde::{Deserialize, Serialize};

use super::Front;
use crate::kernel::{
    ApplicationId, ClientId, Fault, OrgId, SessionId, SignInId, Timestamp, TokenId, UserId,
};

pub use permissions::{Permission, Permissions};
pub use rules::{Action, Denied};

/// What a caller may be. Supervisors and administrators hold what stands below them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A customer holding a ticket.
    Customer,
    /// An integrator's backend.
    ClientService,
    /// An agent.
    Agent,
    /// A supervisor: also an agent.
    Supervisor,
    /// An administrator of one organization: also a supervisor.
    Admin,
    /// An internal service: any organization.
    Service,
}

const ROLES: [(Role, &str, &str); 6] = [
    (Role::Customer, "Customer", "ROLE_CUSTOMER"),
    (Role::ClientService, "ClientService", "ROLE_CLIENT_SERVICE"),
    (Role::Agent, "Agent", "ROLE_AGENT"),
    (Role::Supervisor, "Supervisor", "ROLE_SUPERVISOR"),
    (Role::Admin, "Admin", "ROLE_ADMIN"),
    (Role::Service, "Service", "ROLE_SERVICE"),
];

impl Role {
    /// As tokens carry it, such as `ROLE_AGENT`.
    pub fn authority(self) -> &'static str {
        ROLES
            .iter()
            .find(|(role, ..)| *role == self)
            .map_or("", |(_, _, authority)| authority)
    }

    /// The role that tokens carry so.
    pub fn of_authority(name: &str) -> Option<Self> {
        let found = ROLES.iter().find(|(.., authority)| *authority == name);
        found.map(|(role, ..)| *role)
    }

    /// As an operator writes it, such as `Agent`.
    pub fn name(self) -> &'static str {
        ROLES
            .iter()
            .find(|(role, ..)| *role == self)
            .map_or("", |(_, name, _)| name)
    }

    /// The role an operator writes so, if a user or a client can be given it: customers are made by tickets alone.
    pub fn named(name: &str) -> Option<Self> {
        let found = ROLES.iter().find(|(_, known, _)| *known == name);
        found
            .map(|(role, ..)| *role)
            .filter(|role| *role != Self::Customer)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }

    fn implied(self) -> &'static [Role] {
        match self {
            Self::Admin => &[Self::Supervisor, Self::Agent],
            Self::Supervisor => &[Self::Agent],
            Self::Customer | Self::ClientService | Self::Agent | Self::Service => &[],
        }
    }
}

/// A set of roles, closed under what each implies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Roles(u8);

impl Roles {
    /// These roles and all they imply.
    pub fn of(roles: &[Role]) -> Self {
        let all = roles
            .iter()
            .flat_map(|role| role.implied().iter().chain([role]));
        Self(all.fold(0, |bits, role| bits | role.bit()))
    }

    /// Reads the authorities of a token; an unknown one is `None`.
    pub fn from_authorities<'t>(names: impl IntoIterator<Item = &'t str>) -> Option<Self> {
        let known = |name: &str| ROLES.iter().find(|(.., authority)| *authority == name);
        names
            .into_iter()
            .map(|name| known(name).map(|(role, ..)| *role))
            .collect::<Option<Vec<_>>>()
            .map(|roles| Self::of(&roles))
    }

    /// The set as an operator reads it, lowest role first.
    pub fn names(self) -> Vec<&'static str> {
        ROLES
            .iter()
            .filter(|(role, ..)| self.has(*role))
            .map(|(_, name, _)| *name)
            .collect()
    }

    /// The set in as few words as say it: what a higher role of it implies is left out.
    pub fn shortest_names(self) -> Vec<&'static str> {
        let implied = |role: &Role| {
            ROLES
                .iter()
                .any(|(other, ..)| self.has(*other) && other.implied().contains(role))
        };
        ROLES
            .iter()
            .filter(|(role, ..)| self.has(*role) && !implied(role))
            .map(|(_, name, _)| *name)
            .collect()
    }

    /// The roles of both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every role of the set is also one of `other`.
    pub fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether the set has `role`.
    pub fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// The set as tokens carry it, lowest role first.
    pub fn authorities(self) -> Vec<&'static str> {
        ROLES
            .iter()
            .filter(|(role, ..)| self.has(*role))
            .map(|(_, _, authority)| *authority)
            .collect()
    }
}

/// Whom a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A person with an account.
    User(UserId),
    /// A client of its own accord.
    Client(ClientId),
    /// A customer holding a ticket, under the user id the ticket was given.
    Customer(UserId),
}

impl Subject {
    /// The token's `sub`. A client's can never equal a user's: no user id has a colon (RFC 9068 §5).
    pub fn sub(&self) -> String {
        match self {
            Self::User(id) | Self::Customer(id) => id.to_string(),
            Self::Client(id) => format!("client:{id}"),
        }
    }
}

/// An integration that vouched for a user when it signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    /// Which.
    pub by: ApplicationId,
    /// What its platform lets the user do with integrations.
    pub permissions: Permissions,
}

/// Someone who has proved who they are.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(in crate::domain) subject: Subject,
    pub(in crate::domain) organization: OrgId,
    pub(in crate::domain) roles: Roles,
    pub(in crate::domain) client: ClientId,
    pub(in crate::domain) token: TokenId,
    pub(in crate::domain) sign_in: Option<SignInId>,
    pub(in crate::domain) issued_at: Timestamp,
    pub(in crate::domain) expires_at: Timestamp,
    pub(in crate::domain) epoch: u64,
    pub(in crate::domain) front: Front,
    pub(in crate::domain) scope: String,
    pub(in crate::domain) session: Option<SessionId>,
    pub(in crate::domain) signed_in_at: Option<Timestamp>,
    pub(in crate::domain) claims: Vec<String>,
    pub(in crate::domain) vouched: Option<Vouched>,
}

impl Caller {
    /// Whoever holds the machine, acting in an organization, or where none is meant in all of them. There is no token:
    /// what it does is on the record as the operator's.
    pub(in crate::domain) fn operator(organization: Option<&OrgId>) -> Result<Self, Fault> {
        let broken = |error| Fault::internal("the operator's name").because(error);
        // No account is called so: their ids are drawn.
        let subject = Subject::User(OPERATOR.parse().map_err(broken)?);
        let nowhere = OPERATOR.parse().map_err(broken);
        Ok(Self {
            subject,
            organization: organization.map_or(nowhere, |id| Ok(id.clone()))?,
            roles: Roles::of(&[Role::Service, Role::Admin]),
            client: OPERATOR.parse().map_err(broken)?,
            token: OPERATOR.parse().map_err(broken)?,
            sign_in: None,
            issued_at: Timestamp::from_micros(0),
            expires_at: Timestamp::from_micros(0),
            epoch: 0,
            front: Front::Security,
            scope: String::new(),
            session: None,
            signed_in_at: None,
            claims: Vec::new(),
            vouched: None,
        })
    }

    /// Whom the token speaks for.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The caller's own organization.
    pub fn organization(&self) -> &OrgId {
        &self.organization
    }

    /// The roles the token carries.
    pub fn roles(&self) -> Roles {
        self.roles
    }

    /// The client the token was issued to.
    pub fn client(&self) -> &ClientId {
        &self.client
    }

    /// The token's id.
    pub fn token(&self) -> &TokenId {
        &self.token
    }

    /// The sign-in the token came of; a client's own tokens have none.
    pub fn sign_in(&self) -> Option<&SignInId> {
        self.sign_in.as_ref()
    }

    /// When the token was issued.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// When the token stops being alive.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The front whose issuer the token names.
    pub fn front(&self) -> Front {
        self.front
    }

    /// The granted scopes, joined by spaces.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Whether `scope` was granted.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|granted| granted == scope)
    }

    /// The browser's session the token came of, if any.
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// When the user behind the token proved who it is; nobody did for a client's or customer's token.
    pub fn signed_in_at(&self) -> Option<Timestamp> {
        self.signed_in_at
    }

    /// The claims asked for from user info one by one (OpenID Connect Core §5.5).
    pub fn claims(&self) -> &[String] {
        &self.claims
    }

    /// The integration that vouched for the user, if one did.
    pub fn vouched(&self) -> Option<&Vouched> {
        self.vouched.as_ref()
    }

    /// Whether the platform behind this integration lets the caller do this with it. Its word is about the one
    /// integration that vouched for the caller, not about others of the organization.
    pub fn is_permitted(&self, permission: Permission, integration: &ApplicationId) -> bool {
        let vouched = self.vouched.as_ref();
        vouched.is_some_and(|it| it.by == *integration && it.permissions.has(permission))
    }
}

/// Who changes facts, and how far that reaches.
#[derive(Debug, Clone)]
pub struct By {
    who: String,
    reach: Option<(OrgId, Roles)>,
    client: Option<ClientId>,
}

/// As the audit names whoever holds the machine.
const OPERATOR: &str = "operator";

impl By {
    /// Whoever holds the machine: everything.
    pub fn operator() -> Self {
        Self {
            who: OPERATOR.into(),
            reach: None,
            client: None,
        }
    }

    /// The bearer of a token.
    pub fn caller(caller: &Caller) -> Self {
        let by = Self::subject(&caller.subject, &caller.organization, caller.roles);
        Self {
            client: Some(caller.client.clone()),
            ..by
        }
    }

    /// Someone who has proved in another way who it is.
    pub fn subject(subject: &Subject, organization: &OrgId, roles: Roles) -> Self {
        Self {
            who: subject.sub(),
            reach: Some((organization.clone(), roles)),
            client: None,
        }
    }

    /// As the audit names it.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Whether it is the operator.
    pub fn is_operator(&self) -> bool {
        self.reach.is_none()
    }

    /// Whether it may do `action` at all.
    pub fn may(&self, action: Action) -> Result<(), Denied> {
        match &self.reach {
            None => Ok(()),
            Some((_, roles)) => rules::allows(*roles, action),
        }
    }

    /// Whether it may hand out these roles: nobody grants what they do not hold.
    pub fn may_grant(&self, granted: Roles) -> Result<(), Denied> {
        match &self.reach {
            None => Ok(()),
            Some((_, held)) => rules::grants(*held, granted),
        }
    }

    /// Whether it may change what `client` may be: nobody raises the client they come as.
    pub fn may_change(&self, client: &ClientId, from: Roles, to: Roles) -> Result<(), Denied> {
        let is_own = self.client.as_ref() == Some(client);
        if is_own && !to.is_within(from) {
            return Err(Denied::OWN_CLIENT);
        }
        self.may_grant(to)
    }

    /// Whether what belongs to `owner` exists for it; another organization's is a 404.
    pub fn sees(&self, owner: &OrgId) -> bool {
        match &self.reach {
            None => true,
            Some((own, roles)) => own == owner || roles.has(Role::Service),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_roles_hold_the_lower_ones() {
        let authorities = Roles::of(&[Role::Admin, Role::ClientService]).authorities();
        assert_eq!(
            authorities,
            [
                "ROLE_CLIENT_SERVICE",
                "ROLE_AGENT",
                "ROLE_SUPERVISOR",
                "ROLE_ADMIN"
            ]
        );
        assert_eq!(
            Roles::from_authorities(authorities),
            Some(Roles::of(&[Role::Admin, Role::ClientService]))
        );
        assert_eq!(Roles::from_authorities(["ROLE_agent"]), None);
        assert!(!Roles::of(&[Role::Service]).has(Role::Admin));
    }

    #[test]
    fn a_set_is_shown_without_what_a_higher_role_implies() {
        let rows: [(&[Role], &[&str]); 5] = [
            (&[Role::Admin], &["Admin"]),
            (
                &[Role::Agent, Role::Supervisor, Role::ClientService],
                &["ClientService", "Supervisor"],
            ),
            (&[Role::Agent], &["Agent"]),
            (&[Role::Service, Role::Agent], &["Agent", "Service"]),
            (&[], &[]),
        ];
        for (roles, shown) in rows {
            assert_eq!(Roles::of(roles).shortest_names(), shown);
        }
    }

    #[test]
    fn s5_nobody_raises_the_client_they_come_as() {
        let (agent, admin) = (Roles::of(&[Role::Agent]), Roles::of(&[Role::Admin]));
        let own: ClientId = "own".parse().unwrap();
        let by = By {
            client: Some(own.clone()),
            ..By::subject(
                &Subject::Client(own.clone()),
                &"o".parse().unwrap(),
                Roles::of(&[Role::Admin]),
            )
        };
        assert_eq!(by.may_change(&own, agent, admin), Err(Denied::OWN_CLIENT));
        assert_eq!(by.may_change(&own, admin, agent), Ok(()));
        assert_eq!(by.may_change(&own, admin, admin), Ok(()));
        let other = "other".parse().unwrap();
        assert_eq!(by.may_change(&other, agent, admin), Ok(()));
        assert_eq!(By::operator().may_change(&own, agent, admin), Ok(()));
    }

    #[test]
    fn a_clients_subject_is_never_a_users() {
        let name = "7c5a";
        let client = Subject::Client(name.parse().unwrap()).sub();
        assert_ne!(client, Subject::User(name.parse().unwrap()).sub());
        assert!(client.parse::<UserId>().is_err());
    }
}
