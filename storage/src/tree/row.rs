//! The row tree: row id to row bytes.

use super::TreeStatistics;
use crate::page::{PageId, TreeId};
use crate::pool::Pool;
use damask_types::{Error, Result, RowId};
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a row's slot says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowFlags(pub(super) u8);

impl RowFlags {
    /// A row that has no other version and is there.
    pub const NONE: Self = Self(0);
    /// It may have older versions in memory; means nothing after a restart.
    pub const VERSIONED: Self = Self(1);
    /// Its newest state is "deleted".
    pub const GHOST: Self = Self(2);

    /// Both sets together.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without the flags of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all flags of `other` are in.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A row of a table, or its absence, under the latch; and what shall become of it.
#[derive(Debug)]
pub struct RowSlot<'t, 'b> {
    current: Option<(&'t [u8], RowFlags)>,
    change: Change<'b>,
}

#[derive(Debug)]
enum Change<'b> {
    None,
    Flags(RowFlags),
    Put(Cow<'b, [u8]>, RowFlags),
    Remove,
}

impl<'b> RowSlot<'_, 'b> {
    /// The row's bytes and flags as they are in the tree; `None` if it has no slot.
    pub fn current(&self) -> Option<(&[u8], RowFlags)> {
        self.current
    }

    /// Makes the slot, or replaces the row's bytes and flags.
    pub fn put(&mut self, bytes: impl Into<Cow<'b, [u8]>>, flags: RowFlags) {
        self.change = Change::Put(bytes.into(), flags);
    }

    /// Keeps the bytes and replaces the flags; nothing happens if there is no slot.
    pub fn set_flags(&mut self, flags: RowFlags) {
        self.change = Change::Flags(flags);
    }

    /// Takes the slot away.
    pub fn remove(&mut self) {
        self.change = Change::Remove;
    }
}

/// Rows by row id.
pub struct RowTree {
    pool: Arc<Pool>,
    tree: TreeId,
    root: PageId,
}

impl RowTree {
    /// A new, empty tree.
    pub fn create(pool: Arc<Pool>, tree: TreeId) -> Result<Self> {
        let _ = (pool, tree);
        Err(Error::unsupported("row trees"))
    }

    /// The tree whose root is page `root`.
    ///
    /// # Errors
    /// XX001 if that page is not a node of this tree.
    pub fn open(pool: Arc<Pool>, tree: TreeId, root: PageId) -> Result<Self> {
        Ok(Self { pool, tree, root })
    }

    /// The tree's number.
    pub fn id(&self) -> TreeId {
        self.tree
    }

    /// The root page; never changes.
    pub fn root(&self) -> PageId {
        self.root
    }

    /// Runs `f` with the row's bytes and flags, `None` if it has no slot, under the latch.
    pub fn read<R>(
        &self,
        rowid: RowId,
        f: impl FnOnce(Option<(&[u8], RowFlags)>) -> R,
    ) -> Result<R> {
        let _ = (rowid, f);
        Err(Error::unsupported("row trees"))
    }

    /// Runs `f` with the row's slot under the exclusive latch, then makes the change it asked for, if it succeeded.
    ///
    /// When the change itself fails (disk full, say), the error is returned and the row is as it was, while what `f`
    /// did elsewhere stays done.
    pub fn modify<'b, R>(
        &self,
        rowid: RowId,
        f: impl FnOnce(&mut RowSlot<'_, 'b>) -> Result<R>,
    ) -> Result<R> {
        let _ = (rowid, f);
        Err(Error::unsupported("row trees"))
    }

    /// A copy of the row's bytes, and its flags.
    pub fn get(&self, rowid: RowId) -> Result<Option<(Vec<u8>, RowFlags)>> {
        self.read(rowid, |row| row.map(|(bytes, flags)| (bytes.to_vec(), flags)))
    }

    /// Adds a row; false, and nothing changed, if the row id has a slot.
    pub fn insert(&self, rowid: RowId, bytes: &[u8], flags: RowFlags) -> Result<bool> {
        self.modify(rowid, |slot| {
            let is_new = slot.current().is_none();
            if is_new {
                slot.put(bytes, flags);
            }
            Ok(is_new)
        })
    }

    /// Replaces a row's bytes and flags; false if the row id has no slot.
    pub fn replace(&self, rowid: RowId, bytes: &[u8], flags: RowFlags) -> Result<bool> {
        self.modify(rowid, |slot| {
            let is_there = slot.current().is_some();
            if is_there {
                slot.put(bytes, flags);
            }
            Ok(is_there)
        })
    }

    /// Replaces a row's flags; false if the row id has no slot.
    pub fn set_flags(&self, rowid: RowId, flags: RowFlags) -> Result<bool> {
        self.modify(rowid, |slot| {
            slot.set_flags(flags);
            Ok(slot.current().is_some())
        })
    }

    /// Takes a row's slot away; false if there is none.
    pub fn remove(&self, rowid: RowId) -> Result<bool> {
        self.modify(rowid, |slot| {
            slot.remove();
            Ok(slot.current().is_some())
        })
    }

    /// The highest row id that has a slot.
    pub fn max_rowid(&self) -> Result<Option<RowId>> {
        Err(Error::unsupported("row trees"))
    }

    /// Runs `f` over the rows of one leaf from `from` on, ascending, under the latch.
    ///
    /// Returns the row id to go on from, `None` at the end. `Break` ends the visit after that row.
    pub fn scan_leaf(
        &self,
        from: RowId,
        f: impl FnMut(RowId, RowFlags, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<Option<RowId>> {
        let _ = (from, f);
        Err(Error::unsupported("row trees"))
    }

    /// [`Self::scan_leaf`] downwards: the rows of one leaf at and below `from`, descending.
    pub fn scan_leaf_reverse(
        &self,
        from: RowId,
        f: impl FnMut(RowId, RowFlags, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<Option<RowId>> {
        let _ = (from, f);
        Err(Error::unsupported("row trees"))
    }

    /// Frees every page. The tree is of no use afterwards.
    pub fn destroy(&self) -> Result<()> {
        Err(Error::unsupported("row trees"))
    }

    /// Checks every page of the tree (B1 to B4) and tells each page's number to `visit`.
    ///
    /// # Errors
    /// XX001 with the first thing found wrong.
    pub fn verify(&self, visit: &mut dyn FnMut(PageId) -> Result<()>) -> Result<TreeStatistics> {
        let _ = (visit, &self.pool);
        Err(Error::unsupported("row trees"))
    }
}

/// Fills a new tree from rows in ascending order, leaf by leaf, without a descent a row.
pub struct RowBuilder {}

impl RowBuilder {
    /// A builder of a new tree.
    pub fn new(pool: Arc<Pool>, tree: TreeId) -> Result<Self> {
        let _ = (pool, tree);
        Err(Error::unsupported("row trees"))
    }

    /// Adds a row; its id must be above all before it.
    pub fn push(&mut self, rowid: RowId, bytes: &[u8], flags: RowFlags) -> Result<()> {
        let _ = (rowid, bytes, flags);
        Err(Error::unsupported("row trees"))
    }

    /// The tree.
    pub fn finish(self) -> Result<RowTree> {
        Err(Error::unsupported("row trees"))
    }
}
