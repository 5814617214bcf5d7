//! Agents sign in with an authorization code of Genesys Cloud: what is asked there, what comes of the person's
//! permissions, and that nobody gets in without.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use admit::domain::access::By;
use admit::domain::admin::user;
use admit::domain::applications::{Kind, SERVICE_PARAMETERS};
use admit::domain::clients::{self, Facts, GrantType};
use admit::domain::users::{self, Details, User};
use admit::kernel::ApplicationId;
use serde_json::{Value, json};

use crate::support::accounts::claims;
use crate::support::client::{Answer, Client};
use crate::support::server::{Credentials, Server, Setup};
use crate::support::stub::{Asked, Does, Stub, application_with, genesys_at};

const AGENT: &str = "integration:auviousApps:view";
const SUPERVISOR: &str = "ui:supervisorAgentDetails:view";
const ADD: &str = "integrations:integration:add";
const EDIT: &str = "integrations:integration:edit";
const VIEW: &str = "integrations:integration:view";
const PERSON: &str = "5f1d2c34-0000-4000-8000-00000000000A";
const FRONTS: [&str; 2] = ["/security/oauth/token", "/auth/v3/oauth/token"];

/// A Genesys Cloud that knows one code and one person.
fn genesys(name: &str, permissions: &[&str]) -> impl Fn(&Asked) -> Does + Send + Sync + 'static {
    let person = json!({
        "id": PERSON, "name": name, "email": "ann@example.org", "state": "active",
        "authorization": {"roles": [], "permissions": permissions, "permissionPolicies": []},
    });
    move |asked| match asked.path() {
        "/genesys/login/oauth/token" if asked.form("code").as_deref() == Some("right-code") => {
            let token = json!({"access_token": "vendor-token", "token_type": "bearer", "expires_in": 86_399});
            Does::Says(200, token)
        }
        "/genesys/login/oauth/token" => {
            let refusal = json!({"error": "invalid_grant", "description": "bad code", "error_description": "bad code"});
            Does::Says(400, refusal)
        }
        "/api/v2/users/me" => Does::Says(200, person.clone()),
        _ => Does::Says(404, json!({})),
    }
}

async fn set_up(permissions: &[&str]) -> (Server, Client, Stub, ApplicationId) {
    let stub = Stub::start(genesys("Ann Agent", permissions)).await;
    let server = Server::with(Setup {
        upstreams: stub.listed(),
        ..Setup::default()
    })
    .await;
    let client = Client::of(&server);
    let id = installed(&server, &stub, |_| {});
    (server, client, stub, id)
}

fn installed(
    server: &Server,
    stub: &Stub,
    change: impl FnOnce(&mut admit::domain::applications::Application),
) -> ApplicationId {
    let config = json!({"pcEnvironment": "mypurecloud.de", SERVICE_PARAMETERS: genesys_at(stub)});
    application_with(
        server,
        &server.organization(),
        Kind::Genesys,
        &config,
        change,
    )
}

async fn login(client: &Client, application: &str, code: &str) -> Answer {
    login_at(client, FRONTS[0], application, code).await
}

async fn login_at(client: &Client, path: &str, application: &str, code: &str) -> Answer {
    let form = [
        ("grant_type", "password"),
        ("username", application),
        ("password", code),
    ];
    client
        .post(path)
        .basic("agent", "")
        .form(&form)
        .send()
        .await
}

async fn refresh(client: &Client, token: &str) -> Answer {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    client.token(Some(("agent", "")), &form).await
}

/// The one account whom Genesys Cloud vouches for.
fn person(server: &Server) -> User {
    let cx = server.appliance.own_context();
    let all = users::list(&cx, &server.organization()).unwrap();
    let mut vouched = all.into_iter().filter(|user| !user.has_password());
    let found = vouched.next().unwrap();
    assert!(vouched.next().is_none(), "there are two");
    found
}

#[tokio::test]
async fn what_genesys_cloud_permits_says_what_somebody_may_be() {
    let (server, client, stub, id) = set_up(&[]).await;
    let agent = vec!["ROLE_AGENT"];
    let supervisor = vec!["ROLE_AGENT", "ROLE_SUPERVISOR"];
    let admin = vec!["ROLE_AGENT", "ROLE_SUPERVISOR", "ROLE_ADMIN"];
    let rows: [(&[&str], &Vec<&str>, &[&str]); 5] = [
        (&[AGENT, "routing:queue:view"], &agent, &[]),
        (&[SUPERVISOR], &supervisor, &[]),
        (&[AGENT, ADD], &agent, &[ADD]),
        (&[ADD, EDIT, VIEW], &admin, &[ADD, EDIT, VIEW]),
        (&[AGENT, SUPERVISOR, VIEW], &supervisor, &[VIEW]),
    ];
    let mut subjects = Vec::new();
    for (held, authorities, permissions) in rows {
        stub.now(genesys("Ann Agent", held));
        for front in FRONTS {
            let answer = login_at(&client, front, id.as_str(), "right-code")
                .await
                .ok();
            let claims = claims(&answer.member("access_token"));
            assert_eq!(claims["authorities"], json!(authorities), "{held:?}");
            let vouched = json!({"by": id.as_str(), "permissions": permissions});
            assert_eq!(claims["vouched"], vouched, "{held:?}");
            assert_eq!(claims["client_id"], "agent");
            assert_eq!(claims["organization"], server.organization().as_str());
            assert!(claims["auth_time"].is_i64());
            assert!(client.is_alive(&answer.member("access_token")).await);

            let renewed = refresh(&client, &answer.member("refresh_token")).await.ok();
            let renewed = crate::support::accounts::claims(&renewed.member("access_token"));
            assert_eq!(renewed["authorities"], json!(authorities), "{held:?}");
            assert_eq!(renewed["vouched"], vouched, "{held:?}");
            subjects.push(answer.member("sub"));
        }
    }
    subjects.dedup();
    assert_eq!(subjects.len(), 1, "a person has one account: {subjects:?}");
}

#[tokio::test]
async fn the_code_is_redeemed_as_the_application_and_the_person_asked_for_with_what_came_of_it() {
    let (_server, client, stub, id) = set_up(&[AGENT]).await;
    let form = [
        ("grant_type", "password"),
        ("username", id.as_str()),
        ("password", "right-code"),
        ("redirect_uri", "https://app.example.org/back?x=1"),
        ("client_id", "agent"),
    ];
    client.post(FRONTS[0]).form(&form).send().await.ok();
    let asked = stub.taken();
    assert_eq!(asked.len(), 2);
    assert_eq!(
        (asked[0].method(), asked[0].path()),
        ("POST", "/genesys/login/oauth/token")
    );
    assert_eq!(
        asked[0].header("authorization"),
        Some("Basic Z2VuZXN5cy1jbGllbnQ6Z2VuZXN5cy1zZWNyZXQ=")
    );
    assert_eq!(
        asked[0].form("grant_type").as_deref(),
        Some("authorization_code")
    );
    assert_eq!(
        asked[0].form("redirect_uri").as_deref(),
        Some("https://app.example.org/back?x=1")
    );
    assert_eq!(
        (asked[1].method(), asked[1].path()),
        ("GET", "/api/v2/users/me")
    );
    assert_eq!(asked[1].query("expand").as_deref(), Some("authorization"));
    assert_eq!(
        asked[1].header("authorization"),
        Some("Bearer vendor-token")
    );

    let by_name = [
        (
            "grant_type",
            "urn:admit:params:oauth:grant-type:genesys-code",
        ),
        form[1],
        form[2],
        form[4],
    ];
    client.post(FRONTS[1]).form(&by_name).send().await.ok();
    assert_eq!(stub.taken()[0].form("redirect_uri"), None);
}

#[tokio::test]
async fn the_account_is_made_once_and_follows_what_genesys_cloud_says() {
    let (server, client, stub, id) = set_up(&[ADD, EDIT]).await;
    let before = (server.count("users"), server.count("audit"));
    login(&client, id.as_str(), "right-code").await.ok();
    let made = person(&server);
    assert_eq!(
        made.name,
        format!("genesys:{}", PERSON.to_ascii_lowercase())
    );
    assert_eq!(made.display_name.as_deref(), Some("Ann Agent"));
    assert_eq!(made.roles.names(), ["Agent", "Supervisor", "Admin"]);
    assert_eq!(
        (server.count("users"), server.count("audit")),
        (before.0 + 1, before.1 + 2)
    );

    login(&client, id.as_str(), "right-code").await.ok();
    assert_eq!(
        server.count("audit"),
        before.1 + 3,
        "nothing changed but that somebody signed in"
    );
    stub.now(genesys("Ann\u{7} Smith", &[AGENT]));
    login(&client, id.as_str(), "right-code").await.ok();
    let now = person(&server);
    assert_eq!((&now.id, now.dbid), (&made.id, made.dbid));
    assert_eq!(now.display_name.as_deref(), Some("Ann Smith"));
    assert_eq!(now.roles.names(), ["Agent"]);
    // Another application of the same organization knows the same person.
    let other = installed(&server, &stub, |_| {});
    login(&client, other.as_str(), "right-code").await.ok();
    assert_eq!(person(&server).id, made.id);
    // Another organization's does not.
    let elsewhere = server.found("elsewhere");
    let config = json!({SERVICE_PARAMETERS: genesys_at(&stub)});
    let theirs = application_with(&server, &elsewhere, Kind::Genesys, &config, |_| {});
    let answer = login(&client, theirs.as_str(), "right-code").await.ok();
    assert_ne!(answer.member("sub"), made.id.as_str());
    assert_eq!(answer.member("organization"), elsewhere.as_str());
}

#[tokio::test]
async fn whoever_genesys_cloud_permits_nothing_is_refused_and_keeps_nothing() {
    let (server, client, stub, id) = set_up(&[ADD, VIEW, "integration:auviousApps:edit"]).await;
    let users = server.count("users");
    let refused = |answer: Answer| {
        answer.is(400, "invalid_grant");
        assert!(
            answer
                .member("error_description")
                .contains("none of the permissions")
        );
    };
    refused(login(&client, id.as_str(), "right-code").await);
    assert_eq!(
        server.count("users"),
        users,
        "nobody is written down who may nothing"
    );

    stub.now(genesys("Ann", &[AGENT]));
    let signed_in = login(&client, id.as_str(), "right-code").await.ok();
    stub.now(genesys("Ann", &[]));
    refused(login(&client, id.as_str(), "right-code").await);
    let renewed = refresh(&client, &signed_in.member("refresh_token"))
        .await
        .ok();
    let authorities = &claims(&renewed.member("access_token"))["authorities"];
    assert_eq!(
        *authorities,
        json!([]),
        "what was taken away is gone at the next refresh"
    );
}

#[tokio::test]
async fn s5_permissions_withdrawn_at_genesys_cloud_are_gone_from_older_refresh_tokens() {
    let (_server, client, stub, id) = set_up(&[AGENT, ADD, VIEW]).await;
    let older = login(&client, id.as_str(), "right-code").await.ok();
    stub.now(genesys("Ann Agent", &[AGENT, VIEW]));
    login(&client, id.as_str(), "right-code").await.ok();
    let renewed = refresh(&client, &older.member("refresh_token")).await.ok();
    let vouched = |answer: &Answer| claims(&answer.member("access_token"))["vouched"].clone();
    let expected = json!({"by": id.as_str(), "permissions": [VIEW]});
    assert_eq!(vouched(&renewed), expected);

    // Who may nothing here any more keeps none of them.
    stub.now(genesys("Ann Agent", &[ADD, VIEW]));
    login(&client, id.as_str(), "right-code")
        .await
        .is(400, "invalid_grant");
    let renewed = refresh(&client, &renewed.member("refresh_token"))
        .await
        .ok();
    let expected = json!({"by": id.as_str(), "permissions": []});
    assert_eq!(vouched(&renewed), expected);
}

#[tokio::test]
async fn s5_nobody_becomes_an_administrator_by_a_genesys_organization_of_their_own() {
    let (server, client, stub, id) = set_up(&[AGENT, ADD]).await;
    let path = "/security/applications";
    let token = async || {
        let answer = login(&client, id.as_str(), "right-code").await.ok();
        answer.member("access_token")
    };
    let own = json!({"type": "GENESYS", "config": {
        "organizationId": "my-own", "pcEnvironment": "mypurecloud.de", SERVICE_PARAMETERS: genesys_at(&stub),
    }});
    let request = client.post(path).bearer(&token().await).json(&own);
    let made = request.send().await.ok().member("id");

    // To change what is there is no way around it.
    stub.now(genesys("Ann Agent", &[AGENT, EDIT]));
    let token = token().await;
    let item = |id: &str| format!("{path}/{id}");
    let change = client.put(&item(id.as_str())).bearer(&token).json(&own);
    change.send().await.is(403, "access_denied");
    let change = client.put(&item(&made)).bearer(&token).json(&own);
    change.send().await.is(403, "access_denied");

    stub.now(genesys("Ann Agent", &[ADD, EDIT]));
    stub.taken();
    login(&client, &made, "right-code")
        .await
        .says(400, "invalid_grant", "Bad credentials");
    assert!(stub.asked().is_empty(), "nobody is asked");
    // An administrator answers for it.
    let admin = client.bearer(&server.first_client()).await;
    let change = client.put(&item(&made)).bearer(&admin).json(&own);
    assert_eq!(change.send().await.status, 204);
    login(&client, &made, "right-code").await.ok();
}

#[tokio::test]
async fn an_application_that_listings_do_not_show_lets_agents_in() {
    let (server, client, stub, _id) = set_up(&[AGENT]).await;
    let hidden = installed(&server, &stub, |one| one.is_visible = false);
    login(&client, hidden.as_str(), "right-code").await.ok();
}

#[tokio::test]
async fn a_disabled_account_is_refused_whatever_genesys_cloud_says() {
    let (server, client, _stub, id) = set_up(&[AGENT]).await;
    let signed_in = login(&client, id.as_str(), "right-code").await.ok();
    let cx = server.appliance.own_context();
    let disabled = |yes| Details {
        disabled: Some(yes),
        ..Details::default()
    };
    let whose = person(&server).id;
    user::update(&cx, &By::operator(), &whose, &disabled(true)).unwrap();
    server.settle(&cx);
    assert!(!client.is_alive(&signed_in.member("access_token")).await);
    refresh(&client, &signed_in.member("refresh_token"))
        .await
        .is(400, "invalid_grant");
    for _ in 0..2 {
        let answer = login(&client, id.as_str(), "right-code").await;
        answer.says(400, "invalid_grant", "this person's account is disabled");
    }
    user::update(&cx, &By::operator(), &whose, &disabled(false)).unwrap();
    server.settle(&cx);
    login(&client, id.as_str(), "right-code").await.ok();
}

/// A client that may ask with people's passwords.
fn asks_with_passwords(server: &Server) -> Credentials {
    let facts = Facts {
        grants: Some(vec![GrantType::Password]),
        ..Facts::default()
    };
    server.register_client(&server.organization(), facts)
}

#[tokio::test]
async fn o12_nobody_signs_in_by_password_whom_genesys_cloud_vouches_for() {
    let (server, client, _stub, id) = set_up(&[ADD, EDIT]).await;
    let token = login(&client, id.as_str(), "right-code")
        .await
        .ok()
        .member("access_token");
    let whose = person(&server);
    let asks = asks_with_passwords(&server);
    let tried = async |name: &str, password: &str| {
        let form = [
            ("grant_type", "password"),
            ("username", name),
            ("password", password),
        ];
        client.token(Some((&asks.id, &asks.secret)), &form).await
    };
    for password in ["x", "right-code", "$argon2id$", PERSON] {
        let answer = tried(&whose.name, password).await;
        answer.says(400, "invalid_grant", "Bad credentials");
        let answer = tried(&format!("default\\{}", whose.name.to_uppercase()), password).await;
        answer.says(400, "invalid_grant", "Bad credentials");
    }
    let change = json!({"data": {"oldPassword": "x", "newPassword": "seven small boats"}});
    let change = client
        .post("/auth/v3/change-password")
        .bearer(&token)
        .json(&change);
    let answer = change.send().await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert!(!person(&server).has_password());

    let cx = server.appliance.own_context();
    let given = user::give_password(&cx, &By::operator(), &whose.id, false);
    assert!(matches!(given, Err(users::Error::Invalid(_))));
    let ask = Details {
        expired: Some(true),
        ..Details::default()
    };
    user::update(&cx, &By::operator(), &whose.id, &ask).unwrap();
    server.settle(&cx);
    tried(&whose.name, "x")
        .await
        .says(400, "invalid_grant", "Bad credentials");
}

#[tokio::test]
async fn o12_a_password_for_such_an_account_takes_as_long_as_any_other() {
    let (server, client, _stub, id) = set_up(&[AGENT]).await;
    login(&client, id.as_str(), "right-code").await.ok();
    let whose = person(&server).name;
    let asks = asks_with_passwords(&server);
    let took = async |name: &str| {
        let mut shortest = Duration::MAX;
        // Within what is looked at without a wait.
        for _ in 0..4 {
            let form = [
                ("grant_type", "password"),
                ("username", name),
                ("password", "x"),
            ];
            let asked = Instant::now();
            let answer = client.token(Some((&asks.id, &asks.secret)), &form).await;
            shortest = shortest.min(asked.elapsed());
            answer.is(400, "invalid_grant");
        }
        shortest
    };
    let (vouched, usual) = (took(&whose).await, took("admin").await);
    let ratio = vouched.as_secs_f64() / usual.as_secs_f64();
    assert!((0.4..2.5).contains(&ratio), "{vouched:?} and {usual:?}");
}

#[tokio::test]
async fn an_application_that_cannot_be_meant_is_like_one_that_is_not_there() {
    let (server, client, stub, id) = set_up(&[AGENT]).await;
    let own = server.organization();
    let config = json!({"pcEnvironment": "mypurecloud.de", SERVICE_PARAMETERS: genesys_at(&stub)});
    let of = |kind: Kind| application_with(&server, &own, kind, &config, |_| {}).to_string();
    let bare = json!({"pcEnvironment": "mypurecloud.de"});
    let names = [
        "00000000-0000-4000-8000-000000000000".to_owned(),
        "no such id, in no grammar".to_owned(),
        "x".repeat(5_000),
        of(Kind::Test),
        of(Kind::TalkdeskOpenId),
        of(Kind::NiceCxoneOpenId),
        installed(&server, &stub, |one| one.vouches = false).to_string(),
        installed(&server, &stub, |one| one.expires_at = Some(one.created_at)).to_string(),
        application_with(&server, &own, Kind::Genesys, &bare, |_| {}).to_string(),
    ];
    for name in &names {
        let answer = login(&client, name, "right-code").await;
        answer.says(400, "invalid_grant", "Bad credentials");
    }
    assert!(stub.asked().is_empty(), "nobody is asked");
    login(&client, id.as_str(), "right-code").await.ok();
    let form = [("grant_type", "password"), ("username", id.as_str())];
    client
        .token(Some(("agent", "")), &form)
        .await
        .is(400, "invalid_request");
}

#[tokio::test]
async fn o13_wrong_codes_are_held_down_by_network_and_application() {
    let (server, client, stub, id) = set_up(&[AGENT]).await;
    let other = installed(&server, &stub, |_| {});
    for _ in 0..30 {
        login(&client, id.as_str(), "wrong")
            .await
            .is(400, "invalid_grant");
    }
    assert_eq!(stub.taken().len(), 30);
    for code in ["wrong", "right-code"] {
        let answer = login(&client, id.as_str(), code).await;
        answer.is(429, "too_many_requests");
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=3_600).contains(&wait), "{wait}");
    }
    assert!(stub.taken().is_empty(), "nobody is asked any more");
    login(&client, other.as_str(), "right-code").await.ok();
    let elsewhere = Client::from(&server, [127, 0, 7, 1].into());
    login(&elsewhere, id.as_str(), "right-code").await.ok();
    // Whether there is an application makes no difference.
    for _ in 0..30 {
        login(&client, "nothing", "wrong")
            .await
            .is(400, "invalid_grant");
    }
    login(&client, "nothing", "wrong")
        .await
        .is(429, "too_many_requests");
    server.advance(Duration::from_hours(1));
    login(&client, id.as_str(), "right-code").await.ok();
}

#[tokio::test]
async fn o13_many_at_once_are_no_way_around_the_budget_and_right_ones_use_none_of_it() {
    let (server, client, stub, id) = set_up(&[AGENT]).await;
    for _ in 0..100 {
        login(&client, id.as_str(), "right-code").await.ok();
    }
    stub.taken();
    let (client, server) = (Arc::new(client), Arc::new(server));
    let asked = (0..200).map(|_| {
        let (client, id) = (Arc::clone(&client), id.clone());
        tokio::spawn(async move { login(&client, id.as_str(), "wrong").await.status })
    });
    let mut statuses = Vec::new();
    for one in asked.collect::<Vec<_>>() {
        statuses.push(one.await.unwrap());
    }
    assert!(
        statuses.iter().all(|status| [400, 429].contains(status)),
        "{statuses:?}"
    );
    let looked_at = stub.asked().len();
    assert!((30..=90).contains(&looked_at), "{looked_at}");
    let _ = &server;
}

#[tokio::test]
async fn every_failure_of_genesys_cloud_is_an_error_in_words_and_no_wrong_code() {
    let (server, client, stub, id) = set_up(&[AGENT]).await;
    let token = || Does::Says(200, json!({"access_token": "t", "expires_in": 60}));
    let client_refused =
        json!({"error": "invalid_client", "error_description": "authentication failed"});
    let rows = [
        (
            "/genesys/login/oauth/token",
            Does::Says(400, client_refused),
        ),
        ("/genesys/login/oauth/token", Does::Says(401, json!({}))),
        ("/genesys/login/oauth/token", Does::Says(500, json!({}))),
        ("/genesys/login/oauth/token", Does::Closes),
        (
            "/genesys/login/oauth/token",
            Does::Says(200, json!({"token": "none"})),
        ),
        (
            "/genesys/login/oauth/token",
            Does::Says(200, json!({"access_token": "line\nbreak"})),
        ),
        (
            "/genesys/login/oauth/token",
            Does::Writes(429, "retry-after: 9\r\n".into(), Vec::new()),
        ),
        ("/api/v2/users/me", Does::Says(401, json!({}))),
        (
            "/api/v2/users/me",
            Does::Says(403, json!({"code": "missing.permission"})),
        ),
        ("/api/v2/users/me", Does::Says(503, json!({}))),
        (
            "/api/v2/users/me",
            Does::Says(200, json!({"id": PERSON, "name": "x"})),
        ),
        (
            "/api/v2/users/me",
            Does::Says(
                200,
                json!({"id": "../x", "authorization": {"permissions": [AGENT]}}),
            ),
        ),
        (
            "/api/v2/users/me",
            Does::Writes(302, format!("location: {}\r\n", stub.origin()), Vec::new()),
        ),
        ("/api/v2/users/me", Does::Closes),
    ];
    let users = server.count("users");
    for _ in 0..3 {
        for (at, does) in rows.clone() {
            let told = format!("{at} {does:?}");
            stub.now(move |asked| {
                if asked.path() == at {
                    does.clone()
                } else {
                    token()
                }
            });
            for front in FRONTS {
                let answer = login_at(&client, front, id.as_str(), "right-code").await;
                answer.is(503, "temporarily_unavailable");
                assert!(
                    answer.member("error_description").contains("Genesys Cloud"),
                    "{told}"
                );
                let wait = if told.contains("429") { "9" } else { "5" };
                assert_eq!(answer.header("retry-after"), wait, "{told}");
            }
        }
    }
    assert_eq!(server.count("users"), users);
    stub.now(genesys("Ann", &[AGENT]));
    login(&client, id.as_str(), "right-code").await.ok();
}

#[tokio::test]
async fn an_application_removed_while_genesys_cloud_is_asked_lets_nobody_in() {
    let (server, client, stub, id) = set_up(&[AGENT]).await;
    let server = Arc::new(server);
    let usual = genesys("Ann", &[AGENT]);
    let moved = Arc::clone(&server);
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let name = id.clone();
    let gone = Mutex::new(());
    stub.now(move |asked| {
        let _one = gone.lock().unwrap();
        if asked.path() == "/api/v2/users/me" && count.fetch_add(1, Ordering::SeqCst) == 0 {
            let own = moved.organization();
            application_with(&moved, &own, Kind::Genesys, &json!({}), |one| {
                one.id = name.clone();
                one.expires_at = Some(one.created_at);
            });
        }
        usual(asked)
    });
    let users = server.count("users");
    let answer = login(&client, id.as_str(), "right-code").await;
    answer.says(400, "invalid_grant", "Bad credentials");
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    assert_eq!(server.count("users"), users);
}

#[tokio::test]
async fn the_agents_client_stays_and_only_the_operator_changes_it() {
    let server = Server::start().await;
    let cx = server.appliance.own_context();
    let id = "agent".parse().unwrap();
    let agent = clients::find(&cx, &id).unwrap().unwrap();
    assert!(agent.is_public() && agent.is_shared);
    let words: Vec<&str> = agent.grants.iter().map(|grant| grant.word()).collect();
    assert_eq!(
        words,
        [
            "urn:admit:params:oauth:grant-type:genesys-code",
            "refresh_token"
        ]
    );
    let gone = admit::domain::admin::client::delete(&cx, &By::operator(), &id);
    assert!(matches!(gone, Err(clients::Error::Kept)));
    let client = Client::of(&server);
    let secret = [
        ("grant_type", "password"),
        ("username", "x"),
        ("password", "y"),
    ];
    client
        .token(Some(("agent", "guess")), &secret)
        .await
        .is(401, "invalid_client");
    let own = [("grant_type", "client_credentials")];
    client
        .token(Some(("agent", "")), &own)
        .await
        .is(401, "invalid_client");
}

#[tokio::test]
async fn a_client_lets_only_its_own_organizations_people_in() {
    let (server, client, stub, id) = set_up(&[AGENT]).await;
    let elsewhere = server.found("elsewhere");
    let facts = || Facts {
        grants: Some(vec![GrantType::GenesysCode]),
        ..Facts::default()
    };
    let (own, other) = (
        server.register_client(&server.organization(), facts()),
        server.register_client(&elsewhere, facts()),
    );
    let form = [
        (
            "grant_type",
            "urn:admit:params:oauth:grant-type:genesys-code",
        ),
        ("username", id.as_str()),
        ("password", "right-code"),
    ];
    let tried = async |by: &Credentials| client.token(Some((&by.id, &by.secret)), &form).await;
    let body: Value = tried(&own).await.ok().json();
    assert!(body.get("refresh_token").is_none());
    stub.taken();
    tried(&other)
        .await
        .says(400, "invalid_grant", "Bad credentials");
    assert!(stub.asked().is_empty());
    let first = server.first_client();
    tried(&first).await.is(401, "invalid_client");
}
