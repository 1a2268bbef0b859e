//! Checkpoints: the state of one instant, written beside the last one while changes go on, then switched to.
//!
//! 1. [`Store::prepare_checkpoint`]: the log is flushed; recovery from this checkpoint will begin to read at its end.
//! 2. [`Store::begin_checkpoint`], the instant: page changes and appends stand still while the time, the trees' roots, `meta`
//!    and the pages' epoch are taken. Nothing is written. Changes go on at its return.
//! 3. [`Store::continue_checkpoint`], again and again: the pages of that instant go to fresh units, some with each call, with
//!    a sync of the file now and then, so that the last one has little to do; then the page-table nodes that changed, then
//!    the root.
//! 4. The log is flushed up to the instant and the file synced, the other superblock written, the file synced again: the
//!    switch.
//! 5. What only the checkpoint before needed is let go: units, log segments, the file's free tail.
//!
//! Frames that were appended between 1 and 2 are behind the position and not above the time: recovery reads and skips
//! them. So it does with most of those before the position, if the log is kept from an earlier place on because of frames that a later one
//! will refer to.
//!
//! A crash before the switch leaves the old checkpoint and the whole log behind it; after it, the new one. Step 5 can be
//! lost without harm.

use super::{Disk, Store};
use crate::log::LogPosition;
use crate::page::UNIT_BYTES;
use crate::pool::{SnapshotWriter, TableChanges};
use crate::root::{self, Root};
use crate::superblock::{FEATURE_FIXED_LEAVES, Superblock};
use damask_types::{Error, Lsn, Result, Timestamp};

/// Pages that one call of [`Store::continue_checkpoint`] should write: one long run of the largest pages.
pub const CHECKPOINT_BATCH: usize = 64;
/// Bytes of pages after which the file is synced: what a flush of the log may have to wait for.
const SYNC_BYTES: usize = 8 << 20;

/// A checkpoint about to begin.
#[derive(Clone, Debug)]
pub struct CheckpointStart {
    position: LogPosition,
    /// From where on the log is kept: not behind `position`.
    kept: LogPosition,
}

impl CheckpointStart {
    fn new(position: LogPosition) -> Self {
        Self { kept: position.clone(), position }
    }

    /// Keeps the log from a position on: reading it after a crash begins there, if that is earlier. Every checkpoint that began since the
    /// position was asked for has kept it.
    pub fn keep_log(&mut self, from: &LogPosition) {
        self.kept = self.kept.earlier(from).clone();
    }
}

/// What a checkpoint keeps for its caller besides pages.
pub struct CheckpointMeta {
    begun: Vec<u8>,
    rest: Option<Box<dyn FnOnce() -> Result<Vec<u8>> + Send>>,
}

impl CheckpointMeta {
    /// Bytes that there are at the instant, and what gives those that come behind them. It is called once, when the pages are written,
    /// and dropped if it does not come to that.
    pub fn new(begun: Vec<u8>, rest: impl FnOnce() -> Result<Vec<u8>> + Send + 'static) -> Self {
        Self { begun, rest: Some(Box::new(rest)) }
    }

    /// All bytes.
    ///
    /// # Errors
    /// What the rest raises.
    pub fn whole(self) -> Result<Vec<u8>> {
        let mut all = self.begun;
        if let Some(rest) = self.rest {
            all.append(&mut rest()?);
        }
        Ok(all)
    }
}

impl From<Vec<u8>> for CheckpointMeta {
    fn from(begun: Vec<u8>) -> Self {
        Self { begun, rest: None }
    }
}

/// How far a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointProgress {
    /// There is none, or it was just finished by another.
    Idle,
    /// Pages written of those there are to write.
    Writing {
        /// Pages that are written, or were found not to need it.
        done: usize,
        /// Pages there were to write.
        total: usize,
    },
    /// This call finished it.
    Finished,
}

/// A checkpoint that is being written.
pub(super) struct Running {
    next: Next,
    meta: CheckpointMeta,
    pages: SnapshotWriter,
    /// Bytes written since the last sync.
    unsynced_bytes: usize,
}

/// What a checkpoint will say.
struct Next {
    ts: Timestamp,
    position: LogPosition,
    kept: LogPosition,
    /// The log's end at the instant.
    appended: Lsn,
    closing: bool,
    root: Root,
}

impl Store {
    /// Makes the state of all pages, the trees' roots and `meta` durable as of `ts`; the log before it is let go.
    ///
    /// The caller has stopped every page change and every append for the time of the call; reads go on. `meta` is
    /// handed back by the next [`Store::open`]; it may be of any length. Does nothing in memory. A checkpoint that is
    /// being written is finished first.
    ///
    /// # Errors
    /// As [`Store::continue_checkpoint`].
    pub fn checkpoint(&self, ts: Timestamp, meta: &[u8]) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        self.checkpoint_at_once(&mut disk.lock(), ts, meta, false)
    }

    /// Gets ready for a checkpoint: what can be done before the instant. Page changes and appends go on.
    ///
    /// # Errors
    /// 58030 if the store takes no more writes.
    pub fn prepare_checkpoint(&self) -> Result<CheckpointStart> {
        self.health.check()?;
        let start = CheckpointStart::new(self.log.checkpoint_position()?);
        if let Some(disk) = &self.disk {
            self.pool.relocate_tail(&disk.lock().nodes);
        }
        Ok(start)
    }

    /// Takes the instant of a checkpoint: the state of all pages, the trees' roots and `meta` as of `ts`, of which a part may come later.
    /// [`Store::continue_checkpoint`] writes it.
    ///
    /// The caller has stopped every page change and every append for the time of the call, and begins no checkpoint while
    /// another is being written. Does nothing in memory.
    ///
    /// # Errors
    /// 58030 if the store takes no more writes.
    pub fn begin_checkpoint(
        &self,
        start: &CheckpointStart,
        ts: Timestamp,
        meta: impl Into<CheckpointMeta>,
    ) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        self.begin_with(&mut disk.lock(), start, ts, meta.into(), false)
    }

    /// Writes about `pages_max` pages of the checkpoint that was begun, or what comes after them. Page changes and appends
    /// go on. Whoever finds another at it waits for its turn.
    ///
    /// # Errors
    /// 53100 if the disk is full: the checkpoint is given up, and another may be tried. 58030 for other failures: the
    /// store takes no more writes.
    pub fn continue_checkpoint(&self, pages_max: usize) -> Result<CheckpointProgress> {
        let Some(disk) = &self.disk else { return Ok(CheckpointProgress::Idle) };
        self.continue_with(&mut disk.lock(), pages_max)
    }

    /// Whether a checkpoint is being written.
    pub fn is_checkpointing(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.lock().running.is_some())
    }

    /// Checkpoints and closes: what is left is one file. The store must not be changed afterwards; closing again does
    /// nothing.
    ///
    /// # Errors
    /// As [`Store::continue_checkpoint`]; the store is then open still.
    pub fn close(&self, ts: Timestamp, meta: &[u8]) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let mut disk = disk.lock();
        if disk.lock.is_none() {
            return Ok(());
        }
        self.checkpoint_at_once(&mut disk, ts, meta, true)?;
        let removed = self.log.remove();
        // Whoever still holds a part of the store must not write into a file that someone else may have opened.
        self.health.poison(Error::internal("the database was closed"));
        disk.lock = None;
        removed
    }

    fn checkpoint_at_once(
        &self,
        disk: &mut Disk,
        ts: Timestamp,
        meta: &[u8],
        closing: bool,
    ) -> Result<()> {
        while disk.running.is_some() {
            self.continue_with(disk, CHECKPOINT_BATCH)?;
        }
        self.health.check()?;
        let start = CheckpointStart::new(self.log.checkpoint_position()?);
        self.pool.relocate_tail(&disk.nodes);
        self.begin_with(disk, &start, ts, meta.to_vec().into(), closing)?;
        while disk.running.is_some() {
            self.continue_with(disk, CHECKPOINT_BATCH)?;
        }
        Ok(())
    }

    fn begin_with(
        &self,
        disk: &mut Disk,
        start: &CheckpointStart,
        ts: Timestamp,
        meta: CheckpointMeta,
        closing: bool,
    ) -> Result<()> {
        self.health.check()?;
        assert!(disk.running.is_none(), "one checkpoint is written at a time");
        assert!(ts >= disk.superblock.checkpoint_ts, "checkpoints are taken in order");
        let root = {
            let trees = self.trees.read();
            let trees_now = trees.descriptors.values().copied().collect();
            // The nodes and the meta come when they are written.
            let (nodes, meta) = (Vec::new(), Vec::new());
            Root { nodes, trees: trees_now, next_tree: trees.next, meta }
        };
        let CheckpointStart { position, kept } = start.clone();
        let appended = self.log.appended_lsn();
        disk.running = Some(Running {
            next: Next { ts, position, kept, appended, closing, root },
            meta,
            pages: self.pool.begin_snapshot(),
            unsynced_bytes: 0,
        });
        Ok(())
    }

    fn continue_with(&self, disk: &mut Disk, pages_max: usize) -> Result<CheckpointProgress> {
        let Some(running) = &mut disk.running else { return Ok(CheckpointProgress::Idle) };
        let is_some = self.health.check().and_then(|()| self.write_pages(running, pages_max));
        let running = match is_some {
            Ok(true) => {
                let total = running.pages.page_count();
                let done = total - running.pages.left();
                return Ok(CheckpointProgress::Writing { done, total });
            }
            Ok(false) => disk.running.take(),
            Err(error) => {
                disk.running = None;
                self.pool.checkpoint_failed(&[]);
                return Err(self.unless_full(error));
            }
        };
        let Some(Running { mut next, meta, .. }) = running else {
            return Ok(CheckpointProgress::Idle);
        };
        match meta.whole() {
            Ok(meta) => next.root.meta = meta,
            Err(error) => {
                self.pool.checkpoint_failed(&[]);
                return Err(error);
            }
        }
        let position = next.position.clone();
        let kept = if self.lets_log_go() { position.clone() } else { next.kept.clone() };
        let table = match self.log.flush(next.appended) {
            Ok(()) => {
                self.pool.write_table(&disk.nodes).map_err(|error| self.unless_full(error))?
            }
            Err(error) => {
                self.pool.checkpoint_failed(&[]);
                return Err(error);
            }
        };
        self.switch(disk, table, next)?;
        // Nothing depends on these any more; but a log directory in an unknown state is not to be written to.
        self.log.checkpoint_done(&position, &kept)?;
        Ok(CheckpointProgress::Finished)
    }

    /// Writes some pages, or syncs those that were; false if there was nothing to do.
    fn write_pages(&self, running: &mut Running, pages_max: usize) -> Result<bool> {
        if running.unsynced_bytes >= SYNC_BYTES {
            running.unsynced_bytes = 0;
            self.fatal(self.file.sync_data())?;
            return Ok(true);
        }
        running.unsynced_bytes += pages_max * self.pool.page_bytes();
        self.pool.write_some(&mut running.pages, pages_max)
    }

    /// Writes the root and the superblock, and lets the old ones go.
    fn switch(&self, disk: &mut Disk, table: TableChanges, mut next: Next) -> Result<()> {
        next.root.nodes.clone_from(&table.nodes);
        if next.closing {
            // The next log begins with these anew.
            next.kept.offsets.truncate(1);
        }
        let mut superblock = Superblock {
            generation: disk.superblock.generation + 1,
            checkpoint_ts: next.ts,
            log: next.kept,
            clean: next.closing,
            features_incompatible: disk.superblock.features_incompatible | FEATURE_FIXED_LEAVES,
            ..disk.superblock.clone()
        };
        let mut runs = Vec::new();
        let mut unsynced_bytes = 0;
        let written = root::write_chain(
            &next.root.encode(),
            superblock.generation,
            self.seed,
            &mut runs,
            |count| self.pool.allocate_run(count),
            |block, run| {
                self.pool.write_block(block, run)?;
                unsynced_bytes += block.len();
                if unsynced_bytes >= SYNC_BYTES {
                    unsynced_bytes = 0;
                    self.file.sync_data()?;
                }
                Ok(())
            },
        );
        let written = written.and_then(|first| Ok((first, self.file.len()?)));
        superblock.root = match written {
            Ok((first, len)) => {
                // The file has all that was written; of what others have taken meanwhile it may not have all.
                let needed = self.pool.unit_count_after(&table, &disk.root_runs);
                superblock.unit_count = needed.min(len / UNIT_BYTES as u64);
                Some(first)
            }
            Err(error) => {
                for run in runs {
                    self.pool.release_run(run);
                }
                self.pool.checkpoint_failed(table.written());
                return Err(self.unless_full(error));
            }
        };
        if !self.skips_first_sync() {
            self.fatal(self.file.sync_data())?;
        }
        self.fatal(superblock.write(&*self.file))?;
        self.fatal(self.file.sync_data())?;

        let old_runs = std::mem::replace(&mut disk.root_runs, runs);
        self.pool.checkpoint_done(&table, old_runs, next.closing);
        disk.nodes = table.nodes;
        disk.superblock = superblock;
        Ok(())
    }

    /// Marks the file as one that only readers open which know `feature`.
    pub(super) fn require_feature(&self, feature: u64) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let mut disk = disk.lock();
        let features_incompatible = disk.superblock.features_incompatible | feature;
        if features_incompatible == disk.superblock.features_incompatible {
            return Ok(());
        }
        self.health.check()?;
        let superblock = Superblock {
            generation: disk.superblock.generation + 1,
            features_incompatible,
            ..disk.superblock.clone()
        };
        self.fatal(superblock.write(&*self.file))?;
        self.fatal(self.file.sync_data())?;
        disk.superblock = superblock;
        Ok(())
    }

    /// Poisons the store unless the disk was merely full (C3).
    fn unless_full(&self, error: Error) -> Error {
        if error.is_disk_full() { error } else { self.health.poison(error) }
    }

    /// After a failure here nobody knows which superblock is in force.
    fn fatal<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.health.poison(error))
    }

    #[cfg(not(test))]
    fn lets_log_go(&self) -> bool {
        let _ = self;
        false
    }

    #[cfg(test)]
    fn lets_log_go(&self) -> bool {
        self.planted == super::Planted::LogLetGo
    }

    #[cfg(not(test))]
    fn skips_first_sync(&self) -> bool {
        let _ = self;
        false
    }

    #[cfg(test)]
    fn skips_first_sync(&self) -> bool {
        self.planted == super::Planted::SuperblockBeforeSync
    }
}
