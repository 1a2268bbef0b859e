//! The pages of one instant, written while they go on changing.
//!
//! [`Pool::begin_snapshot`] ends an epoch while page changes stand still for a moment. The *snapshot* is the state of all
//! pages then. From there on three parties keep it whole:
//! - Who changes a page for the first time in the new epoch while its bytes are the only copy of the snapshot's version
//!   puts a copy aside first ([`Pool::keep_for_snapshot`]). When much lies aside already it writes the page instead.
//! - Who moves a page to another place in the file, or frees it, notes the place that the snapshot has for it
//!   ([`Pool::note_moved`]).
//! - [`Pool::write_some`] writes what is only in memory, copies first, in runs as long as there is room for, without a
//!   latch: it copies pages under their shared latches, writes, and notes their places after.
//!
//! ```text
//!   dirty in its epoch --> todo --write_some--> written       unchanged since: its place is the page's place
//!                            \--before_change--> aside --write_some--> written, in `frozen`: the snapshot's place
//! ```
//!
//! Invariants
//! - N1: a page of the snapshot is in `todo` (its frame has the snapshot's version, unchanged), or in `aside`, or being
//!   written by [`Pool::write_some`], or in the file: at `frozen`'s place, or if that has none at its own.
//! - N2: a page leaves `todo` only under its latch, so nobody changes it between the look and the copy.
//! - N3: a run that the snapshot names and the page does not is deferred, and so outlives the checkpoint.

use super::entries::Slot;
use super::{Changes, FastSet, Pool};
use crate::alloc::{RUN_UNITS_MAX, Run};
use crate::codec::{PageCodec, PageRef};
use crate::page::{self, PageId, TreeId, UNIT_BYTES};
use crate::page_table::node_of;
use damask_types::Result;
use hashbrown::HashMap;
use std::sync::atomic::Ordering;

/// Copies put aside may take one part of this many of the pool; beyond, who changes a page writes it.
const ASIDE_PART: usize = 4;

/// What is needed to write the state of one instant.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The epoch that it ends.
    pub(super) epoch: u32,
    /// The first page number that was not in use.
    pub(super) bound: PageId,
    /// Pages whose frame has the only copy.
    pub(super) todo: FastSet<PageId>,
    /// Copies of pages that were changed since.
    aside: HashMap<PageId, Box<[u8]>, foldhash::fast::RandomState>,
    /// Where the snapshot has pages that are elsewhere now.
    pub(super) frozen: HashMap<PageId, Option<PageRef>, foldhash::fast::RandomState>,
    /// Page-table nodes with an entry that changed since the last checkpoint.
    pub(super) nodes: FastSet<u32>,
}

impl Snapshot {
    /// Pages that are in memory only.
    pub(super) fn len(&self) -> usize {
        self.todo.len() + self.aside.len()
    }

    /// Whether what was changed in `epoch` is in it.
    pub(super) fn has_epoch(&self, epoch: u32) -> bool {
        epoch <= self.epoch
    }

    /// Notes that a page's place in the file has the snapshot's version.
    pub(super) fn placed(&mut self, page: PageId) {
        self.todo.remove(&page);
        self.nodes.insert(node_of(page.0));
    }
}

/// Writes a snapshot, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct SnapshotWriter {
    /// Pages to look at, the last first.
    order: Vec<PageId>,
    /// Bytes of pages to write.
    buffer: Vec<u8>,
    batch: Vec<Copied>,
    /// A page that is being compressed.
    compressed: Vec<u8>,
    /// Pages at the beginning.
    page_count: usize,
}

/// A page in the buffer.
#[derive(Clone, Copy, Debug)]
struct Copied {
    page: PageId,
    /// It was changed since.
    is_aside: bool,
    tree: TreeId,
    /// What is known when it was made ready to be written: units, checksum, codec.
    units: u32,
    crc: u32,
    codec: PageCodec,
}

impl Copied {
    fn new(page: PageId, is_aside: bool, bytes: &[u8]) -> Self {
        let (tree, codec) = (page::tree(bytes), PageCodec::None);
        Self { page, is_aside, tree, units: 0, crc: 0, codec }
    }
}

impl SnapshotWriter {
    /// Pages there were to write.
    pub(crate) fn page_count(&self) -> usize {
        self.page_count
    }

    /// Pages not looked at yet.
    pub(crate) fn left(&self) -> usize {
        self.order.len()
    }
}

impl Pool {
    /// Ends the epoch: the state now is what the next checkpoint keeps. Page changes stand still for this call.
    pub(crate) fn begin_snapshot(&self) -> SnapshotWriter {
        let bound = self.page_bound();
        let mut changes = self.changes.lock();
        assert!(changes.snapshot.is_none(), "one checkpoint is written at a time");
        let todo = std::mem::take(&mut changes.dirty);
        let order: Vec<PageId> = todo.iter().copied().collect();
        changes.snapshot = Some(Snapshot {
            epoch: self.epoch.fetch_add(1, Ordering::AcqRel),
            bound,
            todo,
            aside: HashMap::default(),
            frozen: HashMap::default(),
            nodes: std::mem::take(&mut changes.nodes),
        });
        SnapshotWriter { page_count: order.len(), order, ..SnapshotWriter::default() }
    }

    /// Keeps the snapshot's version of a page whose bytes are about to change or go, under its exclusive latch.
    pub(super) fn keep_for_snapshot(&self, page: PageId, slot: &mut Slot) {
        if !slot.is_dirty() {
            return;
        }
        #[cfg(test)]
        if self.planted == crate::store::Planted::NoCopyAside {
            return;
        }
        let aside_count = {
            let changes = self.changes.lock();
            match &changes.snapshot {
                Some(snapshot) if snapshot.todo.contains(&page) => snapshot.aside.len(),
                _ => return,
            }
        };
        let is_much = aside_count >= self.frames.capacity() / ASIDE_PART;
        if is_much && self.write_page(page, slot).is_ok() {
            return;
        }
        let copy: Box<[u8]> = slot.bytes.as_deref().expect("a dirty page is in memory").into();
        let mut changes = self.changes.lock();
        // The checkpoint may have failed meanwhile.
        if let Some(snapshot) = &mut changes.snapshot
            && snapshot.todo.remove(&page)
        {
            snapshot.aside.insert(page, copy);
        }
    }

    /// Notes that a page left its place `old` after the last epoch's end, under its latch.
    pub(super) fn note_moved(&self, changes: &mut Changes, page: PageId, old: Option<PageRef>) {
        changes.nodes.insert(node_of(page.0));
        #[cfg(not(test))]
        let _ = self;
        #[cfg(test)]
        if self.planted == crate::store::Planted::NoFrozenPlace {
            return;
        }
        if let Some(snapshot) = &mut changes.snapshot {
            snapshot.frozen.entry(page).or_insert(old);
        }
    }

    /// Writes up to `pages_max` pages of the snapshot; false if there was none to write, and none is left.
    ///
    /// # Errors
    /// What the disk says; the caller gives the checkpoint up then ([`Pool::checkpoint_failed`]).
    pub(crate) fn write_some(&self, writer: &mut SnapshotWriter, pages_max: usize) -> Result<bool> {
        writer.buffer.clear();
        writer.batch.clear();
        self.copy_aside(writer, pages_max);
        self.copy_todo(writer, pages_max);
        self.make_ready(writer);
        let mut batch = &writer.batch[..];
        let mut bytes = &writer.buffer[..];
        let has_written = !batch.is_empty();
        while !batch.is_empty() {
            let run = self.run_for(batch);
            let mut units = 0;
            let fits = |copied: &&Copied| {
                units += copied.units;
                units <= run.count
            };
            let (now, rest) = batch.split_at(batch.iter().take_while(fits).count());
            let (block, tail) = bytes.split_at(run.count as usize * UNIT_BYTES);
            if let Err(error) = self.write_run(now, block, run) {
                // The next checkpoint is to find them.
                if let Some(snapshot) = &mut self.changes.lock().snapshot {
                    let todo = batch.iter().filter(|copied| !copied.is_aside);
                    snapshot.todo.extend(todo.map(|copied| copied.page));
                }
                return Err(error);
            }
            (batch, bytes) = (rest, tail);
        }
        // A page may have been put aside after this call had taken what lay there, and before it came to the page.
        Ok(has_written || self.changes.lock().snapshot.as_ref().is_some_and(|left| left.len() > 0))
    }

    /// Takes copies that were put aside.
    fn copy_aside(&self, writer: &mut SnapshotWriter, pages_max: usize) {
        let mut changes = self.changes.lock();
        let Some(snapshot) = &mut changes.snapshot else { return };
        let taken: Vec<_> = snapshot.aside.extract_if(|_, _| true).take(pages_max).collect();
        drop(changes);
        for (page, copy) in taken {
            writer.buffer.extend_from_slice(&copy);
            writer.batch.push(Copied::new(page, true, &copy));
        }
    }

    /// Copies pages that were not changed.
    fn copy_todo(&self, writer: &mut SnapshotWriter, pages_max: usize) {
        if writer.left() == writer.page_count {
            // Neighbours in the file are neighbours by number as far as that goes.
            writer.order.sort_unstable_by(|a, b| b.cmp(a));
        }
        while writer.batch.len() < pages_max {
            let Some(page) = writer.order.pop() else { return };
            let Some(entry) = self.entries.get(page) else { continue };
            let slot = entry.latch.read();
            let is_left = {
                let mut changes = self.changes.lock();
                changes.snapshot.as_mut().is_some_and(|snapshot| snapshot.todo.remove(&page))
            };
            // It may have been evicted, put aside, or never have been dirty.
            if is_left
                && slot.is_dirty()
                && let Some(bytes) = &slot.bytes
            {
                writer.buffer.extend_from_slice(bytes);
                writer.batch.push(Copied::new(page, false, bytes));
            }
        }
    }

    /// Seals the copied pages and compresses those of trees with a codec; the buffer then has the blocks, one behind the
    /// other.
    fn make_ready(&self, writer: &mut SnapshotWriter) {
        let SnapshotWriter { buffer, batch, compressed, .. } = writer;
        let mut end = 0;
        for (copied, start) in batch.iter_mut().zip((0..).step_by(self.page_bytes)) {
            let whole = start..start + self.page_bytes;
            copied.crc = page::seal(self.seed, &mut buffer[whole.clone()]);
            let codec = self.codec(copied.tree);
            let block = &buffer[whole.clone()];
            let mut block_bytes = self.page_bytes;
            if let Some(crc) = self.coders.compress(codec, self.seed, block, compressed) {
                (copied.crc, copied.codec) = (crc, codec);
                block_bytes = compressed.len();
                // Blocks before this one are no longer than their pages were.
                buffer[end..end + block_bytes].copy_from_slice(compressed);
            } else if whole.start > end {
                buffer.copy_within(whole, end);
            }
            copied.units = (block_bytes / UNIT_BYTES) as u32;
            end += block_bytes;
        }
        buffer.truncate(end);
    }

    /// A run for the first blocks of a batch, as many as there is room for at one place; exactly as long as they are.
    fn run_for(&self, batch: &[Copied]) -> Run {
        let wanted: u32 = batch.iter().map(|copied| copied.units).sum();
        let mut allocator = self.allocator.lock();
        let run = allocator.allocate_long(wanted.min(RUN_UNITS_MAX), batch[0].units);
        let mut count = 0;
        for copied in batch {
            if count + copied.units > run.count {
                break;
            }
            count += copied.units;
        }
        if let Some(rest) = run.behind(count) {
            allocator.release(rest);
        }
        Run { start: run.start, count }
    }

    /// Writes blocks one behind the other and notes where they are.
    fn write_run(&self, batch: &[Copied], bytes: &[u8], run: Run) -> Result<()> {
        if let Err(error) = self.file.write_at(bytes, run.offset()) {
            self.allocator.lock().release(run);
            return Err(error);
        }
        let mut start = run.start;
        for copied in batch {
            let Copied { units, crc, tree, codec, .. } = *copied;
            self.note_written(
                *copied,
                PageRef { run: Run { start, count: units }, crc, tree, codec },
            );
            start += u64::from(units);
        }
        Ok(())
    }

    /// Notes where the snapshot's version of a page is.
    fn note_written(&self, copied: Copied, block: PageRef) {
        let Copied { page, is_aside, .. } = copied;
        let entry = self.entries.get_or_make(page);
        let mut slot = entry.latch.write();
        let mut changes = self.changes.lock();
        let snapshot = changes.snapshot.as_mut().expect("a checkpoint is being written");
        let epoch = snapshot.epoch;
        let is_same = !is_aside && slot.live;
        if is_same && slot.is_dirty() && slot.dirty_epoch <= epoch {
            drop(changes);
            self.place(page, &mut slot, block);
        } else if is_same && !slot.is_dirty() && slot.written_epoch <= epoch {
            // It was evicted in between: the snapshot's version has a place already.
            drop(changes);
            self.allocator.lock().release(block.run);
        } else {
            snapshot.frozen.insert(page, Some(block));
            snapshot.nodes.insert(node_of(page.0));
            drop(changes);
            self.free_run(block.run, epoch, epoch + 1);
        }
    }
}
