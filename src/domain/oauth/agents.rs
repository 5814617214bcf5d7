//! An authorization code of Genesys Cloud for tokens: the way in of agents whose platform knows them.
//!
//! Real apps send it as a password grant of public client `agent`, the application's id for the name and the code for
//! the password. The code is redeemed with the application's own credentials, and what the platform lets the person do
//! says what it may be here. Genesys Cloud is asked between [`plan`] and [`settle`], outside of every transaction.

use std::time::Duration;

use super::request::{GENESYS_GRANT, Grant, TokenRequest};
use super::{ClientProof, Error, Granted, Params, client_auth, scope};
use crate::domain::access::{Permissions, Role, Roles, Subject, Vouched};
use crate::domain::applications::{self, Application};
use crate::domain::audit::{self, Event};
use crate::domain::clients::{AGENT, Client, GrantType};
use crate::domain::ports::{Failure, GenesysAccount, GenesysPerson};
use crate::domain::throttle::{self, Counter};
use crate::domain::tokens::refresh::{self, NewFamily};
use crate::domain::tokens::{Grantee, ended};
use crate::domain::users::{self, Person, User};
use crate::domain::{Cx, Front, Origin, upstream};
use crate::kernel::{Fault, Network, Secret, Timestamp, UserId};
use crate::store::{Tx, Verdict};

/// A login that waits for Genesys Cloud's word.
pub struct Asked {
    /// Where and as whom.
    pub account: GenesysAccount,
    /// What is redeemed.
    pub code: Secret<String>,
    /// Where the code was sent, if that must be told.
    pub redirect_uri: Option<String>,
    application: Application,
    client: Client,
    scope: String,
    front: Front,
    number: u8,
    counted_at: Timestamp,
}

/// Whether a request is such a login.
pub fn is_agents(basic: Option<&ClientProof>, params: &Params) -> bool {
    let client = basic.map(|proof| proof.id.as_str());
    let client = client.or_else(|| params.get("client_id"));
    match params.get("grant_type") {
        Some("password") => client == Some(AGENT),
        Some(GENESYS_GRANT) => true,
        Some(_) | None => false,
    }
}

/// What Genesys Cloud is to be asked. The attempt is counted before anybody asks, so that many at once are no way
/// around the budget.
pub fn plan(
    cx: &Cx<'_>,
    front: Front,
    basic: Option<ClientProof>,
    params: &Params,
) -> Result<Asked, Error> {
    let client = client_auth::authenticate(cx, basic, params)?;
    let request = TokenRequest::parse(params, client.id.as_str())?;
    let Grant::GenesysCode(code) = request.grant else {
        return Err(Fault::internal("a grant that is none of an agent's logins").into());
    };
    if !client.may(GrantType::GenesysCode) {
        return Err(Error::UnauthorizedGrant("genesys-code".to_owned()));
    }
    let scope = scope::grant(&client, request.scope.as_deref(), front.usual_scope())?;
    let digest = cx
        .appliance
        .keyring
        .digest("name", code.application.as_bytes());
    let [number, ..] = *digest.as_bytes();
    count(cx, number)?;
    let Some((application, account)) = meant(cx, &client, &code.application)? else {
        wrong(cx, number)?;
        return Err(UNKNOWN);
    };
    Ok(Asked {
        account,
        code: code.code,
        redirect_uri: code.redirect_uri,
        application,
        client,
        scope,
        front,
        number,
        counted_at: cx.now,
    })
}

/// No such application, or none that could ask: nobody is told which.
const UNKNOWN: Error = Error::InvalidGrant("Bad credentials");
const REFUSED: Error = Error::InvalidGrant("Genesys Cloud does not accept this authorization code");
const NOBODY: Error = Error::InvalidGrant(
    "Genesys Cloud gives this person none of the permissions that agents, supervisors and administrators have",
);
const DISABLED: Error = Error::InvalidGrant("this person's account is disabled");

/// The open GENESYS application of that id whose organization the client serves, if its word about people counts.
fn meant(
    cx: &Cx<'_>,
    client: &Client,
    named: &str,
) -> Result<Option<(Application, GenesysAccount)>, Error> {
    let Ok(id) = named.parse() else {
        return Ok(None);
    };
    let fits =
        |one: &Application| one.is_open(cx.now) && one.vouches && client.serves(&one.organization);
    let Some(application) = applications::find(cx, &id)?.filter(fits) else {
        return Ok(None);
    };
    match upstream::genesys_account(&application) {
        Ok(account) => Ok(Some((application, account))),
        Err(upstream::Error::Fault(fault)) => Err(fault.into()),
        Err(_) => {
            cx.notify("an agent's login named an application that is not set up for Genesys Cloud");
            Ok(None)
        }
    }
}

/// Grants tokens to the person Genesys Cloud says it is.
pub fn settle(
    cx: &Cx<'_>,
    asked: &Asked,
    answer: Result<GenesysPerson, Failure>,
) -> Result<Granted, Error> {
    let person = match answer {
        Ok(person) => person,
        Err(Failure::Refused { .. }) => {
            wrong(cx, asked.number)?;
            return Err(REFUSED);
        }
        Err(failure) => {
            not_counted(cx, asked)?;
            return Err(unavailable(&failure));
        }
    };
    not_counted(cx, asked)?;
    sign_in(cx, asked, &person)
}

fn sign_in(cx: &Cx<'_>, asked: &Asked, person: &GenesysPerson) -> Result<Granted, Error> {
    if !is_id(&person.id) {
        return Err(unavailable(&Failure::Unanswered(String::new())));
    }
    let family = NewFamily::draw(cx);
    let new = UserId::draw(cx.entropy());
    let (client, refreshes) = (&asked.client, asked.client.may(GrantType::RefreshToken));
    let (user, grantee) = cx.write(|tx| {
        let user = match met(tx, cx, asked, &new, person)? {
            Ok(user) => user,
            Err(error) => return Ok(Verdict::CommitAndRefuse(error)),
        };
        let epoch = ended::epoch_within(tx, &Subject::User(user.id.clone()).sub())?;
        let grantee = grantee(cx, asked, &user, (&family, epoch));
        if refreshes {
            refresh::open_for_user(tx, cx, &family, client, &grantee, &user.id)?;
        }
        let event = Event {
            action: "user.signed_in_by_genesys",
            by: asked.application.id.as_str(),
            to: user.id.as_str(),
            organization: Some(&user.organization),
        };
        audit::record(tx, cx, &event)?;
        Ok(Verdict::<_, Error>::Commit((user, grantee)))
    })?;
    cx.tally("token", "genesys-code", "");
    let refresh = refreshes.then(|| family.token(cx));
    Ok(Granted::to_person(cx, client, &user, grantee, refresh)?)
}

/// The person's account, brought up to date. Somebody who may nothing any more is told so in it, too: a refresh would
/// go on from it.
fn met(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    asked: &Asked,
    new: &UserId,
    person: &GenesysPerson,
) -> Result<Result<User, Error>, Fault> {
    let application = &asked.application;
    // It was looked at before Genesys Cloud was asked.
    if !applications::vouches(tx, cx.now, &application.id)? {
        return Ok(Err(UNKNOWN));
    }
    let organization = &application.organization;
    let roles = roles(&person.permissions);
    let is_nobody = roles == Roles::default();
    if is_nobody && users::met_before(tx, organization, &person.id)?.is_none() {
        return Ok(Err(NOBODY));
    }
    let held = person.permissions.iter().map(String::as_str);
    let told = Person {
        id: &person.id,
        name: &person.name,
        email: person.email.as_deref(),
        roles,
        // Who is nobody here has no use for them.
        permissions: Permissions::among(held.filter(|_| !is_nobody)),
    };
    let user = users::met(tx, cx, &application.id, (new, organization), &told)?;
    if is_nobody {
        return Ok(Err(NOBODY));
    }
    if user.disabled.is_some() {
        return Ok(Err(DISABLED));
    }
    Ok(Ok(user))
}

fn grantee(cx: &Cx<'_>, asked: &Asked, user: &User, (family, epoch): (&NewFamily, u64)) -> Grantee {
    Grantee {
        subject: Subject::User(user.id.clone()),
        organization: user.organization.clone(),
        client: asked.client.id.clone(),
        roles: user.roles,
        scope: asked.scope.clone(),
        sign_in: Some(family.sign_in.clone()),
        epoch,
        front: asked.front,
        session: None,
        signed_in_at: Some(cx.now),
        claims: Vec::new(),
        vouched: Some(Vouched {
            by: asked.application.id.clone(),
            permissions: user.permissions,
        }),
    }
}

/// What the platform's permissions make of a person, as contract A's documentation has it.
fn roles(permissions: &[String]) -> Roles {
    let holds = |names: &[&str]| {
        let held = |name: &&str| permissions.iter().any(|one| one == name);
        names.iter().all(held)
    };
    let roles = BY_PERMISSIONS.iter().filter(|(names, _)| holds(names));
    let roles: Vec<Role> = roles.map(|(_, role)| *role).collect();
    Roles::of(&roles)
}

const BY_PERMISSIONS: [(&[&str], Role); 3] = [
    (&["integration:auviousApps:view"], Role::Agent),
    (&["ui:supervisorAgentDetails:view"], Role::Supervisor),
    (
        &[
            "integrations:integration:add",
            "integrations:integration:edit",
        ],
        Role::Admin,
    ),
];

/// A person's id there is a UUID; it becomes part of a name here.
fn is_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// RFC 6749 §5.2 has no code for it; that of §4.1.2.1 says what it is.
fn unavailable(failure: &Failure) -> Error {
    let (words, wait) = match failure {
        Failure::Busy(wait) => ("Genesys Cloud is asked too often; try again later", *wait),
        Failure::Credentials => (
            "Genesys Cloud does not accept the application's own credentials",
            None,
        ),
        Failure::Forbidden(_) => (
            "the application's Genesys Cloud is at an address that may not be asked",
            None,
        ),
        Failure::Refused { .. } | Failure::Failed(_) => ("Genesys Cloud cannot be asked now", None),
        Failure::Unanswered(_) => (
            "Genesys Cloud did not give an answer that can be read",
            None,
        ),
    };
    Error::Unavailable(words, wait)
}

/// Wrong codes that are asked about from one network for one application in an hour.
const WRONG_CODES_MAX: u32 = 30;
/// Those and such as are just being asked about: a whole office may come at once.
const ASKED_CODES_MAX: u32 = 90;

fn counters(network: Network, number: u8) -> (Counter<'static>, Counter<'static>) {
    (
        Counter::WrongGenesysCodes(network, number),
        Counter::AskedGenesysCodes(network, number),
    )
}

fn count(cx: &Cx<'_>, number: u8) -> Result<(), Error> {
    let Origin::Peer(network) = cx.origin else {
        return Ok(());
    };
    let (wrong, all) = counters(network, number);
    cx.write(|tx| {
        let (wrong, asked) = (
            throttle::read(tx, cx.now, wrong)?,
            throttle::read(tx, cx.now, all)?,
        );
        if wrong.count >= WRONG_CODES_MAX {
            return Ok(Verdict::Discard(Error::TooManyCodes(wrong.left)));
        }
        if asked.count >= ASKED_CODES_MAX {
            return Ok(Verdict::Discard(Error::TooManyCodes(SHORTLY)));
        }
        throttle::count(tx, cx.now, all)?;
        Ok(Verdict::Commit(()))
    })
}

/// Those that are being asked about are answered soon.
const SHORTLY: Duration = Duration::from_secs(10);

/// It was a wrong one: what was counted stays so.
fn wrong(cx: &Cx<'_>, number: u8) -> Result<(), Fault> {
    let Origin::Peer(network) = cx.origin else {
        return Ok(());
    };
    let (wrong, _) = counters(network, number);
    cx.write(|tx| {
        throttle::count(tx, cx.now, wrong)?;
        if throttle::read(tx, cx.now, wrong)?.count == WRONG_CODES_MAX {
            cx.notify("too many wrong authorization codes for one application: the rest of this hour's are not looked at");
        }
        Ok(Verdict::Commit(()))
    })
}

/// It was none.
fn not_counted(cx: &Cx<'_>, asked: &Asked) -> Result<(), Fault> {
    let Origin::Peer(network) = cx.origin else {
        return Ok(());
    };
    let (_, all) = counters(network, asked.number);
    cx.write(|tx| {
        throttle::take_back(tx, asked.counted_at, all)?;
        Ok(Verdict::Commit(()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_make_roles_and_half_of_an_administrators_make_none() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            roles(&names).names()
        };
        let (agent, supervisor) = (
            "integration:auviousApps:view",
            "ui:supervisorAgentDetails:view",
        );
        let (add, edit) = (
            "integrations:integration:add",
            "integrations:integration:edit",
        );
        assert_eq!(of(&[agent]), ["Agent"]);
        assert_eq!(of(&[supervisor]), ["Agent", "Supervisor"]);
        assert_eq!(of(&[add, edit]), ["Agent", "Supervisor", "Admin"]);
        for nothing in [
            &[add][..],
            &[edit],
            &[],
            &["integration:*:view", "Integration:auviousApps:view"],
        ] {
            assert!(of(nothing).is_empty(), "{nothing:?}");
        }
    }

    #[test]
    fn only_what_is_sent_as_an_agents_login_is_one() {
        let is = |basic: Option<&str>, pairs: &[(&str, &str)]| {
            let proof = basic.map(|id| ClientProof {
                id: id.to_owned(),
                secret: Secret::new(String::new()),
            });
            let pairs = pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            is_agents(proof.as_ref(), &Params::new(pairs).ok().unwrap())
        };
        assert!(is(Some("agent"), &[("grant_type", "password")]));
        assert!(is(
            None,
            &[("grant_type", "password"), ("client_id", "agent")]
        ));
        assert!(is(Some("own"), &[("grant_type", GENESYS_GRANT)]));
        assert!(!is(Some("agent"), &[("grant_type", "refresh_token")]));
        assert!(!is(
            Some("other"),
            &[("grant_type", "password"), ("client_id", "agent")]
        ));
        assert!(!is(None, &[("grant_type", "password")]));
    }
}
