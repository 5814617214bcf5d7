//! What an operator should know about the facts as they stand: old grants that are switched on, redirect URIs that reach
//! far, how likely a guess at a short ticket is to hit, and whether lists agree with what they list.

use crate::domain::clients::{self, GrantType};
use crate::domain::{Cx, applications, keys, tickets, users};
use crate::kernel::{ClientId, Fault};
use crate::store::View;

/// What there is to know.
#[derive(Debug, Default)]
pub struct Review {
    /// Clients that may send people's passwords.
    pub passwords: Vec<ClientId>,
    /// Clients that may be given tokens in an address.
    pub implicit: Vec<ClientId>,
    /// Clients with a registered redirect URI that reaches every path of its origin.
    pub bare_origins: Vec<(ClientId, String)>,
    /// Short tickets that can be used now.
    pub short_tickets: u64,
    /// How many of them strangers are expected to hit in a year of guessing without a pause (security.md 1.6).
    pub hits_a_year: f64,
    /// Lists that do not agree with what they list, each in words.
    pub disagreements: Vec<String>,
}

/// Looks; at everything where it is `deep`, else at counts and a share of the tickets.
pub fn review(cx: &Cx<'_>, deep: bool) -> Result<Review, Fault> {
    let mut review = Review::default();
    clients::each(&cx.view(), |client| {
        if client.may(GrantType::Password) {
            review.passwords.push(client.id.clone());
        }
        if client.may(GrantType::Implicit) {
            review.implicit.push(client.id.clone());
        }
        let bare = client.redirect_uris.iter();
        let bare = bare.filter(|uri| clients::is_bare_origin(uri));
        let bare = bare.map(|uri| (client.id.clone(), uri.clone()));
        review.bare_origins.extend(bare);
    })?;
    guessable(cx, deep, &mut review)?;
    review.disagreements = counts(cx)?;
    if deep {
        review.disagreements.extend(strays(cx)?);
    }
    Ok(review)
}

/// Expected hits a year: guesses an hour times the hours of a year times the tickets that live, through the number of ids.
fn guessable(cx: &Cx<'_>, deep: bool, review: &mut Review) -> Result<(), Fault> {
    let most = if deep { usize::MAX } else { LOOKED_AT };
    let alive = tickets::alive(cx, most)?;
    let all = cx.view().count_named("tickets")?;
    let share = share(all, alive.looked_at);
    let guesses = f64::from(cx.policy().tickets.wrong_guesses_short_per_hour);
    for (ids, count) in tickets::guessable(&alive) {
        review.hits_a_year += guesses * HOURS * count * share / ids;
        review.short_tickets += whole(count * share);
    }
    Ok(())
}

/// Tickets of one organization that stand for all of its.
const LOOKED_AT: usize = 20_000;
const HOURS: f64 = 8_760.0;

#[expect(
    clippy::cast_precision_loss,
    reason = "a share of many is as good rounded"
)]
fn share(all: u64, looked_at: u64) -> f64 {
    if looked_at == 0 || all <= looked_at {
        return 1.0;
    }
    all as f64 / looked_at as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of tickets, never negative"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// A list has as many entries as what it lists. Requests go on meanwhile, so that one equal look is enough.
fn counts(cx: &Cx<'_>) -> Result<Vec<String>, Fault> {
    let store = cx.appliance.store();
    let mut found = Vec::new();
    for (table, list) in LISTS {
        let mut words = None;
        for _ in 0..LOOKS {
            let (things, entries) = (
                store.view().count_named(table)?,
                store.view().count_named(list)?,
            );
            words = (things != entries)
                .then(|| format!("{table} has {things} records and {list} {entries}"));
            if words.is_none() {
                break;
            }
        }
        found.extend(words);
    }
    Ok(found)
}

const LISTS: [(&str, &str); 6] = [
    ("applications", "applications_by_org"),
    ("clients", "clients_by_org"),
    ("keys", "keys_by_org"),
    ("organizations", "organizations_by_name"),
    ("tickets", "tickets_by_org"),
    ("users", "users_by_name"),
];
const LOOKS: usize = 10;

/// Every entry of a list leads to something that belongs there. What is removed while we look may seem astray once.
fn strays(cx: &Cx<'_>) -> Result<Vec<String>, Fault> {
    type Look = fn(&View<'_>) -> Result<u64, Fault>;
    let looks: [(&str, Look); 5] = [
        ("applications_by_org", applications::strays),
        ("clients_by_org", clients::strays),
        ("keys_by_org", keys::strays),
        ("tickets_by_org", tickets::strays),
        ("users_by_name", users::strays),
    ];
    let mut found = Vec::new();
    for (list, look) in looks {
        let mut strays = look(&cx.view())?;
        for _ in 1..LOOKS {
            if strays == 0 {
                break;
            }
            strays = strays.min(look(&cx.view())?);
        }
        if strays > 0 {
            found.push(format!("{strays} entries of {list} lead nowhere or astray"));
        }
    }
    Ok(found)
}
