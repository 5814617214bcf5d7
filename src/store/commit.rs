//! The commit barrier: one thread makes what was applied durable, for everybody who waits at once.
//!
//! A transaction is visible to the next one when it is accepted, and durable later; nothing that depends on it may be
//! answered before.
//! The first error of the disk is final: an fsync that failed once has forgotten what it did not write, so it is never
//! tried again. Knows nothing of tables or records.

use std::collections::HashMap;
use std::fs::File;
use std::future::Future;
use std::io;
use std::mem;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::crypto::seal::RecordKey;
use crate::kernel::Fault;

use super::disk::{Disk, Engine};
use super::group::Group;
use super::guard::{caught, guarded, in_words};
use super::reached::Reached;
use super::space::{Need, Space};

/// A point in the order of writes: what is durable at a mark includes everything applied before it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(u64);

impl Mark {
    /// Nothing to wait for.
    pub const ZERO: Self = Self(0);
}

/// Called once when the disk has failed for good.
pub type OnFailure = Box<dyn Fn() + Send + Sync>;

/// What the disk is asked to do so that everything applied is durable.
pub(super) struct Barrier {
    db: sled::Db,
    group: Arc<Group>,
    disk: Arc<dyn Disk>,
    // Held open: a file that cannot be opened for want of descriptors must not end the appliance.
    files: Vec<File>,
    space: Arc<Space>,
    reached: Reached,
}

impl Barrier {
    /// The barrier of the engine whose files are in `folder`.
    pub(super) fn new(
        db: sled::Db,
        key: &RecordKey,
        disk: Arc<dyn Disk>,
        folder: &Path,
    ) -> io::Result<Self> {
        let paths = [
            folder.join("db"),
            folder.join("conf"),
            folder.join("blobs"),
            folder.to_path_buf(),
        ];
        let present = paths.iter().filter(|path| path.exists());
        let files = present.map(File::open).collect::<Result<_, _>>()?;
        let group = Arc::new(Group::on(&db, key).map_err(io::Error::other)?);
        Ok(Self {
            db,
            group,
            disk,
            files,
            space: Arc::new(Space::of(folder)?),
            reached: Reached::open(folder, key)?,
        })
    }

    /// What is accepted here is applied by the next pass.
    pub(super) fn group(&self) -> Arc<Group> {
        Arc::clone(&self.group)
    }

    /// How much room there is for what is accepted.
    pub(super) fn space(&self) -> Arc<Space> {
        Arc::clone(&self.space)
    }

    /// Returns once everything accepted before the call is on the disk.
    pub(super) fn pass(&self) -> io::Result<()> {
        let passed = self.write_out();
        passed.inspect_err(|_| self.disk.abandon(&Engine(&self.db)))
    }

    fn write_out(&self) -> io::Result<()> {
        self.space.look();
        guarded(|| self.group.apply(&self.db)).map_err(in_words)?;
        self.disk.flush(&Engine(&self.db))?;
        let number = self.group.number();
        let mut files = self.files.iter();
        files.try_for_each(|file| self.disk.sync(file))?;
        self.reached.note(number);
        Ok(())
    }
}

/// Called after every pass of the barrier: how long it took, and how many transactions it made durable.
pub type OnPass = Box<dyn Fn(Duration, u64) + Send + Sync>;

/// The thread that passes the barrier, the one that watches it, and those who wait for it.
pub(super) struct Committer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    watch: Option<JoinHandle<()>>,
}

impl Committer {
    pub(super) fn start(barrier: Barrier) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let space = barrier.space();
        let served = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || served.serve(&barrier))?;
        let watched = Arc::clone(&shared);
        let watch = thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watched.watch(&space))?;
        Ok(Self {
            shared,
            thread: Some(thread),
            watch: Some(watch),
        })
    }

    /// A mark that covers everything applied before this call.
    pub(super) fn mark(&self) -> Mark {
        // Always a new one: what the caller saw may have been applied by a thread that has not taken its mark yet.
        Mark(self.shared.applied.fetch_add(1, Ordering::SeqCst) + 1)
    }

    pub(super) fn durable(&self, mark: Mark) -> Durable {
        Durable {
            shared: Arc::clone(&self.shared),
            mark,
            place: None,
        }
    }

    pub(super) fn is_failed(&self) -> bool {
        self.shared.failed.load(Ordering::SeqCst)
    }

    /// One more transaction was accepted.
    pub(super) fn accepted(&self) {
        self.shared.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// The first one to ask is called.
    pub(super) fn on_pass(&self, call: OnPass) {
        let _ = self.shared.on_pass.set(call);
    }

    pub(super) fn on_failure(&self, call: OnFailure) {
        let mut state = self.shared.state();
        if let Standing::Failed(_) = state.standing {
            drop(state);
            call();
        } else {
            state.on_failure.push(call);
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if let Standing::Open = state.standing {
            state.standing = Standing::Closing;
        }
        drop(state);
        self.shared.work.notify_all();
        let thread = self.thread.take();
        let watch = self.watch.take();
        // The failure callback runs on one of them and may be what drops the store.
        let is_other = |thread: &JoinHandle<()>| thread.thread().id() != thread::current().id();
        // Whoever waits for a pass that hangs waits for ever.
        if let Some(thread) = thread.filter(is_other).filter(|_| !self.shared.is_stuck()) {
            let _ = thread.join();
        }
        if let Some(watch) = watch.filter(is_other) {
            watch.thread().unpark();
            let _ = watch.join();
        }
    }
}

/// Ready once a mark is durable, or the disk has failed before it was.
#[must_use = "nothing may be answered before it is durable"]
pub struct Durable {
    shared: Arc<Shared>,
    mark: Mark,
    place: Option<u64>,
}

impl Durable {
    /// Blocks this thread until it is ready.
    pub fn wait(mut self) -> Result<(), Fault> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(outcome) = Pin::new(&mut self).poll(&mut context) {
                return outcome;
            }
            thread::park();
        }
    }
}

impl Future for Durable {
    type Output = Result<(), Fault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            shared,
            mark,
            place,
        } = &mut *self;
        if shared.covers(*mark) {
            return Poll::Ready(Ok(()));
        }
        let mut state = shared.state();
        // Once more under the lock, or a round that ends in between would be missed.
        if shared.covers(*mark) {
            return Poll::Ready(Ok(()));
        }
        if let Some(fault) = state.standing.fault() {
            return Poll::Ready(Err(fault));
        }
        let place = *place.get_or_insert_with(|| state.next_place());
        let waiter = Waiter {
            mark: *mark,
            waker: context.waker().clone(),
        };
        state.waiting.insert(place, waiter);
        drop(state);
        shared.work.notify_one();
        Poll::Pending
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.shared.state().waiting.remove(&place);
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[derive(Default)]
struct Shared {
    applied: AtomicU64,
    /// Transactions since the last pass.
    accepted: AtomicU64,
    on_pass: OnceLock<OnPass>,
    covered: AtomicU64,
    failed: AtomicBool,
    state: Mutex<State>,
    work: Condvar,
    /// Since when a pass is under way.
    passing: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct State {
    standing: Standing,
    waiting: HashMap<u64, Waiter>,
    places: u64,
    on_failure: Vec<OnFailure>,
}

struct Waiter {
    mark: Mark,
    waker: Waker,
}

#[derive(Default)]
enum Standing {
    #[default]
    Open,
    Closing,
    Closed,
    Failed(String),
}

impl Standing {
    fn fault(&self) -> Option<Fault> {
        match self {
            Self::Open | Self::Closing => None,
            Self::Closed => Some(Fault::unavailable("the store is closed")),
            Self::Failed(why) => Some(Fault::unavailable(format!("the store has failed: {why}"))),
        }
    }
}

impl State {
    fn next_place(&mut self) -> u64 {
        self.places += 1;
        self.places
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn covers(&self, mark: Mark) -> bool {
        mark.0 <= self.covered.load(Ordering::SeqCst)
    }

    fn serve(&self, barrier: &Barrier) {
        while let Some(last) = self.next_round() {
            // Read before the pass: whoever took a mark by now was accepted before it.
            let upto = self.applied.load(Ordering::SeqCst);
            let (since, accepted) = (Instant::now(), self.accepted.swap(0, Ordering::Relaxed));
            self.passing(Some(since));
            let passed = caught(|| barrier.pass());
            self.passing(None);
            if let Some(call) = self.on_pass.get() {
                call(since.elapsed(), accepted);
            }
            match passed {
                Ok(Ok(())) => self.release(upto, last),
                Ok(Err(error)) => self.fail(&error.to_string()),
                Err(_) => self.fail("the engine panicked while it was flushed"),
            }
        }
    }

    /// Ends the waiting when a pass hangs: the engine may lose the call that would wake its flush when the disk fails
    /// beneath it, and then says nothing at all. To those who wait that is a failure like any other.
    fn watch(&self, space: &Space) {
        loop {
            thread::park_timeout(LOOK);
            // Nobody whose write is refused has it applied, and nobody else would look whether there is room again.
            if !space.permits(Need::Ordinary) {
                space.look();
            }
            match self.state().standing {
                Standing::Closed | Standing::Failed(_) => return,
                Standing::Open | Standing::Closing => {}
            }
            if self.is_stuck() {
                self.fail("the disk, or the engine over it, does not answer");
            }
        }
    }

    fn passing(&self, since: Option<Instant>) {
        *self.passing.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn is_stuck(&self) -> bool {
        let since = *self.passing.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() >= STUCK)
    }

    /// Sleeps until there is something to do. True: it is the last round. None: there will be no more.
    fn next_round(&self) -> Option<bool> {
        let mut state = self.state();
        loop {
            match state.standing {
                Standing::Closing => return Some(true),
                Standing::Closed | Standing::Failed(_) => return None,
                Standing::Open if !state.waiting.is_empty() => return Some(false),
                Standing::Open => {}
            }
            let (woken, pause) = self
                .work
                .wait_timeout(state, UNAWAITED)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if pause.timed_out() && !self.covers(Mark(self.applied.load(Ordering::SeqCst))) {
                return Some(false);
            }
        }
    }

    fn release(&self, upto: u64, last: bool) {
        let mut state = self.state();
        self.covered.fetch_max(upto, Ordering::SeqCst);
        if last {
            state.standing = Standing::Closed;
        }
        let released: Vec<_> = state
            .waiting
            .extract_if(|_, waiter| last || waiter.mark.0 <= upto)
            .collect();
        drop(state);
        for (_, waiter) in released {
            waiter.waker.wake();
        }
    }

    fn fail(&self, why: &str) {
        self.failed.store(true, Ordering::SeqCst);
        let mut state = self.state();
        if let Standing::Failed(_) = state.standing {
            return;
        }
        state.standing = Standing::Failed(why.to_owned());
        let waiting = mem::take(&mut state.waiting);
        let calls = mem::take(&mut state.on_failure);
        drop(state);
        self.work.notify_all();
        for waiter in waiting.into_values() {
            waiter.waker.wake();
        }
        for call in calls {
            call();
        }
    }
}

/// A pass takes milliseconds; on a disk that is busy with something else, seconds.
const STUCK: Duration = Duration::from_secs(20);
/// How often somebody looks.
const LOOK: Duration = Duration::from_secs(1);

/// How long a write may stay undurable when nobody waits for it.
const UNAWAITED: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::AtomicU32;

    use super::super::sandbox::{NOTES, Sandbox, keep, note};
    use super::super::{FaultyDisk, RealDisk, Store, Verdict};
    use super::*;

    /// Counts rounds, and can hold them up.
    struct Slow {
        rounds: AtomicU64,
        gate: Mutex<()>,
    }

    impl Disk for Slow {
        fn flush(&self, engine: &Engine<'_>) -> io::Result<()> {
            drop(self.gate.lock());
            self.rounds.fetch_add(1, Ordering::SeqCst);
            RealDisk.flush(engine)
        }

        fn sync(&self, file: &File) -> io::Result<()> {
            RealDisk.sync(file)
        }
    }

    #[test]
    fn a_flush_that_never_returns_is_a_failure_that_everybody_who_waits_is_told_of() {
        let sandbox = Sandbox::new();
        let disk = Arc::new(Slow {
            rounds: AtomicU64::new(0),
            gate: Mutex::new(()),
        });
        let store = sandbox
            .open_on(Arc::<Slow>::clone(&disk))
            .unwrap_or_else(|error| panic!("{error}"));
        let held = disk.gate.lock().unwrap();
        let told = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&told);
        store.on_failure(Box::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        }));
        let mut outcome = Ok(());
        while outcome.is_ok() {
            outcome = write(&store, 1).and_then(|mark| store.durable(mark).wait());
        }
        assert!(store.is_failed());
        // Whoever waits is told first, so that nobody's answer hangs on what is called here.
        while told.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        assert_eq!(told.load(Ordering::SeqCst), 1);
        // Nobody waits for what hangs.
        drop(store);
        drop(held);
    }

    struct Noted(AtomicU32);

    impl Wake for Noted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn write(store: &Store, key: u64) -> Result<Mark, Fault> {
        let written = store.write::<(), ()>(|tx| {
            tx.put(&NOTES, &key, &note("n"))?;
            Ok(Verdict::Commit(()))
        });
        written.map(|written| written.mark)
    }

    #[test]
    fn what_was_reported_durable_is_there_after_any_failure() {
        for n in 1..=20 {
            let sandbox = Sandbox::new();
            drop(sandbox.open());
            let disk = Arc::new(FaultyDisk::failing_at(n));
            let mut kept = BTreeSet::new();
            let opened = sandbox.open_on(Arc::<FaultyDisk>::clone(&disk));
            assert_eq!(
                opened.is_err(),
                n <= 5,
                "opening is one round of five operations"
            );
            if let Ok(store) = opened {
                for key in 0..10 {
                    if keep(&store, key, "kept") {
                        kept.insert(key);
                    }
                }
                assert!(store.is_failed(), "failure {n}");
                assert!(!keep(&store, 99, "too late"));
                let tried = disk.operations();
                assert!(store.durable(store.mark()).wait().is_err());
                assert_eq!(store.view().get(&NOTES, &99).unwrap(), None);
                drop(store);
                assert_eq!(disk.operations(), tried, "tried again after failure {n}");
                assert_eq!(tried, n);
            }
            let store = sandbox.open();
            for key in &kept {
                assert!(
                    store.view().get(&NOTES, key).unwrap().is_some(),
                    "{n}: {key}"
                );
            }
            store.check().unwrap();
        }
    }

    #[test]
    fn a_first_start_that_failed_anywhere_can_be_repeated() {
        for n in 1..=12 {
            let sandbox = Sandbox::new();
            let opened = sandbox.open_on(Arc::new(FaultyDisk::failing_at(n)));
            assert_eq!(opened.is_err(), n <= 10, "failure {n}");
            drop(opened);
            assert!(keep(&sandbox.open(), 1, "kept"));
            assert_eq!(sandbox.open().view().count(&NOTES).unwrap(), 1);
        }
    }

    #[test]
    fn the_failure_is_told_once_and_everybody_is_released() {
        let sandbox = Sandbox::new();
        let store = sandbox
            .open_on(Arc::new(FaultyDisk::failing_at(11)))
            .unwrap();
        let told = Arc::new(AtomicU32::new(0));
        let count = |told: &Arc<AtomicU32>| -> OnFailure {
            let told = Arc::clone(told);
            Box::new(move || {
                told.fetch_add(1, Ordering::SeqCst);
            })
        };
        store.on_failure(count(&told));
        let marks: Vec<_> = (0..8).map(|key| write(&store, key).unwrap()).collect();
        thread::scope(|scope| {
            let store = &store;
            for mark in marks {
                scope.spawn(move || assert!(store.durable(mark).wait().is_err()));
            }
        });
        assert!(!keep(&store, 9, "late"));
        assert_eq!(told.load(Ordering::SeqCst), 1);
        store.on_failure(count(&told));
        assert_eq!(told.load(Ordering::SeqCst), 2, "told at once");
        drop(store);
        assert_eq!(told.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_panic_of_the_disk_is_a_failure() {
        struct Panicking(RealDisk, AtomicBool);
        impl Disk for Panicking {
            fn flush(&self, engine: &Engine<'_>) -> io::Result<()> {
                assert!(
                    !self.1.load(Ordering::SeqCst),
                    "as the engine does at times"
                );
                self.0.flush(engine)
            }
            fn sync(&self, file: &File) -> io::Result<()> {
                self.0.sync(file)
            }
        }
        let sandbox = Sandbox::new();
        let disk = Arc::new(Panicking(RealDisk, AtomicBool::new(false)));
        let store = sandbox.open_on(Arc::<Panicking>::clone(&disk)).unwrap();
        assert!(keep(&store, 1, "kept"));
        disk.1.store(true, Ordering::SeqCst);
        assert!(!keep(&store, 2, "lost"));
        assert!(store.is_failed());
    }

    #[test]
    fn a_waiting_future_is_woken_and_a_durable_mark_is_ready_at_once() {
        let sandbox = Sandbox::new();
        let disk = Arc::new(Slow {
            rounds: AtomicU64::new(0),
            gate: Mutex::new(()),
        });
        let store = sandbox.open_on(Arc::<Slow>::clone(&disk)).unwrap();
        let held = disk.gate.lock().unwrap();
        let mark = write(&store, 1).unwrap();
        let woken = Arc::new(Noted(AtomicU32::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut durable = Box::pin(store.durable(mark));
        let given_up = Box::pin(store.durable(mark));
        assert!(durable.as_mut().poll(&mut context).is_pending());
        drop(given_up);
        let second = write(&store, 2).unwrap();
        assert!(second > mark);
        drop(held);
        store.durable(second).wait().unwrap();
        // Whoever asks at the right moment knows before the others are woken.
        while woken.0.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(matches!(
            durable.as_mut().poll(&mut context),
            Poll::Ready(Ok(()))
        ));
        let mut again = Box::pin(store.durable(mark));
        assert!(matches!(
            again.as_mut().poll(&mut context),
            Poll::Ready(Ok(()))
        ));
        store.durable(Mark::ZERO).wait().unwrap();
    }

    #[test]
    fn a_write_that_wrote_nothing_waits_for_what_it_saw() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        let mark = write(&store, 1).unwrap();
        let idle = store.write::<_, ()>(|tx| Ok(Verdict::Commit(tx.get(&NOTES, &1)?)));
        let idle = idle.unwrap();
        assert_eq!(idle.outcome, Ok(Some(note("n"))));
        assert!(idle.mark > mark);
        assert!(store.mark() > idle.mark);
    }

    #[test]
    fn closing_makes_durable_what_nobody_waited_for() {
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        let mark = write(&store, 1).unwrap();
        let durable = store.durable(mark);
        drop(store);
        durable.wait().unwrap();
        let store = sandbox.open();
        assert!(store.view().get(&NOTES, &1).unwrap().is_some());
        let late = store.durable(Mark(u64::MAX));
        drop(store);
        assert!(late.wait().is_err());
    }

    #[test]
    fn many_writers_share_a_round() {
        let sandbox = Sandbox::new();
        let disk = Arc::new(Slow {
            rounds: AtomicU64::new(0),
            gate: Mutex::new(()),
        });
        let store = sandbox.open_on(Arc::<Slow>::clone(&disk)).unwrap();
        let mut told = Vec::new();
        for (writers, each) in [(1_u64, 300), (8, 150), (64, 50)] {
            let before = disk.rounds.load(Ordering::SeqCst);
            let start = Instant::now();
            thread::scope(|scope| {
                for writer in 0..writers {
                    let store = &store;
                    scope.spawn(move || {
                        for n in 0..each {
                            assert!(keep(store, writer * each + n, "durable"));
                        }
                    });
                }
            });
            let rounds = disk.rounds.load(Ordering::SeqCst) - before;
            let writes = writers * each;
            let rate = f64::from(u32::try_from(writes).unwrap()) / start.elapsed().as_secs_f64();
            println!(
                "{writers} writers: {rate:.0} durable writes a second in {rounds} rounds of {writes}"
            );
            told.push(writes / rounds);
        }
        assert!(told[0] <= 1 && told[2] >= 8, "{told:?} writes a round");
    }
}
