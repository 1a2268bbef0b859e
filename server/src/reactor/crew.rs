//! Who holds a permit: the workers, those of them that poll, those that are held up, and those to spare.
//!
//! ```text
//!             begin                  detach
//!   Ready ───────────► Serving(n) ────────────► Detached ──── end, a permit is left ──► Ready
//!     ▲                    │                        │
//!     ├────── end ─────────┘                        └── end, none is left ──► Spare ── a while ──► gone
//!     └──────────────────────────── a permit is handed on ──────────────────────┘
//! ```
//!
//! Ready and Serving workers hold a permit. One who is told that a worker stands still takes the permit away and hands it to a spare
//! worker, or to a new thread if there is none. A worker that is detached goes on with what it does; when it is done it takes a permit that
//! is left over or sleeps.
//!
//! A worker that has nothing to do does not poll beside as many others as there are tasks: it *rests*, with its permit, until a task is added or the
//! others are held up. What it could be woken for, others are there for; and a client that answers while its worker is on its way back to the
//! poller would wake it for nothing.
//!
//! A permit belongs to a node of the machine, and whoever holds it runs on the processors of that node: so the place of a worker that stands still
//! is taken by another on the same node.
//!
//! Invariants
//! - C1: permits left + those of Ready and Serving workers + those that new threads will take = the limit.
//! - C2: only the worker itself moves it from Ready to Serving and back; only a compare-and-swap on the very task moves it to Detached, so a
//!   permit is taken away once, and not from a worker that has got on.
//! - C3: permits keep their nodes. A worker's node changes under the lock, while it holds no permit, to that of the permit it is given.
//! - C4: while somebody rests there is a worker for each task, which polls, serves, or is about to do either. Whoever adds one to others rouses one that
//!   rests.

use super::sync::{
    AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering, Thread, current, park, park_timeout,
};
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::time::Duration;

/// The lowest bits of a seat's word; above them is the number of the task.
const STATE: u64 = 3;
const READY: u64 = 0;
const SERVING: u64 = 1;
const DETACHED: u64 = 2;
const STEP: u64 = 4;

/// A worker, whose word no other worker's shares a cache line with.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Seat {
    word: AtomicU64,
    /// The node of its permit, or of the last one it had.
    node: AtomicUsize,
    /// A permit was handed to it while it was to spare, it was roused, or the crew is dismissed.
    is_woken: AtomicBool,
    thread: Thread,
}

impl Seat {
    /// The worker begins a task.
    pub(super) fn begin(&self) {
        let word = self.word.load(Ordering::Relaxed);
        debug_assert_eq!(word & STATE, READY, "a worker begins one task at a time");
        self.word.store((word & !STATE) + STEP + SERVING, Ordering::SeqCst);
    }

    /// Whether its permit was taken away.
    pub(super) fn is_detached(&self) -> bool {
        self.word() & STATE == DETACHED
    }

    /// The node on whose processors the worker is to run.
    pub(super) fn node(&self) -> usize {
        self.node.load(Ordering::Relaxed)
    }

    /// Ends its sleep.
    fn wake(&self) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }

    /// What it does now, for [`Crew::detach`].
    pub(super) fn word(&self) -> u64 {
        self.word.load(Ordering::Acquire)
    }
}

#[derive(Default)]
struct State {
    /// The nodes of permits that nobody has.
    permits_left: Vec<usize>,
    spares: Vec<Arc<Seat>>,
    /// Those with a permit who do not poll.
    resting: Vec<Arc<Seat>>,
    seats: Vec<Arc<Seat>>,
    is_dismissed: bool,
}

/// See the head of the file.
pub(super) struct Crew {
    limit: usize,
    state: Mutex<State>,
    /// Those who wait for what becomes ready.
    pollers: CachePadded<AtomicUsize>,
}

impl Crew {
    /// A permit for each of these nodes, all left.
    pub(super) fn new(nodes: Vec<usize>) -> Self {
        let limit = nodes.len();
        let state = State { permits_left: nodes, ..State::default() };
        Self { limit, state: Mutex::new(state), pollers: CachePadded::new(AtomicUsize::new(0)) }
    }

    /// Takes a permit for a thread that is to be started: its node. None if no permit is left.
    pub(super) fn reserve(&self) -> Option<usize> {
        let mut state = self.state.lock();
        if state.is_dismissed {
            return None;
        }
        state.permits_left.pop()
    }

    /// A thread that was to have a permit of this node could not be started.
    pub(super) fn give_back(&self, node: usize) {
        self.state.lock().permits_left.push(node);
    }

    /// The calling thread is a worker, with the permit of this node that was reserved for it.
    pub(super) fn join(&self, node: usize) -> Arc<Seat> {
        let seat = Arc::new(Seat {
            word: AtomicU64::new(READY),
            node: AtomicUsize::new(node),
            is_woken: AtomicBool::new(false),
            thread: current(),
        });
        self.state.lock().seats.push(Arc::clone(&seat));
        seat
    }

    /// Calls `poll`, which waits for what becomes ready, unless `is_due` says that something is there already. If as many as `enough` poll, the
    /// worker rests instead until it is roused.
    pub(super) fn poll<R>(
        &self,
        seat: &Arc<Seat>,
        enough: impl Fn() -> usize,
        is_due: impl FnOnce() -> bool,
        poll: impl FnOnce() -> R,
    ) -> Option<R> {
        debug_assert!(self.permit_count() <= self.limit, "C1");
        if self.rest(seat, enough) {
            return None;
        }
        self.pollers.fetch_add(1, Ordering::SeqCst);
        let result = (!is_due()).then(poll);
        self.pollers.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// Whether the worker rested.
    fn rest(&self, seat: &Arc<Seat>, enough: impl Fn() -> usize) -> bool {
        let are_enough = || self.pollers.load(Ordering::SeqCst) >= enough();
        if !are_enough() {
            return false;
        }
        let mut state = self.state.lock();
        // Again under the lock: whoever adds a task finds the worker in the list, or the worker finds the task.
        if state.is_dismissed || !are_enough() {
            return false;
        }
        seat.is_woken.store(false, Ordering::Relaxed);
        state.resting.push(Arc::clone(seat));
        drop(state);
        while !seat.is_woken.load(Ordering::Acquire) {
            park();
        }
        true
    }

    /// One of those who rest looks for something to do; whether there is one.
    pub(super) fn rouse(&self) -> bool {
        let Some(seat) = self.state.lock().resting.pop() else { return false };
        seat.wake();
        true
    }

    /// How many workers hold a permit.
    fn permit_count(&self) -> usize {
        let state = self.state.lock();
        state.seats.iter().filter(|seat| seat.word() & STATE != DETACHED).count()
    }

    /// Whether nobody waits for what becomes ready.
    pub(super) fn is_unpolled(&self) -> bool {
        self.pollers.load(Ordering::SeqCst) == 0
    }

    /// Takes the permit away from a worker that is still at what `word` says. The permit's node if the caller has to start a thread,
    /// for which it is reserved.
    pub(super) fn detach(&self, seat: &Seat, word: u64) -> Option<usize> {
        if word & STATE != SERVING {
            return None;
        }
        // It stays the same while the word does (C3).
        let node = seat.node();
        let detached = (word & !STATE) + DETACHED;
        let swapped =
            seat.word.compare_exchange(word, detached, Ordering::SeqCst, Ordering::Relaxed);
        if swapped.is_err() {
            return None;
        }
        let mut state = self.state.lock();
        if state.is_dismissed {
            state.permits_left.push(node);
            return None;
        }
        let Some(spare) = take_of_node(&mut state.spares, node, |spare| spare.node()) else {
            return Some(node);
        };
        // Under the lock, so that the worker, which looks there before it ends, cannot miss it.
        spare.node.store(node, Ordering::Relaxed);
        spare.word.store(READY, Ordering::Release);
        spare.wake();
        drop(state);
        None
    }

    /// As [`Crew::detach`] for all that are where `seen` has them, which then is where they are now. The nodes of threads to start.
    pub(super) fn detach_stuck(&self, seen: &mut Vec<(Arc<Seat>, u64)>) -> Vec<usize> {
        let stuck = seen.drain(..).filter_map(|(seat, word)| self.detach(&seat, word)).collect();
        for seat in &self.state.lock().seats {
            let word = seat.word();
            if word & STATE == SERVING {
                seen.push((Arc::clone(seat), word));
            }
        }
        stuck
    }

    /// The worker is done with a task. False if it is to end: there was nothing to do for it for `keep`.
    pub(super) fn end(&self, seat: &Arc<Seat>, keep: Duration) -> bool {
        let word = seat.word.load(Ordering::Relaxed);
        let ready = (word & !STATE) + READY;
        if word & STATE == SERVING
            && seat.word.compare_exchange(word, ready, Ordering::SeqCst, Ordering::Relaxed).is_ok()
        {
            return true;
        }
        let mut state = self.state.lock();
        if !state.is_dismissed {
            if let Some(node) = take_of_node(&mut state.permits_left, seat.node(), |node| *node) {
                seat.node.store(node, Ordering::Relaxed);
                seat.word.store(ready, Ordering::Relaxed);
                return true;
            }
            seat.is_woken.store(false, Ordering::Relaxed);
            state.spares.push(Arc::clone(seat));
            drop(state);
            // A wake-up that was meant for something the thread did before ends one wait at most.
            for _ in 0..2 {
                park_timeout(keep);
                if seat.is_woken.load(Ordering::Acquire) {
                    break;
                }
            }
            state = self.state.lock();
            if seat.word() & STATE == READY {
                return true;
            }
            state.spares.retain(|spare| !Arc::ptr_eq(spare, seat));
        }
        state.seats.retain(|other| !Arc::ptr_eq(other, seat));
        false
    }

    /// A worker leaves with its permit, because the crew is dismissed.
    pub(super) fn leave(&self, seat: &Arc<Seat>) {
        let mut state = self.state.lock();
        state.permits_left.push(seat.node());
        state.seats.retain(|other| !Arc::ptr_eq(other, seat));
    }

    /// The nodes of permits that nobody has, ascending.
    #[cfg(test)]
    pub(super) fn nodes_left(&self) -> Vec<usize> {
        let mut nodes = self.state.lock().permits_left.clone();
        nodes.sort_unstable();
        nodes
    }

    /// How many workers sleep.
    #[cfg(test)]
    pub(super) fn spare_count(&self) -> usize {
        self.state.lock().spares.len()
    }

    /// How many workers rest.
    #[cfg(test)]
    pub(super) fn resting_count(&self) -> usize {
        self.state.lock().resting.len()
    }

    /// Sends everybody home: spare workers end at once, the others when they ask.
    pub(super) fn dismiss(&self) {
        let mut state = self.state.lock();
        state.is_dismissed = true;
        let State { spares, resting, .. } = &mut *state;
        for sleeper in spares.drain(..).chain(resting.drain(..)) {
            sleeper.wake();
        }
    }
}

/// Takes what is of a node out of a list, or else whatever is there.
fn take_of_node<T>(list: &mut Vec<T>, node: usize, node_of: impl Fn(&T) -> usize) -> Option<T> {
    let index = list.iter().rposition(|item| node_of(item) == node);
    index.map(|index| list.swap_remove(index)).or_else(|| list.pop())
}
