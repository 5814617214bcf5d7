//! Key pairs as stored: the private half sealed under a label that names the key, and the index by organization.

use serde::{Deserialize, Serialize};

use super::Key;
use crate::domain::{Cx, organizations};
use crate::kernel::{Fault, KeyId, OrgId, Secret, Timestamp};
use crate::store::{Record, Table, Tx, View};

const KEYS: Table<KeyId, KeyRecord> = Table::named("keys");
const KEYS_BY_ORG: Table<(OrgId, KeyId), ()> = Table::named("keys_by_org");

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeyRecord {
    organization: OrgId,
    creator: String,
    kind: Kind,
    bits: u32,
    public: String,
    comment: String,
    sealed_private: Vec<u8>,
    created_at: Timestamp,
}

/// What kind of key it is. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Kind {
    SshRsa,
}

impl Record for KeyRecord {
    const VERSION: u8 = 1;
}

impl KeyRecord {
    fn of(self, id: &KeyId) -> (Key, Vec<u8>) {
        let key = Key {
            id: id.clone(),
            organization: self.organization,
            creator: self.creator,
            bits: self.bits,
            public: self.public,
            comment: self.comment,
            created_at: self.created_at,
        };
        (key, self.sealed_private)
    }
}

/// The private half as it is kept. It needs chance: before a transaction begins.
pub(super) fn sealed(cx: &Cx<'_>, id: &KeyId, private: &Secret<String>) -> Result<Vec<u8>, Fault> {
    let plain = private.expose().as_bytes();
    cx.appliance.keyring.seal(&label(id), plain, cx.entropy())
}

/// The private half itself.
pub(super) fn opened(cx: &Cx<'_>, id: &KeyId, sealed: &[u8]) -> Result<Secret<String>, Fault> {
    let plain = cx.appliance.keyring.open(&label(id), sealed)?;
    let text = str::from_utf8(plain.expose());
    let broken = |_| Fault::internal(format!("the private half of key {id}"));
    Ok(Secret::new(text.map_err(broken)?.to_owned()))
}

/// The key pair of that id, and its private half as it is kept.
pub(super) fn load(tx: &Tx<'_>, id: &KeyId) -> Result<Option<(Key, Vec<u8>)>, Fault> {
    let found = tx.get(&KEYS, id)?;
    Ok(found.map(|record| record.of(id)))
}

/// Every key pair of the organization, in the order of their ids, without the private halves.
pub(super) fn of(view: &View<'_>, owner: &OrgId) -> Result<Vec<Key>, Fault> {
    let listed = view.scan_prefix(&KEYS_BY_ORG, owner, None, LISTED_MAX)?;
    let mut found = Vec::with_capacity(listed.len());
    for ((_, id), ()) in listed {
        let record = view.get(&KEYS, &id)?;
        found.extend(record.map(|record| record.of(&id).0));
    }
    Ok(found)
}

/// More key pairs than anybody looks through.
const LISTED_MAX: usize = 10_000;

/// Removes a key pair, its private half with it.
pub(super) fn remove(tx: &Tx<'_>, key: &Key) -> Result<(), Fault> {
    tx.remove(&KEYS_BY_ORG, &(key.organization.clone(), key.id.clone()))?;
    tx.remove(&KEYS, &key.id)?;
    organizations::leave(tx, &key.organization)?;
    Ok(())
}

/// How many entries of the organizations' lists lead to no key pair, or to another organization's.
pub(in crate::domain) fn strays(view: &View<'_>) -> Result<u64, Fault> {
    let mut strays = 0;
    view.each(&KEYS_BY_ORG, |(owner, id), ()| {
        let found = view.get(&KEYS, &id)?;
        strays += u64::from(found.is_none_or(|found| found.organization != owner));
        Ok(())
    })?;
    Ok(strays)
}

/// Keeps a new key pair; false where there is no such organization.
pub(super) fn add(tx: &Tx<'_>, key: &Key, sealed_private: &[u8]) -> Result<bool, Fault> {
    if !organizations::enter(tx, &key.organization)? {
        return Ok(false);
    }
    let place = (key.organization.clone(), key.id.clone());
    tx.put(&KEYS_BY_ORG, &place, &())?;
    let record = KeyRecord {
        organization: key.organization.clone(),
        creator: key.creator.clone(),
        kind: Kind::SshRsa,
        bits: key.bits,
        public: key.public.clone(),
        comment: key.comment.clone(),
        sealed_private: sealed_private.to_vec(),
        created_at: key.created_at,
    };
    tx.put(&KEYS, &key.id, &record)?;
    Ok(true)
}

fn label(id: &KeyId) -> String {
    format!("{}/{id}", KEYS.name())
}
