//! The OAuth 2.0 framework (RFC 6749, OA-*), and the error bodies of both contracts (ER-*).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use admit::domain::clients::{Facts, GrantType};
use admit::domain::oauth::request::TICKET_GRANT;
use admit::kernel::Secret;
use admit::store::Disk;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Scene, exchange, other, registers, stays, switch_on, text};
use crate::security::tickets::Breakable;
use crate::support::browser::{Browser, Form};
use crate::support::client::{Answer, Client};
use crate::support::party::{CALLBACK, FRONTS, Party, claims, landed};
use crate::support::server::{Server, Setup};

const CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

fn backend(facts: &mut Facts) {
    facts.grants = Some(vec![GrantType::ClientCredentials]);
}

#[tokio::test]
async fn oa_2_3_the_halves_of_basic_are_form_encoded_before_they_are_joined() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let backend = other(&server, |facts| {
        backend(facts);
        facts.secret = Some(Secret::new("a&b:c/d=e;f,g!h?".into()));
    });
    for front in FRONTS {
        let ask = async |secret: &str| {
            let request = client.post(front.token).basic(&backend.id, secret);
            request.form(&[CREDENTIALS]).send().await
        };
        ask("a%26b%3Ac%2Fd%3De%3Bf%2Cg%21h%3F").await.ok();
        // Real relying parties send it as it is; a secret that would be read in two ways is never registered.
        ask(&backend.secret).await.ok();
        ask("a%26b%3Ac%2Fd%3De").await.is(401, "invalid_client");
    }
}

/// The rule keeps credentials out of the URI; official clients of contract A put them there, so wire.md 2.1.1 wins.
#[tokio::test]
async fn oa_2_3_credentials_come_in_the_body_and_in_the_query_where_real_clients_put_them() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let backend = other(&server, backend);
    let pairs = [
        CREDENTIALS,
        ("client_id", &*backend.id),
        ("client_secret", &*backend.secret),
    ];
    for front in FRONTS {
        client.post(front.token).form(&pairs).send().await.ok();
        client.post(front.token).query(&pairs).send().await.ok();
        let wrong = [pairs[0], pairs[1], ("client_secret", "wrong")];
        let answer = client.post(front.token).form(&wrong).send().await;
        answer.is(401, "invalid_client");
    }
}

/// Nothing short enough to be guessed is a secret: drawn ones have 256 bits, and every guess costs a round trip.
#[tokio::test]
async fn oa_2_3_a_secret_we_draw_cannot_be_guessed() {
    let server = Server::start().await;
    let drawn: BTreeSet<String> = (0..20).map(|_| other(&server, backend).secret).collect();
    assert_eq!(drawn.len(), 20);
    for secret in drawn {
        // Of sixty-two letters and digits each: 256 bits.
        assert_eq!(secret.len(), 43);
        assert!(secret.chars().all(|c| c.is_ascii_alphanumeric()));
    }
}

#[tokio::test]
async fn oa_2_3b_a_client_proves_itself_in_one_way_a_request() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let backend = other(&server, backend);
    for front in FRONTS {
        let both = [CREDENTIALS, ("client_secret", &*backend.secret)];
        let request = client.post(front.token).basic(&backend.id, &backend.secret);
        request.form(&both).send().await.is(400, "invalid_request");
        let named = [CREDENTIALS, ("client_id", &*backend.id)];
        let request = client.post(front.token).basic(&backend.id, &backend.secret);
        request.form(&named).send().await.ok();
        let another = [CREDENTIALS, ("client_id", "another")];
        let request = client.post(front.token).basic(&backend.id, &backend.secret);
        request
            .form(&another)
            .send()
            .await
            .is(401, "invalid_client");
    }
}

#[tokio::test]
async fn oa_3_1a_a_request_comes_by_get_or_post_and_says_everything_once() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        let ignored = scene.landed(&[("colour", "red"), ("x", "y")]).await;
        assert!(ignored.contains_key("code"), "an unknown parameter");
        let path = scene.party.request(&[]);
        let empty = scene.browser.get(&format!("{path}&prompt=&max_age=")).await;
        assert!(landed(&empty).contains_key("code"), "empty is absent");
        let twice = format!("{path}&prompt=none&prompt=none");
        stays(&scene.browser.get(&twice).await, "a repeated parameter");

        let (endpoint, query) = path.split_once('?').unwrap();
        let posted = client
            .post(endpoint)
            .header("cookie", &scene.browser.cookies())
            .body("application/x-www-form-urlencoded", query.to_owned());
        let posted = posted.send().await;
        assert_eq!(posted.status, 303);
        assert!(landed(&posted).contains_key("code"));
        let twice = client
            .post(&path)
            .header("cookie", &scene.browser.cookies())
            .body("application/x-www-form-urlencoded", query.to_owned());
        twice.send().await.is(400, "invalid_request");
        client
            .put(endpoint)
            .send()
            .await
            .is(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn oa_3_1b_a_missing_or_unknown_response_type_is_an_error() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        for (kind, error) in [
            ("", "invalid_request"),
            ("nonsense", "unsupported_response_type"),
            ("CODE", "unsupported_response_type"),
            ("code code", "unsupported_response_type"),
            ("id_token", "unsupported_response_type"),
        ] {
            let landed = scene.landed(&[("response_type", kind)]).await;
            assert_eq!(landed["error"], error, "{kind}");
            assert!(!landed.contains_key("code"), "{kind}");
        }
    }
}

#[tokio::test]
async fn oa_3_1c_a_redirect_uri_is_absolute_registered_whole_and_a_mismatch_is_shown_to_the_person()
{
    let server = Server::start().await;
    let client = Client::of(&server);
    for uri in ["/cb", "app.example.org/cb", "https://app.example.org/cb#x"] {
        for public in [false, true] {
            assert!(!registers(&server, public, uri), "{uri}");
        }
    }
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        for uri in [
            "",
            "https://app.example.org/",
            "https://app.example.org/cb?more=less",
            "https://evil.example/cb",
        ] {
            let changes = [("redirect_uri", uri)];
            let page = scene.asked(&changes).await;
            stays(&page, uri);
            assert!(page.header("content-type").starts_with("text/html"));
            if !uri.is_empty() {
                // An administrator sees both values side by side.
                let shown = page.text.replace("<mark>", "").replace("</mark>", "");
                for value in [CALLBACK, uri] {
                    assert!(shown.contains(&format!(">{value}<")), "{shown}");
                }
            }
            let asked = client.get(&scene.party.request(&changes)).send().await;
            asked.is(400, "invalid_request");
        }
        for id in ["", "no-such", "../customer", "a b"] {
            stays(&scene.asked(&[("client_id", id)]).await, id);
        }
        let unknown = scene.party.request(&[("client_id", "no-such")]);
        client.get(&unknown).send().await.is(401, "invalid_client");
    }
}

#[tokio::test]
async fn oa_3_2_tokens_are_asked_for_by_post_over_tls_and_everything_is_said_once() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let backend = other(&server, backend);
    for front in FRONTS {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let answer = client.request(method, front.token).query(&[CREDENTIALS]);
            let answer = answer.send().await;
            answer.is(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), "POST");
        }
        let ask = async |form: &[(&str, &str)], query: &[(&str, &str)]| {
            let request = client.post(front.token).basic(&backend.id, &backend.secret);
            request.query(query).form(form).send().await
        };
        ask(&[CREDENTIALS, ("colour", "red")], &[]).await.ok();
        ask(&[CREDENTIALS, ("scope", "")], &[]).await.ok();
        let twice = ask(&[CREDENTIALS, CREDENTIALS], &[]).await;
        twice.is(400, "invalid_request");
        ask(&[CREDENTIALS], &[CREDENTIALS])
            .await
            .is(400, "invalid_request");
        ask(&[("grant_type", "")], &[])
            .await
            .says(400, "invalid_request", "Missing grant type");
    }
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    let request = b"POST /auth/v3/oauth/token HTTP/1.1\r\nhost: localhost\r\n\r\n";
    plain.write_all(request).await.unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard).await;
    assert!(!heard.starts_with(b"HTTP/"), "no TLS, no answer");
}

#[tokio::test]
async fn oa_3_3_scopes_are_case_sensitive_without_order_and_told_in_the_reply() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        for (asked, granted) in [
            ("openid profile", "openid profile"),
            ("profile openid", "profile openid"),
            ("openid openid", "openid"),
            // Nobody was asked about it, so it is not granted and the reply says so.
            ("openid offline_access", "openid"),
        ] {
            let reply = scene.tokens(&[("scope", asked)]).await;
            assert_eq!(reply["scope"], granted, "{asked}");
            assert_eq!(claims(text(&reply, "access_token"))["scope"], granted);
        }
        let usual = scene.tokens(&[("scope", "")]).await;
        let expected = if front.issuer.is_empty() { "any" } else { "*" };
        assert_eq!(usual["scope"], expected);
        for asked in [
            "OPENID",
            "openid Profile",
            "openid,profile",
            "openid nonsense",
        ] {
            let landed = scene.landed(&[("scope", asked)]).await;
            assert_eq!(landed["error"], "invalid_scope", "{asked}");
        }
    }
}

#[tokio::test]
async fn oa_4_1a_a_code_lives_sixty_seconds_and_is_spent_by_its_first_use() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        let code = scene.code(&[]).await;
        server.advance(Duration::from_secs(59));
        let reply = scene.party.exchange(&code, &[]).await.ok().json();
        let again = scene.party.exchange(&code, &[]).await;
        again.is(400, "invalid_grant");
        assert_eq!(scene.lives(&reply).await, [false; 3]);
        let code = scene.code(&[]).await;
        server.advance(Duration::from_mins(1));
        let late = scene.party.exchange(&code, &[]).await;
        late.is(400, "invalid_grant");
    }
}

#[tokio::test]
async fn oa_4_1b_an_error_goes_to_the_client_by_its_name_with_the_state_exactly_as_it_came() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let state = "a b+c%20&d=e/?#\"<\u{e9}\u{1f600}>\\";
    for front in FRONTS {
        scene.at(front);
        for (name, value, error) in [
            ("response_type", "", "invalid_request"),
            ("response_mode", "nonsense", "invalid_request"),
            ("max_age", "soon", "invalid_request"),
            ("response_type", "token", "unauthorized_client"),
            ("response_type", "nonsense", "unsupported_response_type"),
            ("scope", "nonsense", "invalid_scope"),
        ] {
            let landed = scene.landed(&[(name, value), ("state", state)]).await;
            assert_eq!(landed["error"], error, "{name}={value}");
            assert_eq!(landed["state"], state, "{name}={value}");
            assert!(!landed["error_description"].is_empty());
        }
        let page = scene
            .asked(&[("prompt", "consent"), ("state", state)])
            .await;
        let form = Form::of(&page.ok().text).with("decision", "cancel");
        let declined = landed(&scene.browser.post(&form).await);
        assert_eq!(declined["error"], "access_denied");
        assert_eq!(declined["state"], state);

        let granted = scene.landed(&[("state", state)]).await;
        assert_eq!(granted["state"], state);
        for kind in ["code", "nonsense"] {
            let changes = [("state", ""), ("response_type", kind)];
            let without = scene.landed(&changes).await;
            assert!(!without.contains_key("state"), "{kind}");
        }
    }
}

/// What could not be kept goes to nobody: the browser and the client are told on the spot instead of by a redirect.
#[tokio::test]
async fn oa_4_1b_temporarily_unavailable_is_a_503_without_a_code_or_a_token() {
    let disk = Arc::new(Breakable::default());
    let server = Server::with(Setup {
        disk: Arc::clone(&disk) as Arc<dyn Disk>,
        ..Setup::default()
    })
    .await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let code = scene.code(&[]).await;
    let reply = scene.tokens(&[]).await;
    disk.0.store(true, Ordering::SeqCst);
    for front in FRONTS {
        scene.at(front);
        let request = client.get(&scene.party.request(&[]));
        let request = request.header("cookie", &scene.browser.cookies());
        let refresh = text(&reply, "refresh_token");
        for answer in [
            request.send().await,
            scene.party.exchange(&code, &[]).await,
            scene.party.refresh(refresh).await,
        ] {
            answer.is(503, "temporarily_unavailable");
            assert!(!answer.header("retry-after").is_empty());
            assert_eq!(answer.header("location"), "");
        }
    }
}

#[tokio::test]
async fn oa_4_1c_a_code_is_worth_something_to_its_own_client_at_its_own_address_alone() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let stranger = other(&server, |_| ());
    for front in FRONTS {
        scene.at(front);
        let code = scene.code(&[]).await;
        let own = scene.party.credentials.id.clone();
        let mut unproved = exchange(&code);
        unproved.push(("client_id", &own));
        scene.ask_bare(&unproved).await.is(401, "invalid_client");
        let stolen = scene.ask_as(&stranger, &exchange(&code)).await;
        stolen.is(400, "invalid_grant");
        scene.party.exchange(&code, &[]).await.ok();
        for uri in ["", "https://app.example.org/cb/", "https://app.example.org"] {
            let code = scene.code(&[]).await;
            let mut form = exchange(&code);
            form[2].1 = uri;
            let elsewhere = scene.party.ask(&form).await;
            elsewhere.says(400, "invalid_grant", "Redirect URI mismatch.");
        }
        let without = scene.party.ask(&[("grant_type", "authorization_code")]);
        without.await.is(400, "invalid_request");
    }
}

#[tokio::test]
async fn oa_4_3_guesses_through_the_password_grant_are_held_down() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client).with(|facts| switch_on(facts, GrantType::Password));
    let right = scene.party.person.password.clone();
    let (status, error, words) = (400, "invalid_grant", "Bad credentials");
    for guess in 0..5 {
        scene.at(FRONTS[guess % 2]);
        let answer = scene.by_password("wrong").await;
        answer.says(status, error, words);
    }
    for front in FRONTS {
        scene.at(front);
        let hurried = scene.by_password(&right).await;
        hurried.says(status, error, words);
    }
    server.advance(Duration::from_secs(1));
    scene.by_password(&right).await.ok();
}

#[tokio::test]
async fn oa_4_4_a_clients_own_token_comes_without_a_refresh_token() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let backend = other(&server, |facts| {
        facts.grants = Some(vec![GrantType::ClientCredentials, GrantType::RefreshToken]);
    });
    for front in FRONTS {
        let request = client.post(front.token).basic(&backend.id, &backend.secret);
        let reply = request.form(&[CREDENTIALS]).send().await.ok().json();
        assert!(reply.get("refresh_token").is_none(), "{reply}");
        assert!(reply.get("id_token").is_none(), "{reply}");
    }
}

#[tokio::test]
async fn oa_4_5_the_ticket_grant_goes_by_an_absolute_uri_at_both_fronts() {
    let server = Server::start().await;
    let client = Client::of(&server);
    assert!(TICKET_GRANT.starts_with("urn:"), "{TICKET_GRANT}");
    let bearer = client.bearer(&server.first_client()).await;
    for front in FRONTS {
        let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
        let form = [("grant_type", TICKET_GRANT), ("ticket", &*ticket)];
        let request = client.post(front.token).basic("customer", "");
        request.form(&form).send().await.ok();
    }
}

#[tokio::test]
async fn oa_5_1_a_token_reply_has_its_members_and_is_kept_by_nobody() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        let code = scene.code(&[]).await;
        let answer = scene.party.exchange(&code, &[]).await.ok();
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("pragma"), "no-cache");
        assert!(
            answer
                .header("content-type")
                .starts_with("application/json")
        );
        let reply = answer.json();
        assert_eq!(reply["token_type"], "bearer");
        let seconds = reply["expires_in"].as_u64().unwrap();
        assert!((43_199..=43_200).contains(&seconds), "{seconds}");
        text(&reply, "access_token");
        text(&reply, "refresh_token");
    }
}

/// wire.md 1.2: a client that may not use a grant is a 401 `invalid_client` to both contracts' clients, where RFC 6749
/// would say 400 `unauthorized_client`.
#[tokio::test]
async fn oa_5_2_every_refusal_has_its_status_and_code_and_an_unauthorized_grant_is_a_401_as_the_contracts_have_it()
 {
    let server = Server::start().await;
    let client = Client::of(&server);
    let scene = &mut Scene::of(&server, &client);
    let backend = other(&server, backend);
    for front in FRONTS {
        scene.at(front);
        for (form, status, error) in [
            (vec![("scope", "any")], 400, "invalid_request"),
            (exchange("no-such"), 400, "invalid_grant"),
            (
                vec![("grant_type", "nonsense")],
                400,
                "unsupported_grant_type",
            ),
            (vec![("grant_type", "implicit")], 400, "invalid_grant"),
            (vec![CREDENTIALS], 401, "invalid_client"),
            (
                vec![("grant_type", "refresh_token")],
                400,
                "invalid_request",
            ),
            (
                vec![("grant_type", "refresh_token"), ("refresh_token", "adr_x")],
                400,
                "invalid_grant",
            ),
        ] {
            let answer = scene.party.ask(&form).await;
            answer.is(status, error);
            assert_eq!(answer.header("cache-control"), "no-store");
            let challenged = !answer.header("www-authenticate").is_empty();
            assert_eq!(challenged, status == 401, "{form:?}");
        }
        let scope = [CREDENTIALS, ("scope", "nonsense")];
        let scope = scene.ask_as(&backend, &scope).await;
        scope.is(400, "invalid_scope");
        let request = client.post(front.token).basic(&backend.id, "wrong");
        let wrong = request.form(&[CREDENTIALS]).send().await;
        wrong.is(401, "invalid_client");
        assert_eq!(wrong.header("www-authenticate"), "Basic realm=\"admit\"");
    }
}

#[tokio::test]
async fn oa_6_a_refresh_is_for_the_same_client_and_never_for_more() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let stranger = other(&server, |_| ());
    for front in FRONTS {
        scene.at(front);
        let first = scene.tokens(&[("scope", "openid profile email")]).await;
        let token = text(&first, "refresh_token").to_owned();
        let form = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
        scene
            .ask_as(&stranger, &form)
            .await
            .is(400, "invalid_grant");
        let wider = [form[0], form[1], ("scope", "openid phone")];
        scene.party.ask(&wider).await.is(400, "invalid_scope");
        let narrow = [form[0], form[1], ("scope", "openid email")];
        let narrow = scene.party.ask(&narrow).await.ok().json();
        assert_eq!(narrow["scope"], "openid email");
        // The new refresh token has the scope of the one before, whatever was asked for this time (section 6).
        let next = scene.party.refresh(text(&narrow, "refresh_token")).await;
        assert_eq!(next.ok().json()["scope"], "openid profile email");
    }
}

#[tokio::test]
async fn oa_10_10_codes_and_tokens_are_of_256_bits_or_signed() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    let mut seen = BTreeSet::new();
    for round in 0..100 {
        scene.at(FRONTS[round % 2]);
        let code = scene.code(&[]).await;
        assert_eq!(URL_SAFE_NO_PAD.decode(&code).unwrap().len(), 32);
        let reply = scene.party.exchange(&code, &[]).await.ok().json();
        for member in ["access_token", "refresh_token"] {
            let token = text(&reply, member);
            assert!(!token.contains(['+', '/', '=']), "{token}");
            assert!(seen.insert(token.to_owned()), "{member} comes again");
        }
        // 20 bytes of which use it is, and a keyed checksum of 128 bits.
        let refresh = text(&reply, "refresh_token").strip_prefix("adr_").unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(refresh).unwrap().len(), 36);
        assert!(seen.insert(code), "a code comes again");
    }
}

#[tokio::test]
async fn oa_10_12_no_other_site_makes_a_browser_sign_in_or_agree() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    for front in FRONTS {
        let party = Party {
            front,
            credentials: party.credentials.clone(),
            person: party.person.clone(),
            client: &client,
        };
        let mut browser = Browser::of(&client);
        let to_page = browser.get(&party.request(&[])).await;
        let page = browser.get(to_page.header("location")).await.ok();
        let form = Form::of(&page.text)
            .with("username", &party.person.name)
            .with("password", &party.person.password);
        let forged = form.clone().with("form_token", "forged");
        let refused = browser.post(&forged).await;
        assert_eq!((refused.status, refused.header("location")), (403, ""));
        assert!(browser.cookie("__Host-admit-session").is_none());
        assert!(landed(&browser.post(&form).await).contains_key("code"));

        let page = browser.get(&party.request(&[("prompt", "consent")])).await;
        let agreed = Form::of(&page.ok().text)
            .with("decision", "continue")
            .with("form_token", "forged");
        let refused = browser.post(&agreed).await;
        assert_eq!((refused.status, refused.header("location")), (403, ""));
    }
}

#[tokio::test]
async fn oa_10_13_no_page_on_the_way_can_be_framed() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let mut browser = Browser::of(&client);
    let mut pages: Vec<Answer> = Vec::new();
    for front in FRONTS {
        let party = Party {
            front,
            credentials: party.credentials.clone(),
            person: party.person.clone(),
            client: &client,
        };
        pages.push(browser.get(&party.request(&[("client_id", "none")])).await);
        pages.push(
            browser
                .get(&party.request(&[("redirect_uri", "https://x")]))
                .await,
        );
        let asked = browser
            .get(&party.request(&[("prompt", "login consent")]))
            .await;
        pages.push(browser.get(asked.header("location")).await);
        let (name, password) = (&party.person.name, &party.person.password);
        pages.push(browser.sign_in(&asked, name, "wrong").await);
        pages.push(browser.sign_in(&asked, name, password).await);
    }
    for page in pages {
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{page:?}"
        );
        assert_eq!(page.header("x-frame-options"), "DENY");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }
}

/// RFC 6749 section 5.2 and RFC 6750 section 3: visible ASCII without quote and backslash.
#[tokio::test]
async fn er_1_oauth_endpoints_say_error_and_error_description_in_plain_characters() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let scene = &mut Scene::of(&server, &client);
    let hostile = "n\u{f6}\"\\\r\n<b>\u{1f600}";
    for front in FRONTS {
        scene.at(front);
        let mut told = vec![
            scene.party.ask(&[("grant_type", hostile)]).await,
            scene.party.ask(&[(hostile, "a"), (hostile, "b")]).await,
            scene.party.ask(&exchange(hostile)).await,
            scene.party.ask(&[CREDENTIALS, ("scope", hostile)]).await,
            scene.party.refresh(hostile).await,
            scene.ask_bare(&[("client_id", hostile)]).await,
            scene.ask_bare(&[]).await,
            client.get(front.token).send().await,
            client.get(front.authorize).send().await,
        ];
        for change in [("client_id", hostile), ("redirect_uri", hostile)] {
            let request = scene.party.request(&[change]);
            told.push(client.get(&request).send().await);
        }
        for path in ["/oauth/introspect", "/oauth/revoke"] {
            told.push(client.post(path).form(&[(hostile, hostile)]).send().await);
            told.push(
                client
                    .post(path)
                    .form(&[("token", hostile); 2])
                    .send()
                    .await,
            );
        }
        told.push(client.get("/oidc/userinfo").bearer("nonsense").send().await);
        for answer in told {
            assert!(answer.status >= 400, "{answer:?}");
            assert_eq!(
                answer.header("content-type"),
                "application/json;charset=UTF-8"
            );
            for member in ["error", "error_description"] {
                is_plain(&answer.member(member));
            }
        }
        for (name, value) in [
            ("scope", hostile),
            ("response_type", hostile),
            ("response_mode", hostile),
            ("prompt", hostile),
            ("max_age", hostile),
            ("claims", hostile),
            ("request", hostile),
        ] {
            let landed = scene.landed(&[(name, value)]).await;
            is_plain(&landed["error"]);
            is_plain(&landed["error_description"]);
        }
    }
}

#[track_caller]
fn is_plain(words: &str) {
    let plain = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    assert!(!words.is_empty() && words.chars().all(plain), "{words:?}");
}

#[tokio::test]
async fn er_3_contract_b_is_told_in_a_status_as_well_and_contract_a_is_not() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let scene = &mut Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        for (form, code) in [
            (exchange("no-such"), 400),
            (vec![("grant_type", "nonsense")], 400),
            (vec![CREDENTIALS], 520),
        ] {
            let body = scene.party.ask(&form).await.json();
            if front.issuer.is_empty() {
                assert!(body.get("status").is_none(), "{body}");
            } else {
                assert_eq!(body["status"]["code"], code, "{body}");
                assert_eq!(body["status"]["message"], body["error_description"]);
            }
        }
    }
    let nobody = client.get("/auth/v3/ping").send().await;
    nobody.is(403, "access_denied");
    assert_eq!(nobody.json()["status"]["code"], 603);
}
