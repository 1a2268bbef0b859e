//! Freezing the active layer, and merging runs into the main tree.

use super::scan::{Merger, Source, with_sources};
use super::{BufferedTree, Layer, Layers, MergedLayer, RUNS_MAX, Tended, weight};
use crate::pool::Usage;
use crate::tree::row::{RowFlags, RowTree};
use damask_types::{Result, RowId};
use parking_lot::MutexGuard;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

/// Rows that a step merges at most: each may load a page, and a checkpoint that wants to begin waits for all of them.
const STEP_ROWS: usize = 32;
/// Bytes of the rows of a step, but for one row that is longer.
const STEP_BYTES: usize = 128 << 10;
/// A merge is done when the active layer is filled to four fifths; so it is before the next one has to begin.
const HASTE: u128 = 5;
const HASTE_OF: u128 = 4;

/// Leaves of the main tree that a step visits at most to make its filter again; about as many as it has rows to merge.
const SURVEY_LEAVES: usize = STEP_ROWS;

/// How far a merge is.
#[derive(Default)]
pub(super) struct Merge {
    /// The next row's id is this at least.
    next: RowId,
    /// Whether the main tree's rows up to there were all added to its filter by this merge.
    is_survey: bool,
}

/// Rows taken out of runs.
#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    /// Each row's id, flags, and end in `bytes`.
    rows: Vec<(RowId, RowFlags, usize)>,
}

impl Taken {
    fn is_full(&self) -> bool {
        self.rows.len() >= STEP_ROWS || self.bytes.len() >= STEP_BYTES
    }

    fn push(&mut self, row: RowId, (bytes, flags): (&[u8], RowFlags)) {
        self.bytes.extend_from_slice(bytes);
        self.rows.push((row, flags, self.bytes.len()));
    }

    fn iter(&self) -> impl Iterator<Item = (RowId, &[u8], RowFlags)> {
        let mut start = 0;
        self.rows.iter().map(move |(row, flags, end)| {
            (*row, &self.bytes[std::mem::replace(&mut start, *end)..*end], *flags)
        })
    }
}

impl Layers {
    fn is_merging(&self) -> bool {
        self.runs.len() == RUNS_MAX
    }
}

impl BufferedTree {
    /// Whether the active layer is to be frozen, or a step of the merge to be made, before more is written.
    pub fn is_due(&self) -> bool {
        let layers = self.layers.read();
        let (bytes, rows) = filled(&layers.active);
        if !layers.is_merging() {
            return bytes >= self.limits.bytes || rows >= self.limits.rows;
        }
        // What part of the runs is merged against what part of the active layer is filled.
        let runs: u64 = layers.runs.iter().map(|run| run.bytes.load(Ordering::Relaxed)).sum();
        let merged = u128::from(self.merged.load(Ordering::Relaxed)) * HASTE_OF;
        let is_behind = |part: u64, limit: u64| {
            merged * u128::from(limit) < u128::from(runs) * u128::from(part) * HASTE
        };
        is_behind(bytes, self.limits.bytes) || is_behind(rows, self.limits.rows)
    }

    /// Does a part of what is due: freezes the active layer, for which `make` gives an empty tree, or merges some rows. A page change of
    /// bounded size.
    ///
    /// # Errors
    /// What `make` returns, and what reading and writing pages raises; the rows are as they were.
    pub fn tend(&self, make: impl FnOnce() -> Result<RowTree>) -> Result<Tended> {
        let Some(turn) = self.take_turn() else { return Ok(Tended::Nothing) };
        if !self.is_due() {
            return Ok(Tended::Nothing);
        }
        if self.layers.read().is_merging() {
            return self.merge_some(turn);
        }
        let fresh = Layer::empty(make()?, self.limits);
        let mut layers = self.layers.write();
        let frozen = std::mem::replace(&mut layers.active, fresh);
        layers.runs.push(frozen);
        Ok(Tended::Done)
    }

    /// The turn to freeze or merge. Who finds another at it goes on without, unless the active layer is twice as large as it should be.
    fn take_turn(&self) -> Option<MutexGuard<'_, Merge>> {
        self.merge.try_lock().or_else(|| {
            let (bytes, rows) = filled(&self.layers.read().active);
            let is_overdue = bytes / 2 >= self.limits.bytes || rows / 2 >= self.limits.rows;
            is_overdue.then(|| self.merge.lock())
        })
    }

    /// Merges some rows.
    fn merge_some(&self, mut merge: MutexGuard<'_, Merge>) -> Result<Tended> {
        let from = merge.next;
        if from == RowId(0) {
            merge.is_survey = self.filter.is_open();
        }
        let mut taken = Taken::default();
        let mut after = Some(from);
        {
            let layers = self.layers.read();
            while let Some(from) = after.filter(|_| !taken.is_full()) {
                after = take(&layers, from, &mut taken)?;
            }
        }
        let mut merged = 0;
        for (row, bytes, flags) in taken.iter() {
            self.merge_row(row, (bytes, flags))?;
            merged += weight(bytes.len());
        }
        merge.is_survey = merge.is_survey && self.survey(from, after)?;
        let Some(after) = after else {
            if merge.is_survey {
                self.filter.close();
            }
            *merge = Merge::default();
            self.merged.store(0, Ordering::Relaxed);
            let runs = std::mem::take(&mut self.layers.write().runs);
            return Ok(Tended::Merged(runs.into_iter().map(Layer::retire).collect()));
        };
        merge.next = after;
        self.merged.fetch_add(merged, Ordering::Relaxed);
        Ok(Tended::Done)
    }

    /// Gives the main tree a row that a run hides (W1).
    fn merge_row(&self, row: RowId, (bytes, flags): (&[u8], RowFlags)) -> Result<()> {
        if flags.has(RowFlags::TOMBSTONE) {
            return self.main.remove(row).map(drop);
        }
        self.filter.add(row);
        self.main.modify(row, |slot| {
            slot.put(bytes, flags);
            Ok(())
        })
    }

    /// Adds the main tree's rows from `from` up to `to`, or to the end, to its filter; false if they are on too many pages.
    fn survey(&self, from: RowId, to: Option<RowId>) -> Result<bool> {
        let is_inside = |row: &RowId| to.is_none_or(|to| *row < to);
        let mut next = Some(from);
        for _ in 0..SURVEY_LEAVES {
            let Some(at) = next.filter(is_inside) else { return Ok(true) };
            next = self.main.scan_leaf(at, |row, _, _| {
                self.filter.add(row);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(next.is_none_or(|next| !is_inside(&next)))
    }
}

impl Layer {
    fn retire(self) -> MergedLayer {
        MergedLayer { has_long_rows: self.has_long_rows.into_inner(), tree: self.tree }
    }
}

/// Rows of the active layer, and their bytes.
fn filled(active: &Layer) -> (u64, u64) {
    (active.bytes.load(Ordering::Relaxed), active.rows.load(Ordering::Relaxed))
}

/// Takes rows of the runs from `from` on, tombstones among them; where to go on, `None` at the end.
fn take(layers: &Layers, from: RowId, taken: &mut Taken) -> Result<Option<RowId>> {
    let trees: Vec<&RowTree> = layers.runs.iter().map(|run| &run.tree).collect();
    let mut next = None;
    with_sources(&trees, Usage::Scan, from, &mut |sources| {
        let bound = sources.iter().map(Source::high).min().unwrap_or(u64::MAX).max(from.0);
        let mut rows = Merger::<true>::new(sources, from.0, bound);
        next = bound.checked_add(1).map(RowId);
        let mut whole = Vec::new();
        while let Some(found) = rows.next() {
            taken.push(found.rowid, found.row(&mut whole)?);
            if taken.is_full() {
                next = found.rowid.0.checked_add(1).map(RowId);
                break;
            }
        }
        Ok(())
    })?;
    Ok(next)
}
