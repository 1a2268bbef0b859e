//! Replaying the log: changes of rows, collected from many commits and applied table by table in the order of row ids.
//!
//! Operations on different rows commute, and those on one row keep their order. So a *batch* of them is sorted by row (stably)
//! and each row is read and written once, whatever was done to it; and the index entries that follow from it are sorted, too.
//! Each page is visited once a batch then, which is what makes a log that changed more than the pool holds go fast. A change of
//! a relation, or the end, closes a batch.
//!
//! Batches are applied beside reading on: a table's part of one is a *job*, taken by whoever has time, helpers
//! on background threads or the reader itself. A batch begins when the one before is done.
//!
//! Invariants
//! - Y1: each operation is applied once, to the row it was made from; one that does not fit is an error.
//! - Y2: when [`Replay::settle`] returns, all operations given before are applied, or it is an error.

use crate::directory::{Heap, Index};
use crate::engine::Engine;
use crate::recover::misfit;
use crate::redo::{Op, splice};
use damask_storage::env::Step;
use damask_storage::row::RowLayout;
use damask_storage::tree::{EntryFlags, RowFlags};
use damask_types::{Error, RelId, Result, RowId};
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of frames in a batch.
const BATCH_BYTES: usize = 32 << 20;
/// Operations in a batch.
const BATCH_OPS: usize = 1 << 20;
/// Most helpers.
const HELPERS_MAX: usize = 3;
/// How long a helper without work sleeps.
const NAP: Duration = Duration::from_millis(1);

/// An operation on a row; its bytes are in a frame of its batch.
#[derive(Clone, Copy)]
struct RowOp {
    row: RowId,
    frame: u32,
    start: u32,
    len: u32,
    change: Change,
}

#[derive(Clone, Copy)]
enum Change {
    Insert,
    Update { offset: u32, removed: u32 },
    Delete,
}

/// What a batch does to a table.
struct Job {
    heap: Arc<Heap>,
    layout: Arc<RowLayout>,
    ops: Vec<RowOp>,
    frames: Arc<Vec<Arc<Vec<u8>>>>,
    /// Its row ids are given out by us, not by a key.
    has_row_ids: bool,
}

/// Jobs of the batch that is being applied.
#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    running: usize,
    error: Option<Error>,
    /// There will be no more.
    is_over: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// A job has ended.
    ended: Condvar,
}

/// Collects operations and has them applied.
pub(crate) struct Replay<'e> {
    engine: &'e Engine,
    shared: Arc<Shared>,
    /// Jobs that collect, by relation.
    jobs: HashMap<RelId, Job>,
    frames: Vec<Arc<Vec<u8>>>,
    byte_count: usize,
    op_count: usize,
}

impl<'e> Replay<'e> {
    /// Nothing collected; helpers wait for work.
    pub(crate) fn new(engine: &'e Engine) -> Self {
        let env = engine.store.env();
        let shared = Arc::<Shared>::default();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..(threads - 1).min(HELPERS_MAX) {
            let shared = Arc::clone(&shared);
            let work = Box::new(move || {
                if shared.run_one() {
                    return Step::Again;
                }
                if shared.queue.lock().is_over { Step::Done } else { Step::After(NAP) }
            });
            env.spawn.spawn("damask-replay", Arc::clone(&env.clock), work);
        }
        let jobs = HashMap::new();
        Self { engine, shared, jobs, frames: Vec::new(), byte_count: 0, op_count: 0 }
    }

    /// Collects an operation on a row. Its bytes, if it has any, begin at `start` of its frame.
    ///
    /// # Errors
    /// What went wrong with an operation given before.
    pub(crate) fn add(&mut self, op: &Op<'_>, frame: &Arc<Vec<u8>>, start: usize) -> Result<()> {
        if !self.frames.last().is_some_and(|last| Arc::ptr_eq(last, frame)) {
            if self.byte_count >= BATCH_BYTES || self.op_count >= BATCH_OPS {
                self.submit()?;
            }
            self.byte_count += frame.len();
            self.frames.push(Arc::clone(frame));
        }
        let (rel, row, len, change) = match *op {
            Op::Insert { rel, row, bytes } => (rel, row, bytes.len(), Change::Insert),
            Op::Update { rel, row, offset, removed, bytes } => {
                let short = |n: usize| u32::try_from(n).map_err(|_| misfit(rel, row));
                let change = Change::Update { offset: short(offset)?, removed: short(removed)? };
                (rel, row, bytes.len(), change)
            }
            Op::Delete { rel, row } => (rel, row, 0, Change::Delete),
            Op::Relation { .. } => return Ok(()),
        };
        let short = |n: usize| u32::try_from(n).map_err(|_| misfit(rel, row));
        let (start, len) = (short(start)?, short(len)?);
        let frame = short(self.frames.len() - 1)?;
        let job = match self.jobs.entry(rel) {
            hashbrown::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            hashbrown::hash_map::Entry::Vacant(entry) => {
                let relation = self.engine.directory.get(rel)?;
                let (heap, layout) = (relation.heap.load_full(), relation.layout.load_full());
                let (ops, frames) = (Vec::new(), Arc::default());
                let has_row_ids = relation.alias.is_none();
                entry.insert(Job { heap, layout, ops, frames, has_row_ids })
            }
        };
        if job.has_row_ids {
            job.heap.row_seen(row);
        }
        job.ops.push(RowOp { row, frame, start, len, change });
        self.op_count += 1;
        Ok(())
    }

    /// Applies everything.
    ///
    /// # Errors
    /// What went wrong with an operation.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.submit()?;
        self.shared.finish()
    }

    /// Hands the batch over when the one before is done.
    fn submit(&mut self) -> Result<()> {
        self.shared.finish()?;
        self.jobs.values().try_for_each(|job| self.engine.tend(&job.heap))?;
        let frames = Arc::new(std::mem::take(&mut self.frames));
        (self.byte_count, self.op_count) = (0, 0);
        let mut queue = self.shared.queue.lock();
        queue.jobs.extend(self.jobs.drain().map(|(_, mut job)| {
            job.frames = Arc::clone(&frames);
            job
        }));
        // The largest first.
        queue
            .jobs
            .make_contiguous()
            .sort_by_key(|job| (std::cmp::Reverse(job.ops.len()), job.heap.rel));
        Ok(())
    }
}

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.lock();
        queue.is_over = true;
        queue.jobs.clear();
    }
}

impl Shared {
    /// Runs a job if one waits.
    fn run_one(&self) -> bool {
        let mut queue = self.queue.lock();
        let Some(job) = queue.jobs.pop_front() else { return false };
        queue.running += 1;
        drop(queue);
        let mut ending = Ending { shared: self, result: Err(Error::internal("a replay panicked")) };
        ending.result = job.run();
        true
    }

    /// Returns when no job waits or runs.
    fn finish(&self) -> Result<()> {
        while self.run_one() {}
        let mut queue = self.queue.lock();
        while queue.running > 0 {
            self.ended.wait(&mut queue);
        }
        queue.error.take().map_or(Ok(()), Err)
    }
}

/// Notes how a job ended, a panic among the ways.
struct Ending<'s> {
    shared: &'s Shared,
    result: Result<()>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.lock();
        queue.running -= 1;
        if let Err(error) = std::mem::replace(&mut self.result, Ok(())) {
            queue.jobs.clear();
            queue.error.get_or_insert(error);
        }
        self.shared.ended.notify_all();
    }
}

/// Entries of an index to add or to take away.
#[derive(Default)]
struct Entries {
    bytes: Vec<u8>,
    /// Where the key begins, how long it is, whose it is, whether it is added.
    list: Vec<(usize, u32, RowId, bool)>,
}

impl Job {
    fn run(mut self) -> Result<()> {
        self.ops.sort_by_key(|op| op.row);
        let indexes = self.heap.indexes.load_full();
        let mut entries: Vec<Entries> = indexes.iter().map(|_| Entries::default()).collect();
        let (mut rows, mut bytes) = (0, 0);
        let mut key = Vec::new();
        let mut visited: Vec<RowId> = self.ops.iter().map(|op| op.row).collect();
        visited.dedup();
        let of_rows = self.ops.chunk_by(|a, b| a.row == b.row);
        for (place, (row, ops)) in visited.iter().copied().zip(of_rows).enumerate() {
            let (before, after) = self.heap.tree.modify_first(&visited[place..], |slot| {
                let before = slot.current().map(|(bytes, _)| bytes);
                let after = self.apply(before, ops)?;
                rows += i64::from(after.is_some()) - i64::from(before.is_some());
                let len = |bytes: Option<&[u8]>| bytes.map_or(0, |bytes| bytes.len() as i64);
                bytes += len(after.as_deref()) - len(before);
                let is_there = before.is_some();
                let before = before.filter(|_| !indexes.is_empty()).map(<[u8]>::to_vec);
                match &after {
                    Some(after) => slot.put(after.clone(), RowFlags::NONE),
                    None if is_there => slot.remove(),
                    None => {}
                }
                Ok((before, after))
            })?;
            for (index, entries) in indexes.iter().zip(&mut entries) {
                entries.add(
                    index,
                    &self.layout,
                    row,
                    before.as_deref(),
                    after.as_deref(),
                    &mut key,
                )?;
            }
        }
        self.heap.count(rows, bytes);
        for (index, entries) in indexes.iter().zip(entries) {
            entries.apply(index)?;
        }
        Ok(())
    }

    /// What operations make of a row.
    fn apply(&self, before: Option<&[u8]>, ops: &[RowOp]) -> Result<Option<Vec<u8>>> {
        let mut row = before.map(<[u8]>::to_vec);
        for op in ops {
            let bytes = &self.frames[op.frame as usize][op.start as usize..][..op.len as usize];
            row = match (op.change, row) {
                (Change::Insert, None) => Some(bytes.to_vec()),
                (Change::Update { offset, removed }, Some(row)) => {
                    let after = splice(&row, offset as usize, removed as usize, bytes);
                    Some(after.ok_or_else(|| misfit(self.heap.rel, op.row))?)
                }
                (Change::Delete, Some(_)) => None,
                _ => return Err(misfit(self.heap.rel, op.row)),
            };
        }
        Ok(row)
    }
}

impl Entries {
    /// Notes what becomes of a row's entries.
    fn add(
        &mut self,
        index: &Index,
        layout: &RowLayout,
        row: RowId,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
        key: &mut Vec<u8>,
    ) -> Result<()> {
        if let (Some(before), Some(after)) = (before, after)
            && index.same_key(layout, before, after)?
        {
            return Ok(());
        }
        for (image, is_added) in [(before, false), (after, true)] {
            if let Some(image) = image
                && index.key_of(layout, image, key)?.is_indexed
            {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(key);
                self.list.push((start, key.len() as u32, row, is_added));
            }
        }
        Ok(())
    }

    fn apply(mut self, index: &Index) -> Result<()> {
        let bytes = &self.bytes;
        let key = |start: usize, len: u32| &bytes[start..][..len as usize];
        self.list.sort_unstable_by(|a, b| (key(a.0, a.1), a.2).cmp(&(key(b.0, b.1), b.2)));
        for (start, len, row, is_added) in self.list {
            if is_added {
                index.tree.insert(key(start, len), row, EntryFlags::NONE)?;
            } else {
                index.tree.remove(key(start, len), row)?;
            }
        }
        Ok(())
    }
}
