//! User details as a short signed statement, which contract B hands out in a header (`X-GWS-User`).
//!
//! Headers are bounded by everything between two servers, so the statement is: what says least goes first.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::details::UserDetails;
use crate::crypto::jws::Algorithm;
use crate::domain::access::Caller;
use crate::domain::{Cx, Front};
use crate::kernel::{Fault, Secret};

/// Our own: it passes for no access, ID or ping token, and none of them for it.
const TYPE: &str = "userinfo+jwt";
/// It is read at once by whoever asked, and nobody can take it back.
const LIFE: Duration = Duration::from_mins(1);

/// The longest statement, in bytes.
pub const LENGTH_MAX: usize = 4_096;
/// What is left of it for the claims: base64 makes four bytes of three, and the rest is header and signature.
const CLAIMS_MAX: usize = 2_600;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    authorities: &'a [&'static str],
    username: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cme_user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_center_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dbid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_name: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    properties: BTreeMap<&'static str, &'a str>,
}

/// A signed statement of the caller's details, good for a minute and no longer than its token.
pub fn of(cx: &Cx<'_>, caller: &Caller, details: &UserDetails) -> Result<Secret<String>, Fault> {
    let sub = caller.subject().sub();
    let issued_at = cx.now.seconds();
    let expires_at = cx.now.after(LIFE).min(caller.expires_at());
    let from = (cx.appliance.issuer(Front::AuthV3), sub.as_str());
    let mut claims = Claims::of(details, from, (issued_at, expires_at.seconds()));
    while length(&claims) > CLAIMS_MAX && claims.shorten() {}
    let key = cx.appliance.signing.signer(Algorithm::Rs256);
    key.sign(TYPE, &claims).map(Secret::new)
}

impl<'a> Claims<'a> {
    fn of(
        details: &'a UserDetails,
        (iss, sub): (&'a str, &'a str),
        (iat, exp): (i64, i64),
    ) -> Self {
        Self {
            iss,
            sub,
            iat,
            exp,
            authorities: &details.authorities,
            username: Cow::Borrowed(&details.username),
            cme_user_name: details.login_name.as_deref(),
            contact_center_id: details.contact_center.as_deref(),
            dbid: details.dbid,
            login_name: details.login_name.as_deref(),
            properties: details.properties().collect(),
        }
    }

    /// Takes one thing away, or says that nothing is left to take.
    fn shorten(&mut self) -> bool {
        let longest = self.properties.iter().max_by_key(|(_, value)| value.len());
        if let Some(name) = longest.map(|(name, _)| *name) {
            self.properties.remove(name);
            return true;
        }
        if self.login_name.take().is_some() {
            self.cme_user_name = None;
            return true;
        }
        match shortened(&self.username) {
            Some(username) => {
                self.username = Cow::Owned(username);
                true
            }
            None => false,
        }
    }
}

/// A unique name that is too long, without its middle: its end tells two of them apart.
fn shortened(name: &str) -> Option<String> {
    let length = name.chars().count();
    if length <= HEAD + TAIL {
        return None;
    }
    let head = name.chars().take(HEAD);
    Some(head.chain(name.chars().skip(length - TAIL)).collect())
}

const HEAD: usize = 60;
/// An account's number and the longest id of an organization.
const TAIL: usize = 140;

fn length(claims: &Claims<'_>) -> usize {
    serde_json::to_vec(claims).map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONGEST: (i64, i64) = (i64::MIN, i64::MIN);

    #[test]
    fn properties_go_first_the_longest_of_them_before_the_others() {
        let details = UserDetails {
            username: "ada".into(),
            login_name: Some("ada".into()),
            given_name: Some("x".repeat(9_000)),
            email: Some("a@b".into()),
            ..UserDetails::default()
        };
        let mut claims = Claims::of(&details, ("i", "s"), LONGEST);
        assert!(claims.shorten());
        let left: Vec<_> = claims.properties.keys().copied().collect();
        assert_eq!(left, ["email"]);
        assert_eq!(claims.login_name, Some("ada"));
    }

    proptest! {
        #[test]
        fn o20_whatever_a_user_is_called_the_claims_fit(
            name in "\\PC{0,3000}|[\0-\x1f]{0,3000}", mail in ".{0,5000}", dbid: u32,
        ) {
            let (longest, tail) = ("o".repeat(128), format!("-{dbid}@{}", "o".repeat(128)));
            let details = UserDetails {
                authorities: vec!["ROLE_CLIENT_SERVICE"; 6],
                username: format!("{name}{tail}"),
                login_name: Some(name),
                contact_center: Some(longest.clone()),
                dbid: Some(dbid),
                email: Some(mail),
                ..UserDetails::default()
            };
            let mut claims = Claims::of(&details, (&longest, &longest), LONGEST);
            while length(&claims) > CLAIMS_MAX && claims.shorten() {}
            prop_assert!(length(&claims) <= CLAIMS_MAX);
            prop_assert!(claims.username.ends_with(&tail));
        }
    }
}
