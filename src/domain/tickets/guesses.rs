//! Guessing at tickets, held down durably per network and, for short ids, for the whole appliance.
//!
//! An id of no ticket is a guess; an id of a ticket that cannot be used is not, because whoever presents it knew it.
//! One that has expired counts all the same, so that it cannot be told from one that never was by what it costs.

use std::time::Duration;

use crate::domain::audit::{self, Event};
use crate::domain::throttle::{self, Counter};
use crate::domain::{Cx, Origin};
use crate::kernel::{Fault, Network, TicketId};
use crate::store::Tx;

/// How long this network must wait before it may present `id`; `None` if it need not.
pub(super) fn wait(tx: &Tx<'_>, cx: &Cx<'_>, id: &TicketId) -> Result<Option<Duration>, Fault> {
    let Origin::Peer(network) = cx.origin else {
        return Ok(None);
    };
    let policy = &cx.policy().tickets;
    let own = throttle::read(tx, cx.now, Counter::WrongTickets(network))?;
    if own.count >= policy.wrong_guesses_per_network_per_hour {
        return Ok(Some(own.left));
    }
    if !id.is_short() {
        return Ok(None);
    }
    let everyones = throttle::read(tx, cx.now, Counter::WrongShortTickets)?;
    let is_over = everyones.count >= policy.wrong_guesses_short_per_hour;
    Ok((is_over && !is_known(tx, cx, network)?).then_some(everyones.left))
}

fn is_known(tx: &Tx<'_>, cx: &Cx<'_>, network: Network) -> Result<bool, Fault> {
    Ok(throttle::read(tx, cx.now, Counter::RedeemedTickets(network))?.count > 0)
}

/// Counts a wrong guess. The one that uses up a budget is told to the operator.
pub(super) fn count(tx: &Tx<'_>, cx: &Cx<'_>, id: &TicketId) -> Result<(), Fault> {
    let Origin::Peer(network) = cx.origin else {
        return Ok(());
    };
    let policy = &cx.policy().tickets;
    let own = Counter::WrongTickets(network);
    spend(
        tx,
        cx,
        own,
        policy.wrong_guesses_per_network_per_hour,
        &network.to_string(),
    )?;
    if id.is_short() {
        let budget = policy.wrong_guesses_short_per_hour;
        spend(tx, cx, Counter::WrongShortTickets, budget, "short tickets")?;
    }
    Ok(())
}

fn spend(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    counter: Counter<'_>,
    budget: u32,
    whose: &str,
) -> Result<(), Fault> {
    throttle::count(tx, cx.now, counter)?;
    if throttle::read(tx, cx.now, counter)?.count != budget {
        return Ok(());
    }
    cx.notify("too many wrong tickets: a budget is used up for this hour, and further ones are not looked at");
    audit::record(
        tx,
        cx,
        &Event {
            action: "tickets.guessed",
            by: "",
            to: whose,
            organization: None,
        },
    )
}

/// Remembers that a ticket was redeemed from this network: it is not a guesser's.
pub(super) fn succeeded(tx: &Tx<'_>, cx: &Cx<'_>) -> Result<(), Fault> {
    let Origin::Peer(network) = cx.origin else {
        return Ok(());
    };
    if is_known(tx, cx, network)? {
        return Ok(());
    }
    throttle::count(tx, cx.now, Counter::RedeemedTickets(network))
}
