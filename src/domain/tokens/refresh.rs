//! Refresh tokens: family, generation and a keyed checksum, so that the store keeps one record a family and no token.
//!
//! Each use moves the generation. The token used last, presented again within the grace, gets the same successor: lost
//! replies and second tabs log nobody out. Any later reuse ends the family (RFC 9700 §4.14).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::records::{self, FamilyRecord, Holder, Standing};
use super::{Grantee, Thing, ended};
use crate::domain::access::{Permissions, Roles, Subject};
use crate::domain::audit::{self, Event};
use crate::domain::clients::Client;
use crate::domain::{Appliance, Cx};
use crate::kernel::{Digest, FamilyId, Fault, Secret, SignInId, Timestamp, UserId};
use crate::store::Tx;

const PREFIX: &str = "adr_";
const MAC_LEN: usize = 16;
const BODY_LEN: usize = 20;

/// A well-formed refresh token whose checksum holds: which use of which family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticketed {
    family: FamilyId,
    generation: u32,
}

/// Reads a presented token; `None` when we never made it. The store is not asked.
pub fn parse(appliance: &Appliance, presented: &str) -> Option<Ticketed> {
    let bytes = URL_SAFE_NO_PAD
        .decode(presented.strip_prefix(PREFIX)?)
        .ok()?;
    let (body, mac) = bytes.split_first_chunk::<BODY_LEN>()?;
    let kept = appliance.keyring.refresh_mac(body);
    let kept: &[u8; MAC_LEN] = kept.as_bytes().first_chunk()?;
    if !bool::from(subtle::ConstantTimeEq::ct_eq(kept.as_slice(), mac)) {
        return None;
    }
    let family = FamilyId::from_bytes(*body.first_chunk()?);
    Some(Ticketed {
        family,
        generation: u32::from_be_bytes(*body.last_chunk()?),
    })
}

fn token(appliance: &Appliance, of: Ticketed) -> Secret<String> {
    let mut bytes = of.family.as_bytes().to_vec();
    bytes.extend_from_slice(&of.generation.to_be_bytes());
    let mac = appliance.keyring.refresh_mac(&bytes);
    bytes.extend(mac.as_bytes().iter().take(MAC_LEN));
    Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// A family about to be opened. Drawn before the transaction, whose body may run again.
pub struct NewFamily {
    id: FamilyId,
    /// The sign-in that begins with it.
    pub sign_in: SignInId,
}

impl NewFamily {
    /// A family that exists nowhere yet.
    pub fn draw(cx: &Cx<'_>) -> Self {
        Self::of(FamilyId::draw(cx.entropy()))
    }

    /// A family whose id was drawn before.
    pub fn of(id: FamilyId) -> Self {
        Self {
            id,
            sign_in: id.sign_in(),
        }
    }

    /// Its id.
    pub fn id(&self) -> FamilyId {
        self.id
    }

    /// Its first token.
    pub fn token(&self, cx: &Cx<'_>) -> Secret<String> {
        token(
            cx.appliance,
            Ticketed {
                family: self.id,
                generation: 0,
            },
        )
    }
}

/// Keeps a customer's new family. The ticket is asked at each use, because its end may be moved; the sweeper is told
/// the end it has now.
pub fn open_for_customer(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    new: &NewFamily,
    client: &Client,
    grantee: &Grantee,
    ticket: (&UserId, Digest, Timestamp),
) -> Result<(), Fault> {
    let (user, digest, ticket_ends) = ticket;
    let holder = Holder::Customer {
        user: user.clone(),
        ticket: digest,
    };
    let family = opened(tx, cx, holder, client, grantee, new)?;
    let over_at = family.last_use().min(ticket_ends);
    records::expect_family(tx, &new.id, over_at)
}

/// Keeps a user's new family. Its roles and permissions are the user's own at each use, so that one taken away is gone
/// at the next.
pub fn open_for_user(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    new: &NewFamily,
    client: &Client,
    grantee: &Grantee,
    user: &UserId,
) -> Result<(), Fault> {
    let holder = Holder::User(user.clone());
    let family = opened(tx, cx, holder, client, grantee, new)?;
    records::expect_family(tx, &new.id, family.last_use())
}

fn opened(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    holder: Holder,
    client: &Client,
    grantee: &Grantee,
    new: &NewFamily,
) -> Result<FamilyRecord, Fault> {
    let family = FamilyRecord {
        holder,
        client: client.id.clone(),
        organization: grantee.organization.clone(),
        roles: grantee.roles,
        scope: grantee.scope.clone(),
        sign_in: new.sign_in.clone(),
        standing: Standing::Live,
        generation: 0,
        opened_at: cx.now,
        rotated_at: cx.now,
        idle_until: cx.now.after(idle(cx, client)),
        ends_at: cx.now.after(cx.policy().tokens.refresh_absolute),
        epoch: grantee.epoch,
        front: grantee.front,
        session: grantee.session.clone(),
        signed_in_at: grantee.signed_in_at,
        claims: grantee.claims.clone(),
        vouched: grantee.vouched.clone(),
    };
    records::put_family(tx, &new.id, &family)?;
    Ok(family)
}

fn idle(cx: &Cx<'_>, client: &Client) -> Duration {
    let own = client
        .refresh_seconds
        .map(|seconds| Duration::from_secs(seconds.into()));
    own.unwrap_or(cx.policy().tokens.refresh_idle)
}

/// Why a refresh token is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such family, or it was ended.
    Unknown,
    /// It belongs to another client; nothing happened to the family.
    WrongClient,
    /// Its time is over.
    Expired,
    /// It was used before: the family and its sign-in have just been ended.
    Reused(SignInId),
}

/// What the family of an accepted refresh token may be given.
#[derive(Debug, Clone)]
pub struct Renewed {
    next: Ticketed,
    /// Whom the new tokens are for.
    pub grantee: Grantee,
    /// What it all began with, which is asked at each use.
    pub basis: Basis,
}

/// What a family lives by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// A ticket, by the digest of its id.
    Ticket(Digest),
    /// A person's account.
    Account(UserId),
}

impl Renewed {
    /// The next refresh token.
    pub fn token(&self, cx: &Cx<'_>) -> Secret<String> {
        token(cx.appliance, self.next)
    }

    /// What the account says now, whatever it said when the family was opened.
    pub fn follow(&mut self, roles: Roles, permissions: Permissions) {
        self.grantee.roles = roles;
        if let Some(vouched) = &mut self.grantee.vouched {
            vouched.permissions = permissions;
        }
    }
}

/// Looks at the family of a presented token without using it up.
pub fn look(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    presented: Ticketed,
    client: &Client,
) -> Result<Result<Renewed, Refusal>, Fault> {
    let Some(family) = records::family(tx, &presented.family)? else {
        return Ok(Err(Refusal::Unknown));
    };
    if family.client != client.id {
        return Ok(Err(Refusal::WrongClient));
    }
    judge(tx, cx, presented, &family)
}

fn judge(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    presented: Ticketed,
    family: &FamilyRecord,
) -> Result<Result<Renewed, Refusal>, Fault> {
    if family.standing == Standing::Ended || presented.generation > family.generation {
        return Ok(Err(Refusal::Unknown));
    }
    if family.last_use() <= cx.now {
        return Ok(Err(Refusal::Expired));
    }
    if is_past(tx, family)? {
        return Ok(Err(Refusal::Unknown));
    }
    if is_reuse(cx, family, presented) {
        return Ok(Err(Refusal::Reused(family.sign_in.clone())));
    }
    Ok(Ok(renewed(family, presented)))
}

/// What can be told of a refresh token that would be accepted from its client now.
pub struct Told {
    /// What its client would be given for it.
    pub renewed: Renewed,
    /// When the sign-in began.
    pub opened_at: Timestamp,
    /// When it stops being alive if it is not used before.
    pub expires_at: Timestamp,
}

/// Looks at a presented token for somebody other than its client; nothing is used up and nothing ends.
pub fn tell(tx: &Tx<'_>, cx: &Cx<'_>, presented: Ticketed) -> Result<Option<Told>, Fault> {
    let Some(family) = records::family(tx, &presented.family)? else {
        return Ok(None);
    };
    let judged = judge(tx, cx, presented, &family)?.ok();
    Ok(judged.map(|renewed| Told {
        renewed,
        opened_at: family.opened_at,
        expires_at: family.last_use(),
    }))
}

/// The sign-in a presented token belongs to, if it is `client`'s and goes on.
pub fn sign_in_of(
    tx: &Tx<'_>,
    presented: Ticketed,
    client: &Client,
) -> Result<Option<SignInId>, Fault> {
    let family = records::family(tx, &presented.family)?;
    let own = family.filter(|family| family.client == client.id);
    let live = own.filter(|family| family.standing == Standing::Live);
    Ok(live.map(|family| family.sign_in))
}

/// Uses the token up: the family moves on, unless this is the same token again within the grace. Returns the epoch its
/// next access token is issued under.
pub fn rotate(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    presented: Ticketed,
    client: &Client,
) -> Result<u64, Fault> {
    let Some(mut family) = records::family(tx, &presented.family)? else {
        return Ok(0);
    };
    if presented.generation < family.generation {
        return Ok(family.epoch);
    }
    family.generation = family.generation.saturating_add(1);
    family.epoch = ended::epoch_within(tx, &subject(&family.holder).sub())?;
    family.rotated_at = cx.now;
    family.idle_until = cx.now.after(idle(cx, client));
    records::put_family(tx, &presented.family, &family)?;
    Ok(family.epoch)
}

/// Ends the family and its sign-in, because one of its tokens came back.
pub fn end(tx: &Tx<'_>, cx: &Cx<'_>, presented: Ticketed) -> Result<(), Fault> {
    let Some(mut family) = records::family(tx, &presented.family)? else {
        return Ok(());
    };
    family.standing = Standing::Ended;
    records::put_family(tx, &presented.family, &family)?;
    let until = super::remembered_until(cx);
    ended::put(tx, &Thing::SignIn(family.sign_in.clone()), until)?;
    audit::record(
        tx,
        cx,
        &Event {
            action: "refresh.reused",
            by: family.client.as_str(),
            to: &subject(&family.holder).sub(),
            organization: Some(&family.organization),
        },
    )
}

/// Ends a family, if there is one of that id, without a word about its access tokens.
pub(in crate::domain) fn close(tx: &Tx<'_>, id: &FamilyId) -> Result<(), Fault> {
    let Some(mut family) = records::family(tx, id)? else {
        return Ok(());
    };
    family.standing = Standing::Ended;
    records::put_family(tx, id, &family)
}

/// Removes a family nobody can use any more. `ticket_ends` says when a ticket ends, if there is one of that digest.
pub fn sweep(
    tx: &Tx<'_>,
    now: Timestamp,
    key: &[u8],
    ticket_ends: impl Fn(Digest) -> Result<Option<Timestamp>, Fault>,
) -> Result<(), Fault> {
    records::sweep_family(tx, now, key, ticket_ends)
}

fn is_reuse(cx: &Cx<'_>, family: &FamilyRecord, presented: Ticketed) -> bool {
    let behind = family.generation - presented.generation;
    let within_grace = cx.now.since(family.rotated_at) < cx.policy().tokens.refresh_grace;
    behind > 1 || (behind == 1 && !within_grace)
}

fn is_past(tx: &Tx<'_>, family: &FamilyRecord) -> Result<bool, Fault> {
    if let Some(session) = &family.session
        && ended::is_session_over(tx, session)?
    {
        return Ok(true);
    }
    let sub = subject(&family.holder).sub();
    ended::is_past(tx, &sub, family.epoch, &family.sign_in)
}

fn subject(holder: &Holder) -> Subject {
    match holder {
        Holder::Customer { user, .. } => Subject::Customer(user.clone()),
        Holder::User(user) => Subject::User(user.clone()),
    }
}

fn renewed(family: &FamilyRecord, presented: Ticketed) -> Renewed {
    let basis = match &family.holder {
        Holder::Customer { ticket, .. } => Basis::Ticket(*ticket),
        Holder::User(user) => Basis::Account(user.clone()),
    };
    let generation = presented.generation.saturating_add(1);
    Renewed {
        next: Ticketed {
            family: presented.family,
            generation,
        },
        grantee: Grantee {
            subject: subject(&family.holder),
            organization: family.organization.clone(),
            client: family.client.clone(),
            roles: family.roles,
            scope: family.scope.clone(),
            sign_in: Some(family.sign_in.clone()),
            epoch: family.epoch,
            front: family.front,
            session: family.session.clone(),
            signed_in_at: family.signed_in_at,
            claims: family.claims.clone(),
            vouched: family.vouched.clone(),
        },
        basis,
    }
}
