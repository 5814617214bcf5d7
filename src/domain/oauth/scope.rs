//! Scopes: asked for, allowed, granted (RFC 6749 §3.3).

use super::Error;
use crate::domain::clients::Client;

/// The scopes granted to `client`, joined by spaces: what it asks for if it may, `usual` if it asks for nothing.
pub(super) fn grant(client: &Client, asked: Option<&str>, usual: &str) -> Result<String, Error> {
    judge(client, asked, usual).ok_or_else(|| Error::InvalidScope(client.scopes.clone()))
}

/// The same; `None` where it asks for one it may not have.
pub(super) fn judge(client: &Client, asked: Option<&str>, usual: &str) -> Option<String> {
    let asked = asked.and_then(words).unwrap_or_else(|| vec![usual]);
    let may = |scope: &&str| client.scopes.iter().any(|allowed| allowed == scope);
    asked.iter().all(may).then(|| asked.join(" "))
}

/// A refresh may narrow its scope and never widen it (RFC 6749 §6).
pub(super) fn narrow(granted: &str, asked: Option<&str>) -> Result<String, Error> {
    let Some(asked) = asked.and_then(words) else {
        return Ok(granted.to_owned());
    };
    let had: Vec<&str> = granted.split(' ').collect();
    // Relying parties ask again for all they asked for first, and this one is dropped when nobody was asked for it.
    let asked: Vec<&str> = asked
        .into_iter()
        .filter(|scope| *scope != OFFLINE || had.contains(scope))
        .collect();
    if asked.is_empty() {
        return Ok(granted.to_owned());
    }
    if asked.iter().all(|scope| had.contains(scope)) {
        Ok(asked.join(" "))
    } else {
        Err(Error::InvalidScope(
            had.into_iter().map(str::to_owned).collect(),
        ))
    }
}

/// Refresh tokens that outlive the browser's session (OpenID Connect Core §11).
pub(super) const OFFLINE: &str = "offline_access";

/// The scopes of a list, each once; `None` for a list of none, which is as good as not asking.
fn words(list: &str) -> Option<Vec<&str>> {
    let mut words: Vec<&str> = Vec::new();
    for word in list.split(' ').filter(|word| !word.is_empty()) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    (!words.is_empty()).then_some(words)
}
