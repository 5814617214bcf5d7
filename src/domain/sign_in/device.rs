//! Browsers that somebody signed in with before: their guesses at that account are counted apart, so that a stranger's
//! cannot lock the owner out.
//!
//! The cookie is a number of its own, the day it was given and a checksum over both and the account. It opens nothing:
//! whoever steals one may guess at one account a few times a day.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::Cx;
use crate::kernel::{Digest, Secret, Timestamp, UserId};

/// What a browser keeps once `user` has signed in with it: letters, digits, `-`, `_` and dots.
pub fn cookie(cx: &Cx<'_>, user: &UserId) -> Secret<String> {
    let number = cx.entropy().token::<16>();
    let day = day(cx.now).to_string();
    let checksum = URL_SAFE_NO_PAD.encode(checksum(cx, user, &number, &day).as_bytes());
    Secret::new(format!("{number}.{day}.{checksum}"))
}

/// Whether `user` has signed in with the browser that keeps `cookie`, within a year.
pub fn is_known(cx: &Cx<'_>, user: &UserId, cookie: &str) -> bool {
    number(cx, user, cookie).is_some()
}

/// The number of a browser that `user` has signed in with.
pub(super) fn number<'c>(cx: &Cx<'_>, user: &UserId, cookie: &'c str) -> Option<&'c str> {
    let (signed, presented) = cookie.rsplit_once('.')?;
    let (number, issued) = signed.split_once('.')?;
    let presented = <[u8; 32]>::try_from(URL_SAFE_NO_PAD.decode(presented).ok()?).ok()?;
    let is_ours = checksum(cx, user, number, issued) == Digest::from_bytes(presented);
    let age = day(cx.now).saturating_sub(issued.parse().ok()?);
    (is_ours && (0..DAYS).contains(&age)).then_some(number)
}

/// How many days a cookie is good for; the browser is told the same.
const DAYS: i64 = 365;

fn day(instant: Timestamp) -> i64 {
    instant.seconds().div_euclid(24 * 60 * 60)
}

/// No user id has a space, and no number a dot.
fn checksum(cx: &Cx<'_>, user: &UserId, number: &str, day: &str) -> Digest {
    let signed = format!("{user} {number}.{day}");
    cx.appliance
        .keyring
        .bearer_digest("device", signed.as_bytes())
}
