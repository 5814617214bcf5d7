//! A name and a password for tokens (RFC 6749 §4.3). RFC 9700 §2.4 forbids it and both contracts document it, so it
//! exists only for clients it was switched on for, and each use is on the record.

use super::super::request::PasswordRequest;
use super::super::{Error, Granted, scope};
use crate::domain::access::Subject;
use crate::domain::audit::{self, Event};
use crate::domain::clients::{Client, GrantType};
use crate::domain::sign_in;
use crate::domain::sign_in::password::{self, Attempt, Refusal};
use crate::domain::tokens::refresh::{self, NewFamily};
use crate::domain::tokens::{Grantee, ended};
use crate::domain::users::User;
use crate::domain::{Cx, Front};
use crate::store::Verdict;

pub(super) fn grant(
    cx: &Cx<'_>,
    client: &Client,
    request: &PasswordRequest,
    asked: Option<&str>,
    front: Front,
) -> Result<Granted, Error> {
    let scope = scope::grant(client, asked, front.usual_scope())?;
    let user = password::check(cx, &attempt(request))?;
    // As at the authorization endpoint: another organization's people have nothing to do with this client.
    if !client.serves(&user.organization) {
        return Err(Refusal::Wrong.into());
    }
    let family = NewFamily::draw(cx);
    let wanted = grantee(cx, client, &user, &family, scope, front);
    let refreshes = client.may(GrantType::RefreshToken);
    let grantee = cx.write(|tx| {
        // The password was judged outside: somebody may have changed it since.
        if !sign_in::still_holds(tx, &user)? {
            return Ok(Verdict::Discard(Refusal::Wrong.into()));
        }
        let epoch = ended::epoch_within(tx, &wanted.subject.sub())?;
        let grantee = Grantee {
            epoch,
            ..wanted.clone()
        };
        if refreshes {
            refresh::open_for_user(tx, cx, &family, client, &grantee, &user.id)?;
        }
        let event = Event {
            action: "user.signed_in_by_password_grant",
            by: client.id.as_str(),
            to: user.id.as_str(),
            organization: Some(&user.organization),
        };
        audit::record(tx, cx, &event)?;
        Ok(Verdict::<_, Error>::Commit(grantee))
    })?;
    let refresh = refreshes.then(|| family.token(cx));
    Ok(Granted::to_person(cx, client, &user, grantee, refresh)?)
}

fn attempt(request: &PasswordRequest) -> Attempt<'_> {
    Attempt {
        tenant: None,
        name: &request.username,
        password: &request.password,
        device: None,
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Wrong => Self::InvalidGrant("Bad credentials"),
            Refusal::Expired(_) => Self::InvalidGrant("User credentials have expired"),
            Refusal::Fault(fault) => Self::Fault(fault),
        }
    }
}

fn grantee(
    cx: &Cx<'_>,
    client: &Client,
    user: &User,
    family: &NewFamily,
    scope: String,
    front: Front,
) -> Grantee {
    Grantee {
        subject: Subject::User(user.id.clone()),
        organization: user.organization.clone(),
        client: client.id.clone(),
        roles: user.roles,
        scope,
        sign_in: Some(family.sign_in.clone()),
        epoch: 0,
        front,
        session: None,
        signed_in_at: Some(cx.now),
        claims: Vec::new(),
        vouched: None,
    }
}
