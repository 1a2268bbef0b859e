//! The clock of commits, and which snapshots are in use.
//!
//! One clock orders commits. [`Snapshots`] knows the timestamps that readers may still look back to; the smallest of them
//! and of what the next reader could take is the *watermark*: versions that every snapshot at or after it sees over are garbage.
//!
//! Invariants
//! - K1: a timestamp is given out, its frame appended to the log and its cell flipped inside one critical section.
//! - K2: the watermark is at most what the horizon shows without a gap and at most every registered snapshot. The horizon is
//!   read first, then the list; a snapshot asks for its horizon under the list's mutex, so one that is not in the list starts at or
//!   above the horizon that was read, and none can slip below the watermark.

use crate::horizon::Horizon;
use damask_types::{Timestamp, TxnId};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who holds a time, and the transaction id that was to be given out next when it was taken.
type Holder = (TxnId, TxnId);

/// The snapshots in use, by timestamp, with those who hold them.
#[derive(Debug, Default)]
pub(crate) struct Snapshots(Mutex<BTreeMap<u64, SmallVec<[Holder; 1]>>>);

/// A snapshot that a transaction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotHolder {
    /// The transaction.
    pub owner: TxnId,
    /// Of the commits after this none is seen.
    pub timestamp: Timestamp,
    /// The first transaction id that had not been given out when it was taken.
    pub next_txn: TxnId,
}

impl Snapshots {
    /// Registers the snapshot that `horizon` gives, which is called under the mutex.
    pub(crate) fn pin(
        self: &Arc<Self>,
        owner: TxnId,
        next_txn: TxnId,
        horizon: impl FnOnce() -> Horizon,
    ) -> SnapshotPin {
        let mut pins = self.0.lock();
        let horizon = horizon();
        for timestamp in held(&horizon) {
            pins.entry(timestamp).or_default().push((owner, next_txn));
        }
        SnapshotPin { snapshots: Arc::clone(self), owner, horizon }
    }

    /// The timestamps in use, ascending.
    pub(crate) fn active(&self) -> Vec<u64> {
        self.0.lock().keys().copied().collect()
    }

    /// Who holds which, ascending by timestamp.
    pub(crate) fn holders(&self) -> Vec<SnapshotHolder> {
        let pins = self.0.lock();
        let holders = pins.iter().flat_map(|(timestamp, holders)| {
            let timestamp = Timestamp(*timestamp);
            let holder =
                move |&(owner, next_txn): &Holder| SnapshotHolder { owner, timestamp, next_txn };
            holders.iter().map(holder)
        });
        holders.collect()
    }
}

/// Keeps the versions that a snapshot may need.
#[derive(Debug)]
pub(crate) struct SnapshotPin {
    snapshots: Arc<Snapshots>,
    owner: TxnId,
    pub(crate) horizon: Horizon,
}

/// The times whose states a snapshot may read: its own, and that before each commit it does not see. Also those of these commits:
/// of two rows that came with it and with the next, it sees one.
fn held(horizon: &Horizon) -> impl Iterator<Item = u64> + '_ {
    let around = horizon.hidden().iter().flat_map(|commit| [commit - 1, *commit]);
    std::iter::once(horizon.timestamp.0).chain(around)
}

impl Drop for SnapshotPin {
    fn drop(&mut self) {
        let mut pins = self.snapshots.0.lock();
        for timestamp in held(&self.horizon) {
            if let Some(holders) = pins.get_mut(&timestamp) {
                if let Some(at) = holders.iter().position(|(owner, _)| *owner == self.owner) {
                    holders.swap_remove(at);
                }
                if holders.is_empty() {
                    pins.remove(&timestamp);
                }
            }
        }
    }
}
