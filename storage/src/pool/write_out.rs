//! Writing single pages and the page table to fresh units, and what becomes of the units they had.
//!
//! A checkpoint begins with [`Pool::begin_snapshot`], then writes the pages of that state ([`super::snapshot`]);
//! [`Pool::write_table`] writes the page-table nodes that changed and returns the complete list of nodes as
//! [`TableChanges`]; and when the superblock that names them is durable, [`Pool::checkpoint_done`] makes the old
//! versions' units free. If anything fails in between, [`Pool::checkpoint_failed`] forgets the new nodes; pages keep
//! their new places, which are as good as the old.

use super::Pool;
use super::entries::Slot;
use super::trees::Recount;
use crate::alloc::{RUN_UNITS_MAX, Run};
use crate::codec::{PageCodec, PageRef};
use crate::page::{self, PageId, UNIT_BYTES};
use crate::page_table::{self, NODE_ENTRIES};
use crate::superblock::BlockRef;
use damask_types::Result;
use std::sync::atomic::Ordering;

/// Files shorter than this are not worth the trouble, in units (1 MiB).
const RELOCATE_UNITS_MIN: u64 = 256;
/// Most pages that one checkpoint moves.
const RELOCATE_PAGES_MAX: usize = 1024;

/// What a checkpoint changes in the page table.
#[derive(Debug)]
pub(crate) struct TableChanges {
    /// Every node, changed or not, in order.
    pub(crate) nodes: Vec<BlockRef>,
    /// Runs written for this checkpoint.
    written: Vec<Run>,
    /// Runs of the nodes they replace.
    replaced: Vec<Run>,
    /// The first page number that was not in use.
    bound: PageId,
    /// The epoch whose state it is.
    epoch: u32,
}

/// Who owned the units of the file when it was asked.
#[derive(Debug)]
pub(crate) struct Ownership {
    /// Runs of pages, deferred and free ones; free runs are cut to the length a run can have.
    pub(crate) runs: Vec<Run>,
    /// Units the file had.
    pub(crate) unit_count: u64,
    /// Runs that changed hands while the pages were asked: of their units nothing is known.
    pub(crate) moved: Vec<Run>,
}

impl Pool {
    /// Writes a dirty page to a fresh run; the old version's units are freed by the rules. On a full disk it is written over the old version, if no
    /// checkpoint names that.
    pub(super) fn write_page(&self, page: PageId, slot: &mut Slot) -> Result<()> {
        let own = self.place_to_write_over(slot);
        let bytes = slot.bytes.as_deref_mut().expect("a dirty page is in memory");
        debug_assert_eq!(page::page_id(bytes), u64::from(page.0), "a page keeps its number");
        let tree = page::tree(bytes);
        let mut crc = page::seal(self.seed, bytes);
        let mut codec = self.codec(tree);
        let (mut block, mut compressed) = (&*bytes, Vec::new());
        if let Some(block_crc) = self.coders.compress(codec, self.seed, bytes, &mut compressed) {
            (block, crc) = (&compressed, block_crc);
        } else {
            codec = PageCodec::None;
        }
        let count = (block.len() / UNIT_BYTES) as u32;
        let mut run = self.allocator.lock().allocate(count);
        if let Err(error) = self.file.write_at(block, run.offset()) {
            self.allocator.lock().release(run);
            let own = own.filter(|own| error.is_disk_full() && count <= own.count);
            run = Run { count, ..own.ok_or(error)? };
            self.file.write_at(block, run.offset())?;
        }
        self.place(page, slot, PageRef { run, crc, tree, codec });
        Ok(())
    }

    /// [`Slot::own_place`].
    fn place_to_write_over(&self, slot: &Slot) -> Option<Run> {
        #[cfg(not(test))]
        let _ = self;
        #[cfg(test)]
        if self.planted == crate::store::Planted::WrittenOver {
            return slot.location.map(|location| location.run);
        }
        slot.own_place()
    }

    /// Notes that `location` has what is in memory of a dirty page, which is clean then.
    pub(super) fn place(&self, page: PageId, slot: &mut Slot, location: PageRef) {
        let (tree, units) = self.units_of(slot);
        let epoch = std::mem::take(&mut slot.dirty_epoch);
        self.dirty_frames.fetch_sub(1, Ordering::Relaxed);
        let old = slot.location.replace(location);
        let old_epoch = std::mem::replace(&mut slot.written_epoch, epoch);
        let mut changes = self.changes.lock();
        changes.tree_units.remove(tree, units);
        changes.tree_units.add(location.tree, location.run.count);
        if let Some(recount) = changes.recount.as_mut().filter(|recount| page < recount.bound) {
            recount.units.remove(tree, units);
            recount.units.add(location.tree, location.run.count);
        }
        changes.dirty.remove(&page);
        match &mut changes.snapshot {
            // It is the snapshot's version too.
            Some(snapshot) if snapshot.has_epoch(epoch) => snapshot.placed(page),
            _ => self.note_moved(&mut changes, page, old),
        }
        drop(changes);
        let freed = old.and_then(|old| {
            // It may have been written where it was, and be shorter now.
            let is_same = old.run.start == location.run.start;
            if is_same { old.run.behind(location.run.count) } else { Some(old.run) }
        });
        if let Some(freed) = freed {
            self.free_run(freed, old_epoch, epoch);
        }
    }

    /// Units of a page.
    pub(super) fn page_units(&self) -> u32 {
        (self.page_bytes / UNIT_BYTES) as u32
    }

    /// Marks what lies far behind the used length of a mostly empty file, so that this checkpoint moves it forward and
    /// the file can be cut. `nodes` are the page table's. A page that cannot be read stays where it is.
    pub(crate) fn relocate_tail(&self, nodes: &[BlockRef]) {
        let (unit_count, free_count) = {
            let allocator = self.allocator.lock();
            (allocator.unit_count(), allocator.free_count())
        };
        if free_count * 2 < unit_count || unit_count < RELOCATE_UNITS_MIN {
            return;
        }
        let limit = (unit_count - free_count) * 5 / 4;
        for (node, _) in (0..).zip(nodes).filter(|(_, node)| node.run.start >= limit) {
            self.changes.lock().nodes.insert(node);
        }
        let pages = (1..self.page_bound().0).map(PageId);
        let far = |page: &PageId| self.location(*page).is_some_and(|at| at.run.start >= limit);
        for page in pages.filter(far).take(RELOCATE_PAGES_MAX) {
            if let Ok(mut latched) = self.write(page)
                && !latched.slot.is_dirty()
            {
                self.before_change(page, &mut latched.slot);
            }
        }
    }

    /// Writes the nodes of the snapshot that changed since `nodes`, the list of the last checkpoint. All its pages are
    /// written.
    pub(crate) fn write_table(&self, nodes: &[BlockRef]) -> Result<TableChanges> {
        let (bound, epoch, mut changed) = {
            let changes = self.changes.lock();
            let snapshot = changes.snapshot.as_ref().expect("a checkpoint is being written");
            assert_eq!(snapshot.len(), 0, "the pages were written");
            (snapshot.bound, snapshot.epoch, snapshot.nodes.iter().copied().collect::<Vec<u32>>())
        };
        let node_count = (bound.0 as usize).div_ceil(NODE_ENTRIES);
        changed.extend(nodes.len() as u32..node_count as u32);
        changed.sort_unstable();
        changed.dedup();
        // A page that was made and freed before the snapshot may have been the last.
        changed.retain(|node| (*node as usize) < node_count.max(nodes.len()));
        let mut table = TableChanges {
            nodes: nodes.to_vec(),
            written: Vec::with_capacity(changed.len()),
            replaced: Vec::new(),
            bound,
            epoch,
        };
        match self.write_nodes(&mut table, &changed) {
            Ok(()) => Ok(table),
            Err(error) => {
                self.checkpoint_failed(&table.written);
                Err(error)
            }
        }
    }

    fn write_nodes(&self, table: &mut TableChanges, mut changed: &[u32]) -> Result<()> {
        let mut buffer = Vec::new();
        while !changed.is_empty() {
            let wanted = changed.len().min(RUN_UNITS_MAX as usize) as u32;
            let run = self.allocator.lock().allocate_long(wanted, 1);
            let (now, rest) = changed.split_at(run.count as usize);
            changed = rest;
            buffer.clear();
            buffer.resize(now.len() * UNIT_BYTES, 0);
            for ((&node, unit), start) in
                now.iter().zip(buffer.chunks_mut(UNIT_BYTES)).zip(run.start..)
            {
                let run = Run { start, count: 1 };
                table.written.push(run);
                let new = BlockRef { run, crc: self.encode_node(unit, node, table) };
                if let Some(old) = table.nodes.get_mut(node as usize) {
                    table.replaced.push(std::mem::replace(old, new).run);
                } else {
                    assert_eq!(table.nodes.len(), node as usize, "missing nodes are in order");
                    table.nodes.push(new);
                }
            }
            self.file.write_at(&buffer, run.offset())?;
        }
        Ok(())
    }

    /// A node as the snapshot has it; its checksum.
    fn encode_node(&self, unit: &mut [u8], node: u32, table: &TableChanges) -> u32 {
        let first = page_table::first_page(node);
        let entries = (first..).take(NODE_ENTRIES).map(PageId).map(|page| {
            if page >= table.bound {
                return None;
            }
            let slot = self.entries.get(page)?.latch.read();
            let changes = self.changes.lock();
            let snapshot = changes.snapshot.as_ref().expect("a checkpoint is being written");
            if let Some(frozen) = snapshot.frozen.get(&page) {
                return *frozen;
            }
            let is_later = slot.dirty_epoch > table.epoch;
            assert!(!slot.live || slot.location.is_some() || is_later, "page {page} was written");
            slot.location
        });
        page_table::encode_node(unit, node, self.seed, entries)
    }

    /// Writes a block that is no page to a fresh run, which the caller owns.
    pub(crate) fn write_block(&self, bytes: &[u8], run: Run) -> Result<()> {
        self.file.write_at(bytes, run.offset())
    }

    /// Takes a run for a block that is no page.
    pub(crate) fn allocate_run(&self, count: u32) -> Run {
        self.allocator.lock().allocate(count)
    }

    /// Gives back a run that no durable checkpoint names.
    pub(crate) fn release_run(&self, run: Run) {
        self.allocator.lock().release(run);
    }

    /// Units the file has to have for the checkpoint that `table` belongs to.
    pub(crate) fn unit_count_after(&self, table: &TableChanges, old_root: &[Run]) -> u64 {
        let mut freed = table.replaced.clone();
        freed.extend(old_root);
        self.allocator.lock().unit_count_without(&freed, table.epoch)
    }

    /// The superblock that names `table` is durable: frees what only the checkpoint before needed, `old_root` included,
    /// and cuts the file's free tail; a closing file is cut to the end of what is used.
    pub(crate) fn checkpoint_done(&self, table: &TableChanges, old_root: Vec<Run>, closing: bool) {
        self.changes.lock().snapshot = None;
        let mut allocator = self.allocator.lock();
        for run in table.replaced.iter().copied().chain(old_root) {
            allocator.release(run);
        }
        allocator.release_deferred(table.epoch);
        if let Some(unit_count) = allocator.cut_tail(closing) {
            // Under the lock: who takes the tail again writes to it later. A file that stays long is only untidy.
            drop(self.file.set_len(unit_count * UNIT_BYTES as u64));
        }
    }

    /// The checkpoint will not happen: forgets its nodes, and leaves its pages to the next.
    pub(crate) fn checkpoint_failed(&self, written_nodes: &[Run]) {
        let mut allocator = self.allocator.lock();
        for run in written_nodes {
            allocator.release(*run);
        }
        drop(allocator);
        let mut changes = self.changes.lock();
        if let Some(snapshot) = changes.snapshot.take() {
            changes.dirty.extend(snapshot.todo);
            changes.nodes.extend(snapshot.nodes);
        }
    }
}

impl TableChanges {
    /// Runs of the nodes that were written.
    pub(crate) fn written(&self) -> &[Run] {
        &self.written
    }
}

/// What verification looks at.
impl Pool {
    /// Where the file has a page's newest version.
    pub(crate) fn location(&self, page: PageId) -> Option<PageRef> {
        self.entries.get(page)?.latch.read().location
    }

    /// Deferred and free runs.
    #[cfg(test)]
    pub(crate) fn spare_runs(&self) -> Vec<Run> {
        self.allocator.lock().spare_runs()
    }

    /// Who owns the units of the file, save blocks that are no pages. Pages may be written meanwhile, checkpoints may not.
    pub(crate) fn ownership(&self) -> Ownership {
        let (mut runs, unit_count) = {
            let mut allocator = self.allocator.lock();
            allocator.begin_audit();
            (allocator.spare_runs(), allocator.unit_count())
        };
        // Under a page's latch its old run is given back by the time its new place can be seen.
        for number in 1..self.page_bound().0 {
            runs.extend(self.location(PageId(number)).map(|location| location.run));
        }
        let moved = self.allocator.lock().end_audit();
        Ownership { runs, unit_count, moved }
    }

    /// Problems of pages in memory: a page that is not dirty must be what the file has, one that is must know itself. And of
    /// the count of units (L5).
    pub(crate) fn check_pages(&self) -> Vec<String> {
        let mut problems = Vec::new();
        self.changes.lock().recount = Some(Recount::default());
        for number in 1..self.page_bound().0 {
            let Some(entry) = self.entries.get(PageId(number)) else { continue };
            let slot = entry.latch.read();
            if let Some(recount) = &mut self.changes.lock().recount {
                recount.bound = PageId(number + 1);
                if slot.live {
                    let (tree, units) = self.units_of(&slot);
                    recount.units.add(tree, units);
                }
            }
            let Some(bytes) = &slot.bytes else {
                if slot.live && slot.location.is_none() {
                    problems.push(format!("page {number} is nowhere"));
                }
                continue;
            };
            if page::page_id(bytes) != u64::from(number) {
                problems.push(format!("page {number} in memory carries another number"));
            }
            if !slot.is_dirty() && !self.is_as_stored(PageId(number), &slot, bytes) {
                problems.push(format!("page {number} was changed in memory without a mark"));
            }
        }
        let mut changes = self.changes.lock();
        let recount = changes.recount.take();
        if recount.is_some_and(|recount| recount.units != changes.tree_units) {
            problems.push("units of trees are not counted right".to_owned());
        }
        problems
    }

    /// Whether a page in memory is what the file has of it.
    fn is_as_stored(&self, page: PageId, slot: &Slot, bytes: &[u8]) -> bool {
        let Some(location) = slot.location else { return false };
        if location.codec == PageCodec::None {
            return location.crc == page::checksum(self.seed, bytes);
        }
        let mut stored = vec![0; self.page_bytes];
        let checksum = |bytes: &[u8]| page::checksum(self.seed, bytes);
        self.read_page(page, location, &mut stored).is_ok() && checksum(&stored) == checksum(bytes)
    }
}
