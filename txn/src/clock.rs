//! The clock of commits, and which snapshots are in use.
//!
//! One clock orders commits. [`Snapshots`] knows the timestamps that readers may still look back to; the smallest of them
//! and of what the next reader could take is the *watermark*: versions that every snapshot at or after it sees over are garbage.
//!
//! Invariants
//! - K1: a timestamp is given out, its frame appended to the log and its cell flipped inside one critical section.
//! - K2: the watermark is at most what the horizon shows without a gap and at most every registered snapshot. Registering and computing it
//!   happen under one mutex, so no snapshot can slip below it.

use crate::horizon::Horizon;
use damask_types::Timestamp;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The snapshots in use, by timestamp.
#[derive(Debug, Default)]
pub(crate) struct Snapshots(Mutex<BTreeMap<u64, u32>>);

impl Snapshots {
    /// Registers the snapshot that `horizon` gives, which is called under the mutex.
    pub(crate) fn pin(self: &Arc<Self>, horizon: impl FnOnce() -> Horizon) -> SnapshotPin {
        let mut pins = self.0.lock();
        let horizon = horizon();
        for timestamp in held(&horizon) {
            *pins.entry(timestamp).or_insert(0) += 1;
        }
        SnapshotPin { snapshots: Arc::clone(self), horizon }
    }

    /// The watermark, given the horizon at which the next reader starts at the earliest.
    pub(crate) fn watermark(&self, horizon: impl FnOnce() -> Timestamp) -> Timestamp {
        let pins = self.0.lock();
        let horizon = horizon();
        pins.keys().next().map_or(horizon, |&oldest| horizon.min(Timestamp(oldest)))
    }

    /// The timestamps in use, ascending.
    pub(crate) fn active(&self) -> Vec<u64> {
        self.0.lock().keys().copied().collect()
    }
}

/// Keeps the versions that a snapshot may need.
#[derive(Debug)]
pub(crate) struct SnapshotPin {
    snapshots: Arc<Snapshots>,
    pub(crate) horizon: Horizon,
}

/// The times whose states a snapshot may read: its own, and that before each commit it does not see.
fn held(horizon: &Horizon) -> impl Iterator<Item = u64> + '_ {
    let before = horizon.hidden().iter().map(|commit| commit - 1);
    std::iter::once(horizon.timestamp.0).chain(before)
}

impl Drop for SnapshotPin {
    fn drop(&mut self) {
        let mut pins = self.snapshots.0.lock();
        for timestamp in held(&self.horizon) {
            if let Some(count) = pins.get_mut(&timestamp) {
                *count -= 1;
                if *count == 0 {
                    pins.remove(&timestamp);
                }
            }
        }
    }
}
