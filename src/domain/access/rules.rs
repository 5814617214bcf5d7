//! The whole authorisation table: which role may do which action, in whose organization.

use super::{Caller, Role, Roles};
use crate::kernel::OrgId;

/// What somebody may want to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Create a ticket.
    IssueTicket,
    /// Change, revoke, disable, enable or delete a ticket.
    ManageTicket,
    /// See any ticket of the organization.
    ReadTicket,
    /// Name a room for people to meet in.
    OpenRoom,
    /// Register, see, change or delete the organization's clients.
    ManageClients,
    /// Create, change or delete the organization's applications.
    ManageApplications,
    /// Make key pairs, bring them in and see their public halves.
    ManageKeys,
    /// Have a one-time code sent, and check it.
    RequestCode,
    /// Open a room or a callback with a ticket for it, in one call.
    UseFacades,
    /// Have an upstream's tokens renewed.
    RefreshUpstream,
    /// See everything about any user.
    ReadUsers,
}

/// The caller may not: 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(&'static str);

impl Denied {
    /// What reaches every organization is made and changed by whoever holds the machine.
    pub const OPERATOR_ONLY: Self =
        Self("only the operator may make or change the client of an internal service");

    /// Why a feature of the domain refuses whom the table of roles lets in.
    pub(in crate::domain) const fn of(why: &'static str) -> Self {
        Self(why)
    }

    /// A client that raised itself would not have needed anybody's leave.
    pub const OWN_CLIENT: Self =
        Self("nobody gives the client they come as a role it does not have");
}

const LACKS_ROLE: Denied = Denied("Access is denied");
const NOT_HELD: Denied = Denied("nobody gives a role they do not hold");
const OTHER_ORGANIZATION: Denied = Denied("only an internal service may name another organization");

/// Whether the caller's roles allow the action.
pub fn may(caller: &Caller, action: Action) -> Result<(), Denied> {
    allows(caller.roles, action)
}

/// Whether these roles allow the action.
pub(super) fn allows(roles: Roles, action: Action) -> Result<(), Denied> {
    let allowed: &[Role] = match action {
        Action::IssueTicket
        | Action::ManageTicket
        | Action::ReadTicket
        | Action::OpenRoom
        | Action::UseFacades => &[Role::Agent, Role::Service],
        Action::ManageClients | Action::ManageApplications | Action::ManageKeys => {
            &[Role::Admin, Role::Service]
        }
        Action::RequestCode | Action::RefreshUpstream => {
            &[Role::Agent, Role::ClientService, Role::Service]
        }
        Action::ReadUsers => &[Role::Service],
    };
    if allowed.iter().any(|role| roles.has(*role)) {
        Ok(())
    } else {
        Err(LACKS_ROLE)
    }
}

/// Whether whoever holds these roles may hand out those. Administrators make the backends of their organization, whose
/// role they do not hold; an internal service may be anything but make another one.
pub(super) fn grants(held: Roles, granted: Roles) -> Result<(), Denied> {
    if granted.has(Role::Service) {
        return Err(Denied::OPERATOR_ONLY);
    }
    let others = if held.has(Role::Service) {
        Roles::of(&[Role::ClientService, Role::Admin])
    } else if held.has(Role::Admin) {
        Roles::of(&[Role::ClientService])
    } else {
        Roles::default()
    };
    if granted.is_within(held.and(others)) {
        Ok(())
    } else {
        Err(NOT_HELD)
    }
}

/// The organization a request acts in: the caller's own, or for an internal service the one it names.
pub fn organization<'c>(caller: &'c Caller, named: Option<&'c OrgId>) -> Result<&'c OrgId, Denied> {
    match named {
        Some(named) if *named == caller.organization || caller.roles.has(Role::Service) => {
            Ok(named)
        }
        Some(_) => Err(OTHER_ORGANIZATION),
        None => Ok(&caller.organization),
    }
}

/// Whether an object of `owner` exists for this caller at all; another organization's object is a 404.
pub fn sees(caller: &Caller, owner: &OrgId) -> bool {
    *owner == caller.organization || caller.roles.has(Role::Service)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Front;
    use crate::domain::access::Subject;
    use crate::kernel::Timestamp;

    fn caller(roles: &[Role]) -> Caller {
        Caller {
            subject: Subject::Client("c".parse().unwrap()),
            organization: "own".parse().unwrap(),
            roles: Roles::of(roles),
            client: "c".parse().unwrap(),
            token: "t".parse().unwrap(),
            sign_in: None,
            issued_at: Timestamp::from_seconds(0),
            expires_at: Timestamp::from_seconds(0),
            epoch: 0,
            front: Front::Security,
            scope: "any".into(),
            session: None,
            signed_in_at: None,
            claims: Vec::new(),
            vouched: None,
        }
    }

    #[test]
    fn who_may_manage_tickets() {
        let rows = [
            (Role::Customer, false),
            (Role::ClientService, false),
            (Role::Agent, true),
            (Role::Supervisor, true),
            (Role::Admin, true),
            (Role::Service, true),
        ];
        for (role, expected) in rows {
            for action in [
                Action::IssueTicket,
                Action::ManageTicket,
                Action::ReadTicket,
                Action::OpenRoom,
            ] {
                assert_eq!(
                    may(&caller(&[role]), action).is_ok(),
                    expected,
                    "{role:?} {action:?}"
                );
            }
        }
        assert!(may(&caller(&[]), Action::ReadTicket).is_err());
    }

    #[test]
    fn who_may_manage_clients() {
        for role in [Role::Customer, Role::ClientService, Role::Supervisor] {
            assert!(may(&caller(&[role]), Action::ManageClients).is_err());
        }
        for role in [Role::Admin, Role::Service] {
            assert!(may(&caller(&[role]), Action::ManageClients).is_ok());
        }
    }

    #[test]
    fn s5_nobody_grants_what_they_do_not_hold() {
        use Role::{Admin, Agent, ClientService, Customer, Service, Supervisor};
        let rows: [(Role, &[Role]); 6] = [
            (Customer, &[Customer]),
            (ClientService, &[ClientService]),
            (Agent, &[Agent]),
            (Supervisor, &[Agent, Supervisor]),
            (Admin, &[ClientService, Agent, Supervisor, Admin]),
            (Service, &[ClientService, Agent, Supervisor, Admin]),
        ];
        for (held, allowed) in rows {
            for granted in [Customer, ClientService, Agent, Supervisor, Admin, Service] {
                let may = grants(Roles::of(&[held]), Roles::of(&[granted]));
                assert_eq!(
                    may.is_ok(),
                    allowed.contains(&granted),
                    "{held:?} {granted:?}"
                );
            }
            assert_eq!(grants(Roles::of(&[held]), Roles::default()), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn s5_no_chain_of_grants_reaches_further_than_its_first_link(chain in vec(0_u8..64, 1..12)) {
            let mut held = Roles::of(&[Role::Admin, Role::ClientService]);
            let reach = held;
            for bits in chain {
                let roles = Roles::of(&EVERY.into_iter().filter(|role| bits & (1 << *role as u8) != 0).collect::<Vec<_>>());
                if grants(held, roles).is_ok() {
                    prop_assert!(roles.is_within(reach), "{:?}", roles.names());
                    held = roles;
                }
            }
        }
    }

    const EVERY: [Role; 6] = [
        Role::Customer,
        Role::ClientService,
        Role::Agent,
        Role::Supervisor,
        Role::Admin,
        Role::Service,
    ];

    #[test]
    fn only_an_internal_service_reaches_another_organization() {
        let (own, other) = ("own".parse().unwrap(), "other".parse().unwrap());
        let (admin, service) = (caller(&[Role::Admin]), caller(&[Role::Service]));
        assert_eq!(organization(&admin, None), Ok(&own));
        assert_eq!(organization(&admin, Some(&own)), Ok(&own));
        assert_eq!(organization(&admin, Some(&other)), Err(OTHER_ORGANIZATION));
        assert_eq!(organization(&service, Some(&other)), Ok(&other));
        assert!(sees(&admin, &own) && !sees(&admin, &other) && sees(&service, &other));
    }
}
