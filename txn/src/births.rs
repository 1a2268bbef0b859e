//! Rows that were inserted, by ranges of row ids: a version a range instead of a version a row.
//!
//! A command that inserts rows one after the other pushes no version for any of them. They are in a range: rows `first..=last`
//! were inserted by this transaction and this command, which is what a version without a row before it would say of each.
//! The range is hidden from whoever does not see that change, holds its rows as a pending version does while the transaction
//! is open, and goes when every snapshot sees the commit.
//!
//! Beside one old reader it cannot go. Ranges whose commits nobody tells apart are then joined to one, and rows that have
//! only their insertion left of their versions are taken in, so that rows which are only added cost an old snapshot nothing.
//!
//! ```text
//!   T5 (open), command 2        rows 100..=199       hidden from all but T5's later commands; a writer waits for T5
//!   between 9 and 812           rows 200..=5000      hidden from a snapshot at 7, shown to one at 815
//! ```
//!
//! Invariants
//! - B1: no snapshot in use lies in `from..to` of commits that were joined, so one comparison decides for all of the range's rows.
//! - B2: a range is asked only about rows without versions. Whoever changes a row of a range gives it its version back
//!   before (`Engine::change_row`), and the range keeps it; when a row's versions go, it is taken out of ranges that would hide it.
//! - B3: a row is in a range before it is in its page without a flag, so readers find it hidden at every moment: a run is
//!   added under the leaf's exclusive latch before its rows; a version goes after its row was taken in.
//! - B4: ids between the rows of a joined range have no row, or one whose oldest version says that there was none before it.
//!   Who puts a run there cuts them out.
//! - B5: ranges do not overlap. A range of an open transaction has only rows that it inserted and has not taken back: each is taken
//!   out after it is out of its page, under its stripe.
//!
//! Latch order: innermost, under the latches of leaves and the mutexes of the version table.

use crate::cell::{Outcome, TxnCell};
use crate::directory::Heap;
use crate::engine::Engine;
use crate::isolation::ReadView;
use crate::table::RowLock;
use crate::version::{RowLockHolder, Version};
use damask_types::{CommandId, RowId, Timestamp};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Ids between a range and a row that may lie in between when it grows.
pub(crate) const GAP_MAX: u64 = 64;

/// No range begins there or below.
const NONE: u64 = u64::MAX;

/// Who inserted the rows of a range.
#[derive(Clone, Debug)]
enum Born {
    /// A command of a transaction, which may be open.
    By(Arc<TxnCell>, CommandId),
    /// The transactions of the first and the last of these commits, and some between. All are shown.
    Between { from: Timestamp, to: Timestamp },
}

#[derive(Clone, Debug)]
struct Range {
    last: u64,
    born: Born,
}

/// By first row.
type Ranges = BTreeMap<u64, Range>;

/// The ranges of one heap.
#[derive(Debug)]
pub(crate) struct Births {
    ranges: RwLock<Ranges>,
    /// The first row of all, [`NONE`] if there is none: readers of rows before it need no latch. Set under the latch.
    first: AtomicU64,
    count: AtomicUsize,
    /// Those of all heaps.
    total: Arc<AtomicUsize>,
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

impl Drop for Births {
    fn drop(&mut self) {
        self.total.fetch_sub(self.len(), Ordering::Relaxed);
    }
}

impl Born {
    fn seen_by(&self, view: &ReadView) -> bool {
        match self {
            Self::By(cell, command) => view.sees_change(cell, *command),
            Self::Between { to, .. } => view.horizon.sees(*to),
        }
    }

    /// Its first and last commit, if none is open.
    fn commits(&self) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::By(cell, _) => match cell.outcome() {
                Outcome::Committed(at) => Some((at, at)),
                Outcome::Active(_) | Outcome::Aborted => None,
            },
            Self::Between { from, to } => Some((*from, *to)),
        }
    }

    /// Whether all commits are at or below `watermark`.
    fn is_over(&self, watermark: Timestamp) -> bool {
        self.commits().is_some_and(|(_, to)| to <= watermark)
    }

    /// Both together, if nobody tells them apart (B1) and both are shown, which commits up to `horizon` are. `snapshots` are
    /// those in use, ascending.
    fn join(&self, other: &Self, horizon: Timestamp, snapshots: &[u64]) -> Option<Self> {
        let ((from, to), (other_from, other_to)) = (self.commits()?, other.commits()?);
        let (from, to) = (from.min(other_from), to.max(other_to));
        let next = snapshots.partition_point(|snapshot| *snapshot < from.0);
        let is_one = snapshots.get(next).is_none_or(|snapshot| *snapshot >= to.0);
        (is_one && to <= horizon).then_some(Self::Between { from, to })
    }
}

/// The range that has a row.
fn range_of(ranges: &Ranges, row: u64) -> Option<&Range> {
    let (_, range) = ranges.range(..=row).next_back()?;
    (range.last >= row).then_some(range)
}

/// Takes rows out of all ranges.
fn cut(ranges: &mut Ranges, first: u64, last: u64) {
    while let Some((&start, range)) = ranges.range(..=last).next_back()
        && range.last >= first
    {
        let range = range.clone();
        ranges.remove(&start);
        if range.last > last {
            ranges.insert(last + 1, range.clone());
        }
        if start < first {
            ranges.insert(start, Range { last: first - 1, ..range });
        }
        // Ranges do not overlap (B5): what is before it ends before `first`.
        if start <= first {
            break;
        }
    }
}

impl Births {
    /// No ranges; those that will be are counted in `total`, too.
    pub(crate) fn new(total: &Arc<AtomicUsize>) -> Self {
        Self {
            ranges: RwLock::default(),
            first: AtomicU64::new(NONE),
            count: AtomicUsize::new(0),
            total: Arc::clone(total),
        }
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether a row may be in a range. False is certain for who found the row in its page, or an entry of it in an index: the
    /// latch that it took for that orders this behind what added the range.
    #[inline]
    fn may_have(&self, row: RowId) -> bool {
        row.0 >= self.first.load(Ordering::Acquire)
    }

    /// Changes the ranges.
    fn change<R>(&self, change: impl FnOnce(&mut Ranges) -> R) -> R {
        let mut ranges = self.ranges.write();
        let result = change(&mut ranges);
        self.publish(&ranges);
        result
    }

    fn publish(&self, ranges: &Ranges) {
        let first = ranges.first_key_value().map_or(NONE, |(first, _)| *first);
        self.first.store(first, Ordering::Release);
        let (now, before) = (ranges.len(), self.len());
        if now != before {
            self.count.store(now, Ordering::Relaxed);
            // Modulo two to the 64, as all sums are.
            self.total.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        }
    }

    /// Whether a row without versions is hidden from a view.
    #[inline]
    pub(crate) fn hides(&self, view: &ReadView, row: RowId) -> bool {
        self.may_have(row)
            && range_of(&self.ranges.read(), row.0).is_some_and(|range| !range.born.seen_by(view))
    }

    /// The same, and up to which row the answer holds.
    #[inline]
    pub(crate) fn hides_up_to(&self, view: &ReadView, row: RowId) -> (bool, RowId) {
        let first = self.first.load(Ordering::Acquire);
        if row.0 < first {
            return (false, RowId(first - 1));
        }
        let ranges = self.ranges.read();
        if let Some(range) = range_of(&ranges, row.0) {
            return (!range.born.seen_by(view), RowId(range.last));
        }
        let next = ranges.range(row.0..).next();
        (false, RowId(next.map_or(u64::MAX, |(first, _)| first - 1)))
    }

    /// Whether a row is in a range.
    #[inline]
    pub(crate) fn has(&self, row: RowId) -> bool {
        self.may_have(row) && range_of(&self.ranges.read(), row.0).is_some()
    }

    /// What a version of a row would say that is in a range.
    pub(crate) fn version(&self, row: RowId) -> Option<Version> {
        if !self.may_have(row) {
            return None;
        }
        let (cell, command) = match &range_of(&self.ranges.read(), row.0)?.born {
            Born::By(cell, command) => (Arc::clone(cell), *command),
            Born::Between { to, .. } => (Arc::new(TxnCell::committed(*to)), CommandId(0)),
        };
        Some(Version {
            cell,
            command,
            same_keys: 0,
            lock: RowLock::Update,
            before: None,
            moved_to: None,
        })
    }

    /// Whether a row is in a range that a transaction added.
    pub(crate) fn is_by(&self, row: RowId, txn: &Arc<TxnCell>) -> bool {
        self.may_have(row)
            && range_of(&self.ranges.read(), row.0).is_some_and(
                |range| matches!(&range.born, Born::By(cell, _) if Arc::ptr_eq(cell, txn)),
            )
    }

    /// Adds rows that a command inserts; `first` and `last` are the first and the last of them.
    pub(crate) fn add(&self, first: RowId, last: RowId, cell: &Arc<TxnCell>, command: CommandId) {
        self.change(|ranges| {
            // Most often no range has one of the rows, and one search says so and finds what is before them.
            let mut before = ranges.range_mut(..=last.0).next_back();
            if before.as_ref().is_some_and(|(_, before)| before.last >= first.0) {
                cut(ranges, first.0, last.0);
                before = ranges.range_mut(..first.0).next_back();
            }
            if let Some((_, before)) = before
                && before.last + 1 == first.0
                && let Born::By(by, its) = &before.born
                && Arc::ptr_eq(by, cell)
                && *its == command
            {
                before.last = last.0;
                return;
            }
            let born = Born::By(Arc::clone(cell), command);
            ranges.insert(first.0, Range { last: last.0, born });
        });
    }

    /// Takes in a row that the commit at `at`, which is shown, inserted, if it lies in a range or right behind one. `snapshots`
    /// are those in use, ascending.
    pub(crate) fn extend(
        &self,
        row: RowId,
        at: Timestamp,
        horizon: Timestamp,
        snapshots: &[u64],
    ) -> Room {
        self.change(|ranges| {
            let Some((_, range)) = ranges.range_mut(..=row.0).next_back() else {
                return Room::Alone;
            };
            let gap = row.0.saturating_sub(range.last);
            let one = Born::Between { from: at, to: at };
            match range.born.join(&one, horizon, snapshots) {
                Some(born) if gap <= 1 => {
                    *range = Range { last: range.last.max(row.0), born };
                    Room::Done
                }
                Some(_) if gap <= GAP_MAX => Room::Behind(RowId(range.last)),
                _ => Room::Alone,
            }
        })
    }

    /// The same after a look at the ids behind `last`, where the range before the row ended; false if it is another range now, or cannot
    /// take it in.
    pub(crate) fn extend_over(
        &self,
        last: RowId,
        row: RowId,
        at: Timestamp,
        horizon: Timestamp,
        snapshots: &[u64],
    ) -> bool {
        self.change(|ranges| {
            let before = ranges.range_mut(..=row.0).next_back();
            let Some((_, range)) = before.filter(|(_, range)| range.last == last.0) else {
                return false;
            };
            let one = Born::Between { from: at, to: at };
            let Some(born) = range.born.join(&one, horizon, snapshots) else { return false };
            *range = Range { last: row.0, born };
            true
        })
    }

    /// Makes a range of one row that the commit at `at`, which is shown, inserted.
    pub(crate) fn add_shown(&self, row: RowId, at: Timestamp) {
        self.change(|ranges| {
            cut(ranges, row.0, row.0);
            let born = Born::Between { from: at, to: at };
            ranges.insert(row.0, Range { last: row.0, born });
        });
    }

    /// Takes a row out.
    pub(crate) fn exclude(&self, row: RowId) {
        self.exclude_if(row, |_| true);
    }

    /// Takes a row that everybody sees out, unless its range goes anyway.
    pub(crate) fn exclude_seen(&self, row: RowId, watermark: Timestamp) {
        self.exclude_if(row, |born| !born.is_over(watermark));
    }

    fn exclude_if(&self, row: RowId, applies: impl FnOnce(&Born) -> bool) {
        if self.may_have(row) {
            self.change(|ranges| {
                if range_of(ranges, row.0).is_some_and(|range| applies(&range.born)) {
                    cut(ranges, row.0, row.0);
                }
            });
        }
    }

    /// Forgets the ranges from `first` to `last` that every snapshot sees.
    pub(crate) fn forget(&self, first: RowId, last: RowId, watermark: Timestamp) {
        self.change(|ranges| {
            let mut end = Some(last.0);
            while let Some((start, range)) = end.and_then(|end| ranges.range(..=end).next_back())
                && range.last >= first.0
            {
                let start = *start;
                if range.born.is_over(watermark) {
                    ranges.remove(&start);
                }
                end = (start > first.0).then(|| start - 1);
            }
        });
    }

    /// Joins ranges from `first` to `last`, and those right beside them, that nobody tells apart; one that stays alone is no longer a
    /// transaction's, either. `snapshots` are those in use, ascending.
    pub(crate) fn join(&self, first: RowId, last: RowId, horizon: Timestamp, snapshots: &[u64]) {
        self.change(|ranges| {
            let before = ranges.range(..first.0).next_back();
            let mut at = Some(before.map_or(first.0, |(start, _)| *start));
            while let Some((&start, range)) =
                at.filter(|at| *at <= last.0).and_then(|at| ranges.range(at..).next())
            {
                let next = range.last.checked_add(1);
                let other = next.and_then(|next| ranges.get(&next));
                let both = other.and_then(|other| range.born.join(&other.born, horizon, snapshots));
                if let (Some(next), Some(other), Some(born)) = (next, other, both) {
                    let joined = Range { last: other.last, born };
                    ranges.remove(&next);
                    ranges.insert(start, joined);
                    at = Some(start);
                    continue;
                }
                if let Some(born) = range.born.join(&range.born, horizon, snapshots)
                    && let Some(range) = ranges.get_mut(&start)
                {
                    range.born = born;
                }
                at = next;
            }
        });
    }

    /// Forgets ranges that every snapshot sees; whether there are others that no run in the queue of garbage stands for.
    pub(crate) fn expire(&self, watermark: Timestamp) -> bool {
        self.change(|ranges| {
            ranges.retain(|_, range| !range.born.is_over(watermark));
            ranges.values().any(|range| matches!(range.born, Born::Between { .. }))
        })
    }

    /// Visits the first and last row of each range that is not committed; the world stands still.
    pub(crate) fn for_each_pending(&self, mut visit: impl FnMut(RowId, RowId)) {
        for (first, range) in self.ranges.read().iter() {
            if range.born.commits().is_none() {
                visit(RowId(*first), RowId(range.last));
            }
        }
    }
}

impl Engine {
    /// Looks at the versions and locks of a row that `heap`'s page was asked for. One without versions that is in a range has the version
    /// that the range stands for.
    pub(crate) fn with_state<R>(
        &self,
        heap: &Heap,
        row: RowId,
        look: impl FnOnce(&[Version], &[RowLockHolder]) -> R,
    ) -> R {
        self.versions.with(heap.id, row, |state| {
            let (versions, locks) =
                state.map_or((&[][..], &[][..]), |state| (&state.versions[..], &state.locks[..]));
            if versions.is_empty()
                && let Some(born) = heap.births.version(row)
            {
                return look(std::slice::from_ref(&born), locks);
            }
            look(versions, locks)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::horizon::Horizon;
    use damask_types::TxnId;

    fn at(i: u64) -> Timestamp {
        Timestamp(i)
    }

    fn is_hidden(births: &Births, row: u64, snapshot: u64) -> bool {
        let view = ReadView { horizon: Horizon::up_to(at(snapshot)), ..ReadView::newest(TxnId(1)) };
        births.hides(&view, RowId(row))
    }

    fn open(id: u64) -> Arc<TxnCell> {
        Arc::new(TxnCell::new(TxnId(id | crate::cell::ACTIVE)))
    }

    #[test]
    fn rows_that_nobody_tells_apart_are_one_range() {
        let births = Births::new(&Arc::default());
        let snapshots = [7, 40];
        let extend = |row, commit| births.extend(RowId(row), at(commit), at(900), &snapshots);
        births.add_shown(RowId(100), at(9));
        for row in 101..200 {
            assert!(matches!(extend(row, 10 + row / 10), Room::Done));
        }
        assert_eq!(births.len(), 1);
        assert!(is_hidden(&births, 150, 7) && !is_hidden(&births, 150, 40));
        assert!(!is_hidden(&births, 99, 7) && !is_hidden(&births, 200, 7));
        // The snapshot at 40 sees the range and not this row.
        assert!(matches!(extend(200, 41), Room::Alone));
        births.add_shown(RowId(200), at(41));
        assert!(is_hidden(&births, 200, 40));
        assert!(matches!(extend(205, 42), Room::Behind(RowId(200))));
        assert!(matches!(extend(900, 42), Room::Alone));
        births.exclude(RowId(150));
        assert_eq!(births.len(), 3);
        assert!(!is_hidden(&births, 150, 7) && is_hidden(&births, 151, 7));
        assert!(births.expire(at(40)) && !births.expire(at(41)) && births.len() == 0);
    }

    /// What is hidden from a view, row by row and by stretches.
    fn hidden(births: &Births, view: &ReadView, rows: std::ops::Range<u64>) -> Vec<u64> {
        let alone: Vec<u64> = rows.clone().filter(|row| births.hides(view, RowId(*row))).collect();
        let mut together = Vec::new();
        let mut row = rows.start;
        while row < rows.end {
            let (is_hidden, last) = births.hides_up_to(view, RowId(row));
            let end = rows.end.min(last.0.saturating_add(1));
            together.extend((row..end).filter(|_| is_hidden));
            row = end;
        }
        assert_eq!(alone, together);
        alone
    }

    #[test]
    fn runs_are_their_commands_until_they_are_committed() {
        let births = Births::new(&Arc::default());
        let (cell, other) = (open(5), open(6));
        let add = |first, last, cell, command| {
            births.add(RowId(first), RowId(last), cell, CommandId(command));
        };
        add(10, 12, &cell, 1);
        add(13, 15, &cell, 1);
        assert_eq!(births.len(), 1);
        add(16, 17, &cell, 2);
        add(18, 19, &other, 2);
        assert_eq!(births.len(), 3);
        let view = |own: &Arc<TxnCell>, command| ReadView {
            command: CommandId(command),
            ..ReadView::newest(own.id())
        };
        assert_eq!(hidden(&births, &view(&cell, 2), 5..25), [16, 17, 18, 19]);
        assert_eq!(hidden(&births, &view(&cell, 1), 5..25), (10..20).collect::<Vec<_>>());
        assert_eq!(hidden(&births, &view(&other, 9), 5..25), (10..18).collect::<Vec<_>>());
        let mut pending = Vec::new();
        births.for_each_pending(|first, last| pending.push((first.0, last.0)));
        assert_eq!(pending, [(10, 15), (16, 17), (18, 19)]);
        // A rollback takes rows out from the end, and from the middle what was inserted in between.
        births.exclude(RowId(19));
        births.exclude(RowId(17));
        assert!(births.is_by(RowId(16), &cell) && !births.is_by(RowId(18), &cell));
        assert!(births.version(RowId(17)).is_none() && births.version(RowId(18)).is_some());
        // Open ones are not joined, nor what a snapshot tells apart, nor what is not shown yet.
        cell.commit(at(20));
        let join = |horizon, snapshots: &[u64]| {
            births.join(RowId(10), RowId(19), at(horizon), snapshots);
            births.len()
        };
        assert_eq!(join(19, &[3]), 3);
        assert_eq!(join(20, &[3]), 2);
        add(17, 17, &other, 3);
        other.commit(at(22));
        assert_eq!(join(30, &[3, 21]), 2);
        assert_eq!(join(30, &[3]), 1);
        assert!(is_hidden(&births, 10, 3) && !is_hidden(&births, 18, 30));
        births.forget(RowId(12), RowId(13), at(21));
        assert_eq!(births.len(), 1);
        births.forget(RowId(12), RowId(13), at(22));
        assert_eq!(births.len(), 0);
    }

    /// The ends of the range of row ids are rows like others.
    #[test]
    fn the_last_row_id_is_in_a_range() {
        let births = Births::new(&Arc::default());
        let cell = open(5);
        births.add(RowId(u64::MAX - 1), RowId(u64::MAX), &cell, CommandId(0));
        births.add(RowId(0), RowId(0), &cell, CommandId(0));
        let view = ReadView::newest(TxnId(1));
        assert_eq!(births.hides_up_to(&view, RowId(0)), (true, RowId(0)));
        assert_eq!(births.hides_up_to(&view, RowId(1)), (false, RowId(u64::MAX - 2)));
        assert_eq!(births.hides_up_to(&view, RowId(u64::MAX)), (true, RowId(u64::MAX)));
        cell.commit(at(2));
        births.join(RowId(u64::MAX - 1), RowId(u64::MAX), at(9), &[1]);
        births.exclude(RowId(u64::MAX - 1));
        births.join(RowId(u64::MAX), RowId(u64::MAX), at(9), &[1]);
        assert_eq!(births.len(), 2);
        births.forget(RowId(0), RowId(u64::MAX), at(2));
        assert_eq!(births.len(), 0);
    }
}
