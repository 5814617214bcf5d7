//! Accounts, clients and tokens as tests want them, made in the process: what has no endpoint or needs none.

use admit::domain::access::Subject;
use admit::domain::clients::{self, Client};
use admit::domain::sign_in;
use admit::domain::tokens::{self, Grantee, ping};
use admit::domain::users::{self, User};
use admit::domain::{Cx, Front};
use admit::kernel::{Fault, SignInId};
use admit::store::{Tx, Verdict};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::server::Server;

/// What signing in leaves with a client and a browser.
pub(crate) struct SignedIn {
    /// The access token.
    pub(crate) token: String,
    pub(crate) sign_in: SignInId,
    /// The ping cookie's value.
    pub(crate) ping: String,
    /// The session cookie's value.
    pub(crate) session: String,
}

/// The first administrator.
pub(crate) fn admin(server: &Server) -> User {
    let cx = server.appliance.own_context();
    let found = users::named(&cx, &server.organization(), "ADMIN");
    found.unwrap().unwrap()
}

/// The first administrator's first password.
pub(crate) fn admin_password(server: &Server) -> String {
    let password = &server.first_run["admin"]["password"];
    password.as_str().unwrap().to_owned()
}

/// The administrator has signed in to the public client: an access token and its sign-in.
pub(crate) fn signed_in(server: &Server) -> (String, SignInId) {
    let made = signed_in_as(server, &admin(server), "customer", "*");
    (made.token, made.sign_in)
}

/// A user has signed in with a browser, to this client, for these scopes.
pub(crate) fn signed_in_as(server: &Server, user: &User, client: &str, scope: &str) -> SignedIn {
    let cx = server.appliance.own_context();
    let client = registered(&cx, client);
    let browser = sign_in::begin(&cx, user, None).unwrap();
    let sign_in = SignInId::draw(server.appliance.entropy().as_ref());
    let grantee = Grantee {
        subject: Subject::User(user.id.clone()),
        organization: user.organization.clone(),
        client: client.id.clone(),
        roles: user.roles,
        scope: scope.to_owned(),
        sign_in: Some(sign_in.clone()),
        epoch: tokens::epoch(&cx, &Subject::User(user.id.clone())),
        front: Front::AuthV3,
        session: Some(browser.session.id),
        signed_in_at: Some(cx.now),
        claims: Vec::new(),
        vouched: None,
    };
    let token = tokens::mint(&cx, &grantee, &client).unwrap();
    let ping = ping::of(&cx, &grantee).unwrap().unwrap();
    server.settle(&cx);
    SignedIn {
        token: token.value.expose().clone(),
        sign_in,
        ping: ping.expose().clone(),
        session: browser.cookie.expose().clone(),
    }
}

fn registered(cx: &Cx<'_>, id: &str) -> Client {
    clients::find(cx, &id.parse().unwrap()).unwrap().unwrap()
}

/// Changes a client past every rule.
pub(crate) fn change_client(server: &Server, id: &str, change: impl FnOnce(&mut Client)) {
    let mut client = registered(&server.appliance.own_context(), id);
    change(&mut client);
    keep(server, |tx| clients::put(tx, &client));
}

/// Changes a user past every rule.
pub(crate) fn change_user(server: &Server, user: &User, change: impl FnOnce(&mut User)) -> User {
    let mut user = user.clone();
    change(&mut user);
    keep(server, |tx| users::put(tx, &user));
    user
}

fn keep(server: &Server, write: impl Fn(&Tx<'_>) -> Result<(), Fault>) {
    let store = server.appliance.store();
    let written = store.write(|tx| {
        write(tx)?;
        Ok(Verdict::<(), Fault>::Commit(()))
    });
    let written = written.unwrap();
    written.outcome.unwrap();
    store.durable(written.mark).wait().unwrap();
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token.
pub(crate) fn head(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
