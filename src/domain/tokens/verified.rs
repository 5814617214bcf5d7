//! Bearers whose signature was checked before, by digest, so that it is checked once and not at every call.
//!
//! Only the signature is remembered, and only while the signing keys stay as they are: a key that is removed takes
//! its tokens with it. Whether a token is alive is asked every time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

use super::Error;
use crate::domain::access::Caller;

/// A bounded memory of checked signatures, in shards so that requests do not wait for each other.
#[derive(Default)]
pub(in crate::domain) struct Verified([Mutex<HashMap<[u8; 32], Remembered>>; SHARDS]);

/// A caller, and under which edition of the keys the signature was checked.
struct Remembered {
    edition: u64,
    caller: Arc<Caller>,
}

const SHARDS: usize = 16;
/// Past this a shard forgets everything: the next call of each bearer costs one signature check again.
const SHARD_MAX: usize = 1_024;

impl Verified {
    /// The caller behind `bearer`, by memory or by `verify`, which checks it by the keys of `edition`.
    ///
    /// It is that of the keys asked, not of those in use by the end: a check may outlast the removal of a key.
    pub(super) fn caller(
        &self,
        edition: u64,
        bearer: &str,
        verify: impl FnOnce() -> Result<Caller, Error>,
    ) -> Result<Arc<Caller>, Error> {
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, bearer.as_bytes()).as_ref());
        let Some(shard) = self.0.get(usize::from(key[0]) % SHARDS) else {
            return verify().map(Arc::new);
        };
        let known = shard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .filter(|known| known.edition == edition)
            .map(|known| Arc::clone(&known.caller));
        if let Some(caller) = known {
            return Ok(caller);
        }
        let caller = Arc::new(verify()?);
        let mut known = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SHARD_MAX {
            known.clear();
        }
        let remembered = Remembered {
            edition,
            caller: Arc::clone(&caller),
        };
        known.insert(key, remembered);
        Ok(caller)
    }
}
