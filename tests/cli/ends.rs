//! What a command ends is over for the very next request, and each change is on the record once.

use std::time::Duration;

use admit::domain::access::{By, Role, Roles, Subject};
use admit::domain::admin::{
    self, AdminCommand, AdminReply, AppCommand, ClientCommand, Details, Facts, GrantType,
    KeyPairCommand, NewClient, NewTicket, NewUser, OrgCommand, TicketCommand, TicketKind,
    UserCommand, client, user,
};
use admit::domain::clients;
use admit::domain::sign_in::password::{Attempt, Refusal, check};
use admit::domain::{sessions, sign_in, users};
use admit::kernel::Secret;

use crate::support::client::Client;
use crate::support::server::{Enrolled, Server};

fn carried_out(server: &Server, command: AdminCommand) -> AdminReply {
    let cx = server.appliance.own_context();
    let reply = admin::execute(&cx, command).unwrap();
    server.settle(&cx);
    reply
}

/// Whether the password lets them in.
fn is_let_in(server: &Server, who: &Enrolled) -> bool {
    let cx = server.appliance.own_context();
    let attempt = Attempt {
        tenant: None,
        name: &who.name,
        password: &Secret::new(who.password.clone()),
        device: None,
    };
    match check(&cx, &attempt) {
        Ok(user) => user.id == who.id,
        Err(Refusal::Wrong) => false,
        Err(other) => panic!("{other:?}"),
    }
}

/// The cookie of a browser they sign in with.
fn signed_in(server: &Server, who: &Enrolled) -> Secret<String> {
    let cx = server.appliance.own_context();
    let user = users::find(&cx, &who.id).unwrap().unwrap();
    let cookie = sign_in::begin(&cx, &user, None).unwrap().cookie;
    server.settle(&cx);
    cookie
}

fn is_signed_in(server: &Server, cookie: &Secret<String>) -> bool {
    let cx = server.appliance.own_context();
    sessions::find(&cx, cookie.expose()).unwrap().is_some()
}

#[tokio::test]
async fn a_client_that_is_deleted_takes_its_tokens_with_it_also_over_a_restart() {
    let server = Server::start().await;
    let caller = Client::of(&server);
    let backend = server.register(&server.organization(), &[Role::Agent]);
    let other = server.register(&server.organization(), &[Role::Agent]);
    let (token, kept) = (caller.bearer(&backend).await, caller.bearer(&other).await);
    assert!(caller.is_alive(&token).await);

    let cx = server.appliance.own_context();
    client::delete(&cx, &By::operator(), &backend.id.parse().unwrap()).unwrap();
    server.settle(&cx);
    drop(cx);
    assert!(!caller.is_alive(&token).await && caller.is_alive(&kept).await);
    let form = [("grant_type", "client_credentials")];
    let asked = caller
        .token(Some((&backend.id, &backend.secret)), &form)
        .await;
    asked.is(401, "invalid_client");
    let server = server.restart().await;
    let caller = Client::of(&server);
    let answer = caller.get("/auth/v3/userinfo").bearer(&token).send().await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_rotated_secret_replaces_the_one_before_and_a_role_changes_the_next_token() {
    let server = Server::start().await;
    let caller = Client::of(&server);
    let backend = server.register(&server.organization(), &[Role::Agent]);
    let rotated = carried_out(
        &server,
        AdminCommand::Client(ClientCommand::Rotate {
            id: backend.id.clone(),
            overlap: 0,
        }),
    );
    let AdminReply::Client(rotated) = rotated else {
        panic!("{rotated:?}")
    };
    let secret = rotated.client_secret.unwrap();
    let form = [("grant_type", "client_credentials")];
    let before = caller
        .token(Some((&backend.id, &backend.secret)), &form)
        .await;
    before.is(401, "invalid_client");
    let token = caller
        .token(Some((&backend.id, &secret)), &form)
        .await
        .ok()
        .member("access_token");
    let facts = Box::new(Facts {
        roles: Some(vec![Role::ClientService]),
        ..Facts::default()
    });
    carried_out(
        &server,
        AdminCommand::Client(ClientCommand::Update {
            id: backend.id.clone(),
            facts,
        }),
    );
    let told = async |token: &str| {
        let answer = caller
            .get("/auth/v3/userinfo")
            .bearer(token)
            .send()
            .await
            .ok();
        answer.json()["authorities"].to_string()
    };
    assert!(told(&token).await.contains("ROLE_AGENT"));
    let next = caller
        .token(Some((&backend.id, &secret)), &form)
        .await
        .ok()
        .member("access_token");
    assert!(!told(&next).await.contains("ROLE_AGENT"));
}

#[tokio::test]
async fn a_person_who_is_disabled_deleted_or_given_a_password_is_signed_out_everywhere() {
    let server = Server::start().await;
    let (ann, bob) = (
        server.user("ann", &[Role::Agent]),
        server.user("bob", &[Role::Agent]),
    );
    let bobs = signed_in(&server, &bob);
    assert!(is_let_in(&server, &ann));
    let by_name = |details: Details| UserCommand::Update {
        org: None,
        user: "ann".into(),
        details: Box::new(details),
    };

    let first = signed_in(&server, &ann);
    assert!(is_signed_in(&server, &first));
    carried_out(
        &server,
        AdminCommand::User(by_name(Details {
            display_name: Some("Ann".into()),
            ..Details::default()
        })),
    );
    assert!(is_signed_in(&server, &first), "a new name ends nothing");
    carried_out(
        &server,
        AdminCommand::User(by_name(Details {
            disabled: Some(true),
            ..Details::default()
        })),
    );
    assert!(!is_signed_in(&server, &first) && !is_let_in(&server, &ann));
    carried_out(
        &server,
        AdminCommand::User(by_name(Details {
            disabled: Some(false),
            ..Details::default()
        })),
    );
    assert!(!is_signed_in(&server, &first) && is_let_in(&server, &ann));

    let second = signed_in(&server, &ann);
    let cx = server.appliance.own_context();
    let reset = user::give_password(&cx, &By::operator(), &ann.id, false).unwrap();
    server.settle(&cx);
    let password = reset.password.shown().expose().clone();
    let renewed = Enrolled {
        password,
        ..ann.clone()
    };
    assert!(
        !is_signed_in(&server, &second)
            && !is_let_in(&server, &ann)
            && is_let_in(&server, &renewed)
    );

    let third = signed_in(&server, &renewed);
    carried_out(
        &server,
        AdminCommand::User(UserCommand::Delete {
            org: None,
            user: "ann".into(),
        }),
    );
    assert!(!is_signed_in(&server, &third) && !is_let_in(&server, &renewed));
    assert!(is_signed_in(&server, &bobs) && is_let_in(&server, &bob));
    let again = server.user("ann", &[Role::Agent]);
    assert_ne!(again.id, ann.id);
    assert!(!is_signed_in(&server, &third) && is_let_in(&server, &again));
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a table, and what is done with each row"
)]
async fn each_change_is_on_the_record_once_and_what_only_looks_is_not() {
    let server = Server::start().await;
    let org = || Some("north".to_owned());
    let facts = |facts: Facts| {
        Box::new(NewClient {
            shared: false,
            id: Some("app".parse().unwrap()),
            public: false,
            facts,
        })
    };
    let id = || "app".to_owned();
    let ann = || "ann".to_owned();
    let commands = [
        (
            1,
            AdminCommand::Org(OrgCommand::Create {
                name: "north".into(),
            }),
        ),
        (0, AdminCommand::Org(OrgCommand::List)),
        (
            0,
            AdminCommand::Org(OrgCommand::Show {
                org: "north".into(),
            }),
        ),
        (
            1,
            AdminCommand::Client(ClientCommand::Create {
                org: org(),
                new: facts(Facts::default()),
            }),
        ),
        (0, AdminCommand::Client(ClientCommand::List { org: org() })),
        (0, AdminCommand::Client(ClientCommand::Show { id: id() })),
        (
            1,
            AdminCommand::Client(ClientCommand::Update {
                id: id(),
                facts: Box::new(Facts {
                    name: Some("App".into()),
                    ..Facts::default()
                }),
            }),
        ),
        (
            1,
            AdminCommand::Client(ClientCommand::Rotate {
                id: id(),
                overlap: 0,
            }),
        ),
        (1, AdminCommand::Client(ClientCommand::Delete { id: id() })),
        (
            1,
            AdminCommand::User(UserCommand::Create {
                org: org(),
                new: Box::new(NewUser {
                    name: ann(),
                    details: Details::default(),
                }),
            }),
        ),
        (0, AdminCommand::User(UserCommand::List { org: org() })),
        (
            0,
            AdminCommand::User(UserCommand::Show {
                org: org(),
                user: ann(),
            }),
        ),
        (
            1,
            AdminCommand::User(UserCommand::Update {
                org: org(),
                user: ann(),
                details: Box::new(Details {
                    disabled: Some(true),
                    ..Details::default()
                }),
            }),
        ),
        (
            1,
            AdminCommand::User(UserCommand::Password {
                org: org(),
                user: ann(),
                expired: true,
            }),
        ),
        (
            1,
            AdminCommand::User(UserCommand::Unlock {
                org: org(),
                user: ann(),
            }),
        ),
        (
            1,
            AdminCommand::User(UserCommand::Delete {
                org: org(),
                user: ann(),
            }),
        ),
        (
            1,
            AdminCommand::Ticket(TicketCommand::Create {
                org: None,
                new: Box::new(NewTicket {
                    kind: TicketKind::MultiUse,
                    properties: serde_json::Map::new(),
                    length: None,
                    ttl: None,
                }),
            }),
        ),
        // Ids are bearer secrets.
        (
            1,
            AdminCommand::Ticket(TicketCommand::List {
                org: None,
                after: None,
                standing: None,
                limit: 10,
            }),
        ),
        (0, AdminCommand::App(AppCommand::List { org: org() })),
        (
            0,
            AdminCommand::KeyPair(KeyPairCommand::List { org: org() }),
        ),
        (
            1,
            AdminCommand::Org(OrgCommand::Update {
                org: "north".into(),
                name: "south".into(),
            }),
        ),
        (
            1,
            AdminCommand::Org(OrgCommand::Delete {
                org: "south".into(),
            }),
        ),
    ];
    for (rises, command) in commands {
        let before = server.count("audit");
        let told = format!("{command:?}");
        carried_out(&server, command);
        assert_eq!(server.count("audit") - before, rises, "{told}");
    }
    let before = server.count("audit");
    let cx = server.appliance.own_context();
    let refused = AdminCommand::Client(ClientCommand::Delete {
        id: "customer".into(),
    });
    assert!(admin::execute(&cx, refused).is_err());
    assert_eq!(server.count("audit"), before);
}

#[tokio::test]
async fn o14_switching_on_the_password_or_the_implicit_grant_is_on_the_record() {
    let server = Server::start().await;
    let backend = server.register(&server.organization(), &[]);
    let with = |grants: &[GrantType]| {
        let facts = Box::new(Facts {
            grants: Some(grants.to_vec()),
            redirect_uris: Some(vec!["https://app.example.org/cb".into()]),
            ..Facts::default()
        });
        let before = server.count("audit");
        carried_out(
            &server,
            AdminCommand::Client(ClientCommand::Update {
                id: backend.id.clone(),
                facts,
            }),
        );
        server.count("audit") - before
    };
    assert_eq!(with(&[GrantType::AuthorizationCode]), 1);
    assert_eq!(
        with(&[GrantType::AuthorizationCode, GrantType::Password]),
        2
    );
    assert_eq!(with(&[GrantType::Password]), 1, "it was on already");
    assert_eq!(with(&[GrantType::Password, GrantType::Implicit]), 2);
    assert_eq!(with(&[GrantType::AuthorizationCode]), 1);
    assert_eq!(with(&[GrantType::Password, GrantType::Implicit]), 3);
}

#[tokio::test]
async fn an_administrator_reaches_neither_other_organizations_nor_internal_services() {
    let server = Server::start().await;
    let (home, abroad) = (server.organization(), server.found("abroad"));
    let service = server.register(&home, &[Role::Service]).id.parse().unwrap();
    let foreign = server.register(&abroad, &[Role::Agent]).id.parse().unwrap();
    let admin = server.user("ann", &[Role::Admin]);
    let cx = server.appliance.own_context();
    let user = users::find(&cx, &admin.id).unwrap().unwrap();
    let by = By::subject(&Subject::User(user.id), &home, user.roles);
    let denied = |error: clients::Error| matches!(error, clients::Error::Denied(_));
    let missing = |error: clients::Error| matches!(error, clients::Error::NotFound);

    assert!(clients::register(&cx, &by, &home, &NewClient::default()).is_ok());
    let roles = |role: Role| Facts {
        roles: Some(vec![role]),
        ..Facts::default()
    };
    let new = NewClient {
        shared: false,
        facts: roles(Role::Service),
        ..NewClient::default()
    };
    assert!(denied(
        clients::register(&cx, &by, &home, &new).unwrap_err()
    ));
    assert!(matches!(
        clients::register(&cx, &by, &abroad, &NewClient::default()).unwrap_err(),
        clients::Error::NoOrganization
    ));
    assert!(denied(
        clients::rotate_secret(&cx, &by, &service, Duration::ZERO).unwrap_err()
    ));
    assert!(denied(
        clients::update(&cx, &by, &service, &roles(Role::Agent)).unwrap_err()
    ));
    assert!(denied(client::delete(&cx, &by, &service).unwrap_err()));
    assert!(missing(clients::seen(&cx, &by, &foreign).unwrap_err()));
    assert!(missing(
        clients::rotate_secret(&cx, &by, &foreign, Duration::ZERO).unwrap_err()
    ));
    assert!(missing(client::delete(&cx, &by, &foreign).unwrap_err()));
    assert!(clients::list(&cx, &by, &abroad).is_err());
    let agent = By::subject(&Subject::User(admin.id), &home, Roles::default());
    assert!(denied(clients::list(&cx, &agent, &home).unwrap_err()));
    let public = server.register_public(
        &home,
        Facts {
            redirect_uris: Some(vec!["http://localhost".into()]),
            ..Facts::default()
        },
    );
    assert!(
        clients::seen(&cx, &by, &public.parse().unwrap())
            .unwrap()
            .is_public()
    );
}
