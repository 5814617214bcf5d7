//! The life of signing keys: published before they sign, believed until their last token is gone, removed at once.
//!
//! OpenID Connect Core §10.1.1, RFC 7517, RFC 7638; `o16` is the row of the threat table that asks for rotation.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use admit::compose::{World, compose};
use admit::config::{Config, MasterKeySource};
use admit::crypto::jws::Algorithm;
use admit::domain::Appliance;
use admit::domain::clients::GrantType;
use admit::domain::policy::Policy;
use admit::domain::signing::{self, Error, KEY_SET_SECONDS, KeyStatus, Urgency};
use admit::jobs;
use admit::kernel::{Clock as _, ManualClock, SystemEntropy, Timestamp};
use admit::store::{Disk, FaultyDisk, RealDisk};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::support::client::Client;
use crate::support::server::{Credentials, START, Server, Setup, at};

const DAY: Duration = Duration::from_hours(24);
const SECOND: Duration = Duration::from_secs(1);
/// How much longer than its last token a retired key stays.
const SLACK: Duration = Duration::from_mins(5);

/// A server, somebody whose tokens are signed EdDSA, and somebody whose tokens are signed RS256.
struct Scene {
    server: Server,
    client: Client,
    who: [Credentials; 2],
}

impl Scene {
    async fn governed(change: impl FnOnce(&mut Policy)) -> Self {
        let mut setup = Setup {
            public_url: Some("https://localhost"),
            ..Setup::default()
        };
        change(&mut setup.policy);
        let server = Server::with(setup).await;
        let eddsa = server.first_client();
        let rs256 = server.register_as(
            &server.organization(),
            &[],
            &[GrantType::ClientCredentials],
            Algorithm::Rs256,
        );
        Self {
            client: Client::of(&server),
            server,
            who: [eddsa, rs256],
        }
    }

    async fn start() -> Self {
        Self::governed(|_| ()).await
    }

    async fn restart(self) -> Self {
        let server = self.server.restart().await;
        Self {
            client: Client::of(&server),
            server,
            who: self.who,
        }
    }

    /// What the background loop does once a minute.
    async fn keep(&self) {
        jobs::rotate_once(&self.server.appliance).await.unwrap();
    }

    async fn tokens(&self) -> [String; 2] {
        let [eddsa, rs256] = &self.who;
        [
            self.client.bearer(eddsa).await,
            self.client.bearer(rs256).await,
        ]
    }

    async fn alive(&self, tokens: &[String; 2]) -> [bool; 2] {
        let [eddsa, rs256] = tokens;
        [
            self.client.is_alive(eddsa).await,
            self.client.is_alive(rs256).await,
        ]
    }

    fn list(&self) -> Vec<KeyStatus> {
        listed(&self.server.appliance)
    }

    /// The names of the keys that are in this life, EdDSA first.
    fn named(&self, life: &str) -> Vec<String> {
        let list = self.list();
        let named = list.iter().filter(|key| key.life == life);
        named.map(|key| key.kid.clone()).collect()
    }

    /// Removes a key as the operator does.
    async fn remove(&self, kid: &str) -> Result<(), Error> {
        let (appliance, kid) = (Arc::clone(&self.server.appliance), kid.to_owned());
        let removed =
            tokio::task::spawn_blocking(move || signing::remove(&appliance.own_context(), &kid));
        removed.await.unwrap()
    }

    fn rotate(&self, algorithm: Algorithm, urgency: Urgency) -> Result<KeyStatus, Error> {
        signing::rotate(&self.server.appliance.own_context(), algorithm, urgency)
    }

    /// The names in the key set, which is looked at for what must always hold.
    async fn published(&self) -> Vec<String> {
        names(&key_set(&self.client).await)
    }
}

/// A second less.
fn almost(span: Duration) -> Duration {
    span.checked_sub(SECOND).unwrap()
}

fn listed(appliance: &Appliance) -> Vec<KeyStatus> {
    signing::list(&appliance.own_context())
}

fn kid(token: &str) -> String {
    let (header, _) = token.split_once('.').unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn kids(tokens: &[String; 2]) -> Vec<String> {
    tokens.iter().map(|token| kid(token)).collect()
}

fn names(keys: &[Value]) -> Vec<String> {
    let name = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    keys.iter().map(name).collect()
}

/// The key set: only public members, every key named by its thumbprint, no name twice.
async fn key_set(client: &Client) -> Vec<Value> {
    let answer = client.get("/.well-known/jwks.json").send().await.ok();
    assert_eq!(
        answer.header("cache-control"),
        format!("public, max-age={KEY_SET_SECONDS}")
    );
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    for key in &keys {
        let text = |name: &str| key[name].as_str().unwrap();
        let (members, alg, hashed): (&[&str], _, _) = match text("kty") {
            "OKP" => (
                &["alg", "crv", "kid", "kty", "use", "x"],
                "EdDSA",
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text("x")),
            ),
            "RSA" => (
                &["alg", "e", "kid", "kty", "n", "use"],
                "RS256",
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text("e"), text("n")),
            ),
            other => panic!("{other}"),
        };
        let mut found: Vec<&String> = key.as_object().unwrap().keys().collect();
        found.sort();
        assert_eq!(found, members);
        assert_eq!((text("alg"), text("use")), (alg, "sig"));
        // RFC 7638 §3.
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, hashed.as_bytes()));
        assert_eq!(text("kid"), thumbprint);
    }
    let unique: BTreeSet<String> = names(&keys).into_iter().collect();
    assert_eq!(unique.len(), keys.len());
    keys
}

#[tokio::test]
async fn oc_10_1_1_a_key_is_published_before_it_signs_and_kept_until_its_last_token_is_gone() {
    let scene = Scene::governed(|policy| policy.tokens.access = 7 * DAY).await;
    let first = scene.named("current");
    assert_eq!(
        scene.published().await,
        first,
        "the first start makes what it needs"
    );
    scene.keep().await;
    let next = scene.named("next");
    let (then, now) = (next.clone(), first.clone());
    assert_eq!(scene.published().await, [now, then].concat());

    scene.server.advance(almost(90 * DAY));
    scene.keep().await;
    let old = scene.tokens().await;
    assert_eq!(kids(&old), first);
    scene.server.advance(SECOND);
    scene.keep().await;
    assert_eq!(kids(&scene.tokens().await), next);
    assert_eq!(scene.named("retired"), first);
    let after = scene.named("next");
    let expected = [next.clone(), after.clone(), first.clone()].concat();
    assert_eq!(scene.published().await, expected);

    scene.server.advance(almost(almost(7 * DAY)));
    scene.keep().await;
    assert_eq!(scene.alive(&old).await, [true, true]);
    scene.server.advance(SECOND);
    scene.keep().await;
    let answer = scene.client.get("/auth/v3/userinfo").bearer(&old[0]);
    answer
        .send()
        .await
        .says(401, "invalid_token", "Access token expired");
    assert_eq!(scene.published().await, expected);
    scene.server.advance(SLACK + SECOND);
    scene.keep().await;
    assert_eq!(scene.published().await, [next, after].concat());
    assert_eq!(scene.server.count("signing_keys"), 4);
    let answer = scene.client.get("/auth/v3/userinfo").bearer(&old[1]);
    answer
        .send()
        .await
        .says(401, "invalid_token", "Invalid access token");
}

#[tokio::test]
async fn oc_10_1_1_a_key_that_was_not_published_in_time_signs_later() {
    let scene = Scene::start().await;
    let first = scene.named("current");
    scene.server.advance(400 * DAY);
    scene.keep().await;
    assert_eq!(
        scene.named("current"),
        first,
        "long due, but nobody has seen the next key"
    );
    let next = scene.named("next");
    scene.server.advance(almost(DAY));
    scene.keep().await;
    assert_eq!(kids(&scene.tokens().await), first);
    scene.server.advance(SECOND);
    scene.keep().await;
    assert_eq!(kids(&scene.tokens().await), next);
}

#[tokio::test]
async fn oc_10_1_1_a_restart_at_any_step_finds_the_keys_as_they_were() {
    let mut scene = Scene::start().await;
    let mut held = scene.tokens().await;
    let steps = [0, 1, 89, 1, 7, 1, 81, 1].map(|days| days * DAY);
    let mut lives = BTreeSet::new();
    for (step, span) in steps.into_iter().enumerate() {
        scene.server.advance(span);
        for kept in [false, true] {
            if kept {
                scene.keep().await;
            }
            let (before, published) = (scene.list(), scene.published().await);
            scene = scene.restart().await;
            assert_eq!(scene.list(), before, "step {step}");
            assert_eq!(scene.published().await, published, "step {step}");
            assert_eq!(scene.named("current").len(), 2, "step {step}");
        }
        if span >= DAY / 2 {
            held = scene.tokens().await;
        }
        assert_eq!(scene.alive(&held).await, [true, true], "step {step}");
        lives.insert(scene.list().len());
    }
    assert_eq!(lives.into_iter().collect::<Vec<_>>(), [4, 6]);
    assert_eq!(
        scene.server.count("audit"),
        2 + 2 + 2 * 2 * 2 + 2,
        "what was installed and registered; two next keys; two rotations of two keys, each with a key published; two keys gone"
    );
}

#[tokio::test]
async fn oc_10_1_1_a_key_is_kept_for_tokens_that_live_longer_than_todays_rules_allow() {
    let scene = Scene::governed(|policy| policy.tokens.access = 30 * DAY).await;
    scene.keep().await;
    let old = scene.tokens().await;
    let clock = Arc::clone(&scene.server.clock);
    let data = scene.server.stop().await;
    let setup = Setup {
        public_url: Some("https://localhost"),
        clock,
        data: Some(data),
        ..Setup::default()
    };
    assert!(setup.policy.tokens.access < DAY);
    let server = Server::with(setup).await;
    let scene = Scene {
        client: Client::of(&server),
        server,
        who: scene.who,
    };
    scene
        .rotate(Algorithm::EdDsa, Urgency::Immediately)
        .unwrap();
    scene.server.advance(almost(30 * DAY));
    scene.keep().await;
    assert_eq!(scene.alive(&old).await, [true, true]);
    scene.server.advance(SLACK + SECOND);
    scene.keep().await;
    assert!(!scene.published().await.contains(&kid(&old[0])));
}

#[tokio::test]
async fn oc_10_1_1_an_orderly_rotation_says_from_when_on_it_can_be_done() {
    let scene = Scene::start().await;
    let first = scene.named("current");
    let rotate = |urgency| scene.rotate(Algorithm::Rs256, urgency);
    let told: Timestamp = at(START).after(DAY);
    for _ in 0..2 {
        let refused = rotate(Urgency::Orderly).unwrap_err();
        assert!(matches!(refused, Error::TooEarly(instant) if instant == told));
        assert_eq!(
            refused.to_string(),
            "the next key cannot sign before 2026-11-22T12:00:00Z, when everyone can have seen it; --now does not wait"
        );
        assert_eq!(scene.named("next").len(), 1, "it was published meanwhile");
        scene.server.advance(DAY / 2);
    }
    let next = scene.named("next");
    let now = rotate(Urgency::Orderly).unwrap();
    assert_eq!((&now.kid, now.life), (&next[0], "current"));
    assert_eq!(
        scene.named("current"),
        [first[0].clone(), now.kid],
        "the other algorithm's key goes on signing"
    );
    let hurried = rotate(Urgency::Immediately).unwrap();
    assert_eq!(kids(&scene.tokens().await)[1], hurried.kid);
    assert_eq!(scene.named("retired").len(), 2);
}

#[tokio::test]
async fn o16_a_removed_key_takes_its_tokens_with_it_at_the_very_next_request() {
    let scene = Scene::start().await;
    scene.keep().await;
    let (first, next) = (scene.named("current"), scene.named("next"));
    let tokens = scene.tokens().await;
    assert_eq!(scene.alive(&tokens).await, [true, true]);
    scene.remove(&first[0]).await.unwrap();
    assert_eq!(scene.alive(&tokens).await, [false, true]);
    assert!(!scene.published().await.contains(&first[0]));
    assert_eq!(scene.named("current"), [&*next[0], &*first[1]]);
    assert_eq!(scene.named("retired").len(), 0);
    let again = scene.tokens().await;
    assert_eq!(scene.alive(&again).await, [true, true]);
    scene.remove(&first[1]).await.unwrap();
    assert_eq!(scene.alive(&tokens).await, [false, false]);
    assert_eq!(scene.alive(&again).await, [true, false]);
    let pem = scene.client.get("/security/oauth/token_key").send().await;
    assert_eq!(pem.member("kid"), next[0]);

    let scene = scene.restart().await;
    assert_eq!(scene.alive(&tokens).await, [false, false]);
    assert_eq!(scene.alive(&again).await, [true, false]);
    let unknown = scene.remove(&first[0]).await.unwrap_err();
    assert!(matches!(unknown, Error::Unknown), "{unknown}");
}

#[tokio::test]
async fn o16_a_key_can_be_removed_whatever_its_life() {
    let scene = Scene::start().await;
    let first = scene.named("current");
    let tokens = scene.tokens().await;
    scene.remove(&first[1]).await.unwrap();
    assert_eq!(scene.alive(&tokens).await, [true, false]);
    let made = scene.named("current");
    assert!(made[0] == first[0] && made[1] != first[1], "without a next");
    scene.keep().await;

    let next = scene.named("next");
    scene.remove(&next[0]).await.unwrap();
    assert_eq!(scene.named("current"), made);
    let others = scene.named("next");
    assert!(others[0] != next[0] && others[1] == next[1]);
    assert!(!scene.published().await.contains(&next[0]));

    scene
        .rotate(Algorithm::EdDsa, Urgency::Immediately)
        .unwrap();
    assert_eq!(scene.named("retired"), [&*first[0]]);
    assert_eq!(scene.alive(&tokens).await, [true, false]);
    scene.remove(&first[0]).await.unwrap();
    assert_eq!(scene.alive(&tokens).await, [false, false]);
    assert_eq!(scene.published().await.len(), 4);
    assert_eq!(scene.server.count("signing_keys"), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_no_request_after_the_removal_finds_a_token_that_was_checked_before() {
    let scene = Arc::new(Scene::start().await);
    for _ in 0..20 {
        let token = scene.client.bearer(&scene.who[0]).await;
        let gone = Arc::new(AtomicBool::new(false));
        let askers = (0..4).map(|_| {
            let (scene, token, gone) = (Arc::clone(&scene), token.clone(), Arc::clone(&gone));
            tokio::spawn(async move {
                for _ in 0..10_000 {
                    let was_gone = gone.load(Ordering::SeqCst);
                    let alive = scene.client.is_alive(&token).await;
                    assert!(!(was_gone && alive), "alive after its key was removed");
                    if was_gone {
                        return;
                    }
                }
                panic!("the key was never removed");
            })
        });
        let askers: Vec<_> = askers.collect();
        assert!(scene.client.is_alive(&token).await);
        scene.remove(&kid(&token)).await.unwrap();
        gone.store(true, Ordering::SeqCst);
        for asker in askers {
            asker.await.unwrap();
        }
    }
}

fn composed(data: &Path, disk: Arc<dyn Disk>) -> Result<Arc<Appliance>, String> {
    let config = Config {
        data: data.to_owned(),
        master_key: MasterKeySource::File(data.join("master.key")),
        ..Config::default()
    };
    let world = World {
        clock: Arc::new(ManualClock::at(at(START))),
        entropy: Arc::new(SystemEntropy::default()),
        disk,
    };
    let composed = compose(&config, 8443, world).map_err(|error| error.to_string())?;
    Ok(composed.appliance)
}

/// The one current key of each algorithm.
fn current(appliance: &Appliance) -> [String; 2] {
    let list = listed(appliance);
    let current = list.into_iter().filter(|key| key.life == "current");
    let current: Vec<String> = current.map(|key| key.kid).collect();
    current.try_into().unwrap()
}

#[test]
fn oc_10_1_1_whichever_flush_fails_there_is_one_current_key_and_only_a_durable_one_signs() {
    let data = tempfile::tempdir().unwrap();
    signing::keep(
        &composed(data.path(), Arc::new(RealDisk))
            .unwrap()
            .own_context(),
    )
    .unwrap();
    let (mut failed, mut done) = (0, 0);
    for n in 1.. {
        let disk = Arc::new(FaultyDisk::failing_at(n));
        let mut known = None;
        if let Ok(appliance) = composed(data.path(), disk) {
            let before = current(&appliance);
            let cx = appliance.own_context();
            let urgency = Urgency::Immediately;
            let rotated = signing::rotate(&cx, Algorithm::EdDsa, urgency);
            let after = current(&appliance);
            assert_eq!(rotated.is_ok(), after != before, "failure {n}");
            let removed = rotated.is_ok().then(|| signing::remove(&cx, &before[0]));
            match removed {
                None => failed += 1,
                Some(Err(_)) => known = Some(after),
                Some(Ok(())) => (known, done) = (Some(after), done + 1),
            }
        }
        let appliance = composed(data.path(), Arc::new(RealDisk)).unwrap();
        let found = current(&appliance);
        if let Some(known) = known {
            assert_eq!(found, known, "failure {n}");
        }
        signing::keep(&appliance.own_context()).unwrap();
        if done == 3 {
            break;
        }
    }
    assert!(failed > 0, "no failure fell into a rotation");
}

#[test]
fn oc_10_1_1_rotations_at_once_leave_one_current_key() {
    let data = tempfile::tempdir().unwrap();
    let appliance = composed(data.path(), Arc::new(RealDisk)).unwrap();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let appliance = &appliance;
            scope.spawn(move || {
                for _ in 0..5 {
                    let cx = appliance.own_context();
                    match n % 3 {
                        0 => signing::keep(&cx).unwrap(),
                        1 => drop(
                            signing::rotate(&cx, Algorithm::EdDsa, Urgency::Immediately).unwrap(),
                        ),
                        _ => drop(signing::remove(&cx, &current(appliance)[0])),
                    }
                    current(appliance);
                }
            });
        }
    });
    let before = listed(&appliance);
    drop(appliance);
    let again = composed(data.path(), Arc::new(RealDisk)).unwrap();
    assert_eq!(before.len(), listed(&again).len());
    assert!(before.iter().all(|key| listed(&again).contains(key)));
    current(&again);
}

#[test]
fn o16_a_key_is_published_longer_than_the_key_set_may_be_kept() {
    let shortest = Duration::from_hours(1);
    assert!(shortest > Duration::from_secs(KEY_SET_SECONDS.into()));
    let policy = Policy::default().signing;
    assert!(policy.publish_before >= shortest && policy.rotate_every > policy.publish_before);
    assert!(Policy::default().longest_signed() >= 7 * DAY);
}

/// Somebody who verifies tokens by the key set, which they keep for as long as it says.
struct Verifier {
    keys: Vec<Value>,
    since: Timestamp,
    fetched: u32,
}

impl Verifier {
    async fn verify(&mut self, scene: &Scene, token: &str) {
        let now = scene.server.clock.now();
        if now.since(self.since) > Duration::from_secs(KEY_SET_SECONDS.into()) {
            // The instant before the answer: it may be kept from when it was made.
            self.since = now;
            self.keys = key_set(&scene.client).await;
            self.fetched += 1;
        }
        let kid = kid(token);
        let key = self.keys.iter().find(|key| key["kid"] == kid.as_str());
        let key = key.expect("a key that verifiers have not seen signs");
        let (message, signature) = token.rsplit_once('.').unwrap();
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let member = |name: &str| bytes(key[name].as_str().unwrap());
        let (message, signature) = (message.as_bytes(), bytes(signature));
        if key["kty"] == "OKP" {
            let key = UnparsedPublicKey::new(&ED25519, member("x"));
            key.verify(message, &signature).unwrap();
        } else {
            let key = RsaPublicKeyComponents {
                n: member("n"),
                e: member("e"),
            };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, message, &signature)
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_a_rotation_under_10000_tokens_fails_no_mint_and_no_verification() {
    const TASKS: usize = 8;
    const EACH: usize = 1_250;
    let scene = Scene::governed(|policy| {
        // A key takes over as soon as it has been published long enough, so that publishing it shorter would be seen.
        policy.signing.rotate_every = Duration::from_mins(1);
        policy.signing.publish_before = Duration::from_secs(u64::from(KEY_SET_SECONDS) + 1);
    });
    let scene = Arc::new(scene.await);
    let (told, mut heard) = mpsc::unbounded_channel();
    let tasks = (0..TASKS).map(|task| {
        let (scene, told) = (Arc::clone(&scene), told.clone());
        tokio::spawn(async move {
            let mut verifier = Verifier {
                keys: Vec::new(),
                since: Timestamp::from_micros(0),
                fetched: 0,
            };
            let mut signed_by = BTreeSet::new();
            for _ in 0..EACH {
                let token = scene.client.bearer(&scene.who[task % 2]).await;
                verifier.verify(&scene, &token).await;
                assert!(scene.client.is_alive(&token).await);
                signed_by.insert(kid(&token));
                told.send(()).unwrap();
            }
            (signed_by.len(), verifier.fetched)
        })
    });
    let tasks: Vec<_> = tasks.collect();
    drop(told);
    let mut minted = 0;
    while heard.recv().await.is_some() {
        minted += 1;
        if minted % 200 == 0 {
            scene.server.advance(Duration::from_secs(100));
            scene.keep().await;
        }
    }
    assert_eq!(minted, TASKS * EACH);
    for task in tasks {
        let (signed_by, fetched) = task.await.unwrap();
        assert!(signed_by >= 8, "{signed_by} keys signed");
        assert!((8..=30).contains(&fetched), "{fetched} key sets fetched");
    }
    assert!(scene.list().len() >= 24, "{:?}", scene.list());
}
