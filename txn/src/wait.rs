//! Waiting for other transactions, without waiting for ever in a circle.
//!
//! A blocked transaction says here whom it waits for. After [`DEADLOCK_WAIT`] it looks for a way from those back to
//! itself; if there is one, it gives up with 40P01. Edges are entered and searched under one mutex, so of the
//! transactions in a circle at least the last to enter sees it, and a victim's edge is gone before the next looks.

use crate::cell::{Outcome, TxnCell};
use crate::gate::Stop;
use crate::interrupt::Interrupt;
use damask_types::{Error, Result, SqlState, TxnId};
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a wait lasts before it looks for a deadlock.
const DEADLOCK_WAIT: Duration = Duration::from_millis(5);

/// How often a wait polls its interrupt.
pub(crate) const POLL: Duration = Duration::from_millis(10);

type Edges = SmallVec<[TxnId; 2]>;

/// Who waits for whom.
pub(crate) struct WaitGraph {
    stop: Arc<Stop>,
    edges: Mutex<HashMap<TxnId, Edges>>,
    pub(crate) waits: AtomicU64,
    pub(crate) deadlocks: AtomicU64,
}

impl WaitGraph {
    pub(crate) fn new(stop: Arc<Stop>) -> Self {
        Self {
            stop,
            edges: Mutex::default(),
            waits: AtomicU64::new(0),
            deadlocks: AtomicU64::new(0),
        }
    }

    /// Waits until something happens to one of `holders`' transactions, or it has ended already.
    ///
    /// `seen` are the event counts taken before the caller found itself blocked.
    pub(crate) fn wait_for(
        &self,
        me: TxnId,
        holders: &[(Arc<TxnCell>, u64)],
        interrupt: &dyn Interrupt,
    ) -> Result<()> {
        let Some((first, seen)) = holders.first() else {
            return Ok(());
        };
        let ids = holders.iter().map(|(cell, _)| cell.id()).collect();
        self.blocked(me, ids, interrupt, |timeout| {
            !matches!(first.outcome(), Outcome::Active(_)) || first.wait(*seen, timeout)
        })
    }

    /// Waits while `wait(timeout)` says that nothing has happened yet.
    pub(crate) fn blocked(
        &self,
        me: TxnId,
        holders: Edges,
        interrupt: &dyn Interrupt,
        mut wait: impl FnMut(Duration) -> bool,
    ) -> Result<()> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.edges.lock().insert(me, holders);
        let _entered = Entered { graph: self, me, interrupt };
        interrupt.waiting(true);
        if wait(DEADLOCK_WAIT) {
            return self.stop.check();
        }
        self.check_deadlock(me)?;
        loop {
            interrupt.check()?;
            // Whoever is waited for may never end if the engine has stopped.
            self.stop.check()?;
            if wait(POLL) {
                return self.stop.check();
            }
        }
    }

    fn check_deadlock(&self, me: TxnId) -> Result<()> {
        let mut edges = self.edges.lock();
        let mut stack: Edges = edges.get(&me).cloned().unwrap_or_default();
        let mut visited = HashSet::new();
        while let Some(next) = stack.pop() {
            if next == me {
                edges.remove(&me);
                self.deadlocks.fetch_add(1, Ordering::Relaxed);
                return Err(deadlock(me));
            }
            if visited.insert(next)
                && let Some(further) = edges.get(&next)
            {
                stack.extend_from_slice(further);
            }
        }
        Ok(())
    }
}

/// Takes a transaction out of the graph however its wait ends.
struct Entered<'g> {
    graph: &'g WaitGraph,
    me: TxnId,
    interrupt: &'g dyn Interrupt,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.graph.edges.lock().remove(&self.me);
        self.interrupt.waiting(false);
    }
}

#[cold]
fn deadlock(me: TxnId) -> Error {
    Error::new(SqlState::DEADLOCK_DETECTED, "deadlock detected")
        .detail(format!(
            "Transaction {} waits for a lock that is held by a transaction which waits for it.",
            me.0 & !crate::cell::ACTIVE
        ))
        .hint("See server log for query details.")
}
