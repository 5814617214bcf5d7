//! Many clients, one ticket, one refresh token: one winner, whatever happens to the process meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use crate::support::line::{Answer, Line, Site, create, redeem, refresh};
use crate::support::process::{Launch, Process};

const CLIENTS: usize = 64;
const ROUNDS: usize = 1_000;
const REFRESHES: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_of_64_simultaneous_redemptions_exactly_one_succeeds_in_1000_rounds() {
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
