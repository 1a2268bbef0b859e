//! The index tree: an ordered set of keys with row ids.
//!
//! An entry's position is its key with the row id behind it, so entries of one key lie by row id and each is found
//! exactly. No key is a prefix of another (K2), so the row id cannot disturb the order of keys.

use super::base::{At, Base, Format, Target};
use super::build::Builder;
use super::index_node::{self, IndexFormat, Node, ROWID_BYTES};
use super::range::Limit;
use super::{Direction, KeyRange, TreeStatistics};
use crate::key::entry_bytes_max;
use crate::ledger::{Part, Taking, Token};
use crate::page::{PageId, TreeId};
use crate::pool::{PageWrite, Pool, Usage};
use damask_types::{Error, Result, RowId};
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use std::hash::BuildHasher;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

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
    base: Base<IndexFormat>,
    /// Made when the index is first used as a unique one.
    stripes: OnceLock<Box<[Stripe; STRIPES]>>,
}

/// Key || row id.
type Position = SmallVec<[u8; 64]>;

fn position(key: &[u8], rowid: RowId) -> Position {
    let mut position = Position::with_capacity(key.len() + ROWID_BYTES);
    position.extend_from_slice(key);
    position.extend_from_slice(&rowid.0.to_be_bytes());
    position
}

/// The entry at a position.
fn entry(position: &[u8], flags: u8) -> Result<IndexEntry<'_>> {
    let Some((key, rowid)) = position.split_last_chunk() else {
        return Err(IndexFormat::corrupted("an index entry is shorter than a row id".into()));
    };
    Ok(IndexEntry { key, rowid: RowId(u64::from_be_bytes(*rowid)), flags: EntryFlags(flags) })
}

/// To the leaf that a scan of a range goes on in.
struct Next<'r> {
    range: &'r KeyRange,
    direction: Direction,
}

impl Target for Next<'_> {
    fn child(&self, page: &[u8]) -> Result<PageId> {
        match self.direction {
            Direction::Forward => Ok(IndexFormat::find_child(page, &self.range.start)?.1),
            Direction::Backward => Node::new(page)?.child_before(self.range.end.as_deref()),
        }
    }

    fn is_in(&self, page: &[u8]) -> Result<bool> {
        match self.direction {
            Direction::Forward => IndexFormat::has(page, &self.range.start),
            Direction::Backward => Node::new(page)?.has_before(self.range.end.as_deref()),
        }
    }
}

/// How many parts an index's keys are divided into for [`IndexTree::insert_unless`].
const STRIPES: usize = 32;

/// The latch of a part, in a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Stripe(Mutex<()>);

impl IndexTree {
    fn new(base: Base<IndexFormat>) -> Self {
        Self { base, stripes: OnceLock::new() }
    }

    /// A new, empty tree.
    pub fn create(pool: Arc<Pool>, tree: TreeId) -> Result<Self> {
        Base::create(pool, tree).map(Self::new)
    }

    /// The tree whose root is page `root`.
    ///
    /// # Errors
    /// XX002 if that page is not a node of this tree.
    pub fn open(pool: Arc<Pool>, tree: TreeId, root: PageId) -> Result<Self> {
        Base::open(pool, tree, root).map(Self::new)
    }

    /// The tree's number.
    pub fn id(&self) -> TreeId {
        self.base.tree
    }

    /// The root page; never changes.
    pub fn root(&self) -> PageId {
        self.base.root
    }

    /// Adds an entry, or replaces the flags of the one that is there; says whether it was new.
    ///
    /// # Errors
    /// 54000 if the key is too long; [`crate::key::check_key_len`] tells before, with the index's name.
    pub fn insert(&self, key: &[u8], rowid: RowId, flags: EntryFlags) -> Result<bool> {
        crate::key::check_key_len(key, self.base.pool.page_bytes(), "")?;
        let position = position(key, rowid);
        let page = self.base.reach_exclusive(&position)?;
        self.insert_into(page, &position, flags)
    }

    /// Adds an entry unless one whose key begins with the first `unique_len` bytes of `key` (whole columns, or all of it) is
    /// in the way. No two that begin with the same bytes are at it at once, so that of two equal keys one meets the other.
    ///
    /// `conflict` sees the row id and flags of every such entry (the row's own too), in order; the first
    /// `Some` it returns is returned as `Err` inside, and nothing is added. Else `Ok` says whether the entry was new;
    /// the flags of one that was there are replaced.
    ///
    /// # Errors
    /// 54000 if the key is too long, and what `conflict` returns.
    pub fn insert_unless<C>(
        &self,
        key: &[u8],
        unique_len: usize,
        rowid: RowId,
        flags: EntryFlags,
        mut conflict: impl FnMut(RowId, EntryFlags) -> Result<Option<C>>,
    ) -> Result<Result<bool, C>> {
        crate::key::check_key_len(key, self.base.pool.page_bytes(), "")?;
        let prefix = &key[..unique_len];
        let _stripe = self.stripe(prefix);
        let position = position(key, rowid);
        let page = self.base.reach_exclusive(&position)?;
        let mut range = KeyRange::prefix(prefix);
        let mut found = None;
        let mut visit = |entry: IndexEntry<'_>| {
            found = conflict(entry.rowid, entry.flags)?;
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        // Most often the entries with the key are in that leaf, if there are any.
        if Node::new(&page)?.has_all(&range.start, range.end.as_deref())? {
            Self::scan_page(&page, &mut range, Direction::Forward, &mut visit)?;
            return match found {
                Some(found) => Ok(Err(found)),
                None => self.insert_into(page, &position, flags).map(Ok),
            };
        }
        drop(page);
        // Others with these bytes wait at the stripe, so nothing comes in between.
        let mut is_more = true;
        while is_more {
            let mut is_ended = false;
            is_more = self.scan_leaf(&mut range, Direction::Forward, |entry| {
                let flow = visit(entry)?;
                is_ended = flow.is_break();
                Ok(flow)
            })? && !is_ended;
        }
        if let Some(found) = found {
            return Ok(Err(found));
        }
        let page = self.base.reach_exclusive(&position)?;
        self.insert_into(page, &position, flags).map(Ok)
    }

    /// The latch of the part of the keys that those are in that begin with `prefix`.
    fn stripe(&self, prefix: &[u8]) -> (MutexGuard<'_, ()>, Token) {
        let hash = foldhash::fast::FixedState::default().hash_one(prefix);
        let stripes = self.stripes.get_or_init(Default::default);
        let guard = stripes[hash as usize % STRIPES].0.lock();
        (guard, Token::of_tree(self.base.tree, false, Part::Stripe, Taking::Waiting))
    }

    fn insert_into(
        &self,
        mut page: PageWrite<'_>,
        position: &[u8],
        flags: EntryFlags,
    ) -> Result<bool> {
        let node = Node::new(&page)?;
        let index = node.lower_bound_inside(position)?;
        if node.is_at(index, position)? {
            index_node::set_flags(&mut page, index, flags.0);
            return Ok(false);
        }
        if !index_node::insert(&mut page, index, position, flags.0)? {
            let mut image = IndexFormat::read(&page)?;
            image.insert(index, position.to_vec(), &[], flags.0.into());
            self.base.split(page, image, index)?;
        }
        Ok(true)
    }

    /// Replaces an entry's flags; false if it is not there.
    pub fn set_flags(&self, key: &[u8], rowid: RowId, flags: EntryFlags) -> Result<bool> {
        let position = position(key, rowid);
        let mut page = self.base.reach_exclusive(&position)?;
        let Some(index) = IndexFormat::find_entry(&page, &position)? else {
            return Ok(false);
        };
        index_node::set_flags(&mut page, index, flags.0);
        Ok(true)
    }

    /// Takes an entry away; false if it is not there.
    pub fn remove(&self, key: &[u8], rowid: RowId) -> Result<bool> {
        let position = position(key, rowid);
        let mut page = self.base.reach_exclusive(&position)?;
        let Some(index) = IndexFormat::find_entry(&page, &position)? else {
            return Ok(false);
        };
        index_node::remove(&mut page, index)?;
        self.base.let_go(page);
        Ok(true)
    }

    /// The flags of an entry.
    pub fn get(&self, key: &[u8], rowid: RowId) -> Result<Option<EntryFlags>> {
        let position = position(key, rowid);
        let page = self.base.reach(Usage::Point, &At::<IndexFormat>(&position))?;
        let node = Node::new(&page)?;
        let index = node.lower_bound_inside(&position)?;
        Ok(node.is_at(index, &position)?.then(|| EntryFlags(node.flags(index))))
    }

    /// Runs `f` over entries of `range` that lie in one leaf, in `direction`, under the latch, and takes them out of
    /// the range. Says whether more may follow. `Break` ends the visit after that entry.
    ///
    /// `while tree.scan_leaf(&mut range, Direction::Forward, &mut f)? {}` visits all of a range.
    pub fn scan_leaf(
        &self,
        range: &mut KeyRange,
        direction: Direction,
        mut f: impl FnMut(IndexEntry<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<bool> {
        if range.is_empty() {
            return Ok(false);
        }
        let usage = if range.goes_on { Usage::Scan } else { Usage::Point };
        let page = self.base.reach(usage, &Next { range, direction })?;
        Self::scan_page(&page, range, direction, &mut f)
    }

    fn scan_page(
        page: &[u8],
        range: &mut KeyRange,
        direction: Direction,
        f: &mut dyn FnMut(IndexEntry<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<bool> {
        match direction {
            Direction::Forward => Self::scan_forward(page, range, f),
            Direction::Backward => Self::scan_backward(page, range, f),
        }
    }

    fn scan_forward(
        page: &[u8],
        range: &mut KeyRange,
        f: &mut dyn FnMut(IndexEntry<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<bool> {
        let node = Node::new(page)?;
        let prefix_len = node.prefix().len();
        // The range begins in this leaf, so what it begins with is the prefix, and nearer.
        let prefix = range.start.get(..prefix_len).unwrap_or_else(|| node.prefix());
        let mut whole = Position::from_slice(prefix);
        for index in node.lower_bound_inside(&range.start)?..node.count() {
            whole.truncate(prefix_len);
            whole.extend_from_slice(node.suffix(index)?);
            if range.end.as_ref().is_some_and(|end| whole[..] >= end[..]) {
                range.close();
                return Ok(false);
            }
            if f(entry(&whole, node.flags(index))?)?.is_break() {
                // The least position above this one.
                whole.push(0);
                range.start = Limit::from_slice(&whole);
                return Ok(!range.is_empty());
            }
        }
        range.goes_on = true;
        if let Some(high) = node.high()? {
            range.start = Limit::from_slice(high);
        } else {
            range.close();
        }
        Ok(!range.is_empty())
    }

    fn scan_backward(
        page: &[u8],
        range: &mut KeyRange,
        f: &mut dyn FnMut(IndexEntry<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<bool> {
        let end = range.end.as_deref();
        let node = Node::new(page)?;
        let prefix_len = node.prefix().len();
        let mut whole = Position::from_slice(node.prefix());
        let last = match end {
            Some(end) => node.lower_bound(end)?,
            None => node.count(),
        };
        for index in (0..last).rev() {
            whole.truncate(prefix_len);
            whole.extend_from_slice(node.suffix(index)?);
            if whole[..] < range.start[..] {
                range.close();
                return Ok(false);
            }
            if f(entry(&whole, node.flags(index))?)?.is_break() {
                range.end = Some(Limit::from_slice(&whole));
                return Ok(!range.is_empty());
            }
        }
        range.goes_on = true;
        range.end = Some(Limit::from_slice(node.low()?));
        Ok(!range.is_empty())
    }

    /// Frees every page. Nobody else uses the tree, which is of no use afterwards.
    pub fn destroy(&self) -> Result<()> {
        self.base.destroy()
    }

    /// Checks every page of the tree (B1 to B4) and tells each page's number to `visit`. Nobody changes the tree meanwhile.
    ///
    /// # Errors
    /// XX002 with the first thing found wrong.
    pub fn verify(&self, visit: &mut dyn FnMut(PageId) -> Result<()>) -> Result<TreeStatistics> {
        self.base.verify(visit)
    }
}

/// Fills a new tree from entries in ascending order.
///
/// Nothing of it is to be seen before [`IndexBuilder::finish`]. Whoever gives up calls [`IndexBuilder::abort`], else
/// the pages stay allocated.
pub struct IndexBuilder {
    builder: Builder<IndexFormat>,
}

impl IndexBuilder {
    /// A builder of a new tree.
    pub fn new(pool: Arc<Pool>, tree: TreeId) -> Result<Self> {
        Ok(Self { builder: Builder::new(pool, tree)? })
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// XX000 if key and row id together are not above all before them, 54000 if the key is too long.
    pub fn push(&mut self, key: &[u8], rowid: RowId, flags: EntryFlags) -> Result<()> {
        let page_bytes = self.builder.pool().page_bytes();
        debug_assert!(entry_bytes_max(page_bytes) < usize::from(index_node::MARK));
        crate::key::check_key_len(key, page_bytes, "")?;
        let position = position(key, rowid);
        if self.builder.last_key().is_some_and(|last| last[..] >= position[..]) {
            return Err(Error::internal("entries of a bulk build do not ascend"));
        }
        self.builder.push(position.into_vec(), &[], flags.0.into())
    }

    /// The tree.
    pub fn finish(self) -> Result<IndexTree> {
        self.builder.finish().map(IndexTree::new)
    }

    /// Gives all pages back.
    pub fn abort(self) -> Result<()> {
        self.builder.abort()
    }
}
