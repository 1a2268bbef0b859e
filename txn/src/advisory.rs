//! Advisory locks: numbers that applications lock, in the lock table of relations.
//!
//! A transaction's are given back at its end, or when it is rolled back to a savepoint before them. A session's outlive
//! transactions, rolled back ones too; they stack, and go one by one, all at once, or with the session.
//!
//! While a session holds locks its id stands in the wait graph as waiting for its present transaction
//! ([`SessionLocks::enter`]): so a circle through session locks, transaction locks and row locks is one circle.
//!
//! Invariant A1: the lock table has a session's lock in a mode exactly when its count here is above zero.

use crate::cell::TxnCell;
use crate::engine::Engine;
use crate::interrupt::Interrupt;
use crate::lock::{LockInfo, LockTag, Owner, TableLock};
use damask_types::{Error, Result, SqlState, TxnId};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;

/// The most advisory locks of one transaction, and of one session.
const LOCKS_MAX: usize = 1 << 20;

/// A transaction, for those who take advisory locks for it while it runs.
#[derive(Clone, Debug)]
pub struct TxnHandle(pub(crate) Arc<TxnCell>);

impl TxnHandle {
    /// The transaction's id.
    pub fn id(&self) -> TxnId {
        self.0.id()
    }
}

/// The advisory locks of one session; dropping it gives them back.
pub struct SessionLocks {
    engine: Arc<Engine>,
    /// Its id in the lock table and in the wait graph; no transaction has it.
    id: TxnId,
    held: Mutex<HashMap<(LockTag, TableLock), u64>>,
}

impl std::fmt::Debug for SessionLocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionLocks").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cold]
fn too_many() -> Error {
    Error::new(SqlState::OUT_OF_MEMORY, "out of shared memory")
        .detail(format!("There can be at most {LOCKS_MAX} advisory locks."))
}

impl SessionLocks {
    pub(crate) fn new(engine: Arc<Engine>, id: TxnId) -> Self {
        Self { engine, id, held: Mutex::default() }
    }

    /// Its id in what [`Engine::locks`] lists.
    pub fn id(&self) -> TxnId {
        self.id
    }

    /// Says that the session runs this transaction now.
    pub fn enter(&self, txn: TxnId) {
        if !self.held.lock().is_empty() {
            self.engine.graph.link(self.id, txn);
        }
    }

    /// Takes a lock for the session, or one more time; false if `wait` is false and it is not free.
    ///
    /// # Errors
    /// 40P01 on a deadlock, 53200 beyond 1,048,576 locks, what the interrupt says.
    pub fn lock(
        &self,
        txn: &TxnHandle,
        tag: LockTag,
        mode: TableLock,
        wait: bool,
        interrupt: &dyn Interrupt,
    ) -> Result<bool> {
        let mut held = self.held.lock();
        if let Some(count) = held.get_mut(&(tag, mode)) {
            *count += 1;
            return Ok(true);
        }
        if held.len() >= LOCKS_MAX {
            return Err(too_many());
        }
        // Only the session's own thread takes and gives back, so the count cannot change while this waits.
        drop(held);
        self.engine.graph.link(self.id, txn.id());
        let owner = Owner { id: self.id, kin: txn.id() };
        let taken = self.engine.take_advisory(owner, txn, tag, mode, wait, interrupt);
        let mut held = self.held.lock();
        if matches!(taken, Ok(Some(_))) {
            held.insert((tag, mode), 1);
        } else if held.is_empty() {
            self.engine.graph.unlink(self.id);
        }
        Ok(taken?.is_some())
    }

    /// Takes a lock for the transaction; false if `wait` is false and it is not free.
    ///
    /// # Errors
    /// As [`SessionLocks::lock`].
    pub fn lock_for_transaction(
        &self,
        txn: &TxnHandle,
        tag: LockTag,
        mode: TableLock,
        wait: bool,
        interrupt: &dyn Interrupt,
    ) -> Result<bool> {
        if txn.0.advisory.lock().len() >= LOCKS_MAX {
            return Err(too_many());
        }
        let owner = Owner { id: txn.id(), kin: self.id };
        let Some(is_new) = self.engine.take_advisory(owner, txn, tag, mode, wait, interrupt)?
        else {
            return Ok(false);
        };
        if is_new {
            txn.0.advisory.lock().push((tag, mode));
        }
        Ok(true)
    }

    /// Gives a lock of the session back once; false if it does not hold it.
    pub fn unlock(&self, tag: LockTag, mode: TableLock) -> bool {
        let mut held = self.held.lock();
        let Some(count) = held.get_mut(&(tag, mode)) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            held.remove(&(tag, mode));
            self.engine.lock_table.release(self.id, tag, mode);
            if held.is_empty() {
                self.engine.graph.unlink(self.id);
            }
        }
        true
    }

    /// Gives all locks of the session back.
    pub fn unlock_all(&self) {
        let held = std::mem::take(&mut *self.held.lock());
        for (tag, mode) in held.into_keys() {
            self.engine.lock_table.release(self.id, tag, mode);
        }
        self.engine.graph.unlink(self.id);
    }
}

impl Drop for SessionLocks {
    fn drop(&mut self) {
        self.unlock_all();
    }
}

impl Engine {
    /// The advisory locks of a new session.
    pub fn session_locks(self: &Arc<Self>) -> SessionLocks {
        SessionLocks::new(Arc::clone(self), self.next_id())
    }

    /// All locks that are held or waited for, as they are now; those of rows are not among them.
    pub fn locks(&self) -> Vec<LockInfo> {
        self.lock_table.all()
    }

    /// Who waits for whom, by the ids of transactions and sessions. A session "waits" for its own transaction.
    pub fn waits(&self) -> Vec<(TxnId, Vec<TxnId>)> {
        self.graph.all()
    }

    /// Whether the lock is new; none if it is not free.
    fn take_advisory(
        &self,
        owner: Owner,
        txn: &TxnHandle,
        tag: LockTag,
        mode: TableLock,
        wait: bool,
        interrupt: &dyn Interrupt,
    ) -> Result<Option<bool>> {
        assert!(!matches!(tag, LockTag::Relation(_)), "relations are locked by transactions");
        let graph = &self.graph;
        match self.lock_table.lock(owner, txn.id(), tag, mode, wait, graph, interrupt) {
            Ok(is_new) => Ok(Some(is_new)),
            Err(error) if !wait && error.sqlstate() == SqlState::LOCK_NOT_AVAILABLE => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives back a transaction's advisory locks down to the first `keep`.
    pub(crate) fn release_advisory(&self, cell: &TxnCell, keep: usize) {
        let released: Vec<_> = {
            let mut locks = cell.advisory.lock();
            if locks.len() <= keep {
                return;
            }
            locks.drain(keep..).collect()
        };
        for (tag, mode) in released {
            self.lock_table.release(cell.id(), tag, mode);
        }
    }
}
