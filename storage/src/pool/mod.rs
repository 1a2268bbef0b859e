//! The buffer pool: pages in memory, found by their logical number, under a hard limit.
//!
//! A page is reached through its latch: [`Pool::read`] shares it, [`Pool::write`] owns it. A page that is not in memory
//! is loaded first, for which another may have to leave. A dirty page that leaves is written to a *fresh* run of units;
//! its old version stays in the file until the next checkpoint is durable, since recovery starts from there. So eviction
//! needs no regard for the log, and the pool may evict what uncommitted transactions wrote.
//!
//! Checkpoints cut time into *epochs*: each keeps the state at the end of one, while changes of the next go on
//! ([`snapshot`]).
//!
//! ```text
//!   PageId --entries--> Slot { latch, bytes?, location?, dirty }
//!                          |bytes                 |location
//!                          v                      v
//!                        frame (frames.rs)      units (alloc.rs) <- page table (page_table.rs), at checkpoints
//! ```
//!
//! Invariants
//! - L1: frames never exceed the limit; if every frame is latched the caller gets 53200, not more memory.
//! - L2: `&mut` bytes exist only in a [`PageWrite`], and taking them marks the page dirty, after what the checkpoint that
//!   is being written needs of it was kept.
//! - L3: a page that is loaded has its checksum, its own number and the page table's checksum verified, and that before it
//!   is decompressed.
//! - L4: eviction only *tries* latches, so holding latches while asking for another page cannot deadlock with it.
//!   Among themselves, callers need an order: the trees' is in [`crate::tree`], and [`crate::ledger`] watches over it.
//! - L5: each tree's units are counted: those that the newest versions of its pages have in the file, and of pages that
//!   are in memory only, what they would have whole.
//! - L6: a change begins if an eighth of the frames is clean, one that takes something back if a 64th is ([`Pool::admit`]). So there are pages
//!   that can leave on a full disk: those, and dirty ones whose place in the file no checkpoint names, which are written there again.
//!
//! Pages that many read and few change have copies, which are read without a latch ([`copies`]). Pages that a scan is about to come to are
//! loaded several at a time ([`read_ahead`]).
//!
//! Left out: pages that move to the node that uses them.

mod contention;
mod copies;
mod entries;
mod frame;
mod frames;
mod holdings;
#[cfg(test)]
mod node_tests;
mod read_ahead;
#[cfg(test)]
mod read_ahead_tests;
mod snapshot;
mod trees;
mod write_out;

use crate::alloc::{Allocator, Run};
use crate::codec::{Coders, PageRef, Wanted};
use crate::governor::Governor;
use crate::huge_pages::HugePageSource;
use crate::ledger::{Taking, Token};
use crate::page::{self, PageId, PageKind, TreeId};
use crate::superblock::BlockRef;
use crate::topology::Topology;
use crate::vfs::{IoMethod, VfsFile};
use contention::Contention;
pub(crate) use contention::ContentionRule;
use crossbeam_utils::CachePadded;
use damask_types::{Error, Result, SqlState};
pub use entries::Usage;
use entries::{Entries, Entry, Slot};
use frame::Frame;
pub(crate) use frame::try_huge_page;
pub use frames::NodeStatistics;
use frames::{Found, Frames, Leaving, Victim};
use hashbrown::HashSet;
use parking_lot::{Mutex, RwLockReadGuard, RwLockWriteGuard};
use snapshot::Snapshot;
use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use trees::{Recount, TreeCodecs, TreeUnits};
pub(crate) use write_out::Ownership;

pub use holdings::PoolHoldings;
pub(crate) use read_ahead::AHEAD_MAX;
pub(crate) use snapshot::SnapshotWriter;
pub(crate) use write_out::TableChanges;
/// How often a thread looks again for a frame while every page is latched.
const FRAME_TRIES: usize = 10_000;

/// What pages are about to be changed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something new, which may be refused.
    Forward,
    /// Something is taken back, which must get on.
    Back,
}

impl Change {
    /// How many of so many frames are to be clean when such a change begins. In a small pool, enough for what one change makes dirty.
    fn clean_min(self, frame_count: usize) -> usize {
        match self {
            Self::Forward => (frame_count / 8).max(16.min(frame_count / 4)),
            Self::Back => (frame_count / 64).max(8.min(frame_count / 8)),
        }
    }
}

/// Pages in memory, found by their logical number, at most as many bytes as allowed.
pub struct Pool {
    page_bytes: usize,
    /// Starts every checksum, so that pages of another database do not pass.
    seed: u32,
    file: Arc<dyn VfsFile>,
    memory: Arc<Governor>,
    entries: Entries,
    frames: Frames,
    ids: Mutex<PageIds>,
    allocator: Mutex<Allocator>,
    changes: Mutex<Changes>,
    /// Frames whose pages differ from the file's.
    dirty_frames: CachePadded<AtomicUsize>,
    /// The current epoch, from 1; changes under the lock of `changes`.
    epoch: AtomicU32,
    /// Whether a durable state exists that old versions must be kept for; not so in memory.
    keeps_old: bool,
    /// How the pages of trees are stored.
    codecs: TreeCodecs,
    coders: Coders,
    load_count: AtomicU64,
    ahead_count: AtomicU64,
    /// Frames of pages that are being loaded ahead, by all scans.
    ahead_frames: AtomicUsize,
    contention: Contention,
    /// A defect that a test plants.
    #[cfg(test)]
    planted: crate::store::Planted,
}

/// Page numbers in use and free.
#[derive(Debug)]
struct PageIds {
    /// The first number that was never used.
    next: u32,
    /// Freed ones, longest ago first: a stale number is best not reused at once.
    free: VecDeque<PageId>,
}

/// What differs from the last checkpoint, and from the one that is being written.
#[derive(Debug, Default)]
struct Changes {
    /// Pages changed since whose newest version is in memory only; some may be written meanwhile.
    dirty: FastSet<PageId>,
    /// Page-table nodes with an entry that changed.
    nodes: FastSet<u32>,
    /// What the checkpoint that is being written needs.
    snapshot: Option<Snapshot>,
    /// Units of each tree that has any (L5).
    tree_units: TreeUnits,
    /// The same, while it is verified.
    recount: Option<Recount>,
}

type FastSet<T> = HashSet<T, foldhash::fast::RandomState>;

/// A page under its shared latch.
pub struct PageRead<'p> {
    page: PageId,
    slot: RwLockReadGuard<'p, Slot>,
    _token: Token,
}

/// A page under its exclusive latch; taking `&mut` marks it dirty.
pub struct PageWrite<'p> {
    pool: &'p Pool,
    page: PageId,
    entry: &'p Entry,
    slot: RwLockWriteGuard<'p, Slot>,
    _token: Token,
}

/// What trying to take a latch came to.
pub(crate) enum Tried<G> {
    /// What was tried for.
    Got(G),
    /// Somebody has it.
    Taken,
    /// The page is not in memory, or on its way in or out.
    Missing,
}

/// Says that a page is read from the file or written there, until it is dropped.
struct InIo<'p>(&'p Entry);

impl<'p> InIo<'p> {
    fn begin(entry: &'p Entry) -> Self {
        entry.in_io.fetch_add(1, Ordering::AcqRel);
        Self(entry)
    }
}

impl Drop for InIo<'_> {
    fn drop(&mut self) {
        self.0.in_io.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a pool is made from.
pub(crate) struct PoolParts {
    pub(crate) page_bytes: usize,
    pub(crate) pool_bytes: usize,
    pub(crate) memory: Arc<Governor>,
    pub(crate) topology: Arc<dyn Topology>,
    /// Who is asked for huge pages; none to ask nobody.
    pub(crate) huge_pages: Option<Arc<dyn HugePageSource>>,
    pub(crate) contention: ContentionRule,
    /// Where the pool's own random choices start.
    pub(crate) chance: u64,
    pub(crate) seed: u32,
    pub(crate) file: Arc<dyn VfsFile>,
    /// Locations by page number, as the page table has them.
    pub(crate) pages: Vec<Option<PageRef>>,
    pub(crate) allocator: Allocator,
    pub(crate) keeps_old: bool,
    /// A defect that a test plants.
    #[cfg(test)]
    pub(crate) planted: crate::store::Planted,
}

/// Figures about a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatistics {
    /// Frames the limit allows.
    pub frames_max: usize,
    /// Frames in memory.
    pub frame_count: usize,
    /// Those in memory that was asked to lie in huge pages, and the system did not refuse.
    pub frame_huge_count: usize,
    /// Pages that exist.
    pub page_count: usize,
    /// Pages whose newest version is in memory only.
    pub dirty_count: usize,
    /// Pages loaded from the file so far.
    pub load_count: u64,
    /// Those of them that a scan was likely to come to.
    pub ahead_count: u64,
    /// How those are read.
    pub io_method: IoMethod,
    /// Changes that had to wait for their leaf.
    pub leaf_waits: u64,
    /// Leaves split because changes of different entries waited for each other.
    pub contention_splits: u64,
    /// Units (4 KiB) of the data file.
    pub unit_count: u64,
    /// Those that are free now.
    pub unit_free_count: u64,
}

impl Pool {
    pub(crate) fn new(parts: PoolParts) -> Self {
        let entries = Entries::new();
        let mut ids = PageIds { next: 1, free: VecDeque::new() };
        // Slot 0 exists so that `get` of `PageId::NONE` finds a page that is not live.
        entries.get_or_make(PageId::NONE);
        // Numbers at the end that are free were never used as far as anyone can tell.
        let mut tree_units = TreeUnits::default();
        let used_len = parts.pages.iter().rposition(Option::is_some).map_or(1, |last| last + 1);
        for (number, location) in parts.pages.iter().enumerate().take(used_len).skip(1) {
            let page = PageId(number as u32);
            let mut slot = entries.get_or_make(page).latch.write();
            slot.location = *location;
            slot.live = location.is_some();
            match location {
                Some(location) => tree_units.add(location.tree, location.run.count),
                None => ids.free.push_back(page),
            }
        }
        ids.next = used_len as u32;
        Self {
            page_bytes: parts.page_bytes,
            seed: parts.seed,
            file: parts.file,
            memory: Arc::clone(&parts.memory),
            entries,
            frames: Frames::new(
                parts.page_bytes,
                parts.pool_bytes / parts.page_bytes,
                parts.memory,
                parts.topology,
                parts.huge_pages,
            ),
            ids: Mutex::new(ids),
            allocator: Mutex::new(parts.allocator),
            changes: Mutex::new(Changes { tree_units, ..Changes::default() }),
            dirty_frames: CachePadded::default(),
            epoch: AtomicU32::new(1),
            keeps_old: parts.keeps_old,
            codecs: TreeCodecs::default(),
            coders: Coders::default(),
            load_count: AtomicU64::new(0),
            ahead_count: AtomicU64::new(0),
            ahead_frames: AtomicUsize::new(0),
            contention: Contention::new(parts.contention, parts.chance),
            #[cfg(test)]
            planted: parts.planted,
        }
    }

    /// Who grants memory.
    pub(crate) fn memory(&self) -> &Arc<Governor> {
        &self.memory
    }

    /// Bytes of a page.
    pub fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// Takes a page's shared latch, loading the page if needed.
    ///
    /// # Errors
    /// XX001 if no such page exists or its bytes are not what was written, 53200 if every frame is latched, 58030 if
    /// the file cannot be read.
    pub fn read(&self, page: PageId) -> Result<PageRead<'_>> {
        self.read_live(page, Usage::Point)?.ok_or_else(|| self.no_such_page(page))
    }

    /// [`Pool::read`] of a page that may have been freed: `None` then.
    #[inline]
    pub(crate) fn read_live(&self, page: PageId, usage: Usage) -> Result<Option<PageRead<'_>>> {
        let Some(entry) = self.entries.get(page) else { return Ok(None) };
        let mut slot = entry.latch.read();
        if slot.bytes.is_none() {
            let is_live = slot.live;
            drop(slot);
            let Some(loaded) = self.load_live(page, entry, is_live)? else { return Ok(None) };
            slot = RwLockWriteGuard::downgrade(loaded);
        }
        entry.touch(usage);
        Ok(Some(PageRead::new(page, slot, Taking::Waiting)))
    }

    /// [`Pool::read_live`] of a page that is in memory by the time nobody else has it exclusively; `None` if it is not.
    #[inline]
    pub(crate) fn read_loaded(&self, page: PageId, usage: Usage) -> Option<PageRead<'_>> {
        let entry = self.entries.get(page)?;
        let slot = entry.latch.read();
        slot.bytes.as_ref()?;
        entry.touch(usage);
        Some(PageRead::new(page, slot, Taking::Waiting))
    }

    /// Takes a page's shared latch if the page is in memory. `None` if it is not, or is on its way in or out: this never
    /// waits for the file.
    pub(crate) fn read_resident(&self, page: PageId) -> Option<PageRead<'_>> {
        let entry = self.entries.get(page)?;
        let slot = match entry.latch.try_read() {
            Some(slot) => slot,
            None if entry.is_in_io() => return None,
            None => entry.latch.read(),
        };
        slot.bytes.as_ref()?;
        entry.touch(Usage::Point);
        Some(PageRead::new(page, slot, Taking::Waiting))
    }

    /// [`Pool::read_resident`] with the exclusive latch.
    pub(crate) fn write_resident(&self, page: PageId) -> Option<PageWrite<'_>> {
        let entry = self.entries.get(page)?;
        let slot = match entry.latch.try_write() {
            Some(slot) => slot,
            None if entry.is_in_io() => return None,
            None => entry.latch.write(),
        };
        slot.bytes.as_ref()?;
        entry.touch(Usage::Point);
        Some(PageWrite::new(self, page, entry, slot, Taking::Waiting))
    }

    /// Takes a page's shared latch if the page is in memory and nobody has the latch exclusively or waits for that.
    pub(crate) fn try_read(&self, page: PageId) -> Tried<PageRead<'_>> {
        let Some(entry) = self.entries.get(page) else { return Tried::Missing };
        match entry.latch.try_read() {
            None if entry.is_in_io() => Tried::Missing,
            None => Tried::Taken,
            Some(slot) if slot.bytes.is_none() => Tried::Missing,
            Some(slot) => {
                entry.touch(Usage::Point);
                Tried::Got(PageRead::new(page, slot, Taking::Trying))
            }
        }
    }

    /// Takes a page's exclusive latch if the page is in memory and nobody has the latch.
    pub(crate) fn try_write(&self, page: PageId) -> Tried<PageWrite<'_>> {
        let Some(entry) = self.entries.get(page) else { return Tried::Missing };
        match entry.latch.try_write() {
            None if entry.is_in_io() => Tried::Missing,
            None => Tried::Taken,
            Some(slot) if slot.bytes.is_none() => Tried::Missing,
            Some(slot) => {
                entry.touch(Usage::Point);
                Tried::Got(PageWrite::new(self, page, entry, slot, Taking::Trying))
            }
        }
    }

    /// Takes a page's exclusive latch, loading the page if needed.
    ///
    /// # Errors
    /// As [`Pool::read`].
    pub fn write(&self, page: PageId) -> Result<PageWrite<'_>> {
        self.write_live(page)?.ok_or_else(|| self.no_such_page(page))
    }

    /// [`Pool::write`] of a page that may have been freed: `None` then.
    #[inline]
    fn write_live(&self, page: PageId) -> Result<Option<PageWrite<'_>>> {
        let Some(entry) = self.entries.get(page) else { return Ok(None) };
        let mut slot = entry.latch.write();
        if slot.bytes.is_none() {
            let is_live = slot.live;
            drop(slot);
            let Some(loaded) = self.load_live(page, entry, is_live)? else { return Ok(None) };
            slot = loaded;
        }
        entry.touch(Usage::Point);
        Ok(Some(PageWrite::new(self, page, entry, slot, Taking::Waiting)))
    }

    /// [`Pool::write_live`] for a change of a leaf, which is counted; and whether it has waited for others that read or change
    /// the page.
    #[inline]
    pub(crate) fn write_counted(&self, page: PageId) -> Result<Option<(PageWrite<'_>, bool)>> {
        let Some(entry) = self.entries.get(page) else { return Ok(None) };
        let (mut slot, mut has_waited) = match entry.latch.try_write() {
            Some(slot) => (slot, false),
            None => self.wait_for(entry),
        };
        if slot.bytes.is_none() {
            let is_live = slot.live;
            drop(slot);
            let Some(loaded) = self.load_live(page, entry, is_live)? else { return Ok(None) };
            (slot, has_waited) = (loaded, false);
        }
        slot.change_count = slot.change_count.wrapping_add(1);
        #[cfg(test)]
        let has_waited = has_waited || self.contention.is_pretended();
        entry.touch(Usage::Point);
        Ok(Some((PageWrite::new(self, page, entry, slot, Taking::Waiting), has_waited)))
    }

    /// An exclusive latch that somebody has, and whether those are others that use the page rather than read it from the file or write
    /// it there.
    #[cold]
    fn wait_for<'p>(&self, entry: &'p Entry) -> (RwLockWriteGuard<'p, Slot>, bool) {
        let is_used = !entry.is_in_io();
        if is_used {
            self.contention.note_wait();
        }
        (entry.latch.write(), is_used)
    }

    /// When leaves are split because they are fought for.
    pub(crate) fn contention(&self) -> &Contention {
        &self.contention
    }

    /// Makes a page: zeroed but for the header's common part, latched exclusively, dirty.
    ///
    /// # Errors
    /// 53200 if every frame is latched; 58030 or 53100 if a page that must leave cannot be written; 54000 if there are
    /// 2^32 pages.
    pub fn allocate(&self, kind: PageKind, tree: TreeId) -> Result<PageWrite<'_>> {
        let mut frame = self.frame()?;
        let page = match self.next_id() {
            Ok(page) => page,
            Err(error) => {
                self.frames.give_back(frame);
                return Err(error);
            }
        };
        let entry = self.entries.get_or_make(page);
        let mut slot = entry.latch.write();
        assert!(!slot.live && slot.bytes.is_none(), "page {page} was free");
        page::format(&mut frame, kind, u64::from(page.0), tree);
        slot.live = true;
        slot.bytes = Some(frame);
        self.changes.lock().tree_units.add(tree, self.page_units());
        self.before_change(page, &mut slot);
        self.frames.enqueue(&self.entries, page, &mut slot);
        entry.touch(Usage::Point);
        Ok(PageWrite::new(self, page, entry, slot, Taking::Trying))
    }

    /// Gives a page back. This thread must not hold its latch; its number will be given out again.
    ///
    /// # Errors
    /// XX001 if there is no such page.
    pub fn free(&self, page: PageId) -> Result<()> {
        let entry = self.entry(page)?;
        let mut slot = entry.latch.write();
        if !slot.live {
            return Err(self.no_such_page(page));
        }
        self.free_slot(page, entry, &mut slot);
        Ok(())
    }

    /// Figures.
    pub fn statistics(&self) -> PoolStatistics {
        let page_count = {
            let ids = self.ids.lock();
            ids.next as usize - 1 - ids.free.len()
        };
        let dirty_count = {
            let changes = self.changes.lock();
            changes.dirty.len() + changes.snapshot.as_ref().map_or(0, Snapshot::len)
        };
        let (leaf_waits, contention_splits) = self.contention.counts();
        let allocator = self.allocator.lock();
        PoolStatistics {
            frames_max: self.frames.capacity(),
            frame_count: self.frames.made_count(),
            frame_huge_count: self.frames.huge_count(),
            page_count,
            dirty_count,
            load_count: self.load_count.load(Ordering::Relaxed),
            ahead_count: self.ahead_count.load(Ordering::Relaxed),
            io_method: self.file.io_method(),
            leaf_waits,
            contention_splits,
            unit_count: allocator.unit_count(),
            unit_free_count: allocator.free_count(),
        }
    }

    /// Figures of the frames of each node.
    pub fn node_statistics(&self) -> Vec<NodeStatistics> {
        self.frames.statistics()
    }

    /// The first page number that was never used: all pages are below.
    pub fn page_bound(&self) -> PageId {
        PageId(self.ids.lock().next)
    }

    /// Whether the number stands for a page.
    pub fn is_live(&self, page: PageId) -> bool {
        self.entries.get(page).is_some_and(|entry| entry.latch.read().live)
    }

    fn entry(&self, page: PageId) -> Result<&Entry> {
        self.entries.get(page).ok_or_else(|| self.no_such_page(page))
    }

    #[cold]
    pub(crate) fn no_such_page(&self, page: PageId) -> Error {
        Error::corrupted(format!("page {page} of file \"{}\" is not in use", self.name()))
    }

    fn name(&self) -> impl fmt::Display + '_ {
        self.file.path().display()
    }

    fn next_id(&self) -> Result<PageId> {
        let mut ids = self.ids.lock();
        if let Some(page) = ids.free.pop_front() {
            return Ok(page);
        }
        let page = PageId(ids.next);
        ids.next = ids.next.checked_add(1).ok_or_else(|| {
            let message = format!("file \"{}\" cannot hold more pages", self.name());
            Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
        })?;
        Ok(page)
    }

    fn free_slot(&self, page: PageId, entry: &Entry, slot: &mut Slot) {
        entry.clear_copy();
        self.keep_for_snapshot(page, slot);
        let (tree, units) = self.units_of(slot);
        slot.live = false;
        slot.is_apart = false;
        if std::mem::take(&mut slot.dirty_epoch) != 0 {
            self.dirty_frames.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(frame) = slot.bytes.take() {
            self.frames.give_back(frame);
        }
        let old = slot.location.take();
        let mut changes = self.changes.lock();
        changes.tree_units.remove(tree, units);
        changes.dirty.remove(&page);
        self.note_moved(&mut changes, page, old);
        drop(changes);
        if let Some(old) = old {
            self.free_run(old.run, slot.written_epoch, self.epoch.load(Ordering::Acquire));
        }
        self.ids.lock().free.push_back(page);
    }

    /// Frees a run that belongs to the state of epoch `written` and that the state of epoch `freed` has no use for: at
    /// once if no checkpoint names it, that is, if no epoch ended in between.
    fn free_run(&self, run: Run, written: u32, freed: u32) {
        let mut allocator = self.allocator.lock();
        if self.keeps_old && written != freed {
            allocator.defer(run, freed);
        } else {
            allocator.release(run);
        }
    }

    /// Makes a page ready to be changed in the current epoch: what a checkpoint needs of it is kept, and it is dirty.
    #[cold]
    fn before_change(&self, page: PageId, slot: &mut Slot) {
        self.keep_for_snapshot(page, slot);
        if !slot.is_dirty() {
            self.dirty_frames.fetch_add(1, Ordering::Relaxed);
        }
        let mut changes = self.changes.lock();
        slot.dirty_epoch = self.epoch.load(Ordering::Acquire);
        changes.dirty.insert(page);
    }

    /// A frame for a page, evicting another if there is none.
    fn frame(&self) -> Result<Frame> {
        let (mut leaving, mut disk_full) = (Leaving::Any, None);
        for _ in 0..FRAME_TRIES {
            match self.try_frame(leaving) {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => match disk_full {
                    Some(error) => return Err(error),
                    None => std::thread::yield_now(),
                },
                // A full disk must not stop readers while there are others that can leave. Where the file system writes in no place twice, only
                // clean ones can.
                Err(error) if error.is_disk_full() => {
                    leaving = match leaving {
                        Leaving::Any => Leaving::WithoutRoom,
                        _ => Leaving::Clean,
                    };
                    disk_full = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        let message = "buffer pool is exhausted: every page in memory is in use";
        let detail = format!("The limit is {} pages.", self.frames.capacity());
        Err(Error::new(SqlState::OUT_OF_MEMORY, message).detail(detail))
    }

    /// [`Pool::frame`] if there is one at once, or a page that may leave.
    fn try_frame(&self, leaving: Leaving) -> Result<Option<Frame>> {
        match self.frames.find(&self.entries, leaving) {
            Found::Frame(frame) => Ok(Some(frame)),
            Found::Victim(victim) => self.evict(victim),
            Found::Nothing => Ok(None),
        }
    }

    /// The frame of a page that leaves; it stays if it cannot be written.
    fn evict(&self, (page, mut slot): Victim<'_>) -> Result<Option<Frame>> {
        if slot.is_dirty()
            && let Err(error) = self.write_victim(page, &mut slot)
        {
            self.frames.enqueue(&self.entries, page, &mut slot);
            return Err(error);
        }
        self.entry(page)?.clear_copy();
        Ok(slot.bytes.take())
    }

    /// To be called before pages are changed, without a latch or the like: sees to it that not all frames are dirty, for which some are
    /// written (L6).
    ///
    /// # Errors
    /// 53100 if the disk is full; 58030 if a page cannot be written.
    #[inline]
    pub fn admit(&self, change: Change) -> Result<()> {
        let is_enough = self.dirty_frames.load(Ordering::Relaxed) <= self.dirty_max(change);
        if is_enough { Ok(()) } else { self.write_surplus(change) }
    }

    /// Most frames that are to be dirty when such a change begins.
    #[inline]
    fn dirty_max(&self, change: Change) -> usize {
        let reach = self.frames.reach();
        reach - change.clean_min(reach)
    }

    /// Writes dirty pages, which leave, until they are few enough.
    #[cold]
    fn write_surplus(&self, change: Change) -> Result<()> {
        let (mut leaving, mut disk_full) = (Leaving::Dirty, None);
        while self.dirty_frames.load(Ordering::Relaxed) > self.dirty_max(change) {
            let Some(victim) = self.frames.find_victim(&self.entries, leaving) else {
                // Without a full disk the others are latched: whoever comes next finds them.
                return disk_full.map_or(Ok(()), Err);
            };
            match self.evict(victim) {
                Ok(frame) => frame.into_iter().for_each(|frame| self.frames.give_back(frame)),
                Err(error) if error.is_disk_full() && disk_full.is_none() => {
                    (leaving, disk_full) = (Leaving::DirtyWithoutRoom, Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_victim(&self, page: PageId, slot: &mut Slot) -> Result<()> {
        let entry = self.entry(page)?;
        let _io = InIo::begin(entry);
        self.write_page(page, slot)
    }

    /// Loads a page, which was live when its latch was let go, unless someone else just did; its exclusive latch. `None` if it is
    /// not live any more.
    #[cold]
    fn load_live<'p>(
        &'p self,
        page: PageId,
        entry: &'p Entry,
        is_live: bool,
    ) -> Result<Option<RwLockWriteGuard<'p, Slot>>> {
        if !is_live {
            // No frame is taken for it, for which another page might have to be written.
            return Ok(None);
        }
        let mut frame = self.frame()?;
        let _io = InIo::begin(entry);
        let mut slot = entry.latch.write();
        if slot.bytes.is_some() {
            self.frames.give_back(frame);
            return Ok(Some(slot));
        }
        let Some(location) = slot.location.filter(|_| slot.live) else {
            self.frames.give_back(frame);
            return Ok(None);
        };
        if let Err(error) = self.read_page(page, location, &mut frame) {
            self.frames.give_back(frame);
            return Err(error);
        }
        slot.bytes = Some(frame);
        self.load_count.fetch_add(1, Ordering::Relaxed);
        self.frames.enqueue(&self.entries, page, &mut slot);
        Ok(Some(slot))
    }

    /// Reads and verifies a page (L3).
    fn read_page(&self, page: PageId, location: PageRef, bytes: &mut [u8]) -> Result<()> {
        let wanted = Wanted { number: page.0.into(), location, bytes };
        match self.coders.read(&*self.file, self.seed, wanted)? {
            None => Ok(()),
            Some(problem) => Err(self.invalid(page, location, problem)),
        }
    }

    #[cold]
    fn invalid(&self, page: PageId, location: PageRef, problem: String) -> Error {
        let message = format!("invalid page {page} in file \"{}\": {problem}", self.name());
        let start = location.run.start;
        Error::corrupted(message).detail(format!("The page is at unit {start}."))
    }
}

/// What is wrong with a block that should be page `number`, if anything.
pub(crate) fn block_problem(
    seed: u32,
    number: u64,
    location: BlockRef,
    bytes: &[u8],
) -> Option<String> {
    let stored = page::get_u32(bytes, page::offset::CHECKSUM);
    let computed = page::checksum(seed, bytes);
    if stored != computed {
        return Some(format!("checksum is {stored:08x}, content has {computed:08x}"));
    }
    let found = page::page_id(bytes);
    if found != number {
        return Some(format!("it carries the number {found}"));
    }
    if stored != location.crc {
        let expected = location.crc;
        return Some(format!("it is an older version: {stored:08x}, expected {expected:08x}"));
    }
    None
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.statistics().fmt(f)
    }
}

impl<'p> PageRead<'p> {
    fn new(page: PageId, slot: RwLockReadGuard<'p, Slot>, taking: Taking) -> Self {
        let token = Token::of_page(slot.bytes.as_deref(), taking);
        Self { page, slot, _token: token }
    }

    /// The page's number.
    pub fn page(&self) -> PageId {
        self.page
    }
}

impl Deref for PageRead<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.slot.bytes.as_deref().expect("a latched page is in memory")
    }
}

impl<'p> PageWrite<'p> {
    fn new(
        pool: &'p Pool,
        page: PageId,
        entry: &'p Entry,
        slot: RwLockWriteGuard<'p, Slot>,
        taking: Taking,
    ) -> Self {
        let token = Token::of_page(slot.bytes.as_deref(), taking);
        Self { pool, page, entry, slot, _token: token }
    }

    /// The page's number.
    pub fn page(&self) -> PageId {
        self.page
    }

    /// Changes of this leaf so far ([`Pool::write_counted`]).
    pub(crate) fn change_count(&self) -> u32 {
        self.slot.change_count
    }

    /// Notes that the leaf is to stay as it is for a while: it was split because changes waited for each other.
    pub(crate) fn keep_apart(&mut self) {
        self.slot.change_count = 0;
        self.slot.is_apart = true;
    }

    /// Whether that is not long ago.
    pub(crate) fn is_apart(&self) -> bool {
        self.slot.is_apart && self.slot.change_count < self.pool.contention.rule.apart_changes
    }

    /// Gives the latched page back, as [`Pool::free`] does.
    ///
    /// # Errors
    /// None so far; freeing may come to write.
    pub fn free(mut self) -> Result<()> {
        self.pool.free_slot(self.page, self.entry, &mut self.slot);
        Ok(())
    }
}

impl Deref for PageWrite<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.slot.bytes.as_deref().expect("a latched page is in memory")
    }
}

impl DerefMut for PageWrite<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        if !self.pool.leaves_copies() {
            self.entry.clear_copy();
        }
        // The epoch changes only while page changes stand still.
        if self.slot.dirty_epoch != self.pool.epoch.load(Ordering::Relaxed) {
            self.pool.before_change(self.page, &mut self.slot);
        }
        self.slot.bytes.as_deref_mut().expect("a latched page is in memory")
    }
}
