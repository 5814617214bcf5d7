//! What official clients really send, byte for byte, one file per client, and what each reads of the answer.

mod authentication_client_js;
mod console_agent_app;
mod ios_sdk;
mod postman;
mod python_requests;
mod tutorials;

use admit::domain::access::Role;
use admit::domain::clients::{Facts, GrantType};

use crate::support::party::AFTER_LOGOUT;
use crate::support::server::{Credentials, Enrolled, Server};

/// A confidential client as contract B's software is registered, its address a bare origin, with these grants besides.
fn vendors_client(server: &Server, more: &[GrantType]) -> Credentials {
    let usual = [GrantType::AuthorizationCode, GrantType::RefreshToken];
    let facts = Facts {
        grants: Some([&usual, more].concat()),
        redirect_uris: Some(vec![
            "http://localhost".into(),
            "http://localhost:8080".into(),
        ]),
        post_logout_redirect_uris: Some(vec![AFTER_LOGOUT.into()]),
        ..Facts::default()
    };
    server.register_client(&server.organization(), facts)
}

fn person(server: &Server) -> Enrolled {
    server.user("agent", &[Role::Agent])
}
