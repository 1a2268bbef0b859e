//! The rows of a table: a row tree, or one with a write buffer before it.

use super::TreeStatistics;
use super::buffered::{BufferedTree, LayerIds};
use super::row::{RowFlags, RowReader, RowSlot, RowTree};
use crate::page::{PageId, TreeId};
use damask_types::{Result, RowId};
use std::ops::ControlFlow;

/// A table's rows by row id. What its methods do, they do for both kinds alike; see [`RowTree`].
pub enum HeapTree {
    /// Rows go where they belong at once.
    Plain(RowTree),
    /// Rows are gathered first.
    Buffered(Box<BufferedTree>),
}

/// Reads rows one after the other, faster where they lie together. It may keep a latch between two reads: whoever has one waits for nothing
/// meanwhile, and drops it soon.
pub enum HeapReader<'t> {
    /// Of a tree without a buffer.
    Plain(RowReader<'t>),
    /// Of one with it; no latch is kept.
    Buffered(&'t BufferedTree),
}

impl HeapReader<'_> {
    /// As [`HeapTree::read`].
    ///
    /// # Errors
    /// As [`RowTree::read`].
    #[inline]
    pub fn read<R>(
        &mut self,
        rowid: RowId,
        f: impl FnOnce(Option<(&[u8], RowFlags)>) -> R,
    ) -> Result<R> {
        match self {
            Self::Plain(reader) => reader.read(rowid, f),
            Self::Buffered(tree) => tree.read(rowid, f),
        }
    }

    /// Keeps no latch until the next row is read.
    #[inline]
    pub fn let_go(&mut self) {
        if let Self::Plain(reader) = self {
            reader.let_go();
        }
    }
}

impl HeapTree {
    /// The tree's number; of one with a buffer, the main tree's.
    pub fn id(&self) -> TreeId {
        match self {
            Self::Plain(tree) => tree.id(),
            Self::Buffered(tree) => tree.id(),
        }
    }

    /// The layers above the tree of [`HeapTree::id`]; `None` if it has no buffer.
    pub fn layers(&self) -> Option<LayerIds> {
        match self {
            Self::Plain(_) => None,
            Self::Buffered(tree) => Some(tree.layers()),
        }
    }

    /// The numbers of all its trees.
    pub fn ids(&self) -> Vec<TreeId> {
        let mut ids = vec![self.id()];
        if let Some(layers) = self.layers() {
            ids.push(layers.active);
            ids.extend(layers.runs);
        }
        ids
    }

    /// Runs `f` with the row's bytes and flags, `None` if it has no slot, under the latch.
    ///
    /// # Errors
    /// As [`RowTree::read`].
    #[inline]
    pub fn read<R>(
        &self,
        rowid: RowId,
        f: impl FnOnce(Option<(&[u8], RowFlags)>) -> R,
    ) -> Result<R> {
        match self {
            Self::Plain(tree) => tree.read(rowid, f),
            Self::Buffered(tree) => tree.read(rowid, f),
        }
    }

    /// Reads rows one after the other: likely those of `wanted`, in this order.
    pub fn reader<'t>(&'t self, wanted: &'t [RowId]) -> HeapReader<'t> {
        match self {
            Self::Plain(tree) => HeapReader::Plain(tree.reader(wanted)),
            Self::Buffered(tree) => HeapReader::Buffered(tree),
        }
    }

    /// A copy of the row's bytes, and its flags.
    ///
    /// # Errors
    /// As [`RowTree::get`].
    pub fn get(&self, rowid: RowId) -> Result<Option<(Vec<u8>, RowFlags)>> {
        self.read(rowid, |row| row.map(|(bytes, flags)| (bytes.to_vec(), flags)))
    }

    /// Runs `f` with the row's slot under the exclusive latch, then makes the change it asked for, if it succeeded.
    ///
    /// # Errors
    /// As [`RowTree::modify`].
    #[inline]
    pub fn modify<'b, R>(
        &self,
        rowid: RowId,
        f: impl FnOnce(&mut RowSlot<'_, 'b>) -> Result<R>,
    ) -> Result<R> {
        match self {
            Self::Plain(tree) => tree.modify(rowid, f),
            Self::Buffered(tree) => tree.modify(rowid, f),
        }
    }

    /// [`HeapTree::modify`] of the first of `wanted`, at least one row, all of which will be modified, in this order.
    ///
    /// # Errors
    /// As [`RowTree::modify`].
    pub fn modify_first<'b, R>(
        &self,
        wanted: &[RowId],
        f: impl FnOnce(&mut RowSlot<'_, 'b>) -> Result<R>,
    ) -> Result<R> {
        match self {
            Self::Plain(tree) => tree.modify_first(wanted, f),
            Self::Buffered(tree) => tree.modify(wanted[0], f),
        }
    }

    /// Takes a row's slot away; false if there is none.
    ///
    /// # Errors
    /// As [`RowTree::remove`].
    pub fn remove(&self, rowid: RowId) -> Result<bool> {
        self.modify(rowid, |slot| {
            slot.remove();
            Ok(slot.current().is_some())
        })
    }

    /// Adds rows whose ids go up one by one, as many as there is room for at once.
    ///
    /// # Errors
    /// As [`RowTree::insert_run`].
    pub fn insert_run(
        &self,
        first: RowId,
        rows: &[&[u8]],
        admit: impl FnOnce(usize),
    ) -> Result<usize> {
        match self {
            Self::Plain(tree) => tree.insert_run(first, rows, admit),
            Self::Buffered(tree) => tree.insert_run(first, rows, admit),
        }
    }

    /// The highest row id that has a slot.
    ///
    /// # Errors
    /// As [`RowTree::scan_leaf_reverse`].
    pub fn max_rowid(&self) -> Result<Option<RowId>> {
        let mut next = Some(RowId(u64::MAX));
        let mut highest = None;
        while let Some(from) = next.filter(|_| highest.is_none()) {
            next = self.scan_leaf_reverse(from, |rowid, _, _| {
                highest = Some(rowid);
                Ok(ControlFlow::Break(()))
            })?;
        }
        Ok(highest)
    }

    /// Runs `f` over some rows from `from` on, ascending, under the latch; the row id to go on from, `None` at the end.
    ///
    /// # Errors
    /// As [`RowTree::scan_leaf`].
    pub fn scan_leaf(
        &self,
        from: RowId,
        f: impl FnMut(RowId, RowFlags, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<Option<RowId>> {
        match self {
            Self::Plain(tree) => tree.scan_leaf(from, f),
            Self::Buffered(tree) => tree.scan_leaf(from, f),
        }
    }

    /// [`Self::scan_leaf`] downwards.
    ///
    /// # Errors
    /// As [`RowTree::scan_leaf_reverse`].
    pub fn scan_leaf_reverse(
        &self,
        from: RowId,
        f: impl FnMut(RowId, RowFlags, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<Option<RowId>> {
        match self {
            Self::Plain(tree) => tree.scan_leaf_reverse(from, f),
            Self::Buffered(tree) => tree.scan_leaf_reverse(from, f),
        }
    }

    /// [`Self::scan_leaf`] for scans into columns, rows without flags together.
    ///
    /// # Errors
    /// As [`RowTree::scan_leaf_runs`].
    #[inline]
    pub fn scan_leaf_runs(
        &self,
        from: RowId,
        last: RowId,
        f: impl FnMut(RowFlags, &[RowId], &[&[u8]]) -> Result<usize>,
    ) -> Result<Option<RowId>> {
        match self {
            Self::Plain(tree) => tree.scan_leaf_runs(from, last, f),
            Self::Buffered(tree) => tree.scan_leaf_runs(from, last, f),
        }
    }

    /// Frees every page. The tree is of no use afterwards.
    ///
    /// # Errors
    /// As [`RowTree::destroy`].
    pub fn destroy(&self) -> Result<()> {
        match self {
            Self::Plain(tree) => tree.destroy(),
            Self::Buffered(tree) => tree.destroy(),
        }
    }

    /// Checks every page and tells each one's number to `visit`.
    ///
    /// # Errors
    /// XX001 with the first thing found wrong.
    pub fn verify(&self, visit: &mut dyn FnMut(PageId) -> Result<()>) -> Result<TreeStatistics> {
        match self {
            Self::Plain(tree) => tree.verify(visit),
            Self::Buffered(tree) => tree.verify(visit),
        }
    }
}
