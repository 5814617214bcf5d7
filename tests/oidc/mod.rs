//! OpenID Connect and what OAuth adds about tokens: one file per endpoint, one per certification plan (`basic_op`,
//! `form_post`, `logout_op`; Config OP is a test of `metadata`), and `core` for the rules no module is named after.
//!
//! What ends or changes a session by other means than its browser is made in the process.

mod basic_op;
mod core;
mod form_post;
mod introspect;
mod logout;
mod logout_op;
mod metadata;
mod revoke;
mod suite;
mod userinfo;

use admit::domain::access::Subject;
use admit::domain::clients::{self, Client as OauthClient};
use admit::domain::oidc::id_token::{self, About};
use admit::domain::sessions::Session;
use admit::domain::sign_in;
use admit::domain::tokens::{self, Grantee};
use admit::domain::users::{self, User};
use admit::domain::{Cx, Front};
use admit::kernel::{Fault, SignInId};
use admit::store::{Tx, Verdict};

use crate::support::server::Server;

/// Changes what the server keeps, as an operation would.
fn kept(server: &Server, body: impl Fn(&Tx<'_>) -> Result<(), Fault>) {
    let store = server.appliance.store();
    let written = store.write(|tx| {
        body(tx)?;
        Ok(Verdict::<(), Fault>::Commit(()))
    });
    let written = written.unwrap();
    written.outcome.unwrap();
    store.durable(written.mark).wait().unwrap();
}

/// The administrator, with everything that can be told about somebody.
pub(crate) fn ada(server: &Server) -> User {
    let cx = server.appliance.own_context();
    let found = users::named(&cx, &server.organization(), "admin");
    let user = User {
        display_name: Some("Ada Lovelace".into()),
        first_name: Some("Ada".into()),
        last_name: Some("Lovelace".into()),
        email: Some("ada@example.org".into()),
        email_verified: true,
        phone: Some("+301234".into()),
        address: Some("1 Street\nTown".into()),
        locale: Some("el".into()),
        ..found.unwrap().unwrap()
    };
    kept(server, |tx| users::put(tx, &user));
    user
}

/// A client as the server keeps it.
fn client_of(server: &Server, id: &str) -> OauthClient {
    let cx = server.appliance.own_context();
    clients::find(&cx, &id.parse().unwrap()).unwrap().unwrap()
}

/// Whom a token of `user` at `client` is for.
pub(crate) fn grantee(cx: &Cx<'_>, user: &User, client: &OauthClient, scope: &str) -> Grantee {
    Grantee {
        subject: Subject::User(user.id.clone()),
        organization: user.organization.clone(),
        client: client.id.clone(),
        roles: user.roles,
        scope: scope.into(),
        sign_in: None,
        epoch: tokens::epoch(cx, &Subject::User(user.id.clone())),
        front: Front::Security,
        session: None,
        signed_in_at: Some(cx.now),
        claims: Vec::new(),
        vouched: None,
    }
}

/// An access token of the first client's for the administrator.
pub(crate) fn token(server: &Server, scope: &str, claims: &[&str]) -> String {
    let cx = server.appliance.own_context();
    let user = ada(server);
    let client = client_of(server, &server.first_client().id);
    let grantee = Grantee {
        sign_in: Some(SignInId::draw(server.appliance.entropy().as_ref())),
        epoch: tokens::epoch(&cx, &Subject::User(user.id.clone())),
        claims: claims.iter().map(|&name| name.to_owned()).collect(),
        vouched: None,
        ..grantee(&cx, &user, &client, scope)
    };
    let token = tokens::mint(&cx, &grantee, &client).unwrap();
    token.value.expose().clone()
}

/// A browser in which the administrator has signed in.
struct Browser {
    session: Session,
    cookie: String,
}

fn browser(server: &Server) -> Browser {
    let cx = server.appliance.own_context();
    let signed_in = sign_in::begin(&cx, &ada(server), None).unwrap();
    server.settle(&cx);
    let value = signed_in.cookie.expose();
    Browser {
        session: signed_in.session,
        cookie: format!("__Host-admit-session={value}"),
    }
}

/// An ID token for the client of what happened in `session`.
fn id_token(server: &Server, client: &str, session: &Session, user: &User) -> String {
    let cx = server.appliance.own_context();
    let client = client_of(server, client);
    let grantee = Grantee {
        session: Some(session.id.clone()),
        ..grantee(&cx, user, &client, "openid")
    };
    let token = id_token::when_asked(&cx, &client, &grantee, user, &About::default());
    token.unwrap().unwrap().expose().clone()
}
