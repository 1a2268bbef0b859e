//! The one word that says whether a transaction is active, committed or undone.
//!
//! Every version points at its transaction's cell, so a commit flips one word instead of visiting what it changed.
//! The word holds the transaction's id (bit 63 set) while it is active, then its commit timestamp, or [`ABORTED`].
//! An aborted transaction's changes are undone before the word says so; nobody ever has to skip them.

use crate::lock::{LockTag, TableLock};
use damask_types::{Timestamp, TxnId};
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bit that tells an active transaction's id from a timestamp.
pub(crate) const ACTIVE: u64 = 1 << 63;

/// Undone; not an id that is given out.
const ABORTED: u64 = u64::MAX;

/// A transaction's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Still open.
    Active(TxnId),
    /// Committed then.
    Committed(Timestamp),
    /// Undone.
    Aborted,
}

/// A transaction as others see it.
#[derive(Debug)]
pub(crate) struct TxnCell {
    id: TxnId,
    state: AtomicU64,
    /// Counts events that waiters may be waiting for: the end, and each partial rollback.
    events: Mutex<u64>,
    changed: Condvar,
    /// Advisory locks of the transaction, oldest first.
    pub(crate) advisory: Mutex<Vec<(LockTag, TableLock)>>,
}

impl TxnCell {
    pub(crate) fn new(id: TxnId) -> Self {
        Self {
            id,
            state: AtomicU64::new(id.0),
            events: Mutex::new(0),
            changed: Condvar::new(),
            advisory: Mutex::default(),
        }
    }

    /// The cell of a transaction that nobody remembers, save when it committed.
    pub(crate) fn committed(timestamp: Timestamp) -> Self {
        let cell = Self::new(TxnId(ACTIVE));
        cell.state.store(timestamp.0, Ordering::Release);
        cell
    }

    /// Makes it another transaction's; nobody knows of the one before.
    pub(crate) fn renew(&mut self, id: TxnId) {
        debug_assert!(self.advisory.get_mut().is_empty(), "they were given back");
        self.id = id;
        *self.state.get_mut() = id.0;
    }

    pub(crate) fn id(&self) -> TxnId {
        self.id
    }

    /// Acquire, so that whoever sees a commit also sees the log position and clock that were written before it.
    #[inline]
    pub(crate) fn outcome(&self) -> Outcome {
        match self.state.load(Ordering::Acquire) {
            ABORTED => Outcome::Aborted,
            word if word & ACTIVE != 0 => Outcome::Active(TxnId(word)),
            word => Outcome::Committed(Timestamp(word)),
        }
    }

    /// Called in the commit section, after the frame is in the log.
    pub(crate) fn commit(&self, timestamp: Timestamp) {
        self.state.store(timestamp.0, Ordering::Release);
        self.notify();
    }

    /// Called when everything is undone.
    pub(crate) fn abort(&self) {
        self.state.store(ABORTED, Ordering::Release);
        self.notify();
    }

    /// Wakes whoever waits, to look again.
    pub(crate) fn notify(&self) {
        *self.events.lock() += 1;
        self.changed.notify_all();
    }

    /// The number of events so far; taken before looking, given to [`TxnCell::wait`] after.
    pub(crate) fn events(&self) -> u64 {
        *self.events.lock()
    }

    /// Waits for an event after `seen`, at most `timeout`; whether there was one.
    pub(crate) fn wait(&self, seen: u64, timeout: Duration) -> bool {
        let mut events = self.events.lock();
        if *events == seen {
            self.changed.wait_for(&mut events, timeout);
        }
        *events != seen
    }
}
