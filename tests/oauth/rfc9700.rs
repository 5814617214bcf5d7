//! Best current practice for OAuth security (RFC 9700, BCP-*).

use std::time::Duration;

use admit::domain::clients::GrantType;
use serde_json::json;

use super::{S256, Scene, exchange, other, stays, switch_on, text};
use crate::support::browser::{Browser, Form};
use crate::support::client::Client;
use crate::support::party::{FRONTS, Party, VERIFIER, claims, landed};
use crate::support::server::Server;

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn bcp_2_1_a_redirect_uri_is_compared_byte_for_byte_and_nobody_is_sent_elsewhere() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        for uri in [
            "https://app.example.org/cb/../cb",
            "https://app.example.org/c%62",
            "https://APP.example.org/cb",
            "https://app.example.org:443/cb",
            "https://app.example.org/cb?",
            "https://app.example.org/cb#",
            "https://app.example.org/*",
        ] {
            // Neither a good request nor a bad one makes us an open redirector (section 4.11).
            for more in [
                ("prompt", "none"),
                ("scope", "nonsense"),
                ("response_type", "x"),
            ] {
                stays(&scene.asked(&[("redirect_uri", uri), more]).await, uri);
            }
        }
    }
}

#[tokio::test]
async fn bcp_2_1_1_public_clients_must_use_pkce_and_whoever_used_it_is_held_to_it() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let own = scene.party.credentials.clone();
    for front in FRONTS {
        scene.at(front);
        let code = scene.code(&S256).await;
        let without = scene.party.exchange(&code, &[]).await;
        without.is(400, "invalid_grant");
        let code = scene.code(&S256).await;
        let verifier = [("code_verifier", VERIFIER)];
        scene.party.exchange(&code, &verifier).await.ok();
        let code = scene.code(&[]).await;
        scene.party.exchange(&code, &[]).await.ok();
    }
    let mut scene = scene.public(|_| ());
    assert_ne!(scene.party.credentials.id, own.id);
    for front in FRONTS {
        scene.at(front);
        assert_eq!(scene.landed(&[]).await["error"], "invalid_request");
        let code = scene.code(&S256).await;
        let verifier = [("code_verifier", VERIFIER)];
        scene.party.exchange(&code, &verifier).await.ok();
    }
}

#[tokio::test]
async fn bcp_2_1_2_no_token_leaves_the_authorization_endpoint_unless_switched_on_for_the_client() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        let landed = scene.at(front).landed(&[("response_type", "token")]).await;
        assert_eq!(landed["error"], "unauthorized_client");
        assert!(!landed.contains_key("access_token"));
    }
    let mut scene = scene.with(|facts| switch_on(facts, GrantType::Implicit));
    for front in FRONTS {
        scene.at(front);
        let answer = scene.asked(&[("response_type", "token")]).await;
        assert!(answer.header("location").contains("/cb#access_token="));
        let landed = landed(&answer);
        assert_eq!(landed["token_type"], "bearer");
        assert!(!landed.contains_key("refresh_token"));
        assert!(client.is_alive(&landed["access_token"]).await);
    }
}

#[tokio::test]
async fn bcp_2_2_2_a_public_clients_refresh_tokens_rotate_and_one_that_comes_back_ends_them_all() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client).public(|_| ());
    for front in FRONTS {
        scene.at(front);
        let code = scene.code(&S256).await;
        let verifier = [("code_verifier", VERIFIER)];
        let first = scene.party.exchange(&code, &verifier).await.ok().json();
        let token = text(&first, "refresh_token");
        let second = scene.party.refresh(token).await.ok().json();
        assert_ne!(text(&second, "refresh_token"), token);
        assert_eq!(scene.lives(&second).await, [true; 3]);
        server.advance(Duration::from_secs(10));
        let reused = scene.party.refresh(token).await;
        reused.is(400, "invalid_grant");
        for reply in [&first, &second] {
            assert_eq!(scene.lives(reply).await, [false; 3]);
        }
    }
}

#[tokio::test]
async fn bcp_2_2_2_refresh_tokens_expire_when_idle_and_end_with_a_new_password_or_a_sign_out() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        scene.sign_in();
        let reply = scene.tokens(&[]).await;
        server.advance(DAY * 29);
        let reply = scene.party.refresh(text(&reply, "refresh_token")).await;
        let reply = reply.ok().json();
        server.advance(DAY * 30);
        let late = scene.party.refresh(text(&reply, "refresh_token")).await;
        late.is(401, "invalid_token");
    }
    for front in FRONTS {
        scene.at(front);
        scene.sign_in();
        let (left, kept) = (scene.tokens(&[]).await, scene.tokens(&[]).await);
        let bearer = text(&left, "access_token");
        client
            .post("/auth/v3/sign-out")
            .bearer(bearer)
            .send()
            .await
            .ok();
        let after = scene.party.refresh(text(&left, "refresh_token")).await;
        after.is(400, "invalid_grant");
        assert_eq!(scene.lives(&left).await, [false; 3]);
        assert_eq!(scene.lives(&kept).await, [true; 3]);
    }
    // One browser here, another there.
    scene.sign_in();
    let other = scene.tokens(&[]).await;
    scene.sign_in();
    let asking = scene.tokens(&[]).await;
    let body = json!({"data": {"oldPassword": scene.party.person.password, "newPassword": "Hh7#kq0-vv2!Zb"}});
    let request = client.post("/auth/v3/change-password").json(&body);
    request
        .bearer(text(&asking, "access_token"))
        .send()
        .await
        .ok();
    let after = scene.party.refresh(text(&other, "refresh_token")).await;
    after.is(400, "invalid_grant");
    assert_eq!(scene.lives(&other).await, [false; 3]);
    assert_eq!(scene.lives(&asking).await, [true; 3]);
}

#[tokio::test]
async fn bcp_2_3_a_token_is_for_one_audience_with_the_scope_asked_for_and_the_persons_own_roles() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        let reply = scene.tokens(&[("scope", "openid")]).await;
        let claims = claims(text(&reply, "access_token"));
        assert_eq!(claims["aud"], server.appliance.base().to_string());
        assert_eq!(claims["scope"], "openid");
        assert_eq!(claims["authorities"], json!(["ROLE_AGENT"]));
    }
}

#[tokio::test]
async fn bcp_2_4_the_password_grant_is_off_unless_switched_on_for_the_client() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let password = scene.party.person.password.clone();
    for front in FRONTS {
        // wire.md 1.2: 401, not the RFC's 400 unauthorized_client.
        scene.at(front);
        let off = scene.by_password(&password).await;
        off.says(401, "invalid_client", "Unauthorized grant type: password");
    }
    let mut scene = scene.with(|facts| switch_on(facts, GrantType::Password));
    for front in FRONTS {
        scene.at(front);
        scene.by_password(&password).await.ok();
    }
}

#[tokio::test]
async fn bcp_2_5_a_client_with_a_secret_proves_it_wherever_clients_come() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let id = scene.party.credentials.id.clone();
    for front in FRONTS {
        scene.at(front);
        let reply = scene.tokens(&[]).await;
        let refresh = text(&reply, "refresh_token").to_owned();
        let code = scene.code(&[]).await;
        let named = ("client_id", &*id);
        let empty = ("client_secret", "");
        for (path, pairs) in [
            (front.token, exchange(&code)),
            (
                front.token,
                vec![
                    ("grant_type", "refresh_token"),
                    ("refresh_token", &*refresh),
                ],
            ),
            ("/oauth/introspect", vec![("token", &*refresh)]),
            ("/oauth/revoke", vec![("token", &*refresh)]),
        ] {
            for proof in [
                &[][..],
                &[named],
                &[named, empty],
                &[named, ("client_secret", "x")],
            ] {
                let form = [&*pairs, proof].concat();
                let answer = client.post(path).form(&form).send().await;
                answer.is(401, "invalid_client");
            }
            let basic = client.post(path).basic(&id, "").form(&pairs).send().await;
            basic.is(401, "invalid_client");
        }
        assert_eq!(scene.lives(&reply).await, [true; 3], "nothing came of it");
        scene.party.exchange(&code, &[]).await.ok();
    }
}

#[tokio::test]
async fn bcp_2_6_scripts_of_other_sites_never_read_the_authorization_endpoint() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let scene = Scene::of(&server, &client);
    for front in FRONTS {
        for method in ["GET", "POST", "OPTIONS"] {
            let request = client.request(method, front.authorize);
            let answer = request
                .header("origin", "https://app.example.org")
                .header("access-control-request-method", "GET")
                .header("cookie", &scene.browser.cookies())
                .quiet()
                .await;
            for name in answer.headers.keys() {
                assert!(
                    !name.as_str().starts_with("access-control-"),
                    "{method} {name}"
                );
            }
        }
    }
}

#[tokio::test]
async fn bcp_4_2_pages_send_no_referrer_and_load_nothing_from_elsewhere() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        let asked = scene.asked(&[("prompt", "login")]).await;
        let sign_in = scene.browser.get(asked.header("location")).await.ok();
        let consent = scene.asked(&[("prompt", "consent")]).await.ok();
        for page in [sign_in, consent] {
            assert_eq!(page.header("referrer-policy"), "no-referrer");
            let policy = page.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'"), "{policy}");
            for mark in ["src=\"http", "src=\"//", "<script", "url(", "@import"] {
                assert!(!page.text.contains(mark), "{mark}: {}", page.text);
            }
        }
    }
}

#[tokio::test]
async fn bcp_4_3_no_token_travels_in_a_query() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client).with(|facts| switch_on(facts, GrantType::Implicit));
    for front in FRONTS {
        scene.at(front);
        let changes = [("response_type", "token"), ("response_mode", "query")];
        let answer = scene.asked(&changes).await;
        assert!(
            answer
                .header("location")
                .contains("/cb#error=invalid_request"),
            "{answer:?}"
        );
        let answer = scene.asked(&[("response_type", "token")]).await;
        assert!(!answer.header("location").contains('?'), "{answer:?}");
        let token = landed(&answer)["access_token"].clone();
        let shown = client
            .get("/auth/v3/userinfo")
            .query(&[("access_token", &token)]);
        shown.send().await.is(400, "invalid_request");
    }
}

#[tokio::test]
async fn bcp_4_4_the_two_issuers_tell_themselves_apart_in_every_answer() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let mut issuers = Vec::new();
    for front in FRONTS {
        scene.at(front);
        let landed = scene.landed(&[]).await;
        let reply = scene.party.exchange(&landed["code"], &[]).await.ok().json();
        assert_eq!(claims(text(&reply, "access_token"))["iss"], landed["iss"]);
        assert_eq!(claims(text(&reply, "id_token"))["iss"], landed["iss"]);
        issuers.push(landed["iss"].clone());
    }
    assert_ne!(issuers[0], issuers[1]);
}

#[tokio::test]
async fn bcp_4_8_whoever_strips_the_challenge_from_a_request_gains_nothing() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        let code = scene.code(&[]).await;
        let verifier = [("code_verifier", VERIFIER)];
        let answer = scene.party.exchange(&code, &verifier).await;
        answer.is(400, "invalid_grant");
    }
    let mut public = scene.public(|_| ());
    for front in FRONTS {
        public.at(front);
        for changes in [
            [("code_challenge", ""), S256[1]],
            [S256[0], ("code_challenge_method", "plain")],
        ] {
            assert_eq!(public.landed(&changes).await["error"], "invalid_request");
        }
    }
}

#[tokio::test]
async fn bcp_4_12_what_answers_a_posted_form_makes_no_browser_post_it_again() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut party = Party::of(&server, &client);
    for front in FRONTS {
        party.front = front;
        let mut browser = Browser::of(&client);
        let asked = browser
            .get(&party.request(&[("prompt", "login consent")]))
            .await;
        let (name, password) = (&party.person.name, &party.person.password);
        let page = browser.sign_in(&asked, name, password).await;
        let agreed = Form::of(&page.ok().text).with("decision", "continue");
        let sent = browser.post(&agreed).await;
        assert_eq!(sent.status, 303);
        let asked = browser.get(&party.request(&[("prompt", "login")])).await;
        let sent = browser.sign_in(&asked, name, password).await;
        assert_eq!(sent.status, 303);
        assert!(!sent.header("location").contains(password));
        assert!(landed(&sent).contains_key("code"));
    }
}

#[tokio::test]
async fn bcp_4_13_nobody_but_a_configured_proxy_says_where_we_are_or_who_calls() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let scene = Scene::of(&server, &client);
    for front in FRONTS {
        let issuer = format!("{}{}", server.appliance.base(), front.issuer);
        let party = Party {
            front,
            credentials: scene.party.credentials.clone(),
            person: scene.party.person.clone(),
            client: &client,
        };
        let metadata = format!("{}/.well-known/openid-configuration", front.issuer);
        for path in [party.request(&[]), metadata] {
            let lied = [
                ("x-forwarded-host", "evil.example"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-for", "203.0.113.7"),
                ("x-forwarded-prefix", "/evil"),
                ("forwarded", "for=203.0.113.7;host=evil.example;proto=http"),
            ];
            let request = client.get(&path).header("cookie", &scene.browser.cookies());
            let request = lied.iter().fold(request, |request, (name, value)| {
                request.header(name, value)
            });
            let answer = request.send().await;
            let shown = format!("{:?}{}", answer.headers, answer.text);
            assert!(!shown.contains("evil"), "{shown}");
            if answer.status == 200 {
                assert_eq!(answer.json()["issuer"], issuer);
            } else {
                assert_eq!(landed(&answer)["iss"], issuer);
            }
        }
    }
}

#[tokio::test]
async fn bcp_4_15_a_clients_subject_can_never_equal_a_users() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let scene = Scene::of(&server, &client);
    // The worst that can be chosen: a client whose id is the user's.
    let body = json!({"data": {
        "client_id": scene.party.person.id.as_str(), "client_secret": "chosen-by-a-script",
        "authorizedGrantTypes": ["client_credentials"],
    }});
    let password = server.first_run["admin"]["password"].as_str().unwrap();
    let made = client
        .post("/auth/v3/ops/clients")
        .basic("default\\admin", password);
    made.json(&body).send().await.ok();
    for front in FRONTS {
        let request = client
            .post(front.token)
            .basic(scene.party.person.id.as_str(), "chosen-by-a-script");
        let reply = request
            .form(&[("grant_type", "client_credentials")])
            .send()
            .await
            .ok()
            .json();
        let claims = claims(text(&reply, "access_token"));
        assert_ne!(claims["sub"], scene.party.person.id.as_str());
        assert!(text(&claims, "sub").starts_with("client:"));
        assert!(claims.get("userId").is_none(), "{claims}");
        let about = client
            .get("/oidc/userinfo")
            .bearer(text(&reply, "access_token"));
        about.send().await.is(403, "insufficient_scope");
    }
    let backend = other(&server, |facts| {
        facts.grants = Some(vec![GrantType::ClientCredentials]);
    });
    assert!(!backend.id.contains(':'));
}

#[tokio::test]
async fn bcp_4_16_every_page_forbids_frames_in_both_ways() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let mut pages = Vec::new();
    for path in [
        "/auth/sign-in.html",
        "/oidc/logout",
        "/auth/sign-in.html?client_id=none",
    ] {
        pages.push(scene.browser.get(path).await);
    }
    for front in FRONTS {
        scene.at(front);
        for changes in [
            ("client_id", "none"),
            ("redirect_uri", "https://x"),
            ("prompt", "consent"),
            ("response_mode", "form_post"),
        ] {
            pages.push(scene.asked(&[changes]).await);
        }
    }
    for page in pages {
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{page:?}"
        );
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert!(
            page.header("content-security-policy")
                .contains("frame-ancestors 'none'")
        );
    }
}
