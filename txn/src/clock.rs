//! The clock of commits, and which snapshots are in use.
//!
//! One clock orders commits. [`Snapshots`] knows the timestamps that readers may still look back to; the smallest of them
//! and of what the next reader could take is the *watermark*: versions that every snapshot at or after it sees over are garbage.
//!
//! Invariants
//! - K1: a timestamp is given out, its frame appended to the log and its cell flipped inside one critical section.
//! - K2: the watermark is at most what the horizon shows without a gap and at most every registered snapshot. The horizon is
//!   read first, then the lists, one for each part of the threads; a snapshot asks for its horizon under its list's mutex, so one that is not
//!   in the list when that is read starts at or above the horizon that was read, and none can slip below the watermark.

use crate::horizon::Horizon;
use crate::spread::Spread;
use damask_types::{Timestamp, TxnId};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;

/// Who holds a time, and the transaction id that was to be given out next when it was taken.
type Holder = (TxnId, TxnId);

/// The snapshots in use, with those who hold them.
#[derive(Debug, Default)]
pub(crate) struct Snapshots(Spread<Mutex<Times>>);

/// Times in use, ascending; each has a holder. A new snapshot is most often at the end, and there are about as many as sessions.
#[derive(Debug, Default)]
struct Times(VecDeque<(u64, SmallVec<[Holder; 1]>)>);

impl Times {
    fn add(&mut self, time: u64, holder: Holder) {
        let at = match self.0.back() {
            Some((last, _)) if *last > time => self.0.partition_point(|(known, _)| *known < time),
            Some((last, _)) if *last == time => self.0.len() - 1,
            _ => self.0.len(),
        };
        if self.0.get(at).is_none_or(|(known, _)| *known != time) {
            self.0.insert(at, (time, SmallVec::new()));
        }
        self.0[at].1.push(holder);
    }

    fn remove(&mut self, time: u64, owner: TxnId) {
        let Ok(at) = self.0.binary_search_by_key(&time, |(known, _)| *known) else {
            return;
        };
        let holders = &mut self.0[at].1;
        if let Some(held) = holders.iter().position(|(holder, _)| *holder == owner) {
            holders.swap_remove(held);
        }
        if holders.is_empty() {
            self.0.remove(at);
        }
    }
}

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
        let mut pin = SnapshotPin {
            snapshots: Arc::clone(self),
            owner,
            horizon: Horizon::up_to(Timestamp(0)),
            list: None,
        };
        pin.hold(owner, next_txn, horizon);
        pin
    }

    /// The timestamps in use, ascending.
    pub(crate) fn active(&self) -> SmallVec<[u64; 8]> {
        let mut times = SmallVec::new();
        for list in self.0.parts() {
            times.extend(list.lock().0.iter().map(|(time, _)| *time));
        }
        times.sort_unstable();
        times.dedup();
        times
    }

    /// Who holds which, ascending by timestamp.
    pub(crate) fn holders(&self) -> Vec<SnapshotHolder> {
        let mut all = Vec::new();
        for list in self.0.parts() {
            for (timestamp, holders) in &list.lock().0 {
                let timestamp = Timestamp(*timestamp);
                let holder =
                    |&(owner, next_txn): &Holder| SnapshotHolder { owner, timestamp, next_txn };
                all.extend(holders.iter().map(holder));
            }
        }
        all.sort_by_key(|holder| holder.timestamp);
        all
    }
}

/// Keeps the versions that a snapshot may need, unless it was let go.
#[derive(Debug)]
pub(crate) struct SnapshotPin {
    snapshots: Arc<Snapshots>,
    owner: TxnId,
    pub(crate) horizon: Horizon,
    /// The list it is in; none once it was let go.
    list: Option<usize>,
}

impl SnapshotPin {
    /// Registers the snapshot that `horizon` gives, which is called under the mutex; the one before is let go.
    pub(crate) fn hold(
        &mut self,
        owner: TxnId,
        next_txn: TxnId,
        horizon: impl FnOnce() -> Horizon,
    ) {
        self.release();
        let list = self.snapshots.0.own();
        let mut times = self.snapshots.0.part(list).lock();
        let horizon = horizon();
        for time in held(&horizon) {
            times.add(time, (owner, next_txn));
        }
        drop(times);
        (self.owner, self.horizon, self.list) = (owner, horizon, Some(list));
    }

    /// Lets the snapshot go.
    pub(crate) fn release(&mut self) {
        let Some(list) = self.list.take() else {
            return;
        };
        let mut times = self.snapshots.0.part(list).lock();
        for time in held(&self.horizon) {
            times.remove(time, self.owner);
        }
    }
}

/// The times whose states a snapshot may read: its own, and that before each commit it does not see. Also those of these commits:
/// of two rows that came with it and with the next, it sees one.
fn held(horizon: &Horizon) -> impl Iterator<Item = u64> + '_ {
    let around = horizon.hidden().iter().flat_map(|commit| [commit - 1, *commit]);
    std::iter::once(horizon.timestamp.0).chain(around)
}

impl Drop for SnapshotPin {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stay_ascending_and_go_with_their_last_holder() {
        let mut times = Times::default();
        let known = |times: &Times| times.0.iter().map(|(time, _)| *time).collect::<Vec<_>>();
        for (time, owner) in [(5, 1), (7, 2), (5, 3), (6, 4), (4, 5), (7, 6)] {
            times.add(time, (TxnId(owner), TxnId(9)));
        }
        assert_eq!(known(&times), [4, 5, 6, 7]);
        times.remove(5, TxnId(1));
        times.remove(8, TxnId(1));
        assert_eq!(known(&times), [4, 5, 6, 7]);
        for (time, owner) in [(5, 3), (4, 5), (7, 6)] {
            times.remove(time, TxnId(owner));
        }
        assert_eq!(known(&times), [6, 7]);
        assert_eq!(times.0[1].1.len(), 1);
    }

    #[test]
    fn a_pin_holds_one_snapshot_at_a_time() {
        let snapshots = Arc::<Snapshots>::default();
        let at = |time| move || Horizon::up_to(Timestamp(time));
        let mut pin = snapshots.pin(TxnId(1), TxnId(2), at(3));
        assert_eq!(snapshots.active()[..], [3]);
        pin.hold(TxnId(2), TxnId(3), at(4));
        assert_eq!(snapshots.active()[..], [4]);
        pin.release();
        assert!(snapshots.active().is_empty());
        pin.hold(TxnId(2), TxnId(3), at(5));
        drop(pin);
        assert!(snapshots.active().is_empty());
    }
}
