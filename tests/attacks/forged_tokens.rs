//! Row O15: tokens that were never issued, built systematically from real ones, and tokens used for what they are not.
//!
//! Header tricks are tried twice, with a signature of somebody else's and with a right one, so that it is not the
//! signature alone that refuses them. `jku` and its like point to a listener that must never hear anything.

use std::io::ErrorKind;
use std::net::TcpListener;

use admit::crypto::jws::Algorithm;
use admit::domain::clients::{Facts, GrantType};
use serde_json::{Value, json};

use super::forge::{Key, decoded, encoded, hashed, malleated, message, parts, with};
use super::{PING, SESSION, pings, set};
use crate::support::browser::Browser;
use crate::support::client::Client;
use crate::support::party::{AFTER_LOGOUT, AUTH_V3, Party, claims, facts, header};
use crate::support::server::Server;

/// A token that must be refused.
struct Forged {
    what: String,
    token: String,
    /// What it passes itself off as.
    purpose: Purpose,
}

/// Where a token is presented.
#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    Bearer,
    PingCookie,
    Anything,
}

/// A server, and one of everything that it issues.
struct Scene {
    server: Server,
    keys: [Key; 2],
    foreign: [Key; 2],
    /// An access token of each algorithm, in the order of the keys.
    access: [String; 2],
    id_token: String,
    ping: String,
    statement: String,
    refresh: String,
    session: String,
    asking: (String, String),
    canary: TcpListener,
}

impl Scene {
    async fn set() -> Self {
        let server = Server::start().await;
        let client = Client::of(&server);
        let algorithms = [Algorithm::EdDsa, Algorithm::Rs256];
        let party = Party::at(AUTH_V3, &server, &client);
        let rsa = Facts {
            signing: Some(Algorithm::Rs256),
            ..facts()
        };
        let rsa = Party {
            credentials: server.register_client(&server.organization(), rsa),
            client: &client,
            person: party.person.clone(),
            front: AUTH_V3,
        };
        let mut browser = Browser::of(&client);
        let landed = party
            .signed_in(&mut browser, &[("scope", "openid offline_access")])
            .await;
        let answer = party.exchange(&landed["code"], &[]).await.ok();
        let ed25519 = answer.member("access_token");
        let told = client.get("/auth/v3/jwt-userinfo").bearer(&ed25519);
        let other = rsa.tokens(&[]).await["access_token"].clone();
        Self {
            keys: algorithms.map(|algorithm| Key::of(&server, algorithm)),
            foreign: algorithms.map(Key::foreign),
            access: [ed25519, other.as_str().unwrap().to_owned()],
            id_token: answer.member("id_token"),
            ping: set(&answer, PING).unwrap(),
            statement: told.send().await.ok().header("x-gws-user").to_owned(),
            refresh: answer.member("refresh_token"),
            session: browser.cookie(SESSION).unwrap().to_owned(),
            asking: (
                party.credentials.id.clone(),
                party.credentials.secret.clone(),
            ),
            canary: TcpListener::bind("127.0.0.1:0").unwrap(),
            server,
        }
    }

    fn canary_url(&self) -> String {
        format!("https://{}/keys", self.canary.local_addr().unwrap())
    }

    /// Nobody has called.
    fn is_silent(&self) -> bool {
        self.canary.set_nonblocking(true).unwrap();
        let called = self.canary.accept();
        called.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// What introspection tells of it.
    async fn introspected(&self, client: &Client, token: &str) -> String {
        let request = client.post("/oauth/introspect");
        let request = request.basic(&self.asking.0, &self.asking.1);
        request.form(&[("token", token)]).send().await.ok().text
    }

    /// It is refused wherever it can be presented.
    async fn is_refused(&self, client: &Client, forged: &Forged) {
        let Forged {
            what,
            token,
            purpose,
        } = forged;
        if *purpose != Purpose::PingCookie {
            for path in ["/auth/v3/userinfo", "/oidc/userinfo"] {
                let answer = client.get(path).bearer(token).send().await;
                let error = answer.json()["error"].clone();
                let nothing = token.is_empty() && error == "unauthorized";
                let refused = answer.status == 401 && (nothing || error == "invalid_token");
                assert!(refused, "{what} at {path}: {answer:?}");
            }
            let answer = client.get("/auth/v3/ping").bearer(token).send().await;
            assert_eq!(answer.status, 403, "{what} at ping: {answer:?}");
            if *token != self.refresh && !token.is_empty() {
                let told = self.introspected(client, token).await;
                assert_eq!(told, r#"{"active":false}"#, "{what}");
            }
        }
        if *purpose != Purpose::Bearer {
            assert!(!pings(client, PING, token).await, "{what} as a ping cookie");
            assert!(!pings(client, SESSION, token).await, "{what} as a session");
        }
    }

    fn corpus(&self) -> Vec<Forged> {
        [
            self.unsigned(),
            self.by_public_keys(),
            self.by_other_algorithms(),
            self.by_other_keys(),
            self.with_other_headers(),
            self.of_other_types(),
            self.doubled(),
            self.written_otherwise(),
            self.of_other_parts(),
            self.with_bent_signatures(),
            self.with_odd_claims(),
            self.with_changed_claims(),
            self.for_something_else(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The algorithm that is none, in whatever spelling.
    fn unsigned(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        let spelled = [
            json!("none"),
            json!("None"),
            json!("NONE"),
            json!("nOnE"),
            json!("none "),
            json!(""),
            json!("null"),
            json!("n\u{43e}ne"),
            json!("none\0"),
            json!(null),
            json!(0),
            json!([]),
            json!(["none"]),
            json!(false),
            json!({"none": 1}),
        ];
        for (key, access) in self.keys.iter().zip(&self.access) {
            for alg in &spelled {
                let header = with(&key.header("at+jwt"), "alg", Some(alg.clone()));
                let message = message(&header.to_string(), &claims(access).to_string());
                let real = parts(access)[2];
                for (how, token) in [
                    ("nothing", format!("{message}.")),
                    ("the real signature", format!("{message}.{real}")),
                    ("no third part", message.clone()),
                ] {
                    all.push(bearer(format!("alg {alg} and {how}"), token));
                }
            }
        }
        all
    }

    /// A public key taken for a shared secret.
    fn by_public_keys(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        for (key, access) in self.keys.iter().zip(&self.access) {
            let mut secrets = key.taken_for_secrets();
            secrets.push(Vec::new());
            secrets.push(self.server.appliance.base().origin().into_bytes());
            for algorithm in ["HS256", "HS384", "HS512"] {
                for (number, secret) in secrets.iter().enumerate() {
                    let header = with(&key.header("at+jwt"), "alg", Some(json!(algorithm)));
                    let token = hashed(algorithm, secret, &header, &claims(access));
                    let what = format!("{algorithm} by public secret {number} of {}", key.name());
                    all.push(bearer(what, token));
                }
            }
        }
        all
    }

    /// A right signature under the name of an algorithm that is not its key's.
    fn by_other_algorithms(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        let named = [
            "RS256",
            "EdDSA",
            "eddsa",
            "EDDSA",
            "Ed25519",
            "Ed448",
            "rs256",
            "RS384",
            "RS512",
            "PS256",
            "ES256",
            "ES256K",
            "ES512",
            "RSA-OAEP",
            "dir",
            "HS256",
            "RSASSA-PKCS1-v1_5",
            "EdDSA ",
        ];
        for (at, (key, access)) in self.keys.iter().zip(&self.access).enumerate() {
            let other = &self.keys[1 - at];
            for alg in named.into_iter().filter(|alg| *alg != key.name()) {
                let header = with(&key.header("at+jwt"), "alg", Some(json!(alg)));
                all.push(bearer(
                    format!("{} called {alg}", key.name()),
                    key.sign(&header, &claims(access)),
                ));
            }
            let confused = with(&key.header("at+jwt"), "kid", Some(json!(other.kid)));
            for (what, signer, header) in [
                ("our algorithm with the other key's kid", key, &confused),
                ("the other key called by our algorithm", other, &confused),
                (
                    "the other key under our header",
                    other,
                    &key.header("at+jwt"),
                ),
                (
                    "our key under the other's header",
                    key,
                    &other.header("at+jwt"),
                ),
            ] {
                let what = format!("{}: {what}", key.name());
                all.push(bearer(what, signer.sign(header, &claims(access))));
            }
        }
        all
    }

    /// Keys that are not ours, and ours by names that are not theirs.
    fn by_other_keys(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        for (at, (key, access)) in self.keys.iter().zip(&self.access).enumerate() {
            let kid = key.kid.as_str();
            let foreign = &self.foreign[at];
            for (name, header) in [
                ("its own kid", foreign.header("at+jwt")),
                ("our kid", key.header("at+jwt")),
            ] {
                let token = foreign.sign(&header, &claims(access));
                all.push(both(format!("a foreign {} with {name}", key.name()), token));
            }
            let odd = [
                json!("unknown"),
                json!(""),
                json!("../../../../dev/null"),
                json!("/dev/null"),
                json!("' OR '1'='1' --"),
                json!("x' UNION SELECT 'AA"),
                json!("| sleep 9"),
                json!("*"),
                json!([kid]),
                json!({"kid": kid}),
                json!(null),
                json!(0),
                json!(true),
                json!(format!("{kid}\0")),
                json!(format!(" {kid}")),
                json!(format!("{kid}=")),
                json!(kid.to_uppercase()),
                json!(kid[1..]),
                json!(self.canary_url()),
                json!("file:///etc/passwd"),
                json!("http://[::1]/"),
                json!("x".repeat(1_500)),
            ];
            for odd in odd.into_iter().map(Some).chain([None]) {
                let header = with(&key.header("at+jwt"), "kid", odd.clone());
                let token = key.sign(&header, &claims(access));
                let shown: String = format!("{odd:?}").chars().take(60).collect();
                all.push(both(format!("kid {shown}"), token));
            }
        }
        all
    }

    /// Headers that bring a key, name one, or change the rules.
    fn with_other_headers(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        let url = self.canary_url();
        for (at, (key, access)) in self.keys.iter().zip(&self.access).enumerate() {
            let foreign = &self.foreign[at];
            let jwk = with(&foreign.jwk, "kid", Some(json!(foreign.kid)));
            let certificate = encoded(foreign.pem.as_bytes());
            let members = [
                ("jwk", jwk),
                ("jku", json!(url)),
                ("x5u", json!(url)),
                ("x5c", json!([certificate])),
                ("x5t", json!("AAAA")),
                ("x5t#S256", json!("AAAA")),
                ("crit", json!(["exp"])),
                ("crit", json!([])),
                ("crit", json!(["b64"])),
                ("crit", json!("exp")),
                ("b64", json!(false)),
                ("b64", json!(true)),
                ("zip", json!("DEF")),
                ("cty", json!("JWT")),
                ("enc", json!("A256GCM")),
                ("epk", foreign.jwk.clone()),
                ("iss", json!("x")),
                ("ppt", json!("shaken")),
                ("url", json!(url)),
                ("nonce", json!("n")),
                ("exp", json!(0)),
                ("x", json!(null)),
                ("Alg", json!("none")),
            ];
            for (name, member) in members {
                for (whose, signer) in [("our key", key), ("a foreign key", foreign)] {
                    for named in [key, foreign] {
                        let header = with(&named.header("at+jwt"), name, Some(member.clone()));
                        let token = signer.sign(&header, &claims(access));
                        all.push(both(format!("{name} {member:.40} by {whose}"), token));
                    }
                }
            }
            let crit_b64 = with(&key.header("at+jwt"), "b64", Some(json!(false)));
            let crit_b64 = with(&crit_b64, "crit", Some(json!(["b64"])));
            all.push(both(
                "b64 and crit".into(),
                key.sign(&crit_b64, &claims(access)),
            ));
        }
        all
    }

    fn of_other_types(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        for (key, access) in self.keys.iter().zip(&self.access) {
            let types = [
                json!("JWT"),
                json!("jwt"),
                json!("at+JWT"),
                json!("AT+JWT"),
                json!("at+jwt "),
                json!("ping+jwt"),
                json!("userinfo+jwt"),
                json!("logout+jwt"),
                json!("dpop+jwt"),
                json!("secevent+jwt"),
                json!(""),
                json!(null),
                json!(["at+jwt"]),
                json!(0),
                json!({"typ": "at+jwt"}),
            ];
            for typ in types.into_iter().map(Some).chain([None]) {
                let header = with(&key.header("x"), "typ", typ.clone());
                let token = key.sign(&header, &claims(access));
                all.push(bearer(format!("typ {typ:?}"), token));
            }
        }
        all
    }

    /// Members that are given twice: whoever reads the first and whoever reads the last disagree.
    fn doubled(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        for (key, access) in self.keys.iter().zip(&self.access) {
            let (head, body) = (key.header("at+jwt"), claims(access));
            for name in ["alg", "kid", "typ"] {
                for other in [head[name].clone(), json!("none"), json!(null)] {
                    for header in twice(&head, name, &other) {
                        let token = key.sealed(&message(&header, &body.to_string()));
                        all.push(both(format!("{name} twice, {other}"), token));
                    }
                }
            }
            for name in [
                "iss",
                "sub",
                "aud",
                "exp",
                "iat",
                "jti",
                "authorities",
                "organization",
            ] {
                for claims in twice(&body, name, &body[name]) {
                    let token = key.sealed(&message(&head.to_string(), &claims));
                    all.push(both(format!("{name} twice"), token));
                }
            }
        }
        all
    }

    /// The same bytes in another writing (RFC 7515 §2: base64url, nothing around it).
    fn written_otherwise(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        for (key, access) in self.keys.iter().zip(&self.access) {
            let [head, body, signature] = parts(access);
            for padding in ["=", "==", "%3D", "A", "-"] {
                for (number, token) in [
                    format!("{head}{padding}.{body}.{signature}"),
                    format!("{head}.{body}{padding}.{signature}"),
                    format!("{head}.{body}.{signature}{padding}"),
                ]
                .into_iter()
                .enumerate()
                {
                    all.push(both(format!("{padding} after part {number}"), token));
                }
                let message = format!("{head}{padding}.{body}");
                all.push(both(format!("signed with {padding}"), key.sealed(&message)));
            }
            for (number, bent) in trailing_bits(signature).into_iter().enumerate() {
                let token = format!("{head}.{body}.{bent}");
                all.push(both(
                    format!("trailing bits {number} of the signature"),
                    token,
                ));
            }
            for length in 0..3 {
                let padded = format!("{}{}", claims(access), " ".repeat(length));
                let written = encoded(padded.as_bytes());
                for (number, bent) in trailing_bits(&written).into_iter().enumerate() {
                    let token = key.sealed(&format!("{head}.{bent}"));
                    all.push(both(format!("trailing bits {number} of the claims"), token));
                }
            }
            for (from, to) in [("-", "+"), ("_", "/")] {
                // The signature covers the writing, so the writing is signed anew.
                let spelled =
                    json!({"alg": key.name(), "kid": key.kid, "typ": "at+jwt", "x": "???>>>"});
                let message = message(&spelled.to_string(), &claims(access).to_string());
                let token = key.sealed(&message.replace(from, to));
                all.push(both(format!("{to} for {from}"), token));
            }
            for inside in [",", "\t", "*", "%20", "~", " "] {
                let token = format!("{head}.{}{inside}{}.{signature}", &body[..8], &body[8..]);
                all.push(bearer(format!("{inside:?} in the claims"), token));
            }
        }
        all
    }

    fn of_other_parts(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        for access in &self.access {
            let [head, body, signature] = parts(access);
            let jws = json!({"protected": head, "payload": body, "signature": signature});
            let several = json!({"payload": body, "signatures": [{"protected": head, "signature": signature}]});
            for token in [
                format!(".{access}"),
                format!("{access}."),
                format!("{head}..{body}.{signature}"),
                format!("{head}.{body}..{signature}"),
                format!("{access}.{signature}"),
                format!("{access}.{access}"),
                format!("{head}.{head}.{body}.{signature}"),
                format!("{head}.e30.{body}.{signature}.e30"),
                format!(".{body}.{signature}"),
                format!("{head}..{signature}"),
                format!("{head}.{body}."),
                format!("{head}.{body}"),
                format!("{body}.{head}.{signature}"),
                format!("{signature}.{body}.{head}"),
                head.to_owned(),
                "..".into(),
                "...".into(),
                ".".into(),
                String::new(),
                "null".into(),
                "{}".into(),
                "e30.e30.e30".into(),
                "bnVsbA.bnVsbA.bnVsbA".into(),
                format!("Bearer {access}"),
                format!("{access},{access}"),
                format!("\"{access}\""),
                access.to_lowercase(),
                jws.to_string(),
                several.to_string(),
            ] {
                let shown: String = token.chars().take(12).collect();
                all.push(bearer(format!("other parts, {shown}…"), token));
            }
        }
        all
    }

    fn with_bent_signatures(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        for (at, access) in self.access.iter().enumerate() {
            let [head, body, signature] = parts(access);
            let real = decoded(signature);
            let last = real.len() - 1;
            let mut bent = Vec::new();
            for byte in [0, 1, 31, 32, last / 2, last] {
                for bit in 0..8 {
                    let mut flipped = real.clone();
                    flipped[byte] ^= 1 << bit;
                    bent.push((format!("bit {bit} of byte {byte} flipped"), flipped));
                }
            }
            for length in [0, 1, last / 2, last] {
                bent.push((format!("cut to {length}"), real[..length].to_vec()));
            }
            bent.push(("a zero after".into(), [&real[..], &[0]].concat()));
            bent.push(("a zero before".into(), [&[0], &real[..]].concat()));
            bent.push(("twice".into(), [&real[..], &real[..]].concat()));
            bent.push(("backwards".into(), real.iter().rev().copied().collect()));
            bent.push(("all zeros".into(), vec![0; real.len()]));
            bent.push(("all ones".into(), vec![255; real.len()]));
            bent.push((
                "the other's".into(),
                decoded(parts(&self.access[1 - at])[2]),
            ));
            bent.push(("the ID token's".into(), decoded(parts(&self.id_token)[2])));
            if real.len() == 64 {
                for times in 1..=15 {
                    bent.push((format!("S + {times} L"), malleated(&real, times)));
                }
                let identity = [&[1][..], &[0; 63]].concat();
                bent.push(("the neutral element and zero".into(), identity));
            }
            for (what, bent) in bent {
                let token = format!("{head}.{body}.{}", encoded(&bent));
                all.push(both(format!("signature {what}"), token));
            }
        }
        all
    }

    /// Claims no appliance writes, behind a right signature.
    fn with_odd_claims(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        for (typ, real, purpose) in [
            ("at+jwt", &self.access[0], Purpose::Bearer),
            ("ping+jwt", &self.ping, Purpose::PingCookie),
        ] {
            let (key, body) = (&self.keys[0], claims(real));
            for (name, odd) in odd_claims(&body) {
                let what = format!("{typ} with {name} {odd:?}");
                let token = key.sign(&key.header(typ), &with(&body, name, odd));
                all.push(Forged {
                    what,
                    token,
                    purpose,
                });
            }
            for text in [
                "",
                "{",
                "[]",
                "null",
                "0",
                "\"x\"",
                "{}",
                "[{}]",
                "{\"exp\":1e999}",
                "\u{feff}{}",
                "{\"exp\":99999999999999999999999999}",
            ] {
                let token = key.sealed(&message(&key.header(typ).to_string(), text));
                let what = format!("{typ} of {text}");
                all.push(Forged {
                    what,
                    token,
                    purpose,
                });
            }
            for (name, number) in [
                ("exp", "1e999"),
                ("exp", "1e15"),
                ("iat", "-0.5"),
                ("exp", "0x7fffffff"),
            ] {
                let body = with(&body, name, Some(json!("NUMBER"))).to_string();
                let body = body.replace("\"NUMBER\"", number);
                let token = key.sealed(&message(&key.header(typ).to_string(), &body));
                let what = format!("{typ} with {name} {number}");
                all.push(Forged {
                    what,
                    token,
                    purpose,
                });
            }
        }
        all
    }

    /// Better claims under the signature of the old ones.
    fn with_changed_claims(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        for access in &self.access {
            let [head, _, signature] = parts(access);
            let body = claims(access);
            let exp = body["exp"].as_i64().unwrap();
            for (name, better) in [
                ("authorities", json!(["ROLE_ADMIN"])),
                ("authorities", json!(["ROLE_CLIENT_SERVICE"])),
                ("authorities", json!(["ROLE_ROOT"])),
                ("exp", json!(exp + 1)),
                ("scope", json!("openid profile email")),
                (
                    "organization",
                    json!("00000000-0000-0000-0000-000000000000"),
                ),
                ("epoch", json!(u32::MAX)),
                ("sub", json!("00000000-0000-0000-0000-000000000000")),
                ("client_id", json!("customer")),
                ("jti", json!("AAAAAAAAAAAAAAAAAAAAAA")),
            ] {
                let changed = with(&body, name, Some(better)).to_string();
                let token = format!("{head}.{}.{signature}", encoded(changed.as_bytes()));
                all.push(both(format!("{name} changed"), token));
            }
        }
        all
    }

    /// Real ones, presented as what they are not.
    fn for_something_else(&self) -> Vec<Forged> {
        let mut all = Vec::new();
        for (what, token, purpose) in [
            ("an ID token", &self.id_token, Purpose::Anything),
            ("signed details", &self.statement, Purpose::Anything),
            ("a refresh token", &self.refresh, Purpose::Anything),
            ("a ping cookie", &self.ping, Purpose::Bearer),
            ("a session cookie", &self.session, Purpose::Bearer),
            (
                "an EdDSA access token",
                &self.access[0],
                Purpose::PingCookie,
            ),
            (
                "an RS256 access token",
                &self.access[1],
                Purpose::PingCookie,
            ),
        ] {
            all.push(Forged {
                what: what.into(),
                token: token.clone(),
                purpose,
            });
        }
        all
    }
}

/// What the claims of a token of ours can never be.
fn odd_claims(body: &Value) -> Vec<(&'static str, Option<Value>)> {
    let times = [
        json!("soon"),
        json!("4102444800"),
        json!(4_102_444_800.5),
        json!(4.1e20),
        json!(null),
        json!([4_102_444_800_u64]),
        json!({"at": 1}),
        json!(true),
        json!(u64::MAX),
    ];
    let texts = [
        json!(null),
        json!(0),
        json!(["x"]),
        json!({}),
        json!(""),
        json!("x"),
    ];
    let mut all = Vec::new();
    for name in ["exp", "iat"] {
        all.extend(times.iter().map(|odd| (name, Some(odd.clone()))));
    }
    for name in ["iss", "sub", "aud", "jti", "client_id", "organization"] {
        let texts = texts.iter().filter(|text| {
            // Any text at all is the name of some client or token.
            !matches!(name, "jti" | "client_id" | "organization") || *text != "x"
        });
        all.extend(texts.map(|odd| (name, Some(odd.clone()))));
    }
    for name in [
        "exp",
        "iat",
        "iss",
        "sub",
        "aud",
        "jti",
        "client_id",
        "organization",
        "scope",
        "authorities",
        "epoch",
    ] {
        all.push((name, None));
    }
    for past in [json!(0), json!(-1), json!(i64::MIN), body["iat"].clone()] {
        all.push(("exp", Some(past)));
    }
    // None of ours has one: a time before which a token does not hold must not be overlooked.
    for later in [
        json!(4_102_444_800_u64),
        json!("x"),
        json!(null),
        json!([0]),
        json!(0),
    ] {
        all.push(("nbf", Some(later)));
    }
    all.extend(odd_names(body));
    all
}

/// The same of who and what a token is about.
fn odd_names(body: &Value) -> Vec<(&'static str, Option<Value>)> {
    let mut all = Vec::new();
    let issuer = body["iss"].as_str().unwrap();
    for other in [
        format!("{issuer}/"),
        issuer.to_uppercase(),
        issuer.replace("https", "http"),
        format!("{issuer}#"),
    ] {
        all.push(("iss", Some(json!(other))));
    }
    let audience = body["aud"].clone();
    for other in [
        json!([audience]),
        json!([audience, "x"]),
        json!([]),
        json!("https://other.example"),
        body["client_id"].clone(),
    ] {
        all.push(("aud", Some(other)));
    }
    for other in [
        json!("ROLE_ADMIN"),
        json!(["ROLE_ROOT"]),
        json!(["role_admin"]),
        json!(["ADMIN"]),
        json!([0]),
        json!([null]),
        json!({}),
        json!(null),
        json!(["ROLE_ADMIN", "ROLE_ROOT"]),
    ] {
        all.push(("authorities", Some(other)));
    }
    for other in [
        json!(-1),
        json!("0"),
        json!(0.5),
        json!(null),
        json!([0]),
        json!(true),
    ] {
        all.push(("epoch", Some(other)));
    }
    for name in ["userId", "sid", "session", "auth_time", "claims", "scope"] {
        for other in [json!(true), json!({}), json!([[]])] {
            all.push((name, Some(other)));
        }
    }
    for other in [
        json!("00000000-0000-0000-0000-000000000000"),
        json!("../x"),
        json!("x"),
    ] {
        all.push(("userId", Some(other)));
    }
    all
}

/// The text of an object in which a member is there twice, either one first.
fn twice(value: &Value, name: &str, other: &Value) -> [String; 2] {
    let member = format!("{}:{other}", json!(name));
    let text = value.to_string();
    let inside = text.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    [
        format!("{{{member},{inside}}}"),
        format!("{{{inside},{member}}}"),
    ]
}

/// The writings of the same bytes that differ only in bits nobody reads.
fn trailing_bits(part: &str) -> Vec<String> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let unread = match part.len() % 4 {
        2 => 4,
        3 => 2,
        _ => return Vec::new(),
    };
    let (rest, last) = part.split_at(part.len() - 1);
    let number = ALPHABET.find(last).unwrap();
    let others = (1..1 << unread).map(|bits| &ALPHABET[number + bits..=number + bits]);
    others.map(|other| format!("{rest}{other}")).collect()
}

fn bearer(what: String, token: String) -> Forged {
    Forged {
        what,
        token,
        purpose: Purpose::Bearer,
    }
}

fn both(what: String, token: String) -> Forged {
    Forged {
        what,
        token,
        purpose: Purpose::Anything,
    }
}

#[tokio::test]
async fn o15_no_forged_token_of_a_systematic_corpus_is_believed_anywhere() {
    let scene = Scene::set().await;
    let client = Client::of(&scene.server);
    for (key, access) in scene.keys.iter().zip(&scene.access) {
        assert!(client.is_alive(access).await, "the real one");
        let again = key.sign(&key.header("at+jwt"), &claims(access));
        assert!(
            client.is_alive(&again).await,
            "and one built like the forged"
        );
        let told = scene.introspected(&client, &again).await;
        assert!(told.starts_with(r#"{"active":true"#), "{told}");
    }
    let ping = &scene.keys[0];
    let ping = ping.sign(&ping.header("ping+jwt"), &claims(&scene.ping));
    assert!(pings(&client, PING, &ping).await && pings(&client, SESSION, &scene.session).await);

    let corpus = scene.corpus();
    for forged in &corpus {
        scene.is_refused(&client, forged).await;
    }
    assert!(
        scene.is_silent(),
        "something followed an address in a token"
    );
    println!(
        "{} forged tokens, each tried at up to six places",
        corpus.len()
    );
    assert!(corpus.len() >= 200, "{}", corpus.len());
    for access in &scene.access {
        assert!(client.is_alive(access).await, "the real one still is");
    }
}

#[tokio::test]
async fn o15_another_appliance_is_not_believed_even_with_the_same_claims() {
    let scene = Scene::set().await;
    let client = Client::of(&scene.server);
    let other = Server::start().await;
    for (at, algorithm) in [Algorithm::EdDsa, Algorithm::Rs256].into_iter().enumerate() {
        let (ours, theirs) = (&scene.keys[at], Key::of(&other, algorithm));
        assert_ne!(ours.kid, theirs.kid);
        let body = claims(&scene.access[at]);
        for header in [theirs.header("at+jwt"), ours.header("at+jwt")] {
            let token = theirs.sign(&header, &body);
            scene
                .is_refused(&client, &both(header.to_string(), token))
                .await;
        }
    }
    // Its own tokens as it issues them.
    let elsewhere = Client::of(&other);
    let token = elsewhere.bearer(&other.first_client()).await;
    assert!(elsewhere.is_alive(&token).await);
    scene
        .is_refused(&client, &both("another's".into(), token))
        .await;
}

#[tokio::test]
async fn o15_a_forged_or_crossed_id_token_is_no_hint() {
    let scene = Scene::set().await;
    let client = Client::of(&scene.server);
    let body = claims(&scene.id_token);
    let key = &scene.keys[1];
    let head = key.header("JWT");
    assert_eq!(header(&scene.id_token), head);
    let [_, _, signature] = parts(&scene.id_token);
    let other_sub = with(
        &body,
        "sub",
        Some(json!("00000000-0000-0000-0000-000000000000")),
    );
    let mut forged = vec![
        ("an access token", scene.access[1].clone()),
        ("a ping cookie", scene.ping.clone()),
        ("signed details", scene.statement.clone()),
        ("a refresh token", scene.refresh.clone()),
        ("a foreign key", scene.foreign[1].sign(&head, &body)),
        (
            "none",
            format!(
                "{}.",
                message(
                    &with(&head, "alg", Some(json!("none"))).to_string(),
                    &body.to_string()
                )
            ),
        ),
        (
            "another subject",
            format!(
                "{}.{signature}",
                message(&head.to_string(), &other_sub.to_string())
            ),
        ),
        (
            "another type",
            key.sign(&with(&head, "typ", Some(json!("at+jwt"))), &body),
        ),
        ("no type", key.sign(&with(&head, "typ", None), &body)),
        (
            "jku",
            key.sign(&with(&head, "jku", Some(json!(scene.canary_url()))), &body),
        ),
        ("no subject", key.sign(&head, &with(&body, "sub", None))),
        (
            "another issuer",
            key.sign(
                &head,
                &with(&body, "iss", Some(json!("https://other.example"))),
            ),
        ),
        (
            "two audiences",
            key.sign(&head, &with(&body, "aud", Some(json!([body["aud"], "x"])))),
        ),
    ];
    for (number, secret) in key.taken_for_secrets().iter().enumerate() {
        let header = with(&head, "alg", Some(json!("HS256")));
        forged.push((
            "a public key as a secret",
            hashed("HS256", secret, &header, &body),
        ));
        assert!(number < 10);
    }
    for (what, token) in &forged {
        let answer = client
            .get("/oidc/logout")
            .query(&[
                ("id_token_hint", token.as_str()),
                ("post_logout_redirect_uri", AFTER_LOGOUT),
            ])
            .header("cookie", &format!("{SESSION}={}", scene.session))
            .send()
            .await;
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        assert!(answer.header("location").is_empty(), "{what}");
        assert!(pings(&client, SESSION, &scene.session).await, "{what}");
    }
    assert!(scene.is_silent());
}

/// Clients of both kinds, so that a token of one is tried with the other's rights.
#[tokio::test]
async fn o15_a_code_and_a_refresh_token_are_no_bearers_nor_each_other() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let party = Party::of(&server, &client);
    let code = party.code(&[("scope", "openid offline_access")]).await;
    assert!(!client.is_alive(&code).await);
    party.refresh(&code).await.is(400, "invalid_grant");
    let made = party.exchange(&code, &[]).await.ok();
    let refresh = made.member("refresh_token");
    assert!(!client.is_alive(&refresh).await);
    party.exchange(&refresh, &[]).await.is(400, "invalid_grant");
    for name in ["access_token", "id_token"] {
        party
            .exchange(&made.member(name), &[])
            .await
            .is(400, "invalid_grant");
        party
            .refresh(&made.member(name))
            .await
            .is(400, "invalid_grant");
    }
    let ticketless = Facts {
        grants: Some(vec![GrantType::ClientCredentials]),
        ..Facts::default()
    };
    let other = server.register_client(&server.organization(), ticketless);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    let answer = client.token(Some((&other.id, &other.secret)), &form).await;
    assert!(matches!(answer.status, 400 | 401), "{answer:?}");
    assert!(
        client.is_alive(&made.member("access_token")).await,
        "and nothing ended"
    );
    party.refresh(&refresh).await.ok();
}
