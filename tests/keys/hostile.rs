//! Keys that strangers bring to break something (security.md S7): each is refused for what it is, and nothing stays.

use std::time::{Duration, Instant};

use admit::domain::access::Role;
use rsa::pkcs1::{self, UintRef};
use rsa::pkcs8::der::Encode as _;
use rsa::pkcs8::{DecodePrivateKey as _, der::pem::LineEnding};
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, RsaPrivateKey};
use serde_json::{Value, json};

use super::{Bench, USUAL};
use crate::support::client::{Answer, Client};
use crate::support::server::Server;

struct Stage {
    server: Server,
    client: Client,
    bearer: String,
    bench: Bench,
}

impl Stage {
    async fn set() -> Self {
        let server = Server::start().await;
        let client = Client::of(&server);
        let admin = server.register(&server.organization(), &[Role::Admin]);
        let bearer = client.bearer(&admin).await;
        Self {
            server,
            client,
            bearer,
            bench: Bench::new(),
        }
    }

    async fn bring(&self, body: &Value) -> Answer {
        let request = self.client.post("/security/keys").bearer(&self.bearer);
        request.json(body).send().await
    }

    /// Each of these is refused in these words.
    async fn refuses(&self, rows: &[(&str, Value, &str)]) {
        for (name, body, words) in rows {
            let mut body = body.clone();
            body["type"] = json!("SSH_RSA");
            let answer = self.bring(&body).await;
            assert_eq!(answer.status, 400, "{name}: {}", answer.text);
            answer.is(400, "invalid_request");
            assert_eq!(answer.member("error_description"), *words, "{name}");
        }
        assert_eq!(self.server.count("keys"), 0);
        assert_eq!(self.server.count("keys_by_org"), 0);
    }
}

const ENCRYPTED: &str = "the private key is encrypted; bring it in without a passphrase";
const NOT_RSA: &str = "the private key is not an RSA key";
const UNFIT: &str = "the numbers of the private key do not fit together";
const NOT_PRIME: &str = "the private key is not made of two primes";
const WEAK: &str = "the private key is easily found from the public one";
const NOT_PEM: &str = "the private key is not a PEM";
const BROKEN: &str = "the private key is not whole: its base64 is broken";
const NOT_OPENSSH: &str = "the private key cannot be read as one RSA key of OpenSSH's format";
const EXPONENT: &str = "the public exponent must be odd, at least 3 and below 2 to the 33rd";

fn private(text: &str) -> Value {
    json!({"privateKey": text})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_encrypted_keys_are_refused() {
    let stage = Stage::set().await;
    let bench = &stage.bench;
    bench.keygen("good", &USUAL);
    bench.write("pkcs1", &bench.converted("good")[0]);
    let generated = |name: &str, words: &[&str]| private(&bench.keygen(name, words)[0]);
    let said = |words: &str| said(bench, words);
    let ppk =
        "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nComment: x\nPublic-Lines: 6\nAAAA\n";
    let ssh2 = "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: \"x\"\nAAAA\n---- END SSH2 ENCRYPTED PRIVATE KEY ----\n";
    let locked = ["-t", "rsa", "-b", "2048", "-N", "a passphrase"];
    let gcm = [&locked[..], &["-Z", "aes256-gcm@openssh.com"]].concat();
    let rows = [
        (
            "PKCS#8 under a passphrase",
            said("openssl pkcs8 -topk8 -in pkcs1 -passout pass:x"),
            ENCRYPTED,
        ),
        (
            "PKCS#1 under a passphrase",
            said("openssl rsa -aes128 -traditional -in pkcs1 -passout pass:x"),
            ENCRYPTED,
        ),
        (
            "OpenSSH's under a passphrase",
            generated("locked", &locked),
            ENCRYPTED,
        ),
        (
            "OpenSSH's under another cipher",
            generated("gcm", &gcm),
            ENCRYPTED,
        ),
        (
            "PuTTY's",
            private(ppk),
            "the private key is PuTTY's; export it in OpenSSH's format",
        ),
        (
            "SSH2's",
            private(ssh2),
            "the private key is in SSH2's format; convert it with ssh-keygen -i",
        ),
    ];
    stage.refuses(&rows).await;
}

/// A private key as one command prints it.
fn said(bench: &Bench, words: &str) -> Value {
    let words: Vec<_> = words.split(' ').collect();
    private(&bench.run(&words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_keys_of_other_kinds_are_refused() {
    let stage = Stage::set().await;
    let bench = &stage.bench;
    bench.keygen("good", &USUAL);
    bench.write("pkcs1", &bench.converted("good")[0]);
    let generated = |name: &str, words: &[&str]| private(&bench.keygen(name, words)[0]);
    let said = |words: &str| said(bench, words);
    let rows = [
        (
            "Ed25519, OpenSSH",
            generated("ed25519", &["-t", "ed25519", "-N", ""]),
            NOT_RSA,
        ),
        (
            "DSA, OpenSSH",
            generated("dsa", &["-t", "dsa", "-N", ""]),
            NOT_RSA,
        ),
        (
            "ECDSA, OpenSSH",
            generated("ecdsa", &["-t", "ecdsa", "-N", ""]),
            NOT_OPENSSH,
        ),
        (
            "ECDSA, SEC 1",
            said("openssl ecparam -name prime256v1 -genkey -noout"),
            NOT_RSA,
        ),
        (
            "ECDSA, PKCS#8",
            said("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
            NOT_RSA,
        ),
        (
            "Ed25519, PKCS#8",
            said("openssl genpkey -algorithm ed25519"),
            NOT_RSA,
        ),
        (
            "RSA-PSS, PKCS#8",
            said("openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048"),
            NOT_RSA,
        ),
        (
            "a public key",
            said("openssl rsa -in pkcs1 -pubout"),
            "the private key is a public key",
        ),
        (
            "a line of authorized_keys",
            private(&bench.read("good.pub")),
            NOT_PEM,
        ),
        (
            "a certificate",
            said("openssl req -x509 -new -key pkcs1 -subj /CN=x -days 1"),
            "the private key is a certificate",
        ),
        (
            "1024 bits",
            generated("short", &["-t", "rsa", "-b", "1024", "-N", ""]),
            "the key has fewer than 2048 bits",
        ),
        (
            "three primes",
            said("openssl genrsa -traditional -primes 3 2048"),
            "the private key has more than two primes",
        ),
        (
            "parameters",
            private("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n"),
            "the private key must be a PEM of RSA PRIVATE KEY, PRIVATE KEY or OPENSSH PRIVATE KEY",
        ),
    ];
    stage.refuses(&rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_texts_that_hold_more_or_less_than_one_key_are_refused() {
    let stage = Stage::set().await;
    let [openssh, public] = stage.bench.keygen("good", &USUAL);
    let [pkcs1, pkcs8] = stage.bench.converted("good");
    let nul = "the private key has control characters in it";
    let rows = [
        ("nothing", private(""), NOT_PEM),
        ("blanks", private(" \n\t\r\n"), NOT_PEM),
        ("words", private("my private key"), NOT_PEM),
        (
            "two keys",
            private(&format!("{pkcs1}{pkcs8}")),
            "there is more than one key in the text",
        ),
        (
            "something before it",
            private(&format!("# mine\n{pkcs1}")),
            NOT_PEM,
        ),
        (
            "something after it",
            private(&format!("{pkcs1}and more")),
            "something follows the private key",
        ),
        (
            "another end",
            private(&pkcs1.replace("END RSA", "END DSA")),
            "the private key ends as something else than it began",
        ),
        (
            "no end",
            private(&pkcs1[..400]),
            "the private key has no end",
        ),
        ("a NUL", private(&pkcs1.replacen("MII", "MII\0", 1)), nul),
        (
            "an escape",
            private(&pkcs1.replacen("MII", "\u{1b}[2J", 1)),
            nul,
        ),
        (
            "half of it",
            private(&halved(&pkcs1)),
            "the private key cannot be read as PKCS#1",
        ),
        (
            "half of it, PKCS#8",
            private(&halved(&pkcs8)),
            "the private key cannot be read as PKCS#8",
        ),
        (
            "half of it, OpenSSH",
            private(&halved(&openssh)),
            NOT_OPENSSH,
        ),
        (
            "a letter no base64 has",
            private(&pkcs1.replacen("MII", "M!I", 1)),
            BROKEN,
        ),
        (
            "headers",
            private(&pkcs1.replacen("MII", "Comment: x\n\nMII", 1)),
            "the private key has headers",
        ),
        (
            "under another name",
            private(&pkcs1.replace("RSA ", "")),
            "the private key cannot be read as PKCS#8",
        ),
        (
            "an empty PEM",
            private("-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n"),
            "the private key cannot be read as PKCS#1",
        ),
        (
            "not text",
            json!({"privateKey": 7}),
            "privateKey must be text",
        ),
        (
            "only its public half",
            json!({"publicKey": public}),
            "a public key is brought in with its private key",
        ),
        (
            "a symmetric key too",
            json!({"privateKey": pkcs1, "key": "c2VjcmV0"}),
            "key is for symmetric keys, which SSH_RSA is not",
        ),
    ];
    stage.refuses(&rows).await;
    let long = format!("{pkcs1}{}", "\n".repeat(20_000));
    let answer = stage
        .bring(&json!({"type": "SSH_RSA", "privateKey": long}))
        .await;
    answer.is(413, "invalid_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_lines_mail_or_a_clipboard_broke_otherwise_is_the_same() {
    let stage = Stage::set().await;
    let [_, public] = stage.bench.keygen("good", &USUAL);
    let [pkcs1, pkcs8] = stage.bench.converted("good");
    let crlf = pkcs1.replace('\n', "\r\n");
    let one_line = pkcs1.lines().filter(|line| !line.contains("-----"));
    let one_line = one_line.collect::<String>();
    let one_line =
        format!("-----BEGIN RSA PRIVATE KEY----- {one_line} -----END RSA PRIVATE KEY-----");
    for text in [crlf, one_line, format!("\n  {pkcs8}\n\n")] {
        let answer = stage
            .bring(&json!({"type": "SSH_RSA", "privateKey": text}))
            .await;
        assert_eq!(answer.ok().member("publicKey"), bare(&public));
    }
}

/// Without what is in the middle; what is left of the base64 is still whole.
fn halved(pem: &str) -> String {
    let lines: Vec<_> = pem.lines().collect();
    let middle = lines.len() / 2;
    [&lines[..middle], &lines[lines.len() - 1..]]
        .concat()
        .join("\n")
}

/// A line of `authorized_keys` without its comment.
fn bare(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().take(2).collect();
    words.join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_public_halves_that_are_not_the_right_one_are_refused() {
    let stage = Stage::set().await;
    let [key, public] = stage.bench.keygen("good", &USUAL);
    let [_, other] = stage.bench.keygen("other", &USUAL);
    let [_, ed25519] = stage.bench.keygen("ed25519", &["-t", "ed25519", "-N", ""]);
    let sign = ["ssh-keygen", "-q", "-s", "other", "-I", "x", "good.pub"];
    stage.bench.run(&sign);
    let certificate = stage.bench.read("good-cert.pub");
    let public = public.trim_end();
    let row = |public: &str| json!({"privateKey": key, "publicKey": public});
    let kind = "the public key must be a line that begins with ssh-rsa, without options before it";
    let one_line = "the public key must be one line without control characters";
    let comment = "comment must be one line of at most 200 bytes without control characters";
    let broken = "the public key is not whole: its base64 is broken";
    let differs = "the public key is not the one of the private key";
    let rows = [
        ("another's", row(&other), differs),
        (
            "a part of it",
            row(&public[..public.len() / 2 / 4 * 4]),
            differs,
        ),
        ("nothing after its name", row("ssh-rsa"), differs),
        ("not base64", row("ssh-rsa ####"), broken),
        ("nothing", row(""), kind),
        ("of another kind", row(&ed25519), kind),
        (
            "a certificate",
            row(&certificate),
            "the public key is a certificate; bring in the key it is for",
        ),
        (
            "with options",
            row(&format!("command=\"sh\" {public}")),
            kind,
        ),
        ("two lines", row(&format!("{public}\n{public}")), one_line),
        (
            "a carriage return",
            row(&public.replacen(' ', " \r", 2)),
            one_line,
        ),
        (
            "an escape in its comment",
            row(&format!("{public}\u{1b}]0;x\u{7}")),
            one_line,
        ),
        (
            "a line separator in its comment",
            row(&format!("{public}\u{2028}x")),
            one_line,
        ),
        (
            "a long comment",
            row(&format!("{public}{}", "x".repeat(200))),
            comment,
        ),
    ];
    stage.refuses(&rows).await;
    let mut whole = row(&format!("{public}\n"));
    whole["type"] = json!("SSH_RSA");
    let answer = stage.bring(&whole).await.ok();
    assert_eq!(answer.member("publicKey"), public, "with its comment");
}

/// The numbers of a private key, to be written as they are.
#[derive(Clone)]
struct Numbers {
    n: BigUint,
    e: BigUint,
    d: BigUint,
    p: BigUint,
    q: BigUint,
    dp: BigUint,
    dq: BigUint,
    coefficient: BigUint,
}

impl Numbers {
    /// All that belongs to these two factors, prime or not.
    fn of(p: &BigUint, q: &BigUint, e: u64) -> Self {
        let e = BigUint::from(e);
        let one = BigUint::from(1_u8);
        let (below_p, below_q) = (p - &one, q - &one);
        // A multiple of both is enough for everything to fit.
        let d = inverse(&e, &(&below_p * &below_q));
        Self {
            n: p * q,
            dp: &d % &below_p,
            dq: &d % &below_q,
            coefficient: inverse(q, p),
            p: p.clone(),
            q: q.clone(),
            e,
            d,
        }
    }

    fn pem(&self) -> Value {
        let all = [
            &self.n,
            &self.e,
            &self.d,
            &self.p,
            &self.q,
            &self.dp,
            &self.dq,
            &self.coefficient,
        ];
        let bytes = all.map(BigUint::to_bytes_be);
        let [
            modulus,
            public_exponent,
            private_exponent,
            prime1,
            prime2,
            exponent1,
            exponent2,
            coefficient,
        ] = bytes.each_ref().map(|bytes| UintRef::new(bytes).unwrap());
        let key = pkcs1::RsaPrivateKey {
            modulus,
            public_exponent,
            private_exponent,
            prime1,
            prime2,
            exponent1,
            exponent2,
            coefficient,
            other_prime_infos: None,
        };
        let der = key.to_der().unwrap();
        private(
            &rsa::pkcs8::der::pem::encode_string("RSA PRIVATE KEY", LineEnding::LF, &der).unwrap(),
        )
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Value {
        let mut changed = self.clone();
        change(&mut changed);
        changed.pem()
    }
}

/// What `number` must be multiplied with to leave 1, by Euclid; there must be one.
fn inverse(number: &BigUint, modulus: &BigUint) -> BigUint {
    let zero = BigUint::from(0_u8);
    let (mut rest, mut next) = (modulus.clone(), number % modulus);
    let (mut factor, mut next_factor) = (zero.clone(), BigUint::from(1_u8));
    while next != zero {
        let times = &rest / &next;
        let after = (&factor + modulus * modulus - &times * &next_factor % modulus) % modulus;
        (factor, next_factor) = (next_factor, after);
        let after = &rest - &times * &next;
        (rest, next) = (next, after);
    }
    assert_eq!(rest, BigUint::from(1_u8), "there is no inverse");
    factor
}

/// Two primes of about so many bits each, and what `openssl` made of them.
fn primes(bench: &Bench, bits: usize) -> [BigUint; 2] {
    let bits = format!("rsa_keygen_bits:{}", bits * 2);
    let pem = bench.run(&["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", &bits]);
    let key = RsaPrivateKey::from_pkcs8_pem(&pem).unwrap();
    assert_eq!(key.e(), &BigUint::from(65_537_u32));
    let primes = key.primes();
    [primes[0].clone(), primes[1].clone()]
}

/// The next prime, as `openssl` sees it.
fn prime_after(bench: &Bench, number: &BigUint) -> BigUint {
    let mut next = number + 2_u8;
    loop {
        let judged = bench.run(&["openssl", "prime", "-checks", "5", &next.to_str_radix(10)]);
        if judged.contains("is prime") {
            return next;
        }
        next += 2_u8;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_numbers_that_do_not_fit_together_are_refused() {
    let stage = Stage::set().await;
    let [p, q] = primes(&stage.bench, 1024);
    let good = Numbers::of(&p, &q, 65_537);
    let one = || BigUint::from(1_u8);
    let rows = [
        ("an exponent of 1", good.with(|key| key.e = one()), EXPONENT),
        (
            "an exponent of 2",
            good.with(|key| key.e = BigUint::from(2_u8)),
            EXPONENT,
        ),
        (
            "an even exponent",
            good.with(|key| key.e = BigUint::from(65_536_u32)),
            EXPONENT,
        ),
        (
            "a long exponent",
            good.with(|key| key.e = BigUint::from((1_u64 << 33) + 1)),
            EXPONENT,
        ),
        (
            "an exponent as long as the key",
            good.with(|key| key.e = key.d.clone()),
            EXPONENT,
        ),
        ("n of other primes", good.with(|key| key.n += 2_u8), UNFIT),
        (
            "another private exponent",
            good.with(|key| key.d += 2_u8),
            UNFIT,
        ),
        (
            "a private exponent of 1",
            good.with(|key| key.d = one()),
            UNFIT,
        ),
        (
            "a private exponent past n",
            good.with(|key| key.d += key.n.clone()),
            UNFIT,
        ),
        ("another p", good.with(|key| key.p += 2_u8), UNFIT),
        (
            "p of 1",
            good.with(|key| (key.p, key.q) = (one(), key.n.clone())),
            UNFIT,
        ),
        (
            "p of 0",
            good.with(|key| key.p = BigUint::from(0_u8)),
            UNFIT,
        ),
        (
            "another exponent of p",
            good.with(|key| key.dp += 1_u8),
            UNFIT,
        ),
        (
            "another exponent of q",
            good.with(|key| key.dq += 1_u8),
            UNFIT,
        ),
        (
            "another coefficient",
            good.with(|key| key.coefficient += 1_u8),
            UNFIT,
        ),
        (
            "a coefficient past p",
            good.with(|key| key.coefficient += key.p.clone()),
            UNFIT,
        ),
        (
            "2047 bits",
            good.with(|key| key.n = (one() << 2046) + 1_u8),
            "the key has fewer than 2048 bits",
        ),
        (
            "8193 bits",
            good.with(|key| key.n = (one() << 8192) + 1_u8),
            "the key has more than 8192 bits",
        ),
        (
            "20000 bits",
            good.with(|key| key.n = (one() << 20_000) + 1_u8),
            "the key has more than 8192 bits",
        ),
    ];
    stage.refuses(&rows).await;
    for (name, key) in [("65537", good), ("3", small_exponent(&stage.bench))] {
        let mut body = key.pem();
        body["type"] = json!("SSH_RSA");
        let answer = stage.bring(&body).await;
        assert_eq!(answer.status, 200, "an exponent of {name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_factors_that_are_not_prime_or_easily_found_are_refused() {
    let stage = Stage::set().await;
    let bench = &stage.bench;
    let [p, q] = primes(bench, 1024);
    let [a, b] = primes(bench, 512);
    let [short, _] = primes(bench, 256);
    let [long, _] = primes(bench, 1792);
    let close = prime_after(bench, &p);
    let good = Numbers::of(&p, &q, 65_537);
    let rows = [
        (
            "even factors",
            good.with(|key| (key.p, key.n) = (&p * 2_u8, &key.n * 2_u8)),
            NOT_PRIME,
        ),
        (
            "a composite p",
            Numbers::of(&(&a * &b), &q, 65_537).pem(),
            NOT_PRIME,
        ),
        (
            "a composite q",
            Numbers::of(&p, &(&a * &b), 65_537).pem(),
            NOT_PRIME,
        ),
        (
            "p twice",
            good.with(|key| (key.q, key.n) = (p.clone(), &p * &p)),
            UNFIT,
        ),
        (
            "primes next to each other",
            Numbers::of(&close, &p, 65_537).pem(),
            WEAK,
        ),
        (
            "a short prime",
            Numbers::of(&short, &long, 65_537).pem(),
            WEAK,
        ),
    ];
    stage.refuses(&rows).await;
}

/// A good key whose exponent is the smallest there is.
fn small_exponent(bench: &Bench) -> Numbers {
    loop {
        let [p, q] = primes(bench, 1024);
        let fits = |prime: &BigUint| prime % 3_u8 == BigUint::from(2_u8);
        if fits(&p) && fits(&q) {
            return Numbers::of(&p, &q, 3);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_s7_the_longest_key_is_looked_at_in_seconds() {
    let [key, _] = Bench::new().keygen("long", &["-t", "rsa", "-b", "8192", "-N", ""]);
    let stage = Stage::set().await;
    let began = Instant::now();
    let answer = stage
        .bring(&json!({"type": "SSH_RSA", "privateKey": key}))
        .await;
    let took = began.elapsed();
    println!("8192 bits were looked at in {took:.1?}");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(took < Duration::from_mins(1), "{took:?}");
}
