//! Many clients, one ticket, one code, one refresh token: one winner, whatever happens to the process meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use crate::support::line::{
    Answer, FORM, JSON, Line, Site, bare, basic, bearer, create, post, redeem, refresh,
};
use crate::support::process::{Launch, Process};

const CLIENTS: usize = 64;
const ROUNDS: usize = 1_000;
const REFRESHES: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_s2_of_64_simultaneous_redemptions_exactly_one_succeeds_in_1000_rounds() {
    let data = tempfile::tempdir().unwrap();
    let mut hall = Hall::open(Launch::on(data.path()).start(), data.path()).await;
    let began = Instant::now();
    let (mut wins, mut cut, mut answered) = (0, 0, 0);
    for round in 0..ROUNDS {
        let ticket = hall.ticket("SINGLE_USE_TICKET").await;
        let request = redeem(&ticket);
        if round % 10 != 9 {
            let answers = hall.all_at_once(&request, None).await;
            let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
            let won = answers.iter().filter(|answer| answer.status == 200).count();
            assert_eq!(won, 1, "round {round}: {answers:?}");
            let used = answers
                .iter()
                .filter(|answer| answer.why() == "USED")
                .count();
            assert_eq!(used, CLIENTS - 1, "round {round}: {answers:?}");
            wins += won;
            continue;
        }
        let after = Duration::from_micros(300 * u64::try_from(round / 10).unwrap());
        let answers = hall.all_at_once(&request, Some(after)).await;
        hall = Hall::open(Launch::on(data.path()).start(), data.path()).await;
        let won = told(&answers);
        assert!(won <= 1, "round {round}: {answers:?}");
        let later = hall.all_at_once(&request, None).await;
        let later_won = told(&later);
        assert!(
            won + later_won <= 1,
            "round {round}: {won} before, {later_won} after"
        );
        let any_word = answers.iter().flatten().next().is_some();
        if any_word {
            assert_eq!(
                later_won, 0,
                "round {round}: answered, and unspent after the start"
            );
            assert!(
                later
                    .into_iter()
                    .all(|answer| answer.unwrap().why() == "USED")
            );
            answered += 1;
        }
        cut += 1;
        wins += won + later_won;
    }
    println!(
        "{ROUNDS} rounds of {CLIENTS} in {:.1?}: {wins} wins; {cut} rounds cut by SIGKILL, {answered} of them after an answer",
        began.elapsed()
    );
    assert!(
        answered > 0 && answered < cut,
        "the kills fell on both sides of the answers"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_64_simultaneous_uses_of_one_refresh_token_get_one_and_the_same_successor() {
    let data = tempfile::tempdir().unwrap();
    let mut hall = Hall::open(Launch::on(data.path()).start(), data.path()).await;
    let ticket = hall.ticket("MULTI_USE_TICKET").await;
    let first = hall.lines[0].ask(&redeem(&ticket)).await.unwrap();
    let mut token = first.text("refresh_token");
    for round in 0..REFRESHES {
        let killed = round % 10 == 9;
        let after = killed.then(|| Duration::from_micros(100 * u64::try_from(round).unwrap()));
        let answers = hall.all_at_once(&refresh(&token), after).await;
        let mut successors: BTreeSet<String> = successors(&answers);
        assert!(successors.len() <= 1, "round {round}");
        if killed {
            hall = Hall::open(Launch::on(data.path()).start(), data.path()).await;
            let later = hall.all_at_once(&refresh(&token), None).await;
            assert!(later.iter().all(Result::is_ok));
            successors.append(&mut self::successors(&later));
        }
        assert_eq!(successors.len(), 1, "round {round}");
        let successor = successors.pop_first().unwrap();
        assert!(!successor.is_empty() && successor != token, "round {round}");
        token = successor;
    }
    let last = hall.lines[0].ask(&refresh(&token)).await.unwrap();
    assert_eq!(last.status, 200, "{last:?}");
}

/// Where a code of [`Codes`] is sent to.
const CALLBACK: &str = "https://app.example.org/cb";
const CLIENT: (&str, &str) = ("racer", "chosen-for-a-race");
const AUTH_V3_TOKEN: &str = "/auth/v3/oauth/token";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_64_simultaneous_uses_of_one_code_give_tokens_once_and_end_them_in_1000_rounds() {
    let data = tempfile::tempdir().unwrap();
    let mut hall = Hall::open(Launch::on(data.path()).start(), data.path()).await;
    let mut codes = Codes::of(&mut hall).await;
    let began = Instant::now();
    for round in 0..ROUNDS {
        let code = codes.next(&mut hall).await;
        let answers = hall.all_at_once(&exchange(&code), None).await;
        let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(won.len(), 1, "round {round}: {answers:?}");
        let refused =
            |answer: &&&Answer| answer.status == 400 && answer.text("error") == "invalid_grant";
        let refused = lost.iter().filter(refused).count();
        assert_eq!(refused, CLIENTS - 1, "round {round}: {answers:?}");
        // The 63 others were second uses, which end what the first issued.
        hall.is_dead(won[0], &format!("round {round}")).await;
    }
    let took = began.elapsed();
    println!("{ROUNDS} rounds of {CLIENTS} uses of a code in {took:.1?}: one winner each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_64_simultaneous_refreshes_of_a_users_sign_in_get_one_successor_in_1000_rounds() {
    let data = tempfile::tempdir().unwrap();
    let mut hall = Hall::open(Launch::on(data.path()).start(), data.path()).await;
    let mut codes = Codes::of(&mut hall).await;
    let mut token = codes.tokens(&mut hall).await.text("refresh_token");
    let began = Instant::now();
    for round in 0..ROUNDS {
        let answers = hall.all_at_once(&renew(&token), None).await;
        assert!(answers.iter().all(Result::is_ok), "round {round}");
        let mut successors = successors(&answers);
        assert_eq!(successors.len(), 1, "round {round}");
        let successor = successors.pop_first().unwrap();
        assert!(!successor.is_empty() && successor != token, "round {round}");
        token = successor;
    }
    let took = began.elapsed();
    println!("{ROUNDS} rounds of {CLIENTS} refreshes in {took:.1?}: one successor each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_without_grace_64_simultaneous_refreshes_succeed_once_and_end_the_family_in_1000_rounds()
 {
    let data = tempfile::tempdir().unwrap();
    let launch = Launch::on(data.path()).with("ADMIT_TOKENS_REFRESH_GRACE_SECONDS", "0");
    let mut hall = Hall::open(launch.start(), data.path()).await;
    let mut codes = Codes::of(&mut hall).await;
    let began = Instant::now();
    for round in 0..ROUNDS {
        let first = codes.tokens(&mut hall).await;
        let request = renew(&first.text("refresh_token"));
        let answers = hall.all_at_once(&request, None).await;
        let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(won.len(), 1, "round {round}: {answers:?}");
        let refused = lost.iter().filter(|answer| answer.status == 400).count();
        assert_eq!(refused, CLIENTS - 1, "round {round}: {answers:?}");
        let told = format!("round {round}");
        hall.is_dead(won[0], &told).await;
        hall.is_dead(&first, &told).await;
    }
    let took = began.elapsed();
    println!("{ROUNDS} rounds of {CLIENTS} refreshes without grace in {took:.1?}: one winner each");
}

fn exchange(code: &str) -> Vec<u8> {
    let body = format!("grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}");
    post(AUTH_V3_TOKEN, &basic(CLIENT.0, CLIENT.1), FORM, &body)
}

fn renew(token: &str) -> Vec<u8> {
    let body = format!("grant_type=refresh_token&refresh_token={token}");
    post(AUTH_V3_TOKEN, &basic(CLIENT.0, CLIENT.1), FORM, &body)
}

/// A client, and a browser somebody has signed in with, so that every request for a code gets one.
struct Codes {
    request: Vec<u8>,
}

impl Codes {
    async fn of(hall: &mut Hall) -> Self {
        let password = hall.process.as_ref().unwrap().first_run().admin_password();
        let line = &mut hall.lines[0];
        let (id, secret) = CLIENT;
        let client = format!(
            r#"{{"data":{{"client_id":"{id}","client_secret":"{secret}","redirectURIs":["{CALLBACK}"],"authorizedGrantTypes":["authorization_code","refresh_token"]}}}}"#
        );
        let operator = basic("default\\admin", &password);
        let register = post("/auth/v3/ops/clients", &operator, JSON, &client);
        let made = line.ask(&register).await.unwrap();
        assert_eq!(made.status, 200, "{made:?}");
        let ask = |cookie: &str| {
            format!(
                "GET /auth/v3/oauth/authorize?client_id={id}&redirect_uri={CALLBACK}&response_type=code \
                 HTTP/1.1\r\nhost: localhost\r\n{cookie}\r\n\r\n"
            )
            .into_bytes()
        };
        let first = line.ask(&ask(&format!("authorization: {operator}"))).await;
        let first = first.unwrap();
        let cookie = first.header("set-cookie", "__Host-admit-session=");
        let cookie = cookie.split(';').next().unwrap();
        assert!(!cookie.is_empty(), "{first:?}");
        Self {
            request: ask(&format!("cookie: {cookie}")),
        }
    }

    async fn next(&mut self, hall: &mut Hall) -> String {
        let answer = hall.lines[0].ask(&self.request).await.unwrap();
        let sent = answer.header("location", CALLBACK);
        let (_, code) = sent.split_once("?code=").unwrap();
        code.split('&').next().unwrap().to_owned()
    }

    async fn tokens(&mut self, hall: &mut Hall) -> Answer {
        let code = self.next(hall).await;
        let answer = hall.lines[0].ask(&exchange(&code)).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }
}

fn told(answers: &[io::Result<Answer>]) -> usize {
    let won = answers
        .iter()
        .flatten()
        .filter(|answer| answer.status == 200);
    won.count()
}

fn successors(answers: &[io::Result<Answer>]) -> BTreeSet<String> {
    let heard = answers.iter().flatten();
    heard
        .map(|answer| {
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.text("refresh_token")
        })
        .collect()
}

/// A server and as many connections as there are clients, all kept open.
struct Hall {
    process: Option<Process>,
    lines: Vec<Line>,
    token: String,
}

impl Hall {
    async fn open(process: Process, data: &std::path::Path) -> Self {
        let site = Site::new(process.address(), data);
        let token = site.token().await.unwrap();
        let lines = (0..CLIENTS).map(|_| {
            let site = site.clone();
            tokio::spawn(async move { site.line().await.unwrap() })
        });
        let mut opened = Vec::new();
        for line in lines.collect::<Vec<_>>() {
            opened.push(line.await.unwrap());
        }
        Self {
            process: Some(process),
            lines: opened,
            token,
        }
    }

    /// Nothing of a token reply is good for anything.
    async fn is_dead(&mut self, reply: &Answer, told: &str) {
        let access = bearer(&reply.text("access_token"));
        let about = bare("GET", "/auth/v3/userinfo", &access);
        let about = self.lines[0].ask(&about).await.unwrap();
        assert_eq!(about.status, 401, "{told}: {about:?}");
        let again = renew(&reply.text("refresh_token"));
        let again = self.lines[0].ask(&again).await.unwrap();
        assert_eq!(again.status, 400, "{told}: {again:?}");
    }

    async fn ticket(&mut self, kind: &str) -> String {
        let request = create(&self.token, kind, "race");
        let answer = self.lines[0].ask(&request).await.unwrap();
        let id = answer.text("id");
        assert!(!id.is_empty(), "{answer:?}");
        id
    }

    /// The same request on every connection: all but its last byte first, then the last bytes together.
    async fn all_at_once(
        &mut self,
        request: &[u8],
        kill_after: Option<Duration>,
    ) -> Vec<io::Result<Answer>> {
        let (last, most) = request.split_last().unwrap();
        for line in &mut self.lines {
            line.say(most).await.unwrap();
        }
        let release = std::sync::Arc::new(tokio::sync::Barrier::new(CLIENTS + 1));
        let asked: Vec<_> = std::mem::take(&mut self.lines)
            .into_iter()
            .map(|mut line| {
                let (release, last) = (std::sync::Arc::clone(&release), *last);
                tokio::spawn(async move {
                    release.wait().await;
                    let answer = match line.say(&[last]).await {
                        Ok(()) => line.hear().await,
                        Err(error) => Err(error),
                    };
                    (line, answer)
                })
            })
            .collect();
        release.wait().await;
        if let Some(after) = kill_after {
            let process = self.process.take().unwrap();
            tokio::task::spawn_blocking(move || {
                std::thread::sleep(after);
                process.kill();
            })
            .await
            .unwrap();
        }
        let mut answers = Vec::new();
        for asked in asked {
            let (line, answer) = asked.await.unwrap();
            self.lines.push(line);
            answers.push(answer);
        }
        answers
    }
}
