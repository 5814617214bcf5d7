//! The store: typed tables in one embedded database, transactions with a verdict, and a barrier that makes them durable.
//!
//! The only folder that may name sled and bincode. It knows nothing of what the records mean, and nothing of async
//! runtimes: waiting is a plain future or a blocked thread.

pub mod commit;
pub mod disk;
pub mod dump;
pub mod integrity;
pub mod key;
pub mod opening;
pub mod record;
pub mod refused;
pub mod schema;
pub mod table;
pub mod tx;
pub mod view;

mod check;
mod closed;
mod count;
mod engine;
mod group;
mod guard;
mod reached;
#[cfg(test)]
mod sandbox;
mod space;
mod upgraded;
mod witness;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::crypto::seal::RecordKey;
use crate::kernel::{Fault, Timestamp};

pub use closed::Closed;
pub use commit::{Durable, Mark, OnFailure, OnPass};
pub use disk::{Disk, Engine, FaultyDisk, LyingDisk, RealDisk};
pub use integrity::{Damage, Examined, Pace};
pub use key::Key;
pub use opening::{Before, Change, Lock, Site};
pub use reached::fits;
pub use record::Record;
pub use refused::OpenError;
pub use schema::CameBack;
pub use table::Table;
pub use tx::{Tx, Verdict};
pub use view::View;
pub use witness::Witnessed;

use commit::Committer;
use group::{Group, Pending};
use integrity::Examination;
use opening::{Opened, Opening};
use schema::Schema;
use space::{Need, Space};
use witness::Witness;

/// The one database of the appliance. Dropping it makes everything durable that is not yet.
pub struct Store {
    // Dropped in this order: the last round, then the engine, then the lock.
    committer: Committer,
    db: sled::Db,
    key: RecordKey,
    group: Arc<Group>,
    space: Arc<Space>,
    damage: Mutex<Vec<Damage>>,
    is_damaged: AtomicBool,
    gate: RwLock<()>,
    data_dir: PathBuf,
    witness: Witness,
    witnessing: Mutex<()>,
    notices: Vec<String>,
    _lock: Lock,
}

/// What a write came to, and what to wait for before anybody is told.
#[derive(Debug)]
pub struct Written<T, E> {
    /// The value, or the refusal.
    pub outcome: Result<T, E>,
    /// Covers this write and everything applied before it; zero when it was discarded.
    pub mark: Mark,
}

impl Store {
    /// Opens the store in `data_dir`, or makes it where none has ever been.
    pub fn open(
        data_dir: &Path,
        key: RecordKey,
        disk: Arc<dyn Disk>,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        let site = Site {
            data_dir,
            witness: None,
            accepts_older: false,
        };
        Self::open_locked(Lock::take(data_dir)?, site, key, disk, now)
    }

    /// The same for whoever holds the folder already.
    pub fn open_locked(
        lock: Lock,
        site: Site<'_>,
        key: RecordKey,
        disk: Arc<dyn Disk>,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        Self::open_keeping(lock, site, key, (disk, now), &|_, _| Ok(()))
    }

    /// The same, with a copy kept by `before` of a store this program is about to change for the first time.
    pub fn open_keeping(
        lock: Lock,
        site: Site<'_>,
        key: RecordKey,
        (disk, now): (Arc<dyn Disk>, Timestamp),
        before: Before<'_>,
    ) -> Result<Self, OpenError> {
        site.check()?;
        let data_dir = site.data_dir;
        let witness = Witness::at(site.witness);
        let opening = Opening {
            data_dir,
            witness: &witness,
            accepts_older: site.accepts_older,
            key: &key,
            disk,
            now,
            before,
        };
        let Opened {
            db,
            barrier,
            notices,
        } = opening.open()?;
        let (group, space) = (barrier.group(), barrier.space());
        let committer = Committer::start(barrier).map_err(|cause| OpenError::Machine {
            path: data_dir.to_path_buf(),
            cause,
        })?;
        Ok(Self {
            committer,
            db,
            key,
            group,
            space,
            damage: Mutex::default(),
            is_damaged: AtomicBool::new(false),
            gate: RwLock::new(()),
            data_dir: data_dir.to_path_buf(),
            witness,
            witnessing: Mutex::new(()),
            notices,
            _lock: lock,
        })
    }

    /// The store as the engine has it, for reads that decide nothing. A write shows when its
    /// batch is applied: before it is durable, and so before anybody is told of it.
    pub fn view(&self) -> View<'_> {
        View {
            db: &self.db,
            key: &self.key,
        }
    }

    /// Whether this is the key its records are checked with.
    pub fn is_checked_with(&self, key: &RecordKey) -> bool {
        key.tag("", &[], &[]) == self.key.tag("", &[], &[])
    }

    /// Whether the records came from an earlier time, and nobody has taken back yet what they promise.
    pub fn came_back(&self) -> Result<Option<CameBack>, Fault> {
        let schema = self.view().get(&schema::SCHEMAS, &schema::only())?;
        Ok(schema.and_then(|schema| schema.came_back))
    }

    /// Says that the records come from an earlier time: what they promise is taken back before they are served again.
    pub fn comes_back(tx: &Tx<'_>, why: CameBack) -> Result<(), Fault> {
        schema::came_back(tx, why)
    }

    /// Says, in the transaction that takes back what the records promised, that it was done.
    pub fn took_back(tx: &Tx<'_>) -> Result<(), Fault> {
        schema::took_back(tx)
    }

    /// Runs `body` in a transaction; it must bear being run again. Nothing is durable before [`Store::durable`] says so.
    ///
    /// On a disk that is nearly full, and once damage was found, what it would keep is refused.
    pub fn write<T, E>(
        &self,
        body: impl Fn(&Tx<'_>) -> Result<Verdict<T, E>, Fault>,
    ) -> Result<Written<T, E>, Fault> {
        self.write_for(Need::Ordinary, body)
    }

    /// The same for what takes rights away or makes room: a full disk must not keep anything alive, so it lives on a
    /// reserve. It must not be much.
    pub fn write_vital<T, E>(
        &self,
        body: impl Fn(&Tx<'_>) -> Result<Verdict<T, E>, Fault>,
    ) -> Result<Written<T, E>, Fault> {
        self.write_for(Need::Vital, body)
    }

    fn write_for<T, E>(
        &self,
        need: Need,
        body: impl Fn(&Tx<'_>) -> Result<Verdict<T, E>, Fault>,
    ) -> Result<Written<T, E>, Fault> {
        let _passing = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let mut pending = self.group.turn(|| self.is_failed());
        if self.is_failed() {
            return Err(Fault::unavailable(
                "the store has failed and takes no writes",
            ));
        }
        let tx = Tx::new(&self.db, &pending, &self.key);
        let outcome = match body(&tx)? {
            Verdict::Commit(value) => Ok(value),
            Verdict::CommitAndRefuse(refusal) => Err(refusal),
            Verdict::Discard(refusal) => {
                return Ok(Written {
                    outcome: Err(refusal),
                    mark: Mark::ZERO,
                });
            }
        };
        let writes = tx.settle()?;
        if !writes.is_empty() {
            self.takes(need)?;
        }
        pending.accept(writes);
        self.committer.accepted();
        // Under the turn: whoever holds this mark was accepted before it.
        let mark = self.mark();
        Ok(Written { outcome, mark })
    }

    /// Whether something may be kept now.
    fn takes(&self, need: Need) -> Result<(), Fault> {
        if !self.space.permits(need) {
            return Err(Fault::unavailable(NO_ROOM));
        }
        if need == Need::Ordinary && self.is_damaged.load(Ordering::SeqCst) {
            return Err(Fault::unavailable(
                "the store is damaged and takes no new facts",
            ));
        }
        Ok(())
    }

    /// Ready once everything up to `mark` is durable.
    pub fn durable(&self, mark: Mark) -> Durable {
        self.committer.durable(mark)
    }

    /// A mark that covers everything applied so far.
    pub fn mark(&self) -> Mark {
        self.committer.mark()
    }

    /// Whether the disk has failed; the store then takes no more writes, ever.
    pub fn is_failed(&self) -> bool {
        self.committer.is_failed()
    }

    /// Goes the way of a write with nothing to write, and is back once the disk has kept everything before it. Whether
    /// the store takes writes is only then known: it may hang instead of failing.
    pub fn is_moving(&self) -> bool {
        let passing = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        drop(self.group.turn(|| self.is_failed()));
        drop(passing);
        self.durable(self.mark()).wait().is_ok()
    }

    /// Has `call` called once when the disk fails for good; at once if it already has. It may only tell somebody: it
    /// runs on the thread that met the failure.
    pub fn on_failure(&self, call: OnFailure) {
        self.committer.on_failure(call);
    }

    /// Why nothing new is kept at present, in words for the operator; `None` while all is well.
    pub fn trouble(&self) -> Option<String> {
        if self.is_failed() {
            return Some(
                "the disk did not keep what was written: look at the disk, then start again"
                    .to_owned(),
            );
        }
        if !self.damage().is_empty() {
            return Some("the store is damaged: `admit store check` names the places".to_owned());
        }
        let has_room = self.space.permits(Need::Ordinary);
        (!has_room).then(|| NO_ROOM.to_owned())
    }

    /// What the latest examination found damaged.
    pub fn damage(&self) -> Vec<Damage> {
        let damage = self.damage.lock();
        damage.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has `call` called after every pass of the barrier, on its thread; only the first one to ask is.
    pub fn on_pass(&self, call: OnPass) {
        self.committer.on_pass(call);
    }

    /// Verifies every record and every table's count, and says how many records each table has.
    pub fn check(&self) -> Result<Vec<(String, u64)>, Fault> {
        let examined = self.examine(&mut |_, _| ControlFlow::Continue(()));
        if let Some(damage) = examined.damage.first() {
            return Err(Fault::internal(damage.to_string()));
        }
        let tables = examined.tables.into_iter();
        Ok(tables.map(|found| (found.table, found.records)).collect())
    }

    /// The same, past everything that is damaged; it is remembered, and new facts are refused from then on.
    pub fn examine(&self, pace: Pace<'_>) -> Examined {
        let mut examination = Examination::of(&self.db, &self.key, pace);
        let is_complete = self.examine_tables(&mut examination).is_continue();
        let mut examined = examination.examined;
        examined.is_complete = is_complete;
        if is_complete || !examined.damage.is_empty() {
            let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
            damage.clone_from(&examined.damage);
            let is_damaged = !damage.is_empty();
            self.is_damaged.store(is_damaged, Ordering::SeqCst);
        }
        examined
    }

    fn examine_tables(&self, examination: &mut Examination<'_>) -> ControlFlow<()> {
        for name in examination.tables() {
            let accepted = self.group.accepted();
            // What of that is still on its way, the scan would miss and the count would have.
            let _ = self.durable(self.mark()).wait();
            let before = examination.examined.clone();
            let tally = examination.table(&name)?;
            let counted = examination.count(&name);
            if counted == Some(tally.records) {
                examination.compare(&name, tally, counted);
            } else if tally.records > HELD_MAX {
                // Those who write are not held up for as long as this takes: what they wrote meanwhile may be the whole
                // difference; where it cannot be, there is damage.
                let _ = self.durable(self.mark()).wait();
                let counted = examination.count(&name);
                // Behind the count: what that one has, this one has.
                let written = self.group.accepted() - accepted;
                let cannot_be = |counted: &u64| counted.abs_diff(tally.records) > written;
                examination.compare(&name, tally, counted.filter(cannot_be));
            } else {
                // A batch may have passed between the scan and the count: once more, with writes held back and none
                // pending.
                let _held = self.gate.write().unwrap_or_else(PoisonError::into_inner);
                let _ = self.durable(self.mark()).wait();
                examination.examined = before;
                let tally = examination.table_at_once(&name);
                let counted = examination.count(&name);
                examination.compare(&name, tally, counted);
            }
        }
        ControlFlow::Continue(())
    }

    /// Notes beside the store how far it has come, so that an older copy in its place is refused at the next start, and
    /// outside its folder, so that an older copy of the whole folder is noticed. That the latter fails is a fault once.
    ///
    /// Blocks for the disk. Opening and closing do it too; a store that runs for long does it now and then.
    pub fn witness(&self) -> Result<(), Fault> {
        let _alone = self
            .witnessing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let written = self.write_vital::<Schema, ()>(|tx| schema::step(tx).map(Verdict::Commit))?;
        self.durable(written.mark).wait()?;
        let Ok(schema) = written.outcome else {
            return Ok(());
        };
        if self.space.permits(Need::Ordinary) {
            space::keep_reserve(&self.data_dir);
        }
        schema::mark(&self.data_dir, schema).map_err(|error| {
            Fault::internal("the store's marker cannot be written").because(error)
        })?;
        match self.witness.write(&schema, &self.key) {
            Some(trouble) => Err(Fault::internal(trouble)),
            None => Ok(()),
        }
    }

    /// How the witness outside the data folder stands.
    pub fn witnessed(&self) -> Witnessed {
        self.witness.state()
    }

    /// What the operator should hear of opening, in words.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Without it only the newest writes could go missing unnoticed; closing does not fail for that.
        let _ = self.witness();
    }
}

/// A table of up to so many records is looked at while writes are held back, where they would disagree with its count.
const HELD_MAX: u64 = 20_000;

const NO_ROOM: &str =
    "the disk is nearly full: only what takes rights away is kept until there is space again";

/// One transaction before there is a store: nobody else writes, and nobody can be refused.
fn apply<T>(
    db: &sled::Db,
    key: &RecordKey,
    body: impl Fn(&Tx<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let (group, nothing) = (Group::on(db, key)?, Pending::default());
    let tx = Tx::new(db, &nothing, key);
    let kept = body(&tx)?;
    group.turn(|| false).accept(tx.settle()?);
    let applied = guard::guarded(|| group.apply(db));
    applied.map_err(|error| {
        Fault::unavailable("the store cannot be written").because(guard::in_words(error))
    })?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::thread;

    use super::sandbox::{NOTES, NOTES_BY_OWNER, Sandbox, keep, note};
    use super::*;

    /// Everything accepted so far is applied and durable.
    fn settle(store: &Store) {
        store.durable(store.mark()).wait().unwrap();
    }

    #[test]
    fn a_write_is_seen_by_the_next_before_it_is_applied() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        for round in 0..200_u64 {
            let written = store.write::<_, ()>(|tx| {
                let before = tx.get(&NOTES, &7)?;
                tx.put(&NOTES, &7, &note(&round.to_string()))?;
                tx.put(&NOTES, &(1_000 + round), &note("one more"))?;
                Ok(Verdict::Commit(before))
            });
            let before = round.checked_sub(1).map(|last| note(&last.to_string()));
            assert_eq!(written.unwrap().outcome, Ok(before));
        }
        settle(&store);
        assert_eq!(store.view().count(&NOTES).unwrap(), 201);
        store.check().unwrap();
    }

    #[test]
    fn writers_wait_when_more_is_accepted_than_one_batch_holds() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        let large = note(&"x".repeat(90_000));
        for key in 0..150 {
            let written = store.write::<(), ()>(|tx| {
                tx.put(&NOTES, &key, &large)?;
                Ok(Verdict::Commit(()))
            });
            // Nobody waits for durability, and yet no more than two batches are ever in memory.
            written.unwrap();
        }
        settle(&store);
        assert_eq!(store.check().unwrap()[0], ("notes".to_owned(), 150));
    }

    #[test]
    fn one_of_sixteen_threads_spends_a_record() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        for round in 0..20 {
            assert!(keep(&store, round, "a ticket"));
            let start = Barrier::new(16);
            let winners = thread::scope(|scope| {
                let spend = || {
                    start.wait();
                    let written = store.write(|tx| {
                        if tx.remove(&NOTES, &round)? {
                            return Ok(Verdict::Commit(()));
                        }
                        Ok(Verdict::Discard("spent"))
                    });
                    written.unwrap().outcome.is_ok()
                };
                let threads: Vec<_> = (0..16).map(|_| scope.spawn(spend)).collect();
                let won = threads.into_iter().map(|t| usize::from(t.join().unwrap()));
                won.sum::<usize>()
            });
            assert_eq!(winners, 1, "round {round}");
        }
        settle(&store);
        assert_eq!(store.view().count(&NOTES).unwrap(), 0);
    }

    #[test]
    fn a_verdict_decides_what_is_kept() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        let discarded = store.write::<(), _>(|tx| {
            tx.put(&NOTES, &1, &note("dropped"))?;
            assert_eq!(tx.get(&NOTES, &1)?, Some(note("dropped")));
            Ok(Verdict::Discard("no"))
        });
        let discarded = discarded.unwrap();
        assert_eq!((discarded.outcome, discarded.mark), (Err("no"), Mark::ZERO));
        assert_eq!(store.view().get(&NOTES, &1).unwrap(), None);
        let refused = store.write::<(), _>(|tx| {
            tx.put(&NOTES, &2, &note("counted"))?;
            Ok(Verdict::CommitAndRefuse("wrong"))
        });
        let refused = refused.unwrap();
        assert_eq!(refused.outcome, Err("wrong"));
        store.durable(refused.mark).wait().unwrap();
        assert_eq!(store.view().get(&NOTES, &2).unwrap(), Some(note("counted")));
        assert_eq!(store.view().count(&NOTES).unwrap(), 1);
    }

    #[test]
    fn a_fault_drops_everything_even_when_the_body_swallows_it() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        let too_large = note(&"x".repeat(200_000));
        for swallows in [false, true] {
            let written = store.write::<(), ()>(|tx| {
                tx.put(&NOTES, &1, &note("first"))?;
                let second = tx.put(&NOTES, &2, &too_large);
                if !swallows {
                    second?;
                }
                Ok(Verdict::Commit(()))
            });
            assert!(written.is_err());
        }
        assert_eq!(store.view().scan(&NOTES, None, 9).unwrap(), []);
        assert_eq!(store.view().count(&NOTES).unwrap(), 0);
    }

    #[test]
    fn a_body_that_panics_leaves_the_store_as_it_was() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            store.write::<(), ()>(|tx| {
                tx.put(&NOTES, &1, &note("half"))?;
                panic!("a bug in a body")
            })
        }));
        assert!(panicked.is_err());
        assert!(!store.is_failed());
        assert!(keep(&store, 2, "whole"));
        let expected = [("notes".to_owned(), 1), ("store_schema".to_owned(), 1)];
        assert_eq!(store.check().unwrap(), expected);
    }

    #[test]
    fn counts_follow_what_is_put_and_removed() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        let written = store.write::<(), ()>(|tx| {
            for key in 0..10 {
                tx.put(&NOTES, &key, &note("first"))?;
                tx.put(&NOTES, &key, &note("second"))?;
                tx.put(&NOTES_BY_OWNER, &("me".to_owned(), key), &())?;
            }
            assert!(tx.remove(&NOTES, &3)?);
            assert!(!tx.remove(&NOTES, &3)?);
            assert!(!tx.remove(&NOTES, &77)?);
            Ok(Verdict::Commit(()))
        });
        assert!(written.is_ok());
        settle(&store);
        assert_eq!(store.view().count(&NOTES).unwrap(), 9);
        assert_eq!(store.view().count(&NOTES_BY_OWNER).unwrap(), 10);
        drop(store);
        let found = sandbox.open().check().unwrap();
        let expected = [("notes", 9), ("notes_by_owner", 10), ("store_schema", 1)];
        assert_eq!(
            found,
            expected.map(|(name, count)| (name.to_owned(), count))
        );
    }

    #[test]
    fn scans_are_paged_in_the_order_of_keys() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        let of = |owner: &str, key: u64| (owner.to_owned(), key);
        let written = store.write::<(), ()>(|tx| {
            for key in [300, 2, 70_000, 1] {
                tx.put(&NOTES, &key, &note("n"))?;
                tx.put(&NOTES_BY_OWNER, &of("ann", key), &())?;
                tx.put(&NOTES_BY_OWNER, &of("anna", key), &())?;
            }
            Ok(Verdict::Commit(()))
        });
        assert!(written.is_ok());
        settle(&store);
        let view = store.view();
        let keys = |found: Vec<(u64, _)>| found.into_iter().map(|(k, _)| k).collect::<Vec<_>>();
        assert_eq!(keys(view.scan(&NOTES, None, 3).unwrap()), [1, 2, 300]);
        assert_eq!(
            keys(view.scan(&NOTES, Some(&300), 3).unwrap()),
            [300, 70_000]
        );
        let ann = "ann".to_owned();
        let all = view.scan_prefix(&NOTES_BY_OWNER, &ann, None, 9).unwrap();
        assert_eq!(all.len(), 4);
        assert!(all.iter().all(|((owner, _), ())| *owner == ann));
        let later = view.scan_prefix(&NOTES_BY_OWNER, &ann, Some(&of("ann", 300)), 9);
        assert_eq!(
            later.unwrap(),
            [(of("ann", 300), ()), (of("ann", 70_000), ())]
        );
    }

    #[test]
    fn a_flipped_byte_is_told_by_table_and_key() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        assert!(keep(&store, 1, "sound") && keep(&store, 0xbeef, "bent"));
        let place = NOTES.place(&0xbeef);
        let sound = store.db.get(&place).unwrap().unwrap();
        for at in 0..sound.len() {
            let mut bent = sound.to_vec();
            bent[at] ^= 0x10;
            store.db.insert(&place, bent).unwrap();
            let told = "table notes, key 000000000000beef: the record is damaged";
            let view = store.view();
            assert_eq!(view.get(&NOTES, &0xbeef).unwrap_err().to_string(), told);
            assert_eq!(view.scan(&NOTES, None, 9).unwrap_err().to_string(), told);
            assert_eq!(store.check().unwrap_err().to_string(), told);
            let read = store.write::<(), ()>(|tx| {
                let _ = tx.get(&NOTES, &0xbeef)?;
                Ok(Verdict::Commit(()))
            });
            assert_eq!(read.unwrap_err().to_string(), told);
        }
    }

    #[test]
    fn a_record_that_vanished_and_one_that_was_slipped_in_are_noticed() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        assert!(keep(&store, 1, "one") && keep(&store, 2, "two"));
        let one = store.db.remove(NOTES.place(&1)).unwrap().unwrap();
        let told = store.check().unwrap_err().to_string();
        assert_eq!(told, "table notes: 2 records are counted, and 1 are there");
        store.db.insert(NOTES.place(&3), &one).unwrap();
        let told = store.check().unwrap_err().to_string();
        assert!(
            told.starts_with("table notes, key 0000000000000003"),
            "{told}"
        );
        store.db.remove(NOTES.place(&3)).unwrap();
        store.db.insert(NOTES.place(&1), one).unwrap();
        assert!(store.check().is_ok());
        store.db.insert(b"Stray", b"").unwrap();
        assert!(store.check().is_err());
        store.db.remove(b"Stray").unwrap();
        store.db.remove(count::place("notes")).unwrap();
        assert!(store.check().is_err(), "a count that vanished");
    }

    #[test]
    fn a_check_agrees_while_writes_go_on() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        thread::scope(|scope| {
            scope.spawn(|| {
                for key in 0..2_000 {
                    let written = store.write::<(), ()>(|tx| {
                        tx.put(&NOTES, &key, &note("n"))?;
                        Ok(Verdict::Commit(()))
                    });
                    assert!(written.is_ok());
                }
            });
            for _ in 0..50 {
                store.check().unwrap();
            }
        });
    }

    #[test]
    fn the_largest_records_stay_in_the_log() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        let large = "x".repeat(record::RECORD_LEN_MAX - 64);
        for key in 0..300 {
            assert!(keep(&store, key * 7_919 % 301, &large));
        }
        for key in 0..300 {
            let written = store.write::<(), ()>(|tx| {
                tx.remove(&NOTES, &key)?;
                Ok(Verdict::Commit(()))
            });
            assert!(written.is_ok());
        }
        // What the engine keeps beside its log, it never syncs.
        let beside = fs::read_dir(sandbox.folder().join("blobs")).unwrap();
        assert_eq!(beside.count(), 0);
    }
}
