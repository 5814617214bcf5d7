//! A ticket for tokens: the customer's way in, under both contracts.

use super::super::{CustomerExtras, Error, Granted, scope};
use crate::domain::access::{Role, Roles, Subject};
use crate::domain::clients::Client;
use crate::domain::tickets::{self, Facts, Redemption, Refusal};
use crate::domain::tokens::refresh::{self, NewFamily};
use crate::domain::tokens::{self, Grantee};
use crate::domain::{Cx, Front};
use crate::kernel::TicketId;
use crate::store::Verdict;

pub(super) fn grant(
    cx: &Cx<'_>,
    client: &Client,
    id: Option<&TicketId>,
    asked: Option<&str>,
    front: Front,
) -> Result<Granted, Error> {
    let scope = scope::grant(client, asked, front.usual_scope())?;
    let id = id.ok_or(Error::Ticket(Refusal::NotFound))?;
    let family = NewFamily::draw(cx);
    let facts = cx.write(|tx| {
        let ticket = match tickets::redeem(tx, cx, id)? {
            Redemption::Redeemed(ticket) => ticket,
            Redemption::Refused(refusal) => {
                return Ok(Verdict::CommitAndRefuse(Error::Ticket(refusal)));
            }
            Redemption::TooManyGuesses(wait) => {
                return Ok(Verdict::Discard(Error::TooManyGuesses(wait)));
            }
        };
        let grantee = grantee(client, &ticket.facts, &family, &scope, front);
        let of = (
            &ticket.facts.user,
            tickets::digest(cx, id),
            ticket.facts.expires_at,
        );
        refresh::open_for_customer(tx, cx, &family, client, &grantee, of)?;
        Ok(Verdict::Commit(ticket.facts))
    })?;
    let grantee = grantee(client, &facts, &family, &scope, front);
    Ok(Granted {
        access: tokens::mint(cx, &grantee, client)?,
        refresh: Some(family.token(cx)),
        id_token: None,
        ping: None,
        sub: grantee.subject.sub(),
        organization: grantee.organization,
        customer: Some(extras(&facts, family.sign_in.to_string())),
        scope,
    })
}

fn grantee(
    client: &Client,
    facts: &Facts,
    family: &NewFamily,
    scope: &str,
    front: Front,
) -> Grantee {
    Grantee {
        subject: Subject::Customer(facts.user.clone()),
        organization: facts.organization.clone(),
        client: client.id.clone(),
        roles: Roles::of(&[Role::Customer]),
        scope: scope.to_owned(),
        sign_in: Some(family.sign_in.clone()),
        // Tickets end one by one: no customer's epoch ever moves.
        epoch: 0,
        front,
        session: None,
        signed_in_at: None,
        claims: Vec::new(),
        vouched: None,
    }
}

/// What a customer's app reads beside the standard members: the room, and its device as this sign-in knows it.
pub(super) fn extras(facts: &Facts, device_id: String) -> CustomerExtras {
    CustomerExtras {
        conference_id: facts.properties.text("conference_id").map(str::to_owned),
        device_id,
    }
}
