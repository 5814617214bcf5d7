//! Customers' stored key pairs: made or brought in, their private halves sealed.
//!
//! A private half leaves for internal services alone, and each time is on the record (security.md S7). Making a pair and
//! looking at a stranger's take a processor for a second or more: whoever calls [`create`] has taken a turn for it.

mod manage;
mod records;

use std::time::Duration;

use super::Cx;
use super::access::{Action, Caller, Denied, Role, rules};
use super::audit::{self, Event};
use super::organizations;
use super::throttle::{self, Counter};
use crate::crypto::ssh_rsa::{self, KeyPair, PublicLine, Refused};
use crate::crypto::turns::in_background;
use crate::kernel::{Entropy, Fault, KeyId, OrgId, Secret, Timestamp};
use crate::store::{Tx, Verdict};

pub use manage::{delete, list, show};
pub(in crate::domain) use records::strays;

/// A key pair without its private half.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its identifier.
    pub id: KeyId,
    /// Whose it is.
    pub organization: OrgId,
    /// The subject that made it or brought it in.
    pub creator: String,
    /// The size of its modulus in bits.
    pub bits: u32,
    /// The public half, as a line of `authorized_keys`.
    pub public: String,
    /// What its creator says about it; empty if nothing.
    pub comment: String,
    /// When it was made or brought in.
    pub created_at: Timestamp,
}

/// A key pair as one caller may see it.
pub struct Seen {
    /// All but its private half.
    pub key: Key,
    /// The private half, for those who may have it.
    pub private: Option<Secret<String>>,
}

/// What a new key pair is asked to be.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// Whose it shall be; the caller's own unless an internal service names another.
    pub organization: Option<OrgId>,
    /// The private half of a pair that is brought in; one is made without.
    pub private: Option<Secret<String>>,
    /// Its public half, which must be the right one.
    pub public: Option<String>,
    /// What its creator says about it.
    pub comment: Option<String>,
}

/// Why there is no key pair, or none for this caller.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that id in the caller's organization.
    #[error("there is no such key")]
    NotFound,
    /// The organization has had as many as it may in a day; how long until it may have more.
    #[error("too many keys were made or brought in today")]
    TooMany(Duration),
    /// No key can be as it is asked to be.
    #[error("{0}")]
    Invalid(String),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Invalid(refused.to_string())
    }
}

/// Everything about a new key that is known without work, so that nobody waits for a turn to be told no.
pub fn check(cx: &Cx<'_>, caller: &Caller, new: &NewKey) -> Result<(), Error> {
    rules::may(caller, Action::ManageKeys)?;
    let organization = rules::organization(caller, new.organization.as_ref())?;
    if new.public.is_some() && new.private.is_none() {
        return Err(invalid("a public key is brought in with its private key"));
    }
    comment(new)?;
    let made = throttle::read_only(&cx.view(), cx.now, Counter::KeyPairs(organization))?;
    if made.count >= cx.policy().keys.per_organization_per_day {
        return Err(Error::TooMany(made.left));
    }
    Ok(())
}

/// Makes a key pair, or takes one in.
pub fn create(cx: &Cx<'_>, caller: &Caller, new: &NewKey) -> Result<Key, Error> {
    check(cx, caller, new)?;
    let organization = rules::organization(caller, new.organization.as_ref())?;
    cx.write(|tx| count(tx, cx, organization))?;
    let entropy = cx.entropy();
    let pair = in_background(|| match &new.private {
        Some(private) => imported(private, new.public.as_deref(), entropy),
        None => Ok(ssh_rsa::generate(entropy)?),
    });
    let broken = || Fault::internal("the thread that makes keys");
    let pair = pair.ok_or_else(broken)??;
    keep(cx, caller, organization, new, &pair)
}

fn imported(
    private: &Secret<String>,
    public: Option<&str>,
    entropy: &dyn Entropy,
) -> Result<KeyPair, Error> {
    let line = public.map(PublicLine::read).transpose()?;
    let pair = ssh_rsa::import(private.expose(), entropy)??;
    match line {
        Some(line) if !pair.public.is_in(&line)? => {
            Err(invalid("the public key is not the one of the private key"))
        }
        _ => Ok(pair),
    }
}

/// What fails counts as well: looking at a stranger's key costs as much as making one.
fn count(tx: &Tx<'_>, cx: &Cx<'_>, organization: &OrgId) -> Result<Verdict<(), Error>, Fault> {
    if !organizations::exists(tx, organization)? {
        return Ok(Verdict::Discard(no_organization()));
    }
    let counter = Counter::KeyPairs(organization);
    let made = throttle::read(tx, cx.now, counter)?;
    if made.count >= cx.policy().keys.per_organization_per_day {
        return Ok(Verdict::Discard(Error::TooMany(made.left)));
    }
    throttle::count(tx, cx.now, counter)?;
    Ok(Verdict::Commit(()))
}

fn keep(
    cx: &Cx<'_>,
    caller: &Caller,
    organization: &OrgId,
    new: &NewKey,
    pair: &KeyPair,
) -> Result<Key, Error> {
    let comment = comment(new)?;
    let key = Key {
        id: KeyId::draw(cx.entropy()),
        organization: organization.clone(),
        creator: caller.subject().sub(),
        bits: u32::try_from(pair.bits).map_err(|_| Fault::internal("the size of a key"))?,
        public: pair.public.line(comment)?,
        comment: comment.to_owned(),
        created_at: cx.now.to_millis(),
    };
    let sealed = records::sealed(cx, &key.id, &pair.private)?;
    let action = match new.private {
        Some(_) => "key.imported",
        None => "key.created",
    };
    cx.write(|tx| {
        if !records::add(tx, &key, &sealed)? {
            return Ok(Verdict::Discard(no_organization()));
        }
        tell(tx, cx, caller, action, &key)?;
        Ok(Verdict::Commit(key.clone()))
    })
}

/// The key pair of that id, as far as the caller may see it.
pub fn read(cx: &Cx<'_>, caller: &Caller, id: &KeyId) -> Result<Seen, Error> {
    rules::may(caller, Action::ManageKeys)?;
    let is_service = caller.roles().has(Role::Service);
    let (key, sealed) = cx.write(|tx| {
        let found = records::load(tx, id)?;
        let Some((key, sealed)) = found.filter(|(key, _)| rules::sees(caller, &key.organization))
        else {
            return Ok(Verdict::Discard(Error::NotFound));
        };
        let action = if is_service {
            "key.private_read"
        } else {
            "key.read"
        };
        tell(tx, cx, caller, action, &key)?;
        Ok(Verdict::Commit((key, sealed)))
    })?;
    let private = is_service
        .then(|| records::opened(cx, id, &sealed))
        .transpose()?;
    Ok(Seen { key, private })
}

/// The comment a key gets: the one it is given, else the one that stands in its public half.
fn comment(new: &NewKey) -> Result<&str, Error> {
    let own = match (&new.comment, &new.public) {
        (Some(comment), _) => comment,
        (None, Some(line)) => PublicLine::read(line)?.comment,
        (None, None) => "",
    };
    let own = own.trim_matches(' ');
    if own.len() > COMMENT_MAX || own.chars().any(ssh_rsa::is_unwritable) {
        return Err(invalid(
            "comment must be one line of at most 200 bytes without control characters",
        ));
    }
    Ok(own)
}

const COMMENT_MAX: usize = 200;

fn tell(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    caller: &Caller,
    action: &'static str,
    key: &Key,
) -> Result<(), Fault> {
    let event = Event {
        action,
        by: &caller.subject().sub(),
        to: key.id.as_str(),
        organization: Some(&key.organization),
    };
    audit::record(tx, cx, &event)
}

fn no_organization() -> Error {
    invalid("organizationId names no organization")
}

fn invalid(what: &str) -> Error {
    Error::Invalid(what.to_owned())
}
