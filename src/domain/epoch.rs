//! The store's epoch: after a backup was restored or an older copy put back, nothing single-use comes back to life
//! (security D5, D6).
//!
//! Such records show as unused, unspent and alive what was used, spent and ended since. Which they are nobody can tell,
//! so a new epoch ends all of them: one record begins it, however many there are. Tickets and verifications are judged by
//! when they were made; whatever else opens something to its bearer is known by digests whose key is another one in
//! each epoch; tokens lose the keys that signed them. What lasts is not touched: accounts, clients, applications.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::audit::{self, Event};
use super::signing::{self, SigningKeys};
use super::{Appliance, Cx};
use crate::crypto::seal::EPOCH_ID_LEN;
use crate::kernel::{Fault, Timestamp};
use crate::store::{CameBack, Record, Store, Table, Verdict, View};

const EPOCHS: Table<u8, Epoch> = Table::named("store_epoch");

/// An epoch of the store. The first one, which nobody began, has no record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    number: u64,
    id: [u8; EPOCH_ID_LEN],
    since: Timestamp,
    why: CameBack,
}

impl Record for Epoch {
    const VERSION: u8 = 1;
}

/// How long each start tells that everything was taken back.
const TOLD_FOR: Duration = Duration::from_hours(7 * 24);

impl Epoch {
    /// What makes its keys others than those of every other epoch.
    pub(super) fn id(&self) -> &[u8; EPOCH_ID_LEN] {
        &self.id
    }

    /// How many times everything was taken back, this time included.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether it began so lately that whoever looks after the appliance is still told.
    pub fn is_recent(&self, now: Timestamp) -> bool {
        now.since(self.since) < TOLD_FOR
    }

    /// When it began: what is older is dead.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Why it began.
    pub fn why(&self) -> CameBack {
        self.why
    }

    /// What happened, what is dead, and what the operator must look at, in words.
    pub fn words(&self) -> String {
        let (happened, shown) = match self.why {
            CameBack::Restored { made_at } => (
                "the store was restored from a backup",
                format!("the backup, which was made at {made_at},"),
            ),
            CameBack::Copied => (
                "an older copy of the data folder was put in the place of a newer one, or a copy was brought here without its witness",
                "that copy was made".to_owned(),
            ),
        };
        let since = self.since;
        format!(
            "{happened}. So at {since} every ticket, one-time code, authorization code, session, refresh token and access token \
             from before ended, and the signing keys are new: customers need new tickets, people sign in again, clients ask for \
             new tokens. Accounts and clients are as they were then: whoever was disabled or removed, and every password or secret \
             that was changed, since {shown} must be seen to by hand (`admit user list`, `admit client list`)"
        )
    }
}

/// The epoch that was begun last, if one ever was.
pub fn current(view: &View<'_>) -> Result<Option<Epoch>, Fault> {
    view.get(&EPOCHS, &0)
}

/// When something made at `born` ended with its epoch; `None` if its epoch goes on.
pub(super) fn ended(cx: &Cx<'_>, born: Timestamp) -> Option<Timestamp> {
    let epoch = cx.appliance.epoch.as_ref()?;
    (born < epoch.since).then_some(epoch.since)
}

impl Appliance {
    /// The epoch that was begun last, if one ever was.
    pub fn epoch(&self) -> Option<&Epoch> {
        self.epoch.as_ref()
    }
}

/// Takes back whatever the records promise, if they came from an earlier time; before anybody is served.
///
/// One transaction, durable when this returns: one that was cut off is begun anew at the next start.
pub fn take_back(on: &mut Appliance) -> Result<Option<&Epoch>, Fault> {
    let Some(why) = on.store.came_back()? else {
        return Ok(None);
    };
    let epoch = begin(on, why)?;
    on.keyring.enter_epoch(&epoch.id);
    let (chance, tokens_live) = (on.entropy.as_ref(), on.policy.longest_signed());
    on.signing = SigningKeys::open(&on.store, &on.keyring, chance, epoch.since, tokens_live)?;
    Ok(Some(on.epoch.insert(epoch)))
}

fn begin(on: &Appliance, why: CameBack) -> Result<Epoch, Fault> {
    let since = on.last_instant.beyond_records(on.clock.now());
    let cx = on.own_context();
    let before = current(&cx.view())?.map_or(0, |epoch| epoch.number);
    let epoch = Epoch {
        number: before.saturating_add(1),
        id: cx.entropy().bytes(),
        since,
        why,
    };
    let keys = signing::Anew::draw(&cx)?;
    let action = match why {
        CameBack::Restored { .. } => "appliance.restored",
        CameBack::Copied => "appliance.rolled_back",
    };
    cx.write(|tx| {
        tx.put(&EPOCHS, &0, &epoch)?;
        keys.keep(tx, &cx)?;
        Store::took_back(tx)?;
        let event = Event {
            action,
            by: "operator",
            to: "",
            organization: None,
        };
        audit::record(tx, &cx, &event)?;
        Ok(Verdict::<(), Fault>::Commit(()))
    })?;
    on.store.durable(cx.awaited()).wait()?;
    Ok(epoch)
}
