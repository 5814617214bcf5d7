//! A mixed load, and the ledger of what was answered to it.
//!
//! Each worker has tickets of its own and one request under way, so it knows what each of its tickets must be: what the
//! last answer said, or, where an answer is missing, that or what the request would have made of it. After a crash
//! [`Load::verify`] asks for every ticket and says which answers were forgotten.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use super::line::{Answer, JSON, Line, Site, bare, bearer, post, redeem, refresh, with_body};

/// Workers, their ledgers, and how many changes were answered.
pub(crate) struct Load {
    ledgers: Vec<Arc<Mutex<Ledger>>>,
    answered: Arc<AtomicU64>,
    notes: usize,
}

/// Workers at work.
pub(crate) struct Running {
    workers: Vec<JoinHandle<Stopped>>,
    stop: Arc<AtomicBool>,
}

/// Why a worker stopped.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It was asked to.
    Asked,
    /// Its connection ended.
    Cut(#[expect(dead_code, reason = "shown when a test fails")] io::Error),
    /// The server takes no more writes.
    Refused,
}

/// What one worker was told.
#[derive(Clone, Default)]
struct Ledger {
    entries: Vec<Entry>,
    titles: u64,
    remembers: bool,
}

/// What a ticket may be.
#[derive(Clone)]
struct Entry {
    /// Each with the same id. The last answered one, after it what is under way, and before it, in a ledger that
    /// remembers, what was true before.
    may_be: Vec<Ticket>,
    is_under_way: bool,
    is_unverified: bool,
}

#[derive(Clone, Default, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "all four can be true at once"
)]
struct Ticket {
    id: String,
    single: bool,
    title: u64,
    used: bool,
    disabled: bool,
    revoked: bool,
    gone: bool,
    access: String,
    refresh: String,
    /// Which answer of all said so; 0 before it has come.
    answer: u64,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, title, .. } = self;
        write!(f, "{id} titled {title}")?;
        let flags = [
            (self.used, "used"),
            (self.disabled, "disabled"),
            (self.revoked, "revoked"),
            (self.gone, "deleted"),
        ];
        for (_, word) in flags.iter().filter(|(is, _)| *is) {
            write!(f, " {word}")?;
        }
        Ok(())
    }
}

impl Load {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            ledgers: (0..workers).map(|_| Arc::default()).collect(),
            answered: Arc::default(),
            notes: 64,
        }
    }

    /// The same load with tickets that carry notes of up to so many bytes, to fill the store's files sooner.
    pub(crate) fn with_notes(self, notes: usize) -> Self {
        Self { notes, ..self }
    }

    /// The same load, which can be asked for what was known [`as_of`](Self::as_of) an earlier instant.
    pub(crate) fn remembering(self) -> Self {
        for ledger in &self.ledgers {
            locked(ledger).remembers = true;
        }
        self
    }

    /// How many changes were answered so far.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    /// A ticket that is there and that nothing was asked of without an answer.
    pub(crate) fn settled_ticket(&self) -> Option<String> {
        self.ledgers.iter().find_map(|ledger| {
            let ledger = locked(ledger);
            let settled = |entry: &&Entry| !entry.is_under_way && !entry.answered().gone;
            ledger
                .entries
                .iter()
                .find(settled)
                .map(|entry| entry.answered().id.clone())
        })
    }

    /// Sets every worker to work at the server there.
    pub(crate) fn begin(&self, site: &Site, token: &str) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let workers = self.ledgers.iter().enumerate().map(|(number, ledger)| {
            let worker = Worker {
                site: site.clone(),
                token: token.to_owned(),
                ledger: Arc::clone(ledger),
                answered: Arc::clone(&self.answered),
                stop: Arc::clone(&stop),
                notes: self.notes,
                chance: Chance::new(self.answered() * 64 + number as u64),
            };
            tokio::spawn(worker.work())
        });
        Running {
            workers: workers.collect(),
            stop,
        }
    }

    /// What was known when so many changes had been answered: a ticket is what it was then, or what became of it later.
    /// What was answered last counts as not verified.
    pub(crate) fn as_of(&self, answered: u64) -> Self {
        let ledgers = self.ledgers.iter().map(|ledger| {
            let entries = locked(ledger)
                .entries
                .iter()
                .filter_map(|entry| entry.as_of(answered))
                .collect();
            Arc::new(Mutex::new(Ledger {
                entries,
                ..Ledger::default()
            }))
        });
        Self {
            ledgers: ledgers.collect(),
            answered: Arc::new(answered.into()),
            notes: self.notes,
        }
    }

    /// Asks for everything that may have changed since it was last asked for, or for everything there is, and returns
    /// what is not as it was answered. No worker may be at work there.
    pub(crate) async fn verify(&self, site: &Site, all: bool) -> Vec<String> {
        let token = site.token().await.unwrap();
        let asked = self.ledgers.iter().map(|ledger| {
            let mut line = None;
            let (site, token, ledger) = (site.clone(), token.clone(), Arc::clone(ledger));
            tokio::spawn(async move {
                let mut lost = Vec::new();
                let count = locked(&ledger).entries.len();
                for place in 0..count {
                    let entry = locked(&ledger).entries[place].clone();
                    if !(all || entry.is_unverified || place % OLD_ONES == 0) {
                        continue;
                    }
                    if line.is_none() {
                        line = Some(site.line().await.unwrap());
                    }
                    match entry.verify(line.as_mut().unwrap(), &token).await {
                        Ok(found) => locked(&ledger).entries[place] = Entry::verified(found),
                        Err(what) => lost.push(what),
                    }
                }
                lost
            })
        });
        let mut lost = Vec::new();
        for asked in asked.collect::<Vec<_>>() {
            lost.append(&mut asked.await.unwrap());
        }
        lost
    }
}

impl Running {
    /// Lets every worker finish what it is at.
    pub(crate) async fn end(self) -> Vec<Stopped> {
        self.stop.store(true, Ordering::SeqCst);
        let mut stopped = Vec::new();
        for worker in self.workers {
            stopped.push(worker.await.unwrap());
        }
        stopped
    }

    /// Waits until all have stopped for reasons of the server's.
    pub(crate) async fn all_stopped(self) -> Vec<Stopped> {
        let mut stopped = Vec::new();
        for worker in self.workers {
            stopped.push(worker.await.unwrap());
        }
        stopped
    }
}

impl Entry {
    fn new(ticket: Ticket) -> Self {
        Self {
            may_be: vec![ticket],
            is_under_way: false,
            is_unverified: true,
        }
    }

    fn verified(ticket: Ticket) -> Self {
        Self {
            is_unverified: false,
            ..Self::new(ticket)
        }
    }

    fn answered(&self) -> &Ticket {
        let under_way = usize::from(self.is_under_way);
        self.may_be.iter().rev().nth(under_way).unwrap()
    }

    fn ask(&mut self, after: Ticket) {
        self.may_be.push(Ticket { answer: 0, ..after });
        self.is_under_way = true;
        self.is_unverified = true;
    }

    fn answer(&mut self, after: Ticket, remembers: bool) {
        *self.may_be.last_mut().unwrap() = after;
        self.is_under_way = false;
        if !remembers {
            self.may_be.drain(..self.may_be.len() - 1);
        }
    }

    /// Nothing, if it was not known then.
    fn as_of(&self, answered: u64) -> Option<Self> {
        let known = |ticket: &Ticket| (1..=answered).contains(&ticket.answer);
        let last = self.may_be.iter().rposition(known)?;
        Some(Self {
            may_be: self.may_be[last..].to_vec(),
            is_under_way: false,
            is_unverified: self.may_be[last].answer + RECENTLY > answered,
        })
    }

    /// What the ticket is, which must be one of the things it may be.
    async fn verify(&self, line: &mut Line, token: &str) -> Result<Ticket, String> {
        let id = &self.may_be[0].id;
        let path = format!("/security/ticket/{id}");
        let read = ask(line, &bare("GET", &path, &bearer(token))).await;
        let missing = |what: &str| {
            let may_be = self.may_be.iter().map(ToString::to_string);
            let may_be = may_be.collect::<Vec<_>>().join(", or ");
            format!("{what}; it must be {may_be}")
        };
        let matching = self.may_be.iter().filter(|ticket| ticket.reads_as(&read));
        let matching: Vec<&Ticket> = matching.collect();
        let Some(last) = matching.last() else {
            return Err(missing(&format!("it reads {read:?}")));
        };
        let mut found = (*last).clone();
        let every = |is: fn(&Ticket) -> bool| matching.iter().all(|ticket| is(ticket));
        let any = |is: fn(&Ticket) -> bool| matching.iter().any(|ticket| is(ticket));
        if any(|ticket| !ticket.gone && (ticket.used || ticket.revoked)) {
            let again = ask(line, &redeem(id)).await;
            if again.status == 200 {
                if every(|ticket| ticket.used || ticket.revoked || ticket.disabled) {
                    return Err(missing("it can be redeemed"));
                }
                found.used = true;
            } else {
                let word = match () {
                    () if every(|ticket| ticket.revoked) => "REVOKED",
                    () if every(Ticket::is_usable_but_used) => "USED",
                    () => "",
                };
                if !again.why().contains(word) {
                    return Err(missing(&format!("redeeming it gives {again:?}")));
                }
            }
        }
        let ended = every(|ticket| ticket.revoked || ticket.disabled || ticket.gone);
        let going = every(|ticket| !(ticket.revoked || ticket.disabled || ticket.gone));
        if !found.access.is_empty() {
            let userinfo = bare("GET", "/auth/v3/userinfo", &bearer(&found.access));
            let status = ask(line, &userinfo).await.status;
            if ended && status != 401 || going && status != 200 {
                return Err(missing(&format!("its access token gives {status}")));
            }
        }
        if !found.refresh.is_empty()
            && self
                .may_be
                .iter()
                .all(|ticket| ticket.refresh == found.refresh)
        {
            let next = ask(line, &refresh(&found.refresh)).await;
            if ended && next.status == 200 || going && next.status != 200 {
                return Err(missing(&format!("its refresh token gives {next:?}")));
            }
            found.take_tokens(&next);
        }
        Ok(found)
    }
}

async fn ask(line: &mut Line, request: &[u8]) -> Answer {
    line.ask(request).await.unwrap()
}

impl Ticket {
    fn reads_as(&self, read: &Answer) -> bool {
        if self.gone {
            return read.status == 404;
        }
        let title = format!(r#""title":"{}""#, self.title);
        read.status == 200
            && read.body.contains(&title)
            && read.has("disabled") == self.disabled
            && read.has("revoked") == self.revoked
    }

    fn is_usable_but_used(&self) -> bool {
        self.used && !(self.gone || self.revoked || self.disabled)
    }

    fn take_tokens(&mut self, answer: &Answer) {
        if answer.status == 200 {
            self.access = answer.text("access_token");
            self.refresh = answer.text("refresh_token");
        }
    }
}

struct Worker {
    site: Site,
    token: String,
    ledger: Arc<Mutex<Ledger>>,
    answered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    notes: usize,
    chance: Chance,
}

/// What a worker asks for.
#[derive(Clone, Copy, Debug)]
enum Change {
    Redeem,
    Refresh,
    Revoke,
    Disable,
    Enable,
    Update,
    Delete,
}

impl Worker {
    async fn work(mut self) -> Stopped {
        let mut line = match self.site.line().await {
            Ok(line) => line,
            Err(error) => return Stopped::Cut(error),
        };
        while !self.stop.load(Ordering::SeqCst) {
            let status = match self.step(&mut line).await {
                Ok(status) => status,
                Err(error) => return Stopped::Cut(error),
            };
            if status == 503 {
                return Stopped::Refused;
            }
        }
        Stopped::Asked
    }

    async fn step(&mut self, line: &mut Line) -> io::Result<u16> {
        let known = locked(&self.ledger).entries.len();
        if known < 4 || self.chance.below(100) < 25 {
            return self.create(line).await;
        }
        let at = known - 1 - self.chance.below(known.min(LATELY));
        let change = match self.chance.below(75) {
            0..25 => Change::Redeem,
            25..42 => Change::Refresh,
            42..48 => Change::Revoke,
            48..56 => Change::Disable,
            56..64 => Change::Enable,
            64..71 => Change::Update,
            _ => Change::Delete,
        };
        let entry = locked(&self.ledger).entries[at].clone();
        let before = entry.answered();
        // What was left open by a crash is for `verify` to close.
        if entry.is_under_way || before.gone || before.revoked {
            return Ok(0);
        }
        self.change(line, at, before, change).await
    }

    async fn create(&mut self, line: &mut Line) -> io::Result<u16> {
        let single = self.chance.below(3) > 0;
        let kind = if single {
            "SINGLE_USE_TICKET"
        } else {
            "MULTI_USE_TICKET"
        };
        let title = self.next_title();
        let body = format!(r#"{{"type":"{kind}",{}}}"#, self.properties(title));
        let request = post("/security/ticket", &bearer(&self.token), JSON, &body);
        let answer = line.ask(&request).await?;
        if answer.status == 503 {
            return Ok(503);
        }
        let id = answer.text("id");
        assert!(answer.status == 200 && !id.is_empty(), "{answer:?}");
        let mut ledger = locked(&self.ledger);
        ledger.entries.push(Entry::new(Ticket {
            id,
            single,
            title,
            answer: self.answered.fetch_add(1, Ordering::SeqCst) + 1,
            ..Ticket::default()
        }));
        Ok(200)
    }

    async fn change(
        &mut self,
        line: &mut Line,
        at: usize,
        before: &Ticket,
        change: Change,
    ) -> io::Result<u16> {
        let mut after = before.clone();
        let path = format!("/security/ticket/{}", before.id);
        let allowed = bearer(&self.token);
        let can_be_used = !(before.disabled || before.single && before.used);
        let switch = |word: &str| bare("POST", &format!("{path}/{word}"), &allowed);
        let request = match change {
            Change::Redeem if can_be_used => {
                after.used = before.single;
                redeem(&before.id)
            }
            Change::Refresh if !before.disabled && !before.refresh.is_empty() => {
                refresh(&before.refresh)
            }
            Change::Redeem | Change::Refresh => return Ok(0),
            Change::Revoke => {
                after.revoked = true;
                switch("revoke")
            }
            Change::Disable => {
                after.disabled = true;
                switch("disable")
            }
            Change::Enable => {
                after.disabled = false;
                switch("enable")
            }
            Change::Update => {
                after.title = self.next_title();
                let body = format!("{{{}}}", self.properties(after.title));
                with_body("PUT", &path, &allowed, JSON, &body)
            }
            Change::Delete => {
                after.gone = true;
                bare("DELETE", &path, &allowed)
            }
        };
        locked(&self.ledger).entries[at].ask(after.clone());
        let answer = line.ask(&request).await?;
        if answer.status == 503 {
            return Ok(503);
        }
        assert!(
            matches!(answer.status, 200 | 204),
            "{change:?} of {before}: {answer:?}"
        );
        after.take_tokens(&answer);
        let mut ledger = locked(&self.ledger);
        after.answer = self.answered.fetch_add(1, Ordering::SeqCst) + 1;
        let remembers = ledger.remembers;
        ledger.entries[at].answer(after, remembers);
        Ok(answer.status)
    }

    fn properties(&mut self, title: u64) -> String {
        let notes = "n".repeat(self.chance.below(self.notes));
        format!(r#""properties":{{"title":"{title}","notes":"{notes}"}}"#)
    }

    fn next_title(&self) -> u64 {
        let mut ledger = locked(&self.ledger);
        ledger.titles += 1;
        ledger.titles
    }
}

fn locked(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Chance that can be had again from its seed (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }
}

/// A worker changes one of the tickets it made lately.
const LATELY: usize = 40;
/// So many answers before an instant are asked for in every check of it.
const RECENTLY: u64 = 200;
/// Of what was verified before, one in so many is asked for again.
const OLD_ONES: usize = 64;
