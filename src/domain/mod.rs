//! What is true: features, their rules and their records. Synchronous; no HTTP, no sockets, no adapters.
//!
//! An operation is a function of a context, a caller and one request. Its first line asks whether the caller may.
//! Features stand in tiers and use only lower ones; `tests/architecture.rs` has the table.

pub mod access;
pub mod admin;
pub mod applications;
pub mod audit;
pub mod clients;
pub mod epoch;
pub mod expiries;
pub mod facades;
pub mod health;
pub mod installation;
pub mod keys;
pub mod oauth;
pub mod oidc;
pub mod organizations;
pub mod otp;
pub mod policy;
pub mod ports;
pub mod seen;
pub mod sessions;
pub mod sign_in;
pub mod signing;
pub mod sweep;
pub mod tables;
mod tally;
pub mod throttle;
pub mod tickets;
pub mod tokens;
pub mod upstream;
pub mod users;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::crypto::seal::Keyring;

use crate::kernel::{BaseUrl, Clock, Entropy, Fault, Network, RequestId, Timestamp};
use crate::store::{Store, Tx, Verdict, View, Written};
use policy::Policy;
use ports::{Bell, Ledger, Upstreams};

pub use crate::crypto::turns::Turns;
pub use crate::store::Mark;
pub use tally::Tally;

/// Everything an operation can reach: the store, the keys, the rules an operator set, and what is kept in memory.
pub struct Appliance {
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    keyring: Keyring,
    policy: Policy,
    base: BaseUrl,
    issuers: Issuers,
    last_instant: LastInstant,
    epoch: Option<epoch::Epoch>,
    signing: signing::SigningKeys,
    ended: tokens::Ended,
    verified: tokens::Verified,
    hashing: Turns,
    key_making: Turns,
    upstreams: Upstreams,
    egress: Arc<Ledger>,
    under_way: AtomicUsize,
    bell: Arc<dyn Bell>,
    notes: seen::Notes,
    tally: Tally,
}

/// What an appliance is made of.
pub struct Parts {
    /// The opened store.
    pub store: Store,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub entropy: Arc<dyn Entropy>,
    /// The master key's purposes.
    pub keyring: Keyring,
    /// Lifetimes, lengths and limits.
    pub policy: Policy,
    /// Our own address: base of every link.
    pub base: BaseUrl,
    /// Who issues our tokens; unless configured, whoever did at the first start, so that another port changes nothing.
    pub issuer: Option<BaseUrl>,
    /// Who is asked on behalf of applications.
    pub upstreams: Upstreams,
    /// Where it is noted who was asked outside.
    pub egress: Arc<Ledger>,
    /// Who is told that there are messages to take away.
    pub bell: Arc<dyn Bell>,
}

impl Appliance {
    /// Reads into memory what every request needs: the highest instant used, signing keys, and what has been ended.
    pub fn open(parts: Parts) -> Result<Self, Fault> {
        let Parts {
            store,
            clock,
            entropy,
            mut keyring,
            policy,
            base,
            issuer,
            upstreams,
            egress,
            bell,
        } = parts;
        let epoch = epoch::current(&store.view())?;
        if let Some(epoch) = &epoch {
            keyring.enter_epoch(epoch.id());
        }
        let kept = |key| store.view().get(&tables::CLOCK, key);
        let instant = |kept: Option<Timestamp>| kept.unwrap_or(Timestamp::from_micros(0));
        let last_instant = LastInstant::starting_at(
            instant(kept(&tables::LAST_INSTANT)?),
            instant(kept(&tables::REMOVAL_HELD)?),
        );
        let now = last_instant.after(clock.now());
        let tokens_live = policy.longest_signed();
        let signing =
            signing::SigningKeys::open(&store, &keyring, entropy.as_ref(), now, tokens_live)?;
        let ended = tokens::Ended::load(&store.view())?;
        let verified = tokens::Verified::default();
        let issuer = match issuer {
            Some(issuer) => issuer,
            None => installation::issuer(&store.view())?.unwrap_or_else(|| base.clone()),
        };
        Ok(Self {
            store,
            clock,
            entropy,
            keyring,
            policy,
            base,
            issuers: Issuers::under(&issuer),
            last_instant,
            epoch,
            signing,
            ended,
            verified,
            hashing: Turns::new(HASHING_AT_ONCE, HASHING_QUEUE),
            key_making: Turns::new(KEYS_AT_ONCE, KEYS_QUEUE),
            upstreams,
            egress,
            under_way: AtomicUsize::new(0),
            bell,
            notes: seen::Notes::default(),
            tally: Tally::default(),
        })
    }

    /// A context for one request from `origin`: one instant, read once.
    pub fn context(&self, origin: Origin, request: RequestId) -> Cx<'_> {
        let now = self.last_instant.after(self.clock.now());
        Cx {
            appliance: self,
            now,
            origin,
            request,
            awaited: Cell::new(Mark::ZERO),
            notice: Cell::default(),
        }
    }

    /// How far the machine's clock is behind the instant in use, which never goes back.
    pub fn clock_lag(&self) -> Duration {
        let clock = self.clock.now();
        self.last_instant.after(clock).since(clock)
    }

    /// The same, where it is so much that somebody should set the clock right.
    pub fn clock_is_behind(&self) -> Option<Duration> {
        Some(self.clock_lag()).filter(|lag| *lag >= CLOCK_LAG)
    }

    /// Until when what has expired is kept, because the clock leapt ahead by more than a day and may be wrong: what is
    /// removed does not come back when it is set right. `None`: it may be removed. Expired it is in any case.
    pub fn removal_held_until(&self) -> Option<Timestamp> {
        let now = self.last_instant.after(self.clock.now());
        self.last_instant.held_until().filter(|until| now < *until)
    }

    /// A context for work of our own that no request asked for.
    pub fn own_context(&self) -> Cx<'_> {
        self.context(Origin::Operator, RequestId::draw(self.entropy.as_ref()))
    }

    /// The store, to wait for durability and to see whether it still takes writes.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The word that files of its own are told by where another appliance's stand beside them.
    pub fn mark(&self) -> String {
        self.keyring.mark()
    }

    /// Our own address.
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Who issues tokens at this front.
    pub fn issuer(&self, front: Front) -> &str {
        self.issuers.at(front)
    }

    /// Where random bytes come from.
    pub fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::clone(&self.entropy)
    }

    /// Turns for operations that hash passwords: each takes one before it begins.
    pub fn hashing(&self) -> &Turns {
        &self.hashing
    }

    /// Turns for operations that make key pairs: each takes one before it begins.
    pub fn key_making(&self) -> &Turns {
        &self.key_making
    }

    /// Who is asked on behalf of applications.
    pub fn upstreams(&self) -> &Upstreams {
        &self.upstreams
    }

    /// Where it is noted who was asked outside.
    pub fn egress(&self) -> &Ledger {
        &self.egress
    }

    /// Who is told that there are messages to take away.
    pub fn bell(&self) -> &dyn Bell {
        self.bell.as_ref()
    }

    /// Whether a request waits for somebody outside; whoever stops lets it be settled.
    pub fn waits_outside(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) > 0
    }

    /// How often what happened, since the start.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The appliance's own signing keys.
    pub fn signing(&self) -> &signing::SigningKeys {
        &self.signing
    }
}

/// A request that waits for somebody outside, for as long as this lives: what it planned is not settled yet.
pub struct UnderWay(Arc<Appliance>);

impl UnderWay {
    /// One more.
    pub fn begin(on: &Arc<Appliance>) -> Self {
        on.under_way.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(on))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Each hash takes 19 MiB and some ten milliseconds of a core.
const HASHING_AT_ONCE: usize = 2;
/// At a hundred hashes a second, nobody waits much longer than a second.
const HASHING_QUEUE: usize = 128;
/// A key pair takes a second or more of a core.
const KEYS_AT_ONCE: usize = 1;
/// Whoever waits for a key pair holds a thread and a connection.
const KEYS_QUEUE: usize = 8;

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The network, from this neighbourhood.
    Peer(Network),
    /// The operator, or the appliance itself.
    Operator,
}

/// Which contract's token and authorization endpoints a request came to. Each is an issuer of its own, because a
/// relying party finds an issuer's endpoints under the issuer's address (RFC 8414 §3); both believe each other's tokens.
/// Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Front {
    /// Contract A's endpoints; the issuer is our own address.
    Security,
    /// Contract B's endpoints; the issuer is the address of that contract.
    AuthV3,
}

impl Front {
    /// Every front.
    pub const ALL: [Self; 2] = [Self::Security, Self::AuthV3];

    /// The path of its address below our own.
    pub fn path(self) -> &'static str {
        match self {
            Self::Security => "",
            Self::AuthV3 => "/auth/v3",
        }
    }

    /// The scope a client gets that asks for none, as the contract's vendor has it.
    pub fn usual_scope(self) -> &'static str {
        match self {
            Self::Security => "any",
            Self::AuthV3 => "*",
        }
    }
}

/// The issuers of the two fronts.
struct Issuers {
    root: String,
    auth_v3: String,
}

impl Issuers {
    fn under(root: &BaseUrl) -> Self {
        let at = |front: Front| format!("{root}{}", front.path());
        Self {
            root: at(Front::Security),
            auth_v3: at(Front::AuthV3),
        }
    }

    fn at(&self, front: Front) -> &str {
        match front {
            Front::Security => &self.root,
            Front::AuthV3 => &self.auth_v3,
        }
    }
}

/// What an operation is given: the appliance, one instant, and whose request it is.
pub struct Cx<'a> {
    /// The present instant, the same for the whole request; it never goes back.
    pub now: Timestamp,
    /// Where the request came from.
    pub origin: Origin,
    appliance: &'a Appliance,
    request: RequestId,
    awaited: Cell<Mark>,
    notice: Cell<Option<&'static str>>,
}

impl<'a> Cx<'a> {
    /// What must be durable before anything of this request may be answered.
    pub fn awaited(&self) -> Mark {
        self.awaited.get()
    }

    /// What the operator should hear of this request, if anything.
    pub fn notice(&self) -> Option<&'static str> {
        self.notice.get()
    }

    /// Has the operator told something when the request is over. It names nobody and holds no secret.
    fn notify(&self, what: &'static str) {
        self.notice.set(Some(what));
    }

    /// The request's id.
    pub fn request(&self) -> &RequestId {
        &self.request
    }

    /// Where random bytes come from. Never inside a transaction, whose body may run again.
    fn entropy(&self) -> &'a dyn Entropy {
        self.appliance.entropy.as_ref()
    }

    /// Counts one more of a kind, for whoever watches; it decides nothing.
    fn tally(&self, kind: &'static str, what: &'static str, how: &'static str) {
        self.appliance.tally.count(kind, what, how);
    }

    /// The fewest characters a new password has.
    pub fn password_length(&self) -> usize {
        self.policy().passwords.min_length
    }

    fn policy(&self) -> &'a Policy {
        &self.appliance.policy
    }

    fn view(&self) -> View<'a> {
        self.appliance.store.view()
    }

    /// One transaction. What it keeps must be durable before this request is answered, and is refused when the audit
    /// says nothing of it.
    fn write<T, E: From<Fault>>(
        &self,
        body: impl Fn(&Tx<'_>) -> Result<Verdict<T, E>, Fault>,
    ) -> Result<T, E> {
        self.write_with(recorded(body), |store, body| store.write(body))
    }

    /// The same for what takes rights away: it is kept also when the disk is nearly full.
    fn write_vital<T, E: From<Fault>>(
        &self,
        body: impl Fn(&Tx<'_>) -> Result<Verdict<T, E>, Fault>,
    ) -> Result<T, E> {
        self.write_with(recorded(body), |store, body| store.write_vital(body))
    }

    /// The same for what gives nobody a right and takes none away: a time that is over, a use that was had, a try.
    fn write_unrecorded<T, E: From<Fault>>(
        &self,
        body: impl Fn(&Tx<'_>) -> Result<Verdict<T, E>, Fault>,
    ) -> Result<T, E> {
        self.write_with(body, |store, body| store.write(body))
    }

    /// The same for what removes what is over, and so makes room where there is hardly any.
    fn make_room<T, E: From<Fault>>(
        &self,
        body: impl Fn(&Tx<'_>) -> Result<Verdict<T, E>, Fault>,
    ) -> Result<T, E> {
        self.write_with(body, |store, body| store.write_vital(body))
    }

    fn write_with<T, E: From<Fault>>(
        &self,
        body: impl Fn(&Tx<'_>) -> Result<Verdict<T, E>, Fault>,
        write: impl FnOnce(&Store, Body<'_, T, E>) -> Result<Written<T, E>, Fault>,
    ) -> Result<T, E> {
        let last = &self.appliance.last_instant;
        let record_instant = last.is_due(self.now);
        let written = write(&self.appliance.store, &|tx| {
            if record_instant {
                tx.put(&tables::CLOCK, &tables::LAST_INSTANT, &self.now)?;
                if let Some(until) = last.held_until().filter(|until| self.now < *until) {
                    tx.put(&tables::CLOCK, &tables::REMOVAL_HELD, &until)?;
                }
            }
            body(tx)
        })?;
        if record_instant && written.mark > Mark::ZERO {
            last.was_stored(self.now);
        }
        self.awaited.set(self.awaited.get().max(written.mark));
        written.outcome
    }
}

/// What a transaction does.
type Body<'b, T, E> = &'b dyn Fn(&Tx<'_>) -> Result<Verdict<T, E>, Fault>;

/// The same body, refused when the audit says nothing of what it keeps.
fn recorded<T, E>(
    body: impl Fn(&Tx<'_>) -> Result<Verdict<T, E>, Fault>,
) -> impl Fn(&Tx<'_>) -> Result<Verdict<T, E>, Fault> {
    move |tx| {
        let verdict = body(tx)?;
        if !matches!(verdict, Verdict::Discard(_)) {
            is_recorded(tx)?;
        }
        Ok(verdict)
    }
}

/// Refuses a change of anybody's rights that the audit says nothing of (threat D12).
fn is_recorded(tx: &Tx<'_>) -> Result<(), Fault> {
    let written = tx.written();
    if written.contains(&audit::TABLE) {
        return Ok(());
    }
    match written
        .iter()
        .find(|table| !tables::UNRECORDED.contains(table))
    {
        None => Ok(()),
        Some(table) => Err(Fault::internal(format!(
            "table {table} was to be changed without a word in the audit"
        ))),
    }
}

/// The highest instant ever used. A clock set back does not bring expired things to life (decision 0015).
struct LastInstant {
    used: AtomicI64,
    stored: AtomicI64,
    /// Until when nothing is removed because its time is over; zero: it may be.
    held_until: AtomicI64,
}

/// A clock that moves on by more than that at once may be wrong.
const LEAP: Duration = Duration::from_hours(24);
/// How long somebody has to set it right before what has expired by it is removed.
const HELD_AFTER_LEAP: Duration = Duration::from_hours(1);

/// A clock this far behind is told of.
const CLOCK_LAG: Duration = Duration::from_mins(5);

/// How far the stored instant may lag behind the one in use.
const INSTANT_LAG: Duration = Duration::from_secs(1);

impl LastInstant {
    fn starting_at(instant: Timestamp, held_until: Timestamp) -> Self {
        let micros = instant.micros();
        Self {
            used: AtomicI64::new(micros),
            stored: AtomicI64::new(micros),
            held_until: AtomicI64::new(held_until.micros()),
        }
    }

    /// The later of `clock` and every instant used before.
    fn after(&self, clock: Timestamp) -> Timestamp {
        let before = self.used.fetch_max(clock.micros(), Ordering::SeqCst);
        if before > 0 && clock.since(Timestamp::from_micros(before)) > LEAP {
            let until = clock.after(HELD_AFTER_LEAP).micros();
            self.held_until.store(until, Ordering::SeqCst);
        }
        Timestamp::from_micros(before.max(clock.micros()))
    }

    /// An instant from now on, in whole milliseconds, that is later than that of every record in the store.
    fn beyond_records(&self, clock: Timestamp) -> Timestamp {
        let stored = Timestamp::from_micros(self.stored.load(Ordering::SeqCst));
        let beyond = stored.after(INSTANT_LAG + Duration::from_millis(1));
        let beyond = self.after(clock).max(beyond).to_millis();
        self.after(beyond);
        beyond
    }

    /// Also once it is past.
    fn held_until(&self) -> Option<Timestamp> {
        let until = self.held_until.load(Ordering::SeqCst);
        (until > 0).then(|| Timestamp::from_micros(until))
    }

    fn is_due(&self, now: Timestamp) -> bool {
        now.since(Timestamp::from_micros(self.stored.load(Ordering::SeqCst))) >= INSTANT_LAG
    }

    fn was_stored(&self, now: Timestamp) {
        self.stored.fetch_max(now.micros(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_an_epoch_begins_later_than_any_record_whatever_the_clock_shows() {
        let stored = Timestamp::from_micros(10_000_000_123);
        for clock in [
            0,
            10_000_000_123,
            10_000_500_000,
            11_002_500_777,
            99_000_000_001,
        ] {
            let last = LastInstant::starting_at(stored, Timestamp::from_micros(0));
            let begins = last.beyond_records(Timestamp::from_micros(clock));
            // A record written under the last stored instant is less than this much newer.
            assert!(begins > stored.after(INSTANT_LAG), "{clock}");
            assert_eq!(begins, begins.to_millis(), "{clock}");
            assert!(last.after(Timestamp::from_micros(0)) >= begins, "{clock}");
        }
    }
}
