//! The index tree: an ordered set of keys with row ids.

use super::{Direction, KeyRange, TreeStatistics};
use crate::page::{PageId, TreeId};
use crate::pool::Pool;
use damask_types::{Error, Result, RowId};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What an entry's slot says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryFlags(pub(super) u8);

impl EntryFlags {
    /// An entry that stands.
    pub const NONE: Self = Self(0);
    /// The row's newest state no longer has this key: only older snapshots may want the entry.
    pub const DELETE_MARK: Self = Self(1);

    /// Whether all flags of `other` are in.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One entry as a scan sees it.
#[derive(Clone, Copy, Debug)]
pub struct IndexEntry<'a> {
    /// The memcomparable key.
    pub key: &'a [u8],
    /// The row.
    pub rowid: RowId,
    /// The flags.
    pub flags: EntryFlags,
}

/// Ordered entries (key, row id), each at most once.
pub struct IndexTree {
    pool: Arc<Pool>,
    tree: TreeId,
    root: PageId,
}

impl IndexTree {
    /// A new, empty tree.
    pub fn create(pool: Arc<Pool>, tree: TreeId) -> Result<Self> {
        let _ = (pool, tree);
        Err(Error::unsupported("index trees"))
    }

    /// The tree whose root is page `root`.
    ///
    /// # Errors
    /// XX002 if that page is not a node of this tree.
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

    /// Adds an entry, or replaces the flags of the one that is there; says whether it was new.
    ///
    /// # Errors
    /// XX000 if the key is too long; [`crate::key::check_key_len`] tells before, with the index's name.
    pub fn insert(&self, key: &[u8], rowid: RowId, flags: EntryFlags) -> Result<bool> {
        let inserted = self.insert_unless(key, rowid, flags, |_, _| Ok(None::<()>))?;
        Ok(inserted.is_ok_and(|is_new| is_new))
    }

    /// Adds an entry unless one with the same whole key is in the way, all under one latch.
    ///
    /// `conflict` sees the row id and flags of every entry with this key (the row's own too); the first `Some` it
    /// returns is returned as `Err` inside, and nothing is added. Else `Ok` says whether the entry was new.
    pub fn insert_unless<C>(
        &self,
        key: &[u8],
        rowid: RowId,
        flags: EntryFlags,
        conflict: impl FnMut(RowId, EntryFlags) -> Result<Option<C>>,
    ) -> Result<Result<bool, C>> {
        let _ = (key, rowid, flags, conflict);
        Err(Error::unsupported("index trees"))
    }

    /// Replaces an entry's flags; false if it is not there.
    pub fn set_flags(&self, key: &[u8], rowid: RowId, flags: EntryFlags) -> Result<bool> {
        let _ = (key, rowid, flags);
        Err(Error::unsupported("index trees"))
    }

    /// Takes an entry away; false if it is not there.
    pub fn remove(&self, key: &[u8], rowid: RowId) -> Result<bool> {
        let _ = (key, rowid);
        Err(Error::unsupported("index trees"))
    }

    /// The flags of an entry.
    pub fn get(&self, key: &[u8], rowid: RowId) -> Result<Option<EntryFlags>> {
        let _ = (key, rowid);
        Err(Error::unsupported("index trees"))
    }

    /// Runs `f` over entries of `range` that lie in one leaf, in `direction`, under the latch, and takes them out of
    /// the range. Says whether more may follow. `Break` ends the visit after that entry.
    ///
    /// `while tree.scan_leaf(&mut range, Direction::Forward, &mut f)? {}` visits all of a range.
    pub fn scan_leaf(
        &self,
        range: &mut KeyRange,
        direction: Direction,
        f: impl FnMut(IndexEntry<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<bool> {
        let _ = (range, direction, f);
        Err(Error::unsupported("index trees"))
    }

    /// Frees every page. The tree is of no use afterwards.
    pub fn destroy(&self) -> Result<()> {
        Err(Error::unsupported("index trees"))
    }

    /// Checks every page of the tree (B1 to B4) and tells each page's number to `visit`.
    ///
    /// # Errors
    /// XX002 with the first thing found wrong.
    pub fn verify(&self, visit: &mut dyn FnMut(PageId) -> Result<()>) -> Result<TreeStatistics> {
        let _ = (visit, &self.pool);
        Err(Error::unsupported("index trees"))
    }
}

/// Fills a new tree from entries in ascending order.
pub struct IndexBuilder {}

impl IndexBuilder {
    /// A builder of a new tree.
    pub fn new(pool: Arc<Pool>, tree: TreeId) -> Result<Self> {
        let _ = (pool, tree);
        Err(Error::unsupported("index trees"))
    }

    /// Adds an entry; key and row id together must be above all before them.
    pub fn push(&mut self, key: &[u8], rowid: RowId, flags: EntryFlags) -> Result<()> {
        let _ = (key, rowid, flags);
        Err(Error::unsupported("index trees"))
    }

    /// The tree.
    pub fn finish(self) -> Result<IndexTree> {
        Err(Error::unsupported("index trees"))
    }
}
