//! Writing pages and the page table to fresh units: at eviction one by one, at checkpoints all that is dirty.
//!
//! A checkpoint goes through three steps here. [`Pool::write_dirty`] gives every dirty page a place in the file;
//! [`Pool::write_table`] writes the page-table nodes that changed and returns the complete list of nodes as
//! [`TableChanges`]; and when the superblock that names them is durable, [`Pool::checkpoint_done`] makes the old
//! versions' units free. If anything fails in between, [`Pool::checkpoint_failed`] forgets the new nodes; pages keep
//! their new places, which are as good as the old.
//!
//! Page changes stand still during these steps; loads and evictions of clean pages go on.

use super::Pool;
use super::entries::Slot;
use crate::alloc::{RUN_UNITS_MAX, Run};
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
    /// The nodes that were written.
    changed: Vec<u32>,
}

impl Pool {
    /// Writes a dirty page to a fresh run; the old version's units are freed by the rules.
    pub(super) fn write_page(&self, page: PageId, slot: &mut Slot) -> Result<()> {
        let bytes = slot.bytes.as_deref_mut().expect("a dirty page is in memory");
        debug_assert_eq!(page::page_id(bytes), u64::from(page.0), "a page keeps its number");
        let crc = page::seal(self.seed, bytes);
        let run = self.allocator.lock().allocate((self.page_bytes / UNIT_BYTES) as u32);
        if let Err(error) = self.file.write_at(bytes, run.offset()) {
            self.allocator.lock().release(run);
            return Err(error);
        }
        let old = slot.location.replace(BlockRef { run, crc });
        if let Some(old) = old {
            self.free_run(old.run, slot.written_epoch);
        }
        slot.written_epoch = self.epoch.load(Ordering::Acquire);
        slot.dirty = false;
        let mut changes = self.changes.lock();
        changes.dirty.remove(&page);
        changes.nodes.insert(page_table::node_of(page.0));
        Ok(())
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
                && !latched.slot.dirty
            {
                self.mark_dirty(page, &mut latched.slot);
            }
        }
    }

    /// Writes every dirty page.
    pub(crate) fn write_dirty(&self) -> Result<()> {
        let mut pages: Vec<_> = self.changes.lock().dirty.iter().copied().collect();
        pages.sort_unstable();
        for page in pages {
            let mut slot = self.entry(page)?.latch.write();
            // It may have been evicted since.
            if slot.dirty {
                self.write_page(page, &mut slot)?;
            }
        }
        Ok(())
    }

    /// Writes the nodes that changed since `nodes`, the list of the last checkpoint.
    pub(crate) fn write_table(&self, nodes: &[BlockRef]) -> Result<TableChanges> {
        let bound = self.page_bound().0;
        let node_count = (bound as usize).div_ceil(NODE_ENTRIES);
        let mut changed: Vec<u32> = self.changes.lock().nodes.drain().collect();
        changed.extend(nodes.len() as u32..node_count as u32);
        changed.sort_unstable();
        changed.dedup();
        let mut table = TableChanges {
            nodes: nodes.to_vec(),
            written: Vec::with_capacity(changed.len()),
            replaced: Vec::new(),
            changed,
        };
        match self.write_nodes(&mut table) {
            Ok(()) => Ok(table),
            Err(error) => {
                self.checkpoint_failed(table);
                Err(error)
            }
        }
    }

    fn write_nodes(&self, table: &mut TableChanges) -> Result<()> {
        let mut unit = vec![0; UNIT_BYTES];
        for &node in &table.changed {
            let first = page_table::first_page(node);
            let entries = (first..).take(NODE_ENTRIES).map(|number| {
                let slot = self.entries.get(PageId(number))?.latch.read();
                assert!(!slot.live || slot.location.is_some(), "live page {number} was written");
                slot.location
            });
            let crc = page_table::encode_node(&mut unit, node, self.seed, entries);
            let run = self.allocator.lock().allocate(1);
            table.written.push(run);
            self.file.write_at(&unit, run.offset())?;
            let new = BlockRef { run, crc };
            if let Some(old) = table.nodes.get_mut(node as usize) {
                table.replaced.push(std::mem::replace(old, new).run);
            } else {
                assert_eq!(table.nodes.len(), node as usize, "missing nodes are written in order");
                table.nodes.push(new);
            }
        }
        Ok(())
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
        self.allocator.lock().unit_count_without(&freed)
    }

    /// Units the file has to have for what is allocated now.
    pub(crate) fn unit_count(&self) -> u64 {
        self.allocator.lock().unit_count()
    }

    /// The superblock that names `table` is durable: frees what only the checkpoint before needed, `old_root` included.
    /// Returns the length to cut the file to, in units; a closing file is cut to the end of what is used.
    pub(crate) fn checkpoint_done(
        &self,
        table: &TableChanges,
        old_root: Vec<Run>,
        closing: bool,
    ) -> Option<u64> {
        let mut allocator = self.allocator.lock();
        for run in table.replaced.iter().copied().chain(old_root) {
            allocator.release(run);
        }
        allocator.release_deferred();
        self.epoch.fetch_add(1, Ordering::AcqRel);
        allocator.cut_tail(closing)
    }

    /// The checkpoint will not happen: forgets its nodes.
    pub(crate) fn checkpoint_failed(&self, table: TableChanges) {
        let mut allocator = self.allocator.lock();
        for run in table.written {
            allocator.release(run);
        }
        drop(allocator);
        self.changes.lock().nodes.extend(table.changed);
    }
}

/// What verification looks at.
impl Pool {
    /// Where the file has a page's newest version.
    pub(crate) fn location(&self, page: PageId) -> Option<BlockRef> {
        self.entries.get(page)?.latch.read().location
    }

    /// Deferred and free runs.
    pub(crate) fn allocator_runs(&self) -> Vec<Run> {
        let allocator = self.allocator.lock();
        let mut runs = allocator.deferred().to_vec();
        for (mut start, mut count) in allocator.free_runs() {
            while count > 0 {
                let step = count.min(u64::from(RUN_UNITS_MAX));
                runs.push(Run { start, count: step as u32 });
                start += step;
                count -= step;
            }
        }
        runs
    }

    /// Problems of pages in memory: a page that is not dirty must be what the file has, one that is must know itself.
    pub(crate) fn check_pages(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for number in 1..self.page_bound().0 {
            let Some(entry) = self.entries.get(PageId(number)) else { continue };
            let slot = entry.latch.read();
            let Some(bytes) = &slot.bytes else {
                if slot.live && slot.location.is_none() {
                    problems.push(format!("page {number} is nowhere"));
                }
                continue;
            };
            if page::page_id(bytes) != u64::from(number) {
                problems.push(format!("page {number} in memory carries another number"));
            }
            if !slot.dirty
                && slot.location.is_none_or(|at| at.crc != page::checksum(self.seed, bytes))
            {
                problems.push(format!("page {number} was changed in memory without a mark"));
            }
        }
        problems
    }
}
