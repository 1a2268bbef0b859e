//! Garbage: versions, ghosts, marked index entries and dropped trees that no snapshot needs.
//!
//! Each commit queues the rows it changed. When the watermark has passed the commit, their old versions are dropped;
//! a deleted row's slot goes, and index entries of keys that no remaining version has. Committers do this in small bites, at
//! most twice what they made themselves, so that memory levels off and no helper thread is needed; what a reader that was long
//! at it leaves behind, or a large transaction, is collected by a background step if nobody commits.
//!
//! One old snapshot holds the watermark back, but not the versions *between* it and now. When more than [`garbage_rows`](crate::EngineOptions::garbage_rows) rows
//! wait for the watermark, the collector goes on without it: of each row it drops the versions between the
//! snapshots in use, and it remembers what is left in [`Held`], by the snapshot that needs it. So what is kept is what
//! the snapshots in use see, and the queue does not grow with the number of commits. Rows that were only inserted become
//! ranges ([`crate::births`]); old rows above the budget go to temporary files ([`crate::image`]).
//!
//! Invariants
//! - C1: a row with committed versions is in the queue, or in `Held` under each snapshot that needs one of them, or its
//!   transaction is about to queue it.
//! - C2: a tree is destroyed when the watermark has passed its end and no row of an earlier commit waits.

use crate::background::EngineOfStep;
use crate::births::Room;
use crate::directory::{Heap, Index, Relation};
use crate::engine::Engine;
use crate::image::{Image, SpillFile};
use crate::runs::Run;
use crate::version::{HeapId, RowState, Version};
use damask_storage::env::Step;
use damask_storage::tree::{EntryFlags, MergedLayer, RowFlags};
use damask_storage::{Change, TreeId};
use damask_types::{Result, RowId, Timestamp};
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A row's list of versions longer than this is pruned by its writer; a shorter one keeps where rows that are gone from this place
/// went, for those who wait for them.
pub(crate) const PRUNE_LEN: usize = 8;

/// Rows that the background step collects at a time, and how long it then leaves the machine to others.
const STEP_ROWS: usize = 1024;
const STEP_PAUSE: Duration = Duration::from_millis(1);

/// Rows' garbage that every commit collects at least, also one that only read.
pub(crate) const SHARE_MIN: usize = 64;
/// Of a commit that changed more rows the client is answered after so many, and the background collects the rest, unless there is as much of
/// others already.
const SHARE_MAX: usize = 16 << 10;

/// A row that a commit changed.
pub(crate) type ChangedRow = (Arc<Relation>, Arc<Heap>, RowId);

/// What a commit changed.
pub(crate) enum Changed {
    Row(ChangedRow),
    /// Rows without versions that it inserted.
    Run(Run),
}

enum Tree {
    Heap(Arc<Heap>),
    /// What a merge left of a write buffer.
    Layer(MergedLayer),
    Index(Arc<Index>),
}

/// What is to be collected, in the order of commits (nearly: commits queue up after their commit section).
#[derive(Default)]
struct Queue {
    rows: VecDeque<(Timestamp, Vec<Changed>)>,
    row_count: usize,
    trees: VecDeque<(Timestamp, Tree)>,
}

/// Rows that snapshots in use need versions of.
#[derive(Default)]
struct Held {
    by_snapshot: BTreeMap<u64, HashMap<HeapId, HeldRows>>,
    /// Rows whose snapshot has ended, to be looked at again.
    released: Vec<HeldRows>,
}

struct HeldRows {
    relation: Arc<Relation>,
    heap: Arc<Heap>,
    rows: HashSet<RowId>,
}

/// What the one who collects works on.
#[derive(Default)]
pub(crate) struct Collector {
    held: Held,
    /// Heaps that have ranges of rows.
    births: HashMap<HeapId, Arc<Heap>>,
    /// Where old rows go that are too many for memory.
    spill: Option<Arc<SpillFile>>,
}

/// Garbage there is.
#[derive(Default)]
pub(crate) struct Garbage {
    queue: Mutex<Queue>,
    /// What waits in the queue and in `Held`, so that the many commits that find nothing need no mutex.
    len: AtomicUsize,
    /// Whether rows that nobody needs are left when a bite was enough.
    is_behind: AtomicBool,
    /// Whether a background step is at it.
    is_stepping: AtomicBool,
    /// Held by the one who collects, and before the gate: a heap is destroyed after its rows are collected, and no tree
    /// goes while old rows are purged from it.
    pub(crate) collector: Mutex<Collector>,
}

/// What is left of a row's versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    /// That there was no row before this commit.
    Insertion(Timestamp),
    Versions,
}

/// The times at which states are in use.
struct InUse {
    /// Versions up to here are seen by all.
    watermark: Timestamp,
    /// What the next snapshot sees at least.
    horizon: Timestamp,
    /// The snapshots, ascending.
    snapshots: SmallVec<[u64; 8]>,
}

impl InUse {
    /// The newest snapshot that does not see a commit.
    fn holder(&self, at: Timestamp) -> Option<u64> {
        let newer = self.snapshots.partition_point(|snapshot| *snapshot < at.0);
        self.snapshots[..newer].last().copied()
    }
}

impl Garbage {
    /// Queues rows changed by the commit at `timestamp`.
    pub(crate) fn add(&self, timestamp: Timestamp, mut rows: Vec<Changed>) {
        if rows.len() > 1 {
            let mut seen = HashSet::with_capacity(rows.len());
            rows.retain(|changed| match changed {
                Changed::Row((_, heap, row)) => seen.insert((heap.id, *row)),
                Changed::Run(_) => true,
            });
        }
        if rows.is_empty() {
            return;
        }
        self.len.fetch_add(1, Ordering::AcqRel);
        let mut queue = self.queue.lock();
        queue.row_count += rows.len();
        queue.rows.push_back((timestamp, rows));
    }

    /// Queues a heap that the commit at `timestamp` dropped.
    pub(crate) fn add_heap(&self, timestamp: Timestamp, heap: Arc<Heap>) {
        self.add_tree(timestamp, Tree::Heap(heap));
    }

    /// Queues an index that the commit at `timestamp` dropped.
    pub(crate) fn add_index(&self, timestamp: Timestamp, index: Arc<Index>) {
        self.add_tree(timestamp, Tree::Index(index));
    }

    /// Queues a tree whose rows are elsewhere now, and which nobody reads.
    pub(crate) fn add_layer(&self, layer: MergedLayer) {
        self.len.fetch_add(1, Ordering::AcqRel);
        self.queue.lock().trees.push_front((Timestamp(0), Tree::Layer(layer)));
    }

    fn add_tree(&self, timestamp: Timestamp, tree: Tree) {
        self.len.fetch_add(1, Ordering::AcqRel);
        self.queue.lock().trees.push_back((timestamp, tree));
    }

    /// Trees of dropped relations that are still there; the world stands still.
    pub(crate) fn trees(&self) -> Vec<TreeId> {
        let mut trees = Vec::new();
        for (_, tree) in &self.queue.lock().trees {
            match tree {
                Tree::Index(index) => trees.push(index.tree.id()),
                Tree::Layer(layer) => trees.push(layer.id()),
                Tree::Heap(heap) => {
                    trees.extend(heap.tree.ids());
                    trees.extend(heap.indexes.load().iter().map(|index| index.tree.id()));
                }
            }
        }
        trees
    }

    /// Changed rows that have not been looked at.
    pub(crate) fn waiting(&self) -> u64 {
        self.queue.lock().row_count as u64
    }

    /// Takes at most `budget` rows of a commit: one that the watermark has passed, or any that is shown if too many wait.
    fn take_rows(
        &self,
        in_use: &InUse,
        waiting_max: usize,
        budget: usize,
    ) -> Option<(Timestamp, Vec<Changed>)> {
        let mut queue = self.queue.lock();
        let is_eager = queue.row_count > waiting_max;
        let (at, rows) = queue.rows.front_mut()?;
        if *at > in_use.watermark && !(is_eager && *at <= in_use.horizon) {
            return None;
        }
        let at = *at;
        let taken = if rows.len() > budget {
            rows.split_off(rows.len() - budget)
        } else {
            self.len.fetch_sub(1, Ordering::AcqRel);
            queue.rows.pop_front().map_or_else(Vec::new, |(_, rows)| rows)
        };
        queue.row_count -= taken.len();
        Some((at, taken))
    }

    /// Takes a tree that the watermark has passed, and behind which no row waits (C2).
    fn take_tree(&self, watermark: Timestamp) -> Option<Tree> {
        let mut queue = self.queue.lock();
        let (at, _) = queue.trees.front()?;
        let waits_for_rows = queue.rows.front().is_some_and(|(row_at, _)| row_at <= at);
        if *at > watermark || waits_for_rows {
            return None;
        }
        self.len.fetch_sub(1, Ordering::AcqRel);
        queue.trees.pop_front().map(|(_, tree)| tree)
    }
}

/// The background step that collects.
struct Stepping(EngineOfStep);

impl Stepping {
    fn step(&self) -> Step {
        // An error stops the engine or comes again to who commits next.
        let is_done = |engine: &Arc<Engine>| {
            engine.check_open().is_err()
                || engine.collect_garbage(STEP_ROWS).is_err()
                || !engine.garbage.is_behind.load(Ordering::Acquire)
        };
        if self.0.with(is_done) == Some(false) { Step::After(STEP_PAUSE) } else { Step::Done }
    }
}

impl Drop for Stepping {
    fn drop(&mut self) {
        self.0.with(|engine| engine.garbage.is_stepping.store(false, Ordering::Release));
    }
}

impl Held {
    /// Lets go of the rows of snapshots that have ended.
    fn release(&mut self, in_use: &InUse, len: &AtomicUsize) {
        self.by_snapshot.retain(|snapshot, heaps| {
            let stays = in_use.snapshots.binary_search(snapshot).is_ok();
            if !stays {
                // One less here, one more for each in the other list.
                len.fetch_add(heaps.len(), Ordering::AcqRel);
                len.fetch_sub(1, Ordering::AcqRel);
                self.released.extend(std::mem::take(heaps).into_values());
            }
            stays
        });
    }

    fn take_released(&mut self, budget: usize, len: &AtomicUsize) -> Vec<Changed> {
        let Some(last) = self.released.last_mut() else {
            return Vec::new();
        };
        let HeldRows { relation, heap, rows } = last;
        let taken: Vec<RowId> = rows.extract_if(|_| true).take(budget).collect();
        let changed = |row| Changed::Row((Arc::clone(relation), Arc::clone(heap), row));
        let taken = taken.into_iter().map(changed).collect();
        if last.rows.is_empty() {
            self.released.pop();
            len.fetch_sub(1, Ordering::AcqRel);
        }
        taken
    }

    fn hold(
        &mut self,
        snapshot: u64,
        relation: &Arc<Relation>,
        heap: &Arc<Heap>,
        row: RowId,
        len: &AtomicUsize,
    ) {
        let heaps = self.by_snapshot.entry(snapshot).or_insert_with(|| {
            len.fetch_add(1, Ordering::AcqRel);
            HashMap::default()
        });
        let held = heaps.entry(heap.id).or_insert_with(|| HeldRows {
            relation: Arc::clone(relation),
            heap: Arc::clone(heap),
            rows: HashSet::default(),
        });
        held.rows.insert(row);
    }
}

impl Engine {
    /// The states in use. The horizon first: a snapshot registered later starts at it or above.
    fn in_use(&self) -> InUse {
        let horizon = self.horizon().settled();
        let snapshots = self.snapshots.active();
        let watermark = snapshots.first().map_or(horizon, |oldest| horizon.min(Timestamp(*oldest)));
        InUse { watermark, horizon, snapshots }
    }

    /// How many rows' garbage a commit collects that changed `made` rows, which are queued.
    pub(crate) fn garbage_share(&self, made: usize) -> usize {
        let twice = made.saturating_mul(2).max(SHARE_MIN);
        if made <= SHARE_MAX {
            return twice;
        }
        let others = (self.garbage.waiting() as usize).saturating_sub(made);
        if others > SHARE_MAX { twice } else { SHARE_MAX }
    }

    /// Collects about `budget` rows' garbage; leaves it to another who is at it, unless everything is wanted.
    ///
    /// # Errors
    /// 53100 if the disk is full: what is left is there still. What reading and writing pages raises.
    pub(crate) fn collect_garbage(&self, mut budget: usize) -> Result<()> {
        if self.garbage.len.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let collector = &self.garbage.collector;
        let lock = if budget == usize::MAX { Some(collector.lock()) } else { collector.try_lock() };
        let Some(mut collector) = lock else {
            return Ok(());
        };
        let collector = &mut *collector;
        let in_use = self.in_use();
        collector.births.retain(|_, heap| {
            let stays = heap.births.expire(in_use.watermark);
            self.garbage.len.fetch_sub(usize::from(!stays), Ordering::AcqRel);
            stays
        });
        collector.held.release(&in_use, &self.garbage.len);
        let is_bounded = budget != usize::MAX;
        while budget > 0 {
            self.store.pool().admit(Change::Forward)?;
            let now = budget.min(STEP_ROWS);
            let released = collector.held.take_released(now, &self.garbage.len);
            let (at, rows) = if !released.is_empty() {
                (in_use.horizon, released)
            } else if let Some(tree) = self.garbage.take_tree(in_use.watermark) {
                let _gate = self.enter();
                match tree {
                    Tree::Heap(heap) => self.destroy_heap(&heap)?,
                    Tree::Layer(layer) => self.destroy_layer(&layer)?,
                    Tree::Index(index) => self.destroy_index(&index)?,
                }
                budget -= 1;
                continue;
            } else if let Some(task) =
                self.garbage.take_rows(&in_use, self.options.garbage_rows, now)
            {
                task
            } else {
                break;
            };
            budget -= rows.len().min(budget);
            for changed in rows {
                match changed {
                    Changed::Row((relation, heap, row)) => {
                        self.collect_row(collector, &in_use, &relation, &heap, row, at)?;
                    }
                    Changed::Run(run) => self.collect_run(collector, &in_use, &run, at),
                }
            }
        }
        self.recount_versions();
        // Once begun it goes on to the end.
        let enough =
            if self.garbage.is_behind.load(Ordering::Acquire) { 0 } else { SHARE_MAX as u64 };
        let is_behind = is_bounded
            && (!collector.held.released.is_empty()
                || budget == 0 && self.garbage.waiting() > enough);
        self.garbage.is_behind.store(is_behind, Ordering::Release);
        Ok(())
    }

    /// Collects all garbage that no snapshot needs, or leaves it if the disk is full.
    pub(crate) fn collect_if_room(&self) -> Result<()> {
        match self.collect_garbage(usize::MAX) {
            Err(error) if error.is_disk_full() => Ok(()),
            collected => collected,
        }
    }

    /// Sees to it that what ended snapshots leave behind is collected, whether or not others commit.
    pub(crate) fn collect_soon(self: &Arc<Self>) {
        let garbage = &self.garbage;
        if !garbage.is_behind.load(Ordering::Acquire)
            || garbage.is_stepping.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let stepping = Stepping(EngineOfStep::new(self));
        let env = self.store.env();
        let work = Box::new(move || stepping.step());
        env.spawn.spawn("damask-collect", Arc::clone(&env.clock), work);
    }

    /// Forgets a run that the commit at `at` inserted, or joins it with others if there are snapshots that do not see it.
    fn collect_run(&self, collector: &mut Collector, in_use: &InUse, run: &Run, at: Timestamp) {
        let Run { heap, first, last } = run;
        if at <= in_use.watermark {
            heap.births.forget(*first, *last, in_use.watermark);
            return;
        }
        heap.births.join(*first, *last, in_use.horizon, &in_use.snapshots);
        self.watch_births(collector, heap);
    }

    /// Sees to it that the ranges of a heap go when the watermark has passed them.
    fn watch_births(&self, collector: &mut Collector, heap: &Arc<Heap>) {
        collector.births.entry(heap.id).or_insert_with(|| {
            self.garbage.len.fetch_add(1, Ordering::AcqRel);
            Arc::clone(heap)
        });
    }

    /// Collects the garbage of one row. Versions younger than `at` are another task's, save that those in the way of older ones go.
    fn collect_row(
        &self,
        collector: &mut Collector,
        in_use: &InUse,
        relation: &Arc<Relation>,
        heap: &Arc<Heap>,
        row: RowId,
        at: Timestamp,
    ) -> Result<()> {
        let _gate = self.enter();
        let _stripe = self.stripe(heap.id, row);
        let (dropped, left) = self.versions.change(heap.id, row, |state| {
            let mut dropped = state.truncate(in_use.watermark);
            state.prune(&in_use.snapshots, in_use.horizon, &mut dropped);
            let left = match &state.versions[..] {
                [] => Left::Nothing,
                [only] if only.before.is_none() && only.moved_to.is_none() => {
                    only.committed().map_or(Left::Versions, Left::Insertion)
                }
                _ => Left::Versions,
            };
            (dropped, left)
        });
        if !dropped.is_empty() {
            self.forget_versions(heap, &dropped);
            self.purge_keys(relation, heap, row, dropped)?;
        } else if left == Left::Nothing {
            return Ok(());
        }
        match left {
            Left::Nothing => {
                heap.births.exclude_seen(row, in_use.watermark);
                Self::settle_slot(heap, row)
            }
            Left::Insertion(born) if born <= in_use.horizon => {
                if heap.tree.get(row)?.is_some_and(|(_, flags)| !flags.has(RowFlags::GHOST)) {
                    self.remember_birth(heap, row, born, in_use)?;
                    self.watch_births(collector, heap);
                }
                // Of a row that came and went between two snapshots nothing is left.
                let dropped = self.versions.change(heap.id, row, |state| state.versions.pop());
                self.forget_versions(heap, dropped.as_slice());
                Self::settle_slot(heap, row)
            }
            Left::Insertion(_) | Left::Versions => {
                self.hold_row(collector, in_use, relation, heap, row, at);
                Ok(())
            }
        }
    }

    /// Takes the flag off a row without versions, or the ghost away.
    fn settle_slot(heap: &Heap, row: RowId) -> Result<()> {
        heap.tree.modify(row, |slot| {
            if let Some((_, flags)) = slot.current() {
                if flags.has(RowFlags::GHOST) {
                    slot.remove();
                } else {
                    slot.settle();
                }
            }
            Ok(())
        })
    }

    /// Puts a row that was only inserted into a range of such rows.
    fn remember_birth(&self, heap: &Heap, row: RowId, at: Timestamp, in_use: &InUse) -> Result<()> {
        let (horizon, snapshots) = (in_use.horizon, &in_use.snapshots);
        let is_in = match heap.births.extend(row, at, horizon, snapshots) {
            Room::Done => true,
            Room::Behind(last) => {
                self.is_gap(heap, last, row)?
                    && heap.births.extend_over(last, row, at, horizon, snapshots)
            }
            Room::Alone => false,
        };
        if !is_in {
            heap.births.add_shown(row, at);
        }
        Ok(())
    }

    /// Whether no row between two others was there before its oldest version (B4).
    fn is_gap(&self, heap: &Heap, last: RowId, row: RowId) -> Result<bool> {
        let mut is_gap = true;
        let mut from = Some(RowId(last.0 + 1));
        while is_gap && let Some(start) = from.filter(|start| *start < row) {
            from = heap.tree.scan_leaf(start, |other, flags, _| {
                if other >= row {
                    return Ok(ControlFlow::Break(()));
                }
                is_gap = flags.has(RowFlags::VERSIONED)
                    && self.versions.with(heap.id, other, |state| {
                        let oldest = state.and_then(|state| state.versions.first());
                        oldest.is_some_and(|version| version.before.is_none())
                    });
                Ok(if is_gap { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
        }
        Ok(is_gap)
    }

    /// Notes which snapshots need versions of a row that are not younger than `at`, and moves old rows out of memory if
    /// there are too many.
    fn hold_row(
        &self,
        collector: &mut Collector,
        in_use: &InUse,
        relation: &Arc<Relation>,
        heap: &Arc<Heap>,
        row: RowId,
        at: Timestamp,
    ) {
        let spills = self.is_over_undo_budget();
        let mut holders = SmallVec::<[u64; 2]>::new();
        self.versions.change(heap.id, row, |state| {
            for version in &mut state.versions {
                let Some(committed) = version.committed().filter(|committed| *committed <= at)
                else {
                    break;
                };
                holders.extend(in_use.holder(committed));
                if let (true, Some(image)) = (spills, &mut version.before) {
                    self.spill(image, &mut collector.spill);
                }
            }
        });
        holders.dedup();
        for snapshot in holders {
            collector.held.hold(snapshot, relation, heap, row, &self.garbage.len);
        }
    }

    fn forget_versions(&self, heap: &Heap, dropped: &[Version]) {
        let count = dropped.len() as u64;
        heap.counts.versions.fetch_sub(count, Ordering::AcqRel);
        self.counters.versions.fetch_sub(count, Ordering::Relaxed);
        for image in dropped.iter().filter_map(|version| version.before.as_ref()) {
            self.discount_image(image);
        }
    }

    /// Removes the marked index entries of keys that only the dropped versions of the row had. The caller holds its stripe.
    ///
    /// A version that changed no key needs no look: the row before it has the keys of the row after it, which is there, or is dropped as
    /// well and looked at for itself.
    fn purge_keys(
        &self,
        relation: &Relation,
        heap: &Heap,
        row: RowId,
        dropped: SmallVec<[Version; 1]>,
    ) -> Result<()> {
        // After the versions went: who makes an index since then does not find them.
        let list_number = heap.list_number();
        let images: SmallVec<[Image; 1]> = dropped
            .into_iter()
            .filter(|version| version.same_keys != list_number)
            .filter_map(|version| version.before)
            .collect();
        if images.is_empty() {
            return Ok(());
        }
        let indexes = heap.indexes.load();
        if indexes.is_empty() {
            return Ok(());
        }
        let layout = relation.layout.load();
        let kept: Vec<Image> = self.versions.with(heap.id, row, |state| {
            let versions = state.map_or(&[][..], |state| &state.versions);
            versions.iter().filter_map(|version| version.before.clone()).collect()
        });
        let live = heap.tree.get(row)?.filter(|(_, flags)| !flags.has(RowFlags::GHOST));
        let live = live.map(|(bytes, _)| Image::Memory(bytes.into_boxed_slice()));
        let mut kept_rows = Vec::new();
        for image in kept.iter().chain(&live) {
            kept_rows.push(image.load()?);
        }
        let (mut key, mut other) = (Vec::new(), Vec::new());
        for image in &images {
            let image = image.load()?;
            'indexes: for index in indexes.iter() {
                if !index.key_of(&layout, &image, &mut key)?.is_indexed {
                    continue;
                }
                for keep in &kept_rows {
                    index.key_of(&layout, keep, &mut other)?;
                    if key == other {
                        continue 'indexes;
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
        let is_long =
            |state: Option<&RowState>| state.is_some_and(|state| state.versions.len() > PRUNE_LEN);
        if !self.versions.with(heap.id, row, is_long) {
            return Ok(());
        }
        let _gate = self.enter();
        let _stripe = self.stripe(heap.id, row);
        let in_use = self.in_use();
        let mut dropped = SmallVec::new();
        self.versions.change(heap.id, row, |state| {
            state.prune(&in_use.snapshots, in_use.horizon, &mut dropped);
        });
        self.forget_versions(heap, &dropped);
        self.purge_keys(relation, heap, row, dropped)
    }
}
