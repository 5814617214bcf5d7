//! `/oidc/logout` (OpenID Connect RP-Initiated Logout), as a browser and as whoever sends one here sees it.

use std::time::Duration;

use admit::domain::clients;
use admit::domain::sessions;
use admit::domain::tokens::{self, Grantee};
use admit::domain::users::User;
use form_urlencoded::Serializer;

use super::suite::words;
use super::{Browser, ada, browser, client_of, id_token, kept};
use crate::support::browser::Form;
use crate::support::client::{Answer, Client};
use crate::support::server::Server;

const PATH: &str = "/oidc/logout";
const REGISTERED: &str = "https://app.example/signed-out";

/// A relying party that has somewhere to go after, and a browser signed in to it.
struct Scene {
    server: Server,
    client: Client,
    rp: String,
    user: User,
    browser: Browser,
    hint: String,
}

impl Scene {
    async fn set() -> Self {
        let server = Server::start().await;
        let client = Client::of(&server);
        let rp = server.first_client().id;
        let mut record = client_of(&server, &rp);
        record.post_logout_redirect_uris =
            vec![REGISTERED.into(), "https://app.example/?a=b".into()];
        kept(&server, |tx| clients::put(tx, &record));
        let user = ada(&server);
        let browser = browser(&server);
        let hint = id_token(&server, &rp, &browser.session, &user);
        Self {
            server,
            client,
            rp,
            user,
            browser,
            hint,
        }
    }

    /// A link followed in that browser.
    async fn get(&self, params: &[(&str, &str)]) -> Answer {
        let query = Serializer::new(String::new()).extend_pairs(params).finish();
        let request = self.client.get(&format!("{PATH}?{query}"));
        request.header("cookie", &self.browser.cookie).quiet().await
    }

    fn is_signed_in(&self) -> bool {
        let cx = self.server.appliance.own_context();
        let (_, value) = self.browser.cookie.split_once('=').unwrap();
        sessions::find(&cx, value).unwrap().is_some()
    }

    /// The session goes on, and the browser is not sent anywhere.
    #[track_caller]
    fn goes_nowhere(&self, answer: &Answer, status: u16) {
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.header("location"), "");
        assert!(self.is_signed_in());
        is_page(answer);
    }
}

/// A page nobody can frame or script (O10).
#[track_caller]
fn is_page(answer: &Answer) {
    assert!(
        answer.header("content-type").starts_with("text/html"),
        "{answer:?}"
    );
    assert!(
        answer
            .header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-store");
}

fn set_cookies(answer: &Answer) -> Vec<&str> {
    let lines = answer.headers.get_all("set-cookie").iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_leads_back_with_the_state() {
    let scene = Scene::set().await;
    let params = [
        ("id_token_hint", scene.hint.as_str()),
        ("post_logout_redirect_uri", REGISTERED),
        ("state", "a b&c"),
    ];
    let answer = scene.get(&params).await;
    assert_eq!(answer.status, 303);
    assert_eq!(
        answer.header("location"),
        format!("{REGISTERED}?state=a+b%26c")
    );
    assert!(!scene.is_signed_in());
    let cleared = set_cookies(&answer);
    for name in ["__Host-admit-session", "__Host-admit-ping"] {
        let is = |line: &&str| line.starts_with(&format!("{name}=;")) && line.contains("Max-Age=0");
        assert!(cleared.iter().any(is), "{name}: {cleared:?}");
    }
    let again = scene.get(&params).await;
    assert_eq!(again.status, 303, "nobody is signed in any more");
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_state_adds_none() {
    let scene = Scene::set().await;
    let params = [
        ("id_token_hint", scene.hint.as_str()),
        ("client_id", &scene.rp),
        ("post_logout_redirect_uri", REGISTERED),
    ];
    let answer = scene.get(&params).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, REGISTERED)
    );
    assert!(!scene.is_signed_in());
}

#[tokio::test]
async fn lo_2_a_post_does_what_a_link_does() {
    let scene = Scene::set().await;
    let form = [
        ("id_token_hint", scene.hint.as_str()),
        ("post_logout_redirect_uri", "https://app.example/?a=b"),
        ("state", "x"),
    ];
    let post = || scene.client.post(PATH).form(&form);
    let elsewhere = post().quiet().await;
    assert_eq!(
        elsewhere.status, 303,
        "another site's form comes without our cookies"
    );
    let link = elsewhere.header("location").to_owned();
    assert!(link.starts_with("/oidc/logout?id_token_hint=ey"), "{link}");
    assert!(scene.is_signed_in());

    let cookie = scene.browser.cookie.as_str();
    let followed = scene.client.get(&link).header("cookie", cookie);
    let followed = followed.quiet().await;
    let posted = post().header("cookie", cookie).quiet().await;
    for answer in [followed, posted] {
        let to = "https://app.example/?a=b&state=x";
        assert_eq!((answer.status, answer.header("location")), (303, to));
    }
    assert!(!scene.is_signed_in());
}

#[tokio::test]
async fn lo_2_an_expired_hint_will_do() {
    let scene = Scene::set().await;
    scene.server.advance(Duration::from_hours(1));
    let answer = scene.get(&[("id_token_hint", &scene.hint)]).await;
    assert_eq!(answer.status, 200);
    is_page(&answer);
    assert!(!scene.is_signed_in());
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri_tells() {
    let scene = Scene::set().await;
    let hint = [("id_token_hint", scene.hint.as_str()), ("state", "x")];
    let answer = scene.get(&hint).await;
    assert_eq!((answer.status, answer.header("location")), (200, ""));
    is_page(&answer);
    assert!(!scene.is_signed_in());
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_or_extended_redirect_uris_lead_nowhere() {
    let scene = Scene::set().await;
    let uris = [
        "https://elsewhere.example/",
        "https://app.example/signed-out?foo=bar",
        "https://app.example/signed-out/",
        "https://app.example/Signed-out",
        "https://APP.example/signed-out",
        "https://app.example:443/signed-out",
        "https://app.example/signed-out#",
        "https://app.example/a/../signed-out",
        "https://app.example/signed%2Dout",
        "https://user@app.example/signed-out",
        "https://app.example\\@elsewhere.example/signed-out",
        "//app.example/signed-out",
        " https://app.example/signed-out",
        "https://app.example/signed-out\r\nx: y",
        "https://app.example/?a=b&a=b",
        "javascript:alert(1)",
    ];
    for uri in uris {
        for named in [None, Some(scene.rp.as_str())] {
            let mut params = vec![("post_logout_redirect_uri", uri), ("state", "x")];
            params.extend(named.map(|id| ("client_id", id)));
            params.push(("id_token_hint", &scene.hint));
            let answer = scene.get(&params).await;
            scene.goes_nowhere(&answer, 400);
            let nobody = Serializer::new(String::new())
                .extend_pairs(&params)
                .finish();
            let answer = scene.client.get(&format!("{PATH}?{nobody}")).quiet().await;
            assert_eq!(
                (answer.status, answer.header("location")),
                (400, ""),
                "{uri}"
            );
        }
    }
    let params = [
        ("client_id", scene.rp.as_str()),
        ("post_logout_redirect_uri", uris[0]),
    ];
    let answer = scene.get(&params).await;
    scene.goes_nowhere(&answer, 400);
    assert!(
        words(&answer.text).contains(uris[0]) && words(&answer.text).contains(REGISTERED),
        "side by side"
    );
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_modified_and_bad_hints_lead_nowhere() {
    let scene = Scene::set().await;
    let parts: Vec<&str> = scene.hint.split('.').collect();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    let bearer = scene.client.bearer(&scene.server.first_client()).await;
    let bent = format!("{}.{}.{}", parts[0], parts[1], parts[2].replace('A', "B"));
    let foreign = {
        let other = Server::start().await;
        let record = client_of(&other, &other.first_client().id);
        let user = ada(&other);
        let elsewhere = browser(&other);
        id_token(&other, record.id.as_str(), &elsewhere.session, &user)
    };
    for hint in [&unsigned, &bent, &foreign, &bearer, &"nonsense".to_owned()] {
        let answer = scene
            .get(&[
                ("id_token_hint", hint),
                ("post_logout_redirect_uri", REGISTERED),
            ])
            .await;
        scene.goes_nowhere(&answer, 400);
    }
    let other_client = [
        ("id_token_hint", scene.hint.as_str()),
        ("client_id", "customer"),
    ];
    let answer = scene.get(&other_client).await;
    scene.goes_nowhere(&answer, 400);
    let no_client = [
        ("client_id", "nobody"),
        ("post_logout_redirect_uri", REGISTERED),
    ];
    let answer = scene.get(&no_client).await;
    scene.goes_nowhere(&answer, 400);
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_params_only_state_and_no_hint_ask_first() {
    let scene = Scene::set().await;
    let rows: [&[(&str, &str)]; 4] = [
        &[],
        &[("state", "x")],
        &[("post_logout_redirect_uri", REGISTERED)],
        &[
            ("post_logout_redirect_uri", REGISTERED),
            ("client_id", &scene.rp),
        ],
    ];
    for params in rows {
        let answer = scene.get(params).await;
        scene.goes_nowhere(&answer, 200);
        assert!(
            answer.text.contains("name=\"form_token\""),
            "{}",
            answer.text
        );
        let nobody = scene.client.get(PATH).quiet().await;
        assert_eq!(nobody.status, 200);
        assert!(nobody.text.contains("signed out"));
    }
    let other = User {
        id: "somebody-else".parse().unwrap(),
        ..scene.user.clone()
    };
    let hint = id_token(&scene.server, &scene.rp, &scene.browser.session, &other);
    let answer = scene.get(&[("id_token_hint", &hint)]).await;
    scene.goes_nowhere(&answer, 200);
    assert!(
        answer.text.contains("name=\"form_token\""),
        "another person's hint"
    );
}

/// The question, answered: the values its form carries, and the cookie it is bound to.
async fn question(scene: &Scene, params: &[(&str, &str)]) -> (Vec<(String, String)>, String) {
    let answer = scene.get(params).await;
    let cookie = set_cookies(&answer)[0]
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert!(cookie.starts_with("__Host-admit-form="), "{cookie}");
    let fields = Form::of(&answer.text).fields.into_iter();
    (fields.collect(), cookie)
}

async fn decide(
    scene: &Scene,
    fields: &[(String, String)],
    cookie: &str,
    headers: &[(&str, &str)],
    decision: &str,
) -> Answer {
    let mut form: Vec<(&str, &str)> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    form.push(("decision", decision));
    let cookies = format!("{}; {cookie}", scene.browser.cookie);
    let mut request = scene
        .client
        .post(PATH)
        .header("cookie", &cookies)
        .form(&form);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.quiet().await
}

#[tokio::test]
async fn lo_3_the_answered_question_leads_where_the_request_asked() {
    let scene = Scene::set().await;
    let params = [
        ("client_id", scene.rp.as_str()),
        ("post_logout_redirect_uri", "https://app.example/?a=b"),
        ("state", "a&b"),
    ];
    let (fields, cookie) = question(&scene, &params).await;
    let no = decide(&scene, &fields, &cookie, &[], "no").await;
    scene.goes_nowhere(&no, 200);
    let yes = decide(&scene, &fields, &cookie, &[], "yes").await;
    let to = "https://app.example/?a=b&state=a%26b";
    assert_eq!((yes.status, yes.header("location")), (303, to));
    assert!(!scene.is_signed_in());
}

/// What is sent, and the status it is refused with: a name, fields, a cookie, headers.
type Posted<'a> = (
    &'a str,
    &'a [(String, String)],
    &'a str,
    &'a [(&'a str, &'a str)],
    u16,
);

#[tokio::test]
async fn o9_no_other_site_signs_anybody_out() {
    let scene = Scene::set().await;
    let (fields, cookie) = question(&scene, &[]).await;
    let other_cookie = "__Host-admit-form=AAAAAAAAAAAAAAAAAAAAAA";
    let bent = vec![("form_token".to_owned(), "AAAA".to_owned())];
    let own = format!("https://localhost:{}", scene.server.address.port());
    let foreign = [("origin", "https://elsewhere.example")];
    let cross = [("sec-fetch-site", "cross-site"), ("origin", own.as_str())];
    let sibling = [("sec-fetch-site", "same-site")];
    let port = [("origin", "https://localhost:1")];
    let rows: [Posted<'_>; 8] = [
        ("no token", &[], &cookie, &[], 403),
        ("a wrong token", &bent, &cookie, &[], 403),
        ("no cookie", &fields, "a=b", &[], 403),
        ("another cookie", &fields, other_cookie, &[], 403),
        ("another origin", &fields, &cookie, &foreign, 403),
        ("another port", &fields, &cookie, &port, 403),
        ("the browser says cross-site", &fields, &cookie, &cross, 403),
        (
            "the browser says same-site",
            &fields,
            &cookie,
            &sibling,
            403,
        ),
    ];
    for (name, fields, cookie, headers, status) in rows {
        let answer = decide(&scene, fields, cookie, headers, "yes").await;
        assert_eq!(answer.status, status, "{name}");
        scene.goes_nowhere(&answer, status);
    }
    let hidden = [("origin", "null"), ("sec-fetch-site", "same-origin")];
    let answer = decide(&scene, &fields, &cookie, &hidden, "yes").await;
    assert_eq!(answer.status, 200, "our own page, which sends no referrer");
    assert!(!scene.is_signed_in());
}

#[tokio::test]
async fn signing_out_ends_what_came_of_the_session_at_the_next_request() {
    let scene = Scene::set().await;
    let cx = scene.server.appliance.own_context();
    let record = client_of(&scene.server, &scene.rp);
    let mut grantee = super::grantee(&cx, &scene.user, &record, "openid");
    let minted = |grantee: &Grantee| {
        let token = tokens::mint(&cx, grantee, &record).unwrap();
        token.value.expose().clone()
    };
    let other = minted(&grantee);
    grantee.session = Some(scene.browser.session.id.clone());
    let token = minted(&grantee);
    assert!(scene.client.is_alive(&token).await);
    scene.get(&[("id_token_hint", &scene.hint)]).await;
    assert!(!scene.client.is_alive(&token).await);
    assert!(scene.client.is_alive(&other).await, "of no session");
}

#[tokio::test]
async fn what_is_shown_is_escaped() {
    let scene = Scene::set().await;
    let hostile = "\"><script>x</script>";
    let params = [("client_id", scene.rp.as_str()), ("state", hostile)];
    let answer = scene.get(&params).await;
    assert!(!answer.text.contains("<script"), "{}", answer.text);
    let params = [
        ("client_id", scene.rp.as_str()),
        ("post_logout_redirect_uri", hostile),
    ];
    let answer = scene.get(&params).await;
    assert!(!answer.text.contains("<script"), "{}", answer.text);
    let twice = [
        ("state", hostile),
        ("state", hostile),
        (hostile, ""),
        (hostile, ""),
    ];
    let answer = scene.get(&twice).await;
    scene.goes_nowhere(&answer, 400);
    assert!(!answer.text.contains("<script"), "{}", answer.text);
}
