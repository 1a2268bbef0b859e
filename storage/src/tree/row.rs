//! The row tree: row id to row bytes.
//!
//! Finding a row is one descent; changing it in place, or adding one where its leaf has room, touches the leaf alone.

use super::TreeStatistics;
use super::base::{At, Base, Format};
use super::build::Builder;
use super::overflow;
use super::row_node::{self, Leaf, OVERFLOW, RowFormat};
use crate::governor::Governor;
use crate::page::{PageId, TreeId};
use crate::pool::{PageRead, PageWrite, Pool, Usage};
use crate::row::ROW_BYTES_MAX;
use damask_types::{Error, Result, RowId, SqlState};
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Most rows that [`RowTree::scan_leaf_runs`] gives at once.
pub const RUN_ROWS_MAX: usize = 64;

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

    /// Stands for the absence of a row that lower layers have ([`super::buffered`]); nobody else sees it.
    pub(super) const TOMBSTONE: Self = Self(8);

    /// The flags that are the tree's users'.
    const ALL: u8 = Self::VERSIONED.0 | Self::GHOST.0 | Self::TOMBSTONE.0;

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

/// Reads rows one after the other, under one latch as long as they lie in one leaf. It keeps the latch until it is dropped or goes on to
/// another leaf, so whoever has one waits for nothing meanwhile.
pub struct RowReader<'t> {
    tree: &'t RowTree,
    page: Option<PageRead<'t>>,
    /// The rows it will be asked for, in this order.
    wanted: &'t [RowId],
}

impl RowReader<'_> {
    /// As [`RowTree::read`].
    pub(super) fn read<R>(
        &mut self,
        rowid: RowId,
        f: impl FnOnce(Option<(&[u8], RowFlags)>) -> R,
    ) -> Result<R> {
        if let Some(page) = &self.page
            && RowFormat::has(page, &rowid.0)?
        {
            return self.tree.read_in(page, rowid, f);
        }
        // The next latch is waited for without this one.
        self.page = None;
        let page = self.tree.reach_one_of(rowid, self.wanted)?;
        self.tree.read_in(self.page.insert(page), rowid, f)
    }

    /// Keeps no latch until the next row is read.
    pub(super) fn let_go(&mut self) {
        self.page = None;
    }
}

/// A row of a table, or its absence, under the latch; and what shall become of it.
#[derive(Debug)]
pub struct RowSlot<'t, 'b> {
    pub(super) current: Option<(&'t [u8], RowFlags)>,
    pub(super) change: Change<'b>,
}

#[derive(Debug)]
pub(super) enum Change<'b> {
    None,
    Flags(RowFlags),
    /// The flags without VERSIONED, unless that takes more than changing them in place.
    Settle(RowFlags),
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

    /// Takes VERSIONED off the row's flags, or leaves it where that would be a write elsewhere: on a row without versions it means
    /// nothing.
    pub fn settle(&mut self) {
        if let Some((_, flags)) = self.current {
            self.change = Change::Settle(flags.without(RowFlags::VERSIONED));
        }
    }

    /// Takes the slot away.
    pub fn remove(&mut self) {
        self.change = Change::Remove;
    }
}

/// Rows by row id.
pub struct RowTree {
    base: Base<RowFormat>,
}

impl RowTree {
    /// A new, empty tree.
    pub fn create(pool: Arc<Pool>, tree: TreeId) -> Result<Self> {
        Ok(Self { base: Base::create(pool, tree)? })
    }

    /// The tree whose root is page `root`.
    ///
    /// # Errors
    /// XX001 if that page is not a node of this tree.
    pub fn open(pool: Arc<Pool>, tree: TreeId, root: PageId) -> Result<Self> {
        Ok(Self { base: Base::open(pool, tree, root)? })
    }

    /// The tree's number.
    pub fn id(&self) -> TreeId {
        self.base.tree
    }

    /// The root page; never changes.
    pub fn root(&self) -> PageId {
        self.base.root
    }

    /// Runs `f` with the row's bytes and flags, `None` if it has no slot, under the latch.
    pub fn read<R>(
        &self,
        rowid: RowId,
        f: impl FnOnce(Option<(&[u8], RowFlags)>) -> R,
    ) -> Result<R> {
        let page = self.base.reach(Usage::Point, &At::<RowFormat>(&rowid.0))?;
        self.read_in(&page, rowid, f)
    }

    /// [`RowTree::read`] in the leaf whose range has `rowid`.
    fn read_in<R>(
        &self,
        page: &[u8],
        rowid: RowId,
        f: impl FnOnce(Option<(&[u8], RowFlags)>) -> R,
    ) -> Result<R> {
        let leaf = Leaf::new(page)?;
        let Ok(index) = leaf.search(rowid.0) else {
            return Ok(f(None));
        };
        let mut whole = Vec::new();
        let (bytes, flags) = self.row(&leaf, index, &mut whole)?;
        Ok(f(Some((bytes, flags))))
    }

    /// Who grants memory.
    pub(super) fn memory(&self) -> &Arc<Governor> {
        self.base.pool.memory()
    }

    /// Reads rows one after the other. Those of `wanted` are likely to be asked for, in this order: leaves of them that are not in memory are
    /// loaded several at a time.
    pub(super) fn reader<'t>(&'t self, wanted: &'t [RowId]) -> RowReader<'t> {
        RowReader { tree: self, page: None, wanted }
    }

    /// The leaf whose range has `rowid`, latched. If it has to be loaded, so are leaves of rows behind it among those that are wanted.
    fn reach_one_of(&self, rowid: RowId, wanted: &[RowId]) -> Result<PageRead<'_>> {
        let target = At::<RowFormat>(&rowid.0);
        if wanted.len() < 2 {
            return self.base.reach(Usage::Point, &target);
        }
        let load = |_, _| {
            let from = wanted.iter().position(|row| *row == rowid).unwrap_or(wanted.len());
            self.load_leaves(&wanted[from..]);
        };
        self.base.reach_with(Usage::Point, &target, Some(&load))
    }

    /// Loads leaves of the first of these rows that are not in memory.
    #[cold]
    fn load_leaves(&self, wanted: &[RowId]) {
        self.base.load_leaves(wanted.iter().map(|row| At::<RowFormat>(&row.0)));
    }

    /// Runs `f` on the leaf whose range has `rowid`, under the latch.
    pub(super) fn at_leaf<R>(
        &self,
        usage: Usage,
        rowid: RowId,
        f: impl FnOnce(&Leaf<'_>) -> Result<R>,
    ) -> Result<R> {
        let page = self.base.reach(usage, &At::<RowFormat>(&rowid.0))?;
        f(&Leaf::new(&page)?)
    }

    /// The row in slot `index`, put together in `whole` if it is not all in the leaf.
    pub(super) fn row<'a>(
        &self,
        leaf: &Leaf<'a>,
        index: usize,
        whole: &'a mut Vec<u8>,
    ) -> Result<(&'a [u8], RowFlags)> {
        let (flags, bytes) = leaf.row(index)?;
        let user_flags = RowFlags(flags & RowFlags::ALL);
        if flags & OVERFLOW == 0 {
            return Ok((bytes, user_flags));
        }
        overflow::read(&self.base.pool, bytes, whole)?;
        Ok((whole, user_flags))
    }

    /// Runs `f` with the row's slot under the exclusive latch, then makes the change it asked for, if it succeeded.
    ///
    /// When the change itself fails (disk full, say), the error is returned and the row is as it was, while what `f`
    /// did elsewhere stays done.
    ///
    /// # Errors
    /// 54000 for a row longer than [`ROW_BYTES_MAX`], and what `f` returns.
    pub fn modify<'b, R>(
        &self,
        rowid: RowId,
        f: impl FnOnce(&mut RowSlot<'_, 'b>) -> Result<R>,
    ) -> Result<R> {
        self.modify_in(self.base.reach_exclusive(&rowid.0)?, rowid, f)
    }

    /// [`Self::modify`] of the first of `wanted`, all of which will be modified: leaves of them that are not in memory are loaded several at a
    /// time.
    pub(super) fn modify_first<'b, R>(
        &self,
        wanted: &[RowId],
        f: impl FnOnce(&mut RowSlot<'_, 'b>) -> Result<R>,
    ) -> Result<R> {
        let rowid = wanted[0];
        let load = |_, _| self.load_leaves(wanted);
        self.modify_in(self.base.reach_exclusive_with(&rowid.0, Some(&load))?, rowid, f)
    }

    /// [`Self::modify`] in the leaf whose range has `rowid`.
    #[inline]
    fn modify_in<'b, R>(
        &self,
        page: PageWrite<'_>,
        rowid: RowId,
        f: impl FnOnce(&mut RowSlot<'_, 'b>) -> Result<R>,
    ) -> Result<R> {
        let leaf = Leaf::new(&page)?;
        let found = leaf.search(rowid.0);
        let mut whole = Vec::new();
        let current = match found {
            Ok(index) => Some(self.row(&leaf, index, &mut whole)?),
            Err(_) => None,
        };
        let mut slot = RowSlot { current, change: Change::None };
        let result = f(&mut slot)?;
        let change = slot.change;
        self.change(rowid, page, found, change)?;
        Ok(result)
    }

    /// Makes a change to the row that `found` says the place of in the leaf `page`.
    fn change(
        &self,
        rowid: RowId,
        mut page: PageWrite<'_>,
        found: Result<usize, usize>,
        change: Change<'_>,
    ) -> Result<()> {
        let old_flags = match found {
            Ok(index) => Leaf::new(&page)?.row(index)?.0,
            Err(_) => 0,
        };
        match (change, found) {
            (Change::None, _) | (Change::Flags(_) | Change::Settle(_) | Change::Remove, Err(_)) => {
                Ok(())
            }
            (Change::Flags(flags) | Change::Settle(flags), Ok(index)) => {
                row_node::set_flags(&mut page, index, flags.0 | old_flags & OVERFLOW)
            }
            (Change::Put(bytes, flags), _) => {
                let has_chain = old_flags & OVERFLOW != 0;
                let chain = if has_chain { self.chain(&page, found)? } else { Vec::new() };
                self.put(rowid, page, found, &bytes, flags)?;
                self.free(&chain);
                Ok(())
            }
            (Change::Remove, Ok(index)) => {
                let chain = self.chain(&page, found)?;
                row_node::remove(&mut page, index)?;
                self.base.let_go(page);
                self.free(&chain);
                Ok(())
            }
        }
    }

    /// The overflow pages of the row at `found`.
    fn chain(&self, page: &[u8], found: Result<usize, usize>) -> Result<Vec<PageId>> {
        let mut pages = Vec::new();
        let Ok(index) = found else { return Ok(pages) };
        let (flags, reference) = Leaf::new(page)?.row(index)?;
        if flags & OVERFLOW != 0 {
            overflow::pages(&self.base.pool, reference, &mut |page| {
                pages.push(page);
                Ok(())
            })?;
        }
        Ok(pages)
    }

    /// Frees pages that nothing refers to any more. The change that made them so is done, so an error here is no error
    /// of the change: the pages stay unused until the file is rewritten.
    fn free(&self, pages: &[PageId]) {
        if !pages.is_empty() {
            overflow::free(&self.base.pool, pages).ok();
        }
    }

    fn put(
        &self,
        rowid: RowId,
        page: PageWrite<'_>,
        found: Result<usize, usize>,
        row: &[u8],
        flags: RowFlags,
    ) -> Result<()> {
        let (body, is_overflow) = inline_or_overflow(&self.base.pool, self.base.tree, row)?;
        let flags = flags.0 & RowFlags::ALL | if is_overflow { OVERFLOW } else { 0 };
        let placed = self.place(rowid, page, found, &body, flags);
        if placed.is_err() && is_overflow {
            let mut pages = Vec::new();
            overflow::pages(&self.base.pool, &body, &mut |page| {
                pages.push(page);
                Ok(())
            })?;
            self.free(&pages);
        }
        placed
    }

    fn place(
        &self,
        rowid: RowId,
        mut page: PageWrite<'_>,
        found: Result<usize, usize>,
        body: &[u8],
        flags: u8,
    ) -> Result<()> {
        let (fits, index) = match found {
            Ok(index) => (row_node::replace(&mut page, index, body, flags)?, index),
            Err(index) => (row_node::insert(&mut page, index, rowid.0, body, flags)?, index),
        };
        if fits {
            return Ok(());
        }
        let is_behind = found.is_err() && index > 0 && index == Leaf::new(&page)?.count();
        if is_behind && page.page() != self.base.root {
            let [left, right] = row_node::split_behind(&page, rowid.0, body, flags);
            return self.base.split_behind(page, left, right, row_node::set_high);
        }
        let mut image = RowFormat::read(&page)?;
        if found.is_ok() {
            image.entries.remove(index);
        }
        image.insert(index, rowid.0, body, flags.into());
        self.base.split(page, image, index)
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

    /// Adds rows without flags whose ids go up one by one from `first`: as many as the leaf of `first` takes in as they are, without
    /// a split and without overflow pages, up to the first id that has a slot. Returns how many; none of them may be there, and
    /// [`Self::modify`] is for the first then.
    ///
    /// `admit` gets that number if it is not 0, under the exclusive latch and before the rows are there.
    pub fn insert_run(
        &self,
        first: RowId,
        rows: &[&[u8]],
        admit: impl FnOnce(usize),
    ) -> Result<usize> {
        let mut page = self.base.reach_exclusive(&first.0)?;
        let Err(index) = Leaf::new(&page)?.search(first.0) else { return Ok(0) };
        let len_max = overflow::inline_bytes_max(self.base.page_bytes());
        let count = row_node::room(&page, index, first.0, rows, len_max)?;
        if count > 0 {
            admit(count);
            row_node::insert_run(&mut page, index, first.0, &rows[..count], RowFlags::NONE.0)?;
        }
        Ok(count)
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
        let mut next = Some(RowId(u64::MAX));
        let mut highest = None;
        while let Some(from) = next {
            next = self.scan_leaf_reverse(from, |rowid, _, _| {
                highest = Some(rowid);
                Ok(ControlFlow::Break(()))
            })?;
            if highest.is_some() {
                break;
            }
        }
        Ok(highest)
    }

    /// Runs `f` over the rows of one leaf from `from` on, ascending, under the latch.
    ///
    /// Returns the row id to go on from, `None` at the end. `Break` ends the visit after that row. A leaf may have no
    /// row at or above `from`, so `f` may not be called although rows follow.
    pub fn scan_leaf(
        &self,
        from: RowId,
        mut f: impl FnMut(RowId, RowFlags, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<Option<RowId>> {
        let page = self.base.reach(Usage::Scan, &At::<RowFormat>(&from.0))?;
        let leaf = Leaf::new(&page)?;
        let start = leaf.search(from.0).unwrap_or_else(|index| index);
        let mut whole = Vec::new();
        for index in start..leaf.count() {
            let rowid = leaf.rowid(index);
            if self.visit(&leaf, index, &mut whole, &mut f)?.is_break() {
                return Ok(rowid.checked_add(1).map(RowId));
            }
        }
        Ok(leaf.high().checked_add(1).map(RowId))
    }

    /// [`Self::scan_leaf`] downwards: the rows of one leaf at and below `from`, descending.
    pub fn scan_leaf_reverse(
        &self,
        from: RowId,
        mut f: impl FnMut(RowId, RowFlags, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<Option<RowId>> {
        let page = self.base.reach(Usage::Scan, &At::<RowFormat>(&from.0))?;
        let leaf = Leaf::new(&page)?;
        let end = leaf.search(from.0).map_or_else(|index| index, |index| index + 1);
        let mut whole = Vec::new();
        for index in (0..end).rev() {
            let rowid = leaf.rowid(index);
            if self.visit(&leaf, index, &mut whole, &mut f)?.is_break() {
                return Ok(rowid.checked_sub(1).map(RowId));
            }
        }
        Ok(leaf.low().checked_sub(1).map(RowId))
    }

    /// [`Self::scan_leaf`] for scans into columns: rows from `from` to `last` of one leaf, those without flags together,
    /// at most [`RUN_ROWS_MAX`] at once, others one by one.
    ///
    /// A row that lies in overflow pages comes alone, whatever its flags.
    ///
    /// `f` gets the flags of a run, its row ids and its rows, and says how many of them it took; the visit ends before
    /// the first row it did not take. Returns the row id to go on from, `None` behind `last` and at the end.
    pub fn scan_leaf_runs(
        &self,
        from: RowId,
        last: RowId,
        mut f: impl FnMut(RowFlags, &[RowId], &[&[u8]]) -> Result<usize>,
    ) -> Result<Option<RowId>> {
        let page = self.base.reach(Usage::Scan, &At::<RowFormat>(&from.0))?;
        let leaf = Leaf::new(&page)?;
        let start = leaf.search(from.0).unwrap_or_else(|index| index);
        let end = leaf.search(last.0).map_or_else(|index| index, |index| index + 1);
        let mut rowids = [RowId(0); RUN_ROWS_MAX];
        let mut rows: [&[u8]; RUN_ROWS_MAX] = [&[]; RUN_ROWS_MAX];
        let mut whole = Vec::new();
        let mut len = 0;
        for index in start..end {
            let rowid = RowId(leaf.rowid(index));
            let (flags, bytes) = leaf.row(index)?;
            if flags == 0 {
                (rowids[len], rows[len]) = (rowid, bytes);
                len += 1;
                if len < RUN_ROWS_MAX && index + 1 < end {
                    continue;
                }
            }
            let taken = if len > 0 { f(RowFlags::NONE, &rowids[..len], &rows[..len])? } else { 0 };
            if taken < len {
                return Ok(Some(rowids[taken]));
            }
            len = 0;
            if flags != 0 {
                let (row, flags) = self.row(&leaf, index, &mut whole)?;
                if f(flags, &[rowid], &[row])? == 0 {
                    return Ok(Some(rowid));
                }
            }
        }
        Ok(leaf.high().checked_add(1).map(RowId).filter(|next| *next <= last))
    }

    #[inline]
    fn visit(
        &self,
        leaf: &Leaf<'_>,
        index: usize,
        whole: &mut Vec<u8>,
        f: &mut impl FnMut(RowId, RowFlags, &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let (flags, bytes) = leaf.row(index)?;
        let user_flags = RowFlags(flags & RowFlags::ALL);
        let rowid = RowId(leaf.rowid(index));
        if flags & OVERFLOW == 0 {
            return f(rowid, user_flags, bytes);
        }
        overflow::read(&self.base.pool, bytes, whole)?;
        f(rowid, user_flags, whole)
    }

    /// Frees every page. Nobody else uses the tree, which is of no use afterwards.
    pub fn destroy(&self) -> Result<()> {
        self.base.destroy()
    }

    /// Frees every page of a tree that has no long rows; its leaves are not read. Nobody else uses the tree.
    pub(super) fn destroy_nodes(&self) -> Result<()> {
        self.base.destroy_nodes()
    }

    /// Whether a row of so many bytes does not fit a leaf.
    pub(super) fn is_long(&self, len: usize) -> bool {
        len > overflow::inline_bytes_max(self.base.page_bytes())
    }

    /// Checks every page of the tree (B1 to B4) and tells each page's number to `visit`. Nobody changes the tree meanwhile.
    ///
    /// # Errors
    /// XX001 with the first thing found wrong.
    pub fn verify(&self, visit: &mut dyn FnMut(PageId) -> Result<()>) -> Result<TreeStatistics> {
        self.base.verify(visit)
    }
}

/// What a leaf holds for a row, and whether that is a reference.
fn inline_or_overflow<'a>(
    pool: &Pool,
    tree: TreeId,
    row: &'a [u8],
) -> Result<(Cow<'a, [u8]>, bool)> {
    if row.len() <= overflow::inline_bytes_max(pool.page_bytes()) {
        return Ok((Cow::Borrowed(row), false));
    }
    if row.len() > ROW_BYTES_MAX {
        return Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("row is too big: size {}, maximum size {ROW_BYTES_MAX}", row.len()),
        ));
    }
    Ok((Cow::Owned(overflow::write(pool, tree, row)?), true))
}

/// Fills a new tree from rows in ascending order, leaf by leaf, without a descent a row.
///
/// Nothing of it is to be seen before [`RowBuilder::finish`]. Whoever gives up calls [`RowBuilder::abort`], else the
/// pages stay allocated.
pub struct RowBuilder {
    builder: Builder<RowFormat>,
    tree: TreeId,
    chains: Vec<PageId>,
}

impl RowBuilder {
    /// A builder of a new tree.
    pub fn new(pool: Arc<Pool>, tree: TreeId) -> Result<Self> {
        Ok(Self { builder: Builder::new(pool, tree)?, tree, chains: Vec::new() })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// XX000 if its id is not above all before it.
    pub fn push(&mut self, rowid: RowId, bytes: &[u8], flags: RowFlags) -> Result<()> {
        if self.builder.last_key().is_some_and(|last| *last >= rowid.0) {
            return Err(Error::internal("rows of a bulk build do not ascend"));
        }
        let (body, is_overflow) = inline_or_overflow(self.builder.pool(), self.tree, bytes)?;
        let mut flags = flags.0 & RowFlags::ALL;
        if is_overflow {
            flags |= OVERFLOW;
            let chains = &mut self.chains;
            overflow::pages(self.builder.pool(), &body, &mut |page| {
                chains.push(page);
                Ok(())
            })?;
        }
        self.builder.push(rowid.0, &body, flags.into())
    }

    /// The tree.
    pub fn finish(self) -> Result<RowTree> {
        Ok(RowTree { base: self.builder.finish()? })
    }

    /// Gives all pages back.
    pub fn abort(self) -> Result<()> {
        overflow::free(self.builder.pool(), &self.chains)?;
        self.builder.abort()
    }
}
