//! Checkpoints: the state of one instant, written beside the last one, then switched to.
//!
//! 1. The log is flushed; recovery from this checkpoint will begin to read at its end.
//! 2. Dirty pages go to fresh units, then the page-table nodes that changed, then the root.
//! 3. The file is synced, the other superblock written, the file synced again: the switch.
//! 4. What only the checkpoint before needed is let go: units, log segments, the file's free tail.
//!
//! A crash before the switch leaves the old checkpoint and the whole log behind it; after it, the new one. Step 4 can be
//! lost without harm.

use super::{Disk, Store};
use crate::log::LogPosition;
use crate::page::UNIT_BYTES;
use crate::pool::TableChanges;
use crate::root::{self, Root};
use crate::superblock::Superblock;
use damask_types::{Error, Result, SqlState, Timestamp};

impl Store {
    /// Makes the state of all pages, the trees' roots and `meta` durable as of `ts`; the log before it is let go.
    ///
    /// The caller has stopped every page change and every append for the time of the call (C2); reads go on. `meta` is
    /// handed back by the next [`Store::open`]; it may be of any length. Does nothing in memory.
    ///
    /// # Errors
    /// 53100 if the disk is full: nothing changed, and it may be tried again. 58030 for other failures: the store takes
    /// no more writes.
    pub fn checkpoint(&self, ts: Timestamp, meta: &[u8]) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        self.checkpoint_with(&mut disk.lock(), ts, meta, false)
    }

    /// Checkpoints and closes: what is left is one file. The store must not be changed afterwards; closing again does
    /// nothing.
    ///
    /// # Errors
    /// As [`Store::checkpoint`]; the store is then open still.
    pub fn close(&self, ts: Timestamp, meta: &[u8]) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let mut disk = disk.lock();
        if disk.lock.is_none() {
            return Ok(());
        }
        self.checkpoint_with(&mut disk, ts, meta, true)?;
        let removed = self.log.remove();
        // Whoever still holds a part of the store must not write into a file that someone else may have opened.
        self.health.poison(Error::internal("the database was closed"));
        disk.lock = None;
        removed
    }

    fn checkpoint_with(
        &self,
        disk: &mut Disk,
        ts: Timestamp,
        meta: &[u8],
        closing: bool,
    ) -> Result<()> {
        self.health.check()?;
        assert!(ts >= disk.superblock.checkpoint_ts, "checkpoints are taken in order");
        let position = self.log.checkpoint_position()?;
        self.pool.relocate_tail(&disk.nodes);
        self.pool.write_dirty().map_err(|error| self.unless_full(error))?;
        let table = self.pool.write_table(&disk.nodes).map_err(|error| self.unless_full(error))?;
        let next = Next { ts, position, closing, meta };
        self.switch(disk, table, &next)?;
        // Nothing depends on these any more; but a log directory in an unknown state is not to be written to.
        self.log.checkpoint_done(position)
    }

    /// Writes the root and the superblock, and lets the old ones go.
    fn switch(&self, disk: &mut Disk, table: TableChanges, next: &Next<'_>) -> Result<()> {
        let root = {
            let trees = self.trees.read();
            Root {
                nodes: table.nodes.clone(),
                trees: trees.descriptors.values().copied().collect(),
                next_tree: trees.next,
                meta: next.meta.to_vec(),
            }
        };
        let mut superblock = Superblock {
            generation: disk.superblock.generation + 1,
            checkpoint_ts: next.ts,
            log: next.position,
            clean: next.closing,
            ..disk.superblock.clone()
        };
        let mut runs = Vec::new();
        let written = root::write_chain(
            &root.encode(),
            superblock.generation,
            self.seed,
            &mut runs,
            |count| self.pool.allocate_run(count),
            |block, run| self.pool.write_block(block, run),
        );
        superblock.unit_count = self.pool.unit_count_after(&table, &disk.root_runs);
        let written = written.and_then(|first| self.fit_file(&superblock).map(|()| first));
        superblock.root = match written {
            Ok(first) => Some(first),
            Err(error) => {
                for run in runs {
                    self.pool.release_run(run);
                }
                self.pool.checkpoint_failed(table);
                return Err(self.unless_full(error));
            }
        };
        if !self.skips_first_sync() {
            self.fatal(self.file.sync_data())?;
        }
        self.fatal(superblock.write(&*self.file))?;
        self.fatal(self.file.sync_data())?;

        let old_runs = std::mem::replace(&mut disk.root_runs, runs);
        let cut = self.pool.checkpoint_done(&table, old_runs, next.closing);
        disk.nodes = table.nodes;
        disk.superblock = superblock;
        if let Some(unit_count) = cut {
            // A file that stays long is only untidy.
            drop(self.file.set_len(unit_count * UNIT_BYTES as u64));
        }
        Ok(())
    }

    /// Grows the file to what the superblock will claim: a run that was allocated may not have been written.
    fn fit_file(&self, superblock: &Superblock) -> Result<()> {
        let needed = superblock.unit_count * UNIT_BYTES as u64;
        if self.file.len()? < needed {
            self.file.set_len(needed)?;
        }
        Ok(())
    }

    /// Poisons the store unless the disk was merely full (C3).
    fn unless_full(&self, error: Error) -> Error {
        if error.sqlstate() == SqlState::DISK_FULL { error } else { self.health.poison(error) }
    }

    /// After a failure here nobody knows which superblock is in force.
    fn fatal<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.health.poison(error))
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

/// What a checkpoint will say.
struct Next<'a> {
    ts: Timestamp,
    position: LogPosition,
    closing: bool,
    meta: &'a [u8],
}
