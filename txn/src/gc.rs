//! Garbage: versions, ghosts, marked index entries and dropped heaps that no snapshot needs.
//!
//! Each commit queues the rows it changed. When the watermark has passed the commit, their old versions are dropped;
//! a deleted row's slot goes, and index entries of keys that no remaining version has. Committers do this in small bites, at
//! most twice what they made themselves, so that memory levels off and no helper thread is needed.
//!
//! One snapshot held for long keeps the watermark back, but not the versions *between* it and now: when a row's list
//! grows past [`PRUNE_LEN`], its writer drops those that no snapshot in use can see.

use crate::cell::Outcome;
use crate::directory::{Heap, Index, Relation};
use crate::engine::Engine;
use crate::txn::distinct;
use damask_storage::TreeId;
use damask_storage::row::RowLayout;
use damask_storage::tree::{EntryFlags, RowFlags};
use damask_types::{Result, RowId, Timestamp};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A row's list of versions longer than this is pruned.
const PRUNE_LEN: usize = 8;

/// A row that a commit changed.
pub(crate) type ChangedRow = (Arc<Relation>, Arc<Heap>, RowId);

enum Task {
    Rows(Vec<ChangedRow>),
    Heap(Arc<Heap>),
    Index(Arc<Index>),
}

/// What is to be collected once the watermark has passed a time, in the order of times (nearly: commits queue up after
/// their commit section).
#[derive(Default)]
pub(crate) struct Garbage {
    queue: Mutex<VecDeque<(Timestamp, Task)>>,
    /// Length of the queue, so that the many commits that find it empty need no mutex.
    len: AtomicUsize,
    /// Held by the one who collects, and before the gate: a heap is destroyed after its rows are collected, and no tree
    /// goes while old rows are purged from it.
    pub(crate) collector: Mutex<()>,
}

impl Garbage {
    /// Queues rows changed by the commit at `timestamp`.
    pub(crate) fn add(&self, timestamp: Timestamp, rows: Vec<ChangedRow>) {
        let rows = distinct(rows);
        if !rows.is_empty() {
            self.push(timestamp, Task::Rows(rows));
        }
    }

    /// Queues a heap that the commit at `timestamp` dropped.
    pub(crate) fn add_heap(&self, timestamp: Timestamp, heap: Arc<Heap>) {
        self.push(timestamp, Task::Heap(heap));
    }

    /// Queues an index that the commit at `timestamp` dropped.
    pub(crate) fn add_index(&self, timestamp: Timestamp, index: Arc<Index>) {
        self.push(timestamp, Task::Index(index));
    }

    /// Trees of dropped relations that are still there; the world stands still.
    pub(crate) fn trees(&self) -> Vec<TreeId> {
        let mut trees = Vec::new();
        for (_, task) in self.queue.lock().iter() {
            match task {
                Task::Rows(_) => {}
                Task::Index(index) => trees.push(index.tree.id()),
                Task::Heap(heap) => {
                    trees.push(TreeId(heap.id.0));
                    trees.extend(heap.indexes.load().iter().map(|index| index.tree.id()));
                }
            }
        }
        trees
    }

    /// Takes about `budget` rows' worth of work that the watermark has passed.
    fn take(&self, watermark: Timestamp, budget: usize) -> Option<Task> {
        let mut queue = self.queue.lock();
        let (timestamp, task) = queue.front_mut()?;
        if *timestamp > watermark {
            return None;
        }
        if let Task::Rows(rows) = task
            && rows.len() > budget
        {
            let rest = rows.split_off(rows.len() - budget);
            return Some(Task::Rows(rest));
        }
        self.len.fetch_sub(1, Ordering::AcqRel);
        queue.pop_front().map(|(_, task)| task)
    }

    fn push(&self, timestamp: Timestamp, task: Task) {
        self.len.fetch_add(1, Ordering::AcqRel);
        self.queue.lock().push_back((timestamp, task));
    }
}

impl Engine {
    /// The time up to which every snapshot, also of the next reader, sees.
    pub(crate) fn watermark(&self) -> Timestamp {
        self.snapshots.watermark(|| self.horizon().settled())
    }

    /// Collects about `budget` rows' garbage; leaves it to another who is at it, unless everything is wanted.
    pub(crate) fn collect_garbage(&self, mut budget: usize) -> Result<()> {
        if self.garbage.len.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let collector = &self.garbage.collector;
        let lock = if budget == usize::MAX { Some(collector.lock()) } else { collector.try_lock() };
        let Some(_lock) = lock else {
            return Ok(());
        };
        let watermark = self.watermark();
        while budget > 0 {
            match self.garbage.take(watermark, budget) {
                None => return Ok(()),
                Some(Task::Rows(rows)) => {
                    budget -= rows.len().min(budget);
                    for (relation, heap, row) in rows {
                        self.collect_row(&relation, &heap, row, watermark)?;
                    }
                }
                Some(Task::Heap(heap)) => {
                    let _gate = self.enter();
                    self.destroy_heap(&heap)?;
                    budget -= 1;
                }
                Some(Task::Index(index)) => {
                    let _gate = self.enter();
                    self.destroy_index(&index)?;
                    budget -= 1;
                }
            }
        }
        Ok(())
    }

    fn collect_row(
        &self,
        relation: &Relation,
        heap: &Heap,
        row: RowId,
        watermark: Timestamp,
    ) -> Result<()> {
        let _gate = self.enter();
        let _stripe = self.stripe(heap.id, row);
        let (dropped, remains) = self
            .versions
            .change(heap.id, row, |state| (state.truncate(watermark), !state.versions.is_empty()));
        if dropped.is_empty() {
            return Ok(());
        }
        self.forget_versions(heap, dropped.len());
        let images: Vec<Box<[u8]>> =
            dropped.into_iter().filter_map(|version| version.before).collect();
        self.purge_keys(&relation.layout.load(), heap, row, &images)?;
        if remains {
            return Ok(());
        }
        heap.tree.modify(row, |slot| {
            if let Some((_, flags)) = slot.current() {
                if flags.has(RowFlags::GHOST) {
                    slot.remove();
                } else {
                    let flags = flags.without(RowFlags::VERSIONED);
                    slot.set_flags(flags);
                }
            }
            Ok(())
        })
    }

    fn forget_versions(&self, heap: &Heap, count: usize) {
        heap.versions.fetch_sub(count as u64, Ordering::AcqRel);
        self.counters.versions.fetch_sub(count as u64, Ordering::Relaxed);
    }

    /// Removes the marked index entries of keys that only the dropped `images` of the row had. The caller holds its stripe.
    fn purge_keys(
        &self,
        layout: &RowLayout,
        heap: &Heap,
        row: RowId,
        images: &[Box<[u8]>],
    ) -> Result<()> {
        if images.is_empty() {
            return Ok(());
        }
        let indexes = heap.indexes.load();
        if indexes.is_empty() {
            return Ok(());
        }
        let mut kept: Vec<Box<[u8]>> = self.versions.with(heap.id, row, |state| {
            let versions = state.map_or(&[][..], |state| &state.versions);
            versions.iter().filter_map(|version| version.before.clone()).collect()
        });
        let live = heap.tree.get(row)?.filter(|(_, flags)| !flags.has(RowFlags::GHOST));
        kept.extend(live.map(|(bytes, _)| bytes.into_boxed_slice()));
        let (mut key, mut other) = (Vec::new(), Vec::new());
        for index in indexes.iter() {
            'images: for image in images {
                if !index.key_of(layout, image, &mut key)?.is_indexed {
                    continue;
                }
                for keep in &kept {
                    index.key_of(layout, keep, &mut other)?;
                    if key == other {
                        continue 'images;
                    }
                }
                let marked = index.tree.get(&key, row)?;
                if marked.is_some_and(|flags| flags.has(EntryFlags::DELETE_MARK)) {
                    index.tree.remove(&key, row)?;
                }
            }
        }
        Ok(())
    }

    /// Drops versions of a row that lie between snapshots, if it has many.
    pub(crate) fn prune_row(&self, relation: &Relation, heap: &Heap, row: RowId) -> Result<()> {
        let is_long = |state: Option<&crate::version::RowState>| {
            state.is_some_and(|state| state.versions.len() > PRUNE_LEN)
        };
        if !self.versions.with(heap.id, row, is_long) {
            return Ok(());
        }
        let _gate = self.enter();
        let _stripe = self.stripe(heap.id, row);
        // The horizon first: a snapshot registered later starts at it or above.
        let horizon = self.horizon().settled();
        let snapshots = self.snapshots.active();
        let mut images = Vec::new();
        let pruned = self.versions.change(heap.id, row, |state| {
            let before_count = state.versions.len();
            let mut at = 0;
            while at + 1 < state.versions.len() {
                let committed = |i: usize| match state.versions[i].cell.outcome() {
                    Outcome::Committed(timestamp) => Some(timestamp),
                    Outcome::Active(_) | Outcome::Aborted => None,
                };
                let (Some(first), Some(second)) = (committed(at), committed(at + 1)) else {
                    break;
                };
                // The state between the two changes is seen by snapshots from the first up to just before the second.
                let is_seen = snapshots.iter().any(|s| (first.0..second.0).contains(s));
                // The end of a row that a snapshot may see is kept: whoever waits for that row follows it, or finds it deleted.
                let is_end =
                    state.versions[at + 1].before.is_none() && state.versions[at].before.is_some();
                if is_seen || is_end || second > horizon {
                    at += 1;
                    continue;
                }
                let older = state.versions.remove(at);
                let newer = &mut state.versions[at];
                newer.lock = newer.lock.max(older.lock);
                let between = std::mem::replace(&mut newer.before, older.before);
                images.extend(between);
            }
            before_count - state.versions.len()
        });
        self.forget_versions(heap, pruned);
        self.purge_keys(&relation.layout.load(), heap, row, &images)
    }
}
