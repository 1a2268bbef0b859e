//! The end of a transaction that stays: its frame in the log, its cell flipped, and what is left to do when that is durable.
//!
//! 1. *Commit section* ([`Txn::log`]), when all but the end of a large transaction's changes is logged ([`crate::fragments`]): a serializable
//!    transaction is tested, the frame gets its place in the log, the cell flips.
//! 2. What it changed is queued for the collector, what it dropped for the end of the watermark.
//! 3. *Settling*: the frame is durable; locks are given back, so that whoever gets them next takes a snapshot that has the commit.
//!
//! A caller gets a [`CommitTicket`] between 2 and 3, or goes through all of it at once ([`Txn::end`]).

use super::{Txn, Undo};
use crate::cell::TxnCell;
use crate::engine::Engine;
use crate::gc::{Changed, SHARE_MIN};
use crate::lock::WeakLocks;
use crate::redo::Redo;
use crate::serializable::Changes;
use damask_storage::ledger;
use damask_types::{Lsn, Result, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Of so many commits that only read one looks whether a checkpoint is due.
const READERS_PER_LOOK: u64 = 64;

/// What a commit waits for (`synchronous_commit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// Its flush: what is acknowledged survives a crash.
    #[default]
    Flushed,
    /// Nothing: a crash may take it back within about [`EngineOptions::flush_delay`](crate::EngineOptions), with all that
    /// committed after it, and never anything else.
    Relaxed,
}

/// A commit that is decided and perhaps not yet durable. Dropping it waits, too.
#[derive(Debug)]
#[must_use = "a commit may be acknowledged only after `wait`"]
pub struct CommitTicket {
    /// It has ended, and keeps its locks until the commit is shown. None once it was given away.
    txn: Option<Box<Txn>>,
    settling: Settling,
}

/// What is left of a commit that is decided.
#[derive(Debug)]
struct Settling {
    timestamp: Timestamp,
    lsn: Lsn,
    durability: Durability,
    /// Rows whose garbage is to be collected once the commit is durable.
    garbage: usize,
    /// Whether to look for a checkpoint that is due.
    looks: bool,
    is_done: bool,
}

impl Txn {
    /// Makes the changes visible in the order of commits; they may be acknowledged when the ticket says so.
    ///
    /// # Errors
    /// 53100 when the disk is full, 58030 when the log cannot be written, 40001 when a serializable transaction would not be; it is then rolled back in memory.
    pub fn commit(self) -> Result<CommitTicket> {
        self.commit_with(Durability::Flushed)
    }

    /// The same, with the choice whether to wait for the log. A transaction that changed relations waits in any case: its
    /// end lets go of files' space, which must not come back.
    ///
    /// # Errors
    /// As for [`Txn::commit`].
    pub fn commit_with(self, durability: Durability) -> Result<CommitTicket> {
        Box::new(self).commit_boxed(durability)
    }

    /// The same of one that lies where it may stay.
    ///
    /// # Errors
    /// As for [`Txn::commit`].
    pub fn commit_boxed(mut self: Box<Self>, durability: Durability) -> Result<CommitTicket> {
        let settling = self.finish(durability)?;
        Ok(CommitTicket { txn: Some(self), settling })
    }

    /// Commits, as [`Txn::commit_with`], and waits until that may be acknowledged, as [`CommitTicket::wait`]. What is left can be
    /// used for another transaction ([`Txn::restart`]), unless this gave an error.
    ///
    /// # Errors
    /// As for these two.
    pub fn end(&mut self, durability: Durability) -> Result<()> {
        let mut settling = self.finish(durability)?;
        settling.run(self)
    }

    /// Commits. Of the undo list locks are left, which are given back when the commit is shown, so that whoever gets them next takes
    /// a snapshot that has it.
    fn finish(&mut self, mut durability: Durability) -> Result<Settling> {
        self.drop_view();
        self.unexpect();
        if self.redo.is_empty() {
            return Ok(self.finish_reader(durability));
        }
        let met = Timestamp(self.met.load(Ordering::Relaxed));
        if durability == Durability::Relaxed
            && (self.undo.iter().any(|undo| matches!(undo, Undo::Ddl))
                || !self.engine.is_durable(met))
        {
            durability = Durability::Flushed;
        }
        self.redo.end();
        let (timestamp, lsn) = match self.log_pieces().and_then(|()| self.log(durability)) {
            Ok(committed) => committed,
            Err(error) => {
                self.abort();
                return Err(error);
            }
        };
        self.finished = true;
        self.engine.count_commit();
        let engine = Arc::clone(&self.engine);
        // What is between here and the ticket is the commit's: relations that are dropped, locks that are given back.
        let stop = engine.stop.on_panic();
        let mut rows = Vec::with_capacity(self.undo.len());
        let mut has_ddl = false;
        for undo in self.undo.extract_if(.., |undo| !undo.is_lock()) {
            match undo {
                Undo::Row { relation, heap, row } => {
                    rows.push(Changed::Row((relation, heap, row)));
                }
                Undo::Run { run, .. } => rows.push(Changed::Run(run)),
                Undo::Ddl => has_ddl = true,
                Undo::RowLock { .. } | Undo::RelationLock { .. } => {}
            }
        }
        let made = rows.len();
        // Rows before heaps: a dropped heap goes when its rows are settled.
        engine.garbage.add(timestamp, rows);
        if has_ddl {
            engine.finish_ddl(self.cell.id(), timestamp);
        }
        let garbage = engine.garbage_share(made);
        drop(stop);
        Ok(Settling { timestamp, lsn, durability, garbage, looks: true, is_done: false })
    }

    /// Logs the changes and flips the cell. For serializable transactions the changes are kept if there are any, and what this one has
    /// read is tested if it is one: again in the commit section, for commits since, of which there are few.
    fn log(&mut self, durability: Durability) -> Result<(Timestamp, Lsn)> {
        let mut redo = self.redo.take();
        let logged = self.log_redo(&mut redo, durability);
        self.redo = redo;
        logged
    }

    fn log_redo(&mut self, redo: &mut Redo, durability: Durability) -> Result<(Timestamp, Lsn)> {
        let engine = Arc::clone(&self.engine);
        let mut room = engine.reserve_log([redo.commit_len()])?;
        let mut serial = self.serial.take();
        let mut changes = None;
        loop {
            if changes.is_none() && engine.serializable.is_active() {
                changes = Some(Changes::of(self)?);
            }
            if let Some(serial) = &mut serial {
                serial.test().map_err(|lost| self.lose(lost))?;
            }
            let _gate = engine.enter();
            engine.check_open()?;
            let mut noted = changes.take();
            let has_changes = noted.is_some();
            let admit = || {
                if !has_changes && engine.serializable.is_active() {
                    return Ok(false);
                }
                if let Some(serial) = &mut serial {
                    serial.test().map_err(|lost| self.lose(lost))?;
                }
                Ok(true)
            };
            let flip = |timestamp| {
                engine.serializable.note(timestamp, noted.take(), &engine);
                self.cell.commit(timestamp);
            };
            let compression = self.log_compression;
            let redo = (self.cell.id(), &mut *redo, &mut room);
            let logged = engine.log_commit(redo, durability, compression, admit, flip)?;
            // If it was not admitted, a serializable transaction has begun since.
            if let Some(logged) = logged {
                self.log_keeper = None;
                return Ok(logged);
            }
        }
    }

    /// Nothing was changed: there may be locks, and sequence values that are not durable yet.
    fn finish_reader(&mut self, mut durability: Durability) -> Settling {
        self.finished = true;
        self.serial = None;
        self.log_keeper = None;
        self.cell.abort();
        let commits = self.engine.count_commit();
        let met = Timestamp(self.met.load(Ordering::Relaxed));
        let unflushed = self.engine.sequences.unflushed();
        if !self.engine.is_durable(met) {
            durability = Durability::Flushed;
        }
        let timestamp = unflushed.max(met);
        Settling {
            timestamp,
            lsn: Lsn(0),
            durability,
            garbage: SHARE_MIN,
            looks: commits.is_multiple_of(READERS_PER_LOOK),
            is_done: false,
        }
    }
}

impl Engine {
    /// Counts a commit; how many the calling thread and those that share its part have counted.
    fn count_commit(&self) -> u64 {
        self.commits.part(self.commits.own()).fetch_add(1, Ordering::Relaxed)
    }

    /// Gives back the locks in the list of a transaction that has ended.
    pub(super) fn release_locks(
        &self,
        cell: &Arc<TxnCell>,
        weak_locks: &WeakLocks,
        locks: &mut Vec<Undo>,
    ) {
        self.release_advisory(cell, 0);
        if locks.is_empty() {
            return;
        }
        for undo in locks.drain(..).filter(Undo::is_lock) {
            // Giving one back touches no page.
            let _ = self.undo(cell, weak_locks, undo);
        }
        cell.notify();
    }
}

impl CommitTicket {
    /// Waits until the commit may be acknowledged: it is durable, unless it was not to wait for that.
    ///
    /// # Errors
    /// 58030 if the log could not be written: whether the commit survives is then unknown, and the database has stopped.
    pub fn wait(mut self) -> Result<()> {
        self.settle()
    }

    /// The same; what is left can be used for another transaction ([`Txn::restart`]).
    ///
    /// # Errors
    /// As for [`CommitTicket::wait`].
    pub fn wait_for_txn(mut self) -> Result<Box<Txn>> {
        self.settle()?;
        Ok(self.txn.take().expect("it is given away once"))
    }

    fn engine(&self) -> &Engine {
        &self.txn.as_ref().expect("it is there until the ticket goes").engine
    }

    /// Returns when the commit is durable. Its locks are kept until [`CommitTicket::wait`]: what those who get them next are to find can be
    /// put in place before.
    ///
    /// # Errors
    /// As for [`CommitTicket::wait`].
    pub fn wait_until_durable(&self) -> Result<()> {
        self.engine().wait_durable(self.settling.timestamp)
    }

    /// Whether the commit survives a crash already.
    pub fn is_durable(&self) -> bool {
        self.engine().is_durable(self.settling.timestamp)
    }

    /// Whether [`CommitTicket::wait`] would not wait for the log.
    pub fn is_settled(&self) -> bool {
        self.is_durable()
            || self.settling.durability == Durability::Relaxed
            || self.engine().skips_flush()
    }

    /// The commit's place in the order of commits.
    pub fn timestamp(&self) -> Timestamp {
        self.settling.timestamp
    }

    fn settle(&mut self) -> Result<()> {
        self.txn.as_deref_mut().map_or(Ok(()), |txn| self.settling.run(txn))
    }
}

impl Settling {
    /// Waits until the transaction's commit may be acknowledged, gives back the locks, and does what is due after a commit.
    fn run(&mut self, txn: &mut Txn) -> Result<()> {
        if self.is_done {
            return Ok(());
        }
        let engine = &txn.engine;
        let result = if engine.is_durable(self.timestamp) {
            Ok(())
        } else if self.durability == Durability::Relaxed {
            engine.flush_soon()
        } else if engine.skips_flush() {
            return Ok(());
        } else if self.lsn > Lsn(0) {
            ledger::assert_free("the log");
            engine.store.log().flush(self.lsn)
        } else {
            engine.wait_durable(self.timestamp)
        };
        engine.release_locks(&txn.cell, &txn.weak_locks, &mut txn.undo);
        if result.is_ok() {
            self.is_done = true;
            self.tidy_up(engine);
        }
        result
    }

    /// What is due after a commit: garbage, perhaps a checkpoint. The commit stands whatever becomes of it; an I/O error
    /// here stops the store, and every later change reports it.
    fn tidy_up(&self, engine: &Arc<Engine>) {
        let _ = engine.collect_garbage(self.garbage);
        engine.collect_soon();
        if self.looks {
            let _ = engine.checkpoint_if_due();
        }
    }
}

impl Drop for CommitTicket {
    fn drop(&mut self) {
        // An error here has stopped the log, and every later commit reports it.
        let _ = self.settle();
    }
}
