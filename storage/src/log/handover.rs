//! Who writes the log next, and who waits for whom: flushes that many committers share, several of them under way at once.
//!
//! What committers append *collects*. Whoever needs some of it durable and finds a *lane* free takes all that has collected and
//! writes it there; who comes meanwhile waits: for the flight that covers it, or for one to come. When a write ends, all whom it
//! made durable wake at once, and one of those who wait for the next is told to write.
//!
//! ```text
//!   appended:  ...| done, waits for flight 1 ...        |
//!              ...| flight 1, lane 0 | flight 2, lane 1 |  collects  |
//!   waiters:        its `covered`      its `covered`       `behind`
//! ```
//!
//! Flights may end in any order, and are acknowledged in theirs: one that ends before an earlier one is durable when that is.
//!
//! A flight begins beside others once as much has collected as is under way. Whoever took a lane for the first thing that comes would leave the
//! rest to the end of a flight again; and where the disk does one sync at a time, flights of one commit each would stand in line. So half of
//! those who commit again and again are under way while the other half comes together, and each waits for one sync; on a disk that does
//! one at a time the halves take turns, as with one lane. `docs/decisions/0009-lanes-of-writes.md` has the figures.
//!
//! Before it takes what has collected, a leader yields once if there are writers that have yet to come: where processors are short,
//! those who could run now append first and spare a write; where one is idle, nothing is waited for. There is no timer. A leader that has
//! taken a batch puts it in order (numbers, checksums) before the next one takes: [`Leader::begun`] ends that.
//!
//! Nobody who wakes needs the mutex to go on: a position that is durable is seen in an atomic. A condition variable would wake the waiters
//! one after another, each holding the mutex in turn.
//!
//! Invariants
//! - O1: one leader at a time takes and orders; what it takes is everything appended until then. Each lane has one leader at most.
//! - O2: whoever is in `behind` has a wake-up on the way to one of them or to one who comes before them; or somebody takes, and takes them
//!   along; or a flight is under way, and its end looks whether there should be another (O5). So nobody sleeps while what it waits for lies
//!   about.
//! - O3: a leader that does not succeed, by a panic too, breaks the handover: nothing from its flight on is ever durable, who waits for
//!   that wakes, and nobody leads again. Flights before it end as ever.
//! - O4: what is durable is a prefix: it ends before the first flight that is not done.
//! - O5: a flight begins when none is under way, or as much has collected as is under way.
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
    /// What is to be known of a batch while it is under way.
    type Mark;
    /// Takes everything.
    fn take(&mut self) -> (Self::Batch, Self::Mark);
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

/// A batch that was taken.
struct Flight<M> {
    /// Position behind it.
    end: u64,
    /// How many things it has.
    size: u64,
    mark: M,
    /// It is written, and waits for those before it.
    is_done: bool,
    /// Who waits for it.
    covered: Vec<Arc<Waiter>>,
}

struct State<C: Collect> {
    collecting: C,
    /// Position behind the last thing appended.
    appended: u64,
    /// How many things have collected.
    collected: u64,
    /// Somebody is about to take what collects, or puts in order what it took.
    is_taking: bool,
    /// The lanes that nobody writes in, a bit each.
    free: u32,
    /// What is under way, in the order of the stream; the first one is not done.
    flights: VecDeque<Flight<C::Mark>>,
    /// Nothing behind this will be durable.
    broken_from: Option<u64>,
    /// Who waits for a lane, in the order of coming.
    behind: VecDeque<Arc<Waiter>>,
}

impl<C: Collect> State<C> {
    fn can_lead(&self) -> bool {
        !self.is_taking && self.free != 0
    }

    /// Whether one who waits should write now (O5).
    fn should_lead(&self) -> bool {
        let is_under_way = |flight: &&Flight<_>| !flight.is_done;
        self.can_lead()
            && self.collected
                >= self.flights.iter().filter(is_under_way).map(|flight| flight.size).sum()
    }

    /// The first flight, if it is done (O4).
    fn pop_done(&mut self) -> Option<Flight<C::Mark>> {
        self.flights.pop_front_if(|flight| flight.is_done)
    }

    /// The one to be told to write (O2). Nobody is behind once the handover is broken.
    fn next_leader(&mut self) -> Option<Arc<Waiter>> {
        if self.should_lead() { self.behind.pop_front() } else { None }
    }
}

/// See the head of the file.
pub(super) struct Handover<C: Collect> {
    state: Mutex<State<C>>,
    durable: AtomicU64,
    /// Those who will append soon, roughly.
    writers: AtomicUsize,
    lane_count: usize,
    /// A defect for tests of the tests: flights are acknowledged as they end (breaks O4).
    #[cfg(test)]
    skips_order: AtomicBool,
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
    lane: usize,
    /// Whether nobody else may take yet.
    is_taking: bool,
}

impl<C: Collect> Handover<C> {
    /// Begins behind `position`, which is durable.
    pub(super) fn new(position: u64, collecting: C, lane_count: usize) -> Self {
        assert!((1..32).contains(&lane_count), "each lane has a bit");
        let state = State {
            collecting,
            appended: position,
            collected: 0,
            is_taking: false,
            free: (1 << lane_count) - 1,
            flights: VecDeque::new(),
            broken_from: None,
            behind: VecDeque::new(),
        };
        Self {
            state: Mutex::new(state),
            durable: AtomicU64::new(position),
            writers: AtomicUsize::new(0),
            lane_count,
            #[cfg(test)]
            skips_order: AtomicBool::new(false),
        }
    }

    /// Plants the defect, or not.
    #[cfg(test)]
    pub(super) fn skip_order(&self, skips: bool) {
        self.skips_order.store(skips, Ordering::Relaxed);
    }

    /// Says that somebody will append, or give it up, before long.
    pub(super) fn expect_writer(&self) {
        self.writers.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes back [`Handover::expect_writer`]: it appends now, or never.
    pub(super) fn unexpect_writer(&self) {
        self.writers.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many may write at a time.
    pub(super) fn lane_count(&self) -> usize {
        self.lane_count
    }

    /// Everything before this is durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Position behind the last thing appended.
    pub(super) fn appended(&self) -> u64 {
        self.state.lock().appended
    }

    /// Where to wait for something that was appended: behind all that collects if that has it, else behind the last flight that has it.
    /// If none does, it is durable, or the handover broke with it.
    pub(super) fn position(
        &self,
        collects: impl FnOnce(&C) -> bool,
        has: impl Fn(&C::Mark) -> bool,
    ) -> Option<u64> {
        let state = self.state.lock();
        if collects(&state.collecting) {
            return Some(state.appended);
        }
        state.flights.iter().rev().find(|flight| has(&flight.mark)).map(|flight| flight.end)
    }

    /// Looks at what collects.
    pub(super) fn look<R>(&self, look: impl FnOnce(&C) -> R) -> R {
        look(&self.state.lock().collecting)
    }

    /// Appends what `append` adds; it says how long that is. The position behind it.
    pub(super) fn append(&self, append: impl FnOnce(&mut C) -> u64) -> u64 {
        let mut state = self.state.lock();
        state.appended += append(&mut state.collecting);
        state.collected += 1;
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
                if state.broken_from.is_some_and(|from| position > from) {
                    return Turn::Broken;
                }
                let covering = state.flights.iter().position(|flight| position <= flight.end);
                if covering.is_none() && state.should_lead() {
                    return self.lead(state).map_or(Turn::Broken, Turn::Lead);
                }
                let waiter = Waiter::new();
                match covering {
                    Some(at) => state.flights[at].covered.push(Arc::clone(&waiter)),
                    None => state.behind.push_back(Arc::clone(&waiter)),
                }
                waiter
            };
            waiter.sleep();
            if self.durable() >= position {
                return Turn::Durable;
            }
        }
    }

    /// Makes the caller write what has collected, if there is something, and a lane for it, however little it is.
    pub(super) fn try_lead(&self) -> Option<Leader<'_, C>> {
        let state = self.state.lock();
        let taken = state.flights.back().map_or_else(|| self.durable(), |last| last.end);
        let is_due = state.appended > taken && state.broken_from.is_none();
        if is_due && state.can_lead() { self.lead(state) } else { None }
    }

    /// Nobody may lead if a flight fails just now.
    fn lead<'h>(&'h self, mut state: MutexGuard<'h, State<C>>) -> Option<Leader<'h, C>> {
        let lane = state.free.trailing_zeros() as usize;
        state.free &= state.free - 1;
        // Whoever comes from now on is behind, or covered.
        state.is_taking = true;
        if self.writers.load(Ordering::Relaxed) > 0 {
            drop(state);
            yield_now();
            state = self.state.lock();
            if state.broken_from.is_some() {
                state.is_taking = false;
                return None;
            }
        }
        let state = &mut *state;
        let (batch, mark) = state.collecting.take();
        let (end, size) = (state.appended, std::mem::take(&mut state.collected));
        let covered = state.behind.drain(..).collect();
        state.flights.push_back(Flight { end, size, mark, is_done: false, covered });
        Some(Leader { handover: self, batch: Some(batch), end, lane, is_taking: true })
    }

    /// Ends a flight. `reach` is told the mark of each that becomes durable, before anybody sees that it is.
    fn finish(
        &self,
        leader: &mut Leader<'_, C>,
        is_written: bool,
        mut reach: impl FnMut(&C::Mark),
    ) {
        let mut state = self.state.lock();
        if let Some(batch) = leader.batch.take() {
            state.collecting.put_back(batch);
        }
        state.free |= 1 << leader.lane;
        if leader.is_taking {
            state.is_taking = false;
        }
        let mut woken = Vec::new();
        // There is none if one before it failed.
        let at = state.flights.iter().position(|flight| flight.end == leader.end);
        match at {
            Some(at) if is_written => {
                state.flights[at].is_done = true;
                #[cfg(test)]
                if self.skips_order.load(Ordering::Relaxed) {
                    state.flights.iter_mut().take(at).for_each(|flight| flight.is_done = true);
                }
                while let Some(flight) = state.pop_done() {
                    reach(&flight.mark);
                    self.durable.store(flight.end, Ordering::Release);
                    woken.extend(flight.covered);
                }
            }
            Some(at) => {
                let lost = state.flights.drain(at..).flat_map(|flight| flight.covered);
                woken.extend(lost);
                woken.extend(state.behind.drain(..));
                let from = state.flights.back().map_or_else(|| self.durable(), |last| last.end);
                state.broken_from = Some(from);
            }
            None => {}
        }
        woken.extend(state.next_leader());
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

    /// Where to write it.
    pub(super) fn lane(&self) -> usize {
        self.lane
    }

    /// It is put in order: the next leader may take what has collected since.
    pub(super) fn begun(&mut self) {
        // With one lane nobody can lead before this leader is done.
        if self.handover.lane_count == 1 || !std::mem::replace(&mut self.is_taking, false) {
            return;
        }
        let next = {
            let mut state = self.handover.state.lock();
            state.is_taking = false;
            state.next_leader()
        };
        if let Some(next) = next {
            next.wake();
        }
    }

    /// It is written and durable. `reach` is told the mark of each batch that this makes durable for good, in their order.
    pub(super) fn succeed(mut self, reach: impl FnMut(&C::Mark)) {
        self.handover.finish(&mut self, true, reach);
    }
}

impl<C: Collect> Drop for Leader<'_, C> {
    fn drop(&mut self) {
        if self.batch.is_some() {
            self.handover.finish(self, false, |_| {});
        }
    }
}
