//! A row tree with a write buffer: rows at random ids go to a small tree first, and to the large one many at a time.
//!
//! In a row tree that is larger than the pool a row at a random id costs its page twice, read and written. Here the
//! rows of a table lie in *layers*, each a [`RowTree`]:
//!
//! ```text
//!   active    takes every change; its pages are hot, so a change costs no I/O
//!     |  full: frozen, and a new one begins
//!     v
//!   runs      at most RUNS_MAX, newest first in force; each has a filter of its row ids in memory
//!     |  all there: merged in the order of row ids, some rows at a time
//!     v
//!   main      nearly all rows; each of its leaves takes all that the runs have for it at once. It has a filter, too, as long as
//!             that does not get too large: a row id that is new, the usual case of an insert, costs no page
//! ```
//!
//! The newest layer that has a slot for a row id decides. A row that is taken away while lower layers may have it leaves a
//! *tombstone*, which stops the search; nobody above sees one.
//!
//! Runs stand until they are merged as a whole, and hide what they share with the main tree. So whatever part of a merge is done, the
//! rows are the same: a merge can stop between any two rows, be lost in a crash, and begin anew.
//!
//! Invariants
//! - W1: only the active layer changes for its rows' sake. Runs do not change; the main tree changes in merges, and only rows that a run
//!   hides.
//! - W2: closures of callers run under the latch of the active layer's leaf, also over rows of lower layers; so what they are shown
//!   is the row's newest state for as long as they run.
//! - W3: the main tree has no tombstones.
//! - W4: a layer's filter has all its row ids, and they lie between its lowest and its highest. So does the main tree's filter, unless
//!   it is open.
//! - W5: runs are only merged together, and when there are [`RUNS_MAX`].
//!
//! Latches, in this order: the merge's mutex, the list of layers, the leaves of the trees from the main tree up to the active layer. The pages
//! of lower layers are loaded before the active layer's leaf is latched, so that writers do not wait for the disk. The leaf of the active layer
//! is the one whose range has the row id, or begins or ends the rows that a scan is shown, whether or not they are there: who would change
//! one of them wants that leaf exclusively. The list is held, shared, all the while: who freezes a layer or drops runs waits for such a load,
//! and so does who reads after that.
//!
//! Who writes calls [`BufferedTree::tend`] while [`BufferedTree::is_due`] says so. A merge is due as far as the active layer is filled, so it is done
//! when the next run has to be frozen, and no writer pays for all of it (the stalls that RocksDB had to learn to avoid).
//!
//! Source: O'Neil et al., "The Log-Structured Merge-Tree", 1996. Differences: the last component is updated in place, page by page, so
//! that scans of it are those of a B+ tree and a merge need not rewrite what it does not change; smaller components are trees of pool pages,
//! which checkpoints keep as they keep all pages.
//!
//! Filters are in memory only. Those of runs are made again when the tree is opened. The main tree's is *open* then, which says "perhaps" of
//! every row, and the first merge makes it again, if that takes few pages more than the merge does.
//!
//! Left out: merges among runs; background merges, when nobody writes.

mod filter;
mod merge;
mod scan;
#[cfg(test)]
mod tests;

use super::TreeStatistics;
use super::row::{Change, RowFlags, RowSlot, RowTree};
use super::row_node::{Leaf, SLOT_BYTES};
use crate::page::{PageId, TreeId};
use crate::pool::Usage;
use damask_types::{Error, Result, RowId};
use filter::Filter;
use merge::Merge;
use parking_lot::{Mutex, RwLock};
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Runs that are merged together.
pub(super) const RUNS_MAX: usize = 4;
/// Layers of a tree, at most: the main tree, the runs, the active layer.
const LAYERS_MAX: usize = RUNS_MAX + 2;
/// Bytes of rows in the active layer when it is frozen, if the pool has room for it.
pub const BUFFER_BYTES: usize = 16 << 20;
/// A layer is frozen, too, when it has a row for so many of its bytes: its filter is made for that.
const BYTES_A_ROW: usize = 64;

/// What a tombstone has for a row. It is not empty: a slot cannot name the place behind the last byte of the largest page.
const TOMBSTONE_BODY: &[u8] = &[0];

/// When the active layer is frozen, and how large the main tree's filter gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLimits {
    /// Bytes of its rows.
    bytes: u64,
    /// Its rows.
    rows: u64,
    /// Rows of the main tree that are kept in a filter.
    filtered_rows: u64,
}

impl BufferLimits {
    /// Limits for an active layer of so many bytes, and a filter of the main tree of so many.
    pub fn new(bytes: usize, filter_bytes: usize) -> Self {
        Self {
            bytes: bytes.max(1) as u64,
            rows: (bytes / BYTES_A_ROW).max(1) as u64,
            filtered_rows: filter::rows_in(filter_bytes),
        }
    }
}

/// The layers above the main tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerIds {
    /// The tree that takes changes.
    pub active: TreeId,
    /// Trees that are to be merged, oldest first.
    pub runs: Vec<TreeId>,
}

/// What [`BufferedTree::tend`] did.
pub enum Tended {
    /// Nothing: another thread is at it, or was quicker.
    Nothing,
    /// A step.
    Done,
    /// The last step of a merge. These layers are no part of the table any more, and the caller's to destroy.
    Merged(Vec<MergedLayer>),
}

/// A run whose rows are all in the main tree.
pub struct MergedLayer {
    tree: RowTree,
    has_long_rows: bool,
}

impl MergedLayer {
    /// The tree's number.
    pub fn id(&self) -> TreeId {
        self.tree.id()
    }

    /// Frees every page, without reading those that have only rows.
    ///
    /// # Errors
    /// As [`RowTree::destroy`].
    pub fn destroy(&self) -> Result<()> {
        if self.has_long_rows { self.tree.destroy() } else { self.tree.destroy_nodes() }
    }
}

/// A row as a layer has it.
type Row<'a> = Option<(&'a [u8], RowFlags)>;

/// What lower layers have of a row.
#[derive(Clone, Copy)]
enum Below<'a> {
    /// Nobody looked.
    Unknown,
    /// This.
    Known(Row<'a>),
}

/// The row, unless it is a tombstone.
fn present(row: Row<'_>) -> Row<'_> {
    row.filter(|(_, flags)| !flags.has(RowFlags::TOMBSTONE))
}

/// Bytes that a row takes in a layer.
fn weight(len: usize) -> u64 {
    (len + SLOT_BYTES) as u64
}

/// The active layer or a run.
struct Layer {
    tree: RowTree,
    filter: Filter,
    /// Rows and tombstones.
    rows: AtomicU64,
    /// Their bytes.
    bytes: AtomicU64,
    /// Whether a row was ever here that has pages of its own.
    has_long_rows: AtomicBool,
    /// The lowest row id and the highest (W4).
    low: AtomicU64,
    high: AtomicU64,
}

impl Layer {
    fn empty(tree: RowTree, limits: BufferLimits) -> Self {
        let memory = Arc::clone(tree.memory());
        Self {
            tree,
            // Writers that come before it is frozen may add some more.
            filter: Filter::new(limits.rows.saturating_mul(4), memory),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            has_long_rows: AtomicBool::new(false),
            low: AtomicU64::new(u64::MAX),
            high: AtomicU64::new(0),
        }
    }

    /// A layer with rows, all of which are read.
    fn open(tree: RowTree, limits: BufferLimits) -> Result<Self> {
        let layer = Self::empty(tree, limits);
        let mut next = Some(RowId(0));
        while let Some(from) = next {
            next = layer.tree.scan_leaf(from, |row, _, bytes| {
                layer.note(row);
                layer.note_len(bytes.len());
                layer.count(1, weight(bytes.len()) as i64);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(layer)
    }

    /// Notes that the row is about to be there (W4).
    fn note(&self, row: RowId) {
        self.filter.add(row);
        self.low.fetch_min(row.0, Ordering::Relaxed);
        self.high.fetch_max(row.0, Ordering::Relaxed);
    }

    /// Notes that a row of so many bytes is about to be there.
    fn note_len(&self, len: usize) {
        if self.tree.is_long(len) {
            self.has_long_rows.store(true, Ordering::Relaxed);
        }
    }

    fn count(&self, rows: i64, bytes: i64) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The lowest row id and the highest; the first is above the second if there is none.
    fn bounds(&self) -> (u64, u64) {
        (self.low.load(Ordering::Relaxed), self.high.load(Ordering::Relaxed))
    }

    /// How many of `count` row ids from `first` on this run surely has no slot for, up to the first that it may have one for.
    fn free_from(&self, first: RowId, count: usize) -> Result<usize> {
        let (low, high) = self.bounds();
        let end = first.0.saturating_add(count as u64);
        if count == 0
            || first.0 > high
            || end <= low
            || (count == 1 && !self.filter.may_have(first))
        {
            return Ok(count);
        }
        self.tree.at_leaf(Usage::Point, first, |leaf| Ok(free_in(leaf, first, count)))
    }

    /// As [`RowTree::insert_run`]; lower layers have none of these rows.
    fn insert_run(&self, first: RowId, rows: &[&[u8]], admit: impl FnOnce(usize)) -> Result<usize> {
        let placed = self.tree.insert_run(first, rows, |count| {
            (0..count as u64).for_each(|i| self.note(RowId(first.0 + i)));
            admit(count);
        })?;
        let bytes: u64 = rows[..placed].iter().map(|row| weight(row.len())).sum();
        self.count(placed as i64, bytes as i64);
        Ok(placed)
    }

    /// Runs `f` on the row in the active layer, or in `below` if that has none, and makes the change it asks for here.
    fn change<'b, R>(
        &self,
        row: RowId,
        below: Below<'_>,
        is_wanted: impl FnOnce(Row<'_>) -> bool,
        f: impl FnOnce(&mut RowSlot<'_, 'b>) -> Result<R>,
    ) -> Result<Option<R>> {
        let (mut rows, mut bytes) = (0, 0);
        let result = self.tree.modify(row, |slot| {
            let own = slot.current;
            if !is_wanted(own) {
                return Ok(None);
            }
            let under = match below {
                Below::Known(row) => row,
                Below::Unknown => None,
            };
            let current = present(own.or(under));
            let mut seen = RowSlot { current, change: Change::None };
            let result = f(&mut seen)?;
            let change = match (seen.change, current) {
                (change @ (Change::None | Change::Put(..)), _) => change,
                (Change::Flags(_) | Change::Settle(_) | Change::Remove, None) => Change::None,
                (change @ (Change::Flags(_) | Change::Settle(_)), Some(_)) if own.is_some() => {
                    change
                }
                (Change::Settle(_), Some(_)) => Change::None,
                (Change::Flags(flags), Some((_, old))) if flags == old => Change::None,
                (Change::Flags(flags), Some((bytes, _))) => {
                    Change::Put(Cow::Owned(bytes.to_vec()), flags)
                }
                (Change::Remove, Some(_)) => match below {
                    Below::Known(below) if present(below).is_none() => Change::Remove,
                    Below::Known(_) | Below::Unknown => {
                        Change::Put(Cow::Borrowed(TOMBSTONE_BODY), RowFlags::TOMBSTONE)
                    }
                },
            };
            let old = own.map_or(0, |(bytes, _)| weight(bytes.len()) as i64);
            match &change {
                Change::Put(new, _) => {
                    if own.is_none() {
                        self.note(row);
                        rows = 1;
                    }
                    self.note_len(new.len());
                    bytes = weight(new.len()) as i64 - old;
                }
                Change::Remove => (rows, bytes) = (-1, -old),
                Change::None | Change::Flags(_) | Change::Settle(_) => {}
            }
            slot.change = change;
            Ok(Some(result))
        })?;
        self.count(rows, bytes);
        Ok(result)
    }
}

/// How many of `count` row ids from `first` on have neither a slot in the leaf nor one behind it.
fn free_in(leaf: &Leaf<'_>, first: RowId, count: usize) -> usize {
    let Err(index) = leaf.search(first.0) else { return 0 };
    let last = if index < leaf.count() { leaf.rowid(index).saturating_sub(1) } else { leaf.high() };
    usize::try_from(last.saturating_sub(first.0))
        .map_or(count, |free| count.min(free.saturating_add(1)))
}

/// The layers but the main tree.
struct Layers {
    active: Layer,
    /// Oldest first.
    runs: Vec<Layer>,
}

/// Rows by row id, with a write buffer.
///
/// It offers what [`RowTree`] does, with the same meaning; its closures run under latches in the same sense. For tables whose rows are
/// written at random ids and that are larger than the pool: elsewhere it only makes reads dearer.
pub struct BufferedTree {
    main: RowTree,
    /// Of the main tree's rows.
    filter: Filter,
    limits: BufferLimits,
    layers: RwLock<Layers>,
    /// Held by who freezes or merges.
    merge: Mutex<Merge>,
    /// Bytes of the rows that are merged.
    merged: AtomicU64,
}

impl BufferedTree {
    /// A new tree of two that are empty.
    pub fn create(main: RowTree, active: RowTree, limits: BufferLimits) -> Self {
        Self::new(main, Layers { active: Layer::empty(active, limits), runs: Vec::new() }, limits)
    }

    fn new(main: RowTree, layers: Layers, limits: BufferLimits) -> Self {
        let memory = Arc::clone(main.memory());
        Self {
            main,
            filter: Filter::new(limits.filtered_rows, memory),
            limits,
            layers: RwLock::new(layers),
            merge: Mutex::default(),
            merged: AtomicU64::new(0),
        }
    }

    /// The tree of these layers, `runs` oldest first. All of them but the main tree are read.
    ///
    /// # Errors
    /// XX001 if a page is damaged, or there are more runs than can be.
    pub fn open(
        main: RowTree,
        active: RowTree,
        runs: Vec<RowTree>,
        limits: BufferLimits,
    ) -> Result<Self> {
        if runs.len() > RUNS_MAX {
            return Err(Error::corrupted(format!("tree {} has {} runs", main.id(), runs.len())));
        }
        let runs = runs.into_iter().map(|run| Layer::open(run, limits)).collect::<Result<_>>()?;
        let layers = Layers { active: Layer::open(active, limits)?, runs };
        let tree = Self::new(main, layers, limits);
        tree.filter.open();
        Ok(tree)
    }

    /// The number of the main tree, which is the whole's.
    pub fn id(&self) -> TreeId {
        self.main.id()
    }

    /// The layers above the main tree.
    pub fn layers(&self) -> LayerIds {
        let layers = self.layers.read();
        LayerIds {
            active: layers.active.tree.id(),
            runs: layers.runs.iter().map(|run| run.tree.id()).collect(),
        }
    }

    /// Whether a lower layer than the active one may have the row.
    fn is_below(&self, layers: &Layers, row: RowId) -> bool {
        self.filter.may_have(row) || layers.runs.iter().any(|run| run.filter.may_have(row))
    }

    /// What `over`, which looks at the active layer once more, makes of the row as the newest of the lower layers that has it does; of
    /// `None` if none has. So the page of the lower layer is there before the active layer's latch is taken (W2).
    fn ask_below<R>(
        &self,
        layers: &Layers,
        rowid: RowId,
        mut over: impl FnMut(Row<'_>) -> Result<Option<R>>,
    ) -> Result<R> {
        for run in layers.runs.iter().rev().filter(|run| run.filter.may_have(rowid)) {
            let found = |row: Row<'_>| row.map_or(Ok(None), |row| over(Some(row)));
            if let Some(result) = run.tree.read(rowid, found)?? {
                return Ok(result);
            }
        }
        let result = self.main.read(rowid, over)??;
        Ok(result.expect("the main tree's answer is final, so the closure has run"))
    }

    /// As [`RowTree::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read<R>(
        &self,
        rowid: RowId,
        f: impl FnOnce(Option<(&[u8], RowFlags)>) -> R,
    ) -> Result<R> {
        let layers = self.layers.read();
        let active = &layers.active;
        let mut f = Some(f);
        let mut call = |row: Row<'_>| f.take().map(|f| f(present(row)));
        let mut result = None;
        if !self.is_below(&layers, rowid) {
            result = active.tree.read(rowid, &mut call)?;
        } else if active.filter.may_have(rowid) {
            result = active.tree.read(rowid, |row| row.and_then(|row| call(Some(row))))?;
        }
        if let Some(result) = result {
            return Ok(result);
        }
        self.ask_below(&layers, rowid, |row| active.tree.read(rowid, |newer| call(newer.or(row))))
    }

    /// As [`RowTree::modify`].
    ///
    /// # Errors
    /// As there.
    pub fn modify<'b, R>(
        &self,
        rowid: RowId,
        f: impl FnOnce(&mut RowSlot<'_, 'b>) -> Result<R>,
    ) -> Result<R> {
        let layers = self.layers.read();
        let active = &layers.active;
        let mut f = Some(f);
        let mut call = |slot: &mut RowSlot<'_, 'b>| {
            let f = f.take().ok_or_else(|| Error::internal("a row is changed twice"))?;
            f(slot)
        };
        let mut result = None;
        if !self.is_below(&layers, rowid) {
            result = active.change(rowid, Below::Known(None), |_| true, &mut call)?;
        } else if active.filter.may_have(rowid) {
            result = active.change(rowid, Below::Unknown, |own| own.is_some(), &mut call)?;
        }
        if let Some(result) = result {
            return Ok(result);
        }
        self.ask_below(&layers, rowid, |row| {
            active.change(rowid, Below::Known(row), |_| true, &mut call)
        })
    }

    /// As [`RowTree::insert_run`].
    ///
    /// # Errors
    /// As there.
    pub fn insert_run(
        &self,
        first: RowId,
        rows: &[&[u8]],
        admit: impl FnOnce(usize),
    ) -> Result<usize> {
        let layers = self.layers.read();
        let free = |count, run: &Layer| run.free_from(first, count);
        let count = layers.runs.iter().try_fold(rows.len(), free)?;
        if count == 0 {
            return Ok(0);
        }
        if count == 1 && !self.filter.may_have(first) {
            return layers.active.insert_run(first, &rows[..1], admit);
        }
        self.main.at_leaf(Usage::Point, first, |leaf| match free_in(leaf, first, count) {
            0 => Ok(0),
            count => layers.active.insert_run(first, &rows[..count], admit),
        })
    }

    /// Frees every page of every layer. The tree is of no use afterwards.
    ///
    /// # Errors
    /// As [`RowTree::destroy`].
    pub fn destroy(&self) -> Result<()> {
        let layers = self.layers.write();
        layers.runs.iter().try_for_each(|run| run.tree.destroy())?;
        layers.active.tree.destroy()?;
        self.main.destroy()
    }

    /// As [`RowTree::verify`], for all layers; also checks W3 and W4. What it counts is what all of them have, rows that others hide
    /// included.
    ///
    /// # Errors
    /// XX001 with the first thing found wrong.
    pub fn verify(&self, visit: &mut dyn FnMut(PageId) -> Result<()>) -> Result<TreeStatistics> {
        let layers = self.layers.read();
        let mut all = self.main.verify(visit)?;
        self.verify_main()?;
        for layer in layers.runs.iter().chain([&layers.active]) {
            let one = layer.tree.verify(visit)?;
            layer.verify(&one)?;
            all.entries += one.entries;
            all.marked += one.marked;
            all.leaves += one.leaves;
            all.inners += one.inners;
            all.overflows += one.overflows;
            all.height = all.height.max(one.height);
        }
        Ok(all)
    }

    /// W3, and W4 of the main tree.
    fn verify_main(&self) -> Result<()> {
        let mut next = Some(RowId(0));
        while let Some(from) = next {
            next = self.main.scan_leaf(from, |row, flags, _| {
                if flags.has(RowFlags::TOMBSTONE) {
                    let tree = self.main.id();
                    return Err(Error::corrupted(format!(
                        "tree {tree} has a tombstone, row {row}"
                    )));
                }
                if !self.filter.may_have(row) {
                    let tree = self.main.id();
                    let message = format!("row {row} of tree {tree} is not in the tree's filter");
                    return Err(Error::corrupted(message));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }
}

impl Layer {
    /// W4.
    fn verify(&self, counted: &TreeStatistics) -> Result<()> {
        let tree = self.tree.id();
        let ((low, high), mut bytes) = (self.bounds(), 0);
        let mut next = Some(RowId(0));
        while let Some(from) = next {
            next = self.tree.scan_leaf(from, |row, _, body| {
                bytes += weight(body.len());
                if !self.filter.may_have(row) || row.0 < low || row.0 > high {
                    let message = format!("row {row} of tree {tree} is not in the layer's filter");
                    return Err(Error::corrupted(message));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        let expected = (self.rows.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        if (counted.entries, bytes) != expected {
            return Err(Error::corrupted(format!("the rows of tree {tree} are not as counted")));
        }
        Ok(())
    }
}
