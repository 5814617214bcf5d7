//! Genesys Cloud: client credentials, queues, callbacks, and who came with an authorization code, over its published
//! API.
//!
//! What is told of a failure says whether the thing asked for was certainly not done: a callback must not be created
//! twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value};

use super::answers::{self, refused, text};
use super::outbound::{Ask, Body, Outbound, Reply, Vendor, basic};
use crate::domain::ports::{
    Answer, CreatedCallback, Failure, GenesysAccount, GenesysCloud, GenesysPerson, Queue,
};
use crate::kernel::Secret;

/// Genesys Cloud, asked over the network.
pub(super) struct Genesys {
    outbound: Arc<Outbound>,
    tokens: Tokens,
}

impl Genesys {
    pub(super) fn new(outbound: Arc<Outbound>) -> Self {
        Self {
            outbound,
            tokens: Tokens::default(),
        }
    }
}

impl GenesysCloud for Genesys {
    fn queues_named<'a>(
        &'a self,
        at: &'a GenesysAccount,
        name: &'a str,
    ) -> Answer<'a, Result<Vec<Queue>, Failure>> {
        Box::pin(self.queues(at, name))
    }

    fn create_callback<'a>(
        &'a self,
        at: &'a GenesysAccount,
        order: &'a Map<String, Value>,
    ) -> Answer<'a, Result<CreatedCallback, Failure>> {
        Box::pin(self.callback(at, order))
    }

    fn person_behind<'a>(
        &'a self,
        at: &'a GenesysAccount,
        code: &'a Secret<String>,
        redirect_uri: Option<&'a str>,
    ) -> Answer<'a, Result<GenesysPerson, Failure>> {
        Box::pin(self.person(at, code, redirect_uri))
    }
}

/// Queues a page, so few that a page of them is not too large to be read, and the pages that are looked through.
const PAGE: usize = 25;
const PAGES_MAX: u64 = 40;

impl Genesys {
    /// Genesys Cloud compares without regard to case and takes `*` for anything; names are compared here.
    async fn queues(&self, at: &GenesysAccount, name: &str) -> Result<Vec<Queue>, Failure> {
        let mut found = Vec::new();
        for page in 1..=PAGES_MAX {
            let query = vec![
                ("name", name.to_owned()),
                ("pageSize", PAGE.to_string()),
                ("pageNumber", page.to_string()),
            ];
            let reply = self
                .with_token(at, "/api/v2/routing/queues", query, None)
                .await?;
            let answer = done(&reply)?;
            let entities = answer.get("entities").and_then(Value::as_array);
            let entities = entities.ok_or_else(unreadable)?;
            for entity in entities {
                let queue = queue(entity).ok_or_else(unreadable)?;
                if queue.name == name && !found.contains(&queue) {
                    found.push(queue);
                }
            }
            let pages = answer.get("pageCount").and_then(Value::as_u64);
            if entities.is_empty() || page >= pages.unwrap_or_default() {
                return Ok(found);
            }
        }
        Err(Failure::Failed(
            "it has too many queues of names like this".into(),
        ))
    }

    async fn callback(
        &self,
        at: &GenesysAccount,
        order: &Map<String, Value>,
    ) -> Result<CreatedCallback, Failure> {
        let order = Value::Object(order.clone()).to_string();
        let path = "/api/v2/conversations/callbacks";
        let reply = self.with_token(at, path, Vec::new(), Some(order)).await?;
        created(&done(&reply)?).ok_or_else(unreadable)
    }

    async fn person(
        &self,
        at: &GenesysAccount,
        code: &Secret<String>,
        redirect_uri: Option<&str>,
    ) -> Result<GenesysPerson, Failure> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose().as_str()),
        ];
        form.extend(redirect_uri.map(|uri| ("redirect_uri", uri)));
        let reply = self.token_reply(at, &form).await?;
        let (token, _) = issued(&reply, false)?;
        let query = vec![("expand", "authorization".to_owned())];
        let reply = self
            .call(at, &token, "/api/v2/users/me", query, None)
            .await?;
        person(&done(&reply)?).ok_or_else(unreadable)
    }

    /// Asks with the account's token. One that is not believed any more was certainly of no effect: once more, with a
    /// new one.
    async fn with_token(
        &self,
        at: &GenesysAccount,
        path: &str,
        query: Vec<(&'static str, String)>,
        order: Option<String>,
    ) -> Result<Reply, Failure> {
        let key = TokenKey::of(at);
        if let Some(token) = self.tokens.get(&key) {
            let reply = self
                .call(at, &token, path, query.clone(), order.clone())
                .await?;
            if reply.status != UNAUTHORIZED {
                return Ok(reply);
            }
            self.tokens.drop(&key, &token);
        }
        let token = self.new_token(at, key).await?;
        self.call(at, &token, path, query, order).await
    }

    async fn call(
        &self,
        at: &GenesysAccount,
        token: &Secret<String>,
        path: &str,
        query: Vec<(&'static str, String)>,
        order: Option<String>,
    ) -> Result<Reply, Failure> {
        let ask = Ask {
            vendor: Vendor::Genesys,
            url: format!("{}{path}", at.api),
            query,
            authorization: Secret::new(format!("Bearer {}", token.expose())),
            body: order.map_or(Body::None, Body::Json),
        };
        self.outbound.ask(ask).await
    }

    async fn new_token(
        &self,
        at: &GenesysAccount,
        key: TokenKey,
    ) -> Result<Secret<String>, Failure> {
        let asked = self
            .token_reply(at, &[("grant_type", "client_credentials")])
            .await;
        // Nothing was asked for but a token: whatever came of that, the rest was not done.
        let not_done = |failure| {
            if let Failure::Unanswered(why) = failure {
                return Failure::Failed(why);
            }
            failure
        };
        let (token, life) = asked
            .and_then(|reply| issued(&reply, true))
            .map_err(not_done)?;
        self.tokens.keep(key, &token, life);
        Ok(token)
    }

    async fn token_reply(
        &self,
        at: &GenesysAccount,
        form: &[(&str, &str)],
    ) -> Result<Reply, Failure> {
        let ask = Ask {
            vendor: Vendor::Genesys,
            url: format!("{}/oauth/token", at.login),
            query: Vec::new(),
            authorization: basic(&at.client_id, at.client_secret.expose()),
            body: answers::form(form),
        };
        self.outbound.ask(ask).await
    }
}

const UNAUTHORIZED: u16 = 401;

/// The members of an answer that says it was done.
fn done(reply: &Reply) -> Result<Map<String, Value>, Failure> {
    match reply.status {
        200..300 => answers::members(reply),
        // A gateway that lost whom it asked does not know whether it was done.
        408 | 502 | 504 => Err(Failure::Unanswered(
            "it says that it was not answered itself".into(),
        )),
        status @ (401 | 403 | 429) => Err(answers::failure(status, reply.retry_after)),
        400..=499 => Err(refused(reply, ["code", "error"], MESSAGES)),
        status => Err(answers::failure(status, reply.retry_after)),
    }
}

/// A token and how long it lives. `is_own`: the client asked for itself, and so there is nothing but its credentials
/// that could be wrong.
fn issued(reply: &Reply, is_own: bool) -> Result<(Secret<String>, Duration), Failure> {
    match reply.status {
        200..300 => {}
        400 => {
            let refusal = refused(reply, ["error", "code"], MESSAGES);
            let is_of_client =
                matches!(&refusal, Failure::Refused { code, .. } if answers::is_of_client(code));
            return Err(if is_own || is_of_client {
                Failure::Credentials
            } else {
                refusal
            });
        }
        status => return Err(answers::failure(status, reply.retry_after)),
    }
    let answer = answers::members(reply)?;
    let token = text(&answer, "access_token").ok_or_else(unreadable)?;
    let plain = |b: u8| b.is_ascii_graphic();
    if token.is_empty() || !token.bytes().all(plain) {
        return Err(unreadable());
    }
    let life = answer.get("expires_in").and_then(Value::as_u64);
    let life = Duration::from_secs(life.unwrap_or_default());
    Ok((Secret::new(token.to_owned()), life))
}

const MESSAGES: [&str; 3] = ["message", "error_description", "description"];

fn queue(entity: &Value) -> Option<Queue> {
    let entity = entity.as_object()?;
    Some(Queue {
        id: text(entity, "id")?.to_owned(),
        name: text(entity, "name")?.to_owned(),
    })
}

fn created(answer: &Map<String, Value>) -> Option<CreatedCallback> {
    let conversation = answer.get("conversation")?.as_object()?;
    let told = answer.get("callbackIdentifiers").and_then(Value::as_array);
    let identifier = |one: &Value| {
        let one = one.as_object()?;
        Some((text(one, "type")?.to_owned(), text(one, "id")?.to_owned()))
    };
    let identifiers = told.map_or(Some(Vec::new()), |told| {
        told.iter().map(identifier).collect()
    });
    Some(CreatedCallback {
        conversation: text(conversation, "id")?.to_owned(),
        name: text(conversation, "name").map(str::to_owned),
        self_uri: text(conversation, "selfUri").map(str::to_owned),
        identifiers: identifiers?,
    })
}

fn person(answer: &Map<String, Value>) -> Option<GenesysPerson> {
    let authorization = answer.get("authorization")?.as_object()?;
    let permissions = authorization.get("permissions")?.as_array()?.iter();
    let permissions = permissions.map(|one| one.as_str().map(str::to_owned));
    Some(GenesysPerson {
        id: text(answer, "id")?.to_owned(),
        name: text(answer, "name").unwrap_or_default().to_owned(),
        email: text(answer, "email").map(str::to_owned),
        permissions: permissions.collect::<Option<Vec<String>>>()?,
    })
}

fn unreadable() -> Failure {
    Failure::Unanswered("its answer cannot be read".into())
}

/// Tokens of accounts, until shortly before they end.
#[derive(Default)]
struct Tokens(Mutex<HashMap<TokenKey, Kept>>);

struct Kept {
    token: Secret<String>,
    until: Instant,
}

/// An account, down to its secret: whoever holds another one gets no token of this.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct TokenKey([u8; 32]);

/// How many accounts' tokens are kept.
const TOKENS_MAX: usize = 256;
/// How long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_mins(1);
/// However long a token says that it lives.
const LIFE_MAX: Duration = Duration::from_hours(24);

impl TokenKey {
    fn of(at: &GenesysAccount) -> Self {
        let parts = [
            at.login.as_str(),
            at.api.as_str(),
            &at.client_id,
            at.client_secret.expose(),
        ];
        let mut whole = Vec::new();
        for part in parts {
            whole.extend_from_slice(&(part.len() as u64).to_be_bytes());
            whole.extend_from_slice(part.as_bytes());
        }
        let whole = Secret::new(whole);
        let digest = digest(&SHA256, whole.expose());
        let bytes = digest.as_ref().first_chunk().copied();
        Self(bytes.unwrap_or_default())
    }
}

impl Tokens {
    fn get(&self, key: &TokenKey) -> Option<Secret<String>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(key).filter(|kept| Instant::now() < kept.until);
        found.map(|kept| kept.token.clone())
    }

    fn keep(&self, key: TokenKey, token: &Secret<String>, life: Duration) {
        let now = Instant::now();
        let life = life.min(LIFE_MAX).saturating_sub(MARGIN);
        if life.is_zero() {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, kept| now < kept.until);
        if kept.len() >= TOKENS_MAX {
            let soonest = kept.iter().min_by_key(|(_, kept)| kept.until);
            if let Some(soonest) = soonest.map(|(key, _)| *key) {
                kept.remove(&soonest);
            }
        }
        let (token, until) = (token.clone(), now + life);
        kept.insert(key, Kept { token, until });
    }

    /// Forgets a token, unless another has taken its place.
    fn drop(&self, key: &TokenKey, token: &Secret<String>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |kept: &Kept| kept.token.expose() == token.expose();
        if kept.get(key).is_some_and(is_it) {
            kept.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: usize) -> GenesysAccount {
        GenesysAccount {
            login: "https://login.mypurecloud.de".parse().unwrap(),
            api: "https://api.mypurecloud.de".parse().unwrap(),
            client_id: format!("client-{number}"),
            client_secret: Secret::new("secret".into()),
        }
    }

    #[test]
    fn tokens_are_kept_for_few_accounts_and_end_before_their_time() {
        let tokens = Tokens::default();
        let token = Secret::new("t".to_owned());
        let first = TokenKey::of(&account(0));
        tokens.keep(first, &token, MARGIN);
        assert!(tokens.get(&first).is_none(), "it is about to end");
        for number in 0..2 * TOKENS_MAX {
            let key = TokenKey::of(&account(number));
            tokens.keep(key, &token, Duration::from_hours(1));
            assert!(tokens.get(&key).is_some());
        }
        assert_eq!(tokens.0.lock().unwrap().len(), TOKENS_MAX);
        let last = TokenKey::of(&account(2 * TOKENS_MAX - 1));
        tokens.drop(&last, &Secret::new("another".into()));
        assert!(tokens.get(&last).is_some());
        tokens.drop(&last, &token);
        assert!(tokens.get(&last).is_none());
    }

    #[test]
    fn another_secret_is_another_account() {
        let mut other = account(0);
        other.client_secret = Secret::new("Secret".into());
        assert!(TokenKey::of(&account(0)) != TokenKey::of(&other));
    }
}
