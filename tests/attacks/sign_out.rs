//! Row O17 and invariant I3: whatever ends something, the very next request with anything that hung on it is refused,
//! also in the midst of others, also after a restart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use admit::domain::access::By;
use admit::domain::admin;
use admit::domain::clients::{Facts, GrantType};
use admit::domain::users::Details;
use serde_json::json;
use tokio::task::yield_now;

use super::{NEW, PING, SESSION, pings, set};
use crate::support::browser::Browser;
use crate::support::client::{Answer, Client};
use crate::support::party::{AUTH_V3, Party, facts, landed};
use crate::support::server::{Server, Setup};

/// Everything one sign-in leaves with a client and a browser.
struct Held {
    access: String,
    refresh: String,
    id_token: String,
    ping: String,
    session: String,
    /// The code the tokens came of.
    spent: String,
    /// Another, not redeemed yet.
    code: String,
}

/// Which of them are still good.
#[derive(Debug, PartialEq, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each thing that is tried"
)]
struct Lives {
    access: bool,
    refresh: bool,
    ping: bool,
    session: bool,
    code: bool,
}

const NONE: Lives = Lives {
    access: false,
    refresh: false,
    ping: false,
    session: false,
    code: false,
};
/// The tokens of the one sign-in are dead, and the browser may go on.
const BROWSER: Lives = Lives {
    session: true,
    code: true,
    ..NONE
};

/// What ends things.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    SignOut,
    SignOutEverywhere,
    ChangePassword,
    Disable,
    DeleteUser,
    ResetPassword,
    DeleteClient,
    RevokeAccess,
    RevokeRefresh,
    ReuseCode,
    ReuseRefresh,
    Logout,
}

const WAYS: [(Way, Lives); 12] = [
    (Way::SignOut, NONE),
    (Way::SignOutEverywhere, NONE),
    (Way::ChangePassword, NONE),
    (Way::Disable, NONE),
    (Way::DeleteUser, NONE),
    (Way::ResetPassword, NONE),
    (
        Way::DeleteClient,
        Lives {
            session: true,
            ..NONE
        },
    ),
    (
        Way::RevokeAccess,
        Lives {
            refresh: true,
            ping: true,
            ..BROWSER
        },
    ),
    (Way::RevokeRefresh, BROWSER),
    (Way::ReuseCode, BROWSER),
    (Way::ReuseRefresh, BROWSER),
    (Way::Logout, NONE),
];

impl Held {
    async fn by(party: &Party<'_>) -> Self {
        let mut browser = Browser::of(party.client);
        let first = party.signed_in(&mut browser, &[]).await;
        let made = party.exchange(&first["code"], &[]).await.ok();
        let second = landed(&browser.get(&party.request(&[("prompt", "none")])).await);
        Self {
            access: made.member("access_token"),
            refresh: made.member("refresh_token"),
            id_token: made.member("id_token"),
            ping: set(&made, PING).unwrap(),
            session: browser.cookie(SESSION).unwrap().to_owned(),
            spent: first["code"].clone(),
            code: second["code"].clone(),
        }
    }

    /// Tries each of them once, those that a try uses up last.
    async fn lives(&self, party: &Party<'_>) -> Lives {
        let client = party.client;
        let granted = |answer: &Answer| match answer.status {
            200 => true,
            400 | 401 => false,
            other => panic!("{other}: {answer:?}"),
        };
        let mut browser = Browser::of(client);
        browser.keep(SESSION, &self.session);
        let silent = browser.get("/auth/v3/ping").await.status == 200;
        Lives {
            access: client.is_alive(&self.access).await,
            ping: pings(client, PING, &self.ping).await,
            session: silent,
            refresh: granted(&party.refresh(&self.refresh).await),
            code: granted(&party.exchange(&self.code, &[]).await),
        }
    }
}

/// Ends something, and comes back when that was answered.
async fn end(way: Way, server: &Server, party: &Party<'_>, held: &Held) {
    let client = party.client;
    let (cx, by) = (server.appliance.own_context(), By::operator());
    let revoked = async |token: &str| {
        let request = client.post("/oauth/revoke");
        let request = request.basic(&party.credentials.id, &party.credentials.secret);
        assert_eq!(request.form(&[("token", token)]).send().await.status, 200);
    };
    match way {
        Way::SignOut => {
            let request = client.get("/auth/v3/sign-out").bearer(&held.access);
            request.send().await.ok();
        }
        Way::SignOutEverywhere => {
            let elsewhere = Held::by(party).await;
            let request = client.post("/auth/v3/sign-out?global=true");
            request.bearer(&elsewhere.access).send().await.ok();
        }
        Way::ChangePassword => {
            let elsewhere = Held::by(party).await;
            let data = json!({"oldPassword": party.person.password, "newPassword": NEW});
            let request = client.post("/auth/v3/change-password");
            let request = request
                .bearer(&elsewhere.access)
                .json(&json!({"data": data}));
            request.send().await.ok();
        }
        Way::Disable => {
            let details = Details {
                disabled: Some(true),
                ..Details::default()
            };
            admin::user::update(&cx, &by, &party.person.id, &details).unwrap();
        }
        Way::DeleteUser => admin::user::delete(&cx, &by, &party.person.id).unwrap(),
        Way::ResetPassword => {
            admin::user::give_password(&cx, &by, &party.person.id, true).unwrap();
        }
        Way::DeleteClient => {
            let id = party.credentials.id.parse().unwrap();
            admin::client::delete(&cx, &by, &id).unwrap();
        }
        Way::RevokeAccess => revoked(&held.access).await,
        Way::RevokeRefresh => revoked(&held.refresh).await,
        Way::ReuseCode => {
            party
                .exchange(&held.spent, &[])
                .await
                .is(400, "invalid_grant");
        }
        Way::ReuseRefresh => {
            party.refresh(&held.refresh).await.ok();
            server.advance(Duration::from_secs(11));
            party.refresh(&held.refresh).await.is(400, "invalid_grant");
        }
        Way::Logout => {
            let request = client
                .get("/oidc/logout")
                .query(&[("id_token_hint", held.id_token.as_str())]);
            let request = request.header("cookie", &format!("{SESSION}={}", held.session));
            request.send().await.ok();
        }
    }
    server.settle(&cx);
}

#[tokio::test]
async fn o17_whatever_ends_a_sign_in_ends_all_that_hung_on_it_at_the_very_next_request() {
    // An address of its own, so that what was signed holds after the restart at another port.
    let server = Server::with(Setup {
        public_url: Some("https://localhost:8443"),
        ..Setup::default()
    })
    .await;
    let client = Client::of(&server);
    let mut dead = Vec::new();
    for (number, (way, expected)) in WAYS.into_iter().enumerate() {
        let party = Party {
            credentials: server.register_client(&server.organization(), facts()),
            person: server.user(&format!("ada{number}"), &[]),
            front: AUTH_V3,
            client: &client,
        };
        // Bystanders: the same person at another client for one client's end, somebody else for a person's.
        let bystander = Party {
            credentials: server.register_client(&server.organization(), facts()),
            person: server.user(&format!("bob{number}"), &[]),
            front: AUTH_V3,
            client: &client,
        };
        let (held, other) = (Held::by(&party).await, Held::by(&bystander).await);
        end(way, &server, &party, &held).await;
        assert_eq!(held.lives(&party).await, expected, "{way:?}");
        let all = Lives {
            access: true,
            refresh: true,
            ping: true,
            ..BROWSER
        };
        assert_eq!(other.lives(&bystander).await, all, "{way:?}: somebody else");
        dead.push((
            way,
            party.credentials.clone(),
            party.person.clone(),
            held,
            expected,
        ));
    }
    drop(client);
    let server = server.restart().await;
    let client = Client::of(&server);
    for (way, credentials, person, held, before) in dead {
        let party = Party {
            client: &client,
            front: AUTH_V3,
            credentials,
            person,
        };
        let now = held.lives(&party).await;
        for (name, before, now) in [
            ("access", before.access, now.access),
            ("refresh", before.refresh, now.refresh),
            ("ping", before.ping, now.ping),
            ("session", before.session, now.session),
        ] {
            assert!(before || !now, "{way:?}: the restart brought back {name}");
        }
        assert!(!now.code, "{way:?}: a code is never good twice");
    }
}

/// One request of a history.
struct Seen {
    what: &'static str,
    began: u64,
    succeeded: bool,
}

/// What happens while somebody signs out, in the order of one counter.
struct History {
    turn: AtomicU64,
    /// The turn at which the sign-out had been answered.
    answered: AtomicU64,
}

impl History {
    fn new() -> Self {
        Self {
            turn: AtomicU64::new(0),
            answered: AtomicU64::new(u64::MAX),
        }
    }

    fn next(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::SeqCst)
    }

    /// Asks again and again, until two requests began after the answer.
    async fn asking(&self, what: &'static str, mut ask: impl AsyncFnMut() -> bool) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut late = 0;
        while late < 2 {
            let began = self.next();
            let is_late = began > self.answered.load(Ordering::SeqCst);
            let succeeded = ask().await;
            seen.push(Seen {
                what,
                began,
                succeeded,
            });
            late += u32::from(is_late);
        }
        seen
    }
}

/// Tokens as a client keeps them while it refreshes.
struct Tokens {
    access: Vec<String>,
    refresh: Vec<String>,
}

async fn refreshing(history: &History, party: &Party<'_>, first: &str) -> (Vec<Seen>, Tokens) {
    let mut tokens = Tokens {
        access: Vec::new(),
        refresh: vec![first.to_owned()],
    };
    let seen = history
        .asking("refresh", async || {
            let newest = tokens.refresh.last().unwrap().clone();
            let answer = party.refresh(&newest).await;
            if answer.status != 200 {
                answer.is(400, "invalid_grant");
                return false;
            }
            tokens.access.push(answer.member("access_token"));
            tokens.refresh.push(answer.member("refresh_token"));
            true
        })
        .await;
    (seen, tokens)
}

async fn introspected(party: &Party<'_>, token: &str) -> bool {
    let request = party.client.post("/oauth/introspect");
    let request = request.basic(&party.credentials.id, &party.credentials.secret);
    let answer = request.form(&[("token", token)]).send().await.ok();
    answer.json()["active"].as_bool().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn o17_no_request_that_began_after_a_global_sign_out_succeeds_in_200_histories() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let facts = Facts {
        grants: Some(vec![GrantType::Password, GrantType::RefreshToken]),
        ..Facts::default()
    };
    let party = Party {
        credentials: server.register_client(&server.organization(), facts),
        person: server.user("ada", &[]),
        front: AUTH_V3,
        client: &client,
    };
    let (mut early, mut late) = (0, 0);
    for round in 0..200_u64 {
        let form = [
            ("grant_type", "password"),
            ("username", "ada"),
            ("password", &party.person.password),
        ];
        let made = party.ask(&form).await.ok();
        // A sign-in of its own: two that refresh one family would end it by coming late with an old token.
        let other = party.ask(&form).await.ok().member("refresh_token");
        let (access, refresh) = (made.member("access_token"), made.member("refresh_token"));
        let ping = set(&made, PING).unwrap();
        let history = History::new();
        let leaving = async {
            while history.turn.load(Ordering::SeqCst) < 4 + round % 23 {
                yield_now().await;
            }
            let request = client.post("/auth/v3/sign-out?global=true").bearer(&access);
            request.send().await.ok();
            history.answered.store(history.next(), Ordering::SeqCst);
        };
        let ((), first, second, told, read, pinged) = tokio::join!(
            leaving,
            refreshing(&history, &party, &refresh),
            refreshing(&history, &party, &other),
            history.asking("introspect", async || introspected(&party, &access).await),
            history.asking("userinfo", async || client.is_alive(&access).await),
            history.asking("ping", async || pings(&client, PING, &ping).await),
        );
        let answered = history.answered.load(Ordering::SeqCst);
        let all = [first.0, second.0, told, read, pinged];
        for seen in all.iter().flatten() {
            let is_late = seen.began > answered;
            assert!(
                !(is_late && seen.succeeded),
                "round {round}: {} after the sign-out",
                seen.what
            );
            early += u32::from(!is_late && seen.succeeded);
            late += u32::from(is_late);
        }
        // What was under way may have been answered after: nothing of it is good for anything.
        for tokens in [first.1, second.1] {
            for token in &tokens.access {
                assert!(
                    !client.is_alive(token).await,
                    "round {round}: an access token of a refresh"
                );
            }
            let newest = tokens.refresh.last().unwrap();
            party.refresh(newest).await.is(400, "invalid_grant");
        }
    }
    println!("{early} requests succeeded before, {late} were refused after");
    assert!(
        early >= 200 && late >= 2_000,
        "{early} before, {late} after"
    );
}

#[tokio::test]
async fn i4_a_client_of_another_organization_ends_and_learns_nothing() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::at(AUTH_V3, &server, &client);
    let elsewhere = server.found("elsewhere");
    let stranger = server.register_client(&elsewhere, facts());
    let held = Held::by(&party).await;
    let asked = async |path: &str, token: &str| {
        let request = client.post(path).basic(&stranger.id, &stranger.secret);
        request.form(&[("token", token)]).send().await
    };
    let nothing = asked("/oauth/introspect", "nonsense").await;
    let unknown = asked("/oauth/revoke", "nonsense").await;
    for token in [
        &held.access,
        &held.refresh,
        &held.id_token,
        &held.ping,
        &held.session,
        &held.code,
    ] {
        let told = asked("/oauth/introspect", token).await;
        assert_eq!((told.status, &told.text), (nothing.status, &nothing.text));
        let revoked = asked("/oauth/revoke", token).await;
        assert_eq!(
            (revoked.status, &revoked.text),
            (unknown.status, &unknown.text)
        );
        for (path, name) in [(AUTH_V3.token, "code"), (AUTH_V3.token, "refresh_token")] {
            let grant = if name == "code" {
                "authorization_code"
            } else {
                name
            };
            let form = [
                ("grant_type", grant),
                (name, token.as_str()),
                ("redirect_uri", "https://app.example.org/cb"),
            ];
            let request = client.post(path).basic(&stranger.id, &stranger.secret);
            request.form(&form).send().await.is(400, "invalid_grant");
        }
    }
    let all = Lives {
        access: true,
        refresh: true,
        ping: true,
        ..BROWSER
    };
    assert_eq!(held.lives(&party).await, all);
}
