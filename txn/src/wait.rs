//! Waiting for other transactions, without waiting for ever in a circle.
//!
//! A blocked transaction says here whom it waits for. After [`Interrupt::deadlock_wait`] it looks for a way from those back to
//! itself; if there is one, it gives up with 40P01. Edges are entered and searched under one mutex, so of the
//! transactions in a circle at least the last to enter sees it, and a victim's edge is gone before the next looks.

use crate::cell::{Outcome, TxnCell};
use crate::gate::Stop;
use crate::interrupt::Interrupt;
use damask_storage::ledger;
use damask_types::{Error, Result, SqlState, TxnId};
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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
        ledger::assert_free("another transaction");
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.edges.lock().insert(me, holders);
        let _entered = Entered { graph: self, me, interrupt };
        interrupt.waiting(true);
        // Time until the graph is searched, once; no clock is needed, the waits are long enough.
        let mut until_check = Some(interrupt.deadlock_wait());
        loop {
            let slice = until_check.map_or(POLL, |left| left.min(POLL));
            if wait(slice) {
                return self.stop.check();
            }
            until_check = match until_check.map(|left| left.saturating_sub(slice)) {
                Some(Duration::ZERO) => {
                    self.check_deadlock(me)?;
                    None
                }
                left => left,
            };
            interrupt.check()?;
            // Whoever is waited for may never end if the engine has stopped.
            self.stop.check()?;
        }
    }

    /// Says that `owner`'s locks will be given back only after `txn` has got on: a session and its transaction.
    pub(crate) fn link(&self, owner: TxnId, txn: TxnId) {
        let mut edges = SmallVec::new();
        edges.push(txn);
        self.edges.lock().insert(owner, edges);
    }

    /// Takes back [`WaitGraph::link`].
    pub(crate) fn unlink(&self, owner: TxnId) {
        self.edges.lock().remove(&owner);
    }

    /// Everyone who waits, with whom it waits for.
    pub(crate) fn all(&self) -> Vec<(TxnId, Vec<TxnId>)> {
        self.edges.lock().iter().map(|(&waiter, edges)| (waiter, edges.to_vec())).collect()
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
