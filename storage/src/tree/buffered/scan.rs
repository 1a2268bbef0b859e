//! Scans over all layers at once.
//!
//! A visit holds one leaf of each layer, latched from the main tree up, and ends where the first of them ends. So it is as bounded as that of
//! a single tree, and rows go from the pages to the caller without being copied.

use super::{BufferedTree, LAYERS_MAX, Layers, present};
use crate::pool::Usage;
use crate::tree::row::{RUN_ROWS_MAX, RowFlags, RowTree};
use crate::tree::row_node::Leaf;
use damask_types::{Result, RowId};
use smallvec::SmallVec;
use std::ops::ControlFlow;

/// A leaf of a layer, latched.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    tree: &'a RowTree,
    leaf: Leaf<'a>,
}

impl Source<'_> {
    /// The highest row id of the leaf's range.
    pub(super) fn high(&self) -> u64 {
        self.leaf.high()
    }
}

/// Runs `f` with the leaf of each tree whose range has `at`, in the order of the trees, which are latched in that order.
pub(super) fn with_sources(
    trees: &[&RowTree],
    usage: Usage,
    at: RowId,
    f: &mut dyn FnMut(&[Source<'_>]) -> Result<()>,
) -> Result<()> {
    latch_next(trees, usage, at, &[], f)
}

fn latch_next(
    trees: &[&RowTree],
    usage: Usage,
    at: RowId,
    held: &[Source<'_>],
    f: &mut dyn FnMut(&[Source<'_>]) -> Result<()>,
) -> Result<()> {
    let Some((tree, rest)) = trees.split_first() else { return f(held) };
    tree.at_leaf(usage, at, |leaf| {
        let mut all: SmallVec<[Source<'_>; LAYERS_MAX]> = held.iter().copied().collect();
        all.push(Source { tree, leaf: *leaf });
        latch_next(rest, usage, at, &all, f)
    })
}

/// What is left of a leaf's rows.
#[derive(Clone, Copy)]
struct Head<'a> {
    source: Source<'a>,
    start: usize,
    end: usize,
}

/// Gives the rows of several leaves in the order of row ids, ascending if `UP`, each once: from the last leaf that has it.
pub(super) struct Merger<'a, const UP: bool> {
    heads: SmallVec<[Head<'a>; LAYERS_MAX]>,
    /// Whose rows come next, up to this key.
    current: usize,
    limit: u64,
}

/// A row that a [`Merger`] found.
pub(super) struct Found<'a> {
    pub(super) rowid: RowId,
    source: Source<'a>,
    index: usize,
}

impl<'a> Found<'a> {
    /// The row's bytes and flags, put together in `whole` if they are not all in the leaf.
    pub(super) fn row<'b>(&self, whole: &'b mut Vec<u8>) -> Result<(&'b [u8], RowFlags)>
    where
        'a: 'b,
    {
        self.source.tree.row(&self.source.leaf, self.index, whole)
    }

    /// The flags as the slot has them, and the bytes in the leaf.
    fn slot(&self) -> Result<(u8, &'a [u8])> {
        self.source.leaf.row(self.index)
    }
}

impl Head<'_> {
    /// The next row id, as a key that ascends in the direction of the scan.
    fn key<const UP: bool>(&self) -> Option<u64> {
        if self.start == self.end {
            return None;
        }
        let leaf = &self.source.leaf;
        Some(if UP { leaf.rowid(self.start) } else { !leaf.rowid(self.end - 1) })
    }

    /// Takes the next row's slot.
    fn take<const UP: bool>(&mut self) -> usize {
        if UP {
            self.start += 1;
            self.start - 1
        } else {
            self.end -= 1;
            self.end
        }
    }
}

impl<'a, const UP: bool> Merger<'a, UP> {
    /// The rows of `sources` with ids from `first` to `last`, in whichever direction.
    pub(super) fn new(sources: &[Source<'a>], first: u64, last: u64) -> Self {
        let head = |source: &Source<'a>| {
            let leaf = &source.leaf;
            let start = leaf.search(first).unwrap_or_else(|index| index);
            let end = leaf.search(last).map_or_else(|index| index, |index| index + 1);
            Head { source: *source, start: start.min(end), end }
        };
        let mut all = Self { heads: sources.iter().map(head).collect(), current: 0, limit: 0 };
        all.choose();
        all
    }

    /// Finds whose row is next, and how many of its rows come before another leaf's.
    fn choose(&mut self) {
        let mut least = None;
        for (i, head) in self.heads.iter().enumerate() {
            if let Some(key) = head.key::<UP>()
                && least.is_none_or(|(_, other)| key <= other)
            {
                least = Some((i, key));
            }
        }
        let Some((current, key)) = least else { return };
        (self.current, self.limit) = (current, u64::MAX);
        let others = self.heads.iter_mut().enumerate().filter(|(i, _)| *i != current);
        for (_, head) in others {
            if head.key::<UP>() == Some(key) {
                head.take::<UP>();
            }
            if let Some(other) = head.key::<UP>() {
                self.limit = self.limit.min(other.saturating_sub(1));
            }
        }
    }

    /// The next row, which may be a tombstone.
    pub(super) fn next(&mut self) -> Option<Found<'a>> {
        let head = &mut self.heads[self.current];
        let key = match head.key::<UP>() {
            Some(key) if key <= self.limit => key,
            _ => {
                self.choose();
                self.heads[self.current].key::<UP>()?
            }
        };
        let head = &mut self.heads[self.current];
        let rowid = RowId(if UP { key } else { !key });
        Some(Found { rowid, source: head.source, index: head.take::<UP>() })
    }
}

impl BufferedTree {
    /// Runs `f` with the leaves that have rows near `at`, and the row id that what it sees ends with, going up or down.
    fn visit<const UP: bool>(
        &self,
        layers: &Layers,
        at: RowId,
        f: &mut dyn FnMut(&[Source<'_>], u64) -> Result<()>,
    ) -> Result<()> {
        let mut trees: SmallVec<[&RowTree; LAYERS_MAX]> = SmallVec::new();
        trees.push(&self.main);
        let mut bound = if UP { u64::MAX } else { 0 };
        for run in &layers.runs {
            // A run that has no rows here limits the visit to where its rows begin.
            match run.bounds() {
                (low, high) if low > high => {}
                (low, _) if low > at.0 => bound = if UP { bound.min(low - 1) } else { bound },
                (_, high) if high < at.0 => bound = if UP { bound } else { bound.max(high + 1) },
                _ => {
                    trees.push(&run.tree);
                    // Loads the page, so that none is loaded under the main tree's latch.
                    run.tree.at_leaf(Usage::Scan, at, |_| Ok(()))?;
                }
            }
        }
        trees.push(&layers.active.tree);
        with_sources(&trees, Usage::Scan, at, &mut |sources| {
            let bounds = sources
                .iter()
                .map(|source| if UP { source.leaf.high() } else { source.leaf.low() });
            let bound = bounds.fold(bound, |all, one| if UP { all.min(one) } else { all.max(one) });
            // A damaged fence does not turn a scan back.
            let bound = if UP { bound.max(at.0) } else { bound.min(at.0) };
            f(sources, bound)
        })
    }

    /// Runs `f` over the rows of a visit, going up or down; where to go on.
    fn scan<const UP: bool>(
        &self,
        from: RowId,
        mut f: impl FnMut(RowId, RowFlags, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<Option<RowId>> {
        let layers = self.layers.read();
        let mut next = None;
        self.visit::<UP>(&layers, from, &mut |sources, bound| {
            let (first, last) = if UP { (from.0, bound) } else { (bound, from.0) };
            let broke = each(Merger::<UP>::new(sources, first, last), &mut f)?;
            let end = broke.map_or(bound, |row| row.0);
            next = if UP { end.checked_add(1) } else { end.checked_sub(1) }.map(RowId);
            Ok(())
        })?;
        Ok(next)
    }

    /// As [`RowTree::scan_leaf`]; the visit ends where the first of the layers' leaves ends.
    ///
    /// # Errors
    /// As there.
    pub fn scan_leaf(
        &self,
        from: RowId,
        f: impl FnMut(RowId, RowFlags, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<Option<RowId>> {
        self.scan::<true>(from, f)
    }

    /// As [`RowTree::scan_leaf_reverse`]; the visit ends where the first of the layers' leaves begins.
    ///
    /// # Errors
    /// As there.
    pub fn scan_leaf_reverse(
        &self,
        from: RowId,
        f: impl FnMut(RowId, RowFlags, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<Option<RowId>> {
        self.scan::<false>(from, f)
    }

    /// As [`RowTree::scan_leaf_runs`]; the rows of a run may come from several leaves.
    ///
    /// # Errors
    /// As there.
    pub fn scan_leaf_runs(
        &self,
        from: RowId,
        last: RowId,
        mut f: impl FnMut(RowFlags, &[RowId], &[&[u8]]) -> Result<usize>,
    ) -> Result<Option<RowId>> {
        let layers = self.layers.read();
        let mut next = None;
        self.visit::<true>(&layers, from, &mut |sources, bound| {
            let rows = Merger::<true>::new(sources, from.0, bound.min(last.0));
            let stopped = runs(rows, &mut f)?;
            next = stopped.or_else(|| bound.checked_add(1).map(RowId).filter(|next| *next <= last));
            Ok(())
        })?;
        Ok(next)
    }
}

/// Runs `f` over rows; the one after which it broke off.
fn each<const UP: bool>(
    mut rows: Merger<'_, UP>,
    f: &mut impl FnMut(RowId, RowFlags, &[u8]) -> Result<ControlFlow<()>>,
) -> Result<Option<RowId>> {
    let mut whole = Vec::new();
    while let Some(found) = rows.next() {
        if let Some((bytes, flags)) = present(Some(found.row(&mut whole)?))
            && f(found.rowid, flags, bytes)?.is_break()
        {
            return Ok(Some(found.rowid));
        }
    }
    Ok(None)
}

/// Runs `f` over rows, those without flags together; the first that it did not take.
fn runs(
    mut rows: Merger<'_, true>,
    f: &mut impl FnMut(RowFlags, &[RowId], &[&[u8]]) -> Result<usize>,
) -> Result<Option<RowId>> {
    let mut ids = [RowId(0); RUN_ROWS_MAX];
    let mut bodies: [&[u8]; RUN_ROWS_MAX] = [&[]; RUN_ROWS_MAX];
    let mut whole = Vec::new();
    let mut len = 0;
    loop {
        let found = rows.next();
        if let Some(found) = &found {
            let (flags, bytes) = found.slot()?;
            if flags == RowFlags::TOMBSTONE.0 {
                continue;
            }
            if flags == 0 && len < RUN_ROWS_MAX {
                (ids[len], bodies[len]) = (found.rowid, bytes);
                len += 1;
                continue;
            }
        }
        let taken = if len > 0 { f(RowFlags::NONE, &ids[..len], &bodies[..len])? } else { 0 };
        if taken < len {
            return Ok(Some(ids[taken]));
        }
        len = 0;
        let Some(found) = found else { return Ok(None) };
        let (flags, bytes) = found.slot()?;
        if flags == 0 {
            (ids[0], bodies[0], len) = (found.rowid, bytes, 1);
            continue;
        }
        let (bytes, flags) = found.row(&mut whole)?;
        if f(flags, &[found.rowid], &[bytes])? == 0 {
            return Ok(Some(found.rowid));
        }
    }
}
