//! Other keys in place of all there are: nothing signed before is believed any more.

use super::ALGORITHMS;
use super::records::{self, Kept, Life};
use crate::domain::Cx;
use crate::domain::audit::{self, Event};
use crate::kernel::Fault;
use crate::store::Tx;

/// Keys to take the place of all others. Drawn before the transaction, because that takes a while.
pub(in crate::domain) struct Anew {
    gone: Vec<String>,
    made: Vec<Kept>,
}

impl Anew {
    /// A key that signs for each algorithm.
    pub(in crate::domain) fn draw(cx: &Cx<'_>) -> Result<Self, Fault> {
        let appliance = cx.appliance;
        let before = records::all(&cx.view(), &appliance.keyring)?;
        let tokens_live = cx.policy().longest_signed();
        let made = ALGORITHMS.into_iter().map(|algorithm| {
            let made = Kept::make(algorithm, &appliance.keyring, cx.entropy(), cx.now)?;
            Ok(made.entering(Life::Current { tokens_live }, cx.now))
        });
        Ok(Self {
            gone: before.iter().map(|kept| kept.kid().to_owned()).collect(),
            made: made.collect::<Result<_, Fault>>()?,
        })
    }

    /// Keeps them, and none of the others. Whoever calls reads the keys again before anybody is served.
    pub(in crate::domain) fn keep(&self, tx: &Tx<'_>, cx: &Cx<'_>) -> Result<(), Fault> {
        for kid in &self.gone {
            records::remove(tx, kid)?;
            told(tx, cx, "signing_key.removed", kid)?;
        }
        for kept in &self.made {
            records::put(tx, kept)?;
            told(tx, cx, "signing_key.rotated", kept.kid())?;
        }
        Ok(())
    }
}

fn told(tx: &Tx<'_>, cx: &Cx<'_>, action: &'static str, kid: &str) -> Result<(), Fault> {
    let event = Event {
        action,
        by: "appliance",
        to: kid,
        organization: None,
    };
    audit::record(tx, cx, &event)
}
