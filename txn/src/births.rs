//! Rows that came after an old snapshot, by ranges of row ids.
//!
//! A row that was inserted keeps a version until every snapshot sees it. Beside one old reader that is a version for each row
//! inserted since, for as long as it stays. Rows that came one after the other and that nobody tells apart are therefore
//! remembered as a range: rows `first..=last` are hidden from whoever does not see the commit at `to`, and shown to all others.
//!
//! ```text
//!   snapshot at 7 (old)          rows 100..=5000: came between 9 and 812          snapshot at 815
//!   sees none of them            no snapshot in use lies in 9..812                sees all of them
//! ```
//!
//! Invariants
//! - B1: no snapshot in use lies in `from..to` of a range, so one comparison decides for all of its rows.
//! - B2: a range is asked only about rows without versions. Whoever changes a row of a range gives it its version back
//!   before (`Engine::change_row`); when a row's versions go, it is taken out of ranges that would hide it.
//! - B3: a row is in a range before its version goes, and unflagged after that, so readers find it hidden at every moment.
//! - B4: ids between the rows of a range have no row, or one whose oldest version says that there was none before it.
//!
//! Latch order: innermost, under the latches of leaves and the mutexes of the version table.

use crate::horizon::Horizon;
use damask_types::{RowId, Timestamp};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Ids between a range and a row that may lie in between when it grows.
pub(crate) const GAP_MAX: u64 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    last: u64,
    /// The first and last commit that inserted a row of it.
    from: Timestamp,
    to: Timestamp,
}

/// The ranges of one heap.
#[derive(Debug, Default)]
pub(crate) struct Births {
    /// By first row.
    ranges: RwLock<BTreeMap<u64, Range>>,
    /// How many there are, so that readers of other heaps need no latch.
    count: AtomicUsize,
}

/// What a range needs to take a row in.
pub(crate) enum Room {
    /// The row was taken in.
    Done,
    /// The ids in between, exclusive, must be looked at first (B4).
    Behind(RowId),
    /// It would be a range of its own.
    Alone,
}

impl Births {
    /// Whether there are any.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// When a row without versions came, if that matters to a snapshot in use.
    pub(crate) fn at(&self, row: RowId) -> Option<Timestamp> {
        if !self.any() {
            return None;
        }
        let ranges = self.ranges.read();
        let (_, range) = ranges.range(..=row.0).next_back()?;
        (range.last >= row.0).then_some(range.to)
    }

    /// Whether a row without versions is hidden from who sees `horizon`.
    #[inline]
    pub(crate) fn hides(&self, horizon: &Horizon, row: RowId) -> bool {
        self.at(row).is_some_and(|to| !horizon.sees(to))
    }

    /// Takes in a row that the commit at `at` inserted, if it lies in a range or right behind one. `snapshots` are those in use,
    /// ascending.
    pub(crate) fn extend(&self, row: RowId, at: Timestamp, snapshots: &[u64]) -> Room {
        let mut ranges = self.ranges.write();
        let Some((_, range)) = ranges.range_mut(..=row.0).next_back() else {
            return Room::Alone;
        };
        let gap = row.0.saturating_sub(range.last);
        if gap > GAP_MAX || !range.may_span(at, snapshots) {
            return Room::Alone;
        }
        if gap > 1 {
            return Room::Behind(RowId(range.last));
        }
        range.take(row, at);
        Room::Done
    }

    /// The same, after a look at the ids in between.
    pub(crate) fn extend_over(&self, row: RowId, at: Timestamp) {
        if let Some((_, range)) = self.ranges.write().range_mut(..=row.0).next_back() {
            range.take(row, at);
        }
    }

    /// Makes a range of one row.
    pub(crate) fn add(&self, row: RowId, at: Timestamp) {
        self.exclude(row);
        let mut ranges = self.ranges.write();
        ranges.insert(row.0, Range { last: row.0, from: at, to: at });
        self.count.store(ranges.len(), Ordering::Release);
    }

    /// Takes a row out.
    pub(crate) fn exclude(&self, row: RowId) {
        if !self.any() {
            return;
        }
        let mut ranges = self.ranges.write();
        let found = ranges.range(..=row.0).next_back().map(|(first, range)| (*first, *range));
        let Some((first, range)) = found.filter(|(_, range)| range.last >= row.0) else {
            return;
        };
        ranges.remove(&first);
        if first < row.0 {
            ranges.insert(first, Range { last: row.0 - 1, ..range });
        }
        if row.0 < range.last {
            ranges.insert(row.0 + 1, range);
        }
        self.count.store(ranges.len(), Ordering::Release);
    }

    /// Forgets ranges that every snapshot sees; whether there are others.
    pub(crate) fn expire(&self, watermark: Timestamp) -> bool {
        let mut ranges = self.ranges.write();
        ranges.retain(|_, range| range.to > watermark);
        self.count.store(ranges.len(), Ordering::Release);
        !ranges.is_empty()
    }
}

impl Range {
    /// Whether no snapshot would lie between its commits with one at `at` (B1).
    fn may_span(&self, at: Timestamp, snapshots: &[u64]) -> bool {
        let (from, to) = (self.from.min(at), self.to.max(at));
        let next = snapshots.partition_point(|snapshot| *snapshot < from.0);
        snapshots.get(next).is_none_or(|snapshot| *snapshot >= to.0)
    }

    fn take(&mut self, row: RowId, at: Timestamp) {
        self.last = self.last.max(row.0);
        self.from = self.from.min(at);
        self.to = self.to.max(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(i: u64) -> Timestamp {
        Timestamp(i)
    }

    fn is_hidden(births: &Births, row: u64, snapshot: u64) -> bool {
        births.hides(&Horizon::up_to(at(snapshot)), RowId(row))
    }

    #[test]
    fn rows_that_nobody_tells_apart_are_one_range() {
        let births = Births::default();
        let snapshots = [7, 40];
        births.add(RowId(100), at(9));
        for row in 101..200 {
            assert!(matches!(births.extend(RowId(row), at(10 + row / 10), &snapshots), Room::Done));
        }
        assert_eq!(births.len(), 1);
        assert!(is_hidden(&births, 150, 7) && !is_hidden(&births, 150, 40));
        assert!(!is_hidden(&births, 99, 7) && !is_hidden(&births, 200, 7));
        // The snapshot at 40 sees the range and not this row.
        assert!(matches!(births.extend(RowId(200), at(41), &snapshots), Room::Alone));
        births.add(RowId(200), at(41));
        assert!(is_hidden(&births, 200, 40));
        assert!(matches!(births.extend(RowId(205), at(42), &snapshots), Room::Behind(RowId(200))));
        assert!(matches!(births.extend(RowId(900), at(42), &snapshots), Room::Alone));
        births.exclude(RowId(150));
        assert_eq!(births.len(), 3);
        assert!(!is_hidden(&births, 150, 7) && is_hidden(&births, 151, 7));
        assert!(births.expire(at(40)) && !births.expire(at(41)) && !births.any());
    }
}
