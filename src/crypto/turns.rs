//! Work that costs memory and milliseconds on purpose, a few at a time: whoever comes past a bounded queue is turned
//! away at once, so that a flood of passwords cannot take the machine.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{getpriority_process, setpriority_process};

/// Turns to be taken one after another.
#[derive(Debug)]
pub struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    at_once: usize,
    queue: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: usize,
}

/// A place in the queue; one that is dropped is free for somebody else.
pub struct Place {
    shared: Arc<Shared>,
    was_left: bool,
}

/// A turn; the next begins when it is dropped.
pub struct Turn(Arc<Shared>);

impl Turns {
    /// `at_once` turns at a time, and a queue of at most `queue` for them.
    pub fn new(at_once: usize, queue: usize) -> Self {
        Self(Arc::new(Shared {
            at_once: at_once.max(1),
            queue,
            state: Mutex::default(),
            freed: Condvar::new(),
        }))
    }

    /// A place in the queue, without waiting; `None` when too many have one already.
    pub fn join(&self) -> Option<Place> {
        let shared = &self.0;
        let mut state = shared.state();
        if state.running + state.waiting >= shared.at_once + shared.queue {
            return None;
        }
        state.waiting += 1;
        Some(Place {
            shared: Arc::clone(shared),
            was_left: false,
        })
    }

    /// A place in the queue, and the turn once it comes, waiting for it on this thread.
    pub fn take(&self) -> Option<Turn> {
        self.join().map(Place::turn)
    }
}

impl Place {
    /// Waits for the turn on this thread.
    pub fn turn(mut self) -> Turn {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        while state.running >= shared.at_once {
            state = shared
                .freed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        state.running += 1;
        self.was_left = true;
        drop(state);
        Turn(shared)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.was_left {
            self.shared.state().waiting -= 1;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.state().running -= 1;
        self.0.freed.notify_one();
    }
}

/// Does `work` on a thread of its own, which every other thread is preferred to, and waits for it. `None` if there was no
/// thread to be had, or it panicked.
///
/// It ends with its work, because a priority is easily lowered and only the privileged raise it again.
pub fn in_background<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    let work = || {
        // On Linux a priority is a thread's. Where it cannot be lowered, the work is done all the same.
        if getpriority_process(None).is_ok_and(|own| own < LOW_PRIORITY) {
            let _ = setpriority_process(None, LOW_PRIORITY);
        }
        work()
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("background".to_owned());
        thread.spawn_scoped(scope, work).ok()?.join().ok()
    })
}

/// As low as priorities go. At 10 the rarest token took five times as long while keys were made, at 19 no longer than
/// before.
const LOW_PRIORITY: i32 = 19;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_run_at_once_than_may_and_the_rest_past_the_queue_are_turned_away() {
        let turns = Turns::new(2, 3);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let first = [(); 2].map(|()| turns.take().unwrap());
        let places = [(); 3].map(|()| turns.join().unwrap());
        assert!(turns.join().is_none(), "the queue is full");
        thread::scope(|scope| {
            for place in places {
                let (running, most) = (&running, &most);
                scope.spawn(move || {
                    let _turn = place.turn();
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
            drop(first);
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
        let state = turns.0.state();
        assert_eq!((state.running, state.waiting), (0, 0), "and empty again");
    }

    #[test]
    fn a_place_that_is_given_up_is_free_for_another() {
        let turns = Turns::new(1, 0);
        let place = turns.join().unwrap();
        assert!(turns.join().is_none(), "whoever has a place will run");
        drop(place);
        let _turn = turns.take().unwrap();
        assert!(turns.join().is_none());
    }

    #[test]
    fn work_in_the_background_has_a_low_priority_and_this_thread_keeps_its_own() {
        let before = getpriority_process(None).unwrap();
        let there = in_background(|| getpriority_process(None).unwrap());
        assert_eq!(there, Some(before.max(LOW_PRIORITY)));
        assert_eq!(getpriority_process(None).unwrap(), before);
        assert_eq!(in_background(|| -> u8 { panic!("on purpose") }), None);
    }
}
