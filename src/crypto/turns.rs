//! Work that costs memory and milliseconds on purpose, a few at a time: whoever comes past a bounded queue is turned
//! away at once, so that a flood of passwords cannot take the machine.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Turns to be taken one after another.
#[derive(Debug)]
pub struct Turns {
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

/// A turn; the next begins when it is dropped.
pub struct Turn<'t>(&'t Turns);

impl Turns {
    /// `at_once` turns at a time, and a queue of at most `queue` for them.
    pub fn new(at_once: usize, queue: usize) -> Self {
        Self {
            at_once: at_once.max(1),
            queue,
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Waits for a turn on this thread; `None` when too many wait already.
    pub fn take(&self) -> Option<Turn<'_>> {
        let mut state = self.state();
        if state.running >= self.at_once && state.waiting >= self.queue {
            return None;
        }
        state.waiting += 1;
        while state.running >= self.at_once {
            state = self
                .freed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        state.running += 1;
        Some(Turn(self))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().running -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn no_more_run_at_once_than_may_and_the_rest_past_the_queue_are_turned_away() {
        let turns = Turns::new(2, 3);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let first = [turns.take().unwrap(), turns.take().unwrap()];
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let _turn = turns.take().unwrap();
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                    })
                })
                .collect();
            while turns.state().waiting < 3 {
                thread::yield_now();
            }
            assert!(turns.take().is_none(), "the queue is full");
            drop(first);
            for one in waiting {
                one.join().unwrap();
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert!(turns.take().is_some(), "and empty again");
    }
}
