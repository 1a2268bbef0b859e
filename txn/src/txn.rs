//! A transaction; its end is in [`commit`].
//!
//! It keeps two lists: *undo*, what to turn back, newest last, and *redo*, the bytes its commit will log. A savepoint is a
//! place in both. Rolling back walks undo from its end; each entry puts one row, lock or relation back and wakes whoever
//! waits for it.

mod commit;

pub use commit::{CommitTicket, Durability};

use crate::advisory::TxnHandle;
use crate::cell::TxnCell;
use crate::clock::SnapshotPin;
use crate::deferred::{DeferredList, DeferredMark};
use crate::directory::{Heap, Relation};
use crate::engine::Engine;
use crate::fragments::LogKeeper;
use crate::interrupt::Interrupt;
use crate::lock::{LockTag, TableLock, WeakLocks};
use crate::redo::{Redo, RedoMark};
use crate::runs::Run;
use crate::serializable::{self, Lost, Serial};
use crate::table::RowLock;
use crate::{IsolationLevel, ReadView};
use damask_storage::LogCompression;
use damask_types::{
    ColumnIndex, CommandId, Error, RelId, Result, RowId, SqlState, Timestamp, TxnId,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A point that a transaction can be rolled back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Savepoint {
    undo: usize,
    redo: RedoMark,
    advisory: usize,
    deferred: DeferredMark,
}

/// Something to turn back.
#[derive(Debug)]
pub(crate) enum Undo {
    /// The newest version of the row is ours.
    Row { relation: Arc<Relation>, heap: Arc<Heap>, row: RowId },
    /// The rows of this run are ours.
    Run { relation: Arc<Relation>, run: Run },
    /// The newest of our explicit locks on the row is this.
    RowLock { heap: Arc<Heap>, row: RowId, lock: RowLock },
    /// A relation lock.
    RelationLock { tag: LockTag, lock: TableLock },
    /// The last entry of our list in [`Engine::ddl`].
    Ddl,
}

/// Entries of the undo list that a transaction leaves room for to the next one of its session.
const UNDO_KEPT: usize = 256;
impl Undo {
    /// Whether it gives back a lock. These outlive the commit section.
    fn is_lock(&self) -> bool {
        matches!(self, Self::RowLock { .. } | Self::RelationLock { .. })
    }
}

/// A transaction; rolled back if dropped while open.
pub struct Txn {
    pub(crate) engine: Arc<Engine>,
    pub(crate) cell: Arc<TxnCell>,
    /// Its locks on relations in weak modes.
    weak_locks: WeakLocks,
    level: IsolationLevel,
    read_only: bool,
    /// The command whose changes are being made; what the view sees is before it.
    pub(crate) command: CommandId,
    /// The current statement's view; none before the first statement.
    view: Option<ReadView>,
    /// The pin of a view that is over, for the next one.
    idle_pin: Option<Arc<SnapshotPin>>,
    /// What a serializable transaction that may write keeps; there with the view.
    serial: Option<Serial>,
    pub(crate) undo: Vec<Undo>,
    pub(crate) redo: Redo,
    /// There when a part of the redo is logged.
    pub(crate) log_keeper: Option<LogKeeper>,
    pub(crate) deferred: DeferredList,
    pub(crate) interrupt: Arc<dyn Interrupt>,
    /// Whether the statement that runs may build on commits that are not durable, and whether it does just now.
    early: (bool, bool),
    /// The last commit that it built on, or lost to, before that was shown. Atomic only because those who look at it share the transaction.
    met: AtomicU64,
    finished: bool,
    /// Whether the log expects a frame of ours.
    is_expected: bool,
    /// As of [`Txn::set_gathered`].
    is_gathered: bool,
    /// Whether its frames may be compressed in the log.
    pub(crate) log_compression: LogCompression,
}

impl std::fmt::Debug for Txn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Txn")
            .field("id", &self.id())
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

impl Txn {
    pub(crate) fn new(
        engine: Arc<Engine>,
        id: TxnId,
        level: IsolationLevel,
        read_only: bool,
    ) -> Self {
        let weak_locks = engine.lock_table.weak_locks(id);
        let piece_bytes = engine.options.fragment_bytes;
        Self {
            engine,
            cell: Arc::new(TxnCell::new(id)),
            weak_locks,
            level,
            read_only,
            command: CommandId(0),
            view: None,
            idle_pin: None,
            serial: None,
            undo: Vec::new(),
            redo: Redo::new(piece_bytes),
            log_keeper: None,
            deferred: DeferredList::default(),
            interrupt: Engine::no_interrupt(),
            early: (false, false),
            met: AtomicU64::new(0),
            finished: false,
            is_expected: false,
            is_gathered: false,
            log_compression: LogCompression::Off,
        }
    }

    /// Begins another transaction in the place of one that has ended, with its interrupt and the memory it had.
    ///
    /// # Errors
    /// 58030 and 57P01 when the engine has stopped or was closed.
    pub fn restart(&mut self, level: IsolationLevel, read_only: bool) -> Result<()> {
        assert!(self.finished, "a transaction is restarted when it has ended");
        self.engine.check_open()?;
        let id = self.engine.next_id();
        match Arc::get_mut(&mut self.cell) {
            Some(cell) => cell.renew(id),
            // Versions point at it, or somebody who has a handle.
            None => self.cell = Arc::new(TxnCell::new(id)),
        }
        (self.level, self.read_only) = (level, read_only);
        self.command = CommandId(0);
        self.undo.clear();
        self.undo.shrink_to(UNDO_KEPT);
        self.redo.clear();
        self.deferred = DeferredList::default();
        self.early = (false, false);
        *self.met.get_mut() = 0;
        self.log_compression = LogCompression::Off;
        self.finished = false;
        Ok(())
    }

    /// Its id.
    pub fn id(&self) -> TxnId {
        self.cell.id()
    }

    /// What takes advisory locks for it while it is in use elsewhere.
    pub fn handle(&self) -> TxnHandle {
        TxnHandle(Arc::clone(&self.cell))
    }

    /// Its level.
    pub fn isolation(&self) -> IsolationLevel {
        self.level
    }

    /// Whether it may not write: changes give 25006 (the session layer words it with the command's name before that).
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Makes it read-only, or read-write again (`SET TRANSACTION`).
    ///
    /// # Errors
    /// 25001 for read-write after the first statement of one that was read-only.
    pub fn set_read_only(&mut self, read_only: bool) -> Result<()> {
        if self.read_only && !read_only && self.command > CommandId(0) {
            return Err(Error::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "transaction read-write mode must be set before any query",
            ));
        }
        self.read_only = read_only;
        Ok(())
    }

    /// Changes the level; possible until the first statement.
    ///
    /// # Errors
    /// 25001 after it.
    pub fn set_isolation(&mut self, level: IsolationLevel) -> Result<()> {
        if level == self.level {
            return Ok(());
        }
        if self.command > CommandId(0) {
            return Err(Error::new(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION ISOLATION LEVEL must be called before any query",
            ));
        }
        self.level = level;
        Ok(())
    }

    /// Whether it has changed anything so far.
    pub fn has_writes(&self) -> bool {
        !self.redo.is_empty()
    }

    /// The engine it runs in.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Sets what its waits poll.
    pub fn set_interrupt(&mut self, interrupt: Arc<dyn Interrupt>) {
        self.interrupt = interrupt;
    }

    /// Says whether what the commit logs may be compressed. What is written with it is, too.
    pub fn set_log_compression(&mut self, compression: LogCompression) {
        self.log_compression = compression;
    }

    /// Says that whoever runs this transaction gathers commits before they are flushed ([`Engine::expects_gathered`] tells when that may
    /// pay): the log's writer need not yield so that it comes along.
    pub fn set_gathered(&mut self) {
        self.is_gathered = true;
    }

    /// Says whether the statement that runs lets nothing out of the process before [`Txn::settle`], the next statement or the
    /// transaction's end; only then may it build on commits that are not durable.
    pub fn allow_early(&mut self, is_allowed: bool) {
        self.early = (is_allowed, false);
    }

    /// From here on a change does not wait until the last change of its row is durable, if the statement allows it: the row is
    /// `Changed`, and this transaction's commit, which is behind the other's in the log, becomes durable with it.
    pub fn set_early(&mut self, is_early: bool) {
        self.early.1 = is_early && self.early.0;
    }

    /// Returns when everything that the transaction built on is durable. What it found may leave the process then.
    ///
    /// # Errors
    /// 58030 if the log could not be written.
    pub fn settle(&self) -> Result<()> {
        if self.is_settled() {
            return Ok(());
        }
        self.engine.wait_durable(Timestamp(self.met.load(Ordering::Relaxed)))
    }

    /// Whether [`Txn::settle`] would return at once.
    pub fn is_settled(&self) -> bool {
        self.engine.is_durable(Timestamp(self.met.load(Ordering::Relaxed)))
            || self.engine.skips_settling()
    }

    /// Whether to build on the commit at `commit`, which is not shown yet; notes it if so.
    pub(crate) fn builds_on(&self, commit: Timestamp) -> bool {
        if self.early.1 {
            self.met.fetch_max(commit.0, Ordering::Relaxed);
        }
        self.early.1
    }

    /// Begins a statement: READ COMMITTED takes a new snapshot, and changes made so far become visible to the transaction.
    ///
    /// # Errors
    /// 54000 after 2^32 - 2 commands.
    pub fn begin_statement(&mut self) -> Result<()> {
        self.engine.check_open()?;
        self.settle()?;
        self.early = (false, false);
        if self.level == IsolationLevel::ReadCommitted || self.view.is_none() {
            let pin = self.snapshot()?;
            self.view = Some(ReadView {
                horizon: pin.horizon.clone(),
                own: self.cell.id(),
                command: self.command,
                pin: Some(pin),
                reads: self.serial.as_ref().map(|serial| Arc::clone(serial.reads())),
            });
        }
        self.advance_command()
    }

    /// A statement has ended, and nothing of it is read any more: at READ COMMITTED its snapshot holds no versions back then.
    pub fn end_statement(&mut self) {
        if self.level == IsolationLevel::ReadCommitted {
            self.drop_view();
        }
    }

    /// Drops the view, and lets its snapshot go unless others have the view, too.
    fn drop_view(&mut self) {
        let pin = self.view.take().and_then(|view| view.pin);
        if let Some(mut pin) = pin
            && let Some(held) = Arc::get_mut(&mut pin)
        {
            held.release();
            self.idle_pin = Some(pin);
        }
    }

    /// Takes a snapshot. It is never behind the last one: the horizon only grows.
    fn snapshot(&mut self) -> Result<Arc<SnapshotPin>> {
        let engine = &self.engine;
        match self.level {
            IsolationLevel::ReadCommitted | IsolationLevel::RepeatableRead => {
                if let Some(mut pin) = self.idle_pin.take()
                    && let Some(idle) = Arc::get_mut(&mut pin)
                {
                    idle.hold(self.cell.id(), engine.next_txn(), || engine.horizon());
                    return Ok(pin);
                }
                Ok(Arc::new(engine.pin_snapshot(self.cell.id())))
            }
            IsolationLevel::Serializable if self.read_only => {
                serializable::snapshot(engine, self.cell.id()).map(Arc::new)
            }
            IsolationLevel::Serializable => {
                let (serial, pin) = Serial::begin(engine, self.cell.id())?;
                self.serial = Some(serial);
                Ok(Arc::new(pin))
            }
        }
    }

    /// Makes the changes so far visible to the transaction without taking a new snapshot: between the commands that
    /// one statement runs in turn (foreign key actions, functions).
    ///
    /// # Errors
    /// 54000 after 2^32 - 2 commands.
    pub fn advance_command(&mut self) -> Result<()> {
        self.command.0 += 1;
        if self.command.0 == u32::MAX {
            self.command.0 -= 1;
            return Err(Error::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "cannot have more than 2^32-2 commands in a transaction",
            ));
        }
        if let Some(view) = &mut self.view {
            view.command = self.command;
        }
        Ok(())
    }

    /// What the current statement sees.
    ///
    /// # Errors
    /// XX000 before the first [`Txn::begin_statement`].
    pub fn view(&self) -> Result<ReadView> {
        self.view_ref().cloned()
    }

    /// A view of what is committed now, and of the transaction's changes by earlier commands, at any level: foreign keys
    /// are checked under it. What is read under it is not kept for SERIALIZABLE: it is not of the snapshot, and whoever relies on it
    /// locks what it finds.
    ///
    /// # Errors
    /// XX000 before the first [`Txn::begin_statement`].
    pub fn latest_view(&self) -> Result<ReadView> {
        let mut view = self.view()?.untracked();
        // A kept snapshot's pin is not needed for the new one, which has its own.
        let engine = &self.engine;
        let pin = engine.pin_snapshot(self.cell.id());
        view.horizon = pin.horizon.clone();
        view.pin = Some(Arc::new(pin));
        Ok(view)
    }

    /// The same, borrowed.
    ///
    /// # Errors
    /// As for [`Txn::view`].
    pub fn view_ref(&self) -> Result<&ReadView> {
        self.view.as_ref().ok_or_else(|| Error::internal("no statement has begun"))
    }

    /// Marks a point to come back to. Statement-level atomicity is a savepoint before each statement. Costs nothing.
    pub fn savepoint(&mut self) -> Savepoint {
        let advisory = self.cell.advisory.lock().len();
        Savepoint {
            undo: self.undo.len(),
            redo: self.redo.mark(),
            advisory,
            deferred: self.deferred.mark(),
        }
    }

    /// Undoes everything since `savepoint`, which stays valid; later ones do not. Locks taken since are given back.
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> Result<()> {
        let any = self.undo.len() > savepoint.undo;
        while self.undo.len() > savepoint.undo {
            let undo = self.undo.pop().expect("the list is longer than the savepoint's");
            self.engine.undo(&self.cell, &self.weak_locks, undo)?;
        }
        self.redo.cut(savepoint.redo);
        self.deferred.cut(savepoint.deferred);
        self.engine.release_advisory(&self.cell, savepoint.advisory);
        if any {
            self.engine.recount_versions();
            self.cell.notify();
        }
        Ok(())
    }

    /// Forgets a savepoint; its changes stay. Costs nothing.
    pub fn release(&mut self, _savepoint: Savepoint) {}

    /// `error`, which other transactions' commits may have brought about; 40001 instead if what this one has read was changed by
    /// commits that it does not see.
    pub(crate) fn blame(&self, error: Error) -> Error {
        let lost = self.serial.as_ref().and_then(|serial| serial.look().err());
        lost.map_or(error, |lost| self.lose(lost))
    }

    fn lose(&self, lost: Lost) -> Error {
        self.note_lost(lost.0);
        Lost::error()
    }

    /// Notes a commit that is to be 40001. Its end waits until that commit is durable, so that who tries again sees it, instead of
    /// meeting it again and again until its flush is over.
    pub(crate) fn note_lost(&self, commit: Timestamp) {
        if !self.engine.is_shown(commit) {
            self.met.fetch_max(commit.0, Ordering::Relaxed);
        }
    }

    /// Undoes the changes.
    ///
    /// # Errors
    /// 58030 and the like when pages cannot be read or written; the rest is undone by the next opening.
    pub fn rollback(mut self) -> Result<()> {
        self.abort_all()
    }

    /// Lets the log expect a frame of this transaction, which has begun to write or to wait for a row that it will change.
    pub(crate) fn expect(&mut self) {
        if std::mem::replace(&mut self.is_expected, true) {
            return;
        }
        if self.is_gathered {
            self.engine.gathered_writers.fetch_add(1, Ordering::Relaxed);
        } else {
            self.engine.store.log().expect_writer();
        }
    }

    fn unexpect(&mut self) {
        if !std::mem::replace(&mut self.is_expected, false) {
            return;
        }
        if self.is_gathered {
            self.engine.gathered_writers.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.engine.store.log().unexpect_writer();
        }
    }

    fn abort(&mut self) {
        // The database stops on an I/O error, and recovery undoes what this could not.
        let _ = self.abort_all();
    }

    fn abort_all(&mut self) -> Result<()> {
        self.unexpect();
        if std::mem::replace(&mut self.finished, true) {
            // A panic may have come before they were given back.
            self.engine.release_locks(&self.cell, &self.weak_locks, &mut self.undo);
            return Ok(());
        }
        self.view = None;
        self.serial = None;
        self.log_keeper = None;
        let _stop = self.engine.stop.on_panic();
        let mut result = Ok(());
        while let Some(undo) = self.undo.pop() {
            let undone = self.engine.undo(&self.cell, &self.weak_locks, undo);
            if result.is_ok() {
                result = undone;
            }
        }
        self.engine.release_advisory(&self.cell, 0);
        if result.is_ok() {
            self.cell.abort();
        } else {
            // What could not be undone is not shown (G2 of the gate); who waits finds the engine stopped.
            self.cell.notify();
        }
        self.engine.counters.rollbacks.fetch_add(1, Ordering::Relaxed);
        self.engine.recount_versions();
        // Why it was rolled back may be what it found.
        result.and(self.settle())
    }

    /// Locks a relation until the transaction ends (or is rolled back to before this), waiting for conflicting holders and
    /// for waiters before it.
    ///
    /// # Errors
    /// 40P01 on a deadlock, whatever the interrupt says, 55P03 if `wait` is false and the lock is not free.
    pub fn lock_relation(&mut self, tag: LockTag, lock: TableLock, wait: bool) -> Result<()> {
        let engine = &self.engine;
        let taken = engine.lock_table.lock_for_txn(
            &self.weak_locks,
            self.cell.id(),
            tag,
            lock,
            wait,
            &engine.graph,
            &*self.interrupt,
        )?;
        if taken {
            self.undo.push(Undo::RelationLock { tag, lock });
        }
        Ok(())
    }

    /// The columns of a table that take part in a key (alias, unique index): changing none takes the weaker row lock.
    pub fn key_columns(&self, rel: RelId) -> Result<Vec<ColumnIndex>> {
        let relation = self.engine.directory.get(rel)?;
        let heap = relation.heap.load();
        Ok(relation.key_columns(&heap).to_vec())
    }

    /// Gets ready for a change, outside the gate.
    ///
    /// # Errors
    /// 25006 unless it may write, 53200 if there is no memory for what a change leaves behind; as [`Txn::log_pieces`].
    pub(crate) fn begin_change(&mut self) -> Result<()> {
        if self.read_only {
            return Err(Error::new(
                SqlState::READ_ONLY_SQL_TRANSACTION,
                "cannot execute a change in a read-only transaction",
            ));
        }
        self.engine.count_versions()?;
        self.log_pieces()
    }
}

impl Drop for Txn {
    fn drop(&mut self) {
        self.abort();
    }
}
