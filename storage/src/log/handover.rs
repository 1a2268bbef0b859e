//! Who writes the log next, and who waits for whom: flushes that many committers share, handed from one to the next.
//!
//! What committers append *collects*. Whoever needs some of it durable and finds nobody writing takes all that has collected and
//! writes it; who comes meanwhile waits, for the write under way if that covers it, else for the next. When a write ends, all whom it
//! covered wake at once, and one of those who wait for the next is told to write.
//!
//! ```text
//!   appended:  ...| being written |  collects  |
//!   waiters:          `covered`      `behind`        end of the write: wake `covered`, and the first of `behind` leads
//! ```
//!
//! Before it takes what has collected, a leader yields once if there are writers that have yet to come: where processors are short,
//! those who could run now append first and spare a write; where one is idle, nothing is waited for. There is no timer.
//!
//! Nobody who wakes needs the mutex to go on: a position that is durable is seen in an atomic. A condition variable would wake the waiters
//! one after another, each holding the mutex in turn.
//!
//! Invariants
//! - O1: one leader at a time; what it takes is everything appended until then.
//! - O2: while there is no leader, whoever is in `behind` has a wake-up on the way to one of them or to one who comes before them. So
//!   nobody sleeps while what it waits for lies about.
//! - O3: a leader that does not succeed, by a panic too, breaks the handover: everyone wakes, and nobody leads again.
//!
//! The mutex, atomics and threads come from the module's parent, so that a model can run this very file on others (see `handover_model`).

use super::sync::{
    AtomicBool, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, Thread, current, park,
    yield_now,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// What collects.
pub(super) trait Collect {
    /// What one leader writes.
    type Batch;
    /// Takes everything.
    fn take(&mut self) -> Self::Batch;
    /// Gives the memory of a batch back.
    fn put_back(&mut self, batch: Self::Batch);
}

/// One who sleeps.
struct Waiter {
    thread: Thread,
    is_woken: AtomicBool,
}

impl Waiter {
    fn new() -> Arc<Self> {
        Arc::new(Self { thread: current(), is_woken: AtomicBool::new(false) })
    }

    fn sleep(&self) {
        while !self.is_woken.load(Ordering::Acquire) {
            park();
        }
    }

    fn wake(&self) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

struct State<C> {
    collecting: C,
    /// Position behind the last thing appended.
    appended: u64,
    /// Position behind what is being written, while somebody writes.
    writing: Option<u64>,
    is_broken: bool,
    /// Who waits for the write under way.
    covered: Vec<Arc<Waiter>>,
    /// Who waits for the one after it, in the order of coming.
    behind: VecDeque<Arc<Waiter>>,
}

/// See the head of the file.
pub(super) struct Handover<C: Collect> {
    state: Mutex<State<C>>,
    durable: AtomicU64,
    /// Those who will append soon, roughly.
    writers: AtomicUsize,
}

impl<C: Collect> std::fmt::Debug for Handover<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handover").field("durable", &self.durable()).finish_non_exhaustive()
    }
}

/// How a wait ends.
pub(super) enum Turn<'h, C: Collect> {
    /// It is durable.
    Durable,
    /// The caller has to write.
    Lead(Leader<'h, C>),
    /// Nothing will be written any more.
    Broken,
}

/// The one who writes.
pub(super) struct Leader<'h, C: Collect> {
    handover: &'h Handover<C>,
    batch: Option<C::Batch>,
    end: u64,
}

impl<C: Collect> Handover<C> {
    /// Begins behind `position`, which is durable.
    pub(super) fn new(position: u64, collecting: C) -> Self {
        let state = State {
            collecting,
            appended: position,
            writing: None,
            is_broken: false,
            covered: Vec::new(),
            behind: VecDeque::new(),
        };
        let durable = AtomicU64::new(position);
        Self { state: Mutex::new(state), durable, writers: AtomicUsize::new(0) }
    }

    /// Says that somebody will append, or give it up, before long.
    pub(super) fn expect_writer(&self) {
        self.writers.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes back [`Handover::expect_writer`]: it appends now, or never.
    pub(super) fn unexpect_writer(&self) {
        self.writers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Everything before this is durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Position behind the last thing appended.
    pub(super) fn appended(&self) -> u64 {
        self.state.lock().appended
    }

    /// Where to wait for something that was appended: behind all that collects if that `has` it, else behind what is being written.
    /// If nobody writes, it is durable, or the handover broke with it.
    pub(super) fn position(&self, has: impl FnOnce(&C) -> bool) -> Option<u64> {
        let state = self.state.lock();
        if has(&state.collecting) { Some(state.appended) } else { state.writing }
    }

    /// Looks at what collects.
    pub(super) fn look<R>(&self, look: impl FnOnce(&C) -> R) -> R {
        look(&self.state.lock().collecting)
    }

    /// Appends what `append` adds; it says how long that is. The position behind it.
    pub(super) fn append(&self, append: impl FnOnce(&mut C) -> u64) -> u64 {
        let mut state = self.state.lock();
        state.appended += append(&mut state.collecting);
        state.appended
    }

    /// Returns when everything up to `position` is durable, or when it is the caller's turn to write.
    pub(super) fn turn(&self, position: u64) -> Turn<'_, C> {
        loop {
            let waiter = {
                let mut state = self.state.lock();
                debug_assert!(position <= state.appended, "only what was appended can be flushed");
                if self.durable() >= position {
                    return Turn::Durable;
                }
                if state.is_broken {
                    return Turn::Broken;
                }
                let Some(end) = state.writing else {
                    return Turn::Lead(self.lead(state));
                };
                let waiter = Waiter::new();
                if position <= end {
                    state.covered.push(Arc::clone(&waiter));
                } else {
                    state.behind.push_back(Arc::clone(&waiter));
                }
                waiter
            };
            waiter.sleep();
            if self.durable() >= position {
                return Turn::Durable;
            }
        }
    }

    fn lead<'h>(&'h self, mut state: MutexGuard<'h, State<C>>) -> Leader<'h, C> {
        if self.writers.load(Ordering::Relaxed) > 0 {
            // The place is taken, and whoever comes is behind.
            state.writing = Some(self.durable());
            drop(state);
            yield_now();
            state = self.state.lock();
        }
        let state = &mut *state;
        let end = state.appended;
        state.writing = Some(end);
        debug_assert!(state.covered.is_empty(), "the last leader woke them");
        state.covered.extend(state.behind.drain(..));
        Leader { handover: self, batch: Some(state.collecting.take()), end }
    }

    fn finish(&self, batch: Option<C::Batch>, durable: Option<u64>) {
        let mut state = self.state.lock();
        state.writing = None;
        if let Some(batch) = batch {
            state.collecting.put_back(batch);
        }
        let mut woken = std::mem::take(&mut state.covered);
        if let Some(end) = durable {
            self.durable.store(end, Ordering::Release);
            woken.extend(state.behind.pop_front());
        } else {
            state.is_broken = true;
            woken.extend(state.behind.drain(..));
        }
        drop(state);
        for waiter in woken {
            waiter.wake();
        }
    }
}

impl<C: Collect> Leader<'_, C> {
    /// What to write.
    pub(super) fn batch(&self) -> &C::Batch {
        self.batch.as_ref().expect("it is there until the leader is done")
    }

    /// It is written and durable.
    pub(super) fn succeed(mut self) {
        let batch = self.batch.take();
        self.handover.finish(batch, Some(self.end));
    }
}

impl<C: Collect> Drop for Leader<'_, C> {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.handover.finish(Some(batch), None);
        }
    }
}
