//! Whose turn a task is: nobody's while it is parked, else its owner's, and whether something has happened that its owner has not seen.
//!
//! Invariants
//! - T1: between a `signal` that returns true and a `release` that returns true there is one owner.
//! - T2: a signal after the owner's last `begin` makes its `release` fail, so it looks again.

use super::sync::{AtomicU8, Ordering};

/// Somebody runs the task, or is about to.
const OWNED: u8 = 1;
/// Something has happened since the owner began to look.
const SIGNALLED: u8 = 2;

/// See the head of the file.
#[derive(Debug)]
pub(super) struct Turn(AtomicU8);

impl Turn {
    /// Nobody's.
    pub(super) fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Something has happened. True if the caller is the owner now, and has to see to it that the task runs.
    pub(super) fn signal(&self) -> bool {
        self.0.fetch_or(OWNED | SIGNALLED, Ordering::AcqRel) & OWNED == 0
    }

    /// The owner begins to look; whether anything has happened since it last did.
    pub(super) fn begin(&self) -> bool {
        self.0.swap(OWNED, Ordering::AcqRel) & SIGNALLED != 0
    }

    /// The owner has seen everything. False if something has happened since it began; then it is still the owner.
    pub(super) fn release(&self) -> bool {
        self.0.compare_exchange(OWNED, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether there is an owner at the moment.
    pub(super) fn is_owned(&self) -> bool {
        self.0.load(Ordering::Acquire) & OWNED != 0
    }
}
