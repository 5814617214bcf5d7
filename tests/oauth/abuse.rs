//! What attackers try (security.md table O): rows O1, O2, O4 to O8 and O14.

use std::time::Duration;

use admit::domain::access::By;
use admit::domain::clients::{self, Facts, GrantType};
use admit::domain::users;
use admit::kernel::{Entropy, SeededEntropy};
use serde_json::Value;

use super::{S256, Scene, other, stays, switch_on, text};
use crate::support::accounts::signed_in_as;
use crate::support::browser::Form;
use crate::support::client::{Answer, Client};
use crate::support::near_misses::{near_misses, near_misses_of_an_origin};
use crate::support::party::{AFTER_LOGOUT, CALLBACK, FRONTS, VERIFIER, facts, landed};
use crate::support::server::{Credentials, Server, Setup};

/// A server whose tokens stay believed when it comes back at another port.
async fn settled() -> Server {
    Server::with(Setup {
        public_url: Some("https://localhost:8443"),
        ..Setup::default()
    })
    .await
}

/// How one part of an exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Right,
    Wrong,
    Absent,
}
use Part::{Absent, Right, Wrong};

const PARTS: [Part; 3] = [Right, Wrong, Absent];

struct Cell<'p> {
    code: &'p str,
    right: &'p Credentials,
    wrong: &'p Credentials,
    of: [Part; 3],
}

impl Cell<'_> {
    async fn ask(&self, scene: &Scene<'_>) -> Answer {
        let [client, redirect, verifier] = self.of;
        let mut form = vec![("grant_type", "authorization_code"), ("code", self.code)];
        match redirect {
            Right => form.push(("redirect_uri", CALLBACK)),
            Wrong => form.push(("redirect_uri", "https://app.example.org/other")),
            Absent => {}
        }
        match verifier {
            Right => form.push(("code_verifier", VERIFIER)),
            Wrong => form.push((
                "code_verifier",
                "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong",
            )),
            Absent => {}
        }
        match client {
            Right => scene.ask_as(self.right, &form).await,
            Wrong => scene.ask_as(self.wrong, &form).await,
            Absent => scene.ask_bare(&form).await,
        }
    }
}

#[tokio::test]
async fn o1_of_27_ways_to_present_a_code_one_works_and_a_wrong_verifier_burns_it() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let wrong = other(&server, |_| ());
    let right = scene.party.credentials.clone();
    for front in FRONTS {
        scene.at(front);
        let mut succeeded = Vec::new();
        for cell in 0..27 {
            let of = [PARTS[cell / 9], PARTS[cell / 3 % 3], PARTS[cell % 3]];
            let code = scene.code(&S256).await;
            let cell = |of| Cell {
                code: &code,
                right: &right,
                wrong: &wrong,
                of,
            };
            let answer = cell(of).ask(&scene).await;
            if answer.status == 200 {
                succeeded.push(of);
                continue;
            }
            match of[0] {
                Absent => answer.is(401, "invalid_client"),
                Right | Wrong => answer.is(400, "invalid_grant"),
            }
            // Whoever is its owner burns it with any mistake; whoever is not cannot.
            let after = cell([Right; 3]).ask(&scene).await;
            if of[0] == Right {
                after.is(400, "invalid_grant");
            } else {
                after.ok();
            }
        }
        assert_eq!(succeeded, [[Right; 3]]);
    }
}

#[tokio::test]
async fn o2_a_second_use_by_the_owner_ends_all_that_came_of_a_code_at_once_and_for_good() {
    let mut server = settled().await;
    for (front, name) in FRONTS.into_iter().zip(["ann", "bob"]) {
        let client = Client::of(&server);
        let mut scene = Scene::named(&server, &client, name);
        scene.at(front);
        let bystander = scene.tokens(&[]).await;
        let code = scene.code(&[]).await;
        let first = scene.party.exchange(&code, &[]).await.ok().json();
        let renewed = scene.party.refresh(text(&first, "refresh_token")).await;
        let renewed = renewed.ok().json();
        assert_eq!(scene.lives(&renewed).await, [true; 3]);
        scene
            .party
            .exchange(&code, &[])
            .await
            .is(400, "invalid_grant");
        let dead = async |scene: &Scene<'_>| {
            for reply in [&first, &renewed] {
                assert_eq!(scene.lives(reply).await, [false; 3]);
                let bearer = text(reply, "access_token");
                let about = scene.client.get("/oidc/userinfo").bearer(bearer);
                about.send().await.is(401, "invalid_token");
                let refresh = scene.party.refresh(text(reply, "refresh_token")).await;
                refresh.is(400, "invalid_grant");
            }
            assert_eq!(scene.lives(&bystander).await, [true; 3]);
        };
        dead(&scene).await;
        let (credentials, person) = (scene.party.credentials.clone(), scene.party.person.clone());
        drop(scene);
        server = server.restart().await;
        let client = Client::of(&server);
        let mut scene = Scene::again(&server, &client, credentials, person);
        scene.at(front);
        dead(&scene).await;
        scene
            .party
            .exchange(&code, &[])
            .await
            .is(400, "invalid_grant");
    }
}

#[tokio::test]
async fn o2_a_second_use_after_a_restart_ends_what_the_first_issued_before_it() {
    let server = settled().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let code = scene.code(&[]).await;
    let first = scene.party.exchange(&code, &[]).await.ok().json();
    let (credentials, person) = (scene.party.credentials.clone(), scene.party.person.clone());
    drop(scene);
    let server = server.restart().await;
    let client = Client::of(&server);
    let scene = Scene::again(&server, &client, credentials, person);
    assert_eq!(scene.lives(&first).await, [true; 3]);
    // Long past the code's own minute: what it issued is still found.
    server.advance(Duration::from_hours(1));
    scene
        .party
        .exchange(&code, &[])
        .await
        .is(400, "invalid_grant");
    assert_eq!(scene.lives(&first).await, [false; 3]);
}

#[tokio::test]
async fn o2_a_second_use_by_anybody_else_has_no_effect() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let stranger = other(&server, |_| ());
    let public = server.register_public(&server.organization(), facts());
    for front in FRONTS {
        scene.at(front);
        let code = scene.code(&[]).await;
        let first = scene.party.exchange(&code, &[]).await.ok().json();
        let form = super::exchange(&code);
        scene
            .ask_as(&stranger, &form)
            .await
            .is(400, "invalid_grant");
        let mut named = form.clone();
        named.push(("client_id", &public));
        scene.ask_bare(&named).await.is(400, "invalid_grant");
        scene.ask_bare(&form).await.is(401, "invalid_client");
        let unproved = Credentials {
            id: scene.party.credentials.id.clone(),
            secret: "wrong".into(),
        };
        scene
            .ask_as(&unproved, &form)
            .await
            .is(401, "invalid_client");
        assert_eq!(scene.lives(&first).await, [true; 3]);
        scene
            .party
            .refresh(text(&first, "refresh_token"))
            .await
            .ok();
    }
}

/// A refresh family as it should be.
struct Family {
    tokens: Vec<String>,
    accesses: Vec<String>,
    /// Until when the token before its newest is forgiven.
    forgiven_until: Duration,
    is_over: bool,
}

impl Family {
    fn begun(reply: &Value, now: Duration) -> Self {
        Self {
            tokens: vec![text(reply, "refresh_token").to_owned()],
            accesses: vec![text(reply, "access_token").to_owned()],
            forgiven_until: now + GRACE,
            is_over: false,
        }
    }

    /// What presenting the token of this place must give: its successor's place, or nothing.
    fn presented(&mut self, at: usize, now: Duration) -> Option<usize> {
        if self.is_over {
            return None;
        }
        let newest = self.tokens.len() - 1;
        let forgiven = at + 1 == newest && now < self.forgiven_until;
        if at == newest {
            self.forgiven_until = now + GRACE;
        } else if !forgiven {
            self.is_over = true;
            return None;
        }
        Some(at + 1)
    }
}

const GRACE: Duration = Duration::from_secs(10);

/// One long story: which family, which of its tokens, and how much later. How many of its four families ended.
async fn story(seed: u64) -> usize {
    let chance: &dyn Entropy = &SeededEntropy::new(seed);
    let below = |most: usize| usize::from(u16::from_be_bytes(chance.bytes::<2>())) % most;
    let mut server = settled().await;
    let mut client = Client::of(&server);
    let mut now = Duration::ZERO;
    let (credentials, person, mut families) = {
        let mut scene = Scene::of(&server, &client);
        let mut families = Vec::new();
        for at in 0..4 {
            scene.at(FRONTS[at % 2]);
            families.push(Family::begun(&scene.tokens(&[]).await, now));
        }
        let party = &scene.party;
        (party.credentials.clone(), party.person.clone(), families)
    };
    for step in 0..60 {
        if step % 20 == 19 {
            server = server.restart().await;
            client = Client::of(&server);
        }
        let mut scene = Scene::again(&server, &client, credentials.clone(), person.clone());
        let later = Duration::from_secs([0, 0, 1, 4, 10, 11][below(6)]);
        server.advance(later);
        now += later;
        let family = &mut families[below(4)];
        // Mostly the newest or the one before, now and then an older one.
        let newest = family.tokens.len() - 1;
        let behind = match below(32) {
            0..=27 => 0,
            28..=30 => 1,
            _ => below(8),
        };
        let at = newest.saturating_sub(behind);
        let answer = scene
            .at(FRONTS[below(2)])
            .party
            .refresh(&family.tokens[at])
            .await;
        match family.presented(at, now) {
            None => answer.is(400, "invalid_grant"),
            Some(next) => {
                let reply = answer.ok().json();
                let token = text(&reply, "refresh_token");
                family
                    .accesses
                    .push(text(&reply, "access_token").to_owned());
                match family.tokens.get(next) {
                    Some(known) => {
                        assert_eq!(token, known, "one successor: seed {seed} step {step}");
                    }
                    None => family.tokens.push(token.to_owned()),
                }
            }
        }
        for family in &families {
            let told = format!("seed {seed}, step {step}");
            for access in [&family.accesses[0], family.accesses.last().unwrap()] {
                assert_eq!(client.is_alive(access).await, !family.is_over, "{told}");
            }
            let newest = family.tokens.last().unwrap();
            assert_eq!(scene.is_active(newest).await, !family.is_over, "{told}");
        }
    }
    families.iter().filter(|family| family.is_over).count()
}

#[tokio::test]
async fn o4_in_any_tree_of_refreshes_a_reuse_ends_its_own_family_and_no_other_across_restarts() {
    let mut over = 0;
    for seed in 0..6 {
        over += story(seed).await;
    }
    assert!(0 < over && over < 24, "both fates are told: {over} of 24");
}

#[tokio::test]
async fn o5_a_refresh_by_another_client_or_for_more_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let stranger = other(&server, |_| ());
    let public = Credentials {
        id: server.register_public(&server.organization(), facts()),
        secret: String::new(),
    };
    let right = scene.party.credentials.clone();
    let unproved = Credentials {
        id: right.id.clone(),
        secret: String::new(),
    };
    for front in FRONTS {
        scene.at(front);
        let reply = scene.tokens(&[("scope", "openid email")]).await;
        let token = text(&reply, "refresh_token").to_owned();
        let none = None;
        for (who, scope, status, error) in [
            (&stranger, none, 400, "invalid_grant"),
            (&stranger, Some("openid"), 400, "invalid_grant"),
            (&public, none, 400, "invalid_grant"),
            (&unproved, none, 401, "invalid_client"),
            (&right, Some("openid email profile"), 400, "invalid_scope"),
            (&right, Some("*"), 400, "invalid_scope"),
            (&right, Some("Email"), 400, "invalid_scope"),
            (&right, Some("openid nonsense"), 400, "invalid_scope"),
        ] {
            let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", &*token)];
            form.extend(scope.map(|scope| ("scope", scope)));
            scene.ask_as(who, &form).await.is(status, error);
            assert_eq!(scene.lives(&reply).await, [true; 3], "{scope:?}");
            // Had it been used up, this would be a reuse.
            server.advance(GRACE);
        }
        let last = scene.party.refresh(&token).await.ok().json();
        assert_eq!(last["scope"], "openid email");
    }
}

#[tokio::test]
async fn o6_no_way_of_leaving_pkce_out_or_weakening_it_leads_to_tokens() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let method = "code_challenge_method";
    let plain = [("code_challenge", VERIFIER), (method, "plain")];
    let unnamed = [("code_challenge", VERIFIER), (method, "")];
    let alone = [("code_challenge", ""), S256[1]];
    let absent = [("code_challenge", ""), (method, "")];
    let wrong = "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong";
    for public in [false, true] {
        if public {
            scene = scene.public(|_| ());
        }
        for front in FRONTS {
            scene.at(front);
            for challenge in [plain, unnamed, alone] {
                let landed = scene.landed(&challenge).await;
                assert_eq!(landed["error"], "invalid_request", "{challenge:?}");
            }
            if public {
                assert_eq!(scene.landed(&absent).await["error"], "invalid_request");
            }
            for (challenge, verifier, works) in [
                (absent, None, !public),
                (absent, Some(VERIFIER), false),
                (S256, None, false),
                (S256, Some(wrong), false),
                (S256, Some(S256[0].1), false),
                (S256, Some(VERIFIER), true),
            ] {
                if public && challenge == absent {
                    continue;
                }
                let code = scene.code(&challenge).await;
                let more: Vec<_> = verifier
                    .map(|it| ("code_verifier", it))
                    .into_iter()
                    .collect();
                let answer = scene.party.exchange(&code, &more).await;
                if works {
                    answer.ok();
                } else {
                    answer.is(400, "invalid_grant");
                }
            }
        }
    }
}

#[tokio::test]
async fn o7_200_generated_near_misses_of_a_redirect_uri_redirect_nowhere() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let misses = near_misses(CALLBACK);
    assert!(misses.len() > 200, "only {}", misses.len());
    for front in FRONTS {
        scene.at(front);
        assert!(
            scene.landed(&[]).await.contains_key("code"),
            "or it proves nothing"
        );
        for miss in &misses {
            goes_nowhere(&mut scene, miss).await;
        }
        // By POST, and with an error to send: as little.
        for miss in misses.iter().step_by(5) {
            let path = scene
                .party
                .request(&[("redirect_uri", miss), ("response_type", "x")]);
            stays(&scene.browser.get(&path).await, miss);
            let (endpoint, query) = path.split_once('?').unwrap();
            let posted = client
                .post(endpoint)
                .header("cookie", &scene.browser.cookies())
                .body("application/x-www-form-urlencoded", query.to_owned());
            stays(&posted.send().await, miss);
        }
    }
}

#[tokio::test]
async fn o7_200_generated_near_misses_of_an_origin_without_a_path_redirect_nowhere() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let origin = "https://app.example.org";
    let mut scene =
        Scene::of(&server, &client).with(|facts| facts.redirect_uris = Some(vec![origin.into()]));
    let misses = near_misses_of_an_origin(origin);
    assert!(misses.len() > 200, "only {}", misses.len());
    for front in FRONTS {
        scene.at(front);
        for miss in &misses {
            goes_nowhere(&mut scene, miss).await;
        }
    }
}

/// Every other request as software makes it.
async fn goes_nowhere(scene: &mut Scene<'_>, miss: &str) {
    let changes = [("redirect_uri", miss)];
    let page = scene.asked(&changes).await;
    stays(&page, miss);
    assert!(
        page.header("content-type").starts_with("text/html"),
        "{miss:?}"
    );
    let asked = scene.client.get(&scene.party.request(&changes));
    let asked = asked.header("cookie", &scene.browser.cookies());
    let asked = asked.send().await;
    stays(&asked, miss);
    asked.is(400, "invalid_request");
}

#[tokio::test]
async fn o7_no_near_miss_gets_through_the_sign_in_page_or_with_the_users_own_password() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    scene.browser.forget("__Host-admit-session");
    let page = scene.browser.get("/auth/sign-in.html").await.ok();
    let (name, password) = (
        scene.party.person.name.clone(),
        scene.party.person.password.clone(),
    );
    let form = Form::of(&page.text)
        .with("username", &name)
        .with("password", &password);
    for miss in near_misses(CALLBACK).iter().step_by(7) {
        for front in FRONTS {
            scene.at(front);
            let path = scene.party.request(&[("redirect_uri", miss)]);
            let (_, query) = path.split_once('?').unwrap();
            let kind = if front.issuer.is_empty() {
                "security"
            } else {
                "auth_v3"
            };
            let page = format!("/auth/sign-in.html?{query}&front={kind}");
            stays(&scene.browser.get(&page).await, miss);
            let mut posted = form.clone();
            posted.action = page;
            stays(&scene.browser.post(&posted).await, miss);
            if !front.issuer.is_empty() {
                let asked = client.get(&path).basic(&name, &password).send().await;
                asked.is(400, "invalid_request");
                stays(&asked, miss);
            }
        }
    }
    assert!(scene.browser.cookie("__Host-admit-session").is_none());
}

#[tokio::test]
async fn o7_a_parameter_given_twice_is_refused_on_the_spot() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        let path = scene.party.request(&S256);
        let (_, query) = path.split_once('?').unwrap();
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        assert!(pairs.len() >= 8, "{pairs:?}");
        for (name, value) in &pairs {
            for value in [value, "https://evil.example/cb"] {
                let again = form_urlencoded::Serializer::new(String::new())
                    .append_pair(name, value)
                    .finish();
                for path in [
                    format!("{path}&{again}"),
                    path.replacen('?', &format!("?{again}&"), 1),
                ] {
                    stays(&scene.browser.get(&path).await, &path);
                    let asked = client.get(&path).header("cookie", &scene.browser.cookies());
                    asked.send().await.is(400, "invalid_request");
                }
            }
        }
    }
}

#[tokio::test]
async fn o8_200_generated_near_misses_at_contract_bs_sign_out_redirect_nowhere_and_end_the_token() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let scene = Scene::of(&server, &client);
    let cx = server.appliance.own_context();
    let user = users::find(&cx, &scene.party.person.id).unwrap().unwrap();
    let id = &scene.party.credentials.id;
    let misses = near_misses(AFTER_LOGOUT);
    assert!(misses.len() > 200, "only {}", misses.len());
    let ask = async |method: &str, uri: &str| {
        let made = signed_in_as(&server, &user, id, "*");
        let request = client.request(method, "/auth/v3/sign-out");
        let request = request.query(&[("redirectUri", uri)]).bearer(&made.token);
        let answer = request.send().await;
        assert!(!client.is_alive(&made.token).await, "{method} {uri:?}");
        answer
    };
    let sent = ask("GET", AFTER_LOGOUT).await;
    assert_eq!((sent.status, sent.header("location")), (302, AFTER_LOGOUT));
    // A sign-in's own address is none for signing out.
    for (at, miss) in misses
        .iter()
        .map(String::as_str)
        .chain([CALLBACK])
        .enumerate()
    {
        let method = if at % 2 == 0 { "GET" } else { "POST" };
        let answer = ask(method, miss).await.ok();
        assert_eq!(answer.header("location"), "", "{miss:?}");
    }
    let posted = ask("POST", AFTER_LOGOUT).await.ok();
    assert_eq!(posted.header("location"), "", "only GET is sent on");
}

#[tokio::test]
async fn o8_200_generated_near_misses_at_openids_logout_redirect_nowhere() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let misses = near_misses(AFTER_LOGOUT);
    let hint = text(&scene.tokens(&[]).await, "id_token").to_owned();
    let id = scene.party.credentials.id.clone();
    for miss in misses.iter().map(String::as_str).chain([CALLBACK]) {
        let params = [
            ("id_token_hint", &*hint),
            ("client_id", &*id),
            ("post_logout_redirect_uri", miss),
            ("state", "s"),
        ];
        // With both, with the hint alone, with the client's name alone, and with neither.
        for params in [
            &params[..],
            &[params[0], params[2]],
            &params[1..],
            &params[2..],
        ] {
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(params)
                .finish();
            let link = scene.browser.get(&format!("/oidc/logout?{query}")).await;
            assert_eq!(link.header("location"), "", "{miss:?}");
        }
        let posted = client
            .post("/oidc/logout")
            .header("cookie", &scene.browser.cookies())
            .form(&params);
        let posted = posted.send().await;
        assert_eq!(posted.header("location"), "", "{miss:?}");
        // Without our cookie a form of another site becomes a link to ourselves, and that leads nowhere either.
        let foreign = client.post("/oidc/logout").form(&params).send().await;
        let ours = foreign.header("location");
        assert!(ours.starts_with("/oidc/logout?"), "{foreign:?}");
        let followed = client.get(ours).send().await;
        assert_eq!(followed.header("location"), "", "{miss:?}");
    }
    assert!(
        scene
            .landed(&[("prompt", "none")])
            .await
            .contains_key("code"),
        "still signed in"
    );
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("id_token_hint", &hint)
        .append_pair("post_logout_redirect_uri", AFTER_LOGOUT)
        .finish();
    let sent = scene.browser.get(&format!("/oidc/logout?{query}")).await;
    assert_eq!((sent.status, sent.header("location")), (303, AFTER_LOGOUT));
    let silent = scene.landed(&[("prompt", "none")]).await;
    assert_eq!(silent["error"], "login_required");
}

#[tokio::test]
async fn o14_password_and_implicit_are_off_until_switched_on_and_each_use_is_on_the_record() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client).with(|facts| facts.grants = None);
    let password = scene.party.person.password.clone();
    let token = [("response_type", "token")];
    for front in FRONTS {
        scene.at(front);
        scene.by_password(&password).await.is(401, "invalid_client");
        assert_eq!(scene.landed(&token).await["error"], "unauthorized_client");
    }
    let id = scene.party.credentials.id.clone();
    let switch = |grants: &[GrantType]| {
        let facts = Facts {
            grants: Some(grants.to_vec()),
            ..Facts::default()
        };
        let before = server.count("audit");
        let cx = server.appliance.own_context();
        clients::update(&cx, &By::operator(), &id.parse().unwrap(), &facts).unwrap();
        server.settle(&cx);
        server.count("audit") - before
    };
    // Each is a switch of its own: the change, and that this grant is on.
    assert_eq!(
        switch(&[GrantType::AuthorizationCode, GrantType::Password]),
        2
    );
    for front in FRONTS {
        scene.at(front);
        let before = server.count("audit");
        scene.by_password(&password).await.ok();
        assert_eq!(server.count("audit") - before, 1);
        assert_eq!(scene.landed(&token).await["error"], "unauthorized_client");
    }
    assert_eq!(
        switch(&[GrantType::AuthorizationCode, GrantType::Implicit]),
        2
    );
    for front in FRONTS {
        scene.at(front);
        scene.by_password(&password).await.is(401, "invalid_client");
        let before = server.count("audit");
        let landed = landed(&scene.asked(&token).await);
        assert!(client.is_alive(&landed["access_token"]).await);
        assert_eq!(server.count("audit") - before, 1);
    }
    assert_eq!(switch(&[GrantType::AuthorizationCode]), 1);
    for front in FRONTS {
        scene.at(front);
        scene.by_password(&password).await.is(401, "invalid_client");
        assert_eq!(scene.landed(&token).await["error"], "unauthorized_client");
    }
}

#[tokio::test]
async fn o14_the_password_grant_spends_the_same_guesses_as_the_sign_in_page() {
    let server = Server::governed(|policy| policy.passwords.wrong_per_account_per_day = 3).await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client).with(|facts| switch_on(facts, GrantType::Password));
    let (name, password) = (
        scene.party.person.name.clone(),
        scene.party.person.password.clone(),
    );
    for guess in 0..3 {
        scene.at(FRONTS[guess % 2]);
        let wrong = scene.by_password("wrong").await;
        wrong.says(400, "invalid_grant", "Bad credentials");
    }
    server.advance(Duration::from_hours(1));
    for front in FRONTS {
        scene.at(front);
        let right = scene.by_password(&password).await;
        right.says(400, "invalid_grant", "Bad credentials");
    }
    scene.browser.forget("__Host-admit-session");
    let asked = scene.asked(&[]).await;
    let page = scene.browser.sign_in(&asked, &name, &password).await;
    let told = (page.status, page.header("location"));
    assert_eq!(told, (200, ""), "the budget is one");
}
