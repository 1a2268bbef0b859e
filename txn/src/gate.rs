//! The gate around the engine's operations, and how the engine stops.
//!
//! Whatever changes pages or appends to the log is inside the gate for the time of one row or one commit; a checkpoint
//! closes it, so it sees no half-made change and no commit between its log record and its visibility.
//!
//! A panic inside the gate, or a change that can neither be made nor turned back (a disk that is full, say), leaves pages or
//! versions in a state that nobody knows. The engine then *stops*: nothing more is committed, kept by a checkpoint or
//! read from pages; who waits for another transaction is told so; the next opening recovers what was committed. A panic
//! anywhere else is its statement's, whose transaction is rolled back.
//!
//! Invariants
//! - G1: a thread that unwinds out of the gate has stopped the engine before others enter.
//! - G2: a transaction that could not be undone stays active for readers, so its changes are shown to nobody.

use crate::spread::Spread;
use damask_storage::ledger::Token;
use damask_types::{Error, Result, SqlState};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the engine has stopped.
#[derive(Debug, Default)]
pub(crate) struct Stop(AtomicBool);

impl Stop {
    /// Stops the engine.
    #[cold]
    pub(crate) fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// # Errors
    /// 58030 once the engine has stopped.
    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_stopped() { Err(stopped()) } else { Ok(()) }
    }

    /// Stops the engine if the caller panics before it drops what it is given.
    pub(crate) fn on_panic(&self) -> StopOnPanic<'_> {
        StopOnPanic { stop: self, was_panicking: std::thread::panicking() }
    }
}

#[cold]
fn stopped() -> Error {
    Error::new(SqlState::IO_ERROR, "the database has stopped")
        .detail("A change could neither be made nor turned back.")
        .hint("Open the database again; it recovers then.")
}

/// See [`Stop::on_panic`].
pub(crate) struct StopOnPanic<'g> {
    stop: &'g Stop,
    /// A rollback may run while its thread unwinds from a panic elsewhere; that one is not about the engine.
    was_panicking: bool,
}

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            self.stop.stop();
        }
    }
}

/// The gate. Who enters takes the latch of the calling thread's part, who closes it takes them all.
pub(crate) struct Gate {
    latches: Spread<RwLock<()>>,
    stop: Arc<Stop>,
}

/// Inside the gate, with others.
pub(crate) struct Inside<'g> {
    // Dropped before the latch is given back (G1).
    _stop: StopOnPanic<'g>,
    _shared: RwLockReadGuard<'g, ()>,
    _token: Token,
}

/// Inside the gate, alone.
pub(crate) struct Alone<'g> {
    _stop: StopOnPanic<'g>,
    _exclusive: Vec<RwLockWriteGuard<'g, ()>>,
    _token: Token,
}

impl Gate {
    pub(crate) fn new(stop: Arc<Stop>) -> Self {
        Self { latches: Spread::default(), stop }
    }

    /// Enters for one operation.
    #[inline]
    pub(crate) fn enter(&self) -> Inside<'_> {
        let latch = self.latches.part(self.latches.own());
        Inside { _shared: latch.read(), _stop: self.stop.on_panic(), _token: Token::new() }
    }

    /// Waits until all have left and keeps them out.
    pub(crate) fn close(&self) -> Alone<'_> {
        // In one order, so that two who close it do not wait for each other.
        let exclusive = self.latches.parts().map(RwLock::write).collect();
        Alone { _exclusive: exclusive, _stop: self.stop.on_panic(), _token: Token::new() }
    }
}
